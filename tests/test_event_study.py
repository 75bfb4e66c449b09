"""Schools by half-terms since their start: counted by hand, the estimator's own bands, and no school's own line."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import REPOSITORY
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from belonging_research.checks.result import CheckResult
from belonging_research.disclosure import Cleared, LedgerEntry, audit, clear, open_door, vouch
from belonging_research.disclosure.payload import canonical
from belonging_research.errors import DisclosureError
from belonging_research.estimators.result import Estimate, PathPoint
from belonging_research.estimators.staggered import GroupTimeEffects, group_time_effects, staggered
from belonging_research.estimators.staggered.estimating import _path
from belonging_research.findings import Candidate, SchoolAssessment, judge_all
from belonging_research.findings.school_paths import paths_of
from belonging_research.panel.schools import SchoolPanel, panel_of_arrays
from belonging_research.plan import Plan, read_plan
from belonging_research.present import lint, plot
from belonging_research.present.display import Picture
from belonging_research.reports.results import paths_table

PLAN = read_plan(REPOSITORY / "notebooks" / "plans" / "simulated_county.toml")
HALVES = 12
COHORTS = (4, 6, 9)
FEWEST = 3


def a_panel(sizes: tuple[int, ...], never: int, *, seed: int = 0, blocks: int = 1) -> SchoolPanel:
    """``sizes`` schools that start at each of :data:`COHORTS`, ``never`` that do not; each a pyramid of its own."""
    rng = np.random.default_rng(seed)
    starts: list[int | None] = [start for start, n in zip(COHORTS, sizes, strict=True) for _ in range(n)]
    starts += [None] * never
    schools = [f"s{n:02d}" for n in range(len(starts)) for _ in range(blocks)]
    own = [start for start in starts for _ in range(blocks)]
    possible = np.full((len(own), HALVES), 1000.0)
    absent = np.round(70 + rng.normal(0, 8, possible.shape) + rng.normal(0, 10, (len(own), 1)))
    return panel_of_arrays(
        outcome="overall_absence_rate",
        units=[f"{school}/Y{n % blocks}" for n, school in enumerate(schools)],
        periods=[f"h{half:02d}" for half in range(HALVES)],
        numerator=absent,
        denominator=possible,
        adoption=own,
        clusters=schools,
        schools=schools,
        blocks=[f"Y{n % blocks}" for n in range(len(own))],
    )


def effects_of(panel: SchoolPanel, **asked: Any) -> GroupTimeEffects:
    """With few draws: the band's width is not what is tested."""
    return group_time_effects(panel, rng=np.random.default_rng(3), draws=49, **asked)


def an_estimate(path: tuple[PathPoint, ...], plan: Plan = PLAN) -> Estimate:
    """A plausible estimate of schools with a path."""
    own = plan.of_schools
    return Estimate(
        outcome="overall_absence_rate", unit="proportion", estimand="effect on the rate", method="group_time_effects",
        layer="school", phase="all", subgroup=None, source="register", base=("2022/23", "2023/24"),
        post=("2024/25", "2025/26"), plan_digest=own.digest, panel_digest="0" * 64, value=-0.0123, actual=0.07,
        predicted=0.0823, std_error=0.002, p_value=0.001, inference="randomisation", n_reference=1999, n_treated=40,
        n_units=80, intervals={"0.9": (-0.016, -0.009), "0.95": (-0.017, -0.008)}, n_clusters=30, n_pupils=9000,
        detectable=0.005, detectable_05=0.005, detectable_realised_05=0.005, power_at_sesoi=0.4, type_m=1.5,
        detectable_how="false starts", weights={}, path=path, registered=True,
    )  # fmt: skip


def an_assessment(path: tuple[PathPoint, ...], *, report_year: str = "2025/26") -> SchoolAssessment:
    """Schools with that path and nothing else."""
    own = PLAN.of_schools
    checks = tuple(
        CheckResult(name=name, status="pass", severity="serious", value=0.1, limit=0.2, power=None, sentence="Yes.")
        for name in own.checks
    )
    estimate = replace(an_estimate(path), post=tuple(year for year in own.post if year <= report_year))
    row = Candidate.of(estimate, checks, is_registered_row=True, imbalance=0.0)
    findings = judge_all((row,), own, report_year=report_year)
    return SchoolAssessment(
        findings=findings,
        left_out=(),
        starts=_school_table({"starts": pa.array([], pa.string()), "schools": _NONE, "pupils": _NONE}),
        interventions=_school_table({"intervention": pa.array([], pa.string()), "schools": _NONE}),
        every_school_starts=False,
        at_equal_history=False,
        measured="",
        paths=paths_of(findings),
    )


