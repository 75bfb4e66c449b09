"""The made-up county's pupils: who they are, and how often each would be absent, partly by what no column shows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from belonging_research.simulate.councils import Floats, Ints
from belonging_research.simulate.county.schools import YEAR_GROUPS, Schools
from belonging_research.simulate.county.worlds import HALF_TERMS, CountyWorld

OLDEST_ENTRY = 1 - YEAR_GROUPS  # Year 11 in the first period
_JOINERS = 0.017  # of the roll a year come from outside the county, about as many as leave it
NOT_RECORDED = -1

# Absence of a pupil in a year is the median of its group times exp(scale x t with 3 degrees of freedom): fitted to
# the bands of :mod:`tables.published_marginals`. By year group, Reception first.
_MEDIAN = np.array([5.7, 5.3, 4.9, 4.3, 4.65, 4.75, 4.85, 5.4, 5.9, 6.6, 7.0, 7.15]) / 100
_SCALE = np.array([0.48, 0.48, 0.47, 0.46, 0.47, 0.48, 0.51, 0.60, 0.67, 0.71, 0.74, 0.74])
_FREEDOM = 3
_FSM_SHARE, _SEN_SHARES = 0.225, {"N": 0.80, "K": 0.145, "E": 0.055}
_FSM_MEDIAN, _NO_FSM_MEDIAN = 1.52, 0.885
_FSM_SCALE, _NO_FSM_SCALE = 1.14, 0.93
_SEN_MEDIAN = {"N": 0.94, "K": 1.27, "E": 1.35}
# As many as were not classified in the published bands, seven in ten of them persistently absent.
_NOT_RECORDED_SHARE, _NOT_RECORDED_MEDIAN, _NOT_RECORDED_SCALE = 0.0057, 0.25, 1.5
_CARER_SHARE, _CARER_MEDIAN = 0.035, 1.75
_CARERS_FOUND = (0.0, 0.0, 0.055, 0.045, 0.05, 0.055)  # of carers a year; the census first asked in January 2023
_SAME = 0.85  # correlation of a pupil's frailty from one year to the next
_PRONE = 0.05  # shape of the gamma distribution of suspensions over pupils: a few have most
_ISOLATE = 0.78  # of pupils who stayed at home while schools were closed in spring 2021
_LEAST, _MOST = 0.004, 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class Pupils:
    """Pupils in the order of ``code``, arrays (pupils,) unless said otherwise.

    ``entry``: the period, counted from 0, in which a pupil is or was in Reception. ``arrives``: the period in which
    one comes from outside, -1 for those there from Reception or the first period; ``arrives_midyear``. ``fsm``: 1, 0,
    or -1 where not recorded; ``sen``: N, K, E, or empty; ``found``: the period in which a young carer is identified,
    -1 for never. ``frailty``: (pupils, periods) what no column shows, heavy-tailed. ``proneness``: of suspensions.
    ``isolates``: whether sent home in the closure of spring 2021.
    """

    code: NDArray[np.str_]
    entry: Ints
    birth_month: NDArray[np.datetime64]
    sex: NDArray[np.str_]
    fsm: Ints
    sen: NDArray[np.str_]
    is_carer: NDArray[np.bool_]
    found: Ints
    found_by: NDArray[np.str_]
    pyramid: Ints
    in_special: NDArray[np.bool_]
    arrives: Ints
    arrives_midyear: NDArray[np.bool_]
    frailty: Floats
    proneness: Floats
    isolates: NDArray[np.bool_]

    def year_group(self, period: int) -> Ints:
        """(pupils,) year group in a period counted from 0; below 0 or above 11 where not of school age."""
        return period - self.entry


def draw_pupils(world: CountyWorld, schools: Schools, rng: np.random.Generator) -> Pupils:
    """Draw everybody who is ever on roll: those of each Reception year, and those who come from outside."""
    years = world.n_periods
    joining = round(_JOINERS * world.n_pupils)
    entry = np.repeat(np.arange(OLDEST_ENTRY, years), round(world.n_pupils / YEAR_GROUPS))
    comes = np.repeat(np.arange(years), joining)
    arrives = np.append(np.full(len(entry), -1), comes)
    entry = np.append(entry, comes - rng.integers(1, YEAR_GROUPS - 1, len(comes)))
    n = len(entry)
    order = rng.permutation(n)  # a code tells nothing about age
    entry, arrives = entry[order], arrives[order]
    recorded = rng.random(n) >= _NOT_RECORDED_SHARE
    share = schools.pyramid_weight / schools.pyramid_weight.sum()
    pyramid = rng.choice(len(share), n, p=share)
    poorer = schools.deprivation / (schools.deprivation @ share)
    fsm = (rng.random(n) < _FSM_SHARE * poorer[pyramid]).astype(np.int64)
    sen = _draw_sen(fsm, rng)
    is_carer = rng.random(n) < _CARER_SHARE
    return Pupils(
        code=_codes(n, rng),
        entry=entry,
        birth_month=_birth_months(world, entry, rng),
        sex=rng.choice(np.array(["F", "M"]), n),
        fsm=np.where(recorded, fsm, NOT_RECORDED),
        sen=np.where(recorded, sen, ""),
        is_carer=is_carer,
        found=_draw_found(world, is_carer, rng),
        found_by=np.where(rng.random(n) < 0.4, "P", "S"),
        pyramid=pyramid,
        in_special=(sen == "E") & (rng.random(n) < 0.32),
        arrives=arrives,
        arrives_midyear=rng.random(n) < 0.5,
        frailty=draw_frailty(n, years, rng),
        proneness=rng.gamma(_PRONE, 1 / _PRONE, n),
        isolates=rng.random(n) < _ISOLATE,
    )


def _codes(n: int, rng: np.random.Generator) -> NDArray[np.str_]:
    """Distinct codes in order, as a keyed hash of a pupil number would look: 32 hexadecimal characters."""
    key = rng.bytes(32)
    return np.sort([hashlib.blake2b(at.to_bytes(8), key=key, digest_size=16).hexdigest() for at in range(n)])


def _draw_sen(fsm: Ints, rng: np.random.Generator) -> NDArray[np.str_]:
    """Special educational needs, half as frequent again among pupils eligible for free school meals."""
    more = np.where(fsm == 1, 1.5, 1 - 0.5 * _FSM_SHARE / (1 - _FSM_SHARE))
    draw = rng.random(len(fsm))
    plan, support = _SEN_SHARES["E"] * more, _SEN_SHARES["K"] * more
    return np.where(draw < plan, "E", np.where(draw < plan + support, "K", "N"))


def _birth_months(world: CountyWorld, entry: Ints, rng: np.random.Generator) -> NDArray[np.datetime64]:
    """Aged 4 on 31 August before Reception: born from September five years before to August four years before."""
    september = (world.first_period + entry - 5 - 1970) * 12 + 8
    return (september + rng.integers(0, 12, len(entry))).astype("datetime64[M]").astype("datetime64[D]")


def _draw_found(world: CountyWorld, is_carer: NDArray[np.bool_], rng: np.random.Generator) -> Ints:
    """The period in which each young carer is first identified, -1 for never."""
    found = np.full(len(is_carer), -1)
    first = world.treated_starts[0]
    for at in range(world.n_periods):
        usual = _CARERS_FOUND[min(max(world.first_period + at - 2020, 0), len(_CARERS_FOUND) - 1)]
        more = world.carers_identified if first is not None and at >= first // HALF_TERMS else 1.0
        now = is_carer & (found < 0) & (rng.random(len(found)) < usual * more)
        found[now] = at
    return found


def draw_frailty(n: int, years: int, rng: np.random.Generator) -> Floats:
    """(n, years) Student's t, the same pupil's years correlated: a normal autoregression over a lasting spread."""
    spread = np.sqrt(rng.chisquare(_FREEDOM, n) / _FREEDOM)
    found = np.empty((n, years))
    found[:, 0] = rng.normal(size=n)
    for at in range(1, years):
        found[:, at] = _SAME * found[:, at - 1] + np.sqrt(1 - _SAME**2) * rng.normal(size=n)
    frailty: Floats = found / spread[:, None]
    return frailty


def usual_absence(pupils: Pupils, who: Ints, year_group: Ints, period: int) -> Floats:
    """Expected absence of pupils in a year at a school like the others: a proportion between 0.004 and 0.97.

    ``who``: places of pupils; ``year_group``: theirs, 0 to 11; ``period`` counted from 0.
    """
    fsm, sen = pupils.fsm[who], pupils.sen[who]
    median = _MEDIAN[year_group] * np.where(fsm == 1, _FSM_MEDIAN, _NO_FSM_MEDIAN)
    for name, times in _SEN_MEDIAN.items():
        median = np.where(sen == name, median * times, median)
    median = np.where(pupils.is_carer[who], median * _CARER_MEDIAN, median)
    median = np.where(fsm == NOT_RECORDED, _NOT_RECORDED_MEDIAN, median)
    scale = _SCALE[year_group] * np.where(fsm == 1, _FSM_SCALE, _NO_FSM_SCALE)
    scale = np.where(fsm == NOT_RECORDED, _NOT_RECORDED_SCALE, scale)
    found: Floats = np.clip(median * np.exp(scale * pupils.frailty[who, period]), _LEAST, _MOST)
    return found
