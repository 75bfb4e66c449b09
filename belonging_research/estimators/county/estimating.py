"""From a specification to its estimate: placebos over their scales, intervals, what was promised, and the path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from belonging_research.errors import BelongingError, EstimateError, PanelError
from belonging_research.estimators.county.fitting import Fit, FixedArray, fit
from belonging_research.estimators.placebo import (
    critical_value,
    detectable_effect,
    fit_size_variance,
    interval,
    placebo_p,
    power_at,
    scaled_placebos,
    size_scale,
    type_m,
)
from belonging_research.estimators.result import Estimate, PathPoint
from belonging_research.panel import Comparison, Panel, Specification, compare, deciding_source, false_start
from belonging_research.plan import Method, Plan
from belonging_research.tables import Phase, Source, first_year

Floats = NDArray[np.float64]

_ESTIMAND = (
    "the treated council's mean rate since the start, less the rate that its comparison predicts for it without "
    "whatever touched it alone"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The placebos of one fit: errors over their scales ``z`` (J,), and the scale at the treated unit's size."""

    z: Floats
    scale: float
    units: tuple[str, ...]
    variance: tuple[float, float]


def reference(comparison: Comparison, fitted: Fit) -> Reference:
    """The placebos over s(n), s(n)^2 = a0 + b0/n (Ferman & Pinto 2019), each fitted without the unit it judges.

    The treated unit's own scale is fitted on the placebos alone; a placebo's on the others, so that an extreme one
    cannot widen the scale that judges it and flatter what could be noticed.
    """
    chosen = np.flatnonzero(comparison.donors & fitted.judged)
    z, variance = _scaled_errors(FixedArray.of(fitted.effects[chosen]), FixedArray.of(comparison.sizes[chosen]))
    return Reference(
        z=z,
        scale=float(size_scale(variance, comparison.sizes[:1])[0]),
        units=tuple(comparison.units[i] for i in chosen),
        variance=variance,
    )


# The same placebos judge an estimate, its path, its promise and the checks of both, at every look.
@lru_cache(maxsize=256)
def _scaled_errors(errors: FixedArray, sizes: FixedArray) -> tuple[Floats, tuple[float, float]]:
    """Placebo errors over their scales, not to be written to, and the variance that gives the treated unit's own."""
    z = scaled_placebos(errors.values, sizes.values, without_each=True)
    z.flags.writeable = False
    return z, fit_size_variance(errors.values, sizes.values)


