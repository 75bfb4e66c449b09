"""Input at fault: one clear error that names the place and what to do, the right exit code, nothing written."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from acceptance.running import CommandLine, Done, InThisProcess, files_of

COMMAND, PLAN, SOURCE, FIGURES, REPORT = 2, 3, 4, 5, 9
YEAR = "ees_attendance_ytd_202425.csv"
BEFORE = "ees_attendance_ytd_202324.csv"
COUNCILS = "ees_acceptable_las.csv"
SNAPSHOTS = "ees_attendance_ytd_snapshots_202223_2627.csv.gz"
MEASURES = "bds_long_0.parquet"
FILES = (YEAR, BEFORE, COUNCILS)


@pytest.fixture(scope="module")
def belonging() -> InThisProcess:
    """The command line, in this process."""
    return InThisProcess()


@pytest.fixture(scope="module")
def country(belonging: InThisProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All files of the made-up country."""
    folder = tmp_path_factory.mktemp("country")
    done = belonging("simulate", "--plan", "simulated_public", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "data" / "simulated" / "simulated_public"


@pytest.fixture
def data(country: Path, tmp_path: Path) -> Path:
    """A folder of three files that can be read, for a test to spoil."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in FILES:
        shutil.copyfile(country / name, folder / name)
    return folder


@pytest.fixture
def plan(checkout: Path, tmp_path: Path) -> Path:
    """The simulated plan as a file of the user's own."""
    path = tmp_path / "mine.toml"
    shutil.copyfile(checkout / "notebooks" / "plans" / "simulated_public.toml", path)
    return path


def refused(done: Done, code: int, *says: str) -> None:
    """One error on stderr that says each of these; no traceback, nothing announced on stdout."""
    told = done.stderr
    assert done.returncode == code, told or done.stdout
    assert "Traceback" not in told
    assert "This is a bug" not in told
    assert len(re.findall(r"^(?:error|Error):", told, re.M)) == 1, told
    for words in says:
        assert words in told, told
    assert done.stdout == ""


def run(
    belonging: InThisProcess | CommandLine, tmp_path: Path, *arguments: object, plan: object = "simulated_public"
) -> Done:
    """``run`` with its output folder in the test's own, which a run that is refused must not have made."""
    before = set(files_of(tmp_path))
    done = belonging("run", "--plan", plan, *arguments, "--out", tmp_path / "out", cwd=tmp_path)
    assert set(files_of(tmp_path)) == before
    assert not (tmp_path / "out").exists()
    return done


# --- a file ---------------------------------------------------------------------------------------------------------


def lines(path: Path) -> list[str]:
    """The lines of a csv file, the header first."""
    return path.read_text(encoding="utf-8").splitlines()


def cell(path: Path, row: int, column: str, value: str) -> None:
    """Write one cell; the header is row 1, as in a spreadsheet (cells here hold no commas)."""
    content = lines(path)
    cells = content[row - 1].split(",")
    cells[content[0].split(",").index(column)] = value
    content[row - 1] = ",".join(cells)
    path.write_text("\n".join(content) + "\n", encoding="utf-8")


def cut(path: Path) -> None:
    """End the file in the middle of a row, as a download that broke off."""
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"\n", 0, len(content) // 2) + 40])


def repeat(path: Path) -> None:
    """Row 20 a second time, at the end."""
    content = lines(path)
    path.write_text("\n".join([*content, content[19]]) + "\n", encoding="utf-8")


def header(path: Path, old: str, new: str) -> None:
    """Rename a column."""
    first, _, rest = path.read_text(encoding="utf-8").partition("\n")
    assert old in first.split(",")
    path.write_text(",".join(new if name == old else name for name in first.split(",")) + "\n" + rest, encoding="utf-8")


def encode(path: Path, encoding: str, name: str = "") -> None:
    """Save in another encoding, a council's name changed to one that shows it."""
    text = path.read_text(encoding="utf-8")
    path.write_bytes((text.replace("Larkvale", name) if name else text).encode(encoding))


def zipped(path: Path) -> None:
    """The file in an archive beside it, as a release is downloaded."""
    with zipfile.ZipFile(path.with_name("figures.zip"), "w") as archive:
        archive.write(path, f"data/{path.name}")


MEND = "Correct the cell"
SPOILED: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "cut short": (cut, (YEAR, "row ", "cells, the header", "download it again")),
    "empty": (lambda path: path.write_bytes(b""), (YEAR, "the file is empty", "Download it again")),
    "header only": (
        lambda path: path.write_text(lines(path)[0] + "\n", encoding="utf-8"),
        (YEAR, "no rows below", "Download the file again"),
    ),
    "utf-16": (lambda path: encode(path, "utf-16"), (YEAR, "UTF-16", "Save it as 'CSV UTF-8'")),
    "latin-1": (
        lambda path: encode(path, "latin-1", "Lärkvale"),
        (YEAR, "row ", "not UTF-8", "save it as 'CSV UTF-8'"),
    ),
    "semicolons": (
        lambda path: path.write_text(path.read_text(encoding="utf-8").replace(",", ";"), encoding="utf-8"),
        (YEAR, "semicolons", "expected commas"),
    ),
    "renamed column": (
        lambda path: header(path, "possible_sessions", "possible_session"),
        (YEAR, "'possible_sessions'", "'possible_session'", "Rename"),
    ),
    "renamed rate": (
        lambda path: header(path, "overall_absence_perc", "overall_absence_percent"),
        (YEAR, "'overall_absence_perc'", "'overall_absence_percent'", "Rename"),
    ),
    "column twice": (
        lambda path: header(path, "late_sessions", "possible_sessions"),
        (YEAR, "'possible_sessions' stands twice", "Remove one"),
    ),
    "row twice": (repeat, (YEAR, "rows 20 and ", "same key", "remove one of them")),
    "rate over 100": (
        lambda path: cell(path, 60, "overall_absence_perc", "104.2"),
        (YEAR, "row 60, column overall_absence_perc", "104.2", "at most 100", MEND),
    ),
    "text for a number": (
        lambda path: cell(path, 61, "possible_sessions", "about 9000"),
        (YEAR, "row 61, column possible_sessions", "about 9000", "a number", MEND),
    ),
    "not a number": (
        lambda path: cell(path, 61, "overall_absence_perc", "inf"),
        (YEAR, "row 61, column overall_absence_perc", "a number", MEND),
    ),
    "negative": (
        lambda path: cell(path, 62, "overall_absence", "-4"),
        (YEAR, "row 62, column overall_absence", "0 or more", MEND),
    ),
    "more than all": (
        lambda path: cell(path, 63, "overall_absence", "99999999999"),
        (YEAR, "row 63, column overall_absence", "no more than possible_sessions", "Correct one"),
    ),
    "impossible year": (
        lambda path: cell(path, 64, "time_period", "202426"),
        (YEAR, "row 64, column time_period", "202426", MEND),
    ),
    "unknown phase": (
        lambda path: cell(path, 65, "school_type", "Sixth form"),
        (YEAR, "row 65, column school_type", "Sixth form", MEND),
    ),
    "unknown council": (
        lambda path: cell(path, 66, "old_la_code", "999"),
        (YEAR, "row 66, column old_la_code", "999", "Correct the code"),
    ),
    "no workbook": (
        lambda path: path.with_name("neighbours.xlsx").write_bytes(b"PK\x03\x04 nothing more"),
        ("neighbours.xlsx", "not an Excel workbook", "save it as .xlsx"),
    ),
    "no parquet": (
        lambda path: path.with_name("figures.parquet").write_bytes(b"PAR1 nothing more"),
        ("figures.parquet", "cut short or damaged", "Download it again"),
    ),
    "archive": (
        lambda path: zipped(path),
        ("figures.zip", "an archive", "Unpack it"),
    ),
    "note at the end": (
        lambda path: path.write_text("\n".join([*lines(path), "Source: a note"]) + "\n", encoding="utf-8"),
        (YEAR, "has 1 cells, the header", "It is a note, or a row that was cut short"),
    ),
    "rate beside its counts": (
        lambda path: cell(path, 60, "overall_absence_perc", "9.125"),
        (YEAR, "row 60, column overall_absence_perc", "9.125", "of possible_sessions", "Correct one"),
    ),
    "count in short": (
        lambda path: cell(path, 61, "possible_sessions", "1.2E+07"),
        (YEAR, "row 61, column possible_sessions", "1.2E+07", "with all its digits"),
    ),
    "origin differs": (
        lambda path: path.with_name("origin.toml").write_text(
            "".join(f'[[file]]\nname = "{name}"\nsha256 = "{"0" * 64}"\n' for name in FILES), encoding="utf-8"
        ),
        ("differs from origin.toml", "fetch it again"),
    ),
    "no date": (
        lambda path: path.with_name("origin.toml").write_text('date = "2024-02-30"\n', encoding="utf-8"),
        ("origin.toml", "no [[file]] entry"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", SPOILED)
def test_a_file_at_fault(fault: str, belonging: InThisProcess, data: Path, tmp_path: Path) -> None:
    """Named with row and column where there is one, and with what to do."""
    spoil, says = SPOILED[fault]
    spoil(data / YEAR)
    refused(run(belonging, tmp_path, "--data", data), SOURCE, *says)


def test_an_impossible_date_of_a_snapshot(belonging: InThisProcess, country: Path, data: Path, tmp_path: Path) -> None:
    """30 February is named with its row, inside a packed file too."""
    content = gzip.decompress((country / SNAPSHOTS).read_bytes()).decode().splitlines()[:300]
    at = content[0].split(",").index("snapshot_date")
    cells = content[40].split(",")
    content[40] = ",".join([*cells[:at], "2024-02-30", *cells[at + 1 :]])
    (data / SNAPSHOTS).write_bytes(gzip.compress(("\n".join(content) + "\n").encode()))
    done = run(belonging, tmp_path, "--data", data)
    refused(done, SOURCE, SNAPSHOTS, "row 41, column snapshot_date", "2024-02-30", MEND)


@pytest.mark.parametrize("name", [SNAPSHOTS, MEASURES])
def test_a_packed_file_cut_short(
    name: str, belonging: InThisProcess, country: Path, data: Path, tmp_path: Path
) -> None:
    """Half a gzip file and half a parquet file are named."""
    content = (country / name).read_bytes()
    (data / name).write_bytes(content[: len(content) // 2])
    refused(run(belonging, tmp_path, "--data", data), SOURCE, name, "cut short", "Download it again")


def test_validate_says_the_same(belonging: InThisProcess, data: Path, tmp_path: Path) -> None:
    """A fault is found by ``validate`` too, with the same words and code."""
    spoil, says = SPOILED["rate over 100"]
    spoil(data / YEAR)
    refused(belonging("validate", data, "--plan", "simulated_public", cwd=tmp_path), SOURCE, *says)


# --- a folder -------------------------------------------------------------------------------------------------------


def test_a_folder_without_data(belonging: InThisProcess, tmp_path: Path) -> None:
    """Empty, missing, a file instead, or with files of another kind: each said in its own words."""
    folder = tmp_path / "nothing"
    folder.mkdir()
    refused(run(belonging, tmp_path, "--data", folder), SOURCE, "nothing: the folder is empty", "Put the published")
    (folder / "holiday.csv").write_text("place,days\nLyme,3\n", encoding="utf-8")
    done = run(belonging, tmp_path, "--data", folder)
    refused(done, SOURCE, "holiday.csv: layout not known", "nearest known layout", "move the file out of the folder")
    refused(run(belonging, tmp_path, "--data", tmp_path / "gone"), SOURCE, "gone: no such folder", "Check the path")
    refused(run(belonging, tmp_path, "--data", folder / "holiday.csv"), SOURCE, "holiday.csv: ", "folder")


def test_figures_that_end_too_early(belonging: InThisProcess, data: Path, tmp_path: Path) -> None:
    """Nothing after the start: said with the last year there is."""
    (data / YEAR).unlink()
    refused(run(belonging, tmp_path, "--data", data), FIGURES, "2023/24", "2024/25", "Add later files")


def test_figures_that_lack_a_base_year(belonging: InThisProcess, data: Path, tmp_path: Path) -> None:
    """Noticed before any notebook starts, with outcome, council, years and publication; nothing of the run is left."""
    done = run(belonging, tmp_path, "--data", data, "--report-year", "2024/25", "--only", "04")
    says = ("overall_absence_rate is tested in 2024/25", "Larkvale (609)", "Pupil attendance in schools", "2022/23")
    refused(done, FIGURES, *says, "Add the file with these years")
    assert "notebook" not in done.stderr.partition("error:")[0].replace("starting the notebooks", "")


def test_nothing_was_out_by_that_day(belonging: InThisProcess, data: Path, tmp_path: Path) -> None:
    """A day before every file: no figures, and how it came."""
    done = run(belonging, tmp_path, "--data", data, "--data-as-at", "2015-01-01")
    refused(done, SOURCE, "no figures")


# --- a plan ---------------------------------------------------------------------------------------------------------

PLANS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "unknown key": ("seed = 20240901", "seed = 20240901\nsede = 1", ("sede", "unknown key", "correct its spelling")),
    "unknown key of an outcome": ("sesoi = 0.0025", "sesoi = 0.0025\nsizes = 1", ("outcomes.0.sizes", "unknown key")),
    "misspelt key": ("policy =", "polciy =", ("policy", "polciy")),
    "impossible date": ("start = 2024-09-01", "start = 2024-02-30", ("treated.0.start", "TOML", "line ")),
    "date as text": ('start = 2024-09-01', 'start = "1 September"', ("treated.0.start", "date")),
    "start in another year": ("start = 2024-09-01", "start = 2023-09-01", ("treated.0.start", "first post year")),
    "impossible year": ('base = ["2022/23", "2023/24"]', 'base = ["2022/24", "2023/24"]', ("base", "2022/24")),
    "base after the start": ('base = ["2022/23", "2023/24"]', 'base = ["2023/24", "2024/25"]', ("base", "before")),
    "text for a number": ("seed = 20240901", 'seed = "twenty"', ("seed", "integer")),
    "effect of no size": ("sesoi = 0.0025", "sesoi = 0.0", ("outcomes.0.sesoi", "greater than 0")),
    "not TOML": ("seed = 20240901", "seed = = 1", ("not valid TOML", "line ")),
    "alpha spent twice": ("alpha = 0.03", "alpha = 0.05", ("looks", "0.07", "at most 0.05")),
    "unknown method": ('method = "synthetic_control"', 'method = "magic"', ("designs.1.method", "synthetic_control")),
    "unknown policy": ('policy = "as_published"', 'policy = "open"', ("policy", "as_published")),
}  # fmt: skip


@pytest.mark.parametrize("fault", PLANS)
def test_a_plan_at_fault(fault: str, belonging: InThisProcess, plan: Path, data: Path, tmp_path: Path) -> None:
    """Named with its key, by ``run`` and by ``plan check`` alike."""
    old, new, says = PLANS[fault]
    text = plan.read_text(encoding="utf-8")
    assert old in text
    plan.write_text(text.replace(old, new, 1), encoding="utf-8")
    refused(run(belonging, tmp_path, "--data", data, plan=plan), PLAN, "mine.toml", *says)
    refused(belonging("plan", "check", plan, cwd=tmp_path), PLAN, "mine.toml", *says)


NAMES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "check": ('"false_start"', '"false_strat"', ("checks.", "false_strat is not known", "Did you mean false_start?")),
    "outcome": (
        'name = "severe_absence_rate"',
        'name = "sever_absence_rate"',
        ("outcomes.", "sever_absence_rate is not known", "Did you mean severe_absence_rate?"),
    ),
}


@pytest.mark.parametrize("what", NAMES)
def test_a_name_in_the_plan_that_nothing_has(
    what: str, belonging: InThisProcess, plan: Path, data: Path, tmp_path: Path
) -> None:
    """A misspelt check or outcome is refused by ``plan check`` and before any notebook runs."""
    old, new, says = NAMES[what]
    plan.write_text(plan.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    refused(belonging("plan", "check", plan, cwd=tmp_path), PLAN, "mine.toml", *says)
    refused(run(belonging, tmp_path, "--data", data, plan=plan), PLAN, "mine.toml", *says)


def test_a_plan_of_another_encoding(belonging: InThisProcess, plan: Path, data: Path, tmp_path: Path) -> None:
    """Saved as Windows-1252 or UTF-16 it is named, and how to save it."""
    text = plan.read_text(encoding="utf-8").replace("Larkvale", "Lärkvale")
    for encoding in ("cp1252", "utf-16"):
        plan.write_bytes(text.encode(encoding))
        refused(run(belonging, tmp_path, "--data", data, plan=plan), PLAN, "mine.toml", "UTF-8")


def test_an_unknown_council(belonging: InThisProcess, plan: Path, data: Path, tmp_path: Path) -> None:
    """A wrong code is named with the code that was probably meant."""
    plan.write_text(plan.read_text(encoding="utf-8").replace('unit = "609"', 'unit = "906"', 1), encoding="utf-8")
    done = run(belonging, tmp_path, "--data", data, plan=plan)
    refused(done, FIGURES, "treated.0.unit is 906 (Larkvale)", "no file has figures", "Did you mean 609?")


def test_a_council_without_data(belonging: InThisProcess, data: Path, tmp_path: Path) -> None:
    """Dorset's plan on files that have no Dorset."""
    done = run(belonging, tmp_path, "--data", data, plan="dorset_public")
    refused(done, FIGURES, "838 (Dorset)", "no file has figures", "add the council's files")


def test_a_plan_and_data_that_do_not_go_together(belonging: InThisProcess, data: Path, tmp_path: Path) -> None:
    """Real figures need a plan, a plan for real figures needs data, and a plan needs to be there."""
    refused(run(belonging, tmp_path, plan="dorset_public"), PLAN, "dorset_public.toml", "--data DIR")
    refused(belonging("run", "--data", data, cwd=tmp_path), PLAN, "figures without a plan", "--plan dorset_public")
    refused(run(belonging, tmp_path, "--data", data, plan="dorset_publik"), PLAN, "dorset_publik", "simulated_public")
    refused(run(belonging, tmp_path, "--data", data, plan=tmp_path / "no.toml"), PLAN, "no.toml: no such plan file")
    refused(run(belonging, tmp_path, "--data", data, plan=tmp_path), PLAN, "no such plan file")
    refused(belonging("simulate", "--plan", "dorset_public", cwd=tmp_path), PLAN, "real figures")
    assert set(files_of(tmp_path)) == {f"data/{name}" for name in FILES}


# --- the command line -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("year", ["2024-26", "banana", "2024/26", "24", ""])
def test_a_report_year_that_is_none(year: str, belonging: InThisProcess, data: Path, tmp_path: Path) -> None:
    """Refused before anything is read, with the form to write it in."""
    done = run(belonging, tmp_path, "--data", data, "--report-year", year)
    refused(done, COMMAND, "--report-year", "2024/25")
    assert "reading" not in done.stderr


def test_a_report_year_that_the_plan_has_not(belonging: InThisProcess, data: Path, tmp_path: Path) -> None:
    """The plan's years are listed."""
    done = run(belonging, tmp_path, "--data", data, "--report-year", "2019/20")
    refused(done, COMMAND, "2019/20", "2024/25, 2025/26, 2026/27", "Choose one")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--data-as-at", "2024-02-30"), ("--data-as-at", "banana"), ("--jobs", "0"), ("--jobs", "two"),
        ("--olny", "04"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_option_at_fault(arguments: tuple[str, str], belonging: InThisProcess, data: Path, tmp_path: Path) -> None:
    """Impossible dates, numbers and misspelt options are named."""
    refused(run(belonging, tmp_path, "--data", data, *arguments), COMMAND, arguments[0])


@pytest.mark.parametrize(
    ("only", "says"),
    [
        ("04_atendance_impact", ("no notebook of that name", "Did you mean 04_attendance_impact?")),
        ("0", ("notebooks of that name", "04_attendance_impact")),
        ("99", ("no notebook of that name", "04_attendance_impact")),
    ],
)
def test_a_notebook_that_is_not_there(
    only: str, says: tuple[str, ...], belonging: InThisProcess, data: Path, tmp_path: Path
) -> None:
    """Misspelt or ambiguous: the names that there are, and the one that was probably meant."""
    refused(run(belonging, tmp_path, "--data", data, "--only", only), COMMAND, f"--only {only}", *says)


# --- notebooks and the output folder --------------------------------------------------------------------------------

PARAMETERS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "misspelt": (
        "report_year: str",
        "reprot_year: str",
        ("unknown parameter reprot_year", "Did you mean report_year?"),
    ),
    "of another type": ('report_year: str = "2026/27"', "report_year: int = 2026", ("report_year is a int",)),
    "not a literal": ('report_year: str = "2026/27"', "report_year: str = plan[:7]", ("report_year", "not a literal")),
}


@pytest.mark.parametrize("fault", PARAMETERS)
def test_a_parameter_at_fault(fault: str, checkout: Path, data: Path, tmp_path: Path) -> None:
    """Notebook and parameter are named before any kernel starts; papermill would run on with the default."""
    old, new, says = PARAMETERS[fault]
    mine = spoiled_checkout(checkout, tmp_path / "mine", old, new)
    done = run(CommandLine(checkout=mine), tmp_path, "--data", data)
    refused(done, REPORT, "04_attendance_impact.ipynb", *says)
    assert "notebook" not in done.stderr.partition("error:")[0]


def spoiled_checkout(checkout: Path, mine: Path, old: str, new: str) -> Path:
    """A copy of the project in which one notebook's parameters are changed."""
    shutil.copytree(checkout, mine, ignore=shutil.ignore_patterns("__pycache__"))
    path = mine / "notebooks" / "04_attendance_impact.ipynb"
    content = json.loads(path.read_text(encoding="utf-8"))
    (parameters,) = (each for each in content["cells"] if "parameters" in each["metadata"].get("tags", []))
    source = "".join(parameters["source"])
    assert old in source
    parameters["source"] = source.replace(old, new)
    path.write_text(json.dumps(content), encoding="utf-8")
    return mine


def test_a_torn_notebook(checkout: Path, data: Path, tmp_path: Path) -> None:
    """Named as the user's file, not as a library's complaint."""
    mine = tmp_path / "mine"
    shutil.copytree(checkout, mine, ignore=shutil.ignore_patterns("__pycache__"))
    (mine / "notebooks" / "04_attendance_impact.ipynb").write_text("{", encoding="utf-8")
    done = run(CommandLine(checkout=mine), tmp_path, "--data", data)
    refused(done, REPORT, "04_attendance_impact.ipynb", "not a readable notebook")


def test_an_output_folder_that_cannot_be_written(belonging: InThisProcess, data: Path, tmp_path: Path) -> None:
    """A file in its place or above it is named before anything is read, and is left as it was."""
    taken = tmp_path / "taken"
    taken.write_text("mine", encoding="utf-8")
    for out in (taken, taken / "below" / "deeper"):
        done = belonging("run", "--plan", "simulated_public", "--data", data, "--out", out, cwd=tmp_path)
        refused(done, REPORT, "taken is a file, not a folder", "--out")
        assert "reading" not in done.stderr
    assert taken.read_text(encoding="utf-8") == "mine"
    assert set(files_of(tmp_path)) == {"taken", *(f"data/{name}" for name in FILES)}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a folder that nobody may write, not even root")
def test_an_output_folder_that_nobody_may_write(belonging: InThisProcess, data: Path, tmp_path: Path) -> None:
    """Where the system refuses, the folder and the way out are named."""
    done = belonging("run", "--plan", "simulated_public", "--data", data, "--out", "/proc/belonging", cwd=tmp_path)
    refused(done, REPORT, "/proc/belonging", "cannot be written", "--out")


def test_a_file_where_the_study_would_be(belonging: InThisProcess, data: Path, tmp_path: Path) -> None:
    """A file with the study's name in the output folder is named, and is left as it was."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "simulated_public").write_text("mine", encoding="utf-8")
    done = belonging("run", "--plan", "simulated_public", "--data", data, "--out", out, cwd=tmp_path)
    refused(done, REPORT, "simulated_public", "--out")
    assert files_of(out) == {"simulated_public": b"mine"}


def test_a_place_where_figures_cannot_be_made_up(belonging: InThisProcess, tmp_path: Path) -> None:
    """Something of the user's in the place of the simulated files is named and left alone."""
    place = tmp_path / "data" / "simulated" / "simulated_public"
    place.mkdir(parents=True)
    (place / "mine.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    refused(run(belonging, tmp_path), SOURCE, "simulated_public", "left alone")
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "data").write_text("mine", encoding="utf-8")
    refused(run(belonging, tmp_path), SOURCE, "cannot be written", "data/simulated")
