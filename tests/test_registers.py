"""A council's marks to absence: each code and counting rule by a table written out, thresholds on whole numbers."""

from __future__ import annotations

import datetime as dt
import functools
import gzip
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ibis.expr.types import Table

from belonging_research.outcomes.registers import (
    absence_rates,
    bridged,
    enrolment_absence,
    left_out,
    marks_not_in_use,
    school_week_sessions,
    session_counts,
)
from belonging_research.tables.council import ENROLMENTS, MARKS, PUPILS, SCHOOLS
from belonging_research.tables.register_codes import CODE_BRIDGES, CODES_CHANGED, REGISTER_CODES, code_on
from belonging_research.tables.school_year import half_terms, spring_bank_holiday

Rows = Sequence[tuple[Any, ...]]

P, A, AA, UA, NP, ADM = "present", "approved_activity", "authorised", "unauthorised", "not_possible", "administrative"
# The statistical class of each mark before and from 19 August 2024; None where it was not in use.
CLASSES = {
    "/": (P, P), "\\": (P, P), "L": (P, P), "B": (A, A), "V": (A, A), "P": (A, A), "W": (A, A), "J": (A, None),
    "K": (None, A), "C": (AA, AA), "C1": (None, AA), "C2": (None, AA), "E": (AA, AA), "F": (AA, None),
    "H": (AA, None), "I": (AA, AA), "J1": (None, AA), "M": (AA, AA), "R": (AA, AA), "S": (AA, AA), "T": (AA, AA),
    "G": (UA, UA), "N": (UA, UA), "O": (UA, UA), "U": (UA, UA), "D": (NP, NP), "X": (NP, NP), "Y": (NP, None),
    "Q": (None, NP), "Y1": (None, NP), "Y2": (None, NP), "Y3": (None, NP), "Y4": (None, NP), "Y5": (None, NP),
    "Y6": (None, NP), "Y7": (None, NP), "Z": (ADM, ADM), "#": (ADM, ADM),
}  # fmt: skip


def table(spec: Any, rows: Rows) -> Table:
    """A table of rows in the order of the spec's columns."""
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in spec.columns]
    return ibis.memtable(pa.table(dict(zip(spec.schema.names, columns, strict=True)), schema=spec.schema))


@functools.cache
def engine() -> Any:
    """One DuckDB for all tests here."""
    return ibis.duckdb.connect()


def found(expression: Table) -> list[dict[str, Any]]:
    """The rows of an expression, run in DuckDB."""
    return engine().to_pyarrow(expression).to_pylist()


def school_days(first: dt.date, n: int) -> list[dt.date]:
    """``n`` weekdays from a day on."""
    days = [first + dt.timedelta(days=k) for k in range(2 * n + 7)]
    return [day for day in days if day.weekday() < 5][:n]


