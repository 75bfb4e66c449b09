"""A council's marks and events by school and half-term, and the pupils who are followed, as engine-independent sums.

Rows of the school panel. Two populations: all enrolments that the published statistics count, at the school where they
are; and a fixed pupil cohort (:func:`pupil_cohort`), which belongs to its baseline school for good, so that neither a
move nor a departure from the roll can pass for an effect (intention to treat).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import ibis
import pyarrow as pa
from ibis.expr.types import IntegerColumn, Table

from belonging_research.outcomes.exclusions import Counting, counted
from belonging_research.outcomes.expressions import number
from belonging_research.outcomes.registers import OLDEST, YOUNGEST, ages, enrolment_absence
from belonging_research.tables.school_year import half_terms, january_census
from belonging_research.tables.years import first_year

_ON_ROLL = ("C", "M")
_EVENTS = ("suspensions", "permanent_exclusions", "pupils_suspended")


def judged_enrolments(
    counts: Table, pupils: Table, enrolments: Table, schools: Table, *, periods: Sequence[str]
) -> Table:
    """Who a year's published absence counts, a year at a time: pupil, urn, period, age, left_out (null: counted).

    By :func:`registers.enrolment_absence`, which says what the reasons are.
    """
    years = [
        enrolment_absence(counts, pupils, enrolments, schools, period=period).select(
            "pupil", "urn", "age", "left_out", period=ibis.literal(period)
        )
        for period in periods
    ]
    return ibis.union(*years) if len(years) > 1 else years[0]


def school_half_terms(counts: Table, judged: Table) -> Table:
    """Half-days by school and half-term over the enrolments that a year's published absence counts.

    ``counts`` is of :func:`registers.session_counts`, ``judged`` of :func:`judged_enrolments`. One row per urn, period,
    half_term: ``possible``, ``absent`` (half-days) and ``pupils`` with a possible half-day. Half-term 6 of those aged
    15 is in no sum.
    """
    kept = judged.filter(judged.left_out.isnull()).select("pupil", "urn", "period", "age")
    own = counts.inner_join(kept, ["pupil", "urn", "period"])
    own = own.filter(~((own.half_term == 6) & (own.age == OLDEST)))
    # An enrolment has one row a half-term, and a pupil at most one enrolment at a school: rows are pupils.
    return own.group_by(["urn", "period", "half_term"]).aggregate(
        possible=own.possible.sum().cast("int64"),
        absent=(own.authorised + own.unauthorised).sum().cast("int64"),
        pupils=own.count(where=own.possible > 0).cast("int64"),
    ).order_by(["urn", "period", "half_term"])  # fmt: skip


def pupil_cohort(pupils: Table, enrolments: Table, *, baseline: str) -> Table:
    """Pupils aged 5 to 15 and on roll at the January census of ``baseline``: pupil, urn, year_group, rolls.

    ``year_group`` is of the baseline year (age on 31 August less 4), ``urn`` the school at which the pupil was
    registered, single or main of dual, and ``rolls`` at how many: where more than one, the lowest urn stands.
    """
    day = ibis.literal(january_census(baseline))
    there = enrolments.filter(
        enrolments.first_day <= day,
        enrolments.last_day.isnull() | (enrolments.last_day >= day),
        enrolments.status.isin(_ON_ROLL),
    )
    homes = there.group_by("pupil").aggregate(urn=there.urn.min(), rolls=there.urn.nunique().cast("int64"))
    aged = homes.inner_join(ages(pupils, baseline), "pupil")
    of_age = aged.filter(aged.age.between(YOUNGEST, OLDEST))
    return of_age.select("pupil", "urn", year_group=(of_age.age - 4).cast("int64"), rolls=of_age.rolls)


def cohort_half_terms(counts: Table, cohort: Table, *, baseline: str) -> Table:
    """Half-days of a cohort by *baseline* urn, year group and half-term, whatever school its pupils are at.

    ``counts`` is of :func:`registers.session_counts`. One row per urn, year_group, period, half_term: ``possible``
    and ``absent``. Half-terms at which a pupil is younger than 5, older than 15,
    or 15 in half-term 6 are in no sum, as in the published statistics.
    """
    own = _of_countable_age(counts.inner_join(cohort.rename(home="urn"), "pupil"), baseline)
    return own.group_by(["home", "year_group", "period", "half_term"]).aggregate(
        possible=own.possible.sum().cast("int64"),
        absent=(own.authorised + own.unauthorised).sum().cast("int64"),
    ).rename(urn="home")  # fmt: skip


def still_expected(cohort: Table, *, baseline: str, last: tuple[str, int]) -> Table:
    """Pupils of a cohort who are of an age that counts at half-term ``last`` (year, number): the rest did not leave."""
    period, half_term = last
    age = cohort.year_group + 4 + first_year(period) - first_year(baseline)
    return cohort.filter(age.between(YOUNGEST, OLDEST - 1 if half_term == 6 else OLDEST))


def cohort_leavers(counts: Table, cohort: Table, destinations: Table, *, baseline: str, last: tuple[str, int]) -> Table:
    """Pupils of a cohort who should still be in the data at half-term ``last`` (year, number) and are not.

    One row per urn (baseline), year_group and ``kind``: ``pupils``. Not in the data is without a mark in ``last`` and
    in any later half-term; who is past the age that counts did not leave. ``kind`` is that of the newest case of
    :data:`tables.council.DESTINATION_KINDS` begun by the end of ``last``, of two on one day the last by name,
    ``not_recorded`` where there is none: none of these is a failure, home education least of all.
    """
    period, half_term = last
    end = half_terms(period)[half_term - 1].last_day
    expected = still_expected(cohort, baseline=baseline, last=last)
    place = counts.period + "/" + counts.half_term.cast("string")
    seen = counts.filter(place >= ibis.literal(f"{period}/{half_term}")).select("pupil").distinct()
    gone = expected.anti_join(seen, "pupil")
    cases = destinations.filter(destinations.first_day <= ibis.literal(end))
    # Not argmax: of two on one day each engine, and each thread, would take what it met first.
    dated = cases.mutate(dated=cases.first_day.strftime("%Y-%m-%d") + cases.kind)
    newest = dated.group_by("pupil").aggregate(kind=dated.dated.max().substr(len("2024-09-01")))
    known = gone.left_join(newest, "pupil").drop("pupil_right")
    known = known.mutate(kind=known.kind.fill_null("not_recorded"))
    return known.group_by(["urn", "year_group", "kind"]).aggregate(pupils=known.count().cast("int64"))


def pupil_absence(counts: Table, cohort: Table, *, baseline: str, last: tuple[str, int]) -> Table:
    """Half-days of each pupil of a cohort after the ``baseline`` year: pupil, urn, possible, absent, still_there.

    ``urn`` is the baseline school; ``still_there``: with a mark in half-term ``last`` (year, number) or later.
    """
    own = counts.inner_join(cohort.select("pupil", home="urn"), "pupil")
    since = own.filter(own.period > baseline)
    place = since.period + "/" + since.half_term.cast("string")
    there = place >= ibis.literal(f"{last[0]}/{last[1]}")
    return (
        since.group_by(["pupil", "home"])
        .aggregate(
            possible=since.possible.sum().cast("int64"),
            absent=(since.authorised + since.unauthorised).sum().cast("int64"),
            still_there=there.max(),
        )
        .rename(urn="home")
        .order_by("pupil")
    )


def school_events(
    exclusions: Table,
    counts: Table,
    *,
    periods: Sequence[str],
    cohort: Table | None = None,
    counting: Counting = "stood",
    as_at: dt.date | None = None,
) -> Table:
    """Suspensions and permanent exclusions by school and half-term, with the school days over which they fell.

    One row per urn, period, half_term: ``suspensions``, ``permanent_exclusions``, ``pupils_suspended`` (in the
    half-term of their first of the year, so that a year's half-terms add up to its pupils with one or more), ``pupils``
    on roll and ``school_days``: half of the half-days on roll, attended or not, so that what is counted takes nothing
    from its own exposure. With a ``cohort`` (of :func:`pupil_cohort`) both are of its pupils, at their baseline school
    whatever school issued them; without, of all pupils at the school that issued them.
    """
    halves = counts.possible + counts.not_possible + counts.not_in_use
    rolls = counts.mutate(halves=halves).select("pupil", "urn", "period", "half_term", "halves")
    every = [counted(exclusions, period=period, counting=counting, as_at=as_at) for period in periods]
    events = ibis.union(*every) if len(every) > 1 else every[0]
    days = _half_term_starts(periods)
    dated = events.inner_join(days, [events.first_day >= days.opens, events.first_day <= days.closes])
    dated = dated.select("pupil", "urn", "period", "half_term", "category")
    if cohort is not None:
        homes = cohort.select("pupil", home="urn")
        rolls = rolls.inner_join(homes, "pupil").drop("urn").rename(urn="home")
        dated = dated.inner_join(homes, "pupil").drop("urn").rename(urn="home")
    keys = ["urn", "period", "half_term"]
    exposed = rolls.group_by(keys).aggregate(
        school_days=rolls.halves.sum().cast("float64") / 2, pupils=rolls.pupil.nunique().cast("int64")
    )
    suspended = dated.filter(dated.category == "suspension")
    firsts = suspended.group_by(["pupil", "urn", "period"]).aggregate(half_term=suspended.half_term.min())
    once = firsts.group_by(keys).aggregate(pupils_suspended=firsts.count().cast("int64"))
    every = dated.group_by(keys).aggregate(
        suspensions=number(dated.category == "suspension"),
        permanent_exclusions=number(dated.category == "permanent"),
    )
    happened = every.left_join(once, keys).drop("urn_right", "period_right", "half_term_right")
    joined = exposed.outer_join(happened, keys)
    return joined.select(
        **{key: ibis.coalesce(joined[key], joined[f"{key}_right"]) for key in keys},
        school_days=joined.school_days.fill_null(0.0),
        **{name: joined[name].fill_null(0) for name in ("pupils", *_EVENTS)},
    ).order_by(keys)


def _of_countable_age(rows: Table, baseline: str) -> Table:
    """Rows (period, half_term, year_group of the baseline year) at which their pupil's absence counts."""
    started: IntegerColumn = rows.period.substr(0, 4).cast("int64")
    age = rows.year_group + 4 + started - first_year(baseline)
    return rows.filter(age.between(YOUNGEST, OLDEST), ~((rows.half_term == 6) & (age == OLDEST)))


def _half_term_starts(periods: Sequence[str]) -> Table:
    halves = [half for period in periods for half in half_terms(period)]
    columns = {
        "period": [half.period for half in halves],
        "half_term": pa.array([half.number for half in halves], pa.int64()),
        "opens": pa.array([half.first_day for half in halves], pa.date32()),
        "closes": pa.array([half.last_day for half in halves], pa.date32()),
    }
    return ibis.memtable(pa.table(columns))
