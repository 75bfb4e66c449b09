"""The same expressions on DuckDB and on Apache Spark: a small made-up county, equal to the last digit.

One Spark session of this machine for the whole file. Without PySpark or Java these tests skip and say so, unless
``BELONGING_REQUIRE_SPARK`` is set, as CI does.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ibis.expr.types import Table

from belonging_research.errors import CommandError
from belonging_research.outcomes.arrival import absence_bands, absence_numbers
from belonging_research.outcomes.engine import (
    SPARK_MASTER,
    council_tables,
    open_chosen_engine,
    open_engine,
)
from belonging_research.outcomes.exclusions import (
    counted,
    exclusion_counts,
    exclusion_rates,
    headcount,
    over_the_limit,
    school_days,
)
from belonging_research.outcomes.expressions import proportion
from belonging_research.outcomes.measured import write_measured_sessions
from belonging_research.outcomes.registers import (
    absence_rates,
    ages,
    bridged,
    enrolment_absence,
    left_out,
    marks_not_in_use,
    school_week_sessions,
)
from belonging_research.outcomes.school_periods import (
    cohort_half_terms,
    cohort_leavers,
    judged_enrolments,
    pupil_absence,
    pupil_cohort,
    school_events,
    school_half_terms,
)
from belonging_research.panel.schools import study_schools
from belonging_research.plan import load_plan
from belonging_research.simulate.county import COUNTY_WORLDS, write_checked_county
from belonging_research.sources.council import CouncilExtract, read_council_extract
from belonging_research.tables.council import MARKS
from belonging_research.tables.register_codes import CODE_BRIDGES

# PySpark says so of pandas 3 at every call, and pandas of a word that PySpark uses; equality is what is tested here.
pytestmark = [
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]

# Four years on both sides of August 2024, enough for the plan that ships.
COUNTY = replace(
    COUNTY_WORLDS["known_effect"], n_pupils=700, n_schools=20, n_pyramids=5, first_period=2022, n_periods=4
)
YEARS, YEAR, BASELINE, LAST = COUNTY.periods, "2024/25", "2023/24", ("2025/26", 6)
AS_AT = dt.date(2025, 3, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Council:
    """A council in one engine: its tables, and its half-days as the school study reads them."""

    engine: Any
    tables: Mapping[str, Table]
    measured: Path
    counts: Table

    def absence(self, window: Any = "full_year") -> Table:
        """Absence of 2024/25 by enrolment."""
        others = (self.tables[name] for name in ("pupils", "enrolments", "schools"))
        return enrolment_absence(self.counts, *others, period=YEAR, window=window)

    def cohort(self) -> Table:
        """The pupils who are followed."""
        return pupil_cohort(self.tables["pupils"], self.tables["enrolments"], baseline=BASELINE)

    def judged(self) -> Table:
        others = (self.tables[name] for name in ("pupils", "enrolments", "schools"))
        return judged_enrolments(self.counts, *others, periods=(BASELINE, YEAR))

    def events(self, **how: Any) -> Table:
        """Suspensions and permanent exclusions of 2024/25 that count."""
        return counted(self.tables["exclusions"], period=YEAR, **how).drop("reasons")


EXPRESSIONS: dict[str, Callable[[Council], Table]] = {
    "school_week_sessions": lambda c: school_week_sessions(c.tables["marks"], YEARS),
    "marks_not_in_use": lambda c: marks_not_in_use(c.tables["marks"]),
    "bridged": lambda c: bridged(c.counts, tuple(CODE_BRIDGES)),
    "enrolment_absence": lambda c: c.absence(),
    "enrolment_absence of the autumn": lambda c: c.absence("autumn_term"),
    "absence_rates": lambda c: absence_rates(c.absence()),
    "absence_rates by school": lambda c: absence_rates(c.absence(), by=["urn"]),
    "absence_numbers by age": lambda c: absence_numbers(c.absence(), by=["age"]),
    "absence_bands": lambda c: absence_bands(c.absence(), (0, 5, 10, 50), by=["age"]),
    "left_out": lambda c: left_out(c.absence()),
    "ages": lambda c: ages(c.tables["pupils"], YEAR),
    "counted, stood": lambda c: c.events(),
    "counted, stood by a day": lambda c: c.events(as_at=AS_AT),
    "counted, issued": lambda c: c.events(counting="issued"),
    "headcount": lambda c: headcount(c.tables["enrolments"], YEAR),
    "school_days": lambda c: school_days(c.counts),
    "exclusion_counts": lambda c: exclusion_counts(c.events(), by=("urn",)),
    "exclusion_rates": lambda c: exclusion_rates(c.events(), c.tables["enrolments"], period=YEAR),
    "over_the_limit": lambda c: over_the_limit(c.tables["exclusions"], period=YEAR),
    "judged_enrolments": lambda c: c.judged(),
    "school_half_terms": lambda c: school_half_terms(c.counts, c.judged()),
    "pupil_cohort": lambda c: c.cohort(),
    "cohort_half_terms": lambda c: cohort_half_terms(c.counts, c.cohort(), baseline=BASELINE),
    "cohort_leavers": lambda c: cohort_leavers(
        c.counts, c.cohort(), c.tables["destinations"], baseline=BASELINE, last=LAST
    ),
    "pupil_absence": lambda c: pupil_absence(c.counts, c.cohort(), baseline=BASELINE, last=LAST),
    "school_events": lambda c: school_events(c.tables["exclusions"], c.counts, periods=(BASELINE, YEAR)),
    "school_events of the cohort": lambda c: school_events(
        c.tables["exclusions"], c.counts, periods=(BASELINE, YEAR), cohort=c.cohort(), as_at=AS_AT
    ),
    "a table that did not arrive": lambda c: c.tables["survey"].select("pupil", "urn", "day", "response"),
}
# What this county has none of; every other expression must have rows, or equality would say nothing.
EMPTY = {"over_the_limit", "a table that did not arrive"}


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """Spark on two threads of this machine."""
    try:
        engine = open_engine("local[2]")
    except CommandError as error:
        if os.environ.get("BELONGING_REQUIRE_SPARK"):
            raise
        pytest.skip(str(error))
    yield engine
    engine.disconnect()


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> CouncilExtract:
    """A small county without a survey, and with marks that are no code on their day."""
    folder = tmp_path_factory.mktemp("council") / "2026-08-31"
    write_checked_county(COUNTY, folder)
    made = read_council_extract(folder)
    first = pq.read_table(made.tables["marks"][2]).slice(0, 5).to_pydict()
    first["mark"] = ["?", None, "H", "i", "C1"]
    odd = folder.parent / "odd.parquet"
    pq.write_table(pa.table(first, schema=pa.schema([(each.name, each.type) for each in MARKS.schema])), odd)
    tables = {name: files for name, files in made.tables.items() if name != "survey"}
    return replace(made, tables={**tables, "marks": (*tables["marks"], odd)})


def council(extract: CouncilExtract, engine: Any, folder: Path) -> Council:
    """The county in an engine, its half-days counted by that engine into a folder of its own."""
    tables = council_tables(extract, engine)
    elsewhere = replace(extract, folder=folder / extract.folder.name)
    measured = write_measured_sessions(elsewhere, tables, engine, YEARS)
    return Council(engine=engine, tables=tables, measured=measured, counts=engine.read_parquet(str(measured)))


@pytest.fixture(scope="module")
def duck(extract: CouncilExtract, tmp_path_factory: pytest.TempPathFactory) -> Council:
    """The county in DuckDB."""
    return council(extract, open_engine(), tmp_path_factory.mktemp("duck"))


@pytest.fixture(scope="module")
def sparked(extract: CouncilExtract, spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Council:
    """The county in Spark."""
    return council(extract, spark, tmp_path_factory.mktemp("spark"))


def rows(engine: Any, expression: Table) -> pa.Table:
    """All rows of an expression, ordered by all columns."""
    found: pa.Table = engine.to_pyarrow(expression)
    return found.sort_by([(name, "ascending") for name in found.column_names]).combine_chunks()


@pytest.mark.slow
def test_measured_sessions_are_the_same_file(duck: Council, sparked: Council) -> None:
    """The one slow step: the same name, the same bytes, so that a study may change its engine half way."""
    assert duck.measured.name == sparked.measured.name
    assert duck.measured.read_bytes() == sparked.measured.read_bytes()
    assert pq.read_metadata(duck.measured).num_rows > 5_000
    assert duck.engine.to_pyarrow(duck.counts.not_in_use.sum()).as_py() == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_spark_gives_what_duckdb_gives(name: str, duck: Council, sparked: Council) -> None:
    """Names, types and every value of every row, in binary floating point too."""
    here, there = (rows(each.engine, EXPRESSIONS[name](each)) for each in (duck, sparked))
    assert here.schema.equals(there.schema)
    assert here.equals(there)
    assert (here.num_rows == 0) is (name in EMPTY)


@pytest.mark.slow
def test_a_study_of_schools_is_the_same_study(extract: CouncilExtract, spark: Any) -> None:
    """Panels of half-days and of events, number by number, and what was left out."""
    plan = load_plan("simulated_county")
    here, there = (study_schools(extract, plan, report_year="2025/26", engine=e) for e in (open_engine(), spark))
    assert here is not None and there is not None
    for outcome in ("overall_absence_rate", "suspension_rate"):
        one, other = here.panel(outcome), there.panel(outcome)
        assert (one.units, one.periods, one.adoption) == (other.units, other.periods, other.adoption)
        np.testing.assert_array_equal(one.numerator, other.numerator)
        np.testing.assert_array_equal(one.denominator, other.denominator)
        assert (one.exclusions, one.leavers) == (other.exclusions, other.leavers)


# Traps: what the engines do differently when they are asked carelessly.


@pytest.mark.slow
def test_marks_survive_parquet_in_spark(spark: Any, tmp_path: Path) -> None:
    """A backslash, a slash, a number sign, a quote and a missing mark: as written, in both engines."""
    marks = ["\\", "/", "#", '"', "'", None]
    pq.write_table(pa.table({"mark": marks}), tmp_path / "marks.parquet")
    for engine in (open_engine(), spark):
        found = engine.to_pyarrow(engine.read_parquet(str(tmp_path / "marks.parquet"))).column("mark").to_pylist()
        assert sorted(found, key=str) == sorted(marks, key=str)


@pytest.mark.slow
def test_whole_numbers_divide_alike(spark: Any) -> None:
    """Seven over two is three and a half, one over nothing is nothing, and thresholds are whole in both."""
    pairs = ibis.memtable({"k": [0, 1, 2, 3], "n": [7, 1, 38, 25], "of": [2, 0, 380, 251]})
    asked = pairs.select("k", share=proportion(pairs.n, pairs.of), tenth=pairs.n * 10 >= pairs.of).order_by("k")
    for engine in (open_engine(), spark):
        found = engine.to_pyarrow(asked).to_pydict()
        assert found["share"] == [3.5, None, 0.1, 25 / 251]
        assert found["tenth"] == [True, True, True, False]


@pytest.mark.slow
def test_missing_values_come_last_in_both(spark: Any) -> None:
    """Spark by itself puts them first; a list of reasons must not depend on the engine."""
    letters = ibis.memtable({"letter": ["b", None, "a"]})
    for engine in (open_engine(), spark):
        assert engine.to_pyarrow(letters.order_by("letter")).column("letter").to_pylist() == ["a", "b", None]


@pytest.mark.slow
def test_sums_of_small_numbers_are_of_64_bits_in_both(spark: Any) -> None:
    """Two billion twice is more than 32 bits hold."""
    many = ibis.memtable(pa.table({"n": pa.array([2_000_000_000] * 2, pa.int32())}))
    for engine in (open_engine(), spark):
        found = engine.to_pyarrow(many.aggregate(n=many.n.sum().cast("int64")))
        assert (found.schema.field("n").type, found.column("n").to_pylist()) == (pa.int64(), [4_000_000_000])


# Asked for and not there.


def test_without_java_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No Java on the path, and none where JAVA_HOME says."""
    pytest.importorskip("pyspark")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(CommandError, match=r"there is no Java\. .*openjdk-17-jre-headless"):
        open_engine("local[2]")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(CommandError, match="no Java where JAVA_HOME says"):
        open_engine("local[2]")


def test_without_pyspark_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra, with the pinned versions, and that DuckDB needs nothing; the variable is read where it is said."""
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    monkeypatch.setenv(SPARK_MASTER, "spark://host:7077")
    with pytest.raises(CommandError, match=r"spark://host:7077.*not installed.*-c constraints\.txt -e \"\.\[spark\]\""):
        open_chosen_engine()


def test_duckdb_is_the_default_and_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the variable: DuckDB, at most 2 GB, spilling where it was told."""
    monkeypatch.delenv(SPARK_MASTER, raising=False)
    engine = open_chosen_engine(spill=tmp_path / "spill")
    asked = "SELECT current_setting('memory_limit'), current_setting('temp_directory')"
    assert engine.name == "duckdb"
    assert engine.con.execute(asked).fetchone() == ("1.8 GiB", str(tmp_path / "spill"))
