"""What a sentence may draw on: one finding, its plan, and every number in the words in which it is said.

A sentence takes its numbers from ``Story.said`` only. The same words go into the ledger beside their values,
so that each number on a page can be found in a released table, as printed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import pyarrow as pa

from belonging_research.disclosure import Cleared, Door, vouch
from belonging_research.errors import DisclosureError
from belonging_research.estimators.result import Estimate
from belonging_research.findings import Finding
from belonging_research.plan import Look, OutcomePlan, Plan
from belonging_research.present.numbers import Scale, chance, scale, year, years

MIX = "Comparison mix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A number as a page prints it: of which finding, what it is, its value (null for several), its words."""

    finding: str
    quantity: str
    value: float | None
    printed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The level of one group before and since the start (rates, proportions)."""

    group: str
    before: float
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One finding ready to be told. ``trends`` begin with the treated place; ``said``: quantity to words.

    ``name`` heads a row, ``subject`` begins a sentence.
    """

    finding: Finding
    plan: Plan
    scale: Scale
    name: str
    subject: str
    trends: tuple[Trend, ...]
    quoted: tuple[Quoted, ...]
    stamp: str

    @property
    def said(self) -> Mapping[str, str]:
        """The words of each number by its quantity."""
        return {each.quantity: each.printed for each in self.quoted}

    @property
    def place(self) -> str:
        """The treated place as its readers call it."""
        return self.plan.place

    @property
    def since(self) -> str:
        """The month in which it started: "September 2024"."""
        return f"{self.plan.treated[0].start:%B %Y}"

    @property
    def report_year(self) -> str:
        """The last academic year that the finding is about."""
        return max(self.finding.post) if self.finding.post else self.plan.post[0]

    @property
    def assessed(self) -> Estimate | None:
        """The estimate, where a verdict may speak of it; None before its look and where it is withheld."""
        return None if self.finding.verdict == "not_assessed" else self.finding.estimate

    @property
    def still_possible(self) -> tuple[float, float] | None:
        """The interval from which effects are ruled out, CI(1 - 2a), in the outcome's own direction."""
        estimate = self.assessed
        return None if estimate is None else interval(estimate, 1 - 2 * self.finding.alpha)

    @property
    def favourable(self) -> int:
        """+1 where more is better, else -1."""
        return 1 if self.finding.better == "higher" else -1

    @property
    def later_looks(self) -> tuple[Look, ...]:
        """The looks after this report year that test this outcome."""
        return tuple(
            look
            for look in self.plan.looks
            if look.report_year > self.report_year and (self.finding.outcome in look.outcomes or self._at_last(look))
        )

    def _at_last(self, look: Look) -> bool:
        planned = next((o for o in self.plan.outcomes if o.name == self.finding.outcome), None)
        return planned is not None and planned.role == "secondary" and look == self.plan.looks[-1]


def interval(estimate: Estimate, level: float) -> tuple[float, float]:
    """The interval of an estimate at ``level`` (0 to 1), in its unit and the outcome's own direction.

    Raises
    ------
    DisclosureError
        If the estimate was made without that level.
    """
    for key, ends in estimate.intervals.items():
        if math.isclose(float(key), level, abs_tol=1e-9):
            return ends
    raise DisclosureError(
        f"{estimate.outcome}: no interval at {level:.4g}; it has {', '.join(sorted(estimate.intervals))}. "
        "Estimate again with the plan's looks."
    )


def as_findings(cleared: Cleared[Finding] | Cleared[tuple[Finding, ...]]) -> tuple[Finding, ...]:
    """The findings of a cleared one or several, after asking the ledger that they are what was cleared.

    Raises
    ------
    DisclosureError
        If the value is no finding or was changed after it was cleared.
    """
    vouch(cleared)
    value = cleared.value
    findings = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(each, Finding) for each in findings):
        raise DisclosureError("sentences and the table of outcomes are made of findings; clear findings.")
    return findings


def tell(finding: Finding, door: Door, levels: pa.Table | None = None) -> Story:
    """The story of a finding. ``levels`` has columns group, outcome, period, value (rates, proportions)."""
    measure = scale(finding.outcome, finding.label, finding.unit, door.policy.rate_decimals)
    trends = _trends(finding, door.plan, levels)
    return Story(
        finding=finding,
        plan=door.plan,
        scale=measure,
        name=short_name(finding.label),
        subject=subject(finding.label),
        trends=trends,
        quoted=(*_said_levels(finding, trends, measure), *_said_effects(finding, measure)),
        stamp=door.stamp,
    )


