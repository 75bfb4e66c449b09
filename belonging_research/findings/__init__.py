"""Estimates and checks to verdicts: the rule table, the family rules and the evidence grade. Pure logic.

``judge_all`` takes every row of a study and report year; ``judge`` takes one, as if nothing else of its
family were out. ``record`` writes the row of ``results.json`` from which the verdict can be worked out again.
"""

from __future__ import annotations

from belonging_research.findings.assessing import Assessment, assess
from belonging_research.findings.families import holm
from belonging_research.findings.grades import grade_of, grade_parts
from belonging_research.findings.judging import judge, judge_all
from belonging_research.findings.records import record
from belonging_research.findings.rules import RULES, Case, Rule, Said, Verdict, decide, say
from belonging_research.findings.school_shapes import InterventionAssessment, SchoolAssessment
from belonging_research.findings.shapes import Candidate, Finding, GradeParts, withhold

__all__ = [
    "RULES",
    "Assessment",
    "Candidate",
    "Case",
    "Finding",
    "GradeParts",
    "InterventionAssessment",
    "Rule",
    "Said",
    "SchoolAssessment",
    "Verdict",
    "assess",
    "decide",
    "grade_of",
    "grade_parts",
    "holm",
    "judge",
    "judge_all",
    "record",
    "say",
    "withhold",
]
