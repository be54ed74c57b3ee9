"""Merging a chunk of a copy into a table with a key, never over a change that the chunk did not see. Pure SQL text.

A row of the target belongs to the chunk when the transaction that wrote it is visible in the snapshot the
chunk was read in. Rows that a chunk wrote carry version 0 and transaction 0, visible to every later chunk.
"""

from __future__ import annotations

from collections.abc import Sequence

from rosetta.dialects.postgres.merge import assignments, confirmed, insert_head
from rosetta.dialects.postgres.merge_table import MergeTable
from rosetta.dialects.postgres.text import literal, quoted
from rosetta.plants import planted

Bound = tuple[str, ...] | None


def visible(xid: str, snapshot: str) -> str:
    """Whether transaction `xid`, an expression, had committed for `snapshot`."""
    if planted("unguarded_chunk"):
        return "true"
    if planted("chunk_by_lsn"):  # `snapshot` is the log's position then
        return f"{xid.replace('xid', 'lsn')} <= {snapshot}"
    return f"pg_visible_in_snapshot(({xid})::text::xid8, {literal(snapshot)}::pg_snapshot)"


def key_range(table: MergeTable, lower: Bound, upper: Bound, names: tuple[str, ...] | None = None) -> str:
    """`lower < key <= upper` by the order of the target's own index; `true` when both ends are open.

    `names`: the key's columns, where they are not those of the target `t`.
    """
    parts, key = [], names or table.target_key("t.")
    if lower is not None:
        parts.append(_compared(table, key, lower, strict=True))
    if upper is not None:
        parts.append(_compared(table, key, upper, strict=False))
    return " AND ".join(parts) or "true"


def _compared(table: MergeTable, names: tuple[str, ...], bound: tuple[str, ...], *, strict: bool) -> str:
    """Whether the key is > (strict) or <= `bound`: one row comparison where the columns share an operator."""
    values = tuple(table.typed(p, literal(text)) for p, text in zip(table.key, bound, strict=True))
    orders = [order for position in table.key if (order := table.columns[position].order) is not None]
    operators = {order.greater if strict else order.less_equal for order in orders}
    if len(operators) == 1:
        return f"({', '.join(names)}) {operators.pop()} ({', '.join(values)})"
    text = ""
    for name, value, order in reversed(list(zip(names, values, orders, strict=True))):
        if not text:
            text = f"{name} {order.greater if strict else order.less_equal} {value}"
        else:
            beyond = f"{name} {order.greater} {value}" if strict else f"NOT ({name} {order.greater_equal} {value})"
            text = f"({beyond} OR ({name} {order.equal} {value} AND {text}))"
    return text


def one_of(table: MergeTable, keys: Sequence[tuple[str, ...]]) -> str:
    """Whether a row of the target has one of `keys`."""

    def test(key: tuple[str, ...]) -> str:
        values = tuple(table.typed(position, literal(text)) for position, text in zip(table.key, key, strict=True))
        return f"({table.equal(table.target_key('t.'), values)})"

    return f"({' OR '.join(map(test, keys))})"


def touched_keys_sql(table: MergeTable, lower: Bound, upper: Bound, limit: int) -> str:
    """Keys, as text, of a range that the target knows of: of rows, of tombstones, and wherever rows lack values.

    All other rows of a chunk of the range are merged by copying them, whatever the chunk could see. Without statistics
    a planner may go through the whole table for the first row of an empty range, so sequential scans are to be off.
    """
    buried = key_range(table, lower, upper, table.side_key("d."))
    row, side = (", ".join(f"{name}::text" for name in names) for names in (table.target_key("t."), table.side_key()))
    return (
        f"SELECT {row} FROM {table.name} t WHERE {key_range(table, lower, upper)} UNION ALL "
        f"SELECT {side} FROM {table.tombstones} d WHERE {buried} UNION ALL "
        f"SELECT {side} FROM {table.unfilled} LIMIT {limit}"
    )


def copy_straight_sql(table: MergeTable) -> str:
    """COPY of a chunk into the target itself: version 0, which is what a merge gives its rows, is their default."""
    return f"COPY {table.name} ({', '.join(table.names())}) FROM STDIN"


def delete_absent_sql(table: MergeTable, scope: str, snapshot: str) -> str:
    """Deletes rows in `scope` (`key_range` or `one_of`) that the source no longer had when the chunk was read."""
    where = (
        f"{scope} AND {visible('t._rosetta_xid', snapshot)} AND NOT EXISTS "
        f"(SELECT FROM {table.staging} s WHERE {table.equal(table.staged_key('s.'), table.target_key('t.'))})"
    )
    present = f"{table.equal(table.target_key('t.'), table.side_key('u.'))}"
    if table.soft_delete:
        present += " AND NOT t._rosetta_deleted"
        statement = (
            f"UPDATE {table.name} t SET _rosetta_deleted = true, _rosetta_synced_at = now() "
            f"WHERE NOT t._rosetta_deleted AND {where}"
        )
    else:
        statement = f"DELETE FROM {table.name} t WHERE {where}"
    return f"{statement};\nDELETE FROM {table.unfilled} u WHERE NOT EXISTS (SELECT FROM {table.name} t WHERE {present})"


