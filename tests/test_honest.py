"""Rambachan & Roth's intervals: published tables, the paper's programs written out plainly, coverage, bad input.

The plain references below follow the paper step by step (every vertex by brute force, critical values by draws,
worst biases by linear programs); the package has them in closed form.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize
from scipy.stats import foldnorm, norm

from belonging_research.errors import EstimateError
from belonging_research.estimators.honest import (
    breakdown_relative_magnitude,
    breakdown_smoothness,
    relative_magnitude_interval,
    smoothness_interval,
)

PRINTED = 0.001  # the published sets come from a grid of step 0.0004 and from 1,000 draws
DRAWS = 0.02  # of the effect's standard error: what 400,000 draws leave open in the first stage
SAME = 1e-9

Study = tuple[np.ndarray, np.ndarray, int]


# The published example


def event_study(rows: pd.DataFrame, *, parameters: int) -> Study:
    """Two-way event study on ``dins``, reference 2013, clustered by state; ``parameters`` counted in the factor."""
    rows = rows[(rows["year"] < 2016) & (rows["yexp2"] != 2015)]
    outcome = rows.pivot(index="stfips", columns="year", values="dins")
    treated = (rows.groupby("stfips")["yexp2"].first().reindex(outcome.index) == 2014).to_numpy()
    years = [year for year in outcome.columns if year != 2013]
    dummies = treated[:, None, None] * (outcome.columns.to_numpy()[:, None] == np.array(years))[None]
    x, y = _without_means(dummies.astype(float)), _without_means(outcome.to_numpy()[:, :, None])[:, :, 0]
    bread = np.linalg.inv(np.einsum("itk,itl->kl", x, x))
    betahat = bread @ np.einsum("itk,it->k", x, y)
    scores = np.einsum("itk,it->ik", x, y - x @ betahat)
    states, n = len(outcome), outcome.size
    factor = states / (states - 1) * (n - 1) / (n - parameters)
    return betahat, factor * bread @ (scores.T @ scores) @ bread, sum(year < 2013 for year in years)


def _without_means(values: np.ndarray) -> np.ndarray:
    by_unit, by_year = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    return values - by_unit - by_year + values.mean(axis=(0, 1), keepdims=True)


@pytest.fixture(scope="module")
def medicaid(reference: Path) -> Study:
    """Medicaid expansion with fixest's factor: 7 coefficients and 8 years; states are nested in the clusters."""
    return event_study(pd.read_csv(reference / "medicaid_ehec.csv"), parameters=15)


@pytest.fixture(scope="module")
def benzarti_carloni(reference: Path) -> Study:
    """Value added tax on French restaurants: the authors' 8 coefficients, 4 before."""
    table = pd.read_csv(reference / "benzarti_carloni.csv")
    return table["betahat"].to_numpy(), table.drop(columns="betahat").to_numpy(), 4


def test_medicaid_event_study_has_the_printed_coefficients_and_both_standard_errors(
    medicaid: Study, reference: Path
) -> None:
    """The two conventions differ in whether years are counted: 0.00915 (fixest) and 0.00906."""
    betahat, sigma, n_pre = medicaid
    printed = [-0.00529, -0.01130, -0.00268, -0.00142, 0.00034, 0.04645, 0.06921]
    np.testing.assert_allclose(betahat, printed, atol=6e-6)
    assert n_pre == 5
    assert math.sqrt(sigma[5, 5]) == pytest.approx(0.00915, abs=6e-6)
    _, fewer, _ = event_study(pd.read_csv(reference / "medicaid_ehec.csv"), parameters=8)
    np.testing.assert_allclose(np.sqrt(np.diag(fewer)[5:]), [0.00906, 0.01024], atol=6e-6)


@pytest.mark.parametrize(
    ("m", "low", "high"),
    [
        (0.0, 0.0259, 0.0607),
        (0.01, 0.0132, 0.0787),
        (0.02, 0.00286, 0.0907),
        (0.03, -0.00714, 0.101),
        (0.04, -0.0171, 0.111),
        (0.05, -0.0271, 0.121),
    ],
)
def test_medicaid_smoothness_as_published(medicaid: Study, m: float, low: float, high: float) -> None:
    """The table that the authors print for their package, three digits each."""
    assert smoothness_interval(*medicaid, m=m) == pytest.approx((low, high), abs=PRINTED)
    # No grid and no draws in this one beyond a quantile's million: far closer than the tolerance asked for.
    assert smoothness_interval(*medicaid, m=m) == pytest.approx((low, high), abs=0.0004)


