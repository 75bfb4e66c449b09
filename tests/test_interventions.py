"""Which interventions were seen to matter, and permanent exclusions without a verdict: numbers, door and words."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from belonging_research.disclosure import audit, clear, open_door
from belonging_research.disclosure.payload import canonical
from belonging_research.errors import DisclosureError, EstimateError
from belonging_research.estimators.staggered import (
    FEWEST_PYRAMIDS,
    SchoolDesign,
    effects_by_intervention,
    estimate_schools,
    exact_ratio,
)
from belonging_research.estimators.staggered.by_intervention import _scene, gains
from belonging_research.findings import InterventionAssessment, SchoolAssessment, few_events
from belonging_research.findings.interventions import by_intervention, together
from belonging_research.findings.schools import assess_schools, estimate_of
from belonging_research.panel.schools import SchoolPanel, SchoolStudy, begun_with, panel_of_arrays, study_schools
from belonging_research.panel.schools.by_start import events_by_start
from belonging_research.plan import Plan, load_plan
from belonging_research.present import describe, lint, readable, tabulate
from belonging_research.present.words_interventions import times_in_100
from belonging_research.simulate import truth_beside
from belonging_research.simulate.county import COUNTY_WORLDS, write_checked_county
from belonging_research.sources.council import read_council_extract
from belonging_research.tables.council import INTERVENTIONS
from belonging_research.tables.school_year import half_terms

ABSENCE, PERMANENT = "overall_absence_rate", "permanent_exclusion_rate"
HALVES = [f"{2022 + t // 6}/{23 + t // 6} HT{t % 6 + 1}" for t in range(18)]
Began = dict[str, tuple[str, ...]]


def made_up(
    seed: int,
    begins: Sequence[tuple[str, ...] | None],
    *,
    effects: dict[str, float] | None = None,
    starts: Sequence[int] = (12, 14, 16),
) -> tuple[SchoolPanel, Began]:
    """Four schools in each pyramid; ``begins`` says with what each begins, None for never; starts go round."""
    rng = np.random.default_rng(seed)
    n, half = 4 * len(begins), np.arange(18)
    pyramid = np.repeat(np.arange(len(begins)), 4)
    turn = itertools.cycle(starts)
    start = [None if each is None else next(turn) for each in begins]
    rates = 0.07 + rng.normal(0, 0.01, (n, 1)) + rng.normal(0, 0.006, (n, 3))[:, half // 6]
    rates += rng.normal(0, 0.003, (n, 18))
    for at, names in enumerate(begins):
        began = start[at]
        if names is not None and began is not None:
            rates[pyramid == at, began:] += sum((effects or {}).get(name, 0.0) for name in names)
    panel = panel_of_arrays(
        outcome=ABSENCE, units=[f"{k:03d}" for k in range(n)], periods=HALVES, numerator=1000 * rates,
        denominator=np.full((n, 18), 1000.0), adoption=[start[k] for k in pyramid],
        clusters=[f"p{k:02d}" for k in pyramid], sizes=rng.integers(50, 300, n).astype(float),
    )  # fmt: skip
    return panel, {f"p{at:02d}": names for at, names in enumerate(begins) if names is not None}


def described(panel: SchoolPanel, began: Began, *, draws: int = 499, history: bool = False) -> Any:
    """Its effects by names, and whether they differ."""
    effects, apart = effects_by_intervention(
        panel, began, rng_of=lambda *names: np.random.default_rng([len("".join(names)), 7]), levels=(0.9, 0.95),
        draws=draws, history=history,
    )  # fmt: skip
    return {each.names: each for each in effects}, apart


EIGHT = [("walk",), ("talk",)] * 8 + [None] * 8


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_of_two_interventions_the_one_that_works_is_seen() -> None:
    """A fall of 3 points where pyramids began with one, nothing where they began with the other: both recovered."""
    panel, began = made_up(1, EIGHT, effects={"walk": -0.03})
    found, apart = described(panel, began)
    walk, talk = found["walk",], found["talk",]
    assert walk.value == pytest.approx(-0.03, abs=0.008)
    assert talk.value == pytest.approx(0.0, abs=0.008)
    assert walk.intervals["0.95"][1] < 0 < talk.intervals["0.95"][1]
    assert walk.intervals["0.95"][0] <= -0.03 <= walk.intervals["0.95"][1]
    assert talk.intervals["0.95"][0] <= 0 <= talk.intervals["0.95"][1]
    assert apart.p_value <= 0.01
    assert apart.within_starts
    # Its own eight pyramids, and all that had not started by its first start: in the first half-term some talk began.
    assert (walk.n_treated, walk.n_clusters) == (32, 21)


def test_where_all_begin_with_the_same_it_is_the_registered_estimate() -> None:
    """The same machinery: with one intervention its effect is that of starting, to the last digit."""
    panel, began = made_up(2, [("walk",)] * 14 + [None] * 8, effects={"walk": -0.01})
    found, apart = described(panel, began)
    design = SchoolDesign(alpha=0.05, sesoi=0.0025, draws=199, placebos=0)
    whole = estimate_schools(panel, design, rng=np.random.default_rng(1))
    assert found["walk",].value == pytest.approx(whole.value, abs=1e-12)
    assert found["walk",].std_error == pytest.approx(whole.std_error, rel=1e-12)
    assert apart is None


def test_effects_are_the_pyramids_gains_put_together() -> None:
    """What the joint test hands round is what the estimates are made of, whoever else starts in between."""
    panel, began = made_up(3, [("walk",), ("talk",), ("read",)] * 5 + [None] * 7, effects={"walk": 0.02})
    found, _ = described(panel, began)
    scene = _scene(panel, began, "not_yet_treated", 0, history=False)
    gain, weight = gains(scene)
    for at, names in enumerate(scene.groups):
        own = scene.label == at
        assert found[names].value == pytest.approx(gain[own].sum() / weight[own].sum(), abs=1e-12)


@pytest.mark.parametrize("history", [False, True])
def test_what_others_do_after_their_start_moves_nothing(history: bool) -> None:
    """Pyramids that began something else are left out from then on, however their absence changes."""
    panel, began = made_up(4, EIGHT)
    found, _ = described(panel, began, history=history)
    wild, _ = made_up(4, EIGHT, effects={"talk": 0.5})
    again, _ = described(wild, began, history=history)
    assert again["walk",] == found["walk",]
    assert again["talk",].value - found["talk",].value == pytest.approx(0.5)


def test_interventions_that_do_the_same_are_seldom_told_apart() -> None:
    """Where both do the same the test says otherwise 5 times in 100: at most 10 of 100 by chance (p under .02)."""
    noticed = 0
    for seed in range(100):
        panel, began = made_up(seed, EIGHT, effects={"walk": -0.02, "talk": -0.02})
        scene_apart = described(panel, began, draws=99)[1]
        noticed += scene_apart.p_value <= 0.05
    assert noticed <= 10


def test_what_always_begins_together_is_one() -> None:
    """Two that begin in the same pyramids and half-term stand as one; beside one of them alone they are another."""
    both, alone = ("talk", "walk"), ("walk",)
    found, apart = described(*made_up(5, [both, alone] * 5 + [None] * 8))
    assert set(found) == {both, alone}
    assert apart.n_groups == 2
    assert together(both) == "talk + walk"
    assert together(("a", "b", "c")) == "a + b + c"


def test_kinds_that_began_at_different_times_are_told_apart_with_that_doubt() -> None:
    """Each start has one intervention: handed round among all starters, and said so; the times may be the reason."""
    begins: list[tuple[str, ...] | None] = [("walk",), ("talk",)] * 6
    _, apart = described(*made_up(6, [*begins, *[None] * 8], starts=(12, 15)))
    assert not apart.within_starts


def test_fewer_than_three_pyramids_have_no_number() -> None:
    """Two pyramids: no estimate and why; and nothing to tell it apart from."""
    begins = [("walk",)] * 8 + [("talk",)] * 2 + [None] * 8
    found, apart = described(*made_up(7, begins))
    assert FEWEST_PYRAMIDS == 3
    assert found["talk",].value is None
    assert found["talk",].why == "began in fewer than three pyramids"
    assert found["talk",].n_treated == 8
    assert found["walk",].value is not None
    assert apart is None
    crowded, _ = described(*made_up(8, [("walk",), ("talk",), ("read",)] * 4, starts=(12,)))
    assert {each.why for each in crowded.values()} == {"it could not be told from chance"}


def test_a_pyramid_without_a_name_is_refused() -> None:
    """A start that nobody wrote down cannot be given to any intervention."""
    panel, began = made_up(9, EIGHT)
    del began["p00"]
    with pytest.raises(EstimateError, match="1 of 16 starting pyramids have no intervention"):
        described(panel, began)


def test_what_a_pyramid_began_with_is_what_its_first_half_term_holds() -> None:
    """By hand: one pyramid begins two in the same half-term and one later; another began before the panel."""
    schools = pa.table({"urn": [1, 2, 3, 4], "phase": ["primary"] * 4, "pyramid": ["A", "A", "B", None]})
    days = [dt.date(2024, 9, 9), dt.date(2024, 10, 7), dt.date(2025, 1, 13), dt.date(2023, 1, 9), dt.date(2024, 11, 11)]
    log = pa.table(
        {
            "intervention": ["Walk / talk ", "Nurture", "Later", "Early", "Alone"],
            "urn": [1, 2, 1, 3, 4],
            "first_day": days,
        }
    )
    assert {"intervention", "urn", "first_day"} <= {column.name for column in INTERVENTIONS.columns}
    found = begun_with(schools, log, half_terms("2024/25"))
    assert found.names == {"A": ("Nurture", "Walk - talk"), "school 4": ("Alone",)}
    assert found.schools["Nurture", "Walk - talk"] == {"Nurture": 1, "Walk - talk": 1}


# --- a council's own extract ------------------------------------------------------------------------------------------

SMALL = replace(
    COUNTY_WORLDS["one_of_two_works"], n_pupils=4000, n_schools=60, n_pyramids=16, first_period=2022, n_periods=4,
    effect=-0.6,
)  # fmt: skip


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The shipped plan of a made-up county, with fewer draws."""
    shipped = load_plan("simulated_county")
    assert shipped.schools is not None
    return shipped.model_copy(update={"schools": shipped.schools.model_copy(update={"draws": 399})})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small county in which one of two interventions works."""
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
    """The layer's findings there."""
    return assess_schools(study, plan)


