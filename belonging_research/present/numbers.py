"""How numbers are said: levels, effects, ranges, chances and years in words, never with a bare minus sign.

Rates are proportions everywhere else; here, and only here, they become per cent, points and days.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from belonging_research.plan import OutcomeUnit

SCHOOL_DAYS = 190  # of a school year in England: one point of absence is 1.9 days a pupil a year
# Shares of half-days missed: for these alone a point means days.
RATES_OF_DAYS = frozenset(
    {
        "overall_absence_rate",
        "authorised_absence_rate",
        "unauthorised_absence_rate",
        "illness_absence_rate",
        "suspended_or_excluded_sessions_rate",
    }
)
_NOTHING = 1e-9  # of a point: what arithmetic leaves of no difference
_QUARTERS = {1: "a quarter of a day", 2: "half a day", 3: "three quarters of a day", 4: "one day"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How one outcome's numbers are said.

    ``unit`` is the unit of its effects; ``per_100`` says that its level is a number of events per 100 pupils
    rather than a share; ``decimals`` (of levels) come from the secrecy policy; ``effect_decimals`` are as many, or
    more where the size that matters has more: an effect is said no coarser than what it is held against.
    """

    unit: OutcomeUnit
    per_100: bool
    decimals: int
    effect_decimals: int
    days: bool

    def level(self, rate: float) -> str:
        """A level (a rate, proportion) in words: "7.72%" or "9.31 per 100 pupils"."""
        number = f"{100 * rate:.{self.decimals}f}"
        return f"{number} per 100 pupils" if self.per_100 else f"{number}%"

    def number(self, effect: float) -> float:
        """An effect as its printed number, signed: points, per 100 pupils, or per cent."""
        if self.unit == "proportion":
            return 100 * effect
        return effect if self.unit == "per_100_pupils" else 100 * math.expm1(effect)

    def _digits(self, effect: float) -> str:
        size = abs(self.number(effect))
        if self.unit == "log_ratio":
            return digits(size, 1).removesuffix(".0")
        return digits(size, self.effect_decimals)

    @property
    def noun(self) -> str:
        """What follows the number of an effect."""
        return {"proportion": " points", "per_100_pupils": " per 100 pupils", "log_ratio": "%"}[self.unit]

    def size(self, effect: float) -> str:
        """The size of an effect without its direction: "0.25 points", "10%"."""
        return f"{self._digits(effect)}{self.noun}"

    def limit(self, effect: float) -> str:
        """A size that the plan sets, said as it was set however coarse the figures are: "0.25 points"."""
        exact = f"{abs(self.number(effect)):.4f}".rstrip("0").rstrip(".")
        return "1 point" if exact == "1" and self.unit == "proportion" else f"{exact}{self.noun}"

    def limit_effect(self, effect: float) -> str:
        """A limit with its direction: "0.25 points lower", "10% lower"."""
        size = self.limit(effect) if self.unit != "log_ratio" else self.size(effect)
        return f"{size} {_way(effect)}"

    def is_nothing(self, effect: float) -> bool:
        """Whether an effect is nothing at all. One too small for its decimals is said as "less than 0.01 points"."""
        return abs(self.number(effect)) < _NOTHING

    def gap(self, rate: float) -> str:
        """How far one level lies from another, worked out before rounding: "0.16 points higher", "no difference"."""
        if 100 * abs(rate) < _NOTHING:
            return "no difference"
        decimals = self.decimals if self.unit == "log_ratio" else self.effect_decimals
        noun = " per 100 pupils" if self.per_100 else " points"
        return f"{digits(100 * abs(rate), decimals)}{noun} {_way(rate)}"

    def effect(self, effect: float) -> str:
        """An effect with its direction: "0.16 points higher", "10% lower", "no different"."""
        if self.is_nothing(effect):
            return "no different"
        return f"{self.size(effect)} {_way(effect)}"

    def end(self, effect: float) -> str:
        """One end of a range: as `effect`, "no difference" at nothing, "no limit" where it is infinite."""
        if math.isinf(effect):
            return f"no limit {_way(effect)}"
        return "no difference" if self.is_nothing(effect) else self.effect(effect)

    def between(self, low: float, high: float) -> str:
        """A range of effects: "0.31 points lower to 0.63 points higher", "0.1 to 0.6 points lower"."""
        ends = (self.end(low), self.end(high))
        if ends[0] == ends[1]:
            return ends[0]
        plain = not any(math.isinf(each) or self.is_nothing(each) for each in (low, high))
        if plain and (low < 0) == (high < 0):
            near, far = sorted((low, high), key=abs)
            return f"{self._digits(near)} to {self.size(far)} {_way(far)}"
        return f"{ends[0]} to {ends[1]}"

    def in_days(self, effect: float) -> str | None:
        """An effect on absence as time a pupil a year: "about half a day".

        None where a point means no days, and under an eighth of a day.
        """
        if not self.days or self.unit != "proportion":
            return None
        days = abs(effect) * SCHOOL_DAYS
        quarters = round(days * 4)
        if quarters == 0:
            return None
        return f"about {_QUARTERS.get(quarters, f'{days:.1f} days')}"


def scale(outcome: str, label: str, unit: OutcomeUnit, decimals: int, sesoi: float = 1.0) -> Scale:
    """The scale of an outcome: a level is per 100 pupils where its label says so.

    ``decimals`` are the policy's, ``sesoi`` the smallest effect that matters, in ``unit``.
    """
    per_100 = unit == "per_100_pupils" or "per 100" in label
    own = f"{100 * sesoi if unit == 'proportion' else sesoi:.4f}".rstrip("0").partition(".")[2]
    return Scale(
        unit=unit,
        per_100=per_100,
        decimals=decimals,
        effect_decimals=decimals if unit == "log_ratio" else max(decimals, len(own)),
        days=outcome in RATES_OF_DAYS,
    )


def digits(size: float, decimals: int) -> str:
    """A size at so many decimals, never "0.00" of something: "0.16", "less than 0.01"."""
    rounded = f"{size:.{decimals}f}"
    if float(rounded) == 0 and size >= _NOTHING:
        return f"less than {10.0**-decimals:.{decimals}f}"
    return rounded


def _way(effect: float) -> str:
    return "higher" if effect > 0 else "lower"


def chance(probability: float) -> str:
    """A probability in words, as round as it is known: "about 1 in 6", "about 1 in 20", "about 6 in 10"."""
    if probability < 0.01:
        return "less than 1 in 100"
    if probability > 0.95:
        return "more than 19 in 20"
    if probability >= 0.3:
        return f"about {round(10 * probability)} in 10"
    one_in = 1 / probability
    step = 1 if one_in < 10.5 else 5 if one_in < 47.5 else 10
    return f"about 1 in {step * round(one_in / step)}"


def year(period: str) -> str:
    """An academic year in words: "2024/25" is "2024 to 2025"."""
    return f"{period[:4]} to {int(period[:4]) + 1}"


def years(periods: Sequence[str]) -> str:
    """Consecutive academic years in words: one as `year`, more as "2022 to 2024 (average of two years)"."""
    first, last = min(periods), max(periods)
    if len(periods) == 1:
        return year(first)
    words = {2: "two", 3: "three", 4: "four", 5: "five"}
    number = words.get(len(periods), str(len(periods)))
    return f"{first[:4]} to {int(last[:4]) + 1} (average of {number} years)"


def listed(items: Sequence[str], last: str = "and") -> str:
    """Words in a row: "a, b and c"."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"
