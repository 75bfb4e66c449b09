"""Who is in no rate and why, which marks could move between classes, and where those who were followed went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from belonging_research.outcomes.expressions import number
from belonging_research.outcomes.registers import absence_rates, enrolment_absence, left_out
from belonging_research.outcomes.school_periods import cohort_leavers
from belonging_research.panel.schools.arrival.shape import NO_SCHOOLS, Arrived, arrived
from belonging_research.panel.schools.study import SchoolStudy
from belonging_research.tables.council import DESTINATION_KINDS
from belonging_research.tables.measures import Measures, Rate, Total
from belonging_research.tables.register_codes import REGISTER_CODES, WATCHED_MARKS
from belonging_research.tables.school_year import half_terms

IN_EVERY_RATE, EVERY_ENROLMENT, EVERY_LEAVER = "in every rate of absence", "all enrolments", "all of them"
UNCLEAR = "in the rates of half-days, but not clear whether a tenth or half of their own was missed"
NOT_IN_USE = "none"
_RULES: Mapping[str, str] = {
    "age_not_known": "age not known",
    "not_aged_5_to_15": "not aged 5 to 15 when the year began",
    "boarder": "boarder",
    "alternative_provision": "at alternative provision",
    "school_not_known": "school not in the table of schools",
    "began_in_half_term_6": "began in the last half-term",
    "no_possible_sessions": "no half-day that could be attended",
    "school_under_6_enrolments": "school with fewer than 6 such enrolments",
}
_LEFT_OUT = {"period": pa.string(), "counted_as": pa.string(), "enrolments": pa.int64()}
_WATCHED = {
    "period": pa.string(),
    "mark": pa.string(),
    "meaning": pa.string(),
    "enrolments_with_it": pa.int64(),
    "share_of_half_days": pa.float64(),
}
_DESTINATIONS = {"destination": pa.string(), "pupils": pa.int64()}


def left_out_of_counts(study: SchoolStudy | None) -> Arrived:
    """Enrolments with marks by academic year: in the rates of absence, left out by each rule, and all of them.

    The rules, the first that applies, are those of :func:`outcomes.registers.enrolment_absence`. An enrolment whose
    marks that were no code could tip its persistent or severe absence is in neither of those two rates.
    """
    counts = Measures(pupils=("enrolments",), total=Total(column="counted_as", label=EVERY_ENROLMENT))
    if study is None:
        return arrived((), _LEFT_OUT, counts, nothing=NO_SCHOOLS)
    rows: list[dict[str, Any]] = []
    for period in study.periods:
        absence = absence_of_year(study, period)
        by_rule = {row["left_out"]: row["enrolments"] for row in study.engine.to_pyarrow(left_out(absence)).to_pylist()}
        (rates,) = study.engine.to_pyarrow(absence_rates(absence)).to_pylist()
        found = {IN_EVERY_RATE: rates["enrolments"] - rates["flags_not_known"], UNCLEAR: rates["flags_not_known"]}
        found |= {words: by_rule.get(rule, 0) for rule, words in _RULES.items()}
        found = {words: n for words, n in found.items() if n} | {EVERY_ENROLMENT: sum(found.values())}
        rows += [{"period": period, "counted_as": words, "enrolments": n} for words, n in found.items()]
    return arrived(rows, _LEFT_OUT, counts)


def watched_marks(study: SchoolStudy | None) -> Arrived:
    """Share of possible half-days with each mark whose use can change, by academic year, and with none in use.

    Of the enrolments in the rates; a year has the marks that were a code in it. D is no possible half-day, and neither
    is one without a mark in use: their share is over possible half-days all the same.
    """
    counts = Measures(
        pupils=("enrolments_with_it",), rates=(Rate(name="share_of_half_days", denominator="enrolments_with_it"),)
    )
    if study is None:
        return arrived((), _WATCHED, counts, nothing=NO_SCHOOLS)
    rows = [row for period in study.periods for row in _watched(study, period)]
    return arrived(rows, _WATCHED, counts)


def exits_by_destination(study: SchoolStudy | None) -> Arrived:
    """Pupils who are followed and were not in the data when it ended, by destination: each of equal standing.

    As :func:`outcomes.school_periods.cohort_leavers`, at the last half-term of the study that was over on the day of
    the extract. Destinations stand in the order of the alphabet.
    """
    counts = Measures(pupils=("pupils",), total=Total(column="destination", label=EVERY_LEAVER))
    if study is None:
        return arrived((), _DESTINATIONS, counts, nothing=NO_SCHOOLS)
    over = [half for period in study.periods for half in half_terms(period) if half.last_day <= study.extract.date]
    if not over or over[-1].period <= study.baseline:
        return arrived((), _DESTINATIONS, counts, nothing="No half-term since pupils are followed is over")
    gone = cohort_leavers(
        study.register.counts, study.cohort(), study.tables["destinations"], baseline=study.baseline,
        last=(over[-1].period, over[-1].number),
    )  # fmt: skip
    by_kind = gone.group_by("kind").aggregate(pupils=gone.pupils.sum().cast("int64"))
    pupils = {row["kind"]: row["pupils"] for row in study.engine.to_pyarrow(by_kind).to_pylist()}
    words = {**DESTINATION_KINDS, "not_recorded": "on no list of moves that was sent"}
    found = [*sorted((words[kind], n) for kind, n in pupils.items()), (EVERY_LEAVER, sum(pupils.values()))]
    return arrived([{"destination": where, "pupils": n} for where, n in found], _DESTINATIONS, counts)


def absence_of_year(study: SchoolStudy, period: str) -> Table:
    """Absence of every enrolment of an academic year (:func:`outcomes.registers.enrolment_absence`), asked once."""
    own = study.register
    absence = enrolment_absence(own.counts, own.pupils, own.enrolments, own.schools, period=period)
    return ibis.memtable(study.once(("enrolments", period), lambda: study.engine.to_pyarrow(absence)))


def _watched(study: SchoolStudy, period: str) -> list[dict[str, Any]]:
    absence = absence_of_year(study, period)
    kept = absence.filter(absence.left_out.isnull())
    (rates,) = study.engine.to_pyarrow(absence_rates(absence)).to_pylist()
    columns = {mark: kept[f"marked_{mark.lower()}"] for mark in WATCHED_MARKS} | {NOT_IN_USE: kept.not_in_use}
    (numbers,) = study.engine.to_pyarrow(
        kept.aggregate(**{mark: number(half_days > 0) for mark, half_days in columns.items()})
    ).to_pylist()
    end = half_terms(period)[-1].last_day
    meanings = {c.mark: c.meaning for c in REGISTER_CODES if c.first_day is None or c.first_day <= end}
    shares = {mark: rates[f"share_{mark.lower()}"] for mark in WATCHED_MARKS if mark in meanings}
    shares[NOT_IN_USE] = rates["not_in_use"] / rates["possible"] if rates["possible"] else None
    meanings[NOT_IN_USE] = "blank, or no mark of the list on that day: taken neither as absent nor as present"
    return [
        {"period": period, "mark": mark, "meaning": meanings[mark], "enrolments_with_it": numbers[mark],
         "share_of_half_days": share}
        for mark, share in shares.items()
    ]  # fmt: skip
