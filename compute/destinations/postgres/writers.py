"""How changes and chunks of one table are applied: by key, as a multiset, or as history.

Each function runs inside the caller's transaction, on a staging table that the caller has filled.
"""

from __future__ import annotations

from typing import Protocol

from compute.core.batch import TableChanges
from compute.destinations.base import RowChunk, TableTarget
from compute.destinations.postgres.session import Session
from rosetta.dialects.postgres import chunk_merge, history, merge, multiset
from rosetta.dialects.postgres.merge_table import MergeTable
from rosetta.enums import SyncMode
from rosetta.errors import DataError
from rosetta.lsn import StreamPosition


class TableWriter(Protocol):
    """The statements of one way to keep a table."""

    def changes(self, session: Session, table: MergeTable, changes: TableChanges, copying: bool, /) -> None:
        """Applies the staged changes."""

    def rows(self, session: Session, table: MergeTable, chunk: RowChunk, /) -> int:
        """Merges the staged rows of a chunk; returns the rows written."""

    def truncate(self, session: Session, table: MergeTable, end: StreamPosition, copying: bool, /) -> None:
        """Empties the table; `end` is where the batch ends."""


def writer_for(target: TableTarget) -> TableWriter:
    """The way `target` is kept."""
    if target.mode is SyncMode.APPEND:
        return HistoryWriter()
    return KeyedWriter() if target.schema.key else MultisetWriter()


class KeyedWriter:
    def changes(self, session: Session, table: MergeTable, changes: TableChanges, copying: bool, /) -> None:
        doing = f"writing {table.target}"
        if not changes.folded:
            session.run(merge.keep_newest_sql(table), doing)
        if changes.has_unchanged:
            sql = merge.fill_sql(table, moved=changes.has_moved, copying=copying)
            if session.rows(sql, doing)[0][0]:
                raise _row_missing(table)
        statements = [merge.delete_sql(table, copying=copying)] if changes.has_deletes else []
        statements.append(merge.upsert_sql(table, has_deletes=changes.has_deletes))
        if copying:
            statements.append(merge.note_unfilled_sql(table))
        session.run(";\n".join(statements), doing)

    def rows(self, session: Session, table: MergeTable, chunk: RowChunk, /) -> int:
        doing = f"merging a chunk of {table.target}"
        if chunk.complete:
            session.run(chunk_merge.delete_absent_sql(table, chunk.lower, chunk.upper, chunk.snapshot), doing)
        written = session.run(chunk_merge.upsert_rows_sql(table, chunk.snapshot), doing)
        session.run(chunk_merge.fill_from_rows_sql(table, chunk.snapshot), doing)
        return written

    def truncate(self, session: Session, table: MergeTable, _end: StreamPosition, copying: bool, /) -> None:
        session.run(merge.truncate_sql(table, copying=copying), f"truncating {table.target}")


class MultisetWriter:
    def changes(self, session: Session, table: MergeTable, changes: TableChanges, copying: bool, /) -> None:
        doing = f"writing {table.target}"
        if changes.has_unchanged and session.rows(multiset.fill_pairs_sql(table), doing)[0][0]:
            raise _row_missing(table)
        if copying:
            session.run(multiset.hold_sql(table), doing)
        elif changes.has_deletes:
            _apply_net(session, table, table.staging)
        else:
            session.run(multiset.insert_all_sql(table), doing)

    def rows(self, session: Session, table: MergeTable, chunk: RowChunk, /) -> int:
        written = session.run(multiset.replace_rows_sql(table, chunk.snapshot), f"copying {table.target}")
        release_held(session, table)
        return written

    def truncate(self, session: Session, table: MergeTable, _end: StreamPosition, copying: bool, /) -> None:
        session.run(merge.truncate_sql(table, copying=copying), f"truncating {table.target}")


def release_held(session: Session, table: MergeTable) -> None:
    """Applies the changes that were held back, and forgets them."""
    _apply_net(session, table, table.held)
    session.run(multiset.forget_held_sql(table), f"forgetting held changes of {table.target}")


def _apply_net(session: Session, table: MergeTable, source: str) -> None:
    # Rows to insert are counted from `source` alone, so the two statements do not see each other's work.
    session.run(
        f"{multiset.delete_surplus_sql(table, source)};\n{multiset.insert_surplus_sql(table, source)}",
        f"writing {table.target}",
    )


class HistoryWriter:
    def changes(self, session: Session, table: MergeTable, _changes: TableChanges, _copying: bool, /) -> None:
        session.run(history.append_sql(table), f"appending to {table.target}")

    def rows(self, session: Session, table: MergeTable, _chunk: RowChunk, /) -> int:
        return session.run(history.append_rows_sql(table), f"appending a chunk to {table.target}")

    def truncate(self, session: Session, table: MergeTable, end: StreamPosition, _copying: bool, /) -> None:
        lsn = end.commit_lsn if end.at_boundary else end.change_lsn
        session.run(history.append_truncate_sql(table, str(int(lsn))), f"appending to {table.target}")


def _row_missing(table: MergeTable) -> DataError:
    return DataError(
        f"{table.target} lacks rows that the source updated without sending all of their values",
        code="ROW_MISSING",
        remedy="Resync the table: rows were removed from it, or never copied.",
    )
