"""A council's own extract to findings about its schools, through the door, to words: on a small made-up county."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import REPOSITORY

from belonging_research.checks.schools import SCHOOL_CHECKS, history, run_school_checks, spill_over
from belonging_research.disclosure import Cleared, audit, clear, open_door
from belonging_research.disclosure.payload import canonical
from belonging_research.errors import CommandError, DisclosureError, FindingError, PanelError, PlanError, SourceError
from belonging_research.estimators.staggered import lee_bounds, ratio_value
from belonging_research.findings import Finding, SchoolAssessment
from belonging_research.findings.schools import assess_schools, estimate_of
from belonging_research.outcomes.school_periods import school_events
from belonging_research.panel.schools import SchoolStudy, study_schools
from belonging_research.plan import Plan, load_plan
from belonging_research.present import describe, lint, plot, readable, tabulate
from belonging_research.reports.reading import with_council
from belonging_research.simulate import truth_beside
from belonging_research.simulate.county import COUNTY_WORLDS, write_checked_county
from belonging_research.simulate.opening import folders_of, open_council
from belonging_research.sources.council import read_council_extract
from belonging_research.tables.council import COUNCIL_TABLES

LARGE: dict[str, Any] = {"effect": -0.5, "first_period": 2022, "n_periods": 4}
SMALL = replace(COUNTY_WORLDS["known_effect"], n_pupils=5000, n_schools=60, n_pyramids=16, **LARGE)
ABSENCE = "overall_absence_rate"


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The shipped plan of a made-up county, with fewer draws."""
    shipped = load_plan("simulated_county")
    assert shipped.schools is not None
    return shipped.model_copy(update={"schools": shipped.schools.model_copy(update={"draws": 399})})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small county with a large effect, as `receive` would leave it."""
    place = tmp_path_factory.mktemp("data") / "county"
    write_checked_county(SMALL, place)
    return place


@pytest.fixture(scope="module")
def study(folder: Path, plan: Plan) -> SchoolStudy:
    """It, read."""
    found = study_schools(read_council_extract(folder), plan, report_year="2026/27")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def assessment(study: SchoolStudy, plan: Plan) -> SchoolAssessment:
    """Its findings."""
    return assess_schools(study, plan)


def test_marks_are_counted_once_and_kept_beside_the_extract(folder: Path, study: SchoolStudy, plan: Plan) -> None:
    """The slow step leaves one file, named for what decides it; the extract itself is as it was."""
    kept = sorted((folder.parent / ".measured").glob("*.parquet"))
    assert len(kept) == 1
    before = kept[0].stat().st_mtime_ns
    again = study_schools(read_council_extract(folder), plan, report_year="2026/27")
    assert again is not None
    assert kept[0].stat().st_mtime_ns == before
    assert again.absence().digest == study.absence().digest
    # One that was changed is not trusted, and made again as it was.
    content = kept[0].read_bytes()
    kept[0].write_bytes(content[:-100])
    study_schools(read_council_extract(folder), plan, report_year="2026/27")
    assert kept[0].read_bytes() == content
    assert study_schools(None, plan, report_year="2026/27") is None
    assert study_schools(read_council_extract(folder), load_plan("simulated_public"), report_year="2026/27") is None


def test_a_table_that_is_needed_is_asked_for(folder: Path, plan: Plan) -> None:
    """Without marks there is no study of schools, and the message says which table is missing."""
    extract = read_council_extract(folder)
    without = dataclasses.replace(extract, tables={k: v for k, v in extract.tables.items() if k != "marks"})
    with pytest.raises(PanelError, match="no marks; the school layer needs"):
        study_schools(without, plan, report_year="2025/26")


def test_a_large_effect_is_found_and_its_truth_lies_in_the_range(assessment: SchoolAssessment, folder: Path) -> None:
    """It is noticed, by randomisation, and the county's own truth is inside; in the plan's years.

    An effect of some points differs by more than the smallest that matters between pupils and schools, so that the
    check of weights may forbid an answer in so small a county: the same rules as for any other.
    """
    overall = next(each for each in assessment.findings if each.outcome == ABSENCE)
    assert overall.estimate is not None
    truth = truth_beside([folder])
    assert truth is not None
    true = truth.effect(ABSENCE, "register", "all", overall.post, "proportion")
    low, high = overall.estimate.intervals["0.95"]
    assert true is not None
    assert low <= true <= high
    assert true < -0.02
    assert (overall.layer, overall.source, overall.post) == ("school", "register", ("2024/25", "2025/26"))
    assert overall.estimate.inference == "randomisation"
    assert overall.estimate.p_value <= overall.alpha
    forbidding = {check.name for check in overall.checks if (check.severity, check.status) == ("serious", "fail")}
    assert forbidding <= {"weights"}
    assert overall.verdict == ("cannot_tell" if forbidding else "better_than_expected")
    assert {check.name for check in overall.checks} == set(SCHOOL_CHECKS)
    suspended = truth.effect("suspension_rate", "register", "all", overall.post, "log_ratio")
    assert suspended is not None
    assert math.log(0.6) < suspended < 0


def test_before_its_year_nothing_is_judged(folder: Path, plan: Plan) -> None:
    """At the end of 2024/25 the one look is still to come: levels at most, no verdict, and when it is due."""
    early = study_schools(read_council_extract(folder), plan, report_year="2024/25")
    assert early is not None
    found = assess_schools(early, plan)
    assert early.periods == ("2022/23", "2023/24", "2024/25")
    assert {each.verdict for each in found.findings if each.role == "primary"} == {"not_assessed"}
    assert {each.due for each in found.findings if each.role == "primary"} == {"September 2026"}
    assert found.paths.num_rows == 0


def test_estimates_are_the_same_each_time(study: SchoolStudy) -> None:
    """Randomness is keyed by what it is for."""
    assert estimate_of(study, ABSENCE) == estimate_of(study, ABSENCE)


def test_a_check_that_is_not_built_is_refused(study: SchoolStudy) -> None:
    """A plan lists only checks that there are."""
    other = dataclasses.replace(study, plan=study.plan.model_copy(update={"checks": ("allocation", "nonsense")}))
    with pytest.raises(FindingError, match="nonsense, which is not built"):
        run_school_checks(estimate_of(study, ABSENCE), other)


def test_history_is_asked_both_ways(study: SchoolStudy, assessment: SchoolAssessment, plan: Plan) -> None:
    """With a plan that allows for it and one that does not: one distance from either side; said on the page."""
    without = dataclasses.replace(study, layer=study.layer.model_copy(update={"history": not study.layer.history}))
    made, other = (estimate_of(each, ABSENCE, placebos=0) for each in (study, without))
    (one,), (two,) = history(made, study, study.plan), history(other, without, without.plan)
    assert one.value == two.value == pytest.approx(abs(made.value - other.value), abs=1e-12)
    assert one.value > 1e-5
    assert one.sentence.startswith("Without allowing") and two.sentence.startswith("With allowing")
    assert one.status == ("fail" if one.value > 0.0025 else "pass")
    said = describe(clear(assessment, open_door(plan)), "council").html
    assert "come back by themselves" in said and "is among the checks" in said
    off = dataclasses.replace(assessment, at_equal_history=False)
    assert "come back by themselves" not in describe(clear(off, open_door(plan)), "council").html
    assert "has not been measured for this plan" in said  # fewer draws make another plan


def test_equal_leaving_moves_no_bound(study: SchoolStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lee's bounds: trimmed only by how much more one side kept; by hand on a rate of a half-day in ten."""
    from belonging_research.estimators.staggered import exits

    absent, possible = np.array([0.0, 10.0, 20.0, 90.0]), np.full(4, 100.0)
    assert exits._trimmed(absent, possible, 0.0) == (0.0, 0.0)
    # A mean of 30%: without the most absent of four 10%, without the least 40%.
    assert exits._trimmed(absent, possible, 0.25) == (pytest.approx(-0.2), pytest.approx(0.1))
    low, high = lee_bounds(study, -0.01)
    assert low <= -0.01 <= high
    monkeypatch.setattr(exits, "_trimmed", lambda *of: (0.0, 0.0))
    assert lee_bounds(study, -0.01) == (-0.01, -0.01)


