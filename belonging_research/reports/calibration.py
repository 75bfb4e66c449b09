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
    PRIMARY,
    SCHEMA,
    THIRDS,
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
from belonging_research.errors import ReportError
from belonging_research.outcomes import MEASURES, derive_outcomes
from belonging_research.plan import Plan
from belonging_research.present import plot, tabulate
from belonging_research.present.display import Picture, Sheet
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
_ROOMS = ("tables", "plan", "sources", "outcomes", "panel", "estimators", "checks", "findings", "calibrate")
_COLUMNS = {
    "world": "World",
    "group": "Councils",
    "n_worlds": "Times tried",
    "false": "False better or worse",
    "right": "Right",
    "cannot_tell": "Can’t tell",
    "coverage": "95% ranges that hold the truth",
    "bias": "Bias, points",
    "caught": "Caught by its check",
}


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
    ``only``: parts (``a``, ``b``, ``c``) or names of worlds. Pieces that a killed run finished are not done again.

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
    tried = _tried(plan)
    tasks = tasks_of(tried, figures, worlds=worlds, effect_worlds=effect_worlds, only=only)
    if not tasks:
        raise ReportError(f"nothing to try: {', '.join(only)} names no part (a, b, c) and no world.")
    inputs = _inputs(plan, extract)
    calibration_id = _hash(inputs, *(task.key for task in tasks))
    folder = out.resolve() / plan.study / "calibration" / calibration_id
    # Kept: a killed run goes on from them, a larger one adds to them.
    pieces = folder.with_name(f"pieces-{inputs}")
    with only_writer(out.resolve() / plan.study):
        answers, seconds = _answers(tasks, tried, figures, pieces, jobs, progress)
        rows = rows_of(answers, plan)
        progress("writing the page", len(tasks), len(tasks))
        _write(folder, plan, figures, extract, rows, calibration_id, seconds)
    return Calibrated(
        calibration_id=calibration_id, folder=folder, index=folder / "released" / "index.html", rows=rows
    )  # fmt: skip


def _tried(plan: Plan) -> Plan:
    """The plan without the one check that reads a calibration: what is measured must not depend on its own result."""
    return plan.model_copy(update={"checks": tuple(name for name in plan.checks if name != "calibrated_size")})


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
        write_atomically(released / "where_every_council_stands.csv", _csv(stands))
    few = few_treated(plan, figures) if figures is not None else None
    if few is not None and few.num_rows:
        write_atomically(released / "few_treated.csv", _csv(few))
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
        part: _display(tabulate(clear(_table(chosen), door, name=f"calibration_{part}_{kind}"), title=title,
                                headings=_COLUMNS), door)
        for part, kind, title, chosen in _sheets(rows)
    }  # fmt: skip
    picture = ""
    if stands is not None and stands.num_rows:
        cleared = clear(stands.select(["council", "value", "treated"]), door, name="standing")
        picture = _display(plot(cleared, "standing"), door)
    if few is not None and few.num_rows:
        cleared = clear(_few_shown(few), door, name="few_treated")
        shown["few"] = _display(tabulate(cleared, title="False alarms by how many councils are treated"), door)
    return page(
        "calibration",
        shell,
        "index.html",
        "How often this method is right",
        sentences=sentences(plan, rows),
        picture=safe(picture),
        tables={part: safe(shown.get(part, "")) for part in ("a", "thirds", "b", "groups", "c", "few")},
        uncatchable=[row.sentence for row in rows if row.catcher is None and row.group == "all"],
    )


