"""Ordinary messages go three ways, message by message, swiftly, and compiled: the same batches come of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compute.core.batch import ChangeBatch, TableSpec
from compute.engine.pgoutput.gatherer import Limits
from compute.engine.pgoutput.gathering import Gathering
from compute.engine.pgoutput.outbox import Outbox
from compute.engine.pgoutput.reader import StreamReader
from compute.engine.pgoutput.swift import Machine, PlainMachine
from compute.tests.unit.pgoutput import encoder
from compute.tests.unit.pgoutput.taking import Way, message_by_message, native, take
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition

OIDS = {"a": 10, "b": 0x0100_000A, "kept": 12, "passed": 13, "pair": 14}
SPECS = {
    TableId("public", "a"): TableSpec(TableId("public", "a"), ("id",)),
    TableId("public", "b"): TableSpec(TableId("public", "b"), ("id",)),
    TableId("public", "kept"): TableSpec(TableId("public", "kept"), ("id",), fold=False),
    TableId("public", "pair"): TableSpec(TableId("public", "pair"), ("id", "v")),
}
START = StreamPosition(Lsn(100))
LIMITS = Limits(1 << 30, 1 << 30)  # where batches end by size is each way's own estimate


keys = st.sampled_from([b"1", b"2", b"3", b"key\twith\\all", b"", b'"{', b"long " * 60])
texts = st.one_of(
    st.none(),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12).map(str.encode),
    st.sampled_from(
        [b"n", b"u", b"nu", b"t", b"\\N", b"tab\t", b"line\n", b"\r\b\f\v\\", b"x" * 255, b"y" * 256, b"z" * 70_000]
    ),
)
later = st.one_of(texts, st.just(encoder.TOAST))
tables = st.sampled_from(sorted(OIDS))


def row(draw: st.DrawFn, key: bytes, values: st.SearchStrategy[encoder.Field]) -> list[encoder.Field]:
    return [key, draw(values), draw(values)]


@st.composite
def change(draw: st.DrawFn) -> bytes:
    table, key = draw(tables), draw(keys)
    oid, kind = OIDS[table], draw(st.sampled_from("IUUDMO"))
    if table == "pair":  # its second column is of its key, and not NULL
        new: list[encoder.Field] = [key, draw(st.sampled_from([b"p", b"q"])), draw(texts)]
        made = {"I": encoder.insert(oid, new), "D": encoder.delete(oid, [*new[:2], None])}
        return made.get(kind, encoder.update(oid, new))
    if kind in "ID":
        return encoder.insert(oid, row(draw, key, texts)) if kind == "I" else encoder.delete(oid, [key, None, None])
    if kind == "O":
        return encoder.update(oid, row(draw, key, texts), row(draw, key, texts), b"O")
    return encoder.update(oid, row(draw, key, later), [draw(keys), None, None] if kind == "M" else None)


@st.composite
def stream(draw: st.DrawFn) -> bytes:
    frames = [
        encoder.copy_data(encoder.relation(oid, "public", name, "d", [("id", True, 25, -1), ("v", False, 25, -1),
                                                                     ("w", False, 25, -1)]), 0)
        for name, oid in OIDS.items()
    ]  # fmt: skip
    lsn = 200
    for number in range(draw(st.integers(1, 4))):
        frames.append(
            encoder.copy_data(
                encoder.begin(lsn + 90, 1_700_000_000_000_000 + number, 0xFFFF_FFFE + number & 0xFFFF_FFFF), lsn
            )
        )
        for one in draw(st.lists(change(), max_size=12)):
            lsn += draw(st.integers(0, 1))  # several changes of one record share its LSN
            frames.append(encoder.copy_data(one, lsn))
        lsn += 100
        frames.append(encoder.copy_data(encoder.commit(lsn - 10, lsn, 0), lsn - 10))
    return b"".join(frames)


def batches(
    data: bytes,
    machine: Machine,
    way: Way | None,
    pieces: int,
    specs: Mapping[TableId, TableSpec] = SPECS,
) -> list[ChangeBatch]:
    """What comes of a stream, taken at each of so many pieces."""
    outbox = Outbox(1 << 40, START.commit_lsn)
    reader = StreamReader(outbox, LIMITS, START, (), lambda: None, machine)
    reader.set_reference(0xFFFF_FFF0)
    reader.set_tables(specs)
    return take(data, reader, outbox, pieces=pieces, way=way)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None, max_examples=150)
@given(stream(), st.integers(1, 4))
def test_every_way_gives_the_same(data: bytes, pieces: int) -> None:
    expected = batches(data, PlainMachine(), message_by_message, pieces)
    assert batches(data, PlainMachine(), None, pieces) == expected
    assert batches(data, native(), None, pieces) == expected
    assert batches(data, native(), message_by_message, pieces) == expected


@pytest.mark.parametrize("version", ["15", "16", "18"])
@pytest.mark.parametrize("pieces", [1, 7])
def test_every_way_gives_the_same_of_what_servers_sent(version: str, pieces: int) -> None:
    lines = (Path(__file__).with_name("vectors") / f"{version}.txt").read_text().splitlines()
    frames = [encoder.copy_data(bytes.fromhex(line.split()[1]), int(line.split()[0], 16)) for line in lines]
    keys = {"T a": ("id",), "bag": (), "indexed": ("a",)}
    specs = {table: TableSpec(table, key) for name, key in keys.items() for table in [TableId("public", name)]}
    data = b"".join(frames)
    expected = batches(data, PlainMachine(), message_by_message, pieces, specs)
    assert {changes.table.name for batch in expected for changes in batch.tables} == keys.keys()
    assert batches(data, PlainMachine(), None, pieces, specs) == expected
    assert batches(data, native(), None, pieces, specs) == expected


def test_a_batch_ends_where_its_size_asks_for_it() -> None:
    """Between transactions from the soft limit on, and anywhere from the hard one on."""
    rows = [encoder.insert(10, [b"%d" % number, b"x" * 100, None]) for number in range(100)]
    head = encoder.copy_data(encoder.relation(10, "public", "a", "d", [("id", True, 25, -1), ("v", False, 25, -1),
                                                                      ("w", False, 25, -1)]), 0)  # fmt: skip
    data, lsn = head, 200
    for first in range(0, 100, 20):
        data += encoder.copy_data(encoder.begin(lsn + 30, 1, 700), lsn)
        data += b"".join(encoder.copy_data(one, lsn + number) for number, one in enumerate(rows[first : first + 20]))
        lsn += 100
        data += encoder.copy_data(encoder.commit(lsn - 10, lsn, 1), lsn - 10)
    for machine in (PlainMachine(), native()):
        outbox = Outbox(1 << 40, START.commit_lsn)
        reader = StreamReader(outbox, Limits(3_000, 1 << 20), START, (), lambda: None, machine)
        reader.set_tables(SPECS)
        assert [batch.end.at_boundary for batch in take(data, reader, outbox)] == [True] * 5
        small = StreamReader(
            box := Outbox(1 << 40, START.commit_lsn), Limits(1_000, 2_000), START, (), lambda: None, machine
        )
        small.set_tables(SPECS)
        assert not all(batch.end.at_boundary for batch in take(data, small, box))


@pytest.mark.parametrize("way", [None, message_by_message])
@pytest.mark.parametrize("make", [PlainMachine, native])
def test_a_batch_never_has_more_changes_than_it_may(make: Callable[[], Machine], way: Way | None) -> None:
    """Between transactions from half of them on, anywhere at the most; what is passed over does not count."""
    head = b"".join(
        encoder.copy_data(encoder.relation(OIDS[name], "public", name, "d", [("id", True, 25, -1),
                                                                            ("v", False, 25, -1)]), 0)
        for name in ("a", "passed")
    )  # fmt: skip
    data, lsn = head, 200
    for changes in (3, 2, 1, 25, 4, 7):
        data += encoder.copy_data(encoder.begin(lsn + 90, 1, 700), lsn)
        for number in range(changes):
            data += encoder.copy_data(encoder.insert(OIDS["a"], [b"%d" % (lsn + number), b"x"]), lsn + number)
            data += encoder.copy_data(encoder.insert(OIDS["passed"], [b"%d" % number, b"x"]), lsn + number)
        lsn += 100
        data += encoder.copy_data(encoder.commit(lsn - 10, lsn, 1), lsn - 10)
    outbox = Outbox(1 << 40, START.commit_lsn)
    reader = StreamReader(outbox, Limits(1 << 30, 1 << 30, 10), START, (), lambda: None, make())
    reader.set_tables(SPECS)
    batches = take(data, reader, outbox, way=way)
    assert [batch.row_count for batch in batches] == [5, 10, 10, 6, 10, 1]
    assert [batch.end.at_boundary for batch in batches] == [True, False, False, True, False, True]


def test_changes_wait_where_as_many_as_may_be_are_not_acknowledged() -> None:
    outbox = Outbox(1 << 40, START.commit_lsn, 10)

    def take_next(changes: int) -> ChangeBatch | None:
        outbox.offer(Gathering(START, {}, START, retained_bytes=1, changes=changes))
        return outbox.take(0.0)

    assert take_next(12) is not None  # however many one batch has
    assert take_next(1) is None
    outbox.acknowledge(1)
    assert take_next(6) is not None
    assert take_next(5) is None
    assert take_next(4) is not None
