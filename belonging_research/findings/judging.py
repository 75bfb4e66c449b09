"""`judge` and `judge_all`: from rows to findings, by the rule table and the family rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from belonging_research.checks.result import CheckResult
from belonging_research.errors import FindingError
from belonging_research.estimators.result import Estimate
from belonging_research.findings.families import (
    awaits_look,
    due_text,
    family_size,
    holm,
    open_gates,
    role_at,
)
from belonging_research.findings.grades import grade_of, grade_parts
from belonging_research.findings.inputs import check_complete, check_row, levels
from belonging_research.findings.rules import (
    Case,
    blocked,
    say,
)
from belonging_research.findings.shapes import Candidate, Finding, GradeParts, withhold
from belonging_research.plan import Better, OutcomePlan, Plan, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """An estimate that may be read, and the parts of its grade."""

    estimate: Estimate
    parts: GradeParts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A checked candidate with what the plan says of it this year; ``seen`` is None where it is not out."""

    candidate: Candidate
    outcome: OutcomePlan
    role: Role
    family_size: int | None
    seen: _Seen | None


def judge_all(
    rows: Sequence[Candidate], plan: Plan, *, report_year: str, domain: str | None = None
) -> tuple[Finding, ...]:
    """The findings of a report year, in the order of ``rows``, with the family rules applied.

    A primary outcome of this look without a row, or whose row is not out or is withheld, counts as p = 1. With a
    ``domain`` only its findings are made: rows of others count in their family by their p-value, which needs no check.

    Raises
    ------
    FindingError
        If a row allows no verdict (NaN, missing level, unknown or missing check, mismatch with its estimate
        or with the plan), or if two rows are the same or two are registered for one outcome.
    """
    digest = plan.digest
    for each in rows:
        check_row(each, plan, report_year=report_year, plan_digest=digest)
    prepared = [_prepare(row, plan, report_year) for row in rows]
    adjusted = _adjusted(prepared)
    asked = [
        (row, p_adjusted)
        for row, p_adjusted in zip(prepared, adjusted, strict=True)
        if domain is None or row.outcome.domain == domain
    ]
    for row, _ in asked:
        if row.seen is not None and row.role != "exploratory":
            check_complete(row.candidate, plan)
    first = [_finding(row, p_adjusted, True, plan, report_year) for row, p_adjusted in asked if row.role == "primary"]
    gates = open_gates(first, plan, report_year)
    findings = tuple(_finding(row, p_adjusted, _gate(row, gates), plan, report_year) for row, p_adjusted in asked)
    _refuse_twice([finding.id for finding in findings], "row")
    registered = [each.outcome for each in rows if each.is_registered_row]
    _refuse_twice(registered, "registered row of")
    return findings


def judge(
    estimate: Estimate,
    checks: Sequence[CheckResult],
    plan: Plan,
    *,
    report_year: str | None = None,
    is_registered_row: bool | None = None,
    uncovered: float | None = None,
    imbalance: float | None = None,
) -> Finding:
    """The finding of one row alone: the rest of its family counts as not yet out, so its gate stays closed.

    Never more generous than :func:`judge_all` over the whole family. ``report_year`` defaults to the last
    post period; ``is_registered_row`` to whether the estimate is registered, of all phases and no subgroup.

    Raises
    ------
    FindingError
        As :func:`judge_all`.
    """
    pooled = estimate.phase == "all" and estimate.subgroup is None
    registered = estimate.registered and pooled if is_registered_row is None else is_registered_row
    row = Candidate.of(estimate, checks, is_registered_row=registered, uncovered=uncovered, imbalance=imbalance)
    year = max(estimate.post) if report_year is None else report_year
    return judge_all((row,), plan, report_year=year)[0]


def _refuse_twice(names: Sequence[str], what: str) -> None:
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise FindingError(f"two findings for one {what} {twice[0]}; give one ({len(twice)} such).")


