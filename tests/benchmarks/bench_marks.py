"""Marks to sessions and flags: our expressions beside hand-written SQL, plain pandas and the bare scan of the files.

    python tests/benchmarks/bench_marks.py [--pupils N] [--repeats N] [--folder DIR] [--spark MASTER]

52,632 pupils x 380 half-days x 3 years are 60 million marks in one Parquet file a year. Asked for: half-days by school
and week; flags of each enrolment and year by every counting rule; half-days by half-term, what a school study keeps.
The SQL is what we could write best on the same engine (joins of small tables; lists of marks in CASE take two to three
times as long), with the same answer. pandas has a tenth of the pupils and is multiplied by ten. Each measurement is a
process of its own; the smallest CPU time of the repeats counts, since the machine may be shared. Prints ratios and
peak memory, asserts nothing about time.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import hashlib
import multiprocessing
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from belonging_research.outcomes.engine import open_engine
from belonging_research.outcomes.measured import MARKS_AT_A_TIME, write_session_counts
from belonging_research.outcomes.registers import enrolment_absence, school_week_sessions, session_counts
from belonging_research.tables.council import ENROLMENTS, MARKS, PUPILS, SCHOOLS
from belonging_research.tables.register_codes import CODES_CHANGED, REGISTER_CODES
from belonging_research.tables.school_year import half_terms

PUPILS_OF_60_MILLION, PER_SCHOOL, CHUNK = 52_632, 330, 4_000
AT_ONCE = 1 << 40
YEARS = ("2022/23", "2023/24", "2024/25")
ABSENCES, SHARES = ("I", "M", "O", "G", "N", "U", "B", "D", "?"), (0.5, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.09, 0.01)


# The data.


def write_marks(folder: Path, pupils: int) -> None:
    """A council of some pupils: four tables, the marks sorted by pupil in one file a year."""
    rng = np.random.default_rng(20240901)
    # As keyed hashes of pupil numbers look.
    code = [value.hex() for value in np.frombuffer(rng.bytes(16 * pupils), "V16").tolist()]
    code.sort()
    urn = (100_000 + np.arange(pupils) // PER_SCHOOL).astype(np.int32)
    propensity = rng.beta(0.8, 9.0, pupils)
    write_small_tables(folder, code, urn, rng)
    for year in YEARS:
        first = dt.date(int(year[:4]), 9, 1)
        days = np.array([first + dt.timedelta(days=7 * (n // 5) + n % 5) for n in range(190)], "datetime64[D]")
        writer = None
        for start in range(0, pupils, CHUNK):
            n = min(CHUNK, pupils - start)
            missed = rng.random((n, 190, 2), np.float32) < propensity[start : start + n, None, None]
            mark = np.broadcast_to(np.array([0, 1], np.int8), missed.shape).copy()
            mark[missed] = 2 + rng.choice(len(ABSENCES), int(missed.sum()), p=SHARES).astype(np.int8)
            columns = [
                text(np.repeat(np.arange(n, dtype=np.int32), 380), code[start : start + n]),
                pa.array(np.repeat(urn[start : start + n], 380)),
                pa.array(np.tile(np.repeat(days.astype(np.int32), 2), n)).cast(pa.date32()),
                text(np.tile(np.array([0, 1], np.int8), 190 * n), ["am", "pm"]),
                text(mark.ravel(), ["/", "\\", *ABSENCES]),
            ]
            table = pa.table(columns, names=MARKS.schema.names)
            path = folder / f"marks_{year.replace('/', '')}.parquet"
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd", store_schema=False)
            writer.write_table(table)
        writer.close()


def text(place: np.ndarray, values: list[str]) -> pa.DictionaryArray:
    """Text by its place in a list."""
    return pa.DictionaryArray.from_arrays(pa.array(place), pa.array(values))


def write_small_tables(folder: Path, code: list[str], urn: np.ndarray, rng: np.random.Generator) -> None:
    """Pupils aged 4 to 16 in the middle year, one enrolment each, no boarder."""
    n = len(code)
    born = [dt.date(2023 - int(age), int(month), 1) for age, month in rng.integers((5, 1), (17, 13), (n, 2))]
    none = [None] * n
    tables = {
        "pupils": pa.table([code, born, none, none, none, none, none], schema=PUPILS.schema),
        "enrolments": pa.table(
            [code, urn, [dt.date(2022, 9, 1)] * n, none, [False] * n, ["C"] * n], schema=ENROLMENTS.schema
        ),
        "schools": pa.table(
            [np.unique(urn), *([each] * len(np.unique(urn)) for each in ("primary", False, None))],
            schema=SCHOOLS.schema,
        ),
    }
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")


# Ours.


def tables_of(folder: Path, engine: Any) -> dict[str, Any]:
    """The four tables in an engine."""
    found = {name: engine.read_parquet(str(folder / f"{name}.parquet")) for name in ("pupils", "enrolments", "schools")}
    return {**found, "marks": engine.read_parquet(str(folder / "marks_*.parquet"))}


def opened(folder: Path, master: str, limit: str) -> Any:
    """An engine; DuckDB perhaps with less memory, and then with a folder to spill into."""
    engine = open_engine(master, spill=folder / "spill")
    if limit:
        engine.con.execute(f"SET memory_limit = '{limit}'")
    return engine


def our_weeks(folder: Path, master: str = "", limit: str = "") -> pa.Table:
    """Half-days by school and week."""
    engine = opened(folder, master, limit)
    return engine.to_pyarrow(school_week_sessions(tables_of(folder, engine)["marks"], YEARS))


def our_half_terms(folder: Path, limit: str = "", at_a_time: int = MARKS_AT_A_TIME) -> Path:
    """Half-days by enrolment and half-term, as a file: what a school study does once for all its notebooks."""
    engine, path = opened(folder, "", limit), folder / "half_terms.parquet"
    write_session_counts(tables_of(folder, engine)["marks"], engine, YEARS, path, at_a_time=at_a_time)
    return path


def our_flags(folder: Path, master: str = "", limit: str = "") -> pa.Table:
    """Flags of each enrolment and year, and why it is left out."""
    engine = opened(folder, master, limit)
    tables = tables_of(folder, engine)
    others = [tables[name] for name in ("pupils", "enrolments", "schools")]
    names = ["pupil", "urn", "possible", "absent", "persistently_absent", "severely_absent", "left_out"]
    parts = []
    for year in YEARS:
        judged = enrolment_absence(session_counts(tables["marks"], [year]), *others, period=year)
        parts.append(engine.to_pyarrow(judged.select(*names)))
    return pa.concat_tables(
        part.append_column("period", [[y] * len(part)]) for part, y in zip(parts, YEARS, strict=True)
    )


# By hand.

_CLASSES = ("present", "approved_activity", "authorised", "unauthorised", "not_possible", "administrative")
_COUNTED = ", ".join(f"count(*) FILTER (WHERE class = {n}) AS {name}" for n, name in enumerate(_CLASSES))
_JOINED = "marks JOIN days USING (day) LEFT JOIN codes USING (mark, is_new)"


def by_hand(folder: Path) -> Any:
    """DuckDB with the small tables that the queries below join."""
    engine = open_engine(spill=folder / "spill").con
    codes = [
        (code.mark, new, _CLASSES.index(code.counts))
        for code in REGISTER_CODES
        for new in (False, True)
        if (code.first_day is None or new) and (code.last_day is None or not new)
    ]
    days = [
        (half.first_day + dt.timedelta(days=n), at, half.number)
        for at, year in enumerate(YEARS)
        for half in half_terms(year)
        for n in range((half.last_day - half.first_day).days + 1)
    ]
    small = {
        "codes": pa.table(list(map(list, zip(*codes, strict=True))), names=["mark", "is_new", "class"]),
        "calendar": pa.table(list(map(list, zip(*days, strict=True))), names=["day", "year", "half_term"]),
    }
    for name, table in small.items():
        engine.register(f"{name}_arrow", table)
        engine.execute(f"CREATE TEMP TABLE {name} AS FROM {name}_arrow")
    engine.execute(
        f"CREATE TEMP TABLE days AS SELECT day, year::TINYINT AS year, half_term::TINYINT AS half_term, "
        f"day >= DATE '{CODES_CHANGED}' AS is_new, date_trunc('week', day)::DATE AS week FROM calendar"
    )
    engine.execute("ALTER TABLE codes ALTER class TYPE TINYINT")
    engine.execute(f"CREATE VIEW marks AS FROM read_parquet('{folder}/marks_*.parquet')")
    for name in ("pupils", "enrolments", "schools"):
        engine.execute(f"CREATE VIEW {name} AS FROM read_parquet('{folder}/{name}.parquet')")
    return engine


def scan(folder: Path) -> pa.Table:
    """Every column read and nothing done with it: the floor."""
    read = "count(pupil), count(urn), count(day), count(session), count(mark)"
    return by_hand(folder).sql(f"SELECT {read} FROM marks").to_arrow_table()


def sql_weeks(folder: Path) -> pa.Table:
    """As :func:`our_weeks`."""
    query = (
        f"SELECT urn, year, week, count(*) FILTER (WHERE class < 4) AS possible, {_COUNTED}, "
        f"count(*) FILTER (WHERE class IS NULL) AS not_in_use FROM {_JOINED} GROUP BY urn, year, week"
    )
    return by_hand(folder).sql(query).to_arrow_table()


def sql_flags(folder: Path) -> pa.Table:
    """As :func:`our_flags`, of this data: nobody boards, begins in half-term 6 or is in alternative provision."""
    kinds = {"possible": "class < 4", "absent": "class IN (2, 3)", "unknown": "class IS NULL", "n": "true"}
    whole = ", ".join(f"count(*) FILTER (WHERE {which}) AS {name}" for name, which in kinds.items())
    sixth = ", ".join(f"count(*) FILTER (WHERE half_term = 6 AND {which}) AS {name}_6" for name, which in kinds.items())
    kept = ", ".join(f"{name} - CASE WHEN age = 15 THEN {name}_6 ELSE 0 END AS {name}" for name in kinds)
    query = f"""
        WITH counts AS (SELECT pupil, urn, year, {whole}, {sixth} FROM {_JOINED} GROUP BY pupil, urn, year),
        aged AS (
            SELECT *, 2022 + year - year(birth_month) - (month(birth_month) > 8)::INT AS age
            FROM counts JOIN pupils USING (pupil)
        ),
        sums AS (FROM (SELECT pupil, urn, year, age, {kept} FROM aged) WHERE n > 0),
        sizes AS (SELECT urn, year, count(*) FILTER (WHERE age BETWEEN 5 AND 15) AS size FROM sums GROUP BY ALL)
        SELECT pupil, urn, year, possible, absent,
            CASE WHEN possible > 0 AND (absent * 10 >= possible + unknown) = ((absent + unknown) * 10 >= possible
                + unknown) THEN absent * 10 >= possible + unknown END AS persistently_absent,
            CASE WHEN possible > 0 AND (absent * 2 >= possible + unknown) = ((absent + unknown) * 2 >= possible
                + unknown) THEN absent * 2 >= possible + unknown END AS severely_absent,
            CASE WHEN age NOT BETWEEN 5 AND 15 THEN 'not_aged_5_to_15' WHEN possible = 0 THEN 'no_possible_sessions'
                WHEN size < 6 THEN 'school_under_6_enrolments' END AS left_out
        FROM sums JOIN sizes USING (urn, year)"""
    return by_hand(folder).sql(query).to_arrow_table()


def coded(folder: Path) -> pd.DataFrame:
    """Marks with their class, year and half-term, as an analyst reads them in pandas."""
    marks = pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("marks_*.parquet"))], ignore_index=True)
    marks["day"] = pd.to_datetime(marks["day"])
    marks["is_new"] = marks["day"] >= pd.Timestamp(CODES_CHANGED)
    for new in (False, True):
        classes = {
            code.mark: code.counts
            for code in REGISTER_CODES
            if (code.first_day is None or new) and (code.last_day is None or not new)
        }
        own = marks["is_new"] == new
        marks.loc[own, "class"] = marks.loc[own, "mark"].map(classes)
    marks["class"] = marks["class"].fillna("not_in_use")
    halves = [half for year in YEARS for half in half_terms(year)]
    starts = pd.to_datetime([half.first_day for half in halves])
    calendar = pd.DataFrame({"day": pd.date_range(starts[0], halves[-1].last_day)})
    place = starts.searchsorted(calendar["day"], side="right") - 1
    return marks.merge(calendar.assign(year=place // 6, half_term=place % 6 + 1), on="day")


def summed(marks: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Half-days of each class, possible among them."""
    sums = marks.groupby([*by, "class"]).size().unstack(fill_value=0)
    sums = sums.reindex(columns=[*_CLASSES, "not_in_use"], fill_value=0)
    return sums.assign(possible=sums[list(_CLASSES[:4])].sum(axis=1)).reset_index()


