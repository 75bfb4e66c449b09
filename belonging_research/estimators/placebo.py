"""Inference for one treated unit: its error among the errors of units where nothing was done.

Small units' errors spread more, so each error is divided by a scale that depends on size (Ferman & Pinto
2019), s(n)^2 = a0 + b0/n; unscaled, placebo tests reject too often in small units and too rarely in large
ones. The p-value, critical value and interval all count the same ranks, so p <= a exactly when the
interval at level 1 - a leaves 0 out. Power comes from the same placebos, shifted, not from a normal curve.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from belonging_research.errors import EstimateError

Floats = NDArray[np.float64]

_LEAST_PLACEBOS = 4
# Share of the variance that falls with size, on an even grid of its log-odds, both ends included.
_SHARES = np.concatenate([[0.0], 1 / (1 + np.exp(-np.arange(-8.0, 8.01, 0.125))), [1.0]])
_STEPS, _SETTLED = 60, 1e-11  # the most steps in a grid cell, and the step that ends them


def fit_size_variance(errors: Floats, sizes: Floats) -> tuple[float, float]:
    """(a0, b0) of s^2 = a0 + b0/size, the Gaussian maximum-likelihood fit with both at least 0.

    ``errors``: (J,), mean zero under no effect; ``sizes``: (J,), positive (possible sessions, pupils).
    a0 in squared units of the errors, b0 in that times size. Errors times k give k^2 (a0, b0). With equal
    sizes b0 is 0, since nothing tells the two apart.

    Raises :class:`EstimateError` for fewer than 4 errors, a gap, a size that is not positive, errors all
    equal.
    """
    _check_errors(errors, sizes)
    a0, b0 = _fit_each(errors, sizes, np.ones((1, len(errors)), dtype=bool))[0]
    return float(a0), float(b0)


def fit_size_variance_without_each(errors: Floats, sizes: Floats) -> Floats:
    """:func:`fit_size_variance` J times, each without one error: (J, 2), row j without error j.

    A scale that has seen the unit it judges shrinks that unit's rank and flatters the power.
    Raises :class:`EstimateError` as that does, and for fewer than 5 errors or all but one equal.
    """
    _check_errors(errors, sizes, least=_LEAST_PLACEBOS + 1)
    ordered = np.sort(errors)
    if ordered[0] == ordered[-2] or ordered[1] == ordered[-1]:
        raise EstimateError(
            f"{len(errors) - 1} of {len(errors)} placebo errors are equal, so without the other they show "
            "no spread to judge it by; is the outcome constant?"
        )
    return _fit_each(errors, sizes, ~np.eye(len(errors), dtype=bool))


def size_scale(variance: tuple[float, float], sizes: Floats) -> Floats:
    """s(n) = sqrt(a0 + b0/n) at the given sizes, in the errors' unit."""
    scale: Floats = np.sqrt(variance[0] + variance[1] / np.asarray(sizes, dtype=np.float64))
    return scale


def scaled_placebos(errors: Floats, sizes: Floats, *, without_each: bool = False) -> Floats:
    """Each error over the scale at its size, (J,): ``z`` of the functions below.

    ``without_each`` fits the scale of each without its own error (needs 5 errors).
    """
    if not without_each:
        scaled: Floats = errors / size_scale(fit_size_variance(errors, sizes), sizes)
        return scaled
    fits = fit_size_variance_without_each(errors, sizes)
    scaled = errors / np.sqrt(fits[:, 0] + fits[:, 1] / sizes)
    return scaled


def placebo_p(value: float, scale: float, z: Floats) -> float:
    """(1 + #{|z_j| >= |value / scale|}) / (J + 1); ties count against a finding.

    ``value`` and ``scale`` in one unit; ``z``: (J,) from :func:`scaled_placebos`.
    Raises :class:`EstimateError` for a scale that is not positive, or a gap.
    """
    _check_reference(z, scale, value)
    return float((1 + np.count_nonzero(np.abs(z) >= abs(value / scale))) / (len(z) + 1))


def critical_value(z: Floats, alpha: float) -> float:
    """The c with p <= alpha exactly when |value / scale| > c.

    The (k + 1)-th largest |z|, k the most placebos that may reach the value: floor(alpha (J + 1)) - 1.
    Raises :class:`EstimateError` for an alpha below 1 / (J + 1), which no value could reach.
    """
    _check_reference(z)
    allowed = _allowed(len(z), alpha)
    return float(np.sort(np.abs(z))[::-1][allowed])


