"""What leaves, as JSON: findings as rows of ``results.json``, estimates with their path, tables with types.

Numbers keep 12 significant digits, so that two machines whose last bits differ write the same bytes. Nothing
here decides what may leave; see `door`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, cast

import pyarrow as pa

from belonging_research.errors import DisclosureError
from belonging_research.estimators.result import Estimate
from belonging_research.findings import Finding, record

DIGITS = 12
_SCALARS = (
    "outcome", "unit", "estimand", "method", "layer", "phase", "subgroup", "source", "value", "actual",
    "predicted", "std_error", "p_value", "inference", "n_reference", "n_treated", "n_units", "n_clusters",
    "n_pupils", "detectable", "detectable_05", "detectable_realised_05", "power_at_sesoi", "type_m",
    "detectable_how", "plan_digest", "panel_digest", "registered",
)  # fmt: skip


def canonical(content: object) -> str:
    """JSON with sorted keys and no NaN: the same content is the same text."""
    return json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def digest(content: object) -> str:
    """SHA-256 of the canonical JSON of ``content``, 64 hex characters."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def plain(value: Any, where: str) -> Any:
    """A value as JSON knows it: numbers to 12 significant digits, an infinite end of a range as null.

    Raises
    ------
    DisclosureError
        If a number is NaN, or the type has no place in a table that leaves.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, int):
        return value
    if hasattr(value, "__float__"):
        number = float(value)
        if math.isnan(number):
            raise DisclosureError(
                f"{where}: not a number. A value that is missing must be null with a reason, never NaN."
            )
        if math.isinf(number):
            return None
        return float(f"{number:.{DIGITS}g}")
    raise DisclosureError(f"{where}: a {type(value).__name__} cannot be released; use text, numbers or dates.")


def finding_row(finding: Finding) -> dict[str, Any]:
    """One row of ``results.json`` ("belonging/1"), as `findings.record` writes it, to 12 digits."""
    return cast("dict[str, Any]", _coarse_numbers(record(finding), finding.id))


def _coarse_numbers(content: Any, where: str) -> Any:
    if isinstance(content, dict):
        return {key: _coarse_numbers(value, where) for key, value in content.items()}
    if isinstance(content, list):
        return [_coarse_numbers(value, where) for value in content]
    return plain(content, where)


def estimate_content(estimate: Estimate) -> dict[str, Any]:
    """An estimate with its weights and path (levels in the outcome's own rate); no single placebo."""
    where = f"{estimate.outcome}, {estimate.method}"
    content = {name: plain(getattr(estimate, name), f"{where}: {name}") for name in _SCALARS}
    content["base"], content["post"] = list(estimate.base), list(estimate.post)
    content["ci"] = {
        level: [plain(end, f"{where}: interval {level}") for end in ends]
        for level, ends in sorted(estimate.intervals.items())
    }
    content["notes"] = list(estimate.notes)
    content["weights"] = {unit: plain(w, f"{where}: weight") for unit, w in sorted(estimate.weights.items())}
    content["path"] = [
        {
            name: plain(getattr(point, name), f"{where}: path")
            for name in ("period", "event_time", "actual", "predicted", "low", "high")
        }
        for point in estimate.path
    ]
    return content


def table_content(table: pa.Table) -> dict[str, Any]:
    """A table as columns with Arrow types, and rows in their order."""
    odd = sorted(field.name for field in table.schema if str(field.type) not in _TYPES)
    if odd:
        raise DisclosureError(
            f"column(s) {', '.join(odd)}: no released table has such a type; cast to one of {', '.join(_TYPES)}."
        )
    columns = [{"name": field.name, "type": str(field.type)} for field in table.schema]
    lists = [
        [plain(value, f"column {name}, row {row + 1}") for row, value in enumerate(table.column(name).to_pylist())]
        for name in table.column_names
    ]
    return {"columns": columns, "rows": [list(row) for row in zip(*lists, strict=True)]}


_TYPES: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "large_string": pa.string(),
    "double": pa.float64(),
    "int64": pa.int64(),
    "int32": pa.int32(),
    "bool": pa.bool_(),
    "date32[day]": pa.date32(),
    "null": pa.null(),
}


def table_from(content: Mapping[str, Any]) -> pa.Table:
    """The table that `table_content` wrote.

    Raises
    ------
    DisclosureError
        If a column has a type that no released table may have.
    """
    arrays, names = [], []
    for number, column in enumerate(content["columns"]):
        kind = _TYPES.get(column["type"])
        if kind is None:
            raise DisclosureError(
                f"ledger: column {column['name']} has type {column['type']}; expected one of {', '.join(_TYPES)}."
            )
        values = [row[number] for row in content["rows"]]
        if kind == pa.date32():
            values = [None if value is None else dt.date.fromisoformat(value) for value in values]
        arrays.append(pa.array(values, type=kind))
        names.append(column["name"])
    return pa.table(arrays, names=names)
