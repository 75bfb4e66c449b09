"""Staged text to typed columns, as SQL for DuckDB: each cell becomes its type, or its row has a fault, never a guess.

Dates are year-month-day or, as in Britain, day/month/year with four digits of the year; a month is never first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from belonging_research.sources.council.headers import HALF_DAY
from belonging_research.tables import Column
from belonging_research.tables.council import COUNCIL_TABLES
from belonging_research.tables.council_headings import CHOICES, OF_SCHOOLS, WEEK_MARKS, WEEK_START

MACROS = r"""
CREATE MACRO as_day(cell) AS CASE
    WHEN regexp_full_match(cell, '(19|20)\d\d-\d{1,2}-\d{1,2}([T ][\d:.]+Z?)?')
        THEN TRY_CAST(try_strptime(regexp_extract(cell, '^[\d-]+'), '%Y-%m-%d') AS DATE)
    WHEN regexp_full_match(cell, '\d{1,2}[/.-]\d{1,2}[/.-](19|20)\d\d([T ][\d:.]+)?')
        THEN TRY_CAST(try_strptime(replace(replace(regexp_extract(cell, '^[\d/.-]+'), '.', '/'), '-', '/'), '%d/%m/%Y')
             AS DATE) END;
CREATE MACRO as_whole(cell) AS
    CASE WHEN regexp_full_match(cell, '\d{1,9}(\.0*)?') THEN CAST(CAST(cell AS DOUBLE) AS INTEGER) END;
CREATE MACRO as_number(cell) AS CASE WHEN regexp_full_match(replace(replace(cell, ',', ''), '£', ''), '\d+(\.\d*)?')
    THEN CAST(replace(replace(cell, ',', ''), '£', '') AS DOUBLE) END;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellCheck:
    """A column whose cell is missing or cannot be read: the fault, the column, and SQL that is true where it is."""

    fault: str
    column: str
    condition: str


def typed_columns(table: str) -> dict[str, str]:
    """Own column to the SQL that makes it from staged text; of the pupil, the place in the list of hashes is enough."""
    return {column.name: _typed(table, column) for column in COUNCIL_TABLES[table].columns if column.name != "pupil"}


def _typed(table: str, column: Column) -> str:
    cell = column.name
    choices = CHOICES.get((table, cell))
    if pa.types.is_boolean(column.type):
        return f"CASE {cell} WHEN 'true' THEN true WHEN 'false' THEN false END"
    if choices:
        return f"CASE WHEN {cell} IN ({quoted(choices)}) THEN {cell} END"
    if pa.types.is_date(column.type):
        return f"as_day({cell})"
    if pa.types.is_integer(column.type):
        return f"as_whole({cell})"
    if pa.types.is_floating(column.type):
        return f"as_number({cell})"
    if pa.types.is_list(column.type):
        codes = f"regexp_split_to_array(upper({cell}), '[,; |]+')"
        return f"list_filter({codes}, lambda code, i: code <> '' AND list_position({codes}, code) = i)"
    return f"nullif({cell}, '')"


def cell_checks(table: str) -> tuple[CellCheck, ...]:
    """What can be wrong with single cells of a table, in the order in which a row's reason is given.

    Marks are looked at when weeks have been taken apart, and so have no checks of their own cells here but the urn.
    """
    checks = []
    for column in COUNCIL_TABLES[table].columns:
        if column.name == "pupil":
            checks.append(CellCheck(fault="missing_pupil", column="pupil", condition="pupil_no IS NULL"))
        elif table != "marks" or column.name not in HALF_DAY:
            checks += _of_column(table, column)
    order = ("missing_pupil", "intervention_without_start", "missing_cell", "unknown_laestab", "unreadable_cell",
             "unknown_value")  # fmt: skip
    return tuple(sorted(checks, key=lambda check: order.index(check.fault)))


def _of_column(table: str, column: Column) -> list[CellCheck]:
    name, typed, checks = column.name, _typed(table, column), []
    if not column.nullable:
        fault = "intervention_without_start" if (table, name) == ("interventions", "first_day") else "missing_cell"
        checks.append(CellCheck(fault=fault, column=name, condition=f"{name} = ''"))
    if name in OF_SCHOOLS:
        written = r"\d{3}[/ -]?\d{4}(\.0*)?" if name == "urn" else r"\d{3}/\d{4}"
        checks.append(
            CellCheck(fault="unknown_laestab", column=name, condition=f"regexp_full_match({name}, '{written}')")
        )
    if pa.types.is_list(column.type) or (pa.types.is_string(column.type) and (table, name) not in CHOICES):
        return checks
    fault = "unknown_value" if (table, name) in CHOICES else "unreadable_cell"
    checks.append(CellCheck(fault=fault, column=name, condition=f"{name} <> '' AND ({typed}) IS NULL"))
    return checks


# Two backslashes in a row are one that a program doubled: an afternoon's mark never stands in a morning.
_WEEK = rf"replace({WEEK_MARKS}, '\\', '\')"
_EACH = rf"CASE WHEN contains({WEEK_MARKS}, ',') THEN string_split({_WEEK}, ',') ELSE string_split({_WEEK}, '') END"
_WHOLE = (10, 14)  # half-days of five or of seven days, Monday's morning first


def week_checks() -> tuple[CellCheck, ...]:
    """What can be wrong with a pupil's week of marks, before it is taken apart."""
    day = f"as_day({WEEK_START})"
    return (
        CellCheck(fault="missing_cell", column=WEEK_START, condition=f"{WEEK_START} = ''"),
        CellCheck(fault="unreadable_cell", column=WEEK_START, condition=f"{WEEK_START} <> '' AND {day} IS NULL"),
        CellCheck(fault="week_not_monday", column=WEEK_START, condition=f"isodow({day}) <> 1"),
        CellCheck(fault="week_not_whole", column=WEEK_MARKS, condition=f"len({_EACH}) NOT IN {_WHOLE}"),
    )


def half_day_checks() -> tuple[CellCheck, ...]:
    """What can be wrong with the day and session of a row that is one half-day; a blank mark is a fault of its own."""
    return tuple(
        check
        for column in COUNCIL_TABLES["marks"].columns
        if column.name in ("day", "session")
        for check in _of_column("marks", column)
    )


def marks_sql(source: str, weeks: Iterable[int]) -> str:
    """SELECT of marks, one row a half-day, from staged rows without faults; ``weeks`` are numbers of files of weeks.

    ``n`` is 14 times the staged row's and the place in its week, so that each half-day has its own.
    """
    typed = typed_columns("marks")
    fixed = f"file, row, pupil_no, is_upn, {typed['urn']} AS urn"
    in_weeks = f"list_contains([{', '.join(map(str, weeks))}]::INTEGER[], file)"
    return f"""
        SELECT n * 14 AS n, {fixed}, {typed["day"]} AS day, {typed["session"]} AS session, mark AS raw
        FROM {source} WHERE NOT {in_weeks}
        UNION ALL
        SELECT n * 14 + place - 1, file, row, pupil_no, is_upn, urn, monday + CAST((place - 1) // 2 AS INTEGER),
            CASE WHEN place % 2 = 1 THEN 'am' ELSE 'pm' END, raw
        FROM (
            SELECT n, {fixed}, as_day({WEEK_START}) AS monday, unnest({_EACH}) AS raw,
                generate_subscripts({_EACH}, 1) AS place
            FROM {source} WHERE {in_weeks}
        )"""


def quoted(texts: Sequence[str]) -> str:
    """Texts of our own as SQL literals."""
    return ", ".join("'" + text.replace("'", "''") + "'" for text in texts)
