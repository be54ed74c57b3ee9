"""`TargetDatabase` over asyncpg."""

from __future__ import annotations

import json

from app.core.exceptions import ConnectionRejectedError
from app.domain.ports import Endpoint, TargetAddress, TargetColumn, TargetInfo, TargetTable
from app.infrastructure.postgres.session import Sessions
from rosetta.endpoints import destination_endpoint
from rosetta.enums import SslMode
from rosetta.errors import ConfigurationError
from rosetta.identifiers import TableId
from rosetta.preflight import Finding, check_target, target_facts_sql

_TABLES = """
SELECT n.nspname AS schema, c.relname AS name, COALESCE(jsonb_agg(jsonb_build_object('name', a.attname,
    'type', format_type(a.atttypid, a.atttypmod), 'nullable', NOT a.attnotnull) ORDER BY a.attnum)
    FILTER (WHERE a.attname IS NOT NULL), '[]') AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
    AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> '_rosetta'
    AND ($1::text IS NULL OR n.nspname = $1)
GROUP BY n.nspname, c.relname ORDER BY 1, 2
"""


class AsyncpgTarget:
    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def server(self, address: TargetAddress) -> TargetInfo:
        server = await self._sessions.server(_endpoint(address))
        return TargetInfo(
            product="PostgreSQL",
            version=server.version,
            database=server.database,
            user=server.user,
            tls=server.tls,
            server_version=server.server_version,
            wal_level=server.wal_level,
        )

    async def preflight(self, address: TargetAddress) -> list[Finding]:
        async with self._sessions.open(_endpoint(address)) as connection:
            facts = await connection.fetchval(target_facts_sql(address.config.get("pg_schema")))
        return check_target(facts)

    async def tables(self, address: TargetAddress) -> list[TargetTable]:
        async with self._sessions.open(_endpoint(address)) as connection:
            rows = await connection.fetch(_TABLES, address.config.get("pg_schema"))
        return [
            TargetTable(
                TableId(row["schema"], row["name"]),
                tuple(TargetColumn(**column) for column in json.loads(row["columns"])),
            )
            for row in rows
        ]


def _endpoint(address: TargetAddress) -> Endpoint:
    try:
        found = destination_endpoint(address.config)
    except ConfigurationError as error:
        raise ConnectionRejectedError.of(error) from None
    return Endpoint(found.host, found.port, found.database, found.user, found.password, SslMode(found.sslmode))
