"""Pages from templates: single files without script or network, the same bytes for the same content."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from belonging_research.errors import ReportError
from belonging_research.plan import Plan
from belonging_research.present.numbers import listed, year
from belonging_research.reports.render import Rendered, deeper, in_scroll_areas
from belonging_research.reports.results import ReleasedTable

LARGEST = 1_500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A page of the run: its file, its title, and a line about it."""

    file: str
    title: str
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """What every page of a run shares: study, standing, dates, run and the other pages."""

    study: str
    draft: bool
    simulated: bool
    run_id: str
    dates: str
    links: tuple[Link, ...] = ()

    def with_links(self, links: Sequence[Link]) -> Shell:
        """The same shell for a run of these pages."""
        return replace(self, links=tuple(links))


def shell_of(
    plan: Plan, run_id: str, report_year: str, data_as_at: dt.date | None, draft: bool, *, asked: bool = False
) -> Shell:
    """The shell of a run: report year, its number among the plan's years, and the date of the data.

    A date that nobody ``asked`` for is the latest on which a figure used was, or usually is, out: said as such.
    """
    parts = [f"Report year {year(report_year)}"]
    if report_year in plan.post:
        parts.append(f"year {plan.post.index(report_year) + 1} of {len(plan.post)}")
    known = "data as at" if asked else "figures out by about"
    parts.append(f"{known} {day(data_as_at)}" if data_as_at else "data without a date")
    return Shell(study=plan.title, draft=draft, simulated=plan.simulated, run_id=run_id, dates=" · ".join(parts))


def day(date: dt.date) -> str:
    """A date in words: "25 July 2025"."""
    return f"{date.day} {date:%B %Y}"


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("belonging_research.reports", "templates"),
        autoescape=jinja2.select_autoescape(["html.jinja"], default=True),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def _css() -> str:
    text = files("belonging_research.reports").joinpath("templates/page.css").read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")


def page(template: str, shell: Shell, file: str, title: str, **content: Any) -> str:
    """A page as text, LF; ``content`` are the values of its template (HTML as `safe`).

    Raises
    ------
    ReportError
        If it is 1.5 MB or more.
    """
    text = (
        _templates()
        .get_template(f"{template}.html.jinja")
        .render(
            file=file,
            title=title,
            css=safe(_css()),
            study=shell.study,
            draft=shell.draft,
            simulated=shell.simulated,
            run_id=shell.run_id,
            dates=shell.dates,
            links=shell.links,
            **content,
        )
    )
    size = len(text.encode())
    if size >= LARGEST:
        raise ReportError(
            f"{file}: {size / 1e6:.1f} MB; a page stays under {LARGEST / 1e6:.1f}. "
            "Show fewer or simpler pictures in that notebook."
        )
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").split("\n"))


def safe(fragment: str) -> Markup:
    """An HTML fragment that the templates do not escape again."""
    return Markup(fragment)


def notebook_page(shell: Shell, plan: Plan, report_year: str, rendered: Rendered) -> str:
    """The page of one notebook: the place and years it is about, its words, its cleared displays, its code folded."""
    return page(
        "notebook",
        shell,
        f"{rendered.name}.html",
        rendered.title,
        about=_about(plan, report_year),
        body=safe(rendered.body),
        n_left_out=rendered.n_left_out,
    )


def _about(plan: Plan, report_year: str) -> str:
    """Which council, which years, compared with what: the same on every page, so that each can be read alone."""
    since = [each for each in plan.post if each <= report_year]
    return (
        f"“Here” is {plan.place}. “The start” is {plan.treated[0].start:%B %Y}: figures since then are those of "
        f"{_years(since)}, figures before it those of {_years(plan.base)}. Elsewhere means other councils in "
        f"{plan.country}."
    )


def _years(periods: Sequence[str]) -> str:
    return listed([year(each) for each in periods])


