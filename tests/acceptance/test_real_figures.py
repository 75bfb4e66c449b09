"""Dorset 2024/25 on the Department's files: the contract, the known numbers, the same bytes, and no later year."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import REPOSITORY

from acceptance import judging
from acceptance.running import CommandLine, Run, differing, files_of, runs_under

pytestmark = pytest.mark.slow

REGISTERED = "ridge_augmented_synthetic_control"
TO_DATE = "attendance/ees_attendance_ytd_202526.csv"
SNAPSHOTS = "attendance/ees_attendance_ytd_snapshots_202223_202526.csv.gz"
LAIT = "lait/bds_long_0.parquet"

# Smallest effect noticed 4 times in 5 at 5%, from the placebos of 2024/25, as proportions. They were measured once,
# by other code, with a bootstrap error of about .0005; a tenth of the value stands for that.
NOTICED = [
    ("census", REGISTERED, 0.0052, 0.10),
    ("daily", REGISTERED, 0.0049, 0.10),
    ("census", "difference_in_differences", 0.0058, 0.10),
    ("census", "synthetic_control", 0.0059, 0.20),  # measured with another number of pre-years
]


def _command(data: Path, folder: Path, *more: str) -> tuple[object, ...]:
    out = folder / "out"
    return ("run", "--plan", "dorset_public", "--data", data, "--report-year", "2024/25", "--out", out, *more)


def _run(belonging: CommandLine, data: Path, folder: Path, *more: str) -> Run:
    folder.mkdir(exist_ok=True)
    return Run(done=belonging(*_command(data, folder, *more), cwd=folder), out=folder / "out")


@pytest.fixture(scope="module")
def run(belonging: CommandLine, real: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The study of 2024/25, one notebook at a time."""
    return _run(belonging, real, tmp_path_factory.mktemp("real"), "--jobs", "1")


def test_it_ends_well_and_says_where_to_look(run: Run) -> None:
    """Exit code 0, progress on stderr, and the page to open, which is there."""
    assert run.done.returncode == 0, run.done.stderr
    assert "Traceback" not in run.done.stderr
    assert "Warning" not in run.done.stderr
    last = run.done.stdout.splitlines()[-1]
    assert Path(last.removeprefix("Open ")) == run.released / "index.html"
    assert {"index.html", "council.html", "annex.html"} <= set(files_of(run.released))
    assert set(files_of(run.folder.parent / "latest")) == {
        "findings.csv", "levels.csv", "sources.csv", "dictionary.csv",
    }  # fmt: skip
    assert run.folder.name in (run.out / "index.html").read_text(encoding="utf-8")


def test_results_keep_the_contract(run: Run) -> None:
    """Schema belonging/1: sorted keys, no NaN, every key of every row, every source's rows accounted for."""
    assert judging.broken_contract(run.results) == []
    head = {name: run.results[name] for name in ("study", "report_year", "data_as_at", "simulated", "draft")}
    assert head == {
        "study": "dorset_public", "report_year": "2024/25", "data_as_at": "2026-03-31", "simulated": False,
        "draft": True,
    }  # fmt: skip
    assert {row["truth"] for row in run.findings} == {None}


def test_verdicts_follow_from_the_rows_alone(run: Run) -> None:
    """Each verdict, p adjusted, gate, flag and grade is what the published rules make of `results.json`."""
    assert judging.other_verdicts(run.findings) == []


def test_the_registered_verdicts(run: Run) -> None:
    """Absence cannot be told from chance; suspensions are not out and say when they are due; no other row decides."""
    registered = [row for row in run.findings if row["role"] == "primary"]
    verdicts = {row["outcome"]: (row["verdict"], row["due"]) for row in registered}
    assert verdicts == {
        "overall_absence_rate": ("cannot_tell", None),
        "pupils_with_one_or_more_suspensions_rate": ("not_assessed", "July 2028"),
    }
    assert [row["registered"] for row in registered if row["value"] is not None] == [True]
    others = {row["verdict"] for row in run.findings if row["role"] != "primary"}
    assert others == {"cannot_tell", "not_assessed"}


@pytest.mark.parametrize(("source", "method", "expected", "tolerance"), NOTICED)
def test_what_would_have_been_noticed(run: Run, source: str, method: str, expected: float, tolerance: float) -> None:
    """The detectable effect at 5% from the post-period reference is near what was measured on these files."""
    row = run.finding("overall_absence_rate", source, method=method)
    assert row["detectable_realised_05"] == pytest.approx(expected, rel=tolerance)


