"""Requests that nobody should send: each a clear error in the one format, never a 500."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.api.test_access import concrete
from tests.clients import API, Sql, Tokens, client_of, endpoints_of

from rosetta.enums import Role

FIELDS = {"error", "code", "message", "remedy", "details", "timestamp"}
TAKES_NO_BODY = frozenset({"/auth/logout", "/notifications/read-all"})
JSON = {"Content-Type": "application/json"}


def check_error(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    assert answer.status_code in statuses, answer.text
    body: dict[str, Any] = answer.json()
    assert set(body) == FIELDS
    assert body["error"].endswith("Error")
    assert body["code"].isupper()
    assert body["message"]
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
    assert "Traceback" not in answer.text
    return body


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"\xff\xfe",
        b'{"name": "\xc3\x28"}',
        b"[" * 100_000,
        b'{"name": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"name": "\\u0000"}',
        b'{"name": "\\ud800"}',
        b'{"na\\u0000me": 1}',
        b'{"name": NaN}',
        b'{"name": 1e400}',
        b'{"pg_port": 99999999999999999999999999}',
        b'{"name": "a", "name": "b", "x": 1}',
    ],
)
async def test_malformed_bodies(app: FastAPI, admin: httpx.AsyncClient, sql: Sql, content: bytes) -> None:
    for endpoint in endpoints_of(app):
        if endpoint.method in {"POST", "PUT"} and endpoint.path.startswith(API):
            answer = await admin.request(endpoint.method, concrete(endpoint.path), content=content, headers=JSON)
            if answer.status_code >= 300:
                check_error(answer, 400, 404, 422)
            else:
                assert endpoint.path.removeprefix(API) in TAKES_NO_BODY | {"/settings"}
    for table in ("sources", "destinations", "pipelines", "presets"):
        assert sql(f"SELECT count(*) FROM {table}") == [(0,)]


@pytest.mark.parametrize("number", ["0", "-1", str(2**63), str(2**200), "1.5", "abc", "%00", "1;--", "null"])
async def test_ids_that_are_none(app: FastAPI, admin: httpx.AsyncClient, number: str) -> None:
    for endpoint in endpoints_of(app):
        if "{" in endpoint.path:
            path = concrete(endpoint.path).replace("4711", number)
            check_error(await admin.request(endpoint.method, path, json={}), 404, 422)


async def test_unknown_ids(app: FastAPI, admin: httpx.AsyncClient) -> None:
    """Every route with an id in its path, with an empty body where one is taken."""
    for endpoint in endpoints_of(app):
        if "{" in endpoint.path:
            body = check_error(await admin.request(endpoint.method, concrete(endpoint.path), json={}), 404, 422)
            assert body["remedy"]


async def test_the_offending_value_is_never_repeated(admin: httpx.AsyncClient) -> None:
    canary = "canary-0f3b"
    bodies: list[Any] = [
        {"name": "s", "pg_password": {"deep": canary}, canary[:3]: canary},
        {"pg_password": canary, "pg_port": canary},
        {"type": "POSTGRESQL", "config": {"pg_password": [canary], "pg_host": canary * 100}},
        {"type": "SNOWFLAKE", "config": {"snowflake_private_key": canary, "snowflake_private_key_path": [canary]}},
        [canary],
        canary,
    ]
    for path in ("sources", "destinations", "sources/test-connection", "destinations/test-connection"):
        for body in bodies:
            answer = await admin.post(f"{API}/{path}", json=body)
            check_error(answer, 422)
            assert canary not in answer.text


async def test_a_body_beyond_the_limit_is_refused(admin: httpx.AsyncClient) -> None:
    huge = json.dumps({"name": "x" * 2_000_000}).encode()
    check_error(await admin.post(f"{API}/sources", content=huge, headers=JSON), 413)

    async def chunks() -> Any:
        for _ in range(40):
            yield b" " * 65_536

    check_error(await admin.post(f"{API}/sources", content=chunks(), headers=JSON), 413)


async def test_routes_and_methods_that_do_not_exist(admin: httpx.AsyncClient) -> None:
    assert check_error(await admin.get(f"{API}/nowhere"), 404)["remedy"]
    assert check_error(await admin.patch(f"{API}/sources"), 405)["remedy"]


async def test_a_mistake_of_ours_is_told_without_its_text(app: FastAPI, tokens: Tokens) -> None:
    from app.api.access import requires

    @app.get("/api/v1/broken")
    @requires(Role.VIEWER)
    async def broken() -> None:
        raise RuntimeError("canary-7d1e")

    async with client_of(app, tokens[Role.VIEWER], raise_app_exceptions=False) as client:
        answer = await client.get("/api/v1/broken")
    body = check_error(answer, 500)
    assert body["details"]["error_id"]
    assert "canary" not in answer.text


async def test_settings(admin: httpx.AsyncClient) -> None:
    path = f"{API}/settings"
    assert (await admin.put(path, json={"alerts.lag_seconds": 30, "a": {"b": [1]}})).json() == {
        "a": {"b": [1]},
        "alerts.lag_seconds": 30,
    }
    assert (await admin.put(path, json={"a": None, "alerts.lag_seconds": 60})).json() == {"alerts.lag_seconds": 60}
    assert (await admin.get(path)).json() == {"alerts.lag_seconds": 60}
    assert (await admin.put(path, json={})).json() == {"alerts.lag_seconds": 60}
    for key, code in (("No Key", "INVALID_KEY"), ("smtp_password", "SECRET_NOT_ALLOWED")):
        assert check_error(await admin.put(path, json={key: "x"}), 422)["code"] == code


async def test_tokens(app: FastAPI, admin: httpx.AsyncClient, sql: Sql) -> None:
    created = await admin.post(f"{API}/tokens", json={"name": "ci", "role": "operator"})
    assert created.status_code == 201
    token = created.json()["token"]
    assert token.startswith("rst_")
    assert token not in str(sql("SELECT t::text FROM tokens t"))
    async with client_of(app, token) as client:
        assert (await client.get(f"{API}/auth/me")).json()["role"] == "operator"
        listed = (await admin.get(f"{API}/tokens", params={"name": "ci"})).json()
        assert listed["total"] == 1
        assert "token_hash" not in listed["items"][0]
        assert token not in json.dumps(listed)
        assert (await admin.delete(f"{API}/tokens/{created.json()['id']}")).status_code == 204
        assert (await client.get(f"{API}/auth/me")).status_code == 401
    past = await admin.post(f"{API}/tokens", json={"name": "x", "expires_at": "2001-01-01T00:00:00Z"})
    assert check_error(past, 422)["code"] == "EXPIRY_IN_THE_PAST"


async def test_the_description_needs_nothing_from_elsewhere(admin: httpx.AsyncClient) -> None:
    described = (await admin.get("/openapi.json")).json()
    assert f"{API}/pipelines/{{pipeline_id}}/start" in described["paths"]
    for path in ("/docs", "/redoc"):
        page = await admin.get(path)
        assert page.status_code == 200
        assert "<script" not in page.text
        assert "http" not in page.text.replace(API, "")
        assert f"{API}/sources" in page.text