def table_html(table: ReleasedTable, headings: Mapping[str, str] | None = None, caption: str | None = None) -> str:
    """A released table as HTML in a focusable area; ``headings`` picks, orders and names its columns."""
    shown = headings or {name: name.replace("_", " ").capitalize() for name in table.columns}
    places = [table.columns.index(name) for name in shown]
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in shown.values())
    body = "".join(
        f'<tr><th scope="row">{_cell(row[places[0]])}</th>'
        + "".join(f"<td>{_cell(row[place])}</td>" for place in places[1:])
        + "</tr>\n"
        for row in table.rows
    )
    title = f"<caption>{html.escape(caption or table.title)}</caption>"
    text = f"<table>\n{title}\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"
    return in_scroll_areas(text, table.title)


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return html.escape(str(value))


def index_page(
    shell: Shell,
    verdicts: ReleasedTable | None,
    left_out: Sequence[str],
    tables: Sequence[ReleasedTable],
) -> str:
    """The first page of a run: the verdicts of the plan's outcomes, its pages, its tables."""
    return page(
        "index",
        shell,
        "index.html",
        shell.study,
        verdicts=safe(table_html(verdicts)) if verdicts else "",
        left_out=left_out,
        files=tables,
    )


# What `describe` marks the part about schools with.
BY_SCHOOL = 'class="by-school"'


def council_page(shell: Shell, plan: Plan, rendered: Rendered) -> str:
    """The page for council and governors, from the cleared displays of the audience notebook alone.

    The display that holds a ``first-screen`` leads; the notebook's words and code stay on its own page.
    """
    screens = [each for each in rendered.displays if "first-screen" in each.html]
    by_school = [each for each in rendered.displays if BY_SCHOOL in each.html]
    others = [each for each in rendered.displays if each not in (*screens[:1], *by_school)]
    lead = screens[0].html if screens else ""
    more = "\n".join(each.html for each in others)
    return page(
        "council",
        shell,
        "council.html",
        f"{plan.place}: what happened, and was it more than elsewhere?",
        screen=safe(_with_headings(lead)),
        by_school=safe("\n".join(each.html for each in by_school)),
        more=safe(f"<h2>Pictures and tables</h2>\n{deeper(more, 1)}" if more else ""),
        # With a contact in the plan the first screen already ends with whom to ask.
        ask="" if plan.contact else "The council has not yet said whom to ask about this report.",
        privacy=_privacy(plan),
        made_of=_made_of(plan),
        n_left_out=rendered.n_left_out,
    )


def _with_headings(screen: str) -> str:
    """The terms of a first screen as headings too: a screen reader then jumps from one to the next."""
    return screen.replace("<dt>", "<dt><h2>").replace("</dt>", "</h2></dt>")


def _privacy(plan: Plan) -> str:
    if plan.simulated:
        return "No. The figures are made up, so no child is in them."
    if plan.policy == "as_published":
        own = (
            " School by school they are the council’s own, with small numbers hidden and others rounded, so that no "
            "child and no school can be recognised."
            if plan.schools is not None
            else ""
        )
        return (
            "Only in totals: these are figures that the Department for Education has published for whole "
            f"councils.{own} There are no names and no records of any pupil in this report."
        )
    return (
        "Only in totals: small numbers are hidden and others rounded, so that no child can be recognised. "
        "There are no names and no records of any pupil in this report."
    )


def _made_of(plan: Plan) -> str:
    if plan.simulated:
        own = " and of a council’s own records" if plan.schools is not None else ""
        return f"Made-up figures in the form of the Department for Education’s{own}."
    own = f", and {plan.place}’s own records of its schools" if plan.schools is not None else ""
    return f"Figures of {plan.place} and of other councils in {plan.country}{own}."


def runs_page(runs: Sequence[Mapping[str, str]]) -> str:
    """The page of every run, newest first: link, title, report_year, data_as_at, standing, run_id."""
    shell = Shell(study="", draft=False, simulated=False, run_id="", dates="")
    return page("runs", shell, "index.html", "Every run", runs=runs)
