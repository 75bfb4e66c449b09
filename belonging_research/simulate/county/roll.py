"""Who is on which roll when: moves up the school, moves in and out, home education, alternative provision."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from belonging_research.simulate.councils import Floats, Ints
from belonging_research.simulate.county.changes import Changes
from belonging_research.simulate.county.pupils import Pupils, usual_absence
from belonging_research.simulate.county.removals import BY_YEAR_GROUP, Removed, draw_removed
from belonging_research.simulate.county.school_days import TEACHING_DAYS, school_days
from belonging_research.simulate.county.schools import TIERS, YEAR_GROUPS, Schools, at_year_group, draw_entry
from belonging_research.simulate.county.worlds import HALF_TERMS, NEVER, CountyWorld

NO_SCHOOL = -1
CURRENT, MAIN, SUBSIDIARY = 0, 1, 2
STATUSES = np.array(["C", "M", "S"])
# Kinds of moves, and their share of those on roll in a year; secondary age only from managed moves on. Home education
# is a destination like the others.
KINDS = ("moved_school", "moved_away", "home_education", "not_known", "managed_move", "off_site", "alternative")
_SHARES = np.array([0.018, 0.011, 0.004, 0.0012, 0.003, 0.003, 0.004])
_FROM_YEAR_7 = np.array([False, False, False, False, True, True, True])
# Absence makes these likelier, in proportion up to a limit.
_BY_ABSENCE = np.array([False, False, True, True, True, True, True])
_NO_MOVE, _AWAY, _HOME, _MANAGED = -1, KINDS.index("moved_away"), KINDS.index("home_education"), 4
_DESTINATIONS = {
    "moved_away": "moved_away", "home_education": "home_education", "not_known": "not_known",
    "managed_move": "managed_move", "off_site": "off_site_direction", "alternative": "alternative_provision",
}  # fmt: skip
_DUAL = ("off_site", "alternative")
_DUAL_DAYS = (20, 70)  # teaching days at the other school
_LEAVES_AFTER = 10  # teaching days after the start, where pupils absent most leave treated schools
_FIRST_MOVE, _LAST_MOVE = 15, 170  # teaching days between which moves in the middle of a year fall


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """Stretches of pupils at schools: one row for each pupil, school and academic year, split at a move.

    Arrays (rows,), sorted by period, pupil, school and first day. ``first`` and ``until`` are teaching days of the
    year, 0 to 190, until exclusive; between ``away`` and ``back`` the pupil is at the other school of a dual
    registration.
    ``status``: a place in :data:`STATUSES`.
    """

    pupil: Ints
    school: Ints
    period: Ints
    first: Ints
    until: Ints
    away: Ints
    back: Ints
    status: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """The council's case lists, arrays (moves,): days are (period, teaching day) as in :class:`Roll`.

    ``kind``: as in DESTINATION_KINDS; ``until`` -1 while it lasts; ``to`` a school or -1; ``at_start``: whether the
    pupil left because the school began (``high_absence_leavers``).
    """

    pupil: Ints
    kind: NDArray[np.str_]
    period: Ints
    first: Ints
    until: Ints
    school: Ints
    to: Ints
    at_start: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Removals:
    """Permanent exclusions, arrays (events,): ``day`` a teaching day; ``status`` as in EXCLUSIONS; ``decided``: the
    teaching day on which it got that status, -1 while issued."""

    pupil: Ints
    school: Ints
    period: Ints
    day: Ints
    status: NDArray[np.str_]
    decided: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class _Year:
    """Everybody on roll in one period, arrays (there,); ``first`` the teaching day from which.

    ``at_start``: who leaves because the school begins, nobody until it is drawn.
    """

    pupil: Ints
    year_group: Ints
    school: Ints
    first: Ints
    absence: Floats
    at_start: NDArray[np.bool_]


class _Rows:
    """Rows of one table, gathered period by period."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.parts: list[dict[str, Any]] = []

    def add(self, n: int, **columns: Any) -> None:
        """Add ``n`` rows; a single value stands for a whole column."""
        self.parts.append({name: np.broadcast_to(columns[name], n) for name in self.names})

    def joined(self) -> dict[str, Any]:
        """Whole columns by name."""
        return {name: np.concatenate([part[name] for part in self.parts]) for name in self.names}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    """What drawing a roll needs at hand; ``rows``, ``moves`` and ``removals`` are filled as it goes."""

    world: CountyWorld
    schools: Schools
    pupils: Pupils
    start: Ints
    rng: np.random.Generator
    rows: _Rows
    moves: _Rows
    removals: _Rows


