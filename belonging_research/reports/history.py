"""Runs that are already there: their records, and the list of them, newest first."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from belonging_research.reports.manifest import SCHEMA, file_records
from belonging_research.reports.pages import day


def all_runs(out: Path) -> list[dict[str, str]]:
    """Every complete run under an output folder, newest first, for the page that lists them."""
    found = []
    for path in sorted(out.glob("*/*/manifest.json")):
        record = read_manifest(path)
        if record is not None:
            found.append((str(record["finished"]), str(record["run_id"]), _listed(record, path.parent)))
    return [each for _, _, each in sorted(found, key=lambda row: row[:2], reverse=True)]


def _listed(record: Mapping[str, Any], folder: Path) -> dict[str, str]:
    as_at = record["data_as_at"]
    standing = ["SIMULATED"] if record["simulated"] else []
    standing += ["DRAFT"] if record["draft"] else ["final"]
    standing += [f"only {record['only']}"] if record["only"] else []
    return {
        "link": f"{folder.parent.name}/{folder.name}/released/index.html",
        "title": str(record["title"]),
        "report_year": str(record["report_year"]),
        "data_as_at": day(dt.date.fromisoformat(as_at)) if as_at else "not dated",
        "standing": ", ".join(standing),
        "run_id": str(record["run_id"]),
    }


def read_manifest(path: Path) -> dict[str, Any] | None:
    """The record of a run, or None where there is none that can be read."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("schema") == SCHEMA else None


def is_whole(folder: Path) -> bool:
    """Whether a run's folder has its record and every released file as it was written."""
    record = read_manifest(folder / "manifest.json")
    if record is None or not (folder / "released" / "index.html").is_file():
        return False
    written, found = (
        {each["file"]: each["sha256"] for each in records if each["tier"] == "released"}
        for records in (record["files"], file_records(folder))
    )
    return written == found
