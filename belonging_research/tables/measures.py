"""What the columns of a table are, said by whoever makes it, so that the door knows what to protect."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A column of proportions, and the count columns that it divides, where the table has them."""

    name: str
    numerator: str | None = None
    denominator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A column of what was added up (half-days) over those whom the count columns ``over`` count: hidden with any."""

    name: str
    over: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Rows whose ``column`` says ``label`` are the sum of the other rows that share all other labels."""

    column: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Every numeric column of a table by what it holds; the rest are labels.

    ``pupils`` and ``schools`` are counts; ``amounts`` sums over those who are counted; ``rates`` proportions;
    ``other`` numbers that are about nobody (a year, an event time, an estimate). ``total`` names the one margin that a
    one-way table has.
    """

    pupils: tuple[str, ...] = ()
    schools: tuple[str, ...] = ()
    amounts: tuple[Amount, ...] = ()
    rates: tuple[Rate, ...] = ()
    other: tuple[str, ...] = ()
    total: Total | None = None

    @property
    def counts(self) -> tuple[str, ...]:
        """The columns that count pupils or schools."""
        return (*self.pupils, *self.schools)

    @property
    def rounded(self) -> tuple[str, ...]:
        """The columns that are rounded as counts are: counts and amounts."""
        return (*self.counts, *(amount.name for amount in self.amounts))

    @property
    def protected(self) -> tuple[str, ...]:
        """The columns that may be hidden: counts, amounts and rates."""
        return (*self.rounded, *(rate.name for rate in self.rates))
