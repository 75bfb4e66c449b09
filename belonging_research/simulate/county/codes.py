"""Which mark a half-day gets: reasons for absence and kinds of presence by how they were written on the day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from belonging_research.simulate.councils import Floats
from belonging_research.tables import first_year
from belonging_research.tables.register_codes import ABSENT, CODES_CHANGED, POSSIBLE, REGISTER_CODES

# Every mark once, however often it changed its meaning.
CODES: tuple[str, ...] = tuple(dict.fromkeys(code.mark for code in REGISTER_CODES))
CODE_OF: dict[str, int] = {mark: at for at, mark in enumerate(CODES)}

# Shares of absent half-days: of those usually absent little, and of those absent much. Near the reasons that the
# Department publishes: illness about half, a third unauthorised.
_LITTLE = {"I": 0.60, "M": 0.075, "leave": 0.03, "holiday": 0.015, "G": 0.125, "N": 0.012, "O": 0.085, "U": 0.03,
           "R": 0.008, "T": 0.004, "part_time": 0.01, "interview": 0.006}  # fmt: skip
_MUCH = {"I": 0.44, "M": 0.04, "leave": 0.02, "holiday": 0.003, "G": 0.04, "N": 0.02, "O": 0.33, "U": 0.04,
         "R": 0.002, "T": 0.01, "part_time": 0.05, "interview": 0.005}  # fmt: skip
# Shares of all days that are not missed and are another than a day in class.
_PRESENT = {
    "L": 0.016,
    "V": 0.006,
    "P": 0.002,
    "W": 0.001,
    "B": 0.004,
    "arranged": 0.0006,
    "no_access": 0.0001,
    "transport": 0.0002,
}
_OLD = {
    "leave": "C",
    "holiday": "H",
    "part_time": "C",
    "interview": "J",
    "arranged": "B",
    "no_access": "Y",
    "transport": "Y",
    "site_closed": "Y",
}
_NEW = {
    "leave": "C",
    "holiday": "C",
    "part_time": "C2",
    "interview": "J1",
    "arranged": "K",
    "no_access": "Q",
    "transport": "Y1",
    "site_closed": "Y4",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """Marks of a period. ``little`` and ``much``: upper ends on the unit interval of each mark of ``absent``;
    ``elsewhere``: those of ``present``, counted down from its end; ``arranged``: where a pupil is taught elsewhere."""

    absent: NDArray[np.uint8]
    little: Floats
    much: Floats
    present: NDArray[np.uint8]
    elsewhere: Floats
    site_closed: int
    arranged: int


def is_new(period: str) -> bool:
    """Whether an academic year is marked with the codes of August 2024."""
    return first_year(period) >= CODES_CHANGED.year


def reasons_on(period: str) -> Reasons:
    """The marks of an academic year, ``"2024/25"``: those of its days and no others."""
    names = _NEW if is_new(period) else _OLD
    return Reasons(
        absent=_places(list(_LITTLE), names),
        little=np.cumsum(list(_LITTLE.values())) / sum(_LITTLE.values()),
        much=np.cumsum(list(_MUCH.values())) / sum(_MUCH.values()),
        present=_places(list(_PRESENT), names),
        elsewhere=np.cumsum(list(_PRESENT.values())),
        site_closed=CODE_OF[names["site_closed"]],
        arranged=CODE_OF[names["arranged"]],
    )


def _places(marks: list[str], names: dict[str, str]) -> NDArray[np.uint8]:
    return np.array([CODE_OF[names.get(mark, mark)] for mark in marks], np.uint8)


def counts_as(kinds: tuple[str, ...], period: str) -> NDArray[np.bool_]:
    """(codes,) whether each of :data:`CODES` counts as one of ``kinds`` in an academic year."""
    found = np.zeros(len(CODES), bool)
    for code in REGISTER_CODES:
        if (code.first_day is None or is_new(period)) and (code.last_day is None or not is_new(period)):
            found[CODE_OF[code.mark]] = code.counts in kinds
    return found


def possible_on(period: str) -> NDArray[np.bool_]:
    """(codes,) whether a half-day with each of :data:`CODES` could have been attended."""
    return counts_as(POSSIBLE, period)


def absent_on(period: str) -> NDArray[np.bool_]:
    """(codes,) whether a half-day with each of :data:`CODES` was missed."""
    return counts_as(ABSENT, period)