# --- the door ---------------------------------------------------------------------------------------------------------


def test_schools_go_through_under_the_councils_own_policy(assessment: SchoolAssessment, plan: Plan) -> None:
    """Entries about schools stand under `council`, published figures under theirs; the audit takes both."""
    door = open_door(plan)
    cleared = clear(assessment, door)
    policies = {entry.kind: entry.policy for entry in door.entries}
    assert policies == {"finding": "council", "table": "council"}
    assert plan.policy == "as_published"
    assert audit(door.entries, plan) == ()
    released = [each for each in cleared.value.findings if each.suppressed is None]
    assert {each.outcome for each in cleared.value.findings} - {each.outcome for each in released} <= {
        "permanent_exclusion_rate"  # of which there are too few to be told
    }
    assert all(each.estimate and each.estimate.n_pupils and each.estimate.n_pupils % 5 == 0 for each in released)
    loose = [dataclasses.replace(entry, policy="as_published") for entry in door.entries]
    assert {problem.rule for problem in audit(loose, plan)} >= {"policy"}


def test_nothing_that_names_a_school_or_pupil_leaves(assessment: SchoolAssessment, plan: Plan, folder: Path) -> None:
    """No urn, pyramid or keyed hash of the extract stands in what was cleared or shown."""
    door = open_door(plan)
    cleared = clear(assessment, door)
    shown = [describe(cleared, "council").html, tabulate(cleared).html, tabulate(cleared, checks=True).html]
    shown += [plot(cleared, "checks").svg, plot(cleared, "event_study").svg, plot(cleared, "event_study").table.html]
    text = "\n".join([*(canonical(entry.payload) for entry in door.entries), *shown])
    schools = pq.read_table(folder / "schools.parquet")
    pupils = pq.read_table(folder / "pupils.parquet")
    assert not [urn for urn in schools["urn"].to_pylist() if re.search(rf"(?<!\d){urn}(?!\d)", text)]
    assert not [name for name in schools["pyramid"].to_pylist() if name and name in text]
    assert not [code for code in pupils["pupil"].to_pylist() if code in text]


