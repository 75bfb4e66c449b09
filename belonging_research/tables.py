"""What every table that crosses a room is: columns, types, units, keys, and code lists with dates.

Nothing here touches disk. Periods are academic years written ``"2024/25"``; rates are proportions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from belonging_research.errors import SourceError

Phase = Literal["all", "primary", "secondary", "special"]
Level = Literal["national", "region", "council", "school"]
Source = Literal["census", "daily", "register"]

PHASES: tuple[Phase, ...] = ("all", "primary", "secondary", "special")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its Arrow type, whether it may be null, and what it means."""

    name: str
    type: pa.DataType
    note: str
    nullable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """A table by the name of its row, its columns and the key that no two rows share."""

    row: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, nullability included."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns])


_TEXT = pa.string()
_NUMBER = pa.float64()

FIGURES = TableSpec(
    row="published figure",
    key=("layout", "unit", "period", "period_kind", "as_at", "phase", "outcome"),
    columns=(
        Column(name="unit", type=_TEXT, note="old_la_code of a council ('838'), '970' for England, '980' to '990' regions, laestab of a school"),
        Column(name="level", type=_TEXT, note="national, region, council or school"),
        Column(name="la_code", type=_TEXT, nullable=True, note="old_la_code, three digits"),
        Column(name="gss_code", type=_TEXT, nullable=True, note="new_la_code (E06000059)"),
        Column(name="name", type=_TEXT, note="as written in the file; never joined on"),
        Column(name="region", type=_TEXT, nullable=True, note="region name, London as one"),
        Column(name="period", type=_TEXT, note="academic year, '2024/25'"),
        Column(name="period_kind", type=_TEXT, note="academic_year, year_to_date, two_terms, autumn_term, spring_term, summer_term or week"),
        Column(name="as_at", type=pa.date32(), nullable=True, note="date of a snapshot; null where a file has none"),
        Column(name="source", type=_TEXT, note="census or daily"),
        Column(name="phase", type=_TEXT, note="all (a printed Total), primary, secondary or special"),
        Column(name="outcome", type=_TEXT, note="measure name of `outcomes`, or a count (enrolments, possible_sessions, headcount, ...)"),
        Column(name="numerator", type=_NUMBER, nullable=True, note="a count; for a count measure the count itself"),
        Column(name="denominator", type=_NUMBER, nullable=True, note="a count"),
        Column(name="rate", type=_NUMBER, nullable=True, note="as printed, a proportion (7.88% is .0788; 11.62 per 100 is .1162)"),
        Column(name="reason", type=_TEXT, nullable=True, note="why there is no number: a key of MISSING_REASONS"),
        Column(name="layout", type=_TEXT, note="the layout that read it"),
        Column(name="source_file", type=_TEXT, note="file name without folder"),
        Column(name="row", type=pa.int64(), note="row in the file, the header being row 1"),
    ),
)  # fmt: skip

OUTCOMES = TableSpec(
    row="outcome of a unit in a period",
    key=("unit", "period", "interval_end", "layout", "phase", "outcome"),
    columns=(
        Column(name="unit", type=_TEXT, note="as in FIGURES, after boundary rules"),
        Column(name="level", type=_TEXT, note="national, region or council"),
        Column(name="name", type=_TEXT, note="latest name"),
        Column(name="region", type=_TEXT, nullable=True, note="region name"),
        Column(name="period", type=_TEXT, note="academic year"),
        Column(name="interval_end", type=pa.date32(), nullable=True, note="last day of a fortnight; null for a whole year"),
        Column(name="source", type=_TEXT, note="census or daily"),
        Column(name="phase", type=_TEXT, note="all, primary, secondary, special"),
        Column(name="outcome", type=_TEXT, note="measure name"),
        Column(name="numerator", type=_NUMBER, nullable=True, note="count where published"),
        Column(name="denominator", type=_NUMBER, nullable=True, note="count where published"),
        Column(name="value", type=_NUMBER, nullable=True, note="proportion (events per pupil for suspensions); the count itself for a count"),
        Column(name="reason", type=_TEXT, nullable=True, note="why there is no value"),
        Column(name="derivation", type=_TEXT, note="published, pooled (phases by sessions), difference (of snapshots), filled (national plus own gap)"),
        Column(name="layout", type=_TEXT, note="the layout that read it; one figure may be printed in two files"),
        Column(name="source_file", type=_TEXT, note="file the figure came from"),
        Column(name="row", type=pa.int64(), note="row in that file"),
    ),
)  # fmt: skip

