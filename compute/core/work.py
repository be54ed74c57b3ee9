"""What a writer does at its destination, one piece of work after the other, in the order it was handed over."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from compute.backfill.flight import Pending
from compute.core import failpoints
from compute.core.batch import ChangeBatch, TableChanges
from compute.core.fitting import Fits, fitting_targets, grow, make_fit
from compute.core.growth import TypesGrewError, check_labels, with_new_labels
from compute.core.ruled_writes import ruled_writes
from compute.core.spans import NoSpans, Spans
from compute.core.unmade import park_unmade
from compute.destinations.base import (
    Destination,
    Durability,
    Refusal,
    TableTarget,
    TableWrite,
    WriteBatch,
    WriteResult,
)
from compute.dlq.entries import Divided
from compute.dlq.parking import Parking
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

    def table_held(self, sync_id: int, error: RosettaError) -> None:
        """A table is refused as it is; what comes for it waits in the ledger."""

    def table_taken(self, sync_id: int) -> None:
        """Nothing of a table that was held waits any more: it streams again."""

    def table_outdated(self, sync_id: int) -> None:
        """Rows of the table may differ from the source's though it follows the stream: it is to be copied again."""

    def current_schema(self, table: TableId) -> TableSchema | None:
        """The source table as it is now. Raises OutageError when the source cannot be asked."""

    def wrote(self, destination_id: int, target: TableTarget, changes: TableChanges, commit_time: float | None) -> None:
        """Counts what was written."""


class Desk:
    """A writer's view of its destination: the tables it serves and how far it is. Used by the writer's thread.

    `covered` is the newest batch that is durable here together with all before it; other threads may read it.
    Without `parking` a table that refuses a change fails. `backfills`: which tables that stream take chunks, and whose.
    """

    def __init__(
        self,
        destination_id: int,
        destination: Destination,
        events: DeskEvents,
        covered: int,
        parking: Parking | None = None,
        spans: Spans | None = None,
    ) -> None:
        self.destination_id = destination_id
        self.spans = spans or NoSpans()
        self.destination = destination
        self.events = events
        self.covered = covered
        self.parking = parking
        self.durable: StreamPosition | None = None
        self.commit_time: float | None = None
        self.targets: dict[int, TableTarget] = {}
        self.fits = Fits()
        self.backfills: dict[int, str] = {}
        self._written: deque[tuple[StreamPosition, int]] = deque()
        self.postponed: ChangeBatch | None = None

    def targets_of(self, table: TableId) -> list[TableTarget]:
        return [target for target in self.targets.values() if target.source == table]

    def fail_table(self, sync_id: int, error: RosettaError) -> None:
        """Stops serving a table; the others go on."""
        self.events.table_failed(sync_id, error)
        self.release(sync_id)

    def release(self, sync_id: int) -> None:
        """The table is not served any more."""
        self.targets.pop(sync_id, None)
        self.backfills.pop(sync_id, None)

    @property
    def reached(self) -> StreamPosition | None:
        """The newest position that was written, be it durable yet or not."""
        return self._written[-1][0] if self._written else self.durable

    def divide(self, batch: ChangeBatch, truncated: list[TableTarget], writes: list[TableWrite]) -> Divided:
        """What of a batch is to be written; the rest is parked when this returns."""
        if self.parking is None:
            return Divided(tuple(truncated), tuple(writes))
        self.parking.emptied(target for target in truncated if target.sync_id not in self.parking.held)
        divided = self.parking.divide(batch, truncated, writes)
        self.parking.park(divided.entries, batch, self.reached)
        return divided

    def refused(self, refusal: Refusal, divided: Divided, batch: ChangeBatch | None = None) -> None:
        """Parks what a write was refused; when this returns, that is in the ledger.

        A table that is being copied fails instead of being held: its copy has to begin anew anyway.
        """
        held: dict[int, RosettaError] = {}
        for sync_id, error in refusal.tables.items():
            copied = self.targets[sync_id].copying and sync_id not in self.backfills
            if self.parking is None or copied:
                self.fail_table(sync_id, error)
            else:
                held[sync_id] = error
        if self.parking is None:
            return
        entries = self.parking.entries.refused(refusal)
        for sync_id, error in held.items():
            entries += self.parking.entries.hold(self.targets[sync_id], error, divided, batch, self.reached)
        self.parking.park(entries, batch, self.reached)
        for sync_id, error in held.items():
            self.parking.holds(sync_id)
            self.events.table_held(sync_id, error)

    def cannot_take(self, target: TableTarget, error: RosettaError) -> None:
        """The target is not fit for its table: its changes wait from here on, or where they cannot, it fails."""
        self.refused(Refusal({target.sync_id: error}), Divided((), ()))

    def postpone(self, batch: ChangeBatch) -> None:
        """Nothing to write but the position: that waits for the next write or for `flush_progress`."""
        self.postponed = batch

    @property
    def has_postponed(self) -> bool:
        return self.postponed is not None

    def flush_progress(self) -> None:
        """Writes a postponed position."""
        batch = self.postponed
        if batch is not None:
            self.wrote(batch, self.destination.write_changes(WriteBatch(batch.end)))

    def wrote(self, batch: ChangeBatch, result: WriteResult) -> None:
        """Takes note of a write; what is only accepted counts once the destination says it is durable."""
        self.postponed = None
        self._written.append((batch.end, batch.sequence))
        if result.durability is not Durability.DURABLE:
            self.look()
        elif result.position is not None:
            self.cover(result.position)

    @property
    def awaits(self) -> bool:
        """Whether anything that was written is not known to be durable."""
        return bool(self._written)

    def look(self) -> None:
        """Asks the destination what is durable by now."""
        durable = self.destination.durable_position()
        if durable is not None:
            self.cover(durable)

    def skip(self, batch: ChangeBatch) -> None:
        """The destination had this batch already, and with it whatever was postponed before."""
        self.postponed = None
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
        truncated = [target for table in batch.truncated for target in desk.targets_of(table)]
        writes = [write for changes in batch.tables for write in self._writes(desk, changes)]
        if not writes and not truncated:
            desk.postpone(batch)
            return
        divided = park_unmade(desk, desk.divide(batch, truncated, writes), batch)

        def refused(refusal: Refusal) -> None:
            check_labels(refusal, desk.targets, desk.events.current_schema)
            desk.refused(refusal, divided, batch)

        try:
            with desk.spans.writing(desk.destination_id, batch, divided):
                written = WriteBatch(batch.end, divided.truncated, divided.writes)
                result = desk.destination.write_changes(written, refused)
        except TypesGrewError as grew:
            for target in grew.targets:
                grow(desk, target)
            self.run(desk)  # each schema is newer than the one before, so this ends
            return
        failpoints.hit("after_commit")
        for write in divided.writes:
            if write.target.sync_id not in result.refusal.tables:
                desk.events.wrote(desk.destination_id, write.target, write.changes, batch.commit_time)
        desk.commit_time = batch.commit_time or desk.commit_time
        desk.wrote(batch, result)

    @staticmethod
    def _writes(desk: Desk, changes: TableChanges) -> list[TableWrite]:
        targets = fitting_targets(desk, changes)
        return ruled_writes(targets, changes, desk.fail_table)


