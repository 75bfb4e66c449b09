"""The rule table case by case, the family rules, the grade, the row of `results.json`, its recomputation."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recompute import recompute_flags, recompute_verdict
from statsmodels.stats.multitest import multipletests

from belonging_research.checks.result import CheckResult, Severity, Status
from belonging_research.errors import FindingError, PlanError
from belonging_research.estimators.result import Estimate
from belonging_research.findings import (
    Candidate,
    Case,
    Finding,
    GradeParts,
    decide,
    grade_of,
    holm,
    judge,
    judge_all,
    record,
    withhold,
)
from belonging_research.findings.grades import (
    ATTRITION,
    ATTRITION_FLOOR,
    BALANCE,
    BALANCE_FLOOR,
    PRECISION,
    PRECISION_FLOOR,
    banded,
    is_caution,
    threat_score,
    uncovered_share,
)
from belonging_research.findings.inputs import level_key
from belonging_research.findings.rules import (
    RULES,
    blocked,
    enough_to_matter,
    ruled_out,
    say,
    signal_to_examine,
    small_difference_noticed,
)
from belonging_research.plan import Plan, read_plan

SHIPPED = Path(__file__).resolve().parents[1] / "notebooks" / "plans" / "dorset_public.toml"
EARLY, MIDDLE, LAST = "2024/25", "2025/26", "2026/27"
LEVELS = {EARLY: ("0.99", "0.98"), MIDDLE: ("0.99", "0.98"), LAST: ("0.97", "0.94")}
SIZES = {
    "absence": 0.0025,
    "suspended": 0.1,
    "persistent": 0.01,
    "belonging": 0.02,
    "unauthorised": 0.002,
    "suspensions": 0.1,
    "illness": 0.0025,
}
BETTER = dict.fromkeys(SIZES, "lower") | {"belonging": "higher"}
PRIMARIES = ("absence", "suspended")
SECONDARIES = ("persistent", "belonging", "unauthorised", "suspensions")
CHECKS = ("coverage", "false_start", "other_events", "inference_fits")
ID_PARTS = ("layer", "outcome", "source", "base", "post", "phase", "subgroup", "method")
ROW_KEYS = {
    "actual",
    "alpha",
    "base",
    "better",
    "checks",
    "ci",
    "detectable",
    "detectable_05",
    "detectable_how",
    "detectable_realised_05",
    "domain",
    "due",
    "enough_to_matter",
    "estimand",
    "failed",
    "family_size",
    "gate",
    "grade",
    "grade_parts",
    "id",
    "inference",
    "label",
    "layer",
    "method",
    "n_clusters",
    "n_pupils",
    "n_reference",
    "n_treated",
    "n_units",
    "noticed",
    "noticed_chance",
    "noticed_exaggeration",
    "outcome",
    "p_adjusted",
    "p_value",
    "panel_digest",
    "phase",
    "plan_digest",
    "post",
    "power_at_sesoi",
    "predicted",
    "registered",
    "role",
    "rule",
    "ruled_out",
    "sesoi",
    "signal_to_examine",
    "small_difference_noticed",
    "source",
    "std_error",
    "subgroup",
    "suppressed",
    "truth",
    "type_m",
    "unit",
    "value",
    "verdict",
}


def _outcome(name: str) -> dict[str, Any]:
    role = "primary" if name in PRIMARIES else "secondary" if name in SECONDARIES else "exploratory"
    return {
        "name": name,
        "label": name.title(),
        "unit": "log_ratio" if name.startswith("suspen") else "proportion",
        "role": role,
        "domain": "exclusions" if name.startswith("suspen") else "attendance",
        "better": BETTER[name],
        "sesoi": SIZES[name],
    }


def make_plan(**changes: Any) -> Plan:
    """The shipped plan with outcomes, looks and checks of this test's own: editing it breaks nothing."""
    content = json.loads(read_plan(SHIPPED).model_dump_json(by_alias=True))
    content |= {
        "base": ["2022/23", "2023/24"],
        "post": [EARLY, MIDDLE, LAST],
        "outcomes_seen": [EARLY],
        "outcomes": [_outcome(name) for name in SIZES],
        "checks": list(CHECKS),
        "targets": [],
        "looks": [
            {"report_year": EARLY, "alpha": 0.01, "outcomes": ["absence"], "due": "March 2026"},
            {"report_year": MIDDLE, "alpha": 0.01, "outcomes": ["absence"], "due": "March 2027"},
            {"report_year": LAST, "alpha": 0.03, "outcomes": list(PRIMARIES), "due": "July 2028"},
        ],
    }
    return Plan.model_validate_json(json.dumps(content | changes))


PLAN = make_plan()
DIGEST = PLAN.digest
POST = {year: tuple(p for p in PLAN.post if p <= year) for year in (EARLY, MIDDLE, LAST)}


def check(
    name: str = "false_start", status: Status = "pass", severity: Severity = "serious", **more: Any
) -> CheckResult:
    """A check with everything not said left harmless."""
    given_ = {"value": None, "limit": None, "power": None, "sentence": f"{name}: {status}."} | more
    return CheckResult(name=name, status=status, severity=severity, **given_)


PASSED = (
    check("coverage", value=0.97),
    check("false_start"),
    check("other_events", severity="caution"),
    check("inference_fits", severity="fatal"),
)


def changed(*replacements: CheckResult) -> tuple[CheckResult, ...]:
    """All checks passed but those given, which take their namesake's place."""
    by_name = {each.name: each for each in (*PASSED, *replacements)}
    return tuple(by_name.values())


def estimate(
    outcome: str = "absence",
    *,
    b: float = 3.0,
    half: float = 1.0,
    p: float = 0.001,
    year: str = LAST,
    **more: Any,
) -> Estimate:
    """An estimate whose ``b`` and half-width of every interval are in units of S and in b's direction."""
    sign = -1 if BETTER[outcome] == "lower" else 1
    size = SIZES[outcome]
    ends = sorted((sign * (b - half) * size, sign * (b + half) * size))
    given_: dict[str, Any] = {
        "outcome": outcome,
        "unit": PLAN.outcome(outcome).unit,
        "estimand": "effect on the treated unit",
        "method": PLAN.method,
        "layer": "county",
        "phase": "all",
        "subgroup": None,
        "source": "census",
        "base": PLAN.base,
        "post": POST[year],
        "plan_digest": DIGEST,
        "panel_digest": "0" * 64,
        "value": sign * b * size,
        "actual": 0.07,
        "predicted": 0.07 - sign * b * size,
        "std_error": 0.5 * size,
        "p_value": p,
        "intervals": dict.fromkeys((*LEVELS[year], "0.95"), (ends[0], ends[1])),
        "inference": "placebo",
        "n_reference": 147,
        "n_treated": 1,
        "n_units": 148,
        "n_clusters": None,
        "n_pupils": None,
        "detectable": 1.5 * size,
        "detectable_05": size,
        "detectable_realised_05": size,
        "power_at_sesoi": 0.4,
        "type_m": 1.8,
        "detectable_how": "false start",
        "weights": {},
        "path": (),
        "registered": True,
    }
    return Estimate(**(given_ | more))


def row(
    outcome: str = "absence",
    *,
    year: str = LAST,
    checks: tuple[CheckResult, ...] = PASSED,
    registered: bool = True,
    withheld: str | None = None,
    uncovered: float | None = 0.05,
    imbalance: float | None = 0.01,
    **more: Any,
) -> Candidate:
    """A registered candidate that is out, well covered and balanced."""
    return Candidate.of(
        estimate(outcome, year=year, **more),
        checks,
        is_registered_row=registered,
        withheld=withheld,
        uncovered=uncovered,
        imbalance=imbalance,
    )


def not_out(outcome: str, *, year: str = LAST, registered: bool = True) -> Candidate:
    """A row without figures."""
    return Candidate(
        outcome=outcome,
        estimate=None,
        checks=(),
        phase="all",
        source="census",
        base=PLAN.base,
        post=POST[year],
        method=PLAN.method,
        is_registered_row=registered,
    )


def findings(*rows: Candidate, year: str = LAST, plan: Plan = PLAN) -> dict[str, Finding]:
    """Findings by outcome."""
    return {finding.outcome: finding for finding in judge_all(rows, plan, report_year=year)}


