"""How a copy goes through a table: sizes of chunks, how far it looks for rows that pass, and its pace."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from compute.backfill.flight import Landings
from compute.backfill.parts import CopyOptions
from compute.backfill.patience import Patience
from compute.backfill.reader import ReadRows
from compute.backfill.walk import Walk
from rosetta.dialects.postgres.chunk_read import Key, KeyColumn, ReadPlan
from rosetta.identifiers import TableId

KEY = KeyColumn("id", "bigint", "<", "<=", "=", ">", ">=", portable=True, domain=False, enum=False)
PLAN = ReadPlan(TableId("public", "t"), ("id",), (KEY,), partitioned=False)
SOME = ReadPlan(TableId("public", "t"), ("id",), (KEY,), partitioned=False, condition="id % 1000 = 0")


@dataclass
class Table:
    """A table of `rows` rows with keys 1, 2, 3 and so on, of which those that `passes` divides pass."""

    rows: int
    passes: int = 1
    asked: list[tuple[int, int | None, int]] = field(default_factory=list)

    def read_chunk(
        self, plan: ReadPlan, lower: Key | None, rows: int, upper: Key | None = None, looked_at: int | None = None
    ) -> ReadRows:
        begin = int(lower[0]) if lower else 0
        end = min(self.rows, begin + (rows if plan.reads_key else looked_at or rows))
        found = [n for n in range(begin + 1, end + 1) if n % self.passes == 0][:rows]
        if len(found) == rows:
            end = found[-1]
        self.asked.append((rows, looked_at, len(found)))
        reached = None if end >= self.rows else (str(end),)
        return ReadRows(b"", len(found), len(found) * 10, "1:1:", "1", lower, reached)


@dataclass
class Chunks:
    """Takes every chunk at once."""

    launched: list[tuple[int, bool]] = field(default_factory=list)

    def mark(self) -> None: ...
    def wait(self, most: int) -> None: ...
    def launch(self, columns: tuple[str, ...], read: ReadRows, *, complete: bool) -> None:
        self.launched.append((read.row_count, complete))


class Jobs:
    def hold(self, job_id: int, reason: str | None) -> None: ...


def walked(table: Table, plan: ReadPlan, *, whole: bool, rate: int = 0) -> Chunks:
    chunks: Any = Chunks()
    jobs: Any = Jobs()
    reader: Any = table
    patience = Patience(1, jobs, Landings(), threading.Event(), rate)
    walk = Walk(reader, chunks, patience, CopyOptions(), 1_000, whole=whole)
    walk.begin(None)
    walk.run(plan)
    assert isinstance(chunks, Chunks)
    return chunks


def test_a_chunk_without_a_condition_has_its_rows_and_is_complete() -> None:
    table = Table(10_500)
    chunks = walked(table, PLAN, whole=True)
    assert [count for count, _ in chunks.launched] == [1_000] * 10 + [500]
    assert {complete for _, complete in chunks.launched} == {True}


def test_few_rows_that_pass_are_looked_for_further_and_further_but_not_without_end() -> None:
    table = Table(200_000, passes=1_000)
    chunks = walked(table, SOME, whole=False)
    assert sum(count for count, _ in chunks.launched) == 200
    assert {complete for _, complete in chunks.launched} == {False}
    looked_at = [looked for _, looked, _ in table.asked]
    assert looked_at[:4] == [1_000, 4_000, 16_000, 16_000]
    assert max(looked for looked in looked_at if looked) == 16_000


def test_no_chunk_has_more_rows_than_it_may_however_many_pass() -> None:
    table = Table(60_000, passes=1)
    walked(table, SOME, whole=False)
    assert max(found for _, _, found in table.asked) == 1_000
    assert sum(found for _, _, found in table.asked) == 60_000


def test_the_pace_is_kept() -> None:
    began = time.monotonic()
    walked(Table(3_000), PLAN, whole=True, rate=10_000)
    assert 0.2 <= time.monotonic() - began < 5.0
