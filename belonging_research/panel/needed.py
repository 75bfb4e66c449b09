"""What a report year's tests need, looked for among the figures before anything is estimated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from belonging_research.errors import PanelError
from belonging_research.outcomes import MEASURES, SESSIONS_A_YEAR, years_not_over
from belonging_research.plan import Plan, Treated
from belonging_research.sources import Extract
from belonging_research.tables import boundary

# Which kind of period makes a whole year, and where each series comes from.
_SERIES = {
    "census": ("academic_year", "annual figures: {of}, or the Local authority interactive tool"),
    "daily": ("year_to_date", "daily registers: Pupil attendance in schools, year to date"),
}


def refuse_missing_series(extract: Extract, plan: Plan) -> None:
    """Refuse figures that cannot answer for a primary outcome which is tested this year.

    The series that has every post year up to the report year decides, and needs every base year. Where none has, an
    outcome of the daily registers is missing, for they are out when the year ends; one of annual figures alone may not
    be out yet, which is reported as not assessed, and needs its base years. Outcomes not tested now may be missing.

    Raises
    ------
    PanelError
        Naming outcome, council, the years that each series has and lacks, and the publication to add.
    """
    look = plan.look(extract.report_year)
    post = [year for year in plan.post if year <= extract.report_year]
    needed = [*plan.base, *post]
    for name in look.outcomes if look else ():
        for treated in plan.treated:
            years = {source: _years(extract.figures, treated, name, source) for source in _SERIES}
            if not _answers(years, plan.base, post, daily=MEASURES[name].daily):
                said = "\n".join(f"  {_said(name, source, years[source], needed)}" for source in _SERIES)
                said += _not_over(extract.figures, needed)
                raise PanelError(
                    f"plan {plan.study}: {name} is tested in {extract.report_year}, and the figures of "
                    f"{treated.name} ({treated.unit}) lack years that it needs.\n{said}\n"
                    "Add the file with these years to the folder. `validate` says what was read from each file, and "
                    "what was left out."
                )


def _answers(years: Mapping[str, set[str]], base: Sequence[str], post: Sequence[str], *, daily: bool) -> bool:
    decides = next((known for known in years.values() if known >= set(post)), None)
    if decides is not None:
        return decides >= set(base)
    return not daily and any(known >= set(base) for known in years.values())


def _years(figures: pa.Table, treated: Treated, outcome: str, source: str) -> set[str]:
    """The years with a number, those of the council before it was divided included."""
    change = boundary(treated.unit)
    units = [treated.unit, *([change.history_from] if change and change.history_from else [])]
    wanted = pc.and_(pc.is_in(figures["unit"], value_set=pa.array(units)), pc.equal(figures["outcome"], outcome))
    wanted = pc.and_(wanted, pc.equal(figures["source"], source))
    wanted = pc.and_(wanted, pc.equal(figures["period_kind"], _SERIES[source][0]))
    number = pc.or_(pc.is_valid(figures["rate"]), pc.is_valid(figures["numerator"]))
    found = figures.select(["layout", "period"]).filter(pc.and_(wanted, number)).to_pylist()
    short = years_not_over(figures) if source == "daily" else {}
    return {row["period"] for row in found if (row["layout"], row["period"]) not in short}


def _not_over(figures: pa.Table, needed: list[str]) -> str:
    short = {year: n for (_, year), n in sorted(years_not_over(figures).items()) if year in needed}
    return "".join(
        f"\n  The daily registers of {year} are of part of the year: {n:.0f} of about {SESSIONS_A_YEAR} half-days a "
        "pupil. A part is not compared with whole years; wait for the year's end, or ask for an earlier report year."
        for year, n in short.items()
    )


def _said(outcome: str, source: str, years: set[str], needed: list[str]) -> str:
    measure = MEASURES[outcome]
    publication = measure.source.removeprefix("DfE, ").partition(":")[0]
    if source == "daily" and not measure.daily:
        return "daily registers: do not have it"
    has = f"has {', '.join(sorted(years & set(needed)))}; " if years & set(needed) else ""
    lacks = ", ".join(year for year in needed if year not in years)
    return f"{_SERIES[source][1].format(of=publication)}: {has}" + (f"lacks {lacks}" if lacks else "all there")
