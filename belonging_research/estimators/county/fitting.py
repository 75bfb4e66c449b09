"""Every method's fit, for the treated council and for each donor in its place, as arrays over one comparison."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from belonging_research.errors import EstimateError
from belonging_research.estimators.synthetic_difference import (
    difference_in_differences_effects,
    synthetic_did_effects,
)
from belonging_research.estimators.weights import (
    leave_one_out_simplex_weights,
    ridge_augmented_weights,
    simplex_weights,
)
from belonging_research.panel import Comparison, subset
from belonging_research.plan import Method, Plan
from belonging_research.tables import shift_year

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Effects of every unit as if treated, (n,), in hundredths; weights (n, n) where the method has any.

    ``judged``: (n,) units with an effect (a method by neighbours has none for a unit without neighbours).
    """

    effects: Floats
    weights: Floats | None
    judged: NDArray[np.bool_]


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
    weights = _weights(FixedArray.of(predictors), _simplex_penalty(method, plan), augmented)
    return Fit(effects=comparison.outcome - weights @ comparison.outcome, weights=weights, judged=everyone)


@dataclass(frozen=True, slots=True)
class FixedArray:
    """An array that can be compared, so that what is made of it can be remembered: its shape and its bytes."""

    shape: tuple[int, ...]
    content: bytes

    @classmethod
    def of(cls, values: Floats) -> FixedArray:
        """Of an array of any shape, whose content is copied."""
        return cls(values.shape, np.ascontiguousarray(values, dtype=np.float64).tobytes())

    @property
    def values(self) -> Floats:
        """The array again, not to be written to."""
        return np.frombuffer(self.content).reshape(self.shape)


# Looks, post years, checks and outcomes ask for the same mixes over and over: weights never see the post period.
@lru_cache(maxsize=64)
def _simplex(predictors: FixedArray, penalty: float) -> Floats:
    """(n, n) simplex mixes of all units but the treated first one; not to be written to."""
    values = predictors.values
    weights = leave_one_out_simplex_weights(values, np.arange(len(values)) > 0, penalty=penalty)
    weights.flags.writeable = False
    return weights


@lru_cache(maxsize=64)
def _weights(predictors: FixedArray, penalty: float, augmentation: float | None) -> Floats:
    weights = _simplex(predictors, penalty)
    if augmentation is not None:
        values = predictors.values
        weights = ridge_augmented_weights(values, weights, np.arange(len(values)) > 0, penalty=augmentation)
        weights.flags.writeable = False
    return weights


# Ways of comparing that differ in the ridge penalty alone share the simplex mix that it corrects.
@lru_cache(maxsize=8)
def _mixes_of_sets(predictors: FixedArray, sets: bytes, penalty: float) -> Floats:
    """(b, n - 1) simplex mixes of the treated first unit, one a set of donors; not to be written to."""
    values = predictors.values
    allowed = np.frombuffer(sets, dtype=np.bool_).reshape(-1, len(values) - 1)
    weights = simplex_weights(values[0], values[1:], penalty=penalty, allowed=allowed)
    weights.flags.writeable = False
    return weights


def simplex_mixes(predictors: Floats, *, penalty: float) -> Floats:
    """(n, n) mixes of all units but the treated first one, with weights of at least 0; not to be written to."""
    return _simplex(FixedArray.of(predictors), penalty)


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
    weights = _mixes_of_sets(FixedArray.of(predictors), sets.tobytes(), _simplex_penalty(method, plan))
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
