"""From arrived files to rows without names: what goes to disk from here on no longer says who anybody is.

Pupil numbers become places in the list of hashes, births become months, and columns of names are never read. All this
happens in memory, batch by batch, before anything is written, so that a run that is killed leaves nothing that names.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from belonging_research.errors import SourceError
from belonging_research.sources.council.headers import SEVERAL, ArrivedFile, columns_of, is_name
from belonging_research.sources.council.identifiers import holds_upn, is_upn
from belonging_research.sources.council.keys import PupilHashes, plain_number
from belonging_research.sources.council.mapping import FileMapping
from belonging_research.sources.council.rows import text_batches
from belonging_research.tables.council_headings import FORMER, LAESTAB, OF_SCHOOLS, WEEK_MARKS

UNREADABLE = "?"  # stands for a date of birth that cannot be read, which itself is not kept
_DAY = re.compile(r"(?:(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}))(?:[T ][\d:.]+Z?)?")
_MONTH = re.compile(r"(\d{4})-(\d{1,2})")
_ESTABLISHMENT = re.compile(r"(\d{3})[ /-]?(\d{4})(?:\.0*)?")  # 8384001, 838/4001, and what a spreadsheet makes of it

Arrived = tuple[ArrivedFile, FileMapping]


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedFile:
    """A file of which only de-identified text is left, in ``path``; ``number`` is its place among the files.

    ``rows`` are those staged, ``blank_rows`` those in which every wanted cell was empty, ``names_dropped`` how many
    columns of names were passed over.
    """

    file: ArrivedFile
    entry: FileMapping
    number: int
    path: Path
    rows: int
    blank_rows: int
    names_dropped: int


def former_numbers(arrived: Iterable[Arrived]) -> dict[str, str]:
    """Each pupil's earlier number to the later one, as far as the files of pupils tell.

    Raises
    ------
    SourceError
        If one earlier number is given to two pupils; file and row are named.
    """
    links: dict[str, str] = {}
    for file, entry in arrived:
        if entry.table != "pupils" or FORMER not in entry.read:
            continue
        for batch in text_batches(file, {name: entry.headings(name) for name in ("pupil", FORMER)}):
            for row, now, before in zip(*(batch[name].to_pylist() for name in ("row", "pupil", FORMER)), strict=True):
                later, earlier = plain_number(now), plain_number(before)
                if earlier and later and earlier != later and links.setdefault(earlier, later) != later:
                    raise SourceError(
                        f"{file.name}: row {row}, column {entry.headings(FORMER)[0]}: an earlier number that another "
                        "row gives to another pupil. Ask the sender whose it is."
                    )
    return links


def school_numbers(arrived: Iterable[Arrived]) -> dict[str, str]:
    """Each LAESTAB (seven digits) to the URN of its school, as far as the files of schools tell.

    One that stands beside two URNs, as after a school became an academy, is of neither: it is empty here.
    """
    found: dict[str, str] = {}
    for file, entry in arrived:
        if entry.table != "schools" or not {"urn", LAESTAB} <= entry.read.keys():
            continue
        own = {_compared(written): value for written, value in entry.values.get("urn", {}).items()}
        for batch in text_batches(file, {name: entry.headings(name) for name in ("urn", LAESTAB)}):
            for cell, written in zip(batch["urn"].to_pylist(), batch[LAESTAB].to_pylist(), strict=True):
                number, urn = plain_laestab(written), own.get(_compared(cell), cell.strip())
                if number and urn:
                    found[number] = urn if found.get(number, urn) == urn else ""
    return found


def plain_laestab(written: str) -> str:
    """A LAESTAB as seven digits, written 8384001 or 838/4001; empty where it is none (a URN has six)."""
    whole = _ESTABLISHMENT.fullmatch(written.strip())
    return whole[1] + whole[2] if whole else ""


def stage(
    file: ArrivedFile,
    entry: FileMapping,
    hashes: PupilHashes,
    schools: Mapping[str, str],
    *,
    number: int,
    path: Path,
    first: int,
) -> StagedFile:
    """Write a file's rows as de-identified text to ``path``; ``first`` is the number of the first row over all files.

    ``schools`` are URNs by LAESTAB (:func:`school_numbers`): a school that is named by either has its URN from here on.

    Columns: ``n`` (number over all files), ``file``, ``row``, ``pupil_no`` (place in ``hashes.found``), ``is_upn``, and
    every column of the table as text, empty where there is none.

    Raises
    ------
    SourceError
        If the file cannot be read, or a pupil number stands in a column where none may be (file and column are named).
    """
    wanted = {name: headings for name, headings in entry.read.items() if name not in (FORMER, LAESTAB)}
    cleaner = _Cleaner(file, entry, hashes, schools)
    rows = blank = 0
    with pyarrow.parquet.ParquetWriter(path, _schema(entry.table), compression="zstd") as writer:
        for batch in text_batches(file, wanted):
            full = batch.filter(_is_filled(batch))
            blank += batch.num_rows - full.num_rows
            writer.write_table(cleaner.cleaned(full, number, first + rows))
            rows += full.num_rows
    names = sum(1 for heading in file.headings if is_name(heading))
    return StagedFile(
        file=file, entry=entry, number=number, path=path, rows=rows, blank_rows=blank, names_dropped=names
    )


def _staged_text(table: str) -> tuple[str, ...]:
    return tuple(name for name in columns_of(table) if name not in ("pupil", FORMER, LAESTAB))


def _schema(table: str) -> pa.Schema:
    fixed = [
        ("n", pa.int64()),
        ("file", pa.int32()),
        ("row", pa.int64()),
        ("pupil_no", pa.int32()),
        ("is_upn", pa.bool_()),
    ]
    return pa.schema([*fixed, *((name, pa.string()) for name in _staged_text(table))])


def _is_filled(batch: pa.Table) -> pa.ChunkedArray:
    cells = [pc.utf8_length(pc.utf8_trim_whitespace(batch[n])) for n in batch.column_names if n != "row"]
    total = cells[0]
    for each in cells[1:]:
        total = pc.add(total, each)
    return pc.greater(total, 0)


class _Cleaner:
    """Cleans batches of one file; what each distinct pupil number and value becomes is worked out once."""

    def __init__(self, file: ArrivedFile, entry: FileMapping, hashes: PupilHashes, schools: Mapping[str, str]) -> None:
        self._file, self._entry, self._hashes, self._schools = file, entry, hashes, schools
        self._councils = {number[:3] for number in schools}
        self._sound: dict[str, bool] = {}
        self._values = {
            column: {_compared(written): own for written, own in values.items()}
            for column, values in entry.values.items()
        }

    def cleaned(self, batch: pa.Table, number: int, first: int) -> pa.Table:
        rows = batch.num_rows
        pupils = batch["pupil"] if "pupil" in batch.column_names else pa.chunked_array([pa.nulls(rows, pa.string())])
        columns = {
            "n": pa.array(np.arange(first, first + rows)),
            "file": pa.repeat(pa.scalar(number, pa.int32()), rows),
            "row": batch["row"],
            "pupil_no": recoded(pupils, self._hashes.number, pa.int32()),
            "is_upn": recoded(pupils, self._is_sound, pa.bool_()),
        }
        for name in _staged_text(self._entry.table):
            columns[name] = self._column(name, batch)
        return pa.table(columns, schema=_schema(self._entry.table))

    def _is_sound(self, written: str) -> bool:
        if written not in self._sound:
            self._sound[written] = is_upn(plain_number(written))
        return self._sound[written]

    def _column(self, name: str, batch: pa.Table) -> pa.ChunkedArray | pa.Array:
        several = sorted(each for each in batch.column_names if each.startswith(f"{name}."))
        if name == SEVERAL and several:
            parts = [pc.utf8_trim_whitespace(batch[each]) for each in several]
            text = pc.utf8_trim(pc.binary_join_element_wise(*parts, ","), ",")
        elif name in batch.column_names:
            text = batch[name] if name == WEEK_MARKS else pc.utf8_trim_whitespace(batch[name])
        else:
            text = pa.repeat(pa.scalar(self._entry.constant.get(name, ""), pa.string()), batch.num_rows)
        if name == "birth_month":
            return recoded(text, _month, pa.string())
        self._refuse_upn(name, text)
        if name in OF_SCHOOLS and self._entry.table != "schools":
            return recoded(text, lambda cell: self._urn(name, cell), pa.string())
        values = self._values.get(name)
        # Marks are looked up one by one later, when weeks have been taken apart.
        return (
            recoded(text, lambda cell: values.get(_compared(cell), cell), pa.string())
            if values and name != "mark"
            else text
        )

    def _urn(self, name: str, written: str) -> str:
        """A cell's own value by the mapping, or the URN of its LAESTAB; of no school here that, 838/4001."""
        value = self._values.get(name, {}).get(_compared(written), written)
        number = plain_laestab(value)
        if not number or self._schools.get(number):
            return self._schools[number] if number else value
        elsewhere = name != "urn" and self._councils and number[:3] not in self._councils
        # Where a pupil came from or went to may be another council's school; of one's own the URN must be known.
        return number if elsewhere else f"{number[:3]}/{number[3:]}"

    def _refuse_upn(self, name: str, text: pa.ChunkedArray | pa.Array) -> None:
        if holds_upn(text):
            heading = ", ".join(self._entry.headings(name)) or f"constant {name}"
            raise SourceError(
                f"{self._file.name}: column {heading}: holds a pupil number, where none may be. Take it out of that "
                "column, or correct the mapping."
            )


