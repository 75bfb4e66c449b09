"""Is every number that a page prints the display rounding of one in ``results.json`` or in a source table?

A *source* table holds numbers as they were worked out. A *printing* (``shown_...``, ``annex_...``, ``verdicts``) holds
words that a page prints, and proves nothing by itself. So three questions are asked, each tighter than the one before:
does each number of a page stand in a printing or source of that page; is each number of a printing a rounding of a
number of its own sources; and is each quantity that a sentence quotes the very number of its own finding?
"""

from __future__ import annotations

import bisect
import csv
import html
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

_UNSEEN = re.compile(r"<(style|script|head|pre)\b.*?</\1>", re.S | re.I)
_TAG = re.compile(r"<[^>]+>")
_NUMBER = re.compile(r"(?<![\w.])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?!\w)")
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_PRINTING = re.compile(r"(^|\.)shown_|^annex_|^verdicts$")
_REFERENCES = re.compile(r"<h2>Methods and where.*?</ul>", re.S)

# What is no figure, and why: taken out before numbers are looked for. Nothing else is excused.
NO_FIGURES: Mapping[str, str] = {
    rf"\b(?:\d{{1,2}} )?(?:{_MONTHS}) \d{{4}}\b": "dates",
    r"\b\d{4}-\d{2}-\d{2}\b": "dates as the record writes them",
    r"\b\d{4}[/-]\d{2}(?:(?:\+| and )\d{4}[/-]\d{2})*(?!\d)": "academic years",
    r"\b20\d\d to 20\d\d\b": "academic years in words",
    r"\bsince 20\d\d\b": "a year",
    r"\b[0-9a-f]{12}(?:[0-9a-f]{52})?\b": "hashes",
    r"\bnotebooks? \d\d(?: and \d\d)?\b": "names of notebooks",
    r"\b4 times in 5\b|\b4 in 5\b": "how often a detectable effect is noticed, by its definition",
    r"\bone in 20\b": "how often a 95% range misses, by its definition",
    r"\bless than 1 in 100\b|\bmore than 19 in 20\b": "the ends of the scale of chances",
    r"\b(?:in|of|per) 100\b": "what a share is said of",
    r"(?<=\d) in (?:10|20)\b": "what a chance is said of",
    r"\b1 in (?=\d)": "the first half of a chance, whose second half is looked up",
    r"\b10% or more of|\b50% or more of": "how the Department defines persistent and severe absence",
    r"\b(?:range|interval|ranges)(?: \(|, | at )?(?:\d\d%(?:, | and )?)+\)?|\b95% ranges?": "the level of a range",
    r"\b95%(?=, 9\d%)|(?<=, )9\d%(?=, 9\d%)|(?<=, )9\d% ranges": "the levels of ranges drawn together",
}


def visible_text(page: str) -> str:
    """What a reader sees or hears of a page: its text and the words that stand for pictures; no code."""
    body = _UNSEEN.sub(" ", page)
    spoken = " ".join(re.findall(r'(?:alt|aria-label)="([^"]*)"', body))
    return html.unescape(f"{_TAG.sub(' ', body)} {spoken}")


def numbers_in(text: str) -> frozenset[str]:
    """The numbers of a text as printed, without what is no figure; "1,234" and "1234" are one."""
    for pattern in NO_FIGURES:
        text = re.sub(pattern, " ", text, flags=re.I)
    return frozenset(each.replace(",", "") for each in _NUMBER.findall(text))


@dataclass(frozen=True, kw_only=True)
class Table:
    """A released table: its id and rows as text."""

    id: str
    rows: tuple[dict[str, str], ...]

    @property
    def is_printing(self) -> bool:
        """Whether it holds what a page prints, not what that is worked out from."""
        return _PRINTING.search(self.id) is not None

    @property
    def notebook(self) -> str:
        """The notebook it was cleared in, empty for a table of the run."""
        return self.id.rpartition(".")[0]

    @property
    def cells(self) -> list[str]:
        """Every cell."""
        return [cell for row in self.rows for cell in row.values()]

    @property
    def is_quoted(self) -> bool:
        """Whether its rows are quantities of findings, as sentences print them."""
        return bool(self.rows) and set(self.rows[0]) == {"finding", "quantity", "value", "printed"}


class Numbers:
    """Numbers of sources, asked whether a printed one is the rounding of one of them."""

    def __init__(self, values: Iterable[float], texts: Iterable[str]) -> None:
        shown = {form for value in values for form in _forms(value)}
        self._sorted = sorted(shown)
        self._printed = frozenset(number for text in texts for number in numbers_in(text))

    def explain(self, number: str) -> bool:
        """Whether ``number`` stands in a text of the sources, or one of their values rounds to it."""
        if number in self._printed:
            return True
        half = 0.5 * 10.0 ** -len(number.partition(".")[2]) + 1e-9
        at = bisect.bisect_left(self._sorted, float(number) - half)
        return at < len(self._sorted) and self._sorted[at] <= float(number) + half


