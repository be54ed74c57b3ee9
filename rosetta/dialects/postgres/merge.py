"""Merging staged changes into a table with a key: fold, fill, delete, upsert, note. Pure SQL text.

The order is what makes key changes right: every old row is read (fill) before any is deleted, and rows are
written last, so chains and swaps of keys need no ordering of their own. Each statement is guarded by the
row's version, so a change that comes twice, or too late, changes nothing.
"""

from __future__ import annotations

from functools import lru_cache

from rosetta.dialects.postgres.merge_table import OWN_SCHEMA, MergeTable
from rosetta.dialects.postgres.text import literal, quoted
from rosetta.plants import planted

_VERSION = "({0}_rosetta_lsn, {0}_rosetta_seq)"
STAGED_VERSION = "(s._lsn, s._seq)"
# Types whose equal values always print alike, so that an update of the row need not write the key again.
_SAME_TEXT = frozenset({"smallint", "integer", "bigint", "uuid", "date", "oid", "boolean", "bytea"})


def version(prefix: str = "t.") -> str:
    """A row's version as a comparable expression."""
    return _VERSION.format(prefix)


def guard(present: str, coming: str) -> str:
    """Whether what comes may replace what is present: it is as new, or newer."""
    return "true" if planted("no_version_guard") else f"{present} <= {coming}"


@lru_cache(maxsize=512)
def keep_newest_sql(table: MergeTable) -> str:
    """Leaves the newest change of each key.

    That is enough to fold: a value that a change left out is marked as unchanged only where the batch has no
    newer one than the target's row of before the batch.
    """
    keys = ", ".join(table.staged_key())
    return f"""
DELETE FROM {table.staging} s USING (
  SELECT ctid AS id, row_number() OVER (PARTITION BY {keys} ORDER BY _lsn DESC, _seq DESC) AS age FROM {table.staging}
) AS aged WHERE s.ctid = aged.id AND aged.age > 1"""


def _take(table: MergeTable, values: tuple[str, ...]) -> str:
    """Assignments that replace each unchanged staged column by its counterpart in `values`."""
    return ", ".join(
        f"{name} = CASE WHEN get_bit(s._unchanged, {bit}) = 1 THEN {value} ELSE s.{name} END"
        for bit, (name, value) in enumerate(zip(table.staged(), values, strict=True))
        if bit not in table.key
    )


def _base_key(table: MergeTable, *, moved: bool) -> tuple[str, ...]:
    """The key of the target row whose values a change left out."""
    if not moved:
        return table.staged_key("s.")
    pairs = zip(table.staged_key("s."), table.from_key(), strict=True)
    return tuple(f"CASE WHEN s._from IS NULL THEN {own} ELSE {former} END" for own, former in pairs)


def confirmed(table: MergeTable) -> str:
    """Whether the row was written since the copy began: what lay there before may have missed changes."""
    return (
        f"(t._rosetta_synced_at >= (SELECT copied_since FROM {OWN_SCHEMA}.tables WHERE target_schema = "
        f"{literal(table.target.schema)} AND target_name = {literal(table.target.name)}))"
    )


def same_key(table: MergeTable) -> str:
    """Whether target row and staged row have one key."""
    return table.equal(table.target_key("t."), table.staged_key("s."))


def _unchanged_names(table: MergeTable) -> str:
    names = ", ".join(literal(column.name) for column in table.columns)
    return (
        f"ARRAY(SELECT (ARRAY[{names}]::text[])[bit + 1] FROM generate_series(0, {len(table.columns) - 1}) bit"
        " WHERE get_bit(s._unchanged, bit) = 1)"
    )


@lru_cache(maxsize=512)
def fill_sql(table: MergeTable, *, moved: bool, copying: bool) -> str:
    """Fills the values that changes left out from the target's rows; afterwards `_unchanged` marks those without one.

    A change that the target already holds, or something newer, is dropped instead: the row it was made from
    may be gone. While copying, what no chunk has brought or confirmed yet is noted in `_missing`.
    """
    base, lacking = _base_key(table, moved=moved), "s._unchanged IS NOT NULL AND s._op <> 'd'"
    assignments, source = _take(table, table.names("t.")), f"{table.name} t"
    if copying:
        source += f" LEFT JOIN {table.unfilled} u ON {table.equal(table.side_key('u.'), table.target_key('t.'))}"
        names = _unchanged_names(table)
        assignments += (
            f", _moved = u._moved, _missing = CASE WHEN NOT {confirmed(table)} THEN {names} "
            f"WHEN u._columns IS NOT NULL THEN ARRAY(SELECT unnest(u._columns) INTERSECT SELECT unnest({names})) END"
        )
    found, stale = table.equal(table.target_key("t."), base), f"{same_key(table)} AND {version()} >= {STAGED_VERSION}"
    statements = [
        f"UPDATE {table.staging} s SET {assignments}, _unchanged = NULL FROM {source} WHERE {lacking} AND {found}",
        f"DELETE FROM {table.staging} s USING {table.name} t WHERE {lacking} AND {stale}",
    ]
    if copying:
        statements.append(
            f"UPDATE {table.staging} s SET _missing = {_unchanged_names(table)}, _unchanged = NULL WHERE {lacking}"
        )
    statements.append(f"SELECT count(*) FROM {table.staging} s WHERE {lacking}")
    return ";\n".join(statements)


