"""The audit log, written in the same transaction as what it speaks of."""

from __future__ import annotations

from typing import Any

from app.domain.models import AuditLog
from app.domain.repositories import AuditRepository
from app.domain.schemas.identity import Actor


class AuditTrail:
    """Records what one actor does."""

    def __init__(self, entries: AuditRepository, actor: Actor) -> None:
        self._entries = entries
        self._actor = actor

    @property
    def actor(self) -> Actor:
        """Who acts."""
        return self._actor

    async def record(self, action: str, entity_id: int | str | None = None, **details: Any) -> None:
        """Notes an action such as `pipeline.start`; its first word is the entity's type. No secret, no row value."""
        await self._entries.add(
            AuditLog(
                actor_kind=self._actor.kind,
                actor_id=self._actor.id,
                actor_name=self._actor.name,
                action=action,
                entity_type=action.partition(".")[0],
                entity_id=None if entity_id is None else str(entity_id),
                details=details,
            )
        )
