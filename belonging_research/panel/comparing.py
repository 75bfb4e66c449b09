"""One comparison of a panel as arrays: the treated unit, its donors, their predictors and outcomes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from belonging_research.errors import PanelError
from belonging_research.outcomes import MEASURES
from belonging_research.panel.building import Left, Panel, counted, fortnight_grid, grid, once
from belonging_research.plan import Method, Plan
from belonging_research.tables import Phase, Source, shift_year

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """One comparison: what is estimated, how, on which years, without whom."""

    outcome: str
    source: Source
    phase: Phase
    method: Method
    base: tuple[str, ...]
    post: tuple[str, ...]
    without: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    without_years: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The arrays of one specification. Rows are ``units``, the treated one first, donors in code order.

    ``predictors``: (n, p) in hundredths (percentage points; hundredths of a log unit for ratios), weighted by the
    plan's rule; ``before``: (n, b) base years and ``after``: (n, q) post years, ``path``: (n, y) every year with
    figures, all in the same unit; ``outcome``: (n,) the mean over the post years (for a ratio the log of the mean
    rate); ``sizes``: (n,) possible half-days.
    """

    specification: Specification
    units: tuple[str, ...]
    predictors: Floats
    fortnights: Floats
    before: Floats
    after: Floats
    outcome: Floats
    path: Floats
    path_years: tuple[str, ...]
    sizes: Floats
    neighbours: tuple[tuple[int, ...], ...]
    left: tuple[Left, ...]

    @property
    def donors(self) -> NDArray[np.bool_]:
        """(n,) True for all but the treated unit."""
        return np.arange(len(self.units)) > 0


def compare(panel: Panel, plan: Plan, specification: Specification) -> Comparison:
    """The arrays of a specification, for the plan's first treated unit.

    Raises
    ------
    PanelError
        If the treated unit lacks a base or post year or a size, or fewer than 2 donors are complete.
    """
    # A method works on the same arrays as every other, so what is put together for one serves all.
    any_method = replace(specification, method=plan.method)
    key = (any_method, plan.estimator, plan.outcome(specification.outcome))
    found = once(panel, key, lambda: _compare(panel, plan, any_method))
    return replace(found, specification=specification)


def _compare(panel: Panel, plan: Plan, of: Specification) -> Comparison:
    log = plan.outcome(of.outcome).unit == "log_ratio"
    years, treated = grid(panel, of.outcome, source=of.source, phase=of.phase), panel.treated[0]
    needed = [*of.base, *of.post]
    missing = [year for year, value in zip(needed, years.take([treated], needed)[0], strict=True) if np.isnan(value)]
    if missing:
        raise PanelError(
            f"{of.outcome} ({of.source}, {of.phase}): {panel.names.get(treated, treated)} has no figure for "
            f"{', '.join(missing)}. Add that year's file, or ask for years that are out."
        )
    pool = [unit for unit in dict.fromkeys((*panel.donors, *of.also)) if unit not in of.without]
    everyone = [treated, *sorted(pool)]
    predictors, fortnights = _predictors(panel, plan, of, everyone)
    reasons = _incomplete(everyone, years.take(everyone, needed), predictors, panel.sizes, log=log)
    if treated in reasons:
        raise PanelError(f"{of.outcome} ({of.source}): {panel.names.get(treated, treated)}: {reasons[treated]}.")
    kept = np.array([unit not in reasons for unit in everyone])
    units = [unit for unit in everyone if unit not in reasons]
    if len(units) < 3:
        raise PanelError(f"{of.outcome} ({of.source}, {of.phase}): {len(units) - 1} complete donor(s); 2 are needed.")
    own = years.take(units, years.columns)
    whole = np.array([bool(np.isfinite(column).all()) for column in own.T])
    after = years.take(units, of.post)
    place = {unit: number for number, unit in enumerate(units)}
    return Comparison(
        specification=of,
        units=tuple(units),
        predictors=predictors[kept],
        fortnights=fortnights[kept],
        before=_hundredths(years.take(units, of.base), log),
        after=_hundredths(after, log),
        outcome=_hundredths(after.mean(axis=1), log),
        path=_hundredths(own[:, whole], log),
        path_years=tuple(year for year, ok in zip(years.columns, whole, strict=True) if ok),
        sizes=np.array([panel.sizes[unit] for unit in units]),
        neighbours=tuple(_own_neighbours(panel, unit, place, plan.estimator.neighbours) for unit in units),
        left=counted(reasons, len(pool)),
    )


