"""What a table is: its columns, their types, and the key that no two rows share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

Phase = Literal["all", "primary", "secondary", "special"]
Level = Literal["national", "region", "council", "school"]
Source = Literal["census", "daily", "register"]

PHASES: tuple[Phase, ...] = ("all", "primary", "secondary", "special")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its Arrow type, whether it may be null, and what it means."""

    name: str
    type: pa.DataType
    note: str
    nullable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """A table by the name of its row, its columns and the key that no two rows share."""

    row: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, nullability included."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns])
