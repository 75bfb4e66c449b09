"""Were schools that start apart moving apart before? A joint test, and the chance that it had of noticing.

Both by randomisation: allocations in the real one's place show how far leads stray by chance. The test says little by
itself (Roth 2022): its power against a trend that would matter stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from belonging_research.errors import EstimateError
from belonging_research.estimators.staggered.allocation import allocations, refuse_too_few, stratum_of
from belonging_research.estimators.staggered.cells import (
    Cell,
    ClusterSums,
    Comparison,
    cell_effects,
    cells_of,
    cluster_adoption,
    cluster_sums,
    error_factor,
)
from belonging_research.estimators.staggered.conversion import Ints, Staggered, staggered
from belonging_research.estimators.weights import Floats
from belonging_research.panel.schools import SchoolPanel, Weighting

_JUDGES = 199


@dataclass(frozen=True, slots=True, kw_only=True)
class PreTrends:
    """Joint test of the effects at ``leads`` (event times before the reference), in the outcome's unit.

    ``power``: chance of p <= ``alpha`` had starters drifted from the others by ``slope`` a half-term, which makes
    ``drift`` by the last half-term after a start. ``std_errors`` are clustered.
    """

    leads: tuple[int, ...]
    values: tuple[float, ...]
    std_errors: tuple[float, ...]
    p_value: float
    alpha: float
    drift: float
    slope: float
    power: float
    n_reference: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leads:
    """Effects at E leads under B allocations, (B, E), and their influence (B, C, E); both linear in outcomes."""

    values: Floats
    influence: Floats
    factor: float

    def plus(self, other: _Leads, times: float) -> _Leads:
        return _Leads(
            values=self.values + times * other.values,
            influence=self.influence + times * other.influence,
            factor=self.factor,
        )

    @property
    def largest(self) -> Floats:
        """(B,) the largest squared t of the leads; a lead without spread counts as far off as it can be."""
        variance = self.factor * (self.influence**2).sum(axis=1)
        off = np.where(self.values != 0, np.inf, 0.0)
        found: Floats = np.divide(self.values**2, variance, out=off, where=variance > 0).max(axis=1)
        return found


_Measure = Callable[[ClusterSums, Ints], _Leads]


def pre_trends(
    panel: SchoolPanel,
    *,
    drift: float,
    rng: np.random.Generator,
    alpha: float = 0.05,
    most_leads: int = 12,
    comparison: Comparison = "not_yet_treated",
    anticipation: int = 0,
    weights: Weighting = "pupils",
    draws: int = 999,
    placebos: int = 60,
    judges: int = _JUDGES,
) -> PreTrends:
    """Joint pre-trend test by randomisation over the recorded allocation, with its power against a linear ``drift``.

    The statistic is the largest |t| of up to ``most_leads`` last leads before the reference (-1 less the
    anticipation): all are 0 if none strays. ``drift``: the smallest effect of interest, reached by the last half-term
    after a start. For the power ``placebos`` allocations are taken for the real one, their starters made to drift, and
    ``judges`` others judge them; the smaller share of the two signs.

    Raises :class:`EstimateError` as :func:`estimate_schools`, where no lead has a comparison, or drift or placebos are
    not above 0.
    """
    if placebos < 1:
        raise EstimateError(f"placebos {placebos}: a pre-trend test says its power, for which at least 1 is needed")
    if not (math.isfinite(drift) and drift > 0):
        raise EstimateError(f"drift {drift:g}: expected the smallest effect of interest, above 0")
    study = staggered(panel, weights=weights, anticipation=anticipation)
    adoption = cluster_adoption(study)
    found = allocations(adoption, stratum_of(study, panel), draws=draws, rng=rng)
    refuse_too_few(found, alpha)
    every = cells_of(study, anticipation=anticipation, universal=True)
    reference = -1 - anticipation
    leads = sorted({cell.time - cell.group for cell in every if cell.time - cell.group < reference})[-most_leads:]
    cells = tuple(cell for cell in every if cell.time - cell.group in leads)
    if not cells:
        raise EstimateError(
            f"{panel.outcome}: no half-term before the reference has a comparison, so trends before the start cannot "
            "be tested; add earlier half-terms"
        )

    def measured(sums: ClusterSums, rows: Ints) -> _Leads:
        return _leads(study, sums, rows, cells, leads, comparison=comparison, anticipation=anticipation)

    rows, sums = np.vstack([adoption[None], found.others]), cluster_sums(study)
    real = measured(sums, rows[:1])
    slope = drift / (max(cell.time - cell.group for cell in every) - reference)
    largest = np.concatenate([part.largest for part in _in_steps(measured, sums, rows, len(cells))])
    return PreTrends(
        leads=tuple(leads),
        values=tuple(map(float, real.values[0])),
        std_errors=tuple(map(float, np.sqrt(real.factor * (real.influence[0] ** 2).sum(axis=0)))),
        p_value=_p_value(largest, 0),
        alpha=alpha,
        drift=drift,
        slope=slope,
        power=_power(measured, sums, rows[: judges + 1], placebos, study.last, slope, alpha),
        n_reference=len(found.others),
    )


def _power(
    measured: _Measure, sums: ClusterSums, rows: Ints, count: int, last: int, slope: float, alpha: float
) -> float:
    """Share of allocations in the real one's place whose drift is noticed, the smaller of its two signs."""
    base, noticed = measured(sums, rows), []
    for at in range(min(count, len(rows))):
        ramp = measured(_ramp(sums, rows[at], last), rows)
        noticed.append([_p_value(base.plus(ramp, sign * slope).largest, at) <= alpha for sign in (1.0, -1.0)])
    return float(np.mean(noticed, axis=0).min())


