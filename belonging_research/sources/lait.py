"""Local authority interactive tool: annual rates of every council, and the meaning of its years.

The long file writes a year in a form that depends on the measure. Its dictionary's ``Year_Type`` says what a plain
four-digit year means: for *Academic Year* it is the one that ends then (checked against the absence release).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from belonging_research.errors import SourceError
from belonging_research.sources import geography
from belonging_research.sources.batch import (
    OTHER_MEASURE,
    Batch,
    Request,
    because,
    content_sha256,
    first_true,
    keep_published,
    numbers,
    refuse_duplicates,
)
from belonging_research.sources.figures import Reading
from belonging_research.sources.layouts import Family
from belonging_research.sources.places import drop_not_in_force, refuse_unknown_councils
from belonging_research.tables import FIGURES, academic_year, year_label


@dataclass(frozen=True, slots=True, kw_only=True)
class LaitMeasure:
    """An outcome and phase behind a ``Short Desc``."""

    outcome: str
    phase: str = "all"
    family: Family = "absence"
    share: bool = True


def _absence() -> dict[str, LaitMeasure]:
    named = {
        "overall_absence_rate": ("TotAbs", "PriTotAbs", "SecTotAbs", "total_absence_special"),
        "authorised_absence_rate": ("TotAuthAbs", None, None, "authorised_absence_special"),
        "unauthorised_absence_rate": ("TotUnAuthAbs", None, None, "unauthorised_absence_special"),
        "persistent_absence_rate": ("TotPerAbNew", "SFPriPerAbNew", "SFSecPerAbNew", "SpecPerAbNew"),
        "severe_absence_rate": ("TotSevPerAbNew", "SFPriSevPerAbNew", "SFSecSevPerAbNew", "SpecSevPerAbNew"),
    }
    return {
        name: LaitMeasure(outcome=outcome, phase=phase)
        for outcome, names in named.items()
        for phase, name in zip(("all", "primary", "secondary", "special"), names, strict=True)
        if name is not None
    }


def _exclusions() -> dict[str, LaitMeasure]:
    stems = {"all": "Tot", "primary": "Pri", "secondary": "Sec", "special": "Spec"}
    found = {}
    for phase, stem in stems.items():
        pupils = "Total_ Pup_FixedEx" if phase == "all" else f"{stem}_ Pup_FixedEx"
        for name, outcome, share in (
            (f"{stem}FixedEx", "suspension_rate", False),
            (f"{stem}PermEx", "permanent_exclusion_rate", False),
            (pupils, "pupils_with_one_or_more_suspensions_rate", True),
        ):
            found[name] = LaitMeasure(outcome=outcome, phase=phase, family="exclusions", share=share)
    return found


MEASURES: Mapping[str, LaitMeasure] = _absence() | _exclusions()

_STATUS = re.compile(r"\s*\((?:rev|final|prov)\)$", re.IGNORECASE)
_ONCE = "year written in a form this study does not use"
_WRITTEN = re.compile(r"^\d{4}([/-]\d{2,4})?$")


def read_year_types(batch: Batch) -> Mapping[str, str]:
    """``Short Desc`` to ``Year_Type`` of the dictionary, for the measures this study uses.

    Raises
    ------
    SourceError
        If the dictionary gives one of them two meanings.
    """
    found: dict[str, str] = {}
    rows = zip(batch.table["Measure_short"].to_pylist(), batch.table["Year_Type"].to_pylist(), strict=True)
    for at, (name, kind) in enumerate(rows):
        if name not in MEASURES:
            continue
        if found.setdefault(name, kind) != kind:
            raise batch.fault(at, "Year_Type", f"{kind!r} for {name}", f"{found[name]!r} as before", "Correct it.")
    return found


def read_lait(batch: Batch, request: Request) -> Reading:
    """Figures of the long file: rates only, by council, region and England.

    Rows of other measures are counted as left out, to the report year, and not looked at further.

    Raises
    ------
    SourceError
        If the dictionary says that one of the measures is not by academic year; on a rate that cannot be, a
        duplicate, or an unknown council.
    """
    used = pc.is_in(batch.table["Short Desc"], value_set=pa.array(sorted(MEASURES), pa.string()))
    others = _to(batch.table["Years"].filter(pc.invert(used)), request.through)
    batch = _dated(replace(batch, table=batch.table.filter(used)), request)
    if others:
        excluded = {**batch.excluded, OTHER_MEASURE: others}
        batch = replace(batch, rows_read=batch.rows_read + others, excluded=excluded)
    for column in ("outcome", "phase", "family"):
        by_name = {name: str(getattr(measure, column)) for name, measure in MEASURES.items()}
        values = geography.recode(batch.table["Short Desc"], by_name.__getitem__, pa.string())
        batch = replace(batch, table=batch.table.append_column(column, values))
    batch = drop_not_in_force(_place(batch))
    refuse_unknown_councils(batch, request)
    batch = _published(batch, request)
    refuse_duplicates(batch, ("outcome", "phase", "period", "level", "unit"))
    order = [(name, "ascending") for name in ("outcome", "period", "level", "unit", "phase")]
    batch = replace(batch, table=batch.table.sort_by(order))
    raw = [
        name for name in ("Short Desc", "Years", "LA and Regions", "Values", "LA Number", "Region") if batch.has(name)
    ]
    return Reading(
        figures=_figures(batch),
        batch=batch,
        rows_used=batch.table.num_rows,
        sha256=content_sha256(batch.table, raw),
    )


def _to(years: pa.ChunkedArray, through: str) -> int:
    """How many rows are of academic years to ``through``, or of none that can be told.

    A year stands in several forms (2016, 2016-17 (OT), 2014/15-16/17); the last one named is the one that counts.
    """

    def counted(text: str) -> bool:
        named = re.findall(r"\d{4}|(?<=[/-])\d{2}", text)
        return not named or int(named[-1][-2:]) <= int(through[-2:])

    return int(pc.sum(geography.recode(years, counted, pa.bool_())).as_py() or 0)


def _dated(batch: Batch, request: Request) -> Batch:
    """Add ``period``; drop later years uncounted, and years in other forms counted."""
    kinds = request.year_types

    def convert(text: str) -> str | None:
        name, year = text.split("\x1f")
        if kinds is not None and kinds.get(name, "Academic Year").casefold() != "academic year":
            raise SourceError(
                f"{batch.file}: the dictionary says that {name} is by {kinds[name]!r}; expected 'Academic Year'. "
                "Check the dictionary's column Year_Type."
            )
        year = _STATUS.sub("", year.strip())
        if not _WRITTEN.match(year):
            return None
        return year_label(int(year) - 1) if len(year) == 4 else academic_year(year)

    both = geography.pair(batch.table["Short Desc"], batch.table["Years"])
    periods = geography.recode(both, convert, pa.string())
    table = batch.table.append_column("period", periods)
    later = pc.fill_null(pc.greater(periods, request.through), False)
    kept = table.filter(pc.invert(later))
    batch = replace(batch, table=kept, rows_read=kept.num_rows)
    return batch.without(because(pc.is_null(kept["period"]), _ONCE))


def _place(batch: Batch) -> Batch:
    table = batch.table
    codes = geography.recode(table["LA Number"], geography.code, pa.string())
    at = first_true(pc.is_null(codes))
    if at is not None:
        name = table["LA and Regions"][at].as_py()
        raise batch.fault(at, "LA Number", f"no code for {name}", "a number such as 838", "Fill the code in.")
    region = table["Region"] if batch.has("Region") else pa.chunked_array([pa.array([""] * table.num_rows)])
    joined = geography.pair(geography.pair(codes, table["LA and Regions"]), region)
    places = geography.recode(joined, lambda text: _one_place(*text.split("\x1f")), pa.list_(pa.string()))
    for index, name in enumerate(("unit", "level", "la_code", "gss_code", "name", "region")):
        table = table.append_column(name, pc.list_element(places, index))
    return replace(batch, table=table)


def _one_place(code: str, name: str, region: str) -> list[str | None]:
    if code == geography.ENGLAND:
        return [code, "national", None, None, "England", None]
    gss = geography.region_gss(code)
    if gss is not None:
        return [code, "region", None, gss, geography.region_name(name), geography.region_of(name)]
    return [code, "council", code, None, name, geography.region_of(region)]


def _published(batch: Batch, request: Request) -> Batch:
    if request.data_as_at is None:
        return batch
    kinds = pa.repeat(pa.scalar("academic_year"), batch.table.num_rows)
    dated = replace(batch, table=batch.table.append_column("period_kind", kinds))
    tables = []
    for family in ("absence", "exclusions"):
        rows = replace(dated, table=dated.table.filter(pc.equal(dated.table["family"], family)))
        rows = keep_published(rows, request.data_as_at, "absence" if family == "absence" else "exclusions")
        dated = replace(dated, excluded=rows.excluded)
        tables.append(rows.table)
    return replace(dated, table=pa.concat_tables(tables).drop_columns(["period_kind"]))


def _figures(batch: Batch) -> pa.Table:
    rates, reasons = numbers(batch, "Values")
    shares = geography.recode(batch.table["Short Desc"], lambda name: MEASURES[name].share, pa.bool_())
    over = pc.and_(shares, pc.greater(rates, 100.0 + 1e-9))
    at = first_true(over)
    if at is not None:
        raise batch.fault(
            at, "Values", f"{rates[at].as_py():g}", "a share of at most 100 per cent", "Correct the cell.", over
        )
    rows = batch.table.num_rows
    columns = {name: batch.table[name] for name in FIGURES.schema.names if batch.has(name)} | {
        "period_kind": pa.repeat(pa.scalar("academic_year"), rows),
        "as_at": pa.nulls(rows, pa.date32()),
        "source": pa.repeat(pa.scalar("census"), rows),
        "numerator": pa.nulls(rows, pa.float64()),
        "denominator": pa.nulls(rows, pa.float64()),
        "rate": pc.divide(rates, 100.0),
        "reason": reasons,
        "layout": pa.repeat(pa.scalar(batch.layout.name), rows),
        "source_file": pa.repeat(pa.scalar(batch.file), rows),
    }
    return pa.table([columns[name] for name in FIGURES.schema.names], schema=FIGURES.schema)