def _forms(value: float) -> tuple[float, ...]:
    """A number as pages may write it: as it is, of 100 (per cent, points), a ratio's change in per cent."""
    size = abs(value)
    ratios = (abs(100 * math.expm1(size)), abs(100 * math.expm1(-size))) if size < 3 else ()
    return (size, 100 * size, *ratios)


def _value(cell: str) -> float | None:
    try:
        found = float(cell)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


@dataclass(frozen=True)
class Released:
    """A released folder as the three questions need it."""

    folder: Path

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """Every table that ``results.json`` lists."""
        found = []
        for each in self.results["tables"]:
            with (self.folder / each["csv"]).open(encoding="utf-8-sig", newline="") as file:
                found.append(Table(id=each["id"], rows=tuple(csv.DictReader(file))))
        return tuple(found)

    @cached_property
    def results(self) -> dict[str, Any]:
        """``results.json``."""
        content: dict[str, Any] = json.loads((self.folder / "results.json").read_text(encoding="utf-8"))
        return content

    @cached_property
    def findings(self) -> dict[str, dict[str, Any]]:
        """The rows of ``results.json`` by id."""
        return {row["id"]: row for row in self.results["findings"]}

    def _own(self, notebook: str) -> list[Table]:
        """Tables of a notebook; of none: those of the run."""
        return [table for table in self.tables if table.notebook == notebook]

    def _numbers(self, tables: Sequence[Table], more: Sequence[float] = ()) -> Numbers:
        cells = [cell for table in tables for cell in table.cells]
        values = [value for cell in cells if (value := _value(cell)) is not None]
        texts = [cell for cell in cells if _value(cell) is None]
        return Numbers(
            [*values, *more, *_leaves(self.results["findings"])], [*texts, *_texts(self.results["findings"])]
        )

    def sources_of(self, notebook: str) -> Numbers:
        """What the printings of a notebook (of the run: none) may be roundings of.

        Beside numbers as they stand: mean levels over base and post years, and how much of its limit a check used up.
        """
        own = [table for table in (*self._own(notebook), *self._own("")) if not table.is_printing]
        means = [
            mean
            for finding in self.findings.values()
            for group in {row["group"] for table in own if table.id.endswith(".levels") for row in table.rows}
            for when in ("before", "since")
            for mean in self._levels(finding, when, group, notebook)
        ]
        return self._numbers(own, [*(m for m in means if math.isfinite(m)), *self._shares])

    @cached_property
    def _shares(self) -> list[float]:
        checks = [check for finding in self.findings.values() for check in finding["checks"].values()]
        pairs = [(check["value"], check["limit"]) for check in checks if check["value"] and check["limit"]]
        return [share for value, limit in pairs for share in (value / limit, limit / value)]

    def unfounded_printings(self) -> dict[str, list[str]]:
        """Numbers of printings that are no rounding of a number of their own sources, by table."""
        wrong: dict[str, list[str]] = {}
        known = {notebook: self.sources_of(notebook) for notebook in {table.notebook for table in self.tables}}
        for table in self.tables:
            if not table.is_printing or table.is_quoted:
                continue
            numbers = {number for cell in table.cells for number in numbers_in(cell)}
            numbers -= _derived(table)
            if missing := sorted(n for n in numbers if not known[table.notebook].explain(n)):
                wrong[table.id] = missing
        return wrong

    def unexplained(self, page: str) -> tuple[str, ...]:
        """Numbers that a page prints and that stand in no printing or source of that page."""
        text = (self.folder / f"{page}.html").read_text(encoding="utf-8")
        numbers = numbers_in(visible_text(_REFERENCES.sub("", text)))
        notebook = page if self._own(page) else _AUDIENCE.get(page, "")
        known = self._numbers([*self._own(notebook), *self._own("")])
        return tuple(sorted(each for each in numbers if not known.explain(each)))

    def misquoted(self) -> list[str]:
        """Quoted quantities that are not the number of their own finding, or not its rounding."""
        wrong = []
        for table in (table for table in self.tables if table.is_quoted):
            for row in table.rows:
                fault = self._misquoted(row, table.notebook)
                wrong += [f"{table.id}: {row['finding'].split('/')[1]}, {row['quantity']}: {fault}"] if fault else []
        return wrong

    def _misquoted(self, row: Mapping[str, str], notebook: str) -> str:
        finding, quantity = self.findings.get(row["finding"]), row["quantity"]
        if finding is None:
            return "of no finding"
        source = self._source(finding, quantity, notebook)
        if source is None:
            return "a quantity that this test does not know; say where it comes from"
        value = _value(row["value"])
        # A printed change is that of two printed levels, so that a reader's own subtraction agrees.
        near = 0.0101 if quantity.startswith("change: ") else 0.0051
        if value is not None and source and not any(math.isclose(abs(value), abs(s), rel_tol=1e-6, abs_tol=1e-9)
                                                    or math.isclose(abs(value), abs(100 * s), abs_tol=near)
                                                    for s in source):  # fmt: skip
            return f"{value} is none of {source}"
        known = Numbers([*source, *([value / 100] if value is not None and near > 0.01 else [])], [])
        strange = [n for n in numbers_in(row["printed"]) if not known.explain(n) and not _in_words(n, quantity, source)]
        return f"{row['printed']!r} is no rounding of {source}" if strange else ""

    def _source(self, finding: Mapping[str, Any], quantity: str, notebook: str) -> list[float] | None:
        """The numbers of the finding (levels: of the table of levels) that a quantity is printed from."""
        if quantity in _FIELDS:
            return [finding[name] for name in _FIELDS[quantity] if finding[name] is not None]
        if quantity.startswith("interval "):
            return _ends(finding, float(quantity.split()[1]))
        if quantity in _LEVELS_OF_RANGE:
            level = _LEVELS_OF_RANGE[quantity]
            return _ends(finding, level or 1 - 2 * finding["alpha"])
        if quantity in ("holds the truth", "range that rules out"):
            return [1 - 2 * finding["alpha"]]
        if quantity.endswith(" of 100"):
            return self._measured(quantity)
        if ": " in quantity and re.match(r"(before|since|change|in \d{4}/\d\d)$", quantity.split(": ")[0]):
            return self._levels(finding, *quantity.split(": ", 1), notebook)
        if quantity.endswith("in days"):
            changes = [100 * finding["value"]] if finding["value"] is not None else []
            place = [row["quantity"].split(": ", 1)[1] for row in self._rows_of(finding["id"])
                     if row["quantity"].startswith("change: ")]  # fmt: skip
            changes += [100 * each for name in place for each in self._levels(finding, "change", name, notebook)]
            return [each * 1.9 for each in changes]
        if quantity in _YEARS:
            return []
        if quantity == "times":
            return [math.exp(finding["value"])]
        if quantity == "range of times":
            return [math.exp(end) for end in _ends(finding, 0.95)]
        if quantity in ("schools", "spread by chance"):
            name, column = {
                "schools": ("schools_began_with", "schools"),
                "spread by chance": ("interventions_told_apart", "p_value"),
            }[quantity]  # fmt: skip
            rows = [row for table in self._own(notebook) if table.id.endswith(f".{name}") for row in table.rows]
            return [float(row[column]) for row in rows if row.get("began_with") in (None, finding["subgroup"])]
        if quantity == "checks":
            return [float(n) for n in _tallies(finding["checks"])]
        if quantity in finding["checks"]:
            check = finding["checks"][quantity]
            return [each for each in (check["value"], check["limit"]) if each is not None]
        return None

    def _rows_of(self, finding: str) -> list[Mapping[str, str]]:
        return [row for table in self.tables if table.is_quoted for row in table.rows if row["finding"] == finding]

    def _measured(self, quantity: str) -> list[float]:
        """False verdicts and coverage as measured; what such ranges are meant to hold is their level."""
        meant = {"ranges meant": [0.95], "noticed meant": [0.01, 0.03, 0.05], "all looks meant": [0.05]}
        if quantity.removesuffix(" of 100") in meant:
            return meant[quantity.removesuffix(" of 100")]
        columns = {
            "false better": ["said_better"], "false worse": ["said_worse"], "ranges held": ["coverage"],
            "worst better": ["better_without_size"], "worst worse": ["worse_without_size"],
            "worst held": ["coverage"], "worst noticed": ["noticed"],
            "noticed": ["size_01", "size_03", "size_05"], "cannot tell": ["cannot_tell"],
            "planted noticed": ["noticed"], "planted better": ["said_better"],
        }  # fmt: skip
        table = next((table for table in self.tables if table.id == "calibration"), Table(id="none", rows=()))
        names = columns[quantity.removesuffix(" of 100")]
        part = "c" if quantity.startswith("planted") else "b"
        rows = [row for row in table.rows if row["part"] == part and row["group"] == "all"]
        return [float(row[name]) for row in rows for name in names if row[name]]

    def _levels(self, finding: Mapping[str, Any], when: str, group: str, notebook: str) -> list[float]:
        """The mean level of a group over the finding's base or post years, or the difference of the two."""
        path = [each for table in self._own("") if table.id == "paths" for each in table.rows]
        rates: dict[str, float] = {}
        for table in self._own(notebook):
            if table.id.rpartition(".")[2] == "levels":
                for row in table.rows:
                    same = row["outcome"] == finding["outcome"] and row["group"] == group
                    if same and row.get("source", finding["source"]) == finding["source"] and row["value"]:
                        rates[row["period"]] = float(row["value"])
        if not rates:  # a picture without a table of levels tells the estimate's own path
            column = "predicted" if group == "Comparison mix" else "actual"
            rates = {row["period"]: float(row[column]) for row in path
                     if row["finding"] == finding["id"] and row[column]}  # fmt: skip
        spans = {"before": _periods(finding["base"]), "since": _periods(finding["post"])}
        means = {name: fmean([rates[p] for p in span if p in rates] or [math.nan]) for name, span in spans.items()}
        if when.startswith("in "):
            return [rates[when.removeprefix("in ")]]
        if when != "change":
            return [means[when]]
        return [means["since"] - means["before"]]


