"""Bytes that depend on content alone: csv, gzip without a time, workbooks without a clock."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

_EPOCH = (1980, 1, 1, 0, 0, 0)


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[Any]], *, mark: bool = False) -> bytes:
    """Rows as UTF-8 csv with LF; ``mark`` puts a byte order mark before it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig" if mark else "utf-8")


def table_bytes(table: pa.Table) -> bytes:
    """A table of text as csv, LF, header unquoted; no cell may hold a comma or quote."""
    sink = io.BytesIO()
    sink.write((",".join(table.column_names) + "\n").encode())
    pacsv.write_csv(table, sink, pacsv.WriteOptions(include_header=False, quoting_style="none"))
    return sink.getvalue()


def write_gzip(path: Path, content: bytes) -> None:
    """Write gzip without file name or time in its header."""
    sink = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=sink, mtime=0) as stream:
        stream.write(content)
    path.write_bytes(sink.getvalue())


def write_workbook(path: Path, sheet: str, rows: Iterable[Sequence[Any]], made: dt.datetime) -> None:
    """Write one sheet; ``made`` stands for every date of its making."""
    from openpyxl import Workbook

    book = Workbook()
    book.properties.created = made
    page = book.active
    if page is not None:
        page.title = sheet
    for row in rows:
        book[sheet].append(list(row))
    written = io.BytesIO()
    book.save(written)
    stamp = made.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    with zipfile.ZipFile(written) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":  # openpyxl stamps the time of saving here
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + stamp, content)
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, content)