def case(**changes: Any) -> Case:
    """A case that nothing decides before row 6: S = 1, a = .05, a wide interval around a small gain."""
    given_: dict[str, Any] = {
        "role": "primary",
        "blocked": False,
        "b": 0.5,
        "p_value": 0.5,
        "p_adjusted": 0.5,
        "alpha": 0.05,
        "sesoi": 1.0,
        "narrow": (-2.0, 3.0),
        "wide": (-2.5, 3.5),
        "gate": True,
    }
    return Case(**(given_ | changes))


# ---------------------------------------------------------------- the rule table


def test_rows_are_in_order_and_numbered() -> None:
    """The table is rows 1 to 6 in order; row 0 is a case that is not out."""
    assert [rule.number for rule in RULES] == [1, 2, 3, 4, 5, 6]
    assert decide(None) == ("not_assessed", 0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("cannot_tell", 6)),
        ({"role": "exploratory"}, ("cannot_tell", 1)),
        ({"role": "exploratory", "blocked": True}, ("cannot_tell", 1)),
        ({"role": "exploratory", "narrow": (-0.1, 0.1), "p_adjusted": 0.0}, ("cannot_tell", 1)),
        ({"role": "secondary"}, ("cannot_tell", 6)),
        ({"blocked": True}, ("cannot_tell", 2)),
        ({"blocked": True, "narrow": (-0.1, 0.1)}, ("cannot_tell", 2)),
        ({"blocked": True, "p_adjusted": 0.001}, ("cannot_tell", 2)),
        ({"narrow": (-0.9, 0.9)}, ("as_expected", 3)),
        ({"narrow": (-0.9, 0.9), "gate": False}, ("as_expected", 3)),
        ({"narrow": (-0.9, 0.9), "p_adjusted": 0.001}, ("as_expected", 3)),
        ({"narrow": (-1.0, 0.9)}, ("cannot_tell", 6)),
        ({"narrow": (-0.9, 1.0)}, ("cannot_tell", 6)),
        ({"narrow": (math.nextafter(-1.0, 0), math.nextafter(1.0, 0))}, ("as_expected", 3)),
        ({"narrow": (-1.0, 0.9), "p_adjusted": 0.001}, ("better_than_expected", 4)),
        ({"narrow": (-0.9, 1.0), "p_adjusted": 0.001, "b": -0.5}, ("worse_than_expected", 5)),
        ({"p_adjusted": 0.05}, ("better_than_expected", 4)),
        ({"p_adjusted": math.nextafter(0.05, 1)}, ("cannot_tell", 6)),
        ({"p_adjusted": 0.05, "b": -0.5}, ("worse_than_expected", 5)),
        ({"p_adjusted": math.nextafter(0.05, 1), "b": -0.5}, ("cannot_tell", 6)),
        ({"p_adjusted": 0.001, "b": 0.0}, ("cannot_tell", 6)),
        ({"p_adjusted": 0.001, "b": 1e-300}, ("better_than_expected", 4)),
        ({"p_adjusted": 0.001, "b": -1e-300}, ("worse_than_expected", 5)),
        ({"p_adjusted": 0.001, "gate": False}, ("cannot_tell", 6)),
        ({"p_adjusted": 0.001, "b": -0.5, "gate": False}, ("cannot_tell", 6)),
        ({"p_adjusted": None, "p_value": 0.001}, ("cannot_tell", 6)),
        ({"p_adjusted": 0.5, "p_value": 0.001}, ("cannot_tell", 6)),
        ({"p_adjusted": 0.0, "alpha": 0.01}, ("better_than_expected", 4)),
        ({"narrow": (-math.inf, math.inf), "p_adjusted": 0.001}, ("better_than_expected", 4)),
        ({"narrow": (-0.9, 0.9), "sesoi": 0.5}, ("cannot_tell", 6)),
        ({"narrow": (5.0, 9.0), "p_adjusted": 0.5}, ("cannot_tell", 6)),
        ({"narrow": (-9.0, -5.0), "p_adjusted": 0.5}, ("cannot_tell", 6)),
    ],
)
def test_the_first_row_that_matches_decides(changes: dict[str, Any], expected: tuple[str, int]) -> None:
    """Each row, each order of two rows, ties at S (strict) and at a (inclusive), zero, the gate."""
    assert decide(case(**changes)) == expected


@pytest.mark.parametrize("status", ["pass", "fail", "no_test"])
@pytest.mark.parametrize("severity", ["fatal", "serious", "caution"])
def test_which_checks_forbid_a_verdict(severity: Severity, status: Status) -> None:
    """Every severity with every status: fatal fail, fatal no_test and serious fail, and no other."""
    forbids = (severity, status) in {("fatal", "fail"), ("fatal", "no_test"), ("serious", "fail")}
    one = check("false_start", status, severity)
    assert blocked((check("coverage"), one), 3, 5) is forbids
    found = findings(row(checks=changed(one)), not_out("suspended"))["absence"]
    assert (found.verdict, found.rule) == (("cannot_tell", 2) if forbids else ("better_than_expected", 4))
    assert found.failed == (("false_start",) if status == "fail" else ())


@pytest.mark.parametrize(
    ("design", "attrition", "expected"),
    [
        (0, 5, True),
        (1, 5, True),
        (2, 5, False),
        (3, 0, True),
        (3, 1, False),
        (3, None, False),
        (1, None, True),
    ],
)
def test_a_weak_design_or_lost_pupils_forbid_a_verdict(design: int, attrition: int | None, expected: bool) -> None:
    """Design score at most 1 or attrition score 0 forbids; an unknown attrition is not taken for 0."""
    assert blocked((), design, attrition) is expected


def test_a_weak_design_reaches_the_verdict() -> None:
    """No comparison, or most of the unit uncovered: row 2, by judge_all and not only by the predicate."""
    for weak in (row(n_units=1), row(uncovered=0.51)):
        found = findings(weak, not_out("suspended"))["absence"]
        assert (found.verdict, found.rule) == ("cannot_tell", 2)
    assert findings(row(n_units=2), not_out("suspended"))["absence"].rule == 4
    assert findings(row(uncovered=0.5), not_out("suspended"))["absence"].rule == 4


@pytest.mark.parametrize(
    ("narrow", "expected"),
    [
        ((-2.0, 3.0), ()),
        ((-2.0, 0.9), ("gain",)),
        ((-2.0, 1.0), ()),
        ((-0.9, 3.0), ("loss",)),
        ((-1.0, 3.0), ()),
        ((-0.9, 0.9), ("gain", "loss")),
        ((2.0, 3.0), ("loss",)),
        ((-3.0, -2.0), ("gain",)),
    ],
)
def test_what_is_ruled_out(narrow: tuple[float, float], expected: tuple[str, ...]) -> None:
    """Said by rows 3 to 6, strict at S, from CI(1 - 2a); rows 0 to 2 say nothing."""
    for rule in (3, 4, 5, 6):
        assert ruled_out(case(narrow=narrow), rule) == expected
    for rule in (0, 1, 2):
        assert ruled_out(case(narrow=narrow), rule) == ()


def test_ruled_out_reads_the_narrower_interval() -> None:
    """CI(1 - 2a), never CI(1 - a), decides what is ruled out."""
    assert ruled_out(case(narrow=(-0.5, 0.5), wide=(-2.0, 2.0)), 6) == ("gain", "loss")


@pytest.mark.parametrize(
    ("changes", "rule", "expected"),
    [
        ({"p_adjusted": 0.05}, 3, True),
        ({"p_adjusted": 0.051}, 3, False),
        ({"p_adjusted": 0.05, "gate": False}, 3, False),
        ({"p_adjusted": None}, 3, False),
        ({"p_adjusted": 0.05}, 4, False),
        ({"p_adjusted": 0.05}, 2, False),
    ],
)
def test_a_small_difference_is_noticed_only_in_row_3(changes: dict[str, Any], rule: int, expected: bool) -> None:
    """Row 3 needs no gate, but its "noticed" does; p at a counts."""
    assert small_difference_noticed(case(**changes), rule) is expected


@pytest.mark.parametrize(
    ("wide", "rule", "expected"),
    [
        ((1.1, 5.0), 4, True),
        ((1.0, 5.0), 4, False),
        ((1.1, 5.0), 5, False),
        ((1.1, 5.0), 6, False),
        ((1.1, 5.0), 2, False),
        ((-5.0, -1.1), 6, False),
        ((-5.0, -1.1), 2, False),
        ((-5.0, -1.1), 5, True),
        ((-5.0, -1.0), 5, False),
        ((-5.0, -1.1), 4, False),
        ((-5.0, -1.1), 3, False),
        ((0.5, 5.0), 4, False),
        ((-5.0, -0.5), 5, False),
    ],
)
def test_enough_to_matter(wide: tuple[float, float], rule: int, expected: bool) -> None:
    """Rows 4 and 5 only, with the whole of CI(1 - a) strictly beyond S; the narrow interval has no say."""
    assert enough_to_matter(case(wide=wide, narrow=(-9.0, 9.0)), rule) is expected


