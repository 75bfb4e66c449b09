"""Where a council's file has its header, and what it calls each column: merged cells, titles above, signs between."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from belonging_research.errors import SourceError
from belonging_research.sources.council.identifiers import holds_upn
from belonging_research.sources.reading import Header, Sniffed, refuse_duplicate_columns, sniff
from belonging_research.sources.workbook import open_book
from belonging_research.tables.council import COUNCIL_TABLES
from belonging_research.tables.council_headings import FORMER, HEADINGS, LAESTAB, NAMES, WEEK_MARKS, WEEK_START

WEEK = (WEEK_START, WEEK_MARKS)
SEVERAL = "reasons"  # the one column that may come as several
HALF_DAY = ("day", "session", "mark")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivedFile:
    """A file as it arrived: its form, the position of its header (0 the first row), and the headings there.

    ``sheets_unread`` counts the sheets of a workbook after its first, which alone is read.
    """

    sniffed: Sniffed
    header_at: int
    headings: Header
    sheets_unread: int = 0

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.sniffed.path

    @property
    def name(self) -> str:
        """Its name without the folder."""
        return self.sniffed.path.name


def plain(heading: str) -> str:
    """A heading as it is compared: small letters and digits only."""
    return re.sub(r"[^a-z0-9]+", "", heading.casefold())


_NAMES = frozenset(plain(name) for name in NAMES)


def is_name(heading: str) -> bool:
    """Whether a heading is of a column that says who somebody is, which is never read."""
    return plain(heading) in _NAMES


def columns_of(table: str) -> tuple[str, ...]:
    """The columns that may be read for a table: its own, and those that others are made from."""
    own = tuple(column.name for column in COUNCIL_TABLES[table].columns)
    return own + {"pupils": (FORMER,), "schools": (LAESTAB,), "marks": WEEK}.get(table, ())


def needed(table: str, has: Mapping[str, object]) -> tuple[str, ...]:
    """The columns without which a table cannot be made; of marks either half-days or whole weeks, as ``has`` has."""
    names = tuple(column.name for column in COUNCIL_TABLES[table].columns if not column.nullable)
    if table == "marks":
        halves = WEEK if any(name in has for name in WEEK) else HALF_DAY
        return (*(name for name in names if name not in HALF_DAY), *halves)
    return names


def recognised(table: str, headings: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Own name to heading, for each column of a table that is known by its heading; several only for reasons."""
    written = {plain(heading): heading for heading in reversed(headings) if heading.strip()}
    found = {}
    for column in columns_of(table):
        known = (plain(each) for each in (column, *HEADINGS[table].get(column, ())))
        hits = tuple(dict.fromkeys(written[each] for each in known if each in written and each not in _NAMES))
        if hits:
            found[column] = hits if column == SEVERAL else hits[:1]
    return found


def open_file(path: Path, header_row: int | None = None) -> ArrivedFile:
    """A file with its header; ``header_row`` is its row (1 the first) where a mapping says so.

    Without it, of the first rows that one is taken in which most headings are known.

    Raises
    ------
    SourceError
        If the file is no table, no row looks like a header, the header is in merged cells or has a heading twice.
    """
    sniffed = sniff(path)
    if sniffed is None or not sniffed.headers or not any(any(cells) for _, cells in sniffed.headers):
        raise SourceError(f"{path.name}: no table. Expected csv, an Excel workbook (.xlsx) or Parquet.")
    if header_row is None:
        at = max(sniffed.headers, key=lambda each: (_known(each[1]), _filled(each[1]), -each[0]))[0]
    else:
        at = header_row - 1
    rows = dict(sniffed.headers)
    if at not in rows:
        raise SourceError(
            f"{path.name}: header_row {at + 1} is not among its first {len(rows)} rows. Correct the mapping."
        )
    headings = tuple(cell.strip() for cell in rows[at])
    unread = 0
    if sniffed.container == "workbook":
        with open_book(path) as book:
            merged, unread = book.merged(), book.sheets_unread
        headings = _unmerged(path, at, headings, rows, merged)
    _refuse_no_header(path, at, headings)
    refuse_duplicate_columns(path, headings, frozenset({""}))
    return ArrivedFile(sniffed=sniffed, header_at=at, headings=headings, sheets_unread=unread)


def _known(cells: Header) -> int:
    return max(len(recognised(table, cells)) for table in COUNCIL_TABLES)


def _filled(cells: Header) -> int:
    return sum(1 for cell in cells if cell.strip())


def _refuse_no_header(path: Path, at: int, headings: Header) -> None:
    """A row of data in the header's place would be shown as headings, and so would a pupil."""
    looks_like_data = re.compile(r"^\d+$|^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")
    if holds_upn(pa.array(headings, pa.string())) or any(looks_like_data.match(cell) for cell in headings):
        raise SourceError(
            f"{path.name}: row {at + 1} holds data where headings were expected. Put a row of headings above the data."
        )


def _unmerged(
    path: Path, at: int, headings: Header, rows: Mapping[int, Header], merged: Mapping[str, tuple[int, int, int, int]]
) -> Header:
    """Headings of a workbook, a cell merged downwards read from its top; one merged sideways names several columns.

    Raises
    ------
    SourceError
        Naming the merged cells.
    """
    found = list(headings)
    for area, (first_column, first_row, last_column, last_row) in merged.items():
        if not first_row <= at + 1 <= last_row:
            continue
        if last_column > first_column:
            raise SourceError(
                f"{path.name}: cells {area} of the header are merged, so that one heading stands over several columns. "
                "Unmerge them in Excel and give each column a heading of its own."
            )
        top = rows.get(first_row - 1, ())
        if first_column <= len(top) and first_column <= len(found):
            found[first_column - 1] = top[first_column - 1].strip()
    return tuple(found)
