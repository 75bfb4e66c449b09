"""What arrived from a council, before anything is made of it: tables for a page, each with what its columns count.

Every function takes a study of schools, or None where a plan has none: its table then has one row that says so. No
table names a school, and each carries the layer ``school``, so that the door judges it by the council's policy.
"""

from belonging_research.panel.schools.arrival.coverage import coverage_of_weeks
from belonging_research.panel.schools.arrival.excluded import register_and_exclusions, without_counterpart
from belonging_research.panel.schools.arrival.made_up import made_up_beside_published
from belonging_research.panel.schools.arrival.published import totals_beside_published
from belonging_research.panel.schools.arrival.received import what_arrived
from belonging_research.panel.schools.arrival.rules import exits_by_destination, left_out_of_counts, watched_marks
from belonging_research.panel.schools.arrival.shape import Arrived
from belonging_research.panel.schools.arrival.weeks import coverage_by_week

__all__ = [
    "Arrived",
    "coverage_by_week",
    "coverage_of_weeks",
    "exits_by_destination",
    "left_out_of_counts",
    "made_up_beside_published",
    "register_and_exclusions",
    "totals_beside_published",
    "watched_marks",
    "what_arrived",
    "without_counterpart",
]
