"""Outcomes and plan to one panel: which councils may be compared, why others are not, and each series of figures."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from belonging_research.errors import PanelError
from belonging_research.plan import Plan
from belonging_research.tables import Phase, Source, boundary

# Rows are kept apart by outcome, source, phase and level.
Part = tuple[str, str, str, str]
Places = NDArray[np.int64]

# One figure can stand in two files. The first layout that has a unit's year decides, so that a series is one series.
_CENSUS_FIRST = (
    "lait_measures",
    "absence_by_council",
    "absentees_long",
    "suspensions_by_geographic_level",
    "exclusions_by_geographic_level",
)
_DAILY_FIRST = ("attendance_snapshots", "attendance_to_date")
_RESPONSE = "responding_schools"


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Units left out of a comparison for one reason: how many of how many, and which."""

    reason: str
    n: int
    of: int
    units: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Panel:
    """The figures of every council, region and the country that a plan may use, one row a unit and period.

    ``parts`` by (outcome, source, phase, level), together ``rows``: unit, level, name, region, phase, period,
    interval_end (null for a year), source, outcome, value (proportion), numerator, denominator, event_time (0 in the
    first post year). ``donors`` are the units that may
    be compared; an estimate drops those without its own figures, and counts them. ``sizes`` are possible half-days
    of the last base year.
    """

    layer: Literal["county"]
    report_year: str
    data_as_at: dt.date | None
    digest: str
    parts: Mapping[Part, pa.Table]
    exclusions: tuple[Left, ...]
    treated: tuple[str, ...]
    donors: tuple[str, ...]
    names: dict[str, str]
    regions: dict[str, str]
    sizes: dict[str, float]
    neighbours: dict[str, tuple[str, ...]]

    @property
    def rows(self) -> pa.Table:
        """All parts in one table."""
        return pa.concat_tables(list(self.parts.values()))

    def at(self, report_year: str) -> Panel:
        """The same figures read at another look."""
        other = replace(self, report_year=report_year)
        _REMEMBERED[other] = _REMEMBERED.setdefault(self, {})
        return other


def build_panel(
    outcomes: pa.Table, plan: Plan, *, layer: Literal["county"] = "county", neighbours: pa.Table | None = None
) -> Panel:
    """The panel of a layer.

    ``outcomes``: a table of :data:`tables.OUTCOMES` with its metadata; ``neighbours``: the extract's table of
    statistical neighbours (unit, neighbour, rank, closeness, model), the newest model of which is used.

    Raises
    ------
    PanelError
        If the plan lists several treated units, one has no figures, no donor is left, or the donors are too few for
        the look's smallest Holm step (Holm 1979): with J placebos no p lies under 1/(J + 1).
    """
    metadata = {k.decode(): v.decode() for k, v in (outcomes.schema.metadata or {}).items()}
    rows = _one_series(outcomes, plan)
    councils = rows.filter(pc.equal(rows["level"], "council"))
    treated = tuple(sorted(t.unit for t in plan.treated))
    if len(treated) > 1:
        raise PanelError(
            f"plan {plan.study} lists {len(treated)} treated councils ({', '.join(treated)}); this panel is for one, "
            "and would leave the others out in silence. For 2 to 20 with one start use estimators.few_treated (Ferman "
            "and Pinto); or write a plan for each."
        )
    present = set(councils["unit"].unique().to_pylist())
    for number, unit in enumerate(treated):
        if unit not in present:
            raise PanelError(f"plan {plan.study}: treated.{number} is {unit}; no figures of it are among the outcomes.")
    donors, exclusions = _donor_pool(councils, plan, treated)
    panel = Panel(
        layer=layer,
        report_year=metadata.get("report_year", pc.max(rows["period"]).as_py()),
        data_as_at=dt.date.fromisoformat(metadata["data_as_at"]) if metadata.get("data_as_at") else None,
        digest=_digest(rows, plan),
        parts=_parts(rows),
        exclusions=exclusions,
        treated=treated,
        donors=donors,
        names=_latest(councils, "name"),
        regions=_latest(councils, "region"),
        sizes=_sizes(outcomes, plan.base[-1]),
        neighbours=_neighbours(neighbours),
    )
    _refuse_floor(panel, plan)
    return panel


