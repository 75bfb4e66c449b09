"""The checked input of both restrictions, and the search for the bound at which 0 enters."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from belonging_research.errors import EstimateError
from belonging_research.estimators.placebo import alpha_of

Floats = NDArray[np.float64]

_HIGHEST = 1e24  # of the first bound tried, in search of the breakdown
_BITS, _FAR = 17, 1e9  # five digits: a bound on how far trends may part is read to one or two
TINY = 1e-24  # a variance this small beside the largest is rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStudy:
    """Checked input. ``betahat`` (n,), ``sigma`` (n, n), ``weights`` over the n - n_pre periods after."""

    betahat: Floats
    sigma: Floats
    n_pre: int
    weights: Floats


def breakdown_of(
    interval: Callable[[float], tuple[float, float]], start: float, *, growth: float = 1.25
) -> float | None:
    """The first bound, from ``start`` up, at which an ``interval`` holds 0; None where at 0 already, inf if never.

    ``growth``: of the bound from one try to the next; two crossings within one step are seen as none or one.
    """

    def clearance(bound: float) -> float:
        # How far 0 lies outside; an end at infinity must not make the search's secant one.
        low, high = interval(bound)
        return min(max(low, -high, -_FAR), _FAR)

    if clearance(0.0) <= 0:
        return None
    low, high = 0.0, start
    while clearance(high) > 0:
        low, high = high, high * growth
        if high > start * _HIGHEST:
            return math.inf
    return float(brentq(clearance, low, high, xtol=2.0**-_BITS * high, rtol=2.0**-_BITS))


def effect_variance(study: EventStudy) -> float:
    """The variance of the effect asked for, in the squared unit of the outcome."""
    after = slice(study.n_pre, None)
    return float(study.weights @ study.sigma[after, after] @ study.weights)


def checked_study(betahat: Floats, sigma: Floats, n_pre: int, weights: Floats | None) -> EventStudy:
    """The input in one piece, the first period after as the effect where no ``weights`` are given.

    Raises :class:`EstimateError` for shapes that do not fit, a gap, nothing before or after, a covariance that is none.
    """
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
    study = EventStudy(betahat=betahat, sigma=(sigma + sigma.T) / 2, n_pre=n_pre, weights=weights)
    if effect_variance(study) <= 1e-20 * float(np.abs(sigma).max()):
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


def checked_bound(bound: float, name: str) -> float:
    """The bound as a number, ``name`` for the message. Raises :class:`EstimateError` where it is below 0 or none."""
    if not (math.isfinite(bound) and bound >= 0):
        raise EstimateError(f"{name} {bound:g}: how far trends may part must be a number of at least 0")
    return float(bound)


def checked_alpha(level: float) -> float:
    """1 - ``level``. Raises :class:`EstimateError` for a level outside (0, 1)."""
    if not 0 < level < 1:
        raise EstimateError(f"level {level:g}: expected a share between 0 and 1, such as 0.95")
    return alpha_of(level)
