"""When more will be known: the figures that are still to come, and the looks that the plan set."""

from __future__ import annotations

from belonging_research.present.numbers import year
from belonging_research.present.story import Story
from belonging_research.sources.batch import published
from belonging_research.sources.layouts import Family


def usually_out(story: Story, period: str, *, yearly: bool = True) -> str:
    """The month by which its figures of a school year are usually out: "March 2027"."""
    family: Family = "exclusions" if story.finding.domain == "exclusions" else "absence"
    day = published(family, "academic_year", period) if yearly else published("daily", "year_to_date", period)
    return f"{day:%B %Y}"


def later(story: Story) -> list[str]:
    """The next news first: yearly figures where the finding rests on daily ones, then the plan's later looks."""
    if story.finding.suppressed is not None:
        return []
    sentences, looks = [], story.later_looks
    if story.provisional:
        sentences.append(
            f"Next: the yearly figures of {year(story.report_year)}, usually out by "
            f"{usually_out(story, story.report_year)}, will check these daily ones."
        )
    if not looks:
        return [*sentences, "The plan has no later test of it."]
    first, last = looks[0], looks[-1]
    if first != last:
        sentences.append(f"Next look: {first.due}, with the figures of {year(first.report_year)}.")
    return [*sentences, f"Last look: {last.due}, with the figures of {year(last.report_year)}."]


def more_to_come(story: Story) -> bool:
    """Whether an answer that is open now may still be given: a later look, or yearly figures after daily ones."""
    return story.provisional or bool(story.later_looks)
