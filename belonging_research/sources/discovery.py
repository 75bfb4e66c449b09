"""Walking folders: which files there are, what layout each has, and what is said about the others."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from belonging_research.errors import SourceError
from belonging_research.sources import origin as origins
from belonging_research.sources.batch import Batch
from belonging_research.sources.layouts import Layout, key, match, nearest, renamed
from belonging_research.sources.origin import Origin, read_origin
from belonging_research.sources.reading import (
    Cells,
    Sniffed,
    file_sha256,
    is_lock,
    is_table,
    not_gzip,
    read_cells,
    refuse_duplicate_columns,
    sniff,
)
from belonging_research.sources.registry import LAYOUTS, USED

_SMALL_LOOKUP = 5  # a lookup of so few columns resembles much: only one of them may be missing
_NEARLY = 0.75  # with fewer of a layout's columns a table is another one, and renaming would not make it this


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file of a used layout. ``name`` has no folder, except where two files have one name."""

    sniffed: Sniffed
    name: str
    layout: Layout
    header_at: int
    header: tuple[str, ...]
    sha256: str
    origin: Origin | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A table of no known layout: its name, and what was found and expected, as a sentence."""

    name: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The files to read, in the order of their layout and name, and what is to be said of the rest.

    ``later`` is whether a file was passed over because its extract is later than the data-as-at date.
    """

    files: tuple[Found, ...]
    notes: tuple[str, ...]
    folders: tuple[str, ...]
    later: bool


def discover(folders: Path | str | Sequence[Path | str], data_as_at: dt.date | None = None) -> Discovery:
    """Every file below the folders, told apart by its header.

    Raises
    ------
    SourceError
        If a folder is missing or empty, an extract differs from its ``origin.toml``, a file is damaged or almost of
        a used layout, or a table's layout is not known; all of the last kind are named at once.
    """
    given = [folders] if isinstance(folders, str | Path) else list(folders)
    roots = [Path(folder) for folder in given]
    notes: list[str] = []
    paths = _walk(roots)
    records = [read_origin(path) for path in paths if path.name == origins.NAME]
    found: list[Found] = []
    unknown: list[Unknown] = []
    later = False
    for path in paths:
        if path.name == origins.NAME:
            continue
        if is_lock(path):
            notes.append(f"{path.name}: says that a workbook is open, and is no table; not read.")
            continue
        record = _record_of(path, records)
        if record and record.date and data_as_at and record.date > data_as_at:
            later = True
            notes.append(f"{path.name}: in an extract of {record.date}, after the data-as-at date; not read.")
            continue
        what = identify(path, record)
        if isinstance(what, Found):
            found.append(what)
        elif isinstance(what, Unknown):
            unknown.append(what)
        else:
            notes.append(what)
    _refuse_unknown(unknown)
    if any(not any(_below(record.folder, root) for record in records) for root in roots):
        # Without the folder's name: it belongs to one machine, and the same files are the same study.
        notes.append("no origin.toml beside the files, so they are read as they are, unchecked.")
    unique, repeated = _unique(found)
    files = tuple(sorted(_named_apart(unique), key=lambda f: (f.layout.name, f.name)))
    return Discovery(
        files=files,
        notes=tuple(sorted([*notes, *repeated])),
        folders=tuple(root.name or "given" for root in roots),
        later=later,
    )


def _walk(roots: Sequence[Path]) -> list[Path]:
    if not roots:
        raise SourceError("No folder of data was given. Name at least one.")
    paths: dict[Path, None] = {}
    for root in roots:
        if not root.is_dir():
            raise SourceError(f"{root.name or 'the folder'}: no such folder. Check the path given as data.")
        below = sorted(p for p in root.rglob("*") if p.is_file())
        if not below:
            raise SourceError(f"{root.name}: the folder is empty. Put the published files there, or fetch them.")
        for path in below:
            paths.setdefault(path.resolve())
    return list(paths)


def _below(folder: Path, root: Path) -> bool:
    return folder == root.resolve() or root.resolve() in folder.parents


def _record_of(path: Path, records: Sequence[Origin]) -> Origin | None:
    above = [r for r in records if r.folder == path.parent or r.folder in path.parents]
    return max(above, key=lambda r: len(r.folder.parts), default=None)


def identify(path: Path, record: Origin | None = None) -> Found | Unknown | str:
    """A file of a used layout, a table of none, or the sentence to print about a file that is not read.

    Raises
    ------
    SourceError
        If the file is damaged, has two rows that could be its header, or has nearly all columns of a used layout and
        is not of it.
    """
    sniffed = sniff(path)
    if sniffed is None:
        return Unknown(name=path.name, said="not a text") if is_table(path) else f"{path.name}: not a table; not read."
    matched = [(layout, at, header) for at, header in sniffed.headers if (layout := match(header, LAYOUTS)) is not None]
    if not matched:
        return _unknown(path, sniffed)
    layout, at, header = matched[0]
    if len(matched) > 1:
        raise SourceError(
            f"{path.name}: rows {at + 1} and {matched[1][1] + 1} could both be the header. Expected one table with one "
            "header: remove one of these rows, and what belongs to it."
        )
    if not layout.used:
        return f"{path.name}: {layout.title} (layout {layout.name}), known and not used: {layout.why_not}."
    refuse_duplicate_columns(path, header, layout.repeats)
    _refuse_renamed_optional(path, layout, header)
    strangers = [name for name in layout.unexpected(header) if name.strip()]
    notes: list[str] = []
    if at and sniffed.container == "text":
        notes.append(f"{path.name}: the header is row {at + 1}; what stands above it is not read.")
    if strangers:
        notes.append(f"{path.name}: columns new to layout {layout.name}, not read: {', '.join(strangers)}.")
    return Found(
        sniffed=sniffed,
        name=path.name,
        layout=layout,
        header_at=at,
        header=header,
        sha256=file_sha256(path),
        origin=record,
        notes=tuple(notes),
    )


