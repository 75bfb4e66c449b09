"""``origin.toml``: what an extract holds, and the proof that it still does."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from belonging_research.errors import SourceError
from belonging_research.sources.reading import file_sha256, is_lock

NAME = "origin.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the files of an extract come from; ``date`` is the day they were fetched."""

    folder: Path
    title: str | None
    producer: str | None
    licence: str | None
    date: dt.date | None


def read_origin(path: Path) -> Origin:
    """Read an extract's record and check every file against it.

    Raises
    ------
    SourceError
        If the record is not TOML, lists a file that is missing or differs, or leaves one out.
    """
    folder = path.parent
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise SourceError(f"{NAME} of {folder.name}: not valid TOML in UTF-8. Fetch the extract again.") from None
    _check_files(folder, _listed(folder, content))
    date = content.get("date")
    return Origin(
        folder=folder,
        title=_text(content, "title"),
        producer=_text(content, "producer"),
        licence=_text(content, "licence") or _text(content, "agreement"),
        date=_date(folder, date),
    )


def _text(content: Mapping[str, Any], name: str) -> str | None:
    value = content.get(name)
    return value if isinstance(value, str) and value else None


def _date(folder: Path, value: object) -> dt.date | None:
    if value is None or (isinstance(value, dt.date) and not isinstance(value, dt.datetime)):
        return value
    try:
        return dt.date.fromisoformat(str(value)[:10])
    except ValueError:
        raise SourceError(
            f"{NAME} of {folder.name}: key date: expected a date such as 2026-03-26. Correct it."
        ) from None


def _listed(folder: Path, content: Mapping[str, Any]) -> dict[str, tuple[str, object]]:
    entries = content.get("file")
    if not isinstance(entries, list) or not entries:
        raise SourceError(f"{NAME} of {folder.name}: no [[file]] entry. Expected one for each file.")
    listed = {}
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or not all(isinstance(entry.get(k), str) for k in ("name", "sha256")):
            raise SourceError(
                f"{NAME} of {folder.name}: [[file]] entry {number} needs name and sha256, both text. Correct it."
            )
        listed[entry["name"]] = (entry["sha256"], entry.get("bytes"))
    return listed


def _check_files(folder: Path, listed: Mapping[str, tuple[str, object]]) -> None:
    present = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    present = {name: path for name, path in present.items() if name != NAME and not is_lock(path)}
    for name in sorted(set(listed) | set(present)):
        if name not in present:
            raise SourceError(f"{name}: listed in {NAME} of {folder.name} and missing. Fetch the extract again.")
        if name not in listed:
            raise SourceError(
                f"{name}: not listed in {NAME} of {folder.name}. An extract is never edited: put the file in a "
                "folder of its own."
            )
        sha256, size = listed[name]
        if file_sha256(present[name]) != sha256.lower() or size not in (None, present[name].stat().st_size):
            raise SourceError(
                f"{name}: differs from {NAME} of {folder.name} (sha256 or bytes). An extract is never edited: "
                "fetch it again."
            )
