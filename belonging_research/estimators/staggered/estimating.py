"""The school layer's estimate: the overall effect of starting, judged by the recorded allocation of starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from belonging_research.errors import EstimateError
from belonging_research.estimators.result import Estimate, PathPoint, Unit
from belonging_research.estimators.staggered.allocation import allocations, refuse_too_few, stratum_of
from belonging_research.estimators.staggered.cells import Comparison, cells_of, cluster_adoption, cluster_sums
from belonging_research.estimators.staggered.conversion import Ints, Staggered
from belonging_research.estimators.staggered.detecting import (
    Placebos,
    drawn_rows,
    false_start,
    moved_starts,
    placebos,
    without_effect,
)
from belonging_research.estimators.staggered.effects import FEWEST_CLUSTERS, GroupTimeEffects
from belonging_research.estimators.staggered.group_time import group_time_effects
from belonging_research.estimators.staggered.history import study_of_starts
from belonging_research.estimators.staggered.randomisation import Randomisation, randomisation
from belonging_research.estimators.weights import Bools
from belonging_research.panel.schools import SchoolPanel, Weighting
from belonging_research.tables import Phase

_JUDGES = 199
_BY_LOT = ("drawn_by_lot", "outcome_blind")


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolDesign:
    """What a plan fixes for the school layer: this look's ``alpha``, the ``sesoi`` and how inference is made.

    ``sesoi`` in the outcome's unit, positive. ``draws``: allocations that judge the real one. ``levels`` of intervals.
    ``placebos``: allocations that are taken for the real one to find the detectable effect; 0 where it is not asked.
    """

    alpha: float
    sesoi: float
    comparison: Comparison = "not_yet_treated"
    anticipation: int = 0
    history: bool = False
    weights: Weighting = "pupils"
    draws: int = 1999
    placebos: int = 50
    levels: tuple[float, ...] = (0.95, 0.9)
    unit: Unit = "proportion"
    plan_digest: str = ""
    registered: bool = False


def estimate_schools(
    panel: SchoolPanel, design: SchoolDesign, *, rng: np.random.Generator, phase: Phase = "all"
) -> Estimate:
    """Overall effect of starting, in the outcome's unit, with randomisation inference over pyramids.

    The registered estimate: Callaway & Sant'Anna's overall group-time effect, without covariates, within the panel's
    blocks. P-value and intervals permute the starts of pyramids within the strata of the recorded allocation
    (:mod:`randomisation`). ``detectable`` is from false starts before any school started, at the design's alpha;
    ``detectable_realised_05`` from the outcomes less the estimate. The path's reference is event time -1
    less the anticipation.

    Raises :class:`EstimateError` where the starts of schools within a pyramid differ, the allocations are too few for
    alpha or a level, or nothing can be compared.
    """
    study = study_of_starts(panel, weights=design.weights, anticipation=design.anticipation, history=design.history)
    adoption, strata = cluster_adoption(study), stratum_of(study, panel)
    found = allocations(adoption, strata, draws=design.draws, rng=rng)
    refuse_too_few(found, design.alpha)
    cells = cells_of(study, anticipation=design.anticipation, universal=True, only_post=True)
    if not cells:
        raise EstimateError(f"{panel.outcome}: no half-term after a start has a school that had not started")
    judged = randomisation(
        study, adoption, found.others, cells,
        comparison=design.comparison, anticipation=design.anticipation,
    )  # fmt: skip
    effects = group_time_effects(
        panel, rng=rng, comparison=design.comparison, anticipation=design.anticipation, history=design.history,
        weights=design.weights,
    )  # fmt: skip
    before, how = _before(study, adoption, found.others, design, rng)
    realised = _realised(study, adoption, found.others, judged.value, design, rng)
    actual = _actual(study)
    return Estimate(
        outcome=panel.outcome,
        unit=design.unit,
        estimand=effects.estimand,
        method="group_time_effects",
        layer="school",
        phase=phase,
        subgroup=None,
        source="register",
        base=panel.periods[: panel.first_start],
        post=panel.periods[panel.first_start : study.last],
        plan_digest=design.plan_digest,
        panel_digest=panel.digest,
        value=judged.value,
        actual=actual,
        predicted=actual - judged.value,
        std_error=judged.std_error,
        p_value=judged.p_value(),
        intervals=_intervals(judged, design),
        inference="randomisation",
        n_reference=len(found.others),
        n_treated=effects.n_treated,
        n_units=effects.n_units,
        n_clusters=effects.n_clusters,
        n_pupils=round(float(panel.sizes.sum())),
        detectable=_try(before, lambda p: p.detectable(design.alpha)),
        detectable_05=_try(before, lambda p: p.detectable(0.05)),
        detectable_realised_05=_try(realised, lambda p: p.detectable(0.05)),
        power_at_sesoi=_try(before, lambda p: p.power(design.sesoi, design.alpha)),
        type_m=_try(before, lambda p: p.type_m(design.sesoi, design.alpha)),
        detectable_how=how,
        weights={},
        path=_path(study, effects),
        registered=design.registered,
        notes=_notes(panel, effects),
    )


def _before(
    study: Staggered, adoption: Ints, others: Ints, design: SchoolDesign, rng: np.random.Generator
) -> tuple[Placebos | None, str]:
    """Placebos of false starts before any school started, and how they were made in words."""
    if not design.placebos:
        return None, "not asked for"
    moved = false_start(study, anticipation=design.anticipation)
    if moved is None:
        return None, "too few half-terms before the first start for a false start, so what was promised is not known"
    early, back = moved
    to = cluster_adoption(early)
    own = drawn_rows(others, _JUDGES, rng)
    rows = moved_starts(np.vstack([adoption[None], own]), adoption, to)
    window = study.last - int(study.cohorts[0])
    how = (
        f"starts moved back by {back} of {window} half-terms into the time before any school started, allocated anew "
        f"to pyramids {min(design.placebos, len(rows))} times and judged by {len(own)} other allocations; the effect "
        "that carries 80% of these past the critical value, both signs"
    )
    try:
        return placebos(
            early, cluster_sums(early), rows, design.placebos,
            comparison=design.comparison, anticipation=design.anticipation,
        ), how  # fmt: skip
    except EstimateError as refused:
        return None, f"no false start can be judged: {refused}"


def _realised(
    study: Staggered, adoption: Ints, others: Ints, value: float, design: SchoolDesign, rng: np.random.Generator
) -> Placebos | None:
    """Placebos of the real half-terms, the estimate taken out of the outcomes."""
    if not design.placebos:
        return None
    rows = np.vstack([adoption[None], drawn_rows(others, _JUDGES, rng)])
    return placebos(
        study, without_effect(study, value), rows, design.placebos,
        comparison=design.comparison, anticipation=design.anticipation,
    )  # fmt: skip


def _try(found: Placebos | None, question: Callable[[Placebos], float | None]) -> float | None:
    """An answer of the placebos, None where they can give none."""
    if found is None:
        return None
    try:
        return question(found)
    except EstimateError:
        return None


def _intervals(judged: Randomisation, design: SchoolDesign) -> dict[str, tuple[float, float]]:
    """At the design's levels and at those that its alpha decides by, 1 - a and 1 - 2a."""
    levels = {*design.levels, round(1 - design.alpha, 12), round(1 - 2 * design.alpha, 12)}
    return {f"{level:g}": judged.interval(level) for level in sorted(levels)}


