"""A study small enough for a test: invented figures, real plan, real door, notebooks made on the spot."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pyarrow as pa
import pytest
from nbformat import v4

from belonging_research.checks.result import CheckResult
from belonging_research.disclosure import Measures, clear, open_door
from belonging_research.estimators.result import Estimate, PathPoint
from belonging_research.findings import Candidate, Finding, judge_all
from belonging_research.plan import Plan, read_plan
from belonging_research.reports import RunResult, reading, run_study, study
from belonging_research.reports.runner import Job
from belonging_research.sources import Extract, SourceFile
from belonging_research.tables import FIGURES

HERE = Path(__file__).resolve().parent
PLAN_FILE = HERE.parent / "notebooks" / "plans" / "dorset_public.toml"
AS_AT = dt.date(2025, 7, 25)

PARAMETERS = """\
plan: str = "dorset_public"  # the plan's file
data: str = "data"  # folders of figures
report_year: str = "2024/25"  # last academic year that is read
data_as_at: str = ""  # nothing published later
ledger: str = ""  # where cleared figures are recorded
draft: bool = True  # taken away by publish only
"""
LOAD = """\
from pathlib import Path
import small_study
from belonging_research.disclosure import clear, open_door
from belonging_research.plan import read_plan
from belonging_research.present import describe, plot, tabulate
registered = read_plan(Path(plan))
door = open_door(registered, through=ledger, draft=draft)
findings = small_study.findings(registered)
levels = clear(small_study.levels(), door, name="levels")
"""


def findings(plan: Plan) -> tuple[Finding, ...]:
    """Two findings of a first report year: absence assessed, suspended pupils not yet out."""
    checks = tuple(
        CheckResult(name=name, status="pass", severity="serious", value=0.001, limit=0.0025, power=None,
                    sentence="The answer moves by 0.10 points, less than the limit of 0.25.")
        for name in plan.checks
    )  # fmt: skip
    absence = Candidate.of(_estimate(plan), checks, is_registered_row=True, uncovered=0.05, imbalance=0.1)
    suspended = Candidate(
        outcome="pupils_with_one_or_more_suspensions_rate", estimate=None, checks=(), phase="all",
        source="census", base=plan.base, post=("2024/25",), method=plan.method, is_registered_row=True,
    )  # fmt: skip
    return judge_all((absence, suspended), plan, report_year="2024/25")


def _estimate(plan: Plan) -> Estimate:
    rates = (0.0655, 0.0741, 0.0757, 0.0769, 0.0772)
    levels = dict(zip(("2020/21", "2021/22", "2022/23", "2023/24", "2024/25"), rates, strict=True))
    path = tuple(
        PathPoint(period=period, event_time=number - 4, actual=level, predicted=level - .0016 * (number == 4),
                  low=None if number < 4 else .0715, high=None if number < 4 else .0790)
        for number, (period, level) in enumerate(levels.items())
    )  # fmt: skip
    return Estimate(
        outcome="overall_absence_rate", unit="proportion", estimand="effect on the rate", method=plan.method,
        layer="county", phase="all", subgroup=None, source="census", base=plan.base, post=("2024/25",),
        plan_digest=plan.digest, panel_digest="0" * 64, value=.0016, actual=.0772, predicted=.0756,
        std_error=.0021, p_value=.31, inference="placebo", n_reference=147, n_treated=1, n_units=148,
        intervals={"0.95": (-.0025, .0057), "0.98": (-.0033, .0065), "0.99": (-.0038, .007)},
        n_clusters=None, n_pupils=None, detectable=.0085, detectable_05=.0045, detectable_realised_05=.0052,
        power_at_sesoi=.16, type_m=2.3, detectable_how="shifted placebos", weights={"855": .6, "850": .4},
        path=path, registered=True,
    )  # fmt: skip


def levels() -> pa.Table:
    """Levels of the place and of similar councils."""
    years = ("2022/23", "2023/24", "2024/25")
    rates = {"Dorset": (.0757, .0769, .0772), "Similar councils": (.0744, .0740, .0731)}  # fmt: skip
    rows = [
        (group, "overall_absence_rate", year, value)
        for group, values in rates.items()
        for year, value in zip(years, values, strict=True)
    ]
    names = ("group", "outcome", "period", "value")
    return pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)})


def extract(report_year: str = "2024/25", *, file_sha256: str = "f" * 64, reach: str = "2024/25") -> Extract:
    """An extract of invented figures that reach a year; ``file_sha256`` stands for later rows of the file."""
    base: dict[str, Any] = {
        "unit": "838", "level": "council", "name": "Dorset", "period_kind": "academic_year", "as_at": None,
        "source": "census", "phase": "all", "outcome": "overall_absence_rate", "rate": .077,
        "layout": "absence", "source_file": "absence.csv", "row": 2,
    }  # fmt: skip
    periods = [year for year in ("2022/23", "2023/24", "2024/25", "2025/26") if year <= min(report_year, reach)]
    rows = [{**dict.fromkeys(FIGURES.schema.names), **base, "period": year} for year in periods]
    file = SourceFile(
        file="absence.csv", layout="absence", title="Pupil absence", publication="Pupil absence in schools",
        producer="Department for Education", licence="Open Government Licence v3.0", sha256="a" * 64,
        file_sha256=file_sha256, rows_read=1200, rows_used=1180, excluded={"not a council": 20},
        first_period="2022/23", last_period="2024/25", as_at=AS_AT,
        dated_by="usually out by",
    )  # fmt: skip
    return Extract(
        figures=pa.Table.from_pylist(rows, schema=FIGURES.schema), neighbours=pa.table({}),
        councils=pa.table({}), files=(file,), notes=("absence.csv: 20 rows are not of councils.",),
        report_year=report_year, data_as_at=AS_AT, digest="d" * 64,
    )  # fmt: skip


def notebook(*cells: str, parameters: str | None = PARAMETERS) -> Any:
    """A notebook: cells that begin with ``#`` and a space are words, the others code."""
    made = [v4.new_markdown_cell(cell) if cell.startswith("# ") else v4.new_code_cell(cell) for cell in cells]
    if parameters is not None:
        made.insert(1, v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    for number, cell in enumerate(made):
        cell.id = f"made-{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return v4.new_notebook(cells=made, metadata={"kernelspec": kernel})


GOOD = {
    "01_levels": notebook(
        "# Where it stands\n\nAbsence here and elsewhere. <script>alert(1)</script> It *cannot* say why.",
        LOAD,
        'tabulate(levels, title="Absence by year", formats={"value": "percent"})',
        'plot(levels, "multiples", outcome="overall_absence_rate")',
        'print("a stray line: pupil 12345")',
    ),
    "04_attendance_impact": notebook(
        "# Did attendance change?\n\nSet beside what similar councils predict.",
        LOAD,
        "absence = clear(findings[0], door)\nplot(absence, 'twin')",
        "plot(absence, 'interval')",
        "describe(absence, 'council', levels=levels)",
    ),
    "09_annual_report": notebook(
        "# The year in one page",
        LOAD,
        "cleared = clear(findings, door)\ndescribe(cleared, audience, levels=levels)",
        "tabulate(cleared, levels=levels)",
        parameters=PARAMETERS + 'ledgers: str = ""  # the other notebooks\' ledgers\n'
        'audience: str = "council"  # who reads\n',
    ),
}
BARE = "from belonging_research.plan import read_plan\nfrom belonging_research.disclosure import open_door\n"
BARE += "from pathlib import Path\ndoor = open_door(read_plan(Path(plan)), through=ledger)\n"


def write_notebooks(folder: Path, notebooks: dict[str, Any]) -> Path:
    """Write notebooks to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in notebooks.items():
        nbformat.write(content, folder / f"{name}.ipynb")
    return folder


Runner = Callable[..., RunResult]


def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, notebooks: dict[str, Any]) -> Runner:
    """`run_study` over these notebooks and invented figures, its output in ``tmp_path/out``."""
    folder = write_notebooks(tmp_path / "notebooks", notebooks)
    monkeypatch.setattr(study, "notebooks_folder", lambda: folder)
    monkeypatch.setattr(reading, "load_extract", _load)
    monkeypatch.setenv("PYTHONPATH", str(HERE))

    def run(**options: Any) -> RunResult:
        path = options.pop("plan_path", PLAN_FILE)
        chosen = {"data": (tmp_path / "figures",), "out": tmp_path / "out", **options}
        return run_study(read_plan(path), plan_path=path, **chosen)

    return run


@functools.cache
def finished(base: Path) -> tuple[RunResult, Path]:
    """One complete run of the good notebooks, made once a test session; its result and its output folder."""
    with pytest.MonkeyPatch.context() as patch:
        base.mkdir()
        return runner(patch, base, GOOD)(jobs=2), base / "out"


def without_kernels(monkeypatch: pytest.MonkeyPatch, plan: Plan | None = None) -> None:
    """Runs that execute nothing: each notebook stands as it is, its ledger holding a table of one count."""

    def stand_in(waves: Sequence[Sequence[Job]], workers: int, finished: Callable[[str], None]) -> None:
        for job in (job for wave in waves for job in wave):
            job.executed.write_bytes(job.source.read_bytes())
            door = open_door(plan or read_plan(PLAN_FILE), through=job.ledger)
            clear(pa.table({"n": [90]}), door, counts=Measures(pupils=("n",)), name="count")
            finished(job.name)

    monkeypatch.setattr(study, "run_notebooks", stand_in)


def _load(folders: Sequence[Path], plan: Plan, *, through: str, data_as_at: dt.date | None) -> Extract:
    return dataclasses.replace(extract(through), data_as_at=data_as_at or AS_AT)


def simulated_plan(folder: Path) -> Path:
    """The shipped plan as that of a made-up country."""
    path = folder / "simulated.toml"
    path.write_text(PLAN_FILE.read_text("utf-8").replace("simulated = false", "simulated = true"), "utf-8")
    return path


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by name, with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
