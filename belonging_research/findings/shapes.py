"""What goes into a judgement and what comes out: `Candidate`, `GradeParts`, `Finding`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from belonging_research.checks.result import CheckResult
from belonging_research.estimators.result import Estimate
from belonging_research.findings.rules import NOT_OUT, Ruled, Verdict
from belonging_research.plan import Better, OutcomeUnit, Role
from belonging_research.tables import Phase, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One row that asks for a verdict.

    ``estimate`` is None where no post-period figures are out. ``is_registered_row`` marks the one row of an
    outcome that carries the plan's role (plan's method, all phases pooled, the plan's base, its post periods
    up to the report year, the deciding source). ``uncovered`` is the share of the unit that figures do not
    cover (0 to 1; None: from the ``coverage`` check, whose value is the share covered); ``imbalance`` is the
    remaining pre-period gap in unit SDs under the adjusted design, of either sign (None: not measured).
    ``withheld`` is the reason why the door keeps the row back.
    """

    outcome: str
    estimate: Estimate | None
    checks: tuple[CheckResult, ...]
    phase: Phase
    source: Source
    base: tuple[str, ...]
    post: tuple[str, ...]
    method: str
    subgroup: str | None = None
    is_registered_row: bool = False
    withheld: str | None = None
    uncovered: float | None = None
    imbalance: float | None = None

    @classmethod
    def of(
        cls,
        estimate: Estimate,
        checks: Sequence[CheckResult],
        *,
        is_registered_row: bool,
        withheld: str | None = None,
        uncovered: float | None = None,
        imbalance: float | None = None,
    ) -> Candidate:
        """The candidate of an estimate that is out; the row's identity is the estimate's."""
        return cls(
            outcome=estimate.outcome,
            estimate=estimate,
            checks=tuple(checks),
            phase=estimate.phase,
            source=estimate.source,
            base=estimate.base,
            post=estimate.post,
            method=estimate.method,
            subgroup=estimate.subgroup,
            is_registered_row=is_registered_row,
            withheld=withheld,
            uncovered=uncovered,
            imbalance=imbalance,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeParts:
    """The parts of the evidence grade (in the spirit of the EEF's): 0 to 5, and the threats taken off.

    A part that could not be measured is None: it is neither 0 nor passed, and leaves the grade None.
    """

    design: int
    precision: int | None
    attrition: int | None
    balance: int | None
    threats: int

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of the parts that could not be measured: the reason for a grade of None."""
        parts = (
            ("precision", self.precision),
            ("attrition", self.attrition),
            ("balance", self.balance),
        )
        return tuple(name for name, part in parts if part is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One judged row: what may be said about it, and all that the sentence needs.

    ``sesoi``, ``estimate.value`` and its intervals are in ``unit`` and in the outcome's own direction.
    ``estimate`` is None where nothing is out or the row is withheld; an estimate beside ``not_assessed``
    (before its look) serves a description of levels only. ``family_size`` is Holm's m, None outside a
    tested family.
    """

    estimate: Estimate | None
    outcome: str
    label: str
    unit: OutcomeUnit
    layer: str
    source: Source
    base: tuple[str, ...]
    post: tuple[str, ...]
    phase: Phase
    subgroup: str | None
    method: str
    checks: tuple[CheckResult, ...]
    role: Role
    domain: str
    better: Better
    alpha: float
    p_adjusted: float | None
    gate: bool
    sesoi: float
    verdict: Verdict
    rule: int
    ruled_out: tuple[Ruled, ...]
    small_difference_noticed: bool
    enough_to_matter: bool
    signal_to_examine: bool
    due: str | None
    grade: int | None
    grade_parts: GradeParts | None
    failed: tuple[str, ...]
    suppressed: str | None
    family_size: int | None

    @property
    def id(self) -> str:
        """``layer/outcome/source/base/post/phase/subgroup/method``."""
        return "/".join(identity(self).values())


def span(periods: tuple[str, ...]) -> str:
    """Periods as one part of an id: ``("2022/23", "2023/24")`` to ``"2022-23+2023-24"``; ``all`` if none."""
    return "+".join(period.replace("/", "-") for period in periods) or "all"


def identity(row: Finding) -> dict[str, str]:
    """The eight parts of an id by name, in the id's order."""
    return {
        "layer": row.layer,
        "outcome": row.outcome,
        "source": row.source,
        "base": span(row.base),
        "post": span(row.post),
        "phase": row.phase,
        "subgroup": row.subgroup or "all",
        "method": row.method,
    }


def withhold(finding: Finding, reason: str) -> Finding:
    """The same row kept back: ``not_assessed``, with the reason and without a single figure of its own.

    A row of its family may have been judged beside it: judge those again with ``Candidate.withheld`` set, or
    their adjusted p would tell of the hidden one.
    """
    return replace(
        finding,
        estimate=None,
        checks=(),
        p_adjusted=None,
        verdict="not_assessed",
        rule=NOT_OUT,
        gate=finding.role == "primary",
        ruled_out=(),
        small_difference_noticed=False,
        enough_to_matter=False,
        signal_to_examine=False,
        due=None,
        grade=None,
        grade_parts=None,
        failed=(),
        suppressed=reason,
    )
