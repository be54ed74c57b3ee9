"""Messages mean what the manual says: against an encoder of our own, and against bytes that real servers sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.engine.pgoutput import protocol
from compute.engine.pgoutput.errors import StreamError
from compute.tests.unit.pgoutput import encoder
from rosetta.identifiers import TableId

VECTORS = Path(__file__).with_name("vectors")

u32 = st.integers(0, 2**32 - 1)
lsns = st.integers(0, 2**63 - 1)
micros = st.integers(0, 4_000_000_000_000_000)
names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=63)
texts = st.binary(max_size=300).map(lambda raw: raw.replace(b"\0", b"0"))
fields = st.one_of(texts, st.none(), st.just(encoder.TOAST))


def _mine(row: list[encoder.Field]) -> list[protocol.Value]:
    return [protocol.UNCHANGED if field is encoder.TOAST else field for field in row]  # type: ignore[misc]


@given(lsns, micros, u32)
def test_begin(final_lsn: int, when: int, xid: int) -> None:
    assert protocol.begin(encoder.begin(final_lsn, when, xid)) == protocol.Begin(final_lsn, when, xid)


@given(lsns, lsns, micros)
def test_commit(commit_lsn: int, end_lsn: int, when: int) -> None:
    assert protocol.commit(encoder.commit(commit_lsn, end_lsn, when)) == protocol.Commit(commit_lsn, end_lsn, when)


@given(
    u32,
    names,
    names,
    st.sampled_from("dnfi"),
    st.lists(st.tuples(names, st.booleans(), u32, st.integers(-(2**31), 2**31 - 1)), max_size=20),
)
def test_relation(oid: int, schema: str, name: str, identity: str, columns: list[tuple[str, bool, int, int]]) -> None:
    read = protocol.relation(encoder.relation(oid, schema, name, identity, columns))
    expected = tuple(protocol.Column(*column) for column in columns)
    assert read == protocol.Relation(oid, TableId(schema, name), identity, expected)


@given(u32, st.lists(fields, max_size=40), st.integers(0, 45))
def test_rows(oid: int, row: list[encoder.Field], limit: int) -> None:
    payload = encoder.insert(oid, row)
    assert protocol.values(payload) == (_mine(row), len(payload))
    assert protocol.values(payload, limit=limit)[0] == _mine(row)[:limit]
    assert protocol.insert_of(_mine(row), payload) == payload


@given(u32, st.lists(fields, max_size=10), st.lists(fields, max_size=10), st.sampled_from([b"K", b"O"]))
def test_old_rows_stand_before_new_ones(
    oid: int, old: list[encoder.Field], new: list[encoder.Field], kind: bytes
) -> None:
    payload = encoder.update(oid, new, old, kind)
    before, at = protocol.values(payload)
    assert before == _mine(old)
    assert payload[at] == protocol.NEW
    assert protocol.values(payload, at + 1) == (_mine(new), len(payload))


@given(st.lists(u32, max_size=10), st.integers(0, 3))
def test_truncate(oids: list[int], options: int) -> None:
    assert protocol.truncate(encoder.truncate(oids, options)) == tuple(oids)


@given(st.booleans(), lsns, names, st.binary(max_size=200))
def test_message(transactional: bool, lsn: int, prefix: str, content: bytes) -> None:
    read = protocol.message(encoder.message(transactional, lsn, prefix, content))
    assert read == protocol.Message(transactional, lsn, prefix, content)


WHOLE = [
    (protocol.begin, encoder.begin(1, 2, 3)),
    (protocol.commit, encoder.commit(1, 2, 3)),
    (protocol.relation, encoder.relation(1, "s", "t", "d", [("a", True, 23, -1)])),
    (protocol.values, encoder.insert(1, [b"one", b"two"])),
    (protocol.truncate, encoder.truncate([1, 2])),
    (protocol.message, encoder.message(True, 1, "rosetta", b"content")),
]


@pytest.mark.parametrize(("parse", "payload"), WHOLE, ids=lambda part: getattr(part, "__name__", ""))
def test_a_message_that_was_cut_off_is_refused_without_quoting_it(parse: object, payload: bytes) -> None:
    for size in range(1, len(payload)):
        with pytest.raises(StreamError) as caught:
            parse(payload[:size])  # type: ignore[operator]
        assert "one" not in str(caught.value)


def test_binary_values_are_refused() -> None:
    with pytest.raises(StreamError):
        protocol.values(b"I\0\0\0\1N\0\1b\0\0\0\1x")


def _recorded(version: str) -> list[bytes]:
    return [bytes.fromhex(line.split()[1]) for line in (VECTORS / f"{version}.txt").read_text().splitlines()]


@pytest.mark.parametrize("version", ["15", "16", "18"])
def test_what_servers_sent(version: str) -> None:
    payloads = _recorded(version)
    kinds = b"".join(payload[:1] for payload in payloads)
    assert set(kinds) == set(b"BCRYIUDTMO")
    relations = [protocol.relation(payload) for payload in payloads if payload[0] == protocol.RELATION]
    assert [(one.table.name, one.identity) for one in relations[:3]] == [("T a", "d"), ("bag", "f"), ("indexed", "i")]
    assert [column.name for column in relations[0].columns] == ["id", "v", "big", "m", "n"]
    assert [column.in_identity for column in relations[0].columns] == [True, False, False, False, False]
    assert [column.name for column in relations[3].columns] == ["a", "b", "c"]
    rows = [protocol.values(payload)[0] for payload in payloads if payload[0] == protocol.INSERT]
    assert rows[0] == [b"1", b"tab\t, line\n, back\\", b"x" * 3000, b"fine", b"1.50"]
    assert rows[1] == [b"2", None, b"", None, b"NaN"]
    update, move = [payload for payload in payloads if payload[0] == protocol.UPDATE][:2]
    assert protocol.values(update)[0] == [b"1", "ä€😀".encode(), protocol.UNCHANGED, b"fine", b"1.50"]
    old, at = protocol.values(move)
    assert (chr(move[5]), old) == ("K", [b"1", None, None, None, None])
    assert protocol.values(move, at + 1)[0][:3] == [b"3", "ä€😀".encode(), protocol.UNCHANGED]
    deletes = [(chr(payload[5]), protocol.values(payload)[0]) for payload in payloads if payload[0] == protocol.DELETE]
    assert deletes == [("K", [b"2", None, None, None, None]), ("O", [None, None]), ("K", [b"2", None])]
    truncate = protocol.truncate(next(payload for payload in payloads if payload[0] == protocol.TRUNCATE))
    assert truncate == (relations[1].oid, relations[2].oid)
    messages = [protocol.message(payload) for payload in payloads if payload[0] == protocol.MESSAGE]
    assert [(one.transactional, one.prefix, one.content) for one in messages] == [
        (True, "rosetta", b"in a transaction"),
        (False, "rosetta", b"alone"),
        (True, "rosetta", b"end"),
    ]
    begins = [protocol.begin(payload) for payload in payloads if payload[0] == protocol.BEGIN]
    commits = [protocol.commit(payload) for payload in payloads if payload[0] == protocol.COMMIT]
    assert len(begins) == len(commits)
    for begun, ended in zip(begins, commits, strict=True):
        assert (begun.final_lsn, begun.micros) == (ended.commit_lsn, ended.micros)
        assert ended.end_lsn > ended.commit_lsn
