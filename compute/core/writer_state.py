"""How a writer is doing: said by its thread, read by others."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum

from compute.core.exit_codes import Failure
from rosetta.backoff import Backoff
from rosetta.errors import OutageError, RosettaError
from rosetta.logs import get_logger
from rosetta.lsn import StreamPosition

_OUTAGE = Backoff(0.2, 1.0)  # nobody else waits, so looking often costs little
_REFUSAL = Backoff(0.2, 15.0)
_log = get_logger("compute.writer")


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
class Moment:
    """A phase with its reason, as one value, so that no reader ever sees one without the other."""

    phase: WriterPhase
    failure: Failure | None = None
    since: float | None = None


class Condition:
    """Changed by one thread; `now` may be read by any."""

    def __init__(self, destination_id: int) -> None:
        self._destination_id = destination_id
        self._attempts = 0
        self.now = Moment(WriterPhase.OPENING)
        self.success_at: float | None = None

    def succeed(self) -> None:
        if self.now.phase is not WriterPhase.WRITING:
            _log.info("destination_open", destination_id=self._destination_id)
            self.now = Moment(WriterPhase.WRITING)
        self._attempts = 0
        self.success_at = time.monotonic()

    def fail(self, error: RosettaError) -> float:
        """Seconds to wait before the next attempt: doubling, jittered, and longer where a person must act first."""
        known, outage = self.now, isinstance(error, OutageError)
        if known.failure is None or known.failure.code != error.code:
            _log.warning(
                "destination_failed", destination_id=self._destination_id, code=error.code, error=error.message
            )
        phase = WriterPhase.RETRYING if outage else WriterPhase.FAILED
        self.now = Moment(phase, Failure.of(error), known.since or time.monotonic())
        self._attempts += 1
        return (_OUTAGE if outage else _REFUSAL).delay_seconds(self._attempts)

    def end(self) -> None:
        self.now = Moment(WriterPhase.STOPPED)
