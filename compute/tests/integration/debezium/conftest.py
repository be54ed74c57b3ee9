from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg2.extensions
import pytest

from compute.core.batch import ChangeBatch, TableSpec
from compute.engine.base import EnginePhase, EngineSource
from compute.tests.integration.debezium.host import EngineHost, Start
from compute.tests.integration.debezium.replica import Replica
from compute.tests.support.service import SHORT_LIVED_JVM
from rosetta.enums import EngineKind, Profile
from rosetta.identifiers import TableId
from rosetta.local.postgres import PostgresCluster
from rosetta.lsn import Lsn, StreamPosition
from rosetta.postgres import PostgresEndpoint
from rosetta.tests.waiting import eventually

PATIENCE_SECONDS = 60.0
# For what is so of one engine only.
debezium_only = pytest.mark.parametrize("engine", [EngineKind.DEBEZIUM], indirect=True, ids=str)
pgoutput_only = pytest.mark.parametrize("engine", [EngineKind.PGOUTPUT], indirect=True, ids=str)


def spec(name: str, *key: str, fold: bool = True) -> TableSpec:
    return TableSpec(TableId("public", name), key, fold)


def by_table(*specs: TableSpec) -> Mapping[TableId, TableSpec]:
    return {one.table: one for one in specs}


def wait_until(what: str, true: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    eventually(true, seconds, what)


@dataclass
class Stream:
    """One engine in the host, and the replica that its batches keep."""

    host: EngineHost
    number: int
    replica: Replica = field(default_factory=Replica)

    def take(self, seconds: float = 1.0) -> ChangeBatch | None:
        batch: ChangeBatch | None = self.host.call("take", self.number, seconds)
        return batch

    def follow_one(self) -> ChangeBatch:
        """Applies the next batch, for which an engine that only starts has time."""
        batch = self.take(PATIENCE_SECONDS)
        assert batch is not None
        self.replica.apply(batch)
        return batch

    def follow(self, watermark: str, *, acknowledge: bool = True) -> list[ChangeBatch]:
        """Applies batches up to and with the one that ends at `watermark`."""
        taken = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            batch = self.take()
            if batch is None:
                continue
            self.replica.apply(batch)
            taken.append(batch)
            if acknowledge:
                self.host.call("acknowledge", self.number, batch.sequence)
            if watermark in batch.watermarks:
                return taken
        raise AssertionError(f"watermark {watermark} did not come")

    def acknowledge(self, sequence: int) -> None:
        self.host.call("acknowledge", self.number, sequence)

    def set_tables(self, *specs: TableSpec) -> None:
        self.host.call("set_tables", self.number, by_table(*specs))

    def phase(self) -> EnginePhase:
        phase: EnginePhase = self.host.call("state", self.number).phase
        return phase

    def stop(self) -> None:
        self.host.call("stop", self.number)


@dataclass
class Source:
    """A database with a publication of all tables and one slot."""

    cluster: PostgresCluster
    database: str
    connection: psycopg2.extensions.connection
    start: StreamPosition
    slot: str
    host: EngineHost
    engine: EngineKind = EngineKind.DEBEZIUM
    streams: list[Stream] = field(default_factory=list)
    watermarks: int = 0

    def sql(self, text: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(text, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def watermark(self) -> str:
        self.watermarks += 1
        content = f"w{self.watermarks}"
        self.sql("SELECT pg_logical_emit_message(true, 'rosetta', %s)", content)
        return content

    def engine_source(self, slot: str | None = None) -> EngineSource:
        cluster = self.cluster
        endpoint = PostgresEndpoint(
            "127.0.0.1", cluster.port, self.database, cluster.superuser, cluster.password, "disable"
        )
        return EngineSource(endpoint, "everything", slot or self.slot)

    def new_slot(self, name: str) -> StreamPosition:
        rows = self.sql("SELECT lsn::text FROM pg_create_logical_replication_slot(%s, 'pgoutput')", name)
        return StreamPosition(Lsn.parse(rows[0][0]))

    def stream(
        self,
        *specs: TableSpec,
        position: StreamPosition | None = None,
        slot: str | None = None,
        host: EngineHost | None = None,
        profile: Profile = Profile.SMALL,
        memory: Mapping[str, int] | None = None,
        cuts: Sequence[StreamPosition] = (),
        engine: EngineKind | None = None,
        in_progress: bool = False,
    ) -> Stream:
        host = host or self.host
        stream = Stream(host, host.new_number())
        start = Start(
            self.engine_source(slot),
            position or self.start,
            by_table(*specs),
            profile,
            memory or {},
            cuts,
            engine or self.engine,
            in_progress,
        )
        host.call("start", stream.number, start)
        self.streams.append(stream)
        return stream

    def flushed(self, slot: str | None = None) -> Lsn:
        rows = self.sql(
            "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = %s", slot or self.slot
        )
        return Lsn.parse(rows[0][0])

    def active(self) -> bool:
        return bool(self.sql("SELECT active FROM pg_replication_slots WHERE slot_name = %s", self.slot)[0][0])


def new_source(cluster: PostgresCluster, database: str, host: EngineHost) -> Source:
    made = Source(cluster, database, cluster.connect(database), StreamPosition(Lsn(0)), f"slot_{database}", host)
    made.sql("CREATE PUBLICATION everything FOR ALL TABLES")
    made.start = made.new_slot(made.slot)
    return made


@pytest.fixture(scope="session")
def new_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., EngineHost]]:
    hosts: list[EngineHost] = []

    def make(jvm_options: str = "") -> EngineHost:
        hosts.append(EngineHost(str(tmp_path_factory.mktemp("host")), jvm_options))
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


@pytest.fixture(scope="session")
def host(new_host: Callable[..., EngineHost]) -> EngineHost:
    return new_host(SHORT_LIVED_JVM)


@pytest.fixture(params=list(EngineKind), ids=str)
def engine(request: pytest.FixtureRequest) -> EngineKind:
    """Every promise of the contract is one of each engine."""
    kind: EngineKind = request.param
    return kind


@pytest.fixture
def source(
    cluster: PostgresCluster, new_database: Callable[[], str], host: EngineHost, engine: EngineKind
) -> Iterator[Source]:
    made = new_source(cluster, new_database(), host)
    made.engine = engine
    yield made
    for stream in made.streams:
        if stream.host.process.is_alive():
            stream.stop()
    made.connection.close()
