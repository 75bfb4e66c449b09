"""Two expressions that every measure of a council's own tables is made of, alike in every engine."""

from __future__ import annotations

from ibis.expr.types import BooleanValue, FloatingValue, IntegerValue


def number(condition: BooleanValue) -> IntegerValue:
    """How many rows meet a condition, in 64 bits; a null meets none."""
    found: IntegerValue = condition.fill_null(False).cast("int64").sum().cast("int64")
    return found


def proportion(count: IntegerValue, of: IntegerValue) -> FloatingValue:
    """One count over another, null where there is nothing to divide by: engines differ on what 1/0 is."""
    share: FloatingValue = count.cast("float64") / of.nullif(0).cast("float64")
    return share
