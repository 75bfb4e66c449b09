"""Staggered starts: published values, one answer whatever the code of never, truth recovered, exact randomisation."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from diff_diff import CallawaySantAnna, SurveyDesign
from hypothesis import given, settings
from hypothesis import strategies as st

from belonging_research.errors import EstimateError
from belonging_research.estimators.staggered import (
    SchoolDesign,
    adoption_index,
    common_start_bootstrap_p,
    detecting_ratios,
    estimate_schools,
    exact_ratio,
    group_time_effects,
    imputation,
    pre_trends,
    promised_ratios,
    ratio_effect,
    ratio_value,
    realised_ratios,
    staggered,
    started_beside_others,
    sun_abraham,
    two_way_fixed_effects,
)
from belonging_research.estimators.staggered.allocation import allocations, stratum_of
from belonging_research.estimators.staggered.cells import (
    cell_effects,
    cells_of,
    cluster_adoption,
    cluster_sums,
    overall_effects,
)
from belonging_research.estimators.staggered.conversion import NEVER
from belonging_research.estimators.staggered.counts import Scores, events_and_exposure
from belonging_research.estimators.staggered.randomisation import Linear, Randomisation
from belonging_research.panel.schools import SchoolPanel, panel_of_arrays

PRINTED = 5e-5  # four decimals are printed

HALVES = [f"{2022 + t // 6}/{23 + t // 6} HT{t % 6 + 1}" for t in range(18)]


# Made-up schools.


def made_up_schools(
    seed: int,
    *,
    effect: float = 0.0,
    n_pyramids: int = 22,
    schools: int = 4,
    starts: Sequence[int] = (12, 14, 16),
    share_never: float = 0.3,
    trend: float = 0.0,
) -> SchoolPanel:
    """Absence of schools in pyramids over three years; a school's yearly change has an SD of 1.0 percentage point.

    Starts are given to pyramids by lot; ``effect`` is constant, ``trend`` a half-term is everybody's.
    """
    rng = np.random.default_rng(seed)
    never = round(share_never * n_pyramids)
    drawn: list[int | None] = [None] * never + [starts[n % len(starts)] for n in range(n_pyramids - never)]
    by_pyramid = [drawn[n] for n in rng.permutation(n_pyramids)]
    n, half, year = n_pyramids * schools, np.arange(18), np.arange(18) // 6
    pyramid = np.repeat(np.arange(n_pyramids), schools)
    level = 0.07 + rng.normal(0, 0.015, (n, 1)) + 0.01 * np.sin(half)
    yearly = rng.normal(0, 0.01 / math.sqrt(2), (n, 3)) + rng.normal(0, 0.003, (n_pyramids, 3))[pyramid]
    adoption = [by_pyramid[p] for p in pyramid]
    started = np.array([[start is not None and t >= start for t in half] for start in adoption])
    rates = level + yearly[:, year] + rng.normal(0, 0.004, (n, 18)) + effect * started + trend * half
    possible = np.full((n, 18), 12_000.0)
    return panel_of_arrays(
        outcome="overall_absence_rate", units=[f"{k:03d}" for k in range(n)], periods=HALVES, adoption=adoption,
        numerator=rates * possible, denominator=possible, clusters=[f"pyramid {p}" for p in pyramid],
        sizes=rng.integers(80, 1000, n).astype(float),
    )  # fmt: skip


def made_up_events(seed: int, *, ratio: float = 1.0) -> SchoolPanel:
    """Suspensions with negative-binomial spread (k = 0.3), three schools in ten without any, exposure by size."""
    rng, schools = np.random.default_rng(seed), made_up_schools(seed)
    n, periods = schools.numerator.shape
    usual = np.exp(rng.normal(0, 0.8, n)) * schools.sizes / 300
    usual[rng.random(n) < 0.3] = 0.0
    started = np.array([[start is not None and t >= start for t in range(periods)] for start in schools.adoption])
    mean = usual[:, None] * np.exp(0.1 * np.sin(np.arange(periods))) * np.where(started, ratio, 1.0)
    events = rng.poisson(mean * rng.gamma(1 / 0.3, 0.3, (n, periods))).astype(float)
    days = np.repeat(schools.sizes[:, None] * 30, periods, axis=1)
    return panel_of_arrays(
        outcome="suspensions", units=schools.units, periods=schools.periods, numerator=events, denominator=days,
        adoption=schools.adoption, clusters=schools.clusters, sizes=np.array(schools.sizes),
    )  # fmt: skip


def rng() -> np.random.Generator:
    """The same chance every time."""
    return np.random.default_rng(20240901)


# Published values: minimum wage and teen employment, README of the R package did (Callaway & Sant'Anna 2021).


@pytest.fixture(scope="module")
def counties(reference: Path) -> pd.DataFrame:
    """500 counties, 2003 to 2007; ``first.treat`` 0 is never."""
    rows = pd.read_csv(reference / "mpdta.csv").sort_values(["countyreal", "year"])
    assert len(rows) == 2500
    return rows


def panel_of(rows: pd.DataFrame, codes: Sequence[Any] | None = None, **more: Any) -> SchoolPanel:
    """Counties as a school panel; ``codes`` of first treatment instead of the file's."""
    wide = rows.pivot(index="countyreal", columns="year", values="lemp")
    first = rows.groupby("countyreal")["first.treat"].first()
    years = [int(year) for year in wide.columns]
    return panel_of_arrays(
        outcome="lemp", units=[f"{county:05d}" for county in wide.index], periods=[str(year) for year in years],
        numerator=wide.to_numpy(), denominator=np.ones(wide.shape),
        adoption=adoption_index(first.to_list() if codes is None else list(codes), years), **more,
    )  # fmt: skip


