"""Registers as the attendance files print them: the year to date, and the stack of snapshots."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from belonging_research.simulate.councils import CODES, COUNTRY, GSS, NAMES, ONE_SCHOOL, REGIONS, Floats
from belonging_research.simulate.country import SimulatedCountry
from belonging_research.simulate.registers import NEW_CODES_FROM, Register
from belonging_research.simulate.writing import table_bytes, write_gzip
from belonging_research.tables import first_year

TOTALS_FROM = "2025/26"  # councils' rows have no Total before it, and the phase's column another name
_PHASES = ("Primary", "Secondary", "Special", "Total")

# Columns as printed, and the count behind each.
_COUNTS = {
    "possible_sessions": "possible", "overall_attendance": "attendance", "overall_absence": "overall",
    "authorised_absence": "authorised", "unauthorised_absence": "unauthorised", "late_sessions": "late",
    "reason_i_authorised_illness": "illness", "reason_e_authorised_excluded": "excluded",
    "reason_c2_authorised_temp_reduced_timetable": "part_time", "reason_b_aea_education_off_site": "off_site",
    "reason_k_aea_education_arranged_by_la": "arranged", "reason_g_unauthorised_holiday": "holiday",
    "reason_u_unauthorised_late_after_registers_closed": "late_closed",
    "reason_o_other_unauthorised": "other", "reason_n_no_reason_yet": "no_reason",
}  # fmt: skip
_RATES = {
    "attendance_perc": "attendance", "overall_absence_perc": "overall", "authorised_absence_perc": "authorised",
    "unauthorised_absence_perc": "unauthorised",
}  # fmt: skip
_MORE_RATES = {
    "illness_perc": "illness", "auth_excluded_perc": "excluded", "auth_part_time_perc": "part_time",
    "unauth_hol_perc": "holiday", "unauth_oth_perc": "other", "unauth_late_registers_closed_perc": "late_closed",
    "unauth_not_yet_perc": "no_reason",
}  # fmt: skip
_NEW = frozenset(
    {"reason_c2_authorised_temp_reduced_timetable", "reason_k_aea_education_arranged_by_la", "auth_part_time_perc"}
)
_SCHOOLS = ("num_schools", "enrolments", "total_num_schools", "total_enrolments")
_PLACE = ("region_code", "region_name", "new_la_code", "la_name", "old_la_code")
_SNAPSHOTS = (
    "snapshot_date", "snapshot_commit", "time_period", "time_identifier", "geographic_level", *_PLACE,
    "school_type", "education_phase", *_SCHOOLS, "possible_sessions", "overall_attendance", "overall_absence",
    "authorised_absence", "unauthorised_absence", "late_sessions", "reason_i_authorised_illness",
    "reason_e_authorised_excluded", "reason_c2_authorised_temp_reduced_timetable", "reason_b_aea_education_off_site",
    "reason_k_aea_education_arranged_by_la", "reason_g_unauthorised_holiday",
    "reason_u_unauthorised_late_after_registers_closed", "reason_o_other_unauthorised", "reason_n_no_reason_yet",
    *_RATES, "pa_perc",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """What is the same at every snapshot of a year: the places and phases of the rows, and which councils they add.

    ``adds`` is (rows, n * 3): 1 where a council's phase is part of the row.
    """

    fixed: Mapping[str, pa.Array]
    adds: Floats
    hidden: pa.Array


def write_attendance(folder: Path, country: SimulatedCountry) -> None:
    """Write a year-to-date file a year, and the stack of all snapshots."""
    stack = []
    for year, register in country.registers.items():
        rows = _rows(country, year)
        tables = [_snapshot(register, rows, at) for at in range(len(register.dates))]
        stack += [table.select(_SNAPSHOTS) for table in tables]
        name = f"ees_attendance_ytd_{year.replace('/', '')}.csv"
        (folder / name).write_bytes(table_bytes(tables[-1].select(_to_date_columns(year))))
    first, last = min(country.registers), max(country.registers)
    name = f"ees_attendance_ytd_snapshots_{first.replace('/', '')}_{last.replace('/', '')[2:]}.csv.gz"
    write_gzip(folder / name, table_bytes(pa.concat_tables(stack)))


def _to_date_columns(year: str) -> list[str]:
    """The columns of a year's file; those that came with the register codes of August 2024 only from then on."""
    phase = "education_phase" if year >= TOTALS_FROM else "school_type"
    columns = [
        "time_period", "geographic_level", "country_code", "country_name", *_PLACE, phase, *_SCHOOLS[:2],
        *_COUNTS, *_SCHOOLS[2:], *_RATES, *_MORE_RATES, "pa_perc", "time_identifier",
    ]  # fmt: skip
    return [name for name in columns if year >= NEW_CODES_FROM or name not in _NEW]


