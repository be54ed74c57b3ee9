"""Backfills of whole tables, as people ask for them: progress, kills, cancellation, changes of the same rows."""

from __future__ import annotations

import os
import signal

import pytest

from compute.tests.support.copy_load import TABLES, Writers
from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def backfill(stage: Stage, pipeline: int, table: str) -> int:
    job: int = stage.config.one(
        "INSERT INTO queue_backfill_data (pipeline_id, table_name, batch_rows) VALUES (%s, %s, 50) RETURNING id",
        pipeline,
        table,
    )
    return job


def status(stage: Stage, job: int) -> str:
    return str(stage.config.one("SELECT status FROM queue_backfill_data WHERE id = %s", job))


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
        eventually(lambda table=table: stage.same(table), 60, f"{table} is the same")  # type: ignore[misc]
    assert {table: stage.differences(table) for table in TABLES} == dict.fromkeys(TABLES, (0, 0))


@pytest.fixture
def running(loaded: Stage) -> tuple[Stage, int]:
    pipeline = loaded.start_pipeline()
    loaded.service.start()
    eventually(lambda: streams(loaded), 200, "every table is copied")
    return loaded, pipeline


def test_a_backfill_beside_changes_of_the_same_rows_is_exact(running: tuple[Stage, int]) -> None:
    stage, pipeline = running
    with stage.session(stage.target_database).cursor() as cursor:
        cursor.execute("UPDATE numbers SET big = 'wrong' WHERE id % 7 = 0; DELETE FROM pairs WHERE a < 50")
    with Writers(stage):
        jobs = [backfill(stage, pipeline, table) for table in ("numbers", "words", "pairs", "loose", "parts")]
        for job in jobs:
            eventually(lambda job=job: status(stage, job) == "COMPLETED", 120, f"backfill {job}")  # type: ignore[misc]
    assert_same(stage)
    rows = "SELECT min(rows_done) FROM queue_backfill_data WHERE kind = 'BACKFILL'"
    assert stage.config.one(rows) > 1000
    assert streams(stage)


def test_a_killed_backfill_resumes_and_a_cancelled_one_leaves_all_in_order(running: tuple[Stage, int]) -> None:
    stage, pipeline = running
    done = "SELECT COALESCE(sum(chunks_done), 0) FROM queue_backfill_data WHERE kind = 'RESYNC'"
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
        stage.service.terminate()
        stage.service.environment["ROSETTA_FAILPOINT"] = "after_chunk_read:sleep:0.2"
        stage.service.start()
        stage.service.streaming_pid(pipeline)
        cancelled = backfill(stage, pipeline, "numbers")
        eventually(lambda: status(stage, cancelled) == "EXECUTING", 60, "the next one has begun")
        stage.config.run("UPDATE queue_backfill_data SET cancel_requested = true WHERE id = %s", cancelled)
        eventually(lambda: status(stage, cancelled) == "CANCELLED", 60, "it is cancelled")
        eventually(lambda: streams(stage), 60, "the table goes on")
    assert_same(stage)
    eventually(lambda: side_tables(stage) == 0, 30, "no side table is left")
