"""Refused changes: parked alone, with what follows them, and recovered in order once the cause is mended."""

from __future__ import annotations

import pytest

from compute.core.work import ChangesWork
from compute.dlq.parking import Parking
from compute.dlq.records import Parked
from compute.tests.contract.changes import UNCHANGED, Change, changes, schema
from compute.tests.support.desk import THINGS, Bench, gone, row
from rosetta import plants
from rosetta.dead_letters import edit_row, open_payload, seal_payload
from rosetta.enums import SyncMode
from rosetta.errors import FencedError, OutageError

LOOSE = schema("loose", (("a", "text"), ("b", "text")), ())

# What makes the target refuse the row (2, "n", "bad"), and what mends it.
POISON = {
    "check": ("ALTER TABLE things ADD CONSTRAINT c CHECK (body <> 'bad')", "ALTER TABLE things DROP CONSTRAINT c"),
    "not null": ("ALTER TABLE things ALTER name SET NOT NULL", "ALTER TABLE things ALTER name DROP NOT NULL"),
    "unique": (
        "CREATE UNIQUE INDEX u ON things (body); INSERT INTO things (id, body) VALUES (99, 'bad')",
        "DELETE FROM things WHERE id = 99",
    ),
    "foreign key": (
        """CREATE TABLE kinds (body text PRIMARY KEY); INSERT INTO kinds VALUES ('b');
           ALTER TABLE things ADD FOREIGN KEY (body) REFERENCES kinds""",
        "INSERT INTO kinds VALUES ('bad')",
    ),
    "type": (
        "ALTER TABLE things ALTER body TYPE varchar(2)",
        "ALTER TABLE things ALTER body TYPE text",
    ),
}


@pytest.mark.parametrize("kind", POISON)
def test_f16_a_poison_record_is_parked_alone_and_recovered_once_the_cause_is_mended(bench: Bench, kind: str) -> None:
    poison, cure = POISON[kind]
    bench.serve()
    bench.sql(poison)
    name = None if kind == "not null" else "n"
    bench.write(100, row(10, 1), row(11, 2, name, "bad"), row(12, 3, body="b" if kind != "unique" else "c"))
    assert {key for key, *_ in bench.rows()} - {99} == {1, 3}
    assert bench.states() == [("RECORD", "PARKED", 0)]
    assert bench.entries() == 1
    bench.recover()
    assert bench.states() == [("RECORD", "PARKED", 1)]
    bench.sql(cure)
    bench.recover()  # its delay is not over
    assert bench.states() == [("RECORD", "PARKED", 1)]
    bench.queue.config.run("UPDATE dlq_records SET retry_requested_at = now()")
    bench.recover()
    assert bench.states() == [("RECORD", "RECOVERED", 2)]
    assert bench.rows()[1] == (2, name, "bad")
    assert bench.entries() == 0
    assert bench.parking.record_count == 0


@pytest.fixture
def poisoned(bench: Bench) -> Bench:
    """Row 2 is refused while its body is `bad`."""
    bench.serve()
    bench.sql("ALTER TABLE things ADD CONSTRAINT c CHECK (body <> 'bad')")
    bench.write(100, row(10, 1), row(11, 2, body="bad"))
    return bench


def cure(bench: Bench) -> None:
    bench.sql("ALTER TABLE things DROP CONSTRAINT c")
    bench.due_now()
    bench.recover()


def test_later_changes_of_a_parked_key_wait_behind_it_and_follow_in_order(poisoned: Bench) -> None:
    bench = poisoned
    bench.write(200, row(110, 2, "second", "fine", "u"), row(111, 3))
    bench.write(300, gone(210, 2))
    bench.write(400, row(310, 2, "fourth", "fine"))
    assert [key for key, *_ in bench.rows()] == [1, 3]
    assert len(bench.states()) == 4
    assert bench.entries() == 4
    bench.recover()
    assert [state for _, state, _ in bench.states()] == ["PARKED"] * 4
    cure(bench)
    assert bench.open_rows() == 0
    assert bench.rows()[1] == (2, "fourth", "fine")
    bench.write(500, row(410, 2, "fifth", "fine", "u"))
    assert bench.rows()[1] == (2, "fifth", "fine")
    assert bench.entries() == 0


def test_parking_survives_a_restart(poisoned: Bench) -> None:
    bench = poisoned
    bench.restart()
    bench.write(200, row(110, 2, "second", "fine", "u"))
    assert [key for key, *_ in bench.rows()] == [1]
    cure(bench)
    assert bench.rows()[1] == (2, "second", "fine")


