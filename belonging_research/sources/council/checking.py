"""The faults that only show when rows stand beside one another: each one a question to the tables, in SQL.

Order matters: a row that is out is not looked at again, and tables are checked after those that they are checked
against. A check whose other table did not arrive is not made, and is named as not made.
"""

from __future__ import annotations

import pyarrow as pa

from belonging_research.errors import SourceError
from belonging_research.sources.council.workshop import Workshop
from belonging_research.tables.council import COUNCIL_TABLES
from belonging_research.tables.exclusion_codes import EXCLUSION_REASONS
from belonging_research.tables.register_codes import REGISTER_CODES

# Days on which something has happened; an admission or an intervention may lie ahead.
_HAPPENED = {
    "exclusions": "first_day", "destinations": "first_day", "survey": "day", "weekly": "file_day", "marks": "day",
}  # fmt: skip
_SPANS = ("enrolments", "destinations", "interventions")
_ROW = "n, file, row, pupil_no"
_SESSIONS_OF_45_DAYS = 90
# X stood for covid too in these academic years, by the year in which each began.
_COVID = (2019, 2020, 2021)
_NO_MARK = ("", "-")
# Schools' own marks and reasons have up to three signs (I01). What is longer is a remark, which may name somebody, and
# no policy keeps it.
_LONGEST_CODE = 3
_OTHER_SESSION = r"(mark = '/' AND session = 'pm') OR (mark = '\' AND session = 'am')"


def check_tables(shop: Workshop) -> list[str]:
    """Type every table that arrived and look for each fault; the checks that could not be made, in words.

    Raises
    ------
    SourceError
        If the mornings and afternoons of a file are swapped.
    """
    _place_codes(shop)
    for table in shop.tables:
        shop.type_table(table)
        if table == "marks":
            _check_marks(shop)
        _check_repeats(shop, table)
        _check_days(shop, table)
    if "enrolments" in shop.tables:
        _check_rolls(shop)
    if "exclusions" in shop.tables:
        _check_exclusions(shop)
    not_made = []
    for table, against, words, check in _ACROSS:
        if table in shop.tables and any(other in shop.tables for other in against):
            check(shop)
        elif table in shop.tables:
            not_made.append(f"not checked, for want of {' or '.join(against)}: {words}")
    return not_made


def _place_codes(shop: Workshop) -> None:
    for name, codes in (
        ("register_codes", [(code.mark, code.first_day, code.last_day) for code in REGISTER_CODES]),
        ("reason_codes", [(reason.code, reason.first_day, reason.last_day) for reason in EXCLUSION_REASONS]),
    ):
        code, first, last = zip(*codes, strict=True)
        days = {"first": pa.array(first, pa.date32()), "last": pa.array(last, pa.date32())}
        shop.place(name, pa.table({"code": pa.array(code, pa.string()), **days}))


def _in_use(codes: str, code: str, day: str) -> str:
    return (
        f"EXISTS (SELECT 1 FROM {codes} WHERE code = {code} AND {day} >= coalesce(first, DATE '1900-01-01')"
        f" AND {day} <= coalesce(last, DATE '2999-12-31'))"
    )


def _check_marks(shop: Workshop) -> None:
    blank = ", ".join(f"'{mark}'" for mark in _NO_MARK)
    shop.fault("marks", "no_mark", f"SELECT {_ROW} FROM marks WHERE mark IN ({blank})", "mark")
    comment = f"SELECT {_ROW} FROM marks WHERE length(mark) > {_LONGEST_CODE}"
    shop.fault("marks", "unknown_value", comment, "mark")
    # Few marks on few days, however many rows there are of them.
    unknown = (
        f"SELECT mark, day FROM (SELECT DISTINCT mark, day FROM marks WHERE mark NOT IN ({blank}))"
        f" WHERE NOT {_in_use('register_codes', 'mark', 'day')}"
    )
    shop.fault("marks", "unknown_mark", f"SELECT {_ROW} FROM marks JOIN ({unknown}) USING (mark, day)", "mark")
    _refuse_swapped(shop)
    shop.fault("marks", "mark_of_other_session", f"SELECT {_ROW} FROM marks WHERE {_OTHER_SESSION}", "mark")


def _refuse_swapped(shop: Workshop) -> None:
    # Both, since a system may write / for a whole day.
    swapped = shop.engine.execute(
        r"SELECT file FROM marks WHERE mark IN ('/', '\') GROUP BY file HAVING"
        r" 2 * count(*) FILTER (mark = '/' AND session = 'pm') > count(*) FILTER (mark = '/') AND"
        r" 2 * count(*) FILTER (mark = '\' AND session = 'am') > count(*) FILTER (mark = '\')"
    ).fetchone()
    if swapped:
        name = next(each.file.name for each in shop.staged["marks"] if each.number == swapped[0])
        raise SourceError(
            f"{name}: most of its marks / are in the afternoon and most of \\ in the morning: the two are swapped. "
            "Expected the morning first. Mend the order, or the values of session in the mapping."
        )