@lru_cache(maxsize=512)
def require_filled_sql(table: MergeTable, *, moved: bool) -> str:
    """As `fill_sql` while no copy runs, for whoever cannot look at its answer: an error where a value is missing."""
    return (
        f"{fill_sql(table, moved=moved, copying=False)};\n"
        f"SELECT 1 / (count(*) = 0)::int FROM {table.staging} WHERE _unchanged IS NOT NULL AND _op <> 'd'"
    )


@lru_cache(maxsize=512)
def delete_sql(table: MergeTable, *, copying: bool) -> str:
    """Deletes, or marks as deleted, what the staged deletions name, unless the row is newer."""
    where = f"s._op = 'd' AND {same_key(table)} AND {guard(version(), STAGED_VERSION)}"
    if table.soft_delete:
        statement = (
            f"UPDATE {table.name} t SET _rosetta_deleted = true, _rosetta_lsn = s._lsn, _rosetta_seq = s._seq, "
            f"_rosetta_xid = s._xid, _rosetta_synced_at = now() FROM {table.staging} s WHERE {where}"
        )
    else:
        statement = f"DELETE FROM {table.name} t USING {table.staging} s WHERE {where}"
    return f"{statement};\n{_tombstones_sql(table)}" if copying and not planted("no_tombstones") else statement


def _tombstones_sql(table: MergeTable) -> str:
    names = ", ".join(table.side_key())
    return (
        f"INSERT INTO {table.tombstones} AS t ({names}, _lsn, _seq, _xid) "
        f"SELECT {', '.join(table.staged_key())}, _lsn, _seq, _xid FROM {table.staging} WHERE _op = 'd' "
        f"ON CONFLICT ({names}) DO UPDATE SET _lsn = excluded._lsn, _seq = excluded._seq, _xid = excluded._xid "
        "WHERE (t._lsn, t._seq) < (excluded._lsn, excluded._seq)"
    )


def assignments(table: MergeTable) -> str:
    """What an upsert sets of the table's own columns."""
    names = [quoted(table.columns[position].name) for position in written_columns(table)]
    return "".join(f"{name} = excluded.{name}, " for name in names)


def written_columns(table: MergeTable) -> list[int]:
    """Positions of the columns that an update of a row writes."""
    return [
        position
        for position, column in enumerate(table.columns)
        if not column.identity_always and not (position in table.key and column.type in _SAME_TEXT)
    ]


def insert_head(table: MergeTable, own: str) -> str:
    """`INSERT INTO target (columns, own) [OVERRIDING SYSTEM VALUE]`."""
    overriding = " OVERRIDING SYSTEM VALUE" if any(column.identity_always for column in table.columns) else ""
    return f"INSERT INTO {table.name} AS t ({', '.join((*table.names(), own))}){overriding}"


@lru_cache(maxsize=512)
def upsert_sql(table: MergeTable, *, has_deletes: bool) -> str:
    """Writes the staged rows, each unless the target's row is newer."""
    own = "_rosetta_lsn, _rosetta_seq, _rosetta_xid, _rosetta_synced_at"
    values = ", ".join((*table.staged(), "_lsn, _seq, _xid, now()"))
    tail = ", _rosetta_deleted = false" if table.soft_delete else ""
    wanted = ["_op <> 'd'"] if has_deletes else []
    if planted("dedupe_by_global_lsn"):
        wanted.append(f"_lsn > (SELECT coalesce(max(_rosetta_lsn), 0) FROM {table.name})")
    return (
        f"{insert_head(table, own)} SELECT {values} FROM {table.staging}"
        f"{' WHERE ' + ' AND '.join(wanted) if wanted else ''} "
        f"ON CONFLICT ({', '.join(table.target_key())}) DO UPDATE SET {assignments(table)}"
        "_rosetta_lsn = excluded._rosetta_lsn, _rosetta_seq = excluded._rosetta_seq, "
        f"_rosetta_xid = excluded._rosetta_xid, _rosetta_synced_at = excluded._rosetta_synced_at{tail} "
        f"WHERE {guard(version(), version('excluded.'))}"
    )


@lru_cache(maxsize=512)
def note_unfilled_sql(table: MergeTable) -> str:
    """Renews the notes of rows that still lack values, for those changes that were really applied."""
    applied = f"EXISTS (SELECT FROM {table.name} t WHERE {same_key(table)} AND {version()} = {STAGED_VERSION})"
    gone = f"NOT EXISTS (SELECT FROM {table.name} t WHERE {same_key(table)})"
    return (
        f"DELETE FROM {table.unfilled} u USING {table.staging} s "
        f"WHERE {table.equal(table.side_key('u.'), table.staged_key('s.'))} AND ({gone} OR {applied});\n"
        f"INSERT INTO {table.unfilled} ({', '.join(table.side_key())}, _columns, _moved) "
        f"SELECT {', '.join(table.staged_key('s.'))}, s._missing, "
        f"CASE WHEN s._from IS NOT NULL THEN s._xid ELSE coalesce(s._moved, 0) END FROM {table.staging} s "
        f"WHERE s._op <> 'd' AND cardinality(s._missing) > 0 AND {applied} ON CONFLICT DO NOTHING"
    )


@lru_cache(maxsize=512)
def truncate_sql(table: MergeTable, *, copying: bool) -> str:
    """Empties the target, or marks all its rows as deleted."""
    if table.soft_delete:
        statement = (
            f"UPDATE {table.name} SET _rosetta_deleted = true, _rosetta_synced_at = now() WHERE NOT _rosetta_deleted"
        )
    else:
        statement = f"TRUNCATE {table.name}"
    if not copying:
        return statement
    return f"{statement};\nDELETE FROM {table.unfilled if table.key else table.held}"
