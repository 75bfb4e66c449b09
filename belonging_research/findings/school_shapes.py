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
    empty, and ``left_out`` says why, where the study has no figures by school.
    """

    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]
    starts: pa.Table
    interventions: pa.Table
    every_school_starts: bool
    paths: pa.Table