def population(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """The covariate of the published example, in the panel's order."""
    return {"lpop": rows.groupby("countyreal")["lpop"].first().to_numpy()}


def effects_of(panel: SchoolPanel, **more: Any) -> Any:
    """Group-time effects as the published page makes them: never treated, effects before from the period before."""
    return group_time_effects(panel, rng=rng(), comparison="never_treated", base_period="varying", **more)


CELLS = {
    ("2004", "2004"): (-0.0105, 0.0233), ("2004", "2005"): (-0.0704, 0.0310), ("2004", "2006"): (-0.1373, 0.0364),
    ("2004", "2007"): (-0.1008, 0.0344), ("2006", "2004"): (0.0065, 0.0233), ("2006", "2005"): (-0.0028, 0.0196),
    ("2006", "2006"): (-0.0046, 0.0178), ("2006", "2007"): (-0.0412, 0.0202), ("2007", "2004"): (0.0305, 0.0150),
    ("2007", "2005"): (-0.0027, 0.0164), ("2007", "2006"): (-0.0311, 0.0179), ("2007", "2007"): (-0.0261, 0.0167),
}  # fmt: skip


def test_group_time_effects_of_callaway_and_santanna(counties: pd.DataFrame) -> None:
    """The twelve printed effects; errors are the analytic ones that every port gives."""
    found = effects_of(panel_of(counties))
    assert {(each.group, each.time) for each in found.cells} == set(CELLS)
    for each in found.cells:
        assert (each.value, each.std_error) == pytest.approx(CELLS[each.group, each.time], abs=PRINTED)


def test_summaries_of_callaway_and_santanna(counties: pd.DataFrame) -> None:
    """Simple, dynamic and group summaries, event times and cohorts, as printed."""
    found = effects_of(panel_of(counties))
    assert (found.overall.value, found.overall.std_error) == pytest.approx((-0.03995, 0.01203), abs=PRINTED)
    assert (found.dynamic.value, found.dynamic.std_error) == pytest.approx((-0.07724, 0.01996), abs=PRINTED)
    assert (found.group.value, found.group.std_error) == pytest.approx((-0.03102, 0.01245), abs=PRINTED)
    path = {each.event_time: (each.value, each.std_error) for each in found.path}
    printed = {
        -3: (0.0305, 0.0150), -2: (-0.0006, 0.0133), -1: (-0.0245, 0.0142), 0: (-0.0199, 0.0118),
        1: (-0.0510, 0.0169), 2: (-0.1373, 0.0364), 3: (-0.1008, 0.0344),
    }  # fmt: skip
    assert set(path) == set(printed)
    for event_time, expected in printed.items():
        assert path[event_time] == pytest.approx(expected, abs=PRINTED)
    cohorts = [(each.label, each.value, each.std_error) for each in found.by_cohort]
    assert [label for label, _, _ in cohorts] == ["2004", "2006", "2007"]
    assert [value for _, value, _ in cohorts] == pytest.approx([-0.0797, -0.0229, -0.0261], abs=PRINTED)
    assert [error for _, _, error in cohorts] == pytest.approx([0.0264, 0.0167, 0.0167], abs=PRINTED)


def test_calendar_summary_is_that_of_its_cells(counties: pd.DataFrame) -> None:
    """By arithmetic from the cells: each year's cohorts by their numbers, then the years alike."""
    found = effects_of(panel_of(counties))
    years: dict[str, list[tuple[float, int]]] = {}
    for each in found.cells:
        if each.event_time >= 0:
            years.setdefault(each.time, []).append((each.value, each.n_treated))
    means = {year: sum(v * n for v, n in own) / sum(n for _, n in own) for year, own in years.items()}
    assert {each.label: each.value for each in found.by_calendar} == pytest.approx(means, abs=1e-12)
    assert found.calendar.value == pytest.approx(np.mean(list(means.values())), abs=1e-12)


def test_group_time_effects_with_population_doubly_robust(counties: pd.DataFrame) -> None:
    """The values on which four packages agree."""
    found = effects_of(panel_of(counties), covariates=population(counties))
    cells = {(each.group, each.time): (each.value, each.std_error) for each in found.cells}
    first = [(-0.0145, 0.0221), (-0.0764, 0.0287), (-0.1404, 0.0354), (-0.1069, 0.0329)]
    for year, expected in zip(("2004", "2005", "2006", "2007"), first, strict=True):
        assert cells["2004", year] == pytest.approx(expected, abs=PRINTED)
    second = [cells["2006", year][0] for year in ("2004", "2005", "2006", "2007")]
    assert second == pytest.approx([-0.0005, -0.0062, 0.0010, -0.0413], abs=PRINTED)
    assert cells["2007", "2007"][0] == pytest.approx(-0.0288, abs=PRINTED)
    assert (found.overall.value, found.overall.std_error) == pytest.approx((-0.04175, 0.01150), abs=PRINTED)
    assert (found.group.value, found.group.std_error) == pytest.approx((-0.03282, 0.01190), abs=PRINTED)
    assert (found.dynamic.value, found.dynamic.std_error) == pytest.approx((-0.08035, 0.01896), abs=PRINTED)


def test_imputation_sun_abraham_and_two_way_values(counties: pd.DataFrame) -> None:
    """Values of the libraries on the same file; the two-way coefficient is a diagnostic and says so."""
    panel = panel_of(counties)
    found = {each.method: each for each in (imputation(panel), sun_abraham(panel), two_way_fixed_effects(panel))}
    pairs = {name: (each.value, each.std_error) for name, each in found.items()}
    assert pairs["imputation"] == pytest.approx((-0.04771, 0.01322), abs=PRINTED)
    assert pairs["sun_abraham"] == pytest.approx((-0.03995, 0.01180), abs=PRINTED)
    assert pairs["two_way_fixed_effects"] == pytest.approx((-0.036549, 0.013254), abs=PRINTED)
    assert "diagnostic" in found["two_way_fixed_effects"].note


# One converter.


@pytest.mark.parametrize("code", [0, None, math.nan, math.inf, -1, 2030])
def test_never_treated_has_one_meaning_however_it_is_coded(counties: pd.DataFrame, code: Any) -> None:
    """Six codes, one panel: same digest, and so the same effects (libraries silently drop or mistake some)."""
    file = counties.groupby("countyreal")["first.treat"].first()
    own = panel_of(counties, [code if first == 0 else first for first in file])
    assert own.digest == panel_of(counties).digest
    assert sum(each is None for each in own.adoption) == 309


def test_an_adoption_that_is_no_period_is_refused() -> None:
    """A year before the panel is not 'never'."""
    with pytest.raises(EstimateError, match="1999 is no period"):
        adoption_index([2005, 1999], [2003, 2004, 2005])


def test_shuffled_rows_give_the_same_bytes(counties: pd.DataFrame) -> None:
    """Everything that comes out, to the last digit."""
    shuffled = counties.sample(frac=1, random_state=5)
    one, other = (effects_of(panel_of(rows), covariates=population(counties)) for rows in (counties, shuffled))
    assert one.event_covariance.tobytes() == other.event_covariance.tobytes()
    blank = np.zeros(0)
    assert (
        dataclasses.replace(one, event_covariance=blank).__repr__()
        == dataclasses.replace(other, event_covariance=blank).__repr__()
    )


def test_units_with_gaps_are_dropped_and_counted(counties: pd.DataFrame) -> None:
    """As csdid and moderndid do by default: -0.0338 with a tenth of rows gone (the rows that methods differ on)."""
    panel = panel_of(counties)
    possible = np.array(panel.denominator)
    possible[[3, 50, 400], [0, 2, 4]] = 0.0
    gaps = panel_of_arrays(
        outcome="lemp", units=panel.units, periods=panel.periods, numerator=panel.numerator, denominator=possible,
        adoption=panel.adoption,
    )  # fmt: skip
    whole = [n for n in range(500) if n not in (3, 50, 400)]
    without = panel_of_arrays(
        outcome="lemp", units=[panel.units[n] for n in whole], periods=panel.periods, numerator=panel.numerator[whole],
        denominator=panel.denominator[whole], adoption=[panel.adoption[n] for n in whole],
    )  # fmt: skip
    found = effects_of(gaps)
    assert found.overall == effects_of(without).overall
    assert [(each.reason, each.n, each.of) for each in found.left_out] == [("no_figure_in_some_half_term", 3, 500)]


# Own sums beside the library.


@pytest.mark.parametrize("comparison", ["never_treated", "not_yet_treated"])
@pytest.mark.parametrize("anticipation", [0, 1])
@pytest.mark.parametrize("weighted", [False, True])
def test_sums_over_pyramids_equal_the_library(comparison: Any, anticipation: int, weighted: bool) -> None:
    """Every cell, their mean and its clustered error, to 1e-10. The library counts the anticipation window among the
    effects of its overall mean; ours leaves it out, so for this comparison it is taken in."""
    panel = made_up_schools(3, effect=-0.01)
    study = staggered(panel, weights="pupils" if weighted else "schools", anticipation=anticipation)
    every = cells_of(study, anticipation=anticipation, universal=True)
    cells = tuple(cell for cell in every if cell.time >= cell.group - anticipation)
    adoption = np.array([study.adoption[study.cluster == c][0] for c in range(len(study.clusters))])
    ours = cell_effects(cluster_sums(study), adoption[None], cells, comparison=comparison, anticipation=anticipation)
    value, psi = overall_effects(ours)
    n = len(study.clusters)
    rows = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(len(study.units)), 18), "time": np.tile(np.arange(1, 19), len(study.units)),
            "y": study.values.ravel(), "cluster": np.repeat(study.cluster, 18), "w": np.repeat(study.weights, 18),
            "first": np.repeat(np.where(study.adoption < NEVER, study.adoption + 1, 0), 18),
        }
    )  # fmt: skip
    design = SurveyDesign(weights="w", psu="cluster") if weighted else None
    theirs = CallawaySantAnna(
        control_group=comparison, anticipation=anticipation, cluster=None if weighted else "cluster"
    ).fit(rows, outcome="y", unit="unit", time="time", first_treat="first", survey_design=design)
    for m, cell in enumerate(cells):
        assert ours.att[0, m] == pytest.approx(
            theirs.group_time_effects[(cell.group + 1, cell.time + 1)]["effect"], abs=1e-10
        )
    assert value[0] == pytest.approx(theirs.overall_att, abs=1e-10)
    assert math.sqrt(n / (n - 1) * (psi[0] ** 2).sum()) == pytest.approx(theirs.overall_se, abs=1e-10)


