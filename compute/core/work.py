"""What a writer does at its destination, one piece of work after the other, in the order it was handed over."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from compute.backfill.flight import Pending
from compute.core import failpoints
from compute.core.batch import ChangeBatch, TableChanges
from compute.destinations.base import (
    Destination,
    Durability,
    Refusal,
    TableTarget,
    TableWrite,
    WriteBatch,
    WriteResult,
)
from rosetta.errors import ConfigurationError, OutageError, RosettaError
from rosetta.identifiers import TableId
from rosetta.lsn import StreamPosition
from rosetta.types import TableSchema


class DeskEvents(Protocol):
    """Whom a writer tells; every method is called on the writer's thread."""

    def progressed(self) -> None:
        """More of the stream is durable."""

    def table_failed(self, sync_id: int, error: RosettaError) -> None:
        """A table refused its changes. Returns only when that is written down, so that it is never silent."""

    def current_schema(self, table: TableId) -> TableSchema | None:
        """The source table as it is now. Raises OutageError when the source cannot be asked."""

    def wrote(self, destination_id: int, target: TableTarget, changes: TableChanges, commit_time: float | None) -> None:
        """Counts what was written."""


class Desk:
    """A writer's view of its destination: the tables it serves and how far it is. Used by the writer's thread.

    `covered` is the newest batch that is durable here together with all before it; other threads may read it.
    """

    def __init__(self, destination_id: int, destination: Destination, events: DeskEvents, covered: int) -> None:
        self.destination_id = destination_id
        self.destination = destination
        self.events = events
        self.covered = covered
        self.durable: StreamPosition | None = None
        self.commit_time: float | None = None
        self.targets: dict[int, TableTarget] = {}
        self._written: deque[tuple[StreamPosition, int]] = deque()
        self._postponed: ChangeBatch | None = None

    def targets_of(self, table: TableId) -> list[TableTarget]:
        return [target for target in self.targets.values() if target.source == table]

    def fail_table(self, sync_id: int, error: RosettaError) -> None:
        """Stops serving a table; the others go on."""
        self.events.table_failed(sync_id, error)
        self.targets.pop(sync_id, None)

    def refused(self, refusal: Refusal) -> None:
        """`fail_table` for all that a batch failed for."""
        for sync_id, error in refusal.tables.items():
            self.fail_table(sync_id, error)

    def postpone(self, batch: ChangeBatch) -> None:
        """Nothing to write but the position: that waits for the next write or for `flush_progress`."""
        self._postponed = batch

    @property
    def has_postponed(self) -> bool:
        return self._postponed is not None

    def flush_progress(self) -> None:
        """Writes a postponed position."""
        batch = self._postponed
        if batch is not None:
            self.wrote(batch, self.destination.write_changes(WriteBatch(batch.end)))

    def wrote(self, batch: ChangeBatch, result: WriteResult) -> None:
        """Takes note of a write; what is only accepted counts once the destination says it is durable."""
        self._postponed = None
        self._written.append((batch.end, batch.sequence))
        durable = result.position if result.durability is Durability.DURABLE else self.destination.durable_position()
        if durable is not None:
            self.cover(durable)

    def skip(self, batch: ChangeBatch) -> None:
        """The destination had this batch already."""
        self._written.append((batch.end, batch.sequence))
        if self.durable is not None:
            self.cover(self.durable)

    def cover(self, durable: StreamPosition) -> None:
        """Everything up to `durable` is there for good."""
        self.durable = durable
        while self._written and self._written[0][0] <= durable:
            self.covered = self._written.popleft()[1]
        self.events.progressed()


class Work(Protocol):
    """One piece. It is done again from the start after an outage, so it must bear that."""

    def run(self, desk: Desk) -> None: ...


