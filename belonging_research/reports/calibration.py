"""How often the method is right, as files that can be published: a page, a CSV and `calibration.json`."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from belonging_research.calibrate import (
    SCHEMA,
    Figures,
    Row,
    Task,
    do_all,
    few_treated,
    rows_of,
    standing,
    tasks_of,
)
from belonging_research.disclosure import Door, clear, open_door
from belonging_research.errors import CommandError, ReportError
from belonging_research.outcomes import derive_outcomes
from belonging_research.plan import Plan
from belonging_research.present import plot, tabulate
from belonging_research.present.display import Picture, Sheet
from belonging_research.reports.calibration_words import COLUMNS, few_shown, intro, sentences, sheets, table_of_rows
from belonging_research.reports.manifest import folder_digest
from belonging_research.reports.pages import page, safe, shell_of
from belonging_research.reports.render import cleared_display
from belonging_research.reports.writing import (
    canonical_json,
    csv_text,
    only_writer,
    put_in_place,
    remove_tree,
    require_writable,
    write_atomically,
)
from belonging_research.sources import Extract, load_extract

Progress = Callable[[str, int, int], None]
STANDS, FEW = "where_every_council_stands.csv", "few_treated.csv"
_ROOMS = ("tables", "plan", "sources", "simulate", "outcomes", "panel", "estimators", "checks", "findings", "calibrate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """What a calibration came to: its id, folder, first page, rows."""

    calibration_id: str
    folder: Path
    index: Path
    rows: tuple[Row, ...]


def run_calibration(
    plan: Plan,
    *,
    data: tuple[Path, ...],
    worlds: int = 1000,
    effect_worlds: int | None = None,
    only: tuple[str, ...] = (),
    out: Path = Path("outputs"),
    jobs: int = 1,
    progress: Progress = lambda what, done, total: None,
) -> Calibrated:
    """Try the whole pipeline many times where the truth is known, and release how often it was right.

    ``worlds`` made-up countries a world, ``effect_worlds`` where something was done (default: as many). ``data``:
    folders of published files for every real council in turn; none, and only made-up worlds are tried.
    ``only``: parts (``a``, ``b``, ``c``), layers (``county``, ``school``) or names of worlds. Pieces that a killed run
    finished are not done again.

    Raises
    ------
    BelongingError
        Of the room in which it failed. Nothing is then released.
    """
    require_writable(out)
    extract = load_extract(data, plan, through=plan.post[0]) if data else None
    figures = (
        None if extract is None else Figures(outcomes=derive_outcomes(extract, plan), neighbours=extract.neighbours)
    )
    tasks = tasks_of(plan, figures, worlds=worlds, effect_worlds=effect_worlds, only=only)
    if not tasks:
        raise CommandError(
            f"--only {', '.join(only)}: nothing to try; it names no part (a, b, c), no layer of this plan (county, "
            "school) and no world."
        )
    inputs = _inputs(plan, extract)
    calibration_id = _hash(inputs, *(task.key for task in tasks))
    folder = out.resolve() / plan.study / "calibration" / calibration_id
    # Kept: a killed run goes on from them, a larger one adds to them.
    pieces = folder.with_name(f"pieces-{inputs}")
    with only_writer(out.resolve() / plan.study):
        answers, seconds = _answers(tasks, plan, figures, pieces, jobs, progress)
        rows = rows_of(answers, plan)
        progress("writing the page", len(tasks), len(tasks))
        _write(folder, plan, figures, extract, rows, calibration_id, seconds)
    return Calibrated(
        calibration_id=calibration_id, folder=folder, index=folder / "released" / "index.html", rows=rows
    )  # fmt: skip


def _inputs(plan: Plan, extract: Extract | None) -> str:
    """What decides an answer: the plan, the figures, and the rooms that the pipeline goes through."""
    package = Path(__file__).resolve().parents[1]
    code = (folder_digest(package, (f"{room}.py", f"{room}/*.py", f"{room}/*/*.py")) for room in _ROOMS)
    return _hash(plan.digest, extract.digest if extract else "", *code)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]


def _answers(
    tasks: Sequence[Task], plan: Plan, figures: Figures | None, pieces: Path, jobs: int, progress: Progress
) -> tuple[dict[Task, list[dict[str, Any]]], float]:
    """Every piece's answers, those of an earlier run read back, and how long the rest took."""
    answers = {task: json.loads(path.read_text("utf-8")) for task in tasks if (path := _piece(pieces, task)).is_file()}
    left = [task for task in tasks if task not in answers]
    began = time.monotonic()
    for task, found in do_all(left, plan, figures, jobs=jobs):
        answers[task] = found
        write_atomically(_piece(pieces, task), json.dumps(found))
        progress(f"{task.name}, {task.outcome.replace('_', ' ')}", len(answers), len(tasks))
    return answers, time.monotonic() - began


