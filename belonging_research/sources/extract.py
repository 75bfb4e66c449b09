"""Folders of published files to one :class:`Extract`: figures, neighbours, councils, and an account of each file."""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from belonging_research.errors import PanelError, PlanError, SourceError
from belonging_research.plan import Plan, Treated, same_name
from belonging_research.sources import absence, attendance, exclusions, lait
from belonging_research.sources.account import SourceFile, dated, provenance
from belonging_research.sources.batch import LATE, Batch, Request
from belonging_research.sources.discovery import Discovery, Found, discover, read_batch
from belonging_research.sources.figures import Reading, empty_figures
from belonging_research.sources.lookups import codes_of, councils_of, councils_table, read_lookups
from belonging_research.sources.repeats import each_figure_once
from belonging_research.tables import academic_year

_READERS: Mapping[str, Callable[[Batch, Request], Reading]] = {
    "lait_measures": lait.read_lait,
    "absence_by_council": absence.read_absence,
    "absence_sessions_long": absence.read_sessions_long,
    "absentees_long": absence.read_absentees_long,
    "exclusions_by_geographic_level": exclusions.read_old_exclusions,
    "suspensions_by_geographic_level": exclusions.read_suspensions,
    "attendance_to_date": attendance.read_to_date,
    "attendance_snapshots": attendance.read_snapshots,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """Everything read, and nothing of a year after ``report_year``.

    ``figures`` has the columns of :data:`tables.FIGURES`, rates as proportions; ``neighbours`` unit, neighbour,
    rank (1 nearest), closeness, model (a year); ``councils`` la_code, gss_code, name, region, first_year,
    last_year (calendar years); ``data_as_at`` the date asked for, else the latest of the files' dates; ``asked`` the
    date asked for, None where it is the latest of the files' dates and leaves nothing out, so that asking for the
    ``data_as_at`` of an extract gives that very extract; ``digest`` the hash of all rows kept, whatever the files are
    called.
    """

    figures: pa.Table
    neighbours: pa.Table
    councils: pa.Table
    files: tuple[SourceFile, ...]
    notes: tuple[str, ...]
    report_year: str
    data_as_at: dt.date | None
    digest: str
    asked: dt.date | None = None

    def daily_taken(self, unit: str) -> dt.date | None:
        """The day on which a unit's last daily snapshot was taken, as far as is known; None where it has none.

        The day of the record of the folder that holds it. Without a record the day asked for, since whoever asks for
        figures as at a day vouches for having them as of it, else the snapshot's own.
        """
        daily = pc.and_(pc.equal(self.figures["source"], "daily"), pc.is_valid(self.figures["as_at"]))
        own = self.figures.filter(pc.and_(daily, pc.equal(self.figures["unit"], unit)))
        last: dt.date | None = pc.max(own["as_at"]).as_py()
        if last is None:
            return None
        holding = set(own.filter(pc.equal(own["as_at"], last))["source_file"].to_pylist())
        records = [file.as_at for file in self.files if file.file in holding and file.dated_by == "fetched"]
        return max(filter(None, records or (self.asked, last)))


def load_extract(
    folders: Path | str | Sequence[Path | str],
    plan: Plan,
    *,
    through: str,
    data_as_at: dt.date | None = None,
) -> Extract:
    """Read every file of the folders that this package knows, by what its header says.

    Parameters
    ----------
    folders
        One folder or several, read with their subfolders. A folder with ``origin.toml`` is checked against it.
    plan
        Its treated councils must be among the figures, under the names that the plan gives them.
    through
        The report year, ``"2024/25"``: no row of a later year is counted, hashed, noted or handed on.
    data_as_at
        Nothing published after this day is kept: snapshots by their date, undated figures by the day on which
        their series is usually out, folders by the date in their ``origin.toml``.

    Raises
    ------
    SourceError
        If a folder is missing or gives no figures, a file is damaged or almost of a known layout, a cell cannot
        be what its column says, or two files of a layout contradict one another.
    PanelError
        If a treated council has no figures.
    PlanError
        If the files know a treated council's code under another name.
    """
    through = academic_year(through)
    found = discover(folders, data_as_at)
    looked_up = read_lookups(found.files, data_as_at)
    request = Request(
        through=through,
        data_as_at=data_as_at,
        councils=codes_of(looked_up.councils) or None,
        year_types=looked_up.year_types,
    )
    read = _read_figures(found.files, request)
    once = each_figure_once([reading for _, reading in read])
    readings = [(file, reading) for (file, _), reading in zip(read, once, strict=True)]
    figures = pa.concat_tables([r.figures for _, r in readings]) if readings else empty_figures()
    _refuse_nothing(found, figures, through)
    councils = councils_table(looked_up.councils or councils_of(figures))
    _refuse_no_treated(figures, plan)
    _refuse_other_name(figures, councils, plan)
    accounts = [*looked_up.files, *(_account(file, reading) for file, reading in readings)]
    files = tuple(sorted(accounts, key=lambda f: (f.layout, f.file)))
    latest = max((f.as_at for f in files if f.as_at is not None), default=None)
    left_out = found.later or any(reason in LATE for file in files for reason in file.excluded)
    notes = [*found.notes, *looked_up.notes]
    for file, reading in readings:
        notes += [*file.notes, *reading.batch.notes]
    return Extract(
        figures=figures,
        neighbours=looked_up.neighbours,
        councils=councils,
        files=files,
        notes=tuple(dict.fromkeys(notes)),
        report_year=through,
        data_as_at=data_as_at or latest,
        digest=_digest(files),
        asked=None if data_as_at == latest and not left_out else data_as_at,
    )


def _account(file: Found, reading: Reading) -> SourceFile:
    table = reading.batch.table
    periods = pc.unique(table["period"]).to_pylist()
    as_at, dated_by = dated(file, reading.batch)
    return SourceFile(
        **provenance(file),
        sha256=reading.sha256,
        rows_read=reading.batch.rows_read,
        rows_used=reading.rows_used,
        excluded=reading.batch.excluded,
        first_period=min(periods, default=None),
        last_period=max(periods, default=None),
        as_at=as_at,
        dated_by=dated_by,
    )


def _read_figures(files: Sequence[Found], request: Request) -> list[tuple[Found, Reading]]:
    """Files with a reader, except those that hold only later years: nothing at all is said of them."""
    found = []
    for file in files:
        if file.layout.name in _READERS:
            batch, _ = read_batch(file)
            reading = _READERS[file.layout.name](batch, request)
            if reading.batch.rows_read:
                found.append((file, reading))
    return found


def _refuse_nothing(found: Discovery, figures: pa.Table, through: str) -> None:
    if figures.num_rows:
        return
    said = "\n".join(f"  {note}" for note in found.notes)
    raise SourceError(
        f"{', '.join(found.folders)}: no figures up to {through}. Expected at least one file of absence, "
        f"suspensions or attendance by council, with rows of that year or before.\n{said}"
    )


def _refuse_no_treated(figures: pa.Table, plan: Plan) -> None:
    councils = figures.filter(pc.equal(figures["level"], "council"))
    present = set(pc.unique(councils["unit"]).to_pylist())
    for number, treated in enumerate(plan.treated):
        if treated.unit in present:
            continue
        named = councils.filter(pc.equal(councils["name"], treated.name))
        hint = sorted(set(named["unit"].to_pylist())) or difflib.get_close_matches(treated.unit, sorted(present))
        meant = f" Did you mean {' or '.join(hint)}?" if hint else ""
        raise PanelError(
            f"plan {plan.study}: treated.{number}.unit is {treated.unit} ({treated.name}), and no file has figures "
            f"for it; {len(present)} councils have some.{meant} Correct the plan, or add the council's files."
        )


def _refuse_other_name(figures: pa.Table, councils: pa.Table, plan: Plan) -> None:
    """Refuse a code that the files give to another council than the plan names: one of the two is a slip."""
    own = pc.equal(figures["level"], "council")
    named: dict[str, set[str]] = {}
    for units, names in (
        (figures["unit"].filter(own), figures["name"].filter(own)),
        (councils["la_code"], councils["name"]),
    ):
        pairs = pa.table([units, names], names=["unit", "name"]).group_by(["unit", "name"]).aggregate([])
        for pair in pairs.to_pylist():
            named.setdefault(pair["unit"], set()).add(pair["name"])
    for number, treated in enumerate(plan.treated):
        known = sorted(filter(None, named.get(treated.unit, ())))
        if known and not any(same_name(treated.name, name) for name in known):
            raise _other_name(plan, number, treated, named)


def _other_name(plan: Plan, number: int, treated: Treated, named: Mapping[str, set[str]]) -> PlanError:
    codes = sorted(unit for unit, names in named.items() if any(same_name(treated.name, name) for name in names))
    meant = f"{treated.name} is {' or '.join(codes)}" if codes else f"no file knows a council called {treated.name}"
    return PlanError(
        f"plan {plan.study}: treated.{number}.name: found {treated.name}, expected "
        f"{' or '.join(sorted(named[treated.unit]))}, as the files name {treated.unit}; {meant}. "
        f"Correct treated.{number}.unit or treated.{number}.name."
    )


def _digest(files: Sequence[SourceFile]) -> str:
    """Hash of the kept rows of every file, by layout and content, never by name or place in a list."""
    used = sorted(f"{file.layout} {file.sha256}" for file in files if file.rows_used)
    return hashlib.sha256("\n".join(used).encode()).hexdigest()
