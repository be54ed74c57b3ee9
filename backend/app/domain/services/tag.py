"""Tags: made and deleted by name; table syncs name theirs."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.models import Tag
from app.domain.repositories import TagRepository
from app.domain.schemas.tag import TagCreate, TagQuery
from app.domain.services.audit import AuditTrail


class TagService:
    def __init__(self, tags: TagRepository, audit: AuditTrail) -> None:
        self._tags = tags
        self._audit = audit

    async def page(self, query: TagQuery) -> tuple[Sequence[Tag], int]:
        return await self._tags.matching(query)

    async def create(self, body: TagCreate) -> Tag:
        """Raises DuplicateEntityError."""
        tag = await self._tags.add(Tag(name=body.name, color=body.color))
        await self._audit.record("tag.create", tag.id, name=tag.name)
        return await self._tags.counted(tag.id)

    async def delete(self, tag_id: int) -> None:
        """Table syncs that have it lose it. Raises EntityNotFoundError."""
        tag = await self._tags.get(tag_id)
        await self._tags.delete(tag)
        await self._audit.record("tag.delete", tag_id, name=tag.name)
