"""From many verdicts to rows of how often they were right, each with its Monte Carlo error.

Gelman and Carlin (2014) name the two errors of a noticed effect: type S, its sign is wrong; type M, how many times it
is too large. Monte Carlo errors are those of a share at its nominal rate, so that a rare event is never printed as
certain.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from belonging_research.findings.rules import Verdict
from belonging_research.plan import Better

SCHEMA = "belonging-calibration/1"
NOMINAL_FALSE, NOMINAL_COVERAGE = 0.05, 0.95
THIRDS = ("smallest", "middle", "largest")
_DECIDED = frozenset({"better_than_expected", "worse_than_expected"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One time that the pipeline was tried where the truth is known; effects are proportions or log ratios.

    ``groups``: the rows that it counts in; ``said_wrong``: a better or worse verdict at any look for an outcome to
    which nothing was done; ``verdict``: the first better or worse of any look, else the last look's, since what a look
    has said stands; ``noticed`` at the last look; ``without_size``: what the rule table says where the check of
    calibrated size, which is measured in the same window, is left out (None where it is not made).
    """

    groups: tuple[str, ...]
    truth: float
    value: float
    low: float
    high: float
    verdict: Verdict
    said_wrong: bool
    noticed: bool
    passed: bool | None
    caught: bool | None
    detectable: float | None
    sizes: tuple[bool, bool, bool] | None = None
    without_size: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How often the pipeline was right in one world or window and one group of councils.

    Shares are of ``n_worlds`` unless said; ``bias`` and ``detectable`` in the outcome's unit. ``false_verdicts`` is
    None unless nothing was done; ``right_verdicts`` unless something was. ``type_s`` and ``type_m`` are of those
    noticed, None where none was. ``bias_passed`` and ``coverage_passed`` are of the ``n_passed`` whose checks passed.
    ``size_01``, ``size_03``, ``size_05``: noticed at that alpha by the placebos alone, before any check.
    ``better_without_size``, ``worse_without_size``: said where the check of calibrated size, measured on the others of
    the same window, is left out; None where it is not made.
    """

    part: str
    world: str
    sentence: str
    outcome: str
    layer: str
    group: str
    n_worlds: int
    truth: float
    false_verdicts: float | None
    false_verdicts_mcse: float
    said_better: float
    said_worse: float
    as_expected: float
    cannot_tell: float
    right_verdicts: float | None
    right_verdicts_mcse: float
    noticed: float
    coverage: float
    coverage_mcse: float
    type_s: float | None
    type_m: float | None
    bias: float
    n_passed: int | None
    bias_passed: float | None
    coverage_passed: float | None
    detectable: float | None
    size_01: float | None
    size_03: float | None
    size_05: float | None
    better_without_size: float | None
    worse_without_size: float | None
    fair: bool
    catcher: str | None
    caught: float | None


def summarise(
    tried: Iterable[Tried], *, part: str, world: str, sentence: str, outcome: str, better: Better, fair: bool,
    catcher: str | None, is_null: bool, layer: str = "county",
) -> tuple[Row, ...]:  # fmt: skip
    """One row for each group among ``tried``, "all" first, thirds by size next, then the rest by name."""
    every = tuple(tried)
    names = {group for each in every for group in each.groups}
    order = ["all", *THIRDS]
    ordered = [n for n in order if n in names] + sorted(names - set(order))
    return tuple(
        _row([each for each in every if group in each.groups], group, part=part, world=world, sentence=sentence,
             outcome=outcome, better=better, fair=fair, catcher=catcher, is_null=is_null, layer=layer)
        for group in ordered
    )  # fmt: skip


def _row(
    tried: Sequence[Tried], group: str, *, part: str, world: str, sentence: str, outcome: str, better: Better,
    fair: bool, catcher: str | None, is_null: bool, layer: str,
) -> Row:  # fmt: skip
    n = len(tried)
    passed = [each for each in tried if each.passed]
    known = all(each.passed is not None for each in tried)
    noticed = [each for each in tried if each.noticed and each.truth]
    caught = [each.caught for each in tried if each.caught is not None]
    detectable = [each.detectable for each in tried if each.detectable is not None]
    right = None if is_null else _share(_is_right(each, better) for each in tried)
    return Row(
        part=part, world=world, sentence=sentence, outcome=outcome, layer=layer, group=group, n_worlds=n,
        truth=fmean(each.truth for each in tried),
        false_verdicts=_share(each.said_wrong for each in tried) if is_null else None,
        false_verdicts_mcse=_error(NOMINAL_FALSE, n),
        said_better=_share(each.verdict == "better_than_expected" for each in tried),
        said_worse=_share(each.verdict == "worse_than_expected" for each in tried),
        as_expected=_share(each.verdict == "as_expected" for each in tried),
        cannot_tell=_share(each.verdict == "cannot_tell" for each in tried),
        right_verdicts=right,
        right_verdicts_mcse=_error(0.8, n),
        noticed=_share(each.noticed for each in tried),
        coverage=_share(_covers(each) for each in tried),
        coverage_mcse=_error(NOMINAL_COVERAGE, n),
        type_s=_share(each.value * each.truth < 0 for each in noticed) if noticed else None,
        type_m=fmean(abs(each.value / each.truth) for each in noticed) if noticed else None,
        bias=fmean(each.value - each.truth for each in tried),
        n_passed=len(passed) if known else None,
        bias_passed=fmean(each.value - each.truth for each in passed) if known and passed else None,
        coverage_passed=_share(_covers(each) for each in passed) if known and passed else None,
        detectable=fmean(detectable) if detectable else None,
        size_01=_size(tried, 0), size_03=_size(tried, 1), size_05=_size(tried, 2),
        better_without_size=_without_size(tried, "better_than_expected"),
        worse_without_size=_without_size(tried, "worse_than_expected"),
        fair=fair, catcher=catcher, caught=_share(caught) if caught else None,
    )  # fmt: skip


def _share(chosen: Iterable[bool]) -> float:
    return fmean(float(each) for each in chosen)


def _error(share: float, n: int) -> float:
    return math.sqrt(share * (1 - share) / n)


def _covers(each: Tried) -> bool:
    return each.low <= each.truth <= each.high


def _is_right(each: Tried, better: Better) -> bool:
    if not each.truth:
        return each.verdict not in _DECIDED
    gain = each.truth < 0 if better == "lower" else each.truth > 0
    return each.verdict == ("better_than_expected" if gain else "worse_than_expected")


def _without_size(tried: Sequence[Tried], verdict: Verdict) -> float | None:
    said = [each.without_size for each in tried if each.without_size is not None]
    return _share(each == verdict for each in said) if said else None


def _size(tried: Sequence[Tried], place: int) -> float | None:
    sizes = [each.sizes[place] for each in tried if each.sizes is not None]
    return _share(sizes) if sizes else None
