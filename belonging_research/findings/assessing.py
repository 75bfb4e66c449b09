"""A panel to every finding of a report year: the registered rows with their checks, and what stands beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import pyarrow as pa

from belonging_research.checks import run_checks
from belonging_research.errors import EstimateError, PanelError
from belonging_research.estimators import Estimate, estimate
from belonging_research.findings.judging import judge_all
from belonging_research.findings.shapes import Candidate, Finding
from belonging_research.panel import Panel, deciding_source
from belonging_research.plan import Method, Plan
from belonging_research.sources.once import once_a_run
from belonging_research.tables import Phase, Source

PHASES: tuple[Phase, ...] = ("primary", "secondary")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """Findings in the plan's order, and a line for each row that could not be estimated, with the reason."""

    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]

    def registered(self, outcome: str) -> Finding:
        """The finding of an outcome's registered row: the first of that outcome."""
        return next(each for each in self.findings if each.outcome == outcome)

    def by_phase(self, outcome: str) -> tuple[Finding, ...]:
        """An outcome's findings by kind of school, on the same years and figures as its registered row."""
        main = self.registered(outcome)
        same = (main.source, main.base, main.post, main.method)
        return tuple(
            each
            for each in self.findings
            if each.outcome == outcome
            and each.phase != "all"
            and (each.source, each.base, each.post, each.method) == same
        )

    @property
    def not_estimated(self) -> pa.Table:
        """``left_out`` as a table of one column, reason."""
        return pa.table({"reason": pa.array(list(self.left_out), pa.string())})

    @property
    def main(self) -> tuple[Finding, ...]:
        """One finding an outcome, the registered row of each."""
        names = dict.fromkeys(each.outcome for each in self.findings)
        return tuple(self.registered(name) for name in names)


def assess(panel: Panel, plan: Plan, *, domain: str | None = None, beside: bool = True) -> Assessment:
    """Judge the outcomes of a domain (all without one) at the panel's report year.

    For each outcome the registered row first: the plan's method, pooled phases, all post years out, checks run where
    the look tests it. Then, as exploratory rows: the other methods, the other source, single years, and phases.
    Families are judged over the whole plan, so a domain's verdicts are the same as in the whole study: of the others
    only the primaries are estimated, and not checked. Without ``beside`` the registered rows alone are made: no verdict
    depends on the others.
    """
    candidates: list[Candidate] = []
    left_out: list[str] = []
    for outcome in plan.outcomes:
        wanted = domain is None or outcome.domain == domain
        if wanted or outcome.role == "primary":
            try:
                candidates.append(_registered(panel, plan, outcome.name, checked=wanted))
            except (PanelError, EstimateError) as fault:
                if outcome.role == "primary":
                    raise
                left_out.append(f"{outcome.label}, as registered: {fault}")
                candidates.append(_not_out(panel, plan, outcome.name))
        if wanted and beside:
            main = candidates[-1]
            of = (*_depends_on(panel, plan), outcome.name)
            rows, missing = once_a_run("rows beside", of, partial(_beside, panel, plan, main))
            candidates += rows
            left_out += missing
    findings = judge_all(candidates, plan, report_year=panel.report_year, domain=domain)
    return Assessment(findings=findings, left_out=tuple(left_out))


def _registered(panel: Panel, plan: Plan, outcome: str, *, checked: bool) -> Candidate:
    post = tuple(p for p in plan.post if p <= panel.report_year)
    source = deciding_source(panel, plan, outcome, post)
    if source is None:
        return _not_out(panel, plan, outcome)

    def made() -> Candidate:
        row = estimate(panel, plan, outcome, source=source)
        checks = run_checks(row, panel, plan) if checked and _tested(plan, outcome, panel.report_year) else ()
        return Candidate.of(row, checks, is_registered_row=True, imbalance=row.imbalance)

    return once_a_run("registered row", (*_depends_on(panel, plan), outcome, str(checked)), made)


def _depends_on(panel: Panel, plan: Plan) -> tuple[str, ...]:
    near = (f"{unit} {' '.join(others)}" for unit, others in sorted(panel.neighbours.items()))
    return (panel.digest, plan.digest, panel.report_year, str(panel.data_as_at), *near)


def _not_out(panel: Panel, plan: Plan, outcome: str) -> Candidate:
    post = tuple(p for p in plan.post if p <= panel.report_year)
    return Candidate(
        outcome=outcome, estimate=None, checks=(), phase="all", source="census", base=plan.base, post=post,
        method=plan.method, is_registered_row=True,
    )  # fmt: skip


def _tested(plan: Plan, outcome: str, report_year: str) -> bool:
    look, role = plan.look(report_year), plan.outcome(outcome).role
    if look is None or role == "exploratory":
        return False
    return outcome in look.outcomes if role == "primary" else look == plan.looks[-1]


def _beside(panel: Panel, plan: Plan, main: Candidate) -> tuple[list[Candidate], list[str]]:
    """The rows beside a registered one; nothing where it is not out in any series."""
    if main.estimate is None:
        return [], []
    other: Source = "daily" if main.source == "census" else "census"
    made: list[Candidate] = []
    missing: list[str] = []
    wanted: list[tuple[Method, Source, Phase, tuple[str, ...]]] = [
        (design.method, main.source, "all", main.post) for design in plan.designs if not design.registered
    ]
    wanted.append((plan.method, other, "all", main.post))
    if len(main.post) > 1:
        wanted += [(plan.method, source, "all", (year,)) for source in (main.source, other) for year in main.post]
    wanted += [(plan.method, main.source, phase, main.post) for phase in PHASES]
    for method, source, phase, post in wanted:
        try:
            row = estimate(panel, plan, main.outcome, method=method, source=source, phase=phase, post=post)
        except (PanelError, EstimateError) as fault:
            missing.append(f"{method.replace('_', ' ')}, {' and '.join(post)}: {fault}")
        else:
            made.append(_exploratory(row))
    return made, missing


def _exploratory(row: Estimate) -> Candidate:
    return Candidate.of(replace(row, registered=False), (), is_registered_row=False, imbalance=row.imbalance)
