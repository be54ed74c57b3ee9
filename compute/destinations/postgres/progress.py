"""The progress row of one pipeline at one destination: position and fence in one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from compute.core import failpoints
from compute.destinations.postgres.session import Session
from rosetta.dialects.postgres import ddl
from rosetta.errors import FencedError, OutageError
from rosetta.lsn import Lsn, StreamPosition


@dataclass
class Progress:
    """Reads and moves the position; every transaction that writes begins with `begin`.

    `begin` holds the row until the transaction ends, so a newer writer takes the fence either before it (and
    this one is refused) or after its commit, never in between.

    `known` is the position that was last seen or committed; another may be true by now.
    """

    session: Session
    pipeline_id: int
    destination_id: int
    epoch: int = -1
    known: StreamPosition | None = None

    def take_fence(self, epoch: int) -> None:
        """Refuses every writer with a smaller epoch from now on. Raises FencedError when this one is smaller."""
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
            raise self._fenced()

    def _take(self, epoch: int) -> bool:
        sql = ddl.fence_sql(self.pipeline_id, self.destination_id, epoch)
        # One text is one transaction: the short wait ends with it.
        return bool(self.session.rows(f"SET LOCAL lock_timeout = '3s'; {sql}", "taking the fence"))

    def _refuse_older(self, epoch: int) -> None:
        rows = self._read(lock=False)
        if rows and rows[0][0] > epoch:
            raise self._fenced()

    def begin(self) -> StreamPosition | None:
        """Opens a transaction; returns the durable position. Raises FencedError when a newer writer was here."""
        sql = ddl.read_progress_sql(self.pipeline_id, self.destination_id, lock=True)
        rows = self.session.rows(f"BEGIN; {sql}", "reading progress")
        if not rows or rows[0][0] != self.epoch:
            self.session.rollback()
            raise self._fenced()
        self.known = _position(rows[0])
        return self.known

    def hold_sql(self, position: StreamPosition) -> str:
        """What `begin` does, for whoever cannot look at its answer: an error unless epoch and position are these."""
        return ddl.hold_progress_sql(self.pipeline_id, self.destination_id, self.epoch, _place(position))

    def move_sql(self, position: StreamPosition) -> str:
        """What `commit` does."""
        return f"{ddl.write_progress_sql(self.pipeline_id, self.destination_id, _place(position))}; COMMIT"

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits what runs inside and leaves the position; rolls back when it raises. Raises as `begin` does."""
        self.begin()
        with self.session.undone_on_error():
            yield
            self.commit(None)

    def commit(self, position: StreamPosition | None) -> None:
        """Commits, and with it the position. An error here may hide a commit: the next `begin` tells."""
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

    def _fenced(self) -> FencedError:
        return FencedError(
            f"another writer has taken over pipeline {self.pipeline_id} at destination {self.destination_id} "
            f"since epoch {self.epoch}"
        )


def _place(position: StreamPosition) -> tuple[str, str, int]:
    return str(position.commit_lsn), str(position.change_lsn), position.ordinal


def _position(row: tuple[object, ...]) -> StreamPosition | None:
    _, commit_lsn, change_lsn, ordinal = row
    if commit_lsn is None:
        return None
    return StreamPosition(Lsn.parse(str(commit_lsn)), Lsn.parse(str(change_lsn)), int(str(ordinal)))
