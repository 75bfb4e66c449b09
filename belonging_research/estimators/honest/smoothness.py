"""Trends whose gap bends by at most so much a period, Delta^SD."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq, lsq_linear
from scipy.special import ndtr, ndtri

from belonging_research.estimators.honest.study import (
    TINY,
    EventStudy,
    Floats,
    breakdown_of,
    checked_alpha,
    checked_bound,
    checked_study,
    effect_variance,
)


def smoothness_interval(
    betahat: Floats, sigma: Floats, n_pre: int, *, m: float, weights: Floats | None = None, level: float = 0.95
) -> tuple[float, float]:
    """(low, high) for the effect when the trends' gap bends by at most ``m`` a period, Delta^SD(m).

    The shortest interval of fixed length around a linear estimator (the paper's FLCI); m = 0 extends the
    straight line through the periods before. All in the outcome's unit, ``m`` in that a period squared.
    ``betahat``: (n_pre + n_post,), consecutive periods in order of time without the reference, which is the
    last before treatment; ``sigma``: their covariance; ``weights``: (n_post,), the effect as a combination
    of the periods after (the first of them if not given).

    Intervals of larger m are longer, yet need not contain those of smaller m: the estimator itself moves.

    Raises :class:`EstimateError` for no coefficient before or after, a shape that does not fit, a gap, a
    covariance that is none, a bound below 0, a level outside (0, 1).
    """
    study = checked_study(betahat, sigma, n_pre, weights)
    return _smoothness(study, checked_bound(m, "m"), checked_alpha(level))


def breakdown_smoothness(
    betahat: Floats, sigma: Floats, n_pre: int, *, weights: Floats | None = None, level: float = 0.95
) -> float | None:
    """The m up to which :func:`smoothness_interval` excludes 0; None where it does not at m = 0 already.

    The first m at which 0 enters, looked for in steps of a quarter, then by Brent's method to five digits. In the
    outcome's unit a period squared. Arguments and errors as there.
    """
    study, alpha = checked_study(betahat, sigma, n_pre, weights), checked_alpha(level)
    # A bend much below the effect's own standard error cannot show, so the search starts there.
    start = math.sqrt(effect_variance(study)) / 64
    return breakdown_of(lambda bound: _smoothness(study, bound, alpha), start)


def _smoothness(study: EventStudy, m: float, alpha: float) -> tuple[float, float]:
    """The interval of least half-length over estimators whose worst bias is finite.

    Such an estimator, l'beta_post + w'beta_pre, gives 0 for any straight line. Its worst bias is m times the
    sum of |its value on a bend at k|, one for each period k that has neighbours on both sides. Bends after
    the reference see l only; x, the values on bends before, is free, and w follows from x.
    """
    n_pre, weights = study.n_pre, study.weights
    # In units of the effect's standard error, so that no tolerance depends on the outcome's unit.
    unit = math.sqrt(effect_variance(study))
    sigma, m = study.sigma / unit**2, m / unit
    after, before = np.arange(1.0, len(weights) + 1), np.arange(-float(n_pre), 0.0)
    fixed_bias = sum(abs(float(weights @ np.maximum(after - k, 0.0))) for k in range(len(weights)))
    bends = np.maximum(np.arange(-float(n_pre - 1), 0.0)[:, None] - before, 0.0)
    to_weights = np.linalg.inv(np.vstack([before, bends]))
    start = np.concatenate([to_weights[:, 0] * -(weights @ after), weights])
    moves = np.vstack([to_weights[:, 1:], np.zeros((len(weights), n_pre - 1))])
    constant = float(start @ sigma @ start)
    bend = _solve_frontier(moves.T @ sigma @ moves, -moves.T @ sigma @ start, constant, fixed_bias, m, alpha)
    estimator = start + moves @ bend
    spread = math.sqrt(max(float(estimator @ sigma @ estimator), TINY))
    reach = unit * spread * _folded_quantile(m * (fixed_bias + float(np.abs(bend).sum())) / spread, alpha)
    centre = float(estimator @ study.betahat)
    return centre - reach, centre + reach


def _solve_frontier(quadratic: Floats, linear: Floats, constant: float, bias: float, m: float, alpha: float) -> Floats:
    """The x that minimises the half-length, given variance x'Qx - 2c'x + constant and bias m (bias + |x|_1).

    The half-length is convex and rises in both, so the best x minimises x'Qx/2 - c'x + price |x|_1 for the
    price at which both agree on how bias and spread trade. That lasso's dual is least squares in a box, which
    an active-set method solves exactly; the price is the root of one monotone condition.
    """
    if not len(linear):
        return linear
    # A direction without variance (a coefficient known exactly) needs a floor to be invertible.
    quadratic = quadratic + np.eye(len(linear)) * (1e-14 * float(np.trace(quadratic)) + TINY)
    root = np.linalg.cholesky(quadratic)
    whitened, target = np.linalg.inv(root), np.linalg.solve(root, linear)

    def at(price: float) -> Floats:
        if price == 0:
            best: Floats = whitened.T @ target
            return best
        # Exact after finitely many exchanges; the library's own limit, one a variable, may be too few.
        limit = 100 * len(target)
        box = lsq_linear(whitened * price, target, bounds=(-1.0, 1.0), method="bvls", tol=1e-15, max_iter=limit).x
        found: Floats = whitened.T @ (target - whitened @ box * price)
        return found

    def excess(price: float) -> float:
        x = at(price)
        spread = math.sqrt(max(float(x @ quadratic @ x - 2 * linear @ x) + constant, TINY))
        ratio = m * (bias + float(np.abs(x).sum())) / spread
        critical = _folded_quantile(ratio, alpha)
        slope = math.tanh(critical * ratio)
        return m * spread * slope / (critical - ratio * slope) - price

    highest = float(np.abs(linear).max())
    if m == 0 or highest == 0:
        return at(0.0)
    if excess(highest) >= 0:
        return np.zeros_like(linear)
    return at(brentq(excess, 0.0, highest, xtol=1e-15 * highest, rtol=1e-14))


def _folded_quantile(shift: float, alpha: float) -> float:
    """The 1 - alpha quantile of |N(shift, 1)|, shift at least 0."""
    low, high = shift + float(ndtri(1 - alpha)), shift + float(ndtri(1 - alpha / 2))
    if shift > 20:  # the other tail is below rounding
        return low
    # One of the two ends may be the root itself, hence the margin.
    low, high = max(low, 0.0) - 1e-9, high + 1e-9
    return float(brentq(lambda c: ndtr(shift - c) + ndtr(-c - shift) - alpha, low, high, xtol=1e-14))
