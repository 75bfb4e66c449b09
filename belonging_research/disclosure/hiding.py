"""Thresholds, rounding and secondary suppression of one table with at most one margin.

The guarantee, tested by an adversary: whoever has the released table, these rules, every shown count *before*
rounding and every denominator knows no more about a hidden count than its threshold says. It holds for
one-way tables with a total. It does not cover two-way tables, columns that add up to another column, or
nested places: those are refused where they can be seen (`check_measures`), otherwise the analyst must avoid
them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from belonging_research.disclosure.measures import labels, threshold_of
from belonging_research.errors import DisclosureError
from belonging_research.plan import SecrecyPolicy
from belonging_research.tables.measures import Measures

Cell = tuple[int, str]  # row number, column
CellKey = tuple[str, tuple[tuple[str, str], ...]]  # column, its row's labels

# The Department shows a zero as a zero; a council's zero in a small group says something about each member.
ZERO_SHOWN = frozenset({"dfe"})
SECONDARY = "hidden to protect another figure"
BEFORE = "hidden in an earlier table"
SMALL_REST = "all but a few are in it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """A table as it may be released, how many cells were hidden, and why."""

    table: pa.Table
    n_suppressed: int
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    """The table as plain lists beside its rules; ``marks`` grows while cells are hidden."""

    columns: Mapping[str, list[Any]]
    n_rows: int
    measures: Measures
    policy: SecrecyPolicy
    marks: dict[Cell, str] = field(default_factory=dict)

    def value(self, row: int, column: str) -> float | None:
        number = self.columns[column][row]
        return None if number is None or math.isnan(number) else float(number)

    def shown(self, row: int, column: str) -> bool:
        return (row, column) not in self.marks and self.value(row, column) is not None

    def mark(self, row: int, column: str, reason: str) -> None:
        if self.value(row, column) is not None:
            self.marks.setdefault((row, column), reason)


def cell_keys(table: pa.Table, measures: Measures) -> dict[Cell, CellKey]:
    """The identity of each protected cell: its column and its row's labels, whatever the table is called."""
    named = [name for name in labels(table, measures) if name != "suppressed"]
    columns = {name: table.column(name).to_pylist() for name in named}
    keys: dict[Cell, CellKey] = {}
    for row in range(table.num_rows):
        place = tuple(sorted((name, str(columns[name][row])) for name in named))
        keys.update({(row, column): (column, place) for column in measures.protected})
    return keys


def hide(
    table: pa.Table,
    measures: Measures,
    policy: SecrecyPolicy,
    *,
    already: frozenset[CellKey] = frozenset(),
    with_them: frozenset[CellKey] = frozenset(),
) -> Hidden:
    """The table with small counts, the rates they would give, and what would give them back, hidden.

    Hidden cells become null and column ``suppressed`` says why; shown counts and amounts are rounded to the policy's
    base, rates to its decimals (of a percentage). ``already`` are cells that an earlier table of this run
    hid: they stay hidden; ``with_them`` are cells that would give a hidden one back through a figure that is in no
    table. A policy without thresholds returns the table as it is.

    Raises
    ------
    DisclosureError
        If the parts of a declared total add up to more than the total.
    """
    if policy.pupils == 0 and policy.schools == 0:
        return Hidden(table=table, n_suppressed=0, reasons={})
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    sheet = _Sheet(columns=columns, n_rows=table.num_rows, measures=measures, policy=policy)
    _hide_small(sheet)
    for (row, column), key in cell_keys(table, measures).items():
        if key in already:
            sheet.mark(row, column, BEFORE)
        elif key in with_them:
            sheet.mark(row, column, SECONDARY)
    _hide_linked(sheet)
    groups = list(_groups(table, sheet))
    before = -1
    while before != len(sheet.marks):
        before = len(sheet.marks)
        for total, parts in groups:
            for column in _denominators_first(measures):
                _protect(sheet, column, total, parts)
                _hide_linked(sheet)
    reasons = Counter(sheet.marks.values())
    return Hidden(table=_released(table, sheet), n_suppressed=len(sheet.marks), reasons=dict(sorted(reasons.items())))


def small(sheet_policy: SecrecyPolicy, threshold: int, value: float) -> bool:
    """Whether a count is under its threshold; a zero counts as small except where the policy shows zeros."""
    return value < threshold and not (value == 0 and sheet_policy.name in ZERO_SHOWN)


def _hide_small(sheet: _Sheet) -> None:
    measures, policy = sheet.measures, sheet.policy
    for row in range(sheet.n_rows):
        for column in measures.schools:
            count = sheet.value(row, column)
            if count is not None and small(policy, policy.schools, count):
                for each in measures.protected:  # fewer than three schools: the row would be about a school
                    sheet.mark(row, each, f"fewer than {policy.schools} schools")
        for column in measures.pupils:
            count = sheet.value(row, column)
            if count is not None and small(policy, policy.pupils, count):
                sheet.mark(row, column, f"fewer than {policy.pupils} pupils")
        for rate in measures.rates:
            _hide_small_rest(sheet, row, rate.numerator, rate.denominator)