MISSING_REASONS: dict[str, str] = {
    "confidential": "hidden by the publisher (c; x in exclusions files to 2016/17)",
    "not_applicable": "not applicable (z, or no pupils to divide by)",
    "not_available": "not available (x, :, -, NA)",
    "rounds_to_zero": "rounds to zero but is not (low, k, ~)",
    "low_reliability": "low reliability (u)",
    "no_sessions": "no possible sessions in the interval (NaN)",
    "blank": "blank in the file",
    "year_not_over": "the school year is not over in these figures",
}

# Symbols of DfE tables and the reason each stands for (EES open data standards, and their history).
SYMBOLS: dict[str, str] = {
    "c": "confidential",
    "z": "not_applicable",
    ".": "not_applicable",
    "..": "not_available",
    "x": "not_available",
    ":": "not_available",
    "-": "not_available",
    "N/A": "not_available",
    "NA": "not_available",
    "low": "rounds_to_zero",
    "k": "rounds_to_zero",
    "~": "rounds_to_zero",
    "u": "low_reliability",
    "NaN": "no_sessions",
    "": "blank",
}

_YEAR = re.compile(r"^(\d{4})[/-]?(\d{2}|\d{4})$")


def academic_year(text: str) -> str:
    """``"202425"``, ``"2024/25"``, ``"2024-25"`` or ``"2024/2025"`` to ``"2024/25"``.

    Raises
    ------
    SourceError
        If the text is none of these or its years are not consecutive.
    """
    match = _YEAR.match(text.strip())
    if match:
        first = int(match.group(1))
        if (first + 1) % 100 == int(match.group(2)) % 100 and int(match.group(2)) in (
            (first + 1) % 100,
            first + 1,
        ):
            return year_label(first)
    raise SourceError(f"{text!r} is not an academic year; expected one like 202425 or 2024/25.")


def year_label(first: int) -> str:
    """The academic year that begins in September of ``first``: 2024 to ``"2024/25"``."""
    return f"{first}/{(first + 1) % 100:02d}"


def first_year(period: str) -> int:
    """The calendar year in which an academic year begins: ``"2024/25"`` to 2024."""
    return int(period[:4])


def shift_year(period: str, by: int) -> str:
    """The academic year ``by`` years later: ``shift_year("2024/25", -1)`` is ``"2023/24"``."""
    return year_label(first_year(period) + by)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundaryChange:
    """A council whose code or footprint changed, and the rule this package follows for it.

    ``valid_from`` and ``valid_to`` are academic years in which ``unit`` (old_la_code) stands for the
    footprint described; ``history_from`` names the predecessor whose earlier *rates* it may carry.
    ``footprint_changed`` is the first academic year on the new footprint, null where only a code changed.
    ``gss_codes`` are its new_la_code, oldest first; empty where the Department's files give none.
    """

    unit: str
    name: str
    valid_from: str | None
    valid_to: str | None
    footprint_changed: str | None
    history_from: str | None
    rule: str
    gss_codes: tuple[str, ...] = ()


