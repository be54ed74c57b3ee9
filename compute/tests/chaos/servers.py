"""The servers that all cases of a run share: four PostgreSQL clusters and a Valkey, each killable by itself."""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis

from compute.tests.support.waiting import eventually
from rosetta import migrate
from rosetta.local import process
from rosetta.local.ports import free_port
from rosetta.local.postgres import PostgresCluster
from rosetta.local.valkey import ValkeyServer

_PASSWORD = "chaos-password"
_TEMPLATE = "config_template"
_names = itertools.count(1)


class Valkey:
    """A server that can be killed and started again on its data."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._server = ValkeyServer(folder, free_port(), _PASSWORD)
        self._log = folder.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return self._server.port

    def url(self, port: int, number: int) -> str:
        """Of database `number`, through a proxy on `port`."""
        return f"redis://:{_PASSWORD}@127.0.0.1:{port}/{number}"

    def client(self, number: int) -> redis.Redis:
        """A client past any proxy."""
        return redis.Redis(port=self.port, password=_PASSWORD, db=number, socket_timeout=5)

    def start(self) -> None:
        self._process = process.spawn(self._server.command(), log=self._log, death_signal=signal.SIGTERM)
        eventually(self._server.answers, 20, "Valkey answers")

    def kill(self) -> None:
        if self._process is not None:
            process.stop(self._process, signal.SIGKILL, 10)
            self._process = None


@dataclass
class Servers:
    """`source`, `config`, and the targets `a` and `b`."""

    folder: Path
    clusters: dict[str, PostgresCluster]
    valkey: Valkey
    _made: list[tuple[str, str]] = field(default_factory=list)

    def __getitem__(self, role: str) -> PostgresCluster:
        return self.clusters[role]

    def new_database(self, role: str) -> str:
        """An empty database, or for `config` one with the current schema."""
        name = f"chaos{next(_names)}"
        template = _TEMPLATE if role == "config" else "template0"
        with closing(self[role].connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        self._made.append((role, name))
        return name

    def drop_databases(self) -> None:
        """Everything that `new_database` made, with its slots. Every server must run."""
        for role, name in self._made:
            with closing(self[role].connect()) as connection, connection.cursor() as cursor:
                cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
                cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
                cursor.execute(
                    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = %s", (name,)
                )
                cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
        self._made.clear()


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