def _hide_small_rest(sheet: _Sheet, row: int, numerator: str | None, denominator: str | None) -> None:
    """ "95 of 100" says that five were not: the complement is a small count too."""
    if numerator not in sheet.measures.pupils or denominator not in sheet.measures.pupils:
        return
    part, whole = sheet.value(row, numerator), sheet.value(row, denominator)
    if part is not None and whole is not None and small(sheet.policy, sheet.policy.pupils, whole - part):
        sheet.mark(row, numerator, SMALL_REST)


def _hide_linked(sheet: _Sheet) -> None:
    """A rate, its numerator and its denominator: two of them give the third. An amount goes with its counts."""
    for row in range(sheet.n_rows):
        for amount in sheet.measures.amounts:
            reason = next((sheet.marks[row, each] for each in amount.over if (row, each) in sheet.marks), None)
            if reason:
                sheet.mark(row, amount.name, reason)
        for rate in sheet.measures.rates:
            over, under = rate.numerator, rate.denominator
            reason = sheet.marks.get((row, under)) if under else None
            if reason and over:
                sheet.mark(row, over, reason)
            reason = reason or (sheet.marks.get((row, over)) if over else None)
            if reason:
                sheet.mark(row, rate.name, reason)
            elif (row, rate.name) in sheet.marks and over:
                sheet.mark(row, over, sheet.marks[row, rate.name])


def _groups(table: pa.Table, sheet: _Sheet) -> Iterable[tuple[int, list[int]]]:
    """The row of each total beside the rows of its parts."""
    total = sheet.measures.total
    if total is None:
        return
    others = [name for name in labels(table, sheet.measures) if name not in (total.column, "suppressed")]
    members: dict[tuple[Any, ...], list[int]] = {}
    for row in range(sheet.n_rows):
        members.setdefault(tuple(sheet.columns[name][row] for name in others), []).append(row)
    for rows in members.values():
        totals = [row for row in rows if sheet.columns[total.column][row] == total.label]
        if len(totals) > 1:
            raise DisclosureError(
                f"rows {', '.join(str(row + 1) for row in totals)}: more than one total "
                f"({total.column} = {total.label}) for the same labels; a table has one margin."
            )
        if totals:
            yield totals[0], [row for row in rows if row != totals[0]]


def _denominators_first(measures: Measures) -> list[str]:
    under = [rate.denominator for rate in measures.rates if rate.denominator]
    return sorted(measures.counts, key=lambda column: (column not in under, column))


def _bounds(sheet: _Sheet, row: int, column: str) -> tuple[float, float]:
    """What the rules alone tell about a hidden count: least and greatest."""
    threshold = threshold_of(sheet.measures, column, sheet.policy)
    reason, value = sheet.marks[row, column], sheet.value(row, column) or 0.0
    whole = _whole(sheet, row, column)
    if small(sheet.policy, threshold, value) and reason.startswith("fewer than"):
        least = 1.0 if sheet.policy.name in ZERO_SHOWN else 0.0
        return least, min(threshold - 1.0, whole)
    if reason == SECONDARY:
        rest = sheet.policy.pupils if column in _numerators(sheet.measures) else 0.0
        return float(threshold), max(value, whole - rest)
    return 0.0, whole


def _needs(sheet: _Sheet, row: int, column: str) -> tuple[float, float]:
    """The range that must stay possible for a protected count."""
    threshold = threshold_of(sheet.measures, column, sheet.policy)
    value = sheet.value(row, column) or 0.0
    low, high = _bounds(sheet, row, column)
    if small(sheet.policy, threshold, value):
        return low, min(high, threshold - 1.0)
    return max(low, value - threshold), min(high, value + threshold)


def _whole(sheet: _Sheet, row: int, column: str) -> float:
    """The denominator above which a numerator cannot lie; infinite where there is none."""
    wholes = [
        sheet.value(row, rate.denominator)
        for rate in sheet.measures.rates
        if rate.numerator == column and rate.denominator in sheet.measures.pupils and column in sheet.measures.pupils
    ]
    return min((each for each in wholes if each is not None), default=math.inf)


def _numerators(measures: Measures) -> set[str]:
    return {
        rate.numerator
        for rate in measures.rates
        if rate.numerator in measures.pupils and rate.denominator in measures.pupils and rate.numerator
    }


