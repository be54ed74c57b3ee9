"""Notifications, as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from app.domain.models import AuditLog, Notification
from app.domain.repositories import AuditRepository, NotificationRepository
from app.domain.schemas.notification import AuditQuery, NotificationQuery
from app.domain.services.audit import AuditTrail


class NotificationService:
    def __init__(self, notifications: NotificationRepository, entries: AuditRepository, audit: AuditTrail) -> None:
        self._notifications = notifications
        self._entries = entries
        self._audit = audit

    async def page(self, query: NotificationQuery) -> tuple[Sequence[Notification], int]:
        return await self._notifications.matching(query)

    async def read(self, notification_id: int) -> Notification:
        """Marks one as read; again changes nothing. Raises EntityNotFoundError."""
        row = await self._notifications.get(notification_id, lock=True)
        row.read_at = row.read_at or datetime.now(UTC)
        await self._notifications.flush()
        await self._audit.record("notification.read", notification_id)
        return row

    async def read_all(self) -> int:
        read = await self._notifications.read_all()
        await self._audit.record("notification.read_all", read=read)
        return read

    async def delete(self, notification_id: int) -> None:
        """Deletes one; what it speaks of, if it lasts, is raised anew. Raises EntityNotFoundError."""
        row = await self._notifications.get(notification_id, lock=True)
        await self._notifications.delete(row)
        await self._audit.record("notification.delete", notification_id, kind=row.kind)

    async def audit_page(self, query: AuditQuery) -> tuple[Sequence[AuditLog], int]:
        return await self._entries.matching(query)
