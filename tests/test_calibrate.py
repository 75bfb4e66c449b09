"""Calibration: worlds that must not fool the pipeline, and the honesty of the rows that say how often it was right."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from small_country import outcomes, plan

from belonging_research import calibrate
from belonging_research.calibrate import COUNTY_WORLDS, councils, running
from belonging_research.calibrate.councils import (
    in_its_place,
    panels_of,
    place_every_council,
    plan_at,
    planted,
    windows,
)
from belonging_research.calibrate.drawing import draw_outcomes
from belonging_research.calibrate.rows import Tried, summarise
from belonging_research.calibrate.studies import DECIDED, PRIMARY, conduct_study, findings_at, what_decides
from belonging_research.checks import CHECKS, ONLY_CAUTIONS, calibrated, run_checks
from belonging_research.errors import BelongingError, CommandError
from belonging_research.estimators import estimate
from belonging_research.findings import assess
from belonging_research.outcomes import derive_outcomes
from belonging_research.panel import Panel, build_panel, series
from belonging_research.plan import Plan
from belonging_research.reports import calibration
from belonging_research.reports.calibration import run_calibration
from belonging_research.sources import load_extract


def _plan() -> Plan:
    """The shipped plan as it is tried: without the check that reads a calibration."""
    return plan().model_copy(update={"checks": tuple(n for n in plan().checks if n != "calibrated_size")})


def _tried(**changes: Any) -> Tried:
    usual: dict[str, Any] = {
        "groups": ("all", "middle"), "truth": 0.0, "value": 0.001, "low": -0.003, "high": 0.005,
        "verdict": "cannot_tell", "said_wrong": False, "noticed": False, "passed": True, "caught": None,
        "detectable": 0.005,
    }  # fmt: skip
    return Tried(**{**usual, **changes})


def _rows(tried: list[Tried], *, is_null: bool = True) -> calibrate.Row:
    return summarise(
        tried, part="a", world="w", sentence="s", outcome=PRIMARY, better="lower", fair=True, catcher="inference",
        is_null=is_null,
    )[0]  # fmt: skip


def test_shares_errors_and_groups_by_hand() -> None:
    """Two of eight wrong; errors at the nominal rate, never 0; one row a group."""
    tried = [_tried(said_wrong=n < 2, verdict="better_than_expected" if n < 2 else "cannot_tell") for n in range(8)]
    rows = summarise(
        [*tried, _tried(groups=("all", "smallest"), low=0.001)], part="a", world="w", sentence="s", outcome=PRIMARY,
        better="lower", fair=True, catcher=None, is_null=True,
    )  # fmt: skip

    assert [row.group for row in rows] == ["all", "smallest", "middle"]
    everyone = rows[0]
    assert everyone.n_worlds == 9
    assert everyone.false_verdicts == pytest.approx(2 / 9)
    assert everyone.false_verdicts_mcse == pytest.approx(math.sqrt(0.05 * 0.95 / 9))
    assert everyone.coverage == pytest.approx(8 / 9)
    assert everyone.coverage_mcse == pytest.approx(math.sqrt(0.95 * 0.05 / 9))
    assert everyone.said_better == pytest.approx(2 / 9)
    assert everyone.right_verdicts is None
    assert everyone.bias == pytest.approx(0.001)


def test_wrong_sign_and_exaggeration_are_of_the_noticed() -> None:
    """Type S and M by hand: truth -1, noticed at -2 and +1, a third not noticed."""
    tried = [
        _tried(truth=-0.01, value=-0.02, noticed=True, verdict="better_than_expected"),
        _tried(truth=-0.01, value=0.01, noticed=True, verdict="worse_than_expected"),
        _tried(truth=-0.01, value=-0.001),
    ]
    row = _rows(tried, is_null=False)

    assert row.type_s == pytest.approx(1 / 2)
    assert row.type_m == pytest.approx(1.5)
    assert row.right_verdicts == pytest.approx(1 / 3)
    assert row.false_verdicts is None


def test_every_world_names_a_check_or_says_that_nothing_can() -> None:
    """A catcher is a check, the inference, or None for exactly one world, which is then not fair."""
    uncatchable = [world.name for world in COUNTY_WORLDS.values() if world.catcher is None]
    assert uncatchable == ["drift_after_the_start"]
    for world in COUNTY_WORLDS.values():
        assert world.catcher is None or world.catcher == "inference" or world.catcher in CHECKS
        assert world.fair == (world.catcher == "inference")


@pytest.mark.parametrize("name", list(COUNTY_WORLDS))
def test_a_world_is_true_to_its_sentence(name: str) -> None:
    """The pipeline reads each world; drawing again with the same key gives the same table; effects are as said."""
    world, of = COUNTY_WORLDS[name], _plan()
    drawn = draw_outcomes(world, of, of.rng("x"), detectable=0.005)
    again = draw_outcomes(world, of, of.rng("x"), detectable=0.005)

    assert drawn.outcomes.equals(again.outcomes)
    expected = [effect / 100 + world.effect_in_detectable * 0.005 for effect in world.effect]
    assert drawn.effect == pytest.approx(expected)
    assert world.is_null == (not any(expected))
    panel = build_panel(drawn.outcomes, of)
    assert len(panel.donors) >= 99  # a p-value of 1% can be reached
    assert set(panel.treated) == {of.treated[0].unit}


def test_the_effect_of_a_world_is_in_its_figures() -> None:
    """Half a point less in each year since the start, and nothing else, tells the two worlds apart."""
    of = _plan()
    with_effect = build_panel(draw_outcomes(COUNTY_WORLDS["effect_0.5"], of, of.rng("y")).outcomes, of)
    without = build_panel(draw_outcomes(COUNTY_WORLDS["nothing_happened"], of, of.rng("y")).outcomes, of)

    gap = series(with_effect, PRIMARY, source="census") - series(without, PRIMARY, source="census")
    assert gap.loc["838", list(of.post)].to_numpy() == pytest.approx([-0.005] * 3)
    assert np.abs(gap.drop(index="838").to_numpy()).max() < 1e-12
    assert np.abs(gap[list(of.base)].to_numpy()).max() < 1e-12


@pytest.mark.parametrize("name", ["nothing_happened", "drift_large", "effect_1.0", "recoded_registers"])
def test_the_short_way_to_a_verdict_is_the_long_one(name: str) -> None:
    """Where no more than "cannot tell" can come out, running every check gives just that; cautions decide nothing."""
    of = _plan()
    panel = build_panel(draw_outcomes(COUNTY_WORLDS[name], of, of.rng("z", name)).outcomes, of)

    short = {k: f.verdict if f else "cannot_tell" for k, f in findings_at(panel, what_decides(of)).items()}
    left = run_checks(estimate(panel, of, PRIMARY), panel, of, only=tuple(ONLY_CAUTIONS))
    assert len(left) >= 3 and {check.severity for check in left} == {"caution"}
    whole = {f.outcome: f.verdict for f in assess(panel, of, beside=False).main if f.role == "primary"}

    assert {k: v for k, v in short.items() if k in whole} == {k: v for k, v in whole.items() if k in short}
    assert set(whole) <= set(short)
    early = panel.at(of.looks[0].report_year)
    told = findings_at(early, what_decides(of))
    (first,) = [f for f in assess(early, of, beside=False).main if f.outcome == PRIMARY]
    said = told[PRIMARY]
    assert (said.verdict if said else "cannot_tell") == first.verdict


def test_nothing_is_said_where_nothing_was_done_and_something_where_much_was() -> None:
    """A fast calibration: at most 3 of 30 false, most of 12 right, and "cannot tell" always would fail."""
    of = _plan()
    null = [conduct_study(COUNTY_WORLDS["nothing_happened"], of, n) for n in range(30)]
    effect = [conduct_study(COUNTY_WORLDS["effect_twice_detectable"], of, n) for n in range(12)]

    # 5% false of 30: four or more would happen once in sixteen runs; these 30 are the same each time.
    assert sum(study.verdict in DECIDED for study in null) <= 3
    assert sum(study.verdict == "better_than_expected" for study in effect) >= 8
    assert not any(study.verdict == "worse_than_expected" for study in effect)
    assert sum(study.low <= study.truth <= study.high for study in [*null, *effect]) >= 36


@pytest.mark.parametrize("name", ["schools_joining", "unsettled_snapshots", "recoded_registers"])
def test_the_named_check_catches_its_world(name: str) -> None:
    """Worlds that fool the inference by a fault of the figures are caught each time, so nothing is claimed."""
    for number in range(3):
        study = conduct_study(COUNTY_WORLDS[name], _plan(), number)
        assert study.caught is True
        assert study.verdict not in DECIDED


@pytest.fixture(scope="module")
def real_panels(real: Path) -> dict[str, Panel]:
    """The real files through the plan's first year, one panel a judged year."""
    extract = load_extract(real, plan(), through="2024/25")
    return panels_of(derive_outcomes(extract, plan()), plan(), extract.neighbours)


