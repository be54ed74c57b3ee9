"""Rows that a custom SQL cannot compute: each waits in the ledger by itself, the others of its table go on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from compute.backfill.flight import PendingChunk
from compute.core.unmade import unmade_apart
from compute.core.work import ChangesWork, ChunkWork, PrepareWork
from compute.destinations.base import RowChunk, TableWrite
from compute.dlq.records import changes_of, payload_of
from compute.tests.contract.changes import Change, Values, changes, copy_text
from compute.tests.support.desk import THINGS, Bench, gone, row
from compute.tests.unit.test_row_rules import KEY, Source
from compute.transforms import CopiedRows, RowRules, RuleMaker
from rosetta.custom_sql import Sandbox
from rosetta.dead_letters import edit_row, open_payload, seal_payload
from rosetta.enums import SyncMode
from rosetta.table_rules import TableRules

STATEMENT = "SELECT id, name, CAST(body AS INTEGER) AS n FROM batch WHERE name <> 'hidden'"
FOUND = "SELECT id, name, n FROM things ORDER BY id"
CANARY = "canary"


class Ruled:
    """A desk whose table has a custom SQL; `source` is what the source has by now."""

    def __init__(self, bench: Bench, sandbox: Sandbox, mode: SyncMode = SyncMode.CURRENT) -> None:
        self.bench, self.source = bench, Source()
        declared = TableRules.parse(None, {}, [], STATEMENT)
        made = RuleMaker(KEY, self.source, sandbox).make(bench.queue.sync_id, declared, THINGS, mode)
        assert made is not None
        self.rules: RowRules = made
        self.target = bench.serve(THINGS, mode, rules=made)

    def rows(self) -> list[tuple[object, ...]]:
        return self.bench.rows(FOUND)

    def has(self, key: int, name: str, body: str) -> None:
        self.source.rows[(str(key),)] = (str(key), name, body)

    def again(self) -> None:
        self.bench.due_now()
        self.bench.recover()

    def land(self, *rows: Values, complete: bool = True) -> None:
        """A chunk of the table, as its read and its rules give it."""
        target = replace(self.target, copying=True)
        read = CopiedRows(THINGS.column_names, copy_text(rows), len(rows))
        made = self.rules.copied(read)
        chunk = RowChunk(target, made.columns, made.data, made.row_count, "1000:1000:", complete=complete)
        unmade = () if made.unmade is None else tuple(unmade_apart(TableWrite(target, made.unmade))[1])
        failed: list[str] = []
        pending = PendingChunk(
            self.bench.queue.destination_id, chunk, lambda _: None, lambda error: failed.append(error.code), unmade
        )
        ChunkWork(pending).run(self.bench.desk)
        assert failed == []

    def no_canary(self) -> None:
        queue = self.bench.queue
        with queue.config.connection.cursor() as cursor:
            cursor.execute("SELECT payload, error_message FROM dlq_records WHERE payload <> ''")
            for sealed, message in cursor.fetchall():
                opened = open_payload(bytes(sealed), queue.ledger.keyring, queue.pipeline_id, queue.destination_id)
                assert CANARY.encode() not in opened.data
                assert CANARY not in message


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox()
    yield made
    made.close()


@pytest.fixture
def ruled(bench: Bench, sandbox: Sandbox) -> Ruled:
    return Ruled(bench, sandbox)


def test_a_row_waits_by_itself_with_what_follows_it_until_the_source_can_be_computed(ruled: Ruled) -> None:
    bench = ruled.bench
    bench.write(100, row(10, 1, body="1"), row(11, 2, body=CANARY), row(12, 3, body="3"))
    assert ruled.rows() == [(1, "n", 1), (3, "n", 3)]
    assert bench.states() == [("RECORD", "PARKED", 0)]
    assert bench.told.failed == []
    bench.write(200, row(110, 2, "second", "22", "u"), row(111, 3, body=CANARY, op="u"), gone(112, 1))
    assert ruled.rows() == [(3, "n", 3)]
    assert bench.states() == [("RECORD", "PARKED", 0)] * 3
    ruled.no_canary()
    ruled.has(2, "later", CANARY)
    ruled.has(3, "n", "33")
    bench.restart()
    ruled.again()
    assert ruled.rows() == [(3, "n", 33)]
    assert [state for _, state, _ in bench.states()] == ["PARKED", "PARKED", "RECOVERED"]
    code, text = bench.queue.config.row("SELECT error_code, error_message FROM dlq_records WHERE attempts = 1") or ()
    assert (code, CANARY in str(text)) == ("CUSTOM_SQL_FAILED", False)
    ruled.has(2, "later", "23")
    ruled.again()
    assert ruled.rows() == [(2, "second", 22), (3, "n", 33)]
    assert bench.open_rows() == 0
    bench.write(300, row(210, 2, "third", "24", "u"))
    assert ruled.rows()[0] == (2, "third", 24)


def test_a_value_given_by_hand_and_a_row_that_is_gone_meanwhile(ruled: Ruled) -> None:
    bench, queue = ruled.bench, ruled.bench.queue
    bench.write(100, row(10, 1, body=CANARY), row(11, 2, body="2"))
    place = queue.ledger.keyring, queue.pipeline_id, queue.destination_id
    sealed = bytes(queue.config.one("SELECT payload FROM dlq_records"))
    edited = edit_row(open_payload(sealed, *place), 0, {"n": "77"})
    queue.config.run("UPDATE dlq_records SET payload = %s, edited_by = 1", seal_payload(edited, *place))
    ruled.again()
    assert ruled.rows() == [(1, "n", 77), (2, "n", 2)]
    bench.write(200, row(110, 2, body=CANARY, op="u"))
    ruled.again()  # the source does not have it any more, and its deletion comes down the stream
    assert ruled.rows() == [(1, "n", 77)]
    assert bench.open_rows() == 0


def test_what_was_parked_in_an_outage_is_taken_apart_when_it_is_written(ruled: Ruled) -> None:
    bench = ruled.bench
    made = ruled.rules.apply(changes(THINGS, [row(10, 1, body="1"), row(11, 2, body=CANARY), row(12, 3, body=CANARY)]))
    kept = changes_of(payload_of(made), THINGS.table, ruled.target.sync_id)
    for _ in range(2):  # a crash between ledger and target brings it again
        ChangesWork(bench.batch(100, kept)).run(bench.desk)
    assert ruled.rows() == [(1, "n", 1)]
    assert bench.states() == [("RECORD", "PARKED", 0)] * 2


def test_a_copy_goes_on_without_such_rows_and_takes_away_what_they_were(ruled: Ruled) -> None:
    bench = ruled.bench
    bench.write(100, *(row(10 + number, number, body=str(number)) for number in range(1, 5)))
    PrepareWork(replace(ruled.target, copying=True), lambda _: None).run(bench.desk)
    ruled.land(("1", "a", "11"), ("2", "a", CANARY), complete=False)
    assert ruled.rows() == [(1, "a", 11), (3, "n", 3), (4, "n", 4)]
    ruled.land(("1", "a", "11"), ("2", "a", CANARY), ("3", "a", CANARY), ("4", "a", "44"))
    assert ruled.rows() == [(1, "a", 11), (4, "a", 44)]
    assert bench.states() == [("RECORD", "PARKED", 0)] * 2
    ruled.no_canary()
    ruled.has(2, "a", "22")
    ruled.has(3, "hidden", "33")
    ruled.again()
    assert ruled.rows() == [(1, "a", 11), (2, "a", 22), (4, "a", 44)]
    assert bench.open_rows() == 0


def test_history_gets_the_row_as_it_is_by_then(bench: Bench, sandbox: Sandbox) -> None:
    ruled = Ruled(bench, sandbox, SyncMode.APPEND)
    bench.write(100, row(10, 1, body="1"), Change("u", 11, ("2", "n", CANARY)))
    ruled.has(2, "later", "2")
    ruled.again()
    assert bench.rows("SELECT id, name, n, _rosetta_op FROM things ORDER BY id") == [
        (1, "n", 1, "c"),
        (2, "later", 2, "u"),
    ]
    assert bench.open_rows() == 0