def _hundredths(values: Floats, log: bool) -> Floats:
    # A rate of 0 has no logarithm: missing here, and counted by `_incomplete`.
    result: Floats = 100 * (np.log(np.where(values > 0, values, np.nan)) if log else values)
    return result


def _incomplete(
    units: list[str], years: Floats, predictors: Floats, sizes: Mapping[str, float], *, log: bool
) -> dict[str, str]:
    faults = {
        "not complete in base and post": np.isnan(years).any(axis=1),
        "a predictor is missing": np.isnan(predictors).any(axis=1),
        "a rate of 0 has no logarithm": log & (years <= 0).any(axis=1),
        "no possible half-days in the last base year, so no size": np.array([unit not in sizes for unit in units]),
    }
    reasons: dict[str, str] = {}
    for reason, found in faults.items():
        for place in np.flatnonzero(found):
            reasons.setdefault(units[place], reason)
    return {unit: reasons[unit] for unit in units if unit in reasons}


def _predictors(panel: Panel, plan: Plan, of: Specification, units: list[str]) -> tuple[Floats, Floats]:
    """Fortnights of the last pre-year and annual census rates of the years before the start, weighted by the plan.

    The annual rates carry ``history_weight`` times the fortnights' total weight, in squares. An outcome without
    fortnights of its own borrows those of overall absence, except for exclusions, which have annual rates alone.
    """
    rule, log = plan.estimator, plan.outcome(of.outcome).unit == "log_ratio"
    attendance = plan.outcome(of.outcome).domain == "attendance" or MEASURES[of.outcome].daily
    last = max((p for p in of.base if p not in of.without_years), default=of.base[-1])
    short = np.empty((len(units), 0))
    if attendance and not log:
        own = fortnight_grid(panel, of.outcome, period=last, phase=of.phase)
        if not own.columns:
            own = fortnight_grid(panel, "overall_absence_rate", period=last, phase=of.phase)
        short = 100 * own.take(units, own.columns)
    history = _history(panel, of, rule.history_years, units, log=log)
    weight = math.sqrt(rule.history_weight * max(short.shape[1], 1) / max(history.shape[1], 1))
    return np.hstack([short, weight * history]), short


def _history(panel: Panel, of: Specification, n_years: int, units: list[str], *, log: bool) -> Floats:
    """Annual rates of the ``n_years`` before the start that the treated unit (the first) has, in hundredths."""
    values = grid(panel, of.outcome, source="census", phase=of.phase)
    if not values.rows:
        values = grid(panel, of.outcome, source="daily", phase=of.phase)
    start = shift_year(max(of.base), 1)  # not the first post year asked for: a later one has treated years before it
    years = [shift_year(start, -back) for back in range(n_years, 0, -1)]
    found = values.take(units, [year for year in years if year not in of.without_years])
    return _hundredths(found[:, ~np.isnan(found[0])], log)


def _own_neighbours(panel: Panel, unit: str, place: dict[str, int], most: int) -> tuple[int, ...]:
    near = [place[other] for other in panel.neighbours.get(unit, ()) if place.get(other, 0) > 0]
    return tuple(near[:most])


def false_start(specification: Specification, base: tuple[str, ...]) -> Specification:
    """The same comparison one year early: the last base year as post, the years before it as base."""
    post = base[-1]
    return replace(specification, base=base[:-1] or (shift_year(post, -1),), post=(post,), without_years=())


def subset(comparison: Comparison, kept: NDArray[np.bool_]) -> Comparison:
    """The comparison of some of its units, (n,) True for those; the treated unit must be among them."""
    old = np.flatnonzero(kept)
    place = {int(o): n for n, o in enumerate(old)}
    return replace(
        comparison,
        units=tuple(comparison.units[i] for i in old),
        predictors=comparison.predictors[old],
        fortnights=comparison.fortnights[old],
        before=comparison.before[old],
        after=comparison.after[old],
        outcome=comparison.outcome[old],
        path=comparison.path[old],
        sizes=comparison.sizes[old],
        neighbours=tuple(tuple(place[n] for n in comparison.neighbours[i] if n in place) for i in old),
    )
