"""What group-time effects come out as: cells, summaries and the path, and when their analytic errors may be used."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import norm
from scipy.stats import t as student_t

from belonging_research.errors import EstimateError
from belonging_research.estimators.placebo import alpha_of
from belonging_research.estimators.staggered.cells import Comparison
from belonging_research.estimators.weights import Floats
from belonging_research.panel.schools import LeftOut, Weighting

FEWEST_CLUSTERS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One effect in the outcome's unit with its analytic, clustered error."""

    label: str
    value: float
    std_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CellEffect:
    """A group-time effect: cohort ``group`` at half-term ``time``, by their labels, and how many are compared."""

    group: str
    time: str
    event_time: int
    value: float
    std_error: float
    n_treated: int
    n_comparison: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported:
    """A cohort and half-term without an effect, and why."""

    group: str
    time: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEffect:
    """The mean effect so many half-terms after the start; ``low`` and ``high`` of the simultaneous band.

    The reference event time has value 0 and no error where the base is universal. ``n_started`` schools are compared
    with ``n_beside``, each counted once.
    """

    event_time: int
    value: float
    std_error: float
    low: float
    high: float
    n_started: int
    n_beside: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTimeEffects:
    """Effects of staggered starts, in the outcome's unit, and what they are of (``estimand``).

    ``overall``: mean of all cells from the start on by those treated ("simple"); ``group``: of cohorts' means;
    ``dynamic``: of event times' means; ``calendar``: of half-terms' means; ``by_cohort``, ``by_calendar``, ``path``
    are their parts. ``event_covariance`` (E, E) is of ``path`` without its reference. ``unsupported`` names every
    cohort and half-term that has no effect, ``left_out`` counts units that are in none.
    """

    outcome: str
    estimand: str
    comparison: Comparison
    anticipation: int
    weights: Weighting
    covariates: tuple[str, ...]
    overall: Effect
    group: Effect
    dynamic: Effect
    calendar: Effect
    cells: tuple[CellEffect, ...]
    by_cohort: tuple[Effect, ...]
    by_calendar: tuple[Effect, ...]
    path: tuple[EventEffect, ...]
    event_covariance: Floats
    critical: float
    unsupported: tuple[Unsupported, ...]
    left_out: tuple[LeftOut, ...]
    n_units: int
    n_treated: int
    n_clusters: int
    n_treated_clusters: int
    n_comparison_clusters: int
    notes: tuple[str, ...]

    def analytic(self, effect: Effect, level: float = 0.95) -> tuple[float, tuple[float, float]]:
        """P-value and interval by the cluster-robust error, t with C - 1 degrees (normal where units stand alone).

        Raises :class:`EstimateError` with fewer than 10 treated or 10 comparison clusters: such errors then find
        effects where there are none; randomisation inference (:func:`estimate_schools`) does not.
        """
        if not 0 < level < 1:
            raise EstimateError(f"level {level:g}: expected a share between 0 and 1, such as 0.95")
        if min(self.n_treated_clusters, self.n_comparison_clusters) < FEWEST_CLUSTERS:
            raise EstimateError(
                f"cluster-robust inference with {self.n_treated_clusters} treated and {self.n_comparison_clusters} "
                f"comparison clusters: it needs at least {FEWEST_CLUSTERS} of each; use randomisation inference over "
                "the recorded allocation"
            )
        if not effect.std_error > 0:
            raise EstimateError("the effect has no error to judge it by; is the outcome constant?")
        alone = self.n_clusters == self.n_units
        spread = norm if alone else student_t(self.n_clusters - 1)
        reach = float(spread.isf(alpha_of(level) / 2)) * effect.std_error
        p_value = 2 * float(spread.sf(abs(effect.value / effect.std_error)))
        return p_value, (effect.value - reach, effect.value + reach)
