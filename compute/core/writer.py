"""One thread per destination: works off its queue, and holds on to its work through outages."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import structlog

from compute.core.batch import ChangeBatch
from compute.core.exit_codes import Failure
from compute.core.lane_queue import Beside, Gap, LaneQueue
from compute.core.resumption import Resumption
from compute.core.work import ChangesWork, Desk
from compute.dlq.backlog import Backlog
from compute.dlq.parcels import replayed
from rosetta.errors import FencedError, OutageError, ResyncRequiredError, RosettaError
from rosetta.lsn import Lsn, StreamPosition
from rosetta.plants import planted

_IDLE_SECONDS = 0.2
_PROGRESS_SECONDS = 1.0
_PING_SECONDS = 5.0  # an idle destination that is gone is found, too
_FIRST_DELAY_SECONDS = 0.2
_OUTAGE_DELAY_SECONDS = 1.0  # nobody else waits, so looking often costs little
_REFUSAL_DELAY_SECONDS = 15.0
_LEDGER_DELAY_SECONDS = 1.0
_PAGE_BYTES = 4_000_000  # of parked changes that are in memory at once
_START = StreamPosition(Lsn(0))
_log = structlog.get_logger("compute.writer")


class WriterPhase(StrEnum):
    OPENING = "OPENING"
    WRITING = "WRITING"
    RETRYING = "RETRYING"  # the destination is away; it will be back
    FAILED = "FAILED"  # the destination refuses us; a person must mend that
    STOPPED = "STOPPED"


@dataclass(frozen=True, slots=True)
class WriterState:
    """One moment of a writer. Monotonic times; `lag_seconds` is that of the newest written batch.

    `failing_since`: nothing has succeeded since then; None while all is well.
    """

    phase: WriterPhase
    failure: Failure | None = None
    failing_since: float | None = None
    durable: StreamPosition | None = None
    success_at: float | None = None
    lag_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class _Condition:
    """One value, so that no reader ever sees a phase without its reason."""

    phase: WriterPhase
    failure: Failure | None = None
    since: float | None = None


class Writer:
    """Works off a lane's queue, for one destination.

    Promises: work is done in the order of the queue, what stands in the ledger for a gap included; each piece is
    retried until it is done, the destination says for good that it cannot be, or the writer is stopped.
    """

    def __init__(
        self,
        queue: LaneQueue,
        backlog: Backlog | None,
        make: Callable[[], Desk],
        resumption: Resumption,
        epoch: int,
    ) -> None:
        """`make` builds the desk with its destination; what it raises is retried like any failure to open."""
        self._queue = queue
        self._backlog = backlog
        self._make = make
        self._resumption: Resumption | None = resumption
        self._epoch = epoch
        self._desk: Desk | None = None
        self._busy = False
        self._attempts = 0
        self._stop_by: float | None = None
        self._stopped = threading.Event()
        self._settled = threading.Event()
        self._success_at: float | None = None
        self._progress_at = self._heard_at = 0.0
        self._replayed = _START
        self._condition = _Condition(WriterPhase.OPENING)
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    # -- for other threads ------------------------------------------------------------------------

    @property
    def covered(self) -> int:
        """Sequence of the newest batch that is durable here with all before it; 0: none yet."""
        return 0 if self._desk is None else self._desk.covered

    @property
    def state(self) -> WriterState:
        desk = self._desk
        lag_seconds = None
        if desk is not None and desk.commit_time is not None and self._success_at is not None:
            lag_seconds = max(0.0, time.time() - (time.monotonic() - self._success_at) - desk.commit_time)
        known = self._condition
        durable = None if desk is None else desk.durable
        return WriterState(known.phase, known.failure, known.since, durable, self._success_at, lag_seconds)

    def start(self, name: str) -> None:
        self._thread.name = name
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
            self._condition = _Condition(WriterPhase.STOPPED)

    def _open(self) -> None:
        if self._desk is None:
            self._desk = self._make()
        self._desk.destination.open(self._epoch)
        durable = self._desk.destination.durable_position()
        if self._resumption is not None:
            self._resumption.check(durable)
            origin = self._resumption.origin
            if origin is not None and (durable is None or durable < origin):
                # Before the first copy begins: from then on a position behind the slot is a loss.
                self._desk.postpone(ChangeBatch(self._desk.covered, _START, origin))
                self._flush(self._desk)
            self._resumption = None
        if durable is not None:
            self._cover(self._desk, durable)
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
                work = item.work if isinstance(item, Beside) else ChangesWork(item.batch)
                work.run(desk)
                self._queue.done(item)
                self._queue.cover(desk.covered)
                self._busy = False
                self._succeed()
            if desk.has_postponed and (self._stopped.is_set() or self._progress_due()):
                self._flush(desk)
                self._succeed()
            elif time.monotonic() - self._heard_at >= _PING_SECONDS:
                desk.destination.ping()
                self._heard_at = time.monotonic()

    def _cover(self, desk: Desk, durable: StreamPosition) -> None:
        desk.cover(durable)
        self._queue.cover(desk.covered)

    def _flush(self, desk: Desk) -> None:
        desk.flush_progress()
        self._queue.cover(desk.covered)
        self._progress_at = time.monotonic()

    def _progress_due(self) -> bool:
        return time.monotonic() - self._progress_at >= _PROGRESS_SECONDS

    # -- what was parked --------------------------------------------------------------------------

    def _fill(self, desk: Desk, gap: Gap) -> None:
        """Writes the next page of what the ledger has for `gap`; the gap is gone when there is none."""
        if self._backlog is None:
            raise RuntimeError("a gap without a ledger")
        try:
            rows = self._backlog.page(self._replayed, gap.end, _PAGE_BYTES)
        except OutageError as error:
            self._wait_for_ledger(error)
            return
        last = rows[-1].position if rows else gap.end
        missing = [row for row in rows if desk.durable is None or row.position > desk.durable]
        for batch in replayed(missing, desk.covered, _PAGE_BYTES):
            ChangesWork(batch).run(desk)
        if desk.durable is None or desk.durable < last:
            # Also what was not for the tables here is behind us: the target's own progress has to say so.
            desk.postpone(ChangeBatch(desk.covered if rows else gap.sequence, _START, last))
            desk.flush_progress()
        if desk.durable is None or desk.durable < last:
            self._stopped.wait(_IDLE_SECONDS)  # accepted, not durable yet: asked for again
            self._cover(desk, desk.destination.durable_position() or _START)
            return
        try:
            self._backlog.close(rows, desk.targets)
        except OutageError as error:
            self._wait_for_ledger(error)
            return
        self._replayed = last
        if not rows:
            self._queue.done(gap)
            self._busy = False
            _log.info("parked_changes_written", destination_id=desk.destination_id, up_to=str(gap.end.commit_lsn))
        self._succeed()

    def _wait_for_ledger(self, error: OutageError) -> None:
        if isinstance(error, FencedError):
            raise error
        self._fail(WriterPhase.RETRYING, error)
        self._stopped.wait(_LEDGER_DELAY_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries

    # ---------------------------------------------------------------------------------------------

    def _ended(self) -> bool:
        if self._stop_by is None:
            return False
        drained = (self._queue.empty or self._queue.has_gaps) and not (self._desk and self._desk.has_postponed)
        return drained or self._condition.phase is not WriterPhase.WRITING or time.monotonic() > self._stop_by

    def _succeed(self) -> None:
        if self._condition.phase is not WriterPhase.WRITING:
            _log.info("destination_open", destination_id=self._desk.destination_id if self._desk else None)
            self._condition = _Condition(WriterPhase.WRITING)
        self._attempts = 0
        self._success_at = self._heard_at = time.monotonic()

    def _wait_after(self, error: RosettaError) -> None:
        outage = isinstance(error, OutageError)
        self._fail(WriterPhase.RETRYING if outage else WriterPhase.FAILED, error)
        self._settled.set()
        self._close()
        longest_seconds = _OUTAGE_DELAY_SECONDS if outage else _REFUSAL_DELAY_SECONDS
        ceiling = min(longest_seconds, _FIRST_DELAY_SECONDS * 2.0 ** min(self._attempts, 20))
        self._attempts += 1
        self._stopped.wait(ceiling * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries, protects nothing

    def _fail(self, phase: WriterPhase, error: RosettaError) -> None:
        known = self._condition
        if known.failure is None or known.failure.code != error.code:
            _log.warning("destination_failed", thread=self._thread.name, code=error.code, error=error.message)
        self._condition = _Condition(phase, Failure.of(error), known.since or time.monotonic())

    def _close(self) -> None:
        if self._desk is not None:
            self._desk.destination.close()
