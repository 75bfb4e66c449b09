"""Events too few for a verdict: their ratio with its exact interval, beside the registered findings."""

from __future__ import annotations

import math

import numpy as np

from belonging_research.errors import EstimateError
from belonging_research.estimators.result import Estimate
from belonging_research.estimators.staggered import started_beside_others
from belonging_research.findings.inputs import level_key, levels
from belonging_research.panel.schools import SCHOOL_DAYS, SchoolPanel, SchoolPanels
from belonging_research.plan import POLICIES

FEW = frozenset({"permanent_exclusion_rate"})
METHOD = "exact_ratio"


def exact_estimate(study: SchoolPanels, panel: SchoolPanel, outcome: str) -> Estimate:
    """The log of the ratio of rates: schools that had started, over those that had not, in the same half-terms.

    Not adjusted for how schools differed before. ``actual`` and ``predicted`` are events a pupil on roll for a school
    year, of either side. The door works it out again from counts as they may be shown (``counted``): an exact interval
    would give both counts back to the last one.
    Raises :class:`EstimateError`, in the same words whatever the counts, where either side has fewer than the policy
    shows: that a side has none is as much about a few pupils as that it has one.
    """
    plan = study.plan
    wide, narrow = levels(plan.alpha(plan.post[-1]))
    try:
        found = {key: started_beside_others(panel, level=float(key)) for key in sorted({wide, narrow, level_key(0.95)})}
    except EstimateError:
        raise EstimateError(_TOO_FEW) from None  # the refusal quotes counts
    one = found[level_key(0.95)]
    if one.ratio is None or min(one.events) < POLICIES[plan.policy].pupils:
        raise EstimateError(_TOO_FEW)
    rates = [events / (days / SCHOOL_DAYS) for events, days in zip(one.events, one.exposure, strict=True)]
    schools = dict(zip(panel.schools, panel.adoption, strict=True))
    return Estimate(
        outcome=outcome, unit="log_ratio", estimand=_OF, method=METHOD, layer="school", phase="all", subgroup=None,
        source="register", base=(), post=(), plan_digest=plan.digest, panel_digest=panel.digest,
        value=math.log(one.ratio), actual=rates[0], predicted=rates[1], std_error=_std_error(one.events),
        p_value=one.p_value,
        intervals={key: (math.log(each.interval[0]), math.log(each.interval[1])) for key, each in found.items()},
        inference="exact", n_reference=0, n_treated=sum(start is not None for start in schools.values()),
        n_units=len(schools), n_clusters=len(set(panel.clusters)), n_pupils=round(float(panel.sizes.sum())),
        detectable=None, detectable_05=None, detectable_realised_05=None, power_at_sesoi=None, type_m=None,
        detectable_how="not worked out for so few events", weights={}, path=(), registered=False,
        counted=(one.events, one.exposure),
    )  # fmt: skip


_TOO_FEW = "too few, in schools that had started or in the others, for a ratio"
_OF = (
    "log of the rate in schools that had started over that in schools that had not by then, in the same half-terms, by "
    "enrolled time; how they differed before is not taken out"
)


def _std_error(events: tuple[int, int]) -> float:
    """Of the log ratio of two Poisson counts."""
    return float(np.sqrt(1 / events[0] + 1 / events[1]))