def scale_of(outcome: OutcomePlan, decimals: int) -> Scale:
    """The scale of an outcome of the plan."""
    return scale(outcome.name, outcome.label, outcome.unit, decimals)


def short_name(label: str) -> str:
    """A label without its bracket, in the words that pages use."""
    return label.split(" (")[0].replace("sessions", "half-days").replace("Sessions", "Half-days")


def subject(label: str) -> str:
    """A label as the singular subject of a sentence: "Overall absence", "The share of pupils with ..."."""
    short = short_name(label)
    if short.endswith(" per 100 pupils"):
        return f"The rate of {_low(short.removesuffix(' per 100 pupils'))}"
    return f"The share of {_low(short)}" if short.startswith(("Pupils", "Half-days")) else short


def _low(text: str) -> str:
    return text[:1].lower() + text[1:]


def _trends(finding: Finding, plan: Plan, levels: pa.Table | None) -> tuple[Trend, ...]:
    if levels is not None:
        return _trends_of(levels, finding, plan.place)
    estimate = finding.estimate
    if estimate is None:
        return ()
    actual = {point.period: point.actual for point in estimate.path}
    predicted = {point.period: point.predicted for point in estimate.path}
    if not set(finding.base) <= set(actual):
        return ()
    place = Trend(group=plan.place, before=fmean(actual[each] for each in finding.base), since=estimate.actual)
    if finding.verdict == "not_assessed":
        return (place,)
    mix = Trend(group=MIX, before=fmean(predicted[each] for each in finding.base), since=estimate.predicted)
    return (place, mix)


def _trends_of(levels: pa.Table, finding: Finding, place: str) -> tuple[Trend, ...]:
    values: dict[str, dict[str, float]] = {}
    for row in levels.to_pylist():
        if row["outcome"] == finding.outcome and row["value"] is not None:
            values.setdefault(row["group"], {})[row["period"]] = row["value"]
    groups = sorted(values, key=lambda group: (group != place, list(values).index(group)))
    needed = {*finding.base, *finding.post}
    return tuple(
        Trend(
            group=group,
            before=fmean(values[group][each] for each in finding.base),
            since=fmean(values[group][each] for each in finding.post),
        )
        for group in groups
        if needed <= set(values[group])
    )


def change(trend: Trend, measure: Scale) -> float:
    """The change of a level in its printed number, worked out from the levels as printed."""
    digits = measure.decimals
    return round(round(100 * trend.since, digits) - round(100 * trend.before, digits), digits)


def _said_levels(finding: Finding, trends: Sequence[Trend], measure: Scale) -> list[Quoted]:
    said = []
    for trend in trends:
        moved = change(trend, measure)
        size = f"{abs(moved):.{measure.decimals}f}"
        unit = " per 100 pupils" if measure.per_100 else " points"
        words = "no change" if moved == 0 else f"{size}{unit} {'higher' if moved > 0 else 'lower'}"
        said += [
            _quoted(finding, f"before: {trend.group}", trend.before, measure.level(trend.before)),
            _quoted(finding, f"since: {trend.group}", trend.since, measure.level(trend.since)),
            _quoted(finding, f"change: {trend.group}", moved, words),
        ]
    time = measure.in_days(change(trends[0], measure) / 100) if trends else None
    return [*said, _quoted(finding, "change in days", None, time)] if time else said


