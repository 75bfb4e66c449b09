"""What arrived: each table counted by hand, gaps and contradictions found where planted, nobody recognisable."""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis
import nbformat
import pyarrow as pa
import pytest
import small_country
from conftest import REPOSITORY
from hypothesis import given, settings
from hypothesis import strategies as st

import belonging_research
from belonging_research.disclosure import Door, audit, clear, open_door
from belonging_research.outcomes.registers import absence_rates, enrolment_absence, session_counts
from belonging_research.panel import Panel, build_panel
from belonging_research.panel.schools import Register, SchoolStudy, study_schools
from belonging_research.panel.schools.arrival import (
    Arrived,
    coverage_by_week,
    coverage_of_weeks,
    exits_by_destination,
    left_out_of_counts,
    made_up_beside_published,
    register_and_exclusions,
    totals_beside_published,
    watched_marks,
    what_arrived,
    without_counterpart,
)
from belonging_research.panel.schools.arrival.weeks import EVERY_SCHOOL, kinds_of
from belonging_research.plan import Plan, read_plan
from belonging_research.present import lint, plot, tabulate
from belonging_research.present.display import Picture
from belonging_research.simulate.county import COUNTY_WORLDS, write_simulated_county
from belonging_research.sources.council import CouncilExtract, ReceivedTable, read_council_extract
from belonging_research.tables.council import COUNCIL_TABLES

Rows = Sequence[tuple[Any, ...]]
PLANS = REPOSITORY / "notebooks" / "plans"
NOTEBOOK = REPOSITORY / "notebooks" / "02_data_quality.ipynb"
BORN = dt.date(2014, 5, 1)  # aged 10 on 31 August 2024, Year 5 in 2023/24
SEPTEMBER = dt.date(2024, 9, 2)
NOTHING = "This study has no records of single schools"
OF_A_STUDY: tuple[Callable[[SchoolStudy | None], Arrived], ...] = (
    what_arrived,
    coverage_of_weeks,
    coverage_by_week,
    register_and_exclusions,
    without_counterpart,
    left_out_of_counts,
    watched_marks,
    exits_by_destination,
    made_up_beside_published,
)


@functools.cache
def county_plan() -> Plan:
    """The shipped plan of a made-up county with schools."""
    return read_plan(PLANS / "simulated_county.toml")


@functools.cache
def published() -> Panel:
    """Published figures of a made-up country."""
    return build_panel(small_country.outcomes(), small_country.plan())


def a_study(
    rows: Mapping[str, Rows],
    *,
    periods: tuple[str, ...] = ("2024/25",),
    account: tuple[ReceivedTable, ...] = (),
    date: dt.date = dt.date(2025, 8, 31),
) -> SchoolStudy:
    """A study of these tables; where not given, two schools, every pupil of the marks aged 10 and on roll."""
    plan = county_plan()
    assert plan.schools is not None
    marks = rows.get("marks", ())
    there = sorted({row[:2] for row in marks})
    given = {
        "schools": [(urn, "primary", False, None) for urn in sorted({urn for _, urn in there})],
        "pupils": [(pupil, BORN, None, None, None, None, None) for pupil in sorted({pupil for pupil, _ in there})],
        "enrolments": [(pupil, urn, SEPTEMBER, None, None, "C") for pupil, urn in there],
        **rows,
    }
    engine = ibis.duckdb.connect()
    tables = {}
    for name, spec in COUNCIL_TABLES.items():
        columns = [list(column) for column in zip(*given.get(name, ()), strict=True)] or [[] for _ in spec.columns]
        content = pa.table(dict(zip(spec.schema.names, columns, strict=True)), schema=spec.schema)
        tables[name] = ibis.memtable(content)
    extract = CouncilExtract(
        folder=Path("larkvale"), producer="Larkvale", date=date, digest="0" * 64,
        tables={name: (Path(f"{name}.parquet"),) for name in given}, account=account, notes=(),
    )  # fmt: skip
    made = {name: tables[name] for name in ("pupils", "enrolments", "schools", "interventions")}
    register = Register(counts=session_counts(tables["marks"], periods), **made)
    return SchoolStudy(
        plan=plan.of_schools, layer=plan.schools, extract=extract, tables=tables, register=register, periods=periods,
        baseline=plan.schools.baseline, until=extract.date, engine=engine,
    )  # fmt: skip


def marks_of(pupil: str, urn: int, days: Sequence[dt.date], mark: str | None = "/") -> list[tuple[Any, ...]]:
    """Two marks a day."""
    return [(pupil, urn, day, session, mark) for day in days for session in ("am", "pm")]


def weekdays(monday: dt.date) -> list[dt.date]:
    """Monday to Friday."""
    return [monday + dt.timedelta(days=n) for n in range(5)]


