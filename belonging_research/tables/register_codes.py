"""The marks of a school's attendance register, with the days on which each was in use and how it counts.

Sources: School Attendance (Pupil Registration) (England) Regulations 2024, regulation 10 (from 19 August 2024), and
"Working together to improve school attendance" (Department for Education); before that day the list of the
Department's absence statistics. How a mark *counts* follows those statistics, not the types that a school's own
system shows: D, X, Q and Y are no possible attendance, whatever a vendor files them under.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

Counts = Literal["present", "approved_activity", "authorised", "unauthorised", "not_possible", "administrative"]
"""Of a half-day: attended; attended elsewhere with approval; absent with or without leave; not one that could have
been attended; or no mark about the pupil at all."""

POSSIBLE: tuple[Counts, ...] = ("present", "approved_activity", "authorised", "unauthorised")
ABSENT: tuple[Counts, ...] = ("authorised", "unauthorised")

CODES_CHANGED = dt.date(2024, 8, 19)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterCode:
    """A mark between two days: ``first_day`` and ``last_day`` inclusive, None where open."""

    mark: str
    meaning: str
    counts: Counts
    first_day: dt.date | None
    last_day: dt.date | None


_LAST_OLD = CODES_CHANGED - dt.timedelta(days=1)

_THROUGHOUT: tuple[tuple[str, str, Counts], ...] = (
    ("/", "present in the morning", "present"),
    ("\\", "present in the afternoon", "present"),
    ("L", "late, before the register closed", "present"),
    ("V", "on an educational visit or trip", "approved_activity"),
    ("P", "at an approved sporting activity", "approved_activity"),
    ("W", "at work experience", "approved_activity"),
    ("B", "at another approved educational activity off site", "approved_activity"),
    ("C", "leave in exceptional circumstances", "authorised"),
    ("E", "suspended or permanently excluded, no other provision made", "authorised"),
    ("I", "ill", "authorised"),
    ("M", "at a medical or dental appointment", "authorised"),
    ("R", "religious observance", "authorised"),
    ("S", "study leave for public examinations", "authorised"),
    ("T", "parent travelling for occupational purposes", "authorised"),
    ("G", "holiday without leave", "unauthorised"),
    ("N", "reason not yet established", "unauthorised"),
    ("O", "absent in other or unknown circumstances", "unauthorised"),
    ("U", "arrived after the register closed", "unauthorised"),
    ("D", "dual registered, attending the other school", "not_possible"),
    ("X", "not of compulsory school age and not timetabled", "not_possible"),
    ("Z", "not yet on roll", "administrative"),
    ("#", "planned closure of the whole school", "administrative"),
)
_BEFORE: tuple[tuple[str, str, Counts], ...] = (
    ("J", "at an interview", "approved_activity"),
    ("F", "extended family holiday with leave", "authorised"),
    ("H", "family holiday with leave", "authorised"),
    ("Y", "unable to attend in exceptional circumstances", "not_possible"),
)
_SINCE: tuple[tuple[str, str, Counts], ...] = (
    ("K", "at provision arranged by the local authority", "approved_activity"),
    ("C1", "leave for a regulated performance or employment abroad", "authorised"),
    ("C2", "on a temporary part-time timetable", "authorised"),
    ("J1", "at an interview for a job or another institution", "authorised"),
    ("Q", "the local authority has not arranged the access it must", "not_possible"),
    ("Y1", "usual transport not available", "not_possible"),
    ("Y2", "widespread disruption to travel", "not_possible"),
    ("Y3", "part of the premises closed", "not_possible"),
    ("Y4", "whole site unexpectedly closed", "not_possible"),
    ("Y5", "in criminal justice detention", "not_possible"),
    ("Y6", "public health guidance or law", "not_possible"),
    ("Y7", "another unavoidable cause", "not_possible"),
)

REGISTER_CODES: tuple[RegisterCode, ...] = tuple(
    RegisterCode(mark=mark, meaning=meaning, counts=counts, first_day=first, last_day=last)
    for rows, first, last in (
        (_THROUGHOUT, None, None),
        (_BEFORE, None, _LAST_OLD),
        (_SINCE, CODES_CHANGED, None),
    )
    for mark, meaning, counts in rows
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeBridge:
    """Marks counted in another way than on the day, so that years on both sides of August 2024 are counted alike."""

    name: str
    words: str
    marks: tuple[str, ...]
    counts: Counts


# What the change of codes could have moved by itself. As recorded is the empty choice.
CODE_BRIDGES: dict[str, CodeBridge] = {
    each.name: each
    for each in (
        CodeBridge(
            name="interviews_absent", words="interviews counted as absence", marks=("J", "J1"), counts="authorised"
        ),
        CodeBridge(
            name="off_site_absent", words="education off site counted as absence", marks=("B", "K"), counts="authorised"
        ),
        CodeBridge(
            name="late_present", words="arrivals after the register closed counted as present", marks=("U",),
            counts="present",
        ),
    )
}  # fmt: skip
# Shown beside every absence rate, since each can move between classes as practice changes.
WATCHED_MARKS = ("B", "K", "D", "C2", "U")


def code_on(mark: str, day: dt.date) -> RegisterCode | None:
    """The code that ``mark`` stood for on a day; None where it was not in use, which is never an absence."""
    return next(
        (
            code
            for code in REGISTER_CODES
            if code.mark == mark
            and (code.first_day is None or code.first_day <= day)
            and (code.last_day is None or day <= code.last_day)
        ),
        None,
    )
