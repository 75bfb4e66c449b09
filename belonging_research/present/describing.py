"""`describe`: findings in the words of one audience, sealed."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from belonging_research.disclosure import Cleared, vouch
from belonging_research.findings import InterventionAssessment, SchoolAssessment
from belonging_research.present import words_interventions, words_schools
from belonging_research.present.audiences import audience_of
from belonging_research.present.display import Text
from belonging_research.present.story import as_findings, quoted_table, tell


def describe(cleared: Cleared[Any], audience: str, *, levels: Cleared[pa.Table] | None = None) -> Text:
    """One finding, a study's findings as a first screen, its schools or its interventions, for ``audience``.

    ``levels`` is a cleared table of columns group, outcome, period, value (rates, proportions) with which the
    place is set beside similar ones; without it, the estimate's own path is told.

    Raises
    ------
    DisclosureError
        If the audience has no wording yet, or a value was changed after it was cleared.
    """
    reader = audience_of(audience)
    if isinstance(cleared.value, SchoolAssessment):
        return _of_schools(cleared, audience)
    if isinstance(cleared.value, InterventionAssessment):
        return _of_interventions(cleared, audience)
    findings = as_findings(cleared)
    if levels is not None:
        vouch(levels)
    stories = [tell(each, cleared.door, None if levels is None else levels.value) for each in findings]
    page = reader.many(stories) if isinstance(cleared.value, tuple) else reader.one(stories[0])
    title = reader.headline(stories[0])
    entries = (cleared.entry,) if levels is None else (cleared.entry, levels.entry)
    quoted = quoted_table(stories)
    seal = cleared.door.seal("text", page, entries, mime="text/html", title=title, table=quoted)
    return Text(title=title, html=page, audience=audience, quoted=quoted, seal=seal)


def _of_schools(cleared: Cleared[SchoolAssessment], audience: str) -> Text:
    vouch(cleared)
    stories = [words_schools.with_times(tell(each, cleared.door)) for each in cleared.value.findings]
    page, title = words_schools.page(cleared.value, stories), words_schools.headline(stories)
    quoted = quoted_table(stories)
    seal = cleared.door.seal("text", page, (cleared.entry,), mime="text/html", title=title, table=quoted)
    return Text(title=title, html=page, audience=audience, quoted=quoted, seal=seal)


def _of_interventions(cleared: Cleared[InterventionAssessment], audience: str) -> Text:
    vouch(cleared)
    made = cleared.value
    stories = [words_interventions.with_schools(tell(each, cleared.door)) for each in made.findings]
    stories[:1] = [words_interventions.with_chance(made, each) for each in stories[:1]]
    page, title = words_interventions.page(made, stories), words_interventions.headline(made)
    quoted = quoted_table(stories)
    seal = cleared.door.seal("text", page, (cleared.entry,), mime="text/html", title=title, table=quoted)
    return Text(title=title, html=page, audience=audience, quoted=quoted, seal=seal)
