"""A resync compares ranges and copies those that differ: which ones, and that what it leaves out is right."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from compute.backfill.parts import CopyOptions
from compute.backfill.reader import RangeDigest, ReadRows, SourceReader
from compute.destinations.base import RowChunk
from compute.tests.integration.backfill.copying import Copying, fill
from compute.tests.support.waiting import eventually
from rosetta.postgres import connect

pytestmark = pytest.mark.integration
LARGER = CopyOptions(batch_rows=2000, poll_seconds=0.1)


def at_target(copying: Copying, *statements: str) -> None:
    with closing(connect(copying.target, application="test", autocommit=True)) as session, session.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def copied(copying: Copying, *names: str) -> None:
    """First copies of the tables, done and closed as a writer would."""
    copying.start()
    for name in names:
        copying.completed(copying.queue(name)[1])
    copying.stream.merged.clear()


def resync(copying: Copying, name: str = "t") -> list[RowChunk]:
    """A resync that has completed; the chunks it copied."""
    _, job_id = copying.queue(name, "RESYNC")
    copying.completed(job_id)
    assert copying.same(name)
    return copying.stream.merged


def test_nothing_is_copied_where_nothing_differs(copying: Copying) -> None:
    fill(copying.source, rows=5000)
    copied(copying, "t")
    assert resync(copying) == []
    done = copying.job(2, "rows_done", "bytes_done", "cursor_key")
    assert done[:2] == (5000, 0)
    assert done[2] is not None


def test_only_ranges_that_differ_are_copied(copying: Copying) -> None:
    fill(copying.source, rows=20_000)
    copied(copying, "t")
    at_target(
        copying,
        "UPDATE public.t SET body = 'wrong' WHERE id = 17",
        "DELETE FROM public.t WHERE id = 9000",
        "INSERT INTO public.t VALUES (-5, 'surplus'), (30000, 'surplus')",
        "UPDATE public.t SET body = NULL WHERE id = 15000",
    )
    copying.stop()
    copying.start(LARGER)
    chunks = resync(copying)
    assert 0 < sum(chunk.row_count for chunk in chunks) < 8000


@pytest.mark.parametrize("rows", [0, 1, 100, 101])
def test_small_and_empty_tables(copying: Copying, rows: int) -> None:
    fill(copying.source, rows=rows)
    copied(copying, "t")
    assert resync(copying) == []
    at_target(copying, "INSERT INTO public.t VALUES (-1, 'surplus')")
    copying.source.run("INSERT INTO public.t VALUES (1000, 'new')")
    assert resync(copying)


def test_a_wholly_different_table_is_copied(copying: Copying) -> None:
    fill(copying.source, rows=5000)
    copied(copying, "t")
    at_target(copying, "UPDATE public.t SET body = body || '!'")
    assert sum(chunk.row_count for chunk in resync(copying)) == 5000


KEYS = {
    "several columns": ("a int, b bigint, c date, PRIMARY KEY (c, a, b)", "n % 7, n, date '2024-01-01' + n % 5"),
    "numbers and times": ("a numeric, b timestamptz, PRIMARY KEY (a, b)", "n / 10.0, now()"),
    "another order of columns": ("a uuid, b text, PRIMARY KEY (a)", "md5(n::text)::uuid, repeat('x', n % 20)"),
    "arrays": ("a int[], b jsonb, PRIMARY KEY (a)", "ARRAY[n % 3, n], jsonb_build_object('n', n)"),
    "a domain": ("a public.positive, b numeric(10, 2), PRIMARY KEY (a)", "n, n / 3.0"),
    "times": ("a timestamp(3), b varchar(9), c char(4), PRIMARY KEY (a)", "now() + n * interval '1 s', 'x', 'y'"),
}


@pytest.mark.parametrize("case", KEYS)
def test_keys_of_many_types(copying: Copying, case: str) -> None:
    definition, values = KEYS[case]
    copying.source.run(
        "CREATE DOMAIN public.positive AS int CHECK (VALUE > 0)",
        f"CREATE TABLE public.t ({definition})",
        f"INSERT INTO public.t SELECT {values} FROM generate_series(1, 3000) n",
    )
    copied(copying, "t")
    assert resync(copying) == []
    at_target(copying, "DELETE FROM public.t WHERE ctid IN (SELECT ctid FROM public.t OFFSET 1500 LIMIT 3)")
    assert 3 <= sum(chunk.row_count for chunk in resync(copying)) < 3000


def test_a_row_that_is_newer_than_the_snapshot_is_not_taken_for_equal(copying: Copying) -> None:
    """Its text may be the same by chance; only a chunk tells whether what the stream left out is right."""
    fill(copying.source, rows=300)
    copied(copying, "t")
    at_target(copying, "UPDATE public.t SET _rosetta_xid = 9000000000 WHERE id = 7")
    assert [chunk.row_count for chunk in resync(copying)] != []


def test_what_changes_between_snapshot_and_watermark_is_told_by_the_writer(
    copying: Copying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The range is read, then a row changes and the stream brings that, then the target is asked."""
    fill(copying.source, rows=300)
    copied(copying, "t")
    digest, changed = SourceReader.digest, list[bool]()

    def read_then_change(reader: SourceReader, *args: Any) -> RangeDigest:
        found = digest(reader, *args)
        if not changed:
            changed.append(True)
            change = "UPDATE public.t SET body = 'changed' WHERE id = 7"
            copying.source.run(change)
            at_target(copying, change)  # as the stream would, before the watermark
        return found

    monkeypatch.setattr(SourceReader, "digest", read_then_change)
    assert [chunk.row_count for chunk in resync(copying)] == [100]


