"""What PostgreSQL's catalog says of tables: one query, one jsonb value, one parser.

The texts take no parameters, so that psycopg2 and asyncpg run the same, and expect a session with
`search_path = pg_catalog` (see `EXACT_TEXT_SETTINGS`): `format_type` then spells out every other schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rosetta.dialects.postgres.text import literal
from rosetta.enums import ReplicaIdentity
from rosetta.identifiers import TableId
from rosetta.types import Column, TableSchema, UserType


def publication_tables_sql(publication: str) -> str:
    """All tables of a publication, with the columns it publishes; an empty array when there is none.

    Partitioned tables appear as their root when the publication has `publish_via_partition_root`, else as
    their partitions.
    """
    # to_jsonb, because PostgreSQL 13 and 14 have no column lists
    return _schemas_sql(
        f"SELECT c.oid AS relation, to_jsonb(p) -> 'attnames' AS published {published_from(publication)}"
    )


def published_from(publication: str) -> str:
    """FROM and WHERE over a publication's tables: `p` is of pg_publication_tables, `c` of pg_class.

    A table that belongs to an extension (PostGIS's spatial_ref_sys) is in every publication FOR ALL TABLES, and the
    extension brings it to the target itself: it takes part only where the publication names it.
    """
    return f"""
    FROM pg_publication_tables p
    JOIN pg_namespace n ON n.nspname = p.schemaname
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
    WHERE p.pubname = {literal(publication)} AND (
        NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        OR EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication b ON b.oid = r.prpubid
                   WHERE r.prrelid = c.oid AND b.pubname = p.pubname))"""


def tables_sql(tables: Iterable[TableId]) -> str:
    """The named tables, whole, whether published or not; those that do not exist are left out."""
    names = ", ".join(f"({literal(table.schema)}, {literal(table.name)})" for table in tables)
    wanted = f"VALUES {names}" if names else "SELECT NULL::name, NULL::name"
    return _schemas_sql(f"""
    SELECT c.oid AS relation, NULL::jsonb AS published
    FROM ({wanted}) AS wanted (schema, name)
    JOIN pg_namespace n ON n.nspname = wanted.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
    WHERE c.relkind IN ('r', 'p')""")


def parse_tables(value: str | Sequence[Mapping[str, Any]]) -> dict[TableId, TableSchema]:
    """The answer of either query, as a driver hands it over (jsonb decoded or as text), in order of name."""
    tables = json.loads(value) if isinstance(value, str) else value
    schemas = (_table(table) for table in tables)
    return {schema.table: schema for schema in sorted(schemas, key=lambda schema: schema.table)}


def _table(value: Mapping[str, Any]) -> TableSchema:
    columns = tuple(_column(column) for column in value["columns"])
    names = {column.name for column in columns}
    primary_key, identity = tuple(value["primary_key"]), tuple(value["identity"])
    replica_identity = ReplicaIdentity(value["replica_identity"])
    return TableSchema(
        table=TableId(value["schema"], value["name"]),
        columns=columns,
        key=_key(replica_identity, primary_key, identity, names),
        replica_identity=replica_identity,
        partitioned=value["partitioned"],
        primary_key=primary_key if names.issuperset(primary_key) else (),
        relation=value["relation"],
        storage=value["storage"],
        seen_at=int(value["seen_at"]),
    )


def _key(
    replica_identity: ReplicaIdentity, primary_key: tuple[str, ...], identity: tuple[str, ...], published: set[str]
) -> tuple[str, ...]:
    """The columns that every change in the stream identifies its row by.

    `identity` are the columns that an old row is logged with: those of the index that DEFAULT or INDEX name.
    """
    if replica_identity is ReplicaIdentity.NOTHING:
        return ()
    logged = published if replica_identity is ReplicaIdentity.FULL else published & set(identity)
    if primary_key and logged.issuperset(primary_key):
        return primary_key
    return identity if published.issuperset(identity) else ()


def _column(value: Mapping[str, Any]) -> Column:
    return Column(
        name=value["name"],
        type=value["type"],
        nullable=value["nullable"],
        user_types=tuple(
            UserType(user["schema"], user["name"], user["kind"], tuple(user["definition"])) for user in value["types"]
        ),
        nondeterministic=value["nondeterministic"],
        number=value["number"],
        type_id=value["type_id"],
        missing=value["missing"],
    )


def _schemas_sql(chosen: str) -> str:
    """One jsonb array of the tables that `chosen` (relation, published) selects."""
    return f"""
