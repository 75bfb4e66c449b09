"""Marks of a year, twice from the same draws: as they are, and as they would be without any intervention.

Every pupil has an expected absence for the half-term; each day a uniform number falls below it, or not. Half the
absence of the usual pupil comes in bad weeks. Where an intervention lowers the expected absence, the same uniform
numbers give fewer absent days: the difference of the two sets of marks is the effect that was realised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from belonging_research.simulate.councils import Floats, Ints
from belonging_research.simulate.county.codes import CODE_OF, Reasons, reasons_on
from belonging_research.simulate.county.county import County
from belonging_research.simulate.county.pupils import usual_absence
from belonging_research.simulate.county.roll import Roll
from belonging_research.simulate.county.school_days import N_DAYS, TEACHING_DAYS, SchoolDays, school_days
from belonging_research.simulate.county.schools import YEAR_GROUPS
from belonging_research.simulate.county.worlds import HALF_TERMS

Codes = NDArray[np.uint8]
Singles = NDArray[np.float32]
ROWS_A_CHUNK = 4_000
_BAD_WEEKS, _WORSE = 0.15, 4.0
_HALF_DAYS, _HALF_DAYS_MEDICAL = 0.12, 0.7  # of absent days, absent in the morning or the afternoon alone
_MUCH_ABSENT = 0.15  # expected absence from which reasons are those of pupils absent much
# Sessions of code X: schools closed to most from 5 January to 5 March 2021, and pupils isolating around it.
_CLOSED = (np.datetime64("2021-01-05"), np.datetime64("2021-03-05"))
_ISOLATING = {"2020/21": 0.03, "2021/22": 0.006}  # of pupil-weeks
_ISOLATING_UNTIL = np.datetime64("2022-03-31")
_SITE_CLOSED = 0.003  # of schools on a winter day
_WINTRY = 1.08  # the season above which sites are closed by the weather
_STUDY_LEAVE = 0.8  # of days of Year 11 in half-term 6
EXCLUDED_DAYS = 5  # from the sixth school day other provision is made: B, and K from 2024


@dataclass(frozen=True, slots=True, kw_only=True)
class MarksChunk:
    """Marks of some rows of the roll in one academic year. ``marks`` and ``untreated``: (rows, 195, 2) places in
    :data:`codes.CODES`, morning and afternoon; ``on_roll``: (rows, 195) days on which the row has marks."""

    days: SchoolDays
    rows: Ints
    marks: Codes
    untreated: Codes
    on_roll: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """A chunk of rows with all that chance decides about it. ``day``, ``why`` and ``half``: (rows, 190) uniform
    numbers; ``week``: (rows, weeks); ``much``: (rows,) whether absent much, for the reasons; ``closed``: (rows, 190)
    days on which the site is shut."""

    county: County
    days: SchoolDays
    reasons: Reasons
    rows: Ints
    day: Singles
    why: Singles
    half: Singles
    week: Singles
    much: NDArray[np.bool_]
    closed: NDArray[np.bool_]

    def of(self, rows: Ints) -> _Scene:
        """The scene of some of its rows, by place."""
        names = ("rows", "day", "why", "half", "week", "much", "closed")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def draw_marks(county: County, period: str) -> Iterator[MarksChunk]:
    """Draw the marks of an academic year in chunks of rows of the roll; the same county gives the same marks."""
    days = school_days(period)
    at = county.world.periods.index(period)
    rng = np.random.Generator(np.random.SFC64([county.seed, at]))
    wintry = days.season[days.teaching] > _WINTRY
    closed = rng.random((len(county.schools.urn), TEACHING_DAYS)) < _SITE_CLOSED * wintry
    rows = np.flatnonzero(county.roll.period == at)
    for first in range(0, len(rows), ROWS_A_CHUNK):
        yield _draw_chunk(county, days, rows[first : first + ROWS_A_CHUNK], closed, rng)


def expected_absence(county: County, rows: Ints, period: int) -> tuple[Floats, Floats]:
    """(rows, 6) expected absence in each half-term of a period counted from 0: untreated, and as it is."""
    roll, schools, pupils = county.roll, county.schools, county.pupils
    who, school = roll.pupil[rows], roll.school[rows]
    halves = slice(period * HALF_TERMS, (period + 1) * HALF_TERMS)
    usual = usual_absence(pupils, who, period - pupils.entry[who], period)
    usual = usual * np.where(schools.tier[school] == "alternative", 3.0, 1.0) * np.exp(schools.level[school])
    untreated = np.minimum(usual[:, None] * np.exp(county.changes.log_absence[school, halves]), 0.97)
    path = county.changes.school_effect(schools)[school, halves]
    own = np.where(pupils.fsm[who] == 1, county.world.effect_fsm, 1.0)[:, None]
    path = np.where(untreated >= county.world.effect_from_absence, path * own, 0.0)
    return untreated, untreated * np.clip(1 + path, 0, None)


def _draw_chunk(
    county: County, days: SchoolDays, rows: Ints, closed: NDArray[np.bool_], rng: np.random.Generator
) -> MarksChunk:
    shape = (len(rows), TEACHING_DAYS)
    before, after = expected_absence(county, rows, county.world.periods.index(days.period))
    scene = _Scene(
        county=county,
        days=days,
        reasons=reasons_on(days.period),
        rows=rows,
        day=rng.random(shape, np.float32),
        why=rng.random(shape, np.float32),
        half=rng.random(shape, np.float32),
        week=rng.random((len(rows), int(days.week.max()) + 1), np.float32),
        much=before.mean(axis=1) >= _MUCH_ABSENT,
        closed=closed[county.roll.school[rows]],
    )
    marks = _lay(scene, after, county.suspensions.happens)
    untreated = marks.copy()
    prevented = county.suspensions.row[~county.suspensions.happens]
    other = np.flatnonzero((before != after).any(axis=1) | np.isin(rows, prevented))
    if len(other):
        everyone = np.ones(len(county.suspensions.row), bool)
        untreated[other] = _lay(scene.of(other), before[other], everyone)
    on_roll = _on_roll(county.roll, rows, days)
    return MarksChunk(days=days, rows=rows, marks=marks, untreated=untreated, on_roll=on_roll)


def _on_roll(roll: Roll, rows: Ints, days: SchoolDays) -> NDArray[np.bool_]:
    """(rows, 195) days within the row, training days at either end of the year among them."""
    edges = np.append(days.teaching, N_DAYS)
    first = np.where(roll.first[rows] == 0, 0, edges[roll.first[rows]])
    until = np.where(roll.until[rows] == TEACHING_DAYS, N_DAYS, edges[roll.until[rows] - 1] + 1)
    place = np.arange(N_DAYS)
    found: NDArray[np.bool_] = (place >= first[:, None]) & (place < until[:, None])
    return found


def _lay(scene: _Scene, expected: Floats, happens: NDArray[np.bool_]) -> Codes:
    """(rows, 195, 2) marks of one potential outcome."""
    rate = _daily_rate(scene, expected)
    taught = np.empty((len(scene.rows), TEACHING_DAYS, 2), np.uint8)
    taught[:, :, 0], taught[:, :, 1] = CODE_OF["/"], CODE_OF["\\"]
    absent = scene.day < rate
    _lay_presence(scene, taught, absent)
    _lay_absence(scene, taught, absent)
    _lay_covid(scene, taught)
    taught[scene.closed] = scene.reasons.site_closed
    _lay_exclusions(scene, taught, happens)
    roll, place = scene.county.roll, np.arange(TEACHING_DAYS)
    away, back = roll.away[scene.rows][:, None], roll.back[scene.rows][:, None]
    taught[(place >= away) & (place < back)] = CODE_OF["D"]
    marks = np.full((len(scene.rows), N_DAYS, 2), CODE_OF["#"], np.uint8)
    marks[:, scene.days.teaching] = taught
    return marks


def _daily_rate(scene: _Scene, expected: Floats) -> Singles:
    """(rows, 190) chance of being absent: the half-term's, in a bad week or not, in its season. Its mean is kept."""
    days = scene.days
    worse = np.minimum(_WORSE * expected, 1.0)
    better = (expected - _BAD_WEEKS * worse) / (1 - _BAD_WEEKS)
    by_week = np.concatenate([better, worse], axis=1).astype(np.float32)
    bad = (scene.week < _BAD_WEEKS)[:, days.week[days.teaching]]
    rate = np.take_along_axis(by_week, days.half_term[days.teaching] - 1 + HALF_TERMS * bad, axis=1)
    found: Singles = rate * days.season[days.teaching].astype(np.float32)
    return found


