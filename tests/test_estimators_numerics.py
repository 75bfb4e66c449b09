"""The estimators' numerical functions: exactness, invariances, bad input, and truth recovered."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize, nnls

from belonging_research.errors import EstimateError
from belonging_research.estimators import placebo, weights
from belonging_research.estimators import synthetic_difference as difference
from belonging_research.estimators.weights import simplex

SAME_WEIGHTS = 1e-6  # against SciPy's nnls, whose sum-to-one row is itself only approximate
SAME_SUMS = 1e-10
ORDER = 1e-9  # the order of units may move nothing but rounding
OPTIMAL = 1e-8  # optimality conditions, relative to the donors' mean squared spread


def factor_panel(seed: int, *, n: int = 40, periods: int = 30, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Units that share three moving factors with loadings of their own, and a mask with unit 0 treated."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(n, 3))
    factors = rng.normal(size=(3, periods)).cumsum(axis=1) * 0.3
    level = rng.normal(size=(n, 1))
    outcomes = 5 + level + loadings @ factors + noise * rng.normal(size=(n, periods))
    return outcomes, np.arange(n) != 0


def plain_nnls(predictors: np.ndarray, donors: np.ndarray, penalty: float) -> np.ndarray:
    """The same weights by SciPy, one unit at a time: the reference."""
    out = np.zeros((len(predictors), len(predictors)))
    for unit in range(len(predictors)):
        others = np.flatnonzero(donors & (np.arange(len(predictors)) != unit))
        centre = predictors[others].mean(axis=0)
        others_centred, target = predictors[others] - centre, predictors[unit] - centre
        heavy = 3e4 * np.sqrt((others_centred**2).sum(axis=1).mean())
        ridge = np.sqrt(penalty) * np.eye(len(others))
        left = np.vstack([others_centred.T, ridge, np.full((1, len(others)), heavy)])
        right = np.concatenate([target, np.zeros(len(others)), [heavy]])
        found, _ = nnls(left, right, maxiter=100 * len(others))
        out[unit, others] = found / found.sum()
    return out


def plain_ridge(predictors: np.ndarray, fitted: np.ndarray, donors: np.ndarray, penalty: float) -> np.ndarray:
    """The augmentation written as the paper has it, one unit at a time: the reference."""
    out = fitted.copy()
    for unit in range(len(predictors)):
        others = np.flatnonzero(donors & (np.arange(len(predictors)) != unit))
        centre = predictors[others].mean(axis=0)
        x0, x1 = predictors[others] - centre, predictors[unit] - centre
        inner = x0.T @ x0 + penalty * np.eye(x0.shape[1])
        out[unit, others] += x0 @ np.linalg.solve(inner, x1 - x0.T @ fitted[unit, others])
    return out


def worst_violation(predictors: np.ndarray, donors: np.ndarray, penalty: float, found: np.ndarray) -> float:
    """Largest breach of the Karush-Kuhn-Tucker conditions, relative to the donors' spread."""
    centred = predictors - predictors[donors].mean(axis=0)
    scale = (centred[donors] ** 2).sum(axis=1).mean()
    slopes = ((found @ centred - centred) @ centred.T + penalty * found) / scale
    allowed = donors[None, :] & ~np.eye(len(predictors), dtype=bool)
    excess = slopes - (found * slopes).sum(axis=1, keepdims=True)
    return float(max(-excess[allowed].min(), (np.abs(excess) * found).max()))


