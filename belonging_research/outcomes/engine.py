"""A council's tables as expressions, and the one place where a query engine is chosen."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet
from ibis.expr.types import Table

from belonging_research.outcomes.registers import session_counts
from belonging_research.sources.council import CouncilExtract
from belonging_research.tables.council import COUNCIL_TABLES

_THIS_ROOM = Path(__file__).parent
_COUNTED_BY = (_THIS_ROOM / "registers.py", _THIS_ROOM.parent / "tables" / "register_codes.py",
               _THIS_ROOM.parent / "tables" / "school_year.py")  # fmt: skip


def open_engine() -> Any:
    """DuckDB inside this process: no server, no set-up; it spills to disk where memory ends."""
    return ibis.duckdb.connect()


def council_tables(extract: CouncilExtract, engine: Any) -> dict[str, Table]:
    """Every table of an extract as an expression of ``engine``; one that the council did not send is empty."""
    found = {}
    for name, spec in COUNCIL_TABLES.items():
        files = extract.tables.get(name, ())
        found[name] = engine.read_parquet([str(file) for file in files]) if files else ibis.memtable(
            spec.schema.empty_table()
        )  # fmt: skip
    return found


def write_measured_sessions(
    extract: CouncilExtract,
    tables: Mapping[str, Table],
    engine: Any,
    periods: Sequence[str],
) -> Path:
    """Half-days of each enrolment by half-term (:func:`registers.session_counts`), counted once and kept.

    Counting is the one slow step, and every notebook asks for it. The file lies beside the extract, under
    ``.measured``, as well guarded as the extract itself, and is named for all that decides it; a killed run leaves
    no half file.
    """
    key = hashlib.sha256("\x1f".join((extract.digest, *periods)).encode())
    for path in _COUNTED_BY:
        key.update(path.read_bytes().replace(b"\r\n", b"\n"))
    target = extract.folder.parent / ".measured" / f"{extract.folder.name}-{key.hexdigest()[:12]}.parquet"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        try:
            counted: pa.Table = engine.to_pyarrow(session_counts(tables["marks"], periods))
            order = [(name, "ascending") for name in ("pupil", "urn", "period", "half_term")]
            pyarrow.parquet.write_table(counted.sort_by(order), partial, compression="zstd")
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return target
