"""The command line: what each verb hands on, what it says, and the exit code it ends with."""

from __future__ import annotations

import datetime as dt
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from belonging_research import __main__ as command_line
from belonging_research import errors

REPOSITORY = Path(__file__).resolve().parents[1]
REAL_PLAN = REPOSITORY / "notebooks" / "plans" / "dorset_public.toml"
HEAVY = {
    "pandas",
    "numpy",
    "scipy",
    "matplotlib",
    "seaborn",
    "statsmodels",
    "pyarrow",
    "pydantic",
    "papermill",
}
HEAVY |= {"jinja2", "IPython", "nbclient", "openpyxl", "tqdm"}

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def simulated_plan(tmp_path: Path) -> Path:
    """The shipped plan for real figures, marked as simulated."""
    path = tmp_path / "made_up.toml"
    text = REAL_PLAN.read_text(encoding="utf-8").replace("simulated = false", "simulated = true")
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the command line asks of `reports` and `simulate`, both played."""
    seen: dict[str, Any] = {}

    def run_study(plan: Any, **options: Any) -> SimpleNamespace:
        seen.update(options, plan=plan)
        return SimpleNamespace(lines=("cannot tell",), index=tmp_path / "index.html")

    def simulated_data(plan: Any) -> Path:
        seen["simulated"] = plan.study
        return tmp_path / "made_up"

    reports, simulate = ModuleType("reports"), ModuleType("simulate")
    vars(reports)["run_study"], vars(simulate)["simulated_data"] = run_study, simulated_data
    monkeypatch.setitem(sys.modules, "belonging_research.reports", reports)
    monkeypatch.setitem(sys.modules, "belonging_research.simulate", simulate)
    for name in command_line.ONE_THREAD:
        monkeypatch.setenv(name, "1")
    return seen


def failing(error: BaseException) -> Callable[..., None]:
    """A function that does nothing but raise."""

    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_help_starts_without_heavy_libraries() -> None:
    """`--help` of the program and of each verb loads no numerical, drawing or notebook library."""
    code = (
        "import sys\nfrom belonging_research.__main__ import answer\n"
        "codes = [answer([*verb.split(), '--help']) for verb in"
        " ('', 'run', 'simulate', 'validate', 'plan', 'plan check', 'doctor')]\n"
        f"print(codes, sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == f"{[0] * 7} []"


def test_help_teaches_examples_and_every_exit_code(capsys: Captured) -> None:
    """The examples are there, and no error of the house has an exit code that help does not explain."""
    assert command_line.answer(["--help"]) == 0
    text = capsys.readouterr().out
    assert "belonging run --plan dorset_public --data" in text
    assert "Did a council's belonging interventions" in text
    table = text[text.index("Exit codes") :].split()
    kinds: list[type[errors.BelongingError]] = [
        errors.BelongingError,
        *errors.BelongingError.__subclasses__(),
    ]
    for code in [0, 2, command_line.BUG, command_line.STOPPED, *(kind.exit_code for kind in kinds)]:
        assert str(code) in table


def test_works_as_a_module() -> None:
    """`python -m belonging_research` is the same program, for where generated executables are blocked."""
    command = [sys.executable, "-m", "belonging_research", "--help"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[:2]) == (0, ["Usage:", "belonging"])


@pytest.mark.parametrize("kind", [errors.BelongingError, *errors.BelongingError.__subclasses__()])
def test_an_error_of_the_house_is_words_and_a_code(
    kind: type[errors.BelongingError], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """Every kind of error ends with its own code and its message on stderr, never a traceback."""
    monkeypatch.setattr(command_line, "chosen_plan", failing(kind("a.csv: row 3: mend it.")))
    assert command_line.answer(["run"]) == kind.exit_code
    assert capsys.readouterr() == ("", "error: a.csv: row 3: mend it.\n")


def test_a_bug_is_told_without_its_text(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """An unexpected error shows where it happened and ends with 70; its text may quote a pupil's value."""
    monkeypatch.delenv("BELONGING_DEBUG", raising=False)
    monkeypatch.setattr(command_line, "chosen_plan", failing(ValueError("could not convert 'Ann Smith'")))
    assert command_line.answer(["run"]) == command_line.BUG
    told = capsys.readouterr().err
    assert "This is a bug" in told
    assert "ValueError" in told
    assert "chosen_plan(plan_name, data)" in told
    assert "Ann Smith" not in told
    monkeypatch.setenv("BELONGING_DEBUG", "1")
    command_line.answer(["run"])
    assert "Ann Smith" in capsys.readouterr().err


