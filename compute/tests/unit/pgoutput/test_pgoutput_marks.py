"""Watermarks that stand in no log: a standby's stream brings them where it has come far enough."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from compute.core.batch import ChangeBatch, TableSpec
from compute.engine.pgoutput.gatherer import Limits
from compute.engine.pgoutput.outbox import Outbox
from compute.engine.pgoutput.reader import StreamReader
from compute.tests.unit.pgoutput import encoder
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition

TABLE = TableId("public", "a")
ROWS = encoder.relation(10, "public", "a", "d", [("id", True, 25, -1), ("v", False, 25, -1)])


class Stream:
    """A reader, and what comes of it."""

    def __init__(self, start: StreamPosition, cuts: Sequence[StreamPosition] = ()) -> None:
        self.outbox = Outbox(1 << 40, start.commit_lsn)
        self.reader = StreamReader(self.outbox, Limits(1 << 30, 1 << 30), start, cuts, lambda: None)
        self.reader.set_tables({TABLE: TableSpec(TABLE, ("id",))})
        self.reader.read(ROWS, 0)

    def round(self, *messages: tuple[bytes, int], sent: int = 0, rest: bool = False) -> list[ChangeBatch]:
        self.reader.go_on()
        data = b"".join(encoder.copy_data(payload, lsn) for payload, lsn in messages)
        at = 0
        while (at := self.reader.run(data, at)) < len(data):
            stop = at + 1 + int.from_bytes(data[at + 1 : at + 5])
            self.reader.read(data[at + 30 : stop], int.from_bytes(data[at + 6 : at + 14]))
            at = stop
        self.reader.reach(sent, rest=rest)
        self.reader.offer()
        taken = []
        while (batch := self.outbox.take(0.0)) is not None:
            taken.append(batch)
            self.outbox.acknowledge(batch.sequence)
        return taken


def begin(commit: int) -> tuple[bytes, int]:
    return encoder.begin(commit, 1, 7), commit - 50


def insert(key: bytes, lsn: int) -> tuple[bytes, int]:
    return encoder.insert(10, [key, b"v"]), lsn


def commit(at: int) -> tuple[bytes, int]:
    return encoder.commit(at, at + 10, 1), at


def seen(batches: list[ChangeBatch]) -> list[tuple[int, int, tuple[str, ...]]]:
    return [(batch.row_count, int(batch.end.commit_lsn), batch.watermarks) for batch in batches]


def boundary(lsn: int) -> StreamPosition:
    return StreamPosition(Lsn(lsn))


def test_a_mark_comes_behind_the_first_commit_that_is_far_enough() -> None:
    stream = Stream(boundary(100))
    assert seen(stream.round(begin(200), insert(b"1", 160), commit(200))) == [(1, 210, ())]
    stream.reader.marks.add("second", 305)
    stream.reader.marks.add("first", 295)
    assert stream.reader.marks.any_beyond(210)
    made = stream.round(begin(280), insert(b"2", 240), commit(280), begin(300), insert(b"3", 291), commit(300),
                        begin(400), insert(b"4", 391))  # fmt: skip
    assert seen(made) == [(2, 310, ("first", "second"))]
    assert not stream.reader.marks.any_beyond(0)
    assert seen(stream.round(insert(b"5", 392), commit(400))) == [(2, 410, ())]


def test_a_mark_comes_where_the_source_says_that_it_has_come_so_far() -> None:
    """Not within a transaction, whatever it says; and several at one place keep their order."""
    stream = Stream(boundary(100))
    stream.reader.marks.add("one", 150)
    assert seen(stream.round(sent=149)) == []
    assert seen(stream.round(sent=160)) == [(0, 160, ("one",))]
    stream.reader.marks.add("nine", 160)
    stream.reader.marks.add("ten", 160)
    assert seen(stream.round(sent=160)) == [(0, 160, ("nine", "ten"))]
    stream.reader.marks.add("within", 165)
    assert seen(stream.round(begin(200), insert(b"1", 170), sent=180)) == []
    (batch,) = stream.round(commit(200), sent=180)
    assert seen([batch]) == [(1, 210, ("within",))]
    stream.reader.marks.add("late", 170)  # of a place that is long passed, though the source said nothing since
    assert seen(stream.round(sent=180)) == [(0, 210, ("late",))]


def test_changes_behind_a_place_that_was_said_are_counted_from_there() -> None:
    stream = Stream(boundary(100))
    stream.reader.marks.add("one", 150)
    assert seen(stream.round(sent=160)) == [(0, 160, ("one",))]
    stream.round(begin(200), insert(b"1", 170))
    stream.reader.set_tables({TABLE: TableSpec(TABLE, ("id",))})  # has the batch end within the transaction
    (batch,) = stream.round()
    assert batch.end == StreamPosition(Lsn(160), Lsn(170), 0)
    again = Stream(batch.end)
    assert seen(again.round(begin(200), insert(b"1", 170), insert(b"2", 171), commit(200))) == [(1, 210, ())]


@pytest.mark.parametrize("behind", [False, True])
def test_no_place_is_said_before_a_transaction_of_which_somebody_holds_a_part(behind: bool) -> None:
    """Its changes would be counted from another place than before, and come twice."""
    held = StreamPosition(Lsn(100), Lsn(170), 0)
    stream = Stream(held) if behind else Stream(boundary(100), [held])
    stream.reader.marks.add("one", 150)
    assert stream.round(sent=160) == []
    made = stream.round(begin(200), insert(b"1", 170), insert(b"2", 171), commit(200))
    rows = [(batch.row_count, batch.end, batch.watermarks) for batch in made]
    parts = [] if behind else [(1, held, ())]
    assert rows == [*parts, (1, boundary(210), ("one",))]


def test_a_destination_that_is_ahead_takes_what_lies_behind_where_it_stands() -> None:
    stream = Stream(boundary(100), [boundary(140)])
    stream.reader.marks.add("one", 150)
    assert seen(stream.round(sent=160)) == [(0, 140, ()), (0, 160, ("one",))]


def test_a_quiet_stream_rests_where_the_source_has_come() -> None:
    stream = Stream(boundary(100))
    assert seen(stream.round(sent=5000)) == []
    assert seen(stream.round(sent=5000, rest=True)) == [(0, 5000, ())]
    assert stream.outbox.acknowledged == 5000
    assert seen(stream.round(sent=5000, rest=True)) == []
