"""backfill_exact: a copy beside a stream of concurrent changes gives the source, row for row, value for value."""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest

from compute.tests.support.copy_load import TABLES, Writers
from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]


def copied(stage: Stage) -> bool:
    """Whether every table streams; an error of one ends the wait."""
    failed = stage.config.row("SELECT table_name, error_code, error_message FROM table_syncs WHERE state = 'ERROR'")
    assert failed is None
    query = "SELECT count(*) FILTER (WHERE state = 'STREAMING'), count(*) FROM table_syncs"
    return stage.config.row(query) == (len(TABLES), len(TABLES))


def further(stage: Stage, query: str, than: int) -> bool:
    """Whether a count in the config database has grown."""
    count: int = stage.config.one(query)
    return count > than


def assert_same(stage: Stage) -> None:
    for table in TABLES:
        eventually(partial(stage.same, table), 60, f"{table} is the same")
    assert {table: stage.differences(table) for table in TABLES} == dict.fromkeys(TABLES, (0, 0))
    states = stage.config.row("SELECT array_agg(DISTINCT state), array_agg(DISTINCT error_code) FROM table_syncs")
    assert states == (["STREAMING"], [None])


def test_the_first_copy_is_exact_under_load(loaded: Stage) -> None:
    pipeline = loaded.start_pipeline()
    held = loaded.cluster.connect(loaded.source_database)
    with held.cursor() as cursor:
        cursor.execute("BEGIN; UPDATE fleeting SET id = -1 WHERE n IS NULL; INSERT INTO fleeting VALUES (-2, NULL)")
        with Writers(loaded) as writers:
            loaded.service.start()
            # the slot waits for the transaction; it ends while the pipeline is made
            eventually(lambda: loaded.config.one("SELECT slot_name FROM pipelines"), 60, "the slot is made")
            cursor.execute("COMMIT")
            loaded.service.streaming_pid(pipeline)
            eventually(lambda: copied(loaded), 200, "every table is copied")
            assert writers.transactions > 100
    held.close()
    assert_same(loaded)
    chunks = "SELECT min(chunks_done) FROM queue_backfill_data WHERE table_name IN ('numbers', 'words', 'pairs')"
    assert loaded.config.one(chunks) > 10


def test_a_killed_copy_resumes_and_is_exact(loaded: Stage) -> None:
    pipeline = loaded.start_pipeline()
    done = "SELECT COALESCE(sum(chunks_done), 0) FROM queue_backfill_data"
    with Writers(loaded):
        loaded.service.start()
        pid = loaded.service.streaming_pid(pipeline)
        for _ in range(4):
            eventually(partial(further, loaded, done, loaded.config.one(done)), 60, "a chunk")
            os.kill(pid, signal.SIGKILL)
            pid = loaded.service.streaming_pid(pipeline, other_than=pid)
        eventually(lambda: copied(loaded), 200, "every table is copied")
    assert_same(loaded)


def test_a_resync_is_exact_under_load_and_removes_what_should_not_be_there(loaded: Stage) -> None:
    loaded.start_pipeline()
    loaded.service.start()
    eventually(lambda: copied(loaded), 200, "every table is copied")
    with loaded.session(loaded.target_database).cursor() as cursor:
        cursor.execute("INSERT INTO numbers (id, n) SELECT -n, 0 FROM generate_series(1, 50) n")
        cursor.execute("UPDATE numbers SET big = 'wrong' WHERE id % 7 = 0; DELETE FROM numbers WHERE id % 11 = 0")
        cursor.execute("INSERT INTO words (word) SELECT 'stale' || n FROM generate_series(1, 50) n")
        cursor.execute("DELETE FROM pairs WHERE a < 50; INSERT INTO loose VALUES (1, 'stale')")
    with Writers(loaded) as writers:
        loaded.config.run("UPDATE table_syncs SET desired_state = 'RESYNC'")
        done = "SELECT count(*) FROM queue_backfill_data WHERE kind = 'RESYNC' AND status = 'COMPLETED'"
        eventually(lambda: loaded.config.one(done) == len(TABLES), 200, "every table is copied again")
        eventually(lambda: copied(loaded), 60, "every table streams again")
        assert writers.transactions > 50
    assert_same(loaded)