@dataclass(frozen=True, slots=True)
class PrepareWork:
    """Makes the target ready, and serves its table from here on in the stream.

    `anew`: its copy begins from the start, so that what is parked of it means nothing any more.
    """

    target: TableTarget
    prepared: Callable[[TableTarget], None]
    anew: bool = False

    def run(self, desk: Desk) -> None:
        target = self.target
        desk.release(target.sync_id)
        desk.targets[target.sync_id] = target
        if desk.parking is not None:
            if self.anew:
                desk.parking.begin_anew(target.sync_id)
            elif not desk.parking.loaded:
                desk.parking.load()
        if not self._is_held(desk):
            self._make_ready(desk)
        if target.sync_id in desk.targets:
            self.prepared(target)

    def _is_held(self, desk: Desk) -> bool:
        return desk.parking is not None and self.target.sync_id in desk.parking.held

    def _make_ready(self, desk: Desk) -> None:
        try:
            make_fit(desk, self.target)
            if self.target.copying:
                desk.destination.start_copy(self.target)
        except OutageError:
            raise
        except RosettaError as error:
            desk.cannot_take(self.target, error)
        else:
            desk.targets[self.target.sync_id] = replace(self.target, anew=False)


@dataclass(frozen=True, slots=True)
class ChunkWork:
    """Merges a copied chunk, or compares a range, right behind the batch that carried its watermark.

    Rows that are refused are parked, and with them what comes later for their keys.
    """

    pending: Pending

    def run(self, desk: Desk) -> None:
        target = desk.targets.get(self.pending.sync_id)
        if target is None:
            self.pending.failed(ConfigurationError("the table is not served any more", code="TABLE_NOT_SERVED"))
            return

        def refused(refusal: Refusal) -> None:
            check_labels(refusal, desk.targets, desk.events.current_schema)
            desk.refused(refusal, Divided((), ()))

        try:
            self.pending.land(desk.destination, target, None if desk.parking is None else refused)
        except OutageError:
            raise
        except TypesGrewError as grew:
            for one in grew.targets:
                grow(desk, one)
            self.run(desk)
        except RosettaError as error:
            grown = with_new_labels(target, error, desk.events.current_schema)
            if grown is not None and grow(desk, grown) is grown:
                self.run(desk)
                return
            desk.cannot_take(target, error)
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
            desk.cannot_take(target, error)
            return
        self.answer(keys)


@dataclass(frozen=True, slots=True)
class ReleaseWork:
    """The table is not served any more; its rows stay, and what is parked of it waits for a person's decision."""

    sync_id: int

    def run(self, desk: Desk) -> None:
        desk.release(self.sync_id)
        if desk.parking is not None:
            desk.parking.taken_again(self.sync_id)
