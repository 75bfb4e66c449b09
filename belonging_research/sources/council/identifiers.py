"""What a unique pupil number looks like, so that none stays where none may be.

Source: "Unique pupil numbers: guidance" (Department for Education): a check letter, twelve digits, the last of which is
a letter in a temporary number; the check letter is the sum of the others times 2 to 13, modulo 23, over the alphabet
without I, O and S.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"
_LENGTH = 13
_PATTERN = r"(?i)\b[A-Z][0-9]{11}[0-9A-Z]\b"
_ONE = re.compile(_PATTERN)


def check_letter(rest: str) -> str:
    """The letter before twelve characters: digits, the last of which may be a letter of a temporary number."""
    values = [_LETTERS.index(each) if each in _LETTERS else int(each) for each in rest]
    return _LETTERS[sum(value * weight for weight, value in enumerate(values, start=2)) % 23]


def is_upn(text: str) -> bool:
    """Whether a text is a unique pupil number, temporary ones among them, by pattern and check letter."""
    if not (_ONE.fullmatch(text) and text.isascii()):
        return False
    text = text.upper()
    return (text[-1].isdigit() or text[-1] in _LETTERS) and text[0] == check_letter(text[1:])


def holds_upn(texts: pa.Array | pa.ChunkedArray) -> bool:
    """Whether any of many texts holds a unique pupil number, alone or among other words."""
    long = texts.filter(pc.greater_equal(pc.utf8_length(texts), _LENGTH))
    if not len(long):
        return False
    alike = long.filter(pc.match_substring_regex(long, _PATTERN))
    return any(is_upn(hit) for text in pc.unique(alike).to_pylist() for hit in _ONE.findall(text))
