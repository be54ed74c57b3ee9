"""A table that is refused as it is: its changes wait in order, the others go on, and it catches up by itself."""

from __future__ import annotations

from dataclasses import replace

from compute.core.work import ChangesWork, PrepareWork, ReleaseWork
from compute.destinations.base import TableWrite
from compute.tests.contract.changes import UNCHANGED, Change, changes, schema
from compute.tests.support.desk import THINGS, Bench, gone, row
from rosetta.enums import DlqState
from rosetta.lsn import Lsn, StreamPosition

OTHERS = schema("others")


def add_sync(bench: Bench) -> int:
    sync_id: int = bench.queue.config.one(
        "INSERT INTO table_syncs (pipeline_destination_id, schema_name, table_name)"
        " SELECT id, 'public', 'others' FROM pipeline_destinations RETURNING id"
    )
    return sync_id


def held(bench: Bench) -> Bench:
    """Row 1 is there; the target was then taken away."""
    bench.serve()
    bench.write(100, row(10, 1))
    bench.sql("ALTER TABLE things RENAME TO away")
    return bench


def give_back(bench: Bench) -> None:
    bench.sql("ALTER TABLE away RENAME TO things")


def test_a_refused_table_waits_in_order_while_others_go_on_and_catches_up_by_itself(bench: Bench) -> None:
    held(bench)
    bench.serve(OTHERS, sync_id=add_sync(bench))
    both = bench.batch(200, changes(THINGS, [row(110, 2)]), changes(OTHERS, [row(111, 7)]))
    ChangesWork(both).run(bench.desk)
    assert bench.told.held == [(bench.queue.sync_id, "PG_42P01")]
    bench.queue.config.run("UPDATE table_syncs SET state = 'ERROR' WHERE id = %s", bench.queue.sync_id)
    assert bench.rows("SELECT id FROM others") == [(7,)]
    bench.write(300, row(210, 3), row(211, 2, "second", op="u"))
    bench.write(400, gone(310, 1), Change("u", 311, ("3", "third", UNCHANGED)))
    assert bench.desk.durable == StreamPosition(Lsn(400))
    bench.recover()
    assert bench.open_rows() == 4  # the mark and three batches
    assert bench.rows("SELECT to_regclass('things')") == [(None,)]  # an empty one would lack row 1
    give_back(bench)
    bench.recover()  # its delay is not over
    assert bench.told.taken == []
    bench.queue.config.run("UPDATE pipeline_destinations SET recover_requested_at = now()")
    bench.recover()
    assert bench.told.taken == [bench.queue.sync_id]
    assert bench.queue.config.one("SELECT state FROM table_syncs WHERE id = %s", bench.queue.sync_id) == "STREAMING"
    assert bench.rows() == [(2, "second", "b"), (3, "third", "b")]
    assert bench.open_rows() == 0
    assert bench.entries() == 0
    bench.write(500, row(410, 4))
    assert [key for key, *_ in bench.rows()] == [2, 3, 4]


def test_a_held_table_is_held_after_a_restart_and_nothing_comes_twice(bench: Bench) -> None:
    held(bench)
    bench.write(200, row(110, 2))
    bench.restart()
    bench.write(300, row(210, 3))
    assert bench.parking.held == {bench.queue.sync_id}
    assert bench.rows("SELECT to_regclass('things')") == [(None,)]
    give_back(bench)
    bench.due_now()
    bench.recover()
    assert [key for key, *_ in bench.rows()] == [1, 2, 3]
    assert bench.parking.held == frozenset()


def test_batches_that_come_again_cut_elsewhere_are_held_once(bench: Bench) -> None:
    loose = schema("things", (("a", "text"), ("b", "text")), ())
    bench.serve(loose)
    bench.write(100, Change("c", 10, ("x", "y")), of=loose)
    bench.sql("ALTER TABLE things RENAME TO away")
    bench.write(200, Change("c", 110, ("x", "1")), of=loose)
    # Two more are in the ledger, but the target never learned of them: they come again, in other pieces.
    second, third = (Change("c", 210, ("x", "2")), Change("c", 310, ("x", "3")))
    for end, some in ((300, [second]), (400, [third])):
        batch = bench.batch(end, changes(loose, some))
        target = bench.desk.targets[bench.queue.sync_id]
        divided = bench.desk.divide(batch, [], [TableWrite(target, one) for one in batch.tables])
        assert len(divided.entries) == 1
    bench.restart()
    bench.write(250, second, of=loose)
    bench.write(450, third, of=loose)
    assert bench.open_rows() == 4
    give_back(bench)
    bench.due_now()
    bench.recover()
    assert bench.rows("SELECT b FROM things ORDER BY b") == [("1",), ("2",), ("3",), ("y",)]


