"""The schema monitor: how the published tables of every source change, by looks at intervals beside the stream's."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.models import SchemaVersion
from app.domain.repositories import NotificationRepository, SchemaVersionRepository, SourceRepository
from app.domain.schemas.schema_version import SchemaVersionQuery
from rosetta.enums import SeenBy
from rosetta.schema_history import NewVersion, new_versions
from rosetta.types.schema import TableSchema


class SchemaMonitorService:
    def __init__(self, versions: SchemaVersionRepository) -> None:
        self._versions = versions
        self._sources = SourceRepository(versions.session)
        self._notifications = NotificationRepository(versions.session)

    async def record(self, source_id: int, tables: Sequence[TableSchema]) -> list[NewVersion]:
        """Keeps a version of each table that is not as it was, once, and tells people what has changed.

        `tables` may be an older look than one that was recorded before: then it changes nothing.
        """
        known = await self._versions.newest(source_id, [schema.table for schema in tables])
        kept = [
            version
            for version in new_versions(known, tables)
            if await self._versions.keep(source_id, version, SeenBy.POLL)
        ]
        for version in kept:
            notice = version.notice(source_id)
            if notice is not None:
                await self._notifications.raise_alert(notice)
        return kept

    async def page(self, source_id: int, query: SchemaVersionQuery) -> tuple[Sequence[SchemaVersion], int]:
        """Versions of a source's tables. Raises EntityNotFoundError, InvalidRequestError for an unknown sort field."""
        await self._sources.get(source_id)
        return await self._versions.matching(source_id, query)
