"""Daily registers as cumulative half-days at each snapshot, winter's illness in them, and the real files' faults."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from belonging_research.simulate.annual import SHARES, YEARS, Annual
from belonging_research.simulate.councils import N_COUNCILS, REGIONS, Councils, Floats, Ints
from belonging_research.tables import first_year

REGISTER_YEARS: tuple[str, ...] = YEARS[YEARS.index("2022/23") :]
NEW_CODES_FROM = "2024/25"  # register codes of August 2024: C2 and K begin
_PUPILS_A_SCHOOL = np.array([280.0, 1000.0, 130.0])
_SILENT = np.array([1.0, 0.8, 0.4, 0.35, 0.3])  # of a council's share of schools that sent nothing in 2022/23
_HOLIDAYS = ((10, 24, 7), (12, 21, 14), (2, 14, 7), (3, 31, 14), (5, 25, 7))  # month, day, days
_BACK_FILLED = ("2022/23", dt.date(2023, 2, 16))
_REPEATED = ("2024/25", dt.date(2025, 4, 28))
_N_BACK_FILLED = 6

# Fixed parts of a count: of possible half-days, or of unauthorised absence.
_OF_POSSIBLE = {"off_site": 0.003, "arranged": 0.0006, "late": 0.018, "part_time": 0.0035}
_OF_UNAUTHORISED = {"holiday": 0.24, "late_closed": 0.08, "no_reason": 0.02}


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """One academic year's registers. ``dates``: (s,) snapshots; ``counts``: (n, 3, s) cumulative half-days by name.

    Names: possible, authorised, unauthorised, illness, excluded (code E), part_time, off_site, arranged, holiday,
    late_closed, no_reason, late. ``persistent``: (n, 3, s) per cent of pupils. ``schools`` and ``pupils``: (n, 3)
    responding, ``all_schools`` and ``all_pupils`` of all.
    """

    year: str
    dates: tuple[dt.date, ...]
    counts: Mapping[str, Ints]
    persistent: Floats
    schools: Floats
    pupils: Floats
    all_schools: Ints
    all_pupils: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterDraw:
    """Everything random about registers. ``gap``: (n, years, 3) what their rates are multiplied by against the
    census; ``wave``: years of (n, s) log seasonal deviations; ``response``: (n, years) share of schools;
    ``parts``: (n,) what the fixed parts are multiplied by; ``back_filled``: councils whose schools joined late.
    """

    gap: Floats
    wave: tuple[Floats, ...]
    response: Floats
    parts: Floats
    back_filled: Ints


def snapshot_dates(year: str) -> tuple[dt.date, ...]:
    """Every second Thursday from late September to early August: 23 days."""
    start = dt.date(first_year(year), 9, 24)
    start += dt.timedelta(days=(3 - start.weekday()) % 7)
    return tuple(start + dt.timedelta(days=14 * at) for at in range(23))


def school_days(year: str) -> NDArray[np.int64]:
    """(s,) school days added by each snapshot, which ends on the Friday before it."""
    first = first_year(year)
    closed = [
        np.datetime64(dt.date(first + (month < 9), month, day)) + np.arange(length) for month, day, length in _HOLIDAYS
    ]
    start, end = dt.date(first, 9, 9), dt.date(first + 1, 7, 22)
    ends = [min(date - dt.timedelta(days=5), end) for date in snapshot_dates(year)]
    until = np.busday_count(np.datetime64(start), np.array(ends, "datetime64[D]"), holidays=np.concatenate(closed))
    return np.diff(until, prepend=0).astype(np.int64)


def draw_registers(rng: np.random.Generator, councils: Councils, treated: int) -> RegisterDraw:
    """Coverage, waves of illness by country, region and council, and who sends registers."""
    n, years = N_COUNCILS, len(REGISTER_YEARS)
    silent = rng.uniform(0.02, 0.12, n)
    silent[treated] = 0.06
    waves = []
    for year in REGISTER_YEARS:
        s = len(snapshot_dates(year))
        shared = rng.normal(0, 0.04, s) + rng.normal(0, 0.02, (len(REGIONS), s))[councils.region]
        waves.append(shared + rng.normal(size=(n, s)) * 0.015 * np.sqrt(np.minimum(councils.small, 10))[:, None])
    others = np.delete(np.arange(n - 1), treated)
    late = rng.choice(others, _N_BACK_FILLED - 1, replace=False)
    return RegisterDraw(
        gap=1.025 + rng.normal(0, 0.005, (n, 1, 3)) + rng.normal(0, 0.003, (n, years, 3)),
        wave=tuple(waves),
        response=1 - silent[:, None] * _SILENT,
        parts=np.exp(rng.normal(0, 0.1, n)),
        back_filled=np.sort(np.append(late, treated)),
    )


def registers(draw: RegisterDraw, annual: Annual, councils: Councils, *, with_faults: bool) -> dict[str, Register]:
    """Registers of every year from one potential outcome's annual rates."""
    found = {}
    for at, year in enumerate(REGISTER_YEARS):
        register = _one_year(draw, annual, councils, at, year)
        found[year] = _faulty(register, draw.back_filled) if with_faults else register
    return found