_NONE = pa.array([], pa.int64())


def _school_table(columns: dict[str, pa.Array]) -> pa.Table:
    return pa.table(columns).replace_schema_metadata({"layer": "school"})


def path_of(sizes: tuple[int, ...], never: int, **asked: Any) -> tuple[PathPoint, ...]:
    """The path as the registered estimate carries it."""
    panel = a_panel(sizes, never)
    return _path(staggered(panel), effects_of(panel, **asked))


def cleared_rows(path: tuple[PathPoint, ...]) -> list[dict[str, Any]]:
    """The path's rows as the council policy lets them out."""
    cleared: Cleared[SchoolAssessment] = clear(an_assessment(path), open_door(PLAN))
    rows: list[dict[str, Any]] = cleared.value.paths.to_pylist()
    return rows


# --- how many schools stand behind an event time ----------------------------------------------------------------------


def test_schools_behind_an_event_time_are_counted_by_hand() -> None:
    """4, 3 and 2 schools start at half-terms 4, 6 and 9 of 12, 5 never do.

    At 2 after, all 9 had started; the first cohort is at half-term 6 beside the last and those that never start, the
    last at 11 beside those alone: 7 in all. At 7 after only the first is there. At 8 before only the last, beside those
    that never start: it is measured from half-term 8, when the others had started.
    """
    found = {each.event_time: (each.n_started, each.n_beside) for each in effects_of(a_panel((4, 3, 2), 5)).path}
    assert found[2] == (9, 7)
    assert found[7] == (4, 5)
    assert found[-8] == (2, 5)
    assert found[-9] == (2, 5)
    assert min(found) == -9
    assert max(found) == 7


def test_a_school_of_several_year_groups_is_one_and_needs_its_like() -> None:
    """Two year groups a school count once; a year group that nobody beside has counts for nobody."""
    twice = {
        each.event_time: (each.n_started, each.n_beside) for each in effects_of(a_panel((4, 3, 2), 5, blocks=2)).path
    }
    once = {each.event_time: (each.n_started, each.n_beside) for each in effects_of(a_panel((4, 3, 2), 5)).path}
    assert twice == once
    panel = a_panel((4, 3, 3), 5, blocks=2)
    alone = [panel.schools[n] == "s00" for n in range(len(panel.units))]
    own = replace(
        panel, blocks=tuple("Y9" if is_own else block for is_own, block in zip(alone, panel.blocks, strict=True))
    )
    found = {each.event_time: (each.n_started, each.n_beside) for each in effects_of(own).path}
    assert found[7] == (3, 5)


def _recount(sizes: tuple[int, ...], never: int) -> dict[int, tuple[int, int]]:
    """Sides of each event time from cohort sizes alone: who had not started by both half-terms, in another cohort."""
    there = {start: n for start, n in zip(COHORTS, sizes, strict=True) if n}
    last = HALVES if never else max(there, default=0)
    found: dict[int, tuple[set[int], set[int]]] = {}
    for start, half in itertools.product(there, range(last)):
        if start >= last or half == start - 1:
            continue
        beside = {other for other in there if other > max(half, start - 1) and other != start} | (
            {99} if never else set()
        )
        if beside:
            own, others = found.setdefault(half - start, (set(), set()))
            own.add(start)
            others |= beside
    n = {**there, 99: never}
    return {event: (sum(n[s] for s in own), sum(n[s] for s in others)) for event, (own, others) in found.items()}


SIZES = st.tuples(*(st.integers(0, 5) for _ in COHORTS))


@settings(max_examples=60, deadline=None)
@given(sizes=SIZES, never=st.integers(0, 5))
def test_no_single_schools_event_time_leaves(sizes: tuple[int, ...], never: int) -> None:
    """Whatever the cohorts' sizes: what leaves has three schools on both sides, and subtraction finds no fewer.

    Who has the overall difference and every shown half-term since the start knows the sum of the hidden ones at most:
    behind that sum stand three schools too, on both sides, or nothing is shown.
    """
    assume(_recount(sizes, never) and any(event >= 0 for event in _recount(sizes, never)))
    path = path_of(sizes, never)
    behind = _recount(sizes, never)
    assert {point.event_time for point in path} - {-1} == set(behind)
    rows = {row["half_terms_since"]: row for row in cleared_rows(path)}
    shown = {event for event, row in rows.items() if row["difference"] is not None} - {-1}
    assert all(min(behind[event]) >= FEWEST for event in shown)
    few = {event for event in behind if min(behind[event]) < FEWEST}
    hidden = set(behind) - shown
    since = {event for event in behind if event >= 0}
    with_them = hidden - few
    assert few <= hidden
    assert len(with_them) <= 1
    assert bool(with_them) == bool(few & since and since - few)
    if hidden & since and shown & since:
        assert any(min(behind[event]) >= FEWEST for event in hidden & since)
    for event in hidden:
        assert {
            rows[event][name] for name in rows[event] if name not in ("finding", "half_terms_since", "suppressed")
        } == {None}


