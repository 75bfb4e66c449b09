"""A study of schools to its findings: the registered row of each outcome with its checks, apart from the county's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from belonging_research.checks import CheckResult
from belonging_research.checks.calibrated import measured_of_schools
from belonging_research.checks.schools import run_school_checks
from belonging_research.errors import EstimateError, PanelError
from belonging_research.estimators.result import Estimate
from belonging_research.estimators.staggered import (
    RatioPlacebos,
    SchoolDesign,
    estimate_schools,
    promised_ratios,
    ratio_effect,
    realised_ratios,
)
from belonging_research.findings.few_events import FEW, exact_estimate
from belonging_research.findings.judging import judge_all
from belonging_research.findings.school_paths import paths_of
from belonging_research.findings.school_shapes import NO_SCHOOLS, SchoolAssessment
from belonging_research.findings.shapes import Candidate
from belonging_research.panel.schools import ABSENCE, SchoolPanel, SchoolPanels, SchoolStudy
from belonging_research.plan import Plan
from belonging_research.sources.once import once_a_run

PLACEBOS = 50  # of the detectable effect


def assess_schools(study: SchoolStudy | None, plan: Plan, *, domain: str | None = None) -> SchoolAssessment:
    """Judge the school outcomes of a domain (all without one), once, at the last year of the plan's school layer.

    Families are judged over the whole layer, so a domain's verdicts are those of the whole study; the checks of other
    domains decide none of them, and are not made. Before the layer's last year is in the extract an outcome is not
    assessed.
    """
    if study is None:
        return SchoolAssessment(
            findings=(),
            left_out=(NO_SCHOOLS,),
            starts=_starts(None),
            interventions=_interventions(None),
            every_school_starts=False,
            at_equal_history=False,
            measured="",
            paths=paths_of(()),
        )
    own, candidates, missing = study.plan, [], []
    year = study.periods[-1]
    for outcome in own.outcomes:
        asked = domain is None or outcome.domain == domain
        if not asked and outcome.role != "primary":
            continue
        try:
            made = _estimate(study, plan, outcome.name, PLACEBOS if asked else 0)
        except (PanelError, EstimateError) as fault:
            if outcome.role == "primary":
                raise
            missing.append(f"{outcome.label}: {fault}")
            continue
        tested = outcome.role != "exploratory" and own.look(year) is not None
        checks = _checks(study, plan, made) if tested and asked else ()
        candidates.append(Candidate.of(made, checks, is_registered_row=made.registered, imbalance=made.imbalance))
    findings = judge_all(candidates, own, report_year=year, domain=domain)
    panel = study.panel(ABSENCE)
    return SchoolAssessment(
        findings=findings,
        left_out=tuple(missing),
        starts=_starts(panel),
        interventions=_interventions(study),
        every_school_starts=panel.every_school_starts,
        at_equal_history=study.layer.history,
        measured=measured_of_schools(plan),
        paths=paths_of(findings),
    )


def _estimate(study: SchoolStudy, plan: Plan, outcome: str, placebos: int) -> Estimate:
    of = (*_depends_on(study, plan), outcome, str(placebos))
    return once_a_run("school estimate", of, lambda: estimate_of(study, outcome, placebos=placebos))


def _checks(study: SchoolStudy, plan: Plan, made: Estimate) -> tuple[CheckResult, ...]:
    of = (*_depends_on(study, plan), made.outcome)
    return once_a_run("school checks", of, lambda: run_school_checks(made, study))


def _depends_on(study: SchoolStudy, plan: Plan) -> tuple[str, ...]:
    return (study.extract.digest, plan.digest, *study.periods)


def estimate_of(study: SchoolPanels, outcome: str, *, placebos: int = PLACEBOS) -> Estimate:
    """The registered estimate of an outcome of the school layer, in the plan's years.

    Overall absence: the group-time effect of :func:`estimate_schools`. Events: the ratio of :func:`ratio_effect`, as
    a log ratio; those of few events: the exact one of :func:`exact_estimate`, which is no registered row.
    ``placebos`` find the detectable effect, which no verdict depends on; 0 leaves it unknown. Raises
    :class:`EstimateError` and :class:`PanelError` as these do.
    """
    plan, panel = study.plan, study.panel(outcome)
    rng, planned = plan.rng("schools", outcome), plan.outcome(outcome)
    base = tuple(year for year in study.periods if year not in plan.post)
    post = tuple(year for year in study.periods if year in plan.post)
    if outcome == ABSENCE:
        design = SchoolDesign(
            alpha=plan.alpha(post[-1]), sesoi=planned.sesoi, comparison=study.layer.comparison,
            anticipation=study.layer.anticipation, history=study.layer.history, draws=study.layer.draws,
            unit=planned.unit, plan_digest=plan.digest, registered=True, placebos=placebos,
        )  # fmt: skip
        made = estimate_schools(panel, design, rng=rng)
        schools = dict(zip(panel.schools, panel.adoption, strict=True))
        starts = [start for start in schools.values() if start is not None]
        # Where every school starts, the last to do so are what the others are set beside.
        last = max(starts) if len(starts) == len(schools) else len(panel.periods)
        return replace(
            made, outcome=outcome, base=base, post=post, imbalance=_imbalance(panel), n_units=len(schools),
            n_treated=sum(start < last for start in starts),
        )  # fmt: skip
    if outcome in FEW:
        return replace(exact_estimate(study, panel, outcome), base=base, post=post)
    made = _ratio(study, panel, outcome, rng)
    if placebos:
        made = _with_detectable_ratio(made, study, panel, placebos)
    return replace(made, base=base, post=post, imbalance=_imbalance(panel))


def _ratio(study: SchoolPanels, panel: SchoolPanel, outcome: str, rng: np.random.Generator) -> Estimate:
    plan = study.plan
    alpha = plan.alpha(plan.post[-1])
    one = ratio_effect(
        panel, rng=np.random.default_rng(int(rng.integers(2**31))), anticipation=study.layer.anticipation,
        beside=(0.9, round(1 - alpha, 6), round(1 - 2 * alpha, 6)), draws=study.layer.draws,
    )  # fmt: skip
    actual = _since(panel)
    return Estimate(
        outcome=outcome, unit="log_ratio", estimand=_RATIO_OF, method="group_time_effects", layer="school",
        phase="all", subgroup=None, source="register", base=(), post=(), plan_digest=plan.digest,
        panel_digest=panel.digest, value=one.log_ratio, actual=actual, predicted=float(actual / np.exp(one.log_ratio)),
        std_error=one.std_error, p_value=one.p_value,
        intervals={f"{level:g}": each for level, each in one.intervals.items()},
        inference="randomisation", n_reference=one.n_reference, n_treated=one.n_treated, n_units=one.n_units,
        n_clusters=len(set(panel.clusters)), n_pupils=round(float(panel.sizes.sum())), detectable=None,
        detectable_05=None, detectable_realised_05=None, power_at_sesoi=None, type_m=None,
        detectable_how="not asked for", weights={}, path=(), registered=True,
        notes=(f"{one.n_without_events} of {one.n_units} schools never had one: they bear on no ratio",),
    )  # fmt: skip


def _with_detectable_ratio(made: Estimate, study: SchoolPanels, panel: SchoolPanel, placebos: int) -> Estimate:
    """A ratio with what would have been noticed: promised by false starts, and in the half-terms since."""
    plan, anticipation = study.plan, study.layer.anticipation
    alpha, sesoi = plan.alpha(plan.post[-1]), plan.outcome(made.outcome).sesoi
    rng = plan.rng("detectable", made.outcome)
    before, how = promised_ratios(panel, alpha=alpha, rng=rng, count=placebos, anticipation=anticipation)
    nominal, _ = (
        (before, how) if alpha == _NOMINAL
        else promised_ratios(panel, alpha=_NOMINAL, rng=rng, count=placebos, anticipation=anticipation)
    )  # fmt: skip
    since = realised_ratios(panel, made.value, alpha=_NOMINAL, rng=rng, count=placebos, anticipation=anticipation)
    return replace(
        made, detectable=_smallest(before), detectable_05=_smallest(nominal), detectable_realised_05=_smallest(since),
        power_at_sesoi=None if before is None else before.power(sesoi),
        type_m=None if before is None else before.type_m(sesoi), detectable_how=how,
    )  # fmt: skip


def _smallest(found: RatioPlacebos | None) -> float | None:
    """The ratio that is noticed 4 times in 5; None where none is."""
    try:
        return None if found is None else found.detectable()
    except EstimateError:
        return None


_NOMINAL = 0.05
_RATIO_OF = (
    "log of how many times as many there were in schools that had started as there would have been, by school and "
    "half-term effects on enrolled time"
)


def _since(panel: SchoolPanel) -> float:
    """Events over exposure in schools that had started, since they started."""
    half = np.arange(len(panel.periods))
    started = half >= np.array([len(half) if each is None else each for each in panel.adoption])[:, None]
    return float(panel.numerator[started].sum() / panel.denominator[started].sum())


def _imbalance(panel: SchoolPanel) -> float | None:
    """Starters less others before the first start, in SDs of the units' own means; None where not defined."""
    values = panel.values[:, : max(panel.first_start, 1)]
    known = np.isfinite(values).any(axis=1)
    starts = np.array([each is not None for each in panel.adoption])[known]
    mean, sizes = np.nanmean(values[known], axis=1), panel.sizes[known]
    # Year groups differ by age on both sides alike: each is measured from its own mean.
    blocks = np.array(panel.blocks)[known]
    for block in np.unique(blocks):
        mean[blocks == block] -= mean[blocks == block].mean()
    spread = float(mean.std(ddof=1))
    if not spread > 0 or starts.all() or not starts.any():
        return None
    apart = np.average(mean[starts], weights=sizes[starts]) - np.average(mean[~starts], weights=sizes[~starts])
    return float(apart / spread)


