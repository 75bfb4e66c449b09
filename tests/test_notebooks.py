"""Notebooks: their parameters are checked before a kernel starts, and what is not cleared stays inside."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import nbformat
import pytest
import small_study
from small_study import BARE, PARAMETERS, notebook

import belonging_research
from belonging_research.errors import CommandError, ReportError
from belonging_research.reports.parameters import find_notebooks, given, inspect
from belonging_research.reports.runner import Job, run_notebooks, settled

SHIPPED = sorted((small_study.HERE.parent / "notebooks").glob("*.ipynb"))


def _second_cell() -> Any:
    return nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}, id="second")


# Notebooks named for their fault, and what the error must say.
FAULTS: dict[str, tuple[Any, str]] = {
    "no_parameters": (notebook("# None", "1 + 1", parameters=None), "0 cells are tagged 'parameters'"),
    "two_parameter_cells": (
        nbformat.from_dict({**notebook("# Two"), "cells": [*notebook("# Two").cells, _second_cell()]}),
        "2 cells are tagged",
    ),
    "misspelt": (
        notebook("# M", parameters=PARAMETERS.replace("report_year", "reprot_year")),
        "unknown parameter reprot_year. Did you mean report_year?",
    ),
    "missing": (
        notebook("# M", parameters=PARAMETERS.replace("ledger: str", "ledgers: str")),
        "lacks ledger",
    ),
    "without_as_at": (
        notebook("# M", parameters=PARAMETERS.replace("data_as_at", "audience")),
        "lacks data_as_at",
    ),
    "wrong_type": (
        notebook("# W", parameters=PARAMETERS.replace('year: str = "2024/25"', "year: int = 2024")),
        "report_year is a int; the run gives a str",
    ),
    "annotation_and_value_differ": (
        notebook("# A", parameters=PARAMETERS.replace("draft: bool = True", 'draft: bool = "yes"')),
        "draft is declared bool, but its value is a str",
    ),
    "derived_value": (
        notebook("# D", parameters=PARAMETERS.replace('= "data"', '= plan + "/data"')),
        "data is derived, not a literal",
    ),
    "two_on_a_line": (notebook("# T", parameters=PARAMETERS + "a = 1; b = 2\n"), "line 7: expected"),
    "no_annotation": (notebook("# N", parameters=PARAMETERS + "extra = 1\n"), "`name: type = literal`"),
    "broken": (notebook("# B", parameters=PARAMETERS + "draft: bool = (\n"), "not valid Python"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_parameters_stops_before_any_kernel(fault: str, tmp_path: Path) -> None:
    """Each fault is one error that names the notebook and the parameter."""
    content, said = FAULTS[fault]
    folder = small_study.write_notebooks(tmp_path, {fault: content})
    with pytest.raises(ReportError) as caught:
        inspect(folder / f"{fault}.ipynb")
    assert said in str(caught.value)
    assert f"{fault}.ipynb" in str(caught.value)


def test_a_file_that_is_no_notebook_is_named(tmp_path: Path) -> None:
    """A damaged notebook is an error of this house, not of a library."""
    (tmp_path / "04_torn.ipynb").write_text("{", "utf-8")
    with pytest.raises(ReportError, match=r"04_torn\.ipynb: not a readable notebook"):
        find_notebooks(tmp_path)


def test_only_picks_one_notebook_or_suggests_the_right_one(tmp_path: Path) -> None:
    """`--only` takes a name or its beginning; a misspelt one is answered with the nearest."""
    folder = small_study.write_notebooks(tmp_path, small_study.GOOD)
    assert [each.name for each in find_notebooks(folder)] == sorted(small_study.GOOD)
    assert find_notebooks(folder, "04")[0].name == "04_attendance_impact"
    with pytest.raises(CommandError, match="Did you mean 04_attendance_impact"):
        find_notebooks(folder, "04_atendance_impact")
    with pytest.raises(CommandError, match="3 notebooks of that name"):
        find_notebooks(folder, "0")


def test_a_notebook_gets_what_it_declares_and_no_more(tmp_path: Path) -> None:
    """The run's values are chosen by name and refused where their type differs."""
    folder = small_study.write_notebooks(tmp_path, {"01_levels": small_study.GOOD["01_levels"]})
    found = inspect(folder / "01_levels.ipynb")
    values: dict[str, Any] = {
        "plan": "p", "data": "d", "report_year": "2025/26", "data_as_at": "", "ledger": "l", "draft": True,
        "audience": "council",
    }  # fmt: skip
    assert "audience" not in given(found, values)
    with pytest.raises(ReportError, match="draft must be a bool"):
        given(found, {**values, "draft": "True"})