def test_blocks_equal_the_library_with_block_indicators() -> None:
    """Comparing within year groups is the outcome regression on their indicators, errors included."""
    flat = made_up_schools(4, effect=-0.01)
    blocks = [f"Y{n % 4}" for n in range(len(flat.units))]
    panel = panel_of_arrays(
        outcome="x", units=flat.units, periods=flat.periods, numerator=flat.numerator, denominator=flat.denominator,
        adoption=flat.adoption, clusters=flat.clusters, blocks=blocks, sizes=flat.sizes,
    )  # fmt: skip
    ours = group_time_effects(panel, rng=rng())
    study = staggered(panel)
    rows = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(len(study.units)), 18), "time": np.tile(np.arange(1, 19), len(study.units)),
            "y": study.values.ravel(), "cluster": np.repeat(study.cluster, 18), "w": np.repeat(study.weights, 18),
            "first": np.repeat(np.where(study.adoption < NEVER, study.adoption + 1, 0), 18),
            **{f"b{k}": np.repeat((study.block == k).astype(float), 18) for k in (1, 2, 3)},
        }
    )  # fmt: skip
    theirs = CallawaySantAnna(control_group="not_yet_treated", estimation_method="reg").fit(
        rows, outcome="y", unit="unit", time="time", first_treat="first", covariates=["b1", "b2", "b3"],
        survey_design=SurveyDesign(weights="w", psu="cluster"),
    )  # fmt: skip
    assert ours.overall.value == pytest.approx(theirs.overall_att, abs=1e-10)
    assert ours.overall.std_error == pytest.approx(theirs.overall_se, abs=1e-10)


