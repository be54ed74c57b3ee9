"""The servers of a run: a source with one slot per contender, and a target with one database per contender."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import psycopg2.extensions

from compute.bench.workload import CHECKSUM, FULL_CHANGES, PUBLICATION, SCHEMA, Workload
from compute.engine.base import EngineSource
from rosetta.local.ports import free_port
from rosetta.local.postgres import PostgresCluster
from rosetta.lsn import Lsn, StreamPosition
from rosetta.postgres import PostgresEndpoint

Still = Callable[[], None]
FAN_OUT: Final = "four_targets"
FAN_OUT_TARGETS: Final = 4


def _always() -> None:
    """The server itself is waited for, whose end shows in the next question."""


_SETTINGS = {
    "shared_buffers": "256MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "wal_retrieve_retry_interval": "10ms",  # else native replication starts up to 5 s late
    "logical_decoding_work_mem": "256MB",
    "min_wal_size": "2GB",  # see `Stage.settle`
}
_SEGMENTS: Final = 48  # of a full workload; what a drain writes stays below that


def _endpoint(cluster: PostgresCluster, database: str) -> PostgresEndpoint:
    return PostgresEndpoint("127.0.0.1", cluster.port, database, cluster.superuser, cluster.password, "disable")


_DEBIAN: Final = "/usr/lib/postgresql/{version}/bin"


@dataclass(frozen=True)
class Stage:
    source: PostgresCluster
    target: PostgresCluster
    slots: Mapping[str, StreamPosition]
    session: psycopg2.extensions.connection  # of the source

    @property
    def version(self) -> str:
        """Of both servers, as they tell it."""
        return str(self.ask("SELECT current_setting('server_version')")[0][0]).split()[0]

    @property
    def servers(self) -> Mapping[str, PostgresCluster]:
        return {"source": self.source, "target": self.target}

    def databases(self, contender: str) -> list[str]:
        """The target's databases that it fills."""
        return _databases(contender)

    def engine_source(self, contender: str) -> EngineSource:
        return EngineSource(_endpoint(self.source, "postgres"), PUBLICATION, contender)

    def target_endpoint(self, contender: str) -> PostgresEndpoint:
        return _endpoint(self.target, contender)

    def settle(self) -> None:
        """Brings the target to where a server in use is: it writes into WAL files that are there, into clean buffers.

        A new server makes each file as it comes to it: who commits durably waits for that, who does not lets
        another process do it.
        """
        with closing(self.target.connect()) as session, session.cursor() as cursor:
            cursor.execute("CHECKPOINT")

    def ask(self, text: str, *parameters: Any) -> Any:
        with self.session.cursor() as cursor:
            cursor.execute(text, parameters or None)
            return cursor.fetchall()

    def wait_for_slot(self, contender: str, still: Still = _always) -> float:
        """The moment at which the slot became active. `still` raises when there is nothing to wait for."""
        query = "SELECT active FROM pg_replication_slots WHERE slot_name = %s"
        return wait_until(f"slot {contender} is active", lambda: bool(self.ask(query, contender)[0][0]), still)

    def wait_for_marker(self, contender: str, still: Still = _always) -> float:
        """The moment at which the workload's last row was committed at the target."""
        connection = self.target.connect(contender)
        with connection.cursor() as cursor:

            def arrived() -> bool:
                cursor.execute("SELECT count(*) FROM bench_marker")
                return bool(cursor.fetchall()[0][0])

            moment = wait_until(f"{contender} drained its slot", arrived, still)
        connection.close()
        return moment

    def require_same(self, contender: str) -> None:
        """Raises unless the target's rows are the source's."""
        connection = self.target.connect(contender)
        with connection.cursor() as cursor:
            cursor.execute(CHECKSUM)
            if cursor.fetchall() != self.ask(CHECKSUM):
                raise RuntimeError(f"{contender}: the target differs from the source, so its rate means nothing")
        connection.close()


def wait_until(what: str, true: Callable[[], bool], still: Still, seconds: float = 600.0) -> float:
    deadline = time.monotonic() + seconds
    while not true():
        still()
        if time.monotonic() > deadline:
            raise TimeoutError(f"not in {seconds:.0f} s: {what}")
        time.sleep(0.01)
    return time.monotonic()


@contextmanager
def stage(workload: Workload, contenders: list[str], version: int | None = None) -> Iterator[Stage]:
    """Two servers with the backlog of `workload` waiting in a slot per contender.

    `version`: of both, the embedded server's or that of one of Debian's packages; None: what every command starts.
    """
    folder = Path(tempfile.mkdtemp(prefix="rosetta-bench-"))
    folder.chmod(0o755)
    clusters = [_cluster(folder / name, version) for name in ("s", "t")]
    try:
        for cluster in clusters:
            cluster.start()
        source, target = clusters
        for contender in contenders:
            for database in _databases(contender):
                _database(target, database)
        session = source.connect()
        with session.cursor() as cursor:
            cursor.execute(f"{SCHEMA}; CREATE PUBLICATION {PUBLICATION} FOR TABLE bench, bench_marker")
            slots = {}
            for contender in contenders:
                cursor.execute("SELECT lsn::text FROM pg_create_logical_replication_slot(%s, 'pgoutput')", (contender,))
                slots[contender] = StreamPosition(Lsn.parse(cursor.fetchall()[0][0]))
        workload.run(session)
        _make_segments(target, 2 + round(_SEGMENTS * workload.changes / FULL_CHANGES))
        yield Stage(source, target, slots, session)
        session.close()
    finally:
        for cluster in clusters:
            cluster.stop()
        shutil.rmtree(folder)


def _make_segments(cluster: PostgresCluster, count: int) -> None:
    with closing(cluster.connect()) as session, session.cursor() as cursor:
        for _ in range(count):
            cursor.execute("SELECT pg_logical_emit_message(false, 'bench', ''); SELECT pg_switch_wal()")


def _cluster(data: Path, version: int | None) -> PostgresCluster:
    usual = PostgresCluster(data, free_port(), "bench-password", _SETTINGS)
    if version is None or version == usual.major_version():
        return usual
    return replace(usual, binaries=Path(_DEBIAN.format(version=version)))


def _databases(contender: str) -> list[str]:
    if contender != FAN_OUT:
        return [contender]
    return [f"{contender}_{number}" for number in range(1, FAN_OUT_TARGETS + 1)]


def _database(target: PostgresCluster, name: str) -> None:
    session = target.connect()
    with session.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    session.close()
    session = target.connect(name)
    with session.cursor() as cursor:
        cursor.execute(SCHEMA)
    session.close()
