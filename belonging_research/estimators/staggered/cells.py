"""Group-time effects without covariates as sums over clusters, for one allocation of starts or thousands at once.

The effect of cohort g at half-term t is its mean change since the last half-term before its start, less that of units
of the same block that have not started (Callaway & Sant'Anna 2021, the unconditional case; with blocks, the outcome
regression on block indicators, which is then also the doubly robust estimate). All of it is linear in the outcomes
and needs of a cluster only its sums, so an allocation over 22 pyramids costs microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from belonging_research.errors import EstimateError
from belonging_research.estimators.staggered.conversion import NEVER, Ints, Staggered
from belonging_research.estimators.staggered.history import less_history
from belonging_research.estimators.weights import Bools, Floats

Comparison = Literal["not_yet_treated", "never_treated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One group-time effect by indices of half-terms: cohort ``group``, half-term ``time``, measured from ``base``."""

    group: int
    time: int
    base: int

    @property
    def is_post(self) -> bool:
        """At or after the start."""
        return self.time >= self.group


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSums:
    """Weights (C, Y), weighted outcomes (C, Y, T) of clusters by block, which half-terms a block has (Y, T)."""

    weights: Floats
    outcomes: Floats
    open: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class CellEffects:
    """Effects of m cells under B allocations: ``att`` (B, m), NaN where nobody is comparable.

    ``weight`` (B, m) of the treated who are compared; ``shares`` (B, C, m) whose they are, by cluster; ``influence``
    (B, C, m): what each cluster adds to the error of a cell, summing to 0.
    """

    att: Floats
    weight: Floats
    shares: Floats
    influence: Floats


def cells_of(study: Staggered, *, anticipation: int, universal: bool, only_post: bool = False) -> tuple[Cell, ...]:
    """Every cohort and half-term with a comparison somewhere: from ``study.last`` on all are treated.

    Effects from the start on are measured from the last half-term before it and its anticipation. Before, from the
    half-term before (varying) or from that same one (``universal``, reference event time -1 - ``anticipation``).
    """
    found = []
    for group in map(int, study.cohorts):
        if group >= study.last:
            continue
        base = group - 1 - anticipation
        for time in range(study.last):
            own = base if time >= group or universal else time - 1
            if own < 0 or own == time or (only_post and time < group):
                continue
            found.append(Cell(group=group, time=time, base=own))
    return tuple(found)


def cluster_sums(study: Staggered, values: Floats | None = None, aside: Bools | None = None) -> ClusterSums:
    """Sums of a study, or of other ``values`` (n, T) of the same units, less what history predicts of them.

    ``aside`` as in :func:`less_history`.
    """
    shape = (len(study.clusters), len(study.blocks))
    outcomes = less_history(study, study.values if values is None else values, aside)
    weights, sums = np.zeros(shape), np.zeros((*shape, outcomes.shape[1]))
    np.add.at(weights, (study.cluster, study.block), study.weights)
    np.add.at(sums, (study.cluster, study.block), study.weights[:, None] * outcomes)
    return ClusterSums(weights=weights, outcomes=sums, open=study.open)


def cluster_adoption(study: Staggered) -> Ints:
    """(C,) the start of each cluster. Raises :class:`EstimateError` where units of a cluster start apart."""
    first = np.full(len(study.clusters), NEVER, dtype=np.int64)
    last = np.zeros(len(study.clusters), dtype=np.int64)
    np.minimum.at(first, study.cluster, study.adoption)
    np.maximum.at(last, study.cluster, study.adoption)
    mixed = int((first != last).sum())
    if mixed:
        raise EstimateError(
            f"{mixed} of {len(first)} pyramids hold schools that start at different times or never, so starts were "
            "not allocated by pyramid; build the panel with assignment='pyramid' (intention to treat), or give each "
            "school its own cluster"
        )
    return first


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    """One cell under B allocations: who is treated and who control (B, C), weights ``own`` and their ``change`` (C, Y)
    where the block has both half-terms, sums (B, Y) of control and of treated weights, where ``supported``, and the
    comparison's ``mean`` change (B, Y). ``att`` and ``weight`` (B,) as in :class:`CellEffects`."""

    treated: Floats
    control: Floats
    own: Floats
    change: Floats
    n_control: Floats
    n_treated: Floats
    supported: Floats
    mean: Floats
    att: Floats
    weight: Floats


