"""The school panel: sums counted by hand, who started when, and a cohort that neither age nor moves can mislead."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from ibis.expr.types import Table

from belonging_research.errors import PanelError
from belonging_research.estimators.staggered import SchoolDesign, estimate_schools, group_time_effects
from belonging_research.outcomes.registers import session_counts
from belonging_research.panel.schools import (
    LeftOut,
    Register,
    SchoolPanel,
    cohort_panel,
    events_panel,
    panel_of_arrays,
    school_panel,
    starts_of,
)
from belonging_research.tables.council import (
    DESTINATIONS,
    ENROLMENTS,
    EXCLUSIONS,
    INTERVENTIONS,
    MARKS,
    PUPILS,
    SCHOOLS,
)
from belonging_research.tables.school_year import half_terms

Rows = Sequence[tuple[Any, ...]]
YEARS = ("2023/24", "2024/25")
HALVES = [half for year in YEARS for half in half_terms(year)]
# A school day well inside each half-term of the two years.
DAYS = [half.first_day + dt.timedelta(days=14 + (7 if half.number == 1 else 0)) for half in HALVES]
BORN = dt.date(2014, 5, 1)  # aged 9 on 31 August 2023: Year 5


def table(spec: Any, rows: Rows) -> Table:
    """A table of rows in the order of the spec's columns."""
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in spec.columns]
    return ibis.memtable(pa.table(dict(zip(spec.schema.names, columns, strict=True)), schema=spec.schema))


