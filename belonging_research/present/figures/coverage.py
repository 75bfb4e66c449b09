"""Week by week, how much of a council's registers arrived: a strip a year for each kind of school."""

from __future__ import annotations

import datetime as dt
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from belonging_research.present.figures.canvas import (
    GREY,
    NARROW,
    NAVY,
    ORANGE,
    PALE_GREY,
    Drawing,
    blank,
    top_margin,
)
from belonging_research.present.numbers import listed, year

ENOUGH = 0.9
_STRIP, _HEAD, _LEFT, _RIGHT = 0.30, 0.30, 0.98, 0.08  # inches
_BAR = _STRIP - 0.09
_MONTHS = {9: "Sept", 11: "Nov", 1: "Jan", 3: "March", 5: "May", 7: "July"}
_HEADINGS = {
    "kind": "Schools",
    "year": "Year",
    "lowest": "Lowest week: half-days with a mark",
    "under": "Weeks under nine tenths",
}
Row = Mapping[str, Any]
Box = tuple[float, float, float]  # left end, foot, share that arrived
Strips = Mapping[tuple[str, str], Sequence[Row]]


def draw(rows: Sequence[Row], *, title: str | None, stamp: str) -> Drawing:
    """A bar a week, as high as the share with marks; ``rows`` of a cleared ``coverage_by_week``."""
    strips: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda each: (each["kind"], each["week"])):
        strips.setdefault((row["kind"], row["period"]), []).append(row)
    kinds = list(dict.fromkeys(kind for kind, _ in strips))
    said = title or _lowest_said(rows)
    notes = textwrap.wrap(_key(rows), 58)
    foot = 0.66 + 0.17 * len(notes)
    inside = _STRIP * len(strips) + _HEAD * len(kinds)
    height = inside + foot + 0.34 + 0.20 * len(textwrap.wrap(said, int(76 * NARROW / 7.2)))
    figure = blank(height, said, stamp, NARROW)
    _strips(figure, strips, kinds, foot / height, top_margin(height, said, NARROW))
    figure.text(0.02, 0.32 / height, "\n".join(notes), fontsize=9.5, color=GREY, va="bottom", linespacing=1.25)
    return Drawing(figure=figure, title=said, alt=_alt(rows, kinds, said), headings=_HEADINGS, rows=_table(strips))


def _strips(figure: Figure, strips: Strips, kinds: Sequence[str], bottom: float, top: float) -> None:
    """All strips on one drawing area in inches from its foot, the first kind and year on top."""
    inside = _STRIP * len(strips) + _HEAD * len(kinds)
    box = (_LEFT / NARROW, bottom, 1 - (_LEFT + _RIGHT) / NARROW, top - bottom)
    axes = figure.add_axes(box)
    axes.set_ylim(0, inside)
    axes.set_xlim(-0.8, 47.5)
    at, boxes = inside, []
    for kind in kinds:
        at -= _HEAD
        axes.text(-0.262, at + 0.07, kind, transform=axes.get_yaxis_transform(), fontsize=10, fontweight="bold")
        for (own, period), weeks in strips.items():
            if own == kind:
                at -= _STRIP
                boxes.extend(_strip(axes, weeks, at + 0.05))
                axes.text(-0.262, at + 0.05, year(period), transform=axes.get_yaxis_transform(), fontsize=9.5,
                          color=GREY)  # fmt: skip
    _bars(axes, boxes)
    months = {_place(dt.date(2024 + (month < 8), month, 1), "2024/25"): words for month, words in _MONTHS.items()}
    axes.set_xticks(list(months), list(months.values()))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(labelsize=9.5)


def _strip(axes: Axes, weeks: Sequence[Row], floor: float) -> list[Box]:
    """Where each week's bar stands, and how much of it is full; a cross where it may not be shown."""
    boxes = []
    for row in weeks:
        at, share = _place(row["week"], row["period"]), row["share_with_marks"]
        if share is None:
            axes.plot(at, floor + _BAR / 2, marker="x", ms=4, mec=GREY, mew=1)
        else:
            boxes.append((at - 0.43, floor, float(share)))
    return boxes


def _bars(axes: Axes, boxes: Sequence[Box]) -> None:
    """All bars as four shapes, not hundreds: what is missing pale or edged in orange, what arrived blue or orange."""
    looks = ((True, PALE_GREY, "none", NAVY), (False, "white", ORANGE, ORANGE))
    for enough, empty, edge, full in looks:
        own = [box for box in boxes if (box[2] >= ENOUGH) == enough]
        if own:
            _rectangles(axes, own, [1.0] * len(own), fc=empty, ec=edge, lw=0.9)
            _rectangles(axes, own, [share for _, _, share in own], fc=full, ec="none", lw=0)


def _rectangles(axes: Axes, boxes: Sequence[Box], shares: Sequence[float], **look: Any) -> None:
    corners = [
        [(at, floor), (at + 0.86, floor), (at + 0.86, floor + _BAR * share), (at, floor + _BAR * share)]
        for (at, floor, _), share in zip(boxes, shares, strict=True)
    ]
    axes.add_patch(PathPatch(Path.make_compound_path_from_polys(np.array(corners)), **look))


def _place(day: dt.date, period: str) -> float:
    """Weeks since 1 September of the academic year; the last days of August come before."""
    return (day - dt.date(int(period[:4]), 9, 1)).days / 7


def _known(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["share_with_marks"] is not None]


def _lowest_said(rows: Sequence[Row]) -> str:
    known = _known(rows)
    if not known:
        return "Half-days with a mark by week: too few schools to be shown"
    least = min(known, key=lambda row: (row["share_with_marks"], row["week"]))
    share = _percent(least["share_with_marks"])
    if least["share_with_marks"] >= ENOUGH:
        return f"In every week {share}{' or more' if least['share_with_marks'] < 1 else ''} of half-days have a mark"
    kind = f"{least['kind'][:1].lower()}{least['kind'][1:]}"
    return f"Fewest marks in the week of {_day(least['week'])}: on {share} of half-days in {kind}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"


def _day(day: dt.date) -> str:
    return f"{day.day} {day:%B %Y}"


def _key(rows: Sequence[Row]) -> str:
    parts = ["A bar a week. Full: every half-day has a mark. Orange: under nine tenths. No bar: no school day."]
    if len(_known(rows)) < len(rows):
        parts.append("Cross: too few schools to be shown.")
    return " ".join(parts)


def _under(rows: Sequence[Row]) -> str:
    under = [row for row in _known(rows) if row["share_with_marks"] < ENOUGH]
    return listed([f"{_day(row['week'])} ({_percent(row['share_with_marks'])})" for row in under]) or "none"


def _table(strips: Strips) -> list[list[str]]:
    rows = []
    for (kind, period), weeks in strips.items():
        shares = [row["share_with_marks"] for row in _known(weeks)]
        lowest = _percent(min(shares)) if shares else "hidden"
        rows.append([kind, year(period), lowest, _under(weeks)])
    return rows


def _alt(rows: Sequence[Row], kinds: Sequence[str], title: str) -> str:
    names = listed([f"{kind[:1].lower()}{kind[1:]}" for kind in kinds])
    parts = [
        f"Bars, one a week from September to July and a strip a year, for {names}: of the half-days on which pupils "
        f"were on roll, the share with a mark. {title}."
    ]
    for kind in kinds:
        own = [row for row in rows if row["kind"] == kind]
        parts.append(f"{kind}, weeks under nine tenths: {_under(own)}.")
    return " ".join(parts)
