"""What a calibration's rows say, for a reader: tables, and a sentence for each window and its alpha."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from belonging_research.calibrate import PRIMARY, THIRDS, Row
from belonging_research.calibrate.councils import STUDY_ALPHA
from belonging_research.outcomes import MEASURES
from belonging_research.plan import Plan
from belonging_research.present.numbers import scale

COLUMNS = {
    "world": "World",
    "group": "Councils",
    "n_worlds": "Times tried",
    "false": "False better or worse",
    "right": "Right",
    "cannot_tell": "Can’t tell",
    "coverage": "95% ranges that hold the truth",
    "bias": "Off on average",
    "caught": "Caught by its check",
}
_METHODS = {
    "cluster_robust": "Cluster-robust errors",
    "conley_taber": "Conley and Taber",
    "ferman_pinto": "Ferman and Pinto",
}


_MADE_UP = {"county": "made-up countries", "school": "made-up counties of schools"}


def sheets(rows: Sequence[Row]) -> list[tuple[str, str, str, list[Row]]]:
    """The tables of the page, those without rows left out: part, kind, title, rows."""
    made = [row for row in rows if row.part == "a" and row.layer == "county"]
    schools = [row for row in rows if row.part == "a" and row.layer == "school"]
    thirds = [row for row in made if row.group != "all" and row.false_verdicts is not None]
    real = [row for row in rows if row.part == "b"]
    groups = [row for row in real if row.group != "all" and row.outcome == PRIMARY]
    planted = [row for row in rows if row.part == "c" and row.group in ("all", *THIRDS)]
    found = [
        ("a", "all", "Made-up countries", [row for row in made if row.group == "all"]),
        ("thirds", "thirds", "Made-up countries where nothing was done, by size of council", thirds),
        ("schools", "all", "Made-up counties, school by school", schools),
        ("b", "all", "Every real council in its place, no change assumed", [r for r in real if r.group == "all"]),
        ("groups", "groups", "Overall absence, no change assumed, by size and region", groups),
        ("c", "all", "A gain planted", planted),
    ]
    return [each for each in found if each[3]]


def table_of_rows(rows: Sequence[Row], plan: Plan) -> pa.Table:
    """The rows as a reader sees them: shares as counts of 100, each with its error."""
    cells = [
        {
            "world": row.sentence if row.part == "a" else f"{MEASURES[row.outcome].label}, {row.world}",
            "group": row.group, "n_worlds": row.n_worlds,
            "false": _in_100(row.false_verdicts, row.false_verdicts_mcse),
            "right": _in_100(row.right_verdicts, row.right_verdicts_mcse),
            "cannot_tell": _in_100(row.cannot_tell), "coverage": _in_100(row.coverage, row.coverage_mcse),
            "bias": _off(row, plan), "caught": _caught(row),
        }
        for row in rows
    ]  # fmt: skip
    return pa.Table.from_pylist(cells)


def _off(row: Row, plan: Plan) -> str:
    outcome = (plan if row.layer == "county" else plan.of_schools).outcome(row.outcome)
    return scale(outcome.name, outcome.label, outcome.unit, 2, outcome.sesoi).effect(row.bias)


def _caught(row: Row) -> str:
    if row.catcher is None:
        return "nothing can"
    check = row.catcher.replace("_", " ")
    return check if row.caught is None else f"{_in_100(row.caught)} by {check}"


def few_shown(few: pa.Table) -> pa.Table:
    """False alarms by method, year and number of councils treated, as a reader sees them."""
    rows = [
        {
            "method": _METHODS[row["method"]], "year": row["year"], "councils treated": str(row["n_treated"]),
            "noticed, of 100 where no change is assumed": _in_100(row["rejected"], row["mcse"]),
        }
        for row in few.to_pylist()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


def _in_100(share: float | None, error: float | None = None) -> str:
    if share is None:
        return "does not apply"
    return f"{100 * share:.1f} in 100" + ("" if error is None else f" (give or take {100 * error:.1f})")


def intro(rows: Sequence[Row]) -> str:
    """What was tried, made from the parts that are there."""
    parts, layers = {row.part for row in rows}, {row.layer for row in rows if row.part == "a"}
    made = [where for layer, where in _MADE_UP.items() if layer in layers]
    places = [f"in {' and '.join(made)}, where the truth is known"] if made else []
    if "b" in parts:
        places.append("with every real council in the treated one’s place, where no change is assumed")
    if "c" in parts:
        places.append("with real councils in whose figures a gain was planted")
    return f"The whole way from figures to verdict, tried many times: {'; '.join(places)}."


def sentences(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """What the rows say of false and of right answers, each beside the alpha that was allowed."""
    said = []
    clean = _find(rows, part="a", layer="county", world="nothing_happened")
    if clean is not None:
        share = clean.false_verdicts or 0.0
        said.append(
            f"Of 100 made-up studies in which nothing was done, this method said better or worse in {100 * share:.1f} "
            f"(tried {clean.n_worlds} times). {_looks(plan)} {_beside(share, clean.false_verdicts_mcse, _spent(plan))}"
        )
    twice = _find(rows, part="a", layer="county", world="effect_twice_detectable")
    if twice is not None:
        said.append(
            f"Where the effect was twice what it can notice 4 times in 5, it said so in "
            f"{100 * (twice.right_verdicts or 0):.0f} of 100."
        )
    said += _schools(plan, rows)
    said += [_window(row, plan) for row in rows if row.part == "b" and row.group == "all" and row.outcome == PRIMARY]
    return said + [_planted(row) for row in rows if row.part == "c" and row.group == "all" and row.truth]


def _schools(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """What was said of made-up schools: falsely where nothing was done, and rightly where absence fell."""
    said = []
    null = _find(rows, part="a", layer="school", world="nothing_happened")
    if null is not None and plan.schools is not None:
        share, alpha = null.false_verdicts or 0.0, plan.schools.alpha
        said.append(
            f"Of 100 made-up studies of schools in which nothing was done, it said better or worse in "
            f"{100 * share:.1f} (tried {null.n_worlds} times, one look at {_alpha(alpha)}). "
            f"{_beside(share, null.false_verdicts_mcse, alpha)}"
        )
    fell = {"one_point": "1 point", "half_a_point": "half a point", "quarter_of_a_point": "a quarter of a point"}
    found = [(words, _find(rows, part="a", layer="school", world=world)) for world, words in fell.items()]
    right = [f"{100 * (row.right_verdicts or 0):.0f} where it fell by {words}" for words, row in found if row]
    if right:
        said.append(f"Where absence fell in schools that started, it said better, of 100: {', '.join(right)}.")
    return said


def _window(row: Row, plan: Plan) -> str:
    judged, carried = row.world.split(" by ")
    told = (
        f"With each of {row.n_worlds} real councils in {plan.place}’s place in {judged}, judged at "
        f"{_alpha(STUDY_ALPHA)} by what was usual in {carried}, and where no change is assumed, it said better for "
        f"{100 * row.said_better:.1f} in 100, worse for {100 * row.said_worse:.1f} and can’t tell for "
        f"{100 * row.cannot_tell:.1f}. "
        f"{_withheld(row) or _beside(row.said_better + row.said_worse, row.false_verdicts_mcse, STUDY_ALPHA)}"
    )
    if row.size_01 is None or row.size_03 is None or row.size_05 is None:
        return told
    return (
        f"{told} Before any check, {100 * row.size_01:.1f} in 100 were noticed at alpha 0.01, "
        f"{100 * row.size_03:.1f} at 0.03 and {100 * row.size_05:.1f} at 0.05"
        f"{_more(row.size_05, row.false_verdicts_mcse, 0.05)}."
    )


def _withheld(row: Row) -> str:
    """What would have been said without the check that is measured in this very window, where that is more."""
    better, worse = row.better_without_size or 0.0, row.worse_without_size or 0.0
    if better + worse <= row.said_better + row.said_worse:
        return ""
    return (
        f"Answers were withheld because so many were noticed there. Without that check, which is measured on the same "
        f"councils, it would have said better for {100 * better:.1f} in 100 and worse for {100 * worse:.1f}: "
        f"{100 * (better + worse):.1f} together{_more(better + worse, row.false_verdicts_mcse, STUDY_ALPHA)}."
    )


def _planted(row: Row) -> str:
    """What was made of a gain planted in real figures: noticed, said, and what checks forbade."""
    return (
        f"{row.sentence.rstrip('.')}: noticed in {100 * row.noticed:.0f} of 100 at {_alpha(STUDY_ALPHA)}, called "
        f"better in {100 * (row.right_verdicts or 0):.0f}. Where it was noticed and not called so, a check forbade an "
        "answer."
    )


def _beside(share: float, error: float, alpha: float) -> str:
    """Whether a share of false answers keeps to its alpha, in a sentence."""
    if share <= alpha:
        return f"That keeps to the {100 * alpha:g} in 100 that are allowed."
    return f"That is {100 * share:.1f} together{_more(share, error, alpha)}."


def _more(share: float, error: float, alpha: float) -> str:
    if share <= alpha:
        return ""
    chance = "more than chance explains" if share > alpha + 2 * error else "which chance may explain"
    return f", more than the {100 * alpha:g} in 100 that are allowed, {chance} (give or take {100 * error:.1f})"


def _alpha(alpha: float) -> str:
    return f"{100 * alpha:g} in 100 (alpha {alpha:g})"


def _spent(plan: Plan) -> float:
    return round(sum(look.alpha for look in plan.looks), 9)


def _looks(plan: Plan) -> str:
    each = ", ".join(f"{look.alpha:g} in {look.report_year}" for look in plan.looks)
    return f"Alpha at its looks: {each}; together {_spent(plan):g}."


def _find(rows: Sequence[Row], **wanted: str) -> Row | None:
    return next((r for r in rows if r.group == "all" and all(getattr(r, k) == v for k, v in wanted.items())), None)
