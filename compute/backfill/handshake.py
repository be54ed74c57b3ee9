"""Before the first chunk: the stream must deliver the table, and no change may fall between stream and snapshot."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from compute.backfill.flight import Pending, Watermarks
from compute.backfill.patience import Patience
from compute.backfill.reader import SourceReader
from compute.destinations.base import TableTarget

_PATIENCE_SECONDS = 5.0


class Handshake:
    """Returns from `complete` when every change of the table is in the stream behind us or visible to new snapshots.

    First a mark is awaited: from there on the stream delivers the table. But a transaction whose end is in the
    log before the mark may still be invisible to a new snapshot (it waits for a synchronous standby, say),
    so those that hold locks of a writer then are awaited too. One that is still at work delays the copy.
    """

    def __init__(
        self, target: TableTarget, owner: str, reader: SourceReader, watermarks: Watermarks, arrived: Callable[[], None]
    ) -> None:
        """`owner`: the copy's token, `arrived`: called on the stream's thread."""
        self._table = target.source
        self._owner = owner
        self._watermark = f"routed:{target.sync_id}:{owner}"
        self._reader = reader
        self._watermarks = watermarks
        self._tell = arrived
        self._arrived = threading.Event()
        self._earlier: set[str] | None = None

    def complete(self, patience: Patience, unwanted: Callable[[], bool]) -> bool:
        """True when it is; False when it turned out to be `unwanted`, which is asked now and then.

        May be called again after an OutageError; it goes on where it was.
        """
        if not self._arrived.is_set():
            self._watermarks.expect(self._owner, self._watermark, self._arrive)
            self._reader.emit(self._watermark)
        while not self._arrived.is_set():
            patience.pause()
        if self._earlier is None:
            self._earlier = self._reader.writers(self._table)
        began = time.monotonic()
        while self._earlier:
            if time.monotonic() - began > _PATIENCE_SECONDS:
                patience.say("waits for transactions that wrote to the table before the copy began")
            patience.pause()
            if unwanted():
                return False
            self._earlier &= self._reader.writers(self._table)
        patience.say(None)
        return True

    def _arrive(self) -> list[Pending]:
        self._arrived.set()
        self._tell()
        return []