def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


def draw_roll(
    world: CountyWorld, schools: Schools, pupils: Pupils, changes: Changes, rng: np.random.Generator
) -> tuple[Roll, Moves, Removals]:
    """Follow every pupil from year to year: up the school, out and in, and out again by permanent exclusion."""
    drawing = _Drawing(
        world=world, schools=schools, pupils=pupils, start=changes.school_start(schools), rng=rng,
        rows=_Rows(_names(Roll)), moves=_Rows(_names(Moves)), removals=_Rows(_names(Removals)),
    )  # fmt: skip
    school = np.full(len(pupils.code), NO_SCHOOL)
    for period in range(world.n_periods):
        year = _september(drawing, school, period)
        school = _follow(drawing, year, period)
    found = drawing.rows.joined()
    order = np.lexsort((found["first"], found["school"], found["pupil"], found["period"]))
    roll = Roll(**{name: values[order] for name, values in found.items()})
    return roll, Moves(**drawing.moves.joined()), Removals(**drawing.removals.joined())


def _september(drawing: _Drawing, school: Ints, period: int) -> _Year:
    """Who is on roll this year, and where: those who stay, move up, start Reception or come from outside."""
    schools, pupils, rng = drawing.schools, drawing.pupils, drawing.rng
    year_group = pupils.year_group(period)
    of_age = (year_group >= 0) & (year_group < YEAR_GROUPS)
    local = pupils.arrives < 0
    new = np.flatnonzero(of_age & np.where(local, (year_group == 0) | (period == 0), pupils.arrives == period))
    last = np.array([TIERS[tier][1] for tier in schools.tier])
    school = np.where(of_age, school, NO_SCHOOL)
    over = (school >= 0) & (year_group > last[school])
    school = np.where(over, schools.follows[school], school)
    school[new] = _place(drawing, new, year_group[new], pupils.pyramid[new])
    there = np.flatnonzero(school >= 0)
    midyear = ~local & pupils.arrives_midyear & (pupils.arrives == period)
    first = np.where(midyear, rng.integers(_FIRST_MOVE, _LAST_MOVE, len(school)), 0)
    return _Year(
        pupil=there,
        year_group=year_group[there],
        school=school[there],
        first=first[there],
        absence=usual_absence(pupils, there, year_group[there], period),
        at_start=np.zeros(len(there), bool),
    )


def _place(drawing: _Drawing, pupil: Ints, year_group: Ints, pyramid: Ints) -> Ints:
    """A school of each pupil's pyramid for the year group; a special school for those in one."""
    schools, rng = drawing.schools, drawing.rng
    found = at_year_group(schools, draw_entry(schools, pyramid, rng), year_group)
    special = np.flatnonzero(schools.tier == "special")
    shares = schools.weight[special] / schools.weight[special].sum()
    return np.where(drawing.pupils.in_special[pupil], rng.choice(special, len(pupil), p=shares), found)


