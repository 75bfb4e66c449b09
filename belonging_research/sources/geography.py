"""Places and times as they are written in the Department's files, to units and academic years."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from belonging_research.errors import SourceError
from belonging_research.tables import academic_year, year_label

# old_la_code of England and the regions (LAIT), GSS code, name. London is one region in `region`.
REGIONS: tuple[tuple[str, str, str], ...] = (
    ("980", "E12000001", "North East"),
    ("981", "E12000002", "North West"),
    ("982", "E12000003", "Yorkshire and The Humber"),
    ("983", "E12000004", "East Midlands"),
    ("984", "E12000005", "West Midlands"),
    ("985", "E12000006", "East of England"),
    ("986", "E12000007", "London"),
    ("987", "E13000001", "Inner London"),
    ("988", "E13000002", "Outer London"),
    ("989", "E12000008", "South East"),
    ("990", "E12000009", "South West"),
)
ENGLAND = "970"
_NAMES = {name.casefold(): name for _, _, name in REGIONS} | {
    "london (inner)": "Inner London",
    "london (outer)": "Outer London",
}
_UNIT_BY_GSS = {gss: unit for unit, gss, _ in REGIONS}
_UNIT_BY_NAME = {name: unit for unit, _, name in REGIONS}
_GSS_BY_UNIT = {unit: gss for unit, gss, _ in REGIONS}

LEVELS = {"national": "national", "regional": "region", "local authority": "council", "school": "school"}

_PHASES = {
    "total": "all",
    "all": "all",
    "all schools": "all",
    "primary": "primary",
    "state-funded primary": "primary",
    "state-funded primary schools": "primary",
    "secondary": "secondary",
    "state-funded secondary": "secondary",
    "state-funded secondary schools": "secondary",
    "special": "special",
    "special schools": "special",
    "state-funded special": "special",
    "state-funded special schools": "special",
}
_OTHER_PHASE = re.compile(r"referral|alternative|\bap\b|nursery|independent|non-maintained|all-through| and ")
_KINDS = {
    "academic year": "academic_year",
    "autumn term": "autumn_term",
    "spring term": "spring_term",
    "summer term": "summer_term",
    "autumn and spring term": "two_terms",
    "autumn and spring terms": "two_terms",
}
_BLANK_CODES = frozenset({"", ".", "..", ":", "z", "x", "NA", "N/A", "-", "c"})
NOT_USED = "not used: "


def recode(column: pa.Array | pa.ChunkedArray, convert: Callable[[str], Any], to: pa.DataType) -> pa.Array:
    """Convert each distinct text once and spread the results (None gives null)."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    encoded = column.dictionary_encode()
    values = pa.array([convert(text) for text in encoded.dictionary.to_pylist()], to)
    return values.take(encoded.indices)


def pair(left: pa.Array | pa.ChunkedArray, right: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """Two text columns as one, to convert pairs by :func:`recode`; split again at ``\\x1f``."""
    joined = pc.binary_join_element_wise(pc.fill_null(left, ""), pc.fill_null(right, ""), "\x1f")
    return joined if isinstance(joined, pa.ChunkedArray) else pa.chunked_array([joined])


def code(text: str) -> str | None:
    """A council or GSS code: trimmed, ``838.0`` as ``838``; a symbol for *no code* is None."""
    text = text.strip().removesuffix(".0")
    return None if text in _BLANK_CODES else text


def region_name(text: str) -> str | None:
    """A region's name in one spelling; None where there is none."""
    return None if text.strip() in _BLANK_CODES else _NAMES.get(text.strip().casefold(), text.strip())


def region_of(text: str) -> str | None:
    """The region a place lies in, London as one."""
    name = region_name(text)
    return "London" if name in ("Inner London", "Outer London") else name


def region_unit(gss: str | None, name: str | None) -> str | None:
    """Unit of a region by its GSS code or, failing that, its name (``'986'``); as written if unknown."""
    return _UNIT_BY_GSS.get(gss or "") or _UNIT_BY_NAME.get(name or "") or gss or name


def region_gss(unit: str) -> str | None:
    """GSS code of a region's unit."""
    return _GSS_BY_UNIT.get(unit)


def phase(text: str) -> str | None:
    """A phase of this package; ``not used: ...`` for a kind of school left aside; None if unknown."""
    plain = text.strip().casefold()
    if plain in _PHASES:
        return _PHASES[plain]
    return f"{NOT_USED}phase {text.strip()}" if _OTHER_PHASE.search(plain) else None


def period_and_kind(year: str, identifier: str) -> tuple[str, str] | None:
    """Academic year and kind of period of ``time_period`` and ``time_identifier``; None if unreadable.

    A week belongs to the academic year that began before it (ISO weeks, EES open data standards).
    """
    plain = identifier.strip().casefold()
    week = re.fullmatch(r"week (\d{1,2})", plain)
    try:
        if week:
            return year_label(int(year) - (int(week.group(1)) < 35)), "week"
        kind = _KINDS.get(plain)
        return (academic_year(year), kind) if kind else None
    except (SourceError, ValueError):
        return None


def date(text: str) -> dt.date | None:
    """A date written ``2024-09-26`` or ``26/09/2024``; None if it is neither."""
    text = text.strip()[:10]
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            return dt.datetime.strptime(text, form).date()
        except ValueError:
            continue
    return None


def half_terms(text: str) -> int | None:
    """Number of half terms in ``six half terms`` (five and six are whole years); None where not said."""
    words = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
    found = re.match(r"(\w+) half", text.strip().casefold())
    return words.get(found.group(1)) if found else None