class TestSimplexWeights:
    """Leave-one-out synthetic control weights."""

    @pytest.mark.parametrize("penalty", [0.1, 10.0, 3000.0])
    @pytest.mark.parametrize("shape", [(40, 30), (60, 12), (25, 80)])
    def test_equal_to_scipy_nnls(self, shape: tuple[int, int], penalty: float) -> None:
        """All units at once give what SciPy gives one at a time."""
        predictors, donors = factor_panel(1, n=shape[0], periods=shape[1])
        found = weights.leave_one_out_simplex_weights(predictors, donors, penalty=penalty)
        np.testing.assert_allclose(found, plain_nnls(predictors, donors, penalty), atol=SAME_WEIGHTS)

    @pytest.mark.parametrize("shape", [(40, 30), (60, 3), (25, 80)])
    def test_without_penalty_the_fit_is_as_close_as_scipys(self, shape: tuple[int, int]) -> None:
        """With no penalty the mix may not be unique; its distance to the target is."""
        predictors, donors = factor_panel(2, n=shape[0], periods=shape[1])
        found = weights.leave_one_out_simplex_weights(predictors, donors, penalty=0.0)
        ours = ((predictors - found @ predictors) ** 2).sum(axis=1)
        other = plain_nnls(predictors, donors, 0.0)
        theirs = ((predictors - other @ predictors) ** 2).sum(axis=1)
        np.testing.assert_allclose(ours, theirs, atol=1e-8 * theirs.max() + 1e-10)

    @settings(max_examples=40, deadline=None)
    @given(
        seed=st.integers(0, 10_000),
        n=st.integers(3, 40),
        periods=st.integers(1, 40),
        penalty=st.sampled_from([0.0, 1e-6, 0.01, 1.0, 100.0, 1e6]),
        scale=st.sampled_from([1e-4, 1.0, 1e4]),
    )
    def test_optimal_whatever_the_shape(self, seed: int, n: int, periods: int, penalty: float, scale: float) -> None:
        """Weights are a mix of other donors and meet the optimality conditions, at any shape and scale."""
        predictors, donors = factor_panel(seed, n=n, periods=periods)
        found = weights.leave_one_out_simplex_weights(scale * predictors, donors, penalty=scale**2 * penalty)
        assert (found >= 0).all()
        np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
        assert not found[:, 0].any()
        assert not np.diag(found).any()
        assert worst_violation(predictors, donors, penalty, found) < OPTIMAL

    @pytest.mark.parametrize("penalty", [0.0, 10.0])
    def test_order_of_units_changes_nothing(self, penalty: float) -> None:
        """Weights follow their units when the units are shuffled."""
        predictors, donors = factor_panel(3)
        shuffled = np.random.default_rng(0).permutation(len(donors))
        found = weights.leave_one_out_simplex_weights(predictors, donors, penalty=penalty)
        again = weights.leave_one_out_simplex_weights(predictors[shuffled], donors[shuffled], penalty=penalty)
        np.testing.assert_allclose(again, found[np.ix_(shuffled, shuffled)], atol=ORDER)

    def test_same_input_same_bytes(self) -> None:
        """Two runs agree to the last bit."""
        predictors, donors = factor_panel(3)
        first = weights.leave_one_out_simplex_weights(predictors, donors, penalty=10.0)
        assert first.tobytes() == weights.leave_one_out_simplex_weights(predictors, donors, penalty=10.0).tobytes()

    def test_a_common_shift_in_a_period_changes_nothing(self) -> None:
        """Something that moves every unit alike in one period leaves the mix alone."""
        predictors, donors = factor_panel(4)
        shift = np.random.default_rng(1).normal(size=predictors.shape[1]) * 50
        found = weights.leave_one_out_simplex_weights(predictors, donors, penalty=1.0)
        moved = weights.leave_one_out_simplex_weights(predictors + shift, donors, penalty=1.0)
        np.testing.assert_allclose(moved, found, atol=1e-9)

    def test_twins_share_the_weight(self) -> None:
        """Two identical donors get equal weight, penalty or none: the most even of equal mixes."""
        predictors, donors = factor_panel(5, n=12)
        predictors[2] = predictors[1]
        predictors[0] = (predictors[1] + predictors[3]) / 2
        found = weights.leave_one_out_simplex_weights(predictors, donors, penalty=0.0)
        assert found[0, 1] == pytest.approx(found[0, 2], abs=1e-6)
        assert found[0, [1, 2, 3]] == pytest.approx([0.25, 0.25, 0.5], abs=1e-5)

    def test_one_unit_alone_equals_its_row(self) -> None:
        """The single-unit function gives the treated unit's row of the joint one."""
        predictors, donors = factor_panel(6)
        joint = weights.leave_one_out_simplex_weights(predictors, donors, penalty=2.0)
        alone = weights.simplex_weights(
            predictors[0], predictors[1:], penalty=2.0, allowed=np.ones((1, len(predictors) - 1), dtype=bool)
        )[0]
        np.testing.assert_allclose(alone, joint[0, 1:], atol=1e-12)

    def test_active_set_fallback_agrees(self) -> None:
        """The method for problems that pivoting leaves open finds the same weights."""
        predictors, donors = factor_panel(7, n=30, periods=8)
        spread, scale = weights._standardise(predictors, donors)
        gram = spread @ spread.T + 1.0
        allowed = donors[None, :] & ~np.eye(30, dtype=bool)
        problems = simplex.SimplexProblems(gram=gram, linear=gram, allowed=allowed, penalty=np.full(30, 0.5 / scale))
        pivoted = simplex.solve_simplex(problems)
        for unit in range(30):
            one = simplex._active_set(problems.rows(np.array([unit])))
            np.testing.assert_allclose(one, pivoted[unit], atol=1e-10)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (lambda x, d: (np.where(np.arange(40)[:, None] == 3, np.nan, x), d), "1 of 40 units have a gap"),
            (lambda x, d: (x, np.arange(len(x)) == 1), "at least 2 are needed"),
            (lambda x, d: (np.ones_like(x), d), "all alike"),
            (lambda x, d: (x[:, :0], d), "at least one period"),
            (lambda x, d: (x, d[:-1]), "donor flag a unit"),
        ],
    )
    def test_bad_input_is_refused(self, change, says: str) -> None:  # type: ignore[no-untyped-def]
        """Gaps, too few donors, a constant outcome, no period, a wrong shape: an error that says what."""
        predictors, donors = change(*factor_panel(8))
        with pytest.raises(EstimateError, match=says):
            weights.leave_one_out_simplex_weights(predictors, donors, penalty=1.0)

    @pytest.mark.parametrize("penalty", [-1.0, np.nan, np.inf])
    def test_impossible_penalty_is_refused(self, penalty: float) -> None:
        """A penalty must be a number of 0 or more."""
        with pytest.raises(EstimateError, match="penalty"):
            weights.leave_one_out_simplex_weights(*factor_panel(8), penalty=penalty)


