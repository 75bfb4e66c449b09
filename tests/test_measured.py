"""What is counted once and kept: the same bytes in whatever pieces it was counted, nothing lost or left behind."""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from belonging_research.outcomes import measured
from belonging_research.outcomes.engine import open_engine
from belonging_research.outcomes.measured import measured_folder, write_measured_sessions, write_session_counts
from belonging_research.outcomes.registers import session_counts
from belonging_research.sources.council import CouncilExtract
from belonging_research.tables.council import MARKS

YEARS = ("2023/24", "2024/25")
ORDER = [(name, "ascending") for name in ("pupil", "urn", "period", "half_term")]
# Hashes all over their range, at the very edges of pieces too, codes that are no hash, and none at all.
PUPILS = [*(f"{n:x}{n:031x}" for n in range(16)), "800" + "0" * 29, "7ff" + "f" * 29, "Pupil 1", "zoe", "é", "", None]


@pytest.fixture(scope="module")
def marks() -> pa.Table:
    """Forty marks of each pupil in two schools and two years, in no order."""
    rng = np.random.default_rng(8)
    days = [dt.date(2024, 1, 8) + dt.timedelta(days=int(n)) for n in range(0, 400, 10)]
    rows = [
        (pupil, 100_000 + int(rng.integers(2)), day, "am", str(rng.choice(["/", "I", "C1", "?"])))
        for pupil in PUPILS
        for day in days
    ]
    shuffled = [rows[at] for at in rng.permutation(len(rows))]
    schema = pa.schema([(each.name, each.type) for each in MARKS.schema])
    return pa.table([list(column) for column in zip(*shuffled, strict=True)], schema=schema)


@pytest.mark.parametrize("at_a_time", [1, 333])
def test_pieces_are_not_seen_in_the_file(
    at_a_time: int, marks: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All marks at once is what the expression gives; fewer, even one, give the same bytes, by any pupil's code."""
    monkeypatch.setattr(measured, "_ROWS_A_GROUP", 7)
    engine, table = open_engine(), ibis.memtable(marks)
    if at_a_time == 1:
        monkeypatch.setattr(measured, "_DIGITS", 1)  # sixteen pieces, since each costs a query
    for name, many in (("whole", 10**9), ("pieces", at_a_time)):
        write_session_counts(table, engine, YEARS, tmp_path / name, at_a_time=many)
    assert (tmp_path / "pieces").read_bytes() == (tmp_path / "whole").read_bytes()
    kept = pq.read_table(tmp_path / "pieces")
    assert kept.equals(engine.to_pyarrow(session_counts(table, YEARS)).sort_by(ORDER))
    assert set(kept.column("pupil").to_pylist()) == set(PUPILS)
    groups = pq.read_metadata(tmp_path / "pieces")
    sizes = [groups.row_group(at).num_rows for at in range(groups.num_row_groups)]
    assert sizes[:-1] == [7] * (len(sizes) - 1)
    assert len(sizes) > 10


def test_a_piece_is_about_as_large_as_asked(marks: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """920 marks at 100 at a time are ten queries, each of its own pupils: that is what keeps memory flat."""
    seen: list[list[str]] = []

    def watched(piece: ibis.Table, periods: tuple[str, ...]) -> ibis.Table:
        seen.append(open_engine().to_pyarrow(piece.pupil.cast("string")).to_pylist())
        return session_counts(piece, periods)

    monkeypatch.setattr(measured, "session_counts", watched)
    write_session_counts(ibis.memtable(marks), open_engine(), YEARS, tmp_path / "pieces", at_a_time=100)
    assert len(seen) == 10
    assert sum(len(each) for each in seen) == len(marks) == 920
    assert sum(len(set(each)) for each in seen) == len(PUPILS)


def test_no_marks_are_an_empty_file(marks: pa.Table, tmp_path: Path) -> None:
    """With the columns of any other."""
    for name, table in (("none", marks.slice(0, 0)), ("some", marks)):
        write_session_counts(ibis.memtable(table), open_engine(), YEARS, tmp_path / name)
    none, some = pq.read_table(tmp_path / "none"), pq.read_table(tmp_path / "some")
    assert (none.num_rows, none.schema) == (0, some.schema)


@pytest.fixture
def extract(tmp_path: Path) -> CouncilExtract:
    """An extract of which only its name and digest matter here."""
    folder = tmp_path / "council" / "2025-08-31"
    folder.mkdir(parents=True)
    return CouncilExtract(
        folder=folder, producer="A council", date=dt.date(2025, 8, 31), digest="0" * 64, tables={}, account=(), notes=()
    )


def test_what_killed_runs_left_is_deleted_on_a_later_day(extract: CouncilExtract, marks: pa.Table) -> None:
    """Half files and spilled rows of a day ago go; those of a run that may still write stay, as does all else."""
    folder = measured_folder(extract)
    (folder / "spill").mkdir(parents=True)
    hours_ago = {
        ".2025-08-31-0123456789ab.parquet.17.partial": 25,
        ".2025-08-31-0123456789ab.sha256.17.partial": 25,
        "spill/duckdb_temp_17_0_storage_DEFAULT-0.tmp": 25,
        f".2025-08-31-0123456789ab.parquet.{os.getpid()}.partial": 23,
        "spill/duckdb_temp_18_0_storage_DEFAULT-0.tmp": 23,
        "2024-08-31-0123456789ab.parquet": 9_999,
        ".gitignore": 9_999,
    }
    for name, hours in hours_ago.items():
        (folder / name).write_bytes(b"half")
        written = time.time() - hours * 3600
        os.utime(folder / name, (written, written))
    made = write_measured_sessions(extract, {"marks": ibis.memtable(marks)}, open_engine(), YEARS)
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert left - {made.name, f"{made.stem}.sha256"} == {name for name, hours in hours_ago.items() if hours != 25}
