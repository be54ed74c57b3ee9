"""Notifications, as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from app.domain.models import AuditLog, Notification
from app.domain.repositories import AuditRepository, NotificationRepository
from app.domain.schemas.notification import AuditQuery, NotificationQuery


class NotificationService:
    def __init__(self, notifications: NotificationRepository, entries: AuditRepository) -> None:
        self._notifications = notifications
        self._entries = entries

    async def page(self, query: NotificationQuery) -> tuple[Sequence[Notification], int]:
        return await self._notifications.matching(query)

    async def read(self, notification_id: int) -> Notification:
        """Marks one as read; again changes nothing. Raises EntityNotFoundError."""
        row = await self._notifications.get(notification_id, lock=True)
        row.read_at = row.read_at or datetime.now(UTC)
        await self._notifications.flush()
        return row

    async def read_all(self) -> int:
        return await self._notifications.read_all()

    async def delete(self, notification_id: int) -> None:
        """Deletes one; what it speaks of, if it lasts, is raised anew. Raises EntityNotFoundError."""
        await self._notifications.delete(await self._notifications.get(notification_id, lock=True))

    async def audit_page(self, query: AuditQuery) -> tuple[Sequence[AuditLog], int]:
        return await self._entries.matching(query)
