"""A county's tables as `receive` leaves them, but for the marks: every table of COUNCIL_TABLES by its schema."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from belonging_research.simulate.councils import Ints
from belonging_research.simulate.county.county import County
from belonging_research.simulate.county.enrolments import NO_DAY, Days, as_table, enrolments, teaching_calendar
from belonging_research.simulate.county.pupils import NOT_RECORDED
from belonging_research.simulate.county.school_days import school_days
from belonging_research.simulate.county.survey import survey
from belonging_research.simulate.county.suspensions import draw_reasons
from belonging_research.simulate.county.worlds import HALF_TERMS, NEVER
from belonging_research.tables.council import DESTINATIONS, EXCLUSIONS, INTERVENTIONS, PUPILS, SCHOOLS

_COST_A_PUPIL = 30.0  # pounds a year
_COST_NOT_KNOWN = 0.1  # of schools


def county_tables(county: County) -> dict[str, pa.Table]:
    """Every table but the marks and the weekly file, by name, sorted by its key. The same county, the same tables."""
    rng = np.random.default_rng([county.seed, len(county.world.periods)])
    return {
        "schools": _schools(county),
        "pupils": _pupils(county, rng),
        "enrolments": enrolments(county),
        "exclusions": _exclusions(county, rng),
        "destinations": _destinations(county),
        "interventions": _interventions(county, rng),
        "survey": survey(county, rng),
    }


def _schools(county: County) -> pa.Table:
    schools = county.schools
    names = [f"Pyramid {at + 1}" if at >= 0 else None for at in schools.pyramid.tolist()]
    columns = {
        "urn": schools.urn.astype(np.int32), "phase": schools.phase,
        "is_alternative_provision": schools.tier == "alternative", "pyramid": names,
    }  # fmt: skip
    return as_table(SCHOOLS.schema, columns)


def _pupils(county: County, rng: np.random.Generator) -> pa.Table:
    """Those ever on roll. A young carer who is never identified while on roll stays *not declared*."""
    pupils, calendar = county.pupils, teaching_calendar(county.world)
    there = np.unique(county.roll.pupil)
    pairs = np.unique(county.roll.pupil * county.world.n_periods + county.roll.period)
    found = pupils.found[there]
    on_roll = np.isin(there * county.world.n_periods + found, pairs) & (found >= 0)
    day = calendar[np.maximum(found, 0), rng.integers(0, calendar.shape[1], len(there))]
    known = pupils.fsm[there] != NOT_RECORDED
    columns = {
        "pupil": pupils.code[there],
        "birth_month": pupils.birth_month[there],
        "sex": pupils.sex[there],
        "ever_fsm_6": pa.array(pupils.fsm[there] == 1, pa.bool_(), mask=~known),
        "sen_provision": pupils.sen[there],
        "young_carer": np.where(on_roll, pupils.found_by[there], "N"),
        "young_carer_since": np.where(on_roll, day, NO_DAY),
    }
    return as_table(PUPILS.schema, columns)


def _exclusions(county: County, rng: np.random.Generator) -> pa.Table:
    """Suspensions that happened and permanent exclusions."""
    calendar, roll = teaching_calendar(county.world), county.roll
    events, removals = county.suspensions, county.removals
    own = np.flatnonzero(events.happens)
    row, n = events.row[own], len(removals.pupil)
    pupil = np.append(roll.pupil[row], removals.pupil)
    school = np.append(roll.school[row], removals.school)
    first = np.append(calendar[roll.period[row], events.start[own] // 2], calendar[removals.period, removals.day])
    order = np.lexsort((first, np.repeat([1, 0], [len(own), n]), school, pupil))
    period, decided = np.append(roll.period[row], removals.period), np.append(events.decided[own], removals.decided)
    status_day = np.where(decided < 0, NO_DAY, calendar[period, np.maximum(decided, 0)])
    sessions = pa.array(
        np.append(events.sessions[own], np.zeros(n, int)), pa.int32(), mask=np.arange(len(pupil)) >= len(own)
    )
    columns = {
        "pupil": county.pupils.code[pupil][order],
        "urn": county.schools.urn[school][order].astype(np.int32),
        "category": np.repeat(["suspension", "permanent"], [len(own), n])[order],
        "first_day": first[order],
        "sessions": sessions.take(pa.array(order)),
        "status": np.append(events.status[own], removals.status)[order],
        "status_day": status_day[order],
        "reasons": draw_reasons(len(pupil), rng),
    }
    return as_table(EXCLUSIONS.schema, columns)


def _destinations(county: County) -> pa.Table:
    """Case lists: the day on which each move began, and the last one where it ended."""
    moves, calendar, urn = county.moves, teaching_calendar(county.world), county.schools.urn
    order = np.lexsort((moves.first, moves.period, moves.kind, moves.pupil))
    first, until, period = moves.first[order], moves.until[order], moves.period[order]
    to = moves.to[order]
    columns = {
        "pupil": county.pupils.code[moves.pupil[order]],
        "kind": moves.kind[order],
        "first_day": calendar[period, first],
        "last_day": np.where(until < 0, NO_DAY, calendar[period, np.maximum(until, 1) - 1]),
        "from_urn": urn[moves.school[order]].astype(np.int32),
        "to_urn": pa.array(urn[np.maximum(to, 0)], pa.int32(), mask=to < 0),
    }
    return as_table(DESTINATIONS.schema, columns)


def start_days(county: County) -> Days:
    """(starts + never,) first school day of each half-term in which pyramids begin, NaT for never."""
    found: list[np.datetime64] = []
    for at in (*county.world.treated_starts, None):
        if at is None:
            found.append(NO_DAY)
            continue
        days = school_days(county.world.periods[at // HALF_TERMS])
        found.append(days.days[days.teaching][days.half_term[days.teaching] == at % HALF_TERMS + 1][0])
    return np.array(found, "datetime64[D]")


def _interventions(county: County, rng: np.random.Generator) -> pa.Table:
    """What its pyramid begins with at every school of it, from the first school day of its half-term."""
    start = county.changes.school_start(county.schools)
    days = start_days(county)[start]
    treated = np.flatnonzero((start != NEVER) & ~np.isnat(days))
    sizes = _sizes(county)[treated]
    known = rng.random(len(treated)) >= _COST_NOT_KNOWN
    columns = {
        "intervention": [
            county.world.interventions[at] for at in county.changes.school_intervention(county.schools)[treated]
        ],
        "urn": county.schools.urn[treated].astype(np.int32),
        "first_day": days[treated],
        "last_day": np.full(len(treated), NO_DAY),
        "dose": np.ceil(sizes / 15.0),
        "dose_unit": ["staff trained"] * len(treated),
        "cost": pa.array(np.round(_COST_A_PUPIL * sizes, -1), pa.float64(), mask=~known),
        "timing": [county.world.timing] * len(treated),
    }
    return as_table(INTERVENTIONS.schema, columns).sort_by([(name, "ascending") for name in INTERVENTIONS.key])


def _sizes(county: County) -> Ints:
    """(schools,) rows of the roll in the last period."""
    last = county.roll.period == county.world.n_periods - 1
    return np.bincount(county.roll.school[last], minlength=len(county.schools.urn))