def test_too_few_schools_are_withheld_and_small_starts_hidden(assessment: SchoolAssessment, plan: Plan) -> None:
    """Two treated schools: no finding; a half-term in which two schools began shows neither them nor their pupils."""
    few = tuple(
        dataclasses.replace(each, estimate=dataclasses.replace(each.estimate, n_treated=2))
        for each in assessment.findings
        if each.estimate
    )
    starts = pa.table({"starts": ["2024/25 HT1", "2024/25 HT3"], "schools": [12, 2], "pupils": [900, 300]})
    made = dataclasses.replace(assessment, findings=few, starts=starts.replace_schema_metadata({"layer": "school"}))
    door = open_door(plan)
    cleared = clear(made, door)
    assert {each.suppressed for each in cleared.value.findings} == {"withheld"}
    assert cleared.value.starts.to_pylist()[1]["pupils"] is None
    assert cleared.value.starts.to_pylist()[1]["schools"] is None
    assert "withheld" in readable(describe(cleared, "council").html)
    assert audit(door.entries, plan) == ()


def test_what_is_one_schools_own_does_not_leave(assessment: SchoolAssessment, plan: Plan) -> None:
    """No path, whose ends are one cohort's; no comparison of fewer than three; no name that fewer than three share."""
    names = pa.table({"intervention": ["Nurture base for A Child", "Belonging programme"], "schools": [1, 37]})
    made = dataclasses.replace(assessment, interventions=names.replace_schema_metadata({"layer": "school"}))
    door = open_door(plan)
    cleared = clear(made, door)
    text = "\n".join([*(canonical(entry.payload) for entry in door.entries), describe(cleared, "council").html])
    assert "A Child" not in text
    assert "Belonging programme" in text
    for finding in (each for each in cleared.value.findings if each.suppressed is None):
        assert finding.estimate is not None
        assert finding.estimate.path == ()
        counts = (finding.estimate.n_treated, finding.estimate.n_units, finding.estimate.n_clusters)
        assert not [count for count in counts if count and count % 5]
    one_beside = tuple(
        dataclasses.replace(each, estimate=dataclasses.replace(each.estimate, n_treated=58, n_units=59))
        for each in assessment.findings
        if each.estimate
    )
    alone = clear(dataclasses.replace(assessment, findings=one_beside), open_door(plan))
    assert {each.suppressed for each in alone.value.findings} == {"withheld"}


