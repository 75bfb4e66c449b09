"""Each check in a world where it passes and in one where it fails; panels that allow no number say what they lack."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import ValidationError
from small_country import OUTCOME, YEARS, outcomes, plan

from belonging_research import shipped
from belonging_research.checks import (
    CHECKS,
    CheckResult,
    breaking,
    calibrated,
    county,
    left_out_ways,
    run_checks,
    sensitivity,
    specification_curve,
    specifications,
)
from belonging_research.checks.breaking import NOTHING_TO_BREAK, event_study
from belonging_research.checks.sensitivity import other_rates
from belonging_research.errors import BelongingError, EstimateError, PanelError, PlanError
from belonging_research.estimators import Estimate, estimate
from belonging_research.estimators.county import Effect, Reference, fit
from belonging_research.estimators.placebo import fit_size_variance
from belonging_research.findings import assess
from belonging_research.findings.grades import is_caution
from belonging_research.outcomes import derive_outcomes, refuse_unknown_controls
from belonging_research.panel import Grid, Panel, Specification, build_panel, compare, grid, series
from belonging_research.plan import Plan
from belonging_research.sources import load_extract

B, K = "educated_off_site_sessions_rate", "arranged_by_authority_sessions_rate"
U, M = "late_after_registers_closed_rate", "medical_appointment_absence_rate"
R = "religious_observance_absence_rate"
REGISTER_YEARS, POST = YEARS[2:], YEARS[-1]
NEW = ("breakdown", "code_bridge", "negative_control", "settled", "specifications", "support")
NEGLIGIBLE = dict.fromkeys(("0.9", "0.95", "0.98", "0.99"), (-0.001, 0.001))


def world(edit: Callable[[pd.DataFrame], pd.DataFrame | None] = lambda frame: None, **how: Any) -> Panel:
    """A panel of the small country with its figures edited; ``as_at`` is the day on which they were taken."""
    as_at = how.pop("as_at", "")
    table = outcomes(**how)
    frame = table.to_pandas(date_as_object=True)
    edited = edit(frame)
    frame = frame if edited is None else edited
    metadata = {**(table.schema.metadata or {}), b"data_as_at": as_at.encode()}
    made = pa.Table.from_pandas(frame, schema=table.schema.with_metadata(metadata), preserve_index=False)
    return build_panel(made, plan())


def reasons(levels: dict[str, float], own: dict[str, float] | None = None) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Adds published daily rates, ``levels`` with a little noise; ``own`` moves Dorset's in the post year."""

    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        rng = np.random.default_rng(5)
        bare = frame["outcome"].eq(OUTCOME) & frame["source"].eq("daily") & frame["interval_end"].isna()
        parts = [frame]
        for name, level in levels.items():
            rows = frame[bare & frame["period"].isin([POST] if name == K else list(REGISTER_YEARS))].copy()
            moved = (rows["unit"] == "838") & (rows["period"] == POST)
            rows["value"] = level * (1 + 0.05 * rng.normal(size=len(rows))) + (own or {}).get(name, 0.0) * moved
            parts.append(rows.assign(outcome=name))
        return pd.concat(parts, ignore_index=True)

    return edit


def shifted(by: dict[tuple[str, str], float]) -> Callable[[pd.DataFrame], None]:
    """Adds to Dorset's figures of a (source, year), fortnights included."""

    def edit(frame: pd.DataFrame) -> None:
        for (source, year), amount in by.items():
            own = frame["unit"].eq("838") & frame["outcome"].eq(OUTCOME)
            frame.loc[own & frame["source"].eq(source) & frame["period"].eq(year), "value"] += amount

    return edit


def answers(name: str, panel: Panel, made: Estimate | None = None, of: Plan | None = None) -> tuple[CheckResult, ...]:
    """What a check says of the registered estimate, or of ``made``."""
    of = of or plan()
    return CHECKS[name](made or estimate(panel, of, OUTCOME), panel, of)


def answer(name: str, panel: Panel, made: Estimate | None = None, of: Plan | None = None) -> CheckResult:
    """The one result of a check."""
    (result,) = answers(name, panel, made, of)
    return result


# The change of register codes.


def test_the_code_bridge_passes_where_codes_moved_alike() -> None:
    """Reasons that hardly move, everywhere alike, leave the estimate where it is."""
    result = answer("code_bridge", world(reasons({B: 0.003, K: 0.0004, U: 0.0015})))

    assert (result.status, result.severity) == ("pass", "serious")
    assert result.limit == pytest.approx(plan().outcome(OUTCOME).sesoi / 2)


def test_the_code_bridge_catches_half_days_that_only_changed_their_code() -> None:
    """Education off site written down as absence, here alone: the bridge takes back what it added, to a tenth."""
    add, move = reasons({B: 0.005, K: 0.0004, U: 0.0015}, {B: -0.003}), 0.003
    panel = world(lambda f: (shifted({("census", POST): move})(f), add(f))[1])  # type: ignore[func-returns-value]

    result = answer("code_bridge", panel)

    assert result.status == "fail"
    assert result.value == pytest.approx(move, rel=0.15)
    assert "falls by 0.3" in result.sentence and "education off site" in result.sentence


def test_the_code_bridge_catches_late_arrivals_that_became_absence() -> None:
    """A register that closes earlier turns late arrivals into absence."""
    result = answer("code_bridge", world(reasons({B: 0.003, K: 0.0004, U: 0.0015}, {U: 0.003})))

    assert result.status == "fail"
    assert "arrivals after the register closed" in result.sentence and "falls by 0.3" in result.sentence


def test_the_code_bridge_names_what_is_not_printed() -> None:
    """Without a rate on both sides there is no bridge: what is missing is named, with its years."""
    nothing = answer("code_bridge", world())
    assert (nothing.status, nothing.severity, is_caution(nothing)) == ("no_test", "serious", True)
    assert "education off site (B) in 2022/23, 2023/24, 2024/25" in nothing.sentence

    one_year = reasons({B: 0.003, K: 0.0004, U: 0.0015})

    def without(frame: pd.DataFrame) -> pd.DataFrame:
        frame = one_year(frame)
        return frame[~(frame["outcome"].eq(U) & frame["period"].eq("2022/23") & frame["unit"].eq("838"))]

    assert "closed (U) in 2022/23 not printed" in answer("code_bridge", world(without)).sentence


@pytest.mark.parametrize(
    ("outcome", "severity", "says"),
    [
        ("suspension_rate", "caution", "Does not apply"),
        ("persistent_absence_rate", "serious", "half-days, not the pupils"),
    ],
)
def test_the_code_bridge_of_other_outcomes(outcome: str, severity: str, says: str) -> None:
    """Suspensions come from no register; pupils cannot be counted from half-days."""
    panel = world()
    made = dataclasses.replace(estimate(panel, plan(), OUTCOME), outcome=outcome)

    result = answer("code_bridge", panel, made)

    assert (result.status, result.severity) == ("no_test", severity)
    assert says in result.sentence


def test_the_code_bridge_between_years_of_the_same_codes() -> None:
    """Where base and post years use the same codes there is nothing to bridge."""
    panel = world()
    made = dataclasses.replace(estimate(panel, plan(), OUTCOME), base=("2021/22", "2022/23"), post=("2023/24",))

    assert answer("code_bridge", panel, made).sentence.startswith("Does not apply")


# Negative controls.


def test_a_negative_control_that_stays_passes_and_one_that_moves_does_not() -> None:
    """One result a control, each by its own name; a change that nothing should have made is a caution."""
    still, moved = answers("negative_control", world(reasons({M: 0.003, R: 0.001}, {R: 0.002})))

    assert (still.name, still.status) == (f"negative_control: {M}", "pass")
    assert (moved.name, moved.status, moved.severity) == (f"negative_control: {R}", "fail", "caution")
    assert is_caution(moved) and moved.value is not None and moved.value <= 0.05


def test_a_control_that_is_not_printed_silences_no_other() -> None:
    """It is no test and no caution, and says where it is missing."""
    absent, moved = answers("negative_control", world(reasons({R: 0.001}, {R: 0.002})))

    assert (absent.status, is_caution(absent), moved.status) == ("no_test", False, "fail")
    assert "not printed for Dorset in 2022/23, 2023/24, 2024/25" in absent.sentence


def test_the_control_is_read_in_the_findings_own_mix() -> None:
    """The finding's own rate, as a control, changes by the estimate less the gap that was there before."""
    panel = world(effect=-0.01)
    made = estimate(panel, plan(), OUTCOME)

    found = other_rates(made, panel, plan(), [grid(panel, OUTCOME, source="census")])

    base = [p.actual - p.predicted for p in made.path if p.period in made.base]
    assert found.effects[0][0] / 100 == pytest.approx(made.value - np.mean(base), abs=1e-9)


def test_a_control_without_weights_is_against_the_mean_of_the_others() -> None:
    """Each council's change less the mean change of the other untreated ones; one with a gap is left out."""
    panel = still()
    made = estimate(panel, plan(), OUTCOME, method="difference_in_differences")
    rate = series(panel, OUTCOME, source="census")
    rate.loc["305", "2022/23"] = np.nan

    found = other_rates(made, panel, plan(), [_grid(rate)])

    change = 100 * (rate[POST] - rate[["2022/23", "2023/24"]].mean(axis=1, skipna=False))
    units = list(found.comparison.units)
    expected = [change[unit] - change[units].drop(["838", unit], errors="ignore").mean() for unit in units]
    assert "305" not in units and len(units) == 119
    assert found.effects[0] == pytest.approx(expected, abs=1e-9)
    rate.loc["838", "2022/23"] = np.nan
    with pytest.raises(PanelError, match=r"not printed for Dorset in 2022/23$"):
        other_rates(made, panel, plan(), [_grid(rate)])


