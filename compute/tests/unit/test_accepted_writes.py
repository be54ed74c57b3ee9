"""A destination that accepts before it keeps: the slot waits for what is durable, and nobody has to write for that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from compute.destinations.base import Durability, Refusals, WriteBatch, WriteResult, ignore_refusals
from compute.destinations.memory import MemoryDestination, MemoryStore
from compute.tests.support.lanes import Scene, batch, rows
from compute.tests.support.waiting import eventually
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
