"""A plan's file to a :class:`Plan`, or to one error that names every key at fault."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from pathlib import Path

from pydantic import ValidationError

from belonging_research.errors import PlanError
from belonging_research.plan.contents import Plan
from belonging_research.shipped import find_plan


def _complaint(error: ValidationError, path: Path) -> str:
    lines = []
    faults = error.errors(include_url=False, include_input=False)
    deeper = {fault["loc"][:depth] for fault in faults for depth in range(len(fault["loc"]))}
    for fault in faults:
        if fault["type"] == "too_short" and fault["loc"] in deeper:
            continue  # an entry at fault is not counted, and its own fault is told
        key = ".".join(str(part) for part in fault["loc"])
        text = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            text = "unknown key; remove it or correct its spelling"
        lines.append(f"  {key}: {text}" if key else f"  {text}")
    return f"{path.name}: {len(lines)} fault(s) in the plan.\n" + "\n".join(lines)


def _near(path: Path, error: tomllib.TOMLDecodeError) -> str:
    """The key at which a plan stops being TOML, as ``treated.0.start``; nothing where the fault is no key's."""
    place = re.search(r"at line (\d+)", str(error))
    lines = path.read_text(encoding="utf-8").splitlines()[: int(place.group(1))] if place else []
    times: Counter[str] = Counter()
    table, key = "", ""
    for line in lines:
        if header := re.match(r"\s*(\[\[?)\s*([\w.-]+)\s*\]", line):
            name = header.group(2)
            table, key = (f"{name}.{times[name]}." if header.group(1) == "[[" else f"{name}."), ""
            times[name] += 1
        elif assigned := re.match(r"\s*([\w.-]+)\s*=", line):
            key = assigned.group(1)
    return f" at {table}{key}" if key else ""


def read_plan(path: Path) -> Plan:
    """Read and validate a plan from a TOML file.

    Raises
    ------
    PlanError
        If the file is missing, is not TOML, or breaks a rule; each fault names its key.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PlanError(f"{path}: no such plan. `belonging run --plan FILE.toml` takes a file.") from None
    except UnicodeDecodeError:
        raise PlanError(f"{path.name}: not UTF-8 text; save the plan as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{path.name}: not valid TOML{_near(path, error)}: {error}.") from None
    try:
        return Plan.model_validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        raise PlanError(_complaint(error, path)) from None


def load_plan(name: str | Path) -> Plan:
    """The plan of a file, or a shipped one by its name (``"dorset_public"``). Raises as :func:`read_plan`."""
    return read_plan(find_plan(name))
