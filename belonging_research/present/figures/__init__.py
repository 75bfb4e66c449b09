"""`plot`: cleared estimates, findings and tables as pictures. Matplotlib is imported in this package only."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import matplotlib as mpl
import pyarrow as pa

from belonging_research.disclosure import Cleared, vouch
from belonging_research.errors import DisclosureError
from belonging_research.estimators.result import Estimate
from belonging_research.findings import Finding, SchoolAssessment
from belonging_research.plan import POLICIES, OutcomePlan, Plan
from belonging_research.present import words_checks, words_council, words_schools
from belonging_research.present.checking import checked, is_without_checks
from belonging_research.present.display import Picture
from belonging_research.present.figures import (
    beside,
    checks,
    coverage,
    detectable,
    event_study,
    interval,
    multiples,
    outcomes,
    specifications,
    standing,
    twin,
)
from belonging_research.present.figures.canvas import STYLE, Drawing, nothing_to_draw, seal_picture
from belonging_research.present.numbers import Scale, year
from belonging_research.present.story import as_findings, scale_of, short_name, subject, tell
from belonging_research.present.trends import MIX

KINDS = (
    "twin", "interval", "multiples", "outcomes", "checks", "failed", "specifications", "detectable", "standing",
    "event_study", "coverage", "beside",
)  # fmt: skip


def plot(
    cleared: Cleared[Any],
    kind: str,
    *,
    outcome: str | None = None,
    title: str | None = None,
    mix: Cleared[Finding] | None = None,
) -> Picture:
    """A sealed picture of what was cleared.

    ``twin``: a Finding or an Estimate, the place beside its comparison mix. ``interval``: a Finding, its
    range against what matters and what could be noticed. ``multiples``: a table of columns group, period,
    value (rates) and perhaps outcome; ``outcome`` names the one to draw, ``mix`` a Finding whose comparison mix is
    set beside them. ``outcomes``: several Findings.
    ``checks``: a Finding, all its checks on one picture; ``failed``: those that failed and have a number beside a
    limit. ``specifications``: a specification curve of ``outcome``. ``detectable``: a table of what could be noticed.
    ``standing``: a table of every council's distance from what is expected, the treated one marked.
    ``event_study``: a study's schools, by half-terms since their pyramid started. ``coverage``: a table of
    coverage_by_week, how much of the registers arrived. ``beside``: a table of a made-up county beside
    published figures.
    The title says the finding unless ``title`` is given. A twin or multiples of an outcome without figures say that.

    Raises
    ------
    DisclosureError
        If the kind is unknown, the value does not suit it, or the value was changed after it was cleared.
    """
    makers = {
        "twin": _twin, "interval": _interval, "outcomes": _outcomes, "checks": _checks, "failed": _failed,
        "detectable": _detectable, "standing": _standing, "event_study": _event_study,
        "coverage": _coverage, "beside": _beside,
    }  # fmt: skip
    if kind not in KINDS:
        raise DisclosureError(f"no picture of kind {kind!r}; there is {', '.join(KINDS)}.")
    also = () if mix is None else (mix,)
    for each in (cleared, *also):
        vouch(each)
    with mpl.rc_context(STYLE):
        if kind == "multiples":
            drawing = _multiples(cleared, outcome, title, None if mix is None else mix.value)
        elif kind == "specifications":
            drawing = _specifications(cleared, outcome, title)
        else:
            drawing = makers[kind](cleared, title)
    return seal_picture(cleared, drawing, also)


def _twin(cleared: Cleared[Any], title: str | None) -> Drawing:
    door, value = cleared.door, cleared.value
    plan = door.plan
    estimate = value if isinstance(value, Estimate) else getattr(value, "estimate", None)
    if not isinstance(value, Estimate | Finding):
        raise DisclosureError("a twin needs a Finding or an Estimate.")
    if estimate is None or not estimate.path:
        return nothing_to_draw(subject(_label(plan, value.outcome)), door.stamp)
    label = value.label if isinstance(value, Finding) else _label(plan, estimate.outcome)
    measure = scale_of(plan.outcome(estimate.outcome), door.policy.rate_decimals)
    compare = not (isinstance(value, Finding) and value.verdict == "not_assessed")
    if title is None and isinstance(value, Finding):
        title = words_council.headline(tell(value, door))
    return twin.draw(
        estimate.path,
        title=title or f"{subject(label)} in {plan.place} and its comparison mix",
        place=plan.place,
        subject=short_name(label),
        measure=measure,
        since=_since(plan),
        stamp=door.stamp,
        compare=compare,
        errors=_errors(estimate) if compare and plan.policy == "as_published" else (),
    )


def _errors(estimate: Estimate) -> list[float]:
    """What the method finds in each council where no change is assumed, at this place's size (rates)."""
    effects = [estimate.std_error * each for each in estimate.placebos]
    if estimate.unit == "log_ratio":
        return [estimate.predicted * math.expm1(each) for each in effects]
    return [each / 100 for each in effects] if estimate.unit == "per_100_pupils" else effects


