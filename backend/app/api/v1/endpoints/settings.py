"""Settings that can be changed while the services run."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import AfterValidator, JsonValue

from app.api.access import requires
from app.api.deps import EncryptionKeyDep, SettingServiceDep
from app.domain.schemas.base import storable
from app.domain.schemas.encryption_key import EncryptionKeyView
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


@router.get("/encryption-key")
@requires(Role.ADMIN)
async def get_encryption_key(service: EncryptionKeyDep) -> EncryptionKeyView:
    """Which key seals secrets, named by its id, and what is still sealed under another; never a key."""
    return await service.view()
