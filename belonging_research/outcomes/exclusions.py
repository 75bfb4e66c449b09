"""A council's suspensions and permanent exclusions to the Department's measures, as engine-independent expressions.

Sources: "Suspensions and permanent exclusions in England", methodology: events over sole and dual main registrations
at the January census, pupils with one or more over the same, at most 45 school days an academic year. Counts start
from the events and never from the roll: who has left a school stays in its figures.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal

import ibis
from ibis.expr.types import Table

from belonging_research.outcomes.expressions import number, proportion
from belonging_research.tables.school_year import half_terms, january_census

Counting = Literal["stood", "issued"]
_UNDONE = ("cancelled", "reinstated")
_ON_ROLL = ("C", "M")
MOST_SESSIONS = 90  # 45 school days in an academic year, over all schools


def counted(exclusions: Table, *, period: str, counting: Counting = "stood", as_at: dt.date | None = None) -> Table:
    """Suspensions and permanent exclusions of an academic year that count; lunchtimes never do.

    ``stood`` leaves out those that were cancelled or whose pupil was reinstated by ``as_at`` (without it, ever);
    ``issued`` takes all. Only what had begun by ``as_at`` counts.
    """
    days = half_terms(period)
    first, last = days[0].first_day, days[-1].last_day
    own = exclusions.filter(
        exclusions.category.isin(("suspension", "permanent")),
        exclusions.first_day.between(ibis.literal(first), ibis.literal(min(last, as_at or last))),
    )
    if counting == "issued":
        return own
    undone = own.status.isin(_UNDONE)
    if as_at is not None:
        # One that has no day is taken as undone: it was so when the extract was made.
        undone = undone & (own.status_day.fill_null(ibis.literal(first)) <= ibis.literal(as_at))
    return own.filter(~undone)


def headcount(enrolments: Table, period: str) -> Table:
    """Pupils on roll at the January census, sole and dual main registrations, by urn: columns urn, headcount."""
    day = ibis.literal(january_census(period))
    there = enrolments.filter(
        enrolments.first_day <= day,
        (enrolments.last_day.isnull()) | (enrolments.last_day >= day),
        enrolments.status.isin(_ON_ROLL),
    )
    return there.group_by("urn").aggregate(headcount=there.pupil.nunique().cast("int64"))


def school_days(counts: Table) -> Table:
    """School days on which each pupil was on roll, the exposure of counts: columns pupil, urn, school_days.

    Of :func:`registers.session_counts`: half of all half-days with a mark of the pupil, attended or not, possible or
    not. Never attended half-days, which what is counted would itself take away.
    """
    halves = counts.possible + counts.not_possible + counts.not_in_use
    return counts.group_by(["pupil", "urn"]).aggregate(school_days=halves.sum().cast("float64") / 2)


def exclusion_counts(events: Table, by: Sequence[str] = ("urn",)) -> Table:
    """Events of :func:`counted` by columns of theirs: suspensions, permanent_exclusions, pupils_suspended and lengths.

    ``sessions_lost`` are half-days of suspensions; ``sessions_not_known`` counts suspensions without a length, which
    are in no sum. ``pupils_suspended`` are distinct within each group.
    """
    suspended = events.category == "suspension"
    return events.group_by(list(by)).aggregate(
        suspensions=number(suspended),
        permanent_exclusions=number(events.category == "permanent"),
        pupils_suspended=events.pupil.nunique(where=suspended).cast("int64"),
        sessions_lost=ibis.ifelse(suspended, events.sessions, 0).sum().cast("int64"),
        sessions_not_known=number(suspended & events.sessions.isnull()),
    )


def exclusion_rates(events: Table, enrolments: Table, *, period: str) -> Table:
    """Rates by school over its January roll, as events or pupils per pupil: one row per urn with a roll or an event.

    ``headcount``, the counts of :func:`exclusion_counts`, ``suspension_rate``, ``permanent_exclusion_rate``,
    ``pupils_with_one_or_more_suspensions_rate``; null where nobody was on roll in January. A pupil suspended by two
    schools is one at each.
    """
    joined = headcount(enrolments, period).outer_join(exclusion_counts(events), "urn")
    names = [name for name in joined.columns if name not in ("urn", "urn_right", "headcount")]
    rows = joined.select(
        urn=ibis.coalesce(joined.urn, joined.urn_right),
        headcount=joined.headcount.fill_null(0),
        **{name: joined[name].fill_null(0) for name in names},
    )
    return rows.mutate(
        suspension_rate=proportion(rows.suspensions, rows.headcount),
        permanent_exclusion_rate=proportion(rows.permanent_exclusions, rows.headcount),
        pupils_with_one_or_more_suspensions_rate=proportion(rows.pupils_suspended, rows.headcount),
    ).order_by("urn")


def over_the_limit(exclusions: Table, *, period: str) -> Table:
    """Pupils suspended for more than 45 school days in an academic year: columns pupil, sessions. A fault to look at.

    Over all schools, as issued: days that were served before a cancellation count towards the limit.
    """
    issued = counted(exclusions, period=period, counting="issued")
    suspended = issued.filter(issued.category == "suspension")
    by_pupil = suspended.group_by("pupil").aggregate(sessions=suspended.sessions.sum().cast("int64"))
    return by_pupil.filter(by_pupil.sessions > MOST_SESSIONS).order_by("pupil")
