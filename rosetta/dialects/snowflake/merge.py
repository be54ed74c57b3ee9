"""Merging staged changes into a table with a key. Pure SQL text.

One MERGE reads the staged changes, the newest of each key, with what they left out taken from the target as it was
before the batch, so chains and swaps of keys need no order. It deletes, updates and inserts, each guarded by the row's
version. Every expression stands in the subquery that it merges from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rosetta.dialects.snowflake.merge_table import STAGED_VERSION, MergeTable, equal, loaded_at, newer, version
from rosetta.dialects.snowflake.names import literal

_SOURCE_TIME: Final = 'CAST(s."_TS" AS TIMESTAMP_TZ(6))'
_RAW: Final = 'PARSE_JSON(s."_RAW")'
_LACKING: Final = 's."_UNCHANGED" IS NOT NULL AND s."_OP" <> \'d\''
_OWN: Final = ('"_ROSETTA_LSN"', '"_ROSETTA_SEQ"', '"_ROSETTA_TX"', '"_ROSETTA_SOURCE_TS"', '"_ROSETTA_LOADED_AT"')
_COMING: Final = ('w."_LSN"', 'w."_SEQ"')
_GRAVE_VERSION: Final = ('d."_LSN"', 'd."_SEQ"')


def unchanged(position: int, mask: str = 's."_UNCHANGED"') -> str:
    """Whether a staged row left the column out."""
    return f"SUBSTR({mask}, {position + 1}, 1) = '1'"


def fold_sql(table: MergeTable) -> str:
    """Leaves the newest change of each key."""
    keys = ", ".join(f's."C{position + 1}"' for position in table.key)
    return (
        f'DELETE FROM {table.staging} x USING (SELECT s."_N" AS N, ROW_NUMBER() OVER (PARTITION BY {keys} '
        f'ORDER BY s."_LSN" DESC, s."_SEQ" DESC) AS AGE FROM {table.staging} s) w WHERE x."_N" = w.N AND w.AGE > 1'
    )


def drop_lines_sql(table: MergeTable, numbers: Sequence[int]) -> str:
    return f'DELETE FROM {table.staging} WHERE "_N" IN ({", ".join(map(str, numbers))})'


def unfit_sql(table: MergeTable) -> str:
    """Numbers of the staged lines of which a value, or a key's, is none of its column's type."""
    staged = {f's."C{number}"': column.type for number, column in enumerate(table.columns, 1)}
    tests = [
        f"({text} IS NOT NULL AND {kind.attempt(text)} IS NULL)"
        for text, kind in staged.items()
        if kind.family != "VARCHAR"
    ]
    tests += [f's."C{position + 1}" IS NULL' for position in table.key]
    return f'SELECT s."_N" FROM {table.staging} s WHERE {" OR ".join(tests) or "FALSE"}'


def _joined(table: MergeTable) -> str:
    """The staged changes, `b` the row each was made from, `o` the row under its own key."""
    return (
        f"{table.staging} s LEFT JOIN {table.name} b ON {equal(table.target_key('b'), table.base_key())} "
        f"LEFT JOIN {table.name} o ON {equal(table.target_key('o'), table.key_values())}"
    )


def _has_base(table: MergeTable) -> str:
    return f"{table.target_key('b')[0]} IS NOT NULL"


def _applied_before(table: MergeTable) -> str:
    """Whether the row a change was made from is gone because the change, or something newer, is there."""
    key = table.target_key("o")[0]
    return f"({key} IS NOT NULL AND {newer(version('o'), STAGED_VERSION, or_equal=True)})"


def missing_sql(table: MergeTable) -> str:
    """Numbers of the staged lines that left values out which no row of the target has."""
    return (
        f'SELECT s."_N" FROM {_joined(table)} WHERE {_LACKING} AND NOT ({_has_base(table)}) '
        f"AND NOT {_applied_before(table)}"
    )


def _source(table: MergeTable, stamp: int, *, filled: bool) -> str:
    values = []
    for position in range(len(table.columns)):
        value = table.value(position)
        if filled and position not in table.key:
            name = f"b.{table.names([position])[0]}"
            value = f"CASE WHEN {unchanged(position)} THEN {name} ELSE {value} END"
        values.append(f'{value} AS "C{position + 1}"')
    own_values = (
        f's."_OP" AS "_OP", s."_LSN" AS "_LSN", s."_SEQ" AS "_SEQ", s."_XID" AS "_XID", {_SOURCE_TIME} AS "_TS", '
        f'{loaded_at(stamp)} AS "_AT", {_RAW} AS "_RAW"'
    )
    source = f"SELECT {', '.join(values)}, {own_values} FROM "
    if not filled:
        return source + f"{table.staging} s"
    stale = f"{_LACKING} AND NOT ({_has_base(table)}) AND {_applied_before(table)}"
    return source + f"{_joined(table)} WHERE NOT COALESCE({stale}, FALSE)"


def merge_sql(table: MergeTable, stamp: int, *, filled: bool) -> str:
    """Applies the staged changes, one per key. `filled`: some left values out."""
    held = [position for position in range(len(table.columns)) if position not in table.key]
    theirs = (*_COMING, 'w."_XID"', 'w."_TS"', 'w."_AT"')
    moved = [f"{name} = {value}" for name, value in zip(_OWN, theirs, strict=True)]
    written = [f'{name} = w."C{position + 1}"' for name, position in zip(table.names(held), held, strict=True)]
    written += [*moved, '"_ROSETTA_RAW" = w."_RAW"']
    if table.soft_delete:
        gone = "UPDATE SET " + ", ".join([*moved, '"_ROSETTA_DELETED" = TRUE'])
        written.append('"_ROSETTA_DELETED" = FALSE')
    else:
        gone = "DELETE"
    names = [*table.names(), *_OWN, '"_ROSETTA_RAW"', *(['"_ROSETTA_DELETED"'] if table.soft_delete else [])]
    values = [f'w."C{number}"' for number in range(1, len(table.columns) + 1)]
    values += [*theirs, 'w."_RAW"', *(["FALSE"] if table.soft_delete else [])]
    guard = newer(_COMING, version("t"), or_equal=True)
    return (
        f"MERGE INTO {table.name} t USING ({_source(table, stamp, filled=filled)}) w "
        f"ON {equal(table.target_key('t'), table.aliased_key('w'))} "
        f"WHEN MATCHED AND w.\"_OP\" = 'd' AND {guard} THEN {gone} "
        f"WHEN MATCHED AND w.\"_OP\" <> 'd' AND {guard} THEN UPDATE SET {', '.join(written)} "
        f"WHEN NOT MATCHED AND w.\"_OP\" <> 'd' THEN INSERT ({', '.join(names)}) VALUES ({', '.join(values)})"
    )


def truncate_sql(table: MergeTable, stamp: int, *, up_to: int | None) -> str:
    """Empties the target, or marks its rows as deleted; `up_to`: only of what is no newer than this LSN."""
    older = "TRUE" if up_to is None else f'"_ROSETTA_LSN" <= {up_to}'
    if not table.soft_delete:
        return f"DELETE FROM {table.name} WHERE {older}"
    return (
        f'UPDATE {table.name} SET "_ROSETTA_DELETED" = TRUE, "_ROSETTA_LOADED_AT" = {loaded_at(stamp)} '
        f'WHERE NOT "_ROSETTA_DELETED" AND {older}'
    )


# -- while a copy runs ----------------------------------------------------------------------------------------------


def note(name: str) -> str:
    """A column's name as notes hold it, between commas; it can be part of no other."""
    return f",{name.encode().hex()},"


