"""Several files of one layout in a folder: what they are called decides nothing, and they may not disagree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from test_sources import (
    DAILY_PHASES,
    LAIT_ROWS,
    PLAN,
    Row,
    absence,
    assert_says,
    attendance,
    daily,
    load,
    refusal,
    table,
    write,
)

from belonging_research.errors import SourceError
from belonging_research.outcomes import derive_outcomes
from belonging_research.tables import OUTCOMES


def again(measures: Callable[[int], Row], years: tuple[str, ...] = ("202324",)) -> list[Row]:
    """Rows of attendance with other figures."""
    return table(measures, years=years, phases=DAILY_PHASES)


REPEATED = "repeats a row of another file"


def more_absence(number: int) -> Row:
    """The year to date as another download might have it: more absence in row 9."""
    row = attendance(number)
    return row | {"overall_absence": "7001", "overall_absence_perc": str(100 * 7001 / 100007)} if number == 7 else row


def more_days(number: int) -> Row:
    """Another year's figures."""
    return attendance(number + 50)


@pytest.mark.parametrize("names", [("a.csv", "b.csv"), ("b.csv", "a.csv")])
def test_two_downloads_of_a_year_that_differ(tmp_path: Path, names: tuple[str, str]) -> None:
    """Whatever they are called, both are named with row and figures, and what to do."""
    write(tmp_path, names[0], daily())
    write(tmp_path, names[1], again(more_absence))
    assert_says(
        refusal(tmp_path),
        "a.csv and b.csv give different figures of overall_absence_rate", "2023/24", "row 9 of a.csv has rate",
        "row 9 of b.csv has rate", "numerator 7000", "numerator 7001", "1 such figure",
        "Keep the file that you mean and move the other out",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["a.csv", "c.csv"])
def test_a_year_that_two_files_hold_is_counted_once(tmp_path: Path, name: str) -> None:
    """A file of one year beside one of two years changes no figure and no digest, and its rows are counted."""
    years = [*daily(), *again(more_days, years=("202223",))]
    write(tmp_path / "alone", "b.csv", years)
    alone = load(tmp_path / "alone")
    write(tmp_path / "both", "b.csv", years)
    write(tmp_path / "both", name, daily())
    both = load(tmp_path / "both")
    assert both.digest == alone.digest
    assert derive_outcomes(both, PLAN).equals(derive_outcomes(alone, PLAN))
    accounts = {file.file: file for file in both.files}
    assert dict(accounts[name].excluded) == {REPEATED: 15}
    assert (accounts[name].rows_read, accounts[name].rows_used) == (15, 0)
    assert (accounts["b.csv"].rows_used, dict(accounts["b.csv"].excluded)) == (30, {})


@pytest.mark.parametrize("names", [("a.csv", "b.csv"), ("b.csv", "a.csv")])
def test_phases_of_a_council_in_two_files(tmp_path: Path, names: tuple[str, str]) -> None:
    """Primary in one file and the others in another pool as they do in one."""
    write(tmp_path / "one", "a.csv", daily())
    for name, phases in zip(names, (("Primary",), ("Secondary", "Special")), strict=True):
        write(tmp_path / "two", name, [row for row in daily() if row["school_type"] in phases])
    columns = ["unit", "period", "phase", "outcome", "value", "numerator", "denominator", "derivation"]
    one, two = (derive_outcomes(load(tmp_path / folder), PLAN).select(columns) for folder in ("one", "two"))
    assert two.equals(one)
    assert "pooled" in one["derivation"].to_pylist()


def test_a_missing_figure_is_no_repeat_of_a_number(tmp_path: Path) -> None:
    """A hidden figure in one file and a number in the other differ too."""
    rows = table(absence)
    write(tmp_path, "a.csv", rows)
    hidden = [dict(row) for row in rows]
    hidden[9] |= {"enrolments_pa_10_exact": "c", "enrolments_pa_10_exact_percent": "c"}
    write(tmp_path, "b.csv", hidden)
    assert_says(refusal(tmp_path), "persistent_absence_rate", "row 11 of b.csv has denominator 1009", "1 such figure")


