"""Cleared findings and tables to pictures, tables and sentences. Nothing that was not cleared can be shown.

`plot` draws, `tabulate` tabulates, `describe` writes for an audience, `failed_checks` shows what failed; each returns
a sealed display.
Matplotlib is imported by `plot` alone, so that pages of sentences need no graphics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from belonging_research.present.checking import failed_checks
from belonging_research.present.describing import describe
from belonging_research.present.display import Picture, Sheet, Text
from belonging_research.present.lint import lint, readable
from belonging_research.present.sheets import tabulate

if TYPE_CHECKING:
    from belonging_research.disclosure import Cleared

__all__ = ["Picture", "Sheet", "Text", "describe", "failed_checks", "lint", "plot", "readable", "tabulate"]


def plot(cleared: Cleared[Any], kind: str, **options: Any) -> Picture:
    """A sealed picture: ``twin``, ``interval``, ``multiples``, ``outcomes``, ``checks``, ``failed``,
    ``specifications``, ``detectable``, ``standing``, ``event_study`` or ``coverage``. See `present.figures.plot`.
    """
    from belonging_research.present.figures import plot as draw

    return draw(cleared, kind, **options)
