"""Readers, on small files made in each layout: bad input is refused by file, row and column; the rest comes out."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import hashlib
import io
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from conftest import REPOSITORY
from hypothesis import given, settings
from hypothesis import strategies as st

from belonging_research.errors import PanelError, PlanError, SourceError
from belonging_research.outcomes import derive_outcomes
from belonging_research.plan import Treated, read_plan
from belonging_research.sources import Extract, load_extract

PLAN = read_plan(REPOSITORY / "notebooks" / "plans" / "dorset_public.toml")
Row = dict[str, str]

COUNCILS = (("838", "E06000059", "Dorset"), ("933", "E06000066", "Somerset"), ("878", "E10000008", "Devon"))
PHASES = ("Total", "State-funded primary", "State-funded secondary", "Special")


def place(level: str, old: str = "", gss: str = "", name: str = "") -> Row:
    """The columns of place of a row."""
    region = {"region_code": "", "region_name": ""}
    if level != "National":
        region = {"region_code": "E12000009", "region_name": "South West"}
    return {
        "geographic_level": level, "country_code": "E92000001", "country_name": "England", **region,
        "old_la_code": old, "new_la_code": gss, "la_name": name,
    }  # fmt: skip


PLACES = (place("National"), place("Regional"), *(place("Local authority", *council) for council in COUNCILS))


def table(
    measures: Callable[[int], Row],
    *,
    years: Sequence[str] = ("202223", "202324"),
    identifier: str = "Academic year",
    phase_column: str = "school_type",
    phases: Sequence[str] = PHASES,
    places: Sequence[Row] = PLACES,
    more: Mapping[str, str] | None = None,
) -> list[Row]:
    """Rows of every year, place and phase; ``measures`` gives the rest of a row by its number."""
    rows: list[Row] = []
    for year in years:
        for where in places:
            for phase in phases:
                start = {"time_period": year, "time_identifier": identifier, **where, phase_column: phase}
                rows.append(start | dict(more or {}) | measures(len(rows)))
    return rows


def absence(number: int) -> Row:
    """Counts and rates of absence that agree with one another; 350 possible sessions a pupil."""
    pupils = 1000 + number
    possible, authorised, unauthorised = pupils * 350, pupils * 18, pupils * 7
    return {
        "enrolments": str(pupils), "sess_possible": str(possible), "sess_overall": str(authorised + unauthorised),
        "sess_authorised": str(authorised), "sess_unauthorised": str(unauthorised),
        "sess_overall_percent": "7.14286", "sess_authorised_percent": "5.14286",
        "sess_unauthorised_percent": "2", "enrolments_pa_10_exact": str(200 + number),
        "enrolments_pa_10_exact_percent": f"{100 * (200 + number) / pupils:.5f}",
    }  # fmt: skip


def suspensions(number: int) -> Row:
    """Suspensions by the names since 2019/20."""
    pupils, excluded, suspended, once = 2000 + number, number % 5, 220 + number, 80 + number
    return {
        "headcount": str(pupils), "perm_excl": str(excluded), "perm_excl_rate": f"{100 * excluded / pupils:.2f}",
        "suspension": str(suspended), "susp_rate": f"{100 * suspended / pupils:.2f}", "one_plus_susp": str(once),
        "one_plus_susp_rate": f"{100 * once / pupils:.2f}",
    }  # fmt: skip


OLD_NAMES = {
    "suspension": "fixed_excl",
    "susp_rate": "fixed_excl_rate",
    "one_plus_susp": "one_plus_fixed",
    "one_plus_susp_rate": "one_plus_fixed_rate",
}


def old_exclusions(number: int) -> Row:
    """Exclusions by the names to 2016/17."""
    return {OLD_NAMES.get(name, name): value for name, value in suspensions(number).items()}


def attendance(number: int) -> Row:
    """Sessions of the year to date."""
    possible, authorised, unauthorised = 100_000 + number, 5_000, 2_000
    overall = authorised + unauthorised
    return {
        "num_schools": "10.5", "enrolments": "900.25", "possible_sessions": str(possible),
        "overall_absence": str(overall), "authorised_absence": str(authorised),
        "unauthorised_absence": str(unauthorised), "overall_absence_perc": str(100 * overall / possible),
        "authorised_absence_perc": str(100 * authorised / possible),
        "unauthorised_absence_perc": str(100 * unauthorised / possible), "total_num_schools": "11",
        "pa_perc": "20.5",
    }  # fmt: skip


DAILY_PHASES = ("Primary", "Secondary", "Special")


def daily(**options: Any) -> list[Row]:
    """Rows of attendance, the phases named as there."""
    return table(attendance, **{"phases": DAILY_PHASES, "years": ("202324",), **options})


def text_of(rows: Sequence[Row]) -> str:
    """Rows as csv."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write(folder: Path, name: str, rows: Sequence[Row]) -> Path:
    """Rows as a csv file, gzipped where its name ends so."""
    folder.mkdir(exist_ok=True)
    content = text_of(rows).encode()
    path = folder / name
    path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
    return path


def load(folder: Path, through: str = "2024/25", **options: Any) -> Extract:
    """The folder as the plan for Dorset reads it."""
    return load_extract(folder, PLAN, through=through, **options)


def figure(extract: Extract, outcome: str, **where: str) -> dict[str, Any]:
    """The one figure of an outcome at a place (Dorset's total of 2023/24 where nothing else is said)."""
    wanted = {"unit": "838", "period": "2023/24", "phase": "all", "outcome": outcome, **where}
    rows = [row for row in extract.figures.to_pylist() if all(row[name] == value for name, value in wanted.items())]
    assert len(rows) == 1, f"{len(rows)} figures of {wanted}"
    return dict(rows[0])


def refusal(folder: Path, **options: Any) -> str:
    """The sentence with which a folder is refused; it ends with what to do, and shows no path."""
    with pytest.raises(SourceError) as caught:
        load(folder, **options)
    message = str(caught.value)
    assert str(folder.parent) not in message
    return message


