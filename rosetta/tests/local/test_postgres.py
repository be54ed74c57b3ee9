"""Our own PostgreSQL cluster: how it is made, started and ended."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from rosetta.errors import OutageError
from rosetta.local.ports import free_port
from rosetta.local.postgres import PostgresCluster


@pytest.fixture
def server(cluster_folder: Path) -> Iterator[PostgresCluster]:
    made = PostgresCluster(cluster_folder / "pg", free_port(), "plain-password")
    yield made
    made.stop()


def _value(server: PostgresCluster, query: str) -> object:
    with closing(server.connect()) as session, session.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
        return row[0] if row else None


def test_it_asks_for_the_password_decodes_logically_and_survives_a_crash(server: PostgresCluster) -> None:
    server.start()
    assert _value(server, "SHOW wal_level") == "logical"
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(server.dsn(password="wrong"))
    _run(server, "CREATE TABLE kept (id int)")
    server.kill()
    server.start()
    assert _value(server, "SELECT count(*) FROM kept") == 0
    server.stop()
    server.stop()


def _run(server: PostgresCluster, statement: str) -> None:
    with closing(server.connect()) as session, session.cursor() as cursor:
        cursor.execute(statement)


def test_a_fast_shutdown_does_not_wait_for_clients(server: PostgresCluster) -> None:
    server.start()
    process = server.process
    assert process is not None
    with closing(server.connect()):
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_a_cluster_left_half_made_is_made_again(server: PostgresCluster, cluster_folder: Path) -> None:
    partial = cluster_folder / "pg.partial"
    partial.mkdir()
    (partial / "PG_VERSION").write_text("18\n")
    server.start()
    assert _value(server, "SELECT 1") == 1
    assert not partial.exists()


def test_a_server_that_cannot_start_says_why(server: PostgresCluster) -> None:
    server.settings = {"no_such_setting": "1"}
    with pytest.raises(OutageError, match="no_such_setting"):
        server.start()
    assert server.process is None
