"""Figures to outcomes by the official definitions: one registry, pooled phases, fortnights, boundary rules.

Sources: Department for Education, "Pupil absence in schools in England" and "Suspensions and permanent
exclusions in England" methodology; "Pupil attendance in schools" data guidance.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from belonging_research.errors import PlanError, SourceError
from belonging_research.plan import Plan
from belonging_research.sources import Extract
from belonging_research.sources.once import once_a_run
from belonging_research.tables import BOUNDARIES, OUTCOMES

_KEY = ["layout", "level", "unit", "period", "phase", "outcome"]
_PARTS = ("primary", "secondary", "special")
_NO_DAY = np.datetime64("NaT", "ns")
_REPEATED = ("unit", "level", "name", "region", "period", "source", "outcome", "layout", "source_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """An official measure: what it counts, over what, and which series carry it."""

    name: str
    label: str
    numerator: str
    denominator: str
    kind: Literal["share", "events_per_pupil", "count"]
    daily: bool
    source: str


_ABSENCE = "DfE, Pupil absence in schools in England: methodology"
_EXCLUSIONS = "DfE, Suspensions and permanent exclusions in England: methodology"
_DAILY = "DfE, Pupil attendance in schools: data guidance"


def _registry() -> dict[str, Measure]:
    sessions, enrolments, roll = "possible half-days", "enrolments", "pupils on roll in January"
    rows = (
        ("overall_absence_rate", "Overall absence", "half-days missed", sessions, "share", True, _ABSENCE),
        ("authorised_absence_rate", "Authorised absence", "half-days with leave", sessions, "share", True, _ABSENCE),
        ("unauthorised_absence_rate", "Unauthorised absence", "without leave", sessions, "share", True, _ABSENCE),
        ("persistent_absence_rate", "Persistent absence", "missing 10% or more", enrolments, "share", True, _ABSENCE),
        ("severe_absence_rate", "Severe absence", "missing 50% or more", enrolments, "share", False, _ABSENCE),
        ("illness_absence_rate", "Absence for illness", "half-days missed ill", sessions, "share", True, _DAILY),
        ("suspended_or_excluded_sessions_rate", "Half-days while suspended", "code E", sessions, "share", True, _DAILY),
        ("medical_appointment_absence_rate", "Absence for appointments", "code M", sessions, "share", True, _DAILY),
        ("religious_observance_absence_rate", "Religious observance", "code R", sessions, "share", True, _DAILY),
        ("suspension_rate", "Suspensions", "suspensions in the year", roll, "events_per_pupil", False, _EXCLUSIONS),
        (
            "pupils_with_one_or_more_suspensions_rate",
            "Pupils with one or more suspensions",
            "pupils suspended at least once",
            roll,
            "share",
            False,
            _EXCLUSIONS,
        ),
        (
            "permanent_exclusion_rate",
            "Permanent exclusions",
            "in the year",
            roll,
            "events_per_pupil",
            False,
            _EXCLUSIONS,
        ),
    )
    fields = ("name", "label", "numerator", "denominator", "kind", "daily", "source")
    return {str(row[0]): Measure(**dict(zip(fields, row, strict=True))) for row in rows}  # type: ignore[arg-type]


MEASURES: dict[str, Measure] = _registry()
_COUNTED = [measure.name for measure in MEASURES.values() if measure.source == _ABSENCE]

# An interval between two snapshots is taken as revised or back-filled, not as a fortnight, where its possible
# half-days are under half or over twice the share of the year that they are in the middle council, or where its rate is
# not one that a fortnight can have. Intervals of under half a percent of the year are a repeated snapshot.
REVISED_BELOW, REVISED_ABOVE = 0.5, 2.0
REPEATED_BELOW = 0.005
HIGHEST_FORTNIGHT_RATE = 0.25
# A school year has 190 days of two half-days (Education (School Day and School Year) (England) Regulations 1999). A
# daily series that has counted a smaller share of them a pupil, over all councils, is of a year that is not over.
SESSIONS_A_YEAR, WHOLE_YEAR = 380, 0.9
# A council may be missing from a year's last snapshot; the whole year is then read from one this much older at most.
LATE_WITHIN = pd.Timedelta(days=31)
# A series with fewer of the year's snapshots than this share is left out, not filled.
LEAST_SNAPSHOTS = 0.75


def refuse_unknown_controls(plan: Plan) -> None:
    """Refuse a negative control that is no measure of the daily registers: a check of nothing is never passed.

    Raises :class:`PlanError` with the key, the name and those there are.
    """
    known = [each.name for each in MEASURES.values() if each.daily]
    for number, name in enumerate(plan.negative_controls):
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise PlanError(
                f"plan {plan.study}: negative_controls.{number}: {name} is not known.{hint} There are: "
                f"{', '.join(known)}."
            )


def derive_outcomes(extract: Extract, plan: Plan) -> pa.Table:
    """Every outcome of every council, region and the country, by year and, in the daily series, by fortnight.

    Census figures stay as printed, one row a layout, but rates of absence whose counts are published are the ratio of
    these. Daily whole-year rates are those of the last snapshot, with a council's phases pooled by their denominators
    (its own printed Total is used only where it has no parts). Successors of a divided council carry its earlier
    census rates where :data:`tables.BOUNDARIES` says so.

    Returns a table of :data:`tables.OUTCOMES`, sorted by its key, whose schema metadata holds ``report_year``,
    ``data_as_at`` (:meth:`Extract.daily_taken`, or empty) and ``digest`` (of extract and plan). A missing number keeps
    its reason. Raises as :func:`refuse_unknown_controls`, and :class:`SourceError` where two figures stand for one.
    """
    refuse_unknown_controls(plan)
    of = (extract.digest, extract.report_year, str(extract.data_as_at), str(extract.asked), plan.digest)
    return once_a_run("outcomes", of, lambda: _derived(extract, plan))


def _derived(extract: Extract, plan: Plan) -> pa.Table:
    figures = _with_categories(extract.figures)
    parts = [_with_history(_census(figures))]
    daily = figures[(figures["source"] == "daily") & (figures["period_kind"] == "year_to_date")]
    if len(daily):
        pooled = _pool(daily)
        parts += [_whole_year(pooled, years_not_over(extract.figures)), _fortnights(pooled)]
    outcomes = _together([part for part in parts if len(part)] or parts[:1])
    outcomes = outcomes.sort_values(list(OUTCOMES.key), kind="stable", na_position="first")
    _refuse_two_of_one(outcomes)
    taken = extract.daily_taken(plan.treated[0].unit)
    schema = OUTCOMES.schema.with_metadata(
        {
            "report_year": extract.report_year,
            "data_as_at": taken.isoformat() if taken else "",
            "digest": extract.digest,
            "plan": plan.digest,
        }
    )
    return pa.Table.from_pandas(outcomes, schema=schema, preserve_index=False)


def _with_categories(figures: pa.Table) -> pd.DataFrame:
    """Figures of councils, regions and the country; texts that repeat are categories, so that millions sort quickly."""
    above_schools = figures.filter(pc.not_equal(figures["level"], "school")).drop_columns(["la_code", "gss_code"])
    frame = above_schools.to_pandas(date_as_object=True)
    frame["phase"] = pd.Categorical(frame["phase"], categories=sorted({"all", *frame["phase"].unique()}))
    compact: pd.DataFrame = frame.astype(dict.fromkeys(_REPEATED, "category"))
    return compact


def _together(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Parts under one another, in the columns of :data:`tables.OUTCOMES`; texts that repeat stay categories."""
    columns = [column.name for column in OUTCOMES.columns]
    values = {name: sorted({each for part in parts for each in part[name].dropna().unique()}) for name in _REPEATED}
    kinds = {name: pd.CategoricalDtype(each) for name, each in values.items()}
    return pd.concat([part[columns].astype(kinds) for part in parts], ignore_index=True)


