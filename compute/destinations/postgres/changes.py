"""A batch of changes in one target transaction, a savepoint per table sync."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from compute.core.batch import TableChanges
from compute.destinations.base import Durability, Refusal, Refusals, TableTarget, WriteBatch, WriteResult
from compute.destinations.postgres.progress import Progress
from compute.destinations.postgres.session import Session
from compute.destinations.postgres.staging import Staging
from compute.destinations.postgres.writers import writer_for
from rosetta.dialects.postgres.merge_table import copy_changes_sql
from rosetta.errors import DataError, RosettaError
from rosetta.lsn import StreamPosition


@dataclass
class _SyncWork:
    """What a batch holds for one table sync, applied whole or not at all."""

    target: TableTarget
    truncated: bool = False
    changes: list[TableChanges] = field(default_factory=list)


class Changes:
    """Writes batches; rows, versions, tombstones, progress and the fence's check commit together."""

    def __init__(self, session: Session, progress: Progress, staging: Staging) -> None:
        self._session = session
        self._progress = progress
        self._staging = staging

    def write(self, batch: WriteBatch, refused: Refusals) -> WriteResult:
        """See `Destination.write_changes`."""
        work, failures = _by_sync(batch), dict[int, RosettaError]()
        self._stage(work.values(), failures)
        durable = self._progress.begin()
        if durable is not None and batch.end <= durable:
            self._session.rollback()
            return WriteResult(0, Durability.DURABLE, durable)
        try:
            rows = 0
            for sync_id, table_work in work.items():
                if sync_id not in failures:
                    rows += self._write_sync(table_work, batch.end, failures)
            if failures:
                refused(Refusal(failures))
            self._progress.commit(batch.end)
        except BaseException:
            self._session.rollback()
            raise
        return WriteResult(rows, Durability.DURABLE, batch.end, Refusal(failures))

    def _stage(self, work: Iterable[_SyncWork], failures: dict[int, RosettaError]) -> None:
        """Makes the staging tables, outside of the batch's transaction so that they outlive it."""
        self._staging.trim()
        for table_work in work:
            try:
                for changes in table_work.changes:
                    self._staging.table(table_work.target, changes.columns, changes.key)
                if table_work.truncated:
                    self._staging.whole_table(table_work.target)
            except DataError as error:
                failures[table_work.target.sync_id] = error

    def _write_sync(self, work: _SyncWork, end: StreamPosition, failures: dict[int, RosettaError]) -> int:
        """Applies one sync's part under a savepoint; a refusal is noted and undone. Returns the changes applied."""
        doing, rows = f"writing {work.target.target}", 0
        self._session.run("SAVEPOINT sync", doing)
        writer, copying = writer_for(work.target), work.target.copying
        try:
            if work.truncated:
                writer.truncate(self._session, self._staging.whole_table(work.target), end, copying)
            for changes in work.changes:
                table = self._staging.table(work.target, changes.columns, changes.key)
                if rows:  # an earlier shape of the same table was staged in this transaction
                    self._session.run(f"DELETE FROM {table.staging}", doing)
                rows += self._session.copy(copy_changes_sql(table), changes.data, doing)
                writer.changes(self._session, table, changes, copying)
            self._session.run("RELEASE SAVEPOINT sync", doing)
            return rows
        except DataError as error:
            self._session.run("ROLLBACK TO SAVEPOINT sync; RELEASE SAVEPOINT sync", doing)
            failures[work.target.sync_id] = error
            return 0


def _by_sync(batch: WriteBatch) -> dict[int, _SyncWork]:
    """Groups a batch by table sync, in the order in which the syncs first appear."""
    work: dict[int, _SyncWork] = {}
    for target in batch.truncated:
        work.setdefault(target.sync_id, _SyncWork(target)).truncated = True
    for write in batch.writes:
        work.setdefault(write.target.sync_id, _SyncWork(write.target)).changes.append(write.changes)
    return work
