"""A made-up country: one draw, two potential outcomes, in arrays and without touching disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from belonging_research.errors import PlanError
from belonging_research.plan import Plan
from belonging_research.simulate.annual import YEARS, Annual, annual_rates, draw_annual
from belonging_research.simulate.councils import CODES, N_COUNCILS, ONE_SCHOOL, Councils, draw_councils
from belonging_research.simulate.registers import Register, draw_registers, registers
from belonging_research.simulate.worlds import World


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedCountry:
    """What happened (``annual``, ``registers``) and what would have (``untreated_...``), from the same draw.

    ``treated`` is the place of the treated council among :data:`councils.CODES`; registers are by academic year.
    """

    world: World
    treated: int
    councils: Councils
    annual: Annual
    untreated_annual: Annual
    registers: Mapping[str, Register]
    untreated_registers: Mapping[str, Register]


def treated_place(plan: Plan) -> int:
    """The place of the plan's treated council in the made-up country.

    Raises
    ------
    PlanError
        If the plan treats several councils, or one that is not in the country.
    """
    unit = plan.treated[0].unit
    usable = CODES[:ONE_SCHOOL]
    if len(plan.treated) != 1 or unit not in usable:
        raise PlanError(
            f"plan {plan.study}: treated is {', '.join(t.unit for t in plan.treated)}; the made-up country has one "
            f"treated council, with a code from {usable[0]} to {usable[-1]}. Correct treated.0.unit."
        )
    return CODES.index(unit)


def draw_world(plan: Plan, world: World, rng: np.random.Generator) -> SimulatedCountry:
    """Draw a country in which ``world`` is true.

    All randomness is used up before the effect is applied, so two worlds with the same parameters of chance and the
    same generator differ by their effects alone.

    Raises
    ------
    PlanError
        If the plan's treated council is not one of the country.
    """
    treated = treated_place(plan)
    councils = draw_councils(rng, treated, world.treated_pupils)
    draw = draw_annual(rng, councils, treated, world)
    daily = draw_registers(rng, councils, treated)
    change, ratio = np.zeros((N_COUNCILS, len(YEARS))), np.ones((N_COUNCILS, len(YEARS)))
    untreated = annual_rates(draw, change, ratio, world)
    change, ratio = change.copy(), ratio.copy()
    change[treated] = [world.effect_pp.get(year, 0.0) for year in YEARS]
    ratio[treated] = [world.suspension_ratio.get(year, 1.0) for year in YEARS]
    actual = annual_rates(draw, change, ratio, world)
    return SimulatedCountry(
        world=world,
        treated=treated,
        councils=councils,
        annual=actual,
        untreated_annual=untreated,
        registers=registers(daily, actual, councils, with_faults=world.with_faults),
        untreated_registers=registers(daily, untreated, councils, with_faults=world.with_faults),
    )
