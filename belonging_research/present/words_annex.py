"""The wording for the technical annex: every number with its name, every check, the grade with its parts."""

from __future__ import annotations

import html
from collections.abc import Sequence

from belonging_research.checks.result import CheckResult
from belonging_research.estimators.result import Estimate
from belonging_research.findings import Finding
from belonging_research.present.display import table_html
from belonging_research.present.story import Story

_GRADE = ("design", "precision", "attrition", "balance")
_INFERENCE = {
    "placebo": "placebo test over other councils, scaled for council size",
    "randomisation": "randomisation inference",
    "wild_bootstrap": "wild bootstrap",
    "analytic": "analytic standard error",
    "exact": "exact interval",
    "none": "none",
}


def one(story: Story) -> str:
    """One finding as HTML: its verdict and rule, its numbers, its checks, its grade."""
    finding = story.finding
    title = f"{finding.label}, {finding.phase}, {finding.method.replace('_', ' ')}, {finding.source}"
    parts = [
        f"<h3>{html.escape(title)}</h3>",
        f"<p>Verdict <strong>{finding.verdict}</strong>, row {finding.rule} of the rule table; role "
        f"{finding.role}. {html.escape(_reason(story))}</p>",
        table_html(f"Numbers of {finding.label}", {"what": "What", "value": "Value"}, _numbers(story)),
    ]
    if finding.checks:
        headings = {
            "check": "Check",
            "severity": "Severity",
            "status": "Status",
            "sentence": "What was found",
        }
        parts.append(table_html(f"Checks of {finding.label}", headings, [_check(c) for c in finding.checks]))
    parts.append(f"<p>{html.escape(_grade(finding))}</p>")
    return "\n".join(parts)


def many(stories: Sequence[Story]) -> str:
    """Several findings, one after the other."""
    return "\n".join(one(story) for story in stories)


def headline(story: Story) -> str:
    """The finding in one line."""
    return f"{story.finding.label}: {story.finding.verdict} (row {story.finding.rule})"


def _reason(story: Story) -> str:
    finding = story.finding
    if finding.suppressed is not None:
        return f"Kept back by the door: {finding.suppressed}."
    if finding.verdict == "not_assessed":
        return f"Due: {finding.due or 'no later look in the plan'}."
    failed = ", ".join(finding.failed) or "none"
    gate = "open" if finding.gate else "closed"
    back = "Retrospective: these outcomes were public before the plan was written. "
    return f"{back if story.plan.retrospective(story.report_year) else ''}Failed checks: {failed}. Gate {gate}."


def _numbers(story: Story) -> list[tuple[str, str]]:
    finding, said = story.finding, story.said
    rows = [("Id", finding.id), ("Smallest effect of interest, S", said["smallest size"])]
    rows += [("Alpha of this look", f"{finding.alpha:g}")]
    rows += [
        (name, said[key])
        for name, key in (
            ("Estimate", "best guess"),
            ("Detectable 4 times in 5, M, at this look's alpha, as promised before outcomes", "promised 4 in 5"),
            ("The same, or from the years since where those are wider", "noticed 4 in 5"),
            ("Power at S, as promised before outcomes", "power_at_sesoi"),
            ("The same, or from the years since where those are wider, in words", "chance"),
            (
                "Expected exaggeration of a noticed effect of size S (type M), as promised before outcomes",
                "promised type M",
            ),
            ("The same, or from the years since where those are wider", "exaggeration"),
        )
        if key in said
    ]
    estimate = finding.estimate
    return rows if estimate is None else [*rows, *_of_estimate(story, estimate)]


def _of_estimate(story: Story, estimate: Estimate) -> list[tuple[str, str]]:
    said, finding = story.said, story.finding
    rows = [("Estimand", estimate.estimand), ("Inference", _INFERENCE[estimate.inference])]
    rows.append(("Reference units; all units", f"{estimate.n_reference}; {estimate.n_units}"))
    named = (
        ("Detectable at 0.05, before outcomes", "detectable_05"),
        ("Detectable at 0.05, from the years since", "detectable_realised_05"),
        ("Level, actual", "actual"),
        ("Level, predicted", "predicted"),
        *((f"Interval, {100 * float(k):g}%", f"interval {k}") for k in sorted(estimate.intervals, key=float)),
        ("p", "p_value"),
        (f"p, adjusted (Holm, m = {finding.family_size})", "p_adjusted"),
    )
    return [*rows, *((name, said[key]) for name, key in named if key in said)]


def _check(check: CheckResult) -> tuple[str, str, str, str]:
    return (check.name, check.severity, check.status.replace("_", " "), check.sentence)


def _grade(finding: Finding) -> str:
    parts = finding.grade_parts
    if parts is None:
        return "No evidence grade: nothing is assessed."
    scores = "; ".join(
        f"{name} {'not measured' if getattr(parts, name) is None else getattr(parts, name)}" for name in _GRADE
    )
    if finding.grade is None:
        return f"No evidence grade, since {', '.join(parts.missing)} could not be measured ({scores})."
    return (
        f"Evidence grade {finding.grade} of 5, in the spirit of the EEF's: the least of {scores}; "
        f"less {parts.threats} for threats."
    )