def rows_of(made: Arrived) -> list[dict[str, Any]]:
    """The table's rows."""
    rows: list[dict[str, Any]] = made.table.to_pylist()
    return rows


def cleared(made: Arrived, door: Door | None = None) -> list[dict[str, Any]]:
    """The table's rows as the council policy lets them out."""
    rows: list[dict[str, Any]] = clear(made.table, door or a_door(), counts=made.counts).value.to_pylist()
    return rows


def a_door() -> Door:
    """A door that keeps its ledger in memory."""
    return open_door(county_plan())


# Every row that arrived.


def test_rows_read_are_those_kept_and_those_left_out() -> None:
    """Each reason in words with its rows; they add up; a table without a file is not there, and files are a number."""
    account = (
        ReceivedTable(table="marks", files=("St Aldhelm's.csv", "two.csv"), rows_read=1000, rows_kept=960,
                      excluded={"duplicate_mark": 25, "no_mark": 15}, listed={"x_at_school_age": 4}),
        ReceivedTable(table="exclusions", files=("list.csv",), rows_read=50, rows_kept=47,
                      excluded={"exclusion_of_unknown_pupil": 3}, listed={}),
    )  # fmt: skip
    made = what_arrived(a_study({"marks": marks_of("p", 1, [SEPTEMBER])}, account=account))

    rows = [(row["arrived"], row["files"], row["became"], row["rows"]) for row in rows_of(made)]
    assert rows[:3] == [("Schools", 1, "kept", 1), ("Pupils", 1, "kept", 1), ("Enrolments", 1, "kept", 1)]
    assert rows[3:] == [
        ("Marks, one a half-day", 2, "read", 1000),
        ("Marks, one a half-day", 2, "kept", 960),
        ("Marks, one a half-day", 2, "half-day given again with the same mark", 25),
        ("Marks, one a half-day", 2, "half-day without a mark (blank or -)", 15),
        ("Suspensions and permanent exclusions", 1, "read", 50),
        ("Suspensions and permanent exclusions", 1, "kept", 47),
        (
            "Suspensions and permanent exclusions",
            1,
            "suspension or permanent exclusion of a pupil who is in no other table",
            3,
        ),
    ]
    assert "Aldhelm" not in str(made.table.to_pylist())


def test_a_few_rows_left_out_cannot_be_had_back_from_the_others() -> None:
    """3 of 50 rows are hidden, and so are the 47 that would give them away; 25 and 15 are shown."""
    account = (
        ReceivedTable(table="marks", files=("m",), rows_read=1000, rows_kept=960,
                      excluded={"duplicate_mark": 25, "no_mark": 15}, listed={}),
        ReceivedTable(table="exclusions", files=("e",), rows_read=50, rows_kept=47,
                      excluded={"exclusion_of_unknown_pupil": 3}, listed={}),
    )  # fmt: skip
    shown = [row["rows"] for row in cleared(what_arrived(a_study({}, account=account)))]
    assert shown[-7:] == [1000, 960, 25, 15, 50, None, None]


# Coverage.

WEEK = weekdays(dt.date(2024, 9, 9))


def a_class(urn: int, n: int = 12) -> list[str]:
    """Names of a school's pupils."""
    return [f"p{urn}_{k}" for k in range(n)]


def test_coverage_is_counted_by_hand() -> None:
    """12 pupils each: all; one without marks; a day of training unwritten, another marked; two days lost.

    120 of 120, 110 of 120, 96 of 96, 96 of 96 and 72 of 120 half-days, so 494 of 552; the last alone is under 90%.
    """
    days = {3: [*WEEK[:2], *WEEK[3:]], 5: WEEK[:3]}
    marks = [
        row
        for urn in (1, 2, 3, 4, 5)
        for pupil in a_class(urn)[urn == 2 :]
        for row in marks_of(pupil, urn, days.get(urn, WEEK))
    ]
    marks = [(*row[:4], "#") if row[1] == 4 and row[2] == WEEK[0] else row for row in marks]
    rolls = [(pupil, urn, SEPTEMBER, None, None, "C") for urn in (1, 2, 3, 4, 5) for pupil in a_class(urn)]

    made = coverage_of_weeks(a_study({"marks": marks, "enrolments": rolls}))

    assert rows_of(made) == [
        {
            "half_term": "2024/25, half-term 1",
            "weeks": 1,
            "school_days": 5,
            "schools": 5,
            "share_with_marks": pytest.approx(494 / 552),
            "schools_under_90": 1,
        }
    ]
    (row,) = cleared(made)
    assert (row["schools"], row["share_with_marks"], row["schools_under_90"]) == (5, 0.895, None)


