"""What each column of the released tables with fixed names means: ``latest/dictionary.csv``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from belonging_research.reports.results import ReleasedTable, table_of

_FINDINGS: Mapping[str, str] = {
    "study": "name of the plan",
    "report_year": "last academic year that was read",
    "run_id": "12 characters that stand for everything that decided the numbers",
    "id": "layer/outcome/source/base/post/phase/subgroup/method; 'all' where there is none",
    "layer": "county: council against other councils",
    "outcome": "name of the measure",
    "label": "the measure in words",
    "source": "census (yearly), daily (provisional) or register",
    "base": "academic years compared from",
    "post": "academic years compared to",
    "phase": "all, primary, secondary or special schools",
    "subgroup": "group of pupils; 'all' where there is none",
    "method": "how the comparison was made",
    "role": "primary, secondary or exploratory; only the first two get a verdict",
    "domain": "attendance or exclusions",
    "unit": "unit of value, ci, sesoi, detectable and truth: proportion (0.0025 is 0.25 points), "
    "per_100_pupils, or log_ratio (natural log of actual over predicted)",
    "better": "lower or higher: which way is favourable",
    "verdict": "better_than_expected, worse_than_expected, as_expected, cannot_tell or not_assessed",
    "rule": "row of the rule table that gave the verdict",
    "due": "when it is due, where it is not assessed",
    "value": "actual less predicted, in the outcome's own direction; empty where not assessed",
    "ci_95_low": "lower end of the 95% interval",
    "ci_95_high": "upper end of the 95% interval",
    "p_value": "share of reference units with an effect at least as large",
    "p_adjusted": "p_value after Holm's adjustment for the family",
    "alpha": "level of this year's look",
    "gate": "whether a verdict of better or worse may be given",
    "sesoi": "smallest effect of interest, set in the plan",
    "detectable": "effect noticed 4 times in 5 at alpha, from before the start",
    "detectable_05": "the same at 5%",
    "detectable_realised_05": "the same at 5% from after the start",
    "power_at_sesoi": "chance of noticing an effect of sesoi, from before the start",
    "noticed": "size noticed 4 times in 5 as pages say it: the less favourable of promised and come true, at alpha",
    "noticed_chance": "chance of noticing an effect of sesoi as pages say it, the less favourable of the two",
    "noticed_exaggeration": "exaggeration of a noticed effect of sesoi as pages say it, the larger of the two",
    "type_m": "exaggeration to be expected of a noticed effect of sesoi, from before the start",
    "actual": "level after the start (a rate)",
    "predicted": "level that the comparison predicts (a rate)",
    "inference": "where the reference distribution comes from",
    "n_reference": "number of reference units",
    "n_treated": "number of treated units",
    "n_units": "number of units",
    "grade": "evidence grade, 0 to 5",
    "ruled_out": "gain or loss that matters and is ruled out",
    "failed": "names of the checks that failed",
    "suppressed": "why the row is withheld; empty where it is not",
    "truth": "true effect in a simulated study; empty otherwise",
    "simulated": "whether the figures are made up",
    "draft": "whether the report is not signed off",
}
_SOURCES: Mapping[str, str] = {
    "file": "name of the file",
    "title": "title of the data set",
    "publication": "publication that it comes from",
    "producer": "who made it",
    "licence": "licence or agreement",
    "first_period": "first academic year used",
    "last_period": "last academic year used",
    "as_at": "day on which the last of the rows used was out, or by which such figures are usually out",
    "dated_by": "how that day is known",
    "rows_read": "rows up to the report year",
    "rows_used": "rows used",
    "rows_left_out": "rows left out; reasons in exclusions.csv",
    "sha256": "hash of the rows used",
}
_LEVELS: Mapping[str, str] = {
    "group": "the place, or a group of places it is set beside",
    "outcome": "name of the measure",
    "period": "academic year",
    "value": "level: a proportion, or events per pupil",
    "reason": "why there is no value",
    "source": "census (yearly) or daily (provisional)",
    "phase": "all, primary, secondary or special schools",
    "unit": "code of the place",
    "name": "name of the place",
}
_FIXED: Mapping[str, Mapping[str, str]] = {
    "findings": _FINDINGS,
    "levels": _LEVELS,
    "sources": _SOURCES,
}


def dictionary_table(tables: Sequence[ReleasedTable]) -> ReleasedTable:
    """The meaning of each column of findings, levels and sources, in the tables' order."""
    rows = [
        {"table": table.id, "column": name, "meaning": _FIXED[table.id].get(name, name.replace("_", " "))}
        for table in tables
        if table.id in _FIXED
        for name in table.columns
    ]
    return table_of("dictionary", "What each column means", rows, ("table", "column", "meaning"))
