"""A world to the table of outcomes that the pipeline starts from, drawn as whole arrays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from belonging_research.calibrate.worlds import CountyWorld
from belonging_research.plan import Plan
from belonging_research.tables import OUTCOMES, shift_year

Floats = NDArray[np.float64]

_BEFORE = 4  # years of annual history before the start
_FORTNIGHTS = 22
_HALF_DAYS = 300.0  # possible half-days a pupil and year
_TYPICAL = 47_000.0  # pupils
_SMALLEST, _LARGEST = 5_000.0, 180_000.0
# Overall absence in England, per cent, by year from four years before the start: the path that all share.
_COUNTRY = np.array([4.6, 7.6, 7.4, 7.1, 6.8, 6.6, 6.5])
# Level, and spread of a council's passing and lasting shocks, for the outcomes that stand beside overall absence.
_BESIDE = {
    "persistent_absence_rate": (19.0, 3.0),
    "severe_absence_rate": (2.2, 0.5),
    "unauthorised_absence_rate": (2.3, 0.7),
    "illness_absence_rate": (3.2, 0.6),
}
# Half-days under codes that count as attendance or late, per cent of possible ones.
_CODES = {
    "educated_off_site_sessions_rate": 0.40,
    "arranged_by_authority_sessions_rate": 0.10,
    "late_after_registers_closed_rate": 0.15,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What was drawn: the table, the effect on overall absence by post year (proportion), the treated's pupils."""

    outcomes: pa.Table
    effect: tuple[float, ...]
    pupils: float
    third: str


def draw_outcomes(world: CountyWorld, plan: Plan, rng: np.random.Generator, *, detectable: float = 0.0) -> Drawn:
    """One country of a world as a table of :data:`tables.OUTCOMES`.

    ``detectable``: what the plan's design can notice in this country, a proportion, used where the world's effect is
    given in multiples of it (draw once without, then again with the same generator state). Raises nothing.
    """
    n = world.councils
    pupils = np.clip(np.exp(rng.normal(np.log(40_000.0), 0.65, n)), _SMALLEST, _LARGEST)
    region = np.arange(n) % 9
    years = [shift_year(plan.post[0], step) for step in range(-_BEFORE, len(plan.post))]
    rates, steps = _rates(world, rng, pupils, region)
    treated = _treated(world, rng, rates)
    here = region == region[treated]
    rates[here, _BEFORE - 1] += world.region_shock[0]
    rates[here, _BEFORE:] += world.region_shock[1]
    sign = rng.choice([-1.0, 1.0])
    rates[treated, 1:] += sign * world.drift * np.arange(1, len(years))
    rates[treated, _BEFORE:] += sign * world.drift_after * np.arange(1, len(plan.post) + 1)
    effect = np.array(world.effect[: len(plan.post)]) + world.effect_in_detectable * 100 * detectable
    rates[treated, _BEFORE:] += effect + world.recoding
    order = np.concatenate([[treated], np.delete(np.arange(n), treated)])
    table = _table(world, plan, rng, years, rates[order], steps[order], pupils[order], region[order])
    thirds = np.searchsorted(np.quantile(pupils, [1 / 3, 2 / 3]), pupils[treated])
    return Drawn(
        outcomes=table,
        effect=tuple(float(value) / 100 for value in effect),
        pupils=float(pupils[treated]),
        third=("smallest", "middle", "largest")[int(thirds)],
    )


def _rates(
    world: CountyWorld, rng: np.random.Generator, pupils: Floats, region: NDArray[np.intp]
) -> tuple[Floats, Floats]:
    """Overall absence without any effect, per cent (n, years), and each council's own passing noise (n, years)."""
    n, years = len(pupils), len(_COUNTRY)
    level, loading = rng.normal(0.0, 0.55, n), rng.normal(1.0, 0.06, n)
    illness = rng.normal(0.0, 0.12, years)[None, :] * rng.normal(0.0, 1.0, n)[:, None]
    lasting = rng.normal(0.0, world.walk, (n, years)).cumsum(axis=1)
    regional = rng.normal(0.0, world.region_walk, (9, years)).cumsum(axis=1)[region]
    spread = np.sqrt(world.noise[0] + world.noise[1] * _TYPICAL / pupils)[:, None]
    # A t with 5 degrees of freedom has variance 5/3.
    shocks = rng.standard_t(5, (n, years)) / np.sqrt(5 / 3) if world.tails == "t5" else rng.normal(size=(n, years))
    passing = spread * shocks
    path = _COUNTRY.mean() + loading[:, None] * (_COUNTRY - _COUNTRY.mean())
    return level[:, None] + path + illness + lasting + regional + passing, passing


