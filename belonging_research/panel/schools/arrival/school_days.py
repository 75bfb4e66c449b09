"""On which days a council's schools were open, as their own marks tell: nobody sends a calendar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from belonging_research.outcomes.arrival import days_with_marks
from belonging_research.panel.schools.study import SchoolStudy
from belonging_research.tables.school_year import half_terms

# Of the schools with marks in a year, the share that must have some on a day for it to be a school day.
OPEN_SHARE = 0.5
Days = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SchoolDays:
    """``days`` (n,) in order on which at least half of the schools have marks; ``when`` (n,) the half-term of each.

    ``at_schools``: urn, day, written, closed of :func:`outcomes.arrival.days_with_marks`, on all days.
    """

    days: Days
    when: NDArray[np.str_]
    at_schools: pd.DataFrame


def half_term_words(period: str, number: int) -> str:
    """``"2024/25, half-term 1"``."""
    return f"{period}, half-term {number}"


def school_days_of(study: SchoolStudy) -> SchoolDays:
    """The council's school days in the years of a study. A day that no school sent cannot be seen here.

    Marks of a planned closure make no school day: a training day is none where most schools have it.
    """
    return study.once("school days", lambda: _found(study))


def _found(study: SchoolStudy) -> SchoolDays:
    by_day_and_school = days_with_marks(study.tables["marks"], study.periods)
    at_schools: pd.DataFrame = study.engine.to_pyarrow(by_day_and_school).to_pandas(date_as_object=False)
    first_days, words = _half_terms(study.periods)
    at = np.searchsorted(first_days, at_schools["day"].to_numpy("datetime64[D]"), side="right") - 1
    open_there = at_schools[at_schools["written"] > 0].assign(year=(at // 6)[at_schools["written"] > 0])
    schools = open_there.groupby("year")["urn"].nunique()
    by_day = open_there.groupby("day").agg(urns=("urn", "nunique"), year=("year", "first"))
    is_open = by_day["urns"] >= OPEN_SHARE * by_day["year"].map(schools)
    days = np.sort(by_day.index[is_open].to_numpy("datetime64[D]"))
    when = words[np.searchsorted(first_days, days, side="right") - 1]
    return SchoolDays(days=days, when=when, at_schools=at_schools)


def half_term_of(days: Any, periods: Sequence[str]) -> NDArray[np.str_]:
    """The half-term, in words, of days within some academic years."""
    first_days, words = _half_terms(periods)
    found: NDArray[np.str_] = words[np.searchsorted(first_days, np.asarray(days, "datetime64[D]"), side="right") - 1]
    return found


def _half_terms(periods: Sequence[str]) -> tuple[Days, NDArray[np.str_]]:
    halves = [half for period in periods for half in half_terms(period)]
    first = np.array([half.first_day for half in halves], "datetime64[D]")
    return first, np.array([half_term_words(half.period, half.number) for half in halves])
