"""Which interventions were seen to matter: one exploratory finding each, and whether they differ by more than chance.

Apart from the registered findings, and made only where a page shows it: no verdict rests on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from belonging_research.estimators.result import Estimate
from belonging_research.estimators.staggered import InterventionEffect, ToldApart, effects_by_intervention
from belonging_research.findings.inputs import levels
from belonging_research.findings.judging import judge_all
from belonging_research.findings.school_shapes import NO_SCHOOLS, InterventionAssessment
from belonging_research.findings.shapes import Candidate
from belonging_research.panel.schools import ABSENCE, BegunWith, SchoolPanel, SchoolStudy, begun_with
from belonging_research.plan import Plan
from belonging_research.tables.school_year import half_terms

TOGETHER = " + "
DRAWS = 999  # of a description: steps of one in a thousand
_GROUPS = {
    "began_with": pa.string(),
    "schools": pa.int64(),
    "fewest_schools": pa.int64(),
    "why": pa.string(),
}
_TOLD_APART = {
    "interventions": pa.int64(),
    "p_value": pa.float64(),
    "ways": pa.int64(),
    "within_starts": pa.bool_(),
}


def by_intervention(study: SchoolStudy | None, plan: Plan) -> InterventionAssessment:
    """Describe overall absence where pyramids began with each intervention, once, at the layer's last year.

    Before that year is in the extract there is nothing: a description before the look would be a look. ``plan`` is the
    study's. Raises :class:`PanelError` and :class:`EstimateError` where the registered estimate cannot be made either.
    """
    if study is None:
        return _nothing(NO_SCHOOLS)
    own, year = study.plan, study.periods[-1]
    if own.look(year) is None:
        due = own.due(ABSENCE, year)
        when = f"is to be told in {due.due}" if due else "is not in the plan"
        return _nothing(f"What followed where schools began with one thing or another {when}.")
    panel = study.panel(ABSENCE)
    begun = _begun(study)
    effects, apart = effects_by_intervention(
        panel, begun.names, rng_of=lambda *names: own.rng("schools", ABSENCE, "began with", *names),
        levels=sorted({0.95, *(float(level) for level in levels(own.alpha(year)))}),
        comparison=study.layer.comparison, anticipation=study.layer.anticipation, history=study.layer.history,
        draws=min(study.layer.draws, DRAWS),
    )  # fmt: skip
    rows = [_estimate(each, panel, study) for each in effects if each.value is not None]
    candidates = [Candidate.of(row, (), is_registered_row=False) for row in rows]
    return InterventionAssessment(
        findings=judge_all(candidates, own, report_year=year) if candidates else (),
        left_out=(),
        groups=_table([_group(each, begun) for each in effects], _GROUPS),
        told_apart=_table([] if apart is None else [_apart(apart)], _TOLD_APART),
        every_school_starts=panel.every_school_starts,
    )


def together(names: Sequence[str]) -> str:
    """Interventions that began together, as one: ``"A + B + C"``. No name has a plus of its own (`begun_with`)."""
    return TOGETHER.join(names)


def _nothing(why: str) -> InterventionAssessment:
    return InterventionAssessment(
        findings=(), left_out=(why,), groups=_table([], _GROUPS), told_apart=_table([], _TOLD_APART),
        every_school_starts=False,
    )  # fmt: skip


def _begun(study: SchoolStudy) -> BegunWith:
    schools, log = (study.engine.to_pyarrow(each) for each in (study.register.schools, study.register.interventions))
    return begun_with(schools, log, [half for period in sorted(study.periods) for half in half_terms(period)])


def _estimate(found: InterventionEffect, panel: SchoolPanel, study: SchoolStudy) -> Estimate:
    name, value = together(found.names), found.value or 0.0
    base = tuple(year for year in study.periods if year not in study.plan.post)
    return Estimate(
        outcome=ABSENCE, unit=study.plan.outcome(ABSENCE).unit, estimand=_OF.format(name), method="group_time_effects",
        layer="school", phase="all", subgroup=name, source="register", base=base,
        post=tuple(year for year in study.periods if year in study.plan.post), plan_digest=study.plan.digest,
        panel_digest=panel.digest, value=value, actual=found.actual, predicted=found.actual - value,
        std_error=found.std_error, p_value=found.p_value, intervals=dict(found.intervals or {}),
        inference="randomisation", n_reference=found.n_reference, n_treated=found.n_treated, n_units=found.n_units,
        n_clusters=found.n_clusters, n_pupils=found.n_pupils, detectable=None, detectable_05=None,
        detectable_realised_05=None, power_at_sesoi=None, type_m=None,
        detectable_how="not worked out for one intervention", weights={}, path=(), registered=False,
    )  # fmt: skip


_OF = (
    "mean effect on schools whose pyramid began with {}, in the half-terms since, against schools whose pyramid had "
    "not started anything by then"
)


def _group(found: InterventionEffect, begun: BegunWith) -> dict[str, Any]:
    return {
        "began_with": together(found.names),
        "schools": found.n_treated,
        "fewest_schools": min(begun.schools[found.names].values()),
        "why": found.why,
    }


def _apart(found: ToldApart) -> dict[str, Any]:
    return {
        "interventions": found.n_groups,
        "p_value": found.p_value,
        "ways": found.n_reference,
        "within_starts": found.within_starts,
    }


def _table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, pa.DataType]) -> pa.Table:
    schema = pa.schema(list(columns.items())).with_metadata({"layer": "school"})
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
