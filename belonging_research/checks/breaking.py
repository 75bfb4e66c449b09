"""How far the trends may part before a noticed difference is no longer seen."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from belonging_research.checks.county import answer, specification_of
from belonging_research.checks.result import CheckResult, Severity, Status
from belonging_research.errors import EstimateError, PanelError
from belonging_research.estimators.county import fit
from belonging_research.estimators.honest import breakdown_relative_magnitude
from belonging_research.estimators.placebo import fit_size_variance, size_scale
from belonging_research.estimators.result import Estimate
from belonging_research.panel import Comparison, Panel, Specification, compare
from belonging_research.plan import Plan
from belonging_research.tables import shift_year

Floats = NDArray[np.float64]

LEAST_BREAKDOWN, FULL_BREAKDOWN = 0.5, 1.0
FEWEST_BEFORE = 2
# What a check asked only of a noticed difference says of any other.
NOTHING_TO_BREAK = "nothing to break"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStudy:
    """Yearly gaps to the comparison less their mean over the base years, in hundredths.

    ``years``: consecutive ones before the base, then the post years; ``betahat``: (k,), the treated unit's;
    ``sigma``: (k, k), the placebos' mean square, each at the treated unit's size; ``n_pre``: how many come before.
    """

    years: tuple[str, ...]
    betahat: Floats
    sigma: Floats
    n_pre: int


def asked(estimate: Estimate, panel: Panel, plan: Plan) -> bool:
    """Whether a row would otherwise be better or worse than expected: noticed, and not too small to matter."""
    alpha, sesoi = plan.alpha(panel.report_year), plan.outcome(estimate.outcome).sesoi
    low, high = estimate.intervals[f"{round(1 - 2 * alpha, 6):g}"]
    return estimate.p_value <= alpha and not (-sesoi < low and high < sesoi)


def nothing_to_break(name: str) -> tuple[CheckResult, ...]:
    """The answer of a check that only a noticed difference is asked; as a caution without a test it counts for none."""
    return (answer(name, "no_test", "caution", f"No difference was noticed that this could undo: {NOTHING_TO_BREAK}."),)


def breakdown(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Rambachan & Roth's (2023) breakdown M-bar of a noticed difference: serious under .5, a caution under 1.

    M-bar is the largest ratio of a step after the start to the largest step before at which the 95% robust interval
    still leaves out 0. Coefficients and covariance are those of :func:`event_study`.
    """
    name = "breakdown"
    if not asked(estimate, panel, plan):
        return nothing_to_break(name)
    try:
        study = event_study(estimate, panel, plan)
        share = np.full(len(study.betahat) - study.n_pre, 1 / (len(study.betahat) - study.n_pre))
        found = breakdown_relative_magnitude(study.betahat, study.sigma, study.n_pre, weights=share)
    except (PanelError, EstimateError) as fault:
        sentence = f"How far trends may part cannot be said: {str(fault).rstrip('.')}."
        return (answer(name, "no_test", "serious", sentence, limit=LEAST_BREAKDOWN),)
    ratio = 0.0 if found is None else found
    severity: Severity = "caution" if LEAST_BREAKDOWN <= ratio < FULL_BREAKDOWN else "serious"
    status: Status = "pass" if ratio >= FULL_BREAKDOWN else "fail"
    value = None if math.isinf(ratio) else ratio
    limit = LEAST_BREAKDOWN if ratio < LEAST_BREAKDOWN else FULL_BREAKDOWN
    return (answer(name, status, severity, _sentence(ratio, study), value=value, limit=limit),)


def _sentence(ratio: float, study: EventStudy) -> str:
    before = f"the largest yearly step of the years from {study.years[0]}"
    if math.isinf(ratio):
        return f"However far trends part since the start, against {before}, the difference stands."
    if ratio == 0:
        return (
            f"Judged by its change since the base years alone (from {study.years[0]}), the difference does not stand."
        )
    return f"The difference stands while no yearly step since the start is over {ratio:.1f} times {before}."


def event_study(estimate: Estimate, panel: Panel, plan: Plan) -> EventStudy:
    """Gaps of the treated council to its comparison by year, and their covariance from the placebos.

    A year before the start is predicted by a mix that has not seen that year: gaps within the fit are a quarter as
    large as those outside it on the public files, and steps between them would bound next to nothing. The reference
    is the mean over the base years, as the plan registers it (a single last year returns to the mean); years follow
    one another back from it, up to the first gap in the figures. The covariance is the mean square of the placebos'
    gaps found alike, each year's brought to the treated council's size by s(n)^2 = a0 + b0/n (Ferman & Pinto 2019).

    Raises :class:`EstimateError` for fewer than two years before the base, and where a method gives no weights.
    """
    own = specification_of(estimate)
    comparison = compare(panel, plan, own)
    before = _years_before(comparison, own)
    if len(before) < FEWEST_BEFORE:
        raise EstimateError(
            f"the {own.source} figures have {len(before)} consecutive year(s) before the base that every council has; "
            f"{FEWEST_BEFORE} or more would do"
        )
    gaps = _gaps(comparison, panel, plan, own, (*before, *own.base))
    wanted = [*before, *own.post]
    relative = gaps[wanted].sub(gaps[list(own.base)].mean(axis=1), axis=0).to_numpy()
    sizes = np.array([panel.sizes[str(unit)] for unit in gaps.index])
    scaled = np.empty((len(relative) - 1, len(wanted)))
    for place in range(len(wanted)):
        scale = size_scale(fit_size_variance(relative[1:, place], sizes[1:]), sizes)
        scaled[:, place] = relative[1:, place] / scale[1:] * scale[0]
    return EventStudy(
        years=tuple(wanted), betahat=relative[0], sigma=scaled.T @ scaled / len(scaled), n_pre=len(before)
    )


def _years_before(comparison: Comparison, own: Specification) -> tuple[str, ...]:
    found: list[str] = []
    year = shift_year(own.base[0], -1)
    while year in comparison.path_years:
        found.insert(0, year)
        year = shift_year(year, -1)
    return tuple(found)


def _gaps(
    comparison: Comparison, panel: Panel, plan: Plan, own: Specification, before: tuple[str, ...]
) -> pd.DataFrame:
    """Unit x year, hundredths; each year ``before`` by a fit without it. Units that a fit lacks are left out."""
    columns = {year: _gap(comparison, plan, year) for year in own.post}
    for year in before:
        without = own
        if own.method != "difference_in_differences":
            without = replace(own, without_years=(year,))
        columns[year] = _gap(compare(panel, plan, without), plan, year)
    table = pd.DataFrame(columns)
    table = table.reindex(list(comparison.units)).dropna()
    if not len(table) or table.index[0] != comparison.units[0]:
        raise EstimateError("the treated council cannot be predicted in each year before the start")
    return table


def _gap(comparison: Comparison, plan: Plan, year: str) -> pd.Series[float]:
    path = comparison.path[:, comparison.path_years.index(year)]
    method = comparison.specification.method
    weights = fit(comparison, plan).weights
    if weights is None and method != "difference_in_differences":
        raise EstimateError(f"the method, {method.replace('_', ' ')}, gives no weights; a synthetic control would")
    if weights is None:
        n_donors = len(path) - 1
        others = (path[1:].sum() - np.where(comparison.donors, path, 0.0)) / (n_donors - comparison.donors)
        return pd.Series(path - others, index=list(comparison.units))
    return pd.Series(path - weights @ path, index=list(comparison.units))