def _interventions(study: SchoolStudy | None) -> pa.Table:
    """What was started by the end of the panel, and in how many schools: columns intervention, schools."""
    found: Mapping[str, list[object]] = {"intervention": [], "schools": []}
    if study is not None:
        log = study.register.interventions
        rows = log.group_by("intervention").aggregate(schools=log.urn.nunique().cast("int64")).order_by("intervention")
        found = study.engine.to_pyarrow(rows).to_pydict()
    types = (("intervention", pa.string()), ("schools", pa.int64()))
    made = pa.table({name: pa.array(found[name], kind) for name, kind in types})
    return made.replace_schema_metadata({"layer": "school"})


def _starts(panel: SchoolPanel | None) -> pa.Table:
    rows: dict[str, tuple[set[str], float]] = {}
    if panel is not None:
        for school, adoption, size in zip(panel.schools, panel.adoption, panel.sizes.tolist(), strict=True):
            label = "not by the end" if adoption is None else panel.periods[adoption]
            schools, pupils = rows.get(label, (set(), 0.0))
            rows[label] = (schools | {school}, pupils + size)
    columns: Mapping[str, pa.Array] = {
        "starts": pa.array(sorted(rows), pa.string()),
        "schools": pa.array([len(rows[name][0]) for name in sorted(rows)], pa.int64()),
        "pupils": pa.array([round(rows[name][1]) for name in sorted(rows)], pa.int64()),
    }
    return pa.table(columns).replace_schema_metadata({"layer": "school"})
