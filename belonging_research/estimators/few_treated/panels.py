"""What every kind of inference here reads of a panel, and refuses of one."""

from __future__ import annotations

import numpy as np

from belonging_research.errors import EstimateError
from belonging_research.estimators.weights import Bools, Floats, check_units

# Equal sums added in another order differ by rounding; within this share of the largest they are ties.
SAME = 1e-12


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


def changes(outcomes: Floats, n_pre: int) -> Floats:
    """Each unit's mean after the start less its mean before it, (n,)."""
    change: Floats = outcomes[:, n_pre:].mean(axis=1) - outcomes[:, :n_pre].mean(axis=1)
    return change


def difference(change: Floats, treated: Bools) -> float:
    """Mean change of the treated less that of the untreated, from (n,) changes and (n,) flags."""
    return float(change[treated].mean() - change[~treated].mean())


def check_panel(outcomes: Floats, n_pre: int, treated: Bools) -> None:
    """Refuse, by :class:`EstimateError`, nobody or everybody treated, wrong shapes, gaps, no period on either side."""
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


def check_few(outcomes: Floats, n_pre: int, treated: Bools) -> None:
    """As :func:`check_panel`, and no more untreated than treated units, or untreated that all change alike."""
    check_panel(outcomes, n_pre, treated)
    n_treated, n_controls = int(treated.sum()), int((~treated).sum())
    if n_controls <= n_treated:
        raise EstimateError(
            f"{n_treated} treated and {n_controls} untreated units: placebo groups of {n_treated} are judged against "
            "the untreated units that are left, so more untreated than treated are needed"
        )
    change = changes(outcomes, n_pre)[~treated]
    if np.ptp(change) <= SAME * float(np.abs(outcomes).max()):
        raise EstimateError(
            f"all {n_controls} untreated units change alike, so they show no spread to judge an effect by; is the "
            "outcome constant?"
        )


def check_sizes(sizes: Floats, treated: Bools) -> None:
    """Refuse, by :class:`EstimateError`, sizes of another shape than the flags, missing, or not above 0."""
    if sizes.shape != treated.shape:
        raise EstimateError(f"expected one size a unit; found {sizes.shape} sizes for {treated.shape} units")
    wrong = ~(np.isfinite(sizes) & (sizes > 0))
    if wrong.any():
        raise EstimateError(
            f"{np.count_nonzero(wrong)} of {len(sizes)} sizes are missing or not above 0 "
            f"({np.count_nonzero(wrong & treated)} of treated units); a unit's size is needed to scale its change: "
            "leave out units without one"
        )


def check_draws(draws: int) -> None:
    """Refuse, by :class:`EstimateError`, fewer than 1 draw."""
    if draws < 1:
        raise EstimateError(f"{draws} draws: at least 1 is needed, and 1,999 give p-values in steps of 1 in 2,000")