def cell_effects(
    sums: ClusterSums,
    adoption: Ints,
    cells: tuple[Cell, ...],
    *,
    comparison: Comparison,
    anticipation: int,
    apart: Bools | None = None,
) -> CellEffects:
    """Effects of ``cells`` under (B, C) allocations of starts to clusters.

    Clusters ``apart`` (C,) start something else: compared until then, never among those whose effect it is.
    """
    att, weight = np.full((2, len(adoption), len(cells)), np.nan)
    shares, influence = np.zeros((2, *adoption.shape, len(cells)))
    for m, cell in enumerate(cells):
        side = _sides(sums, adoption, cell, comparison, anticipation, apart)
        att[:, m], weight[:, m] = side.att, side.weight
        # Each cluster's change beyond what the comparison's mean change predicts, summed over blocks: as products of
        # small matrices, since there are thousands of allocations.
        known, ratio = side.mean * side.supported, side.n_treated / np.where(side.n_control > 0, side.n_control, 1.0)
        change, own = side.change.T, side.own.T
        held = side.supported @ own
        shares[:, :, m] = side.treated * held
        gains = side.treated * (side.supported @ change - known @ own - np.nan_to_num(side.att)[:, None] * held)
        losses = side.control * ((side.supported * ratio) @ change - (known * ratio) @ own)
        # Without anybody who is compared a cell adds nothing to any error.
        total = np.where(side.weight > 0, side.weight, np.inf)
        influence[:, :, m] = (gains - losses) / total[:, None]
    return CellEffects(att=att, weight=np.nan_to_num(weight), shares=shares, influence=influence)


def overall_values(
    sums: ClusterSums, adoption: Ints, cells: tuple[Cell, ...], *, comparison: Comparison, anticipation: int
) -> Floats:
    """Overall effects (B,) of cells that are all post, as :func:`overall_effects` has them, without their errors."""
    sides = [_sides(sums, adoption, cell, comparison, anticipation) for cell in cells]
    att = np.stack([side.att for side in sides], axis=1)
    weight = np.stack([side.weight for side in sides], axis=1)
    found: Floats = (np.nan_to_num(att) * weight).sum(axis=1) / weight.sum(axis=1)
    return found


def _sides(
    sums: ClusterSums, adoption: Ints, cell: Cell, comparison: Comparison, anticipation: int, apart: Bools | None = None
) -> _Sides:
    starts = adoption == cell.group
    treated = (starts if apart is None else starts & ~apart).astype(np.float64)
    control = controls(adoption, cell, comparison=comparison, anticipation=anticipation).astype(np.float64)
    usable = sums.open[:, cell.time] & sums.open[:, cell.base]
    own = np.where(usable, sums.weights, 0.0)
    change = np.where(usable, sums.outcomes[:, :, cell.time] - sums.outcomes[:, :, cell.base], 0.0)
    n_control = control @ own
    supported = (n_control > 0).astype(np.float64)
    n_treated = (treated @ own) * supported
    weight = n_treated.sum(axis=1)
    mean = (control @ change) / np.where(n_control > 0, n_control, 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        att = ((treated @ change) * supported - n_treated * mean).sum(axis=1) / weight
    return _Sides(
        treated=treated, control=control, own=own, change=change, n_control=n_control, n_treated=n_treated,
        supported=supported, mean=mean, att=att, weight=weight,
    )  # fmt: skip


def controls(adoption: Ints, cell: Cell, *, comparison: Comparison, anticipation: int) -> Bools:
    """Who is compared with a cell's cohort: those that never start, or have not by either of its half-terms."""
    if comparison == "never_treated":
        never: Bools = adoption == NEVER
        return never
    ahead: Bools = (adoption > max(cell.time, cell.base) + anticipation) & (adoption != cell.group)
    return ahead


def overall_effects(effects: CellEffects) -> tuple[Floats, Floats]:
    """Overall effect (B,) of cells that are all post, weighted by those treated ("simple"), and its influence (B, C).

    The influence includes that of the weights, as in Callaway & Sant'Anna's aggregation; both are linear in outcomes.
    """
    total = effects.weight.sum(axis=1)
    overall = (np.nan_to_num(effects.att) * effects.weight).sum(axis=1) / total
    share = effects.weight / total[:, None]
    apart = np.where(effects.weight > 0, np.nan_to_num(effects.att) - overall[:, None], 0.0)
    psi = np.einsum("bcm,bm->bc", effects.influence, share)
    psi += np.einsum("bcm,bm->bc", effects.shares, apart) / total[:, None]
    return overall, psi


def error_factor(study: Staggered) -> float:
    """C/(C - 1); 1 where every cluster is one unit, as in the R package did (Callaway & Sant'Anna)."""
    n = len(study.clusters)
    return 1.0 if n == len(study.units) else n / max(n - 1, 1)
