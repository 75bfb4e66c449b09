"""Schools compared at equal history: another library's regression, exact chance, what an odd year made undone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from belonging_research.errors import EstimateError
from belonging_research.estimators.staggered import SchoolDesign, estimate_schools, group_time_effects, overall_value
from belonging_research.estimators.staggered.conversion import staggered
from belonging_research.estimators.staggered.detecting import false_start
from belonging_research.estimators.staggered.history import less_history, with_history
from belonging_research.panel.schools import SchoolPanel, panel_of_arrays

PERIODS = [f"2023/24 HT{n + 1}" for n in range(6)]


def schools(
    seed: int, *, n: int = 60, blocks: int = 1, periods: int = 4, effect: float = 0.0, **more: Any
) -> SchoolPanel:
    """Schools of one pyramid each that start at the last half-term or never; half-terms cling to the one before."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0.07, 0.01, (n, periods))
    for at in range(1, periods):
        values[:, at] = 0.07 + 0.8 * (values[:, at - 1] - 0.07) + rng.normal(0, 0.006, n)
    starts = more.pop("starts", rng.permutation(n) < n // 2)
    values[:, -1] += effect * starts
    denominator = np.full((n, periods), 1000.0)
    names = [f"{k:03d}/Y{k % blocks + 7}" for k in range(n)]
    return panel_of_arrays(
        outcome="overall_absence_rate", units=names, periods=PERIODS[:periods], numerator=values * denominator,
        denominator=denominator, adoption=[periods - 1 if each else None for each in starts],
        clusters=names, sizes=rng.integers(20, 400, n).astype(float), blocks=[each[4:] for each in names], **more,
    )  # fmt: skip


@pytest.mark.parametrize("blocks", [1, 3])
@pytest.mark.parametrize("weighted", [True, False])
def test_one_start_is_a_regression_on_history(blocks: int, weighted: bool) -> None:
    """The coefficient of having started, beside last half-term, mean and year group, by statsmodels: to 1e-12."""
    panel = schools(1, blocks=blocks, effect=-0.01)
    if not weighted:
        panel = replace(panel, sizes=np.ones(len(panel.units)))
    started = np.array([each is not None for each in panel.adoption], dtype=float)
    block = np.array(panel.blocks)
    indicators = np.column_stack([(block == each).astype(float) for each in np.unique(block)])
    before = panel.values[:, :3]
    design = np.column_stack([started, before[:, -1], before.mean(axis=1), indicators])
    weights = np.ones(len(started)) if not weighted else np.array(panel.sizes)
    theirs = sm.WLS(panel.values[:, 3], design, weights=weights).fit().params[0]
    if blocks == 1:
        assert overall_value(panel, history=True) == pytest.approx(theirs, abs=1e-12)
    # Within year groups each group's starters weigh by their number, as before; a regression weighs by variance.
    assert overall_value(panel, history=True) == pytest.approx(theirs, abs=0.0012)
    assert abs(overall_value(panel) - theirs) > 1e-4


def test_cells_put_together_are_the_estimate_and_the_time_before_is_as_it_was() -> None:
    """The path since the start adds up to what is judged; before it nothing is allowed for."""
    panel = _staggered_schools(3, effect=-0.01)
    design = SchoolDesign(alpha=0.05, sesoi=0.0025, draws=99, placebos=0, history=True)
    found = estimate_schools(panel, design, rng=np.random.default_rng(0))
    with_, without = (
        group_time_effects(panel, rng=np.random.default_rng(0), history=history) for history in (True, False)
    )
    assert found.value == pytest.approx(with_.overall.value, abs=1e-12)
    assert found.value == pytest.approx(overall_value(panel, history=True), abs=1e-12)
    assert found.std_error == pytest.approx(with_.overall.std_error, rel=0.25)
    pairs = list(zip(with_.path, without.path, strict=True))
    assert [one.value for one, two in pairs if one.event_time < 0] == pytest.approx(
        [two.value for _, two in pairs if two.event_time < 0], abs=1e-12
    )
    assert max(abs(one.value - two.value) for one, two in pairs if one.event_time >= 0) > 1e-4
    assert found.estimand.endswith("at equal rates before anybody started")
    assert "equal rates" not in without.estimand


def _staggered_schools(seed: int, *, effect: float = 0.0) -> SchoolPanel:
    rng = np.random.default_rng(seed)
    n, periods = 48, 6
    starts = [[3, 4, None][k % 3] for k in rng.permutation(n)]
    values = rng.normal(0.07, 0.01, (n, 1)) + rng.normal(0, 0.006, (n, periods)).cumsum(axis=1)
    values += effect * np.array([[s is not None and t >= s for t in range(periods)] for s in starts])
    denominator = np.full((n, periods), 1000.0)
    return panel_of_arrays(
        outcome="overall_absence_rate", units=[f"{k:03d}" for k in range(n)], periods=PERIODS, adoption=starts,
        numerator=values * denominator, denominator=denominator, clusters=[f"{k:03d}" for k in range(n)],
    )  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), effect=st.floats(-0.1, 0.1), slope=st.floats(-2, 2))