def _grid(rates: pd.DataFrame) -> Grid:
    rows = {str(unit): place for place, unit in enumerate(rates.index)}
    return Grid(rows=rows, columns=tuple(rates.columns), values=rates.to_numpy())


def test_half_days_put_on_one_side() -> None:
    """B and K together are absence, K being 0 before its code existed; late arrivals are taken off."""
    panel = world(reasons({B: 0.003, K: 0.0004, U: 0.0015}))
    off_site, late = sensitivity.BRIDGES[OUTCOME]
    units = (*panel.treated, *panel.donors)
    years = (*usual().base, *usual().post)
    b, k, u = (grid(panel, name, source="daily").take(units, years) for name in (B, K, U))
    last = years.index("2023/24")

    added, taken = (sensitivity._added(bridge, usual(), panel).take(units, years) for bridge in (off_site, late))

    assert years[-1] == POST
    assert added[:, -1] == pytest.approx(b[:, -1] + k[:, -1])
    assert added[:, last] == pytest.approx(b[:, last])
    assert taken[:, -1] == pytest.approx(-u[:, -1])
    later = dataclasses.replace(usual(), post=(POST, "2025/26"))
    assert np.isnan(sensitivity._reason(K, off_site, later, panel, units)[:, -1]).all()


def _plan_with(**changes: Any) -> Plan:
    return Plan.model_validate_json(plan().model_copy(update=changes).model_dump_json(by_alias=True))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"negative_controls": (M, M)}, "a control is listed twice"),
        ({"negative_controls": (OUTCOME,)}, f"negative_controls.0: {OUTCOME} is tested by this plan"),
        ({"negative_controls": ()}, "none is listed, but checks has negative_control"),
    ],
)
def test_controls_that_a_plan_may_not_list(changes: dict[str, Any], says: str) -> None:
    """Twice, an outcome under test, or none at all."""
    with pytest.raises(ValidationError, match=re.escape(says)):
        _plan_with(**changes)


def test_a_control_that_is_no_measure_is_refused() -> None:
    """Misspelt, or of no daily series: the nearest name is said."""
    for name in ("medical_apointment_absence_rate", "suspension_rate"):
        wrong = _plan_with(negative_controls=(R, name), outcomes=plan().outcomes[:1], looks=plan().looks[:1])
        with pytest.raises(PlanError, match=f"negative_controls.1: {name} is not known"):
            refuse_unknown_controls(wrong)
    with pytest.raises(PlanError, match=f"Did you mean {M}"):
        answers(
            "negative_control", world(), of=plan().model_copy(update={"negative_controls": ("medical_apointment",)})
        )


# Figures that have settled.


def _daily_decides(as_at: str, edit: Callable[[pd.DataFrame], pd.DataFrame | None] = lambda frame: None) -> Panel:
    """The census of the post year is not out; the last fortnight ends on 24 January 2025."""
    return world(edit, blank=(("838", POST),), blank_source="census", as_at=as_at)


@pytest.mark.parametrize(
    ("as_at", "status"),
    [("2025-01-25", "fail"), ("2025-03-06", "fail"), ("2025-03-07", "pass"), ("2025-09-01", "pass")],
)
def test_daily_figures_count_from_six_weeks(as_at: str, status: str) -> None:
    """41 days old fails, 42 days old passes."""
    panel = _daily_decides(as_at)
    made = estimate(panel, plan(), OUTCOME)

    result = answer("settled", panel, made)

    assert made.source == "daily"
    assert (result.status, result.severity, result.limit) == (status, "serious", 6.0)
    assert result.value == (dt.date.fromisoformat(as_at) - dt.date(2025, 1, 24)).days / 7
    assert "24 January 2025" in result.sentence
    words = (
        "corrections have had time to come in." if status == "pass" else "may still be corrected, so no verdict yet."
    )
    assert result.sentence.endswith(words)


def test_the_census_has_settled_and_unknown_dates_are_no_test() -> None:
    """The census is no caution; a date that is missing is one, and is named."""
    census = answer("settled", world())
    no_day = answer("settled", _daily_decides(""))
    no_snapshot = answer(
        "settled", _daily_decides("2025-06-01", lambda f: f[f["interval_end"].isna() | f["period"].ne(POST)])
    )

    assert (census.status, is_caution(census)) == ("no_test", False)
    later = dataclasses.replace(estimate(still(), plan(), OUTCOME), source="daily", post=(POST, "2025/26"))
    last_year = answer("settled", dataclasses.replace(still(), data_as_at=dt.date(2026, 9, 1)), later)

    assert (last_year.status, last_year.limit) == ("no_test", 6.0)
    assert "the last snapshot of 2025/26 is missing" in last_year.sentence
    for result, says in ((no_day, "figures were taken is missing"), (no_snapshot, f"last snapshot of {POST}")):
        assert (result.status, is_caution(result)) == ("no_test", True)
        assert says in result.sentence


# The donors' hull.


def test_support_within_and_outside_the_donors_hull() -> None:
    """A council like others can be mixed; one far above them all cannot, and the sentence says what would do."""
    apart = {(source, year): 0.06 for source in ("census", "daily") for year in YEARS}

    inside, outside = answer("support", world()), answer("support", world(shifted(apart)))

    assert (inside.status, outside.status, outside.severity) == ("pass", "fail", "serious")
    assert inside.value is not None and outside.value is not None
    assert inside.value < 1 < outside.value
    assert "Compare changes, or find more similar places." in outside.sentence


@pytest.mark.parametrize(("name", "caution"), [("support", False), ("largest_weight", False), ("breakdown", True)])
def test_a_method_without_weights(name: str, caution: bool) -> None:
    """No weight is looked at, and none is passed: no test, which names the method."""
    panel = world(effect=-0.02)
    made = estimate(panel, plan(), OUTCOME, method="synthetic_difference_in_differences")

    result = answer(name, panel, dataclasses.replace(made, p_value=0.005))

    assert (result.status, is_caution(result)) == ("no_test", caution)
    assert "synthetic difference in differences" in result.sentence


# What only a noticed difference is asked.


@pytest.mark.parametrize("name", ["breakdown", "specifications"])
@pytest.mark.parametrize("how", ["not noticed", "noticed, too small to matter"])
def test_nothing_to_break_is_no_caution(name: str, how: str) -> None:
    """The phrase that the grade knows; no number is worked out."""
    panel = world()
    made = estimate(panel, plan(), OUTCOME)
    if how == "not noticed":
        made = dataclasses.replace(made, p_value=0.011)
    else:
        made = dataclasses.replace(made, p_value=0.001, intervals=NEGLIGIBLE)

    result = answer(name, panel, made)

    assert (result.status, result.severity, result.value, is_caution(result)) == ("no_test", "caution", None, False)
    assert NOTHING_TO_BREAK in result.sentence


def test_a_large_effect_after_calm_years_does_not_break() -> None:
    """Two points, against years that were predicted to a tenth of that."""
    result = answer("breakdown", world(effect=-0.02))

    assert (result.status, result.severity) == ("pass", "serious")
    assert result.value is not None and result.value >= 1


def test_the_breakdown_grades_from_serious_to_caution_to_pass() -> None:
    """A restless year before the base lowers it; between a half and one it is a caution."""
    found: dict[tuple[str, str], float] = {}
    for restless in np.linspace(0.0, 0.03, 7):
        panel = world(shifted({("census", "2020/21"): float(restless)}), effect=-0.012)
        made = dataclasses.replace(estimate(panel, plan(), OUTCOME), p_value=0.005)
        result = answer("breakdown", panel, made)
        assert result.value is not None
        expected = "fail" if result.value < 1 else "pass"
        assert result.status == expected
        assert result.severity == ("caution" if 0.5 <= result.value < 1 else "serious")
        found[(result.status, result.severity)] = result.value
    assert set(found) == {("pass", "serious"), ("fail", "caution"), ("fail", "serious")}


def test_the_event_study_stands_on_years_that_its_mixes_have_not_seen() -> None:
    """Two years before the base and one after; a gap put into one year is found there, not fitted away."""
    plain, moved = (world(shifted({("census", "2020/21"): by})) for by in (0.0, 0.02))
    one, other = (event_study(estimate(p, plan(), OUTCOME), p, plan()) for p in (plain, moved))

    assert (one.years, one.n_pre) == (("2020/21", "2021/22", "2024/25"), 2)
    # The reference moves too: the mixes of the base years have seen the odd year.
    assert other.betahat[0] - one.betahat[0] > 1.0
    assert np.linalg.eigvalsh(one.sigma).min() > 0


def test_too_few_years_for_a_breakdown() -> None:
    """The daily series begins with the base: no test, and a caution that says what would do."""
    panel = _daily_decides("2025-06-01")
    made = dataclasses.replace(estimate(panel, plan(), OUTCOME), p_value=0.005)

    result = answer("breakdown", panel, made)

    assert (result.status, is_caution(result)) == ("no_test", True)
    assert "0 consecutive year(s) before the base" in result.sentence and "2 or more would do" in result.sentence


# Every defensible way.


