"""Attendance from daily registers: year to date, terms, and the stack of dated snapshots.

Counts are half-day sessions, cumulative within the academic year (DfE, "Pupil attendance in schools"). Columns come
and go with the register codes of August 2024: one that a year lacks gives a reason, never 0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from belonging_research.sources import geography
from belonging_research.sources.batch import REPEAT, Batch, Request, because, first_true
from belonging_research.sources.figures import Measure, Reading, read_rows


def _sessions(outcome: str, column: str, rate: str | None = None) -> Measure:
    return Measure(outcome=outcome, numerator=column, denominator="possible_sessions", rate=rate, part=True)


_MEASURES = (
    _sessions("overall_absence_rate", "overall_absence", "overall_absence_perc"),
    _sessions("authorised_absence_rate", "authorised_absence", "authorised_absence_perc"),
    _sessions("unauthorised_absence_rate", "unauthorised_absence", "unauthorised_absence_perc"),
    _sessions("illness_absence_rate", "reason_i_authorised_illness", "illness_perc"),
    _sessions("suspended_or_excluded_sessions_rate", "reason_e_authorised_excluded", "auth_excluded_perc"),
    _sessions(
        "part_time_timetable_sessions_rate",
        "reason_c2_authorised_temp_reduced_timetable",
        "auth_part_time_perc",
    ),
    _sessions("arranged_by_authority_sessions_rate", "reason_k_aea_education_arranged_by_la"),
    _sessions("educated_off_site_sessions_rate", "reason_b_aea_education_off_site"),
    _sessions(
        "late_after_registers_closed_rate",
        "reason_u_unauthorised_late_after_registers_closed",
        "unauth_late_registers_closed_perc",
    ),
    _sessions("medical_appointment_absence_rate", "reason_m_authorised_medical_dental", "appointments_perc"),
    _sessions("religious_observance_absence_rate", "reason_r_authorised_religious_observance", "auth_religious_perc"),
    Measure(outcome="persistent_absence_rate", rate="pa_perc"),
    Measure(outcome="responding_schools", numerator="num_schools", denominator="total_num_schools"),
    Measure(outcome="enrolments", numerator="enrolments"),
    Measure(outcome="possible_sessions", numerator="possible_sessions"),
)
_CUMULATIVE = ("possible_sessions", "overall_absence", "authorised_absence", "unauthorised_absence")


def read_to_date(batch: Batch, request: Request) -> Reading:
    """Figures of one year to date, or of terms; rows of weeks are counted and left out."""
    return read_rows(batch, _MEASURES, request, family="daily", adjust=_year_to_date)


def read_snapshots(batch: Batch, request: Request) -> Reading:
    """Figures of the stack of years to date, each with the date of its snapshot.

    A snapshot that repeats the one before it for the same place and phase (the same cumulative sessions and
    absences) is left out and counted: nothing was added.

    Raises
    ------
    SourceError
        On any fault of :func:`read_rows`, or a snapshot date that is no date.
    """
    return read_rows(
        batch, _MEASURES, request, family="daily", adjust=lambda rows: _no_repeats(_dated(_year_to_date(rows)))
    )


def _year_to_date(batch: Batch) -> Batch:
    kinds = batch.table["period_kind"]
    whole = pc.if_else(pc.equal(kinds, "academic_year"), pa.scalar("year_to_date"), kinds)
    at = batch.table.column_names.index("period_kind")
    return replace(batch, table=batch.table.set_column(at, "period_kind", whole))


def _dated(batch: Batch) -> Batch:
    dates = geography.recode(batch.table["snapshot_date"], geography.date, pa.date32())
    undated = pc.is_null(dates)
    at = first_true(undated)
    if at is not None:
        found = repr(batch.table["snapshot_date"][at].as_py())
        raise batch.fault(at, "snapshot_date", found, "a date such as 2024-09-26", "Correct the cell.", undated)
    return replace(batch, table=batch.table.append_column("as_at", dates))


def _no_repeats(batch: Batch) -> Batch:
    """Leave out rows whose cumulative counts equal those of the place's and phase's snapshot before."""
    order = pc.sort_indices(batch.table, [(name, "ascending") for name in ("period", "unit", "phase", "as_at")])
    same = np.ones(max(batch.table.num_rows - 1, 0), dtype=bool)
    for name in ("period", "unit", "phase", *_CUMULATIVE):
        codes = batch.table[name].combine_chunks().dictionary_encode().indices.take(order).to_numpy()
        same &= codes[1:] == codes[:-1]
    for name in _CUMULATIVE:  # two hidden figures are not known to be equal
        digits = pc.match_substring_regex(batch.table[name].take(order), r"^\d").to_numpy()
        same &= digits[1:]
    repeats = np.zeros(batch.table.num_rows, dtype=bool)
    repeats[order.to_numpy()[1:]] = same
    return batch.without(because(pa.array(repeats), REPEAT))
