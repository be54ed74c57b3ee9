"""Backfills with filters: rows that pass are merged into a table that streams, all others stay as they are."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest

from compute.backfill.parts import CopyOptions
from compute.tests.integration.backfill.copying import Copying, fill
from compute.tests.support.waiting import eventually
from rosetta.postgres import connect

pytestmark = pytest.mark.integration

ROWS = 3000
HELD_TABLES = "SELECT count(*) FROM pg_class WHERE relname ~ '^(tombstones|unfilled|held)_' AND relkind = 'r'"


@pytest.fixture
def streaming(copying: Copying) -> Copying:
    """`t` was copied and streams; then somebody has spoilt every row of its target."""
    fill(copying.source, rows=ROWS)
    copying.start()
    copying.completed(copying.queue("t")[1])
    copying.config.run("UPDATE table_syncs SET state = 'STREAMING'")
    spoil(copying)
    return copying


def spoil(copying: Copying) -> None:
    with closing(connect(copying.target, application="test", autocommit=True)) as session, session.cursor() as cursor:
        cursor.execute("UPDATE public.t SET body = 'wrong'")


def ask(copying: Copying, *filters: Any, table: str = "t", batch_rows: int | None = None) -> int:
    """Typed by hand: what the API would store, or what a person writes."""
    job: int = copying.config.one(
        "INSERT INTO queue_backfill_data (pipeline_id, table_name, filters, batch_rows) VALUES (%s, %s, %s, %s)"
        " RETURNING id",
        copying.pipeline_id,
        table,
        json.dumps(filters),
        batch_rows,
    )
    assert copying.manager is not None
    copying.manager.wake()
    return job


def ended(copying: Copying, job: int) -> tuple[Any, ...]:
    eventually(lambda: copying.status(job) not in {"PENDING", "EXECUTING"}, 60, f"job {job}")
    return copying.job(job, "status", "error_code", "error_message")


def right(copying: Copying) -> list[int]:
    """Ids of the target's rows that are as the source has them."""
    return [row[0] for row in copying.target_rows("SELECT id FROM public.t WHERE body <> 'wrong' ORDER BY id")]


def test_rows_that_pass_are_merged_and_no_others(streaming: Copying) -> None:
    merged = len(streaming.stream.merged)
    job = ask(streaming, "id BETWEEN 500 AND 1499", {"column": "body", "operator": "LIKE", "value": "x%"})
    assert ended(streaming, job) == ("COMPLETED", None, None)
    # every fiftieth row is empty and does not pass
    wanted = [n for n in range(500, 1500) if n % 50]
    assert right(streaming) == wanted
    rows, estimate, rate, left = streaming.job(job, "rows_done", "rows_estimated", "rows_per_second", "seconds_left")
    assert (rows, left) == (len(wanted), None)
    assert estimate is not None
    assert rate > 0
    chunks = streaming.stream.merged[merged:]
    assert not any(chunk.complete for chunk in chunks)
    assert max(chunk.row_count for chunk in chunks) <= 100
    assert streaming.target_rows(HELD_TABLES) == [(0,)]
    assert streaming.tables.owners == {}
    # its parts are not what people see, and the table's own figures are those of its copy
    assert streaming.config.one("SELECT rows_copied FROM table_syncs") == ROWS
    assert streaming.config.row("SELECT state, error_code FROM table_syncs") == ("STREAMING", None)


def test_it_goes_on_behind_the_last_merged_chunk_and_is_cancelled_at_any_time(streaming: Copying) -> None:
    merged = len(streaming.stream.merged)

    def hold_at_six(_: object) -> None:
        if len(streaming.stream.merged) == merged + 6:
            streaming.stream.held.set()

    streaming.stream.before_merge = hold_at_six
    job = ask(streaming, "id > 0", batch_rows=50)
    part = "SELECT id, chunks_done, cursor_key FROM queue_backfill_data WHERE backfill_id = %s"
    eventually(lambda: (streaming.config.row(part, job) or (0, 0))[1] >= 3, 40, "some chunks")
    streaming.stop()
    number, chunks, cursor = streaming.config.row(part, job) or (0, 0, None)
    assert (streaming.status(job), chunks < 20) == ("EXECUTING", True)
    streaming.stream.before_merge = lambda _: None
    streaming.stream.held.clear()
    before = len(streaming.stream.merged)
    streaming.start(CopyOptions(batch_rows=50, poll_seconds=0.1))
    assert ended(streaming, job) == ("COMPLETED", None, None)
    assert streaming.stream.merged[before:][-1].lower is not None
    resumed = next(chunk for chunk in streaming.stream.merged[before:] if chunk.lower == tuple(cursor or ()))
    assert resumed.row_count == 50
    assert right(streaming) == list(range(1, ROWS + 1)) or streaming.same("t")
    assert streaming.job(job, "rows_done")[0] <= ROWS + 9 * 50
    assert number

    spoil(streaming)
    merged = len(streaming.stream.merged)
    streaming.stream.before_merge = hold_at_six
    second, third = ask(streaming, "id > 0", batch_rows=50), ask(streaming, "id < 10")
    eventually(streaming.stream.held.is_set, 40, "it is in the middle")
    eventually(lambda: streaming.job(third, "status_reason")[0] == "another backfill of the table is under way", 40)
    streaming.config.run("UPDATE queue_backfill_data SET cancel_requested = true WHERE id = %s", second)
    streaming.stream.before_merge = lambda _: None
    streaming.stream.held.clear()
    assert ended(streaming, second)[0] == "CANCELLED"
    assert ended(streaming, third) == ("COMPLETED", None, None)
    assert 0 < len(right(streaming)) < ROWS
    assert streaming.target_rows(HELD_TABLES) == [(0,)]
    assert streaming.config.one("SELECT state FROM table_syncs") == "STREAMING"


def test_what_cannot_be_done_fails_with_its_remedy_and_leaves_the_table_alone(streaming: Copying) -> None:
    streaming.source.run("CREATE TABLE public.loose (a int)", "ALTER TABLE public.loose REPLICA IDENTITY FULL")
    _, copied = streaming.queue("loose")
    streaming.completed(copied)
    streaming.config.run("UPDATE table_syncs SET state = 'STREAMING'")
    jobs = {
        ask(streaming, "id = 1 OR true"): "FILTER_INVALID",
        ask(streaming, "nowhere = 1"): "FILTER_INVALID",
        ask(streaming, "id = 'one'"): "FILTER_INVALID",
        ask(streaming, "a = 1", table="loose"): "BACKFILL_NEEDS_KEY",
    }
    for job, code in jobs.items():
        status, error_code, message = ended(streaming, job)
        assert (status, error_code) == ("FAILED", code), message
        assert streaming.job(job, "error_remedy")[0]
    assert right(streaming) == []
    assert streaming.config.row("SELECT bool_and(state = 'STREAMING'), count(error_code) FROM table_syncs") == (True, 0)
    waiting = ask(streaming, "id = 1", table="unknown")
    eventually(lambda: streaming.job(waiting, "status_reason")[0] == "no destination has the table", 40)
    streaming.config.run("UPDATE queue_backfill_data SET status = 'CANCELLED' WHERE id = %s", waiting)
    assert streaming.status(waiting) == "CANCELLED"
