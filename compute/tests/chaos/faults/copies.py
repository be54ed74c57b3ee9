"""Copies that are interrupted, and copies beside changes of the same rows."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from compute.tests.chaos.arena import Arena
from compute.tests.chaos.matrix import fault
from compute.tests.support.service import ComputeService
from compute.tests.support.waiting import eventually

_CHUNK_ROWS = 200
_SYNC = "FROM table_syncs WHERE table_name = %s"
_STATE = f"SELECT bool_and(state = 'STREAMING' AND desired_state = 'ACTIVE') {_SYNC}"


def job(arena: Arena, table: str, column: str) -> Any:
    """What the newest copy of a table says."""
    query = f"SELECT {column} FROM queue_backfill_data WHERE table_name = %s ORDER BY id DESC LIMIT 1"
    return arena.config.one(query, table)


def resync(arena: Arena, *tables: str) -> None:
    """Asks for another copy of whole tables, as a person would by SQL."""
    for table in tables:
        arena.config.run("UPDATE table_syncs SET desired_state = 'RESYNC' WHERE table_name = %s", table)


def backfill(arena: Arena, table: str, *filters: str) -> int:
    """Asks for rows of a table that streams, as a person would by SQL."""
    job: int = arena.config.one(
        "INSERT INTO queue_backfill_data (pipeline_id, table_name, filters) VALUES (%s, %s, %s) RETURNING id",
        arena.pipeline,
        table,
        json.dumps(filters),
    )
    return job


def ended(arena: Arena, number: int) -> str | None:
    """How a backfill ended; None while it has not."""
    query = "SELECT status FROM queue_backfill_data WHERE id = %s AND completed_at IS NOT NULL"
    found: str | None = arena.config.one(query, number)
    return found


def until_complete(arena: Arena, number: int, timeout_seconds: float) -> None:
    eventually(lambda: ended(arena, number) == "COMPLETED", timeout_seconds, "the backfill is complete")


def until_streaming(arena: Arena, *tables: str, timeout_seconds: float = 200.0) -> None:
    eventually(
        lambda: all(arena.config.one(_STATE, table) for table in tables), timeout_seconds, f"{tables} only stream"
    )


@fault("F36", "kills and a cancellation in the middle of a copy and of a backfill")
def f36(arena: Arena) -> None:
    """It resumes after the last merged chunk, so no more than some chunks are read again for each kill."""
    arena.run(
        "source",
        "INSERT INTO items SELECT i, nextval('audit.rev'), 'copied', i, NULL FROM generate_series(600000, 615000) i",
    )
    rows = arena.one("source", "SELECT count(*) FROM items")
    service = arena.begin(copied=False, backfill_batch_size=_CHUNK_ROWS)
    kills = 2
    with arena.writer(per_second=500):
        for kill in range(1, kills + 1):
            _kill_behind(arena, service, 8 * kill)
        until_streaming(arena, "items")
        read = job(arena, "items", "rows_done")
        assert read <= rows + 10_000 + 20 * kills * _CHUNK_ROWS, f"{read} rows were read for {rows}"
        arena.run("a", "SET session_replication_role = replica; UPDATE items SET a = 'tampered' WHERE id > 600000")
        resync(arena, "items")
        eventually(lambda: job(arena, "items", "status") == "EXECUTING", 30, "the next one has begun")
        arena.config.run("UPDATE queue_backfill_data SET cancel_requested = true WHERE status = 'EXECUTING'")
        eventually(lambda: job(arena, "items", "status") in {"CANCELLED", "COMPLETED"}, 60, "it is cancelled")
        resync(arena, "items")
        until_streaming(arena, "items")
        _backfills(arena, service)


def _kill_behind(arena: Arena, service: ComputeService, chunks: int) -> None:
    """Kills the pipeline's process once the newest copy of `items` has merged so many chunks."""
    pid = arena.streaming_pid(service)
    eventually(lambda: (job(arena, "items", "chunks_done") or 0) >= chunks, 60, "chunks are merged")
    os.kill(pid, signal.SIGKILL)
    with arena.recovery():
        arena.streaming_pid(service, other_than=pid)


def _backfills(arena: Arena, service: ComputeService) -> None:
    """Two kills in one whose table streams on, and the next is cancelled in its middle."""
    arena.run("a", "SET session_replication_role = replica; UPDATE items SET a = 'tampered' WHERE id > 600000")
    number = backfill(arena, "items", "id > 600000")
    for kill in (1, 2):
        _kill_behind(arena, service, 8 * kill)
    until_complete(arena, number, 120)
    cancelled = backfill(arena, "items", "id > 600000")
    eventually(lambda: (job(arena, "items", "chunks_done") or 0) >= 2, 60, "the next one is in its middle")
    arena.config.run("UPDATE queue_backfill_data SET status = 'CANCELLED' WHERE id = %s", cancelled)
    eventually(lambda: ended(arena, cancelled) in {"CANCELLED", "COMPLETED"}, 60, "it is cancelled")
    until_streaming(arena, "items")


@fault("F37", "copies and changes of the same rows at the same time")
def f37(arena: Arena) -> None:
    """Each chunk waits between its read and its watermark, while its rows are changed and deleted."""
    arena.begin(copied=False, rosetta_failpoint="after_chunk_read:sleep:0.3", backfill_batch_size=250)
    with arena.writer(arena.changes, 2500) as writer:
        arena.until_running(300)
        while True:
            # What a copy has to mend, unseen by the watch over rows that go back.
            arena.run("a", "SET session_replication_role = replica; UPDATE items SET a = 'tampered' WHERE id % 50 = 0")
            resync(arena, "pairs")
            until_complete(arena, backfill(arena, "items", "id IS NOT NULL"), 200)
            until_streaming(arena, "pairs")
            resync(arena, "items")
            until_streaming(arena, "items")
            if writer.done:
                break
    with arena.recovery():
        pass
