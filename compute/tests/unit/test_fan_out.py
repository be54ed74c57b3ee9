"""Fan-out and writers over a scripted engine and destinations in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping

import pytest

from compute.core.batch import ChangeBatch, TableChanges, TableSpec
from compute.core.fan_out import FanOut
from compute.core.lane import Lane, LanePlan
from compute.core.resumption import Resumption
from compute.core.work import PrepareWork
from compute.core.writer import WriterPhase
from compute.destinations.base import Destination, TableTarget
from compute.destinations.memory import MemoryDestination, MemoryStore
from compute.dlq.backlog import Backlog
from compute.engine.base import EnginePhase, EngineState
from compute.tests.support.waiting import eventually
from rosetta.errors import DataError, FencedError, OutageError, ResyncRequiredError, RosettaError
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition
from rosetta.types import Column, TableSchema

TABLE = TableId("public", "t")
SCHEMA = TableSchema(TABLE, (Column("id", "bigint"), Column("v", "text")), ("id",), primary_key=("id",))
TARGET = TableTarget(1, SCHEMA, TABLE)


def batch(sequence: int, *keys: int) -> ChangeBatch:
    """Batch number `sequence` inserts `keys`; without any it only moves the position."""
    lines = [f"c\t{sequence * 100 + n}\t0\t{sequence}\t0\t\\N\t\\N\t{key}\tv{key}\n" for n, key in enumerate(keys)]
    data = "".join(lines).encode()
    changes = TableChanges(TABLE, ("id", "v"), ("id",), len(keys), data, True, False, False, False)
    start, end = (StreamPosition(Lsn(number * 100)) for number in (sequence, sequence + 1))
    return ChangeBatch(sequence, start, end, tables=(changes,) if keys else ())


class ScriptedEngine:
    """Keeps what was acknowledged; batches are routed by the test."""

    def __init__(self) -> None:
        self.acknowledged: list[int] = []

    capacity_bytes = 1_000_000

    def start(
        self, position: StreamPosition, tables: Mapping[TableId, TableSpec], cuts: Collection[StreamPosition] = ()
    ) -> None: ...
    def take(self, timeout_seconds: float) -> ChangeBatch | None: ...
    def set_tables(self, tables: Mapping[TableId, TableSpec]) -> None: ...
    def stop(self) -> None: ...
    def acknowledge(self, sequence: int) -> None:
        self.acknowledged.append(sequence)

    def state(self) -> EngineState:
        return EngineState(EnginePhase.STREAMING)


class Scene:
    """A fan-out with writers to memory; `failed` is what was written down about tables, and when."""

    def __init__(self) -> None:
        self.engine = ScriptedEngine()
        self.fan_out = FanOut(self.engine, lambda _: (), lambda: None)
        self.failed: list[tuple[int, str, list[int]]] = []

    def progressed(self) -> None:
        self.fan_out.acknowledge()

    def table_failed(self, sync_id: int, error: RosettaError) -> None:
        self.failed.append((sync_id, error.code, list(self.engine.acknowledged)))

    def current_schema(self, table: TableId) -> TableSchema | None:
        return SCHEMA

    def wrote(self, destination_id: int, target: TableTarget, changes: TableChanges, at: float | None) -> None: ...

    def add(
        self,
        number: int,
        destination: Destination,
        resumption: Resumption | None = None,
        backlog: Backlog | None = None,
    ) -> Lane:
        settled = resumption or Resumption(Lsn(0), established=False, reported=None)
        plan = LanePlan(number, lambda: destination, 1, settled, self.fan_out.lane_bytes, backlog)
        lane = self.fan_out.add(number, lambda covered: Lane(plan, self, self.fan_out, covered))
        lane.put(PrepareWork(TARGET, lambda _: None))
        return lane


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.fan_out.stop(0.0)


def rows(store: MemoryStore) -> set[str | None]:
    return {row.values["id"] for row in store.tables[TABLE].rows.values()}


def waiting_for(gate: threading.Event) -> Callable[[str], None]:
    def fault(step: str) -> None:
        if step == "write":
            gate.wait(10)

    return fault


def failing(step: str, error: RosettaError, times: int) -> Callable[[str], None]:
    left = [times]

    def fault(reached: str) -> None:
        if reached == step and left[0] > 0:
            left[0] -= 1
            raise error

    return fault


def test_every_writer_gets_every_change_and_the_slowest_decides(scene: Scene) -> None:
    stores, gate = (MemoryStore(), MemoryStore()), threading.Event()
    scene.add(1, MemoryDestination(stores[0]))
    scene.add(2, MemoryDestination(stores[1], waiting_for(gate)))
    for number in (1, 2, 3):
        scene.fan_out.route(batch(number, number))
    eventually(lambda: stores[0].position == batch(3).end)
    assert scene.engine.acknowledged == []
    gate.set()
    eventually(lambda: scene.engine.acknowledged[-1:] == [3])
    assert rows(stores[0]) == rows(stores[1]) == {"1", "2", "3"}
    assert scene.fan_out.acknowledged == batch(3).end.commit_lsn


@pytest.mark.parametrize("step", ["open", "write", "commit", "committed"])
def test_an_outage_at_any_step_loses_and_doubles_nothing(scene: Scene, step: str) -> None:
    store = MemoryStore()
    scene.add(1, MemoryDestination(store, failing(step, OutageError("away"), 3)))
    for number in (1, 2, 3):
        scene.fan_out.route(batch(number, number, number + 10))
    eventually(lambda: scene.engine.acknowledged[-1:] == [3])
    assert rows(store) == {"1", "2", "3", "11", "12", "13"}


def test_a_destination_that_is_away_says_so_and_is_written_when_it_is_back(scene: Scene) -> None:
    gate = threading.Event()

    def away(step: str) -> None:
        if step == "open" and not gate.is_set():
            raise OutageError("no route to host", code="CONNECTION_REFUSED", remedy="start it")

    store = MemoryStore()
    lane = scene.add(1, MemoryDestination(store, away))
    scene.fan_out.route(batch(1, 1))
    state = eventually(lambda: lane.state.writer if lane.state.writer.phase is WriterPhase.RETRYING else None)
    assert state is not None
    assert state.failure is not None
    assert (state.failure.code, state.failure.remedy) == ("CONNECTION_REFUSED", "start it")
    gate.set()
    eventually(lambda: scene.engine.acknowledged == [1])
    assert lane.state.writer.phase is WriterPhase.WRITING
    assert lane.state.writer.failure is None


def test_a_position_without_changes_is_durable_before_it_is_acknowledged(scene: Scene) -> None:
    store = MemoryStore()
    scene.add(1, MemoryDestination(store))
    for number in range(1, 6):
        scene.fan_out.route(batch(number))
    eventually(lambda: scene.engine.acknowledged[-1:] == [5])
    assert store.position == batch(5).end


def test_a_table_that_fails_is_written_down_before_anything_is_acknowledged(scene: Scene) -> None:
    store = MemoryStore()
    scene.add(1, MemoryDestination(store))

    class Refusing(MemoryDestination):
        def ensure_table(self, target: TableTarget) -> None:
            raise DataError("no", code="REFUSED")

    scene.add(2, Refusing(MemoryStore()))
    scene.fan_out.route(batch(1, 1))
    eventually(lambda: scene.engine.acknowledged == [1])
    assert scene.failed == [(1, "REFUSED", [])]
    assert rows(store) == {"1"}


def test_a_removed_destination_holds_nothing_back(scene: Scene) -> None:
    scene.add(1, MemoryDestination(MemoryStore()))
    scene.add(2, MemoryDestination(MemoryStore(), failing("open", OutageError("away"), 10_000)))
    scene.fan_out.route(batch(1, 1))
    eventually(lambda: scene.fan_out.lanes[1].covered == 1)
    assert scene.engine.acknowledged == []
    scene.fan_out.remove(2)
    assert scene.engine.acknowledged == [1]


def test_a_fenced_writer_ends_its_process(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda problem: raised.append(problem.exc_type))
    scene.add(1, MemoryDestination(MemoryStore(epoch=2)))
    eventually(lambda: raised)
    assert raised == [FencedError]


@pytest.mark.parametrize(
    ("durable", "established", "reported", "lost"),
    [
        (None, False, None, False),
        (None, True, None, False),  # it was never heard of: its first write is still to come
        (None, True, 50, True),  # it had something, and has nothing now
        (99, True, 99, True),
        (100, True, 100, False),
        (200, True, 100, False),
        (99, False, 99, False),  # everything is copied anyway
    ],
)
def test_a_gap_between_destination_and_slot_is_never_stepped_over(
    durable: int | None, established: bool, reported: int | None, lost: bool
) -> None:
    resumption = Resumption(Lsn(100), established, None if reported is None else Lsn(reported))
    position = None if durable is None else StreamPosition(Lsn(durable))
    if lost:
        with pytest.raises(ResyncRequiredError):
            resumption.check(position)
    else:
        resumption.check(position)
