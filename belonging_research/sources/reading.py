"""Bytes to a table of strings: csv, gzipped csv, parquet and xlsx, told apart by their content.

Nothing is interpreted here. Every cell stays the text it was; a blank stays blank.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from belonging_research.errors import SourceError
from belonging_research.sources.layouts import key
from belonging_research.sources.workbook import is_workbook, open_book

Container = Literal["text", "parquet", "workbook"]
Header = tuple[str, ...]

_HEAD = 1 << 17
_TABLE_SUFFIXES = (".csv", ".tsv", ".gz", ".zip", ".parquet", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
_OTHER_SHEETS = (".xls", ".xlsb", ".ods")
_HEADER_ROWS = 10  # a table may carry titles above its header
_LOCKS = ("~$", ".~lock.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sniffed:
    """A file as far as it must be read to know its layout.

    ``headers`` are the rows that may be the header, with their position (0 the first row of the file).
    """

    path: Path
    container: Container
    headers: tuple[tuple[int, Header], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """The cells of a file: one string column for each wanted name, and ``row`` (the header is row 1)."""

    table: pa.Table
    created: datetime | None = None
    title: str = ""


def is_table(path: Path) -> bool:
    """Whether a name promises a table; only used to choose between an error and a note."""
    return path.name.lower().endswith(_TABLE_SUFFIXES)


def is_lock(path: Path) -> bool:
    """Whether a file is the mark that Excel or LibreOffice sets beside a workbook while it is open."""
    return path.name.startswith(_LOCKS)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex characters; a large file is never held whole."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sniff(path: Path) -> Sniffed | None:
    """What a file holds and its header; None where it is not a table and its name promises none.

    Raises
    ------
    SourceError
        If the name promises a table and the content is empty, cut short, or in another form.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise SourceError(f"{path.name}: cannot be read ({error.strerror}). Check its permissions.") from None
    if not head:
        if is_table(path):
            raise SourceError(f"{path.name}: the file is empty. Download it again.")
        return None
    if head.startswith(b"PAR1"):
        header = tuple(_parquet(path).schema_arrow.names)
        return Sniffed(path=path, container="parquet", headers=((0, header),))
    if path.suffix.lower() in _OTHER_SHEETS:
        raise SourceError(
            f"{path.name}: a spreadsheet that is not read. Open it and save it as .xlsx, or as csv UTF-8."
        )
    if head.startswith(b"PK\x03\x04"):
        return _sniff_zip(path)
    return _sniff_text(path, head)


def _sniff_text(path: Path, head: bytes) -> Sniffed | None:
    if head.startswith(b"\x1f\x8b"):
        head = _gunzipped_head(path, head)
    _refuse_other_form(path, head)
    if b"\x00" in head:
        return None
    rows: list[Header] = []
    try:
        # A text that promises no table may quote a header further down.
        for row in csv.reader(io.StringIO(head.decode("utf-8-sig", errors="replace"), newline="")):
            rows.append(tuple(row))
            if len(rows) == (_HEADER_ROWS if is_table(path) else 1):
                break
    except csv.Error:
        pass
    return Sniffed(path=path, container="text", headers=tuple(enumerate(rows or [()])))


def _gunzipped_head(path: Path, head: bytes) -> bytes:
    try:
        text = zlib.decompressobj(wbits=31).decompress(head, _HEAD)
    except zlib.error:
        raise _cut_short(path) from None
    if b"\n" not in text and path.stat().st_size <= len(head):
        text = _gunzip(path, path.read_bytes())  # says so if the file is cut short
        if not text:
            raise SourceError(f"{path.name}: the file is empty. Download it again.")
    return text


def _refuse_other_form(path: Path, head: bytes) -> None:
    suffix = path.suffix.lower()
    if suffix == ".zip" or head[257:262] == b"ustar":
        raise _archive(path)
    if suffix in (".xlsx", ".xlsm"):
        raise SourceError(f"{path.name}: not an Excel workbook. Open it and save it as .xlsx, or as csv UTF-8.")
    if suffix == ".parquet":
        raise SourceError(f"{path.name}: not a parquet file. Download it again.")
    if suffix == ".gz" and b"\x00" in head:
        raise not_gzip(path)
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in head[:400]
    if wide and is_table(path):
        raise SourceError(
            f"{path.name}: encoded as UTF-16 (or not text at all); expected UTF-8. Save it as 'CSV UTF-8'."
        )


def not_gzip(path: Path) -> SourceError:
    """The error for a name that ends in .gz and a content that is something else."""
    return SourceError(f"{path.name}: not a gzip file, though its name says so. Download it again.")


def _archive(path: Path) -> SourceError:
    return SourceError(
        f"{path.name}: an archive of files, which is not opened. Unpack it, and move the archive out of the folder."
    )


def _cut_short(path: Path) -> SourceError:
    return SourceError(f"{path.name}: the gzip file is cut short or damaged. Download it again.")


def _gunzip(path: Path, content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise _cut_short(path) from None


def _parquet(path: Path) -> pyarrow.parquet.ParquetFile:
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError):
        raise SourceError(f"{path.name}: the parquet file is cut short or damaged. Download it again.") from None


