"""What the design promises before any outcome is read: by outcome, phase and look, and by method."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from small_country import OUTCOME, outcomes, plan

from belonging_research.checks import detectable_effect, detectable_effects, frontier
from belonging_research.checks.design import DETECTABLE, FRONTIER
from belonging_research.estimators import estimate
from belonging_research.panel import Panel, build_panel

SECONDARY = "persistent_absence_rate"


def table(change: float | None = None, **options: int) -> pa.Table:
    """The small country with two phases of the main outcome and a second one; ``change`` replaces every later figure.

    NaN takes those figures away.
    """
    made = outcomes(**options)  # type: ignore[arg-type]
    frame = made.to_pandas(date_as_object=True)
    own = frame[frame["outcome"] == OUTCOME]
    noise = np.random.default_rng(7)
    parts = [frame]
    for phase, spread in (("primary", 0.001), ("secondary", 0.004)):
        shaken = own["value"] + noise.normal(0, spread, len(own))
        parts.append(own.assign(phase=phase, value=shaken))
    parts.append(own.assign(outcome=SECONDARY, value=2 * own["value"] + noise.normal(0, 0.002, len(own))))
    whole = pd.concat(parts, ignore_index=True)
    if change is not None:
        later = (whole["period"] >= plan().post[0]) & whole["outcome"].isin([OUTCOME, SECONDARY])
        whole.loc[later, "value"] = change
    whole["numerator"], whole["interval_end"] = None, whole["interval_end"].where(whole["interval_end"].notna(), None)
    return pa.Table.from_pandas(whole, schema=made.schema, preserve_index=False)


@pytest.fixture(scope="module")
def panel() -> Panel:
    """The panel of the small country."""
    return build_panel(table(), plan())


def test_a_row_for_each_outcome_phase_and_look_that_has_figures(panel: Panel) -> None:
    """Pooled rows for all, phases where they have figures; the looks' own alphas; tested as the plan says."""
    found = detectable_effects(panel, plan())
    rows = found.to_pylist()

    assert found.schema == DETECTABLE
    assert {(r["outcome"], r["phase"]) for r in rows if r["phase"] != "all"} == {
        (OUTCOME, "primary"), (OUTCOME, "secondary"),
    }  # fmt: skip
    assert {r["outcome"] for r in rows} == {o.name for o in plan().outcomes}
    assert {(r["report_year"], r["alpha"]) for r in rows} == {(k.report_year, k.alpha) for k in plan().looks}
    tested = {(r["outcome"], r["report_year"]) for r in rows if r["tested"]}
    assert {year for name, year in tested if name == OUTCOME} == {"2024/25", "2025/26", "2026/27"}
    assert {year for name, year in tested if name == SECONDARY} == {"2026/27"}
    assert not {name for name, _ in tested} & {o.name for o in plan().outcomes if o.role == "exploratory"}


def test_tested_rows_alone(panel: Panel) -> None:
    """The same rows, less those without a verdict."""
    everything = detectable_effects(panel, plan())

    assert detectable_effects(panel, plan(), tested_only=True).equals(everything.filter(everything["tested"]))


@pytest.mark.parametrize("change", [0.5, 1e-9, float("nan")])
def test_no_figure_since_the_start_is_read(panel: Panel, change: float) -> None:
    """Every later figure poisoned or gone: the same bytes of every promise."""
    other = build_panel(table(change), plan())

    assert detectable_effects(other, plan()).equals(detectable_effects(panel, plan()))
    assert frontier(other, plan()).equals(frontier(panel, plan()))
    assert detectable_effect(other, plan(), OUTCOME) == detectable_effect(panel, plan(), OUTCOME)


def test_the_promise_is_the_same_everywhere(panel: Panel) -> None:
    """Table, check and estimate print one number of power."""
    made = estimate(panel, plan(), OUTCOME)
    check = detectable_effect(panel, plan(), OUTCOME)
    row = next(r for r in detectable_effects(panel, plan()).to_pylist() if r["outcome"] == OUTCOME)
    best = next(r for r in frontier(panel, plan()).to_pylist() if r["registered"])

    assert row["detectable"] == pytest.approx(made.detectable) == pytest.approx(check.value)
    assert row["detectable_05"] == pytest.approx(made.detectable_05) == pytest.approx(best["detectable_05"])
    assert row["power_at_sesoi"] == pytest.approx(made.power_at_sesoi) == pytest.approx(check.power)
    assert check.status == ("pass" if row["detectable"] <= row["sesoi"] else "fail")


