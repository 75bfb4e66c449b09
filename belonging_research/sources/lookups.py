"""Councils (codes, names, regions, years in force) and statistical neighbours."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from belonging_research.errors import SourceError
from belonging_research.sources import geography
from belonging_research.sources.account import SourceFile, account_lookup
from belonging_research.sources.batch import LATE_MODEL, REPEATED_FILE, Batch
from belonging_research.sources.discovery import Found, read_batch
from belonging_research.sources.lait import read_year_types
from belonging_research.sources.layouts import key
from belonging_research.tables import BOUNDARIES, first_year

COUNCILS = pa.schema(
    [
        pa.field("la_code", pa.string(), nullable=False),
        pa.field("gss_code", pa.string()),
        pa.field("name", pa.string(), nullable=False),
        pa.field("region", pa.string()),
        pa.field("first_year", pa.int64()),
        pa.field("last_year", pa.int64()),
    ]
)
NEIGHBOURS = pa.schema(
    [
        pa.field("unit", pa.string(), nullable=False),
        pa.field("neighbour", pa.string(), nullable=False),
        pa.field("rank", pa.int64(), nullable=False),
        pa.field("closeness", pa.string()),
        pa.field("model", pa.string(), nullable=False),
    ]
)
_RANKS = range(1, 11)
_YEAR = re.compile(r"\b(20\d\d)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Council:
    """A council as a lookup has it; what the lookup does not say is None."""

    la_code: str
    gss_code: str | None
    name: str
    region: str | None = None
    first_year: int | None = None
    last_year: int | None = None


def _rows(batch: Batch) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = batch.table.to_pylist()
    return rows


def read_code_list(batch: Batch) -> tuple[Council, ...]:
    """Councils of the LAIT code list; England and the regions are left out."""
    regions = {geography.ENGLAND, *(unit for unit, _, _ in geography.REGIONS)}
    found = []
    for row in _rows(batch):
        code = geography.code(row["LA Number"])
        if code is not None and code not in regions:
            region = geography.region_of(row["Region"])
            found.append(Council(la_code=code, gss_code=None, name=row["LA Name"], region=region))
    return tuple(found)


def read_accepted(batch: Batch) -> tuple[Council, ...]:
    """Councils that the publisher's screener accepts, past and present; entries of two together are left out."""
    found = []
    for row in _rows(batch):
        code = geography.code(row["old_la_code"])
        if code is not None and "/" not in code:
            gss = geography.code(row["new_la_code"])
            found.append(Council(la_code=code, gss_code=gss, name=row["la_name"]))
    return tuple(found)


def read_validity(batch: Batch) -> tuple[Council, ...]:
    """Councils with region and the first and last calendar year in which a code pair was in force."""
    found = []
    for row in _rows(batch):
        code = geography.code(row["old_la_code"])
        if code is not None:
            found.append(
                Council(
                    la_code=code,
                    gss_code=geography.code(row["new_la_code"]),
                    name=row["la_name"],
                    region=geography.region_of(row["region_name"]),
                    first_year=_year(batch, row, "first_available_year_included"),
                    last_year=_year(batch, row, "most_recent_year_included"),
                )
            )
    return tuple(found)


def _year(batch: Batch, row: Mapping[str, str], column: str) -> int | None:
    text = row[column].removesuffix(".0")
    if not text:
        return None
    if not text.isdigit():
        at = pc.index(batch.table["row"], int(row["row"])).as_py()
        raise batch.fault(at, column, repr(text), "a year such as 2019", "Correct the cell.")
    return int(text)


def codes_of(councils: Sequence[Council]) -> Mapping[str, frozenset[str]]:
    """Each council's old code to the GSS codes that any lookup gives it."""
    found: dict[str, set[str]] = {}
    for council in councils:
        found.setdefault(council.la_code, set()).update({council.gss_code} if council.gss_code else ())
    return {code: frozenset(gss) for code, gss in found.items()}


