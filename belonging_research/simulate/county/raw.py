"""A small county as councils have it: names, dates of birth and pupil numbers, marks in three shapes, a workbook.

Nobody in it exists: the pupil numbers are of local authority 999, which is none, though their check letters are right.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from belonging_research.errors import PlanError
from belonging_research.simulate.county.checked import SEED
from belonging_research.simulate.county.codes import CODES, is_new
from belonging_research.simulate.county.county import County, draw_county
from belonging_research.simulate.county.enrolments import as_date
from belonging_research.simulate.county.faults import FAULTS, Sheet, Sheets
from belonging_research.simulate.county.marks import MarksChunk, draw_marks
from belonging_research.simulate.county.people import made_up_people
from belonging_research.simulate.county.tables import county_tables
from belonging_research.simulate.county.worlds import CountyWorld
from belonging_research.simulate.writing import csv_bytes, write_workbook

MOST_PUPILS = 5_000
NO_SESSION = "-"
_CATEGORIES = {"suspension": "SUSP", "permanent": "PERM"}
# Council's case lists by kind of destination.
_CASE_LISTS = {
    "home_education": "home_education", "alternative_provision": "alternative_provision",
    "managed_move": "managed_moves", "off_site_direction": "off_site_direction", "moved_away": "leavers",
    "not_known": "leavers",
}  # fmt: skip
_TITLES = (("Made-up county: interventions",), ("Draft for the attendance board",), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class RawCounty:
    """What was written: ``upn`` of each pupil's code, and how many rows each fault changed, added or left out."""

    folder: Path
    county: County
    upn: Mapping[str, str]
    faults: Mapping[str, int]


def write_county_as_councils_have_it(
    world: CountyWorld, folder: Path, faults: Sequence[str] = (), rng: np.random.Generator | None = None
) -> RawCounty:
    """Write a small county (at most 5,000 pupils) as files that councils hold, with faults of real ones by name.

    ``schools``, ``pupils``, ``enrolments``, ``exclusions``, ``survey``, a case list a kind of destination and
    ``interventions.xlsx``. Marks: one row a pupil-week with ten characters, Monday morning first, before August 2024;
    comma-separated from then on, since codes may have two characters; one row a mark in the last year. ``faults``:
    names of :data:`faults.FAULTS`. Without ``rng`` the registered seed is used: the same arguments, the same bytes.

    Raises
    ------
    PlanError
        If a fault is not known, or the county is too large or has too few schools for its pyramids.
    """
    _refuse(world, faults)
    rng = np.random.default_rng(SEED) if rng is None else rng
    county = draw_county(world, rng)
    upn, sheets = _sheets(county)
    found = {}
    for name in sorted(faults, key=list(FAULTS).index):
        changed = FAULTS[name].change(sheets, rng)
        found[name] = sum(_differing(sheets[key], changed[key]) for key in changed)
        sheets = {**sheets, **changed}
    folder.mkdir(parents=True, exist_ok=True)
    for name, sheet in sheets.items():
        if name == "interventions":
            made = dt.datetime(world.first_period + world.n_periods, 8, 31, tzinfo=dt.UTC)
            write_workbook(folder / f"{name}.xlsx", "Log", [*sheet.above, sheet.header, *sheet.rows], made)
        else:
            content = csv_bytes(sheet.header, sheet.rows).decode("utf-8").encode(sheet.encoding)
            (folder / f"{name}.csv").write_bytes(content)
    return RawCounty(folder=folder, county=county, upn=upn, faults=found)


def _refuse(world: CountyWorld, faults: Sequence[str]) -> None:
    unknown = sorted(set(faults) - set(FAULTS))
    if unknown:
        raise PlanError(f"faults: found {unknown[0]!r}; expected one of {', '.join(FAULTS)}. Correct its name.")
    if world.n_pupils > MOST_PUPILS:
        raise PlanError(
            f"world {world.name}: {world.n_pupils} pupils; files with names are written for at most {MOST_PUPILS}. "
            "Lower n_pupils, or write the checked county."
        )


def _differing(before: Sheet, after: Sheet) -> int:
    """Rows that one has and the other has not, or cells' rows that changed in place."""
    if len(before.rows) != len(after.rows):
        return abs(len(before.rows) - len(after.rows))
    changed = sum(a != b for a, b in zip(before.rows, after.rows, strict=True))
    return changed or int((before.above, before.encoding) != (after.above, after.encoding))


def _sheets(county: County) -> tuple[Mapping[str, str], Sheets]:
    """Every file as header and rows of text, without any fault, and the pupil number of each code."""
    tables = {name: table.to_pylist() for name, table in county_tables(county).items()}
    people = {each.code: each for each in made_up_people(county)}
    upn = {code: each.upn for code, each in people.items()}
    pupils = [(people[row["pupil"]], row) for row in tables["pupils"]]
    sheets = {
        "schools": _sheet(
            "URN,SchoolName,Phase,Type,Pyramid",
            (
                (row["urn"], f"School {row['urn']}", row["phase"], _type(row), row["pyramid"])
                for row in tables["schools"]
            ),
        ),
        "pupils": _sheet(
            "UPN,Surname,Forename,DOB,Sex,EVERFSM_6,SENprovision,YoungCarer,YoungCarerSince",
            (
                (who.upn, who.surname, who.forename, who.born, row["sex"], row["ever_fsm_6"], row["sen_provision"],
                 row["young_carer"], row["young_carer_since"])
                for who, row in pupils
            ),
        ),
        "enrolments": _sheet(
            "UPN,URN,EntryDate,LeavingDate,EnrolStatus",
            (
                (upn[row["pupil"]], row["urn"], row["first_day"], row["last_day"], row["status"])
                for row in tables["enrolments"]
            ),
        ),
        "exclusions": _exclusions(tables["exclusions"], people),
        "survey": _sheet(
            "UPN,URN,Wave,Date,Item,Response",
            (
                (upn[row["pupil"]], row["urn"], row["wave"], row["day"], row["item"], row["response"])
                for row in tables["survey"]
            ),
        ),
        "interventions": _interventions(tables["interventions"]),
    }  # fmt: skip
    sheets |= _case_lists(tables["destinations"], upn)
    periods = county.world.periods
    sheets |= {f"marks_{period.replace('/', '')}": _weeks(county, period, upn) for period in periods[:-1]}
    sheets[f"marks_{periods[-1].replace('/', '')}"] = _rows_of_marks(county, periods[-1], upn)
    return upn, sheets


