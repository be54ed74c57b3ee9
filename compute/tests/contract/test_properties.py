"""The invariants of delivery, on random histories, batches, redeliveries and chunks, of every destination."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compute.destinations.base import TableWrite, WriteBatch
from compute.tests.contract.changes import Change, chunk, position, schema, target
from compute.tests.contract.changes import changes as encoded
from compute.tests.contract.conftest import Lane, many_histories
from compute.tests.contract.source_model import ChunkRead, Item, Rows, SourceModel, fold, replay, resolved
from rosetta.identifiers import TableId

pytestmark = [pytest.mark.integration, many_histories]
KEYS = "12345"
_numbers = itertools.count(1)
bounded = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class Delivery:
    """Hands a stream to a destination, in pieces of any size, some of them again and again."""

    def __init__(self, lane: Lane, data: st.DataObject, start: Rows) -> None:
        number = next(_numbers)
        of = target(schema(f"t{number}", (("id", "text"), ("name", "text"), ("body", "text"))), sync_id=number)
        self.target = replace(of, target=TableId("copy", f"t{number}"))
        self.lane, self.data, self.start = lane, data, start
        self.destination = lane.writer(pipeline_id=number)
        self.destination.open(1)
        self.destination.ensure_table(self.target)
        self.versions: dict[str, tuple[int, int]] = {}

    def send(self, items: list[Item], *, truncate: bool = False) -> None:
        """One batch, perhaps folded, perhaps twice."""
        changes = [item.change for item in items if item.change is not None]
        folded = self.data.draw(st.booleans(), label="folded")
        payload = encoded(self.target.schema, fold(changes) if folded else resolved(changes), folded=folded)
        writes = (TableWrite(self.target, payload),) if changes else ()
        batch = WriteBatch(items[-1].position, (self.target,) if truncate else (), writes)
        for _ in range(self.data.draw(st.integers(1, 2), label="times")):
            result = self.destination.write_changes(batch)
            assert not result.refusal
            assert result.position == batch.end == self.destination.durable_position()
        self.check_versions()

    def check_versions(self) -> None:
        """versions_monotone: a row that stays never gets older."""
        columns = ("id", "_rosetta_lsn", "_rosetta_seq")
        rows = self.lane.rows(self.target, *columns)
        now = {str(key): (int(lsn or 0), int(seq or 0)) for key, lsn, seq in rows}
        assert all(now[key] >= version for key, version in self.versions.items() if key in now)
        self.versions = now

    def rows(self) -> Rows:
        return {str(key): (str(name), body) for key, name, body in self.lane.rows(self.target)}

    def merge(self, read: ChunkRead, *, complete: bool = True) -> None:
        rows = [(key, *row) for key, row in read.rows.items()]
        bounds = {"lower": (read.lower,) if read.lower else None, "upper": (read.upper,) if read.upper else None}
        self.destination.write_rows(chunk(self.target, rows, read.snapshot, complete=complete, **bounds))
        self.check_versions()

    def pieces(self, items: list[Item]) -> Iterator[tuple[int, int]]:
        """Cuts at truncates and watermarks, and wherever else; a piece may begin again before the last one's end.

        The halves of a key change stay together: an engine never hands them over in two batches.
        """
        begin = 0
        while begin < len(items):
            end = begin + 1
            while end < len(items) and items[end].change and items[end - 1].change and self.goes_on(items[end]):
                end += 1
            again = begin
            while again > 0 and items[again - 1].change and items[begin].change and self.draw_again():
                again -= 1
            yield again, end
            begin = end

    def goes_on(self, item: Item) -> bool:
        moved = item.change is not None and item.change.moved_from is not None
        return moved or self.data.draw(st.integers(0, 3), label="longer") > 0

    def draw_again(self) -> bool:
        return False


class ReplayingDelivery(Delivery):
    """After a restart the batches are cut otherwise, so a batch may begin with changes that are there already."""

    def draw_again(self) -> bool:
        return self.data.draw(st.booleans(), label="again")


def act(model: SourceModel, data: st.DataObject, *, moves: bool, truncates: bool) -> None:
    """One random step of the source."""
    kinds = ["write"] * 4 + ["delete", "commit", "commit", "begin"] + ["move"] * 2 * moves + ["truncate"] * truncates
    kind = data.draw(st.sampled_from(kinds), label="step")
    if kind == "truncate":
        model.truncate()
        return
    if kind == "begin" or not model.open:
        if len(model.open) < 2:
            model.begin()
        return
    by = data.draw(st.sampled_from(list(model.open.values())), label="by")
    key = data.draw(st.sampled_from(KEYS), label="key")
    if kind == "write":
        model.write(by, key, keep=data.draw(st.booleans(), label="keep"), empty=data.draw(st.booleans(), label="empty"))
    elif kind == "delete":
        model.delete(by, key)
    elif kind == "move":
        model.move(by, key, data.draw(st.sampled_from(KEYS), label="to"), keep=data.draw(st.booleans(), label="keep"))
    else:
        model.commit(by)


def finish(model: SourceModel) -> None:
    for transaction in list(model.open.values()):
        model.commit(transaction)
    model.send_watermarks()


def stream(delivery: Delivery, items: list[Item]) -> Iterator[int]:
    """Delivers everything; says after each piece how far it is."""
    for begin, end in delivery.pieces(items):
        first = items[begin]
        if first.change is None and first.watermark is None:
            delivery.send(items[begin:end], truncate=True)
        elif first.watermark is not None:
            delivery.send(items[begin:end])
            delivery.merge(first.watermark)
        else:
            delivery.send(items[begin:end])
        yield end


@bounded
@given(data=st.data())
@pytest.mark.parametrize("kind", [Delivery, ReplayingDelivery])
def test_converge(lane: Lane, kind: type[Delivery], data: st.DataObject) -> None:
    """converge, replay_idempotent, no_resurrection: after every piece the target is the source of that moment."""
    model = SourceModel({})
    for _ in range(data.draw(st.integers(1, 30), label="steps")):
        act(model, data, moves=kind is Delivery, truncates=True)
    finish(model)
    delivery = kind(lane, data, {})
    with closing(delivery.destination):
        for end in stream(delivery, model.stream):
            assert delivery.rows() == replay({}, model.stream[:end])
        assert delivery.rows() == model.rows


@bounded
@given(data=st.data())
@pytest.mark.parametrize("kind", [Delivery, ReplayingDelivery])
def test_backfill_exact(lane: Lane, kind: type[Delivery], data: st.DataObject) -> None:
    """backfill_exact: chunks read and merged at any time beside the stream give exactly the source."""
    start: Rows = {key: (f"s{key}", f"t{key}") for key in data.draw(st.sets(st.sampled_from(KEYS)), label="start")}
    model = SourceModel(start)
    for lower, upper in ((None, "2"), ("2", "4"), ("4", None)):
        for _ in range(data.draw(st.integers(0, 8), label="steps")):
            act(model, data, moves=kind is Delivery, truncates=True)
        model.read_chunk(lower, upper)
        for _ in range(data.draw(st.integers(0, 4), label="steps")):
            act(model, data, moves=kind is Delivery, truncates=True)
        model.send_watermarks()
    finish(model)
    delivery = kind(lane, data, start)
    with closing(delivery.destination):
        leave_remains(delivery, data)
        for _ in stream(delivery, model.stream):
            pass
        complete(model, delivery)
        assert delivery.rows() == model.rows


def leave_remains(delivery: Delivery, data: st.DataObject) -> None:
    """Rows of an earlier copy that nobody finished; some are in no chunk any more."""
    copying = delivery.target = replace(delivery.target, copying=True)
    delivery.destination.start_copy(copying)
    remains = data.draw(st.sets(st.sampled_from(KEYS)), label="remains")
    rows = [(key, f"stale{key}", None) for key in remains]
    delivery.destination.write_rows(chunk(copying, rows, "10:10:"))
    delivery.destination.start_copy(copying)


def complete(model: SourceModel, delivery: Delivery) -> None:
    """Reads again the rows whose values neither the stream nor a chunk brought, and ends the copy."""
    destination, of = delivery.destination, delivery.target
    keys = [key for (key,) in destination.unfilled_keys(of)]
    again = model.read_chunk(None, None)
    delivery.merge(replace(again, rows={key: row for key, row in again.rows.items() if key in keys}), complete=False)
    destination.finish_copy(of)


@bounded
@given(data=st.data())
def test_versions_monotone(lane: Lane, data: st.DataObject) -> None:
    """versions_monotone, per_key_order: changes that come in any order leave the newest of each key."""
    delivery = Delivery(lane, data, {})
    made = [Change("u", n, (data.draw(st.sampled_from(KEYS), label="key"), f"n{n}", f"b{n}")) for n in range(1, 13)]
    with closing(delivery.destination):
        shuffled = data.draw(st.permutations(made), label="order")
        for number, change in enumerate(shuffled, 1):
            delivery.send([Item(position(number), change)])
        assert delivery.rows() == {str(c.values[0]): (str(c.values[1]), str(c.values[2])) for c in made}
