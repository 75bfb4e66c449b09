"""Outcomes and plan to one analysis panel: who is compared with whom, over what, and why others are not."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from belonging_research.errors import PanelError
from belonging_research.outcomes import MEASURES
from belonging_research.plan import Method, Plan
from belonging_research.tables import Phase, Source, boundary, shift_year

Floats = NDArray[np.float64]
# Rows are kept apart by outcome, source, phase and level.
Part = tuple[str, str, str, str]

# One figure can stand in two files. The first layout that has a unit's year decides, so that a series is one series.
_CENSUS_FIRST = (
    "lait_measures",
    "absence_by_council",
    "absentees_long",
    "suspensions_by_geographic_level",
    "exclusions_by_geographic_level",
)
_DAILY_FIRST = ("attendance_snapshots", "attendance_to_date")
_SIZE = "possible_sessions"
_RESPONSE = "responding_schools"


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Units left out of a comparison for one reason: how many of how many, and which."""

    reason: str
    n: int
    of: int
    units: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """One comparison: what is estimated, how, on which years, without whom."""

    outcome: str
    source: Source
    phase: Phase
    method: Method
    base: tuple[str, ...]
    post: tuple[str, ...]
    without: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    without_years: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The arrays of one specification. Rows are ``units``, the treated one first, donors in code order.

    ``predictors``: (n, p) in hundredths (percentage points; hundredths of a log unit for ratios), weighted by the
    plan's rule; ``before``: (n, b) base years and ``after``: (n, q) post years, ``path``: (n, y) every year with
    figures, all in the same unit; ``outcome``: (n,) the mean over the post years (for a ratio the log of the mean
    rate); ``sizes``: (n,) possible half-days.
    """

    specification: Specification
    units: tuple[str, ...]
    predictors: Floats
    fortnights: Floats
    before: Floats
    after: Floats
    outcome: Floats
    path: Floats
    path_years: tuple[str, ...]
    sizes: Floats
    neighbours: tuple[tuple[int, ...], ...]
    left: tuple[Left, ...]

    @property
    def donors(self) -> NDArray[np.bool_]:
        """(n,) True for all but the treated unit."""
        return np.arange(len(self.units)) > 0


def build_panel(
    outcomes: pa.Table, plan: Plan, *, layer: Literal["county"] = "county", neighbours: pa.Table | None = None
) -> Panel:
    """The panel of a layer.

    ``outcomes``: a table of :data:`tables.OUTCOMES` with its metadata; ``neighbours``: the extract's table of
    statistical neighbours (unit, neighbour, rank, closeness, model), the newest model of which is used.

    Raises
    ------
    PanelError
        If a treated unit has no figures, no donor is left, or the donors are too few for the look's smallest Holm
        step (Holm 1979): with J placebos no p lies under 1/(J + 1).
    """
    metadata = {k.decode(): v.decode() for k, v in (outcomes.schema.metadata or {}).items()}
    frame = _one_series(outcomes.to_pandas(date_as_object=True))
    frame["event_time"] = frame["period"].str[:4].astype(int) - int(plan.post[0][:4])
    councils = frame[frame["level"] == "council"]
    treated = tuple(sorted(t.unit for t in plan.treated))
    for number, unit in enumerate(treated):
        if not (councils["unit"] == unit).any():
            raise PanelError(f"plan {plan.study}: treated.{number} is {unit}; no figures of it are among the outcomes.")
    latest = councils.sort_values("period").groupby("unit")[["name", "region"]].last()
    donors, exclusions = _donor_pool(councils, plan, treated)
    panel = Panel(
        layer=layer,
        report_year=metadata.get("report_year", max(frame["period"])),
        data_as_at=dt.date.fromisoformat(metadata["data_as_at"]) if metadata.get("data_as_at") else None,
        digest=_digest(frame, plan),
        parts=_parts(frame),
        exclusions=exclusions,
        treated=treated,
        donors=donors,
        names={str(k): str(v) for k, v in latest["name"].items()},
        regions={str(k): str(v) for k, v in latest["region"].items() if isinstance(v, str)},
        sizes=_sizes(councils, plan.base[-1]),
        neighbours=_neighbours(neighbours),
    )
    _refuse_floor(panel, plan)
    return panel


def _parts(frame: pd.DataFrame) -> dict[Part, pa.Table]:
    grouped = frame.groupby(["outcome", "source", "phase", "level"], sort=True)
    return {
        (str(key[0]), str(key[1]), str(key[2]), str(key[3])): pa.Table.from_pandas(rows, preserve_index=False)
        for key, rows in grouped
    }


def _one_series(frame: pd.DataFrame) -> pd.DataFrame:
    order = {name: place for place, name in enumerate((*_CENSUS_FIRST, *_DAILY_FIRST))}
    key = ["unit", "level", "period", "interval_end", "source", "phase", "outcome"]
    frame = frame.assign(place=frame["layout"].map(order).fillna(len(order)), empty=frame["value"].isna())
    frame = frame.sort_values([*key, "empty", "place"], kind="stable", na_position="first")
    frame = frame.drop_duplicates(key)
    columns = [*key, "name", "region", "value", "numerator", "denominator", "reason", "derivation", "layout"]
    return frame[columns].reset_index(drop=True)


def _donor_pool(
    councils: pd.DataFrame, plan: Plan, treated: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[Left, ...]]:
    current = set(councils.loc[councils["period"] >= plan.base[-1], "unit"])
    everyone = sorted(set(councils["unit"]) - set(treated))
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
    return kept, _counted(reasons, len(everyone))


def _counted(reasons: dict[str, str], of: int) -> tuple[Left, ...]:
    grouped: dict[str, list[str]] = {}
    for unit, reason in sorted(reasons.items()):
        grouped.setdefault(reason, []).append(unit)
    return tuple(Left(reason=r, n=len(u), of=of, units=tuple(u)) for r, u in sorted(grouped.items()))


def _sizes(councils: pd.DataFrame, period: str) -> dict[str, float]:
    """Possible half-days of the last base year from the daily series; they scale the placebos."""
    chosen = councils[(councils["period"] == period) & (councils["source"] == "daily") & (councils["phase"] == "all")]
    chosen = chosen[chosen["outcome"].eq("overall_absence_rate") & chosen["interval_end"].isna()]
    known = chosen[chosen["denominator"].notna()]
    return {str(u): float(n) for u, n in zip(known["unit"], known["denominator"], strict=True)}


def _neighbours(table: pa.Table | None) -> dict[str, tuple[str, ...]]:
    if table is None or not table.num_rows:
        return {}
    frame = table.to_pandas()
    frame = frame[frame["model"] == frame["model"].max()].sort_values(["unit", "rank"])
    return {str(unit): tuple(rows) for unit, rows in frame.groupby("unit")["neighbour"]}


def _digest(frame: pd.DataFrame, plan: Plan) -> str:
    content = pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()
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


def series(panel: Panel, outcome: str, *, source: Source, phase: Phase = "all", level: str = "council") -> pd.DataFrame:
    """Whole-year values, unit x academic year, proportions."""
    rows = _rows(panel, outcome, source, phase, level)
    return rows[rows["interval_end"].isna()].pivot(index="unit", columns="period", values="value").dropna(how="all")


def fortnight_series(panel: Panel, outcome: str, *, period: str, phase: Phase = "all") -> pd.DataFrame:
    """Fortnightly values of one academic year, unit x last day, proportions; empty where there are none."""
    rows = _rows(panel, outcome, "daily", phase, "council")
    rows = rows[rows["interval_end"].notna() & (rows["period"] == period)]
    return rows.pivot(index="unit", columns="interval_end", values="value")


def _rows(panel: Panel, outcome: str, source: str, phase: str, level: str) -> pd.DataFrame:
    empty = next(iter(panel.parts.values())).slice(0, 0)
    part = panel.parts.get((outcome, source, phase, level), empty)
    found: pd.DataFrame = part.select(["unit", "period", "interval_end", "value"]).to_pandas(date_as_object=True)
    return found


def deciding_source(panel: Panel, plan: Plan, outcome: str, post: tuple[str, ...]) -> Source | None:
    """Census where it has every post year for the treated units, else the provisional daily series, else None."""
    sources: tuple[Source, ...] = ("census", "daily")
    for source in sources:
        values = series(panel, outcome, source=source)
        wanted = [p for p in post if p in values.columns]
        if len(wanted) == len(post) and values.reindex(panel.treated)[wanted].notna().all(axis=None):
            return source
    return None


def compare(panel: Panel, plan: Plan, specification: Specification) -> Comparison:
    """The arrays of a specification, for the plan's first treated unit.

    Raises
    ------
    PanelError
        If the treated unit lacks a base or post year or a size, or fewer than 2 donors are complete.
    """
    of = specification
    log = plan.outcome(of.outcome).unit == "log_ratio"
    years = series(panel, of.outcome, source=of.source, phase=of.phase)
    needed = [*of.base, *of.post]
    absent = [p for p in needed if p not in years.columns]
    treated = panel.treated[0]
    if absent or treated not in years.index or years.loc[treated, needed].isna().any():
        missing = absent or [p for p in needed if pd.isna(years[p].get(treated))]
        raise PanelError(
            f"{of.outcome} ({of.source}, {of.phase}): {panel.names.get(treated, treated)} has no figure for "
            f"{', '.join(missing)}. Add that year's file, or ask for years that are out."
        )
    predictors, fortnights = _predictors(panel, plan, of)
    pool = [unit for unit in dict.fromkeys((*panel.donors, *of.also)) if unit not in of.without]
    reasons = _incomplete(pool, years[needed], predictors, panel.sizes, log=log)
    if reasons_treated := _incomplete([treated], years[needed], predictors, panel.sizes, log=log):
        raise PanelError(
            f"{of.outcome} ({of.source}): {panel.names.get(treated, treated)}: {reasons_treated[treated]}."
        )
    units = [treated, *sorted(unit for unit in pool if unit not in reasons)]
    if len(units) < 3:
        raise PanelError(f"{of.outcome} ({of.source}, {of.phase}): {len(units) - 1} complete donor(s); 2 are needed.")
    whole = years.reindex(units)[[p for p in years.columns if years.reindex(units)[p].notna().all()]]
    place = {unit: number for number, unit in enumerate(units)}
    return Comparison(
        specification=of,
        units=tuple(units),
        predictors=predictors.reindex(units).to_numpy(float),
        fortnights=fortnights.reindex(units).to_numpy(float),
        before=_hundredths(years.reindex(units)[list(of.base)], log),
        after=_hundredths(years.reindex(units)[list(of.post)], log),
        outcome=_hundredths(years.reindex(units)[list(of.post)].mean(axis=1).to_frame(), log)[:, 0],
        path=_hundredths(whole, log),
        path_years=tuple(whole.columns),
        sizes=np.array([panel.sizes[unit] for unit in units]),
        neighbours=tuple(_own_neighbours(panel, unit, place, plan.estimator.neighbours) for unit in units),
        left=_counted(reasons, len(pool)),
    )


def _hundredths(values: pd.DataFrame, log: bool) -> Floats:
    array = values.to_numpy(float)
    # A rate of 0 has no logarithm: missing here, and counted by `_incomplete`.
    result: Floats = 100 * (np.log(np.where(array > 0, array, np.nan)) if log else array)
    return result


def _incomplete(
    pool: list[str], years: pd.DataFrame, predictors: pd.DataFrame, sizes: dict[str, float], *, log: bool
) -> dict[str, str]:
    values, known = years.reindex(pool), predictors.reindex(pool)
    reasons = dict.fromkeys(values.index[values.isna().any(axis=1)], "not complete in base and post")
    for unit in known.index[known.isna().any(axis=1)]:
        reasons.setdefault(unit, "a predictor is missing")
    if log:
        for unit in values.index[(values <= 0).any(axis=1)]:
            reasons.setdefault(unit, "a rate of 0 has no logarithm")
    for unit in pool:
        if unit not in sizes:
            reasons.setdefault(unit, "no possible half-days in the last base year, so no size")
    return reasons


def _predictors(panel: Panel, plan: Plan, of: Specification) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fortnights of the last pre-year and annual census rates of the years before the start, weighted by the plan.

    The annual rates carry ``history_weight`` times the fortnights' total weight, in squares. An outcome without
    fortnights of its own borrows those of overall absence, except for exclusions, which have annual rates alone.
    """
    rule, log = plan.estimator, plan.outcome(of.outcome).unit == "log_ratio"
    attendance = plan.outcome(of.outcome).domain == "attendance" or MEASURES[of.outcome].daily
    last = max((p for p in of.base if p not in of.without_years), default=of.base[-1])
    short = pd.DataFrame()
    if attendance and not log:
        short = fortnight_series(panel, of.outcome, period=last, phase=of.phase)
        if short.empty:
            short = fortnight_series(panel, "overall_absence_rate", period=last, phase=of.phase)
    history = _history(panel, of, rule.history_years, log=log)
    weight = math.sqrt(rule.history_weight * max(short.shape[1], 1) / max(history.shape[1], 1))
    weighted = [part for part in (100 * short, weight * history) if part.shape[1]]
    return pd.concat(weighted, axis=1), 100 * short


