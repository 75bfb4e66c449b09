"""How often the whole pipeline is right: in made-up worlds, and with every real council in the treated one's place."""

from __future__ import annotations

from belonging_research.calibrate.rows import SCHEMA, THIRDS, Row
from belonging_research.calibrate.running import Figures, Task, do_all, few_treated, rows_of, standing, tasks_of
from belonging_research.calibrate.school_worlds import SCHOOL_WORLDS, SchoolWorld
from belonging_research.calibrate.studies import PRIMARY
from belonging_research.calibrate.worlds import COUNTY_WORLDS, CountyWorld

__all__ = [
    "COUNTY_WORLDS",
    "PRIMARY",
    "SCHEMA",
    "SCHOOL_WORLDS",
    "THIRDS",
    "CountyWorld",
    "Figures",
    "Row",
    "SchoolWorld",
    "Task",
    "do_all",
    "few_treated",
    "rows_of",
    "standing",
    "tasks_of",
]