def assert_says(message: str, *parts: str) -> None:
    """Every part stands in the message."""
    assert [part for part in parts if part not in message] == [], message


LOOKUP = [{"old_la_code": old, "new_la_code": gss, "la_name": name} for old, gss, name in COUNCILS]
DORSET_ROW = 10  # first row of Dorset in a table of 2022/23: header, 4 of England, 4 of the region, then its Total


# What each small file says when nothing is wrong with it.


def test_each_row_becomes_figures_with_its_number(tmp_path: Path) -> None:
    """A wide absence file: numerator, denominator, rate as a proportion, and the row of the file."""
    write(tmp_path, "a.csv", table(absence))
    extract = load(tmp_path)
    row = figure(extract, "overall_absence_rate", period="2022/23")
    assert (row["numerator"], row["denominator"], row["rate"]) == (25200.0, 352800.0, pytest.approx(0.0714286))
    assert (row["row"], row["source_file"], row["layout"]) == (DORSET_ROW, "a.csv", "absence_by_council")
    (account,) = extract.files
    assert (account.rows_read, account.rows_used, dict(account.excluded)) == (40, 40, {})


# Bad input: a file that cannot be read.


def test_a_truncated_gzip(tmp_path: Path) -> None:
    """A gzip cut short is refused by name, with what to do."""
    path = write(tmp_path, "a.csv.gz", table(absence))
    path.write_bytes(path.read_bytes()[:-40])
    assert_says(refusal(tmp_path), "a.csv.gz", "cut short", "Download it again")


def test_an_empty_file(tmp_path: Path) -> None:
    """A file of no bytes, and a gzip of nothing, are refused by name."""
    (tmp_path / "a.csv").write_bytes(b"")
    assert_says(refusal(tmp_path), "a.csv", "empty", "Download it again")
    (tmp_path / "a.csv").unlink()
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b""))
    assert_says(refusal(tmp_path), "b.csv.gz", "empty", "Download it again")


def test_a_header_and_nothing_below_it(tmp_path: Path) -> None:
    """A header without rows is refused by name."""
    write(tmp_path, "a.csv", table(absence)[:1])
    lines = (tmp_path / "a.csv").read_text("utf-8").splitlines()
    (tmp_path / "a.csv").write_text(lines[0] + "\n", "utf-8")
    assert_says(refusal(tmp_path), "a.csv", "header and no rows", "Download the file again")


def test_windows_1252(tmp_path: Path) -> None:
    """A byte that is not UTF-8 is refused with its row, and the form to save the file in."""
    rows = table(absence)
    rows[20]["la_name"] = "Côte"
    (tmp_path / "a.csv").write_bytes(text_of(rows).encode("cp1252"))
    assert_says(refusal(tmp_path), "a.csv", "row 22", "not UTF-8", "CSV UTF-8")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16(tmp_path: Path, encoding: str) -> None:
    """UTF-16, with or without its mark, is refused with the form to save the file in."""
    (tmp_path / "a.csv").write_bytes(text_of(table(absence)).encode(encoding))
    assert_says(refusal(tmp_path), "a.csv", "UTF-16", "CSV UTF-8")