def test_a_batch_that_comes_again_parks_nothing_twice_and_applies_nothing_that_waits(poisoned: Bench) -> None:
    bench = poisoned
    second = bench.batch(200, changes(THINGS, [row(110, 2, "second", "fine", "u"), row(111, 3)]))

    class CrashError(Exception):
        pass

    def crash() -> None:
        raise CrashError

    bench.desk.wrote = lambda *_: crash()  # type: ignore[method-assign]
    with pytest.raises(CrashError):
        ChangesWork(second).run(bench.desk)
    bench.restart()
    # The same stream, cut elsewhere: the first change of 2 comes again, too.
    again = bench.batch(210, changes(THINGS, [row(11, 2, body="bad"), row(110, 2, "second", "fine", "u"), row(111, 3)]))
    bench.desk.durable = None
    ChangesWork(again).run(bench.desk)
    assert [key for key, *_ in bench.rows()] == [1, 3]
    assert len(bench.states()) <= 3
    cure(bench)
    assert bench.open_rows() == 0
    assert bench.rows()[1] == (2, "second", "fine")


def test_a_key_that_moves_parks_both_keys(poisoned: Bench) -> None:
    bench = poisoned
    bench.write(200, gone(110, 2), Change("c", 110, ("5", "moved", "fine"), seq=1, moved_from=("2",)))
    bench.write(300, row(210, 5, "after the move", "fine", "u"))
    bench.write(400, row(310, 2, "anew", "fine"))
    assert [key for key, *_ in bench.rows()] == [1]
    bench.restart()
    cure(bench)
    assert bench.rows() == [(1, "n", "b"), (2, "anew", "fine"), (5, "after the move", "fine")]
    assert bench.open_rows() == 0


def test_an_unchanged_value_behind_a_parked_record_comes_from_that_record(poisoned: Bench) -> None:
    bench = poisoned
    bench.write(200, Change("u", 110, ("2", "second", UNCHANGED)))
    bench.write(300, Change("u", 210, ("2", "third", UNCHANGED)))
    cure(bench)
    assert bench.rows()[1] == (2, "third", "bad")


def test_a_refused_record_keeps_the_rest_behind_it_and_lets_go_of_those_before(poisoned: Bench) -> None:
    bench = poisoned
    bench.sql("ALTER TABLE things ADD CONSTRAINT other CHECK (name <> 'worse')")
    bench.write(200, Change("u", 110, ("2", "worse", UNCHANGED)))
    bench.write(300, Change("u", 210, ("2", "third", UNCHANGED)))
    cure(bench)
    assert bench.rows()[1] == (2, "n", "bad")
    assert [state for _, state, _ in bench.states()] == ["RECOVERED", "PARKED", "PARKED"]
    bench.write(400, Change("u", 310, ("2", "fourth", UNCHANGED)))
    assert bench.rows()[1] == (2, "n", "bad")
    bench.sql("ALTER TABLE things DROP CONSTRAINT other")
    bench.due_now()
    bench.recover()
    assert bench.rows()[1] == (2, "fourth", "bad")
    assert bench.open_rows() == 0


def test_f31_a_stale_record_is_superseded_never_applied(poisoned: Bench) -> None:
    bench = poisoned
    bench.sql("INSERT INTO things (id, name, body, _rosetta_lsn, _rosetta_seq) VALUES (2, 'newer', 'x', 5000, 0)")
    cure(bench)
    assert bench.states() == [("RECORD", "SUPERSEDED", 1)]
    assert bench.rows()[1] == (2, "newer", "x")
    assert bench.entries() == 0


def test_f31_a_row_that_was_deleted_behind_a_parked_record_stays_deleted(poisoned: Bench) -> None:
    bench = poisoned
    bench.write(200, gone(110, 2))
    cure(bench)
    assert [key for key, *_ in bench.rows()] == [1]
    assert bench.open_rows() == 0


