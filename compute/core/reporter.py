"""A thread of the pipeline's process that keeps its lease and tells the config database how things stand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from compute.core.catalog import Catalog
from compute.core.catalog.observations import Observation
from compute.core.exit_codes import Failure
from compute.core.fan_out import FanOut
from compute.core.flow import FlowCounter
from compute.core.lane import LaneState
from compute.core.slot import SlotView
from compute.core.tables import TableBook
from compute.core.writer_state import WriterPhase
from compute.engine.base import ChangeEngine, EnginePhase
from rosetta.enums import HealthStatus, ObservedStatus, TableSyncState
from rosetta.errors import FencedError, RosettaError
from rosetta.logs import get_logger
from rosetta.lsn import Lsn

_TICK_SECONDS = 0.5
_REPORT_SECONDS = 5.0
# A line that swallows everything ends no connection; that nothing was answered for so long is all there is to see.
_SILENT_SECONDS = 15.0
_FAILING = {WriterPhase.RETRYING: ObservedStatus.RETRYING, WriterPhase.FAILED: ObservedStatus.FAILED}
_log = get_logger("compute.reporter")


@dataclass(frozen=True, slots=True)
class Sight:
    """All that a reporter looks at."""

    engine: ChangeEngine
    fan_out: FanOut
    book: TableBook
    flow: FlowCounter
    slot: Callable[[], SlotView]
    detached: Callable[[], Mapping[int, Failure]]


class Reporter:
    """Keeps the lease and the observed state.

    Promises: the lease is renewed three times within its length; a change of state is reported within a
    second. With the config database away it goes on trying and stops nothing (the destination's own fence
    keeps two owners apart); only a lease that another holds now ends the process.
    """

    def __init__(
        self,
        catalog: Catalog,
        pipeline_id: int,
        epoch: int,
        lease_seconds: float,
        sight: Sight,
    ) -> None:
        self._catalog = catalog
        self._pipeline_id = pipeline_id
        self._epoch = epoch
        self._renew_seconds = lease_seconds / 3
        self._sight = sight
        self._ended = threading.Event()
        self._renewed_at = self._reported_at = 0.0
        self._shown: list[tuple[int, ObservedStatus, HealthStatus, Failure | None]] = []
        self._acknowledged: Lsn | None = None
        self._silent = False
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Says how far everything came, once more, and ends."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(2.0)

    def _run(self) -> None:
        while not self._ended.wait(_TICK_SECONDS):
            self._attempt(self._tick)
        self._attempt(self._save_progress)

    def _attempt(self, act: Callable[[], None]) -> None:
        try:
            act()
        except FencedError:
            raise
        except RosettaError as error:
            if not self._silent:
                _log.warning("config_database_unreachable", error=error.message)
            self._silent = True
        else:
            self._silent = False

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._renewed_at >= self._renew_seconds:
            self._catalog.leases.renew(self._pipeline_id, self._epoch)
            self._renewed_at = now
        # While it starts, what the supervisor said of the pipeline (and of its last failure) stays.
        seen = [one for one in self._look(now) if one.status is not ObservedStatus.STARTING]
        shown = [(one.destination_id, one.status, one.health, one.failure) for one in seen]
        if shown != self._shown or now - self._reported_at >= _REPORT_SECONDS:
            self._catalog.observations.observe(self._pipeline_id, seen)
            self._shown, self._reported_at = shown, now
            self._save_progress()

    def _save_progress(self) -> None:
        acknowledged = self._sight.fan_out.acknowledged
        if acknowledged is not None and acknowledged != self._acknowledged:
            self._catalog.plans.acknowledge(self._pipeline_id, acknowledged)
            self._acknowledged = acknowledged
        flows, rows = self._sight.flow.take()
        self._catalog.observations.add_flow(self._pipeline_id, flows)
        self._catalog.tables.applied(rows)

    def _look(self, now: float) -> list[Observation]:
        streaming = self._sight.engine.state().phase is EnginePhase.STREAMING
        slot = self._sight.slot()
        lanes = self._sight.fan_out.lanes
        seen = [self._observe(number, lane.state, streaming, slot, now) for number, lane in lanes.items()]
        return seen + [
            Observation(destination_id, ObservedStatus.RESYNC_REQUIRED, HealthStatus.ERROR, failure)
            for destination_id, failure in self._sight.detached().items()
            if destination_id not in lanes
        ]

    def _observe(
        self, destination_id: int, lane: LaneState, streaming: bool, slot: SlotView, now: float
    ) -> Observation:
        source = _silence(now - slot.seen_at)
        status, health, failure = judge(lane, streaming, self._sight.book.states(destination_id), source)
        writer = lane.writer
        durable = None if writer.durable is None else writer.durable.commit_lsn
        known = durable is not None and slot.current is not None
        return Observation(
            destination_id=destination_id,
            status=status,
            health=health,
            failure=failure,
            durable=durable,
            wal_bytes=slot.wal_bytes,
            lag_bytes=max(0, int(slot.current) - int(durable)) if known and slot.current and durable else None,
            lag_seconds=writer.lag_seconds,
            success_age_seconds=None if writer.success_at is None else now - writer.success_at,
        )


def _silence(seconds: float) -> Failure | None:
    """What is wrong with a source that was last seen so long ago."""
    if seconds < _SILENT_SECONDS:
        return None
    return Failure(
        "SOURCE_SILENT",
        "the source does not answer",
        "Look at the network between here and the source, and at its load; the stream goes on by itself.",
    )


def judge(
    lane: LaneState,
    streaming: bool,
    tables: list[tuple[TableSyncState, Failure | None]],
    source: Failure | None = None,
) -> tuple[ObservedStatus, HealthStatus, Failure | None]:
    """Status, health and reason of one destination; the worst that is so wins. `source`: why nothing comes in."""
    writer = lane.writer
    if lane.detached is not None:
        return ObservedStatus.RESYNC_REQUIRED, HealthStatus.ERROR, lane.detached
    if lane.blocked is not None:
        return ObservedStatus.BLOCKED, HealthStatus.ERROR, lane.blocked
    if writer.phase in _FAILING:
        return _FAILING[writer.phase], HealthStatus.ERROR, writer.failure
    if not streaming or writer.phase is not WriterPhase.WRITING:
        return ObservedStatus.STARTING, HealthStatus.UNKNOWN, None
    if source is not None:
        return ObservedStatus.RETRYING, HealthStatus.ERROR, source
    return _at_work(lane, tables)


def _at_work(
    lane: LaneState, tables: list[tuple[TableSyncState, Failure | None]]
) -> tuple[ObservedStatus, HealthStatus, Failure | None]:
    failures = [failure for state, failure in tables if state is TableSyncState.ERROR]
    copying = any(state in {TableSyncState.PENDING, TableSyncState.COPYING} for state, _ in tables)
    status = ObservedStatus.SNAPSHOTTING if copying else ObservedStatus.RUNNING
    if failures:
        return status, HealthStatus.DEGRADED, failures[0]
    return status, HealthStatus.DEGRADED if lane.catching_up else HealthStatus.HEALTHY, None
