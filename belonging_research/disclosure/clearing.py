"""`clear`, the only maker of `Cleared`: estimates, findings and tables go through as the policy allows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from typing import Any, Generic, TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc

from belonging_research.disclosure.cells import cells_of, measures_content
from belonging_research.disclosure.door import Door
from belonging_research.disclosure.event_times import given_back
from belonging_research.disclosure.hiding import CellKey, cell_keys, hide
from belonging_research.disclosure.ledger import LedgerEntry
from belonging_research.disclosure.measures import check_measures
from belonging_research.disclosure.payload import (
    canonical,
    digest,
    estimate_content,
    finding_row,
    table_content,
)
from belonging_research.errors import DisclosureError
from belonging_research.estimators.result import Estimate
from belonging_research.findings import Finding, InterventionAssessment, SchoolAssessment, withhold
from belonging_research.findings.school_paths import PATH_COUNTS
from belonging_research.plan import SecrecyPolicy
from belonging_research.tables.measures import Measures

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")
_TOKEN = object()
WITHHELD = "withheld"
WITH_OTHERS = "with the others it would give too few schools back"
_STARTS = Measures(pupils=("pupils",), schools=("schools",))
_NAMED = Measures(schools=("schools",))
_TOLD_APART = Measures(other=("interventions", "p_value", "ways"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared(Generic[T_co]):
    """A value that may be shown, as the policy left it. Only `clear` can make one.

    ``entry`` is its id in the ledger; ``n_suppressed`` counts hidden cells or withheld findings.
    """

    value: T_co
    policy: str
    entry: str
    n_suppressed: int
    door: Door
    token: InitVar[object] = None

    def __post_init__(self, token: object) -> None:
        """Refuse every maker but the door."""
        if token is not _TOKEN:
            raise DisclosureError(
                "Cleared is made by the door only: use clear(item, door). Clear a changed copy again."
            )


def clear(item: T, door: Door, *, counts: Measures | None = None, name: str = "") -> Cleared[T]:
    """Let an Estimate, a Finding, a tuple of Findings, a study's schools or a table through, as policy allows.

    Under a policy with thresholds a table needs ``counts``: which columns count pupils or schools, which are
    rates, which row is a total. ``name`` is the table's lasting name (its CSV, its id in ``results.json``).

    Raises
    ------
    DisclosureError
        If the item is of another kind, is from another plan, has an undeclared number, shows what an earlier
        table of the run hid, or would hide what an earlier one showed.
    """
    cleared: Any
    if isinstance(item, pa.Table):
        cleared = _clear_table(item, door, counts, name)
    elif isinstance(item, Estimate):
        cleared = _clear_estimate(item, door, name)
    elif isinstance(item, SchoolAssessment):
        cleared = _clear_schools(item, door, name)
    elif isinstance(item, InterventionAssessment):
        cleared = _clear_interventions(item, door, name)
    elif isinstance(item, Finding):
        one = _clear_findings((item,), door, name)
        cleared = _made(one.value[0], door, door.entry(one.entry))
    elif isinstance(item, tuple) and item and all(isinstance(each, Finding) for each in item):
        cleared = _clear_findings(item, door, name)
    else:
        raise DisclosureError(
            f"the door takes an Estimate, a Finding, a tuple of Findings or a pyarrow Table, "
            f"not a {type(item).__name__}. Raw frames never leave; aggregate them first."
        )
    return cast("Cleared[T]", cleared)


def vouch(cleared: Cleared[Any]) -> None:
    """Refuse a `Cleared` whose value is no longer the one that the ledger recorded.

    Raises
    ------
    DisclosureError
        If the entry is not in its door's ledger, or the value differs from the payload.
    """
    entry, value = cleared.door.entry(cleared.entry), cleared.value
    if isinstance(value, pa.Table):
        same = canonical(table_content(value)) == canonical({key: entry.payload[key] for key in ("columns", "rows")})
    elif isinstance(value, SchoolAssessment | InterventionAssessment):
        same = not value.findings or digest(_findings_payload(value.findings)) == entry.digest
        if isinstance(value, SchoolAssessment):
            same = same and _is_table_of(value.paths, cleared.door)
    elif isinstance(value, Estimate):
        same = digest({"estimate": estimate_content(value)}) == entry.digest
    else:
        findings = value if isinstance(value, tuple) else (value,)
        same = digest(_findings_payload(findings)) == entry.digest
    if not same:
        raise DisclosureError(f"ledger entry {cleared.entry}: the value was changed after it was cleared.")


def _made(value: T, door: Door, entry: LedgerEntry) -> Cleared[T]:
    return Cleared(
        value=value,
        policy=entry.policy,
        entry=entry.entry,
        n_suppressed=entry.n_suppressed,
        door=door,
        token=_TOKEN,
    )


def _same_plan(estimate: Estimate, door: Door) -> None:
    own = door.plan.of_schools if estimate.layer == "school" and door.plan.schools else door.plan
    if estimate.plan_digest != own.digest:
        raise DisclosureError(
            f"{estimate.outcome}: estimated under plan {estimate.plan_digest[:12]}, but the door is for "
            f"{own.digest[:12]}. Open the door with the plan that the estimate used."
        )


def _clear_estimate(estimate: Estimate, door: Door, name: str) -> Cleared[Estimate]:
    _same_plan(estimate, door)
    policy = door.plan.policy_of(estimate.layer)
    reason = _too_few(estimate, policy)
    if reason:
        raise DisclosureError(f"{estimate.outcome}: withheld, {reason}. Clear the finding instead; it then says so.")
    safe = _coarse(estimate, policy)
    content = {"estimate": estimate_content(safe)}
    return _made(safe, door, door.record("estimate", content, name=name, layer=estimate.layer))


def _clear_findings(findings: tuple[Finding, ...], door: Door, name: str) -> Cleared[tuple[Finding, ...]]:
    reasons: dict[str, int] = {}
    safe = []
    layers = {finding.layer for finding in findings}
    if len(layers) > 1:
        raise DisclosureError(f"findings of layers {', '.join(sorted(layers))} go through apart: clear each by itself.")
    layer = layers.pop()
    policy = door.plan.policy_of(layer)
    for finding in findings:
        if finding.estimate is not None:
            _same_plan(finding.estimate, door)
        reason = _too_few(finding.estimate, policy) if finding.estimate else None
        if reason:
            reasons[reason] = reasons.get(reason, 0) + 1
        safe.append(withhold(finding, WITHHELD) if reason else _of_study(_coarse_finding(finding, policy), door))
    released = tuple(safe)
    payload = _findings_payload(released)
    return _made(released, door, door.record("finding", payload, name=name, reasons=reasons, layer=layer))


def _clear_schools(assessment: SchoolAssessment, door: Door, name: str) -> Cleared[SchoolAssessment]:
    """Findings and starts of schools, each under the policy of the council's own figures.

    Its entry is that of its findings; where there are none, a table that says why.
    """
    if not assessment.findings:
        return _made(assessment, door, _not_said(assessment.left_out, door, name or "schools_not_said"))
    findings = _clear_findings(assessment.findings, door, name)
    starts = _clear_table(assessment.starts, door, _STARTS, "school_starts")
    policy, listed = door.plan.policy_of("school"), assessment.interventions
    names = _clear_table(_named(listed, "schools", policy), door, _NAMED, "school_interventions")
    safe = dataclasses.replace(
        assessment, findings=findings.value, starts=starts.value, interventions=names.value,
        paths=_clear_paths(assessment.paths, findings.value, door),
    )  # fmt: skip
    return _made(safe, door, door.entry(findings.entry))


def _clear_paths(paths: pa.Table, released: Sequence[Finding], door: Door) -> pa.Table:
    """Event times behind which there are enough schools on both sides, of findings that are not withheld."""
    read = [each.id for each in released if each.suppressed is None and each.verdict != "not_assessed"]
    own = paths.filter(pc.is_in(paths["finding"], pa.array(read, pa.string())))
    if not own.num_rows:
        return own
    with_them = given_back(own, door.plan.policy_of("school"))
    return _clear_table(own, door, PATH_COUNTS, "school_paths", with_them).value


def _is_table_of(table: pa.Table, door: Door) -> bool:
    """Whether a table of schools is one that the door let through; an empty one tells nothing."""
    own = canonical(table_content(table))
    entries = (each.payload for each in door.earlier if each.kind == "table")
    return not table.num_rows or any(own == canonical({k: each[k] for k in ("columns", "rows")}) for each in entries)


def _clear_interventions(made: InterventionAssessment, door: Door, name: str) -> Cleared[InterventionAssessment]:
    """Findings by intervention, as those of schools. One with a name that too few schools began is not there at all:
    withheld it would still stand under that name."""
    if made.left_out:
        return _made(made, door, _not_said(made.left_out, door, name or "interventions_not_said"))
    named = _named(made.groups, "fewest_schools", door.plan.policy_of("school"))
    kept = _giving_none_back(made, set(named["began_with"].to_pylist()), door.plan.policy_of("school"))
    held = {each.subgroup for each in made.findings} - {each.subgroup for each in kept}
    why = [WITH_OTHERS if name in held else own for name, own in zip(*_lists(named, "began_with", "why"), strict=True)]
    named = named.set_column(named.column_names.index("why"), "why", pa.array(why, pa.string()))
    groups = _clear_table(named.drop_columns(["fewest_schools"]), door, _NAMED, "schools_began_with")
    apart = _clear_table(made.told_apart, door, _TOLD_APART, "interventions_told_apart")
    findings = _clear_findings(kept, door, name) if kept else None
    safe = dataclasses.replace(
        made, findings=() if findings is None else findings.value, groups=groups.value, told_apart=apart.value,
        some_not_named=named.num_rows < made.groups.num_rows,
    )  # fmt: skip
    return _made(safe, door, door.entry(groups.entry if findings is None else findings.entry))


def _giving_none_back(made: InterventionAssessment, named: set[str], policy: SecrecyPolicy) -> tuple[Finding, ...]:
    """Findings by intervention that may be read together: with the registered one they give no few schools back.

    By weight they add up to the registered effect, so that what is not shown is the remainder of those that are. Where
    that is of too few schools, the one of the fewest schools is held back too.
    """
    schools = dict(zip(*_lists(made.groups, "began_with", "schools"), strict=True))
    own = [each for each in made.findings if each.subgroup in named]
    few = [each for each in own if each.estimate is None or _too_few(each.estimate, policy)]
    shown = [each for each in own if each not in few]
    while shown:
        rest = sum(schools.values()) - sum(schools[each.subgroup] for each in shown)
        if rest == 0 or rest >= policy.schools:
            break
        shown.remove(min(shown, key=lambda each: (schools[each.subgroup], each.subgroup)))
    return tuple(each for each in own if each in few or each in shown)


def _lists(table: pa.Table, *columns: str) -> list[list[Any]]:
    return [table[name].to_pylist() for name in columns]


def _named(listed: pa.Table, column: str, policy: SecrecyPolicy) -> pa.Table:
    """A name typed by somebody may tell of one school or one child: only what began in several schools is named."""
    named = listed.filter(pc.greater_equal(listed[column], policy.schools)) if policy.schools else listed
    return named.replace_schema_metadata(listed.schema.metadata)


def _not_said(why: Sequence[str], door: Door, name: str) -> LedgerEntry:
    reasons = pa.table({"reason": pa.array(list(why), pa.string())})
    return door.record("table", {**table_content(reasons), "measures": measures_content(Measures())}, name=name)


def _of_study(finding: Finding, door: Door) -> Finding:
    """A school finding under the digest of the whole plan: its layer is a part of that, and no plan of its own."""
    if finding.estimate is None or finding.layer == "county":
        return finding
    return dataclasses.replace(finding, estimate=dataclasses.replace(finding.estimate, plan_digest=door.plan.digest))


def _findings_payload(findings: Sequence[Finding]) -> dict[str, Any]:
    estimates = [None if each.estimate is None else digest(estimate_content(each.estimate)) for each in findings]
    rows = [finding_row(each) for each in findings]
    return {"findings": rows, "estimates": estimates, "comparisons": [_comparison(each) for each in findings]}


def _comparison(finding: Finding) -> dict[str, Any] | None:
    """Path and weights of a finding that is read: what its picture draws. None before its look and where withheld."""
    if finding.estimate is None or finding.verdict == "not_assessed" or finding.suppressed is not None:
        return None
    content = estimate_content(finding.estimate)
    return {name: content[name] for name in ("path", "weights")}


def _too_few(estimate: Estimate, policy: SecrecyPolicy) -> str | None:
    """Why an estimate is about too few to be shown, or None. A county's one council is no small group."""
    if estimate.n_pupils is not None and estimate.n_pupils < policy.pupils:
        return f"fewer than {policy.pupils} pupils"
    if estimate.counted is not None and min(estimate.counted[0]) < policy.pupils:
        return f"fewer than {policy.pupils} events on one side"
    # Of either side: what one school is set beside is that school's own. Where all start there is no other side.
    others = estimate.n_units - estimate.n_treated
    if estimate.layer == "school" and (estimate.n_treated < policy.schools or 0 < others < policy.schools):
        return f"fewer than {policy.schools} schools"
    if estimate.layer == "pupil" and estimate.n_treated < policy.pupils:
        return f"fewer than {policy.pupils} pupils"
    return None


