"""What gathers in a lane: written as one, it leaves what it would have left one by one; and it is written in time."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import replace

import pytest

from compute.core.batch import ChangeBatch
from compute.core.gathering import Gatherer, together
from compute.core.lane_queue import LaneQueue
from compute.core.work import ReleaseWork
from compute.destinations.base import Capabilities, Gathering, TableWrite, WriteBatch
from compute.destinations.memory import MemoryDestination, MemoryStore
from compute.tests.contract.changes import UNCHANGED, Change, changes, position, schema, target
from compute.tests.contract.source_model import SourceModel, fold, resolved
from compute.tests.support.lanes import TABLE, Scene, rows
from compute.tests.support.lanes import batch as numbered
from compute.tests.support.waiting import eventually

OF = target(schema())


def batch(number: int, *items: Change, folded: bool = False) -> ChangeBatch:
    payload = changes(OF.schema, items, folded=folded)
    return ChangeBatch(number, position(number - 1), position(number), tables=(payload,), commit_time=float(number))


def written(*batches: ChangeBatch) -> MemoryStore:
    destination = MemoryDestination(MemoryStore())
    destination.open(1)
    destination.ensure_table(OF)
    with closing(destination):
        for one in batches:
            writes = tuple(TableWrite(OF, payload) for payload in one.tables)
            assert not destination.write_changes(WriteBatch(one.end, (), writes)).refusal
    return destination.store


def left(*batches: ChangeBatch) -> dict[tuple[str | None, ...], tuple[object, ...]]:
    """What batches leave: values and versions by key."""
    return {key: (row.values, row.version, row.xid) for key, row in written(*batches).tables[OF.target].rows.items()}


def same(*batches: ChangeBatch) -> ChangeBatch:
    whole = together(batches)
    assert left(whole) == left(*batches)
    return whole


def test_batches_without_gaps_are_only_put_behind_one_another() -> None:
    whole = same(batch(1, Change("c", 1, ("1", "a", "x"))), batch(2, Change("d", 2, ("1", None, None))))
    (payload,) = whole.tables
    assert (whole.sequence, whole.start, whole.end, whole.commit_time) == (2, position(0), position(2), 2.0)
    assert (payload.row_count, payload.folded, payload.has_deletes, payload.has_unchanged) == (2, False, True, False)


def test_what_a_later_batch_left_out_is_taken_from_the_earlier() -> None:
    whole = same(
        batch(1, Change("c", 1, ("1", "a", "big")), Change("c", 2, ("2", "b", "other"))),
        batch(2, Change("u", 3, ("1", "a2", UNCHANGED))),
        batch(3, Change("d", 4, ("1", None, None)), Change("c", 4, ("9", "m", UNCHANGED), seq=1, moved_from=("1",))),
        batch(4, Change("u", 5, ("9", "m2", UNCHANGED))),
    )
    assert not whole.tables[0].has_unchanged
    assert not whole.tables[0].has_moved


def test_a_row_that_was_there_before_stays_the_origin_of_what_nobody_sent() -> None:
    start = batch(1, Change("c", 1, ("1", "a", "big")))
    moved = batch(2, Change("d", 2, ("1", None, None)), Change("c", 2, ("2", "m", UNCHANGED), seq=1, moved_from=("1",)))
    later = batch(3, Change("u", 3, ("2", "later", UNCHANGED)))
    back = batch(4, Change("d", 4, ("2", None, None)), Change("c", 4, ("1", "b", UNCHANGED), seq=1, moved_from=("2",)))
    for batches in ((moved, later), (moved, later, back)):
        assert left(start, together(batches)) == left(start, *batches)


@pytest.mark.parametrize("seed", range(60))
def test_any_history_in_any_pieces(seed: int) -> None:
    chance = random.Random(seed)
    model = SourceModel({})
    for _ in range(chance.randrange(5, 40)):
        by = model.begin()
        for _ in range(chance.randrange(1, 4)):
            key, to, keep = chance.choice("1234"), chance.choice("1234"), chance.random() < 0.7
            step = chance.randrange(4)
            if step < 2:
                model.write(by, key, keep=keep, empty=False)
            elif step == 2:
                model.move(by, key, to, keep=keep)
            else:
                model.delete(by, key)
        model.commit(by)
    items = [item for item in model.stream if item.change is not None]
    batches: list[ChangeBatch] = []
    while items:
        size = chance.randrange(1, 8)
        while size < len(items) and items[size].change.moved_from:  # type: ignore[union-attr]
            size += 1  # both halves of a key change are in one batch
        piece, items = items[:size], items[size:]
        its = [item.change for item in piece if item.change is not None]
        folded = chance.random() < 0.5
        payload = changes(OF.schema, fold(its) if folded else resolved(its), folded=folded)
        batches.append(ChangeBatch(len(batches) + 1, position(0), piece[-1].position, tables=(payload,)))
    if len(batches) < 2:
        return
    cut = chance.randrange(len(batches) - 1)
    gathered = [*batches[:cut], together(batches[cut:])]
    assert left(*gathered) == left(*batches)


def test_a_queue_gives_what_is_many_large_old_or_waited_for() -> None:
    def queue(count: int) -> LaneQueue:
        made = LaneQueue(0, lambda: None)
        for number in range(1, count + 1):
            made.put_batch(batch(number, Change("c", number, (str(number), "a", "x"))))
        return made

    limits = Gathering(seconds=600, rows=3, bytes=1_000_000)

    def ripe(of: LaneQueue, limits: Gathering = limits) -> list[int]:
        return [one.batch.sequence for one in Gatherer(of, limits).ripe()]

    assert ripe(queue(2)) == []
    assert ripe(queue(5)) == [1, 2, 3]
    assert ripe(queue(2), replace(limits, bytes=1)) == [1]
    assert ripe(queue(2), replace(limits, seconds=0)) == [1, 2]
    waited_for = queue(2)
    waited_for.put(ReleaseWork(7))
    assert ripe(waited_for) == [1, 2]
    closed = queue(1)
    closed.close()
    assert ripe(closed) == [1]
    emptying = queue(1)
    emptying.put_batch(replace(batch(2), truncated=(OF.source,)))
    assert ripe(emptying) == [1]


class GatheringDestination(MemoryDestination):
    capabilities = Capabilities(Gathering(seconds=0.3, idle_bytes=1_000_000))
    writes = 0

    def write_changes(self, batch: WriteBatch, *args: object, **kwargs: object):  # type: ignore[no-untyped-def]
        self.writes += 1
        return super().write_changes(batch, *args, **kwargs)  # type: ignore[arg-type]


def test_a_lane_gathers_delays_nobody_and_asks_nothing_when_idle() -> None:
    scene, slow, quick = Scene(), GatheringDestination(MemoryStore()), MemoryDestination(MemoryStore())
    scene.add(1, slow)
    scene.add(2, quick)
    eventually(lambda: all(TABLE in one.store.tables for one in (slow, quick)))
    before = slow.writes
    for number in range(1, 21):
        scene.fan_out.route(numbered(number, number))
    eventually(lambda: len(rows(quick.store)) == 20)
    eventually(lambda: len(rows(slow.store)) == 20)
    assert slow.writes - before < 10
    eventually(lambda: scene.engine.acknowledged[-1:] == [20])
    settled = slow.writes
    scene.fan_out.route(numbered(21))
    scene.fan_out.stop(5)
    assert slow.writes <= settled + 1
    assert scene.engine.acknowledged[-1] == 21
