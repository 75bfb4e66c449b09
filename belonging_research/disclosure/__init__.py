"""The door: what may leave, in which form, and the ledger of what did.

`open_door`, `clear`, `Door.seal` write; `read_ledger`, `audit`, `refuse`, `is_sealed` stand at the other end,
where pages are rendered. Only `clear` makes a `Cleared`, and only a `Cleared` can be shown.
"""

from __future__ import annotations

from belonging_research.disclosure.audit import Problem, audit, refuse
from belonging_research.disclosure.clearing import Cleared, clear, vouch
from belonging_research.disclosure.door import (
    Door,
    Seal,
    is_sealed,
    open_door,
    payload_sha256,
    released_table,
    sealed_display,
)
from belonging_research.disclosure.ledger import LedgerEntry, read_ledger
from belonging_research.tables.measures import Amount, Measures, Rate, Total

__all__ = [
    "Amount",
    "Cleared",
    "Door",
    "LedgerEntry",
    "Measures",
    "Problem",
    "Rate",
    "Seal",
    "Total",
    "audit",
    "clear",
    "is_sealed",
    "open_door",
    "payload_sha256",
    "read_ledger",
    "refuse",
    "released_table",
    "sealed_display",
    "vouch",
]
