"""The truth of a made-up county: half-days and suspensions as they are and as they would have been, added up.

Not what the world's parameters promise but what was realised in this county: the difference of two sets of marks that
share every draw.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from belonging_research.errors import SourceError
from belonging_research.simulate.councils import Ints
from belonging_research.simulate.county.counting import SESSIONS, ChunkCounts
from belonging_research.simulate.county.county import County
from belonging_research.simulate.county.roll import SUBSIDIARY
from belonging_research.simulate.county.school_days import school_days
from belonging_research.simulate.county.traps import ageing, had_nobody_left
from belonging_research.simulate.county.worlds import HALF_TERMS, NEVER, STARTS, CountyWorld
from belonging_research.simulate.truth import NAME
from belonging_research.tables.school_year import january_census

COUNTY_SCHEMA = "belonging-county-truth/2"
POPULATIONS = ("on_roll", "baseline_cohort")
_PHASES = ("primary", "secondary", "special")
_FSM = (True, False, None)
_LEFT = ("left_possible", "left_absent")
_MEASURES = (
    *SESSIONS, "suspensions", "untreated_suspensions", "pupils_suspended", "untreated_pupils_suspended", *_LEFT
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthCell:
    """What was, and would have been, in one cell.

    ``population``: ``on_roll``: enrolments, by the school they are at; ``baseline_cohort``: pupils on roll of a
    pyramid's school at the January census before the first start, wherever they are in the county, by the school they
    were at (intention to treat). ``start``: label of the half-term in which its pyramid begins, None for never or
    none; ``intervention``: what it begins with, None likewise; ``half_term``: such a label (``"2024/25 HT1"``);
    ``event_time``: half-terms since the start, None without.
    ``fsm``: ever eligible, None where not recorded. Counts are half-days (``school_days``: days) of pupils aged 5 to
    15 by the counting rules of the published statistics; suspensions are all that were issued there, and
    ``pupils_suspended`` the pupils whose first of the academic year it was. ``left_possible`` and ``left_absent`` are
    half-days that are in no other count: those of pupils who left because their school began, had they stayed
    (``on_roll`` alone).
    """

    population: str
    start: str | None
    intervention: str | None
    half_term: str
    event_time: int | None
    phase: str
    fsm: bool | None
    possible: int
    absent: int
    untreated_possible: int
    untreated_absent: int
    school_days: int
    suspensions: int
    untreated_suspensions: int
    pupils_suspended: int
    untreated_pupils_suspended: int
    left_possible: int
    left_absent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountyTruth:
    """The truth beside a made-up county's files. ``code``: of the source that made it, so old files are known.

    ``ageing``: what a year more of age adds to overall absence, a proportion, by year group (:func:`traps.ageing`), in
    the year before the first start, or the first where there is none.
    """

    world: Mapping[str, Any]
    code: str
    cells: tuple[TruthCell, ...]
    ageing: Mapping[int, float]

    def effect(
        self, population: str = "baseline_cohort", *, half_terms: Collection[str] | None = None, **of: object
    ) -> float | None:
        """Realised effect on overall absence, a proportion of possible half-days, over treated cells.

        Weighs half-days: the actual rate less the untreated one, of cells at or after their start. ``of`` narrows it:
        ``half_terms``, ``start``, ``intervention``, ``event_time``, ``phase``, ``fsm``. None where no treated half-day
        is there.
        """
        cells = self._treated(population, half_terms, of)
        possible, untreated = sum(c.possible for c in cells), sum(c.untreated_possible for c in cells)
        if not possible or not untreated:
            return None
        return sum(c.absent for c in cells) / possible - sum(c.untreated_absent for c in cells) / untreated

    def leaving(self, *, half_terms: Collection[str] | None = None, **of: object) -> float | None:
        """What leaving does to the rate of treated schools' rolls, a proportion: no effect on anybody who is on them.

        The rate of those on roll, less that of these and of the pupils who left because their school began. Weighs
        half-days, as :meth:`effect`, and is narrowed alike. None where no treated half-day is there.
        """
        cells = self._treated("on_roll", half_terms, of)
        possible, absent = sum(c.possible for c in cells), sum(c.absent for c in cells)
        if not possible:
            return None
        left = sum(c.left_possible for c in cells), sum(c.left_absent for c in cells)
        return absent / possible - (absent + left[1]) / (possible + left[0])

    def effect_on(self, outcome: str, post: Sequence[str], intervention: str | None = None) -> float | None:
        """The truth of a finding about the baseline cohort over academic years ``post``, in the outcome's unit.

        Overall absence as a proportion; suspensions, and pupils with one or more in a year, as log ratios. None for any
        other outcome. With ``intervention`` of schools that began with it alone.
        """
        halves = {each.half_term for each in self.cells if each.half_term[:7] in post}
        of = {} if intervention is None else {"intervention": intervention}
        if outcome == "overall_absence_rate":
            return self.effect("baseline_cohort", half_terms=halves, **of)
        counts = {"suspension_rate": "suspensions", "pupils_with_one_or_more_suspensions_rate": "pupils_suspended"}
        if outcome not in counts:
            return None
        ratio = self.suspension_ratio("baseline_cohort", half_terms=halves, count=counts[outcome], **of)
        return math.log(ratio) if ratio else None

    def suspension_ratio(
        self,
        population: str = "on_roll",
        *,
        half_terms: Collection[str] | None = None,
        count: str = "suspensions",
        **of: object,
    ) -> float | None:
        """Suspensions that happened over those that would have, of treated cells; None where none would have.

        ``count``: ``suspensions``, or ``pupils_suspended``, once an academic year.
        """
        cells = self._treated(population, half_terms, of)
        untreated = sum(getattr(each, f"untreated_{count}") for each in cells)
        return sum(getattr(each, count) for each in cells) / untreated if untreated else None

    def _treated(
        self, population: str, half_terms: Collection[str] | None, of: Mapping[str, object]
    ) -> list[TruthCell]:
        return [
            cell
            for cell in self.cells
            if cell.population == population
            and cell.event_time is not None
            and cell.event_time >= 0
            and (half_terms is None or cell.half_term in half_terms)
            and all(getattr(cell, name) == value for name, value in of.items())
        ]


def half_term_label(county: County, at: int) -> str:
    """``"2024/25 HT1"`` of a half-term counted from 0 at the first of the county."""
    return f"{county.world.periods[at // HALF_TERMS]} HT{at % HALF_TERMS + 1}"


def county_truth(county: County, counts: Iterable[ChunkCounts], code: str) -> CountyTruth:
    """Add up the counts of every chunk of every year, and the suspensions of both potential outcomes."""
    halves = county.world.n_periods * HALF_TERMS
    shape = (NEVER + 1, len(county.world.interventions) + 1, len(_PHASES), len(_FSM), halves, len(_MEASURES))
    sums = {population: np.zeros(shape, np.int64) for population in POPULATIONS}
    groups = {population: _groups(county, population) for population in POPULATIONS}
    counted = list(counts)
    for population, (group, known) in groups.items():
        _add_sessions(county, counted, sums[population][..., : len(SESSIONS)], group, known)
        _add_suspensions(county, sums[population], group, known)
    stayed, theirs = had_nobody_left(county)
    left = [replace(each, sessions=each.sessions[..., : len(_LEFT)]) for each in theirs]
    _add_sessions(stayed, left, sums["on_roll"][..., -len(_LEFT) :], *_groups(stayed, "on_roll"))
    cells = [cell for population in POPULATIONS for cell in _cells(county, population, sums[population])]
    first = county.world.treated_starts[0]
    before = 0 if first is None else max(first // HALF_TERMS - 1, 0)
    return CountyTruth(
        world=plain_world(county.world), code=code, cells=tuple(cells), ageing=ageing(county, counted, before)
    )


def _add_sessions(county: County, counts: Iterable[ChunkCounts], sums: Ints, group: Ints, known: Any) -> None:
    """Add half-days of the rows that are ``known`` to the cells of their ``group``, half-term by half-term."""
    for chunk in counts:
        at = county.roll.period[chunk.rows] * HALF_TERMS
        own = known[chunk.rows]
        index = tuple(group[chunk.rows[own]].T)
        for half in range(HALF_TERMS):
            np.add.at(sums, (*index, at[own] + half), chunk.sessions[own, half])


def plain_world(world: CountyWorld) -> dict[str, Any]:
    """A world as ``truth.json`` holds it."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(world).items()}


