"""Verdicts worked out again from rows of ``results.json`` alone.

Written from the published rules and the keys of a row. It imports nothing of the package, so that a fault
there cannot hide here. A row that is not assessed has a null value; a null end of an interval has no bound.
Holm's m is the row's ``family_size``; members of the family without a p-value count as p = 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Row = dict[str, Any]
INFINITY = float("inf")


def recompute_verdict(row: Row, rows: Iterable[Row]) -> tuple[str, int]:
    """The verdict of a row and the number of the rule that gives it."""
    everything = list(rows)
    if row["value"] is None:
        return "not_assessed", 0
    if row["role"] == "exploratory":
        return "cannot_tell", 1
    if _forbidden(row):
        return "cannot_tell", 2
    size = row["sesoi"]
    low, high = _ci(row, 2)
    if low > -size and high < size:
        return "as_expected", 3
    if _noticed(row, everything):
        if _favourable(row) > 0:
            return "better_than_expected", 4
        if _favourable(row) < 0:
            return "worse_than_expected", 5
    return "cannot_tell", 6


def recompute_flags(row: Row, rows: Iterable[Row]) -> Row:
    """The rest of what a row says: p_adjusted, gate, what is ruled out, flags, failed checks, grade."""
    everything = list(rows)
    verdict, rule = recompute_verdict(row, everything)
    size = row["sesoi"]
    found: Row = {
        "p_adjusted": None,
        "gate": _gate(row, everything),
        "ruled_out": [],
        "small_difference_noticed": False,
        "enough_to_matter": False,
        "signal_to_examine": False,
        "failed": sorted(name for name, check in row["checks"].items() if check["status"] == "fail"),
        "grade": _grade(row["grade_parts"]),
    }
    if rule == 0:
        return found
    if row["role"] != "exploratory":
        found["p_adjusted"] = _p_adjusted(row, everything)
    if rule in (3, 4, 5, 6):
        low, high = _ci(row, 2)
        found["ruled_out"] = ["gain"] * (high < size) + ["loss"] * (low > -size)
        low, high = _ci(row, 1)
        found["small_difference_noticed"] = rule == 3 and _noticed(row, everything)
        found["enough_to_matter"] = (rule == 4 and low > size) or (rule == 5 and high < -size)
    adverse = row["role"] == "secondary" and _favourable(row) < 0 and row["p_value"] <= 0.01
    found["signal_to_examine"] = adverse and verdict == "cannot_tell"
    return found


def _favourable(row: Row) -> float:
    value: float = row["value"]
    return -value if row["better"] == "lower" else value


def _ci(row: Row, times: int) -> tuple[float, float]:
    """CI(1 - times * a) in the favourable direction; the level is the nearest number, not a text."""
    level = 1 - times * row["alpha"]
    key = min(row["ci"], key=lambda text: abs(float(text) - level))
    assert abs(float(key) - level) < 1e-5, (key, level)
    low, high = row["ci"][key]
    low = -INFINITY if low is None else low
    high = INFINITY if high is None else high
    return (-high, -low) if row["better"] == "lower" else (low, high)


def _forbidden(row: Row) -> bool:
    for check in row["checks"].values():
        if check["severity"] in ("fatal", "serious") and check["status"] == "fail":
            return True
        if check["severity"] == "fatal" and check["status"] == "no_test":
            return True
    parts = row["grade_parts"]
    return parts["design"] in (0, 1) or parts["attrition"] == 0


def _noticed(row: Row, rows: list[Row]) -> bool:
    return _gate(row, rows) and _p_adjusted(row, rows) <= row["alpha"]


def _family(row: Row, rows: list[Row]) -> list[Row]:
    same = [other for other in rows if (other["layer"], other["role"]) == (row["layer"], row["role"])]
    if row["role"] == "secondary":
        same = [other for other in same if other["domain"] == row["domain"]]
    return same


def _p_adjusted(row: Row, rows: list[Row]) -> float:
    """Holm, the long way: the largest multiplied p among those at or under this row's."""
    known = [other["p_value"] for other in _family(row, rows) if other["value"] is not None]
    p_values = sorted(known + [1.0] * (row["family_size"] - len(known)))
    m = len(p_values)
    steps = [(m - place) * p for place, p in enumerate(p_values) if p <= row["p_value"]]
    adjusted: float = min(1.0, max(steps))
    return adjusted


def _gate(row: Row, rows: list[Row]) -> bool:
    if row["role"] == "primary":
        return True
    if row["role"] == "exploratory" or row["value"] is None:
        return False
    wanted = 4 if _favourable(row) > 0 else 5
    own = (row["layer"], "primary", row["domain"])
    primaries = [each for each in rows if (each["layer"], each["role"], each["domain"]) == own]
    reached = [recompute_verdict(primary, rows)[1] == wanted for primary in primaries]
    return bool(reached) and all(reached) and row["value"] != 0


def _grade(parts: Row) -> int | None:
    scores = [parts[name] for name in ("design", "precision", "attrition", "balance")]
    return None if None in scores else max(0, min(scores) - parts["threats"])