def pandas_weeks(folder: Path) -> pa.Table:
    """As :func:`our_weeks`, in plain pandas."""
    marks = coded(folder)
    marks["week"] = marks["day"] - pd.to_timedelta(marks["day"].dt.weekday, unit="D")
    return pa.Table.from_pandas(summed(marks, ["urn", "year", "week"]), preserve_index=False)


def pandas_flags(folder: Path) -> pa.Table:
    """As :func:`our_flags` of this data, in plain pandas."""
    marks = coded(folder).merge(pd.read_parquet(folder / "pupils.parquet")[["pupil", "birth_month"]], on="pupil")
    born = pd.to_datetime(marks["birth_month"])
    marks["age"] = 2022 + marks["year"] - born.dt.year - (born.dt.month > 8)
    marks = marks[~((marks["half_term"] == 6) & (marks["age"] == 15))]
    rows = summed(marks, ["pupil", "urn", "year", "age"])
    rows["absent"] = rows["authorised"] + rows["unauthorised"]
    of_age = rows["age"].between(5, 15)
    size = of_age.groupby([rows["urn"], rows["year"]]).transform("sum")
    for name, one_in in (("persistently_absent", 10), ("severely_absent", 2)):
        whole = rows["possible"] + rows["not_in_use"]
        surely = rows["absent"] * one_in >= whole
        perhaps = (rows["absent"] + rows["not_in_use"]) * one_in >= whole
        rows[name] = surely.astype("boolean").where((rows["possible"] > 0) & (surely == perhaps))
    rows["left_out"] = np.select(
        [~of_age, rows["possible"] == 0, size < 6],
        ["not_aged_5_to_15", "no_possible_sessions", "school_under_6_enrolments"],
        None,
    )
    names = ["pupil", "urn", "year", "possible", "absent", "persistently_absent", "severely_absent", "left_out"]
    return pa.Table.from_pandas(rows[names], preserve_index=False)


