"""What a council page says beside an answer: what is ruled out, what could be noticed, how often this is wrong."""

from __future__ import annotations

import math

from belonging_research.findings.noticing import noticing
from belonging_research.present.numbers import year
from belonging_research.present.story import Story

PANDEMIC = "2019/20"  # the first school year that it cut short
# Notebook 06 compares this outcome in every other way; of the others nothing of the kind is on a page.
_COMPARED_IN_EVERY_WAY = "overall_absence_rate"


def informs(story: Story) -> list[str]:
    """What is known besides: what the range leaves possible and what it rules out."""
    if story.assessed is None:
        return []
    return [*_range(story), *_ruled_out(story), *_small(story)]


def how_sure(story: Story) -> list[str]:
    """How far to rely on it: the chance of noticing, how strict this look is, how often the method was right."""
    if story.assessed is None:
        return []
    return [*_power(story), *_strict(story), *_held(story), *_wrong(story)]


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
            f"The range leaves out no difference, but the rule set {story.set_how} for this look asks for more, "
            "so nothing is claimed."
        )
    if finding.signal_to_examine:
        sentences.append("It is a signal to examine.")
    return sentences


def _held(story: Story) -> list[str]:
    """How often such ranges did hold the truth, where that was measured for this plan."""
    if "ranges held of 100" not in story.said:
        return []
    said = story.said
    worst = f", and {said['worst held of 100']} times {_window(story)}" if "worst held of 100" in said else ""
    return [
        f"On real councils, ranges meant to hold it {said['ranges meant of 100']} times in 100 did so "
        f"{said['ranges held of 100']} times in 100{worst}."
    ]


def _ruled_out(story: Story) -> list[str]:
    said, ruled_out = story.said, [each for each in ("gain", "loss") if each in story.finding.ruled_out]
    sentences = [
        f"By this comparison, a {each} that matters ({said[f'smallest {each}']} or more) is ruled out, by its "
        f"{said['range that rules out']} range."
        for each in ruled_out
    ]
    if ruled_out and (story.finding.layer, story.finding.outcome) == ("county", _COMPARED_IN_EVERY_WAY):
        sentences.append(
            "Other ways of comparing may leave it possible: “How well does the answer hold?” shows them side by side."
        )
    return sentences


def _small(story: Story) -> list[str]:
    if not story.finding.small_difference_noticed:
        return []
    return [f"A small difference was noticed: {story.said['best guess']}, too small to matter."]


def _power(story: Story) -> list[str]:
    said, sentences = story.said, []
    worth = f"an effect worth having ({said['smallest gain']})"
    likely = noticing(story.finding).chance
    if likely is not None and likely <= story.finding.alpha:
        sentences.append(f"This test was no likelier to notice {worth} than to raise a false alarm.")
    elif "chance" in said:
        odds = said["chance"]
        about = odds.replace("than ", "than a ") if odds.startswith(("less", "more")) else f"about a {odds}"
        sentences.append(f"This test had {about} chance of noticing {worth}.")
    if "noticed 4 in 5" in said:
        sentences.append(f"An effect of {said['noticed 4 in 5']} would have been noticed 4 times in 5.")
    if likely is not None and likely < 0.5 and "exaggeration" in said:
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
    """How often this very sentence is wrong, measured on councils where no change is assumed."""
    if "false better of 100" not in story.said:
        return []
    said = story.said
    meant = said["noticed meant of 100"]
    worst = (
        f" {_window(story).capitalize()}, {said['worst noticed of 100']} were noticed; but for the check of such false "
        f"alarms it would have said better for {said['worst better of 100']} and worse for "
        f"{said['worst worse of 100']}."
        if "worst better of 100" in said
        else ""
    )
    sentences = [
        f"Of 100 other councils, where no change is assumed, this look’s test noticed a difference in "
        f"{said['noticed of 100']} ({meant} {'is' if meant == '1' else 'are'} meant). With the false alarms that all "
        f"looks are allowed ({said['all looks meant of 100']} in 100), and after its checks, the method said better "
        f"for {said['false better of 100']}, worse for {said['false worse of 100']} and can’t tell for "
        f"{said['cannot tell of 100']}.{worst}"
    ]
    if "planted noticed of 100" in said:
        sentences.append(
            "With a gain planted in their figures, twice as large as can be noticed 4 times in 5, the test noticed "
            f"{said['planted noticed of 100']} and the method said better for {said['planted better of 100']}: in the "
            "others a check of their figures forbade an answer."
        )
    return sentences


def _window(story: Story) -> str:
    """The worst other window of the calibration in words: "in another window, across the pandemic"."""
    judged, carried = str(story.worst_window).split(" by ")
    across = carried < PANDEMIC < judged
    return f"in another window{', across the pandemic' if across else f' ({year(judged)} by {year(carried)})'}"
