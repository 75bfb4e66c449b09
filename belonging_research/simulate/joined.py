"""The truth of a simulated study: that of its country and, where it has one, of its county."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from belonging_research.simulate.county.truth import CountyTruth, read_county_truth
from belonging_research.simulate.truth import NAME, Truth, read_truth
from belonging_research.sources.council import is_council_extract


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedTruth:
    """What is true of a row, whichever figures it rests on; None where that side was not made up."""

    country: Truth | None
    county: CountyTruth | None

    def effect(
        self, outcome: str, source: str, phase: str, post: Sequence[str], unit: str, subgroup: str = "all"
    ) -> float | None:
        """The true effect in ``unit``; None where the worlds have none for this row.

        ``subgroup`` of a register's row is the intervention that schools began with.
        """
        if source != "register":
            if self.country is None or subgroup != "all":
                return None
            return self.country.effect(outcome, source, phase, post, unit)
        if self.county is None or phase != "all":
            return None
        return self.county.effect_on(outcome, post, None if subgroup == "all" else subgroup)


def truth_beside(folders: Sequence[Path]) -> JoinedTruth | None:
    """The truth that lies in the folders of a simulated study; None where there is none.

    Raises :class:`SourceError` for one that this package did not write.
    """
    true = [folder for folder in folders if (folder / NAME).is_file()]
    county = next((folder for folder in true if is_council_extract(folder)), None)
    country = next((folder for folder in true if folder != county), None)
    if county is None and country is None:
        return None
    return JoinedTruth(
        country=None if country is None else read_truth(country),
        county=None if county is None else read_county_truth(county),
    )
