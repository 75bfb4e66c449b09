"""What happened, in levels, and who is left out: tables that a page shows beside any comparison."""

from __future__ import annotations

from typing import Any, cast

import pandas as pd
import pyarrow as pa

from belonging_research.panel.building import Panel, deciding_source, series
from belonging_research.panel.comparing import Comparison
from belonging_research.plan import Plan
from belonging_research.tables import PHASES, Source

LEVELS = pa.schema(
    [(name, pa.string()) for name in ("outcome", "source", "group", "period")] + [("value", pa.float64())]
)


def levels(panel: Panel, plan: Plan) -> pa.Table:
    """What happened: the treated place, the mean of its similar councils and the country, by outcome and year.

    Columns outcome, source, group, period, value (proportion; events per pupil for suspensions and exclusions). The
    source is that which decides the report year, else the census. Means of councils are unweighted, and left out of
    a year in which one of them has no figure. In the daily series the country is made of its phases as every council
    is: the Total that is printed for it weighs schools that sent no register, and is no ratio of its own counts.
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
    country = _country(panel, outcome, source)
    unit = panel.treated[0]
    near = [n for n in panel.neighbours.get(unit, ())[: plan.estimator.neighbours] if n in council.index]
    groups: dict[str, pd.Series[Any]] = {}
    if unit in council.index:
        groups[plan.place] = cast("pd.Series[Any]", council.loc[unit])
    if near:
        groups["Similar councils"] = council.loc[near].mean().where(council.loc[near].notna().all())
    if len(country):
        groups[plan.country] = country
    return groups


def _country(panel: Panel, outcome: str, source: Source) -> pd.Series[Any]:
    """The country's whole-year values by academic year; of the daily series the phases', pooled by their counts."""
    if source == "census":
        printed = series(panel, outcome, source=source, level="national")
        return printed.iloc[0] if len(printed) else pd.Series(dtype=float)
    parts = [panel.parts.get((outcome, source, phase, "national")) for phase in PHASES if phase != "all"]
    rows: pd.DataFrame = pd.concat(
        [pd.DataFrame({"period": [], "interval_end": [], "numerator": [], "denominator": []})]
        + [part.to_pandas(date_as_object=True) for part in parts if part is not None]
    )
    counted = rows[rows["interval_end"].isna()].dropna(subset=["numerator", "denominator"])
    by_year = counted.groupby("period")[["numerator", "denominator"]].agg(["sum", "count"])
    whole = by_year[by_year[("numerator", "count")] == sum(part is not None for part in parts)]
    pooled: pd.Series[Any] = whole[("numerator", "sum")] / whole[("denominator", "sum")]
    return pooled


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
