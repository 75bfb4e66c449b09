"""Permanent exclusions: how many, of whom, and what the governors decided."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from belonging_research.simulate.councils import Floats, Ints
from belonging_research.simulate.county.school_days import TEACHING_DAYS
from belonging_research.tables.published_marginals import PERMANENT_EXCLUSIONS

REVIEW_DAYS = 15  # school days from a permanent exclusion to the governors' decision
CANCEL_DAYS = 3  # until a head cancels one
_RATES = np.array(list(PERMANENT_EXCLUSIONS.values()))  # per 100 pupils, from 2020/21; later years stay at the last
# Of 73 in 2017/18, 14 were overturned.
_CANCELLED, _REINSTATED = 0.04, 0.15
# Suspensions and permanent exclusions of a year group over those of the average one, Reception first.
BY_YEAR_GROUP = np.array([0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 1.5, 2.3, 2.9, 2.5, 1.5])


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """Permanent exclusions of one period, arrays (events,): ``place`` of the pupil among those on roll; ``day`` a
    teaching day; ``decided`` likewise, -1 while issued; ``status`` as in EXCLUSIONS."""

    place: Ints
    day: Ints
    decided: Ints
    status: NDArray[np.str_]


def draw_removed(proneness: Floats, first_year: int, *, is_last: bool, rng: np.random.Generator) -> Removed:
    """Draw a year's permanent exclusions, at most one a pupil, in proportion to ``proneness`` (on roll,).

    In the last period (``is_last``) some have no decision yet when registers end.
    """
    rate = _RATES[min(max(first_year - 2020, 0), len(_RATES) - 1)] / 100
    n = min(int(rng.poisson(rate * len(proneness))), int((proneness > 0).sum()))
    place = np.sort(rng.choice(len(proneness), n, replace=False, p=proneness / proneness.sum()))
    latest = TEACHING_DAYS - 10 if is_last else TEACHING_DAYS - REVIEW_DAYS - 5
    day = rng.integers(REVIEW_DAYS, latest, n)
    draw = rng.random(n)
    status = np.where(draw < _CANCELLED, "cancelled", np.where(draw < _CANCELLED + _REINSTATED, "reinstated", "upheld"))
    decided = day + np.where(status == "cancelled", CANCEL_DAYS, REVIEW_DAYS)
    open_still = decided >= TEACHING_DAYS
    return Removed(
        place=place,
        day=day,
        decided=np.where(open_still, -1, decided),
        status=np.where(open_still, "issued", status),
    )
