"""The ledger: what was let out, one JSON line each, in the order in which it was.

It holds released values only, never what was hidden, so that ``results.json`` and the released tables can be
assembled from ledgers alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from belonging_research.disclosure.payload import canonical, digest
from belonging_research.errors import DisclosureError

Kind = Literal["finding", "estimate", "table", "display"]
KEYS = ("entry", "kind", "name", "policy", "digest", "n_suppressed", "reasons", "of", "payload")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One release.

    ``payload`` by kind: ``{"findings": [row]}`` | ``{"estimate": {...}}`` |
    ``{"columns", "rows", "measures"}`` | ``{"display", "mime", "sha256", "title", "alt", "table"}``.
    ``of`` names the entries that a display shows.
    ``reasons`` counts hidden cells or findings by reason.
    """

    entry: str
    kind: Kind
    name: str
    policy: str
    digest: str
    n_suppressed: int
    payload: Mapping[str, Any]
    reasons: Mapping[str, int] = field(default_factory=dict)
    of: tuple[str, ...] = ()

    def line(self) -> str:
        """The entry as one line of JSON, without its line end."""
        return canonical({key: list(self.of) if key == "of" else getattr(self, key) for key in KEYS})


def new_entry(
    sequence: int,
    kind: Kind,
    payload: Mapping[str, Any],
    *,
    policy: str,
    name: str = "",
    n_suppressed: int = 0,
    reasons: Mapping[str, int] | None = None,
    of: tuple[str, ...] = (),
) -> LedgerEntry:
    """An entry whose id is a hash of its content and its place in the ledger, 16 hex characters."""
    content_digest = digest(payload)
    entry = digest([sequence, kind, name, policy, content_digest, list(of)])[:16]
    return LedgerEntry(
        entry=entry,
        kind=kind,
        name=name or f"{kind}_{entry}",
        policy=policy,
        digest=content_digest,
        n_suppressed=n_suppressed,
        payload=payload,
        reasons=dict(reasons or {}),
        of=of,
    )


def read_ledger(path: Path) -> tuple[LedgerEntry, ...]:
    """The entries of a ledger file, in order.

    Raises
    ------
    DisclosureError
        If the file is missing, a line is not an entry, or a payload is not the one it was written with.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise DisclosureError(f"{path.name}: no such ledger; nothing of this notebook can be released.") from None
    except (OSError, UnicodeDecodeError):
        raise DisclosureError(f"{path.name}: cannot be read as UTF-8 text; run the notebook again.") from None
    lines = lines[:-1] if lines and not lines[-1] else lines
    return tuple(_entry(line, f"{path.name}, line {number}") for number, line in enumerate(lines, start=1))


def _entry(line: str, where: str) -> LedgerEntry:
    try:
        content = json.loads(line)
        if set(content) != set(KEYS) or content["kind"] not in get_args(Kind):
            raise ValueError
    except (ValueError, TypeError):
        raise DisclosureError(
            f"{where}: not a ledger entry (a run cut off leaves such a line). Run the notebook again."
        ) from None
    if digest(content["payload"]) != content["digest"]:
        raise DisclosureError(f"{where}: the payload was changed after it was cleared. Run the notebook again.")
    content["of"] = tuple(content["of"])
    return LedgerEntry(**content)
