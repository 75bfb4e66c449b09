"""What decided the numbers, as digests; and the record of a run, where alone the clock appears."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from belonging_research.plan import Plan
from belonging_research.reports.writing import sha256_of
from belonging_research.sources import Extract

SCHEMA = "belonging-manifest/1"
# Their versions change numbers or bytes of pictures and pages.
KEY_PACKAGES = (
    "diff-diff",
    "duckdb",
    "ibis-framework",
    "jinja2",
    "matplotlib",
    "mistune",
    "nbclient",
    "nbformat",
    "numpy",
    "pandas",
    "papermill",
    "pyarrow",
    "pydantic",
    "pyfixest",
    "scipy",
    "seaborn",
    "statsmodels",
)
_CODE = ("*.py", "*.jinja", "*.css", "*.toml", "calibrations/*.json")


def folder_digest(folder: Path, patterns: Sequence[str]) -> str:
    """SHA-256 of the text files of a folder by relative name and content; line ends do not count."""
    parts = []
    for path in sorted({path for pattern in patterns for path in folder.rglob(pattern)}):
        name = path.relative_to(folder).as_posix()
        if "__pycache__" in name or ".ipynb_checkpoints" in name or name.startswith("_notebooks/"):
            continue
        content = path.read_bytes().replace(b"\r\n", b"\n")
        parts.append(f"{name} {sha256_of(content)}")
    return sha256_of("\n".join(parts))


def code_digest(notebooks: Path) -> str:
    """SHA-256 of the package (code, templates) and of the notebooks, wherever they are installed."""
    package = Path(__file__).resolve().parents[1]
    return sha256_of(folder_digest(package, _CODE) + folder_digest(notebooks, ("*.ipynb",)))


def package_versions() -> dict[str, str | None]:
    """The installed version of each package that changes numbers or bytes; null where it is absent."""
    versions: dict[str, str | None] = {}
    for name in KEY_PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def lock_digest() -> str:
    """SHA-256 of the installed versions of the key packages and of Python's own (3.11, 3.12, ...)."""
    versions = {**package_versions(), "python": ".".join(platform.python_version_tuple()[:2])}
    return sha256_of(json.dumps(versions, sort_keys=True))


def run_digests(plan: Plan, extract: Extract, notebooks: Path) -> dict[str, str]:
    """The digests that a run is named by: plan, code, lock, extracts (rows up to the report year)."""
    return {
        "plan": plan.digest,
        "code": code_digest(notebooks),
        "lock": lock_digest(),
        "extracts": extract.digest,
    }


def run_id_of(
    digests: Mapping[str, str],
    *,
    report_year: str,
    data_as_at: dt.date | None,
    asked: dt.date | None,
    policy: str,
    only: str | None,
) -> str:
    """12 hex characters of everything that decides the numbers: no path, no clock, no number of jobs.

    ``data_as_at`` is the date that is printed, ``asked`` that of the extract; ``only`` the one notebook that was run
    (another choice of results).
    """
    content = {
        **digests,
        "report_year": report_year,
        "data_as_at": data_as_at.isoformat() if data_as_at else None,
        "asked": asked.isoformat() if asked else None,
        "policy": policy,
        "only": only,
    }
    return sha256_of(json.dumps(content, sort_keys=True))[:12]


def environment() -> dict[str, Any]:
    """Python, system and package versions of this machine; no names of users, machines or folders."""
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "system": platform.system(),
        "machine": platform.machine(),
        "packages": package_versions(),
    }


def file_records(folder: Path) -> list[dict[str, Any]]:
    """Every file of a run with its tier (released or restricted), SHA-256 and bytes, sorted by name."""
    records = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != "manifest.json":
            content = path.read_bytes()
            records.append(
                {
                    "file": name,
                    "tier": name.split("/")[0],
                    "sha256": sha256_of(content),
                    "bytes": len(content),
                }
            )
    return records


def input_records(extract: Extract) -> list[dict[str, Any]]:
    """Each input file with the hash of the whole file: later rows change it, and do not change the run."""
    return [
        {"file": each.file, "layout": each.layout, "file_sha256": each.file_sha256, "sha256": each.sha256}
        for each in extract.files
    ]


_MENTORS = (
    "Councils that had attendance-mentor pilots are among those compared: there was no published list of them with "
    "dates to go by, so the comparison was not made again without them."
)


def departures_of(plan: Plan, extract: Extract) -> tuple[str, ...]:
    """Where this run departs from its design, or from a plan registered before outcomes were seen, in sentences."""
    departures = []
    if plan.registered is None and not plan.simulated:
        departures.append("The plan has not been registered anywhere: it is a draft.")
    if plan.retrospective(extract.report_year):
        departures.append(
            f"Figures of {', '.join(plan.outcomes_seen)} were public when the plan was written: "
            "its findings about them are retrospective."
        )
    if "contaminated_donors" in plan.checks and not plan.simulated:
        departures.append(_MENTORS)
    if plan.look(extract.report_year) is None:
        departures.append(f"The plan has no look at {extract.report_year}: nothing is tested this year.")
    return tuple(departures)
