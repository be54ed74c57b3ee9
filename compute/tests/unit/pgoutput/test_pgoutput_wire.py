"""Signing in, and frames that come in pieces; a socket pair stands for the network."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from struct import pack
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compute.engine.base import EngineSource
from compute.engine.pgoutput import session as session_module
from compute.engine.pgoutput.scram import Scram
from compute.engine.pgoutput.session import ReplicationSession
from compute.engine.pgoutput.wire import WireError, frame
from compute.tests.support.collector import Collector
from compute.tests.support.waiting import eventually
from compute.tests.unit.pgoutput import encoder
from rosetta.lsn import Lsn
from rosetta.postgres import PostgresEndpoint

SOURCE = EngineSource(PostgresEndpoint("db", 5432, "d", "u", "secret", "disable"), "p", "slot")


def test_scram_answers_as_the_rfc_shows() -> None:
    """The example of RFC 7677; PostgreSQL takes the user's name from elsewhere, so it is set here."""
    scram = Scram("pencil", b"rOprNGfwEbeRWgbNEkqO")
    scram._bare = b"n=user,r=rOprNGfwEbeRWgbNEkqO"
    nonce = b"rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    answer = scram.proof(b"r=" + nonce + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    assert answer == b"c=biws,r=" + nonce + b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    assert scram.is_server(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert not scram.is_server(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=")
    assert not Scram("pencil").is_server(b"v=")


@pytest.mark.parametrize("challenge", [b"r=other,s=W22ZaA==,i=4096", b"r=mine+more,i=4096"])
def test_scram_refuses_a_challenge_that_is_no_answer(challenge: bytes) -> None:
    with pytest.raises(ValueError, match="challenge"):
        Scram("pencil", b"mine").proof(challenge)


class Pair:
    """A session whose source is this test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.theirs, ours = socket.socketpair()
        self.theirs.settimeout(5)
        wire = SimpleNamespace(socket=ours, send=lambda kind, body: ours.sendall(frame(kind, body)),
                               receive=lambda: (b"W", b""))  # fmt: skip
        monkeypatch.setattr(session_module, "Wire", lambda _: wire)
        self.session = ReplicationSession(SOURCE)
        self.session.stream(Lsn(100))
        assert b"START_REPLICATION SLOT \"slot\" LOGICAL 0/64 (proto_version '1'" in self.theirs.recv(1000)

    def feed(self, data: bytes) -> list[tuple[bytes, int]]:
        self.theirs.sendall(data)
        self.session.wait(5)
        return self.read()

    def read(self) -> list[tuple[bytes, int]]:
        collector = Collector()
        while self.session.read(collector):
            pass
        return collector.got

    def status(self) -> tuple[int, int, int]:
        data = self.theirs.recv(1000)[-39:]
        assert data[:1] == b"d"
        assert data[5:6] == b"r"
        received, flushed, applied = (int.from_bytes(data[at : at + 8]) for at in (6, 14, 22))
        return received, flushed, applied


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    made = Pair(monkeypatch)
    yield made
    made.session.close()
    made.theirs.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    st.lists(st.one_of(st.binary(min_size=1, max_size=2000), st.booleans()), min_size=1, max_size=20),
    st.lists(st.integers(1, 1500), min_size=1, max_size=10),
)
def test_frames_come_out_whole_however_they_came_in(pair: Pair, items: list[bytes | bool], pieces: list[int]) -> None:
    frames = [
        encoder.keepalive(7, item) if isinstance(item, bool) else encoder.copy_data(item, 1000 + number)
        for number, item in enumerate(items)
    ]
    stream, got, at = b"".join(frames), [], 0
    while at < len(stream):
        size = pieces[at % len(pieces)]
        got += pair.feed(stream[at : at + size])
        at += size
    assert got == [(item, 1000 + number) for number, item in enumerate(items) if isinstance(item, bytes)]


def test_a_frame_larger_than_a_read_comes_whole(pair: Pair) -> None:
    payload = b"x" * 1_000_000
    pair.theirs.setblocking(False)
    data, got = encoder.copy_data(payload, 5), []
    while data:
        try:
            data = data[pair.theirs.send(data) :]
        except BlockingIOError:
            got += pair.read()
    pair.session.wait(5)
    while not got:
        got += pair.read()
    assert got == [(payload, 5)]


def test_nothing_but_what_was_acknowledged_is_said_to_be_durable(pair: Pair) -> None:
    """Whatever the keepalives say: a slot that moved on by one would leave a destination behind."""
    pair.session.tell(Lsn(100))
    assert pair.status() == (100, 100, 100)
    pair.feed(encoder.keepalive(5000, False))
    pair.feed(encoder.copy_data(b"B", 90))
    pair.feed(encoder.keepalive(6000, True))
    pair.session.tell(Lsn(100))
    assert pair.status() == (6000, 100, 100)

    def told() -> bool:
        pair.session.tell(Lsn(150))
        return bool(select.select([pair.theirs], [], [], 0)[0])

    eventually(told)  # news wait for their turn
    assert pair.status() == (6000, 150, 150)


def test_how_far_the_source_has_come_is_asked_now_and_then(pair: Pair) -> None:
    pair.session.tell(Lsn(100), ask=True)
    assert pair.theirs.recv(1000)[-1:] == b"\1"
    pair.session.tell(Lsn(100), ask=True)
    pair.session.tell(Lsn(100), now=True)  # neither asks again so soon, and the first says nothing
    said = pair.theirs.recv(1000)
    assert (len(said), said[-1:]) == (39, b"\0")
    pair.feed(encoder.keepalive(5000, False))
    assert pair.session.sent == 5000


def test_an_error_is_told_without_its_details(pair: Pair) -> None:
    with pytest.raises(WireError, match=r"the slot is gone \(SQLSTATE 55000\)") as caught:
        pair.feed(encoder.error("55000", "the slot is gone", "a row: secret"))
    assert "secret" not in str(caught.value)
    with pytest.raises(WireError) as caught:
        pair.feed(encoder.error("22P02", 'invalid input "secret"', ""))
    assert "secret" not in str(caught.value)


def test_a_closed_connection_is_an_error(pair: Pair) -> None:
    pair.theirs.close()
    pair.session.wait(5)
    with pytest.raises(WireError, match="closed the connection"):
        pair.read()


def test_the_end_waits_for_the_source(pair: Pair) -> None:
    pair.theirs.sendall(encoder.copy_data(b"late", 200) + b"c" + pack(">I", 4))
    pair.session.end()
    assert pair.theirs.recv(100) == b"c" + pack(">I", 4)
