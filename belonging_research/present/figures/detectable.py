"""What each outcome's design could notice at each look, in units of the smallest effect that matters."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from belonging_research.present.figures.canvas import (
    GREY,
    NAVY,
    PALE_GREY,
    PALE_TEAL,
    PLUM,
    TEAL,
    Drawing,
    blank,
    room,
)
from belonging_research.present.numbers import Scale, listed, year
from belonging_research.present.story import short_name

Row = Mapping[str, Any]
Line = Sequence[Row]  # one outcome and phase, a row a look

LIMIT = 6.0  # effects beyond six times the smallest that matters end in an arrow
_ROLES = {"primary": "Main outcomes", "secondary": "Second outcomes", "exploratory": "Described only, no verdict"}
_SHAPES = (("o", NAVY), ("D", PLUM), ("s", TEAL), ("^", GREY))


def draw(lines: Sequence[Line], measures: Mapping[str, Scale], *, title: str, stamp: str) -> Drawing:
    """A row an outcome, and beneath a main one its phases; a shape an alpha; filled where a verdict is given."""
    shown = [line for line in lines if line[0]["phase"] == "all" or line[0]["role"] == "primary"]
    roles = list(dict.fromkeys(line[0]["role"] for line in shown))
    alphas = list(dict.fromkeys(row["alpha"] for line in shown for row in line))
    height = 1.75 + 0.36 * len(shown) + 0.34 * len(roles) + 0.16 * len(alphas)
    figure = blank(height, title, stamp)
    axes = room(figure, left=2.35, bottom=0.80 + 0.16 * len(alphas), right=0.25, title=title)
    _ground(axes, len(shown) + 0.9 * len(roles))
    at, names, last = 0.0, [], None
    for line in shown:
        role = line[0]["role"]
        if role != last:
            axes.text(-0.012, at, _ROLES[role], transform=axes.get_yaxis_transform(), ha="right", va="center",
                      fontsize=9, fontweight="bold", clip_on=False)  # fmt: skip
            last, at = role, at + 0.9
        names.append((at, _name(line[0])))
        _row(axes, at, line, alphas)
        at += 1
    axes.set_yticks([place for place, _ in names], ["\n".join(textwrap.wrap(name, 32)) for _, name in names])
    for number, words in enumerate(_legend(shown, alphas)):
        foot = (0.10 + 0.16 * (len(alphas) - 1 - number)) / height
        figure.text(0.012, foot, words, fontsize=8, color=_SHAPES[number % 4][1], va="bottom")
    return Drawing(
        figure=figure,
        title=title,
        alt=_alt(shown, measures, title),
        headings={
            "outcome": "Outcome", "row": "Row", "figures": "Figures", "look": "Look", "verdict": "Verdict at this look",
            "matters": "Smallest that matters", "noticed": "Noticed 4 times in 5", "times": "Times the smallest",
            "chance": "Chance to notice the smallest", "expected": "Can it be “as expected”?",
        },
        rows=[_cells(n, row, measures) for n, row in enumerate((r for line in lines for r in line), start=1)],
    )  # fmt: skip


def _ground(axes: Axes, deep: float) -> None:
    axes.set_xlim(0, LIMIT + 0.35)
    axes.set_ylim(deep - 0.4, -0.5)
    axes.axvspan(0, 1, color=PALE_TEAL, lw=0, zorder=0)
    axes.axvspan(1, LIMIT + 0.35, color=PALE_GREY, lw=0, alpha=0.55, zorder=0)
    axes.axvline(1, color=TEAL, lw=1.5, ls=(0, (4, 2)), zorder=1)
    axes.set_xticks(range(int(LIMIT) + 1), ["0", "just\nmatters", *(f"{n} times" for n in range(2, int(LIMIT) + 1))])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Effect noticed 4 times in 5, in units of the smallest that matters")


def _name(row: Row) -> str:
    if row["phase"] == "all":
        return short_name(row["label"])
    return f"– {row['phase']} schools"


def _row(axes: Axes, at: float, line: Line, alphas: Sequence[float]) -> None:
    known = {row["alpha"]: row for row in line if row["detectable"] is not None}
    if not known:
        axes.text(0.12, at, "too few figures before the start", fontsize=8, color=GREY, va="center")
        return
    places = {alpha: min(row["detectable"] / row["sesoi"], LIMIT) for alpha, row in known.items()}
    axes.plot([min(places.values()), max(places.values())], [at, at], color=GREY, lw=1.0, zorder=1)
    order = sorted(known, key=lambda alpha: known[alpha]["detectable"])
    for alpha in order:
        row = known[alpha]
        shape, colour = _SHAPES[alphas.index(alpha) % 4]
        tested = any(each["tested"] for each in line if each["alpha"] == alpha)
        beyond = row["detectable"] / row["sesoi"] > LIMIT
        axes.plot([places[alpha]], [at], ls="none", marker=">" if beyond else shape, ms=7.5, mec=colour, mew=1.6,
                  mfc=colour if tested else "white", zorder=3)  # fmt: skip
    _say(axes, at, [known[alpha]["detectable"] / known[alpha]["sesoi"] for alpha in order])


def _say(axes: Axes, at: float, times: Sequence[float]) -> None:
    """The least to the left of its shape, the most to the right; both to the left where they end in an arrow."""
    least, most = times[0], times[-1]
    if most > LIMIT:
        words = f"{least:.1f}" if least == most else f"{least:.1f} and {most:.1f}" if least > LIMIT else f"{most:.1f}"
        axes.text(LIMIT - 0.14, at - 0.30, words, fontsize=7.5, color=GREY, ha="right", va="center")
    elif most > least or len(times) == 1:
        axes.text(most + 0.13, at, f"{most:.1f}", fontsize=7.5, color=GREY, ha="left", va="center")
    if least <= LIMIT and len(times) > 1:
        axes.text(least - 0.13, at, f"{least:.1f}", fontsize=7.5, color=GREY, ha="right", va="center")


def _legend(lines: Sequence[Line], alphas: Sequence[float]) -> list[str]:
    shapes = {"o": "Circle", "D": "Diamond", "s": "Square", "^": "Triangle"}
    said = []
    for number, alpha in enumerate(alphas):
        looks = list(dict.fromkeys(year(r["report_year"]) for line in lines for r in line if r["alpha"] == alpha))
        word = "look" if len(looks) == 1 else "looks"
        chances, shape = f"{100 * alpha:g} in 100", shapes[_SHAPES[number % 4][0]]
        filled = "; filled: a verdict is given, hollow: none" if number == 0 else ""
        said.append(f"{shape}: {word} with the figures of {listed(looks)}, false alarms {chances}{filled}")
    return said


def _cells(number: int, row: Row, measures: Mapping[str, Scale]) -> list[str]:
    measure = measures[row["outcome"]]
    sign = 1 if row["better"] == "higher" else -1
    name = short_name(row["label"]) if row["phase"] == "all" else f"{short_name(row['label'])}, {row['phase']} schools"
    known = row["detectable"] is not None
    source = {"census": "yearly", "daily": "daily"}.get(row["source"] or "", "none")
    return [
        name,
        str(number),
        source,
        f"{year(row['report_year'])}, false alarms {100 * row['alpha']:g} in 100",
        "yes" if row["tested"] else "no",
        measure.limit_effect(sign * row["sesoi"]),
        measure.effect(sign * row["detectable"]) if known else "not known",
        f"{row['detectable'] / row['sesoi']:.1f}" if known else "not known",
        f"{100 * row['power_at_sesoi']:.0f} in 100" if known else "not known",
        {True: "yes", False: "practically not", None: "not known"}[row["as_expected_possible"]],
    ]


def _alt(lines: Sequence[Line], measures: Mapping[str, Scale], title: str) -> str:
    parts = []
    for line in lines:
        if line[0]["role"] == "exploratory" or line[0]["phase"] != "all":
            continue
        strict = {row["alpha"]: row for row in reversed(line) if row["tested"] and row["detectable"] is not None}
        said = [
            f"{measures[row['outcome']].effect((1 if row['better'] == 'higher' else -1) * row['detectable'])} with the "
            f"figures of {year(row['report_year'])} ({row['detectable'] / row['sesoi']:.1f} times the smallest)"
            for row in sorted(strict.values(), key=lambda row: row["report_year"])
        ]
        parts.append(f"{short_name(line[0]['label'])}: {listed(said) or 'not known'}")
    return f"One row for each outcome, what would be noticed 4 times in 5. {'; '.join(parts)}."
