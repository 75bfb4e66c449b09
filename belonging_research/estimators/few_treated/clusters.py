"""Inference clustered by unit: right with many treated units, refused with few."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student_t

from belonging_research.errors import EstimateError
from belonging_research.estimators.few_treated.panels import SAME, changes, check_draws, check_panel, difference
from belonging_research.estimators.placebo import alpha_of
from belonging_research.estimators.weights import Bools, Floats

FEWEST_TREATED = 20
_MOST_SIGN_VECTORS = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRobustEffect:
    """The two-way fixed-effects coefficient with its cluster-robust error, in the outcomes' unit.

    ``degrees``: of freedom of the t distribution, clusters less 1.
    """

    effect: float
    std_error: float
    p_value: float
    degrees: int
    n_treated: int
    n_controls: int

    def interval(self, level: float) -> tuple[float, float]:
        """The t-interval, (low, high). Raises :class:`EstimateError` for a level that is not between 0 and 1."""
        if not 0 < level < 1:
            raise EstimateError(f"level {level:g}: expected a share between 0 and 1, such as 0.95")
        reach = float(student_t.isf(alpha_of(level) / 2, self.degrees)) * self.std_error
        return self.effect - reach, self.effect + reach


def cluster_robust(
    outcomes: Floats, n_pre: int, treated: Bools, *, fewest: int = FEWEST_TREATED
) -> ClusterRobustEffect:
    """Two-way fixed-effects difference-in-differences, errors clustered by unit (CRV1), t with n - 1 degrees.

    CRV1 is Liang & Zeger's (1986) sandwich times n/(n - 1) x (N - 1)/(N - K), N = n T, K = T + 1: the unit effects,
    nested in the clusters, are not counted (as Stata's xtreg and pyfixest do).

    Refused with fewer than ``fewest`` treated or untreated units: with one treated unit it rejects a true null about 8
    times in 10 (Conley & Taber 2011; MacKinnon & Webb 2017; :func:`size_table`).

    ``outcomes``: (n, T); ``treated``: (n,). Raises :class:`EstimateError` for that, wrong shapes, gaps, no period on
    either side, or no spread of changes within the two groups.
    """
    check_panel(outcomes, n_pre, treated)
    n_treated, n_controls = int(treated.sum()), int((~treated).sum())
    if min(n_treated, n_controls) < fewest:
        raise EstimateError(
            f"cluster-robust inference with {n_treated} treated and {n_controls} untreated unit(s): it needs at least "
            f"{fewest} of each, and with fewer finds effects where there are none; use placebo inference (Ferman & "
            "Pinto, or Conley & Taber)"
        )
    change = changes(outcomes, n_pre)
    error = cluster_error(outcomes, change, treated)
    effect, degrees = difference(change, treated), len(outcomes) - 1
    return ClusterRobustEffect(
        effect=effect,
        std_error=error,
        p_value=float(two_sided_p(np.array(effect / error), degrees)),
        degrees=degrees,
        n_treated=n_treated,
        n_controls=n_controls,
    )


def unguarded_cluster_p(outcomes: Floats, n_pre: int, treated: Bools) -> float:
    """The cluster-robust p-value without the refusal: to show how wrong it is with few treated, never to report.

    Raises :class:`EstimateError` as :func:`cluster_robust`, but for the number of units.
    """
    check_panel(outcomes, n_pre, treated)
    change = changes(outcomes, n_pre)
    error = cluster_error(outcomes, change, treated)
    return float(two_sided_p(np.array(difference(change, treated) / error), len(outcomes) - 1))


def wild_cluster_bootstrap_p(
    outcomes: Floats, n_pre: int, treated: Bools, *, rng: np.random.Generator, draws: int = 9999
) -> float:
    """P-value of the restricted wild cluster bootstrap-t, Rademacher signs by unit (Cameron, Gelbach & Miller 2008).

    Residuals of the regression without the effect keep or change their sign, a unit at a time; the p-value is the
    share of these worlds whose |t| (CRV1) reaches the real one. Up to 2^16 sign vectors (16 units) each counts once,
    the real one among them, so p is at least 2/2^n and ``rng`` is not used; beyond that p = (1 + as extreme)/(1 +
    ``draws``). Ties count against a finding, and so do worlds without any spread.

    Not a way around the refusal of :func:`cluster_robust`: with one or two treated units it hardly ever rejects a true
    null, and so misses effects that placebo groups notice (MacKinnon & Webb 2017).

    ``outcomes``: (n, T); ``treated``: (n,). Raises :class:`EstimateError` as :func:`unguarded_cluster_p`, and for
    fewer than 1 draw.
    """
    check_panel(outcomes, n_pre, treated)
    check_draws(draws)
    change = changes(outcomes, n_pre)
    cluster_error(outcomes, change, treated)  # refuses where the real t has no denominator
    residual = change - change.mean()
    n = len(residual)
    exact = 2**n <= _MOST_SIGN_VECTORS
    # Turning every sign gives the same |t|, so the first unit may keep its own.
    signs = np.column_stack([np.ones(2 ** (n - 1)), _sign_vectors(n - 1)]) if exact else _drawn_signs(draws, n, rng)
    effects, variances = _effects_and_variances(signs * residual, treated)
    effect, variance = (each[0] for each in _effects_and_variances(residual[None, :], treated))
    # Products instead of ratios, so that a world without spread is a tie, not a division by 0.
    extreme = np.count_nonzero(effects**2 * variance >= effect**2 * variances * (1 - 1e-9))
    return float(extreme / len(signs) if exact else (1 + extreme) / (1 + draws))


def cluster_error(outcomes: Floats, change: Floats, treated: Bools) -> float:
    """The CRV1 error of the coefficient, from the (n,) changes of the (n, T) outcomes; refused where only rounding.

    What the sandwich comes to with one start and no gaps: the regression fits each group's mean change, so a unit's
    score is its change about its own group's mean.
    """
    variance = float(_effects_and_variances(change[None, :], treated)[1][0])
    if variance <= (SAME * float(np.abs(outcomes).max())) ** 2:
        raise EstimateError(
            "all treated units change alike and all untreated units change alike, so nothing shows how far chance "
            "moves them; is the outcome constant?"
        )
    n, rows = len(change), outcomes.size
    return math.sqrt(variance * n / (n - 1) * (rows - 1) / (rows - outcomes.shape[1] - 1))


def _effects_and_variances(changes: Floats, treated: Bools) -> tuple[Floats, Floats]:
    """Effect and sandwich variance (no small-sample factor) of each row of changes, (d, n) to (d,) each."""
    effects, variances = np.zeros(len(changes)), np.zeros(len(changes))
    for sign, group in ((1.0, changes[:, treated]), (-1.0, changes[:, ~treated])):
        mean = group.mean(axis=1)
        effects += sign * mean
        variances += ((group - mean[:, None]) ** 2).sum(axis=1) / group.shape[1] ** 2
    return effects, variances


def two_sided_p(t_values: Floats, degrees: int) -> Floats:
    """P-values of t statistics of any shape, by the t distribution with that many ``degrees``, same shape."""
    p_values: Floats = 2 * student_t.sf(np.abs(t_values), degrees)
    return p_values


def _sign_vectors(n: int) -> Floats:
    """Every vector of n signs, (2^n, n)."""
    bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    return np.asarray(1.0 - 2.0 * bits, dtype=np.float64)


def _drawn_signs(draws: int, n: int, rng: np.random.Generator) -> Floats:
    return np.asarray(1.0 - 2.0 * rng.integers(0, 2, size=(draws, n)), dtype=np.float64)
