"""A council's marks to absence by the Department's definitions, as expressions that any query engine can run.

Sources: "Pupil absence in schools in England", methodology (who is counted, which half-days, persistent and severe
absence) and the register codes of :mod:`tables.register_codes`. Every function takes Ibis tables of
:mod:`tables.council` and returns one; nothing is read before the caller executes it.

Traps that the rules here avoid: engines divide integers, sort nulls and write a backslash each in their own way, so
marks and days are joined from tables, thresholds are compared on whole numbers, and sums are cast to 64 bits.
"""

from __future__ import annotations

import datetime as dt
import functools
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import ibis
import pyarrow as pa
from ibis.expr.types import BooleanValue, IntegerColumn, IntegerScalar, Table

from belonging_research.outcomes.expressions import number, proportion
from belonging_research.tables.register_codes import (
    CODE_BRIDGES,
    CODES_CHANGED,
    POSSIBLE,
    REGISTER_CODES,
    WATCHED_MARKS,
    Counts,
)
from belonging_research.tables.school_year import half_terms
from belonging_research.tables.years import first_year

Window = Literal["full_year", "two_terms", "autumn_term"]
# Absence over part of a year is no guide to that of the whole, and persistent absence least of all: each number is of
# one of the windows that the Department publishes.
WINDOWS: dict[Window, tuple[int, ...]] = {
    "autumn_term": (1, 2),
    "two_terms": (1, 2, 3, 4),
    "full_year": (1, 2, 3, 4, 5, 6),
}
YOUNGEST, OLDEST = 5, 15
FEWEST_ENROLMENTS = 6

_ENROLMENT = ("pupil", "urn")
_CLASSES: tuple[Counts, ...] = get_args(Counts)
_MARKED = sorted({*WATCHED_MARKS, *(mark for bridge in CODE_BRIDGES.values() for mark in bridge.marks)})


def session_counts(marks: Table, periods: Sequence[str]) -> Table:
    """Half-days of each enrolment by half-term and how they count: one row per pupil, urn, period, half_term.

    ``possible``, ``present``, ``approved_activity``, ``authorised``, ``unauthorised``, ``not_possible`` and
    ``administrative`` are half-days; ``not_in_use`` those without a mark or with one that was no code on its day, which
    are in none of the others and never an absence; ``marked_b`` and so on those with a mark of :data:`WATCHED_MARKS`
    or of a bridge, while it was a code. Each mark counts as on its day (:func:`bridged` for another way). Marks of
    other years than ``periods`` are left out.
    """
    halves = [half for period in periods for half in half_terms(period)]
    coded = _coded(marks, [(half.first_day, half.last_day) for half in halves])
    watched = {f"marked_{mark.lower()}": _half_days(coded, coded.watched == n) for n, mark in enumerate(_MARKED)}
    summed = coded.group_by([*_ENROLMENT, "span"]).aggregate(**_by_class(coded), **watched)
    names = {
        "period": [half.period for half in halves],
        "half_term": pa.array([half.number for half in halves], pa.int64()),
    }
    return _named(summed, names)


def school_week_sessions(marks: Table, periods: Sequence[str]) -> Table:
    """Half-days of each school by week and how they count: one row per urn, period and ``week``, its Monday.

    ``possible`` to ``not_in_use`` are half-days as of :func:`session_counts`, of everybody in the register whatever
    their age: what arrived, and no published rate. A school that sent nothing has no row.
    """
    weeks = [(period, monday, first, last) for period in periods for monday, first, last in _weeks(period)]
    coded = _coded(marks, [(first, last) for _, _, first, last in weeks])
    summed = coded.group_by(["urn", "span"]).aggregate(**_by_class(coded))
    names = {"period": [week[0] for week in weeks], "week": pa.array([week[1] for week in weeks], pa.date32())}
    return _named(summed, names)


def bridged(counts: Table, bridges: Sequence[str]) -> Table:
    """Counts of :func:`session_counts` with the marks of some :data:`CODE_BRIDGES` counted as these say, in all years.

    Every mark of a bridge has one class while it is a code, so that its half-days can be moved after they are added up.
    """
    moved: dict[str, IntegerColumn] = {}
    for bridge in (CODE_BRIDGES[name] for name in bridges):
        for mark in bridge.marks:
            half_days = counts[f"marked_{mark.lower()}"]
            own = next(code.counts for code in REGISTER_CODES if code.mark == mark)
            moved[own] = moved.get(own, counts[own]) - half_days
            moved[bridge.counts] = moved.get(bridge.counts, counts[bridge.counts]) + half_days
    return counts.mutate(**moved)


def marks_not_in_use(marks: Table) -> Table:
    """Marks that were no register code on their day, and how many of each: never taken for presence or absence."""
    coded = marks.mutate(is_new=marks.day >= ibis.literal(CODES_CHANGED))
    codes = _codes()
    unknown = coded.anti_join(codes, [coded.mark == codes.code, coded.is_new == codes.code_is_new])
    return unknown.group_by("mark").aggregate(marks=unknown.count()).order_by("mark")


