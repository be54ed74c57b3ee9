"""Merging a chunk of a copy into a table with a key, never over a change that the chunk did not see. Pure SQL text.

A row of the target belongs to the chunk when the transaction that wrote it is visible in the snapshot that the chunk
was read in. Rows that a chunk wrote carry version 0 and transaction 0, visible to every later chunk.
"""

from __future__ import annotations

from collections.abc import Sequence

from rosetta.dialects.snowflake.merge import note
from rosetta.dialects.snowflake.merge_table import MergeTable, equal, loaded_at, newer, version, visible
from rosetta.dialects.snowflake.names import literal

Bound = tuple[str, ...] | None


def create_copy_sql(table: MergeTable) -> list[str]:
    """The side tables of a copy; what they hold of an earlier start of the same copy stays."""
    keys = ", ".join(
        f"{name} {table.columns[position].type.name}" for name, position in zip(table.side_key, table.key, strict=True)
    )
    version_columns = '"_LSN" NUMBER(38,0), "_SEQ" NUMBER(38,0), "_XID" NUMBER(38,0)'
    return [
        f"CREATE TRANSIENT TABLE IF NOT EXISTS {table.tombstones} ({keys}, {version_columns})",
        f'CREATE TRANSIENT TABLE IF NOT EXISTS {table.unfilled} ({keys}, "_COLUMNS" VARCHAR, "_MOVED" NUMBER(38,0))',
    ]


def drop_copy_sql(table: MergeTable) -> list[str]:
    return [f"DROP TABLE IF EXISTS {table.tombstones}", f"DROP TABLE IF EXISTS {table.unfilled}"]


def key_range(table: MergeTable, lower: Bound, upper: Bound) -> str:
    """`lower < key <= upper`; TRUE when both ends are open."""
    parts = []
    if lower is not None:
        parts.append(_beyond(table, lower))
    if upper is not None:
        parts.append(f"NOT {_beyond(table, upper)}")
    return " AND ".join(parts) or "TRUE"


def _beyond(table: MergeTable, bound: tuple[str, ...]) -> str:
    """Whether the key of `t` is greater, column by column."""
    text = ""
    for name, value in reversed(list(zip(table.target_key("t"), _typed(table, bound), strict=True))):
        text = f"({name} > {value} OR ({name} = {value} AND {text}))" if text else f"{name} > {value}"
    return f"({text})"


def _typed(table: MergeTable, key: tuple[str, ...]) -> list[str]:
    return [table.columns[position].type.cast(literal(part)) for position, part in zip(table.key, key, strict=True)]


def one_of(table: MergeTable, keys: Sequence[tuple[str, ...]]) -> str:
    """Whether a row of the target has one of `keys`."""
    return "(" + " OR ".join(f"({equal(table.target_key('t'), _typed(table, key))})" for key in keys) + ")"


def delete_absent_sql(table: MergeTable, scope: str, snapshot: str, stamp: int) -> tuple[str, str]:
    """Deletes rows in `scope` (`key_range` or `one_of`) that the source no longer had when the chunk was read."""
    keys = table.names(table.key)
    shown = 'AND NOT t."_ROSETTA_DELETED" ' if table.soft_delete else ""
    absent = (
        f"SELECT {', '.join(table.target_key('t'))} FROM {table.name} t LEFT JOIN {table.staging} s "
        f'ON {equal(table.target_key("t"), table.key_values())} WHERE s."_N" IS NULL {shown}'
        f"AND {_seen('t', snapshot)} AND {scope}"
    )
    same = equal([f"x.{name}" for name in keys], [f"w.{name}" for name in keys])
    if table.soft_delete:
        gone = (
            f'UPDATE {table.name} x SET "_ROSETTA_DELETED" = TRUE, "_ROSETTA_LOADED_AT" = {loaded_at(stamp)} '
            f"FROM ({absent}) w WHERE {same}"
        )
    else:
        gone = f"DELETE FROM {table.name} x USING ({absent}) w WHERE {same}"
    return gone, _forget_gone(table)