def test_days_off_the_roll_are_no_gap_and_marks_there_fill_none() -> None:
    """On roll to Tuesday: 4 half-days; enrolled twice at once: 10; marks after leaving make up for nobody's gap."""
    rolls = [
        ("leaver", 1, SEPTEMBER, WEEK[1], None, "C"),
        ("twice", 1, SEPTEMBER, None, None, "C"),
        ("twice", 1, WEEK[0], WEEK[3], None, "C"),
        ("gap", 1, SEPTEMBER, None, None, "C"),
    ]
    marks = [*marks_of("leaver", 1, WEEK), *marks_of("twice", 1, WEEK), *marks_of("gap", 1, WEEK[:2])]
    (row,) = rows_of(coverage_of_weeks(a_study({"marks": marks, "enrolments": rolls})))
    # Wednesday to Friday: 4 half-days expected a day, of which the 4 written by "leaver" and "twice" fill all.
    assert row["share_with_marks"] == 1.0
    inside = [row for row in marks if row[0] != "leaver" or row[2] <= WEEK[1]]
    (row,) = rows_of(coverage_of_weeks(a_study({"marks": inside, "enrolments": rolls})))
    assert row["share_with_marks"] == pytest.approx((12 + 6) / (12 + 12))


def test_blank_marks_are_none_and_a_school_that_sends_a_whole_week_late_has_a_gap() -> None:
    """A blank is no mark. A week without any mark of one school is a gap in all of it, not a holiday."""
    later = weekdays(dt.date(2024, 9, 16))
    marks = [row for urn in (1, 2, 3) for pupil in a_class(urn) for row in marks_of(pupil, urn, WEEK)]
    marks += [row for urn in (1, 2) for pupil in a_class(urn) for row in marks_of(pupil, urn, later)]
    marks += [row for pupil in a_class(3) for row in marks_of(pupil, 3, later, "-")]
    (row,) = rows_of(coverage_of_weeks(a_study({"marks": marks})))
    assert (row["weeks"], row["school_days"], row["schools_under_90"]) == (2, 10, 1)
    assert row["share_with_marks"] == pytest.approx(600 / 720)


# Week by week.


def three_kinds(n_special: int = 3) -> SchoolStudy:
    """Two weeks of primary, secondary and special schools, 12 pupils each.

    In the second week one of three secondary schools sent Monday and Tuesday alone: 2 x 120 + 48 of 360. A primary
    school lacks one pupil's marks on one morning: 359 of 360 half-days.
    """
    kinds = {1: "primary", 2: "primary", 3: "primary", 4: "secondary", 5: "secondary", 6: "secondary"}
    kinds |= {7 + n: "special" for n in range(n_special)}
    later = weekdays(dt.date(2024, 9, 16))
    marks = [
        row
        for urn in kinds
        for pupil in a_class(urn)
        for row in marks_of(pupil, urn, [*WEEK, *(later[:2] if urn == 4 else later)])
    ]
    marks.remove(("p1_0", 1, later[0], "am", "/"))
    return a_study({"marks": marks, "schools": [(urn, phase, False, None) for urn, phase in kinds.items()]})


def test_weeks_are_counted_by_hand() -> None:
    """Whole per cent, rounded down: 359 of 360 is not all; 288 of 360 is 80%. One row a kind of school and week."""
    made = coverage_by_week(three_kinds())
    found = {(row["kind"], row["week"]): (row["schools"], row["share_with_marks"]) for row in rows_of(made)}
    first, second = dt.date(2024, 9, 9), dt.date(2024, 9, 16)
    assert found == {
        ("Primary schools", first): (3, 1.0),
        ("Primary schools", second): (3, 0.99),
        ("Secondary schools", first): (3, 1.0),
        ("Secondary schools", second): (3, 0.8),
        ("Special schools", first): (3, 1.0),
        ("Special schools", second): (3, 1.0),
    }
    assert {row["schools"] for row in cleared(made)} == {5}


def test_a_kind_of_few_schools_is_taken_together_with_another() -> None:
    """Two special schools: beside both others, and the council's total, they could be worked out. So they join one."""
    made = coverage_by_week(three_kinds(n_special=2))
    assert {row["kind"] for row in rows_of(made)} == {"Primary and special schools", "Secondary schools"}
    assert {row["schools"] for row in rows_of(made)} == {3, 5}
    assert None not in {row["share_with_marks"] for row in cleared(made)}


@settings(max_examples=200)
@given(phases=st.dictionaries(st.integers(1, 60), st.sampled_from(["primary", "secondary", "special", "other"])))
def test_no_kind_has_fewer_than_three_schools_unless_there_are_no_more(phases: dict[int, str]) -> None:
    """Whatever a council's schools: each is of one kind, each kind has three schools or is all of them."""
    kinds = kinds_of(phases, 3)
    assert set(kinds) == set(phases)
    sizes = Counter(kinds.values())
    assert min(sizes.values(), default=3) >= 3 or list(sizes) == [EVERY_SCHOOL]
    together = {phase: {kinds[urn] for urn in phases if phases[urn] == phase} for phase in phases.values()}
    assert all(len(each) == 1 for each in together.values())


