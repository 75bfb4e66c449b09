"""All placebos of one outcome, everything refitted: ours beside plain loops, measured in one run.

    python tests/benchmarks/bench_placebos.py [--peer-fits N] [--repeats N]

150 councils x 90 periods (60 before the start), in percentage points, registered method: simplex weights
with ridge 10, ridge correction with penalty 100, effects, size-scaled placebos (the scale of each fitted
without it), p-value, interval. Prints ratios, asserts nothing about time. A peer's fit is a plain
synthetic control (no ridge correction, no inference), so its ratio is from below; it is timed on a few
units and multiplied up, which is said where it happens. Peers that are not installed are left out; augsynth-py, the
fastest that we know, is no dependency of the project: `pip install augsynth-py` before.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from scipy.optimize import minimize, nnls

from belonging_research.estimators import placebo
from belonging_research.estimators.synthetic_difference import (
    synthetic_control_effects,
    synthetic_did_effects,
)
from belonging_research.estimators.weights import (
    Floats,
    leave_one_out_simplex_weights,
    ridge_augmented_weights,
)

UNITS, PERIODS, BEFORE = 150, 90, 60
RIDGE, CORRECTION = 10.0, 100.0
SEED = 20240901


def made_up_councils() -> tuple[Floats, Floats]:
    """Absence rates (150, 90) in percentage points that share three factors, and council sizes (150,)."""
    rng = np.random.default_rng(SEED)
    sizes = np.exp(rng.normal(10.5, 0.8, UNITS))
    level = 7.0 + rng.normal(0.0, 0.6, (UNITS, 1))
    factors = rng.normal(size=(3, PERIODS)).cumsum(axis=1) * 0.05
    loadings = rng.normal(size=(UNITS, 3))
    noise = rng.normal(size=(UNITS, PERIODS)) * np.sqrt(0.02 + 2000 / sizes)[:, None]
    return level + loadings @ factors + noise, sizes


def registered_effects(outcomes: Floats) -> Floats:
    """Every unit's effect by the registered method; unit 0 is the treated one."""
    donors, before = np.arange(UNITS) != 0, outcomes[:, :BEFORE]
    fitted = leave_one_out_simplex_weights(before, donors, penalty=RIDGE)
    mixes = ridge_augmented_weights(before, fitted, donors, penalty=CORRECTION)
    effects: Floats = (outcomes - mixes @ outcomes)[:, BEFORE:].mean(axis=1)
    return effects


def ours(outcomes: Floats, sizes: Floats) -> Floats:
    """Every unit's effect, then the treated unit's p-value and interval."""
    donors = np.arange(UNITS) != 0
    effects = registered_effects(outcomes)
    errors = effects[donors]
    z = placebo.scaled_placebos(errors, sizes[donors], without_each=True)
    scale = float(placebo.size_scale(placebo.fit_size_variance(errors, sizes[donors]), sizes[:1])[0])
    placebo.placebo_p(float(effects[0]), scale, z)
    placebo.interval(float(effects[0]), scale, z, 0.95)
    return effects


def nnls_loop(outcomes: Floats, *, ridge: float = RIDGE, correct: bool = True) -> Floats:
    """The same effects with SciPy's nnls, one unit at a time; no inference.

    With ``ridge=0, correct=False`` it is the ten-line loop: a heavy row makes the weights sum to 1.
    """
    effects = np.zeros(UNITS)
    after = outcomes[:, BEFORE:].mean(axis=1)
    for unit in range(UNITS):
        others = np.array([i for i in range(1, UNITS) if i != unit])
        centre = outcomes[others, :BEFORE].mean(axis=0)
        x0, x1 = outcomes[others, :BEFORE] - centre, outcomes[unit, :BEFORE] - centre
        rows, right = [x0.T], [x1]
        if ridge:
            rows.append(np.sqrt(ridge) * np.eye(len(others)))
            right.append(np.zeros(len(others)))
        rows.append(np.full((1, len(others)), 1e4))
        right.append(np.array([1e4]))
        found, _ = nnls(np.vstack(rows), np.concatenate(right), maxiter=50 * len(others))
        found = found / found.sum()
        if correct:
            inner = x0.T @ x0 + CORRECTION * np.eye(BEFORE)
            found = found + x0 @ np.linalg.solve(inner, x1 - x0.T @ found)
        effects[unit] = after[unit] - found @ after[others]
    return effects


