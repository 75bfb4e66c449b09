"""Steps after treatment of at most so many times the largest step before, Delta^RM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtri

from belonging_research.estimators.honest.study import (
    TINY,
    EventStudy,
    Floats,
    breakdown_of,
    checked_alpha,
    checked_bound,
    checked_study,
)

_FIRST_STAGE = 0.1  # share of alpha that the hybrid test spends on its first stage, the paper's choice
_ANGLES = 1024  # of the plane, for the least favourable critical value: 7 digits of the breakdown on the public files
_SCAN, _ROUNDS = 33, 6  # each round keeps 1/32 of the range, so six are 9 digits


def relative_magnitude_interval(
    betahat: Floats, sigma: Floats, n_pre: int, *, m_bar: float, weights: Floats | None = None, level: float = 0.95
) -> tuple[float, float]:
    """(low, high) for the effect when no step after exceeds ``m_bar`` times the largest before, Delta^RM(m_bar).

    The ends of the set that the conditional test with a least favourable first stage leaves (C-LF, Andrews,
    Roth & Pakes 2023; the paper's section 3), united over which step before was the largest and its sign. As
    in the authors' package, only conditions on steps after treatment enter the test; here that holds with
    one period after too. Arguments, unit and errors as in :func:`smoothness_interval`; ``m_bar`` is a ratio.
    """
    study = checked_study(betahat, sigma, n_pre, weights)
    return _relative_magnitude(study, checked_bound(m_bar, "m_bar"), checked_alpha(level))


def breakdown_relative_magnitude(
    betahat: Floats, sigma: Floats, n_pre: int, *, weights: Floats | None = None, level: float = 0.95
) -> float | None:
    """The m_bar up to which :func:`relative_magnitude_interval` excludes 0; None where not at 0 already.

    Found as in :func:`breakdown_smoothness`. A ratio: 1 means that trends may part after treatment as fast as
    they ever did before.
    """
    study, alpha = checked_study(betahat, sigma, n_pre, weights), checked_alpha(level)
    # The sets nest in m_bar, so one crossing is enough to look for.
    return breakdown_of(lambda bound: _relative_magnitude(study, bound, alpha), 1 / 4, growth=2.0)


def _relative_magnitude(study: EventStudy, m_bar: float, alpha: float) -> tuple[float, float]:
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
    floor = TINY * both.max()
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
    variance = np.maximum(variance, TINY * (covariance[:, 0, 0] * rivals.slope**2))
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
