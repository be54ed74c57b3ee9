"""Saved destinations, and the databases behind them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from app.api.access import requires
from app.api.deps import (
    AuditDep,
    CreditMeterDep,
    CreditRepositoryDep,
    DestinationServiceDep,
    PathId,
    TargetAddressDep,
    TargetDatabaseDep,
)
from app.api.v1.presentation import credits_view, preflight_view, target_connection_view, target_schema_view
from app.domain.schemas.base import Page
from app.domain.schemas.cleanup import CleanupView, ForcedView
from app.domain.schemas.destination import (
    DestinationCreate,
    DestinationDetailView,
    DestinationQuery,
    DestinationTest,
    DestinationUpdate,
    DestinationView,
)
from app.domain.schemas.inspection import CreditsView, KeyView, PreflightView, SchemaView, TargetConnectionView
from app.domain.schemas.source import Duplicate
from app.domain.services.destination import address_of_test
from app.domain.services.snowflake_key import key_view
from rosetta.enums import Role

router = APIRouter(prefix="/destinations", tags=["destinations"])


@router.post("", status_code=HTTPStatus.CREATED)
@requires(Role.OPERATOR)
async def create_destination(body: DestinationCreate, service: DestinationServiceDep) -> DestinationView:
    """Takes `config` nested, or its keys beside `name`."""
    return DestinationView.model_validate(await service.create(body))


@router.get("")
@requires(Role.VIEWER)
async def list_destinations(
    query: Annotated[DestinationQuery, Query()], service: DestinationServiceDep
) -> Page[DestinationView]:
    return Page[DestinationView].of(*await service.page(query), query)


@router.post("/test-connection")
@requires(Role.OPERATOR)
async def test_unsaved_destination(
    body: DestinationTest, database: TargetDatabaseDep, audit: AuditDep
) -> TargetConnectionView:
    """Signs in with what the body says. What goes wrong is an error with its remedy."""
    server = await database.server(address_of_test(body))
    await audit.record("destination.test_connection")
    return target_connection_view(server)


@router.post("/inspect-key")
@requires(Role.OPERATOR)
async def inspect_key(body: DestinationTest, audit: AuditDep) -> KeyView:
    """What Snowflake has to be told of a key before it is saved: for a new destination, or to change its key."""
    await audit.record("destination.inspect_key")
    return await key_view(address_of_test(body))


@router.get("/{destination_id}")
@requires(Role.VIEWER)
async def get_destination(destination_id: PathId, service: DestinationServiceDep) -> DestinationDetailView:
    """With what compute still has to remove there for pipelines that left."""
    shown = DestinationView.model_validate(await service.get(destination_id))
    pending = [CleanupView.model_validate(task) for task in await service.pending_cleanup(destination_id)]
    return DestinationDetailView(**shown.model_dump(), pending_cleanup=pending)


@router.put("/{destination_id}")
@requires(Role.OPERATOR)
async def update_destination(
    destination_id: PathId, body: DestinationUpdate, service: DestinationServiceDep
) -> DestinationView:
    """Lays `config` over the stored one: null removes a key, and a secret that is left out stays.

    A new private key puts the one before out of use, wherever that was, with its passphrase.
    """
    return DestinationView.model_validate(await service.update(destination_id, body))


@router.delete(
    "/{destination_id}",
    status_code=HTTPStatus.NO_CONTENT,
    response_model=None,
    responses={HTTPStatus.OK: {"model": ForcedView, "description": "Deleted by force, leaving something behind"}},
)
@requires(Role.OPERATOR)
async def delete_destination(
    destination_id: PathId,
    service: DestinationServiceDep,
    force: Annotated[bool, Query(description="also when something of ours there cannot be removed")] = False,
) -> Response:
    """Deletes a destination that no pipeline uses. With `force` the answer says what must be dropped there by hand."""
    given_up = await service.delete(destination_id, force=force)
    if not given_up:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return JSONResponse(ForcedView(left_behind=given_up).model_dump(mode="json"))


@router.post("/{destination_id}/duplicate", status_code=HTTPStatus.CREATED)
@requires(Role.OPERATOR)
async def duplicate_destination(
    destination_id: PathId, service: DestinationServiceDep, body: Duplicate | None = None
) -> DestinationView:
    return DestinationView.model_validate(await service.duplicate(destination_id, body.name if body else None))


@router.post("/{destination_id}/test-connection")
@requires(Role.OPERATOR)
async def test_destination(
    address: TargetAddressDep, database: TargetDatabaseDep, audit: AuditDep
) -> TargetConnectionView:
    """Signs in with what is saved. What goes wrong is an error with its remedy."""
    server = await database.server(address)
    await audit.record("destination.test_connection", address.destination_id)
    return target_connection_view(server)


@router.get("/{destination_id}/key")
@requires(Role.VIEWER)
async def get_destination_key(address: TargetAddressDep) -> KeyView:
    """The key's fingerprint, and the statements that make it known to Snowflake."""
    return await key_view(address)


@router.get("/{destination_id}/credits")
@requires(Role.VIEWER)
async def get_destination_credits(
    destination_id: PathId,
    address: TargetAddressDep,
    meter: CreditMeterDep,
    credits_kept: CreditRepositoryDep,
    days: Annotated[int, Query(ge=1, le=366)] = 30,
) -> CreditsView:
    """Daily use of the destination's warehouse. Asked of Snowflake at most once an hour: that uses credits, too."""
    report = await meter.report(address, days)
    await credits_kept.keep(destination_id, report.uses)
    return credits_view(report)


@router.get("/{destination_id}/preflight")
@requires(Role.VIEWER)
async def preflight_destination(address: TargetAddressDep, database: TargetDatabaseDep) -> PreflightView:
    """Everything that stands in the way of writing, each with the SQL that mends it."""
    return preflight_view(await database.preflight(address))


@router.get("/{destination_id}/schema")
@requires(Role.VIEWER)
async def get_destination_schema(address: TargetAddressDep, database: TargetDatabaseDep) -> SchemaView:
    """Tables and columns that are at the destination now."""
    return target_schema_view(await database.tables(address))
