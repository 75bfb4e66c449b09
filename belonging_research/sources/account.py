"""The account of a file that was read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow.compute as pc

from belonging_research.sources.batch import Batch, content_sha256, published
from belonging_research.sources.discovery import Found
from belonging_research.sources.layouts import Family

DatedBy = Literal["last snapshot", "usually out by", "fetched", "model of that year"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """The account of one file that was read.

    ``sha256`` is of the rows kept, as text (:func:`batch.content_sha256`), so it tells of nothing after the report
    year; ``file_sha256`` is of the whole file and belongs in the manifest only. ``rows_read`` counts rows up to
    the report year; ``rows_read == rows_used + sum(excluded.values())``. ``as_at`` is the day on which the last of
    the rows used was out, ``dated_by`` how that is known; both None where no row was used or nothing tells.
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
    dated_by: DatedBy | None


def dated(file: Found, batch: Batch, model: str = "") -> tuple[dt.date | None, DatedBy | None]:
    """The day on which the last of the rows that are left was out, and how that is known.

    Snapshots carry their day; of other figures the day is taken by which their series is usually out, and of an
    extract with a record the day on which it was fetched, where that is later. Asked for this day, every reader
    keeps all of these rows. ``model`` is the year of a lookup that has one.
    """
    known: list[tuple[dt.date, DatedBy]] = []
    if batch.rows and batch.has("period"):
        if batch.has("as_at"):
            known.append((pc.max(batch.table["as_at"]).as_py(), "last snapshot"))
        else:
            known.append((max(_usually_out(file.layout.family, batch)), "usually out by"))
    if batch.rows and model.isdigit():
        # A model has a year and no day: it is taken as out once that year has begun.
        known.append((dt.date(int(model), 1, 1), "model of that year"))
    if batch.rows and file.origin is not None and file.origin.date is not None:
        known.append((file.origin.date, "fetched"))
    return max(known, key=lambda each: each[0]) if known else (None, None)


def _usually_out(family: Family, batch: Batch) -> list[dt.date]:
    table = batch.table
    names = [name for name in ("period_kind", "family") if batch.has(name)]
    groups = table.group_by(["period", *names]).aggregate([]).to_pylist()
    return [
        published(each.get("family") or family, each.get("period_kind") or "academic_year", each["period"])
        for each in groups
    ]


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


def account_lookup(file: Found, batch: Batch, excluded: Mapping[str, int], model: str = "") -> SourceFile:
    """The account of a lookup, which has no periods; ``model`` is its year where it has one."""
    rows = batch.table.num_rows
    columns = [name for name in batch.table.column_names if name != "row"]
    as_at, dated_by = dated(file, batch, model) if rows > sum(excluded.values()) else (None, None)
    return SourceFile(
        **provenance(file),
        sha256=content_sha256(batch.table, columns),
        rows_read=rows,
        rows_used=rows - sum(excluded.values()),
        excluded=excluded,
        first_period=None,
        last_period=None,
        as_at=as_at,
        dated_by=dated_by,
    )
