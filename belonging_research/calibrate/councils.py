"""Every real council in the treated one's place, in years when nothing was done there, and with effects planted.

Critical values are carried from an earlier year to the one judged: ranking one year's errors among themselves rejects
5% by construction and proves nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from belonging_research.checks import CheckResult, run_checks
from belonging_research.checks.calibrated import size_limit
from belonging_research.checks.result import Status
from belonging_research.errors import BelongingError, EstimateError, PanelError
from belonging_research.estimators import estimate
from belonging_research.estimators.county import fit
from belonging_research.estimators.few_treated import size_table
from belonging_research.estimators.placebo import (
    critical_value,
    detectable_effect,
    fit_size_variance,
    fit_size_variance_without_each,
)
from belonging_research.findings import judge
from belonging_research.findings.rules import Verdict
from belonging_research.panel import Panel, Specification, build_panel, compare
from belonging_research.plan import Look, Plan, Treated
from belonging_research.tables import first_year, shift_year

Floats = NDArray[np.float64]

ALPHAS = (0.01, 0.03, 0.05)
STUDY_ALPHA = 0.05  # what the looks of a plan may spend together


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A year that is judged, and the earlier one whose placebos give its critical values."""

    judged: str
    carried_from: str

    @property
    def name(self) -> str:
        """As rows name it."""
        return f"{self.judged} by {self.carried_from}"