def _interval(cleared: Cleared[Any], title: str | None) -> Drawing:
    (finding,) = as_findings(cleared) if isinstance(cleared.value, Finding) else (None,)
    story = None if finding is None else tell(finding, cleared.door)
    if story is None or story.assessed is None:
        raise DisclosureError("an interval needs a Finding that is assessed.")
    return interval.draw(story, story.assessed, title=title or words_council.headline(story), stamp=cleared.door.stamp)


def _measure(finding: Finding, cleared: Cleared[Any]) -> Scale:
    return scale_of(finding, cleared.door.plan.policy_of(finding.layer).rate_decimals)


def _checks(cleared: Cleared[Any], title: str | None) -> Drawing:
    if is_without_checks(cleared):
        return nothing_to_draw("School by school", cleared.door.stamp)
    finding = checked(cleared)
    shown = f"{short_name(finding.label)}: {words_checks.tally(finding.checks)}"
    measure = _measure(finding, cleared)
    return checks.draw(words_checks.in_order(finding), measure, title=title or shown, stamp=cleared.door.stamp)


def _failed(cleared: Cleared[Any], title: str | None) -> Drawing:
    finding = checked(cleared)
    events = sum(words_checks.standing(check) == "known" for check in finding.checks)
    failed = [check for check in words_checks.in_order(finding) if check.status == "fail"]
    if not any(words_checks.share_of_limit(check) is not None for check in failed):
        raise DisclosureError(
            "no failed check of this finding has a number beside a limit; failed_checks(cleared) then says so in words."
        )
    shown = f"{short_name(finding.label)}: {len(failed) - events} of {len(finding.checks) - events} checks failed"
    return checks.draw_failed(failed, _measure(finding, cleared), title=title or shown, stamp=cleared.door.stamp)


def _specifications(cleared: Cleared[Any], outcome: str | None, title: str | None) -> Drawing:
    table, plan = cleared.value, cleared.door.plan
    needed = {"method", "source", "base", "donors", "penalty", "value", "low", "high", "registered"}
    if not isinstance(table, pa.Table) or not needed <= set(table.column_names) or not table.num_rows:
        raise DisclosureError("ways of comparing need a table of specification_curve with at least one row.")
    if outcome is None:
        raise DisclosureError("say which outcome it is: plot(cleared, 'specifications', outcome=...).")
    rows, planned = sorted(table.to_pylist(), key=lambda row: row["value"]), plan.outcome(outcome)
    return specifications.draw(
        rows,
        title=title or f"{_which_side(rows, plan.place)}{_gain_possible(rows, planned)}",
        subject=short_name(planned.label),
        measure=scale_of(planned, cleared.door.policy.rate_decimals),
        sesoi=planned.sesoi,
        better=planned.better,
        stamp=cleared.door.stamp,
    )


def _which_side(rows: list[dict[str, Any]], place: str) -> str:
    above, below = sum(row["value"] > 0 for row in rows), sum(row["value"] < 0 for row in rows)
    most, side = max((above, "above"), (below, "below"))
    if most == 0:
        return f"Each of {len(rows)} ways of comparing puts {place} exactly where it is expected"
    every = "all" if most == len(rows) else str(most)
    return f"Of {len(rows)} ways of comparing, {every} put {place} {side} what is expected"


def _gain_possible(rows: list[dict[str, Any]], planned: OutcomePlan) -> str:
    """How many of the ways leave a gain that matters possible: one way alone may rule it out."""
    reach = (row["high"] if planned.better == "higher" else -row["low"] for row in rows)
    possible = sum(each >= planned.sesoi for each in reach)
    which = {0: "no 95% range leaves", len(rows): "every 95% range leaves"}
    return f"; {which.get(possible, f'the 95% ranges of {possible} leave')} a gain that matters possible"


