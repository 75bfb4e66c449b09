"""What an analysis that looks at the wrong pupils takes for an effect: those who left, and a year more of age.

Both by the simulator's own hand and none of the estimators': leavers come back and have their marks drawn as everybody
has; age is one year more in the expected absence of the same pupils.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

import numpy as np

from belonging_research.simulate.councils import Ints
from belonging_research.simulate.county.changes import year_levels
from belonging_research.simulate.county.counting import SESSIONS, ChunkCounts, count_chunk
from belonging_research.simulate.county.county import County
from belonging_research.simulate.county.marks import draw_marks, expected_absence
from belonging_research.simulate.county.pupils import usual_absence
from belonging_research.simulate.county.roll import CURRENT, SUBSIDIARY, Roll
from belonging_research.simulate.county.school_days import TEACHING_DAYS
from belonging_research.simulate.county.schools import TIERS, YEAR_GROUPS
from belonging_research.simulate.county.worlds import HALF_TERMS

_POSSIBLE, _ABSENT = SESSIONS.index("untreated_possible"), SESSIONS.index("untreated_absent")


def had_nobody_left(county: County) -> tuple[County, list[ChunkCounts]]:
    """Pupils who left because their school began (``high_absence_leavers``), from then on, had they stayed.

    A county with the roll of these alone, going up the schools as others do, and their half-days; drawn by a chance
    of their own, with no suspensions. Its roll is empty where nobody left.
    """
    nobody = np.zeros(len(county.suspensions.row), bool)
    events = {each.name: getattr(county.suspensions, each.name)[nobody] for each in fields(county.suspensions)}
    stayed = replace(
        county, roll=_as_they_would(county), suspensions=replace(county.suspensions, **events), seed=county.seed + 1
    )
    counts = [count_chunk(stayed, chunk) for period in county.world.periods for chunk in draw_marks(stayed, period)]
    return stayed, counts


def _as_they_would(county: County) -> Roll:
    """Rows of those who left, from the day on and in every later year in which they are of school age."""
    moves, schools = county.moves, county.schools
    own = np.flatnonzero(moves.at_start)
    pupil, school, left = moves.pupil[own], moves.school[own], moves.period[own]
    last = np.array([TIERS[tier][1] for tier in schools.tier])
    parts: list[dict[str, Ints]] = []
    for period in range(county.world.n_periods):
        year_group = period - county.pupils.entry[pupil]
        there = (period >= left) & (year_group < YEAR_GROUPS)
        over = there & (year_group > last[school])
        school = np.where(over, schools.follows[school], school)
        first = np.where(period == left, moves.first[own], 0)
        parts.append({"pupil": pupil[there], "school": school[there], "first": first[there],
                      "period": np.full(int(there.sum()), period)})  # fmt: skip
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    n = len(found["pupil"])
    until, status = np.full(n, TEACHING_DAYS), np.full(n, CURRENT)
    order = np.lexsort((found["first"], found["school"], found["pupil"], found["period"]))
    return Roll(**{name: values[order] for name, values in found.items()}, until=until, away=until, back=until,
                status=status)  # fmt: skip


def ageing(county: County, counts: Sequence[ChunkCounts], period: int) -> dict[int, float]:
    """What a year more of age adds to overall absence, by the year group of pupils on roll in ``period``, 1 to 10.

    A proportion: the mean, over the pupils of a year group, of expected absence a year group further, less that of
    their own; the same pupil, whatever no column shows, and year. Scaled to half-days as they are marked: a day absent
    is not always both halves of it.
    """
    roll = county.roll
    own = np.flatnonzero((roll.period == period) & (roll.status != SUBSIDIARY))
    who = roll.pupil[own]
    year_group = period - county.pupils.entry[who]
    scale = _marked_of_expected(county, counts, period) * year_levels(county.world)[period]
    found = {}
    for at in range(1, YEAR_GROUPS - 1):
        these = who[year_group == at]
        if len(these):
            before, after = (usual_absence(county.pupils, these, np.full(len(these), n), period) for n in (at, at + 1))
            found[at] = round(float(scale * (after - before).mean()), 12)
    return found


def _marked_of_expected(county: County, counts: Sequence[ChunkCounts], period: int) -> float:
    """Absent half-days over those expected, without intervention, in the half-terms in which every age counts."""
    absent = expected = 0.0
    for rows, sessions in _of_period(county, counts, period):
        absent += float(sessions[:, :-1, _ABSENT].sum())
        before = expected_absence(county, rows, period)[0]
        expected += float((sessions[:, :-1, _POSSIBLE] * before[:, : HALF_TERMS - 1]).sum())
    return absent / expected if expected else 1.0


def _of_period(county: County, counts: Sequence[ChunkCounts], period: int) -> Iterator[tuple[Ints, Ints]]:
    for chunk in counts:
        if len(chunk.rows) and county.roll.period[chunk.rows[0]] == period:
            yield chunk.rows, chunk.sessions
