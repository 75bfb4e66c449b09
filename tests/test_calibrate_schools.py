"""Calibration of the school layer: made-up counties that must not fool it, and clear effects that it must not miss."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from belonging_research.calibrate import SCHOOL_WORLDS, running, school_studies
from belonging_research.calibrate.rows import Tried
from belonging_research.calibrate.school_drawing import DrawnPupils, DrawnSchools, draw_schools_of
from belonging_research.calibrate.school_studies import (
    CHECK_DRAWS,
    DRAWS,
    PUPIL_CHECKS,
    QUICK_CHECKS,
    SIZES,
    conduct_school_study,
    findings_of,
)
from belonging_research.calibrate.school_worlds import ABSENCE, SUSPENSIONS
from belonging_research.calibrate.studies import DECIDED
from belonging_research.checks import calibrated
from belonging_research.checks.schools import SCHOOL_CHECKS, exits, spill_over, weights
from belonging_research.errors import CommandError, PlanError
from belonging_research.estimators.staggered import lee_bounds, overall_value, staggered, weightings_apart
from belonging_research.estimators.staggered.allocation import allocations
from belonging_research.estimators.staggered.cells import cells_of, cluster_adoption
from belonging_research.estimators.staggered.randomisation import _roots, randomisation
from belonging_research.findings import Finding
from belonging_research.findings.schools import estimate_of
from belonging_research.panel.schools import SchoolPanel, panel_of_arrays
from belonging_research.plan import Plan, read_plan
from belonging_research.reports import calibration
from belonging_research.reports.calibration import run_calibration
from belonging_research.shipped import find_calibration

PLANS = Path(__file__).resolve().parents[1] / "notebooks" / "plans"
PLAN = read_plan(PLANS / "simulated_county.toml")


def drawn(name: str, number: int = 0) -> DrawnSchools:
    """A county of a world as a study judges it."""
    return school_studies._draw(SCHOOL_WORLDS[name], PLAN, number)


def absence_of(study: DrawnSchools) -> Finding:
    """The finding of overall absence."""
    return next(each for each in findings_of(study) if each.outcome == ABSENCE)


# Worlds.


def test_every_world_names_a_check_of_schools_or_the_inference() -> None:
    """A world is fair exactly where the inference has to bear it; what nothing was done to is null."""
    for world in SCHOOL_WORLDS.values():
        assert world.catcher == "inference" or world.catcher in SCHOOL_CHECKS
        assert world.fair == (world.catcher == "inference")
    nulls = {name for name, world in SCHOOL_WORLDS.items() if world.is_null}
    assert nulls == {
        "nothing_happened", "by_need", "odd_base_year", "all_treated", "uneven_suspensions",
        "drift_small", "drift_large", "drift_of_a_point", "leavers", "ageing", "movers", "many_movers_come_more",
    }  # fmt: skip


@pytest.mark.parametrize("name", list(SCHOOL_WORLDS))
def test_a_world_is_true_to_its_sentence(name: str) -> None:
    """150 schools in 22 pyramids over four years, the same each time; the truth is nought exactly in null worlds.

    Where pupils are followed a unit is a school's pupils of a year group, as in a council's own cohort.
    """
    study, again = drawn(name), drawn(name)
    panel = study.panel(ABSENCE)
    follows = SCHOOL_WORLDS[name].pupils is not None

    assert [study.panel(o).digest for o in study.panels] == [again.panel(o).digest for o in again.panels]
    assert (len(set(panel.schools)), len(panel.periods), len(set(panel.clusters))) == (150, 24, 22)
    assert len(set(panel.blocks)) == (11 if follows else 2)
    assert isinstance(study, DrawnPupils) == follows
    assert study.periods == ("2022/23", "2023/24", "2024/25", "2025/26")
    assert {each for each in panel.adoption if each is not None} == {12, 14, 16, 18}
    for outcome, truth in study.truths.items():
        assert (truth == 0.0) == SCHOOL_WORLDS[name].does_nothing(outcome)
    assert panel.every_school_starts == (name == "all_treated")


def test_truths_are_of_the_size_that_worlds_say() -> None:
    """Points of absence and ratios of suspensions, in the mean of a few counties."""
    points = {"one_point": -1.0, "half_a_point": -0.5, "quarter_of_a_point": -0.25, "harm": 1.0}
    for name, expected in points.items():
        truths = [drawn(name, number).truths[ABSENCE] for number in range(8)]
        assert 100 * np.mean(truths) == pytest.approx(expected, rel=0.06)
    fewer = [drawn("fewer_suspensions", number).truths[SUSPENSIONS] for number in range(8)]
    assert np.mean(fewer) == pytest.approx(math.log(0.7), abs=0.02)
    assert drawn("fading").truths[ABSENCE] > drawn("one_point").truths[ABSENCE]


def test_the_truth_is_a_mean_over_pupils_of_what_was_prevented() -> None:
    """By hand: treated half-terms with a comparison, each weighted by the school's pupils."""
    with_effect, without = drawn("all_treated"), drawn("one_point")
    assert with_effect.truths[ABSENCE] == 0.0
    panel = without.panel(ABSENCE)
    county = replace(SCHOOL_WORLDS["one_point"], county=replace(SCHOOL_WORLDS["one_point"].county, effect=0.0))
    never = draw_schools_of(
        county, without.plan, without.layer, PLAN.rng("calibrate", "school", "one_point", "0")
    ).panel(ABSENCE)  # fmt: skip
    top = bottom = 0.0
    for at, start in enumerate(panel.adoption):
        for half in range(24 if start is None else start, 24):
            top += panel.sizes[at] * (panel.values[at, half] - never.values[at, half])
            bottom += panel.sizes[at]
    assert without.truths[ABSENCE] == pytest.approx(top / bottom, abs=1e-12)


