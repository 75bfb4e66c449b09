"""One run of a study: figures to digests, notebooks to ledgers, ledgers to pages. Knows no statistics."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from belonging_research.errors import CommandError, ReportError
from belonging_research.panel import refuse_missing_series
from belonging_research.plan import Plan
from belonging_research.reports import manifest
from belonging_research.reports.history import all_runs, is_whole
from belonging_research.reports.pages import runs_page
from belonging_research.reports.parameters import (
    DATA_SEPARATOR,
    Notebook,
    Value,
    find_notebooks,
    given,
    notebooks_folder,
)
from belonging_research.reports.reading import read_published, with_council
from belonging_research.reports.release import LATEST, Release, Released, release
from belonging_research.reports.results import Truth
from belonging_research.reports.runner import Job, run_notebooks
from belonging_research.reports.writing import (
    canonical_json,
    only_writer,
    put_in_place,
    remove_tree,
    require_writable,
    sha256_of,
    write_atomically,
)
from belonging_research.sources import Extract
from belonging_research.sources.council import is_council_extract
from belonging_research.sources.once import once_a_run, what_is_read

Progress = Callable[[str, int, int], None]
# Only `publish`, with its sign-offs, takes the mark away.
DRAFT = True
AUDIENCE = "council"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run came to: its id, folder, first page, and lines to say to the user."""

    run_id: str
    folder: Path
    index: Path
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A run that was prepared: everything read and checked, nothing written yet."""

    plan: Plan
    plan_path: Path
    data: tuple[Path, ...]
    published: Extract
    extract: Extract
    asked: dt.date | None
    notebooks: tuple[Notebook, ...]
    only: str | None
    digests: Mapping[str, str]
    run_id: str
    out: Path
    jobs: int

    @property
    def study_folder(self) -> Path:
        return self.out / self.plan.study

    @property
    def folder(self) -> Path:
        return self.study_folder / self.run_id

    @property
    def partial(self) -> Path:
        return self.study_folder / f".{self.run_id}.partial"

    @property
    def once(self) -> Path:
        """For what its notebooks make once for all; gone when the run is whole."""
        return self.partial / "restricted" / ".once"

    @property
    def index(self) -> Path:
        return self.folder / "released" / "index.html"


def run_study(
    plan: Plan,
    *,
    plan_path: Path,
    data: tuple[Path, ...],
    report_year: str | None = None,
    data_as_at: dt.date | None = None,
    only: str | None = None,
    out: Path = Path("outputs"),
    jobs: int = 1,
    dry_run: bool = False,
    force: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> RunResult:
    """Run a plan's notebooks on a folder of figures and release what may be released.

    The same plan, figures, code and versions give the same folder and the same bytes under ``released/``; a
    run that is already there is kept unless ``force``; a run that was killed is resumed. Without
    ``report_year`` it is the latest year of the plan that the figures reach. ``progress(what, done, total)``
    is called as it goes.

    Raises
    ------
    BelongingError
        Of the room in which it failed: figures that cannot be read, a notebook at fault, something that may
        not leave, a folder that cannot be written. Nothing of this run is then left under ``out``.
    """
    require_writable(out)
    progress("reading the figures", 0, 0)
    run = _prepare(plan, plan_path, data, report_year, data_as_at, only, out.resolve(), jobs)
    if dry_run:
        refuse_missing_series(run.extract, run.plan)
        return _result(run, _would_do(run))
    there_before = run.out.exists()
    try:
        with only_writer(run.study_folder):
            return _kept(run) if not force and is_whole(run.folder) else _run(run, force, progress)
    finally:
        if not there_before:
            with contextlib.suppress(OSError):
                run.out.rmdir()


def _prepare(
    plan: Plan,
    plan_path: Path,
    data: tuple[Path, ...],
    report_year: str | None,
    asked: dt.date | None,
    only: str | None,
    out: Path,
    jobs: int,
) -> _Run:
    folder = notebooks_folder()
    notebooks = find_notebooks(folder, only)
    chosen = notebooks[0].name if only is not None else None
    if only is not None and notebooks[0].reads_ledgers:
        raise CommandError(f"--only {only}: {chosen} reads the results of the other notebooks; run without --only.")
    councils = [path for path in data if is_council_extract(path)]
    published = read_published(plan, tuple(path for path in data if path not in councils), report_year, asked)
    extract = with_council(published, plan, councils, asked)
    digests = manifest.run_digests(plan, extract, folder)
    run_id = manifest.run_id_of(
        digests, report_year=extract.report_year, data_as_at=extract.data_as_at, asked=extract.asked,
        policy=plan.policy, only=chosen,
    )  # fmt: skip
    return _Run(
        plan=plan,
        plan_path=plan_path.resolve(),
        data=tuple(path.resolve() for path in data),
        published=published,
        extract=extract,
        asked=asked,
        notebooks=notebooks,
        only=chosen,
        digests=digests,
        run_id=run_id,
        out=out,
        jobs=jobs,
    )


def _values(run: _Run, notebook: Notebook, restricted: Path) -> dict[str, Value]:
    places: dict[str, Value] = {
        "plan": str(run.plan_path),
        "data": DATA_SEPARATOR.join(str(path) for path in run.data),
        "ledger": str(restricted / f"{notebook.name}.ledger.jsonl"),
        "ledgers": str(restricted),
    }
    return given(notebook, {**_open_values(run), **places})


def _open_values(run: _Run) -> dict[str, Value]:
    """The parameters of a run that name no place of this machine: what a page may show of them."""
    return {
        "plan": run.plan.study,
        "data": "" if run.plan.simulated else "(the files that the technical annex lists)",
        "report_year": run.extract.report_year,
        "data_as_at": run.extract.asked.isoformat() if run.extract.asked else "",
        "draft": DRAFT,
        "audience": AUDIENCE,
    }


def _jobs(run: _Run, restricted: Path) -> tuple[Job, ...]:
    return tuple(
        Job(
            name=each.name,
            source=each.path,
            executed=restricted / f"{each.name}.ipynb",
            ledger=restricted / f"{each.name}.ledger.jsonl",
            parameters=_values(run, each, restricted),
            # An error of a library may quote a row; a council's own rows never.
            quote_errors=run.plan.policy == "as_published" and run.plan.schools is None,
            once=run.once,
        )
        for each in run.notebooks
    )


def _run(run: _Run, force: bool, progress: Progress) -> RunResult:
    _sweep(run, force)
    started = dt.datetime.now(dt.UTC)
    try:
        restricted = run.partial / "restricted"
        restricted.mkdir(parents=True, exist_ok=True)
        _execute(run, restricted, progress)
        progress("writing pages", len(run.notebooks), len(run.notebooks) + 1)
        released = _release(run, restricted)
        for marker in restricted.glob("*.done.json"):
            marker.unlink()
        remove_tree(run.once)
        record = _manifest(run, released, started)
        write_atomically(run.partial / "manifest.json", canonical_json(record))
        put_in_place(run.partial, run.folder)
    except OSError as error:
        remove_tree(run.partial)
        raise ReportError(f"{run.folder}: cannot be written ({error.strerror}). Use another --out.") from None
    except Exception:
        # Ctrl-C and a killed process leave the partial folder to resume from; a failure leaves nothing.
        remove_tree(run.partial)
        raise
    return _result(run, (*_said(run, released), *_share(run)))


def _sweep(run: _Run, force: bool) -> None:
    """Remove what killed runs of this study left, but for this very run's, which is resumed."""
    for left in sorted((*run.study_folder.glob(".*.partial"), *run.study_folder.glob(".*.old"))):
        if left.is_dir() and (force or left != run.partial):
            remove_tree(left)
    remove_tree(run.partial / "released")
    remove_tree(run.once)  # made anew: a stopped run may have been cut while it wrote