def test_the_picture_of_weeks_names_those_under_nine_tenths() -> None:
    """The lowest week is its title; words stand in for it; a released table holds each share."""
    made = coverage_by_week(three_kinds())
    door = a_door()
    picture = plot(clear(made.table, door, counts=made.counts, name="coverage_by_week"), "coverage")
    assert picture.title == "Fewest marks in the week of 16 September 2024: on 80% of half-days in secondary schools"
    assert "Secondary schools, weeks under nine tenths: 16 September 2024 (80%)." in picture.alt
    assert "Primary schools, weeks under nine tenths: none." in picture.alt
    assert [row["under"] for row in picture.table.table.to_pylist()] == ["none", "16 September 2024 (80%)", "none"]
    assert "SIMULATED · DRAFT" in picture.svg
    for text in (f"<p>{picture.alt}</p>", picture.table.html, picture.svg):
        assert lint(text, "council") == ()
    assert audit(door.entries, county_plan()) == ()
    assert not [name for name in ("p1_0", "urn") if name in picture.svg]


def test_a_council_of_two_schools_shows_crosses() -> None:
    """Fewer than three schools in all: no share leaves, and the picture says why."""
    marks = [row for urn in (1, 2) for pupil in a_class(urn) for row in marks_of(pupil, urn, WEEK)]
    made = coverage_by_week(a_study({"marks": marks}))
    assert {row["kind"] for row in rows_of(made)} == {EVERY_SCHOOL}
    assert [row["share_with_marks"] for row in cleared(made)] == [None]
    picture = plot(clear(made.table, a_door(), counts=made.counts), "coverage")
    assert "too few schools to be shown" in picture.title
    assert "Cross:" in picture.svg
    assert "100%" not in picture.alt


# Register E against the list.


def suspension(pupil: str, day: dt.date, sessions: int | None, **changes: Any) -> tuple[Any, ...]:
    """A row of the list."""
    row = {"urn": 1, "category": "suspension", "status": "issued", "status_day": None} | changes
    return (pupil, row["urn"], row["category"], day, sessions, row["status"], row["status_day"], ["DB"])


OCTOBER, NOVEMBER = weekdays(dt.date(2024, 10, 21)), weekdays(dt.date(2024, 11, 4))


def two_records(copies: int = 1) -> SchoolStudy:
    """Pupils whose register and list agree and differ, each in so many copies; 28 October to 1 November is a holiday.

    a: 4 half-days in both. b: 6 from the Thursday before the holiday, 4 before and 2 after. c: marked 2, not listed.
    d: listed 2, not marked. e: permanently excluded, then marked 4. f: no length, marked 2. g: cancelled, 2 in both.
    h: at lunchtime only. i: always there.
    """
    marks: list[tuple[Any, ...]] = []
    listed: list[tuple[Any, ...]] = []
    marked_days = {
        "a": OCTOBER[:2], "b": [*OCTOBER[3:], NOVEMBER[0]], "c": OCTOBER[:1], "e": OCTOBER[1:3], "f": NOVEMBER[:1],
        "g": OCTOBER[:1],
    }  # fmt: skip
    for n in range(copies):
        for who in "abcdefghi":
            away = marked_days.get(who, [])
            marks += marks_of(f"{who}{n}", 1, away, "E")
            marks += marks_of(f"{who}{n}", 1, [day for day in (*OCTOBER, *NOVEMBER) if day not in away])
        listed += [
            suspension(f"a{n}", OCTOBER[0], 4),
            suspension(f"b{n}", OCTOBER[3], 6),
            suspension(f"d{n}", OCTOBER[4], 2),
            suspension(f"e{n}", OCTOBER[1], None, category="permanent"),
            suspension(f"f{n}", NOVEMBER[0], None),
            suspension(f"g{n}", OCTOBER[0], 2, status="cancelled", status_day=OCTOBER[3]),
            suspension(f"h{n}", OCTOBER[0], 1, category="lunchtime"),
        ]
    return a_study({"marks": marks, "exclusions": listed})


def test_half_days_in_both_records_are_counted_by_hand() -> None:
    """Half-term 1: a 4, b 4, c 2 and g 2 marked; a 4, b 4, d 2 and g 2 listed. 2: b 2 and f 2; b 2."""
    rows = [tuple(row.values()) for row in rows_of(register_and_exclusions(two_records()))]
    assert rows == [("2024/25, half-term 1", 4, 12, 4, 12, 0), ("2024/25, half-term 2", 2, 4, 1, 2, 2)]


