"""Destinations: saved connections to databases that are replicated to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from app.core.exceptions import ConflictError, EntityInUseError, InvalidRequestError
from app.domain.models import CleanupTask, Destination
from app.domain.ports import TargetAddress
from app.domain.repositories import DestinationRepository, PipelineRepository
from app.domain.schemas.cleanup import LeftBehindView
from app.domain.schemas.destination import (
    CONFIG_MODELS,
    DestinationCreate,
    DestinationQuery,
    DestinationTest,
    DestinationUpdate,
    plain_config,
)
from app.domain.services.audit import AuditTrail
from app.domain.services.cleanup import left_behind, pending_error
from app.domain.services.naming import copy_name
from app.domain.services.sealing import seal_on_sight
from app.domain.services.snowflake_key import check_key, superseded
from rosetta.enums import DestinationType
from rosetta.sealed import SECRET_CONFIG_KEYS, open_config
from rosetta.sealing import allocate_id, seal_destination
from rosetta.secrets import Keyring


class DestinationService:
    def __init__(self, destinations: DestinationRepository, keyring: Keyring, audit: AuditTrail) -> None:
        self._destinations = destinations
        self._pipelines = PipelineRepository(destinations.session)
        self._keyring = keyring
        self._audit = audit

    async def create(self, body: DestinationCreate) -> Destination:
        """Saves a destination; its secrets are sealed before they are stored.

        Raises DuplicateEntityError, InvalidRequestError for a private key that is none.
        """
        await check_key(plain_config(body.config))
        destination = await self._insert(body.name, body.type, plain_config(body.config))
        await self._audit.record("destination.create", destination.id, name=destination.name)
        return destination

    async def page(self, query: DestinationQuery) -> tuple[Sequence[Destination], int]:
        rows, total = await self._destinations.matching(query)
        await seal_on_sight(self._destinations.session, self._keyring, rows)
        return rows, total

    async def get(self, destination_id: int) -> Destination:
        """The destination. Raises EntityNotFoundError."""
        destination = await self._destinations.get(destination_id)
        await seal_on_sight(self._destinations.session, self._keyring, [destination])
        return destination

    async def update(self, destination_id: int, body: DestinationUpdate) -> Destination:
        """Lays the body over what is stored; running pipelines are rebuilt when the config changed.

        Raises EntityNotFoundError, DuplicateEntityError, ConflictError for another type, InvalidRequestError.
        """
        destination = await self._destinations.get(destination_id, lock=True)
        if body.type is not None and body.type != destination.type:
            raise ConflictError(
                "The type of a destination cannot change.",
                code="TYPE_IS_FIXED",
                remedy="Create a new destination of the other type.",
            )
        renamed = body.name is not None and body.name != destination.name
        destination.name = body.name or destination.name
        reconfigured = await self._reconfigure(destination, body.config)
        await self._destinations.flush()
        changed = ["name"] * renamed + ["config"] * reconfigured
        await self._audit.record("destination.update", destination_id, changed=changed)
        return destination

    async def delete(self, destination_id: int, *, force: bool = False) -> list[LeftBehindView]:
        """Removes a destination that no pipeline uses; returns what `force` gave up, which a person must remove.

        Raises EntityNotFoundError, and EntityInUseError while a pipeline uses it or, without `force`, while something
        of ours is still to be removed there.
        """
        destination = await self._destinations.get(destination_id, lock=True)
        pipelines = await self._destinations.pipelines(destination_id)
        if pipelines:
            raise EntityInUseError(
                f"Destination {destination_id} is written to by {len(pipelines)} pipeline(s).",
                remedy="Remove it from these pipelines first.",
                details={"pipelines": [{"id": pipeline.id, "name": pipeline.name} for pipeline in pipelines]},
            )
        pending = await self._destinations.pending_cleanup(destination_id)
        if pending and not force:
            raise pending_error("destination", destination_id, pending)
        given_up = [left_behind(task) for task in pending]
        await self._destinations.forget_cleanup(destination_id)
        await self._destinations.delete(destination)
        details = {"left_behind": [f"{one.kind} {one.object_name}" for one in given_up]} if given_up else {}
        await self._audit.record("destination.delete", destination_id, name=destination.name, **details)
        return given_up

    async def pending_cleanup(self, destination_id: int) -> Sequence[CleanupTask]:
        """What compute still has to remove at this destination."""
        return await self._destinations.pending_cleanup(destination_id)

    async def duplicate(self, destination_id: int, name: str | None) -> Destination:
        """A copy with its own id and sealed secrets. Raises as `create` and `get` do."""
        original = await self.get(destination_id)
        config = open_config(original, self._keyring)
        copy = await self._insert(name or copy_name(original.name), original.type, config)
        await self._audit.record("destination.duplicate", copy.id, name=copy.name, original=destination_id)
        return copy

    async def address(self, destination_id: int) -> TargetAddress:
        """Where the destination is, with its secrets opened.

        Raises EntityNotFoundError, SecretError, and InvalidRequestError for an unusable config.
        """
        destination = await self.get(destination_id)
        config = _validated(destination.type, open_config(destination, self._keyring))
        return TargetAddress(destination.type, plain_config(config), destination.id)

    async def _insert(self, name: str, kind: DestinationType, config: dict[str, Any]) -> Destination:
        destination_id = await self._destinations.session.run_sync(allocate_id, Destination)
        destination = Destination(id=destination_id, name=name, type=kind, config=config)
        seal_destination(destination, self._keyring)
        return await self._destinations.add(destination)

    async def _reconfigure(self, destination: Destination, given: dict[str, Any]) -> bool:
        """Whether the config really changed. A secret that is left out, null or empty stays, unless replaced."""
        changes = {key: value for key, value in given.items() if value or key not in SECRET_CONFIG_KEYS}
        if not changes:
            return False
        # A secret that is replaced need not open any more: that is how a lost key is mended.
        gone = changes.keys() | superseded(changes, destination.config)
        kept = {key: value for key, value in destination.config.items() if key not in gone}
        before = open_config(Destination(id=destination.id, config=kept), self._keyring)
        if "snowflake_db" in changes:
            changes["snowflake_database"] = changes.pop("snowflake_db")
        merged = {key: value for key, value in {**before, **changes}.items() if value is not None}
        after = plain_config(_validated(destination.type, merged))
        if not changes.keys() & SECRET_CONFIG_KEYS and all(
            destination.config.get(key) == after.get(key) for key in changes
        ):
            return False
        await check_key(after)
        destination.config = after
        seal_destination(destination, self._keyring)
        pipelines = await self._destinations.pipelines(destination.id)
        await self._pipelines.rebuild([pipeline.id for pipeline in pipelines])
        return True


def address_of_test(body: DestinationTest) -> TargetAddress:
    """Where an unsaved destination is."""
    return TargetAddress(body.type, plain_config(body.config))


def _validated(kind: DestinationType, config: dict[str, Any]) -> Any:
    try:
        return CONFIG_MODELS[kind].model_validate(config)
    except ValidationError as error:
        problems = [
            {"field": ".".join(["config", *map(str, part["loc"])]), "message": part["msg"]}
            for part in error.errors(include_input=False, include_context=False, include_url=False)
        ]
        raise InvalidRequestError(
            "The destination's config is not complete or not valid.",
            code="INVALID_CONFIG",
            remedy="Correct the fields named in details.errors.",
            details={"errors": problems},
        ) from None
