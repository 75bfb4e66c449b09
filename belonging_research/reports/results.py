"""``results.json`` and the released tables, assembled from ledgers alone: nothing is computed here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from belonging_research.disclosure import LedgerEntry, released_table
from belonging_research.errors import ReportError
from belonging_research.plan import Plan
from belonging_research.reports.writing import csv_text
from belonging_research.shipped import find_calibration
from belonging_research.sources import Extract

SCHEMA = "belonging/1"
Ledgers = Mapping[str, Sequence[LedgerEntry]]
_SLUG = re.compile(r"[^a-z0-9]+")


class Truth(Protocol):
    """What a simulated study knows: the effect of a row, from potential outcomes, in ``unit``."""

    def effect(
        self, outcome: str, source: str, phase: str, post: Sequence[str], unit: str, subgroup: str
    ) -> float | None:
        """The true effect; None where the world has none for this row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedTable:
    """A table that leaves: its lasting id, its text columns and rows as they are written."""

    id: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    @property
    def csv(self) -> str:
        """Its place under ``released/``."""
        return f"tables/{self.id}.csv"

    @property
    def text(self) -> str:
        """The file as text: UTF-8 byte order mark for Excel, LF."""
        return "\ufeff" + csv_text(self.columns, self.rows)


def table_of(id: str, title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> ReleasedTable:
    """A table from rows as mappings; a key that a row lacks is an empty field."""
    return ReleasedTable(
        id=id,
        title=title,
        columns=tuple(columns),
        rows=tuple(tuple(row.get(name) for name in columns) for row in rows),
    )


def findings_of(ledgers: Ledgers, truth: Truth | None = None) -> tuple[dict[str, Any], ...]:
    """Every finding that was cleared, once each, sorted by id; ``truth`` joined where a world knows it.

    Raises
    ------
    ReportError
        If two notebooks cleared the same finding with different figures.
    """
    rows: dict[str, dict[str, Any]] = {}
    seen: dict[str, str] = {}
    for notebook, entries in sorted(ledgers.items()):
        for entry in entries:
            for row in entry.payload["findings"] if entry.kind == "finding" else ():
                known = rows.setdefault(row["id"], dict(row))
                if known != row:
                    raise ReportError(
                        f"finding {row['id']}: {seen[row['id']]} and {notebook} cleared different figures "
                        "for it. Both must estimate and judge it in the same way."
                    )
                seen.setdefault(row["id"], notebook)
    return tuple(_with_truth(rows[key], truth) for key in sorted(rows))


def _with_truth(row: dict[str, Any], truth: Truth | None) -> dict[str, Any]:
    if truth is None:
        return {**row, "truth": None}
    post = () if row["post"] == "all" else tuple(_year(part) for part in row["post"].split("+"))
    known = truth.effect(row["outcome"], row["source"], row["phase"], post, row["unit"], row["subgroup"])
    return {**row, "truth": None if known is None else float(f"{known:.12g}")}


def _year(part: str) -> str:
    return part.replace("-", "/")


def tables_of(ledgers: Ledgers) -> tuple[ReleasedTable, ...]:
    """Every cleared table, and the printed figures of every display, one table each, sorted by id.

    A table's id is its notebook's name and its own; one without a name, and the figures of a display, are
    numbered in the order in which they were cleared. A picture and the table under it are the same figures,
    and leave once.
    """
    tables: list[ReleasedTable] = []
    for notebook, entries in sorted(ledgers.items()):
        used: set[str] = set()
        shown: list[pa.Table] = []
        for number, entry in enumerate(entries, start=1):
            if not _holds_table(entry):
                continue
            content = released_table(entry)
            if entry.kind == "display" and any(content.equals(each) for each in shown):
                continue
            shown.append(content)
            name = _own_name(entry, number)
            name = f"{name}_{number:02d}" if name in used else name
            used.add(name)
            tables.append(_released(f"{notebook}.{name}", _title(entry), content))
    return tuple(sorted(tables, key=lambda table: table.id))


def _holds_table(entry: LedgerEntry) -> bool:
    return entry.kind == "table" or (entry.kind == "display" and bool(entry.payload.get("table")))


def _own_name(entry: LedgerEntry, number: int) -> str:
    if entry.kind == "table" and entry.name != f"table_{entry.entry}":
        return _SLUG.sub("_", entry.name.lower()).strip("_")
    kind = "table" if entry.kind == "table" else f"shown_{entry.payload['display']}"
    return f"{kind}_{number:02d}"


def _title(entry: LedgerEntry) -> str:
    return str(entry.payload.get("title") or entry.name).replace("_", " ")


def _released(id: str, title: str, table: pa.Table) -> ReleasedTable:
    columns = tuple(table.column_names)
    rows = zip(*(table.column(name).to_pylist() for name in columns), strict=True) if columns else ()
    return ReleasedTable(id=id, title=title, columns=columns, rows=tuple(rows))


FINDING_COLUMNS = (
    "study", "report_year", "run_id", "id", "layer", "outcome", "label", "source", "base", "post", "phase", "subgroup",
    "method", "role", "domain", "unit", "better", "verdict", "rule", "due", "value", "ci_95_low", "ci_95_high",
    "p_value", "p_adjusted", "alpha", "gate", "sesoi", "detectable", "detectable_05", "detectable_realised_05",
    "power_at_sesoi", "noticed", "noticed_chance", "noticed_exaggeration", "type_m", "actual", "predicted",
    "inference", "n_reference", "n_treated", "n_units", "grade", "ruled_out", "failed", "suppressed", "truth",
    "simulated", "draft",
)  # fmt: skip


def findings_table(head: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]) -> ReleasedTable:
    """Findings as one flat table, one row each, for Excel and Power BI."""
    rows = []
    for each in findings:
        low, high = each["ci"].get("0.95") or (None, None)
        row = {**each, "ci_95_low": low, "ci_95_high": high}
        for name in ("ruled_out", "failed"):
            row[name] = " ".join(each[name])
        rows.append({**row, **{name: head[name] for name in HEAD_COLUMNS}})
    return table_of("findings", "Findings", rows, FINDING_COLUMNS)