def test_what_one_record_alone_has_is_counted_by_hand() -> None:
    """c is on no list; e's marks follow a permanent exclusion; d's suspension has no mark; f's has no length."""
    rows = [
        (row["what"], row["found"], row["among"], row["share"]) for row in rows_of(without_counterpart(two_records()))
    ]
    assert rows == [
        ("pupils marked E who are not on the list", 1, 6, pytest.approx(1 / 6)),
        ("pupils marked E after a permanent exclusion", 1, 6, pytest.approx(1 / 6)),
        ("suspensions on the list without a mark E", 1, 5, 0.2),
        ("suspensions on the list without a length", 1, 5, 0.2),
    ]


def test_marks_after_a_reinstatement_are_marks_again() -> None:
    """Reinstated on Tuesday: the half-days of Wednesday are of no permanent exclusion, and unlisted."""
    away = OCTOBER[:3]
    marks = marks_of("e", 1, away, "E") + marks_of("e", 1, OCTOBER[3:])
    event = suspension("e", OCTOBER[0], None, category="permanent", status="reinstated", status_day=OCTOBER[1])
    (row,) = rows_of(register_and_exclusions(a_study({"marks": marks, "exclusions": [event]})))
    assert (row["half_days_marked"], row["half_days_listed"]) == (2, 0)


def test_thresholds_hide_half_days_of_a_few_pupils() -> None:
    """Of one copy nothing is shown; of 10, all where 10 pupils are or more; rounded to 5, and nothing of nought."""
    (first, second) = cleared(register_and_exclusions(two_records()))
    assert {value for key, value in (first | second).items() if key not in ("half_term", "suppressed")} == {None}
    (first, second) = cleared(register_and_exclusions(two_records(copies=7)))
    assert [*first.values()][1:6] == [30, 85, 30, 85, 0]
    assert [*second.values()][1:6] == [15, 30, None, None, None]
    assert "half_days_listed: fewer than 10 pupils" in second["suppressed"]
    assert [row["found"] for row in cleared(without_counterpart(two_records(copies=9)))] == [None] * 4


def test_a_list_that_was_not_sent_is_no_list_of_nobody() -> None:
    """Without it nothing is said to be nought; the totals then have no suspensions at all."""
    study = a_study({"marks": marks_of("a", 1, OCTOBER, "E")})
    study = replace(study, extract=replace(study.extract, tables={"marks": (Path("marks.parquet"),)}))
    for made in (register_and_exclusions(study), without_counterpart(study)):
        first, *rest = rows_of(made)[0].values()
        assert first == "The council sent no list of suspensions and permanent exclusions"
        assert {*rest} == {None}
    measures = {row["measure"].partition(",")[0] for row in rows_of(totals_beside_published(study, published()))}
    assert measures == {"Overall absence", "Persistent absence", "Severe absence"}


# Totals beside published figures.


def test_totals_stand_beside_the_published_figure_of_the_same_council() -> None:
    """10 pupils, 20 half-days each: 30 of 200 missed, 2 of 10 a tenth or more, 1 half; 3 suspensions of 2 pupils."""
    days = [*weekdays(dt.date(2024, 9, 9)), *weekdays(dt.date(2024, 9, 16))]
    marks = [row for pupil in a_class(1, 10) for row in marks_of(pupil, 1, days)]
    away = {("p1_0", day) for day in days} | {("p1_1", day) for day in days[:5]}
    marks = [(*row[:4], "I") if (row[0], row[2]) in away else row for row in marks]
    listed = [suspension("p1_0", days[0], 2), suspension("p1_0", days[6], 2), suspension("p1_1", days[3], 2),
              suspension("p1_2", days[3], 2, status="cancelled")]  # fmt: skip

    made = totals_beside_published(a_study({"marks": marks, "exclusions": listed}), published())

    found = {row["measure"].partition(",")[0]: row for row in rows_of(made)}
    numbers = {name: (row["counted"], row["counted_of"], row["own"]) for name, row in found.items()}
    assert numbers == {
        "Overall absence": (30, 200, 0.15),
        "Persistent absence": (2, 10, 0.2),
        "Severe absence": (2, 10, 0.2),
        "Suspensions": (3, 10, 0.3),
        "Pupils with one or more suspensions": (2, 10, 0.2),
        "Permanent exclusions": (0, 10, 0.0),
    }
    outcomes = small_country.outcomes().to_pylist()
    (printed,) = (
        row["value"]
        for row in outcomes
        if (row["unit"], row["period"], row["source"]) == ("838", "2024/25", "census") and row["interval_end"] is None
    )
    absence = found["Overall absence"]
    assert absence["series"] == "yearly"
    assert absence["published"] == pytest.approx(printed)
    assert absence["own_less_published"] == pytest.approx(0.15 - printed)
    assert found["Suspensions"]["series"] == "none"
    assert found["Suspensions"]["own_less_published"] is None