def enrolment_absence(
    counts: Table, pupils: Table, enrolments: Table, schools: Table, *, period: str, window: Window = "full_year"
) -> Table:
    """Absence of each enrolment over a window, by the counting rules of the published statistics.

    ``counts`` is of :func:`session_counts`. One row per pupil and urn with marks in the window: half-days as there,
    ``absent``, ``age`` on 31 August before the year, ``persistently_absent`` (a tenth of its possible half-days or
    more) and ``severely_absent`` (half or more), null where nothing was possible or where marks that were no code
    could tip it; and ``left_out``: why it is not counted, null where it is. The first reason that applies is given:

    ``age_not_known``; ``not_aged_5_to_15``; ``boarder``; ``alternative_provision``; ``school_not_known``;
    ``began_in_half_term_6``; ``no_possible_sessions``; ``school_under_6_enrolments``. Half-term 6 of those aged 15 is
    in no count (study leave). Boarding that is not recorded leaves nobody out.
    """
    last = half_terms(period)[5].first_day
    counted = counts.filter(counts.period == period, counts.half_term.isin(WINDOWS[window]))
    aged = counted.left_join(ages(pupils, period), "pupil").drop("pupil_right")
    aged = aged.filter(~((aged.half_term == 6) & (aged.age == OLDEST)).fill_null(False))
    names = [name for name in aged.columns if name not in (*_ENROLMENT, "period", "half_term", "age")]
    summed = aged.group_by(list(_ENROLMENT)).aggregate(
        age=aged.age.max(), **{name: aged[name].sum().cast("int64") for name in names}
    )
    rolls = enrolments.group_by(list(_ENROLMENT)).aggregate(
        began=enrolments.first_day.min(), is_boarder=enrolments.is_boarder.fill_null(False).max()
    )
    whole = summed.left_join(rolls, list(_ENROLMENT)).drop("pupil_right", "urn_right")
    whole = whole.left_join(schools.select("urn", "is_alternative_provision"), "urn").drop("urn_right")
    whole = whole.mutate(absent=whole.authorised + whole.unauthorised)
    reason = ibis.cases(
        (whole.age.isnull(), "age_not_known"),
        (~whole.age.between(YOUNGEST, OLDEST), "not_aged_5_to_15"),
        (whole.is_boarder.fill_null(False), "boarder"),
        (whole.is_alternative_provision.isnull(), "school_not_known"),
        (whole.is_alternative_provision, "alternative_provision"),
        ((whole.began >= ibis.literal(last)).fill_null(False), "began_in_half_term_6"),
        (whole.possible == 0, "no_possible_sessions"),
    )
    judged = whole.mutate(left_out=reason)
    # The rule is of enrolments aged 5 to 15, whatever else leaves them out.
    small = ibis.window(group_by="urn")
    of_age = number(judged.age.between(YOUNGEST, OLDEST).fill_null(False)).over(small)
    judged = judged.mutate(
        left_out=ibis.ifelse(
            judged.left_out.isnull() & (of_age < FEWEST_ENROLMENTS), "school_under_6_enrolments", judged.left_out
        )
    )
    return judged.mutate(
        persistently_absent=_is_at_least(judged, one_in=10), severely_absent=_is_at_least(judged, one_in=2)
    ).drop("began", "is_boarder", "is_alternative_provision")


def absence_rates(absence: Table, by: Sequence[str] = ()) -> Table:
    """Rates of the enrolments that count, as proportions, all of them or by columns of ``absence``.

    ``enrolments``, ``possible``, ``overall_absence_rate``, ``authorised_absence_rate``,
    ``unauthorised_absence_rate``, ``persistent_absence_rate``, ``severe_absence_rate``, and the share of possible
    half-days with each watched mark (``share_b``; D is no possible half-day, and its share is over these all the same).
    Rates of absence weigh every half-day alike; persistent and severe absence every enrolment whose answer is known:
    ``flags_not_known`` counts the others, ``not_in_use`` the half-days that are in no rate.
    """
    kept = absence.filter(absence.left_out.isnull())
    possible = kept.possible.sum().cast("int64")
    parts = {
        "overall_absence_rate": kept.absent,
        "authorised_absence_rate": kept.authorised,
        "unauthorised_absence_rate": kept.unauthorised,
        **{f"share_{mark.lower()}": kept[f"marked_{mark.lower()}"] for mark in WATCHED_MARKS},
    }
    shares = {name: proportion(column.sum().cast("int64"), possible) for name, column in parts.items()}
    flags = {
        "persistent_absence_rate": proportion(number(kept.persistently_absent), kept.persistently_absent.count()),
        "severe_absence_rate": proportion(number(kept.severely_absent), kept.severely_absent.count()),
    }
    unknown = {"not_in_use": kept.not_in_use.sum().cast("int64"), "flags_not_known": number(_flags_not_known(kept))}
    grouped = kept.group_by(list(by)) if by else kept
    found = grouped.aggregate(enrolments=kept.count(), possible=possible, **shares, **flags, **unknown)
    return found.order_by(list(by)) if by else found


