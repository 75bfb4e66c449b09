"""What each pyramid began with: the intervention log to the names of what started in its first half-term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from belonging_research.panel.schools.starts import first_half_term
from belonging_research.tables.school_year import HalfTerm


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunWith:
    """By pyramid (its cluster in :class:`Starts`): what it began with, names in order.

    ``schools``: in how many schools each name began so, counted over the pyramids that began with the same names. A
    name that somebody typed may tell of one school or one child: whoever shows it needs these counts.
    """

    names: Mapping[str, tuple[str, ...]]
    schools: Mapping[tuple[str, ...], Mapping[str, int]]


def begun_with(schools: pa.Table, interventions: pa.Table, halves: Sequence[HalfTerm]) -> BegunWith:
    """What pyramids that start within ``halves`` began with. ``schools``, ``interventions``: of `tables.council`.

    Whatever begins in a pyramid in the half-term of its first start is what it began with: what starts together cannot
    be told apart. Names lose spaces around them, and a slash, which parts an id, becomes a dash; a plus, which
    parts names, becomes "and".
    """
    clusters = {
        row["urn"]: row["pyramid"] or f"school {row['urn']}" for row in schools.select(["urn", "pyramid"]).to_pylist()
    }
    first: dict[str, int] = {}
    begun: dict[str, dict[str, set[int]]] = {}
    for row in sorted(interventions.to_pylist(), key=lambda each: each["first_day"]):
        at, cluster = first_half_term(row["first_day"], halves), clusters[row["urn"]]
        if at is not None and first.setdefault(cluster, at) == at:
            begun.setdefault(cluster, {}).setdefault(_plain(row["intervention"]), set()).add(row["urn"])
    names = {cluster: tuple(sorted(found)) for cluster, found in begun.items() if first[cluster] >= 0}
    counts: dict[tuple[str, ...], dict[str, int]] = {}
    for cluster, own in names.items():
        of = counts.setdefault(own, dict.fromkeys(own, 0))
        for name in own:
            of[name] += len(begun[cluster][name])
    return BegunWith(names=names, schools=counts)


def _plain(name: str) -> str:
    return " ".join(name.replace("/", " - ").replace("+", " and ").split())
