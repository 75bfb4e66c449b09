"""A made-up county: its marginals beside the published ones, its truth recounted, its faults there only when asked."""

from __future__ import annotations

import csv
import datetime as dt
import functools
import gzip
import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ibis.expr.types import Table

from belonging_research.errors import PlanError, SourceError
from belonging_research.outcomes.exclusions import counted, exclusion_rates, over_the_limit
from belonging_research.outcomes.registers import enrolment_absence, marks_not_in_use, session_counts
from belonging_research.simulate.county import (
    COUNTY_WORLDS,
    County,
    CountyTruth,
    draw_county,
    draw_school_panel,
    read_county_truth,
    write_checked_county,
    write_county_as_councils_have_it,
    write_simulated_county,
)
from belonging_research.simulate.county.changes import effect_paths
from belonging_research.simulate.county.checked import marks_file, marks_table
from belonging_research.simulate.county.counting import count_chunk
from belonging_research.simulate.county.faults import FAULTS
from belonging_research.simulate.county.marks import draw_marks, expected_absence
from belonging_research.simulate.county.people import check_letter
from belonging_research.simulate.county.school_days import school_days
from belonging_research.simulate.county.schools import TIERS
from belonging_research.simulate.county.tables import county_tables
from belonging_research.simulate.county.traps import had_nobody_left
from belonging_research.simulate.county.worlds import HALF_TERMS, NEVER
from belonging_research.sources.origin import read_origin
from belonging_research.tables import published_marginals as published
from belonging_research.tables.council import COUNCIL_TABLES, DESTINATION_KINDS, MARKS, TIMING_DECIDED
from belonging_research.tables.exclusion_codes import EXCLUSION_REASONS
from belonging_research.tables.school_year import half_terms, january_census

SMALL = replace(COUNTY_WORLDS["known_effect"], n_pupils=900, n_schools=20, n_pyramids=5, first_period=2023, n_periods=3)
YEAR = published.YEAR


@functools.cache
def engine() -> Any:
    """One DuckDB for all tests here."""
    return ibis.duckdb.connect()


def frame(expression: Table) -> pd.DataFrame:
    """The rows of an expression, run in DuckDB."""
    rows: pd.DataFrame = engine().to_pandas(expression)
    return rows


def tables_in(folder: Path) -> dict[str, Table]:
    """Every table of a checked county; the marks of all years as one."""
    found = {name: engine().read_parquet(str(folder / f"{name}.parquet")) for name in COUNCIL_TABLES if name != "marks"}
    found["marks"] = engine().read_parquet(str(folder / "marks_*.parquet"))
    return found


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CountyTruth]:
    """A small county with a known effect, written, and its truth."""
    folder = tmp_path_factory.mktemp("small")
    return folder, write_checked_county(SMALL, folder)


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, dict[str, Table]]:
    """Enrolments of 2022/23 in a county of 160 schools, with their absence by the official rules, and its tables."""
    folder = tmp_path_factory.mktemp("year")
    world = replace(COUNTY_WORLDS["nothing_happened"], n_pupils=24_000, first_period=2022, n_periods=1)
    write_checked_county(world, folder)
    tables = tables_in(folder)
    counts = session_counts(tables["marks"], [YEAR])
    absence = enrolment_absence(counts, tables["pupils"], tables["enrolments"], tables["schools"], period=YEAR)
    rows = frame(absence)
    rows = (
        rows[rows["left_out"].isna()]
        .merge(frame(tables["pupils"]), on="pupil")
        .merge(frame(tables["schools"]), on="urn")
    )
    return rows.assign(rate=rows["absent"] / rows["possible"]), tables


def persistent(rows: pd.DataFrame) -> float:
    """Per cent of enrolments that are persistently absent."""
    return float(100 * rows["persistently_absent"].astype(float).mean())


# Marginals: the published figures of Dorset that the simulator names, in percentage points; that they are as in the
# real files is held by `test_made_up_beside_published`. A county's schools are one draw of 160, so tolerances are not
# tight.


def test_absence_bands_are_those_published(year: tuple[pd.DataFrame, dict[str, Table]]) -> None:
    """Shares of enrolments by band within 3.5 points for the two large bands and 1 point for the others."""
    rows, _ = year
    shares = 100 * np.histogram(rows["rate"], [*np.array(published.BAND_EDGES) / 100, 1.01])[0] / len(rows)
    bands = np.sum(list(published.ENROLMENTS_BY_BAND.values()), axis=0)
    apart = np.abs(shares - 100 * bands / bands.sum())
    assert np.all(apart[:2] < 3.5)
    assert np.all(apart[2:] < 1.0)


def test_the_real_bands_file(real: Path, year: tuple[pd.DataFrame, dict[str, Table]]) -> None:
    """Every year group's persistent and severe absence is within 4 and 2 points of the published file of 2022/23."""
    path = real / "absence" / "absence_bands_distributions_south_west.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        published = pd.read_csv(lines, dtype=str)
    own = published[(published["new_la_code"].str.strip() == "E06000059") & (published["time_period"] == "202223")]
    bands = own.filter(regex="^pct").astype(float).groupby(own["NCyearActual"].astype(int)).sum()
    bands = 100 * bands.div(bands.sum(axis=1), axis=0)
    rows, _ = year
    by_age = rows.groupby("age")[["persistently_absent", "severely_absent"]].agg(lambda flags: 100 * flags.mean())
    by_age.index = by_age.index - 4
    assert list(by_age.index) == list(bands.index) == list(range(1, 12))
    assert np.abs(by_age["persistently_absent"] - bands.iloc[:, 2:].sum(axis=1)).max() < 4
    assert np.abs(by_age["severely_absent"] - bands.iloc[:, -1]).max() < 2


def test_overall_rates_and_their_spread(year: tuple[pd.DataFrame, dict[str, Table]]) -> None:
    """Overall, primary and deemed secondary; pupils' SD 11.8 points, 8% of it between schools."""
    rows, _ = year
    by_phase = published.OVERALL_ABSENCE_BY_PHASE
    for phases, rate in (
        (list(by_phase), published.OVERALL_ABSENCE[YEAR]),
        (["primary"], by_phase["primary"]),
        (["secondary"], by_phase["secondary"]),
    ):
        own = rows[rows["phase"].isin(phases)]
        assert 100 * own["absent"].sum() / own["possible"].sum() == pytest.approx(rate, abs=0.8)
    assert 100 * rows["rate"].std() == pytest.approx(11.8, abs=1.2)
    between = rows.groupby("urn")["rate"].transform("mean").var() / rows["rate"].var()
    assert 0.05 < between < 0.115


