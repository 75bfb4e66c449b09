"""The secret key by which pupil numbers become hashes, and the hashes themselves.

Unique pupil numbers are few and made by a known rule, so a plain hash of one is found by trying them all. A keyed hash
is not, as long as the key lies elsewhere: it is made here, is never written beside the data, and is never printed.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from belonging_research.errors import SourceError

KEY_BYTES = 32
_HASH_BYTES = 16
_PURPOSE = b"belonging pupil"  # a hash of one purpose says nothing about that of another


def write_new_key(path: Path) -> None:
    """Write a new key of 32 random bytes, as hex, that only its owner may read.

    Raises
    ------
    SourceError
        If something is there already, or the place is inside a project or its data, or cannot be written.
    """
    _refuse_inside_project(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SourceError(
            f"{path}: is there already and is left alone: without it, pupils could never be matched again. Name "
            "another file."
        ) from None
    except OSError as error:
        raise SourceError(
            f"{path}: cannot be written ({error.strerror}). Name a place that you may write to."
        ) from None
    with os.fdopen(file, "w", encoding="ascii") as stream:
        stream.write(secrets.token_hex(KEY_BYTES) + "\n")


def read_key(path: Path, *, out: Path) -> bytes:
    """The key of a file that `belonging key new` made; ``out`` is where extracts go, which may not hold it.

    Raises
    ------
    SourceError
        If there is none, it lies beside the data, is no hex, or is shorter than 32 bytes. Nothing of it is shown.
    """
    _refuse_inside_project(path)
    if path.resolve().is_relative_to(out.resolve()):
        raise _beside_data(path)
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise SourceError(
            f"{path}: the key cannot be read ({error.strerror}). `belonging key new {path}` makes one."
        ) from None
    except UnicodeDecodeError:
        text = ""
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2})+", text):
        raise SourceError(f"{path}: no key; expected {2 * KEY_BYTES} hex digits, as `belonging key new` writes them.")
    key = bytes.fromhex(text)
    if len(key) < KEY_BYTES:
        raise SourceError(
            f"{path}: the key has {len(key)} bytes; expected {KEY_BYTES} or more. A short key can be found by trying. "
            "Make one with `belonging key new`."
        )
    if len(key) > hashlib.blake2b.MAX_KEY_SIZE:
        raise SourceError(f"{path}: the key has {len(key)} bytes; at most {hashlib.blake2b.MAX_KEY_SIZE} are used.")
    return key


def _refuse_inside_project(path: Path) -> None:
    above = path.resolve().parents
    is_project = any((folder / "pyproject.toml").is_file() for folder in above)
    if is_project or path.resolve().is_relative_to(Path("data").resolve()):
        raise _beside_data(path)


def _beside_data(path: Path) -> SourceError:
    return SourceError(
        f"{path}: lies inside the project or beside its data. Who has both can find out whose the rows are. Keep the "
        "key somewhere else, such as a folder of your own that is not shared."
    )


class PupilHashes:
    """Keyed hashes of pupil numbers, each worked out once: BLAKE2b, 16 bytes, as 32 hex digits.

    ``former`` links an earlier number of a pupil to the later one, so that both give one hash. :attr:`found` is each
    hash in the order in which it was first asked for.
    """

    def __init__(self, key: bytes, former: Mapping[str, str] | None = None) -> None:
        self._key = key
        self._former = dict(former or {})
        self._known: dict[str, int | None] = {}
        self._places: dict[str, int] = {}

    @property
    def found(self) -> list[str]:
        """The hashes, each once; its position is the number of :meth:`number`."""
        return list(self._places)

    def number(self, written: str) -> int | None:
        """The place in :attr:`found` of a pupil number's hash, however it was spaced or cased; None for a blank."""
        if written not in self._known:
            self._known[written] = self._place(plain_number(written))
        return self._known[written]

    def _place(self, plain: str) -> int | None:
        if not plain:
            return None
        seen: set[str] = set()
        while plain in self._former and plain not in seen:
            seen.add(plain)
            plain = self._former[plain]
        digest = hashlib.blake2b(plain.encode(), key=self._key, digest_size=_HASH_BYTES, person=_PURPOSE).hexdigest()
        return self._places.setdefault(digest, len(self._places))


def plain_number(written: str) -> str:
    """A pupil number without spaces and in capitals, so that one number is one text."""
    return "".join(written.split()).upper()
