"""How columns of a source and of a Snowflake table are put side by side; what is compared is shown by the contract."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rosetta.dialects.postgres.checksum import ComparedTable, KeyRange, row_hash
from rosetta.dialects.postgres.table_facts import TableFacts
from rosetta.dialects.snowflake import checksum
from rosetta.dialects.snowflake.names import Naming
from rosetta.identifiers import TableId
from rosetta.types.schema import Column, TableSchema
from rosetta.verification import TablePair
from rosetta.verification.snowflake import pair_with_account

SCHEMA = TableSchema(
    TableId("public", "t"),
    tuple(Column(*one) for one in (("id", "bigint"), ("mail", "text"), ("n", "integer"), ("x", "jsonb"))),
    ("id",),
    primary_key=("id",),
)
FACTS = TableFacts(False, {"id": "bigint", "mail": "text", "n": "integer", "x": "jsonb"}, {}, frozenset())
PAIR = TablePair(TableId("public", "t"), TableId("LANDING", "t"))
TYPES = {
    "ID": ("NUMBER", 0),
    "MAIL": ("TEXT", 0),
    "N": ("NUMBER", 0),
    "X": ("VARIANT", 0),
    "_ROSETTA_RAW": ("VARIANT", 0),
}


def texts(table: ComparedTable) -> dict[str, str | None]:
    return {column.name: column.sql for column in table.columns}


def test_names_are_folded_and_values_that_a_type_lacks_are_read_beside_the_row() -> None:
    paired = pair_with_account(PAIR, SCHEMA, FACTS, TYPES, Naming())
    assert paired.target.table == TableId("LANDING", "T")
    assert texts(paired.source) == {
        "id": None,
        "mail": None,
        "n": None,
        "x": "CASE WHEN (t.\"x\"::text) IS NOT NULL THEN '1' END",
    }
    assert texts(paired.target)["N"] == 'COALESCE(CAST(t."N" AS VARCHAR), CAST(t."_ROSETTA_RAW":"N" AS VARCHAR))'
    assert (paired.uncompared_columns, paired.ranged, paired.source.typed_key) == (("x",), False, True)
    assert (paired.source.portable, "md5(" in row_hash(paired.source)) == (True, True)
    assert paired.target.condition is None


def test_masks_names_and_soft_deletes_of_a_table_sync() -> None:
    pair = replace(
        PAIR,
        columns={"id": "id", "mail": "Mail", "n": "n"},
        masked={"mail": "hidden(t.mail)", "n": "NULL::text"},
        condition="t.n > 1",
    )
    there = {"id": ("NUMBER", 0), "Mail": ("TEXT", 0), "n": ("NUMBER", 0), "_ROSETTA_DELETED": ("BOOLEAN", 0)}
    paired = pair_with_account(pair, SCHEMA, FACTS, there, Naming(preserve=True))
    assert texts(paired.source) == {
        "id": None,
        "mail": "hidden(t.mail)",
        "n": "CASE WHEN (NULL::text) IS NOT NULL THEN '1' END",
    }
    assert texts(paired.target)["Mail"] == 't."Mail"'
    assert paired.target.condition == 'NOT t."_ROSETTA_DELETED"'
    assert (paired.source.condition, paired.uncompared_columns) == ("(t.n > 1)", ("n",))


def test_what_the_target_lacks_is_told_and_a_lost_key_leaves_nothing_to_match_by() -> None:
    paired = pair_with_account(PAIR, SCHEMA, FACTS, {"ID": ("NUMBER", 0), "N": ("NUMBER", 0)}, Naming())
    assert (paired.missing_columns, paired.comparable) == (("mail", "x"), True)
    lost = pair_with_account(PAIR, SCHEMA, FACTS, {"N": ("NUMBER", 0)}, Naming())
    assert (lost.missing_columns, lost.comparable) == (("id", "mail", "x"), False)


@pytest.mark.parametrize("fields", [("",), ("a", None), ("~n", "~", "|"), ("~~p|n", "~p", None)])
def test_fields_come_back_as_they_were(fields: tuple[str | None, ...]) -> None:
    written = "|".join("~n" if one is None else one.replace("~", "~~").replace("|", "~p") for one in fields)
    assert checksum.fields_of(written) == fields


def test_an_account_is_not_read_by_ranges() -> None:
    paired = pair_with_account(PAIR, SCHEMA, FACTS, TYPES, Naming())
    with pytest.raises(ValueError, match="ranges"):
        checksum.totals_sql(paired.target, KeyRange(("1",)))
