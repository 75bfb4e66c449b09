"""Comparison mixes for every unit at once: simplex weights, and their ridge augmentation.

Judging one treated unit by placebos means fitting the same comparison for every other unit too. The
problems differ only in which unit is the target and which donor sits out, so they share one Gram matrix
and are solved together (:mod:`~belonging_research.estimators.weights.simplex`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from belonging_research.errors import EstimateError
from belonging_research.estimators.weights.simplex import (
    PENALTY_FLOOR,
    Bools,
    Floats,
    SimplexProblems,
    solve_simplex,
)

__all__ = [
    "PENALTY_FLOOR",
    "Bools",
    "Floats",
    "SimplexProblems",
    "check_units",
    "leave_one_out_simplex_weights",
    "ridge_augmented_weights",
    "ridge_path",
    "simplex_weights",
    "solve_simplex",
]

_LEVERAGE = 1e-6  # below this a rank-one down-date loses too many digits


def leave_one_out_simplex_weights(predictors: Floats, donors: Bools, *, penalty: float) -> Floats:
    """Synthetic control weights of every unit, each fitted on the donors other than itself.

    Row j minimises ||x_j - X'w||^2 + penalty ||w||^2 over w >= 0, sum w = 1, w zero at j and at units that
    are not donors (Abadie, Diamond & Hainmueller 2010, on outcomes alone; the ridge term as in Doudchenko &
    Imbens 2016). Optimality conditions hold to 1e-8 of the donors' mean squared spread.

    ``predictors``: (n, p), any one unit of measurement, in whose square ``penalty`` is; ``donors``: (n,).
    Returns (n, n). With penalty 0 the least-squares mix may not be unique; then the most even one is given
    (the limit of a vanishing penalty).

    Raises :class:`EstimateError` for gaps, a negative penalty, fewer than two donors, donors all alike.
    """
    _check(predictors, donors, penalty)
    spread, scale = _standardise(predictors, donors)
    # All weights sum to 1, so a constant added to the Gram matrix changes no minimiser; it keeps the
    # systems of supports that lie in one affine plane regular.
    gram = spread @ spread.T + 1.0
    n = len(predictors)
    problems = SimplexProblems(
        gram=gram,
        linear=gram,
        allowed=donors[None, :] & ~np.eye(n, dtype=bool),
        penalty=np.full(n, max(penalty / scale, PENALTY_FLOOR)),
    )
    return solve_simplex(problems)


def simplex_weights(target: Floats, donor_predictors: Floats, *, penalty: float, allowed: Bools) -> Floats:
    """Synthetic control weights of one unit from each of several sets of donors.

    As :func:`leave_one_out_simplex_weights`, for one target outside the donors: ``target`` (p,), ``donor_predictors``
    (m, p), ``allowed`` (b, m) True for the donors of each set. Returns (b, m), zero outside a row's set.
    """
    stacked = np.vstack([donor_predictors, np.atleast_2d(target)])
    donors = np.arange(len(stacked)) < len(donor_predictors)
    _check(stacked, donors, penalty)
    spread, scale = _standardise(stacked, donors)
    gram = spread @ spread.T + 1.0
    problems = SimplexProblems(
        gram=gram[:-1, :-1],
        linear=np.repeat(gram[-1:, :-1], len(allowed), axis=0),
        allowed=allowed,
        penalty=np.full(len(allowed), max(penalty / scale, PENALTY_FLOOR)),
    )
    return solve_simplex(problems)


def ridge_augmented_weights(predictors: Floats, weights: Floats, donors: Bools, *, penalty: float) -> Floats:
    """Weights corrected for what the simplex could not match (Ben-Michael, Feller & Rothstein 2021).

    Row j becomes w + X0 (X0'X0 + penalty I)^-1 (x_j - X'w), X0 the donors other than j less their mean.
    The correction sums to zero, so rows that summed to 1 still do; weights may be negative. One
    factorisation serves all units: leaving a donor out is a rank-one down-date of X0'X0.

    ``predictors``: (n, p); ``weights``: (n, n) from :func:`leave_one_out_simplex_weights`, same donors;
    ``penalty`` > 0 in squared units of the predictors. Returns (n, n).

    Raises :class:`EstimateError` as the simplex weights do, and for a penalty of 0.
    """
    _check(predictors, donors, penalty)
    solved = _Ridge.of(predictors, weights, donors).coefficients(penalty)
    centred = predictors - predictors[donors].mean(axis=0)
    correction = solved @ centred.T
    n_donors = int(donors.sum())
    # A donor that sits out also moves the centre of those that stay.
    shift = np.where(donors, (solved * centred).sum(axis=1) / (n_donors - 1), 0.0)
    correction += shift[:, None]
    correction[:, ~donors] = 0.0
    np.fill_diagonal(correction, 0.0)
    augmented: Floats = weights + correction
    return augmented


def ridge_path(predictors: Floats, outcome: Floats, weights: Floats, donors: Bools, *, penalties: Floats) -> Floats:
    """Every unit's augmented prediction along a path of ridge penalties, from one eigen-decomposition.

    The choice of penalty can double a published effect (Kansas: methods vignette of R augsynth), so the
    path is shown, not only the registered point. ``outcome``: (n,) in its own unit; ``penalties``: (k,),
    all > 0. Returns (k, n), row i equal to ``ridge_augmented_weights(..., penalties[i]) @ outcome``.
    """
    for penalty in penalties:
        _check(predictors, donors, float(penalty))
    ridge = _Ridge.of(predictors, weights, donors)
    centred = predictors - predictors[donors].mean(axis=0)
    n_donors = int(donors.sum())
    level = outcome[donors].mean()
    cross = np.where(donors, outcome - level, 0.0) @ centred
    leave = np.where(donors, n_donors / (n_donors - 1), 0.0) * (outcome - level)
    covariance = cross - leave[:, None] * centred
    base = weights @ outcome
    return np.array([base + (ridge.coefficients(float(p)) * covariance).sum(axis=1) for p in penalties])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ridge:
    """X0'X0 of all donors in its own axes, with each unit's residual and position turned into them."""

    axes: Floats  # (p, p), columns are eigenvectors
    values: Floats  # (p,)
    residual: Floats  # (n, p)
    position: Floats  # (n, p), zero where leaving the unit out changes nothing
    factor: float  # J / (J - 1)

    @classmethod
    def of(cls, predictors: Floats, weights: Floats, donors: Bools) -> _Ridge:
        centred = predictors - predictors[donors].mean(axis=0)
        values, axes = np.linalg.eigh(centred[donors].T @ centred[donors])
        n_donors = int(donors.sum())
        return cls(
            axes=axes,
            values=np.maximum(values, 0.0),
            # From centred rows: weights that sum to 1 only to rounding must not let the level in.
            residual=(centred - weights @ centred) @ axes,
            position=np.where(donors[:, None], centred, 0.0) @ axes,
            factor=n_donors / (n_donors - 1),
        )

    def coefficients(self, penalty: float) -> Floats:
        """(X0'X0 + penalty I)^-1 residual of each unit with itself left out, (n, p)."""
        if penalty <= 0:
            raise EstimateError(
                f"ridge augmentation with penalty {penalty:g}: the correction needs a penalty above 0; "
                "set the ridge penalty in the plan (or use the plain synthetic control)"
            )
        inverse = 1.0 / (self.values + penalty)
        solved = self.residual * inverse
        moved = self.position * inverse
        remaining = 1.0 - self.factor * (self.position * moved).sum(axis=1)
        safe = np.where(remaining > _LEVERAGE, remaining, 1.0)
        solved += moved * (self.factor * (self.position * solved).sum(axis=1) / safe)[:, None]
        for unit in np.flatnonzero(remaining <= _LEVERAGE):
            left = np.diag(self.values + penalty)
            left -= self.factor * np.outer(self.position[unit], self.position[unit])
            solved[unit] = np.linalg.solve(left, self.residual[unit])
        out: Floats = solved @ self.axes.T
        return out


def _standardise(predictors: Floats, donors: Bools) -> tuple[Floats, float]:
    """Predictors about the donors' centre with mean squared donor norm 1, and the divisor squared."""
    centred = predictors - predictors[donors].mean(axis=0)
    scale = float((centred[donors] ** 2).sum(axis=1).mean())
    size = float((predictors[donors] ** 2).sum(axis=1).mean())
    if scale <= 1e-24 * size or scale == 0.0:
        raise EstimateError(
            f"the {int(donors.sum())} donors are all alike in every predictor, so no mix of them is better "
            "than another; use predictors that differ between units, or a difference-in-differences"
        )
    return centred / np.sqrt(scale), scale


def check_units(values: Floats, donors: Bools, *, what: str) -> None:
    """Refuse arrays that no comparison can be made from; ``what`` names the values in the message.

    Raises :class:`EstimateError` for wrong shapes, no period, a gap, fewer than two donors.
    """
    if values.ndim != 2 or donors.shape != (len(values),) or donors.dtype != np.bool_:
        raise EstimateError(
            f"expected {what} (units, periods) and one true-or-false donor flag a unit; found shapes "
            f"{values.shape} and {donors.shape}, flags of type {donors.dtype}"
        )
    if values.shape[1] == 0:
        raise EstimateError(f"no {what}: a comparison needs at least one period before the start")
    gaps = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(gaps):
        raise EstimateError(
            f"{len(gaps)} of {len(values)} units have a gap or an infinite value in their {what}, first at "
            f"position {gaps[0]}; leave them out of the panel, or fill them by the plan's rule"
        )
    if donors.sum() < 2:
        raise EstimateError(
            f"{int(donors.sum())} donor(s): each donor is judged against the others, so at least 2 are needed"
        )


def _check(predictors: Floats, donors: Bools, penalty: float) -> None:
    check_units(predictors, donors, what="predictors")
    if not (np.isfinite(penalty) and penalty >= 0):
        raise EstimateError(f"penalty {penalty:g}: expected a number of 0 or more; mend it in the plan")
