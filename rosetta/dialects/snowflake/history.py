"""Append mode: every change becomes a row, told apart by its change id. Pure SQL text."""

from __future__ import annotations

from rosetta.dialects.snowflake.merge import unchanged
from rosetta.dialects.snowflake.merge_table import STAGED_VERSION, MergeTable, equal, loaded_at, version
from rosetta.dialects.snowflake.names import literal

_OWN = (
    '"_ROSETTA_OP", "_ROSETTA_LSN", "_ROSETTA_SEQ", "_ROSETTA_TX", "_ROSETTA_SOURCE_TS", "_ROSETTA_LOADED_AT", '
    '"_ROSETTA_RAW", "_ROSETTA_UNCHANGED"'
)


def append_sql(table: MergeTable, stamp: int) -> str:
    """Appends the staged changes; one that is already there is left alone."""
    names = " || ".join(
        f"CASE WHEN {unchanged(position)} THEN {literal(',' + column.name)} ELSE '' END"
        for position, column in enumerate(table.columns)
    )
    values = [table.value(position) for position in range(len(table.columns))]
    values += ['s."_OP"', 's."_LSN"', 's."_SEQ"', 's."_XID"', 'CAST(s."_TS" AS TIMESTAMP_TZ(6))', loaded_at(stamp)]
    values += ['PARSE_JSON(s."_RAW")', f'CASE WHEN s."_UNCHANGED" IS NOT NULL THEN SUBSTR({names}, 2) END']
    return (
        f"INSERT INTO {table.name} ({', '.join((*table.names(), _OWN))}) SELECT {', '.join(values)} "
        f"FROM {table.staging} s LEFT JOIN {table.name} t ON {equal(version('t'), STAGED_VERSION)} "
        'WHERE t."_ROSETTA_LSN" IS NULL'
    )


def append_truncate_sql(table: MergeTable, lsn: int, stamp: int) -> str:
    """Appends the fact that the table was emptied, just before whatever follows `lsn`."""
    return (
        f'INSERT INTO {table.name} ("_ROSETTA_OP", "_ROSETTA_LSN", "_ROSETTA_SEQ", "_ROSETTA_TX", '
        f"\"_ROSETTA_LOADED_AT\") SELECT w.O, w.L, -1, 0, {loaded_at(stamp)} FROM (SELECT 't' AS O, {lsn} AS L) w "
        f'LEFT JOIN {table.name} t ON t."_ROSETTA_LSN" = w.L AND t."_ROSETTA_SEQ" = -1 WHERE t."_ROSETTA_LSN" IS NULL'
    )


def append_rows_sql(table: MergeTable, stamp: int, behind: int = 0, *, complete: bool = True) -> tuple[str, str]:
    """Appends a chunk's rows as op `r`, numbered under LSN 0, before every change.

    Rows that an earlier try of the same chunk left are replaced: by their key, or without one, of a complete chunk,
    those whose number is greater than `behind`, which the numbers of its rows follow then.
    """
    replaced = f't."_ROSETTA_SEQ" > {behind}' if complete else "FALSE"
    former = f'DELETE FROM {table.name} t WHERE t."_ROSETTA_LSN" = 0 AND {replaced}'
    if table.key:
        keys = ", ".join(f"{value} AS K{number}" for number, value in enumerate(table.key_values(), 1))
        same = equal(table.target_key("t"), [f"w.K{number}" for number in range(1, len(table.key) + 1)])
        former = (
            f"DELETE FROM {table.name} t USING (SELECT {keys} FROM {table.staging} s) w "
            f'WHERE t."_ROSETTA_LSN" = 0 AND {same}'
        )
    values = [table.value(position) for position in range(len(table.columns))]
    values += ["'r'", "0", 'w.N + s."_N" + 1', "0", "NULL", loaded_at(stamp), 'PARSE_JSON(s."_RAW")', "NULL"]
    return former, (
        f"INSERT INTO {table.name} ({', '.join((*table.names(), _OWN))}) SELECT {', '.join(values)} "
        f'FROM {table.staging} s CROSS JOIN (SELECT GREATEST(COALESCE(MAX("_ROSETTA_SEQ"), 0), {behind}) AS N '
        f'FROM {table.name} WHERE "_ROSETTA_LSN" = 0) w'
    )