def windows(plan: Plan) -> tuple[Window, ...]:
    """Before the two covid years and after them: a false start each, and the true one.

    For a start in 2024/25: 2018/19 by 2017/18, 2023/24 by 2018/19, 2024/25 by 2023/24.
    """
    start = plan.post[0]
    before, after = shift_year(start, -6), shift_year(start, -1)
    return (
        Window(judged=before, carried_from=shift_year(before, -1)),
        Window(judged=after, carried_from=before),
        Window(judged=start, carried_from=after),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Every council's effect in one year as if treated, in hundredths, and what it is judged by.

    ``errors`` (n,), ``sizes`` (n,) possible half-days; ``p_values`` (n,) and ``scales`` (n,) from the carried
    placebos; ``critical`` by alpha. ``at_treated``: the scale at the treated council's size, None where it is absent.
    """

    window: Window
    outcome: str
    units: tuple[str, ...]
    regions: tuple[str, ...]
    thirds: tuple[str, ...]
    errors: Floats
    scales: Floats
    z: Floats
    is_treated: NDArray[np.bool_]

    def p_values(self, shift: float = 0.0) -> Floats:
        """Of every council with ``shift`` hundredths added to its outcome: (1 + k) / (J + 1), itself never among J."""
        found = np.empty(len(self.errors))
        for place, error in enumerate(self.errors + shift):
            others = self.z[place][np.isfinite(self.z[place])]
            found[place] = (1 + np.count_nonzero(np.abs(others) >= abs(error) / self.scales[place])) / (len(others) + 1)
        return found

    def reach(self, place: int, alpha: float) -> float:
        """Half the width of the interval at 1 - alpha, in hundredths."""
        others = self.z[place][np.isfinite(self.z[place])]
        return critical_value(others, alpha) * float(self.scales[place])

    def detectable(self, place: int, alpha: float) -> float:
        """What is noticed 4 times in 5 at this council's size, in hundredths."""
        others = self.z[place][np.isfinite(self.z[place])]
        return detectable_effect(others, float(self.scales[place]), alpha)


def place_every_council(panels: Mapping[str, Panel], plan: Plan, outcome: str, window: Window) -> Placed:
    """Each council's effect in the judged year, by the placebos of the year before.

    ``panels`` by judged year, from :func:`panels_of`. Raises :class:`PanelError` or :class:`EstimateError` where the
    figures of a year are not there.
    """
    now, before = (_errors(panels[year], plan, outcome, year) for year in (window.judged, window.carried_from))
    units, errors, sizes = now
    old_units, old_errors, old_sizes = before
    fits = fit_size_variance_without_each(old_errors, old_sizes)
    whole = fit_size_variance(old_errors, old_sizes)
    place = {unit: number for number, unit in enumerate(old_units)}
    own = np.array([fits[place[u]] if u in place else whole for u in units])
    old_z = old_errors / np.sqrt(fits[:, 0] + fits[:, 1] / old_sizes)
    z = np.repeat(old_z[None, :], len(units), axis=0)
    for number, unit in enumerate(units):
        if unit in place:
            z[number, place[unit]] = np.nan
    panel = panels[window.judged]
    cuts = np.quantile(sizes, [1 / 3, 2 / 3])
    return Placed(
        window=window, outcome=outcome, units=units, errors=errors, z=z,
        regions=tuple(panel.regions.get(unit, "unknown") for unit in units),
        thirds=tuple(("smallest", "middle", "largest")[int(np.searchsorted(cuts, size))] for size in sizes),
        scales=np.sqrt(own[:, 0] + own[:, 1] / sizes),
        is_treated=np.array([unit in {t.unit for t in plan.treated} for unit in units]),
    )  # fmt: skip


def _errors(panel: Panel, plan: Plan, outcome: str, year: str) -> tuple[tuple[str, ...], Floats, Floats]:
    at = plan_at(plan, year)
    of = Specification(
        outcome=outcome, source="census", phase="all", method=at.method, base=at.base, post=at.post
    )  # fmt: skip
    comparison = compare(panel, at, of)
    fitted = fit(comparison, at)
    kept = fitted.judged
    if kept.sum() < 20:
        raise EstimateError(f"{outcome} in {year}: {int(kept.sum())} councils can be judged; 20 are needed.")
    units = tuple(unit for unit, ok in zip(comparison.units, kept, strict=True) if ok)
    return units, fitted.effects[kept], comparison.sizes[kept]


def plan_at(plan: Plan, year: str, *, unit: str | None = None, name: str = "") -> Plan:
    """The plan as if everything had begun in ``year``, in ``unit`` (default: its own treated council).

    Base: the plan's own where it is the plan's start, else the two years before. One look, at what the plan's looks
    may spend together. Nothing is known of other events there.
    """
    base = plan.base if year == plan.post[0] else (shift_year(year, -2), shift_year(year, -1))
    own = plan.treated[0]
    treated = Treated(unit=unit or own.unit, name=name or own.name, start=dt.date(first_year(year), 9, 1))
    tested = tuple(o.name for o in plan.outcomes if o.role == "primary")
    return plan.model_copy(
        update={
            "base": base, "post": (year,), "treated": (treated,), "events": (), "outcomes_seen": (),
            "place": name or plan.place, "checks": tuple(name for name in plan.checks if name != "other_events"),
            "looks": (Look(report_year=year, alpha=STUDY_ALPHA, outcomes=tested[:1], due=plan.looks[-1].due),),
            "donors": plan.donors.model_copy(update={"footprint_unchanged_since": base[0]}),
        }
    )  # fmt: skip


def panels_of(outcomes: pa.Table, plan: Plan, neighbours: pa.Table | None) -> dict[str, Panel]:
    """One panel a year that :func:`windows` names; before the plan's council existed, another stands in its slot.

    Years whose figures are not there are left out.
    """
    wanted = sorted({year for window in windows(plan) for year in (window.judged, window.carried_from)})
    found = {}
    for year in wanted:
        upto = outcomes.filter(pc.less_equal(outcomes["period"], year))
        at = plan_at(plan, year, unit=_stand_in(upto, plan, year))
        upto = upto.replace_schema_metadata({**(outcomes.schema.metadata or {}), b"report_year": year.encode()})
        try:
            found[year] = build_panel(upto, at, neighbours=neighbours)
        except PanelError:
            continue
    return found


def _stand_in(outcomes: pa.Table, plan: Plan, year: str) -> str:
    """The plan's treated council, or the first by code that has every figure where that one did not exist yet."""
    own, needed = plan.treated[0].unit, {*plan_at(plan, year).base, year}
    whole = pc.and_(pc.equal(outcomes["level"], "council"), pc.equal(outcomes["outcome"], "overall_absence_rate"))
    whole = pc.and_(whole, pc.and_(pc.equal(outcomes["source"], "census"), pc.is_valid(outcomes["value"])))
    rows = outcomes.filter(pc.and_(whole, pc.is_in(outcomes["period"], pa.array(sorted(needed)))))
    years: dict[str, set[str]] = {}
    for unit, period in zip(rows["unit"].to_pylist(), rows["period"].to_pylist(), strict=True):
        years.setdefault(unit, set()).add(period)
    excluded = {each.unit for each in plan.excluded}
    complete = sorted(unit for unit, known in years.items() if known == needed and unit not in excluded)
    return own if own in complete or not complete else complete[0]


def in_its_place(panel: Panel, unit: str) -> Panel:
    """The panel with another council treated; the one that was is a donor no more than before."""
    donors = tuple(each for each in panel.donors if each != unit)
    return replace(panel, treated=(unit,), donors=donors)


def planted(panel: Panel, unit: str, outcome: str, year: str, shift: float) -> Panel:
    """The panel with ``shift`` (proportion) added to one council's outcome of a year, in every series and phase."""
    parts = dict(panel.parts)
    for key, rows in panel.parts.items():
        if key[0] != outcome or key[3] != "council":
            continue
        here = pc.and_(pc.equal(rows["unit"], unit), pc.equal(rows["period"], year))
        value = pc.if_else(here, pc.add(rows["value"], shift), rows["value"])
        parts[key] = rows.set_column(rows.schema.get_field_index("value"), "value", value)
    return replace(panel, parts=parts)


def verdict_of(panel: Panel, plan: Plan, placed: Placed, unit: str, shift: float = 0.0) -> tuple[Verdict, Verdict]:
    """What the whole rule table says of a council with an effect planted (proportion): every check run.

    Twice: with the check of calibrated size, and without it, since it is measured in the window that is judged.

    Its p-value and intervals are the carried ones, and so is the check of calibrated size: how often these critical
    values notice something in the other councils of this very year. A council whose estimate breaks in its place cannot
    be told.
    """
    place = placed.units.index(unit)
    at = plan_at(plan, placed.window.judged, unit=unit, name=panel.names.get(unit, unit))
    here = planted(in_its_place(panel, unit), unit, placed.outcome, placed.window.judged, shift)
    try:
        made = estimate(here, at, placed.outcome, source="census")
    except BelongingError:
        return "cannot_tell", "cannot_tell"
    intervals = {
        level: (made.value - placed.reach(place, round(1 - float(level), 6)) / 100,
                made.value + placed.reach(place, round(1 - float(level), 6)) / 100)
        for level in made.intervals
    }  # fmt: skip
    carried = replace(made, p_value=float(placed.p_values(100 * shift)[place]), intervals=intervals)
    but = at.model_copy(update={"checks": tuple(name for name in at.checks if name != "calibrated_size")})
    checks = run_checks(carried, here, but)
    without = judge(replace(carried, plan_digest=but.digest), checks, but).verdict
    if "calibrated_size" not in at.checks:
        return without, without
    return judge(carried, (*checks, _calibrated_elsewhere(placed, place)), at).verdict, without


def _calibrated_elsewhere(placed: Placed, place: int) -> CheckResult:
    """:func:`checks.calibrated.calibrated_size` of one council's study, as measured on the others."""
    others = np.arange(len(placed.units)) != place
    others &= ~placed.is_treated
    noticed = placed.p_values()[others] <= STUDY_ALPHA
    size, limit = float(noticed.mean()), size_limit(STUDY_ALPHA, len(noticed))
    sentence = f"Placebos of {placed.window.carried_from} noticed a difference in {100 * size:.1f} of 100 others."
    status: Status = "pass" if size <= limit + 1e-12 else "fail"
    return CheckResult(
        name="calibrated_size", status=status, severity="fatal", value=size, limit=limit, power=None, sentence=sentence
    )


def few_treated_sizes(panels: Mapping[str, Panel], plan: Plan, outcome: str) -> pa.Table:
    """How often each kind of inference finds an effect where nothing was done, by number of councils treated.

    Difference-in-differences on real councils drawn at random, year by year as in :func:`windows`: cluster-robust
    errors, Conley & Taber (2011) and Ferman & Pinto (2019). Columns year and those of
    :data:`estimators.few_treated.SIZE_TABLE`.
    """
    made = []
    for window in windows(plan):
        if window.judged not in panels:
            continue
        at = plan_at(plan, window.judged)
        of = Specification(
            outcome=outcome,
            source="census",
            phase="all",
            method="difference_in_differences",
            base=at.base,
            post=at.post,
        )
        comparison = compare(panels[window.judged], at, of)
        # Something may have been done in the treated council, so it stands on neither side.
        rates = np.column_stack([comparison.before, comparison.after])[1:]
        rng = plan.rng("few treated", outcome, window.judged)
        sizes = size_table(rates, comparison.before.shape[1], comparison.sizes[1:], rng=rng)
        made.append(sizes.add_column(0, "year", pa.repeat(window.judged, sizes.num_rows)))
    return pa.concat_tables(made) if made else pa.table({"year": pa.array([], pa.string())})
