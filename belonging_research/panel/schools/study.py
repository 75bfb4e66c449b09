"""A council's extract as one study of its schools: counted once, its panels made when first asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import ibis
import numpy as np
from ibis.expr.types import Table

from belonging_research.errors import PanelError
from belonging_research.outcomes.engine import council_tables, open_chosen_engine
from belonging_research.outcomes.measured import measured_folder, write_measured_sessions
from belonging_research.outcomes.registers import bridged
from belonging_research.outcomes.school_periods import pupil_absence, pupil_cohort, still_expected
from belonging_research.panel.schools.building import Register, cohort_panel, events_panel, school_panel
from belonging_research.panel.schools.shape import FollowedPupils, SchoolPanel
from belonging_research.plan import Plan, SchoolLayer
from belonging_research.sources.council import CouncilExtract
from belonging_research.tables.years import first_year

ABSENCE = "overall_absence_rate"
EVENTS: Mapping[str, str] = {
    "suspension_rate": "suspensions",
    "pupils_with_one_or_more_suspensions_rate": "pupils_suspended",
    "permanent_exclusion_rate": "permanent_exclusions",
}
_Result = TypeVar("_Result")
_NEEDED = ("schools", "pupils", "enrolments", "marks", "interventions")


class SchoolPanels(Protocol):
    """What an estimate of schools needs: a plan's school layer, academic years and a panel an outcome.

    ``plan`` is :attr:`Plan.of_schools`. A council's extract gives it (:class:`SchoolStudy`), and so does a made-up
    county of schools.
    """

    @property
    def plan(self) -> Plan:
        """The layer as a plan."""

    @property
    def layer(self) -> SchoolLayer:
        """How the layer is estimated."""

    @property
    def periods(self) -> tuple[str, ...]:
        """Academic years of the panels, base and post."""

    def panel(self, outcome: str) -> SchoolPanel:
        """The primary panel of an outcome."""


class PupilPanels(SchoolPanels, Protocol):
    """What checks of pupils who leave or move need besides: a followed cohort's pupils, and those who stayed."""

    def panel_of_stayers(self, outcome: str) -> SchoolPanel:
        """The outcome's panel without pupils who were later in a school of another pyramid.

        Raises :class:`PanelError` for an outcome of which there is none.
        """

    def followed(self) -> FollowedPupils:
        """The cohort's pupils, with what each missed since the baseline year."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SchoolStudy:
    """A council's tables read for a plan's school layer. ``plan`` is :attr:`Plan.of_schools`.

    ``periods``: academic years of the panels, base and post up to the report year; ``register``: what they are made
    of, nothing in it later than ``until``. ``extract`` is the extract behind them.
    """

    plan: Plan
    layer: SchoolLayer
    extract: CouncilExtract
    tables: Mapping[str, Table]
    register: Register
    periods: tuple[str, ...]
    baseline: str
    until: dt.date
    engine: Any = field(repr=False)
    made: dict[Any, Any] = field(default_factory=dict, repr=False)

    def panel(self, outcome: str) -> SchoolPanel:
        """The primary panel of an outcome: the fixed pupil cohort, by baseline school.

        Raises :class:`PanelError` for an outcome that is not built for schools.
        """
        if outcome == ABSENCE:
            return self.absence()
        return self.once(outcome, lambda: self._events(outcome, self.cohort()))

    def _events(self, outcome: str, cohort: Table) -> SchoolPanel:
        if outcome not in EVENTS:
            raise PanelError(f"{outcome}: not built for schools; there is {', '.join((ABSENCE, *EVENTS))}.")
        return events_panel(
            self.register, self.tables["exclusions"], periods=self.periods, cohort=cohort, event=EVENTS[outcome],
            as_at=self.until,
        )  # fmt: skip

    def once(self, key: Any, make: Callable[[], _Result]) -> _Result:
        """What ``make`` gives, made once a study: ``key`` must name all that it depends on besides the extract."""
        if key not in self.made:
            self.made[key] = make()
        found: _Result = self.made[key]
        return found

    def cohort(self) -> Table:
        """The pupils who are followed (:func:`outcomes.school_periods.pupil_cohort`)."""
        found = self.once(
            "cohort",
            lambda: pupil_cohort(
                self.register.pupils, self.register.enrolments, baseline=self.baseline
            ).to_pyarrow(),
        )  # fmt: skip
        return ibis.memtable(found)

    def absence(self, bridges: Sequence[str] = ()) -> SchoolPanel:
        """Overall absence of the cohort, with some codes counted in another way (:data:`tables.CODE_BRIDGES`)."""
        return self.once(("absence", *bridges), lambda: self._cohort(self._bridged(bridges)))

    def panel_of_stayers(self, outcome: str) -> SchoolPanel:
        """As :meth:`panel`, without pupils who had marks in a school of another pyramid since the baseline year."""
        if outcome == ABSENCE:
            return self.once("stayers", lambda: self._cohort(self._without_movers()))
        stayers = ibis.memtable(self.cohort().anti_join(self._movers(), "pupil").to_pyarrow())
        return self.once(("stayers", outcome), lambda: self._events(outcome, stayers))

    def followed(self) -> FollowedPupils:
        """The cohort's pupils who are still of an age that counts, in the order of their codes."""
        return self.once("followed", self._followed)

    def enrolments_absence(self) -> SchoolPanel:
        """Overall absence of everybody on roll, by the school they are at: what a school's own figures show."""
        return self.once("enrolments", lambda: school_panel(self.register, periods=self.periods))

    def _bridged(self, bridges: Sequence[str]) -> Register:
        return replace(self.register, counts=bridged(self.register.counts, bridges)) if bridges else self.register

    def _cohort(self, register: Register) -> SchoolPanel:
        return cohort_panel(
            register, periods=self.periods, baseline=self.baseline, destinations=self.tables["destinations"],
            cohort=self.cohort(),
        )  # fmt: skip

    def _followed(self) -> FollowedPupils:
        year, half = self.absence().periods[-1].split(" HT")
        # Who is past the age that counts did not leave, and is not asked after.
        last = (year, int(half))
        expected = still_expected(self.cohort(), baseline=self.baseline, last=last)
        marks = pupil_absence(self.register.counts, expected, baseline=self.baseline, last=last).drop("urn")
        rows = expected.select("pupil", "urn").left_join(marks, "pupil")
        # Nobody's half-days are missing here: without a mark there are none.
        rows = rows.select(
            "pupil", "urn", absent=rows.absent.fill_null(0), possible=rows.possible.fill_null(0),
            there=rows.still_there.fill_null(False),
        ).order_by("pupil")  # fmt: skip
        found = self.engine.to_pyarrow(rows)
        return FollowedPupils(
            schools=np.array([str(urn) for urn in found["urn"].to_pylist()]),
            absent=found["absent"].to_numpy().astype(np.float64),
            possible=found["possible"].to_numpy().astype(np.float64),
            there=found["there"].to_numpy().astype(bool),
        )

    def _without_movers(self) -> Register:
        own = self.register
        return replace(own, counts=own.counts.anti_join(self._movers(), "pupil"))

    def _movers(self) -> Table:
        own = self.register
        cohort = self.cohort()
        places = own.schools.select("urn", place=own.schools.pyramid.fill_null(own.schools.urn.cast("string")))
        home = cohort.inner_join(places, "urn").select("pupil", home="place")
        later = own.counts.filter(own.counts.period > self.baseline, own.counts.possible > 0)
        seen = later.inner_join(places, "urn").select("pupil", "place").distinct().inner_join(home, "pupil")
        return seen.filter(seen.place != seen.home).select("pupil").distinct()


