"""What pages say and show: exact sentences, no minus sign, alt text with numbers, the same bytes twice."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from conftest import REPOSITORY
from hypothesis import given, settings
from hypothesis import strategies as st

from belonging_research import present
from belonging_research.checks.result import CheckResult
from belonging_research.disclosure import (
    Amount,
    Cleared,
    Door,
    Measures,
    Rate,
    clear,
    open_door,
    released_table,
    sealed_display,
)
from belonging_research.errors import DisclosureError
from belonging_research.estimators.result import Estimate, PathPoint
from belonging_research.findings import Candidate, Finding, judge_all, noticing
from belonging_research.plan import Plan, read_plan
from belonging_research.present import dates, doubts, words_checks, words_council
from belonging_research.present.lint import lint, readable
from belonging_research.present.numbers import chance, scale, year, years
from belonging_research.present.story import Story, tell

PLAN = read_plan(REPOSITORY / "notebooks" / "plans" / "dorset_public.toml")
FATAL = {"inference_fits", "series_complete", "calibrated_size"}
CAUTION = {"largest_weight", "contaminated_donors", "other_events"}
YEARS = ("2020/21", "2021/22", "2022/23", "2023/24", "2024/25")


def an_estimate(
    outcome: str = "overall_absence_rate", value: float = 0.0016, half: float = 0.004, **changes: object
) -> Estimate:
    """An estimate whose 95% interval is value +- half; the others are wider or narrower in proportion."""
    unit = PLAN.outcome(outcome).unit
    widths = {"0.94": 0.96, "0.95": 1.0, "0.97": 1.11, "0.98": 1.19, "0.99": 1.31}
    actual = (0.0472, 0.0760, 0.0781, 0.0765, 0.0772)
    levels = zip(YEARS, actual, (0.0470, 0.0757, 0.0779, 0.0768, 0.0756), strict=True)
    path = tuple(
        PathPoint(
            period=p, event_time=i - 4, actual=a, predicted=m,
            low=m - 0.0041 if i == 4 else None, high=m + 0.0041 if i == 4 else None,
        )
        for i, (p, a, m) in enumerate(levels)
    )  # fmt: skip
    made = Estimate(
        outcome=outcome, unit=unit, estimand="effect on the rate since the start", method=PLAN.method,
        layer="county", phase="all", subgroup=None, source="census", base=PLAN.base, post=("2024/25",),
        plan_digest=PLAN.digest, panel_digest="0" * 64, value=value, actual=0.0772, predicted=0.0756,
        std_error=half / 2, p_value=0.3, inference="placebo", n_reference=147, n_treated=1, n_units=148,
        intervals={key: (value - half * w, value + half * w) for key, w in widths.items()},
        n_clusters=None, n_pupils=None, detectable=0.0085 if unit == "proportion" else 0.35,
        detectable_05=0.0045, detectable_realised_05=0.0052, power_at_sesoi=0.16, type_m=2.3,
        detectable_how="shifted placebos", weights={"855": 0.2}, path=path, registered=True,
    )  # fmt: skip
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def some_checks(failed: tuple[str, ...] = ()) -> tuple[CheckResult, ...]:
    """Every check of the plan, those named failed."""
    return tuple(
        CheckResult(
            name=name,
            status="fail" if name in failed else "pass",
            severity="fatal" if name in FATAL else "caution" if name in CAUTION else "serious",
            value=0.1,
            limit=0.2,
            power=None,
            sentence="What was found.",
        )
        for name in PLAN.checks
    )


def a_finding(
    estimate: Estimate | None = None,
    *,
    failed: tuple[str, ...] = (),
    report_year: str = "2024/25",
    **row: object,
) -> Finding:
    """One judged finding; ``row`` replaces fields of the result (verdict, flags)."""
    made = estimate or an_estimate()
    candidate = Candidate.of(made, some_checks(failed), is_registered_row=True, uncovered=0.05, imbalance=0.1)
    finding = judge_all((candidate,), PLAN, report_year=report_year)[0]
    return dataclasses.replace(finding, **row)  # type: ignore[arg-type]


def not_out() -> Finding:
    """Suspensions of 2024/25: no figures yet."""
    row = Candidate(
        outcome="pupils_with_one_or_more_suspensions_rate", estimate=None, checks=(), phase="all",
        source="census", base=PLAN.base, post=("2024/25",), method=PLAN.method, is_registered_row=True,
    )  # fmt: skip
    return judge_all((row,), PLAN, report_year="2024/25")[0]


def a_study() -> tuple[Finding, ...]:
    """A lead finding, one that is not out, and secondary and exploratory ones."""
    others = (
        ("persistent_absence_rate", 0.004, 0.02),
        ("unauthorised_absence_rate", -0.0012, 0.0023),
        ("suspension_rate", -0.06, 0.2),
        ("permanent_exclusion_rate", 0.005, 0.06),
    )
    return (a_finding(), not_out(), *(a_finding(an_estimate(*each)) for each in others))


def some_levels() -> pa.Table:
    """Levels of four groups over five years."""
    groups = {
        "Dorset": (0.0472, 0.0760, 0.0750, 0.0765, 0.0772),
        "Comparison mix": (0.0470, 0.0757, 0.0779, 0.0768, 0.0756),
        "Similar councils": (0.0460, 0.0748, 0.0765, 0.0741, 0.0724),
        "England": (0.0462, 0.0757, 0.0743, 0.0712, 0.0703),
    }
    rows = [(g, "overall_absence_rate", y, v) for g, vs in groups.items() for y, v in zip(YEARS, vs, strict=True)]
    names = ("group", "outcome", "period", "value")
    return pa.table({name: [row[i] for row in rows] for i, name in enumerate(names)})


def checked(**changed: dict[str, object]) -> Finding:
    """A finding whose checks have every status: by name, the fields of a check that differ."""
    finding = a_finding()
    checks = tuple(
        dataclasses.replace(check, **changed.get(check.name, {}))  # type: ignore[arg-type]
        for check in dataclasses.replace(finding).checks
    )
    return dataclasses.replace(finding, checks=checks)


def of_every_status() -> Finding:
    """Passed, failed with and without a number, could not be tested, and nothing to test."""
    return checked(
        base_year={"status": "fail", "value": 0.0041, "limit": 0.0025},
        leave_one_donor={"value": 0.0007, "limit": 0.0025},
        coverage={"value": 0.94, "limit": 0.90},
        false_start={"status": "no_test", "value": 0.39, "limit": 0.05},
        specifications={"status": "no_test", "sentence": "No difference was noticed: nothing to break."},
        other_events={"name": "other_events: A campaign", "status": "fail", "value": None, "limit": None},
        negative_control={"name": "negative_control: religious_observance_absence_rate", "value": 0.02, "limit": 0.05,
                          "status": "fail"},
    )  # fmt: skip


def a_curve(*, sign: int = 1) -> pa.Table:
    """Ways of comparing: two methods on two sources, one without some councils, one base, one penalty more."""
    mix, change = "ridge_augmented_synthetic_control", "difference_in_differences"
    two, three = "2022/23 and 2023/24", "2021/22 and 2022/23 and 2023/24"
    rows = [
        (change, "daily", two, "all", None, "a", -0.0004, 0.005, False),
        (mix, "daily", two, "all", 100.0, "b", 0.0011, 0.004, False),
        (mix, "census", two, "without councils that border it", 100.0, "c", 0.0014, 0.004, False),
        (mix, "census", two, "all", 100.0, "as registered", 0.0016, 0.004, True),
        (change, "census", three, "all", None, "d", 0.0028, 0.005, False),
        (mix, "census", two, "all", 10.0, "e", 0.0031, 0.003, False),
    ]
    names = ("method", "source", "base", "donors", "penalty", "choice", "value")
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    columns["value"] = [sign * row[6] for row in rows]
    columns |= {"low": [sign * row[6] - row[7] for row in rows], "high": [sign * row[6] + row[7] for row in rows]}
    return pa.table({**columns, "p_value": [0.3] * len(rows), "registered": [row[8] for row in rows]})


def what_could_be_noticed(*, times: float = 2.1) -> pa.Table:
    """Two outcomes by phase and look, one of which is not known."""
    rows = []
    for name, phases in (("overall_absence_rate", ("all", "primary")), ("persistent_absence_rate", ("all",)),
                         ("permanent_exclusion_rate", ("all",))):  # fmt: skip
        planned = PLAN.outcome(name)
        for phase in phases:
            for look in PLAN.looks:
                late = look == PLAN.looks[-1]
                found = planned.sesoi * (times + (0 if late else 5 if name.startswith("perm") else 0.7))
                known = None if name.startswith("persistent") else found
                tested = phase == "all" and planned.role != "exploratory" and (late or planned.role == "primary")
                rows.append({
                    "outcome": name, "label": planned.label, "role": planned.role, "unit": planned.unit,
                    "better": planned.better, "phase": phase, "source": "census", "report_year": look.report_year,
                    "alpha": look.alpha, "tested": tested, "sesoi": planned.sesoi, "detectable": known,
                    "detectable_05": known, "power_at_sesoi": 0.16 if known else None, "narrowest": known,
                    "as_expected_possible": False if known else None, "councils": 147, "sentence": "In words.",
                })  # fmt: skip
    return pa.Table.from_pylist(rows)


def a_door(plan: Plan = PLAN) -> Door:
    """A door in memory."""
    return open_door(plan)


def a_story(finding: Finding, levels: pa.Table | None = None) -> Story:
    """The story of a finding on the public plan."""
    return tell(finding, a_door(), levels)


def council_words(finding: Finding) -> str:
    """The council page's text for one finding."""
    return readable(present.describe(clear(finding, a_door()), "council").html)