def test_a_truncated_parquet(tmp_path: Path) -> None:
    """A parquet file cut short is refused by name."""
    path = write_lait(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    assert_says(refusal(tmp_path), path.name, "cut short or damaged", "Download it again")


def test_not_a_workbook(tmp_path: Path) -> None:
    """Text, or a zip, called .xlsx is refused by name, with the form to save it in."""
    (tmp_path / "neighbours.xlsx").write_text("LA number,LA Name\n", "utf-8")
    assert_says(refusal(tmp_path), "neighbours.xlsx", "not an Excel workbook", "save it as .xlsx")
    (tmp_path / "neighbours.xlsx").write_bytes(b"PK\x03\x04 and no more")
    assert_says(refusal(tmp_path), "neighbours.xlsx", "not an Excel workbook", "save it as .xlsx")


def test_a_ragged_row(tmp_path: Path) -> None:
    """A row with a cell too few is refused with its number."""
    lines = text_of(table(absence)).splitlines()
    lines[6] = lines[6].rpartition(",")[0]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n", "utf-8")
    assert_says(refusal(tmp_path), "a.csv", "row 7", "cells", "download it again")


def test_semicolons(tmp_path: Path) -> None:
    """A file a spreadsheet saved with semicolons is refused with the form expected."""
    (tmp_path / "a.csv").write_text(text_of(table(absence)).replace(",", ";"), "utf-8")
    assert_says(refusal(tmp_path), "a.csv", "semicolons", "commas")


# Bad input: a file that is almost of a layout.


def test_a_renamed_column(tmp_path: Path) -> None:
    """A column renamed is refused, and the message guesses which column it was."""
    rows = [{name.replace("sess_possible", "session_possible"): v for name, v in r.items()} for r in table(absence)]
    write(tmp_path, "a.csv", rows)
    message = refusal(tmp_path)
    assert_says(message, "a.csv", "absence_by_council", "'sess_possible'", "did you mean", "'session_possible'")
    assert_says(message, "Rename the column(s) back")


def test_another_table_of_the_publisher_is_not_to_be_renamed(tmp_path: Path) -> None:
    """Its columns of place are in every file: nobody is told to rename what is simply another table."""
    write(tmp_path, "a.csv", table(absence))
    others = table(lambda number: {"pupil_count": str(number), "meals": "3"}, phase_column="school_phase")
    write(tmp_path, "meals.csv", [row | {"region_name": "South West"} for row in others])
    message = refusal(tmp_path)
    assert_says(message, "meals.csv: layout not known", "nearest known layout", "move the file out of the folder")
    assert "ename" not in message.replace("la_name", "").replace("region_name", "")


def test_a_fault_of_many_rows_says_how_many(tmp_path: Path) -> None:
    """A file saved with thousands separators is told from one slip."""
    rows = table(absence)
    for row in rows[4:]:
        row["sess_overall"] = f"{int(row['sess_overall']):,}"
    write(tmp_path, "a.csv", rows)
    many = f"So it is in {len(rows) - 4} of {len(rows)} rows."
    assert_says(refusal(tmp_path), "a.csv: row ", "column sess_overall", "a number", many)
    write(tmp_path, "a.csv", [*rows[:5], *table(absence)[5:]])
    assert "So it is" not in refusal(tmp_path)


def test_a_renamed_optional_column(tmp_path: Path) -> None:
    """A column that some years lack, renamed, is refused too: it would be lost in silence."""
    old, new = "enrolments_pa_10_exact_percent", "enrolment_pa_10_exact_percent"
    write(tmp_path, "a.csv", [{new if name == old else name: v for name, v in r.items()} for r in table(absence)])
    assert_says(refusal(tmp_path), "a.csv", repr(new), f"Did you mean {old!r}?", "Rename it")


def test_a_duplicated_column(tmp_path: Path) -> None:
    """A column that stands twice is refused with both positions."""
    lines = text_of(table(absence)).splitlines()
    twice = [f"{line},{line.split(',')[-1]}" for line in lines]
    (tmp_path / "a.csv").write_text("\n".join(twice) + "\n", "utf-8")
    width = len(lines[0].split(","))
    assert_says(refusal(tmp_path), "a.csv", "stands twice", f"{width} and {width + 1}", "Remove one")


def test_a_duplicated_key(tmp_path: Path) -> None:
    """Two rows of one place, period and phase are refused, both named."""
    rows = table(absence)
    write(tmp_path, "a.csv", [*rows, rows[DORSET_ROW - 2]])
    message = refusal(tmp_path)
    assert_says(message, "a.csv", f"rows {DORSET_ROW} and {len(rows) + 2}", "unit 838", "remove one of them")


# Bad input: a cell that cannot be.


@pytest.mark.parametrize(
    ("column", "cell", "found"),
    [
        ("enrolments_pa_10_exact_percent", "120.5", "a share of at most 100"),
        ("sess_overall", "many", "a number"),
        ("sess_overall", "1,234", "a number"),
        ("sess_authorised_percent", "-3", "0 or more"),
        ("sess_possible", "inf", "a number"),
        ("sess_overall", "99999999", "no more than sess_possible"),
        ("time_period", "202225", "an academic year"),
        ("time_identifier", "Academic yaer", "an academic year"),
        ("school_type", "Tertiary", "Total, Primary, Secondary or Special"),
    ],
    ids=["over 100", "text", "thousands comma", "negative", "infinite", "part over whole", "year", "kind", "phase"],
)
def test_an_impossible_cell(tmp_path: Path, column: str, cell: str, found: str) -> None:
    """An impossible cell is refused with file, row, column, what was expected and what to do."""
    rows = table(absence)
    rows[DORSET_ROW - 2][column] = cell
    write(tmp_path, "a.csv", rows)
    assert_says(refusal(tmp_path), "a.csv", f"row {DORSET_ROW}", column, found, "Correct")


@pytest.mark.parametrize(
    ("rate", "agrees"),
    [("11", True), ("11.00", True), ("11.01", True), ("11.02", False), ("0.11", False), ("1.1e+01", True), ("c", True)],
)
def test_a_rate_that_disagrees_with_its_counts(tmp_path: Path, rate: str, agrees: bool) -> None:
    """More than one in the last digit that is printed is refused by row; a region's rounded counts say nothing."""
    rows = table(suspensions)
    region, council = (next(row for row in rows if row["geographic_level"] == level and row["school_type"] == "Total")
                       for level in ("Regional", "Local authority"))  # fmt: skip
    region["susp_rate"] = "12.4"
    write(tmp_path, "a.csv", rows)
    load(tmp_path)
    council |= {"headcount": "2008", "suspension": "220.88", "susp_rate": rate}
    write(tmp_path, "a.csv", rows)
    if agrees:
        load(tmp_path)
    else:
        found = f"column susp_rate: found {float(rate):g}; expected 11, which is suspension of headcount in per cent"
        assert_says(refusal(tmp_path), f"a.csv: row {DORSET_ROW}", found, "Correct one of the three cells")


def test_a_count_whose_last_digits_a_spreadsheet_left_out(tmp_path: Path) -> None:
    """1.2E+07 is refused by row and column; 1e+05, a whole number as other programs write it, is read."""
    rows = table(absence)
    rows[DORSET_ROW - 2]["enrolments"] = "1.01E+03"
    write(tmp_path, "a.csv", rows)
    assert_says(refusal(tmp_path), f"a.csv: row {DORSET_ROW}, column enrolments", "1.01E+03", "with all its digits")
    rows[DORSET_ROW - 2] |= {"enrolments": "1e+03", "enrolments_pa_10_exact_percent": "20.8"}
    write(tmp_path, "a.csv", rows)
    assert figure(load(tmp_path), "enrolments", period="2022/23")["numerator"] == 1000.0


def test_a_suspension_rate_may_exceed_100(tmp_path: Path) -> None:
    """Suspensions per 100 pupils may be over 100; the share of pupils with one or more may not."""
    rows = table(suspensions)
    rows[-1] |= {"suspension": "3083", "susp_rate": "151.2"}
    write(tmp_path, "a.csv", rows)
    assert max(load(tmp_path).figures["rate"].drop_null().to_pylist()) == pytest.approx(1.512)
    rows[-1]["one_plus_susp_rate"] = "101"
    write(tmp_path, "a.csv", rows)
    assert_says(refusal(tmp_path), "a.csv", f"row {len(rows) + 1}", "one_plus_susp_rate", "at most 100")


def test_an_unknown_council_code(tmp_path: Path) -> None:
    """A council in no lookup of the folder is refused with its row and code."""
    rows = table(absence)
    rows[-1]["old_la_code"] = "399"
    write(tmp_path, "a.csv", rows)
    write(tmp_path, "codes.csv", LOOKUP)
    message = refusal(tmp_path)
    assert_says(message, "a.csv", f"row {len(rows) + 1}", "old_la_code", "'399'", "Correct the code")


def test_a_council_row_without_a_code(tmp_path: Path) -> None:
    """A council row without a code is refused, not dropped."""
    rows = table(absence)
    rows[-1]["old_la_code"] = ""
    write(tmp_path, "a.csv", rows)
    assert_says(refusal(tmp_path), "a.csv", f"row {len(rows) + 1}", "old_la_code", "Fill the code in")


def test_a_lait_fault(tmp_path: Path) -> None:
    """LAIT's own faults name its row and its column: text, a share over 100, a row twice."""
    for column, cell, found in (("Values", "a lot", "a number"), ("Values", "131", "at most 100")):
        path = write_lait(tmp_path, {3: {column: cell}})
        assert_says(refusal(tmp_path), path.name, "row 5", column, found, "Correct")
    path = write_lait(tmp_path, {3: LAIT_ROWS[2]})
    assert_says(refusal(tmp_path), path.name, "rows 4 and 5", "remove one of them")


# Bad input: a folder or a plan.


def test_a_folder_without_data(tmp_path: Path) -> None:
    """No folder, an empty one, one without figures, and one of later years only: each is refused with what to do."""
    assert_says(refusal(tmp_path / "nowhere"), "nowhere", "no such folder", "Check the path")
    assert_says(refusal(tmp_path), tmp_path.name, "empty", "Put the published files there")
    write(tmp_path, "codes.csv", LOOKUP)
    assert_says(refusal(tmp_path), tmp_path.name, "no figures up to 2024/25", "Expected at least one file")
    write(tmp_path, "a.csv", table(absence))
    assert_says(refusal(tmp_path, through="2018/19"), tmp_path.name, "no figures up to 2018/19")


def test_a_plan_for_a_council_without_data(tmp_path: Path) -> None:
    """A treated council without figures is refused by the plan's key; a council of its name is offered."""
    write(tmp_path, "a.csv", table(absence))
    treated = Treated(unit="999", name="Dorset", start=PLAN.treated[0].start)
    plan = PLAN.model_copy(update={"treated": (treated,)})
    with pytest.raises(PanelError) as caught:
        load_extract(tmp_path, plan, through="2024/25")
    assert_says(str(caught.value), "treated.0.unit", "999", "Did you mean 838?", "Correct the plan")


def test_a_plan_that_calls_a_council_by_another_name(tmp_path: Path) -> None:
    """A code under another council's name is refused with the name that the files give it, and the other's code."""
    write(tmp_path, "a.csv", table(absence))
    for name, meant in (("Somerset", "Somerset is 933"), ("Narnia", "no file knows a council called Narnia")):
        treated = PLAN.treated[0].model_copy(update={"name": name})
        with pytest.raises(PlanError) as caught:
            load_extract(tmp_path, PLAN.model_copy(update={"treated": (treated,)}), through="2024/25")
        assert_says(str(caught.value), f"treated.0.name: found {name}, expected Dorset", "838", meant)
    longer = PLAN.treated[0].model_copy(update={"name": "Dorset Council"})
    assert load_extract(tmp_path, PLAN.model_copy(update={"treated": (longer,)}), through="2024/25").files


def origin_for(folder: Path, names: Sequence[str], sha256: str | None = None) -> None:
    """An ``origin.toml`` that lists these files of the folder."""
    entries = [
        f'[[file]]\nname = "{name}"\nsha256 = "{sha256 or hashlib.sha256((folder / name).read_bytes()).hexdigest()}"\n'
        for name in names
    ]
    (folder / "origin.toml").write_text('title = "Absence"\ndate = 2025-03-20\n' + "".join(entries), "utf-8")


def test_an_extract_that_differs_from_its_record(tmp_path: Path) -> None:
    """A file unlisted, missing or different is refused by name; a true record gives the title and no note."""
    write(tmp_path, "a.csv", table(absence))
    write(tmp_path, "b.csv", table(suspensions))
    origin_for(tmp_path, ["a.csv"])
    assert_says(refusal(tmp_path), "b.csv", "not listed in origin.toml", "folder of its own")
    origin_for(tmp_path, ["a.csv", "b.csv"])
    extract = load(tmp_path)
    assert {file.title for file in extract.files} == {"Absence"}
    assert not [note for note in extract.notes if "origin.toml" in note]
    (tmp_path / "b.csv").write_text(text_of(table(suspensions)).replace("220", "221"), "utf-8")
    assert_says(refusal(tmp_path), "b.csv", "differs from origin.toml", "fetch it again")
    (tmp_path / "b.csv").unlink()
    assert_says(refusal(tmp_path), "b.csv", "listed in origin.toml", "missing", "Fetch the extract again")


# LAIT, in small.

LAIT_ROWS: tuple[dict[str, Any], ...] = tuple(
    {
        "Short Desc": measure, "Data item": None, "Years": year, "LA and Regions": name, "Values": value,
        "LA Number": code, "Region": region,
    }
    for measure, year, value in (
        ("TotAbs", "2023", "7.68"), ("TotAbs", "2024", "8.1999999999999993"), ("TotFixedEx", "2022/23", "8.86"),
        ("TotSevPerAbNew", "2024 (Rev)", "-"),
    )
    for name, code, region in (("Dorset", 838.0, "South West"), ("South West", 990.0, "NA"), ("England", 970.0, "NA"))
)  # fmt: skip


def write_lait(folder: Path, changes: Mapping[int, Mapping[str, Any]] | None = None) -> Path:
    """The long file, some of its rows changed."""
    rows = [row | dict((changes or {}).get(number, {})) for number, row in enumerate(LAIT_ROWS)]
    folder.mkdir(exist_ok=True)
    path = folder / "long.parquet"
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_lait_in_small(tmp_path: Path) -> None:
    """A plain year is the academic year that ends then; a dash is a reason; England and regions are no councils."""
    write_lait(tmp_path)
    extract = load(tmp_path)
    assert figure(extract, "overall_absence_rate")["rate"] == pytest.approx(0.082)
    assert figure(extract, "suspension_rate", period="2022/23")["rate"] == pytest.approx(0.0886)
    severe = figure(extract, "severe_absence_rate")
    assert (severe["rate"], severe["reason"]) == (None, "not_available")
    levels = dict(zip(extract.figures["unit"].to_pylist(), extract.figures["level"].to_pylist(), strict=True))
    assert levels == {"838": "council", "990": "region", "970": "national"}


def test_other_measures_of_lait_are_counted_to_the_report_year(tmp_path: Path) -> None:
    """Left out with their reason whatever the form of their year; of later years nothing is said."""
    years = ("2023", "2023-24", "2023-24 (OT)", "2021/22-23/24", "2024 (prov)", "0", "2025", "2024-25", "2022/23-24/25")
    rows = [dict(row) for row in LAIT_ROWS]
    rows += [rows[0] | {"Short Desc": "ChildPov", "Years": year} for year in years]
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "long.parquet")
    (account,) = load(tmp_path, through="2023/24").files
    assert dict(account.excluded) == {"measure that this study does not use": 6}
    assert (account.rows_read, account.rows_used) == (18, 12)


