"""The study of a made-up country and council, which needs no data: the contract with its truth."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from conftest import REPOSITORY

from acceptance import judging
from acceptance.running import CommandLine, Run, differing, files_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the user works in; figures are made up below it."""
    return tmp_path_factory.mktemp("simulated")


@pytest.fixture(scope="module")
def run(belonging: CommandLine, home: Path) -> Run:
    """``run`` with nothing else said but where to write."""
    return Run(done=belonging("run", "--out", home / "out", cwd=home), out=home / "out")


def made_up(home: Path) -> tuple[Path, Path]:
    """The figures that a run makes up: published ones, and a council's own tables."""
    return home / "data" / "simulated" / "simulated_county", home / "data" / "simulated" / "county_known_effect"


def on_made_up(home: Path) -> tuple[object, ...]:
    """The options that name the plan and figures of a run without any."""
    public, council = made_up(home)
    return "--plan", "simulated_county", "--data", public, "--data", council


def test_it_needs_nothing(run: Run, home: Path) -> None:
    """No plan, no data, no year: exit code 0, figures and truth below the folder, and a page to open."""
    assert run.done.returncode == 0, run.done.stderr
    assert "Traceback" not in run.done.stderr
    assert "Warning" not in run.done.stderr
    for folder in made_up(home):
        assert (folder / "truth.json").is_file()
    assert Path(run.done.stdout.splitlines()[-1].removeprefix("Open ")) == run.released / "index.html"
    assert {path.name for path in home.iterdir()} == {"data", "out"}


def test_results_keep_the_contract(run: Run) -> None:
    """Schema belonging/1: sorted keys, no NaN, every key of every row; marked as simulated."""
    assert judging.broken_contract(run.results) == []
    assert (run.results["simulated"], run.results["draft"], run.results["report_year"]) == (True, True, "2026/27")


def test_verdicts_follow_from_the_rows_alone(run: Run) -> None:
    """Each verdict, p adjusted, gate, flag and grade is what the published rules make of `results.json`."""
    assert judging.other_verdicts(run.findings) == []


def test_every_assessed_row_stands_beside_its_truth(run: Run) -> None:
    """A made-up country knows the effect of each row, in the row's unit, and it is a gain or nothing.

    All but that of counts that are only set beside one another: these say what happened, and estimate nothing.
    """
    counted = {row["id"] for row in run.findings if row["inference"] == "exact"}
    assert {each.split("/")[1] for each in counted} == {"permanent_exclusion_rate"}
    assessed = [row for row in run.findings if row["value"] is not None and row["id"] not in counted]
    assert len(assessed) > 50
    assert [row["id"] for row in assessed if row["truth"] is None] == []
    assert all(row["truth"] <= 0 for row in assessed)
    overall = {row["truth"] for row in assessed if row["outcome"] == "overall_absence_rate"}
    assert min(overall) < -0.0025


def test_registered_intervals_hold_the_truth(run: Run) -> None:
    """The 95% interval of each registered row of the main outcomes holds its truth (one world, so a sign of sanity)."""
    missed = []
    for row in run.findings:
        if row["role"] == "exploratory" or row["value"] is None:
            continue
        low, high = row["ci"]["0.95"]
        if not (low is None or low <= row["truth"]) or not (high is None or row["truth"] <= high):
            missed.append((row["outcome"], row["truth"], low, high))
    assert missed == []


def test_single_years_make_up_the_years_together(run: Run) -> None:
    """With one base and one mix the effects of single years have the pooled effect as their mean (no log ratios)."""
    pooled: dict[tuple[str, ...], float] = {}
    single: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for row in run.findings:
        if row["unit"] == "log_ratio" or row["value"] is None:
            continue
        series = tuple(str(row[name]) for name in ("outcome", "source", "base", "phase", "subgroup", "method"))
        if "+" in row["post"]:
            pooled[series] = row["value"]
        else:
            single[series].append(row["value"])
    assert len(single) >= 5
    apart = {series: (fmean(values), pooled[series]) for series, values in single.items()}
    assert {k: v for k, v in apart.items() if abs(v[0] - v[1]) > 0.02 * abs(v[1]) + 1e-6} == {}


