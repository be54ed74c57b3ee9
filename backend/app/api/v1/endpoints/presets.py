"""Saved table selections of a source."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.access import requires
from app.api.deps import PathId, PresetServiceDep
from app.domain.schemas.base import Page
from app.domain.schemas.preset import PresetCreate, PresetQuery, PresetUpdate, PresetView
from rosetta.enums import Role

router = APIRouter(prefix="/sources/{source_id}/presets", tags=["presets"])


@router.get("")
@requires(Role.VIEWER)
async def list_presets(
    source_id: PathId, query: Annotated[PresetQuery, Query()], service: PresetServiceDep
) -> Page[PresetView]:
    return Page[PresetView].of(*await service.page(source_id, query), query)


@router.post("", status_code=HTTPStatus.CREATED)
@requires(Role.OPERATOR)
async def create_preset(source_id: PathId, body: PresetCreate, service: PresetServiceDep) -> PresetView:
    return PresetView.model_validate(await service.create(source_id, body))


@router.put("/{preset_id}")
@requires(Role.OPERATOR)
async def update_preset(
    source_id: PathId, preset_id: PathId, body: PresetUpdate, service: PresetServiceDep
) -> PresetView:
    return PresetView.model_validate(await service.update(source_id, preset_id, body))


@router.delete("/{preset_id}", status_code=HTTPStatus.NO_CONTENT)
@requires(Role.OPERATOR)
async def delete_preset(source_id: PathId, preset_id: PathId, service: PresetServiceDep) -> None:
    await service.delete(source_id, preset_id)