def _treated(world: CountyWorld, rng: np.random.Generator, rates: Floats) -> int:
    """A council at random; where the world picks one after an odd year, at random among those that had one."""
    jump = rates[:, _BEFORE - 1] - rates[:, _BEFORE - 2]
    odd = np.flatnonzero(jump - jump.mean() > world.odd_base_year) if world.odd_base_year else np.arange(len(rates))
    return int(rng.choice(odd if len(odd) else [int(np.argmax(jump))]))


def _table(
    world: CountyWorld,
    plan: Plan,
    rng: np.random.Generator,
    years: Sequence[str],
    rates: Floats,
    passing: Floats,
    pupils: Floats,
    region: NDArray[np.intp],
) -> pa.Table:
    n, first = len(rates), _BEFORE - len(plan.base)
    daily_years = years[first:]
    daily = rates[:, first:] + 0.1 + rng.normal(0.0, 0.03, (n, len(daily_years)))
    daily[0, len(plan.base) :] += world.joining + world.unsettled * 2 / _FORTNIGHTS
    responding = np.full((n, len(daily_years)), 0.97)
    if world.joining:
        responding[0, : len(plan.base)] = 0.87
    late = bool(world.joining or world.unsettled)  # the census of these years is not out
    annual = years[: _BEFORE if late else len(years)]
    make = _Rows(plan, n, region)
    possible = np.repeat((pupils * _HALF_DAYS)[:, None], len(daily_years), axis=1)
    make.add("overall_absence_rate", "census", annual, rates[:, : len(annual)] / 100)
    make.add("overall_absence_rate", "daily", daily_years, daily / 100, possible)
    make.add("responding_schools", "daily", daily_years, responding, np.full(responding.shape, 100.0))
    for place, year in enumerate(daily_years[: len(plan.base)]):
        swing = 1.2 * np.sin(np.linspace(0.0, 2 * np.pi, _FORTNIGHTS)) + rng.normal(0.0, 0.3, _FORTNIGHTS)
        noise = rng.normal(size=(n, _FORTNIGHTS)) * 0.3 * np.sqrt(_TYPICAL / pupils)[:, None]
        within = daily[:, [place]] + swing - swing.mean() + noise - noise.mean(axis=1, keepdims=True)
        make.add_fortnights("overall_absence_rate", year, within / 100)
    make.add_last_day("overall_absence_rate", daily_years[-1], daily[:, -1] / 100)
    _register_codes(make, world, rng, daily_years, n)
    _suspensions(make, rng, years, pupils)
    _beside(make, world, rng, years, rates, passing, pupils, late)
    return make.table(years[-1], dt.date(int(years[-1][:4]) + 1, 8, 14) if world.unsettled else None)


def _register_codes(make: _Rows, world: CountyWorld, rng: np.random.Generator, years: Sequence[str], n: int) -> None:
    """Codes that the change of August 2024 touched: what only the treated registers moved stands under code B."""
    for outcome, level in _CODES.items():
        rates = np.maximum(level + rng.normal(0.0, 0.1 * level, (n, 1)) + rng.normal(0.0, 0.01, (n, len(years))), 0.01)
        if outcome == "educated_off_site_sessions_rate":
            rates[0, -3:] -= world.recoding
        make.add(outcome, "daily", years, rates / 100)


def _suspensions(make: _Rows, rng: np.random.Generator, years: Sequence[str], pupils: Floats) -> None:
    """Share of pupils suspended: shocks to the logarithm, lasting and passing."""
    n, shape = len(pupils), (len(pupils), len(years))
    lasting = rng.normal(0.0, 0.08, shape).cumsum(axis=1)
    noise = rng.normal(size=shape) * np.sqrt(0.002 + 0.006 * _TYPICAL / pupils)[:, None]
    level = np.log(0.035) + rng.normal(0.0, 0.3, n)[:, None] + 0.06 * np.arange(len(years))
    make.add("pupils_with_one_or_more_suspensions_rate", "census", years, np.exp(level + lasting + noise))


