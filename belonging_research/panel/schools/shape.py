"""What a school panel is: arrays of schools by half-term that nobody can write to, with when each started."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from belonging_research.errors import PanelError

Floats = NDArray[np.float64]
Weighting = Literal["pupils", "sessions", "schools"]
SCHOOL_DAYS = 190  # of a school year in England
WEIGHTINGS: tuple[Weighting, ...] = ("pupils", "sessions", "schools")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Units, schools or pupils (``what``) left out for one reason: ``n`` of ``of``."""

    what: str
    reason: str
    n: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SchoolPanel:
    """One outcome of n units over T half-terms, in the order of ``units`` and ``periods``.

    A unit is a school, or a school's pupils of one baseline year group: ``schools`` (n,) says whose, ``blocks`` (n,)
    within which it is compared (year groups; one block where everything is compared with everything). ``clusters``
    (n,) are pyramids, ``strata`` (n,) those of the recorded allocation of starts. ``adoption`` (n,): index in
    ``periods`` of the first treated half-term, None for a unit without a start by the end of the panel.

    ``numerator``, ``denominator`` (n, T), read-only: half-days absent and possible, or events and enrolled school
    days (their exposure); a denominator of 0 is no figure. ``sizes`` (n,): mean pupils before the first start.
    ``leavers`` count pupils by destination; ``timing`` units by how their start was decided; ``every_school_starts``
    counts a start after the panel as one.
    """

    layer: Literal["school"]
    outcome: str
    units: tuple[str, ...]
    schools: tuple[str, ...]
    blocks: tuple[str, ...]
    clusters: tuple[str, ...]
    strata: tuple[str, ...]
    phases: tuple[str, ...]
    adoption: tuple[int | None, ...]
    periods: tuple[str, ...]
    numerator: Floats
    denominator: Floats
    sizes: Floats
    exclusions: tuple[LeftOut, ...]
    leavers: tuple[LeftOut, ...]
    timing: Mapping[str, int]
    every_school_starts: bool
    digest: str

    @property
    def values(self) -> Floats:
        """Numerator over denominator (n, T), NaN where there is no figure."""
        blank = np.full(self.numerator.shape, np.nan)
        rates: Floats = np.divide(self.numerator, self.denominator, out=blank, where=self.denominator > 0)
        return rates

    @property
    def first_start(self) -> int:
        """Index of the first half-term at which any unit is treated; T where none is."""
        return min((each for each in self.adoption if each is not None), default=len(self.periods))

    def weights(self, by: Weighting) -> Floats:
        """(n,) fixed over time, so that an effect on numbers moves no weight; mean 1.

        ``pupils``: sizes; ``sessions``: mean denominator before the first start; ``schools``: every school alike, its
        units by size. Raises :class:`PanelError` where a unit's weight is not above 0.
        """
        if by == "schools":
            _, school = np.unique(self.schools, return_inverse=True)
            found = self.sizes / np.bincount(school, weights=self.sizes)[school]
        else:
            found = self.sizes if by == "pupils" else self.denominator[:, : max(self.first_start, 1)].mean(axis=1)
        if not (np.isfinite(found) & (found > 0)).all():
            wrong = int(np.count_nonzero(~(found > 0)))
            raise PanelError(
                f"{wrong} of {len(found)} units of the school panel have no {by} before the first start, so no weight; "
                "leave them out, or weigh by schools"
            )
        scaled: Floats = np.asarray(found / found.mean(), dtype=np.float64)
        return scaled


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FollowedPupils:
    """Pupils of the fixed cohort who are still of an age that counts at the panel's end; arrays (pupils,).

    ``schools``: baseline school, as a panel names it; ``absent``, ``possible``: half-days after the baseline year, at
    whatever school; ``there``: with a mark in the panel's last half-term or later. Who has no mark at all after the
    baseline year has no half-days and is not there.
    """

    schools: NDArray[np.str_]
    absent: Floats
    possible: Floats
    there: NDArray[np.bool_]