@pytest.fixture(scope="module")
def made(study: SchoolStudy, plan: Plan) -> InterventionAssessment:
    """What followed by intervention there."""
    return by_intervention(study, plan)


def test_the_truth_of_each_intervention_lies_in_its_range(made: InterventionAssessment, folder: Path) -> None:
    """From marks to findings: exploratory, described only, and each truth of the county inside."""
    truth = truth_beside([folder])
    assert truth is not None
    true = {}
    for finding in made.findings:
        assert (finding.role, finding.verdict, finding.rule) == ("exploratory", "cannot_tell", 1)
        assert finding.estimate is not None
        assert finding.subgroup is not None
        known = truth.effect(ABSENCE, "register", "all", finding.post, "proportion", finding.subgroup)
        low, high = finding.estimate.intervals["0.95"]
        assert known is not None
        assert low <= known <= high
        true[finding.subgroup] = known
    # Not quite nothing: some pupils of these schools moved to ones where the other was begun.
    assert true["Peer mentoring"] == pytest.approx(0, abs=0.002)
    assert true["Belonging programme"] < -0.02
    assert made.told_apart.to_pylist()[0]["p_value"] <= 0.05
    assert truth.effect(ABSENCE, "register", "all", ("2024/25",), "proportion", "Something else") is None


