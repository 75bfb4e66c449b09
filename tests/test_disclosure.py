"""The door: only it clears, it hides what its policy hides, an adversary gets nothing back."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import itertools
import json
import math
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import REPOSITORY
from hypothesis import example, given, settings
from hypothesis import strategies as st

from belonging_research import plan as plans
from belonging_research.checks.result import CheckResult
from belonging_research.disclosure import (
    Amount,
    Cleared,
    Door,
    LedgerEntry,
    Measures,
    Rate,
    Total,
    audit,
    clear,
    is_sealed,
    open_door,
    read_ledger,
    refuse,
    released_table,
    sealed_display,
    vouch,
)
from belonging_research.disclosure.hiding import hide
from belonging_research.errors import DisclosureError
from belonging_research.estimators.result import Estimate, PathPoint
from belonging_research.findings import Candidate, Finding, judge_all
from belonging_research.plan import POLICIES, Plan

PLAN = plans.read_plan(REPOSITORY / "notebooks" / "plans" / "dorset_public.toml")
COUNCIL = PLAN.model_copy(update={"policy": "council"})
BY_GROUP = Measures(
    pupils=("n_pupils", "n_absent"),
    schools=("n_schools",),
    rates=(Rate(name="rate", numerator="n_absent", denominator="n_pupils"),),
    total=Total(column="group", label="all"),
)


def an_estimate(plan: Plan = PLAN, **changes: object) -> Estimate:
    """A plausible county estimate, with whatever a test changes."""
    path = tuple(
        PathPoint(period=p, event_time=i - 2, actual=0.077, predicted=0.076, low=None, high=None)
        for i, p in enumerate(("2022/23", "2023/24", "2024/25"))
    )
    made = Estimate(
        outcome="overall_absence_rate", unit="proportion", estimand="effect on the rate", method=plan.method,
        layer="county", phase="all", subgroup=None, source="census", base=plan.base, post=("2024/25",),
        plan_digest=plan.digest, panel_digest="0" * 64, value=0.0016, actual=0.0772, predicted=0.0756,
        std_error=0.0021, p_value=0.3, inference="placebo", n_reference=147, n_treated=1, n_units=148,
        intervals={"0.95": (-0.0025, 0.0057), "0.98": (-0.0033, 0.0065), "0.99": (-0.0038, 0.007)},
        n_clusters=None, n_pupils=None, detectable=0.0085, detectable_05=0.0045,
        detectable_realised_05=0.0052, power_at_sesoi=0.16, type_m=2.3,
        detectable_how="shifted placebos", weights={"855": 0.2}, path=path,
        registered=True, placebo_units=("855",), placebos=(0.1,),
    )  # fmt: skip
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def a_finding(plan: Plan = PLAN, **changes: object) -> Finding:
    """The finding of `an_estimate`, every check of the plan passed."""
    checks = tuple(
        CheckResult(name=n, status="pass", severity="serious", value=0.1, limit=0.2, power=None, sentence="Yes.")
        for n in plan.checks
    )
    row = Candidate.of(an_estimate(plan, **changes), checks, is_registered_row=True, uncovered=0.05, imbalance=0.1)
    return judge_all((row,), plan, report_year="2024/25")[0]


def groups(pupils: list[int], absent: list[int], schools: list[int], total: bool = True) -> pa.Table:
    """A one-way table of groups with, perhaps, their total."""
    names = [f"group {number}" for number in range(len(pupils))]
    columns = {"n_pupils": list(pupils), "n_absent": list(absent), "n_schools": list(schools)}
    if total:
        names.append("all")
        columns = {name: [*values, sum(values)] for name, values in columns.items()}
    rates = [a / p if p else None for a, p in zip(columns["n_absent"], columns["n_pupils"], strict=True)]
    return pa.table(
        {
            "group": names,
            **{name: pa.array(values, pa.int64()) for name, values in columns.items()},
            "rate": pa.array(rates, pa.float64()),
        }
    )


def test_only_the_door_makes_cleared() -> None:
    """A Cleared made, replaced or forged by anybody else is refused."""
    door = open_door(PLAN)
    with pytest.raises(DisclosureError, match="made by the door only"):
        Cleared(value=1, policy="as_published", entry="x", n_suppressed=0, door=door)
    cleared = clear(a_finding(), door)
    with pytest.raises((DisclosureError, ValueError)):
        dataclasses.replace(cleared, value=a_finding(value=-0.5))
    forged = copy.copy(cleared)
    object.__setattr__(forged, "value", a_finding(value=-0.004))
    with pytest.raises(DisclosureError, match="changed after"):
        vouch(forged)
    vouch(cleared)


@pytest.mark.parametrize("item", [{"a": 1}, [1], "text", (), (1, 2), None])
def test_raw_things_do_not_pass(item: object) -> None:
    """Frames, lists and texts are not cleared: only the shapes the door can judge."""
    with pytest.raises(DisclosureError, match="the door takes"):
        clear(item, open_door(PLAN))


def test_public_figures_all_pass() -> None:
    """as_published hides nothing: not one cell, not one finding, small counts included."""
    door = open_door(PLAN)
    table = groups([3, 0, 400], [1, 0, 9], [1, 1, 2])
    cleared = clear(table, door)
    assert cleared.value.equals(table)
    assert cleared.n_suppressed == 0
    findings = (a_finding(), a_finding(n_pupils=3, value=0.002))
    assert clear(findings, door).value == findings


def test_another_plans_estimate_is_refused() -> None:
    """A door clears the numbers of its own plan only."""
    with pytest.raises(DisclosureError, match="Open the door with the plan"):
        clear(an_estimate(plan_digest="f" * 64), open_door(PLAN))


def test_council_hides_small_counts_and_their_rates() -> None:
    """Under 10 pupils or 3 schools: null, with the reason; the rest rounded to 5, rates to one decimal."""
    table = groups([4, 203, 388], [1, 22, 54], [3, 9, 2], total=False)
    cleared = clear(table, open_door(COUNCIL), counts=dataclasses.replace(BY_GROUP, total=None))
    rows = cleared.value.to_pylist()
    assert [row["n_pupils"] for row in rows] == [None, 205, None]
    assert [row["n_absent"] for row in rows] == [None, 20, None]
    assert [row["rate"] for row in rows] == [None, 0.108, None]
    assert "fewer than 10 pupils" in rows[0]["suppressed"]
    assert "fewer than 3 schools" in rows[2]["suppressed"]
    assert rows[1]["suppressed"] is None
    assert cleared.n_suppressed == 7


def test_council_keeps_what_is_large_enough() -> None:
    """A table of large groups loses nothing: a door that hides everything is no door."""
    cleared = clear(groups([420, 380, 510], [60, 44, 91], [5, 6, 7]), open_door(COUNCIL), counts=BY_GROUP)
    assert cleared.n_suppressed == 0
    assert cleared.value.column("n_pupils").null_count == 0


def test_one_hidden_part_hides_the_next_smallest() -> None:
    """With a total in the table, one small part alone could be worked out; the next smallest goes too."""
    table = groups([4, 203, 388], [0, 22, 54], [3, 9, 8])
    rows = clear(table, open_door(COUNCIL), counts=BY_GROUP).value.to_pylist()
    assert [row["n_pupils"] for row in rows] == [None, None, 390, 595]
    assert "to protect another" in rows[1]["suppressed"]


def test_a_rest_that_is_small_is_hidden_too() -> None:
    """98 of 100 says that two were not: the numerator and the rate go, the denominator may stay."""
    table = groups([100, 300], [98, 30], [4, 4], total=False)
    rows = clear(table, open_door(COUNCIL), counts=dataclasses.replace(BY_GROUP, total=None)).value.to_pylist()
    assert (rows[0]["n_absent"], rows[0]["rate"], rows[0]["n_pupils"]) == (None, None, 100)


def possible(table: pa.Table, true: pa.Table, column: str, row: int) -> set[int]:
    """What an adversary still thinks possible for a hidden cell.

    He knows the rules, the exact value of every shown count of this column, the total, and every denominator.
    """
    shown = table.column(column).to_pylist()
    exact = true.column(column).to_pylist()
    pupils = true.column("n_pupils").to_pylist()
    why = table.column("suppressed").to_pylist()
    last = len(exact) - 1
    if shown[last] is None:
        return set(range(0, 401 if column == "n_pupils" else pupils[row] + 1))
    ranges = {}
    for at in range(last):
        if shown[at] is None:
            reason = next(part for part in why[at].split("; ") if part.startswith(f"{column}:"))
            under = "fewer than 10 pupils" in reason
            by_rule = "protect another" in reason
            most = 400 if column == "n_pupils" else pupils[at]
            if by_rule and column == "n_absent":
                most = pupils[at] - 10
            low, high = (0, min(9, most)) if under else (10 if by_rule else 0, most)
            ranges[at] = (low, max(low, high))
    rest = exact[last] - sum(exact[at] for at in range(last) if at not in ranges)
    low = rest - sum(high for at, (_, high) in ranges.items() if at != row)
    high = rest - sum(low for at, (low, _) in ranges.items() if at != row)
    return {value for value in range(ranges[row][0], ranges[row][1] + 1) if low <= value <= high}


@given(
    cells=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=6),
)
@settings(max_examples=300, deadline=None)
def test_no_hidden_cell_is_recoverable(cells: list[tuple[int, int]]) -> None:
    """Whatever the table, an adversary learns no more of a small count than that it is under ten."""
    pupils = [max(a, b) for a, b in cells]
    absent = [min(a, b) for a, b in cells]
    true = groups(pupils, absent, [5] * len(cells))
    released = clear(true, open_door(COUNCIL), counts=BY_GROUP).value
    assert true.column_names == [name for name in released.column_names if name != "suppressed"]
    for column, values in (("n_pupils", pupils), ("n_absent", absent)):
        for row, value in enumerate(values):
            shown = released.column(column)[row].as_py()
            if value < 10:
                assert shown is None
                most = 9 if column == "n_pupils" else min(9, pupils[row])
                assert set(range(most + 1)) <= possible(released, true, column, row)
            assert shown is None or (shown >= 10 and shown % 5 == 0)
    for row in range(released.num_rows):
        if released.column("n_absent")[row].as_py() is None or released.column("n_pupils")[row].as_py() is None:
            assert released.column("rate")[row].as_py() is None


@given(counts=st.lists(st.integers(0, 12), min_size=2, max_size=3))
@example(counts=[12, 12, 9])  # a part hidden beside 9 is no larger than the one shown
@settings(max_examples=40, deadline=None)
def test_brute_force_leaves_several_worlds(counts: list[int]) -> None:
    """Every world that fits the released table, listed one by one: no small count is the same in all."""
    names = [*(f"g{i}" for i in range(len(counts))), "all"]
    table = pa.table({"group": names, "n": pa.array([*counts, sum(counts)], pa.int64())})
    measures = Measures(pupils=("n",), total=Total(column="group", label="all"))
    shown = hide(table, measures, POLICIES["council"]).table.column("n").to_pylist()
    worlds = []
    for world in itertools.product(range(14), repeat=len(counts)):
        other = pa.table({"group": names, "n": pa.array([*world, sum(world)], pa.int64())})
        values = [*world, sum(world)]
        fits = all((s is None) or abs(s - v) <= 2.5 for s, v in zip(shown, values, strict=True)) and all(
            s is None or v >= 10 for s, v in zip(shown, values, strict=True)
        )
        if fits and hide(other, measures, POLICIES["council"]).table.column("n").to_pylist() == shown:
            worlds.append(world)
        if len(worlds) > 400:
            break
    for at, value in enumerate(counts):
        if value < 10 and len(worlds) <= 400:
            assert len({world[at] for world in worlds}) > 1


@pytest.mark.parametrize(
    ("measures", "message"),
    [
        (Measures(), "nobody said what these numbers count"),
        (Measures(pupils=("n_pupils", "n_absent", "gone"), schools=("n_schools",)), "not there: gone"),
        (
            Measures(pupils=("n_pupils", "n_absent"), schools=("n_schools",), rates=(Rate(name="rate"),)),
            "a rate without a count",
        ),
        (dataclasses.replace(BY_GROUP, total=None), "mixes a total"),
    ],
)
def test_a_table_the_door_cannot_judge_is_refused(measures: Measures, message: str) -> None:
    """Undeclared numbers, missing columns, bare rates and undeclared totals never pass under council."""
    with pytest.raises(DisclosureError, match=message):
        clear(groups([40, 50], [12, 13], [4, 4]), open_door(COUNCIL), counts=measures)


def test_overlapping_parts_are_refused() -> None:
    """Parts that add up to more than their total overlap, and the door says so instead of guessing."""
    table = pa.table({"group": ["a", "b", "all"], "n": pa.array([60, 60, 100], pa.int64())})
    measures = Measures(pupils=("n",), total=Total(column="group", label="all"))
    with pytest.raises(DisclosureError, match="overlap"):
        clear(table, open_door(COUNCIL), counts=measures)


def test_clear_sees_what_was_cleared_before() -> None:
    """A cell hidden once stays hidden; a cell shown once cannot be hidden later without a word."""
    measures = dataclasses.replace(BY_GROUP, total=None)
    door = open_door(COUNCIL)
    clear(groups([4, 203, 388], [0, 22, 54], [3, 9, 8]), door, counts=BY_GROUP, name="with total")
    again = clear(groups([4, 203, 388], [0, 22, 54], [3, 9, 8], total=False), door, counts=measures)
    assert again.value.column("n_pupils").to_pylist() == [None, None, 390]
    door = open_door(COUNCIL)
    clear(groups([4, 203, 388], [0, 22, 54], [3, 9, 8], total=False), door, counts=measures)
    with pytest.raises(DisclosureError, match="earlier table"):
        clear(groups([4, 203, 388], [0, 22, 54], [3, 9, 8]), door, counts=BY_GROUP)


def test_council_withholds_findings_about_few() -> None:
    """A finding about eight pupils is withheld, without a number; larger numbers of pupils are rounded."""
    few, many = a_finding(COUNCIL, n_pupils=8), a_finding(COUNCIL, n_pupils=12_343)
    door = open_door(COUNCIL)
    cleared = clear((few, dataclasses.replace(many, phase="primary")), door)
    assert cleared.n_suppressed == 1
    hidden, shown = cleared.value
    assert (hidden.verdict, hidden.suppressed, hidden.estimate) == ("not_assessed", "withheld", None)
    assert shown.estimate is not None
    assert shown.estimate.n_pupils == 12_345
    row = door.entries[0].payload["findings"][0]
    assert row["value"] is None
    assert row["ci"] == {}
    with pytest.raises(DisclosureError, match="withheld"):
        clear(an_estimate(COUNCIL, n_pupils=8), open_door(COUNCIL))


def test_school_findings_carry_no_single_school() -> None:
    """Weights and placebos of single schools do not pass under council."""
    cleared = clear(an_estimate(COUNCIL, layer="school", n_treated=40), open_door(COUNCIL))
    assert cleared.value.placebos == ()
    assert dict(cleared.value.weights) == {}


def fill(door: Door) -> tuple[str, str]:
    """Clear a finding and a table, and seal a display of both; its bytes and its seal's entry."""
    finding = clear((a_finding(),), door)
    table = clear(groups([300, 400], [30, 40], [5, 5]), door, counts=BY_GROUP, name="levels")
    shown = pa.table({"what": ["level"], "value": ["7.72%"]})
    page = "<p>7.72%</p>"
    seal = door.seal("text", page, (finding.entry, table.entry), mime="text/html", title="T", table=shown)
    return page, seal.entry


