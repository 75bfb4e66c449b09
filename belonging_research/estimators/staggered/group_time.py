"""Group-time effects of staggered starts: each cohort at each half-term, and their summaries with one band.

Callaway & Sant'Anna (2021), doubly robust, through diff-diff; a panel with blocks is compared within them by
:mod:`cells`, which gives the same numbers where the library can. Analytic errors are reported; the bootstrap gives the
simultaneous critical value and nothing else, since libraries' bootstrap errors differ.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from diff_diff import CallawaySantAnna, SurveyDesign

from belonging_research.errors import EstimateError
from belonging_research.estimators.staggered.aggregates import (
    Summary,
    by_key,
    each_cell,
    group_overall,
    plain_mean,
    simultaneous_critical,
    weighted_by_treated,
)
from belonging_research.estimators.staggered.cells import (
    Cell,
    CellEffects,
    Comparison,
    cell_effects,
    cells_of,
    cluster_sums,
    controls,
    error_factor,
)
from belonging_research.estimators.staggered.contributing import schools_behind
from belonging_research.estimators.staggered.conversion import NEVER, Staggered, long_rows
from belonging_research.estimators.staggered.effects import (
    CellEffect,
    Effect,
    EventEffect,
    GroupTimeEffects,
    Unsupported,
)
from belonging_research.estimators.staggered.history import study_of_starts
from belonging_research.estimators.staggered.randomisation import at_equal_history
from belonging_research.estimators.weights import Floats
from belonging_research.panel.schools import SchoolPanel, Weighting

BasePeriod = Literal["varying", "universal"]


def group_time_effects(
    panel: SchoolPanel,
    *,
    rng: np.random.Generator,
    comparison: Comparison = "not_yet_treated",
    anticipation: int = 0,
    covariates: Mapping[str, Floats] | None = None,
    history: bool = False,
    weights: Weighting = "pupils",
    base_period: BasePeriod = "universal",
    draws: int = 999,
    level: float = 0.95,
) -> GroupTimeEffects:
    """Effects of each cohort at each half-term, doubly robust, clustered by pyramid.

    ``covariates``: (n,) by name in the order of ``panel.units``, fixed before the first start (not with blocks).
    ``history``: effects since the start are measured at equal history (:mod:`history`); before it nothing is allowed
    for.
    ``rng`` and ``draws`` serve the simultaneous band of the path at ``level``. ``base_period``: what effects before
    the start are measured from, the half-term before each or the reference event time (-1 less the anticipation).

    No effect is given once the last cohort has started, nor where nobody is comparable: such cells are named.
    Raises :class:`EstimateError` where none is left, nobody never starts under ``never_treated``, covariates are
    missing or cannot be balanced.
    """
    study = study_of_starts(panel, weights=weights, anticipation=anticipation, history=history)
    _refuse(study, panel, comparison, covariates)
    cells = cells_of(study, anticipation=anticipation, universal=base_period == "universal")
    own = {name: np.asarray(x, dtype=np.float64) for name, x in (covariates or {}).items()}
    notes: tuple[str, ...] = ()
    if len(study.blocks) > 1 or history:
        effects = _by_cluster(_unit_effects(study, cells, comparison, anticipation), study)
    else:
        at = np.searchsorted(panel.units, study.units)
        extra = np.column_stack([x[at] for x in own.values()]) if own else None
        effects, notes = _library(study, cells, comparison, anticipation, base_period, extra)
    return _results(
        panel, study, cells, effects, rng, draws, level,
        comparison=comparison, anticipation=anticipation, weights=weights, covariates=tuple(own), notes=notes,
    )  # fmt: skip


def estimand_of(panel: SchoolPanel, *, history: bool) -> str:
    """What effects of a panel are of: where every school starts in the end, the extra of starting earlier."""
    alike = ", at equal rates before anybody started" if history else ""
    if panel.every_school_starts:
        return (
            "the extra of starting earlier: mean effect on schools that had started, in the half-terms since, against "
            "schools that started later; every school starts in the end, so it is not the effect of the whole programme"
            + alike
        )
    return (
        "mean effect on schools that started, in the half-terms since they started, against schools that had not "
        "started by then" + alike
    )


def _refuse(
    study: Staggered, panel: SchoolPanel, comparison: Comparison, covariates: Mapping[str, Floats] | None
) -> None:
    if comparison == "never_treated" and not (study.adoption == NEVER).any():
        raise EstimateError(
            f"{panel.outcome}: every unit starts within the panel, so none is never treated; compare with "
            "not_yet_treated, which gives the extra of starting earlier"
        )
    if not (study.cohorts < study.last).any():
        raise EstimateError(
            f"{panel.outcome}: all units start together, at {study.periods[int(study.cohorts[0])]}; nothing can be "
            "compared without schools that start later or never"
        )
    if covariates and study.history.size:
        raise EstimateError(f"{panel.outcome}: covariates beside history are not built; leave one of them out")
    if covariates and len(study.blocks) > 1:
        raise EstimateError(
            f"{panel.outcome}: covariates beside blocks are not built; a panel with blocks is already compared within "
            "year groups. Leave the covariates out, or use the school panel of all enrolments"
        )
    for name, x in (covariates or {}).items():
        found = np.asarray(x)
        if found.shape != (len(panel.units),) or not np.isfinite(found).all():
            raise EstimateError(
                f"covariate {name}: expected {len(panel.units)} numbers, one a unit of the panel and none missing"
            )


def _unit_effects(study: Staggered, cells: tuple[Cell, ...], comparison: Comparison, anticipation: int) -> CellEffects:
    """As if each unit were its own cluster: starts may then differ within a pyramid.

    History is allowed for from the start on: what came before it is shown as it was.
    """
    n = np.arange(len(study.units))
    alone = replace(study, cluster=n, clusters=study.units)

    def found(each: Staggered) -> CellEffects:
        sums = cluster_sums(each)
        return cell_effects(sums, study.adoption[None], cells, comparison=comparison, anticipation=anticipation)

    as_it_was = found(replace(alone, history=study.history[:, :0]))
    if not study.history.size:
        return as_it_was
    since = found(at_equal_history(alone, comparison=comparison, anticipation=anticipation))
    post = [cell.is_post for cell in cells]
    return CellEffects(
        **{name: np.where(post, getattr(since, name), getattr(as_it_was, name)) for name in CellEffects.__slots__}
    )


def _by_cluster(effects: CellEffects, study: Staggered) -> CellEffects:
    """Influence and shares of units summed by cluster."""
    parts = []
    for each in (effects.shares[0], effects.influence[0]):
        summed = np.zeros((len(study.clusters), each.shape[1]))
        np.add.at(summed, study.cluster, each)
        parts.append(summed[None])
    return CellEffects(att=effects.att, weight=effects.weight, shares=parts[0], influence=parts[1])


def _library(
    study: Staggered,
    cells: tuple[Cell, ...],
    comparison: Comparison,
    anticipation: int,
    base_period: BasePeriod,
    covariates: Floats | None,
) -> tuple[CellEffects, tuple[str, ...]]:
    """diff-diff's cells with the influence of each unit, which the library keeps for its own aggregation."""
    alike = bool(np.allclose(study.weights, 1.0))
    rows = long_rows(study, never=0, covariates=covariates)
    names = [name for name in rows.columns if name.startswith("x")]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            fitted = CallawaySantAnna(
                control_group=comparison,
                anticipation=anticipation,
                estimation_method="dr",
                base_period=base_period,
            ).fit(
                rows,
                outcome="y",
                unit="unit",
                time="time",
                first_treat="adoption",
                covariates=names or None,
                survey_design=None if alike else SurveyDesign(weights="weight"),
            )
        except (ValueError, RuntimeError, np.linalg.LinAlgError) as refused:
            raise EstimateError(
                f"group-time effects could not be estimated ({type(refused).__name__} in diff-diff); with covariates, "
                "check that treated and comparison schools overlap in them"
            ) from None
    notes = tuple(sorted({str(each.message).split(". ")[0] for each in caught}))
    return _by_cluster(_kept_influence(fitted, study, cells), study), notes


