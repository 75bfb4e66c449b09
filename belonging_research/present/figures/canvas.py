"""A blank figure in the house style, and its way to the same SVG bytes every time.

No pyplot and no state: a figure is built, drawn on, saved. Colours are the first four of the UK government
analysis palette (each at least 3:1 on white); never colour alone: line style, marker and a label at the line.
"""

from __future__ import annotations

import hashlib
import html
import io
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from belonging_research.disclosure import Cleared
from belonging_research.present.display import Picture, seal_sheet

NAVY, TEAL, PLUM, ORANGE, GREY = "#12436D", "#28A197", "#801650", "#F46A25", "#3D3D3D"
FAINT, PALE_TEAL, PALE_GREY = "#BFBFBF", "#D4EDEA", "#E9E9E9"
WIDTH = 7.2
# For readers' pages: on a phone 300 pixels wide a text of 10 points is still 9 pixels high.
NARROW = 4.6
_WHY = "They are not out, not among the files that were read, or may not be shown."
# DejaVu Sans comes with matplotlib, so a layout is the same everywhere. Verdana has its widths, where a
# reader's browser lacks it; every other fallback is narrower.
STYLE: Any = {
    "svg.hashsalt": "belonging",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 9.0,
    "axes.unicode_minus": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.titlesize": 9.0,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "text.color": "#1F1F1F",
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "lines.solid_capstyle": "round",
    "path.simplify": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A figure with all that a picture must carry: its title, its alternative text, the rows under it."""

    figure: Figure
    title: str
    alt: str
    headings: dict[str, str]
    rows: Sequence[Sequence[str]]


def nothing_to_draw(name: str, stamp: str, why: str = _WHY) -> Drawing:
    """The place of a picture of ``name`` where there is no figure: the page stands, and says so and ``why``."""
    title = f"{name}: no figures to show"
    figure = blank(0.9, title, stamp)
    figure.text(0.012, 0.10 / 0.9, why, fontsize=9, color=GREY, va="bottom")
    return Drawing(figure=figure, title=title, alt=f"{title}. {why}", headings={"figures": "Figures"}, rows=[["none"]])


def blank(height: float, title: str, stamp: str, width: float = WIDTH) -> Figure:
    """A white figure with its title at the top left and DRAFT or SIMULATED in the lower right corner."""
    figure = Figure(figsize=(width, height), layout=None)
    lines = _lines(title, width)
    figure.text(
        0.012,
        1 - 0.10 / height,
        "\n".join(lines),
        fontsize=11.5,
        fontweight="bold",
        va="top",
        linespacing=1.25,
    )
    if stamp:
        figure.text(0.99, 0.10 / height, stamp, fontsize=9, fontweight="bold", color=PLUM, ha="right", va="bottom")
    return figure


def top_margin(height: float, title: str, width: float = WIDTH) -> float:
    """The share of the figure's height below its title."""
    return 1 - (0.30 + 0.20 * len(_lines(title, width))) / height


def _lines(title: str, width: float) -> list[str]:
    return textwrap.wrap(title, int(76 * width / WIDTH))


def room(figure: Figure, *, left: float, bottom: float, right: float, title: str) -> Axes:
    """Axes that fill the figure below its title; margins in inches."""
    width, height = figure.get_size_inches()
    top = top_margin(height, title, width)
    return figure.add_axes((left / width, bottom / height, 1 - (left + right) / width, top - bottom / height))


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Label positions moved apart so that neighbours are at least ``gap`` from each other, order kept."""
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    placed = [float(positions[index]) for index in order]
    for _ in range(60):
        moved = False
        for at in range(1, len(placed)):
            short = gap - (placed[at] - placed[at - 1])
            if short > 1e-9:
                placed[at - 1] -= short / 2
                placed[at] += short / 2
                moved = True
        if not moved:
            break
    result = [0.0] * len(positions)
    for index, value in zip(order, placed, strict=True):
        result[index] = value
    return result


def seal_picture(cleared: Cleared[Any], drawing: Drawing, also: Sequence[Cleared[Any]] = ()) -> Picture:
    """The drawing as a sealed picture, its table sealed under it; ``also`` is what else it was drawn from."""
    named = drawing.title.partition(". ")[0]  # a list of tables needs a name, not all that the picture says
    table = seal_sheet(cleared, f"Figures of: {named}", drawing.headings, drawing.rows)
    svg = _svg(drawing)
    seal = cleared.door.seal(
        "picture",
        svg,
        (cleared.entry, *(each.entry for each in also)),
        mime="image/svg+xml",
        title=drawing.title,
        alt=drawing.alt,
        table=table.table,
    )
    figure = drawing.figure
    return Picture(
        title=drawing.title,
        svg=svg,
        alt=drawing.alt,
        table=table,
        seal=seal,
        raster=lambda dpi: _png(figure, dpi),
    )


def _svg(drawing: Drawing) -> str:
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        drawing.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]  # without the XML head and doctype it can stand inside a page
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    # Two pictures on one page must not share ids.
    mark = f"b{hashlib.sha256(svg.encode()).hexdigest()[:8]}-"
    svg = re.sub(r'\bid="', f'id="{mark}', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{mark}", svg)
    head_end = svg.index(">") + 1
    words = f"<title>{html.escape(drawing.title)}</title>\n<desc>{html.escape(drawing.alt)}</desc>\n"
    return f"{svg[:head_end]}\n{words}{svg[head_end:].lstrip()}"


def _png(figure: Figure, dpi: int) -> bytes:
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def numbers(table: pa.Table, column: str) -> list[float | None]:
    """A column as Python floats."""
    return [None if value is None else float(value) for value in table.column(column).to_pylist()]
