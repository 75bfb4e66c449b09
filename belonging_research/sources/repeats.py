"""Several files of one layout: a figure that two of them hold is used once, and refused where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from belonging_research.errors import SourceError
from belonging_research.sources.batch import REPEATED_FILE, because, first_true
from belonging_research.sources.figures import Reading
from belonging_research.tables import FIGURES

_NUMBERS = ("numerator", "denominator", "rate")
_CLOSE = 1e-9  # the same number may be written 8.2 in one file and 8.1999999999999993 in another


def each_figure_once(readings: Sequence[Reading]) -> list[Reading]:
    """The readings, in their order, without figures that another file of the same layout gives too.

    Which file keeps a figure depends on what the files hold and never on what they are called. A row all of whose
    figures stand in another file is left out and counted; the files' hashes stay those of all their rows.

    Raises
    ------
    SourceError
        If two files of a layout give different figures for one place, period and phase; both files and rows are named.
    """
    places: dict[str, list[int]] = {}
    for number, reading in enumerate(readings):
        places.setdefault(reading.batch.layout.name, []).append(number)
    found = list(readings)
    for numbers in places.values():
        if len(numbers) > 1:
            fullest_first = sorted(numbers, key=lambda n: (-readings[n].rows_used, readings[n].sha256))
            kept = _once([readings[n] for n in fullest_first])
            for number, reading in zip(fullest_first, kept, strict=True):
                found[number] = reading
    return found


def _once(group: Sequence[Reading]) -> list[Reading]:
    table = pa.concat_tables([reading.figures for reading in group])
    cells = [pc.fill_null(table[name].cast(pa.string()), "") for name in FIGURES.key]
    keys = pc.binary_join_element_wise(*cells, "\x1f").combine_chunks()
    at = pa.array(range(table.num_rows), pa.int64())
    firsts = pa.table({"key": keys, "at": at}).group_by("key").aggregate([("at", "min")])
    first = firsts["at_min"].combine_chunks().take(pc.index_in(keys, value_set=firsts["key"].combine_chunks()))
    repeated = pc.not_equal(first, at)
    if not pc.any(repeated).as_py():
        return list(group)
    _refuse_different(table, table.take(first))
    kept, start = [], 0
    for reading in group:
        own = pc.invert(repeated.slice(start, reading.figures.num_rows))
        start += reading.figures.num_rows
        figures = reading.figures.filter(own)
        gone = pc.invert(pc.is_in(reading.batch.table["row"], value_set=figures["row"].combine_chunks()))
        batch = reading.batch.without(because(gone, REPEATED_FILE))
        kept.append(replace(reading, figures=figures, batch=batch, rows_used=batch.rows))
    return kept


def _refuse_different(table: pa.Table, before: pa.Table) -> None:
    """Refuse a figure that differs from the one before it with its key (itself, where it is the first)."""
    differs = pc.not_equal(pc.fill_null(table["reason"], ""), pc.fill_null(before["reason"], ""))
    for name in _NUMBERS:
        one, other = table[name], before[name]
        apart = pc.greater(pc.abs(pc.subtract(one, other)), pc.multiply(pc.abs(other), _CLOSE))
        only_one = pc.not_equal(pc.is_null(one), pc.is_null(other))
        differs = pc.or_(differs, pc.or_(only_one, pc.fill_null(apart, False)))
    at = first_true(differs)
    if at is None:
        return
    one, other = sorted((t.slice(at, 1).to_pylist()[0] for t in (table, before)), key=lambda row: row["source_file"])
    raise SourceError(
        f"{one['source_file']} and {other['source_file']} give different figures of {one['outcome']} for {one['name']} "
        f"({one['unit']}), {one['period']}, phase {one['phase']}: {_said(one)}, {_said(other)}; "
        f"{pc.sum(differs).as_py()} such figure(s). "
        "Keep the file that you mean and move the other out, or name only the folder that you mean."
    )


def _said(row: Mapping[str, Any]) -> str:
    numbers = [f"{name} {row[name]:.10g}" for name in ("numerator", "denominator") if row[name] is not None]
    rate = [] if row["rate"] is None else [f"rate {100 * row['rate']:.10g}"]
    return f"row {row['row']} of {row['source_file']} has {', '.join([*rate, *numbers]) or row['reason']}"
