"""The effect that randomisation over the recorded allocation would notice, from allocations in the real one's place.

Each of some allocations is taken for the real one, an effect is added to the outcomes where it says so, and the others
judge it: no normal curve, no power from the estimate. Before outcomes are read this is done with starts moved back
into the time before any start (false start).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from belonging_research.errors import EstimateError
from belonging_research.estimators.staggered.cells import (
    ClusterSums,
    Comparison,
    cells_of,
    cluster_sums,
    error_factor,
)
from belonging_research.estimators.staggered.conversion import NEVER, Ints, Staggered
from belonging_research.estimators.staggered.history import with_history
from belonging_research.estimators.staggered.randomisation import (
    LEAST_LEFT,
    Randomisation,
    linear,
    overall_under,
    treated_sums,
)
from belonging_research.estimators.weights import Bools, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Placebos:
    """What R allocations in the real one's place show: each beside the others that judge it."""

    judged: tuple[Randomisation, ...]

    @property
    def values(self) -> Floats:
        """(R,) overall effects."""
        return np.array([each.value for each in self.judged])

    @property
    def errors(self) -> Floats:
        """(R,) their clustered errors."""
        return np.array([each.std_error for each in self.judged])

    def _noticed(self, effect: float, alpha: float) -> Bools:
        """(R,) whether each placebo with ``effect`` added has p <= ``alpha``."""
        # The placebo's outcomes plus the effect are those less minus the effect.
        return np.array([each.p_value(-effect) <= alpha for each in self.judged])

    def power(self, effect: float, alpha: float) -> float:
        """Share noticed with ``effect`` added, the smaller of its two signs."""
        return float(min(self._noticed(sign * effect, alpha).mean() for sign in (1, -1)))

    def detectable(self, alpha: float, *, power: float = 0.8) -> float:
        """The smallest effect that is noticed with this ``power``, both signs, to 1 in 100.

        Raises :class:`EstimateError` where no effect is, however large.
        """
        low, high = 0.0, float(np.median(self.errors))
        while self.power(high, alpha) < power:
            low, high = high, 2 * high
            if high > 1e3 * float(np.median(self.errors)):
                raise EstimateError(f"no effect, however large, would be noticed at {alpha:g} {power:.0%} of the time")
        while high - low > 0.01 * high:
            middle = (low + high) / 2
            low, high = (middle, high) if self.power(middle, alpha) < power else (low, middle)
        return high

    def type_m(self, effect: float, alpha: float) -> float | None:
        """Mean size of the noticed estimates over the true ``effect`` (Gelman & Carlin 2014); None where none is."""
        sizes = [np.abs(self.values + sign * effect)[self._noticed(sign * effect, alpha)] for sign in (1, -1)]
        noticed = np.concatenate(sizes)
        return float(noticed.mean() / abs(effect)) if len(noticed) and effect else None


def placebos(
    study: Staggered, sums: ClusterSums, rows: Ints, count: int, *, comparison: Comparison, anticipation: int
) -> Placebos:
    """The first ``count`` of ``rows`` (B, C), permutations of the same starts, each as if real and judged by the rest.

    Raises :class:`EstimateError` where no half-term after a start has a comparison.
    """
    cells = cells_of(study, anticipation=anticipation, universal=True, only_post=True)
    if not cells:
        raise EstimateError("no half-term after a start has a comparison, so no placebo can be judged")
    outcomes = overall_under(sums, rows, cells, comparison=comparison, anticipation=anticipation)
    judged = []
    for at, adoption in enumerate(rows[:count]):
        shift = treated_sums(study, adoption)
        along = overall_under(shift, rows, cells, comparison=comparison, anticipation=anticipation)
        found = linear(outcomes, along, error_factor(study))
        if not found.slope[at] > LEAST_LEFT:  # history would tell who started, had it been these
            continue
        others = found.rows((rows != adoption).any(axis=1))
        judged.append(Randomisation(own=found.rows(np.arange(len(rows)) == at), reference=others))
    if not judged:
        raise EstimateError("what schools were like before tells who started under every allocation that was tried")
    return Placebos(judged=tuple(judged))


def false_start(study: Staggered, *, anticipation: int) -> tuple[Staggered, int] | None:
    """The half-terms before any start, starts moved back into them, and how many half-terms stand after the first.

    By as many half-terms as the panel has since the first start, or as fit. None where fewer than 2 + anticipation
    half-terms lie before it.
    """
    first = int(study.cohorts[0])
    back = min(study.last - first, first - 1 - anticipation)
    if back < 1:
        return None
    moved = np.where(study.adoption < NEVER, study.adoption - back, NEVER)
    moved = np.where(moved >= first, NEVER, moved)
    never = bool((moved == NEVER).any())
    early = replace(
        study,
        values=study.values[:, :first],
        open=study.open[:, :first],
        adoption=moved,
        periods=study.periods[:first],
        last=first if never else int(moved.max()) - anticipation,
    )
    return with_history(early, anticipation=anticipation) if study.history.size else early, back


def without_effect(study: Staggered, effect: float) -> ClusterSums:
    """Sums of the outcomes less a constant effect wherever a unit has started."""
    started = np.arange(study.values.shape[1]) >= study.adoption[:, None]
    return cluster_sums(study, study.values - effect * (started & study.open[study.block]))


def drawn_rows(rows: Ints, count: int, rng: np.random.Generator) -> Ints:
    """``count`` different rows by chance, all where there are no more."""
    if len(rows) <= count:
        return rows
    chosen: Ints = rows[np.sort(rng.choice(len(rows), size=count, replace=False))]
    return chosen


def moved_starts(rows: Ints, real: Sequence[int] | Ints, moved: Sequence[int] | Ints) -> Ints:
    """Allocations (B, C) of ``real`` starts with each start replaced by what it ``moved`` to."""
    place = dict(zip(map(int, real), map(int, moved), strict=True))
    starts, codes = np.unique(rows, return_inverse=True)
    found: Ints = np.array([place[int(each)] for each in starts], dtype=np.int64)[codes].reshape(rows.shape)
    return found
