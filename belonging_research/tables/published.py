"""Published figures and the outcomes made of them, and why a number can be missing."""

from __future__ import annotations

import pyarrow as pa

from belonging_research.tables.shapes import Column, TableSpec

_TEXT = pa.string()
_NUMBER = pa.float64()

FIGURES = TableSpec(
    row="published figure",
    key=("layout", "unit", "period", "period_kind", "as_at", "phase", "outcome"),
    columns=(
        Column(name="unit", type=_TEXT, note="old_la_code of a council ('838'), '970' for England, '980' to '990' regions, laestab of a school"),
        Column(name="level", type=_TEXT, note="national, region, council or school"),
        Column(name="la_code", type=_TEXT, nullable=True, note="old_la_code, three digits"),
        Column(name="gss_code", type=_TEXT, nullable=True, note="new_la_code (E06000059)"),
        Column(name="name", type=_TEXT, note="as written in the file; never joined on"),
        Column(name="region", type=_TEXT, nullable=True, note="region name, London as one"),
        Column(name="period", type=_TEXT, note="academic year, '2024/25'"),
        Column(name="period_kind", type=_TEXT, note="academic_year, year_to_date, two_terms, autumn_term, spring_term, summer_term or week"),
        Column(name="as_at", type=pa.date32(), nullable=True, note="date of a snapshot; null where a file has none"),
        Column(name="source", type=_TEXT, note="census or daily"),
        Column(name="phase", type=_TEXT, note="all (a printed Total), primary, secondary or special"),
        Column(name="outcome", type=_TEXT, note="measure name of `outcomes`, or a count (enrolments, possible_sessions, headcount, ...)"),
        Column(name="numerator", type=_NUMBER, nullable=True, note="a count; for a count measure the count itself"),
        Column(name="denominator", type=_NUMBER, nullable=True, note="a count"),
        Column(name="rate", type=_NUMBER, nullable=True, note="as printed, a proportion (7.88% is .0788; 11.62 per 100 is .1162)"),
        Column(name="reason", type=_TEXT, nullable=True, note="why there is no number: a key of MISSING_REASONS"),
        Column(name="layout", type=_TEXT, note="the layout that read it"),
        Column(name="source_file", type=_TEXT, note="file name without folder"),
        Column(name="row", type=pa.int64(), note="row in the file, the header being row 1"),
    ),
)  # fmt: skip

OUTCOMES = TableSpec(
    row="outcome of a unit in a period",
    key=("unit", "period", "interval_end", "layout", "phase", "outcome"),
    columns=(
        Column(name="unit", type=_TEXT, note="as in FIGURES, after boundary rules"),
        Column(name="level", type=_TEXT, note="national, region or council"),
        Column(name="name", type=_TEXT, note="latest name"),
        Column(name="region", type=_TEXT, nullable=True, note="region name"),
        Column(name="period", type=_TEXT, note="academic year"),
        Column(name="interval_end", type=pa.date32(), nullable=True, note="last day of a fortnight; null for a whole year"),
        Column(name="source", type=_TEXT, note="census or daily"),
        Column(name="phase", type=_TEXT, note="all, primary, secondary, special"),
        Column(name="outcome", type=_TEXT, note="measure name"),
        Column(name="numerator", type=_NUMBER, nullable=True, note="count where published"),
        Column(name="denominator", type=_NUMBER, nullable=True, note="count where published"),
        Column(name="value", type=_NUMBER, nullable=True, note="proportion (events per pupil for suspensions); the count itself for a count"),
        Column(name="reason", type=_TEXT, nullable=True, note="why there is no value"),
        Column(name="derivation", type=_TEXT, note="published, pooled (phases by sessions), difference (of snapshots), filled (national plus own gap)"),
        Column(name="layout", type=_TEXT, note="the layout that read it; one figure may be printed in two files"),
        Column(name="source_file", type=_TEXT, note="file the figure came from"),
        Column(name="row", type=pa.int64(), note="row in that file"),
    ),
)  # fmt: skip

MISSING_REASONS: dict[str, str] = {
    "confidential": "hidden by the publisher (c; x in exclusions files to 2016/17)",
    "not_applicable": "not applicable (z, or no pupils to divide by)",
    "not_available": "not available (x, :, -, NA)",
    "rounds_to_zero": "rounds to zero but is not (low, k, ~)",
    "low_reliability": "low reliability (u)",
    "no_sessions": "no possible sessions in the interval (NaN)",
    "blank": "blank in the file",
    "year_not_over": "the school year is not over in these figures",
}

# Symbols of DfE tables and the reason each stands for (EES open data standards, and their history).
SYMBOLS: dict[str, str] = {
    "c": "confidential",
    "z": "not_applicable",
    ".": "not_applicable",
    "..": "not_available",
    "x": "not_available",
    ":": "not_available",
    "-": "not_available",
    "N/A": "not_available",
    "NA": "not_available",
    "low": "rounds_to_zero",
    "k": "rounds_to_zero",
    "~": "rounds_to_zero",
    "u": "low_reliability",
    "NaN": "no_sessions",
    "": "blank",
}
