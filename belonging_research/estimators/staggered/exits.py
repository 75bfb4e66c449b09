"""What pupils who left the data could hide, at worst and at best."""

from __future__ import annotations

import numpy as np

from belonging_research.errors import EstimateError
from belonging_research.estimators.weights import Floats
from belonging_research.panel.schools import ABSENCE, PupilPanels


def lee_bounds(study: PupilPanels, value: float) -> tuple[float, float]:
    """(low, high) of an effect on overall absence had those who left on one side alone been the extremes.

    Lee (2009): the side that kept more of its pupils is trimmed by the difference, once of its most and once of its
    least absent, until both kept alike. Sides: pupils whose baseline pyramid started within the panel, and the others.
    ``value`` is the estimate, a proportion; moved by what trimming does to its side's mean over the half-terms since
    the baseline year, by half-days. Equal leaving on both sides moves nothing.

    Raises :class:`EstimateError` where a side has nobody left.
    """
    panel, pupils = study.panel(ABSENCE), study.followed()
    starts = {urn: start is not None for urn, start in zip(panel.schools, panel.adoption, strict=True)}
    known = np.isin(pupils.schools, list(starts))
    side = np.isin(pupils.schools, [urn for urn, start in starts.items() if start])
    at_start = {each: known & (side == each) for each in (True, False)}
    kept = {each: float(own.sum() and pupils.there[own].mean()) for each, own in at_start.items()}
    if not min(kept.values()) > 0:
        raise EstimateError("nobody of one side is still in the data; what those who left could hide has no bound")
    more = kept[True] >= kept[False]
    share = 1 - kept[not more] / kept[more]
    own = known & (side == more) & (pupils.possible > 0)
    falls, rises = _trimmed(pupils.absent[own], pupils.possible[own], share)
    moved = (falls, rises) if more else (-rises, -falls)
    return value + moved[0], value + moved[1]


def _trimmed(absent: Floats, possible: Floats, share: float) -> tuple[float, float]:
    """How far a mean rate falls without its most absent, and rises without its least absent (low, high)."""
    whole = absent.sum() / possible.sum()
    order = np.argsort(absent / possible, kind="stable")
    n = round(share * len(order))
    without_most, without_least = order[: len(order) - n], order[n:]
    ends = [float(absent[kept].sum() / possible[kept].sum() - whole) for kept in (without_most, without_least)]
    return ends[0], ends[1]
