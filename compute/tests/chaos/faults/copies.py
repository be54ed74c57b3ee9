"""Backfills that are interrupted, and backfills beside changes of the same rows."""

from __future__ import annotations

import os
import signal

from compute.tests.chaos.arena import Arena
from compute.tests.chaos.matrix import fault
from compute.tests.support.waiting import eventually

_CHUNK_ROWS = 200


def backfill(arena: Arena, table: str, batch_rows: int = _CHUNK_ROWS) -> int:
    """Asks for a backfill of a whole table, as a person would by SQL; the job's id."""
    job: int = arena.config.one(
        "INSERT INTO queue_backfill_data (pipeline_id, table_name, batch_rows) VALUES (%s, %s, %s) RETURNING id",
        arena.pipeline,
        table,
        batch_rows,
    )
    return job


def job_is(arena: Arena, job: int, status: str) -> bool:
    return bool(arena.config.one("SELECT status FROM queue_backfill_data WHERE id = %s", job) == status)


@fault("F36", "kills and a cancellation in the middle of a backfill")
def f36(arena: Arena) -> None:
    """It resumes after the last merged chunk, so no more than a chunk is read again for each kill."""
    service = arena.begin()
    arena.run(
        "source",
        "INSERT INTO items SELECT i, nextval('audit.rev'), 'backfill', i, NULL FROM generate_series(600000, 615000) i",
    )
    arena.arrives(arena.tick())
    rows = arena.one("source", "SELECT count(*) FROM items")
    with arena.writer(per_second=500):
        job, kills = backfill(arena, "items"), 2
        done = "SELECT chunks_done FROM queue_backfill_data WHERE id = %s"
        for kill in range(1, kills + 1):
            pid = arena.streaming_pid(service)
            eventually(lambda at=kill: arena.config.one(done, job) >= 8 * at, 60, "some chunks are merged")  # type: ignore[misc]
            os.kill(pid, signal.SIGKILL)
            with arena.recovery():
                arena.streaming_pid(service, other_than=pid)
        eventually(lambda: job_is(arena, job, "COMPLETED"), 120, "the backfill is complete")
        read = arena.config.one("SELECT rows_done FROM queue_backfill_data WHERE id = %s", job)
        assert read <= rows + 5000 + 3 * kills * _CHUNK_ROWS, f"{read} rows were read for {rows}"
        cancelled = backfill(arena, "items", 20)
        eventually(lambda: arena.config.one(done, cancelled) >= 2, 60, "the next one has begun")
        arena.config.run("UPDATE queue_backfill_data SET cancel_requested = true WHERE id = %s", cancelled)
        eventually(lambda: job_is(arena, cancelled, "CANCELLED"), 30, "it is cancelled")


@fault("F37", "backfills and changes of the same rows at the same time")
def f37(arena: Arena) -> None:
    """Each chunk waits between its read and its watermark, while its rows are changed and deleted."""
    arena.begin(rosetta_failpoint="after_chunk_read:sleep:0.3", backfill_batch_size=300)
    with arena.writer(arena.changes, 2500) as writer:
        while True:
            jobs = [backfill(arena, table, 400) for table in ("items", "pairs")]
            eventually(lambda: all(job_is(arena, job, "COMPLETED") for job in jobs), 200, "both are complete")  # noqa: B023
            if writer.done:
                break
    with arena.recovery():
        pass