def _lay_presence(scene: _Scene, taught: Codes, absent: NDArray[np.bool_]) -> None:
    """Late arrivals, trips, sport, education off site, and days on which attendance was not possible."""
    from_top = 1 - scene.day
    row, day = np.nonzero((from_top < scene.reasons.elsewhere[-1]) & ~absent)
    mark = scene.reasons.present[np.searchsorted(scene.reasons.elsewhere, from_top[row, day], side="right")]
    taught[row, day, 0] = mark
    whole = mark != CODE_OF["L"]
    taught[row[whole], day[whole], 1] = mark[whole]


def _lay_absence(scene: _Scene, taught: Codes, absent: NDArray[np.bool_]) -> None:
    """Reasons of absent days; a few are of half a day, late after the register closed and part-time always."""
    row, day = np.nonzero(absent)
    why, half, reasons = scene.why[row, day], scene.half[row, day], scene.reasons
    last = len(reasons.absent) - 1
    little = np.minimum(np.searchsorted(reasons.little, why, side="right"), last)
    mark = reasons.absent[
        np.where(scene.much[row], np.searchsorted(reasons.much, why, side="right"), little).clip(max=last)
    ]
    medical = mark == CODE_OF["M"]
    share = np.where(medical, _HALF_DAYS_MEDICAL, _HALF_DAYS)
    morning = (half >= share / 2) & (mark != CODE_OF["C2"])
    afternoon = ((half < share / 2) | (half >= share)) & (mark != CODE_OF["U"])
    morning |= ~morning & ~afternoon
    taught[row[morning], day[morning], 0] = mark[morning]
    taught[row[afternoon], day[afternoon], 1] = mark[afternoon]
    county, days = scene.county, scene.days
    period = county.world.periods.index(days.period)
    eldest = period - county.pupils.entry[county.roll.pupil[scene.rows]] == YEAR_GROUPS - 1
    summer = days.half_term[days.teaching] == HALF_TERMS
    taught[eldest[:, None] & summer & (scene.why < _STUDY_LEAVE)] = CODE_OF["S"]


