"""One made-up study of schools: from drawn panels to verdicts by the rule table, and what its named check found."""

from __future__ import annotations

from belonging_research.calibrate.rows import Tried
from belonging_research.calibrate.school_drawing import DrawnPupils, DrawnSchools, draw_schools_of
from belonging_research.calibrate.school_worlds import SchoolWorld, layer_of
from belonging_research.calibrate.studies import DECIDED
from belonging_research.checks import CheckResult
from belonging_research.checks.breaking import NOTHING_TO_BREAK
from belonging_research.checks.county import answer
from belonging_research.checks.schools import allocation, exits, history, pre_trends_of, spill_over, weights
from belonging_research.errors import PlanError
from belonging_research.estimators import Estimate
from belonging_research.findings import Candidate, Finding, judge_all
from belonging_research.findings.rules import BLOCKING
from belonging_research.findings.schools import estimate_of
from belonging_research.plan import Plan

# Randomisation is exact at .05 and at Holm's first step of .025 with any number of allocations that these divide
# evenly: p <= .025 is being among the 10 most extreme of 400 as of the 50 most extreme of 2,000. Fewer cost a little
# power, never size.
DRAWS, CHECK_DRAWS = 399, 199
# Checks of pupils who left or moved have nothing to look at in schools without pupils; no made-up register here has
# codes that change; the other estimators, and how many are still followed, are a caution at most.
QUICK_CHECKS = ("allocation", "pre_trends", "history", "weights")
PUPIL_CHECKS = ("exits", "spill_over")
SIZES = (0.01, 0.03, 0.05)


def conduct_school_study(world: SchoolWorld, plan: Plan, number: int) -> Tried:
    """Draw the world's county number ``number`` and judge it as the plan's school layer is judged, at its one look.

    Both primaries are estimated and adjusted for each other; no verdict is taken that a check of :data:`QUICK_CHECKS`
    forbids. The same plan, world and number give the same answer, whatever else is drawn. Raises as the pipeline does.
    """
    study = _draw(world, plan, number)
    findings = {each.outcome: each for each in findings_of(study, of=world.outcome)}
    wrong = any(f.verdict in DECIDED and world.does_nothing(name) for name, f in findings.items())
    finding, truth = findings[world.outcome], study.truths[world.outcome]
    made = finding.estimate
    if made is None:  # no estimate is withheld here
        raise PlanError(f"world {world.name}: the plan's look does not test {world.outcome}.")
    low, high = made.intervals["0.95"]
    return Tried(
        groups=("all",), truth=truth, value=made.value, low=low, high=high, verdict=finding.verdict, said_wrong=wrong,
        noticed=made.p_value <= finding.alpha,
        passed=not any((check.severity, check.status) in BLOCKING for check in finding.checks),
        caught=_caught(world, finding.checks), detectable=None,
        sizes=(made.p_value <= SIZES[0], made.p_value <= SIZES[1], made.p_value <= SIZES[2]),
    )  # fmt: skip


def findings_of(study: DrawnSchools, *, of: str | None = None) -> tuple[Finding, ...]:
    """The finding of each outcome of a drawn study, by the family rules, with the checks that it can be asked.

    ``of``: the outcome whose checks are counted; another's are made only where they can take a verdict away.
    """
    rows, alpha = [], study.plan.alpha(study.periods[-1])
    for outcome in study.plan.outcomes:
        made = estimate_of(study, outcome.name, placebos=0)
        asked = of is None or outcome.name == of or made.p_value <= alpha
        checks = _checks(made, study) if asked else _nothing_to_break(study.plan)
        rows.append(Candidate.of(made, checks, is_registered_row=True, imbalance=made.imbalance))
    return judge_all(rows, study.plan, report_year=study.periods[-1])


def _draw(world: SchoolWorld, plan: Plan, number: int) -> DrawnSchools:
    key = ("calibrate", "school", world.name, str(number))
    layer, of = layer_of(plan), plan.of_schools
    # Allocations that judge are drawn anew each time: one set for all worlds would share its luck among them.
    seed = int(plan.rng(*key, "seed").integers(2**31))
    made = QUICK_CHECKS if world.pupils is None else (*QUICK_CHECKS, *PUPIL_CHECKS)
    asked = tuple(name for name in of.checks if name in made)
    tested = tuple(each for each in of.outcomes if each.role != "exploratory")
    of = of.model_copy(update={"checks": asked, "outcomes": tested, "seed": seed})
    fewer = layer.model_copy(update={"draws": min(layer.draws, DRAWS)})
    return draw_schools_of(world, of, fewer, plan.rng(*key))


def _checks(made: Estimate, study: DrawnSchools) -> tuple[CheckResult, ...]:
    """In the plan's order. The power of the pre-trend test bears on no verdict, so one placebo and one judge do."""
    plan = study.plan
    found = {
        "allocation": lambda: allocation(made, study, plan),
        "pre_trends": lambda: pre_trends_of(made, study, plan, draws=CHECK_DRAWS, placebos=1, judges=1),
        "history": lambda: history(made, study, plan),
        "weights": lambda: weights(made, study, plan, draws=CHECK_DRAWS),
    }
    if isinstance(study, DrawnPupils):
        found["exits"] = lambda: exits(made, study, plan)
        found["spill_over"] = lambda: spill_over(made, study, plan)
    return tuple(result for name in plan.checks for result in found[name]())


def _nothing_to_break(plan: Plan) -> tuple[CheckResult, ...]:
    sentence = f"No difference was noticed: {NOTHING_TO_BREAK}."
    return tuple(answer(name, "no_test", "caution", sentence) for name in plan.checks)


def _caught(world: SchoolWorld, checks: tuple[CheckResult, ...]) -> bool | None:
    if world.catcher == "inference":
        return None
    return any(check.name == world.catcher and check.status == "fail" for check in checks)
