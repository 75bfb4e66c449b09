"""What the design can notice, worked out before any outcome since the start is read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from belonging_research.checks.county import specification_of
from belonging_research.checks.result import CheckResult
from belonging_research.errors import EstimateError, PanelError
from belonging_research.estimators.county import Fit, Reference, false_start_reference, reference
from belonging_research.estimators.placebo import critical_value, interval, power_at
from belonging_research.estimators.placebo import detectable_effect as smallest_noticed
from belonging_research.estimators.result import Estimate
from belonging_research.estimators.weights import leave_one_out_simplex_weights, ridge_path
from belonging_research.panel import Panel, Specification, compare
from belonging_research.plan import Design, Look, Method, OutcomePlan, Plan
from belonging_research.tables import Phase, Source

DETECTABLE = pa.schema(
    [(name, pa.string()) for name in ("outcome", "label", "role", "unit", "better", "phase", "source", "report_year")]
    + [("alpha", pa.float64()), ("tested", pa.bool_())]
    + [(n, pa.float64()) for n in ("sesoi", "detectable", "detectable_05", "power_at_sesoi", "narrowest")]
    + [("as_expected_possible", pa.bool_()), ("councils", pa.int64()), ("sentence", pa.string())]
)
FRONTIER = pa.schema(
    [(name, pa.string()) for name in ("outcome", "label", "unit", "source", "method")]
    + [("registered", pa.bool_()), ("councils", pa.int64())]
    + [(name, pa.float64()) for name in ("smallest_p", "sesoi", "detectable_05", "times_sesoi", "floor_05")]
    + [("sentence", pa.string())]
)
FRONTIER_ALPHA = 0.05
PHASES: tuple[Phase, ...] = ("all", "primary", "secondary")

_SOURCES: tuple[Source, ...] = ("census", "daily")


def detectable_effect(panel: Panel, plan: Plan, outcome: str) -> CheckResult:
    """The effect that this design would notice 4 times in 5 at the look's alpha, from a false start (value), against
    the smallest effect of interest (limit), with the chance of noticing that (power). Pre-period figures only.
    """
    planned, name = plan.outcome(outcome), "detectable_effect"
    found = _before(panel, plan, outcome)
    alpha = plan.alpha(panel.report_year)
    if found is None or not _reachable(found[0], alpha):
        return CheckResult(
            name=name, status="no_test", severity="caution", value=None, limit=planned.sesoi, power=None,
            sentence=_unknown(planned, found),
        )  # fmt: skip
    promise = _promise(found[0], planned, alpha)
    return CheckResult(
        name=name, status="pass" if promise.detectable <= planned.sesoi else "fail", severity="caution",
        value=promise.detectable, limit=planned.sesoi, power=promise.power, sentence=_noticed(planned, promise),
    )  # fmt: skip


def detectable_effects(panel: Panel, plan: Plan, *, tested_only: bool = False) -> pa.Table:
    """What could be noticed, by outcome, phase and look: columns of :data:`DETECTABLE`, effects in their unit.

    All from one false start in the last base year, at the treated council's size and the look's own alpha; no figure
    since the start is read. ``narrowest`` is half the width of the range by which `as_expected` is judged, at level
    1 - 2 alpha: at its narrowest it must fit inside the smallest effect of interest, or that verdict practically
    cannot occur. Phases without figures are left out; ``tested_only`` leaves the rows that get a verdict.
    """
    rows = []
    for planned in plan.outcomes:
        for phase in PHASES:
            if tested_only and (planned.role == "exploratory" or phase != "all"):
                continue
            found = _before(panel, plan, planned.name, phase)
            if found is not None or phase == "all":
                rows += [_at_look(plan, planned, phase, look, found) for look in plan.looks]
    kept = [row for row in rows if row["tested"]] if tested_only else rows
    return pa.Table.from_pylist(kept, schema=DETECTABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Promise:
    """What placebos of a false start promise at one alpha, in the outcome's unit."""

    detectable: float
    power: float
    narrowest: float


def _promise(placebos: Reference, planned: OutcomePlan, alpha: float) -> _Promise:
    unit = _unit(planned)
    return _Promise(
        detectable=unit * smallest_noticed(placebos.z, placebos.scale, alpha),
        power=power_at(placebos.z, placebos.scale, planned.sesoi / unit, alpha),
        narrowest=unit * critical_value(placebos.z, 2 * alpha) * placebos.scale,
    )


