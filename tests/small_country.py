"""Outcomes of a made-up country of 120 councils with a known effect in one, small enough for a test."""

from __future__ import annotations

import datetime as dt
import functools
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from belonging_research.plan import Plan, read_plan
from belonging_research.tables import OUTCOMES

OUTCOME = "overall_absence_rate"
YEARS = ("2020/21", "2021/22", "2022/23", "2023/24", "2024/25")
_PLAN = Path(__file__).resolve().parents[1] / "notebooks" / "plans" / "dorset_public.toml"


@functools.cache
def plan() -> Plan:
    """The shipped plan for Dorset."""
    return read_plan(_PLAN)


def outcomes(
    *,
    n_units: int = 120,
    effect: float = 0.0,
    seed: int = 0,
    shift_post: float = 0.0,
    blank: tuple[tuple[str, str], ...] = (),
    blank_source: str = "",
    extra_units: tuple[str, ...] = (),
) -> pa.Table:
    """A table of :data:`tables.OUTCOMES`: census and daily years, fortnights, sizes; ``effect`` in 838 since 2024/25.

    Rates follow two common factors with council loadings, plus noise that shrinks with size. ``blank`` (unit, year)
    pairs have no figure (in ``blank_source`` alone where given).
    """
    rng = np.random.default_rng(seed)
    units = ["838", *[str(300 + i) for i in range(n_units - 1)]]
    level = rng.normal(0.075, 0.006, n_units)
    loading = rng.normal(1.0, 0.25, (2, n_units))
    size = np.exp(rng.normal(16.2, 0.6, n_units))
    size[0] = 1.4e7
    factors = {year: rng.normal(0, (0.002, 0.003)) for year in YEARS}
    noise = 0.0008 * np.sqrt(1.4e7 / size)
    rows = []
    for year in YEARS:
        rate = level + factors[year] @ loading + rng.normal(0, noise)
        rate = rate + (year == YEARS[-1]) * (shift_post + effect * (np.arange(n_units) == 0))
        daily = rate + 0.001 + rng.normal(0, 0.0001, n_units)
        winter = 0.01 * np.sin(np.linspace(0, np.pi, 10))
        for i, unit in enumerate(units):
            rows.append(_row(unit, year, "census", rate[i], None, i))
            if year >= "2022/23":
                rows.append(_row(unit, year, "daily", daily[i], size[i], i))
                rows.append({**_row(unit, year, "daily", 0.99, 100.0, i), "outcome": "responding_schools"})
                for k, swing in enumerate(winter + rng.normal(0, 0.001, 10)):
                    end = dt.date(int(year[:4]), 9, 20) + dt.timedelta(days=14 * k)
                    rows.append({**_row(unit, year, "daily", daily[i] + swing, None, i), "interval_end": end})
        rows.append(
            {**_row("970", year, "census", float(rate.mean()), None, 0), "level": "national", "name": "England"}
        )
        rows.append({**_row("980", year, "census", float(rate.mean()), None, 0), "level": "region", "name": "North"})
    rows += [_row(unit, "2018/19", "census", 0.05, None, 0) for unit in extra_units]
    for row in rows:
        if (row["unit"], row["period"]) in blank and blank_source in ("", row["source"]):
            row.update(value=None, reason="not_available")
    frame = pd.DataFrame(rows)[[column.name for column in OUTCOMES.columns]]
    schema = OUTCOMES.schema.with_metadata({"report_year": "2024/25", "data_as_at": "", "digest": "0"})
    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)


def _row(unit: str, year: str, source: str, value: float, size: float | None, place: int) -> dict[str, object]:
    return {
        "unit": unit, "level": "council", "name": "Dorset" if unit == "838" else f"Council {unit}",
        "region": f"Region {place % 9}", "period": year, "interval_end": None, "source": source, "phase": "all",
        "outcome": OUTCOME, "numerator": None if size is None else value * size, "denominator": size,
        "value": float(value), "reason": None, "derivation": "published",
        "layout": "lait_measures" if source == "census" else "attendance_snapshots", "source_file": "made up", "row": 1,
    }  # fmt: skip
