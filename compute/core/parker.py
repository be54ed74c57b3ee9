"""The thread that takes a destination's batches out of everybody's way: into the ledger."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from compute.core.exit_codes import Failure
from compute.core.lane_queue import Carried, LaneQueue, Load
from compute.core.leftovers import Leftovers
from compute.core.writer_state import WriterState
from compute.dlq.backlog import Backlog
from rosetta.backoff import Backoff
from rosetta.errors import FencedError, OutageError, RosettaError
from rosetta.logs import get_logger
from rosetta.plants import planted

_TICK_SECONDS = 0.1
# What comes in that time goes into one transaction: a commit of the ledger costs the others more than its bytes do.
_GATHER_SECONDS = 0.5
_FAILING_SECONDS = 1.0
_WAITED_FOR_SECONDS = 2.0
_STUCK_SECONDS = 10.0
_STUCK_LOADING_SECONDS = 180.0  # of a patient destination
_MANY_BATCHES = 256
_PAGE_BYTES = 4_000_000  # of one transaction of the ledger, or one batch
_RETRIES = Backoff(1.0, 1.0)
_ALERT_SECONDS = 15.0
_JOIN_SECONDS = 2.0
_SLOW = Failure("DESTINATION_SLOW", "the destination does not take its changes as fast as they come")
_STUCK = Failure("DESTINATION_STUCK", "the destination does not answer a call that is under way")


@dataclass(frozen=True, slots=True)
class ParkerEvents:
    """What a parker asks and tells. All are called on its thread.

    Attributes:
        writer: the writer's state.
        others_wait: whether another destination has nothing left to do, so that it may be this one that it waits for.
        parked: more of the stream is in the ledger.
        detached: the destination is suspended, and why.
    """

    writer: Callable[[], WriterState]
    others_wait: Callable[[], bool]
    parked: Callable[[], None]
    detached: Callable[[Failure], None]


class Parker:
    """Moves what is not covered from the oldest on into the ledger, for as long as the lane holds others up.

    It does so whatever the writer is at: a call that is stuck delays nobody but its own destination. While the ledger
    or its dispatcher is away, or the bounds are reached, it says so in `blocked` and goes on trying.
    """

    def __init__(
        self, destination_id: int, queue: LaneQueue, backlog: Backlog, bound_bytes: int, events: ParkerEvents
    ) -> None:
        self._log = get_logger("compute.parker").bind(destination_id=destination_id)
        self._queue = queue
        self._backlog = backlog
        self._bound_bytes = bound_bytes
        self._page_bytes = min(bound_bytes, _PAGE_BYTES)
        self._leftovers = Leftovers(destination_id, backlog)
        self._events = events
        self._stopped = threading.Event()
        self._alerted = True  # an earlier process may have left one open
        self._alert_at = 0.0
        self.blocked: Failure | None = None
        self._thread = threading.Thread(target=self._run, name=f"parker-{destination_id}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; a transaction that is under way ends first, or is as if it had never begun."""
        self._stopped.set()

    def join(self) -> None:
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        while not self._stopped.wait(_TICK_SECONDS):
            load = self._queue.load()
            cause = self._cause(load, self._events.writer())
            if cause is None:
                self._unblock()
                self._settle()
                continue
            if load.age_seconds < _GATHER_SECONDS and load.bytes < self._bound_bytes // 2:
                continue
            try:
                self._park(cause)
            except FencedError:
                raise  # the whole process must end
            except RosettaError as error:
                if planted("ignore_dlq_failure"):
                    self._stored(self._queue.uncovered(self._page_bytes))
                self._block(Failure.of(error))
                self._stopped.wait(_RETRIES.delay_seconds(1))

    def _cause(self, load: Load, writer: WriterState) -> Failure | None:
        """Why what waits must go into the ledger; None while it may wait here."""
        if not load.batches:
            return None
        failing_since = writer.failing_since
        if failing_since is not None and time.monotonic() - failing_since >= _FAILING_SECONDS:
            return writer.failure
        patience = _STUCK_LOADING_SECONDS if self._queue.patient else _STUCK_SECONDS
        if load.age_seconds >= patience and time.monotonic() - (writer.success_at or 0.0) >= patience:
            return _STUCK
        if self._queue.has_gaps and load.age_seconds >= _GATHER_SECONDS:
            return _SLOW  # it has to stand behind what is in the ledger, wherever it waits
        many = load.batches >= _MANY_BATCHES and self._queue.gathering is None
        full = load.bytes >= self._bound_bytes or many
        if full and load.age_seconds >= _WAITED_FOR_SECONDS and self._events.others_wait():
            return _SLOW
        return None

    def _park(self, cause: Failure) -> None:
        limit = self._backlog.limit()
        if limit is not None:
            self._stand_at_limit(limit)
            return
        carried = self._queue.uncovered(self._page_bytes)
        if carried:
            try:
                self._backlog.park([one.parcel for one in carried], carried[-1].batch.end, cause)
            except OutageError:
                self._leftovers.doubt(carried[-1].batch.end)
                raise
            self._stored(carried)
        self._unblock()

    def _settle(self) -> None:
        if self._queue.has_gaps:
            return  # whoever fills them closes all that lies before their end
        try:
            self._leftovers.settle(self._events.writer().durable)
        except FencedError:
            raise
        except RosettaError as error:
            self._log.warning("leftovers_wait", code=error.code, error=error.message)

    def _stored(self, carried: list[Carried]) -> None:
        if carried:
            self._queue.store(carried)
            self._events.parked()

    def _stand_at_limit(self, limit: Failure) -> None:
        if self._backlog.detaches:
            self._backlog.detach(limit)
            self._log.error("destination_detached", code=limit.code)
            self._events.detached(limit)
            return
        self._block(limit)
        self._stopped.wait(_RETRIES.delay_seconds(1))

    def _block(self, failure: Failure) -> None:
        if self.blocked is None or self.blocked.code != failure.code:
            self._log.error("parking_blocked", code=failure.code, error=failure.message)
            self.blocked = failure
            self._alert(failure)
        self.blocked = failure

    def _unblock(self) -> None:
        if self.blocked is not None:
            self._log.info("parking_goes_on")
            self.blocked = None
        if self._alerted and time.monotonic() >= self._alert_at:
            self._alert(None)

    def _alert(self, failure: Failure | None) -> None:
        """People are told where that is possible; the state and the log say it in any case."""
        try:
            self._backlog.alert(failure)
            self._alerted = failure is not None
        except FencedError:
            raise
        except RosettaError as error:
            self._log.warning("alert_not_written", code=error.code)
            self._alert_at = time.monotonic() + _ALERT_SECONDS