def councils_of(figures: pa.Table) -> tuple[Council, ...]:
    """Councils as the figures name them, for a folder without a lookup."""
    rows = figures.filter(pc.equal(figures["level"], "council"))
    groups = rows.group_by(["la_code", "gss_code"]).aggregate([("name", "max"), ("region", "max")])
    return tuple(
        Council(la_code=r["la_code"], gss_code=r["gss_code"], name=r["name_max"], region=r["region_max"])
        for r in groups.to_pylist()
    )


def councils_table(found: Sequence[Council]) -> pa.Table:
    """One row for each pair of codes, what one lookup lacks filled from another.

    A record without a GSS code fills in the council's other records, and stands alone only where there is none.
    """
    merged: dict[tuple[str, str], Council] = {}
    for council in found:
        pair = (council.la_code, council.gss_code or "")
        merged[pair] = _merge(merged[pair], council) if pair in merged else council
    for code in {council.la_code for council in found}:
        bare = merged.get((code, ""))
        others = [pair for pair in merged if pair[0] == code and pair[1]]
        if bare is not None and others:
            del merged[(code, "")]
            merged.update({pair: _merge(merged[pair], bare) for pair in others})
        regions = sorted({c.region for pair, c in merged.items() if pair[0] == code and c.region})
        if len(regions) == 1:
            for pair in [p for p in merged if p[0] == code]:
                merged[pair] = _merge(merged[pair], Council(la_code=code, gss_code=None, name="", region=regions[0]))
    rows = [{name: getattr(merged[pair], name) for name in COUNCILS.names} for pair in sorted(merged)]
    return pa.Table.from_pylist(rows, schema=COUNCILS)


def _merge(first: Council, second: Council) -> Council:
    return Council(
        la_code=first.la_code,
        gss_code=first.gss_code or second.gss_code,
        name=first.name or second.name,
        region=first.region or second.region,
        first_year=first.first_year if first.first_year is not None else second.first_year,
        last_year=first.last_year if first.last_year is not None else second.last_year,
    )


def read_neighbours(file: Found) -> tuple[Batch, pa.Table]:
    """Statistical neighbours, nearest first, with the year of their model (see :func:`model_year`).

    How close a neighbour is stands in the column after it, and only in a workbook.
    """
    written = file.layout.columns(file.header)
    after = {rank: file.header.index(written[f"SN{rank}"]) + 1 for rank in _RANKS}
    labels = {r: at for r, at in after.items() if at < len(file.header) and key(file.header[at]) == "snp"}
    in_book = file.sniffed.container == "workbook"
    batch, cells = read_batch(file, {f"closeness {r}": at for r, at in labels.items()} if in_book else None)
    units = geography.recode(batch.table["LA number"], geography.code, pa.string())
    parts = []
    for rank in _RANKS:
        neighbours = geography.recode(batch.table[f"SN{rank}"], geography.code, pa.string())
        words = pa.nulls(len(units), pa.string())
        if batch.has(f"closeness {rank}"):
            label = batch.table[f"closeness {rank}"]
            words = geography.recode(label, lambda text: text.strip().capitalize() or None, pa.string())
        ranks = pa.repeat(pa.scalar(rank), len(units))
        parts.append(pa.table([units, neighbours, ranks, words], names=NEIGHBOURS.names[:4]))
    table = pa.concat_tables(parts)
    table = table.filter(pc.and_(pc.is_valid(table["unit"]), pc.is_valid(table["neighbour"])))
    year = model_year(frozenset(table["unit"].to_pylist()), cells.created, cells.title)
    table = table.append_column("model", pa.repeat(pa.scalar(year), table.num_rows))
    return batch, table.sort_by([("unit", "ascending"), ("rank", "ascending")]).cast(NEIGHBOURS)


def model_year(units: frozenset[str], created: datetime | None, title: str) -> str:
    """The year of a neighbours model, from the workbook's content and never its file name.

    A year in the sheet's name or above the header decides. Otherwise the year in which the workbook was made,
    unless a council of that time has no neighbours yet: then the year in which the newest council that has them
    came to be (the workbook of April 2021 was made again in 2024, and knows no Cumberland).
    """
    stated: list[str] = _YEAR.findall(title)
    if stated:
        return max(stated)
    starts = {c.unit: first_year(c.valid_from) for c in BOUNDARIES if c.valid_from}
    made = created.year if created else None
    present = [start for unit, start in starts.items() if unit in units]
    lacking = [start for unit, start in starts.items() if unit not in units]
    if present and (made is None or any(start <= made for start in lacking)):
        return str(max(present))
    return str(made) if made else "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookups:
    """What the lookups of the folders say. ``year_types`` is None where LAIT's dictionary is absent."""

    councils: tuple[Council, ...]
    neighbours: pa.Table
    year_types: Mapping[str, str] | None
    files: tuple[SourceFile, ...]
    notes: tuple[str, ...]