def test_absence_is_that_of_its_counts_and_suspensions_as_printed(tmp_path: Path) -> None:
    """A rate of absence printed to one decimal is no better than its counts; a suspension rate stays as printed."""
    england = {"sess_possible": "350000", "sess_overall": "24864", "sess_overall_percent": "7.1"}
    write(
        tmp_path, "a.csv", [row | (england if row["geographic_level"] == "National" else {}) for row in table(absence)]
    )
    write(tmp_path, "b.csv", [row | {"headcount": "2000", "suspension": "220", "susp_rate": "11.1"}
                              for row in table(suspensions, places=PLACES[:1])])  # fmt: skip
    rows = derive_outcomes(load(tmp_path), PLAN).to_pylist()
    values = {row["outcome"]: row["value"] for row in rows if row["unit"] == "970" and row["phase"] == "all"}
    assert values["overall_absence_rate"] == pytest.approx(24864 / 350000)
    assert values["suspension_rate"] == pytest.approx(0.111)


# What is not read, and what is not a number.


def test_a_known_layout_not_used_becomes_a_note(tmp_path: Path) -> None:
    """Figures for groups of pupils, in the columns of an absence file, are never taken for those of all pupils."""
    write(tmp_path, "a.csv", table(absence))
    write(tmp_path, "b.csv", table(absence, more={"characteristic_group": "Sex", "characteristic": "Girls"}))
    extract = load(tmp_path)
    assert [file.file for file in extract.files] == ["a.csv"]
    assert any("b.csv" in note and "known and not used" in note for note in extract.notes)