def test_drift_moves_starters_alone_and_before_they_start() -> None:
    """The same county without drift: others are untouched, starters move by the same points a year, one way."""
    study = drawn("drift_large")
    still = draw_schools_of(
        replace(SCHOOL_WORLDS["drift_large"], drift=0.0), study.plan, study.layer,
        PLAN.rng("calibrate", "school", "drift_large", "0"),
    ).panel(ABSENCE)  # fmt: skip
    panel = study.panel(ABSENCE)
    starts = np.array([each is not None for each in panel.adoption])
    apart = 100 * (panel.values - still.values)
    assert (apart[~starts] == 0).all()
    yearly = np.median(apart[starts][:, 6:12] - apart[starts][:, :6])
    assert abs(yearly) == pytest.approx(0.2, abs=0.005)


def test_uneven_suspensions_have_schools_without_any_and_bursts() -> None:
    """Three in ten schools never suspend; the rest as a negative binomial with k = 0.3: variance m + m^2/k."""
    panel = drawn("uneven_suspensions").panel(SUSPENSIONS)
    none = panel.numerator.sum(axis=1) == 0
    assert none.mean() == pytest.approx(0.3, abs=0.1)
    usual = panel.numerator.sum(axis=0) / panel.denominator[~none].sum(axis=0)
    mean = usual * panel.denominator[~none]
    spread = ((panel.numerator[~none] - mean) ** 2 - mean).sum() / (mean**2).sum()
    assert spread == pytest.approx(1 / 0.3, rel=0.35)


# Worlds whose trap is in pupils.


@pytest.fixture(scope="module")
def counties() -> dict[str, list[DrawnPupils]]:
    """A few counties of each world in which pupils are followed."""
    wanted = {"leavers": 6, "ageing": 6, "movers": 5, "many_movers_come_more": 3}
    assert set(wanted) == {name for name, world in SCHOOL_WORLDS.items() if world.pupils is not None}
    return {name: [followed_county(name, number) for number in range(n)] for name, n in wanted.items()}


def followed_county(name: str, number: int) -> DrawnPupils:
    """A county of a world in which pupils are followed."""
    study = drawn(name, number)
    assert isinstance(study, DrawnPupils)
    return study


