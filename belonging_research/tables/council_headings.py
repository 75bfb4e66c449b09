"""What councils' systems and the Department's files call the columns of a council's tables, and their values.

As seen by :data:`SEEN` in the school census, in the Department's weekly pupil file and in exports of schools'
systems. They only fill a proposal that a person reads before it is used; a heading that is not here is no fault.
Headings are compared without case, spaces and signs.
"""

from __future__ import annotations

import datetime as dt

from belonging_research.tables.council import DESTINATION_KINDS, TIMING_DECIDED

SEEN = dt.date(2026, 11, 1)

_PUPIL = ("upn", "pupil upn", "unique pupil number", "pupil number")
_URN = ("urn", "school urn", "unique reference number", "unique_reference_number")
# The Department's number of an establishment: three digits of the council and four of the school.
_LAESTAB = ("la estab", "lea estab", "school laestab", "dfe number", "dfe no", "dfe school number", "dfes number")
_SCHOOL = (*_URN, "laestab", *_LAESTAB)
_START = ("start", "start date", "from date", "date from", "begin date", "began")
_END = ("end", "end date", "to date", "date to", "ended")
_DAY = ("date", "mark date", "session date", "attendance date", "register date")

# Columns that are read and never written as they are: a pupil's and a school's other number, births, weeks of marks.
FORMER, LAESTAB, WEEK_START, WEEK_MARKS = "former_upn", "laestab", "week_start", "week_marks"
# Where a school may be named by either number.
OF_SCHOOLS = ("urn", "from_urn", "to_urn")

HEADINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "schools": {
        "urn": _URN,
        LAESTAB: _LAESTAB,
        "phase": ("phase of education", "school phase", "school type"),
        "is_alternative_provision": ("alternative provision", "pru", "is ap", "ap"),
        "pyramid": ("school pyramid", "cluster", "locality partnership"),
    },
    "pupils": {
        "pupil": _PUPIL,
        FORMER: ("former upn", "previous upn", "old upn"),
        "birth_month": ("dob", "date of birth", "birth date", "month of birth"),
        "sex": ("gender", "legal sex"),
        "ever_fsm_6": ("everfsm_6", "fsm6", "ever 6 fsm", "fsm ever 6", "ever6"),
        "sen_provision": ("senprovision", "sen status", "sen stage", "sen"),
        "young_carer": ("youngcarer", "young carer indicator", "young carer status"),
        "young_carer_since": ("young carer date", "young carer identified", "young carer start"),
    },
    "enrolments": {
        "pupil": _PUPIL,
        "urn": _SCHOOL,
        "first_day": ("entry date", "admission date", "date of admission", "date of entry", "enrolment date", *_START),
        "last_day": ("leaving date", "date of leaving", "exit date", *_END),
        "is_boarder": ("boarder", "boarding"),
        "status": ("enrolstatus", "enrolment status", "registration status"),
    },
    "marks": {
        "pupil": _PUPIL,
        "urn": _SCHOOL,
        "day": _DAY,
        "session": ("am/pm", "am pm", "half day", "period"),
        "mark": ("attendance mark", "attendance code", "code", "register mark", "session code"),
        WEEK_START: ("week beginning", "week commencing", "w/c", "week starting", "week"),
        WEEK_MARKS: ("marks", "mark string", "weekly marks", "attendance marks", "codes"),
    },
    "exclusions": {
        "pupil": _PUPIL,
        "urn": _SCHOOL,
        "category": ("exclusion category", "exclusion type", "suspension type", "type"),
        "first_day": ("exclusion start date", "exclusion date", "suspension start date", *_START),
        "sessions": ("number of sessions", "actual number of sessions", "sessions excluded", "exclusion sessions"),
        "status": ("exclusion status", "outcome", "review outcome"),
        "status_day": ("status date", "review date", "outcome date"),
        "reasons": ("reason", "exclusion reason", "reason 1", "reason 2", "reason 3", "reason1", "reason2", "reason3"),
    },
    "destinations": {
        "pupil": _PUPIL,
        "kind": ("destination", "destination type", "route"),
        "first_day": _START,
        "last_day": _END,
        "from_urn": ("from school", "previous urn", "home school urn", "from laestab"),
        "to_urn": ("to school", "new urn", "receiving school urn", "provision urn", "to laestab"),
    },
    "interventions": {
        "intervention": ("intervention name", "programme", "activity"),
        "urn": _SCHOOL,
        "first_day": _START,
        "last_day": _END,
        "dose": ("amount", "quantity"),
        "dose_unit": ("unit", "amount unit"),
        "cost": ("cost (gbp)", "cost in pounds", "spend"),
        "timing": ("how the start was decided", "how decided", "timing decided", "allocation"),
    },
    "survey": {
        "pupil": _PUPIL,
        "urn": _SCHOOL,
        "wave": ("survey", "round", "survey wave"),
        "day": _DAY,
        "item": ("question", "question code", "item code"),
        "response": ("answer", "score"),
    },
    "weekly": {
        "pupil": _PUPIL,
        "urn": _SCHOOL,
        "academic_term": ("term",),
        "file_day": ("file date", "week ending"),
        "possible_sessions": (),
        "present_sessions": (),
        "approved_educational_activity_sessions": (),
        "authorised_absent_sessions": (),
        "unauthorised_absent_sessions": (),
        "absent_sessions": (),
    },
}

