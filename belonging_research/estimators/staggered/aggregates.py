"""Group-time effects to summaries, each with what every cluster adds to its error (Callaway & Sant'Anna 2021, §3)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from belonging_research.estimators.staggered.cells import Cell, CellEffects
from belonging_research.estimators.weights import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A mean of cells: its value and what each cluster adds to its error, (C,)."""

    label: str
    value: float
    influence: Floats

    def std_error(self, factor: float) -> float:
        """The analytic error, clustered; ``factor`` of :func:`cells.error_factor`."""
        about = self.influence - self.influence.mean()
        return math.sqrt(factor * float((about**2).sum()))


def weighted_by_treated(effects: CellEffects, at: Sequence[int] | Ints, label: str) -> Summary:
    """Mean of the cells ``at`` by the weight of those treated, the error of these weights included."""
    own = list(at)
    att, weight = effects.att[0, own], effects.weight[0, own]
    value = float(att @ weight / weight.sum())
    psi = effects.influence[0][:, own] @ (weight / weight.sum())
    psi = psi + effects.shares[0][:, own] @ (att - value) / weight.sum()
    return Summary(label=label, value=value, influence=psi)


def plain_mean(parts: Sequence[Summary], label: str) -> Summary:
    """Mean of summaries that count alike."""
    return Summary(
        label=label,
        value=float(np.mean([part.value for part in parts])),
        influence=np.mean([part.influence for part in parts], axis=0),
    )


def each_cell(effects: CellEffects, labels: Sequence[str]) -> tuple[Summary, ...]:
    """The cells themselves."""
    return tuple(
        Summary(label=label, value=float(effects.att[0, m]), influence=effects.influence[0][:, m])
        for m, label in enumerate(labels)
    )


def by_key(
    effects: CellEffects, cells: Sequence[Cell], key: Callable[[Cell], int], keep: Callable[[Cell], bool]
) -> dict[int, tuple[int, ...]]:
    """Places of the cells that are kept and supported, by their key."""
    found: dict[int, list[int]] = {}
    for m, cell in enumerate(cells):
        if keep(cell) and effects.weight[0, m] > 0:
            found.setdefault(key(cell), []).append(m)
    return {value: tuple(places) for value, places in sorted(found.items())}


def group_overall(effects: CellEffects, groups: dict[int, tuple[int, ...]], parts: Sequence[Summary]) -> Summary:
    """Mean of the cohorts' means by the weight of those in them, the error of these weights included."""
    shares = np.array([effects.shares[0][:, list(at)].max(axis=1) for at in groups.values()])
    weight = shares.sum(axis=1)
    values = np.array([part.value for part in parts])
    value = float(values @ weight / weight.sum())
    psi = np.array([part.influence for part in parts]).T @ (weight / weight.sum())
    psi = psi + shares.T @ (values - value) / weight.sum()
    return Summary(label="group", value=value, influence=psi)


def simultaneous_critical(
    parts: Sequence[Summary], factor: float, *, rng: np.random.Generator, draws: int, level: float
) -> float:
    """How many errors a band reaches each way to hold all the effects at once, with probability ``level``.

    Multiplier bootstrap of the largest |t| with Rademacher signs by cluster (Callaway & Sant'Anna 2021, algorithm 1),
    around analytic errors; never below that of one effect, and that where no effect has an error.
    """
    psi = np.column_stack([part.influence for part in parts])
    errors = np.array([part.std_error(factor) for part in parts])
    one = float(norm.isf((1 - level) / 2))
    if not (errors > 0).any():
        return one
    signs = 1.0 - 2.0 * rng.integers(0, 2, size=(draws, len(psi)))
    largest = np.sort(np.abs(signs @ psi[:, errors > 0] / errors[errors > 0]).max(axis=1))
    at = min(math.ceil((draws + 1) * level) - 1, draws - 1)
    return max(float(largest[at]) * math.sqrt(factor), one)
