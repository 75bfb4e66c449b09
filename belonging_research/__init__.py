"""Did the belonging interventions shift attendance and exclusions, for whom, and how sure can anyone be?

The verbs of a notebook, each imported when it is first used: ``from belonging_research import load_plan``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from belonging_research.checks import (
        comparison_mix,
        detectable_effect,
        detectable_effects,
        frontier,
        left_out_ways,
        penalty_path,
        run_checks,
        specification_curve,
    )
    from belonging_research.disclosure import clear, open_door
    from belonging_research.estimators import estimate
    from belonging_research.findings import assess, judge, judge_all
    from belonging_research.findings.interventions import by_intervention
    from belonging_research.findings.schools import assess_schools
    from belonging_research.outcomes import derive_outcomes
    from belonging_research.panel import build_panel, left_out, levels
    from belonging_research.panel.schools import study_schools
    from belonging_research.panel.schools.arrival import (
        coverage_of_weeks,
        exits_by_destination,
        left_out_of_counts,
        made_up_beside_published,
        register_and_exclusions,
        totals_beside_published,
        watched_marks,
        what_arrived,
        without_counterpart,
    )
    from belonging_research.panel.schools.by_start import events_by_start
    from belonging_research.plan import load_plan
    from belonging_research.present import describe, failed_checks, plot, tabulate
    from belonging_research.simulate.opening import open_council, open_extract
    from belonging_research.sources import load_extract

_ROOM_OF = {
    "load_plan": "plan",
    "load_extract": "sources",
    "open_extract": "simulate.opening",
    "open_council": "simulate.opening",
    "derive_outcomes": "outcomes",
    "build_panel": "panel",
    "levels": "panel",
    "left_out": "panel",
    "study_schools": "panel.schools",
    "coverage_by_week": "panel.schools.arrival",
    "events_by_start": "panel.schools.by_start",
    "coverage_of_weeks": "panel.schools.arrival",
    "exits_by_destination": "panel.schools.arrival",
    "left_out_of_counts": "panel.schools.arrival",
    "made_up_beside_published": "panel.schools.arrival",
    "register_and_exclusions": "panel.schools.arrival",
    "totals_beside_published": "panel.schools.arrival",
    "watched_marks": "panel.schools.arrival",
    "what_arrived": "panel.schools.arrival",
    "without_counterpart": "panel.schools.arrival",
    "estimate": "estimators",
    "run_checks": "checks",
    "detectable_effect": "checks",
    "detectable_effects": "checks",
    "comparison_mix": "checks",
    "frontier": "checks",
    "specification_curve": "checks",
    "left_out_ways": "checks",
    "penalty_path": "checks",
    "judge": "findings",
    "judge_all": "findings",
    "assess": "findings",
    "assess_schools": "findings.schools",
    "by_intervention": "findings.interventions",
    "open_door": "disclosure",
    "clear": "disclosure",
    "plot": "present",
    "tabulate": "present",
    "describe": "present",
    "failed_checks": "present",
}

__all__ = [
    "assess",
    "assess_schools",
    "build_panel",
    "by_intervention",
    "clear",
    "comparison_mix",
    "coverage_by_week",
    "coverage_of_weeks",
    "derive_outcomes",
    "describe",
    "detectable_effect",
    "detectable_effects",
    "estimate",
    "events_by_start",
    "exits_by_destination",
    "failed_checks",
    "frontier",
    "judge",
    "judge_all",
    "left_out",
    "left_out_of_counts",
    "left_out_ways",
    "levels",
    "load_extract",
    "load_plan",
    "made_up_beside_published",
    "open_council",
    "open_door",
    "open_extract",
    "penalty_path",
    "plot",
    "register_and_exclusions",
    "run_checks",
    "specification_curve",
    "study_schools",
    "tabulate",
    "totals_beside_published",
    "watched_marks",
    "what_arrived",
    "without_counterpart",
]


def __getattr__(name: str) -> Any:
    # Late, so that the command line's help needs no statistics and a broken install can still be examined.
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'belonging_research' has no attribute {name!r}")
    return getattr(import_module(f"belonging_research.{_ROOM_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
