"""A whole county drawn: everything but the marks, which are drawn year by year since they are a hundred million."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from belonging_research.simulate.county.changes import Changes, draw_changes
from belonging_research.simulate.county.pupils import Pupils, draw_pupils
from belonging_research.simulate.county.roll import Moves, Removals, Roll, draw_roll
from belonging_research.simulate.county.schools import Schools, draw_schools
from belonging_research.simulate.county.suspensions import Suspensions, draw_suspensions
from belonging_research.simulate.county.worlds import CountyWorld


@dataclass(frozen=True, slots=True, kw_only=True)
class County:
    """A made-up county of about ``world.n_pupils`` pupils. ``seed`` makes its marks, and the rest that is written."""

    world: CountyWorld
    schools: Schools
    pupils: Pupils
    changes: Changes
    roll: Roll
    moves: Moves
    removals: Removals
    suspensions: Suspensions
    seed: int


def draw_county(world: CountyWorld, rng: np.random.Generator) -> County:
    """Draw a county in which ``world`` is true. Two worlds that differ by their effects alone differ by nothing else.

    Raises
    ------
    PlanError
        If the world has too few schools for its pyramids.
    """
    schools = draw_schools(world, rng)
    changes = draw_changes(world, schools, rng)
    pupils = draw_pupils(world, schools, rng)
    roll, moves, removals = draw_roll(world, schools, pupils, changes, rng)
    suspensions = draw_suspensions(world, schools, pupils, changes, roll, removals, rng)
    return County(
        world=world, schools=schools, pupils=pupils, changes=changes, roll=roll, moves=moves, removals=removals,
        suspensions=suspensions, seed=int(rng.integers(2**62)),
    )  # fmt: skip
