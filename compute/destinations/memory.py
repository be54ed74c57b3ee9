"""The contract in memory: what a destination must do, row by row and without a server; tests inject faults.

It is the reference that the property tests hold the set-based destinations to, so it is written to be
read, not to be fast. Keys and rows are compared by their text.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from compute.destinations.base import (
    Capabilities,
    Durability,
    NothingPutOff,
    RangeCheck,
    Refusals,
    RowChunk,
    TableTarget,
    WriteBatch,
    WriteResult,
    ignore_refusals,
)
from compute.destinations.copies import KEYS_AT_ONCE, copy_incomplete, copy_not_started
from compute.destinations.memory_batch import BatchWriter, Rule
from compute.destinations.memory_chunks import ChunkWriter, order
from compute.destinations.memory_tables import Table, apply_net, find
from rosetta.enums import SyncMode
from rosetta.errors import DataError, FencedError, OutageError, SchemaMismatchError
from rosetta.identifiers import TableId
from rosetta.lsn import StreamPosition


@dataclass
class MemoryStore:
    """What outlives a writer: the database of this destination. `rules` are its constraints.

    Whoever opens it or writes to it holds `alone`, as a transaction holds the fence's row: between the look at the
    fence and the commit nobody else can take it.
    """

    tables: dict[TableId, Table] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    epoch: int = -1
    position: StreamPosition | None = None
    alone: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)


Fault = Callable[[str], None]


class MemoryDestination(NothingPutOff):
    """Writes to a `MemoryStore`.

    `fault(step)` runs before each step (`open`, `write`, `commit`, `committed`, `rows`) and may raise: before
    `committed` nothing has happened, at `committed` everything has.
    """

    capabilities = Capabilities()

    def __init__(self, store: MemoryStore, fault: Fault | None = None) -> None:
        self.store = store
        self.fault: Fault = fault or (lambda _step: None)
        self._epoch: int | None = None

    def open(self, epoch: int) -> None:
        with self.store.alone:
            self.fault("open")
            if epoch < self.store.epoch:
                raise FencedError(f"epoch {epoch} is fenced by {self.store.epoch}")
            self.store.epoch = self._epoch = epoch

    def close(self) -> None:
        self._epoch = None

    def ping(self) -> None:
        if self._epoch is None:
            raise OutageError("not open", code="NOT_CONNECTED")

    def durable_position(self) -> StreamPosition | None:
        self.ping()
        return self.store.position

    def ensure_table(self, target: TableTarget) -> None:
        self.ping()
        table = self.store.tables.setdefault(target.target, Table(target.source))
        if table.source != target.source:
            raise SchemaMismatchError(f"{target.target} is already written from {table.source}", code="TARGET_TAKEN")

    def matches(self, _check: RangeCheck, /) -> bool:
        """Keeps no hashes of its rows, so that it cannot tell."""
        return False

    def start_copy(self, target: TableTarget) -> None:
        table = self._table(target)
        table.copying = True
        for row in table.rows.values():
            row.confirmed = False

    def unconfirmed_keys(self, target: TableTarget, after: tuple[str, ...] | None) -> list[tuple[str, ...]]:
        doubtful = [key for key, row in self._table(target).rows.items() if not (row.confirmed or row.deleted)]
        keys = sorted((tuple(part or "" for part in key) for key in doubtful), key=order)
        return [key for key in keys if after is None or order(key) > order(after)][:KEYS_AT_ONCE]

    def finish_copy(self, target: TableTarget) -> None:
        table = self._table(target)
        if table.copying and self.unfilled_keys(target):
            raise copy_incomplete(target)
        apply_net(table, target, table.held)
        table.copying, table.tombstones, table.graves, table.held = False, {}, {}, []

    def unfilled_keys(self, target: TableTarget) -> list[tuple[str, ...]]:
        unfilled = [key for key, row in self._table(target).rows.items() if row.unfilled and not row.deleted]
        return [tuple(value for value in key if value is not None) for key in unfilled]

    def write_changes(self, batch: WriteBatch, refused: Refusals = ignore_refusals) -> WriteResult:
        with self.store.alone:
            self._begin("write")
            store = self.store
            if batch.end is not None and store.position is not None and batch.end <= store.position:
                return WriteResult(0, Durability.DURABLE, store.position)
            written = BatchWriter(store.tables, store.rules, batch)
            written.write()
            if written.refusal:
                refused(written.refusal)
            self.fault("commit")
            position = store.position if batch.end is None else batch.end
            store.tables, store.position = written.tables, position
            self.fault("committed")
        return WriteResult(written.rows, Durability.DURABLE, position, written.refusal, frozenset(written.stale))

    def write_rows(self, chunk: RowChunk, refused: Refusals | None = None) -> int:
        with self.store.alone:
            self._begin("rows")
            table, target = self._table(chunk.target), chunk.target
            if target.mode is SyncMode.CURRENT and not table.copying:
                raise copy_not_started(target)
            written = ChunkWriter(self.store.tables, self.store.rules, chunk)
            try:
                written.merge()
            except DataError:
                if refused is None or target.mode is SyncMode.APPEND or not target.schema.key:
                    raise
                written = ChunkWriter(self.store.tables, self.store.rules, chunk)
                written.rescue()
                if written.refusal:
                    refused(written.refusal)
            self.store.tables = written.tables
        return written.rows

    def _begin(self, step: str) -> None:
        self.ping()
        self.fault(step)
        if self.store.epoch != self._epoch:
            raise FencedError(f"epoch {self._epoch} is fenced by {self.store.epoch}")

    def _table(self, target: TableTarget) -> Table:
        return find(self.store.tables, target)
