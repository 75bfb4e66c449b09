"""A plan that is no TOML is refused with the key at which it stops being so."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import REPOSITORY

from belonging_research.errors import PlanError
from belonging_research.plan import read_plan

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
