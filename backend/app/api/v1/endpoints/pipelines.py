"""Pipelines and what is wanted of them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.access import requires
from app.api.deps import PathId, PipelineServiceDep
from app.api.v1.presentation import page_response
from app.domain.schemas.base import Page
from app.domain.schemas.pipeline import PipelineCreate, PipelineQuery, PipelineUpdate, PipelineView
from rosetta.enums import DesiredStatus, Role

router = APIRouter(prefix="/pipelines", tags=["pipelines"])


@router.post("", status_code=HTTPStatus.CREATED)
@requires(Role.OPERATOR)
async def create_pipeline(body: PipelineCreate, service: PipelineServiceDep) -> PipelineView:
    """Always PAUSE; a `status` in the body is answered with a warning."""
    pipeline, warnings = await service.create(body)
    return PipelineView.model_validate(pipeline).model_copy(update={"warnings": warnings})


@router.get("", response_model=Page[PipelineView])
@requires(Role.VIEWER)
async def list_pipelines(query: Annotated[PipelineQuery, Query()], service: PipelineServiceDep) -> Response:
    items, total = await service.page(query)
    return page_response(items, total, query)


@router.get("/{pipeline_id}")
@requires(Role.VIEWER)
async def get_pipeline(pipeline_id: PathId, service: PipelineServiceDep) -> PipelineView:
    return PipelineView.model_validate(await service.get(pipeline_id))


@router.put("/{pipeline_id}")
@requires(Role.OPERATOR)
async def update_pipeline(pipeline_id: PathId, body: PipelineUpdate, service: PipelineServiceDep) -> PipelineView:
    return PipelineView.model_validate(await service.update(pipeline_id, body))


@router.delete("/{pipeline_id}", status_code=HTTPStatus.NO_CONTENT)
@requires(Role.OPERATOR)
async def delete_pipeline(pipeline_id: PathId, service: PipelineServiceDep) -> None:
    """Compute then ends the process, and drops slot and publication (if Rosetta made it) until they are gone."""
    await service.delete(pipeline_id)


@router.post("/{pipeline_id}/start")
@requires(Role.OPERATOR)
async def start_pipeline(pipeline_id: PathId, service: PipelineServiceDep) -> PipelineView:
    return PipelineView.model_validate(await service.wish(pipeline_id, DesiredStatus.START))


@router.post("/{pipeline_id}/pause")
@requires(Role.OPERATOR)
async def pause_pipeline(pipeline_id: PathId, service: PipelineServiceDep) -> PipelineView:
    """The slot stays, and with it the source keeps its WAL until the pipeline goes on."""
    return PipelineView.model_validate(await service.wish(pipeline_id, DesiredStatus.PAUSE))


@router.post("/{pipeline_id}/refresh")
@requires(Role.OPERATOR)
async def refresh_pipeline(pipeline_id: PathId, service: PipelineServiceDep) -> PipelineView:
    """A forced restart; the status then goes back to START."""
    return PipelineView.model_validate(await service.wish(pipeline_id, DesiredStatus.REFRESH))
