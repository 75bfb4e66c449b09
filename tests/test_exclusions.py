"""A council's suspensions and permanent exclusions: what counts, by a table written out, and rates over January."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from typing import Any

import ibis
import pyarrow as pa
import pytest
from ibis.expr.types import Table

from belonging_research.outcomes.exclusions import (
    counted,
    exclusion_counts,
    exclusion_rates,
    headcount,
    over_the_limit,
    school_days,
)
from belonging_research.outcomes.registers import session_counts
from belonging_research.tables.council import ENROLMENTS, EXCLUSIONS, MARKS
from belonging_research.tables.exclusion_codes import EXCLUSION_REASONS
from belonging_research.tables.school_year import january_census

PERIOD = "2024/25"
NOVEMBER, MARCH, JULY = dt.date(2024, 11, 4), dt.date(2025, 3, 3), dt.date(2025, 7, 15)


@functools.cache
def engine() -> Any:
    """One DuckDB for all tests here."""
    return ibis.duckdb.connect()


def found(expression: Table) -> list[dict[str, Any]]:
    """The rows of an expression, run in DuckDB."""
    return engine().to_pyarrow(expression).to_pylist()


def table(spec: Any, rows: Sequence[tuple[Any, ...]]) -> Table:
    """A table of rows in the order of the spec's columns."""
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in spec.columns]
    return ibis.memtable(pa.table(dict(zip(spec.schema.names, columns, strict=True)), schema=spec.schema))


def event(
    pupil: str = "a", urn: int = 1, category: str = "suspension", day: dt.date = NOVEMBER, sessions: int | None = 4,
    status: str = "issued", status_day: dt.date | None = None,
) -> tuple[Any, ...]:  # fmt: skip
    """One event; a suspension of two days in November unless said."""
    return (pupil, urn, category, day, sessions, status, status_day, ["DB"])


def enrolled(pupil: str, urn: int = 1, first: dt.date = dt.date(2024, 9, 2), last: dt.date | None = None,
             status: str | None = "C") -> tuple[Any, ...]:  # fmt: skip
    """One enrolment, on roll since September unless said."""
    return (pupil, urn, first, last, None, status)


COUNTS = [
    ("issued", event(), True, True),
    ("upheld", event(status="upheld", status_day=MARCH), True, True),
    ("cancelled", event(status="cancelled", status_day=MARCH), False, True),
    ("reinstated", event(status="reinstated", status_day=MARCH), False, True),
    ("cancelled on a day not known", event(status="cancelled"), False, True),
    ("permanent, upheld", event(category="permanent", sessions=None, status="upheld", status_day=MARCH), True, True),
    ("permanent, reinstated", event(category="permanent", sessions=None, status="reinstated"), False, True),
    ("lunchtime", event(category="lunchtime", sessions=1), False, False),
    ("last day of the year", event(day=dt.date(2025, 7, 31)), True, True),
    ("first day of the year", event(day=dt.date(2024, 8, 1)), True, True),
    ("the year before", event(day=dt.date(2024, 7, 31)), False, False),
    ("the year after", event(day=dt.date(2025, 8, 1)), False, False),
]


@pytest.mark.parametrize(("row", "stood", "issued"), [case[1:] for case in COUNTS], ids=[case[0] for case in COUNTS])
def test_what_counts(row: tuple[Any, ...], stood: bool, issued: bool) -> None:
    """What stood, and what was issued beside it."""
    events = table(EXCLUSIONS, [row])
    assert len(found(counted(events, period=PERIOD))) == stood
    assert len(found(counted(events, period=PERIOD, counting="issued"))) == issued


def test_a_count_is_as_at_a_day() -> None:
    """Before it was cancelled it stood, and what had not begun is in no count; the day itself is in."""
    events = table(EXCLUSIONS, [event(status="cancelled", status_day=MARCH), event(pupil="b", day=JULY)])

    def pupils(day: dt.date | None) -> list[str]:
        return sorted(row["pupil"] for row in found(counted(events, period=PERIOD, as_at=day)))

    assert pupils(MARCH - dt.timedelta(days=1)) == ["a"]
    assert pupils(MARCH) == []
    assert pupils(JULY) == ["b"]
    assert pupils(NOVEMBER - dt.timedelta(days=1)) == []
    assert pupils(None) == ["b"]


