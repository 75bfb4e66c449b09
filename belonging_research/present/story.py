"""What a sentence may draw on: one finding, its plan, and every number in the words in which it is said.

A sentence takes its numbers from ``Story.said`` only. The same words go into the ledger beside their values,
so that each number on a page can be found in a released table, as printed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from belonging_research.disclosure import Cleared, Door, vouch
from belonging_research.errors import DisclosureError
from belonging_research.estimators.result import Estimate
from belonging_research.findings import Finding
from belonging_research.findings.noticing import interval, noticing
from belonging_research.plan import Look, OutcomePlan, Plan
from belonging_research.present.numbers import Scale, chance, scale, year, years
from belonging_research.present.trends import Trend, change, trends_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A number as a page prints it: of which finding, what it is, its value (null for several), its words."""

    finding: str
    quantity: str
    value: float | None
    printed: str


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
    def worst_window(self) -> str | None:
        """The worst other window of the plan's calibration, "2023/24 by 2018/19"; None where there is none."""
        row = _calibrated(self.finding)
        return None if row is None else row["worst_world"]

    @property
    def still_possible(self) -> tuple[float, float] | None:
        """The interval from which effects are ruled out, CI(1 - 2a), in the outcome's own direction."""
        estimate = self.assessed
        return None if estimate is None else interval(estimate, 1 - 2 * self.finding.alpha)

    @property
    def range_name(self) -> str:
        """What its range is called: a range rules nothing out where a check failed or nothing is tested."""
        return "Still possible" if self.finding.rule >= 3 else "Range"

    @property
    def set_how(self) -> str:
        """How the plan's limits were set: "in advance" only where no figure of the year was public before."""
        return "in the plan" if self.plan.retrospective(self.report_year) else "in advance"

    @property
    def due(self) -> str | None:
        """When the plan tests it, where it does: not what it only describes, phases among it."""
        finding = self.finding
        described = self.plan.outcome(finding.outcome).role == "exploratory"
        return None if described or finding.phase != "all" or finding.subgroup is not None else finding.due

    @property
    def provisional(self) -> bool:
        """Whether it rests on daily returns, which yearly figures will check."""
        return self.finding.source == "daily"

    @property
    def here(self) -> Trend | None:
        """The levels of the treated place; None where the figures have none."""
        return next((each for each in self.trends if each.group == self.place), None)

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
    of_schools = finding.layer == "school" and door.plan.schools is not None
    plan = door.plan.of_schools if of_schools else door.plan
    measure = scale_of(finding, door.plan.policy_of(finding.layer).rate_decimals)
    # A school finding is about starting, whenever that was: it has no years to set beside other councils'.
    trends = () if of_schools else trends_of(finding, door.plan, levels)
    return Story(
        finding=finding,
        plan=plan,
        scale=measure,
        name=short_name(finding.label),
        subject=subject(finding.label),
        trends=trends,
        quoted=(*_said_levels(finding, trends, measure), *_said_effects(finding, plan, measure)),
        stamp=door.stamp,
    )


def scale_of(outcome: OutcomePlan | Finding, decimals: int) -> Scale:
    """The scale of an outcome of the plan, or of a finding about it."""
    name = outcome.outcome if isinstance(outcome, Finding) else outcome.name
    return scale(name, outcome.label, outcome.unit, decimals, outcome.sesoi)


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


def _said_levels(finding: Finding, trends: Sequence[Trend], measure: Scale) -> list[Quoted]:
    said = []
    for trend in trends:
        for when, level in (("before", trend.before), ("since", trend.since)):
            if level is not None:
                said.append(_quoted(finding, f"{when}: {trend.group}", level, measure.level(level)))
        for period, level in trend.seen:
            said.append(_quoted(finding, f"in {period}: {trend.group}", level, measure.level(level)))
        moved = change(trend, measure)
        if moved is not None:
            size = f"{abs(moved):.{measure.decimals}f}"
            unit = " per 100 pupils" if measure.per_100 else " points"
            words = "no change" if moved == 0 else f"{size}{unit} {'higher' if moved > 0 else 'lower'}"
            said.append(_quoted(finding, f"change: {trend.group}", moved, words))
    moved = change(trends[0], measure) if trends else None
    time = None if moved is None else measure.in_days(moved / 100)
    return [*said, _quoted(finding, "change in days", None, time)] if time else said


