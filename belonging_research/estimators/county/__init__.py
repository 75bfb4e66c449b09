"""One treated council: every method as arrays over the same comparison, inference by size-scaled placebos.

Whatever is fitted for the treated council is fitted again for each donor in its place. Weights are fitted on years
before the start only, so an effect's size can never move them.
"""

from __future__ import annotations

from belonging_research.estimators.county.estimating import (
    Effect,
    Reference,
    effect_of,
    estimate,
    estimate_specification,
    false_start_reference,
    reference,
)
from belonging_research.estimators.county.fitting import Fit, fit, simplex_mixes, treated_effects

__all__ = [
    "Effect",
    "Fit",
    "Reference",
    "effect_of",
    "estimate",
    "estimate_specification",
    "false_start_reference",
    "fit",
    "reference",
    "simplex_mixes",
    "treated_effects",
]
