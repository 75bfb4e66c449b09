"""The door at render: an executed notebook to the body of a page, with only what its ledger vouches for.

Outputs that carry no ledger entry of `disclosure`, or whose bytes differ from it, are left out and counted.
Words of the notebook's authors are rendered with raw HTML escaped; code is shown folded.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mistune

from belonging_research.disclosure import LedgerEntry, payload_sha256, sealed_display
from belonging_research.errors import ReportError
from belonging_research.reports.parameters import Value, shown

_H1 = re.compile(r"^#[ \t]+(?P<title>.+?)[ \t#]*$", re.M)
_TABLE = re.compile(r"<table\b.*?</table>", re.S)
_CAPTION = re.compile(r"<caption>(.*?)</caption>", re.S)
_TAG = re.compile(r"<[^>]+>")
_NARROW = 400.0  # points; canvas.NARROW is under it, canvas.WIDTH over it
_WIDTH = re.compile(r'<svg\b[^>]*?\bwidth="([\d.]+)pt"')
_HEADING = re.compile(r"(</?h)([1-6])(?=[\s>])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """One cleared display: ``kind`` of the seal, and its HTML for a page; ``svg`` is set for a picture."""

    entry: str
    kind: str
    title: str
    html: str
    svg: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A notebook's page: its title, body, the displays in it in order, and how many outputs were left out."""

    name: str
    title: str
    body: str
    displays: tuple[Display, ...]
    n_left_out: int


class _Words(mistune.HTMLRenderer):
    """Markdown without raw HTML, without outside pictures, and with no second ``h1``."""

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        """A heading one level down at most once: ``h1`` belongs to the page."""
        return f"<h{max(level, 2)}>{text}</h{max(level, 2)}>\n"

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """The words of a picture only: pictures come through the door or not at all."""
        return mistune.escape(text)


def words_to_html(markdown: str) -> str:
    """Markdown to HTML: raw HTML escaped, tables with scoped headers in a focusable area."""
    convert = mistune.create_markdown(renderer=_Words(escape=True), plugins=["table"])
    text = str(convert(markdown)).replace("<th>", '<th scope="col">').replace("<th ", '<th scope="col" ')
    return in_scroll_areas(text, "Table")


def in_scroll_areas(fragment: str, label: str) -> str:
    """Each table of a fragment in an area that a keyboard can reach and scroll, named by its caption."""

    def area(match: re.Match[str]) -> str:
        caption = _CAPTION.search(match.group(0))
        name = html.unescape(_TAG.sub("", caption.group(1))).strip() if caption else label
        return f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(name)}">{match.group(0)}</div>'

    return _TABLE.sub(area, fragment)


def render(
    name: str, notebook: Any, ledger: Sequence[LedgerEntry], parameters: Mapping[str, Value] | None = None
) -> Rendered:
    """The page body of an executed notebook.

    Its code is shown with ``parameters``, the run's own values that name no place; the cell with which they were
    injected names places, and is not shown.

    Raises
    ------
    ReportError
        If a cleared picture has no alternative text.
    """
    parts: list[str] = []
    code: list[str] = []
    displays: list[Display] = []
    title, left_out = "", 0
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            continue
        source = str(cell.source)
        if "parameters" in cell.metadata.get("tags", []):
            source = shown(source, parameters or {})
        if cell.cell_type == "markdown":
            if not title:
                title, source = _title_of(source)
            parts += [_code(code), words_to_html(source)]
            code = []
        elif cell.cell_type == "code":
            outputs = [cleared_display(output, ledger) for output in cell.get("outputs", [])]
            cleared = [each for each in outputs if each is not None]
            left_out += len(outputs) - len(cleared)
            if cleared:
                parts += [_code(code), *(each.html for each in cleared)]
                code = []
            displays += cleared
            code.append(source)
    body = "\n".join(part for part in (*parts, _code(code)) if part.strip())
    return Rendered(name=name, title=title or _plain(name), body=body, displays=tuple(displays), n_left_out=left_out)


def _plain(name: str) -> str:
    return name.lstrip("0123456789_").replace("_", " ").capitalize()