def _execute(run: _Run, restricted: Path, progress: Progress) -> None:
    total, done = len(run.notebooks) + 1, 0

    def finished(name: str) -> None:
        nonlocal done
        done += 1
        progress(f"notebook {name}", done, total)

    progress("starting the notebooks", 0, total)
    later = {each.name for each in run.notebooks if each.reads_ledgers}
    jobs = _jobs(run, restricted)
    refuse_missing_series(run.extract, run.plan)  # after the notebooks' own faults, which need no figures
    folders = [path for path in run.data if not is_council_extract(path)]
    read = what_is_read(folders, run.plan, run.extract.report_year, run.extract.asked)
    once_a_run("extract", read, lambda: run.published, folder=run.once)
    first = [job for job in jobs if job.name not in later]
    run_notebooks([first, [job for job in jobs if job.name in later]], run.jobs, finished)


def _release(run: _Run, restricted: Path) -> Released:
    job = Release(
        plan=run.plan,
        extract=run.extract,
        run_id=run.run_id,
        report_year=run.extract.report_year,
        data_as_at=run.extract.data_as_at,
        draft=DRAFT,
        only=run.only,
        parameters=_open_values(run),
        truth=_truth(run),
    )
    return release(job, run.notebooks, restricted, run.partial / "released")


def _truth(run: _Run) -> Truth | None:
    if not run.plan.simulated:
        return None
    from belonging_research.simulate import truth_beside

    truth: Truth | None = truth_beside(run.data)
    return truth