@pytest.mark.parametrize(
    ("changes", "verdict", "expected"),
    [
        ({}, "cannot_tell", True),
        ({"p_value": math.nextafter(0.01, 1)}, "cannot_tell", False),
        ({"b": 0.1}, "cannot_tell", False),
        ({"b": 0.0}, "cannot_tell", False),
        ({"role": "primary"}, "cannot_tell", False),
        ({"role": "exploratory"}, "cannot_tell", False),
        ({"blocked": True}, "cannot_tell", True),
        ({}, "worse_than_expected", False),
        ({}, "as_expected", False),
    ],
)
def test_a_signal_to_examine(changes: dict[str, Any], verdict: Any, expected: bool) -> None:
    """An adverse secondary outcome with raw p at most .01, whatever the adjusted p, that got no verdict."""
    given_ = {"role": "secondary", "b": -0.1, "p_value": 0.01, "p_adjusted": 1.0, "gate": False} | changes
    assert signal_to_examine(case(**given_), verdict) is expected


def test_of_a_row_that_is_not_out_nothing_more_is_said() -> None:
    """Row 0 carries no flag: nothing is ruled out, noticed, enough to matter, or a signal."""
    said = say(None)
    assert (said.verdict, said.rule, said.ruled_out) == ("not_assessed", 0, ())
    assert not (said.small_difference_noticed or said.enough_to_matter or said.signal_to_examine)


def test_each_row_of_the_table_asks_its_own_question() -> None:
    """Alone, row 5 does not answer for a gain nor row 4 for a loss, and only row 6 always applies."""
    gain, loss, none = (case(p_adjusted=0.001, b=b) for b in (0.5, -0.5, 0.0))
    applies = {rule.number: [rule.when(each) for each in (gain, loss, none)] for rule in RULES}
    assert applies == {
        1: [False] * 3,
        2: [False] * 3,
        3: [False] * 3,
        4: [True, False, False],
        5: [False, True, False],
        6: [True] * 3,
    }


def copied(word: str) -> Any:
    """An equal text that is not the same object, as one read from a file is."""
    return "".join(list(word))


def test_words_are_compared_whole_and_by_what_they_say() -> None:
    """A role or verdict read from a file is as good as the program's own; a word before or after it is not it."""
    assert decide(case(role=copied("exploratory"))) == ("cannot_tell", 1)
    adverse: dict[str, Any] = {"b": -0.1, "p_value": 0.01, "p_adjusted": 1.0, "gate": False}
    assert signal_to_examine(case(role=copied("secondary"), **adverse), copied("cannot_tell"))
    for other in (cast(Any, "a role before"), cast(Any, "the role after")):
        assert decide(case(role=other)) == ("cannot_tell", 6)
        assert not signal_to_examine(case(role=other, **adverse), "cannot_tell")
    assert is_caution(check("x", copied("fail"), copied("caution")))
    assert is_caution(check("x", copied("no_test"), copied("serious")))
    assert threat_score([check("x", copied("fail"), copied("serious"))]) == 1
    assert threat_score([check("x", copied("pass"), copied("fatal"))]) == 0
    assert threat_score([check("x", copied("fail"), copied("fatal"))]) == 2
    made = row(registered=False, source=copied("daily"))
    same = replace(made, source=copied("daily"), method=copied(PLAN.method), post=(*POST[LAST],), base=(*PLAN.base,))
    found = findings(same)["absence"]
    assert found.grade_parts is not None and found.grade_parts.design == 2
    broken = changed(check("false_start", copied("fail"), "caution"))
    alone = judge(estimate(phase=copied("all"), unit=copied("proportion")), broken, PLAN)
    assert (alone.rule, alone.failed) == (4, ("false_start",))


def test_what_goes_in_and_comes_out_cannot_be_changed() -> None:
    """As the rule table's own: frozen, made by name, with no attribute but those listed."""
    found = findings(row())["absence"]
    for made in (row(), found, found.grade_parts):
        name = next(iter(made.__slots__))  # type: ignore[union-attr]
        with pytest.raises(FrozenInstanceError):
            setattr(made, name, None)
        assert not hasattr(made, "__dict__")
        with pytest.raises(TypeError):
            type(made)(*(getattr(made, each) for each in made.__slots__))  # type: ignore[union-attr,arg-type]


def test_what_could_be_mistaken_is_given_by_name() -> None:
    """A year, a mark or a share without its name is refused; a row is not the registered one unless it says so."""
    with pytest.raises(TypeError):
        judge_all((row(),), PLAN, LAST)  # type: ignore[misc]
    with pytest.raises(TypeError):
        judge(estimate(), PASSED, PLAN, LAST)  # type: ignore[misc]
    with pytest.raises(TypeError):
        Candidate.of(estimate(), PASSED, True)  # type: ignore[misc]
    made = estimate()
    names = ("outcome", "phase", "source", "base", "post", "method")
    plain = Candidate(estimate=made, checks=PASSED, **{name: getattr(made, name) for name in names})
    assert findings(plain)["absence"].role == "exploratory"


def test_the_rule_table_cannot_be_changed_from_outside() -> None:
    """A case, a rule and what was said are frozen, hold no other attribute, and are made by name."""
    for made in (case(), RULES[0], say(None)):
        name = next(iter(made.__slots__))
        with pytest.raises(FrozenInstanceError):
            setattr(made, name, None)
        assert not hasattr(made, "__dict__")
        with pytest.raises(TypeError):
            type(made)(*(getattr(made, each) for each in made.__slots__))


# ---------------------------------------------------------------- directions and intervals


def test_directions() -> None:
    """Lower absence and higher belonging are both good news; stored intervals are turned, not negated."""
    rows = (row(), row("belonging"), row("suspended", b=-3.0))
    found = findings(*rows)
    assert found["absence"].verdict == "better_than_expected"
    assert found["absence"].estimate is not None and found["absence"].estimate.value < 0
    assert found["belonging"].verdict == "better_than_expected"
    assert found["belonging"].estimate is not None and found["belonging"].estimate.value > 0
    assert found["suspended"].verdict == "worse_than_expected"


@pytest.mark.parametrize("outcome", ["absence", "belonging"])
def test_each_interval_is_read_at_its_own_level(outcome: str) -> None:
    """CI(1 - 2a) decides row 3 and what is ruled out; CI(1 - a) whether it is enough to matter."""
    size, sign = SIZES[outcome], -1 if BETTER[outcome] == "lower" else 1

    def turned(low: float, high: float) -> tuple[float, float]:
        ends = sorted((sign * low * size, sign * high * size))
        return ends[0], ends[1]

    gain = {"0.97": turned(1.1, 5.0), "0.94": turned(0.9, 5.0), "0.95": turned(-9, 9)}
    base = row("absence")
    others = () if outcome == "absence" else (base,)
    found = findings(row(outcome, intervals=gain), *others)[outcome]
    assert (found.rule, found.enough_to_matter, found.ruled_out) == (4, True, ("loss",))
    small = {"0.97": turned(-0.5, 5.0), "0.94": turned(-0.4, 0.9), "0.95": turned(-9, 9)}
    found = findings(row(outcome, intervals=small), *others)[outcome]
    assert (found.rule, found.small_difference_noticed) == (3, True)
    assert found.ruled_out == ("gain", "loss")
    lopsided = {"0.97": turned(-5, 0.9), "0.94": turned(-5, 0.8), "0.95": turned(-9, 9)}
    found = findings(row(outcome, intervals=lopsided, p=0.9), *others)[outcome]
    assert (found.rule, found.ruled_out) == (6, ("gain",))


def test_level_keys() -> None:
    """1 - 2 x .03 is .9399999 in binary; the key is the rounded text."""
    assert [level_key(1 - k * a) for a in (0.01, 0.03, 0.05) for k in (1, 2)] == [
        "0.99",
        "0.98",
        "0.97",
        "0.94",
        "0.95",
        "0.9",
    ]
    assert level_key(1 - 0.000005) == "0.999995"


