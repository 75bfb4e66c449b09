"""A county as a checked extract: every table of COUNCIL_TABLES in Parquet, its record and the truth beside them."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from belonging_research.errors import SourceError
from belonging_research.simulate.county.codes import CODE_OF, CODES, counts_as
from belonging_research.simulate.county.counting import ChunkCounts, count_chunk
from belonging_research.simulate.county.county import County, draw_county
from belonging_research.simulate.county.enrolments import as_table
from belonging_research.simulate.county.marks import MarksChunk, draw_marks
from belonging_research.simulate.county.tables import county_tables
from belonging_research.simulate.county.truth import (
    CountyTruth,
    county_truth,
    plain_world,
    read_county_truth,
    write_county_truth,
)
from belonging_research.simulate.county.worlds import CountyWorld
from belonging_research.simulate.folder import project_root, swap_folders
from belonging_research.sources.origin import NAME as ORIGIN
from belonging_research.sources.reading import file_sha256
from belonging_research.tables.council import MARKS, WEEKLY
from belonging_research.tables.published_marginals import MADE_UP_BY

SEED = 20240901
_TERMS = (("Autumn", (1, 2)), ("Spring", (3, 4)), ("Summer", (5, 6)))
_WEEKLY_COUNTS = {
    "present_sessions": ("present",), "approved_educational_activity_sessions": ("approved_activity",),
    "authorised_absent_sessions": ("authorised",), "unauthorised_absent_sessions": ("unauthorised",),
}  # fmt: skip


def marks_file(period: str) -> str:
    """The file of an academic year's marks: ``"2024/25"`` to ``"marks_202425.parquet"``."""
    return f"marks_{period.replace('/', '')}.parquet"


def write_checked_county(world: CountyWorld, folder: Path, rng: np.random.Generator | None = None) -> CountyTruth:
    """Write a county in which ``world`` is true, as `receive` would leave it, with ``truth.json`` and ``origin.toml``.

    One Parquet file a table, sorted by its key, marks one file an academic year, the weekly file for the last year.
    The folder is made if need be; files of the same names are replaced. Marks are drawn and written in chunks, so
    memory does not grow with the years. Without ``rng`` the registered seed is used: the same world, the same bytes.

    Raises
    ------
    PlanError
        If the world has too few schools for its pyramids.
    """
    county = draw_county(world, np.random.default_rng(SEED) if rng is None else rng)
    folder.mkdir(parents=True, exist_ok=True)
    rows = {}
    for name, table in county_tables(county).items():
        pa.parquet.write_table(table, folder / f"{name}.parquet", compression="zstd", store_schema=False)
        rows[f"{name}.parquet"] = table.num_rows
    counts: list[ChunkCounts] = []
    for period in world.periods:
        rows[marks_file(period)], weekly = _write_marks(county, period, folder, counts)
        if weekly:
            rows["weekly.parquet"] = _write_weekly(weekly, folder)
    truth = county_truth(county, counts, county_code())
    write_county_truth(folder, truth)
    _write_origin(folder, world, rows)
    return truth


