"""Files as a council has them to a checked extract, written whole or not at all."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from belonging_research.errors import SourceError
from belonging_research.sources.council.account import ReceivedTable
from belonging_research.sources.council.checking import check_tables
from belonging_research.sources.council.headers import open_file
from belonging_research.sources.council.identifiers import holds_upn
from belonging_research.sources.council.keys import PupilHashes, read_key
from belonging_research.sources.council.mapping import proposed_mapping, read_mapping
from belonging_research.sources.council.staging import (
    Arrived,
    StagedFile,
    former_numbers,
    mark_values,
    school_numbers,
    stage,
)
from belonging_research.sources.council.workshop import Workshop
from belonging_research.sources.council.writing import FAULT_LIST, place_hashes, write_faults, write_origin, write_table
from belonging_research.tables.council import COUNCIL_TABLES
from belonging_research.tables.faults import FAULTS, FaultPolicy

Progress = Callable[[str, int, int], None]
BLANK_ROW = "blank_row"
MAPPING = "mapping.toml"
_NO_PLAN: Mapping[str, FaultPolicy] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What :func:`receive` did: the folder of the extract, the account of each table, and what else is to be known."""

    folder: Path
    tables: tuple[ReceivedTable, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consignment:
    """What is received, from whom, and where it goes.

    ``day`` is the day as at which the council drew the files, and the name of the extract's folder; ``key`` the file
    of the secret key; ``out`` holds a folder for each council.
    """

    files: tuple[Path, ...]
    council: str
    day: dt.date
    key: Path
    out: Path
    mapping: Path | None = None
    agreement: str = "not stated"

    @property
    def folder(self) -> Path:
        """Where the extract goes."""
        return self.out / self.council / self.day.isoformat()

    @property
    def mapping_file(self) -> Path:
        """The mapping that was named, else the council's own beside its extracts."""
        return self.mapping or self.out / self.council / MAPPING


def propose_mapping(consignment: Consignment) -> Path | None:
    """Write a mapping to be read by a person, where there is none yet; its path, or None where there was one.

    Raises
    ------
    SourceError
        If a file cannot be read or has no header, or what is asked for cannot be done.
    """
    _refuse_unsound(consignment)
    read_key(consignment.key, out=consignment.out)  # better said before anybody reads a mapping
    path = consignment.mapping_file
    if path.exists():
        return None
    text = proposed_mapping([open_file(file) for file in consignment.files], consignment.day)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return path


def receive(
    consignment: Consignment, *, policies: Mapping[str, FaultPolicy] = _NO_PLAN, progress: Progress | None = None
) -> Received:
    """Make a checked, de-identified extract of files, by a mapping that a person has read.

    ``policies`` are a plan's, by fault, where they differ from :data:`FAULTS`.

    Raises
    ------
    SourceError
        If a file, the key or the mapping is at fault, the extract is there already, or a fault is found whose policy
        is to refuse: then no extract is written, and every fault is listed beside where it would have been.
    """
    _refuse_unsound(consignment)
    key = read_key(consignment.key, out=consignment.out)
    arrived = read_mapping(consignment.mapping_file, consignment.files)
    folder = consignment.folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{folder.name}.*.partial"):
        shutil.rmtree(left, ignore_errors=True)  # of a run that was killed
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        (partial / "work").mkdir(parents=True)
        (partial / "extract").mkdir()
        done = _make(consignment, arrived, key, partial, {**_defaults(), **policies}, progress or _silent)
        (partial / "extract").rename(folder)
    except (duckdb.OutOfMemoryException, duckdb.IOException):
        raise SourceError(
            f"{folder.parent}: memory or disk ran out while rows were checked. Free some space there, about as much "
            "as the files take, or receive fewer files at a time."
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return done


def _silent(what: str, done: int, total: int) -> None:
    del what, done, total


def _defaults() -> dict[str, FaultPolicy]:
    return {name: fault.policy for name, fault in FAULTS.items()}


def _refuse_unsound(consignment: Consignment) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", consignment.council):
        raise SourceError(
            "--council: expected a short name in small letters, such as dorset: it becomes the name of a folder."
        )
    if consignment.folder.exists():
        raise SourceError(
            f"{consignment.folder}: is there already, and an extract is never edited. Give the date of the new one, or "
            "move the old one away."
        )
    names = [file.name for file in consignment.files]
    for name, times in Counter(names).items():
        if times > 1:
            raise SourceError(f"{name}: two files of that name. Rename one, so that a mapping can tell them apart.")
    if holds_upn(pa.array(names, pa.string())):
        raise SourceError("The name of a file holds a pupil number. Rename it: names of files are written down.")


def _make(
    consignment: Consignment,
    arrived: Sequence[Arrived],
    key: bytes,
    partial: Path,
    policies: Mapping[str, FaultPolicy],
    progress: Progress,
) -> Received:
    hashes = PupilHashes(key, former_numbers(arrived))
    staged = _stage_all(arrived, hashes, partial / "work", progress)
    with Workshop(staged, policies=policies, day=consignment.day, folder=partial / "work") as shop:
        shop.place("mark_values", mark_values(staged))
        place_hashes(shop, hashes.found)
        progress("checking", 0, 0)
        notes = (*check_tables(shop), *_staging_notes(staged))
        _refuse_faults(shop, consignment)
        extract = partial / "extract"
        for table in shop.tables:
            progress(f"writing {table}", 0, 0)
            write_table(shop, table, extract / f"{table}.parquet")
        write_faults(shop, extract / FAULT_LIST)
        accounts = tuple(_account(shop, table) for table in shop.tables)
    write_origin(
        extract,
        council=consignment.council,
        day=consignment.day,
        agreement=consignment.agreement,
        accounts=accounts,
        notes=notes,
    )
    _refused_list(consignment).unlink(missing_ok=True)
    return Received(folder=consignment.folder, tables=accounts, notes=notes)


def _stage_all(
    arrived: Sequence[Arrived], hashes: PupilHashes, work: Path, progress: Progress
) -> dict[str, list[StagedFile]]:
    staged: dict[str, list[StagedFile]] = defaultdict(list)
    schools, first = school_numbers(arrived), 0
    for number, (file, entry) in enumerate(arrived):
        progress(f"reading {file.name}", number + 1, len(arrived))
        each = stage(file, entry, hashes, schools, number=number, path=work / f"{number}.parquet", first=first)
        if each.rows == 0:
            raise SourceError(f"{file.name}: a header and no rows below it. Ask for the file again, or leave it out.")
        staged[entry.table].append(each)
        first += each.rows
    return {table: staged[table] for table in COUNCIL_TABLES if table in staged}


def _staging_notes(staged: Mapping[str, Sequence[StagedFile]]) -> list[str]:
    notes = []
    for each in (each for files in staged.values() for each in files):
        if each.names_dropped:
            notes.append(f"{each.file.name}: {each.names_dropped} column(s) of names left unread")
        if each.file.sheets_unread:
            notes.append(f"{each.file.name}: only its first sheet was read, {each.file.sheets_unread} other(s) not")
    return notes


def _account(shop: Workshop, table: str) -> ReceivedTable:
    kept, excluded, listed = shop.counts(table)
    blank = sum(each.blank_rows for each in shop.staged[table])
    excluded = {**excluded, **({BLANK_ROW: blank} if blank else {})}
    return ReceivedTable(
        table=table,
        files=tuple(each.file.name for each in shop.staged[table]),
        rows_read=kept + sum(excluded.values()),
        rows_kept=kept,
        excluded=excluded,
        listed=listed,
    )


def _refused_list(consignment: Consignment) -> Path:
    return consignment.folder.with_name(f"{consignment.folder.name}.refused.csv")


def _refuse_faults(shop: Workshop, consignment: Consignment) -> None:
    """Refuse the whole extract where a fault was found whose policy is to refuse; all are said at once."""
    lines = []
    for part, name, rows, first in shop.faults_found():
        if shop.policies[name] == "refuse":
            fault = FAULTS[name]
            lines.append(f"  {part}: {rows:,} time(s) {fault.words} ({name}), first in {first}. {fault.mend}")
    if not lines:
        return
    listed = _refused_list(consignment)
    write_faults(shop, listed)
    raise SourceError(
        "No extract was written: the files have faults for which that is the rule.\n"
        + "\n".join(lines)
        + f"\nAll are listed by file and row in {listed}. Mend the files; or say in a plan, under [faults], that such "
        "rows are to be left out and counted (exclude) or taken as they are (keep), and name it with --plan."
    )