@given(
    b=st.sampled_from([-3.0, -1.0, -0.2, 0.0, 0.2, 1.0, 3.0]),
    half=st.sampled_from([0.1, 0.5, 0.8, 1.0, 2.0, 4.0]),
    p=st.sampled_from([0.001, 0.015, 0.03, 0.5]),
)
@settings(max_examples=150, deadline=None)
def test_good_and_bad_news_follow_the_same_rules(b: float, half: float, p: float) -> None:
    """Mirroring every effect turns better into worse, gains into losses, and changes nothing else."""
    mirror = {"better_than_expected": "worse_than_expected", "worse_than_expected": "better_than_expected"}
    swap = {"gain": "loss", "loss": "gain"}
    names = ("absence", "persistent", "belonging")
    plain = findings(*(row(name, b=b, half=half, p=p) for name in names))
    turned = findings(*(row(name, b=-b, half=half, p=p) for name in names))
    for name in names:
        one, other = plain[name], turned[name]
        assert other.verdict == mirror.get(one.verdict, one.verdict)
        assert set(other.ruled_out) == {swap[each] for each in one.ruled_out}
        assert other.gate == one.gate
        assert other.enough_to_matter == one.enough_to_matter
        assert other.small_difference_noticed == one.small_difference_noticed
        assert other.p_adjusted == one.p_adjusted


SOME_CHECKS = st.tuples(
    *(
        st.builds(
            check,
            st.just(name),
            st.sampled_from(["pass", "fail", "no_test"]),
            st.sampled_from(["fatal", "serious", "caution"]),
            value=st.none() if name != "coverage" else st.sampled_from([None, 0.2, 0.6, 0.95]),
        )
        for name in CHECKS
    )
)


@given(
    checks=SOME_CHECKS,
    b=st.sampled_from([-3.0, -0.1, 0.1, 3.0]),
    half=st.sampled_from([0.1, 2.0]),
    p=st.sampled_from([0.001, 0.2]),
)
@settings(max_examples=150, deadline=None)
def test_checks_only_ever_downgrade(checks: tuple[CheckResult, ...], b: float, half: float, p: float) -> None:
    """Against all checks passed, any others give the same verdict or cannot_tell, and no higher grade."""
    others = (row("suspended", p=0.5), row("persistent", b=b))
    best = findings(row(b=b, half=half, p=p), *others)
    given_ = findings(row(b=b, half=half, p=p, checks=checks, uncovered=None), *others)
    for name in best:
        assert given_[name].verdict in (best[name].verdict, "cannot_tell")
        assert given_[name].p_adjusted == best[name].p_adjusted
    grade, best_grade = given_["absence"].grade, best["absence"].grade
    assert grade is None or (best_grade is not None and grade <= best_grade)


def test_always_answering_cannot_tell_fails() -> None:
    """A clear effect gets its verdict, a clear null gets as_expected: silence is not an answer."""
    assert findings(row(b=3), not_out("suspended"))["absence"].verdict == "better_than_expected"
    assert findings(row(b=-3), not_out("suspended"))["absence"].verdict == "worse_than_expected"
    assert findings(row(b=0.1, half=0.5, p=0.8), not_out("suspended"))["absence"].verdict == "as_expected"
    assert judge(estimate(b=3, year=EARLY), PASSED, PLAN).verdict == "better_than_expected"


# ---------------------------------------------------------------- families and looks


def test_holm_by_hand() -> None:
    """.01, .04, .03 of three: .03, .06, .06 (worked by hand); not-out members raise every multiplier."""
    assert holm((0.01, 0.04, 0.03), 3) == pytest.approx((0.03, 0.06, 0.06))
    assert holm((0.01, 0.04, 0.03), 5) == pytest.approx((0.05, 0.12, 0.12))
    assert holm((0.02,), 1) == (0.02,)
    assert holm((0.02,), 2) == (0.04,)
    assert holm((0.02, 0.02), 2) == (0.04, 0.04)
    assert holm((0.7, 0.6), 2) == (1.0, 1.0)
    assert holm((), 2) == ()
    with pytest.raises(ValueError, match="cannot hold 2"):
        holm((0.1, 0.2), 1)


@given(
    p_values=st.lists(st.sampled_from([0.0, 0.001, 0.01, 0.012, 0.03, 0.2, 0.6, 1.0]), min_size=1, max_size=7),
    absent=st.integers(0, 3),
)
@settings(max_examples=40, deadline=None)  # the library takes 45 ms a call
def test_holm_agrees_with_a_library(p_values: list[float], absent: int) -> None:
    """The same adjusted p as statsmodels, with the members not yet out written as p = 1."""
    reference = multipletests([*p_values, *[1.0] * absent], method="holm")[1][: len(p_values)]
    assert holm(p_values, len(p_values) + absent) == pytest.approx(tuple(reference))


def test_primaries_of_a_look_share_one_family() -> None:
    """At the last look m = 2: p .01 and .02 become .02 and .02; with one not out, or no row, m stays 2."""
    both = findings(row(p=0.01), row("suspended", p=0.02))
    assert both["absence"].p_adjusted == pytest.approx(0.02)
    assert both["suspended"].p_adjusted == pytest.approx(0.02)
    assert {each.verdict for each in both.values()} == {"better_than_expected"}
    assert {each.family_size for each in both.values()} == {2}
    for rest in ((not_out("suspended"),), (), (row("suspended", p=0.001, withheld="small numbers"),)):
        alone = findings(row(p=0.02), *rest)["absence"]
        assert alone.p_adjusted == pytest.approx(0.04)
        assert alone.verdict == "cannot_tell"
    assert findings(row(p=0.015), not_out("suspended"))["absence"].verdict == "better_than_expected"


def test_one_primary_in_an_early_look() -> None:
    """Where the look lists one primary its p is not multiplied, and the look's alpha is used."""
    found = findings(row(p=0.01, year=EARLY), row("suspended", year=EARLY), year=EARLY)
    assert (found["absence"].p_adjusted, found["absence"].family_size) == (0.01, 1)
    assert (found["absence"].alpha, found["absence"].verdict) == (0.01, "better_than_expected")
    assert findings(row(p=0.011, year=EARLY), year=EARLY)["absence"].verdict == "cannot_tell"


def test_a_primary_before_its_look_is_not_assessed() -> None:
    """Figures that are out too early are kept for description, with no verdict, no grade and a date."""
    found = findings(row(year=EARLY), row("suspended", year=EARLY), year=EARLY)["suspended"]
    assert (found.verdict, found.rule, found.due) == ("not_assessed", 0, "July 2028")
    assert (found.role, found.p_adjusted, found.family_size, found.grade) == ("primary", None, None, None)
    assert found.estimate is not None and found.suppressed is None and found.ruled_out == ()


@pytest.mark.parametrize(
    ("outcome", "year", "due", "role"),
    [
        ("absence", EARLY, "March 2026", "primary"),
        ("absence", MIDDLE, "March 2027", "primary"),
        ("absence", LAST, "July 2028", "primary"),
        ("suspended", EARLY, "July 2028", "primary"),
        ("suspensions", EARLY, "July 2028", "exploratory"),
        ("suspensions", LAST, "July 2028", "secondary"),
        ("illness", EARLY, "July 2028", "exploratory"),
        ("illness", LAST, "July 2028", "exploratory"),
    ],
)
def test_no_figures_yet(outcome: str, year: str, due: str, role: str) -> None:
    """Row 0 comes before every other, role included, and gives the date of the outcome's look."""
    found = findings(not_out(outcome, year=year), year=year)[outcome]
    assert (found.verdict, found.rule, found.due, found.role) == ("not_assessed", 0, due, role)
    assert (found.estimate, found.grade, found.grade_parts, found.p_adjusted) == (None, None, None, None)
    assert found.layer == "county"


def test_a_finding_that_is_assessed_is_not_due() -> None:
    """`due` belongs to not_assessed alone."""
    found = findings(row(), row("suspended"), row("illness"), row("persistent"))
    assert {each.due for each in found.values()} == {None}


def test_after_the_last_look_nothing_is_tested() -> None:
    """Alpha is spent: primaries and secondaries are described only, and what is not out has no date."""
    late = {
        "post": [EARLY],
        "looks": [{"report_year": EARLY, "alpha": 0.05, "outcomes": ["absence"], "due": "March 2030"}],
    }
    plan = make_plan(**late)
    key: dict[str, Any] = {
        "plan_digest": plan.digest,
        "intervals": {"0.95": (-1.0, -0.5), "0.9": (-0.9, -0.6)},
    }
    rows = [row(name, year=EARLY, **key) for name in ("absence", "persistent")]
    found = findings(*rows, not_out("suspended", year=EARLY), year=MIDDLE, plan=plan)
    assert {found[name].rule for name in ("absence", "persistent")} == {1}
    assert {found[name].role for name in found} == {"exploratory"}
    assert (found["suspended"].verdict, found["suspended"].due) == ("not_assessed", None)
    on_time = findings(*rows, year=EARLY, plan=plan)
    assert on_time["absence"].rule == 4 and on_time["persistent"].rule == 4


