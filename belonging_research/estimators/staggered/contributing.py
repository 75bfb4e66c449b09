"""How many schools stand behind an effect: those that had started, and those that they are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from belonging_research.estimators.staggered.cells import Cell, Comparison, controls
from belonging_research.estimators.staggered.conversion import Staggered
from belonging_research.panel.schools import SchoolPanel


def schools_behind(
    panel: SchoolPanel,
    study: Staggered,
    cells: Sequence[Cell],
    at: Mapping[int, Sequence[int]],
    *,
    comparison: Comparison,
    anticipation: int,
) -> dict[int, tuple[int, int]]:
    """Schools that started and schools beside them by key of ``at``, each counted once over the cells of its key.

    As :func:`cells.cell_effects` takes them: a block counts where it has figures in both half-terms, and units on both
    sides. A page needs these numbers to leave out what is about one school.
    """
    schools = np.array(panel.schools)[np.searchsorted(panel.units, study.units)]
    found = {}
    for key, places in at.items():
        started: set[str] = set()
        beside: set[str] = set()
        for cell in (cells[place] for place in places):
            there = study.open[study.block][:, [cell.time, cell.base]].all(axis=1)
            own = there & (study.adoption == cell.group)
            others = there & controls(study.adoption, cell, comparison=comparison, anticipation=anticipation)
            shared = np.intersect1d(study.block[own], study.block[others])
            both = np.isin(study.block, shared)
            started |= set(schools[own & both])
            beside |= set(schools[others & both])
        found[key] = (len(started), len(beside))
    return found