def _said_effects(finding: Finding, plan: Plan, measure: Scale) -> list[Quoted]:
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
    could = noticing(finding)
    for quantity, size in (("noticed 4 in 5", could.effect), ("promised 4 in 5", estimate.detectable)):
        if size is not None:
            said.append(_quoted(finding, quantity, *_noticed(estimate, sign * size, measure)))
    if could.chance is not None:
        said.append(_quoted(finding, "chance", could.chance, chance(could.chance).removeprefix("about ")))
    said.append(_quoted(finding, "councils", float(estimate.n_reference), str(estimate.n_reference)))
    for name in ("detectable_05", "power_at_sesoi"):
        said += _said_plainly(finding, estimate, name, measure)
    return said if finding.verdict == "not_assessed" else [*said, *_said_result(finding, plan, estimate, measure)]


def has_room(estimate: Estimate, effect: float) -> bool:
    """Whether a level can be that much lower than predicted: no rate falls below 0."""
    level = estimate.predicted * (100 if estimate.unit == "per_100_pupils" else 1)
    return estimate.unit == "log_ratio" or -effect <= level


def _noticed(estimate: Estimate, effect: float, measure: Scale) -> tuple[float, str]:
    """What is noticed 4 times in 5, in the better direction where the level has room for it, and its words."""
    if has_room(estimate, effect):
        return effect, measure.effect(effect)
    return -effect, f"{measure.effect(-effect)} (no fall could be)"


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


def _said_result(finding: Finding, plan: Plan, estimate: Estimate, measure: Scale) -> list[Quoted]:
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
        _quoted(finding, "range that rules out", level / 100, f"{level:.3g}%"),
    ]
    for quantity, factor in (("exaggeration", noticing(finding).exaggeration), ("promised type M", estimate.type_m)):
        if factor is not None:  # rounded up: what is noticed is beyond half the range, and so is what is printed
            said.append(_quoted(finding, quantity, factor, f"{math.ceil(10 * factor - 1e-9) / 10:.1f} times"))
    for name in ("detectable_realised_05", "actual", "predicted", "p_value"):
        said += _said_plainly(finding, estimate, name, measure)
    for key in sorted(estimate.intervals, key=float):
        said.append(_quoted(finding, f"interval {key}", None, measure.between(*estimate.intervals[key])))
    if finding.p_adjusted is not None:
        said.append(_quoted(finding, "p_adjusted", finding.p_adjusted, f"{finding.p_adjusted:.4f}"))
    said += _said_calibrated(finding, plan)
    days = measure.in_days(estimate.value)
    return [*said, _quoted(finding, "best guess in days", None, days)] if days else said


def _said_calibrated(finding: Finding, plan: Plan) -> list[Quoted]:
    """Of 100 councils where no change is assumed: what this method notices and says, and how many 95% ranges hold.

    The worst other window is told where it is worse than the one nearest to the finding; a planted gain is not, where
    this look's own false alarms forbid every answer, since then nothing would be said of it.
    """
    row = _calibrated(finding)
    if row is None:
        return []
    of_100 = {
        "noticed": row["noticed"], "noticed meant": finding.alpha,
        "all looks meant": sum(look.alpha for look in plan.looks),
        "false better": row["said_better"], "false worse": row["said_worse"], "cannot tell": row["cannot_tell"],
        "ranges held": row["coverage"], "ranges meant": 0.95,
    }  # fmt: skip
    forbidden = any(each.name == "calibrated_size" and each.status == "fail" for each in finding.checks)
    if row["planted_noticed"] is not None and not forbidden:
        of_100 |= {"planted noticed": row["planted_noticed"], "planted better": row["planted_said_better"]}
    if row["worst_world"] is not None:
        seen, better, worse, held = (
            row[f"worst_{name}"] for name in ("noticed", "better_without_size", "worse_without_size", "coverage")
        )
        if (better or 0.0) + (worse or 0.0) > row["said_better"] + row["said_worse"]:
            of_100 |= {"worst noticed": seen, "worst better": better, "worst worse": worse}
        if held < row["coverage"]:
            of_100["worst held"] = held
    return [_quoted(finding, f"{name} of 100", share, f"{100 * share:.0f}") for name, share in of_100.items()]


def _calibrated(finding: Finding) -> dict[str, Any] | None:
    """The one row of what was measured for the plan, where it was."""
    found = next((c.table for c in finding.checks if c.name == "calibrated_size" and c.table is not None), None)
    return None if found is None else found.to_pylist()[0]


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
