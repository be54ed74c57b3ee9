"""Alerts: what the rules find becomes notifications, and what passes is resolved; the channels are told of both."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from app.core.exceptions import ConflictError, ServiceUnavailableError
from app.domain.models import Notification
from app.domain.repositories import AlertRepository, NotificationRepository
from app.domain.repositories.alert import RULES
from app.domain.repositories.notification import WORDS
from app.domain.schemas.notification import AlertChannel, AlertChannelView, ChannelResult
from app.domain.services.audit import AuditTrail
from app.domain.services.thresholds import positive
from rosetta.backoff import Backoff
from rosetta.enums import Severity
from rosetta.errors import RosettaError

_RESOLVED_TOLD_WITHIN: Final = timedelta(days=1)
_REPEATS: Final = Backoff(30.0, 3600.0)
# Longer than any sender waits for a channel to answer (`SEND_SECONDS`).
LEASE: Final = timedelta(seconds=60)
SEND_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class AlertLimits:
    """From which value on something is told. Read from the settings `alerts.lag_seconds` and so on."""

    lag_seconds: int = 300
    dlq_rows: int = 1
    stuck_bytes: int = 256 << 20
    credits_per_day: int = 24  # what the smallest warehouse uses that never sleeps

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> AlertLimits:
        """What the stored settings say; one that is not `positive` counts as not set."""
        return cls(**positive({name: settings.get(f"alerts.{name}") for name in cls.__slots__}))


class Channel(Protocol):
    """A way to reach people."""

    name: str

    async def send(self, notification: Notification, *, resolved: bool) -> None:
        """Tells it once; bounded in time. Raises RosettaError, free of secrets, when that fails."""


async def send(channel: Channel, notification: Notification) -> None:
    """Tells it once, within `SEND_SECONDS`. Raises RosettaError, free of secrets, when that fails."""
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await channel.send(notification, resolved=notification.resolved_at is not None)
    except TimeoutError:
        raise ServiceUnavailableError(
            f"The alert could not be sent by {channel.name} (no answer within {SEND_SECONDS:.0f} s).",
            code="ALERT_NOT_SENT",
            remedy=f"Check that the server of {channel.name} can be reached from the backend.",
        ) from None


@dataclass(frozen=True, slots=True)
class AlertChange:
    """What is to become of one notification: raised or renewed with `values`, or, without them, resolved."""

    dedup_key: str
    values: Mapping[str, Any] | None = None


class AlertService:
    def __init__(self, alerts: AlertRepository, notifications: NotificationRepository, limits: AlertLimits) -> None:
        self._alerts = alerts
        self._notifications = notifications
        self._limits = limits

    async def evaluate(self) -> list[AlertChange]:
        """What is new, what reads otherwise by now and what has passed; a state that lasts stays one notification.

        Nothing is written. Each change is for `apply`, in a transaction of its own: somebody who deletes a pipeline
        has locked it, and its notifications after that.
        """
        limits = asdict(self._limits)
        known = {row.dedup_key: row for row in await self._notifications.open_of_kinds(list(RULES))}
        changes = []
        for kind in RULES:
            for found in await self._alerts.findings(kind, limits):
                key = f"{kind}:{found.pop('subject')}"
                before = known.pop(key, None)
                if before is None or any(getattr(before, name) != found[name] for name in WORDS):
                    changes.append(AlertChange(key, {"kind": kind, **found}))
        return [*changes, *map(AlertChange, known)]

    async def apply(self, change: AlertChange) -> None:
        """Carries one change out; whatever happened since it was found, there is one open notification at most."""
        if change.values is None:
            await self._notifications.resolve(change.dedup_key)
        elif not await self._notifications.reword(change.dedup_key, change.values):
            await self._notifications.raise_alert({**change.values, "dedup_key": change.dedup_key})


class AlertOutbox:
    """What a channel has still to be told, one message at a time: taken, sent by the caller, then noted.

    Each call belongs in a transaction of its own, and no transaction lasts while a message is on its way. What was
    taken is nobody else's for `LEASE`; a sender that dies meanwhile leaves it to the next, so a message may arrive
    twice, and is never forgotten.
    """

    def __init__(self, notifications: NotificationRepository) -> None:
        self._notifications = notifications

    async def take(self, channel: str) -> Notification | None:
        """The oldest message that `channel` has to be told now, leased; None when there is none.

        Each notification is told when it is raised and when it is resolved; one that came and went before anybody
        heard of it is not worth two messages, nor one that was resolved a day ago.
        """
        row = await self._notifications.untold(channel, _RESOLVED_TOLD_WITHIN)
        if row is not None:
            await self._notifications.note_delivery(row.id, channel, row.delivered.get(channel, {}), LEASE)
        return row

    async def sent(self, channel: str, row: Notification) -> None:
        """Notes that `channel` was told of `row` as `take` returned it."""
        before = row.delivered.get(channel, {})
        told = {name: at for name, at in before.items() if name == "raised_at"}
        told["resolved_at" if row.resolved_at is not None else "raised_at"] = _now()
        await self._notifications.note_delivery(row.id, channel, told, None)

    async def failed(self, channel: str, row: Notification, error: RosettaError) -> None:
        """Notes why `channel` could not be told; the message is due again after a pause that doubles each time."""
        before = row.delivered.get(channel, {})
        attempts = int(before.get("attempts", 0)) + 1
        told = {**before, "failed_at": _now(), "error": error.message, "attempts": attempts}
        pause = timedelta(seconds=_REPEATS.ceiling_seconds(attempts))
        await self._notifications.note_delivery(row.id, channel, told, pause)


def _now() -> str:
    return datetime.now(UTC).isoformat()


class AlertChannels:
    """Which channels are on, and a test message by one of them; nothing of that is kept."""

    def __init__(
        self, channels: Sequence[Channel], missing: Mapping[AlertChannel, list[str]], audit: AuditTrail
    ) -> None:
        self._channels = {channel.name: channel for channel in channels}
        self._missing = missing
        self._audit = audit

    def views(self) -> list[AlertChannelView]:
        """Every channel there is."""
        return [AlertChannelView(channel=channel, missing=missing) for channel, missing in self._missing.items()]

    async def test(self, name: AlertChannel) -> ChannelResult:
        """How the channel took it. Raises ConflictError for one that is not on."""
        channel = self._channels.get(name)
        if channel is None:
            raise ConflictError(
                f"The alert channel {name} is not set up.",
                code="ALERT_CHANNEL_OFF",
                remedy=f"Set {' and '.join(self._missing[name])} in the backend's environment, then restart it.",
            )
        result = await _tried(name, channel)
        await self._audit.record("alerts.test", name)
        return result


async def _tried(name: AlertChannel, channel: Channel) -> ChannelResult:
    message = Notification(
        id=0,
        kind="TEST",
        severity=Severity.INFO,
        title="A test of this channel",
        message="Somebody asked Rosetta to try this channel.",
        created_at=datetime.now(UTC),
    )
    try:
        await send(channel, message)
    except RosettaError as error:
        return ChannelResult(channel=name, error=error.message, code=error.code, remedy=error.remedy)
    return ChannelResult(channel=name)
