"""Few events by whether schools had started, before anything began and since, with the time in which they fell."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from belonging_research.panel.schools.arrival.shape import NO_SCHOOLS, Arrived, arrived
from belonging_research.panel.schools.shape import SCHOOL_DAYS, SchoolPanel
from belonging_research.panel.schools.study import SchoolStudy
from belonging_research.tables.measures import Measures

_COLUMNS = {
    "which": pa.string(),
    "when": pa.string(),
    "schools": pa.int64(),
    "events": pa.int64(),
    "pupil_years": pa.int64(),
}
# No rate: at the decimals that a policy allows, that of events so few would be 0.
_COUNTS = Measures(pupils=("events", "pupil_years"), schools=("schools",))
Bools = NDArray[np.bool_]


def events_by_start(study: SchoolStudy | None, outcome: str) -> Arrived:
    """Events of the cohort in schools that start and in the others, before the first start; then since, by whether a
    school had started by then. ``pupil_years``: its enrolled school days over those of a school year.

    Half-terms at which nobody is left that had not started are in neither. Raises :class:`PanelError` for an outcome
    that has no events.
    """
    if study is None:
        return arrived((), _COLUMNS, _COUNTS, nothing=NO_SCHOOLS)
    panel = study.panel(outcome)
    half = np.arange(len(panel.periods))
    started = half >= np.array([len(half) if each is None else each for each in panel.adoption])[:, None]
    ever = np.broadcast_to(np.array([each is not None for each in panel.adoption])[:, None], started.shape)
    early = np.broadcast_to(half < panel.first_start, started.shape)
    since = np.broadcast_to(started.any(axis=0) & (~started).any(axis=0), started.shape)
    rows = (
        ("schools that start by the end", "before anything began", early & ever),
        ("the other schools", "before anything began", early & ~ever),
        ("schools that had started by then", "since something began", since & started),
        ("schools that had not", "since something began", since & ~started),
    )
    return arrived([_row(panel, *each) for each in rows], _COLUMNS, _COUNTS)


def _row(panel: SchoolPanel, which: str, when: str, cells: Bools) -> dict[str, str | int]:
    events, days = panel.numerator[cells].sum(), panel.denominator[cells].sum()
    return {
        "which": which,
        "when": when,
        "schools": len({panel.schools[n] for n in np.flatnonzero(cells.any(axis=1))}),
        "events": round(float(events)),
        "pupil_years": round(float(days / SCHOOL_DAYS)),
    }
