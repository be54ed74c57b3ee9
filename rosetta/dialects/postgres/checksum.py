"""SQL that compares two tables by checksums, without their rows leaving either server.

A row's hash is the SHA-256 of the text form of an array of its values' text forms. An array's text form
is injective (it quotes, and writes NULL apart from 'NULL' and from the empty string), and unlike a
record's it quotes by fixed ASCII rules, so two servers of different versions, encodings and locales
agree on it. A range's checksum is the count of its rows and the sum of the first 64 bits of their hashes:
it does not depend on the order of the rows, and equal rows do not cancel each other out.

Where the other side is no PostgreSQL server, rows are `portable`: the hash is the MD5 of a text that any database can
write (see `portable_text`), and the checksum sums its last 60 bits.

All texts expect a session under `EXACT_TEXT_SETTINGS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from rosetta.dialects.postgres.text import literal, qualified, quoted
from rosetta.identifiers import TableId

# A row's identity as exact text: its key columns, or for a table without a key the hash of the whole row.
Key: TypeAlias = tuple[str, ...]

# Types whose cast to text is their output function. For all others (char(n), whose cast drops the padding;
# boolean; whatever an extension defines) the output function is reached through concat().
_CAST_IS_OUTPUT: Final = frozenset(
    {
        *("smallint", "integer", "bigint", "numeric", "real", "double precision"),
        *("text", "character varying", "json", "jsonb", "bytea", "uuid", "date"),
        *("timestamp without time zone", "timestamp with time zone", "time without time zone"),
    }
)

# Types that both servers order and compare alike, given one collation, by operators of pg_catalog.
ORDERED_TYPES: Final = (_CAST_IS_OUTPUT - {"json", "jsonb"}) | {
    *("character", "boolean", "oid", "inet", "cidr", "macaddr", "interval", "time with time zone"),
}


@dataclass(frozen=True, slots=True)
class ComparedColumn:
    """A column as one side names it; `type` is `format_type()` without modifiers.

    `sql`: what gives the text to compare instead of the column's own, of a row `t`: a masked value.
    """

    name: str
    type: str
    sql: str | None = None


@dataclass(frozen=True, slots=True)
class ComparedTable:
    """One side of a comparison; both sides list corresponding columns in the same order.

    Attributes:
        key: columns that identify a row; empty: rows are told apart by their hash.
        typed_key: keys are looked up by their types' operators (an index can serve), not by text.
        partitioned: rows are in partitions below the table.
        condition: SQL that holds for the rows that count, or None.
        portable: the other side is a database of another kind.
    """

    table: TableId
    columns: tuple[ComparedColumn, ...]
    key: tuple[ComparedColumn, ...]
    typed_key: bool
    partitioned: bool = False
    condition: str | None = None
    portable: bool = False


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Keys with lower < key <= upper in the order of the key's types; None is open."""

    lower: Key | None = None
    upper: Key | None = None


def exact_text(column: ComparedColumn) -> str:
    """The value as its type's output function prints it; NULL stays NULL."""
    if column.sql is not None:
        return column.sql
    name = f"t.{quoted(column.name)}"
    if column.type in _CAST_IS_OUTPUT:
        return f"{name}::text"
    # IS DISTINCT FROM NULL, because a composite of NULLs "IS NULL"
    return f"CASE WHEN {name} IS DISTINCT FROM NULL THEN concat({name}) END"


def row_hash(table: ComparedTable) -> str:
    """The hash (bytea) of a row `t` of the table: SHA-256, or MD5 where it is portable."""
    if table.portable:
        return f"decode({_md5(portable_text([exact_text(column) for column in table.columns]))}, 'hex')"
    return f"sha256(convert_to({row_text(table.columns)}, 'UTF8'))"


def row_text(columns: Sequence[ComparedColumn]) -> str:
    """All values of a row `t` as one text, different for different rows."""
    return f"ARRAY[{', '.join(exact_text(column) for column in columns)}]::text[]::text"


