"""Whether registers were kept: of the half-days on which pupils were enrolled, those that have a mark."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from belonging_research.panel.schools.arrival.school_days import Days, SchoolDays, school_days_of
from belonging_research.panel.schools.arrival.shape import NO_SCHOOLS, Arrived, arrived
from belonging_research.panel.schools.study import SchoolStudy
from belonging_research.tables.measures import Measures, Rate

ENOUGH = 0.9  # of a school's half-days in a week
_COLUMNS = {
    "half_term": pa.string(),
    "weeks": pa.int64(),
    "school_days": pa.int64(),
    "schools": pa.int64(),
    "share_with_marks": pa.float64(),
    "schools_under_90": pa.int64(),
}
# Schools with a gap are held to the limits of pupils: under those of schools, one of them would hide its whole row.
_COUNTS = Measures(
    pupils=("schools_under_90",),
    schools=("schools",),
    rates=(Rate(name="share_with_marks", denominator="schools"),),
    other=("weeks", "school_days"),
)
Ints = NDArray[np.int64]


def coverage_of_weeks(study: SchoolStudy | None) -> Arrived:
    """Half-days with a mark over half-days enrolled, by half-term, and schools with a week in which few have one.

    Of a week in which a school had pupils: two half-days a pupil and school day. ``schools_under_90`` had a week with
    marks on less than 90% of them. ``weeks`` and ``school_days`` are the council's: fewer than usual mean that no
    school sent the others. No share of a school or a pupil leaves this function.
    """
    if study is None:
        return arrived((), _COLUMNS, _COUNTS, nothing=NO_SCHOOLS)
    weeks = school_weeks(study)
    weeks = weeks.assign(under=weeks["written"] < ENOUGH * weeks["enrolled"])
    rows = []
    for half_term, own in weeks.groupby("half_term", sort=True):
        days = own.groupby("week")["school_days"].max()
        rows.append({
            "half_term": str(half_term),
            "weeks": len(days),
            "school_days": int(days.sum()),
            "schools": int(own["urn"].nunique()),
            "share_with_marks": float(own["written"].sum() / own["enrolled"].sum()),
            "schools_under_90": int(own.loc[own["under"], "urn"].nunique()),
        })  # fmt: skip
    return arrived(rows, _COLUMNS, _COUNTS)


def school_weeks(study: SchoolStudy) -> pd.DataFrame:
    """A row a school and week of a half-term with pupils: half_term, week (its Monday), urn, enrolled, written.

    In half-days, and ``school_days`` of the council's week. Not to leave: a small school's row is about its pupils.
    A school's day counts as a closure, and not as a gap, where all it has are marks of one, or where it is the only
    one of its week without any mark: few schools write marks on a day of training. More marks than pupils enrolled
    (marks outside the roll) count as many as there are. Counted once a study; a copy, which its caller may change.
    """
    found: pd.DataFrame = study.once("school weeks", lambda: _school_weeks(study))
    return found.copy()


def _school_weeks(study: SchoolStudy) -> pd.DataFrame:
    open_days = school_days_of(study)
    urns, pupils = _enrolled(study, open_days.days)
    written, closed = _at(open_days, urns)
    weekday = (open_days.days.astype(np.int64) + 3) % 7  # the first day of 1970 was a Thursday
    mondays = open_days.days - weekday.astype("timedelta64[D]")
    week = np.unique(np.char.add(np.char.add(open_days.when, "|"), mondays.astype(str)), return_inverse=True)[1]
    expected = np.where((written == 0) & (closed > 0), 0, 2 * pupils)
    expected[_only_day_without(written + closed, week)] = 0
    counted = np.minimum(written + closed, expected)
    found = pd.DataFrame(
        {
            "half_term": np.tile(open_days.when, len(urns)),
            "week": np.tile(mondays, len(urns)),
            "urn": np.repeat(urns, len(mondays)),
            "enrolled": expected.ravel(),
            "written": counted.ravel(),
            "school_days": 1,
        }
    )
    summed = found.groupby(["half_term", "week", "urn"], as_index=False).sum()
    return summed[summed["enrolled"] > 0].reset_index(drop=True)


def _enrolled(study: SchoolStudy, days: Days) -> tuple[Ints, Ints]:
    """Schools (s,) with pupils, and their pupils on each day (s, n): one enrolled twice at a school is one."""
    columns = study.tables["enrolments"].select("pupil", "urn", "first_day", "last_day")
    rolls: pd.DataFrame = study.engine.to_pyarrow(columns).to_pandas(date_as_object=False)
    rolls = rolls.sort_values(["pupil", "urn", "first_day"], kind="stable")
    first = np.searchsorted(days, rolls["first_day"].to_numpy("datetime64[D]"))
    last = rolls["last_day"].to_numpy("datetime64[D]")
    after = np.where(np.isnat(last), len(days), np.searchsorted(days, last, side="right"))
    # The days that an earlier enrolment of the pupil at the school has counted already.
    until = pd.Series(after, index=rolls.index).groupby([rolls["pupil"], rolls["urn"]]).cummax()
    before = until.groupby([rolls["pupil"], rolls["urn"]]).shift(fill_value=0).to_numpy()
    first = np.maximum(first, before)
    kept = after > first
    urns, place = np.unique(rolls["urn"].to_numpy()[kept], return_inverse=True)
    change = np.zeros((len(urns), len(days) + 1), np.int64)
    np.add.at(change, (place, first[kept]), 1)
    np.add.at(change, (place, after[kept]), -1)
    return urns.astype(np.int64), change.cumsum(axis=1)[:, :-1]


def _at(open_days: SchoolDays, urns: Ints) -> tuple[Ints, Ints]:
    """Half-days written and closed (s, n) by school and school day."""
    rows = open_days.at_schools
    day = rows["day"].to_numpy("datetime64[D]")
    known = np.isin(day, open_days.days) & rows["urn"].isin(urns).to_numpy()
    at = (np.searchsorted(urns, rows["urn"].to_numpy()[known]), np.searchsorted(open_days.days, day[known]))
    found = []
    for name in ("written", "closed"):
        half_days = np.zeros((len(urns), len(open_days.days)), np.int64)
        half_days[at] = rows[name].to_numpy()[known]
        found.append(half_days)
    return found[0], found[1]


def _only_day_without(marks: Ints, week: Ints) -> NDArray[np.bool_]:
    """(s, n) whether a school has no mark on the day, and some on every other day of a week of several."""
    none = marks == 0
    alone = np.zeros(marks.shape, bool)
    for each in range(int(week.max()) + 1 if len(week) else 0):
        own = np.flatnonzero(week == each)
        only = none[:, own].sum(axis=1) == 1
        if len(own) > 1:
            alone[:, own] = none[:, own] & only[:, None]
    return alone
