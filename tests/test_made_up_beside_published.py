"""Is the made-up county like a real one: the published side as in the real files, the other recounted, and the picture.

Nothing here judges how near the two are: `test_county_simulated` does.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import REPOSITORY
from test_arrival import BORN, SEPTEMBER, a_study, marks_of, weekdays

from belonging_research.disclosure import Door, clear, open_door
from belonging_research.errors import DisclosureError
from belonging_research.outcomes.arrival import absence_bands
from belonging_research.panel.schools import SchoolStudy, study_schools
from belonging_research.panel.schools.arrival import made_up_beside_published
from belonging_research.panel.schools.arrival.made_up import NOT_MADE_UP, NOT_THE_YEAR
from belonging_research.panel.schools.arrival.rules import absence_of_year
from belonging_research.plan import Plan, read_plan
from belonging_research.present import plot
from belonging_research.simulate.county import COUNTY_WORLDS, write_checked_county
from belonging_research.sources.council import read_council_extract
from belonging_research.tables import published_marginals as published

DORSET, OLD_DORSET = "E06000059", "835"
WORLD = replace(
    COUNTY_WORLDS["known_effect"], n_pupils=2_500, n_schools=40, n_pyramids=8, first_period=2022, n_periods=1
)


@functools.cache
def a_plan() -> Plan:
    """The shipped plan of a made-up county with schools."""
    return read_plan(REPOSITORY / "notebooks" / "plans" / "simulated_county.toml")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SchoolStudy:
    """One made-up year, 2022/23, as the pipeline reads it."""
    folder = tmp_path_factory.mktemp("made_up") / "county"
    write_checked_county(WORLD, folder)
    found = study_schools(read_council_extract(folder), a_plan(), report_year="2022/23")
    assert found is not None
    return found


def lines(study: SchoolStudy | None) -> dict[tuple[str, str], dict[str, Any]]:
    """Rows by part and line, each once."""
    rows = made_up_beside_published(study).table.to_pylist()
    found = {(row["part"], row["line"]): row for row in rows}
    assert len(found) == len(rows)
    return found


# The published side.


@functools.cache
def of_dorset(real: Path) -> tuple[dict[str, Any], ...]:
    """Dorset's rows of the interactive tool."""
    file = real / "lait" / "bds_long_0.parquet"
    return tuple(pq.read_table(file, filters=[("LA Number", "==", 838.0)]).to_pylist())


def rates(real: Path, measure: str) -> dict[str, float]:
    """Dorset's values of a measure of the interactive tool, by the year as the file writes it."""
    rows = [row for row in of_dorset(real) if row["Short Desc"] == measure and row["Values"] != "-"]
    return {row["Years"]: float(row["Values"]) for row in rows}


def ending(period: str) -> str:
    """``"2022/23"`` as absence is labelled: ``"2023"``."""
    return f"20{period[-2:]}"


def test_absence_is_as_in_the_real_files(real: Path) -> None:
    """Overall absence by year and phase to two decimals; of the year that is not out, by the daily registers."""
    yearly = rates(real, "TotAbs")
    for period, value in published.OVERALL_ABSENCE.items():
        if period != "2025/26":
            assert round(yearly[ending(period)], 2) == value
    measures = {"primary": "PriTotAbs", "secondary": "SecTotAbs", "special": "total_absence_special"}
    for phase, value in published.OVERALL_ABSENCE_BY_PHASE.items():
        assert round(rates(real, measures[phase])[ending(published.YEAR)], 2) == value
    daily = pd.read_csv(real / "attendance" / "ees_attendance_ytd_202526.csv", dtype=str)
    own = daily[daily["new_la_code"].fillna("").str.strip() == DORSET]
    missed, possible = (
        pd.to_numeric(own[column]).sum() for column in ("overall_absence", "possible_sessions")
    )  # fmt: skip
    assert round(100 * missed / possible, 2) == published.OVERALL_ABSENCE["2025/26"]