def _groups(county: County, population: str) -> tuple[Ints, Any]:
    """(rows, 4) start, intervention, phase and eligibility of every row of the roll, and which belong to it."""
    roll, schools = county.roll, county.schools
    school, known = roll.school, np.ones(len(roll.pupil), bool)
    if population == "baseline_cohort":
        school = baseline_school(county)[roll.pupil]
        known = school >= 0
    start = county.changes.school_start(schools)[school]
    began_with = county.changes.school_intervention(schools)[school]
    phase = np.array([_PHASES.index(each) for each in schools.phase])[school]
    fsm = np.where(county.pupils.fsm == 1, 0, np.where(county.pupils.fsm == 0, 1, 2))[roll.pupil]
    return np.column_stack([start, began_with, phase, fsm]), known


def baseline_school(county: County) -> Ints:
    """(pupils,) the pyramid's school of each at the January census of the year before the first start, else -1."""
    found = np.full(len(county.pupils.code), -1)
    first = county.world.treated_starts[0]
    if first is None or first < HALF_TERMS:
        return found
    period = first // HALF_TERMS - 1
    days = school_days(county.world.periods[period])
    census = np.searchsorted(days.days[days.teaching], np.datetime64(january_census(days.period)))
    roll = county.roll
    there = (roll.period == period) & (roll.first <= census) & (roll.until > census) & (roll.status != SUBSIDIARY)
    there &= county.schools.mainstream[roll.school]
    found[roll.pupil[there]] = roll.school[there]
    return found