class TestRidge:
    """Ridge augmentation of the weights."""

    @pytest.mark.parametrize("penalty", [0.01, 1.0, 100.0])
    @pytest.mark.parametrize("shape", [(40, 30), (60, 5), (25, 60)])
    def test_equal_to_the_plain_loop(self, shape: tuple[int, int], penalty: float) -> None:
        """One factorisation with down-dates gives what a solve a unit gives."""
        predictors, donors = factor_panel(9, n=shape[0], periods=shape[1])
        fitted = weights.leave_one_out_simplex_weights(predictors, donors, penalty=1.0)
        found = weights.ridge_augmented_weights(predictors, fitted, donors, penalty=penalty)
        np.testing.assert_allclose(found, plain_ridge(predictors, fitted, donors, penalty), atol=SAME_SUMS)

    def test_weights_still_sum_to_one_and_skip_the_unit_itself(self) -> None:
        """The correction sums to zero, and never uses the unit or one that is not a donor."""
        predictors, donors = factor_panel(10)
        fitted = weights.leave_one_out_simplex_weights(predictors, donors, penalty=1.0)
        found = weights.ridge_augmented_weights(predictors, fitted, donors, penalty=5.0)
        np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
        assert not np.diag(found).any()
        assert not found[:, 0].any()
        assert (found < 0).any()

    def test_fit_before_the_start_improves(self) -> None:
        """What the simplex could not match is matched more closely, for every unit."""
        predictors, donors = factor_panel(11)
        fitted = weights.leave_one_out_simplex_weights(predictors, donors, penalty=1.0)
        found = weights.ridge_augmented_weights(predictors, fitted, donors, penalty=5.0)
        before = np.linalg.norm(predictors - fitted @ predictors, axis=1)
        after = np.linalg.norm(predictors - found @ predictors, axis=1)
        assert (after <= before + 1e-12).all()

    def test_a_huge_penalty_gives_the_simplex_back(self) -> None:
        """As the penalty grows the correction vanishes."""
        predictors, donors = factor_panel(11)
        fitted = weights.leave_one_out_simplex_weights(predictors, donors, penalty=1.0)
        found = weights.ridge_augmented_weights(predictors, fitted, donors, penalty=1e12)
        np.testing.assert_allclose(found, fitted, atol=1e-8)

    def test_path_equals_the_single_fits(self) -> None:
        """The path over penalties holds each single fit's predictions."""
        predictors, donors = factor_panel(12)
        outcome = np.random.default_rng(2).normal(size=len(donors)) + 7
        fitted = weights.leave_one_out_simplex_weights(predictors, donors, penalty=1.0)
        penalties = np.array([0.1, 1.0, 100.0])
        path = weights.ridge_path(predictors, outcome, fitted, donors, penalties=penalties)
        for penalty, row in zip(penalties, path, strict=True):
            single = weights.ridge_augmented_weights(predictors, fitted, donors, penalty=float(penalty))
            np.testing.assert_allclose(row, single @ outcome, atol=SAME_SUMS)

    def test_without_penalty_it_is_refused(self) -> None:
        """The correction is not defined without a penalty."""
        predictors, donors = factor_panel(12)
        fitted = weights.leave_one_out_simplex_weights(predictors, donors, penalty=1.0)
        with pytest.raises(EstimateError, match="above 0"):
            weights.ridge_augmented_weights(predictors, fitted, donors, penalty=0.0)


