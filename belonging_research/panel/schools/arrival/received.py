"""Every row that arrived: read, kept, or left out for a reason."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from belonging_research.panel.schools.arrival.shape import NO_SCHOOLS, Arrived, arrived
from belonging_research.panel.schools.study import SchoolStudy
from belonging_research.sources.council import ReceivedTable
from belonging_research.tables.faults import FAULTS
from belonging_research.tables.measures import Measures, Total

READ, KEPT = "read", "kept"
_COLUMNS = {"arrived": pa.string(), "files": pa.int64(), "became": pa.string(), "rows": pa.int64()}
# A count of rows is held to the limits of a count of pupils: a row of most tables is one pupil's.
_COUNTS = Measures(pupils=("rows",), other=("files",), total=Total(column="became", label=READ))
_TABLES: Mapping[str, str] = {
    "schools": "Schools",
    "pupils": "Pupils",
    "enrolments": "Enrolments",
    "marks": "Marks, one a half-day",
    "exclusions": "Suspensions and permanent exclusions",
    "destinations": "Moves out of a school's classrooms",
    "interventions": "Interventions",
    "survey": "Survey answers",
    "weekly": "Weekly attendance, one row a pupil",
}
# Where the fault's own words, written for who mends a file, would not do for a reader.
_REASONS: Mapping[str, str] = {
    "blank_row": "empty row",
    "exclusion_of_unknown_pupil": "suspension or permanent exclusion of a pupil who is in no other table",
}


def what_arrived(study: SchoolStudy | None) -> Arrived:
    """Rows of each table by what became of them: read, kept, and left out by reason, which add up to those read.

    ``files`` is their number: a file's name may be a school's. An extract that `receive` did not make has no account,
    and its rows are those kept. Rows kept with a fault are kept.
    """
    if study is None:
        return arrived((), _COLUMNS, _COUNTS, nothing=NO_SCHOOLS)
    accounts = {each.table: each for each in study.extract.account}
    rows = []
    for name, words in _TABLES.items():
        account = accounts.get(name)
        files = len(account.files if account else study.extract.tables.get(name, ()))
        if files:
            became = _became(study, name, account)
            rows += [{"arrived": words, "files": files, "became": what, "rows": n} for what, n in became]
    return arrived(rows, _COLUMNS, _COUNTS)


def _became(study: SchoolStudy, name: str, account: ReceivedTable | None) -> list[tuple[str, int]]:
    if account is None:
        return [(KEPT, int(study.engine.execute(study.tables[name].count())))]
    left_out = [(_REASONS.get(fault) or FAULTS[fault].words, n) for fault, n in sorted(account.excluded.items()) if n]
    return [(READ, account.rows_read), (KEPT, account.rows_kept), *left_out]
