"""Rows of the roll to enrolments with dates: a pupil's stretches at one school, joined from year to year."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from belonging_research.simulate.councils import Ints
from belonging_research.simulate.county.county import County
from belonging_research.simulate.county.roll import MAIN, STATUSES, SUBSIDIARY
from belonging_research.simulate.county.school_days import TEACHING_DAYS, school_days
from belonging_research.simulate.county.schools import TIERS
from belonging_research.simulate.county.worlds import CountyWorld
from belonging_research.tables.council import ENROLMENTS

Days = NDArray[np.datetime64]
NO_DAY = np.datetime64("NaT", "D")


def teaching_calendar(world: CountyWorld) -> Days:
    """(periods, 190) the days with pupils of each academic year."""
    years = [school_days(period) for period in world.periods]
    return np.stack([year.days[year.teaching] for year in years])


def enrolments(county: County) -> pa.Table:
    """The table ENROLMENTS, by its key. Who was there before the first period began when their tier did.

    Nobody boards. A school's last day on roll in a year is 31 August for those who leave it with the year.
    """
    roll, world = county.roll, county.world
    is_subsidiary = roll.status == SUBSIDIARY
    order = np.lexsort((roll.first, roll.period, is_subsidiary, roll.school, roll.pupil))
    pupil, school, period = roll.pupil[order], roll.school[order], roll.period[order]
    first, until, subsidiary = roll.first[order], roll.until[order], is_subsidiary[order]
    same = (pupil[1:] == pupil[:-1]) & (school[1:] == school[:-1]) & (subsidiary[1:] == subsidiary[:-1])
    next_year = (period[1:] == period[:-1] + 1) & (until[:-1] == TEACHING_DAYS) & (first[1:] == 0)
    goes_on = same & (next_year | ((period[1:] == period[:-1]) & (first[1:] == until[:-1])))
    begins = np.flatnonzero(np.append(True, ~goes_on))
    ends = np.append(begins[1:] - 1, len(pupil) - 1)
    is_dual = np.maximum.reduceat((roll.status[order] == MAIN).astype(int), begins) == 1
    status = np.where(subsidiary[begins], "S", np.where(is_dual, "M", STATUSES[0]))
    columns = {
        "pupil": county.pupils.code[pupil[begins]],
        "urn": county.schools.urn[school[begins]].astype(np.int32),
        "first_day": _first_days(county, pupil[begins], school[begins], period[begins], first[begins]),
        "last_day": _last_days(world, period[ends], until[ends]),
        "is_boarder": np.zeros(len(begins), bool),
        "status": status,
    }
    return as_table(ENROLMENTS.schema, columns)


def _first_days(county: County, pupil: Ints, school: Ints, period: Ints, first: Ints) -> Days:
    """First day on roll; for the first period's pupils 1 September of the year in which they came by their age."""
    world = county.world
    tier_begins = np.array([TIERS[tier][0] for tier in county.schools.tier])[school]
    years_there = np.where(period == 0, period - county.pupils.entry[pupil] - tier_begins, 0)
    september = ((world.first_period + period - years_there - 1970) * 12 + 8).astype("datetime64[M]")
    day = teaching_calendar(world)[period, np.minimum(first, TEACHING_DAYS - 1)]
    return np.where(first == 0, september.astype("datetime64[D]"), day)


def _last_days(world: CountyWorld, period: Ints, until: Ints) -> Days:
    """Last day on roll, NaT for who is still there when registers end."""
    august = ((world.first_period + period + 1 - 1970) * 12 + 8).astype("datetime64[M]").astype("datetime64[D]")
    day = np.where(until == TEACHING_DAYS, august - np.timedelta64(1, "D"), teaching_calendar(world)[period, until - 1])
    return np.where((until == TEACHING_DAYS) & (period == world.n_periods - 1), NO_DAY, day)


def as_table(schema: pa.Schema, columns: Mapping[str, object]) -> pa.Table:
    """Columns as arrays or lists to a table of a schema; NaT, None and empty text become null."""
    made = {}
    for field in schema:
        values = columns[field.name]
        if isinstance(values, np.ndarray) and values.dtype.kind == "U":
            text = pa.array(values, pa.string())
            made[field.name] = pa.compute.if_else(pa.compute.equal(text, ""), pa.scalar(None, pa.string()), text)
        else:
            made[field.name] = pa.array(values, field.type)
    return pa.table(made, schema=schema)


def as_date(day: np.datetime64) -> dt.date:
    """A day of numpy as one of Python."""
    return dt.date.fromisoformat(str(day))
