"""One notebook's way out: what it remembers, what it seals, and how a page checks a seal."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from belonging_research.disclosure.ledger import Kind, LedgerEntry, new_entry
from belonging_research.disclosure.payload import table_content, table_from
from belonging_research.errors import DisclosureError
from belonging_research.plan import POLICIES, Plan, SecrecyPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """Proof that a display came from cleared figures: its ledger entry and the SHA-256 of its bytes."""

    entry: str
    sha256: str
    kind: str


class Door:
    """One notebook's way out. It remembers what went through, in order; make it with `open_door`.

    ``stamp`` is what every picture must carry: "DRAFT", "SIMULATED", both, or nothing.
    """

    __slots__ = ("_earlier", "_entries", "draft", "plan", "policy", "through")

    def __init__(self, plan: Plan, through: Path | None, draft: bool, earlier: tuple[LedgerEntry, ...]) -> None:
        self.plan: Plan = plan
        self.policy: SecrecyPolicy = POLICIES[plan.policy]
        self.through = through
        self.draft = draft
        self._earlier = earlier
        self._entries: list[LedgerEntry] = []

    def __repr__(self) -> str:
        return f"<Door {self.policy.name}, {len(self._entries)} entries>"

    @property
    def stamp(self) -> str:
        """The words that every picture carries."""
        return " · ".join(word for word, so in (("SIMULATED", self.plan.simulated), ("DRAFT", self.draft)) if so)

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """Everything that went through this door."""
        return tuple(self._entries)

    @property
    def earlier(self) -> tuple[LedgerEntry, ...]:
        """Everything that this door knows to be out: earlier ledgers of the run, then its own."""
        return (*self._earlier, *self._entries)

    def entry(self, entry: str) -> LedgerEntry:
        """The entry of that id, from this ledger or an earlier one of the run.

        Raises
        ------
        DisclosureError
            If there is none.
        """
        for each in self.earlier:
            if each.entry == entry:
                return each
        raise DisclosureError(f"ledger entry {entry} is not in this run; clear the figures first.")

    def record(
        self,
        kind: Kind,
        payload: Mapping[str, Any],
        *,
        name: str = "",
        reasons: Mapping[str, int] | None = None,
        of: tuple[str, ...] = (),
        layer: str = "county",
    ) -> LedgerEntry:
        """Write one entry, under the policy of its ``layer``. Of use to this room only: others call `clear`, `seal`.

        Raises
        ------
        DisclosureError
            If the ledger file cannot be written.
        """
        entry = new_entry(
            len(self._entries),
            kind,
            payload,
            policy=self.plan.policy_of(layer).name,
            name=name,
            n_suppressed=sum((reasons or {}).values()),
            reasons=reasons,
            of=of,
        )
        if self.through is not None:
            try:
                with self.through.open("a", encoding="utf-8", newline="\n") as ledger:
                    ledger.write(entry.line() + "\n")
            except OSError:
                raise DisclosureError(
                    f"{self.through.name}: the ledger cannot be written; nothing was released. "
                    "Check that the output folder exists and is not full or open elsewhere."
                ) from None
        self._entries.append(entry)
        return entry

    def seal(
        self,
        kind: str,
        payload: bytes | str,
        entries: Sequence[str],
        *,
        mime: str,
        title: str = "",
        alt: str = "",
        table: pa.Table | None = None,
    ) -> Seal:
        """Record that ``payload`` (the very bytes that a page will show) displays cleared ``entries``.

        ``table`` holds the figures of the display as printed; it goes into the ledger, so that each printed
        value can be found in a released table.

        Raises
        ------
        DisclosureError
            If it displays no cleared entry, or one that this run does not have.
        """
        if not entries:
            raise DisclosureError(f"a {kind} that shows no cleared figures cannot be sealed.")
        of = tuple(self.entry(each).entry for each in entries)
        sha256 = payload_sha256(payload)
        content = {"display": kind, "mime": mime, "sha256": sha256, "title": title, "alt": alt}
        shown = {**content, "table": None if table is None else table_content(table)}
        return Seal(entry=self.record("display", shown, of=of).entry, sha256=sha256, kind=kind)


def open_door(
    plan: Plan, *, through: Path | str | None = None, draft: bool = True, earlier: Sequence[LedgerEntry] = ()
) -> Door:
    """Open the door of one notebook and begin its ledger anew.

    ``through`` is the ledger file (None or "" keeps it in memory, for exploring in JupyterLab, where nothing
    can be released); a ledger of an earlier try is replaced. ``earlier`` are the entries of the run's other
    notebooks. ``draft`` is False for `publish` alone.

    Raises
    ------
    DisclosureError
        If the ledger's folder cannot be written.
    """
    path = Path(through) if through else None
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        except OSError:
            raise DisclosureError(
                f"{path.name}: the ledger cannot be written in {path.parent.name}/; choose another folder."
            ) from None
    return Door(plan, path, draft, tuple(earlier))


def is_sealed(payload: bytes | str, ledger: Sequence[LedgerEntry]) -> bool:
    """Whether a ledger records these very bytes as a display of cleared figures (the door at render)."""
    return sealed_display(payload, ledger) is not None


def sealed_display(payload: bytes | str, ledger: Sequence[LedgerEntry]) -> LedgerEntry | None:
    """The ledger's record of these bytes, with title, alt text and printed table; None where it has none."""
    sha256 = payload_sha256(payload)
    return next((each for each in ledger if each.kind == "display" and each.payload["sha256"] == sha256), None)


def payload_sha256(payload: bytes | str) -> str:
    """SHA-256 of a display's bytes (text as UTF-8), 64 hex characters."""
    return hashlib.sha256(payload if isinstance(payload, bytes) else payload.encode()).hexdigest()


def released_table(entry: LedgerEntry) -> pa.Table:
    """The table of a ``table`` entry, or the printed figures of a ``display`` entry.

    Raises
    ------
    DisclosureError
        If the entry holds no table.
    """
    content = entry.payload.get("table") if entry.kind == "display" else entry.payload
    if not content or "columns" not in content:
        raise DisclosureError(f"ledger entry {entry.entry} ({entry.kind}) holds no table.")
    return table_from(content)