WITH RECURSIVE chosen AS ({chosen}
),
shown AS MATERIALIZED (
    SELECT a.attrelid AS relation, a.attnum AS number, a.attname AS name, a.atttypid AS type,
           format_type(a.atttypid, a.atttypmod) AS type_text, NOT a.attnotnull AS nullable,
           EXISTS (SELECT FROM pg_collation l WHERE l.oid = a.attcollation AND NOT l.collisdeterministic)
               AS nondeterministic,
           a.atttypid::text || ':' || a.atttypmod AS type_id, {_MISSING_SQL} AS missing
    FROM chosen JOIN pg_class c ON c.oid = chosen.relation JOIN pg_attribute a ON a.attrelid = c.oid
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      AND (jsonb_typeof(chosen.published) IS DISTINCT FROM 'array' OR chosen.published ? a.attname::text)
),
{_USER_TYPES_SQL}
SELECT COALESCE(jsonb_agg(jsonb_build_object(
    'schema', n.nspname, 'name', c.relname, 'partitioned', c.relkind = 'p', 'replica_identity', c.relreplident,
    'relation', c.oid::bigint, 'storage', {_STORAGE_SQL},
    'seen_at', pg_snapshot_xmax(pg_current_snapshot())::text,
    'columns', COALESCE((
        SELECT jsonb_agg(jsonb_build_object('name', s.name, 'type', s.type_text, 'nullable', s.nullable,
                                            'nondeterministic', s.nondeterministic, 'number', s.number,
                                            'type_id', s.type_id, 'missing', s.missing,
                                            'types', COALESCE(u.types, '[]')) ORDER BY s.number)
        FROM shown s LEFT JOIN user_types u ON u.root = s.type
        WHERE s.relation = c.oid), '[]'),
    'primary_key', COALESCE((SELECT {_INDEX_COLUMNS_SQL} FROM pg_index i
        WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid), '[]'),
    'identity', COALESCE((SELECT {_INDEX_COLUMNS_SQL} FROM pg_index i
        WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
          AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END), '[]'))), '[]')
