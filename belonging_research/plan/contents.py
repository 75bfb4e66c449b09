"""A plan as a whole, and the rules that its parts keep among themselves.

Every fault names its key, what was found and what is expected.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import json
import math
from typing import Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from belonging_research.errors import CommandError, PlanError
from belonging_research.plan.parts import (
    POLICIES,
    Design,
    DonorRule,
    EstimatorSettings,
    Event,
    Exclusion,
    Look,
    OutcomePlan,
    SchoolLayer,
    SecrecyPolicy,
    Strict,
    Target,
    Treated,
)
from belonging_research.plan.values import Method, Period, same_name, too_large
from belonging_research.tables import academic_year, first_year, shift_year
from belonging_research.tables.faults import FAULTS, FaultPolicy


class Plan(Strict):
    """A study, frozen. ``digest`` is the hash of everything in it, so spacing and comments do not count.

    ``negative_controls`` are published measures that the treatment could not move (Lipsitch et al. 2010): a change in
    one of them speaks against the comparison. None may be an outcome that the plan tests.
    """

    schema_: Literal["belonging-plan/1"] = Field(alias="schema")
    study: str = Field(pattern=r"^[a-z][a-z0-9_]{2,40}$")
    title: str
    place: str
    country: str
    layer: Literal["county", "school"]
    simulated: bool
    registered: dt.date | None = None
    seed: int = Field(ge=0)
    policy: Literal["as_published", "council", "dfe"]
    base: tuple[Period, ...] = Field(min_length=1)
    post: tuple[Period, ...] = Field(min_length=1)
    outcomes_seen: tuple[Period, ...] = ()
    treated: tuple[Treated, ...] = Field(min_length=1)
    excluded: tuple[Exclusion, ...] = ()
    donors: DonorRule
    outcomes: tuple[OutcomePlan, ...] = Field(min_length=1)
    designs: tuple[Design, ...] = Field(min_length=1)
    looks: tuple[Look, ...] = Field(min_length=1)
    estimator: EstimatorSettings
    checks: tuple[str, ...] = ()
    negative_controls: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    faults: dict[str, FaultPolicy] = Field(default_factory=dict)
    targets: tuple[Target, ...] = ()
    contact: str = ""
    schools: SchoolLayer | None = None

    @field_validator("base", "post", "outcomes_seen")
    @classmethod
    def _consecutive_years(cls, periods: tuple[str, ...]) -> tuple[str, ...]:
        for period in periods:
            try:
                academic_year(period)
            except Exception:
                raise ValueError(f"{period} is not an academic year such as 2024/25") from None
        if list(periods) != sorted(set(periods)):
            raise ValueError("periods must be in order, none twice")
        return periods

    @field_validator("faults")
    @classmethod
    def _known_faults(cls, faults: dict[str, FaultPolicy]) -> dict[str, FaultPolicy]:
        for name, policy in faults.items():
            if name not in FAULTS:
                raise ValueError(f"{name} is no fault that is looked for; there are {', '.join(FAULTS)}")
            may_be = FAULTS[name].may_be
            if policy not in may_be:
                raise ValueError(f"{name} cannot be {policy}; choose {' or '.join(may_be)}")
        return faults

    @model_validator(mode="after")
    def _consistent(self) -> Plan:
        names = [outcome.name for outcome in self.outcomes]
        _refuse(len(names) != len(set(names)), "outcomes", "an outcome is listed twice")
        _refuse(
            first_year(max(self.base)) >= first_year(min(self.post)),
            "base",
            "every base year must come before the first post year",
        )
        self._sound_years()
        self._sound_schools()
        self._sound_places()
        self._sound_sizes()
        for number, treated in enumerate(self.treated):
            start = treated.start.year - (treated.start.month < 8)
            _refuse(
                start != first_year(self.post[0]),
                f"treated.{number}.start",
                "the start must fall in the first post year",
            )
        registered = [design for design in self.designs if design.registered]
        _refuse(len(registered) != 1, "designs", "exactly one design must have registered = true")
        self._sound_controls()
        years = [look.report_year for look in self.looks]
        _refuse(years != sorted(set(years)), "looks", "looks must be in order, one a report year")
        spent = math.fsum(look.alpha for look in self.looks)
        _refuse(spent > 0.05 + 1e-9, "looks", f"alphas add up to {spent:.3g}; at most 0.05")
        for number, look in enumerate(self.looks):
            for name in look.outcomes:
                role = next((o.role for o in self.outcomes if o.name == name), None)
                _refuse(
                    role != "primary",
                    f"looks.{number}.outcomes",
                    f"{name} is not a primary outcome of this plan",
                )
        return self

    def _sound_years(self) -> None:
        for before, after in itertools.pairwise(self.post):
            _refuse(after != shift_year(before, 1), "post", f"{after} does not follow {before}; leave no year out")
        last = self.post[-1]
        for seen in self.outcomes_seen:
            _refuse(seen > last, "outcomes_seen", f"{seen} is after the last post year, {last}; take it out")
        for number, look in enumerate(self.looks):
            _refuse(
                look.report_year not in self.post,
                f"looks.{number}.report_year",
                f"{look.report_year} is no post year of this plan; expected one of {', '.join(self.post)}",
            )

    def _sound_schools(self) -> None:
        layer = self.schools
        if layer is None:
            return
        _refuse(
            layer.baseline != self.base[-1],
            "schools.baseline",
            f"{layer.baseline} is not the last base year, {self.base[-1]}; pupils are followed from there",
        )
        for number, year in enumerate(layer.post):
            _refuse(year not in self.post, f"schools.post.{number}", f"{year} is no post year of this plan")
        names = [each.name for each in layer.outcomes]
        _refuse(len(names) != len(set(names)), "schools.outcomes", "an outcome is listed twice")
        _refuse(
            not any(each.role == "primary" for each in layer.outcomes), "schools.outcomes", "none is primary; mark one"
        )
        for number, each in enumerate(layer.outcomes):
            slip = too_large(each.unit, each.sesoi)
            _refuse(slip is not None, f"schools.outcomes.{number}.sesoi", f"{slip}")

    def _sound_places(self) -> None:
        treated = {each.unit for each in self.treated}
        for number, each in enumerate(self.excluded):
            _refuse(
                each.unit in treated,
                f"excluded.{number}.unit",
                f"{each.unit} is the treated council, which cannot be excluded; take it out of one of the two",
            )
        for number, unit in enumerate(self.donors.bordering):
            _refuse(
                unit in treated,
                f"donors.bordering.{number}",
                f"{unit} is the treated council, which does not border itself; take it out",
            )
        if len(self.treated) == 1:
            name = self.treated[0].name
            _refuse(
                not same_name(self.place, name),
                "place",
                f"found {self.place}, expected the treated council, which treated.0.name calls {name}",
            )

    def _sound_sizes(self) -> None:
        for number, each in enumerate(self.outcomes):
            slip = too_large(each.unit, each.sesoi)
            _refuse(slip is not None, f"outcomes.{number}.sesoi", f"{slip}")

    def _sound_controls(self) -> None:
        controls, tested = self.negative_controls, {o.name for o in self.outcomes if o.role != "exploratory"}
        _refuse(len(controls) != len(set(controls)), "negative_controls", "a control is listed twice")
        for number, name in enumerate(controls):
            _refuse(name in tested, f"negative_controls.{number}", f"{name} is tested by this plan, so no control")
        _refuse(
            "negative_control" in self.checks and not controls,
            "negative_controls",
            "none is listed, but checks has negative_control; list one, or take the check out",
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the plan's content, 64 hex characters."""
        # A plan without a school layer keeps the digest that it had before there was one.
        without = {"schools"} if self.schools is None else set()
        content = self.model_dump(mode="json", by_alias=True, exclude=without)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def policy_of(self, layer: str) -> SecrecyPolicy:
        """What may leave of a layer's figures: a council's own, of schools or pupils, have a policy of their own."""
        own = None if layer == "county" else self.schools
        return POLICIES[self.policy if own is None else own.policy]

    @property
    def of_schools(self) -> Plan:
        """The study's school layer as a plan of its own: its outcomes, checks, one look and secrecy policy.

        Raises
        ------
        PlanError
            If the study has none.
        """
        layer = self.schools
        if layer is None:
            raise PlanError(f"plan {self.study}: has no [schools]; add that part, or ask the county layer alone.")
        look = Look(
            report_year=layer.post[-1],
            alpha=layer.alpha,
            outcomes=tuple(each.name for each in layer.outcomes if each.role == "primary"),
            due=layer.due,
        )
        return self.model_copy(
            update={
                "layer": "school",
                "policy": layer.policy,
                "post": layer.post,
                "outcomes": layer.outcomes,
                "designs": (Design(layer="school", method="group_time_effects", registered=True),),
                "looks": (look,),
                "checks": layer.checks,
                "schools": None,
            }
        )

    @property
    def method(self) -> Method:
        """The registered method."""
        return next(design.method for design in self.designs if design.registered)

    def outcome(self, name: str) -> OutcomePlan:
        """The plan of an outcome by its name.

        Raises
        ------
        PlanError
            If the plan does not list it.
        """
        for outcome in self.outcomes:
            if outcome.name == name:
                return outcome
        raise PlanError(f"plan {self.study}: no outcome {name!r}; it lists {', '.join(o.name for o in self.outcomes)}.")

    def refuse_other_year(self, report_year: str) -> None:
        """Refuse a report year that is none of the plan's.

        Raises
        ------
        CommandError
            If it is no post year.
        """
        if report_year not in self.post:
            raise CommandError(
                f"--report-year {report_year}: plan {self.study} has {', '.join(self.post)}. Choose one."
            )

    def look(self, report_year: str) -> Look | None:
        """The look of a report year, or None where nothing is tested that year."""
        return next((look for look in self.looks if look.report_year == report_year), None)

    def alpha(self, report_year: str) -> float:
        """The alpha of this year's look; the strictest of the plan where there is no look."""
        look = self.look(report_year)
        return look.alpha if look else min(each.alpha for each in self.looks)

    def due(self, outcome: str, report_year: str) -> Look | None:
        """The first look at or after ``report_year`` that tests ``outcome`` (secondary: the last look)."""
        role = self.outcome(outcome).role
        if role == "exploratory":
            return None
        if role == "secondary":
            return self.looks[-1] if report_year <= self.looks[-1].report_year else None
        return next((k for k in self.looks if k.report_year >= report_year and outcome in k.outcomes), None)

    def retrospective(self, report_year: str) -> bool:
        """Whether figures of this report year were public before the plan was written."""
        return report_year in self.outcomes_seen

    def rng(self, *key: str) -> np.random.Generator:
        """A generator keyed by what it is for (outcome, method, unit), so order and jobs change nothing."""
        text = "\x1f".join((str(self.seed), *key))
        return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16]))


def _refuse(fault: bool, key: str, message: str) -> None:
    if fault:
        raise ValueError(f"{key}: {message}")
