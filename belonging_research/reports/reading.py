"""What a run reads: published figures up to its report year, and beside them a council's own extract."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from belonging_research.errors import CommandError, PanelError
from belonging_research.plan import Plan
from belonging_research.reports.writing import sha256_of
from belonging_research.sources import Extract, load_extract
from belonging_research.sources.council import read_council_extract, source_files


def read_published(plan: Plan, data: tuple[Path, ...], report_year: str | None, asked: dt.date | None) -> Extract:
    """The published figures of folders up to ``report_year``, or to the latest of the plan's years that they reach.

    ``asked``: nothing published later is kept. Raises as :func:`sources.load_extract`, and :class:`PlanError` for a
    report year that is none of the plan's.
    """
    if report_year is not None:
        plan.refuse_other_year(report_year)
        return load_extract(data, plan, through=report_year, data_as_at=asked)
    extract = load_extract(data, plan, through=plan.post[-1], data_as_at=asked)
    year = latest_year(plan, extract)
    if year == extract.report_year:
        return extract
    return load_extract(data, plan, through=year, data_as_at=asked)


def with_council(extract: Extract, plan: Plan, councils: Sequence[Path], asked: dt.date | None) -> Extract:
    """The extract with a council's own tables among its sources, and their digest in its own.

    Raises :class:`CommandError` where the plan reads none, for several, and for one that was taken after ``asked``.
    """
    if not councils:
        return extract
    if plan.schools is None:
        raise CommandError(
            f"--data {councils[0]}: an extract of a council's own tables, but plan {plan.study} has no [schools] that "
            "would read it. Leave it out, or add that part to the plan."
        )
    if len(councils) > 1:
        raise CommandError(f"--data: {len(councils)} extracts of a council's own tables; give the one to be read.")
    council = read_council_extract(councils[0])
    if asked is not None and council.date > asked:
        raise CommandError(
            f"--data-as-at {asked}: the council's extract {councils[0].name} was taken later, on {council.date}. Give "
            "an earlier extract, or ask for a later day."
        )
    files = (*extract.files, *source_files(council, plan.policy_of("school")))
    return replace(extract, files=files, digest=sha256_of(f"{extract.digest} {council.digest}"))


def latest_year(plan: Plan, extract: Extract) -> str:
    """The latest of the plan's years for which the treated unit has a figure.

    Raises
    ------
    PanelError
        If the figures end before the plan's first year.
    """
    figures = extract.figures
    treated = pc.is_in(figures["unit"], value_set=_text(each.unit for each in plan.treated))
    with_number = pc.or_(pc.is_valid(figures["rate"]), pc.is_valid(figures["numerator"]))
    periods = set(pc.unique(figures.filter(pc.and_(treated, with_number))["period"]).to_pylist())
    reached = [year for year in plan.post if year in periods]
    if not reached:
        raise PanelError(
            f"the figures of {plan.treated[0].name} end at {max(periods, default='no year')}, before the "
            f"plan's first year {plan.post[0]}. Add later files, or name a folder that has them."
        )
    return reached[-1]


def _text(values: Any) -> Any:
    return pa.array(list(values), pa.string())
