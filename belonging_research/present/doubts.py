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
    "base_year": "the answer depends on which earlier years it is measured from",
    "sources_agree": "the yearly and the daily figures disagree",
    "leave_one_donor": "the answer hangs on one comparison council",
    "leave_one_region": "the answer hangs on one region",
    "coverage": "too few schools sent figures, or their number moved",
    "code_bridge": "the answer depends on how the change of register codes is counted",
    "settled": "the latest figures may still be corrected",
    "support": "no mix of other councils comes near to this place",
    "breakdown": "the difference would not stand if trends had parted a little anyway",
    "specifications": "other sound ways of comparing do not agree",
    "largest_weight": "one council makes up much of the comparison mix",
    "contaminated_donors": "the answer changes without councils that may have been affected too",
    "negative_control": "something that nothing here could move has moved",
    "other_events": "other things happened here at the same time",
}


def blocking(story: Story) -> list[CheckResult]:
    """The checks that alone forbid an answer."""
    return [
        check
        for check in story.finding.checks
        if (check.severity in ("fatal", "serious") and check.status == "fail")
        or (check.severity == "fatal" and check.status == "no_test")
    ]


def because(story: Story) -> str:
    """ ", because ..." where checks or a thin comparison forbid an answer, else empty."""
    if story.finding.rule != 2:
        return ""
    reasons = [_in_words(check) for check in blocking(story)]
    return f", because {listed(reasons)}" if reasons else ", because the comparison is too thin for an answer"


def because_briefly(story: Story) -> str:
    """As `because`, short enough for a title: several reasons are counted."""
    reasons = blocking(story)
    return f", because of {len(reasons)} checks" if len(reasons) > 1 else because(story)


def doubts(story: Story) -> str:
    """ " (doubts: ...)": checks that failed or, if serious, could not be made, and do not decide the answer."""
    named = blocking(story) if story.finding.rule == 2 else []
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
    return words if check.status == "fail" else f"it could not be checked whether {words}"