def half_day(pupil: str, urn: int, at: int, absent: int, present: int) -> list[tuple[Any, ...]]:
    """Marks of a pupil from day ``at`` on: absent ones first, at most one a day and session."""
    marks = ["I"] * absent + ["/"] * present
    start = DAYS[at]
    return [(pupil, urn, start + dt.timedelta(days=n // 2), ("am", "pm")[n % 2], mark) for n, mark in enumerate(marks)]


def a_start(urn: int, day: dt.date, timing: str = "drawn_by_lot", name: str = "mentors") -> tuple[Any, ...]:
    """A row of the intervention log."""
    return (name, urn, day, None, None, None, None, timing)


def register(
    marks: Rows,
    *,
    born: dict[str, dt.date] | None = None,
    rolls: Rows | None = None,
    schools: Rows = ((1, "primary", False, "north"), (2, "primary", False, "south")),
    interventions: Rows = (),
) -> Register:
    """A council of these marks; without anything said each pupil is in Year 5 and on roll since 2023."""
    pupils = sorted({row[0] for row in marks})
    months = dict.fromkeys(pupils, BORN) | (born or {})
    first: dict[str, int] = {}
    for row in sorted(marks, key=lambda each: (each[2], each[3])):
        first.setdefault(row[0], row[1])
    own = rolls or [(pupil, urn, dt.date(2023, 9, 1), None, None, "C") for pupil, urn in first.items()]
    return Register(
        counts=session_counts(table(MARKS, marks), YEARS),
        pupils=table(PUPILS, [(p, m, None, None, None, None, None) for p, m in months.items()]),
        enrolments=table(ENROLMENTS, own),
        schools=table(SCHOOLS, schools),
        interventions=table(INTERVENTIONS, interventions or [a_start(1, HALVES[6].first_day)]),
    )


def classes(n: int = 6) -> list[tuple[str, int]]:
    """Pupils of both schools, enough for the schools to count."""
    return [(f"p{urn}{k}", urn) for urn in (1, 2) for k in range(n)]


NO_MOVES = table(DESTINATIONS, [])


# All enrolments.


def test_half_days_of_a_school_are_counted_by_hand() -> None:
    """Two half-days each, one pupil of school 1 absent for one: 1 of 12 there, 0 of 12 at school 2."""
    marks = [
        row
        for at in range(12)
        for p, urn in classes()
        for row in half_day(p, urn, at, int(p == "p10"), 2 - int(p == "p10"))
    ]

    panel = school_panel(register(marks), periods=YEARS)

    assert panel.units == ("1", "2")
    assert panel.periods[:2] == ("2023/24 HT1", "2023/24 HT2")
    np.testing.assert_array_equal(panel.numerator, [[1] * 12, [0] * 12])
    np.testing.assert_array_equal(panel.denominator, [[12] * 12, [12] * 12])
    assert (panel.adoption, panel.clusters, panel.sizes.tolist()) == ((6, None), ("north", "south"), [6.0, 6.0])
    assert not panel.every_school_starts


def test_rules_of_the_published_absence_are_kept_and_counted() -> None:
    """Aged 4 leaves the panel, a 15-year-old's half-term 6 too, and a school of two is too small; each is counted."""
    born = {"p10": dt.date(2019, 5, 1), "p20": dt.date(2008, 5, 1)}
    rows = [
        row for at in range(6) for p, urn in [*classes(7), ("q", 3), ("r", 3)] for row in half_day(p, urn, at, 1, 1)
    ]
    schools = [(urn, "primary", False, f"{urn}") for urn in (1, 2, 3)]
    made = register(rows, born=born, schools=schools, interventions=[a_start(1, HALVES[2].first_day)])

    panel = school_panel(made, periods=["2023/24"])

    assert panel.units == ("1", "2")
    np.testing.assert_array_equal(panel.denominator, [[12] * 6, [14] * 5 + [12]])
    assert LeftOut(what="enrolments of a year", reason="not_aged_5_to_15", n=1, of=16) in panel.exclusions
    assert LeftOut(what="enrolments of a year", reason="school_under_6_enrolments", n=2, of=16) in panel.exclusions


def test_a_school_with_a_gap_is_dropped_and_counted() -> None:
    """School 2 sends nothing in one half-term: no figure is filled in."""
    schools = [(urn, "primary", False, f"{urn}") for urn in (1, 2, 3)]
    marks = [
        row for at in range(12) for k in range(6) for urn in (1, 2, 3) if (urn, at) != (2, 4)
        for row in half_day(f"p{urn}{k}", urn, at, 0, 2)
    ]  # fmt: skip
    panel = school_panel(register(marks, schools=schools), periods=YEARS)
    assert panel.units == ("1", "3")
    assert LeftOut(what="units", reason="no_figure_in_some_half_term", n=1, of=3) in panel.exclusions


# Starts.


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (HALVES[6].first_day, 6),
        (HALVES[6].first_day + dt.timedelta(days=1), 6),
        (HALVES[6].last_day, 6),
        (HALVES[7].first_day, 7),
        (HALVES[11].last_day, 11),
        (HALVES[11].last_day + dt.timedelta(days=1), None),
    ],
)
def test_a_school_starts_in_the_half_term_that_contains_its_first_day(day: dt.date, expected: int | None) -> None:
    """So that the half-term before is wholly untreated; a start after the panel is none within it."""
    schools = table(SCHOOLS, [(1, "primary", False, None)]).to_pyarrow()
    found = starts_of(schools, table(INTERVENTIONS, [a_start(1, day)]).to_pyarrow(), HALVES)
    assert found.adoption == {1: expected}
    assert found.every_school_starts


def test_the_first_of_several_starts_counts_and_carries_its_pyramid() -> None:
    """School 1 starts twice and its pyramid with it; school 4 stands alone; how many of each is told."""
    schools = [
        (1, "primary", False, "a"),
        (2, "primary", False, "a"),
        (3, "primary", False, "b"),
        (4, "special", False, None),
    ]
    log = [
        a_start(1, HALVES[9].first_day),
        a_start(1, HALVES[7].first_day, "by_need", "pledge"),
        a_start(4, dt.date(2020, 1, 1)),
    ]
    frames = [table(spec, rows).to_pyarrow() for spec, rows in ((SCHOOLS, schools), (INTERVENTIONS, log))]

    by_pyramid = starts_of(*frames, HALVES)
    alone = starts_of(*frames, HALVES, assignment="school")

    assert by_pyramid.adoption == {1: 7, 2: 7, 3: None}
    assert alone.adoption == {1: 7, 2: None, 3: None}
    assert by_pyramid.before == (4,)
    assert by_pyramid.timing == {1: "by_need", 2: "by_need", 4: "drawn_by_lot"}
    assert {each.reason: each.n for each in by_pyramid.counts} == {
        "first_of_several_interventions_counts": 1, "starts_with_its_pyramid": 1, "no_pyramid_so_its_own_cluster": 1,
    }  # fmt: skip


def test_an_intervention_at_a_school_that_does_not_exist_is_refused() -> None:
    """Named by its urn, which is public."""
    marks = [row for p, urn in classes() for row in half_day(p, urn, 0, 0, 2)]
    with pytest.raises(PanelError, match=r"1 urn\(s\) are not in schools \(99\)"):
        school_panel(register(marks, interventions=[a_start(99, HALVES[6].first_day)]), periods=YEARS)


def test_a_panel_without_a_start_is_refused() -> None:
    """Nothing could be estimated, and the message says what to look at."""
    marks = [row for at in range(12) for p, urn in classes() for row in half_day(p, urn, at, 0, 2)]
    with pytest.raises(PanelError, match="starts within 2023/24 HT1 to 2024/25 HT6"):
        school_panel(register(marks, interventions=[a_start(1, dt.date(2026, 1, 1))]), periods=YEARS)


# The fixed pupil cohort.


def test_a_mover_stays_with_the_baseline_school() -> None:
    """p10 moves to school 2 in 2024/25 and is absent there: a half-day of school 1's cohort, none of school 2's."""
    marks = []
    for at in range(12):
        for p, urn in classes(7):
            moved = p == "p10" and at >= 6
            marks += half_day(p, 2 if moved else urn, at, int(moved), 2 - int(moved))
    made = register(marks)

    cohort = cohort_panel(made, periods=YEARS, baseline="2023/24", destinations=NO_MOVES)
    on_roll = school_panel(made, periods=YEARS)

    assert cohort.units == ("1/Y05", "2/Y05")
    np.testing.assert_array_equal(cohort.numerator, [[0] * 6 + [1] * 6, [0] * 12])
    np.testing.assert_array_equal(cohort.denominator, [[14] * 12] * 2)
    # By the roll of the day the same absence stands at school 2.
    np.testing.assert_array_equal(on_roll.numerator, [[0] * 12, [0] * 6 + [1] * 6])
    np.testing.assert_array_equal(on_roll.denominator, [[14] * 6 + [12] * 6, [14] * 6 + [16] * 6])


def test_leavers_are_counted_by_destination_and_whether_their_school_starts() -> None:
    """Two of school 1 and one of school 2 are gone by the last half-term; home education stands among the others."""
    gone = {"p10": "home_education", "p11": None, "p20": "managed_move"}
    marks = [
        row
        for at in range(12)
        for p, urn in classes(8)
        if not (p in gone and at >= 8)
        for row in half_day(p, urn, at, 0, 2)
    ]
    moves = [(p, kind, HALVES[7].first_day, None, None, None) for p, kind in gone.items() if kind]
    # Two cases on one day: the last by name, in whatever order they come.
    moves.insert(0, ("p10", "alternative_provision", HALVES[7].first_day, None, None, None))
    moves.append(("p12", "managed_move", HALVES[7].first_day, None, None, None))  # still here, so no leaver

    panel = cohort_panel(register(marks), periods=YEARS, baseline="2023/24", destinations=table(DESTINATIONS, moves))

    assert {(each.what, each.reason, each.n, each.of) for each in panel.leavers} == {
        ("pupils of schools that start", "home_education", 1, 16),
        ("pupils of schools that start", "not_recorded", 1, 16),
        ("pupils of schools that do not start", "managed_move", 1, 16),
    }


def test_who_is_past_the_age_that_counts_is_no_leaver() -> None:
    """Aged 15 in 2023/24: 16 the year after, out of both sums and of the leavers; half-term 6 is no figure at 15."""
    born = {"p10": dt.date(2008, 5, 1)}
    marks = [
        row for at in range(12) for p, urn in classes(7) for row in half_day(p, urn, at, 0, 2) if p != "p10" or at < 6
    ]
    panel = cohort_panel(register(marks, born=born), periods=YEARS, baseline="2023/24", destinations=NO_MOVES)
    assert panel.leavers == ()
    assert panel.units == ("1/Y05", "1/Y11", "2/Y05")
    np.testing.assert_array_equal(panel.denominator[1], [2] * 5 + [0] * 7)


def test_pupils_are_of_the_cohort_by_their_roll_on_the_census_day() -> None:
    """Guests and subsidiary registrations do not count, nor who came later; on two main rolls the lowest urn stands."""
    since = dt.date(2023, 9, 1)
    rolls = [
        ("p10", 1, since, None, None, "C"), ("p11", 2, since, None, None, "M"), ("p11", 1, since, None, None, "S"),
        ("p20", 2, since, None, None, "G"), ("p21", 2, dt.date(2024, 1, 19), None, None, "C"),
        ("p22", 2, since, dt.date(2024, 1, 17), None, "C"), ("p23", 2, since, dt.date(2024, 1, 18), None, "C"),
        ("p24", 2, since, None, None, "C"), ("p24", 1, since, None, None, "C"),
    ]  # fmt: skip
    marks = [row for at in range(12) for p, urn in classes() for row in half_day(p, urn, at, 0, 2)]
    panel = cohort_panel(register(marks, rolls=rolls), periods=YEARS, baseline="2023/24", destinations=NO_MOVES)
    assert dict(zip(panel.units, panel.sizes, strict=True)) == {"1/Y05": 2.0, "2/Y05": 2.0}
    assert LeftOut(what="pupils", reason="on_two_rolls_lowest_urn_counts", n=1, of=4) in panel.exclusions


# Ageing.


def ageing_world(seed: int, *, effect: float) -> tuple[SchoolPanel, SchoolPanel, float]:
    """Blocks by year group and the same pupils by school; absence rises 2 points a year of age beyond Year 8 only.

    Starters' cohorts are older (Years 8 and 9 at baseline) than the others' (Years 4 and 8): without standardising,
    their pupils age into higher absence. Returns both panels and the bias that this alone gives the naive one.
    """
    rng = np.random.default_rng(seed)
    n_pyramids, periods = 24, 18
    starts = [12 if n < 12 else None for n in range(n_pyramids)]
    year = np.arange(periods) // 6  # 0, 1, 2; baseline is the second
    units, values, sizes = [], [], []
    for pyramid, start in enumerate(starts):
        groups = (8, 9) if start is not None else (4, 8)
        noise = rng.normal(0, 0.002, periods)
        for group in (4, 8, 9):
            size = 200.0 if group in groups else 10.0
            age = group + year - 1
            treated = np.arange(periods) >= (start if start is not None else periods)
            values.append(
                0.05 + 0.02 * np.maximum(age - 8, 0) + noise + rng.normal(0, 0.002, periods) + effect * treated
            )
            units.append((pyramid, group))
            sizes.append(size)
    rates, weight = np.array(values), np.array(sizes)
    clusters = [f"pyramid {pyramid:02d}" for pyramid, _ in units]
    adoption = [starts[pyramid] for pyramid, _ in units]
    labels = [f"{2022 + t // 6}/{23 + t // 6} HT{t % 6 + 1}" for t in range(periods)]
    halves = np.repeat(weight[:, None] * 60, periods, axis=1)
    within = panel_of_arrays(
        outcome="overall_absence_rate", units=[f"{p:02d}/Y{g:02d}" for p, g in units], periods=labels,
        numerator=rates * halves, denominator=halves, adoption=adoption, clusters=clusters,
        schools=clusters, blocks=[f"Y{g:02d}" for _, g in units], sizes=weight,
    )  # fmt: skip
    member = np.array([pyramid for pyramid, _ in units])
    top = np.array([(rates * halves)[member == p].sum(axis=0) for p in range(n_pyramids)])
    bottom = np.array([halves[member == p].sum(axis=0) for p in range(n_pyramids)])
    naive = panel_of_arrays(
        outcome="overall_absence_rate", units=[f"{p:02d}" for p in range(n_pyramids)], periods=labels,
        numerator=top, denominator=bottom, adoption=starts, sizes=bottom[:, 0] / 60,
    )  # fmt: skip
    # From baseline to the year after, Years 8 and 9 gain 2 points each, Year 4 none, by each side's mix of pupils.
    bias = 0.02 * (400 / 410 - 210 / 410)
    return within, naive, bias


def test_ageing_does_not_look_like_an_effect() -> None:
    """By school the known bias of ageing, 0.93 points, is taken for harm; within year groups the truth is found."""
    rng = np.random.default_rng(0)
    within, naive, bias = ageing_world(7, effect=-0.004)

    ours = estimate_schools(within, SchoolDesign(alpha=0.05, sesoi=0.0025, draws=499, placebos=0), rng=rng)
    wrong = group_time_effects(naive, rng=rng)

    assert bias == pytest.approx(0.0093, abs=0.0001)
    assert wrong.overall.value - -0.004 == pytest.approx(bias, abs=0.0015)
    assert ours.value == pytest.approx(-0.004, abs=0.0015)
    assert ours.intervals["0.95"][0] < -0.004 < ours.intervals["0.95"][1]
    assert ours.p_value <= 0.01


def test_a_year_group_that_ages_out_leaves_the_rest_comparable() -> None:
    """Half-terms at which a block has no figures are none of its; cells go on with the others."""
    within, _, _ = ageing_world(7, effect=-0.004)
    closed = within.denominator.copy()
    oldest = np.array([block == "Y09" for block in within.blocks])
    closed[oldest, 15:] = 0.0
    made = panel_of_arrays(
        outcome=within.outcome, units=within.units, periods=within.periods, numerator=within.numerator,
        denominator=closed, adoption=within.adoption, clusters=within.clusters, blocks=within.blocks,
        sizes=within.sizes,
    )  # fmt: skip
    effects = group_time_effects(made, rng=np.random.default_rng(0))
    counts = {each.time: each.n_treated for each in effects.cells if each.event_time >= 0}
    assert [counts[label] for label in made.periods[12:]] == [36] * 3 + [24] * 3
    assert effects.overall.value == pytest.approx(-0.004, abs=0.0015)
    assert effects.left_out == ()


# Counts.


def test_suspensions_with_enrolled_school_days() -> None:
    """Two half-days a half-term and pupil make one school day; absent or not changes nothing; nor do cancelled ones."""
    marks = [
        row for at in range(12) for p, urn in classes() for row in half_day(p, urn, at, at % 3 % 2, 2 - at % 3 % 2)
    ]
    events = [
        ("p10", 1, "suspension", DAYS[0], 4, "issued", None, ["DB"]),
        ("p10", 1, "suspension", DAYS[0] + dt.timedelta(days=3), 4, "issued", None, ["DB"]),
        ("p11", 1, "suspension", DAYS[7], 2, "issued", None, ["DB"]),
        ("p12", 1, "suspension", DAYS[7], 2, "cancelled", DAYS[8], ["DB"]),
        ("p13", 1, "permanent", DAYS[7], None, "upheld", DAYS[8], ["PP"]),
    ]
    made, issued = register(marks), table(EXCLUSIONS, events)

    suspensions = events_panel(made, issued, periods=YEARS)
    pupils = events_panel(made, issued, periods=YEARS, event="pupils_suspended")
    permanent = events_panel(made, issued, periods=YEARS, event="permanent_exclusions")

    assert suspensions.numerator.tolist() == [[2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], [0] * 12]
    assert suspensions.denominator.tolist() == [[6] * 12, [6] * 12]
    assert pupils.numerator[0].tolist() == [1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert pupils.denominator.tolist() == [[6] * 12, [6] * 12]
    assert permanent.numerator[0].sum() == 1


def test_a_cohorts_suspensions_stay_with_the_baseline_school() -> None:
    """p10 is suspended by school 2 after a move: an event of school 1's cohort."""
    marks = [row for at in range(12) for p, urn in classes() for row in half_day(p, urn, at, 0, 2)]
    events = table(EXCLUSIONS, [("p10", 2, "suspension", DAYS[8], 4, "issued", None, ["DB"])])
    panel = events_panel(register(marks), events, periods=YEARS, baseline="2023/24")
    assert panel.numerator.sum(axis=1).tolist() == [1, 0]
    assert events_panel(register(marks), events, periods=YEARS).numerator.sum(axis=1).tolist() == [0, 1]


# The shape.


def test_a_panel_is_the_same_whatever_the_order_of_its_rows_and_cannot_be_written_to() -> None:
    """Same arrays, same digest; another number, another digest."""
    rng = np.random.default_rng(1)
    values = rng.random((5, 4))
    given: dict[str, Any] = {"outcome": "x", "periods": list("abcd"), "denominator": np.ones((5, 4))}
    units, adoption = list("vwxyz"), [None, 2, 2, 3, None]
    order = [3, 0, 4, 1, 2]
    one = panel_of_arrays(units=units, numerator=values, adoption=adoption, **given)
    other = panel_of_arrays(
        units=[units[n] for n in order], numerator=values[order], adoption=[adoption[n] for n in order], **given
    )
    assert one.digest == other.digest
    assert one.numerator.tobytes() == other.numerator.tobytes()
    with pytest.raises(ValueError, match="read-only"):
        one.numerator[0, 0] = 1.0
    assert panel_of_arrays(units=units, numerator=values + 1e-12, adoption=adoption, **given).digest != one.digest


def test_weights_by_pupils_sessions_and_schools() -> None:
    """Fixed before the first start and of mean 1; by schools each school's units share one vote."""
    made = panel_of_arrays(
        outcome="x", units=list("abc"), periods=["1", "2", "3"], adoption=[2, 2, None], schools=["s", "s", "t"],
        numerator=np.zeros((3, 3)), denominator=np.array([[10, 20, 9e9], [15, 15, 1], [60, 60, 60.0]]),
        sizes=np.array([10.0, 30.0, 60.0]),
    )  # fmt: skip
    np.testing.assert_allclose(made.weights("pupils"), [0.3, 0.9, 1.8])
    np.testing.assert_allclose(made.weights("sessions"), [0.5, 0.5, 2.0])
    np.testing.assert_allclose(made.weights("schools"), [0.375, 1.125, 1.5])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": ["a", "a"]}, "stands in it twice"),
        ({"adoption": [5, None]}, "1 outside its 3 half-terms"),
        ({"numerator": np.array([[1, np.nan, 1], [1, 1, 1.0]])}, "1 of 6 numerators are missing"),
        ({"denominator": -np.ones((2, 3))}, "below 0"),
        ({"numerator": np.ones((2, 2))}, r"shape \(2, 2\), expected \(2, 3\)"),
        ({"clusters": ["a"]}, "1 clusters for 2 units"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    """Each fault by its name."""
    given: dict[str, Any] = {
        "outcome": "x", "units": ["a", "b"], "periods": ["1", "2", "3"], "adoption": [1, None],
        "numerator": np.ones((2, 3)), "denominator": np.ones((2, 3)),
    }  # fmt: skip
    with pytest.raises(PanelError, match=message):
        panel_of_arrays(**(given | change))
