"""People: sessions by cookie, one-time links, users and their roles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from app.api.session_cookies import SESSION_COOKIE, SIGNED_IN_COOKIE
from app.api.v1.endpoints import events
from app.core.config import Settings
from app.core.database import DatabaseManager
from app.main import create_app
from fastapi import FastAPI
from tests.clients import API, Sql, Tokens, client_of, counted

from rosetta.enums import Role
from rosetta.local.access import create_sign_in_link
from rosetta.local.postgres import PostgresCluster
from rosetta.tests.waiting import eventually_async

PASSWORD = "correct horse battery staple"
ORIGIN = {"Origin": "http://localhost"}


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that keeps cookies and says where its page comes from."""
    async with client_of(app) as client:
        client.headers.update(ORIGIN)
        yield client


@pytest.fixture
def link(cluster: PostgresCluster, config_database: str) -> str:
    return create_sign_in_link(cluster.dsn(config_database))


async def add_user(admin: httpx.AsyncClient, email: str = "ada@example.org", **body: Any) -> dict[str, Any]:
    answer = await admin.post(f"{API}/users", json={"email": email, "role": "operator", "password": PASSWORD} | body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def sign_in(browser: httpx.AsyncClient, email: str = "ada@example.org", password: str = PASSWORD) -> int:
    answer = await browser.post(f"{API}/auth/login", json={"email": email, "password": password})
    return answer.status_code


async def test_a_one_time_link_signs_in_once(browser: httpx.AsyncClient, link: str, sql: Sql) -> None:
    answer = await browser.post(f"{API}/auth/first-sign-in", json={"token": link})
    assert answer.status_code == 200
    assert answer.json()["actor"]["role"] == "admin"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert (await browser.get(f"{API}/auth/me")).json()["kind"] == "user"
    again = await browser.post(f"{API}/auth/first-sign-in", json={"token": link})
    assert (again.status_code, again.json()["code"]) == (401, "LINK_NOT_VALID")
    assert sql("SELECT count(*) FROM sign_in_links") == [(0,)]
    stored = sql("SELECT token_hash FROM user_sessions")
    assert len(stored) == 1
    assert browser.cookies[SESSION_COOKIE].encode() not in bytes(stored[0][0])


async def test_of_several_who_use_a_link_at_once_one_signs_in(
    browser: httpx.AsyncClient, link: str, sql: Sql, cluster: PostgresCluster, config_database: str
) -> None:
    other = create_sign_in_link(cluster.dsn(config_database))  # both make the same user, whom there was not before

    async def use(token: str) -> int:
        return (await browser.post(f"{API}/auth/first-sign-in", json={"token": token})).status_code

    answers = await asyncio.gather(use(link), use(link), use(other), use(link), use(other))
    assert sorted(answers) == [200, 200, 401, 401, 401]
    assert sql("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM user_sessions)") == [(1, 2)]


async def test_an_old_link_is_refused(browser: httpx.AsyncClient, link: str, sql: Sql) -> None:
    sql("UPDATE sign_in_links SET expires_at = now() - interval '1 second'")
    answer = await browser.post(f"{API}/auth/first-sign-in", json={"token": link})
    assert answer.json()["code"] == "LINK_NOT_VALID"


async def test_a_password_signs_in_and_logging_out_ends_the_session(
    admin: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    user = await add_user(admin)
    assert "password" not in str(user)
    assert await sign_in(browser, "ADA@example.org") == 200
    token = browser.cookies[SESSION_COOKIE]
    assert (await browser.post(f"{API}/auth/logout")).status_code == 204
    assert SESSION_COOKIE not in browser.cookies
    browser.cookies.set(SESSION_COOKIE, token)
    assert (await browser.get(f"{API}/auth/me")).status_code == 401


async def test_a_page_can_tell_that_somebody_is_signed_in_without_asking(
    admin: httpx.AsyncClient, browser: httpx.AsyncClient, sql: Sql
) -> None:
    await add_user(admin)
    answer = await browser.post(f"{API}/auth/login", json={"email": "ada@example.org", "password": PASSWORD})
    shown = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(SIGNED_IN_COOKIE))
    assert shown.startswith(f"{SIGNED_IN_COOKIE}=1;")
    assert "httponly" not in shown.lower()
    assert "samesite=strict" in shown.lower()
    # it opens nothing by itself
    session = browser.cookies.pop(SESSION_COOKIE)
    assert (await browser.get(f"{API}/auth/me")).status_code == 401
    # and goes with the session, however that ends
    browser.cookies.set(SESSION_COOKIE, session, domain="localhost.local", path="/")
    sql("DELETE FROM user_sessions")
    assert (await browser.get(f"{API}/auth/me")).status_code == 401
    assert SIGNED_IN_COOKIE not in browser.cookies
    assert await sign_in(browser) == 200
    assert SIGNED_IN_COOKIE in browser.cookies
    assert (await browser.post(f"{API}/auth/logout")).status_code == 204
    assert not list(browser.cookies)


async def test_wrong_credentials_look_alike(admin: httpx.AsyncClient, browser: httpx.AsyncClient) -> None:
    await add_user(admin)
    await add_user(admin, "eve@example.org", password=None)
    answers = [
        await browser.post(f"{API}/auth/login", json={"email": email, "password": "not the password"})
        for email in ("ada@example.org", "eve@example.org", "nobody@example.org")
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.json()["message"] for answer in answers}) == 1


