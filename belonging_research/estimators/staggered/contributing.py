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
    names, code = np.unique(np.array(panel.schools), return_inverse=True)
    school = code[np.searchsorted(panel.units, study.units)]
    found = {}
    for key, places in at.items():
        started, beside = np.zeros((2, len(names)), dtype=bool)
        for cell in (cells[place] for place in places):
            there = (study.open[:, cell.time] & study.open[:, cell.base])[study.block]
            own = there & (study.adoption == cell.group)
            others = there & controls(study.adoption, cell, comparison=comparison, anticipation=anticipation)
            blocks = np.zeros((2, len(study.blocks)), dtype=bool)
            blocks[0, study.block[own]] = blocks[1, study.block[others]] = True
            both = (blocks[0] & blocks[1])[study.block]
            started[school[own & both]] = True
            beside[school[others & both]] = True
        found[key] = (int(started.sum()), int(beside.sum()))
    return found
