"""A run from figures to pages: same inputs same bytes, nothing half-written, nothing out uncleared."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest
import small_study
from small_study import BARE, GOOD, files_of, notebook

from belonging_research.disclosure import clear, open_door
from belonging_research.errors import BelongingError, CommandError, DisclosureError, PanelError, ReportError
from belonging_research.plan import read_plan
from belonging_research.present import tabulate
from belonging_research.reports import RunResult, annex, reading, results, study, writing
from belonging_research.reports.manifest import code_digest, run_id_of
from belonging_research.reports.reading import latest_year
from belonging_research.reports.render import cleared_display, render, words_to_html

PLAN = read_plan(small_study.PLAN_FILE)
FAST = {"01_quick": notebook("# Quick", BARE)}


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, Path]:
    """A complete run, made once."""
    return small_study.finished(tmp_path_factory.getbasetemp() / "small")


def test_a_run_writes_its_folder_whole(whole: tuple[RunResult, Path]) -> None:
    """Pages, results, tables, pictures, record and ledgers are in place, and nothing partial is."""
    result, out = whole
    names = set(files_of(result.folder))
    assert result.folder == out / "dorset_public" / result.run_id
    pages = {"index", "council", "annex", "01_levels", "04_attendance_impact", "09_annual_report"}
    assert {f"released/{page}.html" for page in pages} <= names
    assert {"manifest.json", "released/results.json", "restricted/01_levels.ledger.jsonl"} <= names
    assert any(name.startswith("released/figures/") for name in names)
    assert not [name for name in files_of(out) if "partial" in name or ".done" in name or ".lock" in name]
    latest = set(files_of(out / "dorset_public" / "latest"))
    assert latest == {"findings.csv", "levels.csv", "sources.csv", "dictionary.csv"}
    assert result.index.is_file()
    assert result.run_id in (out / "index.html").read_text("utf-8")


def test_results_follow_the_contract(whole: tuple[RunResult, Path]) -> None:
    """`results.json` has the keys of schema belonging/1, sorted, and each listed table is there."""
    released = whole[0].folder / "released"
    text = (released / "results.json").read_text("utf-8")
    content = json.loads(text)
    assert text == json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    assert list(content) == [
        "data_as_at", "draft", "findings", "plan_digest", "report_year", "run_id", "schema", "simulated",
        "sources", "study", "tables",
    ]  # fmt: skip
    assert content["schema"] == "belonging/1"
    assert content["plan_digest"] == PLAN.digest
    assert content["data_as_at"] == "2025-07-25"
    (source,) = content["sources"]
    assert source == {
        "file": "absence.csv", "sha256": "a" * 64, "rows_read": 1200, "rows_used": 1180,
        "excluded": {"not a council": 20},
    }  # fmt: skip
    listed = {each["csv"] for each in content["tables"]}
    assert listed == {f"tables/{path.name}" for path in (released / "tables").glob("*.csv")}
    absence, suspended = content["findings"]
    assert absence["id"].startswith("county/overall_absence_rate/census/2022-23+2023-24/2024-25/all/all/")
    assert (absence["verdict"], absence["value"], absence["truth"]) == ("cannot_tell", 0.0016, None)
    assert (suspended["verdict"], suspended["value"]) == ("not_assessed", None)


def test_tables_open_in_excel_and_power_bi(whole: tuple[RunResult, Path]) -> None:
    """UTF-8 with its mark, LF, one header; findings flat, and every column of the fixed tables explained."""
    latest = whole[1] / "dorset_public" / "latest"
    data = (latest / "findings.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in data
    rows = list(csv.DictReader(data.decode("utf-8-sig").splitlines()))
    assert [row["outcome"] for row in rows] == [
        "overall_absence_rate", "pupils_with_one_or_more_suspensions_rate",
    ]  # fmt: skip
    assert rows[0]["ci_95_low"] == "-0.0025"
    dictionary = list(csv.DictReader((latest / "dictionary.csv").read_text("utf-8-sig").splitlines()))
    explained = {(row["table"], row["column"]) for row in dictionary}
    assert {("findings", name) for name in rows[0]} <= explained
    assert len((latest / "levels.csv").read_text("utf-8").splitlines()) == 1 + 6


def test_what_was_not_cleared_stays_inside(whole: tuple[RunResult, Path]) -> None:
    """A stray print is left out and counted on its page and in the record; no machine's path leaves."""
    result, out = whole
    for name, data in files_of(result.folder / "released").items():
        assert b"stray line: pupil 12345\n" not in data, name
        assert str(out).encode() not in data, name
        assert str(small_study.HERE).encode() not in data, name
    assert "1 output left out: not cleared." in (result.folder / "released" / "01_levels.html").read_text("utf-8")
    record = json.loads((result.folder / "manifest.json").read_text("utf-8"))
    assert record["outputs_left_out"] == 1
    assert "01_levels: 1 output left out: not cleared." in result.lines


