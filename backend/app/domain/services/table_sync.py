"""Table syncs: which table of a pipeline goes where, and whether it should go now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.core.exceptions import ConflictError, PermissionDeniedError
from app.domain.models import TableSync
from app.domain.repositories import (
    PipelineDestinationRepository,
    PipelineRepository,
    TableSyncRepository,
    TagRepository,
)
from app.domain.schemas.identity import Actor
from app.domain.schemas.table_sync import TableSyncCreate, TableSyncQuery, TableSyncUpdate
from app.domain.services.audit import AuditTrail
from app.domain.services.table_rules import RULES, parsed_rules
from rosetta.enums import Role, TableSyncDesired, TableSyncState

# What a pipeline takes over while it runs, and what its target is as it was.
_FOLLOWED: Final = frozenset({"schema_policy"})


def new_sync(join_id: int, body: TableSyncCreate, actor: Actor) -> TableSync:
    """A row for this body. Raises InvalidRequestError for what is no rule, PermissionDeniedError for who may not."""
    values = body.model_dump(exclude={"tags"})
    _require_admin(values, actor)
    values["filters"] = _typed_filters(values)
    return TableSync(pipeline_destination_id=join_id, **values)


class TableSyncService:
    def __init__(self, syncs: TableSyncRepository, audit: AuditTrail) -> None:
        self._syncs = syncs
        self._joins = PipelineDestinationRepository(syncs.session)
        self._pipelines = PipelineRepository(syncs.session)
        self._tags = TagRepository(syncs.session)
        self._audit = audit

    async def page(self, pipeline_id: int, destination_id: int, query: TableSyncQuery) -> tuple[Sequence[str], int]:
        """JSON texts of `TableSyncView`, and how many there are in all.

        Raises EntityNotFoundError when the pipeline does not feed the destination.
        """
        join = await self._joins.plain(pipeline_id, destination_id)
        return await self._syncs.matching(join.id, query)

    async def create(self, pipeline_id: int, destination_id: int, body: TableSyncCreate) -> TableSync:
        """Raises EntityNotFoundError, DuplicateEntityError, and as `new_sync` does."""
        join = await self._joins.of(pipeline_id, destination_id)
        sync = await self._syncs.add(new_sync(join.id, body, self._audit.actor))
        await self._tags.assign({sync.id: body.tags})
        await self._audit.record("table_sync.create", sync.id, table=f"{sync.schema_name}.{sync.table_name}")
        return await self._syncs.of(join.id, sync.id)

    async def update(self, pipeline_id: int, destination_id: int, sync_id: int, body: TableSyncUpdate) -> TableSync:
        """Changes what the body names. A table that was copied already is copied anew, because its target changed.

        Raises EntityNotFoundError, DuplicateEntityError, ConflictError for another source table,
        InvalidRequestError for what is no rule, PermissionDeniedError for who may not.
        """
        sync = await self._of(pipeline_id, destination_id, sync_id)
        changes = body.sent()
        for name in ("schema_name", "table_name"):
            if changes.pop(name, None) not in {None, getattr(sync, name)}:
                raise ConflictError(
                    "The source table of a table sync cannot change.",
                    code="TABLE_IS_FIXED",
                    remedy="Create a table sync for the other table, and delete this one.",
                )
        _require_admin(changes, self._audit.actor, sync.custom_sql)
        if any(name in changes for name in RULES):
            rules = {name: changes.get(name, getattr(sync, name)) for name in RULES}
            changes["filters"] = _typed_filters(rules)
        tags = changes.pop("tags", None)
        changed = sorted(name for name, value in changes.items() if getattr(sync, name) != value)
        for name in changed:
            setattr(sync, name, changes[name])
        if set(changed) - _FOLLOWED:
            if sync.state is not TableSyncState.PENDING and sync.desired_state is TableSyncDesired.ACTIVE:
                sync.desired_state = TableSyncDesired.RESYNC
            await self._syncs.flush()
            await self._pipelines.rebuild([pipeline_id])
        await self._syncs.flush()
        if tags is not None and sorted(set(tags)) != sync.tags:
            await self._tags.assign({sync_id: tags})
            changed.append("tags")
        await self._audit.record("table_sync.update", sync_id, changed=changed)
        return await self._of(pipeline_id, destination_id, sync_id)

    async def wish(self, pipeline_id: int, destination_id: int, sync_id: int, desired: TableSyncDesired) -> TableSync:
        """States what is wanted of this table. Raises EntityNotFoundError."""
        sync = await self._of(pipeline_id, destination_id, sync_id)
        sync.desired_state = desired
        await self._syncs.flush()
        await self._audit.record("table_sync.desire", sync_id, desired_state=desired.value)
        return sync

    async def delete(self, pipeline_id: int, destination_id: int, sync_id: int) -> None:
        """Stops syncing the table; the target keeps its rows. Raises EntityNotFoundError.

        A destination that syncs all tables of the publication would get the table back at once: it now
        syncs only those it has.
        """
        join = await self._joins.of(pipeline_id, destination_id)
        sync = await self._syncs.of(join.id, sync_id)
        join.sync_all_tables = False
        await self._syncs.delete(sync)
        await self._audit.record("table_sync.delete", sync_id, table=f"{sync.schema_name}.{sync.table_name}")

    async def _of(self, pipeline_id: int, destination_id: int, sync_id: int) -> TableSync:
        join = await self._joins.of(pipeline_id, destination_id)
        return await self._syncs.of(join.id, sync_id)


def _typed_filters(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The filters as they are stored, however they were written. Raises InvalidRequestError for what is no rule."""
    return [condition.as_object() for condition in parsed_rules(values).filters]


def _require_admin(values: Mapping[str, Any], actor: Actor, saved: str | None = None) -> None:
    """A statement of one's own is code, if only a little: who writes it may do everything."""
    if values.get("custom_sql") not in {None, "", saved} and actor.role is not Role.ADMIN:
        raise PermissionDeniedError(
            f"Custom SQL needs the role {Role.ADMIN}; this token has {actor.role}.",
            remedy="Ask an admin to save it, or use columns, masks and filters.",
            details={"required_role": Role.ADMIN, "role": actor.role},
        )
