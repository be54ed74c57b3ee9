"""The built dashboard, served beside the API: for everybody, with a policy that a browser can keep."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from app.core.config import Settings
from app.core.database import DatabaseManager
from app.main import create_app
from pydantic import ValidationError
from tests.clients import API, client_of
from tests.conftest import SECRET_KEY

NAVIGATION = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
INDEX = "<!doctype html><title>Rosetta</title>"
SCRIPT = "console.log('here')" * 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "built" / "assets").mkdir(parents=True)
    (tmp_path / "built" / "index.html").write_text(INDEX)
    (tmp_path / "built" / "theme.js").write_text("1")
    (tmp_path / "built" / "assets" / "index-a1b2.js").write_text(SCRIPT)
    (tmp_path / "beside.txt").write_text("private")
    return tmp_path / "built"


@asynccontextmanager
async def visiting(settings: Settings, **changes: object) -> AsyncIterator[httpx.AsyncClient]:
    served = settings.model_copy(update=changes)
    database = DatabaseManager()
    app = create_app(served, database)
    database.open(served)
    async with client_of(app) as client:
        yield client
    await database.close()


@pytest.fixture
async def visitor(settings: Settings, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who is not signed in."""
    async with visiting(settings, dashboard_folder=folder) as client:
        yield client


async def test_files_are_served_to_everybody_and_kept_as_long_as_they_may(visitor: httpx.AsyncClient) -> None:
    script = await visitor.get("/assets/index-a1b2.js")
    assert (script.status_code, script.text) == (200, SCRIPT)
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert script.headers["content-encoding"] == "gzip"
    assert "javascript" in script.headers["content-type"]
    for path in ("/", "/index.html", "/theme.js"):
        answer = await visitor.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["cache-control"] == "no-cache"
        again = await visitor.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.headers["cache-control"]) == (304, "no-cache")


async def test_an_address_inside_the_dashboard_opens_it(visitor: httpx.AsyncClient) -> None:
    for path in ("/pipelines/7?tab=tables", "/sign-in", "/apis", "/documents"):
        answer = await visitor.get(path, headers=NAVIGATION)
        assert (answer.status_code, answer.text) == (200, INDEX), path
        assert answer.headers["cache-control"] == "no-cache"


async def test_without_authentication_a_page_knows_that_it_may_ask(
    visitor: httpx.AsyncClient, settings: Settings, folder: Path
) -> None:
    assert "set-cookie" not in (await visitor.get("/", headers=NAVIGATION)).headers
    async with visiting(settings, dashboard_folder=folder, auth_enabled=False) as anybody:
        assert "rosetta_signed_in=1" in (await anybody.get("/", headers=NAVIGATION)).headers["set-cookie"]


async def test_what_is_not_there_is_an_error_in_the_one_format(visitor: httpx.AsyncClient) -> None:
    for path in ("/assets/index-old.js", "/%2e%2e/beside.txt", "/..%2fbeside.txt", "/x%00y", "/" + "a" * 5000):
        answer = await visitor.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND"), path
        assert answer.headers["cache-control"] == "no-store"
    assert (await visitor.post("/", json={})).json()["code"] in {"METHOD_NOT_ALLOWED", "NOT_FOUND"}


async def test_the_api_keeps_its_addresses(visitor: httpx.AsyncClient) -> None:
    for path in ("/api", "/api/v1/nowhere", f"{API}/sources", "/metrics", "/docs", "/redoc", "/openapi.json"):
        answer = await visitor.get(path, headers=NAVIGATION)
        assert (answer.status_code, answer.json()["code"]) == (401, "AUTHENTICATION_REQUIRED"), path
    assert (await visitor.get("/health/live", headers=NAVIGATION)).json()["service"] == "backend"


async def test_the_policy_allows_our_scripts_and_nothing_inline_but_styles(visitor: httpx.AsyncClient) -> None:
    headers = (await visitor.get("/", headers=NAVIGATION)).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["style-src"] == "'self' 'unsafe-inline'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_a_folder_without_a_dashboard_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="DASHBOARD_FOLDER"):
        Settings(_env_file=None, database_url="postgresql://x/y", secret_key=SECRET_KEY, dashboard_folder=tmp_path)