def marks_table(county: County, chunk: MarksChunk, *, untreated: bool = False) -> pa.Table:
    """A chunk's marks as rows of MARKS with dictionaries: as they are, or as they would be without intervention."""
    each = 2 * chunk.on_roll.sum(axis=1)
    who, place = np.unique(county.roll.pupil[chunk.rows], return_inverse=True)
    days = np.broadcast_to(chunk.days.days.astype("datetime64[D]").astype(np.int32), chunk.on_roll.shape)
    marks = (chunk.untreated if untreated else chunk.marks)[chunk.on_roll].ravel()
    columns = [
        _dictionary(np.repeat(place.astype(np.int32), each), county.pupils.code[who].tolist()),
        pa.array(np.repeat(county.schools.urn[county.roll.school[chunk.rows]].astype(np.int32), each)),
        pa.array(np.repeat(days[chunk.on_roll], 2)).cast(pa.date32()),
        _dictionary(np.tile(np.array([0, 1], np.int8), len(marks) // 2), ["am", "pm"]),
        _dictionary(marks.astype(np.int8), list(CODES)),
    ]
    names = [pa.field(f.name, c.type, nullable=f.nullable) for f, c in zip(MARKS.schema, columns, strict=True)]
    return pa.table(columns, schema=pa.schema(names))


def _dictionary(places: np.ndarray, values: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(places), pa.array(values, pa.string()))


def _write_marks(county: County, period: str, folder: Path, counts: list[ChunkCounts]) -> tuple[int, list[pa.Table]]:
    """Write a year's marks, adding what each chunk counts to ``counts``; how many, and the last year's weekly rows."""
    written, weekly = 0, []
    is_last = period == county.world.periods[-1]
    with ExitStack() as stack:
        writer = None
        for chunk in draw_marks(county, period):
            table = marks_table(county, chunk)
            if writer is None:
                # Without the Arrow schema: every engine is to read plain text, not one engine's dictionary.
                path = folder / marks_file(period)
                made = pa.parquet.ParquetWriter(path, table.schema, compression="zstd", store_schema=False)
                writer = stack.enter_context(made)
            writer.write_table(table)
            counts.append(count_chunk(county, chunk))
            written += table.num_rows
            weekly += list(_weekly(county, chunk)) if is_last else []
    return written, weekly


def _write_weekly(parts: list[pa.Table], folder: Path) -> int:
    """Write the Department's weekly file of the last academic year, as it stood at the end of each term."""
    table = pa.concat_tables(parts).sort_by([(name, "ascending") for name in WEEKLY.key])
    pa.parquet.write_table(table, folder / "weekly.parquet", compression="zstd", store_schema=False)
    return int(table.num_rows)


def _weekly(county: County, chunk: MarksChunk) -> Iterator[pa.Table]:
    """Counts of a chunk's rows in each term in which they have marks."""
    days, roll = chunk.days, county.roll
    for term, halves in _TERMS:
        inside = np.isin(days.half_term, halves)
        there = chunk.on_roll[:, inside].any(axis=1)
        # Off the roll is as a day of training: neither is in any count.
        marks = np.where(chunk.on_roll[:, inside, None], chunk.marks[:, inside], CODE_OF["#"])[there]
        marks = marks.reshape(len(marks), -1)
        sums = {
            name: counts_as(kinds, days.period)[marks].sum(axis=1, dtype=np.int32)
            for name, kinds in _WEEKLY_COUNTS.items()
        }
        absent = sums["authorised_absent_sessions"] + sums["unauthorised_absent_sessions"]
        attended = sums["present_sessions"] + sums["approved_educational_activity_sessions"]
        columns = {
            "pupil": county.pupils.code[roll.pupil[chunk.rows[there]]],
            "urn": county.schools.urn[roll.school[chunk.rows[there]]].astype(np.int32),
            "academic_term": [f"{term} {days.period}"] * int(there.sum()),
            "file_day": np.full(int(there.sum()), days.days[inside][-1]),
            "possible_sessions": absent + attended,
            "absent_sessions": absent,
        }
        yield as_table(WEEKLY.schema, columns | sums)


def _write_origin(folder: Path, world: CountyWorld, rows: dict[str, int]) -> None:
    """The record of the extract, dated the day after its last marks could be; nothing here is about real pupils."""
    day = dt.date(world.first_period + world.n_periods, 8, 31)
    lines = [
        f'title = "Made-up county, world {world.name}"',
        f'producer = "{MADE_UP_BY}"',
        'licence = "none needed: nobody in it exists"',
        f"date = {day.isoformat()}",
    ]
    for path in sorted(path for path in folder.iterdir() if path.name != ORIGIN):
        lines += ["", "[[file]]", f'name = "{path.name}"', f'sha256 = "{file_sha256(path)}"']
        lines += [f"bytes = {path.stat().st_size}"]
        lines += [f"rows = {rows[path.name]}"] if path.name in rows else []
    (folder / ORIGIN).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def county_code() -> str:
    """SHA-256 of the source that makes counties: files written by other code are written again."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def _up_to_date(target: Path, world: CountyWorld) -> bool:
    try:
        truth = read_county_truth(target)
    except SourceError:
        return False
    return (truth.world, truth.code) == (plain_world(world), county_code())


def write_simulated_county(world: CountyWorld, folder: Path | None = None) -> Path:
    """The folder of a world's county, written only where it is missing or out of date; whole or not at all.

    Without ``folder`` it is ``data/simulated/county_<world>`` under the project. Out of date means another world or
    code.

    Raises
    ------
    PlanError
        If the world has too few schools for its pyramids.
    SourceError
        If the folder holds something else than a simulated county.
    """
    target = folder if folder is not None else project_root() / "data" / "simulated" / f"county_{world.name}"
    if _up_to_date(target, world):
        return target
    if target.exists() and not (target.is_dir() and ((target / "truth.json").is_file() or not any(target.iterdir()))):
        raise SourceError(
            f"{target.name}: is there and has no truth.json, so it was not written by `belonging simulate` and is left "
            "alone. Move it away, or name another folder."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        write_checked_county(world, partial)
        swap_folders(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target
