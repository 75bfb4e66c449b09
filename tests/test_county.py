"""County estimates and checks: known truth recovered, and the real files near the figures they are known to give."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from small_country import OUTCOME, outcomes, plan

from belonging_research.checks import CHECKS, detectable_effect, detectable_effects, penalty_path, run_checks
from belonging_research.checks.county import specification_of
from belonging_research.errors import BelongingError, FindingError
from belonging_research.estimators import Estimate, estimate
from belonging_research.estimators.county import fit, treated_effects
from belonging_research.estimators.placebo import detectable_effect as smallest_noticed
from belonging_research.findings import assess
from belonging_research.outcomes import derive_outcomes
from belonging_research.panel import Panel, build_panel, compare, subset
from belonging_research.plan import Plan
from belonging_research.sources import load_extract

METHODS = [design.method for design in plan().designs]


@pytest.fixture(scope="module")
def real_panel(real: Path) -> Panel:
    """The real files through 2024/25, read once."""
    extract = load_extract(real, plan(), through="2024/25")
    return build_panel(derive_outcomes(extract, plan()), plan(), neighbours=extract.neighbours)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "neighbours_difference_in_differences"])
def test_each_method_recovers_a_known_effect(method: str) -> None:
    """Two points less absence in the treated council are found within three standard errors, and noticed."""
    made = estimate(build_panel(outcomes(effect=-0.02), plan()), plan(), OUTCOME, method=method)  # type: ignore[arg-type]

    assert abs(made.value + 0.02) < 3 * made.std_error
    assert made.p_value <= 0.05


def test_intervals_cover_and_false_alarms_are_rare() -> None:
    """Over 16 worlds without an effect, the 95% range holds 0 in at least 13 (binomial, under 1 in 100 fall short)."""
    made = [estimate(build_panel(outcomes(seed=seed), plan()), plan(), OUTCOME) for seed in range(16)]

    assert sum(low <= 0 <= high for low, high in (each.intervals["0.95"] for each in made)) >= 13


def test_a_constant_added_everywhere_leaves_the_effect_alone() -> None:
    """A national change of the same size in every council is no effect of anything here."""
    plain, moved = (estimate(build_panel(outcomes(shift_post=shift), plan()), plan(), OUTCOME) for shift in (0.0, 0.01))

    assert moved.value == pytest.approx(plain.value, abs=1e-9)


def test_the_effect_cannot_move_the_weights() -> None:
    """Weights see no year since the start."""
    one, other = (estimate(build_panel(outcomes(effect=e), plan()), plan(), OUTCOME) for e in (0.0, -0.02))

    assert one.weights == other.weights


def test_the_path_over_the_penalty_runs_through_the_registered_estimate() -> None:
    """One row a penalty of the plan; the registered one is the estimate, with its own 95% range."""
    panel = build_panel(outcomes(), plan())
    made = estimate(panel, plan(), OUTCOME)

    rows = penalty_path(panel, plan(), made).to_pylist()

    assert [row["penalty"] for row in rows] == sorted({*plan().estimator.penalty_path, 100.0})
    (registered,) = (row for row in rows if row["registered"])
    assert (registered["value"], registered["low"], registered["high"]) == pytest.approx(
        (made.value, *made.intervals["0.95"])
    )
    assert len({round(row["value"], 9) for row in rows}) > 1


def test_p_and_every_interval_agree() -> None:
    """p is at most a exactly when the 1 - a range leaves out 0."""
    for effect in np.linspace(-0.006, 0.006, 4):
        made = estimate(build_panel(outcomes(effect=float(effect)), plan()), plan(), OUTCOME)
        for level, (low, high) in made.intervals.items():
            assert (made.p_value <= round(1 - float(level), 6)) == (not low <= 0 <= high)


# Known of these files (published analysis notes): at 5%, at Dorset's size, from the post-period reference. Points.
KNOWN = [
    ("ridge_augmented_synthetic_control", "census", 0.52),
    ("difference_in_differences", "census", 0.58),
    ("ridge_augmented_synthetic_control", "daily", 0.49),
    ("synthetic_control", "daily", 0.67),
    ("difference_in_differences", "daily", 0.68),
]


@pytest.mark.parametrize(("method", "source", "known"), KNOWN)
def test_the_real_files_give_the_detectable_effects_known_of_them(
    real_panel: Panel, method: str, source: str, known: float
) -> None:
    """Within a tenth of the figure; Dorset's own estimate lies well inside its range."""
    made = estimate(real_panel, plan(), OUTCOME, method=method, source=source)  # type: ignore[arg-type]

    assert made.detectable_realised_05 is not None
    assert 100 * made.detectable_realised_05 == pytest.approx(known, rel=0.1)
    assert made.p_value > 0.1


@pytest.mark.parametrize(("source", "known"), [("census", 0.85), ("daily", 0.81)])
def test_the_strict_early_look_on_the_real_files(real_panel: Panel, source: str, known: float) -> None:
    """At 1% the critical value is the largest placebo, judged by a scale that has not seen it."""
    made = estimate(real_panel, plan(), OUTCOME, source=source)  # type: ignore[arg-type]

    assert made.n_reference == 147
    at_one_percent = smallest_noticed(np.array(made.placebos), made.std_error, 0.01)
    assert 100 * at_one_percent == pytest.approx(known, rel=0.1)


def test_the_real_registered_estimate_is_near_what_is_known(real_panel: Panel) -> None:
    """Placebo spread about 0.17, 0.45 detectable before outcomes were read, 0.1 to 0.3 above prediction."""
    made = estimate(real_panel, plan(), OUTCOME)

    assert made.source == "census"
    assert 100 * made.std_error == pytest.approx(0.17, rel=0.1)
    assert made.detectable_05 is not None
    assert 100 * made.detectable_05 == pytest.approx(0.45, rel=0.1)
    assert 0.1 < 100 * made.value < 0.3
    assert made.actual == pytest.approx(0.0749)
    assert sum(made.weights.values()) == pytest.approx(1.0)


