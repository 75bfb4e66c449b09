"""Do pupils, half-days and schools alike as weights give answers further apart than chance puts them?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from belonging_research.errors import EstimateError
from belonging_research.estimators.staggered.allocation import allocations, stratum_of
from belonging_research.estimators.staggered.cells import (
    ClusterSums,
    Comparison,
    cells_of,
    cluster_adoption,
    overall_values,
)
from belonging_research.estimators.staggered.conversion import Ints
from belonging_research.estimators.staggered.detecting import without_effect
from belonging_research.estimators.staggered.history import study_of_starts
from belonging_research.estimators.staggered.randomisation import constant_effect, treated_sums
from belonging_research.estimators.weights import Floats
from belonging_research.panel.schools import WEIGHTINGS, SchoolPanel, Weighting


def overall_value(
    panel: SchoolPanel,
    *,
    comparison: Comparison = "not_yet_treated",
    anticipation: int = 0,
    history: bool = False,
) -> float:
    """The overall effect that :func:`estimate_schools` judges, alone, in the outcome's unit.

    Raises :class:`EstimateError` where starts differ within a pyramid or nothing can be compared.
    """
    study = study_of_starts(panel, weights="pupils", anticipation=anticipation, history=history)
    cells = cells_of(study, anticipation=anticipation, universal=True, only_post=True)
    if not cells:
        raise EstimateError(f"{panel.outcome}: no half-term after a start has a school that had not started")
    return constant_effect(study, cells, comparison=comparison, anticipation=anticipation)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightingsApart:
    """Overall effects by weighting, in the outcome's unit, and how often chance alone puts them as far apart.

    ``p_value``: share of allocations, the real one among them, whose largest less smallest is at least the real one's,
    of outcomes less the effect that weighing pupils gives.
    """

    values: Mapping[Weighting, float]
    p_value: float

    @property
    def apart(self) -> float:
        """Largest less smallest."""
        return max(self.values.values()) - min(self.values.values())

    @property
    def one_direction(self) -> bool:
        """Whether all are on the same side of none."""
        return min(self.values.values()) > 0 or max(self.values.values()) < 0


def weightings_apart(
    panel: SchoolPanel,
    *,
    rng: np.random.Generator,
    comparison: Comparison = "not_yet_treated",
    anticipation: int = 0,
    history: bool = False,
    draws: int = 999,
) -> WeightingsApart:
    """Overall effects of a panel by each of :data:`panel.schools.WEIGHTINGS`, judged by the recorded allocation.

    Under one effect for every school the outcomes without it are known, and which allocation was the real one bears on
    nothing that is left, the distance between weightings among it (Fisher's sharp null). Raises
    :class:`EstimateError` as :func:`estimate_schools`.
    """
    studies = [study_of_starts(panel, weights=way, anticipation=anticipation, history=history) for way in WEIGHTINGS]
    adoption = cluster_adoption(studies[0])
    found = allocations(adoption, stratum_of(studies[0], panel), draws=draws, rng=rng)
    rows = np.vstack([adoption[None], found.others])
    cells = cells_of(studies[0], anticipation=anticipation, universal=True, only_post=True)

    def overall(sums: ClusterSums, among: Ints) -> Floats:
        return overall_values(sums, among, cells, comparison=comparison, anticipation=anticipation)

    one = studies[WEIGHTINGS.index("pupils")]
    effect = constant_effect(one, cells, comparison=comparison, anticipation=anticipation)
    left = np.stack([overall(without_effect(study, effect), rows) for study in studies])
    apart = left.max(axis=0) - left.min(axis=0)
    slopes = [float(overall(treated_sums(study, adoption), rows[:1])[0]) for study in studies]
    return WeightingsApart(
        values={
            way: effect + float(each[0]) / slope for way, each, slope in zip(WEIGHTINGS, left, slopes, strict=True)
        },
        p_value=float(np.count_nonzero(apart >= apart[0] * (1 - 1e-9)) / len(apart)),
    )
