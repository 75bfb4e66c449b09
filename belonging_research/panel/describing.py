"""What happened, in levels, and who is left out: tables that a page shows beside any comparison."""

from __future__ import annotations

from typing import Any, cast

import pandas as pd
import pyarrow as pa

from belonging_research.panel.building import Panel, deciding_source, series
from belonging_research.panel.comparing import Comparison
from belonging_research.plan import Plan
from belonging_research.tables import Source

LEVELS = pa.schema(
    [(name, pa.string()) for name in ("outcome", "source", "group", "period")] + [("value", pa.float64())]
)


def levels(panel: Panel, plan: Plan) -> pa.Table:
    """What happened: the treated place, the mean of its similar councils and the country, by outcome and year.

    Columns outcome, source, group, period, value (proportion; events per pupil for suspensions and exclusions). The
    source is that which decides the report year, else the census. Means of councils are unweighted, and left out of
    a year in which one of them has no figure.
    """
    post = tuple(p for p in plan.post if p <= panel.report_year)
    rows: list[dict[str, str | float]] = []
    for outcome in plan.outcomes:
        source = deciding_source(panel, plan, outcome.name, post) or "census"
        for group, values in _groups(panel, plan, outcome.name, source).items():
            known = values.dropna()
            rows += [
                {
                    "outcome": outcome.name,
                    "source": source,
                    "group": group,
                    "period": str(period),
                    "value": float(value),
                }
                for period, value in known.items()
            ]
    return pa.Table.from_pylist(rows, schema=LEVELS)


def _groups(panel: Panel, plan: Plan, outcome: str, source: Source) -> dict[str, pd.Series[Any]]:
    council = series(panel, outcome, source=source)
    country = series(panel, outcome, source=source, level="national")
    unit = panel.treated[0]
    near = [n for n in panel.neighbours.get(unit, ())[: plan.estimator.neighbours] if n in council.index]
    groups: dict[str, pd.Series[Any]] = {}
    if unit in council.index:
        groups[plan.place] = cast("pd.Series[Any]", council.loc[unit])
    if near:
        groups["Similar councils"] = council.loc[near].mean().where(council.loc[near].notna().all())
    if len(country):
        groups[plan.country] = country.iloc[0]
    return groups


def left_out(panel: Panel, *comparisons: Comparison) -> pa.Table:
    """Councils that are not compared, by reason: columns reason, councils (how many), of, which (names)."""
    everything = [*panel.exclusions, *(left for each in comparisons for left in each.left)]
    rows = [
        {
            "reason": left.reason,
            "councils": left.n,
            "of": left.of,
            "which": ", ".join(panel.names.get(unit, unit) for unit in left.units),
        }
        for left in everything
    ]
    fields = [("reason", pa.string()), ("councils", pa.int64()), ("of", pa.int64()), ("which", pa.string())]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))
