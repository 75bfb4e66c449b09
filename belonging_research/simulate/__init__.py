"""Room 4: a made-up country with a known effect, as public files in the Department's layouts, the truth beside them."""

from belonging_research.simulate.country import SimulatedCountry, draw_world
from belonging_research.simulate.folder import simulated_county, simulated_data, write_public_files
from belonging_research.simulate.joined import JoinedTruth, truth_beside
from belonging_research.simulate.truth import Truth, read_truth
from belonging_research.simulate.worlds import WORLDS, World

__all__ = [
    "WORLDS",
    "JoinedTruth",
    "SimulatedCountry",
    "Truth",
    "World",
    "draw_world",
    "read_truth",
    "simulated_county",
    "simulated_data",
    "truth_beside",
    "write_public_files",
]
