"""Saved sources."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from app.api.access import requires
from app.api.deps import PathId, SourceServiceDep
from app.domain.schemas.base import Page
from app.domain.schemas.cleanup import CleanupView, ForcedView
from app.domain.schemas.source import Duplicate, SourceCreate, SourceDetailView, SourceQuery, SourceUpdate, SourceView
from rosetta.enums import Role

router = APIRouter(prefix="/sources", tags=["sources"])


@router.post("", status_code=HTTPStatus.CREATED)
@requires(Role.OPERATOR)
async def create_source(body: SourceCreate, service: SourceServiceDep) -> SourceView:
    return SourceView.model_validate(await service.create(body))


@router.get("")
@requires(Role.VIEWER)
async def list_sources(query: Annotated[SourceQuery, Query()], service: SourceServiceDep) -> Page[SourceView]:
    return Page[SourceView].of(*await service.page(query), query)


@router.get("/{source_id}")
@requires(Role.VIEWER)
async def get_source(source_id: PathId, service: SourceServiceDep) -> SourceDetailView:
    """With what compute still has to remove there for pipelines that left."""
    shown = SourceView.model_validate(await service.get(source_id))
    pending = [CleanupView.model_validate(task) for task in await service.pending_cleanup(source_id)]
    return SourceDetailView(**shown.model_dump(), pending_cleanup=pending)


@router.put("/{source_id}")
@requires(Role.OPERATOR)
async def update_source(source_id: PathId, body: SourceUpdate, service: SourceServiceDep) -> SourceView:
    """Changes what the body names; the password stays when it is left out, null or empty."""
    return SourceView.model_validate(await service.update(source_id, body))


@router.delete(
    "/{source_id}",
    status_code=HTTPStatus.NO_CONTENT,
    response_model=None,
    responses={HTTPStatus.OK: {"model": ForcedView, "description": "Deleted by force, leaving something behind"}},
)
@requires(Role.OPERATOR)
async def delete_source(
    source_id: PathId,
    service: SourceServiceDep,
    force: Annotated[bool, Query(description="also when something of ours there cannot be removed")] = False,
) -> Response:
    """Deletes a source that no pipeline uses. With `force` the answer says what must be dropped there by hand."""
    given_up = await service.delete(source_id, force=force)
    if not given_up:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return JSONResponse(ForcedView(left_behind=given_up).model_dump(mode="json"))


@router.post("/{source_id}/duplicate", status_code=HTTPStatus.CREATED)
@requires(Role.OPERATOR)
async def duplicate_source(source_id: PathId, service: SourceServiceDep, body: Duplicate | None = None) -> SourceView:
    return SourceView.model_validate(await service.duplicate(source_id, body.name if body else None))
