"""Rows with a place, a period and a phase to :data:`tables.FIGURES`, each number checked against what it can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from belonging_research.sources import geography
from belonging_research.sources.batch import (
    WEEK_ROW,
    Batch,
    Request,
    because,
    content_sha256,
    first_true,
    keep_published,
    keep_until,
    numbers,
    refuse_duplicates,
    refuse_shortened,
)
from belonging_research.sources.layouts import Family
from belonging_research.sources.places import PLACE, place
from belonging_research.tables import FIGURES, SYMBOLS

KEY = ("period", "period_kind", "as_at", "level", "unit", "phase")
_DERIVED = frozenset({*PLACE, "period", "period_kind", "as_at", "row", "n", "phase_other"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """An outcome and the columns that print it.

    ``share`` marks a rate that cannot exceed 100; ``part`` a numerator that cannot exceed its denominator.
    A count has a numerator alone.
    """

    outcome: str
    numerator: str | None = None
    denominator: str | None = None
    rate: str | None = None
    share: bool = True
    part: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a reader hands back: figures, the batch they came from, and the hash of the rows kept."""

    figures: pa.Table
    batch: Batch
    rows_used: int
    sha256: str


def phases(batch: Batch) -> Batch:
    """Replace the phase as written by the package's; drop and count kinds of school left aside.

    Raises
    ------
    SourceError
        If a phase is not known.
    """
    written = batch.table["phase"]
    if batch.has("phase_other"):  # a stack of years: one name of the column is blank in each row
        written = pc.if_else(pc.equal(written, ""), batch.table["phase_other"], written)
    found = geography.recode(written, geography.phase, pa.string())
    unknown = pc.is_null(found)
    at = first_true(unknown)
    if at is not None:
        raise batch.fault(
            at,
            "phase",
            repr(written[at].as_py()),
            "Total, Primary, Secondary or Special (with or without State-funded)",
            "Correct the cell.",
            unknown,
        )
    column = batch.table.column_names.index("phase")
    batch = replace(batch, table=batch.table.set_column(column, "phase", found))
    left_aside = pc.starts_with(found, geography.NOT_USED)
    return batch.without(pc.if_else(left_aside, found, pa.scalar(None, pa.string())))


def read_rows(
    batch: Batch,
    measures: Sequence[Measure],
    request: Request,
    *,
    family: Family,
    symbols: Mapping[str, str] = SYMBOLS,
    adjust: Callable[[Batch], Batch] = lambda batch: batch,
) -> Reading:
    """The whole way of a file with one row a place, period and phase.

    Later years go first, uncounted; then rows of no use, counted; ``adjust`` may change kinds of period, add
    ``as_at`` or drop repeats; duplicates and impossible numbers are refused; the rest becomes figures.
    """
    batch = keep_until(batch, request.through)
    batch = batch.without(because(pc.equal(batch.table["period_kind"], "week"), WEEK_ROW))
    batch = phases(place(batch, request))
    batch = adjust(batch)
    batch = keep_published(batch, request.data_as_at, family)
    refuse_duplicates(batch, KEY)
    present = [name for name in KEY if batch.has(name)]
    batch = replace(batch, table=batch.table.sort_by([(name, "ascending") for name in present]))
    source = "daily" if family == "daily" else "census"
    return Reading(
        figures=to_figures(batch, measures, source=source, symbols=symbols),
        batch=batch,
        rows_used=batch.rows,
        sha256=content_sha256(batch.table, [n for n in batch.table.column_names if n not in _DERIVED]),
    )


def to_figures(
    batch: Batch, measures: Sequence[Measure], *, source: str, symbols: Mapping[str, str] = SYMBOLS
) -> pa.Table:
    """Figures of every measure for every row; the columns of place and period are shared, not copied."""
    rows = batch.table.num_rows
    counts = {column for m in measures for column in (m.numerator, m.denominator)}
    for column in filter(batch.has, sorted(filter(None, counts))):
        refuse_shortened(batch, column)
    read = {
        column: numbers(batch, column, symbols) for column in dict.fromkeys(_columns(measures)) if batch.has(column)
    }
    base = {name: batch.table[name] for name in FIGURES.schema.names if batch.has(name) and name != "rate"}
    base |= {
        "as_at": base.get("as_at", pa.nulls(rows, pa.date32())),
        "source": pa.repeat(pa.scalar(source), rows),
        "layout": pa.repeat(pa.scalar(batch.layout.name), rows),
        "source_file": pa.repeat(pa.scalar(batch.file), rows),
    }
    tables = []
    for measure in measures:
        own = _values(batch, measure, read)
        own["outcome"] = pa.repeat(pa.scalar(measure.outcome), rows)
        columns = base | own
        tables.append(pa.table([columns[name] for name in FIGURES.schema.names], schema=FIGURES.schema))
    return pa.concat_tables(tables)


