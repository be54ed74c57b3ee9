"""What `write_rows` does with rows that the target refuses: they are told one by one, the rest is merged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compute.destinations.base import Destination, Refusal, RefusedRecord, RowChunk, TableTarget, TableWrite, WriteBatch
from compute.tests.contract.changes import UNCHANGED, Change, Values, chunk, target
from compute.tests.contract.conftest import Lane, constrained
from compute.tests.contract.constraints import check, unique
from compute.tests.contract.refusals import THINGS
from compute.tests.contract.test_chunks import SEES_ALL, SEES_NOTHING, live, write
from rosetta.enums import DeleteMode
from rosetta.errors import RosettaError

pytestmark = [pytest.mark.integration, constrained]


@pytest.fixture(params=[DeleteMode.HARD, DeleteMode.SOFT])
def things(request: pytest.FixtureRequest, lane: Lane, destination: Destination) -> TableTarget:
    """A table whose `n` must be below 100, while it is copied."""
    made = target(THINGS, copying=True, delete_mode=request.param)
    destination.ensure_table(made)
    destination.start_copy(made)
    lane.constrain(check(made, "n < 100", lambda row: row["n"] is None or int(row["n"]) < 100))
    return made


def merge(destination: Destination, made: RowChunk) -> tuple[int, list[RefusedRecord]]:
    told: list[Refusal] = []
    written = destination.write_rows(made, told.append)
    assert all(not refusal.tables for refusal in told)
    return written, [record for refusal in told for record in refusal.records]


def things_of(*rows: Values, of: TableTarget, snapshot: str = SEES_ALL) -> RowChunk:
    return chunk(of, rows, snapshot)


def replay(destination: Destination, *records: RefusedRecord, edit: tuple[bytes, bytes] = (b"", b"")) -> set[str]:
    """Tries records again, with text of theirs changed; whether any was stale, or refused."""
    changed = [replace(one.changes, data=bytes(one.changes.data).replace(*edit)) for one in records]
    batch = WriteBatch(None, (), tuple(TableWrite(one.target, its) for one, its in zip(records, changed, strict=True)))
    result = destination.write_changes(batch)
    return {name for name in ("stale", "refusal") if getattr(result, name)}


def test_refused_rows_are_told_one_by_one_and_the_rest_is_merged(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    write(destination, things, 10, Change("c", 1, ("2", "2", "old")), Change("c", 2, ("9", "9", "gone")))
    rows = [("1", "1", "a"), ("2", "200", "b"), ("3", "3", "c\\"), ("4", "x", "d"), ("5", None, "tab\t")]
    written, refused = merge(destination, things_of(*rows, of=things))
    assert written == 3
    assert live(lane, things) == [("1", "1", "a"), ("2", "2", "old"), ("3", "3", "c\\"), ("5", None, "tab\t")]
    assert lane.rows(things, "id", "_rosetta_lsn", "_rosetta_seq", "_rosetta_xid")[0] == ("1", "0", "0", "0")
    assert sorted(one.error.code for one in refused) == ["PG_22P02", "PG_23514"]
    again = merge(destination, things_of(*reversed(rows), of=things))[1]
    lines = [{tuple(bytes(one.changes.data).split(b"\t")[:3]) for one in records} for records in (refused, again)]
    assert lines[0] == lines[1], "a row that comes again is the same record"
    assert len(lines[0]) == 2
    destination.finish_copy(things)


def test_a_refused_row_is_newer_than_the_targets_and_older_than_what_comes(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    write(destination, things, 10, Change("c", 5, ("1", "1", "old"), seq=3))
    refused = merge(destination, things_of(("1", "100", "read"), ("2", "200", "new"), of=things))[1]
    assert len(refused) == 2
    assert replay(destination, *refused) == {"refusal"}
    assert live(lane, things, "id", "body") == [("1", "old")]
    assert replay(destination, *refused, edit=(b"00\t", b"\t")) == set()
    assert live(lane, things) == [("1", "1", "read"), ("2", "2", "new")]
    write(destination, things, 20, Change("u", 6, ("1", "7", "later")), Change("u", 7, ("2", "8", "later")))
    assert replay(destination, *refused, edit=(b"00\t", b"\t")) == {"stale"}
    assert live(lane, things) == [("1", "7", "later"), ("2", "8", "later")]


def test_what_the_chunk_did_not_see_is_no_reason_to_refuse(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    write(destination, things, 10, Change("u", 1, ("1", "1", UNCHANGED)), Change("d", 2, ("2", None, None)))
    rows = [("1", "100", "big"), ("2", "100", "dead"), ("3", "300", "bad"), ("4", "4", "d")]
    written, refused = merge(destination, things_of(*rows, of=things, snapshot=SEES_NOTHING))
    assert written == 1
    assert [bytes(one.changes.data).split(b"\t")[7] for one in refused] == [b"3"]
    assert live(lane, things) == [("1", "1", "big"), ("4", "4", "d")]
    destination.finish_copy(things)


def test_what_is_parked_lacks_no_value(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, things, 10, Change("u", 1, ("1", "1", UNCHANGED)))
    assert destination.unfilled_keys(things) == [("1",)]
    assert len(merge(destination, things_of(("1", "100", "big"), of=things))[1]) == 1
    destination.finish_copy(things)
    assert live(lane, things) == [("1", "1", None)]


def test_unique_values_that_rows_hand_to_one_another_are_not_refused(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    write(destination, things, 10, *(Change("c", n, (str(n), str(n), "x")) for n in (1, 2, 3)))
    lane.constrain(unique(things, "n"))
    written, refused = merge(destination, things_of(("1", "2", "x"), ("2", "1", "x"), ("3", "1", "x"), of=things))
    assert (written, len(refused)) == (2, 1)
    assert live(lane, things, "n") == [("1",), ("2",), ("3",)]


def test_unless_somebody_takes_them_nothing_is_merged(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    bad = things_of(("1", "1", "a"), ("2", "200", "b"), of=things)
    with pytest.raises(RosettaError) as refused:
        destination.write_rows(bad)
    assert refused.value.code == "PG_23514"

    def nowhere(_: Refusal) -> None:
        raise RuntimeError("the ledger is away")

    with pytest.raises(RuntimeError):
        destination.write_rows(bad, nowhere)
    assert live(lane, things) == []
