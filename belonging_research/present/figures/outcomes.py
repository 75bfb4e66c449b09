"""Several findings in one picture, each in units of its own smallest difference worth having."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from belonging_research.findings.noticing import interval
from belonging_research.present.figures.canvas import (
    GREY,
    NAVY,
    PALE_GREY,
    PALE_TEAL,
    TEAL,
    Drawing,
    blank,
    room,
)
from belonging_research.present.story import Story

LIMIT = 5.0  # sizes beyond five times the smallest that matters end in an arrow


def draw(stories: Sequence[Story], names: Sequence[str], *, title: str, stamp: str) -> Drawing:
    """A row for each finding, its best guess and 95% interval, turned so that better is to the right."""
    height = 2.0 + 0.5 * len(stories)
    figure = blank(height, title, stamp)
    axes = room(figure, left=2.2, bottom=0.85, right=0.2, title=title)
    axes.set_xlim(-LIMIT - 0.3, LIMIT + 0.3)
    axes.set_ylim(len(stories) - 0.4, -1.3)
    axes.axvspan(-1, 1, color=PALE_GREY, lw=0, zorder=0)
    axes.axvspan(1, LIMIT + 0.3, color=PALE_TEAL, lw=0, zorder=0)
    axes.axvline(1, color=TEAL, lw=1.4, ls=(0, (4, 2)), zorder=1)
    axes.axvline(0, color=GREY, lw=1.1, zorder=1)
    _heads(axes)
    for row, story in enumerate(stories):
        _row(axes, row, story)
    axes.set_yticks(range(len(stories)), names)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xticks([-4, -2, 0, 2, 4], ["4 times", "2 times", "as expected", "2 times", "4 times"])
    axes.set_xlabel("Difference, in units of the smallest one worth having; line: 95% range")
    return Drawing(
        figure=figure,
        title=title,
        alt=_alt(stories, names, title),
        headings={"outcome": "Outcome", "guess": "Best guess", "range": "95% range", "worth": "Worth having"},
        rows=[_cells(story, name) for story, name in zip(stories, names, strict=True)],
    )


def _heads(axes: Axes) -> None:
    heads = (("worse", -3, GREY), ("too small\nto matter", 0, GREY), ("better,\nworth having", 3, "#14675F"))
    for words, at, colour in heads:
        axes.text(at, -1.24, words, ha="center", va="top", fontsize=8, color=colour, linespacing=1.0)


def _row(axes: Axes, row: int, story: Story) -> None:
    estimate = story.assessed
    if estimate is None:
        due = f", due {story.finding.due}" if story.finding.due else ""
        axes.text(0, row, f"not assessed yet{due}", ha="center", va="center", fontsize=8.5, color=GREY)
        return
    size, sign = story.finding.sesoi, story.favourable
    low, high = sorted(sign * end / size for end in interval(estimate, 0.95))
    value = max(-LIMIT, min(LIMIT, sign * estimate.value / size))
    axes.plot([max(low, -LIMIT), min(high, LIMIT)], [row, row], color=NAVY, lw=2.6, zorder=3)
    if low < -LIMIT:
        axes.plot([-LIMIT], [row], marker="<", ms=7, color=NAVY, zorder=3)
    if high > LIMIT:
        axes.plot([LIMIT], [row], marker=">", ms=7, color=NAVY, zorder=3)
    axes.plot([value], [row], "o", ms=8, mfc="white", mec=NAVY, mew=2.4, zorder=4)
    axes.annotate(
        story.said["best guess"], (value, row), xytext=(0, 7), textcoords="offset points", ha="center",
        fontsize=8, color="#1F1F1F", zorder=5,
        bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.75},
    )  # fmt: skip


def _cells(story: Story, name: str) -> list[str]:
    said = story.said
    none = "not assessed"
    return [name, said.get("best guess", none), said.get("range at 95%", none), said["smallest gain"]]


def _alt(stories: Sequence[Story], names: Sequence[str], title: str) -> str:
    parts = []
    for story, name in zip(stories, names, strict=True):
        plain = " ".join(name.split())
        if story.assessed is None:
            parts.append(f"{plain}: not assessed yet")
        else:
            parts.append(f"{plain}: {story.said['best guess']}, 95% range {story.said['range at 95%']}")
    return f"One row for each outcome, better to the right. {'; '.join(parts)}."
