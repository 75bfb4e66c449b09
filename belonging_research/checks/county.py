"""Try to break a county finding: one function a check, each a result with a sentence (rules of the plan's table).

Every check takes the estimate it is asked about and the panel and plan behind it. Differences are in the outcome's
unit, in sentences in points (hundredths of a rate) or per cent of a ratio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from belonging_research.checks.result import CheckResult, Severity, Status
from belonging_research.errors import EstimateError, PanelError
from belonging_research.estimators.county import Effect, effect_of, false_start_reference, treated_effects
from belonging_research.estimators.placebo import placebo_p, power_at
from belonging_research.estimators.result import Estimate
from belonging_research.panel import Panel, Specification, compare, response
from belonging_research.plan import Plan
from belonging_research.tables import Source

FEWEST_TREATED_FOR_CLUSTERS = 20
NO_SPREAD = 1e-9  # of the level: rounding, not a spread
FALSE_START_P = 0.05
LEAST_POWER = 0.5
LEAST_RESPONSE, MOST_MOVED_RESPONSE = 0.90, 0.05
LARGEST_WEIGHT = 0.25


def specification_of(estimate: Estimate) -> Specification:
    """The specification that an estimate was made with."""
    return Specification(
        outcome=estimate.outcome,
        source=estimate.source,
        phase=estimate.phase,
        method=estimate.method,  # type: ignore[arg-type]
        base=estimate.base,
        post=estimate.post,
    )


def in_words(value: float, unit: str) -> str:
    """A difference in an outcome's unit as readers say it: points, or per cent of a ratio; a trace is not called 0."""
    if unit == "log_ratio":
        percent = 100 * (np.exp(abs(value)) - 1)
        return "less than 0.1 per cent" if 0 < percent < 0.05 else f"{percent:.1f} per cent"
    points = abs(value) if unit == "per_100_pupils" else 100 * abs(value)
    return "less than 0.01 points" if 0 < points < 0.005 else f"{points:.2f} points"


def answer(
    name: str,
    status: Status,
    severity: Severity,
    sentence: str,
    *,
    value: float | None = None,
    limit: float | None = None,
    power: float | None = None,
    direction: int = 0,
) -> CheckResult:
    """A result, with what is not said left empty."""
    return CheckResult(
        name=name,
        status=status,
        severity=severity,
        value=value,
        limit=limit,
        power=power,
        sentence=sentence,
        direction=direction,
    )


