"""Destinations, and what stands on them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select

from app.domain.models import CleanupTask, Destination, Pipeline, PipelineDestination
from app.domain.repositories.base import BaseRepository, contains
from app.domain.schemas.destination import DestinationQuery


class DestinationRepository(BaseRepository[Destination]):
    model = Destination
    entity_type = "destination"
    sortable = ("id", "name", "type", "created_at", "updated_at")

    async def matching(self, query: DestinationQuery) -> tuple[Sequence[Destination], int]:
        conditions = contains(Destination.name, query.name)
        if query.type is not None:
            conditions.append(Destination.type == query.type)
        return await self.page(query, conditions)

    async def pipelines(self, destination_id: int) -> Sequence[Pipeline]:
        """The pipelines that write to this destination, oldest first."""
        rows = await self.session.scalars(
            select(Pipeline)
            .join(PipelineDestination, PipelineDestination.pipeline_id == Pipeline.id)
            .where(PipelineDestination.destination_id == destination_id)
            .order_by(Pipeline.id)
        )
        return rows.all()

    async def pending_cleanup(self, destination_id: int) -> Sequence[CleanupTask]:
        """What compute still has to undo at this destination."""
        rows = await self.session.scalars(
            select(CleanupTask).where(CleanupTask.destination_id == destination_id).order_by(CleanupTask.id)
        )
        return rows.all()

    async def forget_cleanup(self, destination_id: int) -> None:
        """Gives up what is still to be undone at this destination."""
        await self.session.execute(
            delete(CleanupTask)
            .where(CleanupTask.destination_id == destination_id)
            .execution_options(synchronize_session=False)
        )
