"""Lanes that park: destinations and ledger in memory, each away, stuck or full when the test says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from compute.core.exit_codes import Failure
from compute.core.lane import Lane, LanePlan
from compute.core.resumption import Resumption
from compute.core.writer_state import WriterPhase
from compute.destinations.base import Destination, TableTarget, WriteBatch, WriteResult
from compute.destinations.memory import MemoryDestination, MemoryStore
from compute.dlq.parcels import Parcel
from compute.tests.support.lanes import TABLE, Scene, batch, hasten, rows
from compute.tests.support.memory_backlog import MemoryBacklog
from compute.tests.support.waiting import eventually
from rosetta.errors import FencedError, OutageError, RosettaError
from rosetta.lsn import Lsn


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch.setattr)
    monkeypatch.setattr("compute.core.parker._GATHER_SECONDS", 0.25)  # what a test routes at once is parked at once


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.fan_out.stop(0.0)


class Switch:
    """A fault that is there until it is switched off: `away` raises, `stuck` waits."""

    def __init__(self, *steps: str, stuck: bool = False) -> None:
        self.steps, self.stuck = steps, stuck
        self.off = threading.Event()

    def __call__(self, step: str) -> None:
        if step not in self.steps or self.off.is_set():
            return
        if self.stuck:
            self.off.wait(30)
        else:
            raise OutageError("away", code="AWAY")


@dataclass
class Pending:
    """A chunk that only notes when it was landed."""

    note: Callable[[str], None]
    destination_id: int = 1
    sync_id: int = 1
    failures: list[str] = field(default_factory=list)

    def land(self, destination: Destination, target: TableTarget, refused: object = None) -> None:
        self.note("chunk")

    def failed(self, error: RosettaError) -> None:
        self.failures.append(error.code)


class Recording(MemoryDestination):
    """Notes what it is given, in order."""

    def __init__(self, store: MemoryStore, fault: Callable[[str], None] | None = None) -> None:
        super().__init__(store, fault)
        self.notes: list[str] = []

    def write_changes(self, batch: WriteBatch, *refused: object) -> WriteResult:
        result = super().write_changes(batch, *refused)  # type: ignore[arg-type]
        for write in batch.writes:
            lines = bytes(write.changes.data).decode().splitlines()
            self.notes += [line.split("\t")[7] for line in lines]
        return result


def parked_resumption(backlog: MemoryBacklog) -> Resumption:
    return Resumption(Lsn(0), established=True, reported=None, parked=backlog.reached)


def test_a_destination_that_is_away_holds_nobody_back_and_catches_up_in_order(scene: Scene) -> None:
    stores, away, backlog = (MemoryStore(), MemoryStore()), Switch("open", "write"), MemoryBacklog()
    first = Recording(stores[0], away)
    lane = scene.add(1, first, backlog=backlog)
    scene.add(2, MemoryDestination(stores[1]), backlog=MemoryBacklog(2))
    for number in range(1, 31):
        scene.fan_out.route(batch(number, number))
    eventually(lambda: scene.engine.acknowledged[-1:] == [30])
    assert rows(stores[1]) == {str(number) for number in range(1, 31)}
    assert lane.state.writer.phase is WriterPhase.RETRYING
    assert lane.state.catching_up
    assert backlog.rows
    away.off.set()
    eventually(lambda: not lane.state.catching_up)
    scene.fan_out.route(batch(31, 31))
    eventually(lambda: scene.engine.acknowledged[-1:] == [31])
    assert first.notes == [str(number) for number in range(1, 32)]
    assert not backlog.rows
    assert stores[0].position == batch(31).end


def test_many_batches_go_into_one_transaction_and_one_segment(scene: Scene) -> None:
    away, backlog = Switch("open"), MemoryBacklog()
    scene.add(1, MemoryDestination(MemoryStore(), away), backlog=backlog)
    for number in range(1, 8):
        scene.fan_out.route(batch(number, number))
    eventually(lambda: scene.engine.acknowledged[-1:] == [7])
    assert backlog.transactions == len(backlog.rows) == 1


def test_what_was_parked_leaves_memory(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compute.core.parker._GATHER_SECONDS", 0.005)
    away, backlog = Switch("open"), MemoryBacklog()
    lane = scene.add(1, MemoryDestination(MemoryStore(), away), backlog=backlog)
    for number in range(1, 300):
        scene.fan_out.route(batch(number, number))
    eventually(lambda: scene.engine.acknowledged[-1:] == [299], 30)
    load = lane.queue.load()
    assert (load.batches, load.bytes) == (0, 0)
    assert len(lane.queue._items) <= 2  # the preparation of the table, and one gap


@pytest.mark.parametrize("patient", [False, True])
def test_a_stuck_call_delays_nobody_and_its_own_batch_is_parked_too(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, patient: bool
) -> None:
    monkeypatch.setattr("compute.core.parker._STUCK_SECONDS", 1000.0 if patient else 0.3)
    monkeypatch.setattr("compute.core.parker._STUCK_LOADING_SECONDS", 0.3 if patient else 1000.0)
    stores, stuck, backlog = (MemoryStore(), MemoryStore()), Switch("write", stuck=True), MemoryBacklog()
    destination = MemoryDestination(stores[0], stuck)
    destination.capabilities = replace(destination.capabilities, patient=patient)
    lane = scene.add(1, destination, backlog=backlog)
    scene.add(2, MemoryDestination(stores[1]), backlog=MemoryBacklog(2))
    for number in (1, 2, 3):
        scene.fan_out.route(batch(number, number))
    eventually(lambda: scene.engine.acknowledged[-1:] == [3])
    assert min(row.position for row in backlog.rows.values()) >= batch(1).end
    stuck.off.set()
    eventually(lambda: not backlog.rows)
    eventually(lambda: not lane.state.catching_up)
    assert rows(stores[0]) == rows(stores[1]) == {"1", "2", "3"}


def test_a_parked_batch_whose_write_was_done_after_all_is_not_written_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compute.core.parker._STUCK_SECONDS", 0.3)
    store, stuck, backlog = MemoryStore(), Switch("committed", stuck=True), MemoryBacklog()
    destination = Recording(store, stuck)
    lane = scene.add(1, destination, backlog=backlog)
    scene.fan_out.route(batch(1, 1))
    eventually(lambda: backlog.rows)
    stuck.off.set()
    eventually(lambda: not lane.state.catching_up and not backlog.rows)
    assert destination.notes == ["1"]


def test_a_slow_destination_is_parked_once_another_waits_for_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compute.core.parker._MANY_BATCHES", 5)
    monkeypatch.setattr("compute.core.parker._WAITED_FOR_SECONDS", 0.3)
    stores, stuck, backlog = (MemoryStore(), MemoryStore()), Switch("write", stuck=True), MemoryBacklog()
    scene.add(1, MemoryDestination(stores[0], stuck), backlog=backlog)
    for number in range(1, 8):
        scene.fan_out.route(batch(number, number))
    threading.Event().wait(0.6)  # long enough to be parked if somebody waited
    assert not backlog.rows
    scene.add(2, MemoryDestination(stores[1]), backlog=MemoryBacklog(2))
    eventually(lambda: scene.engine.acknowledged[-1:] == [7])
    assert {row.error_code for row in backlog.rows.values()} == {"DESTINATION_SLOW"}
    stuck.off.set()
    eventually(lambda: not backlog.rows)


def test_a_chunk_keeps_its_place_while_batches_around_it_are_parked(scene: Scene) -> None:
    away, backlog = Switch("open"), MemoryBacklog()
    destination = Recording(MemoryStore(), away)
    lane = scene.add(1, destination, backlog=backlog)
    scene.chunks["mark"] = [Pending(destination.notes.append)]
    scene.fan_out.route(batch(1, 1))
    scene.fan_out.route(batch(2, 2, watermarks=("mark",)))
    scene.fan_out.route(batch(3, 3))
    eventually(lambda: scene.engine.acknowledged[-1:] == [3])
    assert len(backlog.rows) == 2  # nothing is joined across the chunk
    away.off.set()
    eventually(lambda: not lane.state.catching_up)
    assert destination.notes == ["1", "2", "chunk", "3"]


def test_a_park_whose_answer_was_lost_leaves_nothing_open(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compute.core.leftovers._AGAIN_SECONDS", 0.1)
    store, away, backlog = MemoryStore(), Switch("open"), MemoryBacklog()
    backlog.mute = OutageError("the connection was lost", code="CONFIG_DB_AWAY")
    lane = scene.add(1, Recording(store, away), backlog=backlog)
    for number in (1, 2, 3):
        scene.fan_out.route(batch(number, number))
    eventually(lambda: backlog.rows)
    assert scene.engine.acknowledged == []
    away.off.set()
    eventually(lambda: scene.engine.acknowledged[-1:] == [3])
    eventually(lambda: not backlog.rows, what="it is closed while running")
    assert not backlog.superseded
    backlog.mute = None
    late = MemoryBacklog()  # a transaction that commits after all, when nobody waits for it any more
    parcel = Parcel(batch(2, 2), {TABLE: (1,)})
    late.park([parcel], batch(2).end, Failure("LATE", "late"))
    backlog.rows |= late.rows
    eventually(lambda: not backlog.rows, what="also what was committed late")
    assert rows(store) == {"1", "2", "3"}
    assert not lane.state.catching_up


def test_with_the_ledger_away_too_nothing_is_acknowledged_and_nothing_is_lost(scene: Scene) -> None:
    stores, away, backlog = (MemoryStore(), MemoryStore()), Switch("open"), MemoryBacklog()
    backlog.away = OutageError("Redis is away", code="DLQ_DISPATCH_AWAY")
    lane = scene.add(1, MemoryDestination(stores[0], away), backlog=backlog)
    scene.add(2, MemoryDestination(stores[1]), backlog=MemoryBacklog(2))
    for number in (1, 2, 3):
        scene.fan_out.route(batch(number, number))
    eventually(lambda: lane.state.blocked)
    eventually(lambda: stores[1].position == batch(3).end)
    assert lane.state.blocked is not None
    assert lane.state.blocked.code == "DLQ_DISPATCH_AWAY"
    assert scene.engine.acknowledged == []
    backlog.away = None
    eventually(lambda: scene.engine.acknowledged[-1:] == [3])
    eventually(lambda: lane.state.blocked is None)
    away.off.set()
    eventually(lambda: rows(stores[0]) == {"1", "2", "3"} if TABLE in stores[0].tables else False)


def test_the_stream_goes_on_while_only_the_ledger_is_away(scene: Scene) -> None:
    store, backlog = MemoryStore(), MemoryBacklog()
    backlog.away = OutageError("away", code="CONFIG_DB_AWAY")
    lane = scene.add(1, MemoryDestination(store), backlog=backlog)
    for number in range(1, 20):
        scene.fan_out.route(batch(number, number))
    eventually(lambda: scene.engine.acknowledged[-1:] == [19])
    assert lane.state.blocked is None


def test_the_ledger_goes_away_while_parked_changes_are_written(scene: Scene) -> None:
    away, backlog = Switch("open"), MemoryBacklog()
    destination = Recording(MemoryStore(), away)
    lane = scene.add(1, destination, backlog=backlog)
    scene.fan_out.route(batch(1, 1))
    eventually(lambda: backlog.rows)
    backlog.away = OutageError("away", code="CONFIG_DB_AWAY")
    away.off.set()
    eventually(lambda: lane.state.writer.failure is not None and lane.state.writer.failure.code == "CONFIG_DB_AWAY")
    scene.fan_out.route(batch(2, 2))
    eventually(lambda: lane.state.blocked)
    assert destination.notes == []  # nothing overtakes
    backlog.away = None
    eventually(lambda: destination.notes == ["1", "2"])
    eventually(lambda: scene.engine.acknowledged[-1:] == [2])


def test_a_restart_goes_on_behind_what_is_parked_and_parks_nothing_twice() -> None:
    store, away, backlog = MemoryStore(), Switch("open"), MemoryBacklog()
    before = Scene()
    before.add(1, MemoryDestination(store, away), backlog=backlog)
    for number in (1, 2, 3):
        before.fan_out.route(batch(number, number))
    eventually(lambda: before.engine.acknowledged[-1:] == [3])
    before.fan_out.stop(0.0)
    parked = dict(backlog.rows)

    again = Scene()
    lane = again.add(1, MemoryDestination(store, away), parked_resumption(backlog), backlog)
    assert lane.reached == [batch(3).end]
    for number in (2, 3):  # delivered again, as after a crash
        again.fan_out.route(batch(number - 1, number, number=number))
    eventually(lambda: again.engine.acknowledged[-1:] == [2])
    assert backlog.rows == parked
    again.fan_out.route(batch(3, 1, 4, number=4, value="new"))
    away.off.set()
    eventually(lambda: rows(store) == {"1", "2", "3", "4"} if TABLE in store.tables else False)
    eventually(lambda: again.engine.acknowledged[-1:] == [3])
    assert not backlog.rows
    assert store.tables[TABLE].rows["1",].values["v"] == "new1"
    again.fan_out.stop(0.0)


def test_a_stop_in_the_middle_leaves_the_rest_in_the_ledger() -> None:
    store, away, backlog = MemoryStore(), Switch("open"), MemoryBacklog()
    scene = Scene()
    scene.add(1, MemoryDestination(store, away), backlog=backlog)
    scene.fan_out.route(batch(1, 1))
    eventually(lambda: backlog.rows)
    scene.fan_out.stop(0.5)
    assert backlog.reached == batch(1).end
    assert len(backlog.rows) == 1
    assert store.position is None


def test_segments_of_a_table_that_is_not_served_any_more_are_superseded(scene: Scene) -> None:
    store, away, backlog = MemoryStore(), Switch("open"), MemoryBacklog()
    before = scene.add(1, MemoryDestination(store, away), backlog=backlog)
    scene.fan_out.route(batch(1, 1))
    eventually(lambda: backlog.rows)
    before.stop(0.0)
    again = Scene()
    store.tables.clear()
    plan_without_tables = again.fan_out.add(
        1, lambda covered: _bare_lane(again, MemoryDestination(store), backlog, covered)
    )
    plan_without_tables.begin()
    eventually(lambda: not backlog.rows)
    assert len(backlog.superseded) == 1
    eventually(lambda: store.position == batch(1).end)
    again.fan_out.stop(0.0)


def _bare_lane(scene: Scene, destination: Destination, backlog: MemoryBacklog, covered: int) -> Lane:
    plan = LanePlan(1, lambda: destination, 1, parked_resumption(backlog), scene.fan_out.lane_bytes, backlog)
    return Lane(plan, scene, scene.fan_out, covered)


def test_beyond_its_bounds_a_lane_blocks_and_says_so(scene: Scene) -> None:
    away, backlog = Switch("open"), MemoryBacklog()
    backlog.full = Failure("PARK_LIMIT_BYTES", "too much", "mend it")
    lane = scene.add(1, MemoryDestination(MemoryStore(), away), backlog=backlog)
    scene.fan_out.route(batch(1, 1))
    eventually(lambda: lane.state.blocked == backlog.full)
    assert scene.engine.acknowledged == []
    eventually(lambda: backlog.alerts[-1:] == ["PARK_LIMIT_BYTES"])
    backlog.full = None
    eventually(lambda: scene.engine.acknowledged == [1])
    eventually(lambda: backlog.alerts[-2:] == ["PARK_LIMIT_BYTES", None])


def test_beyond_its_bounds_a_lane_that_may_is_detached_and_holds_nothing_back(scene: Scene) -> None:
    away, backlog = Switch("open"), MemoryBacklog()
    backlog.full, backlog.detaches = Failure("PARK_LIMIT_AGE", "too old", "mend it"), True
    lane = scene.add(1, MemoryDestination(MemoryStore(), away), backlog=backlog)
    pending = Pending(list[str]().append)
    scene.chunks["mark"] = [pending]
    scene.fan_out.route(batch(1, 1, watermarks=("mark",)))
    eventually(lambda: scene.engine.acknowledged == [1])
    assert lane.state.detached == backlog.full
    assert pending.failures == ["DESTINATION_DETACHED"]
    scene.fan_out.route(batch(2, 2))
    eventually(lambda: scene.engine.acknowledged == [1, 2])
    assert not backlog.rows


def test_a_parker_that_is_fenced_ends_its_process(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda problem: raised.append(problem.exc_type))
    backlog = MemoryBacklog()
    backlog.away = FencedError("another owner")
    scene.add(1, MemoryDestination(MemoryStore(), Switch("open")), backlog=backlog)
    scene.fan_out.route(batch(1, 1))
    eventually(lambda: raised)
    assert raised == [FencedError]
    assert scene.engine.acknowledged == []


def test_positions_without_changes_are_parked_too_so_that_the_slot_moves(scene: Scene) -> None:
    store, away, backlog = MemoryStore(), Switch("open"), MemoryBacklog()
    lane = scene.add(1, MemoryDestination(store, away), backlog=backlog)
    for number in (1, 2, 3):
        scene.fan_out.route(batch(number))
    eventually(lambda: scene.engine.acknowledged[-1:] == [3])
    assert not backlog.rows
    assert backlog.reached == batch(3).end
    away.off.set()
    eventually(lambda: store.position == batch(3).end)
    eventually(lambda: not lane.state.catching_up)


def test_a_lane_that_can_neither_write_nor_park_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compute.core.lane._HARD_BATCHES", 3)
    scene, backlog = Scene(), MemoryBacklog()
    backlog.away = OutageError("away")
    pulses = threading.Semaphore(0)
    scene.fan_out._pulse = pulses.release
    lane = scene.add(1, MemoryDestination(MemoryStore(), Switch("open")), backlog=backlog)
    scene.add(2, MemoryDestination(MemoryStore()), backlog=MemoryBacklog(2))
    for number in (1, 2, 3):
        scene.fan_out.route(batch(number, number))
    eventually(lambda: lane.state.blocked)
    router = threading.Thread(target=scene.fan_out.route, args=(batch(4, 4),))
    router.start()
    assert pulses.acquire(timeout=5), "the wait goes on hearing what it is told"
    assert router.is_alive()
    backlog.away = None
    router.join(10)
    assert not router.is_alive()
    eventually(lambda: scene.engine.acknowledged[-1:] == [4])
    scene.fan_out.stop(0.0)