# Everybody starts in the end.


def everybody_starts(*, trend: float, effect: float = 0.0) -> SchoolPanel:
    """No noise: schools' own levels, a common trend, and an effect of starting; all have started by the last cohort."""
    rng_, half = np.random.default_rng(0), np.arange(10)
    adoption = [4, 4, 4, 6, 6, 6, 8, 8, 8]
    rates = 0.05 + rng_.random((9, 1)) / 50 + trend * half + effect * (half >= np.array(adoption)[:, None])
    return panel_of_arrays(
        outcome="x", units=list("abcdefghi"), periods=[f"h{t}" for t in half], numerator=rates,
        denominator=np.ones(rates.shape), adoption=adoption,
    )  # fmt: skip


@pytest.mark.parametrize("effect", [0.0, -0.01])
def test_where_all_start_a_common_trend_is_no_effect(effect: float) -> None:
    """Truth 0 and -1 point under a trend that alone would give 1.0 (diff-diff issue 734): found exactly."""
    found = group_time_effects(everybody_starts(trend=0.25, effect=effect), rng=rng())
    assert found.overall.value == pytest.approx(effect, abs=1e-9)
    assert all(each.value == pytest.approx(effect, abs=1e-9) for each in found.cells if each.event_time >= 0)


def test_half_terms_without_comparison_are_dropped_and_named() -> None:
    """From h8 on everybody has started; the last cohort is only a comparison, and the estimand says what is left."""
    found = group_time_effects(everybody_starts(trend=0.25), rng=rng())
    named = {(each.group, each.time, each.reason) for each in found.unsupported}
    late = itertools.product(("h4", "h6", "h8"), ("h8", "h9"))
    assert named == {(group, time, "every_school_has_started") for group, time in late}
    post = {(each.group, each.time) for each in found.cells if each.event_time >= 0}
    assert post == {("h4", f"h{t}") for t in (4, 5, 6, 7)} | {("h6", f"h{t}") for t in (6, 7)}
    assert found.estimand.startswith("the extra of starting earlier")
    with pytest.raises(EstimateError, match="none is never treated"):
        group_time_effects(everybody_starts(trend=0.25), rng=rng(), comparison="never_treated")


def test_one_common_start_of_all_is_refused() -> None:
    """Nobody to compare with: an error, not a number."""
    flat = everybody_starts(trend=0.1)
    together = panel_of_arrays(
        outcome="x", units=flat.units, periods=flat.periods, numerator=flat.numerator, denominator=flat.denominator,
        adoption=[4] * 9,
    )  # fmt: skip
    with pytest.raises(EstimateError, match="nothing can be compared"):
        group_time_effects(together, rng=rng())


def test_an_all_treated_estimate_says_that_it_is_the_extra_of_starting_earlier() -> None:
    """In the frozen result too, with the cells that have no effect in its notes."""
    panel = made_up_schools(2, effect=-0.02, share_never=0.0, starts=(6, 10, 14))
    found = estimate_schools(panel, SchoolDesign(alpha=0.05, sesoi=0.0025, draws=199, placebos=0), rng=rng())
    assert found.estimand.startswith("the extra of starting earlier")
    assert any("without comparison" in note for note in found.notes)
    assert found.post == tuple(HALVES[6:14])
    assert found.intervals["0.95"][0] <= -0.02 <= found.intervals["0.95"][1]


# Randomisation.


@pytest.mark.parametrize("weights", ["pupils", "sessions", "schools"])
@pytest.mark.parametrize("anticipation", [0, 2])
def test_the_estimate_is_the_librarys_overall_effect(weights: Any, anticipation: int) -> None:
    """By our sums and by diff-diff, whatever the weights and the anticipation: value and error to 1e-10."""
    panel = made_up_schools(9, effect=-0.01)
    design = SchoolDesign(
        alpha=0.05, sesoi=0.0025, draws=99, placebos=0, weights=weights, anticipation=anticipation
    )  # fmt: skip
    ours = estimate_schools(panel, design, rng=rng())
    theirs = group_time_effects(panel, rng=rng(), weights=weights, anticipation=anticipation).overall
    assert (ours.value, ours.std_error) == pytest.approx((theirs.value, theirs.std_error), abs=1e-10)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), level=st.floats(-1, 1), trend=st.floats(-0.1, 0.1), effect=st.floats(-0.1, 0.1))
