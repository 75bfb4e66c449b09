"""When each school started: the intervention log to the first half-term that was treated in any part.

A school counts as treated from the half-term *that contains* its first day, so that the half-term before it, which
every effect is measured from, is wholly untreated. The price is a first effect that is somewhat diluted.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from belonging_research.errors import PanelError
from belonging_research.panel.schools.shape import LeftOut
from belonging_research.tables.school_year import HalfTerm

Assignment = Literal["pyramid", "school"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """By urn: ``adoption`` (index of a half-term, None by the end), ``clusters``, ``phases`` and ``timing``.

    Schools treated before the panel begins stand in ``before`` and nowhere else. ``every_school_starts``: each has a
    start in the log, if only after the panel. ``counts`` say what was decided for how many schools.
    """

    adoption: Mapping[int, int | None]
    clusters: Mapping[int, str]
    phases: Mapping[int, str]
    timing: Mapping[int, str]
    before: tuple[int, ...]
    every_school_starts: bool
    counts: tuple[LeftOut, ...]


def half_term_label(half: HalfTerm) -> str:
    """``"2024/25 HT1"``."""
    return f"{half.period} HT{half.number}"


def first_half_term(day: dt.date, halves: Sequence[HalfTerm]) -> int | None:
    """The half-term from which a start on ``day`` counts, by index: -1 before the first, None after the last."""
    return None if day > halves[-1].last_day else bisect_right([half.first_day for half in halves], day) - 1


def starts_of(
    schools: pa.Table, interventions: pa.Table, halves: Sequence[HalfTerm], *, assignment: Assignment = "pyramid"
) -> Starts:
    """First starts by school. ``schools``, ``interventions``: of :mod:`tables.council`; ``halves``: the panel's.

    With ``assignment="pyramid"`` a school starts when the first school of its pyramid does (intention to treat: pupils
    move between the schools of a pyramid); with ``"school"`` when it does itself. A school without a pyramid is its
    own cluster. Of several interventions the first start counts.

    Raises :class:`PanelError` for an intervention at a school that is not in ``schools``, or without a first day.
    """
    rows = schools.select(["urn", "phase", "pyramid"]).to_pylist()
    clusters = {row["urn"]: row["pyramid"] or f"school {row['urn']}" for row in rows}
    first, timing, several = _first_days(interventions, set(clusters))
    own = set(first)
    if assignment == "pyramid":
        first, timing = _by_pyramid(first, timing, clusters)
    opens, closes = [half.first_day for half in halves], halves[-1].last_day
    before = tuple(sorted(urn for urn, day in first.items() if day < opens[0]))
    adoption = {
        urn: first_half_term(first[urn], halves) if urn in first else None for urn in clusters if urn not in before
    }
    told = [
        ("first_of_several_interventions_counts", several),
        ("starts_with_its_pyramid", len(set(first) - own)),
        ("no_pyramid_so_its_own_cluster", sum(row["pyramid"] is None for row in rows)),
        ("starts_after_the_panel", sum(day > closes for day in first.values())),
    ]
    return Starts(
        adoption=adoption,
        clusters=clusters,
        phases={row["urn"]: row["phase"] for row in rows},
        timing=timing,
        before=before,
        every_school_starts=set(first) == set(clusters),
        counts=tuple(LeftOut(what="schools", reason=why, n=n, of=len(clusters)) for why, n in told if n),
    )


def _first_days(interventions: pa.Table, known: set[int]) -> tuple[dict[int, dt.date], dict[int, str], int]:
    """First day and its timing by urn, and how many schools have several interventions."""
    rows = interventions.select(["urn", "first_day", "timing"]).to_pylist()
    strange = sorted({row["urn"] for row in rows if row["urn"] not in known})
    if strange:
        shown = ", ".join(map(str, strange[:5]))
        raise PanelError(
            f"interventions: {len(strange)} urn(s) are not in schools ({shown}{', ...' if len(strange) > 5 else ''}). "
            "Correct the urn, or add the school"
        )
    undated = sum(row["first_day"] is None for row in rows)
    if undated:
        raise PanelError(
            f"interventions: {undated} of {len(rows)} rows have no first_day; a start that is not known cannot be "
            "placed. Enter the day, or take the row out"
        )
    first: dict[int, dt.date] = {}
    timing: dict[int, str] = {}
    for row in sorted(rows, key=lambda each: (each["first_day"], each["timing"] or "")):
        if row["urn"] not in first:
            first[row["urn"]], timing[row["urn"]] = row["first_day"], row["timing"] or "not_recorded"
    several = sum(n > 1 for n in Counter(row["urn"] for row in rows).values())
    return first, timing, several


def _by_pyramid(
    first: Mapping[int, dt.date], timing: Mapping[int, str], clusters: Mapping[int, str]
) -> tuple[dict[int, dt.date], dict[int, str]]:
    earliest: dict[str, int] = {}
    for urn in sorted(first, key=lambda each: (first[each], each)):
        earliest.setdefault(clusters[urn], urn)
    led = {urn: earliest[cluster] for urn, cluster in clusters.items() if cluster in earliest}
    return {urn: first[lead] for urn, lead in led.items()}, {urn: timing[lead] for urn, lead in led.items()}
