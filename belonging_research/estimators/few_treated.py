"""Difference-in-differences where few councils are treated from one common start, and inference fit for that.

The effect is the treated units' mean change (mean after the start less mean before it, units weighted alike) less the
untreated units' mean change; in a whole panel this is the two-way fixed-effects coefficient. Cluster-robust errors
learn each group's spread from that group. With few treated units the regression fits these units itself and takes
what is left for their spread (with one: nothing), so it "finds" effects where there are none; it is refused here.
Placebo inference learns the spread of the treated from the untreated instead, as if these had been treated.

Every p-value and interval below that is not cluster-robust counts the ranks of one reference, so p <= a exactly when
the interval at level 1 - a leaves 0 out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import t as student_t

from belonging_research.errors import EstimateError
from belonging_research.estimators.placebo import alpha_of, fit_size_variance, interval, placebo_p, size_scale
from belonging_research.estimators.weights import Bools, Floats, check_units

Ints = NDArray[np.intp]
Reference = Literal["conley_taber", "ferman_pinto"]

FEWEST_TREATED = 20
SIZE_TABLE = pa.schema(
    [
        ("n_treated", pa.int64()),
        ("method", pa.string()),
        ("n_draws", pa.int64()),
        ("rejected", pa.float64()),
        ("mcse", pa.float64()),
    ]
)

_MOST_SIGN_VECTORS = 2**16
# Equal sums added in another order differ by rounding; within this share of the largest they are ties.
_SAME = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class FewTreatedEffect:
    """One effect beside the effects of placebo groups, all in the outcomes' unit.

    ``reference``: (d,) placebo groups' effects at the treated units' own sizes; ``floor``: 1/(d + 1), the smallest
    p-value there can be. Ties with the effect count against a finding. Functions of
    :mod:`~belonging_research.estimators.placebo` that take ``z`` and ``scale`` take ``reference`` and 1.
    """

    effect: float
    p_value: float
    floor: float
    method: Reference
    n_treated: int
    n_controls: int
    reference: Floats

    @property
    def n_draws(self) -> int:
        """How many placebo groups the reference counts."""
        return len(self.reference)

    def interval(self, level: float) -> tuple[float, float]:
        """Effects that the placebo groups do not reject at 1 - ``level``, (low, high).

        0 lies outside exactly when ``p_value <= 1 - level``. Raises :class:`EstimateError` where 1 - level lies
        under the floor, and so no effect could be noticed.
        """
        alpha = alpha_of(level)
        if self.n_treated > 1 and 0 < alpha < self.floor:
            raise EstimateError(
                f"an interval at {level:g} from {self.n_draws} placebo groups of {self.n_treated}: the smallest "
                f"p-value is {self.floor:.3g}; ask for {math.ceil(1 / alpha) - 1} draws or more (and enough untreated "
                "units to give as many groups), or a lower level"
            )
        return interval(self.effect, 1.0, self.reference, level)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRobustEffect:
    """The two-way fixed-effects coefficient with its cluster-robust error, in the outcomes' unit.

    ``degrees``: of freedom of the t distribution, clusters less 1.
    """

    effect: float
    std_error: float
    p_value: float
    degrees: int
    n_treated: int
    n_controls: int

    def interval(self, level: float) -> tuple[float, float]:
        """The t-interval, (low, high). Raises :class:`EstimateError` for a level that is not between 0 and 1."""
        if not 0 < level < 1:
            raise EstimateError(f"level {level:g}: expected a share between 0 and 1, such as 0.95")
        reach = float(student_t.isf(alpha_of(level) / 2, self.degrees)) * self.std_error
        return self.effect - reach, self.effect + reach


def conley_taber(
    outcomes: Floats, n_pre: int, treated: Bools, *, rng: np.random.Generator, draws: int = 1999
) -> FewTreatedEffect:
    """Difference-in-differences judged by groups of as many untreated units (Conley & Taber 2011).

    The reference is the mean change of k untreated units less that of the other J - k, k the number treated: the mean
    of k residual changes, times J/(J - k). The paper lets J grow, which takes that factor to 1. With 20 treated of 150
    it is 1.18, and without it the test is too eager (.088 for .05 in normal data, .053 with it). With k near J it
    errs towards caution (.029 at 20 of 60), with few units the test stays a little eager (.063 at 5 of 30). All units
    are taken to spread alike; where they differ in size use :func:`ferman_pinto`.

    Parameters
    ----------
    outcomes
        (n, T), first ``n_pre`` periods before the start.
    treated
        (n,) True for the treated units, whose outcomes enter no reference.
    rng
        Draws the groups. With one treated unit each untreated unit counts once, and it is not used.
    draws
        Most groups to count with more than one treated; where there are no more groups than that, each counts once.
        p = (1 + as extreme)/(1 + groups counted).

    Raises
    ------
    EstimateError
        For wrong shapes, gaps, no period on either side, nobody treated, nobody or no more untreated than treated,
        untreated units that all change alike, fewer than 1 draw.
    """
    _check_few(outcomes, n_pre, treated)
    change = _changes(outcomes, n_pre)
    groups = _groups(int((~treated).sum()), int(treated.sum()), rng=rng, draws=draws)
    residual = change[~treated] - change[~treated].mean()
    reference = _group_effects(residual, np.ones(groups.shape[1]), groups)
    return _judged(_effect(change, treated), reference, treated, "conley_taber")


def ferman_pinto(
    outcomes: Floats, n_pre: int, treated: Bools, sizes: Floats, *, rng: np.random.Generator, draws: int = 1999
) -> FewTreatedEffect:
    """As :func:`conley_taber`, untreated changes rescaled to the treated units' own sizes (Ferman & Pinto 2019).

    Each drawn untreated unit stands for one treated unit: its residual change over its scale times that treated unit's
    scale, s(n)^2 = a0 + b0/n fitted on the untreated alone
    (:func:`~belonging_research.estimators.placebo.fit_size_variance`). With equal sizes, and a generator in the same
    state, equal to Conley & Taber's.

    ``sizes``: (n,), positive (possible half-days, pupils). Raises :class:`EstimateError` as that does, and for a size
    that is missing or not above 0, or fewer than 4 untreated units (a spread that varies with size needs them).
    """
    _check_few(outcomes, n_pre, treated)
    _check_sizes(sizes, treated)
    change = _changes(outcomes, n_pre)
    groups = _groups(int((~treated).sum()), int(treated.sum()), rng=rng, draws=draws)
    scaled, scales = _scaled(change[~treated] - change[~treated].mean(), sizes[~treated], sizes[treated])
    return _judged(_effect(change, treated), _group_effects(scaled, scales, groups), treated, "ferman_pinto")


def cluster_robust(
    outcomes: Floats, n_pre: int, treated: Bools, *, fewest: int = FEWEST_TREATED
) -> ClusterRobustEffect:
    """Two-way fixed-effects difference-in-differences, errors clustered by unit (CRV1), t with n - 1 degrees.

    CRV1 is Liang & Zeger's (1986) sandwich times n/(n - 1) x (N - 1)/(N - K), N = n T, K = T + 1: the unit effects,
    nested in the clusters, are not counted (as Stata's xtreg and pyfixest do).

    Refused with fewer than ``fewest`` treated or untreated units: with one treated unit it rejects a true null about 8
    times in 10 (Conley & Taber 2011; MacKinnon & Webb 2017; :func:`size_table`).

    ``outcomes``: (n, T); ``treated``: (n,). Raises :class:`EstimateError` for that, wrong shapes, gaps, no period on
    either side, or no spread of changes within the two groups.
    """
    _check(outcomes, n_pre, treated)
    n_treated, n_controls = int(treated.sum()), int((~treated).sum())
    if min(n_treated, n_controls) < fewest:
        raise EstimateError(
            f"cluster-robust inference with {n_treated} treated and {n_controls} untreated unit(s): it needs at least "
            f"{fewest} of each, and with fewer finds effects where there are none; use placebo inference (Ferman & "
            "Pinto, or Conley & Taber)"
        )
    change = _changes(outcomes, n_pre)
    error = _cluster_error(outcomes, change, treated)
    effect, degrees = _effect(change, treated), len(outcomes) - 1
    return ClusterRobustEffect(
        effect=effect,
        std_error=error,
        p_value=float(_two_sided(np.array(effect / error), degrees)),
        degrees=degrees,
        n_treated=n_treated,
        n_controls=n_controls,
    )


def unguarded_cluster_p(outcomes: Floats, n_pre: int, treated: Bools) -> float:
    """The cluster-robust p-value without the refusal: to show how wrong it is with few treated, never to report.

    Raises :class:`EstimateError` as :func:`cluster_robust`, but for the number of units.
    """
    _check(outcomes, n_pre, treated)
    change = _changes(outcomes, n_pre)
    error = _cluster_error(outcomes, change, treated)
    return float(_two_sided(np.array(_effect(change, treated) / error), len(outcomes) - 1))


def wild_cluster_bootstrap_p(
    outcomes: Floats, n_pre: int, treated: Bools, *, rng: np.random.Generator, draws: int = 9999
) -> float:
    """P-value of the restricted wild cluster bootstrap-t, Rademacher signs by unit (Cameron, Gelbach & Miller 2008).

    Residuals of the regression without the effect keep or change their sign, a unit at a time; the p-value is the
    share of these worlds whose |t| (CRV1) reaches the real one. Up to 2^16 sign vectors (16 units) each counts once,
    the real one among them, so p is at least 2/2^n and ``rng`` is not used; beyond that p = (1 + as extreme)/(1 +
    ``draws``). Ties count against a finding, and so do worlds without any spread.

    Not a way around the refusal of :func:`cluster_robust`: with one or two treated units it hardly ever rejects a true
    null, and so misses effects that placebo groups notice (MacKinnon & Webb 2017).

    ``outcomes``: (n, T); ``treated``: (n,). Raises :class:`EstimateError` as :func:`unguarded_cluster_p`, and for
    fewer than 1 draw.
    """
    _check(outcomes, n_pre, treated)
    _check_draws(draws)
    change = _changes(outcomes, n_pre)
    _cluster_error(outcomes, change, treated)  # refuses where the real t has no denominator
    residual = change - change.mean()
    n = len(residual)
    exact = 2**n <= _MOST_SIGN_VECTORS
    # Turning every sign gives the same |t|, so the first unit may keep its own.
    signs = np.column_stack([np.ones(2 ** (n - 1)), _sign_vectors(n - 1)]) if exact else _drawn_signs(draws, n, rng)
    effects, variances = _effects_and_variances(signs * residual, treated)
    effect, variance = (each[0] for each in _effects_and_variances(residual[None, :], treated))
    # Products instead of ratios, so that a world without spread is a tie, not a division by 0.
    extreme = np.count_nonzero(effects**2 * variance >= effect**2 * variances * (1 - 1e-9))
    return float(extreme / len(signs) if exact else (1 + extreme) / (1 + draws))


def false_start(outcomes: Floats, n_pre: int) -> tuple[Floats, int]:
    """The same panel one period early, for any function here: the last period before the start as if after it.

    Returns the (n, ``n_pre``) outcomes before the start and ``n_pre`` - 1. Raises :class:`EstimateError` for fewer
    than 2 periods before the start.
    """
    if n_pre < 2:
        raise EstimateError(
            f"a false start needs 2 periods before the start, one to stand after it; this design has {n_pre}. Add an "
            "earlier year, or state that the design cannot be tested before its start"
        )
    return outcomes[:, :n_pre], n_pre - 1


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
    _check_draws(draws)
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
    change = _changes(rates, n_pre)
    n, k = len(change), sets.shape[1]
    groups = _groups(n - k, k, rng=rng, draws=reference_draws)
    p_values = np.empty((3, len(sets)))
    for place, chosen in enumerate(sets):
        treated = np.zeros(n, dtype=bool)
        treated[chosen] = True
        # In an order of their own each time, so that one table of places gives each set groups of its own.
        others = rng.permutation(np.flatnonzero(~treated))
        effect = _effect(change, treated)
        residual = change[others] - change[others].mean()
        p_values[0, place] = effect / _cluster_error(rates, change, treated)
        alike = _ties(_group_effects(residual, np.ones(k), groups), effect)
        by_size = _ties(_group_effects(*_scaled(residual, sizes[others], sizes[chosen]), groups), effect)
        p_values[1, place], p_values[2, place] = placebo_p(effect, 1.0, alike), placebo_p(effect, 1.0, by_size)
    p_values[0] = _two_sided(p_values[0], n - 1)
    return dict(zip(("cluster_robust", "conley_taber", "ferman_pinto"), p_values, strict=True))


def _changes(outcomes: Floats, n_pre: int) -> Floats:
    """Each unit's mean after the start less its mean before it, (n,)."""
    change: Floats = outcomes[:, n_pre:].mean(axis=1) - outcomes[:, :n_pre].mean(axis=1)
    return change


def _effect(change: Floats, treated: Bools) -> float:
    return float(change[treated].mean() - change[~treated].mean())


def _scaled(residual: Floats, sizes: Floats, treated_sizes: Floats) -> tuple[Floats, Floats]:
    """Untreated residuals over their scales, (J,), and the treated units' scales, (k,)."""
    variance = fit_size_variance(residual, sizes)
    return residual / size_scale(variance, sizes), size_scale(variance, treated_sizes)


def _group_effects(residual: Floats, scales: Floats, groups: Ints) -> Floats:
    """The effect of each placebo group against the untreated that are not in it, (d,).

    ``residual``: (J,); ``scales``: (k,) of the treated units, each drawn unit standing for one; ``groups``: (d, k).
    """
    n_controls, k = len(residual), len(scales)
    effects: Floats = residual[groups] @ scales * (n_controls / ((n_controls - k) * k))
    return effects


def _judged(effect: float, reference: Floats, treated: Bools, method: Reference) -> FewTreatedEffect:
    reference = _ties(reference, effect)
    return FewTreatedEffect(
        effect=effect,
        p_value=placebo_p(effect, 1.0, reference),
        floor=1 / (len(reference) + 1),
        method=method,
        n_treated=int(treated.sum()),
        n_controls=int((~treated).sum()),
        reference=reference,
    )


def _ties(reference: Floats, effect: float) -> Floats:
    """The reference with what equals the effect but for rounding made equal: ties count against a finding."""
    near = np.abs(np.abs(reference) - abs(effect)) <= _SAME * max(float(np.abs(reference).max()), abs(effect))
    tied: Floats = np.where(near, np.copysign(effect, reference), reference)
    return tied


def _groups(n_controls: int, k: int, *, rng: np.random.Generator, draws: int) -> Ints:
    """Places of k among the untreated without replacement, (d, k): each group once where there are few, else drawn.

    Drawing more often than there are groups would promise p-values that the untreated cannot bear.
    """
    _check_draws(draws)
    if k == 1:
        return np.arange(n_controls)[:, None]
    if math.comb(n_controls, k) <= draws:
        every = np.array(list(itertools.combinations(range(n_controls), k)), dtype=np.intp)
        # Which of a group stands for which treated unit is left to chance.
        return rng.permuted(every, axis=1)
    return _drawn(n_controls, k, rng, draws)


def _sets(pool: Ints, k: int, rng: np.random.Generator, draws: int) -> Ints:
    """Sets of k units of the pool, (number of sets, k)."""
    if math.comb(len(pool), k) <= draws:
        return np.array(list(itertools.combinations(pool, k)), dtype=np.intp)
    return pool[_drawn(len(pool), k, rng, draws)]


def _drawn(n: int, k: int, rng: np.random.Generator, draws: int) -> Ints:
    places: Ints = rng.permuted(np.tile(np.arange(n), (draws, 1)), axis=1)[:, :k]
    return places


def _cluster_error(outcomes: Floats, change: Floats, treated: Bools) -> float:
    """The CRV1 error of the coefficient, from the (n,) changes of the (n, T) outcomes; refused where only rounding.

    What the sandwich comes to with one start and no gaps: the regression fits each group's mean change, so a unit's
    score is its change about its own group's mean.
    """
    variance = float(_effects_and_variances(change[None, :], treated)[1][0])
    if variance <= (_SAME * float(np.abs(outcomes).max())) ** 2:
        raise EstimateError(
            "all treated units change alike and all untreated units change alike, so nothing shows how far chance "
            "moves them; is the outcome constant?"
        )
    n, rows = len(change), outcomes.size
    return math.sqrt(variance * n / (n - 1) * (rows - 1) / (rows - outcomes.shape[1] - 1))


def _effects_and_variances(changes: Floats, treated: Bools) -> tuple[Floats, Floats]:
    """Effect and sandwich variance (no small-sample factor) of each row of changes, (d, n) to (d,) each."""
    effects, variances = np.zeros(len(changes)), np.zeros(len(changes))
    for sign, group in ((1.0, changes[:, treated]), (-1.0, changes[:, ~treated])):
        mean = group.mean(axis=1)
        effects += sign * mean
        variances += ((group - mean[:, None]) ** 2).sum(axis=1) / group.shape[1] ** 2
    return effects, variances


def _two_sided(t_values: Floats, degrees: int) -> Floats:
    p_values: Floats = 2 * student_t.sf(np.abs(t_values), degrees)
    return p_values


def _sign_vectors(n: int) -> Floats:
    """Every vector of n signs, (2^n, n)."""
    bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    return np.asarray(1.0 - 2.0 * bits, dtype=np.float64)


def _drawn_signs(draws: int, n: int, rng: np.random.Generator) -> Floats:
    return np.asarray(1.0 - 2.0 * rng.integers(0, 2, size=(draws, n)), dtype=np.float64)


def _check(outcomes: Floats, n_pre: int, treated: Bools) -> None:
    known = treated.dtype == np.bool_ and treated.shape == outcomes.shape[:1]
    if known and not treated.any():
        raise EstimateError(f"none of {len(treated)} units is treated; name the treated units in the plan")
    if known and treated.all():
        raise EstimateError(
            f"all {len(treated)} units are treated, so no untreated unit shows what would have happened without "
            "treatment; add units that are not treated"
        )
    check_units(outcomes, ~treated, what="outcomes")
    if not 1 <= n_pre < outcomes.shape[1]:
        raise EstimateError(
            f"{n_pre} of {outcomes.shape[1]} periods lie before the start: at least one each side is needed"
        )


def _check_few(outcomes: Floats, n_pre: int, treated: Bools) -> None:
    _check(outcomes, n_pre, treated)
    n_treated, n_controls = int(treated.sum()), int((~treated).sum())
    if n_controls <= n_treated:
        raise EstimateError(
            f"{n_treated} treated and {n_controls} untreated units: placebo groups of {n_treated} are judged against "
            "the untreated units that are left, so more untreated than treated are needed"
        )
    change = _changes(outcomes, n_pre)[~treated]
    if np.ptp(change) <= _SAME * float(np.abs(outcomes).max()):
        raise EstimateError(
            f"all {n_controls} untreated units change alike, so they show no spread to judge an effect by; is the "
            "outcome constant?"
        )


def _check_sizes(sizes: Floats, treated: Bools) -> None:
    if sizes.shape != treated.shape:
        raise EstimateError(f"expected one size a unit; found {sizes.shape} sizes for {treated.shape} units")
    wrong = ~(np.isfinite(sizes) & (sizes > 0))
    if wrong.any():
        raise EstimateError(
            f"{np.count_nonzero(wrong)} of {len(sizes)} sizes are missing or not above 0 "
            f"({np.count_nonzero(wrong & treated)} of treated units); a unit's size is needed to scale its change: "
            "leave out units without one"
        )


def _check_draws(draws: int) -> None:
    if draws < 1:
        raise EstimateError(f"{draws} draws: at least 1 is needed, and 1,999 give p-values in steps of 1 in 2,000")


def _check_size_draw(rates: Floats, n_pre: int, sizes: Floats, pool: Ints, k: int) -> None:
    """One draw stands for all: what the checks ask of a set depends on how many units it has."""
    if not 1 <= k <= len(pool):
        raise EstimateError(f"{k} treated of {len(pool)} units to draw from: at least 1, and no more than there are")
    treated = np.zeros(len(rates), dtype=bool)
    treated[pool[:k]] = True
    _check_few(rates, n_pre, treated)
    _check_sizes(sizes, treated)
