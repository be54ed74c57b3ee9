"""What must be known of a table before its rows can be compared with another's: one query, one jsonb value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rosetta.dialects.postgres.text import literal
from rosetta.identifiers import TableId


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table as it stands in one database.

    Attributes:
        types: `format_type()` without modifiers, by column, generated columns included.
        collations: the order of text in each column, by column; equal text means equal order, '' no collation.
        indexes: leading to last column of every complete ascending B-tree index.
    """

    partitioned: bool
    types: Mapping[str, str]
    collations: Mapping[str, str]
    indexes: frozenset[tuple[str, ...]]

    def has_index_on(self, key: tuple[str, ...]) -> bool:
        """Whether an index gives rows in the order of `key`."""
        return any(index[: len(key)] == key for index in self.indexes)


def table_facts_sql(table: TableId) -> str:
    """One jsonb value, or no row when there is no such table (ordinary, partitioned or foreign)."""
    # to_jsonb, because the catalogs spell a locale's column differently in every other version
    return f"""
SELECT jsonb_build_object(
    'partitioned', c.relkind = 'p',
    'columns', COALESCE((
        SELECT jsonb_object_agg(a.attname, jsonb_build_array(format_type(a.atttypid, NULL), CASE
            WHEN a.attcollation = 0 THEN ''
            WHEN o->>'collprovider' = 'd' THEN {_order("d", "dat")}
            ELSE {_order("o", "coll")} END))
        FROM pg_attribute a
        LEFT JOIN pg_collation p ON p.oid = a.attcollation
        CROSS JOIN to_jsonb(p) AS o
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '{{}}'::jsonb),
    'indexes', COALESCE((
        SELECT jsonb_agg((
            SELECT jsonb_agg(a.attname ORDER BY k.position)
            FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, position)
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
            WHERE k.position <= i.indnkeyatts))
        FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
        WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
          AND m.amname = 'btree' AND 0 = ALL (i.indoption::int2[])), '[]'::jsonb))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
     (SELECT to_jsonb(pg_database) AS d FROM pg_database WHERE datname = current_database()) AS here
WHERE n.nspname = {literal(table.schema)} AND c.relname = {literal(table.name)} AND c.relkind IN ('r', 'p', 'f')"""


def parse_table_facts(value: Mapping[str, Any]) -> TableFacts:
    columns: Mapping[str, tuple[str, str]] = value["columns"]
    return TableFacts(
        partitioned=value["partitioned"],
        types={name: type_ for name, (type_, _) in columns.items()},
        collations={name: collation for name, (_, collation) in columns.items()},
        indexes=frozenset(tuple(index) for index in value["indexes"]),
    )


def _order(row: str, prefix: str) -> str:
    locale = " ".join(
        f"COALESCE({row}->>'{name}',"
        for name in (f"{prefix}locale", f"{prefix}iculocale" if prefix == "dat" else "colliculocale")
    )
    locale += f" {row}->>'{prefix}collate'))"
    provider = f"COALESCE({row}->>'{prefix}{'locprovider' if prefix == 'dat' else 'provider'}', 'c')"
    version = f"COALESCE({row}->>'{prefix}{'collversion' if prefix == 'dat' else 'version'}', '')"
    return (
        f"CASE WHEN {provider} = 'b' OR {locale} IN ('C', 'POSIX') THEN 'C'"
        f" ELSE concat_ws('|', {provider}, {locale}, {version}, {row}->>'collisdeterministic') END"
    )


def publication_filters_sql(publication: str) -> str:
    """Schema, table and condition of every table whose rows the publication filters (PostgreSQL 15 and newer)."""
    return (
        "SELECT schemaname, tablename, to_jsonb(p)->>'rowfilter' FROM pg_publication_tables p"
        f" WHERE pubname = {literal(publication)} AND to_jsonb(p)->>'rowfilter' IS NOT NULL"
    )