def test_what_everybody_shares_changes_nothing_and_an_effect_adds_up(
    seed: int, level: float, trend: float, effect: float
) -> None:
    """Schools' own levels and common half-terms cancel; an effect put in comes out, with the same error."""
    panel = made_up_schools(seed, schools=1)
    half = np.arange(18)
    started = np.array([[s is not None and t >= s for t in half] for s in panel.adoption])
    own = level * np.random.default_rng(seed).random((len(panel.units), 1))
    moved = panel.values + own + trend * half**2 + effect * started
    other = panel_of_arrays(
        outcome="x", units=panel.units, periods=panel.periods, adoption=panel.adoption, clusters=panel.clusters,
        numerator=moved * panel.denominator, denominator=panel.denominator, sizes=panel.sizes,
    )  # fmt: skip
    design = SchoolDesign(alpha=0.05, sesoi=0.0025, draws=39, placebos=0, levels=())
    one, two = (estimate_schools(each, design, rng=rng()) for each in (panel, other))
    assert two.value - one.value == pytest.approx(effect, abs=1e-9)
    assert two.std_error == pytest.approx(one.std_error, abs=1e-9)
    for level_, (low, high) in one.intervals.items():
        if two.intervals[level_][0] * two.intervals[level_][1] > 0 and low * high > 0:
            assert two.intervals[level_] == pytest.approx((low + effect, high + effect), abs=1e-7)


def tiny(values: np.ndarray, adoption: Sequence[int | None], strata: Sequence[str] | None = None) -> SchoolPanel:
    """Each unit its own pyramid."""
    return panel_of_arrays(
        outcome="x", units=[f"u{n}" for n in range(len(values))], periods=[f"h{t}" for t in range(values.shape[1])],
        numerator=values, denominator=np.ones(values.shape), adoption=list(adoption), strata=strata,
    )  # fmt: skip


def plain_t(change: np.ndarray, treated: Sequence[int]) -> float:
    """|Difference of means| over its sandwich error, two periods: by hand."""
    on = np.isin(np.arange(len(change)), treated)
    a, b = change[on], change[~on]
    variance = ((a - a.mean()) ** 2).sum() / len(a) ** 2 + ((b - b.mean()) ** 2).sum() / len(b) ** 2
    return float(abs(a.mean() - b.mean()) / math.sqrt(variance))


def test_a_tiny_randomisation_is_exact() -> None:
    """3 of 7 start: all 35 allocations by hand, each counted once, the real one among them."""
    change = np.array([-3.0, -2.2, -1.9, 0.4, 1.0, -0.3, 0.2])
    values = np.column_stack([np.zeros(7), change])
    reference = [plain_t(change, treated) for treated in itertools.combinations(range(7), 3)]
    expected = np.mean(np.array(reference) >= plain_t(change, (0, 1, 2)) * (1 - 1e-9))

    found = estimate_schools(
        tiny(values, [1, 1, 1, None, None, None, None]),
        SchoolDesign(alpha=0.05, sesoi=0.5, levels=(0.9,), placebos=0), rng=rng(),
    )  # fmt: skip

    assert found.n_reference == 34
    assert found.p_value == pytest.approx(expected, abs=1e-12)
    assert found.value == pytest.approx(change[:3].mean() - change[3:].mean())


def test_allocations_are_permuted_within_strata_only() -> None:
    """2 of 4 and 1 of 3: 6 times 3 ways; no draw moves a start to another stratum."""
    adoption, strata = np.array([1, 1, NEVER, NEVER, 2, NEVER, NEVER]), np.array([0, 0, 0, 0, 1, 1, 1])
    every = allocations(adoption, strata, draws=100, rng=rng())
    some = allocations(adoption, strata, draws=10, rng=rng())
    assert (every.n_distinct, every.is_complete, len(every.others)) == (18, True, 17)
    assert len({tuple(row) for row in every.others}) == 17
    assert (some.is_complete, len(some.others)) == (False, 10)
    for row in np.vstack([every.others, some.others]):
        assert sorted(row[:4]) == [1, 1, NEVER, NEVER]
        assert sorted(row[4:]) == [2, NEVER, NEVER]


def test_too_few_allocations_for_alpha_are_refused() -> None:
    """1 of 6 can start in 6 ways: no p under 1 in 6."""
    values = np.random.default_rng(0).random((6, 4))
    with pytest.raises(EstimateError, match=r"in 6 ways .* no p-value is under 0.167"):
        estimate_schools(tiny(values, [2] + [None] * 5), SchoolDesign(alpha=0.05, sesoi=0.1), rng=rng())


def test_schools_of_a_pyramid_that_start_apart_are_refused() -> None:
    """The allocation was then not by pyramid."""
    panel = made_up_schools(1)
    apart = list(panel.adoption)
    apart[0] = None if apart[0] is not None else 12
    mixed = panel_of_arrays(
        outcome="x", units=panel.units, periods=panel.periods, numerator=panel.numerator, denominator=panel.denominator,
        adoption=apart, clusters=panel.clusters,
    )  # fmt: skip
    with pytest.raises(EstimateError, match="1 of 22 pyramids hold schools that start at different times"):
        estimate_schools(mixed, SchoolDesign(alpha=0.05, sesoi=0.0025), rng=rng())


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), shift=st.floats(-3, 3), level=st.sampled_from([0.8, 0.9, 0.95]))
def test_p_and_interval_never_contradict_each_other(seed: int, shift: float, level: float) -> None:
    """p <= a exactly when the interval at 1 - a leaves 0 out, over all 126 allocations; the value lies inside."""
    chance = np.random.default_rng(seed)
    panel = tiny(chance.normal(size=(9, 3)) + shift * np.outer(np.arange(9) < 4, [0, 0, 1]), [2] * 4 + [None] * 5)
    found = estimate_schools(
        panel, SchoolDesign(alpha=1 - level, sesoi=1, levels=(level,), draws=200, placebos=0), rng=chance
    )
    low, high = found.intervals[f"{level:g}"]
    assert low < found.value < high
    assert (found.p_value <= 1 - level + 1e-12) == (low > 0 or high < 0)


