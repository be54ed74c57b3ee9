"""Who did what."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.models import AuditLog
from app.domain.repositories.base import BaseRepository, contains
from app.domain.schemas.notification import AuditQuery


class AuditRepository(BaseRepository[AuditLog]):
    model = AuditLog
    entity_type = "audit entry"
    sortable = ("id", "created_at")

    async def matching(self, query: AuditQuery) -> tuple[Sequence[AuditLog], int]:
        conditions = contains(AuditLog.action, query.action) + contains(AuditLog.actor_name, query.actor_name)
        if query.entity_type is not None:
            conditions.append(AuditLog.entity_type == query.entity_type)
        if query.entity_id is not None:
            conditions.append(AuditLog.entity_id == query.entity_id)
        return await self.page(query, conditions)