def study_schools(
    extract: CouncilExtract | None, plan: Plan, *, report_year: str, engine: Any = None
) -> SchoolStudy | None:
    """The study of a council's schools; None where the plan has no school layer or no extract was given.

    ``engine`` is of :func:`outcomes.engine.open_engine`; without one, as the environment says (DuckDB by default).

    Raises :class:`PanelError` where the extract lacks a table that the layer needs.
    """
    if extract is None or plan.schools is None:
        return None
    missing = [name for name in _NEEDED if name not in extract.tables]
    if missing:
        raise PanelError(
            f"extract {extract.folder.name}: no {' and no '.join(missing)}; the school layer needs "
            f"{', '.join(_NEEDED)}. Receive those files too, or leave the extract out."
        )
    engine = engine or open_chosen_engine(spill=measured_folder(extract) / "spill")
    tables = council_tables(extract, engine)
    periods = (*plan.base, *(year for year in plan.schools.post if year <= report_year))
    path = write_measured_sessions(extract, tables, engine, periods)
    # What was decided or began later is not known at the end of the report year, whenever the extract was taken.
    until = min(extract.date, dt.date(first_year(periods[-1]) + 1, 8, 31))
    begun = tables["interventions"].filter(tables["interventions"].first_day <= ibis.literal(until))
    register = Register(
        counts=engine.read_parquet(str(path)),
        interventions=begun,
        **{name: tables[name] for name in ("pupils", "enrolments", "schools")},
    )
    return SchoolStudy(
        plan=plan.of_schools, layer=plan.schools, extract=extract, tables=tables, register=register, periods=periods,
        baseline=plan.schools.baseline, until=until, engine=engine,
    )  # fmt: skip
