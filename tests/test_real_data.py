"""The real files of the Department: every verified figure comes out, whatever files are called and columns' order."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import math
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
import pytest
from conftest import REPOSITORY

from belonging_research.outcomes import derive_outcomes
from belonging_research.plan import read_plan
from belonging_research.sources import Extract, load_extract
from belonging_research.tables import academic_year

PLAN = read_plan(REPOSITORY / "notebooks" / "plans" / "dorset_public.toml")

LAIT = "lait/bds_long_0.parquet"
ABSENCE = "absence/absence_3term_200607_201819_nat_reg_la.csv.gz"
EXCLUSIONS = "exclusions/exclusions_by_geographic_level.csv.gz"
SNAPSHOTS = "attendance/ees_attendance_ytd_snapshots_202223_202526.csv.gz"
TO_DATE = {f"20{y}/{y + 1}": f"attendance/ees_attendance_ytd_20{y}{y + 1}.csv" for y in (22, 23, 24, 25)}
LOOKUPS = (
    "lait/lait_data_dictionary.csv", "lait/sn_may_2025.xlsx", "lait/sn_april_2021.xlsx", "lait/la_code_list.xlsx",
    "geography/ees_acceptable_las.csv", "geography/dfer_la_region_validity.csv",
)  # fmt: skip
LAYOUT_OF = {
    LAIT: "lait_measures",
    ABSENCE: "absence_by_council",
    EXCLUSIONS: "exclusions_by_geographic_level",
    SNAPSHOTS: "attendance_snapshots",
    **dict.fromkeys(TO_DATE.values(), "attendance_to_date"),
}
UNITS = {"England": "970", "South West": "990", "Dorset": "838"}  # where the table of verified figures has no code
COUNTS = frozenset({"enrolments", "possible_sessions", "headcount", "suspensions", "permanent_exclusions"})
Figure = tuple[str, str, str, str, str]  # unit, period, layout, phase, outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came out for a figure."""

    value: float | None
    reason: str | None
    derivation: str


Values = dict[Figure, Came]


@pytest.fixture(scope="module")
def extract(real: Path) -> Extract:
    """Everything in the folder, to the last year there is."""
    return load_extract(real, PLAN, through="2025/26")


@pytest.fixture(scope="module")
def outcomes(extract: Extract) -> pa.Table:
    """Outcomes of the whole folder."""
    return derive_outcomes(extract, PLAN)


@pytest.fixture(scope="module")
def values(outcomes: pa.Table) -> Values:
    """Whole-year outcomes of the whole folder."""
    return by_figure(outcomes)


def by_figure(table: pa.Table) -> Values:
    """Every whole-year outcome; no figure stands twice in a layout."""
    table = table.filter(pc.is_null(table["interval_end"]))
    names = ("unit", "period", "layout", "phase", "outcome", "value", "reason", "derivation")
    rows = list(zip(*(table[name].to_pylist() for name in names), strict=True))
    found = {row[:5]: Came(value=row[5], reason=row[6], derivation=row[7]) for row in rows}
    assert len(found) == len(rows)
    return found


