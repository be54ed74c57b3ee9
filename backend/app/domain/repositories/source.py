"""Sources, and what stands on them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select

from app.domain.models import CleanupTask, Pipeline, Source
from app.domain.repositories.base import BaseRepository, contains
from app.domain.schemas.source import SourceQuery


class SourceRepository(BaseRepository[Source]):
    model = Source
    entity_type = "source"
    sortable = ("id", "name", "pg_host", "pg_database", "created_at", "updated_at")

    async def matching(self, query: SourceQuery) -> tuple[Sequence[Source], int]:
        return await self.page(query, contains(Source.name, query.name))

    async def ids(self) -> Sequence[int]:
        """Of every source."""
        return (await self.session.scalars(select(Source.id).order_by(Source.id))).all()

    async def pipelines(self, source_id: int) -> Sequence[Pipeline]:
        """The pipelines that read this source, oldest first."""
        rows = await self.session.scalars(select(Pipeline).where(Pipeline.source_id == source_id).order_by(Pipeline.id))
        return rows.all()

    async def pending_cleanup(self, source_id: int) -> Sequence[CleanupTask]:
        """What compute still has to undo at this source."""
        rows = await self.session.scalars(
            select(CleanupTask).where(CleanupTask.source_id == source_id).order_by(CleanupTask.id)
        )
        return rows.all()

    async def forget_cleanup(self, source_id: int) -> None:
        """Gives up what is still to be undone at this source."""
        await self.session.execute(
            delete(CleanupTask).where(CleanupTask.source_id == source_id).execution_options(synchronize_session=False)
        )
