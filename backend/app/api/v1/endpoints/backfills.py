"""Copying rows of a table again: historical sync, with or without filters."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.access import requires
from app.api.deps import BackfillServiceDep, PathId
from app.domain.schemas.backfill import BackfillQuery, BackfillRequest, BackfillView
from app.domain.schemas.base import Page
from rosetta.enums import Role

router = APIRouter(prefix="/pipelines/{pipeline_id}/backfill", tags=["backfill"])


@router.post("", status_code=HTTPStatus.ACCEPTED)
@requires(Role.OPERATOR)
async def start_backfill(pipeline_id: PathId, body: BackfillRequest, service: BackfillServiceDep) -> BackfillView:
    """Queues a backfill; compute takes it up while the pipeline runs. Rows that do not pass are left as they are."""
    return BackfillView.model_validate(await service.start(pipeline_id, body))


@router.get("")
@requires(Role.VIEWER)
async def list_backfills(
    pipeline_id: PathId, query: Annotated[BackfillQuery, Query()], service: BackfillServiceDep
) -> Page[BackfillView]:
    return Page[BackfillView].of(*await service.page(pipeline_id, query), query)


@router.get("/{job_id}")
@requires(Role.VIEWER)
async def get_backfill(pipeline_id: PathId, job_id: PathId, service: BackfillServiceDep) -> BackfillView:
    """How far it is, how fast, and how long the rest takes."""
    return BackfillView.model_validate(await service.get(pipeline_id, job_id))


@router.post("/{job_id}/cancel")
@requires(Role.OPERATOR)
async def cancel_backfill(pipeline_id: PathId, job_id: PathId, service: BackfillServiceDep) -> BackfillView:
    """Ends a backfill: at once when it has not begun, else within seconds. What is merged by then stays."""
    return BackfillView.model_validate(await service.cancel(pipeline_id, job_id))
