"""Snowpipe Streaming against a server that is strict: what is accepted, what is durable, and what faults do to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from compute.destinations.snowflake.streaming.channel import Clock, Pipe
from compute.destinations.snowflake.streaming.rest import StreamingRest
from compute.destinations.snowflake.streaming.rows import requests_of
from compute.destinations.snowflake.streaming.stream import Part, Stream
from compute.tests.support.streaming_server import Fault, StreamingServer, serving
from rosetta.dialects.snowflake.keys import SigningKey
from rosetta.errors import DataError, FencedError, OutageError
from rosetta.lsn import Lsn, StreamPosition
from rosetta.snowflake import SnowflakeEndpoint

KEY = SigningKey(rsa.generate_private_key(65537, 2048))
PROGRESS = Pipe("DB", "S", "_ROSETTA_PROGRESS")
ORDERS = Pipe("DB", "S", "ORDERS")
ITEMS = Pipe("DB", "S", 'IT "EMS')


@dataclass
class TestClock:
    """Time that passes only where somebody waits for it."""

    seconds: float = 0.0
    waited: list[float] = field(default_factory=list)

    __test__ = False

    def pause(self, seconds: float) -> None:
        self.seconds += seconds
        self.waited.append(seconds)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.seconds, self.pause)


@pytest.fixture
def server() -> Iterator[StreamingServer]:
    with serving(KEY, "org-acct", "loader") as made:
        yield made


@pytest.fixture
def time() -> TestClock:
    return TestClock()


def endpoint_of(server: StreamingServer, key: SigningKey = KEY) -> SnowflakeEndpoint:
    return SnowflakeEndpoint("org-acct", "loader", "DB", "S", key, host=server.host, port=server.port, scheme="http")


class Streams:
    """Makes streams onto one server, and closes them."""

    def __init__(self, server: StreamingServer, time: TestClock) -> None:
        self._server, self._time = server, time
        self._rests: list[StreamingRest] = []

    def __call__(self, key: SigningKey = KEY) -> Stream:
        rest = StreamingRest(endpoint_of(self._server, key), self._time.pause)
        self._rests.append(rest)
        return Stream(rest, PROGRESS, "rosetta_1_2", self._time.clock)

    def close(self) -> None:
        for rest in self._rests:
            rest.close()


@pytest.fixture
def streams(server: StreamingServer, time: TestClock) -> Iterator[Streams]:
    made = Streams(server, time)
    yield made
    made.close()


@pytest.fixture
def stream(streams: Streams) -> Stream:
    made = streams()
    made.open(1)
    return made


def at(commit: int) -> StreamPosition:
    return StreamPosition(Lsn(commit))


def lines(*ids: int) -> list[bytes]:
    return [b'{"ID":%d}\n' % number for number in ids]


def part(*ids: int, pipe: Pipe = ORDERS, sync_id: int = 1) -> Part:
    return Part(sync_id, pipe, lines(*ids))


def ids(server: StreamingServer, table: str = "ORDERS") -> list[Any]:
    return [row["ID"] for row in server.rows(table)]


def look(stream: Stream, time: TestClock) -> StreamPosition | None:
    time.seconds += 2
    return stream.durable_position()


def test_accepted_is_not_durable_until_snowflake_says_so(
    server: StreamingServer, stream: Stream, time: TestClock
) -> None:
    server.commits_at_once = False
    assert stream.write(at(10), [part(1, 2), part(7, pipe=ITEMS, sync_id=2)]).rows == 3
    assert look(stream, time) is None
    assert ids(server) == []
    server.commit()
    assert look(stream, time) is None  # progress is on its way, behind the rows
    server.commit()
    assert look(stream, time) == at(10)
    assert (ids(server), ids(server, 'IT "EMS')) == ([1, 2], [7])
    asked = len(server.requests)
    assert look(stream, time) == at(10)
    assert len(server.requests) == asked  # nothing is asked when nothing is under way


def test_a_restart_goes_on_from_the_committed_token(
    server: StreamingServer, streams: Streams, stream: Stream, time: TestClock
) -> None:
    stream.write(at(10), [part(1)])
    stream.write(at(20), [part(2)])
    assert [look(stream, time), look(stream, time)][-1] == at(20)
    server.commits_at_once = False
    stream.write(at(30), [part(3)])
    server.commit()  # rows are there, progress is not
    again = streams()
    again.open(2)
    server.commits_at_once = True
    assert look(again, time) == at(20)
    assert again.write(at(30), [part(3)]).rows == 0  # passed over: its rows are committed
    again.write(at(40), [part(4)])
    assert [look(again, time), look(again, time)][-1] == at(40)
    assert ids(server) == [1, 2, 3, 4]


def test_what_was_under_way_when_the_connection_was_lost_is_sent_again_once(
    server: StreamingServer, stream: Stream, time: TestClock
) -> None:
    server.commits_at_once = False
    stream.write(at(10), [part(1)])
    stream.close()
    for channel in server.channels.values():
        channel.under_way.clear()  # accepted, and lost
        channel.sequencer += 1
    server.commits_at_once = True
    stream.open(1)
    assert [look(stream, time) for _ in range(3)][-1] == at(10)
    assert ids(server) == [1]


def test_a_reply_that_is_lost_doubles_nothing(server: StreamingServer, stream: Stream, time: TestClock) -> None:
    server.faults.append(Fault("ORDERS-STREAMING/channels", lost=True, times=2))  # the opening's, then the rows'
    stream.write(at(10), [part(1, 2)])
    server.faults.append(Fault("/rows", lost=True))
    stream.write(at(20), [part(3)])
    assert [look(stream, time) for _ in range(3)][-1] == at(20)
    assert ids(server) == [1, 2, 3]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_given_time(server: StreamingServer, stream: Stream, time: TestClock, status: int) -> None:
    stream.write(at(10), [part(1)])
    time.waited.clear()
    server.faults.append(Fault("/rows", status, times=1, headers={"Retry-After": "7"}))
    server.faults.append(Fault("/rows", status, times=2))
    stream.write(at(20), [part(2)])
    assert 7.0 in time.waited  # as long as the server asked for
    server.faults.append(Fault("/rows", status, times=1000))
    with pytest.raises(OutageError) as caught:
        stream.write(at(30), [part(3)])
    assert caught.value.code == "STREAMING_BUSY"
    server.faults.clear()
    stream.write(at(30), [part(3)])  # as a writer does after an outage
    assert [look(stream, time) for _ in range(3)][-1] == at(30)
    assert ids(server) == [1, 2, 3]


def test_an_expired_token_is_replaced(server: StreamingServer, stream: Stream, time: TestClock) -> None:
    stream.write(at(10), [part(1)])
    server.forget_tokens()
    stream.write(at(20), [part(2)])
    assert [look(stream, time) for _ in range(3)][-1] == at(20)
    assert ids(server) == [1, 2]


def test_a_key_that_is_not_the_users_is_told_with_its_remedy(streams: Streams) -> None:
    with pytest.raises(OutageError) as caught:
        streams(SigningKey(rsa.generate_private_key(65537, 2048))).open(1)
    assert caught.value.code == "KEY_REJECTED"
    assert "ALTER USER" in str(caught.value.remedy)


def test_a_table_without_a_pipe_is_an_outage_with_its_remedy(server: StreamingServer, stream: Stream) -> None:
    server.pipes = {PROGRESS.path.replace("%20", " ")}
    with pytest.raises(OutageError) as caught:
        stream.write(at(10), [part(1)])
    assert caught.value.code == "STREAMING_TARGET_MISSING"
    assert caught.value.remedy
    assert "canary" not in caught.value.message


def test_the_older_of_two_writers_gives_up(
    server: StreamingServer, streams: Streams, stream: Stream, time: TestClock
) -> None:
    stream.write(at(10), [part(1)])
    assert [look(stream, time) for _ in range(3)][-1] == at(10)
    second = streams()
    second.open(2)
    assert second.durable_position() == at(10)
    second.write(at(20), [part(2)])
    with pytest.raises(FencedError):
        stream.write(at(20), [part(2)])
    with pytest.raises(FencedError):
        streams().open(1)
    second.write(at(30), [part(3)])
    assert [look(second, time) for _ in range(3)][-1] == at(30)
    assert sorted(set(ids(server))) == [1, 2, 3]


def test_rows_that_snowflake_skips_hold_the_position_back_until_somebody_is_told(
    server: StreamingServer, streams: Streams, stream: Stream, time: TestClock
) -> None:
    server.refuses = lambda row: row.get("ID") == 2
    stream.write(at(10), [part(1, 2, 3), part(7, pipe=ITEMS, sync_id=2)])
    assert [look(stream, time) for _ in range(3)] == [None, None, None]
    with pytest.raises(DataError) as caught:
        stream.check()
    assert caught.value.code == "STREAMING_ROWS_SKIPPED"
    again = streams()
    again.open(2)  # a crash does not make it pass
    found = again.write(at(10), [part(1, 2, 3), part(7, pipe=ITEMS, sync_id=2)])
    assert {sync_id: error.code for sync_id, error in found.refused.items()} == {1: "STREAMING_ROWS_SKIPPED"}
    again.channels.told(found.refused)
    again.check()
    assert [look(again, time) for _ in range(3)][-1] == at(10)
    assert again.write(at(20), [part(4)]).refused  # and again for what comes, until the table is copied anew
    assert ids(server) == [1, 3]


def test_a_large_batch_goes_in_several_requests_and_counts_only_whole(
    server: StreamingServer, streams: Streams, stream: Stream, time: TestClock
) -> None:
    large = [b'{"ID":%d,"T":"%s"}\n' % (number, b"x" * 1_500_000) for number in range(5)]
    assert [body.count(b"\n") for body in requests_of(large)] == [2, 2, 1]
    server.commits_at_once = False
    stream.write(at(10), [Part(1, ORDERS, large)])
    (channel,) = (channel for (pipe, _), channel in server.channels.items() if "ORDERS" in pipe)
    del channel.under_way[2:]
    server.commit()  # the first two pieces alone
    assert look(stream, time) is None
    server.commits_at_once = True
    again = streams()
    again.open(2)
    again.write(at(10), [Part(1, ORDERS, large)])
    assert [look(again, time) for _ in range(3)][-1] == at(10)
    assert ids(server) == [0, 1, 2, 3, 4]
    assert max(time.waited) > 2.5  # a channel takes a megabyte a second


def test_a_writer_far_ahead_waits_for_commits(
    server: StreamingServer, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compute.destinations.snowflake.streaming.stream._MAX_UNDER_WAY_BYTES", 100)
    monkeypatch.setattr("compute.destinations.snowflake.streaming.stream._COMMIT_SECONDS", 5)
    server.commits_at_once = False
    for number in (1, 2, 3):
        stream.write(at(number), [part(number)])
    with pytest.raises(OutageError) as caught:
        stream.write(at(4), [part(4)])
    assert caught.value.code == "STREAMING_BEHIND"


def test_a_position_alone_is_written_rarely(server: StreamingServer, stream: Stream, time: TestClock) -> None:
    stream.write(at(10), [part(1)])
    assert [look(stream, time) for _ in range(2)][-1] == at(10)
    told = len(server.rows("_ROSETTA_PROGRESS"))
    for number in (11, 12):
        stream.write(at(number), [])
        assert look(stream, time) == at(10)
    time.seconds += 20
    assert [look(stream, time) for _ in range(2)][-1] == at(12)
    assert len(server.rows("_ROSETTA_PROGRESS")) == told + 1


def test_another_table_behind_a_sync_gets_its_own_channel(
    server: StreamingServer, stream: Stream, time: TestClock
) -> None:
    server.commits_at_once = False
    stream.write(at(10), [part(1)])
    stream.write(at(20), [replace(part(2), pipe=ITEMS)])
    server.commits_at_once = True  # the rows of the former table, too, are waited for
    assert [look(stream, time) for _ in range(3)][-1] == at(20)
    assert (ids(server), ids(server, 'IT "EMS')) == ([1], [2])


@pytest.mark.parametrize("restarted", [False, True])
def test_a_copy_from_the_start_makes_skipped_rows_meaningless(
    server: StreamingServer, streams: Streams, time: TestClock, restarted: bool
) -> None:
    server.refuses = lambda row: row.get("ID") == 2
    writer = streams()
    writer.open(1)
    writer.write(at(10), [part(1, 2)])
    assert look(writer, time) is None
    server.refuses = lambda _: False
    if restarted:
        writer = streams()
        writer.open(2)
    writer.begin_anew(1, ORDERS)
    writer.check()
    written = writer.write(at(20), [part(3)])
    assert (written.rows, written.refused) == (1, {})
    assert [look(writer, time) for _ in range(3)][-1] == at(20)
    assert ids(server) == [3]  # of the new channel; the copy brings the others
