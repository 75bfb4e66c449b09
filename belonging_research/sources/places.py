"""Rows to places: national, regional or council, by codes that must be known and belong together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from belonging_research.sources import geography
from belonging_research.sources.batch import (
    COMBINED,
    NO_PLACE,
    NOT_IN_FORCE,
    SCHOOL_ROW,
    Batch,
    Request,
    because,
    first_true,
)
from belonging_research.tables import BOUNDARIES, in_force

PLACE = ("unit", "level", "la_code", "gss_code", "name", "region")
_BOUNDARY_CODES: Mapping[str, frozenset[str]] = {change.unit: frozenset(change.gss_codes) for change in BOUNDARIES}


def place(batch: Batch, request: Request) -> Batch:
    """Add unit, level, codes, name and region; drop and count what is no national, regional or council row.

    Raises
    ------
    SourceError
        If a council row has no code, one that is in no lookup of the folder, or two codes of different councils.
    """
    batch = batch.without(geography.recode(batch.table["geographic_level"], _level_reason, pa.string()))
    columns = ("geographic_level", "region_code", "region_name", "old_la_code", "new_la_code", "la_name")
    written = [_or_blank(batch, name) for name in columns]
    joined = pc.binary_join_element_wise(*written, "\x1f")
    places = geography.recode(
        joined if isinstance(joined, pa.ChunkedArray) else pa.chunked_array([joined]),
        lambda text: _place(*text.split("\x1f")),
        pa.list_(pa.string()),
    )
    table = batch.table
    for at, name in enumerate(PLACE):
        table = table.append_column(name, pc.list_element(places, at))
    batch = replace(batch, table=table)
    reasons = geography.recode(pc.fill_null(batch.table["unit"], ""), _unit_reason, pa.string())
    _refuse_no_code(batch)
    batch = batch.without(reasons)
    refuse_unknown_councils(batch, request)
    _refuse_mixed_codes(batch, request)
    return drop_not_in_force(batch)


def _or_blank(batch: Batch, name: str) -> pa.ChunkedArray:
    if batch.has(name):
        return batch.table[name]
    return pa.chunked_array([pa.array([""] * batch.table.num_rows, pa.string())])


def _level_reason(text: str) -> str | None:
    level = geography.LEVELS.get(text.strip().casefold())
    if level == "school":
        return SCHOOL_ROW
    return None if level else f"{geography.NOT_USED}level {text.strip() or 'blank'}"


def _unit_reason(unit: str) -> str | None:
    if "/" in unit:
        return COMBINED
    return NO_PLACE if unit == NO_PLACE else None


def _place(level: str, region_code: str, region: str, old: str, new: str, name: str) -> list[str | None]:
    level = geography.LEVELS[level.strip().casefold()]
    if level == "national":
        return [geography.ENGLAND, level, None, None, "England", None]
    in_region = geography.region_of(region)
    if level == "region":
        own, gss = geography.region_name(region), geography.code(region_code)
        return [geography.region_unit(gss, own), level, None, gss, own or "", in_region]
    code = geography.code(old)
    if code is None and name.strip().casefold() in ("not available", "unknown"):
        return [NO_PLACE, level, None, None, name, in_region]
    return [code, level, code, geography.code(new), name.strip(), in_region]


def _refuse_no_code(batch: Batch) -> None:
    at = first_true(pc.is_null(batch.table["unit"]))
    if at is not None:
        level = batch.table["level"][at].as_py()
        column = "old_la_code" if level == "council" else "region_code"
        raise batch.fault(at, column, "no code", f"the code of a {level}", "Fill the code in, or remove the row.")


def drop_not_in_force(batch: Batch) -> Batch:
    """Drop and count rows of a council in a year in which its code did not stand for it."""
    both = geography.pair(batch.table["unit"], batch.table["period"])
    stray = geography.recode(both, lambda text: not in_force(*text.split("\x1f")), pa.bool_())
    council = pc.equal(batch.table["level"], "council")
    return batch.without(because(pc.and_(stray, council), NOT_IN_FORCE))


def refuse_unknown_councils(batch: Batch, request: Request) -> None:
    """Refuse a council that no lookup of the folder knows (nothing is refused where there is no lookup).

    Raises
    ------
    SourceError
        Naming row and code.
    """
    if request.councils is None:
        return
    known = pa.array(sorted({*request.councils, *_BOUNDARY_CODES}), pa.string())
    council = pc.equal(batch.table["level"], "council")
    unknown = pc.and_(council, pc.invert(pc.is_in(batch.table["unit"], known)))
    at = first_true(unknown)
    if at is not None:
        raise batch.fault(
            at,
            "old_la_code",
            f"council {batch.table['unit'][at].as_py()!r} ({batch.table['name'][at].as_py()})",
            "a code of the lookups in the folder (accepted councils, years in force, LAIT code list)",
            "Correct the code, or add the council to the lookup.",
            unknown,
        )


def _refuse_mixed_codes(batch: Batch, request: Request) -> None:
    """Refuse a council's old code beside a GSS code that was never its own: two councils may bear one name.

    Raises
    ------
    SourceError
        Naming row and both codes, and the council that the GSS code belongs to.
    """
    known = {**(request.councils or {})}
    for unit, codes in _BOUNDARY_CODES.items():
        known[unit] = known.get(unit, frozenset()) | codes
    owner = {gss: unit for unit, codes in sorted(known.items()) for gss in codes}

    def mixed(text: str) -> bool:
        unit, gss = text.split("\x1f")
        own = known.get(unit, frozenset())
        return bool(gss) and gss not in own and (bool(own) or gss in owner)

    codes = geography.pair(batch.table["unit"], batch.table["gss_code"])
    council = pc.equal(batch.table["level"], "council")
    contradicting = pc.and_(council, geography.recode(codes, mixed, pa.bool_()))
    at = first_true(contradicting)
    if at is not None:
        unit, gss = (batch.table[name][at].as_py() for name in ("unit", "gss_code"))
        own = " or ".join(sorted(known.get(unit, frozenset()))) or "a code of its own"
        other = f", and {gss} with {owner[gss]}" if gss in owner else ""
        raise batch.fault(
            at,
            "old_la_code and new_la_code",
            f"{unit!r} with {gss!r}",
            f"{unit} with {own}{other}",
            "These are two councils: correct one of the cells, or add the pair to the lookup in the folder.",
            contradicting,
        )
