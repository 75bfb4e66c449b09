"""Where every council stands beside what its comparison predicts, the treated one marked and nobody else named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from belonging_research.present.figures.canvas import FAINT, GREY, NAVY, ORANGE, PALE_GREY, Drawing, blank, room

_BIN = 0.1  # points a column of dots is wide


def draw(rows: Sequence[Mapping[str, Any]], *, title: str, place: str, sesoi: float, stamp: str) -> Drawing:
    """A dot a council, stacked by tenths of a point; ``rows`` of value (proportion) and treated; ``sesoi`` likewise."""
    points = np.array([100 * row["value"] for row in rows])
    treated = next((100 * row["value"] for row in rows if row["treated"]), None)
    columns = [int(each) for each in np.round(points / _BIN)]
    heights = [columns[:at].count(column) for at, column in enumerate(columns)]
    tallest = max(heights) + 1
    height = 2.0 + 0.11 * tallest
    figure = blank(height, title, stamp)
    axes = room(figure, left=0.35, bottom=0.62, right=0.35, title=title)
    axes.axvspan(-100 * sesoi, 100 * sesoi, color=PALE_GREY, lw=0, zorder=0)
    axes.axvline(0, color=GREY, lw=1, zorder=1)
    for column, up, row in zip(columns, heights, rows, strict=True):
        own = row["treated"]
        axes.plot(column * _BIN, up + 0.5, "D" if own else "o", color=ORANGE if own else NAVY,
                  ms=8 if own else 5, mec="white" if not own else "black", mew=0.4, zorder=3 if own else 2)  # fmt: skip
    if treated is not None:
        column = round(treated / _BIN)
        top = max(up for up, each in zip(heights, columns, strict=True) if each == column) + 1
        axes.annotate(place, (column * _BIN, top), (column * _BIN, top + 0.18 * tallest), ha="center", fontsize=9,
                      fontweight="bold", arrowprops={"arrowstyle": "-", "color": GREY})  # fmt: skip
    axes.text(0, 0.99, "too small to matter", transform=axes.get_xaxis_transform(), fontsize=8, color=GREY, va="top",
              ha="center", bbox={"facecolor": PALE_GREY, "edgecolor": "none", "pad": 1})  # fmt: skip
    axes.set_ylim(0, tallest * 1.35)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=FAINT, lw=0.4)
    ticks = axes.get_xticks()
    axes.set_xticks(ticks, [f"{abs(at):.1f}\n{'lower' if at < 0 else 'higher' if at > 0 else ''}" for at in ticks])
    axes.set_xlim(points.min() - 0.1, points.max() + 0.1)
    axes.set_xlabel("Points above or below what the comparison predicts")
    return Drawing(figure=figure, title=title, alt=_alt(points.tolist(), treated, title, place), headings=_HEADINGS,
                   rows=_table(columns, rows, place))  # fmt: skip


_HEADINGS = {"where": "Points from what is expected", "councils": "Councils", "marked": "Among them"}


def _table(columns: Sequence[int], rows: Sequence[Mapping[str, Any]], place: str) -> list[list[str]]:
    found = []
    for column in sorted(set(columns)):
        here = [row for each, row in zip(columns, rows, strict=True) if each == column]
        where = f"{abs(column) * _BIN:.1f} {'lower' if column < 0 else 'higher' if column > 0 else ''}".strip()
        found.append([where, str(len(here)), place if any(row["treated"] for row in here) else "none named"])
    return found


def _alt(points: Sequence[float], treated: float | None, title: str, place: str) -> str:
    values = np.asarray(points)
    inside = int((np.abs(values) < 0.25).sum())
    own = ""
    if treated is not None:
        further = int((np.abs(values) > abs(treated)).sum())
        own = (
            f" {place} is {abs(treated):.2f} {'lower' if treated < 0 else 'higher'}; {further} of the others are "
            "further from what is expected, in either direction."
        )
    return (
        f"A dot for each of {len(values)} councils, from {abs(values.min()):.1f} lower to "
        f"{values.max():.1f} higher than expected; {inside} within a quarter of a point.{own}"
    )