def _columns(measures: Sequence[Measure]) -> list[str]:
    return [c for m in measures for c in (m.numerator, m.denominator, m.rate) if c is not None]


def _values(batch: Batch, measure: Measure, read: Mapping[str, tuple[pa.Array, pa.Array]]) -> dict[str, pa.Array]:
    rows = batch.table.num_rows
    nothing = (pa.nulls(rows, pa.float64()), pa.nulls(rows, pa.string()))
    absent = (nothing[0], pa.repeat(pa.scalar("not_available"), rows))  # a column this year did not have

    def get(column: str | None) -> tuple[pa.Array, pa.Array]:
        return nothing if column is None else read.get(column, absent)

    (count, count_reason), (of, of_reason), (rate, rate_reason) = map(
        get, (measure.numerator, measure.denominator, measure.rate)
    )
    refuse_impossible(batch, measure, count, of, rate)
    if measure.rate in read and measure.denominator is not None:
        _refuse_contradiction(batch, measure, count, of, rate)
    number = pc.is_valid(rate)
    if measure.numerator is not None:
        counted = pc.is_valid(count)
        if measure.denominator is not None:
            counted = pc.and_(counted, pc.is_valid(of))
        number = pc.or_(number, counted)
    why = pc.coalesce(rate_reason, count_reason, of_reason)
    return {
        "numerator": count,
        "denominator": of,
        "rate": pc.divide(rate, 100.0),
        "reason": pc.if_else(number, pa.scalar(None, pa.string()), why),
    }


def refuse_impossible(batch: Batch, measure: Measure, count: pa.Array, of: pa.Array, rate: pa.Array) -> None:
    """Refuse a share over 100 per cent, and a part greater than its whole.

    Raises
    ------
    SourceError
        Naming row and column.
    """
    if measure.share and measure.rate is not None:
        over = pc.greater(rate, 100.0 + 1e-9)
        at = first_true(over)
        if at is not None:
            raise batch.fault(
                at, measure.rate, f"{rate[at].as_py():g}", "a share of at most 100 per cent", "Correct the cell.", over
            )
    if measure.part:
        over = pc.greater(count, of)
        at = first_true(over)
        if at is not None:
            raise batch.fault(
                at,
                f"{measure.numerator}",
                f"{count[at].as_py():.0f}",
                f"no more than {measure.denominator}, which is {of[at].as_py():.0f}",
                "Correct one of the two cells.",
                over,
            )


def _refuse_contradiction(batch: Batch, measure: Measure, count: pa.Array, of: pa.Array, rate: pa.Array) -> None:
    """Refuse a council's rate that differs from the ratio of its own counts by more than one in its last digit.

    In the files of 2006/07 to 2025/26 no row of a council differs by more than half of that. Those of regions and
    the country may: attendance to 2024/25 weights their totals for schools that did not respond, and exclusions
    round their counts to 5.

    Raises
    ------
    SourceError
        Naming row, column and both numbers.
    """
    ratio = pc.divide(pc.multiply(count, 100.0), pc.if_else(pc.greater(of, 0.0), of, None))
    digits = geography.recode(batch.table[measure.rate], _last_digit, pa.float64())
    apart = pc.greater(pc.abs(pc.subtract(ratio, rate)), pc.add(digits, 1e-9))
    apart = pc.and_(pc.fill_null(apart, False), pc.equal(batch.table["level"], "council"))
    at = first_true(apart)
    if at is not None:
        raise batch.fault(
            at,
            f"{measure.rate}",
            f"{rate[at].as_py():.10g}",
            f"{ratio[at].as_py():.10g}, which is {measure.numerator} of {measure.denominator} in per cent",
            "Correct one of the three cells.",
            apart,
        )


def _last_digit(text: str) -> float:
    """The worth of a printed number's last digit: 0.01 for 7.10, 0.0001 for 1.2e-03."""
    mantissa, _, exponent = text.casefold().partition("e")
    return float(10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))) if mantissa[:1].isdigit() else 0.0


def empty_figures() -> pa.Table:
    """No figures, in the right columns."""
    return FIGURES.schema.empty_table()
