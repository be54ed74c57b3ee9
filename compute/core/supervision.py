"""What the supervisor sees, as data: made by its thread after every pass, read by the health server."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from compute.core.process import Ending, PipelineProcess
from compute.core.reconcile import Waiting, Wish

_STALLED_SECONDS = 30.0


@dataclass
class Supervised:
    """One pipeline in the supervisor's memory; used by its thread only."""

    wish: Wish | None = None
    served: Wish | None = None  # what the process was started for
    process: PipelineProcess | None = None
    waiting: Waiting | None = None
    failures: int = 0
    heap_scale: int = 1
    last_ending: Ending | None = None
    giving: bool = False  # it stops here so that another instance can have it

    def describe(self, pipeline_id: int, now: float) -> dict[str, Any]:
        """The real state, for people and probes."""
        process = self.process
        ending = self.last_ending
        return {
            "id": pipeline_id,
            "name": self.wish.name if self.wish else None,
            "desired": self.wish.status.value if self.wish else None,
            "state": self._state(),
            "pid": process.pid if process else None,
            "heartbeat_age_seconds": round(now - process.heard_at, 1) if process else None,
            "consecutive_failures": self.failures,
            "restarts_in_seconds": round(max(0.0, self.waiting.until - now), 1) if self.waiting else None,
            "last_failure": (
                {"code": ending.failure.code, "message": ending.failure.message, "remedy": ending.failure.remedy}
                if ending
                else None
            ),
        }

    def _state(self) -> str:
        if self.process is not None:
            return "STOPPING" if self.process.stopping else self.process.phase.value
        if self.waiting is not None:
            return "WAITING_TO_RESTART"
        return "ELSEWHERE" if self.wish is not None and self.wish.elsewhere else "NOT_RUNNING"


@dataclass(frozen=True, slots=True)
class SupervisorView:
    """One moment of the supervisor. `polled_at` is None until the first poll succeeded."""

    instance_id: str
    polled_at: datetime | None
    unreachable_since: datetime | None
    unreachable_reason: str | None
    pipelines: tuple[dict[str, Any], ...] = ()
    ticked: float = field(default_factory=time.monotonic)

    @property
    def alive(self) -> bool:
        """Whether the supervisor's loop still turns."""
        return time.monotonic() - self.ticked < _STALLED_SECONDS

    @property
    def ready(self) -> bool:
        return self.alive and self.polled_at is not None and self.unreachable_since is None

    def document(self) -> dict[str, Any]:
        """The body of /health."""
        return {
            "status": "ok" if self.ready else "unavailable",
            "service": "compute",
            "instance": self.instance_id,
            "supervisor_alive": self.alive,
            "config_database": {
                "reachable": self.polled_at is not None and self.unreachable_since is None,
                "last_poll": _iso(self.polled_at),
                "unreachable_since": _iso(self.unreachable_since),
                "reason": self.unreachable_reason,
            },
            "pipelines": list(self.pipelines),
            "timestamp": _iso(datetime.now(UTC)),
        }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