def note_missing_sql(table: MergeTable, copied_since: int) -> str:
    """Notes in the staging table what no chunk has brought of the rows that changes were made from, or confirmed."""
    left = _noted(table, unchanged)
    both = _noted(
        table,
        lambda position: (
            f'{unchanged(position)} AND POSITION({literal(note(table.columns[position].name))} IN u."_COLUMNS") > 0'
        ),
    )
    doubtful = f'(NOT ({_has_base(table)}) OR b."_ROSETTA_LOADED_AT" < {loaded_at(copied_since)})'
    return (
        f'UPDATE {table.staging} x SET "_MISSING" = w.M, "_MOVED" = w.V FROM (SELECT s."_N" AS N, '
        f"CASE WHEN {doubtful} THEN {left} WHEN u.\"_COLUMNS\" IS NOT NULL THEN {both} ELSE '' END AS M, "
        f'u."_MOVED" AS V FROM {_joined(table)} LEFT JOIN {table.unfilled} u '
        f"ON {equal([f'u.{name}' for name in table.side_key], table.target_key('b'))} WHERE {_LACKING}) w "
        'WHERE x."_N" = w.N'
    )


def _noted(table: MergeTable, test: Callable[[int], str]) -> str:
    """The notes of those columns that `test`, an expression, is true of."""
    parts = [
        f"CASE WHEN {test(position)} THEN {literal(note(column.name))} ELSE '' END"
        for position, column in enumerate(table.columns)
        if position not in table.key
    ]
    return " || ".join(parts) or "''"


