"""Other estimators of staggered starts, as checks on the registered one. None decides anything."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyfixest
from diff_diff import ImputationDiD

from belonging_research.errors import EstimateError
from belonging_research.estimators.staggered.conversion import Staggered, long_rows, staggered
from belonging_research.estimators.weights import Floats
from belonging_research.panel.schools import SchoolPanel

# As Stata's xtreg: effects nested in the clusters are not counted. Stated, since packages differ by an eighth.
_SMALL_SAMPLE = {"k_adj": True, "k_fixef": "nonnested", "G_adj": True, "G_df": "conventional"}
_COEFFICIENT = re.compile(r"rel_time::(?P<event>-?\d+)\.0:first_treated_period::(?P<group>\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherEstimate:
    """A check's overall effect in the outcome's unit with its cluster-robust error; ``note`` says what it is."""

    method: str
    value: float
    std_error: float
    n_units: int
    note: str


def imputation(panel: SchoolPanel) -> OtherEstimate:
    """Borusyak, Jaravel & Spiess (2024): untreated half-terms impute the treated ones; diff-diff, units weighted alike.

    Raises :class:`EstimateError` for blocks (it would compare across year groups) or where the library refuses.
    """
    study = _one_block(panel, "imputation")
    rows = long_rows(study, never=0)
    found: Any = _translated(
        lambda: ImputationDiD(cluster="cluster").fit(
            rows, outcome="y", unit="unit", time="time", first_treat="adoption"
        ),
        "imputation",
    )
    return OtherEstimate(
        method="imputation",
        value=float(found.overall_att),
        std_error=float(found.overall_se),
        n_units=len(study.units),
        note="every half-term since a start counts alike",
    )


def sun_abraham(panel: SchoolPanel) -> OtherEstimate:
    """Sun & Abraham (2021): effects of each cohort by event time, averaged by those treated; pyfixest, saturated.

    Compared with units that have no start among the half-terms used. Raises as :func:`imputation`.
    """
    study = _one_block(panel, "Sun and Abraham")
    rows = long_rows(study, never=0)
    rows["adoption"] = rows["adoption"].astype(int)
    fitted: Any = _translated(lambda: _saturated(rows), "Sun and Abraham")
    names, values = list(fitted.coef().index), fitted.coef().to_numpy()
    covariance = np.asarray(fitted._vcov)
    weight = _treated_weights(names, study)
    return OtherEstimate(
        method="sun_abraham",
        value=float(weight @ values),
        std_error=float(np.sqrt(weight @ covariance @ weight)),
        n_units=len(study.units),
        note="half-terms since a start, by those treated; units without a start are the comparison",
    )


def two_way_fixed_effects(panel: SchoolPanel) -> OtherEstimate:
    """The two-way fixed-effects coefficient: a diagnostic, never an estimate.

    With effects that differ by time or cohort it compares starters with earlier starters and may have the wrong sign
    (Goodman-Bacon 2021). Raises as :func:`imputation`.
    """
    study = _one_block(panel, "two-way fixed effects")
    rows = long_rows(study, never=0)
    rows["started"] = ((rows["adoption"] > 0) & (rows["time"] >= rows["adoption"])).astype(float)
    fitted: Any = _translated(
        lambda: pyfixest.feols("y ~ started | unit + time", rows, vcov={"CRV1": "cluster"}, ssc=_SMALL_SAMPLE),
        "two-way fixed effects",
    )
    return OtherEstimate(
        method="two_way_fixed_effects",
        value=float(fitted.coef()["started"]),
        std_error=float(fitted.se()["started"]),
        n_units=len(study.units),
        note="diagnostic only: earlier starters serve as comparison, so effects that change over time bias it",
    )


def _one_block(panel: SchoolPanel, name: str) -> Staggered:
    study = staggered(panel)
    if len(study.blocks) > 1 or not study.open.all():
        raise EstimateError(
            f"{name} would compare across the {len(study.blocks)} year groups of this panel, or has half-terms without "
            "figures; use the school panel of all enrolments"
        )
    if not (study.adoption < study.last).any():
        raise EstimateError(f"{name}: nobody starts while somebody has not yet; nothing can be compared")
    return study


def _translated(fit: Callable[[], Any], name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyfixest's own deprecations under pandas 3
        try:
            return fit()
        except (ValueError, RuntimeError, KeyError, np.linalg.LinAlgError) as refused:
            raise EstimateError(f"{name} could not be fitted ({type(refused).__name__} in the library)") from None


def _saturated(rows: pd.DataFrame) -> Any:
    return pyfixest.event_study(
        rows, yname="y", idname="unit", tname="time", gname="adoption", cluster="cluster", estimator="saturated"
    )


def _treated_weights(names: list[str], study: Staggered) -> Floats:
    """(k,) shares of the coefficients from the start on, by how many units of their cohort there are."""
    weight = np.zeros(len(names))
    for n, name in enumerate(names):
        found = _COEFFICIENT.fullmatch(name)
        if found is None:
            raise EstimateError("Sun and Abraham: pyfixest named a coefficient in a way that is not known here")
        if float(found["event"]) >= 0:
            weight[n] = np.count_nonzero(study.adoption == int(found["group"]) - 1)
    shares: Floats = weight / weight.sum()
    return shares