def test_a_year_without_a_look() -> None:
    """Between two looks a primary waits for the next one, and alpha is the plan's strictest."""
    looks = [
        {"report_year": EARLY, "alpha": 0.01, "outcomes": ["absence"], "due": "March 2026"},
        {"report_year": LAST, "alpha": 0.03, "outcomes": ["absence"], "due": "July 2028"},
    ]
    plan = make_plan(looks=looks)
    found = findings(row(year=MIDDLE, plan_digest=plan.digest), year=MIDDLE, plan=plan)["absence"]
    assert (found.verdict, found.due, found.alpha, found.family_size) == ("not_assessed", "July 2028", 0.01, None)


def test_only_the_registered_row_has_the_plans_role() -> None:
    """Other methods, sources, years and phases of a primary are description only, however small p is."""
    extras = [
        row(registered=False, method="difference_in_differences", p=0.0001),
        row(registered=False, source="daily", p=0.0001),
        row(registered=False, phase="primary", p=0.0001),
        row(registered=False, subgroup="fsm", p=0.0001),
        row(registered=False, post=(LAST,), p=0.0001),
    ]
    all_found = judge_all([*extras, row(p=0.5, half=4), row("illness")], PLAN, report_year=LAST)
    for found in all_found[:5]:
        assert (found.role, found.verdict, found.rule) == ("exploratory", "cannot_tell", 1)
        assert (found.p_adjusted, found.family_size, found.gate, found.ruled_out) == (None, None, False, ())
        assert found.grade is not None
    assert (all_found[5].role, all_found[5].p_adjusted) == ("primary", 1.0)
    assert (all_found[6].role, all_found[6].rule) == ("exploratory", 1)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "difference_in_differences"},
        {"phase": "special"},
        {"subgroup": "fsm"},
        {"post": (LAST,)},
        {"base": ("2023/24",)},
    ],
)
def test_a_row_cannot_claim_to_be_registered(change: dict[str, Any]) -> None:
    """A row that is not the plan's own is refused when it is marked as the registered one."""
    with pytest.raises(FindingError, match="marked as the registered row") as error:
        findings(row(**change))
    assert next(iter(change)) in str(error.value)


def test_a_finding_has_its_estimates_layer() -> None:
    """A row of another layer keeps that layer's name, and its own id."""
    found = findings(row(registered=False, layer="school"))["absence"]
    assert found.layer == "school" and found.id.startswith("school/absence/census/")


def test_two_registered_rows_are_refused() -> None:
    """One verdict per outcome and report year; and no row twice."""
    with pytest.raises(FindingError, match="registered row of absence"):
        findings(row(), row(source="daily"))
    with pytest.raises(FindingError, match="one row county/absence"):
        findings(row(registered=False), row(registered=False))
    with pytest.raises(FindingError, match=r"one row county/absence/.*; give one \(2 such\)"):
        findings(*[row(name, registered=False) for name in (*PRIMARIES, *PRIMARIES)])


# rows of the primary, the secondary: b and p; expected gate and verdict of the secondary
GATES = [
    (3.0, 0.001, 3.0, True, "better_than_expected"),
    (-3.0, 0.001, -3.0, True, "worse_than_expected"),
    (3.0, 0.001, -3.0, False, "cannot_tell"),
    (-3.0, 0.001, 3.0, False, "cannot_tell"),
    (3.0, 0.5, 3.0, False, "cannot_tell"),
    (-3.0, 0.5, -3.0, False, "cannot_tell"),
    (3.0, 0.001, 0.0, False, "cannot_tell"),
]


@pytest.mark.parametrize(("primary_b", "primary_p", "b", "gate", "verdict"), GATES)
@pytest.mark.parametrize("outcome", ["persistent", "belonging"])
def test_the_gate(outcome: str, primary_b: float, primary_p: float, b: float, gate: bool, verdict: str) -> None:
    """Open only where the domain's primary got a verdict of the same sign, whichever direction is better."""
    found = findings(row(b=primary_b, p=primary_p, half=2), row(outcome, b=b, p=0.001, half=2))[outcome]
    assert (found.gate, found.verdict, found.role) == (gate, verdict, "secondary")
    assert found.signal_to_examine is (b < 0 and not gate)


def test_the_gate_is_of_the_same_domain() -> None:
    """A verdict on absence opens nothing for suspensions; a primary not out or blocked opens nothing."""
    found = findings(row(), row("suspended", p=0.5), row("suspensions"), row("persistent"))
    assert (found["persistent"].gate, found["suspensions"].gate) == (True, False)
    broken = changed(check(status="fail"))
    for primary in (not_out("absence"), row(checks=broken), row(b=0.1, half=0.5), row(withheld="hidden")):
        assert findings(primary, row("persistent"))["persistent"].gate is False
    for b in (3.0, -3.0):
        assert findings(row("persistent", b=b))["persistent"].gate is False


def test_the_gate_hangs_on_the_registered_row_alone() -> None:
    """Another row of the primary, before or after the registered one, neither opens nor shuts it."""
    other, main, second = row(registered=False, source="daily", b=-3), row(), row("persistent")
    for rows in ((other, main, second), (main, other, second)):
        assert judge_all(rows, PLAN, report_year=LAST)[2].gate is True
    assert judge_all((other, second), PLAN, report_year=LAST)[1].gate is False


def test_several_primaries_of_a_domain_must_all_open_the_gate() -> None:
    """Serial gatekeeping: every primary that the look lists for the domain, with one sign."""
    outcomes = [_outcome(name) | {"domain": "attendance"} for name in SIZES]
    plan = make_plan(outcomes=outcomes)
    key: dict[str, Any] = {"plan_digest": plan.digest}

    def gate(*rows: Candidate) -> bool:
        return findings(*rows, row("persistent", **key), plan=plan)["persistent"].gate

    assert gate(row(**key), row("suspended", **key))
    assert not gate(row(**key), row("suspended", b=-3, **key))
    assert not gate(row(**key), row("suspended", p=0.5, **key))
    assert not gate(row(**key))
    assert not gate(row(b=-3, **key), row("suspended", b=-3, **key))


def test_secondaries_share_a_family_by_domain() -> None:
    """Holm among the three secondaries that the plan lists for attendance, out or not; exclusions has one."""
    rows = (row(), row("suspended"), row("persistent", p=0.01), row("belonging", p=0.004))
    found = findings(*rows, row("suspensions", p=0.02))
    assert found["belonging"].p_adjusted == pytest.approx(0.012)
    assert found["persistent"].p_adjusted == pytest.approx(0.02)
    assert (found["suspensions"].p_adjusted, found["suspensions"].family_size) == (0.02, 1)
    assert found["persistent"].family_size == 3
    assert findings(*rows[:3])["persistent"].p_adjusted == pytest.approx(0.03)
    assert findings(*rows[:3])["persistent"].verdict == "better_than_expected"
    assert findings(row(), row("persistent", p=0.0101))["persistent"].verdict == "cannot_tell"


@pytest.mark.parametrize("year", [EARLY, MIDDLE])
def test_secondaries_are_tested_at_the_last_look_only(year: str) -> None:
    """Before it they are exploratory: no adjusted p, no verdict, no signal."""
    found = findings(row(b=-3, year=year), row("persistent", b=-3, year=year), year=year)["persistent"]
    assert (found.role, found.rule, found.p_adjusted, found.gate) == ("exploratory", 1, None, False)
    assert found.signal_to_examine is False


def test_an_adverse_secondary_without_a_verdict_is_a_signal() -> None:
    """Raw p of .01 after a closed gate, or under a failed check, is flagged; good news is not."""
    closed = findings(row(p=0.5), row("persistent", b=-3, p=0.01, half=4))["persistent"]
    assert (closed.verdict, closed.rule, closed.signal_to_examine) == ("cannot_tell", 6, True)
    broken = changed(check(status="fail"))
    stopped = findings(row(b=-3), row("persistent", b=-3, p=0.01, checks=broken))["persistent"]
    assert (stopped.rule, stopped.signal_to_examine) == (2, True)
    assert not findings(row(p=0.5), row("persistent", p=0.01, half=4))["persistent"].signal_to_examine
    assert not findings(row(b=-3), row("persistent", b=-3, p=0.001))["persistent"].signal_to_examine


