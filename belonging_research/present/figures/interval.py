"""One estimate with its intervals, against what would be worth having and what could be noticed."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator

from belonging_research.estimators.result import Estimate
from belonging_research.findings.noticing import interval, noticing
from belonging_research.present.figures.canvas import (
    GREY,
    NARROW,
    NAVY,
    PALE_GREY,
    PALE_TEAL,
    PLUM,
    TEAL,
    Drawing,
    blank,
    room,
)
from belonging_research.present.story import Story, has_room

HEIGHT = 3.9


def draw(story: Story, estimate: Estimate, *, title: str, stamp: str) -> Drawing:
    """Horizontal intervals on an axis of the difference, lower to the left, the zone worth having shaded."""
    finding, measure = story.finding, story.scale
    levels = sorted({0.95, 1 - 2 * finding.alpha, 1 - finding.alpha})
    ends = {level: interval(estimate, level) for level in levels}
    figure = blank(HEIGHT, title, stamp, NARROW)
    axes = room(figure, left=0.15, bottom=0.95, right=0.15, title=title)
    reach = _reach(story, [end for pair in ends.values() for end in pair])
    axes.set_xlim(-reach, reach)
    axes.set_ylim(0, 1)
    _zones(axes, story, reach)
    _detectable(axes, story, estimate, noticing(story.finding).effect)
    for width, level in zip((7.0, 3.2, 1.4), levels, strict=False):
        low, high = (measure.number(max(-9, min(9, each))) for each in ends[level])
        axes.plot([low, high], [0.5, 0.5], color=NAVY, lw=width, solid_capstyle="butt", zorder=3)
    value = measure.number(estimate.value)
    axes.plot([value], [0.5], "o", ms=11, mfc="white", mec=NAVY, mew=3, zorder=4)
    # Words about a point near an edge begin or end there, so that none is cut off.
    side = "left" if value < -reach / 4 else "right" if value > reach / 4 else "center"
    anchor = {"left": -0.98 * reach, "right": 0.98 * reach}.get(side, value)
    axes.annotate(
        f"best guess: {story.said['best guess']}", (anchor, 0.5), xytext=(0, 13), textcoords="offset points",
        ha=side, fontsize=10.5, fontweight="bold", color=NAVY, zorder=5,
        bbox={"boxstyle": "square,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85},
    )  # fmt: skip
    shares = [f"{100 * level:.4g}%" for level in levels]
    axes.annotate(
        f"thick to thin: {', '.join(shares)} ranges", (anchor, 0.5), xytext=(0, -14),
        textcoords="offset points", ha=side, va="top", fontsize=9.5, color=GREY, zorder=2,
        bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.75},
    )  # fmt: skip
    _axis(axes, story)
    return Drawing(
        figure=figure,
        title=title,
        alt=_alt(story),
        headings={"what": "What", "value": "Difference from expected"},
        rows=_rows(story, {_named(level, finding.alpha): measure.between(*pair) for level, pair in ends.items()}),
    )


def _reach(story: Story, ends: list[float]) -> float:
    measure = story.scale
    finite = [abs(measure.number(end)) for end in ends if math.isfinite(end)]
    sizes = [1.8 * abs(measure.number(story.finding.sesoi)), *finite]
    noticed = noticing(story.finding).effect
    if noticed is None:
        return 1.12 * max(sizes)
    marked = max(abs(measure.number(noticed)), abs(measure.number(-noticed)))
    reach = 1.12 * max(*sizes, marked)
    # Words about a mark near the middle of a half have room neither inside nor outside it.
    return marked / 0.47 if 0.47 < marked / reach < 0.62 else reach


def _zones(axes: Axes, story: Story, reach: float) -> None:
    measure, sign, sesoi = story.scale, story.favourable, story.finding.sesoi
    gain, loss = measure.number(sign * sesoi), measure.number(-sign * sesoi)
    axes.axvspan(*sorted((gain, sign * reach)), color=PALE_TEAL, lw=0, zorder=0)
    axes.axvspan(*sorted((gain, loss)), color=PALE_GREY, lw=0, zorder=0)
    axes.axvline(gain, color=TEAL, lw=1.6, ls=(0, (4, 2)), zorder=1)
    axes.axvline(loss, color=GREY, lw=0.8, ls=(0, (4, 2)), zorder=1)
    axes.axvline(0, color=GREY, lw=1.2, zorder=1)
    axes.text(
        (gain + sign * reach) / 2, 0.955, f"worth having:\n{story.said['smallest gain']}\nor more",
        ha="center", va="top", fontsize=9.5, color="#14675F", fontweight="bold",
    )  # fmt: skip
    axes.text(
        (loss - sign * reach) / 2, 0.955, f"a loss that matters:\n{story.said['smallest loss']}\nor more",
        ha="center", va="top", fontsize=9.5, color=GREY,
    )  # fmt: skip


def _detectable(axes: Axes, story: Story, estimate: Estimate, noticed: float | None) -> None:
    if noticed is None:
        return
    measure = story.scale
    for sign in (story.favourable, -story.favourable):
        if not has_room(estimate, sign * noticed):
            continue
        at = measure.number(sign * noticed)
        axes.plot([at], [0.17], marker="^", ms=8, color=PLUM, zorder=4)
        inwards = abs(at) > axes.get_xlim()[1] / 2  # where there is more room
        side = "left" if (at < 0) == inwards else "right"
        axes.annotate(
            f"noticed 4 times\nin 5 if {measure.effect(sign * noticed)}".replace(" points ", " points\n"),
            (at, 0.17), xytext=(8 if side == "left" else -8, 0), textcoords="offset points",
            ha=side, va="center", fontsize=9.5, color=PLUM, linespacing=1.05,
        )  # fmt: skip


def _axis(axes: Axes, story: Story) -> None:
    noun = story.scale.noun.strip()
    axes.yaxis.set_visible(False)
    for side in ("left", "top", "right"):
        axes.spines[side].set_visible(False)
    low, high = axes.get_xlim()
    ticks = [tick for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.set_xticklabels([tick_words(tick) for tick in ticks])
    unit = "per cent" if noun == "%" else noun
    axes.set_xlabel(f"Difference from what the comparison mix predicts,\n{unit}", fontsize=9.5)


def tick_words(value: float) -> str:
    """A tick without a minus sign: "0.5 lower", "as expected", "0.5 higher"."""
    if abs(value) < 1e-12:
        return "as\nexpected"
    return f"{abs(value):g}\n{'higher' if value > 0 else 'lower'}"


def _named(level: float, alpha: float) -> str:
    """A range by its level and by what it is for, which is why several are drawn."""
    uses = (
        (0.95, "the usual one"),
        (1 - 2 * alpha, "what is beyond it can be ruled out"),
        (1 - alpha, "a difference is noticed only where it leaves out “as expected”"),
    )
    said = "; ".join(words for at, words in uses if math.isclose(level, at, abs_tol=1e-9))
    return f"Range, {100 * level:.4g}% ({said})"


def _rows(story: Story, ranges: dict[str, str]) -> list[list[str]]:
    said = story.said
    rows = [["Best guess", said["best guess"]]]
    rows += [[name, words] for name, words in ranges.items()]
    rows.append(["Worth having", f"{said['smallest gain']} or more"])
    rows.append(["A loss that matters", f"{said['smallest loss']} or more"])
    if "noticed 4 in 5" in said:
        rows.append(["Noticed 4 times in 5", said["noticed 4 in 5"]])
    return rows


def _alt(story: Story) -> str:
    said = story.said
    text = (
        f"A line with a point shows the difference from expected. Best guess: {said['best guess']}. "
        f"{story.range_name}: {said['still possible']}; 95% range: {said['range at 95%']}. "
        f"Shaded as worth having: {said['smallest gain']} or more."
    )
    if "noticed 4 in 5" in said:
        text += f" An effect of {said['noticed 4 in 5']} would have been noticed 4 times in 5."
    return text