@pytest.mark.parametrize(
    ("m_bar", "low", "high"),
    [(0.5, 0.0241, 0.0673), (1.0, 0.0171, 0.0720), (1.5, 0.00859, 0.0796), (2.0, -0.00107, 0.0883)],
)
def test_medicaid_relative_magnitudes_as_published(medicaid: Study, m_bar: float, low: float, high: float) -> None:
    """Likewise the table of relative magnitudes."""
    assert relative_magnitude_interval(*medicaid, m_bar=m_bar) == pytest.approx((low, high), abs=PRINTED)


def test_medicaid_breakdowns_as_published(medicaid: Study) -> None:
    """Just below twice the largest step before; a bend between the rows 0.02 and 0.03 of the table."""
    relative, bend = breakdown_relative_magnitude(*medicaid), breakdown_smoothness(*medicaid)
    assert relative is not None and 1.9 < relative < 2
    assert bend is not None and 0.02 < bend < 0.025


@pytest.mark.parametrize("m, low, high", [(0.0, 0.1315, 0.2162), (0.01, 0.1550, 0.2705), (0.02, 0.1765, 0.3152)])
def test_benzarti_carloni_smoothness_as_moderndid_has_it(
    benzarti_carloni: Study, m: float, low: float, high: float
) -> None:
    """No table is published; an independent package's values."""
    assert smoothness_interval(*benzarti_carloni, m=m) == pytest.approx((low, high), abs=0.0002)


@pytest.mark.parametrize("m_bar, low, high", [(1.0, 0.0678, 0.3186), (2.0, -0.0417, 0.4239)])
def test_benzarti_carloni_relative_magnitudes_as_moderndid_has_it(
    benzarti_carloni: Study, m_bar: float, low: float, high: float
) -> None:
    """Within two steps of that package's grid (0.0009), which keeps points inside the set only."""
    assert relative_magnitude_interval(*benzarti_carloni, m_bar=m_bar) == pytest.approx((low, high), abs=0.002)


# The paper's programs, plainly


