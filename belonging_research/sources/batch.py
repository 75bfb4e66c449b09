"""The rows of one file on their way to figures: every row that leaves is counted with its reason."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from belonging_research.errors import SourceError
from belonging_research.sources import geography
from belonging_research.sources.layouts import Family, Layout
from belonging_research.tables import SYMBOLS, first_year

REPEAT = "repeats the previous snapshot"
REPEATED_FILE = "repeats a row of another file"
NOT_IN_FORCE = "code not in force in that year"
SCHOOL_ROW = "school row: this study compares councils"
WEEK_ROW = "week row: the year to date is used"
LATE_SNAPSHOT = "snapshot later than the data-as-at date"
LATE_RELEASE = "usually published after the data-as-at date"
LATE_MODEL = "model later than the data-as-at date"
LATE = frozenset({LATE_SNAPSHOT, LATE_RELEASE, LATE_MODEL})
OTHER_MEASURE = "measure that this study does not use"
COMBINED = "entry of two councils together"
NO_PLACE = "place not stated by the publisher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of every reader.

    ``through`` is the report year; ``data_as_at`` the day after which nothing may have been published;
    ``councils`` the old codes of the lookups, each with its GSS codes (None where the folder has none);
    ``year_types`` the meaning of LAIT's years by measure (None without its dictionary).
    """

    through: str
    data_as_at: dt.date | None = None
    councils: Mapping[str, frozenset[str]] | None = None
    year_types: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows of a file and the number left out for each reason; ``rows_read`` ends with the report year.

    ``written`` is each column's own name to the one in the file's header, which is what an error must name.
    """

    file: str
    layout: Layout
    table: pa.Table
    rows_read: int = 0
    excluded: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    written: Mapping[str, str] = field(default_factory=dict)

    def without(self, reasons: pa.Array | pa.ChunkedArray) -> Batch:
        """The rows with no reason; the others are counted under theirs."""
        counts = Counter(dict(self.excluded))
        for reason in pc.unique(reasons.drop_null()).to_pylist():
            counts[reason] += _rows(self.table.filter(pc.equal(reasons, reason)))
        kept = self.table.filter(pc.is_null(reasons))
        return replace(self, table=kept, excluded=dict(sorted(counts.items())))

    @property
    def rows(self) -> int:
        """Number of the file's rows still here (a widened row stands for several)."""
        return _rows(self.table)

    def has(self, column: str) -> bool:
        """Whether the file has this column."""
        return column in self.table.column_names

    def fault(
        self,
        at: int,
        column: str,
        found: str,
        expected: str,
        mend: str,
        alike: pa.Array | pa.ChunkedArray | None = None,
    ) -> SourceError:
        """The error for a cell: file, row, column, what was found, what was expected, how to mend it.

        ``alike`` is true for every row with this fault, so that one slip is told from a file saved in another form.
        """
        row = self.table["row"][at].as_py()
        column = self.written.get(column, column)
        times = 1 if alike is None else pc.sum(alike).as_py()
        others = f"So it is in {times:,} of {self.table.num_rows:,} rows. " if times > 1 else ""
        return SourceError(
            f"{self.file}: row {row}, column {column}: found {found}; expected {expected}. {others}{mend}"
        )


def _rows(table: pa.Table) -> int:
    return pc.sum(table["n"]).as_py() or 0 if "n" in table.column_names else table.num_rows


def first_true(mask: pa.Array | pa.ChunkedArray) -> int | None:
    """Position of the first true value, or None."""
    at = pc.index(pc.fill_null(mask, False), True).as_py()
    return at if at >= 0 else None


def because(mask: pa.Array | pa.ChunkedArray, reason: str) -> pa.Array | pa.ChunkedArray:
    """``reason`` where the mask is true, else null; for :meth:`Batch.without`."""
    return pc.if_else(mask, pa.scalar(reason), pa.scalar(None, pa.string()))


def keep_until(batch: Batch, through: str) -> Batch:
    """Add ``period`` and ``period_kind``; drop, uncounted, every row after the report year.

    Uncounted because nothing about a later year may leave this room, not even how much of it there was.

    Raises
    ------
    SourceError
        If a period cannot be read; row and column are named.
    """
    years = batch.table["academic_year" if batch.has("academic_year") else "time_period"]
    both = geography.pair(years, batch.table["time_identifier"])
    found = geography.recode(both, lambda text: _period(*text.split("\x1f")), pa.list_(pa.string()))
    unread = first_true(pc.is_null(found))
    if unread is not None:
        year, identifier = both[unread].as_py().split("\x1f")
        raise batch.fault(
            unread,
            "time_period and time_identifier",
            f"{year!r} with {identifier!r}",
            "an academic year such as 202425 with 'Academic year', a term, or 'Autumn and spring term'",
            "Correct the cell, remove the row if it is a note, or leave the file out.",
        )
    table = batch.table
    for at, name in enumerate(("period", "period_kind")):
        table = table.append_column(name, pc.list_element(found, at))
    kept = table.filter(pc.less_equal(table["period"], through))
    return replace(batch, table=kept, rows_read=kept.num_rows)


def _period(year: str, identifier: str) -> list[str] | None:
    found = geography.period_and_kind(year, identifier)
    return list(found) if found else None


