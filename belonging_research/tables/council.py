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
        Column(name="sex", type=_TEXT, nullable=True, note="F or M, as in the school census; null where not recorded"),
        Column(name="ever_fsm_6", type=pa.bool_(), nullable=True, note="eligible for free school meals in any of the six years to the first census here; null where not recorded"),
        Column(name="sen_provision", type=_TEXT, nullable=True, note="N none, K SEN support, E education, health and care plan, at the first census here"),
        Column(name="young_carer", type=_TEXT, nullable=True, note="N not declared, P identified by a parent or guardian, S by the school; N is never 'not a young carer'"),
        Column(name="young_carer_since", type=_DAY, nullable=True, note="the day on which first identified; null where not declared or the day is not known"),
    ),
)  # fmt: skip

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

DESTINATIONS = TableSpec(
    row="move of a pupil out of a school's classrooms, from the council's case lists",
    key=("pupil", "kind", "first_day"),
    columns=(
        Column(name="pupil", type=_TEXT, note="as in PUPILS"),
        Column(name="kind", type=_TEXT, note="a key of DESTINATION_KINDS"),
        Column(name="first_day", type=_DAY, note="the day on which it began"),
        Column(name="last_day", type=_DAY, nullable=True, note="the day on which it ended; null while it lasts"),
        Column(name="from_urn", type=pa.int32(), nullable=True, note="the school left; null where not recorded; seven digits are the LAESTAB of another council's school"),
        Column(name="to_urn", type=pa.int32(), nullable=True, note="the school or provision joined; null where none or not recorded; seven digits as in from_urn"),
    ),
)  # fmt: skip

INTERVENTIONS = TableSpec(
    row="intervention at a school",
    key=("intervention", "urn", "first_day"),
    columns=(
        Column(name="intervention", type=_TEXT, note="its name, as the council calls it"),
        Column(name="urn", type=pa.int32(), note="as in SCHOOLS"),
        Column(name="first_day", type=_DAY, note="the day on which it began at the school"),
        Column(name="last_day", type=_DAY, nullable=True, note="the day on which it ended; null while it lasts"),
        Column(name="dose", type=pa.float64(), nullable=True, note="how much, in dose_unit"),
        Column(name="dose_unit", type=_TEXT, nullable=True, note="hours, pupils, staff trained, ..."),
        Column(name="cost", type=pa.float64(), nullable=True, note="pounds in the year it began; null where not known, never 0"),
        Column(name="timing", type=_TEXT, note="how the start was decided: a key of TIMING_DECIDED"),
    ),
)  # fmt: skip

SURVEY = TableSpec(
    row="answer of a pupil to one item of a survey",
    key=("pupil", "wave", "item"),
    columns=(
        Column(name="pupil", type=_TEXT, note="as in PUPILS"),
        Column(name="urn", type=pa.int32(), note="the school where it was asked"),
        Column(name="wave", type=_TEXT, note="name of the round"),
        Column(name="day", type=_DAY, nullable=True, note="the day of the answer"),
        Column(name="item", type=_TEXT, note="code of the item; its text belongs to its owner and is not kept here"),
        Column(name="response", type=pa.int32(), nullable=True, note="as ticked, before any reversing; null where left blank"),
    ),
)  # fmt: skip

WEEKLY = TableSpec(
    row="pupil at a school in the Department's weekly attendance file",
    key=("pupil", "urn", "academic_term", "file_day"),
    columns=(
        Column(name="pupil", type=_TEXT, note="as in PUPILS"),
        Column(name="urn", type=pa.int32(), note="as in SCHOOLS"),
        Column(name="academic_term", type=_TEXT, note="as the file writes it"),
        Column(name="file_day", type=_DAY, note="the day of the file: its counts run from the start of the term to it"),
        Column(name="possible_sessions", type=pa.int32(), note="half-days"),
        Column(name="present_sessions", type=pa.int32(), nullable=True, note="half-days"),
        Column(name="approved_educational_activity_sessions", type=pa.int32(), nullable=True, note="half-days"),
        Column(name="authorised_absent_sessions", type=pa.int32(), nullable=True, note="half-days"),
        Column(name="unauthorised_absent_sessions", type=pa.int32(), nullable=True, note="half-days"),
        Column(name="absent_sessions", type=pa.int32(), nullable=True, note="half-days"),
    ),
)  # fmt: skip

# Home education stands among the others, of equal standing: none of these is a failure, and none is counted as absence.
DESTINATION_KINDS: dict[str, str] = {
    "home_education": "elective home education",
    "alternative_provision": "alternative provision",
    "managed_move": "managed move to another school",
    "off_site_direction": "direction off site",
    "moved_away": "moved to another area",
    "other": "another destination",
    "not_known": "destination not known",
}

TIMING_DECIDED: dict[str, str] = {
    "drawn_by_lot": "drawn by lot",
    "outcome_blind": "by a documented rule that did not look at absence or exclusions",
    "by_need": "by need, as absence or exclusions showed it",
    "volunteered": "the school asked for it",
    "not_recorded": "not recorded",
}

# The tables of a checked council extract by file name: `<name>.parquet` beside origin.toml.
COUNCIL_TABLES: dict[str, TableSpec] = {
    "schools": SCHOOLS,
    "pupils": PUPILS,
    "enrolments": ENROLMENTS,
    "marks": MARKS,
    "exclusions": EXCLUSIONS,
    "destinations": DESTINATIONS,
    "interventions": INTERVENTIONS,
    "survey": SURVEY,
    "weekly": WEEKLY,
}
