"""How often each kind of inference finds an effect where there is none, by number of treated units."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from belonging_research.errors import EstimateError
from belonging_research.estimators.few_treated.clusters import cluster_error, two_sided_p
from belonging_research.estimators.few_treated.panels import changes, check_draws, check_few, check_sizes, difference
from belonging_research.estimators.few_treated.placebo_groups import (
    Ints,
    drawn_places,
    group_effects,
    placebo_groups,
    scaled_residuals,
    with_ties,
)
from belonging_research.estimators.placebo import placebo_p
from belonging_research.estimators.weights import Bools, Floats

SIZE_TABLE = pa.schema(
    [
        ("n_treated", pa.int64()),
        ("method", pa.string()),
        ("n_draws", pa.int64()),
        ("rejected", pa.float64()),
        ("mcse", pa.float64()),
    ]
)


def size_table(
    rates: Floats,
    n_pre: int,
    sizes: Floats,
    *,
    rng: np.random.Generator,
    n_treated: Sequence[int] = (1, 2, 5, 10, 20),
    draws: int = 1000,
    reference_draws: int = 999,
    alpha: float = 0.05,
    among: Bools | None = None,
) -> pa.Table:
    """How often each method finds an effect at ``alpha`` where nobody was treated.

    ``n_treated`` units are drawn at random and called treated; residuals, scales and references come from the others.
    Where there are no more sets of units than ``draws`` (as with one), each counts once.

    With one treated unit, Conley & Taber's share over *all* units is near alpha by construction (ranks in one pool);
    what tells the methods apart is the share ``among`` units of one kind, say the smallest. The Monte Carlo error is
    that of the draws in this one stretch of years; another stretch has shocks of its own.

    Parameters
    ----------
    rates, sizes
        (n, T) outcomes without any effect, first ``n_pre`` periods before the pretended start; (n,) positive.
    reference_draws
        Placebo groups in each reference, at most.
    among
        (n,) True for the units that may be drawn as treated; all by default. The others stay untreated.

    Returns
    -------
    Table
        :data:`SIZE_TABLE`: n_treated, method (``cluster_robust``, ``conley_taber``, ``ferman_pinto``), n_draws,
        rejected (share of p <= alpha), mcse (its Monte Carlo standard error).

    Raises
    ------
    EstimateError
        As the estimators do, for the largest of ``n_treated``, and for too few units ``among``.
    """
    if among is not None and among.shape != sizes.shape:
        raise EstimateError(f"expected one true-or-false flag a unit; found {among.shape} for {sizes.shape} units")
    pool = np.arange(len(rates)) if among is None else np.flatnonzero(among)
    for k in n_treated:
        _check_size_draw(rates, n_pre, sizes, pool, k)
    check_draws(draws)
    rows: list[dict[str, object]] = []
    for k in n_treated:
        sets = _sets(pool, k, rng, draws)
        found = _p_values_without_effect(rates, n_pre, sizes, sets, rng, reference_draws)
        for method, p_values in found.items():
            share = float((p_values <= alpha).mean())
            error = math.sqrt(share * (1 - share) / len(p_values))
            rows.append({"n_treated": k, "method": method, "n_draws": len(p_values), "rejected": share, "mcse": error})
    return pa.Table.from_pylist(rows, schema=SIZE_TABLE)


def _p_values_without_effect(
    rates: Floats, n_pre: int, sizes: Floats, sets: Ints, rng: np.random.Generator, reference_draws: int
) -> dict[str, Floats]:
    """P-values of each method for each set of units called treated, (number of sets,)."""
    change = changes(rates, n_pre)
    n, k = len(change), sets.shape[1]
    groups = placebo_groups(n - k, k, rng=rng, draws=reference_draws)
    p_values = np.empty((3, len(sets)))
    for place, chosen in enumerate(sets):
        treated = np.zeros(n, dtype=bool)
        treated[chosen] = True
        # In an order of their own each time, so that one table of places gives each set groups of its own.
        others = rng.permutation(np.flatnonzero(~treated))
        effect = difference(change, treated)
        residual = change[others] - change[others].mean()
        p_values[0, place] = effect / cluster_error(rates, change, treated)
        alike = with_ties(group_effects(residual, np.ones(k), groups), effect)
        by_size = with_ties(group_effects(*scaled_residuals(residual, sizes[others], sizes[chosen]), groups), effect)
        p_values[1, place], p_values[2, place] = placebo_p(effect, 1.0, alike), placebo_p(effect, 1.0, by_size)
    p_values[0] = two_sided_p(p_values[0], n - 1)
    return dict(zip(("cluster_robust", "conley_taber", "ferman_pinto"), p_values, strict=True))


def _sets(pool: Ints, k: int, rng: np.random.Generator, draws: int) -> Ints:
    """Sets of k units of the pool, (number of sets, k)."""
    if math.comb(len(pool), k) <= draws:
        return np.array(list(itertools.combinations(pool, k)), dtype=np.intp)
    return pool[drawn_places(len(pool), k, rng, draws)]


def _check_size_draw(rates: Floats, n_pre: int, sizes: Floats, pool: Ints, k: int) -> None:
    """One draw stands for all: what the checks ask of a set depends on how many units it has."""
    if not 1 <= k <= len(pool):
        raise EstimateError(f"{k} treated of {len(pool)} units to draw from: at least 1, and no more than there are")
    treated = np.zeros(len(rates), dtype=bool)
    treated[pool[:k]] = True
    check_few(rates, n_pre, treated)
    check_sizes(sizes, treated)
