"""The audiences: each has one module of wording. A new one is that module and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from belonging_research.errors import DisclosureError
from belonging_research.present import words_annex, words_council
from belonging_research.present.story import Story


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who reads, and how one finding (``one``) and a study's (``many``) are told to them, as HTML."""

    name: str
    title: str
    headline: Callable[[Story], str]
    one: Callable[[Story], str]
    many: Callable[[Sequence[Story]], str]


AUDIENCES: Mapping[str, Audience] = {
    each.name: each
    for each in (
        Audience(
            name="council",
            title="Council and governors",
            headline=words_council.headline,
            one=words_council.one,
            many=words_council.many,
        ),
        Audience(
            name="annex",
            title="Technical annex",
            headline=words_annex.headline,
            one=words_annex.one,
            many=words_annex.many,
        ),
    )
}


def audience_of(name: str) -> Audience:
    """The audience of that name.

    Raises
    ------
    DisclosureError
        If nothing is written for it yet; the message lists those that are.
    """
    if name not in AUDIENCES:
        raise DisclosureError(f"no wording for audience {name!r}; there is {', '.join(AUDIENCES)}.")
    return AUDIENCES[name]
