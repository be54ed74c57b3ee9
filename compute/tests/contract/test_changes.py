"""What `write_changes` promises, of every destination."""

from __future__ import annotations

import pytest

from compute.destinations.base import Destination, Refusal, TableTarget
from compute.tests.contract.changes import UNCHANGED, Change, batch, changes, position, schema, target
from compute.tests.contract.conftest import Lane, constrained, written_at_once
from compute.tests.contract.source_model import resolved
from rosetta.enums import DeleteMode, SyncMode
from rosetta.errors import FencedError, OutageError
from rosetta.types import TableSchema

pytestmark = pytest.mark.integration
THINGS = schema()


@pytest.fixture
def things(destination: Destination) -> TableTarget:
    made = target(THINGS)
    destination.ensure_table(made)
    return made


def write(destination: Destination, of: TableTarget, end: int, *items: Change, folded: bool = False) -> None:
    result = destination.write_changes(batch(end, (of, changes(of.schema, items, folded=folded))))
    assert not result.refusal
    assert result.position == position(end)


def test_inserts_updates_and_deletes_apply(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("c", 1, ("1", "a", "x")), Change("c", 2, ("2", "b", None)), folded=True)
    write(destination, things, 20, Change("u", 11, ("1", "tab\there\\n", "ü\n")), Change("d", 12, ("2", None, None)))
    assert lane.rows(things) == [("1", "tab\there\\n", "ü\n")]


def test_versions_and_position_are_kept(lane: Lane, destination: Destination, things: TableTarget) -> None:
    assert destination.durable_position() is None
    write(destination, things, 10, Change("c", 7, ("1", "a", "x"), seq=3, xid=4_294_967_300))
    assert destination.durable_position() == position(10)
    assert lane.rows(things, "_rosetta_lsn", "_rosetta_seq", "_rosetta_xid") == [("7", "3", "4294967300")]


def test_an_empty_batch_moves_the_position(destination: Destination) -> None:
    assert destination.write_changes(batch(5)).position == position(5)
    assert destination.durable_position() == position(5)


def test_a_batch_that_comes_again_changes_nothing(lane: Lane, destination: Destination, things: TableTarget) -> None:
    first = batch(10, (things, changes(THINGS, [Change("c", 1, ("1", "a", "x"))])))
    destination.write_changes(first)
    write(destination, things, 20, Change("d", 11, ("1", None, None)))
    again = destination.write_changes(first)
    assert (again.rows, again.position) == (0, position(20))
    assert lane.rows(things) == []


def test_no_row_goes_back_to_an_older_version(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("c", 9, ("1", "new", "x"), seq=2), Change("c", 3, ("2", "b", "x")))
    write(destination, things, 20, Change("u", 9, ("1", "old", "x"), seq=1), Change("d", 2, ("2", None, None)))
    assert lane.rows(things, "id", "name") == [("1", "new"), ("2", "b")]


