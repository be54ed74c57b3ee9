"""Sources: saved connections to databases that are replicated from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from app.core.exceptions import EntityInUseError
from app.domain.models import CleanupTask, Source
from app.domain.ports import Endpoint, ServerInfo, SourceAddress
from app.domain.repositories import PipelineRepository, SourceRepository
from app.domain.schemas.cleanup import LeftBehindView
from app.domain.schemas.source import SourceCreate, SourceQuery, SourceUpdate
from app.domain.services.audit import AuditTrail
from app.domain.services.cleanup import left_behind, pending_error
from app.domain.services.naming import copy_name
from app.domain.services.sealing import seal_on_sight
from rosetta.sealed import open_source_password
from rosetta.sealing import allocate_id, seal_source
from rosetta.secrets import Keyring

_RECONNECT: Final = frozenset(
    {"pg_host", "pg_port", "pg_database", "pg_username", "pg_password", "sslmode", "publication_name"}
)
_OTHER_PUBLICATION: Final = frozenset({"pg_host", "pg_port", "pg_database", "publication_name"})


def slot_prefix(source: Source) -> str:
    """What the names of this source's slots start with; the pipeline's id follows."""
    return f"{source.replication_name or f'rosetta_{source.replication_id}'}_"


class SourceService:
    def __init__(self, sources: SourceRepository, keyring: Keyring, audit: AuditTrail) -> None:
        self._sources = sources
        self._pipelines = PipelineRepository(sources.session)
        self._keyring = keyring
        self._audit = audit

    async def create(self, body: SourceCreate) -> Source:
        """Saves a source; its password is sealed before it is stored. Raises DuplicateEntityError."""
        source = await self._insert(body.model_dump(exclude={"pg_password"}), _plain(body.pg_password))
        await self._audit.record("source.create", source.id, name=source.name)
        return source

    async def page(self, query: SourceQuery) -> tuple[Sequence[Source], int]:
        rows, total = await self._sources.matching(query)
        await seal_on_sight(self._sources.session, self._keyring, rows)
        return rows, total

    async def get(self, source_id: int) -> Source:
        """The source. Raises EntityNotFoundError."""
        source = await self._sources.get(source_id)
        await seal_on_sight(self._sources.session, self._keyring, [source])
        return source

    async def update(self, source_id: int, body: SourceUpdate) -> Source:
        """Changes what the body names; running pipelines are rebuilt when the connection changed.

        Raises EntityNotFoundError, DuplicateEntityError, EntityInUseError when slot names would change.
        """
        source = await self._sources.get(source_id, lock=True)
        changes = {name: value for name, value in body.sent().items() if value is not None}
        password = _plain(changes.pop("pg_password", None))
        changed = {name for name, value in changes.items() if getattr(source, name) != value}
        await self._refuse_new_slot_names(source_id, changed)
        for name in changed:
            setattr(source, name, changes[name])
        if changed & _OTHER_PUBLICATION:
            source.publication_owned = False  # what Rosetta made is elsewhere; what is there now is not ours to drop
        if password:
            source.pg_password = password
            changed.add("pg_password")
        seal_source(source, self._keyring)
        await self._sources.flush()
        if changed & _RECONNECT:
            await self._pipelines.rebuild([pipeline.id for pipeline in await self._sources.pipelines(source_id)])
        await self._audit.record("source.update", source_id, changed=sorted(changed))
        return source

    async def delete(self, source_id: int, *, force: bool = False) -> list[LeftBehindView]:
        """Removes a source that no pipeline uses; returns what `force` gave up, which a person must remove.

        Raises EntityNotFoundError, and EntityInUseError while a pipeline uses it or, without `force`, while something
        of ours is still to be removed there.
        """
        source = await self._sources.get(source_id, lock=True)
        pipelines = await self._sources.pipelines(source_id)
        if pipelines:
            raise EntityInUseError(
                f"Source {source_id} is read by {len(pipelines)} pipeline(s).",
                remedy="Delete these pipelines first.",
                details={"pipelines": [{"id": pipeline.id, "name": pipeline.name} for pipeline in pipelines]},
            )
        pending = await self._sources.pending_cleanup(source_id)
        if pending and not force:
            raise pending_error("source", source_id, pending)
        given_up = [left_behind(task) for task in pending]
        await self._sources.forget_cleanup(source_id)
        await self._sources.delete(source)
        details = {"left_behind": [f"{one.kind} {one.object_name}" for one in given_up]} if given_up else {}
        await self._audit.record("source.delete", source_id, name=source.name, **details)
        return given_up

    async def pending_cleanup(self, source_id: int) -> Sequence[CleanupTask]:
        """What compute still has to remove at this source."""
        return await self._sources.pending_cleanup(source_id)

    async def duplicate(self, source_id: int, name: str | None) -> Source:
        """A copy with its own id, slot names and sealed password. Raises as `create` and `get` do."""
        original = await self.get(source_id)
        kept = ("pg_host", "pg_port", "pg_database", "pg_username", "sslmode", "publication_name")
        values: dict[str, Any] = {column: getattr(original, column) for column in kept}
        values["name"] = name or copy_name(original.name)
        source = await self._insert(values, open_source_password(original, self._keyring))
        await self._audit.record("source.duplicate", source.id, name=source.name, original=source_id)
        return source

    async def address(self, source_id: int) -> SourceAddress:
        """Where the source is, with its password opened. Raises EntityNotFoundError or SecretError."""
        source = await self.get(source_id)
        endpoint = Endpoint(
            source.pg_host,
            source.pg_port,
            source.pg_database,
            source.pg_username,
            open_source_password(source, self._keyring),
            source.sslmode,
        )
        return SourceAddress(source.id, endpoint, source.publication_name, slot_prefix(source))

    async def note_server(self, source_id: int, server: ServerInfo) -> Source:
        """Keeps who answered. Raises EntityNotFoundError."""
        source = await self._sources.get(source_id, lock=True)
        source.server_version = server.server_version
        source.system_identifier = server.system_identifier or source.system_identifier
        await self._sources.flush()
        await self._audit.record("source.refresh", source_id)
        return source

    async def _insert(self, values: dict[str, Any], password: str) -> Source:
        source_id = await self._sources.session.run_sync(allocate_id, Source)
        given = {name: value for name, value in values.items() if value is not None}
        source = Source(id=source_id, **given, pg_password=password or None)
        seal_source(source, self._keyring)
        return await self._sources.add(source)

    async def _refuse_new_slot_names(self, source_id: int, changed: set[str]) -> None:
        if not changed & {"replication_id", "replication_name"}:
            return
        slotted = [pipeline.id for pipeline in await self._sources.pipelines(source_id) if pipeline.slot_name]
        if slotted:
            raise EntityInUseError(
                "The slots of this source's pipelines carry its replication id, so it cannot change.",
                code="SLOT_NAMES_IN_USE",
                remedy="Delete these pipelines first, or duplicate the source.",
                details={"pipelines": slotted},
            )


def _plain(secret: Any) -> str:
    return secret.get_secret_value() if secret is not None else ""