def _seen(alias: str, snapshot: str) -> str:
    return visible(f'{alias}."_ROSETTA_TX"', snapshot)


def _forget_gone(table: MergeTable) -> str:
    """Forgets the notes of rows that are not there any more."""
    noted = [f"u.{name}" for name in table.side_key]
    live = f"{equal(table.target_key('t'), noted)}" + (' AND NOT t."_ROSETTA_DELETED"' if table.soft_delete else "")
    return (
        f"DELETE FROM {table.unfilled} x USING (SELECT {', '.join(noted)} FROM {table.unfilled} u "
        f"LEFT JOIN {table.name} t ON {live} WHERE {table.target_key('t')[0]} IS NULL) w "
        f"WHERE {equal([f'x.{name}' for name in table.side_key], [f'w.{name}' for name in table.side_key])}"
    )


def upsert_rows_sql(table: MergeTable, snapshot: str, stamp: int) -> str:
    """Writes the chunk's rows where the target has none or an older one; a row that stays keeps its version."""
    held = [position for position in range(len(table.columns)) if position not in table.key]
    values = ", ".join(f'{table.value(position)} AS "C{position + 1}"' for position in range(len(table.columns)))
    graves = equal([f"d.{name}" for name in table.side_key], table.key_values())
    grave_xid = 'd."_XID"'
    buried = f"{grave_xid} IS NOT NULL AND NOT {visible(grave_xid, snapshot)}"
    source = (
        f'SELECT {values}, {loaded_at(stamp)} AS "_AT", PARSE_JSON(s."_RAW") AS "_RAW", '
        f'CASE WHEN {buried} THEN 1 ELSE 0 END AS "_BURIED" '
        f"FROM {table.staging} s LEFT JOIN {table.tombstones} d ON {graves}"
    )
    written = [f'{name} = w."C{position + 1}"' for name, position in zip(table.names(held), held, strict=True)]
    written += ['"_ROSETTA_LOADED_AT" = w."_AT"', '"_ROSETTA_RAW" = w."_RAW"']
    names = [*table.names(), '"_ROSETTA_LSN"', '"_ROSETTA_SEQ"', '"_ROSETTA_TX"', '"_ROSETTA_LOADED_AT"']
    made = [f'w."C{number}"' for number in range(1, len(table.columns) + 1)] + ["0", "0", "0", 'w."_AT"', 'w."_RAW"']
    names.append('"_ROSETTA_RAW"')
    if table.soft_delete:
        written.append('"_ROSETTA_DELETED" = FALSE')
        names.append('"_ROSETTA_DELETED"')
        made.append("FALSE")
    return (
        f"MERGE INTO {table.name} t USING ({source}) w ON {equal(table.target_key('t'), table.aliased_key('w'))} "
        f"WHEN MATCHED AND {_seen('t', snapshot)} THEN UPDATE SET {', '.join(written)} "
        f'WHEN NOT MATCHED AND w."_BURIED" = 0 THEN INSERT ({", ".join(names)}) VALUES ({", ".join(made)})'
    )


