"""Outcomes compared at equal history: less what a school's own past, the same before every start, predicts of them.

A school whose absence stood high in the last half-term before anybody started comes back whatever is done. Outcomes of
each half-term are regressed, within blocks and by weight, on what lies before every start (:func:`with_history`), and
the residuals stand in their place. Since the past is the same whichever allocation was drawn, permuting starts of the
residuals of outcomes less a constant effect gives exact p-values (Rosenbaum 2002, Covariance adjustment in randomized
experiments and observational studies, Statistical Science 17(3)), however poor the prediction.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from belonging_research.estimators.staggered.conversion import Staggered, staggered
from belonging_research.estimators.weights import Bools, Floats
from belonging_research.panel.schools import SchoolPanel, Weighting


def study_of_starts(panel: SchoolPanel, *, weights: Weighting, anticipation: int, history: bool) -> Staggered:
    """The panel as :func:`staggered` has it, compared at equal ``history`` where that is asked. Raises as it does."""
    study = staggered(panel, weights=weights, anticipation=anticipation)
    return with_history(study, anticipation=anticipation) if history else study


def with_history(study: Staggered, *, anticipation: int) -> Staggered:
    """The study compared at equal history: of each unit, from its block's mean by weight, its rate in the last
    half-term before anybody started or anticipated it, and its mean over all half-terms until then, as far as its block
    has them. Both are before every start, so they are the same whichever allocation was drawn.
    """
    first = int(study.cohorts[0]) - anticipation
    there = study.open[study.block][:, :first]
    place = np.where(there, np.arange(first), -1).max(axis=1)
    last = np.where(place >= 0, study.values[np.arange(len(place)), place], 0.0)
    mean = study.values[:, :first].sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    own = np.column_stack([last, mean])
    total = np.zeros((len(study.blocks), 3))
    np.add.at(total, study.block, study.weights[:, None] * np.column_stack([own, np.ones(len(own))]))
    return replace(study, history=own - (total[:, :2] / total[:, 2:])[study.block])


def less_history(study: Staggered, values: Floats, aside: Bools | None = None) -> Floats:
    """``values`` (n, T) less their regression on the study's history, a half-term at a time; as they are without one.

    By weight and within blocks. ``aside`` (n, T): not among what the slopes are found from, the same under every
    allocation that is compared.
    """
    past = study.history
    if not past.shape[1]:
        return values
    there = study.open[study.block]
    weights = study.weights[:, None] * (there if aside is None else there & ~aside)
    known = np.concatenate([values[:, :, None], np.broadcast_to(past[:, None, :], (*values.shape, past.shape[1]))], 2)
    total, sums = np.zeros((len(study.blocks), values.shape[1])), np.zeros((len(study.blocks), *known.shape[1:]))
    np.add.at(total, study.block, weights)
    np.add.at(sums, study.block, weights[:, :, None] * known)
    from_mean = known - (sums / np.where(total > 0, total, 1.0)[:, :, None])[study.block]
    products = np.einsum("nt,ntk,ntl->tkl", weights, from_mean[:, :, 1:], from_mean)
    # A generalised inverse: with one half-term before, the last is the mean.
    slopes = np.einsum("tkl,tl->kt", np.linalg.pinv(products[:, :, 1:], rcond=1e-9, hermitian=True), products[:, :, 0])
    return np.where(there, values - past @ slopes, values)
