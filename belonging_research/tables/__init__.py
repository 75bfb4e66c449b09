"""What every table that crosses a room is: columns, types, units, keys, and code lists with dates of validity.

Nothing here touches disk. Periods are academic years written ``"2024/25"``; rates are proportions.
"""

from belonging_research.tables.boundaries import BOUNDARIES, BoundaryChange, boundary, in_force
from belonging_research.tables.published import FIGURES, MISSING_REASONS, OUTCOMES, SYMBOLS
from belonging_research.tables.shapes import PHASES, Column, Level, Phase, Source, TableSpec
from belonging_research.tables.years import academic_year, first_year, shift_year, year_label

__all__ = [
    "BOUNDARIES",
    "FIGURES",
    "MISSING_REASONS",
    "OUTCOMES",
    "PHASES",
    "SYMBOLS",
    "BoundaryChange",
    "Column",
    "Level",
    "Phase",
    "Source",
    "TableSpec",
    "academic_year",
    "boundary",
    "first_year",
    "in_force",
    "shift_year",
    "year_label",
]
