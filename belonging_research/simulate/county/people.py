"""Names, birthdays and pupil numbers of people who do not exist."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from belonging_research.simulate.county.county import County
from belonging_research.simulate.county.enrolments import as_date

# Check letters of unique pupil numbers: the weighted sum of the 12 digits, weights 2 to 13, modulo 23.
_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"
_NOBODYS_AUTHORITY = "999"
_FORENAMES = ("Amber", "Birch", "Clover", "Dune", "Ember", "Fennel", "Garnet", "Hazel", "Juniper", "Lark", "Zoë")
_SURNAMES = ("Madeup", "Nobody", "Inventée", "Placeholder", "Fiction", "Sample", "Imaginary", "O'Example")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A made-up pupil under the code that stands for the hash of their number."""

    code: str
    upn: str
    surname: str
    forename: str
    born: dt.date


def check_letter(digits: str) -> str:
    """The letter before the 12 digits of a unique pupil number (DfE, "Unique pupil numbers")."""
    return _LETTERS[sum(weight * int(digit) for weight, digit in zip(range(2, 14), digits, strict=True)) % 23]


def made_up_people(county: County) -> Iterator[Person]:
    """Everybody of the county, in the order of their codes. Numbers follow the year of Reception and a count."""
    rng = np.random.default_rng([county.seed, county.world.n_pupils])
    pupils = county.pupils
    numbers: Counter[str] = Counter()
    for at, code in enumerate(pupils.code.tolist()):
        year = (county.world.first_period + int(pupils.entry[at])) % 100
        place = f"{_NOBODYS_AUTHORITY}{4000 + int(pupils.pyramid[at])}{year:02d}"
        digits = f"{place}{numbers[place]:03d}"
        numbers[place] += 1
        yield Person(
            code=code,
            upn=check_letter(digits) + digits,
            surname=_SURNAMES[int(rng.integers(len(_SURNAMES)))],
            forename=_FORENAMES[int(rng.integers(len(_FORENAMES)))],
            born=as_date(pupils.birth_month[at]) + dt.timedelta(days=int(rng.integers(28))),
        )
