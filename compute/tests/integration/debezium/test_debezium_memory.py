"""Memory is bounded by bytes: a destination that stands still stops the reading, and large rows pass or say so."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from compute.engine.base import EnginePhase
from compute.tests.integration.debezium.conftest import Source, debezium_only, spec, wait_until
from compute.tests.integration.debezium.host import EngineHost
from rosetta.enums import Profile

pytestmark = pytest.mark.integration

KB = 1024


def _resident_mb(pid: int | None) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) // KB for line in status.splitlines() if line.startswith("VmRSS"))


def test_what_is_not_acknowledged_is_bounded_and_nothing_is_dropped(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text)")
    bound = 400 * KB
    stream = source.stream(
        spec("t", "id"), memory={"soft_bytes": 50 * KB, "hard_bytes": 100 * KB, "outstanding_bytes": bound}
    )
    source.sql("INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 50000) g")
    end = source.watermark()
    held = [stream.follow_one()]
    while (batch := stream.take(1)) is not None:
        held.append(batch)
        stream.replica.apply(batch)
    assert 0 < sum(batch.byte_count for batch in held) <= bound
    assert len(stream.replica.rows.popitem()[1]) < 50_000
    stream.acknowledge(held[-1].sequence)
    rows = sum(batch.row_count for batch in held) + sum(batch.row_count for batch in stream.follow(end))
    assert rows == 50_000


def test_a_blocked_engine_keeps_its_connection(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text)")
    source.sql(f"ALTER DATABASE {source.database} SET wal_sender_timeout = '4s'")
    memory = {"soft_bytes": 10 * KB, "hard_bytes": 10 * KB, "outstanding_bytes": 20 * KB, "batch_rows": 64}
    stream = source.stream(spec("t", "id"), memory=memory)
    source.sql("INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 20000) g")
    end = source.watermark()
    first = stream.take(10)
    assert first is not None
    stream.replica.apply(first)
    [(pid, begun)] = source.sql(
        "SELECT active_pid, clock_timestamp() FROM pg_replication_slots WHERE slot_name = %s", source.slot
    )
    answered = "SELECT count(*) FROM pg_stat_replication WHERE pid = %s AND reply_time > %s + interval '6s'"
    wait_until("the source hears of us", lambda: source.sql(answered, pid, begun) == [(1,)])
    stream.acknowledge(first.sequence)
    rows = sum(batch.row_count for batch in stream.follow(end))
    assert rows + first.row_count == 20_000
    assert stream.phase() is EnginePhase.STREAMING


def test_a_blocked_engine_stops_in_time_and_frees_its_slot(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text)")
    bounds = {"soft_bytes": 10 * KB, "hard_bytes": 10 * KB, "outstanding_bytes": 20 * KB, "batch_rows": 64}
    stream = source.stream(spec("t", "id"), memory=bounds)
    source.sql("INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 20000) g")
    assert stream.take(20) is not None
    while stream.take(1) is not None:
        pass  # until the bound is reached
    begun = time.monotonic()
    stream.stop()
    assert time.monotonic() - begun < 10
    wait_until("the slot is free", lambda: not source.active())
    assert source.flushed() == source.start.commit_lsn


def test_a_large_transaction_fits_into_the_small_profile(source: Source, new_host: Callable[[], EngineHost]) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY, a text, b text)")
    host = new_host()
    stream = source.stream(spec("t", "id"), host=host)
    source.sql("INSERT INTO t SELECT g, md5(g::text), repeat(md5(g::text), 10) FROM generate_series(1, 120000) g")
    stream.follow(source.watermark())
    assert len(stream.replica.rows.popitem()[1]) == 120_000
    assert _resident_mb(host.process.pid) < 250  # 128 of it heap


def test_a_row_of_forty_megabytes_passes(source: Source, new_host: Callable[[], EngineHost]) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text)")
    stream = source.stream(spec("t", "id"), host=new_host(), profile=Profile.FAST)
    source.sql("INSERT INTO t SELECT 1, repeat('0123456789', 4000000)")
    stream.follow(source.watermark())
    [row] = stream.replica.rows.popitem()[1].values()
    assert row[1] == "0123456789" * 4_000_000


@debezium_only
def test_a_full_heap_ends_the_process_with_its_own_exit_code(
    source: Source, new_host: Callable[[], EngineHost]
) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text)")
    host = new_host()
    source.stream(spec("t", "id"), host=host)
    source.sql("INSERT INTO t SELECT 1, repeat('0123456789', 20000000)")
    host.process.join(30)
    assert host.process.exitcode == 3
