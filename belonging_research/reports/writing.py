"""Bytes to disk so that a killed run leaves no half file: temporary name, then rename; one writer a study."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from belonging_research.errors import ReportError

_FORMULA = re.compile(r"[=@]|[+-](?![\d.])")
# A sync client (OneDrive) or a virus scanner holds a fresh file for moments: about five seconds of patience.
_WAITS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0)


def canonical_json(content: object) -> str:
    """JSON with sorted keys, two spaces, LF at the end and no NaN: the same content is the same text.

    Raises
    ------
    ReportError
        If a number is NaN or infinite.
    """
    try:
        return json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except ValueError:
        raise ReportError(
            "results: a number is NaN or infinite; write null and a reason where there is no number."
        ) from None


def sha256_of(content: bytes | str) -> str:
    """SHA-256 of bytes, or of text as UTF-8; 64 hex characters."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def csv_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A CSV as text, LF line ends: null is an empty field, true and false are words, numbers as in JSON."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_field(value) for value in row] for row in rows])
    return buffer.getvalue()


def _field(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | int):
        return json.dumps(value, allow_nan=False)
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    text = str(value)
    # A spreadsheet would run a text that begins like a formula; a number written as text is none.
    return "'" + text if _FORMULA.match(text) else text


def patiently(action: Callable[[], object], what: str) -> None:
    """Do a rename or removal, again while something else holds the file.

    Raises
    ------
    ReportError
        If it is still held after about five seconds.
    """
    for wait in (*_WAITS, None):
        try:
            action()
            return
        except PermissionError:
            if wait is None:
                raise ReportError(
                    f"{what}: another program (a sync client, Excel, a virus scanner) holds it. Close it, "
                    "pause syncing, or use --out with a folder that is not synced; then run again."
                ) from None
            time.sleep(wait)


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write one file under a temporary name beside it, then rename. Text is UTF-8 with LF.

    Raises
    ------
    ReportError
        If the disk is full or the folder cannot be written.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ReportError(f"{path.name}: cannot be written ({error.strerror}). {_MEND}") from None
    patiently(lambda: partial.replace(path), path.name)


_MEND = "Use --out with a folder you may write to and that has room."


def require_writable(folder: Path) -> None:
    """Refuse an output folder that cannot be written, before any work starts; leaves nothing behind.

    Raises
    ------
    ReportError
        If it is a file, cannot be made, or cannot be written.
    """
    standing = folder
    while not standing.exists() and standing != standing.parent:
        standing = standing.parent
    if not standing.is_dir():
        raise ReportError(f"output folder {folder}: {standing.name} is a file, not a folder. {_MEND}")
    probe = standing / f".belonging-{uuid.uuid4().hex[:8]}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise ReportError(f"output folder {folder}: cannot be written ({error.strerror}). {_MEND}") from None


def remove_tree(folder: Path) -> None:
    """Remove a folder with its content, if it is there."""
    if folder.exists():
        patiently(lambda: shutil.rmtree(folder), folder.name)


def put_in_place(partial: Path, final: Path) -> None:
    """Rename a finished folder to its lasting name; an older one of that name makes way only then."""
    old = final.with_name(f".{final.name}.old")
    remove_tree(old)
    if final.exists():
        patiently(lambda: final.rename(old), final.name)
    patiently(lambda: partial.rename(final), final.name)
    remove_tree(old)


@contextlib.contextmanager
def only_writer(study_folder: Path) -> Iterator[None]:
    """Hold a study's folder: a second run of the same study at the same time is refused.

    Raises
    ------
    ReportError
        If another run holds it, or it cannot be made.
    """
    path = study_folder / ".lock"
    try:
        study_folder.mkdir(parents=True, exist_ok=True)
        handle = _locked(path)
    except OSError as error:
        raise ReportError(f"{study_folder}: cannot be written ({error.strerror}). {_MEND}") from None
    if handle is None:
        raise ReportError(
            f"another run of {study_folder.name} is writing to {study_folder}. Wait for it, or use --out."
        )
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(handle)
        with contextlib.suppress(OSError):
            path.unlink()
        with contextlib.suppress(OSError):
            study_folder.rmdir()


def _locked(path: Path) -> int | None:
    """An open handle that holds the lock, or None where another process does."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _lock(handle):
            os.close(handle)
            return None
        # The last holder may have removed the file between our open and our lock.
        if path.exists() and os.fstat(handle).st_ino == path.stat().st_ino:
            return handle
        os.close(handle)


def _lock(handle: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        # A network folder without locks: one writer is then the user's promise.
        return True
    return True