def _check_repeats(shop: Workshop, table: str) -> None:
    """Rows with one key: alike, all but the first go; where they differ, none can be told to be right and all go."""
    spec = COUNCIL_TABLES[table]
    key = ", ".join("pupil_no" if name == "pupil" else name for name in spec.key)
    own = [name for name in spec.schema.names if name != "pupil"]
    content = "mark" if table == "marks" else f"hash({', '.join(own)})"
    row = "mark" if table == "marks" else "row"
    shop.engine.execute(
        f"CREATE OR REPLACE TEMP TABLE repeats AS SELECT {key}, min(n) AS first_n, min({content}) <> max({content}) AS"
        f" differ FROM {table} GROUP BY {key} HAVING count(*) > 1"
    )
    for kind, condition in (("conflicting", "differ"), ("duplicate", "NOT differ AND n <> first_n")):
        rows = f"SELECT {_ROW} FROM {table} JOIN repeats USING ({key}) WHERE {condition}"
        shop.fault(table, f"{kind}_{row}", rows, spec.key[-1])


def _check_days(shop: Workshop, table: str) -> None:
    if table in _SPANS:
        rows = f"SELECT {_ROW} FROM {table} WHERE last_day < first_day"
        shop.fault(table, "ends_before_start", rows, "last_day")
    if table in _HAPPENED:
        column = _HAPPENED[table]
        rows = f"SELECT {_ROW} FROM {table} WHERE {column} > DATE '{shop.day.isoformat()}'"
        shop.fault(table, "future_date", rows, column)


def _check_rolls(shop: Workshop) -> None:
    pairs = (
        "SELECT DISTINCT a.n, a.file, a.row, a.pupil_no FROM enrolments a JOIN enrolments b ON a.pupil_no = b.pupil_no"
        " AND a.n <> b.n AND a.first_day <= coalesce(b.last_day, DATE '2999-12-31')"
        " AND b.first_day <= coalesce(a.last_day, DATE '2999-12-31')"
    )
    shop.fault("enrolments", "overlapping_enrolments", f"{pairs} WHERE a.urn = b.urn", "first_day")
    main = f"{pairs} WHERE a.urn <> b.urn AND a.status IN ('C', 'M') AND b.status IN ('C', 'M')"
    shop.fault("enrolments", "two_main_schools", main, "status")


def _intervention_schools(shop: Workshop) -> None:
    rows = f"SELECT {_ROW} FROM interventions ANTI JOIN schools USING (urn)"
    shop.fault("interventions", "intervention_school_unknown", rows, "urn")


def _unknown_pupils(shop: Workshop) -> None:
    known = " UNION ".join(f"SELECT pupil_no FROM {t} " for t in ("pupils", "enrolments") if t in shop.tables)
    rows = f"SELECT {_ROW} FROM exclusions ANTI JOIN ({known}) known USING (pupil_no)"
    shop.fault("exclusions", "exclusion_of_unknown_pupil", rows, "pupil")


def _check_exclusions(shop: Workshop) -> None:
    """Days already served count towards 45 whatever became of the suspension, so cancelled ones are in the sum."""
    year = "year(first_day) - CAST(month(first_day) < 8 AS INTEGER)"
    over = (
        f"SELECT {_ROW} FROM (SELECT *, sum(sessions) OVER (PARTITION BY pupil_no, {year}) AS total FROM exclusions"
        f" WHERE category = 'suspension') WHERE total > {_SESSIONS_OF_45_DAYS}"
    )
    comment = f"len(list_filter(reasons, lambda code: length(code) > {_LONGEST_CODE})) > 0"
    shop.fault("exclusions", "unknown_value", f"SELECT {_ROW} FROM exclusions WHERE {comment}", "reasons")
    shop.fault("exclusions", "suspended_over_45_days", over, "sessions")
    each = f"SELECT {_ROW}, first_day, unnest(reasons) AS reason FROM exclusions"
    unknown = f"SELECT DISTINCT {_ROW} FROM ({each}) WHERE NOT {_in_use('reason_codes', 'reason', 'first_day')}"
    shop.fault("exclusions", "unknown_reason", unknown, "reasons")


def _outside_roll(shop: Workshop) -> None:
    rows = (
        "SELECT marks.n, marks.file, marks.row, marks.pupil_no FROM marks ANTI JOIN enrolments e ON"
        " marks.pupil_no = e.pupil_no AND marks.urn = e.urn AND marks.day >= e.first_day"
        " AND marks.day <= coalesce(e.last_day, DATE '2999-12-31')"
    )
    shop.fault("marks", "mark_outside_roll", rows, "day")


def _x_at_school_age(shop: Workshop) -> None:
    """Age on 31 August before the academic year; a month of birth is enough, as that is the last day of one."""
    began = "(year(day) - CAST(month(day) < 8 AS INTEGER))"
    age = f"({began} - year(birth_month) - CAST(month(birth_month) > 8 AS INTEGER))"
    rows = (
        f"SELECT marks.n, marks.file, marks.row, marks.pupil_no FROM marks JOIN pupils USING (pupil_no)"
        f" WHERE mark = 'X' AND {age} BETWEEN 5 AND 15 AND {began} NOT IN {_COVID}"
    )
    shop.fault("marks", "x_at_school_age", rows, "mark")


_ACROSS = (
    ("interventions", ("schools",), "whether interventions are at schools that exist", _intervention_schools),
    ("exclusions", ("pupils", "enrolments"), "whether pupils suspended or excluded are known", _unknown_pupils),
    ("marks", ("enrolments",), "whether marks lie on days on roll", _outside_roll),
    ("marks", ("pupils",), "whether X was used at ages 5 to 15", _x_at_school_age),
)
