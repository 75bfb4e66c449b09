"""Families of outcomes: which role a row has at this look, Holm's adjustment, and the gate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from belonging_research.findings.shapes import Finding
from belonging_research.plan import OutcomePlan, Plan, Role

GAIN_RULE = 4
LOSS_RULE = 5


def holm(p_values: Sequence[float], m: int) -> tuple[float, ...]:
    """Holm's adjusted p-values (Holm 1979) in the order given, in a family of ``m`` hypotheses.

    The ``m - len(p_values)`` that are not yet out count as p = 1: they stand last in the order of p, so that
    they only raise the multipliers of the others.

    Raises
    ------
    ValueError
        If the family is smaller than the number of p-values.
    """
    if m < len(p_values):
        raise ValueError(f"a family of {m} cannot hold {len(p_values)} p-values")
    ranked = sorted(p_values)
    steps = [min(1.0, (m - step) * p_value) for step, p_value in enumerate(ranked)]
    return tuple(max(steps[: ranked.index(p_value) + 1]) for p_value in p_values)


def role_at(plan: Plan, outcome: OutcomePlan, report_year: str, *, registered: bool) -> Role:
    """The role of a row in a report year.

    Only an outcome's registered row carries the plan's role. A secondary outcome is exploratory but at the
    last look; a primary one is exploratory once its last look is past, since its alpha is then spent.
    """
    if not registered:
        return "exploratory"
    if outcome.role == "secondary":
        return "secondary" if report_year == plan.looks[-1].report_year else "exploratory"
    return "exploratory" if plan.due(outcome.name, report_year) is None else "primary"


def awaits_look(plan: Plan, outcome: str, report_year: str) -> bool:
    """Whether a primary outcome is not tested this year but at a later look."""
    look = plan.look(report_year)
    return look is None or outcome not in look.outcomes


def family_size(plan: Plan, outcome: OutcomePlan, role: Role, report_year: str) -> int | None:
    """Holm's m: this look's primaries, or the domain's secondaries; None where nothing is tested."""
    look = plan.look(report_year)
    if look is None or role == "exploratory":
        return None
    if role == "primary":
        return len(look.outcomes) if outcome.name in look.outcomes else None
    return sum(each.role == "secondary" and each.domain == outcome.domain for each in plan.outcomes)


def open_gates(primaries: Iterable[Finding], plan: Plan, report_year: str) -> dict[str, int]:
    """The domains whose primary reached row 4 (+1) or row 5 (-1), by domain; closed ones are absent.

    Where this look lists several primaries of one domain, each must have reached the row, with one sign.
    """
    look = plan.look(report_year)
    listed = () if look is None else look.outcomes
    signs = {GAIN_RULE: 1, LOSS_RULE: -1}
    reached = {finding.outcome: signs.get(finding.rule, 0) for finding in primaries}
    by_domain: dict[str, set[int]] = {}
    for name in listed:
        by_domain.setdefault(plan.outcome(name).domain, set()).add(reached.get(name, 0))
    return {domain: found.pop() for domain, found in by_domain.items() if found in ({1}, {-1})}


def due_text(plan: Plan, outcome: str, report_year: str) -> str | None:
    """When an outcome that is not assessed is due: its look's date, else the date of the plan's last look.

    None after the last look: nothing more is planned.
    """
    look = plan.due(outcome, report_year)
    if look is None and report_year <= plan.looks[-1].report_year:
        look = plan.looks[-1]
    return None if look is None else look.due
