"""Annual rates of every council, twice from one draw: as they are, and as they would be without the effect.

Levels and spreads are near those of England's published figures (DfE, "Pupil absence in schools in England" and
"Suspensions and permanent exclusions in England", 2015/16 to 2024/25); later years are invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from belonging_research.simulate.councils import N_COUNCILS, ONE_SCHOOL, REGIONS, Councils, Floats
from belonging_research.simulate.worlds import World
from belonging_research.tables import year_label

YEARS: tuple[str, ...] = tuple(year_label(first) for first in range(2015, 2027))
NO_ABSENCE = YEARS.index("2019/20")
_COVID = YEARS.index("2020/21")

# By year, 2015/16 to 2026/27.
_ABSENCE = np.array([4.57, 4.66, 4.80, 4.73, 4.70, 4.62, 7.55, 7.37, 7.15, 6.80, 6.72, 6.65])
_UNAUTHORISED = np.array([0.24, 0.25, 0.27, 0.29, 0.29, 0.25, 0.28, 0.32, 0.34, 0.35, 0.355, 0.36])
_SEVERE = np.array([0.155, 0.16, 0.165, 0.17, 0.20, 0.245, 0.22, 0.275, 0.322, 0.352, 0.355, 0.358])
_SUSPENSIONS = np.array([4.3, 4.76, 5.08, 5.36, 3.76, 4.25, 6.91, 9.33, 11.31, 11.1, 10.9, 10.8])
_PERMANENT = np.array([0.082, 0.098, 0.10, 0.10, 0.061, 0.047, 0.078, 0.111, 0.129, 0.127, 0.125, 0.124])

_CODE_E = 0.0145  # per cent of half-days for each suspension per 100 pupils

SHARES = np.array([0.565, 0.415, 0.02])  # of pupils, and of half-days, by phase
_PHASE_ABSENCE = np.array([0.77, 1.29, 1.80])
_PHASE_SUSPENSIONS = np.array([0.14, 2.15, 1.30])
_PHASE_PERMANENT = np.array([0.20, 2.08, 0.60])


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Everything random about annual rates, drawn before any effect. (n, years) unless said otherwise.

    ``absence`` is the untreated overall rate in per cent; ``phase`` (n, 3) what a phase multiplies it by;
    ``unauthorised`` the untreated unauthorised part of it; the others are logs or points added to a rate.
    """

    absence: Floats
    phase: Floats
    unauthorised: Floats
    persistent: Floats
    severe: Floats
    suspensions: Floats
    pupils_suspended: Floats
    permanent: Floats
    illness: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Annual:
    """Rates in per cent (events per 100 pupils for suspensions), (n, years, 4): all, primary, secondary, special.

    Illness and code E half-days are among them though only the registers publish those.
    """

    rates: Mapping[str, Floats]


def draw_annual(rng: np.random.Generator, councils: Councils, treated: int, world: World) -> Draw:
    """Untreated rates: levels, regions that move together, persistent shocks, and noise that passes.

    The treated council's level is set near the middle, so that others can stand in for it.
    """
    n, t = N_COUNCILS, len(YEARS)
    calm = np.where(np.arange(t) < _COVID, 0.5, 1.0)  # councils moved about half as much a year before covid
    noise = rng.normal(size=(n, t)) * np.sqrt(world.noise_pp2 * councils.small)[:, None] * calm
    walk = np.cumsum(rng.normal(0, world.walk_pp, (n, t)) * calm, axis=1)
    walk -= walk[:, [_COVID]]
    region = np.cumsum(rng.normal(0, world.region_walk_pp, (len(REGIONS), t)) * calm, axis=1)
    region += rng.normal(0, 0.15, len(REGIONS))[:, None]
    covid = _level(rng, 0.35, treated) + rng.normal(0, 0.15, len(REGIONS))[councils.region][:, None]
    jump = np.where(np.arange(t) > _COVID, 1.0, np.where(np.arange(t) == _COVID, 0.5, 0.0))
    absence = _ABSENCE + _level(rng, 0.30, treated) + region[councils.region] + walk + covid * jump + noise
    phase = _PHASE_ABSENCE * np.exp(rng.normal(0, 0.03, (n, 3)))
    unauthorised = _UNAUTHORISED * np.exp(_level(rng, 0.25, treated) + rng.normal(0, 0.02, (n, t)))
    absence = np.maximum(absence, 2.0)
    return Draw(
        absence=absence,
        phase=phase / (phase @ SHARES)[:, None],
        unauthorised=absence * np.minimum(unauthorised, 0.6),
        persistent=_level(rng, 1.0, treated) + rng.normal(0, 0.2, (n, t)),
        severe=_level(rng, 0.22, treated) + rng.normal(0, 0.03, (n, t)),
        illness=0.62 * np.exp(rng.normal(0, 0.03, (n, 1)) + rng.normal(0, 0.01, (n, t))),
        **_draw_exclusions(rng, councils, treated),
    )


