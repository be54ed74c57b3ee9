"""Fan-out and writers over a scripted engine and destinations in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from compute.core.resumption import Resumption
from compute.core.writer_state import WriterPhase
from compute.destinations.base import TableTarget
from compute.destinations.memory import MemoryDestination, MemoryStore
from compute.tests.support.lanes import Scene, batch, hasten, rows
from compute.tests.support.waiting import eventually
from rosetta.errors import DataError, FencedError, OutageError, ResyncRequiredError, RosettaError
from rosetta.lsn import Lsn, StreamPosition


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch.setattr)


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.fan_out.stop(0.0)


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


def test_while_a_small_batch_is_written_the_engine_gathers_on(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compute.core.lane_queue._QUICK_SECONDS", 60.0)
    gate, pulses = threading.Event(), threading.Semaphore(0)
    scene.fan_out._pulse = pulses.release
    lane = scene.add(1, MemoryDestination(MemoryStore(), waiting_for(gate)))
    eventually(lambda: lane.live)
    scene.fan_out.wait_for_room()
    scene.fan_out.route(batch(1, 1))
    waiter = threading.Thread(target=scene.fan_out.wait_for_room)
    waiter.start()
    assert pulses.acquire(timeout=5), "the wait goes on hearing what it is told"
    assert waiter.is_alive()
    gate.set()
    waiter.join(10)
    assert not waiter.is_alive()


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
    ("durable", "parked", "reported", "lost"),
    [
        (50, 200, 50, False),  # what lies between is in the ledger
        (40, 200, 50, True),  # it was restored: what it was given since is no longer in the ledger
        (None, 200, 50, True),
        (None, 200, None, False),  # everything it ever got is still in the ledger
        (50, 99, 50, True),  # the slot has moved beyond the ledger
    ],
)
def test_what_is_parked_closes_the_gap_only_behind_what_was_reported(
    durable: int | None, parked: int, reported: int | None, lost: bool
) -> None:
    resumption = Resumption(Lsn(100), True, None if reported is None else Lsn(reported), StreamPosition(Lsn(parked)))
    position = None if durable is None else StreamPosition(Lsn(durable))
    if lost:
        with pytest.raises(ResyncRequiredError):
            resumption.check(position)
    else:
        resumption.check(position)


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
