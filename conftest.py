"""Fixtures of every lane: real servers, started once a session on free ports."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rosetta.local.postgres import PostgresCluster, free_port

_names = itertools.count(1)


def _folder() -> Path:
    path = Path(tempfile.mkdtemp(prefix="rosetta-test-"))
    path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgresCluster]:
    """One PostgreSQL 18 cluster for the session; tests take databases of it."""
    folder = _folder()
    server = PostgresCluster(folder / "pg", free_port(), "cluster-password")
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def new_database(cluster: PostgresCluster) -> Iterator[Callable[[], str]]:
    """Makes empty databases and drops them, with their slots, after the test."""
    made: list[str] = []

    def make() -> str:
        name = f"t{next(_names)}"
        with cluster.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        connection.close()
        made.append(name)
        return name

    yield make
    connection = cluster.connect()
    with connection.cursor() as cursor:
        for name in made:
            cursor.execute(
                "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = %s AND active",
                (name,),
            )
            cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            cursor.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = %s", (name,)
            )
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    connection.close()
