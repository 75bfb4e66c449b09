"""Panel to a frozen `Estimate`: one honest interface over every method, inference included."""

from __future__ import annotations

from belonging_research.estimators.county import estimate, estimate_specification
from belonging_research.estimators.result import Estimate, PathPoint

__all__ = ["Estimate", "PathPoint", "estimate", "estimate_specification"]
