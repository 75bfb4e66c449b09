"""Old and new codes of councils: a pair that never belonged together is refused, for two councils may bear one name."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_sources import DORSET_ROW, LOOKUP, Row, absence, assert_says, daily, load, place, refusal, table, write

OLD_DORSET = place("Local authority", "835", "E10000009", "Dorset")


@pytest.mark.parametrize(
    ("change", "found", "belongs"),
    [
        ({"new_la_code": "E10000009"}, "'838' with 'E10000009'", "838 with E06000059, and E10000009 with 835"),
        ({"old_la_code": "835"}, "'835' with 'E06000059'", "835 with E10000009, and E06000059 with 838"),
        ({"new_la_code": "E06000066"}, "'838' with 'E06000066'", "838 with E06000059, and E06000066 with 933"),
        ({"new_la_code": "E06000095"}, "'838' with 'E06000095'", "838 with E06000059"),
    ],
)
@pytest.mark.parametrize("lookup", [True, False])
def test_codes_of_two_councils_in_one_row(tmp_path: Path, change: Row, found: str, belongs: str, lookup: bool) -> None:
    """The two Dorsets are never mixed, with and without a lookup in the folder, whichever column is wrong."""
    rows = table(absence)
    assert rows[DORSET_ROW - 2]["old_la_code"] == "838"
    rows[DORSET_ROW - 2] |= change
    write(tmp_path, "a.csv", rows)
    if lookup:
        write(tmp_path, "codes.csv", LOOKUP)
    assert_says(
        refusal(tmp_path),
        f"a.csv: row {DORSET_ROW}, column old_la_code and new_la_code",
        found,
        belongs,
        "correct one of",
    )


def test_a_pair_of_the_lookup_is_read_whatever_its_year(tmp_path: Path) -> None:
    """A code that changed later, a blank one, and a pair that only the folder's lookup knows are no fault."""
    later = [row | {"new_la_code": "E10000027"} if row["old_la_code"] == "933" else row for row in daily()]
    write(tmp_path, "a.csv", [row | {"new_la_code": "."} if row["old_la_code"] == "838" else row for row in later])
    write(tmp_path, "b.csv", table(absence, places=(place("Local authority", "399", "E06000099", "Newshire"),)))
    write(tmp_path, "codes.csv", [*LOOKUP, {"old_la_code": "399", "new_la_code": "E06000099", "la_name": "Newshire"}])
    assert {file.file: file.rows_used for file in load(tmp_path).files} == {"a.csv": 15, "b.csv": 8, "codes.csv": 4}


def test_the_old_dorset_is_read_as_itself(tmp_path: Path) -> None:
    """Old Dorset stands under its own codes to 2018/19 and is never 838."""
    write(tmp_path, "a.csv", table(absence, places=(OLD_DORSET,), years=("201718",)))
    write(tmp_path, "b.csv", daily())
    figures = load(tmp_path).figures.select(["unit", "gss_code", "period", "layout"]).to_pylist()
    old = {tuple(row.values()) for row in figures if row["gss_code"] == "E10000009"}
    assert old == {("835", "E10000009", "2017/18", "absence_by_council")}
    assert {row["period"] for row in figures if row["unit"] == "838"} == {"2023/24"}
