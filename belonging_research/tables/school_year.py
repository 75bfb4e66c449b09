"""Terms and half-terms of the absence statistics, which follow Easter and not a school's own calendar.

Source: the collection windows of the school census ("Pupil absence in schools in England", methodology): autumn term
to 31 December, spring term to Easter Sunday, half-term 5 from Easter Monday to the Sunday before the spring bank
holiday, half-term 6 from then to 31 July. The census does not divide autumn and spring. Here they are divided at the
last Monday of October and in the middle of the spring term, which fall in or beside the usual weeks off.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from dateutil.easter import easter

from belonging_research.tables.years import first_year

Term = Literal["autumn", "spring", "summer"]

# The last Monday in May, but for years in which it was moved for a jubilee (royal proclamations).
_MOVED = {2002: dt.date(2002, 6, 4), 2012: dt.date(2012, 6, 4), 2022: dt.date(2022, 6, 2)}
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfTerm:
    """One of six in an academic year (``"2024/25"``): ``first_day`` and ``last_day`` inclusive."""

    period: str
    number: int
    term: Term
    first_day: dt.date
    last_day: dt.date


def spring_bank_holiday(year: int) -> dt.date:
    """The day of the spring bank holiday in England."""
    last = dt.date(year, 5, 31)
    return _MOVED.get(year, last - last.weekday() * _DAY)


def january_census(period: str) -> dt.date:
    """The day of the spring school census of an academic year: the third Thursday of January."""
    first = dt.date(first_year(period) + 1, 1, 1)
    return first + ((3 - first.weekday()) % 7 + 14) * _DAY


def half_terms(period: str) -> tuple[HalfTerm, ...]:
    """The six half-terms of an academic year, without gap from 1 August to 31 July."""
    autumn, year = first_year(period), first_year(period) + 1
    october, new_year, easter_day = dt.date(autumn, 10, 31), dt.date(year, 1, 1), easter(year)
    holiday = spring_bank_holiday(year)
    starts: tuple[tuple[dt.date, Term], ...] = (
        (dt.date(autumn, 8, 1), "autumn"),
        (october - october.weekday() * _DAY, "autumn"),
        (new_year, "spring"),
        (new_year + (easter_day - new_year) // 2, "spring"),
        (easter_day + _DAY, "summer"),
        (holiday - holiday.weekday() * _DAY, "summer"),  # the Monday of that week: half-term 5 ends on a Sunday
    )
    ends = [start - _DAY for start, _ in starts[1:]] + [dt.date(year, 7, 31)]
    return tuple(
        HalfTerm(period=period, number=number, term=term, first_day=first, last_day=last)
        for number, ((first, term), last) in enumerate(zip(starts, ends, strict=True), start=1)
    )
