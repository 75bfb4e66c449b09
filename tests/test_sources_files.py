"""Which files of a folder are read: what is known by its header, what is refused, and what may lie beside."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import openpyxl
import pytest
from test_sources import LOOKUP, absence, assert_says, load, origin_for, refusal, table, text_of, write

from belonging_research.sources.reading import is_table


def test_tables_of_a_layout_that_is_not_known_are_refused_together(tmp_path: Path) -> None:
    """What was found, what was expected and the nearest layout of each; the first row is counted, not quoted."""
    write(tmp_path, "a.csv", table(absence))
    write(tmp_path, "bins.csv", [{"street": "High Street", "day": "Monday"}])
    write(tmp_path, "some.csv", [{"time_period": "202324", "la_name": "Dorset", "cats": "3", "dogs": "4"}])
    message = refusal(tmp_path)
    assert_says(
        message,
        "2 table(s) of a layout that is not known", "data/README.md",
        "bins.csv: layout not known: found 2 columns, none of them known; nearest known layout: ", "which needs ",
        "some.csv: layout not known: found 4 columns, of them known time_period, la_name; nearest known layout: ",
        "move the file out of the folder",
    )  # fmt: skip
    assert "street" not in message


def test_what_may_lie_beside_the_figures(tmp_path: Path) -> None:
    """Texts, a lock that Excel left and descriptions of columns are named, and stop nothing."""
    write(tmp_path, "a.csv", table(absence))
    write(tmp_path, "a.meta.csv", [{"col_name": "enrolments", "col_type": "Indicator", "label": "Enrolments"}])
    header = text_of(table(absence)).splitlines()[0]
    (tmp_path / "README.md").write_text(f"# Notes\n\nThe header is\n{header}\n", "utf-8")
    (tmp_path / "guidance.docx").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "guidance.docx", "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    (tmp_path / "~$book.xlsx").write_bytes(b"\x05Analyst" + bytes(150))
    (tmp_path / ".~lock.book.ods#").write_text("Analyst", "utf-8")
    extract = load(tmp_path)
    assert [file.file for file in extract.files] == ["a.csv"]
    notes = "\n".join(extract.notes)
    assert_says(
        notes, "README.md: not a table", "guidance.docx: not a table", "a.meta.csv: Column descriptions",
        "~$book.xlsx: says that a workbook is open", ".~lock.book.ods#: says that a workbook is open",
    )  # fmt: skip
    origin_for(tmp_path, ["a.csv", "a.meta.csv", "README.md", "guidance.docx"])
    assert [file.file for file in load(tmp_path).files] == ["a.csv"]


def test_a_title_above_the_header(tmp_path: Path) -> None:
    """It is passed over and said, rows keep the numbers of the file; two headers are refused, none too."""
    text = text_of(table(absence))
    title = '"Absence, by council\nas published in March"\n\n'
    path = tmp_path / "a.csv"
    path.write_text(text, "utf-8")
    plain = load(tmp_path)
    path.write_text(title + text, "utf-8")
    titled = load(tmp_path)
    columns = [name for name in plain.figures.column_names if name != "row"]
    assert titled.figures.select(columns).equals(plain.figures.select(columns))
    assert titled.figures["row"][0].as_py() == plain.figures["row"][0].as_py() + 2
    assert "a.csv: the header is row 3; what stands above it is not read." in titled.notes
    path.write_text(title + text.replace(",7.14286,", ",a lot,", 1), "utf-8")
    assert_says(refusal(tmp_path), "a.csv: row 4, column sess_overall_percent", "a lot")
    path.write_text(title + text + "Source: a note\n", "utf-8")
    assert_says(refusal(tmp_path), "a.csv: row 44 has 1 cells", "It is a note, or a row that was cut short")
    path.write_text(text.split("\n")[0] + "\n" + text, "utf-8")
    assert_says(refusal(tmp_path), "a.csv: rows 1 and 2 could both be the header", "remove one of these rows")
    path.write_text("Title\n" * 20 + text, "utf-8")
    assert_says(refusal(tmp_path), "a.csv: layout not known", "header in one of the first rows")


def test_an_archive(tmp_path: Path) -> None:
    """A release as downloaded is refused with what to do; a workbook is known by its content, whatever its name."""
    write(tmp_path, "a.csv", table(absence))
    with zipfile.ZipFile(tmp_path / "release.zip", "w") as archive:
        archive.writestr("data/a.csv", text_of(table(absence)))
    assert_says(refusal(tmp_path), "release.zip: an archive", "Unpack it")
    (tmp_path / "release.zip").unlink()
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(LOOKUP[0]))
    for row in LOOKUP:
        sheet.append(list(row.values()))
    book.save(tmp_path / "codes.xlsx")
    (tmp_path / "codes.xlsx").rename(tmp_path / "codes.download")
    assert [file.file for file in load(tmp_path).files] == ["a.csv", "codes.download"]


@pytest.mark.parametrize("content", [b"no longer there", bytes(200)])
def test_a_gzip_that_is_none(tmp_path: Path, content: bytes) -> None:
    """A page of an error or zeros under a gzip's name; a table that a browser unpacked is read."""
    write(tmp_path, "a.csv", table(absence))
    (tmp_path / "b.csv.gz").write_bytes(content)
    assert_says(refusal(tmp_path), "b.csv.gz: not a gzip file, though its name says so", "Download it again")
    (tmp_path / "b.csv.gz").write_bytes(gzip.decompress(write(tmp_path, "b.csv.gz", table(absence)).read_bytes()))
    (tmp_path / "a.csv").unlink()
    assert [file.file for file in load(tmp_path).files] == ["b.csv.gz"]


@pytest.mark.parametrize("name", ["a.xls", "a.xlsb", "a.ods"])
def test_a_spreadsheet_of_another_kind(tmp_path: Path, name: str) -> None:
    """Refused with how to save it."""
    (tmp_path / name).write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600))
    assert is_table(tmp_path / name)
    assert_says(refusal(tmp_path), name, "a spreadsheet that is not read", "save it as .xlsx")
