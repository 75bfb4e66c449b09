"""The account of a file that was read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from belonging_research.sources.batch import Batch, content_sha256
from belonging_research.sources.discovery import Found


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """The account of one file that was read.

    ``sha256`` is of the rows kept, as text (:func:`batch.content_sha256`), so it tells of nothing after the report
    year; ``file_sha256`` is of the whole file and belongs in the manifest only. ``rows_read`` counts rows up to
    the report year; ``rows_read == rows_used + sum(excluded.values())``.
    """

    file: str
    layout: str
    title: str
    publication: str
    producer: str
    licence: str
    sha256: str
    file_sha256: str
    rows_read: int
    rows_used: int
    excluded: Mapping[str, int]
    first_period: str | None
    last_period: str | None
    as_at: dt.date | None


def provenance(file: Found) -> dict[str, str]:
    """Title, publication, producer and licence: of the extract's record, else of the layout."""
    layout, origin = file.layout, file.origin
    return {
        "file": file.name,
        "layout": layout.name,
        "title": (origin.title if origin else None) or layout.title,
        "publication": layout.publication,
        "producer": (origin.producer if origin else None) or layout.producer,
        "licence": (origin.licence if origin else None) or layout.licence,
        "file_sha256": file.sha256,
    }


def account_lookup(file: Found, batch: Batch, excluded: Mapping[str, int]) -> SourceFile:
    """The account of a lookup, which has no periods."""
    rows = batch.table.num_rows
    columns = [name for name in batch.table.column_names if name != "row"]
    return SourceFile(
        **provenance(file),
        sha256=content_sha256(batch.table, columns),
        rows_read=rows,
        rows_used=rows - sum(excluded.values()),
        excluded=excluded,
        first_period=None,
        last_period=None,
        as_at=None,
    )
