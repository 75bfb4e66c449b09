"""The notebooks and their parameters, checked before any kernel starts.

Papermill accepts a misspelt parameter with exit code 0 and runs the default, checks no type, and runs a
notebook without a ``parameters`` tag with its own values; here each of these is an error.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from belonging_research.errors import CommandError, ReportError
from belonging_research.reports.notebook_format import nbformat

Value = str | int | float | bool

# What a run can hand to a notebook, and the type of each.
KNOWN: Mapping[str, type] = {
    "plan": str,
    "data": str,
    "report_year": str,
    "data_as_at": str,
    "ledger": str,
    "ledgers": str,
    "draft": bool,
    "audience": str,
}
# Without one of these a notebook shows another plan or year than the run says, or leaves no ledger.
REQUIRED = ("plan", "report_year", "ledger")
DATA_SEPARATOR = ";"
_TYPES: Mapping[str, type] = {"str": str, "int": int, "float": float, "bool": bool}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notebook:
    """A notebook that may be run: name without suffix, file, declared parameters with their defaults."""

    name: str
    path: Path
    parameters: Mapping[str, Value]

    @property
    def reads_ledgers(self) -> bool:
        """Whether it reads the other notebooks' ledgers, so that it runs after them."""
        return "ledgers" in self.parameters


