"""The frozen result of one estimate, its unit and its uncertainty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from belonging_research.tables import Phase, Source

Unit = Literal["proportion", "per_100_pupils", "log_ratio"]
Inference = Literal["placebo", "randomisation", "wild_bootstrap", "analytic", "exact", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPoint:
    """One period of the treated unit beside its comparison, in the estimate's level unit (a rate).

    In the school layer the period is half-terms since the start, ``low`` to ``high`` is what is predicted within one
    band for the whole path, and ``n_started`` schools are set beside ``n_beside``; None elsewhere, and where the path
    is measured from, with no effect of its own.
    """

    period: str
    event_time: int
    actual: float
    predicted: float
    low: float | None
    high: float | None
    n_started: int | None = None
    n_beside: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectable:
    """The shift that a design notices 4 times in 5, both signs, and how that was found."""

    value: float
    alpha: float
    critical: float
    n_reference: int
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One estimated effect: treated unit less what its comparison predicts.

    ``value``, ``intervals``, ``detectable*`` are in ``unit`` (0.25 percentage points is .0025; log ratios
    are natural logs of actual over predicted), in the outcome's own direction. ``intervals`` maps a level
    (``"0.95"``) to (low, high), all inverted from the same reference as ``p_value``.
    ``placebos`` are the scaled errors of the reference units, one a unit, in ``placebo_units``' order.
    ``actual`` and ``predicted`` are levels of the treated unit over the post years (proportions). ``imbalance`` is
    the gap to the comparison over the base years, in SDs of the units' own base levels (None where not defined).
    ``counted`` holds what an exact ratio rests on, events and exposure of both sides: it stays inside the door.
    """

    outcome: str
    unit: Unit
    estimand: str
    method: str
    layer: str
    phase: Phase
    subgroup: str | None
    source: Source
    base: tuple[str, ...]
    post: tuple[str, ...]
    plan_digest: str
    panel_digest: str
    value: float
    actual: float
    predicted: float
    std_error: float
    p_value: float
    intervals: Mapping[str, tuple[float, float]]
    inference: Inference
    n_reference: int
    n_treated: int
    n_units: int
    n_clusters: int | None
    n_pupils: int | None
    detectable: float | None
    detectable_05: float | None
    detectable_realised_05: float | None
    power_at_sesoi: float | None
    type_m: float | None
    detectable_how: str
    weights: Mapping[str, float]
    path: tuple[PathPoint, ...]
    registered: bool
    placebo_units: tuple[str, ...] = ()
    placebos: tuple[float, ...] = ()
    imbalance: float | None = None
    counted: tuple[tuple[int, int], tuple[float, float]] | None = None
    notes: tuple[str, ...] = field(default=())