# Measuring.


def in_another_process(function: Callable[..., Any], *arguments: Any) -> None:
    """Writing needs memory that the measured processes would inherit the peak of."""
    child = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    child.start()
    child.join()
    if child.exitcode:
        sys.exit(child.exitcode)


def measured(task: tuple[str, tuple[Any, ...]]) -> dict[str, Any]:
    """Seconds, CPU seconds and memory of one call, in a process of its own; rows and sums as its answer."""
    name, arguments = task
    before = peak()
    wall, cpu = time.perf_counter(), time.process_time()
    with spilled(arguments[0] / "spill") as spill:
        found = globals()[name](*arguments)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall": wall, "cpu": cpu, "peak": peak(), "before": before, "spill": spill, "answer": answer(found)}


@contextlib.contextmanager
def spilled(folder: Path) -> Iterator[dict[str, float]]:
    """Watch the folder that an engine spills into: the files seen there meanwhile, and the most MB at one time."""
    names: set[str] = set()
    found, over = {"files": 0, "MB": 0.0}, threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            held = 0
            with contextlib.suppress(OSError):  # it is made when it is needed, and its files come and go
                for path in folder.glob("*.tmp"):
                    held += path.stat().st_size
                    names.add(path.name)
            found["files"], found["MB"] = len(names), max(found["MB"], held / 1e6)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield found
    finally:
        over.set()
        watching.join()