def of_arms(study: DrawnPupils) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(pupils,) whether the baseline school starts within the panel."""
    return study.cohort.schools.start[study.cohort.home] >= 0


def test_a_followed_county_is_like_the_published_one(counties: dict[str, list[DrawnPupils]]) -> None:
    """Bands of absence as published for Dorset (50.5% under 5, 21.3% a tenth or more, 2.4% half or more); ageing."""
    cohort = counties["movers"][0].cohort
    year = slice(6, 12)
    rates = cohort.absent[:, year].sum(axis=1) / cohort.possible[:, year].sum(axis=1)
    assert (rates < 0.05).mean() == pytest.approx(0.505, abs=0.04)
    assert (rates >= 0.1).mean() == pytest.approx(0.213, abs=0.03)
    assert 0.01 < (rates >= 0.5).mean() < 0.03
    by_group = [
        np.mean([rate_of(each, each.cohort.year_group == group, year) for each in counties["movers"]])
        for group in range(1, 12)
    ]
    assert np.polyfit(range(11), by_group, 1)[0] == pytest.approx(0.004, abs=0.0008)
    assert ((cohort.absent >= 0) & (cohort.absent <= cohort.possible)).all()
    # Year 11 has no sixth half-term that counts, and is over after the baseline year; Year 1 was too young before it.
    oldest, youngest = (cohort.possible[cohort.year_group == group] for group in (11, 1))
    assert (oldest[:, 11:] == 0).all() and (oldest[:, 10] > 0).all()
    assert (youngest[:, :6] == 0).all() and (youngest[:, 6:12] > 0).all()


def rate_of(study: DrawnPupils, who: np.ndarray[Any, Any], halves: slice) -> float:
    """Absence of some pupils in some half-terms."""
    own = study.cohort
    return float(own.absent[who, halves].sum() / own.possible[who, halves].sum())


def test_a_cohort_panel_is_its_pupils_added_up(counties: dict[str, list[DrawnPupils]]) -> None:
    """By baseline school and year group, whatever school pupils are at later; nobody is lost or doubled."""
    study = counties["movers"][0]
    panel, cohort = study.panel(ABSENCE), study.cohort
    assert panel.numerator.sum() == pytest.approx(cohort.absent.sum())
    assert panel.sizes.sum() == len(cohort.home)
    unit = len(panel.units) // 2
    urn, block = panel.units[unit].split("/")
    own = (cohort.schools.urn[cohort.home] == int(urn)) & (cohort.year_group == int(block.removeprefix("Y")))
    assert panel.denominator[unit] == pytest.approx(cohort.possible[own].sum(axis=0))
    assert panel.sizes[unit] == own.sum()
    stayers = study.panel_of_stayers(ABSENCE)
    assert stayers.sizes.sum() == (~cohort.elsewhere).sum() < len(cohort.home)


def test_leavers_go_where_schools_start_and_take_their_absence(counties: dict[str, list[DrawnPupils]]) -> None:
    """1 in 100 more leave there, and the cohort's absence falls by .3 to .6 points for nothing; bounds reach none."""
    more, seems, worst = [], [], []
    for study in counties["leavers"]:
        pupils, starts = study.followed(), of_arms(study)
        asked = study.cohort.year_group <= 8
        assert len(pupils.there) == asked.sum()
        gone = ~study.cohort.there[asked]
        more.append(gone[starts[asked]].mean() - gone[~starts[asked]].mean())
        value = overall_value(study.panel(ABSENCE), history=True)
        low, high = lee_bounds(study, value)
        seems.append(100 * value)
        worst.append(100 * (high - value))
        assert low <= value <= high
    assert np.mean(more) == pytest.approx(0.01, abs=0.003)
    assert -0.75 < np.mean(seems) < -0.15
    # A hundredth of the pupils, at least 60 points above the others: what was hidden lies within the bound.
    assert np.mean(worst) > 0.45


