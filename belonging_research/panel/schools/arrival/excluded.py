"""Two records of the same thing: half-days that the register marks E, and the list of suspensions.

They are kept by different people. Neither is taken for the truth: what differs is counted, and a large difference is a
question to the schools. From the sixth school day of a suspension other provision is due (Education and Inspections
Act 2006, section 100), and half-days there are not marked E.
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa

from belonging_research.outcomes.arrival import excluded_half_days
from belonging_research.outcomes.exclusions import counted
from belonging_research.panel.schools.arrival.school_days import half_term_of, school_days_of
from belonging_research.panel.schools.arrival.shape import NO_SCHOOLS, Arrived, arrived
from belonging_research.panel.schools.study import SchoolStudy
from belonging_research.tables.measures import Amount, Measures, Rate
from belonging_research.tables.school_year import half_terms

NO_LIST = "The council sent no list of suspensions and permanent exclusions"
_BY_HALF_TERM = {
    "half_term": pa.string(),
    "pupils_marked": pa.int64(),
    "half_days_marked": pa.int64(),
    "pupils_listed": pa.int64(),
    "half_days_listed": pa.int64(),
    "marked_less_listed": pa.int64(),
}
_BY_HALF_TERM_COUNTS = Measures(
    pupils=("pupils_marked", "pupils_listed"),
    amounts=(
        Amount(name="half_days_marked", over=("pupils_marked",)),
        Amount(name="half_days_listed", over=("pupils_listed",)),
        Amount(name="marked_less_listed", over=("pupils_marked", "pupils_listed")),
    ),
)
_BY_YEAR = {"period": pa.string(), "what": pa.string(), "found": pa.int64(), "among": pa.int64(), "share": pa.float64()}
_BY_YEAR_COUNTS = Measures(
    pupils=("found", "among"), rates=(Rate(name="share", numerator="found", denominator="among"),)
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _TwoRecords:
    """``marked``: pupil, urn, day, half_days, half_term, period, is_permanent (after a permanent exclusion).

    ``events``: a row a suspension as issued: pupil, urn, period, first_day, sessions; ``listed``: a row a half-day of
    these: event (row of ``events``), pupil, urn, day, half_term. ``permanent``: pupil, urn, first_day, until.
    """

    marked: pd.DataFrame
    events: pd.DataFrame
    listed: pd.DataFrame
    permanent: pd.DataFrame


def register_and_exclusions(study: SchoolStudy | None) -> Arrived:
    """Half-days marked E beside half-days of suspensions as issued that fell on school days, by half-term.

    A suspension is laid over the council's school days from its first on, two half-days each. Half-days after a
    permanent exclusion, whose end no list holds, are in neither (:func:`without_counterpart` counts the pupils); nor
    are suspensions without a length, lunchtimes, or half-days past the last school day.
    """
    nothing = _nothing(study)
    if study is None or nothing:
        return arrived((), _BY_HALF_TERM, _BY_HALF_TERM_COUNTS, nothing=nothing)
    two = study.once("two records of suspensions", lambda: _two_records(study))
    marked = two.marked[~two.marked["is_permanent"]].groupby("half_term").agg(
        pupils_marked=("pupil", "nunique"), half_days_marked=("half_days", "sum")
    )  # fmt: skip
    listed = two.listed.groupby("half_term").agg(pupils_listed=("pupil", "nunique"), half_days_listed=("day", "size"))
    both = marked.join(listed, how="outer").fillna(0).astype(int).sort_index()
    both["marked_less_listed"] = both["half_days_marked"] - both["half_days_listed"]
    rows = pa.Table.from_pandas(both.reset_index(names="half_term"), preserve_index=False).to_pylist()
    return arrived(rows, _BY_HALF_TERM, _BY_HALF_TERM_COUNTS)


def without_counterpart(study: SchoolStudy | None) -> Arrived:
    """What one of the two records has and the other lacks, by academic year: pupils marked E, and suspensions.

    A pupil marked E is on the list where a suspension's half-days touch the year or a permanent exclusion began by its
    end, at any school. A suspension is in the register where its pupil is marked E on one of its days, at any school;
    one without a length on its first.
    """
    nothing = _nothing(study)
    if study is None or nothing:
        return arrived((), _BY_YEAR, _BY_YEAR_COUNTS, nothing=nothing)
    two = study.once("two records of suspensions", lambda: _two_records(study))
    unseen = _not_in_the_register(two)
    rows = [row for period in study.periods for row in _year(two, unseen, period)]
    return arrived(rows, _BY_YEAR, _BY_YEAR_COUNTS)


def _nothing(study: SchoolStudy | None) -> str:
    """What to say where there is nothing to compare. A list that was not sent is no list of nobody."""
    if study is None:
        return NO_SCHOOLS
    return "" if "exclusions" in study.extract.tables else NO_LIST


def _year(two: _TwoRecords, unseen: set[int], period: str) -> list[dict[str, str | int | float | None]]:
    marked = two.marked[two.marked["period"] == period]
    with_mark = set(marked["pupil"])
    touching = set(two.listed.loc[two.listed["half_term"].str.startswith(period), "pupil"])
    end = pd.Timestamp(half_terms(period)[-1].last_day)
    known = touching | set(two.permanent.loc[two.permanent["first_day"] <= end, "pupil"])
    events = two.events[two.events["period"] == period]
    known |= set(events["pupil"])  # without a length they lie on no day
    found = (
        ("pupils marked E who are not on the list", len(with_mark - known), len(with_mark)),
        ("pupils marked E after a permanent exclusion", marked.loc[marked["is_permanent"], "pupil"].nunique(),
         len(with_mark)),
        ("suspensions on the list without a mark E", len(unseen & set(events.index)), len(events)),
        ("suspensions on the list without a length", int(events["sessions"].isna().sum()), len(events)),
    )  # fmt: skip
    return [
        {"period": period, "what": what, "found": int(n), "among": of, "share": n / of if of else None}
        for what, n, of in found
    ]


def _two_records(study: SchoolStudy) -> _TwoRecords:
    marked_half_days = excluded_half_days(study.tables["marks"], study.periods)
    marked = study.engine.to_pyarrow(marked_half_days).to_pandas(date_as_object=False)
    every = [
        counted(study.tables["exclusions"], period=period, counting="issued", as_at=study.extract.date)
        .select("pupil", "urn", "category", "first_day", "sessions", "status", "status_day")
        .mutate(period=ibis.literal(period))
        for period in study.periods
    ]
    events = study.engine.to_pyarrow(ibis.union(*every) if len(every) > 1 else every[0])
    events = events.to_pandas(date_as_object=False).sort_values(["pupil", "urn", "first_day", "category"])
    suspended = events[events["category"] == "suspension"].reset_index(drop=True)
    permanent = events[events["category"] == "permanent"]
    permanent = permanent.assign(
        until=permanent["status_day"].where(permanent["status"].isin(("cancelled", "reinstated")))
    )
    marked["half_term"] = half_term_of(marked["day"], study.periods)
    marked["period"] = marked["half_term"].str.partition(",")[0]
    marked["is_permanent"] = _after_permanent(marked, permanent)
    return _TwoRecords(marked=marked, events=suspended, listed=_half_days(suspended, study), permanent=permanent)


def _after_permanent(marked: pd.DataFrame, permanent: pd.DataFrame) -> pd.Series[bool]:
    """Whether a mark follows its pupil's permanent exclusion from that school, while it stood."""
    joined = marked.reset_index().merge(permanent, on=["pupil", "urn"], suffixes=("", "_event"))
    ended = joined["until"].notna() & (joined["day"] > joined["until"])
    inside = joined.loc[(joined["day"] >= joined["first_day"]) & ~ended, "index"]
    return pd.Series(marked.index.isin(inside), index=marked.index)


