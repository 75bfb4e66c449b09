"""Were schools that start apart moving apart before? A joint test, and the chance that it had of noticing.

Both by randomisation: allocations in the real one's place show how far leads stray by chance. The test says little by
itself (Roth 2022): its power against a trend that would matter stands beside it.
"""

from __future__ import annotations

import math
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PreTrends:
    """Joint test of the effects at ``leads`` (event times before the reference), in the outcome's unit.

    ``power``: chance of p <= ``alpha`` had starters drifted from their comparison by ``slope`` a half-term, which
    makes ``drift`` by the end of the half-terms after the start.
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


def pre_trends(
    panel: SchoolPanel,
    *,
    drift: float,
    rng: np.random.Generator,
    alpha: float = 0.05,
    most_leads: int = 6,
    comparison: Comparison = "not_yet_treated",
    anticipation: int = 0,
    weights: Weighting = "pupils",
    draws: int = 999,
) -> PreTrends:
    """Joint pre-trend test by randomisation over the recorded allocation, with its power against a linear ``drift``.

    The statistic is the Wald statistic of up to ``most_leads`` last leads before the reference (-1 less the
    anticipation), by their clustered covariance; fewer where clusters are few (a third of their number at most).
    ``drift``: the smallest effect of interest, reached by the last half-term after the start.

    Raises :class:`EstimateError` as :func:`estimate_schools`, where no lead has a comparison, or drift is not above 0.
    """
    if not (math.isfinite(drift) and drift > 0):
        raise EstimateError(f"drift {drift:g}: expected the smallest effect of interest, above 0")
    study = staggered(panel, weights=weights, anticipation=anticipation)
    adoption = cluster_adoption(study)
    found = allocations(adoption, stratum_of(study, panel), draws=draws, rng=rng)
    refuse_too_few(found, alpha)
    every = cells_of(study, anticipation=anticipation, universal=True)
    reference = -1 - anticipation
    leads = sorted({cell.time - cell.group for cell in every if cell.time - cell.group < reference})
    leads = leads[-max(1, min(most_leads, len(study.clusters) // 3)) :]
    cells = tuple(cell for cell in every if cell.time - cell.group in leads)
    if not cells:
        raise EstimateError(
            f"{panel.outcome}: no half-term before the reference has a comparison, so trends before the start cannot "
            "be tested; add earlier half-terms"
        )
    rows = np.vstack([adoption[None], found.others])
    values, covariances = _leads(
        study, cluster_sums(study), rows, cells, leads, comparison=comparison, anticipation=anticipation
    )
    last = max(cell.time - cell.group for cell in every)
    slope = drift / (last - reference)
    bent = slope * (np.array(leads) - reference)
    wald = _wald(values, covariances)
    critical = np.sort(wald[1:])[::-1][_allowed(len(wald) - 1, alpha)]
    # Under a drift the covariance, which is about each start's own mean, stays as it is.
    moved = [_wald(values[1:] + sign * bent, covariances[1:]) > critical for sign in (1.0, -1.0)]
    return PreTrends(
        leads=tuple(leads),
        values=tuple(map(float, values[0])),
        std_errors=tuple(map(float, np.sqrt(np.diagonal(covariances[0])))),
        p_value=float((1 + np.count_nonzero(wald[1:] >= wald[0] * (1 - 1e-9))) / len(wald)),
        alpha=alpha,
        drift=drift,
        slope=slope,
        power=float(min(each.mean() for each in moved)),
        n_reference=len(found.others),
    )


def _allowed(count: int, alpha: float) -> int:
    """How many of ``count`` other allocations may reach a statistic that still has p <= alpha."""
    return max(math.floor(alpha * (count + 1) + 1e-9) - 1, 0)


def _leads(
    study: Staggered,
    sums: ClusterSums,
    rows: Ints,
    cells: tuple[Cell, ...],
    leads: list[int],
    *,
    comparison: Comparison,
    anticipation: int,
) -> tuple[Floats, Floats]:
    """Effects at the leads (B, E) and their clustered covariances (B, E, E) under (B, C) allocations."""
    at = np.array([[cell.time - cell.group == lead for cell in cells] for lead in leads])
    step = max(1, 2_000_000 // (rows.shape[1] * len(cells)))
    values, covariances = [], []
    for first in range(0, len(rows), step):
        own = rows[first : first + step]
        found = cell_effects(sums, own, cells, comparison=comparison, anticipation=anticipation)
        weight = found.weight[:, None, :] * at
        total = weight.sum(axis=2)
        mean = (np.nan_to_num(found.att)[:, None, :] * weight).sum(axis=2) / total
        apart = (np.nan_to_num(found.att)[:, None, :] - mean[:, :, None]) * at * (weight > 0)
        psi = np.einsum("bcm,bem->bce", found.influence, weight / total[:, :, None])
        psi += np.einsum("bcm,bem->bce", found.shares, apart) / total[:, None, :]
        psi -= psi.mean(axis=1, keepdims=True)
        values.append(mean)
        covariances.append(error_factor(study) * np.einsum("bce,bcf->bef", psi, psi))
    return np.concatenate(values), np.concatenate(covariances)


def _wald(values: Floats, covariances: Floats) -> Floats:
    """b' V^+ b of each row, (B,): the pseudo-inverse leaves out directions that no cluster varies in."""
    inverse = np.linalg.pinv(covariances, rcond=1e-10, hermitian=True)
    found: Floats = np.einsum("be,bef,bf->b", values, inverse, values)
    return found