def answer(found: pa.Table | Path) -> dict[str, Any]:
    """Rows, and the sum of each column of counts or flags; of a file, its digest."""
    if isinstance(found, Path):
        return {"sha256": hashlib.sha256(found.read_bytes()).hexdigest()}
    numbers = [f.name for f in found.schema if pa.types.is_integer(f.type) or pa.types.is_boolean(f.type)]
    kept = [name for name in numbers if name not in ("urn", "year", "half_term") and not name.startswith("count")]
    return {"rows": len(found)} | {name: pc.sum(found[name]).as_py() for name in sorted(kept)}


def peak() -> float:
    """Most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def best(function: Callable[..., Any], *arguments: Any, repeats: int = 1) -> dict[str, Any]:
    """The repeat with the least CPU time."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, maxtasksperchild=1) as pool:
        runs = pool.map(measured, [(function.__name__, arguments)] * repeats, chunksize=1)
    return min(runs, key=lambda run: run["cpu"])


def shown(name: str, run: dict[str, Any], beside: dict[str, Any] | None = None) -> None:
    """One line: times, memory, and the ratio of CPU times."""
    ratio = "" if beside is None else f"   x {run['cpu'] / beside['cpu']:.2f}"
    memory = f"peak {run['peak']:6.0f} MB ({run['before']:.0f} before)"
    spill = f"   spilled {run['spill']['MB']:.0f} MB in {run['spill']['files']} files" if run["spill"]["files"] else ""
    print(f"  {name:<34}{run['wall']:7.1f} s {run['cpu']:7.1f} CPU s   {memory}{ratio}{spill}", flush=True)