def register(pupil: str, urn: int, first: dt.date, marks: Sequence[str | None]) -> list[tuple[Any, ...]]:
    """Marks of one enrolment, two a day on weekdays from a day on."""
    days = school_days(first, (len(marks) + 1) // 2)
    return [(pupil, urn, days[n // 2], ("am", "pm")[n % 2], mark) for n, mark in enumerate(marks)]


BORN = dt.date(2014, 5, 1)  # aged 10 on 31 August 2024
SEPTEMBER = dt.date(2024, 9, 2)


def year(
    marks: Rows,
    *,
    born: dict[str, dt.date | None] | None = None,
    rolls: Rows | None = None,
    schools: Rows = ((1, "primary", False, None), (2, "primary", False, None)),
    window: str = "full_year",
) -> Table:
    """Absence of 2024/25; without anything said each pupil is 10, no boarder, and on roll since September."""
    pupils = sorted({row[0] for row in marks})
    months = dict.fromkeys(pupils, BORN) | (born or {})
    enrolled = rolls or [(pupil, urn, SEPTEMBER, None, None, None) for pupil, urn in sorted({row[:2] for row in marks})]
    return enrolment_absence(
        session_counts(table(MARKS, marks), ["2024/25"]),
        table(
            PUPILS, [(pupil, month, None, None, None, None, None) for pupil, month in months.items() if pupil in pupils]
        ),
        table(ENROLMENTS, enrolled),
        table(SCHOOLS, schools),
        period="2024/25",
        window=window,  # type: ignore[arg-type]
    )


def of(absence: Table, pupil: str = "p0", urn: int = 1) -> dict[str, Any]:
    """The row of one enrolment."""
    return next(row for row in found(absence) if (row["pupil"], row["urn"]) == (pupil, urn))


def with_classmates(marks: Rows, urn: int = 1) -> Rows:
    """The marks, and six more pupils who were always there, so that the school is not too small to count."""
    return [*marks, *(row for n in range(6) for row in register(f"q{n}", urn, SEPTEMBER, ["/", "\\"] * 5))]


# Codes.


@pytest.mark.parametrize("mark", CLASSES)
def test_how_each_mark_counts_in_both_periods(mark: str) -> None:
    """Before and from 19 August 2024, each as the statistics count it; a mark out of its time is none."""
    day_before = CODES_CHANGED - dt.timedelta(days=1)
    for day, expected in zip((day_before, CODES_CHANGED), CLASSES[mark], strict=True):
        code = code_on(mark, day)
        assert (code.counts if code else None) == expected, day
        counted = found(session_counts(table(MARKS, [("p", 1, day, "am", mark)]), ["2023/24", "2024/25"]))[0]
        names = {P, A, AA, UA, NP, ADM}
        assert {name for name in names if counted[name]} == ({expected} if expected else set())
        assert counted["possible"] == (expected in {P, A, AA, UA})
        assert counted["not_in_use"] == (expected is None)


def test_there_are_34_marks_and_no_others() -> None:
    """The list from August 2024 has 34; every mark of the code list stands in the table above."""
    assert {code.mark for code in REGISTER_CODES} == set(CLASSES)
    assert sum(now is not None for _, now in CLASSES.values()) == 34
    assert len({(code.mark, code.first_day) for code in REGISTER_CODES}) == len(REGISTER_CODES)


def test_marks_that_are_no_code_are_named_and_counted() -> None:
    """Unknown, blank and out of time: none is presence or absence, each is counted."""
    marks = register("p0", 1, SEPTEMBER, ["/", "\\", "?", "?", "H", None, "i"])

    assert found(marks_not_in_use(table(MARKS, marks))) == [
        {"mark": "?", "marks": 2}, {"mark": "H", "marks": 1}, {"mark": "i", "marks": 1}, {"mark": None, "marks": 1},
    ]  # fmt: skip
    assert of(year(marks))["possible"] == 2


# Half-terms.


def test_half_terms_follow_easter() -> None:
    """Easter in March and in April, a bank holiday that was moved, and no day in two half-terms or in none."""
    starts = {half.number: half.first_day for half in half_terms("2023/24")}
    assert (starts[5], starts[6]) == (dt.date(2024, 4, 1), dt.date(2024, 5, 27))  # Easter Sunday was 31 March
    assert {half.number: half.first_day for half in half_terms("2024/25")}[5] == dt.date(2025, 4, 21)
    assert spring_bank_holiday(2022) == dt.date(2022, 6, 2)
    for first in range(2005, 2040):
        halves = half_terms(f"{first}/{(first + 1) % 100:02d}")
        assert (halves[0].first_day, halves[-1].last_day) == (dt.date(first, 8, 1), dt.date(first + 1, 7, 31))
        assert [half.number for half in halves] == [1, 2, 3, 4, 5, 6]
        for before, after in itertools.pairwise(halves):
            assert before.first_day <= before.last_day
            assert after.first_day - before.last_day == dt.timedelta(days=1)


def test_leap_days_and_the_ends_of_the_year_are_counted() -> None:
    """29 February, 1 August and 31 July are days like others; 31 August is of the year that has begun."""
    days = [dt.date(2023, 8, 1), dt.date(2024, 2, 29), dt.date(2024, 7, 31), dt.date(2024, 8, 31)]
    rows = found(session_counts(table(MARKS, [("p", 1, day, "am", "/") for day in days]), ["2023/24", "2024/25"]))
    assert {(row["period"], row["half_term"]): row["present"] for row in rows} == {
        ("2023/24", 1): 1, ("2023/24", 4): 1, ("2023/24", 6): 1, ("2024/25", 1): 1,
    }  # fmt: skip


# Counting.


def test_a_register_of_40_marks_counted_by_hand() -> None:
    """Four weeks of one pupil, of which ten half-days were missed of the 36 that could have been attended."""
    marks = [
        *["/", "\\", "/", "\\", "L", "\\", "/", "\\", "/", "M"],  # 9 present, 1 authorised
        *["I", "I", "I", "I", "/", "\\", "/", "U", "/", "\\"],  # 5 present, 4 authorised, 1 unauthorised
        *["V", "V", "/", "\\", "K", "K", "D", "D", "/", "\\"],  # 4 present, 4 elsewhere, 2 not possible
        *["C2", "C2", "G", "O", "/", "\\", "#", "Y4", "/", "\\"],  # 4 present, 2 + 2 absent, 2 not possible
    ]

    row = of(year(with_classmates(register("p0", 1, SEPTEMBER, marks))))

    assert (row["present"], row["approved_activity"]) == (9 + 5 + 4 + 4, 4)
    assert (row["authorised"], row["unauthorised"], row["absent"]) == (1 + 4 + 2, 1 + 2, 10)
    assert (row["not_possible"], row["administrative"], row["not_in_use"]) == (3, 1, 0)
    assert row["possible"] == 40 - 4 == 22 + 4 + 10
    assert (row["persistently_absent"], row["severely_absent"], row["left_out"]) == (True, False, None)
    assert {name: row[f"marked_{name}"] for name in ("b", "k", "d", "c2", "u")} == {
        "b": 0, "k": 2, "d": 2, "c2": 2, "u": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("absent", "possible", "persistently", "severely"),
    [
        *[(38, 380, True, False), (37, 380, False, False), (25, 251, False, False), (26, 251, True, False)],
        *[(190, 380, True, True), (189, 380, True, False), (1, 10, True, False), (1, 2, True, True)],
        *[(0, 1, False, False), (1, 1, True, True)],
    ],
)
def test_thresholds_are_of_whole_numbers(absent: int, possible: int, persistently: bool, severely: bool) -> None:
    """Exactly a tenth is persistent, exactly half is severe."""
    marks = ["I"] * absent + ["/"] * (possible - absent)
    row = of(year(register("p0", 1, SEPTEMBER, marks)))
    assert (row["absent"], row["possible"]) == (absent, possible)
    assert (row["persistently_absent"], row["severely_absent"]) == (persistently, severely)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.sampled_from(["/", "\\", "I", "O", "B", "D", "Y1", "#"]), min_size=1, max_size=30),
    st.integers(min_value=0, max_value=29),
)
def test_blanking_a_mark_makes_no_flag(marks: list[str], place: int) -> None:
    """Without a mark an answer stays or becomes unknown: it never turns into the other."""
    blanked: list[str | None] = [*marks]
    blanked[place % len(marks)] = None
    absence = year([*register("p0", 1, SEPTEMBER, marks), *register("p1", 1, SEPTEMBER, blanked)])
    whole, less = of(absence, "p0"), of(absence, "p1")
    assert less["not_in_use"] == 1
    for flag in ("persistently_absent", "severely_absent"):
        assert less[flag] in (whole[flag], None)
        assert not (whole["severely_absent"] and whole["persistently_absent"] is False)


def test_a_pupil_who_moves_in_the_middle_of_a_week_is_two_enrolments() -> None:
    """Each school counts its own days, and each enrolment its own flag."""
    before = register("p0", 1, dt.date(2024, 11, 4), ["I", "I", "/", "\\", "/"])  # to Wednesday morning
    after = [("p0", 2, day, session, mark) for _, _, day, session, mark in register(
        "p0", 2, dt.date(2024, 11, 7), ["/", "\\", "/", "\\"])]  # fmt: skip

    absence = year(with_classmates(with_classmates([*before, *after], 1), 2))
    old, new = of(absence, urn=1), of(absence, urn=2)

    assert (old["possible"], old["absent"], old["persistently_absent"]) == (5, 2, True)
    assert (new["possible"], new["absent"], new["persistently_absent"]) == (4, 0, False)
    assert (old["left_out"], new["left_out"]) == (None, None)


def test_half_days_of_a_school_by_week_are_counted_by_hand() -> None:
    """Monday to Sunday, each school alone, marks that are no code beside the others, and nothing of other years."""
    marks = [
        *register("p0", 1, SEPTEMBER, ["/", "\\", "I", "I", "O", "U", "K", "D", "#", "H"]),  # Monday to Friday
        *register("p1", 1, SEPTEMBER, ["/"]),
        ("p1", 1, dt.date(2024, 9, 8), "am", "/"),  # the Sunday
        ("p1", 1, dt.date(2024, 9, 9), "am", None),  # the next Monday
        ("p2", 2, dt.date(2024, 9, 6), "pm", "X"),
        ("p2", 2, dt.date(2024, 7, 1), "pm", "/"),
    ]
    rows = {(row.pop("urn"), row["week"]): row for row in found(school_week_sessions(table(MARKS, marks), ["2024/25"]))}
    assert set(rows) == {(1, SEPTEMBER), (1, dt.date(2024, 9, 9)), (2, SEPTEMBER)}
    assert rows[1, SEPTEMBER] == {
        "period": "2024/25", "week": SEPTEMBER, "possible": 4 + 2 + 2 + 1, "present": 4, "authorised": 2,
        "unauthorised": 2, "approved_activity": 1, "not_possible": 1, "administrative": 1, "not_in_use": 1,
    }  # fmt: skip
    assert (rows[1, dt.date(2024, 9, 9)]["possible"], rows[1, dt.date(2024, 9, 9)]["not_in_use"]) == (0, 1)
    assert (rows[2, SEPTEMBER]["possible"], rows[2, SEPTEMBER]["not_possible"]) == (0, 1)


def test_a_week_across_two_academic_years_is_cut_between_them() -> None:
    """31 July 2025 is a Thursday: one Monday, a row in each year."""
    days = [dt.date(2025, 7, 31), dt.date(2025, 8, 1)]
    marks = table(MARKS, [("p", 1, day, session, "/") for day in days for session in ("am", "pm")])
    rows = found(school_week_sessions(marks, ["2024/25", "2025/26"]))
    assert {(row["period"], row["week"], row["present"]) for row in rows} == {
        ("2024/25", dt.date(2025, 7, 28), 2), ("2025/26", dt.date(2025, 7, 28), 2),
    }  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from([*CLASSES, "?", None]), min_size=1, max_size=40))
