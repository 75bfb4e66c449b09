"""How checks and ways of comparing are named for a reader who knows no statistics.

Each check is a statement that holds where it passed, so that "failed" beside it reads as it should.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from belonging_research.checks.breaking import NOTHING_TO_BREAK
from belonging_research.checks.result import CheckResult, Severity
from belonging_research.findings import Finding
from belonging_research.outcomes import MEASURES
from belonging_research.present.numbers import Scale

Standing = Literal["pass", "fail", "known", "no_test", "not_asked"]

NAMES: Mapping[str, str] = {
    "inference_fits": "The test suits a single place",
    "series_complete": "The figures are complete",
    "calibrated_size": "False alarms are as rare as promised",
    "false_start": "No difference the year before the start",
    "base_year": "Same without the last year before",
    "sources_agree": "Yearly and daily figures agree",
    "leave_one_donor": "No single council decides the answer",
    "leave_one_region": "No single region decides the answer",
    "coverage": "Schools sent their figures",
    "code_bridge": "Same across the change of register codes",
    "settled": "The latest figures have settled",
    "support": "Other councils can be mixed to match",
    "breakdown": "Stands even if trends part somewhat",
    "specifications": "Other ways of comparing agree",
    "largest_weight": "No council dominates the comparison mix",
    "contaminated_donors": "Same without councils affected too",
    "negative_control": "Unmoved, as it should be",
    "other_events": "Known event at the same time",
    "allocation": "Starts were decided by lot, or blind to absence",
    "pre_trends": "No moving apart before the start",
    "history": "Same whether or not the past is allowed for",
    "exits": "Same at worst and at best for pupils who left",
    "spill_over": "Same without pupils who changed pyramid",
    "weights": "Same however pupils and schools are weighed",
    "other_estimators": "Other ways of comparing schools agree",
    "followed": "The pupils are still in the figures",
}
STANDINGS: Mapping[Standing, str] = {
    "pass": "passed",
    "fail": "failed",
    "known": "known",
    "no_test": "could not be tested",
    "not_asked": "nothing to test",
}
GROUPS: Mapping[Severity, str] = {
    "fatal": "Without these there is no answer",
    "serious": "If one of these fails, the answer is “can’t tell”",
    "caution": "Cautions: to bear in mind beside the answer",
}
SEVERITIES: Mapping[Severity, str] = {"fatal": "no answer without it", "serious": "serious", "caution": "caution"}
# Failed below its limit rather than above it.
AT_LEAST = frozenset(
    {"false_start", "coverage", "settled", "breakdown", "specifications", "negative_control", "pre_trends", "followed"}
)
METHODS: Mapping[str, str] = {
    "ridge_augmented_synthetic_control": "corrected mix",
    "synthetic_control": "plain mix",
    "synthetic_difference_in_differences": "mix of changes",
    "difference_in_differences": "change, all councils",
    "neighbours_difference_in_differences": "change, similar councils",
    "group_time_effects": "schools that started, beside those that had not",
}
FIGURES: Mapping[str, str] = {"census": "yearly figures", "daily": "daily figures", "register": "registers"}

_CHANCES = frozenset({"false_start", "negative_control", "pre_trends"})
_SHARES = frozenset({"coverage", "largest_weight", "specifications", "followed", "allocation"})
_TIMES = frozenset({"support", "breakdown"})


def kind(check: CheckResult) -> str:
    """The name of a check without what it is about: "negative_control: x" is "negative_control"."""
    return check.name.partition(":")[0]


def name(check: CheckResult) -> str:
    """A check as a statement that holds where it passed, with what it is about."""
    subject = about(check)
    words = NAMES.get(kind(check), kind(check).replace("_", " ").capitalize())
    if not subject:
        return words
    return f"{words}: {MEASURES[subject].label.lower() if subject in MEASURES else subject}"


def about(check: CheckResult) -> str:
    """What a check is about, where it has several: "negative_control: x" is about "x"."""
    return check.name.partition(":")[2].strip()


def standing(check: CheckResult) -> Standing:
    """Its status, with "nothing to test" apart from "could not be tested", and a known event apart from a failure."""
    if kind(check) == "other_events" and about(check) and check.status == "fail":
        return "known"
    nothing = NOTHING_TO_BREAK in check.sentence or check.sentence.startswith("Does not apply")
    return "not_asked" if check.status == "no_test" and nothing else check.status


def tally(checks: Iterable[CheckResult]) -> str:
    """ "11 of 15 checks passed, 1 failed, 3 could not be tested; 2 known events at the same time"."""
    standings = [standing(check) for check in checks]
    counts = {each: standings.count(each) for each in STANDINGS}
    said = [f"{counts['pass']} of {len(standings) - counts['known']} checks passed"]
    said += [f"{counts[each]} failed" for each in ("fail",) if counts[each]]
    said += [f"{counts[each]} could not be tested" for each in ("no_test",) if counts[each]]
    said += [f"{counts[each]} had nothing to test" for each in ("not_asked",) if counts[each]]
    events = counts["known"]
    return ", ".join(said) + (f"; {events} known event{'s' if events > 1 else ''} at the same time" if events else "")


def numberless(checks: Iterable[CheckResult]) -> str:
    """Failed checks without a number against a limit, and known events, in a sentence each; empty if there are none."""
    all_of_them = [check for check in checks if check.status == "fail" and share_of_limit(check) is None]
    left = [check for check in all_of_them if standing(check) == "fail"]
    events = [about(check) for check in all_of_them if standing(check) == "known"]
    said = [f"Failed without a number to draw: {'; '.join(grouped(left))}."] if left else []
    said += [f"Known events at the same time: {'; '.join(events)}."] if events else []
    return " ".join(said)


def grouped(checks: Iterable[CheckResult], measure: Scale | None = None) -> list[str]:
    """Checks by name, those of one kind together: "Known event at the same time (this; that)".

    With ``measure``, each with its value and limit where it has them.
    """
    found: dict[str, list[str]] = {}
    for check in checks:
        head, _, about = name(check).partition(": ")
        said = measured(check, measure) if measure else ""
        found.setdefault(head, []).append(", ".join(part for part in (about, said) if part))
    inside = {head: "; ".join(part for part in parts if part) for head, parts in found.items()}
    return [f"{head} ({parts})" if parts else head for head, parts in inside.items()]


def share_of_limit(check: CheckResult) -> float | None:
    """How much of what is allowed a check uses up: over 1 is beyond its limit; None where that is no number.

    A check that must reach a least value is turned round (limit over value). One that failed for another reason than
    its value, as coverage can, has no share.
    """
    if check.value is None or check.limit is None or not check.limit > 0:
        return None
    used, allowed = abs(check.value), check.limit
    if kind(check) in AT_LEAST:
        used, allowed = allowed, used
    share = used / allowed if allowed > 0 else float("inf")
    other_reason = check.status == "fail" and share <= 1 and check.severity != "caution"
    return None if other_reason else share


def measured(check: CheckResult, measure: Scale) -> str:
    """The value beside its limit: "0.20 points, at most 0.25 points"; empty where there is no number."""
    if check.value is None:
        return ""
    say = _say(check, measure)
    if check.limit is None:
        return "" if kind(check) in ("inference_fits", "series_complete") else say(check.value)
    limit = measure.limit(check.limit) if say == measure.size else say(check.limit)
    return f"{say(check.value)}, {'at least' if kind(check) in AT_LEAST else 'at most'} {limit}"


def _say(check: CheckResult, measure: Scale) -> Callable[[float], str]:
    if kind(check) in _CHANCES:
        return lambda value: f"p {value:.2f}"
    if kind(check) in _SHARES:
        return lambda value: f"{100 * value:.0f}%"
    if kind(check) in _TIMES:
        return lambda value: f"{value:.1f} times"
    if kind(check) == "calibrated_size":
        return lambda value: f"{100 * value:.1f} in 100"
    if kind(check) == "settled":
        return lambda value: f"{value:.0f} weeks"
    return measure.size


def in_order(finding: Finding) -> list[CheckResult]:
    """Its checks, those that weigh most first, else in the plan's order."""
    return [check for group in GROUPS for check in finding.checks if check.severity == group]
