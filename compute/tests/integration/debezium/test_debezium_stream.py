"""Order, positions, cuts, watermarks, acknowledgement and what the process looks like."""

from __future__ import annotations

import os
import signal

import pytest

from compute.engine.base import EnginePhase
from compute.tests.integration.debezium.conftest import Source, debezium_only, spec, wait_until
from compute.tests.integration.debezium.replica import lines_of
from rosetta.identifiers import TableId

pytestmark = pytest.mark.integration


def test_a_table_is_followed_and_positions_have_no_gap(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text)")
    stream = source.stream(spec("t", "id"))
    for round_ in range(5):
        source.sql("INSERT INTO t SELECT g, 'r' FROM generate_series(%s, %s) g", round_ * 100, round_ * 100 + 99)
        source.sql("UPDATE t SET v = %s WHERE id %% 3 = 0", f"u{round_}")
        source.sql("DELETE FROM t WHERE id %% 7 = %s", round_)
        batches = stream.follow(source.watermark())
    expected = {(str(key),): (str(key), value) for key, value in source.sql("SELECT id, v FROM t")}
    assert stream.replica.rows[TableId("public", "t")] == expected
    assert stream.replica.batches[0].start == source.start
    assert batches[-1].commit_time is None or batches[-1].commit_time > 1_600_000_000
    assert stream.phase() is EnginePhase.STREAMING


def test_a_batch_ends_between_transactions(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY)")
    stream = source.stream(spec("t", "id"))
    source.sql("BEGIN; INSERT INTO t SELECT generate_series(1, 5000); INSERT INTO t VALUES (-1); COMMIT")
    batches = stream.follow(source.watermark())
    with_rows = [batch for batch in batches if batch.tables]
    assert [batch.row_count for batch in with_rows] == [5001]  # though Debezium hands it over in several pieces
    assert all(batch.end.at_boundary for batch in with_rows)


def test_the_last_transaction_needs_no_successor_to_arrive(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY)")
    stream = source.stream(spec("t", "id"))
    stream.follow(source.watermark())
    for number in range(20):
        source.sql("INSERT INTO t VALUES (%s)", number)
        batch = stream.take(5)
        while batch is not None and not batch.tables:
            batch = stream.take(5)
        assert batch is not None
        assert batch.end.at_boundary


@debezium_only
def test_a_reader_that_waits_for_a_commit_is_woken_by_the_next_one_only(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY)")
    source.stream(spec("t", "id")).follow(source.watermark())  # so that the JVM runs
    assert source.host.call("commits") == [False, 5, -1, True, 9, False, 12]


def test_a_small_bound_cuts_inside_a_transaction(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text)")
    stream = source.stream(
        spec("t", "id"), memory={"soft_bytes": 10_000, "hard_bytes": 20_000, "outstanding_bytes": 100_000}
    )
    source.sql("INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 2000) g")
    batches = stream.follow(source.watermark())
    assert len([batch for batch in batches if not batch.end.at_boundary]) > 5
    assert len(stream.replica.rows[TableId("public", "t")]) == 2000


def test_truncate_of_several_tables_stands_between_what_was_before_and_after(source: Source) -> None:
    source.sql("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE c (id int)")
    stream = source.stream(spec("a", "id"), spec("b", "id"))
    source.sql("BEGIN; INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); TRUNCATE a, b, c; INSERT INTO a VALUES (2);"
               "TRUNCATE a; INSERT INTO a VALUES (3); COMMIT")  # fmt: skip
    batches = stream.follow(source.watermark())
    a, b = TableId("public", "a"), TableId("public", "b")
    assert set(stream.replica.rows[a]) == {("3",)}
    assert b not in stream.replica.rows
    truncated = [batch.truncated for batch in batches if batch.truncated]
    assert sorted(truncated[0]) == [a, b]
    assert truncated[1] == (a,)


def test_a_watermark_ends_its_batch(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY)")
    stream = source.stream(spec("t", "id"))
    source.sql("INSERT INTO t VALUES (1)")
    source.sql("SELECT pg_logical_emit_message(true, 'other', 'not ours')")
    first = source.watermark()
    second = source.watermark()
    source.sql("INSERT INTO t VALUES (2)")
    last = source.watermark()
    batches = stream.follow(last)
    marked = [(batch.watermarks, batch.row_count) for batch in batches if batch.watermarks or batch.tables]
    assert [watermarks for watermarks, _ in marked if watermarks] == [(first,), (second,), (last,)]
    rows = 0
    for watermarks, count in marked:
        rows += count
        assert watermarks != (first,) or rows == 1
        assert watermarks != (second,) or rows == 1
    assert rows == 2


