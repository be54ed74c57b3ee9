"""The destinations of a pipeline."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter

from app.api.access import requires
from app.api.deps import FanOutServiceDep, PathId
from app.domain.schemas.pipeline import FanOutCreate, FanOutUpdate, MetadataView, PipelineDestinationView
from rosetta.enums import Role

router = APIRouter(prefix="/pipelines/{pipeline_id}/destinations", tags=["fan-out"])


@router.post("", status_code=HTTPStatus.CREATED)
@requires(Role.OPERATOR)
async def add_destination(
    pipeline_id: PathId, body: FanOutCreate, service: FanOutServiceDep
) -> PipelineDestinationView:
    """A destination joins, also while the pipeline runs. Without table syncs it gets every table of the publication."""
    return PipelineDestinationView.model_validate(await service.add(pipeline_id, body))


@router.put("/{destination_id}")
@requires(Role.OPERATOR)
async def update_destination_of_pipeline(
    pipeline_id: PathId, destination_id: PathId, body: FanOutUpdate, service: FanOutServiceDep
) -> PipelineDestinationView:
    """What happens when nothing more may be parked for this destination, and whether it takes every table."""
    return PipelineDestinationView.model_validate(await service.update(pipeline_id, destination_id, body))


@router.delete("/{destination_id}", status_code=HTTPStatus.NO_CONTENT)
@requires(Role.OPERATOR)
async def remove_destination(pipeline_id: PathId, destination_id: PathId, service: FanOutServiceDep) -> None:
    """A destination leaves, also while the pipeline runs; its tables stay as they are."""
    await service.remove(pipeline_id, destination_id)


@router.post("/{destination_id}/resync")
@requires(Role.OPERATOR)
async def resync_destination(
    pipeline_id: PathId, destination_id: PathId, service: FanOutServiceDep
) -> PipelineDestinationView:
    """Brings every table into line with the source, beside the stream; paused tables stay paused.

    Ranges of rows are compared and only those that differ are copied. A destination that was detached takes part
    again.
    """
    return PipelineDestinationView.model_validate(await service.resync(pipeline_id, destination_id))


@router.get("/{destination_id}/metadata")
@requires(Role.VIEWER)
async def get_metadata(pipeline_id: PathId, destination_id: PathId, service: FanOutServiceDep) -> MetadataView:
    """What really happens, as compute last saw it."""
    return MetadataView.model_validate(await service.metadata(pipeline_id, destination_id))