def test_a_year_that_is_not_over_has_no_total() -> None:
    """Absence over part of a year is no guide to that of the whole."""
    study = a_study({"marks": marks_of("a", 1, OCTOBER)}, date=dt.date(2025, 7, 30))
    (row,) = rows_of(totals_beside_published(study, published()))
    assert row["measure"] == "No academic year was over on the day of the extract"


# Rules, marks, destinations.


def test_every_enrolment_is_counted_once_under_its_rule() -> None:
    """12 in every rate, one unclear for its unknown marks, one aged 4, 12 at a unit, 2 at a school too small: 28."""
    marks = [
        row for urn, n in ((1, 14), (2, 12), (3, 2)) for pupil in a_class(urn, n) for row in marks_of(pupil, urn, WEEK)
    ]
    marks = [(*row[:4], "?") if row[0] == "p1_0" and row[2] == WEEK[0] else row for row in marks]
    born = [(pupil, dt.date(2020, 5, 1) if pupil == "p1_1" else BORN, None, None, None, None, None)
            for pupil in sorted({row[0] for row in marks})]  # fmt: skip
    schools = [(urn, "primary", urn == 2, None) for urn in (1, 2, 3)]

    made = left_out_of_counts(a_study({"marks": marks, "pupils": born, "schools": schools}))

    assert [(row["counted_as"], row["enrolments"]) for row in rows_of(made)] == [
        ("in every rate of absence", 12),
        ("in the rates of half-days, but not clear whether a tenth or half of their own was missed", 1),
        ("not aged 5 to 15 when the year began", 1),
        ("at alternative provision", 12),
        ("school with fewer than 6 such enrolments", 2),
        ("all enrolments", 28),
    ]
    shown = [row["enrolments"] for row in cleared(made)]
    assert shown[1:3] == [None, None]
    assert shown[4] is None


def test_shares_of_watched_marks_are_counted_by_hand() -> None:
    """12 pupils, 10 half-days each: 12 B, 24 K and 1 unknown of 119 possible; before August 2024 there is no K."""
    before = weekdays(dt.date(2023, 9, 11))
    marks = [row for pupil in a_class(1) for row in marks_of(pupil, 1, [*before, *WEEK])]
    swaps = {WEEK[0]: "K", (WEEK[1], "am"): "B"}
    marks = [(*row[:4], swaps.get(row[2]) or swaps.get((row[2], row[3])) or row[4]) for row in marks]
    marks = [(*row[:4], "?") if row[:4] == ("p1_0", 1, WEEK[4], "pm") else row for row in marks]
    rolls = [(pupil, 1, dt.date(2023, 9, 4), None, None, "C") for pupil in a_class(1)]

    made = watched_marks(a_study({"marks": marks, "enrolments": rolls}, periods=("2023/24", "2024/25")))

    found = {
        (row["period"], row["mark"]): (row["enrolments_with_it"], row["share_of_half_days"]) for row in rows_of(made)
    }
    assert [mark for period, mark in found if period == "2023/24"] == ["B", "D", "U", "none"]
    assert [mark for period, mark in found if period == "2024/25"] == ["B", "K", "D", "C2", "U", "none"]
    assert found["2024/25", "B"] == (12, pytest.approx(12 / 119))
    assert found["2024/25", "K"] == (12, pytest.approx(24 / 119))
    assert found["2024/25", "none"] == (1, pytest.approx(1 / 119))
    assert found["2023/24", "B"] == (0, 0.0)
    shown = {(row["period"], row["mark"]): row["share_of_half_days"] for row in cleared(made)}
    assert shown["2024/25", "K"] == 0.202
    assert shown["2024/25", "none"] is None


def leavers(home: int, moved: int, unlisted: int) -> SchoolStudy:
    """Pupils on roll in January 2024, of whom so many have no mark at the end of 2024/25, by destination; 20 stay."""
    june = weekdays(dt.date(2025, 6, 16))
    kinds = ["home_education"] * home + ["moved_away"] * moved + [""] * unlisted + ["stays"] * 20
    marks = [
        row
        for n, kind in enumerate(kinds)
        for row in marks_of(f"p{n}", 1, [dt.date(2024, 1, 15), *(june if kind == "stays" else [])])
    ]
    rolls = [(f"p{n}", 1, dt.date(2023, 9, 4), None, None, "C") for n in range(len(kinds))]
    cases = [
        (f"p{n}", kind, dt.date(2024, 11, 4), None, 1, None)
        for n, kind in enumerate(kinds)
        if kind not in ("", "stays")
    ]
    return a_study({"marks": marks, "enrolments": rolls, "destinations": cases}, periods=("2023/24", "2024/25"))


