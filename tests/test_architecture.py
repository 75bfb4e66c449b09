"""The rules of the house, read from the source by its syntax tree."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "belonging_research"

# An import may only point to an earlier room (or stay at home). The cupboards have rules of their own below.
ROOMS = (
    "errors",
    "shipped",
    "tables",
    "plan",
    "sources",
    "simulate",
    "outcomes",
    "panel",
    "estimators",
    "checks",
    "findings",
    "disclosure",
    "present",
    "calibrate",
    "reports",
    "saying",
    "__main__",
)
CUPBOARDS = {"__init__": set(ROOMS), "bootstrap": set(), "doctor": {"bootstrap"}}
BANNED = {"utils", "util", "helpers", "core", "common", "models", "pipeline", "misc"}
ESTIMATORS = {"statsmodels", "diff_diff", "linearmodels", "pyfixest", "pysyncon", "differences", "sklearn"}
DRAWING = {"matplotlib", "seaborn"}
NETWORK = {"socket", "http", "urllib", "requests", "httpx", "ftplib", "smtplib", "aiohttp"}
TOP_LEVEL = {"pyproject.toml", "README.md", "belonging_research", "notebooks", "tests", "data", "outputs"}
TOP_LEVEL |= {"LICENSE", "CHANGELOG.md", "constraints.txt"}

MODULES = sorted(PACKAGE.rglob("*.py"))
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))


def name_of(path: Path) -> str:
    """A module's path inside the package, for messages and test names."""
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    """The room a module belongs to: the first part of its path."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def tree_of(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything a module imports, at any depth."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = ["belonging_research", *path.relative_to(PACKAGE).parent.parts]
            start = home[: len(home) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def rooms_entered(path: Path) -> Iterator[tuple[int, str]]:
    """Line and room of every import from this package."""
    for line, name in imports(path):
        parts = name.split(".")
        if parts[0] == "belonging_research":
            yield line, parts[1] if len(parts) > 1 else "__init__"


def tracked() -> list[Path]:
    """Files that are, or would be, in version control."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    found = (REPOSITORY / name for name in listed.stdout.decode().split("\0") if name)
    return [path for path in found if path.is_file()]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_an_import_points_to_an_earlier_room(path: Path) -> None:
    """Each room imports itself and earlier rooms only; the cupboards keep to theirs."""
    room = room_of(path)
    earlier = set(ROOMS[: ROOMS.index(room) + 1]) if room in ROOMS else CUPBOARDS[room]
    allowed = {*earlier, "doctor"} if room == "__main__" else earlier
    wrong = [f"line {line}: {entered}" for line, entered in rooms_entered(path) if entered not in allowed]
    assert not wrong, f"{name_of(path)} may not import {wrong}"


def test_every_room_is_known() -> None:
    """A module that is neither a room nor a cupboard has no place in the line."""
    assert {room_of(path) for path in MODULES} <= {*ROOMS, *CUPBOARDS}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_third_parties_stay_where_they_belong(path: Path) -> None:
    """Estimators, drawing and the network are each reached from one room only."""
    used = {name.split(".")[0] for _, name in imports(path)}
    if room_of(path) != "estimators":
        assert not used & ESTIMATORS
    if not name_of(path).startswith("present/figures"):
        assert not used & DRAWING
    if name_of(path) not in ("doctor.py", "sources/fetch.py"):
        assert not used & NETWORK


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_names_say_what_a_module_is_for(path: Path) -> None:
    """No drawer for odds and ends, and no name of Python's own library (bootstrap.py runs as a script)."""
    names = {part.removesuffix(".py") for part in path.relative_to(PACKAGE).parts}
    assert not names & BANNED
    assert room_of(path) not in sys.stdlib_module_names


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_public_things_are_documented(path: Path) -> None:
    """Every module that holds code, public function, class and method says what it is."""
    tree = tree_of(path)
    missing = [] if not tree.body or ast.get_docstring(tree) else ["the module"]
    for node in ast.walk(tree):
        for child in node.body if isinstance(node, (ast.Module, ast.ClassDef)) else ():
            if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                continue
            hidden = child.name.startswith("_") or getattr(node, "name", "").startswith("_")
            if not hidden and not ast.get_docstring(child):
                missing.append(f"{child.name} (line {child.lineno})")
    assert not missing, f"{name_of(path)}: no docstring on {missing}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_validated_by_assert(path: Path) -> None:
    """`python -O` drops asserts, so a check that matters is an error of the house."""
    assert not [node.lineno for node in ast.walk(tree_of(path)) if isinstance(node, ast.Assert)]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_figure_is_drawn_on_shared_state(path: Path) -> None:
    """A figure is built on a new Figure and returned; pyplot keeps figures in global state."""
    assert not [line for line, name in imports(path) if name.startswith("matplotlib.pyplot")]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_orchestrates(path: Path) -> None:
    """No outputs, no def, class, loop or try, and exactly one cell tagged `parameters`, of literals."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert not [cell for cell in code if cell["outputs"] or cell["execution_count"]]
    logic = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.While, ast.Try, ast.Lambda)
    for cell in code:
        assert not [node for node in ast.walk(ast.parse("".join(cell["source"]))) if isinstance(node, logic)]
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    for statement in ast.parse("".join(tagged[0]["source"])).body:
        assert isinstance(statement, (ast.Assign, ast.AnnAssign))
        assert statement.value is not None
        ast.literal_eval(statement.value)


def test_top_level_holds_the_fixed_names() -> None:
    """A new name at the top of the tree is a decision, not an accident."""
    names = {path.relative_to(REPOSITORY).parts[0] for path in tracked()}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL


def test_no_file_names_a_registry_or_a_machine() -> None:
    """No host of a package registry and no path of the machine it was written on, in any file."""
    hosts = [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("deb", "debian", "org"),
        ("crates", "io"),
    ]
    pattern = "|".join(re.escape(".".join(host)) for host in hosts)
    pattern += rf"|(?<![\w.<>~)/-])/({'|'.join(('work', 'tmp', 'root'))})/"
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(REPOSITORY)}: {hit.group()}" for hit in re.finditer(pattern, text)]
    assert not found