def test_groups_differ_as_published(year: tuple[pd.DataFrame, dict[str, Table]]) -> None:
    """Persistent absence by free school meals, by special educational needs, not recorded, and by year group."""
    rows, _ = year
    by_fsm, by_sen, by_year = (
        {key: 100 * n / of for key, (n, of) in groups.items()}
        for groups in (published.PERSISTENT_BY_FSM, published.PERSISTENT_BY_SEN, published.PERSISTENT_BY_YEAR_GROUP)
    )
    fsm, sen = rows["ever_fsm_6"], rows["sen_provision"]
    known = fsm.notna()
    assert persistent(rows[known & (fsm == True)]) == pytest.approx(by_fsm[True], abs=3)  # noqa: E712
    assert persistent(rows[known & (fsm == False)]) == pytest.approx(by_fsm[False], abs=2)  # noqa: E712
    assert persistent(rows[~known]) == pytest.approx(by_fsm[None], abs=9)
    assert persistent(rows[sen.isin(["K", "E"])]) == pytest.approx(by_sen[True], abs=3)
    assert persistent(rows[sen == "N"]) == pytest.approx(by_sen[False], abs=2)
    assert persistent(rows[rows["age"] == 7]) == pytest.approx(by_year[3], abs=3)
    assert persistent(rows[rows["age"] == 15]) == pytest.approx(by_year[11], abs=4)


def test_schools_pyramids_and_tiers(year: tuple[pd.DataFrame, dict[str, Table]]) -> None:
    """160 schools in 22 pyramids, of two tiers and three; the largest has many times the pupils of the smallest."""
    rows, tables = year
    schools = frame(tables["schools"])
    assert len(schools) == 160 and schools["pyramid"].nunique() == 22
    assert schools["is_alternative_provision"].sum() == 4 and (schools["phase"] == "special").sum() == 6
    # Deemed secondary at ages 8 to 11: middle schools. Primary schools without Year 6: first schools.
    young = rows[(rows["phase"] == "secondary") & (rows["age"] < 11)]
    assert young["age"].min() == 9 and young["urn"].nunique() >= 6
    sizes = rows[rows["phase"] == "primary"].groupby("urn").size()
    assert sizes.max() > 8 * sizes.min()


@pytest.fixture(scope="module")
def drawn() -> County:
    """A county of Dorset's size without effect over six years, without its marks."""
    return draw_county(COUNTY_WORLDS["nothing_happened"], np.random.default_rng(20240901))


@pytest.fixture(scope="module")
def drawn_tables(drawn: County) -> dict[str, pa.Table]:
    """Its tables but the marks."""
    return county_tables(drawn)


def test_suspensions_and_permanent_exclusions_are_as_published(drawn_tables: dict[str, pa.Table]) -> None:
    """Rates of 2020/21 to 2023/24 by the Department's definition; concentrated in few pupils and schools."""
    tables = {name: ibis.memtable(table) for name, table in drawn_tables.items() if name != "survey"}
    for period, rate in published.SUSPENSIONS.items():
        pupils, permanent = published.PUPILS_SUSPENDED[period], published.PERMANENT_EXCLUSIONS[period]
        events = counted(tables["exclusions"], period=period, counting="issued")
        schools = frame(exclusion_rates(events, tables["enrolments"], period=period))
        roll = schools["headcount"].sum()
        assert 100 * schools["suspensions"].sum() / roll == pytest.approx(rate, rel=0.12)
        assert 100 * frame(events.filter(events.category == "suspension"))["pupil"].nunique() / roll == pytest.approx(
            pupils, abs=0.6
        )
        # About 29 to 58 a year: four standard deviations of a count.
        assert abs(schools["permanent_exclusions"].sum() - permanent / 100 * roll) < 4 * np.sqrt(permanent / 100 * roll)
    events = frame(tables["exclusions"])
    by_school = events.groupby("urn").size().sort_values(ascending=False)
    assert by_school.head(16).sum() > 0.4 * len(events)
    assert events.groupby("pupil").size().max() > 20
    permanent = events[events["category"] == "permanent"]
    assert permanent["status"].isin(["cancelled", "reinstated"]).mean() == pytest.approx(14 / 73, abs=0.08)


def test_the_roll_turns_over(drawn: County) -> None:
    """The roll stays near its size; about 4% of pupils a year are new, gone or elsewhere in the middle of it."""
    roll = drawn.roll
    for period in range(6):
        own = roll.period == period
        assert len(np.unique(roll.pupil[own])) == pytest.approx(45_000, rel=0.03)
        main = own & (roll.status != 2)
        assert 1.015 < main.sum() / len(np.unique(roll.pupil[main])) < 1.05
    kinds = Counter(drawn.moves.kind.tolist())
    assert set(kinds) <= set(DESTINATION_KINDS) and min(kinds.values()) > 100
    assert kinds["home_education"] / 6 / 45_000 == pytest.approx(0.004, abs=0.001)


# What is written.


def test_every_table_is_as_the_council_tables_say(small: tuple[Path, CountyTruth]) -> None:
    """Columns, types and nulls by the specification, rows sorted by a key that no two share; codes that exist."""
    folder, _ = small
    for name, spec in COUNCIL_TABLES.items():
        files = [f"{name}.parquet"] if name != "marks" else [marks_file(period) for period in SMALL.periods]
        for file in files:
            table = pq.read_table(folder / file)
            assert table.schema.equals(spec.schema), file
            table.validate(full=True)
            keys = table.select(spec.key).to_pandas()
            assert len(keys) and not keys.duplicated().any(), file
            assert keys.equals(keys.sort_values(list(spec.key), kind="stable")), file
            for field in spec.schema:
                assert field.nullable or table[field.name].null_count == 0, f"{file}: {field.name}"
    interventions = pq.read_table(folder / "interventions.parquet").to_pandas()
    assert set(interventions["timing"]) <= set(TIMING_DECIDED)
    assert read_origin(folder / "origin.toml").title == "Made-up county, world known_effect"


