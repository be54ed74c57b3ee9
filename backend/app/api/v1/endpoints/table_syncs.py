"""The tables of one destination of a pipeline."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.access import requires
from app.api.deps import PathId, TableSyncServiceDep
from app.api.v1.presentation import page_response
from app.domain.schemas.base import Page
from app.domain.schemas.table_sync import TableSyncCreate, TableSyncQuery, TableSyncUpdate, TableSyncView
from rosetta.enums import Role, TableSyncDesired

router = APIRouter(prefix="/pipelines/{pipeline_id}/destinations/{destination_id}/tables", tags=["table syncs"])


@router.get("", response_model=Page[TableSyncView])
@requires(Role.VIEWER)
async def list_table_syncs(
    pipeline_id: PathId,
    destination_id: PathId,
    query: Annotated[TableSyncQuery, Query()],
    service: TableSyncServiceDep,
) -> Response:
    items, total = await service.page(pipeline_id, destination_id, query)
    return page_response(items, total, query)


@router.post("", status_code=HTTPStatus.CREATED)
@requires(Role.OPERATOR)
async def create_table_sync(
    pipeline_id: PathId, destination_id: PathId, body: TableSyncCreate, service: TableSyncServiceDep
) -> TableSyncView:
    return TableSyncView.model_validate(await service.create(pipeline_id, destination_id, body))


@router.put("/{sync_id}")
@requires(Role.OPERATOR)
async def update_table_sync(
    pipeline_id: PathId, destination_id: PathId, sync_id: PathId, body: TableSyncUpdate, service: TableSyncServiceDep
) -> TableSyncView:
    """A table that was copied already is copied anew."""
    return TableSyncView.model_validate(await service.update(pipeline_id, destination_id, sync_id, body))


@router.delete("/{sync_id}", status_code=HTTPStatus.NO_CONTENT)
@requires(Role.OPERATOR)
async def delete_table_sync(
    pipeline_id: PathId, destination_id: PathId, sync_id: PathId, service: TableSyncServiceDep
) -> None:
    """The target keeps its rows. The destination no longer takes every table of the publication by itself."""
    await service.delete(pipeline_id, destination_id, sync_id)


@router.post("/{sync_id}/resync")
@requires(Role.OPERATOR)
async def resync_table(
    pipeline_id: PathId, destination_id: PathId, sync_id: PathId, service: TableSyncServiceDep
) -> TableSyncView:
    """Copies the table anew, beside the stream."""
    return TableSyncView.model_validate(
        await service.wish(pipeline_id, destination_id, sync_id, TableSyncDesired.RESYNC)
    )


@router.post("/{sync_id}/pause")
@requires(Role.OPERATOR)
async def pause_table(
    pipeline_id: PathId, destination_id: PathId, sync_id: PathId, service: TableSyncServiceDep
) -> TableSyncView:
    return TableSyncView.model_validate(
        await service.wish(pipeline_id, destination_id, sync_id, TableSyncDesired.PAUSED)
    )


@router.post("/{sync_id}/resume")
@requires(Role.OPERATOR)
async def resume_table(
    pipeline_id: PathId, destination_id: PathId, sync_id: PathId, service: TableSyncServiceDep
) -> TableSyncView:
    return TableSyncView.model_validate(
        await service.wish(pipeline_id, destination_id, sync_id, TableSyncDesired.ACTIVE)
    )