def _kept_influence(fitted: Any, study: Staggered, cells: tuple[Cell, ...]) -> CellEffects:
    n = len(study.units)
    att, weight = np.full((1, len(cells)), np.nan), np.zeros((1, len(cells)))
    shares, influence = np.zeros((2, 1, n, len(cells)))
    kept = fitted._aggregation_kit.influence  # no public way to it; held by the pinned version and by tests
    for m, cell in enumerate(cells):
        own = kept.get((cell.group + 1, cell.time + 1))
        found = fitted.group_time_effects.get((cell.group + 1, cell.time + 1))
        if own is None or found is None or not np.isfinite(found["effect"]):
            continue
        att[0, m] = found["effect"]
        np.add.at(influence[0, :, m], own["treated_idx"], own["treated_inf"])
        np.add.at(influence[0, :, m], own["control_idx"], own["control_inf"])
        shares[0, :, m] = study.weights * (study.adoption == cell.group)
        weight[0, m] = shares[0, :, m].sum()
    return CellEffects(att=att, weight=weight, shares=shares, influence=influence)


def _results(
    panel: SchoolPanel,
    study: Staggered,
    cells: tuple[Cell, ...],
    effects: CellEffects,
    rng: np.random.Generator,
    draws: int,
    level: float,
    **asked: Any,
) -> GroupTimeEffects:
    factor = error_factor(study)
    groups = by_key(effects, cells, lambda c: c.group, lambda c: c.is_post)
    if not groups:
        raise EstimateError(
            f"{panel.outcome}: no cohort has a half-term after its start at which somebody had not started; nothing "
            "can be compared"
        )
    events = by_key(effects, cells, lambda c: c.time - c.group, lambda c: True)
    dates = by_key(effects, cells, lambda c: c.time, lambda c: c.is_post)
    singles = each_cell(effects, [""] * len(cells))
    cohorts = [plain_mean([singles[m] for m in at], study.periods[g]) for g, at in groups.items()]
    paths = {e: weighted_by_treated(effects, at, str(e)) for e, at in events.items()}
    calendar = [weighted_by_treated(effects, at, study.periods[t]) for t, at in dates.items()]
    post = [m for at in groups.values() for m in at]
    critical = simultaneous_critical(list(paths.values()), factor, rng=rng, draws=draws, level=level)
    psi = np.column_stack([each.influence for each in paths.values()])
    psi = psi - psi.mean(axis=0)
    told = _counts(study, cells, [cells[m] for m in post], asked["comparison"], asked["anticipation"])
    schools = schools_behind(
        panel, study, cells, events, comparison=asked["comparison"], anticipation=asked["anticipation"]
    )
    return GroupTimeEffects(
        outcome=panel.outcome,
        estimand=estimand_of(panel, history=bool(study.history.size)),
        overall=_effect(weighted_by_treated(effects, post, "overall"), factor),
        group=_effect(group_overall(effects, groups, cohorts), factor),
        dynamic=_effect(plain_mean([each for e, each in paths.items() if e >= 0], "dynamic"), factor),
        calendar=_effect(plain_mean(calendar, "calendar"), factor),
        cells=_cells(study, cells, singles, effects, factor, asked["comparison"], asked["anticipation"]),
        by_cohort=tuple(_effect(each, factor) for each in cohorts),
        by_calendar=tuple(_effect(each, factor) for each in calendar),
        path=tuple(_event(e, each, factor, critical, schools[e]) for e, each in paths.items()),
        event_covariance=factor * psi.T @ psi,
        critical=critical,
        unsupported=_unsupported(study, cells, effects),
        left_out=(*panel.exclusions, *study.left_out),
        **told,
        **asked,
    )


