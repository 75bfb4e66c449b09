"""Reasons for suspensions and permanent exclusions, with the days on which each could be recorded.

Source: code set of the school census, from autumn 2020 up to three reasons an event, when "other" was withdrawn. As
data with dates, since a finer list has been seen in schools' systems: a reason that is not here is shown as it is
written, never put under another.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ExclusionReason:
    """A reason between two days, inclusive; None where open."""

    code: str
    meaning: str
    first_day: dt.date | None
    last_day: dt.date | None


_THREE_REASONS = dt.date(2020, 9, 1)

EXCLUSION_REASONS: tuple[ExclusionReason, ...] = tuple(
    ExclusionReason(code=code, meaning=meaning, first_day=first, last_day=last)
    for code, meaning, first, last in (
        ("PP", "physical assault against a pupil", None, None),
        ("PA", "physical assault against an adult", None, None),
        ("VP", "verbal abuse or threat against a pupil", None, None),
        ("VA", "verbal abuse or threat against an adult", None, None),
        ("BU", "bullying", None, None),
        ("RA", "racist abuse", None, None),
        ("SM", "sexual misconduct", None, None),
        ("DA", "drug and alcohol related", None, None),
        ("DM", "damage to property", None, None),
        ("TH", "theft", None, None),
        ("DB", "persistent or general disruptive behaviour", None, None),
        ("OT", "other", None, _THREE_REASONS - dt.timedelta(days=1)),
        ("OW", "use or threat of an offensive weapon or prohibited item", _THREE_REASONS, None),
        ("LG", "abuse against sexual orientation and gender identity", _THREE_REASONS, None),
        ("DS", "abuse relating to disability", _THREE_REASONS, None),
        ("MT", "inappropriate use of social media or online technology", _THREE_REASONS, None),
        ("PH", "wilful and repeated breach of public health measures", _THREE_REASONS, None),
    )
)
