"""What a restart, a crash and a lost slot lead to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from compute.engine.base import EnginePhase
from compute.tests.integration.debezium.conftest import (
    Source,
    Stream,
    debezium_only,
    pgoutput_only,
    spec,
    wait_until,
)
from compute.tests.integration.debezium.host import EngineHost, HostError
from compute.tests.integration.debezium.replica import Replica
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition

pytestmark = pytest.mark.integration

T = TableId("public", "t")
# Nothing is acknowledged in between, so all of a test's rows must fit into what may be outstanding.
SMALL_BATCHES = {"soft_bytes": 10_000, "hard_bytes": 10_000, "outstanding_bytes": 500_000, "batch_rows": 64}


def _copy_in_one_transaction(source: Source, rows: int = 1000) -> None:
    """Rows of a COPY into one page share an LSN, here inside a transaction that began before others ended."""
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text)")
    slow = source.cluster.connect(source.database)
    slow.autocommit = False
    with slow.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (-1, 'early')")
        source.sql("INSERT INTO t VALUES (-2, 'other')")
        cursor.execute(f"COPY t FROM PROGRAM 'seq 1 {rows} | sed s/$/,v/' (FORMAT csv)")
    slow.commit()
    slow.close()


def _expected(source: Source) -> dict[tuple[str, ...], tuple[str | None, ...]]:
    return {(str(key),): (str(key), value) for key, value in source.sql("SELECT id, v FROM t")}


def test_a_restart_inside_a_transaction_loses_and_repeats_nothing(source: Source) -> None:
    _copy_in_one_transaction(source)
    end = source.watermark()
    whole = source.stream(spec("t", "id"), slot=source.slot, memory=SMALL_BATCHES)
    cuts = [batch.end for batch in whole.follow(end, acknowledge=False)]
    whole.stop()
    inside = [cut for cut in cuts if cut.ordinal > 0]
    assert len(inside) > 3, "no batch ended between rows that share an LSN"
    for cut in [source.start, *inside[:: len(inside) // 3]]:
        wait_until("the slot is free", lambda: not source.active())
        stream = source.stream(spec("t", "id"), position=cut, memory=SMALL_BATCHES)
        stream.replica.rows = _applied_up_to(whole.replica, cut).rows
        stream.follow(end, acknowledge=False)
        assert stream.replica.batches[0].start == cut
        assert stream.replica.rows[T] == _expected(source)
        assert [batch.end for batch in stream.replica.batches][-1] == cuts[-1]
        stream.stop()


def _applied_up_to(replica: Replica, cut: StreamPosition) -> Replica:
    part = Replica()
    for batch in replica.batches:
        if batch.end <= cut:
            part.apply(batch)
    return part


def test_a_restart_goes_on_behind_what_was_acknowledged(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text)")
    first = source.stream(spec("t", "id"))
    source.sql("INSERT INTO t VALUES (1, 'a')")
    end = first.follow(source.watermark())[-1].end
    first.stop()
    wait_until("the slot is free", lambda: not source.active())
    assert source.flushed() == end.commit_lsn
    source.sql("INSERT INTO t VALUES (2, 'b')")
    second = source.stream(spec("t", "id"), position=end)
    second.follow(source.watermark())
    assert second.replica.rows[T] == {("2",): ("2", "b")}


def test_a_killed_process_loses_nothing(source: Source, new_host: Callable[[], EngineHost]) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text)")
    doomed = new_host()
    stream = source.stream(spec("t", "id"), host=doomed, memory=SMALL_BATCHES)
    source.sql("INSERT INTO t SELECT g, 'v' FROM generate_series(1, 20000) g")
    for _ in range(5):
        batch = stream.take(10)
        assert batch is not None
        stream.replica.apply(batch)
        stream.acknowledge(batch.sequence)
    doomed.process.kill()
    doomed.process.join(10)
    wait_until("the slot is free", lambda: not source.active())
    position = stream.replica.batches[-1].end
    assert source.flushed() <= position.commit_lsn
    again = source.stream(spec("t", "id"), position=position)
    again.replica.rows = stream.replica.rows
    again.follow(source.watermark())
    assert again.replica.rows[T] == _expected(source)


def _failure(stream: Stream) -> HostError:
    for _ in range(30):
        try:
            stream.take(1)
        except HostError as error:
            return error
    raise AssertionError("the engine did not fail")


def test_a_missing_slot_is_not_made_again(source: Source) -> None:
    with pytest.raises(HostError) as caught:
        source.stream(spec("t", "id"), slot="never_was")
    assert (caught.value.kind, caught.value.code) == ("ResyncRequiredError", "SLOT_MISSING")
    assert source.sql("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'never_was'") == [(0,)]


def test_a_slot_beyond_the_position_needs_a_resync(source: Source) -> None:
    behind = StreamPosition(Lsn(source.start.commit_lsn - 1))
    with pytest.raises(HostError) as caught:
        source.stream(spec("t", "id"), position=behind)
    assert (caught.value.kind, caught.value.code) == ("ResyncRequiredError", "SLOT_AHEAD")


def test_a_slot_lost_in_mid_stream_is_told_from_an_outage(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text)")
    stream = source.stream(spec("t", "id"))
    stream.follow(source.watermark())
    source.sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = %s", source.slot)
    wait_until("the slot is free", lambda: not source.active())
    source.sql("SELECT pg_drop_replication_slot(%s)", source.slot)
    error = _failure(stream)
    assert (error.kind, error.code) == ("ResyncRequiredError", "SLOT_MISSING")
    assert stream.phase() is EnginePhase.FAILED
    assert source.sql("SELECT count(*) FROM pg_replication_slots WHERE slot_name = %s", source.slot) == [(0,)]


def test_a_broken_connection_is_an_outage(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text)")
    stream = source.stream(spec("t", "id"))
    end = stream.follow(source.watermark())[-1].end
    source.sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = %s", source.slot)
    error = _failure(stream)
    assert (error.kind, error.code) == ("OutageError", "ENGINE_FAILED")
    assert source.cluster.password not in error.message
    assert stream.phase() is EnginePhase.FAILED
    stream.stop()
    source.sql("INSERT INTO t VALUES (3, 'c')")
    wait_until("the slot is free", lambda: not source.active())
    again = source.stream(spec("t", "id"), position=end)
    again.follow(source.watermark())
    assert again.replica.rows[T] == {("3",): ("3", "c")}


def test_a_second_engine_on_a_slot_fails(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text)")
    source.stream(spec("t", "id")).follow(source.watermark(), acknowledge=False)
    second = source.stream(spec("t", "id"))
    error = _failure(second)
    assert error.kind == "OutageError"
    assert "is active" in error.message


@debezium_only
def test_a_table_that_cannot_be_followed_fails_with_its_remedy(source: Source) -> None:
    source.sql("CREATE TABLE t (id int NOT NULL, v text PRIMARY KEY); CREATE UNIQUE INDEX i ON t (id)")
    source.sql("ALTER TABLE t REPLICA IDENTITY USING INDEX i; INSERT INTO t VALUES (1, 'secret value')")
    stream = source.stream(spec("t", "v"))
    source.sql("DELETE FROM t")
    error = _failure(stream)
    assert "public.t" in error.message
    assert "REPLICA IDENTITY" in error.message
    assert "secret" not in error.message


@pgoutput_only
def test_a_table_is_told_by_the_key_that_the_stream_has(source: Source) -> None:
    source.sql("CREATE TABLE t (id int NOT NULL, v text PRIMARY KEY); CREATE UNIQUE INDEX i ON t (id)")
    source.sql("ALTER TABLE t REPLICA IDENTITY USING INDEX i; INSERT INTO t VALUES (1, 'a')")
    stream = source.stream(spec("t", "v"))
    source.sql("DELETE FROM t")
    batches = stream.follow(source.watermark())
    assert {changes.key for batch in batches for changes in batch.tables} == {("id",)}  # what waits for v is not misled
