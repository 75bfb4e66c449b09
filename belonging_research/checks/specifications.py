"""Every defensible way of making one comparison, side by side (Simonsohn, Simmons & Nelson 2020)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from belonging_research.checks.breaking import asked, nothing_to_break
from belonging_research.checks.county import answer, poor_response, specification_of
from belonging_research.checks.result import CheckResult, Status
from belonging_research.errors import EstimateError, PanelError
from belonging_research.estimators.county import fit, reference, treated_effects
from belonging_research.estimators.placebo import interval, placebo_p
from belonging_research.estimators.result import Estimate
from belonging_research.panel import Comparison, Panel, Specification, compare, deciding_source
from belonging_research.plan import Method, Plan
from belonging_research.tables import Source, shift_year

LEAST_SHARE = 0.75
FEWEST_WAYS = 4
CURVE = pa.schema(
    [(name, pa.string()) for name in ("method", "source", "base", "donors")]
    + [("penalty", pa.float64()), ("choice", pa.string())]
    + [(name, pa.float64()) for name in ("value", "low", "high", "p_value")]
    + [("registered", pa.bool_())]
)

_AUGMENTED: Method = "ridge_augmented_synthetic_control"
# The other methods match whole paths: what the base is does not enter their fit.
_BY_BASE: tuple[Method, ...] = ("difference_in_differences", "neighbours_difference_in_differences")
_ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    specification: Specification
    donors: str
    penalty: float | None


def specification_curve(panel: Panel, plan: Plan, outcome: str, source: Source | None = None) -> pa.Table:
    """One row for each defensible way of comparing: columns of :data:`CURVE`, effects in the outcome's unit.

    Each method of the plan on each source, as registered and then with one thing changed: without councils that border
    it, of its region, or with incomplete registers; a longer base, for methods that take one; another penalty of the
    plan's path. No base of a single year: councils chosen for an odd year return to the mean (a "gain" of 0.2 points
    on the public files). ``source`` is that of the registered row (default: the one that decides). Sorted by value,
    then by ``choice``, which says in words what differs from the registered row; ``low`` and ``high`` hold 95%.

    Ways that cannot be fitted are counted in the schema's metadata, ``left_out``: see :func:`left_out_ways`.
    Raises :class:`PanelError` where the outcome is not out.
    """
    post = tuple(year for year in plan.post if year <= panel.report_year)
    registered = source or deciding_source(panel, plan, outcome, post)
    if registered is None:
        raise PanelError(f"{outcome}: no series has every year of {', '.join(post) or 'the post period'}.")
    own = Specification(outcome=outcome, source=registered, phase="all", method=plan.method, base=plan.base, post=post)
    rows, left = [], []
    for way, comparison in _comparisons(panel, plan, own):
        choice = _choice(way, plan, own)
        try:
            if isinstance(comparison, PanelError):
                raise comparison
            rows.append(_row(comparison, _with_penalty(plan, way), way, choice))
        except (PanelError, EstimateError) as fault:
            left.append({"choice": choice, "reason": str(fault)})
    rows.sort(key=lambda row: (row["value"], row["choice"]))
    return pa.Table.from_pylist(rows, schema=CURVE.with_metadata({"left_out": json.dumps(left)}))


def left_out_ways(curve: pa.Table) -> pa.Table:
    """The ways that could not be fitted: columns choice, reason."""
    found = json.loads((curve.schema.metadata or {}).get(b"left_out", b"[]"))
    return pa.Table.from_pylist(found, schema=pa.schema([("choice", pa.string()), ("reason", pa.string())]))


def specifications(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Serious: under three in four defensible ways of comparing share the sign of a noticed difference."""
    name = "specifications"
    if not asked(estimate, panel, plan):
        return nothing_to_break(name)
    values, impossible = [], 0
    for way, comparison in _comparisons(panel, plan, specification_of(estimate)):
        try:
            if isinstance(comparison, PanelError):
                raise comparison
            values.append(_effect(comparison, _with_penalty(plan, way)))
        except (PanelError, EstimateError):
            impossible += 1
    if len(values) < FEWEST_WAYS:
        sentence = f"Only {len(values)} way(s) of comparing could be fitted; figures of more years would allow more."
        return (answer(name, "no_test", "serious", sentence, limit=LEAST_SHARE),)
    share = float((np.sign(values) == np.sign(estimate.value)).mean())
    sentence = (
        f"Of {len(values)} defensible ways of comparing, {100 * share:.0f}% put {plan.place} on the same side of "
        f"what is expected; {impossible} more could not be fitted."
    )
    status: Status = "pass" if share >= LEAST_SHARE else "fail"
    return (answer(name, status, "serious", sentence, value=share, limit=LEAST_SHARE),)