# --- numbers ---------------------------------------------------------------------------------------------

POINTS = scale("overall_absence_rate", "Overall absence", "proportion", 2)
FINE = scale("suspended_or_excluded_sessions_rate", "Code E", "proportion", 2, 0.00025)
SHARES = scale("x", "Pupils with one or more suspensions", "log_ratio", 2)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (POINTS.level(0.0772), "7.72%"),
        (POINTS.effect(-0.0031), "0.31 points lower"),
        (POINTS.effect(0.0), "no different"),
        (POINTS.effect(0.00001), "less than 0.01 points higher"),
        (POINTS.between(-0.006, -0.00001), "less than 0.01 to 0.60 points lower"),
        (POINTS.gap(0.001651 - 0.001648), "less than 0.01 points higher"),
        (POINTS.gap(0.0), "no difference"),
        (FINE.effect(-0.00018), "0.018 points lower"),
        (FINE.size(0.00025), "0.025 points"),
        (POINTS.limit_effect(-0.0025), "0.25 points lower"),
        (POINTS.limit(0.01), "1 point"),
        (POINTS.between(-0.0031, 0.0063), "0.31 points lower to 0.63 points higher"),
        (POINTS.between(0.001, 0.006), "0.10 to 0.60 points higher"),
        (POINTS.between(-0.006, -0.001), "0.10 to 0.60 points lower"),
        (POINTS.between(-0.006, 0.0), "0.60 points lower to no difference"),
        (POINTS.between(float("-inf"), 0.001), "no limit lower to 0.10 points higher"),
        (POINTS.in_days(0.0025), "about half a day"),
        (POINTS.in_days(-0.0053), "about one day"),
        (POINTS.in_days(0.0001), None),
        (SHARES.effect(-0.10536051565782628), "10% lower"),
        (SHARES.effect(0.10536051565782628), "11.1% higher"),
        (SHARES.in_days(0.1), None),
        (chance(1 / 6), "about 1 in 6"),
        (chance(1 / 21), "about 1 in 20"),
        (chance(0.012), "about 1 in 80"),
        (chance(0.4), "about 4 in 10"),
        (chance(0.62), "about 6 in 10"),
        (chance(0.001), "less than 1 in 100"),
        (chance(0.99), "more than 19 in 20"),
        (year("2024/25"), "2024 to 2025"),
        (years(("2022/23", "2023/24")), "2022 to 2024 (average of two years)"),
    ],
)
def test_numbers_in_words(said: str | None, expected: str | None) -> None:
    """Levels, effects, ranges, chances and years as a reader hears them."""
    assert said == expected


@given(low=st.floats(-0.2, 0.2), width=st.floats(0, 0.2))
def test_no_number_has_a_minus_sign(low: float, width: float) -> None:
    """Whatever the effect and its range, a screen reader that drops minus signs drops nothing."""
    for measure in (POINTS, SHARES):
        text = " ".join((measure.effect(low), measure.between(low, low + width), measure.end(low)))
        assert not re.search(r"[-\u2212]", text)


# --- sentences -------------------------------------------------------------------------------------------

WHERE = "overall absence in Dorset since September 2024"


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (
            a_finding(),
            f"We cannot tell yet whether {WHERE} differed from what its comparison mix predicts.",
        ),
        (
            a_finding(an_estimate(value=0.0060, half=0.004, p_value=0.0068), failed=("base_year", "other_events")),
            f"We cannot tell whether {WHERE} differed from what its comparison mix predicts, because the "
            "best guess moves with the earlier years it is measured from (a doubt: other things happened here "
            "at the same time).",
        ),
        (
            a_finding(failed=("base_year",)),
            f"We cannot tell yet whether {WHERE} differed from what its comparison mix predicts, because chance "
            "alone could make such a difference (a doubt: the best guess moves with the earlier years it is measured "
            "from).",
        ),
        (
            a_finding(an_estimate(value=-0.0002, half=0.001)),
            f"O{WHERE[1:]} was about as expected: any difference from its comparison mix is smaller than "
            "0.25 points, the smallest that was set in the plan as worth having.",
        ),
        (
            a_finding(an_estimate(value=-0.0060, half=0.002, p_value=0.0068)),
            f"O{WHERE[1:]} was better than expected: 0.60 points lower than its comparison mix predicts, and "
            "by enough to matter.",
        ),
        (
            a_finding(an_estimate(value=0.0060, half=0.004, p_value=0.0068), failed=("largest_weight",)),
            f"O{WHERE[1:]} was worse than expected: 0.60 points higher than its comparison mix predicts; "
            "whether by enough to matter (0.25 points) is not settled (a doubt: one council makes up much of "
            "the comparison mix).",
        ),
        (
            not_out(),
            "Figures on the share of pupils with one or more suspensions in 2024 to 2025 are not in those used here; "
            "they are usually out by July 2026. The plan tests it in July 2028.",
        ),
        (
            a_finding(an_estimate("permanent_exclusion_rate", 0.005, 0.06)),
            "The rate of permanent exclusions in Dorset since September 2024 is described only; the plan "
            "gives it no verdict.",
        ),
    ],
)
def test_verdict_sentences(finding: Finding, expected: str) -> None:
    """One exact sentence for each verdict; failed checks are named in it."""
    assert words_council.verdict(a_story(finding)) == expected


def test_what_happened_is_apart_from_the_verdict() -> None:
    """Levels and changes, here and in similar councils, with the change in days of a pupil's year."""
    assert words_council.happened(a_story(a_finding(), some_levels())) == [
        "Overall absence in Dorset rose from 7.58% in 2022 to 2024 (average of two years) to 7.72% in 2024 "
        "to 2025: 0.14 points higher, about a quarter of a day more a pupil a year.",
        "In the comparison mix it fell from 7.74% to 7.56%; in similar councils it fell from 7.53% to 7.24%; "
        "in England it fell from 7.28% to 7.03%.",
    ]


