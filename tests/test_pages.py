"""Pages in a real browser, from disk, without network or script: readable, whole, true to the tables."""

from __future__ import annotations

import html
import itertools
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import small_study
from printed import Released, numbers_in, visible_text

from belonging_research.present import lint
from belonging_research.reports.pages import LARGEST

CHROMIUM = Path("/usr/bin/chromium")
PAGES = ("index", "council", "annex", "01_levels", "04_attendance_impact", "09_annual_report")
STRUCTURE = """() => ({
  lang: document.documentElement.lang,
  h1: document.querySelectorAll('h1').length,
  main: document.querySelectorAll('main').length,
  scripts: document.querySelectorAll('script').length,
  levels: [...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.tagName[1])),
  uncaptioned: [...document.querySelectorAll('table')].filter(t => !t.caption).length,
  unscoped: [...document.querySelectorAll('th')].filter(h => !h.scope).length,
  blank: [...document.querySelectorAll('th')].filter(h => !h.textContent.trim()).length,
  unfocusable: [...document.querySelectorAll('table')]
    .filter(t => !t.closest('[tabindex="0"][aria-label]')).length,
  wordless: [...document.images].filter(i => i.alt.length < 40 || !i.complete || !i.naturalWidth).length,
  tableless: [...document.querySelectorAll('figure.picture')].filter(f => !f.querySelector('table')).length,
  twice: [...document.querySelectorAll('[id]')].map(e => e.id).filter((id, i, all) => all.indexOf(id) !== i),
  dead: [...document.querySelectorAll('a[href^="#"]')].filter(a => !document.querySelector(a.hash)).length,
  cut: [...document.querySelectorAll('.scroll')].filter(s => s.scrollWidth > s.clientWidth
    && !getComputedStyle(s).backgroundImage.includes('gradient')).length,
  late: document.querySelector('h1').getBoundingClientRect().top > 420,
  wide: document.documentElement.scrollWidth > window.innerWidth,
})"""


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The released folder of a complete run."""
    return small_study.finished(tmp_path_factory.getbasetemp() / "small")[0].folder / "released"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, or a reason why not."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_stands_alone_in_a_browser(name: str, width: int, released: Path, browser: Any) -> None:
    """Opened from disk, offline: nothing is requested, nothing overflows, and its structure can be heard."""
    context = browser.new_context(viewport={"width": width, "height": 800}, offline=True)
    page = context.new_page()
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto((released / f"{name}.html").as_uri())
    found = page.evaluate(STRUCTURE)
    context.close()
    assert [url for url in requests if not url.startswith(("file:", "data:image/"))] == []
    assert len([url for url in requests if url.startswith("file:")]) == 1
    assert complaints == []
    levels = found.pop("levels")
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels)) or name == (
        "04_attendance_impact"  # its notebook goes from its title to a text of the third level
    )
    assert found == {
        "lang": "en-GB", "h1": 1, "main": 1, "scripts": 0, "uncaptioned": 0, "unscoped": 0, "blank": 0,
        "unfocusable": 0, "wordless": 0, "tableless": 0, "twice": [], "dead": 0, "cut": 0, "late": False, "wide": False,
    }  # fmt: skip


@pytest.mark.browser
def test_a_keyboard_reaches_the_content_first(released: Path, browser: Any) -> None:
    """The first stop is the skip link, it becomes visible, and it leads to the one main part."""
    page = browser.new_page()
    page.goto((released / "council.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.close()


@pytest.mark.browser
def test_on_a_phone_the_answer_comes_before_the_list_of_pages(released: Path, browser: Any) -> None:
    """The list is folded until asked for, opens without a script, and the verdict's row is on the first two screens."""
    page = browser.new_page(viewport={"width": 320, "height": 640})
    page.goto((released / "council.html").as_uri())
    link = page.locator("nav a").first
    assert not link.is_visible()
    assert page.evaluate("document.querySelector('dl.first-screen dd').getBoundingClientRect().top") < 640
    page.locator("nav summary").click()
    assert link.is_visible()
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(scheme: str, released: Path, browser: Any) -> None:
    """Every text of the council page has a contrast of at least 4.5 to 1, in light and in dark."""
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto((released / "council.html").as_uri())
    pairs = page.evaluate("""() => [...document.querySelectorAll('main *, header *, footer *')]
      .filter(e => !e.closest('svg') && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
      .map(e => { let g = e; while (g && getComputedStyle(g).backgroundColor === 'rgba(0, 0, 0, 0)')
        g = g.parentElement; return [getComputedStyle(e).color,
        g ? getComputedStyle(g).backgroundColor : 'rgb(255, 255, 255)']; })""")
    context.close()
    assert pairs
    assert min(_contrast(*pair) for pair in pairs) >= 4.5