def _comparisons(panel: Panel, plan: Plan, own: Specification) -> Iterator[tuple[_Way, Comparison | PanelError]]:
    """Each way with its comparison, or the reason why there is none; ways that share one are compared once."""
    known: dict[Specification, Comparison | PanelError] = {}
    for way in _ways(panel, plan, own):
        if way.specification not in known:
            try:
                known[way.specification] = compare(panel, plan, way.specification)
            except PanelError as fault:
                known[way.specification] = fault
        yield way, known[way.specification]


def _ways(panel: Panel, plan: Plan, own: Specification) -> Iterator[_Way]:
    pools = {
        "without councils that border it": plan.donors.bordering,
        "without councils of its region": _same_region(panel),
        "without councils whose registers are incomplete": poor_response(panel.donors, panel, plan, own),
    }
    other: Source = "daily" if own.source == "census" else "census"
    for source in (own.source, other):
        for design in plan.designs:
            of = replace(own, source=source, method=design.method)
            penalty = plan.estimator.augmentation_penalty if design.method == _AUGMENTED else None
            yield _Way(specification=of, donors=_ALL, penalty=penalty)
            for words, without in pools.items():
                if set(without) & set(panel.donors):
                    yield _Way(specification=replace(of, without=tuple(without)), donors=words, penalty=penalty)
            for base in _longer(plan) if design.method in _BY_BASE else ():
                yield _Way(specification=replace(of, base=base), donors=_ALL, penalty=penalty)
            for value in _penalties(plan) if design.method == _AUGMENTED else ():
                yield _Way(specification=of, donors=_ALL, penalty=value)


def _same_region(panel: Panel) -> tuple[str, ...]:
    region = panel.regions.get(panel.treated[0])
    return tuple(unit for unit in panel.donors if region is not None and panel.regions.get(unit) == region)


def _longer(plan: Plan) -> tuple[tuple[str, ...], ...]:
    """Other bases of two years or more that end with the registered one, as far back as the plan's history goes."""
    last = plan.base[-1]
    spans = (
        tuple(shift_year(last, -back) for back in range(length - 1, -1, -1))
        for length in range(2, plan.estimator.history_years + 1)
    )
    return tuple(span for span in spans if span != plan.base)


def _penalties(plan: Plan) -> tuple[float, ...]:
    rule = plan.estimator
    return tuple(sorted(set(rule.penalty_path) - {rule.augmentation_penalty}))


def _choice(way: _Way, plan: Plan, own: Specification) -> str:
    of, said = way.specification, []
    if of.method != own.method:
        said.append(of.method.replace("_", " "))
    if of.source != own.source:
        said.append("daily registers" if of.source == "daily" else "census")
    if of.base != own.base:
        said.append(f"base from {of.base[0]}")
    if way.donors != _ALL:
        said.append(way.donors)
    if way.penalty is not None and way.penalty != plan.estimator.augmentation_penalty:
        said.append(f"penalty {way.penalty:g}")
    return ", ".join(said) or "as registered"


def _with_penalty(plan: Plan, way: _Way) -> Plan:
    if way.penalty is None:
        return plan
    rule = plan.estimator.model_copy(update={"augmentation_penalty": way.penalty})
    return plan.model_copy(update={"estimator": rule})


def _effect(comparison: Comparison, plan: Plan) -> float:
    """The treated unit's effect alone, in hundredths."""
    return float(treated_effects(comparison, plan, np.ones((1, len(comparison.units)), dtype=bool))[0])


def _row(comparison: Comparison, plan: Plan, way: _Way, choice: str) -> dict[str, Any]:
    of, fitted = way.specification, fit(comparison, plan)
    placebos, effect = reference(comparison, fitted), float(fitted.effects[0])
    unit = 1.0 if plan.outcome(of.outcome).unit == "per_100_pupils" else 0.01
    low, high = interval(effect, placebos.scale, placebos.z, 0.95)
    return {
        "method": of.method, "source": of.source, "base": " and ".join(of.base), "donors": way.donors,
        "penalty": way.penalty, "choice": choice, "value": unit * effect, "low": unit * low, "high": unit * high,
        "p_value": placebo_p(effect, placebos.scale, placebos.z), "registered": choice == "as registered",
    }  # fmt: skip
