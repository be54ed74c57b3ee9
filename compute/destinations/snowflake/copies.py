"""Copies beside the stream: their side tables, and the merge of their chunks."""

from __future__ import annotations

from compute.destinations.base import RangeCheck, Refusal, Refusals, RowChunk, TableTarget
from compute.destinations.chunk_rows import ChunkRow, refused_row, rows_of
from compute.destinations.copies import KEYS_AT_ONCE, TargetCopies, copy_not_started
from compute.destinations.snowflake.payload import write_rows
from compute.destinations.snowflake.progress import Progress
from compute.destinations.snowflake.session import Session
from compute.destinations.snowflake.staging import StagedFile, Staging
from rosetta.dialects.snowflake import chunk_merge, history, merge, tables
from rosetta.dialects.snowflake.merge_table import MergeTable
from rosetta.enums import SyncMode
from rosetta.errors import ConfigurationError, DataError


class Copies(TargetCopies):
    """In Snowflake."""

    def __init__(self, session: Session, progress: Progress, staging: Staging) -> None:
        self._session = session
        self._progress = progress
        self._staging = staging
        self._since: dict[int, int] = {}

    def start(self, target: TableTarget) -> None:
        if target.mode is not SyncMode.CURRENT:
            return
        table, doing = self._table(target), f"starting the copy of {target.target}"
        for sql in chunk_merge.create_copy_sql(table):
            self._session.run(sql, doing)
        with self._progress.transaction():
            since = self._progress.stamp
            self._session.run(tables.mark_copy_sql(table.target, since=since), doing)
        self._since[target.sync_id] = since

    def since(self, target: TableTarget) -> int:
        """When the open copy began, as a stamp. Raises ConfigurationError where none is open."""
        known = self._since.get(target.sync_id)
        if known is not None:
            return known
        rows = self._session.rows(tables.copy_state_sql(self._table(target).target), f"looking for {target.target}")
        if not rows or not rows[0][0]:
            raise copy_not_started(target)
        return self._since.setdefault(target.sync_id, int(rows[0][1]))

    def write_rows(self, chunk: RowChunk, refused: Refusals | None) -> int:
        target = chunk.target
        table = self._staging.table(target, chunk.columns)
        keyed = target.mode is SyncMode.CURRENT
        if keyed:
            self.since(target)
        file = self._staging.put(target, lambda path: write_rows(chunk, table, path))
        if not file.sent.unheld_keys:
            try:
                return self._merged(chunk, table, file, None)
            except DataError:
                if refused is None or not keyed:
                    raise
        return self._merged(chunk, table, file, refused)

    def _merged(self, chunk: RowChunk, table: MergeTable, file: StagedFile, refused: Refusals | None) -> int:
        """Merges the chunk in one transaction; with `refused` what fits of it."""
        doing = f"copying into {chunk.target.target}"
        with self._progress.transaction():
            left_out: set[int] = set()
            if file.sent.rows:
                self._staging.load(file, table, doing)
            if refused is not None:
                left_out = self._leave_out(chunk, table, file, refused, doing)
            if chunk.target.mode is SyncMode.APPEND:
                written = self._append(chunk, table, doing)
            else:
                written = self._merge(chunk, table, left_out, doing)
            self._staging.clear(table, doing)
        self._staging.remove(file)
        return written

    def _append(self, chunk: RowChunk, table: MergeTable, doing: str) -> int:
        former, rows = history.append_rows_sql(
            table, self._progress.stamp, chunk.numbered_behind, complete=chunk.complete
        )
        self._session.run(former, doing)
        return self._session.run(rows, doing)

    def _merge(self, chunk: RowChunk, table: MergeTable, left_out: set[int], doing: str) -> int:
        run, stamp = self._session.run, self._progress.stamp
        if chunk.complete:
            if chunk.keys is not None:
                scope = chunk_merge.one_of(table, chunk.keys) if chunk.keys else "FALSE"
            else:
                scope = chunk_merge.key_range(table, chunk.lower, chunk.upper)
            for sql in chunk_merge.delete_absent_sql(table, scope, chunk.snapshot, stamp):
                run(sql, doing)
        if left_out:  # they were not absent, and are not written either
            run(merge.drop_lines_sql(table, sorted(left_out)), doing)
        written = run(chunk_merge.upsert_rows_sql(table, chunk.snapshot, stamp), doing)
        for sql in chunk_merge.fill_from_rows_sql(table, chunk.snapshot):
            run(sql, doing)
        return written

    def _leave_out(
        self, chunk: RowChunk, table: MergeTable, file: StagedFile, refused: Refusals, doing: str
    ) -> set[int]:
        """Tells of the rows that do not fit, those that would count; returns their numbers."""
        unfit = {int(number) for (number,) in self._session.rows(merge.unfit_sql(table), doing)}
        unfit |= set(file.sent.unheld_keys)
        if not unfit:
            return unfit
        error = DataError(f"{doing}: Snowflake refuses a value", code="VALUE_UNFIT")
        rows, records, told = rows_of(chunk), [], []
        places = self._session.rows(chunk_merge.places_sql(table, chunk.snapshot), doing)
        for number, counts, lsn, seq in places:
            if int(number) in unfit and counts:
                row = rows[int(number)]
                told.append(int(number))
                records.append(refused_row(chunk, ChunkRow(row.raw, row.key, (int(lsn), int(seq))), error))
        if records:
            refused(Refusal(records=tuple(records)))
            self._session.run(chunk_merge.forget_notes_sql(table, told), doing)
        return unfit

    def matches(self, _check: RangeCheck, /) -> bool:
        """Snowflake cannot compute the source's hashes, so that it cannot tell."""
        return False

    def _unfilled(self, target: TableTarget) -> list[tuple[str, ...]]:
        sql = chunk_merge.unfilled_keys_sql(self._table(target), KEYS_AT_ONCE)
        return self._session.rows(sql, f"reading the notes of {target.target}")

    def _unconfirmed(self, target: TableTarget, after: tuple[str, ...] | None) -> list[tuple[str, ...]]:
        sql = chunk_merge.unconfirmed_keys_sql(self._table(target), after, self.since(target), KEYS_AT_ONCE)
        return self._session.rows(sql, f"looking for surplus rows of {target.target}")

    def _end(self, target: TableTarget) -> None:
        table, doing = self._table(target), f"finishing the copy of {target.target}"
        with self._progress.transaction():
            self._session.run(tables.mark_copy_sql(table.target, since=None), doing)
        self._since.pop(target.sync_id, None)
        for sql in chunk_merge.drop_copy_sql(table):
            self._session.run(sql, doing)

    def _is_open(self, target: TableTarget) -> bool:
        try:
            self.since(target)
        except ConfigurationError:
            return False
        return True

    def _table(self, target: TableTarget) -> MergeTable:
        return self._staging.described(target, target.schema.column_names)