def test_f32_killed_after_the_targets_commit_the_replay_changes_nothing(poisoned: Bench) -> None:
    bench = poisoned
    bench.sql("ALTER TABLE things DROP CONSTRAINT c")
    bench.due_now()
    replays = bench.recovery._replays  # the ledger is never told
    before = type(replays).mark

    def away(*_: object) -> set[int]:
        raise OutageError("the config database is away")

    type(replays).mark = away  # type: ignore[method-assign, assignment]
    try:
        bench.recover()
    finally:
        type(replays).mark = before  # type: ignore[method-assign]
    assert bench.rows()[1] == (2, "n", "bad")
    assert bench.states() == [("RECORD", "PARKED", 0)]
    bench.write(200, row(110, 2, "waits", "fine", "u"))  # still parked as far as anybody knows
    bench.restart()
    bench.recover()
    assert bench.open_rows() == 0
    assert bench.rows()[1] == (2, "waits", "fine")


def test_f32_killed_before_the_entry_is_acknowledged_nothing_is_tried_again(poisoned: Bench) -> None:
    bench = poisoned
    bench.sql("ALTER TABLE things DROP CONSTRAINT c")
    bench.due_now()
    bench.recover()
    bench.queue.dispatcher.announce(_parked(bench))  # as if XACK and XDEL had not been
    assert bench.entries() == 1
    bench.restart()
    bench.recover()
    assert bench.entries() == 0
    assert bench.states() == [("RECORD", "RECOVERED", 1)]


def _parked(bench: Bench) -> list[Parked]:
    row_id = bench.queue.config.one("SELECT id FROM dlq_records")
    return [Parked(row_id, bench.queue.destination_id, THINGS.table)]


def test_f6_redis_away_or_emptied_loses_nothing(poisoned: Bench) -> None:
    bench = poisoned
    bench.queue.valkey.kill()
    bench.write(200, row(110, 2, "second", "bad", "u"), row(111, 3))
    assert [key for key, *_ in bench.rows()] == [1, 3]
    bench.recover()
    assert bench.open_rows() == 2
    bench.queue.valkey.start()
    bench.recover()
    assert bench.entries() == 2
    bench.queue.valkey.flush()
    bench.write(300, row(210, 2, "third", "bad", "u"))
    assert bench.entries() == 1
    bench.recover()
    assert bench.entries() == 3
    cure(bench)
    assert bench.rows()[1] == (2, "third", "bad")
    assert bench.entries() == 0


def test_f7_with_the_ledger_away_nothing_refused_is_committed(bench: Bench) -> None:
    bench.serve()
    bench.sql("ALTER TABLE things ADD CONSTRAINT c CHECK (body <> 'bad')")
    park = Parking.park

    def away(*_: object) -> None:
        raise OutageError("the config database is away")

    bench.parking.park = away  # type: ignore[method-assign, assignment]
    with pytest.raises(OutageError):
        bench.write(100, row(10, 1), row(11, 2, body="bad"))
    assert bench.rows() == []
    assert bench.desk.destination.durable_position() is None
    bench.parking.park = park.__get__(bench.parking)  # type: ignore[method-assign]
    bench.write(100, row(10, 1), row(11, 2, body="bad"))
    assert [key for key, *_ in bench.rows()] == [1]


def test_a_former_owner_parks_nothing(poisoned: Bench) -> None:
    bench = poisoned
    bench.queue.new_owner()
    with pytest.raises(FencedError):
        bench.write(200, row(110, 2, "second", "fine", "u"))
    with pytest.raises(FencedError):
        bench.recover()


def test_what_a_person_discards_by_sql_frees_what_waits_behind(poisoned: Bench) -> None:
    bench = poisoned
    bench.write(200, row(110, 2, "second", "fine", "u"))
    bench.queue.config.run(
        "UPDATE dlq_records SET state = 'DISCARDED', discard_reason = 'no' WHERE error_code <> 'PARKED_BEHIND'"
    )
    bench.recover()
    assert bench.rows()[1] == (2, "second", "fine")
    assert bench.open_rows() == 0
    assert bench.entries() == 0
    bench.write(300, row(210, 2, "third", "fine", "u"))
    assert bench.rows()[1] == (2, "third", "fine")


def test_what_a_person_edits_is_tried_as_it_is_then(poisoned: Bench) -> None:
    bench, queue = poisoned, poisoned.queue
    keyring, place = queue.ledger.keyring, (queue.pipeline_id, queue.destination_id)
    sealed = bytes(queue.config.one("SELECT payload FROM dlq_records"))
    edited = edit_row(open_payload(sealed, keyring, *place), 0, {"body": "mended\tby hand"})
    queue.config.run(
        "UPDATE dlq_records SET payload = %s, retry_requested_at = now(), edited_by = 1",
        seal_payload(edited, keyring, *place),
    )
    bench.recover()
    assert bench.rows()[1] == (2, "n", "mended\tby hand")
    assert bench.states() == [("RECORD", "RECOVERED", 1)]