def test_nothing_is_described_before_the_look(folder: Path, plan: Plan) -> None:
    """At the end of 2024/25 the layer's one look is still to come: no number, and when."""
    early = study_schools(read_council_extract(folder), plan, report_year="2024/25")
    found = by_intervention(early, plan)
    assert found.findings == ()
    assert found.left_out == (
        "What followed where schools began with one thing or another is to be told in September 2026.",
    )
    for nothing in (found, by_intervention(None, plan)):
        door = open_door(plan)
        cleared = clear(nothing, door)
        assert lint(describe(cleared, "council").html, "council") == ()
        assert tabulate(cleared, title="t").table.num_rows == 1
        assert audit(door.entries, plan) == ()


def test_a_name_of_few_schools_never_leaves(made: InterventionAssessment, plan: Plan) -> None:
    """Two schools share a name: no finding, row or word of it, and that some are not named is said."""
    secret = "Nurture base for A Child"
    rows = [{**row, "began_with": secret, "fewest_schools": 2} if n == 0 else row
            for n, row in enumerate(made.groups.to_pylist())]  # fmt: skip
    findings = tuple(
        dataclasses.replace(
            each, subgroup=secret, estimate=each.estimate and dataclasses.replace(each.estimate, subgroup=secret)
        )
        if n == 0
        else each
        for n, each in enumerate(made.findings)
    )
    other = dataclasses.replace(made, findings=findings, groups=pa.Table.from_pylist(rows, schema=made.groups.schema))
    door = open_door(plan)
    cleared = clear(other, door)
    shown = describe(cleared, "council")
    text = "\n".join([*(canonical(entry.payload) for entry in door.entries), shown.html, tabulate(cleared).html])
    assert secret not in text
    assert "fewest_schools" not in text
    assert "“Peer mentoring”" in text
    assert "What began in too few schools is not named" in readable(shown.html)
    assert audit(door.entries, plan) == ()


