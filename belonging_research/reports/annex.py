"""The technical annex: the plan, departures, findings with grade and checks, sources, methods, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from belonging_research.plan import Plan
from belonging_research.present.words_council import VERDICTS
from belonging_research.reports.pages import Shell, page, safe, table_html
from belonging_research.reports.results import ReleasedTable, table_of
from belonging_research.sources import Extract

METHODS = (
    "Synthetic control: Abadie, Diamond and Hainmueller (2010), Journal of the American Statistical "
    "Association.",
    "Its ridge augmentation: Ben-Michael, Feller and Rothstein (2021), Journal of the American Statistical "
    "Association.",
    "Synthetic difference-in-differences: Arkhangelsky, Athey, Hirshberg, Imbens and Wager (2021), American "
    "Economic Review.",
    "Difference-in-differences, and why its usual errors are too small: Bertrand, Duflo and Mullainathan "
    "(2004), Quarterly Journal of Economics.",
    "Placebo inference for few treated units, and its scaling by size: Ferman and Pinto (2019), Review of "
    "Economics and Statistics; MacKinnon and Webb (2020), Journal of Econometrics.",
    "Family of tests: Holm (1979), Scandinavian Journal of Statistics.",
    "Exaggeration of a noticed effect (type M): Gelman and Carlin (2014), Perspectives on Psychological "
    "Science.",
    "Why a passed pre-test is no proof: Roth (2022), American Economic Review: Insights.",
)  # fmt: skip
_FINDING_HEADS = {
    "finding": "Finding",
    "role": "Role",
    "verdict": "Verdict (rule)",
    "effect": "Effect",
    "interval": "95% interval",
    "p_value": "p (adjusted)",
    "alpha": "Alpha",
    "smallest": "Smallest of interest",
    "noticed": "Detectable at alpha, years since counted",
    "noticed_chance": "Power at smallest, years since counted",
    "detectable": "Detectable at alpha (at 5%), as promised before outcomes were read",
    "power": "Power at smallest, as promised before outcomes were read",
    "reference": "Reference units",
}
_OPEN = "Contains public sector information licensed under the Open Government Licence."
_GRADE_PARTS = ("design", "precision", "attrition", "balance", "threats")


def number(value: float | None, unit: str) -> str:
    """An effect as the annex prints it: points, per 100 pupils or log ratio, with a real minus sign but for nothing.

    Under a twentieth of a point it has a third decimal: a size that matters may be .025.
    """
    if value is None:
        return "none"
    points = f"{100 * value:.{3 if abs(value) < 0.0005 else 2}f}"
    text = points if unit == "proportion" else f"{value:.3f}"
    return text.replace("-", "−" if float(text) else "")


def name_of(row: Mapping[str, Any]) -> str:
    """A finding by label, source, phase, periods, subgroup and method, in words."""
    spans = [str(row[key]).replace("-", "/").replace("+", " and ") for key in ("base", "post")]
    parts = [str(row["label"]), str(row["source"]), f"{spans[0]} against {spans[1]}"]
    parts += [str(row[key]) for key in ("phase", "subgroup") if row[key] != "all"]
    return ", ".join([*parts, str(row["method"]).replace("_", " ")])


def verdict_of(row: Mapping[str, Any]) -> str:
    """The verdict in the council's words, with the date it is due where it is not assessed."""
    if row["suppressed"]:
        return "Withheld"
    if row["verdict"] == "not_assessed" and row["role"] == "exploratory" and row["due"]:
        return f"No figures yet, to be told in {row['due']}"  # a verdict is not promised
    due = f", due {row['due']}" if row["due"] else ""
    return VERDICTS[row["verdict"]] + due


def _figure(value: float | None, digits: int) -> str:
    return "none" if value is None else f"{value:.{digits}f}"


def findings_shown(findings: Sequence[Mapping[str, Any]]) -> ReleasedTable:
    """Findings as the annex prints them: registered rows first, then the others."""
    rows = []
    for row in sorted(findings, key=lambda each: (each["role"] == "exploratory", each["id"])):
        low, high = row["ci"].get("0.95") or (None, None)
        unit = row["unit"]
        rows.append(
            {
                "finding": name_of(row),
                "role": row["role"],
                "verdict": f"{verdict_of(row)} (rule {row['rule']})",
                "effect": number(row["value"], unit),
                "interval": f"{number(low, unit)} to {number(high, unit)}" if row["ci"] else "none",
                "p_value": f"{_figure(row['p_value'], 3)} ({_figure(row['p_adjusted'], 3)})",
                "alpha": _figure(row["alpha"], 3),
                "smallest": number(row["sesoi"], unit),
                "detectable": f"{number(row['detectable'], unit)} ({number(row['detectable_05'], unit)})",
                "power": _figure(row["power_at_sesoi"], 2),
                "noticed": number(row["noticed"], unit),
                "noticed_chance": _figure(row["noticed_chance"], 2),
                "reference": "none" if row["n_reference"] is None else str(row["n_reference"]),
            }
        )
    return table_of("annex_findings", "Findings as printed in the annex", rows, tuple(_FINDING_HEADS))


