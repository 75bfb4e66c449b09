"""A council's tables to school panels: all enrolments, the fixed pupil cohort, and events with their exposure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import numpy as np
import pyarrow as pa
from ibis.expr.types import Table
from numpy.typing import NDArray

from belonging_research.errors import PanelError
from belonging_research.outcomes.exclusions import Counting
from belonging_research.outcomes.school_periods import (
    cohort_half_terms,
    cohort_leavers,
    judged_enrolments,
    pupil_cohort,
    school_events,
    school_half_terms,
    still_expected,
)
from belonging_research.panel.schools.shape import Floats, LeftOut, SchoolPanel, panel_of_arrays
from belonging_research.panel.schools.starts import Assignment, Starts, half_term_label, starts_of
from belonging_research.tables.school_year import HalfTerm, half_terms

# Of a block's units, the share that must have figures in a half-term for it to be one of the block's.
_ENOUGH = 0.5
_COUNTED = ""

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """What a school panel is made of: ``counts`` of :func:`registers.session_counts`, the rest of ``tables.council``.

    ``strata`` maps a urn to its stratum in the recorded allocation of starts (one for all where not given).
    """

    counts: Table
    pupils: Table
    enrolments: Table
    schools: Table
    interventions: Table
    strata: Mapping[int, str] | None = None


def school_panel(
    register: Register, *, periods: Sequence[str], until: str | None = None, assignment: Assignment = "pyramid"
) -> SchoolPanel:
    """Overall absence of all enrolments that count, by school and half-term, session-weighted.

    ``periods``: academic years; ``until``: last half-term, ``"2025/26 HT4"``. Enrolments that the published rules
    leave out are counted, a year at a time. A pupil who leaves the roll leaves this panel: :func:`cohort_panel` is
    the primary one.

    Raises :class:`PanelError` where an intervention or a sum is of a school that ``schools`` lacks, or nobody starts.
    """
    build = _Build(register, periods, until, assignment)
    judged = judged_enrolments(
        register.counts, register.pupils, register.enrolments, register.schools, periods=periods
    ).to_pyarrow()
    rows = school_half_terms(register.counts, ibis.memtable(judged)).to_pyarrow()
    reasons = judged.group_by("left_out").aggregate([([], "count_all")]).to_pylist()
    gone = Counter({row["left_out"] or _COUNTED: row["count_all"] for row in reasons})
    total = gone.total()
    told = [
        LeftOut(what="enrolments of a year", reason=why, n=n, of=total)
        for why, n in sorted(gone.items())
        if why != _COUNTED
    ]
    return build.panel(rows, "overall_absence_rate", "absent", "possible", exclusions=told)


def cohort_panel(
    register: Register,
    *,
    periods: Sequence[str],
    baseline: str,
    destinations: Table,
    cohort: Table | None = None,
    until: str | None = None,
    assignment: Assignment = "pyramid",
) -> SchoolPanel:
    """Overall absence of the fixed pupil cohort: the primary panel (intention to treat).

    Pupils on roll at the January census of ``baseline``, the last year before the starts, at whatever school of the
    data they are later, in the figures of their baseline school and pyramid for good. A unit is a school's pupils of
    one baseline year group, and is compared within that (``blocks``): pupils age alike on both sides, and persistent
    absence of 12% in Year 3 against 33% in Year 11 cannot pass for an effect. Weights by pupils standardise to the
    baseline's mix. Leavers are counted by destination, of
    the pupils who are still of an age that counts. ``cohort`` is :func:`pupil_cohort` of the register, where it is at
    hand already.

    Raises :class:`PanelError` as :func:`school_panel`, or where no pupil is on roll that day.
    """
    build = _Build(register, periods, until, assignment)
    if cohort is None:
        cohort = pupil_cohort(register.pupils, register.enrolments, baseline=baseline)
    rows = cohort_half_terms(register.counts, cohort, baseline=baseline).to_pyarrow()
    homes = cohort.group_by(["urn", "year_group"]).aggregate(
        pupils=cohort.count(), doubled=(cohort.rolls > 1).cast("int64").sum()
    )
    sizes = homes.to_pyarrow().to_pylist()
    total = sum(row["pupils"] for row in sizes)
    if not total:
        raise PanelError(
            f"no pupil aged 5 to 15 was on roll (status C or M) at the January census of {baseline}; check the "
            "enrolments' days and statuses"
        )
    doubled = sum(row["doubled"] or 0 for row in sizes)
    told = [LeftOut(what="pupils", reason="on_two_rolls_lowest_urn_counts", n=doubled, of=total)] if doubled else []
    last = build.halves[-1]
    gone = cohort_leavers(
        register.counts, cohort, destinations, baseline=baseline, last=(last.period, last.number)
    ).to_pyarrow()
    there = still_expected(cohort, baseline=baseline, last=(last.period, last.number))
    expected = int(there.count().to_pyarrow().as_py())
    return build.panel(
        rows,
        "overall_absence_rate",
        "absent",
        "possible",
        sizes={(row["urn"], row["year_group"]): row["pupils"] for row in sizes},
        exclusions=told,
        leavers=_leavers(gone, build.starts, expected),
    )


def events_panel(
    register: Register,
    exclusions: Table,
    *,
    periods: Sequence[str],
    baseline: str | None = None,
    cohort: Table | None = None,
    until: str | None = None,
    assignment: Assignment = "pyramid",
    counting: Counting = "stood",
    as_at: dt.date | None = None,
    event: str = "suspensions",
) -> SchoolPanel:
    """Events by school and half-term with enrolled school days as exposure, never attended half-days.

    ``event``: ``suspensions``, ``permanent_exclusions``, or ``pupils_suspended`` (over pupils on roll). With
    ``baseline`` of the cohort that was on roll then (``cohort``, where it is at hand), at its baseline school; without,
    of all pupils. Schools without any event stay in, as 0. Raises :class:`PanelError` as :func:`school_panel`.
    """
    build = _Build(register, periods, until, assignment)
    if cohort is None and baseline:
        cohort = pupil_cohort(register.pupils, register.enrolments, baseline=baseline)
    rows = school_events(
        exclusions, register.counts, periods=periods, cohort=cohort, counting=counting, as_at=as_at
    ).to_pyarrow()
    told = []
    without = sum(row[event] for row in rows.to_pylist() if not row["school_days"])
    if without:
        total = sum(rows[event].to_pylist())
        told = [LeftOut(what=event, reason="no_school_days_that_half_term", n=without, of=total)]
    exposure = "pupils" if event == "pupils_suspended" else "school_days"
    return build.panel(rows, event, event, exposure, exclusions=told)


class _Build:
    """Sums of a council's tables to arrays: which schools and half-terms, who started when, who is left out."""

    def __init__(self, register: Register, periods: Sequence[str], until: str | None, assignment: Assignment) -> None:
        self.register = register
        self.halves = _halves(periods, until)
        self.labels = [half_term_label(half) for half in self.halves]
        self.starts = starts_of(
            register.schools.to_pyarrow(), register.interventions.to_pyarrow(), self.halves, assignment=assignment
        )

    def panel(
        self,
        rows: pa.Table,
        outcome: str,
        numerator: str,
        denominator: str,
        *,
        sizes: Mapping[tuple[int, int], int] | None = None,
        exclusions: Sequence[LeftOut] = (),
        leavers: Sequence[LeftOut] = (),
    ) -> SchoolPanel:
        """Sums by urn, year_group (where there is one), period and half_term to a panel of complete units."""
        by_year = "year_group" in rows.column_names
        years = rows["year_group"].to_pylist() if by_year else [0] * rows.num_rows
        keys = list(zip(rows["urn"].to_pylist(), years, strict=True))
        self._refuse_unknown({urn for urn, _ in keys})
        units = sorted(set(keys))
        top, bottom = self._arrays(rows, keys, units, (numerator, denominator))
        at, told = self._kept(units, bottom > 0)
        kept = [units[n] for n in at]
        adoption = [self.starts.adoption[urn] for urn, _ in kept]
        if all(each is None for each in adoption):
            raise PanelError(
                f"school panel of {outcome}: none of {len(kept)} units with figures starts within "
                f"{self.labels[0]} to {self.labels[-1]}; check the interventions' first days and the years asked for"
            )
        if sizes is None:
            (pupils,) = self._arrays(rows, keys, units, ("pupils",))
            weights = _mean_before(pupils[at], adoption)
        else:
            weights = np.array([float(sizes[key]) for key in kept])
        return panel_of_arrays(
            outcome=outcome,
            units=[f"{urn}/Y{year:02d}" if by_year else str(urn) for urn, year in kept],
            periods=self.labels,
            numerator=top[at],
            denominator=bottom[at],
            adoption=adoption,
            blocks=[f"Y{year:02d}" if by_year else "" for _, year in kept],
            sizes=weights,
            exclusions=[*exclusions, *self.starts.counts, *told],
            leavers=leavers,
            timing=Counter(self.starts.timing[urn] for urn, _ in kept if urn in self.starts.timing),
            every_school_starts=self.starts.every_school_starts,
            **self._labels([urn for urn, _ in kept]),
        )

    def _labels(self, urns: Sequence[int]) -> dict[str, list[str]]:
        strata = self.register.strata or {}
        return {
            "schools": [str(urn) for urn in urns],
            "clusters": [self.starts.clusters[urn] for urn in urns],
            "strata": [strata.get(urn, "") for urn in urns],
            "phases": [self.starts.phases[urn] for urn in urns],
        }

    def _kept(self, units: Sequence[tuple[int, int]], known: Bools) -> tuple[Ints, list[LeftOut]]:
        """Places of the units that started within the panel or not at all and have no gap, and how many do not."""
        started = np.array([urn in self.starts.before for urn, _ in units], dtype=bool)
        blocks = np.array([year for _, year in units], dtype=np.int64)
        whole = _complete(known, np.where(started, -1, blocks))
        told = [("started_before_the_panel", started), ("no_figure_in_some_half_term", ~whole & ~started)]
        kept: Ints = np.flatnonzero(whole & ~started)
        return kept, [
            LeftOut(what="units", reason=why, n=int(each.sum()), of=len(units)) for why, each in told if each.any()
        ]

    def _refuse_unknown(self, urns: set[int]) -> None:
        strange = sorted(urns - set(self.starts.clusters))
        if strange:
            raise PanelError(
                f"{len(strange)} school(s) with marks or events are not in schools ({', '.join(map(str, strange[:5]))}"
                f"{', ...' if len(strange) > 5 else ''}); add them to the table, with phase and pyramid"
            )

    def _arrays(
        self, rows: pa.Table, keys: list[tuple[int, int]], units: list[tuple[int, int]], names: Sequence[str]
    ) -> list[Floats]:
        place = {key: n for n, key in enumerate(units)}
        column = {(half.period, half.number): n for n, half in enumerate(self.halves)}
        dated = zip(rows["period"].to_pylist(), rows["half_term"].to_pylist(), strict=True)
        known = enumerate(zip(keys, dated, strict=True))
        places = [(n, place[key], column[day]) for n, (key, day) in known if day in column]
        at = np.array(places, dtype=np.int64).reshape(-1, 3)
        found = []
        for name in names:
            array = np.zeros((len(units), len(self.halves)))
            array[at[:, 1], at[:, 2]] = rows[name].to_numpy().astype(np.float64)[at[:, 0]]
            found.append(array)
        return found