def test_the_record_says_what_decided_the_numbers(whole: tuple[RunResult, Path]) -> None:
    """Digests, seed, parameters, inputs, files with hashes; the clock stands here and nowhere else."""
    result, _ = whole
    record = json.loads((result.folder / "manifest.json").read_text("utf-8"))
    assert set(record["digests"]) == {"plan", "code", "lock", "extracts", "register"}
    assert record["digests"]["plan"] == PLAN.digest
    assert record["seed"] == PLAN.seed
    assert record["inputs"][0]["file_sha256"] == "f" * 64
    assert record["notebooks"][0]["parameters"]["report_year"] == "2024/25"
    written = {each["file"]: each["sha256"] for each in record["files"]}
    found = files_of(result.folder)
    assert written == {name: writing.sha256_of(data) for name, data in found.items() if name != "manifest.json"}
    assert {each["tier"] for each in record["files"]} == {"released", "restricted"}
    released = b"".join(data for name, data in found.items() if name.startswith("released/"))
    assert b"f" * 64 not in released
    assert record["started"][:10].encode() not in released


@pytest.mark.slow
def test_the_same_run_gives_the_same_bytes(
    whole: tuple[RunResult, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In another folder, with other jobs and later rows in the file: same id, same released bytes."""
    run = small_study.runner(monkeypatch, tmp_path, GOOD)

    def load(folders: Any, plan: Any, *, through: str, data_as_at: Any) -> Any:
        return small_study.extract(through, file_sha256="0" * 64)

    monkeypatch.setattr(reading, "load_extract", load)
    again = run(jobs=1)
    assert again.run_id == whole[0].run_id
    assert files_of(again.folder / "released") == files_of(whole[0].folder / "released")


def test_a_run_that_is_there_is_kept(
    whole: tuple[RunResult, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The second time says so and starts no kernel; a changed page is noticed; a dry run writes nothing."""
    shutil.copytree(whole[1], tmp_path / "out")
    run = small_study.runner(monkeypatch, tmp_path, GOOD)
    before = files_of(tmp_path / "out")
    monkeypatch.setattr(study, "run_notebooks", _never)
    kept = run()
    assert "already there" in kept.lines[0]
    assert files_of(tmp_path / "out") == before
    kept.index.write_text("changed", "utf-8")
    assert "would be written" in run(dry_run=True).lines[0]
    with pytest.raises(AssertionError):
        run()


def _never(*args: Any) -> None:
    raise AssertionError("a kernel was started")


def test_a_killed_run_leaves_only_what_the_next_one_resumes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stopped after one notebook: no run folder; run again: that notebook is kept, the rest is done."""
    two = {"01_quick": notebook("# One", BARE), "02_quick": notebook("# Two", BARE)}
    run = small_study.runner(monkeypatch, tmp_path, two)

    def stop(what: str, done: int, total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(progress=stop)
    folder = tmp_path / "out" / "dorset_public"
    (partial,) = folder.iterdir()
    assert partial.name.endswith(".partial")
    (marker,) = (partial / "restricted").glob("*.done.json")
    kept = partial / "restricted" / marker.name.replace(".done.json", ".ipynb")
    stamp = kept.stat().st_mtime_ns
    stray = folder / ".0123456789ab.partial"
    stray.mkdir()
    result = run()
    assert (result.folder / "restricted" / kept.name).stat().st_mtime_ns == stamp
    assert {path.name for path in folder.iterdir()} == {result.run_id, "latest"}


@pytest.mark.parametrize("there", [True, False])
def test_a_failing_notebook_leaves_nothing(there: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No half run, no list of runs, no folder that was not there before."""
    run = small_study.runner(monkeypatch, tmp_path, FAST)

    def fails(waves: Any, workers: int, finished: Any) -> None:
        waves[0][0].executed.write_text("half", "utf-8")
        raise ReportError("notebook 01_quick, cell 2")

    monkeypatch.setattr(study, "run_notebooks", fails)
    if there:
        (tmp_path / "out").mkdir()
    with pytest.raises(ReportError, match="notebook 01_quick, cell 2"):
        run()
    assert (tmp_path / "out").exists() is there
    assert files_of(tmp_path / "out") == {}


def test_the_audit_stops_a_release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What was cleared under another policy than the plan's is not released, and nothing is left."""
    run = small_study.runner(monkeypatch, tmp_path, FAST)
    small_study.without_kernels(monkeypatch, PLAN.model_copy(update={"policy": "dfe"}))
    with pytest.raises(DisclosureError, match="nothing was released"):
        run()
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_cannot_be_written_stops_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file in the way is named before anything is read."""
    run = small_study.runner(monkeypatch, tmp_path, FAST)
    monkeypatch.setattr(reading, "load_extract", _never)
    (tmp_path / "taken").write_text("", "utf-8")
    with pytest.raises(ReportError, match="taken is a file, not a folder"):
        run(out=tmp_path / "taken" / "deeper")


def test_one_study_has_one_writer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A second run of the same study at the same time is refused and disturbs nothing."""
    run = small_study.runner(monkeypatch, tmp_path, FAST)
    small_study.without_kernels(monkeypatch)
    code = (
        "import sys; from pathlib import Path\nfrom belonging_research.reports.writing import only_writer\n"
        "with only_writer(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "out" / "dorset_public")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=small_study.HERE.parent,
    )  # fmt: skip
    assert other.stdin is not None
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(ReportError, match="another run of dorset_public is writing"):
        run()
    other.communicate("")
    assert run().index.is_file()


def test_only_runs_one_notebook_and_says_what_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One page, an id of its own, no council page, `latest/` untouched; 09 alone is refused."""
    notebooks = {"01_quick": notebook("# Quick", BARE), "09_annual_report": GOOD["09_annual_report"]}
    run = small_study.runner(monkeypatch, tmp_path, notebooks)
    small_study.without_kernels(monkeypatch)
    result = run(only="01")
    assert result.run_id != run(dry_run=True).run_id
    assert {path.name for path in (result.folder / "released").glob("*.html")} == {
        "index.html", "annex.html", "01_quick.html",
    }  # fmt: skip
    assert "The council page needs every notebook and only 01_quick was run" in result.lines[-1]
    assert not (tmp_path / "out" / "dorset_public" / "latest").exists()
    with pytest.raises(CommandError, match="09_annual_report reads the results of the other notebooks"):
        run(only="09")


def test_the_report_year_is_the_latest_that_the_figures_reach(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Left open it follows the figures; one that the plan does not have is refused."""
    assert latest_year(PLAN, small_study.extract("2026/27", reach="2025/26")) == "2025/26"
    with pytest.raises(PanelError, match="end at 2023/24, before the plan's first year 2024/25"):
        latest_year(PLAN, small_study.extract("2026/27", reach="2023/24"))
    run = small_study.runner(monkeypatch, tmp_path, FAST)
    with pytest.raises(CommandError, match="2023/24: plan dorset_public has 2024/25, 2025/26, 2026/27"):
        run(report_year="2023/24")
    assert not (tmp_path / "out").exists()


def test_the_id_changes_with_what_decides_the_numbers_only(tmp_path: Path) -> None:
    """Each digest, year, date, policy and choice of notebook counts; line ends and folders do not."""
    same: Mapping[str, Any] = {
        "report_year": "2024/25",
        "data_as_at": None,
        "asked": None,
        "policy": "council",
        "only": None,
    }
    ids = {
        run_id_of({"plan": "p"}, **same),
        run_id_of({"plan": "q"}, **same),
        run_id_of({"plan": "p"}, **{**same, "report_year": "2025/26"}),
        run_id_of({"plan": "p"}, **{**same, "data_as_at": small_study.AS_AT}),
        run_id_of({"plan": "p"}, **{**same, "asked": small_study.AS_AT}),
        run_id_of({"plan": "p"}, **{**same, "policy": "dfe"}),
        run_id_of({"plan": "p"}, **{**same, "only": "01"}),
    }
    assert len(ids) == 7
    assert all(len(each) == 12 for each in ids)
    for name, end in (("unix", b"\n"), ("windows", b"\r\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "01.ipynb").write_bytes(b"{" + end + b"}")
    assert code_digest(tmp_path / "unix") == code_digest(tmp_path / "windows")
    (tmp_path / "windows" / "01.ipynb").write_bytes(b"{ }")
    assert code_digest(tmp_path / "unix") != code_digest(tmp_path / "windows")


def test_the_door_at_render_reads_bytes_not_promises(tmp_path: Path) -> None:
    """A sealed sheet enters; the same with one byte changed, without its mark or its ledger does not."""
    door = open_door(PLAN, through=tmp_path / "l.jsonl")
    sheet = tabulate(clear(small_study.levels(), door, name="levels"), title="Levels")
    data, metadata = sheet._repr_mimebundle_()
    good = {"output_type": "display_data", "data": data, "metadata": metadata}
    assert cleared_display(good, door.entries) is not None
    changed = {"text/html": data["text/html"].replace("0.07", "0.08")}
    mark = {**metadata["belonging"], "sha256": writing.sha256_of(changed["text/html"])}
    assert cleared_display({**good, "data": changed}, door.entries) is None
    assert cleared_display({**good, "data": changed, "metadata": {"belonging": mark}}, door.entries) is None
    assert cleared_display({**good, "metadata": {}}, door.entries) is None
    assert cleared_display({**good, "metadata": {"belonging": "yes"}}, door.entries) is None
    assert cleared_display(good, ()) is None
    extra = {**good, "data": {**data, "text/markdown": "pupil 7"}}
    shown = cleared_display(extra, door.entries)
    assert shown is not None
    assert "pupil 7" not in shown.html


def test_a_picture_without_words_fails_the_build(tmp_path: Path) -> None:
    """Alternative text is not optional, even where a seal is in order."""
    door = open_door(PLAN, through=tmp_path / "l.jsonl")
    entry = clear(small_study.levels(), door).entry
    seal = door.seal("picture", "<svg/>", (entry,), mime="image/svg+xml", title="Absence", alt=" ")
    mark = {"entry": seal.entry, "sha256": seal.sha256, "kind": "picture", "mime": "image/svg+xml"}
    output = {"data": {"image/svg+xml": "<svg/>"}, "metadata": {"belonging": mark}}
    with pytest.raises(ReportError, match="'Absence': no alternative text"):
        cleared_display(output, door.entries)


def test_words_cannot_smuggle_markup_or_pictures() -> None:
    """Raw HTML is shown as text, pictures give their words only, harmful links lead nowhere."""
    text = words_to_html("# Big\n\n<img src=x onerror=a> ![a pupil](http://x/y.png) [go](javascript:alert)")
    assert "<img" not in text
    assert "http://x" not in text
    assert 'href="javascript' not in text
    assert "<h2>Big</h2>" in text
    page = render("02_x", notebook("# Title *here*\n\nText"), ())
    assert page.title == "Title here"
    assert "Title" not in page.body


def test_a_finding_is_one_and_the_same_everywhere(tmp_path: Path) -> None:
    """Cleared twice alike it stands once; with other figures it is an error that names both notebooks."""
    door, other = open_door(PLAN), open_door(PLAN)
    findings = small_study.findings(PLAN)
    clear(findings, door)
    clear(findings[0], other)
    assert len(results.findings_of({"04": door.entries, "09": other.entries})) == 2
    estimate = findings[0].estimate
    assert estimate is not None
    changed = dataclasses.replace(findings[0], estimate=dataclasses.replace(estimate, value=0.002))
    third = open_door(PLAN)
    clear(changed, third)
    with pytest.raises(ReportError, match="04 and 09 cleared different figures"):
        results.findings_of({"04": door.entries, "09": third.entries})


def test_truth_is_joined_last_and_of_the_row_itself() -> None:
    """A made-up world is asked for the row's own estimand; one it lacks stays null."""
    asked: list[tuple[Any, ...]] = []

    class World:
        def effect(self, outcome: str, source: str, phase: str, post: Any, unit: str, subgroup: str) -> float | None:
            asked.append((outcome, source, phase, post, unit, subgroup))
            return -0.0025 if outcome == "overall_absence_rate" else None

    door = open_door(PLAN)
    clear(small_study.findings(PLAN), door)
    rows = results.findings_of({"09": door.entries}, World())
    assert [row["truth"] for row in rows] == [-0.0025, None]
    assert asked[0] == ("overall_absence_rate", "census", "all", ("2024/25",), "proportion", "all")


def test_no_number_that_is_none_is_written() -> None:
    """NaN never reaches JSON; a spreadsheet cannot run a cell, and a negative number stays a number."""
    with pytest.raises(ReportError, match="NaN or infinite"):
        writing.canonical_json({"value": float("nan")})
    text = writing.csv_text(("a", "b", "c"), [("=1+1", -0.5, "-0.3 points"), (None, True, "5 to 10")])
    assert text == "a,b,c\n'=1+1,-0.5,-0.3 points\n,true,5 to 10\n"


def test_a_file_that_a_sync_client_holds_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rename refused at first succeeds later; refused for good it says who may hold the file."""
    monkeypatch.setattr(writing.time, "sleep", lambda seconds: None)
    tries: list[int] = []

    def held(times: int) -> None:
        tries.append(1)
        if len(tries) < times:
            raise PermissionError

    writing.patiently(lambda: held(3), "report")
    assert len(tries) == 3
    with pytest.raises(ReportError, match=r"report: another program \(a sync client"):
        writing.patiently(lambda: held(99), "report")


def test_an_old_run_makes_way_only_for_a_finished_one(tmp_path: Path) -> None:
    """Putting a folder in place replaces the one of that name and leaves neither the partial nor the old."""
    for name, text in ((".a.partial", "new"), ("a", "old")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(text, "utf-8")
    writing.put_in_place(tmp_path / ".a.partial", tmp_path / "a")
    assert files_of(tmp_path) == {"a/f": b"new"}


def test_every_failure_here_is_one_that_a_user_can_mend() -> None:
    """The room's errors are the house's, with the exit code for notebooks and pages."""
    assert issubclass(ReportError, BelongingError)
    assert ReportError.exit_code == 9
    assert nbformat.current_nbformat == 4


@pytest.mark.parametrize(
    ("value", "unit", "printed"),
    [
        (0.0025, "proportion", "0.25"),
        (0.00025, "proportion", "0.025"),
        (-0.00003, "proportion", "−0.003"),
        (-0.000001, "proportion", "0.000"),
        (-0.0031, "proportion", "−0.31"),
        (-0.0001, "log_ratio", "0.000"),
        (None, "proportion", "none"),
    ],
)
def test_an_effect_in_the_annex_is_never_minus_nothing(value: float | None, unit: str, printed: str) -> None:
    """Small sizes keep the digits of the size that matters; what rounds to nothing has no sign."""
    assert annex.number(value, unit) == printed


def test_the_annex_sets_the_promise_beside_what_the_pages_print(whole: tuple[RunResult, Path]) -> None:
    """Two numbers of one test stand in columns that say which is the promise and which counts the years since."""
    row = json.loads((whole[0].folder / "released" / "results.json").read_text("utf-8"))["findings"][0]
    row |= {"noticed": 0.0084, "noticed_chance": 0.004, "detectable": 0.0066, "power_at_sesoi": 0.05}
    table = annex.findings_shown([row | {"unit": "proportion"}])
    shown = dict(zip(table.columns, table.rows[0], strict=True))
    assert (shown["noticed"], shown["noticed_chance"]) == ("0.84", "0.00")
    assert (str(shown["detectable"]).split(" (")[0], shown["power"]) == ("0.66", "0.05")
    page = (whole[0].folder / "released" / "annex.html").read_text("utf-8")
    assert page.count("as promised before outcomes were read</th>") == 2
    assert page.count("years since counted</th>") == 2
