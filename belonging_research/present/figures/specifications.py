"""Every way of making one comparison: the answers in order, and below each of them what was chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from belonging_research.present.figures.canvas import (
    FAINT,
    GREY,
    NAVY,
    PALE_GREY,
    PALE_TEAL,
    PLUM,
    TEAL,
    WIDTH,
    Drawing,
    blank,
)
from belonging_research.present.numbers import Scale
from belonging_research.present.words_checks import FIGURES, METHODS

Row = Mapping[str, Any]

_LEFT, _RIGHT, _CURVE, _GAP, _STEP = 2.25, 0.95, 2.5, 0.34, 0.165  # inches
_ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """One line of the grid: a heading (no ``holds``), or a choice and which rows made it."""

    words: str
    holds: Callable[[Row], bool] | None = None


def draw(
    rows: Sequence[Row], *, title: str, subject: str, measure: Scale, sesoi: float, better: str, stamp: str
) -> Drawing:
    """``rows`` of a specification curve, lowest first; exactly one may be ``registered``."""
    choices = _choices(rows)
    below = _STEP * len(choices)
    height = 0.55 + 0.20 * (len(title) > 76) + _CURVE + _GAP + below + 0.42
    figure = blank(height, title, stamp)
    curve = _place(figure, height, 0.42 + below + _GAP, _CURVE)
    grid = _place(figure, height, 0.42, below)
    _curve(curve, rows, subject, measure, sesoi if better == "higher" else -sesoi)
    _grid(grid, rows, choices)
    return Drawing(
        figure=figure,
        title=title,
        alt=_alt(rows, title, measure, sesoi),
        headings={
            "method": "Method", "figures": "Figures", "without": "Councils compared", "base": "Years before",
            "penalty": "Penalty", "difference": "Difference from expected", "range": "Range (95%)",
            "plan": "In the plan", "place": "Place, lowest first",
        },
        rows=[_cells(place, row, measure) for place, row in enumerate(rows, start=1)],
    )  # fmt: skip


def _place(figure: Figure, height: float, bottom: float, tall: float) -> Axes:
    return figure.add_axes((_LEFT / WIDTH, bottom / height, 1 - (_LEFT + _RIGHT) / WIDTH, tall / height))


def _curve(axes: Axes, rows: Sequence[Row], subject: str, measure: Scale, gain: float) -> None:
    ends = [measure.number(each) for row in rows for each in (row["low"], row["high"])]
    reach = 1.08 * max(abs(each) for each in (*ends, measure.number(gain), measure.number(-gain)))
    worth, loss = measure.number(gain), measure.number(-gain)
    axes.set_xlim(-1, len(rows))
    axes.set_ylim(-reach, 1.2 * reach)
    axes.axhspan(*sorted((worth, loss)), color=PALE_GREY, lw=0, zorder=0)
    axes.axhspan(*sorted((worth, 1.2 * reach if worth > 0 else -reach)), color=PALE_TEAL, lw=0, zorder=0)
    axes.axhline(0, color=GREY, lw=1.1, zorder=1)
    for edge, colour in ((worth, TEAL), (loss, GREY)):
        axes.axhline(edge, color=colour, lw=1.0, ls=(0, (4, 2)), zorder=1)
    own = next((place for place, row in enumerate(rows) if row["registered"]), None)
    others = [place for place in range(len(rows)) if place != own]
    lows, highs, values = ([measure.number(row[name]) for row in rows] for name in ("low", "high", "value"))
    axes.vlines(others, [lows[i] for i in others], [highs[i] for i in others], color=NAVY, lw=1.2, alpha=0.55, zorder=2)
    axes.plot(others, [values[i] for i in others], ls="none", marker="o", ms=4, color=NAVY, zorder=3)
    if own is not None:
        axes.plot([own, own], [lows[own], highs[own]], color=PLUM, lw=2.6, zorder=2)
        axes.plot([own], [values[own]], ls="none", marker="D", ms=8, mfc="white", mec=PLUM, mew=2.4, zorder=4)
        _name_own(axes, own, reach, measure.effect(rows[own]["value"]), len(rows))
    _words_beside(axes, worth, reach)
    _ticks(axes, subject, measure, reach)


def _name_own(axes: Axes, place: int, reach: float, said: str, n_rows: int) -> None:
    right = place > 0.5 * n_rows
    axes.text(
        place, 1.17 * reach, f"the plan’s way: {said}", ha="right" if right else "left", va="top", fontsize=9,
        fontweight="bold", color=PLUM, zorder=5, bbox={"boxstyle": "square,pad=0.15", "fc": "white", "ec": "none"},
    )  # fmt: skip


def _words_beside(axes: Axes, worth: float, reach: float) -> None:
    middle = (worth + (reach if worth > 0 else -reach)) / 2
    said = (
        (0.0, "too small\nto matter", GREY),
        (middle, "a gain that\nmatters", "#14675F"),
        (-middle, "a loss that\nmatters", GREY),
    )
    for at, text, colour in said:
        axes.annotate(
            text, (1.0, at), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
            va="center", fontsize=8, color=colour, annotation_clip=False,
        )  # fmt: skip


def _ticks(axes: Axes, subject: str, measure: Scale, reach: float) -> None:
    ticks = [each for each in MaxNLocator(8, steps=[1, 2, 2.5, 5, 10]).tick_values(-reach, reach) if abs(each) <= reach]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.set_yticklabels([_tick(each) for each in ticks])
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    noun = measure.noun.strip()
    axes.set_ylabel(f"{subject},\ndifference from expected,\n{'per cent' if noun == '%' else noun}", fontsize=8.5)


def _tick(value: float) -> str:
    if abs(value) < 1e-9:
        return "as expected"
    return f"{abs(value):g} {'higher' if value > 0 else 'lower'}"


def _choices(rows: Sequence[Row]) -> list[_Choice]:
    """The lines of the grid: for each kind of choice a heading and the choices that some row made."""
    found = [_Choice(words="Method")]
    found += [_Choice(words=METHODS[m], holds=_is("method", m)) for m in METHODS if any(r["method"] == m for r in rows)]
    found.append(_Choice(words="Figures"))
    found += [_Choice(words=FIGURES[s], holds=_is("source", s)) for s in FIGURES if any(r["source"] == s for r in rows)]
    found.append(_Choice(words="Councils compared"))
    left = dict.fromkeys(row["donors"] for row in sorted(rows, key=lambda row: (row["donors"] != _ALL, row["donors"])))
    found += [_Choice(words=_without(each), holds=_is("donors", each)) for each in left]
    found.append(_Choice(words="Years before"))
    bases = sorted({row["base"] for row in rows}, key=lambda base: (len(base), base))
    found += [_Choice(words=_years(base), holds=_is("base", base)) for base in bases]
    penalties = sorted({row["penalty"] for row in rows if row["penalty"] is not None})
    if penalties:
        found.append(_Choice(words="Penalty of the corrected mix"))
        found += [_Choice(words=f"{each:g}", holds=_is("penalty", each)) for each in penalties]
    return found


def _is(name: str, value: object) -> Callable[[Row], bool]:
    return lambda row: bool(row[name] == value)


def _without(donors: str) -> str:
    short = {
        _ALL: "all of them",
        "without councils that border it": "without those that border it",
        "without councils of its region": "without its region",
        "without councils whose registers are incomplete": "without incomplete registers",
    }
    return short.get(donors, donors)


def _years(base: str) -> str:
    years = base.split(" and ")
    return f"{years[0][:4]} to {int(years[-1][:4]) + 1}"


def _grid(axes: Axes, rows: Sequence[Row], choices: Sequence[_Choice]) -> None:
    axes.set_xlim(-1, len(rows))
    axes.set_ylim(len(choices) - 0.5, -0.5)
    axes.set_axis_off()
    own = next((place for place, row in enumerate(rows) if row["registered"]), None)
    if own is not None:
        axes.axvspan(own - 0.5, own + 0.5, color="#F3DCE7", lw=0, zorder=0)
    edge = -1 - 0.012 * len(rows)
    for line, choice in enumerate(choices):
        if choice.holds is None:
            axes.text(edge, line, choice.words, ha="right", va="center", fontsize=8.5, fontweight="bold", clip_on=False)
            continue
        axes.text(edge, line, choice.words, ha="right", va="center", fontsize=8, color=GREY, clip_on=False)
        axes.plot([-0.5, len(rows) - 0.5], [line, line], color=FAINT, lw=0.5, zorder=0.5)
        chosen = [place for place, row in enumerate(rows) if choice.holds(row) and place != own]
        axes.plot(chosen, [line] * len(chosen), ls="none", marker="o", ms=3.6, color=NAVY, zorder=2)
        if own is not None and choice.holds(rows[own]):
            axes.plot([own], [line], ls="none", marker="D", ms=5, mfc="white", mec=PLUM, mew=1.8, zorder=3)


def _cells(place: int, row: Row, measure: Scale) -> list[str]:
    return [
        METHODS.get(row["method"], row["method"]),
        FIGURES.get(row["source"], row["source"]),
        _without(row["donors"]),
        _years(row["base"]),
        "none" if row["penalty"] is None else f"{row['penalty']:g}",
        measure.effect(row["value"]),
        measure.between(row["low"], row["high"]),
        "yes" if row["registered"] else "no",
        str(place),
    ]


def _alt(rows: Sequence[Row], title: str, measure: Scale, sesoi: float) -> str:
    clear = sum(row["low"] > 0 or row["high"] < 0 for row in rows)
    small = sum(abs(row["value"]) < sesoi for row in rows)
    own = next((row for row in rows if row["registered"]), None)
    text = (
        f"Each way is a point with its 95% range, lowest first; dots below say what was chosen. The lowest "
        f"says {measure.effect(rows[0]['value'])}, the highest {measure.effect(rows[-1]['value'])}."
    )
    if own is not None:
        text += (
            f" The plan’s way, a diamond, says {measure.effect(own['value'])}, range "
            f"{measure.between(own['low'], own['high'])}."
        )
    how_many = f"{small} of them are" if small else "None of them is"
    text += f" {how_many} smaller than the smallest difference that matters;"
    reach = f"{clear} of the ranges do not reach what is expected" if clear else "every range reaches what is expected"
    return f"{text} {reach}."
