"""Figures that cannot answer for a primary outcome are refused before anything is estimated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pytest
import small_study

from belonging_research.errors import PanelError
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
