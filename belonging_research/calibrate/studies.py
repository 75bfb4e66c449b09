"""One made-up study: from a world's table to the verdicts of every look, and what the named check made of it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from belonging_research.calibrate.drawing import Drawn, draw_outcomes
from belonging_research.calibrate.worlds import CountyWorld
from belonging_research.checks import CHECKS, ONLY_CAUTIONS, CheckResult, run_checks
from belonging_research.errors import PanelError
from belonging_research.estimators import estimate
from belonging_research.estimators.county import Reference, false_start_reference, fit, reference
from belonging_research.estimators.placebo import detectable_effect, interval, placebo_p
from belonging_research.findings import Finding, assess
from belonging_research.findings.families import holm
from belonging_research.findings.rules import BLOCKING, Verdict
from belonging_research.panel import Panel, Specification, build_panel, compare, deciding_source
from belonging_research.plan import Look, Plan

PRIMARY = "overall_absence_rate"
ONLY_IF_NOTICED = frozenset({"breakdown", "specifications"})
DECIDED = frozenset({"better_than_expected", "worse_than_expected"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What one study said, and what was true, of overall absence at the last look unless said.

    ``verdicts``: (report year, outcome, verdict) of each look; ``truth``, ``value``, ``low``, ``high`` (95%) and
    ``detectable`` are proportions; ``noticed``: p at most the last look's alpha; ``caught``: whether the world's
    check failed (None where it has none); ``passed``: no check that is
    asked of every finding forbade a verdict.
    """

    world: str
    number: int
    third: str
    pupils: float
    verdicts: tuple[tuple[str, str, Verdict], ...]
    truth: float
    value: float
    low: float
    high: float
    p_value: float
    detectable: float
    noticed: bool
    caught: bool | None
    passed: bool

    @property
    def verdict(self) -> Verdict:
        """What the study said of overall absence: its first better or worse, else what its last look said."""
        said = [each for _, outcome, each in self.verdicts if outcome == PRIMARY]
        return next((each for each in said if each in DECIDED), said[-1])


def conduct_study(world: CountyWorld, plan: Plan, number: int) -> Study:
    """Draw the world's country number ``number`` and judge it at every look of the plan.

    The same plan, world and number give the same study, whatever else is drawn. Raises as the pipeline does.
    """
    drawn = _draw(world, plan, number)
    panel, plan = build_panel(drawn.outcomes, plan), what_decides(plan, world.catcher)
    said: list[tuple[str, str, Verdict]] = []
    for look in plan.looks:
        found = findings_at(panel.at(look.report_year), plan)
        said += [
            (look.report_year, outcome, finding.verdict if finding else "cannot_tell")
            for outcome, finding in found.items()
        ]
        if any(verdict in DECIDED for _, outcome, verdict in said if outcome == PRIMARY):
            break  # what a look has said stands, whatever a later one would say
    made = estimate(panel, plan, PRIMARY)
    # The two that only a noticed difference is asked would split studies by what they found.
    checks = run_checks(made, panel, plan, only=tuple(each for each in plan.checks if each not in ONLY_IF_NOTICED))
    low, high = made.intervals["0.95"]
    return Study(
        world=world.name, number=number, third=drawn.third, pupils=drawn.pupils, verdicts=tuple(said),
        truth=sum(drawn.effect) / len(drawn.effect), value=made.value, low=low, high=high, p_value=made.p_value,
        detectable=made.detectable or float("nan"), noticed=made.p_value <= plan.alpha(panel.report_year),
        caught=_caught(world, checks), passed=not any((c.severity, c.status) in BLOCKING for c in checks),
    )  # fmt: skip