def _add_suspensions(county: County, sums: Ints, group: Ints, known: Any) -> None:
    events, roll = county.suspensions, county.roll
    half = np.empty(len(events.row), np.int64)
    for at, period in enumerate(county.world.periods):
        own, days = roll.period[events.row] == at, school_days(period)
        half[own] = HALF_TERMS * at + days.half_term[days.teaching][events.start[own] // 2] - 1
    for prefix, counted in (("", events.happens), ("untreated_", np.ones(len(half), bool))):
        own = np.flatnonzero(counted & known[events.row])
        own = own[np.argsort(half[own], kind="stable")]
        pupil = roll.pupil[events.row[own]] * county.world.n_periods + half[own] // HALF_TERMS
        once = own[np.unique(pupil, return_index=True)[1]]
        for column, chosen in (("suspensions", own), ("pupils_suspended", once)):
            place = (*group[events.row[chosen]].T, half[chosen])
            np.add.at(sums[..., _MEASURES.index(f"{prefix}{column}")], place, 1)


def _cells(county: County, population: str, sums: Ints) -> list[TruthCell]:
    found = []
    starts = (*county.world.treated_starts, None)
    names = (*county.world.interventions, None)
    for start, began_with, phase, fsm, half in zip(*np.nonzero(sums.any(axis=-1)), strict=True):
        begins = starts[start]
        found.append(
            TruthCell(
                population=population,
                start=None if start == NEVER else f"{STARTS[start][0]} HT{STARTS[start][1]}",
                intervention=names[began_with],
                half_term=half_term_label(county, int(half)),
                event_time=None if begins is None else int(half) - begins,
                phase=_PHASES[phase],
                fsm=_FSM[fsm],
                **dict(zip(_MEASURES, sums[start, began_with, phase, fsm, half].tolist(), strict=True)),
            )
        )
    return found


def write_county_truth(folder: Path, truth: CountyTruth) -> None:
    """Write ``truth.json``: the world, and one cell a line under the names of its columns."""
    columns = [field.name for field in fields(TruthCell)]
    head = {
        "schema": COUNTY_SCHEMA, "code": truth.code, "columns": columns, "world": truth.world,
        "ageing": {str(year): value for year, value in truth.ageing.items()},
    }  # fmt: skip
    lines = ",\n".join(json.dumps(astuple(cell)) for cell in truth.cells)
    text = json.dumps(head, indent=1, sort_keys=True, allow_nan=False).removesuffix("\n}")
    (folder / NAME).write_text(f'{text},\n "cells": [\n{lines}\n ]\n}}\n', encoding="utf-8", newline="\n")


def read_county_truth(folder: Path) -> CountyTruth:
    """Read the truth beside a made-up county.

    Raises
    ------
    SourceError
        If ``truth.json`` is missing or was not written by this package.
    """
    try:
        content = json.loads((folder / NAME).read_text(encoding="utf-8"))
        if content["schema"] != COUNTY_SCHEMA:
            raise KeyError("schema")
        cells = [TruthCell(**dict(zip(content["columns"], row, strict=True))) for row in content["cells"]]
        older = {int(year): float(value) for year, value in content["ageing"].items()}
        return CountyTruth(world=content["world"], code=content["code"], cells=tuple(cells), ageing=older)
    except (OSError, ValueError, KeyError, TypeError):
        raise SourceError(
            f"{NAME} in {folder.name or 'the folder'}: missing, or not as a simulated county has it (schema "
            f"{COUNTY_SCHEMA}). Delete the folder and simulate again."
        ) from None