def test_bands_and_groups_are_as_in_the_real_file(real: Path) -> None:
    """Every count of enrolments of 2022/23, to one."""
    file = real / "absence" / "absence_bands_distributions_south_west.csv.gz"
    whole = pd.read_csv(file, dtype={"new_la_code": str, "time_period": str})
    own = whole[(whole["new_la_code"].str.strip() == DORSET) & (whole["time_period"] == "202223")]
    bands = [name for name in own.columns if name.startswith("pct")]
    assert len(bands) == 11
    for school_type, rows in own.groupby("school_type"):
        counts = rows[bands].sum().tolist()
        phase = str(school_type).lower().removeprefix("state-funded ")
        assert (*counts[:6], sum(counts[6:10]), counts[10]) == dict(published.ENROLMENTS_BY_BAND)[phase]  # type: ignore[index]
    own = own.assign(
        fsm_eligible=own["fsm_eligible"].map({"Eligible": True, "Not Eligible": False}),
        sen_status=own["sen_status"].map(
            {"Any special educational need": True, "No identified special educational need": False}
        ),
    )
    for column, constants in (
        ("fsm_eligible", published.PERSISTENT_BY_FSM),
        ("sen_status", published.PERSISTENT_BY_SEN),
        ("NCyearActual", published.PERSISTENT_BY_YEAR_GROUP),
    ):
        groups = {
            None if pd.isna(key) else key: (int(rows[bands[2:]].sum().sum()), int(rows[bands].sum().sum()))
            for key, rows in own.groupby(column, dropna=False)
        }
        assert groups == dict(constants)  # type: ignore[call-overload]


def test_suspensions_and_schools_are_as_in_the_real_files(real: Path) -> None:
    """Rates to the decimals given; schools by phase; the tenth of the schools of 2016/17 with most suspensions."""
    for measure, constants, decimals in (
        ("TotFixedEx", published.SUSPENSIONS, 2),
        ("Total_ Pup_FixedEx", published.PUPILS_SUSPENDED, 2),
        ("TotPermEx", published.PERMANENT_EXCLUSIONS, 3),
    ):
        found = rates(real, measure)
        assert {period: round(found[period], decimals) for period in constants} == dict(constants)
    measures = {"primary": "PriFixedEx", "secondary": "SecFixedEx", "special": "SpecFixedEx"}
    for phase, value in published.SUSPENSIONS_BY_PHASE.items():
        assert round(rates(real, measures[phase])[published.YEAR], 2) == value
    year = pd.read_csv(real / "attendance" / "ees_attendance_ytd_202223.csv", dtype=str)
    own = year[year["new_la_code"].fillna("").str.strip() == DORSET]
    schools = dict(zip(own["school_type"].str.lower(), own["total_num_schools"].astype(int), strict=True))
    assert schools == dict(published.SCHOOLS)  # type: ignore[comparison-overlap]


def test_concentration_is_as_in_the_real_file(real: Path) -> None:
    """Suspensions at the 17 of 171 schools with most, over all by the council's own row (small schools are hidden)."""
    columns = ["time_period", "geographic_level", "old_la_code", "school_type", "fixed_excl"]
    file = real / "exclusions" / "exclusions_by_geographic_level.csv.gz"
    whole = pd.read_csv(file, dtype=str, usecols=columns)
    own = whole[(whole["time_period"] == "201617") & (whole["old_la_code"] == OLD_DORSET)]
    schools = own[own["geographic_level"] == "School"]
    total = own[(own["geographic_level"] == "Local authority") & (own["school_type"] == "Total")]["fixed_excl"]
    most = pd.to_numeric(schools["fixed_excl"], errors="coerce").nlargest(round(len(schools) / 10))
    assert (int(most.sum()), int(total.iloc[0])) == published.FROM_A_TENTH_OF_SCHOOLS


# The measured side.


def test_a_band_is_told_on_whole_numbers() -> None:
    """1 of 20 half-days is exactly 5%, 2 exactly 10%: each is in the band that begins there; 20 of 20 in the last."""
    days = [*weekdays(SEPTEMBER), *weekdays(SEPTEMBER + pd.Timedelta(days=7))]
    missed = {"a": 0, "b": 1, "c": 2, "d": 3, "e": 10, "f": 20}
    marks = [
        (*row[:4], "I" if n < missed[pupil] else "/")
        for pupil in missed
        for n, row in enumerate(marks_of(pupil, 1, days))
    ]
    pupils = [(pupil, BORN, None, None, None, None, None) for pupil in missed]
    study = a_study({"marks": marks, "pupils": pupils})
    bands = study.engine.to_pyarrow(absence_bands(absence_of_year(study, "2024/25"), (0, 5, 10, 50))).to_pylist()
    assert {row["band"]: row["enrolments"] for row in bands} == {0: 1, 1: 1, 2: 2, 3: 2}


