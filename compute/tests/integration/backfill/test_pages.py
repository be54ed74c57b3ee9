"""Tables without a key in append mode: read in ranges of their pages, resumed, and never twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from compute.tests.integration.backfill.copying import Copying
from compute.tests.integration.backfill.test_filtered import ask, ended
from compute.tests.support.waiting import eventually
from rosetta.enums import SyncMode

pytestmark = pytest.mark.integration

ROWS = 12_000
COPIED = "SELECT a, b FROM public.{} WHERE _rosetta_op = 'r' AND _rosetta_lsn = 0"


@pytest.fixture
def loose(copying: Copying) -> Copying:
    """Two tables without a key, one of them of partitions of which one is empty; rows are there several times."""
    rows = f"SELECT n % 5000, CASE WHEN n % 7 <> 0 THEN repeat('x', n % 90) END FROM generate_series(1, {ROWS}) n"
    copying.source.run(
        "CREATE TABLE public.loose (a int, b text)",
        f"INSERT INTO public.loose {rows}",
        "CREATE TABLE public.parts (a int, b text) PARTITION BY RANGE (a)",
        "CREATE TABLE public.low PARTITION OF public.parts FOR VALUES FROM (0) TO (1000)",
        "CREATE TABLE public.high (b text, a int)",
        "ALTER TABLE public.parts ATTACH PARTITION public.high FOR VALUES FROM (1000) TO (100000)",
        "CREATE TABLE public.none PARTITION OF public.parts FOR VALUES FROM (100000) TO (200000)",
        f"INSERT INTO public.parts {rows}",
    )
    return copying


def at_source(copying: Copying, name: str = "loose", where: str = "true") -> Counter[tuple[Any, ...]]:
    return Counter(copying.source.rows(f"SELECT a, b FROM public.{name} WHERE {where}"))


def copied(copying: Copying, name: str = "loose") -> Counter[tuple[Any, ...]]:
    return Counter(copying.target_rows(COPIED.format(name)))


def hold_at(copying: Copying, chunks: int) -> None:
    """Nothing more is merged from so many chunks on."""

    def hold(_: object) -> None:
        if len(copying.stream.merged) == chunks:
            copying.stream.held.set()

    copying.stream.before_merge = hold


def go_on(copying: Copying) -> None:
    copying.stream.before_merge = lambda _: None
    copying.stream.held.clear()


def test_every_row_is_there_once_after_a_restart_and_after_the_table_was_written_anew(loose: Copying) -> None:
    loose.start()
    _, parts = loose.queue("parts", mode=SyncMode.APPEND)
    loose.completed(parts)
    assert copied(loose, "parts") == at_source(loose, "parts")
    chunks, rows, estimate = loose.job(parts, "chunks_done", "rows_done", "rows_estimated")
    assert (chunks > 10, rows) == (True, ROWS)
    assert estimate > 0
    assert all(chunk.lower is None and chunk.upper is None for chunk in loose.stream.merged)

    hold_at(loose, len(loose.stream.merged) + 12)
    _, job = loose.queue("loose", mode=SyncMode.APPEND)
    eventually(lambda: loose.job(job, "chunks_done")[0] >= 5, 20, "some chunks")
    loose.stop()
    (cursor,) = loose.job(job, "cursor_key")
    assert len(cursor) == 2
    before = len(loose.stream.merged)
    hold_at(loose, before + 6)
    loose.stream.held.clear()
    loose.start()
    eventually(loose.stream.held.is_set, 20, "it went on")
    assert loose.stream.merged[before].numbered_behind >> 24 == int(cursor[1])
    # every row lies elsewhere now, and some are gone
    loose.source.run("DELETE FROM public.loose WHERE a % 3 = 0")
    loose.source.run("VACUUM FULL public.loose")
    go_on(loose)
    loose.completed(job)
    assert copied(loose) == at_source(loose)
    assert 0 in [chunk.numbered_behind for chunk in loose.stream.merged[before:]]

    # the next whole copy replaces what this one left
    loose.source.run("INSERT INTO public.loose SELECT n, 'new' FROM generate_series(1, 3000) n")
    _, again = loose.queue("loose", "RESYNC", mode=SyncMode.APPEND)
    loose.completed(again)
    assert copied(loose) == at_source(loose)


def test_rows_that_pass_a_filter_are_appended_and_none_is_taken_away(loose: Copying) -> None:
    loose.source.run("CREATE INDEX ON public.loose (a)", "ANALYZE public.loose")
    loose.start()
    _, job = loose.queue("loose", mode=SyncMode.APPEND)
    loose.completed(job)
    loose.config.run("UPDATE table_syncs SET state = 'STREAMING'")
    chunks = len(loose.stream.merged)
    asked = ask(loose, "a BETWEEN 1000 AND 1999", "b IS NOT NULL", table="loose")
    assert ended(loose, asked) == ("COMPLETED", None, None)
    wanted = at_source(loose, where="a BETWEEN 1000 AND 1999 AND b IS NOT NULL")
    assert copied(loose) == at_source(loose) + wanted
    assert loose.job(asked, "rows_done")[0] == wanted.total()
    assert not any(chunk.complete for chunk in loose.stream.merged[chunks:])