def test_a_target_that_is_not_as_the_stream_left_it_ends_right_too(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    """New rows that are there already, updated rows that are not, and rows that are newer, beside ordinary ones."""
    write(destination, things, 10, Change("c", 1, ("1", "a", "x")), Change("c", 9, ("2", "b", "x")), folded=True)
    write(destination, things, 20, Change("u", 11, ("1", "a2", "x")), Change("u", 12, ("3", "c", "x")), folded=True)
    assert lane.rows(things, "id", "name") == [("1", "a2"), ("2", "b"), ("3", "c")]
    write(destination, things, 30, Change("c", 21, ("1", "a3", "x")), Change("d", 22, ("3", None, None)), folded=True)
    assert lane.rows(things, "id", "name") == [("1", "a3"), ("2", "b")]
    stale = Change("u", 8, ("2", "older", "x")), Change("d", 7, ("1", None, None)), Change("c", 31, ("4", "d", "x"))
    write(destination, things, 40, *stale, folded=True)
    assert lane.rows(things, "id", "name") == [("1", "a3"), ("2", "b"), ("4", "d")]


@pytest.mark.parametrize("delete_mode", list(DeleteMode))
def test_a_key_that_was_deleted_comes_again(lane: Lane, destination: Destination, delete_mode: DeleteMode) -> None:
    made = target(THINGS, delete_mode=delete_mode)
    destination.ensure_table(made)
    write(destination, made, 10, Change("c", 1, ("1", "a", "x")), folded=True)
    write(destination, made, 20, Change("d", 11, ("1", None, None)), folded=True)
    write(destination, made, 30, Change("c", 21, ("1", "again", "x")), Change("c", 22, ("2", "b", "x")), folded=True)
    assert lane.rows(made, "id", "name") == [("1", "again"), ("2", "b")]


def test_unfolded_changes_of_a_key_end_at_the_newest(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(
        destination,
        things,
        10,
        Change("c", 1, ("1", "a", "x")),
        Change("c", 1, ("2", "b", "x"), seq=1),
        Change("d", 2, ("1", None, None)),
        Change("c", 3, ("1", "again", "y")),
        Change("u", 4, ("2", "b2", "x")),
        Change("d", 5, ("2", None, None)),
    )
    assert lane.rows(things) == [("1", "again", "y")]


def test_unchanged_values_are_kept(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("c", 1, ("1", "a", "big")), Change("c", 1, ("2", "b", None), seq=1))
    write(
        destination,
        things,
        20,
        Change("u", 11, ("1", "a2", UNCHANGED)),
        Change("u", 12, ("2", "b2", UNCHANGED)),
        folded=True,
    )
    assert lane.rows(things) == [("1", "a2", "big"), ("2", "b2", None)]


def test_unfolded_changes_keep_what_the_target_has(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("c", 1, ("1", "n0", "b0")), Change("c", 2, ("2", "n0", "b0")))
    write(
        destination,
        things,
        30,
        Change("u", 11, ("1", "n1", UNCHANGED)),
        Change("u", 12, ("1", "n1", "b2")),
        Change("u", 13, ("2", UNCHANGED, UNCHANGED)),
        Change("u", 14, ("2", "n4", UNCHANGED)),
    )
    assert lane.rows(things) == [("1", "n1", "b2"), ("2", "n4", "b0")]


def move(lsn: int, old: str, new: str, name: str = "moved") -> list[Change]:
    return [
        Change("d", lsn, (old, None, None)),
        Change("c", lsn, (new, name, UNCHANGED), seq=1, moved_from=(old,)),
    ]


def test_a_key_change_takes_unchanged_values_along(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("c", 1, ("1", "a", "big")))
    write(destination, things, 20, *move(11, "1", "2"), folded=True)
    assert lane.rows(things) == [("2", "moved", "big")]


def unfolded(*changes: Change) -> list[Change]:
    return resolved(list(changes))


def test_chains_of_keys(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, *(Change("c", n, (str(n), "a", f"big{n}")) for n in (1, 2, 3)))
    # 3 -> 4, 2 -> 3, 1 -> 2, and 4 -> 5 -> 6 at last; in one batch
    steps = [*move(11, "3", "4"), *move(12, "2", "3"), *move(13, "1", "2"), *move(14, "4", "5"), *move(15, "5", "6")]
    write(destination, things, 20, *unfolded(*steps))
    assert lane.rows(things, "id", "body") == [("2", "big1"), ("3", "big2"), ("6", "big3")]


def test_swapped_keys(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("c", 1, ("1", "a", "big1")), Change("c", 2, ("2", "b", "big2")))
    write(destination, things, 20, *unfolded(*move(11, "1", "9"), *move(12, "2", "1"), *move(13, "9", "2")))
    assert lane.rows(things, "id", "body") == [("1", "big2"), ("2", "big1")]


def test_an_old_key_that_is_used_again(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("c", 1, ("1", "a", "big")))
    steps = [*move(11, "1", "2"), Change("c", 12, ("1", "new", "small")), Change("u", 13, ("2", "later", UNCHANGED))]
    write(destination, things, 20, *unfolded(*steps))
    assert lane.rows(things) == [("1", "new", "small"), ("2", "later", "big")]


def test_swapped_keys_folded(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("c", 1, ("1", "a", "big1")), Change("c", 2, ("2", "b", "big2")))
    swapped = [
        Change("d", 11, ("9", None, None), seq=1),
        Change("c", 12, ("1", "n", UNCHANGED), seq=1, moved_from=("2",)),
        Change("c", 13, ("2", "n", UNCHANGED), seq=1, moved_from=("1",)),
    ]
    write(destination, things, 20, *swapped, folded=True)
    assert lane.rows(things, "id", "body") == [("1", "big2"), ("2", "big1")]


def test_a_change_of_a_moved_row_later_in_the_batch(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("c", 1, ("1", "a", "big")))
    later = Change("u", 12, ("2", "later", UNCHANGED))
    write(destination, things, 20, *unfolded(*move(11, "1", "2"), later))
    assert lane.rows(things) == [("2", "later", "big")]


def test_a_row_that_is_missing_is_an_error(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("c", 1, ("1", "a", "big")))
    items = [Change("u", 11, ("1", "b", "big")), Change("u", 12, ("2", "x", UNCHANGED))]
    result = destination.write_changes(batch(20, (things, changes(THINGS, items))))
    (record,) = result.refusal.records
    assert (record.error.code, record.changes, result.refusal.tables) == ("ROW_MISSING", changes(THINGS, items[1:]), {})
    assert lane.rows(things) == [("1", "b", "big")]
    assert destination.durable_position() == position(20)


def test_truncate_comes_before_the_changes(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("c", 1, ("1", "a", "x")))
    after = (things, changes(THINGS, [Change("c", 12, ("2", "b", "x"))]))
    destination.write_changes(batch(20, after, truncated=[things]))
    assert lane.rows(things, "id") == [("2",)]


@written_at_once
def test_a_table_that_cannot_be_written_leaves_the_others(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    missing = target(schema("missing", (("id", "bigint"), ("n", "integer"))), sync_id=2)
    theirs = changes(missing.schema, [Change("c", 1, ("1", "2"))])
    mine = changes(THINGS, [Change("c", 3, ("1", "a", "x"))])
    result = destination.write_changes(batch(10, (missing, theirs), (things, mine)))
    assert {sync_id: error.code for sync_id, error in result.refusal.tables.items()} == {2: "TARGET_MISSING"}
    assert (lane.rows(things, "id"), result.rows, result.refusal.records) == ([("1",)], 1, ())
    assert destination.durable_position() == position(10)


@written_at_once
def test_a_refusal_is_told_before_the_commit(lane: Lane, destination: Destination, things: TableTarget) -> None:
    items = [Change("c", 1, ("not a number", "a", "x")), Change("c", 2, ("1", "a", "x"))]
    bad = batch(10, (things, changes(THINGS, items)))
    told: list[Refusal] = []

    def unable(refusal: Refusal) -> None:
        told.append(refusal)
        raise OutageError("cannot write it down")

    with pytest.raises(OutageError):
        destination.write_changes(bad, unable)
    assert (len(told), destination.durable_position(), lane.rows(things)) == (1, None, [])
    assert destination.write_changes(bad, told.append).refusal == told[1]
    assert [record.changes for record in told[1].records] == [changes(THINGS, items[:1])]
    assert (lane.rows(things, "id"), destination.durable_position()) == ([("1",)], position(10))


def test_a_smaller_epoch_is_fenced(lane: Lane, destination: Destination, things: TableTarget) -> None:
    newer = lane.writer()
    newer.open(2)
    with pytest.raises(FencedError):
        destination.write_changes(batch(10, (things, changes(THINGS, [Change("c", 1, ("1", "a", "x"))]))))
    with pytest.raises(FencedError):
        lane.writer().open(1)
    assert lane.rows(things) == []
    write(newer, things, 10, Change("c", 1, ("1", "a", "x")))


def test_a_reopened_destination_knows_its_position(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("c", 1, ("1", "a", "x")))
    destination.close()
    destination.close()
    destination.open(1)
    destination.ping()
    assert destination.durable_position() == position(10)
    write(destination, things, 20, Change("u", 11, ("1", "b", UNCHANGED)))
    assert lane.rows(things) == [("1", "b", "x")]


def test_soft_deletes_mark_rows(lane: Lane, destination: Destination) -> None:
    soft = target(THINGS, delete_mode=DeleteMode.SOFT)
    destination.ensure_table(soft)
    write(destination, soft, 10, Change("c", 1, ("1", "a", "x")), Change("c", 2, ("2", "b", "x")))
    write(destination, soft, 20, Change("d", 11, ("1", None, None)), *move(12, "2", "3"))
    assert lane.rows(soft, "id", "name", "_rosetta_deleted", "_rosetta_lsn") == [
        ("1", "a", "true", "11"),
        ("2", "b", "true", "12"),
        ("3", "moved", "false", "12"),
    ]
    write(destination, soft, 30, Change("c", 21, ("1", "back", "y")))
    assert lane.rows(soft, "id", "name", "_rosetta_deleted")[0] == ("1", "back", "false")


def test_soft_truncate_marks_rows(lane: Lane, destination: Destination) -> None:
    soft = target(THINGS, delete_mode=DeleteMode.SOFT)
    destination.ensure_table(soft)
    write(destination, soft, 10, Change("c", 1, ("1", "a", "x")))
    destination.write_changes(batch(20, truncated=[soft]))
    assert lane.rows(soft, "id", "_rosetta_deleted") == [("1", "true")]


@written_at_once
def test_append_keeps_every_change_once(lane: Lane, destination: Destination) -> None:
    history = target(THINGS, mode=SyncMode.APPEND)
    destination.ensure_table(history)
    items = [
        Change("c", 1, ("1", "a", "x")),
        Change("u", 2, ("1", "b", UNCHANGED)),
        Change("u", 2, ("1", "c", None), seq=1),
        Change("d", 3, ("1", None, None)),
    ]
    write(destination, history, 10, *items)
    write(destination, history, 20, *items[2:], Change("c", 11, ("1", "z", "x")))
    columns = ("_rosetta_lsn", "_rosetta_seq", "_rosetta_op", "name", "body", "_rosetta_unchanged")
    assert lane.rows(history, *columns) == [
        ("1", "0", "c", "a", "x", None),
        ("11", "0", "c", "z", "x", None),
        ("2", "0", "u", "b", None, "{body}"),
        ("2", "1", "u", "c", None, None),
        ("3", "0", "d", None, None, None),
    ]


def test_append_records_a_truncate(lane: Lane, destination: Destination) -> None:
    history = target(THINGS, mode=SyncMode.APPEND)
    destination.ensure_table(history)
    destination.write_changes(batch(20, truncated=[history]))
    assert lane.rows(history, "_rosetta_op", "id") == [("t", None)]


@pytest.fixture
def loose(destination: Destination) -> TableTarget:
    made = target(schema("loose", (("a", "integer"), ("b", "text")), ()), sync_id=5)
    destination.ensure_table(made)
    return made


@constrained
def test_a_table_without_a_key_is_a_multiset(lane: Lane, destination: Destination, loose: TableTarget) -> None:
    same = [Change("c", 1, ("1", "x"), seq=n) for n in range(3)]
    write(destination, loose, 10, *same, Change("c", 2, (None, "")), Change("c", 3, (None, None)))
    write(
        destination,
        loose,
        20,
        Change("d", 11, ("1", "x")),
        Change("c", 11, ("1", "y"), seq=1),
        Change("d", 12, (None, "")),
        Change("c", 13, ("5", "new")),
        Change("d", 14, ("5", "new")),
        Change("c", 15, ("1", "y")),
    )
    assert lane.rows(loose) == [(None, None), ("1", "x"), ("1", "x"), ("1", "y"), ("1", "y")]


@constrained
def test_an_update_of_a_row_without_a_key_keeps_unchanged_values(
    lane: Lane, destination: Destination, loose: TableTarget
) -> None:
    write(destination, loose, 10, Change("c", 1, ("1", "big")))
    write(destination, loose, 20, Change("d", 11, ("1", "big")), Change("c", 11, ("2", UNCHANGED), seq=1))
    assert lane.rows(loose) == [("2", "big")]


def test_composite_keys(lane: Lane, destination: Destination) -> None:
    pair: TableSchema = schema("pairs", (("v", "text"), ("a", "text"), ("b", "integer")), ("b", "a"))
    of = target(pair, sync_id=7)
    destination.ensure_table(of)
    write(destination, of, 10, Change("c", 1, ("v1", 'q"\\,', "1")), Change("c", 2, ("v2", "x", "1")))
    moved = Change("c", 11, (UNCHANGED, "y", "2"), seq=1, moved_from=("1", 'q"\\,'))
    write(destination, of, 20, Change("d", 11, (None, 'q"\\,', "1")), moved, Change("d", 12, (None, "x", "1")))
    assert lane.rows(of) == [("v1", "y", "2")]
