"""The schema monitor: each version of a table once, with what changed, and people told of it once."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import psycopg2.extensions
import pytest
from app.core.config import Settings
from app.core.database import DatabaseManager
from app.domain.repositories import SchemaVersionRepository
from app.domain.services import SchemaMonitorService
from fastapi import FastAPI
from tests.clients import API, Sql, passes_of

from rosetta.local.postgres import PostgresCluster
from rosetta.types.schema import TableSchema


@pytest.fixture
def table(cluster: PostgresCluster, source_body: dict[str, object]) -> Iterator[psycopg2.extensions.cursor]:
    connection = cluster.connect(str(source_body["pg_database"]))
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA evolving; CREATE TABLE evolving.t (id int PRIMARY KEY, a int, b text)")
        cursor.execute(f'CREATE PUBLICATION "{source_body["publication_name"]}" FOR TABLE evolving.t')
        yield cursor
        cursor.execute(f'DROP PUBLICATION "{source_body["publication_name"]}"; DROP SCHEMA evolving CASCADE')
    connection.close()


async def test_each_real_change_is_a_version_once(
    app: FastAPI,
    settings: Settings,
    admin: httpx.AsyncClient,
    source_id: int,
    table: psycopg2.extensions.cursor,
    sql: Sql,
) -> None:
    passes, changes = passes_of(app, settings), f"{API}/sources/{source_id}/schema-changes"
    await passes.monitor_schemas()
    assert (await admin.get(changes)).json()["items"] == []
    table.execute("ALTER TABLE evolving.t ADD c int DEFAULT 5, ALTER a TYPE bigint")
    table.execute("VACUUM FULL evolving.t")
    await passes.monitor_schemas()
    await passes.monitor_schemas()
    table.execute("ALTER TABLE evolving.t RENAME b TO d; ALTER TABLE evolving.t DROP COLUMN c")
    assert (await admin.post(f"{API}/sources/{source_id}/refresh")).status_code == 200
    found = (await admin.get(changes)).json()
    assert found["total"] == 2
    assert [(one["version"], [change["text"] for change in one["changes"]]) for one in found["items"]] == [
        (3, ["column b was renamed to d", "column c was dropped"]),
        (2, ["column a was integer and is bigint", "column c (integer) was added"]),
    ]
    assert found["items"][1]["changes"][0] == {
        "kind": "type_widened",
        "column": "a",
        "before": "integer",
        "after": "bigint",
        "text": "column a was integer and is bigint",
    }
    page = (await admin.get(changes, params={"first": True, "sort": "id", "limit": 1, "offset": 0})).json()
    assert (page["total"], [one["version"] for one in page["items"]]) == (3, [1])
    assert (await admin.get(changes, params={"table_name": "other"})).json()["total"] == 0
    told = sql("SELECT title, message, occurrences, severity FROM notifications WHERE kind = 'SCHEMA_CHANGED'")
    assert told == [
        (
            "evolving.t has changed its shape",
            "Version 3: column b was renamed to d; column c was dropped.",
            2,
            "INFO",
        )
    ]
    assert (await admin.get(f"{API}/sources/999/schema-changes")).status_code == 404


async def test_an_older_look_that_comes_late_says_nothing(
    app: FastAPI, admin: httpx.AsyncClient, source_id: int, table: psycopg2.extensions.cursor, sql: Sql
) -> None:
    async def look() -> list[TableSchema]:
        database = passes_of(app, app.state.settings)
        return await database._sources.published_tables(await database._address(source_id))

    async def record(tables: list[TableSchema]) -> int:
        manager: DatabaseManager = app.state.database
        async with manager.transaction() as session:
            return len(await SchemaMonitorService(SchemaVersionRepository(session)).record(source_id, tables))

    before = await look()
    table.execute("ALTER TABLE evolving.t ADD c int")
    after = await look()
    assert [await record(one) for one in (before, after, before, after)] == [1, 1, 0, 0]
    assert sql("SELECT max(version) FROM schema_versions") == [(2,)]