def _history(panel: Panel, of: Specification, n_years: int, *, log: bool) -> pd.DataFrame:
    """Annual rates of the ``n_years`` before the start that the treated unit has, in hundredths."""
    values = series(panel, of.outcome, source="census", phase=of.phase)
    if values.empty:
        values = series(panel, of.outcome, source="daily", phase=of.phase)
    start = min(of.post)
    years = [shift_year(start, -back) for back in range(n_years, 0, -1)]
    own = values.reindex([panel.treated[0]])
    kept = [y for y in years if y in values.columns and y not in of.without_years and own[y].notna().all()]
    return pd.DataFrame(_hundredths(values[kept], log), index=values.index, columns=kept)


def _own_neighbours(panel: Panel, unit: str, place: dict[str, int], most: int) -> tuple[int, ...]:
    near = [place[other] for other in panel.neighbours.get(unit, ()) if place.get(other, 0) > 0]
    return tuple(near[:most])


def false_start(specification: Specification, base: tuple[str, ...]) -> Specification:
    """The same comparison one year early: the last base year as post, the years before it as base."""
    post = base[-1]
    return replace(specification, base=base[:-1] or (shift_year(post, -1),), post=(post,), without_years=())


def response(panel: Panel) -> pd.DataFrame:
    """Share of each council's schools that sent registers, last snapshot: unit x year, NaN where not printed."""
    return series(panel, _RESPONSE, source="daily")


def subset(comparison: Comparison, kept: NDArray[np.bool_]) -> Comparison:
    """The comparison of some of its units, (n,) True for those; the treated unit must be among them."""
    old = np.flatnonzero(kept)
    place = {int(o): n for n, o in enumerate(old)}
    return replace(
        comparison,
        units=tuple(comparison.units[i] for i in old),
        predictors=comparison.predictors[old],
        fortnights=comparison.fortnights[old],
        before=comparison.before[old],
        after=comparison.after[old],
        outcome=comparison.outcome[old],
        path=comparison.path[old],
        sizes=comparison.sizes[old],
        neighbours=tuple(tuple(place[n] for n in comparison.neighbours[i] if n in place) for i in old),
    )


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
