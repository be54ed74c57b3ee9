"""Table syncs of one destination of one pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, Text, cast, exists, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.orm import with_expression

from app.core.exceptions import EntityNotFoundError
from app.domain.models import TableSync, TableSyncTag, Tag
from app.domain.repositories.base import BaseRepository
from app.domain.repositories.projection import Expressions, json_of
from app.domain.schemas.table_sync import TableSyncQuery, TableSyncView
from rosetta.enums import TableSyncDesired

TAGS: Final = (
    select(func.coalesce(func.array_agg(aggregate_order_by(Tag.name, Tag.name)), cast([], ARRAY(Text))))
    .join(TableSyncTag, TableSyncTag.tag_id == Tag.id)
    .where(TableSyncTag.table_sync_id == TableSync.id)
    .correlate(TableSync)
    .scalar_subquery()
)
# For every query whose rows are shown.
WITH_TAGS: Final = with_expression(TableSync.tags, TAGS)
COMPUTED: Final[Expressions] = {"TableSync.tags": TAGS}
_AS_JSON: Final = json_of(TableSyncView, TableSync, COMPUTED)


class TableSyncRepository(BaseRepository[TableSync]):
    model = TableSync
    entity_type = "table sync"
    sortable = ("id", "schema_name", "table_name", "state", "created_at", "updated_at")

    async def matching(self, join_id: int, query: TableSyncQuery) -> tuple[Sequence[str], int]:
        """As JSON texts of `TableSyncView`."""
        conditions: list[ColumnElement[bool]] = [TableSync.pipeline_destination_id == join_id]
        if query.schema_name is not None:
            conditions.append(TableSync.schema_name == query.schema_name)
        if query.table_name is not None:
            conditions.append(TableSync.table_name == query.table_name)
        if query.state is not None:
            conditions.append(TableSync.state == query.state)
        conditions += [
            exists().where(TableSyncTag.table_sync_id == TableSync.id, TableSyncTag.tag_id == Tag.id, Tag.name == tag)
            for tag in query.tag
        ]
        return await self.json_page(query, _AS_JSON, conditions)

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
            .options(WITH_TAGS)
            .with_for_update(of=TableSync)
            .execution_options(populate_existing=True)
        )
        if found is None:
            raise EntityNotFoundError(self.entity_type, sync_id)
        return found