def test_the_order_of_rows_changes_nothing() -> None:
    """Findings follow the order of the rows, each the same whatever that order is."""
    rows = [row(p=0.01), row("suspended", p=0.02), row("persistent"), row("illness"), not_out("belonging")]
    plain = judge_all(rows, PLAN, report_year=LAST)
    assert [each.outcome for each in plain] == [each.outcome for each in rows]
    assert judge_all(rows[::-1], PLAN, report_year=LAST) == plain[::-1]
    assert judge_all([], PLAN, report_year=LAST) == ()


def test_judging_one_row_is_never_more_generous() -> None:
    """Alone, the rest of the family counts as not out and a secondary's gate is shut."""
    assert judge(estimate(p=0.015), PASSED, PLAN).p_adjusted == pytest.approx(0.03)
    assert judge(estimate(p=0.015), PASSED, PLAN).verdict == "better_than_expected"
    assert judge(estimate(p=0.02), PASSED, PLAN).verdict == "cannot_tell"
    assert judge(estimate("persistent"), PASSED, PLAN).verdict == "cannot_tell"
    assert judge(estimate(registered=False), PASSED, PLAN).rule == 1
    assert judge(estimate(phase="primary"), PASSED, PLAN).rule == 1
    assert judge(estimate(subgroup="fsm"), PASSED, PLAN).rule == 1
    assert judge(estimate(source="daily"), PASSED, PLAN, is_registered_row=False).rule == 1
    with pytest.raises(FindingError, match="marked as the registered row"):
        judge(estimate(phase="primary"), PASSED, PLAN, is_registered_row=True)
    with pytest.raises(FindingError, match=r"post period 2026/27 lies after the report year 2025/26"):
        judge(estimate(year=LAST), PASSED, PLAN, report_year=MIDDLE)
    with pytest.raises(FindingError, match=r"post period 2025/26 lies after the report year 2024/25"):
        judge(estimate(year=LAST), PASSED, PLAN, report_year=EARLY)
    graded = judge(estimate(), PASSED, PLAN, uncovered=0.35, imbalance=0.2)
    assert graded.grade_parts == GradeParts(design=3, precision=3, attrition=2, balance=3, threats=0)


# ---------------------------------------------------------------- refusals


NUMBERS = (
    "value",
    "actual",
    "predicted",
    "std_error",
    "p_value",
    "detectable",
    "detectable_05",
    "detectable_realised_05",
    "power_at_sesoi",
    "type_m",
)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_nan_in_an_estimate_is_an_error(name: str) -> None:
    """No NaN becomes a verdict; the message names the row and the number, whatever the row's role."""
    broken: dict[str, Any] = {"p" if name == "p_value" else name: math.nan}
    for registered in (True, False):
        with pytest.raises(FindingError, match=rf"^absence \(census.*: {name} is NaN"):
            findings(row(registered=registered, **broken))


@pytest.mark.parametrize("name", ["value", "actual", "predicted", "std_error", "p_value"])
def test_an_infinite_number_is_an_error(name: str) -> None:
    """An effect without end is no effect; an interval without end is (nothing is ruled out)."""
    with pytest.raises(FindingError, match="infinite"):
        findings(row(**cast(Any, {"p" if name == "p_value" else name: math.inf})))


def test_an_interval_may_have_no_end() -> None:
    """An unbounded interval rules nothing out and is written as null; an infinite detectable scores 1."""
    ends = dict.fromkeys(("0.97", "0.94", "0.95"), (-math.inf, math.inf))
    found = findings(row(intervals=ends, detectable=math.inf, p=0.5))["absence"]
    assert (found.rule, found.ruled_out) == (6, ())
    assert found.grade_parts is not None and found.grade_parts.precision == 1
    written = record(found)
    assert written["ci"]["0.95"] == [None, None] and written["detectable"] is None
    assert recompute_verdict(written, [written]) == ("cannot_tell", 6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"intervals": {"0.97": (-1.0, math.nan), "0.94": (0.0, 1.0), "0.95": (0.0, 1.0)}},
            "upper end .* is NaN",
        ),
        (
            {"intervals": {"0.97": (math.nan, 1.0), "0.94": (0.0, 1.0), "0.95": (0.0, 1.0)}},
            "lower end .* is NaN",
        ),
        ({"intervals": {"0.94": (0.0, 1.0), "0.95": (0.0, 1.0)}}, r"no interval at level 0\.97"),
        ({"intervals": {"0.97": (0.0, 1.0), "0.95": (0.0, 1.0)}}, r"no interval at level 0\.94"),
        ({"intervals": {"0.97": (0.0, 1.0), "0.94": (0.0, 1.0)}}, r"no interval at level 0\.95"),
        ({"intervals": {}}, "there are none"),
        ({"intervals": {"0.97": (0.0, 1.0), "0.94": (2.0, 1.0), "0.95": (0.0, 1.0)}}, "wrong way round"),
        ({"p": -0.001}, "p_value is not between"),
        ({"p": 1.001}, "p_value is not between"),
        ({"detectable": 0.0}, "detectable must be positive"),
        ({"detectable": -0.001}, "detectable must be positive"),
        ({"unit": "log_ratio"}, "unit is log_ratio"),
        ({"plan_digest": "0" * 64}, "under another plan"),
        ({"plan_digest": "f" * 64}, "under another plan"),
        ({"outcome": "suspended", "unit": "proportion"}, "unit is proportion"),
        ({"uncovered": -0.01}, "uncovered is not between"),
        ({"uncovered": 1.01}, "uncovered is not between"),
        ({"uncovered": math.nan}, "uncovered is NaN"),
        ({"imbalance": math.nan}, "imbalance is NaN"),
        ({"checks": changed(check(value=math.nan))}, "value of check false_start is NaN"),
        ({"checks": changed(check(limit=math.nan))}, "limit of check false_start is NaN"),
        ({"checks": changed(check(power=math.nan))}, "power of check false_start is NaN"),
        ({"checks": (*PASSED, check("invented"))}, f"invented is not in the plan; it lists {', '.join(CHECKS)}"),
        ({"checks": (*PASSED, check())}, "false_start is given 2 times"),
        ({"checks": PASSED[:2]}, "2 of the plan's 4 checks not made: other_events, inference_fits"),
    ],
)
def test_what_allows_no_verdict_is_refused(change: dict[str, Any], message: str) -> None:
    """Missing levels, impossible numbers, unknown, repeated or missing checks: an error that says which."""
    with pytest.raises(FindingError, match=message):
        findings(row(**change))


def test_limits_of_the_possible_are_allowed() -> None:
    """p of 0 and 1, an interval of one point, nothing or everything uncovered are possible."""
    point = dict.fromkeys(("0.97", "0.94", "0.95"), (-0.001, -0.001))
    for change in ({"p": 0.0}, {"p": 1.0}, {"intervals": point}, {"uncovered": 0.0}, {"uncovered": 1.0}):
        assert findings(row(**change))["absence"].verdict != "not_assessed"


def test_an_estimate_must_be_the_rows_own() -> None:
    """An estimate of another outcome, source or period is refused; so is an outcome not planned."""
    for name, value in {"source": "daily", "post": (LAST,), "phase": "special", "method": "x"}.items():
        mixed = replace(row(registered=False), **cast(Any, {name: value}))
        with pytest.raises(FindingError, match=f"of another {name}"):
            findings(mixed)
    with pytest.raises(FindingError, match="of another outcome"):
        findings(replace(row(registered=False), outcome="illness"))
    with pytest.raises(PlanError, match="no outcome 'invented'"):
        findings(replace(row(registered=False), outcome="invented"))


def test_checks_are_asked_of_tested_rows() -> None:
    """A row only described, or not out, needs no checks; a part after a colon names the same check."""
    assert findings(row(registered=False, checks=()))["absence"].rule == 1
    assert findings(row("suspended", year=EARLY, checks=()), year=EARLY)["suspended"].rule == 0
    assert findings(row(withheld="hidden", checks=()))["absence"].rule == 0
    events = [check(f"other_events: {n}", "fail", "caution") for n in ("one", "two", "three")]
    found = findings(row(checks=(PASSED[0], PASSED[1], PASSED[3], *events)))["absence"]
    assert found.failed == ("other_events: one", "other_events: three", "other_events: two")
    assert found.grade_parts is not None and found.grade_parts.threats == 1