def test_only_the_tables_that_are_set_arrive(source: Source) -> None:
    source.sql("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)")
    stream = source.stream(spec("a", "id"))
    source.sql("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)")
    stream.follow(source.watermark())
    stream.set_tables(spec("b", "id"))
    stream.follow(source.watermark())
    source.sql("INSERT INTO a VALUES (2); INSERT INTO b VALUES (2)")
    source.sql("CREATE TABLE later (id int PRIMARY KEY)")
    stream.set_tables(spec("b", "id"), spec("later", "id"))
    stream.follow(source.watermark())
    source.sql("INSERT INTO later VALUES (7)")
    stream.follow(source.watermark())
    assert {table.name: set(rows) for table, rows in stream.replica.rows.items()} == {
        "a": {("1",)},
        "b": {("2",)},
        "later": {("7",)},
    }


def test_names_are_taken_as_they_are(source: Source) -> None:
    source.sql('CREATE SCHEMA "S.x"; CREATE TABLE "S.x"."T a.b" ("I d" int PRIMARY KEY, "select" text, "ä" text)')
    source.sql('CREATE TABLE "S.x"."T_a_b" ("I d" int PRIMARY KEY)')
    table = TableId("S.x", "T a.b")
    one = spec("x", "I d")
    stream = source.stream(type(one)(table, ("I d",)))
    source.sql("""INSERT INTO "S.x"."T a.b" VALUES (1, 'a', 'b'); INSERT INTO "S.x"."T_a_b" VALUES (1)""")
    stream.follow(source.watermark())
    assert stream.replica.rows == {table: {("1",): ("1", "a", "b")}}


def test_a_changed_table_has_a_batch_of_its_own(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY, a text)")
    stream = source.stream(spec("t", "id"))
    source.sql("BEGIN; INSERT INTO t VALUES (1, 'x'); ALTER TABLE t ADD COLUMN b int DEFAULT 5;"
               "INSERT INTO t VALUES (2, 'y'); ALTER TABLE t RENAME COLUMN a TO c; UPDATE t SET c = 'z' WHERE id = 1;"
               "ALTER TABLE t DROP COLUMN c; INSERT INTO t VALUES (3, NULL); COMMIT")  # fmt: skip
    batches = stream.follow(source.watermark())
    found = [changes for batch in batches for changes in batch.tables]  # the watermark may have one without any
    assert [changes.columns for changes in found] == [("id", "a"), ("id", "a", "b"), ("id", "c", "b"), ("id", "b")]
    assert lines_of(found[-1])[0].values == ("3", None)  # a NULL is not the column's default


def test_without_acknowledgement_the_slot_stays_and_with_it_the_slot_follows(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY)")
    stream = source.stream(spec("t", "id"))
    source.sql("INSERT INTO t VALUES (1)")
    first = stream.follow(source.watermark(), acknowledge=False)
    source.sql("INSERT INTO t VALUES (2)")
    second = stream.follow(source.watermark(), acknowledge=False)
    heartbeats = [stream.take(2) for _ in range(2)]
    assert source.flushed() == source.start.commit_lsn
    stream.acknowledge(first[-1].sequence)
    wait_until("the slot follows", lambda: source.flushed() >= first[-1].end.commit_lsn)
    assert source.flushed() <= second[-1].end.commit_lsn
    assert source.flushed() < second[-1].end.commit_lsn or first[-1].end.commit_lsn == second[-1].end.commit_lsn
    stream.acknowledge(second[-1].sequence)
    stream.stop()
    wait_until("the slot is free", lambda: not source.active())
    assert source.flushed() == second[-1].end.commit_lsn  # stop flushed what was acknowledged, and no more
    assert stream.phase() is EnginePhase.STOPPED
    assert len(heartbeats) == 2
    stream.stop()


def test_an_idle_stream_moves_on_and_lets_the_slot_go(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY)")
    stream = source.stream(spec("t", "id"))
    stream.follow(source.watermark())
    before = source.flushed()
    other = source.cluster.connect()
    with other.cursor() as cursor:  # a busy database beside this one
        cursor.execute("CREATE TABLE busy AS SELECT md5(g::text), md5(g::text) AS b FROM generate_series(1, 250000) g")
        cursor.execute("DROP TABLE busy")
    other.close()

    def follows() -> bool:
        batch = stream.take(1)
        if batch is not None:
            stream.acknowledge(batch.sequence)
        return source.flushed() > before + 16_000_000

    wait_until("the slot moves", follows)


def test_the_process_keeps_its_folder_and_its_signals(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY)")
    source.stream(spec("t", "id")).follow(source.watermark())
    before = source.host.call("process")
    assert before["files"] == []
    pid = source.host.process.pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    wait_until(
        "the signal arrives", lambda: source.host.call("process")["signals"] == [*before["signals"], signal.SIGTERM]
    )