EFFECTS = {
    "difference_in_differences": difference.difference_in_differences_effects,
    "synthetic_control": difference.synthetic_control_effects,
    "demeaned_synthetic_control": partial(difference.synthetic_control_effects, demeaned=True),
    "synthetic_did": difference.synthetic_did_effects,
}


@pytest.mark.parametrize("method", EFFECTS)
class TestEffects:
    """What every estimator of this family owes."""

    def test_a_constant_added_leaves_effects_alone(self, method: str) -> None:
        """A level added to every unit and period, or to every unit in one period, moves no effect."""
        outcomes, donors = factor_panel(20)
        effects = EFFECTS[method](outcomes, 20, donors)
        np.testing.assert_allclose(EFFECTS[method](outcomes + 9.0, 20, donors), effects, atol=1e-8)
        common = np.where(np.arange(30) == 25, 3.0, 0.0)
        np.testing.assert_allclose(EFFECTS[method](outcomes + common, 20, donors), effects, atol=1e-8)

    def test_the_unit_of_measurement_scales_effects(self, method: str) -> None:
        """Proportions and points give the same effects, a hundredfold."""
        outcomes, donors = factor_panel(21)
        effects = EFFECTS[method](outcomes, 20, donors)
        np.testing.assert_allclose(EFFECTS[method](100 * outcomes, 20, donors), 100 * effects, atol=1e-6)

    def test_order_of_units_changes_nothing(self, method: str) -> None:
        """Effects follow their units when the units are shuffled."""
        outcomes, donors = factor_panel(22)
        shuffled = np.random.default_rng(0).permutation(len(donors))
        effects = EFFECTS[method](outcomes, 20, donors)
        again = EFFECTS[method](outcomes[shuffled], 20, donors[shuffled])
        np.testing.assert_allclose(again, effects[shuffled], atol=ORDER)

    def test_an_added_effect_is_found_whole(self, method: str) -> None:
        """Weights see the time before only: an effect added after it moves the estimate by just that."""
        outcomes, donors = factor_panel(23)
        treated = outcomes.copy()
        treated[0, 20:] += 1.5
        found = EFFECTS[method](treated, 20, donors) - EFFECTS[method](outcomes, 20, donors)
        np.testing.assert_allclose(found, np.where(donors, 0.0, 1.5), atol=1e-9)

    def test_a_donor_is_judged_as_if_treated_alone(self, method: str) -> None:
        """Each donor's effect equals that of a panel where it is the treated unit and unit 0 is gone."""
        outcomes, donors = factor_panel(24)
        joint = EFFECTS[method](outcomes, 20, donors)
        for unit in (1, 17, 39):
            alone = EFFECTS[method](outcomes[1:], 20, np.arange(1, 40) != unit)
            assert alone[unit - 1] == pytest.approx(joint[unit], abs=1e-8)

    def test_gaps_and_one_sided_panels_are_refused(self, method: str) -> None:
        """A gap, no period before or after the start: an error, never a number."""
        outcomes, donors = factor_panel(25)
        gap = outcomes.copy()
        gap[4, 2] = np.nan
        with pytest.raises(EstimateError, match="gap"):
            EFFECTS[method](gap, 20, donors)
        for n_pre in (0, 30):
            with pytest.raises(EstimateError, match="before the start"):
                EFFECTS[method](outcomes, n_pre, donors)