def test_every_mark_is_a_code_on_its_day_and_on_roll(small: tuple[Path, CountyTruth]) -> None:
    """No mark that was no code, none outside its enrolment, two for every school day of every enrolment."""
    folder, _ = small
    tables = tables_in(folder)
    assert frame(marks_not_in_use(tables["marks"])).empty
    marks, rolls = tables["marks"], tables["enrolments"]
    on_roll = marks.join(
        rolls,
        [
            marks.pupil == rolls.pupil, marks.urn == rolls.urn, marks.day >= rolls.first_day,
            rolls.last_day.isnull() | (marks.day <= rolls.last_day),
        ],
    )  # fmt: skip
    assert frame(on_roll.aggregate(n=on_roll.count()))["n"][0] == frame(marks.aggregate(n=marks.count()))["n"][0]
    per_day = marks.group_by("pupil", "urn", "day").aggregate(n=marks.count())
    assert set(frame(per_day)["n"]) == {2}
    days = {str(day) for period in SMALL.periods for day in school_days(period).days}
    assert {str(day.date()) for day in pd.to_datetime(frame(marks.select("day").distinct())["day"])} == days


def test_code_e_is_the_exclusions_list(small: tuple[Path, CountyTruth]) -> None:
    """Half-days of E: those of suspensions, ten for a permanent exclusion (six where cancelled on the third day)."""
    folder, _ = small
    tables = tables_in(folder)
    events = frame(tables["exclusions"])
    permanent = events[events["category"] == "permanent"]
    first = permanent["status"].map({"cancelled": 6}).fillna(10)
    expected = events.assign(e=events["sessions"].astype(float)).fillna({"e": first}).groupby("pupil")["e"].sum()
    marked = frame(tables["marks"].filter(tables["marks"].mark == "E").group_by("pupil").aggregate(e=ibis._.count()))
    assert len(permanent) and len(events) > 100
    assert marked.set_index("pupil")["e"].to_dict() == expected.astype(int).to_dict()
    for period in SMALL.periods:
        assert frame(over_the_limit(tables["exclusions"], period=period)).empty


def test_statuses_and_reasons(drawn_tables: dict[str, pa.Table]) -> None:
    """Statuses and reasons are those of the tables, on their day; only what is issued has no day of its status."""
    events = drawn_tables["exclusions"].to_pandas()
    assert set(events["status"]) == {"issued", "cancelled", "reinstated", "upheld"}
    assert (events["status_day"].isna() == (events["status"] == "issued")).all()
    decided = events.dropna(subset=["status_day"])
    assert (decided["status_day"] > decided["first_day"]).all()
    now = {each.code for each in EXCLUSION_REASONS if each.last_day is None}
    assert {code for codes in events["reasons"] for code in codes} <= now
    assert set(events["reasons"].map(len)) == {1, 2, 3}
    assert events["reasons"].map(lambda codes: len(codes) == len(set(codes))).all()
    assert events["reasons"].map(lambda codes: "DB" in codes).mean() > 0.35


def recounted(folder: Path, county: County, *, untreated: bool, cohort: bool) -> tuple[int, int]:
    """Possible and absent half-days where treated, by the official rules and the tables alone."""
    tables = tables_in(folder)
    chunks = [c for period in SMALL.periods for c in draw_marks(county, period)]
    marks = pa.concat_tables(
        [marks_table(county, chunk, untreated=untreated) for chunk in chunks], promote_options="permissive"
    )
    counts = frame(session_counts(ibis.memtable(marks.cast(MARKS.schema)), SMALL.periods))
    rows = counts.merge(frame(tables["pupils"]), on="pupil").merge(frame(tables["schools"]), on="urn")
    born = pd.to_datetime(rows["birth_month"])
    age = rows["period"].str[:4].astype(int) - born.dt.year - (born.dt.month > 8)
    rows = rows[age.between(5, 15) & ~((age == 15) & (rows["half_term"] == 6)) & ~rows["is_alternative_provision"]]
    begun = frame(tables["interventions"]).set_index("urn")["first_day"]
    urn = rows["urn"]
    if cohort:
        rolls, census = frame(tables["enrolments"]), pd.Timestamp(january_census("2023/24"))
        first, last = pd.to_datetime(rolls["first_day"]), pd.to_datetime(rolls["last_day"])
        there = rolls[(first <= census) & (last.isna() | (last >= census)) & rolls["status"].isin(["C", "M"])]
        pyramids = frame(tables["schools"]).set_index("urn")["pyramid"]
        there = there[there["urn"].map(pyramids).notna()]
        urn = rows["pupil"].map(there.set_index("pupil")["urn"])
    start = pd.to_datetime(urn.map(begun))
    ends = {(h.period, h.number): pd.Timestamp(h.last_day) for p in SMALL.periods for h in half_terms(p)}
    over = pd.Series([ends[key] for key in zip(rows["period"], rows["half_term"], strict=True)], index=rows.index)
    treated = rows[start.notna() & (over >= start)]
    return int(treated["possible"].sum()), int((treated["authorised"] + treated["unauthorised"]).sum())


@pytest.mark.parametrize("population", ["on_roll", "baseline_cohort"])
def test_the_truth_is_a_recount_of_both_potential_outcomes(small: tuple[Path, CountyTruth], population: str) -> None:
    """The truth's effect, from the two sets of marks through the house's own outcomes, to the last half-day."""
    folder, truth = small
    county = draw_county(SMALL, np.random.default_rng(20240901))
    (possible, absent), (could, would) = (
        recounted(folder, county, untreated=which, cohort=population == "baseline_cohort") for which in (False, True)
    )
    cells = [c for c in truth.cells if c.population == population and c.event_time is not None and c.event_time >= 0]
    assert (possible, absent) == (sum(c.possible for c in cells), sum(c.absent for c in cells))
    assert (could, would) == (sum(c.untreated_possible for c in cells), sum(c.untreated_absent for c in cells))
    assert truth.effect(population) == pytest.approx(absent / possible - would / could, abs=1e-15)
    assert absent < would


