"""The wording for councillors and governors. Every sentence that a council page prints is made here.

Two questions stay apart: what happened (levels, here and elsewhere), and whether it was more than
elsewhere (the verdict). The subject is the place since its start, never the strategy.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from belonging_research.present.bar import verdict_bar
from belonging_research.present.dates import later, more_to_come, usually_out
from belonging_research.present.doubts import because, because_briefly, doubts, open_anyway
from belonging_research.present.numbers import listed, year
from belonging_research.present.story import Story
from belonging_research.present.trends import MIX, SIMILAR, Trend, change
from belonging_research.present.words_evidence import how_sure, informs

VERDICTS: dict[str, str] = {
    "better_than_expected": "Better than expected",
    "worse_than_expected": "Worse than expected",
    "as_expected": "About as expected",
    "cannot_tell": "Can’t tell",
    "not_assessed": "Not assessed yet",
}


def short(story: Story) -> str:
    """The answer in two or three words; "yet" only where more is to come."""
    finding = story.finding
    if finding.suppressed is not None:
        return "Withheld"
    if finding.rule == 1 or (finding.verdict == "not_assessed" and _only_described(story)):
        return "Described only"
    forbidden = finding.rule == 2 and not open_anyway(story)
    yet = " yet" if finding.verdict == "cannot_tell" and not forbidden and more_to_come(story) else ""
    return f"{VERDICTS[finding.verdict]}{yet}"


def _only_described(story: Story) -> bool:
    return story.due is None and story.plan.outcome(story.finding.outcome).role == "exploratory"


def headline(story: Story) -> str:
    """The finding in one line, for the title of a picture; a guess that may be chance never leads it."""
    finding, subject, place = story.finding, story.subject, story.place
    if finding.suppressed is not None:
        return f"{subject} in {place}: withheld"
    if finding.verdict == "not_assessed":
        due = f", due {story.due}" if story.due else ""
        return f"{subject} in {place}: {_low(short(story))}{due}"
    if finding.verdict == "cannot_tell":
        return f"{short(story)}{because_briefly(story)}: {_low(subject)} in {place}, best guess {_guess(story)}"
    if finding.verdict == "as_expected":
        return f"{subject} in {place} was about as expected"
    return f"{subject} in {place} was {VERDICTS[finding.verdict].lower()}: {story.said['best guess']}"


def _guess(story: Story) -> str:
    guess = story.said["best guess"]
    return f"{guess} {'from expected' if guess == 'no different' else 'than expected'}"


def happened(story: Story) -> list[str]:
    """What happened: levels and changes here, then elsewhere; what is not in the figures is said."""
    here = story.here
    if here is None:
        return [_not_out(story)]
    if change(here, story.scale) is None:
        return _one_side(story, here)
    sentences = [_here(story, here)]
    others = [_elsewhere(each, story) for each in story.trends if each is not here]
    told = "; ".join(each for each in others if each)
    if told:
        sentences.append(f"{told[0].upper()}{told[1:]}.")
    if story.provisional:
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


def _one_side(story: Story, here: Trend) -> list[str]:
    """The levels of the years that have figures, before or since, and which years have none."""
    spans = [(when, story.said[f"{name} years"]) for when, name in (("before", "base"), ("since", "post"))]
    spans += [(f"in {period}", year(period)) for period, _ in here.seen]
    told = " ".join(_at(story, here, when, years) for when, years in spans if f"{when}: {here.group}" in story.said)
    if here.since is not None:
        return [told, f"Figures of {story.said['base years']} are not in those used here."]
    return [told, _not_out(story)]


def _at(story: Story, here: Trend, when: str, years: str) -> str:
    """The levels of some years, here and elsewhere: "Overall absence in Dorset: 7.72% in 2024 to 2025; in ..."."""
    levels = [(each.group, story.said.get(f"{when}: {each.group}")) for each in story.trends]
    elsewhere = [f"; {_where(group)} {level}" for group, level in levels if level and group != here.group]
    return f"{story.subject} in {story.place}: {story.said[f'{when}: {here.group}']} in {years}{''.join(elsewhere)}."


def _not_out(story: Story) -> str:
    seen = [period for period, _ in story.here.seen] if story.here else []
    missing = [each for each in story.finding.post if each not in seen] or [story.report_year]
    out = [usually_out(story, each, yearly=not story.provisional) for each in missing]
    return (
        f"Figures on {_low(story.subject)} in {listed([year(each) for each in missing])} are not in those used here; "
        f"they are usually out by {listed(out)}."
    )


def _moved(trend: Trend, story: Story) -> str:
    return "rose" if (change(trend, story.scale) or 0) > 0 else "fell"


def _more(trend: Trend, story: Story) -> str:
    return "more" if (change(trend, story.scale) or 0) > 0 else "less"


def _elsewhere(trend: Trend, story: Story) -> str:
    moved = change(trend, story.scale)
    if moved is None:
        return ""
    before, since = story.said[f"before: {trend.group}"], story.said[f"since: {trend.group}"]
    if not moved:
        return f"{_where(trend.group)} it stayed at {since}"
    return f"{_where(trend.group)} it {_moved(trend, story)} from {before} to {since}"


def _where(group: str) -> str:
    names = {MIX: "the comparison mix", SIMILAR: "similar councils"}
    return f"in {names.get(group, group)}"


def _low(text: str) -> str:
    return text[:1].lower() + text[1:]


def verdict(story: Story) -> str:
    """The verdict in one sentence, failed checks named in it."""
    finding, since = story.finding, f"in {story.place} since {story.since}"
    subject, but = story.subject, doubts(story)
    if finding.verdict == "not_assessed":
        return _not_assessed(story)
    if finding.rule == 1:
        return f"{subject} {since} is described only; {_no_verdict(story)}{but}."
    if finding.verdict == "cannot_tell":
        yet = " yet" if short(story).endswith("yet") else ""
        return (
            f"We cannot tell{yet} whether {_low(subject)} {since} differed from what its comparison mix "
            f"predicts{because(story)}{but}."
        )
    if finding.verdict == "as_expected":
        return (
            f"{subject} {since} was about as expected: any difference from its comparison mix is smaller "
            f"than {story.said['smallest size']}, the smallest that was set {story.set_how} as worth "
            f"having{but}."
        )
    word = VERDICTS[finding.verdict].lower()
    matter = (
        ", and by enough to matter"
        if finding.enough_to_matter
        else f"; whether by enough to matter ({story.said['smallest size']}) is not settled"
    )
    guess = story.said["best guess"]
    return f"{subject} {since} was {word}: {guess} than its comparison mix predicts{matter}{but}."


def _not_assessed(story: Story) -> str:
    finding = story.finding
    if finding.suppressed is not None:
        return f"{story.subject} in {story.place} is withheld, so that no child can be recognised."
    told = [] if story.here is not None and story.here.since is not None else [_not_out(story)]
    tested = _no_verdict(story)
    return " ".join([*told, f"{tested[0].upper()}{tested[1:]}."])


def _no_verdict(story: Story) -> str:
    """When the plan gives it one, if at all."""
    planned = story.plan.outcome(story.finding.outcome)
    if planned.role == "exploratory" or story.finding.phase != "all":
        return "the plan gives it no verdict"
    # A second outcome is described before the plan's last look: it has a date although nothing of it is due now.
    look = story.later_looks[0] if story.later_looks else None
    due = story.due or (look.due if look else None)
    return f"the plan tests it in {due}" if due else "the plan has no further test of it"


def facts(story: Story) -> list[tuple[str, str]]:
    """The facts beside the verdict bar, each with its name."""
    said = story.said
    days = f", {said['best guess in days']} a pupil a year" if "best guess in days" in said else ""
    return [
        (story.range_name, said["still possible"]),
        ("Best guess", f"{_guess(story)}{days}"),
        ("Worth having", f"{said['smallest gain']} or more (set {story.set_how})"),
    ]


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
    whole = [story for story in stories if story.finding.phase == "all"]
    tested = [story for story in whole if story.finding.role == "primary"] or whole
    lead = next((story for story in tested if story.assessed), tested[0])
    rows = [
        ("What happened", _paragraph([*happened(lead), *_look_back(lead)])),
        ("Was it more than elsewhere?", _answer(lead)),
        ("Words used here", _paragraph(terms(lead))),
        ("When we’ll know more", _paragraph(later(lead))),
        ("For whom", _paragraph([_for_whom(stories)])),
    ]
    for story in tested:
        if story is not lead:
            rows.append((story.name, _told(story)))
    if lead.plan.contact:
        rows.append(("Ask", _paragraph([lead.plan.contact])))
    body = "\n".join(f"<dt>{html.escape(title)}</dt>\n<dd>{text}</dd>" for title, text in rows)
    return f'<dl class="first-screen">\n{body}\n</dl>'


def _for_whom(stories: Sequence[Story]) -> str:
    phases = [story for story in stories if story.finding.phase != "all" and story.assessed is not None]
    told = listed([f"in {story.finding.phase} schools {_guess(story)}" for story in phases])
    groups = f"{phases[0].subject}, best guess {told}: described only, without a verdict. " if phases else ""
    return f"{groups}Nothing is known from these figures about single groups of pupils, young carers among them."


def terms(story: Story) -> list[str]:
    """The two groups that the place is set beside, and what "expected" means, each told once."""
    groups = {each.group for each in story.trends}
    mix = (
        f"Comparison mix: a weighted average of other councils, chosen to match {story.place} before the start. "
        f"Expected: what the mix predicts for {story.place} since then."
    )
    similar = f"Similar councils: the average of the councils statistically most like {story.place}."
    return [mix, *([similar] if SIMILAR in groups else [])]


def _told(story: Story) -> str:
    """An outcome after the lead: its levels where it has no answer to show them in, then the answer."""
    if story.assessed is None and story.here is not None and story.finding.suppressed is None:
        told = happened(story)
        return f"{_paragraph(told[:1])}\n{_answer(story)}"
    return _answer(story)


def _answer(story: Story) -> str:
    answer = f"<p><strong>{short(story)}.</strong> {html.escape(verdict(story))}</p>"
    if story.assessed is None:
        return answer
    sure = f"<p><strong>How sure?</strong> {html.escape(' '.join(how_sure(story)), quote=False)}</p>"
    return f"{answer}\n{verdict_bar(story, facts(story))}\n{_paragraph(informs(story))}\n{sure}"


def _paragraph(sentences: Sequence[str]) -> str:
    return f"<p>{html.escape(' '.join(sentences), quote=False)}</p>"
