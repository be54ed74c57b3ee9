"""The contract at Snowflake in a few long histories; ROSETTA_SNOWFLAKE_CONTRACT=1 runs all of its tests there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from compute.destinations.base import Refusal, TableTarget, WriteBatch
from compute.destinations.snowflake.destination import SnowflakeDestination
from compute.tests.contract.changes import UNCHANGED, Change, batch, changes, chunk, position, schema, target
from compute.tests.contract.refusals import lines_of, made, refused, write
from compute.tests.contract.snowflake_lane import SnowflakeLane
from compute.tests.support.snowflake_double import SnowflakeDouble
from rosetta.enums import DeleteMode, SyncMode
from rosetta.errors import FencedError, OutageError, SchemaMismatchError, UnsupportedError
from rosetta.identifiers import TableId
from rosetta.types import Column

pytestmark = pytest.mark.integration
THINGS = schema("things", (("id", "bigint"), ("n", "integer"), ("body", "text")))
# Every step of a load, as the statement that it begins with; at "after" the answer to it is lost.
STEPS = {
    "sending": ("^PUT", "session"),
    "beginning": ("^BEGIN", "session"),
    "loading": ("^COPY INTO", "session"),
    "merging": ("^MERGE INTO .COPY", "session"),
    "moving": (r"^UPDATE .*PROGRESS", "session"),
    "committing": ("^COMMIT", "session"),
    "committed": ("^COMMIT", "after"),
    "cleaning": ("^REMOVE", "session"),
}
_ALWAYS = ("loading", "committing", "committed", "cleaning")


@pytest.fixture(scope="module")
def lane(snowflake: SnowflakeDouble) -> Iterator[SnowflakeLane]:
    made_ = SnowflakeLane(snowflake)
    yield made_
    made_.close()


@pytest.fixture(scope="module")
def destination(lane: SnowflakeLane) -> SnowflakeDestination:
    writer = lane.writer()
    writer.open(1)
    return writer


def table(destination: SnowflakeDestination, name: str, number: int, **chosen: object) -> TableTarget:
    of = replace(target(THINGS, sync_id=number, **chosen), target=TableId("copy", name))  # type: ignore[arg-type]
    destination.ensure_table(of)
    return of


def test_rows_follow_the_stream(lane: SnowflakeLane, destination: SnowflakeDestination) -> None:
    of = table(destination, "stream", 1)
    write(destination, 10, (of, made(*((str(n), str(n), f"big{n}") for n in range(1, 6)))))
    its = [
        Change("u", 11, ("1", "11", UNCHANGED)),
        Change("d", 12, ("2", None, None)),
        Change("c", 12, ("9", "9", UNCHANGED), seq=1, moved_from=("2",)),
        Change("u", 13, ("3", "none", "x")),
        Change("u", 14, ("77", "7", UNCHANGED)),
    ]
    result = destination.write_changes(batch(20, (of, changes(THINGS, its))))
    assert refused(result) == [("VALUE_UNFIT", lines_of(of, its[3])), ("ROW_MISSING", lines_of(of, its[4]))]
    assert lane.rows(of) == [
        ("1", "11", "big1"),
        ("3", "3", "big3"),
        ("4", "4", "big4"),
        ("5", "5", "big5"),
        ("9", "9", "big2"),
    ]
    again = destination.write_changes(batch(15, (of, changes(THINGS, [Change("d", 15, ("1", None, None))]))))
    assert (again.rows, again.position) == (0, position(20))
    replayed = WriteBatch(None, (), batch(1, (of, changes(THINGS, [Change("u", 5, ("1", "5", "old"))]))).writes)
    assert destination.write_changes(replayed).stale == {(1, 5, 0)}
    destination.write_changes(batch(30, truncated=[of]))
    assert lane.rows(of) == []


def test_a_copy_never_wins_over_what_it_did_not_see(lane: SnowflakeLane, destination: SnowflakeDestination) -> None:
    of = table(destination, "copied", 2, delete_mode=DeleteMode.SOFT, copying=True)
    destination.start_copy(of)
    write(
        destination,
        40,
        (
            of,
            [
                Change("u", 31, ("1", "31", UNCHANGED)),
                Change("d", 32, ("2", None, None)),
                Change("u", 33, ("3", "33", "seen"), xid=40),
                Change("c", 34, ("4", "34", "gone at the source"), xid=40),
            ],
        ),
    )
    assert destination.unfilled_keys(of) == [("1",)]
    read = [("1", "1", "big"), ("2", "2", "dead"), ("3", "3", "read"), ("5", "seven", "unfit")]
    told: list[Refusal] = []
    assert destination.write_rows(chunk(of, read, "50:50:"), told.append) == 1
    assert [record.error.code for one in told for record in one.records] == ["VALUE_UNFIT"]
    found = lane.rows(of, "id", "n", "body", "_rosetta_deleted")
    assert found == [
        ("1", "31", "big", "false"),
        ("3", "3", "read", "false"),
        ("4", "34", "gone at the source", "true"),
    ]
    destination.finish_copy(of)


def test_append_keeps_each_change_once(lane: SnowflakeLane, destination: SnowflakeDestination) -> None:
    of = table(destination, "history", 3, mode=SyncMode.APPEND)
    its = [Change("c", 51, ("1", "1", "x")), Change("u", 52, ("1", "2", UNCHANGED)), Change("d", 53, ("1", None, None))]
    write(destination, 60, (of, its))
    write(destination, 70, (of, its[1:]))
    destination.write_rows(chunk(of, [("1", "0", "copied")]))
    assert lane.rows(of, "_rosetta_lsn", "_rosetta_op", "n", "_rosetta_unchanged") == [
        ("0", "r", "0", None),
        ("51", "c", "1", None),
        ("52", "u", "2", "{body}"),
        ("53", "d", None, None),
    ]


def test_a_load_that_ends_anywhere_is_repeated_exactly(
    lane: SnowflakeLane, destination: SnowflakeDestination, snowflake: SnowflakeDouble
) -> None:
    of = table(destination, "steps", 4)
    expected = []
    chosen = STEPS if os.environ.get("ROSETTA_SNOWFLAKE_CONTRACT") else _ALWAYS
    for number, (pattern, how) in enumerate((STEPS[step] for step in chosen), 1):
        end, key = 1000 * number, str(number)
        its = [Change("c", end - 5, (key, "1", "x")), Change("u", end - 4, (key, "2", "y"))]
        if number > 1:
            its.append(Change("d", end - 3, (str(number - 1), None, None)))
        load = batch(end, (of, changes(THINGS, its)))
        snowflake.control(faults=[[pattern, how, "", "", 1]])
        if pattern == "^REMOVE":  # committed before: what is left is removed when the next writer opens
            destination.write_changes(load)
        else:
            with pytest.raises(OutageError):
                destination.write_changes(load)
        snowflake.control(faults=[])
        destination.close()
        destination.open(1)
        assert destination.write_changes(load).position == position(end) == destination.durable_position()
        expected = [(key, "2", "y", str(end - 4))]
        assert lane.rows(of, "id", "n", "body", "_rosetta_lsn") == expected


def test_tables_grow_and_what_cannot_be_held_is_refused(lane: SnowflakeLane, destination: SnowflakeDestination) -> None:
    of = table(destination, "grown", 5)
    columns = (*THINGS.columns, Column("d", "date"))
    wider = replace(of, schema=replace(THINGS, columns=columns))
    assert destination.ensure_table(wider) is False
    filled = replace(of, schema=replace(THINGS, columns=(*columns, Column("e", "integer", missing="7"))))
    assert [destination.ensure_table(filled) for _ in range(2)] == [True, True], "rows from before lack the default"
    assert destination.ensure_table(replace(filled, anew=True)) is False
    with pytest.raises(SchemaMismatchError) as dropped:
        destination.ensure_table(wider)
    assert dropped.value.code == "SCHEMA_CHANGED"
    assert 'DROP COLUMN "E"' in str(dropped.value.remedy)
    wider = filled
    write(destination, 10_000, (wider, [Change("c", 9_001, ("1", "1", "x", "infinity", "5"))]))
    assert lane.rows(wider, "id", "d", "_rosetta_raw") == [("1", None, '{"D":"infinity"}')]
    with pytest.raises(SchemaMismatchError):
        destination.ensure_table(
            replace(of, schema=schema("things", (("id", "bigint"), ("n", "text"), ("body", "text"))))
        )
    with pytest.raises(SchemaMismatchError):
        destination.ensure_table(replace(of, schema=schema("others", (("id", "bigint"),))))
    with pytest.raises(UnsupportedError):
        destination.ensure_table(target(schema("loose", (("a", "text"),), ()), sync_id=6))


# Where a writer is killed in the middle of a load, and whether the load is committed by then.
KILLS = {"before_put": False, "after_put": False, "after_load": False, "before_commit": False, "before_clean": True}
_KILLED = """
import json, sys
from compute.core import failpoints
from compute.destinations.snowflake.destination import SnowflakeDestination
from compute.tests.contract.test_snowflake import KILLED, loads
from rosetta.snowflake import snowflake_endpoint
writer = SnowflakeDestination(snowflake_endpoint(json.loads(sys.argv[1])), 7, 1)
writer.open(1)
writer.ensure_table(KILLED)
writer.write_changes(loads()[0])
failpoints.arm(sys.argv[2] + ":kill")
writer.write_changes(loads()[1])
"""
KILLED = target(schema("killed"), sync_id=9)


def loads() -> tuple[WriteBatch, WriteBatch]:
    """What is there, and what the killed writer had in its hands."""
    before = [Change("c", 1, ("1", "a", "x")), Change("c", 2, ("2", "b", "y"))]
    its = [Change("u", 11, ("1", "A", UNCHANGED)), Change("d", 12, ("2", None, None)), Change("c", 13, ("3", "c", "z"))]
    first, second = (changes(KILLED.schema, part) for part in (before, its))
    return batch(10, (KILLED, first)), batch(20, (KILLED, second))


@pytest.mark.parametrize("point", KILLS if os.environ.get("ROSETTA_SNOWFLAKE_CONTRACT") else ["before_commit"])
def test_a_killed_writer_is_replaced_and_fenced(snowflake: SnowflakeDouble, point: str) -> None:
    lane = SnowflakeLane(snowflake)
    config = json.dumps(snowflake.config(lane.endpoint.database))
    ended = subprocess.run([sys.executable, "-c", _KILLED, config, point], timeout=60, check=False)
    assert ended.returncode == -9
    snowflake.control(end_sessions=True)  # as Snowflake does with what a lost client had open, some minutes later
    first, second = lane.writer(7), lane.writer(7)
    first.open(2)
    after = [("1", "A", "x"), ("3", "c", "z")]
    assert lane.rows(KILLED) == (after if KILLS[point] else [("1", "a", "x"), ("2", "b", "y")])
    assert first.durable_position() == position(20 if KILLS[point] else 10)
    second.open(3)
    if not KILLS[point]:
        with pytest.raises(FencedError):
            first.write_changes(loads()[1])
    second.write_changes(loads()[1])
    assert (lane.rows(KILLED), second.durable_position()) == (after, position(20))
    lane.close()
