"""Why an answer is not given, and what to bear in mind beside one: failed and untested checks in words."""

from __future__ import annotations

from collections.abc import Mapping

from belonging_research.checks.result import CheckResult
from belonging_research.present.numbers import listed
from belonging_research.present.story import Story
from belonging_research.present.words_checks import about, kind, standing

# A check that failed, in words that follow "because".
CHECKS: Mapping[str, str] = {
    "inference_fits": "the test does not fit the design",
    "series_complete": "figures are missing",
    "calibrated_size": "the test raises too many false alarms",
    "false_start": "a difference already showed the year before the start",
    "base_year": "the best guess moves with the earlier years it is measured from",
    "sources_agree": "the yearly and the daily figures disagree",
    "leave_one_donor": "the best guess hangs on one comparison council",
    "leave_one_region": "the best guess hangs on one region",
    "coverage": "too few schools sent figures, or their number moved",
    "code_bridge": "the best guess moves with how the change of register codes is counted",
    "settled": "the latest figures may still be corrected",
    "support": "no mix of other councils comes near to this place",
    "breakdown": "the difference would not stand if trends had parted by half of what they once did before",
    "specifications": "other sound ways of comparing do not agree",
    "largest_weight": "one council makes up much of the comparison mix",
    "contaminated_donors": "the best guess changes without councils that may have been affected too",
    "negative_control": "something that nothing here could move has moved",
    "other_events": "other things happened here at the same time",
    "allocation": "when schools started was not decided by lot",
    "pre_trends": "schools that started were moving apart from the others before they did",
    "history": "the best guess depends on allowing for what schools’ figures had been before",
    "exits": "pupils who left the figures could turn the answer round",
    "spill_over": "the best guess moves without pupils who changed to schools of another pyramid",
    "weights": "the best guess moves with whether pupils, half-days or schools count alike",
    "other_estimators": "other sound ways of comparing schools do not agree",
    "followed": "too many of the pupils to be followed are no longer in the figures",
}


def blocking(story: Story) -> list[CheckResult]:
    """The checks that alone forbid an answer."""
    return [
        check
        for check in story.finding.checks
        if (check.severity in ("fatal", "serious") and check.status == "fail")
        or (check.severity == "fatal" and check.status == "no_test")
    ]


def open_anyway(story: Story) -> bool:
    """Whether, the checks apart, the difference is neither noticed nor small enough to be as expected."""
    finding, possible = story.finding, story.still_possible
    if possible is None or finding.p_adjusted is None:
        return False
    small = -finding.sesoi < possible[0] and possible[1] < finding.sesoi
    return finding.p_adjusted > finding.alpha and not small


def because(story: Story) -> str:
    """ ", because ..." where something forbids an answer, else empty; checks that only add doubt come after chance."""
    if story.finding.rule != 2:
        return ""
    if open_anyway(story):
        return ", because chance alone could make such a difference"
    reasons = [_in_words(check) for check in blocking(story)]
    return f", because {listed(reasons)}" if reasons else ", because the comparison is too thin for an answer"


def because_briefly(story: Story) -> str:
    """As `because`, short enough for a title: several reasons are counted, and chance goes without saying."""
    if open_anyway(story):
        return ""
    reasons = blocking(story)
    return f", because of {len(reasons)} checks" if len(reasons) > 1 else because(story)


def doubts(story: Story) -> str:
    """ " (doubts: ...)": checks that failed or, if serious, could not be made, and do not decide the answer."""
    named = blocking(story) if story.finding.rule == 2 and not open_anyway(story) else []
    left = [check for check in story.finding.checks if check not in named]
    found = list(dict.fromkeys(_in_words(check) for check in left if standing(check) == "fail"))
    untested = [check for check in left if check.severity != "caution" and standing(check) == "no_test"]
    if untested:
        open_now = dict.fromkeys(f"whether {CHECKS.get(kind(check), check.name)}" for check in untested)
        found.append(f"it could not be checked {listed(list(open_now), 'or')}")
    events = [about(check) for check in left if standing(check) == "known"]
    if events:
        found.append(f"known events here at the same time: {listed([f'“{each}”' for each in events])}")
    return f" ({'a doubt' if len(found) == 1 else 'doubts'}: {'; '.join(found)})" if found else ""


def _in_words(check: CheckResult) -> str:
    words = CHECKS.get(kind(check), f"the check “{check.name.replace('_', ' ')}” failed")
    if kind(check) == "breakdown" and check.severity == "caution":
        words = "the difference would not stand if trends had parted by as much as they once did before"
    return words if check.status == "fail" else f"it could not be checked whether {words}"