def _refuse_renamed_optional(path: Path, layout: Layout, header: Sequence[str]) -> None:
    found = layout.columns(header)
    absent = [names[0] for names in layout.optional if names[0] not in found]
    guesses = renamed(layout, header, absent)
    if guesses:
        absent_name, stranger = next(iter(guesses.items()))
        raise SourceError(
            f"{path.name}: column {stranger!r} is not known to layout {layout.name} ({layout.title}). Did you mean "
            f"{absent_name!r}? Rename it, or remove it if it is something else."
        )


def _unknown(path: Path, sniffed: Sniffed) -> Unknown | str:
    _, (layout, share), header = max(
        ((nearest(header, USED)[1], nearest(header, USED), header) for _, header in sniffed.headers),
        key=lambda entry: entry[0],
        default=(0.0, (USED[0], 0.0), ()),
    )
    missing = layout.missing(header)
    small = len(layout.required) < _SMALL_LOOKUP and layout.family == "lookup"
    if (share >= 0.5 and len(missing) == 1) or (share >= _NEARLY and not small):
        raise _almost(path, layout, header, missing)
    for _, row in sniffed.headers:
        _refuse_other_separator(path, row)
    if not is_table(path):
        return f"{path.name}: not a table; not read."
    if path.suffix.lower() == ".gz" and not path.read_bytes().startswith(b"\x1f\x8b"):
        raise not_gzip(path)
    return Unknown(name=path.name, said=_found_and_expected(layout, header, missing))


def _found_and_expected(layout: Layout, header: Sequence[str], missing: Sequence[str]) -> str:
    # Names that no layout has are counted, not quoted: without a header the first row may be about a pupil.
    known = [names for each in LAYOUTS for names in (*each.shared, *each.required, *each.optional)]
    ours = {key(name) for names in known for name in names}
    familiar = [name.strip() for name in header if key(name) in ours]
    found = f"{len(header)} columns" + (
        f", of them known {', '.join(familiar)}" if familiar else ", none of them known"
    )
    return f"found {found}; nearest known layout: {layout.title} ({layout.name}), which needs {', '.join(missing)}"


def _refuse_unknown(unknown: Sequence[Unknown]) -> None:
    if unknown:
        said = "\n".join(f"  {each.name}: layout not known: {each.said}." for each in unknown)
        raise SourceError(
            f"{len(unknown)} table(s) of a layout that is not known. Expected only files of the layouts that "
            f"data/README.md lists, with their header in one of the first rows.\n{said}\n"
            "Download a file again if its header was changed; otherwise move the file out of the folder."
        )


def _almost(path: Path, layout: Layout, header: Sequence[str], missing: Sequence[str]) -> SourceError:
    guesses = renamed(layout, header, missing)
    lacks = ", ".join(
        f"{name!r} (did you mean to call {guesses[name]!r} that?)" if name in guesses else repr(name)
        for name in missing
    )
    strangers = ", ".join(repr(name) for name in layout.unexpected(header)) or "none"
    return SourceError(
        f"{path.name}: nearest known layout is {layout.name} ({layout.title}), but the file is not of it. "
        f"Missing column(s): {lacks}. Unexpected column(s): {strangers}. Rename the column(s) back, "
        "or move the file out of the folder."
    )


def _refuse_other_separator(path: Path, header: Sequence[str]) -> None:
    text = ",".join(header)
    for mark, word in ((";", "semicolons"), ("\t", "tabs")):
        parts = tuple(part.strip('"') for part in text.split(mark))
        if len(parts) > 3 and nearest(parts, USED)[1] >= 0.5:
            raise SourceError(f"{path.name}: cells are separated by {word}; expected commas. Save it as csv UTF-8.")


def _unique(found: Sequence[Found]) -> tuple[list[Found], list[str]]:
    """Each content once: the same file in two folders is read from the first."""
    first: dict[str, Found] = {}
    notes = []
    for file in found:
        if file.sha256 in first:
            notes.append(f"{file.name}: the same bytes as {first[file.sha256].name}; read once.")
        first.setdefault(file.sha256, file)
    return list(first.values()), notes


def _named_apart(found: Sequence[Found]) -> list[Found]:
    times = Counter(file.name for file in found)
    return [
        replace(file, name=f"{file.sniffed.path.parent.name}/{file.name}") if times[file.name] > 1 else file
        for file in found
    ]


def read_batch(file: Found, positions: Mapping[str, int] | None = None) -> tuple[Batch, Cells]:
    """The cells of a file under the layout's own names, and further columns of a workbook by position."""
    written = file.layout.columns(file.header)
    cells = read_cells(file.sniffed, file.header_at, written, positions)
    return Batch(file=file.name, layout=file.layout, table=cells.table, written=written), cells
