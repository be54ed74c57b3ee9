"""Rules of table syncs as they are declared, and the view of a source that they make."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from rosetta.declaration.document import DeclaredTable
from rosetta.dialects.postgres.chunk_read import KeyColumn, ReadPlan, read_chunk_sql, read_keys_sql
from rosetta.dialects.postgres.preview import counts_sql
from rosetta.errors import ConfigurationError
from rosetta.identifiers import TableId
from rosetta.secrets import Keyring
from rosetta.table_rules import MaskingKey, TableRules, source_view, through
from rosetta.types import Column, TableSchema

TABLE = TableId("public", "t")
SCHEMA = TableSchema(TABLE, (Column("id", "bigint"), Column("name", "text"), Column("n", "numeric(8,2)")), ("id",))
KEY = MaskingKey(b"k" * 32)


def key_column(name: str) -> KeyColumn:
    less, less_equal, equal, greater, greater_equal = (
        f"OPERATOR(pg_catalog.{one})" for one in ("<", "<=", "=", ">", ">=")
    )
    return KeyColumn(name, "bigint", less, less_equal, equal, greater, greater_equal, True, False, False)


def test_the_same_rules_have_one_fingerprint_however_they_are_written() -> None:
    one = TableRules.parse(["id", "name"], {"name": "hash"}, ["n > 1"])
    other = TableRules.parse(
        {"name": "name", "id": "id"}, {"name": "hash"}, [{"column": "n", "operator": ">", "value": "1"}]
    )
    assert one.fingerprint == other.fingerprint
    assert one.fingerprint != TableRules.parse(["id", "name"], {"name": "redact"}, ["n > 1"]).fingerprint
    assert not TableRules.parse(None, {}, [])


@pytest.mark.parametrize("filters", [{"n": 1}, "n > 1", [3], [["n > 1"]], [{"column": "n"}]])
def test_what_is_no_list_of_conditions_is_refused(filters: Any) -> None:
    with pytest.raises(ConfigurationError):
        TableRules.parse(None, None, filters)


def test_masks_stay_while_the_key_they_were_made_with_is_known() -> None:
    first = Keyring.from_secret_key("first key").masking_key
    assert Keyring.from_secret_key("second key", ["first key"]).masking_key == first
    assert Keyring.from_secret_key("third key", ["second key", "first key"]).masking_key == first
    assert Keyring.from_secret_key("second key").masking_key != first
    assert MaskingKey(first).mask("x") == hmac.new(first, b"x", hashlib.sha256).hexdigest()
    assert "first" not in repr(MaskingKey(first))
    assert first.hex() not in repr(MaskingKey(first))


def test_a_copy_reads_what_the_rules_show() -> None:
    rules = TableRules.parse({"id": "key", "n": "n"}, {"id": "hash"}, ["name = 'it''s'"])
    plan = ReadPlan(TABLE, SCHEMA.column_names, (key_column("id"),), partitioned=False)
    seen = through(source_view(rules, SCHEMA, KEY), plan)
    assert seen.columns == ("key", "n")
    assert (seen.portable, seen.reads_key, plan.portable, plan.reads_key) == (False, False, True, True)
    chunk = read_chunk_sql(seen, ("1",), ("9",))
    assert '"name"' in chunk.split("WHERE")[1]
    assert '"name"' not in chunk.split("FROM")[0]
    assert "sha256" in read_keys_sql(seen, [("abc",)]).split("WHERE")[1]


def test_a_mask_never_takes_the_name_of_a_key() -> None:
    """ORDER BY looks at the names of what is selected first, and `NULL::text` is called text."""
    schema = TableSchema(TABLE, (Column("text", "bigint"), Column("name", "text")), ("text",))
    plan = ReadPlan(TABLE, schema.column_names, (key_column("text"),), partitioned=False)
    view = source_view(TableRules.parse(None, {"name": "null"}, None), schema, KEY)
    chunk = read_chunk_sql(through(view, plan), None, None)
    assert 'SELECT t."text", NULL::text AS _rosetta_1 FROM' in chunk


def test_counting_without_conditions_counts_every_row() -> None:
    assert counts_sql(SCHEMA, None, None).count("FILTER (WHERE true") == 3


def test_declared_filters_are_compared_with_those_that_are_stored() -> None:
    declared = DeclaredTable(table_name="t", filters=["n > 1"])
    assert declared.filters == [{"column": "n", "operator": ">", "value": "1"}]
    with pytest.raises(ValueError, match="filter 1"):
        DeclaredTable(table_name="t", filters=["n >"])
