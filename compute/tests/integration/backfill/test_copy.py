"""Copy jobs from the job table to the target, with real servers and a stream of marks in place of an engine."""

from __future__ import annotations

from contextlib import closing

import pytest

from compute.backfill.parts import CopyOptions
from compute.destinations.base import TableTarget
from compute.tests.integration.backfill.copying import Copying, fill
from compute.tests.support.waiting import eventually
from rosetta.errors import DataError
from rosetta.postgres import connect

pytestmark = pytest.mark.integration


def test_a_table_is_copied_in_chunks(copying: Copying) -> None:
    fill(copying.source)
    copying.start()
    sync_id, job_id = copying.queue("t")
    copying.completed(job_id)
    assert copying.same("t")
    assert copying.tables.finished == [sync_id]
    done = copying.job(job_id, "chunks_done", "rows_done", "rows_estimated", "attempts", "status_reason")
    assert done == (11, 1000, 1000, 1, None)
    size, cursor = copying.job(job_id, "bytes_done", "cursor_key")
    assert size > 20_000
    assert cursor == ["1000"]
    assert copying.config.one("SELECT rows_copied FROM table_syncs") == 1000


def test_empty_keyless_partitioned_and_odd_tables(copying: Copying) -> None:
    copying.source.run(
        "CREATE TABLE public.empty (id int PRIMARY KEY)",
        "CREATE TABLE public.keyless (a int, b text)",
        "ALTER TABLE public.keyless REPLICA IDENTITY FULL",
        "INSERT INTO public.keyless SELECT n % 3, NULL FROM generate_series(1, 500) n",
        "CREATE TABLE public.root (id int, day int, PRIMARY KEY (id, day)) PARTITION BY LIST (day)",
        "CREATE TABLE public.one PARTITION OF public.root FOR VALUES IN (1)",
        "CREATE TABLE public.two PARTITION OF public.root FOR VALUES IN (2)",
        "INSERT INTO public.root SELECT n, 1 + n % 2 FROM generate_series(1, 300) n",
        "CREATE TABLE public.words (a text, b timestamptz, c jsonb, PRIMARY KEY (b, a))",
        "INSERT INTO public.words SELECT chr(n) || E'\\t\\\\', now() + n * interval '1 s', '{\"a\": \"\\n\"}'"
        " FROM generate_series(32, 300) n",
    )
    names = ("empty", "keyless", "root", "words")
    jobs = [copying.queue(name)[1] for name in names]
    copying.start()
    for job_id in jobs:
        copying.completed(job_id)
    assert [name for name in names if not copying.same(name)] == []
    assert copying.job(jobs[0], "chunks_done", "rows_done", "rows_estimated") == (1, 0, 0)
    assert copying.job(jobs[1], "chunks_done", "rows_done", "cursor_key") == (1, 500, None)


def test_a_copy_resumes_behind_the_last_merged_chunk(copying: Copying) -> None:
    fill(copying.source, rows=3000)
    copying.start()

    def hold_at_twelve(_: object) -> None:
        if len(copying.stream.merged) == 12:
            copying.stream.held.set()

    copying.stream.before_merge = hold_at_twelve
    _, job_id = copying.queue("t")
    eventually(lambda: copying.job(job_id, "chunks_done")[0] >= 5, 20)
    copying.stop()
    (cursor,) = copying.job(job_id, "cursor_key")
    assert copying.status(job_id) == "EXECUTING"
    before = len(copying.stream.merged)
    copying.stream.held.clear()
    copying.start()
    copying.completed(job_id)
    assert copying.same("t")
    resumed = copying.stream.merged[before:]
    assert any(chunk.lower == tuple(cursor) for chunk in resumed)
    assert all(chunk.lower is not None for chunk in resumed)
    assert copying.job(job_id, "attempts") == (2,)


