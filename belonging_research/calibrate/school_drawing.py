"""A made-up county of schools as the panels that a school layer is estimated from, with the truth of each outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from belonging_research.calibrate.school_worlds import ABSENCE, SchoolWorld
from belonging_research.errors import PanelError
from belonging_research.estimators.staggered import staggered
from belonging_research.panel.schools import FollowedPupils, SchoolPanel, panel_of_arrays
from belonging_research.plan import Plan, SchoolLayer
from belonging_research.simulate.county import SimulatedCohort, SimulatedPanel, draw_cohort, draw_school_panel
from belonging_research.tables.years import first_year

Floats = NDArray[np.float64]

_HALF_TERMS = 6
_YEARS = 12  # more than any year group's number
_LAST_ASKED = 10  # Year 10: of age 14, the last that counts in a year's sixth half-term


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnPupils(DrawnSchools):
    """The same where pupils are followed, read as :class:`panel.schools.PupilPanels` is.

    Overall absence is of the cohort, by baseline school and year group, as :func:`panel.schools.cohort_panel` has it.
    """

    cohort: SimulatedCohort

    def panel_of_stayers(self, outcome: str) -> SchoolPanel:
        """Overall absence without pupils who were later in a school of another pyramid; events are of no pupil here."""
        if outcome != ABSENCE:
            raise PanelError(f"{outcome}: made up by school, so that nobody's move shows in it.")
        return _cohort_panel(self.cohort, kept=~self.cohort.elsewhere)

    def followed(self) -> FollowedPupils:
        """The pupils who are still of an age that counts at the end."""
        own, last = self.cohort, self.periods[-1]
        later = first_year(last) - first_year(self.layer.baseline)
        # At 15 the sixth half-term counts no more, so who would be 15 is not asked after.
        at = np.flatnonzero(own.year_group + later <= _LAST_ASKED)
        since = slice((self.periods.index(self.layer.baseline) + 1) * _HALF_TERMS, None)
        return FollowedPupils(
            schools=own.schools.urn.astype(str)[own.home[at]], absent=own.absent[at, since].sum(axis=1),
            possible=own.possible[at, since].sum(axis=1), there=own.there[at],
        )  # fmt: skip


def draw_schools_of(world: SchoolWorld, plan: Plan, layer: SchoolLayer, rng: np.random.Generator) -> DrawnSchools:
    """One county of a world for ``plan`` (:attr:`Plan.of_schools`), whose tested outcomes have a panel each.

    Phases are compared within themselves, as year groups are where pupils are followed. Raises :class:`PlanError` as
    :func:`draw_school_panel`.
    """
    periods = (*plan.base, *plan.post)
    cohort = None
    if world.pupils is None:
        drawn = draw_school_panel(world.county, rng)
    else:
        cohort = draw_cohort(world.county, world.pupils, periods=periods, baseline=layer.baseline, rng=rng)
        drawn = cohort.schools
    if world.drift:
        drawn = _drifting(drawn, world.drift, rng)
    if world.uneven_suspensions:
        drawn = _uneven(drawn, *world.uneven_suspensions, rng)
    panels, truths = {}, {}
    for outcome in (each.name for each in plan.outcomes):
        if cohort is not None and outcome == ABSENCE:
            panels[outcome] = _cohort_panel(cohort)
            nothing = bool((cohort.absent == cohort.untreated_absent).all())
            would = panels[outcome] if nothing else _cohort_panel(cohort, untreated=True)
        else:
            panels[outcome] = _panel(drawn, outcome, periods)
            would = _panel(drawn, outcome, periods, untreated=True)
        truths[outcome] = _truth(panels[outcome], would, layer.anticipation)
    if cohort is None:
        return DrawnSchools(plan=plan, layer=layer, periods=periods, panels=panels, truths=truths)
    return DrawnPupils(plan=plan, layer=layer, periods=periods, panels=panels, truths=truths, cohort=cohort)


def _drifting(drawn: SimulatedPanel, drift: float, rng: np.random.Generator) -> SimulatedPanel:
    """Absence of schools that will start, moved away from the others' by ``drift`` points a year, up or down."""
    years = np.arange(drawn.absent.shape[1]) / _HALF_TERMS
    # Nought in the middle, so that few rates meet the ends of what rates can be.
    away = rng.choice([-1.0, 1.0]) * drift / 100 * (years - years.mean())
    more = np.where((drawn.start >= 0)[:, None], away, 0.0) * drawn.possible
    moved = {
        name: np.clip(np.rint(getattr(drawn, name) + more), 0, drawn.possible).astype(np.int64)
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
    starts = _starts(drawn, periods)
    return panel_of_arrays(
        outcome=outcome,
        units=[str(urn) for urn in drawn.urn],
        periods=_labels(periods),
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


def _starts(drawn: SimulatedPanel, periods: tuple[str, ...]) -> list[int | None]:
    """Of each school, counted from the first half-term of ``periods``; None without a start in them."""
    first, last = drawn.world.periods.index(periods[0]) * _HALF_TERMS, len(periods) * _HALF_TERMS
    return [int(each) - first if 0 <= each - first < last else None for each in drawn.start]


def _labels(periods: tuple[str, ...]) -> list[str]:
    return [f"{year} half-term {number}" for year in periods for number in range(1, _HALF_TERMS + 1)]


def _cohort_panel(
    cohort: SimulatedCohort, *, untreated: bool = False, kept: NDArray[np.bool_] | None = None
) -> SchoolPanel:
    """Overall absence by baseline school and year group, compared within year groups; of the pupils ``kept``."""
    drawn, at = cohort.schools, np.arange(len(cohort.home)) if kept is None else np.flatnonzero(kept)
    code = cohort.home[at] * _YEARS + cohort.year_group[at]
    order = np.argsort(code, kind="stable")
    codes, first = np.unique(code[order], return_index=True)
    at = at[order]
    home, years = codes // _YEARS, [f"Y{year:02d}" for year in codes % _YEARS]
    urns = drawn.urn.astype(str)[home].tolist()
    starts = _starts(drawn, cohort.periods)
    adoption = [starts[school] for school in home]
    absent = cohort.untreated_absent if untreated else cohort.absent
    return panel_of_arrays(
        outcome=ABSENCE,
        units=[f"{urn}/{year}" for urn, year in zip(urns, years, strict=True)],
        periods=_labels(cohort.periods),
        numerator=np.add.reduceat(absent[at], first),
        denominator=np.add.reduceat(cohort.possible[at], first),
        adoption=adoption,
        clusters=[f"pyramid {number:02d}" for number in drawn.pyramid[home]],
        schools=urns,
        blocks=years,
        phases=[str(phase) for phase in drawn.phase[home]],
        sizes=np.diff(first, append=len(at)).astype(np.float64),
        timing={drawn.world.timing: sum(each is not None for each in adoption)},
        every_school_starts=bool((drawn.start >= 0).all()),
    )


def _truth(panel: SchoolPanel, would: SchoolPanel, anticipation: int) -> float:
    study = staggered(panel, anticipation=anticipation)
    half = np.arange(len(panel.periods))
    adoption = np.array([len(half) if each is None else each for each in panel.adoption])
    cells = (half >= adoption[:, None]) & (half < study.last)
    if panel.outcome == ABSENCE:
        weight = panel.sizes[:, None] * (cells & (panel.denominator > 0))
        return float((np.nan_to_num(panel.values - would.values) * weight).sum() / weight.sum())
    untreated = would.numerator[cells].sum()
    if not untreated:
        raise PanelError(f"{panel.outcome}: no treated school would have had an event, so there is no true ratio.")
    return float(np.log(panel.numerator[cells].sum() / untreated))
