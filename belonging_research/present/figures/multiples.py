"""Small multiples: the treated place, its mix, similar councils and the country, each beside the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from belonging_research.present.figures.canvas import (
    FAINT,
    GREY,
    NAVY,
    ORANGE,
    PLUM,
    TEAL,
    WIDTH,
    Drawing,
    blank,
    top_margin,
)
from belonging_research.present.numbers import Scale, year

HEIGHT = 3.3
_LOOK = ((NAVY, "-", "o"), (ORANGE, (0, (5, 2)), "s"), (PLUM, "-.", "D"), (TEAL, (0, (1, 1.2)), "^"))
Series = Mapping[str, Mapping[str, float]]


def draw(series: Series, *, title: str, subject: str, measure: Scale, start: str, since: str, stamp: str) -> Drawing:
    """One panel a group on one scale; ``series``: group, period, level; ``start`` is the first period."""
    periods = sorted({period for values in series.values() for period in values})
    figure = blank(HEIGHT, title, stamp)
    panels = _panels(figure, len(series), title)
    for number, (axes, group) in enumerate(zip(panels, series, strict=True)):
        _panel(axes, series, group, periods, _LOOK[number % len(_LOOK)], measure)
        axes.axvline(periods.index(start) - 0.5 if start in periods else -1, color=GREY, lw=0.9, ls=":")
        if number:
            axes.tick_params(labelleft=False)
    panels[0].set_ylabel(subject)
    figure.text(0.012, 0.10 / HEIGHT, f"Dotted: {since}, the start", fontsize=8, color=GREY, va="bottom")
    return Drawing(
        figure=figure,
        title=title,
        alt=_alt(series, periods, title, subject, measure, since),
        headings={"year": "Year", **{group: group for group in series}},
        rows=[[year(p), *(_level(series[g].get(p), measure) for g in series)] for p in periods],
    )


def _panels(figure: Figure, count: int, title: str) -> list[Axes]:
    left, right, gap, bottom = 0.70, 0.15, 0.16, 0.72
    width = (WIDTH - left - right - gap * (count - 1)) / count
    top = top_margin(HEIGHT, title) - 0.2 / HEIGHT
    first: Axes | None = None
    panels: list[Axes] = []
    for number in range(count):
        box = ((left + number * (width + gap)) / WIDTH, bottom / HEIGHT, width / WIDTH, top - bottom / HEIGHT)
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
    axes.set_title(group, loc="left", color=colour if colour != ORANGE else "#B4430E", fontweight="bold")
    last = periods[at[-1]]
    lower = sum(values.get(last, 0.0) < series[group][last] for values in series.values())
    above = 2 * lower >= len(series)
    axes.annotate(
        measure.level(series[group][last]).removesuffix(" per 100 pupils"), (at[-1], levels[-1]),
        xytext=(2, 9 if above else -16),
        textcoords="offset points", ha="right", fontsize=9, fontweight="bold", zorder=5,
        bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
    )  # fmt: skip
    shown = sorted({0, len(periods) - 1})
    axes.set_xticks(shown, [_short(periods[i]) for i in shown])
    for label, is_first in zip(axes.get_xticklabels(), (True, False), strict=False):
        label.set_horizontalalignment("left" if is_first else "right")
    axes.set_xlim(-0.4, len(periods) - 0.6)
    axes.margins(y=0.18)
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


def _alt(series: Series, periods: Sequence[str], title: str, subject: str, measure: Scale, since: str) -> str:
    parts = []
    for group, values in series.items():
        known = [period for period in periods if period in values]
        first, last = known[0], known[-1]
        parts.append(
            f"{group}: {measure.level(values[first])} in {year(first)}, {measure.level(values[last])} in {year(last)}"
        )
    return (
        f"{title}. {len(series)} line charts side by side of {subject[:1].lower()}{subject[1:]}, on one "
        f"scale; the start, {since}, is marked. {'; '.join(parts)}."
    )