def _follow(drawing: _Drawing, year: _Year, period: int) -> Ints:
    """Add the year's rows and moves; the school of every pupil at the end of it, -1 for none."""
    removed = _draw_removals(drawing, year, period)
    kind, day, at_start = _draw_kinds(drawing, year, period)
    kind[year.first > 0] = _NO_MOVE  # who has just come stays for the year
    kind[removed.place] = _NO_MOVE
    year = replace(year, at_start=at_start & (kind != _NO_MOVE))
    school = np.full(len(drawing.pupils.code), NO_SCHOOL)
    plain = np.setdiff1d(np.flatnonzero(kind == _NO_MOVE), removed.place)
    _add_rows(drawing, year, plain, period)
    school[year.pupil[plain]] = year.school[plain]
    for at, name in enumerate(KINDS):
        who = np.flatnonzero(kind == at)
        move = _move_for_a_while if name in _DUAL else _move
        school[year.pupil[who]] = move(drawing, year, who, day[who], name, period)
    school[year.pupil[removed.place]] = _remove(drawing, year, removed, period)
    return school


def _draw_kinds(drawing: _Drawing, year: _Year, period: int) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """(on roll,) kind of move this year, its teaching day, and whether it is for a start; most have none."""
    world, rng, n = drawing.world, drawing.rng, len(year.pupil)
    absent = np.minimum(year.absence / year.absence.mean(), 5.0)
    absent /= absent.mean()
    older = year.year_group >= 7
    chance = _SHARES * np.where(_BY_ABSENCE, absent[:, None], 1.0)
    chance *= np.where(_FROM_YEAR_7, older[:, None] / max(older.mean(), 1e-9), 1.0)
    special = ~drawing.schools.mainstream[year.school]
    chance[special] *= np.array([0, 1, 1, 1, 0, 0, 0])
    kind = (rng.random(n)[:, None] > np.cumsum(chance, axis=1)).sum(axis=1)
    kind[kind == len(KINDS)] = _NO_MOVE
    day = rng.integers(_FIRST_MOVE, _LAST_MOVE, n)
    begun, treated = _begun(drawing, year, period)
    at_start = np.zeros(n, bool)
    kind[treated & older & (day >= begun) & (rng.random(n) < world.movers_to_untreated)] = _MANAGED
    for at in np.unique(year.school[(begun > 0) & treated]) if world.high_absence_leavers else ():
        own = np.flatnonzero(year.school == at)
        most = own[np.argsort(-year.absence[own], kind="stable")][: round(world.high_absence_leavers * len(own))]
        kind[most] = np.where(rng.random(len(most)) < 0.5, _HOME, _AWAY)
        day[most] = np.minimum(begun[most] + _LEAVES_AFTER, TEACHING_DAYS - 1)
        at_start[most] = True
    return kind, day, at_start


