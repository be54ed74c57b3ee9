"""Who may call what. The table of roles is generated from the application, so no route can be forgotten."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import httpx
import pytest
from app.api.access import PUBLIC_PATHS
from app.api.session_cookies import SESSION_COOKIE
from app.core.config import Settings
from app.core.database import DatabaseManager
from app.main import create_app
from fastapi import FastAPI
from tests.clients import Endpoint, Sql, Tokens, client_of, endpoints_of

from rosetta.app_env import AppEnv
from rosetta.enums import Role
from rosetta.tokens import hash_token, token_prefix

ADMIN_ONLY = ("/api/v1/tokens", "/api/v1/settings", "/api/v1/users", "/api/v1/audit-log")
OWN = ("/api/v1/auth/logout", "/api/v1/auth/password")  # everybody may, for themselves
RANK = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}
REPORT = Path(__file__).parents[3] / ".reports" / "security.json"


def expected_role(endpoint: Endpoint) -> Role | None:
    if endpoint.path in PUBLIC_PATHS:
        return None
    if endpoint.path.startswith(ADMIN_ONLY):
        return Role.ADMIN
    if endpoint.path in OWN:
        return Role.VIEWER
    return Role.VIEWER if endpoint.method == "GET" else Role.OPERATOR


def concrete(path: str) -> str:
    path = re.sub(r"\{\w+_id\}", "4711", path)
    assert "{" not in path, path
    return path


def test_every_route_declares_its_role(app: FastAPI) -> None:
    endpoints = endpoints_of(app)
    missing = [str(endpoint) for endpoint in endpoints if "required_role" not in vars(endpoint.call)]
    REPORT.parent.mkdir(exist_ok=True)
    known = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    REPORT.write_text(json.dumps(known | {"routes": len(endpoints), "routes_without_role": len(missing)}))
    assert missing == []
    assert len(endpoints) > 50


def test_the_roles_are_the_intended_ones(app: FastAPI) -> None:
    table = {str(endpoint): vars(endpoint.call)["required_role"] for endpoint in endpoints_of(app)}
    assert table == {str(endpoint): expected_role(endpoint) for endpoint in endpoints_of(app)}


async def test_only_health_and_sign_in_answer_without_a_token(app: FastAPI, anonymous: httpx.AsyncClient) -> None:
    for endpoint in endpoints_of(app):
        answer = await anonymous.request(endpoint.method, concrete(endpoint.path), content=b"{malformed")
        if endpoint.path in PUBLIC_PATHS:
            # a body that cannot be read is all that is wrong
            assert answer.status_code == (200 if endpoint.method == "GET" else 422), endpoint
        else:
            assert answer.status_code == 401, endpoint
            assert answer.json()["code"] == "AUTHENTICATION_REQUIRED"
            assert answer.headers["www-authenticate"] == "Bearer"
    assert (await anonymous.get("/nowhere")).status_code == 401


async def test_a_lower_role_is_refused_everywhere(app: FastAPI, tokens: Tokens) -> None:
    refused = 0
    for role in (Role.VIEWER, Role.OPERATOR):
        async with client_of(app, tokens[role]) as client:
            for endpoint in endpoints_of(app):
                required = expected_role(endpoint)
                if required is None or RANK[role] >= RANK[required]:
                    continue
                answer = await client.request(endpoint.method, concrete(endpoint.path), json={})
                assert answer.status_code == 403, endpoint
                assert answer.json()["code"] == "PERMISSION_DENIED"
                refused += 1
    assert refused > 30


async def test_what_is_kept_of_a_token_is_none(app: FastAPI, tokens: Tokens) -> None:
    """Whoever reads the table of tokens can do nothing with what stands there."""
    token = tokens[Role.ADMIN]
    kept = hash_token(token)
    for forged in (kept.hex(), base64.urlsafe_b64encode(kept).decode(), token_prefix(token), token[:-1], token + "="):
        for text in (forged, f"rst_{forged}"):
            for headers in ({"Authorization": f"Bearer {text}"}, {"Cookie": f"{SESSION_COOKIE}={text}"}):
                async with client_of(app) as client:
                    assert (await client.get("/api/v1/auth/me", headers=headers)).status_code == 401, headers
    # and a token is no session, nor the other way round
    async with client_of(app) as client:
        cookie = {"Cookie": f"{SESSION_COOKIE}={token}"}
        assert (await client.get("/api/v1/auth/me", headers=cookie)).status_code == 401


@pytest.mark.parametrize("header", [b"", b"Basic abc", b"Bearer", b"Bearer ", b"Bearer rst_wrong", b"Bearer \xff\xfe"])
async def test_a_bad_token_is_refused(app: FastAPI, config_database: str, header: bytes) -> None:
    async with client_of(app) as client:
        answer = await client.get("/api/v1/auth/me", headers={b"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["remedy"]


async def test_revoked_and_expired_tokens_and_those_of_inactive_users_are_refused(
    app: FastAPI, tokens: Tokens, sql: Sql
) -> None:
    sql("UPDATE tokens SET revoked_at = now() WHERE role = 'viewer'")
    sql("UPDATE tokens SET expires_at = now() - interval '1 second' WHERE role = 'operator'")
    sql("INSERT INTO users (email, role, is_active) VALUES ('gone@example.org', 'admin', false)")
    sql("UPDATE tokens SET user_id = (SELECT id FROM users) WHERE role = 'admin'")
    for token in tokens.values():
        async with client_of(app, token) as client:
            assert (await client.get("/api/v1/auth/me")).status_code == 401


async def test_the_token_says_who_asks_and_its_use_is_noted(admin: httpx.AsyncClient, sql: Sql) -> None:
    answer = await admin.get("/api/v1/auth/me")
    token_id = sql("SELECT id FROM tokens WHERE role = 'admin'")[0][0]
    assert answer.json() == {"kind": "token", "id": token_id, "name": "admin", "role": "admin"}
    assert sql("SELECT last_used_at IS NOT NULL FROM tokens WHERE role = 'admin'") == [(True,)]


async def test_without_authentication_only_this_machine_is_answered(settings: Settings) -> None:
    open_settings = settings.model_copy(update={"auth_enabled": False, "app_env": AppEnv.DEVELOPMENT})
    database = DatabaseManager()
    app = create_app(open_settings, database)
    database.open(open_settings)
    async with client_of(app) as client:
        me = await client.get("/api/v1/auth/me")
        assert me.json()["role"] == "admin"
        # a page on the web that lets its own name point to this machine
        rebound = await client.get("/api/v1/auth/me", headers={"Host": "evil.example"})
        assert rebound.json()["code"] == "LOOPBACK_ONLY"
    async with client_of(app, client=("192.0.2.7", 4000)) as client:
        far = await client.get("/api/v1/auth/me")
        assert far.status_code == 403
    await database.close()


async def test_a_route_that_declares_no_role_answers_nobody(app: FastAPI, tokens: Tokens) -> None:
    @app.get("/api/v1/forgotten")
    async def forgotten() -> str:
        return "secret"

    async with client_of(app, tokens[Role.ADMIN]) as client:
        answer = await client.get("/api/v1/forgotten")
    assert answer.status_code == 403
    assert answer.json()["code"] == "ROLE_NOT_DECLARED"


async def test_cors_answers_the_configured_origin_only(app: FastAPI) -> None:
    async with client_of(app) as client:
        for origin, allowed in (("http://localhost:5173", True), ("https://evil.example", False)):
            answer = await client.options(
                "/api/v1/sources", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
            )
            assert (answer.headers.get("access-control-allow-origin") == origin) is allowed


async def test_every_answer_carries_the_security_headers(
    admin: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    for answer in (
        await admin.get("/api/v1/sources"),
        await admin.get("/docs"),
        await admin.get("/api/v1/nowhere"),
        await anonymous.get("/health"),
        await anonymous.get("/api/v1/sources"),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe-inline" not in answer.headers["content-security-policy"]