def test_every_real_council_is_judged_by_an_earlier_year(real_panels: dict[str, Panel]) -> None:
    """147 councils in 2024/25 by critical values of 2023/24; at 1% within two Monte Carlo errors."""
    window = windows(plan())[-1]
    placed = place_every_council(real_panels, plan(), PRIMARY, window)

    assert (window.judged, window.carried_from) == ("2024/25", "2023/24")
    others = ~placed.is_treated
    assert others.sum() == 147
    size = float(np.mean(placed.p_values()[others] <= 0.01))
    assert size <= 0.01 + 2 * math.sqrt(0.01 * 0.99 / 147)
    # Nobody is among the placebos that judge it.
    own = [placed.units.index(unit) for unit in placed.units]
    assert all(np.isnan(placed.z[place]).sum() <= 1 for place in own)


@pytest.mark.parametrize(("n_far", "status"), [(0, "pass"), (9, "pass"), (10, "fail"), (40, "fail")])
def test_a_council_is_judged_by_how_the_others_are(n_far: int, status: str) -> None:
    """5% of 99 others and two errors are 9.4%: 10 that are noticed are too many. Neither it nor the treated counts."""
    n = 101
    errors = np.zeros(n)
    errors[2 : 2 + n_far] = 9.0
    errors[:2] = 9.0  # the treated one and the council that is judged
    placed = councils.Placed(
        window=windows(plan())[-1], outcome=PRIMARY, units=tuple(map(str, range(n))), regions=("",) * n,
        thirds=("",) * n, errors=errors, scales=np.ones(n), z=np.repeat(np.linspace(-2, 2, 100)[None], n, axis=0),
        is_treated=np.arange(n) == 0,
    )  # fmt: skip
    found = councils._calibrated_elsewhere(placed, 1)

    assert (found.status, found.severity, found.value) == (status, "fatal", n_far / 99)
    assert found.limit == pytest.approx(0.05 + 2 * math.sqrt(0.05 * 0.95 / 99))


