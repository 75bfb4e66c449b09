"""What a council's marks say of the register itself: where it was kept, and where it says that a pupil was excluded.

Engine-independent sums over :data:`tables.council.MARKS`, small enough to be read whole: a row a school and day, or a
row a pupil and day with one rare mark.
"""

from __future__ import annotations

from collections.abc import Sequence

import ibis
from ibis.expr.types import Table

from belonging_research.outcomes.expressions import number
from belonging_research.tables.school_year import half_terms

EXCLUDED_MARK, CLOSED_MARK = "E", "#"
_BLANK = ("", "-")


def days_with_marks(marks: Table, periods: Sequence[str]) -> Table:
    """Half-days by school and day of some academic years: urn, day, ``written`` and ``closed``.

    ``written`` have a mark, whatever it says of the pupil; ``closed`` that of a planned closure. A blank is no mark.
    """
    own = _within(marks, periods)
    own = own.filter(own.mark.notnull(), own.mark.notin(_BLANK))
    return own.group_by(["urn", "day"]).aggregate(
        written=number(own.mark != CLOSED_MARK), closed=number(own.mark == CLOSED_MARK)
    )


def excluded_half_days(marks: Table, periods: Sequence[str]) -> Table:
    """Half-days marked as suspended or permanently excluded (E, in use throughout): pupil, urn, day, ``half_days``."""
    own = _within(marks, periods)
    own = own.filter(own.mark == EXCLUDED_MARK)
    return own.group_by(["pupil", "urn", "day"]).aggregate(half_days=own.count().cast("int64"))


def absence_numbers(absence: Table, by: Sequence[str] = ()) -> Table:
    """What the rates of :func:`registers.absence_rates` are made of, over the enrolments that count: one row.

    ``absent`` of ``possible`` half-days; ``persistently_absent`` of ``persistence_known`` enrolments, and
    ``severely_absent`` of ``severity_known``. With ``by``, columns of ``absence``: a row a group.
    """
    kept = absence.filter(absence.left_out.isnull())
    return (kept.group_by(list(by)) if by else kept).aggregate(
        absent=kept.absent.sum().cast("int64"),
        possible=kept.possible.sum().cast("int64"),
        persistently_absent=number(kept.persistently_absent),
        persistence_known=kept.persistently_absent.count().cast("int64"),
        severely_absent=number(kept.severely_absent),
        severity_known=kept.severely_absent.count().cast("int64"),
    )


def absence_bands(absence: Table, edges: Sequence[int], by: Sequence[str] = ()) -> Table:
    """Enrolments that count by the share of half-days missed: ``band``, ``enrolments`` and the columns of ``by``.

    ``edges``: rising, per cent, the first 0; band n is from edge n up to, but not, the next. On whole numbers: in
    floating point 19 of 380 falls on either side of 5%. Bands that nobody is in have no row.
    """
    kept = absence.filter(absence.left_out.isnull())
    band = ibis.literal(0, "int64")
    for edge in edges[1:]:
        band += (kept.absent * 100 >= kept.possible * edge).cast("int64")
    banded = kept.mutate(band=band)
    return banded.group_by([*by, "band"]).aggregate(enrolments=banded.count().cast("int64"))


def _within(marks: Table, periods: Sequence[str]) -> Table:
    spans = [(halves[0].first_day, halves[-1].last_day) for halves in map(half_terms, periods)]
    return marks.filter(
        ibis.or_(*(marks.day.between(ibis.literal(first), ibis.literal(last)) for first, last in spans))
    )
