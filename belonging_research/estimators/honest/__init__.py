"""How far trends may part before an effect is no longer seen: Rambachan & Roth (2023), "A More Credible
Approach to Parallel Trends", Review of Economic Studies 90(5).

An event study gives one coefficient a period, the last period before treatment being the reference (0). What
the treated group would have done untreated, delta, may part from the comparison: *smoothly*, its slope
changing by at most m a period, or *in relative size*, each step after treatment being at most m_bar times the
largest step before. The intervals hold the true effect with probability ``level`` whatever delta does within
that bound; the breakdown is the largest bound at which 0 stays outside.

Nothing here is simulated, and no grid of effects is searched: for these two restrictions the paper's programs
have solutions in closed form or by a root (see ``smoothness``, ``relative_magnitude``).
"""

from belonging_research.estimators.honest.relative_magnitude import (
    breakdown_relative_magnitude,
    relative_magnitude_interval,
)
from belonging_research.estimators.honest.smoothness import breakdown_smoothness, smoothness_interval

__all__ = [
    "breakdown_relative_magnitude",
    "breakdown_smoothness",
    "relative_magnitude_interval",
    "smoothness_interval",
]
