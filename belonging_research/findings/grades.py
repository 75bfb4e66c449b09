"""The evidence grade, 0 to 5: the weakest of its parts, less the threats. In the spirit of the EEF's."""

from __future__ import annotations

from collections.abc import Sequence

from belonging_research.checks.result import CheckResult
from belonging_research.estimators.result import Estimate
from belonging_research.findings.shapes import Candidate, GradeParts
from belonging_research.plan import Plan

# (largest value that still earns the score, score), best first; beyond the last band, the floor.
Bands = tuple[tuple[float, int], ...]
PRECISION: Bands = ((1.0, 5), (1.25, 4), (2.0, 3), (3.0, 2))
PRECISION_FLOOR = 1
ATTRITION: Bands = ((0.1, 5), (0.2, 4), (0.3, 3), (0.4, 2), (0.5, 1))
ATTRITION_FLOOR = 0
BALANCE: Bands = ((0.05, 5), (0.25, 3))
BALANCE_FLOOR = 1

COVERAGE_CHECKS = ("coverage", "followed")  # of councils' registers; of the pupils to be followed


def banded(value: float | None, bands: Bands, floor: int) -> int | None:
    """The score of a value; limits are inclusive (to nine decimals: 1 - 0.7 is 0.3); None stays None."""
    if value is None:
        return None
    return next((score for limit, score in bands if round(value, 9) <= limit), floor)


def design_score(estimate: Estimate, plan: Plan, report_year: str) -> int:
    """The county layer's design: 3 with a comparison and two pre-periods, less where it is weaker.

    2 with one pre-period, for the provisional daily series, and for a report year whose figures were public
    before the plan was written; 1 for before-after (no comparison); 0 with no pre-period.
    """
    if not estimate.base:
        return 0
    if estimate.n_units <= estimate.n_treated:
        return 1
    weaker = len(estimate.base) < 2 or estimate.source == "daily" or plan.retrospective(report_year)
    return 2 if weaker else 3


def school_design_score(row: Candidate, estimate: Estimate) -> int:
    """The school layer's design: 5 randomised timing with 40 clusters, 4 timing blind to outcomes, else 3.

    With schools that had not started as comparison and half-terms before; 2 with one year before, 0 with none. Where
    every school starts in the end, those that started later are the comparison.
    """
    if len(estimate.base) < 2:
        return min(2, 2 * len(estimate.base))
    blind = any(check.name == "allocation" and check.status == "pass" for check in row.checks)
    by_lot = any(check.name == "allocation" and "by lot" in check.sentence for check in row.checks)
    return 5 if blind and by_lot and (estimate.n_clusters or 0) >= 40 else 4 if blind else 3


def is_caution(check: CheckResult) -> bool:
    """A failed caution, or a serious check that could not be made."""
    return (check.severity, check.status) in {("caution", "fail"), ("serious", "no_test")}


def threat_score(checks: Sequence[CheckResult]) -> int:
    """What the threats take off the grade: 0, 1 or 2.

    Cautions: up to two 0; three or four, or two in the same direction, 1; five or more 2. One serious failure
    alone 1, with any other 2. A fatal fault takes 2 as well (the published table is silent on it).
    """
    cautions = [check for check in checks if is_caution(check)]
    serious = sum(check.severity == "serious" and check.status == "fail" for check in checks)
    fatal = any(check.severity == "fatal" and check.status != "pass" for check in checks)
    directions = [check.direction for check in cautions]
    aligned = max(directions.count(1), directions.count(-1)) >= 2
    if fatal or len(cautions) >= 5 or (serious and serious + len(cautions) >= 2):
        return 2
    return int(bool(serious) or len(cautions) >= 3 or aligned)


def uncovered_share(row: Candidate) -> float | None:
    """The share not covered: the caller's, else 1 less the value of the coverage check, else unknown."""
    if row.uncovered is not None:
        return row.uncovered
    covered = next((check.value for check in row.checks if check.name in COVERAGE_CHECKS), None)
    return None if covered is None else 1 - covered


def grade_parts(row: Candidate, estimate: Estimate, plan: Plan, *, report_year: str) -> GradeParts:
    """The parts of a row's grade; ``estimate.detectable`` is M at this look's alpha, S ``sesoi``."""
    sesoi = plan.outcome(row.outcome).sesoi
    ratio = None if estimate.detectable is None else estimate.detectable / sesoi
    imbalance = None if row.imbalance is None else abs(row.imbalance)
    return GradeParts(
        design=(
            school_design_score(row, estimate)
            if estimate.layer == "school"
            else design_score(estimate, plan, report_year)
        ),
        precision=banded(ratio, PRECISION, PRECISION_FLOOR),
        attrition=banded(uncovered_share(row), ATTRITION, ATTRITION_FLOOR),
        balance=banded(imbalance, BALANCE, BALANCE_FLOOR),
        threats=threat_score(row.checks),
    )


def grade_of(parts: GradeParts) -> int | None:
    """max(0, min(design, precision, attrition, balance) - threats); None where a part is unknown."""
    if parts.precision is None or parts.attrition is None or parts.balance is None:
        return None
    return max(0, min(parts.design, parts.precision, parts.attrition, parts.balance) - parts.threats)
