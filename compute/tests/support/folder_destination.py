"""A toy destination, for docs/ADD_A_DESTINATION.md: tables in one file, replaced whole with each write.

What to write is worked out by the destination in memory; what is shown here is what every destination has to add to
that: a place that outlives the process, a commit that is whole or not at all, and a fence that other processes respect.
"""

from __future__ import annotations

import fcntl
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from compute.destinations.base import Refusals, RowChunk, TableTarget, WriteBatch, WriteResult, ignore_refusals
from compute.destinations.memory import MemoryDestination, MemoryStore
from compute.destinations.memory_batch import Rule
from rosetta.lsn import StreamPosition


def load(file: Path) -> MemoryStore:
    """What was committed last; nothing when nothing ever was."""
    if not file.exists():
        return MemoryStore()
    tables, epoch, position = pickle.loads(file.read_bytes())
    return MemoryStore(tables=tables, epoch=epoch, position=position)


class FolderDestination(MemoryDestination):
    """Writes to `tables` in a folder; one writer at a time, whatever process it is in."""

    def __init__(self, folder: Path, rules: list[Rule]) -> None:
        super().__init__(MemoryStore(rules=rules))
        self._file = folder / "tables"
        self._rules = rules

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Locked: what others committed is read first; what is left when the block ends well is committed."""
        with self._file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.store = load(self._file)
            self.store.rules = self._rules
            yield
            partial = self._file.with_suffix(".partial")
            partial.write_bytes(pickle.dumps((self.store.tables, self.store.epoch, self.store.position)))
            partial.replace(self._file)

    def open(self, epoch: int) -> None:
        with self._transaction():
            super().open(epoch)

    def durable_position(self) -> StreamPosition | None:
        with self._transaction():
            return super().durable_position()

    def ensure_table(self, target: TableTarget) -> None:
        with self._transaction():
            super().ensure_table(target)

    def start_copy(self, target: TableTarget) -> None:
        with self._transaction():
            super().start_copy(target)

    def finish_copy(self, target: TableTarget) -> None:
        with self._transaction():
            super().finish_copy(target)

    def write_changes(self, batch: WriteBatch, refused: Refusals = ignore_refusals) -> WriteResult:
        with self._transaction():
            return super().write_changes(batch, refused)

    def write_rows(self, chunk: RowChunk, refused: Refusals | None = None) -> int:
        with self._transaction():
            return super().write_rows(chunk, refused)