def _halves(periods: Sequence[str], until: str | None) -> list[HalfTerm]:
    halves = [half for period in sorted(periods) for half in half_terms(period)]
    labels = [half_term_label(half) for half in halves]
    if until is None:
        return halves
    if until not in labels:
        raise PanelError(f"until {until!r}: expected a half-term of the years asked for, such as {labels[-1]!r}")
    return halves[: labels.index(until) + 1]


def _mean_before(pupils: Floats, adoption: Sequence[int | None]) -> Floats:
    """(n,) mean number of pupils over the half-terms before the first start in which there were any."""
    first = max(min(each for each in adoption if each is not None), 1)
    early = pupils[:, :first]
    mean: Floats = early.sum(axis=1) / np.maximum((early > 0).sum(axis=1), 1)
    return mean


def _complete(known: Bools, blocks: Ints) -> Bools:
    """(n,) units with a figure in every half-term of their block, the half-terms at which enough of it have one.

    A year group counts only while it is 5 to 15 years old, so half-terms differ by block.
    """
    whole = np.zeros(len(known), dtype=bool)
    for block in np.unique(blocks):
        own = blocks == block
        of_block = known[own].mean(axis=0) >= _ENOUGH
        whole[own] = known[own][:, of_block].all(axis=1) & of_block.any()
    return whole


def _leavers(gone: pa.Table, starts: Starts, total: int) -> list[LeftOut]:
    """By destination and whether their baseline school starts within the panel."""
    found: Counter[tuple[str, str]] = Counter()
    for row in gone.to_pylist():
        arm = "start" if starts.adoption.get(row["urn"]) is not None else "do not start"
        found[f"pupils of schools that {arm}", row["kind"]] += row["pupils"]
    return [LeftOut(what=arm, reason=kind, n=n, of=total) for (arm, kind), n in sorted(found.items())]
