"""Worlds in which every verdict must hold: what is true in each, and the check that ought to notice what is wrong.

Magnitudes in percentage points of overall absence, from councils' published series: transitory noise that falls with
size, shocks that stay, regions that move together, councils that come back from an odd year.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Years = tuple[float, float, float]
NOTHING: Years = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountyWorld:
    """One made-up country and what is true of its treated council. All in percentage points unless said.

    ``effect``: change of its overall absence in each of three post years, with ``effect_in_detectable`` times what
    the design can notice added; ``catcher``: the check that ought to notice what is wrong, ``"inference"`` where the
    placebos have to bear it, None for the one world that nothing can catch. ``fair``: the comparison is right on
    average. ``noise``: variance of the passing noise, a constant and a part in inverse proportion to 47,000 pupils.

    What only the treated council meets: ``odd_base_year`` (chosen for a rise of at least that in the last base year),
    ``region_shock`` (its region's in the last base year, and since), ``drift`` a year from three years before the
    start, ``drift_after`` a year since the start, ``joining`` (what schools that newly send registers add to the daily
    series), ``unsettled`` (what the year's last two snapshots lack), ``recoding`` (half-days that only its registers
    put under another code).
    """

    name: str
    sentence: str
    effect: Years = NOTHING
    effect_in_detectable: float = 0.0
    severe_only: bool = False
    catcher: str | None = "inference"
    fair: bool = True
    councils: int = 112
    walk: float = 0.08
    region_walk: float = 0.06
    noise: tuple[float, float] = (0.002, 0.010)
    tails: Literal["normal", "t5"] = "normal"
    odd_base_year: float = 0.0
    region_shock: tuple[float, float] = (0.0, 0.0)
    drift: float = 0.0
    drift_after: float = 0.0
    joining: float = 0.0
    unsettled: float = 0.0
    recoding: float = 0.0
    outcomes_together: bool = False

    @property
    def is_null(self) -> bool:
        """Whether nothing was done to absence here."""
        return self.effect == NOTHING and not self.effect_in_detectable


_ALL = (
    CountyWorld(name="nothing_happened", sentence="Nothing was done, and the comparison is fair."),
    CountyWorld(
        name="odd_base_year",
        sentence="The council was chosen after a year in which its absence had risen by 0.35 points, and comes back.",
        odd_base_year=0.35, noise=(0.02, 0.02), catcher="base_year", fair=False,
    ),
    CountyWorld(
        name="region_shock",
        sentence="Its whole region rose by 0.25 points before the start and fell by 0.20 after.",
        region_shock=(0.25, -0.20), region_walk=0.14, catcher="leave_one_region", fair=False,
    ),
    CountyWorld(
        name="unequal_sizes",
        sentence="Councils of 5,000 to 180,000 pupils, with heavy-tailed noise that falls with size.",
        noise=(0.02, 0.02), tails="t5",
    ),
    CountyWorld(name="lasting_shocks", sentence="Each council's shocks stay: a random walk of 0.13 points a year.",
                walk=0.13, region_walk=0.09),
    CountyWorld(name="drift_small", sentence="It was drifting by 0.1 points a year before anything began.",
                drift=0.1, catcher="false_start", fair=False),
    CountyWorld(name="drift_large", sentence="It was drifting by 0.2 points a year before anything began.",
                drift=0.2, catcher="false_start", fair=False),
    CountyWorld(
        name="schools_joining",
        sentence="A tenth more of its schools sent registers, with 2 points more absence; the census is not out.",
        joining=0.2, catcher="coverage", fair=False,
    ),
    CountyWorld(
        name="unsettled_snapshots",
        sentence="The last two snapshots miss half a point of its absence; the census is not out.",
        unsettled=-0.5, catcher="settled", fair=False,
    ),
    CountyWorld(
        name="recoded_registers",
        sentence="Only its registers moved 0.3 points of absence to another code in August 2024.",
        recoding=-0.3, catcher="code_bridge", fair=False,
    ),
    CountyWorld(
        name="many_outcomes",
        sentence="Six outcomes whose noise goes together (correlation 0.5), looked at three times.",
        outcomes_together=True,
    ),
    CountyWorld(
        name="drift_after_the_start",
        sentence="Something else moved it by 0.3 points a year from the start on. Nothing can catch this.",
        drift_after=0.3, catcher=None, fair=False,
    ),
    CountyWorld(name="effect_0.25", sentence="Absence fell by 0.25 points because of what was done.",
                effect=(-0.25, -0.25, -0.25)),
    CountyWorld(name="effect_0.5", sentence="Absence fell by 0.5 points because of what was done.",
                effect=(-0.5, -0.5, -0.5)),
    CountyWorld(name="effect_1.0", sentence="Absence fell by 1 point because of what was done.",
                effect=(-1.0, -1.0, -1.0)),
    CountyWorld(name="effect_detectable", sentence="Absence fell by as much as the design notices 4 times in 5.",
                effect_in_detectable=-1.0),
    CountyWorld(name="effect_twice_detectable", sentence="Absence fell by twice what the design notices 4 times in 5.",
                effect_in_detectable=-2.0),
    CountyWorld(name="effect_fading", sentence="Absence fell by 1 point, then by half a point, then not at all.",
                effect=(-1.0, -0.5, 0.0)),
    CountyWorld(name="harm", sentence="Absence rose by 0.75 points because of what was done.",
                effect=(0.75, 0.75, 0.75)),
    CountyWorld(name="only_the_severe", sentence="Only severe absence fell, by 0.3 points; overall absence by 0.15.",
                effect=(-0.15, -0.15, -0.15), severe_only=True),
)  # fmt: skip
COUNTY_WORLDS: Mapping[str, CountyWorld] = MappingProxyType({world.name: world for world in _ALL})