def notebooks_folder() -> Path:
    """The notebooks: of the checkout, else of the installed package.

    Raises
    ------
    ReportError
        If neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "notebooks", package / "_notebooks"):
        if any(folder.glob("*.ipynb")):
            return folder
    raise ReportError("no notebooks found in notebooks/ or in the package. Install the package again.")


def find_notebooks(folder: Path, only: str | None = None) -> tuple[Notebook, ...]:
    """Every notebook of a folder in name order, inspected; ``only`` picks one by name or its beginning.

    Raises
    ------
    CommandError
        If ``only`` names no notebook, or several.
    ReportError
        If a notebook's parameters are at fault.
    """
    paths = sorted(folder.glob("*.ipynb"), key=lambda path: path.name)
    if only is not None:
        paths = [_pick(paths, only)]
    return tuple(inspect(path) for path in paths)


def _pick(paths: Sequence[Path], only: str) -> Path:
    wanted = only.removesuffix(".ipynb")
    exact = [path for path in paths if path.stem == wanted]
    found = exact or [path for path in paths if path.stem.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    names = [path.stem for path in paths]
    close = difflib.get_close_matches(wanted, names, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    count = "no notebook" if not found else f"{len(found)} notebooks"
    raise CommandError(f"--only {only}: {count} of that name.{hint} There are: {', '.join(names)}.")


def read_notebook(path: Path) -> Any:
    """A notebook in nbformat 4.

    Raises
    ------
    ReportError
        If the file is no notebook.
    """
    try:
        return nbformat.read(path, as_version=4)
    except Exception:
        raise ReportError(f"{path.name}: not a readable notebook (nbformat 4). Restore it.") from None


def inspect(path: Path) -> Notebook:
    """A notebook with its declared parameters, each of which the run can give.

    Raises
    ------
    ReportError
        If there is not exactly one cell tagged ``parameters``, a line of it is not ``name: type = literal``,
        or a parameter is unknown, missing or of another type than the run gives; names both.
    """
    content = read_notebook(path)
    tagged = [
        cell for cell in content.cells if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", [])
    ]
    if len(tagged) != 1:
        raise ReportError(
            f"{path.name}: {len(tagged)} cells are tagged 'parameters'; expected exactly one. Tag the "
            "cell that holds the parameters in JupyterLab: property inspector, cell tags."
        )
    declared = _declared(path.name, str(tagged[0].source))
    for name, value in declared.items():
        _check_known(path.name, name, value)
    _check_complete(path.name, declared)
    return Notebook(name=path.stem, path=path, parameters=declared)


def _declared(notebook: str, source: str) -> dict[str, Value]:
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise ReportError(f"{notebook}: the parameters cell is not valid Python (line {error.lineno}).") from None
    declared: dict[str, Value] = {}
    for statement in statements:
        name, value = _literal(notebook, statement)
        if name in declared:
            raise ReportError(f"{notebook}: parameter {name} is declared twice.")
        declared[name] = value
    return declared


def _literal(notebook: str, statement: ast.stmt) -> tuple[str, Value]:
    where = f"{notebook}, parameters cell, line {statement.lineno}"
    form = "expected `name: type = literal`, with str, int, float or bool"
    if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
        raise ReportError(f"{where}: {form}. Move anything else into a later cell.")
    name = statement.target.id
    kind = _TYPES.get(statement.annotation.id) if isinstance(statement.annotation, ast.Name) else None
    if kind is None:
        raise ReportError(f"{where}: parameter {name} has no plain type; {form}.")
    try:
        value = ast.literal_eval(statement.value) if statement.value is not None else None
    except ValueError:
        raise ReportError(
            f"{where}: parameter {name} is derived, not a literal; a run that changes what it derives from "
            f"would not change it. {form[0].upper()}{form[1:]}; derive it in a later cell."
        ) from None
    if type(value) is not kind:
        raise ReportError(
            f"{where}: parameter {name} is declared {kind.__name__}, but its value is a {type(value).__name__}."
        )
    return name, cast("Value", value)


def _check_known(notebook: str, name: str, value: Value) -> None:
    expected = KNOWN.get(name)
    if expected is None:
        close = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.6)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise ReportError(
            f"{notebook}: unknown parameter {name}.{hint} A run gives: {', '.join(KNOWN)}. "
            "Anything else belongs in a later cell or in the plan."
        )
    if type(value) is not expected:
        raise ReportError(
            f"{notebook}: parameter {name} is a {type(value).__name__}; the run gives a {expected.__name__}."
        )


def _check_complete(notebook: str, declared: Mapping[str, Value]) -> None:
    missing = [name for name in REQUIRED if name not in declared]
    if "data" in declared and "data_as_at" not in declared:
        missing.append("data_as_at")
    if missing:
        raise ReportError(
            f"{notebook}: the parameters cell lacks {', '.join(missing)}. Declare each with a literal "
            'default, such as report_year: str = "2024/25".'
        )


def given(notebook: Notebook, values: Mapping[str, Value]) -> dict[str, Value]:
    """The run's values for the parameters that the notebook declares; types are checked again.

    Raises
    ------
    ReportError
        If the run has no value for one, or one of another type.
    """
    chosen: dict[str, Value] = {}
    for name in sorted(notebook.parameters):
        if name not in values:
            raise ReportError(f"{notebook.path.name}: the run has no value for parameter {name}.")
        if type(values[name]) is not KNOWN[name]:
            raise ReportError(f"{notebook.path.name}: parameter {name} must be a {KNOWN[name].__name__}.")
        chosen[name] = values[name]
    return chosen


def shown(source: str, values: Mapping[str, Value]) -> str:
    """A parameters cell as a page shows it: the run's values in place of the defaults, and no place of a machine.

    ``values`` are those that a reader may see; a parameter that is not among them (a folder, a ledger) keeps its
    default, which works on any machine.
    """
    lines = []
    for line in source.splitlines():
        match = _DECLARED.match(line)
        value = values.get(match["name"]) if match else None
        if match is None or value is None:
            lines.append(line)
        else:
            text = f'"{value}"' if isinstance(value, str) else repr(value)
            lines.append(f"{match['before']}{text}{match['comment'] or ''}")
    return "\n".join(lines)


# A declaration takes one line; a value that holds "#" is quoted, so the comment is what follows the last quote.
_DECLARED = re.compile(r"(?P<before>(?P<name>\w+)\s*:\s*\w+\s*=\s*)(?:\"[^\"]*\"|'[^']*'|[^#\s]+)(?P<comment>\s*#.*)?$")