def test_the_ledger_tells_all(tmp_path: Path) -> None:
    """From the ledger file alone: the finding's row, the table, the printed figures, and the seal."""
    path = tmp_path / "ledger.jsonl"
    page, entry = fill(open_door(PLAN, through=path))
    entries = read_ledger(path)
    assert [each.kind for each in entries] == ["finding", "table", "display"]
    row = entries[0].payload["findings"][0]
    assert row["id"] == a_finding().id
    parts = ("layer", "outcome", "source", "base", "post", "phase", "subgroup", "method")
    assert "/".join(row[part] for part in parts) == row["id"]
    assert row["ci"]["0.95"] == [-0.0025, 0.0057]
    assert row["truth"] is None
    assert entries[1].name == "levels"
    assert released_table(entries[1]).column("n_pupils").to_pylist() == [300, 400, 700]
    assert released_table(entries[2]).column("value").to_pylist() == ["7.72%"]
    assert is_sealed(page, entries)
    assert not is_sealed(page + " ", entries)
    sealed = sealed_display(page.encode(), entries)
    assert sealed is not None
    assert sealed.entry == entry
    assert audit(entries, PLAN) == ()


def test_same_input_same_ledger_bytes(tmp_path: Path) -> None:
    """Two runs write the same bytes; opening a door begins its ledger anew."""
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for path in paths:
        fill(open_door(PLAN, through=path))
    assert paths[0].read_bytes() == paths[1].read_bytes()
    fill(open_door(PLAN, through=paths[0]))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_display_of_nothing_cleared_is_not_sealed() -> None:
    """Only displays of entries that this run has can be sealed."""
    door = open_door(PLAN)
    with pytest.raises(DisclosureError, match="no cleared figures"):
        door.seal("text", "x", (), mime="text/html")
    with pytest.raises(DisclosureError, match="not in this run"):
        door.seal("text", "x", ("0" * 16,), mime="text/html")


