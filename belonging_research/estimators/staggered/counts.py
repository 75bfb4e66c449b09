"""Counts of suspensions and exclusions: a ratio with exposure and fixed effects, judged by the recorded allocation.

The estimate is the fixed-effects Poisson coefficient, consistent whatever the counts' distribution as long as their
mean is right (Wooldridge 1999). Its p-value and interval do not rest on it: with counts as uneven as suspensions,
cluster-robust errors reject too often, so the score of the ratio is judged by permuting starts of pyramids.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyfixest
from scipy.optimize import brentq

from belonging_research.errors import EstimateError
from belonging_research.estimators.exact import ExactRatio, exact_ratio
from belonging_research.estimators.placebo import alpha_of
from belonging_research.estimators.staggered.allocation import allocations, refuse_too_few, stratum_of
from belonging_research.estimators.staggered.cells import cluster_adoption
from belonging_research.estimators.staggered.conversion import Ints, Staggered, staggered
from belonging_research.estimators.weights import Bools, Floats
from belonging_research.panel.schools import SchoolPanel

_FURTHEST = 5.0  # log ratios beyond which no interval is sought: 148 times as many
_SETTLED, _STEPS = 1e-10, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioEffect:
    """How many times as many events there are since a start: ``log_ratio``, natural, and what it rests on.

    ``std_error``: cluster-robust, shown beside ``p_value`` and ``intervals`` (by level) of the randomisation, which
    decide; ``interval`` is that at ``level``. ``n_without_events``: units that never had one, which a fixed-effects
    Poisson leaves out, of ``n_units``; ``n_treated`` start while others have not.
    """

    outcome: str
    log_ratio: float
    std_error: float
    p_value: float
    level: float
    intervals: Mapping[float, tuple[float, float]]
    n_reference: int
    n_units: int
    n_treated: int
    n_without_events: int
    n_events: int

    @property
    def interval(self) -> tuple[float, float]:
        """Log ratios that are not rejected at 1 - ``level``."""
        return self.intervals[self.level]


def ratio_effect(
    panel: SchoolPanel,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    beside: Sequence[float] = (),
    anticipation: int = 0,
    draws: int = 1999,
) -> RatioEffect:
    """Ratio of events per exposure since a start, with school and half-term fixed effects; suspensions or pupils.

    ``panel`` holds events and their exposure (:func:`panel.schools.events_panel`); with pupils suspended once or more
    over pupils it is the any-suspension ratio. Fitted by pyfixest, offset log exposure. P-value and interval permute
    starts of pyramids within strata: under a constant ratio r the events without it are events / r since the start
    (Fisher's sharp null), whose score no allocation should single out. Levels ``beside`` have intervals by the same
    allocations, so that all nest and agree with the p-value.

    Raises :class:`EstimateError` as :func:`estimate_schools`, for values below 0, or where nobody has an event.
    """
    study = staggered(panel, weights="schools", anticipation=anticipation)
    adoption = cluster_adoption(study)
    found = allocations(adoption, stratum_of(study, panel), draws=draws, rng=rng)
    levels = sorted({level, *beside})
    refuse_too_few(found, alpha_of(levels[-1]))
    events, exposure = events_and_exposure(panel, study)
    has_any = events.sum(axis=1) > 0
    if not has_any.any():
        raise EstimateError(f"{panel.outcome}: no unit has an event; there is no ratio")
    coefficient, error = _poisson(study, events, exposure, has_any)
    cluster, clusters = study.cluster[has_any], len(study.clusters)
    scores = Scores(events[has_any], exposure[has_any], cluster, clusters, np.vstack([adoption[None], found.others]))
    return RatioEffect(
        outcome=panel.outcome,
        log_ratio=coefficient,
        std_error=error,
        p_value=scores.p_value(0.0),
        level=level,
        intervals={each: scores.interval(alpha_of(each)) for each in levels},
        n_reference=len(found.others),
        n_units=len(study.units),
        n_treated=int((study.adoption < study.last).sum()),
        n_without_events=int((~has_any).sum()),
        n_events=round(float(events.sum())),
    )


def ratio_value(panel: SchoolPanel, *, anticipation: int = 0) -> float:
    """The log ratio of :func:`ratio_effect` alone. Raises :class:`EstimateError` where it cannot be fitted."""
    study = staggered(panel, weights="schools", anticipation=anticipation)
    events, exposure = events_and_exposure(panel, study)
    return _poisson(study, events, exposure, events.sum(axis=1) > 0)[0]


def started_beside_others(panel: SchoolPanel, *, level: float = 0.95) -> ExactRatio:
    """Events since a start beside those of schools that had not started, in the same half-terms: a description.

    For permanent exclusions, of which there are too few for a verdict. Not adjusted for how schools differed before.
    Raises :class:`EstimateError` as :func:`exact_ratio`.
    """
    half = np.arange(len(panel.periods))
    adoption = np.array([len(half) if each is None else each for each in panel.adoption])
    started = half >= adoption[:, None]
    both = started.any(axis=0) & (~started).any(axis=0)
    events = tuple(round(float(panel.numerator[mask & both].sum())) for mask in (started, ~started))
    exposure = tuple(float(panel.denominator[mask & both].sum()) for mask in (started, ~started))
    return exact_ratio((events[0], events[1]), (exposure[0], exposure[1]), level=level)


def events_and_exposure(panel: SchoolPanel, study: Staggered) -> tuple[Floats, Floats]:
    """Events and exposure (n, T) of a study's units, to its last half-term with a comparison.

    Raises :class:`EstimateError` for an event count below 0 and where a half-term has no exposure.
    """
    at = np.searchsorted(panel.units, study.units)
    events, exposure = panel.numerator[at, : study.last], panel.denominator[at, : study.last]
    if (events < 0).any():
        raise EstimateError(f"{panel.outcome}: an event count is below 0")
    if ((events > 0) & (exposure <= 0)).any() or not study.open.all():
        raise EstimateError(
            f"{panel.outcome}: some half-terms have no exposure; a count needs the school days over which it fell"
        )
    return events, exposure


def _poisson(study: Staggered, events: Floats, exposure: Floats, has_any: Bools) -> tuple[float, float]:
    """Coefficient of having started and its cluster-robust error; all-zero units are left out beforehand, by name."""
    n, periods = events.shape
    started = np.arange(periods) >= study.adoption[:, None]
    # Of such pyfixest makes no error but an end of the process, or a ratio without bound.
    if has_any.sum() < 2 or not (events[started].any() and events[~started].any()):
        raise EstimateError("too few events on one side of the starts for a ratio: two units or more, on both sides")
    rows = pd.DataFrame(
        {
            "events": events.ravel(),
            "started": started.ravel().astype(float),
            "log_exposure": np.log(exposure).ravel(),
            "unit": np.repeat(np.arange(n), periods),
            "half": np.tile(np.arange(periods), n),
            "cluster": np.repeat(study.cluster, periods),
        }
    )[np.repeat(has_any, periods)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyfixest's own deprecations under pandas 3
        try:
            fitted: Any = pyfixest.fepois(
                "events ~ started | unit + half", rows, offset="log_exposure", vcov={"CRV1": "cluster"}
            )
            found = float(fitted.coef()["started"]), float(fitted.se()["started"])
        except (ValueError, RuntimeError, KeyError, np.linalg.LinAlgError) as refused:
            raise EstimateError(
                f"the Poisson ratio could not be fitted ({type(refused).__name__} in pyfixest); are there events on "
                "both sides of the starts?"
            ) from None
    if not abs(found[0]) <= _FURTHEST:
        raise EstimateError("too few events on one side of the starts for a ratio: it has no bound")
    return found


class Scores:
    """The score of the ratio under every allocation: its sum of residuals since the starts, over its clustered size.

    ``events`` and ``exposure`` (n, T) of units that have any event, ``cluster`` (n,) of ``clusters``; ``rows``
    (B + 1, clusters): allocations, the one that is taken for real first.
    """

    def __init__(self, events: Floats, exposure: Floats, cluster: Ints, clusters: int, rows: Ints) -> None:
        """Which half-terms are since a start, in each allocation."""
        self.events, self.exposure = events, exposure
        self.cluster, self.n_clusters = cluster, clusters
        self.real = np.arange(events.shape[1]) >= rows[0, cluster][:, None]
        self.started = np.minimum(rows, events.shape[1])

    def statistics(self, log_ratio: float) -> Floats:
        """Score over its clustered size under each allocation, the real one first, (B + 1,)."""
        adjusted = self.events * np.exp(-log_ratio * self.real)
        residual = adjusted - _fitted_means(adjusted, self.exposure)
        sums = np.zeros((self.n_clusters, residual.shape[1] + 1))
        np.add.at(sums[:, :-1], self.cluster, residual)
        since = np.cumsum(sums[:, ::-1], axis=1)[:, ::-1]  # (C, T + 1): residuals from a half-term on
        own = since[np.arange(self.n_clusters), self.started]
        size = np.sqrt((own**2).sum(axis=1))
        found: Floats = np.divide(own.sum(axis=1), size, out=np.zeros(len(own)), where=size > 0)
        return found

    def p_value(self, log_ratio: float) -> float:
        """Share of allocations, the real one among them, whose |score| reaches the real one's."""
        found = np.abs(self.statistics(log_ratio))
        return float(np.count_nonzero(found >= found[0] * (1 - 1e-9)) / len(found))

    def interval(self, alpha: float) -> tuple[float, float]:
        """Log ratios that are not rejected, around the one whose score is 0; 0 outside exactly when it is rejected."""
        middle = self.balanced()
        low, high = (self.end(middle, sign, alpha) for sign in (-1, 1))
        if self.p_value(0.0) > alpha:
            return min(low, 0.0), max(high, 0.0)
        return (max(low, np.nextafter(0, 1)), high) if middle > 0 else (low, min(high, np.nextafter(0, -1)))

    def balanced(self) -> float:
        """The log ratio that leaves the real allocation's score at 0."""

        def score(log_ratio: float) -> float:
            return float(self.statistics(log_ratio)[0])

        if score(-_FURTHEST) * score(_FURTHEST) >= 0:
            raise EstimateError(
                "no ratio between 1/148 and 148 balances the events; is there an event on both sides of the starts?"
            )
        return float(brentq(score, -_FURTHEST, _FURTHEST, xtol=1e-8))

    def end(self, middle: float, sign: int, alpha: float, *, within: float = 1e-5) -> float:
        """Where p first falls to alpha on one side of ``middle``, by bisection; infinite where it never does."""
        inner, step = middle, 0.05
        while self.p_value(inner + sign * step) > alpha:
            inner += sign * step
            step *= 1.5
            if abs(inner - middle) > _FURTHEST:
                return sign * float("inf")
        outer = inner + sign * step
        while abs(outer - inner) > within:
            half = (inner + outer) / 2
            inner, outer = (half, outer) if self.p_value(half) > alpha else (inner, half)
        return outer


def _fitted_means(events: Floats, exposure: Floats) -> Floats:
    """Poisson means with unit and half-term effects and no other: exposures scaled to both margins in turn."""
    means = exposure * (events.sum() / exposure.sum())
    rows, columns = events.sum(axis=1), events.sum(axis=0)
    for _ in range(_STEPS):
        means = means * (rows / means.sum(axis=1))[:, None]
        total = means.sum(axis=0)
        means = means * np.divide(columns, total, out=np.zeros_like(total), where=total > 0)
        if np.abs(means.sum(axis=1) - rows).max() <= _SETTLED * rows.max():
            break
    fitted: Floats = means
    return fitted