# Sources: the Structural Changes Orders of each reorganisation; DfE `dfeR` validity table and the EES
# screener's list of accepted councils. Codes here are old_la_code, the stabler key.
BOUNDARIES: tuple[BoundaryChange, ...] = (
    BoundaryChange(unit="835", name="Dorset with Christchurch", gss_codes=("E10000009",), valid_from=None, valid_to="2018/19", footprint_changed=None, history_from=None, rule="kept to 2018/19 under its own code; never joined to 838"),
    BoundaryChange(unit="838", name="Dorset", gss_codes=("E06000059",), valid_from="2019/20", valid_to=None, footprint_changed="2019/20", history_from=None, rule="starts in 2019/20; rows of 2018/19 that already carry its code are a handful of pupils and are left out"),
    BoundaryChange(unit="836", name="Poole", gss_codes=("E06000029",), valid_from=None, valid_to="2018/19", footprint_changed=None, history_from=None, rule="ends in 2018/19"),
    BoundaryChange(unit="837", name="Bournemouth", gss_codes=("E06000028",), valid_from=None, valid_to="2018/19", footprint_changed=None, history_from=None, rule="ends in 2018/19"),
    BoundaryChange(unit="839", name="Bournemouth, Christchurch and Poole", gss_codes=("E06000058",), valid_from="2019/20", valid_to=None, footprint_changed="2019/20", history_from=None, rule="starts in 2019/20"),
    BoundaryChange(unit="928", name="Northamptonshire", gss_codes=("E10000021",), valid_from=None, valid_to="2020/21", footprint_changed=None, history_from=None, rule="ends in 2020/21"),
    BoundaryChange(unit="940", name="North Northamptonshire", gss_codes=("E06000061",), valid_from="2021/22", valid_to=None, footprint_changed="2021/22", history_from="928", rule="carries Northamptonshire's earlier rates"),
    BoundaryChange(unit="941", name="West Northamptonshire", gss_codes=("E06000062",), valid_from="2021/22", valid_to=None, footprint_changed="2021/22", history_from="928", rule="carries Northamptonshire's earlier rates"),
    BoundaryChange(unit="909", name="Cumbria", gss_codes=("E10000006",), valid_from=None, valid_to="2022/23", footprint_changed=None, history_from=None, rule="ends in 2022/23"),
    BoundaryChange(unit="942", name="Cumberland", gss_codes=("E06000063",), valid_from="2023/24", valid_to=None, footprint_changed="2023/24", history_from=None, rule="footprint is new since 2022: never a donor while a base year lies before 2023/24"),
    BoundaryChange(unit="943", name="Westmorland and Furness", gss_codes=("E06000064",), valid_from="2023/24", valid_to=None, footprint_changed="2023/24", history_from=None, rule="footprint is new since 2022: never a donor while a base year lies before 2023/24"),
    BoundaryChange(unit="815", name="North Yorkshire", gss_codes=("E10000023", "E06000065"), valid_from=None, valid_to=None, footprint_changed=None, history_from=None, rule="changed its GSS code only (April 2023): kept, joined on old_la_code"),
    BoundaryChange(unit="933", name="Somerset", gss_codes=("E10000027", "E06000066"), valid_from=None, valid_to=None, footprint_changed=None, history_from=None, rule="changed its GSS code only (April 2023): kept, joined on old_la_code"),
    BoundaryChange(unit="825", name="Buckinghamshire", gss_codes=("E10000002", "E06000060"), valid_from=None, valid_to=None, footprint_changed=None, history_from=None, rule="changed its GSS code only (April 2020): kept, joined on old_la_code"),
    BoundaryChange(unit="820", name="Bedfordshire", valid_from=None, valid_to="2008/09", footprint_changed=None, history_from=None, rule="ends in 2008/09"),
    BoundaryChange(unit="875", name="Cheshire", valid_from=None, valid_to="2008/09", footprint_changed=None, history_from=None, rule="ends in 2008/09"),
    BoundaryChange(unit="822", name="Bedford", gss_codes=("E06000055",), valid_from="2009/10", valid_to=None, footprint_changed="2009/10", history_from=None, rule="starts in 2009/10"),
    BoundaryChange(unit="823", name="Central Bedfordshire", gss_codes=("E06000056",), valid_from="2009/10", valid_to=None, footprint_changed="2009/10", history_from=None, rule="starts in 2009/10"),
    BoundaryChange(unit="895", name="Cheshire East", gss_codes=("E06000049",), valid_from="2009/10", valid_to=None, footprint_changed="2009/10", history_from=None, rule="starts in 2009/10"),
    BoundaryChange(unit="896", name="Cheshire West and Chester", gss_codes=("E06000050",), valid_from="2009/10", valid_to=None, footprint_changed="2009/10", history_from=None, rule="starts in 2009/10"),
)  # fmt: skip


def boundary(unit: str) -> BoundaryChange | None:
    """The boundary record of a council, or None where nothing about it ever changed."""
    return next((change for change in BOUNDARIES if change.unit == unit), None)


def in_force(unit: str, period: str) -> bool:
    """Whether ``unit`` stood for its footprint in ``period`` (a stray successor row does not)."""
    change = boundary(unit)
    if change is None:
        return True
    return (change.valid_from is None or period >= change.valid_from) and (
        change.valid_to is None or period <= change.valid_to
    )
