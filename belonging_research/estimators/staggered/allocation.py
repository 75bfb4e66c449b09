"""The recorded allocation of starts, and the others that the same draw could have given."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from belonging_research.errors import EstimateError
from belonging_research.estimators.staggered.conversion import Ints, Staggered
from belonging_research.panel.schools import SchoolPanel


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocations:
    """Other allocations (B, C) of the same starts to clusters within strata; ``n_distinct`` counts the real one too.

    ``is_complete``: all of them, each once; else B draws, each as likely as another.
    """

    others: Ints
    n_distinct: int
    is_complete: bool


def stratum_of(study: Staggered, panel: SchoolPanel) -> Ints:
    """(C,) codes of each cluster's stratum. Raises :class:`EstimateError` where units of one lie in several."""
    found: dict[str, set[str]] = {name: set() for name in study.clusters}
    for cluster, stratum in zip(panel.clusters, panel.strata, strict=True):
        if cluster in found:
            found[cluster].add(stratum)
    mixed = sum(len(each) > 1 for each in found.values())
    if mixed:
        raise EstimateError(
            f"{mixed} of {len(found)} pyramids hold schools of several strata; starts were allocated to pyramids, so "
            "give all schools of a pyramid the stratum of its draw"
        )
    names = [next(iter(found[name])) for name in study.clusters]
    codes: Ints = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return codes


def allocations(adoption: Ints, strata: Ints, *, draws: int, rng: np.random.Generator) -> Allocations:
    """Allocations of the real starts (C,) to clusters, permuted within ``strata`` (C,) as they were allocated.

    All other allocations, each once, where there are no more than ``draws``; else ``draws`` of them by chance.
    Raises :class:`EstimateError` for fewer than 1 draw.
    """
    if draws < 1:
        raise EstimateError(f"{draws} draws: at least 1 is needed, and 1,999 give p-values in steps of 1 in 2,000")
    places = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    n_distinct = math.prod(_arrangements(Counter(adoption[at].tolist())) for at in places)
    if n_distinct - 1 <= draws:
        every = np.array(list(_every(adoption, places)), dtype=np.int64)
        others = every[(every != adoption).any(axis=1)]
        return Allocations(others=others, n_distinct=n_distinct, is_complete=True)
    drawn = np.tile(adoption, (draws, 1))
    for at in places:
        drawn[:, at] = rng.permuted(drawn[:, at], axis=1)
    return Allocations(others=drawn, n_distinct=n_distinct, is_complete=False)


def refuse_too_few(found: Allocations, alpha: float) -> None:
    """Raise :class:`EstimateError` where no p-value could be as small as ``alpha``."""
    smallest = 1 / (len(found.others) + 1)
    if not 0 < alpha < 1:
        raise EstimateError(f"alpha {alpha:g}: expected a share between 0 and 1, such as 0.05")
    if smallest > alpha + 1e-12:
        raise EstimateError(
            f"starts could have been allocated in {found.n_distinct} ways and {len(found.others)} others are judged "
            f"against, so no p-value is under {smallest:.3g} and nothing could be noticed at {alpha:g}; take more "
            "draws if there are more ways, or a larger alpha, or let more pyramids start apart"
        )


def _arrangements(starts: Counter[int]) -> int:
    return math.factorial(starts.total()) // math.prod(math.factorial(n) for n in starts.values())


def _every(adoption: Ints, places: Sequence[Ints]) -> Iterator[Ints]:
    """Every distinct allocation, the real one among them."""
    ways = [list(_orders(Counter(adoption[at].tolist()))) for at in places]
    for chosen in itertools.product(*ways):
        one = adoption.copy()
        for at, way in zip(places, chosen, strict=True):
            one[at] = way
        yield one


def _orders(starts: Counter[int]) -> Iterator[tuple[int, ...]]:
    """Every distinct order of a multiset."""
    if not starts.total():
        yield ()
        return
    for start in sorted(starts):
        if starts[start]:
            for rest in _orders(starts - Counter([start])):
                yield (start, *rest)
