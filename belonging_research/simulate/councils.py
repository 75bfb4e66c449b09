"""The made-up country's map: invented names, codes of no real council, nine regions, unequal sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COUNTRY = ("E99000001", "Averland")
# Unit and GSS code are those that the readers know regions by; the names are invented.
REGIONS: tuple[tuple[str, str, str], ...] = (
    ("980", "E12000001", "Northmark"),
    ("981", "E12000002", "Westering"),
    ("982", "E12000003", "High Dales"),
    ("983", "E12000004", "Midshire"),
    ("984", "E12000005", "Ironvale"),
    ("985", "E12000006", "Eastmarch"),
    ("986", "E12000007", "Crownlands"),
    ("989", "E12000008", "Southdown Reach"),
    ("990", "E12000009", "Westcombe"),
)
_FIRST = (
    "Alder", "Bram", "Corra", "Dun", "Elver", "Fenn", "Garth", "Hazel",
    "Ives", "Kestrel", "Lark", "Marl", "Nor", "Ostre", "Pell",
)  # fmt: skip
_LAST = ("mere", "wold", "combe", "stead", "fell", "marsh", "holt", "reach", "vale", "moor")
N_COUNCILS = len(_FIRST) * len(_LAST)
CODES: tuple[str, ...] = tuple(str(501 + at) for at in range(N_COUNCILS))
GSS: tuple[str, ...] = tuple(f"E{99000101 + at}" for at in range(N_COUNCILS))
NAMES: tuple[str, ...] = tuple(first + last for first in _FIRST for last in _LAST)
ONE_SCHOOL = N_COUNCILS - 1
_SMALLEST, _LARGEST = 5_000.0, 180_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Councils:
    """(n,) arrays: pupils on roll and the number of a council's region (a place in :data:`REGIONS`)."""

    pupils: Ints
    region: Ints

    @property
    def small(self) -> Floats:
        """(n,) 47,000 over pupils: what a variance that shrinks with size is multiplied by."""
        result: Floats = 47_000.0 / self.pupils
        return result


def draw_councils(rng: np.random.Generator, treated: int, treated_pupils: int) -> Councils:
    """Sizes log-normal between 5,000 and 180,000 pupils, about a median of 41,000; the last council is one school."""
    pupils = np.exp(rng.normal(np.log(41_000), 0.65, N_COUNCILS))
    pupils = np.clip(pupils, _SMALLEST, _LARGEST).round().astype(np.int64)
    pupils[treated] = treated_pupils
    pupils[ONE_SCHOOL] = 210
    return Councils(pupils=pupils, region=np.arange(N_COUNCILS) * len(REGIONS) // N_COUNCILS)