def test_a_changed_or_cut_ledger_is_refused(tmp_path: Path) -> None:
    """A payload edited by hand, a cut line and a missing file are each one clear error."""
    path = tmp_path / "ledger.jsonl"
    fill(open_door(PLAN, through=path))
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("0.0057", "0.0011"), encoding="utf-8")
    with pytest.raises(DisclosureError, match="line 1: the payload was changed"):
        read_ledger(path)
    path.write_text(text[:-40], encoding="utf-8")
    with pytest.raises(DisclosureError, match="line 3: not a ledger entry"):
        read_ledger(path)
    with pytest.raises(DisclosureError, match="no such ledger"):
        read_ledger(tmp_path / "none.jsonl")


def test_a_ledger_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A folder in the ledger's place is refused when the door opens."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(DisclosureError, match="cannot be written"):
        open_door(PLAN, through=tmp_path / "taken")


def test_missing_numbers_are_never_nan() -> None:
    """NaN in a table is refused; null with no reason passes as null."""
    table = pa.table({"period": ["2024/25"], "value": pa.array([math.nan], pa.float64())})
    with pytest.raises(DisclosureError, match="never NaN"):
        clear(table, open_door(PLAN))
    with pytest.raises(DisclosureError, match="cast to one of"):
        clear(pa.table({"n": pa.array([1], pa.int8())}), open_door(PLAN))


