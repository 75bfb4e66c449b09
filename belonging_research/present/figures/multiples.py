"""Small multiples: the treated place, its mix, similar councils and the country, each beside the others."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from belonging_research.present.figures.canvas import (
    FAINT,
    GREY,
    NARROW,
    NAVY,
    ORANGE,
    PLUM,
    TEAL,
    Drawing,
    blank,
)
from belonging_research.present.numbers import Scale, year

_ROW, _FOOT, _HEAD = 1.75, 0.50, 0.38  # inches: a row of panels, key and mark under them, title and first heading
_COLUMNS = 2
_LOOK = ((NAVY, "-", "o"), (ORANGE, (0, (5, 2)), "s"), (PLUM, "-.", "D"), (TEAL, (0, (1, 1.2)), "^"))
_INK = {ORANGE: "#B4430E", TEAL: "#14675F"}  # dark enough for text
Series = Mapping[str, Mapping[str, float]]


def draw(series: Series, *, title: str, subject: str, measure: Scale, start: str, since: str, stamp: str) -> Drawing:
    """One panel a group on one scale; ``series``: group, period, level; ``start`` is the first period."""
    periods = sorted({period for values in series.values() for period in values})
    rows = -(-len(series) // _COLUMNS)
    height = _HEAD + 0.2 * (len(title) > 48) + _ROW * rows + _FOOT
    figure = blank(height, title, stamp, NARROW)
    panels = _panels(figure, len(series), height)
    marked = start in periods[1:]
    for number, (axes, group) in enumerate(zip(panels, series, strict=True)):
        _panel(axes, series, group, periods, _LOOK[number % len(_LOOK)], measure)
        if marked:
            axes.axvline(periods.index(start) - 0.5, color=GREY, lw=0.9, ls=":")
        if number % _COLUMNS:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel(textwrap.fill(subject, 20), fontsize=9)
    key = [*(["Grey: the others"] if len(series) > 1 else []), *([f"dotted: {since}, the start"] if marked else [])]
    figure.text(0.012, 0.30 / height, "; ".join(key), fontsize=9.5, color=GREY, va="bottom")
    return Drawing(
        figure=figure,
        title=title,
        alt=_alt(series, periods, subject, measure, since if marked else ""),
        headings={"year": "Year", **{group: group for group in series}},
        rows=[[year(p), *(_level(series[g].get(p), measure) for g in series)] for p in periods],
    )


def _panels(figure: Figure, count: int, height: float) -> list[Axes]:
    left, right, gap, under, over = 0.72, 0.12, 0.18, 0.46, 0.26
    width = (NARROW - left - right - gap * (_COLUMNS - 1)) / _COLUMNS
    rows = -(-count // _COLUMNS)
    first: Axes | None = None
    panels: list[Axes] = []
    for number in range(count):
        row, column = divmod(number, _COLUMNS)
        bottom = _FOOT + (rows - 1 - row) * _ROW + under
        box = (
            (left + column * (width + gap)) / NARROW, bottom / height, width / NARROW, (_ROW - under - over) / height,
        )  # fmt: skip
        axes = figure.add_axes(box, sharey=first)
        first = first or axes
        panels.append(axes)
    return panels


def _panel(
    axes: Axes,
    series: Series,
    group: str,
    periods: Sequence[str],
    look: tuple[str, object, str],
    measure: Scale,
) -> None:
    colour, style, marker = look
    for other in series:
        if other != group:
            axes.plot(*_line(series[other], periods), color=FAINT, lw=1.0, zorder=1)
    at, levels = _line(series[group], periods)
    axes.plot(at, levels, color=colour, lw=2.4, ls=style, marker=marker, ms=4.5, zorder=3)
    axes.set_title(group, loc="left", color=_INK.get(colour, colour),
                   fontweight="bold", fontsize=10)  # fmt: skip
    last = periods[at[-1]]
    lower = sum(values.get(last, 0.0) < series[group][last] for values in series.values())
    above = 2 * lower >= len(series)
    axes.annotate(
        measure.level(series[group][last]).removesuffix(" per 100 pupils"), (at[-1], levels[-1]),
        xytext=(2, 9 if above else -16),
        textcoords="offset points", ha="right", fontsize=10, fontweight="bold", zorder=5,
        bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
    )  # fmt: skip
    shown = sorted({0, len(periods) - 1})
    axes.set_xticks(shown, [_short(periods[i]) for i in shown])
    for label, is_first in zip(axes.get_xticklabels(), (True, False), strict=False):
        label.set_horizontalalignment("left" if is_first else "right")
    axes.set_xlim(-0.4, len(periods) - 0.6)
    axes.margins(y=0.34)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    unit = "" if measure.per_100 else "%"
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}{unit}"))
    axes.grid(axis="y", color="#E3E3E3", lw=0.7)
    axes.set_axisbelow(True)


def _line(values: Mapping[str, float], periods: Sequence[str]) -> tuple[list[int], list[float]]:
    at = [i for i, period in enumerate(periods) if period in values]
    return at, [100 * values[periods[i]] for i in at]


def _short(period: str) -> str:
    return f"{period[:4]} to\n{int(period[:4]) + 1}"


def _level(value: float | None, measure: Scale) -> str:
    return "no figure" if value is None else measure.level(value)


def _alt(series: Series, periods: Sequence[str], subject: str, measure: Scale, since: str) -> str:
    parts = []
    for group, values in series.items():
        known = [period for period in periods if period in values]
        first, last = known[0], known[-1]
        parts.append(
            f"{group}: {measure.level(values[first])} in {year(first)}, {measure.level(values[last])} in {year(last)}"
        )
    mark = f"; the start, {since}, is marked" if since else ""
    return (
        f"{len(series)} line charts of {subject[:1].lower()}{subject[1:]} on one scale, the others grey in each{mark}. "
        f"{'; '.join(parts)}."
    )
