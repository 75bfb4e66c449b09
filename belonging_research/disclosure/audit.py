"""One look over everything that is about to leave, by code that did not decide what to hide."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from belonging_research.disclosure.cells import cells_of, measures_from
from belonging_research.disclosure.hiding import ZERO_SHOWN, CellKey
from belonging_research.disclosure.ledger import LedgerEntry
from belonging_research.disclosure.measures import threshold_of
from belonging_research.errors import DisclosureError
from belonging_research.plan import POLICIES, Plan, SecrecyPolicy
from belonging_research.tables import first_year

# A UPN: a letter, eleven digits, a digit or a letter (DfE guide to unique pupil numbers).
_UPN = re.compile(r"(?<![A-Za-z0-9])[A-Z]\d{11}[0-9A-Z](?![A-Za-z0-9])")
_TOKEN_13 = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{13}(?![A-Za-z0-9])")
_ISO_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)-\d\d-\d\d(?!\d)")
_UK_DATE = re.compile(r"(?<!\d)\d{1,2}/\d{1,2}/((?:19|20)\d\d)(?!\d)")
_PERSONAL = re.compile(
    r"(?:^|_)(upn|uln|dob|birth|forename|surname|first_?name|last_?name|postcode|pupil_id)(?:_|$)", re.I
)
_COUNTS = re.compile(r"^(n_|num_)|(^|_)(count|pupils|headcount|enrolments|schools)$", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One reason not to release: which entry, what rule, and how many of what. It never quotes a value."""

    entry: str
    name: str
    rule: str
    sentence: str


def audit(entries: Sequence[LedgerEntry], plan: Plan, register: Sequence[LedgerEntry] = ()) -> tuple[Problem, ...]:
    """Every problem of a run's ledger entries, in their order.

    ``register`` are the table entries of earlier publications: a cell hidden here and printed there, or the
    other way round, gives the hidden figure away.
    """
    problems: list[Problem] = []
    for entry in entries:
        for rule, sentence in (
            *_wrong_policy(entry, plan),
            *_small_counts(entry, POLICIES.get(entry.policy, POLICIES[plan.policy])),
            *_single_schools(entry, POLICIES.get(entry.policy, POLICIES[plan.policy])),
            *_identifiers(entry, plan),
        ):
            problems.append(Problem(entry=entry.entry, name=entry.name, rule=rule, sentence=sentence))
    problems.extend(_differencing(entries, register))
    return tuple(problems)


def refuse(problems: Sequence[Problem]) -> None:
    """Stop a release that has problems.

    Raises
    ------
    DisclosureError
        If there is any; it names each entry and rule.
    """
    if problems:
        lines = "\n".join(f"  {each.name} ({each.entry}): {each.sentence}" for each in problems)
        raise DisclosureError(f"nothing was released: {len(problems)} problem(s) in the ledger.\n{lines}")


def _wrong_policy(entry: LedgerEntry, plan: Plan) -> Iterator[tuple[str, str]]:
    allowed = {plan.policy} if plan.schools is None else {plan.policy, plan.schools.policy}
    if entry.policy not in allowed:
        yield (
            "policy",
            f"cleared under {entry.policy}, but the plan says {' or '.join(sorted(allowed))}; run the notebook again.",
        )
    rows = entry.payload["findings"] if entry.kind == "finding" else ()
    loose = sum(1 for row in rows if plan.policy_of(row["layer"]).name != entry.policy)
    if loose:
        yield "policy", f"{loose} finding(s) cleared under {entry.policy}, which is not the policy of their layer."


def _small_counts(entry: LedgerEntry, policy: SecrecyPolicy) -> Iterator[tuple[str, str]]:
    if policy.pupils == 0 and policy.schools == 0:
        return
    if entry.kind == "finding":
        rows = entry.payload["findings"]
        few = sum(1 for row in rows if row["n_pupils"] is not None and row["n_pupils"] < policy.pupils)
        if few:
            yield "threshold", f"{few} finding(s) about fewer than {policy.pupils} pupils."
    if entry.kind == "table":
        for number, column in enumerate(entry.payload["columns"]):
            values = [row[number] for row in entry.payload["rows"]]
            yield from _small_column(entry, column["name"], column["type"], values, policy)