def _piece(pieces: Path, task: Task) -> Path:
    return pieces / f"{task.key}.json"


def _write(
    folder: Path, plan: Plan, figures: Figures | None, extract: Extract | None, rows: Sequence[Row],
    calibration_id: str, seconds: float,
) -> None:  # fmt: skip
    made = folder.with_name(f".{calibration_id}.partial")
    remove_tree(made)
    released, restricted = made / "released", made / "restricted"
    restricted.mkdir(parents=True)
    content = {
        "schema": SCHEMA, "study": plan.study, "plan_digest": plan.digest, "calibration_id": calibration_id,
        "rows": [asdict(row) for row in rows],
    }  # fmt: skip
    fields = list(asdict(rows[0]))
    write_atomically(released / "calibration.json", canonical_json(content))
    values = [[getattr(row, name) for name in fields] for row in rows]
    write_atomically(released / "calibration.csv", csv_text(fields, values))
    door = open_door(plan, through=str(restricted / "ledger.jsonl"))
    stands = standing(plan, figures) if figures is not None else None
    if stands is not None and stands.num_rows:
        write_atomically(released / STANDS, _csv(stands))
    few = few_treated(plan, figures) if figures is not None else None
    if few is not None and few.num_rows:
        write_atomically(released / FEW, _csv(few))
    page_text = _page(plan, door, rows, stands, few, extract, calibration_id)
    write_atomically(released / "index.html", page_text)
    # The clock stands here only: the released files are the same bytes each time.
    write_atomically(made / "manifest.json", canonical_json({"calibration_id": calibration_id, "seconds": seconds}))
    folder.parent.mkdir(parents=True, exist_ok=True)
    put_in_place(made, folder)


def _csv(table: pa.Table) -> str:
    names = table.column_names
    return csv_text(names, [[row[name] for name in names] for row in table.to_pylist()])


def _page(
    plan: Plan,
    door: Door,
    rows: Sequence[Row],
    stands: pa.Table | None,
    few: pa.Table | None,
    extract: Extract | None,
    calibration_id: str,
) -> str:
    shell = shell_of(plan, calibration_id, plan.post[0], extract.data_as_at if extract else None, True)
    shown = {
        part: _display(tabulate(clear(table_of_rows(chosen, plan), door, name=f"calibration_{part}_{kind}"),
                                title=title, headings=COLUMNS), door)
        for part, kind, title, chosen in sheets(rows)
    }  # fmt: skip
    picture = ""
    if stands is not None and stands.num_rows:
        cleared = clear(stands.select(["council", "value", "treated"]), door, name="standing")
        picture = _display(plot(cleared, "standing"), door)
    if few is not None and few.num_rows:
        cleared = clear(few_shown(few), door, name="few_treated")
        shown["few"] = _display(tabulate(cleared, title="False alarms by how many councils are treated"), door)
    return page(
        "calibration",
        shell,
        "index.html",
        "How often this method is right",
        intro=intro(rows),
        sentences=sentences(plan, rows),
        files=_files(stands, few),
        picture=safe(picture),
        tables={part: safe(shown.get(part, "")) for part in ("a", "thirds", "schools", "b", "groups", "c", "few")},
        uncatchable=[row.sentence for row in rows if row.catcher is None and row.group == "all"],
    )


def _files(stands: pa.Table | None, few: pa.Table | None) -> list[tuple[str, str]]:
    """The released files beside the page: name and what is in it."""
    found = [("calibration.json", "every row, with its errors"), ("calibration.csv", "the same as a table")]
    if stands is not None and stands.num_rows:
        found.append((STANDS, "every council’s difference from its own comparison mix"))
    if few is not None and few.num_rows:
        found.append((FEW, "false alarms by how many councils are treated"))
    return found


def _display(shown: Picture | Sheet, door: Door) -> str:
    data, metadata = shown._repr_mimebundle_()
    output: Mapping[str, Any] = {"data": data, "metadata": metadata}
    display = cleared_display(output, door.entries)
    if display is None:
        raise ReportError(f"{shown.title}: not vouched for by the ledger, so it may not leave.")
    return display.html
