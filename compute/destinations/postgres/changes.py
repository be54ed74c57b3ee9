"""A batch of changes in one target transaction, a savepoint per table sync; what is refused is taken apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from compute.destinations.base import Durability, Refusal, Refusals, RefusedRecord, WriteBatch, WriteResult
from compute.destinations.postgres.express import Express
from compute.destinations.postgres.progress import Progress
from compute.destinations.postgres.refusals import is_about_table, may_pass
from compute.destinations.postgres.rescue import Rescue
from compute.destinations.postgres.session import Session
from compute.destinations.postgres.staging import Staging
from compute.destinations.postgres.sync_work import SyncWork, by_sync
from rosetta.dialects.postgres import ddl, replay
from rosetta.errors import DataError, RosettaError

_CHECK_NOW: Final = "SET CONSTRAINTS ALL IMMEDIATE"


class _RefusedAtTheEndError(Exception):
    """A deferred constraint refused the batch when nobody could say any more which of its rows that is about."""


@dataclass
class _Outcome:
    """What a batch has come to so far; `failed` syncs may still succeed behind the others."""

    rows: int = 0
    tables: dict[int, RosettaError] = field(default_factory=dict)
    records: list[RefusedRecord] = field(default_factory=list)
    failed: dict[int, DataError] = field(default_factory=dict)

    @property
    def refusal(self) -> Refusal:
        return Refusal(dict(self.tables), tuple(self.records))


class Changes:
    """Writes batches; rows, versions, tombstones, progress and the fence's check commit together."""

    def __init__(self, session: Session, progress: Progress, staging: Staging) -> None:
        self._session = session
        self._progress = progress
        self._staging = staging
        self._express = Express(session, progress, staging)

    def write(self, batch: WriteBatch, refused: Refusals) -> WriteResult:
        """See `Destination.write_changes`."""
        work = by_sync(batch, (self._progress.pipeline_id, self._progress.destination_id))
        unfit = self._stage(work.values())
        written = None if unfit else self._express.write(batch, work)
        if written is not None:
            return written
        try:
            return self._write(batch, work, unfit, refused, at_once=False)
        except _RefusedAtTheEndError:
            # Once more from the start, with each constraint checked by the statement that breaks it.
            return self._write(batch, work, unfit, refused, at_once=True)

    def _stage(self, work: Iterable[SyncWork]) -> dict[int, RosettaError]:
        """Makes the staging tables, outside of the batch's transaction so that they outlive it."""
        unfit: dict[int, RosettaError] = {}
        self._staging.trim()
        for sync in work:
            try:
                for _ in sync.stage(self._staging):
                    pass
                if sync.truncated:
                    self._staging.whole_table(sync.target)
            except DataError as error:
                unfit[sync.target.sync_id] = error
        if any(sync.replayed_by and sync.needs_notes for sync in work):
            self._prepare_notes()
        return unfit

    def _prepare_notes(self) -> None:
        doing = "preparing to note replays"
        if self._session.rows(replay.NOTES_FOUND, doing)[0][0]:
            return
        with self._session.transaction(doing):
            self._session.run(f"{ddl.DDL_LOCK}; {replay.CREATE_NOTES}", doing)

    def _write(
        self,
        batch: WriteBatch,
        work: dict[int, SyncWork],
        unfit: dict[int, RosettaError],
        refused: Refusals,
        *,
        at_once: bool,
    ) -> WriteResult:
        durable = self._progress.begin()
        if batch.end is not None and durable is not None and batch.end <= durable:
            self._session.rollback()
            return WriteResult(0, Durability.DURABLE, durable)
        outcome = _Outcome(tables=dict(unfit))
        with self._session.undone_on_error():
            if at_once:
                self._session.run(_CHECK_NOW, "writing changes")
            for sync_id, sync in work.items():
                if sync_id not in unfit:
                    self._try(sync, batch, outcome)
            if outcome.failed:
                self._try_again(work, batch, outcome)
            if outcome.refusal:
                if not at_once:
                    self._at_the_end(_CHECK_NOW)
                refused(outcome.refusal)
            self._commit(batch, at_once=at_once)
        stale = frozenset((sync_id, *version) for sync_id, sync in work.items() for version in sync.stale)
        position = batch.end if batch.end is not None else durable
        return WriteResult(outcome.rows, Durability.DURABLE, position, outcome.refusal, stale)

    def _try(self, sync: SyncWork, batch: WriteBatch, outcome: _Outcome) -> bool:
        """Applies one sync's part under a savepoint; a refusal is noted and undone."""
        sync_id = sync.target.sync_id
        outcome.failed.pop(sync_id, None)
        error = self._attempt(sync, batch)
        if error is None:
            outcome.rows += sync.row_count
        elif is_about_table(error):
            outcome.tables[sync_id] = error
        else:
            outcome.failed[sync_id] = error
        return error is None

    def _attempt(self, sync: SyncWork, batch: WriteBatch) -> DataError | None:
        self._session.run("SAVEPOINT sync", sync.doing)
        try:
            sync.write(self._session, self._staging, batch)
        except DataError as error:
            self._session.run("ROLLBACK TO SAVEPOINT sync; RELEASE SAVEPOINT sync", sync.doing)
            return error
        self._session.run("RELEASE SAVEPOINT sync", sync.doing)
        return None

    def _try_again(self, work: dict[int, SyncWork], batch: WriteBatch, outcome: _Outcome) -> None:
        """First whole, behind the tables that held the parents or children of its rows; then row by row."""
        tried = True
        while tried and len(work) > 1:
            waiting = [sync_id for sync_id, error in outcome.failed.items() if may_pass(error)]
            tried = sum(self._try(work[sync_id], batch, outcome) for sync_id in waiting) > 0
        if not outcome.failed:
            return
        rescue = Rescue(self._session, self._staging, batch)
        rescue.run([sync for sync_id, sync in work.items() if sync_id in outcome.failed])
        outcome.rows += rescue.rows
        outcome.tables |= rescue.tables
        outcome.records += rescue.records

    def _commit(self, batch: WriteBatch, *, at_once: bool) -> None:
        try:
            self._progress.commit(batch.end)
        except DataError:
            if at_once:
                raise
            raise _RefusedAtTheEndError from None

    def _at_the_end(self, sql: str) -> None:
        try:
            self._session.run(sql, "checking constraints")
        except DataError:
            raise _RefusedAtTheEndError from None
