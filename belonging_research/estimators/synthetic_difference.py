"""Effects of every unit as if it were the treated one: DiD, synthetic control, synthetic DiD.

Each donor is judged against the other donors, each treated unit against all donors, in one pass. The
treated units' own outcomes never enter another unit's comparison. Weights see the periods before the
start only, so outcomes after it can be swapped without refitting.
"""

from __future__ import annotations

import numpy as np

from belonging_research.errors import EstimateError
from belonging_research.estimators.weights import (
    PENALTY_FLOOR,
    Bools,
    Floats,
    SimplexProblems,
    check_units,
    leave_one_out_simplex_weights,
    solve_simplex,
)

_FIRST = np.array([0])


def difference_in_differences_effects(outcomes: Floats, n_pre: int, donors: Bools) -> Floats:
    """Change of each unit from before to after the start, less the donors' mean change.

    ``outcomes``: (n, T), first ``n_pre`` periods before the start; ``donors``: (n,). Returns (n,), in the
    outcomes' unit. Raises :class:`EstimateError` for gaps, no period on either side, fewer than 2 donors.
    """
    _check(outcomes, n_pre, donors)
    change = outcomes[:, n_pre:].mean(axis=1) - outcomes[:, :n_pre].mean(axis=1)
    effects: Floats = change - _mean_of_others(change, donors)
    return effects


def synthetic_control_weights(
    outcomes: Floats, n_pre: int, donors: Bools, *, penalty: float = 0.0, demeaned: bool = False
) -> Floats:
    """Simplex weights of every unit on the outcomes before the start, (n, n).

    ``demeaned`` takes each unit's own mean before the start away first, so that the mix need match only the
    shape (Doudchenko & Imbens 2016; Ferman & Pinto 2021). ``penalty`` as in
    :func:`~belonging_research.estimators.weights.leave_one_out_simplex_weights`, same errors.
    """
    _check(outcomes, n_pre, donors)
    before = outcomes[:, :n_pre]
    if demeaned:
        before = before - before.mean(axis=1, keepdims=True)
        _mean_square(before[donors] - before[donors].mean(axis=0), outcomes)
    return leave_one_out_simplex_weights(before, donors, penalty=penalty)


def synthetic_control_effects(
    outcomes: Floats, n_pre: int, donors: Bools, *, penalty: float = 0.0, demeaned: bool = False
) -> Floats:
    """Mean gap after the start between each unit and its synthetic control (Abadie et al. 2010), (n,).

    ``demeaned`` takes the mean gap before the start off each (:func:`synthetic_control_weights`).
    """
    weights = synthetic_control_weights(outcomes, n_pre, donors, penalty=penalty, demeaned=demeaned)
    gaps = outcomes - weights @ outcomes
    effects: Floats = gaps[:, n_pre:].mean(axis=1)
    if demeaned:
        effects = effects - gaps[:, :n_pre].mean(axis=1)
    return effects


def imbalance(outcomes: Floats, n_pre: int, weights: Floats, *, demeaned: bool = False) -> Floats:
    """Length of each unit's gap to its mix before the start (L2, as R augsynth prints it), (n,)."""
    gaps = (outcomes - weights @ outcomes)[:, :n_pre]
    if demeaned:
        gaps = gaps - gaps.mean(axis=1, keepdims=True)
    lengths: Floats = np.sqrt((gaps**2).sum(axis=1))
    return lengths


def synthetic_did_effects(outcomes: Floats, n_pre: int, donors: Bools, *, only_first: bool = False) -> Floats:
    """Synthetic difference-in-differences of every unit as if treated (Arkhangelsky et al. 2021, AER).

    Unit weights with intercept and penalty zeta^2 x n_pre, zeta = (number of periods after)^(1/4) x the
    standard deviation of donors' first differences before; time weights with intercept, the most even of
    the best fitting. Both are exact minimisers, where the authors' Frank-Wolfe stops a little short (third
    decimal of the California effect).

    ``outcomes``: (n, T), first ``n_pre`` >= 2 periods before the start; ``donors``: (n,). Returns (n,) in the
    outcomes' unit; ``only_first`` gives the first unit's alone, (1,), at a fraction of the cost. Raises
    :class:`EstimateError` for gaps, too few periods, fewer than 3 donors, or donors that do not change before the
    start.
    """
    _check(outcomes, n_pre, donors)
    if n_pre < 2 or donors.sum() < 3:
        raise EstimateError(
            f"synthetic difference-in-differences with {n_pre} period(s) before the start and "
            f"{int(donors.sum())} donor(s): it needs 2 periods or more (their changes set its penalty) and 3 "
            "donors; use difference-in-differences instead"
        )
    by_unit = synthetic_did_unit_weights(outcomes, n_pre, donors, only_first=only_first)
    by_time = synthetic_did_time_weights(outcomes, n_pre, donors, only_first=only_first)
    after = outcomes[:, n_pre:].mean(axis=1)
    # (n, n): change of each donor (column) under each unit's own time weights (row)
    changes = after[None, :] - by_time @ outcomes[:, :n_pre].T
    effects: Floats = changes.diagonal() - (by_unit * changes).sum(axis=1)
    return effects


def synthetic_did_unit_weights(outcomes: Floats, n_pre: int, donors: Bools, *, only_first: bool = False) -> Floats:
    """Unit weights of synthetic DiD for every unit, (n, n), or (1, n); see :func:`synthetic_did_effects`."""
    n, periods = outcomes.shape
    before = outcomes[:, :n_pre] - outcomes[:, :n_pre].mean(axis=1, keepdims=True)
    centred = before - before[donors].mean(axis=0)
    scale = _mean_square(centred[donors], outcomes)
    gram = centred @ centred.T / scale + 1.0
    penalty = np.sqrt(periods - n_pre) * _change_variance(outcomes[:, :n_pre], donors) * n_pre / scale
    problems = SimplexProblems(
        gram=gram,
        linear=gram,
        allowed=donors[None, :] & ~np.eye(n, dtype=bool),
        penalty=np.maximum(penalty, PENALTY_FLOOR),
    )
    return solve_simplex(problems.rows(_FIRST) if only_first else problems)


