"""Tags of table syncs."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.access import requires
from app.api.deps import PathId, TagServiceDep
from app.domain.schemas.base import Page
from app.domain.schemas.tag import TagCreate, TagQuery, TagView
from rosetta.enums import Role

router = APIRouter(prefix="/tags", tags=["table syncs"])


@router.get("")
@requires(Role.VIEWER)
async def list_tags(query: Annotated[TagQuery, Query()], service: TagServiceDep) -> Page[TagView]:
    return Page[TagView].of(*await service.page(query), query)


@router.post("", status_code=HTTPStatus.CREATED)
@requires(Role.OPERATOR)
async def create_tag(body: TagCreate, service: TagServiceDep) -> TagView:
    """Table syncs then name it in their `tags`, and lists of table syncs can be filtered by it."""
    return TagView.model_validate(await service.create(body))


@router.delete("/{tag_id}", status_code=HTTPStatus.NO_CONTENT)
@requires(Role.OPERATOR)
async def delete_tag(tag_id: PathId, service: TagServiceDep) -> None:
    """Table syncs that have it lose it, and nothing else."""
    await service.delete(tag_id)