def test_the_truth_of_suspensions_is_what_was_prevented(small: tuple[Path, CountyTruth]) -> None:
    """Suspensions of the truth are the rows of the table; those prevented are at treated schools alone."""
    folder, truth = small
    events = pq.read_table(folder / "exclusions.parquet").to_pandas()
    cells = [cell for cell in truth.cells if cell.population == "on_roll"]
    assert sum(cell.suspensions for cell in cells) == (events["category"] == "suspension").sum()
    untreated = [c for c in cells if c.event_time is None or c.event_time < 0]
    assert all(cell.suspensions == cell.untreated_suspensions for cell in untreated)
    assert all(cell.absent == cell.untreated_absent for cell in untreated)
    ratio = truth.suspension_ratio()
    n = sum(c.untreated_suspensions for c in cells) - sum(c.untreated_suspensions for c in untreated)
    assert ratio is not None and abs(ratio - 0.8) < 4 * np.sqrt(0.8 * 0.2 / n)


def test_the_weekly_file_adds_up_to_the_marks(small: tuple[Path, CountyTruth]) -> None:
    """The Department's weekly counts of the last year are those of the marks, pupil by pupil and school."""
    folder, _ = small
    tables = tables_in(folder)
    counts = frame(session_counts(tables["marks"], [SMALL.periods[-1]]))
    ours = counts.groupby(["pupil", "urn"])[
        ["possible", "present", "approved_activity", "authorised", "unauthorised"]
    ].sum()
    weekly = frame(tables["weekly"]).groupby(["pupil", "urn"])[
        ["possible_sessions", "present_sessions", "approved_educational_activity_sessions",
         "authorised_absent_sessions", "unauthorised_absent_sessions"]
    ].sum()  # fmt: skip
    assert (ours.to_numpy() == weekly.loc[ours.index].to_numpy()).all() and len(ours) == len(weekly)


def test_the_same_world_gives_the_same_bytes(tmp_path: Path) -> None:
    """Twice the same bytes in every file; with another generator, others."""
    world = replace(SMALL, n_pupils=300, n_periods=2)
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        write_checked_county(world, tmp_path / name, np.random.default_rng(seed))
    one, two, three = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two", "three")
    )
    assert one == two and one.keys() == three.keys()
    assert not [name for name in one if one[name] == three[name] and name not in ("schools.parquet",)]


def test_a_folder_is_written_once_and_never_over_something_else(tmp_path: Path) -> None:
    """The same world is not written again, another is; a folder of somebody's own is left alone; truth is checked."""
    world = replace(SMALL, n_pupils=300, n_periods=1, first_period=2024)
    folder = write_simulated_county(world, tmp_path / "county")
    before = (folder / "schools.parquet").stat().st_mtime_ns
    assert write_simulated_county(world, folder) == folder
    assert (folder / "schools.parquet").stat().st_mtime_ns == before
    write_simulated_county(replace(world, effect=0.0, effect_fsm=1.0), folder)
    assert read_county_truth(folder).world["effect"] == 0.0
    own = tmp_path / "own"
    own.mkdir()
    (own / "letters.txt").write_text("mine")
    with pytest.raises(SourceError, match="left alone"):
        write_simulated_county(world, own)
    (folder / "truth.json").write_text("{}")
    with pytest.raises(SourceError, match="simulate again"):
        read_county_truth(folder)


# Effects and traps.


def test_an_effect_is_built_up_fades_and_differs_by_start() -> None:
    """Event times written out: half at once, whole in the second half-term, then nine tenths of what was left."""
    world = replace(
        COUNTY_WORLDS["nothing_happened"], effect=-0.1, effect_by_start=(1.0, 2.0, 1.0, 0.5), build_up=2, fade=0.1
    )
    paths = effect_paths(world)
    assert paths.shape == (NEVER + 1, 36)
    assert paths[0, 23:28] == pytest.approx([0, -0.05, -0.1, -0.09, -0.081])
    assert paths[1, 25:28] == pytest.approx([0, -0.1, -0.2])
    assert paths[3, 29:32] == pytest.approx([0, -0.025, -0.05])
    assert not paths[NEVER].any()


def test_the_clean_world_is_one_point_and_the_known_effect_differs_by_group() -> None:
    """1.0 point (0.25 within chance of the draw), none without; more for pupils ever eligible for free school meals."""
    worlds = {"one_point": -0.010, "half_a_point": -0.005, "quarter_of_a_point": -0.0025, "harm": 0.010}
    for name, points in worlds.items():
        effects = [draw_school_panel(COUNTY_WORLDS[name], np.random.default_rng(seed)).effect() for seed in range(20)]
        assert np.mean(effects) == pytest.approx(points, rel=0.06)
    for name in ("nothing_happened", "by_need", "all_treated", "fewer_suspensions"):
        assert draw_school_panel(COUNTY_WORLDS[name], np.random.default_rng(1)).effect() == 0


def test_the_known_effect_is_larger_where_it_should_be(small: tuple[Path, CountyTruth]) -> None:
    """Relative to what would have been, pupils eligible for free school meals gain 1.3 times as much as others."""
    _, truth = small
    cells = [c for c in truth.cells if c.population == "on_roll" and (c.event_time or 0) >= 2 and c.start]
    relative = {
        fsm: 1 - sum(c.absent for c in cells if c.fsm == fsm) / sum(c.untreated_absent for c in cells if c.fsm == fsm)
        for fsm in (True, False)
    }
    assert relative[True] / relative[False] == pytest.approx(1.3, abs=0.3)
    assert min(relative.values()) > 0.05