def test_control_c_is_told_and_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """A stopped run says so, without a traceback."""
    monkeypatch.setattr(command_line, "chosen_plan", failing(KeyboardInterrupt()))
    assert command_line.answer(["run"]) == command_line.STOPPED
    told = capsys.readouterr().err
    assert "stopped" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_refusal_to_write_is_no_bug(number: int, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """A full disk or a folder that may not be written is told with what to do."""
    monkeypatch.setattr(command_line, "chosen_plan", failing(OSError(number, os.strerror(number), "outputs")))
    assert command_line.answer(["run"]) == errors.ReportError.exit_code
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["frun"],
        ["run", "--plam", "x"],
        ["run", "--report-year", "2024/26"],
        ["run", "--data-as-at", "30/11/2025"],
        ["run", "--jobs", "0"],
        ["validate", "--plan", "dorset_public"],
        ["plan", "check"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_ends_with_2(arguments: list[str], capsys: Captured) -> None:
    """Unknown verbs and options and impossible values are refused before anything is read."""
    assert command_line.answer(arguments) == 2
    assert "Usage:" in capsys.readouterr().err


def test_a_year_that_the_plan_has_not_ends_with_2(tmp_path: Path, capsys: Captured) -> None:
    """By ``validate`` as by ``run``, before anything is read; the plan's years are listed."""
    for verb in (["validate", str(tmp_path)], ["run", "--data", str(tmp_path), "--out", str(tmp_path / "out")]):
        assert command_line.answer([*verb, "--plan", "dorset_public", "--report-year", "2031/32"]) == 2
        assert "2031/32: plan dorset_public has 2024/25, 2025/26, 2026/27" in capsys.readouterr().err
    arguments = ["run", "--plan", "dorset_public", "--data", str(tmp_path), "--only", "04_atendance"]
    assert command_line.answer([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert "Did you mean 04_attendance_impact?" in capsys.readouterr().err


def test_run_alone_simulates_first(
    calls: dict[str, Any], simulated_plan: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """With neither plan nor data the default plan is simulated, and the study reads what was made up."""
    monkeypatch.setattr(command_line, "find_plan", lambda name: {"simulated_county": simulated_plan}[name])
    assert command_line.answer(["run"]) == 0
    assert calls["simulated"] == "dorset_public"
    assert calls["data"] == (simulated_plan.parent / "made_up",)
    assert capsys.readouterr().out.splitlines() == [
        "cannot tell",
        f"Open {simulated_plan.parent / 'index.html'}",
    ]


def test_run_hands_every_option_on(calls: dict[str, Any], tmp_path: Path) -> None:
    """Options arrive typed, years in their usual form; nothing is made up where data are given."""
    arguments = ["run", "--plan", str(REAL_PLAN), "--data", "a", "--data", "b", "--report-year", "202425"]
    arguments += ["--data-as-at", "2025-11-30", "--only", "04_attendance_impact", "--out", str(tmp_path)]
    assert command_line.answer([*arguments, "--jobs", "3", "--force"]) == 0
    assert calls.pop("plan").study == "dorset_public"
    assert calls == {
        "plan_path": REAL_PLAN,
        "data": (Path("a"), Path("b")),
        "report_year": "2024/25",
        "data_as_at": dt.date(2025, 11, 30),
        "only": "04_attendance_impact",
        "out": tmp_path,
        "jobs": 3,
        "dry_run": False,
        "force": True,
        "progress": command_line.show_progress,
    }


def test_run_defaults(calls: dict[str, Any]) -> None:
    """Results go to outputs/, nothing is forced, and the year is left to the study."""
    assert command_line.answer(["run", "--plan", "dorset_public", "--data", "a"]) == 0
    assert (calls["out"], calls["report_year"], calls["only"]) == (Path("outputs"), None, None)
    assert (calls["force"], calls["dry_run"], 1 <= calls["jobs"] <= 2) == (False, False, True)


def test_a_real_plan_without_data_says_what_to_add(calls: dict[str, Any], capsys: Captured) -> None:
    """Nothing is simulated in place of real figures."""
    assert command_line.answer(["run", "--plan", "dorset_public"]) == errors.PlanError.exit_code
    assert "--data DIR" in capsys.readouterr().err
    assert not calls


def test_data_without_a_plan_says_what_to_add(calls: dict[str, Any], capsys: Captured) -> None:
    """Real figures are never judged by the simulated plan by accident."""
    assert command_line.answer(["run", "--data", "a"]) == errors.PlanError.exit_code
    assert "--plan dorset_public" in capsys.readouterr().err
    assert not calls


def test_a_misspelt_plan_lists_the_shipped_ones(calls: dict[str, Any], capsys: Captured) -> None:
    """The message names what was given and what there is."""
    assert command_line.answer(["run", "--plan", "dorset_publik"]) == errors.PlanError.exit_code
    told = capsys.readouterr().err
    assert "dorset_publik" in told
    assert "dorset_public." in told or "dorset_public," in told


def test_a_dry_run_of_a_simulated_plan_writes_nothing(
    calls: dict[str, Any], simulated_plan: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """It tells plan, digest, figures and folder, and neither makes up figures nor runs."""
    empty = simulated_plan.parent / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    assert command_line.answer(["run", "--plan", str(simulated_plan), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "digest" in told
    assert "nothing was written" in told
    assert not calls
    assert not list(empty.iterdir())


def test_a_dry_run_with_data_is_the_studys_to_tell(calls: dict[str, Any], capsys: Captured) -> None:
    """`reports` says what it would do; no page is announced."""
    assert command_line.answer(["run", "--plan", "dorset_public", "--data", "a", "--dry-run"]) == 0
    assert calls["dry_run"] is True
    assert capsys.readouterr().out == "cannot tell\n"


def test_simulate(calls: dict[str, Any], simulated_plan: Path, capsys: Captured) -> None:
    """It says where the files are; a plan for real figures is refused."""
    assert command_line.answer(["simulate", "--plan", str(simulated_plan)]) == 0
    assert "made_up" in capsys.readouterr().out
    assert command_line.answer(["simulate", "--plan", "dorset_public"]) == errors.PlanError.exit_code


def test_plan_check(tmp_path: Path, capsys: Captured) -> None:
    """A sound plan is summed up with its digest; an unknown key is named."""
    assert command_line.answer(["plan", "check", str(REAL_PLAN)]) == 0
    told = capsys.readouterr().out
    assert "Dorset (838) from 2024-09-01" in told
    assert "overall_absence_rate: primary" in told
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("sede = 1\n" + REAL_PLAN.read_text(encoding="utf-8"), encoding="utf-8")
    assert command_line.answer(["plan", "check", str(wrong)]) == errors.PlanError.exit_code
    assert "sede" in capsys.readouterr().err


def test_validate_accounts_for_every_row(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """Rows read and used, exclusions with reasons and notes are printed; the last post year is read."""
    file = SimpleNamespace(file="a.csv", layout="absence_by_council", first_period="2016/17")
    file.last_period, file.rows_read, file.rows_used, file.excluded = (
        "2024/25",
        1200,
        1000,
        {"not in force": 200},
    )
    extract = SimpleNamespace(
        report_year="2026/27", data_as_at=None, asked=None, files=(file,), notes=("b.csv: not known",)
    )
    extract.figures, extract.digest = SimpleNamespace(num_rows=3000), "0123456789abcdef"
    asked: dict[str, Any] = {}

    def load_extract(data: Any, plan: Any, *, through: str) -> SimpleNamespace:
        asked.update(data=data, through=through)
        return extract

    monkeypatch.setattr("belonging_research.sources.load_extract", load_extract)
    assert command_line.answer(["validate", "a", "b", "--plan", "dorset_public"]) == 0
    assert asked == {"data": (Path("a"), Path("b")), "through": "2026/27"}
    told = capsys.readouterr().out
    for words in (
        "1,000 of 1,200 rows used",
        "200 left out: not in force",
        "note: b.csv: not known",
        "0123456789ab",
    ):
        assert words in told


def test_doctor(tmp_path: Path, capsys: Captured) -> None:
    """The report ends with a count, and the exit code says whether anything stops the project."""
    code = command_line.answer(["doctor", "--out", str(tmp_path)])
    last = capsys.readouterr().out.splitlines()[-1]
    assert code == int(not last.endswith("0 that stop the project"))


def test_a_narrow_console_gets_question_marks() -> None:
    """A Windows console's letters do not reach a sign of the message: it is replaced, not a crash."""
    done = subprocess.run(
        [sys.executable, "-m", "belonging_research", "plan", "check", "\u2265.toml"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == errors.PlanError.exit_code
    assert b"error: ?.toml" in done.stderr


def test_numerical_libraries_keep_to_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads change the last digits of a sum, so a run uses one a process; the user's own setting stands."""
    for name in command_line.ONE_THREAD:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    command_line.one_thread()
    assert (os.environ["OMP_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"]) == ("4", "1")