def test_across_the_pandemic_no_council_is_judged(real_panels: dict[str, Panel]) -> None:
    """Critical values of 2018/19 notice too much in 2023/24, so of the most extreme council nothing is said."""
    window = windows(plan())[1]
    placed = place_every_council(real_panels, plan(), PRIMARY, window)
    far = placed.units[int(np.argmax(np.abs(placed.errors / placed.scales)))]

    assert (window.judged, window.carried_from) == ("2023/24", "2018/19")
    assert placed.p_values()[placed.units.index(far)] < 0.05
    assert councils.verdict_of(real_panels["2023/24"], plan(), placed, far)[0] == "cannot_tell"
    # And the row says what would have been said without the check, which is of the same councils.
    near = [placed.units[place] for place in np.flatnonzero(placed.p_values() <= 0.05)]
    without = [councils.verdict_of(real_panels["2023/24"], plan(), placed, unit)[1] for unit in near[:4]]
    assert any(verdict in DECIDED for verdict in without)


def test_a_planted_effect_moves_one_council_alone(real_panels: dict[str, Panel]) -> None:
    """One point less in one council moves its estimate by one point and the others' outcome by nothing."""
    panel, at = real_panels["2024/25"], plan_at(plan(), "2024/25", unit="850", name="Hampshire")
    here = in_its_place(panel, "850")
    with_effect = planted(here, "850", PRIMARY, "2024/25", -0.01)

    before, after = (estimate(each, at, PRIMARY, source="census") for each in (here, with_effect))
    assert after.value - before.value == pytest.approx(-0.01)
    assert before.weights == after.weights


def test_a_year_without_figures_has_no_panel() -> None:
    """A country that begins in 2020/21 has no window before the covid years: left out, not made up."""
    assert set(panels_of(outcomes(), plan(), None)) == {"2023/24", "2024/25"}


