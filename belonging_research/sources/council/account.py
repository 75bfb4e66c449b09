"""What became of every row that arrived, and the record of it in ``origin.toml``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from belonging_research.errors import SourceError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedTable:
    """The account of one table: ``rows_read == rows_kept + sum(excluded.values())``.

    A row of ``marks`` is a half-day: a pupil's week is ten or fourteen of them, unless it could not be taken apart,
    when it is one. ``excluded`` counts rows left out by their first fault (a name of :data:`tables.faults.FAULTS`, or
    ``blank_row``); ``listed`` the rows that were kept with a fault, which may have several. ``files`` are those that
    the table was read from.
    """

    table: str
    files: tuple[str, ...]
    rows_read: int
    rows_kept: int
    excluded: Mapping[str, int]
    listed: Mapping[str, int]

    def toml(self) -> list[str]:
        """Lines of a [[received]] entry."""
        return [
            "[[received]]",
            f"table = {quote(self.table)}",
            f"files = [{', '.join(quote(name) for name in self.files)}]",
            f"rows_read = {self.rows_read}",
            f"rows_kept = {self.rows_kept}",
            f"excluded = {{ {', '.join(f'{name} = {rows}' for name, rows in self.excluded.items())} }}",
            f"listed = {{ {', '.join(f'{name} = {rows}' for name, rows in self.listed.items())} }}",
        ]


def received_tables(entries: Sequence[Any]) -> tuple[ReceivedTable, ...]:
    """The accounts of the [[received]] entries of a record.

    Raises
    ------
    SourceError
        If an entry is not as :meth:`ReceivedTable.toml` writes it.
    """
    try:
        return tuple(
            ReceivedTable(
                table=str(entry["table"]),
                files=tuple(str(name) for name in entry["files"]),
                rows_read=int(entry["rows_read"]),
                rows_kept=int(entry["rows_kept"]),
                excluded=dict(entry["excluded"]),
                listed=dict(entry["listed"]),
            )
            for entry in entries
        )
    except (KeyError, TypeError, ValueError):
        raise SourceError(
            "origin.toml: an entry of [[received]] is not as `belonging receive` writes it. Receive the files again."
        ) from None


def quote(text: str) -> str:
    """A TOML string; JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False)
