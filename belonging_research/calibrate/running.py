"""The work of a calibration in pieces that processes share and that a killed run need not do again."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from belonging_research.calibrate.councils import (
    ALPHAS,
    STUDY_ALPHA,
    Placed,
    Window,
    few_treated_sizes,
    panels_of,
    place_every_council,
    verdict_of,
    windows,
)
from belonging_research.calibrate.rows import Row, Tried, summarise
from belonging_research.calibrate.school_worlds import SCHOOL_WORLDS, SchoolWorld, layer_of
from belonging_research.calibrate.studies import DECIDED, PRIMARY, conduct_study
from belonging_research.calibrate.worlds import COUNTY_WORLDS, CountyWorld
from belonging_research.errors import EstimateError, PanelError, PlanError
from belonging_research.panel import Panel
from belonging_research.plan import Plan

CHUNK = 50
PLANTED = ("0", "0.25", "0.5", "1", "M", "2M")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A piece of one row: worlds ``first`` to ``last`` (a), or councils at those places of a window (b, c).

    ``layer``: worlds are of whole countries (:data:`COUNTY_WORLDS`) or of one county's schools (:data:`SCHOOL_WORLDS`).
    """

    part: Literal["a", "b", "c"]
    name: str
    first: int
    last: int
    outcome: str = PRIMARY
    planted: str = "0"
    layer: Literal["county", "school"] = "county"

    @property
    def key(self) -> str:
        """A file name for its answer."""
        layer = "" if self.layer == "county" else f"{self.layer}-"
        words = f"{self.part}-{layer}{self.name}-{self.outcome}-{self.planted}-{self.first:05d}-{self.last:05d}"
        return words.replace("/", "").replace(" ", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What parts (b) and (c) read: outcomes up to the plan's first post year, and neighbours."""

    outcomes: pa.Table
    neighbours: pa.Table | None


def tasks_of(
    plan: Plan, figures: Figures | None, *, worlds: int, effect_worlds: int | None = None, only: Sequence[str] = ()
) -> tuple[Task, ...]:
    """Every piece of a calibration: ``worlds`` countries of each made-up world, and each real council in turn.

    Where the plan has a school layer, ``worlds`` counties of each world of schools too. ``effect_worlds``: as many of
    each world in which something was done, where that is fewer (each country takes three times as long: every check is
    run). ``only``: parts (``a``, ``b``, ``c``), layers of part (a) (``county``, ``school``) or names of worlds. Without
    figures parts (b) and (c) have no pieces. Raises :class:`PlanError` where schools cannot be made up for the plan.
    """
    made: list[Task] = []
    wanted: list[tuple[Literal["county", "school"], CountyWorld | SchoolWorld]] = [
        ("county", world) for world in COUNTY_WORLDS.values()
    ]
    if plan.schools is not None:
        wanted += [("school", world) for world in SCHOOL_WORLDS.values()]
    for layer, world in wanted:
        if not only or {"a", layer, world.name} & set(only):
            n_worlds = worlds if world.is_null else effect_worlds or worlds
            asked = PRIMARY if isinstance(world, CountyWorld) else _asked(world, plan)
            made += [
                Task(part="a", name=world.name, first=n, last=min(n + CHUNK, n_worlds), outcome=asked, layer=layer)
                for n in range(0, n_worlds, CHUNK)
            ]
    if figures is None:
        return tuple(made)
    panels = panels_of(figures.outcomes, plan, figures.neighbours)
    for window in windows(plan):
        for outcome in plan.outcomes:
            placed = _placed(panels, plan, outcome.name, window)
            if placed is None:
                continue
            planted = PLANTED if outcome.name == PRIMARY and window.judged == plan.post[0] else ("0",)
            for size in planted:
                part: Literal["b", "c"] = "b" if size == "0" else "c"
                if only and part not in only:
                    continue
                made += [
                    Task(part=part, name=window.name, outcome=outcome.name, planted=size, first=n,
                         last=min(n + CHUNK, len(placed.units)))
                    for n in range(0, len(placed.units), CHUNK)
                ]  # fmt: skip
    return tuple(made)


def _asked(world: SchoolWorld, plan: Plan) -> str:
    """The outcome that a world of schools is asked about, where the plan tests it."""
    tested = [each.name for each in layer_of(plan).outcomes if each.role != "exploratory"]
    if world.outcome not in tested:
        raise PlanError(
            f"plan {plan.study}: world {world.name} asks about {world.outcome}, which schools.outcomes does not test; "
            f"it tests {', '.join(tested)}. Name the worlds that are wanted with --only."
        )
    return world.outcome


def _placed(panels: dict[str, Panel], plan: Plan, outcome: str, window: Window) -> Placed | None:
    if window.judged not in panels or window.carried_from not in panels:
        return None
    try:
        return place_every_council(panels, plan, outcome, window)
    except (PanelError, EstimateError):
        return None


def do(task: Task, plan: Plan, figures: Figures | None) -> list[dict[str, Any]]:
    """The answers of one piece, as plain values that a file can hold."""
    if task.part == "a":
        tried = _study_tried if task.layer == "county" else _school_study_tried
        return [asdict(tried(task, plan, number)) for number in range(task.first, task.last)]
    if figures is None:
        raise PanelError("calibration on real councils needs the published files: give them with --data.")
    return [asdict(each) for each in _councils_tried(task, plan, figures)]


def _study_tried(task: Task, plan: Plan, number: int) -> Tried:
    world = COUNTY_WORLDS[task.name]
    study = conduct_study(world, plan, number)
    null = {PRIMARY} if world.is_null else set()
    wrong = any(
        said in DECIDED
        for _, outcome, said in study.verdicts
        if outcome in null or (outcome != PRIMARY and not world.severe_only)
    )
    return Tried(
        groups=("all", study.third), truth=study.truth, value=study.value, low=study.low, high=study.high,
        verdict=study.verdict, said_wrong=wrong, noticed=study.noticed, passed=study.passed, caught=study.caught,
        detectable=study.detectable,
    )  # fmt: skip


def _school_study_tried(task: Task, plan: Plan, number: int) -> Tried:
    # What estimates schools takes seconds to load, which a calibration of the county layer alone does not need.
    from belonging_research.calibrate.school_studies import conduct_school_study

    return conduct_school_study(SCHOOL_WORLDS[task.name], plan, number)


# One set of panels a process: they take seconds to build and every piece reads them.
_PANELS: dict[str, dict[str, Panel]] = {}


def _councils_tried(task: Task, plan: Plan, figures: Figures) -> Iterator[Tried]:
    key = plan.digest
    if key not in _PANELS:
        _PANELS[key] = panels_of(figures.outcomes, plan, figures.neighbours)
    panels = _PANELS[key]
    window = next(each for each in windows(plan) if each.name == task.name)
    placed = place_every_council(panels, plan, task.outcome, window)
    unit = 1.0 if plan.outcome(task.outcome).unit == "per_100_pupils" else 0.01
    primary = plan.outcome(task.outcome).role == "primary"
    for place in range(task.first, task.last):
        if placed.is_treated[place] and window.judged == plan.post[0]:
            continue  # something was done there
        shift = unit * _shift(task.planted, placed, place, plan, task.outcome)
        p = float(placed.p_values(shift / unit)[place])
        value, reach = unit * placed.errors[place] + shift, unit * placed.reach(place, 0.05)
        noticed = p <= STUDY_ALPHA
        verdict, without_size = (
            verdict_of(panels[window.judged], plan, placed, placed.units[place], shift)
            if noticed and primary and task.outcome == PRIMARY
            else ("cannot_tell", "cannot_tell")
        )
        sizes = (p <= ALPHAS[0], p <= ALPHAS[1], p <= ALPHAS[2])
        yield Tried(
            groups=("all", placed.thirds[place], placed.regions[place]), truth=shift, value=float(value),
            low=float(value - reach), high=float(value + reach), verdict=verdict,
            said_wrong=verdict in DECIDED and not shift, noticed=noticed, passed=None, caught=None,
            detectable=unit * placed.detectable(place, STUDY_ALPHA), sizes=sizes, without_size=without_size,
        )  # fmt: skip


def _shift(planted: str, placed: Placed, place: int, plan: Plan, outcome: str) -> float:
    """A gain of that size, in hundredths: points, or multiples of what is noticed 4 times in 5 at this council."""
    sign = -1.0 if plan.outcome(outcome).better == "lower" else 1.0
    if planted.endswith("M"):
        times = float(planted.removesuffix("M") or 1)
        return sign * times * placed.detectable(place, STUDY_ALPHA)
    return sign * float(planted)


def do_all(
    tasks: Sequence[Task], plan: Plan, figures: Figures | None, *, jobs: int
) -> Iterator[tuple[Task, list[dict[str, Any]]]]:
    """Each piece with its answers as it is done, in ``jobs`` processes. Raises what a piece raises."""
    if jobs == 1:
        for task in tasks:
            yield task, do(task, plan, figures)
        return
    # Fresh processes on every system alike: a forked one would share the parent's threads and locks.
    with ProcessPoolExecutor(
        max_workers=jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_remember,
        initargs=(plan, figures),
    ) as pool:
        waiting: dict[Future[list[dict[str, Any]]], Task] = {pool.submit(_do_remembered, task): task for task in tasks}
        try:
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield waiting.pop(future), future.result()
        finally:
            pool.shutdown(cancel_futures=True)


_REMEMBERED: dict[str, Any] = {}


def _remember(plan: Plan, figures: Figures | None) -> None:
    _REMEMBERED.update(plan=plan, figures=figures)
    parent = multiprocessing.parent_process()
    if parent is not None:  # one that is killed tells nobody, and pieces take minutes that nobody waits for
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def _do_remembered(task: Task) -> list[dict[str, Any]]:
    return do(task, _REMEMBERED["plan"], _REMEMBERED["figures"])


def rows_of(answers: dict[Task, list[dict[str, Any]]], plan: Plan) -> tuple[Row, ...]:
    """The rows of all answers, in the order of worlds, windows, outcomes and planted sizes."""
    grouped: dict[tuple[str, str, str, str, str], list[Tried]] = {}
    for task in sorted(answers, key=_order):
        key = (task.part, task.layer, task.name, task.outcome, task.planted)
        grouped.setdefault(key, []).extend(Tried(**_tuples(each)) for each in answers[task])
    rows: list[Row] = []
    for (part, layer, name, outcome, planted), tried in grouped.items():
        better = (plan if layer == "county" else plan.of_schools).outcome(outcome).better
        if part == "a":
            world = COUNTY_WORLDS[name] if layer == "county" else SCHOOL_WORLDS[name]
            rows += summarise(tried, part=part, world=name, sentence=world.sentence, outcome=outcome, better=better,
                              fair=world.fair, catcher=world.catcher, is_null=world.is_null, layer=layer)  # fmt: skip
            continue
        judged, _, carried = name.partition(" by ")
        sentence = (
            f"Every council in {judged} with critical values carried from {carried}; "
            + ("no change is assumed." if planted == "0" else f"a gain of {planted} planted.")
        )  # fmt: skip
        label = name if planted == "0" else f"{name}, planted {planted}"
        rows += summarise(tried, part=part, world=label, sentence=sentence, outcome=outcome, better=better, fair=True,
                          catcher="inference", is_null=planted == "0")  # fmt: skip
    return tuple(rows)


def _order(task: Task) -> tuple[str, str, int, str, str, int, int]:
    names = list(COUNTY_WORLDS if task.layer == "county" else SCHOOL_WORLDS)
    place = names.index(task.name) if task.name in names else 0
    size = PLANTED.index(task.planted)
    return task.part, task.layer, place, task.name, task.outcome, size, task.first


def _tuples(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in answer.items()}


def standing(plan: Plan, figures: Figures) -> pa.Table:
    """Where every council stands in the plan's first post year: columns council (unnamed but for the treated), value
    (proportion above what its comparison predicts), scaled (over its own scale), treated.

    Empty where the figures are not there. Sorted by value, so that the order names nobody.
    """
    panels = panels_of(figures.outcomes, plan, figures.neighbours)
    placed = _placed(panels, plan, PRIMARY, windows(plan)[-1])
    fields = [("council", pa.string()), ("value", pa.float64()), ("scaled", pa.float64()), ("treated", pa.bool_())]
    rows = []
    if placed is not None:
        for place in np.argsort(placed.errors, kind="stable"):
            treated = bool(placed.is_treated[place])
            rows.append(
                {
                    "council": plan.place if treated else "another council", "value": float(placed.errors[place]) / 100,
                    "scaled": float(placed.errors[place] / placed.scales[place]), "treated": treated,
                }
            )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def few_treated(plan: Plan, figures: Figures) -> pa.Table:
    """:func:`councils.few_treated_sizes` of overall absence on these figures."""
    return few_treated_sizes(panels_of(figures.outcomes, plan, figures.neighbours), plan, PRIMARY)
