"""Merging what can be merged of a chunk that was refused whole: its rows are applied as changes, see `Rescue`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from compute.destinations.base import Refusal, Refusals, RefusedRecord, RowChunk, WriteBatch
from compute.destinations.chunk_rows import ChunkRow, as_changes, refused_row, refused_rows, rows_of
from compute.destinations.postgres.progress import Progress
from compute.destinations.postgres.rescue import Rescue
from compute.destinations.postgres.session import Session
from compute.destinations.postgres.staging import Staging
from compute.destinations.postgres.sync_work import SyncWork
from compute.destinations.postgres.writers import delete_absent
from compute.destinations.sift import sift
from rosetta.dialects.postgres import chunk_merge
from rosetta.dialects.postgres.merge_table import copy_keys_sql, copy_rows_sql
from rosetta.errors import DataError

# A deferred constraint would not say which row it is about.
_CHECK_NOW: Final = "SET CONSTRAINTS ALL IMMEDIATE"


class ChunkRescue:
    """One chunk of a table with a key, in one transaction."""

    def __init__(self, session: Session, progress: Progress, staging: Staging, chunk: RowChunk) -> None:
        self._session = session
        self._progress = progress
        self._staging = staging
        self._chunk = chunk
        self._table = staging.table(chunk.target, chunk.columns, chunk.target.schema.key)
        self._doing = f"merging a chunk of {chunk.target.target}"
        self._rows = rows_of(chunk)
        self._refused: list[RefusedRecord] = []

    def merge(self, refused: Refusals) -> int:
        """Returns the rows written. `refused` is called before the commit, as by `Destination.write_changes`.

        Raises DataError where the table refuses whatever comes, or where rows that are to go, or to be filled up,
        cannot.
        """
        with self._progress.transaction():
            self._session.run(_CHECK_NOW, self._doing)
            written = self._merge()
            if self._refused:
                refused(Refusal(records=tuple(self._refused)))
        return written

    def _merge(self) -> int:
        self._stage_keys()
        places = self._session.rows(chunk_merge.places_sql(self._table, self._chunk.snapshot), self._doing)
        delete_absent(self._session, self._table, self._chunk)
        self._fill_newer(self._rows[number] for number, free, noted, _, _ in places if noted and not free)
        rows = [replace(self._rows[number], present=(lsn, seq)) for number, free, _, lsn, seq in places if free]
        rescue = Rescue(self._session, self._staging, WriteBatch(None))
        rescue.run([SyncWork(self._chunk.target, None, changes=[as_changes(self._chunk, rows)])])
        for error in rescue.tables.values():
            raise error
        self._refused += refused_rows(self._chunk, rows, rescue.records)
        self._forget_notes(number for number, free, noted, _, _ in places if noted and free)
        return rescue.rows

    def _stage_keys(self) -> None:
        """Stages the keys alone, numbered. A row whose very key the target cannot hold is refused."""

        def attempt(first: int, end: int) -> DataError | None:
            return self._tried(lambda: self._copy_keys(range(first, end)))

        for number, error in sift(len(self._rows), attempt).items():
            self._refused.append(refused_row(self._chunk, self._rows[number], error))

    def _copy_keys(self, numbers: Iterable[int]) -> None:
        data = b"".join(b"%d\t%b\n" % (number, b"\t".join(self._rows[number].key)) for number in numbers)
        self._session.copy(copy_keys_sql(self._table), data, self._doing)

    def _fill_newer(self, rows: Iterable[ChunkRow]) -> None:
        """Gives rows that the chunk did not see the values that their changes left out."""
        data = b"".join(b"%b\n" % row.raw for row in rows)
        self._clear()
        if data:
            self._session.copy(copy_rows_sql(self._table), data, self._doing)
            self._session.run(chunk_merge.fill_from_rows_sql(self._table, self._chunk.snapshot), self._doing)
            self._clear()

    def _forget_notes(self, numbers: Iterable[int]) -> None:
        """What is parked has all values: the copy need not look for them."""
        self._clear()
        self._copy_keys(numbers)
        self._session.run(chunk_merge.forget_notes_sql(self._table), self._doing)

    def _clear(self) -> None:
        self._session.run(f"DELETE FROM {self._table.staging}", self._doing)

    def _tried(self, act: Callable[[], None]) -> DataError | None:
        self._session.run("SAVEPOINT chunk", self._doing)
        try:
            act()
        except DataError as error:
            self._session.run("ROLLBACK TO SAVEPOINT chunk; RELEASE SAVEPOINT chunk", self._doing)
            return error
        self._session.run("RELEASE SAVEPOINT chunk", self._doing)
        return None
