"""What a table says of its columns, judged: whether the door can protect it, and by which limits."""

from __future__ import annotations

import pyarrow as pa

from belonging_research.errors import DisclosureError
from belonging_research.plan import SecrecyPolicy
from belonging_research.tables.measures import Measures

TOTAL_WORDS = frozenset({"all", "total", "england", "overall"})


def labels(table: pa.Table, measures: Measures) -> tuple[str, ...]:
    """The columns that say which cell a row is: all that are neither counts, amounts nor rates."""
    return tuple(name for name in table.column_names if name not in measures.protected)


def threshold_of(measures: Measures, column: str, policy: SecrecyPolicy) -> int:
    """The smallest count of ``column`` that the policy shows."""
    return policy.schools if column in measures.schools else policy.pupils


def check_measures(table: pa.Table, measures: Measures, name: str) -> None:
    """Refuse a table that the door cannot judge under a policy with thresholds.

    Raises
    ------
    DisclosureError
        If a declared column is absent, a numeric column is not declared, a rate has no denominator to judge
        it by, an amount no count or a total, or a column holds a total that was not declared.
    """
    named = [rate.numerator for rate in measures.rates] + [rate.denominator for rate in measures.rates]
    named += [column for amount in measures.amounts for column in amount.over]
    declared = {*measures.protected, *measures.other, *(each for each in named if each)}
    absent = sorted(declared - set(table.column_names))
    if absent:
        raise DisclosureError(f"table {name}: Measures names columns that are not there: {', '.join(absent)}.")
    numeric = {field.name for field in table.schema if _is_number(field.type)}
    unknown = sorted(numeric - declared)
    if unknown:
        raise DisclosureError(
            f"table {name}: nobody said what these numbers count: {', '.join(unknown)}. "
            "Declare each in Measures as pupils, schools, an amount, a rate, or other."
        )
    bare = sorted(rate.name for rate in measures.rates if rate.denominator not in measures.counts)
    if bare:
        raise DisclosureError(
            f"table {name}: a rate without a count of pupils or schools cannot be judged: {', '.join(bare)}. "
            "Name its denominator column in Measures, and list that column as pupils or schools."
        )
    loose = sorted(a.name for a in measures.amounts if not a.over or not set(a.over) <= set(measures.counts))
    if loose or (measures.amounts and measures.total):
        raise DisclosureError(
            f"table {name}: an amount needs the count of those it was added up over, and no total that would give a "
            f"hidden one back: {', '.join(loose) or 'it has a total'}. Name the count under over, or clear two tables."
        )
    _check_totals(table, measures, name)


def _check_totals(table: pa.Table, measures: Measures, name: str) -> None:
    declared = measures.total.column if measures.total else None
    for column in labels(table, measures):
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