def synthetic_did_time_weights(outcomes: Floats, n_pre: int, donors: Bools, *, only_first: bool = False) -> Floats:
    """Time weights of synthetic DiD for every unit, (n, n_pre), or (1, n_pre); see :func:`synthetic_did_effects`.

    Fitted on the donors other than the unit; leaving one out is a rank-one down-date of the donors' Gram.
    """
    n = len(outcomes)
    before, after = outcomes[:, :n_pre], outcomes[:, n_pre:].mean(axis=1)
    # One period's mean over donors is an intercept, so it goes; a common factor over periods then helps
    # the numerics only, since weights sum to 1.
    centred = before - before[donors].mean(axis=0)
    target = after - after[donors].mean()
    middle = centred.mean(axis=1, keepdims=True)
    centred, target = centred - middle, target - middle[:, 0]
    scale = _mean_square(centred[donors].T, outcomes)
    gram = centred[donors].T @ centred[donors] / scale + 1.0
    cross = centred[donors].T @ target[donors] / scale + 1.0
    n_donors = int(donors.sum())
    leave = np.where(donors, n_donors / (n_donors - 1), 0.0)[:, None] / scale
    problems = SimplexProblems(
        gram=gram,
        linear=cross[None, :] - leave * centred * target[:, None],
        allowed=np.ones((n, n_pre), dtype=bool),
        penalty=np.full(n, PENALTY_FLOOR),
        downdate=np.sqrt(leave) * centred,
    )
    return solve_simplex(problems.rows(_FIRST) if only_first else problems)


def frank_wolfe_weights(
    donor_outcomes: Floats, target: Floats, *, zeta: float, noise: float, intercept: bool
) -> Floats:
    """Simplex weights as the authors' software finds them (R synthdid), to reproduce its printed digits.

    Frank-Wolfe from equal weights, 100 steps; weights up to a quarter of the largest set to 0; up to 10,000
    steps more, stopping where a step gains less than (1e-5 noise)^2. It can stop short: the synthetic
    control of California printed as -19.620 is such a stop, and the exact minimiser gives -19.514. So
    estimates here use the exact one, and this function only tests against what was published.

    ``donor_outcomes``: (periods, m); ``target``: (periods,); ``zeta``, ``noise`` in their unit. Returns (m,).
    """
    if intercept:
        donor_outcomes = donor_outcomes - donor_outcomes.mean(axis=0)
        target = target - target.mean()
    n_donors = donor_outcomes.shape[1]
    least = (1e-5 * noise) ** 2
    start = np.full(n_donors, 1 / n_donors)
    rough = _frank_wolfe(donor_outcomes, target, start, zeta=zeta, least=least, steps=100)
    kept = np.where(rough <= rough.max() / 4, 0.0, rough)
    return _frank_wolfe(donor_outcomes, target, kept / kept.sum(), zeta=zeta, least=least, steps=10_000)


def _frank_wolfe(
    donor_outcomes: Floats, target: Floats, weights: Floats, *, zeta: float, least: float, steps: int
) -> Floats:
    eta = len(target) * zeta**2
    before = np.inf
    for _ in range(steps):
        error = donor_outcomes @ weights - target
        slopes = error @ donor_outcomes + eta * weights
        direction = -weights
        direction[np.argmin(slopes)] += 1.0
        move = donor_outcomes @ direction
        curvature = (move**2).sum() + eta * (direction**2).sum()
        if curvature > 0:
            weights = weights + np.clip(-(slopes @ direction) / curvature, 0.0, 1.0) * direction
        error = donor_outcomes @ weights - target
        loss = zeta**2 * (weights**2).sum() + (error**2).mean()
        if before - loss <= least:
            break
        before = loss
    return weights


def _change_variance(before: Floats, donors: Bools) -> Floats:
    """Variance of the donors' first differences, pooled, each donor's own left out for itself, (n,)."""
    changes = np.diff(before, axis=1)
    changes = changes - changes[donors].mean()
    own = np.where(donors[:, None], changes, 0.0)
    count = (donors.sum() - donors) * changes.shape[1]
    total = own.sum() - own.sum(axis=1)
    squares = (own**2).sum() - (own**2).sum(axis=1)
    variance: Floats = np.maximum(squares - total**2 / count, 0.0) / (count - 1)
    return variance


def _mean_of_others(values: Floats, donors: Bools) -> Floats:
    kept = np.where(donors, values, 0.0)
    out: Floats = (kept.sum() - kept) / (donors.sum() - donors)
    return out


def _mean_square(rows: Floats, outcomes: Floats) -> float:
    """Mean squared length of the rows; refused where it is only the rounding of the outcomes' level."""
    scale = float((rows**2).sum(axis=1).mean())
    if scale <= 1e-24 * float((outcomes**2).sum(axis=1).mean()):
        raise EstimateError(
            "the donors do not differ before the start beyond a level of their own, so no weights are better "
            "than equal ones; use difference-in-differences"
        )
    return scale


def _check(outcomes: Floats, n_pre: int, donors: Bools) -> None:
    check_units(outcomes, donors, what="outcomes")
    if not 1 <= n_pre < outcomes.shape[1]:
        raise EstimateError(
            f"{n_pre} of {outcomes.shape[1]} periods lie before the start: at least one each side is needed"
        )
