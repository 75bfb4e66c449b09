"""Rows to measures by the official definitions: of published figures here, of a council's marks in `registers`.

`registers` is imported by its own name: it brings a query engine, which public figures do not need.
"""

from belonging_research.outcomes.published import (
    MEASURES,
    SESSIONS_A_YEAR,
    Measure,
    derive_outcomes,
    refuse_unknown_controls,
    years_not_over,
)

__all__ = [
    "MEASURES",
    "SESSIONS_A_YEAR",
    "Measure",
    "derive_outcomes",
    "refuse_unknown_controls",
    "years_not_over",
]
