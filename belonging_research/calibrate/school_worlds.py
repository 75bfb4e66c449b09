"""Worlds of schools in which every verdict must hold: a made-up county each, and the check that ought to notice.

The quick county of :mod:`simulate.county` draws them without marks: schools by half-terms or, where the trap is in
pupils (who leaves, who moves, how a cohort ages), a followed cohort of them, by baseline school and year group. Not
here: who answers a survey and who is found to be a young carer, since the school layer gives no verdict about either;
and the change of register codes, since there are no registers. Tests show these on whole counties.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from belonging_research.errors import PlanError
from belonging_research.plan import Plan, SchoolLayer
from belonging_research.simulate.county import COUNTY_WORLDS as COUNTIES
from belonging_research.simulate.county import CountyWorld as County
from belonging_research.simulate.county import PupilPaths

ABSENCE, SUSPENSIONS = "overall_absence_rate", "pupils_with_one_or_more_suspensions_rate"
# What the quick county counts. It has no pupils, so pupils suspended are stood for by their suspensions, which are more
# uneven.
COUNTED = frozenset({ABSENCE, SUSPENSIONS, "suspension_rate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolWorld:
    """One made-up county of schools and the question that is asked of it.

    ``outcome``: which finding a row is of; ``catcher``: the check of schools that ought to notice what is wrong,
    ``"inference"`` where the allocation of starts has to bear it; ``fair``: comparing pyramids that start apart is
    right on average. ``drift``: percentage points of absence by which a school that will start departs from the others
    each year, from the first half-term on, up or down. ``uneven_suspensions``: shape k of a negative binomial a school
    and half-term, and the share of schools that never suspend; None leaves them as the county has them. ``pupils``:
    what pupils do who are followed; None draws schools without pupils.
    """

    name: str
    sentence: str
    county: County
    outcome: str = ABSENCE
    catcher: str = "inference"
    fair: bool = True
    drift: float = 0.0
    uneven_suspensions: tuple[float, float] | None = None
    pupils: PupilPaths | None = None

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
        name="by_need", county=COUNTIES["by_need"], catcher="history", fair=False,
        sentence="Pyramids whose absence had risen most in the year before started first, and came back slowly.",
    ),
    SchoolWorld(
        name="odd_base_year", county=COUNTIES["odd_base_year"], catcher="history", fair=False,
        sentence="Pyramids that had risen most in an odd year started first, and the next year took much of it back.",
    ),
    SchoolWorld(name="all_treated", county=COUNTIES["all_treated"],
                sentence="Every pyramid starts in the end, and absence falls everywhere by 8 in 100 a year."),
    SchoolWorld(
        name="uneven_suspensions", county=_NULL, outcome=SUSPENSIONS, uneven_suspensions=(0.3, 0.3),
        sentence="Suspensions are as uneven as can be: three schools in ten never suspend, the others in bursts.",
    ),
    SchoolWorld(
        name="drift_small", county=_NULL, catcher="pre_trends", fair=False, drift=0.1,
        sentence="Schools that would start drifted from the others by 0.1 points of absence a year all along.",
    ),
    SchoolWorld(
        name="drift_large", county=_NULL, catcher="pre_trends", fair=False, drift=0.2,
        sentence="Schools that would start drifted from the others by 0.2 points of absence a year all along.",
    ),
    SchoolWorld(
        name="drift_of_a_point", county=_NULL, catcher="pre_trends", fair=False, drift=1.0,
        sentence="Schools that would start drifted from the others by a whole point of absence a year all along.",
    ),
    SchoolWorld(
        name="leavers", county=_NULL, pupils=PupilPaths(leavers=0.01), catcher="exits", fair=False,
        sentence="One pupil in a hundred, absent six half-days in ten, left the data where schools started, none did "
        "elsewhere.",
    ),
    SchoolWorld(
        name="ageing", county=_NULL, pupils=PupilPaths(young_where_started=0.5),
        sentence="Absence rises by 0.4 points a year group, and for each older pupil pyramids that started had half as "
        "many below Year 7.",
    ),
    SchoolWorld(
        name="movers", county=_NULL, pupils=PupilPaths(movers=0.02),
        sentence="Two in a hundred of those aged 11 or more a year, the more absent first, moved from pyramids that "
        "had started to ones that never did, and were absent there as before.",
    ),
    SchoolWorld(
        name="many_movers_come_more", county=_NULL, pupils=PupilPaths(movers=0.10, moved_absence=0.5),
        catcher="spill_over", fair=False,
        sentence="Ten in a hundred of those aged 11 or more a year moved from pyramids that had started to ones that "
        "never did, and there missed half as much.",
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
