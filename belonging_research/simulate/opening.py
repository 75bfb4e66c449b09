"""The one call with which a notebook opens its figures: folders given, or the made-up country where none are."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from belonging_research.errors import PlanError
from belonging_research.plan import Plan
from belonging_research.sources import Extract, load_extract
from belonging_research.sources.council import CouncilExtract, is_council_extract, read_council_extract

DATA_SEPARATOR = ";"


def open_extract(data: str, plan: Plan, *, report_year: str, data_as_at: str = "") -> Extract:
    """The extract of folders written ``"one;two"``; empty for a simulated plan makes its figures up where absent.

    ``report_year`` as ``"2024/25"``; ``data_as_at`` an ISO date or empty. Raises :class:`PlanError` for a plan for real
    figures without folders or a date that is none, and as :func:`load_extract` does.
    """
    from belonging_research.simulate import simulated_data

    try:
        as_at = dt.date.fromisoformat(data_as_at) if data_as_at else None
    except ValueError:
        raise PlanError(f"data_as_at: {data_as_at!r} is no date; write it as 2025-10-31, or leave it empty.") from None
    folders = [Path(part) for part in data.split(DATA_SEPARATOR) if part]
    if not folders and not plan.simulated:
        raise PlanError(f"plan {plan.study} is for real figures: name the folder that holds them in `data`.")
    return load_extract(folders or [simulated_data(plan)], plan, through=report_year, data_as_at=as_at)


def open_council(data: str, plan: Plan) -> CouncilExtract | None:
    """The council's own extract among folders written ``"one;two"``; a simulated plan's county where none are given.

    None where the plan has no school layer, or no folder holds a council's own tables.
    """
    from belonging_research.simulate.county import COUNTY_WORLDS, write_simulated_county

    if plan.schools is None:
        return None
    folders = [Path(part) for part in data.split(DATA_SEPARATOR) if part]
    if not folders and plan.simulated:
        return read_council_extract(write_simulated_county(COUNTY_WORLDS["known_effect"]))
    return next((read_council_extract(each) for each in folders if is_council_extract(each)), None)
