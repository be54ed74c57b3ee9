"""The databases behind the sources: tests, preflight, tables, publication, slots."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.access import requires
from app.api.deps import (
    AuditDep,
    PathId,
    PublicationServiceDep,
    SchemaMonitorDep,
    SlotServiceDep,
    SourceAddressDep,
    SourceDatabaseDep,
    SourceServiceDep,
)
from app.api.v1.presentation import connection_view, preflight_view, source_schema_view, source_table_view
from app.domain.ports import Endpoint
from app.domain.schemas.base import Identifier, Page
from app.domain.schemas.inspection import (
    ConnectionView,
    PreflightView,
    PublicationRequest,
    PublicationView,
    SchemaView,
    SlotsView,
    SourceTableQuery,
    SourceTableView,
)
from app.domain.schemas.schema_version import SchemaVersionQuery, SchemaVersionView
from app.domain.schemas.source import SourceTest, SourceView
from rosetta.enums import Role

router = APIRouter(prefix="/sources", tags=["sources"])


@router.post("/test-connection")
@requires(Role.OPERATOR)
async def test_unsaved_source(body: SourceTest, database: SourceDatabaseDep, audit: AuditDep) -> ConnectionView:
    """Signs in with what the body says. What goes wrong is an error with its remedy."""
    password = body.pg_password.get_secret_value() if body.pg_password is not None else ""
    server = await database.server(
        Endpoint(body.pg_host, body.pg_port, body.pg_database, body.pg_username, password, body.sslmode)
    )
    await audit.record("source.test_connection")
    return connection_view(server)


@router.post("/{source_id}/test-connection")
@requires(Role.OPERATOR)
async def test_source(address: SourceAddressDep, database: SourceDatabaseDep, audit: AuditDep) -> ConnectionView:
    """Signs in with what is saved. What goes wrong is an error with its remedy."""
    server = await database.server(address.endpoint)
    await audit.record("source.test_connection", address.source_id)
    return connection_view(server)


@router.get("/{source_id}/preflight")
@requires(Role.VIEWER)
async def preflight_source(address: SourceAddressDep, database: SourceDatabaseDep) -> PreflightView:
    """Everything that stands in the way of replication, each with the SQL that mends it."""
    return preflight_view(await database.preflight(address))


@router.get("/{source_id}/tables")
@requires(Role.VIEWER)
async def list_source_tables(
    address: SourceAddressDep, database: SourceDatabaseDep, query: Annotated[SourceTableQuery, Query()]
) -> Page[SourceTableView]:
    """All tables with size, key, replica identity, and whether they are in the publication."""
    found = [table for table in await database.tables(address) if query.matches(table.table, table.in_publication)]
    items = [source_table_view(table) for table in query.sorted(found)[query.offset : query.offset + query.limit]]
    return Page[SourceTableView].of(items, len(found), query)


@router.get("/{source_id}/schema")
@requires(Role.VIEWER)
async def get_source_schema(address: SourceAddressDep, database: SourceDatabaseDep) -> SchemaView:
    """Columns and keys of the tables in the publication."""
    return source_schema_view(await database.published_tables(address))


@router.get("/{source_id}/schema-changes")
@requires(Role.VIEWER)
async def list_schema_changes(
    source_id: PathId, query: Annotated[SchemaVersionQuery, Query()], monitor: SchemaMonitorDep
) -> Page[SchemaVersionView]:
    """What the tables of the publication were, and what changed with each version."""
    return Page[SchemaVersionView].of(*await monitor.page(source_id, query), query)


@router.post("/{source_id}/refresh")
@requires(Role.OPERATOR)
async def refresh_source(
    source_id: PathId,
    address: SourceAddressDep,
    database: SourceDatabaseDep,
    service: SourceServiceDep,
    monitor: SchemaMonitorDep,
) -> SourceView:
    """Asks the source anew who it is and what its tables are, and keeps the answers."""
    server = await database.server(address.endpoint)
    await monitor.record(source_id, await database.published_tables(address))
    return SourceView.model_validate(await service.note_server(source_id, server))


@router.post("/{source_id}/publication", status_code=HTTPStatus.CREATED)
@requires(Role.OPERATOR)
async def create_publication(
    address: SourceAddressDep, service: PublicationServiceDep, body: PublicationRequest | None = None
) -> PublicationView:
    """Creates the publication, or adds tables to it. Without a body: every table that can be published safely."""
    return await service.create(address, body or PublicationRequest())


@router.delete("/{source_id}/publication", status_code=HTTPStatus.NO_CONTENT)
@requires(Role.OPERATOR)
async def drop_publication(address: SourceAddressDep, service: PublicationServiceDep) -> None:
    """Drops the publication that Rosetta made."""
    await service.drop(address)


@router.get("/{source_id}/replication-slot")
@requires(Role.VIEWER)
async def list_slots(address: SourceAddressDep, service: SlotServiceDep) -> SlotsView:
    """All slots of the source that are ours."""
    return await service.list_slots(address)


@router.post("/{source_id}/replication-slot")
@requires(Role.OPERATOR)
async def inspect_slots(address: SourceAddressDep, service: SlotServiceDep, audit: AuditDep) -> SlotsView:
    """As GET. A slot is made by its pipeline's first start, never here: without a reader it fills the source's disk."""
    slots = await service.list_slots(address)
    await audit.record("source.inspect_slots", address.source_id)
    return slots


@router.delete("/{source_id}/replication-slot")
@requires(Role.OPERATOR)
async def drop_orphaned_slots(
    address: SourceAddressDep, service: SlotServiceDep, name: Annotated[list[Identifier] | None, Query()] = None
) -> SlotsView:
    """Drops our inactive slots that belong to no pipeline: those named, or all. Answers with what is left."""
    return await service.drop_orphans(address, name or [])