def _manifest(run: _Run, released: Released, started: dt.datetime) -> dict[str, Any]:
    register = run.study_folder / "register.json"
    return {
        "schema": manifest.SCHEMA,
        "run_id": run.run_id,
        "study": run.plan.study,
        "title": run.plan.title,
        "report_year": run.extract.report_year,
        "data_as_at": run.extract.data_as_at.isoformat() if run.extract.data_as_at else None,
        "data_as_at_asked": run.asked.isoformat() if run.asked else None,
        "only": run.only,
        "digests": {
            **run.digests,
            "register": sha256_of(register.read_bytes()) if register.is_file() else None,
        },
        "seed": run.plan.seed,
        "simulated": run.plan.simulated,
        "draft": DRAFT,
        "started": started.isoformat(timespec="seconds"),
        "finished": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "environment": manifest.environment(),
        "notebooks": [_notebook_record(run, each, released) for each in run.notebooks],
        "outputs_left_out": sum(released.left_out.values()),
        "pages_left_out": list(released.pages_left_out),
        "departures": list(manifest.departures_of(run.plan, run.extract)),
        "inputs": manifest.input_records(run.extract),
        "files": manifest.file_records(run.partial),
    }


def _notebook_record(run: _Run, notebook: Notebook, released: Released) -> dict[str, Any]:
    values = _values(run, notebook, Path("restricted"))
    values.update({key: Path(str(values[key])).name for key in ("plan",) if key in values})
    if "data" in values:
        values["data"] = DATA_SEPARATOR.join(path.name for path in run.data)
    return {
        "name": notebook.name,
        "status": "done",
        "parameters": {key: Path(str(v)).as_posix() if key == "ledger" else v for key, v in values.items()},
        "outputs_left_out": released.left_out.get(notebook.name, 0),
    }


def _said(run: _Run, released: Released) -> tuple[str, ...]:
    count = f"{released.n_findings} findings, {released.n_tables} tables"
    lines = [f"{run.plan.study} {run.extract.report_year}, run {run.run_id}: {count}, DRAFT."]
    for name, n in sorted(released.left_out.items()):
        lines.append(f"{name}: {n} output{'s' if n != 1 else ''} left out: not cleared.")
    return (*lines, *released.pages_left_out)


def _share(run: _Run) -> tuple[str, ...]:
    """Copy the released tables to their fixed names and list the run; a held file is said, not fatal."""
    lines = []
    if run.only is None:
        try:
            for name in LATEST:
                source = run.folder / "released" / "tables" / f"{name}.csv"
                write_atomically(run.study_folder / "latest" / f"{name}.csv", source.read_bytes())
        except ReportError as error:
            lines.append(f"latest/ was not updated in full: {error}")
    try:
        write_atomically(run.out / "index.html", runs_page(all_runs(run.out)))
    except ReportError as error:
        lines.append(f"the list of runs was not updated: {error}")
    return tuple(lines)


def _kept(run: _Run) -> RunResult:
    said = f"{run.plan.study} {run.extract.report_year}, run {run.run_id}: already there, nothing to do."
    return _result(run, (f"{said} Use --force to do it again.", *_share(run)))


def _would_do(run: _Run) -> tuple[str, ...]:
    names: Sequence[str] = [each.name for each in run.notebooks]
    state = "already there" if is_whole(run.folder) else "would be written"
    return (
        f"{run.plan.study} {run.extract.report_year}, run {run.run_id}: {state} in {run.folder}.",
        f"{len(run.extract.files)} files read, {run.extract.figures.num_rows} figures.",
        f"Notebooks: {', '.join(names)}.",
        "Dry run: nothing was written.",
    )


def _result(run: _Run, lines: Sequence[str]) -> RunResult:
    return RunResult(run_id=run.run_id, folder=run.folder, index=run.index, lines=tuple(lines))
