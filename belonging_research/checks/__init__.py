"""Try to break a finding: one function a check, each a `CheckResult` with a sentence."""

from __future__ import annotations

from belonging_research.checks.county import CHECKS, run_checks
from belonging_research.checks.design import comparison_mix, detectable_effect, detectable_effects, penalty_path
from belonging_research.checks.result import CheckResult

__all__ = [
    "CHECKS",
    "CheckResult",
    "comparison_mix",
    "detectable_effect",
    "detectable_effects",
    "penalty_path",
    "run_checks",
]
