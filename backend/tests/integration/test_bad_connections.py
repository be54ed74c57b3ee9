"""Databases that cannot be used: each way is told apart, with its remedy, and nothing is half-done."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest
from tests.api.test_requests import check_error
from tests.clients import API, Sql

from rosetta.local.postgres import PostgresCluster, free_port

CANARY = "canary-password-5d2c"
SOURCE_ROUTES = [
    ("POST", "/test-connection"),
    ("GET", "/preflight"),
    ("GET", "/tables"),
    ("GET", "/schema"),
    ("POST", "/refresh"),
    ("POST", "/publication"),
    ("DELETE", "/publication"),
    ("GET", "/replication-slot"),
    ("POST", "/replication-slot"),
    ("DELETE", "/replication-slot"),
]
DESTINATION_ROUTES = [("POST", "/test-connection"), ("GET", "/preflight"), ("GET", "/schema")]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield server.getsockname()[1]


@pytest.fixture(
    params=["password", "user", "database", "refused", "host", "tls", "silent", "list", "socket", "metadata"]
)
def fault(request: pytest.FixtureRequest, silent_port: int) -> tuple[dict[str, Any], int, str]:
    """What is changed about a good connection, and what the API must say."""
    cases: dict[str, tuple[dict[str, Any], int, str]] = {
        "password": ({"pg_password": CANARY}, 422, "AUTHENTICATION_FAILED"),
        "user": ({"pg_username": "nobody_here"}, 422, "AUTHENTICATION_FAILED"),
        "database": ({"pg_database": "nowhere"}, 422, "DATABASE_NOT_FOUND"),
        "refused": ({"pg_port": free_port()}, 503, "CONNECTION_REFUSED"),
        "host": ({"pg_host": "no-such-host.invalid"}, 422, "HOST_NOT_FOUND"),
        "tls": ({"sslmode": "require"}, 422, "TLS_UNAVAILABLE"),
        "silent": ({"pg_port": silent_port}, 503, "CONNECTION_TIMEOUT"),
        "list": ({"pg_host": "127.0.0.1,127.0.0.2"}, 422, "ADDRESS_NOT_ALLOWED"),
        "socket": ({"pg_host": "/var/run/postgresql"}, 422, "ADDRESS_NOT_ALLOWED"),
        "metadata": ({"pg_host": "169.254.169.254"}, 422, "ADDRESS_NOT_ALLOWED"),
    }
    return cases[request.param]


def check(answer: httpx.Response, status: int, code: str) -> None:
    body = check_error(answer, status)
    assert body["code"] == code
    assert body["remedy"]
    assert CANARY not in answer.text


@pytest.fixture
def quick(settings: Any, fault: tuple[dict[str, Any], int, str]) -> None:
    """Nobody waits long for a server that never answers; one that does has its time."""
    settings.connect_timeout_seconds = 0.5 if fault[2] == "CONNECTION_TIMEOUT" else 20.0


@pytest.mark.usefixtures("quick")
async def test_a_source_that_cannot_be_reached(
    admin: httpx.AsyncClient, sql: Sql, source_body: dict[str, Any], fault: tuple[dict[str, Any], int, str]
) -> None:
    changes, status, code = fault
    body = {**source_body, **changes}
    check(await admin.post(f"{API}/sources/test-connection", json=body), status, code)
    assert sql("SELECT count(*) FROM sources") == [(0,)]
    created = await admin.post(f"{API}/sources", json=body)
    assert created.status_code == 201
    before = sql("SELECT * FROM sources"), sql("SELECT count(*) FROM audit_log")
    for method, route in SOURCE_ROUTES:
        check(await admin.request(method, f"{API}/sources/{created.json()['id']}{route}"), status, code)
    assert (sql("SELECT * FROM sources"), sql("SELECT count(*) FROM audit_log")) == before


@pytest.mark.usefixtures("quick")
async def test_a_destination_that_cannot_be_reached(
    admin: httpx.AsyncClient, destination_body: dict[str, Any], fault: tuple[dict[str, Any], int, str]
) -> None:
    changes, status, code = fault
    body = {**destination_body, "config": {**destination_body["config"], **changes}}
    check(await admin.post(f"{API}/destinations/test-connection", json=body), status, code)
    created = await admin.post(f"{API}/destinations", json=body)
    assert created.status_code == 201
    for method, route in DESTINATION_ROUTES:
        check(await admin.request(method, f"{API}/destinations/{created.json()['id']}{route}"), status, code)


@pytest.fixture(scope="module")
def plain_cluster() -> Iterator[PostgresCluster]:
    """A server as it comes: wal_level=replica, and its only slot taken."""
    folder = Path(tempfile.mkdtemp(prefix="rosetta-test-"))
    folder.chmod(0o755)
    server = PostgresCluster(
        folder / "pg", free_port(), "plain-password", {"wal_level": "replica", "max_replication_slots": "1"}
    )
    server.start()
    connection = server.connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_create_physical_replication_slot('taken')")
        cursor.execute("CREATE TABLE keyless (line text); CREATE TABLE plain (id int PRIMARY KEY)")
    connection.close()
    yield server
    server.stop()
    shutil.rmtree(folder)


async def test_a_server_that_cannot_replicate_is_told_with_its_remedies(
    admin: httpx.AsyncClient, source_body: dict[str, Any], plain_cluster: PostgresCluster
) -> None:
    body = {**source_body, "pg_port": plain_cluster.port, "pg_password": plain_cluster.password}
    created = (await admin.post(f"{API}/sources", json=body)).json()
    report = (await admin.get(f"{API}/sources/{created['id']}/preflight")).json()
    assert report["ready"] is False
    errors = {finding["code"]: finding for finding in report["findings"] if finding["severity"] == "error"}
    assert {"WAL_LEVEL_NOT_LOGICAL", "SLOTS_EXHAUSTED", "PUBLICATION_MISSING"} <= set(errors)
    assert all(finding["remedy"] for finding in errors.values())
    assert "wal_level" in errors["WAL_LEVEL_NOT_LOGICAL"]["sql"]


async def test_the_remedy_of_a_keyless_table_is_exact(
    admin: httpx.AsyncClient, source_body: dict[str, Any], plain_cluster: PostgresCluster
) -> None:
    body = {**source_body, "pg_port": plain_cluster.port, "pg_password": plain_cluster.password}
    created = (await admin.post(f"{API}/sources", json=body)).json()
    path = f"{API}/sources/{created['id']}/publication"
    refused = check_error(await admin.post(path, json={"tables": [{"table_name": "keyless"}]}), 409)
    assert refused["remedy"] == 'ALTER TABLE "public"."keyless" REPLICA IDENTITY FULL;'
    with psycopg2.connect(plain_cluster.dsn()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_publication")
        assert cursor.fetchone() == (0,)
    connection.close()
