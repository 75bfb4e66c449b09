"""Worlds: what is true in a made-up country, and what a check should notice about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is true. Years are academic years (``"2024/25"``).

    ``effect_pp``: change of the treated council's overall absence in percentage points, by year (0 where absent).
    ``suspension_ratio``: what its suspensions, pupils suspended and code E half-days are multiplied by (1 where
    absent). ``unauthorised_part`` and ``illness_part``: shares of the change that are unauthorised, and illness.
    ``fair`` says whether the design's assumptions hold here; ``catcher`` names the check that ought to notice where
    they do not. ``walk_pp`` and ``noise_pp2``: persistent yearly shocks (standard deviation) and transitory yearly
    noise (variance at 47,000 pupils, in inverse proportion to size), in percentage points and their square.
    """

    name: str
    effect_pp: Mapping[str, float] = field(default_factory=dict)
    suspension_ratio: Mapping[str, float] = field(default_factory=dict)
    catcher: str | None = None
    fair: bool = True
    unauthorised_part: float = 0.5
    illness_part: float = 0.2
    walk_pp: float = 0.08
    region_walk_pp: float = 0.06
    noise_pp2: float = 0.008
    treated_pupils: int = 42_000
    with_faults: bool = True


WORLDS: Mapping[str, World] = MappingProxyType(
    {
        world.name: world
        for world in (
            World(
                name="known_effect",
                effect_pp={"2024/25": -0.6, "2025/26": -1.0, "2026/27": -1.2},
                suspension_ratio={"2024/25": 0.85, "2025/26": 0.75, "2026/27": 0.70},
            ),
            World(name="nothing_happened"),
        )
    }
)