def test_leavers_of_high_absence_fake_success() -> None:
    """Nobody attends one session more, the truth is nought, and the rate on roll falls by the share leaving times
    how much more they are absent: the selection arithmetic, on the marks themselves."""
    world = replace(
        COUNTY_WORLDS["high_absence_leavers"], n_pupils=9_000, n_schools=50, n_pyramids=8, first_period=2024,
        n_periods=1, share_never=0.0,
    )  # fmt: skip
    county = draw_county(world, np.random.default_rng(4))
    roll, period = county.roll, world.periods[0]
    counts = [count_chunk(county, chunk) for chunk in draw_marks(county, period)]
    rows = np.concatenate([count.rows for count in counts])
    sessions = np.concatenate([count.sessions for count in counts])
    assert (sessions[:, :, 1] == sessions[:, :, 3]).all()
    start = county.changes.school_start(county.schools)[roll.school[rows]]
    own = (start == 1) & (sessions[:, 1, 0] > 0)  # begins in half-term 3; all with marks in half-term 2
    leaves = own & (roll.until[rows] < 190) & (sessions[:, 2, 0] > 0) & (sessions[:, 3, 0] == 0)
    stays = own & ~leaves
    possible, absent = sessions[:, 1, 0], sessions[:, 1, 1]
    before, after, gone = (absent[who].sum() / possible[who].sum() for who in (own, stays, leaves))
    share = possible[leaves].sum() / possible[own].sum()
    assert after - before == pytest.approx(-share / (1 - share) * (gone - before))
    assert 0.004 < share < 0.03 and gone > 0.35
    assert after - before < -0.003


def test_those_who_left_go_on_as_if_they_had_not(tmp_path: Path) -> None:
    """Rows from the day on which each left to the end, up the schools; the truth has their half-days, and no other.

    Without the trap nobody left; what leaving does is the arithmetic of the two rates.
    """
    world = replace(
        COUNTY_WORLDS["high_absence_leavers"], n_pupils=1_500, n_schools=26, n_pyramids=6, first_period=2024,
        n_periods=2, share_never=0.0, high_absence_leavers=0.04,
    )  # fmt: skip
    county = draw_county(world, np.random.default_rng(4))
    stayed, counts = had_nobody_left(county)
    moves, roll = county.moves, stayed.roll
    own = moves.at_start
    left = {
        pupil: (period, day)
        for pupil, period, day in zip(
            moves.pupil[own].tolist(), moves.period[own].tolist(), moves.first[own].tolist(), strict=True
        )
    }
    rows = list(zip(roll.pupil.tolist(), roll.period.tolist(), roll.first.tolist(), strict=True))
    of_age = {(p, at) for p, (since, _) in left.items() for at in range(since, 2) if at - county.pupils.entry[p] < 12}
    assert len(left) > 30 and {(pupil, period) for pupil, period, _ in rows} == of_age
    assert all(day == (left[pupil][1] if period == left[pupil][0] else 0) for pupil, period, day in rows)
    groups = roll.period - county.pupils.entry[roll.pupil]
    tiers = [TIERS[tier] for tier in county.schools.tier[roll.school]]
    assert all(low <= group <= high for group, (low, high) in zip(groups.tolist(), tiers, strict=True))
    truth = write_checked_county(world, tmp_path / "left", np.random.default_rng(4))
    possible, absent = (sum(int(c.sessions[:, :, at].sum()) for c in counts) for at in (0, 1))
    assert (sum(c.left_possible for c in truth.cells), sum(c.left_absent for c in truth.cells)) == (possible, absent)
    assert absent / possible > 0.3
    cells = [c for c in truth.cells if c.population == "on_roll" and (c.event_time or 0) >= 0 and c.start]
    rolls, missed = sum(c.possible for c in cells), sum(c.absent for c in cells)
    assert truth.leaving() == pytest.approx(missed / rolls - (missed + absent) / (rolls + possible), abs=1e-12)
    assert read_county_truth(tmp_path / "left") == truth


def test_where_nobody_left_the_truth_has_no_leavers(small: tuple[Path, CountyTruth]) -> None:
    """No half-day of anybody who left, and leaving does nothing; age adds most from Year 6 to Year 9."""
    _, truth = small
    assert not any(cell.left_possible or cell.left_absent for cell in truth.cells)
    assert truth.leaving() == 0
    assert list(truth.ageing) == list(range(1, 11))
    assert all(0.004 < truth.ageing[year] < 0.03 for year in (7, 8))


def test_movers_go_to_pyramids_that_never_begin() -> None:
    """About 2% of treated secondary pupils a year, besides the usual managed moves; all to never-treated pyramids."""
    world = replace(COUNTY_WORLDS["movers_to_untreated"], n_pupils=20_000, n_schools=80, n_pyramids=12)
    county = draw_county(world, np.random.default_rng(8))
    start = county.changes.school_start(county.schools)
    moves, roll = county.moves, county.roll
    own = (moves.kind == "managed_move") & (moves.period == 5)
    assert (start[moves.to[own]] == NEVER).all()
    there = (roll.period == 5) & (roll.first == 0) & (start[roll.school] != NEVER)
    older = there & (roll.period - county.pupils.entry[roll.pupil] >= 7)
    assert (start[moves.school[own]] != NEVER).sum() / older.sum() == pytest.approx(0.027, abs=0.008)


def test_young_carers_are_found_where_they_are_looked_for(drawn: County, drawn_tables: dict[str, pa.Table]) -> None:
    """Three times as many identified a year from the first start, the same before; nobody is told *not a carer*."""
    many = draw_county(COUNTY_WORLDS["young_carers_identified"], np.random.default_rng(20240901))
    found = [np.bincount(c.pupils.found[c.pupils.found >= 0], minlength=6) for c in (drawn, many)]
    assert (found[0][:4] == found[1][:4]).all() and found[0][:2].sum() == 0
    assert found[1][4] / found[0][4] == pytest.approx(3, abs=0.6)
    pupils = drawn_tables["pupils"].to_pandas()
    assert set(pupils["young_carer"]) == {"N", "P", "S"}
    assert ((pupils["young_carer"] == "N") == pupils["young_carer_since"].isna()).all()
    assert 0.001 < (pupils["young_carer"] != "N").mean() < 0.01