# --- what leaves ------------------------------------------------------------------------------------------------------


def test_differences_and_bands_are_the_estimators() -> None:
    """12 and 12 pyramids: each row is the group-time effect and its simultaneous band, to a tenth of a point."""
    panel = a_panel((4, 4, 4), 12)
    effects = effects_of(panel)
    rows = {row["half_terms_since"]: row for row in cleared_rows(_path(staggered(panel), effects))}
    for each in effects.path:
        row = rows[each.event_time]
        assert row["difference"] == pytest.approx(each.value, abs=0.00051)
        assert row["difference_low"] == pytest.approx(each.low, abs=0.00051)
        assert row["difference_high"] == pytest.approx(each.high, abs=0.00051)
        assert row["started_schools"] % 5 == 0
    assert len({round((e.high - e.value) / e.std_error, 6) for e in effects.path}) == 1
    assert rows[-1]["difference"] == 0
    assert rows[-1]["started_schools"] is None


def test_with_anticipation_the_base_is_earlier() -> None:
    """One half-term of anticipation: measured from 2 before, and 1 before is an effect like any other."""
    path = {point.event_time: point for point in path_of((4, 4, 4), 12, anticipation=1)}
    assert path[-2].n_started is None
    assert path[-2].actual == path[-2].predicted
    assert path[-1].n_started == 12


def test_nothing_of_the_path_leaves_another_way() -> None:
    """The finding carries no path, the ledger no hidden difference; the audit passes; a changed path is refused."""
    door = open_door(PLAN)
    assessment = an_assessment(path_of((4, 3, 2), 12))
    cleared: Cleared[SchoolAssessment] = clear(assessment, door)
    assert audit(door.entries, PLAN) == ()
    finding = cleared.value.findings[0]
    assert finding.estimate is not None
    assert finding.estimate.path == ()
    text = canonical([dict(entry.payload) for entry in door.entries])
    hidden = [row for row in cleared.value.paths.to_pylist() if row["suppressed"]]
    assert hidden
    exact = {row["half_terms_since"]: row["difference"] for row in assessment.paths.to_pylist()}
    assert not [row for row in hidden if f"{exact[row['half_terms_since']]:.6g}" in text]
    # A path put in the place of the one that was cleared.
    object.__setattr__(cleared.value, "paths", assessment.paths)
    with pytest.raises(DisclosureError, match="changed after it was cleared"):
        vouch(cleared)


def test_a_withheld_finding_and_one_before_its_look_have_no_path() -> None:
    """Two treated schools: withheld, and so is its path. Before the last year: not assessed, and nothing to look at."""
    made = an_assessment(path_of((4, 4, 4), 12))
    estimate = made.findings[0].estimate
    assert estimate is not None
    few = replace(made, findings=(replace(made.findings[0], estimate=replace(estimate, n_treated=2)),))
    cleared: Cleared[SchoolAssessment] = clear(few, open_door(PLAN))
    assert cleared.value.findings[0].suppressed == "withheld"
    assert cleared.value.paths.num_rows == 0
    assert "no figures" in plot(cleared, "event_study").title
    early = an_assessment(path_of((4, 4, 4), 12), report_year="2024/25")
    assert early.findings[0].verdict == "not_assessed"
    assert early.paths.num_rows == 0


def _raw(kind: Any, payload: dict[str, Any]) -> LedgerEntry:
    return LedgerEntry(entry="e1", kind=kind, name="t", policy="council", digest="", n_suppressed=0, payload=payload)


def test_the_audit_finds_a_path_that_went_round_the_door() -> None:
    """A finding of schools with its path, and a table of which one half-term since the start alone is hidden."""
    door = open_door(PLAN)
    clear(an_assessment(path_of((2, 4, 4), 12)), door)
    finding = next(each for each in door.entries if each.kind == "finding")
    table = next(each for each in door.entries if each.name == "school_paths")
    payload = {**finding.payload, "comparisons": [{"path": [{"event_time": 0, "actual": 0.07}], "weights": {}}]}
    assert "threshold" in {each.rule for each in audit((_raw("finding", payload),), PLAN)}
    names = [column["name"] for column in table.payload["columns"]]
    since, why = names.index("half_terms_since"), names.index("suppressed")
    rows = [[*row] for row in table.payload["rows"]]
    hidden = [row for row in rows if row[why] and row[since] >= 0]
    assert len(hidden) > 1
    for row in hidden[1:]:
        row[why] = None
    assert "differencing" in {each.rule for each in audit((_raw("table", {**table.payload, "rows": rows}),), PLAN)}