def _job(tmp_path: Path, name: str, content: Any, *, quote_errors: bool) -> Job:
    folder = small_study.write_notebooks(tmp_path / "notebooks", {name: content})
    out = tmp_path / "restricted"
    out.mkdir(exist_ok=True)
    ledger = out / f"{name}.ledger.jsonl"
    return Job(
        name=name,
        source=folder / f"{name}.ipynb",
        executed=out / f"{name}.ipynb",
        ledger=ledger,
        parameters={"plan": str(small_study.PLAN_FILE), "ledger": str(ledger), "report_year": "2024/25"},
        quote_errors=quote_errors,
    )


def test_a_failing_cell_is_named_and_its_data_are_not_quoted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Notebook, cell, line and error are said; a text that may hold a pupil's value is not."""
    raising = notebook("# R", BARE, "fine = 1\n\nraise ValueError('pupil A123456789012')")
    done: list[str] = []
    with pytest.raises(ReportError) as hidden:
        run_notebooks([[_job(tmp_path, "raising", raising, quote_errors=False)]], 1, done.append)
    assert "notebook raising, cell 4, line 3: ValueError" in str(hidden.value)
    assert "(its text may quote data" in str(hidden.value)
    assert done == []
    with pytest.raises(ReportError, match="ValueError: pupil A123456789012"):
        run_notebooks([[_job(tmp_path, "raising", raising, quote_errors=True)]], 1, done.append)
    assert "TCP" not in capfd.readouterr().err


def test_a_notebook_that_opens_no_door_is_refused(tmp_path: Path) -> None:
    """Without a ledger nothing of a notebook can be released, and it says how to write one."""
    job = _job(tmp_path, "no_ledger", notebook("# N", "1 + 1"), quote_errors=True)
    with pytest.raises(ReportError, match="it wrote no ledger"):
        run_notebooks([[job]], 1, lambda name: None)


def test_an_executed_notebook_keeps_no_clock_and_no_chance() -> None:
    """Times, random ids, versions and plain text beside a rich form are dropped; the original stays."""
    made = notebook("# T", "1")
    made.metadata["papermill"] = {"start_time": "now"}
    made.metadata["language_info"] = {"name": "python", "version": "3.11.7"}
    made.cells[1].metadata["execution"] = {"iopub.status.busy": "now"}
    data = {"text/html": "<p>1</p>", "text/plain": "<object at 0x7f>"}
    made.cells[1]["outputs"] = [nbformat.v4.new_output("display_data", data=data)]
    clean = settled(made)
    text = nbformat.writes(clean)
    assert "now" not in text
    assert "3.11.7" not in text
    assert "0x7f" not in text
    assert [cell.id for cell in clean.cells] == ["cell-1", "cell-2", "cell-3"]
    assert "papermill" in made.metadata


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_notebook_can_be_run(path: Path) -> None:
    """Its parameters are sound, it carries no outputs, and it computes nothing of its own."""
    inspect(path)
    content = nbformat.read(path, as_version=4)
    banned = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.Try, ast.Lambda)
    for cell in content.cells:
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None
            assert not [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, banned)]


def _parameters_of(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return str(next(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])))


def test_parameters_look_the_same_everywhere() -> None:
    """Every shipped notebook begins with the same parameters, said in the same words."""
    shared = _parameters_of(SHIPPED[0])
    for path in SHIPPED:
        assert _parameters_of(path).startswith(shared), path.stem


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_notebook_uses_verbs_alone(path: Path) -> None:
    """It imports from the package's front door only, each name once and used, and opens with its question."""
    content = nbformat.read(path, as_version=4)
    code = [cell.source for cell in content.cells if cell.cell_type == "code"]
    imports = [node for source in code for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    assert {node.module for node in imports} == {"belonging_research"}
    names = [alias.name for node in imports for alias in node.names]
    assert len(names) == len(set(names))
    assert set(names) <= set(belonging_research.__all__)
    used = {node.id for source in code for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    assert set(names) <= used
    assert content.cells[0].source.startswith("# ")


def test_verbs_are_found_where_they_live() -> None:
    """Each name of the front door can be imported."""
    for name in belonging_research.__all__:
        assert callable(getattr(belonging_research, name)), name


def test_what_each_notebook_shows() -> None:
    """Robustness shows the checks, what failed, every way of comparing; the design shows what could be noticed."""
    shown = {
        "03_study_design": ('"detectable"', "tested_only=True", "frontier("),
        "06_robustness": (
            '"checks"',
            "checks=True",
            "failed_checks(",
            '"specifications"',
            "left_out_ways(",
            "penalty_path(",
        ),
    }
    for name, wanted in shown.items():
        cells = nbformat.read(SHIPPED[0].parent / f"{name}.ipynb", as_version=4).cells
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        assert all(each in code for each in wanted), name
    attendance = (SHIPPED[0].parent / "04_attendance_impact.ipynb").read_text("utf-8")
    assert "penalty_path" not in attendance