def _effect(summary: Summary, factor: float) -> Effect:
    return Effect(label=summary.label, value=summary.value, std_error=summary.std_error(factor))


def _event(event_time: int, summary: Summary, factor: float, critical: float, schools: tuple[int, int]) -> EventEffect:
    error = summary.std_error(factor)
    reach = critical * error
    return EventEffect(
        event_time=event_time,
        value=summary.value,
        std_error=error,
        low=summary.value - reach,
        high=summary.value + reach,
        n_started=schools[0],
        n_beside=schools[1],
    )


def _cells(
    study: Staggered,
    cells: tuple[Cell, ...],
    singles: Sequence[Summary],
    effects: CellEffects,
    factor: float,
    comparison: Comparison,
    anticipation: int,
) -> tuple[CellEffect, ...]:
    found = []
    for m, cell in enumerate(cells):
        if not effects.weight[0, m] > 0:
            continue
        control = controls(study.adoption, cell, comparison=comparison, anticipation=anticipation)
        open_now = (study.open[:, cell.time] & study.open[:, cell.base])[study.block]
        found.append(
            CellEffect(
                group=study.periods[cell.group],
                time=study.periods[cell.time],
                event_time=cell.time - cell.group,
                value=singles[m].value,
                std_error=singles[m].std_error(factor),
                n_treated=int((open_now & (study.adoption == cell.group)).sum()),
                n_comparison=int((open_now & control).sum()),
            )
        )
    return tuple(found)


def _unsupported(study: Staggered, cells: tuple[Cell, ...], effects: CellEffects) -> tuple[Unsupported, ...]:
    """Every cohort and half-term since its start that has no effect."""
    have = {(c.group, c.time) for m, c in enumerate(cells) if effects.weight[0, m] > 0}
    found = []
    for group in map(int, study.cohorts):
        for time in range(group, len(study.periods)):
            if (group, time) not in have:
                reason = "every_school_has_started" if time >= study.last else "nobody_to_compare_with"
                found.append(Unsupported(group=study.periods[group], time=study.periods[time], reason=reason))
    return tuple(found)


def _counts(
    study: Staggered, cells: tuple[Cell, ...], post: Sequence[Cell], comparison: Comparison, anticipation: int
) -> dict[str, Any]:
    treated = np.isin(study.adoption, [cell.group for cell in post])
    compared = [
        len(set(study.cluster[controls(study.adoption, cell, comparison=comparison, anticipation=anticipation)]))
        for cell in post
    ]
    return {
        "n_units": len(study.units),
        "n_treated": int(treated.sum()),
        "n_clusters": len(study.clusters),
        "n_treated_clusters": len(set(study.cluster[treated])),
        "n_comparison_clusters": min(compared),
    }
