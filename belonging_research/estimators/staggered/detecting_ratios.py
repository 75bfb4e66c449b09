"""The ratio of events that randomisation over the recorded allocation would notice, as :mod:`detecting` for effects.

Each of some allocations is taken for the real one and the others judge it. A constant ratio in its schools since their
starts is noticed exactly where its inverse is a ratio that the outcomes as they are reject (Fisher's sharp null), so
that each allocation needs its own interval and nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from belonging_research.errors import EstimateError
from belonging_research.estimators.staggered.allocation import allocations, stratum_of
from belonging_research.estimators.staggered.cells import cluster_adoption
from belonging_research.estimators.staggered.conversion import Ints, Staggered, staggered
from belonging_research.estimators.staggered.counts import Scores, events_and_exposure
from belonging_research.estimators.staggered.detecting import drawn_rows, false_start, moved_starts
from belonging_research.estimators.weights import Floats
from belonging_research.panel.schools import SchoolPanel

_JUDGES = 199
_WITHIN = 1e-3  # of a log ratio: a tenth of one in a hundred


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioPlacebos:
    """What R allocations in the real one's place show, in log ratios: ``values``, and where each interval ends."""

    values: Floats
    lows: Floats
    highs: Floats

    def power(self, log_ratio: float) -> float:
        """Share in which ``log_ratio`` would be noticed, the smaller of its two signs."""
        size = abs(log_ratio)
        return float(min((size > -self.lows).mean(), (size > self.highs).mean()))

    def detectable(self, *, power: float = 0.8) -> float:
        """The smallest log ratio that is noticed with this ``power``, both signs.

        Raises :class:`EstimateError` where none is, however large.
        """
        ends = (np.quantile(each, power, method="inverted_cdf") for each in (-self.lows, self.highs))
        found = float(max(0.0, *ends))
        if not np.isfinite(found):
            raise EstimateError(f"no ratio, however large, would be noticed {power:.0%} of the time")
        return found

    def type_m(self, log_ratio: float) -> float | None:
        """Mean size of the noticed estimates over the true one (Gelman & Carlin 2014); None where none is noticed."""
        size = abs(log_ratio)
        up, down = self.values + size, self.values - size
        noticed = np.abs(np.concatenate([up[size > -self.lows], down[size > self.highs]]))
        return float(noticed.mean() / size) if len(noticed) and size else None


def promised_ratios(
    panel: SchoolPanel, *, alpha: float, rng: np.random.Generator, count: int, anticipation: int = 0
) -> tuple[RatioPlacebos | None, str]:
    """``count`` placebos of false starts before any school started, judged at ``alpha``, and how they were made.

    None, and why in words, where the half-terms before the first start are too few or no ratio can be judged there.
    """
    study = staggered(panel, weights="schools", anticipation=anticipation)
    moved = false_start(study, anticipation=anticipation)
    if moved is None:
        return None, "too few half-terms before the first start for a false start, so what was promised is not known"
    early, back = moved
    rows = moved_starts(_rows(study, panel, rng), cluster_adoption(study), cluster_adoption(early))
    events, exposure = (each[:, : early.values.shape[1]] for each in events_and_exposure(panel, study))
    how = (
        f"starts moved back by {back} half-terms into the time before any school started, allocated anew to pyramids "
        f"{min(count, len(rows))} times and judged by {len(rows) - 1} other allocations; the ratio that carries 80% of "
        "these past the critical value, both signs"
    )
    return _placebos(study, events, exposure, rows, count, alpha), how


def realised_ratios(
    panel: SchoolPanel, log_ratio: float, *, alpha: float, rng: np.random.Generator, count: int, anticipation: int = 0
) -> RatioPlacebos:
    """``count`` placebos of the real half-terms, the estimated ``log_ratio`` taken out of the events."""
    study = staggered(panel, weights="schools", anticipation=anticipation)
    events, exposure = events_and_exposure(panel, study)
    started = np.arange(events.shape[1]) >= study.adoption[:, None]
    rows = _rows(study, panel, rng)
    return _placebos(study, events * np.exp(-log_ratio * started), exposure, rows, count, alpha)


def _rows(study: Staggered, panel: SchoolPanel, rng: np.random.Generator) -> Ints:
    """The real allocation (1, C) and some that the same draw could have given."""
    adoption = cluster_adoption(study)
    others = allocations(adoption, stratum_of(study, panel), draws=_JUDGES, rng=rng).others
    return np.vstack([adoption[None], drawn_rows(others, _JUDGES, rng)])


def _placebos(
    study: Staggered, events: Floats, exposure: Floats, rows: Ints, count: int, alpha: float
) -> RatioPlacebos:
    has_any = events.sum(axis=1) > 0
    found = []
    for at in range(min(count, len(rows))):
        order = np.array([at, *(n for n in range(len(rows)) if n != at)])
        scores = Scores(events[has_any], exposure[has_any], study.cluster[has_any], len(study.clusters), rows[order])
        found.append(_judged(scores, alpha))
    values, lows, highs = (np.array(each) for each in zip(*found, strict=True))
    return RatioPlacebos(values=values, lows=lows, highs=highs)


def _judged(scores: Scores, alpha: float) -> tuple[float, float, float]:
    """The ratio that balances an allocation's events and where its interval ends; without one it notices nothing."""
    try:
        middle = scores.balanced()
    except EstimateError:
        return np.nan, -np.inf, np.inf
    low, high = (scores.end(middle, sign, alpha, within=_WITHIN) for sign in (-1, 1))
    return middle, low, high
