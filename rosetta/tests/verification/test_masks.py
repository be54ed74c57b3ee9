"""Masks in SQL are those that the stream makes of COPY text, and a target with masks is compared by them."""

from __future__ import annotations

import io
from contextlib import closing

import pytest

from rosetta.dialects.postgres.catalog import parse_tables, tables_sql
from rosetta.dialects.postgres.chunk_read import ReadPlan, read_table_sql
from rosetta.dialects.postgres.copy_text import parse_lines
from rosetta.identifiers import TableId
from rosetta.postgres import connect
from rosetta.table_rules import MaskingKey, TableRules, source_view, through

from .conftest import Pair

pytestmark = pytest.mark.integration

KEY = MaskingKey(b"a key of 32 bytes, as HKDF gives")
VALUES = {
    "i": ("int", "-7"),
    "b": ("bigint", "9223372036854775807"),
    "n": ("numeric(8,2)", "1.10"),
    "f": ("double precision", "0.1::float8 + 0.2::float8"),
    "t": ("text", r"E'tab\tline\nback\\slash ä \U0001F600'"),
    "e": ("text", "''"),
    "c": ("char(6)", "'ab'"),
    "v": ("varchar(9)", "'it''s'"),
    "o": ("boolean", "true"),
    "y": ("bytea", r"'\x00ff5c'"),
    "u": ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
    "d": ("date", "'0044-03-15 BC'"),
    "z": ("timestamptz", "'2026-02-03 04:05:06.7+08'"),
    "l": ("interval", "'1 year 2 days 03:04:05.678'"),
    "j": ("json", "'{\"a\":  1}'"),
    "k": ("jsonb", '\'{"a":  1, "b": "\\\\n"}\''),
    "a": ("text[]", "ARRAY['x', NULL, 'NULL', 'a,b', E'q\"\\\\']"),
    "r": ("int4range", "'[1,9)'"),
    "p": ("inet", "'10.0.0.1/8'"),
}
CREATE = (
    f"CREATE TABLE t (id int PRIMARY KEY, {', '.join(f'{name} {kind}' for name, (kind, _) in VALUES.items())});"
    f"INSERT INTO t SELECT 1, {', '.join(f'({value})::{kind}' for kind, value in VALUES.values())};"
    "INSERT INTO t (id) VALUES (2)"
)


def test_every_type_is_hashed_by_the_text_that_copy_writes(pair: Pair) -> None:
    pair.source.run(CREATE)
    table = TableId("public", "t")
    with (
        closing(connect(pair.source.endpoint, application="test", autocommit=True)) as session,
        session.cursor() as cursor,
    ):
        cursor.execute(tables_sql([table]))
        (found,) = cursor.fetchone() or (None,)
        schema = parse_tables(found)[table]
        plain = ReadPlan(table, schema.column_names, (), partitioned=False)
        rules = TableRules.parse(None, dict.fromkeys(VALUES, "hash"), None)
        seen = through(source_view(rules, schema, KEY), plain)
        lines = []
        for plan in (plain, seen):
            sink = io.BytesIO()
            cursor.copy_expert(read_table_sql(plan), sink)
            lines.append(sorted(parse_lines(sink.getvalue())))
    values, masks = lines
    assert [(row[0], *(None if value is None else KEY.mask(value) for value in row[1:])) for row in values] == masks
    assert values[1] == ("2", *[None] * len(VALUES))
