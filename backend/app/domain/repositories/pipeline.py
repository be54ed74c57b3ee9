"""Pipelines with everything that is nested below them, read in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import BigInteger, ColumnElement, exists, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, joinedload, selectinload, with_expression
from sqlalchemy.orm.interfaces import ORMOption

from app.core.exceptions import EntityNotFoundError
from app.domain.models import DlqTotal, Pipeline, PipelineDestination, PipelineMetadata
from app.domain.repositories.base import BaseRepository, contains
from app.domain.repositories.projection import Expressions, json_of
from app.domain.repositories.table_sync import COMPUTED, WITH_TAGS
from app.domain.schemas.pipeline import PipelineQuery, PipelineView
from rosetta.dead_letters.search import OPEN


def _parked(column: InstrumentedAttribute[int]) -> ColumnElement[int]:
    """The sum of `column` over what is open in the ledger for a destination."""
    return (
        select(func.coalesce(func.sum(column), 0).cast(BigInteger))
        .where(
            DlqTotal.pipeline_id == PipelineDestination.pipeline_id,
            DlqTotal.destination_id == PipelineDestination.destination_id,
            DlqTotal.state.in_(OPEN),
        )
        .scalar_subquery()
    )


_PARKED: Final = {
    "parked_records": _parked(DlqTotal.records),
    "parked_changes": _parked(DlqTotal.row_count),
    "parked_bytes": _parked(DlqTotal.payload_bytes),
}
_COMPUTED: Final[Expressions] = {
    **COMPUTED,
    **{f"PipelineDestination.{name}": parked for name, parked in _PARKED.items()},
}
_AS_JSON: Final = json_of(PipelineView, Pipeline, _COMPUTED)
_BELOW_DESTINATION: Final = (
    *(with_expression(getattr(PipelineDestination, name), parked) for name, parked in _PARKED.items()),
    joinedload(PipelineDestination.destination),
    joinedload(PipelineDestination.pipeline_metadata),
    selectinload(PipelineDestination.table_syncs).options(WITH_TAGS),
)
_WHOLE: Final[tuple[ORMOption, ...]] = (
    joinedload(Pipeline.source),
    selectinload(Pipeline.destinations).options(*_BELOW_DESTINATION),
)


class PipelineRepository(BaseRepository[Pipeline]):
    model = Pipeline
    entity_type = "pipeline"
    sortable = ("id", "name", "status", "created_at", "updated_at")

    async def whole(self, pipeline_id: int) -> Pipeline:
        """The pipeline with its source, destinations, metadata and table syncs, as the database has them now."""
        return await self.get(pipeline_id, options=_WHOLE)

    async def matching(self, query: PipelineQuery) -> tuple[Sequence[str], int]:
        """As JSON texts of `PipelineView`."""
        conditions: list[ColumnElement[bool]] = contains(Pipeline.name, query.name)
        if query.status is not None:
            conditions.append(Pipeline.status == query.status)
        if query.source_id is not None:
            conditions.append(Pipeline.source_id == query.source_id)
        if query.destination_id is not None:
            conditions.append(
                exists().where(
                    PipelineDestination.pipeline_id == Pipeline.id,
                    PipelineDestination.destination_id == query.destination_id,
                )
            )
        return await self.json_page(query, _AS_JSON, conditions)

    async def names_of(self, pipeline_ids: Sequence[int]) -> dict[int, str]:
        """Names of those pipelines that exist."""
        rows = await self.session.execute(select(Pipeline.id, Pipeline.name).where(Pipeline.id.in_(pipeline_ids)))
        return {row.id: row.name for row in rows}

    async def slot_names(self) -> dict[str, int]:
        """Pipeline by the slot name it has stored."""
        rows = await self.session.execute(
            select(Pipeline.slot_name, Pipeline.id).where(Pipeline.slot_name.is_not(None))
        )
        return {row.slot_name: row.id for row in rows}

    async def rebuild(self, pipeline_ids: Sequence[int]) -> None:
        """Tells compute that the processes of these pipelines must be built anew."""
        await self.session.execute(
            update(Pipeline)
            .where(Pipeline.id.in_(pipeline_ids))
            .values(generation=Pipeline.generation + 1)
            .execution_options(synchronize_session=False)
        )


class PipelineDestinationRepository(BaseRepository[PipelineDestination]):
    model = PipelineDestination
    entity_type = "pipeline destination"

    async def find(self, pipeline_id: int, destination_id: int) -> PipelineDestination | None:
        return await self.session.scalar(
            select(PipelineDestination)
            .where(PipelineDestination.pipeline_id == pipeline_id, PipelineDestination.destination_id == destination_id)
            .options(*_BELOW_DESTINATION)
            .execution_options(populate_existing=True)
        )

    async def of(self, pipeline_id: int, destination_id: int) -> PipelineDestination:
        """This destination of this pipeline, with what is below it. Raises EntityNotFoundError."""
        return _present(await self.find(pipeline_id, destination_id), pipeline_id, destination_id)

    async def plain(self, pipeline_id: int, destination_id: int) -> PipelineDestination:
        """The row alone, without what is below it. Raises EntityNotFoundError."""
        found = await self.session.scalar(
            select(PipelineDestination).where(
                PipelineDestination.pipeline_id == pipeline_id, PipelineDestination.destination_id == destination_id
            )
        )
        return _present(found, pipeline_id, destination_id)

    async def metadata(self, pipeline_id: int, destination_id: int) -> PipelineMetadata:
        """What was last observed. Raises EntityNotFoundError."""
        found = (await self.of(pipeline_id, destination_id)).pipeline_metadata
        if found is None:
            raise EntityNotFoundError("pipeline metadata", f"{pipeline_id}/{destination_id}")
        return found


def _present(found: PipelineDestination | None, pipeline_id: int, destination_id: int) -> PipelineDestination:
    if found is None:
        raise EntityNotFoundError(
            "pipeline destination",
            f"{pipeline_id}/{destination_id}",
            remedy=f"Add it by POST /api/v1/pipelines/{pipeline_id}/destinations.",
        )
    return found
