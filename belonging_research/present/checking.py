"""The checks of one finding as a list, and what failed as a picture or, where there is none to draw, in a sentence."""

from __future__ import annotations

import html
from typing import Any

from belonging_research.disclosure import Cleared, vouch
from belonging_research.errors import DisclosureError
from belonging_research.findings import Finding, SchoolAssessment
from belonging_research.present import words_checks
from belonging_research.present.display import Picture, Sheet, Text, seal_sheet
from belonging_research.present.story import Quoted, as_findings, quote_table, scale_of, short_name

_WHY = "There are no figures by school, or the plan does not test them this year."
_HEADINGS = {
    "check": "Check",
    "status": "Status",
    "found": "What was found",
    "weight": "If it fails",
    "number": "Number",
}


def checked(cleared: Cleared[Any]) -> Finding:
    """The one finding of a `Cleared`, or the lead one of its schools, after asking the ledger for it.

    Raises
    ------
    DisclosureError
        If it is not one finding with checks, or was changed after it was cleared.
    """
    if isinstance(cleared.value, SchoolAssessment):
        vouch(cleared)
        findings = tuple(each for each in cleared.value.findings if each.checks)[:1]
    else:
        findings = as_findings(cleared)
    if len(findings) != 1 or not findings[0].checks:
        raise DisclosureError("a list or picture of checks needs one Finding that was checked.")
    return findings[0]


def is_without_checks(cleared: Cleared[Any]) -> bool:
    """Whether it is a study's schools of which nothing was tested."""
    value = cleared.value
    return isinstance(value, SchoolAssessment) and not any(each.checks for each in value.findings)


def sheet_of_checks(cleared: Cleared[Any], title: str = "") -> Sheet:
    """A sealed list of the checks: how much each weighs, its status, what was found in a sentence."""
    if is_without_checks(cleared):
        return seal_sheet(cleared, title or "School by school: nothing to check", {"why": "Why"}, [[_WHY]])
    finding = checked(cleared)
    rows = [
        [
            words_checks.name(check),
            words_checks.STANDINGS[words_checks.standing(check)],
            check.sentence,
            words_checks.SEVERITIES[check.severity],
            str(number),
        ]
        for number, check in enumerate(words_checks.in_order(finding), start=1)
    ]
    shown = title or f"{short_name(finding.label)}: {words_checks.tally(finding.checks)}"
    return seal_sheet(cleared, shown, _HEADINGS, rows)


def failed_checks(cleared: Cleared[Any]) -> Picture | Text:
    """Each failed check of a finding, its value beside its limit; a sentence where there is nothing to draw.

    A failed check without a number (something else happened here) is named in words either way.

    Raises
    ------
    DisclosureError
        If it is not one finding with checks, or was changed after it was cleared.
    """
    finding = checked(cleared)
    failed = [check for check in finding.checks if check.status == "fail"]
    if any(words_checks.share_of_limit(check) is not None for check in failed):
        from belonging_research.present.figures import plot

        return plot(cleared, "failed")
    tally = f"{short_name(finding.label)}: {words_checks.tally(finding.checks)}"
    measure = scale_of(finding, cleared.door.plan.policy_of(finding.layer).rate_decimals)
    said = words_checks.numberless(failed) or "No check failed, so there is nothing to draw."
    found = [Quoted(finding=finding.id, quantity="checks", value=float(len(finding.checks)), printed=tally)]
    found += [
        Quoted(finding=finding.id, quantity=check.name, value=None, printed=words_checks.measured(check, measure))
        for check in failed
    ]
    page, quoted = f"<p>{html.escape(f'{tally}. {said}', quote=False)}</p>", quote_table(found)
    seal = cleared.door.seal("text", page, (cleared.entry,), mime="text/html", title=tally, table=quoted)
    return Text(title=tally, html=page, audience="annex", quoted=quoted, seal=seal)
