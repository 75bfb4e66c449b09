"""What the command line says of figures, of a plan, and of what went wrong: lines of text."""

from __future__ import annotations

import errno
import os
import traceback
from typing import TYPE_CHECKING

from belonging_research.errors import ReportError

if TYPE_CHECKING:
    from belonging_research.plan import Plan
    from belonging_research.sources import Extract
    from belonging_research.sources.council import Received


def account(extract: Extract) -> list[str]:
    """What was read, file by file, as lines: rows, exclusions with reasons, notes."""
    known = "data as at" if extract.asked else "out by about"
    lines = [f"Figures to {extract.report_year}, {known} {extract.data_as_at or 'not dated'}"]
    for file in extract.files:
        span = f", {file.first_period} to {file.last_period}" if file.first_period else ""
        lines.append(f"{file.file}: {file.layout}{span}")
        lines.append(f"    {file.rows_used:,} of {file.rows_read:,} rows used")
        lines += [f"    {count:,} left out: {reason}" for reason, count in sorted(file.excluded.items())]
    lines += [f"note: {note}" for note in extract.notes]
    size = f"{len(extract.files)} files, {extract.figures.num_rows:,} figures"
    return [*lines, f"{size}, digest {extract.digest[:12]}"]


def arrival(received: Received) -> list[str]:
    """What became of every row that a council sent, table by table, as lines."""
    from belonging_research.tables.faults import FAULTS

    words = {name: f"{fault.words} ({name})" for name, fault in FAULTS.items()} | {"blank_row": "blank row"}
    lines = []
    for table in received.tables:
        lines.append(f"{table.table}: {', '.join(table.files)}")
        lines.append(f"    {table.rows_kept:,} of {table.rows_read:,} rows kept")
        lines += [f"    {rows:,} left out: {words[name]}" for name, rows in table.excluded.items()]
        lines += [f"    {rows:,} kept and listed: {words[name]}" for name, rows in table.listed.items()]
    lines += [f"note: {note}" for note in received.notes]
    return [*lines, f"Written {received.folder}"]


def promises(plan: Plan) -> list[str]:
    """A plan's promises as lines: who, against whom, when, what counts, and what was already known."""
    treated = ", ".join(f"{each.name} ({each.unit}) from {each.start}" for each in plan.treated)
    lines = [
        f"{plan.study}: {plan.title}",
        f"digest      {plan.digest}",
        f"registered  {plan.registered or 'not yet'}",
        f"treated     {treated}",
        f"base, post  {' and '.join(plan.base)}, then {', '.join(plan.post)}",
        f"seen        {', '.join(plan.outcomes_seen) or 'no outcomes'} were public when the plan was written",
        f"method      {plan.method}; {len(plan.checks)} checks; policy {plan.policy}",
    ]
    lines += [
        f"outcome     {each.name}: {each.role}, {each.better} is better, at least {each.sesoi:g} matters"
        for each in plan.outcomes
    ]
    lines += [f"look        {k.report_year} at {k.alpha:g}: {', '.join(k.outcomes)}" for k in plan.looks]
    if plan.schools is not None:
        own = plan.schools
        lines.append(
            f"schools     {', '.join(own.post)} at {own.alpha:g}; pupils on roll in January of {own.baseline} are "
            f"followed; {len(own.checks)} checks; policy {own.policy}"
        )
        lines += [f"schools     {each.name}: {each.role}, at least {each.sesoi:g} matters" for each in own.outcomes]
    return [*lines, "The plan is sound."]


def bug(error: Exception) -> str:
    """An unexpected error for a bug report: where it happened, without its text, which may quote data."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    told = f": {error}" if os.environ.get("BELONGING_DEBUG") else " (its text is left out: it may quote data)"
    return (
        f"This is a bug in belonging_research, not something you did wrong.\n"
        f"{frames}{type(error).__name__}{told}\n"
        "Please report the lines above. BELONGING_DEBUG=1 shows the text too."
    )


def refusal(error: OSError) -> ReportError | None:
    """The system's refusal to write as an error with advice; None for any other fault."""
    if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC):
        return None
    where = error.filename or "the output folder"
    return ReportError(f"{where}: {error.strerror}. Free it, or give another folder with --out.")
