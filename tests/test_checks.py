"""Each check in a world where it passes and in one where it fails; panels that allow no number say what they lack."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import ValidationError
from small_country import OUTCOME, YEARS, outcomes, plan

from belonging_research.checks import CHECKS, CheckResult, left_out_ways, run_checks, specification_curve
from belonging_research.checks.breaking import event_study
from belonging_research.checks.sensitivity import other_rates
from belonging_research.errors import BelongingError, EstimateError, PanelError, PlanError
from belonging_research.estimators import Estimate, estimate
from belonging_research.findings.grades import NOTHING_TO_BREAK, is_caution
from belonging_research.outcomes import derive_outcomes, refuse_unknown_controls
from belonging_research.panel import Panel, build_panel, series
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
    assert "minus 0.3" in result.sentence and "education off site" in result.sentence


def test_the_code_bridge_catches_late_arrivals_that_became_absence() -> None:
    """A register that closes earlier turns late arrivals into absence."""
    result = answer("code_bridge", world(reasons({B: 0.003, K: 0.0004, U: 0.0015}, {U: 0.003})))

    assert result.status == "fail"
    assert "arrivals after the register closed" in result.sentence


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

    found = other_rates(made, panel, plan(), [series(panel, OUTCOME, source="census")])

    base = [p.actual - p.predicted for p in made.path if p.period in made.base]
    assert found.effects[0][0] / 100 == pytest.approx(made.value - np.mean(base), abs=1e-9)


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


@pytest.mark.parametrize(("as_at", "status"), [("2025-03-06", "fail"), ("2025-03-07", "pass")])
def test_daily_figures_count_from_six_weeks(as_at: str, status: str) -> None:
    """41 days old fails, 42 days old passes."""
    panel = _daily_decides(as_at)
    made = estimate(panel, plan(), OUTCOME)

    result = answer("settled", panel, made)

    assert made.source == "daily"
    assert (result.status, result.severity) == (status, "serious")
    assert "24 January 2025" in result.sentence


def test_the_census_has_settled_and_unknown_dates_are_no_test() -> None:
    """The census is no caution; a date that is missing is one, and is named."""
    census = answer("settled", world())
    no_day = answer("settled", _daily_decides(""))
    no_snapshot = answer(
        "settled", _daily_decides("2025-06-01", lambda f: f[f["interval_end"].isna() | f["period"].ne(POST)])
    )

    assert (census.status, is_caution(census)) == ("no_test", False)
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

    assert (result.status, result.severity, result.value, is_caution(result)) == ("no_test", "serious", None, False)
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