def test_cannot_tell_informs() -> None:
    """Ruled out, possible, the chance of noticing, the exaggeration, the strict early look."""
    story = a_story(a_finding())
    assert words_council.facts(story) == [
        ("Still possible", "0.32 points lower to 0.64 points higher"),
        ("Best guess", "0.16 points higher than expected, about a quarter of a day a pupil a year"),
        ("Worth having", "0.25 points lower or more (set in the plan)"),
    ]
    assert words_council.informs(story) == [
        "By this comparison, anything beyond what is still possible is ruled out. Ranges made this way are meant to "
        "hold the truth 98 times in 100.",
    ]
    assert words_council.how_sure(story) == [
        "This test had about a 1 in 6 chance of noticing an effect worth having (0.25 points lower).",
        "An effect of 0.85 points lower would have been noticed 4 times in 5.",
        "An effect of the size worth having, if noticed here, would on average look 2.3 times as large as it is.",
        "This early look is strict: only an effect beyond the largest miss among 147 comparison councils "
        "counts as noticed.",
    ]
    assert dates.later(story) == [
        "Next look: March 2027, with the figures of 2025 to 2026.",
        "Last look: July 2028, with the figures of 2026 to 2027.",
    ]


ERRORS = tuple(0.1 * (i - 73) / 73 for i in range(147))


def printed_number(words: str) -> float:
    """The first number of a phrase."""
    return float(re.findall(r"\d+\.\d+|\d+", words)[0])


@given(value=st.floats(-0.006, 0.006), half=st.floats(0.001, 0.012), placebos=st.sampled_from(((), ERRORS)))
@settings(max_examples=60, deadline=None)
def test_what_could_be_noticed_never_contradicts_the_range(
    value: float, half: float, placebos: tuple[float, ...]
) -> None:
    """What is noticed 4 times in 5, or looks exaggerated, is at least half the widest range, or is not printed."""
    made = an_estimate(value=value, half=half, placebos=placebos, std_error=13.1 * half)
    finding = a_finding(made)
    said = a_story(finding).said
    low, high = made.intervals["0.99"]
    if "noticed 4 in 5" in said:
        assert printed_number(said["noticed 4 in 5"]) >= 100 * (high - low) / 2 - 0.005
    else:
        assert not placebos
        assert (high - low) / 2 > 0.0085
    assert said["promised 4 in 5"] == "0.85 points lower"
    least = (high - low) / 2 / finding.sesoi
    if "exaggeration" in said:
        assert printed_number(said["exaggeration"]) >= least - 1e-9
    else:
        assert not placebos
        assert least > 2.3
    told = "on average look" in council_words(finding)
    assert told == ("exaggeration" in said)
    if placebos:
        assert finding.estimate is not None
        true = noticing.noticing(finding)
        assert true.effect is not None
        assert true.effect >= 0.0085
        assert true.chance is not None
        assert true.chance <= 0.16


def test_the_promise_stands_until_the_look_and_in_the_annex() -> None:
    """Before its look nothing of the years since is said; after it, the annex prints both."""
    early = a_finding(
        an_estimate("pupils_with_one_or_more_suspensions_rate", -0.1, 0.2, placebos=ERRORS, std_error=0.2)
    )
    assert early.verdict == "not_assessed"
    assert noticing.noticing(early) == noticing.Noticing(effect=0.35, chance=0.16)
    wide = a_finding(an_estimate(half=0.014, placebos=ERRORS, std_error=0.2))
    annex = readable(present.describe(clear(wide, a_door()), "annex").html)
    assert "as promised before outcomes 0.85 points lower" in annex
    assert "Power at S, as promised before outcomes 0.16" in annex
    assert re.search(r"those are wider, in words (less than )?1 in \d+ ", annex)
    assert re.search(r"those are wider 3\.\d\d points lower", annex)


def test_set_in_advance_only_where_nothing_was_known() -> None:
    """A look back says "set in the plan"; a plan that had seen nothing of the year may say "in advance"."""
    unseen = PLAN.model_copy(update={"outcomes_seen": ()})
    made = an_estimate(value=-0.0002, half=0.001)
    row = Candidate.of(dataclasses.replace(made, plan_digest=unseen.digest), some_checks(), is_registered_row=True,
                       uncovered=0.05, imbalance=0.1)  # fmt: skip
    ahead = tell(judge_all((row,), unseen, report_year="2024/25")[0], a_door(unseen))
    back = a_story(a_finding(made))
    for story, said in ((ahead, "set in advance"), (back, "set in the plan")):
        assert dict(words_council.facts(story))["Worth having"].endswith(f"({said})")
        assert said in words_council.verdict(story)
    assert "in advance" not in council_words(a_finding()) + council_words(a_finding(failed=("base_year",)))


def test_what_could_not_be_checked_is_a_doubt() -> None:
    """A serious check without a test stands beside those that failed; known events are named, once."""
    events = tuple(f"other_events: {each.name}" for each in PLAN.events)
    finding = checked(
        false_start={"status": "no_test"},
        specifications={"status": "no_test", "sentence": "No difference was noticed: nothing to break."},
        largest_weight={"status": "fail"},
        negative_control={"status": "no_test", "severity": "caution"},
        other_events={"name": events[0], "status": "fail", "limit": None},
    )
    extra = dataclasses.replace(finding.checks[-1], name=events[2])
    said = words_council.verdict(a_story(dataclasses.replace(finding, checks=(*finding.checks, extra))))
    assert said.endswith(
        "predicts (doubts: one council makes up much of the comparison mix; it could not be checked whether a "
        "difference already showed the year before the start; known events here at the same time: “Families First "
        "Pathfinder, wave 1” and “'In This Together' attendance campaign”)."
    )


def test_a_column_of_ranges_has_room() -> None:
    """A range is nine words: in the narrowest column it would stand on five lines."""
    sheet = present.tabulate(clear(a_study(), a_door()))
    assert '<th scope="col" class="range">Range (95%)</th>' in sheet.html
    css = Path(present.__file__).parent.parent / "reports" / "templates" / "page.css"
    assert "th.range { min-width: 13rem; }" in css.read_text("utf-8")


def test_reasons_are_in_readers_words() -> None:
    """A page names no column, no method of the trade, and advises no reader to add a file."""
    fault = (
        "ridge augmented synthetic control, 2024/25: severe_absence_rate (daily, primary): Dorset has no figure for "
        "2022/23, 2024/25. Add that year's file, or ask for years that are out."
    )
    way = "neighbours difference in differences, census, base from 2021/22"
    table = pa.table({"choice": [way], "reason": [fault]})
    sheet = present.tabulate(clear(table, a_door(), name="ways"), formats={"choice": "reason", "reason": "reason"})
    assert sheet.table.to_pylist() == [
        {
            "choice": "change, similar councils, yearly figures, years before from 2021 to 2022",
            "reason": "corrected mix, 2024 to 2025: Severe absence (daily figures, primary schools): Dorset has no "
            "figure for 2022 to 2023, 2024 to 2025.",
        }
    ]


def test_what_is_ruled_out_names_its_range_and_the_other_ways() -> None:
    """A gain is ruled out by one range of one way of comparing: the page says which, and where the others stand."""
    ruled = a_finding(an_estimate(value=0.005, half=0.005))
    assert ruled.ruled_out == ("gain",)
    text = council_words(ruled)
    assert (
        "By this comparison, a gain that matters (0.25 points lower or more) is ruled out, by its 98% range. Other "
        "ways of comparing may leave it possible: “How well does the answer hold?” shows them side by side."
    ) in text
    other = a_finding(an_estimate("persistent_absence_rate", 0.05, 0.02), ruled_out=("gain",))
    assert "Other ways of comparing" not in council_words(other)
    table = present.plot(clear(ruled, a_door()), "interval").table.table.to_pylist()
    assert [row["what"] for row in table if row["what"].startswith("Range")] == [
        "Range, 95% (the usual one)",
        "Range, 98% (what is beyond it can be ruled out)",
        "Range, 99% (a difference is noticed only where it leaves out “as expected”)",
    ]


