"""A made-up county: a council's own tables with a known effect, as `receive` leaves them or as councils have them."""

from belonging_research.simulate.county.checked import write_checked_county, write_simulated_county
from belonging_research.simulate.county.county import County, draw_county
from belonging_research.simulate.county.followed import PupilPaths, SimulatedCohort, draw_cohort
from belonging_research.simulate.county.raw import RawCounty, write_county_as_councils_have_it
from belonging_research.simulate.county.school_panel import SimulatedPanel, draw_school_panel
from belonging_research.simulate.county.truth import CountyTruth, TruthCell, read_county_truth
from belonging_research.simulate.county.worlds import COUNTY_WORLDS, CountyWorld

__all__ = [
    "COUNTY_WORLDS",
    "County",
    "CountyTruth",
    "CountyWorld",
    "PupilPaths",
    "RawCounty",
    "SimulatedCohort",
    "SimulatedPanel",
    "TruthCell",
    "draw_cohort",
    "draw_county",
    "draw_school_panel",
    "read_county_truth",
    "write_checked_county",
    "write_county_as_councils_have_it",
    "write_simulated_county",
]
