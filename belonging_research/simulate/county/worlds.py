"""What is true in a made-up county, and which trap an analysis can fall into there.

Worlds follow the list in which every verdict must hold: clean effects of several sizes, and truths of nought beside
something that looks like an effect (regression to the mean, leavers, ageing, a common trend, movers).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from belonging_research.errors import PlanError
from belonging_research.tables import year_label

# Academic year and half-term in which each group of pyramids begins. The place in this tuple is the group's number
# everywhere in this package; one past the last stands for never.
STARTS: tuple[tuple[str, int], ...] = (("2024/25", 1), ("2024/25", 3), ("2024/25", 5), ("2025/26", 1))
NEVER = len(STARTS)
HALF_TERMS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class CountyWorld:
    """What is true of one county. Absence effects are proportions of a pupil's own absence: -0.1 is a tenth less.

    ``effect_by_start``: what ``effect`` is multiplied by for each of :data:`STARTS`; ``interventions``: what pyramids
    begin with, each one of them, in turn within a start and the lot; ``effect_by_intervention``: what ``effect`` is
    multiplied by for each; ``effect_fsm``: for pupils ever
    eligible for free school meals; ``effect_from_absence``: pupils whose untreated rate is below it have none.
    ``build_up``: half-terms until the whole effect; ``fade``: share of it lost with each half-term after that.
    ``suspension_ratio``: share of suspensions that still happen at treated schools (at most 1).
    ``timing``: pyramids by lot, or those first whose absence had risen most in the year before (regression to the
    mean). ``school_change_sd``: SD between schools, in percentage points, of the change of a school's expected
    absence from one year to the next, the chance of pupils and days apart. ``passing_year_sd``: SD between pyramids, in
    percentage points, of what one academic year does to their schools' absence and the next takes back.
    ``common_trend``: log change a year of absence in every school from the first start on.
    ``high_absence_leavers``: share of a treated school's roll, those absent most, that leaves it in its first
    half-term; ``movers_to_untreated``: share of its pupils aged 11 or more a year with a managed move to a
    never-treated pyramid. ``carers_identified``: what the number of young carers identified a year is multiplied by
    from the first start. ``response``: share answering the survey among those absent less than a tenth and the others.
    ``belonging_shift``: effect on belonging, in standard deviations.
    Raises :class:`PlanError` for a share, ratio, effect or number of years that cannot be.
    ``fair`` says whether a design that compares groups of pyramids over time holds; ``catcher`` what ought to notice.
    """

    name: str
    n_pupils: int = 45_000
    n_schools: int = 160
    n_pyramids: int = 22
    first_period: int = 2020
    n_periods: int = 6
    share_never: float = 0.3
    timing: Literal["drawn_by_lot", "by_need"] = "drawn_by_lot"
    effect: float = 0.0
    effect_by_start: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    interventions: tuple[str, ...] = ("Belonging programme",)
    effect_by_intervention: tuple[float, ...] = (1.0,)
    effect_fsm: float = 1.0
    effect_from_absence: float = 0.0
    build_up: int = 1
    fade: float = 0.0
    suspension_ratio: float = 1.0
    school_change_sd: float = 1.0
    passing_year_sd: float = 0.0
    common_trend: float = 0.0
    high_absence_leavers: float = 0.0
    movers_to_untreated: float = 0.0
    carers_identified: float = 1.0
    response: tuple[float, float] = (0.9, 0.4)
    belonging_shift: float = 0.0
    fair: bool = True
    catcher: str | None = None

    def __post_init__(self) -> None:
        limits = {"suspension_ratio": (0, 1), "share_never": (0, 1), "effect": (-1, 1), "n_periods": (1, 30)}
        for name, (low, high) in limits.items():
            found = getattr(self, name)
            if not low <= found <= high:
                raise PlanError(f"world {self.name}: {name} is {found}; expected {low} to {high}.")
        named, sizes = len(set(self.interventions)), len(self.effect_by_intervention)
        if not named or named != len(self.interventions) or sizes != named:
            raise PlanError(
                f"world {self.name}: {len(self.interventions)} interventions, {named} of them different, and {sizes} "
                "sizes of effect; expected at least one, no name twice and a size for each."
            )

    @property
    def periods(self) -> tuple[str, ...]:
        """Academic years of the county's registers, oldest first."""
        return tuple(year_label(self.first_period + n) for n in range(self.n_periods))

    @property
    def treated_starts(self) -> tuple[int | None, ...]:
        """The half-term of each of :data:`STARTS`, counted from 0 at the first of the first period.

        None where it lies outside ``periods``: that group of pyramids is not treated while anybody looks.
        """
        places = [
            self.periods.index(period) * HALF_TERMS + number - 1 if period in self.periods else None
            for period, number in STARTS
        ]
        return tuple(places)


# What a council's log tells apart: in a county of 22 pyramids each of three is begun in five.
_THREE = ("Belonging programme", "Peer mentoring", "Trusted adult")
_CLEAN = CountyWorld(name="one_point", effect=-0.135)
_NULL = CountyWorld(name="nothing_happened")

COUNTY_WORLDS: Mapping[str, CountyWorld] = MappingProxyType(
    {
        world.name: world
        for world in (
            CountyWorld(
                name="known_effect", effect=-0.12, effect_by_start=(1.25, 1.0, 1.0, 0.75), effect_fsm=1.3, build_up=2,
                suspension_ratio=0.8, belonging_shift=0.15, interventions=_THREE,
                effect_by_intervention=(1.0, 1.0, 1.0),
            ),
            _NULL,
            _CLEAN,
            replace(_CLEAN, name="half_a_point", effect=-0.0675),
            replace(_CLEAN, name="quarter_of_a_point", effect=-0.034),
            replace(_CLEAN, name="fading", build_up=1, fade=0.2),
            replace(_CLEAN, name="harm", effect=0.135),
            replace(
                _CLEAN, name="one_of_two_works", effect=-0.27, interventions=_THREE[:2],
                effect_by_intervention=(1.0, 0.0),
            ),
            replace(_CLEAN, name="only_the_severe", effect=-0.3, effect_from_absence=0.5),
            replace(_NULL, name="fewer_suspensions", suspension_ratio=0.7),
            replace(_NULL, name="by_need", timing="by_need", fair=False, catcher="base year"),
            replace(
                _NULL, name="odd_base_year", timing="by_need", passing_year_sd=0.5, fair=False, catcher="base year"
            ),
            replace(_NULL, name="all_treated", share_never=0.0, common_trend=-0.08, catcher="unsupported cells"),
            replace(_NULL, name="high_absence_leavers", high_absence_leavers=0.01, catcher="fixed cohort and bounds"),
            replace(_NULL, name="movers_to_untreated", movers_to_untreated=0.02, catcher="flows between pyramids"),
            replace(_NULL, name="young_carers_identified", carers_identified=3.0, catcher="first-identified groups"),
        )
    }
)  # fmt: skip