def test_weeks_and_half_terms_add_up_to_the_same_half_days(marks: list[str | None]) -> None:
    """However the marks fall, every half-day is in one class of one week and of one half-term."""
    own = table(MARKS, register("p", 1, dt.date(2024, 10, 21), marks))
    names = (P, A, AA, UA, NP, ADM, "possible", "not_in_use")
    sums = [
        {name: sum(row[name] for row in found(count(own, ["2024/25"]))) for name in names}
        for count in (session_counts, school_week_sessions)
    ]
    assert sums[0] == sums[1]
    assert sum(sums[0][name] for name in names if name != "possible") == len(marks)


# Who is counted.

JULY = dt.date(2025, 7, 1)
RULES = [
    ("counted", {}, None),
    ("born in August 2020, so 4", {"born": dt.date(2020, 8, 31)}, "not_aged_5_to_15"),
    ("born in September 2019, so 4", {"born": dt.date(2019, 9, 1)}, "not_aged_5_to_15"),
    ("born in August 2019, so 5", {"born": dt.date(2019, 8, 1)}, None),
    ("born in September 2008, so 15", {"born": dt.date(2008, 9, 1)}, None),
    ("born in August 2008, so 16", {"born": dt.date(2008, 8, 1)}, "not_aged_5_to_15"),
    ("birth not known", {"born": None}, "age_not_known"),
    ("boards", {"roll": (SEPTEMBER, None, True)}, "boarder"),
    ("boards not", {"roll": (SEPTEMBER, None, False)}, None),
    ("boarding not recorded", {"roll": (SEPTEMBER, None, None)}, None),
    ("alternative provision", {"school": (1, "secondary", True, None)}, "alternative_provision"),
    ("school not known", {"school": (9, "primary", False, None)}, "school_not_known"),
    ("began in half-term 6", {"roll": (JULY, None, None), "first": JULY}, "began_in_half_term_6"),
    ("nothing possible", {"marks": ["D", "D", "#", "Y4"]}, "no_possible_sessions"),
]