def _parts(rows: pa.Table) -> dict[Part, pa.Table]:
    part = ("outcome", "source", "phase", "level")
    order, starts = _in_order([_place_of_each(rows[name]) for name in part])
    by_part = rows.take(order)
    ends = [*starts[1:].tolist(), len(order)]
    parts: dict[Part, pa.Table] = {}
    for start, end in zip(starts.tolist(), ends, strict=True):
        outcome, source, phase, level = (by_part[name][start].as_py() for name in part)
        parts[outcome, source, phase, level] = by_part.slice(start, end - start)
    return parts


def _one_series(outcomes: pa.Table, plan: Plan) -> pa.Table:
    """One row a key, in its order: of several, the first by layout among those with a figure."""
    key = ("unit", "level", "period", "interval_end", "source", "phase", "outcome")
    layouts = {name: place for place, name in enumerate((*_CENSUS_FIRST, *_DAILY_FIRST))}
    layout = outcomes["layout"].combine_chunks().dictionary_encode()
    places = np.array([layouts.get(name, len(layouts)) for name in layout.dictionary.to_pylist()], dtype=np.int64)
    empty = outcomes["value"].is_null(nan_is_null=True).to_numpy().astype(np.int64)
    codes = [_place_of_each(outcomes[name]) for name in key]
    order, starts = _in_order(codes, then=[empty, places[layout.indices.to_numpy()]])
    columns = [*key, "name", "region", "value", "numerator", "denominator", "reason", "derivation", "layout"]
    rows = outcomes.select(columns).replace_schema_metadata(None).take(order[starts])
    years = pc.cast(pc.utf8_slice_codeunits(rows["period"], 0, 4), pa.int64())
    return rows.append_column("event_time", pc.subtract(years, int(plan.post[0][:4])))


def _place_of_each(column: pa.ChunkedArray) -> Places:
    """The place of each value among the distinct ones in order; -1 where there is none."""
    encoded = column.combine_chunks().dictionary_encode()
    ranks = pc.sort_indices(encoded.dictionary).to_numpy()
    places = np.empty(len(ranks) + 1, dtype=np.int64)
    places[ranks], places[-1] = np.arange(len(ranks)), -1
    found: Places = places[encoded.indices.fill_null(len(ranks)).to_numpy()]
    return found


def _in_order(codes: Sequence[Places], then: Sequence[Places] = ()) -> tuple[Places, Places]:
    """The rows sorted by ``codes``, equal ones by ``then`` and as they came; and where each distinct code starts."""
    order = np.lexsort([*reversed(then), *reversed(codes)])
    new = np.zeros(len(order), dtype=bool)
    new[:1] = True
    for code in codes:
        new[1:] |= np.diff(code[order]) != 0
    return order, np.flatnonzero(new)


def _latest(councils: pa.Table, column: str) -> dict[str, str]:
    """The last of each unit's values by period; units without any are left out."""
    known = councils.filter(pc.is_valid(councils[column]))
    units = known["unit"].combine_chunks().dictionary_encode()
    last = np.zeros(len(units.dictionary), dtype=np.int64)
    last[units.indices.to_numpy()] = np.arange(len(units))  # of a place that is written twice, the later stays
    return dict(zip(units.dictionary.to_pylist(), known[column].take(last).to_pylist(), strict=True))