def general_scale_fits(errors: Floats, sizes: Floats) -> None:
    """One general optimiser run a placebo for the scale fitted without it."""
    for unit in range(len(errors)):
        e, u = np.delete(errors, unit), np.mean(sizes) / np.delete(sizes, unit)

        def loss(logs: Floats, e: Floats = e, u: Floats = u) -> float:
            variance = np.exp(logs[0]) + np.exp(logs[1]) * u
            return float(np.sum(np.log(variance) + e**2 / variance))

        minimize(loss, np.log([0.5 * np.mean(e**2)] * 2), method="Nelder-Mead")


def plain_synthetic_control(outcomes: Floats) -> Floats:
    """Ours for the ten-line loop: no ridge, no correction, no inference."""
    return synthetic_control_effects(outcomes, BEFORE, np.arange(UNITS) != 0)


def diff_diff_fits(outcomes: Floats, units: range, *, model: str) -> None:
    """diff-diff's synthetic control (or synthetic DiD) for some units, each as if treated."""
    import diff_diff
    import pandas as pd

    periods = np.arange(PERIODS)
    # SyntheticDiD wants to know who is ever treated, SyntheticControl who is treated when.
    is_after = np.tile(periods >= BEFORE, UNITS) if model == "SyntheticControl" else 1
    for unit in units:
        rows = pd.DataFrame(
            {
                "unit": np.repeat(np.arange(UNITS), PERIODS),
                "period": np.tile(periods, UNITS),
                "outcome": outcomes.ravel(),
                "treated": np.repeat(np.arange(UNITS) == unit, PERIODS).astype(int) * is_after,
            }
        )
        columns = {"outcome": "outcome", "treatment": "treated", "unit": "unit", "time": "period"}
        columns["post_periods"] = list(range(BEFORE, PERIODS))  # type: ignore[assignment]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if model == "SyntheticDiD":
                diff_diff.SyntheticDiD(variance_method="placebo", n_bootstrap=2, seed=1).fit(rows, **columns)
            else:
                even = np.full(BEFORE, 1 / BEFORE)
                fit = diff_diff.SyntheticControl(v_method="custom", custom_v=even, standardize="none")
                fit.fit(rows, **columns, pre_period_outcomes="all")


def augsynth_fits(outcomes: Floats, units: range, *, penalty: float | None) -> Floats:
    """augsynth-py's effect of some donors, each as if treated: ridge-augmented, or the plain one without penalty."""
    import polars as pl
    from augsynth_py import AugSynth, Synth

    rows = pl.DataFrame(
        {
            "unit": np.repeat([f"unit {at}" for at in range(1, UNITS)], PERIODS),
            "period": np.tile(np.arange(PERIODS), UNITS - 1),
            "outcome": outcomes[1:].ravel(),
        }
    )
    columns = {"unit": "unit", "time": "period", "outcome": "outcome"}
    effects = []
    for unit in units:
        model = Synth(fixedeff=False) if penalty is None else AugSynth(fixedeff=False, lambda_=penalty)
        effects.append(model.fit(rows, **columns, treated=f"unit {unit}", treatment_time=BEFORE).att_)
    return np.array(effects)


def compare_augsynth(outcomes: Floats, units: range, base: float, alike: float, times: str) -> None:
    """The fastest peer: its plain fit beside ours, which must agree, and its augmented one beside all that ours does.

    Its augmented fit has no ridge on the simplex weights, so that the two effects differ; the work does not.
    """
    apart = np.abs(augsynth_fits(outcomes, units, penalty=None) - plain_synthetic_control(outcomes)[list(units)]).max()
    plain = seconds(lambda: augsynth_fits(outcomes, units, penalty=None), 1) / len(units) * UNITS
    line(f"peer: augsynth-py Synth, one fit a unit {times}", plain, base)
    print(f"like for like, plain: peer over ours {plain / alike:.0f} x; effects within {apart:.1e} points")
    ridge = seconds(lambda: augsynth_fits(outcomes, units, penalty=CORRECTION), 1) / len(units) * UNITS
    line(f"peer: augsynth-py AugSynth, penalty given, one fit a unit {times}", ridge, base)
    print(
        f"registered method and inference: loop over the fastest peer's fit over ours {min(plain, ridge) / base:.0f} x"
    )


