"""Where the shipped notebooks and plans lie: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

from belonging_research.errors import PlanError

PACKAGE = Path(__file__).resolve().parent
NOTEBOOKS = next(
    (each for each in (PACKAGE / "_notebooks", PACKAGE.parent / "notebooks") if each.is_dir()),
    PACKAGE / "_notebooks",
)


def find_plan(name: str | Path) -> Path:
    """The file of a plan given as a path or as the name of a shipped one (``dorset_public``).

    Raises
    ------
    PlanError
        If there is neither; the shipped names are listed.
    """
    given, name = Path(name), str(name)
    shipped = NOTEBOOKS / "plans" / f"{name.removesuffix('.toml')}.toml"
    if given.is_file():
        return given
    if shipped.is_file() and given.name == name:
        return shipped
    names = ", ".join(sorted(each.stem for each in (NOTEBOOKS / "plans").glob("*.toml")))
    raise PlanError(f"{name}: no such plan file, and none of the shipped plans: {names}.")


def find_calibration(plan_digest: str) -> Path | None:
    """The shipped record of how often the pipeline was right under a plan, by the plan's digest; None without one."""
    path = PACKAGE / "calibrations" / f"{plan_digest[:12]}.json"
    return path if path.is_file() else None