def fill_from_rows_sql(table: MergeTable, snapshot: str) -> list[str]:
    """Gives newer rows the values that their changes left out, and forgets the notes of all the chunk's rows.

    A row whose key changed after the snapshot is not the chunk's row of that key: its note stays.
    """
    held = [position for position in range(len(table.columns)) if position not in table.key]
    noted = [f"u.{name}" for name in table.side_key]
    not_moved = visible('u."_MOVED"', snapshot)
    joined = (
        f"{table.staging} s JOIN {table.unfilled} u ON {equal(noted, table.key_values())} "
        f"JOIN {table.name} t ON {equal(table.target_key('t'), noted)}"
    )
    keys = table.names(table.key)
    statements = []
    if held:
        values = ", ".join(
            f'CASE WHEN POSITION({literal(note(table.columns[position].name))} IN u."_COLUMNS") > 0 '
            f'THEN {table.value(position)} ELSE t.{name} END AS "C{position + 1}"'
            for name, position in zip(table.names(held), held, strict=True)
        )
        filled = ", ".join(
            f'{name} = w."C{position + 1}"' for name, position in zip(table.names(held), held, strict=True)
        )
        statements.append(
            f"UPDATE {table.name} x SET {filled} FROM (SELECT {', '.join(table.target_key('t'))}, {values} "
            f"FROM {joined} WHERE {not_moved} AND NOT {_seen('t', snapshot)}) w "
            f"WHERE {equal([f'x.{name}' for name in keys], [f'w.{name}' for name in keys])}"
        )
    statements.append(
        f"DELETE FROM {table.unfilled} x USING (SELECT {', '.join(noted)} FROM {joined} "
        f"WHERE {not_moved} OR {_seen('t', snapshot)}) w "
        f"WHERE {equal([f'x.{name}' for name in table.side_key], [f'w.{name}' for name in table.side_key])}"
    )
    return statements


def places_sql(table: MergeTable, snapshot: str) -> str:
    """Of each staged line: its number, whether the chunk's row counts, and the version that the target has there.

    That is the version of a row or of a tombstone; 0 and 0 for nothing.
    """
    graves = equal([f"d.{name}" for name in table.side_key], table.key_values())
    grave = ('COALESCE(d."_LSN", 0)', 'COALESCE(d."_SEQ", 0)')
    row = tuple(f"COALESCE({one}, 0)" for one in version("t"))
    later = newer((row[0], row[1]), grave, or_equal=True)
    newest = ", ".join(f"CASE WHEN {later} THEN {one} ELSE {other} END" for one, other in zip(row, grave, strict=True))
    open_row = f'(t."_ROSETTA_TX" IS NULL OR {_seen("t", snapshot)})'
    grave_xid = 'd."_XID"'
    return (
        f'SELECT s."_N", {open_row} AND ({grave_xid} IS NULL OR {visible(grave_xid, snapshot)}), {newest} '
        f"FROM {table.staging} s LEFT JOIN {table.name} t ON {equal(table.target_key('t'), table.key_values())} "
        f'LEFT JOIN {table.tombstones} d ON {graves} ORDER BY s."_N"'
    )


def forget_notes_sql(table: MergeTable, numbers: Sequence[int]) -> str:
    """Forgets that rows with the keys of these staged lines lack values."""
    listed = ", ".join(f"{value} AS {name}" for value, name in zip(table.key_values(), table.side_key, strict=True))
    lines = f'WHERE s."_N" IN ({", ".join(map(str, numbers))})'
    return (
        f"DELETE FROM {table.unfilled} x USING (SELECT {listed} FROM {table.staging} s {lines}) w "
        f"WHERE {equal([f'x.{name}' for name in table.side_key], [f'w.{name}' for name in table.side_key])}"
    )


def unconfirmed_keys_sql(table: MergeTable, after: Bound, copied_since: int, limit: int) -> str:
    """Keys, as text and in their order, of rows that were last loaded before the copy began."""
    keys = ", ".join(
        table.columns[position].type.text(name) for name, position in zip(table.target_key("t"), table.key, strict=True)
    )
    live = ' AND NOT t."_ROSETTA_DELETED"' if table.soft_delete else ""
    return (
        f"SELECT {keys} FROM {table.name} t WHERE {key_range(table, after, None)}{live} "
        f'AND t."_ROSETTA_LOADED_AT" < {loaded_at(copied_since)} '
        f"ORDER BY {', '.join(table.target_key('t'))} LIMIT {limit}"
    )


def unfilled_keys_sql(table: MergeTable, limit: int) -> str:
    """Keys, as text, of rows that still lack values."""
    keys = ", ".join(
        table.columns[position].type.text(name) for name, position in zip(table.side_key, table.key, strict=True)
    )
    return f"SELECT {keys} FROM {table.unfilled} LIMIT {limit}"