def test_rows_that_the_source_lost_are_gone_after_a_resync(copying: Copying) -> None:
    fill(copying.source)
    copying.source.run(
        "CREATE TABLE public.words (word text PRIMARY KEY)",
        "INSERT INTO public.words SELECT 'w' || n FROM generate_series(1, 500) n",
    )
    copying.start()
    for name in ("t", "words"):
        copying.completed(copying.queue(name)[1])
    copying.source.run("DELETE FROM public.t WHERE id % 3 = 0", "DELETE FROM public.words WHERE word LIKE '%7'")
    first = len(copying.stream.merged)
    jobs = [copying.queue(name, "RESYNC")[1] for name in ("t", "words")]
    for job_id in jobs:
        copying.completed(job_id)
    assert copying.same("t")
    assert copying.same("words")
    # text may be ordered otherwise at the target: no range of it is trusted, what no chunk brought is looked up
    words = [chunk for chunk in copying.stream.merged[first:] if chunk.target.source.name == "words"]
    assert [chunk.complete for chunk in words] == [False] * 5 + [True]
    assert (words[-1].row_count, len(words[-1].keys or ())) == (0, 50)


def test_chunks_wait_for_their_watermark_and_are_bounded(copying: Copying) -> None:
    fill(copying.source, rows=5000)
    copying.stream.held.set()
    copying.start()
    _, job_id = copying.queue("t")
    reads = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rosetta copy'"
    eventually(lambda: copying.source.one(reads) == 1, 40)
    assert copying.status(job_id) in {"PENDING", "EXECUTING"}
    assert copying.target_rows("SELECT count(*) FROM public.t") == [(0,)]
    copying.stream.held.clear()
    copying.completed(job_id)
    assert copying.same("t")


def test_a_copy_waits_for_transactions_that_began_before_it(copying: Copying) -> None:
    fill(copying.source, rows=10)
    writer = copying.source.another()
    writer.cursor().execute("INSERT INTO public.t VALUES (100, 'late')")
    copying.start()
    _, job_id = copying.queue("t")
    eventually(lambda: "transactions" in (copying.job(job_id, "status_reason")[0] or ""), 20)
    assert copying.stream.merged == []
    writer.commit()
    writer.close()
    copying.completed(job_id)
    assert copying.same("t")


def test_an_outage_of_the_source_delays_the_copy(copying: Copying) -> None:
    fill(copying.source, rows=3000)
    copying.stream.before_merge = lambda _: copying.source.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rosetta copy'"
        if len(copying.stream.merged) in {3, 9}
        else "SELECT 1"
    )
    copying.start()
    _, job_id = copying.queue("t")
    copying.completed(job_id)
    assert copying.same("t")


def test_an_outage_of_the_config_database_delays_only_the_end(copying: Copying) -> None:
    fill(copying.source, rows=2000)
    copying.jobs.away = True
    copying.start()
    _, job_id = copying.queue("t")
    eventually(lambda: copying.same("t"), 20)
    assert copying.status(job_id) == "EXECUTING"
    copying.jobs.away = False
    copying.completed(job_id)
    assert copying.job(job_id, "rows_done") == (2000,)


def test_a_table_that_cannot_be_read_fails_alone(copying: Copying) -> None:
    fill(copying.source, "good")
    fill(copying.source, "bad")
    bad_sync, bad = copying.queue("bad")
    _, good = copying.queue("good")
    copying.source.run("ALTER TABLE public.bad RENAME TO elsewhere")
    copying.start()
    copying.completed(good)
    eventually(lambda: copying.status(bad) == "FAILED")
    assert copying.tables.failed[bad_sync].code == "SCHEMA_MISMATCH"
    assert copying.job(bad, "error_code") == ("SCHEMA_MISMATCH",)
    assert copying.same("good")


def test_a_chunk_that_the_target_refuses_fails_the_job(copying: Copying) -> None:
    fill(copying.source)
    copying.stream.refuse = DataError("refused", code="PG_23505")
    copying.start()
    sync_id, job_id = copying.queue("t")
    eventually(lambda: copying.status(job_id) == "FAILED")
    assert copying.job(job_id, "error_code", "error_message") == ("PG_23505", "refused")
    assert sync_id not in copying.tables.failed  # its writer has said so already
    assert copying.tables.finished == []


def test_a_cancelled_copy_never_looks_whole(copying: Copying) -> None:
    fill(copying.source, rows=3000)
    copying.stream.held.set()
    copying.start()
    sync_id, job_id = copying.queue("t")
    eventually(lambda: copying.status(job_id) == "EXECUTING")
    copying.config.run("UPDATE queue_backfill_data SET cancel_requested = true WHERE id = %s", job_id)
    eventually(lambda: copying.status(job_id) == "CANCELLED")
    assert copying.tables.failed[sync_id].code == "COPY_CANCELLED"
    copying.stream.held.clear()
    _, again = copying.queue("t", "RESYNC")
    copying.completed(again)
    assert copying.same("t")


