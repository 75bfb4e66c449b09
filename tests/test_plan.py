"""Plans at fault: the key is named, what was found and what is expected; the shipped plans stay what they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import REPOSITORY

from belonging_research.errors import PlanError
from belonging_research.plan import load_plan, read_plan, same_name

TEXT = (REPOSITORY / "notebooks" / "plans" / "dorset_public.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("start = 2024-09-01", "start = 2024-02-31", "treated.0.start"),
        ('unit = "839"', "unit = 839-", "excluded.0.unit"),
        ('unit = "201"', 'unit = "201', "excluded.1.unit"),
        ("seed = 20240901", "seed = = 1", "seed"),
    ],
)
def test_a_fault_of_toml_names_its_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    """With line and column, as the parser gives them."""
    assert old in TEXT
    path = tmp_path / "mine.toml"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PlanError) as caught:
        read_plan(path)
    line = TEXT[: TEXT.index(old)].count("\n") + 1
    assert f"mine.toml: not valid TOML at {key}: " in str(caught.value)
    assert f"at line {line}," in str(caught.value)


IMPOSSIBLE: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "another place": ('place = "Dorset"', 'place = "Narnia"', ("place: found Narnia", "treated.0.name calls Dorset")),
    "another name": ('name = "Dorset"', 'name = "Devon"', ("place: found Dorset", "treated.0.name calls Devon")),
    "treated and excluded": ('unit = "839"', 'unit = "838"', ("excluded.0.unit: 838 is the treated council",)),
    "excluded code": ('unit = "839"', 'unit = "BCP"', ("excluded.0.unit: BCP is not a council's code", "838")),
    "treated code": ('unit = "838"', 'unit = "0838"', ("treated.0.unit: 0838 is not a council's code",)),
    "bordering code": ('bordering = ["839"', 'bordering = ["868x"', ("donors.bordering.0: 868x is", "three digits")),
    "borders itself": ('["839", "850"', '["839", "838"', ("donors.bordering.1: 838 is the treated council",)),
    "seen after the end": (
        'outcomes_seen = ["2024/25", "2025/26"]', 'outcomes_seen = ["2031/32"]',
        ("outcomes_seen: 2031/32 is after the last post year, 2026/27",),
    ),
    "gap": (
        'post = ["2024/25", "2025/26", "2026/27"]', 'post = ["2024/25", "2026/27"]',
        ("post: 2026/27 does not follow 2024/25",),
    ),
    "look outside": ('report_year = "2026/27"', 'report_year = "2027/28"', ("looks.2.report_year: 2027/28 is",)),
    "no month": ('due = "March 2026"', 'due = "31 February 2026"', ("looks.0.due: 31 February", "like March 2026")),
    "points for a proportion": (
        "sesoi = 0.0025", "sesoi = 0.25",
        ("outcomes.0.sesoi: 0.25 is too large", "at most 0.05", "25 percentage points", "0.0025 is a quarter"),
    ),
    "per cent for a log ratio": (
        "sesoi = 0.10536051565782628", "sesoi = 10.0", ("outcomes.1.sesoi: 10 is too", "at most 0.7", "one in ten"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", IMPOSSIBLE)
def test_values_that_cannot_be_meant_are_refused(tmp_path: Path, fault: str) -> None:
    """Contradictions among a plan's own values, and slips of code, date and unit."""
    old, new, says = IMPOSSIBLE[fault]
    assert old in TEXT
    path = tmp_path / "mine.toml"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PlanError) as caught:
        read_plan(path)
    assert "1 fault(s)" in str(caught.value)
    for words in says:
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Dorset", "Dorset Council", True),
        ("Bristol", "Bristol, City of", True),
        ("City of London", "London", True),
        ("Devon", "Dorset", False),
        ("North Northamptonshire", "West Northamptonshire", False),
        ("York", "North Yorkshire", False),
        ("City Council", "County Council", False),
    ],
)
def test_names_of_one_council(one: str, other: str, same: bool) -> None:
    """Forms of one name agree, either way round; names that only look alike do not."""
    assert same_name(one, other) is same_name(other, one) is same


def test_the_shipped_plans_are_what_they_were() -> None:
    """Registered plans: their digests may not move with the rules of this package."""
    names = ("dorset_public", "simulated_public", "simulated_county")
    assert {name: load_plan(name).digest[:12] for name in names} == {
        "dorset_public": "1bb2032cdb9a",
        "simulated_public": "0d7518503a44",
        "simulated_county": "e57e88599c1a",
    }
