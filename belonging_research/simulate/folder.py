"""A folder of simulated public files with the truth beside them, written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from belonging_research.errors import SourceError
from belonging_research.plan import Plan
from belonging_research.simulate.attendance_files import write_attendance
from belonging_research.simulate.country import draw_world
from belonging_research.simulate.lookup_files import write_lookups
from belonging_research.simulate.truth import NAME, Truth, read_truth, truth_of, write_truth
from belonging_research.simulate.worlds import WORLDS, World

DEFAULT = "known_effect"


def code_version() -> str:
    """SHA-256 of this room's source: figures written by other code are written again."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def write_public_files(folder: Path, plan: Plan, *, world: World | None = None) -> Truth:
    """Write the files of a country in which ``world`` (by default a known effect) is true, and ``truth.json``.

    The folder is made if need be; files of the same names are replaced. The same plan and world give the same bytes.

    Raises
    ------
    PlanError
        If the plan's treated council is not one of the made-up country.
    """
    world = world or WORLDS[DEFAULT]
    country = draw_world(plan, world, plan.rng("simulate"))
    folder.mkdir(parents=True, exist_ok=True)
    write_lookups(folder, country)
    write_attendance(folder, country)
    truth = truth_of(country, plan, code_version())
    write_truth(folder, truth)
    return truth


def simulated_data(plan: Plan, folder: Path | None = None) -> Path:
    """The folder of the plan's simulated files, written only where it is missing or out of date.

    Without ``folder`` it is ``data/simulated/<study>`` under the project: the nearest folder, from here upwards, with
    a ``pyproject.toml``, else here. Out of date means another plan, world or code.

    Raises
    ------
    PlanError
        If the plan's treated council is not one of the made-up country.
    SourceError
        If the folder holds something else than simulated files, or cannot be written.
    """
    target = folder if folder is not None else project_root() / "data" / "simulated" / plan.study
    if _up_to_date(target, plan):
        return target
    if target.exists() and not (target.is_dir() and ((target / NAME).is_file() or not any(target.iterdir()))):
        raise SourceError(
            f"{target.name}: is there and has no {NAME}, so it was not written by `belonging simulate` and is left "
            "alone. Move it away, or name another folder."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        write_public_files(partial, plan)
        swap_folders(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def simulated_county() -> Path:
    """The folder of the made-up county that a plan's school layer reads, written where it is missing or out of date.

    Raises as :func:`simulate.county.write_simulated_county`.
    """
    # Late: county imports this module's project_root.
    from belonging_research.simulate.county import COUNTY_WORLDS, write_simulated_county

    return write_simulated_county(COUNTY_WORLDS[DEFAULT])


def project_root() -> Path:
    """The nearest folder, from the current one upwards, with a ``pyproject.toml``; else the current one."""
    here = Path.cwd()
    return next((path for path in (here, *here.parents) if (path / "pyproject.toml").is_file()), here)


def _up_to_date(target: Path, plan: Plan) -> bool:
    try:
        truth = read_truth(target)
    except SourceError:
        return False
    same = (truth.plan_digest, truth.code, truth.world.get("name")) == (plan.digest, code_version(), DEFAULT)
    return same


def swap_folders(partial: Path, target: Path) -> None:
    """Put the finished folder in place of the old one, which goes last."""
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)
