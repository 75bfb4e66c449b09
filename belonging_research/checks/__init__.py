"""Try to break a finding: one function a check, each a `CheckResult` with a sentence."""

from __future__ import annotations

from belonging_research.checks.design import (
    comparison_mix,
    detectable_effect,
    detectable_effects,
    frontier,
    penalty_path,
)
from belonging_research.checks.registry import CHECKS, ONLY_CAUTIONS, run_checks
from belonging_research.checks.result import CheckResult
from belonging_research.checks.specifications import left_out_ways, specification_curve

__all__ = [
    "CHECKS",
    "ONLY_CAUTIONS",
    "CheckResult",
    "comparison_mix",
    "detectable_effect",
    "detectable_effects",
    "frontier",
    "left_out_ways",
    "penalty_path",
    "run_checks",
    "specification_curve",
]