def interval(value: float, scale: float, z: Floats, level: float) -> tuple[float, float]:
    """Effects that the placebos do not reject at 1 - ``level``: value -/+ critical value x scale.

    (low, high) in the value's unit. 0 lies outside (low > 0 or high < 0) exactly when
    ``placebo_p(value, scale, z) <= 1 - level``. Same errors as :func:`critical_value`.
    """
    _check_reference(z, scale, value)
    critical = critical_value(z, alpha_of(level))
    value, reach = float(value), critical * float(scale)
    low, high = value - reach, value + reach
    # Rounding in the product must not contradict the rank: a noticed value keeps 0 out, another one in.
    if abs(value / scale) <= critical:
        return min(low, 0.0), max(high, 0.0)
    if value > 0:
        return max(low, math.ulp(0.0)), high
    return low, min(high, -math.ulp(0.0))


def alpha_of(level: float) -> float:
    """1 - level, without the dust of binary fractions (1 - 0.9 is not 0.1)."""
    return round(1.0 - level, 12)


def detectable_effect(z: Floats, scale: float, alpha: float, *, power: float = 0.8) -> float:
    """The smallest effect noticed in its own direction in at least ``power`` of the placebos, both signs.

    Each placebo at the treated unit's ``scale`` is shifted by the effect; noticed means past the critical
    value. Exact from order statistics: the shift that carries the (power x J)-th placebo past it, the larger
    of the two signs. In the unit of ``scale``. Same errors as :func:`critical_value`.
    """
    _check_reference(z, scale)
    if not 0 < power <= 1:
        raise EstimateError(f"power {power:g}: expected more than 0 and at most 1 (0.8 is 4 times in 5)")
    critical = critical_value(z, alpha)
    if not z.any():
        raise EstimateError(f"all {len(z)} placebo errors are 0, so they say nothing about what could be noticed")
    needed = math.ceil(power * len(z) - 1e-9)
    up, down = (np.sort(sign * z)[::-1][needed - 1] for sign in (1.0, -1.0))
    # Rounding in z + shift is in units of the larger of the two, hence the margin.
    margin = 1e-12 * float(np.abs(z).max() + critical)
    return float(max(critical - up, critical - down, 0.0) + margin) * scale


def power_at(z: Floats, scale: float, shift: float, alpha: float) -> float:
    """Share of placebos that an effect of size ``shift`` carries past the critical value on its own side.

    The smaller of the two signs' shares, so a promise holds for gains and losses alike; at
    :func:`detectable_effect` it is at least that function's ``power``. ``shift`` in the unit of ``scale``.
    """
    _check_reference(z, scale, shift)
    critical = critical_value(z, alpha)
    move = abs(shift) / scale
    return float(min(np.mean(z + move > critical), np.mean(move - z > critical)))


def type_m(z: Floats, scale: float, effect: float, alpha: float) -> float:
    """How much a noticed estimate exaggerates, on average: E|estimate| / |effect| given that it is noticed.

    Gelman & Carlin (2014), from the placebos shifted by the effect, both signs pooled; an estimate noticed on
    the wrong side counts with its size, as theirs does. Some shifted placebo always is noticed: the critical
    value is itself one of the |z|. Raises :class:`EstimateError` for an effect of 0, or lost in rounding.
    """
    _check_reference(z, scale, effect)
    critical = critical_value(z, alpha)
    move = abs(effect) / scale
    estimates = np.abs(np.concatenate([z + move, z - move]))
    noticed = estimates[estimates > critical]
    if move == 0 or not len(noticed):
        raise EstimateError("exaggeration is a ratio to the true effect: give an effect other than 0")
    return float(noticed.mean() / move)


def _allowed(n_placebos: int, alpha: float) -> int:
    """The most placebos that may reach a value which is still noticed at ``alpha``."""
    if not 0 < alpha < 1:
        raise EstimateError(f"alpha {alpha:g}: expected a share between 0 and 1, such as 0.05")
    # The same comparison of floats as p <= alpha: (1 + k) / (J + 1), so the two can't disagree.
    rank = math.floor(alpha * (n_placebos + 1)) + 1
    while rank > 0 and rank / (n_placebos + 1) > alpha:
        rank -= 1
    if rank < 1:
        raise EstimateError(
            f"{n_placebos} placebo unit(s): the smallest p-value is 1/{n_placebos + 1}, above alpha "
            f"{alpha:g}, so nothing could be noticed; {_least_placebos(alpha)} or more donors would do"
        )
    return rank - 1


def _least_placebos(alpha: float) -> int:
    least = max(math.ceil(1 / alpha) - 2, 1)
    while 1 / (least + 1) > alpha:
        least += 1
    return least