def _sheets(rows: Sequence[Row]) -> list[tuple[str, str, str, list[Row]]]:
    """The tables of the page, those without rows left out: part, kind, title, rows."""
    made = [row for row in rows if row.part == "a"]
    thirds = [row for row in made if row.group != "all" and row.false_verdicts is not None]
    real = [row for row in rows if row.part == "b"]
    groups = [row for row in real if row.group != "all" and row.outcome == PRIMARY]
    found = [
        ("a", "all", "Made-up countries", [row for row in made if row.group == "all"]),
        ("thirds", "thirds", "Made-up countries where nothing was done, by size of council", thirds),
        ("b", "all", "Every real council in its place, nothing done", [row for row in real if row.group == "all"]),
        ("groups", "groups", "Overall absence, nothing done, by size and region", groups),
        ("c", "all", "A gain planted", [row for row in rows if row.part == "c" and row.group in ("all", *THIRDS)]),
    ]
    return [each for each in found if each[3]]


def _table(rows: Sequence[Row]) -> pa.Table:
    """The rows as a reader sees them: shares as counts of 100, each with its error."""
    cells = [
        {
            "world": row.sentence if row.part == "a" else f"{_words(row.outcome)}, {row.world}",
            "group": row.group, "n_worlds": row.n_worlds,
            "false": _in_100(row.false_verdicts, row.false_verdicts_mcse),
            "right": _in_100(row.right_verdicts, row.right_verdicts_mcse),
            "cannot_tell": _in_100(row.cannot_tell), "coverage": _in_100(row.coverage, row.coverage_mcse),
            "bias": f"{100 * row.bias:.2f}".replace("-", "−"),
            "caught": "nothing can" if row.catcher is None else
            f"{_in_100(row.caught)} by {row.catcher.replace('_', ' ')}" if row.caught is not None else row.catcher,
        }
        for row in rows
    ]  # fmt: skip
    return pa.Table.from_pylist(cells)


def _few_shown(few: pa.Table) -> pa.Table:
    names = {"cluster_robust": "Cluster-robust errors", "conley_taber": "Conley and Taber", "ferman_pinto":
             "Ferman and Pinto"}  # fmt: skip
    rows = [
        {
            "method": names[row["method"]], "year": row["year"], "councils treated": str(row["n_treated"]),
            "noticed, of 100 where nothing was done": _in_100(row["rejected"], row["mcse"]),
        }
        for row in few.to_pylist()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


def _words(outcome: str) -> str:
    return MEASURES[outcome].label


def _in_100(share: float | None, error: float | None = None) -> str:
    if share is None:
        return "does not apply"
    return f"{100 * share:.1f} in 100" + ("" if error is None else f" (± {100 * error:.1f})")


def sentences(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """What the rows say, for a reader: of 100 studies where nothing was done, and of 100 where something was."""
    said = []
    clean = _find(rows, part="a", world="nothing_happened")
    if clean is not None:
        said.append(
            f"Of 100 made-up studies in which nothing was done, this method said better or worse in "
            f"{100 * (clean.false_verdicts or 0):.1f} (tried {clean.n_worlds} times)."
        )
    twice = _find(rows, part="a", world="effect_twice_detectable")
    if twice is not None:
        said.append(
            f"Where the effect was twice what it can notice 4 times in 5, it said so in "
            f"{100 * (twice.right_verdicts or 0):.0f} of 100."
        )
    real = [row for row in rows if row.part == "b" and row.group == "all" and row.outcome == PRIMARY]
    said += [
        f"With each of {row.n_worlds} real councils in {plan.place}’s place ({row.world}; nothing was done there), it "
        f"said better for {100 * row.said_better:.0f} in 100 and worse for {100 * row.said_worse:.0f}. By the "
        f"placebos alone {100 * (row.size_05 or 0):.0f} in 100 would have been noticed at 5 in 100."
        for row in real
    ]
    return said


def _find(rows: Sequence[Row], **wanted: str) -> Row | None:
    return next((r for r in rows if r.group == "all" and all(getattr(r, k) == v for k, v in wanted.items())), None)


def _display(shown: Picture | Sheet, door: Door) -> str:
    data, metadata = shown._repr_mimebundle_()
    output: Mapping[str, Any] = {"data": data, "metadata": metadata}
    display = cleared_display(output, door.entries)
    if display is None:
        raise ReportError(f"{shown.title}: not vouched for by the ledger, so it may not leave.")
    return display.html