def test_ageing_fools_who_looks_before_and_after_or_side_by_side(counties: dict[str, list[DrawnPupils]]) -> None:
    """Absence of those followed rises as they age, and is higher where pupils are older; ours sees neither."""
    ours, after, beside = [], [], []
    for study in counties["ageing"]:
        starts = of_arms(study)
        ours.append(100 * overall_value(study.panel(ABSENCE), history=True))
        left = study.cohort.year_group <= 8  # still there at the end
        after.append(100 * (rate_of(study, starts & left, slice(18, 24)) - rate_of(study, starts & left, slice(0, 6))))
        beside.append(100 * (rate_of(study, starts, slice(12, 24)) - rate_of(study, ~starts, slice(12, 24))))
    odds = []
    for study in counties["ageing"]:
        young, starts = study.cohort.year_group < 7, of_arms(study)
        a_young_for_each_older = [(young & arm).sum() / (~young & arm).sum() for arm in (starts, ~starts)]
        odds.append(a_young_for_each_older[0] / a_young_for_each_older[1])
    assert np.mean(odds) == pytest.approx(0.5, abs=0.03)
    assert np.mean(after) > 0.5
    assert np.mean(beside) > 0.15
    assert abs(np.mean(ours)) < 0.35  # three errors of a mean of six whose SD is .25 to .3


def test_movers_take_their_absence_to_where_nothing_started(counties: dict[str, list[DrawnPupils]]) -> None:
    """By the school they are at, starters seem to have gained what left them; by baseline school nothing moves."""
    apart, shares = [], []
    for study in counties["movers"]:
        cohort = study.cohort
        apart.append(100 * (overall_value(by_place(study)) - overall_value(by_place(study, baseline=True))))
        asked = of_arms(study) & (cohort.year_group >= 7) & (cohort.year_group <= 9)
        shares.append(cohort.elsewhere[asked].mean() - cohort.elsewhere[~of_arms(study)].mean())
    assert np.mean(shares) == pytest.approx(0.03, abs=0.012)  # 2 in 100 a year, from starts in the course of two years
    assert np.mean(apart) < -0.06
    assert np.mean(np.array(apart) < 0) > 0.8


def by_place(study: DrawnPupils, *, baseline: bool = False) -> SchoolPanel:
    """The same pupils' absence by the school at which they are, or were at first, all year groups together."""
    cohort, panel, n = study.cohort, study.panel(ABSENCE), len(study.cohort.schools.urn)
    at = np.repeat(cohort.home[:, None], 24, axis=1) if baseline else cohort.at
    top, bottom = (
        np.stack([np.bincount(at[:, t], each[:, t], n) for t in range(24)], axis=1)
        for each in (cohort.absent, cohort.possible)
    )
    starts = dict(zip(panel.schools, panel.adoption, strict=True))
    kept = [school for school in range(n) if (bottom[school] > 0).all()]
    urns = [str(cohort.schools.urn[school]) for school in kept]
    return panel_of_arrays(
        outcome=ABSENCE, units=urns, periods=panel.periods, numerator=top[kept], denominator=bottom[kept],
        adoption=[starts[urn] for urn in urns], sizes=bottom[kept, :12].mean(axis=1),
        clusters=[f"{cohort.schools.pyramid[school]:02d}" for school in kept],
    )  # fmt: skip


