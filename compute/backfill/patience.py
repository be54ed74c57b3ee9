"""How a copy waits: for chunks, for outages to end, and never longer than it is wanted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from compute.backfill.flight import Landings
from compute.backfill.ports import CopyJobs
from rosetta.backoff import Backoff
from rosetta.errors import OutageError
from rosetta.logs import get_logger

_OUTAGES = Backoff(0.4, 5.0)
_WAIT_SECONDS = 0.2
_COARSE_SECONDS = 1.0
_log = get_logger("compute.backfill")


class CopyEndedError(Exception):
    """Raised inside a copy that is no longer wanted, wherever it waits."""


class Patience:
    """Waits for one copy, on its thread; `drop` is for others."""

    def __init__(
        self, job_id: int, jobs: CopyJobs, landings: Landings, stopping: threading.Event, rows_per_second: int = 0
    ) -> None:
        """`rows_per_second`: the most that the copy may read; 0: no bound."""
        self._job_id = job_id
        self._jobs = jobs
        self._landings = landings
        self._stopping = stopping
        self._unwanted = threading.Event()
        self._rows_per_second = rows_per_second
        self._next_read_at = 0.0
        self._attempts = 0
        self._reason: str | None = None

    def drop(self) -> None:
        """The copy is no longer wanted."""
        self._unwanted.set()
        self._landings.nudge()

    def pause(self) -> None:
        """Waits a moment, or until a chunk landed. Raises CopyEndedError when the copy is to end."""
        self.check()
        self._landings.wait(_WAIT_SECONDS)
        self.check()

    def check(self) -> None:
        """Raises CopyEndedError when the copy is to end."""
        if self._unwanted.is_set() or self._stopping.is_set():
            raise CopyEndedError

    def was_read(self, rows: int) -> None:
        """So many rows were read at the source, just now."""
        if self._rows_per_second:
            now = time.monotonic()
            # what was waited too long, because waiting is coarse, is made up for
            since = max(self._next_read_at, now - _COARSE_SECONDS) if self._next_read_at else now
            self._next_read_at = since + rows / self._rows_per_second

    def keep_pace(self) -> None:
        """Waits as long as what was read has been too much. Raises CopyEndedError when the copy is to end."""
        while time.monotonic() < self._next_read_at:
            self.pause()

    def say(self, reason: str | None) -> None:
        """Tells people why the copy does not move; None: it does again."""
        if reason != self._reason:
            self._jobs.hold(self._job_id, reason)
            self._reason = reason

    def insist(self, act: Callable[[], None]) -> None:
        """Does `act` until no outage is in its way."""
        while True:
            try:
                act()
                return
            except OutageError as error:
                self.check()
                self._wait_after(error)

    def succeeded(self) -> None:
        """The next outage is a new one."""
        self._attempts = 0

    def _wait_after(self, error: OutageError) -> None:
        self._attempts += 1
        if self._attempts == 1:
            _log.warning("copy_waits", job_id=self._job_id, code=error.code, error=error.message)
        with suppress(OutageError):  # it is the config database that is away: then nobody can be told
            self.say(f"waits: {error.message}")
        until = time.monotonic() + _OUTAGES.delay_seconds(self._attempts)
        while time.monotonic() < until:
            self.pause()
