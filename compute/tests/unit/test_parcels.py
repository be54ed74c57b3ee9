"""Batches joined on their way into the ledger and back: fewer, and the same at the target."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from compute.core.batch import ChangeBatch, TableChanges
from compute.destinations.base import TableTarget, TableWrite, WriteBatch
from compute.destinations.memory import MemoryDestination, MemoryStore
from compute.dlq.parcels import Parcel, entries, joined, replayed
from compute.dlq.records import Entry, OpenRow
from compute.tests.support.lanes import SCHEMA, TABLE, batch
from rosetta.enums import SyncMode
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition

SERVED = {TABLE: (1,)}


def parcels(*batches: ChangeBatch) -> list[Parcel]:
    return [Parcel(one, SERVED) for one in batches]


def flagged(one: ChangeBatch, **flags: Any) -> ChangeBatch:
    """The same with flags set, as the engine would set them."""
    return replace(one, tables=tuple(replace(changes, **flags) for changes in one.tables))


def ends(found: list[Parcel]) -> list[StreamPosition]:
    return [parcel.batch.end for parcel in found]


def test_plain_batches_become_one_that_ends_where_the_last_did() -> None:
    found = list(joined(parcels(batch(1, 1), batch(2, 2, 3), batch(3)), 1_000_000))
    assert ends(found) == [batch(3).end]
    (changes,) = found[0].batch.tables
    assert (changes.row_count, changes.folded) == (3, False)
    assert found[0].batch.start == batch(1).start


def test_the_bound_cuts() -> None:
    size = batch(1, 1).byte_count
    assert len(list(joined(parcels(*(batch(number, 1) for number in range(1, 7))), 2 * size))) == 3


@pytest.mark.parametrize("flag", ["has_unchanged", "has_moved"])
def test_what_leans_on_the_target_row_is_not_joined_in_the_ledger(flag: str) -> None:
    special = flagged(batch(2, 2), **{flag: True})
    found = list(joined(parcels(batch(1, 1), special, batch(3, 3)), 1_000_000))
    assert ends(found) == [batch(1).end, batch(2).end, batch(3).end]


def test_a_table_without_a_key_is_not_joined_in_the_ledger() -> None:
    keyless = replace(batch(2, 2), tables=tuple(replace(one, key=()) for one in batch(2, 2).tables))
    assert len(list(joined(parcels(batch(1, 1), keyless, batch(3, 3)), 1_000_000))) == 3


def test_nothing_is_joined_across_other_work_a_truncate_or_a_change_of_tables() -> None:
    apart = Parcel(batch(2, 2), SERVED, contiguous=False)
    emptied = Parcel(replace(batch(3, 3), truncated=(TABLE,)), SERVED)
    elsewhere = Parcel(batch(5, 5), {TABLE: (1, 2)})
    found = list(joined([*parcels(batch(1, 1)), apart, emptied, *parcels(batch(4, 4)), elsewhere], 1_000_000))
    assert len(found) == 5


def test_a_segment_for_each_sync_and_a_truncate_before_the_changes() -> None:
    parcel = Parcel(replace(batch(1, 1), truncated=(TABLE,)), {TABLE: (1, 2)})
    made = list(entries(parcel, 7, "AWAY", "it is away"))
    assert [(one.sync_id, one.part, one.payload.truncate) for one in made] == [
        (1, 0, True),
        (2, 0, True),
        (1, 1, False),
        (2, 1, False),
    ]
    assert {one.position for one in made} == {batch(1).end}
    assert not list(entries(Parcel(batch(1, 1), {TableId("public", "other"): (3,)}), 7, "AWAY", ""))


def history(seed: int) -> list[ChangeBatch]:
    """Inserts, updates, deletes and truncates of a few keys in a few batches."""
    pick, made, present = random.Random(seed), list[ChangeBatch](), set[int]()
    for number in range(1, 15):
        emptied = pick.random() < 0.15
        if emptied:
            present.clear()
        lines = []
        for n in range(pick.randint(0, 4)):
            key = pick.randint(1, 6)
            gone = key in present and pick.random() < 0.4
            operation = "d" if gone else "u" if key in present else "c"
            (present.discard if gone else present.add)(key)
            value = "\\N" if gone else f"v{number}.{n}"
            lines.append(f"{operation}\t{number * 100 + n}\t0\t{number}\t0\t\\N\t\\N\t{key}\t{value}\n")
        data = "".join(lines).encode()
        deletes = any(line.startswith("d") for line in lines)
        changes = TableChanges(TABLE, ("id", "v"), ("id",), len(lines), data, False, deletes, False, False)
        start, end = (StreamPosition(Lsn(place * 100)) for place in (number, number + 1))
        made.append(ChangeBatch(number, start, end, (TABLE,) if emptied else (), tables=(changes,) if lines else ()))
    return made


def result(batches: list[ChangeBatch], target: TableTarget) -> tuple[object, ...]:
    store = MemoryStore()
    destination = MemoryDestination(store)
    destination.open(1)
    destination.ensure_table(target)
    for one in batches:
        writes = tuple(TableWrite(target, changes) for changes in one.tables)
        destination.write_changes(WriteBatch(one.end, (target,) * bool(one.truncated), writes))
    table = store.tables[TABLE]
    rows = {key: (row.values, row.version, row.deleted) for key, row in table.rows.items()}
    return rows, {version: kind for version, (kind, _) in table.history.items()}, store.position


@pytest.mark.parametrize("mode", [SyncMode.CURRENT, SyncMode.APPEND])
@pytest.mark.parametrize("seed", range(15))
def test_through_the_ledger_the_target_becomes_the_same(seed: int, mode: SyncMode) -> None:
    target, batches = TableTarget(1, SCHEMA, TABLE, mode), history(seed)
    rows = [
        _row(number, entry)
        for number, entry in enumerate(
            entry for parcel in joined(parcels(*batches), 1_000) for entry in entries(parcel, 1, "AWAY", "")
        )
    ]
    back = list(replayed(rows, 0, 1_000))
    assert len(back) < len(batches)
    directly, through = result(batches, target), result(back, target)
    assert through[:2] == directly[:2]


@pytest.mark.parametrize("seed", range(15))
def test_segments_that_are_there_twice_count_once(seed: int) -> None:
    """Parked again because the answer was lost: what the first time had may begin earlier, never later."""
    made = list(joined(parcels(*history(seed)), 300))
    found = [entry for parcel in made for entry in entries(parcel, 1, "AWAY", "")]
    once = [_row(number, entry) for number, entry in enumerate(found)]
    again = [replace(row, row_id=row.row_id + 1_000) for row in once if row.row_id % 3]
    twice = sorted([*once, *again], key=lambda row: (row.position, row.part, row.row_id))
    assert list(replayed(twice, 0, 1_000)) == list(replayed(once, 0, 1_000))


def _row(number: int, entry: Entry) -> OpenRow:
    return OpenRow(
        row_id=number,
        destination_id=entry.destination_id,
        sync_id=entry.sync_id,
        table=entry.table,
        kind=entry.kind,
        error_class=entry.error_class,
        position=entry.position,
        part=entry.part,
        payload=entry.payload,
        raw_bytes=len(entry.payload.data),
        attempts=0,
        error_code=entry.error_code,
        commit_time=entry.commit_time,
        created_at=datetime.now(UTC),
        changed_at=datetime.now(UTC),
    )