@pytest.mark.parametrize(("change", "reason"), [case[1:] for case in RULES], ids=[case[0] for case in RULES])
def test_each_counting_rule(change: dict[str, Any], reason: str | None) -> None:
    """What leaves an enrolment out, its reason, and that it is counted as left out and in no rate."""
    own = register("p0", 1, change.get("first", SEPTEMBER), change.get("marks", ["I", "/", "/", "/"]))
    marks = with_classmates(own)
    rolls = [("p0", 1, *change.get("roll", (SEPTEMBER, None, None)), "C")]
    rolls += [(f"q{n}", 1, SEPTEMBER, None, None, "C") for n in range(6)]
    schools = [change.get("school", (1, "primary", False, None))]
    absence = year(marks, born={"p0": change.get("born", BORN)}, rolls=rolls, schools=schools)

    assert of(absence)["left_out"] == reason
    everyone = reason in ("alternative_provision", "school_not_known")
    gone = {row["left_out"]: row["enrolments"] for row in found(left_out(absence))}
    assert gone == ({} if reason is None else {reason: 7 if everyone else 1})
    rates = found(absence_rates(absence))[0]
    assert rates["enrolments"] == (0 if everyone else 6 if reason else 7)
    if not everyone:
        assert rates["overall_absence_rate"] == (0.0 if reason else pytest.approx(1 / 64))


