"""The wording about which interventions were seen to matter: a description for heads, never an answer for each.

Every intervention that began in enough pyramids is told in the same words, in the order of its name: no ranking. First
comes whether they were seen to differ at all, since only then does it mean much that one looks better than another.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from belonging_research.findings import InterventionAssessment
from belonging_research.present.numbers import listed
from belonging_research.present.story import Quoted, Story
from belonging_research.present.words_schools import BY_SCHOOL

TITLE = "Which interventions were seen to matter"
_DIFFER = 0.05  # at which a spread is called more than chance often makes; nothing is decided by it


def page(made: InterventionAssessment, stories: Sequence[Story]) -> str:
    """Everything about interventions as HTML: whether they differ, then each in its own sentence."""
    if made.left_out:
        return f'<div class="{BY_SCHOOL}">\n{_paragraph(made.left_out)}\n</div>'
    parts = [f'<div class="{BY_SCHOOL}">', f"<h3>{TITLE}</h3>", _paragraph(_lead(made, stories))]
    if stories:
        items = "\n".join(f"<li>{html.escape(_one(story), quote=False)}</li>" for story in stories)
        parts += [f"<ul>\n{items}\n</ul>", _paragraph(_caution(made, stories))]
    parts.append(_paragraph([*_too_few(made), *_not_named(made)]))
    return "\n".join([*(part for part in parts if part), "</div>"])


def headline(made: InterventionAssessment) -> str:
    """What the part is about, in one line."""
    return TITLE if made.findings else f"{TITLE}: none can be described"


def with_schools(story: Story) -> Story:
    """The story with the number of schools that began with it, as the page prints it."""
    finding = story.finding
    if finding.estimate is None:
        return story
    n = finding.estimate.n_treated
    said = Quoted(finding=finding.id, quantity="schools", value=float(n), printed=f"about {n} schools")
    return _with(story, said)


def with_chance(made: InterventionAssessment, story: Story) -> Story:
    """The story that also quotes how often chance alone would put interventions so far apart."""
    row = _apart(made)
    if row is None:
        return story
    words = times_in_100(row["p_value"])
    said = Quoted(finding=story.finding.id, quantity="spread by chance", value=row["p_value"], printed=words)
    return _with(story, said)


def times_in_100(share: float) -> str:
    """A chance as often as it would come up: "about 33 times in 100", "less than once in 100"."""
    if share < 0.01:
        return "less than once in 100"
    n = round(100 * share)
    return "about once in 100" if n == 1 else f"about {n} times in 100"


def _with(story: Story, said: Quoted) -> Story:
    return replace(story, quoted=(*story.quoted, said))


def _apart(made: InterventionAssessment) -> Mapping[str, Any] | None:
    rows: list[dict[str, Any]] = made.told_apart.to_pylist()
    return rows[0] if rows else None


def _lead(made: InterventionAssessment, stories: Sequence[Story]) -> list[str]:
    row = _apart(made)
    if not stories:
        return ["No intervention began in enough schools and pyramids for what followed to be described apart."]
    if len(stories) == 1:
        return [
            f"Only {_quoted(stories[0])} can be described here, so nothing shows whether another would have done more "
            "or less."
        ]
    if row is None:
        return ["Whether these differ cannot be asked: too few pyramids began with each to tell it from chance."]
    times = stories[0].said["spread by chance"]
    said = [
        "They were not seen to differ by more than chance: if it made no difference which of them a pyramid began "
        f"with, they would look at least this far apart {times}. That does not say that they do the same, since among "
        "so few pyramids only a large difference would show."
        if row["p_value"] > _DIFFER
        else "They differed by more than chance often makes them: if it made no difference which of them a pyramid "
        f"began with, they would look at least this far apart {times}."
    ]
    if row["interventions"] > len(stories):
        said.append("What is not described here is counted in that.")
    if not row["within_starts"]:
        said.append("They began at different times, so a difference between them may be one between those times.")
    return said


def _one(story: Story) -> str:
    finding, said = story.finding, story.said
    if finding.suppressed is not None or finding.estimate is None:
        return f"{_quoted(story)}: withheld, so that no child and no school can be recognised."
    low = f"{story.subject[:1].lower()}{story.subject[1:]}"
    return (
        f"Where pyramids began with {_quoted(story)} ({said['schools']}), {low} was {said['best guess']} than schools "
        f"that had not started anything by then lead one to expect; range: {said['range at 95%']}."
    )


def _caution(made: InterventionAssessment, stories: Sequence[Story]) -> list[str]:
    said = [
        "This is a description, not an answer: the plan tests none of these one by one, and of several that do nothing "
        "one may well look good. Ranges made this way are meant to hold the truth 95 times in 100. "
        "Nothing records why a pyramid began with one thing and not with another, so whatever else set these schools "
        "apart may be in the difference. Schools count as what their pyramid began with, whatever they began later, "
        "and are followed from then on.",
    ]
    if len(made.groups) > 1:
        said.append(
            "Each is set beside schools whose pyramid had not started anything; those that started another thing are "
            "left out from then on."
        )
    several = [str(story.finding.subgroup) for story in stories if " + " in str(story.finding.subgroup)]
    if several:
        said.append(
            "What began together in the same pyramids and half-term cannot be told apart, and stands here as one."
        )
    if made.every_school_starts:
        said.append("In the end every school started, so each is the extra of starting earlier.")
    return said


def _too_few(made: InterventionAssessment) -> list[str]:
    """By reason, what has no number."""
    reasons: dict[str, list[str]] = {}
    for row in made.groups.to_pylist():
        if row["why"]:
            reasons.setdefault(row["why"], []).append(f"“{row['began_with']}”")
    return [f"No number for {listed(names)}: {_WHY[why]}." for why, names in sorted(reasons.items())]


# What the estimator says, in readers' words.
_WHY = {
    "began in fewer than three pyramids": "it began in fewer than three pyramids, too few to tell it from chance",
    "it could not be told from chance": "it could not be told from chance",
    "with the others it would give too few schools back": "beside the others it would tell of too few schools",
}


def _not_named(made: InterventionAssessment) -> list[str]:
    if not made.some_not_named:
        return []
    return ["What began in too few schools is not named, so that no school and no child can be recognised."]


def _quoted(story: Story) -> str:
    return f"“{story.finding.subgroup}”"


def _paragraph(sentences: Sequence[str]) -> str:
    return f"<p>{html.escape(' '.join(sentences), quote=False)}</p>" if sentences else ""