def test_jobs_that_cannot_run_yet_say_why(copying: Copying) -> None:
    fill(copying.source)
    sync_id, job_id = copying.queue("t", serve=False)
    filtered = copying.config.one(
        "INSERT INTO queue_backfill_data (pipeline_id, table_name, filters)"
        " VALUES (%s, 't', '[\"id > 1\"]') RETURNING id",
        copying.pipeline_id,
    )
    copying.start()
    eventually(lambda: copying.job(job_id, "status", "status_reason")[1])
    assert copying.status(job_id) == "PENDING"
    copying.serve(sync_id, "t")
    copying.completed(job_id)
    assert copying.status(filtered) == "PENDING"
    assert copying.job(filtered, "status_reason") == ("the table is PENDING at a destination",)


def test_rows_that_still_lack_values_are_read_again(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(copying.source)
    copying.source.run("INSERT INTO public.t VALUES (5000, 'moved'), (5001, E'it''s')")
    copying.start()
    lacking: list[tuple[str, ...]] = [("5000",), ("5001",), ("9999",)]
    answers: list[list[tuple[str, ...]]] = [lacking, [], [("5000",)], lacking, [], []]  # some come when it is to end
    monkeypatch.setattr(copying.destination, "unfilled_keys", lambda _: answers.pop(0))
    sync_id, job_id = copying.queue("t")
    copying.completed(job_id)
    chunk = copying.stream.merged[-1]
    assert (chunk.data, chunk.complete, chunk.lower, chunk.upper) == (b"5000\tmoved\n5001\tit's\n", False, None, None)
    assert [chunk.row_count for chunk in copying.stream.merged[-2:]] == [2, 2]
    assert answers == []
    assert copying.tables.finished == [sync_id]
    assert copying.same("t")


def test_rows_that_lack_values_for_good_fail_the_copy_where_its_writer_says_so(
    copying: Copying, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(copying.source)
    copying.start()

    def lacking(_: TableTarget) -> None:
        raise DataError("rows lack values", code="COPY_INCOMPLETE", remedy="Resync the table.")

    monkeypatch.setattr(copying.destination, "unfilled_keys", lambda _: [("9999",)])
    monkeypatch.setattr(copying.destination, "finish_copy", lacking)
    sync_id, job_id = copying.queue("t")
    eventually(lambda: copying.status(job_id) == "FAILED", 30)
    assert copying.job(job_id, "error_code", "error_remedy") == ("COPY_INCOMPLETE", "Resync the table.")
    assert sync_id not in copying.tables.failed  # its writer has said so already
    assert copying.tables.finished == []


def test_large_rows_keep_memory_bounded_and_leave_no_file(copying: Copying) -> None:
    copying.source.run(
        "CREATE TABLE public.t (id int PRIMARY KEY, body text)",
        "INSERT INTO public.t SELECT n, repeat(md5(n::text), 3000) FROM generate_series(1, 200) n",
    )
    copying.start(CopyOptions(poll_seconds=0.1, chunk_bytes=400_000, inline_bytes=300_000, memory_bytes=500_000))
    _, job_id = copying.queue("t")
    copying.completed(job_id)
    assert copying.same("t")
    files = [chunk.data for chunk in copying.stream.merged if not isinstance(chunk.data, bytes)]
    assert files
    assert [path for path in files if path.exists()] == []


def test_a_truncate_between_read_and_mark_brings_no_row_back(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(copying.source)
    reads = 0

    def truncate_behind_the_third_read(point: str) -> None:
        nonlocal reads
        reads += point == "after_chunk_read"
        if point == "after_chunk_read" and reads == 3:
            eventually(lambda: len(copying.stream.merged) == 2, 40)
            copying.source.run("TRUNCATE public.t")
            with copying.stream.lock, closing(connect(copying.target, application="test", autocommit=True)) as session:
                session.cursor().execute("TRUNCATE public.t")  # as the stream would, before the third mark

    monkeypatch.setattr("compute.backfill.walk.failpoints.hit", truncate_behind_the_third_read)
    copying.start()
    _, job_id = copying.queue("t")
    copying.completed(job_id)
    assert (copying.target_rows("SELECT count(*) FROM public.t"), copying.same("t")) == ([(0,)], True)
    assert [chunk.row_count for chunk in copying.stream.merged] == [100, 100, 0]
