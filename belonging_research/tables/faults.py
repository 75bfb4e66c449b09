"""The faults that a council's files are known to have, and what is done about each unless a plan says otherwise.

As data, so that a fault has one name in the plan, in the account of an extract and in the analyst's list. ``refuse``
takes no extract at all; ``exclude`` leaves the rows out and counts them; ``keep`` takes them as they are and lists
them. A policy is never "mend": nothing is mapped to absent or to present.

Source: faults seen in councils' and schools' exports; the rules behind them are those of the register regulations
(:mod:`tables.register_codes`), of the school census (dual registration) and of the suspension guidance (45 school days
an academic year).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FaultPolicy = Literal["refuse", "exclude", "keep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault: its words, what to do about it, the policy by default, and those that a plan may choose.

    A row that cannot be written by the table's types or keys can never be kept.
    """

    name: str
    words: str
    mend: str
    policy: FaultPolicy
    may_be: tuple[FaultPolicy, ...] = ("refuse", "exclude", "keep")


_NOT_KEPT: tuple[FaultPolicy, ...] = ("refuse", "exclude")

# About in the order in which they are looked for. The first that takes a row out is its reason.
FAULTS: dict[str, Fault] = {
    each.name: each
    for each in (
        Fault(name="missing_pupil", words="no pupil number", mend="Ask the sender for it.", policy="exclude", may_be=_NOT_KEPT),
        Fault(name="intervention_without_start", words="intervention without a first day", mend="Ask the school when it began.", policy="refuse", may_be=_NOT_KEPT),
        Fault(name="missing_cell", words="empty where a value is needed", mend="Fill the cell, or ask the sender.", policy="refuse", may_be=_NOT_KEPT),
        Fault(name="unknown_laestab", words="school named by a LAESTAB (838/4001) for which no URN is known, or more than one", mend="Give each LAESTAB beside one URN in the file of schools, or the URN here.", policy="refuse", may_be=_NOT_KEPT),
        Fault(name="unreadable_cell", words="not a date like 2024-09-02 or 02/09/2024, or not a number", mend="Write the cell in that form.", policy="refuse", may_be=_NOT_KEPT),
        Fault(name="unknown_value", words="no value of the column's list", mend="Say in the mapping, under [file.values.COLUMN], what it stands for.", policy="refuse", may_be=_NOT_KEPT),
        Fault(name="week_not_monday", words="week that does not begin on a Monday", mend="Give the Monday of each week.", policy="refuse", may_be=_NOT_KEPT),
        Fault(name="week_not_whole", words="week whose marks are neither ten nor fourteen: spaces or marks were lost", mend="Export it again as text, or with marks parted by commas.", policy="refuse", may_be=_NOT_KEPT),
        Fault(name="no_mark", words="half-day without a mark (blank or -)", mend="Nothing: it is taken neither as absent nor as present.", policy="exclude"),
        Fault(name="unknown_mark", words="mark that was no register code on its day", mend="Ask the school what it stands for.", policy="refuse"),
        Fault(name="conflicting_mark", words="half-day with different marks for one pupil at one school", mend="Ask the school which is right.", policy="refuse", may_be=_NOT_KEPT),
        Fault(name="duplicate_mark", words="half-day given again with the same mark", mend="Nothing: one is kept.", policy="exclude", may_be=_NOT_KEPT),
        Fault(name="conflicting_row", words="rows with one key that differ", mend="Ask the sender which is right.", policy="refuse", may_be=_NOT_KEPT),
        Fault(name="duplicate_row", words="row given again with the same content", mend="Nothing: one is kept.", policy="exclude", may_be=_NOT_KEPT),
        Fault(name="ends_before_start", words="last day before the first", mend="Correct the days.", policy="refuse"),
        Fault(name="future_date", words="day after the date of the extract", mend="Check --date; marks made ahead are no record of attendance.", policy="exclude"),
        Fault(name="intervention_school_unknown", words="intervention at a school that is not among the schools", mend="Correct the URN, or add the school.", policy="refuse"),
        Fault(name="two_main_schools", words="on roll at two schools at once, at both as the main one", mend="Ask which is the main school.", policy="keep"),
        Fault(name="overlapping_enrolments", words="enrolments of a pupil at one school that overlap", mend="Correct the days.", policy="keep"),
        Fault(name="mark_outside_roll", words="mark on a day on which the pupil was not on roll at the school", mend="Check the enrolments' days.", policy="exclude"),
        Fault(name="exclusion_of_unknown_pupil", words="suspension or exclusion of a pupil who is in neither pupils nor enrolments", mend="Ask for the leavers: reports often drop them.", policy="keep"),
        Fault(name="suspended_over_45_days", words="pupil suspended for more than 45 school days in an academic year", mend="Check the sessions.", policy="keep"),
        Fault(name="x_at_school_age", words="mark X at ages 5 to 15 outside 2019/20 to 2021/22", mend="Ask the school: X is for who is not of compulsory school age.", policy="keep"),
        Fault(name="mark_of_other_session", words="/ in the afternoon or \\ in the morning", mend="Nothing, unless the two are swapped throughout.", policy="keep"),
        Fault(name="not_a_pupil_number", words="pupil number that is no UPN by its check letter", mend="Check that the right column is named in the mapping.", policy="keep"),
        Fault(name="unknown_reason", words="reason that was not in the census's list on that day", mend="Nothing: it is kept as written.", policy="keep"),
    )
}  # fmt: skip
