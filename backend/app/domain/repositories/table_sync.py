"""Table syncs of one destination of one pipeline."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select, update

from app.core.exceptions import EntityNotFoundError
from app.domain.models import TableSync
from app.domain.repositories.base import BaseRepository
from app.domain.schemas.table_sync import TableSyncQuery
from rosetta.enums import TableSyncDesired


class TableSyncRepository(BaseRepository[TableSync]):
    model = TableSync
    entity_type = "table sync"
    sortable = ("id", "schema_name", "table_name", "state", "created_at", "updated_at")

    async def matching(self, join_id: int, query: TableSyncQuery) -> tuple[Sequence[TableSync], int]:
        conditions: list[ColumnElement[bool]] = [TableSync.pipeline_destination_id == join_id]
        if query.schema_name is not None:
            conditions.append(TableSync.schema_name == query.schema_name)
        if query.table_name is not None:
            conditions.append(TableSync.table_name == query.table_name)
        if query.state is not None:
            conditions.append(TableSync.state == query.state)
        return await self.page(query, conditions)

    async def want_resync(self, join_id: int) -> int:
        """Has every table of a destination that is not paused copied again; how many there are."""
        wanted = (
            update(TableSync)
            .where(TableSync.pipeline_destination_id == join_id, TableSync.desired_state != TableSyncDesired.PAUSED)
            .values(desired_state=TableSyncDesired.RESYNC)
            .returning(TableSync.id)
        )
        found = (await self.session.scalars(wanted)).all()
        return len(found)

    async def of(self, join_id: int, sync_id: int) -> TableSync:
        """This sync of this destination, locked. Raises EntityNotFoundError."""
        found = await self.session.scalar(
            select(TableSync)
            .where(TableSync.id == sync_id, TableSync.pipeline_destination_id == join_id)
            .with_for_update()
        )
        if found is None:
            raise EntityNotFoundError(self.entity_type, sync_id)
        return found
