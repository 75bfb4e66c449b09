"""One finding as a row of ``results.json``: enough, with its family's rows, to work the verdict out again."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from belonging_research.checks.result import CheckResult
from belonging_research.errors import FindingError
from belonging_research.estimators.result import Estimate
from belonging_research.findings.noticing import noticing
from belonging_research.findings.shapes import Finding, GradeParts, identity, withhold

# Of an estimate: what was promised before outcomes were read, and what was read from them.
_PROMISED = ("detectable", "detectable_05", "power_at_sesoi")
_READ = ("value", "p_value", "std_error", "predicted", "detectable_realised_05", "type_m")
_COUNTS = ("n_reference", "n_treated", "n_units", "n_clusters", "n_pupils")
_TEXTS = ("estimand", "inference", "detectable_how", "plan_digest", "panel_digest", "registered")
_PARTS = ("design", "precision", "attrition", "balance", "threats")


def record(finding: Finding, *, truth: float | None = None, suppressed: str | None = None) -> dict[str, Any]:
    """The row of ``results.json`` for a finding: sorted keys, no NaN; numbers in the row's own ``unit``.

    A finding that is not assessed shows the design's promises and the actual level, never the effect. With
    ``suppressed`` the row is withheld (see :func:`withhold` for the rest of its family). An infinite end of
    an interval is null. ``truth`` is this row's estimand in a simulated study. ``family_size`` is Holm's m:
    with it and the family's rows, p_adjusted and the verdict can be worked out again.

    Raises
    ------
    FindingError
        If a number to be written is NaN.
    """
    shown = finding if suppressed is None else withhold(finding, suppressed)
    row = {
        **identity(shown),
        **_from_estimate(shown.estimate, read=shown.verdict != "not_assessed"),
        **_from_finding(shown),
        **_noticed(shown),
        "checks": {check.name: _check(check) for check in sorted(shown.checks, key=lambda c: c.name)},
        "grade_parts": _grade_parts(shown.grade_parts),
        "truth": _number(truth, "truth"),
    }
    return dict(sorted(row.items()))


def _from_finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "label": finding.label,
        "domain": finding.domain,
        "role": finding.role,
        "unit": finding.unit,
        "better": finding.better,
        "p_adjusted": _number(finding.p_adjusted, "p_adjusted"),
        "alpha": finding.alpha,
        "family_size": finding.family_size,
        "gate": finding.gate,
        "sesoi": finding.sesoi,
        "grade": finding.grade,
        "verdict": finding.verdict,
        "rule": finding.rule,
        "ruled_out": list(finding.ruled_out),
        "small_difference_noticed": finding.small_difference_noticed,
        "enough_to_matter": finding.enough_to_matter,
        "signal_to_examine": finding.signal_to_examine,
        "failed": list(finding.failed),
        "due": finding.due,
        "suppressed": finding.suppressed,
    }


def _from_estimate(estimate: Estimate | None, *, read: bool) -> dict[str, Any]:
    if estimate is None:
        names = ("actual", *_PROMISED, *_READ, *_COUNTS, *_TEXTS)
        return {**dict.fromkeys(names), "ci": {}}
    row: dict[str, Any] = {name: getattr(estimate, name) for name in (*_COUNTS, *_TEXTS)}
    for name in ("actual", *_PROMISED):
        row[name] = _number(getattr(estimate, name), name)
    for name in _READ:
        row[name] = _number(getattr(estimate, name), name) if read else None
    row["ci"] = _intervals(estimate) if read else {}
    return row


def _noticed(finding: Finding) -> dict[str, Any]:
    """What pages print as noticed 4 times in 5; of the smallest effect that matters, its chance and exaggeration."""
    could = noticing(finding)
    named = {
        "noticed": could.effect, "noticed_chance": could.chance, "noticed_exaggeration": could.exaggeration,
    }  # fmt: skip
    return {name: _number(value, name) for name, value in named.items()}


def _intervals(estimate: Estimate) -> dict[str, list[float | None]]:
    return {
        level: [_number(end, f"an end of the {level} interval") for end in ends]
        for level, ends in sorted(estimate.intervals.items())
    }


def _check(check: CheckResult) -> dict[str, Any]:
    return {
        "direction": check.direction,
        "limit": _number(check.limit, check.name),
        "power": _number(check.power, check.name),
        "sentence": check.sentence,
        "severity": check.severity,
        "status": check.status,
        "value": _number(check.value, check.name),
    }


def _grade_parts(parts: GradeParts | None) -> dict[str, int | None]:
    return dict.fromkeys(sorted(_PARTS)) if parts is None else dict(sorted(asdict(parts).items()))


def _number(value: float | None, name: str) -> float | None:
    if value is None:
        return None
    number = float(value)
    if math.isnan(number):
        raise FindingError(f"{name} is NaN; results hold numbers or nothing. Estimate again.")
    return None if math.isinf(number) else number