def raw_entry(columns: dict[str, list[object]], policy: str = "council", **measures: object) -> LedgerEntry:
    """A table entry as somebody who went round the door would write it."""
    table = pa.table(columns)
    declared = {"pupils": [], "schools": [], "rates": [], "other": [], "total": None, **measures}
    content = {
        "columns": [{"name": field.name, "type": str(field.type)} for field in table.schema],
        "rows": [[*row.values()] for row in table.to_pylist()],
        "measures": declared,
    }
    return LedgerEntry(entry="e1", kind="table", name="t", policy=policy, digest="", n_suppressed=0, payload=content)


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        (raw_entry({"g": ["a"], "n": [4]}, pupils=["n"]), "threshold"),
        (raw_entry({"g": ["a"], "n": [12]}, pupils=["n"]), "rounding"),
        (raw_entry({"g": ["a"], "n": [2]}, schools=["n"]), "threshold"),
        (raw_entry({"g": ["a"], "n_pupils": [40]}), "undeclared"),
        (raw_entry({"g": ["a"], "n_pupils": [40]}, other=["n_pupils"]), "undeclared"),
        (raw_entry({"g": ["A123456789012"]}), "identifier"),
        (raw_entry({"g": ["x9f3k2m5p7q1z"]}), "identifier"),
        (raw_entry({"g": ["born 2011-03-04"]}), "identifier"),
        (raw_entry({"g": ["04/03/2011"]}), "identifier"),
        (raw_entry({"upn_hash": ["a"]}), "identifier"),
        (raw_entry({"g": ["a"]}, policy="as_published"), "policy"),
    ],
)
def test_the_audit_finds_what_went_round_the_door(entry: LedgerEntry, rule: str) -> None:
    """Small, unrounded or undeclared counts, identifiers and another policy stop the release, unquoted."""
    problems = audit((entry,), COUNCIL)
    assert rule in {problem.rule for problem in problems}
    with pytest.raises(DisclosureError, match="nothing was released") as error:
        refuse(problems)
    for secret in ("A123456789012", "x9f3k2m5p7q1z", "2011"):
        assert secret not in str(error.value)