def _said_effects(finding: Finding, measure: Scale) -> list[Quoted]:
    sign = 1 if finding.better == "higher" else -1
    gain, loss = sign * finding.sesoi, -sign * finding.sesoi
    said = [
        _quoted(finding, "smallest size", finding.sesoi, measure.limit(gain)),
        _quoted(finding, "smallest gain", gain, measure.limit_effect(gain)),
        _quoted(finding, "smallest loss", loss, measure.limit_effect(loss)),
        _quoted(finding, "report year", None, year(max(finding.post)) if finding.post else ""),
        _quoted(finding, "base years", None, years(finding.base)),
        _quoted(finding, "post years", None, years(finding.post)),
    ]
    estimate = finding.estimate
    if estimate is None:
        return said
    if estimate.detectable is not None:
        noticed = sign * estimate.detectable
        said.append(_quoted(finding, "noticed 4 in 5", noticed, measure.effect(noticed)))
    if estimate.power_at_sesoi is not None:
        power = estimate.power_at_sesoi
        said.append(_quoted(finding, "chance", power, chance(power).removeprefix("about ")))
    said.append(_quoted(finding, "councils", float(estimate.n_reference), str(estimate.n_reference)))
    for name in ("detectable_05", "power_at_sesoi"):
        said += _said_plainly(finding, estimate, name, measure)
    return said if finding.verdict == "not_assessed" else [*said, *_said_result(finding, estimate, measure)]


def _said_plainly(finding: Finding, estimate: Estimate, name: str, measure: Scale) -> list[Quoted]:
    """A number of the estimate as the annex prints it; nothing where there is none."""
    value = getattr(estimate, name)
    if value is None:
        return []
    words = {
        "detectable_05": measure.size,
        "detectable_realised_05": measure.size,
        "actual": measure.level,
        "predicted": measure.level,
        "power_at_sesoi": "{:.2f}".format,
        "p_value": "{:.4f}".format,
    }
    return [_quoted(finding, name, value, words[name](value))]


def _said_result(finding: Finding, estimate: Estimate, measure: Scale) -> list[Quoted]:
    low, high = interval(estimate, 1 - 2 * finding.alpha)
    low95, high95 = interval(estimate, 0.95)
    level = 100 * (1 - 2 * finding.alpha)
    said = [
        _quoted(finding, "best guess", estimate.value, measure.effect(estimate.value)),
        _quoted(finding, "still possible", None, measure.between(low, high)),
        _quoted(finding, "lowest possible", low, measure.end(low)),
        _quoted(finding, "highest possible", high, measure.end(high)),
        _quoted(finding, "range at 95%", None, measure.between(low95, high95)),
        _quoted(finding, "holds the truth", level / 100, f"{level:.3g} times in 100"),
    ]
    if estimate.type_m is not None:
        said.append(_quoted(finding, "exaggeration", estimate.type_m, f"{estimate.type_m:.1f} times"))
    for name in ("detectable_realised_05", "actual", "predicted", "p_value"):
        said += _said_plainly(finding, estimate, name, measure)
    for key in sorted(estimate.intervals, key=float):
        said.append(_quoted(finding, f"interval {key}", None, measure.between(*estimate.intervals[key])))
    if finding.p_adjusted is not None:
        said.append(_quoted(finding, "p_adjusted", finding.p_adjusted, f"{finding.p_adjusted:.4f}"))
    said += _said_calibrated(finding)
    days = measure.in_days(estimate.value)
    return [*said, _quoted(finding, "best guess in days", None, days)] if days else said


def _said_calibrated(finding: Finding) -> list[Quoted]:
    """What this method says of councils where nothing was done, of 100; nothing where that was not measured."""
    found = next((c.table for c in finding.checks if c.name == "calibrated_size" and c.table is not None), None)
    if found is None:
        return []
    row = found.to_pylist()[0]
    return [
        _quoted(finding, "false better of 100", row["said_better"], f"{100 * row['said_better']:.0f}"),
        _quoted(finding, "false worse of 100", row["said_worse"], f"{100 * row['said_worse']:.0f}"),
    ]


def _quoted(finding: Finding, quantity: str, value: float | None, printed: str) -> Quoted:
    return Quoted(
        finding=finding.id,
        quantity=quantity,
        value=value if value is None or math.isfinite(value) else None,
        printed=printed,
    )


def quoted_table(stories: Sequence[Story]) -> pa.Table:
    """The numbers of some stories as printed: columns of :func:`quote_table`."""
    return quote_table([each for story in stories for each in story.quoted])


def quote_table(rows: Sequence[Quoted]) -> pa.Table:
    """Numbers as printed: columns finding, quantity, value, printed."""
    return pa.table(
        {
            "finding": pa.array([each.finding for each in rows], pa.string()),
            "quantity": pa.array([each.quantity for each in rows], pa.string()),
            "value": pa.array([each.value for each in rows], pa.float64()),
            "printed": pa.array([each.printed for each in rows], pa.string()),
        }
    )
