"""A streaming destination from opening to fencing: statements to the emulator, rows to the stand-in for streams."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compute.destinations.base import Durability, WriteBatch
from compute.destinations.snowflake.streaming.channel import Clock
from compute.destinations.snowflake.streaming.destination import StreamingDestination, channel_name, progress_pipe
from compute.destinations.snowflake.streaming.rest import StreamingRest
from compute.destinations.snowflake.streaming.stream import Stream
from compute.tests.contract.changes import Change, batch, changes, chunk, position, schema, target
from compute.tests.contract.snowflake_lane import SnowflakeLane
from compute.tests.support.snowflake_double import SnowflakeDouble
from compute.tests.support.streaming_server import StreamingServer, serving
from rosetta.enums import SyncMode
from rosetta.errors import FencedError
from rosetta.snowflake import SnowflakeEndpoint


@pytest.fixture
def lane(snowflake: SnowflakeDouble) -> Iterator[SnowflakeLane]:
    made = SnowflakeLane(snowflake)
    yield made
    made.close()


@pytest.fixture
def server(lane: SnowflakeLane) -> Iterator[StreamingServer]:
    endpoint = lane.endpoint
    with serving(endpoint.key, endpoint.account, endpoint.user) as made:
        yield made


def streaming(endpoint: SnowflakeEndpoint, server: StreamingServer) -> tuple[StreamingDestination, StreamingRest]:
    at = SnowflakeEndpoint(
        endpoint.account,
        endpoint.user,
        endpoint.database,
        endpoint.schema,
        endpoint.key,
        host=server.host,
        port=server.port,
        scheme="http",
    )
    rest, seconds = StreamingRest(at), iter(range(0, 100_000, 5))
    clock = Clock(lambda: float(next(seconds)), lambda _: None)
    made = StreamingDestination(endpoint, 1, 1)
    made.stream = Stream(rest, progress_pipe(at), channel_name(1, 1), clock)
    return made, rest


def test_copies_and_replays_by_statements_changes_by_stream(lane: SnowflakeLane, server: StreamingServer) -> None:
    things = schema()
    copied = target(things, mode=SyncMode.APPEND, copying=True)
    steady = target(things, mode=SyncMode.APPEND)
    destination, rest = streaming(lane.endpoint, server)
    destination.open(1)
    assert destination.durable_position() is None
    destination.ensure_table(copied)
    destination.start_copy(copied)
    assert destination.write_rows(chunk(copied, [("1", "one", None), ("2", "two", "2")])) == 2
    destination.finish_copy(copied)
    assert [row[0] for row in lane.rows(steady)] == ["1", "2"]

    change = changes(things, [Change("u", 30, ("1", "ONE", None)), Change("d", 31, ("2", None, None))])
    result = destination.write_changes(batch(40, (steady, change)))
    assert (result.rows, result.durability) == (2, Durability.ACCEPTED)
    assert [destination.durable_position() for _ in range(3)][-1] == position(40)
    streamed = server.rows("THINGS")
    assert [(row["_ROSETTA_OP"], row["ID"], row["NAME"]) for row in streamed] == [("u", "1", "ONE"), ("d", "2", None)]

    parked = batch(1, (steady, changes(things, [Change("c", 25, ("3", "three", None))]))).writes
    for _ in range(2):  # nobody learned of the first time
        replayed = destination.write_changes(WriteBatch(None, writes=parked))
        assert replayed.position == position(40)
    assert [row[0] for row in lane.rows(steady)] == ["1", "2", "3"]
    destination.ping()
    destination.close()

    later, again = streaming(lane.endpoint, server)
    later.open(2)
    assert later.durable_position() == position(40)
    with pytest.raises(FencedError):
        destination.open(1)
    for one in (destination, later):
        one.close()
    for connection in (rest, again):
        connection.close()
