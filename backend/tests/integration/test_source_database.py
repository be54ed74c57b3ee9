"""The database behind a source: what the API finds there, prepares and removes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import psycopg2
import pytest
from tests.clients import API, Sql

from rosetta.local.postgres import PostgresCluster

TABLES = """
CREATE SCHEMA sales;
CREATE TABLE sales.orders (id bigint PRIMARY KEY, note text);
CREATE TABLE customers (country text, number int, name text, PRIMARY KEY (number, country));
CREATE TABLE logs (line text);
CREATE TABLE loose (line text);
ALTER TABLE loose REPLICA IDENTITY FULL;
CREATE TABLE events (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO sales.orders SELECT n, repeat('x', 100) FROM generate_series(1, 1000) n;
ANALYZE;
"""
Open = Callable[[], psycopg2.extensions.connection]


@pytest.fixture
def at_source(cluster: PostgresCluster, new_database: Callable[[], str], source_body: dict[str, Any]) -> Sql:
    """Runs SQL on a new source database, whose name is put into `source_body`."""
    source_body["pg_database"] = new_database()

    def run(statement: str, *values: Any) -> list[tuple[Any, ...]]:
        connection = cluster.connect(source_body["pg_database"])
        with connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    run(TABLES)
    return run


@pytest.fixture
async def path(admin: httpx.AsyncClient, source_body: dict[str, Any], at_source: Sql) -> str:
    created = await admin.post(f"{API}/sources", json=source_body)
    return f"{API}/sources/{created.json()['id']}"


async def test_both_connection_tests_say_who_answered(
    admin: httpx.AsyncClient, path: str, source_body: dict[str, Any]
) -> None:
    for answer in (
        await admin.post(f"{API}/sources/test-connection", json=source_body),
        await admin.post(f"{path}/test-connection"),
    ):
        body = answer.json()
        assert answer.status_code == 200, answer.text
        assert body["ok"] is True
        assert body["database"] == source_body["pg_database"]
        assert (body["wal_level"], body["tls"]) == ("logical", False)
        assert body["server_version"] >= 150_000


async def test_tables_are_listed_with_what_an_operator_needs(admin: httpx.AsyncClient, path: str) -> None:
    page = (await admin.get(f"{path}/tables")).json()
    by_name = {f"{table['schema_name']}.{table['table_name']}": table for table in page["items"]}
    assert set(by_name) == {"sales.orders", "public.customers", "public.logs", "public.loose", "public.events"}
    assert by_name["public.customers"]["key"] == ["number", "country"]
    assert by_name["sales.orders"]["size_bytes"] > 100_000
    assert by_name["sales.orders"]["rows_estimated"] == 1000
    assert by_name["public.loose"]["replica_identity"] == "f"
    assert by_name["public.events"]["partitioned"] is True
    assert not any(table["in_publication"] for table in page["items"])
    largest = (await admin.get(f"{path}/tables", params={"sort": "-size_bytes", "limit": 1})).json()
    assert (largest["total"], largest["items"][0]["table_name"]) == (5, "orders")
    filtered = (await admin.get(f"{path}/tables", params={"schema_name": "public", "table_name": "LO"})).json()
    assert [table["table_name"] for table in filtered["items"]] == ["logs", "loose"]


async def test_a_publication_leaves_out_what_would_break_the_source(
    admin: httpx.AsyncClient, path: str, at_source: Sql, sql: Sql
) -> None:
    created = await admin.post(f"{path}/publication")
    assert created.status_code == 201, created.text
    body = created.json()
    assert (body["created"], body["owned"], body["all_tables"]) == (True, True, False)
    assert {table["table_name"] for table in body["tables"]} == {"orders", "customers", "loose", "events"}
    assert [table["table_name"] for table in body["skipped"]] == ["logs"]
    at_source(body["skipped"][0]["sql"])
    assert at_source("SELECT pubviaroot FROM pg_publication") == [(True,)]
    extended = await admin.post(f"{path}/publication", json={"tables": [{"table_name": "logs"}]})
    assert extended.json()["created"] is False
    assert len(extended.json()["tables"]) == 5
    schema = (await admin.get(f"{path}/schema")).json()["tables"]
    events = next(table for table in schema if table["table_name"] == "events")
    assert events["key"] == ["id", "day"]
    assert events["columns"][1] == {"name": "day", "type": "date", "nullable": False}
    page = (await admin.get(f"{path}/tables", params={"in_publication": True})).json()
    assert page["total"] == 5
    assert (await admin.delete(f"{path}/publication")).status_code == 204
    assert at_source("SELECT count(*) FROM pg_publication") == [(0,)]
    assert sql("SELECT publication_owned FROM sources") == [(False,)]
    assert (await admin.delete(f"{path}/publication")).status_code == 404


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"tables": [{"table_name": "logs"}]}, (409, "TABLE_WITHOUT_IDENTITY")),
        ({"all_tables": True}, (409, "TABLE_WITHOUT_IDENTITY")),
        ({"tables": [{"table_name": "nowhere"}]}, (404, "ENTITY_NOT_FOUND")),
        ({"schemas": ["nowhere"]}, (404, "ENTITY_NOT_FOUND")),
        ({"schemas": ["sales"], "all_tables": True}, (422, "VALIDATION_ERROR")),
        ({"tables": [{"table_name": "x" * 64}]}, (422, "VALIDATION_ERROR")),
    ],
)
async def test_a_publication_that_cannot_be_made_is_not_half_made(
    admin: httpx.AsyncClient, path: str, at_source: Sql, sql: Sql, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    answer = await admin.post(f"{path}/publication", json=body)
    assert (answer.status_code, answer.json()["code"]) == expected
    assert answer.json()["remedy"]
    assert at_source("SELECT count(*) FROM pg_publication") == [(0,)]
    assert sql("SELECT publication_owned FROM sources") == [(False,)]


async def test_a_user_without_rights_is_told_and_nothing_is_kept(
    admin: httpx.AsyncClient, cluster: PostgresCluster, path: str, at_source: Sql, sql: Sql
) -> None:
    at_source("DROP ROLE IF EXISTS weak")
    at_source("CREATE ROLE weak LOGIN PASSWORD 'weak-password'")
    await admin.put(path, json={"pg_username": "weak", "pg_password": "weak-password"})
    refused = await admin.post(f"{path}/publication")
    assert (refused.status_code, refused.json()["code"]) == (422, "INSUFFICIENT_PRIVILEGE")
    assert refused.json()["remedy"]
    assert sql("SELECT publication_owned FROM sources") == [(False,)]
    preflight = (await admin.get(f"{path}/preflight")).json()
    assert preflight["ready"] is False
    missing = next(finding for finding in preflight["findings"] if finding["code"] == "REPLICATION_ROLE_MISSING")
    at_source(missing["sql"])
    again = (await admin.get(f"{path}/preflight")).json()
    assert "REPLICATION_ROLE_MISSING" not in {finding["code"] for finding in again["findings"]}
    at_source("DROP ROLE weak")


async def test_a_foreign_publication_is_left_alone(admin: httpx.AsyncClient, path: str, at_source: Sql) -> None:
    at_source("CREATE PUBLICATION shop_pub FOR TABLE sales.orders")
    refused = await admin.delete(f"{path}/publication")
    assert (refused.status_code, refused.json()["code"]) == (409, "PUBLICATION_NOT_OURS")
    assert refused.json()["remedy"] == 'Drop it yourself: DROP PUBLICATION "shop_pub";'
    kept = await admin.post(f"{path}/publication")
    assert (kept.json()["created"], kept.json()["owned"]) == (False, False)
    assert len(kept.json()["tables"]) == 1


async def test_a_publication_that_feeds_a_pipeline_stays(admin: httpx.AsyncClient, path: str, sql: Sql) -> None:
    await admin.post(f"{path}/publication")
    sql("INSERT INTO pipelines (name, source_id, status) SELECT 'orders', id, 'START' FROM sources")
    refused = await admin.delete(f"{path}/publication")
    assert (refused.status_code, refused.json()["code"]) == (409, "ENTITY_IN_USE")
    sql("UPDATE pipelines SET status = 'PAUSE'")
    assert (await admin.delete(f"{path}/publication")).status_code == 204


async def test_only_orphaned_slots_of_ours_are_dropped(
    admin: httpx.AsyncClient, path: str, at_source: Sql, sql: Sql
) -> None:
    sql("INSERT INTO pipelines (name, source_id) SELECT 'orders', id FROM sources")
    source, pipeline = sql("SELECT source_id, id FROM pipelines")[0]
    kept, orphan = f"rosetta_{source}_{pipeline}", f"rosetta_{source}_4711"
    others = [f"rosetta_{source}_x", f"rosetta_{source}0_1", "somebody_else"]
    for name in (kept, orphan, *others):
        at_source("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", name)
    for answer in (await admin.get(f"{path}/replication-slot"), await admin.post(f"{path}/replication-slot")):
        slots = {slot["name"]: slot for slot in answer.json()["slots"]}
        assert set(slots) == {kept, orphan}
        assert slots[kept]["pipeline_name"] == "orders"
        assert (slots[kept]["orphan"], slots[orphan]["orphan"]) == (False, True)
        assert slots[kept]["retained_bytes"] >= 0
    in_use = await admin.delete(f"{path}/replication-slot", params={"name": kept})
    assert (in_use.status_code, in_use.json()["code"]) == (409, "SLOT_IN_USE")
    foreign = await admin.delete(f"{path}/replication-slot", params={"name": "somebody_else"})
    assert foreign.status_code == 404
    dropped = (await admin.delete(f"{path}/replication-slot")).json()
    assert dropped["dropped"] == [orphan]
    assert [slot["name"] for slot in dropped["slots"]] == [kept]
    left = at_source("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()")
    assert {name for (name,) in left} == {kept, *others}


async def test_refresh_keeps_who_answered(admin: httpx.AsyncClient, path: str, at_source: Sql) -> None:
    assert (await admin.get(path)).json()["system_identifier"] is None
    refreshed = (await admin.post(f"{path}/refresh")).json()
    assert refreshed["system_identifier"] == at_source("SELECT system_identifier::text FROM pg_control_system()")[0][0]
    assert (await admin.get(path)).json() == {**refreshed, "pending_cleanup": []}


async def test_preflight_of_a_source_names_what_is_missing(admin: httpx.AsyncClient, path: str, at_source: Sql) -> None:
    missing = (await admin.get(f"{path}/preflight")).json()
    assert missing["ready"] is False
    finding = next(finding for finding in missing["findings"] if finding["code"] == "PUBLICATION_MISSING")
    assert finding["severity"] == "error"
    assert finding["sql"]
    at_source("CREATE PUBLICATION shop_pub FOR TABLE logs, sales.orders")
    keyless = (await admin.get(f"{path}/preflight")).json()
    broken = [finding for finding in keyless["findings"] if finding["table"] == "public.logs"]
    assert broken[0]["severity"] in {"error", "warning"}
    at_source(broken[0]["sql"])
    mended = (await admin.get(f"{path}/preflight")).json()
    assert mended["ready"] is True, mended