def verified(real: Path) -> list[dict[str, str]]:
    """The rows of the table of verified figures."""
    with (real / "verified_figures.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def place_of(row: dict[str, str]) -> tuple[Figure, str]:
    """Where a verified figure must stand in the outcomes, and by which derivation."""
    measure, phase, derivation = row["measure"], "all", "published"
    if measure.startswith("ytd_"):
        for ending in ("pooled_phases", "total", "primary", "secondary", "special"):
            if measure.endswith(f"_{ending}"):
                measure = measure.removeprefix("ytd_").removesuffix(f"_{ending}")
                phase = ending if ending in ("primary", "secondary", "special") else "all"
                derivation = "pooled" if ending == "pooled_phases" else "published"
                break
    unit = row["old_la_code"] or UNITS[row["area"]]
    return (unit, academic_year(row["academic_year"]), LAYOUT_OF[row["source_file"]], phase, measure), derivation


def refuted(real: Path, values: Values) -> list[str]:
    """Verified figures that are absent, or differ by more than half of their last digit; an x must be a reason."""
    wrong = []
    for row in verified(real):
        figure, derivation = place_of(row)
        came = values.get(figure)
        if came is None or came.derivation != derivation or not _agrees(came, figure[4], row["value"]):
            wrong.append(f"{figure}: {row['value']} expected, {came} found")
    return wrong


def _agrees(came: Came, outcome: str, written: str) -> bool:
    if written == "x":
        return came.value is None and came.reason == "confidential"
    scale = 1.0 if outcome in COUNTS else 100.0
    half = 0.5 * 10.0 ** -len(written.partition(".")[2])
    return came.value is not None and abs(came.value * scale - float(written)) <= half + 1e-9


def test_all_502_verified_figures(real: Path, values: Values) -> None:
    """Every verified figure comes out of load_extract and derive_outcomes, in its layout, phase and derivation."""
    assert len(verified(real)) == 502
    assert refuted(real, values) == []


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a csv, gzipped or not, by the standard library alone."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode("utf-8-sig")
    yield from csv.DictReader(io.StringIO(text, newline=""))


def shuffled(table: pa.Table, seed: int) -> pa.Table:
    """The same table with its columns in another order."""
    names = list(table.column_names)
    random.Random(seed).shuffle(names)
    assert names != table.column_names
    return table.select(names)


def as_text(path: Path) -> pa.Table:
    """A csv file as text, every cell as it is written."""
    with pyarrow.csv.open_csv(path) as opened:
        names = opened.schema.names
    options = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    return pyarrow.csv.read_csv(path, parse_options=parse, convert_options=options)


def disguise(real: Path, folder: Path) -> Path:
    """The files of the verified figures under names that say nothing, their columns in another order."""
    folder.mkdir()
    for number, name in enumerate((LAIT, ABSENCE, EXCLUSIONS, *TO_DATE.values(), *LOOKUPS)):
        source, target = real / name, folder / f"{number:02d}_data"
        if name.endswith(".parquet"):
            pyarrow.parquet.write_table(shuffled(pyarrow.parquet.read_table(source), number), target)
        elif name.endswith(".xlsx"):
            shutil.copyfile(source, target.with_suffix(".xlsx"))
        else:
            pyarrow.csv.write_csv(shuffled(as_text(source), number), target)
    return folder


def test_names_of_files_and_order_of_columns_do_not_matter(
    real: Path, extract: Extract, values: Values, tmp_path: Path
) -> None:
    """All verified figures again from files renamed and columns shuffled; each layout's other figures unchanged too."""
    again = load_extract(disguise(real, tmp_path / "disguised"), PLAN, through="2025/26")
    other = by_figure(derive_outcomes(again, PLAN))
    assert refuted(real, other) == []
    shared = set(LAYOUT_OF.values()) - {"attendance_snapshots"}
    assert {f: came for f, came in values.items() if f[2] in shared} == other
    assert again.councils.equals(extract.councils)
    assert again.neighbours.equals(extract.neighbours)


# For each layout: the figure, the one row of the raw file it is printed in, its column there, and the number as
# read off the file by eye.
FURTHER: tuple[tuple[str, Figure, dict[str, str], str, float], ...] = (
    (
        ABSENCE,
        ("878", "2015/16", "absence_by_council", "primary", "overall_absence_rate"),
        {"old_la_code": "878", "time_period": "201516", "school_type": "State-funded primary"},
        "sess_overall_percent",
        3.74571,
    ),
    (
        ABSENCE,
        ("990", "2010/11", "absence_by_council", "secondary", "persistent_absence_rate"),
        {
            "geographic_level": "Regional",
            "region_name": "South West",
            "time_period": "201011",
            "school_type": "State-funded secondary",
        },
        "enrolments_pa_10_exact_percent",
        19.21907,
    ),
    (
        ABSENCE,
        ("301", "2018/19", "absence_by_council", "special", "enrolments"),
        {"old_la_code": "301", "time_period": "201819", "school_type": "Special"},
        "enrolments",
        384,
    ),
    (
        ABSENCE,
        ("933", "2012/13", "absence_by_council", "all", "unauthorised_absence_rate"),
        {"old_la_code": "933", "time_period": "201213", "school_type": "Total"},
        "sess_unauthorised_percent",
        0.9992,
    ),
    (
        EXCLUSIONS,
        ("830", "2016/17", "exclusions_by_geographic_level", "secondary", "suspension_rate"),
        {
            "geographic_level": "Local authority",
            "old_la_code": "830",
            "time_period": "201617",
            "school_type": "State-funded secondary",
        },
        "fixed_excl_rate",
        8.91,
    ),
    (
        EXCLUSIONS,
        ("980", "2014/15", "exclusions_by_geographic_level", "all", "permanent_exclusions"),
        {"geographic_level": "Regional", "region_name": "North East", "time_period": "201415", "school_type": "Total"},
        "perm_excl",
        310,
    ),
    (
        EXCLUSIONS,
        ("933", "2006/07", "exclusions_by_geographic_level", "special", "suspension_rate"),
        {
            "geographic_level": "Local authority",
            "old_la_code": "933",
            "time_period": "200607",
            "school_type": "Special",
        },
        "fixed_excl_rate",
        82.33,
    ),
    (
        TO_DATE["2024/25"],
        ("933", "2024/25", "attendance_to_date", "primary", "illness_absence_rate"),
        {"old_la_code": "933", "school_type": "Primary"},
        "illness_perc",
        3.10653348510681,
    ),
    (
        TO_DATE["2025/26"],
        ("943", "2025/26", "attendance_to_date", "special", "overall_absence_rate"),
        {"old_la_code": "943", "education_phase": "Special"},
        "overall_absence_perc",
        12.619679317107,
    ),
    (
        TO_DATE["2022/23"],
        ("838", "2022/23", "attendance_to_date", "secondary", "possible_sessions"),
        {"old_la_code": "838", "school_type": "Secondary"},
        "possible_sessions",
        7321359,
    ),
    (
        TO_DATE["2023/24"],
        ("933", "2023/24", "attendance_to_date", "special", "suspended_or_excluded_sessions_rate"),
        {"old_la_code": "933", "school_type": "Special"},
        "auth_excluded_perc",
        0.2184102065196,
    ),
)


@pytest.mark.parametrize(("name", "figure", "where", "column", "read_off"), FURTHER)
def test_further_figures_of_the_wide_files(
    real: Path, values: Values, name: str, figure: Figure, where: dict[str, str], column: str, read_off: float
) -> None:
    """Further figures agree with the raw file as the csv module reads it, and with the number read off by eye."""
    raw = [row[column] for row in rows_of(real / name) if all(row[key] == text for key, text in where.items())]
    assert [float(text) for text in raw] == pytest.approx([read_off])
    came = values[figure].value
    assert came is not None
    # A rate of published counts is that ratio: it agrees with the printed rate to the digits that are printed.
    printed_to = 0.5 * 10.0 ** -len(raw[0].partition(".")[2])
    assert came * (1 if figure[4] in COUNTS else 100) == pytest.approx(read_off, rel=1e-6, abs=printed_to)


# Measure, council or region, year as written; the figure it is; the number as read off the file by eye.
FURTHER_LAIT: tuple[tuple[str, int, str, Figure, float], ...] = (
    ("SFSecPerAbNew", 933, "2025", ("933", "2024/25", "lait_measures", "secondary", "persistent_absence_rate"), 24.95),
    ("SecFixedEx", 878, "2023/24", ("878", "2023/24", "lait_measures", "secondary", "suspension_rate"), 41.59885),
    ("TotAbs", 942, "2024", ("942", "2023/24", "lait_measures", "all", "overall_absence_rate"), 7.23),
    ("TotSevPerAbNew", 980, "2023", ("980", "2022/23", "lait_measures", "all", "severe_absence_rate"), 2.32),
    ("SpecPermEx", 942, "2023/24", ("942", "2023/24", "lait_measures", "special", "permanent_exclusion_rate"), 0.0),
)


@pytest.mark.parametrize(("measure", "code", "year", "figure", "read_off"), FURTHER_LAIT)
def test_further_figures_of_lait(
    real: Path, values: Values, measure: str, code: int, year: str, figure: Figure, read_off: float
) -> None:
    """Further figures agree with the raw parquet as pyarrow reads it, and with the number read off by eye."""
    wanted = (pc.field("Short Desc") == measure) & (pc.field("LA Number") == float(code)) & (pc.field("Years") == year)
    raw = pyarrow.parquet.read_table(real / LAIT, filters=wanted)["Values"].to_pylist()
    assert [float(text) for text in raw] == pytest.approx([read_off])
    came = values[figure].value
    assert came is not None
    assert came * 100 == pytest.approx(read_off)


def test_a_divided_council_carries_its_predecessors_rates(values: Values) -> None:
    """Both Northamptonshires carry 928's rate of 2018/19 (4.55 in LAIT), named as a predecessor's."""
    for unit in ("940", "941"):
        came = values[(unit, "2018/19", "lait_measures", "all", "overall_absence_rate")]
        assert came.value == pytest.approx(0.0455)
        assert came.derivation == "predecessor"


def test_snapshots_pool_and_difference_as_by_hand(real: Path, outcomes: pa.Table, values: Values) -> None:
    """Devon's year and two of its fortnights, computed from the raw stack with the csv module, come out the same."""
    sums: dict[str, list[int]] = {}
    for row in rows_of(real / SNAPSHOTS):
        if (row["old_la_code"], row["time_period"]) == ("878", "202425"):
            so_far = sums.setdefault(row["snapshot_date"], [0, 0])
            so_far[0] += int(row["overall_absence"])
            so_far[1] += int(row["possible_sessions"])
    missed, possible = sums["2025-08-07"]
    assert (missed, possible) == (860680 + 1337894 + 73497, 17009573 + 13141722 + 605819)
    came = values[("878", "2024/25", "attendance_snapshots", "all", "overall_absence_rate")]
    assert came.value == pytest.approx(missed / possible)
    fortnights = outcomes.filter(
        (pc.field("unit") == "878") & (pc.field("layout") == "attendance_snapshots") & (pc.field("phase") == "all")
        & (pc.field("outcome") == "overall_absence_rate") & (pc.field("derivation") == "difference")
    )  # fmt: skip
    rates = {str(row["interval_end"]): row["value"] for row in fortnights.to_pylist()}
    for before, after in (("2025-06-26", "2025-07-10"), ("2025-07-10", "2025-07-24")):
        by_hand = (sums[after][0] - sums[before][0]) / (sums[after][1] - sums[before][1])
        assert rates[after] == pytest.approx(by_hand)


def test_dorsets_persistent_absence_is_pooled_by_enrolments(real: Path, values: Values) -> None:
    """A share printed without counts is pooled by the pupils of each phase (raw file of 2024/25, csv module)."""
    parts = [row for row in rows_of(real / TO_DATE["2024/25"]) if row["old_la_code"] == "838"]
    assert [row["school_type"] for row in parts] == ["Primary", "Secondary", "Special"]
    pupils = [float(row["enrolments"]) for row in parts]
    share = math.fsum(n * float(row["pa_perc"]) for n, row in zip(pupils, parts, strict=True)) / sum(pupils)
    came = values[("838", "2024/25", "attendance_to_date", "all", "persistent_absence_rate")]
    assert came.value == pytest.approx(share / 100)
    assert came.derivation == "pooled"


def test_a_term_is_not_a_year(real: Path, extract: Extract, values: Values) -> None:
    """The three terms of 2023/24 come out as terms, as printed, and none stands for the year."""
    for term, printed in (("autumn", 5.32186233271145), ("spring", 5.93939683626081), ("summer", 5.92283716929953)):
        found = extract.figures.filter(
            (pc.field("unit") == "838") & (pc.field("period") == "2023/24") & (pc.field("phase") == "primary")
            & (pc.field("period_kind") == f"{term}_term") & (pc.field("outcome") == "overall_absence_rate")
        )  # fmt: skip
        assert [rate * 100 for rate in found["rate"].to_pylist()] == pytest.approx([printed])
    year = values[("838", "2023/24", "attendance_to_date", "primary", "overall_absence_rate")].value
    assert year == pytest.approx(364130 / 6368162)


def test_lookups_as_printed(extract: Extract) -> None:
    """Codes with their years and Dorset's neighbours of both models are those of the raw lookups."""
    councils = {(row["la_code"], row["gss_code"]): row for row in extract.councils.to_pylist()}
    for pair, years in ((("835", "E10000009"), (2017, 2017)), (("838", "E06000059"), (2019, 2025)),
                        (("815", "E06000065"), (2023, 2025)), (("371", "E08000017"), (2017, 2025))):  # fmt: skip
        assert (councils[pair]["first_year"], councils[pair]["last_year"]) == years
    near = extract.neighbours.filter(pc.field("unit") == "838").to_pylist()
    by_model = {model: [row["neighbour"] for row in near if row["model"] == model] for model in ("2021", "2025")}
    assert by_model["2025"] == ["933", "878", "893", "935", "885", "881", "830", "886", "938", "815"]
    assert by_model["2021"] == ["878", "933", "893", "916", "885", "845", "935", "908", "865", "926"]
    assert {row["closeness"] for row in near if row["model"] == "2025"} == {"Very close"}


def poison_snapshots(real: Path, target: Path) -> None:
    """The stack with every row of 2025/26 changed to other readable values."""
    table = as_text(real / SNAPSHOTS)
    later = pc.equal(table["time_period"], "202526")
    assert pc.sum(later).as_py() > 1000
    for column, text in (("overall_absence", "1"), ("overall_absence_perc", "0.0"), ("snapshot_date", None)):
        at = table.column_names.index(column)
        other = pc.replace_substring(table[column], "2026-07", "2026-08") if text is None else pa.scalar(text)
        table = table.set_column(at, column, pc.if_else(later, other, table[column]))
    pyarrow.csv.write_csv(table, target)


def poison_lait(real: Path, target: Path) -> None:
    """LAIT with every value of 2025 changed to another."""
    table = pyarrow.parquet.read_table(real / LAIT)
    later = pc.equal(table["Years"], "2025")
    assert pc.sum(later).as_py() > 1000
    at = table.column_names.index("Values")
    changed = table.set_column(at, "Values", pc.if_else(later, "1.25", table["Values"]))
    pyarrow.parquet.write_table(changed, target)


@pytest.mark.parametrize(
    ("source", "poison", "through", "later"),
    [(SNAPSHOTS, poison_snapshots, "2024/25", "2025/26"), (LAIT, poison_lait, "2023/24", "2024/25")],
    ids=["snapshots", "lait"],
)
def test_a_changed_later_year_changes_nothing(
    real: Path, tmp_path: Path, source: str, poison: Callable[[Path, Path], None], through: str, later: str
) -> None:
    """Rows after the report year changed: figures, digest, notes, accounts and outcomes stay the same."""
    clean, poisoned = tmp_path / "clean" / "data", tmp_path / "poisoned" / "data"
    for folder in (clean, poisoned):
        folder.mkdir(parents=True)
        for name in LOOKUPS:
            shutil.copyfile(real / name, folder / Path(name).name)
    shutil.copyfile(real / source, clean / Path(source).name)
    poison(real, poisoned / Path(source).name)
    one, other = (load_extract(folder, PLAN, through=through) for folder in (clean, poisoned))
    assert other.figures.equals(one.figures)
    assert later not in set(one.figures["period"].to_pylist())
    assert (other.digest, other.notes, other.data_as_at) == (one.digest, one.notes, one.data_as_at)
    files = [[replace(file, file_sha256="") for file in each.files] for each in (one, other)]
    assert files[0] == files[1]
    assert [f.file_sha256 for f in one.files] != [f.file_sha256 for f in other.files]
    assert derive_outcomes(other, PLAN).equals(derive_outcomes(one, PLAN), check_metadata=True)
    seen = [load_extract(folder, PLAN, through=later).digest for folder in (clean, poisoned)]
    assert seen[0] != seen[1]


def test_englands_absence_is_that_of_its_counts(values: Values) -> None:
    """The file prints 6.5 for 2006/07 and counts 126,196,271 of 1,943,991,648 half-days, which is 6.49."""
    england = values[("970", "2006/07", "absence_by_council", "all", "overall_absence_rate")]
    assert england.value == pytest.approx(126196271 / 1943991648)
    assert f"{100 * (england.value or 0):.2f}" == "6.49"


def test_every_row_of_lait_is_accounted_for(real: Path, extract: Extract) -> None:
    """Rows used, rows left out and rows of other measures are all the rows there are."""
    (account,) = (file for file in extract.files if file.layout == "lait_measures")
    assert account.rows_read == pyarrow.parquet.read_metadata(real / LAIT).num_rows
    assert account.rows_read == account.rows_used + sum(account.excluded.values())
    assert account.excluded["measure that this study does not use"] > 500_000


def test_an_autumn_is_not_a_year(real: Path) -> None:
    """Known at the end of January, 2024/25 has no daily figure, and the reason; years before stay."""
    early = derive_outcomes(load_extract(real, PLAN, through="2024/25", data_as_at=dt.date(2025, 1, 31)), PLAN)

    own = {"unit": "838", "outcome": "overall_absence_rate", "source": "daily", "phase": "all", "interval_end": None}
    rows = [row for row in early.to_pylist() if own.items() <= row.items() and row["period"] >= "2023/24"]
    assert {(row["period"], row["value"] is None, row["reason"]) for row in rows} == {
        ("2023/24", False, None),
        ("2024/25", True, "year_not_over"),
    }