def test_who_answers_the_survey_depends_on_absence(drawn: County, drawn_tables: dict[str, pa.Table]) -> None:
    """Nine in ten of those usually absent less than a tenth, four in ten of the others, of pupils from Year 4."""
    survey, roll = drawn_tables["survey"].to_pandas(), drawn.roll
    assert survey["wave"].nunique() == 2 and survey["item"].nunique() == 6
    assert set(survey["response"].dropna()) == {1, 2, 3, 4, 5} and 0.01 < survey["response"].isna().mean() < 0.03
    asked = np.flatnonzero((roll.period == 3) & (roll.first == 0) & (roll.until == 190) & (roll.status != 2))
    asked = asked[3 - drawn.pupils.entry[roll.pupil[asked]] >= 4]
    absence = expected_absence(drawn, asked, 3)[1].mean(axis=1)
    there = set(survey.loc[survey["wave"] == "wave_1", "pupil"])
    answered = np.array([code in there for code in drawn.pupils.code[roll.pupil[asked]].tolist()])
    assert answered[absence < 0.1].mean() == pytest.approx(0.9, abs=0.01)
    assert answered[absence >= 0.1].mean() == pytest.approx(0.4, abs=0.02)


def test_belonging_answers_shift_at_schools_that_have_begun() -> None:
    """The same pupils in two worlds: answers differ in the second round, at treated schools, and nowhere else."""
    world = replace(COUNTY_WORLDS["nothing_happened"], n_pupils=3_000, n_schools=30, n_pyramids=6)
    counties = [draw_county(replace(world, belonging_shift=shift), np.random.default_rng(3)) for shift in (0.0, 0.3)]
    usual, shifted = (county_tables(county)["survey"].to_pandas() for county in counties)
    assert usual[["pupil", "wave", "item"]].equals(shifted[["pupil", "wave", "item"]])
    schools = counties[0].schools
    begun = usual["urn"].isin(schools.urn[counties[0].changes.school_start(schools) != NEVER])
    second, reverse = usual["wave"] == "wave_2", usual["item"].isin(["b3", "b5"])
    gain = (shifted["response"] - usual["response"]).fillna(0)
    assert not gain[~(begun & second)].any()
    assert gain[begun & second & ~reverse].mean() > 0.1 and gain[begun & second & reverse].mean() < -0.1


def test_worlds_that_differ_by_their_effects_differ_by_nothing_else() -> None:
    """With the same generator, what would have been without intervention is the same, mark for mark."""
    worlds = [
        replace(COUNTY_WORLDS[name], n_pupils=600, n_schools=20, n_pyramids=5, first_period=2024, n_periods=1)
        for name in ("nothing_happened", "known_effect", "harm")
    ]
    chunks = [next(iter(draw_marks(draw_county(world, np.random.default_rng(2)), "2024/25"))) for world in worlds]
    assert all((chunk.untreated == chunks[0].untreated).all() for chunk in chunks)
    assert (chunks[0].marks == chunks[0].untreated).all()
    assert all((chunk.marks != chunk.untreated).any() for chunk in chunks[1:])


def test_by_need_looks_like_success() -> None:
    """Pyramids that begin because absence rose fall back: before-after against the others shows a gain that is none;
    where lots decide, it shows nothing."""
    gains = {}
    for name in ("by_need", "nothing_happened"):
        found = []
        for seed in range(60):
            panel = draw_school_panel(COUNTY_WORLDS[name], np.random.default_rng(seed))
            rates = [
                panel.absent[:, years].sum(axis=1) / panel.possible[:, years].sum(axis=1)
                for years in (slice(18, 24), slice(30, 36))
            ]
            change, treated = rates[1] - rates[0], panel.start >= 0
            found.append(change[treated].mean() - change[~treated].mean())
            assert panel.effect() == 0
        gains[name] = np.mean(found), np.std(found) / np.sqrt(len(found))
    assert gains["by_need"][0] < -0.0015 and gains["by_need"][0] < -4 * gains["by_need"][1]
    assert abs(gains["nothing_happened"][0]) < 3.5 * gains["nothing_happened"][1]


def test_an_odd_base_year_is_taken_back() -> None:
    """Starters had risen by more than .35 points in the base year; some of it is back at once, by need alone none."""
    rise, back = {}, {}
    for name in ("by_need", "odd_base_year"):
        steps = []
        for seed in range(40):
            panel = draw_school_panel(COUNTY_WORLDS[name], np.random.default_rng(seed))
            rates = [
                panel.absent[:, at : at + 6].sum(axis=1) / panel.possible[:, at : at + 6].sum(axis=1)
                for at in (12, 18, 24)
            ]
            starts = panel.start >= 0
            apart = [100 * (rate[starts].mean() - rate[~starts].mean()) for rate in rates]
            steps.append(np.diff(apart))
        rise[name], back[name] = np.mean(steps, axis=0)
    assert min(rise.values()) > 0.35
    assert back["odd_base_year"] < -0.25 < back["by_need"]


def test_where_all_begin_nobody_is_left_to_compare_with() -> None:
    """No pyramid never begins, and absence falls in every school by the common trend."""
    panel = draw_school_panel(COUNTY_WORLDS["all_treated"], np.random.default_rng(3))
    assert (panel.start >= 0).all() and set(panel.start) == {24, 26, 28, 30}
    usual = draw_school_panel(replace(COUNTY_WORLDS["all_treated"], common_trend=0.0), np.random.default_rng(3))
    ratio = panel.absent[:, 30:].sum() / usual.absent[:, 30:].sum()
    assert ratio == pytest.approx(np.exp(-0.16), rel=0.01)


# The quick panel beside the whole county.


def yearly_changes(absent: np.ndarray, possible: np.ndarray, pupils: np.ndarray, phase: np.ndarray) -> float:
    """RMS over schools of the change of the yearly rate, against the phase's and relative to it, for one pupil."""
    shape = (len(absent), -1, HALF_TERMS)
    missed, could = absent.reshape(shape).sum(axis=2), possible.reshape(shape).sum(axis=2)
    found = []
    for name in ("primary", "secondary"):
        own = (phase == name) & (pupils > 40)
        relative = missed[own] / could[own] / (missed[own].sum(axis=0) / could[own].sum(axis=0))
        relative /= relative.mean(axis=1, keepdims=True)
        found.append(np.diff(relative, axis=1) * np.sqrt(pupils[own])[:, None])
    return float(np.sqrt(np.mean(np.concatenate(found) ** 2)))


