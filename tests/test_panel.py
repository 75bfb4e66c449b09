"""The panel: who is compared with whom, on a made-up country and on the real files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from small_country import OUTCOME, outcomes, plan

from belonging_research.errors import PanelError
from belonging_research.panel import Specification, build_panel, compare, deciding_source, false_start, levels, series
from belonging_research.plan import Exclusion


def _specification(**changes: object) -> Specification:
    of = plan()
    made = Specification(
        outcome=OUTCOME, source="census", phase="all", method=of.method, base=of.base, post=("2024/25",)
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_every_council_is_treated_donor_or_counted_with_a_reason() -> None:
    """No council disappears: treated, donors and those left out add up to all councils."""
    panel = build_panel(outcomes(), plan())

    counted = sum(left.n for left in panel.exclusions)
    assert len(panel.treated) + len(panel.donors) + counted == len(panel.names)


def test_england_and_regions_are_never_donors() -> None:
    """Aggregates contain the treated council, so they cannot stand for what it would have been."""
    panel = build_panel(outcomes(), plan())

    assert not {"970", "980"} & set(panel.donors)


def test_the_old_dorset_is_no_donor_and_is_never_joined_to_the_new() -> None:
    """Codes of an ended footprint leave the pool, counted."""
    panel = build_panel(outcomes(extra_units=("835",)), plan())

    assert "835" not in panel.donors
    assert any("835" in left.units and left.reason == "ended before the last base year" for left in panel.exclusions)


def test_a_donor_with_a_gap_is_left_out_and_counted() -> None:
    """A missing base year is not filled in."""
    panel = build_panel(outcomes(blank=(("303", "2022/23"),)), plan())

    comparison = compare(panel, plan(), _specification())

    assert "303" not in comparison.units
    assert [left.units for left in comparison.left if left.reason == "not complete in base and post"] == [("303",)]


def test_a_treated_council_without_a_year_is_an_error_that_names_it() -> None:
    """No number is made for a year that is not out."""
    panel = build_panel(outcomes(blank=(("838", "2024/25"),)), plan())

    with pytest.raises(PanelError, match=r"Dorset has no figure for 2024/25"):
        compare(panel, plan(), _specification())


def test_too_few_donors_for_the_smallest_holm_step_are_refused() -> None:
    """With 40 donors no p-value lies under 1/41, but the first look needs 0.01."""
    with pytest.raises(PanelError, match=r"It takes 99 donors"):
        build_panel(outcomes(n_units=41), plan())


def test_no_untreated_council_is_refused() -> None:
    """A panel of the treated council alone gives an error, never a number."""
    with pytest.raises(PanelError, match=r"donor"):
        build_panel(outcomes(n_units=1), plan())


def test_excluded_councils_keep_their_reason() -> None:
    """The plan's own words come out again."""
    of = plan()
    of = of.model_copy(update={"excluded": (*of.excluded, Exclusion(unit="305", reason="a strategy of its own"))})

    panel = build_panel(outcomes(), of)

    assert any(left.reason == "a strategy of its own" and left.units == ("305",) for left in panel.exclusions)


def test_the_annual_rates_carry_three_times_the_fortnights_weight() -> None:
    """The sum of squared weights of the annual columns is history_weight times the number of fortnights."""
    panel = build_panel(outcomes(), plan())
    comparison = compare(panel, plan(), _specification())

    rates = 100 * series(panel, OUTCOME, source="census").reindex(list(comparison.units))
    annual = comparison.predictors[:, comparison.fortnights.shape[1] :]
    kept = [y for y in ("2020/21", "2021/22", "2022/23", "2023/24") if y in rates]
    weight = annual[5, 0] / rates[kept[0]].iloc[5]
    assert len(kept) * weight**2 == pytest.approx(3.0 * comparison.fortnights.shape[1])
    assert annual.shape[1] == len(kept)


def test_predictors_never_see_a_year_after_the_start() -> None:
    """Changing every figure of the post year leaves the predictors as they were."""
    panel = build_panel(outcomes(), plan())
    moved = build_panel(outcomes(shift_post=0.02), plan())

    before, after = (compare(each, plan(), _specification()) for each in (panel, moved))

    np.testing.assert_array_equal(before.predictors, after.predictors)
    assert not np.allclose(before.outcome, after.outcome)


def test_a_false_start_asks_for_the_last_base_year_from_those_before() -> None:
    """2023/24 becomes the post year, 2022/23 the base."""
    early = false_start(_specification(), plan().base)

    assert (early.base, early.post) == (("2022/23",), ("2023/24",))


def test_census_decides_where_it_is_out_and_daily_before_that() -> None:
    """One source decides a report year; the two are never spliced."""
    both = build_panel(outcomes(), plan())
    early = build_panel(outcomes(blank=(("838", "2024/25"),), blank_source="census"), plan())

    assert deciding_source(both, plan(), OUTCOME, ("2024/25",)) == "census"
    assert deciding_source(early, plan(), OUTCOME, ("2024/25",)) == "daily"
    assert deciding_source(early, plan(), "suspension_rate", ("2024/25",)) is None


def test_shuffled_rows_give_the_same_panel() -> None:
    """Order of rows decides nothing."""
    table = outcomes()
    order = np.random.default_rng(1).permutation(table.num_rows)
    shuffled = table.take(pa.array(order)).replace_schema_metadata(table.schema.metadata)

    assert build_panel(table, plan()).digest == build_panel(shuffled, plan()).digest


def test_levels_are_the_figures_as_they_came() -> None:
    """What happened is told with the published rates, unchanged."""
    panel = build_panel(outcomes(), plan())
    rows = [r for r in levels(panel, plan()).to_pylist() if r["outcome"] == OUTCOME and r["group"] == "Dorset"]

    own = series(panel, OUTCOME, source="census").loc["838"]
    assert {r["period"]: r["value"] for r in rows} == own.dropna().to_dict()


def test_several_treated_councils_are_not_left_out_in_silence() -> None:
    """A plan with two treated is refused, with what would do."""
    one = plan().treated[0]
    two = plan().model_copy(update={"treated": (one, one.model_copy(update={"unit": "300"}))})

    with pytest.raises(PanelError, match="few_treated"):
        build_panel(outcomes(), two)
