"""One thread per destination: works off its queue, and holds on to its work through outages."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import structlog

from compute.core.exit_codes import Failure
from compute.core.work import Desk, DeskEvents, Work
from compute.core.work_queue import WorkQueue
from compute.destinations.base import Destination
from rosetta.errors import FencedError, OutageError, ResyncRequiredError, RosettaError
from rosetta.lsn import Lsn, StreamPosition

_IDLE_SECONDS = 0.2
_PROGRESS_SECONDS = 1.0
_PING_SECONDS = 5.0  # an idle destination that is gone is found, too
_FIRST_DELAY_SECONDS = 0.2
_OUTAGE_DELAY_SECONDS = 4.0
_REFUSAL_DELAY_SECONDS = 15.0
_log = structlog.get_logger("compute.writer")


class WriterPhase(StrEnum):
    OPENING = "OPENING"
    WRITING = "WRITING"
    RETRYING = "RETRYING"  # the destination is away; it will be back
    FAILED = "FAILED"  # the destination refuses us; a person must mend that
    STOPPED = "STOPPED"


@dataclass(frozen=True, slots=True)
class WriterState:
    """One moment of a writer. Monotonic times; `lag_seconds` is that of the newest written batch."""

    phase: WriterPhase
    failure: Failure | None = None
    durable: StreamPosition | None = None
    success_at: float | None = None
    lag_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Resumption:
    """What a destination must hold for the stream to go on without a gap.

    Attributes:
        confirmed: what the slot no longer delivers.
        established: tables of this destination were copied or are being copied.
        reported: how far the destination once said it was; None: it never did.
    """

    confirmed: Lsn
    established: bool
    reported: Lsn | None

    def check(self, durable: StreamPosition | None) -> None:
        """Raises ResyncRequiredError when changes between `durable` and the slot are lost."""
        lost = self.reported is not None if durable is None else durable.commit_lsn < self.confirmed
        if self.established and lost:
            have = "nothing" if durable is None else f"everything up to {durable.commit_lsn}"
            raise ResyncRequiredError(
                f"the destination holds {have}, but the slot has moved on to {self.confirmed}: changes are missing",
                code="DESTINATION_BEHIND_SLOT",
                remedy="Set desired_state = 'RESYNC' on its table syncs after checking what was restored there.",
            )


class Writer:
    """Works off what it is handed, for one destination.

    Promises: work is done in the order of `queue.put`; each piece is retried until it is done, the destination says
    for good that it cannot be, or the writer is stopped; one destination's outage blocks no other's thread.
    """

    def __init__(
        self,
        destination_id: int,
        make: Callable[[], Destination],
        epoch: int,
        resumption: Resumption,
        events: DeskEvents,
        covered: int = 0,
    ) -> None:
        self.destination_id = destination_id
        self._make = make
        self._epoch = epoch
        self._resumption: Resumption | None = resumption
        self._events = events
        self._desk: Desk | None = None
        self._initially_covered = covered
        self.queue = WorkQueue()
        self._current: Work | None = None
        self._attempts = 0
        self._stop_by: float | None = None
        self._stopped = threading.Event()
        self._settled = threading.Event()
        self._success_at: float | None = None
        self._progress_at = self._heard_at = 0.0
        # one value, so that no reader ever sees a phase without its reason
        self._condition: tuple[WriterPhase, Failure | None] = (WriterPhase.OPENING, None)
        self._thread = threading.Thread(target=self._run, name=f"writer-{destination_id}", daemon=True)

    # -- for other threads ------------------------------------------------------------------------

    @property
    def covered(self) -> int:
        """Sequence of the newest batch that is durable here with all before it."""
        return self._initially_covered if self._desk is None else self._desk.covered

    @property
    def state(self) -> WriterState:
        desk = self._desk
        lag_seconds = None
        if desk is not None and desk.commit_time is not None and self._success_at is not None:
            lag_seconds = max(0.0, time.time() - (time.monotonic() - self._success_at) - desk.commit_time)
        phase, failure = self._condition
        durable = None if desk is None else desk.durable
        return WriterState(phase, failure, durable, self._success_at, lag_seconds)

    def start(self) -> None:
        self._thread.start()

    def wait_until_settled(self, timeout_seconds: float) -> None:
        """Returns once the destination was opened, or could not be at the first attempt."""
        self._settled.wait(timeout_seconds)

    def stop(self, drain_seconds: float) -> None:
        """Ends the thread after the work that is queued, or at the deadline; what is left comes again."""
        self._stop_by = time.monotonic() + drain_seconds
        self._stopped.set()
        self.queue.close()

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
            self._condition = (WriterPhase.STOPPED, None)

    def _open(self) -> None:
        if self._desk is None:
            self._desk = Desk(self.destination_id, self._make(), self._events, self._initially_covered)
        self._desk.destination.open(self._epoch)
        durable = self._desk.destination.durable_position()
        if self._resumption is not None:
            self._resumption.check(durable)
            self._resumption = None
        if durable is not None:
            self._desk.cover(durable)
        if self._current is None:  # else only the work that failed can tell that all is well again
            self._succeed()
        self._settled.set()

    def _serve(self) -> None:
        desk = self._desk
        while desk is not None and not self._ended():
            if self._current is None:
                self._current = self.queue.take(_IDLE_SECONDS)
            if self._current is not None:
                self._current.run(desk)
                self._current = None
                self._succeed()
            if desk.has_postponed and (self._stopped.is_set() or self._progress_due()):
                desk.flush_progress()
                self._progress_at = time.monotonic()
                self._succeed()
            elif time.monotonic() - self._heard_at >= _PING_SECONDS:
                desk.destination.ping()
                self._heard_at = time.monotonic()

    def _progress_due(self) -> bool:
        return time.monotonic() - self._progress_at >= _PROGRESS_SECONDS

    def _ended(self) -> bool:
        if self._stop_by is None:
            return False
        drained = self._current is None and self.queue.empty and not (self._desk and self._desk.has_postponed)
        return drained or self._condition[0] is not WriterPhase.WRITING or time.monotonic() > self._stop_by

    def _succeed(self) -> None:
        if self._condition[0] is not WriterPhase.WRITING:
            _log.info("destination_open", destination_id=self.destination_id)
        self._attempts = 0
        self._condition = (WriterPhase.WRITING, None)
        self._success_at = self._heard_at = time.monotonic()

    def _wait_after(self, error: RosettaError) -> None:
        outage = isinstance(error, OutageError)
        known = self._condition[1]
        if known is None or known.code != error.code:
            _log.warning("destination_failed", destination_id=self.destination_id, code=error.code, error=error.message)
        self._condition = (WriterPhase.RETRYING if outage else WriterPhase.FAILED, Failure.of(error))
        self._settled.set()
        self._close()
        longest_seconds = _OUTAGE_DELAY_SECONDS if outage else _REFUSAL_DELAY_SECONDS
        ceiling = min(longest_seconds, _FIRST_DELAY_SECONDS * 2.0 ** min(self._attempts, 20))
        self._attempts += 1
        self._stopped.wait(ceiling * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries, protects nothing

    def _close(self) -> None:
        if self._desk is not None:
            self._desk.destination.close()