def test_synthetic_did_without_change_before_the_start_is_refused() -> None:
    """Donors that never move, or one period before: synthetic DiD says to use another method."""
    outcomes, donors = factor_panel(26)
    with pytest.raises(EstimateError, match="difference-in-differences instead"):
        difference.synthetic_did_effects(outcomes, 1, donors)
    flat = np.tile(outcomes[:, :1], (1, 30))
    for refusing in (EFFECTS["synthetic_did"], EFFECTS["demeaned_synthetic_control"]):
        with pytest.raises(EstimateError, match="level of their own"):
            refusing(flat, 20, donors)


def reference_fit(errors: np.ndarray, sizes: np.ndarray) -> float:
    """The lowest negative log-likelihood that a general optimiser finds for s^2 = a0 + b0 / n."""

    def loss(logs: np.ndarray) -> float:
        variance = np.exp(logs[0]) + np.exp(logs[1]) / sizes
        return float(0.5 * np.sum(np.log(variance) + errors**2 / variance))

    spread = float(np.mean(errors**2))
    typical = float(np.mean(1 / sizes))
    starts = ([0.5, 0.5], [0.99, 0.01], [0.01, 0.99])
    return min(
        minimize(loss, [np.log(a * spread), np.log(b * spread / typical)], method="Nelder-Mead").fun for a, b in starts
    )


