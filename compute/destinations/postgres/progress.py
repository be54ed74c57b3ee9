"""The progress row of one pipeline at one destination: position and fence in one."""

from __future__ import annotations

from dataclasses import dataclass

from compute.core import failpoints
from compute.destinations.postgres.session import Session
from compute.destinations.progress import FencedProgress
from rosetta.dialects.postgres import ddl
from rosetta.errors import OutageError
from rosetta.lsn import Lsn, StreamPosition


@dataclass
class Progress(FencedProgress):
    """As of PostgreSQL.

    `begin` holds the row until the transaction ends, so a newer writer takes the fence either before it (and
    this one is refused) or after its commit, never in between.

    `known` is the position that was last seen or committed; another may be true by now.
    """

    session: Session
    known: StreamPosition | None = None

    def take_fence(self, epoch: int) -> None:
        self.epoch, self.known = epoch, None
        try:
            taken = self._take(epoch)
        except OutageError as error:
            if error.code != "PG_55P03":
                raise
            # An earlier writer of this stream hangs in a transaction: the fence allows to end it, never a newer one.
            self._refuse_older(epoch)
            self.session.run(ddl.end_former_writers_sql(self.session.application), "ending an earlier writer")
            taken = self._take(epoch)
        if not taken:
            raise self.fenced()
        self.session.run(ddl.prepare_claim_sql(self.pipeline_id, self.destination_id, epoch), "taking the fence")

    def _take(self, epoch: int) -> bool:
        sql = ddl.fence_sql(self.pipeline_id, self.destination_id, epoch)
        # One text is one transaction: the short wait ends with it.
        return bool(self.session.rows(f"SET LOCAL lock_timeout = '3s'; {sql}", "taking the fence"))

    def _refuse_older(self, epoch: int) -> None:
        rows = self._read(lock=False)
        if rows and rows[0][0] > epoch:
            raise self.fenced()

    def begin(self) -> StreamPosition | None:
        sql = ddl.read_progress_sql(self.pipeline_id, self.destination_id, lock=True)
        rows = self.session.rows(f"BEGIN; {sql}", "reading progress")
        if not rows or rows[0][0] != self.epoch:
            self.session.rollback()
            raise self.fenced()
        self.known = _position(rows[0])
        return self.known

    def claim_sql(self, known: StreamPosition, position: StreamPosition) -> str:
        """Opens a transaction and moves the position; an error unless it was `known`, and the fence ours.

        As `begin`, it holds the row until the transaction ends.
        """
        return ddl.claim_progress_sql(_place(known), _place(position))

    def move_sql(self, position: StreamPosition) -> str:
        """What `commit` does."""
        return f"{ddl.write_progress_sql(self.pipeline_id, self.destination_id, _place(position))}; COMMIT"

    def commit(self, position: StreamPosition | None) -> None:
        failpoints.hit("before_commit")
        if position is None:
            sql = ddl.touch_progress_sql(self.pipeline_id, self.destination_id)
            self.session.run(f"{sql}; COMMIT", "committing")
        else:
            self.session.run(self.move_sql(position), "committing")
            self.known = position

    def read(self) -> StreamPosition | None:
        rows = self._read(lock=False)
        return _position(rows[0]) if rows else None

    def _read(self, *, lock: bool) -> list[tuple[int, str | None, str | None, int | None]]:
        sql = ddl.read_progress_sql(self.pipeline_id, self.destination_id, lock=lock)
        return self.session.rows(sql, "reading progress")


def _place(position: StreamPosition) -> tuple[str, str, int]:
    return str(position.commit_lsn), str(position.change_lsn), position.ordinal


def _position(row: tuple[object, ...]) -> StreamPosition | None:
    _, commit_lsn, change_lsn, ordinal = row
    if commit_lsn is None:
        return None
    return StreamPosition(Lsn.parse(str(commit_lsn)), Lsn.parse(str(change_lsn)), int(str(ordinal)))
