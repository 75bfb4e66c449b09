"""Randomisation inference for staggered starts: the real allocation among those that the same draw could have given.

The statistic is the overall effect over its clustered error (Wu & Ding 2021 on why studentised). P-value and interval
come from one reference: an effect is inside the interval at 1 - a unless taking it out of the outcomes leaves
p <= a. Under a constant effect t the outcomes without it are known for every school and half-term, so the p-value of
each t is exact whatever the outcomes' distribution, clustering or serial correlation (Fisher 1935; Rosenbaum 2002).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from belonging_research.errors import EstimateError
from belonging_research.estimators.placebo import alpha_of
from belonging_research.estimators.staggered.cells import (
    Cell,
    ClusterSums,
    Comparison,
    cell_effects,
    cells_of,
    cluster_adoption,
    cluster_sums,
    error_factor,
    overall_effects,
    overall_values,
)
from belonging_research.estimators.staggered.conversion import NEVER, Ints, Staggered
from belonging_research.estimators.staggered.history import less_history
from belonging_research.estimators.weights import Bools, Floats

# Equal statistics reached by another order of sums are ties, and ties count against a finding.
_TIE = 1e-9
_CHUNK = 2_000_000  # numbers held at once
LEAST_LEFT = 1e-6  # of having started, once history is taken out


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """Overall effects under B allocations of outcomes less a constant effect t: a - t b, variances A - 2 t B + t^2 C.

    ``value`` is a, ``slope`` b, ``variance``, ``cross`` and ``curve`` A, B and C, each (B,).
    """

    value: Floats
    slope: Floats
    variance: Floats
    cross: Floats
    curve: Floats

    def rows(self, kept: Bools) -> Linear:
        """Those of some allocations."""
        return Linear(
            value=self.value[kept],
            slope=self.slope[kept],
            variance=self.variance[kept],
            cross=self.cross[kept],
            curve=self.curve[kept],
        )

    def squared_t(self, effect: float) -> Floats:
        """t^2 (B,) of outcomes less ``effect``; infinite without error, 0 where there is no effect either.

        Infinite too where an allocation leaves nothing to compare: it must not speak for a finding.
        """
        top = (self.value - effect * self.slope) ** 2
        bottom = np.maximum(self.variance - 2 * effect * self.cross + effect**2 * self.curve, 0.0)
        found: Floats = np.divide(top, bottom, out=np.where(top > 0, np.inf, 0.0), where=bottom > 0)
        return np.nan_to_num(found, nan=np.inf, posinf=np.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Randomisation:
    """The real allocation's overall effect (``own``, one row) and the reference it is judged by (B others)."""

    own: Linear
    reference: Linear

    @property
    def value(self) -> float:
        """The constant effect that leaves nothing of the overall effect, in the outcome's unit."""
        return float(self.own.value[0] / self.own.slope[0])

    @property
    def std_error(self) -> float:
        """The clustered error of ``value``."""
        own, at = self.own, self.value
        left = float(own.variance[0] - 2 * at * own.cross[0] + at**2 * own.curve[0])
        return math.sqrt(max(left, 0.0)) / abs(float(own.slope[0]))

    def p_value(self, effect: float = 0.0) -> float:
        """(1 + allocations with |t| at least the real one)/(B + 1), of outcomes less a constant ``effect``."""
        real = float(self.own.squared_t(effect)[0])
        extreme = np.count_nonzero(self.reference.squared_t(effect) >= real * (1 - _TIE))
        return float((1 + extreme) / (len(self.reference.value) + 1))

    def interval(self, level: float) -> tuple[float, float]:
        """The constant effects that are not rejected at 1 - ``level``: (low, high), in the outcome's unit.

        The ends are exact: where an allocation's |t| crosses the real one is a root of a quartic. Where effects that
        are not rejected lie apart, the interval spans them, but never reaches 0 across ones that are rejected when 0
        is, so that 0 lies outside exactly when ``p_value() <= 1 - level``.

        Raises :class:`EstimateError` where the allocations are too few to reject any effect at that level.
        """
        alpha = alpha_of(level)
        count = len(self.reference.value)
        if 1 / (count + 1) > alpha + 1e-12:
            raise EstimateError(
                f"{count} other allocations reject nothing at {alpha:.3g}, so there is no interval at level {level:g}"
            )
        ends = self._crossings()
        if not len(ends):
            raise EstimateError("no allocation's statistic crosses the real one; is the outcome constant?")
        middles = np.concatenate([[ends[0] - 1.0], (ends[1:] + ends[:-1]) / 2, [ends[-1] + 1.0]])
        kept = self._p_values(middles) > alpha
        if kept[0] or kept[-1]:
            raise EstimateError(
                f"the allocations reject no effect, however large, at {alpha:.3g}: too many of them are the real one "
                "again, or what schools were like before nearly tells which of them started; more pyramids that start "
                "apart are needed"
            )
        first, last = np.flatnonzero(kept)[[0, -1]]
        low, high = (self.value + self.std_error * float(ends[at]) for at in (first - 1, last))
        return self._agreeing(low, high, alpha)

    def _agreeing(self, low: float, high: float, alpha: float) -> tuple[float, float]:
        """0 outside exactly when it is rejected."""
        if self.p_value() > alpha:
            return min(low, 0.0), max(high, 0.0)
        if self.value > 0:
            return max(low, math.ulp(0.0)), high
        return low, min(high, -math.ulp(0.0))

    def _quartics(self) -> Floats:
        """(B, 5) coefficients, highest first, in u = (effect - value)/error: >= 0 where an allocation is as extreme."""
        top, bottom = self._in_errors(self.reference)
        own_top, own_bottom = self._in_errors(self.own)
        return _product(top, own_bottom) - _product(own_top, bottom)

    def _in_errors(self, of: Linear) -> tuple[Floats, Floats]:
        """Squared effects and variances (B, 3) as polynomials in u, highest power first, both over the error squared.

        Of the real allocation nothing is left at u = 0, which rounding must not undo.
        """
        a, s = self.value, self.std_error
        left = (of.value - a * of.slope) / s if of is not self.own else np.zeros(1)
        top = np.column_stack([of.slope**2, -2 * left * of.slope, left**2])
        constant = (of.variance - 2 * a * of.cross + a**2 * of.curve) / s**2
        return top, np.column_stack([of.curve, -2 * (of.cross - a * of.curve) / s, constant])

    def _crossings(self) -> Floats:
        quartics = self._quartics()
        roots = _roots(quartics[np.isfinite(quartics).all(axis=1)])
        real = roots[np.abs(roots.imag) <= 1e-7 * (1 + np.abs(roots.real))].real
        ends: Floats = np.unique(real)
        return ends

    def _p_values(self, at: Floats) -> Floats:
        """P-values (k,) of effects at ``at`` (k,) errors from the value."""
        found = np.empty(len(at))
        step = max(1, _CHUNK // max(len(self.reference.value), 1))
        r = self.reference
        own_top, own_bottom = self._in_errors(self.own)
        for first in range(0, len(at), step):
            own = at[first : first + step]
            effect = (self.value + self.std_error * own)[:, None]
            top = (r.value - effect * r.slope) ** 2
            bottom = np.maximum(r.variance - 2 * effect * r.cross + effect**2 * r.curve, 0.0)
            real, below = np.polyval(own_top[0], own)[:, None], np.polyval(own_bottom[0], own)[:, None]
            # Not "as large": what is not known (NaN) counts as large too, as in `squared_t`.
            extreme = np.count_nonzero(~(top * np.maximum(below, 0.0) < real * bottom * (1 - _TIE)), axis=1)
            found[first : first + step] = (1 + extreme) / (len(r.value) + 1)
        return found


def _product(one: Floats, other: Floats) -> Floats:
    """(B, 5) products of quadratics (B, 3) or (1, 3), highest power first."""
    found = np.zeros((max(len(one), len(other)), 5))
    for i in range(3):
        for j in range(3):
            found[:, i + j] += one[:, i] * other[:, j]
    return found


def _roots(quartics: Floats) -> NDArray[np.complex128]:
    """Roots (k,) of all of (B, 5) polynomials, highest power first: eigenvalues of companion matrices, as np.roots."""
    full = (quartics[:, [0, -1]] != 0).all(axis=1)
    companions = np.tile(np.eye(4, k=-1), (int(full.sum()), 1, 1))
    companions[:, 0, :] = -quartics[full, 1:] / quartics[full, :1]
    others = [np.roots(row) for row in quartics[~full]]
    return np.concatenate([np.linalg.eigvals(companions).ravel(), *others]).astype(np.complex128)


def overall_under(
    sums: ClusterSums,
    adoption: Ints,
    cells: tuple[Cell, ...],
    *,
    comparison: Comparison,
    anticipation: int,
    apart: Bools | None = None,
) -> tuple[Floats, Floats]:
    """Overall effects (B,) under (B, C) allocations, and their influence (B, C) about its mean; both linear in sums."""
    step = max(1, _CHUNK // max(adoption.shape[1] * sums.weights.shape[1], 1) // max(len(cells), 1))
    values, influence = [], []
    for first in range(0, len(adoption), step):
        found = cell_effects(
            sums, adoption[first : first + step], cells, comparison=comparison, anticipation=anticipation, apart=apart
        )
        value, psi = overall_effects(found)
        values.append(value)
        influence.append(psi - psi.mean(axis=1, keepdims=True))
    return np.concatenate(values), np.concatenate(influence)


def linear(outcomes: tuple[Floats, Floats], shift: tuple[Floats, Floats], factor: float) -> Linear:
    """What :func:`overall_under` gives of the outcomes and of a constant effect of 1, put together."""
    (value, psi), (slope, along) = outcomes, shift
    return Linear(
        value=value,
        slope=slope,
        variance=factor * (psi**2).sum(axis=1),
        cross=factor * (psi * along).sum(axis=1),
        curve=factor * (along**2).sum(axis=1),
    )


def treated_sums(study: Staggered, adoption: Ints, aside: Bools | None = None) -> ClusterSums:
    """Sums of the outcome that is 1 where a cluster (C,) has started and 0 elsewhere, as :func:`cluster_sums`."""
    started = np.arange(study.values.shape[1]) >= adoption[study.cluster][:, None]
    return cluster_sums(study, (started & study.open[study.block]).astype(np.float64), aside)


def constant_effect(study: Staggered, cells: tuple[Cell, ...], *, comparison: Comparison, anticipation: int) -> float:
    """The constant effect that leaves nothing of the overall effect of cells that are all post."""
    adoption = cluster_adoption(study)
    of, along = (
        overall_values(sums, adoption[None], cells, comparison=comparison, anticipation=anticipation)
        for sums in (cluster_sums(study), treated_sums(study, adoption))
    )
    _refuse_told(along[0])
    return float(of[0] / along[0])


def at_equal_history(study: Staggered, *, comparison: Comparison, anticipation: int) -> Staggered:
    """Outcomes less what history predicts of them, its slopes from outcomes without the effect that is judged.

    So the overall effect of these outcomes is that effect. Errors take the slopes as known.
    """
    if not study.history.shape[1]:
        return study
    post = cells_of(study, anticipation=anticipation, universal=True, only_post=True)
    value = constant_effect(study, post, comparison=comparison, anticipation=anticipation)
    started = (np.arange(study.values.shape[1]) >= study.adoption[:, None]) & study.open[study.block]
    values = less_history(study, study.values - value * started) + value * started
    return replace(study, values=values, history=study.history[:, :0])


def _refuse_told(slope: float) -> None:
    """Without anything left of having started there is no effect to find: numbers would be noise over nothing."""
    if not slope > LEAST_LEFT:
        raise EstimateError(
            "what schools were like before anybody started tells which of them started, so nobody is comparable at "
            "equal history; a plan with schools.history = false compares changes alone"
        )


def randomisation(
    study: Staggered,
    adoption: Ints,
    others: Ints,
    cells: tuple[Cell, ...],
    *,
    comparison: Comparison,
    anticipation: int,
    apart: Bools | None = None,
) -> Randomisation:
    """The real allocation (C,) judged by the ``others`` (B, C); ``cells`` are all post, ``apart`` as in `cell_effects`.

    Raises :class:`EstimateError` where the real allocation's effect has no error.
    """
    every = np.vstack([adoption[None], others])
    # What else was started bears on no slope: those who did are left out from then on, under every allocation.
    aside = (
        None
        if apart is None
        else (apart & (adoption < NEVER))[study.cluster][:, None]
        & (np.arange(study.values.shape[1]) >= adoption[study.cluster][:, None])
    )
    own, shift = (
        overall_under(of, every, cells, comparison=comparison, anticipation=anticipation, apart=apart)
        for of in (cluster_sums(study, aside=aside), treated_sums(study, adoption, aside))
    )
    found = linear(own, shift, error_factor(study))
    _refuse_told(found.slope[0])
    at = found.value[0] / found.slope[0]
    left = (found.variance[0] - 2 * at * found.cross[0] + at**2 * found.curve[0]) / found.slope[0] ** 2
    if not left > 1e-24 * float(np.abs(study.weights[:, None] * study.values).max()) ** 2:
        raise EstimateError(
            "all pyramids that start together change alike, so nothing shows how far chance moves them; is the outcome "
            "constant, or does each start have one pyramid only?"
        )
    real = np.arange(len(every)) == 0
    return Randomisation(own=found.rows(real), reference=found.rows(~real))
