"""Append mode: every change becomes a row, told apart by its change id. Pure SQL text."""

from __future__ import annotations

from rosetta.dialects.postgres.merge_table import MergeTable
from rosetta.dialects.postgres.text import literal

_OWN = (
    "_rosetta_op, _rosetta_lsn, _rosetta_seq, _rosetta_xid, _rosetta_source_ts, _rosetta_synced_at, _rosetta_unchanged"
)
# Microseconds are added as a whole number of them: a double would lose the last ones.
_SOURCE_TIME = "to_timestamp(_ts / 1000000) + (_ts % 1000000) * interval '1 microsecond'"


def append_sql(table: MergeTable) -> str:
    """Appends the staged changes; one that is already there is left alone."""
    names = ", ".join(literal(column.name) for column in table.columns)
    unchanged = (
        f"CASE WHEN _unchanged IS NOT NULL THEN ARRAY(SELECT (ARRAY[{names}]::text[])[bit + 1] "
        f"FROM generate_series(0, {len(table.columns) - 1}) bit WHERE get_bit(_unchanged, bit) = 1) END"
    )
    values = ", ".join((*table.staged(), "_op::text, _lsn, _seq, _xid", _SOURCE_TIME, "now()", unchanged))
    return (
        f"INSERT INTO {table.name} ({', '.join((*table.names(), _OWN))}) SELECT {values} FROM {table.staging} "
        "ON CONFLICT (_rosetta_lsn, _rosetta_seq) DO NOTHING"
    )


def append_truncate_sql(table: MergeTable, lsn: str) -> str:
    """Appends the fact that the table was emptied, just before whatever follows `lsn`."""
    return (
        f"INSERT INTO {table.name} (_rosetta_op, _rosetta_lsn, _rosetta_seq, _rosetta_xid) "
        f"VALUES ('t', {lsn}, -1, 0) ON CONFLICT (_rosetta_lsn, _rosetta_seq) DO NOTHING"
    )


def append_rows_sql(table: MergeTable, behind: int = 0, *, complete: bool = True) -> str:
    """Appends a chunk's rows as op `r`, numbered under LSN 0, before every change.

    Rows that an earlier try of the same chunk left are replaced: by their key, or without one, of a complete chunk,
    those whose number is greater than `behind`, which the numbers of its rows follow then.
    """
    if table.key:
        same = table.equal(table.staged_key("s."), table.target_key("t."))
        former = f" AND EXISTS (SELECT FROM {table.staging} s WHERE {same})"
    else:
        former = f" AND _rosetta_seq > {behind}" if complete else " AND false"
    values = ", ".join((*table.staged("s."), "'r', 0, newest.seq + row_number() OVER (), 0, NULL, now(), NULL::text[]"))
    return (
        f"DELETE FROM {table.name} t WHERE _rosetta_lsn = 0{former};\n"
        f"INSERT INTO {table.name} ({', '.join((*table.names(), _OWN))}) SELECT {values} FROM {table.staging} s, "
        f"(SELECT GREATEST(max(_rosetta_seq), {behind}) AS seq FROM {table.name} WHERE _rosetta_lsn = 0) AS newest"
    )
