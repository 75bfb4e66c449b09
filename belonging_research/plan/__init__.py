"""The analysis plan: parsed, validated, hashed before outcomes are read; secrecy policies as data.

A plan is TOML. Every fault is one :class:`PlanError` that names the key, what was expected and how to mend it;
values a user typed are shown only where they are words of the plan itself.
"""

from __future__ import annotations

from belonging_research.plan.contents import Plan
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
    Target,
    Treated,
)
from belonging_research.plan.reading import load_plan, read_plan
from belonging_research.plan.values import Better, Method, OutcomeUnit, Role, same_name

__all__ = [
    "POLICIES",
    "Better",
    "Design",
    "DonorRule",
    "EstimatorSettings",
    "Event",
    "Exclusion",
    "Look",
    "Method",
    "OutcomePlan",
    "OutcomeUnit",
    "Plan",
    "Role",
    "SchoolLayer",
    "SecrecyPolicy",
    "Target",
    "Treated",
    "load_plan",
    "read_plan",
    "same_name",
]