def test_the_named_checks_run_on_pupils(counties: dict[str, list[DrawnPupils]]) -> None:
    """A noticed fall that leavers made is caught by its bounds, many movers by who stayed; elsewhere neither runs."""
    (study, value) = min(
        ((each, overall_value(each.panel(ABSENCE), history=True)) for each in counties["leavers"]),
        key=lambda pair: pair[1],
    )
    made = estimate_of(study, ABSENCE, placebos=0)
    assert made.value == pytest.approx(value, abs=1e-12)
    noticed = replace(made, p_value=0.01)
    assert [each.status for each in exits(made, study, study.plan)] == [
        "no_test" if made.p_value > 0.05 else exits(noticed, study, study.plan)[0].status
    ]
    # By hand: the interval that noticed it, moved by the bound, reaches none or does not.
    _, high = lee_bounds(study, made.value)
    for end, status in ((-0.0001, "fail"), (-2 * (high - made.value), "pass")):
        moved = replace(noticed, intervals={"0.95": (made.value - 0.01, end)})
        assert [each.status for each in exits(moved, study, study.plan)] == [status]
    shifts = []
    for each in counties["many_movers_come_more"]:
        value = overall_value(each.panel(ABSENCE), history=True)
        (check,) = spill_over(replace(made, value=value), each, each.plan)
        shifts.append(overall_value(each.panel_of_stayers(ABSENCE), history=True) - value)
        assert check.status == ("fail" if abs(shifts[-1]) > 0.00125 else "pass")
    assert np.mean(shifts) > 0.0008  # those who moved came more: without them starters seem worse
    assert {each.name for each in absence_of(study).checks} == {*QUICK_CHECKS, *PUPIL_CHECKS}
    tried = conduct_school_study(SCHOOL_WORLDS["leavers"], PLAN, 0)
    assert tried.caught is not None and tried.truth == 0.0


# Studies.


def test_few_allocations_have_the_size_of_many() -> None:
    """p <= a is a whole number of the allocations at .05 and Holm's .025, and 399 give the p-values of 1,999."""
    for alpha in (0.05, 0.025):
        assert (DRAWS + 1) * alpha == pytest.approx(round((DRAWS + 1) * alpha))
        assert 2000 * alpha == pytest.approx(round(2000 * alpha))
    assert CHECK_DRAWS + 1 == 10 / 0.05
    found = []
    for number in range(6):
        panel = drawn("nothing_happened", number).panel(ABSENCE)
        found.append([p_value(panel, draws, number) for draws in (DRAWS, 1999)])
    few, many = np.array(found).T
    # The error of 399 draws at p = .5 is .025.
    assert np.abs(few - many).max() < 0.09
    assert abs(np.mean(few - many)) < 0.02


def p_value(panel: SchoolPanel, draws: int, seed: int) -> float:
    """Of the overall effect by ``draws`` allocations."""
    study = staggered(panel)
    adoption = cluster_adoption(study)
    others = allocations(
        adoption, np.zeros(len(adoption), np.int64), draws=draws, rng=np.random.default_rng(seed)
    ).others  # fmt: skip
    cells = cells_of(study, anticipation=0, universal=True, only_post=True)
    return randomisation(study, adoption, others, cells, comparison="not_yet_treated", anticipation=0).p_value()


@pytest.fixture(scope="module")
def null() -> list[Tried]:
    """Studies in which nothing was done."""
    return [conduct_school_study(SCHOOL_WORLDS["nothing_happened"], PLAN, number) for number in range(14)]


@pytest.fixture(scope="module")
def clear() -> list[Tried]:
    """Studies in which absence fell by 1 point."""
    return [conduct_school_study(SCHOOL_WORLDS["one_point"], PLAN, number) for number in range(8)]


def test_nothing_is_said_where_nothing_was_done_and_something_where_much_was(
    null: list[Tried], clear: list[Tried]
) -> None:
    """At most 3 of 14 false (four would be 1 run in 200), most of 8 right: always "cannot tell" fails here."""
    assert sum(each.said_wrong for each in null) <= 3
    assert sum(each.verdict == "better_than_expected" for each in clear) >= 5
    assert not any(each.verdict == "worse_than_expected" for each in clear)
    assert sum(each.low <= each.truth <= each.high for each in [*null, *clear]) >= 18
    for each in [*null, *clear]:
        assert each.sizes is not None and each.noticed == each.sizes[SIZES.index(0.05)]
        assert each.noticed == (each.low > 0 or each.high < 0)


def test_a_check_that_could_not_be_made_forbids_no_verdict() -> None:
    """The pre-trend test has too little power to pass, which is said, and a clear effect is none the less called so."""
    decided = next(
        f for f in (absence_of(drawn("one_point", number)) for number in range(6)) if f.verdict in DECIDED
    )  # fmt: skip
    (check,) = [each for each in decided.checks if each.name == "pre_trends"]
    assert (check.status, check.severity) == ("no_test", "serious")
    assert {each.name for each in decided.checks} == set(QUICK_CHECKS)


