"""What a streaming destination makes of a batch, and what of it arrives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from compute.core.batch import TableChanges
from compute.destinations.base import Durability, Refusal, TableTarget, TableWrite, WriteBatch
from compute.destinations.snowflake.streaming.channel import Clock
from compute.destinations.snowflake.streaming.destination import StreamingDestination, channel_name, progress_pipe
from compute.destinations.snowflake.streaming.rest import StreamingRest
from compute.destinations.snowflake.streaming.stream import Stream
from compute.tests.support.streaming_server import StreamingServer, serving
from rosetta.dialects.snowflake.keys import SigningKey
from rosetta.enums import SyncMode
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition
from rosetta.snowflake import SnowflakeEndpoint
from rosetta.types import Column, TableSchema

KEY = SigningKey(rsa.generate_private_key(65537, 2048))
SCHEMA = TableSchema(
    TableId("public", "orders"),
    (
        Column("id", "bigint"),
        Column("note", "text"),
        Column("data", "jsonb"),
        Column("tags", "text[]"),
        Column("day", "date"),
    ),
    ("id",),
)
TARGET = TableTarget(7, SCHEMA, TableId("public", "orders"), SyncMode.APPEND)
LINES = (
    b'c\t100\t0\t5\t1700000000000001\t\\N\t\\N\t1\ta\\tb\\\\n"\xc3\xa4\t{"k": [1, null]}\t{x,"y z",NULL}\t2026-01-02\n'
    b"u\t110\t1\t6\t1700000000000002\t01000\t\\N\t1\t\\N\t\\N\t\\N\tinfinity\n"
    b"d\t120\t0\t7\t\\N\t\\N\t\\N\t1\t\\N\t\\N\t\\N\t\\N\n"
)


@pytest.fixture
def server() -> Iterator[StreamingServer]:
    with serving(KEY, "org-acct", "loader") as made:
        yield made


@pytest.fixture
def destination(server: StreamingServer) -> Iterator[StreamingDestination]:
    """One whose stream is open; statements would have nobody to run them."""
    endpoint = SnowflakeEndpoint(
        "org-acct", "loader", "LANDING", "S", KEY, host=server.host, port=server.port, scheme="http"
    )
    rest, seconds = StreamingRest(endpoint), iter(range(0, 10_000, 5))
    clock = Clock(lambda: float(next(seconds)), lambda _: None)
    stream = Stream(rest, progress_pipe(endpoint), channel_name(1, 2), clock)
    stream.open(1)
    made = StreamingDestination(endpoint, 1, 2)
    made.stream = stream
    yield made
    rest.close()


def changes(data: bytes) -> TableChanges:
    names = SCHEMA.column_names
    return TableChanges(SCHEMA.table, names, ("id",), data.count(b"\n"), data, False, True, True, False)


def at(commit: int) -> StreamPosition:
    return StreamPosition(Lsn(commit))


def landed(server: StreamingServer) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if "LOADED_AT" not in key} for row in server.rows("ORDERS")]


def test_changes_arrive_with_their_ids_and_their_exact_values(
    server: StreamingServer, destination: StreamingDestination
) -> None:
    batch = WriteBatch(at(200), writes=(TableWrite(TARGET, changes(LINES)),))
    result = destination.write_changes(batch)
    assert (result.rows, result.durability, result.position) == (3, Durability.ACCEPTED, at(200))
    assert [destination.durable_position() for _ in range(3)][-1] == at(200)
    first, second, third = landed(server)
    assert first == {
        "_ROSETTA_OP": "c",
        "_ROSETTA_LSN": 100,
        "_ROSETTA_SEQ": 0,
        "_ROSETTA_TX": 5,
        "_ROSETTA_SOURCE_TS": "2023-11-14T22:13:20.000001+00:00",
        "_ROSETTA_RAW": None,
        "ID": "1",
        "NOTE": 'a\tb\\n"ä',
        "DATA": {"k": [1, None]},
        "TAGS": ["x", "y z", None],
        "DAY": "2026-01-02",
    }
    assert (second["_ROSETTA_UNCHANGED"], "NOTE" in second) == ("NOTE", False)
    assert (second["DAY"], second["_ROSETTA_RAW"]) == (None, {"DAY": "infinity"})
    assert (third["_ROSETTA_OP"], third["_ROSETTA_SOURCE_TS"], third["NOTE"]) == ("d", None, None)
    places = {pipe for pipe, _ in server.channels}
    assert places == {
        "databases/LANDING/schemas/PUBLIC/pipes/ORDERS-STREAMING",
        "databases/LANDING/schemas/_ROSETTA/pipes/STREAMED-STREAMING",
    }
    assert destination.write_changes(batch).rows == 0  # it is there already
    assert len(landed(server)) == 3


def test_a_truncation_is_a_row(server: StreamingServer, destination: StreamingDestination) -> None:
    destination.write_changes(WriteBatch(at(300), truncated=(TARGET,)))
    assert [destination.durable_position() for _ in range(3)][-1] == at(300)
    (row,) = landed(server)
    assert (row["_ROSETTA_OP"], row["_ROSETTA_LSN"], row["_ROSETTA_SEQ"]) == ("t", 300, -1)


def test_a_change_that_no_request_takes_is_refused_alone(
    server: StreamingServer, destination: StreamingDestination
) -> None:
    huge = b"c\t130\t0\t8\t0\t\\N\t\\N\t9\t" + b"x" * 4_100_000 + b"\t\\N\t\\N\t\\N\n"
    told: list[Refusal] = []
    batch = WriteBatch(at(200), writes=(TableWrite(TARGET, changes(LINES + huge)),))
    destination.write_changes(batch, told.append)
    (record,) = told[0].records
    assert (record.error.code, record.changes.row_count) == ("VALUE_TOO_LARGE", 1)
    assert bytes(record.changes.data) == huge
    destination.durable_position()
    assert [row["ID"] for row in landed(server)] == ["1", "1", "1"]
