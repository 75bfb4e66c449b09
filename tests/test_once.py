"""What a run's notebooks make once for all: the same answer, and never another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_country import OUTCOME, outcomes, plan

from belonging_research.findings import Assessment, assess
from belonging_research.panel import build_panel
from belonging_research.sources.once import ONCE, once_a_run, what_is_read


def _never() -> Any:
    raise AssertionError("made again")


def test_without_a_run_everything_is_made_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in JupyterLab: nothing is kept, so nothing can be old."""
    monkeypatch.delenv(ONCE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert [once_a_run("answer", ("a",), lambda value=value: value) for value in (1, 2)] == [1, 2]
    assert list(tmp_path.iterdir()) == []


def test_the_first_who_asks_makes_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Kept by name and by all that it depends on; nothing half written stays beside."""
    monkeypatch.setenv(ONCE, str(tmp_path / "once"))
    assert once_a_run("answer", ("a", "b"), lambda: 1) == 1
    assert once_a_run("answer", ("a", "b"), _never) == 1
    assert once_a_run("answer", ("ab",), lambda: 2) == 2
    assert once_a_run("other", ("a", "b"), lambda: 3) == 3
    assert [path.suffix for path in (tmp_path / "once").iterdir()] == [".pickle"] * 3


def test_a_folder_that_takes_nothing_costs_time_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file in its place, as a full disk: the answer all the same."""
    (tmp_path / "once").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv(ONCE, str(tmp_path / "once"))
    assert [once_a_run("answer", (), lambda value=value: value) for value in (1, 2)] == [1, 2]


@pytest.mark.parametrize("left", [b"", b"\x80\x05cut short"])
def test_a_kept_file_that_was_cut_is_made_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, left: bytes) -> None:
    """As a power cut leaves it: made anew and kept whole; what cannot be kept leaves no part of it behind."""
    monkeypatch.setenv(ONCE, str(tmp_path))
    assert once_a_run("answer", (), lambda: 1) == 1
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(left)
    assert once_a_run("answer", (), lambda: 2) == 2
    assert once_a_run("answer", (), _never) == 2
    monkeypatch.setattr(Path, "replace", _held)
    assert once_a_run("other", (), lambda: 3) == 3
    assert list(tmp_path.iterdir()) == [kept]


def _held(path: Path, target: Path) -> Path:
    raise PermissionError("another program holds it")


def test_a_failure_is_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What could not be made is tried again by the next."""
    monkeypatch.setenv(ONCE, str(tmp_path))
    with pytest.raises(AssertionError, match="made again"):
        once_a_run("answer", (), _never)
    assert once_a_run("answer", (), lambda: 1) == 1


def test_other_figures_are_not_the_same_reading() -> None:
    """Folder, plan, report year and day: each alone makes another reading."""
    shipped = plan()
    other = shipped.model_copy(update={"seed": shipped.seed + 1})
    readings = {
        what_is_read([Path(folder)], of, year, None)
        for folder, of, year in (("a", shipped, "2024/25"), ("b", shipped, "2024/25"), ("a", other, "2024/25"),
                                 ("a", shipped, "2025/26"))
    }  # fmt: skip
    assert len(readings) == 4


def test_findings_that_were_kept_are_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """To the last digit, checks and their tables among them; and of another country's figures they are others."""
    panel, other = (build_panel(outcomes(effect=effect), plan()) for effect in (-0.01, 0.0))
    monkeypatch.delenv(ONCE, raising=False)
    alone = assess(panel, plan(), domain="attendance")
    monkeypatch.setenv(ONCE, str(tmp_path))
    first, second = (assess(panel, plan(), domain="attendance") for _ in range(2))

    assert _said(first) == _said(second) == _said(alone)
    assert len(list(tmp_path.iterdir())) > 1
    kept, anew = (each.registered(OUTCOME).estimate for each in (second, assess(other, plan(), domain="attendance")))
    assert kept is not None and anew is not None
    assert kept.value != anew.value


def _said(assessment: Assessment) -> tuple[str, ...]:
    return (*map(repr, assessment.findings), *assessment.left_out)
