"""Pipelines: what is wanted of them. What really happens is compute's to say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.core.exceptions import ConflictError
from app.domain.models import Pipeline
from app.domain.repositories import PipelineRepository, SourceRepository
from app.domain.schemas.pipeline import PipelineCreate, PipelineQuery, PipelineUpdate
from app.domain.services.audit import AuditTrail
from app.domain.services.fan_out import FanOutService
from rosetta.enums import DesiredStatus

_TUNING = ("engine", "profile", "max_batch_rows", "max_queue_rows", "wal_budget_bytes", "wal_budget_policy")
_REBUILT_FOR = frozenset({"engine", "profile", "max_batch_rows", "max_queue_rows"})
STATUS_WARNING = "A new pipeline is always PAUSE: the status in the body was not used. Start it by POST {path}."


class PipelineService:
    def __init__(self, pipelines: PipelineRepository, fan_out: FanOutService, audit: AuditTrail) -> None:
        self._pipelines = pipelines
        self._sources = SourceRepository(pipelines.session)
        self._fan_out = fan_out
        self._audit = audit

    async def create(self, body: PipelineCreate) -> tuple[Pipeline, list[str]]:
        """Creates a pipeline, always PAUSE, with its destinations; answers with warnings about the body.

        Raises EntityNotFoundError for an unknown source or destination, DuplicateEntityError,
        InvalidRequestError when a destination is named twice.
        """
        await self._sources.require([body.source_id])
        tuning = {name: getattr(body, name) for name in _TUNING}
        pipeline = await self._pipelines.add(
            Pipeline(name=body.name, source_id=body.source_id, status=DesiredStatus.PAUSE, **tuning)
        )
        await self._fan_out.join(pipeline.id, body.fan_out())
        await self._audit.record("pipeline.create", pipeline.id, name=body.name)
        warnings = [] if body.status in {None, DesiredStatus.PAUSE} else [_status_warning(pipeline.id)]
        return await self._pipelines.whole(pipeline.id), warnings

    async def page(self, query: PipelineQuery) -> tuple[Sequence[str], int]:
        """JSON texts of `PipelineView`, and how many there are in all."""
        return await self._pipelines.matching(query)

    async def get(self, pipeline_id: int) -> Pipeline:
        """The pipeline with everything below it. Raises EntityNotFoundError."""
        return await self._pipelines.whole(pipeline_id)

    async def update(self, pipeline_id: int, body: PipelineUpdate) -> Pipeline:
        """Changes what the body names; the process is rebuilt when that needs it.

        Raises EntityNotFoundError, DuplicateEntityError, ConflictError for another source.
        """
        pipeline = await self._pipelines.get(pipeline_id, lock=True)
        changes: dict[str, Any] = body.sent()
        if changes.pop("source_id", None) not in {None, pipeline.source_id}:
            raise ConflictError(
                "The source of a pipeline cannot change: its slot and its position belong to the source.",
                code="SOURCE_IS_FIXED",
                remedy="Create a new pipeline for the other source.",
            )
        required = {"name", "status"}
        changes = {name: value for name, value in changes.items() if value is not None or name not in required}
        status = changes.pop("status", None)
        changed = {name for name, value in changes.items() if getattr(pipeline, name) != value}
        for name in changed:
            setattr(pipeline, name, changes[name])
        if changed & _REBUILT_FOR:
            pipeline.generation += 1
        await self._pipelines.flush()
        await self._audit.record("pipeline.update", pipeline_id, changed=sorted(changed))
        if status is not None and status is not pipeline.status:
            return await self.wish(pipeline_id, status)
        return await self._pipelines.whole(pipeline_id)

    async def wish(self, pipeline_id: int, status: DesiredStatus) -> Pipeline:
        """States what is wanted; asking for what is wanted already changes nothing.

        Raises EntityNotFoundError, and ConflictError when a pipeline without destinations is to run.
        """
        pipeline = await self._pipelines.get(pipeline_id, lock=True)
        if status is not DesiredStatus.PAUSE and not await self._fan_out.has_destinations(pipeline_id):
            raise ConflictError(
                "A pipeline without destinations has nowhere to write.",
                code="PIPELINE_HAS_NO_DESTINATIONS",
                remedy=f"Add one by POST /api/v1/pipelines/{pipeline_id}/destinations.",
            )
        pipeline.status = status
        await self._pipelines.flush()
        await self._audit.record(f"pipeline.{status.lower()}", pipeline_id, name=pipeline.name)
        return await self._pipelines.whole(pipeline_id)

    async def delete(self, pipeline_id: int) -> None:
        """Forgets the pipeline; compute then ends its process and drops its slot. Raises EntityNotFoundError."""
        pipeline = await self._pipelines.get(pipeline_id, lock=True)
        await self._pipelines.delete(pipeline)
        await self._audit.record("pipeline.delete", pipeline_id, name=pipeline.name)


def _status_warning(pipeline_id: int) -> str:
    return STATUS_WARNING.format(path=f"/api/v1/pipelines/{pipeline_id}/start")
