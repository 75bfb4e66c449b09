"""From executed notebooks and their ledgers to ``released/``: one audit, then pages and tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from belonging_research.disclosure import LedgerEntry, audit, read_ledger, refuse
from belonging_research.plan import POLICIES, Plan
from belonging_research.reports.annex import annex_page, annex_tables
from belonging_research.reports.dictionary import dictionary_table
from belonging_research.reports.manifest import departures_of
from belonging_research.reports.pages import Link, council_page, index_page, notebook_page, shell_of
from belonging_research.reports.parameters import Notebook, Value, read_notebook
from belonging_research.reports.render import Rendered, render
from belonging_research.reports.results import (
    ReleasedTable,
    Truth,
    calibration_table,
    checks_table,
    exclusions_table,
    findings_of,
    findings_table,
    levels_table,
    notes_table,
    paths_table,
    plan_table,
    results,
    sources_table,
    table_of,
    tables_of,
    weights_table,
)
from belonging_research.reports.writing import canonical_json, write_atomically
from belonging_research.sources import Extract

LATEST = ("findings", "levels", "sources", "dictionary")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a release is made from.

    ``data_as_at`` is printed, ``parameters`` are the run's own that name no place; ``truth`` is that of a simulated
    study.
    """

    plan: Plan
    extract: Extract
    run_id: str
    report_year: str
    data_as_at: dt.date | None
    draft: bool
    only: str | None
    parameters: Mapping[str, Value]
    truth: Truth | None

    @property
    def head(self) -> dict[str, Any]:
        """The first keys of ``results.json``."""
        return {
            "run_id": self.run_id,
            "study": self.plan.study,
            "report_year": self.report_year,
            "data_as_at": self.data_as_at.isoformat() if self.data_as_at else None,
            "plan_digest": self.plan.digest,
            "simulated": self.plan.simulated,
            "draft": self.draft,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What was released: numbers of findings and tables, outputs left out by notebook, pages left out."""

    n_findings: int
    n_tables: int
    left_out: Mapping[str, int]
    pages_left_out: tuple[str, ...]


def release(job: Release, notebooks: Sequence[Notebook], restricted: Path, released: Path) -> Released:
    """Audit every ledger, then write pages, pictures, tables and ``results.json`` under ``released``.

    Raises
    ------
    DisclosureError
        If the audit finds a problem: nothing is written then.
    ReportError
        If a picture has no alternative text, a page is too large, or a file cannot be written.
    """
    ledgers = {each.name: read_ledger(restricted / f"{each.name}.ledger.jsonl") for each in notebooks}
    refuse(audit([entry for each in notebooks for entry in ledgers[each.name]], job.plan))
    rendered = [
        render(each.name, read_notebook(restricted / f"{each.name}.ipynb"), ledgers[each.name], job.parameters)
        for each in notebooks
    ]
    findings = findings_of(ledgers, job.truth)
    tables = all_tables(job, findings, ledgers, rendered)
    audience = next((each.name for each in notebooks if "audience" in each.parameters), None)
    missing = _pages_left_out(job.only, audience)
    files = _pages(job, tables, rendered, audience, missing)
    files.update({table.csv: table.text for table in tables})
    files.update(_pictures(rendered))
    files["results.json"] = canonical_json(results(job.head, job.extract, tables, findings))
    for name, text in sorted(files.items()):
        write_atomically(released / name, text)
    return Released(
        n_findings=len(findings),
        n_tables=len(tables),
        left_out={each.name: each.n_left_out for each in rendered if each.n_left_out},
        pages_left_out=missing,
    )


def _pages_left_out(only: str | None, audience: str | None) -> tuple[str, ...]:
    if only is not None:
        return (f"The council page needs every notebook and only {only} was run; run without --only.",)
    if audience is None:
        return ("The council page: no notebook has an audience parameter.",)
    return ()


def all_tables(
    job: Release,
    findings: Sequence[Mapping[str, Any]],
    ledgers: Mapping[str, Sequence[LedgerEntry]],
    rendered: Sequence[Rendered],
) -> tuple[ReleasedTable, ...]:
    """Every table of a run: of the ledgers, with fixed names, and as printed on annex and index."""
    cleared = tables_of(ledgers)
    fixed = (
        findings_table(job.head, findings),
        levels_table(cleared),
        sources_table(job.extract),
    )
    shared = (
        checks_table(findings),
        exclusions_table(job.extract),
        notes_table(job.extract),
        plan_table(job.plan),
        paths_table(ledgers),
        weights_table(ledgers),
        calibration_table(job.plan),
        _facts(job, rendered),
    )
    return (*fixed, dictionary_table(fixed), *shared, *annex_tables(findings), *cleared)


def _facts(job: Release, rendered: Sequence[Rendered]) -> ReleasedTable:
    """The few numbers that pages print about the run itself."""
    plan, policy = job.plan, POLICIES[job.plan.policy]
    number = plan.post.index(job.report_year) + 1 if job.report_year in plan.post else None
    rows: list[dict[str, Any]] = [
        {"fact": "report year", "value": job.report_year},
        {"fact": "number of the report year", "value": number},
        {"fact": "report years of the plan", "value": len(plan.post)},
        {"fact": "figures out by about, or the day asked for", "value": job.head["data_as_at"]},
        {"fact": "secrecy policy", "value": policy.name},
        {"fact": "fewest pupils shown", "value": policy.pupils},
        {"fact": "fewest schools shown", "value": policy.schools},
    ]
    rows += [{"fact": f"outputs left out, {each.name}", "value": each.n_left_out} for each in rendered]
    return table_of("run", "About the run", rows, ("fact", "value"))


def _pages(
    job: Release,
    tables: Sequence[ReleasedTable],
    rendered: Sequence[Rendered],
    audience: str | None,
    missing: Sequence[str],
) -> dict[str, str]:
    has_council = not missing
    asked = job.extract.asked is not None
    bare = shell_of(job.plan, job.run_id, job.report_year, job.data_as_at, job.draft, asked=asked)
    shell = bare.with_links(_links(rendered, has_council))
    departures = departures_of(job.plan, job.extract)
    verdicts = next((table for table in tables if table.id == "verdicts"), None)
    files = {f"{each.name}.html": notebook_page(shell, job.plan, job.report_year, each) for each in rendered}
    files["index.html"] = index_page(shell, verdicts, missing, [t for t in tables if t.id in LATEST])
    files["annex.html"] = annex_page(shell, job.plan, job.extract, tables, departures=departures, left_out=missing)
    lead = next((each for each in rendered if each.name == audience), None)
    if has_council and lead is not None:
        files["council.html"] = council_page(shell, job.plan, lead)
    return files


def _links(rendered: Sequence[Rendered], has_council: bool) -> list[Link]:
    links = [Link(file="index.html", title="Overview")]
    if has_council:
        links.append(Link(file="council.html", title="Council and governors", about="the answer, first"))
    links += [Link(file=f"{each.name}.html", title=each.title) for each in rendered]
    return [*links, Link(file="annex.html", title="Technical annex", about="plan, methods, checks, sources")]


def _pictures(rendered: Sequence[Rendered]) -> dict[str, str]:
    return {
        f"figures/{each.name}_{number:02d}.svg": display.svg
        for each in rendered
        for number, display in enumerate((d for d in each.displays if d.svg is not None), start=1)
        if display.svg is not None
    }
