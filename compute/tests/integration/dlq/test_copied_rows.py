"""Rows that are refused while their table is copied: parked alone with what follows them; the copy goes on."""

from __future__ import annotations

from dataclasses import replace

from compute.backfill.flight import PendingChunk
from compute.core.backfill_work import EndCopyWork
from compute.core.work import ChunkWork, PrepareWork
from compute.destinations.base import TableTarget
from compute.tests.contract.changes import Values, chunk
from compute.tests.support.desk import Bench, row

BAD = "ALTER TABLE things ADD CONSTRAINT c CHECK (body <> 'bad') NOT VALID"


class Copy:
    """A copy of the table, chunk by chunk, on a desk."""

    def __init__(self, bench: Bench, target: TableTarget) -> None:
        self.bench = bench
        self.target = replace(target, copying=True)
        self.landed: list[int] = []
        self.failed: list[str] = []
        self.begin()

    def begin(self) -> None:
        PrepareWork(self.target, lambda _: None).run(self.bench.desk)

    def land(self, *rows: Values, snapshot: str = "1000:1000:") -> None:
        made = chunk(self.target, rows, snapshot)
        pending = PendingChunk(
            self.bench.queue.destination_id, made, self.landed.append, lambda error: self.failed.append(error.code)
        )
        ChunkWork(pending).run(self.bench.desk)

    def finish(self) -> None:
        ended = EndCopyWork(self.target.sync_id, None, lambda error: self.landed.append(0 if error else -1))
        ended.run(self.bench.desk)


def cure(bench: Bench) -> None:
    bench.sql("ALTER TABLE things DROP CONSTRAINT c")
    bench.due_now()
    bench.recover()


def test_f16_a_copied_row_that_is_refused_is_parked_and_what_follows_it_waits(bench: Bench) -> None:
    copy = Copy(bench, bench.serve())
    bench.sql(BAD)
    copy.land(("1", "n", "b"), ("2", "n", "bad"), ("3", "n", "b"))
    assert (copy.landed, copy.failed, bench.told.failed) == ([2], [], [])
    assert bench.states() == [("RECORD", "PARKED", 0)]
    assert bench.entries() == 1
    bench.write(200, row(110, 2, "second", "fine", "u"), row(111, 4))
    assert [key for key, *_ in bench.rows()] == [1, 3, 4]
    bench.restart()
    copy.begin()
    # After a crash the range is read again.
    copy.land(("1", "n", "b"), ("2", "second", "bad"), ("3", "n", "b"), ("4", "n", "b"))
    assert bench.states() == [("RECORD", "PARKED", 0)] * 2
    copy.finish()
    assert copy.landed == [2, 3, -1]
    bench.recover()
    assert bench.states() == [("RECORD", "PARKED", 1), ("RECORD", "PARKED", 0)]
    cure(bench)
    assert bench.open_rows() == 0
    assert bench.rows() == [(1, "n", "b"), (2, "second", "fine"), (3, "n", "b"), (4, "n", "b")]
    bench.write(300, row(210, 2, "third", "fine", "u"))
    assert bench.rows()[1] == (2, "third", "fine")


def test_a_row_that_a_resync_would_correct_is_corrected_when_it_is_recovered(bench: Bench) -> None:
    target = bench.serve()
    bench.write(100, row(10, 1, "old"), row(11, 2, "old"))
    copy = Copy(bench, target)
    bench.sql(BAD)
    copy.land(("1", "true", "bad"), ("2", "true", "b"))
    copy.finish()
    assert bench.rows() == [(1, "old", "b"), (2, "true", "b")]
    cure(bench)
    assert bench.rows() == [(1, "true", "bad"), (2, "true", "b")]
    assert bench.open_rows() == 0


def test_a_table_that_takes_nothing_fails_its_copy(bench: Bench) -> None:
    copy = Copy(bench, bench.serve())
    bench.sql("ALTER TABLE things DROP COLUMN body")
    copy.land(("1", "n", "b"))
    assert (bench.states(), len(copy.failed)) == ([], 1)
    assert bench.told.failed == [copy.target.sync_id]
