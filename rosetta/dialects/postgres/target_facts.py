"""What a target's catalog says of one table: one SQL text, and the shapes it is read into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rosetta.dialects.postgres.text import literal
from rosetta.identifiers import TableId


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """Operators of a key column's B-tree, as `OPERATOR(schema.name)`: right whatever the search path is."""

    equal: str = "OPERATOR(pg_catalog.=)"
    greater: str = "OPERATOR(pg_catalog.>)"
    greater_equal: str = "OPERATOR(pg_catalog.>=)"
    less_equal: str = "OPERATOR(pg_catalog.<=)"


@dataclass(frozen=True, slots=True)
class TargetColumn:
    """One column of a target table.

    Attributes:
        type: `format_type()`, schemas spelled out.
        base_type: the same, a domain replaced by what it stands on: a staged deletion leaves columns NULL.
        collation: ` COLLATE ...` when it is not the type's own, else empty.
        order: set for columns of a B-tree index.
    """

    name: str
    type: str
    base_type: str
    collation: str = ""
    not_null: bool = False
    has_default: bool = False
    generated: bool = False
    identity_always: bool = False
    order: KeyOrder | None = None


@dataclass(frozen=True, slots=True)
class TargetTable:
    """A table as the target has it.

    Attributes:
        unique_keys: those that `ON CONFLICT` can name.
        is_plain: a COPY into it does what an INSERT does; no rules, no row security, rows of its own.
    """

    table: TableId
    kind: str
    owner: str
    columns: Mapping[str, TargetColumn]
    unique_keys: tuple[frozenset[str], ...]
    is_plain: bool = False

    def has_unique_key(self, key: tuple[str, ...]) -> bool:
        return frozenset(key) in self.unique_keys


def target_table_sql(table: TableId) -> str:
    """SQL that answers one row with one jsonb value, or no row when there is no such table."""
    return f"""
WITH target AS (
  SELECT c.oid, c.relkind, pg_get_userbyid(c.relowner) AS owner,
    c.relkind IN ('r', 'p') AND NOT c.relhasrules AND NOT c.relrowsecurity AS is_plain
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = {literal(table.schema)} AND c.relname = {literal(table.name)}
), usable AS (
  SELECT i.indexrelid, i.indkey::int2[] AS attributes, i.indclass::oid[] AS classes, i.indnkeyatts,
    i.indisunique AND i.indimmediate AND i.indpred IS NULL AS arbiter
  FROM pg_index i JOIN target ON target.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
  JOIN pg_am am ON am.oid = x.relam WHERE am.amname = 'btree' AND i.indisvalid AND i.indexprs IS NULL
    AND NOT EXISTS (SELECT FROM unnest(i.indclass::oid[]) o JOIN pg_opclass k ON k.oid = o WHERE NOT k.opcdefault)
), ordered AS (
  SELECT DISTINCT ON (part.attribute) part.attribute, jsonb_object_agg(o.amopstrategy,
      format('OPERATOR(%I.%s)', n.nspname, p.oprname)) AS operators
  FROM usable
  CROSS JOIN LATERAL unnest(usable.attributes, usable.classes) WITH ORDINALITY AS part(attribute, class, place)
  JOIN pg_opclass k ON k.oid = part.class
  JOIN pg_amop o ON o.amopfamily = k.opcfamily AND o.amoplefttype = k.opcintype AND o.amoprighttype = k.opcintype
  JOIN pg_operator p ON p.oid = o.amopopr JOIN pg_namespace n ON n.oid = p.oprnamespace
  WHERE part.place <= usable.indnkeyatts GROUP BY part.attribute, usable.indexrelid
)
SELECT jsonb_build_object('kind', target.relkind, 'owner', target.owner, 'is_plain', target.is_plain,
  'columns', coalesce((SELECT jsonb_agg(jsonb_build_object(
      'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'base_type', base.type,
      'collation', CASE WHEN a.attcollation <> t.typcollation
        THEN format(' COLLATE %I.%I', cn.nspname, co.collname) ELSE '' END,
      'not_null', a.attnotnull, 'has_default', a.atthasdef OR a.attidentity <> '', 'generated', a.attgenerated <> '',
      'identity_always', a.attidentity = 'a', 'operators', ordered.operators) ORDER BY a.attnum)
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_collation co ON co.oid = a.attcollation LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
    LEFT JOIN ordered ON ordered.attribute = a.attnum
    CROSS JOIN LATERAL (
      WITH RECURSIVE chain AS (
        SELECT a.atttypid AS oid, a.atttypmod AS typmod
        UNION ALL
        SELECT d.typbasetype, d.typtypmod FROM chain JOIN pg_type d ON d.oid = chain.oid WHERE d.typtype = 'd'
      ) SELECT format_type(chain.oid, chain.typmod) AS type FROM chain JOIN pg_type d ON d.oid = chain.oid
        WHERE d.typtype <> 'd') AS base
    WHERE a.attrelid = target.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]'::jsonb),
  'unique_keys', coalesce((SELECT jsonb_agg((SELECT jsonb_agg(a.attname) FROM pg_attribute a
      WHERE a.attrelid = target.oid AND a.attnum = ANY (usable.attributes[0:usable.indnkeyatts - 1])))
    FROM usable WHERE usable.arbiter), '[]'::jsonb))
FROM target"""


def parse_target_table(table: TableId, value: Mapping[str, Any]) -> TargetTable:
    """The answer of `target_table_sql` as a shape."""
    columns = {
        column["name"]: TargetColumn(
            **{name: item for name, item in column.items() if name != "operators"}, order=_order(column["operators"])
        )
        for column in value["columns"]
    }
    keys = tuple(frozenset(names) for names in value["unique_keys"])
    return TargetTable(table, value["kind"], value["owner"], columns, keys, value["is_plain"])


def _order(operators: Mapping[str, str] | None) -> KeyOrder | None:
    if not operators:
        return None
    # B-tree strategies: 2 <=, 3 =, 4 >=, 5 >
    return KeyOrder(operators["3"], operators["5"], operators["4"], operators["2"])
