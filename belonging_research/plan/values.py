"""What one value of a plan may be: codes, months, units, sizes of effect, names of councils."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

Role = Literal["primary", "secondary", "exploratory"]
Better = Literal["lower", "higher"]
OutcomeUnit = Literal["proportion", "per_100_pupils", "log_ratio"]
Method = Literal[
    "ridge_augmented_synthetic_control",
    "synthetic_control",
    "synthetic_difference_in_differences",
    "difference_in_differences",
    "neighbours_difference_in_differences",
    "group_time_effects",
]
Period = Annotated[str, Field(pattern=r"^\d{4}/\d{2}$")]

# A smallest effect of interest beyond these is a slip of the unit: covid itself moved overall absence by 3 points.
_LARGEST: dict[OutcomeUnit, float] = {"proportion": 0.05, "log_ratio": 0.7}
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
# Words that a council's name may have or lack.
_UNTELLING = {"and", "borough", "city", "council", "county", "of", "the"}


def _three_digits(code: str) -> str:
    if not re.fullmatch(r"[0-9]{3}", code):
        raise ValueError(f"{code} is not a council's code; expected three digits such as 838")
    return code


def _month_and_year(text: str) -> str:
    if not re.fullmatch(rf"(?:{'|'.join(_MONTHS)}) 20[0-9]{{2}}", text):
        raise ValueError(f"{text} is not a month and a year; write it like March 2026")
    return text


UnitCode = Annotated[str, AfterValidator(_three_digits)]
Month = Annotated[str, AfterValidator(_month_and_year)]


def too_large(unit: OutcomeUnit, sesoi: float) -> str | None:
    """Why a smallest effect of interest cannot be meant, as words; None where it can."""
    largest = _LARGEST.get(unit, math.inf)
    if sesoi <= largest:
        return None
    means = (
        f"{sesoi:g} is {100 * sesoi:g} percentage points; 0.0025 is a quarter of a point"
        if unit == "proportion"
        else "0.105 is log(1 / 0.9), one in ten fewer; 0.7 is half as many, or twice"
    )
    return f"{sesoi:g} is too large for a {unit}; expected at most {largest:g} ({means})"


def same_name(one: str, other: str) -> bool:
    """Whether two names may be of one council: the telling words of one are among the other's.

    ``"Dorset Council"`` and ``"Dorset"`` may, ``"Bristol"`` and ``"Bristol, City of"`` too; ``"Devon"`` and
    ``"Dorset"`` may not.
    """
    left, right = (set(re.findall(r"\w+", name.casefold())) - _UNTELLING for name in (one, other))
    return bool(left and right) and (left <= right or right <= left)
