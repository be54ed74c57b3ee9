"""Versions of the source's tables, as the stream and the looks beside it show them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from compute.core.catalog.database import ConfigDatabase
from compute.core.catalog.notices import Notice
from rosetta.enums import SeenBy
from rosetta.identifiers import TableId
from rosetta.schema_history import KnownVersion, new_versions
from rosetta.types import TableSchema

_NEWEST = """
    SELECT DISTINCT ON (schema_name, table_name) schema_name, table_name, version, definition
    FROM schema_versions WHERE source_id = %(source_id)s
      AND (schema_name, table_name) IN (SELECT * FROM unnest(%(schemas)s, %(names)s))
    ORDER BY schema_name, table_name, version DESC"""
# Whoever else has kept this version meanwhile has told people, too.
_KEEP = """
    INSERT INTO schema_versions (source_id, schema_name, table_name, version, definition, diff, seen_by)
    VALUES (%(source_id)s, %(schema)s, %(name)s, %(version)s, %(definition)s, %(diff)s, %(seen_by)s)
    ON CONFLICT (source_id, schema_name, table_name, version) DO NOTHING RETURNING id"""


class SchemaVersions:
    """What one process has noted is remembered, so that it asks the database only where something is new to it.

    For one thread. Raises OutageError while the config database is away; noting the same again is harmless.
    """

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database
        self._noted: dict[TableId, TableSchema] = {}

    def note(self, pipeline_id: int, source_id: int, schemas: Sequence[TableSchema], seen_by: SeenBy) -> None:
        """Keeps a version of each table that is not as it was, once, and tells people what has changed."""
        fresh = [schema for schema in schemas if self._noted.get(schema.table) != schema]
        if not fresh:
            return
        tables = [schema.table for schema in fresh]
        asked = {
            "source_id": source_id,
            "schemas": [table.schema for table in tables],
            "names": [table.name for table in tables],
        }
        with self._database.transaction() as session:
            known = {
                TableId(row.schema_name, row.table_name): KnownVersion(row.version, row.definition)
                for row in session.execute(_NEWEST, asked)
            }
            for version in new_versions(known, fresh):
                kept = session.execute(
                    _KEEP,
                    {
                        "source_id": source_id,
                        "schema": version.table.schema,
                        "name": version.table.name,
                        "version": version.version,
                        "definition": json.dumps(version.definition),
                        "diff": None if version.diff is None else json.dumps(version.diff),
                        "seen_by": seen_by,
                    },
                )
                notice = version.notice(source_id)
                if kept.scalar() is not None and notice is not None:
                    Notice(pipeline_id=pipeline_id, **notice).tell(session)
        self._noted |= {schema.table: schema for schema in fresh}
