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
    decide,
    enough_to_matter,
    ruled_out,
    signal_to_examine,
    small_difference_noticed,
)
from belonging_research.findings.shapes import Candidate, Finding, GradeParts, withhold
from belonging_research.plan import Better, OutcomePlan, Plan, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A checked candidate with what the plan says of it this year; ``seen`` is None where it is not out."""

    candidate: Candidate
    outcome: OutcomePlan
    role: Role
    family_size: int | None
    seen: Estimate | None
    parts: GradeParts | None


def judge_all(rows: Sequence[Candidate], plan: Plan, *, report_year: str) -> tuple[Finding, ...]:
    """The findings of a report year, in the order of ``rows``, with the family rules applied.

    A primary outcome of this look without a row, or whose row is not out or is withheld, counts as p = 1.

    Raises
    ------
    FindingError
        If a row allows no verdict (NaN, missing level, unknown or missing check, mismatch with its estimate
        or with the plan), or if two rows are the same or two are registered for one outcome.
    """
    digest = plan.digest
    for row in rows:
        check_row(row, plan, report_year=report_year, plan_digest=digest)
    prepared = [_prepare(row, plan, report_year) for row in rows]
    adjusted = _adjusted(prepared)
    first = [
        _finding(row, p_adjusted, True, plan, report_year)
        for row, p_adjusted in zip(prepared, adjusted, strict=True)
        if row.role == "primary"
    ]
    gates = open_gates(first, plan, report_year)
    findings = tuple(
        _finding(row, p_adjusted, _gate(row, gates), plan, report_year)
        for row, p_adjusted in zip(prepared, adjusted, strict=True)
    )
    _refuse_twice([finding.id for finding in findings], "row")
    registered = [row.outcome for row in rows if row.is_registered_row]
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
    row = Candidate.of(
        estimate, checks, is_registered_row=registered, uncovered=uncovered, imbalance=imbalance
    )
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
    seen = None if early or row.withheld is not None else row.estimate
    if seen is not None and role != "exploratory":
        check_complete(row, plan)
    return _Row(
        candidate=row,
        outcome=outcome,
        role=role,
        family_size=family_size(plan, outcome, role, report_year),
        seen=seen,
        parts=None if seen is None else grade_parts(row, seen, plan, report_year=report_year),
    )


def _adjusted(rows: Sequence[_Row]) -> list[float | None]:
    """Each row's Holm-adjusted p within its family (the primaries; a domain's secondaries), else None."""
    families: dict[tuple[Role, str], list[tuple[int, float, int]]] = {}
    for index, row in enumerate(rows):
        if row.seen is not None and row.family_size is not None:
            domain = row.outcome.domain if row.role == "secondary" else ""
            member = (index, row.seen.p_value, row.family_size)
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
    return row.seen is not None and gates.get(row.outcome.domain, 0) * _favourable(row.seen, row.outcome) > 0


def _favourable(estimate: Estimate, outcome: OutcomePlan) -> float:
    return -estimate.value if outcome.better == "lower" else estimate.value


def _turned(interval: tuple[float, float], better: Better) -> tuple[float, float]:
    low, high = interval
    return (-high, -low) if better == "lower" else (low, high)


def _case(row: _Row, p_adjusted: float | None, gate: bool, alpha: float) -> Case | None:
    if row.seen is None or row.parts is None:
        return None
    wide, narrow = (_turned(row.seen.intervals[key], row.outcome.better) for key in levels(alpha))
    return Case(
        role=row.role,
        blocked=blocked(row.candidate.checks, row.parts.design, row.parts.attrition),
        b=_favourable(row.seen, row.outcome),
        p_value=row.seen.p_value,
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
    verdict, rule = decide(case)
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
        verdict=verdict,
        rule=rule,
        ruled_out=() if case is None else ruled_out(case, rule),
        small_difference_noticed=case is not None and small_difference_noticed(case, rule),
        enough_to_matter=case is not None and enough_to_matter(case, rule),
        signal_to_examine=case is not None and signal_to_examine(case, verdict),
        due=None if case is not None else due_text(plan, outcome.name, report_year),
        grade=None if row.parts is None else grade_of(row.parts),
        grade_parts=row.parts,
        failed=tuple(sorted(check.name for check in candidate.checks if check.status == "fail")),
        suppressed=None,
        family_size=row.family_size,
    )
    return finding if candidate.withheld is None else withhold(finding, candidate.withheld)
