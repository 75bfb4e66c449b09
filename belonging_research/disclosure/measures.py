"""What the columns of a table are, said by whoever makes it, so that the door knows what to protect."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from belonging_research.errors import DisclosureError
from belonging_research.plan import SecrecyPolicy

TOTAL_WORDS = frozenset({"all", "total", "england", "overall"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A column of proportions, and the count columns that it divides, where the table has them."""

    name: str
    numerator: str | None = None
    denominator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Rows whose ``column`` says ``label`` are the sum of the other rows that share all other labels."""

    column: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Every numeric column of a table by what it holds; the rest are labels.

    ``pupils`` and ``schools`` are counts; ``rates`` proportions; ``other`` numbers that are about nobody (a
    year, an event time, an estimate). ``total`` names the one margin that a one-way table has.
    """

    pupils: tuple[str, ...] = ()
    schools: tuple[str, ...] = ()
    rates: tuple[Rate, ...] = ()
    other: tuple[str, ...] = ()
    total: Total | None = None

    @property
    def counts(self) -> tuple[str, ...]:
        """The columns that count pupils or schools."""
        return (*self.pupils, *self.schools)

    @property
    def protected(self) -> tuple[str, ...]:
        """The columns that may be hidden: counts and rates."""
        return (*self.counts, *(rate.name for rate in self.rates))

    def labels(self, table: pa.Table) -> tuple[str, ...]:
        """The columns that say which cell a row is: all that are neither counts nor rates."""
        return tuple(name for name in table.column_names if name not in self.protected)

    def threshold(self, column: str, policy: SecrecyPolicy) -> int:
        """The smallest count of ``column`` that the policy shows."""
        return policy.schools if column in self.schools else policy.pupils


def check_measures(table: pa.Table, measures: Measures, name: str) -> None:
    """Refuse a table that the door cannot judge under a policy with thresholds.

    Raises
    ------
    DisclosureError
        If a declared column is absent, a numeric column is not declared, a rate has no denominator to judge
        it by, or a column holds a total that was not declared.
    """
    named = [rate.numerator for rate in measures.rates] + [rate.denominator for rate in measures.rates]
    declared = {*measures.protected, *measures.other, *(each for each in named if each)}
    absent = sorted(declared - set(table.column_names))
    if absent:
        raise DisclosureError(f"table {name}: Measures names columns that are not there: {', '.join(absent)}.")
    numeric = {field.name for field in table.schema if _is_number(field.type)}
    unknown = sorted(numeric - declared)
    if unknown:
        raise DisclosureError(
            f"table {name}: nobody said what these numbers count: {', '.join(unknown)}. "
            "Declare each in Measures as pupils, schools, a rate, or other."
        )
    bare = sorted(rate.name for rate in measures.rates if rate.denominator not in measures.counts)
    if bare:
        raise DisclosureError(
            f"table {name}: a rate without a count of pupils or schools cannot be judged: {', '.join(bare)}. "
            "Name its denominator column in Measures, and list that column as pupils or schools."
        )
    _check_totals(table, measures, name)


def _check_totals(table: pa.Table, measures: Measures, name: str) -> None:
    declared = measures.total.column if measures.total else None
    for column in measures.labels(table):
        if column == declared or not _is_text(table.schema.field(column).type):
            continue
        words = {str(value).strip().lower() for value in table.column(column).to_pylist()}
        if len(words) > 1 and words & TOTAL_WORDS:
            raise DisclosureError(
                f"table {name}: column {column} mixes a total with other rows. Declare it with "
                "Total(column, label); a table with totals in two columns must be cleared as two tables."
            )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))