_AUDIENCE = {"council": "09_annual_report"}
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "smallest size": ("sesoi",), "smallest gain": ("sesoi",), "smallest loss": ("sesoi",),
    "best guess": ("value",), "councils": ("n_reference",), "exaggeration": ("noticed_exaggeration",),
    "promised type M": ("type_m",),
    "noticed 4 in 5": ("noticed",), "promised 4 in 5": ("detectable",), "chance": ("noticed_chance",),
    **{name: (name,) for name in ("detectable_05", "detectable_realised_05", "power_at_sesoi", "actual", "predicted",
                                  "p_value", "p_adjusted")},
}  # fmt: skip
_LEVELS_OF_RANGE = {"still possible": None, "lowest possible": None, "highest possible": None, "range at 95%": 0.95}
_YEARS = ("report year", "base years", "post years")


def _ends(finding: Mapping[str, Any], level: float) -> list[float]:
    for key, ends in finding["ci"].items():
        if math.isclose(float(key), level, abs_tol=1e-6):
            return [end for end in ends if end is not None]
    return []


def _periods(text: str) -> list[str]:
    return [each.replace("-", "/") for each in text.split("+")]


def _tallies(checks: Mapping[str, Mapping[str, Any]]) -> set[int]:
    counts: dict[str, int] = {}
    events = [check for name, check in checks.items() if name.startswith("other_events")]
    for check in (check for name, check in checks.items() if not name.startswith("other_events")):
        # A check that was not asked of this finding is a caution without an answer.
        key = f"{check['status']} {check['severity'] if check['status'] == 'no_test' else ''}"
        counts[key] = counts.get(key, 0) + 1
    return {*counts.values(), len(checks), len(checks) - len(events), len(events)}


