"""Every route under generated requests: with the config database up, slow, and away. None answers what it does not say.

A real server, because the pool belongs to one event loop. The number of requests per route is ROSETTA_FUZZ_EXAMPLES.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import Any

import httpx
import psycopg2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.conftest import SECRET_KEY
from tests.servers import BACKEND, running_backend

from rosetta import migrate
from rosetta.enums import Role
from rosetta.local.access import create_token
from rosetta.local.postgres import PostgresCluster

REPORT = BACKEND.parent / ".reports" / "security.json"
SENDERS = 8
EXAMPLES = int(os.environ.get("ROSETTA_FUZZ_EXAMPLES", "6"))
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# An endless answer, and what ends the very session that asks.
LEFT_OUT = {"/api/v1/events", "/api/v1/auth/logout"}

Case = schemathesis.Case[Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class SlowProxy:
    """Passes bytes on to `port`; each piece of an answer comes `delay_seconds` late."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.delay_seconds = 0.0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            threading.Thread(target=self._pass, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, True), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, late: bool) -> None:
        try:
            while piece := source.recv(65536):
                if late and self.delay_seconds:
                    time.sleep(self.delay_seconds)
                sink.sendall(piece)
        except OSError:
            pass
        finally:
            for side in (source, sink):
                side.close()

    def close(self) -> None:
        self._server.close()


@dataclass
class Backend:
    """A running server and what it answered."""

    url: str
    headers: dict[str, str]
    proxy: SlowProxy
    dsn: Callable[[str], str]
    database: str

    def allow_connections(self, allowed: bool) -> None:
        """Shuts everybody out of the config database, or lets them in again."""
        with closing(psycopg2.connect(self.dsn("postgres"))) as session:
            session.autocommit = True
            with session.cursor() as cursor:
                cursor.execute(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS {str(allowed).lower()}")
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (self.database,)
                )


@pytest.fixture(scope="module")
def backend(cluster: PostgresCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    database = "fuzzed"
    with closing(cluster.connect()) as session, session.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {database} TEMPLATE template0")
    migrate.upgrade(cluster.dsn(database))
    with closing(cluster.connect(database)) as session, session.cursor() as cursor:
        # A generated request may not find, and revoke, the token that all of them use.
        cursor.execute("SELECT setval(pg_get_serial_sequence('tokens', 'id'), 4000000000000000)")
    token = create_token(cluster.dsn(database), "fuzz", Role.ADMIN)
    proxy = SlowProxy(cluster.port)
    url = cluster.dsn(database).replace(f":{cluster.port}/", f":{proxy.port}/")
    environment = {
        "DATABASE_URL": url,
        "SECRET_KEY": SECRET_KEY,
        "LOG_FOLDER": str(tmp_path_factory.mktemp("logs")),
        "CONNECT_TIMEOUT_SECONDS": "1",
        "RATE_LIMIT_PER_MINUTE": "1000000",
        "SIGN_IN_LIMIT_PER_MINUTE": "1000000",
        "CONNECTION_TEST_LIMIT_PER_MINUTE": "1000000",
        # Generated hosts must not make the test wait for the name service of whoever runs it.
        "CONNECT_ALLOWLIST": "127.0.0.0/8",
    }
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with running_backend(environment) as address:
            yield Backend(address, headers, proxy, cluster.dsn, database)
    finally:
        proxy.close()


@pytest.fixture(scope="module")
def cases(backend: Backend) -> list[list[Case]]:
    """Generated requests of every operation; the same ones are sent in each state of the config database."""
    description = httpx.get(f"{backend.url}/openapi.json", headers=backend.headers, trust_env=False, timeout=60).json()
    schema = schemathesis.openapi.from_dict(description)
    schema.config.update(base_url=backend.url)
    found = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), "the description itself is not valid"
        if result.ok().path not in LEFT_OUT:
            found.append(generated(result.ok()))
    return found


def generated(operation: Any) -> list[Case]:
    made: list[Case] = []

    @seed(20261121)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def keep(case: Case) -> None:
        made.append(case)

    keep()
    return made


def exercise(backend: Backend, cases: Iterable[Case]) -> Counter[int]:
    """Sends them, several at a time, and checks each answer against the description; how often each status came."""

    def ask(case: Case) -> int:
        answer = case.call(headers=backend.headers, timeout=60)
        checks = CHECKS if answer.status_code == 503 else [not_a_server_error, *CHECKS]
        case.validate_response(answer, checks=checks)
        return int(answer.status_code)

    with ThreadPoolExecutor(SENDERS) as senders:
        return Counter(senders.map(ask, cases))


def test_every_route_answers_as_described(backend: Backend, cases: list[list[Case]]) -> None:
    statuses = exercise(backend, chain.from_iterable(cases))
    assert len(cases) > 60
    assert statuses[200] > 20
    assert statuses[401] < len(cases), "the token was lost on the way"
    undeclared = sum(count for status, count in statuses.items() if status >= 500 and status != 503)
    REPORT.parent.mkdir(exist_ok=True)
    known = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    REPORT.write_text(json.dumps(known | {"undeclared_5xx": undeclared, "fuzzed_routes": len(cases)}))
    assert undeclared == 0


def test_every_route_answers_when_the_config_database_is_slow(backend: Backend, cases: list[list[Case]]) -> None:
    backend.proxy.delay_seconds = 0.05
    try:
        statuses = exercise(backend, (of_operation[0] for of_operation in cases))
    finally:
        backend.proxy.delay_seconds = 0.0
    assert statuses.total() == len(cases)


def test_every_route_says_so_when_the_config_database_is_away(backend: Backend, cases: list[list[Case]]) -> None:
    backend.allow_connections(False)
    try:
        statuses = exercise(backend, (of_operation[0] for of_operation in cases))
    finally:
        backend.allow_connections(True)
    assert statuses[503] > 60
    assert statuses[500] == 0
