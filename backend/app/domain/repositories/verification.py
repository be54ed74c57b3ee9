"""Verifications of a pipeline."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select

from app.core.exceptions import EntityNotFoundError
from app.domain.models import VerifyRun
from app.domain.repositories.base import BaseRepository
from app.domain.schemas.verification import VerifyQuery
from rosetta.enums import VerifyStatus


class VerifyRunRepository(BaseRepository[VerifyRun]):
    model = VerifyRun
    entity_type = "verification"
    sortable = ("id", "status", "created_at", "completed_at")

    async def matching(self, pipeline_id: int, query: VerifyQuery) -> tuple[Sequence[VerifyRun], int]:
        conditions: list[ColumnElement[bool]] = [VerifyRun.pipeline_id == pipeline_id]
        if query.status is not None:
            conditions.append(VerifyRun.status == query.status)
        return await self.page(query, conditions)

    async def of(self, pipeline_id: int, run_id: int, *, lock: bool = False) -> VerifyRun:
        """This verification of this pipeline. Raises EntityNotFoundError."""
        query = select(VerifyRun).where(VerifyRun.id == run_id, VerifyRun.pipeline_id == pipeline_id)
        found = await self.session.scalar(query.with_for_update() if lock else query)
        if found is None:
            raise EntityNotFoundError(self.entity_type, run_id)
        return found

    async def open_run(self, pipeline_id: int) -> VerifyRun | None:
        """The verification of this pipeline that waits or is carried out."""
        return await self.session.scalar(
            select(VerifyRun).where(
                VerifyRun.pipeline_id == pipeline_id,
                VerifyRun.status.in_([VerifyStatus.PENDING, VerifyStatus.EXECUTING]),
            )
        )