def _in_words(number: str, quantity: str, source: Sequence[float]) -> bool:
    """A chance is as round as it is known (within a fifth), days are in quarters or tenths, factors rounded up."""
    size = float(number)
    if quantity == "chance":
        return any(abs(form - size) <= 0.2 * size for p in source for form in _chances(p))
    if quantity in ("exaggeration", "promised type M"):  # rounded up
        return any(0 <= size - factor < 0.1 + 1e-9 for factor in source)
    if quantity.endswith("in days"):
        return any(abs(abs(days) - size) <= 0.051 for days in source)
    return False


def _chances(probability: float) -> tuple[float, ...]:
    """A chance as "1 in N", "N in 10" and "N in 20" put it."""
    return (1 / probability if probability else math.inf, 10 * probability, 20 * probability)


def _derived(table: Table) -> frozenset[str]:
    """Row numbers, which only keep a table's order."""
    names = ("row", "number", "place")
    return frozenset(row[name] for row in table.rows for name in names if row.get(name, "").isdigit())


def _leaves(content: Any) -> list[float]:
    if isinstance(content, Mapping):
        levels = [float(key) for key in content if re.fullmatch(r"0\.\d+", str(key))]
        return [*levels, *(leaf for value in content.values() for leaf in _leaves(value))]
    if isinstance(content, list):
        return [leaf for value in content for leaf in _leaves(value)]
    return [float(content)] if isinstance(content, int | float) and not isinstance(content, bool) else []


def _texts(content: Any) -> list[str]:
    if isinstance(content, Mapping):
        return [text for value in content.values() for text in _texts(value)]
    if isinstance(content, list):
        return [text for value in content for text in _texts(value)]
    return [content] if isinstance(content, str) else []