def _in_steps(measured: _Measure, sums: ClusterSums, rows: Ints, n_cells: int) -> Iterator[_Leads]:
    """A few allocations at a time, so that memory does not grow with their number."""
    step = max(1, 2_000_000 // (rows.shape[1] * n_cells))
    for first in range(0, len(rows), step):
        yield measured(sums, rows[first : first + step])


def _p_value(largest: Floats, at: int) -> float:
    """Share of allocations whose statistic reaches that of the one ``at``, itself among them."""
    return float(np.count_nonzero(largest >= largest[at] * (1 - 1e-9)) / len(largest))


def _ramp(sums: ClusterSums, adoption: Ints, last: int) -> ClusterSums:
    """Sums of an outcome that grows by 1 a half-term in clusters that start while others have not, 0 elsewhere."""
    grows = (adoption < last)[:, None, None] * np.arange(sums.outcomes.shape[2], dtype=np.float64)
    return ClusterSums(weights=sums.weights, outcomes=sums.weights[:, :, None] * grows, open=sums.open)


def _leads(
    study: Staggered,
    sums: ClusterSums,
    rows: Ints,
    cells: tuple[Cell, ...],
    leads: list[int],
    *,
    comparison: Comparison,
    anticipation: int,
) -> _Leads:
    found = cell_effects(sums, rows, cells, comparison=comparison, anticipation=anticipation)
    at = np.array([[cell.time - cell.group == lead for cell in cells] for lead in leads])
    weight = found.weight[:, None, :] * at
    total = weight.sum(axis=2)
    att = np.nan_to_num(found.att)[:, None, :]
    values = (att * weight).sum(axis=2) / total
    apart = (att - values[:, :, None]) * (weight > 0)
    psi = np.einsum("bcm,bem->bce", found.influence, weight / total[:, :, None])
    psi += np.einsum("bcm,bem->bce", found.shares, apart) / total[:, None, :]
    about = psi - psi.mean(axis=1, keepdims=True)
    return _Leads(values=values, influence=about, factor=error_factor(study))
