"""Try to break a finding about schools: one function a check, each a result with a sentence.

As :mod:`checks.county`, for starts that differ between schools. Each takes the estimate, the study of schools behind
it and what the plan says of schools (:attr:`Plan.of_schools`). Checks only ever downgrade.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from belonging_research.checks.breaking import NOTHING_TO_BREAK
from belonging_research.checks.county import answer, in_words, moved
from belonging_research.checks.result import CheckResult, Severity, Status
from belonging_research.errors import EstimateError, FindingError, PanelError
from belonging_research.estimators.result import Estimate
from belonging_research.estimators.staggered import (
    imputation,
    lee_bounds,
    overall_value,
    pre_trends,
    ratio_value,
    sun_abraham,
    weightings_apart,
)
from belonging_research.panel.schools import PupilPanels, SchoolPanel, SchoolPanels, SchoolStudy
from belonging_research.plan import POLICIES, Plan
from belonging_research.tables.register_codes import CODE_BRIDGES

LEAST_POWER, PRE_TREND_P, WEIGHTS_P = 0.5, 0.05, 0.05
LEAST_FOLLOWED = 0.8
_BY_LOT, _BLIND = "drawn_by_lot", ("drawn_by_lot", "outcome_blind")
ABSENCE = "overall_absence_rate"


def allocation(estimate: Estimate, study: SchoolPanels, plan: Plan) -> tuple[CheckResult, ...]:
    """Caution: starts were decided by need or by the schools themselves, so permuting them is a model of chance.

    ``value``: the share of units whose start was drawn by lot or by a documented rule blind to outcomes.
    """
    timing = study.panel(estimate.outcome).timing
    total, blind = sum(timing.values()), sum(timing.get(how, 0) for how in _BLIND)
    share = blind / total if total else 0.0
    if share == 1.0:
        how = "by lot" if timing.get(_BY_LOT, 0) == total else "by a documented rule that did not look at outcomes"
        return (answer("allocation", "pass", "caution", f"When each school started was decided {how}.", value=share),)
    sentence = (
        f"For {100 * (1 - share):.0f}% of the groups that started, when was not decided by lot or by a rule blind to "
        "outcomes; that they did not start where things were about to change anyway is assumed."
    )
    return (answer("allocation", "fail", "caution", sentence, value=share),)


def pre_trends_of(
    estimate: Estimate, study: SchoolPanels, plan: Plan, *, draws: int = 999, placebos: int = 60, judges: int = 199
) -> tuple[CheckResult, ...]:
    """Serious: those that started moved apart from the others before they started; with the power of asking.

    Joint test of the half-terms before the start by permuting starts, ``draws`` times. Its power, from ``placebos``
    and ``judges``, is that of a drift that makes the smallest effect of interest by the last half-term; conditioning on
    a pass can worsen bias (Roth 2022), so the interval is shown whatever comes of it. Of events, their rate is tested.
    """
    name, panel = "pre_trends", study.panel(estimate.outcome)
    drift = _as_rate(plan.outcome(estimate.outcome).sesoi, estimate, panel)
    try:
        found = pre_trends(
            panel, drift=drift, rng=plan.rng("pre_trends", estimate.outcome),
            comparison=study.layer.comparison, anticipation=study.layer.anticipation, draws=draws, placebos=placebos,
            judges=judges,
        )  # fmt: skip
    except EstimateError as fault:
        return (answer(name, "no_test", "serious", f"No trend before the start could be tested: {fault}"),)
    status: Status = "fail" if found.p_value <= PRE_TREND_P else "pass" if found.power >= LEAST_POWER else "no_test"
    said = {
        "fail": "so those that started were already moving apart",
        "pass": "and this test would have shown a drift that makes an effect worth having",
        "no_test": f"but this test had only {100 * found.power:.0f} chances in 100 of showing a drift that makes an "
        "effect worth having",
    }
    sentence = (
        f"In the {len(found.leads)} half-terms before the last one before the start, schools that started later stood "
        f"to the others as they did then, but for chance of p = {found.p_value:.2f}, {said[status]}."
    )
    return (answer(name, status, "serious", sentence, value=found.p_value, limit=PRE_TREND_P, power=found.power),)


def history(estimate: Estimate, study: SchoolPanels, plan: Plan) -> tuple[CheckResult, ...]:
    """Serious: with and without allowing for what schools' absence had been, the estimate moves by over S.

    The school layer's base-year check: where starters had stood unusually high or low just before, the two part.
    """
    name, limit = "history", plan.outcome(estimate.outcome).sesoi
    if estimate.outcome != ABSENCE:
        return _not_built(name, "what allowing for their history would change")
    panel = study.panel(ABSENCE)
    shift = _value(panel, study, history=not study.layer.history) - _value(panel, study)
    how = "Without" if study.layer.history else "With"
    sentence = (
        f"{how} allowing for what each school's absence had been before anything started, the estimate moves by "
        f"{in_words(shift, estimate.unit)}."
    )
    return (moved(name, shift, limit, sentence),)


def exits(estimate: Estimate, study: PupilPanels, plan: Plan) -> tuple[CheckResult, ...]:
    """Serious: at worst or at best for the pupils who left, a noticed effect may be none or the other way round.

    Lee's (2009) bounds are of the estimate, and chance is beside them, in the spirit of Imbens & Manski (2004): the
    check fails where the interval that noticed the effect reaches none once it is moved to either bound. Asking only
    whether the estimate changes its sign would let pass what leavers and chance made together: a noticed estimate is
    far from none.
    """
    name = "exits"
    if estimate.outcome != ABSENCE:
        return _not_built(name, "what pupils who left could hide")
    if estimate.p_value > plan.alpha(max(estimate.post)):
        sentence = f"No difference was noticed that those who left could undo: {NOTHING_TO_BREAK}."
        return (answer(name, "no_test", "caution", sentence),)
    low, high = lee_bounds(study, estimate.value)
    ends = estimate.intervals[f"{round(1 - plan.alpha(max(estimate.post)), 12):g}"]
    reach = (ends[0] + low - estimate.value, ends[1] + high - estimate.value)
    fails = reach[0] <= 0 <= reach[1]
    sentence = (
        "Had the pupils who left the data from one side more than from the other been those with most or with least "
        f"absence, the estimate would lie between {_signed(low)} and {_signed(high)}, and its range of chance "
        + ("would reach none; its direction is then not known." if fails else "on the same side of none.")
    )
    worst = min(abs(each) for each in reach) if not fails else 0.0
    return (answer(name, "fail" if fails else "pass", "serious", sentence, value=worst),)


def code_bridge_of(estimate: Estimate, study: SchoolStudy, plan: Plan) -> tuple[CheckResult, ...]:
    """Serious: with codes that changed in August 2024 put on one side, the estimate moves by over half of S."""
    name, limit = "code_bridge", plan.outcome(estimate.outcome).sesoi / 2
    if estimate.outcome != ABSENCE:
        return _not_here(name)
    shifts = {
        bridge.words: _value(study.absence((key,)), study) - _value(study.absence(), study)
        for key, bridge in CODE_BRIDGES.items()
    }
    words = max(shifts, key=lambda each: (abs(shifts[each]), each))
    sentence = (
        f"With {words}, before and since August 2024, the estimate moves by {in_words(shifts[words], estimate.unit)}."
    )
    return (moved(name, shifts[words], limit, sentence),)


def spill_over(estimate: Estimate, study: PupilPanels, plan: Plan) -> tuple[CheckResult, ...]:
    """Serious: without pupils who moved to another pyramid's school, the estimate moves by over half of S.

    Of events it is not tested where those who moved had fewer than the secrecy policy shows: how far the ratio moves
    would tell whether so few had any.
    """
    name, limit = "spill_over", plan.outcome(estimate.outcome).sesoi / 2
    if estimate.inference == "exact":
        return _not_built(name, "how far pupils who changed pyramid move it")
    try:
        stayers, everybody = study.panel_of_stayers(estimate.outcome), study.panel(estimate.outcome)
        of_movers = everybody.numerator.sum() - stayers.numerator.sum()
        if estimate.outcome != ABSENCE and of_movers < POLICIES[study.layer.policy].pupils:
            raise PanelError("too few events of pupils who moved")
        shift = _value(stayers, study) - _value(everybody, study)
    except (PanelError, EstimateError) as fault:
        # Of events the reason would tell how few there are.
        why = f": {fault}" if estimate.outcome == ABSENCE else "."
        return (answer(name, "no_test", "serious", f"Spill-over by pupils who moved could not be tested{why}"),)
    moves = in_words(shift, estimate.unit)
    sentence = f"Without pupils who were also in a school of another pyramid, the estimate moves by {moves}."
    return (moved(name, shift, limit, sentence),)


def weights(estimate: Estimate, study: SchoolPanels, plan: Plan, *, draws: int = 999) -> tuple[CheckResult, ...]:
    """Weighing pupils, half-days or schools alike gives answers further apart than S, and than chance puts them.

    Serious where they then point in different directions; a caution where all point in one, as they do when an effect
    is larger in larger schools. With 22 pyramids chance alone often puts them further apart than S, so that where more
    than 1 in 20 of ``draws`` allocations put them as far, no test was possible. ``value``: how far apart they are.
    """
    name, limit, panel = "weights", plan.outcome(estimate.outcome).sesoi, study.panel(estimate.outcome)
    found = weightings_apart(
        panel, rng=plan.rng("weights", estimate.outcome), comparison=study.layer.comparison,
        anticipation=study.layer.anticipation, history=study.layer.history, draws=draws,
    )  # fmt: skip
    apart, beyond = _as_effect(found.apart, estimate, panel), found.p_value <= WEIGHTS_P
    status: Status = "pass" if apart <= limit else "fail" if beyond else "no_test"
    severity: Severity = "caution" if status == "fail" and found.one_direction else "serious"
    ends = {
        "pass": "",
        "no_test": ", as far as chance may put them",
        "fail": ", further than chance puts them"
        + (", all in one direction" if found.one_direction else ", and not in one direction"),
    }
    sentence = (
        f"Weighing pupils, half-days or schools alike gives answers {in_words(apart, estimate.unit)} apart"
        f"{ends[status]}."
    )
    return (answer(name, status, severity, sentence, value=apart, limit=limit),)


def other_estimators(estimate: Estimate, study: SchoolStudy, plan: Plan) -> tuple[CheckResult, ...]:
    """Caution: imputation or Sun and Abraham, on everybody on roll, differ by over S from the same panel's own."""
    name, limit = "other_estimators", plan.outcome(estimate.outcome).sesoi
    if estimate.outcome != ABSENCE:
        return (answer(name, "no_test", "caution", "No other estimator has been set beside a ratio of events."),)
    panel = study.enrolments_absence()
    try:
        own = _value(panel, study, history=False)  # neither of the others allows for it
        found = {each.method: each.value - own for each in (imputation(panel), sun_abraham(panel))}
    except EstimateError as fault:
        return (answer(name, "no_test", "caution", f"No other estimator could be set beside it: {fault}"),)
    method = max(found, key=lambda each: (abs(found[each]), each))
    shift = found[method]
    sentence = (
        "Two other estimators for starts that differ, on everybody on roll, are at most "
        f"{in_words(shift, estimate.unit)} from this method without allowing for the past ({method.replace('_', ' ')})."
    )
    status: Status = "fail" if abs(shift) > limit else "pass"
    return (answer(name, status, "caution", sentence, value=abs(shift), limit=limit),)