def test_a_check_that_fails_is_not_gone_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same clear effect with a failed pre-trend: "cannot tell", and the study says that a check forbade it."""
    number = next(n for n in range(6) if absence_of(drawn("one_point", n)).verdict in DECIDED)
    usual = school_studies.pre_trends_of

    def fails(*args: Any, **kwargs: Any) -> Any:
        return tuple(replace(each, status="fail") for each in usual(*args, **kwargs))

    monkeypatch.setattr(school_studies, "pre_trends_of", fails)
    tried = conduct_school_study(SCHOOL_WORLDS["one_point"], PLAN, number)
    assert tried.noticed and not tried.passed
    assert tried.verdict == "cannot_tell"


def test_where_all_start_suspensions_are_still_compared() -> None:
    """Schools that start last are the comparison, so neither outcome is a before and after."""
    study = drawn("all_treated")
    for outcome in (ABSENCE, SUSPENSIONS):
        made = estimate_of(study, outcome, placebos=0)
        assert 0 < made.n_treated < made.n_units


# Weights.


def two_sizes(effects: tuple[float, float], seed: int, noise: float = 0.002) -> SchoolPanel:
    """12 pyramids of a large and two small schools; half start at the third of 4 half-terms with an effect a size."""
    rng = np.random.default_rng(seed)
    pyramid, large = np.repeat(np.arange(12), 3), np.tile([True, False, False], 12)
    starts = rng.permutation([2] * 6 + [9] * 6)[pyramid]
    rates = 0.08 + rng.normal(0, noise, (36, 4)) + np.where(large, *effects)[:, None] * (
        np.arange(4) >= starts[:, None]
    )  # fmt: skip
    return panel_of_arrays(
        outcome=ABSENCE, units=[f"{k:02d}" for k in range(36)], periods=list("abcd"), numerator=rates * 1000,
        denominator=np.full((36, 4), 1000.0), adoption=[int(s) if s < 4 else None for s in starts],
        clusters=[f"{p:02d}" for p in pyramid], sizes=np.where(large, 800.0, 100.0),
    )  # fmt: skip


def test_weightings_apart_by_hand_and_by_chance() -> None:
    """Large schools -2 points, small none: -1.6 by pupils (800 of 1,000), -0.67 by schools (1 of 3), not by chance."""
    found = weightings_apart(two_sizes((-0.02, 0.0), 1, noise=1e-5), rng=np.random.default_rng(1), draws=199)
    assert found.values["pupils"] == pytest.approx(-0.016, abs=2e-5)
    assert found.values["schools"] == pytest.approx(-0.02 / 3, abs=2e-5)
    assert found.apart == pytest.approx(0.016 - 0.02 / 3, abs=4e-5)
    assert found.p_value == 1 / 200
    assert found.one_direction
    # Where schools differ by chance alone, 1 in 20 are called apart: more than 8 of 60 would be 1 in 600.
    noticed = [
        weightings_apart(two_sizes((-0.01, -0.01), seed), rng=np.random.default_rng(seed), draws=99).p_value <= 0.05
        for seed in range(60)
    ]
    assert sum(noticed) <= 8


@pytest.mark.parametrize(
    ("effects", "noise", "status", "severity"),
    [
        ((-0.02, 0.0), 1e-5, "fail", "caution"),
        ((-0.01, 0.02), 1e-5, "fail", "serious"),
        ((-0.01, -0.01), 1e-5, "pass", "serious"),
        ((0.0, 0.0), 0.05, "no_test", "serious"),
    ],
)
def test_weights_forbid_a_verdict_only_where_they_turn_it(
    effects: tuple[float, float], noise: float, status: str, severity: str
) -> None:
    """Apart beyond S: serious across directions, a caution in one, no test where chance puts them as far."""
    study = drawn("nothing_happened")
    study = replace(study, panels={**study.panels, ABSENCE: two_sizes(effects, 3, noise)})
    made = estimate_of(drawn("nothing_happened"), ABSENCE, placebos=0)
    (check,) = weights(made, study, study.plan)
    assert (check.status, check.severity) == (status, severity)
    assert check.limit == 0.0025


def test_roots_of_many_polynomials_are_those_of_each() -> None:
    """Companion matrices at once against numpy's own function, with leading and last coefficients of nought."""
    quartics = np.random.default_rng(1).normal(size=(40, 5))
    quartics[3, 0] = quartics[4, -1] = 0.0
    one_by_one = np.concatenate([np.roots(row) for row in quartics])
    assert np.sort_complex(_roots(quartics)) == pytest.approx(np.sort_complex(one_by_one))