def years_not_over(figures: pa.Table) -> dict[tuple[str, str], float]:
    """(layout, academic year) of each daily series that ends before its school year does, and its half-days a pupil.

    Possible half-days over enrolled pupils of all councils in the year's last snapshot, under :data:`WHOLE_YEAR` of
    :data:`SESSIONS_A_YEAR`. An autumn alone is not a year: absence differs by season. ``figures``: a table of
    :data:`tables.FIGURES`; a series that prints no enrolments is taken as whole.
    """
    daily = figures.filter(
        pc.and_(
            pc.and_(pc.equal(figures["source"], "daily"), pc.equal(figures["period_kind"], "year_to_date")),
            pc.and_(
                pc.equal(figures["level"], "council"),
                pc.is_in(figures["outcome"], pa.array(["enrolments", "possible_sessions"])),
            ),
        )
    ).to_pandas(date_as_object=True)
    if not len(daily):
        return {}
    series = ["layout", "period"]
    last = daily.assign(as_at=pd.to_datetime(daily["as_at"]))
    newest = last.groupby(series)["as_at"].transform("max")
    last = last[last["as_at"].eq(newest) | newest.isna()]
    both = last.pivot_table(index=[*series, "unit", "phase"], columns="outcome", values="numerator", aggfunc="last")
    both = both.reindex(columns=["enrolments", "possible_sessions"]).dropna().groupby(level=series).sum()
    a_pupil = both["possible_sessions"] / both["enrolments"].where(both["enrolments"] > 0)
    short = a_pupil[a_pupil < WHOLE_YEAR * SESSIONS_A_YEAR]
    return {(str(layout), str(year)): float(n) for (layout, year), n in short.items()}


