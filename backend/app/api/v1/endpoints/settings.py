"""Settings that can be changed while the services run."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import AfterValidator, JsonValue

from app.api.access import requires
from app.api.deps import SettingServiceDep
from app.domain.schemas.base import storable
from rosetta.enums import Role

router = APIRouter(prefix="/settings", tags=["settings"])

SettingsBody = Annotated[dict[str, JsonValue], Body(), AfterValidator(storable)]


@router.get("")
@requires(Role.ADMIN)
async def get_settings(service: SettingServiceDep) -> dict[str, object]:
    return await service.all()


@router.put("")
@requires(Role.ADMIN)
async def update_settings(body: SettingsBody, service: SettingServiceDep) -> dict[str, object]:
    """Sets the given keys; null removes one. Answers with all settings."""
    return await service.change(body)