def test_the_quick_panel_varies_as_the_whole_county() -> None:
    """What pupils add to schools' yearly changes: within a fifth of a whole county's without changes of its own."""
    world = replace(
        COUNTY_WORLDS["nothing_happened"], school_change_sd=0.0, n_pupils=15_000, n_schools=60, n_pyramids=9,
        n_periods=3, first_period=2022,
    )  # fmt: skip
    county = draw_county(world, np.random.default_rng(2))
    schools, shape = len(county.schools.urn), (60, 18)
    absent, possible = np.zeros(shape), np.zeros(shape)
    for at, period in enumerate(world.periods):
        for chunk in draw_marks(county, period):
            counts = count_chunk(county, chunk)
            for half in range(HALF_TERMS):
                school = county.roll.school[counts.rows]
                possible[:, 6 * at + half] += np.bincount(school, counts.sessions[:, half, 0], schools)
                absent[:, 6 * at + half] += np.bincount(school, counts.sessions[:, half, 1], schools)
    own = county.schools.mainstream
    pupils = possible[own, :6].sum(axis=1) / 377
    whole = yearly_changes(absent[own], possible[own], pupils, county.schools.phase[own])
    quick = []
    for seed in range(10):
        panel = draw_school_panel(world, np.random.default_rng(seed))
        quick.append(yearly_changes(panel.absent, panel.possible, panel.pupils, panel.phase))
    assert whole == pytest.approx(np.mean(quick), rel=0.2)
    # Both are near the same rates too.
    rate = absent[own].sum() / possible[own].sum()
    assert panel.absent.sum() / panel.possible.sum() == pytest.approx(rate, rel=0.15)


def test_schools_change_by_themselves_as_the_world_says() -> None:
    """With very large schools chance is nothing: the SD of a school's yearly change is the world's 1.0 point."""
    changes = []
    for seed in range(12):
        world = replace(COUNTY_WORLDS["nothing_happened"], n_pupils=500_000_000, school_change_sd=1.0)
        panel = draw_school_panel(replace(world, first_period=2022, n_periods=4), np.random.default_rng(seed))
        # The level of a school multiplies its changes, so these are of a school at its phase's mean.
        rate = panel.absent.reshape(150, 4, 6).sum(axis=2) / panel.possible.reshape(150, 4, 6).sum(axis=2)
        typical = np.where(panel.phase == "primary", 0.058, 0.095)
        relative = rate / rate.mean(axis=1, keepdims=True)
        changes.append(100 * np.diff(relative, axis=1)[:, :1] * typical[:, None])
    found = np.concatenate(changes)
    assert (found - np.mean(found)).std() == pytest.approx(1.0, abs=0.12)


def test_the_quick_panel_has_no_pupils_to_lose() -> None:
    """A world whose trap is in its leavers needs the whole county; too few schools are refused by name."""
    for name in ("high_absence_leavers", "movers_to_untreated"):
        with pytest.raises(PlanError, match="whole county"):
            draw_school_panel(COUNTY_WORLDS[name], np.random.default_rng(1))
    with pytest.raises(PlanError, match="n_schools"):
        draw_school_panel(replace(COUNTY_WORLDS["one_point"], n_schools=50), np.random.default_rng(1))
    for wrong in ({"suspension_ratio": 1.2}, {"share_never": -0.1}, {"effect": -1.5}, {"n_periods": 0}):
        with pytest.raises(PlanError, match=next(iter(wrong))):
            replace(COUNTY_WORLDS["one_point"], **wrong)


@pytest.mark.parametrize("name", COUNTY_WORLDS)
def test_every_world_can_be_drawn(name: str) -> None:
    """Each named world makes a county whose pyramids begin as it says."""
    world = replace(COUNTY_WORLDS[name], n_pupils=1_200, n_schools=30, n_pyramids=7)
    county = draw_county(world, np.random.default_rng(1))
    assert (county.changes.start == NEVER).sum() == round(world.share_never * 7)
    assert (county.changes.effect[NEVER] == 0).all()


def test_school_days_are_those_of_english_schools() -> None:
    """190 days with pupils and 5 without; no weekend, no bank holiday; the half-terms of the statistics."""
    holidays = {"2021-04-02", "2021-05-03", "2022-01-03", "2022-06-02", "2022-09-19", "2023-05-01", "2023-05-08",
                "2025-12-25", "2023-01-02", "2024-04-01"}  # fmt: skip
    for first in range(2019, 2028):
        period = f"{first}/{(first + 1) % 100:02d}"
        year = school_days(period)
        days = [dt.date.fromisoformat(str(day)) for day in year.days]
        assert len(set(days)) == 195 and len(year.teaching) == 190 and year.is_training.sum() == 5
        assert all(day.weekday() < 5 for day in days) and not {str(day) for day in days} & holidays
        halves = half_terms(period)
        for day, number in zip(days, year.half_term, strict=True):
            assert halves[number - 1].first_day <= day <= halves[number - 1].last_day
        assert year.season[year.teaching].mean() == pytest.approx(1)


# As councils have it.

TINY = replace(SMALL, n_pupils=120, n_schools=16, n_pyramids=4, n_periods=2)


def rows_of(folder: Path, name: str, encoding: str = "utf-8") -> list[dict[str, str]]:
    """Rows of a raw csv file."""
    with (folder / f"{name}.csv").open(encoding=encoding, newline="") as lines:
        return list(csv.DictReader(lines))


