"""What a notebook shows: pictures, tables and texts, each sealed by the door and carrying its alternative.

Each display hands Jupyter its one rich form, and metadata in which a page finds the seal::

    {"belonging": {"entry", "sha256", "kind", "mime", "title", "alt", "table"?}, <mime>: {"alt"}}

``table`` is the HTML of the table under a picture, itself sealed. Bytes are the same for the same figures.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from belonging_research.disclosure import Cleared, Seal

Bundle = tuple[dict[str, str], dict[str, Any]]


def _bundle(mime: str, payload: str, seal: Seal, *, title: str, alt: str, **more: object) -> Bundle:
    mark = {"entry": seal.entry, "sha256": seal.sha256, "kind": seal.kind, "mime": mime, "title": title}
    return {mime: payload}, {"belonging": {**mark, "alt": alt, **more}, mime: {"alt": alt}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table to be read: ``html`` with a caption, scoped headers, no blank corner; ``table`` its text."""

    title: str
    html: str
    table: pa.Table
    seal: Seal

    def __repr__(self) -> str:
        return f"<Sheet: {self.title}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Bundle:
        return _bundle("text/html", self.html, self.seal, title=self.title, alt=self.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure as SVG, what it shows in words with its numbers (``alt``), and the ``table`` under it."""

    title: str
    svg: str
    alt: str
    table: Sheet
    seal: Seal
    raster: Callable[[int], bytes] = field(repr=False, compare=False)

    def __repr__(self) -> str:
        return f"<Picture: {self.title}>"

    def png(self, dpi: int = 200) -> bytes:
        """The same figure as PNG, for slides; its stamp (DRAFT, SIMULATED) is inside."""
        return self.raster(dpi)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Bundle:
        table = {"html": self.table.html, "entry": self.table.seal.entry, "sha256": self.table.seal.sha256}
        return _bundle("image/svg+xml", self.svg, self.seal, title=self.title, alt=self.alt, table=table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Sentences as HTML for one audience; ``quoted`` lists each number in them with its value."""

    title: str
    html: str
    audience: str
    quoted: pa.Table
    seal: Seal

    def __repr__(self) -> str:
        return f"<Text for {self.audience}: {self.title}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Bundle:
        return _bundle("text/html", self.html, self.seal, title=self.title, alt=self.title)


def table_html(title: str, headings: Mapping[str, str], rows: Sequence[Sequence[str]]) -> str:
    """A table as HTML: a caption, a heading for each column, the first cell of a row heading the row.

    A column named ``range`` in ``headings`` has that class, so that a page gives it width.
    """
    wide = {name: ' class="range"' if name == "range" else "" for name in headings}
    head = "".join(f'<th scope="col"{wide[name]}>{html.escape(text)}</th>' for name, text in headings.items())
    body = "".join(
        f'<tr><th scope="row">{html.escape(row[0])}</th>'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in row[1:])
        + "</tr>\n"
        for row in rows
    )
    return (
        f'<table class="sheet">\n<caption>{html.escape(title)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"
    )


def seal_sheet(cleared: Cleared[Any], title: str, headings: Mapping[str, str], rows: Sequence[Sequence[str]]) -> Sheet:
    """A sealed sheet of text cells; ``headings`` maps column names to what a reader sees above them."""
    columns = {name: pa.array([row[number] for row in rows], pa.string()) for number, name in enumerate(headings)}
    table, text = pa.table(columns), table_html(title, headings, rows)
    seal = cleared.door.seal("table", text, (cleared.entry,), mime="text/html", title=title, table=table)
    return Sheet(title=title, html=text, table=table, seal=seal)
