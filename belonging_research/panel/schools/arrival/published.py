"""The council's own totals beside the figures that the Department published of the same council."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from belonging_research.outcomes import MEASURES
from belonging_research.outcomes.arrival import absence_numbers
from belonging_research.outcomes.exclusions import counted, exclusion_rates
from belonging_research.outcomes.registers import absence_rates
from belonging_research.panel.building import Panel, grid
from belonging_research.panel.schools.arrival.rules import absence_of_year
from belonging_research.panel.schools.arrival.shape import NO_SCHOOLS, Arrived, arrived
from belonging_research.panel.schools.study import SchoolStudy
from belonging_research.tables import Source
from belonging_research.tables.measures import Measures, Rate
from belonging_research.tables.school_year import half_terms

_COLUMNS = {
    "measure": pa.string(),
    "period": pa.string(),
    "counted": pa.int64(),
    "counted_of": pa.int64(),
    "own": pa.float64(),
    "published": pa.float64(),
    "series": pa.string(),
    "own_less_published": pa.float64(),
}
_COUNTS = Measures(
    pupils=("counted", "counted_of"),
    rates=(
        Rate(name="own", numerator="counted", denominator="counted_of"),
        Rate(name="own_less_published", numerator="counted", denominator="counted_of"),
    ),
    other=("published",),
)
# Each absence measure's numerator and denominator in `absence_numbers`.
_ABSENCE: Mapping[str, tuple[str, str]] = {
    "overall_absence_rate": ("absent", "possible"),
    "persistent_absence_rate": ("persistently_absent", "persistence_known"),
    "severe_absence_rate": ("severely_absent", "severity_known"),
}
_EVENTS: Mapping[str, str] = {
    "suspension_rate": "suspensions",
    "pupils_with_one_or_more_suspensions_rate": "pupils_suspended",
    "permanent_exclusion_rate": "permanent_exclusions",
}
_SERIES: Mapping[Source, str] = {"census": "yearly", "daily": "provisional"}
Total = tuple[int, int, float | None]  # counted, of, rate


def totals_beside_published(study: SchoolStudy | None, panel: Panel) -> Arrived:
    """Own rates of the whole council beside the published ones of ``panel``'s treated council, by measure and year.

    Proportions, and events per pupil: overall absence over possible half-days; persistent and severe absence over
    enrolments whose answer is known; suspensions and permanent exclusions that stood, and pupils suspended, over the
    January roll, added up over schools as the Department does. Years that were over on the day of the extract. A
    yearly figure is taken before a provisional one; a year without either has an own rate alone.
    """
    if study is None:
        return arrived((), _COLUMNS, _COUNTS, nothing=NO_SCHOOLS)
    years = [period for period in study.periods if half_terms(period)[-1].last_day <= study.extract.date]
    if not years:
        return arrived((), _COLUMNS, _COUNTS, nothing="No academic year was over on the day of the extract")
    totals = {period: _absence(study, period) | _events(study, period) for period in years}
    rows = [
        _row(name, period, totals[period][name], *_published(panel, name, period))
        for name in (*_ABSENCE, *_EVENTS)
        for period in years
        if name in totals[period]
    ]
    return arrived(rows, _COLUMNS, _COUNTS)


def _row(name: str, period: str, total: Total, published: float | None, source: Source | None) -> dict[str, Any]:
    (found, of, own), measure = total, MEASURES[name]
    return {
        "measure": f"{measure.label}, per 100 {measure.denominator}",
        "period": period,
        "counted": found,
        "counted_of": of,
        "own": own,
        "published": published,
        "series": _SERIES[source] if source else "none",
        "own_less_published": None if own is None or published is None else own - published,
    }


def _absence(study: SchoolStudy, period: str) -> dict[str, Total]:
    absence = absence_of_year(study, period)
    (numbers,) = study.engine.to_pyarrow(absence_numbers(absence)).to_pylist()
    (rates,) = study.engine.to_pyarrow(absence_rates(absence)).to_pylist()
    return {name: (numbers[part] or 0, numbers[whole] or 0, rates[name]) for name, (part, whole) in _ABSENCE.items()}


def _events(study: SchoolStudy, period: str) -> dict[str, Total]:
    """Over all schools; none where the council sent no list: that is no list of nobody."""
    if "exclusions" not in study.extract.tables:
        return {}
    events = counted(study.tables["exclusions"], period=period, as_at=study.extract.date)
    schools = study.engine.to_pyarrow(exclusion_rates(events, study.register.enrolments, period=period))
    roll, *sums = (sum(schools[column].to_pylist()) for column in ("headcount", *_EVENTS.values()))
    return {name: (n, roll, n / roll if roll else None) for name, n in zip(_EVENTS, sums, strict=True)}


def _published(panel: Panel, name: str, period: str) -> tuple[float | None, Source | None]:
    for source in _SERIES:
        rate = float(grid(panel, name, source=source).take(panel.treated, (period,))[0, 0])
        if np.isfinite(rate):
            return rate, source
    return None, None
