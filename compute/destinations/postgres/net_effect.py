"""Which tables' batches are applied by what they come to, because their targets are as the stream left them."""

from __future__ import annotations

from typing import Final

from compute.core.batch import TableChanges
from compute.destinations.postgres.session import Session
from compute.destinations.postgres.sync_work import SyncWork
from rosetta.dialects.postgres import merge, net_merge
from rosetta.dialects.postgres.merge_table import MergeTable
from rosetta.enums import SyncMode
from rosetta.plants import planted

# After a surprise so many batches of the table take the upsert, which bears everything; what surprised may go on.
_WARY_BATCHES: Final = 64


class NetEffect:
    """Knows the syncs that are open for it, and applies their staged changes."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._wary: dict[int, int] = {}

    def fits(self, sync: SyncWork) -> bool:
        """Whether to try it for a batch; false for a while after it surprised, and wherever rows may be there twice."""
        target = sync.target
        if (wary := self._wary.get(target.sync_id, 0)) > 0:
            self._wary[target.sync_id] = wary - 1
            return False
        settled = target.mode is SyncMode.CURRENT and bool(target.schema.key) and not target.copying
        return settled and sync.replayed_by is None and not planted("dedupe_by_global_lsn")

    def surprised(self, sync: SyncWork) -> None:
        """The target is not as was thought."""
        self._wary[sync.target.sync_id] = _WARY_BATCHES

    def apply(self, sync: SyncWork, table: MergeTable, changes: TableChanges) -> bool:
        """Applies folded changes that are staged and filled; whether that was all.

        False: nothing wrong was written, and the upsert is to follow. Raises DataError as any statement does.
        """
        if not changes.folded or changes.has_moved:
            return False
        deletes = 0
        if changes.has_deletes:
            deletes = _deletes(changes)
            self._session.run(merge.delete_sql(table, copying=False), sync.doing)
        written = self._session.run(net_merge.update_sql(table), sync.doing)
        if written + deletes < changes.row_count:
            written += self._session.run(net_merge.insert_sql(table), sync.doing)
        if written + deletes == changes.row_count:
            return True
        self.surprised(sync)
        return False


def _deletes(changes: TableChanges) -> int:
    """A line ends with the only newline in it."""
    data = bytes(changes.data)
    return data.count(b"\nd\t") + data.startswith(b"d\t")