def _donor_pool(councils: pa.Table, plan: Plan, treated: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Left, ...]]:
    current = set(councils.filter(pc.greater_equal(councils["period"], plan.base[-1]))["unit"].unique().to_pylist())
    everyone = sorted(set(councils["unit"].unique().to_pylist()) - set(treated))
    named = {e.unit: e.reason for e in plan.excluded}
    reasons: dict[str, str] = {}
    for unit in everyone:
        change = boundary(unit)
        moved = change.footprint_changed if change else None
        if unit in named:
            reasons[unit] = named[unit]
        elif unit not in current or (change and change.valid_to):
            reasons[unit] = "ended before the last base year"
        elif moved and moved > plan.donors.footprint_unchanged_since:
            reasons[unit] = f"footprint changed since {plan.donors.footprint_unchanged_since}"
    kept = tuple(unit for unit in everyone if unit not in reasons)
    return kept, counted(reasons, len(everyone))


def counted(reasons: dict[str, str], of: int) -> tuple[Left, ...]:
    """The units left out, by unit and reason, as one line a reason; ``of`` is how many there were."""
    grouped: dict[str, list[str]] = {}
    for unit, reason in sorted(reasons.items()):
        grouped.setdefault(reason, []).append(unit)
    return tuple(Left(reason=r, n=len(u), of=of, units=tuple(u)) for r, u in sorted(grouped.items()))


def _sizes(outcomes: pa.Table, period: str) -> dict[str, float]:
    """Possible half-days of the last base year; they scale the placebos.

    From the daily series; for years before there was one, from whichever census file counts them.
    """
    wanted = {"period": period, "level": "council", "phase": "all", "outcome": "overall_absence_rate"}
    asked = pc.and_(pc.is_null(outcomes["interval_end"]), pc.is_valid(outcomes["denominator"]))
    for name, value in wanted.items():
        asked = pc.and_(asked, pc.equal(outcomes[name], value))
    known = outcomes.filter(asked)
    daily = known.filter(pc.equal(known["source"], "daily"))
    known = daily if len(daily) else known
    return dict(zip(known["unit"].to_pylist(), known["denominator"].to_pylist(), strict=True))


def _neighbours(table: pa.Table | None) -> dict[str, tuple[str, ...]]:
    if table is None or not table.num_rows:
        return {}
    frame = table.to_pandas()
    frame = frame[frame["model"] == frame["model"].max()].sort_values(["unit", "rank"])
    return {str(unit): tuple(rows) for unit, rows in frame.groupby("unit")["neighbour"]}


def _digest(rows: pa.Table, plan: Plan) -> str:
    content = pd.util.hash_pandas_object(rows.to_pandas(date_as_object=True), index=False).to_numpy().tobytes()
    return hashlib.sha256(plan.digest.encode() + content).hexdigest()


