"""The ratio of two rates with its exact interval: for events too few for anything else. Light enough for the door."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import beta, binomtest

from belonging_research.errors import EstimateError
from belonging_research.estimators.placebo import alpha_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactRatio:
    """Rates of two groups by exposure and their ratio with its exact interval; a description, no verdict.

    ``ratio`` is None, and the interval reaches from 0 or to infinity, where a group has no event.
    """

    events: tuple[int, int]
    exposure: tuple[float, float]
    ratio: float | None
    interval: tuple[float, float]
    p_value: float
    level: float


def exact_ratio(events: tuple[int, int], exposure: tuple[float, float], *, level: float = 0.95) -> ExactRatio:
    """Two rates and the exact interval of their ratio, first over second, given the events' sum.

    Clopper & Pearson's limits of the first group's share, as odds, times the exposures' ratio; p by the conditional
    binomial test (Przyborowski & Wilenski 1940). Raises :class:`EstimateError` for counts that are no whole numbers
    from 0, exposures not above 0, or no event at all.
    """
    first, second = events
    if min(events) < 0 or any(each != int(each) for each in events) or not sum(events):
        raise EstimateError(f"events {first} and {second}: expected whole numbers from 0, at least one above")
    if not min(exposure) > 0:
        raise EstimateError("an exposure is not above 0; it counts enrolled school days, or pupils")
    alpha, times = alpha_of(level), exposure[1] / exposure[0]
    total = first + second
    low = float(beta.ppf(alpha / 2, first, second + 1)) if first else 0.0
    high = float(beta.isf(alpha / 2, first + 1, second)) if second else 1.0
    share = exposure[0] / (exposure[0] + exposure[1])
    return ExactRatio(
        events=(int(first), int(second)),
        exposure=exposure,
        ratio=first / second * times if first and second else None,
        interval=(low / (1 - low) * times, high / (1 - high) * times if second else float("inf")),
        p_value=float(binomtest(int(first), int(total), share).pvalue),
        level=level,
    )
