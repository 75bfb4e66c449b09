"""Councils whose code or footprint changed, with years of validity and the rule for each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundaryChange:
    """A council whose code or footprint changed, and the rule this package follows for it.

    ``valid_from`` and ``valid_to`` are academic years in which ``unit`` (old_la_code) stands for the
    footprint described; ``history_from`` names the predecessor whose earlier *rates* it may carry.
    ``footprint_changed`` is the first academic year on the new footprint, null where only a code changed.
    ``gss_codes`` are its new_la_code, oldest first; empty where the Department's files give none.
    """

    unit: str
    name: str
    valid_from: str | None
    valid_to: str | None
    footprint_changed: str | None
    history_from: str | None
    rule: str
    gss_codes: tuple[str, ...] = ()


# Sources: the Structural Changes Orders of each reorganisation; DfE `dfeR` validity table and the EES
# screener's list of accepted councils. Codes here are old_la_code, the stabler key.
BOUNDARIES: tuple[BoundaryChange, ...] = (
    BoundaryChange(unit="835", name="Dorset with Christchurch", gss_codes=("E10000009",), valid_from=None, valid_to="2018/19", footprint_changed=None, history_from=None, rule="kept to 2018/19 under its own code; never joined to 838"),
    BoundaryChange(unit="838", name="Dorset", gss_codes=("E06000059",), valid_from="2019/20", valid_to=None, footprint_changed="2019/20", history_from=None, rule="starts in 2019/20; rows of 2018/19 that already carry its code are a handful of pupils and are left out"),
    BoundaryChange(unit="836", name="Poole", gss_codes=("E06000029",), valid_from=None, valid_to="2018/19", footprint_changed=None, history_from=None, rule="ends in 2018/19"),
    BoundaryChange(unit="837", name="Bournemouth", gss_codes=("E06000028",), valid_from=None, valid_to="2018/19", footprint_changed=None, history_from=None, rule="ends in 2018/19"),
    BoundaryChange(unit="839", name="Bournemouth, Christchurch and Poole", gss_codes=("E06000058",), valid_from="2019/20", valid_to=None, footprint_changed="2019/20", history_from=None, rule="starts in 2019/20"),
    BoundaryChange(unit="928", name="Northamptonshire", gss_codes=("E10000021",), valid_from=None, valid_to="2020/21", footprint_changed=None, history_from=None, rule="ends in 2020/21"),
    BoundaryChange(unit="940", name="North Northamptonshire", gss_codes=("E06000061",), valid_from="2021/22", valid_to=None, footprint_changed="2021/22", history_from="928", rule="carries Northamptonshire's earlier rates"),
    BoundaryChange(unit="941", name="West Northamptonshire", gss_codes=("E06000062",), valid_from="2021/22", valid_to=None, footprint_changed="2021/22", history_from="928", rule="carries Northamptonshire's earlier rates"),
    BoundaryChange(unit="909", name="Cumbria", gss_codes=("E10000006",), valid_from=None, valid_to="2022/23", footprint_changed=None, history_from=None, rule="ends in 2022/23"),
    BoundaryChange(unit="942", name="Cumberland", gss_codes=("E06000063",), valid_from="2023/24", valid_to=None, footprint_changed="2023/24", history_from=None, rule="footprint is new since 2022: never a donor while a base year lies before 2023/24"),
    BoundaryChange(unit="943", name="Westmorland and Furness", gss_codes=("E06000064",), valid_from="2023/24", valid_to=None, footprint_changed="2023/24", history_from=None, rule="footprint is new since 2022: never a donor while a base year lies before 2023/24"),
    BoundaryChange(unit="815", name="North Yorkshire", gss_codes=("E10000023", "E06000065"), valid_from=None, valid_to=None, footprint_changed=None, history_from=None, rule="changed its GSS code only (April 2023): kept, joined on old_la_code"),
    BoundaryChange(unit="933", name="Somerset", gss_codes=("E10000027", "E06000066"), valid_from=None, valid_to=None, footprint_changed=None, history_from=None, rule="changed its GSS code only (April 2023): kept, joined on old_la_code"),
    BoundaryChange(unit="825", name="Buckinghamshire", gss_codes=("E10000002", "E06000060"), valid_from=None, valid_to=None, footprint_changed=None, history_from=None, rule="changed its GSS code only (April 2020): kept, joined on old_la_code"),
    BoundaryChange(unit="820", name="Bedfordshire", valid_from=None, valid_to="2008/09", footprint_changed=None, history_from=None, rule="ends in 2008/09"),
    BoundaryChange(unit="875", name="Cheshire", valid_from=None, valid_to="2008/09", footprint_changed=None, history_from=None, rule="ends in 2008/09"),
    BoundaryChange(unit="822", name="Bedford", gss_codes=("E06000055",), valid_from="2009/10", valid_to=None, footprint_changed="2009/10", history_from=None, rule="starts in 2009/10"),
    BoundaryChange(unit="823", name="Central Bedfordshire", gss_codes=("E06000056",), valid_from="2009/10", valid_to=None, footprint_changed="2009/10", history_from=None, rule="starts in 2009/10"),
    BoundaryChange(unit="895", name="Cheshire East", gss_codes=("E06000049",), valid_from="2009/10", valid_to=None, footprint_changed="2009/10", history_from=None, rule="starts in 2009/10"),
    BoundaryChange(unit="896", name="Cheshire West and Chester", gss_codes=("E06000050",), valid_from="2009/10", valid_to=None, footprint_changed="2009/10", history_from=None, rule="starts in 2009/10"),
)  # fmt: skip


def boundary(unit: str) -> BoundaryChange | None:
    """The boundary record of a council, or None where nothing about it ever changed."""
    return next((change for change in BOUNDARIES if change.unit == unit), None)


def in_force(unit: str, period: str) -> bool:
    """Whether ``unit`` stood for its footprint in ``period`` (a stray successor row does not)."""
    change = boundary(unit)
    if change is None:
        return True
    return (change.valid_from is None or period >= change.valid_from) and (
        change.valid_to is None or period <= change.valid_to
    )