def _started(study: Staggered) -> Bools:
    """(n, T) where a unit has started and somebody can still be compared."""
    half = np.arange(study.values.shape[1])
    found: Bools = (half >= study.adoption[:, None]) & (half < study.last) & study.open[study.block]
    return found


def _actual(study: Staggered) -> float:
    """Mean level of started units over the half-terms since, by weight."""
    weight = study.weights[:, None] * _started(study)
    return float((study.values * weight).sum() / weight.sum())


def _path(study: Staggered, effects: GroupTimeEffects) -> tuple[PathPoint, ...]:
    """Mean level of starting units by half-terms since their start, beside what their comparison predicts."""
    half = np.arange(study.values.shape[1])
    enough = min(effects.n_treated_clusters, effects.n_comparison_clusters) >= FEWEST_CLUSTERS
    known = {each.event_time: each for each in effects.path}
    points = []
    for event_time in sorted({*known, -1 - effects.anticipation}):
        at = (half - study.adoption[:, None] == event_time) & (half < study.last) & study.open[study.block]
        weight = study.weights[:, None] * at
        if not weight.any():
            continue
        actual = float((study.values * weight).sum() / weight.sum())
        effect = known.get(event_time)
        value = effect.value if effect else 0.0
        band = (actual - effect.high, actual - effect.low) if effect and enough else (None, None)
        points.append(
            PathPoint(
                period=f"{event_time:+d}",
                event_time=event_time,
                actual=actual,
                predicted=actual - value,
                low=band[0],
                high=band[1],
                n_started=effect.n_started if effect else None,
                n_beside=effect.n_beside if effect else None,
            )
        )
    return tuple(points)


def _notes(panel: SchoolPanel, effects: GroupTimeEffects) -> tuple[str, ...]:
    notes = list(effects.notes)
    chosen = {how: n for how, n in panel.timing.items() if how not in _BY_LOT}
    if chosen:
        told = ", ".join(f"{n} {how}" for how, n in sorted(chosen.items()))
        notes.append(f"timing was not drawn by lot or outcome-blind for all units ({told}): permuting it is a model")
    if effects.unsupported:
        named = ", ".join(f"{each.group} at {each.time}" for each in effects.unsupported)
        notes.append(f"{len(effects.unsupported)} cohorts and half-terms have no effect, without comparison: {named}")
    if min(effects.n_treated_clusters, effects.n_comparison_clusters) < FEWEST_CLUSTERS:
        notes.append(
            f"{effects.n_treated_clusters} treated and {effects.n_comparison_clusters} comparison clusters: too few "
            "for cluster-robust bands, so the path has none"
        )
    return tuple(notes)