def test_a_clear_effect_has_one_sign_in_every_way() -> None:
    """Each way of comparing says the same."""
    result = answer("specifications", world(effect=-0.02))

    assert (result.status, result.value) == ("pass", 1.0)


def test_an_answer_that_hangs_on_one_way_does_not_pass() -> None:
    """A census that fell beside registers that rose: about half of the ways share the sign."""
    panel = world(shifted({("daily", POST): 0.02}), effect=-0.01)
    made = dataclasses.replace(estimate(panel, plan(), OUTCOME), p_value=0.005)

    result = answer("specifications", panel, made)

    assert (result.status, result.severity, result.limit) == ("fail", "serious", 0.75)
    assert result.value is not None and result.value < 0.75


def test_the_curve_holds_every_way_once_and_marks_the_registered_one() -> None:
    """Sorted; the registered row is the estimate; no base of one year; those that cannot be fitted give a reason."""
    panel = world(effect=-0.004)
    made = estimate(panel, plan(), OUTCOME)

    curve = specification_curve(panel, plan(), OUTCOME)
    rows, left = curve.to_pylist(), left_out_ways(curve).to_pylist()

    (registered,) = (row for row in rows if row["registered"])
    assert registered["choice"] == "as registered"
    assert (registered["value"], registered["low"], registered["high"], registered["p_value"]) == pytest.approx(
        (made.value, *made.intervals["0.95"], made.p_value)
    )
    assert [(row["value"], row["choice"]) for row in rows] == sorted((row["value"], row["choice"]) for row in rows)
    choices = [each["choice"] for each in (*rows, *left)]
    assert len(choices) == len(set(choices))
    assert all(" and " in row["base"] for row in rows)
    assert {row["source"] for row in rows} == {"census", "daily"}
    assert {row["penalty"] for row in rows} >= set(plan().estimator.penalty_path)
    # No neighbours in this country, and no registers before the base.
    assert {
        "neighbours difference in differences",
        "difference in differences, daily registers, base from 2021/22",
    } <= {each["choice"] for each in left}
    assert all(len(each["reason"]) > 20 for each in left)
    assert len(rows) <= 60


def test_the_check_counts_the_ways_of_the_curve() -> None:
    """The quicker count of signs is that of the whole curve."""
    panel = world(shifted({("daily", POST): 0.006}), effect=-0.004)
    made = dataclasses.replace(estimate(panel, plan(), OUTCOME), p_value=0.005)

    values = specification_curve(panel, plan(), OUTCOME)["value"].to_numpy()

    assert answer("specifications", panel, made).value == np.mean(np.sign(values) == np.sign(made.value))


def test_the_curve_of_an_outcome_that_is_not_out() -> None:
    """An error that says so."""
    with pytest.raises(PanelError, match="no series has every year"):
        specification_curve(world(), plan(), "suspension_rate")
    with pytest.raises(PanelError, match="every year of 2024/25, 2025/26"):
        specification_curve(dataclasses.replace(world(), report_year="2025/26"), plan(), OUTCOME)


# Panels that allow no number.


def test_no_council_without_the_treatment() -> None:
    """Nobody to compare with."""
    with pytest.raises(PanelError, match="comparison needs councils without the treatment"):
        world(lambda f: f[f["unit"].isin(["838", "970", "980"])])


def test_fewer_donors_than_the_smallest_step_of_the_look() -> None:
    """The error says how many it takes."""
    with pytest.raises(PanelError, match="It takes 99 donors, or a larger alpha"):
        world(n_units=60)


def test_one_year_before_the_start() -> None:
    """The base year cannot be left out, and no false start tried: no test, and each says what would do."""
    panel = world(lambda f: f[f["period"].isin([*YEARS[3:]])])
    single = plan().model_copy(update={"base": ("2023/24",)})
    made = estimate(panel, single, OUTCOME)

    results = {name: answer(name, panel, made, single) for name in ("base_year", "false_start")}

    assert {r.status for r in results.values()} == {"no_test"}
    assert "2023/24 is the only base year" in results["base_year"].sentence
    assert "2022/23" in results["false_start"].sentence


def _constant(frame: pd.DataFrame) -> None:
    frame.loc[frame["outcome"] == OUTCOME, "value"] = 0.07


def _all_alike(frame: pd.DataFrame) -> None:
    donors = frame["outcome"].eq(OUTCOME) & frame["unit"].ne("838")
    same = frame[frame["unit"].eq("300")].set_index(["period", "source", "interval_end"])["value"]
    keys = pd.MultiIndex.from_frame(frame.loc[donors, ["period", "source", "interval_end"]])
    frame.loc[donors, "value"] = same[~same.index.duplicated()].reindex(keys).to_numpy()


def _parallel(frame: pd.DataFrame) -> None:
    """Every council is the same path at a level of its own."""
    _all_alike(frame)
    own = frame["outcome"].eq(OUTCOME)
    number = pd.to_numeric(frame.loc[own, "unit"])
    frame.loc[own, "value"] += 1e-4 * (number % 50)


@pytest.mark.parametrize("edit", [_constant, _all_alike])
def test_a_country_without_differences_gives_no_number(edit: Callable[[pd.DataFrame], None]) -> None:
    """A constant outcome, or donors that are one another's copies."""
    with pytest.raises(EstimateError, match=r"alike|equal|constant"):
        estimate(world(edit), plan(), OUTCOME)


def test_parallel_paths_are_no_reference() -> None:
    """Every council moves alike, so differences are rounding: the check is fatal, whatever p says."""
    panel = world(_parallel)
    made = estimate(panel, plan(), OUTCOME, method="difference_in_differences")

    result = answer("inference_fits", panel, made)

    assert (result.status, result.severity) == ("fail", "fatal")
    assert "copies of one another" in result.sentence


def test_a_donor_with_gaps_is_left_out_and_counted() -> None:
    """It is in no reference, and the note says why."""
    panel = world(blank=(("305", "2022/23"),))
    made = estimate(panel, plan(), OUTCOME)

    assert "305" not in made.placebo_units
    assert any("not complete in base and post" in note for note in made.notes)


@pytest.mark.parametrize("name", ["leave_one_region", "leave_one_donor"])
def test_one_region_or_two_donors_leave_nothing_to_compare_with(name: str) -> None:
    """No crash and no number: no test."""
    panel = world(lambda f: f.assign(region="Region 1"))
    made = estimate(panel, plan(), OUTCOME)
    if name == "leave_one_donor":
        pair = tuple(unit for unit in panel.donors if unit in made.placebo_units[:2])
        panel = dataclasses.replace(panel, donors=pair)
        made = dataclasses.replace(made, placebo_units=pair)

    result = answer(name, panel, made)

    assert (result.status, is_caution(result)) == ("no_test", True)
    assert "more of them would do" in result.sentence


@pytest.mark.parametrize("method", ["difference_in_differences", "synthetic_difference_in_differences"])
def test_leaving_out_a_base_year_moves_a_method_without_weights(method: str) -> None:
    """It is taken over the other base years: an odd last one moves it, a usual one does not."""
    usual, odd = world(), world(shifted({("census", "2023/24"): 0.01}))

    still, moved = (answer("base_year", p, estimate(p, plan(), OUTCOME, method=method)) for p in (usual, odd))  # type: ignore[arg-type]

    assert (still.status, moved.status, moved.severity) == ("pass", "fail", "serious")


# Limits, each to the last digit: what is worked out before is given, so that only the decision is asked.


@functools.cache
def still() -> Panel:
    """One country without an effect, for tests that read no other figures."""
    return world()


@functools.cache
def usual() -> Estimate:
    """Its registered estimate with a value of exactly 0, so that a difference is what was put in."""
    return dataclasses.replace(estimate(still(), plan(), OUTCOME), value=0.0)


SESOI = 0.0025  # overall absence, in the plan


def over(limit: float) -> float:
    """The next number above."""
    return math.nextafter(limit, math.inf)


def under(limit: float) -> float:
    """The next number below."""
    return math.nextafter(limit, -math.inf)


def variants(monkeypatch: pytest.MonkeyPatch, *found: Effect | BelongingError) -> list[Specification]:
    """Gives a check's refits these effects in turn, and lists what was asked of them."""
    asked: list[Specification] = []

    def effect_of(panel: Panel, of: Plan, specification: Specification) -> Effect:
        asked.append(specification)
        one = found[len(asked) - 1]
        if isinstance(one, BelongingError):
            raise one
        return one

    monkeypatch.setattr(county, "effect_of", effect_of)
    return asked


def test_the_smallest_effect_of_interest_of_these_tests_is_the_plans() -> None:
    """And the alpha is that of the first look."""
    assert plan().outcome(OUTCOME).sesoi == SESOI
    assert plan().alpha(still().report_year) == 0.01


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "pass"),
        ({"inference": "randomisation"}, "pass"),
        ({"inference": "exact"}, "pass"),
        ({"inference": "analytic"}, "fail"),
        ({"inference": "wild_bootstrap", "n_treated": 19}, "fail"),
        ({"inference": "analytic", "n_treated": 20}, "pass"),
        ({"inference": "analytic", "n_treated": 21}, "pass"),
        ({"actual": 2.0, "std_error": 0.0}, "fail"),
        ({"actual": 2.0, "std_error": 2e-9}, "fail"),
        ({"actual": -2.0, "std_error": 2e-9}, "fail"),
        ({"actual": 2.0, "std_error": over(2e-9)}, "pass"),
        ({"actual": -2.0, "std_error": over(2e-9)}, "pass"),
    ],
)
def test_which_errors_can_be_trusted(changes: dict[str, Any], status: str) -> None:
    """Placebos, randomisation, exact; or 20 treated; and never a spread that is rounding."""
    result = answer("inference_fits", still(), dataclasses.replace(usual(), **changes))

    assert (result.status, result.severity) == (status, "fatal")
    assert result.value == (None if "std_error" in changes and status == "fail" else float(usual().n_reference))
    if "inference" in changes:
        words = f"each fitted anew in {plan().place}" if status == "pass" else "errors cannot be trusted with"
        assert words.split(" in ")[0] in result.sentence