def grades_shown(findings: Sequence[Mapping[str, Any]]) -> ReleasedTable:
    """Grade and parts of the registered rows that were assessed."""
    rows = [
        {
            "finding": name_of(row),
            **{part: (row["grade_parts"] or {}).get(part) for part in _GRADE_PARTS},
            "grade": row["grade"],
        }
        for row in findings
        if row["role"] != "exploratory" and row["grade_parts"]
    ]
    return table_of("annex_grades", "Evidence grade and its parts", rows, ("finding", *_GRADE_PARTS, "grade"))


def checks_shown(findings: Sequence[Mapping[str, Any]]) -> ReleasedTable:
    """Checks of the registered rows: name, status, severity and sentence."""
    rows = [
        {
            "check": name.replace("_", " "),
            "finding": row["label"],
            "status": str(check["status"]).replace("_", " "),
            "severity": check["severity"],
            "sentence": check["sentence"],
        }
        for row in findings
        if row["role"] != "exploratory"
        for name, check in sorted(row["checks"].items())
    ]
    columns = ("check", "finding", "status", "severity", "sentence")
    return table_of("annex_checks", "Checks of the registered findings", rows, columns)


def truth_shown(findings: Sequence[Mapping[str, Any]]) -> ReleasedTable:
    """Estimate and truth of each row that a made-up country knows."""
    rows = []
    for row in findings:
        interval = row["ci"].get("0.95")
        if row["truth"] is None or row["value"] is None or not interval:
            continue
        low, high = interval
        inside = (low is None or low <= row["truth"]) and (high is None or row["truth"] <= high)
        rows.append(
            {
                "finding": name_of(row),
                "truth": number(row["truth"], row["unit"]),
                "effect": number(row["value"], row["unit"]),
                "interval": f"{number(low, row['unit'])} to {number(high, row['unit'])}",
                "inside": "yes" if inside else "no",
            }
        )
    columns = ("finding", "truth", "effect", "interval", "inside")
    return table_of("annex_truth", "Estimate and truth", rows, columns)


def verdicts_shown(findings: Sequence[Mapping[str, Any]]) -> ReleasedTable:
    """The verdict of each outcome that has a role in the plan, for the first page."""
    rows = [
        {"outcome": row["label"], "verdict": verdict_of(row), "role": row["role"]}
        for row in sorted(findings, key=lambda each: (each["role"] != "primary", each["label"]))
        if row["role"] != "exploratory"
    ]
    return ReleasedTable(
        id="verdicts",
        title="Compared with what the comparison mix predicts",
        columns=("outcome", "verdict", "role"),
        rows=tuple((row["outcome"], row["verdict"], row["role"]) for row in rows),
    )


def annex_tables(findings: Sequence[Mapping[str, Any]]) -> tuple[ReleasedTable, ...]:
    """The tables that the annex and the first page print; those without rows are left out."""
    shown = (
        findings_shown(findings),
        grades_shown(findings),
        checks_shown(findings),
        truth_shown(findings),
        verdicts_shown(findings),
    )
    return tuple(table for table in shown if table.rows)


_SOURCES_SHOWN = {
    "file": "File",
    "title": "Title",
    "producer": "Producer",
    "licence": "Licence",
    "first_period": "From",
    "last_period": "To",
    "as_at": "As at",
    "dated_by": "How it is dated",
    "rows_read": "Rows read",
    "rows_used": "Rows used",
    "rows_left_out": "Left out",
}


def annex_page(
    shell: Shell,
    plan: Plan,
    extract: Extract,
    tables: Sequence[ReleasedTable],
    *,
    departures: Sequence[str],
    left_out: Sequence[str],
) -> str:
    """The technical annex as a page; ``tables`` are all released tables of the run."""
    headings: Mapping[str, Mapping[str, str] | None] = {
        "annex_findings": _FINDING_HEADS,
        "sources": _SOURCES_SHOWN,
    }
    known = {table.id: table for table in tables}
    shown = {
        name: safe(table_html(known[name], headings.get(name))) if name in known and known[name].rows else ""
        for name in (
            "plan", "sources", "exclusions", "annex_findings", "annex_grades", "annex_checks", "annex_truth"
        )
    }  # fmt: skip
    is_open = any("Open Government Licence" in each.licence for each in extract.files)
    return page(
        "annex",
        shell,
        "annex.html",
        "Technical annex",
        plan=plan,
        tables=shown,
        departures=departures,
        left_out=left_out,
        licence=_OPEN if is_open and not plan.simulated else "",
        notes=extract.notes,
        methods=METHODS,
        events=plan.events,
        files=tables,
    )