def test_a_calibration_is_resumed_and_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after its first piece, it goes on from there; the bytes are those of a run that was left alone."""
    monkeypatch.setattr(running, "CHUNK", 1)
    wanted: dict[str, Any] = {"data": (), "worlds": 3, "only": ("nothing_happened",)}
    run_calibration(plan(), out=tmp_path / "alone", **wanted)
    done: list[str] = []

    def stop_after_one(*args: Any, **kwargs: Any) -> Iterator[Any]:
        for number, each in enumerate(running.do_all(*args, **kwargs)):
            if number == 1:
                raise KeyboardInterrupt
            done.append(each[0].key)
            yield each

    monkeypatch.setattr(calibration, "do_all", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        run_calibration(plan(), out=tmp_path / "killed", **wanted)
    assert not list((tmp_path / "killed").rglob("calibration.json"))

    def count(tasks: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        done.extend(task.key for task in tasks)
        return running.do_all(tasks, *args, **kwargs)

    monkeypatch.setattr(calibration, "do_all", count)
    made = run_calibration(plan(), out=tmp_path / "killed", **wanted)

    assert len(done) == len(set(done)) == 3
    (alone,) = (tmp_path / "alone").rglob("released")
    for path in alone.iterdir():
        assert (made.folder / "released" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_a_killed_calibration_leaves_nobody_working(tmp_path: Path) -> None:
    """Its processes end with it: pieces take minutes, and nobody waits for them."""
    words = [
        "calibrate",
        "--plan",
        "dorset_public",
        "--only",
        "nothing_happened",
        "--out",
        str(tmp_path),
        "--jobs",
        "2",
    ]
    started = subprocess.Popen([sys.executable, "-m", "belonging_research", *words], stderr=subprocess.DEVNULL)
    of_it: list[psutil.Process] = []
    try:
        until = time.monotonic() + 60
        # Two that draw and judge, and have done so for a moment.
        while sum(each.cpu_times().user > 2 for each in of_it if each.is_running()) < 2 and time.monotonic() < until:
            time.sleep(0.5)
            of_it = psutil.Process(started.pid).children(recursive=True)
        assert len(of_it) >= 2
    finally:
        started.kill()
        started.wait()
    _, left = psutil.wait_procs(of_it, timeout=15)
    for each in left:
        each.kill()
    assert left == []


def test_the_page_and_the_record(tmp_path: Path) -> None:
    """Rows carry what outside tools rely on, without NaN; the page has one h1, says DRAFT, and asks for nothing."""
    made = run_calibration(plan(), data=(), worlds=2, only=("nothing_happened", "harm"), out=tmp_path)

    record = json.loads((made.folder / "released" / "calibration.json").read_text("utf-8"))
    assert record["schema"] == "belonging-calibration/1"
    assert record["plan_digest"] == plan().digest
    needed = {
        "part", "world", "layer", "group", "n_worlds", "false_verdicts", "false_verdicts_mcse", "coverage",
        "coverage_mcse", "right_verdicts", "type_s", "type_m", "cannot_tell", "bias", "fair", "catcher", "caught",
    }  # fmt: skip
    assert all(needed <= set(row) for row in record["rows"])
    by_world = {row["world"]: row for row in record["rows"] if row["group"] == "all"}
    assert by_world["nothing_happened"]["false_verdicts"] is not None
    assert by_world["harm"]["false_verdicts"] is None
    page = made.index.read_text("utf-8")
    assert page.count("<h1") == 1 and "DRAFT" in page and "http" not in page.replace("http-equiv", "")


def test_a_part_that_is_none_is_refused(tmp_path: Path) -> None:
    """A misspelt world is said, and nothing is written."""
    with pytest.raises(CommandError, match="no part"):
        run_calibration(plan(), data=(), only=("nothing_hapened",), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_real_councils_need_figures() -> None:
    """Parts b and c without files is an error that says so."""
    task = running.Task(part="b", name=windows(plan())[-1].name, first=0, last=1)
    with pytest.raises(BelongingError, match="--data"):
        running.do(task, plan(), None)


def _shipped(folder: Path, monkeypatch: pytest.MonkeyPatch, **row: Any) -> None:
    """A record of one row for the shipped plan, where the check looks for it."""
    usual = {"part": "b", "world": "2024/25 by 2023/24", "group": "all", "outcome": PRIMARY, "n_worlds": 147,
             "size_01": 0.02, "size_03": 0.06, "size_05": 0.07, "said_better": 0.01, "said_worse": 0.02,
             "cannot_tell": 0.97, "coverage": 0.93}  # fmt: skip
    path = folder / "record.json"
    path.write_text(json.dumps({"rows": [usual | row]}), "utf-8")
    monkeypatch.setattr(calibrated, "find_calibration", lambda digest: path if digest == plan().digest else None)


@pytest.mark.parametrize(
    ("size", "status"), [(0.0, "pass"), (0.02, "pass"), (0.026, "pass"), (0.027, "fail"), (0.2, "fail")]
)
def test_more_false_alarms_than_the_look_allows_is_fatal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: float, status: str
) -> None:
    """At 1% and 147 councils two Monte Carlo errors reach 2.64%; the counts that pages quote go with it."""
    _shipped(tmp_path, monkeypatch, size_01=size)
    panel = build_panel(outcomes(), plan())
    (found,) = calibrated.calibrated_size(estimate(panel, plan(), PRIMARY), panel, plan())

    assert (found.status, found.severity, found.value) == (status, "fatal", size)
    assert found.limit == pytest.approx(0.01 + 2 * math.sqrt(0.01 * 0.99 / 147))
    assert found.table is not None and found.table.to_pylist()[0]["said_worse"] == 0.02
    assert "147 other councils" in found.sentence


@pytest.mark.parametrize(
    "row", [{"outcome": "severe_absence_rate"}, {"size_01": None}, {"part": "c"}, {"world": "2018/19 by 2017/18"}]
)
def test_what_was_not_measured_is_a_caution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: dict[str, Any]
) -> None:
    """Another outcome, level, part or year says nothing of this finding."""
    _shipped(tmp_path, monkeypatch, **row)
    panel = build_panel(outcomes(), plan())
    (found,) = calibrated.calibrated_size(estimate(panel, plan(), PRIMARY), panel, plan())

    assert (found.status, found.severity, found.value) == ("no_test", "serious", None)
