"""Group-time effects through our interface beside the library called directly, and allocations of a school panel.

    python tests/benchmarks/bench_staggered.py [--repeats N]

2,000 schools x 40 half-terms, 5 cohorts, 40% never, 999 draws for the band: conversion, cells, all summaries and the
path's band on our side; the fit with its bootstrap and the event-study aggregation on the library's. Then 1,999
allocations of 150 schools x 18 half-terms, by pyramid and with every school its own, beside one library fit times
1,999 (timed on a few). The smallest of the repeats counts. Prints ratios, asserts nothing about time.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from diff_diff import CallawaySantAnna

from belonging_research.estimators.staggered import SchoolDesign, estimate_schools, group_time_effects
from belonging_research.panel.schools import SchoolPanel, panel_of_arrays

DRAWS, ALLOCATIONS = 999, 1999


def made_up_panel(schools: int, periods: int, starts: list[int], never: float, per_pyramid: int) -> SchoolPanel:
    """Random walks of schools with an effect of -1 point, starts by pyramid."""
    rng = np.random.default_rng(20240901)
    pyramid = np.arange(schools) // per_pyramid
    n = int(pyramid[-1]) + 1
    first = [None if rng.random() < never else int(rng.choice(starts)) for _ in range(n)]
    adoption = [first[p] for p in pyramid]
    started = np.arange(periods) >= np.array([periods if each is None else each for each in adoption])[:, None]
    rates = 0.07 + rng.normal(0, 0.01, (schools, 1)) + rng.normal(0, 0.003, (schools, periods)).cumsum(axis=1)
    return panel_of_arrays(
        outcome="overall_absence_rate",
        units=[f"{k:05d}" for k in range(schools)],
        periods=[f"{t:02d}" for t in range(periods)],
        numerator=rates - 0.01 * started,
        denominator=np.ones(rates.shape),
        adoption=adoption,
        clusters=[f"{p:05d}" for p in pyramid],
    )


def rows_of(panel: SchoolPanel) -> pd.DataFrame:
    """Long rows as the library takes them; made outside what is timed."""
    n, periods = panel.numerator.shape
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n), periods),
            "time": np.tile(np.arange(1, periods + 1), n),
            "y": panel.values.ravel(),
            "first": np.repeat([0 if each is None else each + 1 for each in panel.adoption], periods),
        }
    )


def library(rows: pd.DataFrame, draws: int) -> float:
    """The library called directly, with its event study."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = CallawaySantAnna(
            control_group="not_yet_treated", n_bootstrap=draws, seed=1, base_period="universal"
        ).fit(rows, outcome="y", unit="unit", time="time", first_treat="first")
        if draws:
            fitted.aggregate("event_study")
    return float(fitted.overall_att)


def ours(panel: SchoolPanel) -> float:
    """Cells, summaries and band through our interface."""
    return group_time_effects(panel, rng=np.random.default_rng(1), draws=DRAWS).overall.value


def seconds(work: Callable[[], float], repeats: int) -> tuple[float, float]:
    """The smallest time of several runs, and the last answer."""
    best, answer = np.inf, np.nan
    for _ in range(repeats):
        began = time.perf_counter()
        answer = work()
        best = min(best, time.perf_counter() - began)
    return best, answer


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time the estimators of staggered starts.")
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    large = made_up_panel(2000, 40, [8, 14, 20, 26, 32], 0.4, 1)
    rows = rows_of(large)
    theirs, expected = seconds(lambda: library(rows, DRAWS), repeats)
    own, found = seconds(lambda: ours(large), repeats)
    print(f"2,000 x 40, {DRAWS} draws: library {theirs:.2f} s, ours {own:.2f} s, ratio {own / theirs:.2f}")
    print(f"  the same overall effect to {abs(found - expected):.1e}")
    for per_pyramid in (7, 1):
        print_allocations(made_up_panel(150, 18, [8, 10, 12, 14], 0.3, per_pyramid), repeats)


def print_allocations(panel: SchoolPanel, repeats: int) -> None:
    """The estimate with its randomisation beside what as many library fits would take."""
    rows, design = rows_of(panel), SchoolDesign(alpha=0.05, sesoi=0.0025, draws=ALLOCATIONS, placebos=0)
    one, _ = seconds(lambda: library(rows, 0), 5)
    took, _ = seconds(lambda: estimate_schools(panel, design, rng=np.random.default_rng(1)).value, repeats)
    print(
        f"150 x 18, {len(set(panel.clusters))} clusters, {ALLOCATIONS} allocations with intervals: {took:.2f} s; "
        f"one library fit times {ALLOCATIONS}: {one * ALLOCATIONS:.0f} s, ratio {took / (one * ALLOCATIONS):.3f}"
    )


if __name__ == "__main__":
    main()