class TestSizeVariance:
    """The spread of placebo errors as a function of size."""

    @settings(max_examples=30, deadline=None)
    @given(seed=st.integers(0, 10_000), share=st.sampled_from([0.0, 0.3, 0.7, 1.0]), n=st.integers(8, 80))
    def test_no_worse_than_a_general_optimiser(self, seed: int, share: float, n: int) -> None:
        """The fit's likelihood is at least what Nelder-Mead reaches from three starts."""
        rng = np.random.default_rng(seed)
        sizes = np.exp(rng.normal(10, 1, n))
        errors = rng.normal(size=n) * np.sqrt((1 - share) + share * np.exp(10) / sizes)
        a0, b0 = placebo.fit_size_variance(errors, sizes)
        assert a0 >= 0
        assert b0 >= 0
        variance = a0 + b0 / sizes
        ours = 0.5 * np.sum(np.log(variance) + errors**2 / variance)
        assert ours <= reference_fit(errors, sizes) + 1e-7

    def test_known_truth_is_recovered(self) -> None:
        """Many errors drawn with a0 = .02 and b0 = 900 give both back within sampling error."""
        rng = np.random.default_rng(5)
        sizes = rng.uniform(5_000, 180_000, 20_000)
        errors = rng.normal(size=20_000) * np.sqrt(0.02 + 900 / sizes)
        a0, b0 = placebo.fit_size_variance(errors, sizes)
        assert a0 == pytest.approx(0.02, rel=0.05)
        assert b0 == pytest.approx(900, rel=0.08)

    def test_free_of_scale(self) -> None:
        """Proportions or points, sessions or thousands of sessions: the same scaled errors."""
        rng = np.random.default_rng(6)
        errors, sizes = rng.normal(size=50), np.exp(rng.normal(15, 1, 50))
        a0, b0 = placebo.fit_size_variance(errors, sizes)
        small = placebo.fit_size_variance(errors / 100, sizes / 1000)
        assert small == pytest.approx((a0 / 1e4, b0 / 1e7), rel=1e-9)

    def test_leaving_each_out_equals_refitting(self) -> None:
        """The joint leave-one-out fits equal J separate ones."""
        rng = np.random.default_rng(7)
        errors, sizes = rng.normal(size=40), np.exp(rng.normal(10, 1, 40))
        joint = placebo.fit_size_variance_without_each(errors, sizes)
        for unit in range(40):
            alone = placebo.fit_size_variance(np.delete(errors, unit), np.delete(sizes, unit))
            np.testing.assert_allclose(joint[unit], alone, rtol=1e-7, atol=1e-9 * joint.max())

    @pytest.mark.parametrize(
        ("errors", "sizes", "says"),
        [
            (np.full(10, 0.3), np.arange(1.0, 11.0), "all 10 placebo errors are equal"),
            (np.zeros(10), np.arange(1.0, 11.0), "all 10 placebo errors are equal"),
            (np.arange(3.0), np.ones(3), "at least 4"),
            (np.array([1.0, np.nan, 2.0, 3.0]), np.ones(4), "1 of 4 placebo errors"),
            (np.arange(4.0), np.array([1.0, 0.0, 1.0, 1.0]), "1 of 4 sizes"),
            (np.arange(4.0), np.ones(5), "one size an error"),
        ],
    )
    def test_degenerate_input_is_refused(self, errors: np.ndarray, sizes: np.ndarray, says: str) -> None:
        """Constant errors, too few, a gap, a size of 0: an error that says what."""
        with pytest.raises(EstimateError, match=says):
            placebo.fit_size_variance(errors, sizes)

    def test_all_but_one_equal_is_refused_where_each_is_left_out(self) -> None:
        """Leaving the odd one out would leave no spread: an error, not an infinite score."""
        errors = np.array([0.0, 0.0, 0.0, 0.0, 5.0])
        with pytest.raises(EstimateError, match="4 of 5 placebo errors are equal"):
            placebo.fit_size_variance_without_each(errors, np.arange(1.0, 6.0))

    def test_equal_sizes_give_one_variance(self) -> None:
        """Where size cannot explain anything, all variance is a0."""
        errors = np.array([1.0, -1.0, 2.0, -2.0, 0.5])
        a0, b0 = placebo.fit_size_variance(errors, np.full(5, 1000.0))
        assert (a0, b0) == (pytest.approx(np.mean(errors**2)), 0.0)


rounded = st.floats(-4, 4).map(lambda x: round(x, 6))
# Few distinct values, so that ties with each other and with the value are common.
tied = st.integers(-6, 6).map(lambda x: x / 2)
reference_rows = arrays(np.float64, st.integers(5, 60), elements=tied)
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99)


