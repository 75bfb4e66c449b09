"""What must hold of any run's released files, read from the files alone."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NoReturn

from printed import Released
from recompute import recompute_flags, recompute_verdict

LARGEST = 1_500_000
HEAD = {
    "schema", "run_id", "study", "report_year", "data_as_at", "plan_digest", "simulated", "draft", "sources",
    "tables", "findings",
}  # fmt: skip
ID_PARTS = ("layer", "outcome", "source", "base", "post", "phase", "subgroup", "method")
# The contract that other programs rely on: every row has each of these as its own key.
ROW = {
    *ID_PARTS, "id", "domain", "role", "unit", "better", "value", "p_value", "p_adjusted", "alpha", "gate", "sesoi",
    "ci", "detectable", "detectable_05", "detectable_realised_05", "power_at_sesoi", "type_m", "inference",
    "n_reference", "n_treated", "n_units", "checks", "grade", "grade_parts", "verdict", "rule", "ruled_out", "due",
    "suppressed", "truth", "estimand", "plan_digest", "panel_digest", "n_clusters", "n_pupils", "registered", "failed",
}  # fmt: skip
CHECK = {"status", "severity", "value", "sentence"}
GRADE_PARTS = {"design", "precision", "attrition", "balance", "threats"}
VERDICTS = {"better_than_expected", "worse_than_expected", "as_expected", "cannot_tell", "not_assessed"}


def read_results(path: Path) -> dict[str, Any]:
    """A JSON file; NaN, infinity, a key given twice or keys out of order are faults."""

    def refuse(text: str) -> NoReturn:
        raise AssertionError(f"{path.name} holds {text}")

    def ordered(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        assert names == sorted(set(names)), f"{path.name}: keys out of order or twice: {names}"
        return dict(pairs)

    content: dict[str, Any] = json.loads(
        path.read_text(encoding="utf-8"), parse_constant=refuse, object_pairs_hook=ordered
    )
    return content


def broken_contract(results: dict[str, Any]) -> list[str]:
    """Where ``results.json`` departs from schema belonging/1."""
    wrong = [] if set(results) == HEAD else [f"keys {sorted(set(results) ^ HEAD)}"]
    wrong += [] if results["schema"] == "belonging/1" else [f"schema {results['schema']}"]
    wrong += [] if re.fullmatch(r"[0-9a-f]{12}", results["run_id"]) else ["run_id"]
    for source in results["sources"]:
        if set(source) != {"file", "sha256", "rows_read", "rows_used", "excluded"}:
            wrong.append(f"source {source}")
        elif source["rows_used"] + sum(source["excluded"].values()) != source["rows_read"]:
            wrong.append(f"source {source['file']}: rows that were neither used nor counted as left out")
    ids = [row["id"] for row in results["findings"]]
    wrong += [] if ids == sorted(set(ids)) else ["ids twice or out of order"]
    return wrong + [f"{row['id']}: {fault}" for row in results["findings"] for fault in _row_faults(row, results)]


def _row_faults(row: dict[str, Any], results: dict[str, Any]) -> list[str]:
    wrong = [f"lacks {name}" for name in sorted(ROW - set(row))]
    if wrong:
        return wrong
    if row["id"] != "/".join(str(row[name] or "all") for name in ID_PARTS):
        wrong.append("the id is not made of its parts")
    if row["verdict"] not in VERDICTS or row["better"] not in ("lower", "higher"):
        wrong.append(f"verdict {row['verdict']}, better {row['better']}")
    if row["plan_digest"] not in (None, results["plan_digest"]):
        wrong.append("another plan's digest")
    if not row["sesoi"] > 0 or (row["detectable"] is not None and not row["detectable"] > 0):
        wrong.append("sesoi and detectable must be positive")
    wrong += [f"check {name}: {sorted(each)}" for name, each in row["checks"].items() if not set(each) >= CHECK]
    if not set(row["grade_parts"] or GRADE_PARTS) >= GRADE_PARTS:
        wrong.append(f"grade_parts {row['grade_parts']}")
    if row["verdict"] == "not_assessed":
        return wrong + ([] if row["value"] is None and row["due"] else ["not assessed, and a value or no date"])
    levels = [float(text) for text in row["ci"]]
    for level in (0.95, 1 - row["alpha"], 1 - 2 * row["alpha"]):
        if not any(abs(level - each) < 1e-5 for each in levels):
            wrong.append(f"no interval at {level:g}")
    for low, high in row["ci"].values():
        if not (low is None or low <= row["value"]) or not (high is None or row["value"] <= high):
            wrong.append("the value is outside its interval")
    return wrong


def other_verdicts(findings: Sequence[dict[str, Any]]) -> list[str]:
    """Rows whose verdict or flags, worked out again from the rows alone, are others than those stored."""
    wrong = []
    for row in findings:
        again = recompute_verdict(row, findings)
        if again != (row["verdict"], row["rule"]):
            wrong.append(f"{row['id']}: {again}, stored {row['verdict']} by rule {row['rule']}")
        if row["verdict"] == "not_assessed":
            continue
        for name, value in recompute_flags(row, findings).items():
            stored = row[name]
            if name == "grade" and row["grade_parts"]["design"] is None:
                continue
            same = abs(value - stored) < 1e-9 if isinstance(value, float) and stored is not None else value == stored
            if not same:
                wrong.append(f"{row['id']}: {name} {value}, stored {stored}")
    return wrong


def unexplained_numbers(released: Path) -> dict[str, list[str]]:
    """Printed numbers that are no display rounding of one in `results.json` or in a source table, by page and table."""
    run = Released(released)
    found = {path.name: list(run.unexplained(path.stem)) for path in sorted(released.glob("*.html"))}
    found |= run.unfounded_printings()
    found["misquoted"] = run.misquoted()
    return {name: missing for name, missing in found.items() if missing}


def misfiled(folder: Path) -> list[str]:
    """Where a run's record, its list of tables and its files disagree."""
    record = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    results = read_results(folder / "released" / "results.json")
    written = {each["file"]: each["sha256"] for each in record["files"]}
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    wrong = [
        f"{name}: not as in the record"
        for name in written.keys() | found.keys()
        if written.get(name) != found.get(name)
    ]
    listed = {each["csv"] for each in results["tables"]}
    there = {path.relative_to(folder / "released").as_posix() for path in (folder / "released").rglob("*.csv")}
    wrong += [f"{name}: listed and not there, or there and not listed" for name in listed ^ there]
    for name in ("run_id", "study", "report_year", "data_as_at", "simulated", "draft"):
        wrong += [] if record[name] == results[name] else [f"{name}: {record[name]} and {results[name]}"]
    return sorted(wrong)


