"""How often one may ask, and where the backend may be made to connect."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import httpx
import psycopg2
import pytest
from app.api.session_cookies import SESSION_COOKIE
from app.core.config import Settings
from app.core.database import DatabaseManager
from app.main import create_app
from pydantic import SecretStr
from tests.clients import API, Sql, Tokens, client_of

from rosetta.app_env import AppEnv
from rosetta.enums import Role
from rosetta.local.postgres import PostgresCluster
from rosetta.tokens import hash_token, new_token

Served = Callable[..., Any]


@pytest.fixture
async def served(settings: Settings, tokens: Tokens) -> AsyncIterator[Served]:
    """A client of an application with other settings."""
    async with AsyncExitStack() as stack:

        async def serve(role: Role = Role.ADMIN, **changed: Any) -> httpx.AsyncClient:
            database, other = DatabaseManager(), settings.model_copy(update=changed)
            app = create_app(other, database)
            database.open(other)
            stack.push_async_callback(database.close)
            return await stack.enter_async_context(client_of(app, tokens[role]))

        yield serve


async def test_one_caller_is_answered_so_often_a_minute(served: Served, tokens: Tokens) -> None:
    client = await served(rate_limit_per_minute=3)
    answers = [await client.get(f"{API}/sources") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].json()["code"] == "TOO_MANY_REQUESTS"
    assert int(answers[-1].headers["retry-after"]) > 0
    other = {"Authorization": f"Bearer {tokens[Role.VIEWER]}"}
    assert (await client.get(f"{API}/sources", headers=other)).status_code == 200
    assert (await client.get("/health")).status_code == 200


async def test_one_credential_is_one_caller_however_it_is_written(served: Served, tokens: Tokens, sql: Sql) -> None:
    client = await served(rate_limit_per_minute=3)
    del client.headers["Authorization"]
    token = tokens[Role.ADMIN]
    spellings = (f"Bearer {token}", f"bearer  {token}", f"BEARER {token}", f"bEARER {token}")
    asked = [{"Authorization": text, "Cookie": f"spice={n}"} for n, text in enumerate(spellings)]
    answers = [await client.get(f"{API}/sources", headers=headers) for headers in asked]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    session = new_token()
    sql("INSERT INTO users (email, role) VALUES ('ada@example.org', 'viewer')")
    sql(
        "INSERT INTO user_sessions (user_id, token_hash, expires_at)"
        " SELECT id, %s, now() + interval '1 day' FROM users",
        psycopg2.Binary(hash_token(session)),
    )
    asked = [{"Cookie": f"a={n}; {SESSION_COOKIE}={session}; b={n}"} for n in range(4)]
    answers = [await client.get(f"{API}/sources", headers=headers) for headers in asked]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]


async def test_the_own_password_is_guessed_as_slowly_as_a_sign_in(served: Served) -> None:
    client = await served(sign_in_limit_per_minute=2)
    body = {"current_password": "a guess", "password": "another long password"}
    answers = [await client.put(f"{API}/auth/password", json=body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [422, 422, 429]


async def test_so_many_may_watch_and_no_more(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.infrastructure.events._MOST_WATCHERS", 0)
    refused = await (await served()).get(f"{API}/events")
    assert (refused.status_code, refused.json()["code"]) == (503, "TOO_MANY_WATCHERS")


async def test_connection_tests_are_bounded_by_themselves(served: Served, source_body: dict[str, Any]) -> None:
    client = await served(connection_test_limit_per_minute=2)
    paths = ("sources/test-connection", "destinations/test-connection", "sources/7/test-connection")
    answers = [await client.post(f"{API}/{path}", json=source_body) for path in paths]
    assert [answer.status_code == 429 for answer in answers] == [False, False, True]
    assert (await client.get(f"{API}/sources")).status_code == 200


async def test_in_production_our_own_servers_are_no_sources(
    served: Served, cluster: PostgresCluster, source_body: dict[str, Any]
) -> None:
    client = await served(app_env=AppEnv.PRODUCTION, redis_url=SecretStr("redis://:secret@localhost:7001/0"))
    for host, port in (("127.0.0.1", cluster.port), ("localhost", cluster.port), ("127.0.0.1", 7001)):
        body = source_body | {"pg_host": host, "pg_port": port}
        answer = await client.post(f"{API}/sources/test-connection", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "ADDRESS_NOT_ALLOWED"), (host, port)
    allowed = await served(app_env=AppEnv.PRODUCTION, connect_allowlist=[f"127.0.0.1/32:{cluster.port}"])
    assert (await allowed.post(f"{API}/sources/test-connection", json=source_body)).status_code == 200
    elsewhere = await allowed.post(f"{API}/sources/test-connection", json=source_body | {"pg_host": "10.0.0.1"})
    assert elsewhere.json()["code"] == "ADDRESS_NOT_ALLOWED"


async def test_a_name_is_looked_up_once_and_what_was_checked_is_connected_to(
    served: Served, source_body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers something else the second time gains nothing."""
    import asyncio

    asked: list[str] = []
    reached: list[str] = []
    real = asyncpg.connect

    async def look_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1" if len(asked) == 1 else "169.254.169.254", port))]

    async def connect(*arguments: Any, **options: Any) -> Any:
        reached.append(options["host"])
        return await real(*arguments, **options)

    client = await served()
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    monkeypatch.setattr("app.infrastructure.postgres.session.asyncpg.connect", connect)
    answer = await client.post(f"{API}/sources/test-connection", json=source_body | {"pg_host": "db.example"})
    assert answer.status_code == 200, answer.text
    assert asked[0] == "db.example"
    assert set(reached) == {"127.0.0.1"}  # the config database is reached there, too
    assert asked.count("db.example") == 1


async def test_a_role_that_may_not_change_things_may_not_make_the_backend_connect(
    served: Served, source_body: dict[str, Any]
) -> None:
    viewer = await served(Role.VIEWER)
    for path in ("sources/test-connection", "destinations/test-connection"):
        assert (await viewer.post(f"{API}/{path}", json=source_body)).status_code == 403
