"""Backfills, of whole tables and with filters: progress, kills, cancellation, changes of the same rows."""

from __future__ import annotations

import json
import os
import signal
from functools import partial

import pytest

from compute.tests.support.copy_load import TABLES, Writers
from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually
from rosetta.enums import EngineKind

pytestmark = [pytest.mark.engine(EngineKind.PGOUTPUT), pytest.mark.integration, pytest.mark.timeout(300)]


def backfill(stage: Stage, pipeline: int, table: str, *filters: str) -> int:
    job: int = stage.config.one(
        "INSERT INTO queue_backfill_data (pipeline_id, table_name, filters, batch_rows) VALUES (%s, %s, %s, 50)"
        " RETURNING id",
        pipeline,
        table,
        json.dumps(filters),
    )
    return job


def spoil(stage: Stage) -> None:
    """What nobody but a backfill mends."""
    with stage.session(stage.target_database).cursor() as cursor:
        cursor.execute("UPDATE numbers SET big = 'wrong' WHERE id % 7 = 0; DELETE FROM pairs WHERE a < 50")


def killed_at(stage: Stage, pipeline: int, job: int, chunks: int) -> None:
    """Ends the pipeline's process when a part of the job has merged so many chunks, or the job is complete."""
    done = "SELECT COALESCE(sum(chunks_done), 0) FROM queue_backfill_data WHERE backfill_id = %s"
    pid = stage.service.streaming_pid(pipeline)
    eventually(lambda: stage.config.one(done, job) > chunks or status(stage, job) == "COMPLETED", 60, "some chunks")
    os.kill(pid, signal.SIGKILL)
    stage.service.streaming_pid(pipeline, other_than=pid)


def status(stage: Stage, job: int) -> str:
    return str(stage.config.one("SELECT status FROM queue_backfill_data WHERE id = %s", job))


def backfilled(stage: Stage, job: int) -> str:
    """How a backfill ended."""
    eventually(lambda: status(stage, job) not in {"PENDING", "EXECUTING"}, 120, "an end")
    return status(stage, job)


def streams(stage: Stage) -> bool:
    query = "SELECT count(*) FILTER (WHERE state = 'STREAMING'), count(*) FROM table_syncs"
    return stage.config.row(query) == (len(TABLES), len(TABLES))


def side_tables(stage: Stage) -> int:
    with stage.session(stage.target_database).cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname ~ '^(tombstones|unfilled|held)_' AND relkind = 'r'")
        (row,) = cursor.fetchall()
        return int(row[0])


def assert_same(stage: Stage) -> None:
    for table in TABLES:
        eventually(partial(stage.same, table), 60, f"{table} is the same")
    assert {table: stage.differences(table) for table in TABLES} == dict.fromkeys(TABLES, (0, 0))


@pytest.fixture
def running(loaded: Stage) -> tuple[Stage, int]:
    pipeline = loaded.start_pipeline()
    loaded.service.start()
    eventually(lambda: streams(loaded), 200, "every table is copied")
    return loaded, pipeline


def test_a_backfill_beside_changes_of_the_same_rows_is_exact(running: tuple[Stage, int]) -> None:
    stage, pipeline = running
    spoil(stage)
    with Writers(stage):
        jobs = [backfill(stage, pipeline, table) for table in ("numbers", "words", "pairs", "loose", "parts")]
        for job in jobs:
            assert backfilled(stage, job) == "COMPLETED"
        spoil(stage)
        filtered = [backfill(stage, pipeline, "numbers", "n IS NOT NULL"), backfill(stage, pipeline, "pairs", "a < 50")]
        filtered.append(backfill(stage, pipeline, "words", "word LIKE '%a%'", "n > 0"))
        for job in filtered:
            assert backfilled(stage, job) == "COMPLETED"
        assert stage.config.one("SELECT min(rows_done) FROM queue_backfill_data WHERE id = ANY (%s)", filtered) > 500
    assert_same(stage)
    assert stage.config.one("SELECT min(rows_done) FROM queue_backfill_data WHERE id = ANY (%s)", jobs) > 1000
    assert streams(stage)


def test_a_killed_backfill_resumes_and_a_cancelled_one_leaves_all_in_order(running: tuple[Stage, int]) -> None:
    stage, pipeline = running
    done = "SELECT COALESCE(sum(chunks_done), 0) FROM queue_backfill_data WHERE kind = 'RESYNC'"
    some = "SELECT chunks_done > 0 FROM queue_backfill_data WHERE backfill_id = %s"
    with stage.session(stage.target_database).cursor() as cursor:
        cursor.execute("UPDATE numbers SET big = 'wrong' WHERE id % 7 = 0")
    with Writers(stage):
        pid = stage.service.streaming_pid(pipeline)
        job = backfill(stage, pipeline, "numbers")
        eventually(lambda: status(stage, job) == "EXECUTING", 60, "it has begun")
        eventually(lambda: stage.config.one(done) > 3 or status(stage, job) == "COMPLETED", 60, "some chunks")
        os.kill(pid, signal.SIGKILL)
        stage.service.streaming_pid(pipeline, other_than=pid)
        eventually(lambda: status(stage, job) == "COMPLETED", 120, "it is complete")
        spoil(stage)
        filtered = backfill(stage, pipeline, "numbers", "id IS NOT NULL")
        for chunks in (3, 8):
            killed_at(stage, pipeline, filtered, chunks)
        eventually(lambda: status(stage, filtered) == "COMPLETED", 120, "it is complete, too")
        assert backfilled(stage, backfill(stage, pipeline, "pairs", "a < 50")) == "COMPLETED"
        stage.service.terminate()
        stage.service.environment["ROSETTA_FAILPOINT"] = "after_chunk_read:sleep:0.2"
        stage.service.start()
        stage.service.streaming_pid(pipeline)
        cancelled = backfill(stage, pipeline, "numbers")
        eventually(lambda: status(stage, cancelled) == "EXECUTING", 60, "the next one has begun")
        stage.config.run("UPDATE queue_backfill_data SET cancel_requested = true WHERE id = %s", cancelled)
        eventually(lambda: status(stage, cancelled) == "CANCELLED", 60, "it is cancelled")
        half = backfill(stage, pipeline, "numbers", "id > 0")
        eventually(lambda: stage.config.one(some, half), 60, "some chunks are merged")
        stage.config.run("UPDATE queue_backfill_data SET status = 'CANCELLED' WHERE id = %s", half)
        assert backfilled(stage, half) == "CANCELLED"
        eventually(lambda: streams(stage), 60, "the table goes on")
    assert_same(stage)
    eventually(lambda: side_tables(stage) == 0, 30, "no side table is left")
