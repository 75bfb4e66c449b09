"""The truth of a made-up country: what happened and what would have, by source, outcome, phase and year."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from belonging_research.errors import SourceError
from belonging_research.plan import Plan
from belonging_research.simulate.annual import NO_ABSENCE, YEARS, Annual
from belonging_research.simulate.councils import CODES, NAMES
from belonging_research.simulate.country import SimulatedCountry
from belonging_research.simulate.registers import Register
from belonging_research.sources.lait import MEASURES
from belonging_research.tables import PHASES

SCHEMA = "belonging-truth/1"
NAME = "truth.json"
Key = tuple[str, str, str, str]
_PHASES: tuple[str, ...] = PHASES
_COUNTS = {
    "overall_absence_rate": ("authorised", "unauthorised"),
    "authorised_absence_rate": ("authorised",),
    "unauthorised_absence_rate": ("unauthorised",),
    "illness_absence_rate": ("illness",),
    "suspended_or_excluded_sessions_rate": ("excluded",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The treated council's rates as proportions, (source, outcome, phase, year) to (actual, untreated).

    They are rates before rounding, so a printed figure differs from its actual rate by less than its last digit.
    """

    study: str
    plan_digest: str
    code: str
    world: Mapping[str, Any]
    treated: str
    name: str
    rates: Mapping[Key, tuple[float, float]]

    def effect(self, outcome: str, source: str, phase: str, post: Sequence[str], unit: str) -> float | None:
        """The effect in the mean of the years ``post``: actual less untreated, in ``unit``.

        ``proportion``: the difference; ``per_100_pupils``: 100 times it; ``log_ratio``: the logarithm of the ratio
        of the means. None where a year is not known for this source and phase.
        """
        pairs = [self.rates.get((source, outcome, phase, year)) for year in post]
        known = [pair for pair in pairs if pair is not None]
        if not known or len(known) < len(pairs):
            return None
        actual, untreated = fmean(a for a, _ in known), fmean(u for _, u in known)
        if unit == "log_ratio":
            return math.log(actual / untreated) if actual > 0 and untreated > 0 else None
        return (actual - untreated) * {"proportion": 1.0, "per_100_pupils": 100.0}[unit]


def truth_of(country: SimulatedCountry, plan: Plan, code: str) -> Truth:
    """The truth about everything that the country's files print of the treated council."""
    rates: dict[Key, tuple[float, float]] = {}
    actual, untreated = (_census(a, country.treated) for a in (country.annual, country.untreated_annual))
    for key, value in actual.items():
        rates[("census", *key)] = (value, untreated[key])
    for year, register in country.registers.items():
        known = _daily(register, country.treated)
        without = _daily(country.untreated_registers[year], country.treated)
        for (outcome, phase), value in known.items():
            rates[("daily", outcome, phase, year)] = (value, without[(outcome, phase)])
    return Truth(
        study=plan.study,
        plan_digest=plan.digest,
        code=code,
        world=_plain(country),
        treated=CODES[country.treated],
        name=NAMES[country.treated],
        rates=dict(sorted(rates.items())),
    )


def _plain(country: SimulatedCountry) -> dict[str, Any]:
    found = {field.name: getattr(country.world, field.name) for field in fields(country.world)}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in found.items()}


def _census(annual: Annual, at: int) -> dict[tuple[str, str, str], float]:
    found = {}
    for measure in MEASURES.values():
        values = annual.rates[measure.outcome][at, :, _PHASES.index(measure.phase)]
        for place, year in enumerate(YEARS):
            if not (measure.family == "absence" and place == NO_ABSENCE):
                found[(measure.outcome, measure.phase, year)] = float(values[place]) / 100
    return found


def _daily(register: Register, at: int) -> dict[tuple[str, str], float]:
    """Rates of the last snapshot, by phase and pooled by half-days (persistent absence by pupils)."""
    found: dict[tuple[str, str], float] = {}
    last = {name: values[at, :, -1].astype(float) for name, values in register.counts.items()}
    for outcome, names in _COUNTS.items():
        missed = np.sum([last[name] for name in names], axis=0)
        by_phase = [missed.sum() / last["possible"].sum(), *(missed / last["possible"])]
        found.update({(outcome, phase): float(rate) for phase, rate in zip(_PHASES, by_phase, strict=True)})
    share = register.persistent[at, :, -1] / 100
    pooled = float(share @ register.pupils[at] / register.pupils[at].sum())
    by_phase = [pooled, *share]
    found.update({("persistent_absence_rate", p): float(rate) for p, rate in zip(_PHASES, by_phase, strict=True)})
    return found


def write_truth(folder: Path, truth: Truth) -> None:
    """Write ``truth.json``: sorted, with one rate a line's worth of JSON."""
    keys = ("source", "outcome", "phase", "year")
    rates = [
        dict(zip(keys, key, strict=True)) | {"actual": actual, "untreated": untreated}
        for key, (actual, untreated) in sorted(truth.rates.items())
    ]
    content = {
        "schema": SCHEMA, "study": truth.study, "plan_digest": truth.plan_digest, "code": truth.code,
        "world": truth.world, "treated": truth.treated, "name": truth.name, "rates": rates,
    }  # fmt: skip
    text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"
    (folder / NAME).write_text(text, encoding="utf-8", newline="\n")


def read_truth(folder: Path) -> Truth:
    """Read the truth beside simulated files.

    Raises
    ------
    SourceError
        If ``truth.json`` is missing or was not written by this package.
    """
    path = folder / NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise KeyError("schema")
        rates = {
            (row["source"], row["outcome"], row["phase"], row["year"]): (float(row["actual"]), float(row["untreated"]))
            for row in content["rates"]
        }
        others = {name: content[name] for name in ("study", "plan_digest", "code", "world", "treated", "name")}
    except (OSError, ValueError, KeyError, TypeError):
        raise SourceError(
            f"{path.name} in {folder.name or 'the folder'}: missing, or not as `belonging simulate` writes it "
            f"(schema {SCHEMA}). Delete the folder and simulate again."
        ) from None
    return Truth(rates=rates, **others)
