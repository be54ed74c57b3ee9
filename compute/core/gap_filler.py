"""Writes what stands in the ledger for a gap of the stream, page by page, before anything newer."""

from __future__ import annotations

from enum import Enum, auto

from compute.core.batch import ChangeBatch
from compute.core.lane_queue import Gap
from compute.core.work import ChangesWork, Desk
from compute.dlq.backlog import Backlog
from compute.dlq.parcels import replayed
from compute.dlq.records import OpenRow
from rosetta.errors import FencedError, OutageError
from rosetta.logs import get_logger
from rosetta.lsn import Lsn, StreamPosition

_PAGE_BYTES = 4_000_000  # of parked changes that are in memory at once
_START = StreamPosition(Lsn(0))
_log = get_logger("compute.writer")


class LedgerAwayError(Exception):
    """The ledger, not the destination, is away; `reason` says why."""

    def __init__(self, reason: OutageError) -> None:
        super().__init__(reason.message)
        self.reason = reason


class Filled(Enum):
    PARTLY = auto()
    WAITING = auto()  # the destination has accepted it, and does not say yet that it is durable
    WHOLLY = auto()


class GapFiller:
    """Belongs to the writer's thread. Pages bound its memory; a page is marked only once the target has it durably."""

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self._behind = _START

    def fill(self, desk: Desk, gap: Gap) -> Filled:
        """Writes the next page. Raises LedgerAwayError, or what the destination raises; may be called again then."""
        rows = self._page(gap)
        last = rows[-1].position if rows else gap.end
        missing = [row for row in rows if desk.durable is None or row.position > desk.durable]
        for batch in replayed(missing, desk.covered, _PAGE_BYTES):
            ChangesWork(batch).run(desk)
        if desk.durable is None or desk.durable < last:
            # Also what was not for the tables here is behind us: the target's own progress has to say so.
            desk.postpone(ChangeBatch(desk.covered if rows else gap.sequence, _START, last))
            desk.flush_progress()
        if desk.durable is None or desk.durable < last:
            desk.cover(desk.destination.durable_position() or _START)
            return Filled.WAITING
        self._close(desk, rows)
        self._behind = last
        if rows:
            return Filled.PARTLY
        _log.info("parked_changes_written", destination_id=desk.destination_id, up_to=str(gap.end.commit_lsn))
        return Filled.WHOLLY

    def _page(self, gap: Gap) -> list[OpenRow]:
        try:
            return self._backlog.page(self._behind, gap.end, _PAGE_BYTES)
        except FencedError:
            raise
        except OutageError as error:
            raise LedgerAwayError(error) from None

    def _close(self, desk: Desk, rows: list[OpenRow]) -> None:
        try:
            self._backlog.close(rows, desk.targets)
        except FencedError:
            raise
        except OutageError as error:
            raise LedgerAwayError(error) from None