def _title_of(source: str) -> tuple[str, str]:
    match = _H1.search(source)
    if match is None:
        return "", source
    plain = _TAG.sub("", str(mistune.html(match.group("title"))))
    return html.unescape(plain).strip(), source[: match.start()] + source[match.end() :]


def _code(sources: Sequence[str]) -> str:
    """The code of cells in a row, folded together."""
    source = "\n\n".join(each.strip() for each in sources if each.strip())
    if not source:
        return ""
    return (
        '<details class="code"><summary>Show the code</summary>\n'
        '<pre tabindex="0" role="region" aria-label="Code">'
        f"<code>{html.escape(source)}</code></pre></details>"
    )


def cleared_display(output: Mapping[str, Any], ledger: Sequence[LedgerEntry]) -> Display | None:
    """A notebook output as a display, or None where the ledger does not vouch for its very bytes.

    Raises
    ------
    ReportError
        If it is a picture without alternative text.
    """
    mark = output.get("metadata", {}).get("belonging") if output.get("data") else None
    if not isinstance(mark, Mapping):
        return None
    payload = output["data"].get(mark.get("mime"))
    if not isinstance(payload, str):
        return None
    entry = _vouched(payload, mark, ledger)
    if entry is None or entry.payload["mime"] != mark["mime"]:
        return None
    kind, title = str(entry.payload["display"]), str(entry.payload["title"])
    if mark["mime"] == "image/svg+xml":
        alt = str(entry.payload["alt"]).strip()
        if not alt:
            raise ReportError(f"picture {title!r}: no alternative text. Say what it shows, with its numbers.")
        text = _figure(payload, title, alt, _table_of(mark, ledger))
        return Display(entry=entry.entry, kind=kind, title=title, html=text, svg=payload)
    if mark["mime"] == "text/html":
        text = f'<div class="cleared {html.escape(kind)}">\n{in_scroll_areas(payload, title)}\n</div>'
        return Display(entry=entry.entry, kind=kind, title=title, html=text)
    return None


def _vouched(payload: str, mark: Mapping[str, Any], ledger: Sequence[LedgerEntry]) -> LedgerEntry | None:
    if mark.get("sha256") != payload_sha256(payload):
        return None
    return sealed_display(payload, ledger)


def _table_of(mark: Mapping[str, Any], ledger: Sequence[LedgerEntry]) -> str:
    table = mark.get("table")
    if not isinstance(table, Mapping) or not isinstance(table.get("html"), str):
        return ""
    return table["html"] if _vouched(table["html"], table, ledger) else ""


def _figure(svg: str, title: str, alt: str, table: str) -> str:
    """A picture as an image of its own, so that ids of two pictures never clash and nothing in it can run.

    Its caption says the finding, its alternative what is drawn; a narrow drawing is not blown up on a wide screen.
    """
    data = base64.b64encode(svg.encode()).decode()
    under = (
        f"<details><summary>The numbers in this picture</summary>\n{in_scroll_areas(table, title)}</details>"
        if table
        else ""
    )
    width = _WIDTH.search(svg)
    points = float(width.group(1)) if width else 0.0
    widest = (
        f' style="max-width:{points / 9.7:.0f}rem{";min-width:34rem" if points > _NARROW else ""}"' if width else ""
    )
    picture = f'<img class="plate"{widest} alt="{html.escape(alt)}" src="data:image/svg+xml;base64,{data}">'
    if points > _NARROW:  # its words would be too small on a telephone: there it scrolls
        label = html.escape(f"Picture: {title.rstrip('.')}")
        picture = f'<div class="scroll" role="region" aria-label="{label}" tabindex="0">{picture}</div>'
    return (
        f'<figure class="picture">\n{picture}\n'
        f"<figcaption><strong>{html.escape(title.rstrip('.'))}.</strong></figcaption>\n"
        f"{under}</figure>"
    )


def deeper(fragment: str, by: int) -> str:
    """A fragment whose headings stand ``by`` levels lower (h6 at most)."""
    return _HEADING.sub(lambda match: f"{match.group(1)}{min(6, int(match.group(2)) + by)}", fragment)
