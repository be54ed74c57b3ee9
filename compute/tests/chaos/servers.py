"""The servers that all cases of a run share: four PostgreSQL clusters and a Valkey, each killable by itself."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from compute.tests.support.valkey import Valkey
from rosetta import migrate
from rosetta.local.ports import free_port
from rosetta.local.postgres import PostgresCluster

_PASSWORD = "chaos-password"
_TEMPLATE = "config_template"
_names = itertools.count(1)


@dataclass
class Servers:
    """`source`, `config`, and the targets `a` and `b`."""

    folder: Path
    clusters: dict[str, PostgresCluster]
    valkey: Valkey

    def __getitem__(self, role: str) -> PostgresCluster:
        return self.clusters[role]

    def mend(self) -> None:
        """Starts whatever a former case left dead."""
        for cluster in self.clusters.values():
            if not cluster.answers():
                cluster.kill()
                cluster.start()
        self.valkey.start()

    def new_database(self, role: str) -> str:
        """An empty database, or for `config` one with the current schema."""
        name = f"chaos{next(_names)}"
        template = _TEMPLATE if role == "config" else "template0"
        with closing(self[role].connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_databases(self, names: Mapping[str, str]) -> None:
        """One database for each role, with its slots. Their servers must run."""
        for role, name in names.items():
            with closing(self[role].connect()) as connection, connection.cursor() as cursor:
                cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
                cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
                cursor.execute(
                    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = %s", (name,)
                )
                cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def servers() -> Iterator[Servers]:
    """Started together, with fsync on, and ended with the block.

    Call it in a thread that lives as long: the servers die with the thread that started them.
    """
    folder = Path(tempfile.mkdtemp(prefix="rosetta-chaos-"))
    folder.chmod(0o755)
    clusters = {
        role: PostgresCluster(folder / role, free_port(), _PASSWORD, _SETTINGS.get(role, {}))
        for role in ("source", "config", "a", "b")
    }
    made = Servers(folder, clusters, Valkey(folder / "valkey"))
    try:
        with ThreadPoolExecutor(len(clusters)) as threads:
            list(threads.map(PostgresCluster.initialise, clusters.values()))
        for cluster in clusters.values():
            cluster.start()
        made.valkey.start()
        _make_template(clusters["config"])
        yield made
    finally:
        made.valkey.kill()
        for cluster in clusters.values():
            cluster.stop()
        shutil.rmtree(folder)


# A dead stream is noticed by the source within 10 s, as a managed PostgreSQL is often set up.
_SETTINGS = {"source": {"wal_sender_timeout": "10s", "max_wal_size": "4GB"}}


def _make_template(cluster: PostgresCluster) -> None:
    with closing(cluster.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {_TEMPLATE} TEMPLATE template0")
    migrate.upgrade(cluster.dsn(_TEMPLATE))