def test_how_often_this_method_is_wrong_is_told_of_the_worst_window_too() -> None:
    """Noticed beside meant, said after the checks, and the window across the pandemic, as the record has them."""
    row = {"noticed": 0.0204, "said_better": 0.0, "said_worse": 0.0, "cannot_tell": 1.0, "coverage": 0.932}
    row |= {"n_worlds": 147, "planted_noticed": 1.0, "planted_said_better": 0.0952}
    worst = {"worst_better_without_size": 0.0338, "worst_worse_without_size": 0.0608, "worst_coverage": 0.8919}
    worst["worst_noticed"] = 0.1081
    both = pa.Table.from_pylist([row | worst | {"worst_world": "2023/24 by 2018/19"}])
    text = council_words(checked(calibrated_size={"table": both}))
    assert (
        "On real councils, ranges meant to hold it 95 times in 100 did so 93 times in 100, and 89 times in another "
        "window, across the pandemic."
    ) in text
    assert (
        "Of 100 other councils, where no change is assumed, this look’s test noticed a difference in 2 (1 is meant). "
        "With the false alarms that all looks are allowed (5 in 100), and after its checks, the method said better for "
        "0, worse for 0 and can’t tell for 100. In another window, across the pandemic, 11 were noticed; but for the "
        "check of such false alarms it would have said better for 3 and worse for 6. "
        "With a gain planted in their figures, twice as large as can be noticed 4 times in 5, the test noticed 100 and "
        "the method said better for 10: in the others a check of their figures forbade an answer."
    ) in text
    near = pa.Table.from_pylist([row | worst | {"worst_world": "2018/19 by 2017/18"}])
    assert "In another window (2018 to 2019 by 2017 to 2018), 11 were noticed" in council_words(
        checked(calibrated_size={"table": near})
    )
    unknown = ("worst_world", *worst, "planted_noticed", "planted_said_better")
    none = pa.Table.from_pylist([row | dict.fromkeys(unknown)])
    text = council_words(checked(calibrated_size={"table": none}))
    assert "planted" not in text
    assert "did so 93 times in 100." in text
    assert "another window" not in text
    assert "On real councils" not in council_words(a_finding())
    # Where this look's own false alarms forbid every answer, a planted gain would not be called better either.
    forbidden = council_words(checked(calibrated_size={"table": both, "status": "fail"}))
    assert "planted" not in forbidden and "across the pandemic" in forbidden


NOTICED = an_estimate(value=0.0060, half=0.004, p_value=0.0068)


@pytest.mark.parametrize(
    ("finding", "title"),
    [
        (a_finding(), "Can’t tell yet: overall absence in Dorset, best guess 0.16 points higher than expected"),
        (
            a_finding(NOTICED, failed=("leave_one_region",)),
            "Can’t tell, because the best guess hangs on one region: overall absence in Dorset, best guess 0.60 points "
            "higher than expected",
        ),
        (
            a_finding(NOTICED, failed=("leave_one_region", "base_year")),
            "Can’t tell, because of 2 checks: overall absence in Dorset, best guess 0.60 points higher than expected",
        ),
        (
            a_finding(failed=("leave_one_region", "base_year")),
            "Can’t tell yet: overall absence in Dorset, best guess 0.16 points higher than expected",
        ),
        (
            a_finding(an_estimate("permanent_exclusion_rate", 0.005, 0.06)),
            "Described only: the rate of permanent exclusions in Dorset, best guess 0.01 per 100 pupils higher than "
            "expected",
        ),
        (not_out(), "The share of pupils with one or more suspensions in Dorset: not assessed yet, due July 2028"),
    ],
)
def test_titles_follow_the_rule(finding: Finding, title: str) -> None:
    """A guess that may be chance never leads; a failed check is the reason given only where it decides."""
    assert words_council.headline(a_story(finding)) == title


def test_yet_only_where_more_is_to_come() -> None:
    """After the last look the answer is "can't tell", not "can't tell yet", in title, verdict and table."""
    made = an_estimate(post=("2024/25", "2025/26", "2026/27"))
    last = a_finding(made, report_year="2026/27")
    assert last.rule == 6
    assert "yet" not in council_words(last)
    assert words_council.headline(a_story(last)).startswith("Can’t tell: ")
    assert present.tabulate(clear(last, a_door())).table.column("verdict").to_pylist() == ["Can’t tell"]
    daily = a_finding(dataclasses.replace(made, source="daily"), report_year="2026/27")
    assert words_council.headline(a_story(daily)).startswith("Can’t tell yet: ")


def test_small_chances_and_several_untested_checks_read_as_english() -> None:
    """An article where one belongs, and one "could not be checked" for all."""
    unlikely = council_words(a_finding(an_estimate(power_at_sesoi=0.004)))
    assert "This test was no likelier to notice an effect worth having" in unlikely
    assert "than to raise a false alarm." in unlikely
    assert "1 in 100 chance" not in unlikely
    untested = checked(false_start={"status": "no_test"}, sources_agree={"status": "no_test"})
    assert words_council.verdict(a_story(untested)).endswith(
        "(a doubt: it could not be checked whether a difference already showed the year before the start or whether "
        "the yearly and the daily figures disagree)."
    )


def test_several_years_since_the_start_are_told_apart() -> None:
    """The label at the last point is of that year alone, so it does not contradict the guess in the title."""
    made = an_estimate()
    early = dataclasses.replace(made.path[3], event_time=0)
    several = dataclasses.replace(made, path=(*made.path[:3], early, dataclasses.replace(made.path[4], event_time=1)))
    for estimate, said in ((made, False), (several, True)):
        picture = present.plot(clear(a_finding(estimate), a_door()), "twin")
        assert ("last year" in svg_text(picture)) == said


def test_the_next_news_after_daily_figures_are_the_yearly_ones() -> None:
    """The yearly figures of the same year come before the plan's next look."""
    daily = a_finding(an_estimate(source="daily", post=("2024/25", "2025/26")), report_year="2025/26")
    assert dates.later(a_story(daily)) == [
        "Next: the yearly figures of 2025 to 2026, usually out by March 2027, will check these daily ones.",
        "Last look: July 2028, with the figures of 2026 to 2027.",
    ]


def test_years_before_are_told_where_the_year_is_not_in_the_figures() -> None:
    """What the files have is shown; what they lack is said, with the month in which it is usually out."""
    outcome = "pupils_with_one_or_more_suspensions_rate"
    rows = [(g, outcome, y, v) for g, v in (("Dorset", 0.031), ("Similar councils", 0.042)) for y in PLAN.base]
    levels = pa.table({n: [row[i] for row in rows] for i, n in enumerate(("group", "outcome", "period", "value"))})
    door = a_door()
    assert words_council.happened(a_story(not_out(), levels)) == [
        "The share of pupils with one or more suspensions in Dorset: 3.10% in 2022 to 2024 (average of two years); in "
        "similar councils 4.20%.",
        "Figures on the share of pupils with one or more suspensions in 2024 to 2025 are not in those used here; they "
        "are usually out by July 2026.",
    ]
    row = present.tabulate(clear(not_out(), door), levels=clear(levels, door)).table.to_pylist()[0]
    assert (row["before"], row["since"]) == ("3.10%", "not in the files read here")


def test_years_that_have_figures_are_told_where_another_has_none() -> None:
    """A year that is out is never called missing because a later one is not: every group, in table and words."""
    outcome, post = "pupils_with_one_or_more_suspensions_rate", ("2024/25", "2025/26")
    of = dataclasses.replace(not_out(), post=post)
    places = (("Dorset", 0.027, 0.0314), ("England", 0.022, 0.024))

    def levels(*seen: str) -> pa.Table:
        rows = [(g, outcome, y, since if y in post else before) for g, before, since in places for y in seen]
        return pa.table({n: [r[i] for r in rows] for i, n in enumerate(("group", "outcome", "period", "value"))})

    door = a_door()

    def cells(table: pa.Table) -> tuple[str, str]:
        row = present.tabulate(clear(of, door), levels=clear(table, door)).table.to_pylist()[0]
        return row["before"], row["since"]

    first = levels(*PLAN.base, "2024/25")
    assert cells(first) == ("2.70%", "3.14% in 2024 to 2025; 2025 to 2026 not in the files read here")
    told = words_council.happened(a_story(of, first))
    assert told[0].endswith(
        " The share of pupils with one or more suspensions in Dorset: 3.14% in 2024 to 2025; in England 2.40%."
    )
    assert "in 2025 to 2026 are not in those used here; they are usually out by" in told[1]
    assert "3.14%" in present.describe(clear((a_finding(), of), door), "council", levels=clear(first, door)).html
    last = levels("2023/24", "2025/26")
    assert cells(last) == (
        "2.70% in 2023 to 2024; 2022 to 2023 not in the files read here",
        "3.14% in 2025 to 2026; 2024 to 2025 not in the files read here",
    )
    assert words_council.happened(a_story(of, last))[1].endswith(
        "in 2024 to 2025 are not in those used here; they are usually out by July 2026."
    )
    assert cells(levels(*PLAN.base)) == ("2.70%", "not in the files read here")


