"""The rule table: ordered predicates over one case, the first match wins.

Everything in a :class:`Case` is in b's direction (b > 0 is favourable) and in the outcome's unit.
"Inside" is strict, p <= a is inclusive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from belonging_research.checks.result import CheckResult
from belonging_research.plan import Role

Verdict = Literal["better_than_expected", "worse_than_expected", "as_expected", "cannot_tell", "not_assessed"]
Ruled = Literal["gain", "loss"]

# An adverse secondary outcome at or under this raw p is a signal to examine, at any alpha.
SIGNAL_P = 0.01

# (severity, status) of a check that alone forbids a verdict.
BLOCKING = frozenset({("fatal", "fail"), ("fatal", "no_test"), ("serious", "fail")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the rule table reads of one row that has post-period data and is out.

    ``narrow`` is CI(1 - 2a), ``wide`` is CI(1 - a), both as (low, high); ``p_adjusted`` is None for an
    exploratory row, which is in no family; ``blocked`` is :func:`blocked` of its checks and grade.
    """

    role: Role
    blocked: bool
    b: float
    p_value: float
    p_adjusted: float | None
    alpha: float
    sesoi: float
    narrow: tuple[float, float]
    wide: tuple[float, float]
    gate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the table: its number, when it applies and what is then said."""

    number: int
    when: Callable[[Case], bool]
    verdict: Verdict


def blocked(checks: tuple[CheckResult, ...], design: int, attrition: int | None) -> bool:
    """Whether the checks or the design forbid a verdict. An attrition score that is unknown is not 0."""
    failed = any((check.severity, check.status) in BLOCKING for check in checks)
    return failed or design <= 1 or attrition == 0


def noticed(case: Case) -> bool:
    """Whether an effect of either sign was noticed: p adjusted at most a, and the gate open."""
    return case.p_adjusted is not None and case.p_adjusted <= case.alpha and case.gate


def _is_exploratory(case: Case) -> bool:
    return case.role == "exploratory"


def _is_blocked(case: Case) -> bool:
    return case.blocked


def _is_negligible(case: Case) -> bool:
    low, high = case.narrow
    return -case.sesoi < low and high < case.sesoi


def _is_gain(case: Case) -> bool:
    return noticed(case) and case.b > 0


def _is_loss(case: Case) -> bool:
    return noticed(case) and case.b < 0


def _always(case: Case) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What may be said of a row: the verdict, the rule that gave it, and what the rule adds."""

    verdict: Verdict
    rule: int
    ruled_out: tuple[Ruled, ...] = ()
    small_difference_noticed: bool = False
    enough_to_matter: bool = False
    signal_to_examine: bool = False


NOT_OUT = 0
RULES: tuple[Rule, ...] = (
    Rule(number=1, when=_is_exploratory, verdict="cannot_tell"),
    Rule(number=2, when=_is_blocked, verdict="cannot_tell"),
    Rule(number=3, when=_is_negligible, verdict="as_expected"),
    Rule(number=4, when=_is_gain, verdict="better_than_expected"),
    Rule(number=5, when=_is_loss, verdict="worse_than_expected"),
    Rule(number=6, when=_always, verdict="cannot_tell"),
)


def decide(case: Case | None) -> tuple[Verdict, int]:
    """The verdict and the number of the rule that gave it; a row that is not out (None) is row 0."""
    if case is None:
        return "not_assessed", NOT_OUT
    rule = next(rule for rule in RULES if rule.when(case))
    return rule.verdict, rule.number


def ruled_out(case: Case, rule: int) -> tuple[Ruled, ...]:
    """Which effects that matter CI(1 - 2a) rules out: said by rows 3 to 6 only."""
    if rule < 3:
        return ()
    low, high = case.narrow
    gain: tuple[Ruled, ...] = ("gain",) if high < case.sesoi else ()
    loss: tuple[Ruled, ...] = ("loss",) if low > -case.sesoi else ()
    return gain + loss


def small_difference_noticed(case: Case, rule: int) -> bool:
    """Row 3 with an effect noticed none the less: real, and too small to matter."""
    return rule == 3 and noticed(case)


def enough_to_matter(case: Case, rule: int) -> bool:
    """Row 4 or 5 with the whole of CI(1 - a) beyond the smallest effect of interest."""
    low, high = case.wide
    return (rule == 4 and low > case.sesoi) or (rule == 5 and high < -case.sesoi)


def signal_to_examine(case: Case, verdict: Verdict) -> bool:
    """An adverse secondary outcome with raw p <= .01 that got no verdict of its own."""
    return verdict == "cannot_tell" and case.role == "secondary" and case.b < 0 and case.p_value <= SIGNAL_P


def say(case: Case | None) -> Said:
    """All that may be said of a case; of a row that is not out (None), nothing but that."""
    verdict, rule = decide(case)
    if case is None:
        return Said(verdict=verdict, rule=rule)
    return Said(
        verdict=verdict,
        rule=rule,
        ruled_out=ruled_out(case, rule),
        small_difference_noticed=small_difference_noticed(case, rule),
        enough_to_matter=enough_to_matter(case, rule),
        signal_to_examine=signal_to_examine(case, verdict),
    )
