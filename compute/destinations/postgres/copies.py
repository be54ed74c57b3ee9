"""Copies beside the stream: their side tables, and the merge of their chunks."""

from __future__ import annotations

from compute.destinations.base import RangeCheck, Refusals, RowChunk, TableTarget
from compute.destinations.copies import KEYS_AT_ONCE, TargetCopies, copy_not_started
from compute.destinations.postgres.chunk_rescue import ChunkRescue
from compute.destinations.postgres.progress import Progress
from compute.destinations.postgres.refusals import is_about_table
from compute.destinations.postgres.session import Session
from compute.destinations.postgres.staging import Staging
from compute.destinations.postgres.straight import Straight
from compute.destinations.postgres.writers import release_held, writer_for
from rosetta.dialects.postgres import chunk_merge, ddl, range_check
from rosetta.dialects.postgres.merge_table import (
    MergeTable,
    copy_open_sql,
    copy_rows_sql,
    drop_copy_sql,
    start_copy_sql,
)
from rosetta.enums import SyncMode
from rosetta.errors import DataError


class Copies(TargetCopies):
    """In PostgreSQL."""

    def __init__(self, session: Session, progress: Progress, staging: Staging) -> None:
        self._session = session
        self._progress = progress
        self._staging = staging
        self._straight = Straight(session)

    def start(self, target: TableTarget) -> None:
        if target.mode is not SyncMode.CURRENT:
            return
        doing, table = f"starting the copy of {target.target}", self._staging.whole_table(target)
        mark = ddl.mark_copy_sql(target.target, self._progress.pipeline_id, self._progress.destination_id)
        with self._session.transaction(doing):
            self._session.run(f"{ddl.DDL_LOCK}; {start_copy_sql(table)}; {mark}", doing)

    def write_rows(self, chunk: RowChunk, refused: Refusals | None) -> int:
        try:
            return self._write_rows(chunk)
        except DataError as error:
            keyed = chunk.target.mode is SyncMode.CURRENT and chunk.target.schema.key
            if refused is None or not keyed or is_about_table(error):
                raise
        return ChunkRescue(self._session, self._progress, self._staging, chunk).merge(refused)

    def _write_rows(self, chunk: RowChunk) -> int:
        target = chunk.target
        table = self._staging.table(target, chunk.columns, target.schema.key)
        if target.mode is SyncMode.CURRENT and not self._has_side_tables(table):
            raise copy_not_started(target)
        doing = f"copying into {target.target}"
        with self._progress.transaction():
            written = self._straight.copy(table, chunk, doing) if self._staging.takes_rows(table) else None
            if written is not None:
                return written
            self._session.copy(copy_rows_sql(table), chunk.data, doing)
            return writer_for(target).rows(self._session, table, chunk)

    def matches(self, check: RangeCheck) -> bool:
        target = check.target
        table = self._staging.table(target, check.columns, target.schema.key)
        if target.mode is not SyncMode.CURRENT or not table.key or not self._has_side_tables(table):
            return False
        doing, (lower, upper) = f"comparing {target.target}", (check.lower, check.upper)
        sql = range_check.range_at_target_sql(
            table, lower, upper, snapshot=check.snapshot, lsn=check.position, rows=check.row_count
        )
        with self._progress.transaction():
            ((count, checksum, newer, whole),) = self._session.rows(sql, doing)
            same = bool(whole) and (count, checksum, newer) == (check.row_count, check.checksum, 0)
            if same:
                self._session.run(range_check.forget_notes_sql(table, lower, upper, check.snapshot), doing)
        return same

    def _unfilled(self, target: TableTarget) -> list[tuple[str, ...]]:
        sql = chunk_merge.unfilled_keys_sql(self._staging.whole_table(target), KEYS_AT_ONCE)
        return [tuple(row) for row in self._session.rows(sql, f"reading the notes of {target.target}")]

    def _unconfirmed(self, target: TableTarget, after: tuple[str, ...] | None) -> list[tuple[str, ...]]:
        sql = chunk_merge.unconfirmed_keys_sql(self._staging.whole_table(target), after, KEYS_AT_ONCE)
        return [tuple(row) for row in self._session.rows(sql, f"looking for surplus rows of {target.target}")]

    def _end(self, target: TableTarget) -> None:
        table = self._staging.whole_table(target)
        with self._progress.transaction():
            if not table.key:
                release_held(self._session, table)
            self._session.run(drop_copy_sql(table.copy_name), f"finishing the copy of {target.target}")

    def _is_open(self, target: TableTarget) -> bool:
        return self._has_side_tables(self._staging.whole_table(target))

    def _has_side_tables(self, table: MergeTable) -> bool:
        return bool(self._session.rows(copy_open_sql(table), f"looking for a copy of {table.target}")[0][0])
