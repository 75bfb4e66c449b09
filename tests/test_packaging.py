"""The package, its pins, and what the README promises of both."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from belonging_research.__main__ import cli

REPOSITORY = Path(__file__).resolve().parents[1]
CONSTRAINTS = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
CI = REPOSITORY / ".ci" / "run"
PINS = [Requirement(line) for line in CONSTRAINTS.splitlines() if line and not line.startswith("#")]
TEST_LINE = "python3 belonging_research/bootstrap.py test"


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The project table of pyproject.toml."""
    content: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return content


@pytest.fixture(scope="module")
def wheels() -> ModuleType:
    """The script that asks for wheels platform by platform."""
    spec = importlib.util.spec_from_file_location("wheels", REPOSITORY / ".ci" / "wheels.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def direct(project: dict[str, Any]) -> list[Requirement]:
    """Everything the project itself asks for, the extra for Spark apart."""
    return [Requirement(line) for line in project["dependencies"] + project["optional-dependencies"]["test"]]


def for_spark(project: dict[str, Any]) -> list[Requirement]:
    """What the extra for Spark asks for."""
    return [Requirement(line) for line in project["optional-dependencies"]["spark"]]


def test_pins_are_exact_and_hold_no_address() -> None:
    """Each line is one name at one version, in order, from wherever the user's pip looks."""
    assert "://" not in CONSTRAINTS
    assert not [pin for pin in PINS if pin.url or pin.extras]
    for pin in PINS:
        assert re.fullmatch(r"==[0-9][0-9a-z.+!]*", str(pin.specifier)), pin
    names = [canonicalize_name(pin.name) for pin in PINS]
    assert names == sorted(names)


def test_everything_asked_for_is_pinned_within_its_bounds(project: dict[str, Any]) -> None:
    """Each direct requirement has a pin that satisfies it, on every platform."""
    pins = {canonicalize_name(pin.name): pin for pin in PINS}
    for wanted in direct(project) + for_spark(project):
        pin = pins[canonicalize_name(wanted.name)]
        assert pin.marker is None, pin
        assert next(iter(pin.specifier)).version in wanted.specifier, pin


def test_everything_imported_is_asked_for(project: dict[str, Any]) -> None:
    """The package imports nothing that only comes along with something else."""
    own = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    own |= {canonicalize_name(each.name) for each in for_spark(project)}  # in one place, where Spark is asked for
    known = {*sys.stdlib_module_names, "belonging_research"}
    used = set()
    for path in (REPOSITORY / "belonging_research").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            used |= {name.split(".")[0] for name in names}
    packaged = {"ibis": "ibis-framework", "dateutil": "python-dateutil"}  # where the two names differ
    assert {canonicalize_name(packaged.get(name, name)) for name in used - known} <= own


def test_tests_run_on_the_pinned_versions(project: dict[str, Any]) -> None:
    """What is installed here of the direct requirements is what constraints.txt says."""
    pins = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in PINS}
    other = {w.name: version(w.name) for w in direct(project) if version(w.name) != pins[canonicalize_name(w.name)]}
    assert not other


def test_each_platform_gets_one_version_of_each(wheels: ModuleType) -> None:
    """Markers pick the Windows parts on Windows only, and never two versions of one package."""
    for name, (_, system) in wheels.PLATFORMS.items():
        for python in wheels.PYTHONS:
            chosen = [line.split("==")[0] for line in wheels.pins(CONSTRAINTS, python, system)]
            assert len(chosen) == len(set(chosen))
            assert ("pywinpty" in chosen) is (name == "Windows")
            assert ("ptyprocess" in chosen) is (name != "Windows")


@pytest.mark.slow
def test_a_missing_wheel_is_noticed(wheels: ModuleType) -> None:
    """The dry run complains where a package has wheels for other platforms only."""
    (pin,) = (f"{pin.name}{pin.specifier}" for pin in PINS if pin.name == "pyarrow")
    assert "No matching distribution" in wheels.dry_run([pin], "3.12", ("win_arm32",))


@pytest.mark.slow
def test_the_wheel_carries_notebooks_and_plans(tmp_path: Path) -> None:
    """Unpacked and run away from the checkout it finds its plans; the checkout's papers stay out."""
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path)]
    subprocess.run([*build, str(REPOSITORY)], check=True)
    (wheel,) = tmp_path.glob("belonging_research-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "installed")
    own = {path.name for path in (REPOSITORY / "notebooks").glob("*.ipynb")}
    plans = {f"plans/{path.name}" for path in (REPOSITORY / "notebooks" / "plans").glob("*.toml")}
    assert {f"belonging_research/_notebooks/{name}" for name in own | plans} <= names
    assert "belonging_research/py.typed" in names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"belonging_research"}
    assert not [name for name in names if name.endswith((".pyc", "CHANGELOG.md", "constraints.txt"))]
    command = [sys.executable, "-m", "belonging_research", "plan", "check", "dorset_public"]
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_pythons_agree(project: dict[str, Any], wheels: ModuleType) -> None:
    """The least Python of the project, of the bootstrap and of the wheel check is the same."""
    from belonging_research.bootstrap import OLDEST

    oldest = ".".join(map(str, OLDEST))
    assert SpecifierSet(project["requires-python"]) == SpecifierSet(f">={oldest}")
    assert wheels.PYTHONS[0] == oldest


def test_readme_commands_exist() -> None:
    """Both commands stand in the README as written, and every verb it shows is one."""
    lines = README.splitlines()
    assert "python3 belonging_research/bootstrap.py run" in lines
    assert TEST_LINE in lines
    shown = set(re.findall(r"bootstrap\.py (\w+)", README)) - {"VERB"}
    assert shown <= {*cli.commands, "test", "lab"}


def test_ci_runs_the_readmes_test_line_last() -> None:
    """CI checks what users run; it is an executable bash script that stops at the first fault."""
    lines = CI.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    assert lines[-1] == TEST_LINE
    if os.name != "nt":
        assert os.access(CI, os.X_OK)


def test_the_version_is_in_the_changelog(project: dict[str, Any]) -> None:
    """A version without an entry would be a change that nobody was told of."""
    assert f"## {project['version']}" in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ["data/published/x.csv", "outputs/s/results.json", ".venv/x", "data/restricted/x"])
def test_data_and_results_stay_out_of_version_control(path: str) -> None:
    """Whatever lies in data/ and outputs/ is ignored, but for the two pages that explain them."""
    if subprocess.run(["git", "rev-parse"], cwd=REPOSITORY, capture_output=True, check=False).returncode:
        pytest.skip("not a git checkout")
    ignored = ["git", "check-ignore", "--quiet", "--no-index"]
    assert subprocess.run([*ignored, path], cwd=REPOSITORY, check=False).returncode == 0
    for kept in ("data/README.md", "outputs/README.md"):
        assert subprocess.run([*ignored, kept], cwd=REPOSITORY, check=False).returncode == 1
