"""The calls with which a notebook opens its figures: folders given, or what is made up where none are."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from belonging_research.errors import PlanError, SourceError
from belonging_research.plan import Plan
from belonging_research.sources import Extract, load_extract
from belonging_research.sources.council import CouncilExtract, is_council_extract, read_council_extract
from belonging_research.sources.once import once_a_run, what_is_read

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
    folders, _ = folders_of(data)
    if not folders and not plan.simulated:
        raise PlanError(f"plan {plan.study} is for real figures: name the folder that holds them in `data`.")

    def read() -> Extract:
        return load_extract(folders or [simulated_data(plan)], plan, through=report_year, data_as_at=as_at)

    return once_a_run("extract", what_is_read(folders, plan, report_year, as_at), read)


def open_council(data: str, plan: Plan) -> CouncilExtract | None:
    """The council's own extract among folders written ``"one;two"``; None where the plan asks nothing of schools.

    Also None where no folder is one, so that a plan can be run on published figures before the council's own arrive.
    Without any folder a simulated plan makes a county up where absent. Raises :class:`SourceError` for a damaged
    extract, or more than one.
    """
    if plan.schools is None:
        return None
    folders, councils = folders_of(data)
    if not folders and not councils and plan.simulated:
        from belonging_research.simulate import simulated_county

        councils = [simulated_county()]
    if len(councils) > 1:
        names = ", ".join(folder.name for folder in councils)
        raise SourceError(f"data: {len(councils)} extracts of a council ({names}); give the one to be read.")
    return read_council_extract(councils[0]) if councils else None


def folders_of(data: str) -> tuple[list[Path], list[Path]]:
    """Folders written ``"one;two"``: those of published figures, and extracts of a council's own tables."""
    folders = [Path(part) for part in data.split(DATA_SEPARATOR) if part]
    councils = [folder for folder in folders if is_council_extract(folder)]
    return [folder for folder in folders if folder not in councils], councils
