"""One thread per destination: works off its queue, and holds on to its work through outages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from compute.core.batch import ChangeBatch
from compute.core.catching_up import catch_up
from compute.core.gap_filler import Filled, GapFiller, LedgerAwayError
from compute.core.gathering import Gatherer
from compute.core.lane_queue import Beside, Carried, Gap, LaneQueue
from compute.core.resumption import Resumption
from compute.core.work import ChangesWork, Desk
from compute.core.writer_state import Condition, WriterPhase, WriterState
from compute.dlq.backlog import Backlog
from rosetta.errors import FencedError, ResyncRequiredError, RosettaError
from rosetta.logs import get_logger
from rosetta.lsn import Lsn, StreamPosition
from rosetta.plants import planted

_IDLE_SECONDS = 0.2
_PROGRESS_SECONDS = 1.0
_PING_SECONDS = 5.0  # an idle destination that is gone is found, too
_START = StreamPosition(Lsn(0))
_log = get_logger("compute.writer")


class Writer:
    """Works off a lane's queue, for one destination.

    Promises: work is done in the order of the queue, what stands in the ledger for a gap included; each piece is
    retried until it is done, the destination says for good that it cannot be, or the writer is stopped.
    """

    def __init__(
        self,
        destination_id: int,
        queue: LaneQueue,
        backlog: Backlog | None,
        make: Callable[[], Desk],
        resumption: Resumption,
        epoch: int,
    ) -> None:
        """`make` builds the desk with its destination; what it raises is retried like any failure to open."""
        self._queue = queue
        self._filler = None if backlog is None else GapFiller(backlog)
        self._make = make
        self._resumption: Resumption | None = resumption
        self._epoch = epoch
        self._desk: Desk | None = None
        self._gatherer: Gatherer | None = None
        self._busy = False
        self._stop_by: float | None = None
        self._stopped = threading.Event()
        self._settled = threading.Event()
        self._progress_at = self._heard_at = 0.0
        self._condition = Condition(destination_id)
        self._thread = threading.Thread(target=self._run, name=f"writer-{destination_id}", daemon=True)

    # -- for other threads ------------------------------------------------------------------------

    @property
    def covered(self) -> int:
        """Sequence of the newest batch that is durable here with all before it; 0: none yet."""
        return 0 if self._desk is None else self._desk.covered

    @property
    def state(self) -> WriterState:
        desk, condition = self._desk, self._condition
        success_at, lag_seconds = condition.success_at, None
        if desk is not None and desk.commit_time is not None and success_at is not None:
            lag_seconds = max(0.0, time.time() - (time.monotonic() - success_at) - desk.commit_time)
        now, durable = condition.now, None if desk is None else desk.durable
        return WriterState(now.phase, now.failure, now.since, durable, success_at, lag_seconds)

    def start(self) -> None:
        self._thread.start()

    def wait_until_settled(self, timeout_seconds: float) -> None:
        """Returns once the destination was opened, or could not be at the first attempt."""
        self._settled.wait(timeout_seconds)

    def stop(self, drain_seconds: float) -> None:
        """Ends the thread after the work that is queued, or at the deadline; what is left comes again."""
        self._stop_by = time.monotonic() + drain_seconds
        self._stopped.set()
        self._queue.close()

    def join(self) -> None:
        """Waits for the end; the destination is closed then."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, (self._stop_by or 0.0) - time.monotonic()) + 1.0)

    # -- the writer's thread ----------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._ended():
                try:
                    self._open()
                    self._serve()
                except (FencedError, ResyncRequiredError):
                    raise  # the whole process must end; its last word is said by the thread hook
                except RosettaError as error:
                    self._wait_after(error)
        finally:
            self._settled.set()
            self._close()
            self._condition.end()

    def _open(self) -> None:
        if self._desk is None:
            self._desk = self._make()
            capabilities = self._desk.destination.capabilities
            self._queue.patient, limits = capabilities.patient, capabilities.gathering
            self._gatherer = None if limits is None else Gatherer(self._queue, limits)
        self._desk.destination.open(self._epoch)
        durable = self._desk.destination.durable_position()
        if self._resumption is not None:
            self._resumption.check(durable)
            origin = self._resumption.origin
            if origin is not None and (durable is None or durable < origin):
                # Before the first copy begins: from then on a position behind the slot is a loss.
                self._desk.postpone(ChangeBatch(self._desk.covered, _START, origin))
                self._desk.flush_progress()
            self._resumption = None
        if durable is not None:
            self._desk.cover(durable)
            self._queue.cover(self._desk.covered)
        if not self._busy:  # else only the work that failed can tell that all is well again
            self._succeed()
        self._settled.set()

    def _serve(self) -> None:
        desk = self._desk
        while desk is not None and not self._ended():
            item = self._queue.head(_IDLE_SECONDS, overtake=planted("overtake_parked"))
            self._busy = item is not None
            if isinstance(item, Gap):
                self._fill(desk, item)
            elif item is not None:
                if not _done(desk, item, self._queue, self._gatherer):
                    self._stopped.wait(_IDLE_SECONDS)
                self._queue.cover(desk.covered)
                self._busy = False
                self._succeed()
            catch_up(desk)
            waits = self._gatherer is not None and self._gatherer.may_wait(desk)
            if desk.has_postponed and (self._stopped.is_set() or (time.monotonic() >= self._progress_at and not waits)):
                desk.flush_progress()
                self._queue.cover(desk.covered)
                self._progress_at = time.monotonic() + _PROGRESS_SECONDS
                self._succeed()
            elif desk.awaits and time.monotonic() >= self._progress_at:
                self._look(desk)
            elif time.monotonic() - self._heard_at >= _PING_SECONDS:
                desk.destination.ping()
                self._heard_at = time.monotonic()

    def _fill(self, desk: Desk, gap: Gap) -> None:
        if self._filler is None:
            raise RuntimeError("a gap without a ledger")
        try:
            filled = self._filler.fill(desk, gap)
        except LedgerAwayError as away:
            self._stopped.wait(self._condition.fail(away.reason))
            return
        if filled is Filled.WAITING:
            self._stopped.wait(_IDLE_SECONDS)
            return
        if filled is Filled.WHOLLY:
            self._queue.done(gap)
            self._busy = False
        self._succeed()

    def _look(self, desk: Desk) -> None:
        """What was only accepted may be durable by now."""
        desk.look()
        self._queue.cover(desk.covered)
        self._progress_at = time.monotonic() + _PROGRESS_SECONDS
        self._succeed()

    def _ended(self) -> bool:
        if self._stop_by is None:
            return False
        drained = (self._queue.empty or self._queue.has_gaps) and not (self._desk and self._desk.has_postponed)
        return drained or self._condition.now.phase is not WriterPhase.WRITING or time.monotonic() > self._stop_by

    def _succeed(self) -> None:
        self._condition.succeed()
        self._heard_at = time.monotonic()

    def _wait_after(self, error: RosettaError) -> None:
        seconds = self._condition.fail(error)
        self._settled.set()
        self._close()
        self._stopped.wait(seconds)

    def _close(self) -> None:
        if self._desk is not None:
            self._desk.destination.close()


def _done(desk: Desk, item: Carried | Beside, queue: LaneQueue, gatherer: Gatherer | None) -> bool:
    """Does the work at the front of the queue; False where that gathers on."""
    if isinstance(item, Carried) and gatherer is not None:
        return gatherer.write(desk)
    if isinstance(item, Beside):
        catch_up(desk, wholly=True)
        item.work.run(desk)
    else:
        ChangesWork(item.batch).run(desk)
    queue.done(item)
    return True
