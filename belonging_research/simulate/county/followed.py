"""The quick county with pupils: a baseline cohort followed by half-terms, without marks, in a fifth of a second.

For worlds whose trap is in pupils: who leaves, who moves, how a cohort ages. Schools, pyramids, starts, what schools'
absence does by itself and suspensions are those of :mod:`school_panel`. A pupil's absence in a half-term is a gamma
draw about what is expected of them; its spread makes a school's chance that of whole counties.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from belonging_research.simulate.councils import Floats, Ints
from belonging_research.simulate.county.changes import Changes, draw_changes
from belonging_research.simulate.county.pupils import draw_frailty
from belonging_research.simulate.county.school_panel import (
    POSSIBLE_A_DAY,
    SimulatedPanel,
    calendar_of,
    panel_of_schools,
)
from belonging_research.simulate.county.schools import (
    FIRST_SECONDARY,
    YEAR_GROUPS,
    Schools,
    at_year_group,
    draw_entry,
    draw_schools,
)
from belonging_research.simulate.county.worlds import HALF_TERMS, NEVER, CountyWorld

Bools = NDArray[np.bool_]

# Expected absence in Year 1 and what each later year group adds: 0.4 points, 5.5% in Year 1 to 9.5% in Year 11.
_YEAR_1, _A_YEAR_GROUP = 0.055, 0.004
_SPREAD = 0.6  # of log absence between pupils of a year group, times Student's t with 3 degrees of freedom
_MULTIPLES = (0.1, 12.0)
_LEAST, _MOST = 0.004, 0.97
# Variance of a pupil's absent half-days in a half-term over their mean, for who is rarely absent: that with which a
# school's chance is the one that was measured on whole counties (school_panel, relative SD 1.04 for one pupil).
_CLUMPED = 5.2
# Shares of pupils a year who move to another pyramid's school, and who leave the county's data (roll).
_MOVING, _LEAVING = 0.018, 0.016
_LIKELIEST = 5.0  # times the mean, how much likelier absence makes a move at most


@dataclass(frozen=True, slots=True, kw_only=True)
class PupilPaths:
    """What pupils do in a county, beside the usual moving and leaving that is the same everywhere.

    ``young_where_started``: pupils below Year 7 for each older one in pyramids that start, as a multiple of those
    elsewhere. ``leavers``:
    share of every school's pupils who miss ``leavers_absence`` of their half-days; where the school starts they leave
    the data within that half-term. ``movers``: share a year of the pupils of Year 7 or above, in pyramids that have
    started, who go to one that never starts, likelier the more absent they are; ``moved_absence``: what their absence
    is multiplied by from then on.
    """

    young_where_started: float = 1.0
    leavers: float = 0.0
    leavers_absence: float = 0.6
    movers: float = 0.0
    moved_absence: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedCohort:
    """Pupils of Years 1 to 11 in the baseline year, followed over T half-terms of ``periods``.

    ``home`` (pupils,): place of the baseline school in ``schools``, ``at`` (pupils, T) of the school in a half-term;
    ``year_group`` (pupils,) of the baseline year; ``elsewhere`` (pupils,) whether a later school is of another pyramid;
    ``there`` (pupils,) whether still in the data at the end. ``possible``, ``absent``, ``untreated_absent``:
    (pupils, T) half-days, 0 where a pupil has left or is not 5 to 15 years old. ``schools`` has all half-terms of its
    world.
    """

    schools: SimulatedPanel
    periods: tuple[str, ...]
    home: Ints
    at: Ints
    year_group: Ints
    elsewhere: Bools
    there: Bools
    possible: Floats
    absent: Floats
    untreated_absent: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    """What drawing a cohort needs at hand. ``first``: place of its first half-term in the world's; ``n``: of them."""

    world: CountyWorld
    paths: PupilPaths
    schools: Schools
    changes: Changes
    rng: np.random.Generator
    first: int
    n: int
    baseline: int

    @property
    def halves(self) -> slice:
        return slice(self.first, self.first + self.n)

    @property
    def begins(self) -> Ints:
        """(pyramids,) first treated half-term, counted from the cohort's first; beyond the last for none."""
        starts = [self.first + 2 * self.n if at is None else at for at in (*self.world.treated_starts, None)]
        found: Ints = np.array(starts)[self.changes.start] - self.first
        return found

    def year_groups(self, baseline: Ints) -> Ints:
        """(pupils, years) year groups of pupils who are in ``baseline`` ones in the baseline year."""
        years = np.arange(self.n // HALF_TERMS) - self.baseline
        found: Ints = baseline[:, None] + years
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stays:
    """(pupils,) half-terms, counted from the cohort's first, of what ends a stay, the number of half-terms for never:
    ``moves`` to the school that ``second`` leads to, ``leaves`` the data. ``is_leaver``: of those absent most."""

    moves: Ints
    second: Ints
    high: Bools
    leaves: Ints
    is_leaver: Bools


def draw_cohort(
    world: CountyWorld, paths: PupilPaths, *, periods: tuple[str, ...], baseline: str, rng: np.random.Generator
) -> SimulatedCohort:
    """Draw a county's mainstream schools and the cohort of its ``baseline`` year over ``periods``.

    ``periods``: consecutive academic years of the world. Raises :class:`PlanError` as :func:`draw_school_panel`.
    """
    schools = draw_schools(world, rng)
    changes = draw_changes(world, schools, rng)
    panel = panel_of_schools(world, schools, changes, rng)
    drawing = _Drawing(
        world=world, paths=paths, schools=schools, changes=changes, rng=rng,
        first=world.periods.index(periods[0]) * HALF_TERMS, n=len(periods) * HALF_TERMS,
        baseline=periods.index(baseline),
    )  # fmt: skip
    year_group, pyramid = _draw_people(drawing)
    entry = draw_entry(schools, pyramid, rng)
    times = _draw_multiples(len(entry), len(periods), rng)
    stays = _draw_stays(drawing, year_group, pyramid, times)
    home = at_year_group(schools, entry, year_group)
    at = _schools_of(drawing, year_group, entry, stays)
    possible = _possible(drawing, year_group, stays)
    expected, effect = _expected(drawing, year_group, at, times, stays)
    untreated = _absent(possible, expected, rng)
    own = np.flatnonzero(schools.mainstream)
    return SimulatedCohort(
        schools=panel, periods=periods, home=np.searchsorted(own, home), at=np.searchsorted(own, at),
        year_group=year_group,
        elsewhere=(stays.moves < np.minimum(stays.leaves, drawing.n)), there=stays.leaves >= drawing.n,
        possible=possible, absent=untreated * effect, untreated_absent=untreated,
    )  # fmt: skip


def _draw_people(drawing: _Drawing) -> tuple[Ints, Ints]:
    """(pupils,) baseline year group, 1 to 11, and pyramid."""
    year_group = np.repeat(np.arange(1, YEAR_GROUPS), round(drawing.world.n_pupils / YEAR_GROUPS))
    weight = drawing.schools.pyramid_weight
    fewer = np.where(drawing.changes.start != NEVER, drawing.paths.young_where_started, 1.0)
    pyramid = np.empty(len(year_group), np.int64)
    for young, shares in ((True, weight * fewer), (False, weight)):
        own = (year_group < FIRST_SECONDARY) == young
        pyramid[own] = drawing.rng.choice(len(shares), int(own.sum()), p=shares / shares.sum())
    return year_group, pyramid


def _draw_multiples(n: int, years: int, rng: np.random.Generator) -> Floats:
    """(n, years) what a pupil's absence is of the mean of their year group: heavy-tailed, lasting, 1 in the mean."""
    times = np.clip(np.exp(_SPREAD * draw_frailty(n, years, rng)), *_MULTIPLES)
    found: Floats = times / times.mean()
    return found


def _draw_stays(drawing: _Drawing, year_group: Ints, pyramid: Ints, times: Floats) -> _Stays:
    """Who moves and who leaves after the baseline year, once at most, and in which half-term."""
    rng, n, paths = drawing.rng, drawing.n, drawing.paths
    begins, groups = drawing.begins[pyramid], drawing.year_groups(year_group)
    moves, leaves = np.full(len(pyramid), n), np.full(len(pyramid), n)
    high = np.zeros(len(pyramid), bool)
    is_leaver = rng.random(len(pyramid)) < paths.leavers
    leaves[is_leaver] = np.minimum(begins[is_leaver] + 1, n)
    for year in range(drawing.baseline + 1, n // HALF_TERMS):
        half = year * HALF_TERMS + rng.integers(0, HALF_TERMS, len(pyramid))
        goes = rng.random(len(pyramid)) < _LEAVING
        leaves = np.where(goes, np.minimum(leaves, half), leaves)
        likelier = np.minimum(times[:, year], _LIKELIEST)
        chance = paths.movers * likelier / likelier.mean()
        to_never = (groups[:, year] >= FIRST_SECONDARY) & (half >= begins) & (rng.random(len(pyramid)) < chance)
        anywhere = rng.random(len(pyramid)) < _MOVING
        now = (moves == n) & (to_never | anywhere)
        moves, high = np.where(now, half, moves), high | (now & to_never)
    to = _destination(drawing, pyramid, high)
    return _Stays(moves=moves, second=draw_entry(drawing.schools, to, rng), high=high, leaves=leaves,
                  is_leaver=is_leaver)  # fmt: skip


def _destination(drawing: _Drawing, pyramid: Ints, high: Bools) -> Ints:
    """(pupils,) another pyramid than their own, one that never starts for ``high`` where there is one."""
    n = drawing.world.n_pyramids
    to = (pyramid + drawing.rng.integers(1, max(n, 2), len(pyramid))) % n
    never = np.flatnonzero(drawing.changes.start == NEVER)
    if len(never):
        to[high] = drawing.rng.choice(never, int(high.sum()))
    return to


def _possible(drawing: _Drawing, year_group: Ints, stays: _Stays) -> Floats:
    """(pupils, T) half-days possible while a pupil is in the data and 5 to 15 years old."""
    days = calendar_of(drawing.world)[0][drawing.halves]
    groups = drawing.year_groups(year_group).repeat(HALF_TERMS, axis=1)
    half = np.arange(drawing.n)
    # At 15 the sixth half-term counts no more.
    counts = (groups >= 1) & (groups < YEAR_GROUPS - (half % HALF_TERMS == HALF_TERMS - 1))
    found: Floats = POSSIBLE_A_DAY * days * (counts & (half < stays.leaves[:, None]))
    return found


def _schools_of(drawing: _Drawing, year_group: Ints, entry: Ints, stays: _Stays) -> Ints:
    """(pupils, T) place of the school at which a pupil is, or would be without having left."""
    groups = np.clip(drawing.year_groups(year_group), 0, YEAR_GROUPS - 1).T
    before, after = (
        np.stack([at_year_group(drawing.schools, begun, each) for each in groups], axis=1).repeat(HALF_TERMS, axis=1)
        for begun in (entry, stays.second)
    )
    found: Ints = np.where(np.arange(drawing.n) >= stays.moves[:, None], after, before)
    return found


def _expected(drawing: _Drawing, year_group: Ints, at: Ints, times: Floats, stays: _Stays) -> tuple[Floats, Floats]:
    """(pupils, T) expected absence without intervention, and what interventions multiply it by."""
    schools, changes, half = drawing.schools, drawing.changes, np.arange(drawing.n)
    by_school = np.exp(changes.log_absence[:, drawing.halves] + schools.level[:, None])
    by_school *= calendar_of(drawing.world)[1][drawing.halves]
    older = np.maximum(drawing.year_groups(year_group) - 1, -1)
    of_age = (_YEAR_1 + _A_YEAR_GROUP * older) * times
    expected = of_age.repeat(HALF_TERMS, axis=1) * by_school[at, half]
    expected[stays.high[:, None] & (half >= stays.moves[:, None])] *= drawing.paths.moved_absence
    expected[stays.is_leaver] = drawing.paths.leavers_absence
    effect = np.maximum(1 + changes.effect[:, drawing.halves], 0)[changes.school_start(schools)[at], half]
    return np.clip(expected, _LEAST, _MOST), effect


def _absent(possible: Floats, expected: Floats, rng: np.random.Generator) -> Floats:
    """(pupils, T) half-days absent; chance shrinks towards always absent, so that few draws are cut off there."""
    clumped = _CLUMPED * (1 - expected)
    found: Floats = np.minimum(rng.standard_gamma(possible * expected / clumped) * clumped, possible)
    return found
