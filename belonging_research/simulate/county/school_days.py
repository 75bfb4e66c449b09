"""The days on which the made-up county's schools are open: 190 with pupils and 5 of training in an academic year.

Holidays are like most English councils': a week in the middle of each term, two at Christmas and two at Easter. Each
half-term of :func:`tables.school_year.half_terms` therefore begins in or beside a holiday, and no day is in two.
"""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass

import numpy as np
from dateutil.easter import easter
from numpy.typing import NDArray

from belonging_research.simulate.councils import Floats, Ints
from belonging_research.tables import first_year
from belonging_research.tables.school_year import half_terms, spring_bank_holiday

TEACHING_DAYS, TRAINING_DAYS = 190, 5
N_DAYS = TEACHING_DAYS + TRAINING_DAYS
_DAY = dt.timedelta(days=1)
# The early May bank holiday was moved or doubled in these years, and schools closed for a state funeral.
_FUNERAL = dt.date(2022, 9, 19)
_MAY_HOLIDAYS = {2020: (dt.date(2020, 5, 8),), 2023: (dt.date(2023, 5, 1), dt.date(2023, 5, 8))}


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolDays:
    """Days of one academic year, training days among them. Arrays are (195,) unless said otherwise.

    ``half_term`` 1 to 6; ``week`` from 0, school weeks only; ``is_training``; ``season``: what absence is multiplied
    by on the day, with mean 1: illness makes winter about a quarter worse than summer. ``teaching`` (190,): places of
    the days with pupils.
    """

    period: str
    days: NDArray[np.datetime64]
    half_term: Ints
    week: Ints
    is_training: NDArray[np.bool_]
    teaching: Ints
    season: Floats


@functools.cache
def school_days(period: str) -> SchoolDays:
    """The school days of an academic year, ``"2024/25"``; one object a year, whose arrays nobody may write to."""
    closed = _holidays(period)
    day = dt.date(first_year(period), 9, 1)
    found: list[dt.date] = []
    while len(found) < N_DAYS:
        if day.weekday() < 5 and day not in closed:
            found.append(day)
        day += _DAY
    days = np.array(found, "datetime64[D]")
    starts = np.array([half.first_day for half in half_terms(period)], "datetime64[D]")
    mondays = days - np.array([each.weekday() for each in found]).astype("timedelta64[D]")
    is_training = np.zeros(N_DAYS, bool)
    new_year = np.datetime64(f"{first_year(period) + 1}-01-01")
    is_training[[0, 1, int(np.searchsorted(days, new_year)), N_DAYS - 2, N_DAYS - 1]] = True
    turn = 2 * np.pi * (days - new_year).astype(float) / 365.25
    season = 1 + 0.13 * np.cos(turn - 0.15)
    made = SchoolDays(
        period=period,
        days=days,
        half_term=np.searchsorted(starts, days, side="right"),
        week=np.unique(mondays, return_inverse=True)[1],
        is_training=is_training,
        teaching=np.flatnonzero(~is_training),
        season=season / season[~is_training].mean(),
    )
    for values in (made.days, made.half_term, made.week, made.is_training, made.teaching, made.season):
        values.flags.writeable = False
    return made


def _holidays(period: str) -> set[dt.date]:
    """Weekdays of the academic year on which schools are closed."""
    halves, year = half_terms(period), first_year(period)
    christmas = dt.date(year, 12, 21) - dt.date(year, 12, 21).weekday() * _DAY
    february = halves[3].first_day - halves[3].first_day.weekday() * _DAY
    spring = spring_bank_holiday(year + 1)
    weeks = [
        (halves[1].first_day, 1),
        (christmas if dt.date(year, 12, 21).weekday() < 3 else christmas + 7 * _DAY, 2),
        (february, 1),
        (easter(year + 1) - 6 * _DAY, 2),
        (spring - spring.weekday() * _DAY, 1),
    ]
    closed = {monday + n * _DAY for monday, count in weeks for n in range(7 * count)}
    may = dt.date(year + 1, 5, 1)
    closed.update({dt.date(year + 1, 1, 1) + n * _DAY for n in range(3) if dt.date(year + 1, 1, 1).weekday() >= 5})
    closed.add(_FUNERAL)
    closed.update(_MAY_HOLIDAYS.get(year + 1, (may + (-may.weekday() % 7) * _DAY,)))
    return closed
