"""Suspensions and permanent exclusions by geographic level, by the names to 2016/17 and since.

A suspension rate is suspensions per 100 pupils and may exceed 100; the share of pupils with one or more may not.
The denominator is the January census headcount, all ages, sole and dual main registrations (DfE, "Suspensions and
permanent exclusions in England": methodology). Counts to 2009/10 are scaled, hence fractional.
"""

from __future__ import annotations

from belonging_research.sources.batch import Batch, Request
from belonging_research.sources.figures import Measure, Reading, read_rows
from belonging_research.tables import SYMBOLS

# In the releases to 2016/17 an x is a suppressed figure, not one that is unavailable.
_OLD_SYMBOLS = {**SYMBOLS, "x": "confidential"}


def _measures(event: str, event_rate: str, pupils: str, pupils_rate: str) -> tuple[Measure, ...]:
    return (
        Measure(outcome="suspension_rate", numerator=event, denominator="headcount", rate=event_rate, share=False),
        Measure(
            outcome="pupils_with_one_or_more_suspensions_rate",
            numerator=pupils,
            denominator="headcount",
            rate=pupils_rate,
        ),
        Measure(
            outcome="permanent_exclusion_rate",
            numerator="perm_excl",
            denominator="headcount",
            rate="perm_excl_rate",
            share=False,
        ),
        Measure(outcome="suspensions", numerator=event),
        Measure(outcome="permanent_exclusions", numerator="perm_excl"),
        Measure(outcome="headcount", numerator="headcount"),
    )


_OLD = _measures("fixed_excl", "fixed_excl_rate", "one_plus_fixed", "one_plus_fixed_rate")
_NEW = _measures("suspension", "susp_rate", "one_plus_susp", "one_plus_susp_rate")


def read_old_exclusions(batch: Batch, request: Request) -> Reading:
    """Figures under the names to 2016/17 (``fixed_excl``), where ``x`` means suppressed."""
    return read_rows(batch, _OLD, request, family="exclusions", symbols=_OLD_SYMBOLS)


def read_suspensions(batch: Batch, request: Request) -> Reading:
    """Figures under the names since (``suspension``)."""
    return read_rows(batch, _NEW, request, family="exclusions")