def test_totals_stand_beside_their_parts(tmp_path: Path) -> None:
    """A printed Total is phase all, as printed: never the sum of itself and its parts."""
    rows = table(absence, years=("202324",))
    write(tmp_path, "a.csv", rows)
    extract = load(tmp_path)
    for phase, written in zip(("all", "primary", "secondary", "special"), PHASES, strict=True):
        (row,) = [r for r in rows if r["old_la_code"] == "838" and r["school_type"] == written]
        assert figure(extract, "enrolments", phase=phase)["numerator"] == float(row["enrolments"])


def test_hidden_figures_become_reasons_never_zeros(tmp_path: Path) -> None:
    """Each symbol for a missing figure gives no number and its reason; a zero stays a zero."""
    meanings = {"c": "confidential", "z": "not_applicable", "x": "not_available", "low": "rounds_to_zero",
                "u": "low_reliability", "": "blank", ":": "not_available", "NA": "not_available"}  # fmt: skip
    for symbol, reason in meanings.items():
        rows = table(absence, years=("202324",))
        for row in rows:
            if row["old_la_code"] == "838" and row["school_type"] == "Total":
                row |= dict.fromkeys(("enrolments_pa_10_exact", "enrolments_pa_10_exact_percent"), symbol)
                row |= {"sess_unauthorised": "0", "sess_unauthorised_percent": "0"}
        write(tmp_path, "a.csv", rows)
        extract = load(tmp_path)
        hidden = figure(extract, "persistent_absence_rate")
        assert (hidden["numerator"], hidden["rate"], hidden["reason"]) == (None, None, reason)
        zero = figure(extract, "unauthorised_absence_rate")
        assert (zero["numerator"], zero["rate"], zero["reason"]) == (0.0, 0.0, None)


def test_x_means_suppressed_in_the_old_exclusions_layout(tmp_path: Path) -> None:
    """In files to 2016/17 x is a hidden figure; fractional counts are read as they are."""
    rows = table(old_exclusions, years=("201516",))
    for row in rows:
        row["perm_excl"], row["perm_excl_rate"], row["fixed_excl"] = "x", "x", "219.823529"
        row["fixed_excl_rate"] = f"{21982.3529 / float(row['headcount']):.2f}"
    write(tmp_path, "a.csv", rows)
    extract = load_extract(tmp_path, _old_dorset(), through="2016/17")
    found = figure(extract, "permanent_exclusion_rate", unit="933", period="2015/16")
    assert (found["rate"], found["reason"], found["layout"]) == (None, "confidential", "exclusions_by_geographic_level")
    assert figure(extract, "suspensions", unit="933", period="2015/16")["numerator"] == 219.823529


def _old_dorset() -> Any:
    somerset = Treated(unit="933", name="Somerset", start=PLAN.treated[0].start)
    return PLAN.model_copy(update={"treated": (somerset,)})