def test_half_term_6_of_those_aged_15_counts_nowhere() -> None:
    """Their study leave is left out; others' absence in those weeks is not."""
    marks = [*register("p0", 1, SEPTEMBER, ["/"] * 8), *register("p0", 1, JULY, ["S"] * 8)]
    absence = [year(with_classmates(marks), born={"p0": born}) for born in (dt.date(2008, 9, 1), BORN)]
    assert [(of(each)["possible"], of(each)["absent"]) for each in absence] == [(8, 0), (16, 8)]


def test_a_school_of_five_is_not_counted_and_one_of_six_is() -> None:
    """The smallest schools would show their pupils; a four-year-old does not make a sixth."""

    def of_size(n: int, young: int = 0) -> set[str | None]:
        marks = [row for k in range(n + young) for row in register(f"p{k}", 1, SEPTEMBER, ["/"] * 4)]
        born = {f"p{n + k}": dt.date(2020, 6, 1) for k in range(young)}
        return {row["left_out"] for row in found(year(marks, born=born))}

    assert of_size(5) == {"school_under_6_enrolments"}
    assert of_size(6) == {None}
    assert of_size(5, young=1) == {"school_under_6_enrolments", "not_aged_5_to_15"}


def test_a_window_is_of_its_half_terms_alone() -> None:
    """Autumn, two terms and the year count what lies in them."""
    days = [half.first_day + dt.timedelta(days=20) for half in half_terms("2024/25")]
    marks = with_classmates([("p0", 1, day, "am", "I") for day in days])
    missed = {w: of(year(marks, window=w))["absent"] for w in ("autumn_term", "two_terms", "full_year")}
    assert missed == {"autumn_term": 2, "two_terms": 4, "full_year": 6}


