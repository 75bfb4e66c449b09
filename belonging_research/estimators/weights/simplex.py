"""Many quadratic problems over the simplex at once, exactly.

Block pivoting on the optimality conditions (Portugal, Judice & Vicente 1994; Kim & Park 2011), started from
a few rounds of operator splitting, each support's system solved exactly. Where pivoting does not settle, the
active-set method of Lawson & Hanson (1974), which always does, takes over. No step depends on chance or on
the order of units or donors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from belonging_research.errors import EstimateError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

# Relative to the donors' mean squared distance from their centre, like every tolerance here.
PENALTY_FLOOR = 1e-9  # least penalty: picks the most even of equally good mixes, where several are
_TOLERANCE = 1e-12  # a weight or gradient past this is infeasible
_SPLITTING_ROUNDS = 15
_FIRST_ADDITIONS = 6  # donors that may join a support in the first round
_PIVOT_ROUNDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class SimplexProblems:
    """``b`` quadratic problems over the simplex of ``m`` donors that share one Gram matrix.

    Problem j minimises w'(G - d_j d_j')w + penalty_j w'w - 2 w'linear_j over w >= 0, sum w = 1 and w zero
    outside ``allowed``. ``gram``: (m, m), positive semi-definite; ``linear``: (b, m); ``allowed``: (b, m);
    ``penalty``: (b,), positive; ``downdate`` d: (b, m), or None where every problem has G itself.
    """

    gram: Floats
    linear: Floats
    allowed: Bools
    penalty: Floats
    downdate: Floats | None = None

    def rows(self, chosen: Ints) -> SimplexProblems:
        """The problems at the given positions."""
        down = None if self.downdate is None else self.downdate[chosen]
        return replace(
            self,
            linear=self.linear[chosen],
            allowed=self.allowed[chosen],
            penalty=self.penalty[chosen],
            downdate=down,
        )

    def slopes(self, weights: Floats) -> Floats:
        """Half the gradient of each objective at each row of weights, (b, m)."""
        out = weights @ self.gram + self.penalty[:, None] * weights - self.linear
        if self.downdate is not None:
            out -= (self.downdate * weights).sum(axis=1, keepdims=True) * self.downdate
        return out

    def distances(self) -> Floats:
        """Squared distance of each donor alone from each target, up to a constant a row, (b, m)."""
        own = np.broadcast_to(np.diag(self.gram), self.linear.shape)
        if self.downdate is not None:
            own = own - self.downdate**2
        return np.where(self.allowed, own - 2 * self.linear, np.inf)


def solve_simplex(problems: SimplexProblems) -> Floats:
    """Exact minimisers of all problems, (b, m); see :class:`SimplexProblems`.

    Expects problems scaled so that the Gram matrix's diagonal is about 1.
    Raises :class:`EstimateError` where a row allows no donor or the optimality conditions cannot be met.
    """
    if not problems.allowed.any(axis=1).all():
        raise EstimateError("a comparison has no donor left; at least one other untreated unit is needed")
    weights, unsettled = _pivot(problems)
    for row in unsettled:
        weights[row] = _active_set(problems.rows(np.array([row])))
    weights = np.maximum(weights, 0.0)
    out: Floats = weights / weights.sum(axis=1, keepdims=True)
    return out


def _pivot(problems: SimplexProblems) -> tuple[Floats, Ints]:
    """Block pivoting on all problems at once; also the positions of those that did not settle."""
    weights = np.zeros(problems.linear.shape)
    distances = problems.distances()
    support = _likely_support(problems)
    todo = np.arange(len(weights))
    most = np.full(len(weights), _FIRST_ADDITIONS)
    fewest_wrong = np.full(len(weights), support.shape[1] + 1)
    for _ in range(_PIVOT_ROUNDS):
        current, held = problems.rows(todo), support[todo]
        found, price = _solve_on(current, held)
        weights[todo] = found
        slopes = current.slopes(found) + price[:, None]
        leave, join = held & (found < -_TOLERANCE), current.allowed & ~held & (slopes < -_TOLERANCE)
        n_wrong = (leave | join).sum(axis=1)
        # Adding every improving donor at once overshoots and cycles where donors outnumber periods;
        # adding few is slow where a large penalty spreads the weight. So: more while it goes well.
        progress = n_wrong < fewest_wrong[todo]
        most[todo] = np.where(progress, 2 * most[todo], np.maximum(most[todo] // 2, 1))
        fewest_wrong[todo] = np.minimum(n_wrong, fewest_wrong[todo])
        flipped = held ^ (leave | _steepest(slopes, join, most[todo]))
        support[todo] = flipped
        todo, empty = todo[n_wrong > 0], todo[~flipped.any(axis=1)]
        if not len(todo):
            break
        support[empty, np.argmin(distances[empty], axis=1)] = True
    return weights, todo


def _likely_support(problems: SimplexProblems) -> Bools:
    """A first guess at which weights are positive, (b, m), by a few rounds of operator splitting.

    All problems share the factorised matrix (Boyd et al. 2011, section 5.2), so a round is one product.
    Down-dates and differences in penalty are ignored: this only saves rounds of the exact pivoting.
    """
    n_donors = len(problems.gram)
    penalty = float(problems.penalty.mean())
    pull = 1.0 + penalty  # about the diagonal of the Gram matrix
    solver = np.linalg.inv(problems.gram + (penalty + pull) * np.eye(n_donors))
    even = solver.sum(axis=0) / solver.sum()
    solver -= np.outer(solver.sum(axis=1), even)  # keeps each row's sum at 1
    # Single precision is twice as fast, and enough for a guess that the pivoting proves or mends.
    fixed = (problems.linear @ solver + even).astype(np.float32)
    pulled = (pull * solver).astype(np.float32)
    allowed = problems.allowed.astype(np.float32)
    weights = allowed / allowed.sum(axis=1, keepdims=True)
    gap = np.zeros_like(weights)
    for _ in range(_SPLITTING_ROUNDS):
        blend = (weights - gap) @ pulled
        blend += fixed
        blend *= np.float32(1.6)
        blend += gap - np.float32(0.6) * weights  # over-relaxation, as the authors advise
        np.maximum(blend, 0.0, out=weights)
        weights *= allowed
        np.subtract(blend, weights, out=gap)
    support: Bools = weights > 1e-6
    empty = np.flatnonzero(~support.any(axis=1))
    support[empty, np.argmin(problems.distances()[empty], axis=1)] = True
    return support


def _steepest(slopes: Floats, join: Bools, most: Ints) -> Bools:
    """Of the donors that may join each support, those with the steepest descent, ``most`` a row."""
    many = np.flatnonzero(join.sum(axis=1) > most)
    if not len(many):
        return join
    steep = np.where(join[many], slopes[many], 0.0)
    limit = np.take_along_axis(np.sort(steep, axis=1), most[many, None] - 1, axis=1)
    out = join.copy()
    out[many] &= steep <= limit
    return out


def _solve_on(problems: SimplexProblems, support: Bools) -> tuple[Floats, Floats]:
    """Minimisers with sum 1 on each support, signs ignored, (b, m), and the price of the sum, (b,)."""
    sizes = support.sum(axis=1)
    weights = np.zeros(support.shape)
    price = np.zeros(len(support))
    by_size = np.argsort(sizes, kind="stable")
    ascending = sizes[by_size]
    first = 0
    while first < len(by_size):
        # Like sizes together: a batch costs as much as its largest system, cubed.
        limit = max(1.5 * ascending[first], ascending[first] + 6)
        last = int(np.searchsorted(ascending, limit, side="right"))
        rows = by_size[first:last]
        weights[rows], price[rows] = _solve_batch(problems, support[rows], rows)
        first = last
    return weights, price


def _solve_batch(problems: SimplexProblems, support: Bools, rows: Ints) -> tuple[Floats, Floats]:
    """:func:`_solve_on` for the problems at ``rows``, each system padded to the largest of them."""
    at, members = np.nonzero(support)
    sizes = support.sum(axis=1)
    width = int(sizes.max())
    place = np.arange(len(at)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    order = np.zeros((len(rows), width), dtype=np.intp)
    order[at, place] = members
    real = np.arange(width) < sizes[:, None]
    system = np.take(problems.gram, order[:, :, None] * len(problems.gram) + order[:, None, :])
    if problems.downdate is not None:
        down = problems.downdate[rows[:, None], order]
        system -= down[:, :, None] * down[:, None, :]
    system *= real[:, :, None] & real[:, None, :]
    diagonal = np.arange(width)
    system[:, diagonal, diagonal] += np.where(real, problems.penalty[rows, None], 1.0)
    sides = np.stack([problems.linear[rows[:, None], order] * real, real], axis=2)
    solved = np.linalg.solve(system, sides)
    price = (solved[:, :, 0].sum(axis=1) - 1.0) / solved[:, :, 1].sum(axis=1)
    weights = np.zeros(support.shape)
    weights[at, members] = (solved[:, :, 0] - price[:, None] * solved[:, :, 1])[at, place]
    return weights, price


def _active_set(problem: SimplexProblems) -> Floats:
    """Lawson & Hanson's active-set method on one problem, (m,): the objective falls at every step."""
    weights: Floats = np.zeros(problem.linear.shape)
    support: Bools = np.zeros(problem.linear.shape, dtype=bool)
    refused: Bools = np.zeros(problem.linear.shape, dtype=bool)
    entering = int(np.argmin(problem.distances()[0]))
    weights[0, entering] = 1.0
    for _ in range(20 * weights.shape[1]):
        support[0, entering] = True
        weights, support, price = _step_to_feasible(problem, weights, support)
        # A donor that rounding alone let in falls out at once; it must not be tried for ever.
        refused[0, entering] = not support[0, entering]
        refused &= not support[0, entering]
        free = problem.allowed & ~support & ~refused
        slopes = np.where(free, problem.slopes(weights) + price[:, None], 0.0)
        entering = int(np.argmin(slopes[0]))
        if slopes[0, entering] >= -_TOLERANCE:
            out: Floats = weights[0]
            return out
    raise EstimateError(
        "the comparison weights did not settle: the donors' predictors are close to collinear; "
        "give the synthetic control a penalty above 0 in the plan"
    )


def _step_to_feasible(problem: SimplexProblems, weights: Floats, support: Bools) -> tuple[Floats, Bools, Floats]:
    """Towards the minimiser on the support, dropping each donor whose weight reaches 0 on the way."""
    found, price = _solve_on(problem, support)
    while (found[support] <= 0).any() and support.sum() > 1:
        leaving = support & (found <= 0)
        steps = weights[leaving] / np.maximum(weights[leaving] - found[leaving], np.finfo(float).tiny)
        weights = weights + steps.min() * (found - weights)
        support = support & ~(leaving & (weights <= 1e-15))
        weights = np.where(support, weights, 0.0)
        found, price = _solve_on(problem, support)
    return found, support, price
