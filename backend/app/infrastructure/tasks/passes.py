"""One pass of each background task, in transactions of its own."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.database import DatabaseManager
from app.core.exceptions import EntityInUseError
from app.core.logging import get_logger
from app.domain.models import SystemMetric
from app.domain.ports import CreditMeter, SourceAddress, SourceDatabase, TargetAddress
from app.domain.repositories import (
    AlertRepository,
    AuditRepository,
    CreditRepository,
    DestinationRepository,
    NotificationRepository,
    SchemaVersionRepository,
    SettingRepository,
    SourceRepository,
    SystemMetricRepository,
    WalRepository,
)
from app.domain.schemas.identity import Actor
from app.domain.services import (
    AlertService,
    AuditTrail,
    DestinationService,
    SchemaMonitorService,
    SourceService,
    WalMonitorService,
)
from app.domain.services.alert import AlertLimits, AlertOutbox, Channel, send
from app.domain.services.thresholds import Thresholds
from app.domain.services.wal_monitor import WalSchedule
from app.infrastructure.tasks.runner import Task
from rosetta.enums import ActorKind, Role
from rosetta.errors import OutageError, RosettaError
from rosetta.secrets import Keyring

_log = get_logger(__name__)
_SYSTEM: Final = Actor(kind=ActorKind.SYSTEM, id=None, name="backend", role=Role.ADMIN)
_LOOK_SECONDS: Final = 5.0
_HOUR_SECONDS: Final = 3600.0
# Asking what was used takes a running warehouse for a moment.
_CREDITS_SECONDS: Final = 6 * _HOUR_SECONDS
_CREDIT_DAYS: Final = 7


def wal_schedule(settings: Settings) -> WalSchedule:
    return WalSchedule(timedelta(seconds=settings.wal_monitor_interval_seconds), settings.wal_monitor_max_retries)


def _alerts(session: AsyncSession, limits: AlertLimits) -> AlertService:
    return AlertService(AlertRepository(session), NotificationRepository(session), limits)


class Passes:
    """What the tasks of one worker do."""

    def __init__(
        self,
        settings: Settings,
        database: DatabaseManager,
        keyring: Keyring,
        sources: SourceDatabase,
        meters: CreditMeter,
        channels: Sequence[Channel],
    ) -> None:
        self._settings = settings
        self._database = database
        self._keyring = keyring
        self._sources = sources
        self._meters = meters
        self._channels = channels
        self._schedule = wal_schedule(settings)

    def tasks(self) -> list[Task]:
        """All of them, by name."""
        wal = [Task("wal monitor", min(_LOOK_SECONDS, self._settings.wal_monitor_interval_seconds), self.monitor_wal)]
        return [
            *(wal if self._settings.wal_monitor_enabled else []),
            Task("schema monitor", self._settings.schema_monitor_interval_seconds, self.monitor_schemas),
            Task("alerts", self._settings.alert_interval_seconds, self.alert),
            Task("system metrics", 60.0, self.measure),
            Task("retention", _HOUR_SECONDS, self.forget),
            Task("credits", _CREDITS_SECONDS, self.meter),
        ]

    async def monitor_wal(self) -> None:
        """Checks every source whose time has come, side by side; one that is away delays no other."""
        async with self._database.transaction() as session:
            due = await WalRepository(session).due()
        await asyncio.gather(*(self._check(source_id) for source_id in due))

    async def _check(self, source_id: int) -> None:
        failure: RosettaError
        try:
            address = await self._address(source_id)
            async with asyncio.timeout(self._settings.wal_monitor_timeout_seconds):
                state = await self._sources.wal(address)
        except RosettaError as error:
            failure = error
        except TimeoutError:
            failure = OutageError("the source did not answer in time", code="CONNECTION_TIMEOUT")
        else:
            async with self._database.transaction() as session:
                thresholds = Thresholds.of(await SettingRepository(session).all())
                await WalMonitorService(WalRepository(session), thresholds, self._schedule).record(source_id, state)
            return
        async with self._database.transaction() as session:
            monitor = WalMonitorService(WalRepository(session), Thresholds(), self._schedule)
            await monitor.record_failure(source_id, failure)

    async def monitor_schemas(self) -> None:
        """Looks at the published tables of every source, side by side; one that is away is looked at the next time."""
        async with self._database.transaction() as session:
            source_ids = await SourceRepository(session).ids()
        await asyncio.gather(*map(self._look_at, source_ids))

    async def _look_at(self, source_id: int) -> None:
        try:
            address = await self._address(source_id)
            async with asyncio.timeout(self._settings.wal_monitor_timeout_seconds):
                tables = await self._sources.published_tables(address)
        except (RosettaError, TimeoutError) as error:  # the WAL monitor tells people
            _log.info("schema_not_read", source_id=source_id, code=getattr(error, "code", "CONNECTION_TIMEOUT"))
            return
        async with self._database.transaction() as session:
            await SchemaMonitorService(SchemaVersionRepository(session)).record(source_id, tables)

    async def _address(self, source_id: int) -> SourceAddress:
        async with self._database.transaction() as session:
            audit = AuditTrail(AuditRepository(session), _SYSTEM)
            return await SourceService(SourceRepository(session), self._keyring, audit).address(source_id)

    async def alert(self) -> None:
        """Finds what deserves an alert, then tells the channels."""
        async with self._database.transaction() as session:
            limits = AlertLimits.of(await SettingRepository(session).all())
            changes = await _alerts(session, limits).evaluate()
        for change in changes:
            with suppress(EntityInUseError):  # what it is about was deleted meanwhile
                async with self._database.transaction() as session:
                    await _alerts(session, limits).apply(change)
        await asyncio.gather(*(self._tell(channel) for channel in self._channels))

    async def _tell(self, channel: Channel) -> None:
        """Tells one channel all its news; after a failure the rest waits for the next pass."""
        while True:
            async with self._outbox() as outbox:
                row = await outbox.take(channel.name)
            if row is None:
                return
            try:
                await send(channel, row)
            except RosettaError as error:
                async with self._outbox() as outbox:
                    await outbox.failed(channel.name, row, error)
                return
            async with self._outbox() as outbox:
                await outbox.sent(channel.name, row)

    @asynccontextmanager
    async def _outbox(self) -> AsyncIterator[AlertOutbox]:
        async with self._database.transaction() as session:
            yield AlertOutbox(NotificationRepository(session))

    async def meter(self) -> None:
        """Keeps what destinations that bill by use have cost, for those that are written to."""
        async with self._database.transaction() as session:
            spending = await CreditRepository(session).spending()
        for destination_id in spending:
            try:
                address = await self._target(destination_id)
                report = await self._meters.report(address, _CREDIT_DAYS)
            except RosettaError as error:
                # A destination that is away is told of by its pipelines.
                _log.warning("credits_not_read", destination_id=destination_id, code=error.code)
                continue
            async with self._database.transaction() as session:
                await CreditRepository(session).keep(destination_id, report.uses)

    async def _target(self, destination_id: int) -> TargetAddress:
        async with self._database.transaction() as session:
            audit = AuditTrail(AuditRepository(session), _SYSTEM)
            return await DestinationService(DestinationRepository(session), self._keyring, audit).address(
                destination_id
            )

    async def measure(self) -> None:
        """Keeps what this process uses."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        metrics = {
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "max_rss_bytes": usage.ru_maxrss * 1024,
            "pool": self._database.get_pool_status(),
            "time": time.time(),
        }
        async with self._database.transaction() as session:
            row = SystemMetric(service="backend", instance_id=socket.gethostname(), metrics=metrics)
            await SystemMetricRepository(session).add(row)

    async def forget(self) -> None:
        """Deletes measurements and resolved notifications that are older than the settings say."""
        async with self._database.transaction() as session:
            days = Thresholds.of(await SettingRepository(session).all())
            await SystemMetricRepository(session).forget(
                timedelta(days=days.wal_metric_days),
                timedelta(days=days.flow_days),
                timedelta(days=days.system_metric_days),
            )
            await NotificationRepository(session).forget(timedelta(days=days.notification_days))
