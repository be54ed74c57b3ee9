"""Batches in one exchange with the server per payload: what waits for a changed row is mostly round trips.

libpq goes on reading the statements behind a COPY's end, so opening the transaction, moving the position past the
fence, staging, merging and committing are one text around one payload. Nobody looks at what the statements say in
between: whatever is not as usual is an error of the server's, which undoes the batch; `Changes` looks then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from compute.core import failpoints
from compute.core.batch import TableChanges
from compute.destinations.base import Durability, WriteBatch, WriteResult
from compute.destinations.postgres.fresh import BareLines, count, fresh_end
from compute.destinations.postgres.net_effect import NetEffect
from compute.destinations.postgres.progress import Progress
from compute.destinations.postgres.session import Session
from compute.destinations.postgres.staging import Staging
from compute.destinations.postgres.sync_work import SyncWork
from rosetta.dialects.postgres import merge, net_merge
from rosetta.dialects.postgres.merge_table import MergeTable, copy_changes_sql
from rosetta.errors import DataError
from rosetta.lsn import StreamPosition

# Up to here one statement that bears everything costs less than several that fit, or a second exchange.
_SMALL_BYTES: Final = 1 << 17
# So much of new rows is worth an exchange of its own.
_FRESH_BYTES: Final = 1 << 15


@dataclass(frozen=True, slots=True)
class _Exchange:
    """A COPY with what follows it."""

    copy_sql: str
    data: bytes | memoryview | BareLines
    apply_sql: Sequence[str]
    doing: str


class Express:
    """Writes what it can; used by one thread."""

    def __init__(self, session: Session, progress: Progress, staging: Staging) -> None:
        self._session = session
        self._progress = progress
        self._staging = staging
        self._net_effect = NetEffect()

    def write(self, batch: WriteBatch, work: Mapping[int, SyncWork]) -> WriteResult | None:
        """Commits the batch and its position; None, and nothing is written, where that takes a closer look.

        Call it with the staging tables made. Raises OutageError as every write does.
        """
        end, known = batch.end, self._progress.known
        if end is None or known is None or end <= known or not all(sync.is_plain for sync in work.values()):
            return None
        exchanges = self._plan(work)
        if not exchanges:
            return None
        with self._session.undone_on_error():
            try:
                self._exchange(exchanges, known, end)
            except DataError:
                self._session.rollback()
                for sync in work.values():
                    self._net_effect.surprised(sync)
                return None
        self._progress.known = end
        return WriteResult(sum(sync.row_count for sync in work.values()), Durability.DURABLE, end)

    def _plan(self, work: Mapping[int, SyncWork]) -> list[_Exchange]:
        """Empty: not this way."""
        small = sum(len(changes.data) for sync in work.values() for changes in sync.changes) <= _SMALL_BYTES
        open_to_net = [self._net_effect.fits(sync) for sync in work.values()]
        if not small and not all(open_to_net):  # what surprised may do so again, and nobody looks in between
            return []
        return [
            exchange
            for sync, is_open in zip(work.values(), open_to_net, strict=True)
            for changes, table in sync.stage(self._staging)
            for exchange in self._exchanges(sync, changes, table, small=small, is_open=is_open)
        ]

    def _exchanges(
        self, sync: SyncWork, changes: TableChanges, table: MergeTable, *, small: bool, is_open: bool
    ) -> list[_Exchange]:
        data, whole = bytes(changes.data), not (changes.has_unchanged or changes.has_moved)
        fresh = fresh_end(data) if is_open and whole and self._staging.takes_rows(table) else 0
        if fresh != len(data) and (small or fresh < _FRESH_BYTES):
            fresh = 0
        made = []
        if fresh != len(data):
            by_effect = is_open and not small and not changes.has_moved
            merged = _by_effect(table, changes, data, fresh) if by_effect else [sync.apply_sql(table, changes)]
            filled = [merge.require_filled_sql(table, moved=changes.has_moved)] if changes.has_unchanged else []
            staged = memoryview(data)[fresh:] if fresh else data
            made.append(_Exchange(copy_changes_sql(table), staged, (*filled, *merged), sync.doing))
        if fresh:  # behind the others, which may hold what is to be unique
            made.append(_Exchange(net_merge.copy_new_sql(table), BareLines(data, fresh), (), sync.doing))
        return made

    def _exchange(self, exchanges: list[_Exchange], known: StreamPosition, end: StreamPosition) -> None:
        last = len(exchanges) - 1
        for number, exchange in enumerate(exchanges):
            head = [self._progress.claim_sql(known, end)] if number == 0 else []
            tail = ["COMMIT"] if number == last else []
            if number == last:
                failpoints.hit("before_commit")
            sql = ";\n".join((*head, exchange.copy_sql, *exchange.apply_sql, *tail))
            self._session.copy(sql, exchange.data, exchange.doing)


def _by_effect(table: MergeTable, changes: TableChanges, data: bytes, start: int) -> list[str]:
    """What the changes from `start` on come to, statement by statement."""
    deleted = count(data, b"d", start) if changes.has_deletes else 0
    new = count(data, b"c", start)
    updated = changes.row_count - data.count(b"\n", 0, start) - deleted - new
    statements = [merge.delete_sql(table, copying=False)] if deleted else []
    if updated:
        statements.append(net_merge.update_all_sql(table, updated))
    if new:
        statements.append(net_merge.insert_sql(table))
    return statements
