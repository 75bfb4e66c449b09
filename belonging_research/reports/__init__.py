"""From a plan and figures to pages: notebooks run, the door at render, manifest. Knows no statistics."""

from __future__ import annotations

from belonging_research.reports.study import RunResult, run_study

__all__ = ["RunResult", "run_study"]
