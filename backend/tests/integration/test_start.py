"""The three ways to start: each migrates an empty config database, serves, and stops cleanly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from app.core.config import Settings
from app.core.database import DatabaseManager
from app.main import create_app
from asgi_lifespan import LifespanManager
from tests.conftest import SECRET_KEY
from tests.servers import MODULE, running_backend

from rosetta.local.postgres import PostgresCluster

CANARY = "canary-query-03fe"


async def test_the_lifespan_migrates_and_closes(
    cluster: PostgresCluster, new_database: Callable[[], str], settings: Settings
) -> None:
    fresh = settings.model_copy(update={"database_url": type(settings.database_url)(cluster.dsn(new_database()))})
    database = DatabaseManager()
    app = create_app(fresh, database)
    async with LifespanManager(app):
        await database.ping()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as client:
            assert (await client.get("/health")).json()["status"] == "ok"
    assert database.get_pool_status()["size"] == 0


def guesses(url: str, *addresses: str) -> list[int]:
    """How a password that is wrong is answered to whom a proxy names."""
    body = {"email": "ada@example.org", "password": "a guess"}
    return [
        httpx.post(
            f"{url}/api/v1/auth/login", json=body, headers={"X-Forwarded-For": address}, trust_env=False
        ).status_code
        for address in addresses
    ]


@pytest.mark.parametrize("server", ["module", "uvicorn", "gunicorn"])
def test_a_server_starts_serves_and_stops(
    cluster: PostgresCluster, new_database: Callable[[], str], tmp_path: Path, server: str
) -> None:
    commands = {
        "module": MODULE,
        "uvicorn": ("-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", "{port}"),
        "gunicorn": ("-m", "gunicorn", "app.main:app", "-k", "uvicorn.workers.UvicornWorker", "-b127.0.0.1:{port}"),
    }
    # The second one is not this machine, so that what is said in our name is not believed there.
    proxies = {"module": "127.0.0.0/8", "uvicorn": "192.0.2.1", "gunicorn": "127.0.0.1"}
    environment = {
        "FORWARDED_ALLOW_IPS": proxies[server],
        "SIGN_IN_LIMIT_PER_MINUTE": "1",
        "DATABASE_URL": cluster.dsn(new_database()),
        "SECRET_KEY": SECRET_KEY,
        "LOG_FOLDER": str(tmp_path),
        "PYTHONWARNINGS": "default",
    }
    with running_backend(environment, commands[server]) as url:
        assert httpx.get(f"{url}/api/v1/sources", params={"name": CANARY}, trust_env=False).status_code == 401
        assert guesses(url, "203.0.113.1", "203.0.113.2", "203.0.113.1") == (
            [401, 429, 429] if server == "uvicorn" else [401, 401, 429]
        )
    log = (tmp_path / "app.log").read_text()
    assert '"backend_stopped"' in log
    assert "/api/v1/sources" in log
    assert CANARY not in log  # a query may hold the key of a row
