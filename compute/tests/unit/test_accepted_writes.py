"""A destination that accepts before it keeps: the slot waits for what is durable, and nobody has to write for that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from compute.core.catching_up import catch_up
from compute.core.work import Desk
from compute.destinations.base import (
    Durability,
    Refusal,
    Refusals,
    TableTarget,
    WriteBatch,
    WriteResult,
    ignore_refusals,
)
from compute.destinations.memory import MemoryDestination, MemoryStore
from compute.tests.support.desk import Told
from compute.tests.support.lanes import TARGET, Scene, batch, rows
from compute.tests.support.waiting import eventually
from rosetta.errors import DataError
from rosetta.lsn import StreamPosition


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.fan_out.stop(0.0)


class Accepting(MemoryDestination):
    """Accepts what it is given; what is durable, the test says."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.durable: StreamPosition | None = None

    def write_changes(self, batch: WriteBatch, refused: Refusals = ignore_refusals) -> WriteResult:
        return replace(super().write_changes(batch, refused), durability=Durability.ACCEPTED)

    def durable_position(self) -> StreamPosition | None:
        return self.durable


def test_what_is_only_accepted_is_acknowledged_once_it_is_durable(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compute.core.writer._PROGRESS_SECONDS", 0.01)
    store = MemoryStore()
    destination = Accepting(store)
    scene.add(1, destination)
    for number in (1, 2):
        scene.fan_out.route(batch(number, number))
    eventually(lambda: rows(store) == {"1", "2"}, what="both are accepted")
    assert scene.engine.acknowledged == []
    destination.durable = batch(1).end
    eventually(lambda: scene.engine.acknowledged == [1], what="the first is durable, without another write")
    destination.durable = batch(2).end
    eventually(lambda: scene.engine.acknowledged[-1] == 2, what="the second, too")


class PuttingOff(MemoryDestination):
    """Keeps what is asked of it, in order."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.asked: list[str] = []
        self.refuses: Refusal | None = None

    def ensure_table(self, target: TableTarget) -> None:
        self.asked.append("table")
        super().ensure_table(target)

    def catch_up(self, refused: Refusals, /, *, wholly: bool = False) -> None:
        self.asked.append("all" if wholly else "due")
        refusal, self.refuses = self.refuses, None
        if refusal is not None:
            refused(refusal)


def test_what_was_put_off_is_done_while_nothing_comes_and_before_other_work(scene: Scene) -> None:
    destination = PuttingOff(MemoryStore())

    def after_the_table() -> list[str]:
        asked = list(destination.asked)
        return asked[asked.index("table") :] if "table" in asked else []

    scene.add(1, destination)
    eventually(lambda: "due" in after_the_table(), what="it is asked while nothing comes")
    assert destination.asked[destination.asked.index("table") - 1] == "all"


def test_a_table_that_is_refused_late_fails_where_it_is_still_served() -> None:
    destination, told = PuttingOff(MemoryStore()), Told()
    desk = Desk(1, destination, told, covered=0)
    desk.targets[TARGET.sync_id] = TARGET
    error = DataError("gone", code="TARGET_MISSING")
    destination.refuses = Refusal({TARGET.sync_id: error, 77: error})
    catch_up(desk, wholly=True)
    assert (told.failed, desk.targets) == ([TARGET.sync_id], {})
