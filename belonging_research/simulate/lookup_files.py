"""The interactive tool's files and the lookups of councils, in the layouts of the Department for Education."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from belonging_research.simulate.annual import NO_ABSENCE, YEARS
from belonging_research.simulate.councils import CODES, COUNTRY, GSS, NAMES, ONE_SCHOOL, REGIONS, Floats
from belonging_research.simulate.country import SimulatedCountry
from belonging_research.simulate.writing import csv_bytes, write_workbook
from belonging_research.sources.geography import ENGLAND
from belonging_research.sources.lait import MEASURES, LaitMeasure
from belonging_research.tables import PHASES, first_year

_DICTIONARY = (
    "Measure_code", "Topic", "Measure", "Chart_title", "Measure_short", "Polarity", "y_axis_name",
    "state_funded_flag", "Table_status", "Description", "Last Update", "Next Update",
    "Data Owner (DO) /Supplier and Contact Details", "Methodology", "Hyperlink(s)", "dps", "Year_Type", "No_Quartile",
)  # fmt: skip
_NEIGHBOURS = 10
_PHASES: tuple[str, ...] = PHASES


def write_lookups(folder: Path, country: SimulatedCountry) -> None:
    """Write the measures, their dictionary, statistical neighbours, and both lists of councils."""
    pq.write_table(measures(country), folder / "bds_long_0.parquet")
    (folder / "lait_data_dictionary.csv").write_bytes(csv_bytes(_DICTIONARY, _dictionary(), mark=True))
    write_workbook(
        folder / "statistical_neighbours.xlsx", "LA SN Groups", _neighbour_rows(country), dt.datetime(2025, 5, 1)
    )
    accepted = zip(CODES, GSS, NAMES, strict=True)
    (folder / "ees_acceptable_las.csv").write_bytes(csv_bytes(("old_la_code", "new_la_code", "la_name"), accepted))
    header = (
        "la_name", "new_la_code", "old_la_code", "region_name", "region_code", "first_available_year_included",
        "most_recent_year_included",
    )  # fmt: skip
    rows = [
        (NAMES[at], GSS[at], CODES[at], REGIONS[region][2], REGIONS[region][1], 2015, 2027)
        for at, region in enumerate(country.councils.region)
    ]
    (folder / "dfer_la_region_validity.csv").write_bytes(csv_bytes(header, rows))


def measures(country: SimulatedCountry) -> pa.Table:
    """Seven columns, all text but the code, one row a measure, year and place; ``-`` where there is no figure.

    Absence has two decimals and no 2019/20; exclusions have five.
    """
    regions = [REGIONS[at] for at in country.councils.region]
    places = [*NAMES, *(name for _, _, name in REGIONS), COUNTRY[1]]
    codes = [*CODES, *(unit for unit, _, _ in REGIONS), ENGLAND]
    inside = [*(name for _, _, name in regions), *(["NA"] * (len(REGIONS) + 1))]
    parts: list[pa.Table] = []
    for name, measure in sorted(MEASURES.items()):
        values = with_regions(country, country.annual.rates[measure.outcome][:, :, _PHASES.index(measure.phase)])
        for at, year in enumerate(YEARS):
            absent = measure.family == "absence" and at == NO_ABSENCE
            columns = {
                "Short Desc": [name] * len(places),
                "Data item": [_title(measure)] * len(places),
                "Years": [_year(measure, year)] * len(places),
                "LA and Regions": places,
                "Values": ["-"] * len(places) if absent else _texts(values[:, at], measure),
                "LA Number": [float(code) for code in codes],
                "Region": inside,
            }
            parts.append(pa.table(columns))
    return pa.concat_tables(parts).combine_chunks()


def with_regions(country: SimulatedCountry, values: Floats) -> Floats:
    """(n, years) council rates with those of regions and the country below, weighted by pupils."""
    weights = np.where(np.isnan(values), 0.0, country.councils.pupils[:, None])
    known = np.nan_to_num(values)
    groups = [country.councils.region == at for at in range(len(REGIONS))]
    groups.append(np.ones(len(values), dtype=bool))
    pooled = [(known[g] * weights[g]).sum(axis=0) / weights[g].sum(axis=0) for g in groups]
    return np.vstack([values, *pooled])


def _texts(values: Floats, measure: LaitMeasure) -> list[str]:
    places = 2 if measure.family == "absence" else 5
    return ["-" if np.isnan(value) else f"{value:.{places}f}" for value in values]


def _year(measure: LaitMeasure, year: str) -> str:
    return str(first_year(year) + 1) if measure.family == "absence" else year


def _title(measure: LaitMeasure) -> str:
    return f"{measure.outcome.replace('_', ' ').capitalize()}, {measure.phase} schools (simulated)"


def _dictionary() -> list[tuple[str, ...]]:
    rows = []
    for at, (name, measure) in enumerate(sorted(MEASURES.items())):
        title = _title(measure)
        topic = "Absence" if measure.family == "absence" else "Exclusions"
        cells = {
            "Measure_code": str(at + 1), "Topic": topic, "Measure": title, "Chart_title": title,
            "Measure_short": name, "Polarity": "Low", "y_axis_name": "%", "state_funded_flag": "1",
            "Description": "Made up by belonging_research; no real figure.",
            "dps": "2" if measure.family == "absence" else "5", "Year_Type": "Academic Year",
        }  # fmt: skip
        rows.append(tuple(cells.get(column, "") for column in _DICTIONARY))
    return rows


def _neighbour_rows(country: SimulatedCountry) -> list[tuple[object, ...]]:
    """Two rows of column numbers as in the real workbook, the header, and a row a council."""
    width = 5 + 2 * _NEIGHBOURS
    header = ["LA num", "LA Name", "LA number", "GOInd", "GOReg"]
    for rank in range(1, _NEIGHBOURS + 1):
        header += [f"SN{rank}", "SNP"]
    rows: list[tuple[object, ...]] = [
        tuple("ABCDE") + tuple(range(3, width - 2)),
        tuple(range(1, width + 1)),
        tuple(header),
    ]
    distance = _distances(country)
    for at, code in enumerate(CODES):
        region = int(country.councils.region[at])
        row: list[object] = [int(code), NAMES[at], int(code), region + 1, REGIONS[region][2]]
        near = [other for other in np.argsort(distance[at], kind="stable") if other not in (at, ONE_SCHOOL)]
        for other in near[:_NEIGHBOURS]:
            row += [int(CODES[other]), "Very close" if distance[at, other] < 1 else "Close"]
        rows.append(tuple(row))
    return rows


def _distances(country: SimulatedCountry) -> Floats:
    """(n, n) likeness in what changes slowly: absence before covid, exclusions, size. Nothing after 2018/19."""
    before = slice(0, NO_ABSENCE)
    rates = country.untreated_annual.rates
    traits = np.column_stack(
        [
            rates["overall_absence_rate"][:, before, 0].mean(axis=1),
            rates["unauthorised_absence_rate"][:, before, 0].mean(axis=1),
            np.log(rates["suspension_rate"][:, before, 0].mean(axis=1)),
            np.log(country.councils.pupils),
        ]
    )
    traits = (traits - traits.mean(axis=0)) / traits.std(axis=0)
    result: Floats = np.sqrt(((traits[:, None, :] - traits[None, :, :]) ** 2).sum(axis=2))
    return result
