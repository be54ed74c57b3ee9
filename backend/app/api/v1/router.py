"""All routes below /api/v1."""

from __future__ import annotations

from fastapi import APIRouter

from app.api.errors import ERROR_RESPONSES
from app.api.v1.endpoints import (
    backfills,
    dead_letters,
    destinations,
    events,
    fan_out,
    identity,
    monitoring,
    notifications,
    pipeline_logs,
    pipelines,
    presets,
    settings,
    source_database,
    sources,
    table_syncs,
    tags,
    tokens,
    users,
    verification,
)


def build_router() -> APIRouter:
    """A new router each time, so that several applications can live in one process."""
    router = APIRouter(prefix="/api/v1", responses=ERROR_RESPONSES)
    for module in (
        sources,
        source_database,
        presets,
        destinations,
        pipelines,
        pipeline_logs,
        fan_out,
        dead_letters,
        backfills,
        verification,
        monitoring,
        notifications,
        events,
        table_syncs,
        tags,
        settings,
        tokens,
        users,
        identity,
    ):
        router.include_router(module.router)
    return router