def upsert_rows_sql(table: MergeTable, snapshot: str) -> str:
    """Writes the chunk's rows where the target has none or an older one; a row that stays keeps its version."""
    own = "_rosetta_lsn, _rosetta_seq, _rosetta_xid, _rosetta_synced_at"
    values = ", ".join((*table.staged("s."), "0, 0, 0, now()"))
    tail = ", _rosetta_deleted = false" if table.soft_delete else ""
    return (
        f"{insert_head(table, own)} SELECT {values} FROM {table.staging} s WHERE NOT EXISTS "
        f"(SELECT FROM {table.tombstones} d WHERE {table.equal(table.side_key('d.'), table.staged_key('s.'))} "
        f"AND NOT {visible('d._xid', snapshot)}) "
        f"ON CONFLICT ({', '.join(table.target_key())}) DO UPDATE SET {assignments(table)}"
        f"_rosetta_synced_at = excluded._rosetta_synced_at{tail} WHERE {visible('t._rosetta_xid', snapshot)}"
    )


def fill_from_rows_sql(table: MergeTable, snapshot: str) -> str:
    """Gives newer rows the values that their changes left out, and forgets the notes.

    A row whose key changed after the snapshot is not the chunk's row of that key: its note stays, for a
    later chunk to fill.
    """
    same = f"{table.equal(table.side_key('u.'), table.staged_key('s.'))} AND {visible('u._moved', snapshot)}"
    filled = ", ".join(
        f"{quoted(column.name)} = CASE WHEN {literal(column.name)} = ANY (u._columns) THEN s.{staged} "
        f"ELSE t.{quoted(column.name)} END"
        for position, (column, staged) in enumerate(zip(table.columns, table.staged(), strict=True))
        if position not in table.key and not column.identity_always
    )
    forget = f"DELETE FROM {table.unfilled} u USING {table.staging} s WHERE {same}"
    if not filled:
        return forget
    return (
        f"UPDATE {table.name} t SET {filled} FROM {table.unfilled} u, {table.staging} s WHERE {same} "
        f"AND {table.equal(table.target_key('t.'), table.side_key('u.'))} "
        f"AND NOT {visible('t._rosetta_xid', snapshot)};\n{forget}"
    )


def places_sql(table: MergeTable, snapshot: str) -> str:
    """Of each staged key: its number (`_seq`), whether the chunk's row counts, whether it has a note, and a version.

    That is the version of what the target has under the key, a row or a tombstone; 0 and 0 for nothing.
    """
    row, grave = "COALESCE(t._rosetta_{0}, 0)", "COALESCE(d._{0}, 0)"
    rows, graves = (f"({one.format('lsn')}, {one.format('seq')})" for one in (row, grave))

    def newest(part: str) -> str:
        return f"CASE WHEN {rows} >= {graves} THEN {row.format(part)} ELSE {grave.format(part)} END"

    return (
        f"SELECT s._seq, (t._rosetta_xid IS NULL OR {visible('t._rosetta_xid', snapshot)}) "
        f"AND (d._xid IS NULL OR {visible('d._xid', snapshot)}), "
        f"EXISTS (SELECT FROM {table.unfilled} u WHERE {table.equal(table.side_key('u.'), table.staged_key('s.'))}), "
        f"{newest('lsn')}, {newest('seq')} FROM {table.staging} s "
        f"LEFT JOIN {table.name} t ON {table.equal(table.target_key('t.'), table.staged_key('s.'))} "
        f"LEFT JOIN {table.tombstones} d ON {table.equal(table.side_key('d.'), table.staged_key('s.'))} ORDER BY s._seq"
    )


def forget_notes_sql(table: MergeTable) -> str:
    """Forgets that rows with the staged keys lack values."""
    same = table.equal(table.side_key("u."), table.staged_key("s."))
    return f"DELETE FROM {table.unfilled} u USING {table.staging} s WHERE {same}"


def unconfirmed_keys_sql(table: MergeTable, after: Bound, limit: int) -> str:
    """Keys, as text and in their order, of rows that were last written before the copy began, by the clock.

    A row from the future may be one, too.
    """
    keys = ", ".join(f"{name}::text" for name in table.target_key("t."))
    live = " AND NOT t._rosetta_deleted" if table.soft_delete else ""
    return (
        f"SELECT {keys} FROM {table.name} t WHERE {key_range(table, after, None)}{live} "
        f"AND (t._rosetta_synced_at > now() OR NOT {confirmed(table)}) "
        f"ORDER BY {', '.join(table.target_key('t.'))} LIMIT {limit}"
    )


def unfilled_keys_sql(table: MergeTable, limit: int) -> str:
    """Keys, as text, of rows that still lack values."""
    keys = ", ".join(f"{name}::text" for name in table.side_key())
    return f"SELECT {keys} FROM {table.unfilled} LIMIT {limit}"
