"""Outcomes and plan to one analysis panel: who is compared with whom, over what, and why others are not."""

from __future__ import annotations

from belonging_research.panel.building import Grid, Left, Panel, build_panel, deciding_source, grid, response, series
from belonging_research.panel.comparing import Comparison, Specification, compare, false_start, subset
from belonging_research.panel.describing import LEVELS, left_out, levels
from belonging_research.panel.needed import refuse_missing_series

__all__ = [
    "LEVELS",
    "Comparison",
    "Grid",
    "Left",
    "Panel",
    "Specification",
    "build_panel",
    "compare",
    "deciding_source",
    "false_start",
    "grid",
    "left_out",
    "levels",
    "refuse_missing_series",
    "response",
    "series",
    "subset",
]