def random_study(seed: int, n_pre: int, n_post: int) -> tuple[np.ndarray, np.ndarray, int, np.ndarray]:
    """Coefficients some standard errors from 0, correlated, and an effect that may weigh periods negatively."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n_pre + n_post, n_pre + n_post + 1))
    weights = rng.normal(size=n_post)
    weights[rng.random(n_post) < 0.3] = 0.0
    weights[0] = weights[0] or 1.0
    return 2 * rng.normal(size=n_pre + n_post), factor @ factor.T, n_pre, weights


def components(n_pre: int, n_post: int, m_bar: float) -> list[np.ndarray]:
    """A of each set {delta: A delta <= 0} whose union is Delta^RM, conditions on steps after only."""
    steps = np.diff(np.insert(np.eye(n_pre + n_post), n_pre, 0.0, axis=0), axis=0)
    after = steps[n_pre:]
    return [
        np.concatenate([after - m_bar * sign * steps[s], -after - m_bar * sign * steps[s]])
        for s in range(n_pre)
        for sign in (1, -1)
    ]


def test_set_of_no_relative_magnitude_is_the_ordinary_interval(medicaid: Study) -> None:
    """m_bar = 0 is parallel trends, and the two stages together have size 5 % exactly."""
    half = norm.ppf(0.975) * math.sqrt(medicaid[1][5, 5])
    expected = medicaid[0][5] - half, medicaid[0][5] + half
    assert relative_magnitude_interval(*medicaid, m_bar=0.0) == pytest.approx(expected, abs=1e-7)


def test_every_step_before_counts_the_one_into_the_reference_too() -> None:
    """Moving only one step before widens the set, whichever it is."""
    flat = relative_magnitude_interval(np.array([0.0, 0, 0, 0]), np.eye(4), 3, m_bar=1.0)
    for betahat in ([9.0, 0, 0, 0], [9.0, 9, 0, 0], [9.0, 9, 9, 0]):
        low, high = relative_magnitude_interval(np.array(betahat), np.eye(4), 3, m_bar=1.0)
        assert low < flat[0] - 5 and high > flat[1] + 5


class PlainTest:
    """The hybrid test of one component: every vertex of the dual found by trying all bases."""

    def __init__(self, study: Study, weights: np.ndarray, conditions: np.ndarray, draws: np.ndarray) -> None:
        betahat, sigma, n_pre = study
        self.covariance = conditions @ sigma @ conditions.T
        self.sd = np.sqrt(np.diag(self.covariance))
        # Effects that leave l'tau as it is are free; along `along`, l'tau rises by one.
        self.along = conditions[:, n_pre:] @ (weights / (weights @ weights))
        self.free = conditions[:, n_pre:] @ np.linalg.svd(weights[None])[2][1:].T
        self.data = conditions @ betahat
        equal = np.concatenate([self.sd[:, None], self.free], axis=1).T
        found = []
        for basis in combinations(range(len(self.sd)), len(equal)):
            chosen = equal[:, basis]
            if abs(np.linalg.det(chosen)) < 1e-9:
                continue
            values = np.linalg.solve(chosen, np.eye(len(equal))[0])
            if values.min() >= -1e-10:
                vertex = np.zeros(len(self.sd))
                vertex[list(basis)] = values
                found.append(vertex)
        self.vertices = np.unique(np.round(found, 10), axis=0)
        largest = (draws @ conditions.T @ self.vertices.T).max(axis=1)
        self.first = float(np.quantile(largest, 0.995))

    def accepts(self, theta: float) -> bool:
        moments = self.data - self.along * theta
        values = self.vertices @ moments
        best = int(np.argmax(values))
        if values[best] > self.first:
            return False
        spread = self.vertices @ self.covariance @ self.vertices[best]
        share = spread / spread[best]
        rest = values - share * values[best]
        low = max((rest[share < 1 - 1e-7] / (1 - share[share < 1 - 1e-7])).tolist(), default=-np.inf)
        high = min((rest[share > 1 + 1e-7] / (1 - share[share > 1 + 1e-7])).tolist(), default=np.inf)
        sd, high = math.sqrt(spread[best]), min(high, self.first)
        size = (0.05 - 0.005) / (1 - 0.005)
        tail = norm.sf(values[best] / sd) - norm.sf(high / sd)
        return bool(values[best] <= 0 or tail > size * (norm.sf(low / sd) - norm.sf(high / sd)))


@pytest.mark.parametrize("seed, n_pre, n_post, m_bar", [(1, 1, 1, 1.0), (2, 3, 1, 2.0), (3, 2, 2, 0.5), (4, 4, 3, 1.0)])
def test_relative_magnitude_ends_are_those_of_the_test_inverted_point_by_point(
    seed: int, n_pre: int, n_post: int, m_bar: float
) -> None:
    """No point beyond an end is accepted by any component, and points up to it are."""
    betahat, sigma, _, weights = random_study(seed, n_pre, n_post)
    root = np.linalg.cholesky(sigma)
    draws = np.random.default_rng(0).normal(size=(400_000, len(betahat))) @ root.T
    tests = [PlainTest((betahat, sigma, n_pre), weights, a, draws) for a in components(n_pre, n_post, m_bar)]
    low, high = relative_magnitude_interval(betahat, sigma, n_pre, m_bar=m_bar, weights=weights)
    margin = DRAWS * math.sqrt(weights @ sigma[n_pre:, n_pre:] @ weights)
    for end, outwards in ((low, -margin), (high, margin)):
        assert any(test.accepts(end - outwards) for test in tests)
        beyond = end + outwards * np.concatenate([[1.0], np.arange(2.0, 1500.0, 5.0)])
        assert not any(test.accepts(theta) for test in tests for theta in beyond)


@pytest.mark.parametrize("seed, n_pre, n_post", [(1, 2, 1), (2, 3, 2), (3, 3, 3)])
def test_largest_statistic_over_vertices_is_the_linear_program_of_the_paper(seed: int, n_pre: int, n_post: int) -> None:
    """The brute-force vertices stand for min eta s.t. Y - X delta <= sd eta."""
    betahat, sigma, _, weights = random_study(seed, n_pre, n_post)
    plain = PlainTest((betahat, sigma, n_pre), weights, components(n_pre, n_post, 1.0)[0], np.eye(len(betahat)))
    for theta in (-3.0, 0.0, 2.0):
        moments = plain.data - plain.along * theta
        left = -np.concatenate([plain.sd[:, None], plain.free], axis=1)
        solved = linprog(np.eye(left.shape[1])[0], A_ub=left, b_ub=-moments, bounds=(None, None))
        assert (plain.vertices @ moments).max() == pytest.approx(solved.fun, abs=1e-7)


def worst_bias(estimator: np.ndarray, n_pre: int) -> float:
    """The largest estimator'delta with second differences within 1, by a linear program."""
    n = len(estimator)
    bends = np.diff(np.insert(np.eye(n), n_pre, 0.0, axis=0), n=2, axis=0)
    within = np.concatenate([bends, -bends])
    return -float(linprog(-estimator, A_ub=within, b_ub=np.ones(len(within)), bounds=(None, None)).fun)


