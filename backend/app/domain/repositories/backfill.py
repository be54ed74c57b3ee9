"""Backfills of a pipeline; what changes them is shared with the `rosetta backfill` command."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement

from app.core.exceptions import EntityNotFoundError
from app.domain.models import CopyJob
from app.domain.repositories.base import BaseRepository
from app.domain.schemas.backfill import BackfillQuery
from rosetta import backfills
from rosetta.backfills import BackfillMissingError, Wanted


class BackfillRepository(BaseRepository[CopyJob]):
    model = CopyJob
    entity_type = "backfill"
    sortable = ("id", "status", "table_name", "created_at", "started_at", "completed_at")

    async def matching(self, pipeline_id: int, query: BackfillQuery) -> tuple[Sequence[CopyJob], int]:
        """What people asked for; not the parts that compute makes of it."""
        conditions: list[ColumnElement[bool]] = [CopyJob.pipeline_id == pipeline_id, backfills.asked_for()]
        if query.status is not None:
            conditions.append(CopyJob.status == query.status)
        if query.schema_name is not None:
            conditions.append(CopyJob.schema_name == query.schema_name)
        if query.table_name is not None:
            conditions.append(CopyJob.table_name == query.table_name)
        return await self.page(query, conditions)

    async def of(self, pipeline_id: int, job_id: int) -> CopyJob:
        """This backfill of this pipeline. Raises EntityNotFoundError."""
        try:
            return await self.session.run_sync(backfills.find, job_id, pipeline_id)
        except BackfillMissingError:
            raise EntityNotFoundError(self.entity_type, job_id) from None

    async def ask(self, wanted: Wanted, requested_by: int | None) -> CopyJob:
        """Raises DestinationNotFedError, TableNotSyncedError."""
        return await self.session.run_sync(backfills.ask, wanted, requested_by)

    async def cancel(self, pipeline_id: int, job_id: int) -> CopyJob:
        """Raises EntityNotFoundError, BackfillEndedError."""
        try:
            return await self.session.run_sync(backfills.cancel, job_id, pipeline_id)
        except BackfillMissingError:
            raise EntityNotFoundError(self.entity_type, job_id) from None
