"""What a park whose answer was lost may have left in the ledger, although its batches stayed in memory."""

from __future__ import annotations

import time
from typing import Final

from compute.dlq.backlog import Backlog
from rosetta.logs import get_logger
from rosetta.lsn import Lsn, StreamPosition

_PAGE_BYTES: Final = 4_000_000
_AGAIN_SECONDS: Final = 5.0
# Longer than the config database keeps a transaction whose client is gone: it may commit late, never after that.
_DOUBT_SECONDS: Final = 60.0
_START: Final = StreamPosition(Lsn(0))


class Leftovers:
    """Closes what the destination has got from memory all the same; belongs to the parker's thread.

    Left open, it would count against the bounds of the backlog until the next start.
    """

    def __init__(self, destination_id: int, backlog: Backlog) -> None:
        self._destination_id = destination_id
        self._backlog = backlog
        self._upto: StreamPosition | None = None
        self._until = self._look_at = 0.0

    def doubt(self, upto: StreamPosition) -> None:
        """Batches up to there may be in the ledger, now or in a moment."""
        self._upto = upto if self._upto is None else max(upto, self._upto)
        self._until = time.monotonic() + _DOUBT_SECONDS

    def settle(self, durable: StreamPosition | None) -> None:
        """Looks whether anything is left, once the destination has it durably. Not to be called while there are gaps.

        Raises what the backlog raises; may be called again then.
        """
        now = time.monotonic()
        if self._upto is None or durable is None or durable < self._upto or now < self._look_at:
            return
        self._look_at = now + _AGAIN_SECONDS
        closed = 0
        while rows := self._backlog.page(_START, durable, _PAGE_BYTES):
            self._backlog.close(rows, {row.sync_id for row in rows if row.sync_id is not None})
            closed += len(rows)
        if closed:
            log = get_logger("compute.parker")
            log.info("leftovers_closed", destination_id=self._destination_id, rows=closed)
        if now >= self._until:
            self._upto = None