def _detectable(cleared: Cleared[Any], title: str | None) -> Drawing:
    table, door = cleared.value, cleared.door
    needed = {"outcome", "phase", "role", "report_year", "alpha", "tested", "sesoi", "detectable", "power_at_sesoi"}
    if not isinstance(table, pa.Table) or not needed <= set(table.column_names) or not table.num_rows:
        raise DisclosureError("what could be noticed needs a table of detectable_effects with at least one row.")
    lines: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        lines.setdefault((row["outcome"], row["phase"]), []).append(row)
    names = {outcome for outcome, _ in lines}
    return detectable.draw(
        list(lines.values()),
        {name: scale_of(door.plan.outcome(name), door.policy.rate_decimals) for name in sorted(names)},
        title=title or _who_can_notice(table.to_pylist()),
        stamp=door.stamp,
    )


def _who_can_notice(rows: list[dict[str, Any]]) -> str:
    """For how many of the tested outcomes an effect that just matters would be noticed, and which comes nearest."""
    best: dict[str, float] = {}
    for row in rows:
        if row["tested"] and row["detectable"] is not None:
            best[row["label"]] = min(best.get(row["label"], float("inf")), row["detectable"] / row["sesoi"])
    if not best:
        return "What could be noticed is not known for any tested outcome"
    enough = sum(times <= 1 for times in best.values())
    nearest = min(best, key=lambda label: best[label])
    if enough:
        some = f"{enough} of the {len(best)}"
        return f"For {some} tested outcomes, an effect that just matters would be noticed 4 times in 5"
    name = short_name(nearest)
    return (
        f"For none of the {len(best)} tested outcomes would an effect that just matters be noticed 4 times in 5; "
        f"nearest is {name[:1].lower()}{name[1:]}, at {best[nearest]:.1f} times that"
    )


def _standing(cleared: Cleared[Any], title: str | None) -> Drawing:
    table, plan = cleared.value, cleared.door.plan
    if not isinstance(table, pa.Table) or not {"value", "treated"} <= set(table.column_names) or not table.num_rows:
        raise DisclosureError("where every council stands needs a table of columns value and treated.")
    rows = table.to_pylist()
    primary = next(each for each in plan.outcomes if each.role == "primary")
    shown = f"{subject(primary.label)}: where {len(rows)} councils stand beside what their comparison predicts"
    return standing.draw(rows, title=title or shown, place=plan.place, sesoi=primary.sesoi, stamp=cleared.door.stamp)


def _event_study(cleared: Cleared[Any], title: str | None) -> Drawing:
    assessment, door = cleared.value, cleared.door
    if not isinstance(assessment, SchoolAssessment):
        raise DisclosureError("an event study needs a study's schools: plot(clear(assess_schools(...), door), ...).")
    paths = assessment.paths.to_pylist()
    finding = next((each for each in assessment.findings if any(p["finding"] == each.id for p in paths)), None)
    rows = [row for row in paths if finding is not None and row["finding"] == finding.id]
    if finding is None or all(row["started_schools"] is None for row in rows):
        return nothing_to_draw("Schools by half-terms since their pyramid started", door.stamp)
    story = tell(finding, door)
    return event_study.draw(
        rows,
        title=title or words_schools.headline([story]),
        subject=story.subject,
        measure=_measure(finding, cleared),
        stamp=door.stamp,
    )


def _coverage(cleared: Cleared[Any], title: str | None) -> Drawing:
    table = cleared.value
    if not isinstance(table, pa.Table) or not {"kind", "period", "week", "share_with_marks"} <= set(table.column_names):
        raise DisclosureError("what arrived week by week needs a table of coverage_by_week.")
    rows = [row for row in table.to_pylist() if row["week"] is not None]
    if not rows:
        return nothing_to_draw("Half-days with a mark by week", cleared.door.stamp)
    return coverage.draw(rows, title=title, stamp=cleared.door.stamp)