def panel_of_arrays(
    *,
    outcome: str,
    units: Sequence[str],
    periods: Sequence[str],
    numerator: Floats,
    denominator: Floats,
    adoption: Sequence[int | None],
    clusters: Sequence[str] | None = None,
    schools: Sequence[str] | None = None,
    blocks: Sequence[str] | None = None,
    strata: Sequence[str] | None = None,
    phases: Sequence[str] | None = None,
    sizes: Floats | None = None,
    exclusions: Sequence[LeftOut] = (),
    leavers: Sequence[LeftOut] = (),
    timing: Mapping[str, int] | None = None,
    every_school_starts: bool | None = None,
) -> SchoolPanel:
    """A :class:`SchoolPanel` of (n, T) arrays in any order of units; rows are put in order and copied.

    Without ``clusters`` and ``schools`` each unit is its own; without ``blocks``, ``strata`` and ``phases`` all are
    in one; without ``sizes`` all are alike. Raises :class:`PanelError` for shapes that do not fit, a unit twice, an
    adoption outside the panel, numbers that are missing, or a denominator below 0.
    """
    n = len(units)
    _refuse_arrays(outcome, units, periods, numerator, denominator)
    _refuse_starts(outcome, n, len(periods), adoption)
    order = sorted(range(n), key=lambda at: units[at])
    texts = {
        "schools": schools or units,
        "clusters": clusters or units,
        "blocks": blocks or [""] * n,
        "strata": strata or [""] * n,
        "phases": phases or ["all"] * n,
    }
    for name, text in texts.items():
        if len(text) != n:
            raise PanelError(f"school panel of {outcome}: {len(text)} {name} for {n} units")
    labels = {name: tuple(text[at] for at in order) for name, text in texts.items()}
    weighed = np.ones(n) if sizes is None else sizes
    numbers = {"numerator": numerator, "denominator": denominator, "sizes": weighed}
    numbers = {name: _frozen(array[order]) for name, array in numbers.items()}
    own = tuple(adoption[at] for at in order)
    names = tuple(units[at] for at in order)
    starts_all = all(each is not None for each in own) if every_school_starts is None else every_school_starts
    return SchoolPanel(
        layer="school",
        outcome=outcome,
        units=names,
        schools=labels["schools"],
        blocks=labels["blocks"],
        clusters=labels["clusters"],
        strata=labels["strata"],
        phases=labels["phases"],
        adoption=own,
        periods=tuple(periods),
        numerator=numbers["numerator"],
        denominator=numbers["denominator"],
        sizes=numbers["sizes"],
        exclusions=tuple(exclusions),
        leavers=tuple(leavers),
        timing=dict(sorted((timing or {}).items())),
        every_school_starts=starts_all,
        digest=_digest(outcome, names, tuple(periods), own, labels, numbers),
    )


def _refuse_arrays(
    outcome: str, units: Sequence[str], periods: Sequence[str], numerator: Floats, denominator: Floats
) -> None:
    shape = (len(units), len(periods))
    if len(set(units)) != len(units) or len(set(periods)) != len(periods):
        raise PanelError(f"school panel of {outcome}: a unit or a half-term stands in it twice; each may once")
    for name, array in (("numerator", numerator), ("denominator", denominator)):
        if array.shape != shape:
            raise PanelError(f"school panel of {outcome}: {name} has shape {array.shape}, expected {shape}")
        if not np.isfinite(array).all():
            raise PanelError(
                f"school panel of {outcome}: {int((~np.isfinite(array)).sum())} of {array.size} {name}s are missing; "
                "a school without a figure has denominator 0"
            )
    if (denominator < 0).any():
        raise PanelError(f"school panel of {outcome}: a denominator is below 0; it counts half-days or school days")


def _refuse_starts(outcome: str, n: int, n_periods: int, adoption: Sequence[int | None]) -> None:
    wrong = [each for each in adoption if each is not None and not 0 <= each < n_periods]
    if len(adoption) != n or wrong:
        raise PanelError(
            f"school panel of {outcome}: {len(adoption)} starts for {n} units, {len(wrong)} outside its "
            f"{n_periods} half-terms; a start after the last is None"
        )


def _frozen(array: Floats) -> Floats:
    copied = np.array(array, dtype=np.float64)
    copied.flags.writeable = False
    return copied


def _digest(
    outcome: str,
    units: tuple[str, ...],
    periods: tuple[str, ...],
    adoption: tuple[int | None, ...],
    labels: Mapping[str, tuple[str, ...]],
    numbers: Mapping[str, Floats],
) -> str:
    """SHA-256 of everything that an estimate reads, 64 hex characters."""
    found = hashlib.sha256(repr((outcome, units, periods, adoption, sorted(labels.items()))).encode())
    for name in sorted(numbers):
        found.update(numbers[name].tobytes())
    return found.hexdigest()
