"""Versions of the sources' tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from app.domain.models import SchemaVersion
from app.domain.repositories.base import BaseRepository, contains
from app.domain.schemas.schema_version import SchemaVersionQuery
from rosetta.enums import SeenBy
from rosetta.identifiers import TableId
from rosetta.schema_history import KnownVersion, NewVersion


class SchemaVersionRepository(BaseRepository[SchemaVersion]):
    model = SchemaVersion
    entity_type = "schema version"
    sortable = ("id", "created_at", "table_name")

    async def matching(self, source_id: int, query: SchemaVersionQuery) -> tuple[Sequence[SchemaVersion], int]:
        conditions: list[ColumnElement[bool]] = [SchemaVersion.source_id == source_id]
        conditions += contains(SchemaVersion.table_name, query.table_name)
        if query.schema_name is not None:
            conditions.append(SchemaVersion.schema_name == query.schema_name)
        if not query.first:
            conditions.append(SchemaVersion.version > 1)
        return await self.page(query, conditions)

    async def newest(self, source_id: int, tables: Collection[TableId]) -> Mapping[TableId, KnownVersion]:
        """The newest version of each of these tables that has one."""
        name = (SchemaVersion.schema_name, SchemaVersion.table_name)
        asked = (
            SchemaVersion.source_id == source_id,
            tuple_(*name).in_([(one.schema, one.name) for one in tables]),
        )
        newest = (
            select(*name, func.max(SchemaVersion.version).label("version")).where(*asked).group_by(*name).subquery()
        )
        rows = await self.session.scalars(
            select(SchemaVersion).where(
                *asked, tuple_(*name, SchemaVersion.version).in_(select(newest.c[0], newest.c[1], newest.c[2]))
            )
        )
        return {TableId(row.schema_name, row.table_name): KnownVersion(row.version, row.definition) for row in rows}

    async def keep(self, source_id: int, version: NewVersion, seen_by: SeenBy) -> bool:
        """Whether it was not there: somebody else may have seen the same at the same time."""
        kept = await self.session.scalar(
            insert(SchemaVersion)
            .values(
                source_id=source_id,
                schema_name=version.table.schema,
                table_name=version.table.name,
                version=version.version,
                definition=version.definition,
                diff=version.diff,
                seen_by=seen_by,
            )
            .on_conflict_do_nothing(index_elements=["source_id", "schema_name", "table_name", "version"])
            .returning(SchemaVersion.id)
        )
        return kept is not None
