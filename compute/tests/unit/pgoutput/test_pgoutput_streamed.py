"""Transactions in progress: their messages, where they wait, and that the same comes of them as of whole ones."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compute.core.batch import ChangeBatch, TableSpec
from compute.engine.pgoutput import streamed
from compute.engine.pgoutput.assembly import Assembler
from compute.engine.pgoutput.errors import StreamError
from compute.engine.pgoutput.gatherer import Limits
from compute.engine.pgoutput.outbox import Outbox
from compute.engine.pgoutput.reader import StreamReader
from compute.engine.pgoutput.spool import Spool
from compute.engine.pgoutput.swift import PlainMachine
from compute.tests.unit.pgoutput import encoder
from compute.tests.unit.pgoutput.taking import message_by_message, native, take
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition

START = StreamPosition(Lsn(100))
OIDS = {"a": 10, "b": 11}


def specs(*names: str) -> Mapping[TableId, TableSpec]:
    return {table: TableSpec(table, ("id",)) for name in names for table in [TableId("public", name)]}


SPECS = specs(*OIDS)

u32 = st.integers(0, 2**32 - 1)
lsns = st.integers(0, 2**63 - 1)
micros = st.integers(0, 4_000_000_000_000_000)


@given(u32, st.booleans())
def test_start(xid: int, is_first: bool) -> None:
    assert streamed.stream_start(encoder.stream_start(xid, is_first)) == streamed.StreamStart(xid, is_first)


@given(u32, lsns, lsns, micros)
def test_commit(xid: int, commit_lsn: int, end_lsn: int, when: int) -> None:
    read = streamed.stream_commit(encoder.stream_commit(xid, commit_lsn, end_lsn, when))
    assert read == streamed.StreamCommit(xid, commit_lsn, end_lsn, when)
    assert read.begin() == encoder.begin(commit_lsn, when, xid)
    assert read.end() == encoder.commit(commit_lsn, end_lsn, when)


@given(u32, u32, st.binary(max_size=16))
def test_abort(xid: int, subxid: int, later: bytes) -> None:
    """Later versions of the protocol say more at the end."""
    assert streamed.stream_abort(encoder.stream_abort(xid, subxid) + later) == streamed.StreamAbort(xid, subxid)


@given(
    u32, st.sampled_from([encoder.insert(1, [b"x", None]), encoder.truncate([1]), encoder.message(True, 1, "p", b"c")])
)
def test_owned(xid: int, payload: bytes) -> None:
    assert streamed.owned(encoder.owned(xid, payload)) == (xid, payload)


@pytest.mark.parametrize(
    ("parse", "payload"),
    [
        (streamed.stream_start, encoder.stream_start(1, True)),
        (streamed.stream_commit, encoder.stream_commit(1, 2, 3, 4)),
        (streamed.stream_abort, encoder.stream_abort(1, 2)),
        (streamed.owned, encoder.owned(1, b"I")),
    ],
    ids=lambda part: getattr(part, "__name__", ""),
)
def test_a_message_that_was_cut_off_is_refused(parse: Callable[[bytes], object], payload: bytes) -> None:
    for size in range(1, len(payload)):
        with pytest.raises(StreamError):
            parse(payload[:size])


# -- the file ---------------------------------------------------------------------------------------------------------

sizes = st.sampled_from([1, 40, 3_000, 130_000])


@given(st.lists(st.one_of(st.tuples(st.integers(1, 4), sizes), st.integers(1, 4)), max_size=30))
def test_a_spool_is_a_list_that_is_cut_where_a_part_began(steps: Sequence[tuple[int, int] | int]) -> None:
    spool, expected = Spool(), list[tuple[int, bytes]]()
    for number, step in enumerate(steps):
        if isinstance(step, int):
            spool.drop(step)
            starts = [at for at, (xid, _) in enumerate(expected) if xid == step]
            expected = expected[: starts[0]] if starts else expected
        else:
            xid, size = step
            expected.append((xid, b"%c" % (65 + number) * size))
            spool.add(*expected[-1])
    assert b"".join(spool.pieces()) == b"".join(frame for _, frame in expected)
    spool.close()


def test_pieces_are_of_whole_frames_and_memory_holds_one() -> None:
    spool = Spool()
    frame = b"d" + b"x" * 9_999
    for _ in range(100):
        spool.add(1, frame)
        assert spool._waiting_bytes < 150_000
    sizes = [len(piece) for piece in spool.pieces()]
    assert sum(sizes) == 1_000_000
    assert {size % 10_000 for size in sizes} == {0}
    assert max(sizes) < 150_000
    spool.close()


# -- the whole --------------------------------------------------------------------------------------------------------


@dataclass
class Transaction:
    """What one does, in order: changes of itself or of a part, and parts that are given up."""

    xid: int
    commits: bool
    steps: list[tuple[int, bytes] | int]  # whose change, or which part is given up
    sent: int = 0
    has_started: bool = False
    kept: list[tuple[int, int, bytes]] = field(default_factory=list)  # of whom, LSN, message


@st.composite
def transaction(draw: st.DrawFn, xid: int) -> Transaction:
    """Parts lie in each other as savepoints do; what a part that is given up was joined by goes before it."""
    steps: list[tuple[int, bytes] | int] = []
    joined: dict[int, list[int]] = {}
    parts, next_part = [xid], xid + 1
    for _ in range(draw(st.integers(1, 12))):
        move = draw(st.sampled_from(["change", "change", "change", "message", "savepoint", "release", "undo"]))
        if move == "savepoint":
            parts.append(next_part)
            next_part += 1
        elif move in {"release", "undo"} and len(parts) > 1:
            part = parts.pop()
            if move == "undo":
                steps += [*joined.pop(part, []), part]
            else:
                joined.setdefault(parts[-1], []).extend([*joined.pop(part, []), part])
        elif move == "message":
            steps.append((parts[-1], encoder.message(True, 1, "rosetta", b"m%d" % next_part)))
        else:
            oid, key = draw(st.sampled_from(sorted(OIDS.values()))), draw(st.sampled_from([b"1", b"2", b"3"]))
            new = [key, b"%d of %d" % (len(steps), xid)]
            made = draw(st.sampled_from([encoder.insert(oid, new), encoder.update(oid, new),
                                         encoder.update(oid, new, [b"1", None]), encoder.delete(oid, [key, None]),
                                         encoder.truncate([oid])]))  # fmt: skip
            steps.append((parts[-1], made))
    return Transaction(xid, draw(st.booleans()), steps)


def relations(oid: int) -> bytes:
    name = next(name for name, known in OIDS.items() if known == oid)
    return encoder.relation(oid, "public", name, "d", [("id", True, 25, -1), ("v", False, 25, -1)])


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """The same transactions in progress, and whole at their commits."""
    some = [draw(transaction(1000 * (number + 1))) for number in range(draw(st.integers(1, 4)))]
    head = [encoder.copy_data(relations(oid), 0) for oid in OIDS.values()]
    streaming, whole, lsn = list(head), list(head), 200
    while some:
        one = draw(st.sampled_from(some))
        lsn = _send_piece(draw, one, streaming, lsn)
        if one.sent == len(one.steps):
            some.remove(one)
            lsn += 50
            if one.commits:
                _commit(one, streaming, whole, lsn)
            else:
                streaming.append(encoder.copy_data(encoder.stream_abort(one.xid, one.xid), lsn))
            if draw(st.booleans()):  # another one that was small enough to come whole
                lsn += 50
                for kind in (streaming, whole):
                    kind.append(encoder.copy_data(encoder.begin(lsn + 10, 5, 77), lsn))
                    kind.append(encoder.copy_data(encoder.insert(OIDS["a"], [b"%d" % lsn, b"small"]), lsn))
                    kind.append(encoder.copy_data(encoder.commit(lsn + 10, lsn + 20, 5), lsn + 10))
                lsn += 20
    return b"".join(streaming), b"".join(whole)


def _send_piece(draw: st.DrawFn, one: Transaction, streaming: list[bytes], lsn: int) -> int:
    streaming.append(encoder.copy_data(encoder.stream_start(one.xid, not one.has_started), lsn))
    if not one.has_started:
        streaming += [encoder.copy_data(encoder.owned(one.xid, relations(oid)), 0) for oid in OIDS.values()]
        streaming.append(encoder.copy_data(b"O" + bytes(8) + b"elsewhere\0", lsn))
    one.has_started = True
    end = len(one.steps) - draw(st.integers(0, len(one.steps) - one.sent))  # perhaps nothing
    while one.sent < end:
        step = one.steps[one.sent]
        if isinstance(step, int):
            break
        lsn += draw(st.integers(0, 1))  # several changes of one record share its LSN
        streaming.append(encoder.copy_data(encoder.owned(step[0], step[1]), lsn))
        one.kept.append((step[0], lsn, step[1]))
        one.sent += 1
    streaming.append(encoder.copy_data(encoder.stream_stop(), lsn))
    lsn += 1
    while one.sent < len(one.steps) and isinstance(part := one.steps[one.sent], int):
        streaming.append(encoder.copy_data(encoder.stream_abort(one.xid, part), lsn))
        one.kept = [kept for kept in one.kept if kept[0] != part]
        one.sent += 1
    return lsn


def _commit(one: Transaction, streaming: list[bytes], whole: list[bytes], lsn: int) -> None:
    streaming.append(encoder.copy_data(encoder.stream_commit(one.xid, lsn, lsn + 10, 7), lsn))
    whole.append(encoder.copy_data(encoder.begin(lsn, 7, one.xid), lsn))
    whole += [encoder.copy_data(message, at) for _, at, message in one.kept]
    whole.append(encoder.copy_data(encoder.commit(lsn, lsn + 10, 7), lsn))


def read(
    data: bytes,
    pieces: int,
    *,
    assembled: bool,
    way: str = "swift",
    limits: Limits | None = None,
    tables: Mapping[TableId, TableSpec] = SPECS,
) -> list[ChangeBatch]:
    outbox = Outbox(1 << 40, START.commit_lsn)
    limits = limits or Limits(1 << 30, 1 << 30)
    machine = native() if way == "native" else PlainMachine()
    reader = StreamReader(outbox, limits, START, (), lambda: None, machine)
    reader.set_tables(tables)
    intake = Assembler(reader, outbox, lambda: None) if assembled else reader
    slowly = message_by_message if way == "one by one" else None
    return take(data, reader, outbox, pieces=pieces, intake=intake, way=slowly)


def contents(batches: Sequence[ChangeBatch]) -> list[tuple[object, ...]]:
    """What is so of them wherever they were cut."""
    return [
        (batch.end, batch.truncated, batch.tables, batch.watermarks, batch.commit_time)
        for batch in batches
        if batch.tables or batch.truncated or batch.watermarks
    ]


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None, max_examples=150)
@given(streams(), st.sampled_from([Limits(1 << 30, 1 << 30), Limits(1, 1 << 30, 3), Limits(1, 900)]))
def test_the_same_comes_of_transactions_in_progress_as_of_whole_ones(data: tuple[bytes, bytes], limits: Limits) -> None:
    streaming, whole = data
    expected = contents(read(whole, 1, assembled=False, limits=limits))
    assert contents(read(streaming, 1, assembled=True, limits=limits)) == expected
    assert contents(read(streaming, 1, assembled=True, way="one by one", limits=limits)) == expected
    assert contents(read(whole, 1, assembled=True, limits=limits)) == expected


@pytest.mark.parametrize("version", ["15", "16", "18"])
@pytest.mark.parametrize("limits", [Limits(1 << 30, 1 << 30), Limits(1 << 30, 1 << 30, 5)], ids=["whole", "cut"])
def test_the_same_comes_of_what_servers_sent_in_progress_and_whole(version: str, limits: Limits) -> None:
    """See `record_streamed`."""
    recorded = gzip.decompress((Path(__file__).parent / "vectors" / f"{version}-streamed.gz").read_bytes()).decode()
    sent: dict[str, list[tuple[int, bytes]]] = {"S": [], "W": []}
    for line in recorded.splitlines():
        how, lsn, message = line.split()
        sent[how].append((int(lsn, 16), bytes.fromhex(message)))
    aborts = [streamed.stream_abort(message) for _, message in sent["S"] if message[0] == streamed.ABORT]
    assert {abort.xid == abort.subxid for abort in aborts} == {True, False}
    kinds = b"".join(message[:1] for _, message in sent["S"])
    assert (set(kinds) >= set(b"SEcABCRYIUDTM"), kinds.count(b"S") >= 10, kinds.count(b"c")) == (True, True, 2)
    assert not set(b"".join(message[:1] for _, message in sent["W"])) & set(b"SEcA")
    streaming, whole = (b"".join(encoder.copy_data(one, lsn) for lsn, one in sent[how]) for how in "SW")
    tables = specs("wide", "small")
    expected = contents(read(whole, 1, assembled=False, limits=limits, tables=tables))
    assert len(expected) > 2
    for way in ("swift", "one by one", "native"):
        assert contents(read(streaming, 1, assembled=True, way=way, limits=limits, tables=tables)) == expected


@pytest.mark.parametrize("pieces", [1, 3, 50])
def test_wherever_the_network_cuts(pieces: int) -> None:
    frames = [encoder.copy_data(encoder.stream_start(7, True), 200)]
    frames += [encoder.copy_data(encoder.owned(7, relations(10)), 0)]
    frames += [
        encoder.copy_data(encoder.owned(7, encoder.insert(10, [b"%d" % n, b"x" * 3000])), 201) for n in range(99)
    ]
    frames += [
        encoder.copy_data(encoder.stream_stop(), 202),
        encoder.copy_data(encoder.stream_commit(7, 300, 310, 9), 300),
    ]
    (batch,) = read(b"".join(frames), pieces, assembled=True)
    (table,) = batch.tables
    assert (table.row_count, batch.end) == (99, StreamPosition(Lsn(310)))
    assert bytes(table.data).splitlines()[98].split(b"\t")[:5] == [b"c", b"201", b"98", b"7", b"9"]


def test_a_relation_that_was_described_meanwhile_is_known_by_what_came_last() -> None:
    """The source tells of a relation once; a transaction in progress may have been told something older."""
    newer = encoder.relation(10, "public", "a", "d", [("id", True, 25, -1), ("v", False, 25, -1), ("w", False, 25, -1)])
    frames = [
        encoder.stream_start(7, True),
        encoder.owned(7, relations(10)),
        encoder.owned(7, encoder.insert(10, [b"1", b"old"])),
        encoder.stream_stop(),
        newer,
        encoder.begin(290, 1, 8),
        encoder.insert(10, [b"2", b"new", b"w"]),
        encoder.commit(290, 295, 1),
        encoder.stream_commit(7, 300, 310, 9),
        encoder.begin(390, 1, 9),
        encoder.insert(10, [b"3", b"new", b"w"]),
        encoder.commit(390, 395, 1),
    ]
    data = b"".join(encoder.copy_data(frame, 200 + number) for number, frame in enumerate(frames))
    batches = read(data, 1, assembled=True)
    assert [(len(table.columns), table.row_count) for batch in batches for table in batch.tables] == [
        (3, 1),
        (2, 1),
        (3, 1),
    ]


@pytest.mark.parametrize(
    "frames",
    [
        [encoder.stream_commit(7, 300, 310, 9)],
        [encoder.stream_start(7, False)],
        [encoder.stream_start(7, True), encoder.stream_stop(), encoder.stream_start(7, True)],
        [encoder.stream_start(7, True), encoder.begin(1, 2, 3)],
        [encoder.stream_start(7, True), encoder.stream_start(8, True)],
    ],
    ids=["commit of nothing", "no first piece", "two first pieces", "a transaction in a piece", "a piece in a piece"],
)
def test_what_does_not_follow_is_refused(frames: list[bytes]) -> None:
    with pytest.raises(StreamError):
        read(b"".join(encoder.copy_data(frame, 200) for frame in frames), 1, assembled=True)


def test_reading_again_ends_when_nobody_wants_it_any_more() -> None:
    outbox = Outbox(1 << 40, START.commit_lsn)
    reader = StreamReader(outbox, Limits(1 << 30, 1 << 30), START, (), lambda: None, PlainMachine())
    reader.set_tables(SPECS)
    chores: list[None] = []
    assembler = Assembler(reader, outbox, lambda: chores.append(None))
    assembler.read(encoder.stream_start(7, True), 200)
    assembler.read(encoder.owned(7, relations(10)), 200)
    for number in range(1000):
        assembler.read(encoder.owned(7, encoder.insert(10, [b"%d" % number, b"x" * 1000])), 201)
    assembler.read(encoder.stream_stop(), 202)
    assert assembler.seen == 202
    outbox.close()
    assembler.read(encoder.stream_commit(7, 300, 310, 9), 300)
    assert len(chores) == 1
    assert outbox.take(0.0) is None
    assembler.close()
