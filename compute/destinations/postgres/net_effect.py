"""Which tables' batches are applied by what they come to, because their targets are as the stream left them."""

from __future__ import annotations

from typing import Final

from compute.destinations.postgres.sync_work import SyncWork
from rosetta.enums import SyncMode
from rosetta.plants import planted

# After a surprise so many batches of the table take the upsert, which bears everything; what surprised may go on.
_WARY_BATCHES: Final = 64


class NetEffect:
    """Knows the syncs that are open for it."""

    def __init__(self) -> None:
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
