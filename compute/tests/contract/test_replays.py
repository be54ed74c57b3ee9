"""Replays: behind the position, oldest first, and never twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compute.destinations.base import Destination, TableTarget, WriteBatch, WriteResult
from compute.tests.contract.changes import UNCHANGED, Change, batch, changes, position, schema, target
from compute.tests.contract.conftest import Lane, constrained
from compute.tests.contract.refusals import BAD, THINGS, five_things, lines_of, made, refused, write
from rosetta.enums import SyncMode
from rosetta.identifiers import TableId

pytestmark = pytest.mark.integration


@pytest.fixture
def things(destination: Destination) -> TableTarget:
    return five_things(destination)


def replay(
    destination: Destination, of: TableTarget, its: list[Change], truncated_at: int | None = None
) -> WriteResult:
    sent = batch(1, (of, changes(of.schema, its)))
    at = None if truncated_at is None else position(truncated_at)
    before = destination.durable_position()
    emptied = () if at is None else (of,)
    result = destination.write_changes(WriteBatch(None, emptied, sent.writes, truncated_at=at))
    assert result.position == before == destination.durable_position()
    return result


def test_f31_a_replay_does_not_move_the_position_and_tells_what_is_stale(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    write(destination, 50, (things, [Change("u", 45, ("1", "45", "new"))]))
    its = [
        Change("u", 20, ("1", "20", "old")),
        Change("u", 21, ("2", "21", UNCHANGED)),
        Change("d", 1, ("3", None, None)),
        Change("c", 23, ("8", "8", "late")),
    ]
    result = replay(destination, things, its)
    assert result.stale == {(4, 20, 0), (4, 1, 0)}
    assert not result.refusal
    rows = {row[0]: row[1:] for row in lane.rows(things)}
    assert rows["1"] == ("45", "new")
    assert rows["2"] == ("21", "big2")
    assert rows["3"] == ("3", "big3")
    assert rows["8"] == ("8", "late")


def test_f32_a_replay_that_comes_again_is_not_stale_and_changes_nothing(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    its = [
        Change("u", 21, ("2", "21", UNCHANGED)),
        Change("d", 22, ("3", None, None)),
        Change("c", 23, ("8", "8", "l")),
    ]
    replay(destination, things, its)
    rows = lane.rows(things, "id", "n", "body", "_rosetta_lsn")
    again = replay(destination, things, its)
    assert (again.stale, bool(again.refusal)) == (frozenset(), False)
    assert lane.rows(things, "id", "n", "body", "_rosetta_lsn") == rows


def test_f32_a_key_change_that_is_replayed_again_takes_no_other_rows_values(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    its = [Change("d", 21, ("1", None, None)), Change("u", 21, ("9", "9", UNCHANGED), seq=1, moved_from=("1",))]
    for _ in range(2):
        assert not replay(destination, things, its).refusal
        write(destination, 50, (things, [Change("c", 40, ("1", "1", "another"))]))
        rows = {row[0]: row[2] for row in lane.rows(things)}
        assert (rows["1"], rows["9"]) == ("another", "big1")


def test_a_replay_refuses_what_is_still_refused(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, 50, (things, [Change("u", 45, ("1", "45", "new"))]))
    result = replay(
        destination, things, [Change("u", 20, ("1", "20", "old")), BAD, Change("c", 23, ("8", "8", "late"))]
    )
    assert refused(result) == [(lane.misfit, lines_of(things, BAD))]
    assert result.stale == {(4, 20, 0)}
    assert ("8", "8", "late") in lane.rows(things)


def test_f31_a_replay_brings_no_row_back_that_was_deleted_while_a_copy_runs(
    lane: Lane, destination: Destination
) -> None:
    of = target(THINGS, copying=True)
    destination.ensure_table(replace(of, copying=False))
    destination.start_copy(of)
    write(destination, 50, (of, [Change("d", 45, ("1", None, None)), Change("d", 5, ("2", None, None))]))
    result = replay(destination, of, [Change("c", 20, ("1", "1", "old")), Change("c", 21, ("2", "2", "new"))])
    assert result.stale == {(1, 20, 0)}
    assert lane.rows(of, "id") == [("2",)]


def test_f32_a_replay_appends_once(lane: Lane, destination: Destination) -> None:
    of = target(THINGS, mode=SyncMode.APPEND)
    destination.ensure_table(of)
    its = [Change("c", 1, ("1", "1", "x")), Change("u", 2, ("1", "2", "x"))]
    for _ in range(2):
        assert replay(destination, of, its, truncated_at=3).stale == frozenset()
    assert lane.rows(of, "_rosetta_lsn", "_rosetta_op") == [("1", "c"), ("2", "u"), ("3", "t")]


@constrained
def test_f32_a_replay_of_rows_without_a_key_counts_once(lane: Lane, destination: Destination) -> None:
    of = target(schema("loose", (("n", "integer"), ("b", "text")), ()), sync_id=5)
    destination.ensure_table(of)
    write(destination, 50, (of, made(("1", "x"), ("1", "x"), ("1", "x"))))
    its = [Change("d", 20, ("1", "x")), Change("c", 21, ("2", "y")), Change("c", 22, ("none", "z"))]
    for end in (3, 2, 3):
        replay(destination, of, its[:end])
        assert lane.rows(of) == [("1", "x"), ("1", "x"), ("2", "y")]


def test_a_replayed_truncation_leaves_what_is_newer(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, 50, (things, [Change("u", 45, ("1", "45", "new"))]))
    result = replay(destination, things, [Change("c", 31, ("7", "7", "after"))], truncated_at=30)
    assert not result.refusal
    assert lane.rows(things) == [("1", "45", "new"), ("7", "7", "after")]


def test_a_replay_into_a_table_that_is_missing_names_it(destination: Destination) -> None:
    of = target(THINGS, sync_id=8)
    of = replace(of, target=TableId("copy", "nowhere"))
    assert [error.code for error in replay(destination, of, [BAD]).refusal.tables.values()] == ["TARGET_MISSING"]