def test_bridges_count_both_sides_of_august_2024_alike() -> None:
    """Interviews, education off site and late arrivals: as recorded, and moved, on both sides."""
    rows = [("p", 1, dt.date(2024, 6, 3), "am", mark) for mark in ("J", "B", "U", "/")]
    rows += [("p", 1, dt.date(2024, 11, 4), "am", mark) for mark in ("J1", "B", "K", "U", "/")]

    def absent(*bridges: str) -> list[int]:
        counts = found(bridged(session_counts(table(MARKS, rows), ["2023/24", "2024/25"]), bridges))
        return [r["authorised"] + r["unauthorised"] for r in sorted(counts, key=lambda r: r["period"])]

    assert absent() == [1, 2]  # U; J1 and U
    assert absent("interviews_absent") == [2, 2]
    assert absent("off_site_absent") == [2, 4]
    assert absent("late_present") == [0, 1]
    assert absent(*CODE_BRIDGES) == [2, 3]


def test_rates_weigh_half_days_and_flags_weigh_enrolments() -> None:
    """A long enrolment counts more in the rate of absence, and as one in the share persistently absent."""
    marks = [row for n in range(5) for row in register(f"p{n}", 1, SEPTEMBER, ["/"] * 100)]
    marks += register("p5", 1, SEPTEMBER, ["O"] * 4)
    rates = found(absence_rates(year(marks)))[0]
    assert rates["overall_absence_rate"] == pytest.approx(4 / 504)
    assert rates["unauthorised_absence_rate"] == pytest.approx(4 / 504)
    assert rates["persistent_absence_rate"] == rates["severe_absence_rate"] == pytest.approx(1 / 6)


def test_the_order_of_rows_changes_nothing() -> None:
    """Shuffled marks, the same rows to the last digit."""
    marks = with_classmates(register("p0", 1, SEPTEMBER, ["I", "/", "U", "B", "?", "C2"] * 6))
    shuffled = pd.DataFrame(marks).sample(frac=1, random_state=3).itertuples(index=False, name=None)
    rates = [found(absence_rates(year(rows), by=["urn"])) for rows in (marks, list(shuffled))]
    assert rates[0] == rates[1]


BANDS = [f"{low}" for low in range(0, 51, 5)]
PUBLISHED = {"202021": (11.50, 1.14), "202122": (24.05, 2.09), "202223": (21.05, 2.38)}


@pytest.mark.parametrize("period", PUBLISHED)
def test_the_published_persistent_and_severe_absence_of_dorset(real: Path, period: str) -> None:
    """Enrolments of the published bands, each at the very lower edge of its band, give the published shares."""
    path = real / "absence" / "absence_bands_distributions_south_west.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = pd.read_csv(lines, dtype=str)
    own = rows[(rows["new_la_code"].str.strip() == "E06000059") & (rows["time_period"] == period)]
    counts = own.filter(regex=r"^pct").astype(float).sum()
    assert len(counts) == len(BANDS)
    edges = [(int(low), round(n)) for low, n in zip(BANDS, counts, strict=True)]
    enrolments = [(low, 100) for low, n in edges for _ in range(n)]
    columns = {name: [0] * len(enrolments) for name in ("unauthorised", "not_in_use")}
    columns |= {f"marked_{mark}": [0] * len(enrolments) for mark in ("b", "k", "d", "c2", "u")}
    absent = [missed for missed, _ in enrolments]
    flags = {
        "persistently_absent": [10 * missed >= of for missed, of in enrolments],
        "severely_absent": [2 * missed >= of for missed, of in enrolments],
    }
    made = pa.table(
        {"absent": absent, "authorised": absent, "possible": [100] * len(absent), **columns, **flags,
         "left_out": pa.array([None] * len(absent), pa.string())}
    )  # fmt: skip
    rates = found(absence_rates(ibis.memtable(made)))[0]
    shares = (100 * rates["persistent_absence_rate"], 100 * rates["severe_absence_rate"])
    assert shares == pytest.approx(PUBLISHED[period], abs=0.005)
