"""A council's extract among the sources of a run: which tables, how many rows, no small number."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow.parquet

from belonging_research.plan import SecrecyPolicy
from belonging_research.sources.account import SourceFile
from belonging_research.sources.council.extract import CouncilExtract
from belonging_research.sources.reading import file_sha256


def source_files(council: CouncilExtract, policy: SecrecyPolicy) -> tuple[SourceFile, ...]:
    """One account a table, its counts as the secrecy policy lets them out: rounded, small ones said in words.

    A reason with fewer rows than the policy's threshold keeps its name, with "fewer than 10" and no number. Hashes are
    of whole tables: a council's extract is one thing, whatever the report year.
    """
    accounts = {each.table: each for each in council.account}
    made = []
    for table, files in council.tables.items():
        rows = sum(pyarrow.parquet.read_metadata(file).num_rows for file in files)
        account = accounts.get(table)
        excluded = {} if account is None else _coarse(account.excluded, policy)
        used = _rounded(rows, policy)
        sha256 = file_sha256(files[0]) if len(files) == 1 else council.digest
        made.append(
            SourceFile(
                file=f"{table}.parquet", layout=f"council_{table}", title=f"The council's own table of {table}",
                publication="not published", producer=council.producer, licence="the council's own, restricted",
                sha256=sha256, file_sha256=sha256, rows_read=used + sum(excluded.values()), rows_used=used,
                excluded=excluded, first_period=None, last_period=None, as_at=council.date, dated_by="fetched",
            )
        )  # fmt: skip
    return tuple(made)


def _coarse(excluded: Mapping[str, int], policy: SecrecyPolicy) -> dict[str, int]:
    found = {}
    for reason, rows in sorted(excluded.items()):
        if 0 < rows < policy.pupils:
            found[f"{reason}, fewer than {policy.pupils}"] = 0
        elif rows:
            found[reason] = _rounded(rows, policy)
    return found


def _rounded(rows: int, policy: SecrecyPolicy) -> int:
    base = policy.round_counts_to
    return (rows + base // 2) // base * base
