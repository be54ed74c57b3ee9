"""What a database's catalog says of the schema `public`, comparable between databases."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from rosetta.local.postgres import PostgresCluster

_OURS = "n.nspname = 'public' AND c.relname <> 'alembic_version'"

_TABLES = f"""
SELECT c.relname, c.relkind, c.relpersistence FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OURS} AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.relname <> 'alembic_version' ORDER BY 1
"""
_COLUMNS = f"""
SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
       a.attgenerated, pg_get_expr(d.adbin, d.adrelid), a.attcollation
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE {_OURS} AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2
"""
_CONSTRAINTS = f"""
SELECT c.relname, k.conname, k.contype, pg_get_constraintdef(k.oid), k.condeferrable, k.convalidated
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OURS} ORDER BY 1, 2
"""
_INDEXES = f"""
SELECT c.relname, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), i.indisvalid
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OURS} AND c.relkind = 'r' ORDER BY 1, 2
"""
_TRIGGERS = f"""
SELECT c.relname, t.tgname, pg_get_triggerdef(t.oid), t.tgenabled
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OURS} AND NOT t.tgisinternal ORDER BY 1, 2
"""
_FUNCTIONS = """
SELECT p.proname, pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'public' ORDER BY 1
"""
_TYPES = """
SELECT t.typname, t.typtype FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname = 'public' AND t.typtype IN ('e', 'd', 'r') ORDER BY 1
"""

STRUCTURE: Mapping[str, str] = {
    "tables": _TABLES,
    "columns": _COLUMNS,
    "constraints": _CONSTRAINTS,
    "indexes": _INDEXES,
    "types": _TYPES,
}
# The mapping makes no triggers: a database is made by 001 or by Alembic, the mapping only describes it.
BEHAVIOUR: Mapping[str, str] = {"triggers": _TRIGGERS, "functions": _FUNCTIONS}


def snapshot(cluster: PostgresCluster, database: str, parts: Mapping[str, str]) -> dict[str, list[tuple[Any, ...]]]:
    with closing(cluster.connect(database)) as connection, connection.cursor() as cursor:
        found = {}
        for name, sql in parts.items():
            cursor.execute(sql)
            found[name] = cursor.fetchall()
        return found