class _Page(HTMLParser):
    """What a page is made of, as far as the rules for pages ask."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lang: str | None = None
        self.h1 = 0
        self.loads: list[str] = []
        self.pictures: list[dict[str, Any]] = []
        self.style: list[str] = []
        self.files: list[str] = []
        self._in: list[str] = []
        self._open: dict[str, Any] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._in.append(tag)
        if tag == "html":
            self.lang = given.get("lang")
        self.h1 += tag == "h1"
        if tag == "a":
            self.files.append(given.get("href", ""))
        else:
            self.loads += [given[name] for name in ("src", "href", "srcset", "data", "poster") if name in given]
        self.style.append(given.get("style", ""))
        if tag == "figure":
            self._open = {"words": [], "table": False}
            self.pictures.append(self._open)
        if tag in ("img", "svg"):
            words = given.get("alt", "") if tag == "img" else given.get("aria-label", "")
            if self._open is None:
                self.pictures.append({"words": [words], "table": False})
            else:
                self._open["words"].append(words)
        # A verdict bar has its three facts in a list under it instead.
        if self._open is not None and (tag == "table" or given.get("class") == "verdict-facts"):
            self._open["table"] = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "figure":
            self._open = None
        if tag in self._in:
            del self._in[len(self._in) - 1 - self._in[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        if "style" in self._in:
            self.style.append(data)


def page_faults(path: Path, *, simulated: bool) -> list[str]:
    """Where a page breaks a rule for pages: language, one title, nothing loaded, size, standing, pictures in words."""
    text = path.read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    page.close()
    wrong = [] if page.lang else ["no language"]
    wrong += [] if page.h1 == 1 else [f"{page.h1} h1"]
    wrong += [f"loads {each[:60]}" for each in page.loads if not each.startswith("data:")]
    style = " ".join(page.style)
    wrong += ["style loads something"] if re.search(r"@import|url\(\s*['\"]?(?!data:)", style) else []
    wrong += ["a script"] if "<script" in text else []
    wrong += [] if len(text.encode()) < LARGEST else [f"{len(text.encode())} bytes"]
    wrong += [] if "DRAFT" in text else ["no DRAFT"]
    wrong += [] if ("SIMULATED" in text) is simulated else ["SIMULATED is there, and should not, or is not"]
    for number, picture in enumerate(page.pictures, start=1):
        wrong += [] if picture["words"] and all(map(str.strip, picture["words"])) else [f"picture {number}: no words"]
        wrong += [] if picture["table"] else [f"picture {number}: no table"]
    for name in (each.split("#")[0] for each in page.files):
        if name and not (name.startswith(("https:", "mailto:")) or (path.parent / name).is_file()):
            wrong.append(f"link to {name}, which is not there")
    wrong += [f"picture {n}: standing" for n, each in enumerate(_drawn(text), 1) if not _stands(each, simulated)]
    return [f"{path.name}: {fault}" for fault in wrong]


def _drawn(page: str) -> list[str]:
    """Pictures of a page as text, those in its own markup and those in images."""
    embedded = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    return [*re.findall(r"<svg\b.*?</svg>", page, re.S), *(base64.b64decode(each).decode() for each in embedded)]


def _stands(picture: str, simulated: bool) -> bool:
    return "DRAFT" in picture and ("SIMULATED" in picture) is simulated


def n_pictures(released: Path) -> int:
    """How many pictures the pages hold."""
    return sum(len(_drawn(path.read_text(encoding="utf-8"))) for path in released.glob("*.html"))


def places_named(released: Path, places: Sequence[Path]) -> list[str]:
    """Released files that name a folder of this machine, in their bytes or inside a picture of theirs."""
    wanted = {form for each in places for form in (str(each), each.as_posix()) if len(each.parts) > 1}
    wrong = []
    for path in sorted(each for each in released.rglob("*") if each.is_file()):
        text = path.read_bytes().decode("utf-8-sig")
        whole = "\n".join([text, *(_drawn(text) if path.suffix == ".html" else [])])
        wrong += [f"{path.name}: {each}" for each in sorted(wanted) if each in whole]
        wrong += (
            [f"{path.name}: home folder"] if re.search(r"(?<![\w.])/(?:home|Users)/\w|[A-Z]:\\\\?Users", whole) else []
        )
    return wrong


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a released table."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))