def test_nothing_later_than_the_report_year_is_read(folder: Path, plan: Plan, tmp_path: Path) -> None:
    """Cancellations and starts of later years move no earlier report: same panels, names and numbers."""
    later = tmp_path / "later"
    shutil.copytree(folder, later)
    events = pq.read_table(later / "exclusions.parquet").to_pandas()
    stood = events.index[events["status"] == "issued"]
    events.loc[stood[::3], ["status", "status_day"]] = ["cancelled", dt.date(2026, 2, 1)]
    log = pq.read_table(later / "interventions.parquet")
    more = log.slice(0, 3).to_pandas().assign(intervention="LATER THING", first_day=dt.date(2026, 6, 1))
    for name, frame in (("exclusions", events), ("interventions", pd.concat([log.to_pandas(), more]))):
        spec = COUNCIL_TABLES[name].schema
        pq.write_table(pa.Table.from_pandas(frame, schema=spec, preserve_index=False), later / f"{name}.parquet")
    extract = read_council_extract(folder)
    tables = {name: tuple(later / file.name for file in files) for name, files in extract.tables.items()}
    other = dataclasses.replace(extract, folder=later, tables=tables)
    first, second = (study_schools(each, plan, report_year="2024/25") for each in (extract, other))
    assert first is not None
    assert second is not None
    for outcome in ("suspension_rate", ABSENCE):
        assert first.panel(outcome).digest == second.panel(outcome).digest
    assert not second.panel(ABSENCE).every_school_starts
    assert assess_schools(first, plan).interventions == assess_schools(second, plan).interventions


def test_pupils_of_a_year_are_counted_once(study: SchoolStudy) -> None:
    """A year's half-terms add up to its distinct pupils with one or more suspensions that stood."""
    cohort = set(study.engine.to_pyarrow(study.cohort().select("pupil"))["pupil"].to_pylist())
    events = study.engine.to_pyarrow(study.tables["exclusions"]).to_pylist()
    for year in ("2024/25", "2025/26"):
        first = int(year[:4])
        own = {
            each["pupil"]
            for each in events
            if each["category"] == "suspension" and each["status"] not in ("cancelled", "reinstated")
            and dt.date(first, 8, 1) <= each["first_day"] <= dt.date(first + 1, 7, 31) and each["pupil"] in cohort
        }  # fmt: skip
        rows = school_events(
            study.tables["exclusions"], study.register.counts, periods=[year], cohort=study.cohort(), as_at=study.until
        )
        found = study.engine.to_pyarrow(rows)
        assert sum(found["pupils_suspended"].to_pylist()) == len(own)
        assert sum(found["suspensions"].to_pylist()) > len(own)


def test_events_are_tested_for_trends_before(study: SchoolStudy) -> None:
    """Suspensions face a pre-trend test and weights of their own; what is not built for them is no pass."""
    made = estimate_of(study, "pupils_with_one_or_more_suspensions_rate")
    found = {check.name: check for check in run_school_checks(made, study)}
    assert found["pre_trends"].value is not None
    assert found["weights"].value is not None
    for name in ("exits", "history"):
        assert (found[name].status, found[name].severity) == ("no_test", "serious")


