"""Every check by its name, and the run of those that a plan lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from belonging_research.checks import breaking, calibrated, county, sensitivity, specifications
from belonging_research.checks.result import CheckResult
from belonging_research.errors import FindingError
from belonging_research.estimators.result import Estimate
from belonging_research.panel import Panel
from belonging_research.plan import Plan

CHECKS: Mapping[str, Callable[[Estimate, Panel, Plan], tuple[CheckResult, ...]]] = {
    check.__name__: check
    for check in (
        county.inference_fits,
        county.series_complete,
        calibrated.calibrated_size,
        county.false_start,
        county.base_year,
        county.sources_agree,
        county.leave_one_donor,
        county.leave_one_region,
        county.coverage,
        sensitivity.code_bridge,
        sensitivity.settled,
        sensitivity.support,
        breaking.breakdown,
        specifications.specifications,
        county.largest_weight,
        county.contaminated_donors,
        sensitivity.negative_control,
        county.other_events,
    )
}

# These never give more than a caution, which forbids no verdict.
ONLY_CAUTIONS = frozenset({"largest_weight", "contaminated_donors", "negative_control", "other_events"})


def run_checks(
    estimate: Estimate, panel: Panel, plan: Plan, *, only: tuple[str, ...] | None = None
) -> tuple[CheckResult, ...]:
    """The plan's checks of one estimate, in the plan's order; ``only`` takes some of them.

    Raises :class:`FindingError` for a check that is not built: the plan lists only those that are.
    """
    unknown = [name for name in plan.checks if name not in CHECKS]
    if unknown:
        raise FindingError(
            f"plan {plan.study}: checks lists {', '.join(unknown)}, which is not built; there are {', '.join(CHECKS)}."
        )
    wanted = [name for name in plan.checks if only is None or name in only]
    return tuple(result for name in wanted for result in CHECKS[name](estimate, panel, plan))