def what_decides(plan: Plan, catcher: str | None = None) -> Plan:
    """The plan without what no verdict depends on: exploratory outcomes, checks that are a caution at most.

    And without the check of calibrated size: what it reads is made here. ``catcher``: a check to keep all the same.
    """
    needless = (ONLY_CAUTIONS | {"calibrated_size"}) - {catcher}
    return plan.model_copy(
        update={
            "outcomes": tuple(each for each in plan.outcomes if each.role != "exploratory"),
            "checks": tuple(each for each in plan.checks if each not in needless),
        }
    )


def _draw(world: CountyWorld, plan: Plan, number: int) -> Drawn:
    key = ("calibrate", world.name, str(number))
    drawn = draw_outcomes(world, plan, plan.rng(*key))
    if not world.effect_in_detectable:
        return drawn
    of_primary = pc.is_in(drawn.outcomes["outcome"], pa.array([PRIMARY]))
    panel = build_panel(drawn.outcomes.filter(of_primary), plan)
    of = _specification(panel, plan, PRIMARY)
    if of is None:
        raise PanelError(f"world {world.name}: no series of {PRIMARY} has every post year")
    promised, _ = false_start_reference(panel, plan, of)
    before = detectable_effect(promised.z, promised.scale, plan.alpha(panel.report_year)) / 100
    return draw_outcomes(world, plan, plan.rng(*key), detectable=before)


def _caught(world: CountyWorld, checks: tuple[CheckResult, ...]) -> bool | None:
    if world.catcher not in CHECKS:
        return None
    return any(check.name.partition(":")[0] == world.catcher and check.status == "fail" for check in checks)


def findings_at(panel: Panel, plan: Plan) -> dict[str, Finding | None]:
    """The finding of each outcome that the panel's look tests; None where it can be no more than "cannot tell".

    Checks only ever downgrade, so the whole pipeline is run where the rest of the rule table would say more.
    """
    look = plan.look(panel.report_year)
    if look is None:
        return {}
    seen = {outcome: _placed(panel, plan, outcome) for outcome in look.outcomes}
    tested = [placed for placed in seen.values() if placed is not None]
    adjusted = holm([placebo_p(value, of.scale, of.z) for value, of in tested], len(look.outcomes))
    noticed = any(p <= look.alpha for p in adjusted)
    if noticed or any(_is_small(placed, plan, o, look.alpha) for o, placed in seen.items() if placed):
        findings = assess(panel, _tested_at(look, plan), beside=False)
        return {each.outcome: each for each in findings.main if each.role != "exploratory"}
    return dict.fromkeys(look.outcomes)


def _tested_at(look: Look, plan: Plan) -> Plan:
    """The plan with the outcomes that a look tests: secondary ones at the last, no verdict depends on the others."""
    last = look == plan.looks[-1]
    tested = tuple(each for each in plan.outcomes if each.name in look.outcomes or (last and each.role == "secondary"))
    return plan.model_copy(update={"outcomes": tested})


def _placed(panel: Panel, plan: Plan, outcome: str) -> tuple[float, Reference] | None:
    """The treated unit's effect and its placebos, in hundredths; None where the figures are not out."""
    of = _specification(panel, plan, outcome)
    if of is None:
        return None
    comparison = compare(panel, plan, of)
    fitted = fit(comparison, plan)
    return float(fitted.effects[0]), reference(comparison, fitted)


def _specification(panel: Panel, plan: Plan, outcome: str) -> Specification | None:
    """The registered row's, None where no series has every post year."""
    post = tuple(p for p in plan.post if p <= panel.report_year)
    source = deciding_source(panel, plan, outcome, post)
    if source is None:
        return None
    return Specification(outcome=outcome, source=source, phase="all", method=plan.method, base=plan.base, post=post)


def _is_small(placed: tuple[float, Reference], plan: Plan, outcome: str, alpha: float) -> bool:
    planned, (value, placebos) = plan.outcome(outcome), placed
    low, high = interval(value, placebos.scale, placebos.z, round(1 - 2 * alpha, 6))
    limit = planned.sesoi / (1.0 if planned.unit == "per_100_pupils" else 0.01)
    return -limit < low and high < limit