def _prepare(row: Candidate, plan: Plan, report_year: str) -> _Row:
    outcome = plan.outcome(row.outcome)
    role = role_at(plan, outcome, report_year, registered=row.is_registered_row)
    early = role == "primary" and awaits_look(plan, row.outcome, report_year)
    seen = None
    if row.estimate is not None and row.withheld is None and not early:
        parts = grade_parts(row, row.estimate, plan, report_year=report_year)
        seen = _Seen(estimate=row.estimate, parts=parts)
    return _Row(
        candidate=row,
        outcome=outcome,
        role=role,
        family_size=family_size(plan, outcome, role, report_year),
        seen=seen,
    )


def _adjusted(rows: Sequence[_Row]) -> list[float | None]:
    """Each row's Holm-adjusted p within its family (the primaries; a domain's secondaries), else None."""
    families: dict[tuple[Role, str], list[tuple[int, float, int]]] = {}
    for index, row in enumerate(rows):
        if row.seen is not None and row.family_size is not None:
            domain = row.outcome.domain if row.role == "secondary" else ""
            member = (index, row.seen.estimate.p_value, row.family_size)
            families.setdefault((row.role, domain), []).append(member)
    adjusted: list[float | None] = [None] * len(rows)
    for members in families.values():
        values = holm([p_value for _, p_value, _ in members], members[0][2])
        for (index, _, _), value in zip(members, values, strict=True):
            adjusted[index] = value
    return adjusted


def _gate(row: _Row, gates: Mapping[str, int]) -> bool:
    if row.role != "secondary":
        return row.role == "primary"
    if row.seen is None or row.outcome.domain not in gates:
        return False
    return gates[row.outcome.domain] * _favourable(row.seen.estimate, row.outcome) > 0


def _favourable(estimate: Estimate, outcome: OutcomePlan) -> float:
    return -estimate.value if outcome.better == "lower" else estimate.value


def _turned(interval: tuple[float, float], better: Better) -> tuple[float, float]:
    low, high = interval
    return (-high, -low) if better == "lower" else (low, high)


def _case(row: _Row, p_adjusted: float | None, gate: bool, alpha: float) -> Case | None:
    if row.seen is None:
        return None
    seen, parts = row.seen.estimate, row.seen.parts
    wide, narrow = (_turned(seen.intervals[key], row.outcome.better) for key in levels(alpha))
    return Case(
        role=row.role,
        blocked=blocked(row.candidate.checks, parts.design, parts.attrition),
        b=_favourable(seen, row.outcome),
        p_value=seen.p_value,
        p_adjusted=p_adjusted,
        alpha=alpha,
        sesoi=row.outcome.sesoi,
        narrow=narrow,
        wide=wide,
        gate=gate,
    )


def _finding(row: _Row, p_adjusted: float | None, gate: bool, plan: Plan, report_year: str) -> Finding:
    candidate, outcome, alpha = row.candidate, row.outcome, plan.alpha(report_year)
    case = _case(row, p_adjusted, gate, alpha)
    said = say(case)
    finding = Finding(
        estimate=candidate.estimate,
        outcome=candidate.outcome,
        label=outcome.label,
        unit=outcome.unit,
        layer=plan.layer if candidate.estimate is None else candidate.estimate.layer,
        source=candidate.source,
        base=candidate.base,
        post=candidate.post,
        phase=candidate.phase,
        subgroup=candidate.subgroup,
        method=candidate.method,
        checks=candidate.checks,
        role=row.role,
        domain=outcome.domain,
        better=outcome.better,
        alpha=alpha,
        p_adjusted=p_adjusted,
        gate=gate,
        sesoi=outcome.sesoi,
        verdict=said.verdict,
        rule=said.rule,
        ruled_out=said.ruled_out,
        small_difference_noticed=said.small_difference_noticed,
        enough_to_matter=said.enough_to_matter,
        signal_to_examine=said.signal_to_examine,
        due=None if case is not None else due_text(plan, outcome.name, report_year),
        grade=None if row.seen is None else grade_of(row.seen.parts),
        grade_parts=None if row.seen is None else row.seen.parts,
        failed=tuple(sorted(check.name for check in candidate.checks if check.status == "fail")),
        suppressed=None,
        family_size=row.family_size,
    )
    return finding if candidate.withheld is None else withhold(finding, candidate.withheld)