def _refuse_two_of_one(outcomes: pd.DataFrame) -> None:
    """No two rows share a key: which of them counted would hang on the order in which files were read."""
    twice = outcomes[outcomes.duplicated(list(OUTCOMES.key), keep=False)]
    if len(twice):
        one, other = twice.iloc[0], twice.iloc[1]
        raise SourceError(
            f"{one['source_file']} (row {one['row']}) and {other['source_file']} (row {other['row']}) both give "
            f"{one['outcome']} of {one['name']} ({one['unit']}), {one['period']}, phase {one['phase']}. Expected one "
            "figure: keep the file that you mean, and move the other out of the folder."
        )


def _census(figures: pd.DataFrame) -> pd.DataFrame:
    census = figures[(figures["source"] == "census") & (figures["period_kind"] == "academic_year")]
    census = census.astype(dict.fromkeys((*_REPEATED, "phase"), "str"))
    count = census["rate"].isna() & census["numerator"].notna() & census["denominator"].isna()
    printed = census["rate"].where(~count, census["numerator"])
    # England's and the regions' rates of absence are printed to one decimal to 2018/19; their counts are whole, and
    # say more. Counts of suspensions may be rounded to 5, and say less than the rate.
    ratio = census["numerator"] / census["denominator"].where(census["denominator"] > 0)
    census["value"] = ratio.where(census["outcome"].isin(_COUNTED) & ratio.notna(), printed)
    return census.assign(interval_end=np.full(len(census), _NO_DAY), derivation="published")


def _with_history(census: pd.DataFrame) -> pd.DataFrame:
    """Rates of a divided council, repeated under each successor for the years before it existed."""
    extra = []
    for change in BOUNDARIES:
        if change.history_from is None or change.valid_from is None:
            continue
        earlier = census[(census["unit"] == change.history_from) & (census["level"] == "council")]
        earlier = earlier[(earlier["period"] < change.valid_from) & earlier["rate"].notna()]
        extra.append(
            earlier.assign(
                unit=change.unit, la_code=change.unit, name=change.name, derivation="predecessor",
                numerator=np.nan, denominator=np.nan,
            )
        )  # fmt: skip
    covered = pd.concat(extra) if extra else census.iloc[:0]
    taken = pd.MultiIndex.from_frame(covered[_KEY])
    own = census[~pd.MultiIndex.from_frame(census[_KEY]).isin(taken)]
    return pd.concat([own, covered], ignore_index=True)