def _lay_covid(scene: _Scene, taught: Codes) -> None:
    """Code X: schools closed to most in spring 2021, and weeks of isolation until March 2022."""
    days = scene.days.days[scene.days.teaching]
    closed = (days >= _CLOSED[0]) & (days <= _CLOSED[1])
    if closed.any():
        home = scene.county.pupils.isolates[scene.county.roll.pupil[scene.rows]]
        taught[home[:, None] & closed] = CODE_OF["X"]
    share = _ISOLATING.get(scene.days.period)
    if share is not None:
        isolating = (scene.week > 1 - share)[:, scene.days.week[scene.days.teaching]]
        taught[isolating & (days <= _ISOLATING_UNTIL)] = CODE_OF["X"]


def _lay_exclusions(scene: _Scene, taught: Codes, happens: NDArray[np.bool_]) -> None:
    """Code E for each half-day of a suspension and the first days of a permanent exclusion, then taught elsewhere."""
    county, rows = scene.county, scene.rows
    halves = taught.reshape(len(rows), 2 * TEACHING_DAYS)
    events = county.suspensions
    own = np.flatnonzero(np.isin(events.row, rows) & happens)
    place = np.searchsorted(rows, events.row[own])
    _fill(halves, place, events.start[own], events.sessions[own], CODE_OF["E"])
    removals, roll = county.removals, county.roll
    period = county.world.periods.index(scene.days.period)
    for at in np.flatnonzero(removals.period == period):
        day, decided = int(removals.day[at]), int(removals.decided[at])
        until = decided if decided >= 0 else TEACHING_DAYS
        theirs = (roll.pupil[rows] == removals.pupil[at]) & (roll.school[rows] == removals.school[at])
        halves[theirs, 2 * day : 2 * until] = scene.reasons.arranged
        halves[theirs, 2 * day : 2 * min(day + EXCLUDED_DAYS, until)] = CODE_OF["E"]


def _fill(halves: Codes, row: Ints, start: Ints, length: Ints, code: int) -> None:
    """Write ``code`` into stretches of rows."""
    within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    halves[np.repeat(row, length), np.repeat(start, length) + within] = code