def test_what_is_only_described_has_no_date() -> None:
    """An exploratory outcome without figures is described only; a second one has its date at the last look."""

    def of(name: str) -> Finding:
        row = dataclasses.replace(
            Candidate(outcome=name, estimate=None, checks=(), phase="all", source="census", base=PLAN.base,
                      post=("2024/25",), method=PLAN.method, is_registered_row=True))  # fmt: skip
        return judge_all((row,), PLAN, report_year="2024/25")[0]

    door = a_door()
    shown = present.tabulate(clear((of("permanent_exclusion_rate"), of("suspension_rate")), door)).table
    assert shown.column("verdict").to_pylist() == ["Described only", "Not assessed yet, due July 2028"]
    assert "the plan gives it no verdict" in words_council.verdict(a_story(of("permanent_exclusion_rate"))).lower()
    second = a_finding(an_estimate("persistent_absence_rate", 0.004, 0.02))
    assert "is described only; the plan tests it in July 2028." in words_council.verdict(a_story(second))


def test_no_other_group_stands_for_the_place() -> None:
    """Where the place itself has no figures, no sentence gives it those of others."""
    elsewhere = some_levels().filter(pa.array([g != "Dorset" for g in some_levels().column("group").to_pylist()]))
    assert words_council.happened(a_story(a_finding(), elsewhere)) == [
        "Figures on overall absence in 2024 to 2025 are not in those used here; they are usually out by March 2026."
    ]


def test_words_are_defined_once() -> None:
    """The page says what the mix and similar councils are, and calls them nothing else."""
    door = a_door()
    page = readable(present.describe(clear(a_study(), door), "council", levels=clear(some_levels(), door)).html)
    assert page.count("Comparison mix: a weighted average of other councils") == 1
    assert page.count("Similar councils: the average of") == 1
    assert "similar places" not in page


def test_exaggeration_only_where_power_is_low() -> None:
    """Type M is printed where power at the smallest effect is under a half, and not elsewhere."""
    strong = a_finding(an_estimate(half=0.0015, power_at_sesoi=0.8, type_m=1.1))
    assert "times as large as it is" not in council_words(strong)
    assert "times as large as it is" in council_words(a_finding())


def test_a_range_without_zero_explains_itself() -> None:
    """Where the range leaves out no difference but the rule asks for more, the page says so."""
    close = a_finding(an_estimate(value=0.006, half=0.0045, p_value=0.0134))
    assert close.verdict == "cannot_tell"
    assert "nothing is claimed" in council_words(close)


def test_before_its_look_no_effect_is_shown() -> None:
    """Figures out before their look are described; no effect, range or comparison is in words or picture."""
    early = a_finding(an_estimate("pupils_with_one_or_more_suspensions_rate", -0.1, 0.2))
    assert early.verdict == "not_assessed"
    cleared = clear(early, a_door())
    text = present.describe(cleared, "council")
    picture = present.plot(cleared, "twin")
    assert "7.72%" in text.html
    for shown in (text.html, picture.svg, picture.alt, picture.table.html):
        assert "omparison mix" not in shown
        assert "9.5%" not in shown
    with pytest.raises(DisclosureError, match="assessed"):
        present.plot(cleared, "interval")


def test_withheld_says_why_and_nothing_else() -> None:
    """A withheld finding prints no number of its own."""
    plan = PLAN.model_copy(update={"policy": "council"})
    few = dataclasses.replace(an_estimate(n_pupils=8), plan_digest=plan.digest)
    row = Candidate.of(few, some_checks(), is_registered_row=True, uncovered=0.05, imbalance=0.1)
    finding = judge_all((row,), plan, report_year="2024/25")[0]
    text = readable(present.describe(clear(finding, a_door(plan)), "council").html)
    assert "withheld, so that no child can be recognised" in text
    assert "0.16" not in text


@given(
    value=st.floats(-0.012, 0.012),
    half=st.floats(0.0005, 0.012),
    p_value=st.sampled_from((0.0068, 0.0134, 0.3)),
    failed=st.lists(st.sampled_from(PLAN.checks), max_size=3, unique=True),
)
@settings(max_examples=120, deadline=None)
def test_every_page_says_only_what_holds(value: float, half: float, p_value: float, failed: list[str]) -> None:
    """For any estimate: clean words, and what is ruled out is what the rules say."""
    finding = a_finding(an_estimate(value=value, half=half, p_value=p_value), failed=tuple(failed))
    text = council_words(finding)
    assert lint(text, "council") == ()
    assert ("By this comparison, a gain that matters" in text) == ("gain" in finding.ruled_out)
    assert ("By this comparison, a loss that matters" in text) == ("loss" in finding.ruled_out)
    assert not re.search(r"\bA (gain|loss) that matters \([^)]*\) is ruled out", text)
    assert ("better than expected" in text) == (finding.verdict == "better_than_expected")
    assert ("worse than expected" in text) == (finding.verdict == "worse_than_expected")
    assert ("by enough to matter." in text or ", and by enough to matter" in text) == finding.enough_to_matter
    assert ("A small difference was noticed" in text) == finding.small_difference_noticed
    if finding.rule == 2:
        assert "is ruled out" not in text
    for name in failed:
        assert doubts.CHECKS[name] in text
    assert "grade" not in text.lower()


def test_every_number_of_a_text_is_in_its_table() -> None:
    """Each number printed for the council is, as printed, in the table that the ledger keeps beside it."""
    text = present.describe(clear(a_study(), a_door()), "council", levels=None)
    printed = " | ".join(text.quoted.column("printed").to_pylist())
    fixed = {"4", "5", "100", "25", "1"}  # "4 times in 5", "98 times in 100"
    words = readable(re.sub(r"<svg.*?</svg>", "", text.html, flags=re.S))
    words = re.sub(r"\b(March|July|September) 20\d\d\b", "", words)
    words = re.sub(r"\b20\d\d to 20\d\d\b", "", words)
    numbers = set(re.findall(r"\d+(?:\.\d+)?", words))
    assert numbers
    assert {n for n in numbers - fixed if n not in printed} == set()


def test_first_screen_of_the_council_page() -> None:
    """Two questions apart, when we'll know, what is not out; no grade; nothing lint would stop."""
    door = a_door()
    page = present.describe(clear(a_study(), door), "council", levels=clear(some_levels(), door)).html
    heads = re.findall(r"<dt>(.*?)</dt>", page)
    assert heads == [
        "What happened",
        "Was it more than elsewhere?",
        "Words used here",
        "When we’ll know more",
        "For whom",
        "Pupils with one or more suspensions",
    ]
    assert lint(page, "council") == ()
    assert "<script" not in page
    assert 'role="img"' in page


def test_annex_names_every_check_and_the_grade() -> None:
    """The annex prints each check, p, both intervals' levels, the grade with its parts."""
    page = readable(present.describe(clear(a_study(), a_door()), "annex").html)
    for name in PLAN.checks:
        assert name in page
    for part in ("Interval, 98%", "p, adjusted (Holm, m = 1)", "in the spirit of the EEF's", "Retrospective"):
        assert part in page
    assert lint(page, "annex") == ()


