"""Is every number that a page prints in ``results.json`` or in a released table, as printed?"""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Iterable
from pathlib import Path

_UNSEEN = re.compile(r"<(style|script|head|pre)\b.*?</\1>", re.S | re.I)
_TAG = re.compile(r"<[^>]+>")
_NUMBER = re.compile(r"(?<![\w.])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?!\w)")
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
# Dates and hashes are no figures.
_DATES = re.compile(
    rf"\b\d{{4}}[/-]\d{{2}}(?:\+\d{{4}}-\d{{2}})*(?:-\d{{2}})?\b|\b(?:\d{{1,2}} )?(?:{_MONTHS}) \d{{4}}\b"
    r"|\b20\d\d to 20\d\d\b|\bsince 20\d\d\b|\b[0-9a-f]{12}(?:[0-9a-f]{52})?\b"
)


def visible_text(page: str) -> str:
    """What a reader sees or hears of a page: its text and the words that stand for pictures; no code."""
    body = _UNSEEN.sub(" ", page)
    spoken = " ".join(re.findall(r'(?:alt|aria-label)="([^"]*)"', body))
    return html.unescape(f"{_TAG.sub(' ', body)} {spoken}")


def numbers_in(text: str) -> frozenset[str]:
    """The numbers of a text as printed, without dates, years and hashes; "1,234" and "1234" are one."""
    return frozenset(each.replace(",", "") for each in _NUMBER.findall(_DATES.sub(" ", text)))


def unexplained(page: str, explained: Iterable[str]) -> tuple[str, ...]:
    """The numbers of a page that stand in none of the texts of ``explained``, sorted."""
    known: set[str] = set()
    for text in explained:
        known |= numbers_in(text)
    return tuple(sorted(numbers_in(visible_text(page)) - known))


def released_texts(released: Path) -> tuple[str, ...]:
    """``results.json`` and every released table, as texts to look numbers up in."""
    texts = [(released / "results.json").read_text(encoding="utf-8")]
    for path in sorted((released / "tables").glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as table:
            # A cell a line: "7,190" would otherwise be two cells or one number.
            texts.append("\n".join(cell for row in csv.reader(table) for cell in row))
    return tuple(texts)