def test_few_schools_are_withheld_and_counts_rounded(made: InterventionAssessment, plan: Plan) -> None:
    """Two treated schools, or two to set them beside: withheld; no count that is no five leaves."""
    for few in ({"n_treated": 2}, {"n_treated": 40, "n_units": 42}):
        first, *rest = made.findings
        assert first.estimate is not None
        one = dataclasses.replace(first, estimate=dataclasses.replace(first.estimate, **few))
        door = open_door(plan)
        cleared = clear(dataclasses.replace(made, findings=(one, *rest)), door)
        assert cleared.value.findings[0].suppressed == "withheld"
        shown = readable(describe(cleared, "council").html)
        assert "“Belonging programme”: withheld" in shown
        assert "withheld" in tabulate(cleared).html
        estimate = cleared.value.findings[1].estimate
        assert estimate is not None
        assert not [n for n in (estimate.n_treated, estimate.n_units, estimate.n_clusters, estimate.n_pupils)
                    if n and n % 5]  # fmt: skip
        assert not [row for row in cleared.value.groups.to_pylist() if row["schools"] % 5]


@pytest.mark.parametrize(("rare", "held"), [(1, True), (2, True), (3, False), (0, False)])
def test_what_is_shown_gives_no_few_schools_back(
    rare: int, held: bool, made: InterventionAssessment, plan: Plan
) -> None:
    """By weight the interventions add up to the registered effect: one or two schools would be the remainder."""
    rows = made.groups.to_pylist()
    if rare:
        why = "began in fewer than three pyramids"
        rows.append({"began_with": "Quiet room", "schools": rare, "fewest_schools": rare, "why": why})
    groups = pa.Table.from_pylist(rows, schema=made.groups.schema)
    door = open_door(plan)
    cleared = clear(dataclasses.replace(made, groups=groups), door)
    left = {each.subgroup for each in made.findings} - {each.subgroup for each in cleared.value.findings}
    fewest = min(made.findings, key=lambda each: (each.estimate.n_treated if each.estimate else 0, each.subgroup))
    assert left == ({fewest.subgroup} if held else set())
    shown = readable(describe(cleared, "council").html)
    assert ("beside the others it would tell of too few schools" in shown) == held
    assert audit(door.entries, plan) == ()


def test_one_name_with_and_in_it_is_one(made: InterventionAssessment, plan: Plan) -> None:
    """ "Meet and greet" began alone: nothing is said of things that began together."""
    first, *rest = made.findings
    assert first.estimate is not None
    named = dataclasses.replace(
        first, subgroup="Meet and greet", estimate=dataclasses.replace(first.estimate, subgroup="Meet and greet")
    )
    rows = [{**row, "began_with": row["began_with"].replace(str(first.subgroup), "Meet and greet")}
            for row in made.groups.to_pylist()]  # fmt: skip
    other = dataclasses.replace(
        made, findings=(named, *rest), groups=pa.Table.from_pylist(rows, schema=made.groups.schema)
    )
    shown = readable(describe(clear(other, open_door(plan)), "council").html)
    assert "“Meet and greet”" in shown
    assert "began together" not in shown


def words(made: InterventionAssessment, plan: Plan, **change: Any) -> str:
    """The text of the page."""
    html = describe(clear(dataclasses.replace(made, **change), open_door(plan)), "council").html
    assert lint(html, "council") == ()
    return readable(html)


