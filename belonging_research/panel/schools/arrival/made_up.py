"""Is the made-up county like a real one? What its tables give, beside the published figures it is made like.

Counted from the extract's own tables by the Department's rules, as a council's would be; nothing is read of the truth
beside it. Of the last year for which all was published, when nothing has begun yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from ibis.expr.types import Table

from belonging_research.outcomes.arrival import absence_bands, absence_numbers
from belonging_research.outcomes.exclusions import counted, exclusion_rates
from belonging_research.panel.schools.arrival.rules import absence_of_year
from belonging_research.panel.schools.arrival.shape import NO_SCHOOLS, Arrived, arrived
from belonging_research.panel.schools.study import SchoolStudy
from belonging_research.tables import published_marginals as published
from belonging_research.tables.measures import Measures, Rate

NOT_MADE_UP = "These records are not made up, so this is not asked of them"
NOT_THE_YEAR = f"The year of the published figures, {published.YEAR}, is not among those read here"
ALL_SCHOOLS = "All schools"
_COLUMNS = {
    "part": pa.string(),
    "line": pa.string(),
    "period": pa.string(),
    "counted": pa.int64(),
    "counted_of": pa.int64(),
    "made_up": pa.float64(),
    "published": pa.float64(),
    "made_up_less_published": pa.float64(),
    "source": pa.string(),
}
_COUNTS = Measures(
    pupils=("counted", "counted_of"),
    rates=(
        Rate(name="made_up", numerator="counted", denominator="counted_of"),
        Rate(name="made_up_less_published", numerator="counted", denominator="counted_of"),
    ),
    other=("published",),
)
_PHASES: Mapping[published.Phase, str] = {
    "primary": "Primary schools", "secondary": "Secondary schools", "special": "Special schools",
}  # fmt: skip
# Bands of the published ones put together: their first edge, and what they are called.
_BANDS: Mapping[int, str] = {0: "under 5%", 5: "5 to 10%", 10: "10 to 20%", 20: "20 to 50%", 50: "50% or more"}
_FSM: Mapping[bool | None, str] = {
    True: "Free school meals", False: "No free school meals", None: "Meals not recorded",
}  # fmt: skip
_SEN: Mapping[bool | None, str] = {True: "SEN support or a plan", False: "Neither of them"}
_Line = tuple[str, int, int, float]  # its name, counted, of, and the published figure per 100


def made_up_beside_published(study: SchoolStudy | None) -> Arrived:
    """Marginals of a made-up county beside those published of Dorset (:mod:`tables.published_marginals`).

    A row a figure: overall absence by phase, enrolments by how much they missed, persistent absence by group and year
    group, suspensions and permanent exclusions that stood over the January roll, how concentrated they are, and
    schools by phase; proportions, and events per pupil. One row that says so for any extract that is not made up.
    ``published`` of the concentration is of 2016/17, and free school meals of six years stand beside those of one.
    Shares of a part add up, so that one which the door hides could be worked out: of nobody, and for no real extract.
    """
    if study is None:
        return arrived((), _COLUMNS, _COUNTS, nothing=NO_SCHOOLS)
    # Both: without a plan that says so, what is drawn from it would not be marked as made up.
    if not study.plan.simulated or study.extract.producer != published.MADE_UP_BY:
        return arrived((), _COLUMNS, _COUNTS, nothing=NOT_MADE_UP)
    if published.YEAR not in study.periods:
        return arrived((), _COLUMNS, _COUNTS, nothing=NOT_THE_YEAR)
    exclusions = _exclusions(study) if "exclusions" in study.extract.tables else ()
    return arrived([*_absence(study), *exclusions, *_schools(study)], _COLUMNS, _COUNTS)


def _rows(part: str, source: str, lines: Sequence[_Line]) -> Iterator[dict[str, Any]]:
    """Rows of a part; none for a line of which nobody is in the county."""
    for line, n, of, figure in lines:
        if of:
            yield {
                "part": part, "line": line, "period": published.YEAR, "counted": n, "counted_of": of,
                "made_up": n / of, "published": figure / 100, "made_up_less_published": n / of - figure / 100,
                "source": source,
            }  # fmt: skip


def _absence(study: SchoolStudy) -> Iterator[dict[str, Any]]:
    absence = _described(study)
    phases = _numbers(study, absence, "phase")
    missed = {phase: (phases[phase]["absent"], phases[phase]["possible"]) for phase in _PHASES if phase in phases}
    every = tuple(sum(part) for part in zip(*missed.values(), strict=True))
    lines = [(ALL_SCHOOLS, *every, published.OVERALL_ABSENCE[published.YEAR])]
    lines += [(_PHASES[p], *n, published.OVERALL_ABSENCE_BY_PHASE[p]) for p, n in missed.items()]
    yield from _rows("Half-days missed, of 100", published.INTERACTIVE_TOOL, lines)
    bands = absence_bands(absence, tuple(_BANDS), by=("phase",))
    found = {(row["phase"], row["band"]): row["enrolments"] for row in study.engine.to_pyarrow(bands).to_pylist()}
    for phase in ("primary", "secondary"):
        part = f"{_PHASES[phase]}: share missed, of 100 enrolments"
        yield from _rows(part, published.DISTRIBUTIONS, _by_band(found, phase))
    groups = [
        *_persistent(_numbers(study, absence, "fsm"), _FSM, published.PERSISTENT_BY_FSM),
        *_persistent(_numbers(study, absence, "sen"), _SEN, published.PERSISTENT_BY_SEN),
    ]
    yield from _rows("A tenth or more missed, of 100 enrolments", published.DISTRIBUTIONS, groups)
    names = {year: f"Year {year}" for year in published.PERSISTENT_BY_YEAR_GROUP}
    years = _persistent(_numbers(study, absence, "year_group"), names, published.PERSISTENT_BY_YEAR_GROUP)
    yield from _rows("A tenth or more missed, of 100 of a year group", published.DISTRIBUTIONS, years)


def _described(study: SchoolStudy) -> Table:
    """Absence of every enrolment with what its groups are told by; null where that is not recorded."""
    own, absence = study.register, absence_of_year(study, published.YEAR)
    pupils = own.pupils.select("pupil", fsm="ever_fsm_6", sen=own.pupils.sen_provision != "N")
    joined = absence.left_join(pupils, "pupil").drop("pupil_right")
    joined = joined.left_join(own.schools.select("urn", "phase"), "urn").drop("urn_right")
    return joined.mutate(year_group=joined.age - 4)  # aged 5 on 31 August before Year 1


def _numbers(study: SchoolStudy, absence: Table, by: str) -> dict[Any, dict[str, int]]:
    rows = study.engine.to_pyarrow(absence_numbers(absence, by=(by,))).to_pylist()
    return {row[by]: row for row in rows}


def _by_band(found: Mapping[tuple[str, int], int], phase: published.Phase) -> list[_Line]:
    counts = [found.get((phase, band), 0) for band in range(len(_BANDS))]
    theirs, edges = published.ENROLMENTS_BY_BAND[phase], (*_BANDS, 101)
    return [
        (
            words, counts[at], sum(counts),
            100 * sum(n for n, low in zip(theirs, published.BAND_EDGES, strict=True) if edge <= low < edges[at + 1])
            / sum(theirs),
        )
        for at, (edge, words) in enumerate(_BANDS.items())
    ]  # fmt: skip


def _persistent(
    found: Mapping[Any, Mapping[str, int]], names: Mapping[Any, str], theirs: Mapping[Any, tuple[int, int]]
) -> list[_Line]:
    lines = []
    for key, words in names.items():
        if key in found:
            n, of = theirs[key]
            lines.append((words, found[key]["persistently_absent"], found[key]["persistence_known"], 100 * n / of))
    return lines


def _exclusions(study: SchoolStudy) -> Iterator[dict[str, Any]]:
    """Alternative provision is in the rates of all schools, as published, and in none of a phase."""
    year = published.YEAR
    events = counted(study.tables["exclusions"], period=year, as_at=study.extract.date)
    rates = exclusion_rates(events, study.register.enrolments, period=year)
    schools = study.engine.to_pyarrow(rates).to_pylist()
    phases = _phases(study)
    own = {phase: [row for row in schools if phases.get(row["urn"]) == phase] for phase in _PHASES}
    lines = [(ALL_SCHOOLS, *_sums(schools, "suspensions"), published.SUSPENSIONS[year])]
    lines += [
        (_PHASES[phase], *_sums(own[phase], "suspensions"), figure)
        for phase, figure in published.SUSPENSIONS_BY_PHASE.items()
    ]
    yield from _rows("Suspensions, for 100 pupils on roll", published.INTERACTIVE_TOOL, lines)
    lines = [
        ("Pupils suspended", *_sums(schools, "pupils_suspended"), published.PUPILS_SUSPENDED[year]),
        ("Permanent exclusions", *_sums(schools, "permanent_exclusions"), published.PERMANENT_EXCLUSIONS[year]),
    ]
    yield from _rows("For 100 pupils on roll", published.INTERACTIVE_TOOL, lines)
    most = sorted((row["suspensions"] for each in own.values() for row in each), reverse=True)
    n, of = published.FROM_A_TENTH_OF_SCHOOLS
    words = f"From the tenth of schools with most (published: {published.CONCENTRATION_YEAR})"
    tenth = (words, sum(most[: round(len(most) / 10)]), sum(most), 100 * n / of)
    yield from _rows("Suspensions, of 100", published.EXCLUSIONS, [tenth])


def _schools(study: SchoolStudy) -> Iterator[dict[str, Any]]:
    """Primary and secondary schools; special ones are the rest, too few for a row of their own."""
    phases, theirs = list(_phases(study).values()), published.SCHOOLS
    lines = [
        (_PHASES[phase], phases.count(phase), len(phases), 100 * theirs[phase] / sum(theirs.values()))
        for phase in theirs
        if phase != "special"
    ]
    yield from _rows("Schools, of 100", published.ATTENDANCE, lines)


def _phases(study: SchoolStudy) -> dict[int, str]:
    """Phase by urn of every school but alternative provision, which is in no published phase."""
    schools = study.register.schools
    rows = study.engine.to_pyarrow(schools.filter(~schools.is_alternative_provision)).to_pylist()
    return {row["urn"]: row["phase"] for row in rows}


def _sums(schools: Sequence[Mapping[str, Any]], column: str) -> tuple[int, int]:
    """Events of some schools, and pupils on their January roll."""
    return sum(row[column] for row in schools), sum(row["headcount"] for row in schools)
