"""The cells of a released table: which it hides, which it shows, by their labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from belonging_research.disclosure.hiding import CellKey, cell_keys
from belonging_research.disclosure.ledger import LedgerEntry
from belonging_research.disclosure.payload import table_from
from belonging_research.tables.measures import Amount, Measures, Rate, Total


def measures_content(measures: Measures) -> dict[str, Any]:
    """Measures as the ledger keeps them, for the audit."""
    content = dataclasses.asdict(measures)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in content.items()}


def measures_from(content: Mapping[str, Any]) -> Measures:
    """The measures of a table entry."""
    total = content["total"]
    return Measures(
        pupils=tuple(content["pupils"]),
        schools=tuple(content["schools"]),
        amounts=tuple(Amount(name=each["name"], over=tuple(each["over"])) for each in content.get("amounts", ())),
        rates=tuple(Rate(**rate) for rate in content["rates"]),
        other=tuple(content["other"]),
        total=Total(**total) if total else None,
    )


def cells_of(entry: LedgerEntry) -> tuple[frozenset[CellKey], frozenset[CellKey]]:
    """The protected cells of a table entry: those hidden and those shown."""
    measures, table = measures_from(entry.payload["measures"]), table_from(entry.payload)
    why = table.column("suppressed").to_pylist() if "suppressed" in table.column_names else []
    hidden, shown = set(), set()
    for (row, column), key in cell_keys(table, measures).items():
        if table.column(column)[row].as_py() is not None:
            shown.add(key)
        elif why and why[row] and f"{column}: " in why[row]:
            hidden.add(key)
    return frozenset(hidden), frozenset(shown)
