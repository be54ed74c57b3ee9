"""Tags, and which table syncs have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import with_expression

from app.core.exceptions import EntityNotFoundError
from app.domain.models import TableSyncTag, Tag
from app.domain.repositories.base import BaseRepository, contains
from app.domain.schemas.tag import TagQuery

_COUNTED: Final = with_expression(
    Tag.table_syncs,
    select(func.count()).where(TableSyncTag.tag_id == Tag.id).correlate(Tag).scalar_subquery(),
)


class TagRepository(BaseRepository[Tag]):
    model = Tag
    entity_type = "tag"
    sortable = ("name", "id", "created_at")

    async def matching(self, query: TagQuery) -> tuple[Sequence[Tag], int]:
        return await self.page(query, contains(Tag.name, query.name), (_COUNTED,))

    async def counted(self, tag_id: int) -> Tag:
        """The tag with how often it is used. Raises EntityNotFoundError."""
        return await self.get(tag_id, options=(_COUNTED,))

    async def assign(self, names_of_syncs: Mapping[int, Sequence[str]]) -> None:
        """Gives each of these table syncs exactly these tags, in a fixed number of statements.

        Raises EntityNotFoundError for the first name that is no tag's, before anything is changed.
        """
        wanted = list(dict.fromkeys(name for names in names_of_syncs.values() for name in names))
        rows = await self.session.scalars(select(Tag).where(Tag.name.in_(wanted)))
        ids = {tag.name: tag.id for tag in rows}
        for name in wanted:
            if name not in ids:
                raise EntityNotFoundError(self.entity_type, name, remedy="Make it first, by POST /api/v1/tags.")
        await self.session.execute(delete(TableSyncTag).where(TableSyncTag.table_sync_id.in_(names_of_syncs)))
        pairs = [
            {"table_sync_id": sync_id, "tag_id": ids[name]}
            for sync_id, names in names_of_syncs.items()
            for name in dict.fromkeys(names)
        ]
        if pairs:
            await self.session.execute(insert(TableSyncTag), pairs)