def test_every_figure_is_a_recount_of_the_tables(study: SchoolStudy) -> None:
    """By pandas from the enrolments of the year and the list of suspensions: counts to one, and no line left over."""
    found = lines(study)
    rows = study.engine.to_pandas(absence_of_year(study, "2022/23"))
    rows = rows[rows["left_out"].isna()].merge(study.engine.to_pandas(study.tables["pupils"]), on="pupil")
    rows = rows.merge(study.engine.to_pandas(study.tables["schools"]), on="urn")
    share = rows["absent"] / rows["possible"]
    for phase in ("Primary", "Secondary"):
        own = rows["phase"] == phase.lower()
        part = f"{phase} schools: share missed, of 100 enrolments"
        line = found["Half-days missed, of 100", f"{phase} schools"]
        assert (line["counted"], line["counted_of"]) == tuple(rows.loc[own, ["absent", "possible"]].sum())
        for words, low, high in (("under 5%", 0, 0.05), ("10 to 20%", 0.1, 0.2), ("50% or more", 0.5, 2)):
            counted = int((own & (share >= low) & (share < high)).sum())
            assert (found[part, words]["counted"], found[part, words]["counted_of"]) == (counted, own.sum())
    group, years = "A tenth or more missed, of 100 enrolments", "A tenth or more missed, of 100 of a year group"
    for key, own in (
        ((group, "Free school meals"), rows["ever_fsm_6"] == True),  # noqa: E712
        ((group, "Meals not recorded"), rows["ever_fsm_6"].isna()),
        ((group, "SEN support or a plan"), rows["sen_provision"].isin(["K", "E"])),
        ((years, "Year 11"), rows["age"] == 15),
    ):
        flags = rows.loc[own, "persistently_absent"].astype(bool)
        assert (found[key]["counted"], found[key]["counted_of"]) == (flags.sum(), len(flags))
    events = study.engine.to_pandas(study.tables["exclusions"])
    stood = events[(events["category"] == "suspension") & ~events["status"].isin(["cancelled", "reinstated"])]
    assert found["Suspensions, for 100 pupils on roll", "All schools"]["counted"] == len(stood)
    assert all(row["made_up"] == row["counted"] / row["counted_of"] for row in found.values())
    parts: Sequence[str] = list(dict.fromkeys(part for part, _ in found))
    assert len(parts) == 9 and len(found) >= 38


def test_it_is_asked_of_made_up_records_alone(study: SchoolStudy) -> None:
    """A council's own extract, and a plan for real figures: one row that says so, without a number."""
    theirs = replace(study, extract=replace(study.extract, producer="Larkvale"), made={})
    real_plan = replace(study, plan=study.plan.model_copy(update={"simulated": False}), made={})
    for each, words in (
        (theirs, NOT_MADE_UP),
        (real_plan, NOT_MADE_UP),
        (replace(study, periods=("2023/24",), made={}), NOT_THE_YEAR),
    ):
        (row,) = made_up_beside_published(each).table.to_pylist()
        first, *rest = row.values()
        assert first == words and {*rest} == {None}
    assert study.extract.producer == published.MADE_UP_BY


# The picture.


def cleared(study: SchoolStudy | None, door: Door) -> Any:
    """The table through the door."""
    made = made_up_beside_published(study)
    return clear(made.table, door, counts=made.counts, name="made_up_beside_published")


def test_the_picture_shows_both_and_says_where_they_differ_most(study: SchoolStudy) -> None:
    """Marked as made up inside; its title and words name the largest difference; every line is in its table."""
    table = cleared(study, open_door(a_plan()))
    picture = plot(table, "beside")
    rows = [row for row in table.value.to_pylist() if row["made_up"] is not None]
    most = max(rows, key=lambda row: abs(row["made_up_less_published"]))
    both = f"{100 * most['made_up']:.1f} against {100 * most['published']:.1f}"
    assert picture.title.endswith(both) and most["line"][1:] in picture.title
    assert f"{most['line']}, {both.replace('against', 'and')}" in picture.alt
    text = " ".join(re.findall(r">([^<>]+)</text>", picture.svg))
    assert "SIMULATED" in text and "published, of Dorset" in text
    assert picture.table.table.num_rows == table.value.num_rows
    hidden = [row for row in table.value.to_pylist() if row["made_up"] is None]
    assert hidden and picture.table.html.count("<td>hidden</td>") == 2 * len(hidden)


def test_the_picture_of_real_records_is_one_sentence(study: SchoolStudy) -> None:
    """Nothing to draw, and it says why; a table of something else is refused."""
    theirs = replace(study, extract=replace(study.extract, producer="Larkvale"), made={})
    door = open_door(a_plan())
    picture = plot(cleared(theirs, door), "beside")
    assert picture.alt == f"Is the made-up county like a real one: no figures to show. {NOT_MADE_UP}."
    with pytest.raises(DisclosureError, match="made_up_beside_published"):
        plot(clear(pq.read_table(study.extract.tables["schools"][0]).select(["phase"]), door), "beside")