def test_an_interval_ends_where_its_effect_is_rejected() -> None:
    """Just inside each end p is above a, just outside it is not, with the effect taken out of the outcomes by hand."""
    panel = made_up_schools(8, effect=-0.01)
    design = SchoolDesign(alpha=0.05, sesoi=0.0025, draws=399, placebos=0)
    found = estimate_schools(panel, design, rng=rng())
    started = np.array([[s is not None and t >= s for t in range(18)] for s in panel.adoption])

    def p_without(effect: float) -> float:
        less = panel_of_arrays(
            outcome="x", units=panel.units, periods=panel.periods, denominator=panel.denominator,
            numerator=panel.numerator - effect * started * panel.denominator, adoption=panel.adoption,
            clusters=panel.clusters, sizes=panel.sizes,
        )  # fmt: skip
        return estimate_schools(less, design, rng=rng()).p_value

    for end, outwards in zip(found.intervals["0.95"], (-1, 1), strict=True):
        step = 1e-6 * outwards
        assert p_without(end - step) > 0.05
        assert p_without(end + step) <= 0.05


def test_a_reference_that_is_the_real_allocation_again_rejects_nothing() -> None:
    """Then no effect can be excluded, and that is an error."""
    same = Linear(
        value=np.ones(30), slope=np.ones(30), variance=np.ones(30), cross=np.zeros(30), curve=np.zeros(30)
    )  # fmt: skip
    with pytest.raises(EstimateError):
        Randomisation(own=same.rows(np.arange(30) == 0), reference=same).interval(0.95)


def test_truth_is_covered_and_a_true_null_seldom_rejected() -> None:
    """40 small worlds of each: 95% intervals hold an effect of -1 point, and 5% tests err about that often."""
    covered, rejected = 0, 0
    design = SchoolDesign(alpha=0.05, sesoi=0.0025, levels=(0.95,), draws=199, placebos=0)
    values = []
    for seed in range(40):
        chance = np.random.default_rng(seed)
        found = estimate_schools(made_up_schools(seed, effect=-0.01, schools=3), design, rng=chance)
        covered += found.intervals["0.95"][0] <= -0.01 <= found.intervals["0.95"][1]
        values.append(found.value)
        null = estimate_schools(made_up_schools(1000 + seed, schools=3), design, rng=chance)
        rejected += null.p_value <= 0.05
    assert covered >= 34  # P(fewer than 34 of 40 | 0.95) is 1 in 300
    assert rejected <= 6  # P(more than 6 of 40 | 0.05) is 1 in 300
    assert np.mean(values) == pytest.approx(-0.01, abs=4 * np.std(values) / math.sqrt(40))


# The frozen result.


def test_the_estimate_holds_what_a_finding_needs() -> None:
    """Levels that alpha decides by, what was promised before outcomes and how; the same seed gives the same result."""
    panel = made_up_schools(6, effect=-0.01)
    design = SchoolDesign(alpha=0.03, sesoi=0.0025, draws=499, placebos=40, plan_digest="d" * 64, registered=True)
    found = estimate_schools(panel, design, rng=rng())
    assert found == estimate_schools(panel, design, rng=rng())
    assert (found.layer, found.inference, found.source, found.method) == (
        "school", "randomisation", "register", "group_time_effects",
    )  # fmt: skip
    assert set(found.intervals) == {"0.9", "0.94", "0.95", "0.97"}
    assert (found.n_units, found.n_clusters, found.n_reference) == (88, 22, 499)
    assert found.actual - found.predicted == pytest.approx(found.value)
    assert found.base == tuple(HALVES[:12])
    assert found.detectable is not None and found.detectable_05 is not None
    assert found.detectable_05 <= found.detectable
    assert "moved back by 6 of 6 half-terms" in found.detectable_how
    assert found.power_at_sesoi is not None and 0 <= found.power_at_sesoi < 0.8
    assert found.type_m is not None and found.type_m > 1
    path = {point.event_time: point for point in found.path}
    assert path[-1].actual == path[-1].predicted
    assert found.n_treated == 60


def test_the_detectable_effect_is_noticed_four_times_in_five() -> None:
    """Over fresh worlds with an effect of that size; the promise of one world is within what chance allows."""
    design = SchoolDesign(alpha=0.05, sesoi=0.0025, draws=199, placebos=60)
    promised = estimate_schools(made_up_schools(500, schools=3), design, rng=rng()).detectable
    assert promised is not None
    quick = dataclasses.replace(design, placebos=0)
    noticed = [
        estimate_schools(made_up_schools(600 + n, effect=-promised, schools=3), quick, rng=rng()).p_value <= 0.05
        for n in range(30)
    ]
    assert 0.6 <= np.mean(noticed) <= 0.97


def test_without_time_before_the_start_no_promise_is_made_up() -> None:
    """Two half-terms before the first start leave none for a false start: said, not guessed."""
    values = np.random.default_rng(3).normal(size=(12, 4))
    found = estimate_schools(
        tiny(values, [1] * 6 + [None] * 6), SchoolDesign(alpha=0.05, sesoi=1.0, draws=99, placebos=10), rng=rng()
    )
    assert found.detectable is None
    assert found.power_at_sesoi is None
    assert "too few half-terms before the first start" in found.detectable_how
    assert found.detectable_realised_05 is not None


def test_timing_that_was_not_drawn_is_noted() -> None:
    """Permuting starts that were given by need is a model, not a fact."""
    panel = dataclasses.replace(made_up_schools(1), timing={"by_need": 12, "drawn_by_lot": 48})
    found = estimate_schools(panel, SchoolDesign(alpha=0.05, sesoi=0.0025, draws=99, placebos=0), rng=rng())
    assert any("12 by_need" in note for note in found.notes)


