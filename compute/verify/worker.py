"""Takes the verifications that are asked for, one after the other, each in a process of its own.

A process, because a comparison waits minutes for a server where it must, and compute stops within seconds.
"""

from __future__ import annotations

import multiprocessing
import threading
from multiprocessing.context import SpawnProcess
from typing import Final

from compute.config.settings import Settings
from compute.core.catalog import Catalog
from compute.verify.child import VerifySpec, run_verification
from rosetta.errors import OutageError
from rosetta.logs import get_logger

_LOOK_SECONDS: Final = 0.5
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
        code = self._wait_for(process)
        message = "it was broken off, because compute stopped; start it again"
        if not self._ended.is_set():
            message = f"its process ended with exit code {code}; the log says why"
        self._catalog.verify_runs.fail(run.run_id, message)  # where the process stored an end, that stands
        _log.info("verify_ended", run_id=run.run_id, exit_code=code)
        return True

    def _wait_for(self, process: SpawnProcess) -> int | None:
        while process.is_alive():
            if self._ended.is_set():
                process.kill()
            process.join(_LOOK_SECONDS)
        code = process.exitcode
        process.close()
        return code