@pytest.mark.parametrize("gap", ["before", "after", ""])
def test_a_series_is_complete_or_fatal(gap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One year of the treated council that is not there, before or since the start; another's does not matter."""
    comparison = compare(still(), plan(), county.specification_of(usual()))
    before, after = comparison.before.copy(), comparison.after.copy()
    before[1, 0] = after[1, 0] = np.nan
    if gap:
        {"before": before, "after": after}[gap][0, 0] = np.nan
    holed = dataclasses.replace(comparison, before=before, after=after)
    monkeypatch.setattr(county, "compare", lambda *of: holed)

    result = answer("series_complete", still(), usual())

    assert (result.status, result.severity, result.value) == ("fail" if gap else "pass", "fatal", 3.0)


@pytest.mark.parametrize(
    ("n_placebos", "early", "power", "status", "words"),
    [
        (39, 2.0, 0.9, "fail", "2.00 points above"),
        (19, 2.0, 0.5, "fail", "2.00 points above"),
        (19, -2.0, 0.5, "fail", "2.00 points below"),
        (18, 2.0, 0.9, "pass", "would have shown an effect worth having"),
        (18, 2.0, 0.5, "pass", "would have shown an effect worth having"),
        (18, -2.0, under(0.5), "no_test", "only 50 chances in 100"),
        (18, 2.0, 0.2, "no_test", "only 20 chances in 100"),
    ],
)
def test_a_false_start(
    n_placebos: int, early: float, power: float, status: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """p of 1/20 is a false start and of 1/19 none; then half a chance of noticing what matters is enough."""
    placebos = Reference(z=np.linspace(-1, 1, n_placebos), scale=1.0, units=(), variance=(1.0, 0.0))
    given: list[tuple[float, float]] = []

    def power_at(z: Any, scale: float, shift: float, alpha: float) -> float:
        given.append((shift, alpha))
        return power

    monkeypatch.setattr(county, "false_start_reference", lambda *of: (placebos, early))
    monkeypatch.setattr(county, "power_at", power_at)

    result = answer("false_start", still(), usual())

    assert (result.status, result.severity) == (status, "serious")
    assert (result.value, result.limit, result.power) == (1 / (n_placebos + 1), 0.05, power)
    assert given == [(pytest.approx(0.25), 0.05)]
    assert words in result.sentence and f"Had it begun in {plan().base[-1]}" in result.sentence
    own = dataclasses.replace(usual(), outcome="permanent_exclusion_rate")
    answer("false_start", still(), own)
    assert given[1] == (plan().outcome(own.outcome).sesoi, 0.05)
    ratio = dataclasses.replace(usual(), outcome="suspension_rate")
    answer("false_start", still(), ratio)
    assert given[2] == (pytest.approx(100 * plan().outcome(ratio.outcome).sesoi), 0.05)
    longer = plan().model_copy(update={"base": YEARS[1:4]})
    assert "begun in 2023/24" in answer("false_start", still(), usual(), longer).sentence


@pytest.mark.parametrize("fault", [PanelError("gone."), EstimateError("gone.")])
@pytest.mark.parametrize("name", ["false_start", "base_year", "sources_agree"])
def test_what_cannot_be_refitted_is_no_test(name: str, fault: BelongingError, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether figures are missing or do not allow a number: serious, and so a caution."""

    def raises(*of: Any) -> None:
        raise fault

    monkeypatch.setattr(county, "effect_of", raises)
    monkeypatch.setattr(county, "false_start_reference", raises)

    result = answer(name, still(), usual())

    assert (result.status, result.severity, is_caution(result)) == ("no_test", "serious", True)
    assert "gone." in result.sentence or "does not have these years yet" in result.sentence


@pytest.mark.parametrize(
    ("shift", "status"),
    [(0.0, "pass"), (SESOI, "pass"), (over(SESOI), "fail"), (-SESOI, "pass"), (-over(SESOI), "fail")],
)
def test_the_base_year_may_move_the_answer_by_the_smallest_effect_of_interest(
    shift: float, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either way, and not by more; the last base year is the one left out."""
    asked = variants(monkeypatch, *[Effect(value=shift, p_value=1.0)] * 3)

    fitted = answer("base_year", still(), usual())
    bare = answer("base_year", still(), dataclasses.replace(usual(), weights={}))
    longer = answer("base_year", still(), dataclasses.replace(usual(), weights={}, base=YEARS[1:4]))

    for result in (fitted, bare, longer):
        assert (result.status, result.severity) == (status, "serious")
        assert (result.value, result.limit) == (abs(shift), SESOI)
    assert [each.without_years for each in asked] == [(plan().base[-1],)] * 3
    assert [each.base for each in asked] == [plan().base, plan().base[:-1], YEARS[1:3]]


@pytest.mark.parametrize(
    ("shift", "status", "severity"),
    [
        (0.0, "pass", "serious"),
        (SESOI / 2, "pass", "serious"),
        (over(SESOI / 2), "fail", "caution"),
        (SESOI, "fail", "caution"),
        (over(SESOI), "fail", "serious"),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_two_sources_may_differ_by_half_of_what_matters(
    sign: int, shift: float, status: str, severity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond half a caution, beyond the whole serious, whichever source the finding rests on."""
    asked = variants(monkeypatch, *[Effect(value=sign * shift, p_value=1.0)] * 2)

    for source in ("census", "daily"):
        result = answer("sources_agree", still(), dataclasses.replace(usual(), source=source))  # type: ignore[arg-type]
        limit = SESOI if shift > SESOI else SESOI / 2
        assert (result.status, result.severity, result.value, result.limit) == (status, severity, shift, limit)
    assert [each.source for each in asked] == ["daily", "census"]


@pytest.mark.parametrize(("name", "what"), [("leave_one_donor", "council"), ("leave_one_region", "region")])
def test_no_one_council_or_region_may_carry_the_answer(name: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest move of either sign against the smallest effect of interest; two councils must be left."""
    few = ("838", "300", "301", "302")
    regions = {"300": "East", "301": "West", "302": "East"} if what == "region" else {}
    panel = dataclasses.replace(still(), regions=regions, donors=few[1:])
    sesoi = plan().outcome("permanent_exclusion_rate").sesoi
    made = dataclasses.replace(
        usual(), outcome="permanent_exclusion_rate", unit="per_100_pupils", placebo_units=few[1:]
    )
    kept: list[list[list[bool]]] = []

    def ask(*effects: float, units: tuple[str, ...] = few, of: Estimate = made) -> CheckResult:
        def treated_effects(comparison: Any, plan: Plan, chosen: Any) -> Any:
            kept.append(chosen.tolist())
            return np.array(effects)[: len(chosen)]

        monkeypatch.setattr(county, "compare", lambda *given: SimpleNamespace(units=units))
        monkeypatch.setattr(county, "treated_effects", treated_effects)
        return answer(name, panel, of)

    if what == "region":
        assert ask(-sesoi).status == "pass"
        assert kept[-1] == [[True, True, False, True]]
        unknown = dataclasses.replace(panel, regions={})
        assert answer(name, unknown, made).status == "no_test"
    else:
        assert ask(0.0, -sesoi, sesoi).status == "pass"
        assert kept[-1] == [[True, False, True, True], [True, True, False, True], [True, True, True, False]]
        worst = ask(0.0, -over(sesoi), sesoi)
        assert (worst.status, worst.severity, worst.value, worst.limit) == ("fail", "serious", over(sesoi), sesoi)
        assert "(Council 301)" in worst.sentence
        assert "(Council 302)" in ask(sesoi, sesoi, -sesoi).sentence
    assert ask(over(sesoi), 0.0, 0.0).status == "fail"
    nobody = ask(0.0, units=few[:3], of=dataclasses.replace(made, placebo_units=few[1:3]))
    assert (nobody.status, nobody.severity, nobody.limit) == ("no_test", "serious", sesoi)
    for unit in ("proportion", "log_ratio"):
        assert ask(25.0, 0.0, 0.0, of=dataclasses.replace(made, unit=unit)).value == 0.25  # type: ignore[arg-type]
    assert ask(*[50.0] * 3, of=dataclasses.replace(made, unit="proportion", value=0.5)).value == 0.0
    assert ask(over(sesoi), 0.0, 0.0, units=(*few, "303", "304")).status == "fail"


@pytest.mark.parametrize(
    ("shares", "status", "value"),
    [
        ((0.92, 0.90, 0.94), "pass", 0.90),
        ((0.92, 0.94, under(0.90)), "fail", under(0.90)),
        ((0.90, 0.92, 0.95), "pass", 0.90),
        ((0.951, 0.92, 0.899), "fail", 0.899),
        ((0.98, math.nan, 0.98), "no_test", None),
        ((1.0, 1.0, 1.0), "pass", 1.0),
    ],
)
def test_nine_schools_in_ten_and_a_share_that_stays(
    shares: tuple[float, ...], status: str, value: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly 90 in 100 is enough, a move by 5 points too; a year that is not printed is no test, and named."""
    years = [*usual().base, *usual().post]
    frame = pd.DataFrame([[0.1] * 3, list(shares)], index=["300", "838"], columns=years)
    monkeypatch.setattr(county, "response", lambda panel: frame)

    result = answer("coverage", still(), usual())

    assert (result.status, result.severity, result.value, result.limit) == (status, "serious", value, 0.90)
    assert ("not printed for 2023/24." in result.sentence) == (status == "no_test")


def test_a_share_of_schools_that_moved_has_its_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough sent registers in each year, so the level passes beside the move that fails."""
    years = [*usual().base, *usual().post]
    frame = pd.DataFrame([[0.951, 0.92, 0.90]], index=["838"], columns=years)
    monkeypatch.setattr(county, "response", lambda panel: frame)

    level, moved = answers("coverage", still(), usual())

    assert (level.name, level.status, level.value, level.limit) == ("coverage", "pass", 0.90, 0.90)
    assert (moved.name, moved.status, moved.severity) == ("coverage: movement", "fail", "serious")
    assert (moved.value, moved.limit) == (pytest.approx(0.051), 0.05)


@pytest.mark.parametrize(
    ("weights", "status", "named"),
    [
        ({"300": 0.25, "301": 0.2}, "pass", "Council 300"),
        ({"300": 0.05, "301": 0.2}, "pass", "Council 301"),
        ({"300": 0.1, "301": over(0.25)}, "fail", "Council 301"),
        ({"300": 0.3, "301": 0.3, "302": -0.9}, "fail", "Council 301"),
    ],
)
def test_a_quarter_of_the_comparison(weights: dict[str, float], status: str, named: str) -> None:
    """One council may carry a quarter and not more; a weight under 0 is no share."""
    result = answer("largest_weight", still(), dataclasses.replace(usual(), weights=weights))

    assert (result.status, result.severity, result.limit) == (status, "caution", 0.25)
    assert named in result.sentence and result.value == max(weights.values())


@pytest.mark.parametrize(
    ("p", "others", "status"),
    [
        (0.01, (0.01, 0.001, 0.0), "pass"),
        (0.01, (0.01, 0.01, over(0.01)), "fail"),
        (0.001, (0.01, 0.01, over(0.01)), "fail"),
        (0.001, (0.01, 0.001, 0.0), "pass"),
        (over(0.01), (1.0, 0.5, over(0.01)), "pass"),
        (over(0.01), (1.0, 0.01, 1.0), "fail"),
        (0.01, (None, 0.01, over(0.01)), "fail"),
        (0.01, (None, 0.01, 0.01), "pass"),
        (0.01, (None, None, None), "no_test"),
    ],
)
@pytest.mark.parametrize("error", [PanelError, EstimateError])
def test_whether_a_difference_is_noticed_hangs_on_affected_councils(
    p: float,
    others: tuple[float | None, ...],
    status: str,
    error: type[BelongingError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Noticed with them and not without, or the other way round, at the look's own alpha; p at alpha is noticed."""
    found = [error("gone") if o is None else Effect(value=-0.01 * k, p_value=o) for k, o in enumerate(others)]
    asked = variants(monkeypatch, *found)
    monkeypatch.setattr(county, "poor_response", lambda *of: ("305", "306"))

    result = answer("contaminated_donors", still(), dataclasses.replace(usual(), p_value=p))

    assert (result.status, result.severity) == (status, "caution")
    assert result.value == (None if status == "no_test" else 0.02)
    assert [each.without for each in asked] == [plan().donors.bordering, (), ("305", "306")]
    assert [each.also for each in asked] == [(), tuple(sorted(each.unit for each in plan().excluded)), ()]
    assert ("changes." in result.sentence) == (status == "fail")


@pytest.mark.parametrize("name", ["base_year", "sources_agree", "contaminated_donors"])
def test_a_move_is_from_the_estimate(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a refit says again moves nothing, whatever the estimate is."""
    variants(monkeypatch, *[Effect(value=0.5, p_value=1.0)] * 3)

    result = answer(name, still(), dataclasses.replace(usual(), value=0.5, p_value=1.0))

    assert (result.status, result.value) == ("pass", 0.0)


def test_which_registers_are_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under 85 in 100 in the last base year or since, or moved by over 5 points; an earlier year has no say."""
    shares = {
        "300": (0.1, 0.85, 0.88),
        "301": (0.9, under(0.85), 0.88),
        "302": (0.9, 0.88, 0.80),
        "303": (0.9, 0.90, 0.951),
        "304": (0.9, 0.951, 0.90),
        "305": (0.9, 0.90, 0.95),
        "306": (0.9, math.nan, math.nan),
        "307": (0.9, math.nan, 0.80),
    }
    frame = pd.DataFrame.from_dict(shares, orient="index", columns=["2022/23", "2023/24", "2024/25"])
    monkeypatch.setattr(county, "response", lambda panel: frame)

    own = county.specification_of(usual())

    for of in (own, dataclasses.replace(own, base=YEARS[1:4])):
        poor = county.poor_response(tuple(shares), still(), plan(), of)
        assert poor == ("301", "302", "303", "304", "307")


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.0025, "proportion", "0.25 points"),
        (-0.0025, "proportion", "0.25 points"),
        (-0.25, "per_100_pupils", "0.25 points"),
        (math.log(1.1), "log_ratio", "10.0 per cent"),
        (-math.log(1.1), "log_ratio", "10.0 per cent"),
    ],
)
def test_a_difference_in_words(value: float, unit: str, words: str) -> None:
    """Points of a rate, points of a rate per hundred, per cent of a ratio."""
    assert county.in_words(value, unit) == words


def test_each_other_event_is_a_caution_of_its_own() -> None:
    """By its name and when it was; no events, no cautions."""
    results = answers("other_events", still(), usual())

    assert [each.name for each in results] == [f"other_events: {event.name}" for event in plan().events]
    assert {(each.status, each.severity, each.direction) for each in results} == {("fail", "caution", 0)}
    assert all(event.when in each.sentence for event, each in zip(plan().events, results, strict=True))
    assert answers("other_events", still(), usual(), plan().model_copy(update={"events": ()})) == ()


@pytest.mark.parametrize(
    ("base", "post", "applies"),
    [
        (("2022/23", "2023/24"), ("2024/25",), True),
        (("2022/23", "2023/24"), ("2024/25", "2025/26"), True),
        (("2021/22", "2022/23"), ("2023/24", "2024/25"), True),
        (("2021/22", "2022/23"), ("2023/24",), False),
        (("2023/24", "2024/25"), ("2025/26",), False),
        (("2025/26",), ("2026/27",), False),
    ],
)
def test_codes_changed_between_base_and_post(base: tuple[str, ...], post: tuple[str, ...], applies: bool) -> None:
    """The last base year before 2024/25, the last post year at or after it."""
    result = answer("code_bridge", still(), dataclasses.replace(usual(), base=base, post=post))

    assert result.sentence.startswith("Does not apply: base and post") != applies
    assert (result.status, result.severity) == ("no_test", "serious" if applies else "caution")


@pytest.mark.parametrize(
    ("effects", "status", "words"),
    [
        ((0.125, 0.0), "pass", "rises by 0.12 points"),
        ((over(0.125), 0.0), "fail", "education off site counted as absence on both"),
        ((0.0, -over(0.125)), "fail", "closed counted as present on both sides"),
        ((0.1, 0.1), "fail", "counted as absence and arrivals"),
        ((-0.1, 0.1), "pass", "falls by 0.10 points"),
        ((0.0, 0.0), "pass", "moves by 0.00 points"),
    ],
)
def test_the_bridge_may_move_the_estimate_by_half_of_what_matters(
    effects: tuple[float, float], status: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reason alone and both together, the largest counts; exactly half passes."""
    found = SimpleNamespace(effects=tuple(np.array([each, 9.0]) for each in effects))
    monkeypatch.setattr(sensitivity, "other_rates", lambda *of: found)
    monkeypatch.setattr(sensitivity, "_unprinted", lambda *of: [])

    result = answer("code_bridge", still(), usual())

    assert (result.status, result.severity, result.limit) == (status, "serious", SESOI / 2)
    assert words in result.sentence
    largest = max((*effects, sum(effects)), key=abs)
    assert result.value == pytest.approx(abs(largest) / 100)


@pytest.mark.parametrize("error", [PanelError, EstimateError])
def test_a_bridge_that_cannot_be_built_is_no_test(error: type[BelongingError], monkeypatch: pytest.MonkeyPatch) -> None:
    """Serious, and so a caution, with the reason."""

    def raises(*of: Any) -> None:
        raise error("no mix.")

    monkeypatch.setattr(sensitivity, "other_rates", raises)
    monkeypatch.setattr(sensitivity, "_unprinted", lambda *of: [])

    result = answer("code_bridge", still(), usual())

    assert (result.status, result.severity) == ("no_test", "serious")
    assert result.sentence.endswith("cannot be bridged: no mix.")
    panel = world(reasons({M: 0.003, R: 0.001}))
    controls = answers("negative_control", panel, usual())
    assert {(each.status, each.severity) for each in controls} == {("no_test", "caution")}
    assert all(each.sentence.endswith("no negative control, no mix.") for each in controls)


@pytest.mark.parametrize(
    ("p", "effect", "status", "words"),
    [
        (0.05, 0.3, "fail", "was 0.30 points higher here than"),
        (over(0.05), -0.3, "pass", "was 0.30 points lower here than"),
        (0.001, -0.3, "fail", "something else differs between them."),
    ],
)
def test_a_negative_control_at_one_in_twenty(
    p: float, effect: float, status: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """p of .05 is a caution and anything above is none."""
    found = SimpleNamespace(
        effects=(np.array([effect, 9.0]),) * 2, placebos=lambda place: SimpleNamespace(scale=1.0, z=None)
    )
    monkeypatch.setattr(sensitivity, "other_rates", lambda *of: found)
    monkeypatch.setattr(sensitivity, "placebo_p", lambda *of: p)

    for result in answers("negative_control", still(), usual()):
        assert (result.status, result.severity, result.value, result.limit) == (status, "caution", p, 0.05)
        assert words in result.sentence
        assert ("something else differs between them." in result.sentence) == (status == "fail")


@pytest.mark.parametrize(
    ("own", "status"), [((17.0, 19.0), "pass"), ((17.0, over(19.0)), "fail"), ((1.0, 1.0), "pass")]
)
def test_support_is_a_gap_like_that_of_nineteen_in_twenty_others(
    own: tuple[float, float], status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The root mean square gap against the 95th percentile of the others' own, which is not judged by itself."""
    size = math.sqrt((17.0**2 + 19.0**2) / 2)
    others = np.linspace(0.0, 20.0, 21)[:, None] / 19.0 * size
    predictors = np.vstack([np.array([own]), np.hstack([others, others])])
    given: list[float] = []

    def weights(values: Any, *, penalty: float) -> Any:
        given.append(penalty)
        return np.zeros((len(values), len(values)))

    comparison = SimpleNamespace(predictors=predictors, donors=np.arange(22) > 0)
    monkeypatch.setattr(sensitivity, "compare", lambda *of: comparison)
    monkeypatch.setattr(sensitivity, "simplex_mixes", weights)

    result = answer("support", still(), usual())
    answer("support", still(), dataclasses.replace(usual(), method="synthetic_control"))

    assert (result.status, result.severity, result.limit) == (status, "serious", 1.0)
    assert result.value == pytest.approx(math.sqrt((own[0] ** 2 + own[1] ** 2) / 2) / size)
    assert ("Compare changes" in result.sentence) == (status == "fail")
    assert given == [plan().estimator.simplex_penalty, 0.0]
    # A gap is to the mix: to the mean of all, with equal weights.
    alike = np.full((22, 22), 1 / 22)
    monkeypatch.setattr(sensitivity, "simplex_mixes", lambda *of, penalty: alike)
    missed = np.sqrt(((predictors - predictors.mean(axis=0)) ** 2).mean(axis=1))
    assert answer("support", still(), usual()).value == pytest.approx(missed[0] / np.quantile(missed[1:], 0.95))
    comparison.predictors = np.zeros((22, 2))
    copies = answer("support", still(), usual())
    assert (copies.status, copies.severity, copies.value) == ("no_test", "serious", None)


@pytest.mark.parametrize(
    ("p", "narrow", "asked"),
    [
        (0.01, (-1.0, 1.0), True),
        (over(0.01), (-1.0, 1.0), False),
        (0.01, (-SESOI, 0.0), True),
        (0.01, (over(-SESOI), under(SESOI)), False),
        (0.01, (0.0, SESOI), True),
        (0.0, (over(-SESOI), 0.0), False),
    ],
)
def test_what_there_is_to_break(p: float, narrow: tuple[float, float], asked: bool) -> None:
    """Noticed at the look's alpha, and CI(1 - 2a) not inside what does not matter: rows 4 and 5 of the rule table."""
    ends = dict.fromkeys(("0.9", "0.95", "0.99"), (-0.001, 0.001)) | {"0.98": narrow}

    assert breaking.asked(dataclasses.replace(usual(), p_value=p, intervals=ends), still(), plan()) is asked


@pytest.mark.parametrize(
    ("found", "status", "severity", "limit", "words"),
    [
        (None, "fail", "serious", 0.5, "does not stand"),
        (0.0, "fail", "serious", 0.5, "does not stand"),
        (0.04, "fail", "serious", 0.5, "0.0 times the largest yearly step of the years from 2020/21"),
        (under(0.5), "fail", "serious", 0.5, "over 0.5 times"),
        (0.5, "fail", "caution", 1.0, "over 0.5 times"),
        (under(1.0), "fail", "caution", 1.0, "over 1.0 times"),
        (1.0, "pass", "serious", 1.0, "over 1.0 times"),
        (math.inf, "pass", "serious", 1.0, "However far trends part"),
    ],
)
def test_how_far_trends_may_part(
    found: float | None, status: str, severity: str, limit: float, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A half and one both belong to the better side; every post year weighs the same."""
    made = breaking.EventStudy(
        years=("2020/21", "2021/22", "2024/25", "2025/26"), betahat=np.zeros(4), sigma=np.eye(4), n_pre=2
    )
    given: list[Any] = []

    def breakdown(betahat: Any, sigma: Any, n_pre: int, *, weights: Any) -> float | None:
        given.append((n_pre, weights.tolist()))
        return found

    monkeypatch.setattr(breaking, "event_study", lambda *of: made)
    monkeypatch.setattr(breaking, "breakdown_relative_magnitude", breakdown)
    wide = dict.fromkeys(NEGLIGIBLE, (0.004, 0.02))

    result = answer("breakdown", still(), dataclasses.replace(usual(), p_value=0.001, intervals=wide))

    assert (result.status, result.severity, result.limit) == (status, severity, limit)
    assert result.value == (None if found == math.inf else found or 0.0)
    assert words in result.sentence and given == [(2, [0.5, 0.5])]


@pytest.mark.parametrize("error", [PanelError, EstimateError])
def test_trends_that_cannot_be_judged_are_no_test(error: type[BelongingError], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands in the way, it is a caution that says why."""

    def raises(*of: Any) -> None:
        raise error("too few.")

    monkeypatch.setattr(breaking, "event_study", raises)
    wide = dict.fromkeys(NEGLIGIBLE, (0.004, 0.02))

    result = answer("breakdown", still(), dataclasses.replace(usual(), p_value=0.001, intervals=wide))

    assert (result.status, result.severity, result.limit) == ("no_test", "serious", 0.5)
    assert result.sentence.endswith("cannot be said: too few.")


def test_the_event_study_by_hand() -> None:
    """Difference in differences: each council less the mean of the others, less its own mean over the base years."""
    panel = world(effect=-0.02)
    made = estimate(panel, plan(), OUTCOME, method="difference_in_differences")

    study = breaking.event_study(made, panel, plan())

    rates = 100 * series(panel, OUTCOME, source="census")[list(YEARS)]
    units = ["838", *sorted(unit for unit in made.placebo_units)]
    rates = rates.loc[units]
    others = rates.drop(index="838")
    gaps = pd.DataFrame({unit: rates.loc[unit] - others.drop(index=unit, errors="ignore").mean() for unit in units}).T
    relative = gaps.sub(gaps[["2022/23", "2023/24"]].mean(axis=1), axis=0)[list(study.years)]
    assert (study.years, study.n_pre) == (("2020/21", "2021/22", "2024/25"), 2)
    assert study.betahat == pytest.approx(relative.loc["838"].to_numpy(), abs=1e-9)
    sizes = np.array([panel.sizes[unit] for unit in units])
    errors = relative.drop(index="838").to_numpy()
    scaled = np.empty_like(errors)
    for place in range(errors.shape[1]):
        level, slope = fit_size_variance(errors[:, place], sizes[1:])
        scaled[:, place] = errors[:, place] * np.sqrt((level + slope / sizes[0]) / (level + slope / sizes[1:]))
    assert study.sigma == pytest.approx(scaled.T @ scaled / len(scaled), rel=1e-9)
    comparison = compare(panel, plan(), county.specification_of(made))
    assert breaking._gap(comparison, plan(), POST)[units].to_numpy() == pytest.approx(gaps[POST].to_numpy(), abs=1e-9)


def test_an_event_study_takes_every_year_before_the_base() -> None:
    """Three where the base is one year."""
    made = estimate(still(), plan(), OUTCOME, method="difference_in_differences")

    study = breaking.event_study(dataclasses.replace(made, base=("2023/24",)), still(), plan())

    assert (study.years, study.n_pre) == ((*YEARS[:3], POST), 3)


def test_the_event_study_of_a_mix_by_hand() -> None:
    """Base years and years before by mixes that have not seen them, the post year by the finding's own."""
    panel = world(effect=-0.02)
    made = estimate(panel, plan(), OUTCOME)
    own = county.specification_of(made)

    study = breaking.event_study(made, panel, plan())

    gaps = {}
    for year in YEARS:
        without = own if year == POST else dataclasses.replace(own, without_years=(year,))
        comparison = compare(panel, plan(), without)
        path = comparison.path[:, comparison.path_years.index(year)]
        weights = fit(comparison, plan()).weights
        assert weights is not None
        gaps[year] = path[0] - weights[0] @ path
    expected = [gaps[year] - (gaps["2022/23"] + gaps["2023/24"]) / 2 for year in study.years]
    assert study.betahat == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("alone", [True, False])
def test_an_event_study_needs_the_treated_council_in_each_year(alone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A year that cannot be predicted for it, or for anybody, is an error and no gap of another council's."""
    gap = breaking._gap

    def holed(comparison: Any, of: Plan, year: str) -> Any:
        found = gap(comparison, of, year)
        if year == "2022/23":
            found.iloc[: 1 if alone else None] = np.nan
        return found

    monkeypatch.setattr(breaking, "_gap", holed)

    with pytest.raises(EstimateError, match="the treated council cannot be predicted in each year before the start"):
        breaking.event_study(estimate(still(), plan(), OUTCOME), still(), plan())


def test_years_before_follow_one_another() -> None:
    """Back from the base in order, up to the first gap."""
    own = dataclasses.replace(county.specification_of(usual()), base=("2022/23", "2023/24"))
    figures = ("2016/17", "2018/19", "2019/20", "2020/21", "2021/22", "2022/23", "2023/24", "2024/25")

    before = breaking._years_before(cast(Any, SimpleNamespace(path_years=figures)), own)

    assert before == ("2018/19", "2019/20", "2020/21", "2021/22")


@pytest.mark.parametrize(
    ("signs", "status", "value"),
    [
        ((-1, -1, -1), "no_test", None),
        ((-1, -1, -1, 1), "pass", 0.75),
        ((-1, -1, 1, 1), "fail", 0.5),
        ((-1, -1, -1, -1), "pass", 1.0),
        ((-1, -1, -1, -1, 1), "pass", 0.8),
        ((1, 1, 1, 1), "fail", 0.0),
    ],
)
@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("error", [PanelError, EstimateError])
def test_three_in_four_of_four_ways(
    signs: tuple[int, ...],
    status: str,
    value: float | None,
    side: int,
    error: type[BelongingError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four ways are enough, and three of them on the same side; what cannot be fitted is counted and no vote."""
    effects: list[int | None] = [None, *signs, None]

    def effect(comparison: Any, of: Plan) -> float:
        if comparison is None:
            raise error("no fit")
        return float(side * comparison)

    found = [(SimpleNamespace(penalty=None), each) for each in effects]
    found.append((SimpleNamespace(penalty=None), PanelError("not out")))  # type: ignore[arg-type]
    monkeypatch.setattr(specifications, "_comparisons", lambda *of: iter(found))
    monkeypatch.setattr(specifications, "_effect", effect)
    made = dataclasses.replace(
        usual(), value=-0.01 * side, p_value=0.001, intervals=dict.fromkeys(NEGLIGIBLE, (-0.02, 0.02))
    )

    result = answer("specifications", still(), made)

    assert (result.status, result.severity, result.value, result.limit) == (status, "serious", value, 0.75)
    words = "Only 3 way(s)" if status == "no_test" else "3 more could not be fitted"
    assert words in result.sentence


def test_the_ways_are_the_ones_meant() -> None:
    """Each method on each source; then one thing changed at a time: councils, a longer base, a penalty."""
    of = plan().model_copy(update={"donors": plan().donors.model_copy(update={"bordering": ("305",)})})

    def poor(frame: pd.DataFrame) -> None:
        low = frame["outcome"].eq("responding_schools") & frame["unit"].eq("306") & frame["period"].eq(POST)
        frame.loc[low, "value"] = 0.8

    panel = world(poor)
    curve = specification_curve(panel, of, OUTCOME)

    methods = ["", "synthetic control", "difference in differences", "synthetic difference in differences"]
    methods.append("neighbours difference in differences")
    donors = ["", "without councils that border it", "without councils of its region"]
    donors.append("without councils whose registers are incomplete")
    expected = set()
    for method in methods:
        changes = donors + [f"penalty {each}" for each in (10, 30, 300, 1000) if method == ""]
        by_base = method.endswith("difference in differences") and not method.startswith("synthetic")
        changes += [f"base from {year}" for year in ("2021/22", "2020/21") if by_base]
        for source in ("", "daily registers"):
            expected |= {", ".join(filter(None, (method, source, each))) or "as registered" for each in changes}
    rows = curve.to_pylist()
    assert sorted(each["choice"] for each in (*rows, *left_out_ways(curve).to_pylist())) == sorted(expected)
    assert {each["base"] for each in rows} == {" and ".join(YEARS[first:4]) for first in range(3)}
    for each in rows:
        assert (each["penalty"] is None) == (each["method"] != of.method)
    own = county.specification_of(dataclasses.replace(usual(), method=of.method))
    left_out = {
        donors[1]: ("305",),
        donors[2]: tuple(unit for unit in panel.donors if panel.regions[unit] == panel.regions["838"]),
        donors[3]: ("306",),
    }
    for choice, without in left_out.items():
        (row,) = (each for each in rows if each["choice"] == choice)
        meant = county.effect_of(panel, of, dataclasses.replace(own, without=without))
        assert (row["value"], row["p_value"]) == pytest.approx((meant.value, meant.p_value))
    assert [each["choice"] for each in rows if each["registered"]] == ["as registered"]
    assert len({each["value"] for each in rows}) == len(rows)


def test_other_bases_end_with_the_registered_one() -> None:
    """Two years to as many as the plan's history, without the plan's own."""
    three = plan().model_copy(update={"base": YEARS[1:4]})

    assert specifications._longer(plan()) == (YEARS[1:4], YEARS[0:4])
    assert specifications._longer(three) == (YEARS[2:4], YEARS[0:4])
    choices = specification_curve(still(), three, OUTCOME)["choice"].to_pylist()
    assert {each for each in choices if each.startswith("difference in differences, base")} == {
        "difference in differences, base from 2022/23",
        "difference in differences, base from 2020/21",
    }


def test_what_is_only_described_stops_nothing_where_a_base_year_is_missing() -> None:
    """It is not assessed, and the reason stands among the rows left out; a primary outcome's gap is an error."""

    def add(frame: pd.DataFrame) -> pd.DataFrame:
        own = frame["outcome"].eq(OUTCOME) & frame["source"].eq("census")
        short = frame[own & frame["period"].ne("2022/23")].assign(outcome="authorised_absence_rate")
        return pd.concat([frame, short], ignore_index=True)

    found = assess(world(add), plan(), beside=False)

    assert found.registered("authorised_absence_rate").verdict == "not_assessed"
    assert [each for each in found.left_out if "Authorised absence" in each and "2022/23" in each]
    assert found.registered(OUTCOME).estimate is not None


@pytest.mark.parametrize("outcome", ["suspension_rate", "permanent_exclusion_rate"])
def test_the_curve_is_in_the_outcomes_unit(outcome: str) -> None:
    """A log ratio, and a rate per 100 pupils: the registered row is the estimate."""

    def add(frame: pd.DataFrame) -> pd.DataFrame:
        own = frame["outcome"].eq(OUTCOME) & frame["source"].eq("census")
        return pd.concat([frame, frame[own].assign(outcome=outcome)], ignore_index=True)

    panel = world(add, effect=-0.01)
    made = estimate(panel, plan(), outcome)

    (row,) = (each for each in specification_curve(panel, plan(), outcome).to_pylist() if each["registered"])

    assert (row["value"], row["low"], row["high"]) == pytest.approx((made.value, *made.intervals["0.95"]))
    assert abs(row["value"]) > 0.05


def test_the_councils_of_its_region() -> None:
    """Those of the treated council's region; none where its region is not known."""
    panel = dataclasses.replace(still(), regions={"838": "South West", "300": "South West", "301": "North East"})

    assert specifications._same_region(panel) == ("300",)
    assert specifications._same_region(dataclasses.replace(panel, regions={"300": "South West"})) == ()


def test_a_daily_finding_has_the_census_beside_it() -> None:
    """The registered row is that of the source given; the other source is what differs."""
    rows = specification_curve(still(), plan(), OUTCOME, source="daily").to_pylist()

    (registered,) = (row for row in rows if row["registered"])
    assert registered["source"] == "daily"
    assert {row["source"] for row in rows if "census" in row["choice"]} == {"census"}
    assert not any("daily registers" in row["choice"] for row in rows)


def test_only_some_checks() -> None:
    """In the plan's order, whatever the order asked for."""
    made = run_checks(usual(), still(), plan(), only=("largest_weight", "coverage"))

    assert [each.name for each in made] == ["coverage", "largest_weight"]
    assert run_checks(usual(), still(), plan(), only=()) == ()


# How often the method is wrong on councils where nothing was done, as shipped for the plan.


def shipped_for(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *rows: dict[str, Any], digest: str | None = None
) -> None:
    """Ships these rows for the plan; each is of all councils in the first post year unless it says otherwise."""
    calibrated._shipped_rows.cache_clear()  # a record is read once, and this one is written anew
    usual_row = {
        "part": "b",
        "group": "all",
        "outcome": OUTCOME,
        "world": f"{POST} by 2023/24",
        "n_worlds": 99,
        "size_01": 0.0,
        "size_03": 0.0,
        "size_05": 0.0,
        "said_better": 0.01,
        "cannot_tell": 0.97,
        "said_worse": 0.02,
        "coverage": 0.94,
    }
    folder = folder / "calibrations"
    folder.mkdir(exist_ok=True)
    content = {"plan_digest": plan().digest, "rows": [usual_row | row for row in rows]}
    (folder / f"{(digest or plan().digest)[:12]}.json").write_text(json.dumps(content), "utf-8")
    monkeypatch.setattr(shipped, "PACKAGE", folder.parent)


AT_ONE_PERCENT = 0.03  # .01 + 2 sqrt(.01 x .99 / 99), worked by hand


@pytest.mark.parametrize(
    ("size", "status"),
    [
        (0.0, "pass"),
        (0.01, "pass"),
        (AT_ONE_PERCENT - 1e-9, "pass"),
        (AT_ONE_PERCENT, "pass"),
        (AT_ONE_PERCENT + 5e-13, "pass"),
        (AT_ONE_PERCENT + 1e-9, "fail"),
        (0.5, "fail"),
    ],
)
def test_what_was_noticed_where_nothing_was_done(
    size: float, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two Monte Carlo errors above alpha still pass, to rounding; fatal beyond."""
    shipped_for(monkeypatch, tmp_path, {"size_01": size, "size_03": 1.0, "size_05": 1.0})

    result = answer("calibrated_size", still(), usual())

    assert (result.name, result.status, result.severity) == ("calibrated_size", status, "fatal")
    assert (result.value, result.limit) == (size, pytest.approx(AT_ONE_PERCENT, abs=1e-15))
    assert (result.power, result.direction) == (None, 0)
    assert result.table is not None
    assert result.table.to_pylist() == [
        {
            "noticed": size,
            "said_better": 0.01,
            "said_worse": 0.02,
            "cannot_tell": 0.97,
            "coverage": 0.94,
            "n_worlds": 99,
        }
        | dict.fromkeys(("worst_world", "worst_coverage", "worst_noticed"))
        | dict.fromkeys(("worst_better_without_size", "worst_worse_without_size"))
        | dict.fromkeys(("planted_noticed", "planted_said_better"))
    ]
    assert result.sentence == (
        "With each of 99 other councils in Dorset's place in 2024/25, where no change is assumed, placebos "
        f"of the year before noticed a difference in {100 * size:.1f} of 100, where 1 are meant and up to 3.0 can be "
        "chance."
    )


@pytest.mark.parametrize(
    ("report_year", "alpha", "n_worlds", "limit"),
    [("2026/27", 0.03, 291, 0.05), ("2025/26", 0.01, 99, 0.03), ("2024/25", 0.05, 76, 0.10)],
)
def test_the_size_at_the_looks_own_alpha(
    report_year: str, alpha: float, n_worlds: int, limit: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """.03 + 2 sqrt(.03 x .97 / 291) is .05: each look has its own size and limit; 5% is of a plan with one look."""
    sizes = {"size_01": 0.2, "size_03": 0.2, "size_05": 0.2} | {f"size_{100 * alpha:02.0f}": limit}
    of = plan()
    if alpha == 0.05:
        of = of.model_copy(update={"looks": (of.looks[0].model_copy(update={"alpha": alpha}),)})
    shipped_for(monkeypatch, tmp_path, {**sizes, "n_worlds": n_worlds}, digest=of.digest)

    result = answer("calibrated_size", dataclasses.replace(still(), report_year=report_year), usual(), of)

    assert (result.status, result.value, result.limit) == ("pass", limit, pytest.approx(limit, abs=1e-15))
    assert f"where {100 * alpha:.0f} are meant and up to {100 * limit:.1f} can" in result.sentence


def test_the_size_is_that_of_all_councils_in_the_first_post_year(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other parts, groups, outcomes and years are passed over, wherever they stand; of two, the first counts."""
    others: list[dict[str, Any]] = [
        {"part": "a"},
        {"part": "c"},
        {"group": "A few"},
        {"group": "small"},
        {"outcome": "absence_rate"},
        {"outcome": "severe_absence_rate"},
        {"world": "2018/19 by 2017/18"},
        {"world": "2025/26 by 2024/25"},
        {"world": f"2023/24 by {POST}"},
    ]
    wrong = [each | {"size_01": 0.9} for each in others]
    shipped_for(monkeypatch, tmp_path, *wrong, {"size_01": 0.02}, {"size_01": 0.9}, *wrong)

    assert answer("calibrated_size", still(), usual()).value == 0.02
    shipped_for(monkeypatch, tmp_path, *wrong)
    assert answer("calibrated_size", still(), usual()).status == "no_test"


@pytest.mark.parametrize("how", ["no file", "another plan", "no row", "no size at this alpha", "no such alpha"])
def test_a_size_that_was_not_measured_is_no_test(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caution, and neither passed nor fatal, with no number."""
    of = plan()
    if how == "no file":
        monkeypatch.setattr(shipped, "PACKAGE", tmp_path)
    elif how == "another plan":
        shipped_for(monkeypatch, tmp_path, {}, digest="0" * 64)
    elif how == "no row":
        shipped_for(monkeypatch, tmp_path, {"outcome": "severe_absence_rate"})
    elif how == "no size at this alpha":
        shipped_for(monkeypatch, tmp_path, {"size_01": None})
    else:
        looks = (of.looks[0].model_copy(update={"alpha": 0.02}), *of.looks[1:])
        of = of.model_copy(update={"looks": looks})
        shipped_for(monkeypatch, tmp_path, {}, digest=of.digest)

    result = answer("calibrated_size", still(), usual(), of)

    assert (result.status, result.severity, is_caution(result)) == ("no_test", "serious", True)
    assert (result.value, result.limit, result.power, result.table) == (None, None, None, None)
    assert result.sentence.endswith("where no change is assumed has not been measured for this plan.")


def test_the_size_shipped_for_the_plan() -> None:
    """Overall absence, every council in 2024/25: 3 of 147 noticed at 1%, as the shipped file has it."""
    result = answer("calibrated_size", still(), usual())

    assert (result.status, result.severity) == ("pass", "fatal")
    assert result.value == pytest.approx(3 / 147)
    assert result.limit == pytest.approx(0.01 + 2 * math.sqrt(0.01 * 0.99 / 147))
    assert result.table is not None
    row = result.table.to_pylist()[0]
    # Across the pandemic 16 of 148 are noticed; without this very check 14 of them would be called better or worse.
    worst = ("noticed", "better_without_size", "worse_without_size", "coverage")
    assert row["worst_world"] == "2023/24 by 2018/19"
    assert [round(148 * row[f"worst_{name}"], 6) for name in worst] == [16, 5, 9, 132]


# All together.


@pytest.mark.parametrize("effect", [0.0, -0.02])
def test_every_check_of_the_plan_answers_in_a_sentence(effect: float) -> None:
    """One or more results each, a full stop at the end, and never a number that is none."""
    panel = world(reasons({B: 0.003, K: 0.0004, U: 0.0015, M: 0.003, R: 0.001}), effect=effect)

    results = run_checks(estimate(panel, plan(), OUTCOME), panel, plan())

    assert {each.name.partition(":")[0] for each in results} == set(plan().checks) == set(CHECKS)
    for each in results:
        assert each.sentence.endswith(".") and ".." not in each.sentence, each.sentence
        assert all(np.isfinite(v) for v in (each.value, each.limit, each.power) if v is not None)


def test_a_panel_that_lacks_a_year_is_an_error_before_any_check() -> None:
    """No estimate, so no check, of a post year that the treated council does not have."""
    with pytest.raises(BelongingError, match="not out"):
        estimate(world(blank=(("838", POST),)), plan(), OUTCOME)


@pytest.fixture(scope="module")
def real_panels(real: Path) -> dict[str, Panel]:
    """The real files, by report year, as taken at the last snapshot and, for 2025/26, in the autumn after."""
    panels = {}
    for key, through in (("census", "2024/25"), ("fresh", "2025/26")):
        extract = load_extract(real, plan(), through=through)
        panels[key] = build_panel(derive_outcomes(extract, plan()), plan(), neighbours=extract.neighbours)
    return panels | {"autumn": dataclasses.replace(panels["fresh"], data_as_at=dt.date(2026, 9, 10))}


def test_the_new_checks_on_the_real_files(real_panels: dict[str, Panel]) -> None:
    """Overall absence: 2024/25 by the census, 2025/26 by the daily series; figures as worked out from the files."""
    found = {}
    for key, panel in real_panels.items():
        made = estimate(panel, plan(), OUTCOME)
        found[key] = {
            each.name.partition(" ")[2] or each.name: each for name in NEW for each in answers(name, panel, made)
        }

    census, fresh, autumn = found["census"], found["fresh"], found["autumn"]
    assert census["code_bridge"].value == pytest.approx(0.0009, abs=0.0001)
    assert fresh["code_bridge"].value == pytest.approx(0.0014, abs=0.0001)
    assert (census["code_bridge"].status, fresh["code_bridge"].status) == ("pass", "fail")
    assert (fresh["settled"].status, autumn["settled"].status) == ("fail", "pass")
    assert autumn["settled"].value == pytest.approx(7.0)
    for each in (census, fresh):
        assert (each["support"].status, each["breakdown"].status, each["specifications"].status) == (
            "pass",
            "no_test",
            "no_test",
        )
        assert each[M].status == each[R].status == "pass"


def test_the_curve_of_the_real_files(real_panels: dict[str, Panel]) -> None:
    """A few dozen ways; with the registered row, most put Dorset's absence above what is expected, none past chance."""
    curve = specification_curve(real_panels["census"], plan(), OUTCOME).to_pandas()

    assert 40 <= len(curve) <= 60
    assert 0.7 < (curve["value"] > 0).mean() < 0.9
    assert curve["p_value"].min() > 0.05
    assert left_out_ways(specification_curve(real_panels["fresh"], plan(), OUTCOME)).num_rows > 20