def left_out(absence: Table) -> Table:
    """How many enrolments each counting rule leaves out, by its reason."""
    gone = absence.filter(absence.left_out.notnull())
    return gone.group_by("left_out").aggregate(enrolments=gone.count()).order_by("left_out")


def ages(pupils: Table, period: str) -> Table:
    """Age on 31 August before the year, columns pupil, age: a month of birth is enough, as that is its last day."""
    year, month = pupils.birth_month.year(), pupils.birth_month.month()
    age = first_year(period) - year - (month > 8).cast("int64")
    return pupils.select("pupil", age=age.cast("int64"))


def _is_at_least(enrolment: Table, *, one_in: int) -> BooleanValue:
    """Whether one half-day in so many or more was missed, whatever the marks that were no code stand for.

    On whole numbers: in floating point 38 of 380 falls on either side. Null where nothing was possible or the unknown
    half-days, all present or all absent, would change the answer.
    """
    missed, possible, unknown = enrolment.absent, enrolment.possible, enrolment.not_in_use
    surely = missed * one_in >= possible + unknown
    perhaps = (missed + unknown) * one_in >= possible + unknown
    return ibis.ifelse((possible > 0) & (surely == perhaps), surely, ibis.null("boolean"))


def _flags_not_known(enrolment: Table) -> BooleanValue:
    return enrolment.persistently_absent.isnull() | enrolment.severely_absent.isnull()


def _half_days(coded: Table, where: BooleanValue) -> IntegerScalar:
    half_days: IntegerScalar = coded.count(where=where).cast("int64")
    return half_days


def _by_class(coded: Table) -> dict[str, IntegerScalar]:
    """Half-days of each class; without one, not in use."""
    counts: dict[str, IntegerScalar] = {
        name: _half_days(coded, coded.class_number == n) for n, name in enumerate(_CLASSES)
    }
    return {"not_in_use": _half_days(coded, coded.class_number.isnull()), **counts}


def _coded(marks: Table, spans: Sequence[tuple[dt.date, dt.date]]) -> Table:
    """Marks of some spans of days (first and last), with the number of their span, of their class and as watched.

    Class and mark are small whole numbers until all is added up: counting by text costs engines half as much again.
    """
    days = [
        (first + dt.timedelta(days=n), span)
        for span, (first, last) in enumerate(spans)
        for n in range((last - first).days + 1)
    ]
    day, span = (list(column) for column in zip(*days, strict=True))
    calendar = ibis.memtable(
        pa.table(
            {
                "calendar_day": pa.array(day, pa.date32()),
                "span": pa.array(span, pa.int32()),
                "is_new": [each >= CODES_CHANGED for each in day],
            }
        )
    )
    codes = _codes()
    dated = marks.inner_join(calendar, marks.day == calendar.calendar_day)
    return dated.left_join(codes, [dated.mark == codes.code, dated.is_new == codes.code_is_new])


def _named(summed: Table, names: Mapping[str, Any]) -> Table:
    """Sums by ``span`` with what each span is called, and the half-days that could have been attended."""
    spans = ibis.memtable(pa.table({"span_number": pa.array(range(len(names["period"])), pa.int32()), **names}))
    named = summed.inner_join(spans, summed.span == spans.span_number).drop("span", "span_number")
    possible = functools.reduce(operator.add, (named[name] for name in POSSIBLE))
    return named.mutate(possible=possible).relocate(*names, "possible", after="urn")


def _codes() -> Table:
    """Register codes with the side of August 2024 on which each was in use, its class and its place in _MARKED."""
    rows = [
        (code.mark, is_new, _CLASSES.index(code.counts), _MARKED.index(code.mark) if code.mark in _MARKED else -1)
        for code in REGISTER_CODES
        for is_new in (False, True)
        if (code.first_day is None or is_new) and (code.last_day is None or not is_new)
    ]
    code, is_new, number_of_class, watched = (list(column) for column in zip(*rows, strict=True))
    columns = {
        "code": code,
        "code_is_new": is_new,
        "class_number": pa.array(number_of_class, pa.int8()),
        "watched": pa.array(watched, pa.int8()),
    }
    return ibis.memtable(pa.table(columns))


def _weeks(period: str) -> Iterator[tuple[dt.date, dt.date, dt.date]]:
    """Every week of an academic year: its Monday, and its first and last day in the year."""
    halves = half_terms(period)
    first, last = halves[0].first_day, halves[-1].last_day
    monday = first - dt.timedelta(days=first.weekday())
    while monday <= last:
        yield monday, max(monday, first), min(monday + dt.timedelta(days=6), last)
        monday += dt.timedelta(days=7)
