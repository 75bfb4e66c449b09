"""Two rounds of a belonging survey: who answers depends on absence, and what they answer a little on the effect."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from belonging_research.simulate.councils import Floats, Ints
from belonging_research.simulate.county.county import County
from belonging_research.simulate.county.enrolments import as_table, teaching_calendar
from belonging_research.simulate.county.marks import expected_absence
from belonging_research.simulate.county.roll import SUBSIDIARY
from belonging_research.simulate.county.school_days import TEACHING_DAYS
from belonging_research.simulate.county.worlds import HALF_TERMS
from belonging_research.tables.council import SURVEY

# In the middle of the summer term of the year before the first start, and of the last year.
_DAY = 160
ITEMS = ("b1", "b2", "b3", "b4", "b5", "b6")
_REVERSED = ("b3", "b5")  # agreeing is not belonging
_FROM_YEAR_GROUP = 4
_PERSISTENT = 0.1
_LOADING, _BLANK = 0.75, 0.02
_CUTS = np.array([-1.5, -0.7, 0.1, 1.0])  # of five answers


def survey(county: County, rng: np.random.Generator) -> pa.Table:
    """The table SURVEY: six items with answers 1 to 5 from Year 4 up, for pupils on roll on the day."""
    first = county.world.treated_starts[0]
    before = first // HALF_TERMS - 1 if first else 0
    waves = sorted({max(before, 0), county.world.n_periods - 1})
    lasting = rng.normal(size=len(county.pupils.code))
    parts = [_wave(county, f"wave_{at + 1}", period, lasting, rng) for at, period in enumerate(waves)]
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort((whole["item"], whole["wave"], whole["who"]))
    responses = pa.array(whole["response"][order], pa.int32(), mask=whole["response"][order] == 0)
    columns = {name: values[order] for name, values in whole.items()} | {"response": responses}
    return as_table(SURVEY.schema, columns)


def _wave(county: County, wave: str, period: int, lasting: Floats, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """One round, arrays (answers,); ``response`` 0 where left blank."""
    roll, pupils = county.roll, county.pupils
    on_day = (roll.period == period) & (roll.first <= _DAY) & (roll.until > _DAY) & (roll.status != SUBSIDIARY)
    rows = np.flatnonzero(on_day & (period - pupils.entry[roll.pupil] >= _FROM_YEAR_GROUP))
    absence = expected_absence(county, rows, period)[1].mean(axis=1)
    chance = np.where(absence < _PERSISTENT, *county.world.response)
    rows = rows[rng.random(len(rows)) < chance]
    who = roll.pupil[rows]
    belonging = _belonging(county, rows, period, lasting)
    answers = np.column_stack([_answers(belonging, item, rng) for item in ITEMS]).ravel()
    many = len(ITEMS)
    return {
        "who": np.repeat(who, many),
        "pupil": np.repeat(pupils.code[who], many),
        "urn": np.repeat(county.schools.urn[roll.school[rows]], many).astype(np.int32),
        "wave": np.full(len(answers), wave),
        "day": np.full(len(answers), teaching_calendar(county.world)[period, min(_DAY, TEACHING_DAYS - 1)]),
        "item": np.tile(np.array(ITEMS), len(rows)),
        "response": answers,
    }


def _belonging(county: County, rows: Ints, period: int, lasting: Floats) -> Floats:
    """(rows,) in standard deviations: lower where absence is frequent, shifted at schools that have begun."""
    roll = county.roll
    who = roll.pupil[rows]
    begins = np.array([np.inf if at is None else at for at in (*county.world.treated_starts, None)])
    start = begins[county.changes.school_start(county.schools)[roll.school[rows]]]
    begun = start < (period + 1) * HALF_TERMS - 1
    frailty = np.clip(county.pupils.frailty[who, period], -3, 3)
    found: Floats = 0.9 * lasting[who] - 0.3 * frailty + county.world.belonging_shift * begun
    return found


def _answers(belonging: Floats, item: str, rng: np.random.Generator) -> Ints:
    """(rows,) 1 to 5 as ticked, 0 where left blank."""
    noise = np.sqrt(1 - _LOADING**2) * rng.normal(size=len(belonging))
    ticked = 1 + np.searchsorted(_CUTS, _LOADING * belonging + noise)
    ticked = np.where(item in _REVERSED, 6 - ticked, ticked)
    return np.where(rng.random(len(ticked)) < _BLANK, 0, ticked)
