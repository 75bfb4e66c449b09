"""Week by week, of the half-days on which pupils were enrolled, those that have a mark, by kind of school."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pyarrow as pa

from belonging_research.panel.schools.arrival.coverage import school_weeks
from belonging_research.panel.schools.arrival.shape import NO_SCHOOLS, Arrived, arrived
from belonging_research.panel.schools.study import SchoolStudy
from belonging_research.plan import POLICIES
from belonging_research.tables.measures import Measures, Rate

EVERY_SCHOOL = "All schools"
_NO_PHASE = "other"
_COLUMNS = {
    "kind": pa.string(),
    "period": pa.string(),
    "week": pa.date32(),
    "schools": pa.int64(),
    "share_with_marks": pa.float64(),
}
_COUNTS = Measures(schools=("schools",), rates=(Rate(name="share_with_marks", denominator="schools"),))


def coverage_by_week(study: SchoolStudy | None) -> Arrived:
    """Half-days with a mark over half-days enrolled by kind of school and week (its Monday), in whole per cent.

    As :func:`coverage.school_weeks` counts them. Per cent are rounded down, so that 100 is all and 90 nine tenths or
    more. Kinds are phases; those of fewer schools than the plan's policy shows are taken together with the next
    smallest, since beside all the others a hidden kind could be worked out from the council's total. A week that no
    school sent has no row, as a holiday has none.
    """
    if study is None:
        return arrived((), _COLUMNS, _COUNTS, nothing=NO_SCHOOLS)
    weeks = school_weeks(study)
    columns = study.engine.to_pyarrow(study.tables["schools"].select("urn", "phase")).to_pydict()
    phases = dict(zip(columns["urn"], columns["phase"], strict=True))
    there = {urn: phases.get(urn) or _NO_PHASE for urn in weeks["urn"].unique().tolist()}
    kinds = kinds_of(there, POLICIES[study.layer.policy].schools)
    weeks["kind"] = weeks["urn"].map(kinds)
    weeks["period"] = weeks["half_term"].str.partition(",")[0]
    summed = weeks.groupby(["kind", "period", "week"], as_index=False).agg(
        schools=("urn", "nunique"), enrolled=("enrolled", "sum"), written=("written", "sum")
    )
    summed["share_with_marks"] = [_whole(*pair) for pair in zip(summed["written"], summed["enrolled"], strict=True)]
    summed["week"] = summed["week"].dt.date
    rows = pa.Table.from_pandas(summed[list(_COLUMNS)], preserve_index=False).to_pylist()
    return arrived(rows, _COLUMNS, _COUNTS)


def kinds_of(phases: Mapping[int, str], fewest: int) -> dict[int, str]:
    """Each school's kind in words: its phase, or several phases together where one has under ``fewest`` schools."""
    kinds = [({phase}, sum(each == phase for each in phases.values())) for phase in sorted(set(phases.values()))]
    kinds.sort(key=lambda kind: kind[1])
    while len(kinds) > 1 and kinds[0][1] < fewest:
        (one, n), (other, m), *rest = kinds
        kinds = sorted([(one | other, n + m), *rest], key=lambda kind: kind[1])
    alone = len(kinds) == 1
    words = {phase: EVERY_SCHOOL if alone else _words(own) for own, _ in kinds for phase in own}
    return {urn: words[phase] for urn, phase in phases.items()}


def _words(phases: set[str]) -> str:
    return f"{' and '.join(sorted(phases))} schools".capitalize()


def _whole(written: int, enrolled: int) -> float:
    """The share in whole per cent, rounded down: nearly all is not all."""
    return math.floor(100 * int(written) / int(enrolled)) / 100