HEAD_COLUMNS = ("study", "report_year", "run_id", "simulated", "draft")


def checks_table(findings: Sequence[Mapping[str, Any]]) -> ReleasedTable:
    """Every check of every finding, one row each."""
    rows = [
        {"finding": each["id"], "check": name, **check}
        for each in findings
        for name, check in sorted(each["checks"].items())
    ]
    columns = ("finding", "check", "status", "severity", "value", "limit", "power", "sentence")
    return table_of("checks", "Checks", rows, columns)


def levels_table(tables: Iterable[ReleasedTable]) -> ReleasedTable:
    """The cleared tables named ``levels`` (or ``levels_...``) of all notebooks as one, each row once.

    Columns of the first table lead; a table that lacks one leaves it empty.
    """
    found = [table for table in tables if table.id.split(".")[-1].split("_")[0] == "levels"]
    columns = tuple(dict.fromkeys(name for table in found for name in table.columns))
    rows = {
        tuple(dict(zip(table.columns, row, strict=True)).get(name) for name in columns)
        for table in found
        for row in table.rows
    }
    ordered = sorted(rows, key=lambda row: json.dumps([str(cell) for cell in row]))
    columns = columns or ("group", "outcome", "period", "value")
    return ReleasedTable(id="levels", title="Levels", columns=columns, rows=tuple(ordered))


PATH_COLUMNS = (
    "layer", "finding", "period", "event_time", "actual", "predicted", "low", "high", "difference", "difference_low",
    "difference_high", "started_schools", "other_schools", "suppressed",
)  # fmt: skip


def paths_table(ledgers: Ledgers) -> ReleasedTable:
    """Of each finding that is read: the place and its comparison by year, schools' differences by half-term since.

    ``low`` to ``high`` is what chance alone would allow of the level, ``difference_low`` to ``difference_high`` the
    band of a difference: other questions, so other columns.
    """
    rows: list[dict[str, Any]] = [
        {"layer": id.partition("/")[0], "finding": id, **point}
        for id, each in _comparisons(ledgers)
        for point in each["path"]
    ]
    title = "Each finding's comparison, year by year or by half-terms since the start"
    return table_of("paths", title, [*rows, *_school_paths(ledgers)], PATH_COLUMNS)


def _school_paths(ledgers: Ledgers) -> list[dict[str, Any]]:
    """Rows of the cleared tables of schools' paths, each once, by finding and half-term."""
    tables = [
        released_table(entry)
        for _, entries in sorted(ledgers.items())
        for entry in entries
        if entry.kind == "table" and entry.name == "school_paths"
    ]
    rows = {(row["finding"], row["half_terms_since"]): row for table in tables for row in table.to_pylist()}
    return [
        {**row, "layer": "school", "event_time": since, "period": f"{since:+d}"}
        for (_, since), row in sorted(rows.items())
    ]