def _begun(drawing: _Drawing, year: _Year, period: int) -> tuple[Ints, NDArray[np.bool_]]:
    """(on roll,) teaching day on which the pupil's school begins this year, 0 where it began in an earlier one, and
    whether it has begun by the end of the year. A start on the first day of the year is day 1."""
    starts = np.array([-1 if at is None else at for at in (*drawing.world.treated_starts, None)])
    days = school_days(drawing.world.periods[period])
    firsts = np.searchsorted(days.half_term[days.teaching], np.arange(1, HALF_TERMS + 1))
    begins = starts[drawing.start[year.school]]
    now = (begins >= 0) & (begins // HALF_TERMS == period)
    day = np.where(now, np.maximum(firsts[begins % HALF_TERMS], 1), 0)
    return day, (begins >= 0) & (begins // HALF_TERMS <= period)


def _add_rows(drawing: _Drawing, year: _Year, who: Ints, period: int, **changed: Any) -> None:
    """Rows of these pupils at their schools from their first day to the end of the year, unless ``changed``."""
    usual = {
        "pupil": year.pupil[who], "school": year.school[who], "period": period, "first": year.first[who],
        "until": TEACHING_DAYS, "away": TEACHING_DAYS, "back": TEACHING_DAYS, "status": CURRENT,
    }  # fmt: skip
    drawing.rows.add(len(who), **(usual | changed))


def _move(drawing: _Drawing, year: _Year, who: Ints, day: Ints, name: str, period: int) -> Ints:
    """Leave the school on ``day``, for another one here or for none; the school after it."""
    stays = name in ("moved_school", "managed_move")
    to = _elsewhere(drawing, year, who, name) if stays else np.full(len(who), NO_SCHOOL)
    _add_rows(drawing, year, who, period, until=day)
    if stays:
        _add_rows(drawing, year, who, period, school=to, first=day)
    if name in _DESTINATIONS:
        drawing.moves.add(
            len(who), pupil=year.pupil[who], kind=_DESTINATIONS[name], period=period, first=day, until=-1,
            school=year.school[who], to=to, at_start=year.at_start[who],
        )  # fmt: skip
    return to


def _move_for_a_while(drawing: _Drawing, year: _Year, who: Ints, day: Ints, name: str, period: int) -> Ints:
    """Dual registration: some weeks at another school or at alternative provision, then back; the school stays."""
    if name == "alternative":
        to = drawing.rng.choice(np.flatnonzero(drawing.schools.tier == "alternative"), len(who))
    else:
        to = _elsewhere(drawing, year, who, name)
    back = np.minimum(day + drawing.rng.integers(*_DUAL_DAYS, len(who)), TEACHING_DAYS)
    _add_rows(drawing, year, who, period, away=day, back=back, status=MAIN)
    _add_rows(drawing, year, who, period, school=to, first=day, until=back, status=SUBSIDIARY)
    drawing.moves.add(
        len(who), pupil=year.pupil[who], kind=_DESTINATIONS[name], period=period, first=day, until=back,
        school=year.school[who], to=to, at_start=False,
    )  # fmt: skip
    return year.school[who]


def _elsewhere(drawing: _Drawing, year: _Year, who: Ints, name: str) -> Ints:
    """A mainstream school of another pyramid; a never-treated one for the managed moves of a world that has them so."""
    own = drawing.schools.pyramid[year.school[who]]
    n = drawing.world.n_pyramids
    to = (own + drawing.rng.integers(1, max(n, 2), len(who))) % n
    if name == "managed_move" and drawing.world.movers_to_untreated:
        starts = drawing.start
        never = np.unique(drawing.schools.pyramid[(starts == NEVER) & drawing.schools.mainstream])
        to = drawing.rng.choice(never, len(who)) if len(never) else to
    return _place(drawing, year.pupil[who], year.year_group[who], to)


def _draw_removals(drawing: _Drawing, year: _Year, period: int) -> Removed:
    """Draw the permanent exclusions of a year among pupils there from its start, alternative provision apart."""
    prone = drawing.pupils.proneness[year.pupil] * BY_YEAR_GROUP[year.year_group]
    prone = prone * drawing.schools.discipline[year.school]
    prone = np.where((year.first == 0) & drawing.schools.mainstream[year.school], np.minimum(prone, 30), 0.0)
    is_last = period == drawing.world.n_periods - 1
    removed = draw_removed(prone, drawing.world.first_period + period, is_last=is_last, rng=drawing.rng)
    who = removed.place
    drawing.removals.add(
        len(who), pupil=year.pupil[who], school=year.school[who], period=period, day=removed.day,
        status=removed.status, decided=removed.decided,
    )  # fmt: skip
    return removed


def _remove(drawing: _Drawing, year: _Year, removed: Removed, period: int) -> Ints:
    """Rows of the permanently excluded; once upheld they move to alternative provision."""
    upheld = removed.status == "upheld"
    gone, stay = removed.place[upheld], removed.place[~upheld]
    _add_rows(drawing, year, stay, period)
    day = removed.decided[upheld]
    to = drawing.rng.choice(np.flatnonzero(drawing.schools.tier == "alternative"), len(gone))
    _add_rows(drawing, year, gone, period, until=day)
    _add_rows(drawing, year, gone, period, school=to, first=day)
    drawing.moves.add(
        len(gone), pupil=year.pupil[gone], kind="alternative_provision", period=period, first=day, until=-1,
        school=year.school[gone], to=to, at_start=False,
    )  # fmt: skip
    after = year.school[removed.place]
    after[upheld] = to
    return after