def test_an_effect_adds_up_and_what_history_tells_changes_nothing(seed: int, effect: float, slope: float) -> None:
    """A constant effect put in comes out; what goes with the last half-term before, later, bears on nothing."""
    panel = _staggered_schools(seed)
    started = np.array([[s is not None and t >= s for t in range(6)] for s in panel.adoption])
    told = slope * panel.values[:, [2]] * (np.arange(6) >= 3)
    more = replace(panel, numerator=panel.numerator + 1000.0 * (effect * started + told))
    assert overall_value(more, history=True) == pytest.approx(overall_value(panel, history=True) + effect, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), effect=st.floats(-0.02, 0.02), level=st.sampled_from([0.8, 0.9, 0.95]))
def test_p_and_interval_agree(seed: int, effect: float, level: float) -> None:
    """p <= a exactly when the interval at 1 - a leaves 0 out; the value lies inside."""
    panel = schools(seed, n=14, effect=effect)
    design = SchoolDesign(alpha=1 - level, sesoi=1, levels=(level,), draws=199, placebos=0, history=True)
    found = estimate_schools(panel, design, rng=np.random.default_rng(seed))
    low, high = found.intervals[f"{level:g}"]
    assert low < found.value < high
    assert (found.p_value <= 1 - level + 1e-12) == (low > 0 or high < 0)


def test_an_interval_ends_where_its_effect_is_rejected() -> None:
    """Just inside each end p is above a, just outside it is not, with the effect taken out of the outcomes by hand."""
    panel = _staggered_schools(8, effect=-0.01)
    design = SchoolDesign(alpha=0.05, sesoi=0.0025, draws=399, placebos=0, history=True)

    def judged(effect: float) -> Any:
        started = np.array([[s is not None and t >= s for t in range(6)] for s in panel.adoption])
        less = replace(panel, numerator=panel.numerator - 1000.0 * effect * started)
        return estimate_schools(less, design, rng=np.random.default_rng(1))

    for end, outwards in zip(judged(0.0).intervals["0.95"], (-1, 1), strict=True):
        step = 1e-6 * outwards
        assert judged(end - step).p_value > 0.05
        assert judged(end + step).p_value <= 0.05


def test_schools_chosen_for_an_odd_year_come_back_and_are_not_taken_for_helped() -> None:
    """Half of the schools, those highest just before, start: without history they seem to gain, with it they do not."""
    seems, is_found = [], []
    for seed in range(30):
        values = schools(seed).values
        panel = schools(seed, starts=values[:, 2] > np.median(values[:, 2]))
        seems.append(overall_value(panel))
        is_found.append(overall_value(panel, history=True))
    error = np.std(is_found) / np.sqrt(30)
    assert np.mean(seems) < -0.002
    assert abs(np.mean(is_found)) < 3 * error


def test_chance_is_that_of_the_draw_whatever_history_is() -> None:
    """120 panels without effect: p is at most .05 about 5 times in 100, also where the past tells nothing."""
    design = SchoolDesign(alpha=0.05, sesoi=1.0, levels=(0.9,), draws=199, placebos=0, history=True)
    found = []
    for seed in range(120):
        panel = schools(seed, n=20)
        if seed % 2:
            shuffled = np.random.default_rng(seed).normal(0.07, 0.01, panel.values.shape)
            panel = replace(panel, numerator=shuffled * 1000.0)
        found.append(estimate_schools(panel, design, rng=np.random.default_rng(seed)).p_value <= 0.05)
    assert 0 < np.sum(found) <= 13  # P(more than 13 of 120 | 0.05) is 1 in 200, of none 1 in 450


def test_one_half_term_before_is_its_own_mean() -> None:
    """Last and mean are then the same, and the regression is on one of them."""
    panel = schools(4, periods=2, effect=-0.01)
    started = np.array([each is not None for each in panel.adoption], dtype=float)
    design = sm.add_constant(np.column_stack([started, panel.values[:, 0]]))
    theirs = sm.WLS(panel.values[:, 1], design, weights=np.array(panel.sizes)).fit().params[1]
    assert overall_value(panel, history=True) == pytest.approx(theirs, abs=1e-10)


