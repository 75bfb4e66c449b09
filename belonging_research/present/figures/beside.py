"""A made-up county beside published figures: a mark for each on one line a figure, and both numbers written out."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from belonging_research.present.figures.canvas import (
    FAINT,
    GREY,
    NARROW,
    NAVY,
    ORANGE,
    Drawing,
    blank,
    nothing_to_draw,
    top_margin,
)

_NAME, _ZERO, _END, _MADE_UP, _PUBLISHED = 0.06, 1.78, 3.42, 3.95, 4.5  # inches from the left, of one axes over all
_LINE, _ROW, _HEAD, _KEY, _FOOT = 0.16, 0.06, 0.38, 0.50, 0.32
_HEADINGS = {
    "what": "Figure",
    "made_up": "Made-up county",
    "published": "Published",
    "gap": "Made up, against published",
    "source": "Published in",
}
_QUESTION = "Is the made-up county like a real one?"
Row = Mapping[str, Any]


def draw(rows: Sequence[Row], *, title: str | None, decimals: int, stamp: str) -> Drawing:
    """A panel a part, each on a scale of its own from nothing; ``rows`` of ``made_up_beside_published``, cleared.

    A part's name says what 100 is; a figure that the door hid has no mark and says so. Where the table has no figures,
    its first cell says why.
    """
    known = [row for row in rows if row["made_up"] is not None]
    if not known:
        return nothing_to_draw(_QUESTION.rstrip("?"), stamp, _why(rows))
    title = title or _furthest(known, decimals)
    parts = [(part, list(own)) for part, own in itertools.groupby(rows, key=lambda row: row["part"])]
    tall = _KEY + _FOOT + sum(_tall(part, own) for part, own in parts)
    height = tall + 1 - top_margin(1, title, NARROW)
    figure = blank(height, title, stamp, NARROW)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, NARROW)
    axes.set_ylim(0, height)
    at = top_margin(height, title, NARROW) * height
    _key(axes, at)
    at -= _KEY
    for part, own in parts:
        _panel(axes, at, part, own, decimals)
        at -= _tall(part, own)
    return Drawing(
        figure=figure,
        title=title,
        alt=_alt(parts, decimals),
        headings=_HEADINGS,
        rows=[_cells(row, decimals) for row in rows],
    )


def _why(rows: Sequence[Row]) -> str:
    found = [str(row["part"]) for row in rows if row["line"] is None]
    return f"{found[0]}." if found else "None of them may be shown."


def _tall(part: str, rows: Sequence[Row]) -> float:
    return _HEAD + _LINE * (len(_heading(part)) - 1) + sum(_LINE * len(_name(row)) + _ROW for row in rows)


def _heading(part: str) -> list[str]:
    return textwrap.wrap(part, 50)


def _name(row: Row) -> list[str]:
    return textwrap.wrap(row["line"], 24)


def _key(axes: Axes, top: float) -> None:
    at = top - 0.12
    axes.plot([_NAME + 0.08], [at], ls="none", marker="o", ms=7, color=NAVY)
    axes.text(_NAME + 0.2, at, "made up", fontsize=10, color=NAVY, va="center")
    axes.plot([_NAME + 1.08], [at], ls="none", marker="D", ms=6.5, mfc="white", mec=ORANGE, mew=1.8)
    axes.text(_NAME + 1.2, at, "published, of Dorset", fontsize=10, va="center")
    for x, word, weight in ((_MADE_UP, "made up", "bold"), (_PUBLISHED, "publ.", "normal")):
        axes.text(x, at, word, fontsize=9, ha="right", va="center", fontweight=weight, color=GREY)
    axes.text(
        _NAME, at - 0.22, "Each part has a scale of its own, from nothing.", fontsize=9.5, color=GREY, va="center"
    )


def _panel(axes: Axes, top: float, part: str, rows: Sequence[Row], decimals: int) -> None:
    lines = _heading(part)
    at = top - 0.14
    axes.text(_NAME, at, "\n".join(lines), fontsize=10, fontweight="bold", va="top", linespacing=1.1)
    at = top - _HEAD - _LINE * (len(lines) - 1)
    reach = max(max(row["published"], row["made_up"] or 0.0) for row in rows) or 1.0
    foot = at - sum(_LINE * len(_name(row)) + _ROW for row in rows)
    axes.plot([_ZERO, _ZERO], [at, foot], color=GREY, lw=0.8, zorder=1)
    for row in rows:
        high = _LINE * len(_name(row)) + _ROW
        _row(axes, at - high / 2, row, reach, decimals)
        at -= high


def _row(axes: Axes, at: float, row: Row, reach: float, decimals: int) -> None:
    made_up, published = row["made_up"], row["published"]
    axes.text(_NAME, at, "\n".join(_name(row)), fontsize=9.5, va="center", linespacing=1.15)
    axes.plot([_ZERO, _END], [at, at], color=FAINT, lw=0.5, zorder=0)
    theirs = _ZERO + published / reach * (_END - _ZERO)
    if made_up is not None:
        ours = _ZERO + made_up / reach * (_END - _ZERO)
        axes.plot([ours, theirs], [at, at], color=GREY, lw=1.6, zorder=1)
        axes.plot([ours], [at], ls="none", marker="o", ms=7, color=NAVY, zorder=2)
    axes.plot([theirs], [at], ls="none", marker="D", ms=6.5, mfc="none", mec=ORANGE, mew=1.8, zorder=3)
    axes.text(_MADE_UP, at, _said(made_up, decimals), fontsize=9.5, ha="right", va="center", fontweight="bold")
    axes.text(_PUBLISHED, at, _said(published, decimals), fontsize=9.5, ha="right", va="center")


def _said(value: float | None, decimals: int) -> str:
    """A proportion per 100."""
    return "hidden" if value is None else f"{100 * value:.{decimals}f}"


def _full_name(row: Row) -> str:
    return f"{row['part']}: {row['line'][:1].lower()}{row['line'][1:]}"


def _furthest(known: Sequence[Row], decimals: int) -> str:
    """What to see first is where the two differ most: that cannot flatter."""
    row = max(known, key=lambda row: abs(row["made_up_less_published"]))
    return (
        "The made-up county beside Dorset’s published figures. Furthest apart: "
        f"{_full_name(row)[:1].lower()}{_full_name(row)[1:]}, {_both(row, decimals, 'against')}"
    )


def _cells(row: Row, decimals: int) -> list[str]:
    made_up = row["made_up"]
    gap = "hidden" if made_up is None else _words(100 * row["made_up_less_published"], decimals)
    return [_full_name(row), _said(made_up, decimals), _said(row["published"], decimals), gap, row["source"]]


def _words(gap: float, decimals: int) -> str:
    size = f"{abs(gap):.{decimals}f}"
    return "the same" if float(size) == 0 else f"{size} {'higher' if gap > 0 else 'lower'}"


def _alt(parts: Sequence[tuple[str, Sequence[Row]]], decimals: int) -> str:
    """The line of each part on which the two are furthest apart; the others stand in the table."""
    said = []
    for part, own in parts:
        known = [row for row in own if row["made_up"] is not None]
        if known:
            row = max(known, key=lambda row: abs(row["made_up_less_published"]))
            said.append(f"{part}: {row['line']}, {_both(row, decimals, 'and')}")
    return (
        "For each figure a dot for the made-up county and a diamond for what was published of Dorset, in each part on "
        "a scale of its own from nothing. The line of each part on which they are furthest apart, made up first: "
        f"{'; '.join(said)}."
    )


def _both(row: Row, decimals: int, word: str) -> str:
    return f"{_said(row['made_up'], decimals)} {word} {_said(row['published'], decimals)}"