def inference_fits(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Fatal: cluster-robust or analytic errors with fewer than about 20 treated councils, placebos without an error."""
    if estimate.std_error <= NO_SPREAD * abs(estimate.actual):
        sentence = (
            "Every other council is predicted without any error, so nothing shows how far chance reaches; the figures "
            "may be copies of one another, and councils' own would do."
        )
        return (answer("inference_fits", "fail", "fatal", sentence),)
    fits = estimate.inference in ("placebo", "randomisation", "exact")
    fits = fits or estimate.n_treated >= FEWEST_TREATED_FOR_CLUSTERS
    sentence = (
        f"Uncertainty comes from {estimate.n_reference} other councils put in {plan.place}'s place, each fitted anew."
        if fits
        else f"{estimate.inference} errors cannot be trusted with {estimate.n_treated} treated; use placebos."
    )
    return (answer("inference_fits", "pass" if fits else "fail", "fatal", sentence, value=float(estimate.n_reference)),)


def series_complete(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Fatal: the treated council has every base and post year on one boundary and from one series."""
    years = (*estimate.base, *estimate.post)
    comparison = compare(panel, plan, specification_of(estimate))
    whole = bool(np.isfinite(comparison.before[0]).all() and np.isfinite(comparison.after[0]).all())
    sentence = f"{plan.place} has a figure for each of {', '.join(years)}, on one boundary and from one series."
    return (answer("series_complete", "pass" if whole else "fail", "fatal", sentence, value=float(len(years))),)


def false_start(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Serious: an effect in the year before the start (Abadie et al. 2015), with the power that this test had."""
    year = plan.base[-1]
    try:
        placebos, early = false_start_reference(panel, plan, specification_of(estimate))
    except (PanelError, EstimateError) as fault:
        return (answer("false_start", "no_test", "serious", f"No false start in {year} could be tried: {fault}"),)
    planned = plan.outcome(estimate.outcome)
    unit = 1.0 if planned.unit == "per_100_pupils" else 0.01
    p = placebo_p(early, placebos.scale, placebos.z)
    power = power_at(placebos.z, placebos.scale, planned.sesoi / unit, FALSE_START_P)
    status: Status = "fail" if p <= FALSE_START_P else "pass" if power >= LEAST_POWER else "no_test"
    said = {
        "fail": "so the comparison was already off before anything began",
        "pass": "and this test would have shown an effect worth having",
        "no_test": f"but this test had only {100 * power:.0f} chances in 100 of showing an effect worth having",
    }
    sentence = (
        f"Had it begun in {year}, {plan.place} would have been {in_words(unit * early, planned.unit)} "
        f"{'above' if early > 0 else 'below'} its comparison (p = {p:.2f}), {said[status]}."
    )
    return (answer("false_start", status, "serious", sentence, value=p, limit=FALSE_START_P, power=power),)


def base_year(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Serious: refitted without the last base year, the answer moves by more than the smallest effect of interest."""
    year, rest = estimate.base[-1], estimate.base[:-1]
    if not rest:
        sentence = f"{year} is the only base year, so nothing is left to refit on; two base years or more would do."
        return (answer("base_year", "no_test", "serious", sentence),)
    # Methods that fit nothing know a year only as part of the base.
    without = replace(specification_of(estimate), without_years=(year,))
    without = without if estimate.weights else replace(without, base=rest)
    try:
        other = effect_of(panel, plan, without)
    except (PanelError, EstimateError) as fault:
        return (answer("base_year", "no_test", "serious", f"Could not be refitted without {year}: {fault}"),)
    sentence = f"Fitted without {year}, the estimate moves by {in_words(other.value - estimate.value, estimate.unit)}."
    return (moved("base_year", other.value - estimate.value, plan.outcome(estimate.outcome).sesoi, sentence),)


def moved(name: str, shift: float, limit: float, sentence: str) -> CheckResult:
    """Serious: failed where the answer moves by more than ``limit`` (both in the outcome's unit)."""
    return answer(name, "fail" if abs(shift) > limit else "pass", "serious", sentence, value=abs(shift), limit=limit)


def sources_agree(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Census against daily registers: serious beyond the smallest effect of interest, a caution beyond half of it."""
    source: Source = "daily" if estimate.source == "census" else "census"
    limit = plan.outcome(estimate.outcome).sesoi
    try:
        other = effect_of(panel, plan, replace(specification_of(estimate), source=source))
    except (PanelError, EstimateError):
        sentence = f"The {source} series does not have these years yet, so the two cannot be compared."
        return (answer("sources_agree", "no_test", "serious", sentence, limit=limit),)
    shift = abs(other.value - estimate.value)
    sentence = (
        f"Census and daily registers differ by {in_words(shift, estimate.unit)} in what they say of {plan.place}."
    )
    severity: Severity = "caution" if limit / 2 < shift <= limit else "serious"
    status: Status = "fail" if shift > limit / 2 else "pass"
    passed = limit if shift > limit else limit / 2
    return (answer("sources_agree", status, severity, sentence, value=shift, limit=passed),)


def leave_one_donor(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Serious: without any one council the answer moves by more than the smallest effect of interest."""
    return (_leave_out("leave_one_donor", estimate, panel, plan, {u: (u,) for u in estimate.placebo_units}, "council"),)


def leave_one_region(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Serious: without any one region's councils the answer moves by more than the smallest effect of interest."""
    regions: dict[str, tuple[str, ...]] = {}
    for unit in estimate.placebo_units:
        regions[panel.regions.get(unit, "unknown")] = (*regions.get(panel.regions.get(unit, "unknown"), ()), unit)
    return (_leave_out("leave_one_region", estimate, panel, plan, regions, "region"),)


def _leave_out(
    name: str, estimate: Estimate, panel: Panel, plan: Plan, groups: Mapping[str, tuple[str, ...]], what: str
) -> CheckResult:
    limit = plan.outcome(estimate.outcome).sesoi
    unit = 1.0 if estimate.unit == "per_100_pupils" else 0.01
    comparison = compare(panel, plan, specification_of(estimate))
    kept = {g: np.array([u not in units for u in comparison.units]) for g, units in groups.items()}
    kept = {group: chosen for group, chosen in kept.items() if chosen.sum() >= 3}
    if not kept:
        sentence = f"Without any one {what} fewer than 2 councils are left to compare with; more of them would do."
        return answer(name, "no_test", "serious", sentence, limit=limit)
    effects = treated_effects(comparison, plan, np.array(list(kept.values())))
    shifts = dict(zip(kept, (unit * effects - estimate.value).tolist(), strict=True))
    worst = max(shifts, key=lambda g: (abs(shifts[g]), g))
    shift = shifts[worst]
    named = panel.names.get(worst, worst)
    sentence = f"Leaving out any one {what} moves the estimate by at most {in_words(shift, estimate.unit)} ({named})."
    return moved(name, shift, limit, sentence)


def coverage(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Serious: under 90% of the treated council's schools sent registers, or that share moved by over 0.05.

    A share that only moved is a result of its own beside the one of its level, each with its own limit.
    """
    years = [*estimate.base, *estimate.post]
    shares = response(panel).reindex(index=panel.treated[:1], columns=years).iloc[0]
    known = {str(p): float(share) for p, share in shares.items() if np.isfinite(share)}
    if len(known) < len(shares):
        missing = ", ".join(p for p in years if p not in known)
        sentence = f"The share of schools that sent registers is not printed for {missing}."
        return (answer("coverage", "no_test", "serious", sentence, limit=LEAST_RESPONSE),)
    least, moved = min(known.values()), max(known.values()) - min(known.values())
    sentence = (
        f"Between {100 * least:.1f}% and {100 * max(known.values()):.1f}% of {plan.place}'s schools sent registers; "
        f"the share moved by {100 * moved:.1f} points over the years compared."
    )
    enough: Status = "pass" if least >= LEAST_RESPONSE else "fail"
    level = answer("coverage", enough, "serious", sentence, value=least, limit=LEAST_RESPONSE)
    if enough == "fail" or moved <= MOST_MOVED_RESPONSE:
        return (level,)
    sentence = (
        f"The share of {plan.place}'s schools that sent registers moved by {100 * moved:.1f} points over the years "
        f"compared; {100 * MOST_MOVED_RESPONSE:.0f} would do no harm."
    )
    limit = MOST_MOVED_RESPONSE
    return (level, answer("coverage: movement", "fail", "serious", sentence, value=moved, limit=limit))


def largest_weight(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Caution: one council carries over a quarter of the comparison."""
    if not estimate.weights:
        words = estimate.method.replace("_", " ")
        sentence = f"The method, {words}, gives no weights to look at; a synthetic control would."
        return (answer("largest_weight", "no_test", "caution", sentence, limit=LARGEST_WEIGHT),)
    unit, weight = max(estimate.weights.items(), key=lambda item: (item[1], item[0]))
    sentence = f"The largest share of the comparison is {100 * weight:.0f}% ({panel.names.get(unit, unit)})."
    status: Status = "fail" if weight > LARGEST_WEIGHT else "pass"
    return (answer("largest_weight", status, "caution", sentence, value=weight, limit=LARGEST_WEIGHT),)


def contaminated_donors(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Caution: whether an effect is noticed depends on councils that border, did something alike, or respond poorly."""
    alpha = plan.alpha(panel.report_year)
    noticed = estimate.p_value <= alpha
    own = specification_of(estimate)
    poor = poor_response(estimate.placebo_units, panel, plan, own)
    variants = {
        "without councils that border it": replace(own, without=tuple(plan.donors.bordering)),
        "with the councils left out by name": replace(own, also=tuple(sorted(e.unit for e in plan.excluded))),
        "without councils whose registers are incomplete": replace(own, without=poor),
    }
    found: dict[str, Effect] = {}
    for words, variant in variants.items():
        try:
            found[words] = effect_of(panel, plan, variant)
        except (PanelError, EstimateError):
            continue
    if not found:
        sentence = "The comparison could not be made without the councils that may have been affected too."
        return (answer("contaminated_donors", "no_test", "caution", sentence),)
    changed = [words for words, other in found.items() if (other.p_value <= alpha) != noticed]
    shift = max(abs(other.value - estimate.value) for other in found.values())
    sentence = (
        f"Fitted {' or '.join(changed)}, the answer to whether a difference is noticed changes."
        if changed
        else f"Fitted {', '.join(found)}, the answer stays; the estimate moves by at most "
        f"{in_words(shift, estimate.unit)}."
    )
    status: Status = "fail" if changed else "pass"
    return (answer("contaminated_donors", status, "caution", sentence, value=shift),)


def poor_response(units: Sequence[str], panel: Panel, plan: Plan, of: Specification) -> tuple[str, ...]:
    """Units whose registers are incomplete or became more or less so; one without a printed share is kept."""
    shares = response(panel).reindex(index=list(units), columns=[of.base[-1], *of.post])
    low = shares.min(axis=1) < plan.donors.low_response
    changed = shares.max(axis=1) - shares.min(axis=1) > plan.donors.moved_response
    return tuple(str(unit) for unit in shares.index[low | changed])


def other_events(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Caution: each other thing that happened to the treated council alone."""
    return tuple(
        answer(
            f"other_events: {event.name}",
            "fail",
            "caution",
            f"{event.name} ({event.when}) touched {plan.place} too; its part cannot be told apart.",
        )
        for event in plan.events
    )