def _contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours (WCAG 2.2, relative luminance)."""

    def luminance(colour: str) -> float:
        shares = [int(each) / 255 for each in re.findall(r"\d+", colour)[:3]]
        linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.browser
def test_it_prints_on_paper(released: Path, browser: Any) -> None:
    """On A4 the code and the navigation are gone and the content is not."""
    page = browser.new_page()
    page.goto((released / "04_attendance_impact.html").as_uri())
    page.emulate_media(media="print")
    assert not page.locator("details.code").first.is_visible()
    assert not page.locator("nav").is_visible()
    assert page.locator("h1").is_visible()
    assert page.pdf(format="A4")[:5] == b"%PDF-"
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_every_printed_number_stands_in_a_source_of_its_page(name: str, released: Path) -> None:
    """Each number of a page, dates and definitions apart, stands in the tables that this page is made of."""
    assert Released(released).unexplained(name) == ()


def test_every_printing_is_a_rounding_of_its_sources(released: Path) -> None:
    """What a page shows is no proof of itself: shown numbers round those of findings and source tables."""
    run = Released(released)
    assert run.unfounded_printings() == {}
    assert run.misquoted() == []


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [("shown_text", "0.0016,", "0.0019,"), ("shown_text", "0.16 points higher", "0.19 points higher"),
     ("shown_table", "7.72%", "8.37%")],
)  # fmt: skip
def test_a_printing_that_is_no_rounding_is_noticed(
    kind: str, old: str, new: str, released: Path, tmp_path: Path
) -> None:
    """Another value, another wording of the value, another cell: each is named, though the page prints the same."""
    copy = shutil.copytree(released, tmp_path / "released")
    changed = [path for path in copy.glob(f"tables/*{kind}*.csv") if old in path.read_text("utf-8-sig")]
    assert changed
    for path in changed:
        path.write_text(path.read_text("utf-8-sig").replace(old, new), "utf-8-sig")
    run = Released(copy)
    assert run.misquoted() or run.unfounded_printings()


def test_a_caption_says_the_finding_and_the_alternative_what_is_drawn(released: Path) -> None:
    """Neither says the other over again, and a narrow drawing is not blown up on a wide screen."""
    page = (released / "04_attendance_impact.html").read_text(encoding="utf-8")
    shape = r'<img class="plate"( style="max-width:\d+rem")? alt="([^"]*)".*?<figcaption>(.*?)</figcaption>'
    figures = re.findall(shape, page, re.S)
    assert figures
    for widest, alt, caption in figures:
        said = re.sub(r"<[^>]+>", "", caption).rstrip(".")
        assert widest
        assert said
        assert said not in alt
        assert alt not in caption


def test_a_number_from_nowhere_is_noticed(released: Path, tmp_path: Path) -> None:
    """An invented number on a page is found; dates, years, hashes and definitions are no figures."""
    page = "<p>Fell by 0.37 points from 1,234 in 2024/25, by 25 July 2025. Run 0123456789ab.</p><pre>99</pre>"
    assert numbers_in(visible_text(page)) == {"0.37", "1234"}
    assert numbers_in("-0.0025,7.72%") == {"0.0025", "7.72"}
    assert numbers_in("97 times in 100, noticed 4 times in 5, 1 in 21") == {"97", "21"}
    assert "hidden words" in visible_text('<img alt="hidden words"><style>p{}</style>')
    copy = shutil.copytree(released, tmp_path / "released")
    council = copy / "council.html"
    council.write_text(council.read_text("utf-8").replace("</main>", "<p>Fell by 31.37 points.</p></main>"), "utf-8")
    assert Released(copy).unexplained("council") == ("31.37",)


@pytest.mark.parametrize("name", ["01_levels", "04_attendance_impact", "09_annual_report"])
def test_folded_code_shows_the_values_of_this_run_and_no_place(name: str, released: Path) -> None:
    """The parameters on a page are the run's; no folder, no ledger and no injected cell is on it."""
    page = html.unescape((released / f"{name}.html").read_text("utf-8"))
    code = "".join(re.findall(r"<code>(.*?)</code>", page, re.S))
    assert 'plan: str = "dorset_public"  # the plan\'s file' in code
    assert 'report_year: str = "2024/25"  # last academic year that is read' in code
    assert 'data: str = "(the files that the technical annex lists)"  # folders of figures' in code
    assert 'ledger: str = ""  #' in code
    assert code.count("report_year") == 1
    assert not re.search(r'"(/|[A-Z]:)', code)


