"""What pupils who left the data could hide, at worst and at best."""

from __future__ import annotations

import numpy as np

from belonging_research.errors import EstimateError
from belonging_research.estimators.weights import Floats
from belonging_research.outcomes.school_periods import pupil_absence, still_expected
from belonging_research.panel.schools import SchoolStudy


def lee_bounds(study: SchoolStudy, value: float) -> tuple[float, float]:
    """(low, high) of an effect on overall absence had those who left on one side alone been the extremes.

    Lee (2009): the side that kept more of its pupils is trimmed by the difference, once of its most and once of its
    least absent, until both kept alike. Sides: pupils whose baseline pyramid started within the panel, and the others.
    ``value`` is the estimate, a proportion; moved by what trimming does to its side's mean over the half-terms since
    the baseline year, by half-days. Equal leaving on both sides moves nothing.

    Raises :class:`EstimateError` where a side has nobody left.
    """
    panel = study.absence()
    schools = {urn: start is not None for urn, start in zip(panel.schools, panel.adoption, strict=True)}
    last = _last(panel.periods)
    # Who is past the age that counts did not leave, and is on neither side.
    expected = still_expected(study.cohort(), baseline=study.baseline, last=last)
    homes = study.engine.to_pyarrow(expected.select("urn"))["urn"].to_pylist()
    sides = [schools[str(urn)] for urn in homes if str(urn) in schools]
    at_start = {True: float(sum(sides)), False: float(len(sides) - sum(sides))}
    rows = pupil_absence(study.register.counts, expected, baseline=study.baseline, last=last)
    found = study.engine.to_pyarrow(rows)
    known = np.array([str(urn) in schools for urn in found["urn"].to_pylist()])
    side = np.array([schools.get(str(urn), False) for urn in found["urn"].to_pylist()])
    absent, possible, there = (found[name].to_numpy() for name in ("absent", "possible", "still_there"))
    kept = {each: float((there & known & (side == each)).sum()) / max(at_start[each], 1.0) for each in (True, False)}
    if not min(kept.values()) > 0:
        raise EstimateError("nobody of one side is still in the data; what those who left could hide has no bound")
    more = kept[True] >= kept[False]
    share = 1 - kept[not more] / kept[more]
    own = known & (side == more) & (possible > 0)
    falls, rises = _trimmed(absent[own].astype(float), possible[own].astype(float), share)
    moved = (falls, rises) if more else (-rises, -falls)
    return value + moved[0], value + moved[1]


def _last(periods: tuple[str, ...]) -> tuple[str, int]:
    """``"2025/26 HT6"`` to its year and number."""
    year, half = periods[-1].split(" HT")
    return year, int(half)


def _trimmed(absent: Floats, possible: Floats, share: float) -> tuple[float, float]:
    """How far a mean rate falls without its most absent, and rises without its least absent (low, high)."""
    whole = absent.sum() / possible.sum()
    order = np.argsort(absent / possible, kind="stable")
    n = round(share * len(order))
    without_most, without_least = order[: len(order) - n], order[n:]
    ends = [float(absent[kept].sum() / possible[kept].sum() - whole) for kept in (without_most, without_least)]
    return ends[0], ends[1]
