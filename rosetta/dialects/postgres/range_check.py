"""Comparing one key range of a copy without its rows leaving either server. Pure SQL text.

A range is the same on both sides when it has as many rows with the same sum of row hashes, and no row of the
target was written by a transaction that the source's snapshot does not see. Merging a chunk of the range would
then replace every row by itself, so it can be left out: whatever the stream brings later is the same either way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rosetta.dialects.postgres.checksum import ComparedColumn, exact_text, row_text
from rosetta.dialects.postgres.chunk_merge import Bound, key_range, visible
from rosetta.dialects.postgres.chunk_read import Key, ReadPlan, key_order, passing_from, range_from
from rosetta.dialects.postgres.merge_table import MergeTable

_MODIFIER = re.compile(r"\(\d+(,-?\d+)?\)")
_SPARE_ROWS = 1_000


def compared(name: str, type_: str, sql: str | None = None) -> ComparedColumn:
    """A column by its `format_type()`, whose modifiers do not matter to how a value prints."""
    return ComparedColumn(name, _MODIFIER.sub("", type_), sql)


def _row_hash(columns: Sequence[ComparedColumn]) -> str:
    # Cheaper than SHA-256 by a third of all the work. Should two servers hash otherwise, ranges are copied in vain.
    return f'hashtextextended({row_text(columns)} COLLATE "C", 0)'


def range_end_sql(
    plan: ReadPlan, key: Sequence[ComparedColumn], lower: Key | None, upper: Key | None, rows: int
) -> str:
    """The key (text[]) of the `rows`-th row of lower < key <= upper; no row when there are fewer."""
    texts = ", ".join(exact_text(column) for column in key)
    found = f"{range_from(plan, lower, upper)} ORDER BY {key_order(plan)} OFFSET {rows - 1} LIMIT 1"
    return f"SELECT ARRAY[{texts}]::text[] AS _rosetta_end FROM {found}"


def range_checksum_sql(plan: ReadPlan, columns: Sequence[ComparedColumn], lower: Key | None, upper: Key | None) -> str:
    """How many rows the source's range has, and their checksum."""
    return f"SELECT count(*), COALESCE(sum({_row_hash(columns)}), 0)::text FROM {passing_from(plan, lower, upper)}"


def range_at_target_sql(table: MergeTable, lower: Bound, upper: Bound, *, snapshot: str, lsn: int, rows: int) -> str:
    """Of the target's range: rows, checksum, how many rows may be newer than `snapshot`, and whether that is all.

    No more is read of a range than an equal one can have.

    Args:
        lsn: the source's position of the snapshot.
        rows: how many the source has.
    """
    most = (4 * rows if table.soft_delete else rows) + _SPARE_ROWS
    live = "NOT t._rosetta_deleted" if table.soft_delete else "true"
    part = _row_hash([compared(column.name, column.base_type) for column in table.columns])
    # rows of a copy carry 0, which every snapshot sees
    newer = f"NOT (t._rosetta_lsn <= {lsn} AND (t._rosetta_xid = 0 OR {visible('t._rosetta_xid', snapshot)}))"
    return (
        "SELECT count(*) FILTER (WHERE live), COALESCE(sum(part) FILTER (WHERE live), 0)::text, "
        f"count(*) FILTER (WHERE newer), count(*) < {most} FROM (SELECT {part} AS part, {live} AS live, "
        f"{newer} AS newer FROM {table.name} t WHERE {key_range(table, lower, upper)} LIMIT {most}) AS found"
    )


def forget_notes_sql(table: MergeTable, lower: Bound, upper: Bound, snapshot: str) -> str:
    """Forgets which rows of an equal range lack values: they have them.

    Not those whose key changed behind the snapshot, as in `chunk_merge.fill_from_rows_sql`.
    """
    return (
        f"DELETE FROM {table.unfilled} u USING {table.name} t "
        f"WHERE {table.equal(table.side_key('u.'), table.target_key('t.'))} "
        f"AND {key_range(table, lower, upper)} AND {visible('u._moved', snapshot)}"
    )
