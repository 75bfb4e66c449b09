"""What the comparison stands on: register codes that changed, figures that settle, councils that can be mixed, and
outcomes that nothing should have moved."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from belonging_research.checks.county import answer, in_words, moved, specification_of
from belonging_research.checks.result import CheckResult, Status
from belonging_research.errors import EstimateError, PanelError
from belonging_research.estimators.county import Fit, Reference, fit, reference, simplex_mixes
from belonging_research.estimators.placebo import placebo_p
from belonging_research.estimators.result import Estimate
from belonging_research.estimators.synthetic_difference import difference_in_differences_effects
from belonging_research.outcomes import MEASURES, refuse_unknown_controls
from belonging_research.panel import Comparison, Grid, Panel, compare, grid, subset
from belonging_research.plan import Plan

Floats = NDArray[np.float64]

CODES_CHANGED = "2024/25"  # register codes of 19 August 2024 (SI 2024/208)
SETTLED_AFTER = dt.timedelta(weeks=6)
CONTROL_P = 0.05
WORST_FIT = 0.95  # of the placebos' own fits before the start


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """Half-days that the change of codes may have moved across a line, and on which side all of them are put.

    ``measures``: published reasons whose rates are added (``sign`` 1) to the outcome, or taken off it (-1);
    ``new``: those that had no code before the change, and so no half-days.
    """

    words: str
    sign: int
    measures: Mapping[str, str]
    new: frozenset[str] = frozenset()


# Code B was narrowed, K and C2 are new and remote learning became I: attendance may have become absence. Registers
# close after 30 minutes at most: late arrivals (L) may have become absence (U).
_OFF_SITE = Bridge(
    words="education off site counted as absence",
    sign=1,
    measures={
        "educated_off_site_sessions_rate": "education off site (B)",
        "arranged_by_authority_sessions_rate": "education arranged by the council (K)",
    },
    new=frozenset({"arranged_by_authority_sessions_rate"}),
)
_LATE = Bridge(
    words="arrivals after the register closed counted as present",
    sign=-1,
    measures={"late_after_registers_closed_rate": "arrivals after the register closed (U)"},
)
BRIDGES: Mapping[str, tuple[Bridge, ...]] = {
    "overall_absence_rate": (_OFF_SITE, _LATE),
    "authorised_absence_rate": (_OFF_SITE,),
    "unauthorised_absence_rate": (_LATE,),
    "illness_absence_rate": (_OFF_SITE,),
}
_SHARES_OF_PUPILS = frozenset({"persistent_absence_rate", "severe_absence_rate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRates:
    """What other published rates did in a finding's own comparison, in hundredths.

    ``effects``: (n,) of every unit as if treated, one row a rate.
    """

    comparison: Comparison
    effects: tuple[Floats, ...]

    def placebos(self, place: int) -> Reference:
        """The placebos of one rate, size-scaled."""
        everyone = np.ones(len(self.comparison.units), dtype=bool)
        return reference(self.comparison, Fit(effects=self.effects[place], weights=None, judged=everyone))


def other_rates(estimate: Estimate, panel: Panel, plan: Plan, rates: Sequence[Grid]) -> OtherRates:
    """What other published rates did in the finding's own comparison.

    ``rates``: proportions by unit and year. The change from base to post, less the same mix's change: the mix is the
    one that the finding rests on, fitted on the finding's outcome, so it has not seen the other rates. A method without
    weights compares with the mean of the other councils. Councils without all the rates are left out.

    Raises :class:`PanelError` where the treated council lacks a year, else as :func:`panel.compare` and
    :func:`~belonging_research.estimators.county.fit`.
    """
    comparison = compare(panel, plan, specification_of(estimate))
    years, first = (*estimate.base, *estimate.post), len(estimate.base)
    own = [rate.take(comparison.units, years) for rate in rates]
    for rate in own:
        gone = [year for year, value in zip(years, rate[0], strict=True) if np.isnan(value)]
        if gone:
            raise PanelError(f"not printed for {plan.place} in {', '.join(gone)}")
    kept = np.all([np.isfinite(rate).all(axis=1) for rate in own], axis=0)
    chosen = subset(comparison, kept)
    weights = fit(chosen, plan).weights
    found = []
    for rate in own:
        change = 100 * (rate[kept, first:].mean(axis=1) - rate[kept, :first].mean(axis=1))
        found.append(_against(change, weights, chosen))
    return OtherRates(comparison=chosen, effects=tuple(found))


def _against(change: Floats, weights: Floats | None, comparison: Comparison) -> Floats:
    if weights is None:
        both = np.column_stack([np.zeros(len(change)), change])
        return difference_in_differences_effects(both, 1, comparison.donors)
    effects: Floats = change - weights @ change
    return effects


def code_bridge(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Serious: the estimate moves by over half of S when half-days that may have changed code are put on one side.

    Published daily reason rates bound what the change of August 2024 could do: B and K all absence in every year,
    late arrivals (U) all present in every year, and both. A move that every council made alike cancels; what is left
    is the treated council's own. J, C and C2 stay: they are too rare, or absence on both sides; Q is not printed.
    """
    name = "code_bridge"
    if not estimate.base[-1] < CODES_CHANGED <= estimate.post[-1]:
        sentence = "Does not apply: base and post years use the same register codes."
        return (answer(name, "no_test", "caution", sentence),)
    bridges = BRIDGES.get(estimate.outcome)
    limit = plan.outcome(estimate.outcome).sesoi / 2
    if bridges is None and estimate.outcome not in _SHARES_OF_PUPILS:
        return (answer(name, "no_test", "caution", "Does not apply: no register code that changed counts here."),)
    if bridges is None:
        sentence = (
            "The change of register codes in August 2024 cannot be bridged here: published reasons count half-days, "
            "not the pupils who missed them; pupils' own registers would do."
        )
        return (answer(name, "no_test", "serious", sentence, limit=limit),)
    missing = [words for bridge in bridges for words in _unprinted(bridge, estimate, panel)]
    if missing:
        sentence = (
            f"The change of register codes in August 2024 cannot be bridged: {'; '.join(missing)} not printed for "
            f"{plan.place}."
        )
        return (answer(name, "no_test", "serious", sentence, limit=limit),)
    return (_bridged(bridges, estimate, panel, plan, limit),)