def evidence(folder: Path) -> dict[str, int]:
    """How much of each fault a reader of the raw files would find, without knowing how they were made."""
    encoding = "utf-8"
    try:
        rows_of(folder, "pupils")
    except UnicodeDecodeError:
        encoding = "cp1252"
    pupils, exclusions = rows_of(folder, "pupils", encoding), rows_of(folder, "exclusions", encoding)
    marks, weeks, rolls = (
        rows_of(folder, "marks_202425"),
        rows_of(folder, "marks_202324"),
        rows_of(folder, "enrolments"),
    )
    day = functools.cache(lambda text: dt.datetime.strptime(text, "%d/%m/%Y").date())
    known = {row["UPN"] for row in pupils}
    born = {row["UPN"]: day(row["DOB"]) for row in pupils}
    stays: dict[tuple[str, str], list[tuple[dt.date, dt.date]]] = {}
    for row in rolls:
        last = day(row["LeavingDate"]) if row["LeavingDate"] else dt.date(2025, 8, 31)
        stays.setdefault((row["UPN"], row["URN"]), []).append((day(row["EntryDate"]), last))
    mains = sorted(
        (row["UPN"], day(row["EntryDate"]), row["LeavingDate"]) for row in rolls if row["EnrolStatus"] != "S"
    )
    sheet = list(openpyxl.load_workbook(folder / "interventions.xlsx").active.iter_rows(values_only=True))
    head = next(at for at, row in enumerate(sheet) if "URN" in row)
    log = [dict(zip(sheet[head], row, strict=True)) for row in sheet[head + 1 :]]
    urns = {row["URN"] for row in rows_of(folder, "schools")}
    served: Counter[tuple[str, int]] = Counter()
    for row in exclusions:
        if row["Category"] == "SUSP":
            start = day(row["StartDate"])
            served[row["UPN"], start.year - (start.month < 8)] += int(row["Sessions"])
    current = {row["UPN"] for row in rolls if not row["LeavingDate"]}
    codes = {row["Mark"] for row in marks} - {"8", "\\\\"}
    assert codes <= {"/", "\\", "#", *"LVPWBKDCEIMRSTGNOUXQ", "C1", "C2", "J1", "Y1", "Y4"}
    return {
        "unknown_mark": sum(row["Mark"] == "8" for row in marks),
        "x_outside_covid": sum(row["Mark"] == "X" and born[row["UPN"]] < dt.date(2019, 9, 1) for row in marks),
        "marks_outside_roll": sum(
            not any(first <= day(row["Date"]) <= last for first, last in stays.get((row["UPN"], row["URN"]), ()))
            for row in marks
            if day(row["Date"]) <= dt.date(2025, 8, 31)
        ),
        "future_marks": sum(day(row["Date"]) > dt.date(2025, 8, 31) for row in marks),
        "duplicate_marks": len(marks) - len({tuple(row.values())[:4] for row in marks}),
        "doubled_backslash": sum(row["Mark"] == "\\\\" for row in marks),
        "blank_for_dash": sum(" " in row["Marks"] for row in weeks),
        "leavers_not_excluded": int(not any(row["UPN"] in known - current for row in exclusions)),
        "unknown_pupil_excluded": sum(row["UPN"] not in known for row in exclusions),
        "over_45_days": sum(sessions > 90 for sessions in served.values()),
        "overlapping_enrolments": sum(
            one[0] == two[0] and (not one[2] or day(one[2]) >= two[1])
            for one, two in itertools.pairwise(mains)
        ),
        "missing_fsm": sum(not row["EVERFSM_6"] and bool(row["SENprovision"]) for row in pupils),
        "intervention_elsewhere": sum(str(row["URN"]) not in urns for row in log),
        "intervention_without_start": sum(not row["Start"] for row in log),
        "title_rows": head,
        "cp1252": int(encoding == "cp1252"),
    }  # fmt: skip


def test_without_faults_no_fault_is_there(tmp_path: Path) -> None:
    """A reader finds none of them; pupil numbers are well formed and of no council; ten marks a pupil-week."""
    raw = write_county_as_councils_have_it(TINY, tmp_path)
    assert raw.faults == {} and not any(evidence(tmp_path).values())
    assert evidence(tmp_path).keys() == FAULTS.keys()
    numbers = [row["UPN"] for row in rows_of(tmp_path, "pupils")]
    assert len(set(numbers)) == len(numbers) == len(set(raw.upn.values()) & set(numbers))
    assert all(len(upn) == 13 and upn[1:4] == "999" and upn[0] == check_letter(upn[1:]) for upn in numbers)
    assert {len(row["Marks"]) for row in rows_of(tmp_path, "marks_202324")} == {10}


def test_check_letters_are_the_departments() -> None:
    """A weighted sum written out: 2x8 + 3x0 + 4x1 + 5x2 + 6x0 + 7x0 + 8x0 + 9x0 + 10x9 + 11x5 + 12x0 + 13x1 = 188,
    188 = 8 x 23 + 4, the fifth letter."""
    assert check_letter("801200009501") == "E"


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_there_when_switched_on(tmp_path: Path, fault: str) -> None:
    """A reader finds it, and of the others only what follows from it."""
    raw = write_county_as_councils_have_it(TINY, tmp_path, [fault])
    found = evidence(tmp_path)
    assert found.pop(fault) > 0 and raw.faults[fault] > 0
    assert not {name: n for name, n in found.items() if n}


def test_all_faults_together_and_a_fault_that_is_none(tmp_path: Path) -> None:
    """All at once are all there; an unknown name and a county too large for names are refused."""
    write_county_as_councils_have_it(TINY, tmp_path, list(FAULTS))
    assert all(n for name, n in evidence(tmp_path).items() if name != "leavers_not_excluded")
    with pytest.raises(PlanError, match="no_such_fault"):
        write_county_as_councils_have_it(TINY, tmp_path, ["no_such_fault"])
    with pytest.raises(PlanError, match="n_pupils"):
        write_county_as_councils_have_it(COUNTY_WORLDS["one_point"], tmp_path)


def test_raw_marks_are_those_of_the_checked_county(tmp_path: Path) -> None:
    """In all shapes and through the pupil numbers: the same marks as the checked extract of the same world."""
    raw = write_county_as_councils_have_it(TINY, tmp_path / "raw")
    write_checked_county(TINY, tmp_path / "checked")
    numbers = raw.upn
    marks = pq.read_table(tmp_path / "checked" / marks_file("2023/24")).to_pylist()
    expected = {(numbers[m["pupil"]], str(m["urn"]), m["day"], m["session"]): m["mark"] for m in marks}
    found = {}
    for row in rows_of(tmp_path / "raw", "marks_202324"):
        monday = dt.datetime.strptime(row["WeekBeginning"], "%d/%m/%Y").date()
        for place, mark in enumerate(row["Marks"]):
            if mark != "-":
                day = monday + dt.timedelta(days=place // 2)
                found[row["UPN"], row["URN"], day, ("am", "pm")[place % 2]] = mark
    assert found == expected
    last = pq.read_table(tmp_path / "checked" / marks_file("2024/25"))
    assert len(rows_of(tmp_path / "raw", "marks_202425")) == last.num_rows
