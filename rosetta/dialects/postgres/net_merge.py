"""Merging by what a folded batch comes to: updates as one UPDATE, new rows as one INSERT or COPY. Pure SQL text.

Cheaper than the guarded upsert of `merge`, which looks for a conflict row by row, and right where the target is as the
stream left it: updated rows are there and older, new rows are not. Where it is not, that is an error: a new row is
refused, or fewer rows are updated than were staged. The upsert is to take the batch then.
"""

from __future__ import annotations

from functools import lru_cache

from rosetta.dialects.postgres.merge import STAGED_VERSION, guard, insert_head, same_key, version, written_columns
from rosetta.dialects.postgres.merge_table import MergeTable
from rosetta.dialects.postgres.text import quoted


@lru_cache(maxsize=512)
def update_sql(table: MergeTable) -> str:
    """Updates the rows that may be at the target, each unless it is newer."""
    sets = "".join(
        f"{quoted(table.columns[position].name)} = s.c{position + 1}, " for position in written_columns(table)
    )
    tail = ", _rosetta_deleted = false" if table.soft_delete else ""
    return (
        f"UPDATE {table.name} t SET {sets}_rosetta_lsn = s._lsn, _rosetta_seq = s._seq, _rosetta_xid = s._xid, "
        f"_rosetta_synced_at = now(){tail} FROM {table.staging} s "
        f"WHERE s._op = 'u' AND {same_key(table)} AND {guard(version(), STAGED_VERSION)}"
    )


def update_all_sql(table: MergeTable, rows: int) -> str:
    """`update_sql`, and an error unless it meets so many rows."""
    return f"WITH met AS ({update_sql(table)} RETURNING 1) SELECT 1 / (count(*) = {rows})::int FROM met"


@lru_cache(maxsize=512)
def copy_new_sql(table: MergeTable) -> str:
    """Takes new rows as they come, each behind its version; what else is ours of a row is as it is declared."""
    names = ", ".join(("_rosetta_lsn", "_rosetta_seq", "_rosetta_xid", *table.names()))
    return f"COPY {table.name} ({names}) FROM STDIN"


@lru_cache(maxsize=512)
def insert_sql(table: MergeTable) -> str:
    """Inserts the rows that are new with the batch; one that is there already is an error."""
    values = ", ".join((*table.staged(), "_lsn, _seq, _xid, now()"))
    own = "_rosetta_lsn, _rosetta_seq, _rosetta_xid, _rosetta_synced_at"
    return f"{insert_head(table, own)} SELECT {values} FROM {table.staging} WHERE _op = 'c'"
