"""Saved sources."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.access import requires
from app.api.deps import PathId, SourceServiceDep
from app.domain.schemas.base import Page
from app.domain.schemas.source import Duplicate, SourceCreate, SourceQuery, SourceUpdate, SourceView
from rosetta.enums import Role

router = APIRouter(prefix="/sources", tags=["sources"])


@router.post("", status_code=HTTPStatus.CREATED)
@requires(Role.OPERATOR)
async def create_source(body: SourceCreate, service: SourceServiceDep) -> SourceView:
    return SourceView.model_validate(await service.create(body))


@router.get("")
@requires(Role.VIEWER)
async def list_sources(query: Annotated[SourceQuery, Query()], service: SourceServiceDep) -> Page[SourceView]:
    rows, total = await service.page(query)
    items = [SourceView.model_validate(row) for row in rows]
    return Page(items=items, total=total, limit=query.limit, offset=query.offset)


@router.get("/{source_id}")
@requires(Role.VIEWER)
async def get_source(source_id: PathId, service: SourceServiceDep) -> SourceView:
    return SourceView.model_validate(await service.get(source_id))


@router.put("/{source_id}")
@requires(Role.OPERATOR)
async def update_source(source_id: PathId, body: SourceUpdate, service: SourceServiceDep) -> SourceView:
    """Changes what the body names; the password stays when it is left out, null or empty."""
    return SourceView.model_validate(await service.update(source_id, body))


@router.delete("/{source_id}", status_code=HTTPStatus.NO_CONTENT)
@requires(Role.OPERATOR)
async def delete_source(source_id: PathId, service: SourceServiceDep) -> None:
    await service.delete(source_id)


@router.post("/{source_id}/duplicate", status_code=HTTPStatus.CREATED)
@requires(Role.OPERATOR)
async def duplicate_source(source_id: PathId, service: SourceServiceDep, body: Duplicate | None = None) -> SourceView:
    return SourceView.model_validate(await service.duplicate(source_id, body.name if body else None))
