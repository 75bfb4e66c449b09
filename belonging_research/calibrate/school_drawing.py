"""A made-up county of schools as the panels that a school layer is estimated from, with the truth of each outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from belonging_research.calibrate.school_worlds import ABSENCE, SchoolWorld
from belonging_research.errors import PanelError
from belonging_research.estimators.staggered import staggered
from belonging_research.panel.schools import SchoolPanel, panel_of_arrays
from belonging_research.plan import Plan, SchoolLayer
from belonging_research.simulate.county import SimulatedPanel, draw_school_panel

Floats = NDArray[np.float64]

_HALF_TERMS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnSchools:
    """A county's panels and truths by outcome, read as :class:`panel.schools.SchoolPanels` is.

    ``truths``: the effect on treated schools in half-terms with a comparison, from both potential outcomes of the same
    draw: a difference of rates weighted by pupils as the estimate is, or the log ratio of suspensions.
    """

    plan: Plan
    layer: SchoolLayer
    periods: tuple[str, ...]
    panels: Mapping[str, SchoolPanel]
    truths: Mapping[str, float]

    def panel(self, outcome: str) -> SchoolPanel:
        """The panel of an outcome."""
        return self.panels[outcome]


def draw_schools_of(world: SchoolWorld, plan: Plan, layer: SchoolLayer, rng: np.random.Generator) -> DrawnSchools:
    """One county of a world for ``plan`` (:attr:`Plan.of_schools`), whose tested outcomes have a panel each.

    Phases are compared within themselves, as year groups are where pupils are followed. Raises :class:`PlanError` as
    :func:`draw_school_panel`.
    """
    drawn = draw_school_panel(world.county, rng)
    if world.drift:
        drawn = _drifting(drawn, world.drift, rng)
    if world.uneven_suspensions:
        drawn = _uneven(drawn, *world.uneven_suspensions, rng)
    periods = (*plan.base, *plan.post)
    panels, truths = {}, {}
    for outcome in (each.name for each in plan.outcomes):
        would = _panel(drawn, outcome, periods, untreated=True)
        panels[outcome] = _panel(drawn, outcome, periods)
        truths[outcome] = _truth(panels[outcome], would, layer.anticipation)
    return DrawnSchools(plan=plan, layer=layer, periods=periods, panels=panels, truths=truths)


def _drifting(drawn: SimulatedPanel, drift: float, rng: np.random.Generator) -> SimulatedPanel:
    """Absence of schools that will start, moved away from the others' by ``drift`` of itself a year, up or down."""
    years = np.arange(drawn.absent.shape[1]) / _HALF_TERMS
    # Nought in the middle, so that no rate leaves what rates can be.
    away = np.exp(rng.choice([-1.0, 1.0]) * drift * (years - years.mean()))
    path = np.where((drawn.start >= 0)[:, None], away, 1.0)
    moved = {
        name: np.minimum(np.rint(getattr(drawn, name) * path).astype(np.int64), drawn.possible)
        for name in ("absent", "untreated_absent")
    }
    return replace(drawn, **moved)


def _uneven(drawn: SimulatedPanel, shape: float, never: float, rng: np.random.Generator) -> SimulatedPanel:
    """Negative-binomial suspensions a school and half-term at the county's rate; some schools never have one.

    Without any effect: the same with and without interventions.
    """
    suspending = rng.random(len(drawn.urn)) >= never
    usual = drawn.untreated_suspensions.sum(axis=0) / drawn.school_days.sum(axis=0)
    mean = usual * drawn.school_days * suspending[:, None] / (1 - never)
    found = rng.poisson(mean * rng.gamma(shape, 1 / shape, mean.shape))
    return replace(drawn, suspensions=found, untreated_suspensions=found)


def _panel(drawn: SimulatedPanel, outcome: str, periods: tuple[str, ...], *, untreated: bool = False) -> SchoolPanel:
    years = drawn.world.periods
    first = years.index(periods[0]) * _HALF_TERMS
    kept = slice(first, first + len(periods) * _HALF_TERMS)
    absence = outcome == ABSENCE
    name = f"{'untreated_' if untreated else ''}{'absent' if absence else 'suspensions'}"
    below = drawn.possible if absence else drawn.school_days
    last = len(periods) * _HALF_TERMS
    starts = [int(each) - first if 0 <= each - first < last else None for each in drawn.start]
    return panel_of_arrays(
        outcome=outcome,
        units=[str(urn) for urn in drawn.urn],
        periods=[f"{year} half-term {number}" for year in periods for number in range(1, _HALF_TERMS + 1)],
        numerator=getattr(drawn, name)[:, kept].astype(np.float64),
        denominator=below[:, kept].astype(np.float64),
        adoption=starts,
        clusters=[f"pyramid {number:02d}" for number in drawn.pyramid],
        # Counts have one block, as those of a council's own events have.
        blocks=[str(phase) for phase in drawn.phase] if absence else None,
        phases=[str(phase) for phase in drawn.phase],
        sizes=drawn.pupils,
        timing={drawn.world.timing: sum(each is not None for each in starts)},
        every_school_starts=bool((drawn.start >= 0).all()),
    )


def _truth(panel: SchoolPanel, would: SchoolPanel, anticipation: int) -> float:
    study = staggered(panel, anticipation=anticipation)
    half = np.arange(len(panel.periods))
    adoption = np.array([len(half) if each is None else each for each in panel.adoption])
    cells = (half >= adoption[:, None]) & (half < study.last)
    if panel.outcome == ABSENCE:
        weight = panel.sizes[:, None] * cells
        return float(((panel.values - would.values) * weight).sum() / weight.sum())
    untreated = would.numerator[cells].sum()
    if not untreated:
        raise PanelError(f"{panel.outcome}: no treated school would have had an event, so there is no true ratio.")
    return float(np.log(panel.numerator[cells].sum() / untreated))