def _season(dates: tuple[dt.date, ...], wave: Floats, strength: float, days: Ints) -> Floats:
    """(n, s) relative rates, highest in the middle of December; their mean over school days is 1."""
    from_peak = np.array([(date - dt.date(dates[0].year, 12, 12)).days for date in dates])
    relative = np.exp(strength * (np.log1p(0.28 * np.exp(-((from_peak / 38.0) ** 2))) + wave))
    result: Floats = relative / ((relative @ days) / days.sum())[:, None]
    return result


def _one_year(draw: RegisterDraw, annual: Annual, councils: Councils, at: int, year: str) -> Register:
    days = school_days(year)
    pupils = councils.pupils[:, None] * SHARES
    schools = np.maximum(np.rint(pupils / _PUPILS_A_SCHOOL), 1)
    sent = np.rint(pupils * draw.response[:, [at]])
    left = 1 - np.cumsum(days) / days.sum()
    final = annual.rates["persistent_absence_rate"][:, YEARS.index(year), 1:] * draw.gap[:, at]
    return Register(
        year=year,
        dates=snapshot_dates(year),
        counts=_half_days(draw, annual, sent, at, year),
        persistent=final[:, :, None] * (1 + 0.08 * left),
        schools=schools * draw.response[:, [at]],
        pupils=sent,
        all_schools=schools.astype(np.int64),
        all_pupils=np.rint(pupils).astype(np.int64),
    )


def _half_days(draw: RegisterDraw, annual: Annual, sent: Floats, at: int, year: str) -> dict[str, Ints]:
    """Cumulative counts of the ``sent`` (n, 3) pupils; a year's rate is the annual one times the coverage gap."""
    dates, days = snapshot_dates(year), school_days(year)
    plain, ill = _season(dates, draw.wave[at], 1.0, days), _season(dates, draw.wave[at], 2.2, days)

    def missed(outcome: str, season: Floats) -> Ints:
        rate = np.nan_to_num(annual.rates[outcome][:, YEARS.index(year), 1:] * draw.gap[:, at] / 100)
        return _whole(np.cumsum(sent[:, :, None] * 2 * days * rate[:, :, None] * season[:, None, :], axis=2))

    counts = {
        "possible": _whole(sent[:, :, None] * 2 * np.cumsum(days)),
        "authorised": missed("authorised_absence_rate", plain),
        "unauthorised": missed("unauthorised_absence_rate", plain),
        "illness": missed("illness_absence_rate", ill),
        "excluded": missed("suspended_or_excluded_sessions_rate", np.ones_like(plain)),
    }
    counts |= _parts(counts, draw.parts)
    room = counts["authorised"] - counts["excluded"] - counts["part_time"]
    counts["illness"] = np.minimum(counts["illness"], np.maximum(room, 0))
    return counts


def _whole(values: Floats) -> Ints:
    # A whisker is added because a product that is whole in theory may lie just below.
    result: Ints = np.floor(values + 1e-6).astype(np.int64)
    return result


def _parts(counts: Mapping[str, Ints], multiple: Floats) -> dict[str, Ints]:
    by = multiple[:, None, None]
    parts = {name: _whole(counts["possible"] * share * by) for name, share in _OF_POSSIBLE.items()}
    return parts | {name: _whole(counts["unauthorised"] * share * by) for name, share in _OF_UNAUTHORISED.items()}


def _faulty(register: Register, back_filled: Ints) -> Register:
    """Secondary schools that joined in February 2023 with their whole autumn, and a snapshot printed twice."""
    counts = {name: values.copy() for name, values in register.counts.items()}
    dates = np.array(register.dates)
    if register.year == _BACK_FILLED[0]:
        early = np.flatnonzero(dates < _BACK_FILLED[1])
        at = np.ix_(back_filled, np.array([1]), early)
        for values in counts.values():
            values[at] = values[at] * 62 // 100
    if register.year == _REPEATED[0]:
        again = int(np.flatnonzero(dates >= _REPEATED[1])[0])
        for values in counts.values():
            values[:, :, again] = values[:, :, again - 1]
    return replace(register, counts=counts)