def _level(rng: np.random.Generator, spread: float, treated: int) -> Floats:
    """(n, 1) lasting differences between councils; the treated one's are a quarter of what was drawn."""
    levels = rng.normal(0, spread, (N_COUNCILS, 1))
    levels[treated] *= 0.25
    return levels


def _draw_exclusions(rng: np.random.Generator, councils: Councils, treated: int) -> dict[str, Floats]:
    """Log deviations from the country: level, region, persistent shocks, and overdispersed counts."""
    n, t = N_COUNCILS, len(YEARS)
    region = rng.normal(0, 0.2, len(REGIONS))[councils.region][:, None]
    walk = np.cumsum(rng.normal(0, 0.08, (n, t)), axis=1)
    shared = _level(rng, 0.40, treated) + region + walk - walk.mean(axis=1, keepdims=True) - 0.1
    passing = np.sqrt(0.003 + 0.003 * np.minimum(councils.small, 10))[:, None] * rng.normal(size=(n, t))
    few = np.sqrt(0.01 + 0.018 * np.minimum(councils.small, 10))[:, None] * rng.normal(size=(n, t))
    own = _level(rng, 0.08, treated) + rng.normal(0, 0.02, (n, t))
    return {
        "suspensions": shared + passing,
        "pupils_suspended": 0.6 * (shared + passing) + own,
        "permanent": _level(rng, 0.4, treated) + 0.3 * shared + few,
    }


def annual_rates(draw: Draw, change_pp: Floats, ratio: Floats, world: World) -> Annual:
    """Rates of one potential outcome. ``change_pp`` and ``ratio``: (n, years), 0 and 1 where nothing is changed."""
    overall = draw.absence + change_pp
    unauthorised = draw.unauthorised + world.unauthorised_part * change_pp
    ill = draw.illness * (draw.absence - draw.unauthorised) + world.illness_part * change_pp
    by_phase = np.concatenate([np.ones((N_COUNCILS, 1)), draw.phase], axis=1)[:, None, :]
    rates = {
        "overall_absence_rate": overall[:, :, None] * by_phase,
        "unauthorised_absence_rate": unauthorised[:, :, None] * by_phase,
        "authorised_absence_rate": (overall - unauthorised)[:, :, None] * by_phase,
        "illness_absence_rate": ill[:, :, None] * by_phase,
    }
    missed = rates["overall_absence_rate"]
    persistent = 3.1 * missed - 2.4 + draw.persistent[:, :, None]
    severe = missed * _SEVERE[None, :, None] * np.exp(draw.severe)[:, :, None]
    rates["persistent_absence_rate"] = np.clip(persistent, 0.5, 95)
    rates["severe_absence_rate"] = severe
    suspensions = _SUSPENSIONS * np.exp(draw.suspensions) * ratio
    pupils = 2.09 * (_SUSPENSIONS / 4.53) ** 0.77 * np.exp(draw.pupils_suspended) * ratio
    permanent = _PERMANENT * np.exp(draw.permanent)
    rates["suspension_rate"] = _phased(suspensions, _PHASE_SUSPENSIONS)
    rates["pupils_with_one_or_more_suspensions_rate"] = _phased(pupils, _PHASE_SUSPENSIONS)
    rates["permanent_exclusion_rate"] = _phased(permanent, _PHASE_PERMANENT)
    rates["suspended_or_excluded_sessions_rate"] = _CODE_E * rates["suspension_rate"]
    for values in rates.values():
        values[ONE_SCHOOL, :, 2:] = np.nan  # its school is a primary school
        values[ONE_SCHOOL, :, 0] = values[ONE_SCHOOL, :, 1]
    return Annual(rates=rates)


def _phased(rates: Floats, multiple: Floats) -> Floats:
    by_phase = np.concatenate([[1.0], multiple / (multiple @ SHARES)])
    result: Floats = rates[:, :, None] * by_phase
    return result
