"""Half-days of a chunk of marks by half-term: of what happened, and of what would have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from belonging_research.simulate.councils import Ints
from belonging_research.simulate.county.codes import absent_on, possible_on
from belonging_research.simulate.county.county import County
from belonging_research.simulate.county.marks import Codes, MarksChunk
from belonging_research.simulate.county.schools import YEAR_GROUPS
from belonging_research.simulate.county.worlds import HALF_TERMS

SESSIONS = ("possible", "absent", "untreated_possible", "untreated_absent", "school_days")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkCounts:
    """``rows`` of the roll; ``sessions``: (rows, 6, 5) half-days by half-term, in the order of :data:`SESSIONS`
    (the last in days, training days apart)."""

    rows: Ints
    sessions: Ints


def count_chunk(county: County, chunk: MarksChunk) -> ChunkCounts:
    """Count as the published statistics do: pupils aged 5 to 15, those aged 15 not in half-term 6, no alternative
    provision; other rows are nought."""
    days, roll = chunk.days, county.roll
    period = county.world.periods.index(days.period)
    firsts = np.searchsorted(days.half_term, np.arange(1, HALF_TERMS + 1))
    possible, absent = possible_on(days.period), absent_on(days.period)

    def total(marks: Codes, of: NDArray[np.bool_]) -> Ints:
        counted = of.astype(np.uint8)
        found = (counted[marks[:, :, 0]] + counted[marks[:, :, 1]]) * chunk.on_roll
        sums: Ints = np.add.reduceat(found, firsts, axis=1, dtype=np.int64)
        return sums

    taught = (chunk.on_roll & ~days.is_training).astype(np.int64)
    sessions = np.stack(
        [
            total(chunk.marks, possible), total(chunk.marks, absent),
            total(chunk.untreated, possible), total(chunk.untreated, absent),
            np.add.reduceat(taught, firsts, axis=1),
        ],
        axis=2,
    )  # fmt: skip
    year_group = period - county.pupils.entry[roll.pupil[chunk.rows]]
    counted = (year_group >= 1) & (county.schools.tier[roll.school[chunk.rows]] != "alternative")
    sessions[~counted] = 0
    sessions[year_group == YEAR_GROUPS - 1, HALF_TERMS - 1] = 0
    return ChunkCounts(rows=chunk.rows, sessions=sessions)