def test_a_stray_successor_row_is_counted_and_left_out(tmp_path: Path) -> None:
    """Rows of 2018/19 under Dorset's new code are a handful of pupils: left out, and counted with the reason."""
    write(tmp_path, "a.csv", table(absence, years=("201819", "202324")))
    extract = load(tmp_path)
    (account,) = extract.files
    assert dict(account.excluded) == {"code not in force in that year": 4}
    assert account.rows_read == account.rows_used + 4
    assert {r["period"] for r in extract.figures.to_pylist() if r["unit"] == "838"} == {"2023/24"}


# Layouts of other years, not in the folder of real files.


def severe(number: int) -> Row:
    """A newer absence release: severe absence by rate alone beside the rest."""
    return absence(number) | {"enrolments_pa_50_exact_percent": f"{2 + number / 100:.2f}"}


def test_a_newer_absence_release(tmp_path: Path) -> None:
    """education_phase, severe absence by rate alone, State-funded special: read as the older releases are."""
    phases = ("Total", "State-funded primary", "State-funded secondary", "State-funded special")
    rows = table(severe, phase_column="education_phase", phases=phases, years=("202324", "202425"))
    write(tmp_path, "a.csv", rows)
    extract = load(tmp_path)
    (row,) = [
        r for r in rows if (r["old_la_code"], r["time_period"], r["education_phase"]) == ("838", "202425", phases[3])
    ]
    found = figure(extract, "severe_absence_rate", period="2024/25", phase="special")
    assert found["rate"] == pytest.approx(float(row["enrolments_pa_50_exact_percent"]) / 100)
    assert (found["numerator"], found["period_kind"], found["source"]) == (None, "academic_year", "census")


def test_a_newer_suspensions_release(tmp_path: Path) -> None:
    """suspension, susp_rate, one_plus_susp and their rates: read under the same outcomes as the old names."""
    write(tmp_path, "a.csv", table(suspensions, phase_column="education_phase"))
    extract = load(tmp_path)
    (row,) = [
        r
        for r in table(suspensions)
        if (r["old_la_code"], r["time_period"], r["school_type"]) == ("838", "202324", "Total")
    ]
    found = figure(extract, "suspension_rate")
    assert (found["numerator"], found["denominator"]) == (float(row["suspension"]), float(row["headcount"]))
    assert found["rate"] == pytest.approx(float(row["susp_rate"]) / 100)
    assert found["layout"] == "suspensions_by_geographic_level"
    share = figure(extract, "pupils_with_one_or_more_suspensions_rate")["rate"]
    assert share == pytest.approx(float(row["one_plus_susp_rate"]) / 100)


def test_terms_are_not_the_year(tmp_path: Path) -> None:
    """A termly attendance file, with its academic_year column, stands beside the whole year under its own kind."""
    write(tmp_path, "year.csv", daily())
    term = daily(identifier="Spring term", more={"academic_year": "202324"})
    for row in term:
        row |= {"overall_absence": "9500", "overall_absence_perc": "9.5"}
    write(tmp_path, "term.csv", term)
    extract = load(tmp_path)
    year = figure(extract, "overall_absence_rate", phase="primary", period_kind="year_to_date")
    spring = figure(extract, "overall_absence_rate", phase="primary", period_kind="spring_term")
    assert (spring["rate"], spring["source_file"]) == (pytest.approx(0.095), "term.csv")
    assert (year["rate"], year["source_file"]) == (pytest.approx(0.07, abs=1e-4), "year.csv")


@pytest.mark.parametrize("said", [{}, {"absence_terms": "Four half terms"}], ids=["by sessions", "by half terms"])
def test_two_terms_that_say_academic_year(tmp_path: Path, said: Row) -> None:
    """Two terms called 'Academic year' are not taken for one: by the half terms stated, else by sessions a pupil."""

    def two_terms(number: int) -> Row:
        rates = {"sess_overall_percent": "10", "sess_authorised_percent": "7.2", "sess_unauthorised_percent": "2.8"}
        return absence(number) | rates | {"sess_possible": str((1000 + number) * 250)}

    write(tmp_path, "a.csv", table(two_terms, more=said))
    extract = load(tmp_path)
    assert set(extract.figures["period_kind"].to_pylist()) == {"two_terms"}
    assert bool([note for note in extract.notes if "read as autumn and spring together" in note]) is not bool(said)


def test_one_term_that_says_academic_year_is_refused(tmp_path: Path) -> None:
    """One term called 'Academic year' is refused, with the column to correct."""
    write(tmp_path, "a.csv", table(absence, more={"absence_terms": "Two half terms"}))
    assert_says(refusal(tmp_path), "a.csv", "time_identifier", "one term", "Correct")


# The two long files of the publisher's API.


def long_rows(changes: Mapping[int, Row] | None = None) -> tuple[list[Row], list[Row]]:
    """Sessions by status, type and reason, and absentees by kind, of one year."""
    sessions: list[Row] = []
    pupils: list[Row] = []
    kinds = (
        ("Possible sessions", "Total", "Total", "sess_possible", "100"),
        ("Absence", "Total", "Total", "sess_overall", "7.14286"),
        ("Absence", "Authorised absence", "Total", "sess_authorised", "5.14286"),
        ("Absence", "Unauthorised absence", "Total", "sess_unauthorised", "2"),
        ("Absence", "Authorised absence", "Illness", "sess_authorised", "4"),
    )
    absentees = ("Total pupils", "enrolments"), ("Persistent absence", "enrolments_pa_10_exact"), ("Severe absence", "")
    for row in table(absence, years=("202324",), phase_column="education_phase"):
        start = {name: row[name] for name in row if not name.startswith(("sess", "enrol"))}
        for status, kind, reason, column, share in kinds:
            named = {"attendance_status": status, "attendance_type": kind, "attendance_reason": reason}
            sessions.append(start | named | {"session_count": row[column], "session_percent": share})
        for kind, column in absentees:
            count, share = row.get(column, "21"), row.get(f"{column}_percent", "z" if column else "2")
            pupils.append(start | {"absence_type": kind, "enrolment_count": count, "enrolment_percent": share})
    for number, change in (changes or {}).items():
        sessions[number] |= change
    return sessions, pupils


