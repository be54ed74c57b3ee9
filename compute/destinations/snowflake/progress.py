"""The progress row of one pipeline at one account: position, fence and clock in one."""

from __future__ import annotations

import time
from dataclasses import dataclass

from compute.core import failpoints
from compute.destinations.progress import FencedProgress
from compute.destinations.snowflake.session import Session
from rosetta.dialects.snowflake import tables
from rosetta.lsn import Lsn, StreamPosition


@dataclass
class Progress(FencedProgress):
    """As of Snowflake.

    It reads without locks, so the fence is checked by the last statement of a transaction: it updates the row of
    our epoch, or none. `stamp` is the time that a transaction's rows bear, microseconds since 1970; it always grows.
    `position` is as of the last transaction.
    """

    session: Session
    stamp: int = 0
    position: StreamPosition | None = None

    def take_fence(self, epoch: int) -> None:
        self.epoch = epoch
        doing = "taking the fence"
        self.session.run(tables.take_fence_sql(self.pipeline_id, self.destination_id, epoch), doing)
        self.position = self._read(doing)

    def begin(self) -> StreamPosition | None:
        self.session.run("BEGIN", "reading progress")
        with self.session.undone_on_error():
            return self._read("reading progress")

    def commit(self, position: StreamPosition | None) -> None:
        place = None
        if position is not None:
            place = (str(position.commit_lsn), str(position.change_lsn), position.ordinal)
        owner = self.pipeline_id, self.destination_id, self.epoch
        failpoints.hit("before_commit")
        if self.session.run(tables.write_progress_sql(owner, self.stamp, place), "committing") != 1:
            self.session.rollback()
            raise self.fenced()
        self.session.run("COMMIT", "committing")
        self.position = position if position is not None else self.position

    def known(self) -> StreamPosition | None:
        """As of the last transaction; no query."""
        self.session.check()
        return self.position

    def _read(self, doing: str) -> StreamPosition | None:
        rows = self.session.rows(tables.progress_sql(self.pipeline_id, self.destination_id), doing)
        if len(rows) != 1 or int(rows[0][0]) != self.epoch:
            raise self.fenced()
        _, commit_lsn, change_lsn, ordinal, stamp = rows[0]
        self.stamp = max(time.time_ns() // 1_000, int(stamp) + 1)
        if commit_lsn is None:
            return None
        return StreamPosition(Lsn.parse(commit_lsn), Lsn.parse(change_lsn), int(ordinal))
