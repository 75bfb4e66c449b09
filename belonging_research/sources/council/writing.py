"""A checked extract to disk: one Parquet file a table, the analyst's list of faults, and the record of it all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from belonging_research.sources.council.account import ReceivedTable, quote
from belonging_research.sources.council.workshop import Workshop
from belonging_research.sources.origin import NAME
from belonging_research.sources.reading import file_sha256
from belonging_research.tables.council import COUNCIL_TABLES

FAULT_LIST = "faults.csv"
_ROWS = 1 << 17


def place_hashes(shop: Workshop, hashes: Sequence[str]) -> None:
    """Give the engine the hash of each pupil and its place in their order."""
    order = {digest: rank for rank, digest in enumerate(sorted(hashes))}
    shop.place(
        "pupil_hashes",
        pa.table(
            {
                "pupil_no": pa.array(range(len(hashes)), pa.int32()),
                "pupil": pa.array(hashes, pa.string()),
                "rank": pa.array([order[digest] for digest in hashes], pa.int32()),
            }
        ),
    )


def write_table(shop: Workshop, table: str, path: Path) -> None:
    """Write a table as its schema has it, sorted by its key."""
    schema = COUNCIL_TABLES[table].schema
    has_pupil = "pupil" in schema.names
    join = "JOIN pupil_hashes USING (pupil_no)" if has_pupil else ""
    order = ["rank" if name == "pupil" else name for name in COUNCIL_TABLES[table].key]
    sql = f"SELECT {', '.join(schema.names)} FROM {table} {join} ORDER BY {', '.join(order)}"
    with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for rows in _batches(shop, sql):
            writer.write_table(rows.cast(schema))


def write_faults(shop: Workshop, path: Path) -> None:
    """Write every fault of every row for the analyst: where it stands and what was done; the pupil by hash only."""
    policies = pa.table({"fault": list(shop.policies), "policy": list(shop.policies.values())})
    names = {each.number: each.file.name for staged in shop.staged.values() for each in staged}
    shop.place("policies", policies)
    numbers, texts = pa.array(names, pa.int32()), pa.array(names.values(), pa.string())
    shop.place("file_names", pa.table({"file": numbers, "file_name": texts}))
    sql = (
        'SELECT file_name AS file, "row", part AS "table", column_name AS "column", fault, policy, pupil'
        " FROM faults JOIN policies USING (fault) JOIN file_names USING (file) LEFT JOIN pupil_hashes USING (pupil_no)"
        ' ORDER BY faults.file, "row", part, fault, column_name, n'
    )
    empty = pa.schema([(n, pa.string()) for n in ("file", "row", "table", "column", "fault", "policy", "pupil")])
    with path.open("wb") as file:
        writer = None
        for rows in _batches(shop, sql):
            writer = writer or pyarrow.csv.CSVWriter(file, rows.schema)
            writer.write_table(rows)
        if writer is None:
            writer = pyarrow.csv.CSVWriter(file, empty)
        writer.close()


def _batches(shop: Workshop, sql: str) -> Iterator[pa.Table]:
    for batch in shop.engine.sql(sql).to_arrow_reader(_ROWS):
        yield pa.Table.from_batches([batch])


def write_origin(
    folder: Path, *, council: str, day: dt.date, agreement: str, accounts: Sequence[ReceivedTable], notes: Sequence[str]
) -> None:
    """Write the record of an extract: what it is, every file with its sha256, bytes and rows, and the account."""
    lines = [
        f"title = {quote(f'Pupil-level extract of {council}')}",
        f"producer = {quote(council)}",
        f"agreement = {quote(agreement)}",
        f"date = {day.isoformat()}",
        f"notes = [{', '.join(quote(note) for note in notes)}]",
    ]
    for path in sorted(folder.iterdir()):
        rows = pyarrow.parquet.read_metadata(path).num_rows if path.suffix == ".parquet" else _lines(path) - 1
        lines += [
            "",
            "[[file]]",
            f"name = {quote(path.name)}",
            f"sha256 = {quote(file_sha256(path))}",
            f"bytes = {path.stat().st_size}",
            f"rows = {rows}",
        ]
    for account in accounts:
        lines += ["", *account.toml()]
    (folder / NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)