# ---------------------------------------------------------------- the grade


@pytest.mark.parametrize(
    ("bands", "floor", "values"),
    [
        (PRECISION, PRECISION_FLOOR, {1.0: 5, 1.01: 4, 1.25: 4, 1.26: 3, 2.0: 3, 2.01: 2, 3.0: 2, 3.01: 1}),
        (
            ATTRITION,
            ATTRITION_FLOOR,
            {
                0.0: 5,
                0.1: 5,
                0.11: 4,
                0.2: 4,
                0.21: 3,
                0.3: 3,
                0.31: 2,
                0.4: 2,
                0.41: 1,
                0.5: 1,
                0.51: 0,
                1.0: 0,
            },
        ),
        (BALANCE, BALANCE_FLOOR, {0.0: 5, 0.05: 5, 0.06: 3, 0.25: 3, 0.26: 1, 9.0: 1}),
    ],
)
def test_the_bands_of_the_grade(bands: Any, floor: int, values: dict[float, int]) -> None:
    """Each limit of the published table, inclusive, and the first value beyond it; unknown stays unknown."""
    assert {value: banded(value, bands, floor) for value in values} == values
    for limit, score in bands:
        assert banded(limit * (1 + 1e-6), bands, floor) < score
        assert banded(limit + 1e-12, bands, floor) == banded(limit + 4e-10, bands, floor) == score
        assert banded(limit + 4e-9, bands, floor) < score
    assert banded(None, bands, floor) is None
    assert banded(1 - 0.7, ATTRITION, ATTRITION_FLOOR) == 3


@pytest.mark.parametrize(
    ("change", "year", "score"),
    [
        ({}, LAST, 3),
        ({}, EARLY, 2),
        ({"source": "daily"}, LAST, 2),
        ({"source": "register"}, LAST, 3),
        ({"base": ("2023/24",)}, LAST, 2),
        ({"base": ("2021/22", "2022/23", "2023/24")}, LAST, 3),
        ({"base": ()}, LAST, 0),
        ({"n_units": 1}, LAST, 1),
        ({"n_units": 2}, LAST, 3),
        ({"n_units": 5, "n_treated": 5}, LAST, 1),
        ({"n_units": 4, "n_treated": 5}, LAST, 1),
        ({"n_units": 1, "base": ()}, LAST, 0),
    ],
)
def test_the_design_part(change: dict[str, Any], year: str, score: int) -> None:
    """Comparison and pre-periods; provisional, retrospective or one pre-period 2; before-after 1; none 0."""
    found = findings(row(registered=False, year=year, **change), year=year)["absence"]
    assert found.grade_parts is not None and found.grade_parts.design == score


def times(count: int, status: Status, severity: Severity, **more: Any) -> list[CheckResult]:
    """That many checks alike."""
    return [check(f"c{n}", status, severity, **more) for n in range(count)]


CAUTION: tuple[Status, Severity] = ("fail", "caution")
SERIOUS: tuple[Status, Severity] = ("fail", "serious")


@pytest.mark.parametrize(
    ("checks", "score"),
    [
        ([], 0),
        (times(9, "pass", "caution") + times(9, "pass", "serious") + times(9, "pass", "fatal"), 0),
        (times(9, "no_test", "caution"), 0),
        (times(2, *CAUTION), 0),
        (times(3, *CAUTION), 1),
        (times(4, *CAUTION), 1),
        (times(5, *CAUTION), 2),
        (times(6, *CAUTION), 2),
        (times(1, *CAUTION, direction=1), 0),
        (times(2, *CAUTION, direction=1), 1),
        (times(2, *CAUTION, direction=-1), 1),
        (times(1, *CAUTION, direction=1) + times(1, *CAUTION, direction=-1), 0),
        (times(2, "pass", "caution", direction=1), 0),
        (times(5, *CAUTION, direction=1), 2),
        (times(2, "no_test", "serious"), 0),
        (times(3, "no_test", "serious"), 1),
        (times(1, "no_test", "serious") + times(2, *CAUTION), 1),
        (times(5, "no_test", "serious"), 2),
        (times(5, "no_test", "caution"), 0),
        (times(1, *SERIOUS), 1),
        (times(2, *SERIOUS), 2),
        (times(3, *SERIOUS), 2),
        (times(1, *SERIOUS) + times(1, *CAUTION), 2),
        (times(1, *SERIOUS) + times(1, "no_test", "serious"), 2),
        (times(1, *SERIOUS) + times(1, "no_test", "caution"), 1),
        (times(1, *SERIOUS, direction=1) + times(1, "pass", "caution", direction=1), 1),
        (times(1, "fail", "fatal"), 2),
        (times(1, "no_test", "fatal"), 2),
    ],
)
def test_the_threats(checks: list[CheckResult], score: int) -> None:
    """Two cautions 0, three, four or two of one direction 1, five 2; serious alone 1, with another 2."""
    assert threat_score(checks) == score


@pytest.mark.parametrize(
    ("parts", "grade"),
    [
        ((3, 5, 5, 5, 0), 3),
        ((3, 2, 5, 5, 0), 2),
        ((3, 5, 1, 5, 0), 1),
        ((3, 5, 5, 1, 0), 1),
        ((3, 5, 5, 5, 1), 2),
        ((3, 5, 5, 5, 2), 1),
        ((3, 1, 5, 5, 2), 0),
        ((3, None, 5, 5, 0), None),
        ((3, 5, None, 5, 0), None),
        ((3, 5, 5, None, 0), None),
        ((0, 5, 5, None, 2), None),
    ],
)
def test_the_grade(parts: tuple[int, int | None, int | None, int | None, int], grade: int | None) -> None:
    """The weakest part less the threats, never under 0; a part that is unknown leaves no grade."""
    names = ("design", "precision", "attrition", "balance", "threats")
    made = GradeParts(**dict(zip(names, parts, strict=True)))  # type: ignore[arg-type]
    assert grade_of(made) == grade
    assert made.missing == tuple(n for n, part in zip(names, parts, strict=True) if part is None)


def test_where_the_parts_come_from() -> None:
    """M over S; uncovered from the caller, else from the coverage check; imbalance of any sign."""
    found = findings(row(detectable=0.0025 * 1.25, uncovered=None, imbalance=-0.2))["absence"]
    assert found.grade_parts == GradeParts(design=3, precision=4, attrition=5, balance=3, threats=0)
    assert found.grade == 3
    mixed = (check("base_year", value=0.1), check("false_start", value=0.2), check(copied("coverage"), value=0.4))
    assert uncovered_share(row(uncovered=None, checks=mixed)) == pytest.approx(0.6)
    covered = changed(check("coverage", value=0.7))
    parts = findings(row(uncovered=None, checks=covered, imbalance=0.3))["absence"].grade_parts
    assert parts is not None and (parts.attrition, parts.balance) == (3, 1)
    parts = findings(row(uncovered=0.45, checks=covered))["absence"].grade_parts
    assert parts is not None and parts.attrition == 1
    parts = findings(row(uncovered=0.0, checks=changed(check("coverage", value=0.1))))["absence"].grade_parts
    assert parts is not None and parts.attrition == 5


def test_a_part_that_is_missing_is_neither_nought_nor_passed() -> None:
    """Nothing detectable, no coverage, no balance: those parts and the grade are None, the verdict stands."""
    unknown = changed(check("coverage", "no_test"))
    found = findings(row(detectable=None, uncovered=None, imbalance=None, checks=unknown))["absence"]
    assert found.grade_parts == GradeParts(design=3, precision=None, attrition=None, balance=None, threats=0)
    assert (found.grade, found.verdict) == (None, "better_than_expected")
    assert found.grade_parts.missing == (
        "precision",
        "attrition",
        "balance",
    )


# ---------------------------------------------------------------- the row of results.json


def test_the_row_has_every_key_in_order() -> None:
    """Every key of the contract, sorted, for a row that is out, before its look, not out, withheld."""
    rows = (row(year=EARLY), row("suspended", year=EARLY), not_out("suspensions", year=EARLY))
    made = [
        *judge_all(rows, PLAN, report_year=EARLY),
        *judge_all((row(withheld="h"),), PLAN, report_year=LAST),
    ]
    for finding in made:
        written = record(finding, truth=0.0)
        assert set(written) == ROW_KEYS
        assert list(written) == sorted(written)
        text = json.dumps(written, allow_nan=False)
        assert json.dumps(written, allow_nan=False, sort_keys=True) == text
        assert "/".join(written[name] for name in ID_PARTS) == written["id"]


