"""Changes that are streamed into landings, and merged from there: what is there when, and what becomes of a crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from compute.core import failpoints
from compute.core.lines import lines
from compute.destinations.base import Gathering, Refusal, RefusedRecord, TableTarget, WriteBatch, ignore_refusals
from compute.destinations.snowflake.options import Options
from compute.destinations.snowflake.removal import remove_traces
from compute.destinations.snowflake.streaming.channel import Clock
from compute.destinations.snowflake.streaming.destination import StreamingDestination, channel_name, progress_pipe
from compute.destinations.snowflake.streaming.rest import StreamingRest
from compute.destinations.snowflake.streaming.stream import Stream
from compute.tests.contract.changes import UNCHANGED, Change, batch, changes, chunk, position, schema, target
from compute.tests.contract.refusals import lines_of
from compute.tests.contract.streaming_lane import StreamingLane, streams_of
from compute.tests.support.snowflake_double import SnowflakeDouble
from compute.tests.support.streaming_server import StreamingServer, serving
from rosetta.dialects.snowflake.tables import own_names_sql
from rosetta.enums import SyncMode
from rosetta.errors import FencedError, OutageError
from rosetta.identifiers import TableId
from rosetta.snowflake import snowflake_endpoint

pytestmark = pytest.mark.integration
THINGS = schema("things", (("id", "bigint"), ("n", "integer"), ("body", "text"), ("at", "timestamp with time zone")))
AT = "2026-01-02 03:04:05+00"
LIMITS = Gathering(seconds=60.0)
EVERYTHING = bool(os.environ.get("ROSETTA_SNOWFLAKE_CONTRACT"))


@dataclass
class Hands:
    """A clock that the test moves, and that moves by itself where somebody waits."""

    server: StreamingServer
    seconds: float = 0.0

    def clock(self) -> Clock:
        return Clock(lambda: self.seconds, self.wait)

    def wait(self, seconds: float) -> None:
        self.seconds += max(seconds, 1.0)
        self.server.commit()


@pytest.fixture
def server(snowflake: SnowflakeDouble) -> Iterator[StreamingServer]:
    endpoint = snowflake.endpoint("SIGNED")
    with serving(endpoint.key, endpoint.account, endpoint.user) as made:
        yield made


@pytest.fixture
def lane(snowflake: SnowflakeDouble, server: StreamingServer) -> Iterator[StreamingLane]:
    made = StreamingLane(snowflake, server, Options(gathering=LIMITS))
    yield made
    made.close()


@pytest.fixture
def hands(server: StreamingServer) -> Hands:
    return Hands(server)


def opened(lane: StreamingLane, hands: Hands, epoch: int = 1, of: TableTarget | None = None) -> StreamingDestination:
    made = lane.made(StreamingDestination, hands.clock())
    made.open(epoch)
    if of is not None:
        made.ensure_table(of)
    return made


def land(destination: StreamingDestination, end: int, of: TableTarget, *its: Change) -> None:
    """Returns once the batch is durable."""
    destination.write_changes(batch(end, (of, changes(of.schema, its))))
    destination.stream.wait("a batch", lambda: destination.durable_position() == position(end))


def merge(destination: StreamingDestination, hands: Hands) -> list[Refusal]:
    told: list[Refusal] = []
    hands.seconds += LIMITS.seconds
    destination.catch_up(told.append)
    return told


def c(lsn: int, key: int, n: str = "1", body: str = "x") -> Change:
    return Change("c", lsn, (str(key), n, body, AT))


def u(lsn: int, key: int, n: str, body: object = UNCHANGED, **chosen: object) -> Change:
    return Change("u", lsn, (str(key), n, body, AT), **chosen)  # type: ignore[arg-type]


def d(lsn: int, key: int, **chosen: object) -> Change:
    return Change("d", lsn, (str(key), None, None, None), **chosen)  # type: ignore[arg-type]


def lsns(record: RefusedRecord) -> list[int]:
    return [line.lsn for line in lines(record.changes)]


def test_what_has_landed_is_durable_and_merged_when_it_is_due(
    lane: StreamingLane, hands: Hands, snowflake: SnowflakeDouble
) -> None:
    of = target(THINGS)
    destination = opened(lane, hands, of=of)
    land(destination, 10, of, *(c(n, n) for n in (1, 2, 3, 4)))
    destination.catch_up(ignore_refusals)
    assert (lane.rows(of), lane.left()) == ([], 4)
    assert merge(destination, hands) == []
    assert (lane.rows(of, "id", "n", "body"), lane.left()) == ([(str(n), "1", "x") for n in (1, 2, 3, 4)], 0)

    before = len(snowflake.control()["statements"])
    assert merge(destination, hands) == []
    destination.ping()
    assert len(snowflake.control()["statements"]) == before, "nothing has landed, so nothing is asked"

    land(destination, 20, of, u(11, 1, "2"), d(12, 2), c(13, 5))  # of one batch: merged as it lies there
    merge(destination, hands)
    done = snowflake.control()["statements"][before:]
    assert not [sql for sql in done if sql.startswith("PUT")]
    expected = [("1", "2", "x"), ("3", "1", "x"), ("4", "1", "x"), ("5", "1", "x")]
    assert lane.rows(of, "id", "n", "body") == expected

    # Changes that lean on each other across batches: a value left out behind one that brought it, a chain of keys.
    land(destination, 30, of, u(21, 1, "3", "new"), d(22, 3), u(22, 30, "1", seq=1, moved_from=("3",)))
    land(destination, 40, of, u(31, 1, "4"), u(32, 30, "5"), d(33, 30), u(33, 31, "6", seq=1, moved_from=("30",)))
    merge(destination, hands)
    assert lane.rows(of, "id", "n", "body", "_rosetta_lsn") == [
        ("1", "4", "new", "31"),
        ("31", "6", "x", "33"),
        ("4", "1", "x", "4"),
        ("5", "1", "x", "13"),
    ]
    assert (lane.left(), destination.durable_position()) == (0, position(40))


def test_what_a_merge_refuses_is_told_with_all_that_builds_on_it(
    lane: StreamingLane, hands: Hands, server: StreamingServer
) -> None:
    of = target(THINGS)
    destination = opened(lane, hands, of=of)
    land(destination, 10, of, c(1, 1), c(2, 2), c(3, 3))
    merge(destination, hands)
    land(destination, 20, of, u(11, 1, "5", "y"), u(12, 2, "7", "z"), u(13, 9, "1"))
    server.commits_at_once = False  # the next batch is under way while the merge is refused a row that is missing
    destination.write_changes(batch(30, (of, changes(THINGS, [u(21, 1, "none")]))))

    def unable(_: Refusal) -> None:
        raise OutageError("cannot write it down")

    hands.seconds += LIMITS.seconds
    with pytest.raises(OutageError):
        destination.catch_up(unable)
    assert lane.rows(of, "id", "n") == [("1", "1"), ("2", "1"), ("3", "1")], "what nobody wrote down was not merged"
    (told,) = merge(destination, hands)
    assert (told.tables, [(one.error.code, lsns(one)) for one in told.records]) == (
        {},
        [("VALUE_UNFIT", [11, 21]), ("ROW_MISSING", [13])],
    )
    lost = bytes(told.records[1].changes.data).decode().splitlines()
    assert lost == lines_of(of, u(13, 9, "1")), "as the source sent it"
    assert (lane.rows(of, "id", "n"), lane.left()) == ([("1", "1"), ("2", "7"), ("3", "1")], 0)

    lane.asked('DROP TABLE "COPY"."THINGS"')
    server.commits_at_once = True
    land(destination, 40, of, c(31, 5), c(32, 6))
    (told,) = merge(destination, hands)
    assert [(sync_id, error.code) for sync_id, error in told.tables.items()] == [(1, "TARGET_MISSING")]
    assert [lsns(one) for one in told.records] == [[31], [32]], "they lie nowhere else"
    assert lane.left() == 0


def test_another_process_goes_on_from_what_has_landed(
    lane: StreamingLane, hands: Hands, server: StreamingServer
) -> None:
    of = target(THINGS)
    first = opened(lane, hands, of=of)
    land(first, 10, of, c(1, 1), c(2, 2))
    server.commits_at_once = False
    first.write_changes(batch(20, (of, changes(THINGS, [u(11, 1, "2", "new"), d(12, 2)]))))
    server.commit()  # its rows are there, but no position says so

    server.commits_at_once = True
    second = opened(lane, hands, 2, of)
    assert (second.durable_position(), lane.left()) == (position(10), 2), "what comes again was taken back"
    land(second, 15, of, u(11, 1, "2", "new"))
    land(second, 25, of, d(12, 2), u(21, 1, "3"))
    assert merge(second, hands) == []
    assert (lane.rows(of, "id", "n", "body"), lane.left()) == ([("1", "3", "new")], 0)
    with pytest.raises((FencedError, OutageError)):
        land(first, 30, of, c(29, 7))
    assert lane.rows(of, "id") == [("1",)]

    # What cannot wait in a landing goes behind it, by files: emptied tables, copies, other shapes.
    land(second, 40, of, c(31, 4))
    second.write_changes(batch(50, (of, changes(THINGS, [c(41, 5)])), truncated=[of]))
    assert (lane.rows(of, "id"), lane.left(), second.durable_position()) == ([("5",)], 0, position(50))
    land(second, 60, of, u(51, 5, "9"))
    copied = replace(of, copying=True)
    second.catch_up(ignore_refusals, wholly=True)
    second.start_copy(copied)
    second.write_rows(chunk(copied, [("5", "1", "x", AT), ("6", "1", "x", AT)], "50:50:"))
    second.write_changes(batch(70, (copied, changes(THINGS, [u(61, 6, "2")]))))
    assert (lane.rows(of, "id", "n"), lane.left()) == ([("5", "9"), ("6", "2")], 0)


def test_a_batch_by_files_waits_for_what_was_only_accepted(
    lane: StreamingLane, hands: Hands, server: StreamingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    of, history = target(THINGS), target(schema("history"), sync_id=2, mode=SyncMode.APPEND)
    destination = opened(lane, hands, of=of)
    destination.ensure_table(history)
    server.commits_at_once = False
    destination.write_changes(batch(10, (history, changes(history.schema, [Change("c", 1, ("1", "a", "x"))]))))
    assert server.rows("HISTORY") == []
    destination.write_changes(batch(20, (of, changes(THINGS, [c(11, 1)])), truncated=[of]))
    assert ([row["ID"] for row in server.rows("HISTORY")], lane.rows(of, "id")) == (["1"], [("1",)])
    assert destination.durable_position() == position(20)

    server.commits_at_once = True
    land(destination, 30, of, c(21, 2))
    monkeypatch.setattr("compute.destinations.snowflake.removal.remove_progress", lambda *_: None)  # has its own test
    for _ in range(2):  # safe to do again
        remove_traces(lane.endpoint, 1, 1)
    names = {str(name) for (name,) in lane.asked(own_names_sql())}
    assert "LANDINGS" in names
    assert not [name for name in names if name.startswith("LANDING_")]
    assert lane.asked('SELECT * FROM "_ROSETTA"."LANDINGS"') == []


# Where a writer is killed while it merges, and whether the merge is committed by then.
KILLS = {"after_load": False, "before_commit": False, "before_clean": True}
_KILLED = """
import json, sys
from compute.tests.contract.test_landings import die
die(json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
"""
KILLED = replace(target(THINGS, sync_id=9), target=TableId("copy", "killed"))


def landed_before() -> list[WriteBatch]:
    return [
        batch(10, (KILLED, changes(THINGS, [c(1, 1), c(2, 2)]))),
        batch(20, (KILLED, changes(THINGS, [u(11, 1, "2", "new"), d(12, 2), c(13, 3)]))),
    ]


def die(config: dict[str, object], port: int, point: str) -> None:
    """A process that ends in the middle of a merge."""
    endpoint = snowflake_endpoint(config)
    at = streams_of(endpoint, port)
    seconds = iter(range(0, 10_000_000, 5))
    writer = StreamingDestination(endpoint, 1, 1, Options(gathering=LIMITS))
    clock = Clock(lambda: float(next(seconds)), lambda _: None)
    writer.stream = Stream(StreamingRest(at), progress_pipe(at), channel_name(1, 1), clock)
    writer.open(1)
    writer.ensure_table(KILLED)
    for one in landed_before():
        writer.write_changes(one)
    failpoints.arm(f"{point}:kill")
    writer.catch_up(ignore_refusals, wholly=True)


@pytest.mark.parametrize("point", KILLS if EVERYTHING else ["before_commit"])
def test_a_merge_that_is_killed_is_done_once(
    lane: StreamingLane, hands: Hands, snowflake: SnowflakeDouble, point: str
) -> None:
    config = json.dumps(snowflake.config(lane.endpoint.database))
    command = [sys.executable, "-c", _KILLED, config, str(lane.server.port), point]
    assert subprocess.run(command, timeout=60, check=False).returncode == -9
    snowflake.control(end_sessions=True)  # as Snowflake does with what a lost client had open, some minutes later
    after = [("1", "2", "new"), ("3", "1", "x")]
    assert lane.rows(KILLED, "id", "n", "body") == (after if KILLS[point] else [])
    second = opened(lane, hands, 2, KILLED)
    for one in landed_before():  # they come again, unless their position is durable
        second.write_changes(one)
    second.catch_up(ignore_refusals, wholly=True)
    assert (lane.rows(KILLED, "id", "n", "body"), lane.left()) == (after, 0)
    assert second.durable_position() == position(20)