def slsqp_fits(outcomes: Floats, units: range) -> None:
    """A synthetic control by SciPy's general constrained optimiser: what stands in for an absent peer."""
    for unit in units:
        others = np.array([i for i in range(UNITS) if i != unit])
        x0, x1 = outcomes[others, :BEFORE], outcomes[unit, :BEFORE]
        minimize(
            lambda w, x0=x0, x1=x1: float(((x1 - w @ x0) ** 2).sum()),
            np.full(len(others), 1 / len(others)),
            jac=lambda w, x0=x0, x1=x1: -2 * x0 @ (x1 - w @ x0),
            bounds=[(0, 1)] * len(others),
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
            method="SLSQP",
        )


def seconds(task: Callable[[], object], repeats: int) -> float:
    """The best of several runs, after one to warm up where there are several."""
    times = []
    for _ in range(repeats + (repeats > 1)):
        began = time.perf_counter()
        task()
        times.append(time.perf_counter() - began)
    return min(times[-repeats:])


def line(name: str, took: float, base: float) -> None:
    """One printed line: what, seconds, times ours."""
    print(f"{name:<74}{took:>9.3f} s {took / base:>8.1f} x ours")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time all placebos of one outcome.")
    parser.add_argument("--peer-fits", type=int, default=5, help="single fits of each peer that are timed")
    parser.add_argument("--repeats", type=int, default=5, help="runs of which the best counts")
    chosen = parser.parse_args()
    outcomes, sizes = made_up_councils()
    difference = np.abs(ours(outcomes, sizes) - nnls_loop(outcomes)).max()
    print(f"{UNITS} units x {PERIODS} periods; effects within {difference:.1e} points of the loop")
    base = seconds(lambda: ours(outcomes, sizes), chosen.repeats)
    line("ours: registered method, all placebos, scales, p, interval", base, base)
    effects_only = seconds(lambda: registered_effects(outcomes), chosen.repeats)
    line("ours: registered method, effects only", effects_only, base)
    loop = seconds(lambda: nnls_loop(outcomes), 3)
    line("nnls loop, registered method, effects only", loop, base)
    print(f"like for like, registered: loop over ours {loop / effects_only:.1f} x")
    plain = seconds(lambda: nnls_loop(outcomes, ridge=0.0, correct=False), 3)
    line("nnls loop of ten lines (no ridge, no correction), effects only", plain, base)
    alike = seconds(lambda: plain_synthetic_control(outcomes), chosen.repeats)
    line("ours: plain synthetic control, effects only", alike, base)
    print(f"like for like, plain: loop over ours {plain / alike:.1f} x")
    errors, donor_sizes = ours(outcomes, sizes)[1:], sizes[1:]
    line(
        "Nelder-Mead a placebo, scales alone",
        seconds(lambda: general_scale_fits(errors, donor_sizes), 1),
        base,
    )
    few = range(1, 1 + chosen.peer_fits)
    times = f"({chosen.peer_fits} timed, x {UNITS})"
    donors = np.arange(UNITS) != 0
    if find_spec("augsynth_py"):
        compare_augsynth(outcomes, few, base, alike, times)
    if find_spec("diff_diff"):
        peer = seconds(lambda: diff_diff_fits(outcomes, few, model="SyntheticControl"), 1) / len(few)
        line(f"peer: diff-diff SyntheticControl, one fit a unit {times}", peer * UNITS, base)
        did = seconds(lambda: synthetic_did_effects(outcomes, BEFORE, donors), 3)
        line("ours: synthetic DiD, all units", did, base)
        peer = seconds(lambda: diff_diff_fits(outcomes, few, model="SyntheticDiD"), 1) / len(few)
        line(f"peer: diff-diff SyntheticDiD, one fit a unit {times}", peer * UNITS, base)
        print(f"synthetic DiD, peer over ours: {peer * UNITS / did:.0f} x")
    stand_in = seconds(lambda: slsqp_fits(outcomes, few), 1) / len(few)
    line(f"no package: SciPy SLSQP, one fit a unit {times}", stand_in * UNITS, base)


if __name__ == "__main__":
    main()