def test_destinations_stand_side_by_side_and_add_up() -> None:
    """12 to home education, 14 moved, 11 on no list: in the order of the alphabet, 37 in all."""
    made = exits_by_destination(leavers(12, 14, 11))
    assert [tuple(row.values()) for row in rows_of(made)] == [
        ("elective home education", 12),
        ("moved to another area", 14),
        ("on no list of moves that was sent", 11),
        ("all of them", 37),
    ]
    assert [row["pupils"] for row in cleared(made)] == [10, 15, 10, 35]


def test_a_few_at_one_destination_are_hidden_without_a_word_of_blame() -> None:
    """3 of 73 are hidden and a second with them, so that neither can be worked out; the page passes the lint."""
    made = exits_by_destination(leavers(3, 40, 30))
    assert [row["pupils"] for row in cleared(made)] == [None, 40, None, 75]
    page = tabulate(clear(made.table, a_door(), counts=made.counts), title="Where", formats={"pupils": "count"}).html
    assert "hidden" in page
    assert lint(page, "council") == ()


def test_nobody_has_left_before_anything_is_over() -> None:
    """At an extract of the baseline year no half-term since is over, and nobody is counted as gone."""
    study = leavers(3, 3, 3)
    early = replace(study, extract=replace(study.extract, date=dt.date(2024, 8, 31)))
    (row,) = rows_of(exits_by_destination(early))
    assert row == {"destination": "No half-term since pupils are followed is over", "pupils": None}


# A made-up county, whole.

SMALL = replace(
    COUNTY_WORLDS["known_effect"], n_pupils=1500, n_schools=26, n_pyramids=6, first_period=2022, n_periods=4
)


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> SchoolStudy:
    """A small made-up county, read as a council's extract."""
    folder = write_simulated_county(SMALL, tmp_path_factory.mktemp("arrival") / "county")
    study = study_schools(read_council_extract(folder), county_plan(), report_year="2025/26")
    assert study is not None
    return study


def changed(study: SchoolStudy, **tables: Any) -> SchoolStudy:
    """The study with some tables changed, and nothing remembered."""
    return replace(study, tables={**study.tables, **tables}, made={})


def test_a_made_up_county_agrees_with_itself(county: SchoolStudy) -> None:
    """Every half-day has a mark; each E has an event; differences are a half-day for a start after lunch at most."""
    assert {row["share_with_marks"] for row in rows_of(coverage_of_weeks(county))} == {1.0}
    assert {row["schools_under_90"] for row in rows_of(coverage_of_weeks(county))} == {0}
    for row in rows_of(without_counterpart(county)):
        assert row["found"] == 0 or "permanent" in row["what"]
    half_terms = rows_of(register_and_exclusions(county))
    assert len(half_terms) == 24
    assert all(abs(row["marked_less_listed"]) <= row["pupils_marked"] for row in half_terms)
    assert sum(row["half_days_marked"] for row in half_terms) == pytest.approx(
        sum(row["half_days_listed"] for row in half_terms), rel=0.01
    )


def test_a_list_that_lost_pupils_is_found(county: SchoolStudy) -> None:
    """The suspensions of 12 pupils marked E in 2024/25 taken off the list: exactly these are found, and their days."""
    marks = county.tables["marks"]
    days = (dt.date(2024, 8, 1), dt.date(2025, 7, 31))
    marked = marks.filter(marks.mark == "E", marks.day.between(*(ibis.literal(day) for day in days)))
    exclusions = county.tables["exclusions"]
    expelled = exclusions.filter(exclusions.category == "permanent").select("pupil")
    names = county.engine.to_pyarrow(marked.anti_join(expelled, "pupil").select("pupil").distinct())[
        "pupil"
    ].to_pylist()
    lost = sorted(names)[:12]
    half_days = county.engine.execute(marked.filter(marked.pupil.isin(lost)).count())

    study = changed(county, exclusions=exclusions.filter(exclusions.pupil.notin(lost)))

    found = {(row["period"], row["what"]): row["found"] for row in rows_of(without_counterpart(study))}
    assert found["2024/25", "pupils marked E who are not on the list"] == 12
    before, after = (
        sum(
            row["marked_less_listed"]
            for row in rows_of(register_and_exclusions(each))
            if row["half_term"][:7] == "2024/25"
        )
        for each in (county, study)
    )
    assert after - before == pytest.approx(half_days, abs=12)


def test_a_week_that_a_school_did_not_send_is_found(county: SchoolStudy) -> None:
    """One school's marks of a week in November 2024 are gone: one school is under 90%, in that half-term alone."""
    marks = county.tables["marks"]
    urn = int(county.engine.execute(marks.urn.min()))
    week = (dt.date(2024, 11, 18), dt.date(2024, 11, 22))
    gone = (marks.urn == urn) & marks.day.between(*(ibis.literal(day) for day in week))
    rows = rows_of(coverage_of_weeks(changed(county, marks=marks.filter(~gone))))
    under = {row["half_term"]: row["schools_under_90"] for row in rows if row["schools_under_90"]}
    assert under == {"2024/25, half-term 2": 1}
    share = {row["half_term"]: row["share_with_marks"] for row in rows}["2024/25, half-term 2"]
    in_half_term = marks.day.between(ibis.literal(dt.date(2024, 10, 28)), ibis.literal(dt.date(2024, 12, 31)))
    taught = marks.filter(in_half_term, marks.mark != "#")
    lost, all_marks = (int(county.engine.execute(each.count())) for each in (taught.filter(gone), taught))
    assert share == pytest.approx(1 - lost / all_marks)


