"""`SourceDatabase` over asyncpg."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg

from app.core.exceptions import ConnectionRejectedError
from app.domain.ports import (
    Endpoint,
    Publication,
    RuleFindings,
    RuleQuestion,
    ServerInfo,
    Slot,
    SlotWal,
    SourceAddress,
    SourceTable,
    WalState,
)
from app.infrastructure.postgres.session import Sessions
from rosetta.dialects.postgres import qualified, quoted
from rosetta.dialects.postgres.catalog import parse_tables, publication_tables_sql
from rosetta.dialects.postgres.preview import counts_sql, sample_sql, settings_sql
from rosetta.enums import ReplicaIdentity
from rosetta.identifiers import TableId
from rosetta.preflight import Finding, check_source, source_facts_sql
from rosetta.types.schema import TableSchema

_SAMPLE_ROWS: Final = 20
_READ_SECONDS: Final = 10.0
# A partitioned table counts with all of its partitions, which are not listed themselves.
_TABLES = """
SELECT n.nspname AS schema, c.relname AS name, c.relreplident::text AS identity, c.relkind = 'p' AS partitioned,
    CASE c.relkind WHEN 'p' THEN (
        SELECT COALESCE(sum(pg_total_relation_size(t.relid)), 0) FROM pg_partition_tree(c.oid) t)
        ELSE pg_total_relation_size(c.oid) END::bigint AS size_bytes,
    CASE c.relkind WHEN 'p' THEN (
        SELECT sum(GREATEST(p.reltuples, 0)) FROM pg_partition_tree(c.oid) t JOIN pg_class p ON p.oid = t.relid
        WHERE t.isleaf) ELSE NULLIF(c.reltuples, -1) END::bigint AS rows_estimated,
    COALESCE((SELECT array_agg(a.attname::text ORDER BY k.position) FROM pg_index i
        CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, position)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
        WHERE i.indrelid = c.oid AND i.indisprimary AND k.position <= i.indnkeyatts), '{}') AS key,
    EXISTS (SELECT FROM pg_publication_tables p WHERE p.pubname = $1 AND (p.schemaname, p.tablename) IN (
        SELECT m.nspname, t.relname FROM pg_partition_tree(c.oid) part JOIN pg_class t ON t.oid = part.relid
        JOIN pg_namespace m ON m.oid = t.relnamespace
        UNION ALL SELECT n.nspname, c.relname)) AS published
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
    AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> '_rosetta'
    AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2
"""
_PUBLICATION = """
SELECT p.puballtables AS all_tables, COALESCE((
    SELECT array_agg(ARRAY[t.schemaname::text, t.tablename::text] ORDER BY t.schemaname, t.tablename)
    FROM pg_publication_tables t WHERE t.pubname = p.pubname), '{}') AS tables
FROM pg_publication p WHERE p.pubname = $1
"""
_SLOTS = """
SELECT slot_name AS name, active, wal_status, confirmed_flush_lsn::text AS confirmed_flush_lsn,
    (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - restart_lsn)::bigint
        AS retained_bytes
FROM pg_replication_slots
WHERE slot_type = 'logical' AND database = current_database() AND starts_with(slot_name::text, $1)
ORDER BY slot_name
"""
_NOW = "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"
_WAL_NOW = f"SELECT ({_NOW})::text AS lsn, has_function_privilege('pg_ls_waldir()', 'EXECUTE') AS may_look"
_WAL_SLOTS = f"""
SELECT slot_name::text AS name, active, wal_status, ({_NOW} - restart_lsn)::bigint AS retained_bytes,
    ({_NOW} - confirmed_flush_lsn)::bigint AS lag_bytes, safe_wal_size AS safe_bytes
