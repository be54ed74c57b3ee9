"""The database behind a PostgreSQL destination."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from tests.clients import API, Sql

from rosetta.local.postgres import PostgresCluster


@pytest.fixture
def at_target(
    cluster: PostgresCluster, new_database: Callable[[], str], destination_body: dict[str, Any]
) -> Iterator[Sql]:
    database = new_database()
    destination_body["config"]["pg_database"] = database
    connection = cluster.connect(database)

    def run(statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    yield run
    connection.close()


@pytest.fixture
async def path(admin: httpx.AsyncClient, destination_body: dict[str, Any], at_target: Sql) -> str:
    created = await admin.post(f"{API}/destinations", json=destination_body)
    return f"{API}/destinations/{created.json()['id']}"


async def test_connection_tests(admin: httpx.AsyncClient, path: str, destination_body: dict[str, Any]) -> None:
    flat = {"name": "flat", **destination_body["config"]}
    for answer in (
        await admin.post(f"{API}/destinations/test-connection", json=destination_body),
        await admin.post(f"{API}/destinations/test-connection", json=flat),
        await admin.post(f"{path}/test-connection"),
    ):
        assert answer.status_code == 200, answer.text
        assert answer.json()["database"] == destination_body["config"]["pg_database"]


async def test_schema_shows_tables_of_one_schema_or_of_all(admin: httpx.AsyncClient, path: str, at_target: Sql) -> None:
    at_target('CREATE SCHEMA landing; CREATE TABLE landing.a (id int NOT NULL, "o\'dd" text); CREATE TABLE b ()')
    everything = (await admin.get(f"{path}/schema")).json()["tables"]
    assert [(table["schema_name"], table["table_name"]) for table in everything] == [("landing", "a"), ("public", "b")]
    await admin.put(path, json={"pg_schema": "landing"})
    one = (await admin.get(f"{path}/schema")).json()["tables"]
    assert one == [
        {
            "schema_name": "landing",
            "table_name": "a",
            "key": [],
            "columns": [
                {"name": "id", "type": "integer", "nullable": False},
                {"name": "o'dd", "type": "text", "nullable": True},
            ],
        }
    ]


async def test_a_target_without_rights_is_found_and_mended_by_its_remedy(
    admin: httpx.AsyncClient, path: str, at_target: Sql
) -> None:
    assert (await admin.get(f"{path}/preflight")).json()["ready"] is True
    at_target("DROP ROLE IF EXISTS poor")
    at_target("CREATE ROLE poor LOGIN PASSWORD 'poor-password'")
    at_target("CREATE SCHEMA landing")
    await admin.put(path, json={"pg_username": "poor", "pg_password": "poor-password", "pg_schema": "landing"})
    report = (await admin.get(f"{path}/preflight")).json()
    assert report["ready"] is False
    errors = [finding for finding in report["findings"] if finding["severity"] == "error"]
    assert all(finding["remedy"] and finding["sql"] for finding in errors)
    for finding in errors:
        at_target(finding["sql"])
    assert (await admin.get(f"{path}/preflight")).json()["ready"] is True
    at_target("DROP OWNED BY poor; DROP ROLE poor")
