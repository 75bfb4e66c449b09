"""Which column of which file is what: proposed once, shown, read by a person, and only then used.

A mapping is TOML. Nothing in it is filled by likeness: a heading is known (:mod:`tables.council_headings`) or the line
stays empty with the headings to choose from beside it.
"""

from __future__ import annotations

import datetime as dt
import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from belonging_research.errors import SourceError
from belonging_research.sources.council.account import quote
from belonging_research.sources.council.headers import (
    SEVERAL,
    WEEK,
    ArrivedFile,
    columns_of,
    is_name,
    needed,
    open_file,
    recognised,
)
from belonging_research.tables.council import COUNCIL_TABLES
from belonging_research.tables.council_headings import CHOICES, FORMER, LAESTAB, SEEN, VALUES

SCHEMA = "belonging-mapping/1"
_FEWEST = 3  # headings of a second table in one file, before it is proposed too


class FileMapping(BaseModel):
    """How one file is read for one table: own column to heading, written value to own value, constants."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, strict=True)

    name: str
    table: str
    header_row: int = Field(ge=1)
    columns: dict[str, str | list[str]]
    constant: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}

    def headings(self, column: str) -> tuple[str, ...]:
        """The headings from which a column is read; none where the line is empty."""
        written = self.columns.get(column, "")
        return tuple(each for each in ([written] if isinstance(written, str) else written) if each)

    @property
    def read(self) -> dict[str, tuple[str, ...]]:
        """Own column to its headings, for the columns that are read."""
        return {column: found for column in self.columns if (found := self.headings(column))}


class CouncilMapping(BaseModel):
    """A whole mapping file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, strict=True)

    schema_: str = Field(alias="schema", pattern="^belonging-mapping/1$")
    file: tuple[FileMapping, ...] = Field(min_length=1)


def proposed_mapping(files: Sequence[ArrivedFile], day: dt.date) -> str:
    """A mapping for files as TOML, to be read by a person: known headings filled in, the others left empty.

    ``day`` is the day of the extract, which is proposed as the day of a weekly file.
    """
    lines = [
        "# Which column of which file is what. Proposed by `belonging receive`: read every line, mend what is wrong,",
        "# then run the same command again. Empty means: not in this file. Headings were known as of "
        f"{SEEN.isoformat()}.",
        "# A file that holds two tables is listed twice. A table of the wrong name would be read as that table.",
        f"schema = {quote(SCHEMA)}",
    ]
    for file in files:
        for table in _tables_of(file.headings) or ("",):
            lines += ["", *_proposed_file(file, table, day)]
    return "\n".join(lines) + "\n"


def _tables_of(headings: Sequence[str]) -> tuple[str, ...]:
    """The tables that a file seems to hold, the likeliest first; a second one only where nothing of it is missing."""
    scores = {}
    for table in COUNCIL_TABLES:
        found = recognised(table, headings)
        missing = [name for name in needed(table, found) if name not in found]
        scores[table] = (len(found) - len(missing), not missing and len(found) >= _FEWEST)
    best = max(scores, key=lambda table: scores[table][0])
    if scores[best][0] <= 0:
        return ()
    pair = {"pupils", "enrolments"}  # a school census has both in one row
    also = [table for table in pair - {best} if best in pair and scores[table][1] and scores[best][1]]
    return (best, *also)


def _proposed_file(file: ArrivedFile, table: str, day: dt.date) -> list[str]:
    found = recognised(table, file.headings) if table else {}
    used = {heading for headings in found.values() for heading in headings}
    free = [h for h in file.headings if h and h not in used and not is_name(h)]
    names = [h for h in file.headings if is_name(h)]
    lines = ["[[file]]", f"name = {quote(file.name)}"]
    choice = "" if table else f"  # choose one of: {', '.join(COUNCIL_TABLES)}"
    lines += [f"table = {quote(table)}{choice}", f"header_row = {file.header_at + 1}"]
    if names:
        lines.append(f"# never read, since they say who somebody is: {_listed(names)}")
    if free:
        lines.append(f"# not used: {_listed(free)}")
    lines += ["[file.columns]", *_proposed_columns(table, found, free)]
    lines += ["[file.constant]  # the same value for every row, where a file has no column for it"]
    if table == "weekly" and "file_day" not in found:
        lines.append(f"file_day = {quote(day.isoformat())}  # the day of the file: check it")
    for column in found:
        if values := _proposed_values(table, column):
            lines += [f"[file.values.{column}]  # as written = as kept; empty is 'not recorded'"]
            lines += [f"{quote(written)} = {quote(own)}" for written, own in values.items()]
    return lines


