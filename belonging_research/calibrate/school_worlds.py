"""Worlds of schools in which every verdict must hold: a made-up county each, and the check that ought to notice.

The quick county of :mod:`simulate.county` draws them: schools by half-terms, without pupils or marks. Worlds whose trap
is in pupils are therefore not here: those of high absence who leave, who move to untreated schools, who answer a survey
or are found to be young carers, and the ageing of a fixed cohort. Tests show these on whole counties and panels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from belonging_research.errors import PlanError
from belonging_research.plan import Plan, SchoolLayer
from belonging_research.simulate.county import COUNTY_WORLDS as COUNTIES
from belonging_research.simulate.county import CountyWorld as County

ABSENCE, SUSPENSIONS = "overall_absence_rate", "pupils_with_one_or_more_suspensions_rate"
# What the quick county counts. It has no pupils, so pupils suspended are stood for by their suspensions, which are more
# uneven.
COUNTED = frozenset({ABSENCE, SUSPENSIONS, "suspension_rate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolWorld:
    """One made-up county of schools and the question that is asked of it.

    ``outcome``: which finding a row is of; ``catcher``: the check of schools that ought to notice what is wrong,
    ``"inference"`` where the allocation of starts has to bear it; ``fair``: comparing pyramids that start apart is
    right on average. ``drift``: share of its own absence by which a school that will start departs from the others each
    year, from the first half-term on, up or down. ``uneven_suspensions``: shape k of a negative binomial a school and
    half-term, and the share of schools that never suspend; None leaves them as the county has them.
    """

    name: str
    sentence: str
    county: County
    outcome: str = ABSENCE
    catcher: str = "inference"
    fair: bool = True
    drift: float = 0.0
    uneven_suspensions: tuple[float, float] | None = None

    def does_nothing(self, outcome: str) -> bool:
        """Whether nothing was done to an outcome here."""
        return not self.county.effect if outcome == ABSENCE else self.county.suspension_ratio == 1.0

    @property
    def is_null(self) -> bool:
        """Whether nothing was done to the outcome that a row is of."""
        return self.does_nothing(self.outcome)


_NULL = COUNTIES["nothing_happened"]
_ALL = (
    SchoolWorld(name="nothing_happened", county=_NULL,
                sentence="Nothing was done; starts were drawn by lot among 22 pyramids, three in ten of which never."),
    SchoolWorld(
        name="by_need", county=COUNTIES["by_need"], catcher="pre_trends", fair=False,
        sentence="Pyramids whose absence had risen most in the year before started first, and came back by themselves.",
    ),
    SchoolWorld(name="all_treated", county=COUNTIES["all_treated"],
                sentence="Every pyramid starts in the end, and absence falls everywhere by 8 in 100 a year."),
    SchoolWorld(
        name="uneven_suspensions", county=_NULL, outcome=SUSPENSIONS, uneven_suspensions=(0.3, 0.3),
        sentence="Suspensions are as uneven as can be: three schools in ten never suspend, the others in bursts.",
    ),
    SchoolWorld(
        name="drift_small", county=_NULL, catcher="pre_trends", fair=False, drift=0.05,
        sentence="Schools that would start drifted from the others by a twentieth of their absence a year all along.",
    ),
    SchoolWorld(
        name="drift_large", county=_NULL, catcher="pre_trends", fair=False, drift=0.15,
        sentence="Schools that would start drifted from the others by three twentieths of their absence a year.",
    ),
    SchoolWorld(name="one_point", county=COUNTIES["one_point"],
                sentence="Absence fell by 1 point in schools that started."),
    SchoolWorld(name="half_a_point", county=COUNTIES["half_a_point"],
                sentence="Absence fell by half a point in schools that started."),
    SchoolWorld(name="quarter_of_a_point", county=COUNTIES["quarter_of_a_point"],
                sentence="Absence fell by a quarter of a point in schools that started."),
    SchoolWorld(name="fading", county=COUNTIES["fading"],
                sentence="Absence fell by 1 point in the half-term of the start; each later one lost a fifth of that."),
    SchoolWorld(name="harm", county=COUNTIES["harm"], sentence="Absence rose by 1 point in schools that started."),
    SchoolWorld(
        name="only_the_severe", county=COUNTIES["only_the_severe"],
        sentence="Only pupils who miss half of their time or more came three tenths more of what they missed.",
    ),
    SchoolWorld(name="fewer_suspensions", county=COUNTIES["fewer_suspensions"], outcome=SUSPENSIONS,
                sentence="Schools that started suspended three in ten fewer."),
)  # fmt: skip
SCHOOL_WORLDS: Mapping[str, SchoolWorld] = MappingProxyType({world.name: world for world in _ALL})


def layer_of(plan: Plan) -> SchoolLayer:
    """The school layer of a plan, where made-up schools can be drawn for it.

    Raises :class:`PlanError` without such a layer, where its years are not those of the made-up county (starts from
    2024/25 on, within 2020/21 to 2025/26), or where an outcome that is tested is none that it has.
    """
    layer = plan.schools
    if layer is None:
        raise PlanError(f"plan {plan.study}: has no [schools], so there is no school layer to calibrate.")
    alone = "Calibrate the county layer alone: --only county."
    if layer.baseline != "2023/24" or layer.post[-1] > "2025/26" or plan.base[0] < "2020/21":
        raise PlanError(
            f"plan {plan.study}: made-up schools start in 2024/25 and are drawn from 2020/21 to 2025/26, but "
            f"schools.baseline is {layer.baseline}, base starts in {plan.base[0]} and schools.post ends in "
            f"{layer.post[-1]}. {alone}"
        )
    unknown = [each.name for each in layer.outcomes if each.role != "exploratory" and each.name not in COUNTED]
    if unknown:
        raise PlanError(
            f"plan {plan.study}: made-up schools have no {' and no '.join(unknown)}; there is "
            f"{', '.join(sorted(COUNTED))}. {alone}"
        )
    return layer