def test_two_long_files_that_differ(tmp_path: Path) -> None:
    """LAIT's rates too: an older copy under another name is refused, one with the same figures is counted."""
    for name, change in (("new.parquet", {}), ("old.parquet", {"Values": "7.68"})):
        rows = [row | (change if row["Years"] == "2024" and row["LA Number"] == 838.0 else {}) for row in LAIT_ROWS]
        pyarrow.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / name)
    assert_says(refusal(tmp_path), "new.parquet and old.parquet", "row 5 of new.parquet has rate 8.2", "rate 7.68")
    pyarrow.parquet.write_table(pa.Table.from_pylist([dict(row) for row in LAIT_ROWS[:-3]]), tmp_path / "old.parquet")
    accounts = {file.file: dict(file.excluded) for file in load(tmp_path).files}
    assert (accounts["old.parquet"], accounts["new.parquet"].get(REPEATED)) == ({REPEATED: 9}, None)


def neighbours(first: str, more: str = "") -> list[Row]:
    """Dorset's statistical neighbours, the first of them given."""
    row = {"LA number": "838", "LA Name": "Dorset", "SN1": first, "GOReg": more}
    return [row | {f"SN{rank}": str(900 + rank) for rank in range(2, 11)}]


def test_two_files_of_neighbours(tmp_path: Path) -> None:
    """Of one model they must agree, and then count once; their order or names never decide."""
    write(tmp_path, "a.csv", table(absence))
    write(tmp_path, "n.csv", neighbours("933"))
    alone = load(tmp_path)
    write(tmp_path, "m.csv", neighbours("933", "South West"))
    both = load(tmp_path)
    assert both.neighbours.equals(alone.neighbours)
    assert sum(file.excluded.get(REPEATED, 0) for file in both.files) == 1
    write(tmp_path, "m.csv", neighbours("878"))
    assert_says(refusal(tmp_path), "m.csv and n.csv give different statistical neighbours", "Keep the file")


def test_two_dictionaries_that_disagree(tmp_path: Path) -> None:
    """What a year of LAIT means is not left to the order of files."""
    write(tmp_path, "a.csv", table(absence))
    for name, kind in (("d.csv", "Academic Year"), ("e.csv", "Financial Year")):
        rows = [{"Measure_short": "TotAbs", "Year_Type": kind, "Measure": "Absence", "Polarity": "Low"}]
        write(tmp_path, name, rows)
    assert_says(refusal(tmp_path), "e.csv", "'Financial Year' for TotAbs", "'Academic Year'", "Keep the one that came")


def test_one_figure_in_two_layouts_stands(tmp_path: Path) -> None:
    """The census's and LAIT's figures of one year are not the same series: both are kept."""
    write(tmp_path, "a.csv", table(absence))
    pyarrow.parquet.write_table(pa.Table.from_pylist([dict(row) for row in LAIT_ROWS]), tmp_path / "b.parquet")
    assert {file.file: file.rows_used for file in load(tmp_path).files} == {"a.csv": 40, "b.parquet": 12}


def test_no_figure_stands_twice_among_the_outcomes(tmp_path: Path) -> None:
    """An extract that was put together otherwise is held to the key too."""
    write(tmp_path, "a.csv", table(absence))
    extract = load(tmp_path)
    outcomes = derive_outcomes(extract, PLAN)
    assert outcomes.group_by(list(OUTCOMES.key)).aggregate([]).num_rows == outcomes.num_rows
    twice = pa.concat_tables([extract.figures, extract.figures])
    with pytest.raises(SourceError) as caught:
        derive_outcomes(replace(extract, figures=twice), PLAN)
    assert_says(str(caught.value), "a.csv (row ", "both give", "keep the file that you mean")
