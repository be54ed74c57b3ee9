"""A batch in one transaction of the account; what is refused is found by one query, and left out of the next try."""

from __future__ import annotations

from dataclasses import dataclass, field

from compute.core import failpoints
from compute.destinations.base import Durability, Refusal, Refusals, WriteBatch, WriteResult
from compute.destinations.snowflake.copies import Copies
from compute.destinations.snowflake.load import SyncLoad, by_sync
from compute.destinations.snowflake.progress import Progress
from compute.destinations.snowflake.session import Session
from compute.destinations.snowflake.staging import Staging
from rosetta.errors import DataError, RosettaError
from rosetta.lsn import StreamPosition


class _RefusedError(Exception):
    """One sync's part was refused; the transaction is undone."""

    def __init__(self, sync: SyncLoad, error: DataError) -> None:
        super().__init__(error.message)
        self.sync = sync
        self.error = error


@dataclass
class _Outcome:
    durable: StreamPosition | None
    tables: dict[int, RosettaError] = field(default_factory=dict)


class Changes:
    """Writes batches. Snowflake has no savepoints, so a table that refuses its part has the batch begun again.

    First its values are looked at, and exactly the lines that do not fit are left out; where that was not it, the whole
    table is. Each table is at most twice the reason, so this ends.
    """

    def __init__(self, session: Session, progress: Progress, staging: Staging, copies: Copies) -> None:
        self._session = session
        self._progress = progress
        self._staging = staging
        self._copies = copies

    def write(self, batch: WriteBatch, refused: Refusals) -> WriteResult:
        """See `Destination.write_changes`."""
        known = self._progress.known()
        if batch.end is not None and known is not None and batch.end <= known:
            return WriteResult(0, Durability.DURABLE, known)
        return self.apply(by_sync(batch), batch, refused)

    def apply(
        self, work: dict[int, SyncLoad], batch: WriteBatch, refused: Refusals, reached: StreamPosition | None = None
    ) -> WriteResult:
        """The same of what is to be written already. `reached`: the position, where the batch itself has none."""
        unfit: dict[int, RosettaError] = {}
        while True:
            unfit |= self._stage(work)
            try:
                result = self._attempt(batch, work, unfit, refused, reached)
            except _RefusedError as one:
                if one.sync.careful:
                    unfit[one.sync.target.sync_id] = one.error
                one.sync.careful = True
                continue
            self._clean(work)
            return result

    def _stage(self, work: dict[int, SyncLoad]) -> dict[int, RosettaError]:
        unfit: dict[int, RosettaError] = {}
        for sync_id, sync in work.items():
            try:
                sync.stage(self._staging)
            except DataError as error:
                unfit[sync_id] = error
        return unfit

    def _attempt(
        self,
        batch: WriteBatch,
        work: dict[int, SyncLoad],
        unfit: dict[int, RosettaError],
        refused: Refusals,
        reached: StreamPosition | None,
    ) -> WriteResult:
        durable = self._progress.begin()
        if batch.end is not None and durable is not None and batch.end <= durable:
            self._session.rollback()
            return WriteResult(0, Durability.DURABLE, durable)
        applied = {sync_id: sync for sync_id, sync in work.items() if sync_id not in unfit}
        with self._session.undone_on_error():
            for sync in applied.values():
                self._apply(sync, batch)
            records = [record for sync in applied.values() for record in sync.refused()]
            for sync_id, error in unfit.items():
                records += work[sync_id].give_up(self._session, error)
            refusal = Refusal(dict(unfit), tuple(records))
            if refusal:
                refused(refusal)
            self._progress.commit(batch.end if batch.end is not None else reached)
        rows = sum(sync.row_count for sync in applied.values())
        stale = frozenset((sync_id, *version) for sync_id, sync in applied.items() for version in sync.stale)
        position = batch.end if batch.end is not None else durable
        return WriteResult(rows, Durability.DURABLE, position, refusal, stale)

    def _apply(self, sync: SyncLoad, batch: WriteBatch) -> None:
        since = self._copies.since(sync.target) if sync.target.copying and not sync.appends else 0
        try:
            sync.apply(self._session, self._staging, batch, self._progress.stamp, since)
        except DataError as error:
            raise _RefusedError(sync, _known(sync, error)) from None

    def _clean(self, work: dict[int, SyncLoad]) -> None:
        """Removes files; a failure only leaves them for the next writer to remove, the batch is committed."""
        failpoints.hit("before_clean")
        for sync in work.values():
            for load in sync.loads:
                try:
                    self._staging.remove(load.file)
                except RosettaError:
                    return


def _known(sync: SyncLoad, error: DataError) -> DataError:
    if error.code == "OBJECT_MISSING":
        return DataError(f"{sync.target.target} does not exist", code="TARGET_MISSING", remedy="Resync the table.")
    return error
