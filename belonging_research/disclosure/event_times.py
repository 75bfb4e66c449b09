"""Event times of schools: which may not be shown since a released overall difference would give another back.

A study's overall difference is the mean of its differences since the start, by the pupils in each. It is released, and
so are all event times behind which there are enough schools: where one alone is hidden, subtraction would find it, and
what it hides may be one school. So another is hidden with it, whose schools are enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from belonging_research.disclosure.hiding import CellKey, cell_keys
from belonging_research.findings.school_paths import PATH_COUNTS
from belonging_research.plan import SecrecyPolicy


def given_back(paths: pa.Table, policy: SecrecyPolicy) -> frozenset[CellKey]:
    """Cells of :func:`findings.school_paths.paths_of` to be hidden with those of too few schools, a row a finding.

    The event time since the start with the fewest schools among those that have enough; the later where two are alike.
    """
    rows = paths.to_pylist()
    found: set[int] = set()
    for finding in {row["finding"] for row in rows}:
        since = [n for n, row in enumerate(rows) if row["finding"] == finding and _is_since(row)]
        enough = [n for n in since if _behind(rows[n]) >= policy.schools]
        if enough and len(enough) < len(since):
            found.add(min(enough, key=lambda n: (_behind(rows[n]), -rows[n]["half_terms_since"])))
    return frozenset(key for (row, _), key in cell_keys(paths, PATH_COUNTS).items() if row in found)


def _is_since(row: Mapping[str, Any]) -> bool:
    return row["half_terms_since"] >= 0 and row["started_schools"] is not None


def _behind(row: Mapping[str, Any]) -> int:
    return min(int(row["started_schools"]), int(row["other_schools"]))
