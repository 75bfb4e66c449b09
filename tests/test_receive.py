"""A council's files to a checked extract: every shape, every fault, and no pupil's name or number in any byte."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belonging_research.__main__ import answer
from belonging_research.errors import PlanError, SourceError
from belonging_research.plan import load_plan, read_plan
from belonging_research.shipped import NOTEBOOKS
from belonging_research.sources.council import (
    Consignment,
    Received,
    propose_mapping,
    read_council_extract,
    receive,
    write_new_key,
    write_templates,
)
from belonging_research.sources.council.identifiers import holds_upn, is_upn
from belonging_research.tables.council import COUNCIL_TABLES, DESTINATION_KINDS, TIMING_DECIDED
from belonging_research.tables.council_headings import CHOICES, HEADINGS, VALUES
from belonging_research.tables.faults import FAULTS
from belonging_research.tables.register_codes import REGISTER_CODES

REPOSITORY = Path(__file__).resolve().parents[1]
AS_AT = dt.date(2025, 9, 1)
URN, OTHER_URN = 113000, 113001
Rows = Sequence[Sequence[Any]]


def upn(serial: int, *, last: str | None = None) -> str:
    """A made-up pupil number with a sound check letter, worked out by the published rule; ``last`` for temporary."""
    letters = "ABCDEFGHJKLMNPQRTUVWXYZ"
    rest = f"838999924{serial:03d}"
    rest = rest[:-1] + last if last else rest
    total = sum(w * (int(c) if c.isdigit() else letters.index(c)) for w, c in zip(range(2, 14), rest, strict=True))
    return letters[total % 23] + rest


ANN, BEN, CAT = upn(1), upn(2), upn(3)
NAMES = ("Quuxworth", "Zebediah", "Wibblethorpe")


def as_csv(path: Path, header: Sequence[str], rows: Rows, encoding: str = "utf-8") -> Path:
    """A csv file of rows."""
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([header, *rows])
    return path


def as_book(path: Path, rows: Rows, merge: Sequence[str] = ()) -> Path:
    """A workbook of rows, with cells merged."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in rows:
        sheet.append(list(row))
    for area in merge:
        sheet.merge_cells(area)
    book.save(path)
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A key outside the extract's folder."""
    path = tmp_path / "safe" / "key.txt"
    write_new_key(path)
    return path