def test_suspensions_of_pupils_who_moved_pyramid_are_left_out_and_the_ratio_asked_again(study: SchoolStudy) -> None:
    """The ratio of those who stayed, less the registered one; movers, found by hand, are in neither of its sums."""
    outcome = "pupils_with_one_or_more_suspensions_rate"
    everybody, stayers = study.panel(outcome), study.panel_of_stayers(outcome)
    pyramid = {
        row["urn"]: row["pyramid"] or str(row["urn"]) for row in study.tables["schools"].to_pyarrow().to_pylist()
    }
    home = {row["pupil"]: pyramid[row["urn"]] for row in study.cohort().to_pyarrow().to_pylist()}
    marks = study.register.counts.select("pupil", "urn", "period", "possible").to_pyarrow().to_pylist()
    moved = {
        each["pupil"] for each in marks
        if each["period"] > study.baseline and each["possible"] > 0 and pyramid[each["urn"]] != home.get(each["pupil"])
        and each["pupil"] in home
    }  # fmt: skip
    counted = [each for each in marks if each["period"] == study.baseline and each["pupil"] in home]
    one_by_one = len({each["pupil"] for each in counted} - moved)
    assert 0 < len(moved) < 0.2 * len(home)
    # Pupils are counted a half-term at a time; nearly all are on roll in each of the baseline year.
    pupils = stayers.denominator[
        :, study.periods.index(study.baseline) * 6 : study.periods.index(study.baseline) * 6 + 6
    ]
    assert pupils.sum(axis=0).max() <= one_by_one <= 1.03 * pupils.sum(axis=0).max()
    assert stayers.numerator.sum() < everybody.numerator.sum()

    made = estimate_of(study, outcome)
    few = everybody.numerator.sum() - stayers.numerator.sum()
    free = dataclasses.replace(study, layer=study.layer.model_copy(update={"policy": "as_published"}))
    (check,) = spill_over(made, free, study.plan)
    (told,) = spill_over(made, study, study.plan)
    # Of fewer than ten who moved nothing is told, and not why.
    assert (told.status == "no_test") == (few < 10)
    close = dataclasses.replace(study, made={**study.made, ("stayers", outcome): everybody})
    (none,) = spill_over(made, close, study.plan)
    assert (none.status, none.value) == ("no_test", None)
    assert none.sentence == "Spill-over by pupils who moved could not be tested."

    again = ratio_value(stayers, anticipation=study.layer.anticipation)
    assert check.value == pytest.approx(abs(again - made.value))
    assert (check.limit, check.severity) == (pytest.approx(study.plan.outcome(outcome).sesoi / 2), "serious")
    assert check.status == ("fail" if check.value > check.limit else "pass")


def test_layers_go_through_apart(assessment: SchoolAssessment, plan: Plan) -> None:
    """One tuple of findings is of one layer; an estimate of another plan is refused."""
    school = assessment.findings[0]
    with pytest.raises(DisclosureError, match="go through apart"):
        clear((school, dataclasses.replace(school, layer="county")), open_door(plan))
    with pytest.raises(DisclosureError, match="estimated under plan"):
        clear(school, open_door(load_plan("simulated_public")))


def test_a_table_of_the_council_needs_its_counts_declared(plan: Plan) -> None:
    """A table that says it is of schools is judged by the council's policy, whoever clears it."""
    table = pa.table({"half_term": ["a"], "pupils": [4]})
    assert clear(table, open_door(plan), name="published").n_suppressed == 0
    with pytest.raises(DisclosureError, match="nobody said what these numbers count"):
        clear(table.replace_schema_metadata({"layer": "school"}), open_door(plan), name="own")


# --- words ------------------------------------------------------------------------------------------------------------


def told(finding: Finding, assessment: SchoolAssessment, plan: Plan) -> str:
    """The text of a page about one finding."""
    cleared = clear(dataclasses.replace(assessment, findings=(finding,)), open_door(plan))
    html = describe(cleared, "council").html
    assert lint(html, "council") == ()
    return readable(html)