def test_every_printed_number_stands_in_a_file(run: Run) -> None:
    """No number of a page comes from nowhere."""
    assert judging.unexplained_numbers(run.released) == {}


def test_record_list_of_tables_and_files_agree(run: Run) -> None:
    """Each file is in the record with its hash, each listed table is there, and each table is listed."""
    assert judging.misfiled(run.folder) == []


def test_pages_keep_the_rules(run: Run) -> None:
    """As on real figures, and SIMULATED on every page and inside every picture."""
    pages = sorted(run.released.glob("*.html"))
    assert [fault for page in pages for fault in judging.page_faults(page, simulated=True)] == []
    assert judging.n_pictures(run.released) >= 10


def test_no_place_of_this_machine_leaves(run: Run, home: Path, belonging: CommandLine) -> None:
    """No released byte names a folder: of the data, the project, the interpreter, the home, the output."""
    places = [home, belonging.checkout, REPOSITORY, Path(sys.prefix), Path.home() / "x"]
    assert judging.places_named(run.released, [each.absolute() for each in places]) == []


def test_the_same_run_again_is_kept(run: Run, belonging: CommandLine, home: Path) -> None:
    """A second time it says so, and changes no byte; a dry run says the same and writes nothing."""
    before = files_of(home)
    again = belonging("run", "--out", run.out, cwd=home)
    assert again.returncode == 0, again.stderr
    assert "already there" in again.stdout
    assert "notebook" not in again.stderr
    dry = belonging("run", *on_made_up(home), "--out", run.out, "--dry-run", cwd=home)
    assert "already there" in dry.stdout
    assert files_of(home) == before


def test_one_page_alone_clears_the_same(run: Run, belonging: CommandLine, home: Path, tmp_path: Path) -> None:
    """Another process, another folder, one notebook instead of seven: whatever it clears, schools' answers among it."""
    name = "05_exclusions_impact"
    done = belonging("run", *on_made_up(home), "--only", name, "--out", tmp_path / "out", cwd=tmp_path)
    alone = Run(done=done, out=tmp_path / "out")
    ledgers = [(each.folder / "restricted" / f"{name}.ledger.jsonl").read_bytes() for each in (run, alone)]
    assert b"school" in ledgers[0]
    assert ledgers[1] == ledgers[0]


@pytest.mark.skipif(os.name == "nt", reason="stops a process group")
def test_figures_are_made_up_whole_or_not_at_all(belonging: CommandLine, tmp_path: Path) -> None:
    """Killed while it writes them, no folder of figures is there; the next time they are those of any other day."""
    process = belonging.start("simulate", "--plan", "simulated_public", cwd=tmp_path)
    place = tmp_path / "data" / "simulated"
    deadline = time.monotonic() + 60
    while not list(place.glob(".*.partial/*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert not (place / "simulated_public").exists()
    assert belonging("simulate", "--plan", "simulated_public", cwd=tmp_path).returncode == 0
    whole = place / "simulated_public"
    again = tmp_path / "again"
    again.mkdir()
    assert belonging("simulate", "--plan", "simulated_public", cwd=again).returncode == 0
    assert differing(whole, again / "data" / "simulated" / "simulated_public") == []


def test_the_record_tells_what_was_left_out(run: Run) -> None:
    """Each notebook is listed as done with its parameters; nothing of them but what was cleared left."""
    record: dict[str, Any] = json.loads((run.folder / "manifest.json").read_text(encoding="utf-8"))
    assert {each["status"] for each in record["notebooks"]} == {"done"}
    assert all(each["parameters"]["report_year"] == "2026/27" for each in record["notebooks"])
    assert record["outputs_left_out"] == 0
    assert record["simulated"] is True
