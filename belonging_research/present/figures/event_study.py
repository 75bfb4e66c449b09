"""Schools by half-terms since their pyramid started: how far from what others lead one to expect, before and since."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from belonging_research.present.figures.canvas import GREY, NARROW, NAVY, PALE_GREY, Drawing, blank, room
from belonging_research.present.figures.twin import gap_words
from belonging_research.present.numbers import Scale, listed

_HEIGHT = 4.7
_YEAR = 6  # half-terms
_PALE_NAVY = "#D3DEE9"
_HEADINGS = {
    "half_term": "Half-terms since the start",
    "started": "Schools that had started",
    "others": "Schools beside them",
    "difference": "Difference",
    "range": "Range, for all half-terms at once",
}
Row = Mapping[str, Any]


def draw(rows: Sequence[Row], *, title: str, subject: str, measure: Scale, stamp: str) -> Drawing:
    """Differences with their band; ``rows`` of a cleared ``school_paths`` in the order of ``half_terms_since``.

    Half-terms before the start in grey, since in blue; a row without a difference may not be shown and leaves a gap.
    """
    said = replace(measure, effect_decimals=measure.decimals)  # as coarse as the door left them
    figure = blank(_HEIGHT, title, stamp, NARROW)
    notes = textwrap.wrap(_note(rows), 58)
    axes = room(figure, left=0.82, bottom=0.98 + 0.17 * len(notes), right=0.12, title=title)
    known = {row["half_terms_since"]: row for row in rows if row["difference"] is not None}
    base = _base(rows)
    axes.axhline(0, color=GREY, lw=1.1, zorder=1)
    axes.axvline(-0.5, color=GREY, lw=1.0, ls=":", zorder=1)
    _part(axes, known, [each for each in known if each <= base], GREY, PALE_GREY, "s")
    _part(axes, known, [each for each in known if each >= base], NAVY, _PALE_NAVY, "o")
    axes.plot(base, 0, marker="D", ms=7, mfc="white", mec=GREY, mew=1.6, zorder=5)
    _words(axes, base)
    _axis(axes, [row["half_terms_since"] for row in rows])
    figure.text(0.02, 0.34 / _HEIGHT, "\n".join(notes), fontsize=9.5, color=GREY, va="bottom", linespacing=1.25)
    return Drawing(
        figure=figure, title=title, alt=_alt(rows, subject, said), headings=_HEADINGS,
        rows=[_cells(row, said) for row in rows],
    )  # fmt: skip


def _base(rows: Sequence[Row]) -> int:
    """What the path is measured from: the row that counts nobody and hides nothing."""
    return next((int(row["half_terms_since"]) for row in rows if _is_base(row)), -1)


def _is_base(row: Row) -> bool:
    return row["started_schools"] is None and row["difference"] is not None


def _part(axes: Axes, known: Mapping[int, Row], at: Sequence[int], colour: str, pale: str, marker: str) -> None:
    """One side of the start: band, range and point of each half-term, broken where one may not be shown."""
    if not at:
        return
    every = range(min(at), max(at) + 1)
    values, low, high = ([_points(known.get(each), name) for each in every] for name in _NAMES)
    axes.fill_between(every, low, high, color=pale, lw=0, zorder=0)
    axes.plot(every, values, color=colour, lw=2.0, marker=marker, ms=4.2, zorder=3)
    axes.vlines(every, low, high, color=colour, lw=0.7, zorder=2)


_NAMES = ("difference", "difference_low", "difference_high")


def _points(row: Row | None, name: str) -> float:
    """In points; NaN, which breaks a line, where there is none. What is measured from has a range of nothing."""
    if row is None:
        return math.nan
    value = row["difference"] if _is_base(row) else row[name]
    return math.nan if value is None else 100 * float(value)


def _words(axes: Axes, base: int) -> None:
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.16 * (high - low), high + 0.24 * (high - low))
    beside: dict[str, Any] = {"xycoords": axes.get_xaxis_transform(), "textcoords": "offset points", "fontsize": 9.5}
    axes.annotate("before their start:\nshould lie around none", (-0.5, 1.0), xytext=(-6, -2), ha="right", va="top",
                  color=GREY, **beside)  # fmt: skip
    axes.annotate("since their\nstart", (-0.5, 1.0), xytext=(6, -2), ha="left", va="top", color=NAVY,
                  fontweight="bold", **beside)  # fmt: skip
    axes.annotate("measured from here", (base, 0.0), xycoords="data", xytext=(base, 0.03), va="bottom",
                  textcoords=axes.get_xaxis_transform(), ha="right", fontsize=9.5, color=GREY,
                  arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.7, "shrinkB": 4, "relpos": (1, 1)})  # fmt: skip


def _axis(axes: Axes, every: Sequence[int]) -> None:
    ticks = [each for each in range(min(every), max(every) + 1) if each % _YEAR == 0]
    axes.set_xticks(ticks, [_said(each).replace(" ", "\n") for each in ticks])
    axes.set_xlabel("Half-terms before and since the pyramid started")
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(gap_words))
    axes.set_ylabel("Difference, points")
    axes.tick_params(labelsize=9.5)


def _said(half_terms: int) -> str:
    """Half-terms since the start as readers hear them: "6 before", "start", "6 after"."""
    return "start" if half_terms == 0 else f"{abs(half_terms)} {'before' if half_terms < 0 else 'after'}"


def _note(rows: Sequence[Row]) -> str:
    """What the half-terms before say, what the band is, and whether something may not be shown."""
    parts = [_before(rows)]
    if any(row["difference_low"] is not None for row in rows):
        parts.append("Shaded: where the whole line may lie, 19 times in 20.")
    if any(row["difference"] is None for row in rows):
        parts.append("Gaps: too few schools to be shown, or what would give such a figure back.")
    return " ".join(parts)


def _before(rows: Sequence[Row]) -> str:
    """Whether the ranges before the start lie on both sides of none, to the decimals that the door left."""
    before = [row for row in rows if row["half_terms_since"] < 0 and row["difference_low"] is not None]
    if not before:
        return "No range: too few pyramids for one."
    outside = [row for row in before if row["difference_low"] >= 0 or row["difference_high"] <= 0]
    if not outside:
        return "Before their start all ranges reach both sides of none."
    return f"Before their start ranges reach both sides of none, but not at {listed([_where(row) for row in outside])}."


def _where(row: Row) -> str:
    return f"{_said(row['half_terms_since'])}"


def _cells(row: Row, measure: Scale) -> list[str]:
    where = _said(row["half_terms_since"])
    if row["difference"] is None:
        return [where, *["hidden"] * 4]
    if _is_base(row):
        return [where, "all", "all", "measured from here", "none"]
    low, high = row["difference_low"], row["difference_high"]
    counts = [f"{row[name]:,.0f}" for name in ("started_schools", "other_schools")]
    ends = "none: too few pyramids" if low is None else measure.between(low, high)
    return [where, *counts, measure.effect(row["difference"]), ends]


def _alt(rows: Sequence[Row], subject: str, measure: Scale) -> str:
    known = [row for row in rows if row["difference"] is not None and not _is_base(row)]
    since = [row for row in known if row["half_terms_since"] >= 0]
    before = [row for row in known if row["half_terms_since"] < 0]
    parts = [
        f"A line with a band by half-terms since the pyramid started: how far {subject[:1].lower()}{subject[1:]} in "
        "schools lay from what schools that had not started by then lead one to expect. A level line marks none, a "
        f"dotted one the start; everything is measured from {_said(_base(rows))}."
    ]
    if before:
        parts.append(f"Before the start, in grey: {_spread(before, measure)}.")
    if since:
        first, last = since[0], since[-1]
        parts.append(
            f"Since, in blue: {measure.effect(first['difference'])} ({_where(first)}) at first, "
            f"{measure.effect(last['difference'])} ({_where(last)}) at last; {_spread(since, measure)}."
        )
    return " ".join([*parts, _note(rows)])


def _spread(rows: Sequence[Row], measure: Scale) -> str:
    values = [row["difference"] for row in rows]
    return f"from {measure.effect(min(values))} to {measure.effect(max(values))}"