def test_a_notebook_page_names_its_council_and_years(released: Path) -> None:
    """Which place, since when, which years before and since: before anything else on the page."""
    page = (released / "04_attendance_impact.html").read_text("utf-8")
    first = page[page.index("<h1>") : page.index("<details class")]
    for words in ("“Here” is Dorset", "September 2024", "2024 to 2025", "2022 to 2023 and 2023 to 2024"):
        assert words in first


def test_pages_for_readers_hold_no_evidence_grade(released: Path) -> None:
    """Grade and rule numbers stand in the technical annex alone."""
    for name in ("index", "council", "04_attendance_impact", "09_annual_report"):
        text = visible_text((released / f"{name}.html").read_text("utf-8")).lower()
        assert "grade" not in text, name
        assert "rule table" not in text, name
    assert "Evidence grade" in (released / "annex.html").read_text("utf-8")


def test_what_the_figures_do_not_see_is_said_once(released: Path) -> None:
    """Children who left the roll: on the council page once, without blame, and home education beside no bad word."""
    page = (released / "council.html").read_text("utf-8")
    assert page.count("has left a school’s roll") == 1
    assert "nobody’s fault" in page


@pytest.mark.parametrize("name", PAGES)
def test_standing_and_size_of_every_page(name: str, released: Path) -> None:
    """DRAFT and the date of the data are on every page, nothing is loaded, and each is under 1.5 MB."""
    page = (released / f"{name}.html").read_text("utf-8")
    assert '<p class="banner draft-banner"><strong>DRAFT</strong>' in page
    assert "figures out by about 25 July 2025" in page
    assert "default-src 'none'" in page
    assert "SIMULATED" not in page
    assert len(page.encode()) < LARGEST
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


def test_the_council_page_answers_first_and_speaks_plainly(released: Path) -> None:
    """The first screen holds the questions in their order; no jargon, no blame, no bare minus sign."""
    page = (released / "council.html").read_text("utf-8")
    asked = re.findall(r"<dt><h2>(.*?)</h2></dt>", page)
    assert asked[:2] == ["What happened", "Was it more than elsewhere?"]
    assert {"When we’ll know more", "For whom", "Home education", "Next", "Ask"} <= set(asked)
    assert "Is my child in this?" in page
    body = re.sub(r"<(header|footer)\b.*?</\1>", "", page, flags=re.S)
    assert lint(_without_links(body), "council") == ()


def _without_links(page: str) -> str:
    return re.sub(r"<style>.*?</style>", "", page, flags=re.S)


@pytest.mark.slow
def test_made_up_figures_say_so_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SIMULATED stands on every page and in every picture of a simulated study."""
    chosen = {name: small_study.GOOD[name] for name in ("01_levels",)}
    run = small_study.runner(monkeypatch, tmp_path, chosen)
    result = run(plan_path=small_study.simulated_plan(tmp_path))
    pages = sorted((result.folder / "released").glob("*.html"))
    pictures = sorted((result.folder / "released" / "figures").glob("*.svg"))
    assert pages
    assert pictures
    for path in pages:
        assert "<strong>SIMULATED</strong>" in path.read_text("utf-8")
    for path in pictures:
        assert "SIMULATED" in path.read_text("utf-8")
        assert "DRAFT" in path.read_text("utf-8")
