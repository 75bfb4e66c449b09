"""Why something could not be estimated, for a reader: faults name columns and files, pages do not."""

from __future__ import annotations

import re

from belonging_research.plan import Plan
from belonging_research.present.numbers import year
from belonging_research.present.story import short_name
from belonging_research.present.words_checks import FIGURES, METHODS

_SERIES = re.compile(r" \((census|daily)(?:, (all|primary|secondary))?\)")
_YEAR = re.compile(r"\b(\d{4}/\d{2})\b")
# What a fault advises whoever runs a report: no reader of a page can follow it.
_ADVICE = re.compile(r" (?:Add that year's file|Add the statistical neighbours workbook)[^.]*\.")


def reader_reason(text: str, plan: Plan) -> str:
    """A reason, or a way of comparing, with the plan's outcomes, methods, series and years in readers' words."""
    said = _ADVICE.sub("", text)
    for outcome in plan.outcomes:
        said = said.replace(outcome.name, short_name(outcome.label))
    for method in sorted(METHODS, key=len, reverse=True):
        for name in (method, method.replace("_", " ")):
            said = re.sub(rf"\b{name}\b", METHODS[method], said)
    said = _SERIES.sub(_series, said)
    said = re.sub(r"\bcensus\b", FIGURES["census"], said.replace("daily registers", FIGURES["daily"]))
    said = said.replace("base from ", "years before from ").replace("donor(s)", "comparison councils")
    return _YEAR.sub(lambda found: year(found[1]), said)


def _series(found: re.Match[str]) -> str:
    phase = f", {found[2]} schools" if found[2] not in (None, "all") else ""
    return f" ({FIGURES[found[1]]}{phase})"
