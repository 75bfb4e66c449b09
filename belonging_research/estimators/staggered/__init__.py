"""Staggered starts in schools: what starting an intervention did, judged by the recorded allocation of starts.

``estimate_schools`` gives the registered estimate; ``group_time_effects`` its cells, cohorts, half-terms and path;
``pre_trends`` whether starters moved apart before, and the power of asking; ``weightings_apart`` whether weights
matter by more than chance; ``imputation``, ``sun_abraham``,
``two_way_fixed_effects`` and, where all start together, ``common_start_bootstrap_p`` are checks; ``ratio_effect`` and
``exact_ratio`` are for counts, ``promised_ratios`` and ``realised_ratios`` for the ratio that would be noticed;
``effects_by_intervention`` describes what schools began with. Imported by its own name: it brings libraries that take
seconds to load, which the county layer does not need.
"""

from belonging_research.estimators.exact import ExactRatio, exact_ratio
from belonging_research.estimators.staggered.by_intervention import (
    FEWEST_PYRAMIDS,
    Began,
    InterventionEffect,
    ToldApart,
    effects_by_intervention,
)
from belonging_research.estimators.staggered.common_start import common_start_bootstrap_p
from belonging_research.estimators.staggered.conversion import adoption_index, staggered
from belonging_research.estimators.staggered.counts import (
    RatioEffect,
    ratio_effect,
    ratio_value,
    started_beside_others,
)
from belonging_research.estimators.staggered.detecting_ratios import RatioPlacebos, promised_ratios, realised_ratios
from belonging_research.estimators.staggered.effects import GroupTimeEffects
from belonging_research.estimators.staggered.estimating import SchoolDesign, estimate_schools
from belonging_research.estimators.staggered.exits import lee_bounds
from belonging_research.estimators.staggered.group_time import group_time_effects
from belonging_research.estimators.staggered.other_estimators import (
    OtherEstimate,
    imputation,
    sun_abraham,
    two_way_fixed_effects,
)
from belonging_research.estimators.staggered.pre_trends import PreTrends, pre_trends
from belonging_research.estimators.staggered.weighing import WeightingsApart, overall_value, weightings_apart

__all__ = [
    "FEWEST_PYRAMIDS",
    "Began",
    "ExactRatio",
    "GroupTimeEffects",
    "InterventionEffect",
    "OtherEstimate",
    "PreTrends",
    "RatioEffect",
    "RatioPlacebos",
    "SchoolDesign",
    "ToldApart",
    "WeightingsApart",
    "adoption_index",
    "common_start_bootstrap_p",
    "effects_by_intervention",
    "estimate_schools",
    "exact_ratio",
    "group_time_effects",
    "imputation",
    "lee_bounds",
    "overall_value",
    "pre_trends",
    "promised_ratios",
    "ratio_effect",
    "ratio_value",
    "realised_ratios",
    "staggered",
    "started_beside_others",
    "sun_abraham",
    "two_way_fixed_effects",
    "weightings_apart",
]
