"""All checks of one finding on one picture, and those that failed, each value beside its limit."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from belonging_research.checks.result import CheckResult
from belonging_research.present import words_checks as words
from belonging_research.present.figures.canvas import (
    GREY,
    NAVY,
    PALE_GREY,
    PLUM,
    WIDTH,
    Drawing,
    blank,
    top_margin,
)
from belonging_research.present.numbers import Scale

# One drawing area over the whole figure, in inches: names, statuses and values line up with the dots.
_NAME, _MARK, _WORD, _ZERO, _LIMIT, _END, _VALUE = 0.12, 2.80, 2.93, 4.16, 4.86, 5.42, 5.56
HEADINGS = {
    "check": "Check",
    "status": "Status",
    "value": "Value and limit",
    "share": "Share of the limit used",
    "weight": "If it fails",
    "row": "Row",
}
_ROW, _HEAD, _LINE = 0.26, 0.34, 0.125
_LOOKS: dict[words.Standing, dict[str, object]] = {
    "pass": {"marker": "o", "ms": 7, "mfc": NAVY, "mec": NAVY},
    "fail": {"marker": "X", "ms": 8.5, "mfc": PLUM, "mec": PLUM},
    "known": {"marker": "s", "ms": 6, "mfc": GREY, "mec": GREY},
    "no_test": {"marker": "D", "ms": 6, "mfc": "white", "mec": GREY, "mew": 1.4},
    "not_asked": {"marker": "_", "ms": 8, "mec": GREY, "mew": 1.6},
}
_INK: dict[words.Standing, str] = {"pass": NAVY, "fail": PLUM, "known": GREY, "no_test": GREY, "not_asked": GREY}


def draw(checks: Sequence[CheckResult], measure: Scale, *, title: str, stamp: str) -> Drawing:
    """A row a check, grouped by how much it weighs: its status by shape and word, its value against its limit."""
    names = [textwrap.wrap(words.name(check), 39) for check in checks]
    groups = list(dict.fromkeys(check.severity for check in checks))
    tall = sum(_height(lines) for lines in names) + _HEAD * len(groups) + 0.62
    figure, axes, top = _sheet(tall, title, stamp)
    at, last = top - 0.24, None
    foot = top - tall + 0.30
    _limit_line(axes, top - 0.16, foot)
    for check, lines in zip(checks, names, strict=True):
        if check.severity != last:
            last, at = check.severity, at - _HEAD
            axes.text(_NAME, at + 0.04, words.GROUPS[check.severity], fontsize=9, fontweight="bold", va="center")
            axes.plot([_NAME, WIDTH - 0.12], [at - 0.09] * 2, color=GREY, lw=0.7)
        height = _height(lines)
        _row(axes, at - 0.10 - height / 2, check, lines, measure)
        at -= height
    axes.text(_ZERO, foot - 0.08, "well inside", fontsize=7.5, color=GREY, ha="center", va="top")
    axes.text(_END, foot - 0.08, "beyond", fontsize=7.5, color=GREY, ha="center", va="top")
    return Drawing(
        figure=figure,
        title=title,
        alt=_alt(checks, measure, title),
        headings=HEADINGS,
        rows=[cells(number, check, measure) for number, check in enumerate(checks, start=1)],
    )  # fmt: skip


def cells(number: int, check: CheckResult, measure: Scale) -> list[str]:
    """A check as the cells of its row in a table."""
    share = words.share_of_limit(check)
    return [
        words.name(check),
        words.STANDINGS[words.standing(check)],
        words.measured(check, measure) or "none",
        "none" if share is None else _percent(share),
        words.SEVERITIES[check.severity],
        str(number),
    ]


def _percent(share: float) -> str:
    return "over 1000%" if share > 10 else f"{100 * share:.0f}%"


def _height(lines: Sequence[str]) -> float:
    return max(_ROW, 0.12 + _LINE * len(lines))


def _sheet(tall: float, title: str, stamp: str) -> tuple[Figure, Axes, float]:
    """A blank figure with ``tall`` inches below its title, axes over all of it in inches, and where they begin."""
    over = 0.30 + 0.20 * len(textwrap.wrap(title, 76))
    height = tall + over + 0.12
    figure = blank(height, title, stamp)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(0, height)
    return figure, axes, top_margin(height, title) * height


def _limit_line(axes: Axes, top: float, foot: float) -> None:
    axes.fill_betweenx([foot, top - 0.05], _LIMIT, _END + 0.08, color=PALE_GREY, lw=0, zorder=0)
    axes.plot([_LIMIT, _LIMIT], [foot, top - 0.05], color=GREY, lw=1.2, zorder=1)
    axes.plot([_ZERO, _ZERO], [foot, top - 0.05], color=GREY, lw=0.6, zorder=1)
    axes.text(_LIMIT, top, "limit", fontsize=8, color=GREY, ha="center", va="bottom")
    axes.text(_VALUE, top, "value, and its limit", fontsize=8, color=GREY, ha="left", va="bottom")


def _row(axes: Axes, at: float, check: CheckResult, lines: Sequence[str], measure: Scale) -> None:
    status = words.standing(check)
    axes.text(_NAME, at, "\n".join(lines), fontsize=8.5, va="center", linespacing=1.05)
    axes.plot([_MARK], [at], ls="none", **_LOOKS[status])  # type: ignore[arg-type]
    bold = "bold" if status == "fail" else "normal"
    axes.text(_WORD, at, words.STANDINGS[status], fontsize=8, color=_INK[status], va="center", fontweight=bold)
    share, said = words.share_of_limit(check), words.measured(check, measure)
    if share is not None:
        end = min(_ZERO + share * (_LIMIT - _ZERO), _END)
        axes.plot([_ZERO, end], [at, at], color=_INK[status], lw=1.8, solid_capstyle="butt", zorder=2)
        look = {**_LOOKS[status], "marker": ">", "ms": 8} if end == _END else {**_LOOKS[status], "ms": 6}
        axes.plot([end], [at], ls="none", zorder=3, **look)  # type: ignore[arg-type]
    if said:
        axes.text(_VALUE, at, said.replace(", ", ",\n", 1), fontsize=7, color=GREY, va="center", linespacing=0.95)


def _alt(checks: Sequence[CheckResult], measure: Scale, title: str) -> str:
    """Those that failed or could not be tested by name, and which of the passed came nearest to its limit."""
    text = "One row for each check, its value against its limit where it has both."
    for status, words_before in (("fail", "Failed"), ("no_test", "Could not be tested")):
        named = words.grouped([check for check in checks if words.standing(check) == status], measure)
        text += f" {words_before}: {'; '.join(named)}." if named else ""
    events = [words.about(check) for check in checks if words.standing(check) == "known"]
    text += f" Known events at the same time: {'; '.join(events)}." if events else ""
    passed = [(words.share_of_limit(check), check) for check in checks if words.standing(check) == "pass"]
    near = max((pair for pair in passed if pair[0] is not None), key=lambda pair: pair[0] or 0.0, default=None)
    return (
        f"{text} Of those that passed, nearest to its limit: {words.grouped([near[1]], measure)[0]}." if near else text
    )


def draw_failed(checks: Sequence[CheckResult], measure: Scale, *, title: str, stamp: str) -> Drawing:
    """For each failed check with a number: its value beside its limit, each on its own scale from nothing."""
    shown = [check for check in checks if check.status == "fail" and words.share_of_limit(check) is not None]
    rest = words.numberless(checks)
    lines = textwrap.wrap(rest, 100) if rest else []
    tall = 0.78 * len(shown) + 0.16 * len(lines) + 0.30
    figure, axes, at = _sheet(tall, title, stamp)
    for check in shown:
        _panel(axes, at, check, measure)
        at -= 0.78
    if lines:
        axes.text(_NAME, at, "\n".join(lines), fontsize=8.5, color=GREY, va="top", linespacing=1.2)
    parts = [f"{words.name(check)}: {words.measured(check, measure)}" for check in shown]
    return Drawing(
        figure=figure,
        title=title,
        alt=f"A bar for each failed check, its limit marked. {'; '.join(parts)}.{f' {rest}' if rest else ''}",
        headings=HEADINGS,
        rows=[cells(number, check, measure) for number, check in enumerate(shown, start=1)],
    )  # fmt: skip


def _panel(axes: Axes, top: float, check: CheckResult, measure: Scale) -> None:
    value, limit = abs(check.value or 0.0), check.limit or 0.0
    left, right, at = _NAME, 5.0, top - 0.42
    reach = 1.1 * max(value, limit)
    axes.text(left, top - 0.10, words.name(check), fontsize=9, fontweight="bold", va="center")
    axes.fill_between([left, right], at - 0.12, at + 0.12, color=PALE_GREY, lw=0, zorder=0)
    x_value, x_limit = (left + (right - left) * each / reach for each in (value, limit))
    axes.fill_between([left, x_value], at - 0.07, at + 0.07, color=PLUM, lw=0, zorder=1)
    axes.plot([x_value], [at], ls="none", zorder=3, **{**_LOOKS["fail"], "mec": "white"})  # type: ignore[arg-type]
    axes.plot([x_limit, x_limit], [at - 0.18, at + 0.18], color="#1F1F1F", lw=2.0, zorder=2)
    axes.text(x_limit, at - 0.19, "limit", fontsize=7.5, color="#1F1F1F", ha="center", va="top")
    said = words.measured(check, measure).replace(", ", ",\n", 1)
    axes.text(right + 0.12, at, said, fontsize=8.5, va="center", linespacing=1.15)
