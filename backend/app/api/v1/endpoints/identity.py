"""Who asks."""

from __future__ import annotations

from fastapi import APIRouter

from app.api.access import requires
from app.api.deps import ActorDep
from app.domain.schemas.identity import Actor
from rosetta.enums import Role

router = APIRouter(prefix="/auth", tags=["identity"])


@router.get("/me")
@requires(Role.VIEWER)
async def get_me(actor: ActorDep) -> Actor:
    return actor