_COUNCILS: Mapping[str, Callable[[Batch], tuple[Council, ...]]] = {
    "council_validity": read_validity,
    "accepted_councils": read_accepted,
    "la_code_list": read_code_list,
}


def read_lookups(files: Sequence[Found], data_as_at: date | None) -> Lookups:
    """Read every lookup; where one is absent, a note says what follows from it.

    Raises
    ------
    SourceError
        If a file is damaged, or LAIT's dictionary contradicts itself.
    """
    # The fullest first: what a later one adds only fills gaps.
    order = {name: at for at, name in enumerate(_COUNCILS)}
    councils: list[Council] = []
    models: dict[str, tuple[str, pa.Table]] = {}
    accounts: list[SourceFile] = []
    year_types: Mapping[str, str] | None = None
    for file in sorted(files, key=lambda f: order.get(f.layout.name, len(order))):
        excluded: dict[str, int] = {}
        year = ""
        if file.layout.name in _COUNCILS:
            batch, _ = read_batch(file)
            councils += _COUNCILS[file.layout.name](batch)
        elif file.layout.name == "lait_dictionary":
            batch, _ = read_batch(file)
            year_types = _agreeing(file.name, year_types or {}, read_year_types(batch))
        elif file.layout.name == "statistical_neighbours":
            batch, model = read_neighbours(file)
            year = max(model["model"].to_pylist(), default="")
            if data_as_at and year > str(data_as_at.year):
                excluded = {LATE_MODEL: batch.table.num_rows}
            elif year in models:
                _refuse_other_model(file.name, year, model, *models[year])
                excluded = {REPEATED_FILE: batch.table.num_rows}
            else:
                models[year] = (file.name, model)
        else:
            continue
        accounts.append(account_lookup(file, batch, excluded, year))
    return Lookups(
        councils=tuple(councils),
        # In an order of its own, so that files may be called anything.
        neighbours=pa.concat_tables([NEIGHBOURS.empty_table(), *(model for _, model in models.values())]).sort_by(
            [(name, "ascending") for name in ("model", "unit", "rank")]
        ),
        year_types=year_types,
        files=tuple(accounts),
        notes=tuple(_absent(files, councils, models, year_types)),
    )


def _agreeing(file: str, before: Mapping[str, str], found: Mapping[str, str]) -> Mapping[str, str]:
    """Both dictionaries together; refused where they give a measure's years two meanings."""
    for name, kind in sorted(found.items()):
        if before.get(name, kind) != kind:
            raise SourceError(
                f"{file}: column Year_Type says {kind!r} for {name}, another dictionary {before[name]!r}. "
                "Keep the one that came with the measures, and move the other out of the folder."
            )
    return {**before, **found}


def _refuse_other_model(file: str, year: str, model: pa.Table, other_file: str, other: pa.Table) -> None:
    if not model.equals(other):
        one, two = sorted((file, other_file))
        raise SourceError(
            f"{one} and {two} give different statistical neighbours of the model of {year}. Keep the file that you "
            "mean, and move the other out of the folder."
        )


def _absent(
    files: Sequence[Found],
    councils: Sequence[Council],
    models: Mapping[str, object],
    year_types: Mapping[str, str] | None,
) -> list[str]:
    notes = []
    if not councils:
        notes.append("no lookup of council codes: codes of councils are not checked against one.")
    if year_types is None and any(file.layout.name == "lait_measures" for file in files):
        notes.append("no LAIT dictionary: a year such as 2016 is read as the academic year that ends then.")
    if not models:
        notes.append("no statistical neighbours: designs that need them cannot be run.")
    return notes
