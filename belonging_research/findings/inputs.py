"""Refusing what allows no verdict: a NaN, a level that is not there, a check that the plan does not know."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from belonging_research.errors import FindingError
from belonging_research.estimators.result import Estimate
from belonging_research.findings.shapes import Candidate, span
from belonging_research.plan import Plan


def level_key(level: float) -> str:
    """The key of an interval's level: 0.98 to ``"0.98"``; rounded, since 1 - 2 * 0.03 is not quite .94."""
    return f"{round(level, 6):g}"


def levels(alpha: float) -> tuple[str, str]:
    """The keys of CI(1 - a) and CI(1 - 2a)."""
    return level_key(1 - alpha), level_key(1 - 2 * alpha)


def check_row(row: Candidate, plan: Plan, *, report_year: str, plan_digest: str) -> None:
    """Refuse a row that allows no verdict.

    Raises
    ------
    FindingError
        Naming the row, what was found, what was expected and what to do.
    PlanError
        If the plan does not list the outcome.
    """
    where = f"{row.outcome} ({row.source}, {span(row.post)}, {row.phase}, {row.method})"
    plan.outcome(row.outcome)
    late = [period for period in row.post if period > report_year]
    if late:
        raise FindingError(f"{where}: post period {late[0]} lies after the report year {report_year}.")
    if row.is_registered_row:
        _check_registered(row, plan, report_year, where)
    _check_names(row, plan, where)
    for name, value in _row_numbers(row):
        _refuse_nan(value, name, where)
    if row.uncovered is not None and not 0 <= row.uncovered <= 1:
        raise FindingError(f"{where}: uncovered is not between 0 and 1; give the share not covered.")
    if row.estimate is not None:
        _check_estimate(row, row.estimate, plan, report_year, plan_digest, where)


def check_complete(row: Candidate, plan: Plan) -> None:
    """Refuse to test a row without every check that the plan lists: a check not made is not passed.

    Raises
    ------
    FindingError
        Naming the checks that are missing.
    """
    made = {_listed_name(check.name) for check in row.checks}
    missing = [name for name in plan.checks if name not in made]
    if missing:
        raise FindingError(
            f"{row.outcome}: {len(missing)} of the plan's {len(plan.checks)} checks not made: "
            f"{', '.join(missing)}. Run them, or take them out of the plan."
        )


def _listed_name(name: str) -> str:
    # A check that answers for several things adds the thing: "other_events: In This Together".
    return name.partition(":")[0]


def _check_registered(row: Candidate, plan: Plan, report_year: str, where: str) -> None:
    expected = {
        "method": (row.method, plan.method),
        "phase": (row.phase, "all"),
        "subgroup": (row.subgroup, None),
        "base": (row.base, plan.base),
        "post": (row.post, tuple(period for period in plan.post if period <= report_year)),
    }
    for name, (found, wanted) in expected.items():
        if found != wanted:
            raise FindingError(
                f"{where}: marked as the registered row, but its {name} is {found}; the plan has {wanted}. "
                "Mark it as is_registered_row=False."
            )


def _check_names(row: Candidate, plan: Plan, where: str) -> None:
    for name, times in sorted(Counter(check.name for check in row.checks).items()):
        if times > 1:
            raise FindingError(f"{where}: check {name} is given {times} times; give it once.")
        if _listed_name(name) not in plan.checks:
            raise FindingError(
                f"{where}: check {name} is not in the plan; it lists {', '.join(plan.checks) or 'none'}."
            )


def _row_numbers(row: Candidate) -> Iterable[tuple[str, float | None]]:
    yield "uncovered", row.uncovered
    yield "imbalance", row.imbalance
    for check in row.checks:
        yield f"the value of check {check.name}", check.value
        yield f"the limit of check {check.name}", check.limit
        yield f"the power of check {check.name}", check.power


def _check_estimate(
    row: Candidate, estimate: Estimate, plan: Plan, report_year: str, plan_digest: str, where: str
) -> None:
    for name in ("outcome", "phase", "source", "base", "post", "method", "subgroup"):
        if getattr(row, name) != getattr(estimate, name):
            raise FindingError(f"{where}: the estimate is of another {name}, {getattr(estimate, name)}.")
    if estimate.unit != plan.outcome(row.outcome).unit:
        raise FindingError(f"{where}: the estimate's unit is {estimate.unit}; the plan's is another.")
    if estimate.plan_digest != plan_digest:
        raise FindingError(f"{where}: the estimate was made under another plan; estimate again.")
    for name in _NUMBERS:
        _refuse_nan(getattr(estimate, name), name, where)
    for name in ("value", "actual", "predicted", "std_error", "p_value"):
        if math.isinf(getattr(estimate, name)):
            raise FindingError(f"{where}: {name} is infinite; a verdict needs a number.")
    if not 0 <= estimate.p_value <= 1:
        raise FindingError(f"{where}: p_value is not between 0 and 1.")
    if estimate.detectable is not None and estimate.detectable <= 0:
        raise FindingError(f"{where}: detectable must be positive, whichever direction is better.")
    _check_intervals(estimate, plan.alpha(report_year), where)


_NUMBERS = (
    "value",
    "actual",
    "predicted",
    "std_error",
    "p_value",
    "detectable",
    "detectable_05",
    "detectable_realised_05",
    "power_at_sesoi",
    "type_m",
)


def _check_intervals(estimate: Estimate, alpha: float, where: str) -> None:
    for key in (*levels(alpha), level_key(0.95)):
        if key not in estimate.intervals:
            raise FindingError(
                f"{where}: no interval at level {key}, which alpha = {alpha:g} needs; "
                f"there are {', '.join(estimate.intervals) or 'none'}."
            )
    for key, (low, high) in estimate.intervals.items():
        _refuse_nan(low, f"the lower end of the {key} interval", where)
        _refuse_nan(high, f"the upper end of the {key} interval", where)
        if low > high:
            raise FindingError(f"{where}: the {key} interval has its ends the wrong way round.")


def _refuse_nan(value: float | None, name: str, where: str) -> None:
    if value is not None and math.isnan(value):
        raise FindingError(
            f"{where}: {name} is NaN; expected a number. Estimate again, or give the row with no estimate."
        )
