"""The wording about a council's own schools: what happened where something was started, beside where it was not yet.

For the readers of a council page and for heads. No school is named. The subject is schools since they started, never
what was started: what else happened in the same schools at the same time is not told apart.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import replace

from belonging_research.findings import SchoolAssessment
from belonging_research.panel.schools import ABSENCE
from belonging_research.present.bar import verdict_bar
from belonging_research.present.doubts import because, doubts
from belonging_research.present.numbers import listed
from belonging_research.present.story import Quoted, Story
from belonging_research.present.words_council import VERDICTS, facts, short
from belonging_research.present.words_evidence import informs

BY_SCHOOL = "by-school"  # marks the part of a page that is about schools
SINCE = "in schools since their pyramid started"
OTHERS = "schools whose pyramid had not started by then"


def headline(stories: Sequence[Story]) -> str:
    """The lead answer in one line."""
    if not stories:
        return "School by school: no figures"
    lead = stories[0]
    return f"{lead.subject} {SINCE}: {short(lead).lower()}"


def page(assessment: SchoolAssessment, stories: Sequence[Story]) -> str:
    """Everything about schools as HTML: what was compared, then each outcome with its answer."""
    if not stories:
        return f'<div class="{BY_SCHOOL}">\n{_paragraph(assessment.left_out)}\n</div>'
    parts = [f'<div class="{BY_SCHOOL}">', _paragraph(_compared(assessment))]
    for story in stories:
        parts += [f"<h3>{html.escape(story.name)}</h3>", _answer(story)]
    if assessment.measured:
        parts.append(_paragraph([assessment.measured]))
    if assessment.left_out:
        parts.append(_paragraph([f"Not worked out: {listed(list(assessment.left_out))}."]))
    return "\n".join([*parts, "</div>"])


def _compared(assessment: SchoolAssessment) -> list[str]:
    names = [str(name) for name in assessment.interventions["intervention"].to_pylist()]
    what = listed([f"“{name}”" for name in names]) if names else "something that too few schools began to be named here"
    several = len(names) > 1
    said = [
        f"Started in some schools before others: {what}. A pyramid is the schools that pupils move through together, "
        "and counts as started once one of its schools has. Schools whose pyramid had started are set beside "
        f"{OTHERS}, by how each had changed since before. The pupils on roll before anything began are followed, "
        "whatever school of the council’s they went to later, so that moves between schools make no difference; how "
        "many left these figures is counted, and what that could hide is among the checks. These are other figures and "
        "another question than beside other councils: the two answers are never averaged.",
    ]
    of_absence = any(finding.outcome == ABSENCE for finding in assessment.findings)
    asked = any(check.name == "history" for finding in assessment.findings for check in finding.checks)
    if assessment.at_equal_history and of_absence:
        said.append(
            "Schools where absence stood unusually high or low just before often come back by themselves, whatever is "
            "done there. So what a school’s absence just before anything began, and on average until then, leads one "
            "to expect is taken out first, as far as a straight line can tell it"
            + ("; what the answer would be without that is among the checks." if asked else ".")
        )
    if several:
        said.append(
            "The answers are about starting the first of these, not about one of them apart from the others: each by "
            "itself is described only, where overall absence is told."
        )
    if assessment.every_school_starts:
        said.append(
            "In the end every school started, so this is the extra of starting earlier, not the difference that "
            "starting made as a whole."
        )
    return said


def _answer(story: Story) -> str:
    answer = f"<p><strong>{short(story)}.</strong> {html.escape(verdict(story), quote=False)}</p>"
    if story.assessed is None:
        return answer
    if story.assessed.inference == "exact":
        return f"{answer}\n{_paragraph(_few(story))}"
    return f"{answer}\n{verdict_bar(story, facts(story))}\n{_paragraph([*informs(story), *_noticed(story)])}"


def with_times(story: Story) -> Story:
    """The story of few events that also quotes how many times as many there were, of counts as rounded."""
    estimate = story.assessed
    if estimate is None or estimate.inference != "exact":
        return story
    low, high = (math.exp(end) for end in estimate.intervals["0.95"])
    value = math.exp(estimate.value)
    said = (
        Quoted(finding=story.finding.id, quantity="times", value=value, printed=f"about {value:.1f} times as many"),
        Quoted(
            finding=story.finding.id, quantity="range of times", value=None,
            printed=f"{math.floor(10 * low) / 10:.1f} to {math.ceil(10 * high) / 10:.1f} times",
        ),
    )  # fmt: skip
    return replace(story, quoted=(*story.quoted, *said))


def _few(story: Story) -> list[str]:
    """Instead of a bar, which shows differences from what is expected: nothing is expected of so few."""
    return [
        f"By the time that pupils were on roll there were {story.said['times']} in schools whose pyramid had started "
        f"as, in the same half-terms, in schools that had not started by then; range: {story.said['range of times']}. "
        "Ranges made this way would hold the truth 95 times in 100 if each came about by itself; they come several "
        "at a time, in some schools, so the truth lies outside more often. There are too few for an answer, and how "
        "these schools differed before is not taken out, so this does not say what starting did: the table of "
        "permanent exclusions counts them before and since. The ratio is worked out from rounded counts."
    ]


def verdict(story: Story) -> str:
    """The verdict in one sentence, failed checks named in it."""
    finding, but = story.finding, doubts(story)
    subject, low = story.subject, f"{story.subject[:1].lower()}{story.subject[1:]}"
    if finding.suppressed is not None:
        return f"{subject} in these schools is withheld, so that no child and no school can be recognised."
    if finding.verdict == "not_assessed":
        due = f"; it is to be told in {story.due}" if story.due else ""
        return f"{subject} {SINCE} is not assessed yet{due}."
    if finding.rule == 1:
        return f"{subject} {SINCE}: described only, the plan gives no verdict{but}."
    if finding.verdict == "cannot_tell":
        return (
            f"We cannot tell whether {low} in schools whose pyramid started differed from what {OTHERS} lead one to "
            f"expect{because(story)}{but}."
        )
    if finding.verdict == "as_expected":
        return (
            f"{subject} {SINCE} was about as expected: any difference from what {OTHERS} lead one to expect is smaller "
            f"than {story.said['smallest size']}, the smallest that was set {story.set_how} as worth having{but}."
        )
    matter = "by enough to matter" if finding.enough_to_matter else (
        f"whether by enough to matter ({story.said['smallest size']}) is not settled"
    )  # fmt: skip
    return (
        f"{subject} {SINCE} was {VERDICTS[finding.verdict].lower()}: {story.said['best guess']} "
        f"than {OTHERS} lead one to expect, {matter}{but}."
    )


def _noticed(story: Story) -> list[str]:
    if "noticed 4 in 5" not in story.said:
        return []
    return [f"A difference of {story.said['noticed 4 in 5']} would have been noticed 4 times in 5."]


def _paragraph(sentences: Sequence[str]) -> str:
    return f"<p>{html.escape(' '.join(sentences), quote=False)}</p>"