def test_the_real_verdicts(real_panel: Panel) -> None:
    """Absence: cannot tell. Pupils suspended: not assessed until its look."""
    findings = assess(real_panel, plan())

    absence = findings.registered(OUTCOME)
    suspended = findings.registered("pupils_with_one_or_more_suspensions_rate")
    assert (absence.verdict, absence.rule) == ("cannot_tell", 6)
    assert (suspended.verdict, suspended.due) == ("not_assessed", "July 2028")
    assert {check.name.partition(":")[0] for check in absence.checks} == set(plan().checks)
    assert absence.grade is not None


def _bare() -> Plan:
    """The plan without the real place's own events."""
    checks = tuple(name for name in plan().checks if name != "other_events")
    return plan().model_copy(update={"events": (), "outcomes_seen": (), "checks": checks})


def test_a_clear_effect_gets_a_clear_verdict() -> None:
    """Always answering 'cannot tell' fails here: two points less absence is better than expected."""
    bare = _bare()
    panel = build_panel(outcomes(effect=-0.02), bare)

    finding = assess(panel, bare, domain="attendance").registered(OUTCOME)

    assert finding.verdict == "better_than_expected"


def test_harm_is_told_by_the_same_rules() -> None:
    """Two points more absence is worse than expected."""
    bare = _bare()

    finding = assess(build_panel(outcomes(effect=0.02), bare), bare, domain="attendance").registered(OUTCOME)

    assert finding.verdict == "worse_than_expected"


def test_a_check_that_is_not_built_is_an_error() -> None:
    """A check that the plan lists is never passed in silence."""
    other = plan().model_copy(update={"checks": (*plan().checks, "specification_curve")})
    panel = build_panel(outcomes(), other)

    with pytest.raises(FindingError, match="specification_curve"):
        run_checks(estimate(panel, other, OUTCOME), panel, other)


def test_checks_fail_where_they_should() -> None:
    """A comparison that hangs on one source, or on registers that stopped, does not pass."""
    table = outcomes(effect=0.0)
    frame = table.to_pandas()
    daily = (frame["source"] == "daily") & (frame["period"] == "2024/25") & (frame["unit"] == "838")
    rates = daily & (frame["outcome"] == OUTCOME)
    frame.loc[rates, "value"] += 0.004
    frame.loc[daily & (frame["outcome"] == "responding_schools"), "value"] = 0.80
    panel = build_panel(_table(frame, table), plan())

    results = {each.name: each for each in run_checks(estimate(panel, plan(), OUTCOME), panel, plan())}

    assert (results["sources_agree"].status, results["sources_agree"].severity) == ("fail", "serious")
    assert results["coverage"].status == "fail"
    assert results["inference_fits"].status == "pass"


def _table(frame, like):  # type: ignore[no-untyped-def]
    import pyarrow as pa

    return pa.Table.from_pandas(frame, schema=like.schema, preserve_index=False)


def test_every_check_answers_with_a_sentence(real_panel: Panel) -> None:
    """Each ends with a full stop, and no number of it is NaN."""
    made = estimate(real_panel, plan(), OUTCOME)

    for result in run_checks(made, real_panel, plan()):
        assert result.sentence.endswith((".", "out.")), result.name
        assert all(not math.isnan(v) for v in (result.value, result.limit, result.power) if v is not None)


def test_what_could_be_noticed_reads_no_outcome_since_the_start() -> None:
    """Every figure since the start changed: the promise is the same."""
    plain, moved = (build_panel(outcomes(shift_post=s), plan()) for s in (0.0, 0.03))

    assert detectable_effect(plain, plan(), OUTCOME) == detectable_effect(moved, plan(), OUTCOME)
    assert detectable_effects(plain, plan()).equals(detectable_effects(moved, plan()))


def test_all_checks_are_listed_once() -> None:
    """The registry and the plan agree."""
    assert set(plan().checks) == set(CHECKS)


def test_a_constant_outcome_gives_no_number() -> None:
    """Without variation there is no reference to judge by."""
    table = outcomes()
    frame = table.to_pandas()
    frame.loc[frame["outcome"] == OUTCOME, "value"] = 0.07

    with pytest.raises(BelongingError):
        estimate(build_panel(_table(frame, table), plan()), plan(), OUTCOME)


@pytest.mark.parametrize("method", METHODS)
def test_leaving_units_out_in_one_batch_is_refitting_without_them(real_panel: Panel, method: str) -> None:
    """The cheaper batch of fits gives the number of each whole fit."""
    made = estimate(real_panel, plan(), OUTCOME, method=method)  # type: ignore[arg-type]
    comparison = compare(real_panel, plan(), specification_of(made))
    kept = np.ones((4, len(comparison.units)), dtype=bool)
    kept[1, 5], kept[2, [7, 9, 60]], kept[3, 1:100] = False, False, False

    found = treated_effects(comparison, plan(), kept)

    refitted = [float(fit(subset(comparison, row), plan()).effects[0]) for row in kept]
    assert found == pytest.approx(refitted, abs=1e-7)


def test_an_estimate_is_frozen(real_panel: Panel) -> None:
    """Nobody changes a number after it was made."""
    made = estimate(real_panel, plan(), OUTCOME)
    assert isinstance(made, Estimate)

    with pytest.raises(AttributeError):
        made.value = 0.0  # type: ignore[misc]
