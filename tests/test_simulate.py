"""The made-up country: the same bytes from the same plan, files that the readers take, and a truth that is true."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import math
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from belonging_research.errors import PlanError, SourceError
from belonging_research.outcomes import derive_outcomes
from belonging_research.plan import Plan, read_plan
from belonging_research.simulate import (
    WORLDS,
    SimulatedCountry,
    Truth,
    World,
    draw_world,
    read_truth,
    simulated_data,
    write_public_files,
)
from belonging_research.simulate.annual import NO_ABSENCE, YEARS
from belonging_research.simulate.councils import CODES, GSS, NAMES, ONE_SCHOOL
from belonging_research.sources import Extract, load_extract
from belonging_research.tables import BOUNDARIES

REPOSITORY = Path(__file__).resolve().parents[1]
POST = ("2024/25", "2025/26", "2026/27")
TREATED = "609"


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The shipped plan of the made-up country."""
    return read_plan(REPOSITORY / "notebooks" / "plans" / "simulated_public.toml")


@pytest.fixture(scope="module")
def folder(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its files, written once."""
    path = tmp_path_factory.mktemp("simulated") / "files"
    write_public_files(path, plan)
    return path


@pytest.fixture(scope="module")
def truth(folder: Path) -> Truth:
    """The truth beside them."""
    return read_truth(folder)


@pytest.fixture(scope="module")
def extract(folder: Path, plan: Plan) -> Extract:
    """The files as the readers read them."""
    return load_extract(folder, plan, through="2026/27")


@pytest.fixture(scope="module")
def outcomes(extract: Extract, plan: Plan) -> pd.DataFrame:
    """Whole-year outcomes of councils."""
    rows = derive_outcomes(extract, plan).to_pandas(date_as_object=True)
    return rows[(rows["level"] == "council") & rows["interval_end"].isna()]


@pytest.fixture(scope="module")
def country(plan: Plan) -> SimulatedCountry:
    """The country in arrays."""
    return draw_world(plan, WORLDS["known_effect"], plan.rng("simulate"))


def read_csv(path: Path) -> pd.DataFrame:
    """A file as text."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_the_same_plan_gives_the_same_bytes(folder: Path, plan: Plan, tmp_path: Path) -> None:
    """Every file is the same byte for byte in another folder, at another time."""
    write_public_files(tmp_path / "again", plan)
    assert digests(tmp_path / "again") == digests(folder)


def test_no_file_holds_the_time_of_its_making(folder: Path) -> None:
    """The workbook's dates and those of its parts are fixed, and gzip has neither name nor time."""
    book = folder / "statistical_neighbours.xlsx"
    with zipfile.ZipFile(book) as parts:
        assert {entry.date_time for entry in parts.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    properties = openpyxl.load_workbook(book).properties
    assert properties.created == properties.modified == dt.datetime(2025, 5, 1)
    (stack,) = folder.glob("*.gz")
    flags, *stamp = stack.read_bytes()[3:8]
    assert (flags, stamp) == (0, [0, 0, 0, 0])


def test_another_seed_gives_another_country(plan: Plan, country: SimulatedCountry) -> None:
    """The plan's seed decides the figures."""
    other = plan.model_copy(update={"seed": plan.seed + 1})
    drawn = draw_world(other, WORLDS["known_effect"], other.rng("simulate"))
    assert not np.array_equal(drawn.councils.pupils, country.councils.pupils)


def test_no_real_council_is_meant() -> None:
    """Codes are those of no boundary record, region or country, and every name and code stands once."""
    assert not set(CODES) & {change.unit for change in BOUNDARIES}
    assert not any(970 <= int(code) <= 990 for code in CODES)
    assert len(set(CODES)) == len(set(NAMES)) == len(set(GSS)) == 150
    assert GSS[0] == "E99000101"


def test_sessions_add_up(folder: Path) -> None:
    """Overall is authorised and unauthorised, possible is attendance and absence, and rates are their ratios."""
    for path in sorted(folder.glob("ees_attendance_*")):
        rows = read_csv(path)
        rows = rows[rows["possible_sessions"] != "c"]
        counts = rows[[c for c in rows if c.endswith(("_sessions", "_absence", "_attendance"))]].astype(np.int64)
        reasons = rows[[c for c in rows if c.startswith("reason_")]].replace("", "0").astype(np.int64)
        absent = counts["overall_absence"]
        assert (absent == counts["authorised_absence"] + counts["unauthorised_absence"]).all(), path.name
        assert (counts["possible_sessions"] == counts["overall_attendance"] + absent).all(), path.name
        unauthorised = [c for c in reasons if c.startswith(("reason_g_", "reason_u_", "reason_o_", "reason_n_"))]
        authorised = [c for c in reasons if c.startswith(("reason_i_", "reason_e_", "reason_c2_"))]
        assert (reasons[unauthorised].sum(axis=1) == counts["unauthorised_absence"]).all(), path.name
        assert (reasons[authorised].sum(axis=1) <= counts["authorised_absence"]).all(), path.name
        assert (reasons.to_numpy() >= 0).all(), path.name
        printed = rows["overall_absence_perc"].astype(float)
        np.testing.assert_allclose(printed, 100 * absent / counts["possible_sessions"], rtol=1e-12)


def test_councils_add_up_to_regions_and_country(folder: Path) -> None:
    """Possible half-days of councils and the hidden school make those of regions, and these the country's."""
    rows = read_csv(folder / "ees_attendance_ytd_202526.csv")
    shown = rows[(rows["education_phase"] == "Total") & (rows["possible_sessions"] != "c")]
    sums = shown.assign(n=shown["possible_sessions"].astype(np.int64)).groupby("geographic_level")["n"].sum()
    assert sums["Regional"] == sums["National"]
    assert 0 < sums["National"] - sums["Local authority"] < 100_000


def test_snapshots_only_grow(folder: Path) -> None:
    """Cumulative half-days never fall from one snapshot to the next, back-filling included."""
    (path,) = folder.glob("*snapshots*")
    rows = read_csv(path)
    rows = rows[(rows["geographic_level"] == "Local authority") & (rows["possible_sessions"] != "c")]
    phase = rows["school_type"] + rows["education_phase"]
    for column in ("possible_sessions", "authorised_absence", "unauthorised_absence", "reason_i_authorised_illness"):
        counts = rows.assign(phase=phase, n=rows[column].astype(np.int64))
        wide = counts.pivot(index=["time_period", "old_la_code", "phase"], columns="snapshot_date", values="n")
        for _, year in wide.groupby("time_period"):
            assert (year.dropna(axis=1, how="all").diff(axis=1).iloc[:, 1:] >= 0).all(axis=None), column


def test_truth_is_the_difference_of_potential_outcomes(country: SimulatedCountry, truth: Truth) -> None:
    """The stored effect is the same draw's rate with the treatment less that without it, and the world's own path."""
    at, years = CODES.index(TREATED), [YEARS.index(year) for year in POST]
    for outcome in ("overall_absence_rate", "persistent_absence_rate", "severe_absence_rate"):
        actual, untreated = (a.rates[outcome][at, years, 0] / 100 for a in (country.annual, country.untreated_annual))
        found = truth.effect(outcome, "census", "all", POST, "proportion")
        assert found == pytest.approx(float((actual - untreated).mean()), rel=1e-12)
        assert found is not None and found < 0
    overall = truth.effect("overall_absence_rate", "census", "all", POST, "proportion")
    assert overall == pytest.approx(-(0.6 + 1.0 + 1.2) / 3 / 100, rel=1e-12)
    assert truth.effect("overall_absence_rate", "census", "all", ("2024/25",), "proportion") == pytest.approx(-0.006)
    ratio = truth.effect("suspension_rate", "census", "all", ("2024/25",), "log_ratio")
    assert ratio == pytest.approx(math.log(0.85), rel=1e-12)
    assert truth.effect("permanent_exclusion_rate", "census", "all", POST, "per_100_pupils") == 0.0


def test_only_the_treated_council_differs(country: SimulatedCountry) -> None:
    """Without the treatment every other council has the same figures, and so has the treated one before it."""
    others = np.arange(len(CODES)) != country.treated
    for outcome, actual in country.annual.rates.items():
        untreated = country.untreated_annual.rates[outcome]
        np.testing.assert_array_equal(actual[others], untreated[others])
        np.testing.assert_array_equal(actual[:, : YEARS.index("2024/25")], untreated[:, : YEARS.index("2024/25")])
    for year, register in country.registers.items():
        for name, counts in register.counts.items():
            np.testing.assert_array_equal(counts[others], country.untreated_registers[year].counts[name][others])


def test_worlds_share_one_draw(plan: Plan, country: SimulatedCountry) -> None:
    """What would have happened is the country in which nothing happened, and there every effect is 0."""
    nothing = draw_world(plan, WORLDS["nothing_happened"], plan.rng("simulate"))
    for outcome, rates in nothing.annual.rates.items():
        np.testing.assert_array_equal(rates, country.untreated_annual.rates[outcome])


def test_nothing_happened_has_no_effect(plan: Plan, tmp_path: Path) -> None:
    """In the world without an effect every known truth is exactly 0."""
    truth = write_public_files(tmp_path / "nothing", plan, world=WORLDS["nothing_happened"])
    keys = {(source, outcome, phase) for source, outcome, phase, _ in truth.rates}
    assert {truth.effect(o, s, p, POST, "log_ratio") for s, o, p in keys} == {0.0}


def test_printed_figures_are_the_truths_actual_rates(outcomes: pd.DataFrame, truth: Truth) -> None:
    """What the readers make of the files is, to the printed digits, what the truth says happened."""
    tolerance = {"census": 0.5001e-4, "daily": 1e-9}
    own = outcomes[(outcomes["unit"] == TREATED) & outcomes["value"].notna()]
    seen = set()
    for row in own.itertuples():
        key = (row.source, row.outcome, row.phase, row.period)
        if key in truth.rates:
            assert row.value == pytest.approx(truth.rates[key][0], abs=tolerance[row.source]), key
            seen.add(key)
    assert seen == set(truth.rates)


def test_effects_unknown_to_the_world_are_none(truth: Truth) -> None:
    """No truth is made up for a series, year or phase that the files do not print."""
    assert truth.effect("severe_absence_rate", "daily", "all", POST, "proportion") is None
    assert truth.effect("unauthorised_absence_rate", "census", "primary", POST, "proportion") is None
    assert truth.effect("overall_absence_rate", "census", "all", ("2019/20",), "proportion") is None
    assert truth.effect("overall_absence_rate", "census", "all", (*POST, "2027/28"), "proportion") is None
    assert truth.effect("overall_absence_rate", "census", "all", (), "proportion") is None


def test_treated_council_is_complete(outcomes: pd.DataFrame, extract: Extract) -> None:
    """The treated council has every annual and daily rate in every year that has one."""
    own = outcomes[(outcomes["unit"] == TREATED) & (outcomes["phase"] == "all") & outcomes["value"].notna()]
    years = own.groupby(["source", "outcome"])["period"].agg(lambda periods: tuple(sorted(set(periods))))
    no_covid = tuple(year for year in YEARS if year != YEARS[NO_ABSENCE])
    assert years["census", "overall_absence_rate"] == no_covid
    assert years["census", "severe_absence_rate"] == no_covid
    assert years["census", "pupils_with_one_or_more_suspensions_rate"] == YEARS
    assert years["daily", "overall_absence_rate"] == YEARS[7:]
    assert years["daily", "illness_absence_rate"] == YEARS[7:]
    neighbours = extract.neighbours.to_pandas()
    assert (neighbours.groupby("unit")["neighbour"].nunique() == 10).all()
    assert set(neighbours["neighbour"]) <= set(CODES)


def test_marginals_are_near_their_targets(outcomes: pd.DataFrame) -> None:
    """Means and spreads over councils are near England's (Department for Education, 2015/16 to 2023/24)."""
    census = outcomes[(outcomes["source"] == "census") & (outcomes["phase"] == "all")]
    targets = (
        ("overall_absence_rate", "2018/19", 4.71, 0.15, (0.25, 0.55)),
        ("overall_absence_rate", "2021/22", 7.49, 0.25, (0.40, 0.90)),
        ("overall_absence_rate", "2023/24", 7.10, 0.25, (0.45, 0.90)),
        ("persistent_absence_rate", "2023/24", 19.9, 1.5, (1.7, 3.2)),
        ("severe_absence_rate", "2023/24", 2.22, 0.35, (0.35, 0.80)),
        ("suspension_rate", "2023/24", 11.4, 1.8, (3.5, 8.0)),
        ("pupils_with_one_or_more_suspensions_rate", "2023/24", 4.0, 0.5, (0.7, 1.6)),
        ("permanent_exclusion_rate", "2023/24", 0.14, 0.03, (0.04, 0.12)),
    )
    for outcome, year, mean, within, spread in targets:
        values = 100 * census[(census["outcome"] == outcome) & (census["period"] == year)]["value"].dropna()
        assert abs(values.mean() - mean) < within, (outcome, year, values.mean())
        assert spread[0] < values.std() < spread[1], (outcome, year, values.std())


def test_treated_council_is_ordinary(country: SimulatedCountry) -> None:
    """It has 42,000 pupils, and untreated absence within the middle nine tenths of councils in both base years."""
    assert country.councils.pupils[country.treated] == 42_000
    assert 4_900 < country.councils.pupils[:ONE_SCHOOL].min() < country.councils.pupils.max() <= 180_000
    for year in ("2022/23", "2023/24"):
        rates = country.untreated_annual.rates["overall_absence_rate"][:ONE_SCHOOL, YEARS.index(year), 0]
        low, high = np.quantile(rates, (0.05, 0.95))
        assert low < rates[country.treated] < high


def test_winter_has_more_absence(country: SimulatedCountry) -> None:
    """Fortnights about December have a higher rate than those of early autumn and summer."""
    register = country.registers["2023/24"]
    missed = (register.counts["authorised"] + register.counts["unauthorised"])[:ONE_SCHOOL].sum(axis=(0, 1))
    possible = register.counts["possible"][:ONE_SCHOOL].sum(axis=(0, 1))
    rates = np.diff(missed) / np.maximum(np.diff(possible), 1)
    months = [date.month for date in register.dates[1:]]
    by_month = pd.Series(rates).groupby(months).max()
    assert by_month[12] > 1.1 * by_month[10] and by_month[12] > 1.1 * by_month[6]


def test_faults_of_the_real_files(folder: Path, plan: Plan, extract: Extract) -> None:
    """A snapshot is printed twice, schools are back-filled, one is hidden; a world can do without the first two."""
    snapshots = next(file for file in extract.files if file.layout == "attendance_snapshots")
    assert snapshots.excluded.get("repeats the previous snapshot", 0) > 400
    rows = read_csv(folder / "ees_attendance_ytd_202324.csv")
    hidden = rows[rows["possible_sessions"] == "c"]
    assert set(hidden["old_la_code"]) == {CODES[ONE_SCHOOL]} and set(hidden["overall_absence_perc"]) == {"c"}
    plain = replace(WORLDS["known_effect"], with_faults=False)
    clean, faulty = (draw_world(plan, w, plan.rng("simulate")) for w in (plain, WORLDS["known_effect"]))
    before = [r.registers["2022/23"].counts["possible"] for r in (clean, faulty)]
    assert (before[0][:, 1] != before[1][:, 1]).any(axis=1).sum() == 6
    np.testing.assert_array_equal(before[0][:, :, -1], before[1][:, :, -1])


def test_headers_are_the_departments(folder: Path, real: Path) -> None:
    """No file has a column that the real one of its layout lacks; the fixed layouts have all of them, in order."""

    def header(path: Path) -> list[str]:
        if path.suffix == ".parquet":
            names: list[str] = pq.read_schema(path).names
            return names
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return content.decode("utf-8-sig").splitlines()[0].replace('"', "").split(",")

    same = {
        "bds_long_0.parquet": "lait/bds_long_0.parquet",
        "ees_acceptable_las.csv": "geography/ees_acceptable_las.csv",
        "dfer_la_region_validity.csv": "geography/dfer_la_region_validity.csv",
        "lait_data_dictionary.csv": "lait/lait_data_dictionary.csv",
        next(folder.glob("*snapshots*")).name: "attendance/ees_attendance_ytd_snapshots_202223_202526.csv.gz",
    }
    for ours, theirs in same.items():
        assert header(folder / ours) == header(real / theirs), ours
    for year in ("202223", "202324", "202425", "202526"):
        name = f"ees_attendance_ytd_{year}.csv"
        assert set(header(folder / name)) <= set(header(real / "attendance" / name)), name


def test_folder_is_written_once_and_again_when_the_plan_changes(plan: Plan, tmp_path: Path) -> None:
    """An up-to-date folder is left alone, an outdated one replaced whole, and no half-written one stays."""
    target = tmp_path / "data" / "country"
    assert simulated_data(plan, target) == target
    stamp = (target / "bds_long_0.parquet").stat().st_mtime_ns
    simulated_data(plan, target)
    assert (target / "bds_long_0.parquet").stat().st_mtime_ns == stamp
    (target / "stale.csv").write_text("a,b\n", encoding="utf-8")
    other = plan.model_copy(update={"seed": 7})
    simulated_data(other, target)
    assert read_truth(target).plan_digest == other.digest
    assert not (target / "stale.csv").exists()
    assert [path.name for path in target.parent.iterdir()] == ["country"]


def test_a_folder_of_something_else_is_left_alone(plan: Plan, tmp_path: Path) -> None:
    """Files that `simulate` did not write are never deleted."""
    (tmp_path / "mine.csv").write_text("a,b\n", encoding="utf-8")
    with pytest.raises(SourceError, match="left alone"):
        simulated_data(plan, tmp_path)
    assert (tmp_path / "mine.csv").is_file()


def test_default_folder_is_under_the_project(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder the files go to data/simulated/<study> of the project above the current folder."""
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert simulated_data(plan).resolve() == (tmp_path / "data" / "simulated" / plan.study).resolve()


def test_a_plan_for_another_country_is_refused(plan: Plan) -> None:
    """A treated code that the country lacks, or its one-school council, names the key to correct."""
    for unit in ("838", CODES[ONE_SCHOOL]):
        wrong = plan.model_copy(update={"treated": (plan.treated[0].model_copy(update={"unit": unit}),)})
        with pytest.raises(PlanError, match="treated"):
            draw_world(wrong, WORLDS["known_effect"], wrong.rng("simulate"))


def test_damaged_truth_is_refused(tmp_path: Path) -> None:
    """A truth that is missing or of another schema says what to do."""
    with pytest.raises(SourceError, match="simulate again"):
        read_truth(tmp_path)
    (tmp_path / "truth.json").write_text('{"schema": "other"}', encoding="utf-8")
    with pytest.raises(SourceError, match="simulate again"):
        read_truth(tmp_path)


def test_worlds_travel_between_processes() -> None:
    """A world can be sent to another process, and each says by its name what it is."""
    for name, world in WORLDS.items():
        assert pickle.loads(pickle.dumps(world)) == world
        assert isinstance(world, World) and world.name == name and world.fair and world.catcher is None


def test_codes_keep_their_type(folder: Path) -> None:
    """The interactive tool's values are text and its codes floats, as in the real file."""
    schema = pq.read_schema(folder / "bds_long_0.parquet")
    assert schema.field("LA Number").type == pa.float64()
    assert {schema.field(n).type for n in schema.names if n != "LA Number"} == {pa.string()}
    values = pq.read_table(folder / "bds_long_0.parquet").to_pandas()
    absence = values[(values["Short Desc"] == "TotAbs") & (values["Values"] != "-")]["Values"]
    assert absence.str.fullmatch(r"\d+\.\d{2}").all()
    assert set(values[(values["Short Desc"] == "TotAbs") & (values["Years"] == "2020")]["Values"]) == {"-"}