def _pool(daily: pd.DataFrame) -> pd.DataFrame:
    """Councils' phases pooled to "all", other rows unchanged; shares without counts pool by enrolments."""
    keys = ["layout", "unit", "period", "as_at"]
    daily = daily.assign(as_at=pd.to_datetime(daily["as_at"]))
    enrolled = daily[daily["outcome"] == "enrolments"].set_index([*keys, "phase"])["numerator"]
    enrolled = enrolled[~enrolled.index.duplicated()]
    bare = daily["numerator"].isna() & daily["rate"].notna()
    weight = enrolled.reindex(pd.MultiIndex.from_frame(daily[[*keys, "phase"]])).to_numpy()
    daily = daily.assign(
        numerator=np.where(bare, daily["rate"] * weight, daily["numerator"]),
        denominator=np.where(bare, weight, daily["denominator"]),
    )
    council = daily[(daily["level"] == "council") & daily["phase"].isin(_PARTS)]
    council = council.assign(is_main=council["phase"].isin(_PARTS[:2]))
    grouped = council.sort_values("row").groupby([*keys, "outcome"], dropna=False, sort=True)
    pooled = grouped.agg(
        level=("level", "first"), name=("name", "first"), region=("region", "first"),
        numerator=("numerator", "sum"),
        denominator=("denominator", "sum"), known=("numerator", "count"), based=("denominator", "count"),
        main=("is_main", "sum"), source_file=("source_file", "first"), row=("row", "min"), why=("reason", "first"),
    ).reset_index()  # fmt: skip
    pooled["numerator"] = pooled["numerator"].where(pooled["known"] > 0)
    pooled["denominator"] = pooled["denominator"].where(pooled["based"] > 0)
    # A phase that the publisher hides (one special school) is left out of both sums; a hidden main phase hides all.
    hidden = (pooled["main"] < 2) | (pooled["known"] < pooled["main"])
    pooled.loc[hidden, ["numerator", "denominator"]] = np.nan
    pooled = pooled.assign(phase="all", source="daily", derivation="pooled", rate=np.nan)
    pooled = pooled.astype(daily.dtypes[["phase", "source"]].to_dict())
    # Where the sum could not be made its parts say why (a code that did not exist yet is not a hidden number).
    pooled["reason"] = pooled["why"].fillna("confidential").where(pooled["numerator"].isna())
    whole = set(map(tuple, pooled[["unit", "period"]].drop_duplicates().to_numpy()))
    printed = (daily["level"] == "council") & (daily["phase"] == "all")
    printed &= pd.MultiIndex.from_frame(daily[["unit", "period"]]).isin(whole)
    return pd.concat([daily[~printed].assign(derivation="published"), pooled], ignore_index=True)


