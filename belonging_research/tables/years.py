"""Academic years, written ``"2024/25"``: they begin in September, and for counting on 1 August."""

from __future__ import annotations

import re

from belonging_research.errors import SourceError

_YEAR = re.compile(r"^(\d{4})[/-]?(\d{2}|\d{4})$")


def academic_year(text: str) -> str:
    """``"202425"``, ``"2024/25"``, ``"2024-25"`` or ``"2024/2025"`` to ``"2024/25"``.

    Raises
    ------
    SourceError
        If the text is none of these or its years are not consecutive.
    """
    match = _YEAR.match(text.strip())
    if match:
        first = int(match.group(1))
        if (first + 1) % 100 == int(match.group(2)) % 100 and int(match.group(2)) in (
            (first + 1) % 100,
            first + 1,
        ):
            return year_label(first)
    raise SourceError(f"{text!r} is not an academic year; expected one like 202425 or 2024/25.")


def year_label(first: int) -> str:
    """The academic year that begins in September of ``first``: 2024 to ``"2024/25"``."""
    return f"{first}/{(first + 1) % 100:02d}"


def first_year(period: str) -> int:
    """The calendar year in which an academic year begins: ``"2024/25"`` to 2024."""
    return int(period[:4])


def shift_year(period: str, by: int) -> str:
    """The academic year ``by`` years later: ``shift_year("2024/25", -1)`` is ``"2023/24"``."""
    return year_label(first_year(period) + by)