def test_the_january_roll_is_of_sole_and_main_registrations() -> None:
    """On roll on the third Thursday of January, the last day on roll included; each pupil of a school once."""
    day = january_census(PERIOD)
    assert (day, january_census("2023/24"), january_census("2025/26")) == (
        dt.date(2025, 1, 16), dt.date(2024, 1, 18), dt.date(2026, 1, 15),
    )  # fmt: skip
    rows = [
        enrolled("a"), enrolled("b", status="M"), enrolled("c", status="S"), enrolled("d", status="G"),
        enrolled("e", status=None), enrolled("f", last=day), enrolled("g", last=day - dt.timedelta(days=1)),
        enrolled("h", first=day), enrolled("i", first=day + dt.timedelta(days=1)),
        enrolled("a", first=dt.date(2023, 9, 1)), enrolled("c", urn=2),
    ]  # fmt: skip
    rolls = {row["urn"]: row["headcount"] for row in found(headcount(table(ENROLMENTS, rows), PERIOD))}
    assert rolls == {1: 4, 2: 1}


def test_rates_by_hand() -> None:
    """Events over the January roll: three suspensions of two pupils of four; who left before January still counts."""
    events = table(
        EXCLUSIONS,
        [
            event("a", sessions=4), event("a", day=MARCH, sessions=10), event("gone", sessions=None),
            event("b", category="permanent", day=JULY, sessions=None), event("x", urn=9),
        ],
    )  # fmt: skip
    rolls = table(ENROLMENTS, [enrolled(p) for p in "abcd"] + [enrolled("gone", last=dt.date(2024, 12, 1))])

    one, other = found(exclusion_rates(counted(events, period=PERIOD), rolls, period=PERIOD))

    assert (one["headcount"], one["suspensions"], one["pupils_suspended"], one["permanent_exclusions"]) == (4, 3, 2, 1)
    assert (one["sessions_lost"], one["sessions_not_known"]) == (14, 1)
    assert one["suspension_rate"] == pytest.approx(3 / 4)
    assert one["pupils_with_one_or_more_suspensions_rate"] == pytest.approx(2 / 4)
    assert one["permanent_exclusion_rate"] == pytest.approx(1 / 4)
    assert (other["urn"], other["suspensions"], other["headcount"], other["suspension_rate"]) == (9, 1, 0, None)


def test_a_pupil_suspended_by_two_schools_is_one_at_each_and_one_in_all() -> None:
    """Distinct pupils are counted within the group that is asked for."""
    events = counted(table(EXCLUSIONS, [event(urn=1), event(urn=2, day=MARCH)]), period=PERIOD)
    assert [row["pupils_suspended"] for row in found(exclusion_counts(events))] == [1, 1]
    assert [row["pupils_suspended"] for row in found(exclusion_counts(events, by=("category",)))] == [1]


def test_the_limit_of_45_school_days_is_over_all_schools() -> None:
    """90 half-days are the most; a 91st at another school is over, cancelled ones and all."""
    at = [
        event("a", sessions=90),
        event("b", sessions=50),
        event("b", urn=2, sessions=41, day=MARCH, status="cancelled"),
    ]
    assert found(over_the_limit(table(EXCLUSIONS, at), period=PERIOD)) == [{"pupil": "b", "sessions": 91}]


def test_exposure_is_the_days_on_roll_not_those_attended() -> None:
    """A suspended pupil's exposure does not shrink by the suspension; closures and days before the roll are none."""
    marks = [("a", 1, NOVEMBER + dt.timedelta(days=n), s, m) for n in range(3) for s, m in (("am", "/"), ("pm", "\\"))]
    marks += [("b", 1, day, session, "E") for _, _, day, session, _ in marks]
    marks += [("c", 1, day, session, mark) for (_, _, day, session, _), mark in zip(marks[:6], "ZZ##D?", strict=True)]
    days = {
        row["pupil"]: row["school_days"] for row in found(school_days(session_counts(table(MARKS, marks), [PERIOD])))
    }
    assert days == {"a": 3.0, "b": 3.0, "c": 1.0}


def test_reasons_are_dated() -> None:
    """Sixteen can be recorded since three may be given, and "other" no more."""
    today = dt.date(2025, 1, 1)
    now = {r.code for r in EXCLUSION_REASONS if r.last_day is None or r.last_day >= today}
    assert len(now) == 16
    assert "DM" in now and "OT" not in now