def _proposed_columns(table: str, found: Mapping[str, tuple[str, ...]], free: Sequence[str]) -> list[str]:
    if not table:
        return []
    must, lines = needed(table, found), []
    halves = [name for name in columns_of(table) if name not in (*WEEK, FORMER, LAESTAB)]
    shown = [name for name in columns_of(table) if name in must or name in found or name in halves]
    if table == "marks":
        shown = list(must)
    elif table in ("pupils", "schools"):
        shown.append(FORMER if table == "pupils" else LAESTAB)
    for column in dict.fromkeys(shown):
        written = found.get(column, ())
        value = f"[{_listed(written)}]" if len(written) > 1 else quote(written[0] if written else "")
        note = ""
        if not written:
            note = f"  # {'needed' if column in must else 'if there'}" + (
                f"; not used yet: {_listed(free)}" if free else ""
            )
        lines.append(f"{column} = {value}{note}")
    return lines


def _proposed_values(table: str, column: str) -> dict[str, str]:
    known = VALUES.get((table, column), {})
    written = {each.casefold() for each in known}  # case does not count
    return {**known, **{own: own for own in CHOICES.get((table, column), ()) if own.casefold() not in written}}


def read_mapping(path: Path, files: Iterable[Path]) -> list[tuple[ArrivedFile, FileMapping]]:
    """Each entry of a mapping with its file, in the mapping's order.

    Raises
    ------
    SourceError
        If the mapping is at fault: no TOML, a file that is not in it, a needed column without a heading, a heading
        that the file does not have, a name column, or a value that is none of the column's list. Keys are named.
    """
    content = _content(path)
    arrived = {each.name: each for each in files}
    listed = [entry.name for entry in content.file]
    for name in arrived:
        if name not in listed:
            raise SourceError(
                f"{path.name}: {name} is not in it. Add a [[file]] entry, or move the mapping away for a new one."
            )
    read = []
    for number, entry in enumerate(content.file):
        if entry.name in arrived:
            where = f"{path.name}: file.{number} ({entry.name})"
            _refuse_unsound(where, entry)
            file = open_file(arrived[entry.name], entry.header_row)
            _refuse_other_headings(where, entry, file)
            read.append((file, entry))
    return read


def _content(path: Path) -> CouncilMapping:
    try:
        content: Any = tomllib.loads(path.read_text(encoding="utf-8"))
        return CouncilMapping.model_validate_json(json.dumps(content, default=str))
    except OSError as error:
        raise SourceError(f"{path}: the mapping cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"{path.name}: not valid TOML in UTF-8: {error}.") from None
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        lines = [f"  {'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in faults]
        raise SourceError(f"{path.name}: {len(lines)} fault(s) in the mapping.\n" + "\n".join(lines)) from None


def _refuse_unsound(where: str, entry: FileMapping) -> None:
    if entry.table not in COUNCIL_TABLES:
        raise SourceError(f"{where}: table: no table of a council. Choose one of {', '.join(COUNCIL_TABLES)}.")
    known = columns_of(entry.table)
    for part in ("columns", "constant", "values"):
        for column in getattr(entry, part):
            if column not in known:
                close = difflib.get_close_matches(column, known, n=1)
                hint = f" Did you mean {close[0]}?" if close else ""
                raise SourceError(f"{where}: {part}.{column}: {entry.table} has no such column.{hint}")
    for part in ("constant", "values"):
        if LAESTAB in getattr(entry, part):
            raise SourceError(f"{where}: {part}.{LAESTAB}: each school has its own, as written. Take it out.")
    for column in ("pupil", FORMER):
        if column in entry.constant:
            raise SourceError(f"{where}: constant.{column}: a pupil number never stands in a mapping. Take it out.")
    for column in entry.read.keys() & entry.constant.keys():
        raise SourceError(f"{where}: {column} has a heading and a constant. Take one out.")
    has = {**entry.read, **entry.constant}
    missing = [column for column in needed(entry.table, has) if column not in has]
    if missing:
        raise SourceError(
            f"{where}: {entry.table} needs {', '.join(missing)}. Give the heading under [file.columns], or one value "
            "for every row under [file.constant]."
        )
    for column, values in entry.values.items():
        for own in values.values():
            choices = CHOICES.get((entry.table, column))
            if choices and own not in ("", *choices):
                raise SourceError(
                    f"{where}: values.{column}: found {own!r}; expected {', '.join(choices)}, or nothing."
                )


def _refuse_other_headings(where: str, entry: FileMapping, file: ArrivedFile) -> None:
    for column, headings in entry.read.items():
        if len(headings) > 1 and column != SEVERAL:
            raise SourceError(f"{where}: columns.{column}: several headings; only {SEVERAL} may have more than one.")
        for heading in headings:
            if is_name(heading):
                raise SourceError(f"{where}: columns.{column}: {heading!r} says who somebody is and is never read.")
            if heading not in file.headings:
                close = difflib.get_close_matches(heading, file.headings, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else f" There are: {_listed(file.headings)}."
                raise SourceError(f"{where}: columns.{column}: the file has no heading {heading!r}.{hint}")


def _listed(headings: Iterable[str]) -> str:
    return ", ".join(quote(heading) for heading in headings)