def test_the_audit_leaves_public_dates_and_hashes_alone() -> None:
    """Snapshot dates, school years, GSS codes and digests are not mistaken for a pupil."""
    table = pa.table({
        "as_at": pa.array([dt.date(2025, 7, 25)], pa.date32()),
        "gss_code": ["E06000059"],
        "digest": ["ab" * 32],
        "period": ["2024/25"],
    })  # fmt: skip
    door = open_door(PLAN)
    clear(table, door)
    assert audit(door.entries, PLAN) == ()


def test_the_audit_compares_with_earlier_publications() -> None:
    """A cell printed in an earlier publication and hidden now (or the reverse) is differencing."""
    measures = dataclasses.replace(BY_GROUP, total=None)
    earlier, now = open_door(COUNCIL), open_door(COUNCIL)
    clear(groups([40, 203], [12, 22], [4, 9], total=False), earlier, counts=measures)
    clear(groups([4, 203], [2, 22], [4, 9], total=False), now, counts=measures)
    rules = [problem.rule for problem in audit(now.entries, COUNCIL, register=earlier.entries)]
    assert rules == ["differencing"]


def test_no_hidden_value_is_in_the_ledger(tmp_path: Path) -> None:
    """An adversary who reads the ledger's bytes finds no value that was hidden."""
    path = tmp_path / "l.jsonl"
    door = open_door(COUNCIL, through=path)
    clear(groups([7, 203, 388], [3, 22, 54], [4, 9, 8]), door, counts=BY_GROUP)
    rows = json.loads(path.read_text(encoding="utf-8"))["payload"]["rows"]
    assert rows[0][1:5] == [None, None, 4 // 5 * 5 + 5, None]
    assert {203, 22, 7, 3} & {value for row in rows for value in row if isinstance(value, int)} == set()


AMOUNTS = Measures(
    pupils=("n_marked", "n_listed"),
    amounts=(Amount(name="half_days", over=("n_marked",)), Amount(name="gap", over=("n_marked", "n_listed"))),
)


def amounts(rows: list[tuple[int, int, int, int]]) -> pa.Table:
    """Half-days of those marked, and how many more they are than of those listed, by half-term."""
    names = ("n_marked", "n_listed", "half_days", "gap")
    columns = {name: pa.array([row[place] for row in rows], pa.int64()) for place, name in enumerate(names)}
    return pa.table({"half_term": [f"half-term {number}" for number in range(len(rows))], **columns})


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 500), st.integers(-300, 300)), max_size=6)
)
def test_an_amount_goes_with_those_it_was_added_up_over(rows: list[tuple[int, int, int, int]]) -> None:
    """Half-days of 4 pupils may be 40: shown only with a shown count of each group, and to the nearest 5."""
    door = open_door(COUNCIL)
    table = clear(amounts(rows), door, counts=AMOUNTS, name="amounts").value
    for (marked, listed, half_days, gap), shown in zip(rows, table.to_pylist(), strict=True):
        assert (shown["half_days"] is None) == (marked < 10)
        assert (shown["gap"] is None) == (marked < 10 or listed < 10)
        for exact, told in ((half_days, shown["half_days"]), (gap, shown["gap"])):
            assert told is None or (told % 5 == 0 and abs(told - exact) <= 2)
    assert audit(door.entries, COUNCIL) == ()


