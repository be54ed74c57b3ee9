"""Temp staging tables: one per connection and shape of payload, emptied by the server at each commit."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from typing import Final

from compute.destinations.base import TableTarget
from compute.destinations.postgres.session import Session
from rosetta.dialects.postgres.merge_table import MergeTable, create_staging_sql, merge_table
from rosetta.dialects.postgres.target_facts import TargetTable, parse_target_table, target_table_sql
from rosetta.enums import DeleteMode
from rosetta.errors import DataError, SchemaMismatchError
from rosetta.identifiers import TableId

# The server empties every staging table of a session at each commit, so old shapes are given up.
MAX_STAGING_TABLES: Final = 48


class Staging:
    """Makes `MergeTable`s, each with a staging table that exists in the session. Call it outside a transaction."""

    def __init__(self, session: Session, copy_prefix: str) -> None:
        self._session = session
        self._copy_prefix = copy_prefix
        self._tables: OrderedDict[tuple[object, ...], MergeTable] = OrderedDict()
        self._taking_rows: set[str] = set()
        self._numbers = itertools.count(1)

    def clear(self) -> None:
        """Forgets everything: the session is new."""
        self._tables.clear()
        self._taking_rows.clear()

    def forget(self, target: TableId) -> None:
        """Drops the staging tables of a target whose shape may have changed."""
        for key in [key for key, table in self._tables.items() if table.target == target]:
            self._drop(key)

    def table(self, target: TableTarget, columns: tuple[str, ...], key: tuple[str, ...]) -> MergeTable:
        """The staged shape for `columns`. Raises DataError when the target does not exist or lacks one."""
        name = (target.sync_id, target.target, target.delete_mode, columns, key)
        found = self._tables.get(name)
        if found is not None:
            self._tables.move_to_end(name)
            return found
        made = self._describe(target, columns, key)
        self._session.run(create_staging_sql(made), f"staging for {target.target}")
        self._tables[name] = made
        return made

    def whole_table(self, target: TableTarget) -> MergeTable:
        """The staged shape for all columns of the target's schema."""
        return self.table(target, target.schema.column_names, target.schema.key)

    def takes_rows(self, table: MergeTable) -> bool:
        """Whether new rows may be copied right into the target, without a word about what their own columns hold."""
        return table.staging in self._taking_rows

    def trim(self) -> None:
        """Drops the staging tables that were not used for longest; what is made after it stays until the next."""
        while len(self._tables) > MAX_STAGING_TABLES:
            self._drop(next(iter(self._tables)))

    def copy_name(self, sync_id: int) -> str:
        """Suffix of a sync's side tables."""
        return f"{self._copy_prefix}_{sync_id}"

    def _describe(self, target: TableTarget, columns: tuple[str, ...], key: tuple[str, ...]) -> MergeTable:
        table = read_target(self._session, target.target)
        if table is None:
            raise DataError(f"{target.target} does not exist", code="TARGET_MISSING", remedy="Resync the table.")
        absent = [column for column in columns if column not in table.columns]
        if absent:
            raise SchemaMismatchError(
                f"{target.target} lacks the columns {', '.join(absent)}", remedy="Resync the table, or add them."
            )
        unindexed = [column for column in key if table.columns[column].order is None]
        if unindexed:
            raise SchemaMismatchError(
                f"{target.target} has no index on its key column {', '.join(unindexed)}",
                remedy="Index it.",
            )
        soft = target.delete_mode is DeleteMode.SOFT
        staging = f"pg_temp.rosetta_staging_{next(self._numbers)}"
        unsaid = [table.columns.get(name) for name in ("_rosetta_synced_at", *(["_rosetta_deleted"] if soft else []))]
        if table.is_plain and all(column is not None and column.has_default for column in unsaid):
            self._taking_rows.add(staging)
        return merge_table(table, columns, key, staging, self.copy_name(target.sync_id), soft=soft)

    def _drop(self, name: tuple[object, ...]) -> None:
        table = self._tables.pop(name)
        self._taking_rows.discard(table.staging)
        self._session.run(f"DROP TABLE IF EXISTS {table.staging}", "dropping a staging table")


def read_target(session: Session, table: TableId) -> TargetTable | None:
    """The table as the target's catalog has it, None when there is none."""
    rows = session.rows(target_table_sql(table), f"reading the shape of {table}")
    return parse_target_table(table, rows[0][0]) if rows else None
