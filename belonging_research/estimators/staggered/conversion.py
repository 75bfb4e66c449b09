"""One converter for every staggered estimator: adoption codes, balance, who is comparable, order and seeds.

Each library writes "never treated" in its own way and drops or mistakes the others' in silence, treats gaps in its own
way, and seeds in its own way. They are given the same arrays from here, in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from belonging_research.errors import EstimateError
from belonging_research.estimators.weights import Bools, Floats
from belonging_research.panel.schools import LeftOut, SchoolPanel, Weighting

Ints = NDArray[np.int64]

# Larger than any index of a half-term, so that "starts later than t" holds of a unit that never starts.
NEVER = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Staggered:
    """A school panel as the estimators here read it: n units, C clusters, T half-terms, Y blocks.

    ``values`` (n, T), 0 where a half-term is none of the block's; ``open`` (Y, T) which ones are; ``adoption`` (n,)
    index, :data:`NEVER` without a start; ``cluster``, ``block`` (n,) codes; ``weights`` (n,), mean 1; ``last`` the
    first half-term index at which no comparison is left (T where one always is). ``history`` (n, k): what outcomes are
    compared at equal values of (:mod:`history`), from the block's mean; k is 0 where they are not.
    """

    values: Floats
    open: Bools
    adoption: Ints
    cluster: Ints
    block: Ints
    weights: Floats
    clusters: tuple[str, ...]
    blocks: tuple[str, ...]
    units: tuple[str, ...]
    periods: tuple[str, ...]
    last: int
    left_out: tuple[LeftOut, ...]
    history: Floats

    @property
    def cohorts(self) -> Ints:
        """Indices of the half-terms at which some unit starts, in order."""
        found: Ints = np.unique(self.adoption[self.adoption < NEVER])
        return found


def adoption_index(codes: Sequence[float | int | None], periods: Sequence[int]) -> tuple[int | None, ...]:
    """First treated periods in any library's code to indices in ``periods``, None for never.

    Missing, NaN, infinite, 0 and -1 (where no period is so called), and any period after the last are never within the
    panel. Raises :class:`EstimateError` for another code that is no period.
    """
    place = {int(period): n for n, period in enumerate(periods)}
    if sorted(place) != list(place):
        raise EstimateError("periods must be in order, none twice")
    found: list[int | None] = []
    for code in codes:
        if code is None or (isinstance(code, float) and not math.isfinite(code)) or code > max(place):
            found.append(None)
        elif code in place:
            found.append(place[int(code)])
        elif code in (0, -1):
            found.append(None)
        else:
            raise EstimateError(
                f"adoption {code:g} is no period of the panel ({periods[0]} to {periods[-1]}); expected one of them, "
                "or missing, infinite, 0 or a later one for a unit that never starts"
            )
    return tuple(found)


def staggered(panel: SchoolPanel, *, weights: Weighting = "pupils", anticipation: int = 0) -> Staggered:
    """The panel, balanced, without the units that no effect can be measured for.

    Balance: a unit needs a figure in every half-term of its block (those at which at least half of the block has one),
    else it is dropped and counted; nothing is filled in. Units treated from the first half-term on have no half-term
    before it and are dropped and counted.

    Raises :class:`EstimateError` where fewer than 2 units are left, none of them starts, or ``anticipation`` is not a
    whole number from 0.
    """
    if anticipation < 0 or anticipation != int(anticipation):
        raise EstimateError(f"anticipation {anticipation}: expected a whole number of half-terms, 0 or more")
    names, block = _codes(panel.blocks)
    known: Bools = panel.denominator > 0
    adoption = np.array([NEVER if each is None else each for each in panel.adoption], dtype=np.int64)
    early = adoption <= anticipation
    opens = np.stack([_open(known, (block == y) & ~early) for y in range(len(names))])
    opens_ever = np.array([bool(own.any()) for own in opens])
    whole = (known | ~opens[block]).all(axis=1) & opens_ever[block]
    kept = whole & ~early
    told = (
        ("treated_from_the_first_half_term_on", int(early.sum())),
        ("no_figure_in_some_half_term", int((~whole & ~early).sum())),
    )
    if kept.sum() < 2 or not (adoption[kept] < NEVER).any():
        raise EstimateError(
            f"{int(kept.sum())} of {len(kept)} units have figures throughout and a half-term before they start; "
            "at least 2 are needed, one of them with a start within the panel"
        )
    at = np.flatnonzero(kept)
    clusters, cluster = _codes([panel.clusters[n] for n in at])
    by = panel.weights(weights)[at]
    own = adoption[at]
    never = bool((own == NEVER).any())
    return Staggered(
        values=np.where(opens[block[at]], np.nan_to_num(panel.values[at]), 0.0),
        open=opens,
        adoption=own,
        cluster=cluster,
        block=block[at],
        weights=by / by.mean(),
        clusters=clusters,
        blocks=names,
        units=tuple(panel.units[n] for n in at),
        periods=panel.periods,
        last=len(panel.periods) if never else max(int(own.max()) - anticipation, 0),
        left_out=tuple(LeftOut(what="units", reason=why, n=n, of=len(kept)) for why, n in told if n),
        history=np.empty((len(at), 0)),
    )


def long_rows(study: Staggered, *, never: float, covariates: Floats | None = None) -> pd.DataFrame:
    """The panel as the libraries want it, one row a unit and half-term: unit, time (from 1), adoption, y, ...

    ``never`` is the library's own code of a unit without a start. Half-terms from ``study.last`` on are left out: all
    are treated by then. Covariates (n, k) become x0, x1, ...
    """
    n, periods = len(study.units), study.last
    own = np.where(study.adoption < periods, study.adoption + 1, never).astype(np.float64)
    columns = {
        "unit": np.repeat(np.arange(n), periods),
        "time": np.tile(np.arange(1, periods + 1), n),
        "adoption": np.repeat(own, periods),
        "y": study.values[:, :periods].ravel(),
        "cluster": np.repeat(study.cluster, periods),
        "weight": np.repeat(study.weights, periods),
    }
    extra = np.empty((n, 0)) if covariates is None else covariates
    for k in range(extra.shape[1]):
        columns[f"x{k}"] = np.repeat(extra[:, k], periods)
    return pd.DataFrame(columns)


def seed_of(rng: np.random.Generator) -> int:
    """A seed for a library that takes no generator, drawn from ours."""
    return int(rng.integers(0, 2**31 - 1))


def _open(known: Bools, own: Bools) -> Bools:
    """(T,) half-terms at which half of a block's units, or more, have a figure."""
    found: Bools = 2 * known[own].sum(axis=0) >= max(int(own.sum()), 1)
    return found


def _codes(labels: Sequence[str]) -> tuple[tuple[str, ...], Ints]:
    names, codes = np.unique(np.asarray(labels, dtype=object).astype(str), return_inverse=True)
    return tuple(str(name) for name in names), codes.astype(np.int64)