def _rows(country: SimulatedCountry, year: str) -> _Rows:
    """National rows, then regional, then councils'; a council has a Total only from 2025/26."""
    region = country.councils.region
    n = len(CODES)
    cells: list[tuple[str, ...]] = []
    adds: list[Floats] = []
    hidden: list[bool] = []

    def add(level: str, place: tuple[str, ...], phases: tuple[int, ...], members: Floats) -> None:
        for phase in phases:
            cells.append((level, *place, _PHASES[phase]))
            parts = np.ones(3) if phase == 3 else np.eye(3)[phase]
            adds.append(np.outer(members, parts).ravel())
            hidden.append(level == "Local authority" and place[-1] == CODES[ONE_SCHOOL])

    add("National", ("", "", "", "", ""), (0, 1, 2, 3), np.ones(n))
    for at, (_, gss, name) in enumerate(REGIONS):
        add("Regional", (gss, name, "", "", ""), (0, 1, 2, 3), (region == at).astype(float))
    for at in range(n):
        place = (REGIONS[region[at]][1], REGIONS[region[at]][2], GSS[at], NAMES[at], CODES[at])
        phases = (0,) if at == ONE_SCHOOL else (0, 1, 2)
        add("Local authority", place, (*phases, 3) if year >= TOTALS_FROM else phases, np.eye(n)[at])
    columns = [pa.array(column, pa.string()) for column in zip(*cells, strict=True)]
    fixed = dict(zip(("geographic_level", *_PLACE, "phase"), columns, strict=True))
    return _Rows(fixed=fixed, adds=np.array(adds), hidden=pa.array(hidden))


def _counts(register: Register, rows: _Rows, at: int) -> dict[str, Floats]:
    """Half-days of every row, whole numbers. The one-school council's missing phases add nothing."""
    own = {}
    for name, values in register.counts.items():
        last = values[:, :, at].astype(float)
        last[ONE_SCHOOL, 1:] = 0
        own[name] = rows.adds @ last.ravel()
    own["overall"] = own["authorised"] + own["unauthorised"]
    own["attendance"] = own["possible"] - own["overall"]
    own["other"] = own["unauthorised"] - own["holiday"] - own["late_closed"] - own["no_reason"]
    return own


def _snapshot(register: Register, rows: _Rows, at: int) -> pa.Table:
    counts = _counts(register, rows, at)
    pupils, persistent = register.pupils.copy(), register.persistent[:, :, at].copy()
    pupils[ONE_SCHOOL, 1:] = 0
    persistent[ONE_SCHOOL, 1:] = 0
    enrolled = rows.adds @ pupils.ravel()
    numbers = {column: pa.array(counts[name].astype(np.int64)) for column, name in _COUNTS.items()}
    for column, name in {**_RATES, **_MORE_RATES}.items():
        numbers[column] = pa.array(100 * counts[name] / counts["possible"])
    numbers["num_schools"] = pa.array(rows.adds @ register.schools.ravel())
    numbers["enrolments"] = pa.array(enrolled)
    numbers["total_num_schools"] = pa.array((rows.adds @ register.all_schools.ravel()).astype(np.int64))
    numbers["total_enrolments"] = pa.array((rows.adds @ register.all_pupils.ravel()).astype(np.int64))
    numbers["pa_perc"] = pa.array(rows.adds @ (persistent * pupils).ravel() / enrolled)
    texts = {name: pc.if_else(rows.hidden, "c", values.cast(pa.string())) for name, values in numbers.items()}
    n = len(rows.hidden)
    blank = pa.array([""] * n)
    date = register.dates[at]
    if (date.year, date.month, date.day) < (first_year(register.year) + 1, 1, 25):
        texts["pa_perc"] = blank
    if register.year < NEW_CODES_FROM:
        texts |= dict.fromkeys(_NEW, blank)
    totals = register.year >= TOTALS_FROM
    commit = hashlib.sha256(date.isoformat().encode()).hexdigest()[:12]
    said = {
        "snapshot_date": date.isoformat(), "snapshot_commit": commit, "country_code": COUNTRY[0],
        "time_period": register.year.replace("/", ""), "time_identifier": "Academic year", "country_name": COUNTRY[1],
    }  # fmt: skip
    columns = {name: pa.array([text] * n) for name, text in said.items()} | dict(rows.fixed) | texts
    columns["school_type"] = blank if totals else rows.fixed["phase"]
    columns["education_phase"] = rows.fixed["phase"] if totals else blank
    return pa.table({name: columns[name] for name in columns if name != "phase"})
