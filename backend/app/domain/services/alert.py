"""Alerts: what the rules find becomes notifications, and what passes is resolved; both are told to the channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from app.domain.models import Notification
from app.domain.repositories import AlertRepository, NotificationRepository
from app.domain.repositories.alert import RULES
from app.domain.schemas.notification import ChannelResult
from app.domain.services.audit import AuditTrail
from rosetta.enums import Severity
from rosetta.errors import RosettaError

_RESOLVED_TOLD_WITHIN: Final = timedelta(days=1)
_MESSAGES_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class AlertLimits:
    """From which value on something is told. Read from the settings `alerts.lag_seconds` and so on."""

    lag_seconds: int = 300
    dlq_rows: int = 1
    stuck_bytes: int = 256 << 20

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> AlertLimits:
        """What the stored settings say; one that is no positive number counts as not set."""
        stored = {name: settings.get(f"alerts.{name}") for name in cls.__slots__}
        return cls(**{name: value for name, value in stored.items() if type(value) is int and value > 0})


class Channel(Protocol):
    """A way to reach people."""

    name: str

    async def send(self, notification: Notification, *, resolved: bool) -> None:
        """Tells it once; bounded in time. Raises RosettaError, free of secrets, when that fails."""


class AlertService:
    def __init__(self, alerts: AlertRepository, notifications: NotificationRepository, limits: AlertLimits) -> None:
        self._alerts = alerts
        self._notifications = notifications
        self._limits = limits

    async def evaluate(self) -> None:
        """Raises what is new, resolves what has passed; a state that lasts stays one notification."""
        limits = asdict(self._limits)
        known = {row.dedup_key: row for row in await self._notifications.open_of_kinds(list(RULES))}
        now = datetime.now(UTC)
        for kind in RULES:
            for found in await self._alerts.findings(kind, limits):
                key = f"{kind}:{found.pop('subject')}"
                before = known.pop(key, None)
                if before is None:
                    await self._notifications.raise_alert({"kind": kind, "dedup_key": key, **found})
                else:
                    before.severity, before.title = found["severity"], found["title"]
                    before.message, before.remedy = found["message"], found["remedy"]
        for passed in known.values():
            passed.resolved_at = now
        await self._notifications.flush()

    async def deliver(self, channels: Sequence[Channel]) -> None:
        """Tells each channel of each notification once when it is raised and once when it is resolved."""
        if not channels:
            return
        for row in await self._notifications.recent(_RESOLVED_TOLD_WITHIN, _MESSAGES_AT_ONCE):
            for channel in channels:
                await self._tell(channel, row)
        await self._notifications.flush()

    async def _tell(self, channel: Channel, row: Notification) -> None:
        told = dict(row.delivered.get(channel.name, {}))
        resolved = row.resolved_at is not None
        # What came and went before anybody heard of it is not worth two messages.
        if "resolved_at" in told or (not resolved and "raised_at" in told) or (resolved and "raised_at" not in told):
            return
        now = datetime.now(UTC).isoformat()
        try:
            await channel.send(row, resolved=resolved)
        except RosettaError as error:
            told |= {"failed_at": now, "error": error.message}
        else:
            told = {**told, "resolved_at" if resolved else "raised_at": now}
            told.pop("error", None)
            told.pop("failed_at", None)
        row.delivered = {**row.delivered, channel.name: told}


class AlertTest:
    """A test message by every channel; nothing of it is kept."""

    def __init__(self, channels: Sequence[Channel], audit: AuditTrail) -> None:
        self._channels = channels
        self._audit = audit

    async def __call__(self) -> list[ChannelResult]:
        """How each channel took it, in the order of the settings."""
        results = [await self._try(channel) for channel in self._channels]
        await self._audit.record("alerts.test", channels=[result.channel for result in results])
        return results

    async def _try(self, channel: Channel) -> ChannelResult:
        message = Notification(
            id=0,
            kind="TEST",
            severity=Severity.INFO,
            title="A test of this channel",
            message="Somebody asked Rosetta to try this channel.",
            created_at=datetime.now(UTC),
        )
        try:
            await channel.send(message, resolved=False)
        except RosettaError as error:
            return ChannelResult(channel=channel.name, error=error.message)
        return ChannelResult(channel=channel.name, error=None)