@dataclass(frozen=True, slots=True)
class ChangesWork:
    """Writes a batch's changes of the tables that are served here, and the position."""

    batch: ChangeBatch

    def run(self, desk: Desk) -> None:
        batch = self.batch
        if desk.durable is not None and batch.end <= desk.durable:
            desk.skip(batch)
            return
        truncated = tuple(target for table in batch.truncated for target in desk.targets_of(table))
        writes = tuple(
            TableWrite(target, changes) for changes in batch.tables for target in _fitting_targets(desk, changes)
        )
        if not writes and not truncated:
            desk.postpone(batch)
            return
        result = desk.destination.write_changes(WriteBatch(batch.end, truncated, writes), desk.refused)
        failpoints.hit("after_commit")
        for write in writes:
            if write.target.sync_id not in result.refusal.tables:
                desk.events.wrote(desk.destination_id, write.target, write.changes, batch.commit_time)
        desk.commit_time = batch.commit_time or desk.commit_time
        desk.wrote(batch, result)


@dataclass(frozen=True, slots=True)
class PrepareWork:
    """Makes the target ready, and serves its table from here on in the stream."""

    target: TableTarget
    prepared: Callable[[TableTarget], None]

    def run(self, desk: Desk) -> None:
        try:
            desk.destination.ensure_table(self.target)
            if self.target.copying:
                desk.destination.start_copy(self.target)
        except OutageError:
            raise
        except RosettaError as error:
            desk.fail_table(self.target.sync_id, error)
            return
        desk.targets[self.target.sync_id] = self.target
        self.prepared(self.target)


@dataclass(frozen=True, slots=True)
class ChunkWork:
    """Merges a copied chunk, or compares a range, right behind the batch that carried its watermark."""

    pending: Pending

    def run(self, desk: Desk) -> None:
        target = desk.targets.get(self.pending.sync_id)
        if target is None:
            self.pending.failed(ConfigurationError("the table is not served any more", code="TABLE_NOT_SERVED"))
            return
        try:
            self.pending.land(desk.destination, target)
        except OutageError:
            raise
        except RosettaError as error:
            desk.fail_table(target.sync_id, error)
            self.pending.failed(error)


@dataclass(frozen=True, slots=True)
class AskWork:
    """Asks the destination for keys of a table that is copied, behind everything that was handed over before.

    For a table that is not served (any more) there is no answer.
    """

    sync_id: int
    question: Callable[[Destination, TableTarget], list[tuple[str, ...]]]
    answer: Callable[[list[tuple[str, ...]]], None]

    def run(self, desk: Desk) -> None:
        target = desk.targets.get(self.sync_id)
        if target is None:
            return
        try:
            keys = self.question(desk.destination, target)
        except OutageError:
            raise
        except RosettaError as error:
            desk.fail_table(self.sync_id, error)
            return
        self.answer(keys)


@dataclass(frozen=True, slots=True)
class FinishCopyWork:
    """The last chunk is merged: the table only streams from here on."""

    sync_id: int
    finished: Callable[[], None]

    def run(self, desk: Desk) -> None:
        target = desk.targets.get(self.sync_id)
        if target is None:
            return
        try:
            desk.destination.finish_copy(target)
        except OutageError:
            raise
        except RosettaError as error:
            desk.fail_table(self.sync_id, error)
            return
        desk.targets[self.sync_id] = replace(target, copying=False)
        self.finished()


@dataclass(frozen=True, slots=True)
class ReleaseWork:
    """The table is not served any more; its rows stay."""

    sync_id: int

    def run(self, desk: Desk) -> None:
        desk.targets.pop(self.sync_id, None)


def _fitting_targets(desk: Desk, changes: TableChanges) -> list[TableTarget]:
    """The table's targets, grown first where the stream has columns that they do not know."""
    fitting: list[TableTarget] = []
    for target in desk.targets_of(changes.table):
        if set(changes.columns) <= set(target.schema.column_names):
            fitting.append(target)
            continue
        schema = desk.events.current_schema(changes.table)
        grown = target if schema is None else replace(target, schema=schema)
        try:
            desk.destination.ensure_table(grown)
        except OutageError:
            raise
        except RosettaError as error:
            desk.fail_table(target.sync_id, error)
            continue
        desk.targets[target.sync_id] = grown
        fitting.append(grown)
    return fitting
