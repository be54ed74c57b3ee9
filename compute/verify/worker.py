"""Takes the verifications that are asked for, one after the other, each in a process of its own.

A process, because a comparison waits minutes for a server where it must, and compute stops within seconds.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from multiprocessing.context import SpawnProcess
from typing import Final

from compute.config.settings import Settings
from compute.core.catalog import Catalog
from compute.verify.child import VerifySpec, run_verification
from rosetta.errors import OutageError
from rosetta.logs import get_logger

_LOOK_SECONDS: Final = 0.5
_ASK_SECONDS: Final = 2.0
_GRACE_SECONDS: Final = 60.0  # behind its time, for a process that does not end by itself
_spawn = multiprocessing.get_context("spawn")
_log = get_logger("compute.verify")


class VerifyWorker:
    """A thread of the supervisor."""

    def __init__(self, settings: Settings, catalog: Catalog, instance_id: str) -> None:
        self._settings = settings
        self._catalog = catalog
        self._instance_id = instance_id
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="verify", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do now."""
        self._wake.set()

    def stop(self) -> None:
        """Breaks off the run under way, which is then said to have failed."""
        self._ended.set()
        self._wake.set()

    def join(self, timeout_seconds: float) -> None:
        """Waits for what `stop` asked for."""
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                while not self._ended.is_set() and self._carry_out_one():
                    pass
            except OutageError as error:
                _log.warning("verify_waits", error=error.message)
            self._wake.wait(self._settings.poll_seconds)
            self._wake.clear()

    def _carry_out_one(self) -> bool:
        run = self._catalog.verify_runs.claim()
        if run is None:
            return False
        _log.info("verify_started", run_id=run.run_id, pipeline_id=run.pipeline_id)
        spec = VerifySpec(run, self._instance_id, self._settings)
        process = _spawn.Process(target=run_verification, args=(spec,), name=f"rosetta-verify-{run.run_id}")
        process.start()
        code, message = self._wait_for(process, run.run_id)
        # Where the process stored an end, or somebody cancelled it, that stands.
        self._catalog.verify_runs.fail(run.run_id, message)
        _log.info("verify_ended", run_id=run.run_id, exit_code=code)
        return True

    def _wait_for(self, process: SpawnProcess, run_id: int) -> tuple[int | None, str]:
        """Its exit code, and what is to be said where it left no end itself."""
        began = ask_at = time.monotonic()
        reason = None
        while process.is_alive():
            now = time.monotonic()
            if self._ended.is_set():
                reason = "it was broken off, because compute stopped; start it again"
            elif now - began > self._settings.verify_max_seconds + _GRACE_SECONDS:
                reason = "it took longer than VERIFY_MAX_SECONDS"
            elif now >= ask_at:
                ask_at = now + _ASK_SECONDS
                reason = "it was cancelled" if self._is_over(run_id) else None
            if reason is not None:
                process.kill()
            process.join(_LOOK_SECONDS)
        code = process.exitcode
        process.close()
        return code, reason or f"its process ended with exit code {code}; the log says why"

    def _is_over(self, run_id: int) -> bool:
        """Whether the run has its end; while nobody can tell, it goes on."""
        try:
            return not self._catalog.verify_runs.wanted(run_id)
        except OutageError:
            return False
