"""What the supervisor has to say about pipelines that have no process, kept until it is written."""

from __future__ import annotations

from compute.core.catalog import Catalog
from compute.core.exit_codes import Failure
from rosetta.enums import HealthStatus, ObservedStatus
from rosetta.errors import RosettaError
from rosetta.logs import get_logger

_log = get_logger("compute.manager")


class Declarations:
    """The newest declaration of each pipeline; used by the supervisor's thread."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._unwritten: dict[int, tuple[ObservedStatus, HealthStatus, Failure | None, int]] = {}

    def add(
        self,
        pipeline_id: int,
        status: ObservedStatus,
        health: HealthStatus,
        failure: Failure | None = None,
        restarts: int = 0,
    ) -> None:
        self._unwritten[pipeline_id] = (status, health, failure, restarts)

    def __contains__(self, pipeline_id: int) -> bool:
        return pipeline_id in self._unwritten

    def write(self) -> None:
        """Writes what it can; the rest stays for the next time."""
        for pipeline_id, (status, health, failure, restarts) in list(self._unwritten.items()):
            try:
                self._catalog.observations.declare(pipeline_id, status, health, failure, restarts)
            except RosettaError as error:
                _log.warning("state_not_written", pipeline_id=pipeline_id, error=error.message)
                return
            del self._unwritten[pipeline_id]
