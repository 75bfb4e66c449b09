"""What no page may say, found in the text that a reader gets. For tests and for the build of pages."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

_TAGS = re.compile(r"<(style|script)\b.*?</\1>|<[^>]+>", re.S | re.I)
_MINUS = re.compile(r"(?<![\w)])[-\u2212\u2013]\s?\d")
_RANGE = re.compile(r"\d\s?[-\u2013\u2212]\s?\d")
_CAUSE = re.compile(
    r"\b(the )?(strategy|strategies|interventions?|programme|scheme) "
    r"(has |have |had )?(caused|reduced|lowered|cut|improved|raised|increased|worked|failed|worsened|led to)"
    r"\b",
    re.I,
)
_BANNED_EVERYWHERE = (
    (_CAUSE, "says that the strategy did it; the subject is the place since its start"),
    (
        re.compile(r"could only have (seen|noticed)", re.I),
        "says 'could only have seen'; say 'noticed 4 times in 5'",
    ),
    (re.compile(r"\bpadlocks?\b", re.I), "says padlocks"),
    (re.compile(r"\bfixed[- ](term|period) exclusions?\b", re.I), "says exclusion for a suspension"),
    (re.compile(r"\bno effect\b", re.I), "says 'no effect'; not knowing is not knowing that there is none"),
    (re.compile(r"\b(truan\w*|bunking|dropouts?|hard to reach)\b", re.I), "blames"),
)
_BANNED_FOR_READERS = (
    (re.compile(r"\bplacebos?\b", re.I), "says placebo; say similar tests in other councils"),
    (re.compile(r"\bsessions?\b", re.I), "says session; say half-day"),
    (re.compile(r"\bdonors?\b", re.I), "says donor; say comparison mix or similar councils"),
    (re.compile(r"(?<!permanent )\bexclusions?\b", re.I), "says exclusion without permanent"),
    (re.compile(r"\bp[- ]values?\b|\bconfidence interval|\bstatistically significant\b", re.I), "is jargon"),
    (_MINUS, "has a bare minus sign; say 0.3 lower"),
    (_RANGE, "has a range with a dash; say 0.2 to 0.5"),
)  # fmt: skip
_HOME = re.compile(r"\b(home[- ]educat\w*|elective home|educated at home|learning at home)\b", re.I)
_ADVERSE = re.compile(
    r"\b(worse\w*|adverse\w*|bad|lost|losing|problem\w*|risk\w*|concern\w*|fail\w*|harm\w*|unfortunate\w*|missing|"
    r"vanish\w*|disappear\w*|leak\w*|off the books|drop\w* out)\b",
    re.I,
)


def readable(page: str) -> str:
    """The text of an HTML fragment without tags, styles and scripts, its spaces single."""
    return re.sub(r"\s+", " ", html.unescape(_TAGS.sub(" ", page))).strip()


def lint(page: str, audience: str) -> tuple[str, ...]:
    """What is wrong with the words of an HTML fragment for ``audience``: one sentence each.

    The annex may use the words of the trade and signed numbers; every page is held to the rest.
    """
    text = readable(page)
    rules = _BANNED_EVERYWHERE if audience == "annex" else (*_BANNED_EVERYWHERE, *_BANNED_FOR_READERS)
    found = [f"{why}: “{_around(text, match)}”" for rule, why in rules for match in rule.finditer(text)]
    found += [f"home education beside an adverse word: “{each}”" for each in _blamed(text)]
    return tuple(found)


def _blamed(text: str) -> Iterable[str]:
    sentences = re.split(r"(?<=[.!?])\s+", text)
    return (each for each in sentences if _HOME.search(each) and _ADVERSE.search(each))


def _around(text: str, match: re.Match[str]) -> str:
    return text[max(0, match.start() - 25) : match.end() + 25].strip()
