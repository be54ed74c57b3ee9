"""One large transaction: from its COMMIT at the source until it is visible at the target.

`python -m compute.bench.large [ROWS] [ROUNDS]`: read whole at its commit (protocol version 1), and while it is in
progress (version 2), each compiled and in Python. What can be read before the commit has time to be.
"""

from __future__ import annotations

import multiprocessing
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg2.extensions

from compute.bench.contenders import SPECS, _schemas, _Watcher
from compute.bench.stage import wait_until
from compute.bench.workload import _VALUES, PUBLICATION, SCHEMA
from compute.core.fan_out import FanOut
from compute.core.lane import Lane, LanePlan
from compute.core.resumption import Resumption
from compute.core.work import PrepareWork
from compute.destinations.base import TableTarget
from compute.destinations.postgres import PostgresDestination
from compute.engine.base import EngineSource
from compute.engine.pgoutput.engine import PgoutputEngine
from rosetta.local.ports import free_port
from rosetta.local.postgres import PostgresCluster
from rosetta.lsn import Lsn, StreamPosition
from rosetta.postgres import PostgresEndpoint

_SETTINGS: Final = {"shared_buffers": "256MB", "max_wal_size": "8GB", "checkpoint_timeout": "30min"}
_QUIET_SECONDS: Final = 6.0
_ROWS_AT_ONCE: Final = 50_000
# Name, compiled, in progress.
WAYS: Final = (
    ("whole, compiled", True, False),
    ("in progress, compiled", True, True),
    ("whole, Python", False, False),
    ("in progress, Python", False, True),
)


def _nothing_else() -> None:
    """What is waited for comes, or the wait ends in time."""


def main(rows: int = 500_000, rounds: int = 2) -> None:
    with _servers() as (source, target), closing(source.connect()) as session, session.cursor() as cursor:
        cursor.execute(f"{SCHEMA}; CREATE PUBLICATION {PUBLICATION} FOR ALL TABLES")
        for number in range(rounds):
            for place, (name, accelerated, in_progress) in enumerate(WAYS):
                database = f"large_{number}_{place}"
                with closing(target.connect()) as admin, admin.cursor() as made:
                    made.execute(f"CREATE DATABASE {database}")
                with _pipeline(cursor, source, target, database, accelerated, in_progress):
                    seconds = _measure(cursor, target, database, rows)
                print(f"round {number + 1}, {name}: {rows} rows visible {seconds:.2f} s after COMMIT", flush=True)


def _measure(cursor: psycopg2.extensions.cursor, target: PostgresCluster, database: str, rows: int) -> float:
    cursor.execute("TRUNCATE bench, bench_marker")
    cursor.execute("BEGIN")
    for first in range(1, rows + 1, _ROWS_AT_ONCE):
        last = min(rows, first + _ROWS_AT_ONCE - 1)
        cursor.execute(f"INSERT INTO bench SELECT i, {_VALUES} FROM generate_series({first}, {last}) i")
    cursor.execute("INSERT INTO bench_marker VALUES (1)")  # of the last batch, whatever that is cut into
    time.sleep(_QUIET_SECONDS)
    with closing(target.connect(database)) as session, session.cursor() as there:

        def count(table: str) -> int:
            there.execute(f"SELECT count(*) FROM {table}")
            return int(there.fetchall()[0][0])

        began = time.monotonic()
        cursor.execute("COMMIT")
        ended = wait_until("the transaction is visible", lambda: count("bench_marker") == 1, _nothing_else)
        if count("bench") != rows:
            raise AssertionError(f"{count('bench')} of {rows} rows came")
    return ended - began


@contextmanager
def _pipeline(
    cursor: psycopg2.extensions.cursor,
    source: PostgresCluster,
    target: PostgresCluster,
    database: str,
    accelerated: bool,
    in_progress: bool,
) -> Iterator[None]:
    """Streams into `database` until the block ends."""
    cursor.execute("SELECT lsn::text FROM pg_create_logical_replication_slot(%s, 'pgoutput')", (database,))
    start = StreamPosition(Lsn.parse(cursor.fetchall()[0][0]))
    engine_source = EngineSource(_endpoint(source, "postgres"), PUBLICATION, database)
    arguments = (engine_source, start, _endpoint(target, database), accelerated, in_progress)
    process = multiprocessing.get_context("spawn").Process(target=_replicate, args=arguments, daemon=True)
    process.start()
    query = "SELECT active FROM pg_replication_slots WHERE slot_name = %s"

    def active() -> bool:
        cursor.execute(query, (database,))
        return bool(cursor.fetchall()[0][0])

    try:
        wait_until("the slot is read", active, _nothing_else)
        yield
    finally:
        process.kill()
        process.join()
        cursor.execute("SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE active")
        wait_until("the slot is free", lambda: not active(), _nothing_else)
        cursor.execute("SELECT pg_drop_replication_slot(%s)", (database,))


def _replicate(
    source: EngineSource, start: StreamPosition, target: PostgresEndpoint, accelerated: bool, in_progress: bool
) -> None:
    """The shipped path: engine, fan-out, writer, destination."""
    engine = PgoutputEngine(source, accelerated=accelerated, in_progress=in_progress)
    watcher = _Watcher()
    fan_out = FanOut(engine, lambda _: (), lambda: None)
    watcher.fan_out = fan_out
    resumption = Resumption(Lsn(0), established=False, reported=None)
    plan = LanePlan(1, lambda: PostgresDestination(target, 1, 1), 1, resumption, fan_out.lane_bytes)
    lane = fan_out.add(1, lambda covered: Lane(plan, watcher, fan_out, covered))
    prepared = threading.Semaphore(0)
    for number, schema in enumerate(_schemas(source)):
        lane.put(PrepareWork(TableTarget(number, schema, schema.table), lambda _: prepared.release()))
        prepared.acquire()
    engine.start(start, SPECS)
    while True:
        batch = engine.take(0.2)
        if batch is not None:
            fan_out.route(batch)


@contextmanager
def _servers() -> Iterator[tuple[PostgresCluster, PostgresCluster]]:
    folder = Path(tempfile.mkdtemp(prefix="rosetta-bench-"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        servers = []
        for name in ("source", "target"):
            server = PostgresCluster(folder / name, free_port(), "bench-password", _SETTINGS)
            server.start()
            stack.callback(server.stop)
            servers.append(server)
        yield servers[0], servers[1]


def _endpoint(cluster: PostgresCluster, database: str) -> PostgresEndpoint:
    return PostgresEndpoint("127.0.0.1", cluster.port, database, cluster.superuser, cluster.password, "disable")


if __name__ == "__main__":
    _arguments: list[Any] = [int(argument) for argument in sys.argv[1:]]
    main(*_arguments)
