"""Current state of a table without a key: a multiset of rows, each told from others by its whole text.

Changes are netted per distinct row, so a row that comes and goes in a batch costs nothing, and the target is
read once per batch however many rows are deleted. Pure SQL text.
"""

from __future__ import annotations

from rosetta.dialects.postgres.chunk_merge import visible
from rosetta.dialects.postgres.merge import insert_head
from rosetta.dialects.postgres.merge_table import MergeTable

_OWN = "_rosetta_lsn, _rosetta_seq, _rosetta_xid, _rosetta_synced_at"


def _row(columns: tuple[str, ...]) -> str:
    return f"ROW({', '.join(columns)})::text"


def _net(table: MergeTable, source: str) -> str:
    return (
        f"SELECT {_row(table.staged())} AS line, sum(CASE WHEN _op = 'd' THEN -1 ELSE 1 END) AS net "
        f"FROM {source} GROUP BY 1"
    )


def fill_pairs_sql(table: MergeTable) -> str:
    """Fills values that the new half of an update left out from its old half, the deletion just before it."""
    taken = ", ".join(
        f"{name} = CASE WHEN get_bit(s._unchanged, {bit}) = 1 THEN o.{name} ELSE s.{name} END"
        for bit, name in enumerate(table.staged())
    )
    return (
        f"UPDATE {table.staging} s SET {taken}, _unchanged = NULL FROM {table.staging} o "
        "WHERE s._unchanged IS NOT NULL AND o._op = 'd' AND o._lsn = s._lsn AND o._seq = s._seq - 1;\n"
        f"SELECT count(*) FROM {table.staging} WHERE _unchanged IS NOT NULL"
    )


def delete_surplus_sql(table: MergeTable, source: str) -> str:
    """Deletes as many rows as `source` removes on balance of each kind."""
    live = " WHERE NOT t._rosetta_deleted" if table.soft_delete else ""
    chosen = (
        f"SELECT t.tableoid AS relation, t.ctid AS id, removed.surplus, row_number() OVER "
        f"(PARTITION BY removed.line ORDER BY t._rosetta_lsn, t._rosetta_seq) AS place FROM {table.name} t "
        f"JOIN (SELECT line, -net AS surplus FROM ({_net(table, source)}) AS netted WHERE net < 0) AS removed "
        f"ON removed.line = {_row(table.names('t.'))}{live}"
    )
    where = "t.tableoid = chosen.relation AND t.ctid = chosen.id AND chosen.place <= chosen.surplus"
    if table.soft_delete:
        return (
            f"UPDATE {table.name} t SET _rosetta_deleted = true, _rosetta_synced_at = now() "
            f"FROM ({chosen}) AS chosen WHERE {where}"
        )
    return f"DELETE FROM {table.name} t USING ({chosen}) AS chosen WHERE {where}"


def insert_surplus_sql(table: MergeTable, source: str) -> str:
    """Inserts as many rows as `source` adds on balance of each kind, the newest of them."""
    return (
        f"{insert_head(table, _OWN)} SELECT {', '.join((*table.staged('s.'), 's._lsn, s._seq, s._xid, now()'))} "
        f"FROM (SELECT *, {_row(table.staged())} AS line, row_number() OVER "
        f"(PARTITION BY {_row(table.staged())} ORDER BY _lsn DESC, _seq DESC) AS place "
        f"FROM {source} WHERE _op <> 'd') s JOIN ({_net(table, source)}) AS netted ON netted.line = s.line "
        f"WHERE s.place <= netted.net"
    )


def insert_all_sql(table: MergeTable) -> str:
    """Inserts every staged row: what a batch without deletions comes to."""
    values = ", ".join((*table.staged(), "_lsn, _seq, _xid, now()"))
    return f"{insert_head(table, _OWN)} SELECT {values} FROM {table.staging}"


def hold_sql(table: MergeTable) -> str:
    """Lays the staged changes aside until the copy is there; one that comes twice is held once."""
    names = ", ".join(("_op, _lsn, _seq, _xid", *table.staged()))
    return f"INSERT INTO {table.held} ({names}) SELECT {names} FROM {table.staging} ON CONFLICT (_lsn, _seq) DO NOTHING"


def replace_rows_sql(table: MergeTable, snapshot: str) -> str:
    """Puts the chunk's rows in place of the target's and forgets held changes that the chunk already has."""
    emptied = f"DELETE FROM {table.name}"
    values = ", ".join((*table.staged(), "0, 0, 0, now()"))
    return (
        f"DELETE FROM {table.held} WHERE {visible('_xid', snapshot)};\n{emptied};\n"
        f"{insert_head(table, _OWN)} SELECT {values} FROM {table.staging}"
    )


def forget_held_sql(table: MergeTable) -> str:
    return f"DELETE FROM {table.held}"
