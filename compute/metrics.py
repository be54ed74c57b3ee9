"""What this compute service does, for Prometheus; the deployment's state is served by the backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from compute.core.supervision import SupervisorView

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_PAGE_BYTES: Final = 4096


class _Supervisor(Collector):
    def __init__(self, view: SupervisorView) -> None:
        self._view = view

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("rosetta_supervisor_ready", "1 when pipelines are supervised.", float(self._view.ready))
        state = GaugeMetricFamily(
            "rosetta_process_state", "1 for the state that a pipeline's process is in.", labels=["pipeline", "state"]
        )
        silence = GaugeMetricFamily(
            "rosetta_process_heartbeat_age_seconds", "Since the process last gave a sign of life.", labels=["pipeline"]
        )
        failures = GaugeMetricFamily(
            "rosetta_process_failures", "Ends in a row that nobody asked for.", labels=["pipeline"]
        )
        memory = GaugeMetricFamily(
            "rosetta_process_resident_bytes", "Resident memory, engine included.", labels=["pipeline"]
        )
        for one in self._view.pipelines:
            name = str(one["name"] or one["id"])
            state.add_metric([name, str(one["state"])], 1)
            failures.add_metric([name], one["consecutive_failures"])
            if one["heartbeat_age_seconds"] is not None:
                silence.add_metric([name], one["heartbeat_age_seconds"])
            resident = resident_bytes(one["pid"]) if one["pid"] else None
            if resident is not None:
                memory.add_metric([name], resident)
        yield from (state, silence, failures, memory)


def render(view: SupervisorView) -> bytes:
    """One scrape, in Prometheus' text form."""
    registry = CollectorRegistry()
    registry.register(_Supervisor(view))
    return generate_latest(registry)


def resident_bytes(pid: int) -> int | None:
    """Resident memory of a process; None where the system does not tell, or the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return None
