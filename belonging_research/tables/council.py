"""A council's own tables, as `receive` leaves them: pupils by keyed hash, births by month, no name anywhere.

Field names follow the Department's: session, urn, enrolment. One row of :data:`MARKS` is one half-day of one pupil at
one school; Parquet lower-case and typed, so that any engine reads the same.
"""

from __future__ import annotations

import pyarrow as pa

from belonging_research.tables.shapes import Column, TableSpec

_TEXT, _DAY = pa.string(), pa.date32()

SCHOOLS = TableSpec(
    row="school",
    key=("urn",),
    columns=(
        Column(name="urn", type=pa.int32(), note="unique reference number, six digits"),
        Column(name="phase", type=_TEXT, note="primary, secondary or special, as the Department deems it"),
        Column(name="is_alternative_provision", type=pa.bool_(), note="pupil referral unit or other alternative provision: outside the headline"),
        Column(name="pyramid", type=_TEXT, nullable=True, note="the schools that pupils move through together"),
    ),
)  # fmt: skip

PUPILS = TableSpec(
    row="pupil",
    key=("pupil",),
    columns=(
        Column(name="pupil", type=_TEXT, note="keyed hash of the unique pupil number"),
        Column(name="birth_month", type=_DAY, nullable=True, note="first day of the month of birth"),
    ),
)

ENROLMENTS = TableSpec(
    row="enrolment of a pupil at a school",
    key=("pupil", "urn", "first_day"),
    columns=(
        Column(name="pupil", type=_TEXT, note="as in PUPILS"),
        Column(name="urn", type=pa.int32(), note="as in SCHOOLS"),
        Column(name="first_day", type=_DAY, note="first day on roll"),
        Column(name="last_day", type=_DAY, nullable=True, note="last day on roll; null while on roll"),
        Column(name="is_boarder", type=pa.bool_(), nullable=True, note="boards at the school; null where not recorded"),
        Column(name="status", type=_TEXT, nullable=True, note="C current (single), M main of dual, S subsidiary of dual, G guest, F further education, O other"),
    ),
)  # fmt: skip

EXCLUSIONS = TableSpec(
    row="suspension or permanent exclusion",
    key=("pupil", "urn", "category", "first_day"),
    columns=(
        Column(name="pupil", type=_TEXT, note="as in PUPILS"),
        Column(name="urn", type=pa.int32(), note="the school that issued it"),
        Column(name="category", type=_TEXT, note="suspension, permanent or lunchtime"),
        Column(name="first_day", type=_DAY, note="the day on which it began"),
        Column(name="sessions", type=pa.int32(), nullable=True, note="half-days; null for a permanent exclusion, which has no end"),
        Column(name="status", type=_TEXT, note="issued, cancelled (by the head), reinstated (by governors) or upheld"),
        Column(name="status_day", type=_DAY, nullable=True, note="the day on which it got that status; null while issued"),
        Column(name="reasons", type=pa.list_(_TEXT), note="one to three codes of EXCLUSION_REASONS"),
    ),
)  # fmt: skip

MARKS = TableSpec(
    row="mark of a half-day",
    key=("pupil", "urn", "day", "session"),
    columns=(
        Column(name="pupil", type=_TEXT, note="as in PUPILS"),
        Column(name="urn", type=pa.int32(), note="as in SCHOOLS"),
        Column(name="day", type=_DAY, note="the day"),
        Column(name="session", type=_TEXT, note="am or pm"),
        Column(name="mark", type=_TEXT, note="as written, without spaces: a key of REGISTER_CODES on that day"),
    ),
)
