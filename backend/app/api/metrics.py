"""Prometheus: the state of the whole deployment as the config database has it, and this worker's requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.api.access import requires
from app.api.deps import GaugeRepositoryDep
from app.api.errors import ERROR_RESPONSES
from rosetta.enums import Role

router = APIRouter(tags=["monitoring"])

_REQUESTS: Final = CollectorRegistry()
REQUEST_SECONDS: Final = Histogram(
    "rosetta_http_request_seconds", "Requests of this worker.", ["method", "route", "status"], registry=_REQUESTS
)
_HELP: Final = {
    "rosetta_pipeline_wanted": "1 when the pipeline is to run.",
    "rosetta_destination_healthy": "1 when the destination is healthy.",
    "rosetta_destination_lag_seconds": "Commit at the source to visible at the target, of the newest batch.",
    "rosetta_destination_lag_bytes": "WAL between the source's end and what the destination holds.",
    "rosetta_slot_retained_bytes": "WAL that the pipeline's slot makes the source keep.",
    "rosetta_parked_rows": "Rows in the dead letter queue.",
    "rosetta_rows_applied_total": "Changes written, by table.",
    "rosetta_backfills_running": "Copies and backfills that are being executed.",
    "rosetta_alerts_open": "Alerts that last.",
    "rosetta_compute_instances": "Compute services that showed themselves within a minute.",
}


class _State(Collector):
    """Rows of (name, labels, value), one family per name."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._rows = defaultdict[str, list[Mapping[str, Any]]](list)
        for row in rows:
            self._rows[row["name"]].append(row)

    def collect(self) -> Iterator[Metric]:
        for name, help_text in _HELP.items():
            rows = self._rows[name]
            labels = sorted(rows[0]["labels"]) if rows else []
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            family = kind(name, help_text, labels=labels)
            for row in rows:
                family.add_metric([str(row["labels"][label]) for label in labels], float(row["value"]))
            yield family


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {CONTENT_TYPE_LATEST: {}}}, **ERROR_RESPONSES},
)
@requires(Role.VIEWER)
async def metrics(gauges: GaugeRepositoryDep) -> Response:
    """For Prometheus, which sends a viewer's token (`authorization` in its scrape configuration)."""
    registry = CollectorRegistry()
    registry.register(_State(await gauges.all()))
    return Response(generate_latest(registry) + generate_latest(_REQUESTS), media_type=CONTENT_TYPE_LATEST)