FROM chosen JOIN pg_class c ON c.oid = chosen.relation JOIN pg_namespace n ON n.oid = c.relnamespace"""


# Only the leaves of a partitioned table have rows. Everything is of the snapshot, so that a rewrite is seen together
# with what it was for.
_LEAVES_SQL = """WITH RECURSIVE below (relation) AS (
                SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = c.oid
                UNION ALL SELECT i.inhrelid FROM below JOIN pg_inherits i ON i.inhparent = below.relation)"""
_STORAGE_SQL = f"""CASE c.relkind WHEN 'p' THEN ({_LEAVES_SQL}
            SELECT COALESCE(md5(string_agg(l.oid || ':' || l.relfilenode, ',' ORDER BY l.oid)), '')
            FROM below JOIN pg_class l ON l.oid = below.relation WHERE l.relkind = 'r')
        ELSE c.relfilenode::text END"""
# An array of the one value. Only box has another delimiter, and nothing that would be quoted. Where the leaves of a
# partitioned table differ there is no such value.
_MISSING_TEMPLATE = f"""CASE WHEN a.atthasmissing THEN {{one}} WHEN c.relkind = 'p' THEN ({_LEAVES_SQL}
                SELECT CASE WHEN count(*) = count(l.attmissingval) AND count(DISTINCT l.attmissingval::text) = 1
                    THEN {{any}} END
                FROM below JOIN pg_class p ON p.oid = below.relation AND p.relkind = 'r'
                LEFT JOIN pg_attribute l ON l.attrelid = p.oid AND l.attname = a.attname AND l.atthasmissing) END"""
_ONLY_SQL = """CASE t.typdelim WHEN ',' THEN ({array}::text[])[1] ELSE btrim({array}, '{{}}') END"""
_MISSING_SQL = _MISSING_TEMPLATE.format(
    one=_ONLY_SQL.format(array="a.attmissingval::text"),
    any=_ONLY_SQL.format(array="min(l.attmissingval::text)"),
)
_INDEX_COLUMNS_SQL = """(
            SELECT jsonb_agg(a.attname ORDER BY k.position)
            FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, position)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
            WHERE k.position <= i.indnkeyatts)"""

# All types below the types of the columns that a target does not have by itself, those they need first.
# (to_jsonb, because PostgreSQL 13 has no multiranges.)
_USER_TYPES_SQL = """needed (root, type, depth) AS (
    SELECT DISTINCT type, type, 0 FROM shown
    UNION
    SELECT w.root, below.type, w.depth + 1
    FROM needed w JOIN pg_type t ON t.oid = w.type
    CROSS JOIN LATERAL (
        SELECT t.typelem WHERE t.typelem <> 0 AND t.typlen = -1
        UNION ALL SELECT t.typbasetype WHERE t.typtype = 'd'
        UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid
        UNION ALL SELECT r.rngtypid FROM pg_range r
            WHERE t.typtype = 'm' AND (to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid
        UNION ALL SELECT a.atttypid FROM pg_attribute a
            WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    ) AS below (type)
    WHERE t.typnamespace <> 'pg_catalog'::regnamespace AND (t.typelem <> 0 OR NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'))
),
defined AS (
    SELECT t.oid AS type, n.nspname AS schema, t.typname AS name,
        CASE WHEN e.extname IS NOT NULL THEN 'extension'
             ELSE CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'c' THEN 'composite'
                                 WHEN 'r' THEN 'range' ELSE 'base' END END AS kind,
        CASE WHEN e.extname IS NOT NULL THEN jsonb_build_array(e.extname)
             WHEN t.typtype = 'e' THEN (
                SELECT jsonb_agg(l.enumlabel ORDER BY l.enumsortorder) FROM pg_enum l WHERE l.enumtypid = t.oid)
             WHEN t.typtype = 'd' THEN jsonb_build_array(format_type(t.typbasetype, t.typtypmod))
                || CASE WHEN t.typnotnull THEN '["NOT NULL"]'::jsonb ELSE '[]' END
                || COALESCE((SELECT jsonb_agg(pg_get_constraintdef(k.oid) ORDER BY k.conname) FROM pg_constraint k
                             WHERE k.contypid = t.oid AND k.contype = 'c' AND k.convalidated), '[]')
             WHEN t.typtype = 'c' THEN (
                SELECT jsonb_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
                                 ORDER BY a.attnum)
                FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
             WHEN t.typtype = 'r' THEN (
                SELECT jsonb_build_array(format_type(r.rngsubtype, NULL)) FROM pg_range r WHERE r.rngtypid = t.oid)
        END AS definition
    FROM (SELECT DISTINCT type FROM needed) AS used
    JOIN pg_type t ON t.oid = used.type JOIN pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
    LEFT JOIN pg_extension e ON e.oid = d.refobjid
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND t.typtype <> 'm' AND NOT (t.typelem <> 0 AND t.typlen = -1)
),
user_types AS (
    SELECT w.root, jsonb_agg(jsonb_build_object('schema', d.schema, 'name', d.name, 'kind', d.kind,
        'definition', COALESCE(d.definition, '[]')) ORDER BY w.depth DESC, d.schema, d.name) AS types
    FROM (SELECT root, type, max(depth) AS depth FROM needed GROUP BY root, type) AS w
    JOIN defined d ON d.type = w.type
    GROUP BY w.root
)"""