def bury_sql(table: MergeTable) -> str:
    """Leaves a tombstone for each staged deletion."""
    keys = ", ".join(
        f'{value} AS "C{position + 1}"' for value, position in zip(table.key_values(), table.key, strict=True)
    )
    names = ", ".join((*table.side_key, '"_LSN"', '"_SEQ"', '"_XID"'))
    values = ", ".join((*table.aliased_key("w"), *_COMING, 'w."_XID"'))
    older = newer(_COMING, _GRAVE_VERSION)
    return (
        f'MERGE INTO {table.tombstones} d USING (SELECT {keys}, s."_LSN" AS "_LSN", s."_SEQ" AS "_SEQ", '
        f's."_XID" AS "_XID" FROM {table.staging} s WHERE s."_OP" = \'d\') w '
        f"ON {equal([f'd.{name}' for name in table.side_key], table.aliased_key('w'))} "
        f'WHEN MATCHED AND {older} THEN UPDATE SET "_LSN" = w."_LSN", "_SEQ" = w."_SEQ", "_XID" = w."_XID" '
        f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"
    )


def renew_notes_sql(table: MergeTable) -> tuple[str, str]:
    """Renews the notes of rows that still lack values, for those changes that were really applied."""
    keys = table.key_values()
    same_row = equal(table.target_key("t"), keys)
    applied = equal(version("t"), STAGED_VERSION)
    listed = ", ".join(f"{value} AS {name}" for value, name in zip(keys, table.side_key, strict=True))
    forget = (
        f"DELETE FROM {table.unfilled} u USING (SELECT {listed} FROM {table.staging} s LEFT JOIN {table.name} t "
        f"ON {same_row} WHERE {table.target_key('t')[0]} IS NULL OR ({applied})) w "
        f"WHERE {equal([f'u.{name}' for name in table.side_key], [f'w.{name}' for name in table.side_key])}"
    )
    moved = 'CASE WHEN s."F1" IS NOT NULL THEN s."_XID" ELSE COALESCE(s."_MOVED", 0) END'
    remember = (
        f'INSERT INTO {table.unfilled} ({", ".join(table.side_key)}, "_COLUMNS", "_MOVED") '
        f'SELECT {", ".join(keys)}, s."_MISSING", {moved} FROM {table.staging} s JOIN {table.name} t ON {same_row} '
        f"AND {applied} WHERE s.\"_OP\" <> 'd' AND s.\"_MISSING\" <> ''"
    )
    return forget, remember


# -- replays --------------------------------------------------------------------------------------------------------


def stale_sql(table: MergeTable, *, copying: bool) -> str:
    """Ids (LSN, ordinal) of the staged changes whose target row, or its tombstone, is newer."""
    found = (
        f'SELECT s."_LSN", s."_SEQ" FROM {table.staging} s JOIN {table.name} t '
        f"ON {equal(table.target_key('t'), table.key_values())} WHERE {newer(version('t'), STAGED_VERSION)}"
    )
    return f'{found} UNION SELECT s."_LSN", s."_SEQ" FROM {_buried(table)}' if copying else found


def drop_known_sql(table: MergeTable, *, copying: bool) -> list[str]:
    """Drops the staged rows that the target has in this very version, and those that something newer has deleted."""
    there = (
        f'SELECT s."_N" AS N FROM {table.staging} s JOIN {table.name} t '
        f"ON {equal(table.target_key('t'), table.key_values())} "
        f"WHERE s.\"_OP\" <> 'd' AND {equal(version('t'), STAGED_VERSION)}"
    )
    sources = [there, f'SELECT s."_N" AS N FROM {_buried(table)}'] if copying else [there]
    return [f'DELETE FROM {table.staging} x USING ({one}) w WHERE x."_N" = w.N' for one in sources]


def _buried(table: MergeTable) -> str:
    return (
        f"{table.staging} s JOIN {table.tombstones} d "
        f"ON {equal([f'd.{name}' for name in table.side_key], table.key_values())} "
        f"WHERE {newer(_GRAVE_VERSION, STAGED_VERSION)}"
    )
