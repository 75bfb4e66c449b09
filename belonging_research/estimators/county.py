"""One treated council: every method as arrays over the same comparison, inference by size-scaled placebos.

Whatever is fitted for the treated council is fitted again for each donor in its place. Weights are fitted on years
before the start only, so an effect's size can never move them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from belonging_research.errors import BelongingError, EstimateError, PanelError
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
from belonging_research.estimators.synthetic_difference import (
    difference_in_differences_effects,
    synthetic_did_effects,
)
from belonging_research.estimators.weights import (
    leave_one_out_simplex_weights,
    ridge_augmented_weights,
    simplex_weights,
)
from belonging_research.panel import Comparison, Panel, Specification, compare, deciding_source, false_start, subset
from belonging_research.plan import Method, Plan
from belonging_research.tables import Phase, Source, first_year, shift_year

Floats = NDArray[np.float64]

_ESTIMAND = (
    "the treated council's mean rate since the start, less the rate that its comparison predicts for it without "
    "whatever touched it alone"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Effects of every unit as if treated, (n,), in hundredths; weights (n, n) where the method has any.

    ``judged``: (n,) units with an effect (a method by neighbours has none for a unit without neighbours).
    """

    effects: Floats
    weights: Floats | None
    judged: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The placebos of one fit: errors over their scales ``z`` (J,), and the scale at the treated unit's size."""

    z: Floats
    scale: float
    units: tuple[str, ...]
    variance: tuple[float, float]


def fit(comparison: Comparison, plan: Plan) -> Fit:
    """Fit a specification's method for the treated unit and, in its place, for every donor.

    Methods: ridge-augmented synthetic control (Ben-Michael, Feller & Rothstein 2021) with the plan's penalties;
    plain synthetic control on the fortnights (Abadie et al. 2010); synthetic difference-in-differences (Arkhangelsky
    et al. 2021); difference-in-differences over the base years, against all donors or ten statistical neighbours.
    Raises :class:`EstimateError` where a method's own needs are not met.
    """
    method = comparison.specification.method
    donors, everyone = comparison.donors, np.ones(len(comparison.units), dtype=bool)
    if method == "difference_in_differences":
        effects = difference_in_differences_effects(*_stacked(comparison.before, comparison.outcome), donors)
        return Fit(effects=effects, weights=None, judged=everyone)
    if method == "neighbours_difference_in_differences":
        return _neighbours_fit(comparison)
    if method == "synthetic_difference_in_differences":
        stacked = _stacked(_matched_on(comparison), comparison.outcome)
        return Fit(effects=synthetic_did_effects(*stacked, donors), weights=None, judged=everyone)
    predictors, rule = comparison.predictors, plan.estimator
    if method == "synthetic_control" and comparison.fortnights.shape[1]:
        predictors = comparison.fortnights
    augmented = rule.augmentation_penalty if method == "ridge_augmented_synthetic_control" else None
    weights = _weights(_Array.of(predictors), _simplex_penalty(method, plan), augmented)
    return Fit(effects=comparison.outcome - weights @ comparison.outcome, weights=weights, judged=everyone)


@dataclass(frozen=True, slots=True)
class _Array:
    """Predictors that can be compared: shape and bytes."""

    shape: tuple[int, ...]
    content: bytes

    @classmethod
    def of(cls, values: Floats) -> _Array:
        return cls(values.shape, np.ascontiguousarray(values).tobytes())

    @property
    def values(self) -> Floats:
        return np.frombuffer(self.content).reshape(self.shape)


# Looks, post years, checks and outcomes ask for the same mixes over and over: weights never see the post period.
@lru_cache(maxsize=64)
def _simplex(predictors: _Array, penalty: float) -> Floats:
    """(n, n) simplex mixes of all units but the treated first one; not to be written to."""
    values = predictors.values
    weights = leave_one_out_simplex_weights(values, np.arange(len(values)) > 0, penalty=penalty)
    weights.flags.writeable = False
    return weights


@lru_cache(maxsize=64)
def _weights(predictors: _Array, penalty: float, augmentation: float | None) -> Floats:
    weights = _simplex(predictors, penalty)
    if augmentation is not None:
        values = predictors.values
        weights = ridge_augmented_weights(values, weights, np.arange(len(values)) > 0, penalty=augmentation)
        weights.flags.writeable = False
    return weights


# Ways of comparing that differ in the ridge penalty alone share the simplex mix that it corrects.
@lru_cache(maxsize=8)
def _mixes_of_sets(predictors: _Array, sets: bytes, penalty: float) -> Floats:
    """(b, n - 1) simplex mixes of the treated first unit, one a set of donors; not to be written to."""
    values = predictors.values
    allowed = np.frombuffer(sets, dtype=np.bool_).reshape(-1, len(values) - 1)
    weights = simplex_weights(values[0], values[1:], penalty=penalty, allowed=allowed)
    weights.flags.writeable = False
    return weights


def simplex_mixes(predictors: Floats, *, penalty: float) -> Floats:
    """(n, n) mixes of all units but the treated first one, with weights of at least 0; not to be written to."""
    return _simplex(_Array.of(predictors), penalty)


