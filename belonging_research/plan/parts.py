"""The parts of a plan: each a small frozen model that refuses what it does not know."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from belonging_research.plan.values import Better, Method, Month, OutcomeUnit, Period, Role, UnitCode


class Strict(BaseModel):
    """Frozen, without unknown keys, and silent about the values that were given."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, strict=True)


class SecrecyPolicy(Strict):
    """What may leave the house. ``pupils`` and ``schools`` are the smallest counts shown; 0 means no limit.

    ``as_published``: figures that the publisher already printed, to two decimals. ``council``: the default for
    council data. ``dfe``: the Department's own rule for absence and exclusions statistics (1 and 2 hidden).
    """

    name: str
    pupils: int
    schools: int
    round_counts_to: int
    rate_decimals: int


POLICIES: dict[str, SecrecyPolicy] = {
    "as_published": SecrecyPolicy(name="as_published", pupils=0, schools=0, round_counts_to=1, rate_decimals=2),
    "council": SecrecyPolicy(name="council", pupils=10, schools=3, round_counts_to=5, rate_decimals=1),
    "dfe": SecrecyPolicy(name="dfe", pupils=3, schools=0, round_counts_to=5, rate_decimals=1),
}


class Treated(Strict):
    """A treated unit and the first day of its treatment."""

    unit: UnitCode
    name: str
    start: dt.date


class Exclusion(Strict):
    """A unit that may not be a donor, and why."""

    unit: UnitCode
    reason: Annotated[str, Field(min_length=3)]


class DonorRule(Strict):
    """Who may serve as comparison: complete in base and post, no footprint change since a year."""

    footprint_unchanged_since: Period
    low_response: float = Field(ge=0, le=1)
    moved_response: float = Field(ge=0, le=1)
    bordering: tuple[UnitCode, ...] = ()


class OutcomePlan(Strict):
    """An outcome, its role, the direction that is better, and the smallest effect of interest in ``unit``."""

    name: str
    label: str
    unit: OutcomeUnit
    role: Role
    domain: str
    better: Better
    sesoi: float = Field(gt=0)


class Design(Strict):
    """A method for a layer; exactly one of a layer is the registered one, the others are checks."""

    layer: Literal["county", "school", "pupil"]
    method: Method
    registered: bool


class Look(Strict):
    """A report year at which primaries are tested, at which alpha, and when it is due."""

    report_year: Period
    alpha: float = Field(gt=0, lt=0.5)
    outcomes: tuple[str, ...] = Field(min_length=1)
    due: Month


class EstimatorSettings(Strict):
    """The penalty rule of the registered estimator, in squared percentage points (Ben-Michael et al. 2021).

    Predictors are the fortnights of the last pre-year and the annual rates of the ``history_years`` before the
    start that have figures, which carry ``history_weight`` times the fortnights' total weight. ``penalty_path``
    is the range over which the annex shows the answer.
    """

    simplex_penalty: float = Field(ge=0)
    augmentation_penalty: float = Field(gt=0)
    history_years: int = Field(ge=1, le=10)
    history_weight: float = Field(gt=0)
    penalty_path: tuple[float, ...] = ()
    neighbours: int = Field(ge=2, le=30)


class Event(Strict):
    """Something else that happened to the treated place only, and when: a caution for every finding."""

    name: str
    when: str
    source: str


class Target(Strict):
    """A target the council registered; without one no page says that a target was met."""

    outcome: str
    period: Period
    value: float


class SchoolLayer(Strict):
    """What a study asks of a council's own schools: starts that differ between them, judged once.

    ``post`` are academic years from the first start on; the pupils on roll at the January census of ``baseline`` are
    followed. ``history``: overall absence is compared at equal absence before anybody started, so that a school that
    stood high and comes back is not taken for one that was helped. ``draws``: allocations of starts that judge the real
    one. ``policy`` guards the council's own figures.
    """

    outcomes: tuple[OutcomePlan, ...] = Field(min_length=1)
    baseline: Period
    post: tuple[Period, ...] = Field(min_length=1)
    alpha: float = Field(gt=0, le=0.05)
    due: Month
    comparison: Literal["not_yet_treated", "never_treated"] = "not_yet_treated"
    anticipation: int = Field(default=0, ge=0, le=6)
    history: bool = False
    draws: int = Field(default=1999, ge=199)
    checks: tuple[str, ...] = ()
    policy: Literal["council", "dfe"] = "council"