def test_an_audience_without_wording_is_an_error() -> None:
    """A misspelt audience is refused, and the message lists those there are."""
    with pytest.raises(DisclosureError, match="there is council, annex"):
        present.describe(clear(a_finding(), a_door()), "councl")


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("The strategy reduced absence.", True),
        ("Absence was -0.3 points.", True),
        ("Absence was \u22120.3 points.", True),
        ("The range is 0.2-0.5.", True),
        ("In 2024-25 it fell.", True),
        ("We could only have seen 0.8.", True),
        ("Two exclusions.", True),
        ("Two permanent exclusions.", False),
        ("A placebo test with donors.", True),
        ("Many sessions.", True),
        ("There was no effect.", True),
        ("More children lost to home education.", True),
        ("Home education rose, which is a worsening concern.", True),
        ("Home education: 610 to 655 children. A choice equal to school.", False),
        ("0.3 points lower, 0.2 to 0.5, 2024 to 2025.", False),
    ],
)
def test_lint_finds_what_no_page_may_say(text: str, bad: bool) -> None:
    """Cause, minus signs, jargon, exclusion for suspension, and home education beside adverse words."""
    assert bool(lint(f"<p>{text}</p>", "council")) == bad


# --- pictures and tables ---------------------------------------------------------------------------------


def pictures(door: Door) -> dict[str, present.Picture]:
    """One picture of every kind."""
    lead = clear(a_finding(), door)
    return {
        "twin": present.plot(lead, "twin"),
        "interval": present.plot(lead, "interval"),
        "multiples": present.plot(clear(some_levels(), door, name="levels"), "multiples"),
        "outcomes": present.plot(clear(a_study(), door), "outcomes"),
        "checks": present.plot(clear(of_every_status(), door), "checks"),
        "failed": present.plot(clear(of_every_status(), door), "failed"),
        "specifications": present.plot(
            clear(a_curve(), door, name="curve"), "specifications", outcome="overall_absence_rate"
        ),
        "detectable": present.plot(clear(what_could_be_noticed(), door, name="noticed"), "detectable"),
    }


def test_every_picture_has_an_alternative_and_a_table() -> None:
    """Alt text with the picture's numbers and no minus sign; a captioned table with scoped heads."""
    door = a_door()
    for kind, picture in pictures(door).items():
        assert len(re.findall(r"\d+\.\d\d", picture.alt)) >= 2, kind
        assert lint(picture.alt, "council") == ()
        assert lint(picture.svg, "council") == ()
        assert picture.table.table.num_rows >= (2 if kind == "failed" else 3)
        assert "<caption>" in picture.table.html
        assert not re.search(r"<th\b[^>]*>\s*</th>", picture.table.html)
        assert all('scope="' in head for head in re.findall(r"<th\b[^>]*>", picture.table.html))
        numbers = set(re.findall(r"\d+\.\d\d", picture.alt))
        cells = " ".join(cell for row in picture.table.table.to_pylist() for cell in row.values())
        assert {n for n in numbers if n not in cells} == set(), kind


def test_an_outcome_without_figures_has_its_place_on_the_page() -> None:
    """Neither twin nor multiples stop a notebook where a series is missing: they say so, sealed as any picture."""
    door = a_door()
    levels = clear(some_levels(), door, name="levels")
    for picture in (
        present.plot(clear(not_out(), door), "twin"),
        present.plot(levels, "multiples", outcome="permanent_exclusion_rate"),
    ):
        assert picture.title.endswith(": no figures to show")
        assert "not among the files that were read" in picture.alt
        assert picture.table.table.to_pylist() == [{"figures": "none"}]
        assert sealed_display(picture.svg, door.entries) is not None


def test_bundles_carry_their_seal() -> None:
    """Jupyter gets one form, and metadata with which a page finds the seal, alt text and table."""
    door = a_door()
    for picture in pictures(door).values():
        data, metadata = picture._repr_mimebundle_()
        assert list(data) == ["image/svg+xml"]
        mark = metadata["belonging"]
        entry = sealed_display(data["image/svg+xml"], door.entries)
        assert entry is not None
        assert (mark["entry"], mark["kind"], mark["alt"]) == (entry.entry, "picture", picture.alt)
        assert entry.payload["alt"] == picture.alt
        under = sealed_display(mark["table"]["html"], door.entries)
        assert under is not None
        assert released_table(under).equals(picture.table.table)
        json.dumps(metadata)


def test_pictures_are_the_same_bytes_twice() -> None:
    """SVG has no date, no random id; PNG neither."""
    first, second = pictures(a_door()), pictures(a_door())
    for kind, picture in first.items():
        assert picture.svg == second[kind].svg
        assert picture.png(80) == second[kind].png(80)


def test_bytes_are_the_same_in_another_process(tmp_path: Path) -> None:
    """A fresh interpreter with another hash seed draws and writes the same bytes."""
    code = (
        "import sys, hashlib; sys.path[:0] = [{!r}, {!r}]\n"
        "import test_present as t\n"
        "door = t.a_door(); p = t.pictures(door)\n"
        "drawn = ''.join(x.svg for x in p.values())\n"
        "print(hashlib.sha256(drawn.encode()).hexdigest(), door.entries[-1].entry)"
    ).format(str(REPOSITORY), str(REPOSITORY / "tests"))
    runs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PATH": ""}, capture_output=True,
            text=True, check=True, cwd=tmp_path,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(runs) == 1


def test_draft_and_simulated_are_inside_the_picture() -> None:
    """The stamp is text of the SVG itself; only a final run of real data has none."""
    simulated = PLAN.model_copy(update={"simulated": True})
    finding = a_finding(dataclasses.replace(an_estimate(), plan_digest=PLAN.digest))
    remade = dataclasses.replace(an_estimate(), plan_digest=simulated.digest)
    draft = present.plot(clear(finding, open_door(PLAN)), "interval").svg
    made_up = present.plot(clear(remade, open_door(simulated)), "twin").svg
    final = present.plot(clear(finding, open_door(PLAN, draft=False)), "interval").svg
    assert ">DRAFT<" in draft
    assert ">SIMULATED · DRAFT<" in made_up
    assert "DRAFT" not in final
    assert "DRAFT" in present.describe(clear(finding, open_door(PLAN)), "council").html


def test_svg_stands_alone() -> None:
    """Well-formed, with title and description, no outside address, ids that two pictures do not share."""
    seen: set[str] = set()
    for picture in pictures(a_door()).values():
        root = ElementTree.fromstring(picture.svg)
        assert root.tag.endswith("svg")
        assert root[0].tag.endswith("title")
        addresses = set(re.findall(r"https?://[^\s\"']+", picture.svg))
        assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
        ids = set(re.findall(r'\bid="([^"]+)"', picture.svg))
        assert ids & seen == set()
        seen |= ids
        links = re.findall(r'(?:href="#|url\(#)([^")]+)', picture.svg)
        assert set(links) <= ids
        assert len(picture.svg) < 60_000


def test_table_of_all_outcomes() -> None:
    """One row an outcome: levels, verdict, best guess, range, what matters, what could be noticed."""
    sheet = present.tabulate(clear(a_study(), a_door()))
    rows = sheet.table.to_pylist()
    assert rows[0] == {
        "outcome": "Overall absence",
        "before": "7.73%",
        "since": "7.72%",
        "verdict": "Can’t tell yet",
        "best_guess": "0.16 points higher",
        "range": "0.24 points lower to 0.56 points higher",
        "smallest": "0.25 points lower",
        "noticed": "0.85 points lower",
        "status": "yearly",
    }
    assert rows[1]["verdict"] == "Not assessed yet, due July 2028"
    assert rows[1]["best_guess"] == "not assessed"
    assert lint(sheet.html, "council") == ()
    assert "grade" not in sheet.html.lower()


def test_provisional_figures_say_so() -> None:
    """Daily figures are marked provisional in the sentence and in the table."""
    daily = clear(a_finding(an_estimate(source="daily")), a_door())
    assert "provisional" in present.describe(daily, "council").html
    assert present.tabulate(daily).table.column("status").to_pylist() == ["provisional (daily returns)"]


