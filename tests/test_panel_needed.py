"""Figures that cannot answer for a primary outcome are refused before anything is estimated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pytest
import small_study

from belonging_research.errors import PanelError
from belonging_research.outcomes import years_not_over
from belonging_research.panel import refuse_missing_series
from belonging_research.plan import load_plan
from belonging_research.sources import Extract

PLAN = load_plan("dorset_public")
BASE = ("2022/23", "2023/24")
ABSENCE, SUSPENSIONS = "overall_absence_rate", "pupils_with_one_or_more_suspensions_rate"
DAILY = (*BASE, "2024/25")


def extract(report_year: str, years: Mapping[tuple[str, str], Sequence[str]]) -> Extract:
    """Figures of Dorset in these years, by outcome and source."""
    small = small_study.extract("2024/25")
    row = small.figures.slice(0, 1).to_pylist()[0]
    kinds = {"census": "academic_year", "daily": "year_to_date"}
    rows = [
        row | {"outcome": outcome, "source": source, "period_kind": kinds[source], "period": period}
        for (outcome, source), periods in years.items()
        for period in periods
    ]
    return replace(small, figures=pa.Table.from_pylist(rows, schema=small.figures.schema), report_year=report_year)


@pytest.mark.parametrize(
    ("report_year", "years"),
    [
        ("2024/25", {(ABSENCE, "daily"): DAILY}),
        ("2024/25", {(ABSENCE, "census"): DAILY}),
        ("2024/25", {(ABSENCE, "census"): BASE, (ABSENCE, "daily"): DAILY}),
        ("2026/27", {(ABSENCE, "daily"): (*DAILY, "2025/26", "2026/27"), (SUSPENSIONS, "census"): BASE}),
    ],
    ids=["registers alone", "annual alone", "annual not out", "suspensions not out"],
)
def test_what_suffices(report_year: str, years: Mapping[tuple[str, str], Sequence[str]]) -> None:
    """One series that has base and post years; annual figures may not be out, and are then not assessed."""
    refuse_missing_series(extract(report_year, years), PLAN)


@pytest.mark.parametrize(
    ("report_year", "years", "says"),
    [
        (
            "2024/25",
            {(SUSPENSIONS, "census"): BASE},
            (f"{ABSENCE} is tested in 2024/25", "lacks 2022/23, 2023/24, 2024"),
        ),
        ("2024/25", {(ABSENCE, "daily"): DAILY[1:]}, ("year to date: has 2023/24, 2024/25; lacks 2022/23",)),
        ("2024/25", {(ABSENCE, "daily"): BASE}, ("year to date: has 2022/23, 2023/24; lacks 2024/25",)),
        ("2024/25", {(ABSENCE, "census"): BASE, (ABSENCE, "daily"): DAILY[2:]}, ("lacks 2022/23, 2023/24",)),
        (
            "2026/27",
            {(ABSENCE, "daily"): (*DAILY, "2025/26", "2026/27")},
            (
                f"{SUSPENSIONS} is tested in 2026/27",
                "Suspensions and permanent exclusions in England",
                "do not have it",
            ),
        ),
    ],
    ids=["no absence", "no first base year", "no post year", "years in different series", "no suspensions"],
)
def test_what_is_missing_is_named(
    report_year: str, years: Mapping[tuple[str, str], Sequence[str]], says: Sequence[str]
) -> None:
    """Outcome, council, publication and years, with the exit code of figures that lack what the plan needs."""
    with pytest.raises(PanelError) as caught:
        refuse_missing_series(extract(report_year, years), PLAN)
    message = str(caught.value)
    assert [part for part in (*says, "Dorset (838)", "Add the file with these years") if part not in message] == []
    assert caught.value.exit_code == 5


def sessions(a_pupil: float, year: str = "2024/25") -> list[dict[str, object]]:
    """The half-days and pupils of two councils' snapshots in a year, the last with ``a_pupil`` half-days a pupil."""
    row = small_study.extract("2024/25").figures.slice(0, 1).to_pylist()[0]
    row |= {"source": "daily", "period_kind": "year_to_date", "period": year, "level": "council", "rate": None}
    return [
        row | {"outcome": outcome, "numerator": number, "as_at": day, "unit": unit, "layout": "attendance_snapshots"}
        for day, counted in ((dt.date(2024, 10, 3), 20.0), (dt.date(2025, 7, 24), a_pupil))
        for unit, pupils in (("838", 1000.0), ("839", 3000.0))
        for outcome, number in (("enrolments", pupils), ("possible_sessions", pupils * counted))
    ]


@pytest.mark.parametrize(("a_pupil", "whole"), [(342.0, True), (341.9, False), (120.0, False)])
def test_a_part_of_a_year_is_not_a_year(a_pupil: float, whole: bool) -> None:
    """Under nine in ten of 380 half-days a pupil, the daily series has no figure of that year; the message says why."""
    known = extract("2024/25", {(ABSENCE, "daily"): DAILY})
    rows = [each | {"layout": "attendance_snapshots"} for each in known.figures.to_pylist()]
    figures = pa.Table.from_pylist([*rows, *sessions(a_pupil)], schema=known.figures.schema)

    assert bool(years_not_over(figures)) is not whole
    if whole:
        refuse_missing_series(replace(known, figures=figures), PLAN)
        return
    with pytest.raises(PanelError, match=r"2024/25 are of part of the year: \d+ of about 380 half-days a pupil"):
        refuse_missing_series(replace(known, figures=figures), PLAN)
