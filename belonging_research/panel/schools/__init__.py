"""The school panel: a council's register and intervention log as schools by half-term, ready to compare.

Imported by its own name: it brings a query engine, which the county layer does not need.
"""

from belonging_research.panel.schools.begun import BegunWith, begun_with
from belonging_research.panel.schools.building import Register, cohort_panel, events_panel, school_panel
from belonging_research.panel.schools.shape import (
    SCHOOL_DAYS,
    WEIGHTINGS,
    FollowedPupils,
    LeftOut,
    SchoolPanel,
    Weighting,
    panel_of_arrays,
)
from belonging_research.panel.schools.starts import Starts, half_term_label, starts_of
from belonging_research.panel.schools.study import (
    ABSENCE,
    EVENTS,
    PupilPanels,
    SchoolPanels,
    SchoolStudy,
    study_schools,
)

__all__ = [
    "ABSENCE",
    "EVENTS",
    "SCHOOL_DAYS",
    "WEIGHTINGS",
    "BegunWith",
    "FollowedPupils",
    "LeftOut",
    "PupilPanels",
    "Register",
    "SchoolPanel",
    "SchoolPanels",
    "SchoolStudy",
    "Starts",
    "Weighting",
    "begun_with",
    "cohort_panel",
    "events_panel",
    "half_term_label",
    "panel_of_arrays",
    "school_panel",
    "starts_of",
    "study_schools",
]