def followed(estimate: Estimate, study: SchoolStudy, plan: Plan) -> tuple[CheckResult, ...]:
    """Caution: over a fifth of the pupils who were to be followed are no longer in the data at the end."""
    panel = study.absence()
    of = max((each.of for each in panel.leavers), default=0)
    gone = sum(each.n for each in panel.leavers)
    followed = round(1 - gone / of, 2) if of else 1.0  # to whole per cent: of a small cohort more would tell a count
    sentence = f"At the end {100 * followed:.0f}% of the pupils who were to be followed were still in the data."
    status: Status = "pass" if followed >= LEAST_FOLLOWED else "fail"
    return (answer("followed", status, "caution", sentence, value=followed, limit=LEAST_FOLLOWED),)


SCHOOL_CHECKS: Mapping[str, Callable[[Estimate, SchoolStudy, Plan], tuple[CheckResult, ...]]] = {
    "allocation": allocation,
    "pre_trends": pre_trends_of,
    "history": history,
    "exits": exits,
    "code_bridge": code_bridge_of,
    "spill_over": spill_over,
    "weights": weights,
    "other_estimators": other_estimators,
    "followed": followed,
}


def run_school_checks(estimate: Estimate, study: SchoolStudy) -> tuple[CheckResult, ...]:
    """The checks that the plan lists for schools, in its order.

    Raises :class:`FindingError` for one that is not built.
    """
    plan = study.plan
    unknown = [name for name in plan.checks if name not in SCHOOL_CHECKS]
    if unknown:
        raise FindingError(
            f"plan {plan.study}: schools.checks lists {', '.join(unknown)}, which is not built; there are "
            f"{', '.join(SCHOOL_CHECKS)}."
        )
    return tuple(result for name in plan.checks for result in SCHOOL_CHECKS[name](estimate, study, plan))