def _value(rows: pd.DataFrame) -> pd.Series[float]:
    """As printed where printed, else the ratio of the counts, else the count itself."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = rows["numerator"] / rows["denominator"].where(rows["denominator"] > 0)
    count = rows["denominator"].isna()
    value: pd.Series[float] = rows["rate"].fillna(ratio).where(~count | rows["rate"].notna(), rows["numerator"])
    return value


def _whole_year(pooled: pd.DataFrame, not_over: Collection[tuple[str, str]]) -> pd.DataFrame:
    """The figures of each council's last snapshot; one that a snapshot lacks comes from the one before it, if near.

    A year that is not over (layout, year) has no figure.
    """
    last = pooled.groupby(["layout", "unit", "period"])["as_at"].transform("max")
    series = ["layout", "unit", "period", "phase", "outcome"]
    printed = pooled["as_at"].where(_value(pooled).notna() & (last - pooled["as_at"] <= LATE_WITHIN))
    own_last = pooled.assign(printed=printed).groupby(series, dropna=False)["printed"].transform("max").fillna(last)
    final = pooled[pooled["as_at"].eq(own_last) | pooled["as_at"].isna()]
    final = final.assign(interval_end=np.full(len(final), _NO_DAY), value=_value(final))
    missing = final["value"].isna() & final["reason"].isna()
    final["reason"] = final["reason"].where(~missing, "no_sessions")
    part = pd.MultiIndex.from_frame(final[["layout", "period"]]).isin(list(not_over))
    final.loc[part, ["value", "numerator", "denominator"]] = np.nan
    final.loc[part, "reason"] = "year_not_over"
    return final


def _fortnights(pooled: pd.DataFrame) -> pd.DataFrame:
    """Rates between successive snapshots; revised intervals filled by the country's rate plus the council's own gap."""
    daily = [m.name for m in MEASURES.values() if m.daily and m.name != "persistent_absence_rate"]
    dated = pooled[pooled["as_at"].notna() & (pooled["level"] == "council") & pooled["outcome"].isin(daily)]
    unit, units = pd.factorize(dated["unit"], sort=True)
    day, days = pd.factorize(dated["as_at"], sort=True)
    counted = dated[["numerator", "denominator"]].to_numpy(float)
    series = dated[["layout", "period", "phase", "outcome"]]
    places_of, cells = [], []
    for places in dated.groupby(list(series)).indices.values():
        missed, possible = np.full((2, len(units), len(days)), np.nan)
        for wide, count in zip((missed, possible), counted[places].T, strict=True):
            known = ~np.isnan(count)
            wide[unit[places][known], day[places][known]] = count[known]
        rows, columns, rate, filled = fortnight_rates(missed, possible)
        down, across = np.repeat(rows, len(columns)), np.tile(columns, len(rows))
        places_of.append(np.full(len(down), places[0]))
        cells.append((down, across, rate.ravel(), filled.ravel()))
    if not cells:
        return dated
    down, across, rate, filled = (np.concatenate(each) for each in zip(*cells, strict=True))
    last = dated.groupby("unit", observed=True)[["name", "region"]].last().reindex(units).take(down)
    # One row of the series each is of: texts stay categories, as millions of Python strings would be slow.
    joined = series.take(np.concatenate(places_of)).reset_index(drop=True)
    return joined.assign(
        unit=units.take(down),
        name=last["name"].array, region=last["region"].array, value=rate, level="council", source="daily",
        numerator=np.nan, denominator=np.nan, reason=None, source_file="snapshots", row=0,
        derivation=np.where(filled, "filled", "difference"), interval_end=days[across],
    )  # fmt: skip


def fortnight_rates(
    missed: NDArray[np.float64], possible: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64], NDArray[np.bool_]]:
    """Cumulative half-days to rates of the fortnights between snapshots, and which of them were filled.

    ``missed``, ``possible``: (units, snapshots in order), NaN where there is no figure. Returns the places of the units
    and of the snapshots that are kept, and for these the rates and whether each was filled. Snapshots without figures
    or repeated are left out, and units with few (:data:`LEAST_SNAPSHOTS`). See the rule beside :data:`REVISED_BELOW`.
    """
    columns = np.flatnonzero(np.isfinite(possible).any(axis=0))
    if not len(columns) or not np.isfinite(missed).any():  # a register code that this stack does not have
        return columns[:0], columns[:0], np.empty((0, 0)), np.empty((0, 0), bool)
    rows = np.flatnonzero(np.isfinite(possible[:, columns]).mean(axis=1) >= LEAST_SNAPSHOTS)
    missed, possible = missed[np.ix_(rows, columns)], possible[np.ix_(rows, columns)]
    last = possible.shape[1] - 1 - np.isfinite(possible[:, ::-1]).argmax(axis=1)
    year = possible[np.arange(len(rows)), last]
    new_missed, new_possible = (np.diff(each, axis=1, prepend=0.0) for each in (missed, possible))
    share = new_possible / np.where(year > 0, year, np.nan)[:, None]
    usual = pd.DataFrame(share).median().to_numpy()
    kept = usual > REPEATED_BELOW
    new_missed, new_possible, relative = new_missed[:, kept], new_possible[:, kept], share[:, kept] / usual[kept]
    rate = new_missed / np.where(new_possible > 0, new_possible, np.nan)
    sound = (relative >= REVISED_BELOW) & (relative <= REVISED_ABOVE) & (rate >= 0) & (rate <= HIGHEST_FORTNIGHT_RATE)
    missed_sound, possible_sound = (np.where(sound, each, 0.0).sum(axis=0) for each in (new_missed, new_possible))
    country = np.divide(missed_sound, possible_sound, out=np.full(kept.sum(), np.nan), where=possible_sound > 0)
    gaps = np.where(sound & np.isfinite(country), rate - country, 0.0)
    own_gap = gaps.sum(axis=1) / np.maximum(sound.sum(axis=1), 1)
    return rows, columns[kept], np.where(sound, rate, country + own_gap[:, None]), ~sound
