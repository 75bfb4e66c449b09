"""Where staged rows are typed and checked: DuckDB over Parquet, so that tens of millions of marks need little memory.

Nothing here holds a pupil number: rows are known by the place of their pupil in the list of hashes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from belonging_research.sources.council.columns import (
    MACROS,
    CellCheck,
    cell_checks,
    half_day_checks,
    marks_sql,
    quoted,
    typed_columns,
    week_checks,
)
from belonging_research.sources.council.headers import WEEK
from belonging_research.sources.council.staging import StagedFile
from belonging_research.tables.council import COUNCIL_TABLES
from belonging_research.tables.faults import FAULTS, FaultPolicy

_MEMORY = "2GB"


class Workshop:
    """Staged files, typed table by table, with every fault of every row in one list.

    ``policies`` is what to do about each fault; ``day`` the day of the extract; ``tables`` those that arrived.
    ``folder`` is for rows that do not fit in memory, none of which say who anybody is.
    """

    def __init__(
        self,
        staged: Mapping[str, Sequence[StagedFile]],
        *,
        policies: Mapping[str, FaultPolicy],
        day: dt.date,
        folder: Path,
    ) -> None:
        self.policies, self.day, self.folder = policies, day, folder
        self.staged = staged
        self.tables = tuple(table for table in COUNCIL_TABLES if table in staged)
        self.engine = duckdb.connect(config={"memory_limit": _MEMORY, "temp_directory": str(folder / "spill")})
        self.engine.execute("SET preserve_insertion_order = false")
        self.engine.execute(MACROS)
        self.engine.execute(
            "CREATE TABLE faults (part VARCHAR, fault VARCHAR, n BIGINT, file INTEGER, row BIGINT, column_name VARCHAR,"
            " pupil_no INTEGER)"
        )
        # A row goes out once, by the first fault that takes it out.
        self.engine.execute("CREATE TABLE out (part VARCHAR, n BIGINT, fault VARCHAR)")

    def __enter__(self) -> Workshop:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.close()

    def place(self, name: str, table: pa.Table) -> None:
        """Make a small table of ours known to the engine."""
        self.engine.register(f"arrow_{name}", table)
        self.engine.execute(f"CREATE TABLE {name} AS SELECT * FROM arrow_{name}")
        self.engine.unregister(f"arrow_{name}")

    def fault(self, part: str, name: str, rows: str, column: str = "") -> None:
        """List a fault of rows of a table: ``rows`` is a SELECT that gives n, file, row and pupil_no.

        Rows that are already out are passed over; these go out too unless the policy is to keep them.
        """
        found = self._number(
            "INSERT INTO faults SELECT ?, ?, n, file, row, ?, pupil_no FROM "
            f"({rows}) ANTI JOIN (SELECT n FROM out WHERE part = ?) gone USING (n)",
            [part, name, column, part],
        )
        if found and self.policies[name] != "keep":
            self._take_out(part, name)

    def _take_out(self, part: str, *names: str) -> None:
        self.engine.execute(
            "INSERT INTO out SELECT DISTINCT part, n, fault FROM faults WHERE part = ? AND list_contains(?, fault)"
            " AND n NOT IN (SELECT n FROM out WHERE part = ?)",
            [part, list(names), part],
        )

    def type_table(self, table: str) -> None:
        """Type a table's staged rows as view ``<table>``, without the rows whose cells are at fault."""
        self.engine.execute(f"CREATE VIEW staged_{table} AS SELECT * FROM read_parquet({_paths(self.staged[table])})")
        self._check_cells(table, f"staged_{table}", cell_checks(table))
        if table == "marks":
            self._take_weeks_apart()
        else:
            columns = ", ".join(f"{sql} AS {name}" for name, sql in typed_columns(table).items())
            self.engine.execute(
                f"CREATE TABLE typed_{table} AS SELECT n, file, row, pupil_no, is_upn, {columns} FROM staged_{table}"
                f" ANTI JOIN (SELECT n FROM out WHERE part = '{table}') gone USING (n)"
            )
        self.engine.execute(
            f"CREATE VIEW {table} AS SELECT * FROM typed_{table}"
            f" ANTI JOIN (SELECT n FROM out WHERE part = '{table}') gone USING (n)"
        )
        if "pupil" in COUNCIL_TABLES[table].schema.names:
            rows = f"SELECT n, file, row, pupil_no FROM typed_{table} WHERE NOT is_upn"
            self.fault(table, "not_a_pupil_number", rows, "pupil")

    def _check_cells(self, table: str, source: str, checks: Iterable[CellCheck]) -> None:
        """List the first of ``checks`` that each row fails; none of them can be kept. One pass, however many rows."""
        listed = list(checks)
        faults, columns = quoted([each.fault for each in listed]), quoted([each.column for each in listed])
        cases = " ".join(f"WHEN {each.condition} THEN {place}" for place, each in enumerate(listed, start=1))
        found = self._number(
            f"INSERT INTO faults SELECT ?, [{faults}][failed], n, file, row, [{columns}][failed], pupil_no FROM"
            f" (SELECT n, file, row, pupil_no, CASE {cases} END AS failed FROM {source})"
            " ANTI JOIN (SELECT n FROM out WHERE part = ?) gone USING (n) WHERE failed IS NOT NULL",
            [table, table],
        )
        if found:
            self._take_out(table, *(each.fault for each in listed))

    def _take_weeks_apart(self) -> None:
        """Marks as one row a half-day in Parquet; from here on ``n`` counts half-days."""
        weeks = [each.number for each in self.staged["marks"] if any(name in each.entry.read for name in WEEK)]
        by_week = f"file IN ({', '.join(map(str, weeks)) or 'NULL'})"
        in_weeks = f"(SELECT * FROM staged_marks WHERE {by_week})"
        self._check_cells("marks", in_weeks, week_checks())
        self._check_cells(
            "marks", f"(SELECT * FROM staged_marks WHERE NOT coalesce({by_week}, false))", half_day_checks()
        )
        whole = "(SELECT * FROM staged_marks ANTI JOIN (SELECT n FROM out WHERE part = 'marks') gone USING (n))"
        typed = self.folder / "typed-marks.parquet"
        self.engine.execute(
            f"""COPY (
                SELECT one.n, one.file, one.row, pupil_no, is_upn, urn, day, session,
                    upper(replace(coalesce(own, trim(raw)), '\\\\', '\\')) AS mark
                FROM ({marks_sql(whole, weeks)}) one
                LEFT JOIN mark_values ON mark_values.file = one.file AND mark_values.written = upper(trim(raw))
            ) TO '{_path(typed)}' (FORMAT parquet)"""
        )
        self.engine.execute(f"CREATE VIEW typed_marks AS SELECT * FROM read_parquet('{_path(typed)}')")
        # Rows that never became half-days keep their place in the list, beside the numbers of half-days.
        for name in ("out", "faults"):
            self.engine.execute(f"UPDATE {name} SET n = -1 - n WHERE part = 'marks'")

    def counts(self, table: str) -> tuple[int, dict[str, int], dict[str, int]]:
        """Rows left, rows out by fault, and rows kept though they have a fault, by fault."""
        kept = self._number(f"SELECT count(*) FROM {table}")
        gone = self._by_fault("SELECT fault, count(*) FROM out WHERE part = ? GROUP BY fault", table)
        listed = self._by_fault(
            "SELECT fault, count(DISTINCT n) FROM (SELECT * FROM faults WHERE part = ?) ANTI JOIN"
            " (SELECT n FROM out WHERE part = ?) gone USING (n) GROUP BY fault",
            table,
            table,
        )
        return kept, gone, listed

    def faults_found(self) -> list[tuple[str, str, int, str]]:
        """Each fault of each table, how many times, and where first: file, row and column, never the cell."""
        names = {each.number: each for staged in self.staged.values() for each in staged}
        order = list(FAULTS)
        found = self.engine.execute(
            "SELECT part, fault, count(*), min({'file': file, 'row': row, 'column': column_name}) FROM faults"
            " GROUP BY part, fault"
        ).fetchall()
        found.sort(key=lambda each: (self.tables.index(each[0]), order.index(each[1])))
        return [
            (part, fault, rows, _where(names[first["file"]], first["row"], first["column"]))
            for part, fault, rows, first in found
        ]

    def _number(self, sql: str, values: Sequence[str] = ()) -> int:
        found = self.engine.execute(sql, list(values)).fetchone()
        return int(found[0]) if found else 0

    def _by_fault(self, sql: str, *values: str) -> dict[str, int]:
        found = {str(fault): int(rows) for fault, rows in self.engine.execute(sql, list(values)).fetchall()}
        return {fault: found[fault] for fault in FAULTS if fault in found}


def _where(staged: StagedFile, row: int, column: str) -> str:
    heading = " and ".join(staged.entry.headings(column)) or column
    return f"{staged.file.name} row {row}, column {heading}"


def _paths(staged: Iterable[StagedFile]) -> str:
    return "[" + ", ".join(f"'{_path(each.path)}'" for each in staged) + "]"


def _path(path: Path) -> str:
    return str(path).replace("'", "''")
