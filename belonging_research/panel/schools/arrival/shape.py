"""A table about what arrived, with what its columns count, and the one that says that nothing did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from belonging_research.tables.measures import Measures

NO_SCHOOLS = "This study has no records of single schools"
_LAYER = {"layer": "school"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """``table`` of a council's own records, for ``clear(table, door, counts=counts)``."""

    table: pa.Table
    counts: Measures


def arrived(
    rows: Sequence[Mapping[str, Any]], columns: Mapping[str, pa.DataType], counts: Measures, *, nothing: str = ""
) -> Arrived:
    """Rows under ``columns``; with ``nothing`` one row instead, whose first column says so and whose others are empty.

    Where nothing arrived there is no number, and none of 0 either.
    """
    schema = pa.schema(list(columns.items())).with_metadata(_LAYER)
    shown = [{next(iter(columns)): nothing}] if nothing else rows
    return Arrived(table=pa.Table.from_pylist([dict(row) for row in shown], schema=schema), counts=counts)
