"""The thread of a pipeline's process that changes what is replicated while the stream goes on."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from rosetta.errors import FencedError, OutageError
from rosetta.logs import get_logger

_RETRY_SECONDS = 1.0
_log = get_logger("compute.control")


class Control:
    """A thread that keeps tables and destinations in line with the plan while the stream goes on.

    Everything posted is done in order; what fails because the config database or the source is away is done
    again. Any other failure ends the process.
    """

    def __init__(self, reload: Callable[[], None], interval_seconds: float) -> None:
        self._reload = reload
        self._interval_seconds = interval_seconds
        self._posted: queue.Queue[Callable[[], None]] = queue.Queue()
        self._reload_asked = threading.Event()
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def post(self, act: Callable[[], None]) -> None:
        """Has `act` done on the control thread."""
        self._posted.put(act)

    def ask_reload(self) -> None:
        """The plan may have changed."""
        self._reload_asked.set()
        self._posted.put(lambda: None)

    def stop(self) -> None:
        self.stopping.set()
        self._posted.put(lambda: None)

    def _run(self) -> None:
        reload_at = time.monotonic() + self._interval_seconds
        while not self.stopping.is_set():
            try:
                act = self._posted.get(timeout=max(0.0, reload_at - time.monotonic()))
            except queue.Empty:
                act = self._nothing
            self._insist(act)
            if self._reload_asked.is_set() or time.monotonic() >= reload_at:
                self._reload_asked.clear()
                self._insist(self._reload)
                reload_at = time.monotonic() + self._interval_seconds

    def _nothing(self) -> None:
        """Nothing was posted: only the time has passed."""

    def _insist(self, act: Callable[[], None]) -> None:
        complained = False
        while not self.stopping.is_set():
            try:
                act()
                return
            except FencedError:
                raise
            except OutageError as error:
                if not complained:
                    _log.warning("control_waits", code=error.code, error=error.message)
                complained = True
                self.stopping.wait(_RETRY_SECONDS)
