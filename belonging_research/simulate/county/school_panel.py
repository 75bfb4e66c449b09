"""The quick county: schools by half-terms without pupils or marks, so that a thousand worlds take seconds.

Shared with the whole county, by the same functions and parameters: schools, pyramids and their sizes in expectation,
lasting levels, what schools' absence does by itself, starts, effects by event time, the season, and the yearly totals
of suspensions. Not shared: pupils. What they add to a school's rate is two normal terms, whose sizes were measured on
whole counties without changes of their own (`tests/test_county_simulated.py` holds the two side by side): who is on
roll, which lasts with the pupils, and the chance of a half-term. Suspensions are Poisson given a gamma multiplier that
lasts likewise. Worlds whose trap is in the pupils need these: leavers and movers of a cohort are in :mod:`followed`,
carers and the survey in the whole county.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from belonging_research.errors import PlanError
from belonging_research.simulate.councils import Floats, Ints
from belonging_research.simulate.county.changes import PHASE_RATE, Changes, draw_changes
from belonging_research.simulate.county.removals import BY_YEAR_GROUP
from belonging_research.simulate.county.school_days import school_days
from belonging_research.simulate.county.schools import TIERS, Schools, draw_schools, expected_sizes
from belonging_research.simulate.county.suspensions import RATES
from belonging_research.simulate.county.worlds import HALF_TERMS, CountyWorld

# Measured, relative to a school's rate and for one pupil: divide by the root of the pupils.
_ROLL_SD, _ROLL_PERSISTENCE = 1.32, 0.70  # who is on roll, from one year to the next
CHANCE_SD = 1.04  # of a half-term
POSSIBLE_A_DAY = 1.985  # half-days possible on a school day on roll
_FSM_OF_ABSENCE = 0.33  # share of absent half-days that are of pupils ever eligible for free school meals
# Share of absent half-days of pupils who miss at least so much.
_ABOVE = ((0.0, 0.1, 0.3, 0.5, 0.7, 0.97), (1.0, 0.60, 0.27, 0.17, 0.11, 0.0))
_PRONE_A_PUPIL = 0.03  # shape of the gamma multiplier, for one pupil


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPanel:
    """Mainstream schools by half-terms; arrays (schools, half-terms) unless said otherwise.

    ``urn``, ``pyramid``, ``phase``, ``start``: (schools,), the start as the place of a half-term counted from 0, -1
    for never; ``pupils`` (schools,) aged 5 to 15. ``absent`` and ``possible`` half-days; ``school_days`` on roll, the
    exposure of ``suspensions``. ``untreated_...``: without any intervention, from the same draws.
    """

    world: CountyWorld
    urn: Ints
    pyramid: Ints
    phase: NDArray[np.str_]
    start: Ints
    pupils: Floats
    possible: Ints
    absent: Ints
    untreated_absent: Ints
    school_days: Ints
    suspensions: Ints
    untreated_suspensions: Ints

    @property
    def treated(self) -> NDArray[np.bool_]:
        """(schools, half-terms) whether the school has begun."""
        place = np.arange(self.absent.shape[1])
        found: NDArray[np.bool_] = (self.start[:, None] >= 0) & (place >= self.start[:, None])
        return found

    def effect(self) -> float | None:
        """Realised effect on overall absence as :meth:`CountyTruth.effect`; None where nobody is treated."""
        cells = self.treated
        if not cells.any():
            return None
        return float((self.absent[cells].sum() - self.untreated_absent[cells].sum()) / self.possible[cells].sum())

    def suspension_ratio(self) -> float | None:
        """Suspensions that happened over those that would have, of treated cells; None where none would have."""
        untreated = self.untreated_suspensions[self.treated].sum()
        return float(self.suspensions[self.treated].sum() / untreated) if untreated else None


def draw_school_panel(world: CountyWorld, rng: np.random.Generator) -> SimulatedPanel:
    """Draw the mainstream schools of a county by half-terms, absence and suspensions, in a few milliseconds.

    Raises
    ------
    PlanError
        If the world has too few schools for its pyramids, or its trap is in pupils, who are not drawn here.
    """
    if world.high_absence_leavers or world.movers_to_untreated:
        raise PlanError(f"world {world.name}: its leavers and movers are pupils, so draw the whole county instead.")
    schools = draw_schools(world, rng)
    return panel_of_schools(world, schools, draw_changes(world, schools, rng), rng)


def panel_of_schools(
    world: CountyWorld, schools: Schools, changes: Changes, rng: np.random.Generator
) -> SimulatedPanel:
    """As :func:`draw_school_panel`, of schools and changes that are drawn already."""
    own = np.flatnonzero(schools.mainstream)
    sizes = expected_sizes(schools.tier, schools.pyramid, schools.weight, schools.pyramid_weight)[own]
    on_roll = world.n_pupils * sizes / sizes.sum()
    groups = np.array([TIERS[tier] for tier in schools.tier])[own]
    # Reception is not counted: aged 4 on 31 August.
    pupils = on_roll * (1 - (groups[:, 0] == 0) / (groups[:, 1] - groups[:, 0] + 1))
    days, season = calendar_of(world)
    possible = np.rint(POSSIBLE_A_DAY * pupils[:, None] * days).astype(np.int64)
    untreated, actual = _absence(world, schools, changes, own, pupils, season, rng)
    would, happened = _suspensions(world, schools, changes, own, on_roll, days, rng)
    starts = np.array([-1 if at is None else at for at in (*world.treated_starts, None)])
    return SimulatedPanel(
        world=world,
        urn=schools.urn[own],
        pyramid=schools.pyramid[own],
        phase=schools.phase[own],
        start=starts[changes.school_start(schools)[own]],
        pupils=pupils,
        possible=possible,
        absent=np.rint(possible * actual).astype(np.int64),
        untreated_absent=np.rint(possible * untreated).astype(np.int64),
        school_days=np.rint(on_roll[:, None] * days).astype(np.int64),
        suspensions=happened,
        untreated_suspensions=would,
    )


def calendar_of(world: CountyWorld) -> tuple[Floats, Floats]:
    """(half-terms,) days with pupils, and the mean of the season over them."""
    days, season = [], []
    for period in world.periods:
        year = school_days(period)
        half = year.half_term[year.teaching] - 1
        days.append(np.bincount(half, minlength=HALF_TERMS))
        season.append(np.bincount(half, year.season[year.teaching], HALF_TERMS) / days[-1])
    return np.concatenate(days).astype(float), np.concatenate(season)


def _absence(
    world: CountyWorld,
    schools: Schools,
    changes: Changes,
    own: Ints,
    pupils: Floats,
    season: Floats,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """(schools, half-terms) rates without intervention and as they are; an effect multiplies what chance has made."""
    shape = (len(own), world.n_periods)
    root = np.sqrt(pupils)[:, None]
    roll = rng.normal(size=shape)
    for at in range(1, world.n_periods):
        roll[:, at] = _ROLL_PERSISTENCE * roll[:, at - 1] + np.sqrt(1 - _ROLL_PERSISTENCE**2) * roll[:, at]
    relative = 1 + _ROLL_SD * roll.repeat(HALF_TERMS, axis=1) / root
    relative += CHANCE_SD * rng.normal(size=relative.shape) / root
    level = np.array([PHASE_RATE[phase] for phase in schools.phase[own]]) * np.exp(schools.level[own])
    expected = level[:, None] * np.exp(changes.log_absence[own]) * season
    untreated = np.clip(expected * relative, 0.005, 0.6)
    share = float(np.interp(world.effect_from_absence, *_ABOVE))
    by_pupil = share * (1 + (world.effect_fsm - 1) * _FSM_OF_ABSENCE)
    path = changes.school_effect(schools)[own] * by_pupil
    return untreated, untreated * np.maximum(1 + path, 0)


def _suspensions(
    world: CountyWorld,
    schools: Schools,
    changes: Changes,
    own: Ints,
    on_roll: Floats,
    days: Floats,
    rng: np.random.Generator,
) -> tuple[Ints, Ints]:
    """(schools, half-terms) suspensions without intervention, and those that one leaves (binomial thinning)."""
    by_tier = {tier: BY_YEAR_GROUP[first : last + 1].mean() for tier, (first, last) in TIERS.items()}
    expected = on_roll * np.array([by_tier[tier] for tier in schools.tier[own]]) * schools.discipline[own]
    shape = np.maximum(_PRONE_A_PUPIL * on_roll, 0.05)
    prone = np.empty((len(own), world.n_periods))
    prone[:, 0] = rng.gamma(shape)
    for at in range(1, world.n_periods):  # a stationary gamma process: leavers go, joiners come (Lewis 1983)
        stay = rng.beta(shape * _ROLL_PERSISTENCE, shape * (1 - _ROLL_PERSISTENCE))
        prone[:, at] = stay * prone[:, at - 1] + rng.gamma(shape * (1 - _ROLL_PERSISTENCE))
    years = np.clip(world.first_period + np.arange(world.n_periods) - 2020, 0, len(RATES) - 1)
    total = RATES[years] / 100 * world.n_pupils
    yearly = expected[:, None] * prone / shape[:, None] / expected.sum() * total
    half = days.reshape(world.n_periods, HALF_TERMS)
    share = (half / half.sum(axis=1, keepdims=True)).ravel()
    would = rng.poisson(yearly.repeat(HALF_TERMS, axis=1) * share)
    begins = np.array([np.inf if at is None else at for at in (*world.treated_starts, None)])
    treated = np.arange(len(share)) >= begins[changes.school_start(schools)[own]][:, None]
    happened = rng.binomial(would, np.where(treated, world.suspension_ratio, 1.0))
    return would, happened