def portable_text(texts: Sequence[str]) -> str:
    """Texts as one, different for different texts: joined by `|`, `~` for an escape, NULL as `~n`."""
    return " || '|' || ".join(
        f"""COALESCE(replace(replace(({text}) COLLATE "C", '~', '~~'), '|', '~p'), '~n')""" for text in texts
    )


def _md5(text: str) -> str:
    return f"md5(convert_to({text}, 'UTF8'))"


def fields_of(found: Any) -> tuple[Any, ...]:
    """The texts of a key or of a row's values, as a query of this module answers them (text[])."""
    return tuple(found)


def totals_sql(table: ComparedTable, within: KeyRange) -> str:
    """One row: how many rows the range has, and their checksum."""
    return f"SELECT count(*), sum({_part(table, row_hash(table))})::text FROM {_rows(table, within)}"


def buckets_sql(table: ComparedTable, within: KeyRange, bucket_count: int) -> str:
    """Count and checksum of each of `bucket_count` (a power of two) buckets of row hashes that is not empty.

    Equal rows fall into the same bucket on both sides whatever their keys, so rows that differ lie in buckets
    that differ. OFFSET 0 keeps the planner from writing the hash twice.
    """
    return (
        f"SELECT part & {bucket_count - 1}, count(*), sum(part)::text FROM"
        f" (SELECT {_part(table, row_hash(table))} AS part FROM {_rows(table, within)} OFFSET 0) AS hashed GROUP BY 1"
    )


def members_sql(table: ComparedTable, within: KeyRange, bucket_count: int, buckets: Iterable[int]) -> str:
    """Key (text[]), row hash (hex) and number of copies of every row in `buckets`."""
    wanted = ", ".join(str(bucket) for bucket in buckets)
    return (
        f"SELECT {_key_of_hashed(table)}, encode(hash, 'hex'), count(*) FROM"
        f" (SELECT {_key_column(table)}{row_hash(table)} AS hash FROM {_rows(table, within)} OFFSET 0) AS hashed"
        f" WHERE {_part(table, 'hash')} & {bucket_count - 1} IN ({wanted}) GROUP BY 1, 2"
    )


def lookup_sql(table: ComparedTable, keys: Sequence[Key]) -> str:
    """Key (text[]), row hash (hex) and number of copies of the rows with one of `keys`.

    May also return rows whose key is equal to a wanted one by its type but not as text.
    """
    if not table.key:
        hashes = ", ".join(f"'\\x{key[0]}'::bytea" for key in keys)
        return (
            f"SELECT {_key_of_hashed(table)}, encode(hash, 'hex'), count(*) FROM"
            f" (SELECT {row_hash(table)} AS hash FROM {_rows(table)} OFFSET 0) AS hashed"
            f" WHERE hash IN ({hashes}) GROUP BY 1, 2"
        )
    return (
        f"SELECT {_key_array(table)}, encode({row_hash(table)}, 'hex'), count(*)"
        f" FROM {_rows(table, extra=_has_key(table, keys))} GROUP BY 1, 2"
    )


def values_sql(table: ComparedTable, keys: Sequence[Key], *, reveal: bool) -> str:
    """Key (text[]) and, per column, the value's exact text (`reveal`) or its hash, of the rows with one of `keys`."""
    texts = [exact_text(column) for column in table.columns]
    shown = texts if reveal else [_value_hash(table, text) for text in texts]
    return (
        f"SELECT {_key_array(table)}, ARRAY[{', '.join(shown)}]::text[]"
        f" FROM {_rows(table, extra=_has_key(table, keys))}"
    )


def upper_bound_sql(table: ComparedTable, lower: Key | None, rows: int) -> str:
    """The key (text[]) of the `rows`-th row behind `lower`; no row when there are fewer."""
    order = ", ".join(f"t.{quoted(column.name)}" for column in table.key)
    behind = _rows(table, KeyRange(lower=lower))
    return f"SELECT {_key_array(table)} FROM {behind} ORDER BY {order} OFFSET {rows - 1} LIMIT 1"