def test_truncate_in_the_midst_of_what_is_held_empties_only_what_was_before(bench: Bench) -> None:
    held(bench)
    bench.write(200, row(110, 2))
    bench.truncate(300, row(210, 3))
    bench.write(400, row(310, 4))
    give_back(bench)
    bench.due_now()
    bench.recover()
    assert [key for key, *_ in bench.rows()] == [3, 4]
    assert bench.open_rows() == 0


def test_what_is_refused_of_a_held_tables_backlog_is_parked_alone(bench: Bench) -> None:
    held(bench)
    bench.sql("ALTER TABLE away ADD CONSTRAINT c CHECK (body <> 'bad')")
    bench.write(200, row(110, 2, body="bad"), row(111, 3))
    bench.write(300, row(210, 2, "second", "bad", "u"), row(211, 4))
    give_back(bench)
    bench.due_now()
    bench.recover()
    assert [key for key, *_ in bench.rows()] == [1, 3, 4]
    assert [kind for kind, state, _ in bench.states() if state == DlqState.PARKED] == ["RECORD"]
    bench.sql("ALTER TABLE things DROP CONSTRAINT c")
    bench.due_now()
    bench.recover()
    assert bench.rows()[1] == (2, "second", "bad")
    assert bench.open_rows() == 0


def test_keys_parked_before_a_table_is_held_stay_in_order(bench: Bench) -> None:
    bench.serve()
    bench.sql("ALTER TABLE things ADD CONSTRAINT c CHECK (body <> 'bad')")
    bench.write(100, row(10, 1), row(11, 2, body="bad"))
    bench.sql("ALTER TABLE things RENAME TO away")
    bench.write(200, row(110, 2, "second", "bad", "u"), row(111, 3))
    give_back(bench)
    bench.due_now()
    bench.recover()
    assert [key for key, *_ in bench.rows()] == [1, 3]
    bench.sql("ALTER TABLE things DROP CONSTRAINT c")
    bench.due_now()
    bench.recover()
    assert bench.rows()[1] == (2, "second", "bad")
    assert bench.open_rows() == 0


def test_a_copy_that_begins_supersedes_what_is_held(bench: Bench) -> None:
    held(bench)
    bench.write(200, row(110, 2))
    target = replace(bench.desk.targets[bench.queue.sync_id], copying=True)
    ReleaseWork(bench.queue.sync_id).run(bench.desk)
    PrepareWork(target, lambda _: None, anew=True).run(bench.desk)
    assert bench.open_rows() == 0
    assert {state for _, state, _ in bench.states()} == {"SUPERSEDED"}
    assert bench.parking.held == frozenset()
    assert bench.entries() == 0


def test_a_table_that_does_not_fit_at_the_start_waits_too(bench: Bench) -> None:
    bench.sql("CREATE TABLE things (id bigint PRIMARY KEY, name integer[])")
    bench.serve()
    assert len(bench.told.held) == 1
    bench.write(100, row(10, 1))
    bench.restart()
    assert bench.parking.held == {bench.queue.sync_id}
    bench.sql("DROP TABLE things")
    bench.due_now()
    bench.recover()
    assert bench.rows() == [(1, "n", "b")]
    assert bench.told.taken == [bench.queue.sync_id]


def test_what_a_person_discards_of_a_held_table_lets_it_stream_again(bench: Bench) -> None:
    held(bench)
    bench.write(200, row(110, 2))
    give_back(bench)
    bench.queue.config.run("UPDATE dlq_records SET state = 'DISCARDED', discard_reason = 'not wanted'")
    bench.recover()
    assert bench.told.taken == [bench.queue.sync_id]
    bench.write(300, row(210, 3))
    assert [key for key, *_ in bench.rows()] == [1, 3]


def test_a_held_table_that_fails_too_often_waits_for_a_person(bench: Bench) -> None:
    held(bench)
    bench.write(200, row(110, 2))
    for _ in range(bench.policy.max_attempts):
        bench.due_now()
        bench.recover()
    assert bench.queue.config.one("SELECT count(*) FROM dlq_records WHERE next_attempt_at IS NULL") == 1
    bench.recover()
    assert max(attempts for *_, attempts in bench.states()) == bench.policy.max_attempts
    give_back(bench)
    bench.queue.config.run("UPDATE dlq_records SET retry_requested_at = now()")
    bench.recover()
    assert [key for key, *_ in bench.rows()] == [1, 2]
    assert bench.open_rows() == 0
