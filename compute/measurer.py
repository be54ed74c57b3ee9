"""Keeps, every minute, what this service and the processes of its pipelines use."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Callable
from typing import Any, Final

from compute.core.catalog.measurements import Measurements
from compute.core.supervision import SupervisorView
from compute.metrics import resident_bytes
from rosetta.errors import RosettaError
from rosetta.logs import get_logger

_INTERVAL_SECONDS: Final = 60.0
_LAST_SECONDS: Final = 2.0
_log = get_logger("compute.measurer")


class Measurer:
    """A thread of its own; a measurement that cannot be kept is left out."""

    def __init__(self, measurements: Measurements, view: Callable[[], SupervisorView]) -> None:
        self._measurements = measurements
        self._view = view
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="measurer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends between two measurements; one under way is waited for, but not for long."""
        self._ended.set()
        self._thread.join(_LAST_SECONDS)

    def _run(self) -> None:
        while not self._ended.wait(_INTERVAL_SECONDS):
            self.measure()

    def measure(self) -> None:
        """Keeps one measurement."""
        try:
            self._measurements.add(usage(self._view()))
        except RosettaError as error:
            _log.warning("measurement_left_out", code=error.code)


def usage(view: SupervisorView) -> dict[str, Any]:
    """Processor time in seconds and resident memory in bytes: of the service, and of each pipeline's process."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    resident = {str(one["id"]): resident_bytes(one["pid"]) for one in view.pipelines if one["pid"]}
    return {
        "cpu_seconds": own.ru_utime + own.ru_stime,
        "resident_bytes": resident_bytes(os.getpid()),
        "pipelines": {number: {"resident_bytes": size} for number, size in resident.items() if size is not None},
    }