def test_totals_are_those_of_the_outcomes(county: SchoolStudy) -> None:
    """The numerator over its denominator is the very rate of the definitions, in each year."""
    own = county.register
    rows = rows_of(totals_beside_published(county, published()))
    for period in county.periods:
        absence = enrolment_absence(own.counts, own.pupils, own.enrolments, own.schools, period=period)
        (rates,) = county.engine.to_pyarrow(absence_rates(absence)).to_pylist()
        mine = {row["measure"].partition(",")[0]: row for row in rows if row["period"] == period}
        for label, name in (
            ("Overall absence", "overall_absence_rate"),
            ("Persistent absence", "persistent_absence_rate"),
            ("Severe absence", "severe_absence_rate"),
        ):
            assert mine[label]["own"] == rates[name]
            assert mine[label]["counted"] / mine[label]["counted_of"] == pytest.approx(rates[name], abs=1e-15)


def test_nobody_and_no_school_is_in_what_leaves(county: SchoolStudy) -> None:
    """An adversary reads the whole ledger: no pupil's code, no school's number, no pyramid; the audit passes."""
    door = a_door()
    for make in OF_A_STUDY:
        made = make(county)
        assert clear(made.table, door, counts=made.counts, name=make.__name__).policy == "council"
    totals = totals_beside_published(county, published())
    clear(totals.table, door, counts=totals.counts, name="totals")
    released = json.dumps([dict(entry.payload) for entry in door.entries], default=str)
    schools = county.engine.to_pyarrow(county.tables["schools"])
    pupils = county.engine.to_pyarrow(county.tables["pupils"].select("pupil"))["pupil"].to_pylist()
    words = set(re.findall(r"\w+", released))
    assert len(pupils) > 1500
    assert not words & set(pupils)
    assert not words & set(map(str, schools["urn"].to_pylist()))
    assert not [name for name in schools["pyramid"].to_pylist() if name and name in released]
    assert audit(door.entries, county_plan()) == ()
    counts = [
        value
        for entry in door.entries
        for number, column in enumerate(entry.payload["columns"])
        if column["name"] in entry.payload["measures"]["pupils"]
        for value in (row[number] for row in entry.payload["rows"])
        if value is not None
    ]
    assert min(counts) >= 10
    assert not [value for value in counts if value % 5]


# Without records, and on the page.


@pytest.mark.parametrize("make", [*OF_A_STUDY, lambda study: totals_beside_published(study, published())])
def test_without_records_a_table_says_so_and_has_no_number(make: Callable[[SchoolStudy | None], Arrived]) -> None:
    """A plan without schools: one row, its first cell says why, and every other is empty, never nought."""
    made = make(None)
    (row,) = rows_of(made)
    first, *rest = row.values()
    assert first == NOTHING
    assert {*rest} == {None}
    public = small_country.plan()
    shown = tabulate(clear(made.table, open_door(public), counts=made.counts), formats=dict.fromkeys(row, "text"))
    assert NOTHING in shown.html


@pytest.mark.parametrize("with_schools", [True, False])
def test_the_page_runs_and_reads_well(with_schools: bool, county: SchoolStudy) -> None:
    """Every cell of notebook 02 after its figures are open, with schools and without; its words pass the lint."""
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    plan = county_plan() if with_schools else small_country.plan()
    space = {name: getattr(belonging_research, name) for name in belonging_research.__all__}
    space |= {"schools": county if with_schools else None, "panel": published(), "door": open_door(plan)}
    code = [cell.source for cell in cells if cell.cell_type == "code"][3:]
    pages = []
    for source in code:
        setup, _, last = source.partition("\n")
        exec(setup, space)
        made = eval(last, space)
        # A picture's own words are those of its title, its alternative and the table under it.
        is_picture = isinstance(made, Picture)
        pages.append(f"<p>{made.title}. {made.alt}</p>{made.table.html}" if is_picture else made.html)
        if is_picture and not with_schools and "no figures to show" in made.title:
            pages[-1] += NOTHING
    assert len(pages) == len(OF_A_STUDY) + 1
    for page in [*pages, *(f"<p>{cell.source}</p>" for cell in cells if cell.cell_type == "markdown")]:
        assert lint(page, "council") == ()
    assert all(NOTHING in page for page in pages) != with_schools
