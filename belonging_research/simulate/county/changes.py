"""How schools' absence changes by itself, and when each pyramid begins: what the marks and the quick panel share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from belonging_research.simulate.councils import Floats, Ints
from belonging_research.simulate.county.schools import Schools
from belonging_research.simulate.county.worlds import HALF_TERMS, NEVER, STARTS, CountyWorld
from belonging_research.tables.published_marginals import OVERALL_ABSENCE, YEAR

# Over that of the year to which pupils' absence was fitted, from 2020/21; later years stay at the last.
_YEAR_LEVEL = np.round(np.array(list(OVERALL_ABSENCE.values())) / OVERALL_ABSENCE[YEAR], 2)
PHASE_RATE = {"primary": 0.058, "secondary": 0.095, "special": 0.11}  # expected absence, on which changes are laid
_PERSISTENCE = 0.9  # of a half-term's deviation into the next
_PYRAMID_SHARE = 0.2  # of the variance of changes that a pyramid's schools have in common


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """``log_absence``: (schools, half-terms) log of what expected untreated absence is multiplied by, 0 in the mean.

    ``start``: (pyramids,) place in :data:`STARTS` of the half-term in which each begins, or NEVER.
    ``intervention``: (pyramids,) place in the world's interventions of what each begins with, -1 for never.
    ``effect``: (starts + never, half-terms) proportional change of absence, before the multipliers of the intervention
    (``strength``, (pyramids,)) and of a pupil.
    """

    log_absence: Floats
    start: Ints
    intervention: Ints
    effect: Floats
    strength: Floats

    def school_start(self, schools: Schools) -> Ints:
        """(schools,) place in :data:`STARTS`, or NEVER."""
        return np.where(schools.mainstream, self.start[schools.pyramid], NEVER)

    def school_intervention(self, schools: Schools) -> Ints:
        """(schools,) place in the world's interventions of what a school begins with, -1 for never."""
        return np.where(schools.mainstream, self.intervention[schools.pyramid], -1)

    def school_effect(self, schools: Schools) -> Floats:
        """(schools, half-terms) proportional change of absence, before a pupil's own multiplier."""
        strength = np.where(schools.mainstream, self.strength[schools.pyramid], 1.0)
        found: Floats = self.effect[self.school_start(schools)] * strength[:, None]
        return found


def year_levels(world: CountyWorld) -> Floats:
    """(periods,) what absence is multiplied by in each academic year in every school."""
    years = np.clip(world.first_period - 2020 + np.arange(world.n_periods), 0, len(_YEAR_LEVEL) - 1)
    since = np.maximum(world.first_period + np.arange(world.n_periods) - int(STARTS[0][0][:4]) + 1, 0)
    levels: Floats = _YEAR_LEVEL[years] * np.exp(world.common_trend * since)
    return levels


def draw_changes(world: CountyWorld, schools: Schools, rng: np.random.Generator) -> Changes:
    """Draw what schools' absence does by itself, then the starts of pyramids.

    Deviations are stationary and pass from half-term to half-term by a first-order autoregression, scaled so that the
    yearly mean of an expected rate changes by ``school_change_sd`` percentage points (SD) from year to year.
    """
    n, halves = len(schools.urn), world.n_periods * HALF_TERMS
    own = _autoregression(n, halves, rng)
    shared = np.vstack([_autoregression(world.n_pyramids, halves, rng), np.zeros((1, halves))])
    mixed = np.sqrt(1 - _PYRAMID_SHARE) * own + np.sqrt(_PYRAMID_SHARE) * shared[schools.pyramid]
    rates = np.array([PHASE_RATE[phase] for phase in schools.phase])
    sizes = np.minimum(world.school_change_sd / 100 / _yearly_change_sd() / rates, 0.4)
    deviations = mixed * sizes[:, None]
    if world.passing_year_sd:
        odd = rng.normal(0, world.passing_year_sd / 100, (world.n_pyramids, world.n_periods))
        odd = np.vstack([odd, np.zeros((1, world.n_periods))])[schools.pyramid]
        deviations += odd.repeat(HALF_TERMS, axis=1) / rates[:, None]
    start, intervention = _draw_starts(world, deviations, schools, rng)
    levels = np.log(year_levels(world)).repeat(HALF_TERMS)
    log_absence = deviations - sizes[:, None] ** 2 / 2 + levels
    return Changes(
        log_absence=log_absence, start=start, intervention=intervention, effect=effect_paths(world),
        strength=np.append(world.effect_by_intervention, 1.0)[intervention],
    )  # fmt: skip


def _autoregression(n: int, length: int, rng: np.random.Generator) -> Floats:
    """(n, length) of unit variance."""
    draws = rng.normal(size=(n, length))
    found = np.empty((n, length))
    found[:, 0] = draws[:, 0]
    for at in range(1, length):
        found[:, at] = _PERSISTENCE * found[:, at - 1] + np.sqrt(1 - _PERSISTENCE**2) * draws[:, at]
    return found


def _yearly_change_sd() -> float:
    """SD of the change of a yearly mean of the unit autoregression."""
    places = np.arange(2 * HALF_TERMS)
    covariance = _PERSISTENCE ** np.abs(places[:, None] - places)
    contrast = np.where(places < HALF_TERMS, -1.0, 1.0) / HALF_TERMS
    return float(np.sqrt(contrast @ covariance @ contrast))


def _draw_starts(
    world: CountyWorld, deviations: Floats, schools: Schools, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """The start of each pyramid, by lot or first where absence rose most in the year before the first start, and what
    it begins with: interventions in turn along that order, so that each start has all of them."""
    never = round(world.share_never * world.n_pyramids)
    treated = world.n_pyramids - never
    places = np.sort(np.arange(treated) % len(STARTS))
    starts = np.append(places, np.full(never, NEVER))
    order = rng.permutation(world.n_pyramids)
    first = world.treated_starts[0]
    if world.timing == "by_need" and first is not None and first >= 2 * HALF_TERMS:
        last, before = (deviations[:, first - n * HALF_TERMS :][:, :HALF_TERMS].mean(axis=1) for n in (1, 2))
        rise = [(last - before)[schools.pyramid == at].mean() for at in range(world.n_pyramids)]
        order = np.argsort(-np.array(rise), kind="stable")
    turn = np.append(np.arange(treated) % len(world.interventions), np.full(never, -1))
    found, begins_with = np.empty((2, world.n_pyramids), np.int64)
    found[order], begins_with[order] = starts, turn
    return found, begins_with


def effect_paths(world: CountyWorld) -> Floats:
    """(starts + never, half-terms) proportional change of absence by event time: built up, then fading."""
    halves = world.n_periods * HALF_TERMS
    paths = np.zeros((NEVER + 1, halves))
    for at, start in enumerate(world.treated_starts):
        if start is not None:
            since = np.arange(halves) - start
            built = np.clip((since + 1) / world.build_up, 0, 1)
            left = (1 - world.fade) ** np.maximum(since + 1 - world.build_up, 0)
            paths[at] = world.effect * world.effect_by_start[at] * built * left
    return paths
