"""What the ledger takes in and gives out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from compute.core.batch import MadeFor, TableChanges
from rosetta.dead_letters import Payload
from rosetta.enums import DlqKind, DlqOperation, ErrorClass
from rosetta.identifiers import TableId
from rosetta.lsn import StreamPosition

_FLAGS = ("folded", "has_deletes", "has_unchanged", "has_moved")


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the ledger to be.

    Attributes:
        position: SEGMENT: the end of its batch. RECORD: the change's id, as (lsn, lsn, ordinal).
        part: order among the rows of one batch.
        key_hashes: of a RECORD, see `compute.dlq.keys`.
        behind: the change waits behind an older one of its key, and is tried after that.
    """

    destination_id: int
    sync_id: int
    table: TableId
    kind: DlqKind
    error_class: ErrorClass
    position: StreamPosition
    payload: Payload
    error_code: str
    error_message: str
    part: int = 0
    operation: DlqOperation | None = None
    key_hashes: tuple[bytes, ...] | None = None
    source_xid: int | None = None
    commit_time: float | None = None
    behind: bool = False

    @property
    def identity(self) -> tuple[object, ...]:
        """Two entries that share it are the same piece of the stream."""
        return (self.destination_id, self.error_class, self.kind, self.position, self.part, self.sync_id)


@dataclass(frozen=True, slots=True)
class Parked:
    """What the dispatcher needs to know of a row.

    `identity` is that of the entry it was made of, and `fresh` whether this was the first time; for rows just parked.
    """

    row_id: int
    destination_id: int
    table: TableId
    identity: tuple[object, ...] = ()
    fresh: bool = True


@dataclass(frozen=True, slots=True)
class OpenRow:
    """An open row of the ledger, its payload opened.

    `raw_bytes` is the size of the payload's COPY text. `changed_at`: when somebody last changed the row, a person
    perhaps.
    """

    row_id: int
    destination_id: int
    sync_id: int | None
    table: TableId
    kind: DlqKind
    error_class: ErrorClass
    position: StreamPosition
    part: int
    payload: Payload
    raw_bytes: int
    attempts: int
    error_code: str | None
    commit_time: float | None
    created_at: datetime
    changed_at: datetime
    key_hashes: tuple[bytes, ...] = field(default=())

    @property
    def parked(self) -> Parked:
        return Parked(self.row_id, self.destination_id, self.table)

    def changes(self) -> TableChanges:
        """The payload as it came down the stream, or as the rules of its table sync made it."""
        return changes_of(self.payload, self.table, self.sync_id)


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much is open: rows of the ledger, changes in them, their bytes of COPY text, and since when (seconds)."""

    rows: int = 0
    changes: int = 0
    raw_bytes: int = 0
    age_seconds: float = 0.0


def payload_of(changes: TableChanges) -> Payload:
    """`changes` as the ledger keeps them."""
    return Payload(
        columns=changes.columns,
        types=changes.types,
        key=changes.key,
        data=bytes(changes.data),
        row_count=changes.row_count,
        flags=frozenset(name for name in _FLAGS if getattr(changes, name)),
        rules=None if changes.made_for is None else changes.made_for.rules,
    )


def changes_of(payload: Payload, table: TableId, sync_id: int | None = None) -> TableChanges:
    """What `payload_of` was made of. `sync_id`: whose row of the ledger it is in."""
    made_for = None if payload.rules is None or sync_id is None else MadeFor((sync_id,), payload.rules)
    return TableChanges(
        table=table,
        columns=payload.columns,
        types=payload.types,
        key=payload.key,
        row_count=payload.row_count,
        data=payload.data,
        folded="folded" in payload.flags,
        has_deletes="has_deletes" in payload.flags,
        has_unchanged="has_unchanged" in payload.flags,
        has_moved="has_moved" in payload.flags,
        made_for=made_for,
    )


TRUNCATE_PAYLOAD = Payload(truncate=True)
