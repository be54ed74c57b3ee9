"""The tables of one destination of a pipeline."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.access import requires
from app.api.deps import AuditDep, FormerRulesDep, PathId, SavedSyncDep, TableRulesServiceDep, TableSyncServiceDep
from app.api.v1.presentation import page_response
from app.domain.schemas.base import Page
from app.domain.schemas.table_sync import (
    RulesCheck,
    RulesPreview,
    TableSyncCreate,
    TableSyncQuery,
    TableSyncUpdate,
    TableSyncView,
)
from app.domain.services.table_rules import RULES, parsed_rules
from rosetta.enums import Role, TableSyncDesired
from rosetta.identifiers import TableId

router = APIRouter(prefix="/pipelines/{pipeline_id}/destinations/{destination_id}/tables", tags=["table syncs"])


@router.get("", response_model=Page[TableSyncView])
@requires(Role.VIEWER)
async def list_table_syncs(
    pipeline_id: PathId,
    destination_id: PathId,
    query: Annotated[TableSyncQuery, Query()],
    service: TableSyncServiceDep,
) -> Response:
    items, total = await service.page(pipeline_id, destination_id, query)
    return page_response(items, total, query)


@router.post("", status_code=HTTPStatus.CREATED)
@requires(Role.OPERATOR)
async def create_table_sync(
    pipeline_id: PathId,
    destination_id: PathId,
    body: TableSyncCreate,
    rules: TableRulesServiceDep,
    service: TableSyncServiceDep,
) -> TableSyncView:
    """Columns, masks and filters are held against the source, where it can be reached."""
    await rules.check(TableId(body.schema_name, body.table_name), parsed_rules(body.model_dump()))
    return TableSyncView.model_validate(await service.create(pipeline_id, destination_id, body))


@router.put("/{sync_id}")
@requires(Role.OPERATOR)
async def update_table_sync(
    saved: SavedSyncDep,
    body: TableSyncUpdate,
    pipeline_id: PathId,
    destination_id: PathId,
    rules: TableRulesServiceDep,
    service: TableSyncServiceDep,
) -> TableSyncView:
    """A table that was copied already is copied anew."""
    if any(name in body.sent() for name in RULES):
        wanted = {name: body.sent().get(name, getattr(saved, name)) for name in RULES}
        await rules.check(TableId(saved.schema_name, saved.table_name), parsed_rules(wanted))
    return TableSyncView.model_validate(await service.update(pipeline_id, destination_id, saved.id, body))


@router.post("/validate")
@requires(Role.OPERATOR)
async def validate_table_rules(
    body: RulesCheck, former: FormerRulesDep, rules: TableRulesServiceDep, audit: AuditDep
) -> RulesPreview:
    """What columns, masks and filters would do, without doing it: how many rows pass, come and go, and some of them.

    Counting reads the whole table of the source, for 10 s at most.
    """
    table = TableId(body.schema_name, body.table_name)
    preview = await rules.preview(table, parsed_rules(body.model_dump()), await former(body.sync_id))
    await audit.record("table_sync.validate", body.sync_id, table=str(table))
    return preview


@router.delete("/{sync_id}", status_code=HTTPStatus.NO_CONTENT)
@requires(Role.OPERATOR)
async def delete_table_sync(
    pipeline_id: PathId, destination_id: PathId, sync_id: PathId, service: TableSyncServiceDep
) -> None:
    """The target keeps its rows. The destination no longer takes every table of the publication by itself."""
    await service.delete(pipeline_id, destination_id, sync_id)


@router.post("/{sync_id}/resync")
@requires(Role.OPERATOR)
async def resync_table(
    pipeline_id: PathId, destination_id: PathId, sync_id: PathId, service: TableSyncServiceDep
) -> TableSyncView:
    """Copies the table anew, beside the stream."""
    return TableSyncView.model_validate(
        await service.wish(pipeline_id, destination_id, sync_id, TableSyncDesired.RESYNC)
    )


@router.post("/{sync_id}/pause")
@requires(Role.OPERATOR)
async def pause_table(
    pipeline_id: PathId, destination_id: PathId, sync_id: PathId, service: TableSyncServiceDep
) -> TableSyncView:
    return TableSyncView.model_validate(
        await service.wish(pipeline_id, destination_id, sync_id, TableSyncDesired.PAUSED)
    )


@router.post("/{sync_id}/resume")
@requires(Role.OPERATOR)
async def resume_table(
    pipeline_id: PathId, destination_id: PathId, sync_id: PathId, service: TableSyncServiceDep
) -> TableSyncView:
    return TableSyncView.model_validate(
        await service.wish(pipeline_id, destination_id, sync_id, TableSyncDesired.ACTIVE)
    )