def _compared(text: str) -> str:
    return " ".join(text.split()).casefold()


def recoded(texts: pa.ChunkedArray | pa.Array, rule: Callable[[str], object], kind: pa.DataType) -> pa.ChunkedArray:
    """Every text by a rule that is asked once for each distinct one; null stays null."""
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    found = []
    for chunk in chunks:
        coded = chunk.dictionary_encode()
        answers = pa.array([rule(text) for text in coded.dictionary.to_pylist()], kind)
        found.append(answers.take(coded.indices))
    return pa.chunked_array(found, kind)


def _month(written: str) -> str:
    """The first day of the month of a date of birth, written as a date or as a month (2014-05); blank stays blank."""
    written = written.strip()
    if not written:
        return ""
    if whole := _DAY.fullmatch(written):
        year, month, day = (whole[1], whole[2], whole[3]) if whole[1] else (whole[6], whole[5], whole[4])
    elif short := _MONTH.fullmatch(written):
        year, month, day = short[1], short[2], "1"
    else:
        return UNREADABLE
    try:
        return dt.date(int(year), int(month), int(day)).replace(day=1).isoformat()
    except ValueError:
        return UNREADABLE


def mark_values(staged: Mapping[str, Iterable[StagedFile]]) -> pa.Table:
    """What marks stand for by the mappings: file, mark as written, own mark."""
    rows = [
        (each.number, written.strip().upper(), own)
        for each in staged.get("marks", ())
        for written, own in each.entry.values.get("mark", {}).items()
    ]
    file, written, own = ([row[at] for row in rows] for at in range(3))
    return pa.table(
        {
            "file": pa.array(file, pa.int32()),
            "written": pa.array(written, pa.string()),
            "own": pa.array(own, pa.string()),
        }
    )