def test_words_for_heads(made: InterventionAssessment, plan: Plan) -> None:
    """Whether they differ comes first; then each, with how many schools, its range, and that it is no answer."""
    alike = made.told_apart.set_column(1, "p_value", pa.array([0.33]))
    text = words(made, plan, told_apart=alike.replace_schema_metadata(made.told_apart.schema.metadata))
    lead = text.index("They were not seen to differ by more than chance")
    assert "about 33 times in 100. That does not say that they do the same" in text
    assert lead < text.index("Where pyramids began with “Belonging programme” (about ")
    assert "points lower than schools that had not started anything by then lead one to expect; range: " in text
    assert "This is a description, not an answer" in text
    apart = words(made, plan)
    assert "They differed by more than chance often makes them" in apart
    assert "not seen to differ" not in apart
    times = made.told_apart.set_column(3, "within_starts", pa.array([False]))
    later = words(made, plan, told_apart=times.replace_schema_metadata(made.told_apart.schema.metadata))
    assert "may be one between those times" in later
    one = words(made, plan, findings=made.findings[:1])
    assert "Only “Belonging programme” can be described here" in one
    none = words(made, plan, told_apart=made.told_apart.slice(0, 0), findings=())
    assert "No intervention began in enough schools and pyramids" in none
    assert [times_in_100(share) for share in (0.001, 0.0104, 0.05)] == [
        "less than once in 100", "about once in 100", "about 5 times in 100",
    ]  # fmt: skip


def test_what_has_no_number_is_named_with_the_reason(made: InterventionAssessment, plan: Plan) -> None:
    """Enough schools to be named, too few pyramids for a number."""
    extra = {"began_with": "Quiet room", "schools": 9, "fewest_schools": 7, "why": "began in fewer than three pyramids"}
    groups = pa.Table.from_pylist([*made.groups.to_pylist(), extra], schema=made.groups.schema)
    assert "No number for “Quiet room”: it began in fewer than three pyramids" in words(made, plan, groups=groups)
    cleared = clear(dataclasses.replace(made, groups=groups), open_door(plan))
    assert "no number: began in fewer than three pyramids" in tabulate(cleared).html


# --- permanent exclusions ---------------------------------------------------------------------------------------------


def test_permanent_exclusions_have_an_exact_interval_and_no_verdict(
    study: SchoolStudy, assessment: SchoolAssessment
) -> None:
    """The ratio of 30 and 15 in as many days is 1.0429 to 3.9999 as published; described only, by its own method."""
    panel = study.panel(PERMANENT)
    started = np.arange(len(panel.periods)) >= np.array([99 if a is None else a for a in panel.adoption])[:, None]
    both = np.broadcast_to(started.any(axis=0) & ~started.all(axis=0), started.shape)
    numerator, days = np.zeros(panel.numerator.shape), np.zeros(panel.numerator.shape)
    for mask, n in ((started, 30.0), (~started, 15.0)):
        row, column = np.argwhere(mask & both)[0]
        numerator[row, column], days[row, column] = n, 190_000.0
    other = dataclasses.replace(panel, numerator=numerator, denominator=days)
    known = dataclasses.replace(study, made={PERMANENT: other})
    made = estimate_of(known, PERMANENT)
    low, high = (math.exp(end) for end in made.intervals["0.95"])
    assert (low, high) == pytest.approx((1.0429, 3.9999), abs=5e-5)
    assert math.exp(made.value) == pytest.approx(2)
    assert made.p_value == pytest.approx(0.035698, abs=5e-7)
    assert (made.inference, made.registered) == ("exact", False)
    assert made.counted == ((30, 15), (190_000.0, 190_000.0))
    assert (made.actual, made.predicted) == pytest.approx((0.030, 0.015))
    real = next((each for each in assessment.findings if each.outcome == PERMANENT), None)
    if real is not None:  # a small county may have too few for a ratio
        assert (real.verdict, real.rule, real.method) == ("cannot_tell", 1, "exact_ratio")


def exact_finding(whole: SchoolAssessment, events: tuple[int, int]) -> Any:
    """The assessment with one finding: permanent exclusions of so many on either side."""
    like = next(each for each in whole.findings if each.outcome == "suspension_rate")
    assert like.estimate is not None
    found = exact_ratio(events, (5e6, 7e6))
    assert found.ratio is not None
    log = tuple(math.log(end) for end in found.interval)
    estimate = dataclasses.replace(
        like.estimate, outcome=PERMANENT, value=math.log(found.ratio), p_value=found.p_value, inference="exact",
        intervals=dict.fromkeys(("0.9", "0.95"), log), std_error=0.2, counted=(events, (5e6, 7e6)), actual=0.001,
        predicted=0.0012, method="exact_ratio",
    )  # fmt: skip
    finding = dataclasses.replace(
        like, outcome=PERMANENT, label="Permanent exclusions per 100 pupils", estimate=estimate, method="exact_ratio"
    )
    return dataclasses.replace(whole, findings=(finding,))