# When each series is usually out: (years after the one in which the academic year begins, month, day).
# Absence: full year about March, two terms about October, autumn about May; suspensions: the full year about
# July, a year behind, and no term is dated earlier here than its year (release timing stated by DfE in the data
# guidance of both publications). Attendance: the last year-to-date files seen are of 7 to 10 August.
_PUBLISHED: dict[tuple[Family, str], tuple[int, int, int]] = {
    ("absence", "academic_year"): (2, 3, 31),
    ("absence", "two_terms"): (1, 10, 31),
    ("absence", "autumn_term"): (1, 5, 31),
    ("exclusions", "academic_year"): (2, 7, 31),
    ("daily", "year_to_date"): (1, 8, 10),
}
_OTHERWISE = {"absence": (2, 3, 31), "exclusions": (2, 7, 31), "daily": (1, 8, 10)}


def published(family: Family, kind: str, period: str) -> dt.date:
    """The day by which figures of a series for an academic year are usually out."""
    years, month, day = _PUBLISHED.get((family, kind)) or _OTHERWISE[family]
    return dt.date(first_year(period) + years, month, day)


def keep_published(batch: Batch, data_as_at: dt.date | None, family: Family) -> Batch:
    """Drop and count what was not yet out: snapshots by their date, undated figures by the usual date."""
    if data_as_at is None:
        return batch
    if batch.has("as_at"):
        return batch.without(because(pc.greater(batch.table["as_at"], pa.scalar(data_as_at)), LATE_SNAPSHOT))
    both = geography.pair(batch.table["period_kind"], batch.table["period"])
    late = geography.recode(both, lambda text: published(family, *text.split("\x1f")) > data_as_at, pa.bool_())
    return batch.without(because(late, LATE_RELEASE))


def numbers(batch: Batch, column: str, symbols: Mapping[str, str] = SYMBOLS) -> tuple[pa.Array, pa.Array]:
    """A column as numbers, and beside each missing one its reason.

    Raises
    ------
    SourceError
        If a cell is neither a number nor a known symbol, or is negative.
    """
    text = batch.table[column].combine_chunks()
    reasons = geography.recode(batch.table[column], symbols.get, pa.string())
    plain = pc.if_else(pc.is_null(reasons), text, pa.scalar(None, pa.string()))
    try:
        values = plain.cast(pa.float64())
    except pa.ArrowInvalid:
        values = None
    if values is None or pc.any(pc.invert(pc.is_finite(values))).as_py():
        pattern = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
        unread = pc.invert(pc.match_substring_regex(plain, pattern))
        at = first_true(unread)
        if at is None:  # the cast is stricter than the pattern: name the column at least
            raise batch.fault(0, column, "text", "a number", "Correct the column's cells.") from None
        raise batch.fault(
            at, column, repr(plain[at].as_py()), f"a number or one of {' '.join(s for s in symbols if s)}",
            "Correct the cell, or use the publisher's symbol for a missing figure.", unread,
        )  # fmt: skip
    negative = pc.less(values, 0.0)
    at = first_true(negative)
    if at is not None:
        raise batch.fault(
            at, column, repr(plain[at].as_py()), "a count or rate of 0 or more", "Correct the cell.", negative
        )
    return values, reasons


def refuse_shortened(batch: Batch, column: str) -> None:
    """Refuse a count such as ``1.2E+07``, which is how a spreadsheet writes a number whose last digits it leaves out.

    Other programs write ``1e+05``, with a small e, for a number that is no longer than that: those are read.

    Raises
    ------
    SourceError
        Naming row and column.
    """
    shortened = pc.match_substring_regex(batch.table[column], r"\dE\+\d")
    at = first_true(shortened)
    if at is not None:
        raise batch.fault(
            at, column, repr(batch.table[column][at].as_py()), "a count with all its digits",
            "Download the file again, or format the column as a number before saving it as csv.", shortened,
        )  # fmt: skip


def refuse_duplicates(batch: Batch, keys: Sequence[str]) -> None:
    """Refuse two rows with one key.

    Raises
    ------
    SourceError
        Naming both rows and their place, period and phase.
    """
    present = [name for name in keys if batch.has(name)]
    groups = batch.table.group_by(present).aggregate([("row", "count"), ("row", "min"), ("row", "max")])
    twice = groups.filter(pc.greater(groups["row_count"], 1)).sort_by("row_min")
    if twice.num_rows:
        first = twice.slice(0, 1).to_pylist()[0]
        what = ", ".join(f"{name} {first[name]}" for name in present if first[name] is not None)
        raise SourceError(
            f"{batch.file}: rows {first['row_min']} and {first['row_max']} have the same key ({what}); "
            f"{twice.num_rows} such key(s) in the file. Expected one row each: remove one of them."
        )


def content_sha256(table: pa.Table, columns: Sequence[str]) -> str:
    """SHA-256 of rows as text, whatever their order and that of their columns.

    Each row is its cells in the alphabetical order of the columns' own names, joined by a unit separator; the
    rows are sorted. Row numbers and the file's name do not enter.
    """
    names = sorted(columns)
    digest = hashlib.sha256("\x1f".join(names).encode())
    if table.num_rows and names:
        cells = [pc.fill_null(table[name].cast(pa.string()), "") for name in names]
        rows = pc.binary_join_element_wise(*cells, "\x1f") if len(cells) > 1 else cells[0]
        for text in sorted(rows.to_pylist()):
            digest.update(b"\n" + text.encode())
    return digest.hexdigest()
