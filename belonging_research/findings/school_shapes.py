"""What a study of schools comes to: its findings, and how starts lay. Without the libraries that made them."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from belonging_research.findings.shapes import Finding

NO_SCHOOLS = "This study has no figures by school, so which intervention did what, and in which schools, is not known."


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolAssessment:
    """Findings about schools in the plan's order, a line for each that could not be made, and how starts lay.

    ``starts``: one row a half-term in which schools started, and one for those that had not by the end: columns
    starts, schools, pupils. ``interventions``: what was started, and in how many schools: columns intervention,
    schools. ``paths``: differences by half-terms since the start (:func:`school_paths.paths_of`). ``findings`` is
    empty, and ``left_out`` says why, where the study has no figures by school. ``at_equal_history``: whether absence is
    compared at equal absence before anybody started. ``measured``: how often such answers were right where that is
    known, in words.
    """

    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]
    starts: pa.Table
    interventions: pa.Table
    every_school_starts: bool
    at_equal_history: bool
    measured: str
    paths: pa.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class InterventionAssessment:
    """What followed where pyramids began with each intervention: described, never judged one by one.

    ``findings``: exploratory, the intervention as their subgroup (several that began together as one, "A and B").
    ``groups``: one row a subgroup: columns began_with, schools (of the pyramids that began with it), fewest_schools (in
    how many the least common of its names began: the door asks this, and lets it through no further), why (there is no
    finding; null where there is). ``told_apart``: one row where it can be asked whether they differ: columns
    interventions (how many), p_value, ways (that judged it), within_starts; else none. ``left_out`` says why there is
    nothing at all; ``some_not_named``: the door kept a name back.
    """

    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]
    groups: pa.Table
    told_apart: pa.Table
    every_school_starts: bool
    some_not_named: bool = False
