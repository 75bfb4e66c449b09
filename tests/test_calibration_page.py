"""The page of a calibration: each window beside its alpha, no claim that nothing was done, no minus sign."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
import small_study
from printed import visible_text

from belonging_research.calibrate import Row
from belonging_research.disclosure import open_door
from belonging_research.plan import read_plan
from belonging_research.reports import calibration
from belonging_research.reports.calibration_words import intro, sentences, table_of_rows
from belonging_research.shipped import PACKAGE

PLAN = read_plan(small_study.PLAN_FILE)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """The rows of a record that ships; another measurement may replace their numbers, not their form."""
    path = sorted((PACKAGE / "calibrations").glob("*.json"))[0]
    return [Row(**row) for row in json.loads(path.read_text("utf-8"))["rows"]]


def _window(rows: list[Row], **numbers: float) -> str:
    real = next(row for row in rows if row.part == "b" and row.group == "all" and row.outcome == "overall_absence_rate")
    (said,) = sentences(PLAN, [dataclasses.replace(real, **numbers)])  # type: ignore[arg-type]
    return said


def test_a_window_names_its_alpha_and_says_where_it_goes_beyond(rows: list[Row]) -> None:
    """5 in 100 is kept to, or not, in words; beyond two errors of counting chance does not explain it."""
    same = {"n_worlds": 147, "false_verdicts_mcse": 0.018, "size_01": 0.02, "size_03": 0.06, "size_05": 0.04}
    kept = _window(rows, **same, said_better=0.02, said_worse=0.03, cannot_tell=0.95)
    assert "judged at 5 in 100 (alpha 0.05)" in kept
    assert (
        "better for 2.0 in 100, worse for 3.0 and can’t tell for 95.0. That keeps to the 5 in 100 that are allowed."
        in kept
    )
    assert "2.0 in 100 were noticed at alpha 0.01, 6.0 at 0.03 and 4.0 at 0.05." in kept
    over = _window(rows, **same, said_better=0.03, said_worse=0.04)
    assert "7.0 together, more than the 5 in 100 that are allowed, which chance may explain (give or take 1.8)" in over
    far = _window(rows, **{**same, "size_05": 0.11}, said_better=0.09, said_worse=0.0)
    assert far.count("more than chance explains") == 2


def test_the_introduction_is_of_the_parts_that_were_tried(rows: list[Row]) -> None:
    """No real council is spoken of where none was tried, nor a made-up country."""
    made, real = ([row for row in rows if row.part == part] for part in "ab")
    assert "made-up" in intro(made) and "real" not in intro(made)
    assert "real" in intro(real) and "made-up" not in intro(real) and "planted" not in intro(real)
    assert "alpha" in sentences(PLAN, made)[0].lower()


def test_how_far_off_it_is_has_a_direction_and_a_unit(rows: list[Row]) -> None:
    """Points, or per cent where effects are ratios; never a minus sign."""
    by_name = {row.outcome: row for row in rows if row.part == "b" and row.group == "all"}
    some = [
        dataclasses.replace(by_name["overall_absence_rate"], bias=-0.0012),
        dataclasses.replace(by_name["suspension_rate"], bias=-0.02),
    ]
    assert table_of_rows(some, PLAN).column("bias").to_pylist() == ["0.12 points lower", "2% lower"]


def test_the_page_as_a_reader_sees_it(rows: list[Row], tmp_path: Path) -> None:
    """No minus sign, its own files in its foot, and of real councils never that nothing was done there."""
    door = open_door(PLAN, through=tmp_path / "ledger.jsonl")
    page = calibration._page(PLAN, door, rows, None, None, None, "0123456789ab")
    text = visible_text(page)
    assert "−" not in text
    assert not re.search(r"(?<![\w–])-\d", text)
    assert "results.json" not in page
    assert 'in <a href="calibration.json">calibration.json</a>' in page
    assert "where no change is assumed" in text
    for part in re.split(r"<(?:h2|li|caption)\b", page):
        assert not ("real council" in part.lower() and "nothing was done" in part), part