def _bridged(bridges: Sequence[Bridge], estimate: Estimate, panel: Panel, plan: Plan, limit: float) -> CheckResult:
    try:
        found = other_rates(estimate, panel, plan, [_added(bridge, estimate, panel) for bridge in bridges])
    except (PanelError, EstimateError) as fault:
        said = str(fault).rstrip(".")
        sentence = f"The change of register codes in August 2024 cannot be bridged: {said}."
        return answer("code_bridge", "no_test", "serious", sentence, limit=limit)
    parts = [0.01 * float(effects[0]) for effects in found.effects]
    shifts = {bridge.words: part for bridge, part in zip(bridges, parts, strict=True)}
    shifts[" and ".join(shifts)] = sum(parts)
    words = max(shifts, key=lambda each: abs(shifts[each]))
    sentence = (
        f"With {words} on both sides of the change of register codes in August 2024, the estimate "
        f"{_way(shifts[words])} {in_words(shifts[words], estimate.unit)}."
    )
    return moved("code_bridge", shifts[words], limit, sentence)


def _way(shift: float) -> str:
    return "moves by" if shift == 0 else "rises by" if shift > 0 else "falls by"


def _reason(measure: str, bridge: Bridge, estimate: Estimate, panel: Panel, units: Sequence[str]) -> Floats:
    """(units, years): a reason's rates in base and post years, 0 before its code existed."""
    years = (*estimate.base, *estimate.post)
    values = grid(panel, measure, source="daily", phase=estimate.phase).take(units, years)
    if measure in bridge.new:
        values[:, [year < CODES_CHANGED for year in years]] = 0.0
    return values


def _unprinted(bridge: Bridge, estimate: Estimate, panel: Panel) -> list[str]:
    """Each reason that the treated council lacks, with the years."""
    found = []
    for measure, words in bridge.measures.items():
        own = _reason(measure, bridge, estimate, panel, panel.treated[:1])[0]
        gone = [year for year, value in zip((*estimate.base, *estimate.post), own, strict=True) if np.isnan(value)]
        if gone:
            found.append(f"{words} in {', '.join(gone)}")
    return found


def _added(bridge: Bridge, estimate: Estimate, panel: Panel) -> Grid:
    units = (*panel.treated, *panel.donors)
    rates = [_reason(measure, bridge, estimate, panel, units) for measure in bridge.measures]
    return Grid(
        rows={unit: place for place, unit in enumerate(units)},
        columns=(*estimate.base, *estimate.post),
        values=bridge.sign * np.sum(rates, axis=0),
    )