def test_an_outage_of_the_source_delays_a_resync(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(copying.source, rows=5000)
    copied(copying, "t")
    at_target(copying, "UPDATE public.t SET body = 'wrong' WHERE id % 1000 = 0")
    digest, looks = SourceReader.digest, list[Any]()

    def fail_now_and_then(reader: SourceReader, *args: Any) -> RangeDigest:
        looks.append(args)
        if len(looks) % 9 == 0:
            copying.source.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rosetta copy'"
            )
        return digest(reader, *args)

    monkeypatch.setattr(SourceReader, "digest", fail_now_and_then)
    assert resync(copying)
    assert len(looks) > 50


def test_a_resync_resumes_behind_what_was_equal(copying: Copying) -> None:
    fill(copying.source, rows=8000)
    copied(copying, "t")
    at_target(copying, "UPDATE public.t SET body = 'wrong' WHERE id = 7500")

    def hold(_: RowChunk) -> None:
        copying.stream.held.set()

    copying.stream.before_merge = hold
    _, job_id = copying.queue("t", "RESYNC")
    eventually(lambda: copying.job(job_id, "rows_done")[0] >= 2000, 30)
    eventually(copying.stream.held.is_set, 30)
    copying.stop()
    copying.stream.checked.clear()
    copying.stream.before_merge = lambda _: None
    copying.stream.held.clear()
    copying.start()
    copying.completed(job_id)
    assert copying.same("t")
    assert all(check.lower is not None for check in copying.stream.checked)


def test_a_cancelled_resync_leaves_nothing_expected(copying: Copying) -> None:
    fill(copying.source, rows=3000)
    copied(copying, "t")
    copying.stream.held.set()
    sync_id, job_id = copying.queue("t", "RESYNC")
    eventually(lambda: copying.status(job_id) == "EXECUTING")
    copying.config.run("UPDATE queue_backfill_data SET cancel_requested = true WHERE id = %s", job_id)
    eventually(lambda: copying.status(job_id) == "CANCELLED")
    assert copying.tables.failed[sync_id].code == "COPY_CANCELLED"
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rosetta copy'"
    eventually(lambda: copying.source.one(sessions) == 0)
    copying.stream.held.clear()
    assert resync(copying) == []


@pytest.mark.parametrize("kind", ["INITIAL", "RESYNC"])
def test_rows_that_were_there_before_go_whatever_orders_the_key(copying: Copying, kind: str) -> None:
    """Text and labels may be ordered otherwise at the target, so no range of them can be emptied."""
    copying.source.run(
        "CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy')",
        "CREATE TABLE public.words (a text, m public.mood, n int, PRIMARY KEY (a, m))",
        "INSERT INTO public.words SELECT md5(n::text), CASE n % 3 WHEN 0 THEN 'sad' WHEN 1 THEN 'ok' ELSE 'happy' END"
        "::public.mood, n FROM generate_series(1, 1500) n",
    )
    at_target(
        copying,
        "CREATE TYPE public.mood AS ENUM ('happy', 'ok', 'sad', 'gone')",
        'CREATE TABLE public.words (a text COLLATE "POSIX", m public.mood, n int, PRIMARY KEY (a, m))',
        "INSERT INTO public.words SELECT 'x' || n, 'ok', n FROM generate_series(1, 1200) n",
        "INSERT INTO public.words SELECT md5(n::text), 'gone', n FROM generate_series(1, 1500) n",
        "INSERT INTO public.words SELECT md5(n::text), 'ok', 0 FROM generate_series(1, 1500) n WHERE n % 3 = 1",
    )
    copying.start()
    _, job_id = copying.queue("words", kind)
    copying.completed(job_id)
    assert copying.same("words")


def test_a_surplus_row_that_the_source_gets_meanwhile_stays(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> None:
    copying.source.run("CREATE TABLE public.words (a text PRIMARY KEY)", "INSERT INTO public.words VALUES ('a'), ('b')")
    at_target(copying, "CREATE TABLE public.words (a text PRIMARY KEY)", "INSERT INTO public.words VALUES ('c'), ('d')")
    read_keys = SourceReader.read_keys

    def insert_first(reader: SourceReader, *args: Any) -> ReadRows:
        copying.source.run("INSERT INTO public.words VALUES ('c')")
        return read_keys(reader, *args)

    monkeypatch.setattr(SourceReader, "read_keys", insert_first)
    copying.start()
    copying.completed(copying.queue("words")[1])
    assert copying.target_rows("SELECT a FROM public.words ORDER BY a") == [("a",), ("b",), ("c",)]