def _refuse_floor(panel: Panel, plan: Plan) -> None:
    if len(panel.donors) < 2:
        raise PanelError(
            f"plan {plan.study}: {len(panel.donors)} donor(s) left of {len(panel.names)} councils; a comparison needs "
            "councils without the treatment, complete in base and post. See the plan's excluded and donors."
        )
    look = plan.look(panel.report_year)
    if look is None:
        return
    smallest, floor = look.alpha / len(look.outcomes), 1 / (len(panel.donors) + 1)
    if floor > smallest + 1e-12:
        raise PanelError(
            f"plan {plan.study}: with {len(panel.donors)} donors no p-value lies under {floor:.4f}, but the look of "
            f"{look.report_year} needs {smallest:.4f} (alpha {look.alpha:g} over {len(look.outcomes)} primary "
            f"outcome(s)). It takes {math.ceil(1 / smallest) - 1} donors, or a larger alpha for this look."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """One series in wide form: ``values`` (units, periods) as proportions, NaN where there is no figure."""

    rows: Mapping[str, int]
    columns: tuple[Any, ...]
    values: NDArray[np.float64]

    def take(self, units: Sequence[str], columns: Sequence[Any]) -> NDArray[np.float64]:
        """(units, columns), NaN where either is not in the series."""
        place = {column: number for number, column in enumerate(self.columns)}
        down = np.array([self.rows.get(unit, -1) for unit in units], dtype=int)
        across = np.array([place.get(column, -1) for column in columns], dtype=int)
        found: NDArray[np.float64] = np.full((len(down), len(across)), np.nan)
        inside = np.ix_(down >= 0, across >= 0)
        found[inside] = self.values[np.ix_(down[down >= 0], across[across >= 0])]
        return found


_Result = TypeVar("_Result")
_REMEMBERED: WeakKeyDictionary[Panel, dict[Any, Any]] = WeakKeyDictionary()


def once(panel: Panel, key: Hashable, make: Callable[[], _Result]) -> _Result:
    """What ``make`` gives, made once for a panel and all its looks: many checks ask for the same few arrays.

    ``key`` must name all that the result depends on besides the panel's figures, which never change.
    """
    known = _REMEMBERED.setdefault(panel, {})
    if key not in known:
        known[key] = make()
    found: _Result = known[key]
    return found


def grid(panel: Panel, outcome: str, *, source: Source, phase: Phase = "all", level: str = "council") -> Grid:
    """Whole-year values by unit and academic year; units without any figure are left out."""
    return _grid(panel, (outcome, source, phase, level), "")


def fortnight_grid(panel: Panel, outcome: str, *, period: str, phase: Phase = "all") -> Grid:
    """Fortnightly values of one academic year by unit and last day; empty where there are none."""
    return _grid(panel, (outcome, "daily", phase, "council"), period)


def series(panel: Panel, outcome: str, *, source: Source, phase: Phase = "all", level: str = "council") -> pd.DataFrame:
    """Whole-year values, unit x academic year, proportions."""
    wide = grid(panel, outcome, source=source, phase=phase, level=level)
    index = pd.Index(list(wide.rows), name="unit")
    return pd.DataFrame(wide.values.copy(), index=index, columns=pd.Index(wide.columns, name="period"))


def _grid(panel: Panel, part: Part, fortnights_of: str) -> Grid:
    return once(panel, (*part, fortnights_of), lambda: _made(panel, part, fortnights_of))


def _made(panel: Panel, part: Part, fortnights_of: str) -> Grid:
    rows = panel.parts.get(part, next(iter(panel.parts.values())).slice(0, 0))
    if not fortnights_of:
        return _wide(rows.filter(pc.is_null(rows["interval_end"])), "period", whole=True)
    wanted = pc.and_(pc.is_valid(rows["interval_end"]), pc.equal(rows["period"], fortnights_of))
    return _wide(rows.filter(wanted), "interval_end")


def _wide(rows: pa.Table, across: str, *, whole: bool = False) -> Grid:
    """Values by unit and ``across``, both in order; without the units that have no figure at all if ``whole``."""
    unit, units = _numbered(rows["unit"])
    column, columns = _numbered(rows[across])
    values = np.full((len(units), len(columns)), np.nan)
    values[unit, column] = rows["value"].to_numpy()
    kept = np.isfinite(values).any(axis=1) if whole else np.ones(len(units), dtype=bool)
    names = [name for name, keep in zip(units, kept, strict=True) if keep]
    return Grid(rows={name: n for n, name in enumerate(names)}, columns=tuple(columns), values=values[kept])


def _numbered(column: pa.ChunkedArray) -> tuple[NDArray[np.intp], list[Any]]:
    """The place of each value among the distinct ones in order, and these."""
    encoded = column.combine_chunks().dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    order = sorted(range(len(distinct)), key=distinct.__getitem__)
    places = np.empty(len(order), dtype=np.intp)
    places[order] = np.arange(len(order))
    return places[encoded.indices.to_numpy()], [distinct[n] for n in order]


def deciding_source(panel: Panel, plan: Plan, outcome: str, post: tuple[str, ...]) -> Source | None:
    """Census where it has every post year for the treated units, else the provisional daily series, else None."""
    sources: tuple[Source, ...] = ("census", "daily")
    for source in sources:
        if np.isfinite(grid(panel, outcome, source=source).take(panel.treated, post)).all():
            return source
    return None


def response(panel: Panel) -> pd.DataFrame:
    """Share of each council's schools that sent registers, last snapshot: unit x year, NaN where not printed."""
    return series(panel, _RESPONSE, source="daily")