@pytest.mark.parametrize("seed, n_pre, n_post, m", [(1, 1, 2, 0.7), (2, 2, 2, 0.3), (5, 3, 1, 0.1), (6, 3, 3, 0.4)])
def test_smoothness_interval_is_the_shortest_of_all_linear_estimators(
    seed: int, n_pre: int, n_post: int, m: float
) -> None:
    """A search that knows no structure finds none shorter, and the same one."""
    betahat, sigma, _, weights = random_study(seed, n_pre, n_post)
    times = np.arange(-n_pre, 0.0)
    base = np.concatenate([times * -(weights @ np.arange(1.0, n_post + 1)) / (times @ times), weights])
    moves = np.concatenate([np.linalg.svd(times[None])[2][1:].T, np.zeros((n_post, n_pre - 1))])

    def half_length(x: np.ndarray) -> float:
        estimator = base + moves @ x
        spread = math.sqrt(estimator @ sigma @ estimator)
        return spread * float(foldnorm.ppf(0.95, m * worst_bias(estimator, n_pre) / spread))

    found = np.zeros(n_pre - 1)
    if n_pre > 1:
        options = {"xatol": 1e-7, "fatol": 1e-9, "maxfev": 300}
        found = minimize(half_length, found, method="Nelder-Mead", options=options).x
    low, high = smoothness_interval(betahat, sigma, n_pre, m=m, weights=weights)
    assert (high - low) / 2 == pytest.approx(half_length(found), rel=1e-6)
    assert (low + high) / 2 == pytest.approx((base + moves @ found) @ betahat, abs=1e-3 * (high - low))


@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e8])
def test_smoothness_interval_of_many_periods_is_as_short_as_a_smooth_search_finds(unit: float) -> None:
    """36 months before and 12 after: bends split into rises and falls, minimised by gradient."""
    n_pre, n_post, m = 36, 12, 0.3
    betahat, sigma, _, _ = random_study(8, n_pre, n_post)
    weights = np.full(n_post, 1 / n_post)
    before, after = np.arange(-float(n_pre), 0.0), np.arange(1.0, n_post + 1)
    bends = np.maximum(np.arange(-n_pre + 1.0, 0.0)[:, None] - before, 0.0)
    inverse = np.linalg.inv(np.concatenate([before[None], bends]))
    base = np.concatenate([inverse[:, 0] * -(weights @ after), weights])
    moves = np.concatenate([inverse[:, 1:], np.zeros((n_post, n_pre - 1))])
    fixed = sum(weights @ np.maximum(after - k, 0.0) for k in range(n_post))

    def half_length(parts: np.ndarray) -> tuple[float, np.ndarray]:
        estimator = base + moves @ (parts[: n_pre - 1] - parts[n_pre - 1 :])
        spread = math.sqrt(estimator @ sigma @ estimator)
        shift = m * (fixed + parts.sum()) / spread
        critical = float(foldnorm.ppf(0.95, shift))
        slope = math.tanh(critical * shift)
        by_spread = moves.T @ sigma @ estimator / spread * (critical - shift * slope)
        return spread * critical, np.concatenate([by_spread, -by_spread]) + slope * m

    options = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-15, "gtol": 1e-10}
    bounds = [(0, None)] * (2 * n_pre - 2)
    found = minimize(half_length, np.full(len(bounds), 0.01), jac=True, bounds=bounds, options=options)
    low, high = smoothness_interval(betahat * unit, sigma * unit**2, n_pre, m=m * unit, weights=weights)
    assert (high - low) / 2 / unit == pytest.approx(found.fun, rel=1e-7)


# What must hold whatever the numbers


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 5),
    st.integers(1, 4),
    st.floats(0, 3),
    st.floats(0, 2),
)
def test_larger_bounds_give_larger_sets(seed: int, n_pre: int, n_post: int, bound: float, more: float) -> None:
    """Smoothness: longer. (Its estimator moves, so only the length is ordered.)"""
    betahat, sigma, _, weights = random_study(seed, n_pre, n_post)
    low, high = smoothness_interval(betahat, sigma, n_pre, m=bound, weights=weights)
    lower, higher = smoothness_interval(betahat, sigma, n_pre, m=bound + more, weights=weights)
    assert higher - lower >= (high - low) * (1 - 1e-9)


