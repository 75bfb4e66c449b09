"""A checked extract, read again: only as it was written."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from belonging_research.errors import SourceError
from belonging_research.sources.council.account import ReceivedTable, received_tables
from belonging_research.sources.origin import NAME, read_origin
from belonging_research.sources.reading import file_sha256
from belonging_research.tables.council import COUNCIL_TABLES


@dataclass(frozen=True, slots=True, kw_only=True)
class CouncilExtract:
    """An extract as `receive` left it; ``tables`` is each table's name to its Parquet files, sorted by its key.

    ``digest`` is SHA-256 over the names and contents of the tables: 64 hex characters. ``account`` is what became of
    every row, table by table; ``notes`` what was not checked and what was left unread.
    """

    folder: Path
    producer: str
    date: dt.date
    digest: str
    tables: Mapping[str, tuple[Path, ...]]
    account: tuple[ReceivedTable, ...]
    notes: tuple[str, ...]


def read_council_extract(folder: Path) -> CouncilExtract:
    """An extract of a folder, after checking every file against ``origin.toml`` and every table against its schema.

    Raises
    ------
    SourceError
        If the record is missing or not as written, a file is missing, differs or is not listed, or a table has other
        columns than this version knows.
    """
    path = folder / NAME
    if not path.is_file():
        raise SourceError(
            f"{folder}: no {NAME}, so no extract that `belonging receive` wrote. Receive the files first."
        )
    origin = read_origin(path)
    if origin.date is None or origin.producer is None:
        raise SourceError(f"{NAME} of {folder.name}: needs date and producer. Receive the files again.")
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    tables = {name: files for name in COUNCIL_TABLES if (files := _files(folder, name))}
    if not tables:
        raise SourceError(f"{folder}: holds no table of a council. Receive the files again.")
    digest = hashlib.sha256()
    for name, files in tables.items():
        for file in files:
            if not _as_specified(file, COUNCIL_TABLES[name].schema):
                raise SourceError(
                    f"{file.name} of {folder.name}: has other columns or types than this version writes. Receive the "
                    "files again."
                )
            digest.update(f"{file.stem}\x1f{file_sha256(file)}\n".encode())
    return CouncilExtract(
        folder=folder,
        producer=origin.producer,
        date=origin.date,
        digest=digest.hexdigest(),
        tables=tables,
        account=received_tables(content.get("received", [])),
        notes=tuple(str(note) for note in content.get("notes", [])),
    )


def is_council_extract(folder: Path) -> bool:
    """Whether a folder holds a council's own tables, so is no folder of published figures."""
    return (folder / NAME).is_file() and (folder / "schools.parquet").is_file()


def _files(folder: Path, table: str) -> tuple[Path, ...]:
    """The files of a table: one, or one an academic year (``marks_202425.parquet``)."""
    whole = folder / f"{table}.parquet"
    parts = sorted(path for path in folder.glob(f"{table}_*.parquet") if re.fullmatch(rf"{table}_\d{{6}}", path.stem))
    return (whole,) if whole.is_file() else tuple(parts)


def _as_specified(file: Path, schema: pa.Schema) -> bool:
    found = pyarrow.parquet.read_schema(file)
    return bool(found.names == schema.names and found.types == schema.types)