class TestRanks:
    """p-value, critical value and interval from one reference."""

    @settings(max_examples=300, deadline=None)
    @given(
        z=reference_rows,
        value=st.one_of(tied, st.floats(-5, 5)),
        scale=st.sampled_from([1.0, 0.5, 0.173, 1e-3, 7.0]),
        level=st.sampled_from(LEVELS),
    )
    def test_p_and_interval_agree(self, z: np.ndarray, value: float, scale: float, level: float) -> None:
        """p <= a exactly when the interval at 1 - a leaves 0 out, ties included."""
        alpha = placebo.alpha_of(level)
        effect = value * scale
        if alpha < 1 / (len(z) + 1):
            with pytest.raises(EstimateError, match="donors would do"):
                placebo.interval(effect, scale, z, level)
            return
        low, high = placebo.interval(effect, scale, z, level)
        noticed = placebo.placebo_p(effect, scale, z) <= alpha
        assert noticed == (low > 0 or high < 0)
        assert noticed == (abs(effect / scale) > placebo.critical_value(z, alpha))
        assert low <= effect <= high

    @settings(max_examples=100, deadline=None)
    @given(z=arrays(np.float64, st.integers(20, 60), elements=st.floats(-5, 5)), value=st.floats(-5, 5))
    def test_intervals_nest(self, z: np.ndarray, value: float) -> None:
        """A higher level never gives a narrower interval."""
        bounds = [placebo.interval(value, 0.3, z, level) for level in (0.5, 0.8, 0.9, 0.95)]
        for (low, high), (wider_low, wider_high) in pairwise(bounds):
            assert wider_low <= low
            assert wider_high >= high

    def test_p_by_hand(self) -> None:
        """Of |z| = 1, 2, 2, 3 three reach 2, ties included: (1 + 3) / 5; none reaches 4: 1/5."""
        z = np.array([1.0, -2.0, 2.0, 3.0])
        assert placebo.placebo_p(2.0, 1.0, z) == 4 / 5
        assert placebo.placebo_p(-4.0, 1.0, z) == 1 / 5
        assert placebo.placebo_p(0.0, 1.0, z) == 1.0

    def test_critical_value_by_hand(self) -> None:
        """With 19 placebos 5% allows none to reach the value: the largest; 10% allows one: the second."""
        z = np.arange(1.0, 20.0)
        assert placebo.critical_value(z, 0.05) == 19.0
        assert placebo.critical_value(z, 0.10) == 18.0

    def test_decimal_alphas_are_not_lost_to_rounding(self) -> None:
        """0.29 x 100 is 28.999... in binary; the 29th rank must still count."""
        z = np.arange(1.0, 100.0)
        assert placebo.critical_value(z, 0.29) == 71.0
        assert placebo.placebo_p(71.5, 1.0, z) <= 0.29
        assert placebo.placebo_p(71.0, 1.0, z) > 0.29

    @pytest.mark.parametrize(("alpha", "needed"), [(0.05, 19), (0.01, 99), (0.03, 33), (0.005, 199)])
    def test_too_few_placebos_says_how_many_would_do(self, alpha: float, needed: int) -> None:
        """An alpha that no value could reach is refused, naming the number that reaches it."""
        short = np.linspace(-2, 2, needed - 1)
        with pytest.raises(EstimateError, match=f"; {needed} or more donors"):
            placebo.critical_value(short, alpha)
        assert placebo.critical_value(np.linspace(-2, 2, needed), alpha) == 2.0

    @pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, np.nan])
    def test_impossible_alpha_is_refused(self, alpha: float) -> None:
        """Alpha is a share strictly between 0 and 1."""
        with pytest.raises(EstimateError, match="alpha"):
            placebo.critical_value(np.arange(1.0, 30.0), alpha)

    def test_gaps_and_scales_are_refused(self) -> None:
        """A gap among placebos, a scale of 0, a missing value: an error, never a number."""
        z = np.arange(1.0, 30.0)
        with pytest.raises(EstimateError, match="gaps"):
            placebo.placebo_p(1.0, 1.0, np.append(z, np.nan))
        with pytest.raises(EstimateError, match="scale"):
            placebo.placebo_p(1.0, 0.0, z)
        with pytest.raises(EstimateError, match="missing or infinite"):
            placebo.placebo_p(np.nan, 1.0, z)


