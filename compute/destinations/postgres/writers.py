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
    """The statements of one way to keep a table. Staged changes are folded, filled, then applied."""

    def fold(self, session: Session, table: MergeTable, /) -> None:
        """Leaves the newest staged change of each key, where older ones do not count."""

    def fill(self, session: Session, table: MergeTable, changes: TableChanges, copying: bool, /) -> int:
        """Fills values that staged changes left out; returns how many changes remain without one."""

    def apply_sql(self, table: MergeTable, changes: TableChanges, copying: bool, /) -> str:
        """What applies the staged changes, in one piece."""

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
    def fold(self, session: Session, table: MergeTable, /) -> None:
        session.run(merge.keep_newest_sql(table), f"writing {table.target}")

    def fill(self, session: Session, table: MergeTable, changes: TableChanges, copying: bool, /) -> int:
        if not changes.has_unchanged:
            return 0
        sql = merge.fill_sql(table, moved=changes.has_moved, copying=copying)
        return int(session.rows(sql, f"writing {table.target}")[0][0])

    def apply_sql(self, table: MergeTable, changes: TableChanges, copying: bool, /) -> str:
        statements = [merge.delete_sql(table, copying=copying)] if changes.has_deletes else []
        statements.append(merge.upsert_sql(table, has_deletes=changes.has_deletes))
        if copying:
            statements.append(merge.note_unfilled_sql(table))
        return ";\n".join(statements)

    def rows(self, session: Session, table: MergeTable, chunk: RowChunk, /) -> int:
        doing = f"merging a chunk of {table.target}"
        delete_absent(session, table, chunk)
        written = session.run(chunk_merge.upsert_rows_sql(table, chunk.snapshot), doing)
        session.run(chunk_merge.fill_from_rows_sql(table, chunk.snapshot), doing)
        return written

    def truncate(self, session: Session, table: MergeTable, _end: StreamPosition, copying: bool, /) -> None:
        session.run(merge.truncate_sql(table, copying=copying), f"truncating {table.target}")


def delete_absent(session: Session, table: MergeTable, chunk: RowChunk) -> None:
    """Deletes rows that a complete chunk, of which all keys are staged, does not have."""
    if chunk.complete:
        in_range = chunk_merge.key_range(table, chunk.lower, chunk.upper)
        scope = in_range if chunk.keys is None else chunk_merge.one_of(table, chunk.keys)
        sql = chunk_merge.delete_absent_sql(table, scope, chunk.snapshot)
        session.run(sql, f"merging a chunk of {table.target}")


class MultisetWriter:
    def fold(self, session: Session, table: MergeTable, /) -> None:
        """Every change counts."""

    def fill(self, session: Session, table: MergeTable, changes: TableChanges, _copying: bool, /) -> int:
        if not changes.has_unchanged:
            return 0
        return int(session.rows(multiset.fill_pairs_sql(table), f"writing {table.target}")[0][0])

    def apply_sql(self, table: MergeTable, changes: TableChanges, copying: bool, /) -> str:
        if copying:
            return multiset.hold_sql(table)
        return _net_sql(table, table.staging) if changes.has_deletes else multiset.insert_all_sql(table)

    def rows(self, session: Session, table: MergeTable, chunk: RowChunk, /) -> int:
        written = session.run(multiset.replace_rows_sql(table, chunk.snapshot), f"copying {table.target}")
        release_held(session, table)
        return written

    def truncate(self, session: Session, table: MergeTable, _end: StreamPosition, copying: bool, /) -> None:
        session.run(merge.truncate_sql(table, copying=copying), f"truncating {table.target}")


def release_held(session: Session, table: MergeTable) -> None:
    """Applies the changes that were held back, and forgets them."""
    session.run(_net_sql(table, table.held), f"writing {table.target}")
    session.run(multiset.forget_held_sql(table), f"forgetting held changes of {table.target}")


def _net_sql(table: MergeTable, source: str) -> str:
    # Rows to insert are counted from `source` alone, so the two statements do not see each other's work.
    return f"{multiset.delete_surplus_sql(table, source)};\n{multiset.insert_surplus_sql(table, source)}"


class HistoryWriter:
    def fold(self, session: Session, table: MergeTable, /) -> None:
        """Every change is kept."""

    def fill(self, _session: Session, _table: MergeTable, _changes: TableChanges, _copying: bool, /) -> int:
        """A value that was not sent stays NULL, and its column is named."""
        return 0

    def apply_sql(self, table: MergeTable, _changes: TableChanges, _copying: bool, /) -> str:
        return history.append_sql(table)

    def rows(self, session: Session, table: MergeTable, chunk: RowChunk, /) -> int:
        sql = history.append_rows_sql(table, chunk.numbered_behind, complete=chunk.complete)
        return session.run(sql, f"appending a chunk to {table.target}")

    def truncate(self, session: Session, table: MergeTable, end: StreamPosition, _copying: bool, /) -> None:
        lsn = end.commit_lsn if end.at_boundary else end.change_lsn
        session.run(history.append_truncate_sql(table, str(int(lsn))), f"appending to {table.target}")


def row_missing(table: MergeTable) -> DataError:
    """An update came without all of its values, and the row that has them is not there."""
    return DataError(
        f"{table.target} lacks rows that the source updated without sending all of their values",
        code="ROW_MISSING",
        remedy="Resync the table: rows were removed from it, or never copied.",
    )
