"""Health, for load balancers and supervisors: the only routes without a token."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from app.api.access import public
from app.api.deps import DatabaseDep
from app.api.errors import ERROR_RESPONSES
from rosetta import __version__

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: Literal["ok"] = "ok"
    service: Literal["backend"] = "backend"
    version: str = __version__


@router.get("/health", responses={503: ERROR_RESPONSES[503]})
@public
async def health(database: DatabaseDep) -> Health:
    """200 when requests can be served, 503 when the config database does not answer."""
    await database.ping()
    return Health()


@router.get("/health/live")
@public
async def live() -> Health:
    """200 as long as the process answers at all."""
    return Health()