def test_words_for_each_answer(assessment: SchoolAssessment, plan: Plan) -> None:
    """Every verdict in readers' words, its subject schools since they started; doubts named; no cause claimed."""
    overall = next(each for each in assessment.findings if each.outcome == ABSENCE)
    overall = dataclasses.replace(overall, verdict="better_than_expected", rule=4, enough_to_matter=True)
    better = told(overall, assessment, plan)
    assert (
        "Better than expected. Overall absence in schools since their pyramid started was better than expected:"
        in better
    )
    assert "than schools whose pyramid had not started by then lead one to expect" in better
    assert "“Belonging programme”" in better
    answers: dict[str, dict[str, Any]] = {
        "Worse than expected.": {"verdict": "worse_than_expected", "rule": 5},
        "About as expected.": {"verdict": "as_expected", "rule": 3},
        "We cannot tell whether overall absence in schools whose pyramid started": {
            "verdict": "cannot_tell",
            "rule": 6,
        },
        "described only": {"verdict": "cannot_tell", "rule": 1},
        "not assessed yet": {"verdict": "not_assessed", "rule": 0},
    }
    for words, change in answers.items():
        assert words in told(dataclasses.replace(overall, **change), assessment, plan), words


def test_where_every_school_starts_the_extra_is_said(assessment: SchoolAssessment, plan: Plan) -> None:
    """What is estimated is then the extra of starting earlier; several programmes are not told apart."""
    two = pa.table({"intervention": ["A walk", "A talk"], "schools": [9, 5]}).replace_schema_metadata(
        {"layer": "school"}
    )
    every = dataclasses.replace(assessment, every_school_starts=True, interventions=two)
    text = readable(describe(clear(every, open_door(plan)), "council").html)
    assert "the extra of starting earlier" in text
    assert "not about one of them apart from the others" in text


def test_without_figures_by_school_pages_say_so(plan: Plan) -> None:
    """The same calls on a study of published figures alone: a sentence, a table and a picture that say so."""
    public = load_plan("simulated_public")
    cleared: Cleared[SchoolAssessment] = clear(assess_schools(None, public), open_door(public))
    text = describe(cleared, "council")
    assert "no figures by school" in readable(text.html)
    assert lint(text.html, "council") == ()
    assert "no figures by school" in readable(tabulate(cleared, title="t").html)
    assert "no figures by school" in readable(tabulate(cleared, checks=True).html)
    assert "no figures" in plot(cleared, "checks").title
    assert "no figures" in plot(cleared, "event_study").title


# --- folders ----------------------------------------------------------------------------------------------------------


def test_a_councils_extract_is_told_from_published_figures(folder: Path, tmp_path: Path, plan: Plan) -> None:
    """By what it holds; a plan without schools refuses it, and two of them are one too many."""
    other = tmp_path / "published"
    other.mkdir()
    assert folders_of(f"{other};{folder}") == ([other], [folder])
    opened = open_council(f"{other};{folder}", plan)
    assert opened is not None
    assert opened.folder == folder
    assert open_council(str(other), plan) is None
    assert open_council(str(folder), load_plan("dorset_public")) is None
    with pytest.raises(SourceError, match="2 extracts of a council"):
        open_council(f"{folder};{folder}", plan)
    with pytest.raises(CommandError, match=r"no \[schools\] that would read it"):
        with_council(object(), load_plan("dorset_public"), [folder], None)  # type: ignore[arg-type]
    with pytest.raises(CommandError, match="was taken later, on"):
        with_council(object(), plan, [folder], dt.date(2024, 1, 1))  # type: ignore[arg-type]


def test_a_school_layer_at_fault_is_named(tmp_path: Path) -> None:
    """A baseline that is no base year, years that are not the plan's, a size that is a slip: each names its key."""
    text = (REPOSITORY / "notebooks" / "plans" / "simulated_county.toml").read_text("utf-8")
    head, own = text.split("[schools]")
    faults = {
        "schools.baseline": ('baseline = "2023/24"', 'baseline = "2022/23"'),
        "schools.post.0": ('post = ["2024/25", "2025/26"]', 'post = ["2023/24"]'),
        "schools.outcomes.0.sesoi": ("sesoi = 0.0025", "sesoi = 0.25"),
        "schools.alpha": ("alpha = 0.05", "alpha = 0.2"),
        "schools.outcomes": ('role = "primary"', 'role = "exploratory"'),
    }
    for key, (right, wrong) in faults.items():
        path = tmp_path / "plan.toml"
        path.write_text(f"{head}[schools]{own.replace(right, wrong)}", "utf-8")
        with pytest.raises(PlanError, match=re.escape(key)):
            load_plan(path)
