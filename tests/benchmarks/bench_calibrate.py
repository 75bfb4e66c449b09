"""How long a calibration takes: a row of 1,000 made-up countries, and every real council in Dorset's place.

    python tests/benchmarks/bench_calibrate.py [--worlds N] [--data DIR] [--jobs N]

A row is timed on N countries of a world and multiplied up; ``--data`` takes the published files for part (b), all
windows and outcomes. Prints minutes, asserts nothing about time.
"""

from __future__ import annotations

import argparse
import time

from belonging_research.calibrate import Figures, Task, do_all, tasks_of
from belonging_research.outcomes import derive_outcomes
from belonging_research.plan import Plan, load_plan
from belonging_research.sources import load_extract

ROWS = ("nothing_happened", "many_outcomes", "effect_0.5", "effect_twice_detectable")


def row_minutes(plan: Plan, name: str, worlds: int, jobs: int) -> float:
    """Minutes that 1,000 countries of a world would take in ``jobs`` processes, the start of these left out."""
    step = -(-worlds // jobs)
    pieces = [Task(part="a", name=name, first=n, last=min(n + step, worlds)) for n in range(0, worlds, step)]
    warm = [Task(part="a", name=name, first=worlds + n, last=worlds + n + 1) for n in range(jobs)]
    began = time.perf_counter()
    list(do_all(warm, plan, None, jobs=jobs))
    start = time.perf_counter() - began
    began = time.perf_counter()
    list(do_all(pieces, plan, None, jobs=jobs))
    return max(time.perf_counter() - began - start, 0.0) * 1000 / worlds / 60


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time a calibration.")
    parser.add_argument("--worlds", type=int, default=60, help="countries that are timed")
    parser.add_argument("--data", help="published files for part (b)")
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    chosen = parser.parse_args()
    plan = load_plan("dorset_public")
    for name in ROWS:
        took = row_minutes(plan, name, chosen.worlds, chosen.jobs)
        print(f"part (a), {name}: {took:.1f} min for 1,000 ({chosen.worlds} timed, {chosen.jobs} processes)")
    if chosen.data:
        extract = load_extract(chosen.data, plan, through=plan.post[0])
        figures = Figures(outcomes=derive_outcomes(extract, plan), neighbours=extract.neighbours)
        began = time.perf_counter()
        pieces = tasks_of(plan, figures, worlds=1, only=("b",))
        list(do_all(pieces, plan, figures, jobs=chosen.jobs))
        print(f"part (b), all windows and outcomes: {(time.perf_counter() - began) / 60:.1f} min")


if __name__ == "__main__":
    main()