def test_cluster_robust_inference_needs_ten_clusters_a_side() -> None:
    """7 comparison pyramids: refused, with the way out; with 40 pyramids it is given and is near randomisation's."""
    few = group_time_effects(made_up_schools(1), rng=rng())
    with pytest.raises(EstimateError, match="15 treated and 7 comparison clusters"):
        few.analytic(few.overall)
    panel = made_up_schools(1, n_pyramids=40)
    many = group_time_effects(panel, rng=rng())
    _, (low, high) = many.analytic(many.overall)
    drawn = estimate_schools(panel, SchoolDesign(alpha=0.05, sesoi=0.0025, placebos=0, draws=999), rng=rng())
    assert low == pytest.approx(drawn.intervals["0.95"][0], abs=0.002)
    assert high == pytest.approx(drawn.intervals["0.95"][1], abs=0.002)


def test_the_band_is_wider_than_single_intervals_and_holds_all_effects_at_once() -> None:
    """In 40 null worlds with many clusters the whole path lies inside about 95% of the time."""
    inside = 0
    for seed in range(40):
        panel = made_up_schools(seed, n_pyramids=60, schools=1, starts=(8,), share_never=0.5)
        found = group_time_effects(panel, rng=np.random.default_rng(seed), draws=399)
        assert found.critical > 1.96
        inside += all(each.low <= 0 <= each.high for each in found.path)
    assert inside >= 32


def test_the_wild_bootstrap_is_for_one_common_start() -> None:
    """Refused for several, with the way out; for one it notices what randomisation notices."""
    with pytest.raises(EstimateError, match="at 3 different half-terms"):
        common_start_bootstrap_p(made_up_schools(1), rng=rng())
    panel = made_up_schools(1, effect=-0.03, starts=(12,), share_never=0.5)
    assert common_start_bootstrap_p(panel, rng=rng(), draws=999) <= 0.01
    design = SchoolDesign(alpha=0.05, sesoi=0.0025, draws=999, placebos=0)
    assert estimate_schools(panel, design, rng=rng()).p_value <= 0.01


# Before the start.


def test_a_pre_trend_is_noticed_and_its_power_is_stated() -> None:
    """No drift: not noticed, with little power at S; a drift of 1 point in 6 half-terms: noticed, as its power says."""
    quiet = pre_trends(made_up_schools(12), drift=0.0025, rng=rng(), draws=399, placebos=20)
    panel = made_up_schools(12)
    starts = np.array([s is not None for s in panel.adoption])
    drift = 0.01 / 6 * np.arange(18) * starts[:, None]
    bent = panel_of_arrays(
        outcome="x", units=panel.units, periods=panel.periods, denominator=panel.denominator, adoption=panel.adoption,
        numerator=panel.numerator + drift * panel.denominator, clusters=panel.clusters, sizes=panel.sizes,
    )  # fmt: skip
    assert quiet.p_value > 0.05
    assert quiet.leads == tuple(range(-13, -1))
    assert quiet.slope == pytest.approx(0.0025 / 6)
    assert quiet.power < 0.3
    assert pre_trends(bent, drift=0.0025, rng=rng(), draws=399, placebos=1).p_value <= 0.05
    assert pre_trends(panel, drift=0.01, rng=rng(), draws=399, placebos=20).power > 0.8


def test_the_joint_pre_trend_test_keeps_its_size() -> None:
    """60 worlds without drift: about 3 are noticed at 5%."""
    noticed = 0
    for seed in range(60):
        panel = made_up_schools(seed, schools=2)
        found = pre_trends(panel, drift=0.0025, rng=np.random.default_rng(seed), draws=99, placebos=1)
        noticed += found.p_value <= 0.05
    assert noticed <= 8  # P(more than 8 of 60 | 0.05) is 1 in 600


# Counts.


def test_poisson_equals_explicit_dummies() -> None:
    """The coefficient of statsmodels' GLM with a dummy a school and a half-term, exposure given."""
    panel = made_up_events(3, ratio=0.7)
    found = ratio_effect(panel, rng=rng(), draws=99)
    kept = panel.numerator.sum(axis=1) > 0
    events, days = panel.numerator[kept], panel.denominator[kept]
    started = np.array([[s is not None and t >= s for t in range(18)] for s in np.array(panel.adoption)[kept]])
    n = len(events)
    unit, half = np.repeat(np.arange(n), 18), np.tile(np.arange(18), n)
    design = np.column_stack([started.ravel(), np.eye(n)[unit], np.eye(18)[half][:, 1:]]).astype(float)
    dummies = sm.GLM(events.ravel(), design, family=sm.families.Poisson(), exposure=days.ravel()).fit()
    assert found.log_ratio == pytest.approx(dummies.params[0], abs=1e-6)
    assert found.n_without_events == int((~kept).sum()) > 0
    assert found.n_events == int(panel.numerator.sum())
    low, high = found.intervals[0.95]
    assert low < math.log(0.7) < high


@pytest.mark.parametrize("where", ["nowhere", "in one school", "before the starts", "since the starts"])
def test_too_few_events_for_a_ratio_are_an_error(where: str) -> None:
    """Without two schools and both sides of the starts there is no ratio: an error in words, and never a number."""
    panel = made_up_events(3)
    since = np.array([[s is not None and t >= s for t in range(18)] for s in panel.adoption])
    one = np.zeros_like(since)
    one[int(np.flatnonzero(since.any(axis=1))[0])] = True
    kept = {"nowhere": np.zeros_like(since), "in one school": one, "before the starts": ~since,
            "since the starts": since}[where]  # fmt: skip
    few = dataclasses.replace(panel, numerator=np.where(kept, panel.numerator + one, 0.0))
    with pytest.raises(EstimateError, match=r"no unit has an event|too few events"):
        ratio_value(few)
    with pytest.raises(EstimateError, match=r"no unit has an event|too few events"):
        ratio_effect(few, rng=rng(), draws=99)


