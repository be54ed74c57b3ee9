"""Table syncs with rules behind one lane: each gets its own, once, whether it came from the stream or the ledger."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from compute.core.lane import Lane, LanePlan
from compute.core.resumption import Resumption
from compute.core.work import PrepareWork
from compute.destinations.base import TableTarget
from compute.destinations.memory import MemoryDestination, MemoryStore
from compute.tests.support.lanes import NEW, SCHEMA, TABLE, Scene, batch, hasten
from compute.tests.support.memory_backlog import MemoryBacklog
from compute.tests.support.waiting import eventually
from compute.transforms import RowRules
from rosetta.enums import SyncMode
from rosetta.errors import OutageError
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn
from rosetta.table_rules import MaskingKey, TableRules

KEY = MaskingKey(b"k" * 32)
MASKED, CHOSEN = TableId("public", "masked"), TableId("public", "chosen")


class Away:
    """The destination is away until `off` is set."""

    def __init__(self) -> None:
        self.off = threading.Event()

    def __call__(self, step: str) -> None:
        if step == "write" and not self.off.is_set():
            raise OutageError("away", code="AWAY")


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch.setattr)


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.fan_out.stop(0.0)


def target(sync_id: int, to: TableId, rules: TableRules, *, copying: bool = False) -> TableTarget:
    made = RowRules(sync_id, rules, SCHEMA, SyncMode.CURRENT, KEY)
    return TableTarget(sync_id, made.schema, to, copying=copying, rules=made)


def lane(
    scene: Scene, destination: MemoryDestination, backlog: MemoryBacklog, again: TableTarget | None = None
) -> Lane:
    """`again`: a process goes on with what another one has parked, and with this target instead."""
    behind = backlog.reached
    resumption = NEW if behind is None else Resumption(Lsn(0), established=True, reported=None, parked=behind)
    epoch = 1 if again is None else 2
    plan = LanePlan(1, lambda: destination, epoch, resumption, scene.fan_out.lane_bytes, backlog)
    made = scene.fan_out.add(1, lambda covered: Lane(plan, scene, scene.fan_out, covered))
    masked = again or target(1, MASKED, TableRules.parse({"id": "key", "v": "text"}, {"v": "hash"}, None))
    chosen = target(2, CHOSEN, TableRules.parse(None, None, ["v <> 'v2'"]))
    for one in (masked, chosen, TableTarget(3, SCHEMA, TABLE)):
        made.put(PrepareWork(one, lambda _: None))
    made.begin()
    return made


def values(store: MemoryStore, table: TableId) -> list[tuple[str | None, ...]]:
    return sorted((tuple(row.values.values()) for row in store.tables[table].rows.values()), key=repr)


def test_what_was_parked_by_rules_is_not_ruled_again(scene: Scene) -> None:
    store, away, backlog = MemoryStore(), Away(), MemoryBacklog()
    lane(scene, MemoryDestination(store, away), backlog)
    scene.fan_out.route(batch(1, 1, 2))
    eventually(lambda: len(backlog.rows) == 3, 20, "each sync has a segment of its own")
    kept = {row.sync_id: row.payload for row in backlog.rows.values()}
    assert kept[1].columns == ("key", "text")
    assert b"v1" not in kept[1].data
    assert [kept[number].row_count for number in (1, 2, 3)] == [2, 1, 2]
    scene.fan_out.route(batch(2, 3))
    away.off.set()
    eventually(lambda: store.position == batch(2).end, 20, "everything is written")
    assert values(store, MASKED) == [(key, KEY.mask(f"v{key}")) for key in "123"]
    assert values(store, CHOSEN) == [("1", "v1"), ("3", "v3")]
    assert values(store, TABLE) == [("1", "v1"), ("2", "v2"), ("3", "v3")]
    assert scene.failed == []


@pytest.mark.parametrize("copying", [True, False])
def test_segments_of_former_rules_are_passed_over_by_a_copy_and_by_nothing_else(scene: Scene, copying: bool) -> None:
    store, backlog = MemoryStore(), MemoryBacklog()
    lane(scene, MemoryDestination(store, Away()), backlog)
    scene.fan_out.route(batch(1, 1, 2))
    eventually(lambda: len(backlog.rows) == 3, 20, "each sync has a segment of its own")
    scene.fan_out.stop(0.0)
    again = Scene()
    others = target(1, MASKED, TableRules.parse(["v", "id"], {"v": "hash"}, None), copying=copying)
    lane(again, MemoryDestination(store), backlog, others)
    again.fan_out.route(batch(2, 3))
    eventually(lambda: store.position == batch(2).end, 20, "everything is written")
    again.fan_out.stop(0.0)
    assert values(store, MASKED) == ([("3", KEY.mask("v3"))] if copying else [])
    assert values(store, TABLE) == [("1", "v1"), ("2", "v2"), ("3", "v3")]
    assert [code for _, code, _ in again.failed] == ([] if copying else ["PARKED_BY_OTHER_RULES"])
