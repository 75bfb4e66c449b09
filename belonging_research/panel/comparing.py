"""One comparison of a panel as arrays: the treated unit, its donors, their predictors and outcomes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from belonging_research.errors import PanelError
from belonging_research.outcomes import MEASURES
from belonging_research.panel.building import Left, Panel, counted, fortnight_series, series
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
    of = specification
    log = plan.outcome(of.outcome).unit == "log_ratio"
    years = series(panel, of.outcome, source=of.source, phase=of.phase)
    needed = [*of.base, *of.post]
    absent = [p for p in needed if p not in years.columns]
    treated = panel.treated[0]
    if absent or treated not in years.index or years.loc[treated, needed].isna().any():
        missing = absent or [p for p in needed if pd.isna(years[p].get(treated))]
        raise PanelError(
            f"{of.outcome} ({of.source}, {of.phase}): {panel.names.get(treated, treated)} has no figure for "
            f"{', '.join(missing)}. Add that year's file, or ask for years that are out."
        )
    predictors, fortnights = _predictors(panel, plan, of)
    pool = [unit for unit in dict.fromkeys((*panel.donors, *of.also)) if unit not in of.without]
    reasons = _incomplete(pool, years[needed], predictors, panel.sizes, log=log)
    if reasons_treated := _incomplete([treated], years[needed], predictors, panel.sizes, log=log):
        raise PanelError(
            f"{of.outcome} ({of.source}): {panel.names.get(treated, treated)}: {reasons_treated[treated]}."
        )
    units = [treated, *sorted(unit for unit in pool if unit not in reasons)]
    if len(units) < 3:
        raise PanelError(f"{of.outcome} ({of.source}, {of.phase}): {len(units) - 1} complete donor(s); 2 are needed.")
    own = years.reindex(units)
    whole = own.loc[:, own.notna().all()]
    place = {unit: number for number, unit in enumerate(units)}
    return Comparison(
        specification=of,
        units=tuple(units),
        predictors=predictors.reindex(units).to_numpy(float),
        fortnights=fortnights.reindex(units).to_numpy(float),
        before=_hundredths(own[list(of.base)], log),
        after=_hundredths(own[list(of.post)], log),
        outcome=_hundredths(own[list(of.post)].mean(axis=1).to_frame(), log)[:, 0],
        path=_hundredths(whole, log),
        path_years=tuple(whole.columns),
        sizes=np.array([panel.sizes[unit] for unit in units]),
        neighbours=tuple(_own_neighbours(panel, unit, place, plan.estimator.neighbours) for unit in units),
        left=counted(reasons, len(pool)),
    )


def _hundredths(values: pd.DataFrame, log: bool) -> Floats:
    array = values.to_numpy(float)
    # A rate of 0 has no logarithm: missing here, and counted by `_incomplete`.
    result: Floats = 100 * (np.log(np.where(array > 0, array, np.nan)) if log else array)
    return result


def _incomplete(
    pool: list[str], years: pd.DataFrame, predictors: pd.DataFrame, sizes: dict[str, float], *, log: bool
) -> dict[str, str]:
    values, known = years.reindex(pool), predictors.reindex(pool)
    reasons = dict.fromkeys(values.index[values.isna().any(axis=1)], "not complete in base and post")
    for unit in known.index[known.isna().any(axis=1)]:
        reasons.setdefault(unit, "a predictor is missing")
    if log:
        for unit in values.index[(values <= 0).any(axis=1)]:
            reasons.setdefault(unit, "a rate of 0 has no logarithm")
    for unit in pool:
        if unit not in sizes:
            reasons.setdefault(unit, "no possible half-days in the last base year, so no size")
    return reasons


def _predictors(panel: Panel, plan: Plan, of: Specification) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fortnights of the last pre-year and annual census rates of the years before the start, weighted by the plan.

    The annual rates carry ``history_weight`` times the fortnights' total weight, in squares. An outcome without
    fortnights of its own borrows those of overall absence, except for exclusions, which have annual rates alone.
    """
    rule, log = plan.estimator, plan.outcome(of.outcome).unit == "log_ratio"
    attendance = plan.outcome(of.outcome).domain == "attendance" or MEASURES[of.outcome].daily
    last = max((p for p in of.base if p not in of.without_years), default=of.base[-1])
    short = pd.DataFrame()
    if attendance and not log:
        short = fortnight_series(panel, of.outcome, period=last, phase=of.phase)
        if short.empty:
            short = fortnight_series(panel, "overall_absence_rate", period=last, phase=of.phase)
    history = _history(panel, of, rule.history_years, log=log)
    weight = math.sqrt(rule.history_weight * max(short.shape[1], 1) / max(history.shape[1], 1))
    weighted = [part for part in (100 * short, weight * history) if part.shape[1]]
    return pd.concat(weighted, axis=1), 100 * short


def _history(panel: Panel, of: Specification, n_years: int, *, log: bool) -> pd.DataFrame:
    """Annual rates of the ``n_years`` before the start that the treated unit has, in hundredths."""
    values = series(panel, of.outcome, source="census", phase=of.phase)
    if values.empty:
        values = series(panel, of.outcome, source="daily", phase=of.phase)
    start = shift_year(max(of.base), 1)  # not the first post year asked for: a later one has treated years before it
    years = [shift_year(start, -back) for back in range(n_years, 0, -1)]
    own = values.reindex([panel.treated[0]])
    kept = [y for y in years if y in values.columns and y not in of.without_years and own[y].notna().all()]
    return pd.DataFrame(_hundredths(values[kept], log), index=values.index, columns=kept)


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
