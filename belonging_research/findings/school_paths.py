"""Differences by half-terms since the start, as a table: what an event study draws. No verdict reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from belonging_research.estimators.result import PathPoint
from belonging_research.findings.shapes import Finding
from belonging_research.tables.measures import Measures, Rate

PATH_COLUMNS: Mapping[str, pa.DataType] = {
    "finding": pa.string(),
    "half_terms_since": pa.int64(),
    "started_schools": pa.int64(),
    "other_schools": pa.int64(),
    "difference": pa.float64(),
    "difference_low": pa.float64(),
    "difference_high": pa.float64(),
}
PATH_COUNTS = Measures(
    schools=("started_schools", "other_schools"),
    rates=tuple(
        Rate(name=name, denominator="started_schools") for name in ("difference", "difference_low", "difference_high")
    ),
    other=("half_terms_since",),
)


def paths_of(findings: Sequence[Finding]) -> pa.Table:
    """The path of each finding that is read, a row an event time, with the schools behind it (:data:`PATH_COLUMNS`).

    ``half_terms_since``: 0 the half-term of the start, negative before. ``difference`` (a proportion): schools by then
    less what those beside them lead one to expect, ``difference_low`` to ``difference_high`` its band, one for the
    whole path, empty where there are too few pyramids for one. What the path is measured from is 0 and counts nobody.
    Schools are as many as there are: the door decides which rows may leave.
    """
    rows: list[dict[str, Any]] = []
    for finding in findings:
        if finding.estimate is None or finding.verdict == "not_assessed" or finding.estimate.unit != "proportion":
            continue
        points = sorted(finding.estimate.path, key=lambda point: point.event_time)
        rows += [{"finding": finding.id, **_row(point)} for point in points]
    schema = pa.schema(list(PATH_COLUMNS.items())).with_metadata({"layer": "school"})
    return pa.Table.from_pylist(rows, schema=schema)


def _row(point: PathPoint) -> dict[str, int | float | None]:
    return {
        "half_terms_since": point.event_time,
        "started_schools": point.n_started,
        "other_schools": point.n_beside,
        "difference": point.actual - point.predicted,
        "difference_low": None if point.high is None else point.actual - point.high,
        "difference_high": None if point.low is None else point.actual - point.low,
    }