def _fit_each(errors: Floats, sizes: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """(a0, b0) of each row's chosen errors, (b, 2).

    With s^2 = t ((1 - r) + r u), u = inverse size over its mean, the best t given r is closed, so one
    number is searched for: a grid over all of [0, 1], since the profile may have two dips, then Newton's steps.
    """
    inverse = 1.0 / sizes
    unit, largest = float(inverse.mean()), float(np.abs(errors).max())
    excess, squares = inverse / unit - 1.0, (errors / largest) ** 2
    weights = chosen.astype(np.float64)
    height = 1.0 + _SHARES[:, None] * excess
    counts = weights.sum(axis=1, keepdims=True)
    profile = np.log(weights @ (squares / height).T / counts) + weights @ np.log(height).T / counts
    best = np.argmin(profile, axis=1)
    on_grid, between = _SHARES[best], _root(squares, excess, weights, best)
    level_on, loss_on = _level_and_loss(squares, excess, weights, on_grid)
    level_between, loss_between = _level_and_loss(squares, excess, weights, between)
    inside = loss_between < loss_on
    share, level = np.where(inside, between, on_grid), np.where(inside, level_between, level_on)
    variance = level * largest**2
    return np.stack([variance * (1 - share), variance * share / unit], axis=1)


def _level_and_loss(squares: Floats, excess: Floats, weights: Floats, share: Floats) -> tuple[Floats, Floats]:
    """The best t at each row's share, and twice the mean negative log-likelihood there, each (b,)."""
    height = 1.0 + share[:, None] * excess
    counts = weights.sum(axis=1)
    level: Floats = (weights * squares / height).sum(axis=1) / counts
    loss: Floats = np.log(level) + (weights * np.log(height)).sum(axis=1) / counts
    return level, loss


def _root(squares: Floats, excess: Floats, weights: Floats, best: NDArray[np.intp]) -> Floats:
    """The share where each profile's slope changes sign, in the cells beside the best grid point, (b,).

    Newton's step where it stays in the bracket, else its middle; the bracket keeps the sign change throughout.
    """
    low = _SHARES[np.maximum(best - 1, 0)]
    high = _SHARES[np.minimum(best + 1, len(_SHARES) - 1)]
    counts, share = weights.sum(axis=1), _SHARES[best]  # at an end of [0, 1] the first slope may settle it
    settled = np.zeros(len(weights), dtype=bool)
    for _ in range(_STEPS):
        inverse = 1.0 / (1.0 + share[:, None] * excess)
        each = weights * inverse
        twice = each * inverse
        level = each @ squares
        tilt = twice @ (squares * excess) / level
        slope = each @ excess / counts - tilt
        bend = 2 * ((twice * inverse) @ (squares * excess**2)) / level - twice @ excess**2 / counts - tilt**2
        rising = slope > 0
        high, low = np.where(rising, share, high), np.where(rising, low, share)
        with np.errstate(divide="ignore", invalid="ignore"):
            ahead = share - slope / bend
        inside = (bend > 0) & (ahead >= low) & (ahead <= high)
        moved = np.where(settled, share, np.where(inside, ahead, (low + high) / 2))
        settled |= np.abs(moved - share) <= _SETTLED
        share = moved
        if settled.all():
            break
    return share


def _check_errors(errors: Floats, sizes: Floats, *, least: int = _LEAST_PLACEBOS) -> None:
    if errors.ndim != 1 or errors.shape != sizes.shape:
        raise EstimateError(f"expected one size an error; found {errors.shape} errors, {sizes.shape} sizes")
    if len(errors) < least:
        raise EstimateError(f"{len(errors)} placebo error(s): a spread that varies with size needs at least {least}")
    if not np.isfinite(errors).all():
        raise EstimateError(
            f"{np.count_nonzero(~np.isfinite(errors))} of {len(errors)} placebo errors are missing or "
            "infinite; leave those units out of the panel"
        )
    if not (np.isfinite(sizes) & (sizes > 0)).all():
        raise EstimateError(
            f"{np.count_nonzero(~(np.isfinite(sizes) & (sizes > 0)))} of {len(sizes)} sizes are missing or "
            "not above 0; the size of every placebo unit is needed to scale its error"
        )
    if np.ptp(errors) <= 1e-12 * np.abs(errors).max():
        raise EstimateError(
            f"all {len(errors)} placebo errors are equal, so they show no spread to judge an effect by; "
            "is the outcome constant?"
        )


def _check_reference(z: Floats, scale: float = 1.0, value: float = 0.0) -> None:
    if z.ndim != 1 or len(z) == 0 or not np.isfinite(z).all():
        raise EstimateError(
            f"expected a row of placebo errors without gaps; found shape {z.shape} with "
            f"{np.count_nonzero(~np.isfinite(z))} missing or infinite"
        )
    if not (math.isfinite(scale) and scale > 0):
        raise EstimateError(f"scale {scale:g}: the treated unit's spread must be a number above 0")
    if not math.isfinite(value):
        raise EstimateError("the effect is missing or infinite; a gap in the treated unit's outcome?")
