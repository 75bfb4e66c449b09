"""Suspensions: concentrated in a few schools and pupils, each with its half-days, reasons and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from belonging_research.simulate.councils import Floats, Ints
from belonging_research.simulate.county.changes import Changes
from belonging_research.simulate.county.pupils import Pupils
from belonging_research.simulate.county.removals import BY_YEAR_GROUP
from belonging_research.simulate.county.roll import SUBSIDIARY, Removals, Roll
from belonging_research.simulate.county.school_days import TEACHING_DAYS, school_days
from belonging_research.simulate.county.schools import Schools
from belonging_research.simulate.county.worlds import HALF_TERMS, CountyWorld
from belonging_research.tables.published_marginals import SUSPENSIONS

RATES = np.array(list(SUSPENSIONS.values()))  # per 100 pupils, from 2020/21; later years stay at the last
MOST_SESSIONS = 90  # 45 school days in an academic year
_MORE = 1.09  # drawn for each one kept: two at once, or past the limit, are dropped
_LENGTHS = np.array([1, 2, 3, 4, 6, 8, 10, 20])  # half-days
_LENGTH_SHARES = np.array([0.08, 0.34, 0.08, 0.22, 0.12, 0.04, 0.1, 0.02])
_MOST_A_YEAR = 25
_CANCELLED, _REINSTATED = 0.006, 0.003
_UNDONE_AFTER = 5  # school days
REASONS = np.array(["DB", "PP", "VA", "VP", "PA", "DM", "OW", "DA", "BU", "RA", "SM", "LG", "MT", "TH", "DS"])
_REASON_SHARES = np.array([38.5, 17, 17, 5.7, 6.6, 4, 3, 3.5, 1, 1, 0.8, 0.5, 0.7, 0.5, 0.2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspensions:
    """Suspensions of both potential outcomes, arrays (events,) in the order of the rows of :class:`Roll`.

    ``row``: place in the roll; ``start``: half-day of the year's teaching half-days, 0 to 379; ``sessions``: its
    length; ``happens``: whether it happened, as all would have without any intervention. ``status`` as in EXCLUSIONS;
    ``decided``: the teaching day on which it got it, -1 while issued.
    """

    row: Ints
    start: Ints
    sessions: Ints
    happens: NDArray[np.bool_]
    status: NDArray[np.str_]
    decided: Ints


def draw_suspensions(
    world: CountyWorld,
    schools: Schools,
    pupils: Pupils,
    changes: Changes,
    roll: Roll,
    removals: Removals,
    rng: np.random.Generator,
) -> Suspensions:
    """Draw suspensions without intervention, then take away those that one prevents (thinning).

    Counts are Poisson given a pupil's lasting gamma proneness, the school's, and the year group: far more unequal
    than Poisson. Yearly totals are the published rates in expectation, the roll of the year as denominator.
    """
    row = np.repeat(np.arange(len(roll.pupil)), _counts(world, schools, pupils, roll, rng))
    last = np.where(roll.until[row] > roll.first[row], roll.until[row], roll.first[row] + 1)
    start = rng.integers(2 * roll.first[row], 2 * last)
    sessions = rng.choice(_LENGTHS, len(row), p=_LENGTH_SHARES)
    order = np.lexsort((start, row))
    row, start = row[order], start[order]
    sessions = np.minimum(sessions, 2 * roll.until[row] - start)
    kept = _possible(roll, removals, row, start, sessions)
    row, start, sessions = row[kept], start[kept], sessions[kept]
    draw, undone = rng.random(len(row)), rng.random(len(row))
    ratio = np.where(_treated(world, schools, changes, roll, row, start), world.suspension_ratio, 1.0)
    decided = start // 2 + _UNDONE_AFTER
    status = np.where(undone < _CANCELLED, "cancelled", "reinstated")
    is_undone = (undone < _CANCELLED + _REINSTATED) & (decided < TEACHING_DAYS)
    return Suspensions(
        row=row,
        start=start,
        sessions=sessions,
        happens=draw < ratio,
        status=np.where(is_undone, status, "issued"),
        decided=np.where(is_undone, decided, -1),
    )


def _counts(world: CountyWorld, schools: Schools, pupils: Pupils, roll: Roll, rng: np.random.Generator) -> Ints:
    """(rows,) suspensions before those that cannot be are dropped; none at the other school of a dual registration."""
    year_group = roll.period - pupils.entry[roll.pupil]
    expected = pupils.proneness[roll.pupil] * BY_YEAR_GROUP[year_group] * schools.discipline[roll.school]
    expected *= (roll.until - roll.first) / TEACHING_DAYS * (roll.status != SUBSIDIARY)
    counts = np.zeros(len(expected), np.int64)
    for period in range(world.n_periods):
        own = np.flatnonzero(roll.period == period)
        rate = RATES[min(max(world.first_period + period - 2020, 0), len(RATES) - 1)] / 100
        total = _MORE * rate * len(np.unique(roll.pupil[own]))
        scaled: Floats = expected[own] * total / expected[own].sum()
        counts[own] = np.minimum(rng.poisson(scaled), _MOST_A_YEAR)
    return counts


def _possible(roll: Roll, removals: Removals, row: Ints, start: Ints, sessions: Ints) -> NDArray[np.bool_]:
    """Which suspensions can be: one at a time, at the school, 45 days a year at most, not beside a permanent one."""
    events = zip(removals.pupil.tolist(), removals.period.tolist(), (2 * removals.day).tolist(), strict=True)
    removed = {(pupil, period): start for pupil, period, start in events}
    pupil, period = roll.pupil[row].tolist(), roll.period[row].tolist()
    away, back = (2 * roll.away[row]).tolist(), (2 * roll.back[row]).tolist()
    kept = np.zeros(len(row), bool)
    ends: dict[int, int] = {}
    served: dict[tuple[int, int], int] = {}
    for at, (stretch, first, length) in enumerate(zip(row.tolist(), start.tolist(), sessions.tolist(), strict=True)):
        who, until = (pupil[at], period[at]), first + length
        is_there = until <= away[at] or first >= back[at]
        in_time = until <= removed.get(who, until) and served.get(who, 0) + length <= MOST_SESSIONS
        # A day between two: a suspension that follows at once would be one longer suspension.
        if is_there and in_time and first >= ends.get(stretch, 0):
            kept[at] = True
            ends[stretch] = until + 2
            served[who] = served.get(who, 0) + length
    return kept


def _treated(
    world: CountyWorld, schools: Schools, changes: Changes, roll: Roll, row: Ints, start: Ints
) -> NDArray[np.bool_]:
    """(events,) whether the school had begun by the half-term of the event."""
    half_term = np.empty(len(row), np.int64)
    for at, period in enumerate(world.periods):
        own, days = roll.period[row] == at, school_days(period)
        half_term[own] = HALF_TERMS * at + days.half_term[days.teaching][start[own] // 2] - 1
    begins = np.array([np.inf if at is None else at for at in (*world.treated_starts, None)])
    found: NDArray[np.bool_] = half_term >= begins[changes.school_start(schools)[roll.school[row]]]
    return found


def draw_reasons(n: int, rng: np.random.Generator) -> list[list[str]]:
    """One to three different reasons for each of ``n`` suspensions or permanent exclusions."""
    many = rng.choice([1, 2, 3], n, p=[0.72, 0.21, 0.07])
    # The largest of independent exponential races are draws without replacement (Efraimidis and Spirakis 2006).
    races = rng.exponential(size=(n, len(REASONS))) / _REASON_SHARES
    order = np.argsort(races, axis=1)[:, :3]
    return [REASONS[order[at, : many[at]]].tolist() for at in range(n)]
