"""Tables to be read: all outcomes at a glance, or any cleared table with headings and formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pyarrow as pa

from belonging_research.disclosure import Cleared, vouch
from belonging_research.findings import Finding, InterventionAssessment, SchoolAssessment
from belonging_research.plan import POLICIES, Plan
from belonging_research.present.checking import sheet_of_checks
from belonging_research.present.display import Sheet, seal_sheet
from belonging_research.present.numbers import listed, scale, year
from belonging_research.present.story import Story, as_findings, scale_of, short_name, tell
from belonging_research.present.words_council import short
from belonging_research.present.words_reasons import reader_reason

Format = Literal[
    "text", "count", "more_or_fewer", "percent", "per_100", "points", "times", "chance", "plain", "rate", "outcome",
    "reason",
]  # fmt: skip

_OUTCOMES: Mapping[str, str] = {
    "outcome": "Outcome",
    "before": "Before",
    "since": "Since the start",
    "verdict": "Compared with the comparison mix",
    "best_guess": "Best guess of the difference",
    "range": "Range (95%)",
    "smallest": "Smallest difference worth having",
    "noticed": "Difference noticed 4 times in 5",
    "status": "Figures",
}
_NUMBERS = ("count", "more_or_fewer", "percent", "per_100", "points", "rate")
_NOT_READ = "not in the files read here"
_NO_FIGURE = "no figure"
_HIDDEN = "hidden"


def tabulate(
    cleared: Cleared[Any],
    *,
    title: str = "",
    headings: Mapping[str, str] | None = None,
    formats: Mapping[str, Format] | None = None,
    checks: bool = False,
    levels: Cleared[pa.Table] | None = None,
) -> Sheet:
    """A sealed table of all outcomes (findings), one finding's ``checks``, schools' starts, or a cleared table.

    For a table, ``headings`` picks, orders and names its columns, ``formats`` says how numbers are written
    (rates are proportions: ``percent``, ``per_100``, ``points``; differences of counts: ``more_or_fewer``; ``rate`` as
    its row's outcome is said, ``outcome`` as the plan calls it, ``reason`` in readers' words). A cell that the door hid
    says so.

    Raises
    ------
    DisclosureError
        If the value was changed after it was cleared, its door's ledger cannot be written, or ``checks`` are asked of
        anything but one finding that was checked.
    """
    if isinstance(cleared.value, pa.Table):
        vouch(cleared)
        return _of_table(cleared, title, headings, formats or {})
    if checks:
        return sheet_of_checks(cleared, title)
    if isinstance(cleared.value, SchoolAssessment):
        vouch(cleared)
        return _of_starts(cleared, title)
    if isinstance(cleared.value, InterventionAssessment):
        vouch(cleared)
        return _of_interventions(cleared, title)
    findings = as_findings(cleared)
    table = None if levels is None else levels.value
    stories = [tell(finding, cleared.door, table) for finding in findings]
    missing = _NO_FIGURE if table is None else _NOT_READ
    rows = [[_outcome_cells(story, missing)[name] for name in _OUTCOMES] for story in stories]
    place = cleared.door.plan.place
    return seal_sheet(cleared, title or f"All outcomes: {place} since {stories[0].since}", _OUTCOMES, rows)


def _outcome_cells(story: Story, not_read: str) -> dict[str, str]:
    finding, said = story.finding, story.said
    verdict = f"{short(story)}, due {story.due}" if story.due else short(story)
    if finding.signal_to_examine:
        verdict += "; a signal to examine"
    missing = not_read if finding.estimate is None else _NO_FIGURE
    if finding.suppressed is not None:
        missing = "withheld"
    return {
        "outcome": _outcome_name(finding, story.name),
        "before": _level(story, "before", finding.base, missing),
        "since": _level(story, "since", finding.post, missing),
        "verdict": verdict,
        "best_guess": said.get("best guess", "not assessed"),
        "range": said.get("range at 95%", "not assessed"),
        "smallest": said["smallest gain"],
        "noticed": said.get("noticed 4 in 5", "not known"),
        "status": _status(finding),
    }


def _level(story: Story, when: str, periods: Sequence[str], missing: str) -> str:
    """The mean level of the years, else each year that has a figure and which have none, else ``missing``."""
    said, place = story.said, story.place
    if f"{when}: {place}" in said:
        return said[f"{when}: {place}"]
    seen = {each: said[f"in {each}: {place}"] for each in periods if f"in {each}: {place}" in said}
    if not seen:
        return missing
    rest = listed([year(each) for each in periods if each not in seen])
    return f"{listed([f'{level} in {year(each)}' for each, level in seen.items()])}; {rest} {_NOT_READ}"


def _outcome_name(finding: Finding, name: str) -> str:
    return name if finding.phase == "all" else f"{name}, {finding.phase} schools"


def _status(finding: Finding) -> str:
    return {"census": "yearly", "daily": "provisional (daily returns)", "register": "registers"}[finding.source]


def _of_starts(cleared: Cleared[SchoolAssessment], title: str) -> Sheet:
    """When schools began, half-term by half-term, and how many pupils are followed in each."""
    names = {"starts": "Began in", "schools": "Schools", "pupils": "Pupils followed"}
    rows = [
        [
            _half_term(row["starts"]),
            *(_cell(row[name], "count", 0) if row[name] is not None else _HIDDEN for name in ("schools", "pupils")),
        ]
        for row in cleared.value.starts.to_pylist()
    ]
    return seal_sheet(cleared, title, names, rows or [["no figures by school", "none", "none"]])


def _of_interventions(cleared: Cleared[InterventionAssessment], title: str) -> Sheet:
    """What schools began with, and what followed there or why that has no number."""
    names = {"began_with": "Began with", "schools": "Schools", "guess": "Than expected", "range": "Range"}
    told = {each.subgroup: tell(each, cleared.door).said for each in cleared.value.findings}
    rows = []
    for row in cleared.value.groups.to_pylist():
        said = told.get(row["began_with"], {})
        n = _HIDDEN if row["schools"] is None else _cell(row["schools"], "count", 0)
        missing = f"no number: {row['why']}" if row["why"] else "withheld"
        rows.append([row["began_with"], n, said.get("best guess", missing), said.get("range at 95%", _NO_FIGURE)])
    return seal_sheet(cleared, title, names, rows or [["none described", "none", "none", "none"]])


def _half_term(label: str) -> str:
    """``"2024/25 HT3"`` as readers say it: "half-term 3 of 2024 to 2025"."""
    period, _, number = label.partition(" HT")
    return f"half-term {number} of {year(period)}" if number else label


def _of_table(
    cleared: Cleared[pa.Table], title: str, headings: Mapping[str, str] | None, formats: Mapping[str, Format]
) -> Sheet:
    table = cleared.value
    shown = dict(headings) if headings else {name: _words(name) for name in table.column_names}
    decimals, plan = POLICIES[cleared.policy].rate_decimals, cleared.door.plan
    rows = [
        [
            _HIDDEN
            if _is_hidden(row, name)
            else _cell(_of_outcome(row, name, formats.get(name), plan, decimals), formats.get(name), decimals)
            for name in shown
        ]
        for row in table.to_pylist()
    ]
    return seal_sheet(cleared, title or "Table", shown, rows)


def _is_hidden(row: Mapping[str, Any], name: str) -> bool:
    """Whether the door hid this cell of a released table, as its column ``suppressed`` tells."""
    return row[name] is None and f"; {name}: " in f"; {row.get('suppressed') or ''}"


def _of_outcome(row: Mapping[str, Any], name: str, how: Format | None, plan: Plan, decimals: int) -> Any:
    """The cell of a column that is said as the outcome of its row is: the others as they are."""
    if how == "reason" and row[name] is not None:
        return reader_reason(row[name], plan)
    if how not in ("rate", "outcome") or row[name] is None:
        return row[name]
    planned = plan.outcome(row["outcome"])
    return short_name(planned.label) if how == "outcome" else scale_of(planned, decimals).level(row[name])


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _cell(value: Any, how: Format | None, decimals: int) -> str:
    if value is None:
        return _NO_FIGURE if how in _NUMBERS else "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if how == "percent":
        return f"{100 * value:.{decimals}f}%"
    if how == "per_100":
        return f"{100 * value:.{decimals}f} per 100"
    if how == "points":
        return scale("", "", "proportion", decimals).gap(value)
    if how in ("times", "chance"):
        return f"{value:.1f}" if how == "times" else f"{value:.4f}"
    if how == "more_or_fewer":
        return f"{abs(value):,.0f} {'more' if value > 0 else 'fewer'}" if value else "no difference"
    if how == "count":
        return f"{value:,.0f}"
    if isinstance(value, float):
        return f"{value:.4g}" if value >= 0 else f"minus {-value:.4g}"
    return str(value)
