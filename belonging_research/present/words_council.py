"""The wording for councillors and governors. Every sentence that a council page prints is made here.

Two questions stay apart: what happened (levels, here and in similar places), and whether it was more than
elsewhere (the verdict). The subject is the place since its start, never the strategy.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from belonging_research.checks.result import CheckResult
from belonging_research.present.bar import verdict_bar
from belonging_research.present.numbers import listed, year
from belonging_research.present.story import Story, Trend, change

# A check in words that follow "because".
CHECKS: dict[str, str] = {
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
VERDICTS: dict[str, str] = {
    "better_than_expected": "Better than expected",
    "worse_than_expected": "Worse than expected",
    "as_expected": "About as expected",
    "cannot_tell": "Can’t tell yet",
    "not_assessed": "Not assessed yet",
}


def headline(story: Story) -> str:
    """The finding in one line, for the title of a picture."""
    finding, subject, place = story.finding, story.subject, story.place
    if finding.suppressed is not None:
        return f"{subject} in {place}: withheld"
    if finding.verdict == "not_assessed":
        due = f", due {finding.due}" if finding.due else ""
        return f"{subject} in {place}: not assessed yet{due}"
    guess = story.said["best guess"]
    than = "from expected" if guess == "no different" else "than expected"
    if finding.verdict == "cannot_tell":
        if finding.role == "exploratory":
            return f"{subject} in {place}: {guess} {than}, described only"
        return f"{subject} in {place}: {guess} {than}, but we can’t tell it from chance"
    if finding.verdict == "as_expected":
        return f"{subject} in {place} was about as expected"
    return f"{subject} in {place} was {VERDICTS[finding.verdict].lower()}: {guess}"


def happened(story: Story) -> list[str]:
    """What happened: levels and changes here, then elsewhere."""
    if not story.trends:
        return [_not_out(story)]
    sentences = [_here(story, story.trends[0])]
    if len(story.trends) > 1:
        others = "; ".join(_elsewhere(trend, story) for trend in story.trends[1:])
        sentences.append(f"{others[0].upper()}{others[1:]}.")
    if story.finding.source == "daily":
        sentences.append("These figures are provisional (daily returns); the yearly figures follow.")
    return sentences


def _here(story: Story, place: Trend) -> str:
    said, what = story.said, f"{story.subject} in {story.place}"
    before, since = said[f"before: {place.group}"], said[f"since: {place.group}"]
    if not change(place, story.scale):
        return f"{what} stayed at {since} from {said['base years']} to {said['post years']}."
    time = said.get("change in days")
    more = f", {time} {_more(place, story)} a pupil a year" if time else ""
    return (
        f"{what} {_moved(place, story)} from {before} in {said['base years']} to {since} in "
        f"{said['post years']}: {said[f'change: {place.group}']}{more}."
    )


def _not_out(story: Story) -> str:
    return f"Figures on {_low(story.subject)} in {story.said['post years']} are not out yet."


def _moved(trend: Trend, story: Story) -> str:
    return "rose" if change(trend, story.scale) > 0 else "fell"


def _more(trend: Trend, story: Story) -> str:
    return "more" if change(trend, story.scale) > 0 else "less"


def _elsewhere(trend: Trend, story: Story) -> str:
    where = f"in {'the comparison mix' if trend.group == 'Comparison mix' else _low_group(trend.group)}"
    before, since = story.said[f"before: {trend.group}"], story.said[f"since: {trend.group}"]
    if not change(trend, story.scale):
        return f"{where} it stayed at {since}"
    return f"{where} it {_moved(trend, story)} from {before} to {since}"


def _low_group(group: str) -> str:
    return _low(group) if group.split(" ")[0] in ("Similar", "Comparison", "Statistical") else group


def _low(text: str) -> str:
    return text[:1].lower() + text[1:]


def verdict(story: Story) -> str:
    """The verdict in one sentence, failed checks named in it."""
    finding, since = story.finding, f"in {story.place} since {story.since}"
    subject, doubts = story.subject, _doubts(story)
    if finding.verdict == "not_assessed":
        return _not_assessed(story)
    if finding.rule == 1:
        return f"{subject} {since} is described only; the plan gives it no verdict{doubts}."
    if finding.verdict == "cannot_tell":
        yet = " yet" if finding.rule == 6 else ""
        return (
            f"We cannot tell{yet} whether {_low(subject)} {since} differed from what its comparison mix "
            f"predicts{_because(story)}{doubts}."
        )
    if finding.verdict == "as_expected":
        return (
            f"{subject} {since} was about as expected: any difference from its comparison mix is smaller "
            f"than {story.said['smallest size']}, the smallest that was set in advance as worth "
            f"having{doubts}."
        )
    word = VERDICTS[finding.verdict].lower()
    matter = (
        ", and by enough to matter"
        if finding.enough_to_matter
        else f"; whether by enough to matter ({story.said['smallest size']}) is not settled"
    )
    guess = story.said["best guess"]
    return f"{subject} {since} was {word}: {guess} than its comparison mix predicts{matter}{doubts}."


def _not_assessed(story: Story) -> str:
    finding = story.finding
    if finding.suppressed is not None:
        return f"{story.subject} in {story.place} is withheld, so that no child can be recognised."
    when = f"The test is due in {finding.due}." if finding.due else "The plan has no further test of it."
    if finding.estimate is None and not story.trends:
        return f"{_not_out(story)} {when}"
    return f"The plan tests {_low(story.subject)} in {story.place} at a later look. {when}"


def _blocking(story: Story) -> list[CheckResult]:
    return [
        check
        for check in story.finding.checks
        if (check.severity in ("fatal", "serious") and check.status == "fail")
        or (check.severity == "fatal" and check.status == "no_test")
    ]


def _in_words(check: CheckResult) -> str:
    words = CHECKS.get(check.name.partition(":")[0], f"the check “{check.name.replace('_', ' ')}” failed")
    return words if check.status == "fail" else f"it could not be checked whether {words}"


def _because(story: Story) -> str:
    if story.finding.rule != 2:
        return ""
    reasons = [_in_words(check) for check in _blocking(story)]
    return f", because {listed(reasons)}" if reasons else ", because the comparison is too thin for an answer"


def _doubts(story: Story) -> str:
    """Failed checks that do not decide the verdict, named in its sentence all the same."""
    named = _blocking(story) if story.finding.rule == 2 else []
    failed = [check for check in story.finding.checks if check.status == "fail" and check not in named]
    return f" (a doubt: {listed(list(dict.fromkeys(_in_words(check) for check in failed)))})" if failed else ""


def informs(story: Story) -> list[str]:
    """What is known besides: what is ruled out, the chance of noticing, how strict this look is."""
    if story.assessed is None:
        return []
    return [*_range(story), *_ruled_out(story), *_small(story), *_power(story), *_strict(story), *_wrong(story)]


def facts(story: Story) -> list[tuple[str, str]]:
    """The facts beside the verdict bar, each with its name."""
    said, guess = story.said, story.said["best guess"]
    days = f", {said['best guess in days']} a pupil a year" if "best guess in days" in said else ""
    than = "from expected" if guess == "no different" else "than expected"
    return [
        ("Still possible" if story.finding.rule >= 3 else "Range", said["still possible"]),
        ("Best guess", f"{guess} {than}{days}"),
        ("Worth having", f"{said['smallest gain']} or more (set in advance)"),
    ]


def _range(story: Story) -> list[str]:
    said, finding = story.said, story.finding
    low, high = story.still_possible or (-math.inf, math.inf)
    made = f"Ranges made this way are meant to hold the truth {said['holds the truth']}"
    if finding.rule == 2:
        return [f"{made}, were it not for these doubts."]
    if finding.rule == 1:
        return [f"{made}."]
    beyond = (
        ""
        if math.isinf(low) or math.isinf(high)
        else "By this comparison, anything beyond what is still possible is ruled out. "
    )
    sentences = [f"{beyond}{made}."]
    if finding.rule == 6 and (low > 0 or high < 0):
        sentences.append(
            "The range leaves out no difference, but the rule set in advance for this look asks for more, "
            "so nothing is claimed."
        )
    if finding.signal_to_examine:
        sentences.append("It is a signal to examine.")
    return sentences


def _ruled_out(story: Story) -> list[str]:
    words = {
        "gain": f"A gain that matters ({story.said['smallest gain']} or more) is ruled out.",
        "loss": f"A loss that matters ({story.said['smallest loss']} or more) is ruled out.",
    }
    return [words[each] for each in ("gain", "loss") if each in story.finding.ruled_out]


def _small(story: Story) -> list[str]:
    if not story.finding.small_difference_noticed:
        return []
    return [f"A small difference was noticed: {story.said['best guess']}, too small to matter."]


def _power(story: Story) -> list[str]:
    said, estimate, sentences = story.said, story.assessed, []
    worth = f"an effect worth having ({said['smallest gain']})"
    if "chance" in said:
        about = "a" if said["chance"].startswith(("less", "more")) else "about a"
        sentences.append(f"This test had {about} {said['chance']} chance of noticing {worth}.")
    if "noticed 4 in 5" in said:
        sentences.append(f"An effect of {said['noticed 4 in 5']} would have been noticed 4 times in 5.")
    weak = estimate is not None and estimate.power_at_sesoi is not None and estimate.power_at_sesoi < 0.5
    if weak and "exaggeration" in said:
        sentences.append(
            "An effect of the size worth having, if noticed here, would on average look "
            f"{said['exaggeration']} as large as it is."
        )
    return sentences


def _strict(story: Story) -> list[str]:
    """At this alpha only an effect beyond every placebo can reach p <= alpha: the page must say so."""
    estimate, finding = story.assessed, story.finding
    if estimate is None or estimate.inference != "placebo" or finding.rule == 1:
        return []
    if math.floor(finding.alpha * (estimate.n_reference + 1) + 1e-9) != 1:
        return []
    return [
        "This early look is strict: only an effect beyond the largest miss among "
        f"{story.said['councils']} comparison councils counts as noticed."
    ]


def _wrong(story: Story) -> list[str]:
    """How often this very sentence is wrong, measured on councils where nothing was done."""
    if "false better of 100" not in story.said:
        return []
    return [
        f"Of 100 councils where nothing was done, this method says better for {story.said['false better of 100']} and "
        f"worse for {story.said['false worse of 100']}."
    ]


def later(story: Story) -> list[str]:
    """When more will be known."""
    looks = story.later_looks
    if story.finding.suppressed is not None:
        return []
    if not looks:
        return ["The plan has no later test of it."]
    first, last = looks[0], looks[-1]
    sentences = [f"Next look: {first.due}, with the figures of {year(first.report_year)}."]
    if last != first:
        sentences.append(f"Last look: {last.due}, with the figures of {year(last.report_year)}.")
    return sentences


def _look_back(story: Story) -> list[str]:
    if story.assessed is None or not story.plan.retrospective(story.report_year):
        return []
    return ["These figures were public before the plan was written, so this is a look back."]


def one(story: Story) -> str:
    """One finding as HTML: what happened, was it more than elsewhere, when more will be known."""
    parts = [
        ("What happened", _paragraph([*happened(story), *_look_back(story)])),
        ("Was it more than elsewhere?", _answer(story)),
    ]
    if story.finding.verdict != "not_assessed" and story.finding.rule != 1:
        parts.append(("When we’ll know more", _paragraph(later(story))))
    return "\n".join(f"<h3>{title}</h3>\n{body}" for title, body in parts)


def many(stories: Sequence[Story]) -> str:
    """The first screen of a council page as HTML: the lead finding, then the other outcomes tested."""
    tested = [story for story in stories if story.finding.role == "primary"] or list(stories)
    lead = next((story for story in tested if story.assessed), tested[0])
    rows = [
        ("What happened", _paragraph([*happened(lead), *_look_back(lead)])),
        ("Was it more than elsewhere?", _answer(lead)),
        ("When we’ll know more", _paragraph(later(lead))),
        ("For whom", _paragraph([_for_whom(stories)])),
    ]
    for story in tested:
        if story is not lead:
            rows.append((story.name, _answer(story)))
    if lead.plan.contact:
        rows.append(("Ask", _paragraph([lead.plan.contact])))
    body = "\n".join(f"<dt>{html.escape(title)}</dt>\n<dd>{text}</dd>" for title, text in rows)
    return f'<dl class="first-screen">\n{body}\n</dl>'


def _for_whom(stories: Sequence[Story]) -> str:
    phases = sorted({story.finding.phase for story in stories} - {"all"})
    groups = (
        f"{listed([phase.capitalize() for phase in phases])} schools are described in the annex, without a verdict. "
        if phases
        else ""
    )
    return f"{groups}Nothing is known from these figures about single groups of pupils, young carers among them."


def _answer(story: Story) -> str:
    short = VERDICTS[story.finding.verdict] if story.finding.suppressed is None else "Withheld"
    if story.finding.rule == 1:
        short = "Described only"
    elif story.finding.rule == 2:
        short = "Can’t tell"
    answer = f"<p><strong>{short}.</strong> {html.escape(verdict(story))}</p>"
    if story.assessed is None:
        return answer
    return f"{answer}\n{verdict_bar(story, facts(story))}\n{_paragraph(informs(story))}"


def _paragraph(sentences: Sequence[str]) -> str:
    return f"<p>{html.escape(' '.join(sentences), quote=False)}</p>"
