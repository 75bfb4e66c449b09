"""How far trends may part before an effect is no longer seen: Rambachan & Roth (2023), "A More Credible
Approach to Parallel Trends", Review of Economic Studies 90(5).

An event study gives one coefficient a period, the last period before treatment being the reference (0). What
the treated group would have done untreated, delta, may part from the comparison: *smoothly*, its slope
changing by at most m a period, or *in relative size*, each step after treatment being at most m_bar times the
largest step before. The intervals hold the true effect with probability ``level`` whatever delta does within
that bound; the breakdown is the largest bound at which 0 stays outside.

Nothing here is simulated, and no grid of effects is searched: for these two restrictions the paper's programs
have solutions in closed form or by a root (see :func:`_solve_frontier`, :func:`_rivals`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, lsq_linear
from scipy.special import log_ndtr, ndtr, ndtri

from belonging_research.errors import EstimateError
from belonging_research.estimators.placebo import alpha_of

Floats = NDArray[np.float64]

_FIRST_STAGE = 0.1  # share of alpha that the hybrid test spends on its first stage, the paper's choice
_ANGLES = 4096  # of the plane, for the least favourable critical value, which they give to 6 digits or more
_SCAN, _ROUNDS = 33, 10  # each round keeps 1/32 of the range, so ten are 15 digits
_GROWTH, _GROWTHS = 1.25, 250  # of the bound, in search of the breakdown
_BITS, _FAR = 17, 1e9  # five digits: a bound on how far trends may part is read to one or two
_TINY = 1e-24  # a variance this small beside the largest is rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class _EventStudy:
    """Checked input. ``betahat`` (n,), ``sigma`` (n, n), ``weights`` over the n - n_pre periods after."""

    betahat: Floats
    sigma: Floats
    n_pre: int
    weights: Floats


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
    study = _checked(betahat, sigma, n_pre, weights)
    return _smoothness(study, _checked_bound(m, "m"), _checked_alpha(level))


def relative_magnitude_interval(
    betahat: Floats, sigma: Floats, n_pre: int, *, m_bar: float, weights: Floats | None = None, level: float = 0.95
) -> tuple[float, float]:
    """(low, high) for the effect when no step after exceeds ``m_bar`` times the largest before, Delta^RM(m_bar).

    The ends of the set that the conditional test with a least favourable first stage leaves (C-LF, Andrews,
    Roth & Pakes 2023; the paper's section 3), united over which step before was the largest and its sign. As
    in the authors' package, only conditions on steps after treatment enter the test; here that holds with
    one period after too. Arguments, unit and errors as in :func:`smoothness_interval`; ``m_bar`` is a ratio.
    """
    study = _checked(betahat, sigma, n_pre, weights)
    return _relative_magnitude(study, _checked_bound(m_bar, "m_bar"), _checked_alpha(level))


def breakdown_smoothness(
    betahat: Floats, sigma: Floats, n_pre: int, *, weights: Floats | None = None, level: float = 0.95
) -> float | None:
    """The m up to which :func:`smoothness_interval` excludes 0; None where it does not at m = 0 already.

    The first m at which 0 enters, looked for in steps of a quarter, then by Brent's method to five digits. In the
    outcome's unit a period squared. Arguments and errors as there.
    """
    study, alpha = _checked(betahat, sigma, n_pre, weights), _checked_alpha(level)
    # A bend much below the effect's own standard error cannot show, so the search starts there.
    start = math.sqrt(_effect_variance(study)) / 64
    return _breakdown(lambda bound: _smoothness(study, bound, alpha), start)


def breakdown_relative_magnitude(
    betahat: Floats, sigma: Floats, n_pre: int, *, weights: Floats | None = None, level: float = 0.95
) -> float | None:
    """The m_bar up to which :func:`relative_magnitude_interval` excludes 0; None where not at 0 already.

    Found as in :func:`breakdown_smoothness`. A ratio: 1 means that trends may part after treatment as fast as
    they ever did before.
    """
    study, alpha = _checked(betahat, sigma, n_pre, weights), _checked_alpha(level)
    return _breakdown(lambda bound: _relative_magnitude(study, bound, alpha), 1 / 64)


def _breakdown(interval: Callable[[float], tuple[float, float]], start: float) -> float | None:
    def clearance(bound: float) -> float:
        # How far 0 lies outside; an end at infinity must not make the search's secant one.
        low, high = interval(bound)
        return min(max(low, -high, -_FAR), _FAR)

    if clearance(0.0) <= 0:
        return None
    low, high = 0.0, start
    for _ in range(_GROWTHS):
        if clearance(high) <= 0:
            break
        low, high = high, high * _GROWTH
    else:
        return math.inf
    return float(brentq(clearance, low, high, xtol=2.0**-_BITS * high, rtol=2.0**-_BITS))


def _smoothness(study: _EventStudy, m: float, alpha: float) -> tuple[float, float]:
    """The interval of least half-length over estimators whose worst bias is finite.

    Such an estimator, l'beta_post + w'beta_pre, gives 0 for any straight line. Its worst bias is m times the
    sum of |its value on a bend at k|, one for each period k that has neighbours on both sides. Bends after
    the reference see l only; x, the values on bends before, is free, and w follows from x.
    """
    n_pre, weights = study.n_pre, study.weights
    # In units of the effect's standard error, so that no tolerance depends on the outcome's unit.
    unit = math.sqrt(_effect_variance(study))
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
    spread = math.sqrt(max(float(estimator @ sigma @ estimator), _TINY))
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
    quadratic = quadratic + np.eye(len(linear)) * (1e-14 * float(np.trace(quadratic)) + _TINY)
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
        spread = math.sqrt(max(float(x @ quadratic @ x - 2 * linear @ x) + constant, _TINY))
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rivals:
    """The test of "no larger than theta", one row for each (largest step before, its sign, side), k rows.

    Every statistic is linear in z (the effect's estimate, turned to its side), v (the largest step before,
    signed) and theta. ``own`` (k, 2) on (z, v) grows with theta at rate ``slope`` (k,); the ``others``
    (k, r, 2) fall at ``other_slopes`` (k, r) or do not move.
    """

    own: Floats
    slope: Floats
    others: Floats
    other_slopes: Floats


def _relative_magnitude(study: _EventStudy, m_bar: float, alpha: float) -> tuple[float, float]:
    """The union over components of the effects that the hybrid test does not reject: its two ends."""
    n_pre, n = study.n_pre, len(study.betahat)
    steps = np.diff(np.insert(np.eye(n), n_pre, 0.0, axis=0), axis=0)
    # The effect in steps after treatment: l'tau = sum of tail_t (tau_t - tau_{t-1}).
    tail = np.cumsum(study.weights[::-1])[::-1]
    moved, spread = steps @ study.betahat, steps @ study.sigma @ steps.T
    side = np.repeat([1.0, -1.0], 2 * n_pre)
    sign = np.tile(np.repeat([1.0, -1.0], n_pre), 2)
    largest = np.tile(np.arange(n_pre), 4)
    data = np.stack([side * (tail @ moved[n_pre:]), sign * moved[largest]], axis=1)
    covariance = np.empty((len(side), 2, 2))
    covariance[:, 0, 0] = tail @ spread[n_pre:, n_pre:] @ tail
    covariance[:, 1, 1] = spread[largest, largest]
    covariance[:, 0, 1] = covariance[:, 1, 0] = side * sign * (tail @ spread[n_pre:, :n_pre])[largest]
    joint = (side * sign)[:, None] * spread[n_pre:, :n_pre].T[largest]
    rivals = _rivals(np.diag(spread)[n_pre:], spread[largest, largest], joint, tail, m_bar)
    ends = _upper_ends(rivals, data, covariance, alpha)
    return -float(ends[side < 0].max()), float(ends[side > 0].max())


def _rivals(after: Floats, before: Floats, joint: Floats, tail: Floats, m_bar: float) -> _Rivals:
    """All vertices of the test's dual program, which data and theta do not move.

    The conditions are +/- step_t - m_bar v <= 0 for each t after, each divided by its standard deviation. A
    combination that cancels the effects not asked for weighs the steps by ``tail``, in one direction or the
    other, or pairs the two conditions of one t, leaving -2 m_bar v. So there are two vertices and one for
    each t (none for the only t that bears on the effect: its pair lies between those two).

    ``after`` (n_post,), ``before`` (k,): variances of steps; ``joint`` (k, n_post): their covariance.
    """
    size, towards = np.abs(tail), np.where(tail < 0, -1.0, 1.0)
    both = after + m_bar**2 * before[:, None]
    floor = _TINY * both.max()
    up = np.sqrt(np.maximum(both - 2 * m_bar * towards * joint, floor))
    down = np.sqrt(np.maximum(both + 2 * m_bar * towards * joint, floor))
    up_total, down_total = up @ size, down @ size
    reach = m_bar * size.sum()
    bearing = np.flatnonzero(size)
    paired = [t for t in range(len(tail)) if len(bearing) > 1 or t != bearing[0]]
    others = np.zeros((len(before), 1 + len(paired), 2))
    others[:, 0, 0] = 1 / up_total
    others[:, 0, 1] = -reach / up_total
    others[:, 1:, 1] = -2 * m_bar / (up + down)[:, paired]
    other_slopes = np.zeros(others.shape[:2])
    other_slopes[:, 0] = -1 / up_total
    own = np.stack([-1 / down_total, -reach / down_total], axis=1)
    return _Rivals(own=own, slope=1 / down_total, others=others, other_slopes=other_slopes)


def _upper_ends(rivals: _Rivals, data: Floats, covariance: Floats, alpha: float) -> Floats:
    """The largest theta not rejected in each component, (k,); minus infinity where all are rejected.

    Where the own statistic overtakes its rivals, the conditional test cannot reject (p = 1) and the first
    stage decides; beyond that the statistic grows until the first stage rejects. The end lies between.
    """
    first = alpha * _FIRST_STAGE
    # Turning the sign or the side only renames the two normal variables: one in four rows is enough.
    distinct = len(data) // 4
    least_favourable = np.tile(_least_favourable(rivals, covariance, distinct, first), 4)
    second = (alpha - first) / (1 - first)
    own = (rivals.own * data).sum(axis=1)
    others = (rivals.others * data[:, None, :]).sum(axis=2)
    overtakes = ((others - own[:, None]) / (rivals.slope[:, None] - rivals.other_slopes)).max(axis=1)
    stops = (least_favourable - own) / rivals.slope
    scaled = (covariance @ rivals.own[:, :, None])[:, :, 0]
    variance = (rivals.own * scaled).sum(axis=1)
    variance = np.maximum(variance, _TINY * (covariance[:, 0, 0] * rivals.slope**2))
    share = (rivals.others * scaled[:, None, :]).sum(axis=2) / variance[:, None]
    # Truncation: v_j - share_j own + share_j c <= c for each rival j bounds c from below or above.
    below, above = share < 1 - 1e-9, share > 1 + 1e-9
    gap = np.where(below | above, 1 - share, 1.0)
    deviation = np.sqrt(variance)[:, None]
    low, high = overtakes.copy(), stops.copy()
    for _ in range(_ROUNDS):
        theta = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, _SCAN)
        value = own[:, None] + rivals.slope[:, None] * theta
        rival = others[:, None, :] + rivals.other_slopes[:, None, :] * theta[:, :, None]
        limit = (rival - share[:, None, :] * value[:, :, None]) / gap[:, None, :]
        bottom = np.where(below[:, None, :], limit, -np.inf).max(axis=2)
        top = np.where(above[:, None, :], limit, np.inf).min(axis=2)
        top = np.minimum(top, least_favourable[:, None])
        kept = _truncated_tail(value / deviation, bottom / deviation, top / deviation) > second
        kept |= value <= 0
        kept[:, 0] = True
        last = _SCAN - 1 - np.argmax(kept[:, ::-1], axis=1)
        rows = np.arange(len(low))
        low, high = theta[rows, last], theta[rows, np.minimum(last + 1, _SCAN - 1)]
    return np.where(overtakes <= stops, low, -np.inf)


def _truncated_tail(value: Floats, bottom: Floats, top: Floats) -> Floats:
    """P(Z >= value) for a standard normal Z known to lie in [bottom, top], any shape; stable in the tails."""
    bottom = np.minimum(bottom, top)
    value = np.clip(value, bottom, top)
    tail, whole, beyond = log_ndtr(-value), log_ndtr(-bottom), log_ndtr(-top)
    with np.errstate(divide="ignore", invalid="ignore"):
        log = tail + np.log1p(-np.exp(beyond - tail)) - whole - np.log1p(-np.exp(beyond - whole))
    found: Floats = np.where(value >= top, 0.0, np.exp(log))
    return found


def _least_favourable(rivals: _Rivals, covariance: Floats, rows: int, size: float) -> Floats:
    """The 1 - size quantile of the largest statistic when every condition just holds, for the first rows.

    All statistics are linear in two normal variables, so in polar coordinates the chance that the largest
    exceeds c is the mean over angles of exp(-c^2 / (2 m^2)), m the largest statistic's height along the
    angle. Its logarithm is convex in c^2, so Newton's steps from below never overshoot.
    """
    angle = np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    covariance = covariance[:rows]
    first = np.sqrt(covariance[:, 0, 0])
    slant = covariance[:, 0, 1] / first
    rest = np.sqrt(np.maximum(covariance[:, 1, 1] - slant**2, 0.0))
    each = np.concatenate([rivals.own[:rows, None, :], rivals.others[:rows]], axis=1)
    along = each[:, :, 0] * first[:, None] + each[:, :, 1] * slant[:, None]
    across = each[:, :, 1] * rest[:, None]
    height = along[:, 0, None] * np.cos(angle) + across[:, 0, None] * np.sin(angle)
    for rival in range(1, each.shape[1]):
        np.maximum(height, along[:, rival, None] * np.cos(angle) + across[:, rival, None] * np.sin(angle), out=height)
    rate = 0.5 / np.maximum(height, 1e-100) ** 2
    squared = (ndtri(1 - size) ** 2) * (along**2 + across**2).max(axis=1)
    for _ in range(20):
        weight = np.exp(-squared[:, None] * rate)
        chance = weight.mean(axis=1)
        step = np.log(chance / size) * chance / (weight * rate).mean(axis=1)
        squared = squared + step
        if np.abs(step).max() <= 1e-12 * squared.max():
            break
    found: Floats = np.sqrt(squared)
    return found


def _effect_variance(study: _EventStudy) -> float:
    after = slice(study.n_pre, None)
    return float(study.weights @ study.sigma[after, after] @ study.weights)


def _checked(betahat: Floats, sigma: Floats, n_pre: int, weights: Floats | None) -> _EventStudy:
    betahat, sigma = np.asarray(betahat, dtype=np.float64), np.asarray(sigma, dtype=np.float64)
    if betahat.ndim != 1 or sigma.shape != (len(betahat), len(betahat)):
        raise EstimateError(
            f"expected a row of coefficients and their square covariance; found shapes {betahat.shape} and "
            f"{sigma.shape}; leave the reference period out of both"
        )
    n_post = len(betahat) - n_pre
    if n_pre < 1:
        raise EstimateError(
            "no coefficient before treatment: how far trends may part is judged by the periods before, so "
            "at least one besides the reference is needed; start the panel earlier"
        )
    if n_post < 1:
        raise EstimateError(
            f"no coefficient after treatment: {len(betahat)} given, {n_pre} of them before; add the periods after"
        )
    weights = np.eye(n_post)[0] if weights is None else np.asarray(weights, dtype=np.float64)
    if weights.shape != (n_post,):
        raise EstimateError(f"expected {n_post} weights, one a period after treatment; found shape {weights.shape}")
    for what, values in (("coefficients", betahat), ("covariances", sigma), ("weights", weights)):
        if not np.isfinite(values).all():
            raise EstimateError(
                f"{np.count_nonzero(~np.isfinite(values))} of {values.size} {what} are missing or infinite; "
                "leave out periods that the regression could not estimate"
            )
    _check_covariance(sigma)
    study = _EventStudy(betahat=betahat, sigma=(sigma + sigma.T) / 2, n_pre=n_pre, weights=weights)
    if _effect_variance(study) <= 1e-20 * float(np.abs(sigma).max()):
        raise EstimateError(
            "the effect asked for has no variance; give weights that are not all 0 and standard errors above 0"
        )
    return study


def _check_covariance(sigma: Floats) -> None:
    largest = float(np.abs(sigma).max())
    if np.abs(sigma - sigma.T).max() > 1e-8 * largest:
        raise EstimateError(
            "the covariance of the coefficients is not symmetric; pass the whole matrix, not a triangle"
        )
    least = float(np.linalg.eigvalsh(sigma)[0])
    if least < -1e-8 * largest:
        raise EstimateError(
            f"the covariance of the coefficients has a negative eigenvalue ({least:.3g}), so it is no covariance; "
            "check the order of its rows, or take the clustered one of the same regression"
        )


def _checked_bound(bound: float, name: str) -> float:
    if not (math.isfinite(bound) and bound >= 0):
        raise EstimateError(f"{name} {bound:g}: how far trends may part must be a number of at least 0")
    return float(bound)


def _checked_alpha(level: float) -> float:
    if not 0 < level < 1:
        raise EstimateError(f"level {level:g}: expected a share between 0 and 1, such as 0.95")
    return alpha_of(level)
