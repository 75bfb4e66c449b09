"""`plot`: cleared estimates, findings and tables as pictures. Matplotlib is imported in this package only."""

from __future__ import annotations

import textwrap
from typing import Any

import matplotlib as mpl
import pyarrow as pa

from belonging_research.disclosure import Cleared, vouch
from belonging_research.errors import DisclosureError
from belonging_research.estimators.result import Estimate
from belonging_research.findings import Finding
from belonging_research.plan import Plan
from belonging_research.present import words_council
from belonging_research.present.display import Picture
from belonging_research.present.figures import interval, multiples, outcomes, twin
from belonging_research.present.figures.canvas import STYLE, Drawing, seal_picture
from belonging_research.present.numbers import scale, year
from belonging_research.present.story import as_findings, scale_of, short_name, subject, tell

KINDS = ("twin", "interval", "multiples", "outcomes")


def plot(cleared: Cleared[Any], kind: str, *, outcome: str | None = None, title: str | None = None) -> Picture:
    """A sealed picture of what was cleared.

    ``twin``: a Finding or an Estimate, the place beside its comparison mix. ``interval``: a Finding, its
    range against what matters and what could be noticed. ``multiples``: a table of columns group, period,
    value (rates) and perhaps outcome; ``outcome`` names the one to draw. ``outcomes``: several Findings. The
    title says the finding unless ``title`` is given.

    Raises
    ------
    DisclosureError
        If the kind is unknown, the value does not suit it, or the value was changed after it was cleared.
    """
    makers = {"twin": _twin, "interval": _interval, "outcomes": _outcomes}
    if kind not in KINDS:
        raise DisclosureError(f"no picture of kind {kind!r}; there is {', '.join(KINDS)}.")
    vouch(cleared)
    with mpl.rc_context(STYLE):
        drawing = _multiples(cleared, outcome, title) if kind == "multiples" else makers[kind](cleared, title)
    return seal_picture(cleared, drawing)


def _twin(cleared: Cleared[Any], title: str | None) -> Drawing:
    door, value = cleared.door, cleared.value
    plan = door.plan
    estimate = value if isinstance(value, Estimate) else getattr(value, "estimate", None)
    if not isinstance(value, Estimate | Finding) or estimate is None or not estimate.path:
        raise DisclosureError("a twin needs a Finding or an Estimate that has figures and a path.")
    label = value.label if isinstance(value, Finding) else _label(plan, estimate.outcome)
    measure = scale(estimate.outcome, label, estimate.unit, door.policy.rate_decimals)
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
    )


def _interval(cleared: Cleared[Any], title: str | None) -> Drawing:
    (finding,) = as_findings(cleared) if isinstance(cleared.value, Finding) else (None,)
    story = None if finding is None else tell(finding, cleared.door)
    if story is None or story.assessed is None:
        raise DisclosureError("an interval needs a Finding that is assessed.")
    return interval.draw(story, story.assessed, title=title or words_council.headline(story), stamp=cleared.door.stamp)


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


def _multiples(cleared: Cleared[Any], outcome: str | None, title: str | None) -> Drawing:
    table, plan = cleared.value, cleared.door.plan
    name = _outcome_name(table, outcome)
    planned = plan.outcome(name)
    measure = scale_of(planned, cleared.door.policy.rate_decimals)
    series: dict[str, dict[str, float]] = {}
    for row in table.to_pylist():
        if row.get("outcome", name) == name and row["value"] is not None:
            series.setdefault(row["group"], {})[row["period"]] = row["value"]
    if not series:
        raise DisclosureError(f"the table has no value of {name}; nothing can be drawn.")
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
        return f"{short} in {plan.place} and in similar places"
    return (
        f"{short} in {plan.place}: {level(here[before[-1]])} in {year(before[-1])}, {level(here[last])} in {year(last)}"
    )


def _label(plan: Plan, name: str) -> str:
    return plan.outcome(name).label


def _since(plan: Plan) -> str:
    return f"{plan.treated[0].start:%B %Y}"
