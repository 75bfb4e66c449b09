"""Faults of real extracts, each switched on by name: what `receive` has to notice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from belonging_research.simulate.county.people import check_letter

Row = tuple[Any, ...]
_DAY = "%d/%m/%Y"
_FEW = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A file as header and rows; ``titles``: lines that its owner likes to have above the header, ``above``: those
    that are there."""

    header: tuple[str, ...]
    rows: tuple[Row, ...]
    titles: tuple[Row, ...] = ()
    above: tuple[Row, ...] = ()
    encoding: str = "utf-8"

    def column(self, name: str) -> int:
        """The place of a column."""
        return self.header.index(name)

    def with_cells(self, places: Sequence[int], column: str, value: Callable[[Any], Any]) -> Sheet:
        """The sheet with a column changed in some rows."""
        at, chosen = self.column(column), set(places)
        rows = (
            (*row[:at], value(row[at]), *row[at + 1 :]) if place in chosen else row
            for place, row in enumerate(self.rows)
        )
        return replace(self, rows=tuple(rows))


Sheets = Mapping[str, Sheet]
Change = Callable[[Sheets, np.random.Generator], Sheets]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong, in words, and the change that makes it: from all sheets to those that are other."""

    words: str
    change: Change


def _last_marks(sheets: Sheets) -> tuple[str, Sheet]:
    """The newest file of marks, which has one row a mark."""
    name = max(name for name in sheets if name.startswith("marks_"))
    return name, sheets[name]


def _days(sheet: Sheet) -> list[dt.datetime]:
    """The different days of a sheet of marks."""
    at = sheet.column("Date")
    return [dt.datetime.strptime(day, _DAY) for day in {row[at] for row in sheet.rows}]


def _some(sheet: Sheet, rng: np.random.Generator, n: int = _FEW) -> list[int]:
    return sorted(rng.choice(len(sheet.rows), min(n, len(sheet.rows)), replace=False).tolist())


def _added(sheet: Sheet, rows: Sequence[Row]) -> Sheet:
    return replace(sheet, rows=(*sheet.rows, *rows))


def _doubled_backslash(sheets: Sheets, rng: np.random.Generator) -> Sheets:
    name, sheet = _last_marks(sheets)
    return {name: sheet.with_cells(range(len(sheet.rows)), "Mark", lambda mark: mark.replace("\\", "\\\\"))}


def _blank_for_dash(sheets: Sheets, rng: np.random.Generator) -> Sheets:
    names = sorted(name for name in sheets if name.startswith("marks_") and "Marks" in sheets[name].header)

    def blank(marks: str) -> str:
        return marks.replace("-", "" if "," in marks else " ")

    return {name: sheets[name].with_cells(range(len(sheets[name].rows)), "Marks", blank) for name in names}


def _duplicate_marks(sheets: Sheets, rng: np.random.Generator) -> Sheets:
    name, sheet = _last_marks(sheets)
    return {name: _added(sheet, [sheet.rows[at] for at in _some(sheet, rng)])}


def _marks_outside_roll(sheets: Sheets, rng: np.random.Generator) -> Sheets:
    """Marks at the school that a pupil has left, from the day after."""
    name, sheet = _last_marks(sheets)
    rolls = sheets["enrolments"]
    gone = [row for row in rolls.rows if row[rolls.column("LeavingDate")] and row[rolls.column("EnrolStatus")] == "C"]
    chosen = sorted(rng.choice(len(gone), min(_FEW, len(gone)), replace=False).tolist())
    first = min(_days(sheet))
    old = [row for row in gone if dt.datetime.strptime(row[rolls.column("LeavingDate")], _DAY) < first]
    made = [(*(old or gone)[at % len(old or gone)][:2], first.strftime(_DAY), "AM", "/") for at in chosen]
    return {name: _added(sheet, list(dict.fromkeys(made)))}


def _future_marks(sheets: Sheets, rng: np.random.Generator) -> Sheets:
    """Marks of a day after the last year's end."""
    name, sheet = _last_marks(sheets)
    last = max(_days(sheet))
    day = (last + dt.timedelta(days=60)).strftime(_DAY)
    at = sheet.column("Date")
    made = [(*row[:at], day, *row[at + 1 :]) for row in (sheet.rows[place] for place in _some(sheet, rng))]
    return {name: _added(sheet, made)}


def _unknown_mark(sheets: Sheets, rng: np.random.Generator) -> Sheets:
    name, sheet = _last_marks(sheets)
    return {name: sheet.with_cells(_some(sheet, rng), "Mark", lambda mark: "8")}


def _x_outside_covid(sheets: Sheets, rng: np.random.Generator) -> Sheets:
    """Of pupils who were 5 on the 31 August before the last year."""
    name, sheet = _last_marks(sheets)
    pupils = sheets["pupils"]
    autumn = min(_days(sheet)).year
    fifth = dt.datetime(autumn - 5, 9, 1)
    at = pupils.column("DOB")
    aged = {row[0] for row in pupils.rows if dt.datetime.strptime(row[at], _DAY) < fifth}
    places = [place for place, row in enumerate(sheet.rows) if row[0] in aged]
    chosen = rng.choice(places, min(_FEW, len(places)), replace=False).tolist()
    return {name: sheet.with_cells(chosen, "Mark", lambda mark: "X")}


