"""A source's publication: made and extended so that the source itself never suffers from it."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.exceptions import ConflictError, EntityInUseError, EntityNotFoundError
from app.domain.ports import Publication, SourceAddress, SourceDatabase, SourceTable
from app.domain.repositories import SourceRepository
from app.domain.schemas.inspection import PublicationRequest, PublicationView, SkippedTable, TableName
from app.domain.services.audit import AuditTrail
from rosetta.dialects.postgres import qualified, quoted
from rosetta.enums import DesiredStatus
from rosetta.identifiers import TableId


class PublicationService:
    """Creates, extends and drops publications.

    PostgreSQL refuses updates and deletes of a published table whose rows nothing identifies: publishing
    one breaks the application that writes it. Such tables are refused when named and left out otherwise.
    """

    def __init__(self, sources: SourceRepository, database: SourceDatabase, audit: AuditTrail) -> None:
        self._sources = sources
        self._database = database
        self._audit = audit

    async def create(self, address: SourceAddress, body: PublicationRequest) -> PublicationView:
        """Creates the publication, or adds to the existing one the tables that are named and not in it.

        The config database is changed first and committed last, so that a refusal by the source leaves
        nothing behind. Raises EntityNotFoundError for an unknown table, ConflictError for an unsafe one.
        """
        there = await self._database.tables(address)
        existing = await self._database.publication(address)
        chosen, skipped = _selection(there, body)
        created = existing is None
        source = await self._sources.get(address.source_id, lock=True)
        if existing is None:
            source.publication_owned = True
            await self._sources.flush()
        names = [table.table for table in chosen]
        await self._audit.record("source.create_publication", source.id, name=address.publication, created=created)
        if existing is None:
            await self._database.create_publication(address, None if body.all_tables else names)
        else:
            await self._extend(address, existing, names if body.tables or body.schemas else [])
        return await self._view(address, created, source.publication_owned, skipped if created else [])

    async def drop(self, address: SourceAddress) -> None:
        """Drops the publication that Rosetta made.

        Raises EntityNotFoundError when there is none, EntityInUseError while a pipeline is to run,
        ConflictError when somebody else made it.
        """
        if await self._database.publication(address) is None:
            raise EntityNotFoundError("publication", address.publication)
        source = await self._sources.get(address.source_id, lock=True)
        running = [p for p in await self._sources.pipelines(source.id) if p.status is not DesiredStatus.PAUSE]
        if running:
            raise EntityInUseError(
                f"Publication {address.publication} feeds {len(running)} pipeline(s) that are to run.",
                remedy="Pause these pipelines first.",
                details={"pipelines": [{"id": pipeline.id, "name": pipeline.name} for pipeline in running]},
            )
        if not source.publication_owned:
            raise ConflictError(
                f"Publication {address.publication} was not made by Rosetta, which therefore does not drop it.",
                code="PUBLICATION_NOT_OURS",
                remedy=f"Drop it yourself: DROP PUBLICATION {quoted(address.publication)};",
            )
        source.publication_owned = False
        await self._sources.flush()
        await self._audit.record("source.drop_publication", source.id, name=address.publication)
        await self._database.drop_publication(address)

    async def _extend(self, address: SourceAddress, existing: Publication, names: Sequence[TableId]) -> None:
        missing = [name for name in names if name not in set(existing.tables)]
        if missing and not existing.all_tables:
            await self._database.extend_publication(address, missing)

    async def _view(
        self, address: SourceAddress, created: bool, owned: bool, skipped: list[SkippedTable]
    ) -> PublicationView:
        now = await self._database.publication(address)
        if now is None:
            raise EntityNotFoundError("publication", address.publication)
        tables = [TableName(schema_name=table.schema, table_name=table.name) for table in now.tables]
        return PublicationView(
            name=now.name, created=created, owned=owned, all_tables=now.all_tables, tables=tables, skipped=skipped
        )


def _selection(there: Sequence[SourceTable], body: PublicationRequest) -> tuple[list[SourceTable], list[SkippedTable]]:
    """The tables to publish and those that are left out. Raises what `PublicationService.create` raises."""
    if not (body.tables or body.schemas or body.all_tables):
        return [table for table in there if table.identifies_rows], [
            _skipped(t) for t in there if not t.identifies_rows
        ]
    chosen = list(there) if body.all_tables else _named(there, body)
    unsafe = [_skipped(table) for table in chosen if not table.identifies_rows]
    if unsafe:
        raise ConflictError(
            f"{len(unsafe)} table(s) have no key: once published, their updates and deletes would fail at the source.",
            code="TABLE_WITHOUT_IDENTITY",
            remedy="\n".join(table.sql for table in unsafe[:20]),
            details={"tables": [table.model_dump() for table in unsafe]},
        )
    return chosen, []


def _named(there: Sequence[SourceTable], body: PublicationRequest) -> list[SourceTable]:
    by_name = {table.table: table for table in there}
    wanted = [TableId(named.schema_name, named.table_name) for named in body.tables]
    known_schemas = {table.schema for table in by_name}
    for schema in body.schemas:
        if schema not in known_schemas:
            raise EntityNotFoundError("schema with tables", schema)
        wanted += [table for table in by_name if table.schema == schema]
    for name in wanted:
        if name not in by_name:
            raise EntityNotFoundError("source table", str(name))
    return [by_name[name] for name in dict.fromkeys(wanted)]


def _skipped(table: SourceTable) -> SkippedTable:
    return SkippedTable(
        schema_name=table.table.schema,
        table_name=table.table.name,
        reason="no primary key and no REPLICA IDENTITY FULL",
        sql=f"ALTER TABLE {qualified(table.table)} REPLICA IDENTITY FULL;",
    )