def test_a_false_start_knows_only_what_came_before_it() -> None:
    """Moved back, history ends before the moved start: what the plan promises must not see later half-terms."""
    study = with_history(staggered(_staggered_schools(5)), anticipation=0)
    moved = false_start(study, anticipation=0)
    assert moved is not None
    early, _ = moved
    first = int(early.cohorts[0])
    assert first < int(study.cohorts[0])
    last = early.values[:, first - 1]
    assert early.history[:, 0] == pytest.approx(last - np.average(last, weights=early.weights), abs=1e-12)


def test_a_year_group_without_the_last_half_term_uses_its_own_last() -> None:
    """History is of the half-terms that a block has; one without any has none, and is left as it is."""
    panel = schools(6, blocks=2, periods=4)
    denominator = np.array(panel.denominator)
    young = np.array(panel.blocks) == "Y8"
    denominator[young, 2] = 0.0
    study = with_history(staggered(replace(panel, denominator=denominator)), anticipation=0)
    own = study.block == study.blocks.index("Y8")
    last = study.values[own, 1]
    assert study.history[own, 0] == pytest.approx(last - np.average(last, weights=study.weights[own]), abs=1e-12)
    left = less_history(study, study.values)
    assert (left[own, 2] == 0).all()


def test_covariates_beside_history_are_refused() -> None:
    """One way of allowing for what came before at a time."""
    panel = _staggered_schools(1)
    with pytest.raises(EstimateError, match="beside history"):
        group_time_effects(
            panel, rng=np.random.default_rng(0), history=True, covariates={"size": np.ones(len(panel.units))}
        )


def _pyramids(seed: int, *, never: int = 6, gain: float = 0.0) -> SchoolPanel:
    """Eighteen pyramids of four year-group units each that start at two half-terms or never."""
    rng = np.random.default_rng(seed)
    starts = rng.permutation([4 + k % 2 * 2 if k >= never else None for k in range(18)])
    pyramid = np.repeat(np.arange(18), 4)
    values = 0.07 + rng.normal(0, 0.01, (18, 1))[pyramid] + rng.normal(0, 0.004, (72, 7)).cumsum(axis=1)
    values += gain * np.array([[starts[p] is not None and t >= starts[p] for t in range(7)] for p in pyramid])
    denominator = np.full((72, 7), 1000.0)
    return panel_of_arrays(
        outcome="overall_absence_rate", units=[f"{k:03d}/Y{k % 2 + 7}" for k in range(72)],
        periods=[*PERIODS, "2024/25 HT1"], numerator=values * denominator, denominator=denominator,
        adoption=[starts[p] for p in pyramid], clusters=[f"{p:02d}" for p in pyramid],
        sizes=rng.integers(20, 200, 72).astype(float), blocks=[f"Y{k % 2 + 7}" for k in range(72)],
    )  # fmt: skip


@pytest.mark.parametrize("anticipation", [0, 1])
@pytest.mark.parametrize("never", [0, 6])
def test_pyramids_of_several_year_groups(anticipation: int, never: int) -> None:
    """With anticipation, and where every school starts in the end: a planted effect moves the estimate by itself."""
    design = SchoolDesign(
        alpha=0.05, sesoi=0.0025, draws=199, placebos=12, history=True, anticipation=anticipation
    )  # fmt: skip
    nothing, gain = (
        estimate_schools(_pyramids(2, never=never, gain=each), design, rng=np.random.default_rng(0))
        for each in (0.0, -0.02)
    )
    assert gain.value - nothing.value == pytest.approx(-0.02, abs=1e-9)
    assert gain.std_error == pytest.approx(nothing.std_error, rel=1e-6)
    assert gain.detectable == nothing.detectable is not None
    assert gain.intervals["0.95"][0] < gain.value < gain.intervals["0.95"][1]


def test_history_that_tells_who_started_gives_no_number() -> None:
    """Starters all stood at one level, the others at another: said, and no interval of millions of points."""
    panel = schools(2, n=24)
    started = np.array([each is not None for each in panel.adoption])
    values = np.array(panel.values)
    values[:, :3] = np.where(started, 0.09, 0.06)[:, None]
    design = SchoolDesign(alpha=0.05, sesoi=0.0025, draws=99, placebos=0, history=True)
    with pytest.raises(EstimateError, match="tells which of them started"):
        estimate_schools(replace(panel, numerator=values * 1000.0), design, rng=np.random.default_rng(0))
    with pytest.raises(EstimateError, match="tells which of them started"):
        overall_value(replace(panel, numerator=values * 1000.0), history=True)


def test_a_constant_outcome_gives_no_number() -> None:
    """As without history."""
    panel = schools(2, n=24)
    design = SchoolDesign(alpha=0.05, sesoi=0.0025, draws=99, placebos=0, history=True)
    with pytest.raises(EstimateError, match="constant"):
        estimate_schools(replace(panel, numerator=np.full((24, 4), 70.0)), design, rng=np.random.default_rng(0))