def test_what_one_release_hides_no_other_may_show() -> None:
    """A half-term hidden now and shown in an earlier publication of the same finding is differencing."""
    earlier, now = open_door(PLAN), open_door(PLAN)
    clear(an_assessment(path_of((4, 4, 4), 12)), earlier)
    clear(an_assessment(path_of((4, 4, 2), 12)), now)
    assert "differencing" in {each.rule for each in audit(now.entries, PLAN, register=earlier.entries)}


def test_the_table_of_paths_has_both_layers() -> None:
    """paths.csv: a row a half-term with its layer, the hidden ones empty with the reason; once for two notebooks."""
    door = open_door(PLAN)
    cleared: Cleared[SchoolAssessment] = clear(an_assessment(path_of((4, 3, 2), 12)), door)
    table = paths_table({"04": door.entries, "09": door.entries})
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert len(rows) == cleared.value.paths.num_rows
    assert {row["layer"] for row in rows} == {"school"}
    assert {(row["difference"] is None) == (row["suppressed"] is not None) for row in rows} == {True}
    assert {row["actual"] for row in rows} == {None}


# --- the picture ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def picture() -> Picture:
    """4, 3 and 2 schools start, 12 never: some half-terms may not be shown."""
    return plot(clear(an_assessment(path_of((4, 3, 2), 12)), open_door(PLAN)), "event_study")


def test_the_picture_says_what_it_shows(picture: Picture) -> None:
    """Title is the finding; words stand in for the picture; its stamp, the zero line and both parts are named in it."""
    assert picture.title.startswith("Overall absence in schools since their pyramid started: ")
    assert "A level line marks none, a dotted one the start; everything is measured from 1 before." in picture.alt
    for words in ("SIMULATED · DRAFT", "should lie around none", "measured from here", "Half-terms before and since"):
        assert words in picture.svg
    assert f"<desc>{picture.alt}</desc>" in picture.svg
    assert "Gaps: too few schools to be shown, or what would give such a figure back." in picture.alt
    for text in (f"<p>{picture.alt}</p>", picture.table.html, picture.svg):
        assert lint(text, "council") == ()


def test_the_table_under_the_picture_has_every_half_term(picture: Picture) -> None:
    """A row a half-term, hidden ones say so in every cell; what is measured from stands between."""
    rows = picture.table.table.to_pylist()
    assert [row["half_term"] for row in rows][:2] == ["9 before", "8 before"]
    assert [row["half_term"] for row in rows][-8:-6] == ["start", "1 after"]
    assert rows[0] == {"half_term": "9 before", **dict.fromkeys(("started", "others", "difference", "range"), "hidden")}
    assert next(row for row in rows if row["half_term"] == "1 before")["difference"] == "measured from here"


def test_without_pyramids_for_a_band_there_is_none_and_it_says_so() -> None:
    """3 and 3 and 3 pyramids beside 4: points without a range, and no word of shading."""
    made = plot(clear(an_assessment(path_of((3, 3, 3), 4)), open_door(PLAN)), "event_study")
    assert "No range: too few pyramids for one." in made.alt
    assert "Shaded" not in made.svg
    assert {row["range"] for row in made.table.table.to_pylist()} >= {"none: too few pyramids"}


def test_ranges_before_the_start_that_miss_none_are_named() -> None:
    """Two half-terms before whose range lies above none: they are said beside the picture, no verdict changes."""
    path = path_of((4, 4, 4), 12)
    moved = tuple(
        dataclasses.replace(p, predicted=p.predicted - 0.05, low=p.low - 0.05, high=p.high - 0.05)
        if p.event_time in (-8, -3) and p.low is not None and p.high is not None
        else p
        for p in path
    )
    before, after = (plot(clear(an_assessment(each), open_door(PLAN)), "event_study") for each in (path, moved))
    assert "but not at" in after.alt
    assert "8 before" in after.alt.rpartition("but not at")[2]
    assert "3 before" in after.alt.rpartition("but not at")[2]
    assert before.title == after.title


def test_only_schools_have_an_event_study() -> None:
    """A table is refused with what is needed."""
    table = clear(pa.table({"a": ["b"]}), open_door(PLAN))
    with pytest.raises(DisclosureError, match="needs a study's schools"):
        plot(table, "event_study")
