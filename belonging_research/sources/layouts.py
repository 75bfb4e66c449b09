"""What a layout is, and how a header is matched to one of :mod:`registry`.

A layout is recognised by its columns alone: never by a file's name, and never by the order of columns.
Columns are compared without regard to case or surrounding spaces.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

Family = Literal["absence", "exclusions", "daily", "lookup", "other"]
Names = tuple[str, ...]  # a column's own name first, then the spellings it had in other years

OGL = "Open Government Licence v3.0"
DFE = "Department for Education"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A layout: its columns, where it comes from, and whether this study uses it.

    ``shared`` are columns that every file of the publisher has: needed, but no sign of *this* layout.
    ``required`` are the columns that mark it; ``optional`` those that some years lack; ``known`` those that are
    present in some years and not read; ``refused`` those that make it something else.
    """

    name: str
    title: str
    publication: str
    required: tuple[Names, ...]
    family: Family = "other"
    shared: tuple[Names, ...] = ()
    optional: tuple[Names, ...] = ()
    known: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    producer: str = DFE
    licence: str = OGL
    why_not: str | None = None
    repeats: frozenset[str] = field(default_factory=frozenset)

    @property
    def used(self) -> bool:
        """Whether figures or lookups of this layout are read."""
        return self.why_not is None

    def columns(self, header: Sequence[str]) -> dict[str, str]:
        """Own name of each column of the layout to its spelling in ``header``; absent ones are left out."""
        written = {key(name): name for name in reversed(header)}
        found = {}
        for names in (*self.shared, *self.required, *self.optional):
            spelling = next((written[key(name)] for name in names if key(name) in written), None)
            if spelling is not None:
                found[names[0]] = spelling
        return found

    def missing(self, header: Sequence[str]) -> tuple[str, ...]:
        """Own names of the needed columns that ``header`` lacks."""
        found = self.columns(header)
        return tuple(n[0] for n in (*self.shared, *self.required) if n[0] not in found)

    def matches(self, keys: AbstractSet[str]) -> bool:
        """Whether a header is this layout; ``keys`` are its columns as they are compared."""
        needed = (*self.shared, *self.required)
        return all(any(key(name) in keys for name in names) for names in needed) and not keys & self.refused

    def resemblance(self, header: Sequence[str]) -> float:
        """Share of the marking columns that ``header`` has; nothing where a refused column is present."""
        if {key(name) for name in header} & self.refused:
            return 0.0
        found = self.columns(header)
        return sum(names[0] in found for names in self.required) / len(self.required)

    def unexpected(self, header: Sequence[str]) -> tuple[str, ...]:
        """Columns of ``header`` that the layout has never had."""
        ours = {key(n) for names in (*self.shared, *self.required, *self.optional) for n in names}
        return tuple(name for name in header if key(name) not in ours | self.known)


@lru_cache(maxsize=1 << 13)  # every row that may be a header is compared with every column of every layout
def key(name: str) -> str:
    """A column name as it is compared."""
    return name.strip().lstrip("\ufeff").casefold()


def match(header: Sequence[str], layouts: Sequence[Layout]) -> Layout | None:
    """The layout of a header, or None: of those that match, the one with most of its columns present."""
    keys = {key(name) for name in header}
    found = [layout for layout in layouts if layout.matches(keys)]
    return max(found, key=lambda layout: len(layout.columns(header)), default=None)


def nearest(header: Sequence[str], layouts: Sequence[Layout]) -> tuple[Layout, float]:
    """Of ``layouts`` the one that a header resembles most, and the share of its marking columns present."""
    best = max(layouts, key=lambda layout: (layout.resemblance(header), -len(layout.required)))
    return best, best.resemblance(header)


def renamed(layout: Layout, header: Sequence[str], absent: Sequence[str]) -> Mapping[str, str]:
    """Absent column to the unexpected column it was probably renamed to (similar by more than 0.75)."""
    strangers = {key(name): name for name in layout.unexpected(header)}
    guesses = {}
    for name in absent:
        close = difflib.get_close_matches(key(name), strangers, n=1, cutoff=0.75)
        if close:
            guesses[name] = strangers[close[0]]
    return guesses