def _beside(cleared: Cleared[Any], title: str | None) -> Drawing:
    table = cleared.value
    if not isinstance(table, pa.Table) or not {"part", "line", "made_up", "published"} <= set(table.column_names):
        raise DisclosureError("beside needs a table of made_up_beside_published.")
    return beside.draw(
        table.to_pylist(), title=title, decimals=POLICIES[cleared.policy].rate_decimals, stamp=cleared.door.stamp
    )


def _outcomes(cleared: Cleared[Any], title: str | None) -> Drawing:
    door = cleared.door
    stories = [tell(finding, door) for finding in as_findings(cleared)]
    names = ["\n".join(textwrap.wrap(_row_name(story.name, story.finding.phase), 30)) for story in stories]
    shown = f"{door.plan.place} since {stories[0].since}: {_tally([s.finding for s in stories])}"
    return outcomes.draw(stories, names, title=title or shown, stamp=door.stamp)


def _row_name(name: str, phase: str) -> str:
    return name if phase == "all" else f"{name}, {phase} schools"


def _tally(findings: list[Finding]) -> str:
    words = {
        "better_than_expected": "better than expected",
        "worse_than_expected": "worse than expected",
        "as_expected": "about as expected",
        "cannot_tell": "where we can’t tell or describe only",
        "not_assessed": "not assessed yet",
    }
    counts = {word: sum(each.verdict == code for each in findings) for code, word in words.items()}
    parts = [f"{n} {word}" for word, n in counts.items() if n]
    return f"of {len(findings)} outcomes, {', '.join(parts)}"


def _multiples(cleared: Cleared[Any], outcome: str | None, title: str | None, mix: Finding | None) -> Drawing:
    table, plan = cleared.value, cleared.door.plan
    name = _outcome_name(table, outcome)
    planned = plan.outcome(name)
    measure = scale_of(planned, cleared.door.policy.rate_decimals)
    series: dict[str, dict[str, float]] = {}
    for row in table.to_pylist():
        if row.get("outcome", name) == name and row["value"] is not None:
            series.setdefault(row["group"], {})[row["period"]] = row["value"]
    if not series:
        return nothing_to_draw(subject(planned.label), cleared.door.stamp)
    if mix is not None:
        series = _with_mix(series, mix, name)
    short = subject(planned.label)
    return multiples.draw(
        series,
        title=title or _what_happened(series, plan, short, measure.level),
        subject=short_name(planned.label),
        measure=measure,
        start=plan.post[0],
        since=_since(plan),
        stamp=cleared.door.stamp,
    )


def _with_mix(series: dict[str, dict[str, float]], finding: Finding, name: str) -> dict[str, dict[str, float]]:
    """The groups with the finding's comparison mix after the place; before its look nothing is compared."""
    estimate = finding.estimate
    if finding.outcome != name:
        raise DisclosureError(f"the comparison mix is that of {finding.outcome}, the picture is of {name}.")
    if estimate is None or finding.verdict == "not_assessed" or not estimate.path:
        return series
    first, *rest = series
    own = {MIX: {point.period: point.predicted for point in estimate.path}}
    return {first: series[first], **own, **{group: series[group] for group in rest}}


def _outcome_name(table: Any, outcome: str | None) -> str:
    needed = {"group", "period", "value"}
    if not isinstance(table, pa.Table) or not needed <= set(table.column_names):
        raise DisclosureError("multiples need a table with columns group, period and value (and outcome).")
    if outcome is not None:
        return outcome
    names = set(table.column("outcome").to_pylist()) if "outcome" in table.column_names else set()
    if len(names) != 1:
        raise DisclosureError("say which outcome to draw: plot(cleared, 'multiples', outcome=...).")
    return str(names.pop())


def _what_happened(series: dict[str, dict[str, float]], plan: Plan, short: str, level: Any) -> str:
    """Levels before and after, here: the finding of a picture that describes."""
    here = series.get(plan.place, next(iter(series.values())))
    before = [period for period in sorted(here) if period < plan.post[0]]
    last = max(here)
    if not before or last < plan.post[0]:
        return f"{short} in {plan.place} and in similar councils"
    return (
        f"{short} in {plan.place}: {level(here[before[-1]])} in {year(before[-1])}, {level(here[last])} in {year(last)}"
    )


def _label(plan: Plan, name: str) -> str:
    return plan.outcome(name).label


def _since(plan: Plan) -> str:
    return f"{plan.treated[0].start:%B %Y}"