def _coarse(estimate: Estimate, policy: SecrecyPolicy) -> Estimate:
    """Counts rounded; what is about single schools or pupils left out: placebos, weights, and the path.

    A path's first and last event times are of one cohort's schools, which may be one school: what may leave of it does
    so as a table (:func:`_clear_paths`).
    """
    if policy.pupils == 0 and policy.schools == 0:
        return estimate
    base = policy.round_counts_to

    def rounded(count: int | None) -> int | None:
        return None if count is None else (count + base // 2) // base * base

    coarse = dataclasses.replace(estimate, n_pupils=rounded(estimate.n_pupils))
    if estimate.layer == "county":
        return coarse
    decimals = policy.rate_decimals + 2  # of a proportion
    coarse = _from_rounded(coarse, policy) if estimate.inference == "exact" else coarse
    return dataclasses.replace(
        coarse,
        placebos=(),
        placebo_units=(),
        weights={},
        path=(),
        actual=round(coarse.actual, decimals),
        predicted=round(coarse.predicted, decimals),
        n_treated=rounded(estimate.n_treated) or estimate.n_treated,
        n_units=rounded(estimate.n_units) or estimate.n_units,
        n_clusters=rounded(estimate.n_clusters),
    )


def _from_rounded(estimate: Estimate, policy: SecrecyPolicy) -> Estimate:
    """An exact ratio of the two counts as the policy rounds them: its interval tells both counts to whoever knows the
    time in which they fell, so it may know no more of them than may be shown."""
    from belonging_research.estimators.exact import exact_ratio  # brings scipy, which few that use the door need

    if estimate.counted is None:
        raise DisclosureError(
            f"{estimate.outcome}: an exact ratio without its counts; it cannot be judged. Estimate again."
        )
    base, (events, exposure) = policy.round_counts_to, estimate.counted
    first, second = ((n + base // 2) // base * base for n in events)
    found = {key: exact_ratio((first, second), exposure, level=float(key)) for key in estimate.intervals}
    ratio = first / second * exposure[1] / exposure[0]
    return dataclasses.replace(
        estimate,
        value=math.log(ratio),
        actual=estimate.actual * first / events[0],
        predicted=estimate.predicted * second / events[1],
        std_error=math.sqrt(1 / first + 1 / second),
        p_value=next(iter(found.values())).p_value,
        intervals={key: (math.log(each.interval[0]), math.log(each.interval[1])) for key, each in found.items()},
        counted=None,
    )


def _coarse_finding(finding: Finding, policy: SecrecyPolicy) -> Finding:
    if finding.estimate is None or (policy.pupils == 0 and policy.schools == 0):
        return finding
    return dataclasses.replace(finding, estimate=_coarse(finding.estimate, policy))


def _clear_table(
    table: pa.Table, door: Door, counts: Measures | None, name: str, with_them: frozenset[CellKey] = frozenset()
) -> Cleared[pa.Table]:
    # A table made from a council's own records says so itself: who clears it cannot take it for a published one.
    layer = (table.schema.metadata or {}).get(b"layer", b"county").decode()
    measures, policy = counts or Measures(), door.plan.policy_of(layer)
    protects = policy.pupils > 0 or policy.schools > 0
    if protects:
        check_measures(table, measures, name or "without a name")
    hidden_before, shown_before = _cells_before(door) if protects else (frozenset(), frozenset())
    result = hide(table, measures, policy, already=hidden_before, with_them=with_them)
    if protects:
        _refuse_differencing(result.table, measures, shown_before, name)
    payload = {**table_content(result.table), "measures": measures_content(measures)}
    entry = door.record("table", payload, name=name, reasons=result.reasons, layer=layer)
    return _made(result.table, door, entry)


def _cells_before(door: Door) -> tuple[frozenset[CellKey], frozenset[CellKey]]:
    pairs = [cells_of(entry) for entry in door.earlier if entry.kind == "table"]
    return (
        frozenset().union(*(hidden for hidden, _ in pairs)),
        frozenset().union(*(shown for _, shown in pairs)),
    )


def _refuse_differencing(table: pa.Table, measures: Measures, shown: frozenset[CellKey], name: str) -> None:
    keys = cell_keys(table, measures)
    again = sum(key in shown and table.column(column)[row].as_py() is None for (row, column), key in keys.items())
    if again:
        raise DisclosureError(
            f"table {name or 'without a name'}: {again} cell(s) must be hidden here, but an earlier table of "
            "this run shows them. Clear the most detailed table first, or leave one of the two out."
        )