class Council:
    """A council that sends files: each method writes one, ``send`` has them received by the mapping as proposed."""

    def __init__(self, folder: Path, key: Path) -> None:
        self.folder, self.key, self.files = folder, key, []
        folder.mkdir(exist_ok=True)

    def file(self, name: str, header: Sequence[str], rows: Rows, **options: Any) -> Council:
        self.files.append(as_csv(self.folder / name, header, rows, **options))
        return self

    def schools(self, *urns: int) -> Council:
        rows = [(urn, "Primary", "N", "") for urn in urns or (URN, OTHER_URN)]
        return self.file("schools.csv", ("URN", "Phase", "PRU", "Pyramid"), rows)

    def pupils(self, rows: Rows = ((ANN, "03/05/2014"), (BEN, "17/11/2013"), (CAT, "2012-02-29"))) -> Council:
        named = [(NAMES[0], NAMES[1], *row) for row in rows]
        return self.file("pupils.csv", ("Surname", "Forename", "UPN", "DOB"), named)

    def enrolments(self, rows: Rows | None = None) -> Council:
        rows = rows or [(each, URN, "01/09/2023", "", "C") for each in (ANN, BEN, CAT)]
        return self.file("roll.csv", ("UPN", "URN", "Entry Date", "Leaving Date", "EnrolStatus"), rows)

    def marks(self, rows: Rows) -> Council:
        return self.file("marks.csv", ("UPN", "URN", "Date", "AM/PM", "Mark"), rows)

    def weeks(self, rows: Rows) -> Council:
        return self.file("weeks.csv", ("UPN", "URN", "Week commencing", "Marks"), rows)

    def exclusions(self, rows: Rows) -> Council:
        head = ("UPN", "URN", "Category", "Start Date", "Sessions", "Status", "Reason 1", "Reason 2")
        return self.file("exclusions.csv", head, rows)

    def interventions(self, rows: Rows) -> Council:
        return self.file("interventions.csv", ("intervention", "urn", "first_day", "timing"), rows)

    @property
    def consignment(self) -> Consignment:
        out = self.folder / "out"
        return Consignment(files=tuple(self.files), council="dorset", day=AS_AT, key=self.key, out=out)

    def send(self, **policies: Any) -> Received:
        propose_mapping(self.consignment)
        return receive(self.consignment, policies=policies)

    def table(self, name: str) -> list[dict[str, Any]]:
        return pq.read_table(self.consignment.folder / f"{name}.parquet").to_pylist()

    def faults(self) -> list[dict[str, str]]:
        with (self.consignment.folder / "faults.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def refused(self, **policies: Any) -> str:
        with pytest.raises(SourceError) as caught:
            self.send(**policies)
        assert not self.consignment.folder.exists()
        return str(caught.value)


@pytest.fixture
def council(tmp_path: Path, key: Path) -> Council:
    """A council with nothing sent yet."""
    return Council(tmp_path / "sent", key)


def account(received: Received, table: str) -> tuple[int, int, dict[str, int], dict[str, int]]:
    """Rows read, rows kept, left out and listed of a table; the account always adds up."""
    found = next(each for each in received.tables if each.table == table)
    assert found.rows_read == found.rows_kept + sum(found.excluded.values())
    return found.rows_read, found.rows_kept, dict(found.excluded), dict(found.listed)


def register(rows: Rows) -> list[tuple[str, str, str]]:
    """Day, session and mark of rows, in order."""
    return [(row["day"].isoformat(), row["session"], row["mark"]) for row in rows]  # type: ignore[call-overload]


# --- shapes -----------------------------------------------------------------------------------------------------------


def test_marks_row_by_row(council: Council) -> None:
    """British dates, sessions by other words and small letters become days, am or pm, and capitals; sorted by key."""
    council.marks(
        [
            (BEN, URN, "03/09/2024", "PM", " c2 "),
            (ANN, URN, "2024-09-02", "Morning", "/"),
            (ANN, URN, "02-09-2024", "pm", "\\"),
            (BEN, URN, "03/09/2024", "AM", "i"),
        ]
    )
    received = council.send()
    assert account(received, "marks") == (4, 4, {}, {})
    rows = council.table("marks")
    assert sorted(register(rows)) == [
        ("2024-09-02", "am", "/"),
        ("2024-09-02", "pm", "\\"),
        ("2024-09-03", "am", "I"),
        ("2024-09-03", "pm", "C2"),
    ]
    key = [(row["pupil"], row["urn"], row["day"], row["session"]) for row in rows]
    assert key == sorted(key)
    assert pq.read_schema(council.consignment.folder / "marks.parquet").equals(COUNCIL_TABLES["marks"].schema)


WEEK = ["/", "\\", "/", "\\", "I", "I", "/", "\\", "L", "\\"]


@pytest.mark.parametrize(
    "written",
    [
        "/\\/\\II/\\L\\",
        "/\\\\/\\\\II/\\\\L\\\\",  # every backslash doubled: fourteen characters, and no week of seven days
        "/,\\,/,\\,I,I,/,\\,L,\\",
        "/, \\\\, /, \\\\, i, i, /, \\\\, l, \\\\",
        "/\\/\\ii/\\l\\",
    ],
    ids=["plain", "doubled", "commas", "commas and doubled", "small letters"],
)
def test_a_week_of_marks(council: Council, written: str) -> None:
    """Ten half-days from Monday's morning on, however the string was written."""
    council.weeks([(ANN, URN, "09/09/2024", written)]).send()
    days = [f"2024-09-{9 + n // 2:02d}" for n in range(10)]
    assert register(council.table("marks")) == [
        (day, ("am", "pm")[n % 2], mark) for n, (day, mark) in enumerate(zip(days, WEEK, strict=True))
    ]


def test_many_weeks_in_any_form_give_one_register(council: Council) -> None:
    """Weeks drawn at random, each as text, with doubled backslashes, by commas and row by row: the same bytes."""
    draw = np.random.default_rng(5)
    new = [code.mark for code in REGISTER_CODES if code.last_day is None and code.mark not in "/\\"]
    forms: dict[str, list[tuple[Any, ...]]] = {"text": [], "doubled": [], "commas": [], "rows": []}
    for serial in range(60):
        codes = [str(draw.choice([("/", "\\")[n % 2], *(c for c in new if len(c) == 1)])) for n in range(10)]
        start, monday = (upn(serial), URN), dt.date(2024, 9, 9)
        forms["text"].append((*start, "09/09/2024", "".join(codes)))
        forms["doubled"].append((*start, "2024-09-09", "".join(codes).replace("\\", "\\\\")))
        forms["commas"].append((*start, "9/9/2024", ", ".join(codes).lower()))
        days = [(monday + dt.timedelta(days=n // 2)).isoformat() for n in range(10)]
        forms["rows"] += [(*start, days[n], "AP"[n % 2], code) for n, code in enumerate(codes)]
    draw.shuffle(forms["rows"])
    found = set()
    for form, rows in forms.items():
        sender = Council(council.folder / form, council.key)
        received = (sender.marks(rows) if form == "rows" else sender.weeks(rows)).send()
        assert account(received, "marks") == (600, 600, {}, {})
        found.add((received.folder / "marks.parquet").read_bytes())
    assert len(found) == 1


def test_two_character_codes_and_a_week_of_seven_days(council: Council) -> None:
    """Codes of two characters come apart by commas only; seven days end on Sunday."""
    codes = ["C2", "Y1", "J1", "\\", "/", "C1", "#", "#", "K", "\\"]
    council.weeks([(ANN, URN, "09/09/2024", ",".join(codes)), (BEN, URN, "2024-09-16", "/\\" * 7)])
    council.send()
    rows = council.table("marks")
    first = [row for row in rows if row["day"] < dt.date(2024, 9, 16)]
    assert [row["mark"] for row in first] == codes
    last = [row for row in rows if row["day"] >= dt.date(2024, 9, 16)]
    assert (len(last), last[-1]["day"], last[-1]["session"]) == (14, dt.date(2024, 9, 22), "pm")


@pytest.mark.parametrize("written", ["/\\/\\/\\/\\", "/\\/\\/\\/\\/", "/\\\\/\\\\/\\\\/", "/,\\,/", ""], ids=repr)
def test_a_week_that_lost_marks_is_never_guessed(council: Council, written: str) -> None:
    """Where spaces or marks went missing, nobody can tell which; the week is refused, or left out and counted."""
    council.weeks([(ANN, URN, "09/09/2024", written), (BEN, URN, "09/09/2024", "/\\" * 5)])
    assert "week_not_whole" in council.refused()
    assert account(council.send(week_not_whole="exclude"), "marks") == (11, 10, {"week_not_whole": 1}, {})
    assert {row["pupil"] for row in council.table("marks")} == {council.table("marks")[0]["pupil"]}


def test_spaces_in_a_week_are_half_days_without_a_mark(council: Council) -> None:
    """A blank and a hyphen are neither absent nor present: left out and counted, and the others keep their places."""
    council.weeks([(ANN, URN, "09/09/2024", "  /\\- /\\  ")])
    assert account(council.send(), "marks") == (10, 4, {"no_mark": 6}, {})
    assert register(council.table("marks")) == [
        ("2024-09-10", "am", "/"),
        ("2024-09-10", "pm", "\\"),
        ("2024-09-12", "am", "/"),
        ("2024-09-12", "pm", "\\"),
    ]


def test_the_departments_weekly_file(council: Council) -> None:
    """Its columns are known; the day of the file is proposed as that of the extract and stands in the mapping."""
    head = (
        "academic_term", "UPN", "DOB", "sex", "unique_reference_number", "pupil_surname", "pupil_forename",
        "learning_provider-ukprn", "possible_sessions", "absent_sessions", "present_sessions",
        "approved_educational_activity_sessions", "authorised_absent_sessions", "unauthorised_absent_sessions",
    )  # fmt: skip
    row = ("Autumn", ANN, "2014-05-03", "F", URN, *NAMES[:2], "10000001", 100, 12, 85, 3, 10, 2)
    council.file("weekly.csv", head, [row]).send()
    (found,) = council.table("weekly")
    assert (found["file_day"], found["possible_sessions"], found["absent_sessions"]) == (AS_AT, 100, 12)
    assert (found["authorised_absent_sessions"], found["unauthorised_absent_sessions"]) == (10, 2)
    mapping = council.consignment.mapping_file.read_text(encoding="utf-8")
    assert 'file_day = "2025-09-01"' in mapping
    assert '# never read, since they say who somebody is: "pupil_surname", "pupil_forename"' in mapping


def test_excel_with_titles_and_parquet(council: Council, tmp_path: Path) -> None:
    """Titles above a header are passed over; real dates and numbers of either container are read."""
    rows = [("Roll of the county",), (), ("UPN", "URN", "Entry Date", "Leaving Date", "EnrolStatus")]
    rows += [(ANN, URN, dt.datetime(2023, 9, 1), None, "C"), (None, None, None, None, None)]  # type: ignore[list-item]
    book = as_book(council.folder / "roll.xlsx", rows)
    marks = pa.table(
        {
            "UPN ": [ANN, ANN],
            "URN": [URN, URN],
            "Date": [dt.date(2024, 9, 2)] * 2,
            "AM/PM": ["AM", "PM"],
            "Mark": ["/", None],
        }
    )
    pq.write_table(marks, council.folder / "marks.parquet")
    council.files += [book, council.folder / "marks.parquet"]
    received = council.send()
    assert account(received, "enrolments") == (2, 1, {"blank_row": 1}, {})
    assert council.table("enrolments")[0]["first_day"] == dt.date(2023, 9, 1)
    assert account(received, "marks") == (2, 1, {"no_mark": 1}, {})


@pytest.mark.parametrize(
    ("rows", "merge", "told"),
    [
        ([("UPN", "Dates", None), (None, "Entry Date", "Leaving Date")], ("B1:C1",), None),
        ([("UPN", "URN", "Entry Date", None)], ("C1:D1",), "cells C1:D1"),
    ],
    ids=["a group above", "one heading over two columns"],
)
def test_merged_headings(council: Council, rows: Rows, merge: Sequence[str], told: str | None) -> None:
    """A heading merged downwards is read from its top; one that stands over several columns is refused by its cells."""
    data = (ANN, dt.datetime(2023, 9, 1), None)
    down = ("A1:A2",) if told is None else ()
    council.files = [as_book(council.folder / "roll.xlsx", [*rows, data], (*merge, *down))]
    if told:
        with pytest.raises(SourceError, match=told):
            propose_mapping(council.consignment)
        return
    path = propose_mapping(council.consignment)
    assert path is not None
    text = path.read_text(encoding="utf-8")
    assert 'pupil = "UPN"' in text
    assert 'first_day = "Entry Date"' in text
    assert 'urn = ""  # needed' in text


def test_encodings(council: Council) -> None:
    """UTF-8 with and without its mark and Windows-1252 are read alike; what is neither is named by row and byte."""
    head = ("intervention", "urn", "first_day", "timing")
    for number, encoding in enumerate(("utf-8", "utf-8-sig", "cp1252")):
        council.file(f"{number}.csv", head, [(f"Café {number}", URN, "2024-09-02", "by_need")], encoding=encoding)
    council.send()
    assert [row["intervention"] for row in council.table("interventions")] == ["Café 0", "Café 1", "Café 2"]


def test_a_wrong_encoding_is_named(council: Council) -> None:
    """0x81 is no character of UTF-8 at its place and none of Windows-1252."""
    path = council.folder / "marks.csv"
    path.write_bytes(b"UPN,URN,Date,AM/PM,Mark\nx,1,2024-09-02,AM,/\n" + b"y\x81,1,2024-09-02,AM,/\n")
    council.files = [path]
    assert "row 3 holds the byte 0x81, which is neither UTF-8 nor Windows-1252" in council.refused()


def test_gzip_and_a_ragged_row(council: Council) -> None:
    """A gzipped csv is read; a row of another width is named, and its cells are not."""
    text = f"UPN,URN,Date,AM/PM,Mark\n{ANN},{URN},2024-09-02,AM,/\n{BEN},{URN},2024-09-02,AM,/,{NAMES[0]}\n"
    path = council.folder / "marks.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    council.files = [path]
    told = council.refused()
    assert "row 3 has 6 cells, the header 5" in told
    assert not any(secret in told for secret in (ANN, BEN, *NAMES))


# --- pupils -----------------------------------------------------------------------------------------------------------


def test_check_letters() -> None:
    """The example that the Department and vendors print, its neighbours, and a temporary number."""
    assert is_upn("H801200001001")
    assert is_upn("h801200001001")
    assert not any(is_upn(f"{letter}801200001001") for letter in "ABCDEFGIJKLMNOPQRSTUVWXYZ")
    assert is_upn(upn(10, last="A"))
    assert not is_upn("H80120000100")
    assert not is_upn("H801200001002")
    assert holds_upn(pa.array(["see H801200001001 (moved)", ""]))
    assert not holds_upn(pa.array(["H801200001002", "XH801200001001Y", "2024-09-02 00:00:00"]))


@settings(max_examples=60, deadline=None)
@given(serial=st.integers(0, 999), place=st.integers(1, 12), other=st.integers(1, 9))
def test_one_wrong_digit_is_always_found(serial: int, place: int, other: int) -> None:
    """Weights 2 to 13 and a prime modulus find every single wrong digit."""
    sound = upn(serial)
    wrong = sound[:place] + str((int(sound[place]) + other) % 10) + sound[place + 1 :]
    assert is_upn(sound)
    assert not is_upn(wrong)


def test_births_are_months_and_numbers_are_hashes(council: Council, tmp_path: Path) -> None:
    """A pupil has one hash in every table, however the number is spaced; another key gives other hashes."""
    council.pupils([(ANN.lower(), "03/05/2014"), (f" {BEN} ", "2013-11-17"), (CAT, "")]).enrolments().send()
    pupils = council.table("pupils")
    assert {row["birth_month"] for row in pupils} == {dt.date(2014, 5, 1), dt.date(2013, 11, 1), None}
    hashes = {row["pupil"] for row in pupils}
    assert hashes == {row["pupil"] for row in council.table("enrolments")}
    assert all(len(each) == 32 and int(each, 16) for each in hashes)
    write_new_key(tmp_path / "safe" / "second")
    second = Council(tmp_path / "second", tmp_path / "safe" / "second").pupils()
    second.send()
    assert not hashes & {row["pupil"] for row in second.table("pupils")}


def test_a_former_number_is_the_same_pupil(council: Council) -> None:
    """An earlier number of the pupils' file leads to the later one's hash, over two steps too."""
    council.file("pupils.csv", ("UPN", "Former UPN", "DOB"), [(ANN, BEN, "03/05/2014"), (CAT, "", "03/05/2015")])
    council.enrolments([(BEN, URN, "01/09/2022", "31/08/2023", "C"), (ANN, OTHER_URN, "01/09/2023", "", "C")])
    council.send()
    assert len({row["pupil"] for row in council.table("enrolments")}) == 1
    assert len(council.table("pupils")) == 2


def test_a_former_number_of_two_pupils_is_refused(council: Council) -> None:
    """File, row and column are named, the numbers are not."""
    council.file("pupils.csv", ("UPN", "Former UPN", "DOB"), [(ANN, CAT, ""), (BEN, CAT, "")])
    told = council.refused()
    assert "pupils.csv: row 3, column Former UPN" in told
    assert not any(each in told for each in (ANN, BEN, CAT))


def everything(council: Council) -> Council:
    """A file of each kind, with pupils' names and numbers wherever files have them."""
    council.schools().pupils().enrolments()
    council.marks([(ANN, URN, "02/09/2024", "AM", "/"), (BEN, URN, "02/09/2024", "AM", "-")])
    council.weeks([(BEN, URN, "09/09/2024", "/\\" * 5)])
    council.exclusions([(CAT, URN, "SUSP", "04/11/2024", 4, "Issued", "PP", "")])
    council.interventions([("Nurture", URN, "2024-11-04", "by_need")])
    council.file("moves.csv", ("UPN", "Destination", "Start date"), [(CAT, "EHE", "01/02/2025")])
    return council.file(
        "survey.csv", ("UPN", "Pupil name", "URN", "wave", "item", "response"), [(ANN, NAMES[2], URN, "2025", "b1", 4)]
    )


def test_no_number_and_no_name_in_any_byte(council: Council) -> None:
    """An adversary who reads every byte of the extract and of the mapping finds no pupil number and no name."""
    everything(council).send()
    assert {path.stem for path in council.consignment.folder.glob("*.parquet")} == set(COUNCIL_TABLES) - {"weekly"}
    secrets = [text.encode(code) for text in (ANN, BEN, CAT, *NAMES) for code in ("utf-8", "utf-16-le")]
    secrets += [text.lower().encode() for text in (ANN, BEN, CAT, *NAMES)]
    secrets += [council.key.read_text(encoding="ascii").strip().encode(), b"2014-05-03", b"03/05/2014"]
    written = [path for path in (council.folder / "out").rglob("*") if path.is_file()]
    assert len(written) == 11
    for path in written:
        content = path.read_bytes()
        texts = [content]
        if path.suffix == ".parquet":  # as it is read, too: pages are compressed
            texts.append(json.dumps(pq.read_table(path).to_pylist(), default=str).encode())
        assert not [secret for secret in secrets for text in texts if secret in text], path.name


@pytest.mark.parametrize(
    "cell", [ANN, f"see {ANN}", ANN.lower(), upn(7, last="B")], ids=["alone", "in words", "small", "temporary"]
)
def test_a_number_where_none_may_be(council: Council, cell: str) -> None:
    """A pupil number in another column is refused by file and column; the cell is not shown."""
    council.interventions([(cell, URN, "2024-09-02", "by_need")])
    told = council.refused()
    assert told.startswith("interventions.csv: column intervention: holds a pupil number")
    assert cell not in told
    assert ANN[1:] not in told
    assert not list((council.folder / "out").rglob("*.parquet"))


def test_a_column_of_names_is_never_read(council: Council) -> None:
    """Not even where the mapping asks for it."""
    council.pupils()
    path = propose_mapping(council.consignment)
    assert path is not None
    path.write_text(path.read_text(encoding="utf-8").replace('sex = ""', 'sex = "Surname"'), encoding="utf-8")
    with pytest.raises(SourceError, match="'Surname' says who somebody is"):
        receive(council.consignment)


# --- the key ----------------------------------------------------------------------------------------------------------


def test_a_new_key(key: Path) -> None:
    """32 random bytes as hex, for its owner only; it is never overwritten."""
    assert len(bytes.fromhex(key.read_text(encoding="ascii"))) == 32
    if os.name == "posix":
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    with pytest.raises(SourceError, match="is there already"):
        write_new_key(key)
    assert key.read_bytes() == before


def test_a_key_stays_away_from_the_data(council: Council, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a project, not in its data folder, not among the extracts: neither made there nor read from there."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    for place in (tmp_path / "project" / "notes" / "key", tmp_path / "data" / "key"):
        with pytest.raises(SourceError, match="inside the project or beside its data"):
            write_new_key(place)
        assert not place.exists()
    council.pupils()
    beside = council.folder / "out" / "key"
    beside.parent.mkdir()
    beside.write_bytes(council.key.read_bytes())
    council.key = beside
    assert "beside its data" in council.refused()


@pytest.mark.parametrize(
    ("text", "told"), [("ab" * 31, "has 31 bytes; expected 32"), ("", "no key"), ("zz" * 32, "no key")]
)
def test_a_key_too_short_or_none(council: Council, text: str, told: str) -> None:
    """A short key is an error that does not show it."""
    council.pupils()
    council.key.write_text(text, encoding="ascii")
    message = council.refused()
    assert told in message
    assert not text or text not in message


# --- the mapping ------------------------------------------------------------------------------------------------------


def test_an_unknown_heading_is_left_empty_and_shown(council: Council) -> None:
    """Nothing is filled by likeness: the line stays empty, and the extract is refused until a person fills it."""
    council.file("marks.csv", ("UPN", "URN", "Datum", "AM/PM", "Mark"), [(ANN, URN, "02/09/2024", "AM", "/")])
    path = propose_mapping(council.consignment)
    assert path is not None
    text = path.read_text(encoding="utf-8")
    assert 'day = ""  # needed; not used yet: "Datum"' in text
    with pytest.raises(SourceError, match=r"mapping.toml: file.0 \(marks.csv\): marks needs day"):
        receive(council.consignment)
    path.write_text(text.replace('day = ""', 'day = "Datum"'), encoding="utf-8")
    assert account(receive(council.consignment), "marks") == (1, 1, {}, {})


def test_a_mapping_is_proposed_once(council: Council) -> None:
    """What a person has mended is never written over, and a file that it does not know is refused."""
    council.pupils()
    path = propose_mapping(council.consignment)
    assert path is not None
    path.write_text(path.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    assert propose_mapping(council.consignment) is None
    assert path.read_text(encoding="utf-8").endswith("# mine\n")
    council.enrolments()
    assert "roll.csv is not in it" in council.refused()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('pupil = "UPN"', 'pupil = "UPM"', "no heading 'UPM'. Did you mean 'UPN'"),
        ('pupil = "UPN"', 'pupils = "UPN"', "columns.pupils: marks has no such column. Did you mean pupil"),
        ('table = "marks"', 'table = "mark"', "table: no table of a council"),
        ('"AM" = "am"', '"AM" = "noon"', "values.session: found 'noon'; expected am, pm"),
        ("[file.constant]", f'[file.constant]\npupil = "{ANN}"', "a pupil number never stands in a mapping"),
        ("header_row = 1", "header_row = 0", "file.0.header_row"),
        ("schema = ", "schema = = ", "not valid TOML"),
    ],
)
def test_a_mapping_at_fault(council: Council, old: str, new: str, told: str) -> None:
    """Key, what was found and what is expected are named."""
    council.marks([(ANN, URN, "02/09/2024", "AM", "/")])
    path = propose_mapping(council.consignment)
    assert path is not None
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    message = council.refused()
    assert told in message
    assert ANN not in message


def test_values_and_constants(council: Council) -> None:
    """Census codes are translated; a column that a file lacks may be one value, if a person says so."""
    council.file(
        "e.csv", ("UPN", "Category", "Start date", "Sessions", "Reasons"), [(ANN, "perm", "04/11/2024", "", "PP; db")]
    )
    path = propose_mapping(council.consignment)
    assert path is not None
    constants = f'[file.constant]\nurn = "{URN}"\nstatus = "issued"'
    path.write_text(path.read_text(encoding="utf-8").replace("[file.constant]", constants), encoding="utf-8")
    receive(council.consignment)
    (row,) = council.table("exclusions")
    assert (row["category"], row["urn"], row["status"], row["reasons"]) == ("permanent", URN, "issued", ["PP", "DB"])
    assert row["sessions"] is None


def test_a_census_of_pupils_and_enrolments(council: Council) -> None:
    """One file may be two tables; S of the old SEN code is E, and an unknown yes or no is missing, not false."""
    head = ("UPN", "Sex", "DOB", "EVERFSM_6", "SENprovision", "URN", "Entry Date", "EnrolStatus")
    rows = [
        (ANN, "F", "03/05/2014", "U", "S", URN, "01/09/2023", "C"),
        (BEN, "M", "", "0", "K", URN, "01/09/2023", "C"),
    ]
    council.file("census.csv", head, rows).send()
    found = {(row["sex"], row["ever_fsm_6"], row["sen_provision"]) for row in council.table("pupils")}
    assert found == {("F", None, "E"), ("M", False, "K")}
    assert len(council.table("enrolments")) == 2


def test_a_file_without_a_header_is_not_shown(council: Council) -> None:
    """A first row of data in the header's place would be printed as headings."""
    path = council.folder / "marks.csv"
    path.write_text(f"{ANN},{NAMES[0]},{URN},02/09/2024,AM,/\n", encoding="utf-8")
    council.files = [path]
    with pytest.raises(SourceError, match="holds data where headings were expected") as caught:
        propose_mapping(council.consignment)
    assert NAMES[0] not in str(caught.value)


def test_every_heading_and_value_that_is_known_is_of_a_column_that_exists() -> None:
    """The list of headings follows the tables."""
    extra = {"pupils": {"former_upn"}, "schools": {"laestab"}, "marks": {"week_start", "week_marks"}}
    for table, spec in COUNCIL_TABLES.items():
        assert set(HEADINGS[table]) == set(spec.schema.names) | extra.get(table, set())
    for (table, column), values in VALUES.items():
        assert set(values.values()) <= {"", *CHOICES[table, column]}
        assert column in COUNCIL_TABLES[table].schema.names


def test_schools_named_by_their_other_number(council: Council) -> None:
    """LAESTAB, however written, is the URN beside it in the file of schools, in every table; others stay so."""
    schools = [(URN, "838/4001", "Primary", "N", ""), (OTHER_URN, 8384002, "Secondary", "N", "")]
    council.file("schools.csv", ("URN", "LAEstab", "Phase", "PRU", "Pyramid"), schools)
    roll = [(ANN, "8384001", "01/09/2023", "", "C"), (BEN, "838 4002.0", "01/09/2023", "", "C"),
            (CAT, OTHER_URN, "01/09/2023", "", "C")]  # fmt: skip
    council.file("roll.csv", ("UPN", "DfE number", "Entry Date", "Leaving Date", "EnrolStatus"), roll)
    council.file(
        "weeks.csv", ("UPN", "LAESTAB", "Week commencing", "Marks"), [(ANN, "838-4001", "09/09/2024", "/\\" * 5)]
    )
    moves = [(CAT, "Managed move", "01/02/2025", "838/4002", "839/4111"), (BEN, "EHE", "01/02/2025", OTHER_URN, "")]
    council.file("moves.csv", ("UPN", "Destination", "Start date", "From LAESTAB", "To LAESTAB"), moves)

    folder = council.send().folder

    assert sorted(pq.read_table(folder / "enrolments.parquet")["urn"].to_pylist()) == [URN, OTHER_URN, OTHER_URN]
    assert set(pq.read_table(folder / "marks.parquet")["urn"].to_pylist()) == {URN}
    moved = pq.read_table(folder / "destinations.parquet").sort_by("kind").select(["from_urn", "to_urn"]).to_pylist()
    # A school of another council is in no file of ours: its number stays, and is no URN.
    assert {(row["from_urn"], row["to_urn"]) for row in moved} == {(OTHER_URN, 8394111), (OTHER_URN, None)}
    assert "laestab" not in pq.read_schema(folder / "schools.parquet").names


BOTH = ("URN", "LAEstab", "Phase", "PRU", "Pyramid")


@pytest.mark.parametrize(("named", "refused"), [(URN, False), ("838/4001", True)])
def test_one_number_of_two_schools_is_of_neither(council: Council, named: object, refused: bool) -> None:
    """As when a school became an academy: rows could be of either; files that give URNs are not touched by it."""
    schools = [(URN, "838/4001", "Primary", "N", ""), (OTHER_URN, "8384001", "Primary", "N", "")]
    council.file("schools.csv", BOTH, schools).enrolments([(ANN, named, "01/09/2023", "", "C")])
    if refused:
        assert "1 time(s) school named by a LAESTAB" in council.refused()
    else:
        assert pq.read_table(council.send().folder / "enrolments.parquet")["urn"].to_pylist() == [URN]


def test_a_schools_own_values_hold_for_its_other_number(council: Council) -> None:
    """What the mapping says a URN stands for, its LAESTAB stands for too; a LAESTAB has no values of its own."""
    council.file("schools.csv", BOTH, [(URN, "838/4001", "Primary", "N", "")])
    council.enrolments([(ANN, "8384001", "01/09/2023", "", "C")])
    path = propose_mapping(council.consignment)
    assert path is not None
    text = path.read_text("utf-8")
    at = text.index("[[file]]", text.index('table = "schools"'))
    path.write_text(f'{text[:at]}[file.values.urn]\n"{URN}" = "{OTHER_URN}"\n\n{text[at:]}', "utf-8")
    folder = receive(council.consignment).folder
    assert pq.read_table(folder / "schools.parquet")["urn"].to_pylist() == [OTHER_URN]
    assert pq.read_table(folder / "enrolments.parquet")["urn"].to_pylist() == [OTHER_URN]


def test_an_own_school_that_is_not_known_is_no_number_of_elsewhere(council: Council) -> None:
    """Where a pupil came from: of one's own council a LAESTAB must be known; without any, none can be told apart."""
    moves = [(CAT, "Managed move", "01/02/2025", "838/4009", "839/4111")]
    council.file("moves.csv", ("UPN", "Destination", "Start date", "From LAESTAB", "To LAESTAB"), moves)
    assert "1 time(s) school named by a LAESTAB" in council.refused()
    council.file("schools.csv", BOTH, [(URN, "838/4001", "Primary", "N", "")])
    council.consignment.mapping_file.unlink()
    assert "1 time(s) school named by a LAESTAB" in council.refused()


def test_a_wrong_column_of_schools_is_never_quoted(council: Council) -> None:
    """A mapping that takes the pupil numbers for URNs: the refusal names the column and quotes nobody."""
    schools = [(ANN, URN, "838/4001", "Primary", "N", ""), (BEN, OTHER_URN, "8384001", "Primary", "N", "")]
    council.file("schools.csv", ("UPN", *BOTH), schools).enrolments()
    path = propose_mapping(council.consignment)
    assert path is not None
    text = path.read_text("utf-8")
    at = text.index('table = "schools"')
    path.write_text(text[:at] + text[at:].replace('urn = "URN"', 'urn = "UPN"', 1), "utf-8")
    with pytest.raises(SourceError, match=r"schools.csv: column UPN: holds a pupil number") as caught:
        receive(council.consignment)
    assert ANN not in str(caught.value) and BEN not in str(caught.value)


# --- faults -----------------------------------------------------------------------------------------------------------

SEPTEMBER = "02/09/2024"


def one_mark(mark: str = "/", day: str = SEPTEMBER, session: str = "AM", pupil: str = ANN) -> tuple[Any, ...]:
    """A row of marks."""
    return (pupil, URN, day, session, mark)


def faulty(council: Council, name: str) -> tuple[Council, str, int]:
    """Files with one fault: the council, the table at fault and how many of its rows are."""
    if name.startswith("intervention"):
        council.schools()
    if name in ("x_at_school_age", "exclusion_of_unknown_pupil"):
        council.pupils()
    rolls = [(each, URN, "01/09/2023", "", "C") for each in (ANN, BEN, CAT)]
    excluded = (ANN, URN, "SUSP", "04/11/2024", 4, "Issued", "PP", "")
    good = one_mark(pupil=BEN)
    match name:
        case "unknown_mark":  # Y was withdrawn and Y1 came in on 19 August 2024; 7 and @ never were
            marks = [
                one_mark("Y"),
                one_mark("Y1", "02/09/2019"),
                one_mark("7", session="PM"),
                one_mark("@", "03/09/2024"),
            ]
            rolls[0] = (ANN, URN, "01/09/2018", "", "C")
            return council.enrolments(rolls).marks([good, *marks]), "marks", 4
        case "no_mark":
            return council.enrolments(rolls).marks([good, one_mark(""), one_mark("-", session="PM")]), "marks", 2
        case "mark_outside_roll":
            rolls[0] = (ANN, URN, "03/09/2024", "05/09/2024", "C")
            days = ("02/09/2024", "03/09/2024", "05/09/2024", "06/09/2024")
            return council.enrolments(rolls).marks([one_mark(day=day) for day in days]), "marks", 2
        case "future_date":
            return council.enrolments(rolls).marks([one_mark(day="01/09/2025"), one_mark(day="02/09/2025")]), "marks", 1
        case "duplicate_mark":
            return council.enrolments(rolls).marks([good, one_mark(), one_mark(), one_mark("/ ")]), "marks", 2
        case "conflicting_mark":
            return council.enrolments(rolls).marks([good, one_mark(), one_mark("I")]), "marks", 2
        case "x_at_school_age":  # ANN, of May 2014, is 10 on 31 August 2024; X was covid's in 2020/21; BEN was 5 to 15
            rolls = [(each, URN, "01/09/2018", "", "C") for each in (ANN, BEN, CAT)]
            marks = [one_mark("X"), one_mark("X", "01/02/2021"), one_mark("X", "03/06/2019", pupil=ANN)]
            return council.enrolments(rolls).marks([good, *marks]), "marks", 1
        case "mark_of_other_session":
            return council.enrolments(rolls).marks([good, one_mark(), one_mark("/", session="PM")]), "marks", 1
        case "two_main_schools":
            rolls += [(ANN, OTHER_URN, "01/09/2024", "", "M"), (BEN, OTHER_URN, "01/09/2024", "", "S")]
            return council.enrolments(rolls), "enrolments", 2
        case "overlapping_enrolments":
            rolls[0] = (ANN, URN, "01/09/2023", "31/08/2024", "C")
            return council.enrolments([*rolls, (ANN, URN, "31/08/2024", "", "C")]), "enrolments", 2
        case "ends_before_start":
            return council.enrolments([*rolls[1:], (ANN, URN, "01/09/2023", "31/08/2023", "C")]), "enrolments", 1
        case "exclusion_of_unknown_pupil":
            return council.enrolments(rolls).exclusions([excluded, (upn(9), *excluded[1:])]), "exclusions", 1
        case "suspended_over_45_days":  # 60 and 31 half-days in one academic year, 90 in the next: one over, one at it
            spells = [("04/11/2024", 60), ("04/02/2025", 31)]
            rows = [(ANN, URN, "SUSP", day, n, "Issued", "PP", "") for day, n in spells]
            rows += [(BEN, URN, "SUSP", "04/11/2024", 90, "Issued", "PP", "")]
            return council.enrolments(rolls).exclusions(rows), "exclusions", 2
        case "unknown_reason":  # OT was withdrawn in 2020
            return council.exclusions([excluded, (BEN, *excluded[1:6], "OT", "")]), "exclusions", 1
        case "intervention_school_unknown":
            rows = [("Nurture", URN, SEPTEMBER, "by_need"), ("Nurture", 999999, SEPTEMBER, "by_need")]
            return council.interventions(rows), "interventions", 1
        case "intervention_without_start":
            rows = [("Nurture", URN, SEPTEMBER, "by_need"), ("Nurture", OTHER_URN, "", "by_need")]
            return council.interventions(rows), "interventions", 1
        case "missing_pupil":
            return council.marks([good, one_mark(pupil=" ")]), "marks", 1
        case "not_a_pupil_number":
            return council.marks([good, one_mark(pupil="H801200001002")]), "marks", 1
        case "missing_cell":
            return council.marks([good, one_mark(day="")]), "marks", 1
        case "unknown_laestab":  # in neither of the ways in which it is written
            rows = [(ANN, "838/4009", "01/09/2023", "", "C"), (CAT, "8384009", "01/09/2023", "", "C")]
            return council.schools().enrolments([rolls[1], *rows]), "enrolments", 2
        case "unreadable_cell":  # a month is never first, and two digits are no year
            return (
                council.marks([good, one_mark(day="09/13/2024"), one_mark(day="02/09/24"), one_mark(day="soon")]),
                "marks",
                3,
            )
        case "unknown_value":
            return council.marks([good, one_mark(session="Evening")]), "marks", 1
        case "week_not_monday":
            return council.weeks([(ANN, URN, "10/09/2024", "/\\" * 5), (BEN, URN, "09/09/2024", "/\\" * 5)]), "marks", 1
        case "week_not_whole":
            return council.weeks([(ANN, URN, "09/09/2024", "/\\"), (BEN, URN, "09/09/2024", "/\\" * 5)]), "marks", 1
        case "duplicate_row":
            return council.exclusions([excluded, excluded]), "exclusions", 1
        case "conflicting_row":
            return (
                council.exclusions([(BEN, *excluded[1:]), excluded, (*excluded[:4], 6, *excluded[5:])]),
                "exclusions",
                2,
            )
    raise AssertionError(f"no files with the fault {name}")


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_by_each_policy(council: Council, name: str) -> None:
    """Refused, left out and counted, or kept and listed: by the policy, and never another way; the list names rows."""
    council, table, rows = faulty(council, name)
    expected = {name: rows}
    told = council.refused(**{name: "refuse"})
    assert f"({name})" in told
    assert not any(secret in told for secret in (ANN, BEN, CAT, *NAMES))
    listed = council.consignment.folder.with_name("2025-09-01.refused.csv")
    assert name in listed.read_text(encoding="utf-8")
    received = council.send(**{name: "exclude"})
    read, kept, excluded, _ = account(received, table)
    assert (excluded, kept) == (expected, read - rows)
    assert [row["fault"] for row in council.faults()] == [name] * rows
    assert {(row["file"][:4], row["policy"]) for row in council.faults()} == {
        (council_file(council, table)[:4], "exclude")
    }
    assert not listed.exists()
    if "keep" in FAULTS[name].may_be:
        other = Council(council.folder / "again", council.key)
        other, _, _ = faulty(other, name)
        received = other.send(**{name: "keep"})
        assert account(received, table) == (read, read, {}, expected)


def council_file(council: Council, table: str) -> str:
    """The file of a table of these tests."""
    names = {"enrolments": ("roll.csv",), "marks": ("marks.csv", "weeks.csv")}.get(table, (f"{table}.csv",))
    return next(path.name for path in council.files if path.name in names)


def test_the_list_says_where(council: Council) -> None:
    """File, row as in the file, column, and the pupil's hash."""
    council.marks([one_mark(), one_mark("@", session="PM")])
    told = council.refused()
    assert "first in marks.csv row 3, column Mark" in told
    council.send(unknown_mark="exclude")
    (fault,) = council.faults()
    assert (fault["file"], fault["row"], fault["column"]) == ("marks.csv", "3", "mark")
    assert fault["pupil"] == council.table("marks")[0]["pupil"]


def test_a_row_has_one_reason(council: Council) -> None:
    """A row with two faults is counted once, by the first, so that the account adds up."""
    council.enrolments().marks([one_mark(), one_mark("@", "02/09/2030")])
    received = council.send(unknown_mark="exclude")
    assert account(received, "marks") == (2, 1, {"unknown_mark": 1}, {})


def test_a_check_that_could_not_be_made_is_said(council: Council) -> None:
    """Without enrolments nothing is known of days on roll: said, not passed over."""
    received = council.marks([one_mark()]).send()
    assert any("for want of enrolments: whether marks lie on days on roll" in note for note in received.notes)
    assert read_council_extract(received.folder).notes == received.notes


def test_mornings_and_afternoons_that_are_swapped(council: Council) -> None:
    """A file in which most marks stand in the other half of the day is in the other order, and is refused."""
    council.weeks([(ANN, URN, "09/09/2024", "\\/" * 5)])
    assert "the two are swapped" in council.refused()


def test_a_mark_may_be_translated_by_the_mapping(council: Council) -> None:
    """A system's own sign becomes a mark only where a person wrote so; in weeks as in rows."""
    council.weeks([(ANN, URN, "09/09/2024", "/\\" * 4 + "..")])
    assert "unknown_mark" in council.refused()
    path = council.consignment.mapping_file
    path.write_text(path.read_text(encoding="utf-8") + '[file.values.mark]\n"." = "-"\n', encoding="utf-8")
    assert account(council.send(), "marks") == (10, 8, {"no_mark": 2}, {})
    rows = Council(council.folder / "rows", council.key).marks([one_mark("h-day"), one_mark(session="PM")])
    propose_mapping(rows.consignment)
    path = rows.consignment.mapping_file
    path.write_text(path.read_text(encoding="utf-8") + '[file.values.mark]\n"H-Day" = "#"\n', encoding="utf-8")
    rows.send()
    assert [row["mark"] for row in rows.table("marks")] == ["#", "/"]


def test_a_remark_in_the_place_of_a_code_is_never_kept(council: Council) -> None:
    """A mark or a reason that is longer than any code may name somebody: no policy takes it as it is."""
    council.marks([one_mark(), one_mark(f"ill, says {NAMES[0]}", session="PM")])
    council.exclusions([(ANN, URN, "SUSP", "04/11/2024", 4, "Issued", f"Hit {NAMES[1]}", "")])
    lenient = {name: "keep" for name, fault in FAULTS.items() if "keep" in fault.may_be}
    told = council.refused(**lenient)
    assert "marks: 1 time(s) no value of the column's list (unknown_value), first in marks.csv row 3" in told
    assert "exclusions: 1 time(s)" in told
    assert not any(name in told for name in NAMES)
    council.send(**lenient, unknown_value="exclude")
    assert [row["mark"] for row in council.table("marks")] == ["/"]
    assert council.table("exclusions") == []


def test_policies_of_a_plan(tmp_path: Path) -> None:
    """A plan names faults and policies that exist; a plan without any has the digest it had before there were some."""
    shipped = NOTEBOOKS / "plans" / "dorset_public.toml"
    plan = load_plan("dorset_public")
    assert plan.faults == {}
    path = tmp_path / "plan.toml"

    def written(faults: str) -> Path:
        path.write_text(shipped.read_text(encoding="utf-8") + f"\n[faults]\n{faults}\n", encoding="utf-8")
        return path

    assert read_plan(written('no_mark = "keep"')).faults == {"no_mark": "keep"}
    with pytest.raises(PlanError, match=r"faults: no_marks is no fault that is looked for"):
        read_plan(written('no_marks = "keep"'))
    with pytest.raises(PlanError, match=r"duplicate_mark cannot be keep; choose refuse or exclude"):
        read_plan(written('duplicate_mark = "keep"'))


# --- the extract ------------------------------------------------------------------------------------------------------


def test_an_extract_is_read_as_it_was_written(council: Council) -> None:
    """Tables, account and digest; the same files and key give the same bytes."""
    received = everything(council).send()
    extract = read_council_extract(received.folder)
    assert (extract.producer, extract.date, extract.account) == ("dorset", AS_AT, received.tables)
    assert list(extract.tables) == [name for name in COUNCIL_TABLES if name != "weekly"]
    again = everything(Council(council.folder / "again", council.key)).send()
    assert read_council_extract(again.folder).digest == extract.digest
    names = sorted(path.name for path in received.folder.iterdir())
    assert all((received.folder / name).read_bytes() == (again.folder / name).read_bytes() for name in names)


def test_an_extract_is_never_edited(council: Council) -> None:
    """A changed file, one that is not listed and a missing record are refused; so is a second extract of the day."""
    folder = council.pupils().send().folder
    with pytest.raises(SourceError, match="is there already, and an extract"):
        receive(council.consignment)
    (folder / "more.csv").write_text("a\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"more.csv: not listed"):
        read_council_extract(folder)
    (folder / "more.csv").unlink()
    table = folder / "pupils.parquet"
    pq.write_table(pq.read_table(table).slice(1), table)
    with pytest.raises(SourceError, match=r"pupils.parquet: differs"):
        read_council_extract(folder)
    (folder / "origin.toml").unlink()
    with pytest.raises(SourceError, match=r"no origin\.toml"):
        read_council_extract(folder)


@pytest.mark.skipif(os.name != "posix", reason="kills a process by a signal")
def test_a_killed_run_leaves_no_half_extract(council: Council) -> None:
    """Killed while it checks: no extract, nothing that names anybody in what is left, and the next run is whole."""
    everything(council)
    propose_mapping(council.consignment)
    code = (
        "import sys, pathlib, datetime as dt, time\n"
        "from belonging_research.sources.council import Consignment, receive\n"
        "def stop(what, done, total):\n"
        "    if what.startswith('writing marks'):\n"
        "        print('there', flush=True)\n"
        "        time.sleep(60)\n"
        "key, out, *files = map(pathlib.Path, sys.argv[1:])\n"
        f"day = dt.date.fromisoformat('{AS_AT.isoformat()}')\n"
        "receive(Consignment(files=tuple(files), council='dorset', day=day, key=key, out=out), progress=stop)\n"
    )
    given = [str(each) for each in (council.key, council.folder / "out", *council.files)]
    run = subprocess.Popen([sys.executable, "-c", code, *given], cwd=REPOSITORY, stdout=subprocess.PIPE)
    assert run.stdout is not None
    assert run.stdout.readline() == b"there\n"
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    assert not council.consignment.folder.exists()
    left = [path for path in council.consignment.folder.parent.rglob("*") if path.is_file()]
    assert any(".partial" in str(path) for path in left)
    for path in left:
        text = path.read_bytes()
        if path.suffix == ".parquet":
            try:
                text += json.dumps(pq.read_table(path).to_pylist(), default=str).encode()
            except pa.ArrowInvalid:
                continue  # cut short where it was killed
        assert not [secret for secret in (ANN, BEN, CAT, *NAMES) if secret.encode() in text]
    receive(council.consignment)
    names = {path.name for path in council.consignment.folder.parent.iterdir()}
    assert names == {"mapping.toml", "2025-09-01"}


# --- templates --------------------------------------------------------------------------------------------------------


def test_templates_hold_their_lists(tmp_path: Path) -> None:
    """Each opens in Excel's form with drop-downs that lead to the code lists; none is written over."""
    paths = write_templates(tmp_path)
    assert [path.stem for path in paths] == ["interventions", "destinations", "survey"]
    found = {}
    for path in paths:
        book = openpyxl.load_workbook(path)
        sheet = book.worksheets[0]
        headings = [cell.value for cell in sheet[1]]
        own = [name if name != "pupil" else "UPN" for name in COUNCIL_TABLES[path.stem].schema.names]
        assert headings == own
        for rule in sheet.data_validations.dataValidation:
            if rule.type == "list":
                name, area = rule.formula1.split("!")
                cells = [cell.value for (cell,) in book[name][area.replace("$", "")]]
                column = openpyxl.utils.cell.range_boundaries(str(rule.sqref))[0]
                found[headings[column - 1]] = cells
    assert found == {"kind": list(DESTINATION_KINDS), "timing": list(TIMING_DECIDED)}
    with pytest.raises(SourceError, match="may be filled in"):
        write_templates(tmp_path)


def test_a_filled_template_is_received(council: Council) -> None:
    """What a head fills in comes back without a word in the mapping."""
    path = write_templates(council.folder / "forms")[0]
    book = openpyxl.load_workbook(path)
    book.worksheets[0].append(["Nurture groups", URN, dt.datetime(2024, 11, 4), None, 12.5, "hours", 1200, "by_need"])
    book.save(path)
    council.files = [path]
    received = council.schools().send()
    assert "interventions.xlsx: only its first sheet was read, 2 other(s) not" in received.notes
    (row,) = council.table("interventions")
    assert (row["first_day"], row["dose"], row["cost"]) == (dt.date(2024, 11, 4), 12.5, 1200.0)
    assert (row["timing"], row["last_day"]) == ("by_need", None)


# --- the command line -------------------------------------------------------------------------------------------------


def test_from_the_command_line(
    council: Council, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a fresh folder: a key, a proposal that stops, the same command again, and what became of the rows."""
    everything(council)
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    monkeypatch.chdir(fresh)
    key = tmp_path / "elsewhere" / "key"
    assert answer(["key", "new", str(key)]) == 0
    assert answer(["key", "new", str(key)]) == SourceError.exit_code
    capsys.readouterr()
    command = ["receive", *map(str, council.files), "--council", "dorset", "--date", "2025-09-01", "--key", str(key)]
    assert answer(command) == 1
    told = capsys.readouterr()
    assert "Look at it" in told.err
    assert 'pupil = "UPN"' in told.out
    assert not (fresh / "data" / "restricted" / "dorset" / "2025-09-01").exists()
    assert answer(command) == 0
    told = capsys.readouterr()
    assert "11 of 12 rows kept" in told.out
    assert "1 left out: half-day without a mark (blank or -) (no_mark)" in told.out
    assert not [secret for secret in (ANN, BEN, CAT, *NAMES) if secret in told.out + told.err]
    extract = read_council_extract(fresh / "data" / "restricted" / "dorset" / "2025-09-01")
    assert pq.read_metadata(extract.tables["marks"][0]).num_rows == 11
    assert answer(command) == SourceError.exit_code
    assert answer(["receive", str(council.files[0])]) == 2
    assert answer(["receive", "--templates", str(fresh / "forms")]) == 0
    assert (fresh / "forms" / "survey.xlsx").is_file()


def test_a_plan_says_what_is_done_about_a_fault(
    council: Council, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By default an unknown mark stops everything, with the exit code of data at fault; a plan may exclude it."""
    monkeypatch.chdir(tmp_path)
    council.marks([one_mark(), one_mark("@", session="PM")])
    shipped = (NOTEBOOKS / "plans" / "dorset_public.toml").read_text(encoding="utf-8")
    (tmp_path / "plan.toml").write_text(shipped + '\n[faults]\nunknown_mark = "exclude"\n', encoding="utf-8")
    command = [
        "receive",
        str(council.files[0]),
        "--council",
        "dorset",
        "--date",
        "2025-09-01",
        "--key",
        str(council.key),
    ]
    command += ["--out", str(tmp_path / "kept"), "--mapping", str(tmp_path / "mapping.toml")]
    assert [answer(command), answer(command)] == [1, SourceError.exit_code]
    assert "(unknown_mark), first in marks.csv row 3, column Mark" in capsys.readouterr().err
    assert answer([*command, "--plan", str(tmp_path / "plan.toml")]) == 0
    assert "1 left out: mark that was no register code on its day (unknown_mark)" in capsys.readouterr().out
    assert (tmp_path / "kept" / "dorset" / "2025-09-01" / "marks.parquet").is_file()


def test_help_teaches_without_heavy_libraries() -> None:
    """Both verbs explain the steps, and start without what they do not need yet."""
    heavy = {"pandas", "numpy", "pyarrow", "pydantic", "openpyxl", "duckdb", "ibis"}
    code = (
        "import sys\nfrom belonging_research.__main__ import answer\n"
        "codes = [answer([*verb.split(), '--help']) for verb in ('receive', 'key', 'key new')]\n"
        f"print(codes, sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "[0, 0, 0] []"
    assert "the same command again" in done.stdout