def _overlapping_enrolments(sheets: Sheets, rng: np.random.Generator) -> Sheets:
    """A second main registration at another school, while the first lasts."""
    sheet, urns = sheets["enrolments"], [row[0] for row in sheets["schools"].rows]
    at = sheet.column("URN")
    made = []
    for place in _some(sheet, rng):
        row = sheet.rows[place]
        made.append((*row[:at], urns[(urns.index(row[at]) + 1) % len(urns)], *row[at + 1 :]))
    return {"enrolments": _added(sheet, made)}


def _unknown_pupil_excluded(sheets: Sheets, rng: np.random.Generator) -> Sheets:
    sheet = sheets["exclusions"]
    digits = "999399900999"
    return {"exclusions": _added(sheet, [(check_letter(digits) + digits, *sheet.rows[_some(sheet, rng, 1)[0]][1:])])}


def _over_45_days(sheets: Sheets, rng: np.random.Generator) -> Sheets:
    """One pupil with ten suspensions of five days in one academic year, besides others."""
    sheet = sheets["exclusions"]
    suspensions = [row for row in sheet.rows if row[sheet.column("Category")] == "SUSP"]
    row = list(suspensions[int(rng.integers(len(suspensions)))])
    day = dt.datetime.strptime(row[sheet.column("StartDate")], _DAY)
    monday = dt.datetime(day.year - (day.month < 8), 9, 8)
    made = []
    for week in range(10):
        row[sheet.column("StartDate")] = (monday + dt.timedelta(days=7 * week)).strftime(_DAY)
        row[sheet.column("Sessions")] = "10"
        made.append(tuple(row))
    return {"exclusions": _added(sheet, made)}


def _missing_fsm(sheets: Sheets, rng: np.random.Generator) -> Sheets:
    sheet = sheets["pupils"]
    at = sheet.column("EVERFSM_6")
    known = [place for place, row in enumerate(sheet.rows) if row[at]]
    chosen = rng.choice(known, min(_FEW, len(known)), replace=False).tolist()
    return {"pupils": sheet.with_cells(chosen, "EVERFSM_6", lambda value: "")}


def _leavers_not_excluded(sheets: Sheets, rng: np.random.Generator) -> Sheets:
    """The report is of the current roll: who has left every school is not in it, permanent exclusions among them."""
    sheet, rolls = sheets["exclusions"], sheets["enrolments"]
    current = {row[0] for row in rolls.rows if not row[rolls.column("LeavingDate")]}
    return {"exclusions": replace(sheet, rows=tuple(row for row in sheet.rows if row[0] in current))}


def _title_rows(sheets: Sheets, rng: np.random.Generator) -> Sheets:
    return {"interventions": replace(sheets["interventions"], above=sheets["interventions"].titles)}


def _cp1252(sheets: Sheets, rng: np.random.Generator) -> Sheets:
    return {name: replace(sheets[name], encoding="cp1252") for name in ("pupils", "exclusions")}


def _intervention_elsewhere(sheets: Sheets, rng: np.random.Generator) -> Sheets:
    sheet = sheets["interventions"]
    return {"interventions": sheet.with_cells(_some(sheet, rng, 1), "URN", lambda urn: 999_999)}


def _intervention_without_start(sheets: Sheets, rng: np.random.Generator) -> Sheets:
    sheet = sheets["interventions"]
    return {"interventions": sheet.with_cells(_some(sheet, rng, 1), "Start", lambda day: "")}


# In the order in which they are made: what changes marks before what adds and repeats them.
FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "unknown_mark": Fault(words="a mark that is no register code", change=_unknown_mark),
        "x_outside_covid": Fault(words="code X at ages 5 to 15 after the covid years", change=_x_outside_covid),
        "marks_outside_roll": Fault(words="marks after a pupil has left", change=_marks_outside_roll),
        "future_marks": Fault(words="marks of days to come", change=_future_marks),
        "duplicate_marks": Fault(words="the same mark twice", change=_duplicate_marks),
        "doubled_backslash": Fault(words="a backslash written twice", change=_doubled_backslash),
        "blank_for_dash": Fault(words="no mark written as a blank, not a dash", change=_blank_for_dash),
        "leavers_not_excluded": Fault(words="exclusions of leavers left out", change=_leavers_not_excluded),
        "unknown_pupil_excluded": Fault(words="an exclusion of an unknown pupil", change=_unknown_pupil_excluded),
        "over_45_days": Fault(words="more than 45 days suspended in a year", change=_over_45_days),
        "overlapping_enrolments": Fault(words="two main schools at once", change=_overlapping_enrolments),
        "missing_fsm": Fault(words="free school meals not recorded", change=_missing_fsm),
        "intervention_elsewhere": Fault(words="a school that does not exist", change=_intervention_elsewhere),
        "intervention_without_start": Fault(words="an intervention without start", change=_intervention_without_start),
        "title_rows": Fault(words="titles above a workbook's header", change=_title_rows),
        "cp1252": Fault(words="an old Windows encoding", change=_cp1252),
    }
)
