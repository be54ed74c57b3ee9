"""One request, one transaction, committed before the response."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any

import httpx
import psycopg2
import pytest
from app.core.config import Settings
from app.core.database import DatabaseManager
from app.core.exceptions import ConfigDatabaseError
from app.main import create_app
from fastapi import FastAPI
from tests.api.test_requests import check_error
from tests.clients import API, Sql, Tokens, client_of

from rosetta.enums import Role
from rosetta.local.postgres import PostgresCluster, free_port


async def test_what_is_answered_is_there_for_everybody(
    app: FastAPI, tokens: Tokens, sql: Sql, source_body: dict[str, Any]
) -> None:
    """Another session looks at the very moment in which the response begins."""
    seen: list[int] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            seen.append(sql("SELECT count(*) FROM sources")[0][0])

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": json.dumps(source_body).encode(), "more_body": False}

    headers = {"host": "localhost", "content-type": "application/json", "authorization": f"Bearer {tokens[Role.ADMIN]}"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"{API}/sources",
        "raw_path": f"{API}/sources".encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
        "http_version": "1.1",
        "root_path": "",
    }
    await app(scope, receive, send)
    assert seen == [1]


async def test_a_commit_that_fails_is_answered_as_failed(
    admin: httpx.AsyncClient, sql: Sql, source_body: dict[str, Any]
) -> None:
    """The database refuses only at the commit: the client must not hear of a success."""
    sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN RAISE SQLSTATE '57P01' USING MESSAGE = 'too late'; END $$"
    )
    sql(
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON sources DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    try:
        answer = await admin.post(f"{API}/sources", json=source_body)
    finally:
        sql("DROP TRIGGER refuse ON sources; DROP FUNCTION refuse()")
    assert check_error(answer, 503)["code"] == "CONFIG_DATABASE_DOWN"
    assert sql("SELECT count(*) FROM sources") == [(0,)]
    assert sql("SELECT count(*) FROM audit_log") == [(0,)]


async def test_no_connection_is_held_while_somebody_elses_server_is_waited_for(
    app: FastAPI, admin: httpx.AsyncClient, source_body: dict[str, Any]
) -> None:
    created = (await admin.post(f"{API}/sources", json=source_body)).json()
    lent: list[int] = []
    sessions = app.state.sessions
    original = sessions.server

    async def server(endpoint: Any) -> Any:
        lent.append(app.state.database.get_pool_status()["checked_out"])
        return await original(endpoint)

    sessions.server = server
    assert (await admin.post(f"{API}/sources/{created['id']}/test-connection")).status_code == 200
    assert lent == [0]


async def test_a_config_database_that_is_down_is_told_as_503(
    cluster: PostgresCluster, settings: Settings, tokens: Tokens
) -> None:
    down = settings.model_copy(
        update={"database_url": type(settings.database_url)(cluster.dsn().replace(str(cluster.port), str(free_port())))}
    )
    database = DatabaseManager()
    app = create_app(down, database)
    database.open(down)
    async with client_of(app, tokens[Role.ADMIN]) as client:
        for path in ("/health", f"{API}/sources", f"{API}/auth/me", "/docs"):
            answer = await client.get(path)
            assert check_error(answer, 503)["code"] == "CONFIG_DATABASE_DOWN"
            assert answer.headers["retry-after"]
        assert (await client.get("/health/live")).status_code == 200
    await database.close()


async def test_sessions_that_the_server_ended_are_replaced(admin: httpx.AsyncClient, sql: Sql) -> None:
    assert (await admin.get(f"{API}/sources")).status_code == 200
    sql("SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE application_name = 'rosetta-backend'")
    assert (await admin.get(f"{API}/sources")).status_code == 200


async def test_a_row_that_somebody_locked_is_told_as_busy(
    settings: Settings, tokens: Tokens, source_body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.core.database.STATEMENT_TIMEOUT_SECONDS", 2.0)
    database = DatabaseManager()
    app = create_app(settings, database)
    database.open(settings)
    locker = psycopg2.connect(settings.database_url.get_secret_value())
    async with client_of(app, tokens[Role.ADMIN]) as client:
        created = (await client.post(f"{API}/sources", json=source_body)).json()
        with locker.cursor() as cursor:
            cursor.execute("SELECT FROM sources FOR UPDATE")
        path = f"{API}/sources/{created['id']}"
        assert check_error(await client.put(path, json={"name": "x"}), 503)["code"] == "CONFIG_DATABASE_BUSY"
        locker.rollback()
        assert (await client.put(path, json={"name": "x"})).status_code == 200
    locker.close()
    await database.close()


async def test_the_pool_tells_what_its_connections_do(settings: Settings) -> None:
    database = DatabaseManager()
    assert database.get_pool_status() == {"size": 0, "checked_out": 0, "checked_in": 0, "overflow": 0}
    with pytest.raises(RuntimeError):
        await database.ping()
    database.open(settings)
    async with database.transaction() as session:
        await session.connection()
        assert database.get_pool_status()["checked_out"] == 1
    await database.ping()
    assert database.get_pool_status() == {"size": 3, "checked_out": 0, "checked_in": 1, "overflow": 0}
    await database.close()
    await database.close()


async def test_a_pool_without_a_free_connection_is_told_in_time(settings: Settings) -> None:
    tight = settings.model_copy(update={"db_pool_size": 1, "db_max_overflow": 0, "db_pool_timeout": 0.2})
    database = DatabaseManager()
    database.open(tight)
    async with database.transaction() as session:
        await session.connection()
        with pytest.raises(ConfigDatabaseError):
            await database.ping()
    await database.close()