def _at_look(
    plan: Plan, planned: OutcomePlan, phase: Phase, look: Look, found: tuple[Reference, Source] | None
) -> dict[str, Any]:
    role = planned.role
    tested = phase == "all" and (
        planned.name in look.outcomes if role == "primary" else role == "secondary" and look == plan.looks[-1]
    )
    row: dict[str, Any] = {
        "outcome": planned.name, "label": _short(planned), "role": role, "unit": planned.unit, "better": planned.better,
        "phase": phase, "source": found[1] if found else None, "report_year": look.report_year, "alpha": look.alpha,
        "tested": tested, "sesoi": planned.sesoi, "councils": len(found[0].z) if found else None,
    }  # fmt: skip
    if found is None or not _reachable(found[0], look.alpha):
        return {**row, "sentence": _unknown(planned, found)}
    promise = _promise(found[0], planned, look.alpha)
    possible = promise.narrowest < planned.sesoi
    return {
        **row,
        "detectable": promise.detectable,
        "detectable_05": _unit(planned) * smallest_noticed(found[0].z, found[0].scale, 0.05),
        "power_at_sesoi": promise.power,
        "narrowest": promise.narrowest,
        "as_expected_possible": possible,
        "sentence": f"{_noticed(planned, promise)} {_as_expected(planned, promise, possible)}",
    }


def _short(planned: OutcomePlan) -> str:
    return planned.label.split(" (")[0]


def _unit(planned: OutcomePlan) -> float:
    return 1.0 if planned.unit == "per_100_pupils" else 0.01


def _reachable(placebos: Reference, alpha: float) -> bool:
    return 1 / (len(placebos.z) + 1) <= alpha


def _unknown(planned: OutcomePlan, found: tuple[Reference, Source] | None) -> str:
    if found is None:
        return f"{_short(planned)}: too few years before the start to say what could be noticed."
    return f"{_short(planned)}: {len(found[0].z)} councils are too few for a look as strict as this one."


def _noticed(planned: OutcomePlan, promise: _Promise) -> str:
    return (
        f"{_short(planned)}: an effect of {_size(promise.detectable, planned)}, "
        f"{promise.detectable / planned.sesoi:.1f} times the smallest that matters, would be noticed 4 times in 5; one "
        f"that just matters, {100 * promise.power:.0f} times in 100."
    )


def _as_expected(planned: OutcomePlan, promise: _Promise, possible: bool) -> str:
    """What a verdict of no difference would take: the narrowest range beside the smallest effect of interest."""
    wide = f"Even with no difference at all, its range would reach {_size(promise.narrowest, planned)} either way"
    limit = _size(planned.sesoi, planned)
    if possible:
        return f"{wide}, less than the {limit} that matter: the answer can be “as expected”."
    return (
        f"{wide}, not less than the {limit} that matter: “as expected” practically cannot be the answer, and “cannot "
        "tell” would not mean that nothing changed."
    )


def _size(value: float, planned: OutcomePlan) -> str:
    """A size in an outcome's unit, in the direction that is better: points, or per cent of a ratio."""
    if planned.unit == "log_ratio":
        way = 1 if planned.better == "higher" else -1
        return f"{100 * abs(math.expm1(way * value)):.0f} per cent"
    if planned.unit == "per_100_pupils":
        return f"{value:.2f} per 100 pupils"
    return f"{100 * value:.2f} points"


def frontier(panel: Panel, plan: Plan) -> pa.Table:
    """What each method of the plan could notice 4 times in 5 at 5%, for each primary outcome: :data:`FRONTIER`.

    From the false start in the last base year (the window in which a method may be chosen), on each source that has
    those years, at the treated council's size. ``smallest_p`` is the floor of the reference: with J placebos no
    p-value lies under 1/(J + 1). ``floor_05`` is what would be left in a council without limit of size, since
    s(n)^2 = a0 + b0/n (Ferman & Pinto 2019) falls to a0: what no larger council could better. Pre-period only.
    """
    rows = []
    for planned in (each for each in plan.outcomes if each.role == "primary"):
        for source in _SOURCES:
            for design in plan.designs:
                placebos = _false_start(panel, plan, planned.name, source, "all", design.method)
                if placebos is not None and _reachable(placebos, FRONTIER_ALPHA):
                    rows.append(_reach(plan, planned, source, design, placebos))
    return pa.Table.from_pylist(rows, schema=FRONTIER)


