"""Half-days counted once and kept beside the extract: in memory that does not grow with the rows."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
from ibis.expr.types import Table

from belonging_research.errors import SourceError
from belonging_research.outcomes.registers import session_counts
from belonging_research.sources.council import CouncilExtract
from belonging_research.sources.reading import file_sha256

_THIS_ROOM = Path(__file__).parent
_COUNTED_BY = (Path(__file__), _THIS_ROOM / "registers.py", _THIS_ROOM.parent / "tables" / "register_codes.py",
               _THIS_ROOM.parent / "tables" / "school_year.py")  # fmt: skip

# About 150,000 rows of counts, 35 MB: what one piece of the pupils takes while it is added up. With 8 million the files
# are read again so often that it costs a tenth more time.
MARKS_AT_A_TIME = 12_000_000
_ORDER = ("pupil", "urn", "period", "half_term")
_ROWS_A_GROUP = 1 << 16
_DIGITS = 3  # of the hash in front of each pupil, by which pupils are parted: at most 4,096 pieces
_LEFT_BEHIND = 24 * 60 * 60  # seconds


def measured_folder(extract: CouncilExtract) -> Path:
    """Where counts of an extract are kept and rows spilled: beside it, and as well guarded."""
    return extract.folder.parent / ".measured"


def write_measured_sessions(
    extract: CouncilExtract,
    tables: Mapping[str, Table],
    engine: Any,
    periods: Sequence[str],
) -> Path:
    """Half-days of each enrolment by half-term (:func:`registers.session_counts`), counted once and kept.

    Counting is the one slow step, and every notebook asks for it. The file lies beside the extract, under
    ``.measured``, as well guarded as the extract itself, and is named for all that decides it; a killed run leaves
    no half file under that name, and what it left under another is deleted by a run of a later day.
    """
    key = hashlib.sha256("\x1f".join((extract.digest, *periods)).encode())
    for path in _COUNTED_BY:
        key.update(path.read_bytes().replace(b"\r\n", b"\n"))
    target = measured_folder(extract) / f"{extract.folder.name}-{key.hexdigest()[:12]}.parquet"
    _delete_left_behind(target.parent)
    mark = target.with_suffix(".sha256")
    if not _is_as_written(target, mark):
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_session_counts(tables["marks"], engine, periods, partial)
            if not _is_as_written(target, mark):  # another notebook may have been as quick
                partial.replace(target)
                written = mark.with_name(f".{mark.name}.{os.getpid()}.partial")
                written.write_text(file_sha256(target) + "\n", encoding="utf-8")
                written.replace(mark)
        except OSError as error:
            raise SourceError(
                f"{target.parent}: cannot be written ({error.strerror}), and what is counted from marks is kept there, "
                "beside the extract. Free that place, or move the extract to a folder that you may write to."
            ) from None
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
    return target


def write_session_counts(
    marks: Table, engine: Any, periods: Sequence[str], path: Path, *, at_a_time: int = MARKS_AT_A_TIME
) -> None:
    """Write :func:`registers.session_counts` as Parquet, sorted by pupil, urn, period and half-term.

    Pupils are parted by the first digits of their hash, so that about ``at_a_time`` marks are added up at once and
    memory does not grow with the rows. Marks that lie sorted by pupil, as `receive` writes them, are still read once.
    The bytes are the same whatever the pieces, the engine and its threads.
    """
    n_pieces = min(-(-int(engine.to_pyarrow(marks.count()).as_py()) // at_a_time), 16**_DIGITS)
    counted = (
        engine.to_pyarrow(session_counts(piece, periods)).sort_by([(name, "ascending") for name in _ORDER])
        for piece in _by_pupil(marks, max(n_pieces, 1))
    )
    writer = None
    try:
        for rows in _row_groups(counted):
            writer = writer or pyarrow.parquet.ParquetWriter(path, rows.schema, compression="zstd")
            writer.write_table(rows)
    finally:
        if writer is not None:
            writer.close()


def _by_pupil(marks: Table, n_pieces: int) -> Iterator[Table]:
    """Marks in pieces that follow each other in the order of pupils; together all of them, whatever a pupil's code."""
    edges = [format(16**_DIGITS * n // n_pieces, f"0{_DIGITS}x") for n in range(1, n_pieces)]
    for first, after in itertools.pairwise(["", *edges]):
        yield marks.filter(marks.pupil >= first, marks.pupil < after)
    # Marks without a pupil's code are in no range and must not be lost; they are sorted last.
    yield marks.filter((marks.pupil >= edges[-1]) | marks.pupil.isnull()) if edges else marks


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The rows of all tables in groups of one size: where a piece ends must not be seen in the file."""
    held: pa.Table | None = None
    for table in tables:
        held = table if held is None else pa.concat_tables([held, table])
        while held.num_rows > _ROWS_A_GROUP:
            yield held.slice(0, _ROWS_A_GROUP).combine_chunks()
            held = held.slice(_ROWS_A_GROUP)
    if held is not None:
        yield held.combine_chunks()


def _is_as_written(target: Path, mark: Path) -> bool:
    """Whether a kept count is there and is what was written: one that was changed or torn is made again."""
    try:
        return mark.read_text(encoding="utf-8").strip() == file_sha256(target)
    except OSError:
        return False


def _delete_left_behind(folder: Path) -> None:
    """Delete what killed runs left half written or spilled: files that nobody has written to for a day.

    By age and not by whether the process still lives: its number may be of another machine that shares the folder, or
    have been given to another process since, and Windows cannot ask without harm. A run that counts for longer writes
    in between; and if its file went all the same, it would end with an error, not with a wrong count. DuckDB deletes
    what its own dead runs spilled, but not before it spills again.
    """
    with contextlib.suppress(OSError):
        for path in (*folder.glob(".*.partial"), *folder.glob("spill/duckdb_temp_*")):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _LEFT_BEHIND:
                    path.unlink()