def current_position_sql() -> str:
    """The server's WAL position: everything that a session can see was committed before it."""
    here = "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END"
    return f"SELECT ({here})::text"


def progress_sql(pipeline: tuple[int, int] | None) -> str:
    """The position (pg_lsn as text) that a target holds of `pipeline` (pipeline and destination id).

    Without `pipeline` the smallest of all that write to the target. NULL when there is none yet. To be run only
    where `progress_exists_sql` says that the table is there.
    """
    chosen = f" WHERE pipeline_id = {pipeline[0]} AND destination_id = {pipeline[1]}" if pipeline else ""
    return f"SELECT min(commit_lsn)::text FROM _rosetta.progress{chosen}"


def progress_exists_sql() -> str:
    return "SELECT to_regclass('_rosetta.progress') IS NOT NULL"


def _part(table: ComparedTable, hash_expression: str) -> str:
    """The first 64 bits of a hash, or the last 60 where it is portable, as bigint."""
    if table.portable:
        return f"('x' || right(encode({hash_expression}, 'hex'), 15))::bit(60)::bigint"
    return f"('x' || encode(substr({hash_expression}, 1, 8), 'hex'))::bit(64)::bigint"


def _value_hash(table: ComparedTable, text: str) -> str:
    return _md5(text) if table.portable else f"encode(sha256(convert_to({text}, 'UTF8')), 'hex')"


def _key_texts(table: ComparedTable) -> list[str]:
    # "C", so that a collation for which 'A' = 'a' does not merge two keys
    return [f'({exact_text(column)}) COLLATE "C"' for column in table.key]


def _key_array(table: ComparedTable) -> str:
    return f"ARRAY[{', '.join(_key_texts(table))}]"


def _key_column(table: ComparedTable) -> str:
    return f"{_key_array(table)} AS key, " if table.key else ""


def _key_of_hashed(table: ComparedTable) -> str:
    return "key" if table.key else "ARRAY[encode(hash, 'hex')]"


def _rows(table: ComparedTable, within: KeyRange | None = None, extra: str | None = None) -> str:
    conditions = [*_bounds(table, within or KeyRange()), table.condition, extra]
    held = " AND ".join(condition for condition in conditions if condition)
    only = "" if table.partitioned else "ONLY "
    return f"{only}{qualified(table.table)} AS t" + (f" WHERE {held}" if held else "")


def _bounds(table: ComparedTable, within: KeyRange) -> list[str]:
    names = ", ".join(f"t.{quoted(column.name)}" for column in table.key)
    return [
        f"({names}) {operator} ({_typed_values(table, bound)})"
        for operator, bound in ((">", within.lower), ("<=", within.upper))
        if bound is not None
    ]


def _typed_values(table: ComparedTable, key: Key) -> str:
    return ", ".join(f"{literal(value)}::{_bare(column)}" for column, value in zip(table.key, key, strict=True))


def _has_key(table: ComparedTable, keys: Sequence[Key]) -> str:
    names = [f"k{number}" for number in range(len(table.key))]
    types = [_bare(column) if table.typed_key else "text" for column in table.key]
    arrays = ", ".join(
        f"ARRAY[{', '.join(literal(key[number]) for key in keys)}]::text[]::{type_}[]"
        for number, type_ in enumerate(types)
    )
    own = [f"t.{quoted(column.name)}" for column in table.key] if table.typed_key else _key_texts(table)
    return f"({', '.join(own)}) IN (SELECT {', '.join(names)} FROM unnest({arrays}) AS wanted ({', '.join(names)}))"


def _bare(column: ComparedColumn) -> str:
    """The column's type for a cast that changes no value: `character` without a length would be one character."""
    return "bpchar" if column.type == "character" else column.type