def test_uneven_counts_are_judged_by_the_allocation() -> None:
    """Negative-binomial counts, no effect: the 5% test errs about that often; p and interval agree."""
    rejected = 0
    for seed in range(40):
        found = ratio_effect(made_up_events(seed), rng=np.random.default_rng(seed), draws=199)
        rejected += found.p_value <= 0.05
        low, high = found.intervals[0.95]
        assert (found.p_value <= 0.05) == (low > 0 or high < 0)
    assert rejected <= 6


def test_a_ratio_is_noticed_where_the_test_of_such_events_notices_it() -> None:
    """Power by the placebos' intervals is the share of them rejected once the ratio is in their events, both signs."""
    panel, at = made_up_events(5), 0.05
    study = staggered(panel, weights="schools")
    events, exposure = events_and_exposure(panel, study)
    own = allocations(cluster_adoption(study), stratum_of(study, panel), draws=99, rng=rng()).others[:40]
    found = detecting_ratios._placebos(study, events, exposure, own, 12, at)
    kept = events.sum(axis=1) > 0
    for size in (0.1, 0.3, 0.6):
        noticed = []
        for sign in (1, -1):
            share = 0
            for n in range(12):
                rows = np.vstack([own[n : n + 1], np.delete(own, n, axis=0)])
                since = np.arange(18) >= own[n][study.cluster][:, None]
                more = (events * np.exp(sign * size * since))[kept]
                share += Scores(more, exposure[kept], study.cluster[kept], len(study.clusters), rows).p_value(0) <= at
            noticed.append(share / 12)
        assert found.power(size) == pytest.approx(min(noticed))
    largest = found.detectable()
    assert found.power(largest * 1.01) >= 0.8 > found.power(largest * 0.98)


def test_what_a_design_promised_of_a_ratio_is_of_the_size_it_then_notices() -> None:
    """Truth 1: the detectable ratio before any start and since are near 2.8 errors; a noticed one is exaggerated."""
    panel = made_up_events(11)
    promise, how = promised_ratios(panel, alpha=0.05, rng=rng(), count=30)
    since = realised_ratios(panel, 0.0, alpha=0.05, rng=rng(), count=30)
    assert promise is not None
    assert "moved back by" in how
    error = ratio_effect(panel, rng=rng(), draws=199).std_error
    for found in (promise, since):
        assert 1.5 * error < found.detectable() < 6 * error
        assert (found.type_m(found.detectable() / 3) or 0) > 1
    early = panel_of_arrays(
        outcome="suspensions", units=["a", "b"], periods=["1", "2"], adoption=[1, None],
        numerator=np.ones((2, 2)), denominator=np.full((2, 2), 9.0),
    )  # fmt: skip
    assert promised_ratios(early, alpha=0.05, rng=rng(), count=3)[0] is None


def test_exact_ratio_of_few_events() -> None:
    """30 and 15 in 1,000 each: 1.0429 to 3.9999, p 0.035698 (conditional exact, as statsmodels and SciPy give)."""
    found = exact_ratio((30, 15), (1000, 1000))
    assert found.ratio == pytest.approx(2.0)
    assert found.interval == pytest.approx((1.0429, 3.9999), abs=PRINTED)
    assert found.p_value == pytest.approx(0.035698, abs=5e-7)
    assert exact_ratio((30, 15), (1000, 2000)).interval == pytest.approx([2 * x for x in found.interval])
    assert exact_ratio((0, 3), (10, 10)).interval[0] == 0
    assert math.isinf(exact_ratio((3, 0), (10, 10)).interval[1])
    with pytest.raises(EstimateError, match="whole numbers"):
        exact_ratio((0, 0), (10, 10))


def test_permanent_exclusions_beside_schools_that_had_not_started() -> None:
    """Only half-terms with both kinds of school count: 2 in 30 days and 1 in 10, by hand."""
    panel = panel_of_arrays(
        outcome="permanent_exclusions", units=["a", "b"], periods=["1", "2", "3"], adoption=[1, None],
        numerator=np.array([[7, 2, 0], [9, 0, 1.0]]), denominator=np.array([[9, 10, 20], [9, 5, 5.0]]),
    )  # fmt: skip
    found = started_beside_others(panel)
    assert (found.events, found.exposure) == ((2, 1), (30.0, 10.0))
    assert found.ratio == pytest.approx(2 / 30 / (1 / 10))


def test_covariates_that_do_not_fit_are_refused() -> None:
    """Their number, gaps, and use beside blocks."""
    panel = made_up_schools(1)
    with pytest.raises(EstimateError, match="covariate size: expected 88 numbers"):
        group_time_effects(panel, rng=rng(), covariates={"size": np.ones(3)})
    blocked = panel_of_arrays(
        outcome="x", units=panel.units, periods=panel.periods, numerator=panel.numerator, denominator=panel.denominator,
        adoption=panel.adoption, blocks=["a", "b"] * 44,
    )  # fmt: skip
    with pytest.raises(EstimateError, match="covariates beside blocks"):
        group_time_effects(blocked, rng=rng(), covariates={"size": np.ones(88)})
    with pytest.raises(EstimateError, match="compare across the 2 year groups"):
        imputation(blocked)