def test_the_registered_estimate(run: Run) -> None:
    """Dorset has 0.1 to 0.3 points more absence than predicted, with about 147 placebos; too little to tell."""
    row = run.finding("overall_absence_rate", "census", method=REGISTERED)
    assert 0.001 <= row["value"] <= 0.003
    assert row["actual"] == pytest.approx(0.0749, abs=1e-6)
    assert row["actual"] - row["predicted"] == pytest.approx(row["value"], abs=1e-9)
    assert (row["alpha"], row["sesoi"], row["role"]) == (0.01, 0.0025, "primary")
    assert 140 <= row["n_reference"] <= 150
    assert row["detectable"] > row["sesoi"]
    # Before outcomes: .45 points at 5% for the census, .57 for the daily series.
    assert row["detectable_05"] == pytest.approx(0.0045, rel=0.15)
    daily = run.finding("overall_absence_rate", "daily", method=REGISTERED)
    assert daily["detectable_05"] == pytest.approx(0.0057, rel=0.15)
    assert row["grade_parts"]["design"] <= 2  # the figures were public when the plan was written


def test_every_printed_number_stands_in_a_file(run: Run) -> None:
    """No number of a page comes from nowhere."""
    assert judging.unexplained_numbers(run.released) == {}


def test_record_list_of_tables_and_files_agree(run: Run) -> None:
    """Each file is in the record with its hash, each listed table is there, and each table is listed."""
    assert judging.misfiled(run.folder) == []
    flat = judging.rows_of(run.released / "tables" / "findings.csv")
    assert [row["id"] for row in flat] == [row["id"] for row in run.findings]


def test_pages_keep_the_rules(run: Run) -> None:
    """Language, one title, nothing loaded, under 1.5 MB, DRAFT, every picture in words and with its numbers."""
    pages = sorted(run.released.glob("*.html"))
    assert [fault for page in pages for fault in judging.page_faults(page, simulated=False)] == []
    assert judging.n_pictures(run.released) >= 10


def test_no_place_of_this_machine_leaves(run: Run, real: Path, belonging: CommandLine) -> None:
    """No released byte names a folder: of the data, the project, the interpreter, the home, the output."""
    places = [real, real.parent, run.out, belonging.checkout, REPOSITORY, Path(sys.prefix), Path.home() / "x"]
    assert judging.places_named(run.released, [each.absolute() for each in places]) == []


