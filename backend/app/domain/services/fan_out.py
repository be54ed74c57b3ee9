"""Which destinations a pipeline feeds; they join and leave while it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from app.core.exceptions import DuplicateEntityError, InvalidRequestError
from app.domain.models import PipelineDestination, PipelineMetadata
from app.domain.repositories import (
    DestinationRepository,
    PipelineDestinationRepository,
    PipelineRepository,
    TableSyncRepository,
    TagRepository,
)
from app.domain.schemas.pipeline import FanOutCreate, FanOutUpdate
from app.domain.services.audit import AuditTrail
from app.domain.services.table_sync import new_sync


class FanOutService:
    def __init__(self, joins: PipelineDestinationRepository, audit: AuditTrail) -> None:
        self._joins = joins
        self._pipelines = PipelineRepository(joins.session)
        self._destinations = DestinationRepository(joins.session)
        self._syncs = TableSyncRepository(joins.session)
        self._tags = TagRepository(joins.session)
        self._audit = audit

    async def add(self, pipeline_id: int, body: FanOutCreate) -> PipelineDestination:
        """A destination joins, with its table syncs.

        Raises EntityNotFoundError, DuplicateEntityError, InvalidRequestError for what is not available.
        """
        await self._pipelines.get(pipeline_id, lock=True)
        if await self._joins.find(pipeline_id, body.destination_id) is not None:
            raise DuplicateEntityError(
                f"Pipeline {pipeline_id} feeds destination {body.destination_id} already.",
                remedy="Change its table syncs instead.",
                details={"pipeline_id": pipeline_id, "destination_id": body.destination_id},
            )
        await self.join(pipeline_id, [body])
        await self._audit.record("pipeline.add_destination", pipeline_id, destination_id=body.destination_id)
        return await self._joins.of(pipeline_id, body.destination_id)

    async def join(self, pipeline_id: int, bodies: Sequence[FanOutCreate]) -> None:
        """Adds several at once. Raises as `add` does, before anything is added."""
        counts = Counter(body.destination_id for body in bodies)
        twice = sorted(number for number, count in counts.items() if count > 1)
        if twice:
            raise InvalidRequestError(
                "A destination is named more than once.",
                code="DESTINATION_TWICE",
                remedy="Name each destination once.",
                details={"destination_ids": twice},
            )
        await self._destinations.require(counts)
        for body in bodies:
            everything = not body.table_syncs if body.sync_all_tables is None else body.sync_all_tables
            join = await self._joins.add(
                PipelineDestination(
                    pipeline_id=pipeline_id,
                    destination_id=body.destination_id,
                    sync_all_tables=everything,
                    park_policy=body.park_policy,
                )
            )
            syncs = [new_sync(join.id, sync, self._audit.actor) for sync in body.table_syncs]
            await self._syncs.add_all(syncs)
            tagged = zip(syncs, body.table_syncs, strict=True)
            await self._tags.assign({sync.id: wanted.tags for sync, wanted in tagged if wanted.tags})

    async def update(self, pipeline_id: int, destination_id: int, body: FanOutUpdate) -> PipelineDestination:
        """Changes what the body names. Raises EntityNotFoundError."""
        join = await self._joins.of(pipeline_id, destination_id)
        changes = {name: value for name, value in body.sent().items() if value is not None}
        changed = sorted(name for name, value in changes.items() if getattr(join, name) != value)
        for name in changed:
            setattr(join, name, changes[name])
        await self._joins.flush()
        await self._audit.record(
            "pipeline.update_destination", pipeline_id, destination_id=destination_id, changed=changed
        )
        return await self._joins.of(pipeline_id, destination_id)

    async def remove(self, pipeline_id: int, destination_id: int) -> None:
        """A destination leaves; its tables at the target stay as they are. Raises EntityNotFoundError."""
        await self._joins.delete(await self._joins.of(pipeline_id, destination_id))
        await self._audit.record("pipeline.remove_destination", pipeline_id, destination_id=destination_id)

    async def resync(self, pipeline_id: int, destination_id: int) -> PipelineDestination:
        """Wants every table that is not paused copied again. Raises EntityNotFoundError."""
        join = await self._joins.of(pipeline_id, destination_id)
        tables = await self._syncs.want_resync(join.id)
        await self._audit.record(
            "pipeline.resync_destination", pipeline_id, destination_id=destination_id, tables=tables
        )
        return await self._joins.of(pipeline_id, destination_id)

    async def metadata(self, pipeline_id: int, destination_id: int) -> PipelineMetadata:
        """What compute last saw of this destination. Raises EntityNotFoundError."""
        return await self._joins.metadata(pipeline_id, destination_id)

    async def has_destinations(self, pipeline_id: int) -> bool:
        return bool((await self._pipelines.whole(pipeline_id)).destinations)