def _value(panel: SchoolPanel, study: SchoolPanels, *, history: bool | None = None) -> float:
    """The overall effect alone, in the outcome's unit; ``history`` allowed for as the plan says, or as asked.

    Of events, whose history school effects hold, the log ratio.
    """
    layer = study.layer
    if panel.outcome != ABSENCE:
        return ratio_value(panel, anticipation=layer.anticipation)
    return overall_value(
        panel, comparison=layer.comparison, anticipation=layer.anticipation,
        history=layer.history if history is None else history,
    )  # fmt: skip


def _not_built(name: str, what: str) -> tuple[CheckResult, ...]:
    """Serious, and not tested: for events this check has not been built, which is no pass."""
    return (answer(name, "no_test", "serious", f"For events, {what} has not been worked out."),)


def _before(panel: SchoolPanel) -> float:
    """Events over exposure before the first start."""
    early = slice(0, max(panel.first_start, 1))
    return float(panel.numerator[:, early].sum() / panel.denominator[:, early].sum())


def _as_rate(effect: float, estimate: Estimate, panel: SchoolPanel) -> float:
    """The size of an effect as a difference of the panel's rates: of a log ratio, at the rate before any start."""
    return _before(panel) * math.expm1(effect) if estimate.unit == "log_ratio" else effect


def _as_effect(difference: float, estimate: Estimate, panel: SchoolPanel) -> float:
    """A difference of the panel's rates in the estimate's unit: as a log ratio, over the rate before any start."""
    return math.log1p(difference / _before(panel)) if estimate.unit == "log_ratio" else difference


def _not_here(name: str) -> tuple[CheckResult, ...]:
    sentence = "Does not apply: this check is of half-days, and this outcome counts events."
    return (answer(name, "no_test", "caution", sentence),)


def _signed(value: float) -> str:
    points = f"{100 * abs(value):.2f} points"
    return f"{points} {'higher' if value > 0 else 'lower'}"