# Columns that say who somebody is. They are never read, under whatever heading of these they come.
NAMES: tuple[str, ...] = (
    "surname", "forename", "first name", "last name", "middle name", "middle names", "family name", "given name",
    "given names", "name", "full name", "pupil name", "student name", "child name", "preferred name", "preferred surname",
    "preferred forename", "former surname", "legal surname", "legal forename", "chosen name", "known as", "initials",
    "pupil_surname", "pupil_forename", "address", "address line 1", "address line 2", "postcode", "home postcode", "email",
    "telephone", "phone", "parent name", "carer name", "contact name",
)  # fmt: skip

_YES_NO = {
    "Y": "true", "Yes": "true", "True": "true", "T": "true", "1": "true",
    "N": "false", "No": "false", "False": "false", "F": "false", "0": "false",
    "U": "", "Unknown": "", "Not known": "",
}  # fmt: skip

# What values stand for, to be proposed: written value to own value, "" for not recorded. Anything else is a fault.
VALUES: dict[tuple[str, str], dict[str, str]] = {
    ("schools", "phase"): {
        "Primary": "primary", "Infant": "primary", "First": "primary", "Junior": "primary", "Nursery": "primary",
        "Middle deemed primary": "primary", "Middle deemed secondary": "secondary", "Secondary": "secondary",
        "All-through": "secondary", "Special": "special",
    },
    ("schools", "is_alternative_provision"): _YES_NO,
    ("pupils", "sex"): {"F": "F", "Female": "F", "M": "M", "Male": "M", "U": "", "Unknown": ""},
    ("pupils", "ever_fsm_6"): _YES_NO,
    ("pupils", "sen_provision"): {"N": "N", "K": "K", "E": "E", "S": "E", "EHCP": "E", "SEN support": "K", "No SEN": "N"},
    ("pupils", "young_carer"): {"N": "N", "P": "P", "S": "S"},
    ("enrolments", "is_boarder"): {**_YES_NO, "B": "true"},
    ("enrolments", "status"): {"C": "C", "M": "M", "S": "S", "G": "G", "F": "F", "O": "O"},
    ("marks", "session"): {
        "AM": "am", "A": "am", "Morning": "am", "A.M.": "am", "PM": "pm", "P": "pm", "Afternoon": "pm", "P.M.": "pm",
    },
    ("exclusions", "category"): {
        "SUSP": "suspension", "Suspension": "suspension", "FIXD": "suspension", "PERM": "permanent",
        "Permanent": "permanent", "Permanent exclusion": "permanent", "LNCH": "lunchtime", "Lunchtime": "lunchtime",
    },
    ("exclusions", "status"): {
        "Issued": "issued", "Cancelled": "cancelled", "Withdrawn": "cancelled", "Reinstated": "reinstated",
        "Upheld": "upheld",
    },
    ("destinations", "kind"): {
        "EHE": "home_education", "Elective home education": "home_education", "AP": "alternative_provision",
        "Alternative provision": "alternative_provision", "Managed move": "managed_move",
        "Off-site direction": "off_site_direction", "Moved away": "moved_away", "Moved out of area": "moved_away",
        "Other": "other", "Not known": "not_known",
    },
    ("interventions", "timing"): {},
}  # fmt: skip

# The values that a column of a checked extract may hold.
CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("schools", "phase"): ("primary", "secondary", "special"),
    ("schools", "is_alternative_provision"): ("true", "false"),
    ("pupils", "sex"): ("F", "M"),
    ("pupils", "ever_fsm_6"): ("true", "false"),
    ("pupils", "sen_provision"): ("N", "K", "E"),
    ("pupils", "young_carer"): ("N", "P", "S"),
    ("enrolments", "is_boarder"): ("true", "false"),
    ("enrolments", "status"): ("C", "M", "S", "G", "F", "O"),
    ("marks", "session"): ("am", "pm"),
    ("exclusions", "category"): ("suspension", "permanent", "lunchtime"),
    ("exclusions", "status"): ("issued", "cancelled", "reinstated", "upheld"),
    ("destinations", "kind"): tuple(DESTINATION_KINDS),
    ("interventions", "timing"): tuple(TIMING_DECIDED),
}
