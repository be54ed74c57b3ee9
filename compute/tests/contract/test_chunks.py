"""What `write_rows` promises, of every destination: the copy never wins over a change that it did not see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from compute.destinations.base import Destination, RowChunk, TableTarget
from compute.tests.contract.changes import UNCHANGED, Change, batch, changes, chunk, schema, target
from compute.tests.contract.conftest import Lane, constrained
from rosetta.enums import DeleteMode, SyncMode
from rosetta.errors import RosettaError

pytestmark = pytest.mark.integration
THINGS = schema()
SEES_NOTHING = "50:50:"  # transactions from 50 on are not visible; changes carry 100 unless told
SEES_ALL = "1000:1000:"


@pytest.fixture(params=[DeleteMode.HARD, DeleteMode.SOFT])
def things(request: pytest.FixtureRequest, destination: Destination) -> TableTarget:
    made = target(THINGS, copying=True, delete_mode=request.param)
    destination.ensure_table(made)
    destination.start_copy(made)
    return made


def write(destination: Destination, of: TableTarget, end: int, *items: Change) -> None:
    assert destination.write_changes(batch(end, (of, changes(of.schema, items)))).refusal.tables == {}


def live(lane: Lane, of: TableTarget, *columns: str) -> list[tuple[str | None, ...]]:
    if of.delete_mode is DeleteMode.HARD:
        return lane.rows(of, *columns)
    found = lane.rows(of, "_rosetta_deleted", *(columns or of.schema.column_names))
    return [row[1:] for row in found if row[0] == "false"]


def test_a_chunk_fills_an_empty_table(lane: Lane, destination: Destination, things: TableTarget) -> None:
    assert destination.write_rows(chunk(things, [("1", "a", None), ("2", "b\\", "tab\t")])) == 2
    assert live(lane, things) == [("1", "a", None), ("2", "b\\", "tab\t")]
    assert lane.rows(things, "_rosetta_lsn", "_rosetta_xid") == [("0", "0"), ("0", "0")]
    destination.finish_copy(things)
    destination.finish_copy(things)


def test_a_chunk_may_be_a_file(lane: Lane, destination: Destination, things: TableTarget, tmp_path: Path) -> None:
    path = tmp_path / "rows"
    made = chunk(things, [("1", "a", "x")])
    assert isinstance(made.data, bytes)
    path.write_bytes(made.data)
    destination.write_rows(RowChunk(things, made.columns, path, 1, SEES_ALL))
    assert live(lane, things) == [("1", "a", "x")]


def test_a_newer_change_stays(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("u", 1, ("1", "new", "x")))
    assert destination.write_rows(chunk(things, [("1", "old", "x"), ("2", "old", "x")], SEES_NOTHING)) == 1
    assert live(lane, things, "id", "name") == [("1", "new"), ("2", "old")]


def test_an_older_change_is_replaced_and_keeps_its_version(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    write(destination, things, 10, Change("u", 1, ("1", "then", "x")))
    destination.write_rows(chunk(things, [("1", "as read", "y")], SEES_ALL))
    assert live(lane, things, "name", "_rosetta_lsn") == [("as read", "1")]


def test_a_snapshot_tells_transactions_apart_not_positions(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    write(destination, things, 10, Change("u", 5, ("1", "late", "x"), xid=101), Change("u", 6, ("2", "early", "x")))
    destination.write_rows(chunk(things, [("1", "read", "x"), ("2", "read", "x")], "100:102:101"))
    assert live(lane, things, "id", "name") == [("1", "late"), ("2", "read")]


def test_a_deleted_row_does_not_come_back(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("d", 1, ("1", None, None)), Change("d", 2, ("2", None, None), xid=40))
    destination.write_rows(chunk(things, [("1", "dead", "x"), ("2", "made again", "x")], SEES_NOTHING))
    assert live(lane, things, "id", "name") == [("2", "made again")]


def test_a_row_made_and_deleted_in_one_batch_does_not_come_back(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    write(destination, things, 10, Change("u", 1, ("1", "a", "x")), Change("d", 2, ("1", None, None)))
    destination.write_rows(chunk(things, [("1", "dead", "x")], SEES_NOTHING))
    assert live(lane, things) == []


def test_rows_that_the_chunk_lacks_are_gone(lane: Lane, destination: Destination, things: TableTarget) -> None:
    numbers = range(1, 8)
    write(destination, things, 10, *(Change("c", n, (str(n), "a", "x")) for n in numbers))
    write(destination, things, 20, Change("u", 11, ("4", "new", "x"), xid=2000))
    destination.write_rows(chunk(things, [("3", "a", "x")], SEES_ALL, lower=("1",), upper=("5",)))
    assert live(lane, things, "id") == [("1",), ("3",), ("4",), ("6",), ("7",)]


@pytest.mark.parametrize("complete", [True, False])
def test_few_rows_that_are_known_among_many(
    lane: Lane, destination: Destination, things: TableTarget, *, complete: bool
) -> None:
    """A destination may merge these alone, and add the others as they come."""
    write(
        destination,
        things,
        10,
        Change("u", 1, ("10", "new", "x")),
        Change("d", 2, ("20", None, None)),
        Change("u", 3, ("30", "old", "x"), xid=40),
        Change("u", 4, ("50", "new", UNCHANGED)),
        Change("c", 5, ("130", "lost", "x"), xid=40),
        Change("c", 6, ("140", "new", "x")),
        Change("c", 7, ("300", "beyond", "x"), xid=40),
        Change("d", 8, ("60", None, None), xid=40),
    )
    rows = [(str(n), "read", "y\t") for n in range(1, 101)]
    made = chunk(things, rows, SEES_NOTHING, lower=("0",), upper=("200",), complete=complete)
    destination.write_rows(made)
    names = {str(n): ("read", "y\t") for n in range(1, 101) if n != 20}
    names |= {"10": ("new", "x"), "50": ("new", "y\t"), "140": ("new", "x"), "300": ("beyond", "x")}
    if not complete:
        names["130"] = ("lost", "x")
    assert sorted(live(lane, things)) == sorted((key, *values) for key, values in names.items())
    assert destination.unfilled_keys(things) == []
    destination.finish_copy(things)


def test_a_filtered_chunk_deletes_nothing(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("c", 1, ("1", "a", "x")), Change("c", 2, ("2", "a", "x")))
    destination.write_rows(chunk(things, [("1", "b", "x")], SEES_ALL, complete=False))
    assert live(lane, things, "id", "name") == [("1", "b"), ("2", "a")]


def test_an_empty_chunk_empties_its_range(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("c", 1, ("1", "a", "x")), Change("c", 2, ("2", "a", "x")))
    destination.write_rows(chunk(things, [], SEES_ALL, lower=("1",)))
    assert live(lane, things, "id") == [("1",)]


def test_values_that_the_stream_left_out_come_from_the_chunk(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    write(destination, things, 10, Change("u", 1, ("1", "new", UNCHANGED)), Change("u", 2, ("2", "n", UNCHANGED)))
    write(destination, things, 20, Change("u", 11, ("1", "newer", UNCHANGED)), Change("u", 12, ("2", "n", "told")))
    with pytest.raises(RosettaError) as refused:
        destination.finish_copy(things)
    assert refused.value.code == "COPY_INCOMPLETE"
    destination.write_rows(chunk(things, [("1", "old", "big"), ("2", "old", "old")], SEES_NOTHING))
    assert live(lane, things) == [("1", "newer", "big"), ("2", "n", "told")]
    destination.finish_copy(things)
    write(destination, target(THINGS, delete_mode=things.delete_mode), 30, Change("u", 21, ("1", "n", UNCHANGED)))
    assert live(lane, things)[0] == ("1", "n", "big")


def test_rows_from_before_the_copy_are_not_trusted(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("c", 1, ("1", "a", "stale"), xid=9), Change("c", 2, ("2", "a", "stale")))
    destination.finish_copy(things)
    destination.start_copy(things)
    moved = Change("c", 12, ("3", "moved", UNCHANGED), seq=1, moved_from=("2",))
    write(destination, things, 20, Change("u", 11, ("1", "b", UNCHANGED)), Change("d", 12, ("2", None, None)), moved)
    assert sorted(destination.unfilled_keys(things)) == [("1",), ("3",)]
    destination.write_rows(chunk(things, [("1", "a", "fresh"), ("2", "a", "fresh")], SEES_NOTHING))
    write(destination, things, 30, Change("u", 21, ("1", "c", UNCHANGED)))
    destination.write_rows(chunk(things, [("3", "moved", "fresh")], SEES_ALL, complete=False))
    assert live(lane, things) == [("1", "c", "fresh"), ("3", "moved", "fresh")]
    destination.finish_copy(things)


def test_rows_that_nobody_confirmed_are_named_and_go_by_key(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    write(destination, things, 10, *(Change("c", n, (str(n), "a", "x"), xid=9) for n in (1, 2, 3, 4)))
    destination.finish_copy(things)
    destination.start_copy(things)
    write(destination, things, 20, Change("u", 12, ("2", "b", "x")))
    assert destination.unconfirmed_keys(things, None) == [("1",), ("3",), ("4",)]
    assert destination.unconfirmed_keys(things, ("1",)) == [("3",), ("4",)]
    named = replace(chunk(things, [("3", "c", "x")], SEES_ALL), keys=(("1",), ("3",)))
    destination.write_rows(named)
    assert live(lane, things) == [("2", "b", "x"), ("3", "c", "x"), ("4", "a", "x")]
    assert destination.unconfirmed_keys(things, None) == [("4",)]


def test_a_key_that_the_chunk_does_not_see_stays(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("c", 1, ("1", "new", "x")))
    destination.write_rows(replace(chunk(things, [], SEES_NOTHING), keys=(("1",),)))
    assert live(lane, things) == [("1", "new", "x")]


def test_a_moved_row_is_not_filled_from_another_row_of_that_key(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    write(
        destination,
        things,
        10,
        Change("d", 1, ("2", None, None)),
        Change("d", 2, ("1", None, None)),
        Change("c", 2, ("2", "moved", UNCHANGED), seq=1, moved_from=("1",)),
    )
    destination.write_rows(chunk(things, [("1", "a", "right"), ("2", "b", "wrong")], SEES_NOTHING))
    assert live(lane, things) == [("2", "moved", None)]
    assert destination.unfilled_keys(things) == [("2",)]
    destination.write_rows(chunk(things, [("2", "moved", "right")], SEES_ALL, complete=False))
    assert live(lane, things) == [("2", "moved", "right")]
    destination.finish_copy(things)


def test_notes_follow_deletes_and_moves(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("u", 1, ("1", "a", UNCHANGED)), Change("u", 2, ("3", "a", UNCHANGED)))
    write(
        destination,
        things,
        20,
        Change("d", 11, ("1", None, None)),
        Change("c", 11, ("2", "moved", UNCHANGED), seq=1, moved_from=("1",)),
        Change("d", 12, ("3", None, None)),
    )
    assert destination.unfilled_keys(things) == [("2",)]
    destination.write_rows(chunk(things, [("2", "moved", "big")], SEES_ALL))
    assert live(lane, things) == [("2", "moved", "big")]
    destination.finish_copy(things)


def test_a_truncated_table_stays_empty_of_what_was(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("u", 1, ("1", "a", UNCHANGED)))
    destination.write_changes(batch(20, truncated=[things]))
    assert live(lane, things) == []
    destination.finish_copy(things)


def test_a_chunk_without_a_copy_is_refused(destination: Destination) -> None:
    of = target(schema("other"), sync_id=3)
    destination.ensure_table(of)
    with pytest.raises(RosettaError):
        destination.write_rows(chunk(of, [("1", "a", "x")]))


def test_composite_ranges(lane: Lane, destination: Destination) -> None:
    of = target(schema("pairs", (("a", "text"), ("b", "integer")), ("a", "b")), sync_id=4, copying=True)
    destination.ensure_table(of)
    destination.start_copy(of)
    write(destination, of, 10, *(Change("c", n, (a, str(n))) for n in (1, 2, 3) for a in "pqr"))
    destination.write_rows(chunk(of, [("q", "1")], SEES_ALL, lower=("p", "2"), upper=("q", "3")))
    assert lane.rows(of) == [("p", "1"), ("p", "2"), ("q", "1"), ("r", "1"), ("r", "2"), ("r", "3")]


@constrained
def test_a_table_without_a_key_holds_changes_back(lane: Lane, destination: Destination) -> None:
    of = target(schema("loose", (("a", "text"),), ()), sync_id=6, copying=True)
    destination.ensure_table(of)
    destination.start_copy(of)
    write(destination, of, 10, Change("c", 1, ("seen",), xid=40), Change("c", 2, ("later",)), Change("d", 3, ("x",)))
    assert lane.rows(of) == []
    destination.write_rows(chunk(of, [("seen",), ("x",), ("x",)], SEES_NOTHING))
    assert lane.rows(of) == [("later",), ("seen",), ("x",)]
    write(destination, of, 20, Change("d", 11, ("x",)), Change("c", 12, ("last",)))
    destination.finish_copy(of)
    assert lane.rows(of) == [("last",), ("later",), ("seen",)]


def test_appended_rows_of_a_chunk_are_there_once(lane: Lane, destination: Destination) -> None:
    of = target(THINGS, mode=SyncMode.APPEND, copying=True)
    destination.ensure_table(of)
    destination.start_copy(of)
    write(destination, of, 10, Change("u", 1, ("1", "new", "x")))
    for _ in range(2):
        destination.write_rows(chunk(of, [("1", "old", "x"), ("2", "old", "x")], SEES_NOTHING))
    destination.write_rows(chunk(of, [("3", "old", "x")], SEES_NOTHING))
    destination.finish_copy(of)
    assert lane.rows(of, "id", "_rosetta_op", "name") == [
        ("1", "r", "old"),
        ("1", "u", "new"),
        ("2", "r", "old"),
        ("3", "r", "old"),
    ]
