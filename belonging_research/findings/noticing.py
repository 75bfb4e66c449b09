"""The ranges of an estimate and what it could have noticed, so that no page promises more than its range allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from belonging_research.errors import EstimateError, FindingError
from belonging_research.estimators.placebo import detectable_effect, power_at, type_m
from belonging_research.estimators.result import Estimate
from belonging_research.findings.shapes import Finding


def interval(estimate: Estimate, level: float) -> tuple[float, float]:
    """The interval of an estimate at ``level`` (0 to 1), in its unit and the outcome's own direction.

    Raises
    ------
    FindingError
        If the estimate was made without that level.
    """
    for key, ends in estimate.intervals.items():
        if math.isclose(float(key), level, abs_tol=1e-9):
            return ends
    raise FindingError(
        f"{estimate.outcome}: no interval at {level:.4g}; it has {', '.join(sorted(estimate.intervals))}. "
        "Estimate again with the plan's looks."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticing:
    """The effect noticed 4 times in 5, the chance to notice the smallest that matters, how much it is then exaggerated.

    ``effect`` is a size in the finding's unit, ``chance`` a probability, ``exaggeration`` what is noticed, on average,
    over the smallest effect that matters; all at this look's alpha, None where not known.
    """

    effect: float | None
    chance: float | None
    exaggeration: float | None = None


def noticing(finding: Finding) -> Noticing:
    """What could be noticed: before its look as promised, else the less favourable of promised and come true.

    The promise is made with the errors of a year before the start. Those of the years since may be wider, and the
    range printed beside it is made of them. Only what exceeds half that range is noticed, so a promise below it would
    contradict it, and so would an exaggeration below that half over the smallest effect that matters.
    """
    estimate = finding.estimate
    if estimate is None:
        return Noticing(effect=None, chance=None)
    promised = Noticing(effect=estimate.detectable, chance=estimate.power_at_sesoi)
    if finding.verdict == "not_assessed":
        return promised
    true = _come_true(estimate, finding)
    chances = [each.chance for each in (promised, true) if each.chance is not None]
    low, high = interval(estimate, 1 - finding.alpha)
    half = (high - low) / 2
    return Noticing(
        effect=_most((promised.effect, true.effect), half),
        chance=min(chances, default=None),
        exaggeration=_most((estimate.type_m, true.exaggeration), half / finding.sesoi),
    )


def _most(known: Sequence[float | None], least: float) -> float | None:
    """The largest that is known; None where it is less than what the range allows."""
    most = max((each for each in known if each is not None), default=None)
    return most if most is not None and most >= least else None


def _come_true(estimate: Estimate, finding: Finding) -> Noticing:
    """From the errors of the comparison councils in the years since the start, where the estimate carries them."""
    errors = np.asarray(estimate.placebos, dtype=float)
    try:
        return Noticing(
            effect=detectable_effect(errors, estimate.std_error, finding.alpha),
            chance=power_at(errors, estimate.std_error, finding.sesoi, finding.alpha),
            exaggeration=type_m(errors, estimate.std_error, finding.sesoi, finding.alpha),
        )
    except EstimateError:  # no errors, all nothing, or too few for this alpha
        return Noticing(effect=None, chance=None)