def negative_control(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Caution, one a control of the plan: p <= .05 on an outcome that the treatment could not move.

    Lipsitch, Tchetgen Tchetgen & Cohen (2010). The control is read in the finding's own comparison
    (:func:`other_rates`), judged by size-scaled placebos.

    Raises :class:`PlanError` for a control that is no measure.
    """
    refuse_unknown_controls(plan)
    rates = {control: grid(panel, control, source="daily", phase=estimate.phase) for control in plan.negative_controls}
    try:
        found = other_rates(estimate, panel, plan, list(rates.values()))
        return tuple(_controlled(control, found, place) for place, control in enumerate(rates))
    except (PanelError, EstimateError):
        # One that is not printed must not silence the others.
        return tuple(_alone(control, rate, estimate, panel, plan) for control, rate in rates.items())


def _alone(control: str, rate: Grid, estimate: Estimate, panel: Panel, plan: Plan) -> CheckResult:
    try:
        return _controlled(control, other_rates(estimate, panel, plan, [rate]), 0)
    except (PanelError, EstimateError) as fault:
        sentence = f"{MEASURES[control].label}: no negative control, {str(fault).rstrip('.')}."
        return answer(f"negative_control: {control}", "no_test", "caution", sentence, limit=CONTROL_P)


def _controlled(control: str, found: OtherRates, place: int) -> CheckResult:
    name, label = f"negative_control: {control}", MEASURES[control].label
    effect, placebos = float(found.effects[place][0]), found.placebos(place)
    p = placebo_p(effect, placebos.scale, placebos.z)
    status: Status = "fail" if p <= CONTROL_P else "pass"
    sentence = (
        f"{label}, which nothing of this kind could move, was {in_words(effect / 100, 'proportion')} "
        f"{'higher' if effect > 0 else 'lower'} here than its comparison predicts (p = {p:.2f})"
        + (", so something else differs between them." if status == "fail" else ".")
    )
    return answer(name, status, "caution", sentence, value=p, limit=CONTROL_P)


def settled(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Serious: the daily series decides and its last snapshot of the last post year is under six weeks old.

    Late registers and corrections move the last snapshots of a year; a figure is read once they have had time to come
    in. ``panel.data_as_at`` is the day on which the figures were taken.
    """
    name, year = "settled", estimate.post[-1]
    if estimate.source == "census":
        sentence = "Does not apply: the census decides, which is published once and whole."
        return (answer(name, "no_test", "caution", sentence),)
    last, weeks = _last_snapshot(panel, year), SETTLED_AFTER.days / 7
    if last is None or panel.data_as_at is None:
        unknown = "the day on which the figures were taken" if last else f"the date of the last snapshot of {year}"
        sentence = f"Whether the daily figures have settled is not known: {unknown} is missing."
        return (answer(name, "no_test", "serious", sentence, limit=weeks),)
    age = (panel.data_as_at - last).days / 7
    fresh = panel.data_as_at - last < SETTLED_AFTER
    taken = f"{age:.0f} weeks old when taken" if age else "and no record says that they were taken later"
    sentence = f"The last daily figures of {year} are of {last.day} {last:%B %Y}, {taken}; " + (
        "they may still be corrected, so no verdict yet." if fresh else "corrections have had time to come in."
    )
    return (answer(name, "fail" if fresh else "pass", "serious", sentence, value=age, limit=weeks),)


def _last_snapshot(panel: Panel, year: str) -> dt.date | None:
    """The day of the treated council's last snapshot of a year, None where no snapshot is dated."""
    rows = panel.parts.get(("overall_absence_rate", "daily", "all", "council"))
    if rows is None:
        return None
    own = pc.and_(pc.equal(rows["unit"], panel.treated[0]), pc.equal(rows["period"], year))
    found: dt.date | None = pc.max(rows.filter(own)["interval_end"]).as_py()
    return found


def support(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Serious: before the start no mix of the donors comes near the treated council.

    The root mean square gap to its best mix with weights of at least 0 (Abadie 2021: a unit outside the donors' hull is
    extrapolated to), against the 95th percentile of the donors' own gaps to their mixes. The gap before any ridge
    correction, which would hide it.
    """
    name = "support"
    if not estimate.weights:
        words = estimate.method.replace("_", " ")
        sentence = f"Does not apply: the method, {words}, mixes no councils and compares changes."
        return (answer(name, "no_test", "caution", sentence),)
    comparison = compare(panel, plan, specification_of(estimate))
    penalty = plan.estimator.simplex_penalty if estimate.method == plan.method else 0.0
    predictors = comparison.predictors
    weights = simplex_mixes(predictors, penalty=penalty)
    gaps = np.sqrt(((predictors - weights @ predictors) ** 2).mean(axis=1))
    worst = float(np.quantile(gaps[1:], WORST_FIT))
    if worst == 0.0:
        sentence = "Every other council is an exact mix of the rest, so no gap can be judged; other figures would do."
        return (answer(name, "no_test", "serious", sentence),)
    ratio = float(gaps[0]) / worst
    outside = ratio > 1
    sentence = (
        f"Before the start the best mix of councils missed {plan.place} by {ratio:.1f} times what 95 in 100 of the "
        "others are missed by at most"
        + ("; it lies outside what they can be mixed to. Compare changes, or find more similar places." if outside
           else ".")
    )  # fmt: skip
    return (answer(name, "fail" if outside else "pass", "serious", sentence, value=ratio, limit=1.0),)