def test_the_long_files_say_what_the_wide_one_says(tmp_path: Path) -> None:
    """The long files give the wide file's figures; their parts (illness) are counted and left out, never summed."""
    sessions, pupils = long_rows()
    write(tmp_path / "long", "s.csv", sessions)
    write(tmp_path / "long", "p.csv", pupils)
    write(tmp_path / "wide", "w.csv", table(absence, years=("202324",)))
    long, wide = load(tmp_path / "long"), load(tmp_path / "wide")
    for outcome in ("overall_absence_rate", "authorised_absence_rate", "unauthorised_absence_rate", "enrolments"):
        one, other = figure(long, outcome), figure(wide, outcome)
        assert {name: one[name] for name in ("numerator", "denominator", "rate")} == {
            name: other[name] for name in ("numerator", "denominator", "rate")
        }
    assert figure(long, "severe_absence_rate")["rate"] == pytest.approx(0.02)
    account = next(file for file in long.files if file.file == "s.csv")
    assert dict(account.excluded) == {"not used: a part of the whole": len(sessions) // 5}
    assert account.rows_read == account.rows_used + len(sessions) // 5


@pytest.mark.parametrize(
    ("column", "cell", "found"),
    [("session_count", "many", "a number"), ("session_percent", "140", "at most 100"), ("session_count", "-1", "0 or")],
)
def test_an_impossible_cell_of_a_long_file(tmp_path: Path, column: str, cell: str, found: str) -> None:
    """The error names the long file's own row and column, not those of the table made from it."""
    sessions, _ = long_rows({42: {column: cell}})
    write(tmp_path, "s.csv", sessions)
    assert_says(refusal(tmp_path), "s.csv", "row 44", f"column {column}", found, "Correct")


# Snapshots, weeks and dates.


def snapshot_rows() -> list[Row]:
    """Three snapshots of a year, the second repeated by the third."""
    rows = []
    for date, scale in (("2023-09-28", 1), ("2023-10-12", 2), ("2023-10-26", 2)):
        for row in daily():
            counts = ("possible_sessions", "overall_absence", "authorised_absence", "unauthorised_absence")
            grown = {name: str(int(row[name]) * scale) for name in counts}
            rows.append({"snapshot_date": date, **row, "education_phase": ""} | grown)
    return rows


def test_a_repeated_snapshot_is_found_by_rule(tmp_path: Path) -> None:
    """A snapshot with the cumulative counts of the one before is left out and counted; the others keep their date."""
    rows = snapshot_rows()
    write(tmp_path, "a.csv", rows)
    extract = load(tmp_path)
    (account,) = extract.files
    assert dict(account.excluded) == {"repeats the previous snapshot": len(rows) // 3}
    assert sorted({str(date) for date in extract.figures["as_at"].to_pylist()}) == ["2023-09-28", "2023-10-12"]
    assert str(extract.data_as_at) == "2023-10-12"


def test_a_snapshot_date_that_is_none(tmp_path: Path) -> None:
    """A snapshot's date that is no date is refused with its row."""
    rows = snapshot_rows()
    rows[4]["snapshot_date"] = "28 Sept"
    write(tmp_path, "a.csv", rows)
    assert_says(refusal(tmp_path), "a.csv", "row 6", "snapshot_date", "a date such as", "Correct")


def test_nothing_later_than_data_as_at(tmp_path: Path) -> None:
    """Snapshots after the day, and annual figures usually out after it, are left out and counted."""
    write(tmp_path, "a.csv", snapshot_rows())
    write(tmp_path, "b.csv", table(absence))
    extract = load(tmp_path, data_as_at=dt.date(2024, 6, 1))
    kept = {(r["layout"], r["period"]) for r in extract.figures.to_pylist()}
    assert kept == {("attendance_snapshots", "2023/24"), ("absence_by_council", "2022/23")}
    extract = load(tmp_path, data_as_at=dt.date(2024, 3, 1))
    assert {r["period"] for r in extract.figures.to_pylist()} == {"2023/24"}
    account = next(file for file in extract.files if file.file == "b.csv")
    assert dict(account.excluded) == {"usually published after the data-as-at date": 40}


def test_every_figure_has_a_day_and_asking_for_the_last_changes_nothing(tmp_path: Path) -> None:
    """Annual figures are later than the last snapshot; the day of both together gives the very same extract."""
    write(tmp_path, "a.csv", snapshot_rows())
    write(tmp_path, "b.csv", table(absence))
    extract = load(tmp_path)
    days = {file.file: (str(file.as_at), file.dated_by) for file in extract.files}
    assert days == {"a.csv": ("2023-10-12", "last snapshot"), "b.csv": ("2025-03-31", "usually out by")}
    assert (extract.data_as_at, extract.asked) == (dt.date(2025, 3, 31), None)
    again = load(tmp_path, data_as_at=extract.data_as_at)
    assert again.figures.equals(extract.figures)
    assert replace(again, figures=extract.figures, neighbours=extract.neighbours, councils=extract.councils) == extract
    # A later day says when the figures were taken, an earlier one leaves some out: both are other extracts.
    for day in (dt.date(2025, 6, 1), dt.date(2023, 10, 12)):
        assert load(tmp_path, data_as_at=day).asked == load(tmp_path, data_as_at=day).data_as_at == day


def test_an_extract_is_as_at_the_day_on_which_it_was_fetched(tmp_path: Path) -> None:
    """With a record of the fetch its day counts, so that asking for the day printed reads the folder."""
    write(tmp_path, "b.csv", table(absence))
    origin_for(tmp_path, ["b.csv"])
    record = tmp_path / "origin.toml"
    record.write_text(record.read_text("utf-8").replace("2025-03-20", "2025-05-02"), "utf-8")
    extract = load(tmp_path)
    assert (str(extract.data_as_at), extract.files[0].dated_by) == ("2025-05-02", "fetched")
    assert load(tmp_path, data_as_at=extract.data_as_at).asked is None


def test_when_the_daily_figures_were_taken(tmp_path: Path) -> None:
    """Their own folder's record decides, and no other file; without one the last snapshot or a later day asked for."""
    daily_files, yearly = tmp_path / "daily", tmp_path / "yearly"
    for folder in (daily_files, yearly):
        folder.mkdir()
    write(daily_files, "a.csv", snapshot_rows())
    write(yearly, "b.csv", table(absence))

    def taken(day: str = "") -> str:
        asked = dt.date.fromisoformat(day) if day else None
        extract = load_extract([daily_files, yearly], PLAN, through="2024/25", data_as_at=asked)
        return str(extract.daily_taken("838"))

    assert (taken(), taken("2026-01-10"), taken("2023-10-20")) == ("2023-10-12", "2026-01-10", "2023-10-20")
    origin_for(yearly, ["b.csv"])
    assert taken() == "2023-10-12"
    origin_for(daily_files, ["a.csv"])
    assert (taken(), taken("2026-01-10")) == ("2025-03-20", "2025-03-20")
    assert load(yearly).daily_taken("838") is None


def test_weeks_are_counted_and_left_out(tmp_path: Path) -> None:
    """Rows of weeks in the layout of a year are left out and counted, though they share the year's columns."""
    write(tmp_path, "year.csv", daily())
    write(tmp_path, "weeks.csv", daily(years=("2023",), identifier="Week 40"))
    extract = load(tmp_path)
    account = next(file for file in extract.files if file.file == "weeks.csv")
    assert (account.rows_used, dict(account.excluded)) == (0, {"week row: the year to date is used": 15})
    assert set(extract.figures["period_kind"].to_pylist()) == {"year_to_date"}


def test_a_code_that_a_year_lacks_is_no_zero(tmp_path: Path) -> None:
    """A register code whose column a year does not have gives a reason, never 0."""
    write(tmp_path, "a.csv", daily())
    found = figure(load(tmp_path), "part_time_timetable_sessions_rate", phase="primary")
    assert (found["numerator"], found["rate"], found["reason"]) == (None, None, "not_available")


# Names, order and later years decide nothing.


def test_later_rows_decide_nothing_even_unreadable_ones(tmp_path: Path) -> None:
    """Rows after the report year changed, hidden, doubled in value or gone: the same figures, accounts and digest."""
    seen: list[tuple[object, ...]] = []
    for cell in ("7.14286", "9.5", "c", "not a number", None):
        folder = tmp_path / str(len(seen)) / "data"
        folder.parent.mkdir()
        rows = [row | {"sess_overall_percent": cell or ""} if row["time_period"] == "202324" else row
                for row in table(absence)]  # fmt: skip
        write(folder, "a.csv", [row for row in rows if cell is not None or row["time_period"] == "202223"])
        extract = load(folder, through="2022/23")
        files = [replace(file, file_sha256="") for file in extract.files]
        seen.append((extract.figures.to_pylist(), extract.digest, extract.notes, files))
    assert all(each == seen[0] for each in seen)


def shuffle(rows: Sequence[Row], seed: int) -> list[Row]:
    """Rows and columns in another order."""
    chance = random.Random(seed)
    names = list(rows[0])
    chance.shuffle(names)
    mixed = [{name: row[name] for name in names} for row in rows]
    chance.shuffle(mixed)
    return mixed


SHUFFLED: tuple[tuple[str, list[Row]], ...] = (
    ("a.csv", table(severe)),
    ("b.csv", table(suspensions)),
    ("c.csv", table(old_exclusions, years=("201516",), places=PLACES[:2])),
    ("d.csv", daily()),
    ("e.csv", snapshot_rows()),
    ("f.csv", long_rows()[0]),
    ("g.csv", long_rows()[1]),
    ("h.csv", LOOKUP),
)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_of_rows_and_columns_decides_nothing(seed: int) -> None:
    """Rows and columns of every layout shuffled, files renamed: the same figures but for row numbers, same digest."""
    with tempfile.TemporaryDirectory() as folder:
        plain, mixed = Path(folder) / "plain", Path(folder) / "mixed"
        for name, rows in SHUFFLED:
            write(plain, name, rows)
            write(mixed, f"{seed % 7}{name}", shuffle(rows, seed))
        one, other = load(plain), load(mixed)
    for left, right in zip(_but_rows(one), _but_rows(other), strict=True):
        assert left == right
    assert [(f.layout, f.sha256, f.rows_used) for f in other.files] == [
        (f.layout, f.sha256, f.rows_used) for f in one.files
    ]
    assert other.digest == one.digest
    assert other.councils.equals(one.councils)


def _but_rows(extract: Extract) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = extract.figures.drop_columns(["row", "source_file"]).to_pylist()
    return rows


def test_outcomes_of_a_stack_without_a_code_and_of_terms_alone(tmp_path: Path) -> None:
    """A stack without the illness code has fortnights of the rest; a folder of terms alone has no outcomes."""
    write(tmp_path / "stack", "a.csv", snapshot_rows())
    outcomes = derive_outcomes(load(tmp_path / "stack"), PLAN).to_pylist()
    fortnights = {row["outcome"] for row in outcomes if row["interval_end"] is not None}
    assert "overall_absence_rate" in fortnights
    assert "illness_absence_rate" not in fortnights
    write(tmp_path / "terms", "a.csv", daily(identifier="Spring term"))
    assert derive_outcomes(load(tmp_path / "terms"), PLAN).num_rows == 0