def read_cells(
    sniffed: Sniffed,
    header_at: int,
    columns: Mapping[str, str],
    positions: Mapping[str, int] | None = None,
) -> Cells:
    """Read the columns of a file as text.

    Parameters
    ----------
    header_at
        Position of the header among the file's rows, 0 the first.
    columns
        Own name to the name written in the header.
    positions
        Own name to the position of a column whose name is not its own (workbooks only).

    Raises
    ------
    SourceError
        If the content is cut short, not UTF-8, ragged, or holds a header and nothing below it.
    """
    if sniffed.container == "parquet":
        cells = Cells(table=_read_parquet(sniffed.path, columns))
    elif sniffed.container == "workbook":
        cells = _read_workbook(sniffed.path, header_at, columns, positions or {})
    else:
        cells = Cells(table=_read_text(sniffed.path, header_at, columns))
    if cells.table.num_rows == 0:
        raise SourceError(f"{sniffed.path.name}: a header and no rows below it. Download the file again, or remove it.")
    return cells


def refuse_duplicate_columns(path: Path, header: Header, allowed: frozenset[str]) -> None:
    """Refuse a header in which a column stands twice (``allowed`` may).

    Raises
    ------
    SourceError
        Naming the column and both positions.
    """
    seen: dict[str, int] = {}
    for position, name in enumerate(header, start=1):
        if key(name) in seen and key(name) not in allowed:
            raise SourceError(
                f"{path.name}: column {name!r} stands twice, as columns {seen[key(name)]} and {position}. "
                "Remove one of them."
            )
        seen[key(name)] = position


def _numbered(columns: Mapping[str, pa.Array | pa.ChunkedArray], rows: int, first: int) -> pa.Table:
    trimmed = {name: pc.utf8_trim_whitespace(column) for name, column in columns.items()}
    return pa.table({**trimmed, "row": pa.array(range(first, first + rows), pa.int64())})


def _read_text(path: Path, header_at: int, columns: Mapping[str, str]) -> pa.Table:
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        content = _gunzip(path, content)
    content = content.removeprefix(b"\xef\xbb\xbf")
    _refuse_not_utf8(path, content)
    above = lines_above(content, header_at)
    content = content.split(b"\n", above)[-1]
    wanted = list(dict.fromkeys(columns.values()))
    try:
        read = pyarrow.csv.read_csv(
            pa.BufferReader(content),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=b'"' in content),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=wanted,
                column_types=dict.fromkeys(wanted, pa.string()),
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowException:
        raise ragged(path, content, header_at + 1) from None
    return _numbered({own: read[written] for own, written in columns.items()}, read.num_rows, header_at + 2)


def lines_above(content: bytes, header_at: int) -> int:
    """Lines of UTF-8 text before the header, which are more than rows where a title runs over several."""
    rows = csv.reader(io.StringIO(content[:_HEAD].decode("utf-8", errors="replace"), newline=""))
    for _ in range(header_at):
        next(rows)
    return rows.line_num


def _refuse_not_utf8(path: Path, content: bytes) -> None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"{path.name}: row {row} holds a byte that is not UTF-8 (perhaps Windows-1252). "
            "Expected UTF-8: save it as 'CSV UTF-8'."
        ) from None


def ragged(path: Path, content: bytes, first: int) -> SourceError:
    """The error for UTF-8 text whose rows are not all as wide as its header, which is row ``first`` of the file."""
    rows = csv.reader(io.StringIO(content.decode("utf-8")))
    try:
        width = len(next(rows, []))
        for number, row in enumerate(rows, start=first + 1):
            if row and len(row) != width:
                return SourceError(
                    f"{path.name}: row {number} has {len(row)} cells, the header {width}. "
                    "It is a note, or a row that was cut short: take the note out, or download it again."
                )
    except csv.Error:
        pass
    return SourceError(f"{path.name}: not readable as comma-separated values. Download it again.")


def _read_parquet(path: Path, columns: Mapping[str, str]) -> pa.Table:
    try:
        read = _parquet(path).read(columns=list(dict.fromkeys(columns.values())))
    except (pa.ArrowException, OSError):
        raise SourceError(f"{path.name}: the parquet file is cut short or damaged. Download it again.") from None
    texts = {own: pc.fill_null(as_text(read[written]), "") for own, written in columns.items()}
    return _numbered(texts, read.num_rows, 2)


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of any type as text."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(pa.string())


def _sniff_zip(path: Path) -> Sniffed | None:
    if not is_workbook(path):
        if is_table(path):
            raise _archive(path)
        return None
    with open_book(path) as book:
        rows = book.head(_HEADER_ROWS)
    headers = tuple((at, tuple(cells)) for at, cells in enumerate(rows))
    return Sniffed(path=path, container="workbook", headers=headers)


def _read_workbook(path: Path, header_at: int, columns: Mapping[str, str], positions: Mapping[str, int]) -> Cells:
    with open_book(path) as book:
        rows = book.head(None)
        created, title = book.created, " ".join([book.title, *(" ".join(row) for row in rows[:header_at])])
    header = rows[header_at]
    body = rows[header_at + 1 :]
    at = {own: header.index(written) for own, written in columns.items()} | dict(positions)
    texts = {own: pa.array(_column(body, place), pa.string()) for own, place in at.items()}
    return Cells(table=_numbered(texts, len(body), header_at + 2), created=created, title=title)


def _column(body: Sequence[Sequence[str]], at: int) -> list[str]:
    return [row[at] if at < len(row) else "" for row in body]