def test_what_the_row_says() -> None:
    """Numbers in the row's own direction and unit, checks by name, parts by name."""
    late = check("false_start", "fail", "caution", value=0.2, limit=0.1, power=0.6, direction=1)
    found = findings(row(checks=changed(late)))["absence"]
    written = record(found, truth=-0.005)
    assert written["id"] == (
        "county/absence/census/2022-23+2023-24/2024-25+2025-26+2026-27/all/all/ridge_augmented_synthetic_control"
    )
    assert (written["value"], written["sesoi"], written["truth"]) == (-0.0075, 0.0025, -0.005)
    assert written["ci"] == {key: pytest.approx([-0.01, -0.005]) for key in ("0.94", "0.95", "0.97")}
    assert list(written["ci"]) == ["0.94", "0.95", "0.97"]
    assert written["checks"]["false_start"] == {
        "direction": 1,
        "limit": 0.1,
        "power": 0.6,
        "sentence": "false_start: fail.",
        "severity": "caution",
        "status": "fail",
        "value": 0.2,
    }
    assert list(written["checks"]) == sorted(CHECKS)
    assert written["grade_parts"] == {"attrition": 5, "balance": 5, "design": 3, "precision": 3, "threats": 0}
    expected = {
        "alpha": 0.03,
        "better": "lower",
        "domain": "attendance",
        "due": None,
        "enough_to_matter": True,
        "failed": ["false_start"],
        "family_size": 2,
        "gate": True,
        "grade": 3,
        "inference": "placebo",
        "label": "Absence",
        "n_reference": 147,
        "n_units": 148,
        "p_adjusted": 0.002,
        "p_value": 0.001,
        "power_at_sesoi": 0.4,
        "registered": True,
        "role": "primary",
        "rule": 4,
        "ruled_out": ["loss"],
        "signal_to_examine": False,
        "small_difference_noticed": False,
        "suppressed": None,
        "type_m": 1.8,
        "unit": "proportion",
        "verdict": "better_than_expected",
    }
    assert {name: written[name] for name in expected} == expected


def test_a_row_that_is_not_assessed_tells_no_effect() -> None:
    """Before its look a row shows the level and what the design promised, never the effect or its p."""
    found = findings(row("suspended", year=EARLY), year=EARLY)["suspended"]
    written = record(found)
    for name in (
        "value",
        "p_value",
        "p_adjusted",
        "std_error",
        "predicted",
        "detectable_realised_05",
        "type_m",
    ):
        assert written[name] is None
    assert written["ci"] == {} and written["due"] == "July 2028" and written["grade"] is None
    assert written["actual"] == 0.07 and written["detectable"] == pytest.approx(0.15)
    assert set(written["grade_parts"].values()) == {None}
    empty = record(findings(not_out("suspended", year=EARLY), year=EARLY)["suspended"])
    assert empty["actual"] is None and empty["n_units"] is None and empty["ci"] == {}


def test_a_withheld_row_holds_nothing_of_its_own() -> None:
    """Kept back before or after judging alike: no figure, no check, no gate that tells a sign."""
    before = findings(row(), row("persistent", withheld="fewer than 10 pupils"))["persistent"]
    after = findings(row(), row("persistent"))["persistent"]
    assert after.gate is True
    expected = record(before)
    assert record(after, suppressed="fewer than 10 pupils") == expected
    assert withhold(after, "fewer than 10 pupils") == before
    assert expected["suppressed"] == "fewer than 10 pupils"
    assert (expected["verdict"], expected["rule"], expected["due"]) == ("not_assessed", 0, None)
    assert before.estimate is None and before.checks == () and before.failed == ()
    assert (before.gate, before.grade, before.grade_parts, before.p_adjusted) == (False, None, None, None)
    flagged = replace(after, small_difference_noticed=True, enough_to_matter=True, signal_to_examine=True)
    assert withhold(flagged, "fewer than 10 pupils") == before
    assert not (before.small_difference_noticed or before.enough_to_matter or before.signal_to_examine)
    primary = findings(row(withheld="hidden"))["absence"]
    assert (primary.gate, primary.role) == (True, "primary")
    described = findings(row(registered=False, withheld="hidden"))["absence"]
    assert (described.gate, described.role) == (False, "exploratory")


def test_a_nan_is_never_written() -> None:
    """A truth, or a number changed after judging, that is NaN is refused."""
    found = findings(row())["absence"]
    with pytest.raises(FindingError, match="truth is NaN"):
        record(found, truth=math.nan)
    with pytest.raises(FindingError, match="p_adjusted is NaN"):
        record(replace(found, p_adjusted=math.nan))


# ---------------------------------------------------------------- worked out again from the rows alone


P_VALUES = st.sampled_from([0.0001, 0.0033, 0.005, 0.01, 0.011, 0.015, 0.03, 0.0301, 0.2, 1.0])
EFFECTS = st.sampled_from([-3.0, -1.0, -0.3, 0.0, 0.3, 1.0, 3.0])
HALVES = st.sampled_from([0.05, 0.5, 0.7, 1.0, 2.0, 4.0, math.inf])


@st.composite
def candidates(draw: st.DrawFn, outcome: str, year: str) -> Candidate:
    """A registered row of an outcome in any state: not out, withheld, uncovered, checks of any result."""
    state = draw(st.sampled_from(["out"] * 8 + ["not out", "withheld"]))
    if state == "not out":
        return not_out(outcome, year=year)
    return row(
        outcome,
        year=year,
        b=draw(EFFECTS),
        half=draw(HALVES),
        p=draw(P_VALUES),
        n_units=draw(st.sampled_from([148] * 9 + [1])),
        uncovered=draw(st.sampled_from([0.02, 0.02, 0.02, 0.3, 0.6, None])),
        imbalance=draw(st.sampled_from([0.01, 0.2, None])),
        checks=draw(st.one_of(st.just(PASSED), st.just(PASSED), SOME_CHECKS)),
        withheld="hidden" if state == "withheld" else None,
    )


@st.composite
def studies(draw: st.DrawFn) -> tuple[str, Sequence[Candidate]]:
    """A report year and every outcome's row in it, with some rows of other methods and sources."""
    year = draw(st.sampled_from([EARLY, MIDDLE, LAST, LAST, LAST]))
    rows = [draw(candidates(outcome, year)) for outcome in SIZES]
    rows.append(row(year=year, registered=False, source="daily", b=draw(EFFECTS), p=draw(P_VALUES)))
    rows.append(row("persistent", year=year, registered=False, phase="primary", p=draw(P_VALUES)))
    return year, rows


@given(study=studies())
@settings(max_examples=400, deadline=None)
def test_every_verdict_can_be_recomputed_from_the_rows(study: tuple[str, Sequence[Candidate]]) -> None:
    """Separate code finds each verdict, adjusted p, gate, flag and grade from the written rows alone."""
    year, rows = study
    written = [record(each) for each in judge_all(rows, PLAN, report_year=year)]
    again = json.loads(json.dumps(written, allow_nan=False))
    assert len(again) == len(SIZES) + 2
    for each in again:
        assert recompute_verdict(each, again) == (each["verdict"], each["rule"])
        flags = recompute_flags(each, again)
        assert {name: each[name] for name in flags if name != "p_adjusted"} == {
            name: value for name, value in flags.items() if name != "p_adjusted"
        }
        assert each["p_adjusted"] == (
            None if flags["p_adjusted"] is None else pytest.approx(flags["p_adjusted"], abs=1e-15)
        )


def test_every_rule_is_reached_by_the_recomputation() -> None:
    """The separate code reaches all seven rows of the table: agreement is not agreement about little."""
    rows = (
        row(b=3),
        row("suspended", b=-3),
        row("persistent", b=0.1, half=0.5, p=0.9),
        row("belonging", checks=changed(check(status="fail"))),
        row("unauthorised", b=-0.5, half=4),
        not_out("suspensions"),
        row("illness"),
    )
    written = [record(each) for each in judge_all(rows, PLAN, report_year=LAST)]
    assert [recompute_verdict(each, written)[1] for each in written] == [4, 5, 3, 2, 6, 0, 1]
    assert [each["rule"] for each in written] == [4, 5, 3, 2, 6, 0, 1]