# The whole way: pieces, rows, record, page.


def test_the_school_layer_is_tried_where_the_plan_has_one() -> None:
    """By layer, part or world; a plan without schools has none; counties of schools are tried in order."""
    both = running.tasks_of(PLAN, None, worlds=10)
    assert {task.layer for task in both} == {"county", "school"}
    assert len({task.key for task in both}) == len(both)
    named = running.tasks_of(PLAN, None, worlds=10, only=("all_treated",))
    assert [(task.layer, task.outcome) for task in named] == [("school", ABSENCE)]
    schools = running.tasks_of(PLAN, None, worlds=10, effect_worlds=5, only=("school",))
    assert {task.name: task.last for task in schools}["one_point"] == 5
    assert {task.name: task.outcome for task in schools}["uneven_suspensions"] == SUSPENSIONS
    public = read_plan(PLANS / "simulated_public.toml")
    assert {task.layer for task in running.tasks_of(public, None, worlds=10)} == {"county"}


def _layer(**changes: Any) -> Plan:
    assert PLAN.schools is not None
    return PLAN.model_copy(update={"schools": PLAN.schools.model_copy(update=changes)})


def test_a_plan_that_cannot_be_made_up_says_so_and_what_to_do() -> None:
    """Years that the made-up county lacks, and an outcome that it does not count; the county layer goes on."""
    assert PLAN.schools is not None
    strange = PLAN.schools.outcomes[0].model_copy(update={"name": "severe_absence_rate"})
    late, other = _layer(post=("2025/26", "2026/27")), _layer(outcomes=(strange, *PLAN.schools.outcomes[1:]))
    for plan, words in ((late, "2026/27"), (other, "no severe_absence_rate")):
        with pytest.raises(PlanError, match=f"{words}.*--only county"):
            running.tasks_of(plan, None, worlds=2)
        assert running.tasks_of(plan, None, worlds=2, only=("county",))
    with pytest.raises(PlanError, match="uneven_suspensions asks about"):
        running.tasks_of(_layer(outcomes=PLAN.schools.outcomes[:1]), None, worlds=2)


