"""How often the sentence is wrong on the reader's own data, as measured once for this plan and shipped with it."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from belonging_research.checks.result import CheckResult, Status
from belonging_research.estimators.result import Estimate
from belonging_research.panel import Panel
from belonging_research.plan import Plan
from belonging_research.shipped import find_calibration

_OF_WORST = ("world", "coverage", "noticed", "better_without_size", "worse_without_size")
_SIZES = {0.01: "size_01", 0.03: "size_03", 0.05: "size_05"}


def calibrated_size(estimate: Estimate, panel: Panel, plan: Plan) -> tuple[CheckResult, ...]:
    """Fatal: with every other council in the treated one's place, more is noticed than the look's alpha allows.

    Critical values are those of the year before, carried to the first post year; two Monte Carlo errors are allowed.
    Serious ``no_test``, and so a caution, where it was not measured for this plan's digest and outcome. ``table`` has
    one row: what was noticed and said in that window; of the others, in the one where most would be said without this
    check, that, what was noticed and how often ranges held; and what was made of a gain planted in the window that is
    twice as large as can be noticed 4 times in 5 (null where there is none).
    """
    alpha = plan.alpha(panel.report_year)
    row, worst, planted = _measured(plan, estimate.outcome)
    size = None if row is None else row.get(_SIZES.get(alpha, ""))
    if row is None or size is None:
        words = "How often this method is wrong where no change is assumed has not been measured for this plan."
        return (_result("no_test", words, None, None, None),)
    limit = size_limit(alpha, row["n_worlds"])
    status: Status = "pass" if size <= limit + 1e-12 else "fail"
    sentence = (
        f"With each of {row['n_worlds']} other councils in {plan.place}'s place in {plan.post[0]}, where no change "
        f"is assumed, placebos of the year before noticed a difference in {100 * size:.1f} of 100, where "
        f"{100 * alpha:.0f} are meant and up to {100 * limit:.1f} can be chance."
    )
    said = {name: [row[name]] for name in ("said_better", "said_worse", "cannot_tell", "coverage", "n_worlds")}
    said |= {f"planted_{name}": [planted[name] if planted else None] for name in ("noticed", "said_better")}
    other = {f"worst_{name}": [worst.get(name) if worst else None] for name in _OF_WORST}
    return (_result(status, sentence, size, limit, pa.table({"noticed": [size], **said, **other})),)


def size_limit(alpha: float, n: int) -> float:
    """The largest share of ``n`` councils that chance may notice where nothing was done: alpha and two errors of it."""
    return alpha + 2 * math.sqrt(alpha * (1 - alpha) / n)


def measured_of_schools(plan: Plan) -> str:
    """How often the school layer's answers were right in made-up counties, as shipped for this very plan: in words.

    Of worlds without effect the plain one, and the unfair one with most false answers; of a point of absence and of
    three suspensions in ten, how often that was called better.
    """
    path = find_calibration(plan.digest)
    rows = {row["world"]: row for row in (_shipped_rows(path) if path else []) if row["layer"] == "school"}
    plain, point, fewer = (rows.get(name) for name in ("nothing_happened", "one_point", "fewer_suspensions"))
    if plain is None or point is None or fewer is None:
        return "How often answers about schools are right has not been measured for this plan."
    unfair = [row for row in rows.values() if row["false_verdicts"] is not None and not row["fair"]]
    worst = max(unfair, key=lambda row: (row["false_verdicts"], row["world"]), default=plain)
    said = (
        f"Tried on {plain['n_worlds']} made-up counties where nothing was done, this way of judging said “better” or "
        f"“worse” of schools in {_of_100(plain['false_verdicts'])} of 100. Where absence fell by 1 point in schools "
        f"that started, it said “better” in {_of_100(point['right_verdicts'])} of 100; where they suspended three in "
        f"ten fewer, in {_of_100(fewer['right_verdicts'])} of 100. Chance moves such shares by up to "
        f"{_of_100(max(plain['false_verdicts_mcse'], point['right_verdicts_mcse'], fewer['right_verdicts_mcse']))} "
        "either way (one standard error)."
    )
    if worst["false_verdicts"] <= plain["false_verdicts"]:
        return said
    return (
        f"{said} Where comparing schools is not fair, it errs more often; most often of what was tried, in "
        f"{_of_100(worst['false_verdicts'])} of 100, here: {worst['sentence']}"
    )


def _of_100(share: float) -> str:
    return f"{100 * share:.1f}"


def _result(status: Status, sentence: str, value: float | None, limit: float | None, table: pa.Table) -> CheckResult:
    return CheckResult(
        name="calibrated_size", status=status, severity="serious" if status == "no_test" else "fatal", value=value,
        limit=limit, power=None, sentence=sentence, table=table,
    )  # fmt: skip


_Rows = tuple[dict[str, Any] | None, dict[str, Any] | None, dict[str, Any] | None]


def _measured(plan: Plan, outcome: str) -> _Rows:
    """The row of every council in the plan's first post year, where one was measured for this very plan.

    Beside it the row of the other window that would say most falsely without this very check, of equals the one whose
    ranges held least often; and the row of the same councils with a gain planted of twice the detectable effect.
    """
    path = find_calibration(plan.digest)
    if path is None:
        return None, None, None
    rows = _shipped_rows(path)
    start = f"{plan.post[0]} by "
    whole = [r for r in rows if r["group"] == "all" and r["outcome"] == outcome]
    every = [r for r in whole if r["part"] == "b"]
    own = next((row for row in every if row["world"].startswith(start)), None)
    others = [row for row in every if not row["world"].startswith(start)]
    worst = max(others, key=lambda r: (_said_anyhow(r), -r["coverage"]), default=None)
    planted = next((r for r in whole if own and r["world"] == f"{own['world']}, planted 2M"), None)
    return own, worst, planted


@lru_cache(maxsize=4)
def _shipped_rows(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["rows"]
    return rows


def _said_anyhow(row: dict[str, Any]) -> float:
    return float((row.get("better_without_size") or 0.0) + (row.get("worse_without_size") or 0.0))