def _exposed(sheet: _Sheet, column: str, hidden: list[int]) -> bool:
    """Whether the sum of the hidden counts narrows any protected one (exact for one linear constraint)."""
    bounds = {row: _bounds(sheet, row, column) for row in hidden}
    known_sum = math.fsum(sheet.value(row, column) or 0.0 for row in hidden)
    for row in hidden:
        if sheet.marks[row, column] in (SECONDARY, BEFORE):
            continue
        others = [bounds[each] for each in hidden if each != row]
        least = max(bounds[row][0], known_sum - sum(high for _, high in others))
        most = min(bounds[row][1], known_sum - sum(low for low, _ in others))
        need_low, need_high = _needs(sheet, row, column)
        if least > need_low or most < need_high:
            return True
    return False


def _told_by_order(sheet: _Sheet, column: str, total: int, parts: list[int], hidden: list[int]) -> bool:
    """Whether the order of sizes tells a small count: a part hidden beside it is no larger than any that is shown.

    As somebody would work it out who knows the rule and reads rounded numbers.
    """
    threshold = threshold_of(sheet.measures, column, sheet.policy)
    shown = [sheet.value(row, column) for row in parts if sheet.shown(row, column)]
    greatest = [_reach(sheet, column, value)[1] for value in shown if value is not None and value >= threshold]
    whole = sheet.value(total, column)
    if not greatest or whole is None:
        return False
    least_sum = _reach(sheet, column, whole)[0] - math.fsum(greatest)
    bounds = {row: _bounds(sheet, row, column) for row in hidden}
    for row, (_, high) in bounds.items():
        if sheet.marks[row, column] == SECONDARY:
            bounds[row] = (0.0, min(high, max(min(greatest), sheet.value(row, column) or 0.0)))
    most = math.fsum(high for _, high in bounds.values())
    return any(
        least_sum - (most - bounds[row][1]) > _needs(sheet, row, column)[0]
        for row in hidden
        if sheet.marks[row, column] not in (SECONDARY, BEFORE)
    )


def _reach(sheet: _Sheet, column: str, value: float) -> tuple[float, float]:
    """The least and the greatest count that would be printed as this one is."""
    if column not in sheet.measures.rounded:
        return value, value
    base, printed = sheet.policy.round_counts_to, _rounded(value, True, sheet.policy) or 0.0
    return printed - base // 2, printed + (base - 1) // 2


def _protect(sheet: _Sheet, column: str, total: int, parts: list[int]) -> None:
    """Hide the next smallest part until no protected count is narrowed; the total itself as a last resort."""
    whole = sheet.value(total, column)
    values = [sheet.value(row, column) for row in parts]
    added = math.fsum(value for value in values if value is not None)
    if whole is not None and added > whole:
        raise DisclosureError(
            f"column {column}: the parts of the total in row {total + 1} add up to more than the total; "
            "they overlap, so the door cannot protect them. Clear overlapping groups in tables of their own."
        )
    threshold = threshold_of(sheet.measures, column, sheet.policy)
    while sheet.shown(total, column):
        hidden = [row for row in parts if (row, column) in sheet.marks]
        told = bool(hidden) and _told_by_order(sheet, column, total, parts, hidden)
        if not hidden or not (told or _exposed(sheet, column, hidden)):
            return
        spare = [row for row in parts if sheet.shown(row, column)]
        spare = [row for row in spare if (sheet.value(row, column) or 0.0) >= threshold]
        if spare:
            sheet.mark(min(spare, key=lambda row: (sheet.value(row, column), row)), column, SECONDARY)
        else:
            sheet.mark(total, column, SECONDARY)


def _released(table: pa.Table, sheet: _Sheet) -> pa.Table:
    measures, policy = sheet.measures, sheet.policy
    arrays, names = [], []
    for name in table.column_names:
        kind = table.schema.field(name).type
        values: list[Any] = sheet.columns[name]
        if name in measures.protected:
            shown = [sheet.value(row, name) if sheet.shown(row, name) else None for row in range(sheet.n_rows)]
            values = [_rounded(value, name in measures.rounded, policy) for value in shown]
            if pa.types.is_integer(kind):
                values = [None if value is None else int(value) for value in values]
        names.append(name)
        arrays.append(pa.array(values, type=kind))
    reasons = [_row_reason(sheet, row) for row in range(sheet.n_rows)]
    return pa.table([*arrays, pa.array(reasons, type=pa.string())], names=[*names, "suppressed"])


def _rounded(value: float | None, is_count: bool, policy: SecrecyPolicy) -> float | None:
    if value is None:
        return None
    if is_count:
        base = policy.round_counts_to
        return float(math.floor(value / base + 0.5) * base)
    return round(value, policy.rate_decimals + 2)


def _row_reason(sheet: _Sheet, row: int) -> str | None:
    marks = [(column, reason) for (at, column), reason in sheet.marks.items() if at == row]
    order = list(sheet.measures.protected)
    marks.sort(key=lambda mark: order.index(mark[0]))
    return "; ".join(f"{column}: {reason}" for column, reason in marks) or None
