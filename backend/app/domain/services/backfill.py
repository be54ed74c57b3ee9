"""Backfills: rows of a table copied again, all of them or those that pass filters; compute does it."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.exceptions import InvalidRequestError
from app.domain.models import CopyJob
from app.domain.repositories import BackfillRepository, PipelineRepository
from app.domain.schemas.backfill import BackfillQuery, BackfillRequest
from app.domain.schemas.identity import Actor
from app.domain.services.audit import AuditTrail
from rosetta.backfills import Wanted
from rosetta.errors import ConfigurationError
from rosetta.filters import Condition, parse_filters
from rosetta.identifiers import TableId


class BackfillService:
    def __init__(self, jobs: BackfillRepository, audit: AuditTrail, actor: Actor) -> None:
        self._jobs = jobs
        self._pipelines = PipelineRepository(jobs.session)
        self._audit = audit
        self._actor = actor

    async def start(self, pipeline_id: int, body: BackfillRequest) -> CopyJob:
        """Queues a backfill. What only the source can tell, such as a column that is not there, ends the job later.

        Raises EntityNotFoundError, InvalidRequestError for filters that are none, and ConfigurationError for a
        destination that the pipeline does not feed or a table that no chosen one has.
        """
        await self._pipelines.get(pipeline_id, lock=True)
        conditions = _conditions(body)
        chosen = None if body.destination_ids is None else tuple(dict.fromkeys(body.destination_ids))
        table = TableId(body.schema_name, body.table_name)
        filters = tuple(condition.as_object() for condition in conditions)
        job = await self._jobs.ask(Wanted(pipeline_id, table, filters, chosen, body.batch_rows), self._actor.id)
        await self._audit.record(
            "backfill.start",
            job.id,
            pipeline_id=pipeline_id,
            table=str(table),
            destination_ids=job.destination_ids,
            filtered_by=[f"{condition.column} {condition.operator}" for condition in conditions],
        )
        return job

    async def page(self, pipeline_id: int, query: BackfillQuery) -> tuple[Sequence[CopyJob], int]:
        """Raises EntityNotFoundError."""
        await self._pipelines.require([pipeline_id])
        return await self._jobs.matching(pipeline_id, query)

    async def get(self, pipeline_id: int, job_id: int) -> CopyJob:
        """Raises EntityNotFoundError."""
        return await self._jobs.of(pipeline_id, job_id)

    async def cancel(self, pipeline_id: int, job_id: int) -> CopyJob:
        """Raises EntityNotFoundError, and ConfigurationError when the backfill is at its end."""
        job = await self._jobs.cancel(pipeline_id, job_id)
        await self._audit.record("backfill.cancel", job_id, pipeline_id=pipeline_id)
        return job


def _conditions(body: BackfillRequest) -> tuple[Condition, ...]:
    written = [one if isinstance(one, str) else one.model_dump() for one in body.filters]
    try:
        return parse_filters(written)
    except ConfigurationError as error:
        raise InvalidRequestError(error.message, code=error.code, remedy=error.remedy) from None