def _simplex_penalty(method: Method, plan: Plan) -> float:
    """Of the plan for the augmented method and for the registered one; a plain synthetic control has none."""
    given = method in ("ridge_augmented_synthetic_control", plan.method)
    return plan.estimator.simplex_penalty if given else 0.0


def treated_effects(comparison: Comparison, plan: Plan, kept: NDArray[np.bool_]) -> Floats:
    """The treated unit's effect with each of several sets of units kept, in hundredths: ``kept`` (b, n) to (b,).

    What :func:`fit` gives it on each :func:`panel.subset`, at the cost of one batch of fits.
    """
    method, rule, sets = comparison.specification.method, plan.estimator, kept[:, 1:]
    predictors = comparison.predictors
    if method == "synthetic_control" and comparison.fortnights.shape[1]:
        predictors = comparison.fortnights
    if method not in ("ridge_augmented_synthetic_control", "synthetic_control"):
        return np.array([_treated_effect(subset(comparison, row), plan) for row in kept])
    target, donors = predictors[0], predictors[1:]
    weights = _mixes_of_sets(_Array.of(predictors), sets.tobytes(), _simplex_penalty(method, plan))
    if method == "synthetic_control":
        plain: Floats = comparison.outcome[0] - weights @ comparison.outcome[1:]
        return plain
    count = sets.sum(axis=1, keepdims=True)
    centre, level = sets @ donors / count, sets @ comparison.outcome[1:, None] / count
    about, outcome = donors - donors.mean(axis=0), comparison.outcome[1:] - comparison.outcome[1:].mean()
    off = centre - donors.mean(axis=0)
    products = (about[:, :, None] * about[:, None, :]).reshape(len(about), -1)
    spread = (sets @ products).reshape(len(sets), about.shape[1], -1) - count[:, :, None] * _outer(off)
    spread += rule.augmentation_penalty * np.eye(about.shape[1])
    covariance = sets @ (about * outcome[:, None]) - count * off * (level - comparison.outcome[1:].mean())
    gap = target - weights @ donors
    corrected = np.linalg.solve(spread, gap[:, :, None])[:, :, 0]
    effects: Floats = comparison.outcome[0] - weights @ comparison.outcome[1:] - (corrected * covariance).sum(axis=1)
    return effects


def _treated_effect(comparison: Comparison, plan: Plan) -> float:
    if comparison.specification.method != "synthetic_difference_in_differences":
        return float(fit(comparison, plan).effects[0])
    stacked = _stacked(_matched_on(comparison), comparison.outcome)
    return float(synthetic_did_effects(*stacked, comparison.donors, only_first=True)[0])


def _matched_on(comparison: Comparison) -> Floats:
    """What synthetic DiD matches on: fortnights of the daily series, else the years before the start."""
    before = comparison.fortnights if comparison.specification.source == "daily" else _years_before(comparison)
    return before if before.shape[1] else comparison.before


def _outer(rows: Floats) -> Floats:
    product: Floats = rows[:, :, None] * rows[:, None, :]
    return product


def _stacked(before: Floats, outcome: Floats) -> tuple[Floats, int]:
    return np.column_stack([before, outcome]), before.shape[1]


def _years_before(comparison: Comparison) -> Floats:
    start = shift_year(max(comparison.specification.base), 1)
    return comparison.path[:, [year < start for year in comparison.path_years]]


def _neighbours_fit(comparison: Comparison) -> Fit:
    change = comparison.outcome - comparison.before.mean(axis=1)
    near = comparison.neighbours
    judged = np.array([len(own) >= 2 for own in near])
    if not judged[0]:
        raise EstimateError(
            f"{comparison.specification.outcome}: fewer than 2 statistical neighbours of the treated council are "
            "donors. Add the statistical neighbours workbook to the data, or leave this method out of the plan."
        )
    mean = np.array([change[list(own)].mean() if ok else np.nan for own, ok in zip(near, judged, strict=True)])
    return Fit(effects=change - mean, weights=None, judged=judged)


def reference(comparison: Comparison, fitted: Fit) -> Reference:
    """The placebos over s(n), s(n)^2 = a0 + b0/n (Ferman & Pinto 2019), each fitted without the unit it judges.

    The treated unit's own scale is fitted on the placebos alone; a placebo's on the others, so that an extreme one
    cannot widen the scale that judges it and flatter what could be noticed.
    """
    chosen = np.flatnonzero(comparison.donors & fitted.judged)
    z, variance = _scaled_errors(_Array.of(fitted.effects[chosen]), _Array.of(comparison.sizes[chosen]))
    return Reference(
        z=z,
        scale=float(size_scale(variance, comparison.sizes[:1])[0]),
        units=tuple(comparison.units[i] for i in chosen),
        variance=variance,
    )


# The same placebos judge an estimate, its path, its promise and the checks of both, at every look.
@lru_cache(maxsize=256)
def _scaled_errors(errors: _Array, sizes: _Array) -> tuple[Floats, tuple[float, float]]:
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
