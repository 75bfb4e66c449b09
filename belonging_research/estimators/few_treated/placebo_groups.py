"""Groups of untreated units in the treated units' place (Conley & Taber 2011; Ferman & Pinto 2019)."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from belonging_research.errors import EstimateError
from belonging_research.estimators.few_treated.panels import (
    SAME,
    changes,
    check_draws,
    check_few,
    check_sizes,
    difference,
)
from belonging_research.estimators.placebo import alpha_of, fit_size_variance, interval, placebo_p, size_scale
from belonging_research.estimators.weights import Bools, Floats

Ints = NDArray[np.intp]
Reference = Literal["conley_taber", "ferman_pinto"]


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
    check_few(outcomes, n_pre, treated)
    change = changes(outcomes, n_pre)
    groups = placebo_groups(int((~treated).sum()), int(treated.sum()), rng=rng, draws=draws)
    residual = change[~treated] - change[~treated].mean()
    reference = group_effects(residual, np.ones(groups.shape[1]), groups)
    return _judged(difference(change, treated), reference, treated, "conley_taber")


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
    check_few(outcomes, n_pre, treated)
    check_sizes(sizes, treated)
    change = changes(outcomes, n_pre)
    groups = placebo_groups(int((~treated).sum()), int(treated.sum()), rng=rng, draws=draws)
    scaled, scales = scaled_residuals(change[~treated] - change[~treated].mean(), sizes[~treated], sizes[treated])
    return _judged(difference(change, treated), group_effects(scaled, scales, groups), treated, "ferman_pinto")


def placebo_groups(n_controls: int, k: int, *, rng: np.random.Generator, draws: int) -> Ints:
    """Places of k among the untreated without replacement, (d, k): each group once where there are few, else drawn.

    Drawing more often than there are groups would promise p-values that the untreated cannot bear.
    """
    check_draws(draws)
    if k == 1:
        return np.arange(n_controls)[:, None]
    if math.comb(n_controls, k) <= draws:
        every = np.array(list(itertools.combinations(range(n_controls), k)), dtype=np.intp)
        # Which of a group stands for which treated unit is left to chance.
        return rng.permuted(every, axis=1)
    return drawn_places(n_controls, k, rng, draws)


def drawn_places(n: int, k: int, rng: np.random.Generator, draws: int) -> Ints:
    """k of n places at random without replacement, ``draws`` times, (draws, k)."""
    places: Ints = rng.permuted(np.tile(np.arange(n), (draws, 1)), axis=1)[:, :k]
    return places


def scaled_residuals(residual: Floats, sizes: Floats, treated_sizes: Floats) -> tuple[Floats, Floats]:
    """Untreated residuals over their scales, (J,), and the treated units' scales, (k,)."""
    variance = fit_size_variance(residual, sizes)
    return residual / size_scale(variance, sizes), size_scale(variance, treated_sizes)


def group_effects(residual: Floats, scales: Floats, groups: Ints) -> Floats:
    """The effect of each placebo group against the untreated that are not in it, (d,).

    ``residual``: (J,); ``scales``: (k,) of the treated units, each drawn unit standing for one; ``groups``: (d, k).
    """
    n_controls, k = len(residual), len(scales)
    effects: Floats = residual[groups] @ scales * (n_controls / ((n_controls - k) * k))
    return effects


def with_ties(reference: Floats, effect: float) -> Floats:
    """The reference with what equals the effect but for rounding made equal: ties count against a finding."""
    near = np.abs(np.abs(reference) - abs(effect)) <= SAME * max(float(np.abs(reference).max()), abs(effect))
    tied: Floats = np.where(near, np.copysign(effect, reference), reference)
    return tied


def _judged(effect: float, reference: Floats, treated: Bools, method: Reference) -> FewTreatedEffect:
    reference = with_ties(reference, effect)
    return FewTreatedEffect(
        effect=effect,
        p_value=placebo_p(effect, 1.0, reference),
        floor=1 / (len(reference) + 1),
        method=method,
        n_treated=int(treated.sum()),
        n_controls=int((~treated).sum()),
        reference=reference,
    )
