"""Each verb on a path where nothing is wrong, as a user would type it."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from pathlib import Path

import pytest

from acceptance.running import CommandLine, Run, differing, files_of

VERBS = ("run", "simulate", "validate", "plan", "plan check", "doctor")


@pytest.fixture(scope="module")
def home(belonging: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which figures were made up."""
    folder = tmp_path_factory.mktemp("verbs")
    done = belonging("simulate", "--plan", "simulated_public", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Written to {folder / 'data' / 'simulated' / 'simulated_public'}\n"
    return folder


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help(verb: str, belonging: CommandLine, tmp_path: Path) -> None:
    """Every verb says how it is used, with both spellings of the option."""
    for option in ("--help", "-h"):
        done = belonging(*verb.split(), option, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"Usage: belonging {verb}".rstrip())
    if not verb:
        assert all(each.split()[0] in done.stdout for each in VERBS)
        assert "Exit codes" in done.stdout
        assert "belonging run --plan dorset_public" in done.stdout


def test_version(belonging: CommandLine, tmp_path: Path) -> None:
    """The installed version alone."""
    done = belonging("--version", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    try:
        assert done.stdout == importlib.metadata.version("belonging-research") + "\n"
    except importlib.metadata.PackageNotFoundError:
        assert "not installed" in done.stdout


@pytest.mark.parametrize(("name", "place"), [("dorset_public", "Dorset (838)"), ("simulated_public", "Larkvale (609)")])
def test_plan_check(name: str, place: str, belonging: CommandLine, checkout: Path, tmp_path: Path) -> None:
    """A shipped plan by its name and by its file: what it promises, its digest, and that it is sound."""
    by_name = belonging("plan", "check", name, cwd=tmp_path)
    by_file = belonging("plan", "check", checkout / "notebooks" / "plans" / f"{name}.toml", cwd=tmp_path)
    assert (by_name.returncode, by_name.stderr) == (0, "")
    assert by_name.stdout == by_file.stdout
    assert place in by_name.stdout
    assert by_name.stdout.endswith("The plan is sound.\n")
    assert not list(tmp_path.iterdir())


def test_simulate_gives_the_same_files_again(home: Path, belonging: CommandLine) -> None:
    """A second time the files are kept; they have the truth beside them, and none is left half-written."""
    before = files_of(home)
    assert {Path(name).parent.as_posix() for name in before} == {"data/simulated/simulated_public"}
    truth = json.loads(before["data/simulated/simulated_public/truth.json"])
    assert (truth["study"], truth["name"]) == ("simulated_public", "Larkvale")
    assert belonging("simulate", "--plan", "simulated_public", cwd=home).returncode == 0
    assert files_of(home) == before


def test_validate(home: Path, belonging: CommandLine) -> None:
    """Every file is accounted for, to the year asked for, and nothing is written."""
    before = set(files_of(home))
    data = home / "data" / "simulated" / "simulated_public"
    done = belonging("validate", data, "--plan", "simulated_public", "--report-year", "2024/25", cwd=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Figures to 2024/25, out by about 2026-")
    assert "ees_attendance_ytd_202425.csv: attendance_to_date, 2024/25 to 2024/25" in done.stdout
    assert "ees_attendance_ytd_202526.csv" not in done.stdout
    assert "rows used" in done.stdout
    assert set(files_of(home)) == before


def test_a_dry_run(home: Path, belonging: CommandLine, tmp_path: Path) -> None:
    """What would be done, with and without data; nothing is written."""
    data = home / "data" / "simulated" / "simulated_public"
    done = belonging("run", "--plan", "simulated_public", "--data", data, "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "would be written" in done.stdout
    bare = belonging("run", "--dry-run", cwd=tmp_path)
    assert bare.returncode == 0, bare.stderr
    for each in (done, bare):
        assert "04_attendance_impact" in each.stdout
        assert "Dry run: nothing was written." in each.stdout
    assert not list(tmp_path.iterdir())


def only_the_first(belonging: CommandLine, home: Path, folder: Path, name: str) -> Run:
    """The first notebook alone, on the figures of a made-up country in a folder of this name."""
    data = home / "data" / "simulated" / "simulated_public"
    shutil.copytree(data, folder / name, ignore=shutil.ignore_patterns("*snapshots*"))
    done = belonging(
        "run", "--plan", "simulated_public", "--data", folder / name, "--report-year", "2024/25", "--only", "01",
        "--out", folder / f"out_{name}", cwd=folder,
    )  # fmt: skip
    return Run(done=done, out=folder / f"out_{name}")


@pytest.fixture(scope="module")
def one(home: Path, belonging: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the first notebook."""
    return only_the_first(belonging, home, tmp_path_factory.mktemp("one"), "published")


@pytest.mark.slow
def test_one_notebook(one: Run) -> None:
    """``--only`` writes that notebook's page, says which page is left out, and lists the run as such."""
    assert one.done.returncode == 0, one.done.stderr
    assert "The council page needs every notebook" in one.done.stdout
    names = {Path(name).name for name in files_of(one.out) if name.endswith(".html")}
    assert names == {"index.html", "annex.html", "01_national_context.html"}
    assert "only 01_national_context" in (one.out / "index.html").read_text(encoding="utf-8")
    assert not list(one.out.glob("*/latest"))


@pytest.mark.slow
def test_the_name_of_the_data_folder_changes_no_byte(
    one: Run, home: Path, belonging: CommandLine, tmp_path: Path
) -> None:
    """The same files in a folder of another name: the same id, and so the same bytes."""
    other = only_the_first(belonging, home, tmp_path, "smith_laptop")
    assert other.folder.name == one.folder.name
    assert differing(other.released, one.released) == []


def test_doctor(belonging: CommandLine, tmp_path: Path) -> None:
    """A line for each thing that was looked at; 1 only where something stops the project; nothing is written."""
    done = belonging("doctor", "--out", tmp_path / "out", cwd=tmp_path)
    assert done.stderr == ""
    last = done.stdout.splitlines()[-1]
    assert done.returncode == int(not last.endswith(" 0 that stop the project"))
    for word in ("Python", "packages", "proxy", "path length", "notebook kernel"):
        assert word in done.stdout
    assert not list(tmp_path.iterdir())
