"""A fan-out over a scripted engine and destinations in memory, for tests of lanes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from compute.backfill.flight import Pending
from compute.core import fan_out, parker, writer, writer_state
from compute.core.batch import ChangeBatch, TableChanges, TableSpec
from compute.core.fan_out import FanOut
from compute.core.lane import Lane, LanePlan
from compute.core.resumption import Resumption
from compute.core.work import PrepareWork
from compute.destinations.base import Destination, TableTarget
from compute.destinations.memory import MemoryStore
from compute.dlq.backlog import Backlog
from compute.engine.base import EnginePhase, EngineState
from rosetta.backoff import Backoff
from rosetta.errors import RosettaError
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition
from rosetta.types import Column, TableSchema

TABLE = TableId("public", "t")
SCHEMA = TableSchema(TABLE, (Column("id", "bigint"), Column("v", "text")), ("id",), primary_key=("id",))
TARGET = TableTarget(1, SCHEMA, TABLE)
NEW = Resumption(Lsn(0), established=False, reported=None)


def batch(
    sequence: int, *keys: int, number: int | None = None, watermarks: tuple[str, ...] = (), value: str = "v"
) -> ChangeBatch:
    """Batch number `number` of the stream (as its `sequence`, by default) inserts or replaces the rows `keys`."""
    place = sequence if number is None else number
    lines = [f"c\t{place * 100 + n}\t0\t{place}\t0\t\\N\t\\N\t{key}\t{value}{key}\n" for n, key in enumerate(keys)]
    changes = TableChanges(TABLE, ("id", "v"), ("id",), len(keys), "".join(lines).encode(), True, False, False, False)
    start, end = (StreamPosition(Lsn(one * 100)) for one in (place, place + 1))
    return ChangeBatch(sequence, start, end, tables=(changes,) if keys else (), watermarks=watermarks)


class ScriptedEngine:
    """Keeps what was acknowledged; batches are routed by the test."""

    def __init__(self, capacity_bytes: int = 1_000_000) -> None:
        self.acknowledged: list[int] = []
        self.capacity_bytes = capacity_bytes

    def start(
        self, position: StreamPosition, tables: Mapping[TableId, TableSpec], cuts: Collection[StreamPosition] = ()
    ) -> None: ...
    def take(self, timeout_seconds: float) -> ChangeBatch | None: ...
    def mark(self, content: str, lsn: Lsn) -> None: ...
    def set_tables(self, tables: Mapping[TableId, TableSpec]) -> None: ...
    def stop(self) -> None: ...
    def acknowledge(self, sequence: int) -> None:
        self.acknowledged.append(sequence)

    def state(self) -> EngineState:
        return EngineState(EnginePhase.STREAMING)


class Scene:
    """A fan-out with lanes to memory; `failed` is what was written down about tables, and when."""

    def __init__(self, capacity_bytes: int = 1_000_000) -> None:
        self.engine = ScriptedEngine(capacity_bytes)
        self.fan_out = FanOut(self.engine, self.take_chunks, lambda: None)
        self.failed: list[tuple[int, str, list[int]]] = []
        self.chunks: dict[str, list[Pending]] = {}

    def take_chunks(self, watermark: str) -> list[Pending]:
        return self.chunks.pop(watermark, [])

    def progressed(self) -> None:
        self.fan_out.acknowledge()

    def table_failed(self, sync_id: int, error: RosettaError) -> None:
        self.failed.append((sync_id, error.code, list(self.engine.acknowledged)))

    def table_held(self, sync_id: int, error: RosettaError) -> None: ...
    def table_taken(self, sync_id: int) -> None: ...
    def table_outdated(self, sync_id: int) -> None: ...
    def current_schema(self, table: TableId) -> TableSchema | None:
        return SCHEMA

    def wrote(self, destination_id: int, target: TableTarget, changes: TableChanges, at: float | None) -> None: ...

    def add(
        self,
        number: int,
        destination: Destination,
        resumption: Resumption = NEW,
        backlog: Backlog | None = None,
    ) -> Lane:
        plan = LanePlan(number, lambda: destination, 1, resumption, self.fan_out.lane_bytes, backlog)
        lane = self.fan_out.add(number, lambda covered: Lane(plan, self, self.fan_out, covered))
        lane.put(PrepareWork(TARGET, lambda _: None))
        lane.begin()
        return lane


def rows(store: MemoryStore) -> set[str | None]:
    """Keys of the table's rows."""
    return {row.values["id"] for row in store.tables[TABLE].rows.values()}


def hasten(setattr_: Callable[[object, str, object], None]) -> None:
    """Makes lanes look and try again within milliseconds instead of seconds."""
    hastened: tuple[tuple[object, str, object], ...] = (
        (writer, "_IDLE_SECONDS", 0.005),
        (writer, "_PROGRESS_SECONDS", 0.005),
        (writer_state, "_OUTAGE", Backoff(0.002, 0.01)),
        (writer_state, "_REFUSAL", Backoff(0.002, 15.0)),
        (fan_out, "_PATIENCE_SECONDS", 0.005),
        (parker, "_TICK_SECONDS", 0.005),
        (parker, "_GATHER_SECONDS", 0.005),
        (parker, "_FAILING_SECONDS", 0.02),
        (parker, "_WAITED_FOR_SECONDS", 0.02),
        (parker, "_RETRIES", Backoff(0.01, 0.01)),
    )
    for module, name, value in hastened:
        setattr_(module, name, value)