def test_other_folders_jobs_stops_and_later_years_change_no_byte(
    run: Run, belonging: CommandLine, real: Path, tmp_path: Path
) -> None:
    """Elsewhere, two at a time, the printed date asked for, other figures of 2025/26 in three files: the same bytes.

    Stopped by Ctrl-C once and killed three times on the way: never half a run to be read, and no notebook twice.
    """
    poisoned = tmp_path / "copy" / real.name
    shutil.copytree(real, poisoned, copy_function=shutil.copyfile)
    for path in (poisoned, *poisoned.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    poison_attendance(poisoned / TO_DATE)
    poison_attendance(poisoned / SNAPSHOTS)
    poison_lait(poisoned / LAIT)
    assert differing(poisoned, real) == sorted((TO_DATE, SNAPSHOTS, LAIT))
    options = ("--data-as-at", run.results["data_as_at"], "--jobs", "2")
    finished = {} if os.name == "nt" else stopped_again_and_again(belonging, poisoned, tmp_path, *options)
    again = _run(belonging, poisoned, tmp_path, *options)
    assert again.done.returncode == 0, again.done.stderr
    assert again.folder.name == run.folder.name
    assert differing(again.released, run.released) == []
    assert judging.misfiled(again.folder) == []
    written = {name: (again.folder / "restricted" / f"{name}.ipynb").stat().st_mtime_ns for name in finished}
    assert written == finished
    assert {path.name for path in again.folder.parent.iterdir()} == {again.folder.name, "latest"}
    assert not [name for name in files_of(again.out) if "partial" in name or ".done" in name or ".lock" in name]
    # The record alone tells whole files apart; of one that holds 2025/26 only, nothing at all is said.
    before, after = _inputs(run.folder), _inputs(again.folder)
    assert {name for name in before if before[name] != after[name]} == {Path(SNAPSHOTS).name, Path(LAIT).name}
    assert before.keys() == after.keys()
    assert Path(TO_DATE).name not in before


def stopped_again_and_again(belonging: CommandLine, data: Path, folder: Path, *options: str) -> dict[str, int]:
    """Ctrl-C once, killed three times, the last while pages are written; the notebooks that were finished by then."""
    out = folder / "out"
    first = stop(belonging, data, folder, *options, after="[0/", wait=3, by=signal.SIGINT)
    assert first.code == 130, first.said
    assert "stopped; the next run goes on from here" in "".join(first.said)
    assert "Traceback" not in "".join(first.said)
    whole_or_nothing(out)
    assert runs_under(out) == []
    finished: dict[str, int] = {}
    for after, wait in (("[1/", 0.2), ("[3/", 1.0)):
        killed = stop(belonging, data, folder, *options, after=after, wait=wait, by=signal.SIGKILL)
        assert killed.code == -signal.SIGKILL, killed.said
        whole_or_nothing(out)
        assert runs_under(out) == []
        now = done_in(out)
        assert {name: now.get(name) for name in finished} == finished
        finished = now
    assert len(finished) >= 3
    stop(belonging, data, folder, *options, after="writing pages", wait=0.05, by=signal.SIGKILL)
    whole_or_nothing(out)
    return done_in(out) or finished


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """A run that was stopped: how it ended, and what it had said by then."""

    code: int
    said: list[str] = field(default_factory=list)


def stop(
    belonging: CommandLine, data: Path, folder: Path, *more: str, after: str, wait: float, by: signal.Signals
) -> Stopped:
    """Start a run, and stop its whole process group a while after a line."""
    process = belonging.start(*_command(data, folder, *more), cwd=folder)
    assert process.stderr is not None
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            if after in line:
                break
        time.sleep(wait)
    finally:
        os.killpg(process.pid, by)
    said += process.communicate(timeout=60)[1].splitlines(keepends=True)
    return Stopped(code=process.returncode, said=said)


def whole_or_nothing(out: Path) -> None:
    """What a reader finds is complete: a run folder with its record and every file of it, or no run at all."""
    if not out.exists():
        return
    for folder in runs_under(out):
        assert judging.misfiled(folder) == [], folder
    hidden = [path for path in out.rglob("*") if "released" in path.parts and path.is_dir()]
    for path in hidden:
        parts = path.relative_to(out).parts
        run_folder = parts[1]
        assert run_folder.startswith(".") or (out / parts[0] / run_folder / "manifest.json").is_file(), path
    if not runs_under(out):
        assert not (out / "index.html").exists()
        assert not list(out.glob("*/latest"))


def done_in(out: Path) -> dict[str, int]:
    """Notebooks that a stopped run had finished, with the moment at which each was written."""
    return {
        marker.name.removesuffix(".done.json"): marker.with_name(
            marker.name.replace(".done.json", ".ipynb")
        ).stat().st_mtime_ns
        for marker in out.glob("*/.*.partial/restricted/*.done.json")
    }  # fmt: skip


def _inputs(folder: Path) -> dict[str, str]:
    record = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return {each["file"]: each["file_sha256"] for each in record["inputs"]}


def poison_attendance(path: Path) -> None:
    """Half as much absence again for Dorset in every row of 2025/26."""

    def worse(row: dict[str, str]) -> dict[str, str]:
        if row["time_period"] != "202526" or row["old_la_code"] != "838":
            return row
        absent = int(float(row["overall_absence"]) * 1.5)
        return {**row, "overall_absence": str(absent), "overall_absence_perc": "11.1"}

    _rewrite(path, worse)


def _rewrite(path: Path, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    packed = path.suffix == ".gz"
    content = path.read_bytes()
    text = (gzip.decompress(content) if packed else content).decode("utf-8-sig")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, reader.fieldnames or [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(change, reader))
    data = out.getvalue().encode()
    path.write_bytes(gzip.compress(data, 1) if packed else data)


def poison_lait(path: Path) -> None:
    """Overall absence of 2025/26, which the file does not have yet (its years are named by their end)."""
    table = pq.read_table(path)
    rows = [
        {**row, "Years": "2026", "Values": "12.34"}
        for row in table.to_pylist()
        if row["Short Desc"] == "TotAbs" and row["Years"] == "2025"
    ]
    assert len(rows) > 100
    pq.write_table(pa.concat_tables([table, pa.Table.from_pylist(rows, schema=table.schema)]), path)