def test_any_cleared_table_can_be_shown() -> None:
    """Headings choose and order columns; formats say shares, counts and points in words."""
    table = pa.table({
        "name": ["Dorset"], "rate": [0.0772], "n": pa.array([1234], pa.int64()), "gap": [-0.003], "x": [None],
    })  # fmt: skip
    sheet = present.tabulate(
        clear(table, a_door()),
        title="Levels",
        headings={"name": "Council", "gap": "Gap", "rate": "Absence", "n": "Pupils"},
        formats={"rate": "percent", "n": "count", "gap": "points"},
    )
    assert [*sheet.table.to_pylist()[0].values()] == ["Dorset", "0.30 points lower", "7.72%", "1,234"]
    assert sheet.table.column_names == ["name", "gap", "rate", "n"]


def test_a_hidden_cell_says_so_and_an_empty_one_that_there_is_no_figure() -> None:
    """3 pupils are hidden, none are missing; differences of counts have no sign; rates have the policy's decimals."""
    table = pa.table({
        "place": ["a", "b", "c"], "pupils": pa.array([3, 42, None], pa.int64()), "rate": [0.1234, 0.1234, None],
        "gap": pa.array([1, -12, None], pa.int64()),
    }).replace_schema_metadata({"layer": "school"})  # fmt: skip
    counts = Measures(
        pupils=("pupils",), amounts=(Amount(name="gap", over=("pupils",)),),
        rates=(Rate(name="rate", denominator="pupils"),),
    )  # fmt: skip
    plan = read_plan(REPOSITORY / "notebooks" / "plans" / "simulated_county.toml")
    sheet = present.tabulate(
        clear(table, open_door(plan), counts=counts),
        headings={"place": "Place", "pupils": "Pupils", "rate": "Rate", "gap": "Gap"},
        formats={"pupils": "count", "rate": "percent", "gap": "more_or_fewer"},
    )
    assert [[*row.values()] for row in sheet.table.to_pylist()] == [
        ["a", "hidden", "hidden", "hidden"],
        ["b", "40", "12.3%", "10 fewer"],
        ["c", "no figure", "no figure", "no figure"],
    ]


def test_rates_are_said_as_their_outcome_is() -> None:
    """Suspensions are events per 100 pupils, absence a share: in one column, each in its own words."""
    rows = [("suspension_rate", 0.0931), ("overall_absence_rate", 0.0772), ("suspension_rate", None)]
    table = pa.table({"outcome": [row[0] for row in rows], "value": [row[1] for row in rows]})
    sheet = present.tabulate(clear(table, a_door()), formats={"outcome": "outcome", "value": "rate"})
    assert sheet.table.to_pylist() == [
        {"outcome": "Suspensions per 100 pupils", "value": "9.31 per 100 pupils"},
        {"outcome": "Overall absence", "value": "7.72%"},
        {"outcome": "Suspensions per 100 pupils", "value": "no figure"},
    ]


def test_the_mix_stands_beside_the_others_with_a_key() -> None:
    """Its own panel, after the place; what grey and dotted mean is written in the picture."""
    door = a_door()
    places = [group != "Comparison mix" for group in some_levels().column("group").to_pylist()]
    levels, finding = clear(some_levels().filter(pa.array(places)), door, name="levels"), clear(a_finding(), door)
    picture = present.plot(levels, "multiples", mix=finding)
    assert list(picture.table.table.column_names) == ["year", "Dorset", "Comparison mix", "Similar councils", "England"]
    assert picture.table.table.column("Comparison mix").to_pylist()[-1] == "7.56%"
    assert "Grey: the others; dotted: September 2024, the start" in svg_text(picture)
    entry = sealed_display(picture.svg, door.entries)
    assert entry is not None
    assert set(entry.of) == {levels.entry, finding.entry}
    other = clear(a_finding(an_estimate("persistent_absence_rate", 0.004, 0.02)), door)
    with pytest.raises(DisclosureError, match="comparison mix is that of persistent_absence_rate"):
        present.plot(levels, "multiples", mix=other)


def test_a_start_that_is_not_drawn_is_not_said_to_be() -> None:
    """Years before the start only: neither the key nor the words for those who do not see it speak of a mark."""
    before = some_levels().filter(pa.array([year < "2024" for year in some_levels().column("period").to_pylist()]))
    picture = present.plot(clear(before, a_door()), "multiples")
    assert "is marked" not in picture.alt
    assert not any("dotted" in text for text in svg_text(picture))
    assert "the start, September 2024, is marked" in present.plot(clear(some_levels(), a_door()), "multiples").alt


def test_chance_is_drawn_with_its_level_and_every_council() -> None:
    """The band says 19 in 20; a faint line for each council where nothing was done, where figures are public."""
    made = an_estimate(placebos=ERRORS, std_error=0.02)
    picture = present.plot(clear(a_finding(made), a_door()), "twin")
    assert "grey: 19 in 20" in svg_text(picture)
    assert "19 times in 20: the grey band. Faint lines: the same for each of 147 other councils" in picture.alt
    plan = PLAN.model_copy(update={"policy": "council"})
    row = Candidate.of(dataclasses.replace(made, plan_digest=plan.digest), some_checks(), is_registered_row=True,
                       uncovered=0.05, imbalance=0.1)  # fmt: skip
    restricted = present.plot(clear(judge_all((row,), plan, report_year="2024/25")[0], a_door(plan)), "twin")
    assert "Faint lines" not in restricted.alt
    assert len(restricted.svg) < len(picture.svg) - 5_000


def test_range_is_called_the_same_in_picture_and_words() -> None:
    """Where a check failed nothing is "still possible": the picture says range as the page does."""
    for finding, name in ((a_finding(), "Still possible"), (a_finding(failed=("base_year",)), "Range")):
        assert words_council.facts(a_story(finding))[0][0] == name
        assert f"{name}: 0.32 points lower" in present.plot(clear(finding, a_door()), "interval").alt


def test_pictures_for_readers_can_be_read_on_a_phone() -> None:
    """At 300 pixels no text of the council page's pictures is under 8 pixels high."""
    door = a_door()
    lead = clear(a_finding(), door)
    shown = (present.plot(lead, "twin"), present.plot(lead, "interval"),
             present.plot(clear(some_levels(), door, name="levels"), "multiples"))  # fmt: skip
    for picture in shown:
        width = float(re.findall(r'viewBox="0 0 ([\d.]+) ', picture.svg)[0])
        sizes = [float(size) for size in re.findall(r"font(?:-size)?:[^;]*?([\d.]+)px", picture.svg)]
        assert len(sizes) > 5
        assert min(sizes) * 300 / width >= 8


@pytest.mark.parametrize(
    ("item", "kind", "message"),
    [
        (a_finding(), "twn", "no picture of kind 'twn'"),
        (some_levels(), "twin", "needs a Finding or an Estimate"),
        (pa.table({"a": [1]}), "multiples", "need a table with columns"),
        (not_out(), "interval", "assessed"),
        (not_out(), "checks", "one Finding that was checked"),
        (a_finding(), "failed", "no failed check of this finding has a number"),
        (a_curve(), "specifications", "say which outcome it is"),
        (some_levels(), "specifications", "need a table of specification_curve"),
        (some_levels(), "detectable", "needs a table of detectable_effects"),
    ],
)
def test_a_picture_that_cannot_be_drawn_is_an_error(item: object, kind: str, message: str) -> None:
    """A misspelt kind or an unsuitable value is one clear error."""
    cleared: Cleared[object] = clear(item, a_door())
    with pytest.raises(DisclosureError, match=message):
        present.plot(cleared, kind)


def svg_text(picture: present.Picture) -> list[str]:
    """The texts of a drawing, in order."""
    root = ElementTree.fromstring(picture.svg)
    return ["".join(node.itertext()).strip() for node in root.iter("{http://www.w3.org/2000/svg}text")]


