"""The made-up county's schools: pyramids of two and three tiers, special schools, alternative provision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from belonging_research.errors import PlanError
from belonging_research.simulate.councils import Floats, Ints
from belonging_research.simulate.county.worlds import CountyWorld

YEAR_GROUPS = 12  # Reception, written 0, to Year 11
FIRST_SECONDARY = 7  # aged 11
# First and last year group by tier. Dorset has both systems: pupils move at 4 to 5 and 8 to 9, or at 6 to 7.
TIERS: dict[str, tuple[int, int]] = {
    "primary": (0, 6),
    "secondary": (7, 11),
    "first": (0, 4),
    "middle": (5, 8),
    "upper": (9, 11),
    "special": (0, 11),
    "alternative": (0, 11),
}
# Middle schools are deemed secondary by the Department.
_PHASES = {"primary": "primary", "first": "primary", "special": "special", "alternative": "secondary"}
NO_PYRAMID = -1
_LEVEL_SD = 0.32  # of log absence between a phase's schools; about 8% of pupils' variance (FFT Education Datalab)
FIRST_URN = 900_001


@dataclass(frozen=True, slots=True, kw_only=True)
class Schools:
    """Schools in the order of their urn; arrays are (schools,).

    ``pyramid`` from 0, -1 outside any (special schools and alternative provision); ``weight``: share of its pyramid's
    pupils that a school takes at its tier; ``follows``: the place of the school to which its leavers go, -1 for none;
    ``level``: log of what its pupils' absence is multiplied by; ``discipline``: of their suspensions, itself. Of
    pyramids: ``pyramid_weight`` of pupils; ``deprivation``: what the share eligible for free school meals is
    multiplied by.
    """

    urn: Ints
    tier: NDArray[np.str_]
    phase: NDArray[np.str_]
    pyramid: Ints
    weight: Floats
    follows: Ints
    level: Floats
    discipline: Floats
    pyramid_weight: Floats
    deprivation: Floats

    @property
    def mainstream(self) -> NDArray[np.bool_]:
        """Schools in a pyramid: those where interventions can start."""
        found: NDArray[np.bool_] = self.pyramid != NO_PYRAMID
        return found

    def entry(self, pyramid: int) -> Ints:
        """Places of a pyramid's schools that begin at Reception."""
        return np.flatnonzero((self.pyramid == pyramid) & np.isin(self.tier, ("primary", "first")))


def draw_schools(world: CountyWorld, rng: np.random.Generator) -> Schools:
    """Draw schools: log-normal sizes, lasting differences in absence, a few schools with most suspensions.

    Raises
    ------
    PlanError
        If the world has too few schools for its pyramids.
    """
    tiers, pyramids = _layout(world, rng)
    n = len(tiers)
    tier, pyramid = np.array(tiers), np.array(pyramids)
    weight = rng.lognormal(0, 0.55, n)
    pyramid_level = np.append(rng.normal(0, 0.06, world.n_pyramids), 0.0)
    level = rng.normal(0, _LEVEL_SD, n) + pyramid_level[pyramid]
    pyramid_weight = rng.lognormal(0, 0.35, world.n_pyramids)
    sizes = expected_sizes(tier, pyramid, weight, pyramid_weight)
    for phase in ("primary", "secondary"):
        own = np.flatnonzero(np.array([_PHASES.get(each, "secondary") == phase for each in tiers]) & (pyramid >= 0))
        level[own] -= np.log(np.average(np.exp(level[own]), weights=sizes[own]))
    discipline = rng.gamma(1.6, 1 / 1.6, n)
    young = np.isin(tier, ("primary", "first"))
    discipline[young] = rng.gamma(0.5, 2.0, int(young.sum()))
    return Schools(
        urn=FIRST_URN + np.arange(n),
        tier=tier,
        phase=np.array([_PHASES.get(each, "secondary") for each in tiers]),
        pyramid=pyramid,
        weight=weight,
        follows=_follows(tier, pyramid, weight),
        level=level,
        discipline=discipline,
        pyramid_weight=pyramid_weight,
        deprivation=rng.lognormal(0, 0.35, world.n_pyramids),
    )


