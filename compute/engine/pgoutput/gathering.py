"""The batch that is being gathered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from compute.core.batch import ChangeBatch, TableSpec
from compute.engine.pgoutput.tables import Table
from rosetta.identifiers import TableId
from rosetta.lsn import StreamPosition


@dataclass(slots=True)
class Gathering:
    """Everything behind `start`; `end` is set when it is handed on. Belongs to one thread at a time.

    Attributes:
        micros: newest commit time at the source, microseconds since 1970; -1 without a change.
        retained_bytes: estimated memory that it holds, never less than its text.
        changes: how many were taken into it; folding may have left fewer.
    """

    start: StreamPosition
    specs: Mapping[TableId, TableSpec]
    end: StreamPosition
    tables: dict[TableId, Table] = field(default_factory=dict)
    truncated: list[TableId] = field(default_factory=list)
    watermarks: list[str] = field(default_factory=list)
    micros: int = -1
    retained_bytes: int = 0
    changes: int = 0

    def build(self, sequence: int) -> ChangeBatch:
        """The batch; here its text is written."""
        return ChangeBatch(
            sequence=sequence,
            start=self.start,
            end=self.end,
            truncated=tuple(self.truncated),
            tables=tuple(table.finish() for table in self.tables.values()),
            watermarks=tuple(self.watermarks),
            commit_time=self.micros / 1e6 if self.micros >= 0 else None,
        )
