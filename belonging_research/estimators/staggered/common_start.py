"""Where all starters started together: the wild cluster bootstrap beside randomisation."""

from __future__ import annotations

import numpy as np

from belonging_research.errors import EstimateError
from belonging_research.estimators.few_treated import wild_cluster_bootstrap_p
from belonging_research.estimators.staggered.cells import cluster_adoption, cluster_sums
from belonging_research.estimators.staggered.conversion import NEVER, staggered
from belonging_research.panel.schools import SchoolPanel, Weighting


def common_start_bootstrap_p(
    panel: SchoolPanel, *, rng: np.random.Generator, weights: Weighting = "pupils", draws: int = 9999
) -> float:
    """P-value of the restricted wild cluster bootstrap (:func:`few_treated.wild_cluster_bootstrap_p`), by pyramid.

    A check, for one common start only: pyramids' weighted means, before and after it, pyramids counting alike. With
    several starts the two-way coefficient that it tests is no mean of effects, and randomisation over the recorded
    allocation is the way. Raises :class:`EstimateError` for that, blocks, gaps, or starts that part within a pyramid.
    """
    study = staggered(panel, weights=weights)
    if len(study.cohorts) > 1:
        raise EstimateError(
            f"{panel.outcome}: schools start at {len(study.cohorts)} different half-terms, for which this bootstrap "
            "is not made; use estimate_schools (randomisation over the recorded allocation)"
        )
    if len(study.blocks) > 1 or not study.open.all():
        raise EstimateError(f"{panel.outcome}: this bootstrap is for one block with figures in every half-term")
    sums, adoption = cluster_sums(study), cluster_adoption(study)
    means = sums.outcomes[:, 0, :] / sums.weights
    return wild_cluster_bootstrap_p(means, int(study.cohorts[0]), adoption < NEVER, rng=rng, draws=draws)