def test_a_calibration_of_schools_is_resumed_and_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after its first piece, it goes on from there; the bytes are those of a run that was left alone."""
    monkeypatch.setattr(running, "CHUNK", 1)
    wanted: dict[str, Any] = {"data": (), "worlds": 2, "only": ("all_treated", "by_need")}
    alone = run_calibration(PLAN, out=tmp_path / "alone", **wanted)
    done: list[str] = []

    def stop_after_one(*args: Any, **kwargs: Any) -> Iterator[Any]:
        for number, each in enumerate(running.do_all(*args, **kwargs)):
            if number == 1:
                raise KeyboardInterrupt
            done.append(each[0].key)
            yield each

    monkeypatch.setattr(calibration, "do_all", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        run_calibration(PLAN, out=tmp_path / "killed", **wanted)

    def count(tasks: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        done.extend(task.key for task in tasks)
        return running.do_all(tasks, *args, **kwargs)

    monkeypatch.setattr(calibration, "do_all", count)
    made = run_calibration(PLAN, out=tmp_path / "killed", **wanted)

    assert len(done) == len(set(done)) == 4
    for path in (alone.folder / "released").iterdir():
        assert (made.folder / "released" / path.name).read_bytes() == path.read_bytes()
    _judge_the_record(made, tmp_path, monkeypatch)


def _judge_the_record(made: calibration.Calibrated, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of the school layer, a page that says what they are of, and no county check that reads them as its own."""
    record = json.loads((made.folder / "released" / "calibration.json").read_text("utf-8"))
    assert record["plan_digest"] == PLAN.digest
    assert [(row["part"], row["layer"], row["world"], row["n_worlds"]) for row in record["rows"]] == [
        ("a", "school", "by_need", 2), ("a", "school", "all_treated", 2),
    ]  # fmt: skip
    assert [row["caught"] is None for row in record["rows"]] == [False, True]
    page = made.index.read_text("utf-8")
    assert page.count("<h1") == 1 and "Made-up counties, school by school" in page
    assert "made-up countries" not in page.lower()
    path = folder / "record.json"
    path.write_text(json.dumps(record), "utf-8")
    monkeypatch.setattr(calibrated, "find_calibration", lambda digest: path)
    assert calibrated._measured(PLAN, ABSENCE) == (None, None, None)


def test_a_layer_that_the_plan_does_not_have_is_refused(tmp_path: Path) -> None:
    """Asked for schools of a plan without any: said, and nothing is written."""
    with pytest.raises(CommandError, match="no layer of this plan"):
        run_calibration(read_plan(PLANS / "simulated_public.toml"), data=(), only=("school",), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_shipped_record_keeps_its_promises() -> None:
    """False verdicts, coverage, wrong signs and decisiveness of the shipped plan, within two Monte Carlo errors.

    Worlds that are not fair may say more falsely: there the page shows how many their check caught.
    """
    path = find_calibration(PLAN.digest)
    if path is None:
        pytest.skip("no record of this plan is shipped: pages say that it was not measured")
    rows = {row["world"]: row for row in json.loads(path.read_text("utf-8"))["rows"] if row["layer"] == "school"}
    assert set(rows) == set(SCHOOL_WORLDS)
    for name, row in rows.items():
        if SCHOOL_WORLDS[name].fair:
            assert (row["false_verdicts"] or 0.0) <= 0.05 + 2 * row["false_verdicts_mcse"]
            assert abs(row["coverage"] - 0.95) <= 0.02 + 2 * row["coverage_mcse"]
        else:
            assert row["caught"] is not None
    # What history, bounds and staying bear. Nothing here bears a drift of .1 or .2 points a year, which is far less
    # than two years of base can show. Pages quote the worst.
    assert rows["drift_small"]["false_verdicts"] <= 0.07
    assert rows["drift_large"]["false_verdicts"] <= 0.10
    for name in ("by_need", "odd_base_year", "leavers", "many_movers_come_more"):
        assert rows[name]["false_verdicts"] <= 0.05 + 2 * rows[name]["false_verdicts_mcse"]
    assert rows["one_point"]["right_verdicts"] + 2 * rows["one_point"]["right_verdicts_mcse"] >= 0.8
    assert max(rows[name]["type_s"] for name in ("one_point", "half_a_point", "harm", "fewer_suspensions")) <= 0.01
    said, of_100 = calibrated.measured_of_schools(PLAN), [
        f"{100 * rows[name][of]:.1f} of 100"
        for name, of in (
            ("nothing_happened", "false_verdicts"), ("one_point", "right_verdicts"),
            ("fewer_suspensions", "right_verdicts"), ("drift_of_a_point", "false_verdicts"),
        )
    ]  # fmt: skip
    assert re.findall(r"[\d.]+ of 100", said) == of_100
    assert said.endswith(SCHOOL_WORLDS["drift_of_a_point"].sentence)
    assert "not been measured" in calibrated.measured_of_schools(PLAN.model_copy(update={"seed": 7}))
    # The county layer of the same plan was not measured, and does not take these rows for its own.
    assert calibrated._measured(PLAN, ABSENCE) == (None, None, None)
