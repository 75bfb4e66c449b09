"""Files to checked tables: :func:`load_extract` is the only door into the package for published figures.

A council's own data come through :mod:`sources.council`.
"""

from __future__ import annotations

from belonging_research.sources.account import SourceFile
from belonging_research.sources.extract import Extract, load_extract

__all__ = ["Extract", "SourceFile", "load_extract"]
