"""What the design can notice, worked out before any outcome since the start is read."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from belonging_research.checks.county import specification_of
from belonging_research.checks.result import CheckResult
from belonging_research.errors import EstimateError, PanelError
from belonging_research.estimators.county import Fit, Reference, false_start_reference, reference
from belonging_research.estimators.placebo import detectable_effect as smallest_noticed
from belonging_research.estimators.placebo import interval, power_at
from belonging_research.estimators.result import Estimate
from belonging_research.estimators.weights import leave_one_out_simplex_weights, ridge_path
from belonging_research.panel import Panel, Specification, compare
from belonging_research.plan import Plan
from belonging_research.tables import Source

DETECTABLE = pa.schema(
    [("outcome", pa.string()), ("label", pa.string()), ("unit", pa.string()), ("source", pa.string())]
    + [(n, pa.float64()) for n in ("alpha", "sesoi", "detectable", "detectable_05", "power_at_sesoi")]
    + [("councils", pa.int64()), ("sentence", pa.string())]
)


def detectable_effect(panel: Panel, plan: Plan, outcome: str) -> CheckResult:
    """The effect that this design would notice 4 times in 5 at the look's alpha, from a false start (value), against
    the smallest effect of interest (limit), with the chance of noticing that (power). Pre-period figures only.
    """
    planned = plan.outcome(outcome)
    found = _before(panel, plan, outcome)
    if found is None:
        return CheckResult(
            name="detectable_effect", status="no_test", severity="caution", value=None, limit=planned.sesoi, power=None,
            sentence=f"{planned.label}: too few years before the start to say what could be noticed.",
        )  # fmt: skip
    placebos, _ = found
    unit, alpha = 1.0 if planned.unit == "per_100_pupils" else 0.01, plan.alpha(panel.report_year)
    value = unit * smallest_noticed(placebos.z, placebos.scale, alpha)
    power = power_at(placebos.z, placebos.scale, planned.sesoi / unit, alpha)
    enough = value <= planned.sesoi
    sentence = (
        f"{planned.label}: an effect {value / planned.sesoi:.1f} times the smallest that matters would have been "
        f"noticed 4 times in 5; one that just matters, {100 * power:.0f} times in 100."
    )
    return CheckResult(
        name="detectable_effect", status="pass" if enough else "fail", severity="caution", value=value,
        limit=planned.sesoi, power=power, sentence=sentence,
    )  # fmt: skip


def detectable_effects(panel: Panel, plan: Plan) -> pa.Table:
    """:func:`detectable_effect` of every outcome of the plan: columns of :data:`DETECTABLE`, effects in their unit."""
    rows = []
    for planned in plan.outcomes:
        check, found = detectable_effect(panel, plan, planned.name), _before(panel, plan, planned.name)
        unit = 1.0 if planned.unit == "per_100_pupils" else 0.01
        rows.append(
            {
                "outcome": planned.name,
                "label": planned.label,
                "unit": planned.unit,
                "source": found[1] if found else None,
                "alpha": plan.alpha(panel.report_year),
                "sesoi": planned.sesoi,
                "detectable": check.value,
                "detectable_05": unit * smallest_noticed(found[0].z, found[0].scale, 0.05) if found else None,
                "power_at_sesoi": check.power,
                "councils": len(found[0].z) if found else None,
                "sentence": check.sentence,
            }
        )
    return pa.Table.from_pylist(rows, schema=DETECTABLE)


def _before(panel: Panel, plan: Plan, outcome: str) -> tuple[Reference, str] | None:
    sources: tuple[Source, ...] = ("census", "daily")
    for source in sources:
        specification = Specification(
            outcome=outcome, source=source, phase="all", method=plan.method, base=plan.base, post=plan.post[:1]
        )
        try:
            return false_start_reference(panel, plan, specification)[0], source
        except (PanelError, EstimateError):
            continue
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