def _half_days(suspended: pd.DataFrame, study: SchoolStudy) -> pd.DataFrame:
    """A row a half-day of suspensions with a length, on the council's school days from their first day on."""
    days = school_days_of(study).days
    known = suspended[suspended["sessions"].notna()]
    length = known["sessions"].to_numpy(np.int64)
    event = np.repeat(known.index.to_numpy(), length)
    within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    start = np.searchsorted(days, known["first_day"].to_numpy("datetime64[D]"))
    place = np.repeat(start, length) + within // 2
    event, place = event[place < len(days)], place[place < len(days)]
    rows: pd.DataFrame = suspended.loc[event, ["pupil", "urn"]].reset_index(drop=True)
    return rows.assign(event=event, day=days[place].astype("datetime64[s]"),
                       half_term=half_term_of(days[place], study.periods))  # fmt: skip


def _not_in_the_register(two: _TwoRecords) -> set[int]:
    """Rows of suspensions on none of whose days their pupil is marked E."""
    unknown = two.events[two.events["sessions"].isna()]
    first = pd.DataFrame({"event": unknown.index, "pupil": unknown["pupil"], "day": unknown["first_day"]})
    spans = pd.concat([two.listed[["event", "pupil", "day"]], first.astype({"day": "datetime64[s]"})])
    seen = spans.merge(two.marked[["pupil", "day"]], on=["pupil", "day"])
    return set(two.events.index) - set(seen["event"])