def _small_column(
    entry: LedgerEntry, name: str, kind: str, values: list[Any], policy: SecrecyPolicy
) -> Iterator[tuple[str, str]]:
    measures = measures_from(entry.payload["measures"])
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if name not in measures.counts:
        declared = {*measures.protected, *measures.other}
        if numbers and (name not in declared or (name in measures.other and _COUNTS.search(name))):
            yield "undeclared", f"column {name} ({kind}) looks like a count and was not declared as one."
    else:
        threshold = threshold_of(measures, name, policy)
        few = sum(1 for each in numbers if each < threshold and not (each == 0 and policy.name in ZERO_SHOWN))
        if few:
            yield "threshold", f"column {name}: {few} count(s) under {threshold}."
    if name not in measures.rounded:
        return
    odd = sum(1 for each in numbers if each % policy.round_counts_to)
    if odd:
        yield "rounding", f"column {name}: {odd} count(s) not rounded to {policy.round_counts_to}."


def _single_schools(entry: LedgerEntry, policy: SecrecyPolicy) -> Iterator[tuple[str, str]]:
    """Paths of schools that leave with a finding, uncounted, or of which one event time alone is hidden."""
    if policy.pupils == 0 and policy.schools == 0:
        return
    if entry.kind == "finding":
        pairs = zip(entry.payload["findings"], entry.payload.get("comparisons", ()), strict=False)
        loose = sum(1 for row, own in pairs if row["layer"] == "school" and own and own["path"])
        if loose:
            yield "threshold", f"{loose} finding(s) with a path whose ends may be about single schools."
    names = [column["name"] for column in entry.payload.get("columns", ())]
    if entry.kind == "table" and {"finding", "half_terms_since", "suppressed"} <= set(names):
        rows = [dict(zip(names, row, strict=True)) for row in entry.payload["rows"]]
        hidden = Counter(row["finding"] for row in rows if row["suppressed"] and row["half_terms_since"] >= 0)
        shown = {row["finding"] for row in rows if not row["suppressed"] and row["half_terms_since"] >= 0}
        alone = sum(1 for finding, n in hidden.items() if n == 1 and finding in shown)
        if alone:
            yield "differencing", f"{alone} finding(s) whose overall difference gives back the one that is hidden."


def _identifiers(entry: LedgerEntry, plan: Plan) -> Iterator[tuple[str, str]]:
    """Texts that look like a pupil number, and dates on which a pupil now at school may have been born."""
    texts = list(_texts(entry.payload))
    upns = sum(bool(_UPN.search(text)) for text in texts)
    if upns:
        yield "identifier", f"{upns} text(s) look like a unique pupil number."
    codes = sum(any(_is_code(token) for token in _TOKEN_13.findall(text)) for text in texts) - upns
    if codes > 0:
        yield "identifier", f"{codes} text(s) hold a code of 13 characters."
    newest = first_year(plan.base[0])
    born = range(newest - 19, newest - 2)
    years = [(*_ISO_DATE.findall(text), *_UK_DATE.findall(text)) for text in texts]
    dates = sum(any(int(year) in born for year in found) for found in years)
    if dates:
        yield "identifier", f"{dates} text(s) look like a pupil's date of birth."
    names = [c["name"] for c in entry.payload.get("columns", ()) if _PERSONAL.search(c["name"])]
    if names:
        yield "identifier", f"column(s) {', '.join(names)} are named for something personal."


def _is_code(token: str) -> bool:
    return sum(character.isdigit() for character in token) >= 6 and not token.isdigit()


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for value in content.values():
            yield from _texts(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _texts(value)


def _differencing(entries: Sequence[LedgerEntry], register: Sequence[LedgerEntry]) -> Iterator[Problem]:
    hidden: dict[CellKey, LedgerEntry] = {}
    shown: dict[CellKey, LedgerEntry] = {}
    for entry in (*register, *entries):
        if entry.kind != "table":
            continue
        hides, shows = cells_of(entry)
        hidden.update(dict.fromkeys(sorted(hides), entry))
        shown.update(dict.fromkeys(sorted(shows), entry))
    pairs: dict[tuple[str, str], int] = {}
    for key in sorted(set(hidden) & set(shown)):
        pair = (hidden[key].entry, shown[key].entry)
        pairs[pair] = pairs.get(pair, 0) + 1
    names = {entry.entry: entry.name for entry in (*register, *entries)}
    for (hides_in, shows_in), n in pairs.items():
        yield Problem(
            entry=hides_in,
            name=names[hides_in],
            rule="differencing",
            sentence=f"{n} cell(s) hidden here are shown in {names[shows_in]} ({shows_in}).",
        )
