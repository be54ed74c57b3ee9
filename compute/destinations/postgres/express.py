"""Small batches in one exchange with the server per table: what waits for a changed row is mostly round trips.

libpq goes on reading the statements behind a COPY's end, so opening the transaction, looking at the fence, staging,
merging, moving the position and committing are one text around one payload. Nobody looks at what the statements say in
between: whatever is not as usual is an error of the server's, which undoes the batch; `Changes` looks then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from compute.core import failpoints
from compute.core.batch import TableChanges
from compute.destinations.base import Durability, WriteBatch, WriteResult
from compute.destinations.postgres.progress import Progress
from compute.destinations.postgres.session import Session
from compute.destinations.postgres.staging import Staging
from compute.destinations.postgres.sync_work import SyncWork
from rosetta.dialects.postgres.merge_table import MergeTable, copy_changes_sql
from rosetta.errors import DataError
from rosetta.lsn import StreamPosition

# From here on the statements weigh more than the round trips, and a cheaper statement may be worth a look in between.
_SMALL_BYTES: Final = 1 << 17
_Piece = tuple[SyncWork, TableChanges, MergeTable]


class Express:
    """Writes what it can; used by one thread."""

    def __init__(self, session: Session, progress: Progress, staging: Staging) -> None:
        self._session = session
        self._progress = progress
        self._staging = staging

    def write(self, batch: WriteBatch, work: Mapping[int, SyncWork]) -> WriteResult | None:
        """Commits the batch and its position; None, and nothing is written, where that takes a closer look.

        Call it with the staging tables made. Raises OutageError as every write does.
        """
        end, known = batch.end, self._progress.known
        if end is None or known is None or end <= known or not _is_plain(work):
            return None
        pieces = [piece for sync in work.values() for piece in _pieces(sync, self._staging)]
        with self._session.undone_on_error():
            try:
                self._exchange(pieces, known, end)
            except DataError:
                self._session.rollback()
                return None
        self._progress.known = end
        return WriteResult(sum(sync.row_count for sync in work.values()), Durability.DURABLE, end)

    def _exchange(self, pieces: list[_Piece], known: StreamPosition, end: StreamPosition) -> None:
        last = len(pieces) - 1
        for number, (sync, changes, table) in enumerate(pieces):
            head = f"{self._progress.hold_sql(known)};\n" if number == 0 else ""
            tail = f";\n{self._progress.move_sql(end)}" if number == last else ""
            if number == last:
                failpoints.hit("before_commit")
            sql = f"{head}{copy_changes_sql(table)};\n{sync.apply_sql(table, changes)}{tail}"
            self._session.copy(sql, changes.data, sync.doing)


def _is_plain(work: Mapping[int, SyncWork]) -> bool:
    """Whether every sync has one folded payload whose rows are all there, and there is little of it."""
    payloads = [changes for sync in work.values() for changes in sync.changes]
    return (
        0 < len(payloads) == len(work)
        and sum(len(changes.data) for changes in payloads) <= _SMALL_BYTES
        and all(sync.is_plain for sync in work.values())
    )


def _pieces(sync: SyncWork, staging: Staging) -> list[_Piece]:
    return [(sync, changes, table) for changes, table in sync.stage(staging)]