def test_an_amount_that_cannot_be_judged_is_refused() -> None:
    """Over a column that is no count, over none, or beside a total that would give it back."""
    table = amounts([(20, 20, 100, 0)])
    for over in ((), ("half_term",), ("half_days",)):
        loose = Measures(
            pupils=("n_marked", "n_listed"), amounts=(Amount(name="half_days", over=over),), other=("gap",)
        )
        with pytest.raises(DisclosureError, match="needs the count of those it was added up over"):
            clear(table, open_door(COUNCIL), counts=loose)
    with_total = dataclasses.replace(AMOUNTS, total=Total(column="half_term", label="all"))
    with pytest.raises(DisclosureError, match="it has a total"):
        clear(table, open_door(COUNCIL), counts=with_total)


def test_the_audit_sees_an_amount_that_is_not_rounded() -> None:
    """The last look does not trust what hid: 101 half-days in a ledger are a problem."""
    door = open_door(COUNCIL)
    clear(amounts([(20, 20, 100, 0)]), door, counts=AMOUNTS, name="amounts")
    (entry,) = door.entries
    payload = {
        **entry.payload,
        "rows": [[101 if value == 100 else value for value in row] for row in entry.payload["rows"]],
    }
    (problem,) = audit([dataclasses.replace(entry, payload=payload)], COUNCIL)
    assert problem.rule == "rounding"
    assert "half_days" in problem.sentence