def _reach(plan: Plan, planned: OutcomePlan, source: Source, design: Design, placebos: Reference) -> dict[str, Any]:
    detectable = _unit(planned) * smallest_noticed(placebos.z, placebos.scale, FRONTIER_ALPHA)
    floor = detectable * math.sqrt(placebos.variance[0]) / placebos.scale
    sentence = f"{_size(detectable, planned)} would be noticed 4 times in 5; {_left(floor, detectable, planned)}"
    return {
        "outcome": planned.name, "label": _short(planned), "unit": planned.unit, "source": source,
        "method": design.method.replace("_", " "), "registered": design.registered, "councils": len(placebos.z),
        "smallest_p": 1 / (len(placebos.z) + 1), "sesoi": planned.sesoi, "detectable_05": detectable,
        "times_sesoi": detectable / planned.sesoi, "floor_05": floor, "sentence": sentence,
    }  # fmt: skip


def _left(floor: float, detectable: float, planned: OutcomePlan) -> str:
    """What councils' own changes from year to year would leave, had a council no limit of size."""
    unlimited = "in a council without limit of size"
    if floor < 0.005 * detectable:
        return f"{unlimited} next to nothing would be left."
    if floor > 0.995 * detectable:
        return f"{unlimited} it would be no less."
    return f"{unlimited} {_size(floor, planned)} would be left."


def _before(panel: Panel, plan: Plan, outcome: str, phase: Phase = "all") -> tuple[Reference, Source] | None:
    for source in _SOURCES:
        placebos = _false_start(panel, plan, outcome, source, phase, plan.method)
        if placebos is not None:
            return placebos, source
    return None


def _false_start(
    panel: Panel, plan: Plan, outcome: str, source: Source, phase: Phase, method: Method
) -> Reference | None:
    """The placebos one year early; None where the figures before the start do not allow them."""
    of = Specification(
        outcome=outcome, source=source, phase=phase, method=method, base=plan.base, post=plan.post[:1]
    )  # fmt: skip
    try:
        return false_start_reference(panel, plan, of)[0]
    except (PanelError, EstimateError):
        return None


def penalty_path(panel: Panel, plan: Plan, estimate: Estimate) -> pa.Table:
    """A ridge-augmented estimate at each penalty of the plan's path, everything refitted for each placebo.

    Columns penalty (squared points), value, low and high (95%, in the estimate's unit), registered (bool): the
    penalty can move an answer by a factor of two (Ben-Michael, Feller & Rothstein 2021), so it is shown, not searched.
    Raises as :func:`panel.compare`.
    """
    comparison = compare(panel, plan, specification_of(estimate))
    unit = 1.0 if estimate.unit == "per_100_pupils" else 0.01
    rule, donors = plan.estimator, comparison.donors
    penalties = sorted({*rule.penalty_path, rule.augmentation_penalty})
    weights = leave_one_out_simplex_weights(comparison.predictors, donors, penalty=rule.simplex_penalty)
    predicted = ridge_path(comparison.predictors, comparison.outcome, weights, donors, penalties=np.array(penalties))
    rows = []
    for penalty, expected in zip(penalties, predicted, strict=True):
        effects = comparison.outcome - expected
        placebos = reference(comparison, Fit(effects=effects, weights=None, judged=np.ones(len(effects), dtype=bool)))
        low, high = interval(float(effects[0]), placebos.scale, placebos.z, 0.95)
        rows.append(
            {
                "penalty": penalty, "value": unit * float(effects[0]), "low": unit * low, "high": unit * high,
                "registered": penalty == rule.augmentation_penalty,
            }
        )  # fmt: skip
    fields = [(name, pa.float64()) for name in ("penalty", "value", "low", "high")]
    return pa.Table.from_pylist(rows, schema=pa.schema([*fields, ("registered", pa.bool_())]))


def comparison_mix(estimate: Estimate, panel: Panel, *, most: int = 15) -> pa.Table:
    """The councils that carry most of the comparison, largest share first: columns council, region, share.

    Shares may be negative and sum to 1 over all councils (ridge augmentation; Ben-Michael et al. 2021).
    """
    ranked = sorted(estimate.weights.items(), key=lambda item: (-abs(item[1]), item[0]))[:most]
    rows = [
        {"council": panel.names.get(unit, unit), "region": panel.regions.get(unit), "share": weight}
        for unit, weight in ranked
    ]
    fields = [("council", pa.string()), ("region", pa.string()), ("share", pa.float64())]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))