@pytest.mark.parametrize("events", [(0, 0), (40, 0), (0, 40), (40, 1), (9, 40), (40, 10)])
def test_none_and_few_permanent_exclusions_sound_alike(
    events: tuple[int, int], study: SchoolStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a hidden count is nought is told by no other wording, and no refusal quotes a count."""
    monkeypatch.setattr(
        few_events, "started_beside_others", lambda _, level: exact_ratio(events, (5e6, 7e6), level=level)
    )
    if min(events) >= 10:
        assert few_events.exact_estimate(study, study.panel(PERMANENT), PERMANENT).counted is not None
        return
    with pytest.raises(EstimateError) as refused:
        few_events.exact_estimate(study, study.panel(PERMANENT), PERMANENT)
    assert str(refused.value) == "too few, in schools that had started or in the others, for a ratio"


def test_few_permanent_exclusions_are_hidden_and_counts_do_not_come_back(
    assessment: SchoolAssessment, plan: Plan
) -> None:
    """Nine on one side: withheld, in words. Above that every pair of counts that rounds alike gives the same."""
    few = clear(exact_finding(assessment, (9, 40)), open_door(plan))
    assert few.value.findings[0].suppressed == "withheld"
    text = readable(describe(few, "council").html)
    assert "The rate of permanent exclusions in these schools is withheld, so that no child" in text

    def released(events: tuple[int, int]) -> tuple[Any, ...]:
        estimate = clear(exact_finding(assessment, events), open_door(plan)).value.findings[0].estimate
        return (estimate.value, estimate.p_value, estimate.intervals["0.95"], estimate.n_pupils, estimate.std_error)

    like = released((35, 45))
    assert {released((a, b)) == like for a in range(33, 38) for b in range(43, 48)} == {True}
    assert released((38, 45)) != like
    found = exact_ratio((35, 45), (5e6, 7e6))
    assert like[2] == pytest.approx([math.log(end) for end in found.interval])
    shown = clear(exact_finding(assessment, (33, 44)), open_door(plan))
    assert shown.value.findings[0].estimate.counted is None
    uncounted = exact_finding(assessment, (33, 44))
    bare = dataclasses.replace(
        uncounted.findings[0], estimate=dataclasses.replace(uncounted.findings[0].estimate, counted=None)
    )
    with pytest.raises(DisclosureError, match="without its counts"):
        clear(dataclasses.replace(uncounted, findings=(bare,)), open_door(plan))
    html = describe(shown, "council").html
    assert lint(html, "council") == ()
    assert "There are too few for an answer, and how these schools differed before is not taken out" in readable(html)
    assert "there were about 1.1 times as many in schools whose pyramid had started as" in readable(html)
    assert "range: 0.6 to 1.8 times" in readable(html)
    assert "than expected" not in readable(html)
    assert "described only" in readable(html)


def test_permanent_exclusions_are_counted_before_and_since(study: SchoolStudy, plan: Plan) -> None:
    """Four rows add up to the cohort's own; hidden under ten; a study without schools says so."""
    rows = events_by_start(study, PERMANENT)
    found = rows.table.to_pylist()
    panel = study.panel(PERMANENT)
    assert sum(row["events"] for row in found[:2]) == panel.numerator[:, : panel.first_start].sum()
    assert sum(row["events"] for row in found[2:]) == panel.numerator[:, panel.first_start :].sum()
    years = panel.denominator.sum() / 190
    assert sum(row["pupil_years"] for row in found) == pytest.approx(years, abs=2)
    door = open_door(plan)
    cleared = clear(rows.table, door, counts=rows.counts, name="permanent_exclusions_by_start")
    for before, after in zip(found, cleared.value.to_pylist(), strict=True):
        assert (after["events"] is None) == (before["events"] < 10)
    assert audit(door.entries, plan) == ()
    assert "no records of single schools" in events_by_start(None, PERMANENT).table.to_pylist()[0]["which"]