class TestPower:
    """What the design would have noticed."""

    @settings(max_examples=200, deadline=None)
    @given(
        z=arrays(np.float64, st.integers(20, 150), elements=rounded),
        scale=st.sampled_from([1.0, 0.173, 0.002]),
        alpha=st.sampled_from([0.05, 0.1]),
    )
    def test_the_detectable_effect_is_noticed_and_nothing_smaller_is(
        self, z: np.ndarray, scale: float, alpha: float
    ) -> None:
        """Power at the detectable effect is at least 0.8; a hair below it is less (or it is 0)."""
        if not z.any():
            with pytest.raises(EstimateError, match="are 0"):
                placebo.detectable_effect(z, scale, alpha)
            return
        found = placebo.detectable_effect(z, scale, alpha)
        assert placebo.power_at(z, scale, found, alpha) >= 0.8
        if found > 1e-6 * scale:
            assert placebo.power_at(z, scale, found - 1e-7 * scale, alpha) < 0.8

    def test_equal_to_a_fine_grid(self) -> None:
        """The order statistic is where a search over shifts in steps of 0.001 first reaches 0.8."""
        z = np.random.default_rng(3).standard_t(5, size=147)
        critical = placebo.critical_value(z, 0.05)
        grid = np.arange(0, 10, 0.001)
        noticed = [[np.mean(np.abs(z + sign * x) > critical) for x in grid] for sign in (1, -1)]
        reached = max(grid[np.argmax(np.array(shares) >= 0.8)] for shares in noticed)
        assert placebo.detectable_effect(z, 0.2, 0.05) == pytest.approx(0.2 * reached, abs=0.2 * 0.001)

    def test_near_the_textbook_for_normal_errors(self) -> None:
        """With many normal placebos: (1.96 + 0.84) standard deviations, power and exaggeration likewise."""
        z = np.random.default_rng(4).normal(size=40_000)
        assert placebo.detectable_effect(z, 1.0, 0.05) == pytest.approx(2.80, abs=0.03)
        assert placebo.power_at(z, 1.0, 1.96, 0.05) == pytest.approx(0.5, abs=0.015)
        # Of a normal estimate one standard error from 0: power 0.170, E|z| given |z| > 1.96 is 2.49
        assert placebo.power_at(z, 1.0, 1.0, 0.05) == pytest.approx(0.17, abs=0.01)
        assert placebo.type_m(z, 1.0, 1.0, 0.05) == pytest.approx(2.49, abs=0.03)

    def test_exaggeration_falls_to_one_as_power_grows(self) -> None:
        """A large effect is always noticed and hardly exaggerated; a small one is, manyfold."""
        z = np.random.default_rng(4).normal(size=500)
        large, small = (placebo.type_m(z, 0.2, effect, 0.05) for effect in (4.0, 0.05))
        assert large == pytest.approx(1.0, abs=0.02)
        assert small > 5

    def test_zero_effect_has_no_exaggeration(self) -> None:
        """A ratio to nothing, or to what rounding swallows, is refused."""
        for effect in (0.0, 1e-30):
            with pytest.raises(EstimateError, match="other than 0"):
                placebo.type_m(np.arange(1.0, 30.0), 1.0, effect, 0.05)


def judged(seed: int, effect: float) -> tuple[bool, bool]:
    """One made-up country: does the 95% interval cover the effect, and is it noticed?"""
    rng = np.random.default_rng([20240901, seed])
    n, n_pre = 60, 24
    sizes = np.exp(rng.normal(10.5, 0.8, n))
    loadings, factors = rng.normal(size=(n, 2)), rng.normal(size=(2, n_pre + 4)).cumsum(axis=1) * 0.3
    spread = np.sqrt(0.02 + 1200 / sizes)[:, None]
    outcomes = 7 + loadings @ factors + spread * rng.normal(size=(n, n_pre + 4))
    outcomes[0, n_pre:] += effect
    donors = np.arange(n) != 0
    fitted = weights.leave_one_out_simplex_weights(outcomes[:, :n_pre], donors, penalty=1.0)
    mixes = weights.ridge_augmented_weights(outcomes[:, :n_pre], fitted, donors, penalty=10.0)
    errors = (outcomes - mixes @ outcomes)[:, n_pre:].mean(axis=1)
    fit = placebo.fit_size_variance(errors[donors], sizes[donors])
    z = placebo.scaled_placebos(errors[donors], sizes[donors])
    scale = float(placebo.size_scale(fit, sizes[:1])[0])
    low, high = placebo.interval(errors[0], scale, z, 0.95)
    return low <= effect <= high, placebo.placebo_p(errors[0], scale, z) <= 0.05


def test_placebo_intervals_cover_the_truth() -> None:
    """In 300 made-up countries of unequal units, 95% intervals hold the effect 95% of the time."""
    covered = np.array([judged(seed, 0.6)[0] for seed in range(300)])
    # Two and a half Monte Carlo errors at the nominal rate are 3.1 points.
    assert 0.919 <= covered.mean() <= 0.981


def test_no_effect_is_rarely_noticed_and_a_large_one_mostly() -> None:
    """Where nothing was done 5% are noticed, within Monte Carlo error; an effect of 1.5 nearly always."""
    nothing = np.array([judged(seed, 0.0)[1] for seed in range(300)])
    large = np.array([judged(seed, 1.5)[1] for seed in range(60)])
    assert nothing.mean() <= 0.081
    assert large.mean() >= 0.9