def estimate(
    panel: Panel,
    plan: Plan,
    outcome: str,
    *,
    method: Method | None = None,
    phase: Phase = "all",
    source: Source | None = None,
    base: tuple[str, ...] | None = None,
    post: tuple[str, ...] | None = None,
) -> Estimate:
    """The effect on one outcome: by default the plan's registered method, base, post and deciding source.

    Returns an :class:`Estimate` in the outcome's unit. Raises :class:`PanelError` where figures are missing and
    :class:`EstimateError` where the design allows no number.
    """
    post = post or tuple(p for p in plan.post if p <= panel.report_year)
    source = source or deciding_source(panel, plan, outcome, post)
    if source is None:
        raise PanelError(
            f"{outcome}: no series has every year of {', '.join(post) or 'the post period'}; it is not out."
        )
    return estimate_specification(
        panel,
        plan,
        Specification(
            outcome=outcome, source=source, phase=phase, method=method or plan.method, base=base or plan.base, post=post
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An effect, in the outcome's unit, and its p-value: what a check needs of a variant."""

    value: float
    p_value: float


def effect_of(panel: Panel, plan: Plan, specification: Specification) -> Effect:
    """The effect and p-value of a specification, as :func:`estimate_specification` gives them, without the rest."""
    comparison = compare(panel, plan, specification)
    fitted = fit(comparison, plan)
    placebos = reference(comparison, fitted)
    unit, effect = 1.0 if plan.outcome(specification.outcome).unit == "per_100_pupils" else 0.01, fitted.effects[0]
    return Effect(value=unit * float(effect), p_value=placebo_p(float(effect), placebos.scale, placebos.z))


def estimate_specification(panel: Panel, plan: Plan, specification: Specification) -> Estimate:
    """As :func:`estimate`, for any specification (a check's variant among them)."""
    comparison = compare(panel, plan, specification)
    fitted = fit(comparison, plan)
    placebos = reference(comparison, fitted)
    planned = plan.outcome(specification.outcome)
    unit = 1.0 if planned.unit == "per_100_pupils" else 0.01
    effect, alpha = float(fitted.effects[0]), plan.alpha(panel.report_year)
    level = float(comparison.outcome[0])
    to_level = _rate_of_log if planned.unit == "log_ratio" else _rate
    promised, how = _promise(panel, plan, specification)
    shape = promised or placebos
    wanted = sorted({0.95, 0.9, round(1 - alpha, 6), round(1 - 2 * alpha, 6)})
    weights = fitted.weights
    return Estimate(
        outcome=specification.outcome,
        unit=planned.unit,
        estimand=_ESTIMAND,
        method=specification.method,
        layer="county",
        phase=specification.phase,
        subgroup=None,
        source=specification.source,
        base=specification.base,
        post=specification.post,
        plan_digest=plan.digest,
        panel_digest=panel.digest,
        value=unit * effect,
        actual=to_level(level),
        predicted=to_level(level - effect),
        std_error=unit * placebos.scale,
        p_value=placebo_p(effect, placebos.scale, placebos.z),
        intervals={f"{k:g}": _scaled(interval(effect, placebos.scale, placebos.z, k), unit) for k in wanted},
        inference="placebo",
        n_reference=len(placebos.z),
        n_treated=1,
        n_units=len(comparison.units),
        n_clusters=None,
        n_pupils=None,
        detectable=unit * detectable_effect(promised.z, promised.scale, alpha) if promised else None,
        detectable_05=unit * detectable_effect(promised.z, promised.scale, 0.05) if promised else None,
        detectable_realised_05=unit * detectable_effect(placebos.z, placebos.scale, 0.05),
        power_at_sesoi=power_at(shape.z, shape.scale, planned.sesoi / unit, alpha),
        type_m=type_m(shape.z, shape.scale, planned.sesoi / unit, alpha),
        detectable_how=how,
        weights=_named_weights(comparison, weights),
        path=_path(comparison, fitted, to_level) if weights is not None else (),
        registered=_is_registered(specification, plan, panel),
        placebo_units=placebos.units,
        placebos=tuple(float(v) for v in placebos.z),
        imbalance=_imbalance(comparison, weights),
        notes=tuple(f"{left.n} of {left.of} left out: {left.reason}" for left in (*panel.exclusions, *comparison.left)),
    )


def _rate(hundredths: float) -> float:
    return hundredths / 100


def _rate_of_log(hundredths: float) -> float:
    return float(np.exp(hundredths / 100))


def _scaled(ends: tuple[float, float], unit: float) -> tuple[float, float]:
    return unit * ends[0], unit * ends[1]


def _promise(panel: Panel, plan: Plan, of: Specification) -> tuple[Reference | None, str]:
    """The placebos of a false start in the last base year: what the plan could promise before outcomes were read."""
    try:
        return false_start_reference(panel, plan, of)[0], f"placebos of a false start in {of.base[-1]}"
    except (PanelError, EstimateError) as fault:
        return None, f"not known before outcomes were read: {fault}"


def false_start_reference(panel: Panel, plan: Plan, of: Specification) -> tuple[Reference, float]:
    """Placebos of the same method one year early, and the treated unit's own effect then (hundredths)."""
    early = replace(false_start(of, plan.base), without=of.without, also=of.also)
    comparison = compare(panel, plan, early)
    fitted = fit(comparison, plan)
    return reference(comparison, fitted), float(fitted.effects[0])


def _named_weights(comparison: Comparison, weights: Floats | None) -> dict[str, float]:
    if weights is None:
        return {}
    return {u: float(w) for u, w in zip(comparison.units[1:], weights[0, 1:], strict=True)}


def _imbalance(comparison: Comparison, weights: Floats | None) -> float | None:
    if weights is None:
        return None
    base = comparison.before.mean(axis=1)
    spread = float(base[1:].std(ddof=1))
    return float(base[0] - weights[0] @ base) / spread if spread > 0 else None


def _path(comparison: Comparison, fitted: Fit, to_level: Callable[[float], float]) -> tuple[PathPoint, ...]:
    """Each year of the treated unit beside its mix; low and high hold 95% of the size-scaled placebo gaps that year."""
    if fitted.weights is None:
        return ()
    start = first_year(max(comparison.specification.base)) + 1
    gaps = comparison.path - fitted.weights @ comparison.path
    points = []
    for place, year in enumerate(comparison.path_years):
        actual, gap = float(comparison.path[0, place]), float(gaps[0, place])
        try:
            one_year = reference(comparison, replace(fitted, effects=gaps[:, place]))
            half = critical_value(one_year.z, 0.05) * one_year.scale
        except BelongingError:
            half = None
        predicted = actual - gap
        points.append(
            PathPoint(
                period=year,
                event_time=first_year(year) - start,
                actual=to_level(actual),
                predicted=to_level(predicted),
                low=None if half is None else to_level(predicted - half),
                high=None if half is None else to_level(predicted + half),
            )
        )
    return tuple(points)


def _is_registered(of: Specification, plan: Plan, panel: Panel) -> bool:
    pooled = tuple(p for p in plan.post if p <= panel.report_year)
    plain = not (of.without or of.also or of.without_years)
    return plain and of.method == plan.method and of.phase == "all" and of.base == plan.base and of.post == pooled
