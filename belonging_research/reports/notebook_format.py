"""The library of the notebook format, started quickly: ``nbformat`` of this module is that library."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

__all__ = ["nbformat"]

# nbformat imports jsonschema, which would build a grammar of international web addresses: three seconds of every
# start, to check a format that no notebook's schema has. Where the grammar is not found jsonschema does without.
_GRAMMAR = "rfc3987_syntax"


def _without_grammar(library: str) -> ModuleType:
    known = sys.modules.get(_GRAMMAR)
    sys.modules[_GRAMMAR] = known  # type: ignore[assignment]  # None stands for a module that cannot be imported
    try:
        return importlib.import_module(library)
    finally:
        if known is None:
            del sys.modules[_GRAMMAR]


nbformat = _without_grammar("nbformat")