def weights_table(ledgers: Ledgers) -> ReleasedTable:
    """Of each finding that is read, the councils that its comparison is made of and their weights."""
    rows = [
        {"finding": id, "unit": unit, "weight": weight}
        for id, each in _comparisons(ledgers)
        for unit, weight in each["weights"].items()
        if weight
    ]
    return table_of("weights", "Councils in each comparison, and their weights", rows, ("finding", "unit", "weight"))


def _comparisons(ledgers: Ledgers) -> list[tuple[str, Mapping[str, Any]]]:
    """Path and weights of every finding that has them, once each, by id."""
    found = {
        row["id"]: comparison
        for entries in ledgers.values()
        for entry in entries
        if entry.kind == "finding"
        for row, comparison in zip(entry.payload["findings"], entry.payload["comparisons"], strict=True)
        if comparison is not None
    }
    return sorted(found.items())


def calibration_table(plan: Plan) -> ReleasedTable:
    """How often the method was right under this plan, as measured and shipped; no row where it was not."""
    path = find_calibration(plan.digest)
    rows = json.loads(path.read_text("utf-8"))["rows"] if path else []
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    return table_of("calibration", "How often this method was right where that is known", rows, columns)


SOURCE_COLUMNS = (
    "file", "title", "publication", "producer", "licence", "first_period", "last_period", "as_at", "dated_by",
    "rows_read", "rows_used", "rows_left_out", "sha256",
)  # fmt: skip


def sources_table(extract: Extract) -> ReleasedTable:
    """Each file that was read, with licence and dates; rows and hash are of rows up to the report year."""
    rows = [
        {
            **{name: getattr(each, name) for name in SOURCE_COLUMNS if hasattr(each, name)},
            "as_at": each.as_at.isoformat() if each.as_at else None,
            "dated_by": each.dated_by or ("a list without a date" if each.rows_used else "no row used"),
            "rows_left_out": sum(each.excluded.values()),
        }
        for each in extract.files
    ]
    return table_of("sources", "Sources", rows, SOURCE_COLUMNS)


def exclusions_table(extract: Extract) -> ReleasedTable:
    """Rows that were left out, counted by file and reason."""
    rows = [
        {"file": each.file, "reason": reason, "rows": count}
        for each in extract.files
        for reason, count in sorted(each.excluded.items())
    ]
    return table_of("exclusions", "Rows left out", rows, ("file", "reason", "rows"))


def notes_table(extract: Extract) -> ReleasedTable:
    """What the readers noted about the files, one sentence a row."""
    return table_of("notes", "Notes of the readers", [{"note": note} for note in extract.notes], ("note",))


def plan_table(plan: Plan) -> ReleasedTable:
    """Every value of the plan by its key, in the plan's order, and its digest."""
    content = plan.model_dump(mode="json", by_alias=True)
    rows = [{"key": key, "value": value} for key, value in _flat("", content)]
    rows.append({"key": "digest", "value": plan.digest})
    return table_of("plan", "The plan", rows, ("key", "value"))


def _flat(key: str, content: Any) -> list[tuple[str, str]]:
    if isinstance(content, Mapping):
        pairs = [(f"{key}.{name}" if key else str(name), value) for name, value in content.items()]
        return [each for name, value in pairs for each in _flat(name, value)]
    if isinstance(content, list) and content and isinstance(content[0], Mapping):
        pairs = [(f"{key}.{number}", value) for number, value in enumerate(content, start=1)]
        return [each for name, value in pairs for each in _flat(name, value)]
    if isinstance(content, list):
        return [(key, "; ".join(str(each) for each in content))]
    if isinstance(content, bool):
        return [(key, "yes" if content else "no")]
    return [(key, "" if content is None else str(content))]


def results(
    head: Mapping[str, Any],
    extract: Extract,
    tables: Sequence[ReleasedTable],
    findings: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The content of ``results.json``, schema ``belonging/1``.

    ``head`` holds run_id, study, report_year, data_as_at, plan_digest, simulated and draft.
    """
    return {
        "schema": SCHEMA,
        **head,
        "sources": [
            {
                "file": each.file,
                "sha256": each.sha256,
                "rows_read": each.rows_read,
                "rows_used": each.rows_used,
                "excluded": dict(sorted(each.excluded.items())),
            }
            for each in extract.files
        ],
        "tables": [{"id": table.id, "csv": table.csv} for table in sorted(tables, key=lambda each: each.id)],
        "findings": list(findings),
    }