def compare(whole: Path, tenth: Path, repeats: int) -> None:
    """Ours beside SQL and pandas, at both sizes."""
    floor = best(scan, whole, repeats=repeats)
    shown("scan of the files", floor)
    for ours, sql, plain in ((our_weeks, sql_weeks, pandas_weeks), (our_flags, sql_flags, pandas_flags)):
        hand, own = best(sql, whole, repeats=repeats), best(ours, whole, repeats=repeats)
        small, slow = best(ours, tenth, repeats=repeats), best(plain, tenth)
        print(f"{ours.__name__.removeprefix('our_')}: same answer as SQL: {own['answer'] == hand['answer']}")
        shown("hand-written SQL", hand)
        shown("ours, x beside the SQL", own, hand)
        shown("ours, x beside the scan", own, floor)
        shown("ours, a tenth", small)
        grown, fuller = own["cpu"] / small["cpu"], own["peak"] / small["peak"]
        print(f"  ten times the rows take x {grown:.1f} CPU, x {fuller:.2f} memory")
        print(f"  same answer as pandas: {small['answer'] == slow['answer']}")
        shown("pandas, a tenth", slow)
        work, wait = 10 * slow["cpu"] / own["cpu"], 10 * slow["wall"] / own["wall"]
        print(f"  times ten, pandas takes x {work:.1f} CPU, x {wait:.1f} time")
    compare_half_terms(whole, tenth, repeats)


def compare_half_terms(whole: Path, tenth: Path, repeats: int) -> None:
    """The file that a school study keeps: in pieces and at once, with less and less memory for the engine."""
    print("half-terms (what a school study keeps)")
    own, small = best(our_half_terms, whole, repeats=repeats), best(our_half_terms, tenth, repeats=repeats)
    shown("ours", own)
    shown("ours, a tenth", small)
    print(
        f"  ten times the rows take x {own['cpu'] / small['cpu']:.1f} CPU, x {own['peak'] / small['peak']:.2f} memory"
    )
    for name, limit, at_a_time in (
        ("at once, x beside ours", "", AT_ONCE),
        ("at once, at most 1 GB", "1GB", AT_ONCE),
        ("at once, at most 150 MB", "150MB", AT_ONCE),
        ("ours, at most 1 GB", "1GB", MARKS_AT_A_TIME),
        ("ours, at most 48 MB", "48MB", MARKS_AT_A_TIME),
    ):
        run = best(our_half_terms, whole, limit, at_a_time)
        shown(name, run, own)
        print(f"    same bytes: {run['answer'] == own['answer']}")


def main() -> None:
    """Write, measure and print."""
    parser = argparse.ArgumentParser(description="Time marks to sessions and flags.")
    parser.add_argument("--pupils", type=int, default=PUPILS_OF_60_MILLION)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the marks are written, and found the next time")
    parser.add_argument("--spark", metavar="MASTER", help="also on Spark, such as local[2]; its own start is included")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        base = chosen.folder or Path(scratch)
        whole, tenth = base / f"{chosen.pupils}", base / f"{chosen.pupils // 10}"
        for folder in (whole, tenth):
            if not folder.is_dir():
                folder.mkdir(parents=True)
                in_another_process(write_marks, folder, int(folder.name))
            rows = sum(pq.read_metadata(path).num_rows for path in folder.glob("marks_*.parquet"))
            size = sum(path.stat().st_size for path in folder.glob("marks_*.parquet"))
            print(f"{rows:,} marks, {size / 1e6:.0f} MB")
        if chosen.spark:
            for ours in (our_weeks, our_flags):
                here, there = best(ours, whole), best(ours, whole, chosen.spark)
                print(f"{ours.__name__.removeprefix('our_')}: same answer: {here['answer'] == there['answer']}")
                shown("DuckDB", here)
                print(
                    f"  Spark at {chosen.spark}: {there['wall']:.1f} s with its start (its CPU is Java's, not counted)"
                )
        else:
            compare(whole, tenth, chosen.repeats)


if __name__ == "__main__":
    main()