def draw_entry(schools: Schools, pyramid: Ints, rng: np.random.Generator) -> Ints:
    """(pupils,) place of the school at which each pupil of a pyramid (pupils,) begins, by the schools' weights."""
    found = np.empty(len(pyramid), np.int64)
    for at in np.unique(pyramid):
        own = np.flatnonzero(pyramid == at)
        entry = schools.entry(int(at))
        found[own] = rng.choice(entry, len(own), p=schools.weight[entry] / schools.weight[entry].sum())
    return found


def at_year_group(schools: Schools, school: Ints, year_group: Ints) -> Ints:
    """(pupils,) place of the school of a year group, 0 to 11, to which pupils who were at ``school`` have gone on."""
    last = np.array([TIERS[tier][1] for tier in schools.tier])
    for _ in range(2):  # at most two tiers above the first
        school = np.where(year_group > last[school], schools.follows[school], school)
    return school


def expected_sizes(tier: NDArray[np.str_], pyramid: Ints, weight: Floats, pyramid_weight: Floats) -> Floats:
    """(schools,) pupils in a pyramid's school, up to a factor; 0 outside pyramids."""
    found = np.zeros(len(tier))
    for name in ("primary", "secondary", "first", "middle", "upper"):
        own = np.flatnonzero(tier == name)
        groups = TIERS[name][1] - TIERS[name][0] + 1
        of_pyramid = np.bincount(pyramid[own], weight[own], len(pyramid_weight))
        found[own] = groups * pyramid_weight[pyramid[own]] * weight[own] / of_pyramid[pyramid[own]]
    return found


def _layout(world: CountyWorld, rng: np.random.Generator) -> tuple[list[str], list[int]]:
    """Tier and pyramid of every school. Dorset has 6 special schools, 4 learning centres, 10 middle, 3 upper of 159."""
    n, pyramids = world.n_schools, world.n_pyramids
    special, alternative = max(1, round(0.0375 * n)), max(1, round(0.025 * n))
    three_tier = max(1, round(0.18 * pyramids))
    middles = [1 + (at < round(1.5 * three_tier)) + (at < round(0.5 * three_tier)) for at in range(three_tier)]
    above = [["upper", *["middle"] * middles[at]] if at < three_tier else ["secondary"] for at in range(pyramids)]
    below = n - special - alternative - sum(map(len, above))
    if below < 2 * pyramids:
        raise PlanError(
            f"world {world.name}: {n} schools leave {below} primary schools for {pyramids} pyramids; expected at "
            "least 2 for each. Raise n_schools or lower n_pyramids."
        )
    # Every pyramid has two; the others fall more often to pyramids that middle schools divide further.
    extra = rng.multinomial(below - 2 * pyramids, _shares(pyramids, three_tier))
    tiers, places = [], []
    for at in range(pyramids):
        entry = ["first" if at < three_tier else "primary"] * (2 + int(extra[at]))
        tiers += [*entry, *above[at]]
        places += [at] * (len(entry) + len(above[at]))
    tiers += ["special"] * special + ["alternative"] * alternative
    return tiers, places + [NO_PYRAMID] * (special + alternative)


def _shares(pyramids: int, three_tier: int) -> Floats:
    shares = np.where(np.arange(pyramids) < three_tier, 2.0, 1.0)
    found: Floats = shares / shares.sum()
    return found


def _follows(tier: NDArray[np.str_], pyramid: Ints, weight: Floats) -> Ints:
    """The school that pupils go on to: its pyramid's secondary or upper school, or the middle school they feed."""
    follows = np.full(len(tier), -1)
    after = {"primary": "secondary", "first": "middle", "middle": "upper"}
    for name, then in after.items():
        for at in np.unique(pyramid[tier == name]):
            own = np.flatnonzero((tier == name) & (pyramid == at))
            to = np.flatnonzero((tier == then) & (pyramid == at))
            order = np.argsort(-weight[own], kind="stable")
            follows[own[order]] = to[np.arange(len(own)) % len(to)]
    return follows