@pytest.mark.parametrize("function, name", [(smoothness_interval, "m"), (relative_magnitude_interval, "m_bar")])
def test_units_signs_and_order_of_effects(
    medicaid: Study, function: Callable[..., tuple[float, float]], name: str
) -> None:
    """Another unit scales, a flipped outcome mirrors, weight on one period is that period."""
    betahat, sigma, n_pre = medicaid
    for factor in (1e-8, 1e5):
        bound = {name: 0.01 * factor if name == "m" else 0.7}
        unscaled = function(betahat, sigma, n_pre, **{name: 0.01 if name == "m" else 0.7})
        scaled = function(betahat * factor, sigma * factor**2, n_pre, **bound)
        assert scaled == pytest.approx((unscaled[0] * factor, unscaled[1] * factor), rel=1e-6)
    low, high = function(betahat, sigma, n_pre, **{name: 0.01})
    assert function(-betahat, sigma, n_pre, **{name: 0.01}) == pytest.approx((-high, -low), rel=SAME)
    assert function(betahat, sigma, n_pre, weights=np.array([1.0, 0.0]), **{name: 0.01}) == (low, high)
    assert function(betahat, sigma, n_pre, weights=np.array([-1.0, 0.0]), **{name: 0.01}) == pytest.approx(
        (-high, -low), rel=SAME
    )


def test_relative_magnitude_sets_nest_in_the_bound_and_the_level(medicaid: Study, benzarti_carloni: Study) -> None:
    """On both published examples, in fine steps."""
    for study in (medicaid, benzarti_carloni):
        sets = np.array([relative_magnitude_interval(*study, m_bar=m_bar) for m_bar in np.arange(0, 5, 0.125)])
        assert (np.diff(sets[:, 0]) < 0).all() and (np.diff(sets[:, 1]) > 0).all()
        narrow = relative_magnitude_interval(*study, m_bar=1.0, level=0.9)
        wide = relative_magnitude_interval(*study, m_bar=1.0, level=0.99)
        assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize(
    "interval, breakdown, name",
    [
        (smoothness_interval, breakdown_smoothness, "m"),
        (relative_magnitude_interval, breakdown_relative_magnitude, "m_bar"),
    ],
)
def test_breakdown_is_where_zero_enters(
    medicaid: Study,
    interval: Callable[..., tuple[float, float]],
    breakdown: Callable[..., float | None],
    name: str,
) -> None:
    """Just below it 0 is out, just above it is in; an effect that is not seen at all has none."""
    betahat, sigma, n_pre = medicaid
    for sign in (1, -1):
        found = breakdown(sign * betahat, sigma, n_pre)
        assert found is not None
        below = interval(sign * betahat, sigma, n_pre, **{name: found})
        above = interval(sign * betahat, sigma, n_pre, **{name: found * (1 + 1e-4)})
        assert min(sign * below[0], sign * below[1]) > 0 > min(sign * above[0], sign * above[1])
    assert breakdown(betahat * 0, sigma, n_pre) is None


def test_intervals_cover_the_truth_on_the_edge_of_what_is_allowed() -> None:
    """Nearly 95 of 100 or more of 400 made-up studies, the trends parting as fast as the bound allows."""
    rng = np.random.default_rng(20230902)
    n_pre, n_post, m, m_bar, effect = 3, 2, 0.5, 1.0, 4.0
    sigma = 0.5 * np.eye(5) + 0.5
    curved = np.array([9.0, 4.0, 1.0, 1.0, 4.0]) * m / 2  # second differences are m throughout
    jump = np.array([-1.5, -1.5, -1.5, 1.5, 3.0])  # steps 0, 0, 1.5 before; 1.5 a period after
    covered = np.zeros(2)
    for noise in rng.multivariate_normal(np.zeros(5), sigma, size=400):
        truth = np.array([0, 0, 0, effect, effect])
        smooth = smoothness_interval(truth + curved + noise, sigma, n_pre, m=m)
        relative = relative_magnitude_interval(truth + jump + noise, sigma, n_pre, m_bar=m_bar)
        covered += [low <= effect <= high for low, high in (smooth, relative)]
    # Three standard errors of a simulated 95 %.
    assert (covered / 400 > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 400)).all()
    assert n_post == len(sigma) - n_pre