FROM pg_replication_slots
WHERE slot_type = 'logical' AND database = current_database() AND starts_with(slot_name::text, $1)
ORDER BY slot_name
"""
_DROP_SLOT = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active"


class AsyncpgSource:
    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def server(self, endpoint: Endpoint) -> ServerInfo:
        return await self._sessions.server(endpoint)

    async def preflight(self, address: SourceAddress) -> list[Finding]:
        async with self._sessions.open(address.endpoint) as connection:
            facts = await connection.fetchval(source_facts_sql(address.publication, address.slot_prefix))
        return check_source(facts)

    async def tables(self, address: SourceAddress) -> list[SourceTable]:
        async with self._sessions.open(address.endpoint) as connection:
            rows = await connection.fetch(_TABLES, address.publication)
        return [_table(row) for row in rows]

    async def published_tables(self, address: SourceAddress) -> list[TableSchema]:
        async with self._sessions.open(address.endpoint) as connection:
            value = await connection.fetchval(publication_tables_sql(address.publication))
        return list(parse_tables(value).values())

    async def preview(self, address: SourceAddress, question: RuleQuestion) -> RuleFindings:
        schema, view, former = question.table, question.view, question.former
        columns = tuple(column.source for column in view.columns)
        async with self._sessions.open(address.endpoint) as connection:
            sample: Sequence[asyncpg.Record] = ()
            counts: Sequence[int | None] = (None,) * 4
            with suppress(asyncpg.QueryCanceledError):
                async with _exact(connection):
                    sample = await connection.fetch(sample_sql(schema, columns, view.condition, _SAMPLE_ROWS))
            with suppress(asyncpg.QueryCanceledError):
                async with _exact(connection):
                    before = None if former is None else former.condition
                    counts = await connection.fetchrow(counts_sql(schema, view.condition, before))
        rows, passing, entering, leaving = counts
        return RuleFindings(rows, passing, entering, leaving, tuple(tuple(row["row"]) for row in sample))

    async def publication(self, address: SourceAddress) -> Publication | None:
        async with self._sessions.open(address.endpoint) as connection:
            row = await connection.fetchrow(_PUBLICATION, address.publication)
        if row is None:
            return None
        tables = tuple(TableId(schema, name) for schema, name in row["tables"])
        return Publication(address.publication, row["all_tables"], tables)

    async def create_publication(self, address: SourceAddress, tables: Sequence[TableId] | None) -> None:
        chosen = "FOR ALL TABLES" if tables is None else _for_tables(tables)
        await self._execute(
            address,
            f"CREATE PUBLICATION {quoted(address.publication)} {chosen} WITH (publish_via_partition_root = true)",
        )

    async def extend_publication(self, address: SourceAddress, tables: Sequence[TableId]) -> None:
        names = ", ".join(qualified(table) for table in tables)
        await self._execute(address, f"ALTER PUBLICATION {quoted(address.publication)} ADD TABLE {names}")

    async def drop_publication(self, address: SourceAddress) -> None:
        await self._execute(address, f"DROP PUBLICATION IF EXISTS {quoted(address.publication)}")

    async def slots(self, address: SourceAddress) -> list[Slot]:
        async with self._sessions.open(address.endpoint) as connection:
            rows = await connection.fetch(_SLOTS, address.slot_prefix)
        return [Slot(**row) for row in rows]

    async def wal(self, address: SourceAddress) -> WalState:
        async with self._sessions.open(address.endpoint) as connection:
            now = await connection.fetchrow(_WAL_NOW)
            size_bytes = None
            if now["may_look"]:
                size_bytes = await connection.fetchval("SELECT sum(size)::bigint FROM pg_ls_waldir()")
            slots = await connection.fetch(_WAL_SLOTS, address.slot_prefix)
        return WalState(now["lsn"], size_bytes, tuple(SlotWal(**slot) for slot in slots))

    async def drop_slot(self, address: SourceAddress, name: str) -> bool:
        async with self._sessions.open(address.endpoint) as connection:
            try:
                return bool(await connection.fetch(_DROP_SLOT, name))
            except (asyncpg.UndefinedObjectError, asyncpg.ObjectInUseError):
                return False  # somebody else dropped it, or began to use it, between the look and the drop

    async def _execute(self, address: SourceAddress, statement: str) -> None:
        async with self._sessions.open(address.endpoint) as connection:
            await connection.execute(statement)


@asynccontextmanager
async def _exact(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """A read-only transaction that prints exact texts and does not read for long."""
    async with connection.transaction(readonly=True):
        await connection.execute(settings_sql(_READ_SECONDS))
        yield


def _table(row: asyncpg.Record) -> SourceTable:
    return SourceTable(
        table=TableId(row["schema"], row["name"]),
        size_bytes=row["size_bytes"],
        rows_estimated=row["rows_estimated"],
        key=tuple(row["key"]),
        replica_identity=ReplicaIdentity(row["identity"]),
        partitioned=row["partitioned"],
        in_publication=row["published"],
    )


def _for_tables(tables: Sequence[TableId]) -> str:
    if not tables:
        raise ConnectionRejectedError(
            "The source has no table that can be published.",
            code="NOTHING_TO_PUBLISH",
            remedy="Create a table with a primary key, or give its tables REPLICA IDENTITY FULL, then repeat.",
        )
    return "FOR TABLE " + ", ".join(qualified(table) for table in tables)
