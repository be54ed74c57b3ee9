"""The WAL monitor: what every source's slots make it keep, checked at intervals by one worker of the deployment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from app.domain.models import WalMetric, WalMonitor
from app.domain.ports import WalState
from app.domain.repositories import WalRepository
from app.domain.schemas.monitoring import WalMonitorView
from app.domain.services.thresholds import Thresholds
from rosetta.backoff import Backoff
from rosetta.enums import WalMonitorStatus
from rosetta.errors import RosettaError
from rosetta.lsn import Lsn

_GROWTH_WINDOW: Final = timedelta(hours=1)
_LONGEST_PAUSE_SECONDS: Final = 3600.0
# What PostgreSQL says of a slot whose WAL is no longer safe.
_ENDANGERED: Final = frozenset({"unreserved", "lost"})


@dataclass(frozen=True, slots=True)
class WalSchedule:
    """`interval` between checks; after `max_retries` failures in a row the state is ERROR, with growing pauses."""

    interval: timedelta
    max_retries: int


class WalMonitorService:
    def __init__(self, wal: WalRepository, thresholds: Thresholds, schedule: WalSchedule) -> None:
        self._wal = wal
        self._thresholds = thresholds
        self._schedule = schedule

    async def record(self, source_id: int, state: WalState) -> WalMonitorStatus:
        """Keeps a check that succeeded: one history row per slot, or one for the source when it has none."""
        retained = max((slot.retained_bytes or 0 for slot in state.slots), default=None)
        worst = next((slot.wal_status for slot in state.slots if slot.wal_status in _ENDANGERED), None)
        status = self._judge(retained, worst)
        shared = {"source_id": source_id, "wal_size_bytes": state.size_bytes}
        await self._wal.add_metrics(
            [
                WalMetric(
                    **shared,
                    slot_name=slot.name,
                    retained_bytes=slot.retained_bytes,
                    lag_bytes=slot.lag_bytes,
                    wal_status=slot.wal_status,
                    active=slot.active,
                )
                for slot in state.slots
            ]
            or [WalMetric(**shared)]
        )
        await self._wal.put(
            source_id,
            self._schedule.interval,
            {
                "status": status,
                "wal_size_bytes": state.size_bytes,
                "current_lsn": Lsn.parse(state.current_lsn),
                "retained_bytes": retained,
                "wal_status": worst or next((slot.wal_status for slot in state.slots), None),
                "consecutive_failures": 0,
                "last_error": None,
            },
        )
        return status

    async def record_failure(self, source_id: int, error: RosettaError) -> None:
        """Keeps a check that failed; the first few are repeated at the interval, later ones with growing pauses."""
        failures = await self._wal.failures_of(source_id) + 1
        beyond = max(0, failures - self._schedule.max_retries)
        interval = self._schedule.interval.total_seconds()
        pauses = Backoff(interval, max(_LONGEST_PAUSE_SECONDS, interval))
        values: dict[str, object] = {"consecutive_failures": failures, "last_error": error.message}
        if failures >= self._schedule.max_retries:
            values["status"] = WalMonitorStatus.ERROR
        await self._wal.put(source_id, timedelta(seconds=pauses.ceiling_seconds(beyond + 1)), values)

    async def views(self) -> list[WalMonitorView]:
        """The newest check of every source, with a forecast."""
        growth = await self._wal.growth(_GROWTH_WINDOW)
        return [self._view(row, growth.get(row.source_id)) for row in await self._wal.all()]

    def _view(self, row: WalMonitor, growth: float | None) -> WalMonitorView:
        left = None if row.retained_bytes is None else self._thresholds.wal_critical_bytes - row.retained_bytes
        critical_in = max(0.0, left / growth) if growth is not None and growth > 0 and left is not None else None
        return WalMonitorView(
            source_id=row.source_id,
            status=row.status,
            wal_size_bytes=row.wal_size_bytes,
            current_lsn=None if row.current_lsn is None else str(row.current_lsn),
            retained_bytes=row.retained_bytes,
            wal_status=row.wal_status,
            consecutive_failures=row.consecutive_failures,
            last_error=row.last_error,
            checked_at=row.checked_at,
            next_check_at=row.next_check_at,
            growth_bytes_per_second=growth,
            critical_in_seconds=critical_in,
        )

    def _judge(self, retained: int | None, endangered: str | None) -> WalMonitorStatus:
        if endangered is not None or (retained or 0) >= self._thresholds.wal_critical_bytes:
            return WalMonitorStatus.CRITICAL
        if (retained or 0) >= self._thresholds.wal_warning_bytes:
            return WalMonitorStatus.WARNING
        return WalMonitorStatus.OK
