"""What happened: the level of each group before and since the start, as far as the figures go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import pyarrow as pa

from belonging_research.findings import Finding
from belonging_research.plan import Plan
from belonging_research.present.numbers import Scale

MIX = "Comparison mix"
SIMILAR = "Similar councils"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The level of one group before and since the start (rates, proportions); None where a year has no figure.

    ``seen`` are the years, each with its level, that have a figure while another year of their mean has none.
    """

    group: str
    before: float | None
    since: float | None
    seen: tuple[tuple[str, float], ...] = ()


def trends_of(finding: Finding, plan: Plan, levels: pa.Table | None) -> tuple[Trend, ...]:
    """The treated place first, then the others: from ``levels`` where given, else from the estimate's own path.

    ``levels`` has columns group, outcome, period, value. A group without a figure is left out.
    """
    if levels is not None:
        return _from_levels(levels, finding, plan.place)
    estimate = finding.estimate
    if estimate is None:
        return ()
    actual = {point.period: point.actual for point in estimate.path}
    predicted = {point.period: point.predicted for point in estimate.path}
    before = _mean(actual, finding.base)
    if before is None:
        return ()
    place = Trend(group=plan.place, before=before, since=estimate.actual)
    if finding.verdict == "not_assessed":
        return (place,)
    return (place, Trend(group=MIX, before=_mean(predicted, finding.base), since=estimate.predicted))


def _from_levels(levels: pa.Table, finding: Finding, place: str) -> tuple[Trend, ...]:
    values: dict[str, dict[str, float]] = {}
    for row in levels.to_pylist():
        if row["outcome"] == finding.outcome and row["value"] is not None:
            values.setdefault(row["group"], {})[row["period"]] = row["value"]
    groups = sorted(values, key=lambda group: (group != place, list(values).index(group)))
    found = (
        Trend(
            group=group,
            before=_mean(values[group], finding.base),
            since=_mean(values[group], finding.post),
            seen=(*_seen(values[group], finding.base), *_seen(values[group], finding.post)),
        )
        for group in groups
    )
    return tuple(each for each in found if each.before is not None or each.since is not None or each.seen)


def _mean(values: Mapping[str, float], periods: Sequence[str]) -> float | None:
    """The mean over the periods; None where one of them has no figure."""
    return fmean(values[each] for each in periods) if periods and set(periods) <= set(values) else None


def _seen(values: Mapping[str, float], periods: Sequence[str]) -> list[tuple[str, float]]:
    """The years with a figure, where the mean over the periods has none for want of another year."""
    return [] if set(periods) <= set(values) else [(each, values[each]) for each in periods if each in values]


def change(trend: Trend, measure: Scale) -> float | None:
    """The change of a level in its printed number, worked out from the levels as printed; None where one is missing."""
    if trend.before is None or trend.since is None:
        return None
    decimals = measure.decimals
    return round(round(100 * trend.since, decimals) - round(100 * trend.before, decimals), decimals)