def test_ordinary_interval_would_not_cover_there() -> None:
    """The same trends without a bound: what the robust intervals are for."""
    rng = np.random.default_rng(1)
    estimates = 4.0 + 1.5 + rng.normal(size=400)
    assert np.mean(np.abs(estimates - 4.0) <= norm.ppf(0.975)) < 0.75


def test_results_are_the_same_each_time_and_global_state_is_untouched(medicaid: Study) -> None:
    """No draws are taken, so no seed is needed; the input is not written to."""
    betahat, sigma, n_pre = (np.copy(part) if isinstance(part, np.ndarray) else part for part in medicaid)
    np.random.seed(7)
    state = np.random.get_state()[1].copy()
    first = relative_magnitude_interval(betahat, sigma, n_pre, m_bar=1.0), smoothness_interval(*medicaid, m=0.01)
    again = relative_magnitude_interval(betahat, sigma, n_pre, m_bar=1.0), smoothness_interval(*medicaid, m=0.01)
    assert first == again
    assert (np.random.get_state()[1] == state).all()
    assert (betahat == medicaid[0]).all() and (sigma == medicaid[1]).all()


def test_coefficient_known_exactly_is_no_obstacle() -> None:
    """A covariance that is only semi-definite: a period before with no error, two that move as one."""
    sigma = np.array([[0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.2], [0.0, 1.0, 1.0, 0.2], [0.0, 0.2, 0.2, 1.0]])
    betahat = np.array([0.1, -0.1, -0.1, 8.0])
    for low, high in (
        smoothness_interval(betahat, sigma, 3, m=0.2),
        relative_magnitude_interval(betahat, sigma, 3, m_bar=1.0),
    ):
        assert np.isfinite([low, high]).all() and low < high


GOOD = (np.array([0.1, -0.1, 0.5, 0.6]), np.eye(4) * 0.01, 2)


@pytest.mark.parametrize(
    "study, options, message",
    [
        ((GOOD[0], GOOD[1], 0), {}, "no coefficient before treatment.*start the panel earlier"),
        ((GOOD[0], GOOD[1], 4), {}, "no coefficient after treatment: 4 given, 4 of them before"),
        ((GOOD[0], np.eye(3), 2), {}, "square covariance.*leave the reference period out"),
        ((GOOD[0][None], GOOD[1], 2), {}, "expected a row of coefficients"),
        ((np.array([0.1, np.nan, 0.5, 0.6]), GOOD[1], 2), {}, "1 of 4 coefficients are missing"),
        ((GOOD[0], np.where(np.eye(4) > 0, np.inf, 0), 2), {}, "4 of 16 covariances are missing or infinite"),
        ((GOOD[0], np.eye(4) - 0.5, 2), {}, "negative eigenvalue"),
        ((GOOD[0], np.tri(4), 2), {}, "not symmetric"),
        ((GOOD[0], np.zeros((4, 4)), 2), {}, "no variance"),
        (GOOD, {"weights": np.zeros(2)}, "no variance; give weights that are not all 0"),
        (GOOD, {"weights": np.ones(3)}, "expected 2 weights, one a period after"),
        (GOOD, {"weights": np.array([1.0, np.nan])}, "1 of 2 weights are missing"),
        (GOOD, {"level": 95.0}, "level 95: expected a share"),
    ],
)
def test_bad_input_is_explained(study: Study, options: dict[str, object], message: str) -> None:
    """Every entrance says what is lacking and what to do."""
    for function, bound in (
        (smoothness_interval, {"m": 1.0}),
        (relative_magnitude_interval, {"m_bar": 1.0}),
        (breakdown_smoothness, {}),
        (breakdown_relative_magnitude, {}),
    ):
        with pytest.raises(EstimateError, match=message):
            function(*study, **bound, **options)


@pytest.mark.parametrize("bound", [-0.1, math.nan, math.inf])
def test_bound_below_zero_or_missing_is_refused(bound: float) -> None:
    """How far trends may part is a number of at least 0."""
    with pytest.raises(EstimateError, match="how far trends may part"):
        smoothness_interval(*GOOD, m=bound)
    with pytest.raises(EstimateError, match="how far trends may part"):
        relative_magnitude_interval(*GOOD, m_bar=bound)