def test_a_record_that_fails_too_often_stays_and_people_are_told(poisoned: Bench) -> None:
    bench = poisoned
    for _ in range(bench.policy.max_attempts):
        bench.queue.config.run("UPDATE dlq_records SET next_attempt_at = now()")
        bench.recover()
    assert bench.states() == [("RECORD", "PARKED", 3)]
    assert bench.queue.config.one("SELECT next_attempt_at FROM dlq_records") is None
    told = "SELECT array_agg(kind ORDER BY kind) FROM notifications WHERE resolved_at IS NULL"
    assert bench.queue.config.one(told) == ["DLQ_EXHAUSTED"]
    bench.recover()
    assert bench.states() == [("RECORD", "PARKED", 3)]
    bench.sql("ALTER TABLE things DROP CONSTRAINT c")
    bench.queue.config.run("UPDATE pipeline_destinations SET recover_requested_at = now()")
    bench.recover()
    assert bench.states() == [("RECORD", "RECOVERED", 4)]
    assert bench.queue.config.one(told) is None


def test_a_truncate_supersedes_what_is_parked_of_its_table(poisoned: Bench) -> None:
    bench = poisoned
    bench.truncate(200, row(110, 2, "anew", "fine"))
    assert bench.rows() == [(2, "anew", "fine")]
    assert bench.states() == [("RECORD", "SUPERSEDED", 0)]
    assert bench.entries() == 0


def test_appended_changes_do_not_wait_for_each_other(bench: Bench) -> None:
    bench.serve(mode=SyncMode.APPEND)
    bench.sql("ALTER TABLE things ADD CONSTRAINT c CHECK (body <> 'bad')")
    bench.write(100, row(11, 2, body="bad"))
    bench.write(200, row(110, 2, "second", "fine", "u"))
    assert len(bench.rows()) == 1
    cure(bench)
    assert len(bench.rows()) == 2


def test_a_table_without_key_is_recovered_once(bench: Bench) -> None:
    bench.serve(LOOSE)
    bench.sql("ALTER TABLE loose ADD CONSTRAINT c CHECK (b <> 'bad')")
    bench.write(100, Change("c", 10, ("x", "ok")), Change("c", 11, ("x", "bad")), of=LOOSE)
    bench.write(200, Change("c", 110, ("x", "ok")), Change("d", 111, ("x", "bad")), of=LOOSE)
    assert bench.open_rows() == 2
    bench.sql("ALTER TABLE loose DROP CONSTRAINT c")
    bench.due_now()
    bench.recover()
    assert bench.rows("SELECT a, b FROM loose") == [("x", "ok"), ("x", "ok")]
    assert bench.open_rows() == 0


def test_planted_no_key_parking_is_seen(poisoned: Bench) -> None:
    bench = poisoned
    plants.arm("no_key_parking", "test")
    try:
        bench.write(200, row(110, 2, "second", "fine", "u"))
    finally:
        plants.arm("", "test")
    assert [key for key, *_ in bench.rows()] == [1, 2]


def test_planted_ignore_dlq_failure_is_seen(bench: Bench) -> None:
    bench.serve()
    bench.sql("ALTER TABLE things ADD CONSTRAINT c CHECK (body <> 'bad')")

    def away(*_: object, **__: object) -> None:
        raise OutageError("the config database is away")

    bench.queue.ledger.park = away  # type: ignore[method-assign, assignment]
    with pytest.raises(OutageError):
        bench.write(100, row(10, 1), row(11, 2, body="bad"))
    assert bench.rows() == []
    plants.arm("ignore_dlq_failure", "test")
    try:
        bench.write(100, row(10, 1), row(11, 2, body="bad"))
    finally:
        plants.arm("", "test")
    assert [key for key, *_ in bench.rows()] == [1]
    assert bench.states() == []


def test_planted_discard_after_retries_is_seen(poisoned: Bench) -> None:
    bench = poisoned
    plants.arm("discard_after_retries", "test")
    try:
        for _ in range(bench.policy.max_attempts):
            bench.queue.config.run("UPDATE dlq_records SET next_attempt_at = now()")
            bench.recover()
    finally:
        plants.arm("", "test")
    assert [state for _, state, _ in bench.states()] == ["DISCARDED"]
