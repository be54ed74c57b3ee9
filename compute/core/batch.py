r"""What travels from an engine to the destinations: changes as bytes, never as Python objects per row.

A payload is PostgreSQL COPY text (UTF-8, tab-separated, `\N` for NULL, backslash escapes), one line per
change. Each line starts with the columns of `META_COLUMNS`, followed by the table's own columns in the
text form of their source type, so a typed target column receives exactly what the source printed.

An unchanged TOAST value is that of the target's row as it was before the batch, also where the batch keeps every
change: the engine fills in what an earlier change of the same batch said. Both halves of a key change are in one batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rosetta.identifiers import TableId
from rosetta.lsn import StreamPosition

# Name and PostgreSQL type of the columns that lead every line.
META_COLUMNS: Final[Mapping[str, str]] = {
    "_op": '"char"',  # 'c' the row is new with this batch, 'u' it may exist, 'd' it is gone (only key columns set)
    "_lsn": "bigint",  # LSN of the change; per key it never falls
    "_seq": "bigint",  # ordinal among changes that share the LSN; (_lsn, _seq) is the change's id
    "_xid": "bigint",  # source transaction, widened to 64 bits by its epoch
    "_ts": "bigint",  # commit time at the source, microseconds since 1970 (UTC)
    "_unchanged": "bit varying",  # NULL, or one bit per table column: 1 = unchanged TOAST, the value was not sent
    "_from": "text[]",  # NULL, or the key of the target row this row was before its key changed
}


@dataclass(frozen=True, slots=True)
class TableSpec:
    """What an engine must know of a table to batch its changes.

    Attributes:
        key: columns that identify a row; empty: every change is kept, deletes carry the whole old row and an
            update is a delete followed by a create.
        fold: keep only the newest change per key of a batch (values that a later change left out as
            unchanged TOAST are carried forward). Off while any sync of the table appends.
    """

    table: TableId
    key: tuple[str, ...]
    fold: bool = True


@dataclass(frozen=True, slots=True)
class MadeFor:
    """The table syncs that changes are for, and the fingerprint of the rules that made them (None: none did)."""

    sync_ids: tuple[int, ...]
    rules: str | None


@dataclass(frozen=True, slots=True)
class TableChanges:
    """All changes of one table in one batch that share a shape.

    Attributes:
        columns: the table's columns in the order of the payload.
        key: as in `TableSpec`.
        row_count: lines in `data`.
        data: COPY text, see the module.
        folded: no two lines share a key, so that their order says nothing. Best are those first that are 'c'.
        has_deletes: whether any line is a 'd'.
        has_unchanged: whether any line has `_unchanged` set.
        has_moved: whether any line has `_from` set. Such a line's unchanged columns are to be copied from
            the target row whose key is `_from`, read before any delete of the batch is applied.
        types: of each column, as the stream names it: what tells that a type has changed. Empty: not known.
        made_for: whom these changes are for, after their rules; None: as the source sent them, for all syncs.
    """

    table: TableId
    columns: tuple[str, ...]
    key: tuple[str, ...]
    row_count: int
    data: bytes | memoryview
    folded: bool
    has_deletes: bool
    has_unchanged: bool
    has_moved: bool
    types: tuple[str, ...] = ()
    made_for: MadeFor | None = None

    def is_for(self, sync_id: int) -> bool:
        """Whether a table sync of the table is to have them."""
        return self.made_for is None or sync_id in self.made_for.sync_ids

    @property
    def shape(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What is another one as soon as the table is."""
        return self.columns, self.types


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """A piece of the stream, applied whole or not at all.

    Attributes:
        sequence: ascending by one per engine start; acknowledging it acknowledges all before it.
        start: every change of the batch lies behind it.
        end: the position reached with this batch.
        truncated: tables emptied before any of `tables` applies.
        tables: changes in stream order per table; a table appears twice when its shape changed in between.
        watermarks: contents of our logical messages (prefix `rosetta`) that stand at the very end of the batch.
        commit_time: newest commit time at the source in the batch, seconds since 1970; None without a change.
    """

    sequence: int
    start: StreamPosition
    end: StreamPosition
    truncated: tuple[TableId, ...] = ()
    tables: tuple[TableChanges, ...] = ()
    watermarks: tuple[str, ...] = ()
    commit_time: float | None = None

    @property
    def row_count(self) -> int:
        return sum(changes.row_count for changes in self.tables)

    @property
    def byte_count(self) -> int:
        return sum(len(changes.data) for changes in self.tables)