async def test_a_session_changes_nothing_from_a_foreign_page(
    admin: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    await add_user(admin)
    assert await sign_in(browser) == 200
    body = {"name": "x"}
    for origin in ("https://evil.example", "null", ""):
        answer = await browser.post(f"{API}/tokens", json=body, headers={"Origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "FOREIGN_ORIGIN"), origin
    del browser.headers["Origin"]
    assert (await browser.post(f"{API}/auth/logout")).status_code == 403
    known = await browser.post(f"{API}/auth/logout", headers={"Origin": "http://localhost:5173"})
    assert known.status_code == 204


async def test_another_site_cannot_sign_a_browser_in(admin: httpx.AsyncClient, browser: httpx.AsyncClient) -> None:
    await add_user(admin)
    browser.headers["Origin"] = "https://evil.example"
    assert await sign_in(browser) == 403


async def test_roles_hold_for_sessions(admin: httpx.AsyncClient, browser: httpx.AsyncClient) -> None:
    await add_user(admin, role="viewer")
    assert await sign_in(browser) == 200
    assert (await browser.get(f"{API}/sources")).status_code == 200
    assert (await browser.get(f"{API}/users")).status_code == 403
    assert (await browser.post(f"{API}/sources", json={})).status_code == 403


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"is_active": False}, {"password": PASSWORD + "!"}])
async def test_a_changed_user_must_sign_in_again(
    admin: httpx.AsyncClient, browser: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    user = await add_user(admin)
    assert await sign_in(browser) == 200
    assert (await admin.put(f"{API}/users/{user['id']}", json=change)).status_code == 200
    assert (await browser.get(f"{API}/auth/me")).status_code == 401


async def test_an_idle_session_ends_and_one_in_use_lasts(
    admin: httpx.AsyncClient, browser: httpx.AsyncClient, sql: Sql
) -> None:
    await add_user(admin)
    await sign_in(browser)
    sql("UPDATE user_sessions SET expires_at = now() + interval '1 hour'")
    extended = await browser.get(f"{API}/auth/me")
    assert extended.status_code == 200
    assert extended.headers["set-cookie"].count("expires=") == 2  # the browser keeps its cookies as long
    assert sql("SELECT expires_at > now() + interval '11 hours' FROM user_sessions") == [(True,)]
    assert "set-cookie" not in (await browser.get(f"{API}/auth/me")).headers
    sql("UPDATE user_sessions SET expires_at = now() - interval '1 second'")
    assert (await browser.get(f"{API}/auth/me")).status_code == 401


async def test_the_own_password_is_changed_with_the_current_one(
    admin: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    await add_user(admin)
    await sign_in(browser)
    new = {"password": "another long password"}
    wrong = await browser.put(f"{API}/auth/password", json=new | {"current_password": "x"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "WRONG_PASSWORD")
    assert (await browser.put(f"{API}/auth/password", json=new | {"current_password": PASSWORD})).status_code == 204
    assert (await browser.get(f"{API}/auth/me")).status_code == 401
    assert await sign_in(browser) == 401
    assert await sign_in(browser, password=new["password"]) == 200
    assert (await admin.put(f"{API}/auth/password", json=new)).json()["code"] == "NO_USER"


async def test_somebody_can_always_administer(admin: httpx.AsyncClient) -> None:
    first = await add_user(admin, role="admin")
    for answer in (
        await admin.put(f"{API}/users/{first['id']}", json={"role": "viewer"}),
        await admin.put(f"{API}/users/{first['id']}", json={"is_active": False}),
        await admin.delete(f"{API}/users/{first['id']}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "LAST_ADMIN")
    second = await add_user(admin, "bob@example.org", role="admin")
    assert (await admin.delete(f"{API}/users/{second['id']}")).status_code == 204
    assert (await admin.get(f"{API}/users")).json()["total"] == 1


async def test_a_deleted_user_is_out_at_once(
    app: FastAPI, admin: httpx.AsyncClient, browser: httpx.AsyncClient, tokens: Tokens, sql: Sql
) -> None:
    user = await add_user(admin)
    assert await sign_in(browser) == 200
    sql("UPDATE tokens SET user_id = %s WHERE role = 'operator'", user["id"])
    async with client_of(app, tokens[Role.OPERATOR]) as program:
        assert (await program.get(f"{API}/auth/me")).status_code == 200
        assert (await admin.delete(f"{API}/users/{user['id']}")).status_code == 204
        assert (await program.get(f"{API}/auth/me")).status_code == 401
    assert (await browser.get(f"{API}/auth/me")).status_code == 401
    assert await sign_in(browser) == 401


@pytest.mark.parametrize("ended", ["UPDATE tokens SET revoked_at = now()", "UPDATE tokens SET role = 'admin'"])
async def test_an_open_stream_ends_when_its_token_is_not_what_it_was(
    app: FastAPI, tokens: Tokens, sql: Sql, monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    monkeypatch.setattr(events, "_IDLE_SECONDS", 0.05)
    with counted(app) as asked:

        async def asked_again() -> bool:
            return sum("FROM tokens" in text for text in asked) > 3

        async with client_of(app, tokens[Role.VIEWER]) as watcher:
            stream = asyncio.ensure_future(watcher.get(f"{API}/events"))
            # It asks again and again, and goes on as long as the answer is the same.
            await eventually_async(asked_again)
            assert not stream.done()
            app.state.events._tell('{"table": "settings"}')
            sql(ended + " WHERE role = 'viewer'")
            answer = await asyncio.wait_for(stream, 15)
    assert answer.text.startswith("retry: 3000")
    assert 'data: {"table": "settings"}' in answer.text
    assert app.state.events._watchers == set()


async def test_a_stream_ends_with_the_session_and_does_not_prolong_it(
    app: FastAPI, admin: httpx.AsyncClient, browser: httpx.AsyncClient, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_IDLE_SECONDS", 0.05)
    await add_user(admin)
    assert await sign_in(browser) == 200
    stream = asyncio.ensure_future(browser.get(f"{API}/events"))

    async def watched() -> bool:
        return bool(app.state.events._watchers)

    await eventually_async(watched)
    sql("UPDATE user_sessions SET expires_at = now() + interval '1 second'")
    assert (await asyncio.wait_for(stream, 15)).status_code == 200
    assert (await browser.get(f"{API}/auth/me")).status_code == 401


async def test_an_invited_user_signs_in_by_link(admin: httpx.AsyncClient, browser: httpx.AsyncClient) -> None:
    user = await add_user(admin, password=None)
    made = await admin.post(f"{API}/users/{user['id']}/sign-in-link")
    assert made.status_code == 201
    answer = await browser.post(f"{API}/auth/first-sign-in", json={"token": made.json()["token"]})
    assert answer.json()["actor"]["name"] == "ada@example.org"


async def test_bad_users_are_refused(admin: httpx.AsyncClient) -> None:
    await add_user(admin)
    double = await admin.post(f"{API}/users", json={"email": "Ada@Example.org"})
    assert (double.status_code, double.json()["code"]) == (409, "DUPLICATE_ENTITY")
    for body in ({"email": "nobody"}, {"email": "a@b", "password": "sh0rt one"}, {"email": "a@b", "role": "king"}):
        answer = await admin.post(f"{API}/users", json=body)
        assert answer.status_code == 422, body
        assert "sh0rt one" not in answer.text


async def test_guessing_is_slowed_down(settings: Settings) -> None:
    narrow = settings.model_copy(update={"sign_in_limit_per_minute": 3})
    database = DatabaseManager()
    app = create_app(narrow, database)
    database.open(narrow)
    async with client_of(app) as client:
        guesses = [await client.post(f"{API}/auth/login", json={"email": "a@b", "password": "x"}) for _ in range(4)]
        tokens = [await client.get(f"{API}/auth/me", headers={"Authorization": f"Bearer {n}"}) for n in range(130)]
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/health/guess")).status_code == 429
    await database.close()
    assert [guess.status_code for guess in guesses] == [401, 401, 401, 429]
    assert guesses[3].json()["code"] == "TOO_MANY_REQUESTS"
    assert int(guesses[3].headers["retry-after"]) > 0
    assert tokens[0].status_code == 401
    assert tokens[-1].status_code == 429