def _beside(
    make: _Rows,
    world: CountyWorld,
    rng: np.random.Generator,
    years: Sequence[str],
    rates: Floats,
    passing: Floats,
    pupils: Floats,
    late: bool,
) -> None:
    """The plan's secondary outcomes and what the checks read beside them; half of their noise is that of absence."""
    wanted = world.outcomes_together or world.severe_only
    if not wanted:
        return
    common = rates - rates.mean(axis=0)
    for name, (level, share) in _BESIDE.items():
        own = rng.normal(size=rates.shape).cumsum(axis=1) * world.walk + rng.permuted(passing, axis=0)
        value = level + share * (common + own) / np.sqrt(2)
        if world.severe_only and name == "severe_absence_rate":
            value[0, _BEFORE:] -= 0.3
        make.add(name, "census", years[: _BEFORE if late else len(years)], np.maximum(value, 0.05) / 100)


class _Rows:
    """Blocks of values, units by periods, gathered into one table of outcomes."""

    def __init__(self, plan: Plan, n: int, region: NDArray[np.intp]) -> None:
        taken = {plan.treated[0].unit, *(e.unit for e in plan.excluded), *plan.donors.bordering}
        codes = [code for code in map(str, range(301, 301 + n + len(taken))) if code not in taken]
        self.units = [plan.treated[0].unit, *codes[: n - 1]]
        self.names = [plan.place, *(f"Council {code}" for code in self.units[1:])]
        self.regions = [f"Region {place}" for place in region]
        self.blocks: list[pa.Table] = []

    def add(
        self, outcome: str, source: str, years: Sequence[str], values: Floats, possible: Floats | None = None
    ) -> None:
        """Whole years: ``values`` (n, years) as proportions, ``possible`` half-days of the same shape."""
        self._add(outcome, source, list(years), [None] * len(years), values, possible)

    def add_fortnights(self, outcome: str, year: str, values: Floats) -> None:
        """The fortnights of a year: ``values`` (n, fortnights)."""
        start = dt.date(int(year[:4]), 9, 20)
        ends = [start + dt.timedelta(days=14 * k) for k in range(values.shape[1])]
        self._add(outcome, "daily", [year] * len(ends), ends, values, None)

    def add_last_day(self, outcome: str, year: str, values: Floats) -> None:
        """The last interval of a year, by whose end a check knows how old the figures are."""
        self._add(outcome, "daily", [year], [dt.date(int(year[:4]) + 1, 8, 7)], values[:, None], None)

    def _add(
        self,
        outcome: str,
        source: str,
        periods: list[str],
        ends: Sequence[dt.date | None],
        values: Floats,
        possible: Floats | None,
    ) -> None:
        n, k = values.shape
        rows = n * k
        by_unit, by_period = np.repeat(np.arange(n), k), np.tile(np.arange(k), n)
        fixed = {"level": "council", "source": source, "phase": "all", "outcome": outcome, "derivation": "published",
                 "layout": "lait_measures" if source == "census" else "attendance_snapshots",
                 "source_file": "made up"}  # fmt: skip
        bare = pa.nulls(rows, pa.float64())
        columns = {
            **{name: pa.repeat(pa.scalar(value, pa.string()), rows) for name, value in fixed.items()},
            "unit": pa.array(self.units).take(pa.array(by_unit)),
            "name": pa.array(self.names).take(pa.array(by_unit)),
            "region": pa.array(self.regions).take(pa.array(by_unit)),
            "period": pa.array(periods).take(pa.array(by_period)),
            "interval_end": pa.array(ends, pa.date32()).take(pa.array(by_period)),
            "numerator": bare if possible is None else pa.array((values * possible).ravel()),
            "denominator": bare if possible is None else pa.array(possible.ravel()),
            "value": pa.array(values.ravel()),
            "reason": pa.nulls(rows, pa.string()),
            "row": pa.repeat(pa.scalar(1, pa.int64()), rows),
        }
        names = [column.name for column in OUTCOMES.columns]
        self.blocks.append(pa.table([columns[name] for name in names], schema=OUTCOMES.schema))

    def table(self, report_year: str, data_as_at: dt.date | None) -> pa.Table:
        """All blocks, with the metadata that a panel reads."""
        metadata = {
            "report_year": report_year,
            "data_as_at": data_as_at.isoformat() if data_as_at else "",
            "digest": "made up",
        }
        return pa.concat_tables(self.blocks).replace_schema_metadata(metadata)
