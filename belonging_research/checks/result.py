"""What a check answers: a status, a number with its limit, and one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

Status = Literal["pass", "fail", "no_test"]
Severity = Literal["fatal", "serious", "caution"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check of one finding. ``value`` and ``limit`` are in the outcome's unit unless the sentence says so.

    ``direction`` is the sign of the bias that a caution points to (+1, -1) where known, else 0: two cautions
    in the same direction weigh as a threat (evidence grade).
    """

    name: str
    status: Status
    severity: Severity
    value: float | None
    limit: float | None
    power: float | None
    sentence: str
    direction: int = 0
    table: pa.Table | None = None