def _sheet(header: str, rows: Iterable[Sequence[Any]]) -> Sheet:
    return Sheet(header=tuple(header.split(",")), rows=tuple(tuple(_text(cell) for cell in row) for row in rows))


def _text(cell: object) -> str:
    """As a council's system writes it: days first, yes and no as 1 and 0, nothing where not recorded."""
    if isinstance(cell, dt.date):
        return cell.strftime("%d/%m/%Y")
    if isinstance(cell, bool):
        return str(int(cell))
    return "" if cell is None else str(cell)


def _type(row: Mapping[str, Any]) -> str:
    return "Alternative provision" if row["is_alternative_provision"] else "School"


def _exclusions(rows: Sequence[Mapping[str, Any]], people: Mapping[str, Any]) -> Sheet:
    """The exclusions list, with up to three reasons each."""
    made = []
    for row in rows:
        who, reasons = people[row["pupil"]], [*row["reasons"], "", ""][:3]
        made.append(
            (who.upn, who.surname, row["urn"], _CATEGORIES[row["category"]], row["first_day"], row["sessions"],
             *reasons, row["status"], row["status_day"])
        )  # fmt: skip
    return _sheet("UPN,Surname,URN,Category,StartDate,Sessions,Reason1,Reason2,Reason3,Status,StatusDate", made)


def _interventions(rows: Sequence[Mapping[str, Any]]) -> Sheet:
    names = ("intervention", "urn", "first_day", "last_day", "dose", "dose_unit", "cost", "timing")
    made = tuple(tuple(_cell(row[name]) for name in names) for row in rows)
    header = ("Intervention", "URN", "Start", "End", "Dose", "DoseUnit", "Cost", "TimingDecided")
    return Sheet(header=header, rows=made, titles=_TITLES)


def _cell(value: object) -> object:
    """A cell of a workbook keeps its type."""
    return value if value is not None else ""


def _case_lists(rows: Sequence[Mapping[str, Any]], upn: Mapping[str, str]) -> Sheets:
    """One list a kind; movers and those whose destination is not known share the list of leavers."""
    made: dict[str, list[Sequence[Any]]] = {name: [] for name in _CASE_LISTS.values()}
    for row in rows:
        cells = (upn[row["pupil"]], row["kind"], row["first_day"], row["last_day"], row["from_urn"], row["to_urn"])
        made[_CASE_LISTS[row["kind"]]].append(cells)
    return {name: _sheet("UPN,Kind,Start,End,FromURN,ToURN", cases) for name, cases in made.items()}


def _weeks(county: County, period: str, upn: Mapping[str, str]) -> Sheet:
    """One row a pupil-week: ten marks, as one text or separated by commas."""
    between = "," if is_new(period) else ""
    rows = [
        (code, urn, monday, between.join(marks))
        for chunk in draw_marks(county, period)
        for code, urn, monday, marks in _pupil_weeks(county, chunk)
    ]
    return _sheet("UPN,URN,WeekBeginning,Marks", ((upn[code], *rest) for code, *rest in rows))


def _pupil_weeks(county: County, chunk: MarksChunk) -> Iterator[tuple[str, int, dt.date, list[str]]]:
    days = [as_date(day) for day in chunk.days.days]
    mondays = [day - day.weekday() * dt.timedelta(days=1) for day in days]
    weeks = [np.flatnonzero(chunk.days.week == week) for week in range(int(chunk.days.week.max()) + 1)]
    for at, row in enumerate(chunk.rows):
        code = str(county.pupils.code[county.roll.pupil[row]])
        urn = int(county.schools.urn[county.roll.school[row]])
        for places in weeks:
            there = places[chunk.on_roll[at, places]]
            if len(there):
                marks = [NO_SESSION] * 10
                for place in there:
                    first = 2 * days[place].weekday()
                    marks[first : first + 2] = [CODES[mark] for mark in chunk.marks[at, place]]
                yield code, urn, mondays[int(places[0])], marks


def _rows_of_marks(county: County, period: str, upn: Mapping[str, str]) -> Sheet:
    """One row a mark, afternoon after morning."""
    rows = []
    for chunk in draw_marks(county, period):
        days = [as_date(day).strftime("%d/%m/%Y") for day in chunk.days.days]
        for at, row in enumerate(chunk.rows):
            number = upn[str(county.pupils.code[county.roll.pupil[row]])]
            urn = str(county.schools.urn[county.roll.school[row]])
            for place in np.flatnonzero(chunk.on_roll[at]):
                for session, mark in zip(("AM", "PM"), chunk.marks[at, place], strict=True):
                    rows.append((number, urn, days[place], session, CODES[mark]))
    return Sheet(header=("UPN", "URN", "Date", "Session", "Mark"), rows=tuple(rows))