def test_a_stricter_look_notices_less(panel: Panel) -> None:
    """A smaller alpha: a larger detectable effect and a wider narrowest range, never a better chance."""
    for phase in ("all", "primary", "secondary"):
        rows = [
            r for r in detectable_effects(panel, plan()).to_pylist() if (r["outcome"], r["phase"]) == (OUTCOME, phase)
        ]
        strict, late = rows[0], rows[-1]
        assert strict["alpha"] < late["alpha"]
        assert strict["detectable"] >= late["detectable"]
        assert strict["narrowest"] >= late["narrowest"]
        assert strict["power_at_sesoi"] <= late["power_at_sesoi"]


@pytest.mark.parametrize(("sesoi", "possible"), [(0.00001, False), (0.5, True)])
def test_whether_as_expected_can_occur(panel: Panel, sesoi: float, possible: bool) -> None:
    """Only where the narrowest range fits inside the smallest effect of interest; the sentence says which."""
    changed = tuple(o.model_copy(update={"sesoi": sesoi}) if o.name == OUTCOME else o for o in plan().outcomes)
    other = plan().model_copy(update={"outcomes": changed})
    rows = [r for r in detectable_effects(panel, other).to_pylist() if r["outcome"] == OUTCOME and r["phase"] == "all"]

    for row in rows:
        assert row["as_expected_possible"] is possible is (row["narrowest"] < sesoi)
        assert ("practically cannot be the answer" in row["sentence"]) is not possible


def test_the_narrowest_range_is_that_of_the_verdict(panel: Panel) -> None:
    """Half of CI(1 - 2 alpha) of the false start itself: the rule for `as_expected`, at its narrowest."""
    early = estimate(panel, plan(), OUTCOME, base=plan().base[:1], post=plan().base[-1:])
    look = plan().look(panel.report_year)
    assert look is not None
    low, high = early.intervals[f"{1 - 2 * look.alpha:g}"]
    row = next(r for r in detectable_effects(panel, plan()).to_pylist() if r["outcome"] == OUTCOME)

    # An interval is stretched to reach 0 by rounding alone, so its half is its width over two.
    assert row["narrowest"] == pytest.approx((high - low) / 2)


def test_sentences_speak_for_themselves(panel: Panel) -> None:
    """Each names its outcome and ends; no number is NaN; what is not known has a reason and no number."""
    for row in detectable_effects(panel, plan()).to_pylist():
        assert row["sentence"].startswith(row["label"])
        assert row["sentence"].endswith(".")
        numbers = [row[name] for name in ("detectable", "detectable_05", "power_at_sesoi", "narrowest")]
        assert all(n is None for n in numbers) or all(math.isfinite(n) for n in numbers)
        assert (numbers[0] is None) == (row["as_expected_possible"] is None)


def test_too_few_councils_for_a_strict_look() -> None:
    """Where no p-value can reach a look's alpha the row says so; the later, milder look is still answered."""
    only_last = plan().model_copy(update={"looks": plan().looks[-1:]})
    few = build_panel(table(n_units=60), only_last)
    rows = [r for r in detectable_effects(few, plan()).to_pylist() if r["outcome"] == OUTCOME and r["phase"] == "all"]

    assert [r["detectable"] is None for r in rows] == [True, True, False]
    assert "too few for a look as strict" in rows[0]["sentence"]
    assert detectable_effect(few, plan(), OUTCOME).status == "no_test"


def test_the_frontier_of_methods(panel: Panel) -> None:
    """A row a method and source with false-start years; the reference's floor; what size could never better."""
    found = frontier(panel, plan())
    rows = found.to_pylist()

    assert found.schema == FRONTIER
    assert {r["outcome"] for r in rows} == {OUTCOME}
    assert {r["source"] for r in rows} == {"census", "daily"}
    assert sum(r["registered"] for r in rows) == 2
    for row in rows:
        assert row["smallest_p"] == pytest.approx(1 / (row["councils"] + 1))
        assert 0 <= row["floor_05"] <= row["detectable_05"] * (1 + 1e-9)
        assert row["times_sesoi"] == pytest.approx(row["detectable_05"] / row["sesoi"])
        assert "would be noticed 4 times in 5" in row["sentence"]
