"""The dead-letter queue of one destination of a pipeline."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.access import requires
from app.api.deps import DeadLetterServiceDep, PathId
from app.domain.schemas.dead_letter import (
    CountView,
    DiscardRequest,
    DiscardView,
    DlqDetailView,
    DlqEdit,
    DlqGroups,
    DlqPage,
    DlqQuery,
    RecoverRequest,
    RecoverView,
)
from rosetta.enums import Role

router = APIRouter(prefix="/pipelines/{pipeline_id}/destinations/{destination_id}", tags=["dead-letter queue"])


@router.get("/dlq/count")
@requires(Role.VIEWER)
async def count_parked(pipeline_id: PathId, destination_id: PathId, service: DeadLetterServiceDep) -> CountView:
    """Changes that are parked now; those inside segments count one by one."""
    return CountView(count=await service.count(pipeline_id, destination_id))


@router.get("/dlq")
@requires(Role.VIEWER)
async def list_parked(
    pipeline_id: PathId, destination_id: PathId, query: Annotated[DlqQuery, Query()], service: DeadLetterServiceDep
) -> DlqPage:
    """In the order in which they were parked, without values; the open ones unless `state` says otherwise."""
    return await service.page(pipeline_id, destination_id, query)


@router.get("/dlq/groups")
@requires(Role.VIEWER)
async def group_parked(
    pipeline_id: PathId,
    destination_id: PathId,
    service: DeadLetterServiceDep,
    limit: Annotated[int, Query(ge=1, le=100, description="how many groups to show")] = 50,
) -> DlqGroups:
    """What is parked now, by table and error; each group is what the list shows when it is filtered by these."""
    return await service.groups(pipeline_id, destination_id, limit)


@router.post("/dlq/discard")
@requires(Role.OPERATOR)
async def discard_parked(
    pipeline_id: PathId, destination_id: PathId, body: DiscardRequest, service: DeadLetterServiceDep
) -> DiscardView:
    """Gives records up for good, with a reason that the audit log keeps. What waits behind them is tried again."""
    return await service.discard(pipeline_id, destination_id, body)


@router.get("/dlq/{record_id}")
@requires(Role.VIEWER)
async def inspect_parked(
    pipeline_id: PathId,
    destination_id: PathId,
    record_id: PathId,
    service: DeadLetterServiceDep,
    changes: Annotated[int, Query(ge=1, le=500, description="how many of a segment's changes to show")] = 20,
) -> DlqDetailView:
    """One record with its changes. Values are sensitive: operators and admins see them, viewers see null."""
    return await service.inspect(pipeline_id, destination_id, record_id, changes)


@router.put("/dlq/{record_id}")
@requires(Role.OPERATOR)
async def edit_parked(
    pipeline_id: PathId, destination_id: PathId, record_id: PathId, body: DlqEdit, service: DeadLetterServiceDep
) -> DlqDetailView:
    """Mends values of a parked change and asks for it to be tried again. The audit log keeps the columns' names."""
    return await service.edit(pipeline_id, destination_id, record_id, body)


@router.post("/recover-dlq")
@requires(Role.OPERATOR)
async def recover_parked(
    pipeline_id: PathId, destination_id: PathId, service: DeadLetterServiceDep, body: RecoverRequest | None = None
) -> RecoverView:
    """Asks compute to try records again at once, also those whose automatic retries have ended; all without a body."""
    return await service.recover(pipeline_id, destination_id, body or RecoverRequest())
