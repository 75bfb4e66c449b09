"""The treated place beside its comparison mix, and their difference against what chance alone explains."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from belonging_research.estimators.result import PathPoint
from belonging_research.present.figures.canvas import (
    GREY,
    NARROW,
    NAVY,
    ORANGE,
    PALE_GREY,
    Drawing,
    blank,
    room,
    spread,
)
from belonging_research.present.numbers import Scale

TALL, SHORT = 5.0, 3.6  # with the panel of the difference, and without
_LEFT, _RIGHT, _BOTTOM, _GAP, _LOWER = 0.78, 1.34, 0.66, 0.16, 1.35  # inches
_MIX = "#B4430E"  # the palette's orange, dark enough for text


def draw(
    path: Sequence[PathPoint],
    *,
    title: str,
    place: str,
    subject: str,
    measure: Scale,
    since: str,
    stamp: str,
    compare: bool,
    errors: Sequence[float] = (),
) -> Drawing:
    """Levels of the place and its mix above; below, their difference with what chance alone explains.

    Without ``compare`` (before a look) only the place's own levels are drawn. ``errors`` (rates, the mean since the
    start) are what the same method finds in councils where no change is assumed: a faint line each.
    """
    points = sorted(path, key=lambda point: point.event_time)
    height = TALL if compare else SHORT
    figure = blank(height, title, stamp, NARROW)
    lift = _LOWER + _GAP if compare else 0.0
    upper = room(figure, left=_LEFT, bottom=_BOTTOM + lift, right=_RIGHT, title=title)
    _levels(upper, points, place, measure, compare=compare)
    start = sum(point.event_time < 0 for point in points) - 0.5
    marked = 0 < start < len(points) - 1
    if marked:
        upper.axvline(start, color=GREY, lw=1.0, ls=":")
        upper.annotate(
            f"start\n{since}", (start, 0.0), xycoords=("data", "axes fraction"), xytext=(-5, 4),
            textcoords="offset points", ha="right", va="bottom", fontsize=9.5, color=GREY,
        )  # fmt: skip
    _axis(upper, points, subject, measure)
    if compare:
        lower = figure.add_axes(
            (_LEFT / NARROW, _BOTTOM / height, 1 - (_LEFT + _RIGHT) / NARROW, _LOWER / height), sharex=upper
        )
        upper.tick_params(labelbottom=False)
        _difference(lower, points, measure, [100 * each for each in errors])
        if marked:
            lower.axvline(start, color=GREY, lw=1.0, ls=":")
    return Drawing(
        figure=figure,
        title=title,
        alt=_alt(points, place, subject, measure, since if marked else "", len(errors), compare=compare),
        headings=_headings(place, compare=compare),
        rows=_rows(points, measure, compare=compare),
    )


def _levels(axes: Axes, points: Sequence[PathPoint], place: str, measure: Scale, *, compare: bool) -> None:
    at, last = list(range(len(points))), points[-1]
    values, words, colours = [100 * last.actual], [f"{place}\n{measure.level(last.actual)}"], [NAVY]
    if compare:
        mix = [100 * point.predicted for point in points]
        axes.plot(at, mix, color=ORANGE, lw=2.2, ls=(0, (5, 2)), marker="s", ms=4.5)
        values.append(mix[-1])
        words.append(f"Comparison\nmix {measure.level(last.predicted)}")
        colours.append(_MIX)
    axes.plot(at, [100 * point.actual for point in points], color=NAVY, lw=2.6, marker="o", ms=5.5)
    axes.margins(x=0.04, y=0.14)
    low, high = axes.get_ylim()
    for value, text, colour in zip(spread(values, 0.22 * (high - low)), words, colours, strict=True):
        _beside(axes, value, text, colour, bold=True)


def _beside(axes: Axes, value: float, text: str, colour: str, *, bold: bool) -> None:
    axes.annotate(
        text, (1.0, value), xycoords=("axes fraction", "data"), xytext=(8, 0), textcoords="offset points",
        va="center", fontsize=10 if bold else 9.5, color=colour, fontweight="bold" if bold else "normal",
        annotation_clip=False,
    )  # fmt: skip


def _difference(axes: Axes, points: Sequence[PathPoint], measure: Scale, errors: Sequence[float]) -> None:
    at = list(range(len(points)))
    gaps = [100 * (point.actual - point.predicted) for point in points]
    ends = _fan(axes, points)
    axes.axhline(0, color=ORANGE, lw=1.8, ls=(0, (5, 2)))
    axes.plot(at, gaps, color=NAVY, lw=2.2, marker="o", ms=5)
    _faint(axes, points, errors)
    reach = 1.08 * max(abs(each) for each in (*gaps, *ends, *errors, 0.1))
    axes.set_ylim(-reach, reach)
    several = sum(point.event_time >= 0 for point in points) > 1
    own = _in_two(measure.gap(points[-1].actual - points[-1].predicted))
    values, words = [gaps[-1]], [f"{own} in\nlast year" if several else own]
    if ends:
        values.append(max(ends[-2:]) if gaps[-1] < 0 else min(ends[-2:]))
        words.append("grey: 19 in 20\nby chance alone")
    inside = 0.72 * reach  # three lines of words stay clear of the years below
    moved = spread([max(-inside, min(inside, value)) for value in values], 0.62 * reach)
    for number, (value, text) in enumerate(zip(moved, words, strict=True)):
        _beside(axes, value, text, GREY if number else NAVY, bold=not number)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(gap_words))
    axes.set_ylabel("Difference")
    axes.set_axisbelow(True)


def gap_words(value: float, _: object) -> str:
    """A tick of an axis of differences, in points: "0.5" above "higher"."""
    if abs(value) < 1e-9:
        return "none"
    return f"{abs(value):g}\n{'higher' if value > 0 else 'lower'}"


def _in_two(gap: str) -> str:
    """A difference on two lines: "0.25 points" above "higher"."""
    size, _, way = gap.rpartition(" ")
    return f"{size}\n{way}"


def _faint(axes: Axes, points: Sequence[PathPoint], errors: Sequence[float]) -> None:
    """A line for each council where no change is assumed: from none before the start to its mean error since."""
    after = [i for i, point in enumerate(points) if point.event_time >= 0]
    if not errors or not after:
        return
    at, level = [], []
    for error in errors:
        at += [max(after[0] - 1, 0), after[0], after[-1], float("nan")]
        level += [0.0, error, error, float("nan")]
    axes.plot(at, level, color="#8C8C8C", lw=0.4, alpha=0.3, zorder=0.7)


def _fan(axes: Axes, points: Sequence[PathPoint]) -> list[float]:
    """The range of the difference by chance alone, in points around none; its ends, period by period."""
    inside = [
        (i, 100 * (p.low - p.predicted), 100 * (p.high - p.predicted))
        for i, p in enumerate(points)
        if p.low is not None and p.high is not None
    ]
    if not inside:
        return []
    at, low, high = ([*each] for each in zip(*inside, strict=True))
    if at[0] > 0:  # it opens from the last period before the start
        at, low, high = [at[0] - 1, *at], [0.0, *low], [0.0, *high]
    axes.fill_between(at, low, high, color=PALE_GREY, lw=0, zorder=0)
    for edge in (low, high):
        axes.plot(at, edge, color="#9A9A9A", lw=0.8, zorder=0.5)
    return [end for _, *pair in inside for end in pair]


def _axis(axes: Axes, points: Sequence[PathPoint], subject: str, measure: Scale) -> None:
    step = max(1, -(-len(points) // 4))
    ticks = [i for i in range(len(points)) if (len(points) - 1 - i) % step == 0]
    axes.set_xticks(ticks, [_tick(points[i].period) for i in ticks])
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    unit = "" if measure.per_100 else "%"
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}{unit}"))
    axes.set_ylabel(subject)
    axes.grid(axis="y", color="#E3E3E3", lw=0.7)
    axes.set_axisbelow(True)


def _tick(period: str) -> str:
    return f"{period[:4]} to\n{int(period[:4]) + 1}" if period[4:5] == "/" else period


def _said(period: str) -> str:
    return f"{period[:4]} to {int(period[:4]) + 1}" if period[4:5] == "/" else period


def _headings(place: str, *, compare: bool) -> dict[str, str]:
    headings = {"year": "Year", "place": place}
    if compare:
        headings |= {"mix": "Comparison mix", "gap": "Difference"}
        headings |= {"low": "Lowest by chance, 19 times in 20", "high": "Highest by chance, 19 times in 20"}
    return headings


def _rows(points: Sequence[PathPoint], measure: Scale, *, compare: bool) -> list[list[str]]:
    rows = []
    for point in points:
        row = [_said(point.period), measure.level(point.actual)]
        if compare:
            row += [measure.level(point.predicted), measure.gap(point.actual - point.predicted)]
            row += ["none" if end is None else measure.level(end) for end in (point.low, point.high)]
        rows.append(row)
    return rows


def _alt(
    points: Sequence[PathPoint],
    place: str,
    subject: str,
    measure: Scale,
    since: str,
    n_errors: int,
    *,
    compare: bool,
) -> str:
    first, last = points[0], points[-1]
    mark = f"; the start, {since}, is marked" if since else ""
    text = (
        f"Line chart of {subject[:1].lower()}{subject[1:]} from {_said(first.period)} to the year "
        f"{_said(last.period)}{mark}. {place}: {measure.level(first.actual)} at first, {measure.level(last.actual)} at "
        "last."
    )
    if not compare:
        return text
    text += (
        f" Comparison mix: {measure.level(first.predicted)} at first, "
        f"{measure.level(last.predicted)} at last, a difference of {measure.gap(last.actual - last.predicted)} in that "
        "year."
    )
    if last.low is not None and last.high is not None:
        text += f" By chance alone {place} would lie between {measure.level(last.low)} and "
        text += f"{measure.level(last.high)} 19 times in 20: the grey band."
    if n_errors:
        text += f" Faint lines: the same for each of {n_errors} other councils, where no change is assumed."
    return text
