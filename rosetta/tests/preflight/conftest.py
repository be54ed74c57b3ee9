"""A database, a cluster without logical decoding, and a way to ask both for findings."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rosetta.local.ports import free_port
from rosetta.local.postgres import PostgresCluster
from rosetta.postgres import PostgresEndpoint, connect
from rosetta.preflight import Finding, check_source, check_target, source_facts_sql, target_facts_sql


@dataclass
class Server:
    """A database of a cluster, as its superuser sees it."""

    endpoint: PostgresEndpoint

    def run(self, *statements: str) -> None:
        with closing(connect(self.endpoint, application="test", autocommit=True)) as connection:
            for statement in statements:
                connection.cursor().execute(statement)

    def as_user(self, user: str) -> Server:
        there = self.endpoint
        return Server(PostgresEndpoint(there.host, there.port, there.database, user, "user-password"))

    def ask(self, query: str) -> Any:
        with closing(connect(self.endpoint, application="test")) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
        assert row is not None
        return row[0]

    def source_findings(self) -> list[Finding]:
        return check_source(self.ask(source_facts_sql("p", "rosetta_1_")))

    def target_findings(self, schema: str | None) -> list[Finding]:
        return check_target(self.ask(target_facts_sql(schema)))


@pytest.fixture
def server(cluster: PostgresCluster, new_database: Callable[[], str]) -> Server:
    database = new_database()
    return Server(PostgresEndpoint("127.0.0.1", cluster.port, database, cluster.superuser, cluster.password))


@pytest.fixture
def new_user(cluster: PostgresCluster) -> Iterator[Callable[[str], str]]:
    """Makes ordinary users and drops them after the test (databases are dropped by then)."""
    made: list[str] = []

    def make(attributes: str = "") -> str:
        name = f"user_{cluster.port}_{len(made)}"
        with closing(cluster.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'user-password' {attributes}")
        made.append(name)
        return name

    yield make
    with closing(cluster.connect()) as connection, connection.cursor() as cursor:
        for name in made:
            cursor.execute(f"DROP ROLE {name}")


@pytest.fixture(scope="module")
def bare_cluster() -> Iterator[PostgresCluster]:
    """A server as it comes out of the box, with one slot and one WAL sender."""
    folder = Path(tempfile.mkdtemp(prefix="rosetta-test-"))
    folder.chmod(0o755)
    settings = {
        "wal_level": "replica",
        "max_replication_slots": "1",
        "max_wal_senders": "1",
        "max_slot_wal_keep_size": "100MB",
        "default_transaction_read_only": "on",
    }
    server = PostgresCluster(folder / "pg", free_port(), "cluster-password", settings)
    if server.major_version() >= 18:
        settings["idle_replication_slot_timeout"] = "5min"
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)
