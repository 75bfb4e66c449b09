"""A file's wanted columns as text, a batch of rows at a time: a register of millions of marks is never held whole."""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from belonging_research.errors import SourceError
from belonging_research.sources.council.headers import ArrivedFile
from belonging_research.sources.reading import as_text, lines_above, ragged
from belonging_research.sources.workbook import open_book

Encoding = Literal["utf-8", "cp1252"]
_BLOCK = 1 << 22
_ROWS = 1 << 16
_MARK = b"\xef\xbb\xbf"


def text_batches(file: ArrivedFile, columns: Mapping[str, Sequence[str]]) -> Iterator[pa.Table]:
    """The rows of a file, spaces and all: for each own name a column of text, and ``row``, the row in the file.

    ``columns`` is own name to headings. A column of several headings comes as several, ``name.1`` and on. A missing
    cell is an empty text. Blank rows at the end of a sheet are rows too.

    Raises
    ------
    SourceError
        If the content is cut short, ragged, or in no encoding that is read.
    """
    wanted = {}
    for own, headings in columns.items():
        for number, heading in enumerate(headings, start=1):
            wanted[own if len(headings) == 1 else f"{own}.{number}"] = file.headings.index(heading)
    first = file.header_at + 2
    reader = {"text": _text, "parquet": _parquet, "workbook": _workbook}[file.sniffed.container]
    for table in reader(file, wanted):
        yield table.append_column("row", pa.array(np.arange(first, first + table.num_rows)))
        first += table.num_rows


def encoding_of(path: Path) -> Encoding:
    """UTF-8 (with or without its mark) or Windows-1252, by reading the whole file.

    Raises
    ------
    SourceError
        If it is neither; row and byte are named.
    """
    fault = _first_undecoded(path, "utf-8")
    if fault is None:
        return "utf-8"
    fault = _first_undecoded(path, "cp1252")
    if fault is None:
        return "cp1252"
    row, byte = fault
    raise SourceError(
        f"{path.name}: row {row} holds the byte 0x{byte:02X}, which is neither UTF-8 nor Windows-1252. Expected one of "
        "the two: open the file in the program that made it and save it as 'CSV UTF-8'."
    )


def _first_undecoded(path: Path, encoding: Encoding) -> tuple[int, int] | None:
    decoder, row = codecs.getincrementaldecoder(encoding)(), 1
    with _opened(path) as file:
        while block := file.read(_BLOCK):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                # The fault may lie in bytes kept from the block before: the row is counted in this one.
                content = bytes(error.object)
                return row + content.count(b"\n", 0, error.start), content[error.start]
            row += block.count(b"\n")
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            return row, bytes(error.object)[error.start]
    return None


def _opened(path: Path) -> BinaryIO | gzip.GzipFile:
    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if is_gzip else path.open("rb")


def _text(file: ArrivedFile, wanted: Mapping[str, int]) -> Iterator[pa.Table]:
    path, encoding = file.path, encoding_of(file.path)
    with _opened(path) as stream:
        head = stream.read(_BLOCK).removeprefix(_MARK)
    # The header is passed over with what is above it: columns are known by their place.
    passed = lines_above(head.decode(encoding, errors="replace").encode(), file.header_at + 1)
    with _opened(path) as stream:
        for _ in range(passed):
            stream.readline()
        if not stream.read(_BLOCK).strip():
            return
    places = [str(place) for place in range(len(file.headings))]
    names = [places[place] for place in wanted.values()]
    try:
        with _opened(path) as stream:
            reader = pyarrow.csv.open_csv(
                stream,
                read_options=pyarrow.csv.ReadOptions(
                    column_names=places, skip_rows=passed, encoding=encoding, block_size=_BLOCK
                ),
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=list(dict.fromkeys(names)),
                    column_types=dict.fromkeys(names, pa.string()),
                    strings_can_be_null=False,
                ),
            )
            for batch in reader:
                yield pa.table({own: batch[places[place]] for own, place in wanted.items()})
    except (pa.ArrowException, EOFError, OSError):
        raise _unreadable(file, encoding, passed) from None


def _unreadable(file: ArrivedFile, encoding: Encoding, passed: int) -> SourceError:
    with _opened(file.path) as stream:
        for _ in range(max(passed - 1, 0)):
            stream.readline()
        try:
            content = stream.read()
        except (EOFError, OSError):
            return SourceError(f"{file.name}: the gzip file is cut short or damaged. Ask for it again.")
    return ragged(file.path, content.decode(encoding).encode(), file.header_at + 1)


def _parquet(file: ArrivedFile, wanted: Mapping[str, int]) -> Iterator[pa.Table]:
    written = file.sniffed.headers[0][1]  # as in the file, spaces and all
    names = {own: written[place] for own, place in wanted.items()}
    try:
        with pyarrow.parquet.ParquetFile(file.path) as content:
            for batch in content.iter_batches(_ROWS, columns=list(dict.fromkeys(names.values()))):
                table = pa.table(batch)
                yield pa.table({own: pc.fill_null(as_text(table[name]), "") for own, name in names.items()})
    except (pa.ArrowException, OSError):
        raise SourceError(f"{file.name}: the parquet file is cut short or damaged. Ask for it again.") from None


def _workbook(file: ArrivedFile, wanted: Mapping[str, int]) -> Iterator[pa.Table]:
    with open_book(file.path) as book:
        rows = book.head(None)[file.header_at + 1 :]
    for at in range(0, len(rows), _ROWS):
        part = rows[at : at + _ROWS]
        yield pa.table(
            {
                own: pa.array([row[place] if place < len(row) else "" for row in part], pa.string())
                for own, place in wanted.items()
            }
        )