def test_a_picture_of_checks_shows_every_status() -> None:
    """Each status is a word beside its own shape; the title counts them; a share over 1 is beyond the limit."""
    finding = of_every_status()
    picture = present.plot(clear(finding, a_door()), "checks")
    total = len(finding.checks)
    assert picture.title == (
        f"Overall absence: {total - 5} of {total - 1} checks passed, 2 failed, 1 could not be tested, 1 had nothing to "
        "test; 1 known event at the same time"
    )
    said = svg_text(picture)
    counts = {word: said.count(word) for word in words_checks.STANDINGS.values()}
    assert counts == {"passed": total - 5, "failed": 2, "known": 1, "could not be tested": 1, "nothing to test": 1}
    assert "Failed: Same without the last year before (0.41 points, at most 0.25 points)" in picture.alt
    rows = {row["check"]: row for row in picture.table.table.to_pylist()}
    assert rows["Same without the last year before"]["share"] == "164%"
    assert rows["Schools sent their figures"]["share"] == "96%"
    assert rows["Known event at the same time: A campaign"]["share"] == "none"
    assert rows["Other ways of comparing agree"]["status"] == "nothing to test"


def test_what_counts_as_beyond_a_limit() -> None:
    """At most and at least are turned the same way; a value that is not why it failed has no share."""
    check = a_finding().checks[0]
    share = words_checks.share_of_limit

    def of(name: str, status: str, value: float | None, limit: float | None, severity: str = "serious") -> float | None:
        made: dict[str, object] = {"name": name, "status": status, "value": value, "limit": limit}
        return share(dataclasses.replace(check, severity=severity, **made))  # type: ignore[arg-type]

    assert of("base_year", "pass", -0.001, 0.002) == pytest.approx(0.5)
    assert of("coverage", "fail", 0.45, 0.9) == pytest.approx(2)
    assert of("coverage", "fail", 0.95, 0.9) is None
    assert of("false_start", "fail", 0.0, 0.05) == float("inf")
    assert of("sources_agree", "fail", 0.0015, 0.002, "caution") == pytest.approx(0.75)
    assert of("base_year", "pass", None, 0.002) is None
    assert of("base_year", "pass", 0.001, 0.0) is None


def test_failed_checks_are_drawn_or_said() -> None:
    """Those with a number as bars, the others named; with nothing to draw a sentence, sealed like the rest."""
    door = a_door()
    drawn = present.failed_checks(clear(of_every_status(), door))
    assert isinstance(drawn, present.Picture)
    assert drawn.title.endswith(f"2 of {len(PLAN.checks) - 1} checks failed")
    assert "Known events at the same time: A campaign." in drawn.alt
    assert "p 0.02, at least p 0.05" in drawn.alt
    only_words = checked(other_events={"name": "other_events: A campaign", "status": "fail", "limit": None})
    for finding, said in ((only_words, "Known events at the same time: A campaign."), (a_finding(), "No check failed")):
        text = present.failed_checks(clear(finding, door))
        assert isinstance(text, present.Text)
        assert said in text.html
        assert sealed_display(text.html, door.entries) is not None
        with pytest.raises(DisclosureError, match="failed_checks"):
            present.plot(clear(finding, door), "failed")


def test_false_alarms_are_counted_in_a_hundred_not_in_points() -> None:
    """A share of councils is no effect on the outcome."""
    check = checked(calibrated_size={"value": 0.0204, "limit": 0.0264}).checks[PLAN.checks.index("calibrated_size")]
    assert words_checks.measured(check, POINTS) == "2.0 in 100, at most 2.6 in 100"


def test_the_list_of_checks() -> None:
    """Most weighty first, each with its status in words and what was found."""
    sheet = present.tabulate(clear(of_every_status(), a_door()), checks=True)
    rows = sheet.table.to_pylist()
    assert [row["number"] for row in rows] == [str(n) for n in range(1, len(PLAN.checks) + 1)]
    assert rows[0] == {
        "check": "The test suits a single place",
        "status": "passed",
        "found": "What was found.",
        "weight": "no answer without it",
        "number": "1",
    }
    assert lint(sheet.html, "council") == ()
    with pytest.raises(DisclosureError, match="one Finding that was checked"):
        present.tabulate(clear(a_study(), a_door()), checks=True)


def test_every_check_of_the_plan_has_words() -> None:
    """As a statement for the picture and as a reason for the verdict's sentence."""
    assert set(PLAN.checks) <= set(words_checks.NAMES)
    assert set(PLAN.checks) <= set(doubts.CHECKS)
    assert {design.method for design in PLAN.designs} <= set(words_checks.METHODS)


@pytest.mark.parametrize(
    ("sign", "title"),
    [
        (
            1,
            "Of 6 ways of comparing, 5 put Dorset above what is expected; the 95% ranges of 3 leave a gain that "
            "matters possible",
        ),
        (
            -1,
            "Of 6 ways of comparing, 5 put Dorset below what is expected; every 95% range leaves a gain that matters "
            "possible",
        ),
    ],
)
def test_a_picture_of_ways_of_comparing(sign: int, title: str) -> None:
    """The title counts the side that most are on; the plan's way is named; a line of dots for each choice made."""
    cleared = clear(a_curve(sign=sign), a_door(), name="curve")
    picture = present.plot(cleared, "specifications", outcome="overall_absence_rate")
    assert picture.title == title
    way = "higher" if sign > 0 else "lower"
    said = svg_text(picture)
    assert f"the plan’s way: 0.16 points {way}" in said
    for choice in ("corrected mix", "change, all councils", "yearly figures", "daily figures", "2021 to 2024", "10"):
        assert choice in said
    assert "plain mix" not in said
    assert f"The plan’s way, a diamond, says 0.16 points {way}" in picture.alt
    assert [row["place"] for row in picture.table.table.to_pylist()] == ["1", "2", "3", "4", "5", "6"]


def test_all_on_one_side_and_none_registered() -> None:
    """Other titles, and a curve without a registered row is drawn without a diamond."""
    table = a_curve().filter(pa.array([False, True, True, False, True, True]))
    picture = present.plot(clear(table, a_door()), "specifications", outcome="overall_absence_rate")
    assert picture.title == (
        "Of 4 ways of comparing, all put Dorset above what is expected; the 95% ranges of 2 leave a gain that matters "
        "possible"
    )
    assert "diamond" not in picture.alt


def test_a_picture_of_what_could_be_noticed() -> None:
    """The title says for how many; a row that is not known says so; a verdict's look is told from the others."""
    picture = present.plot(clear(what_could_be_noticed(), a_door()), "detectable")
    assert picture.title == (
        "For none of the 1 tested outcomes would an effect that just matters be noticed 4 times in 5; nearest is "
        "overall absence, at 2.1 times that"
    )
    assert "0.53 points lower with the figures of 2026 to 2027 (2.1 times the smallest)" in picture.alt
    assert "too few figures before the start" in svg_text(picture)
    rows = picture.table.table.to_pylist()
    assert {row["expected"] for row in rows} == {"practically not", "not known"}
    assert [row["verdict"] for row in rows[:6]] == ["yes", "yes", "yes", "no", "no", "no"]
    fine = present.plot(clear(what_could_be_noticed(times=0.2), a_door()), "detectable")
    assert fine.title.startswith("For 1 of the 1 tested outcomes")


def test_words_need_no_graphics() -> None:
    """Sentences and tables import neither matplotlib nor seaborn."""
    code = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); import belonging_research.present; "
        "print('matplotlib' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_for_whom_tells_primary_and_secondary_apart_without_a_verdict() -> None:
    """Best guesses by kind of school stand in the first screen and are no outcomes of their own."""
    of_phase = [
        dataclasses.replace(
            a_finding(), phase=phase, role="exploratory", rule=1, estimate=an_estimate(value=value, phase=phase)
        )
        for phase, value in (("primary", 0.0016), ("secondary", -0.0002))
    ]
    page = present.describe(clear((*a_study(), *of_phase), a_door()), "council").html
    assert (
        "Overall absence, best guess in primary schools 0.16 points higher than expected and in secondary schools "
        "0.02 points lower than expected: described only, without a verdict. Nothing is known from these figures about "
        "single groups of pupils"
    ) in page
    assert page.count("Was it more than elsewhere?") == 1
    assert "best guess in" not in present.describe(clear(a_study(), a_door()), "council").html
