"""The mapping of types, row by row of its table."""

from __future__ import annotations

from typing import Final

import pytest

from rosetta.dialects.snowflake.names import Naming, literal, quoted
from rosetta.dialects.snowflake.types import Form, TypeOptions, type_of
from rosetta.errors import SchemaMismatchError
from rosetta.identifiers import TableId
from rosetta.types import Column, UserType

MOOD = UserType("public", "mood", "enum", ("sad", "ok"))
CENTS = UserType("public", "cents", "domain", ("numeric(12,2)",))
PRICE = UserType("Odd one", "price", "domain", ("public.cents",))
HSTORE = UserType("public", "hstore", "extension", ("hstore",))
VECTOR = UserType("ext", "vector", "extension", ("vector",))
PART = UserType("public", "part", "composite", ("a integer",))
# Source type: the target's, and how the text is prepared.
TABLE: Final[dict[str, tuple[str, Form]]] = {
    "smallint": ("NUMBER(38,0)", Form.PLAIN),
    "integer": ("NUMBER(38,0)", Form.PLAIN),
    "bigint": ("NUMBER(38,0)", Form.PLAIN),
    "oid": ("NUMBER(38,0)", Form.PLAIN),
    "real": ("FLOAT", Form.FLOAT),
    "double precision": ("FLOAT", Form.FLOAT),
    "numeric(10,2)": ("NUMBER(10,2)", Form.NUMBER),
    "numeric(38,37)": ("NUMBER(38,37)", Form.NUMBER),
    "numeric(5,-3)": ("NUMBER(8,0)", Form.NUMBER),
    "numeric(3,5)": ("NUMBER(5,5)", Form.NUMBER),
    "numeric": ("VARCHAR", Form.PLAIN),
    "numeric(39,0)": ("VARCHAR", Form.PLAIN),
    "numeric(38,38)": ("VARCHAR", Form.PLAIN),
    "money": ("NUMBER(38,2)", Form.MONEY),
    "boolean": ("BOOLEAN", Form.PLAIN),
    "bit(1)": ("BOOLEAN", Form.PLAIN),
    "bit(11)": ("VARCHAR", Form.PLAIN),
    "bit varying": ("VARCHAR", Form.PLAIN),
    "text": ("VARCHAR", Form.PLAIN),
    "character varying(5)": ("VARCHAR", Form.PLAIN),
    "character(5)": ("VARCHAR", Form.PLAIN),
    "public.citext": ("VARCHAR", Form.PLAIN),
    "xml": ("VARCHAR", Form.PLAIN),
    "public.ltree": ("VARCHAR", Form.PLAIN),
    "bytea": ("BINARY", Form.BYTES),
    "json": ("VARIANT", Form.JSON),
    "jsonb": ("VARIANT", Form.JSON),
    "uuid": ("VARCHAR(36)", Form.PLAIN),
    "date": ("DATE", Form.DATE),
    "time without time zone": ("TIME(6)", Form.TIME),
    "time(3) without time zone": ("TIME(6)", Form.TIME),
    "time with time zone": ("VARCHAR", Form.PLAIN),
    "timestamp without time zone": ("TIMESTAMP_NTZ(6)", Form.TIMESTAMP),
    "timestamp(0) without time zone": ("TIMESTAMP_NTZ(6)", Form.TIMESTAMP),
    "timestamp with time zone": ("TIMESTAMP_TZ(6)", Form.TIMESTAMP_TZ),
    "interval": ("VARCHAR", Form.PLAIN),
    "text[]": ("ARRAY", Form.ARRAY),
    "numeric(10,2)[]": ("ARRAY", Form.ARRAY),
    "integer[]": ("ARRAY", Form.NUMBERS),
    "double precision[]": ("ARRAY", Form.NUMBERS),
    "boolean[]": ("ARRAY", Form.BOOLEANS),
    "public.mood": ("VARCHAR", Form.PLAIN),
    "public.cents": ("NUMBER(12,2)", Form.NUMBER),
    '"Odd one".price': ("NUMBER(12,2)", Form.NUMBER),
    "public.part": ("VARCHAR", Form.PLAIN),
    "public.hstore": ("VARIANT", Form.HSTORE),
    "ext.vector(3)": ("ARRAY", Form.VECTOR),
    "inet": ("VARCHAR", Form.PLAIN),
    "cidr": ("VARCHAR", Form.PLAIN),
    "macaddr": ("VARCHAR", Form.PLAIN),
    "int4range": ("VARCHAR", Form.PLAIN),
    "int4multirange": ("VARCHAR", Form.PLAIN),
    "tsvector": ("VARCHAR", Form.PLAIN),
    "public.geometry(Point,4326)": ("VARCHAR", Form.PLAIN),
    "point": ("VARIANT", Form.TEXT),
    "circle": ("VARIANT", Form.TEXT),
    "polygon": ("VARIANT", Form.TEXT),
}
USER_TYPES: Final = (MOOD, CENTS, PRICE, HSTORE, VECTOR, PART)


@pytest.mark.parametrize("source", TABLE)
def test_each_type(source: str) -> None:
    made = type_of(Column("c", source, user_types=USER_TYPES))
    assert (made.name, made.form) == TABLE[source]


def test_options() -> None:
    assert type_of(Column("c", "numeric"), TypeOptions(numeric_scale=9)).name == "NUMBER(38,9)"
    assert type_of(Column("c", "timestamp with time zone"), TypeOptions(local_time=True)).name == "TIMESTAMP_LTZ(6)"


def test_keys_are_of_types_that_compare_as_at_the_source() -> None:
    assert type_of(Column("c", "jsonb"), key=True).name == "VARCHAR"
    assert not type_of(Column("c", "double precision"), key=True).ordered
    assert not type_of(Column("c", "numeric"), key=True).ordered
    assert not type_of(Column("c", "inet"), key=True).ordered
    assert all(type_of(Column("c", name), key=True).ordered for name in ("bigint", "text", "uuid", "date", "bytea"))


def test_names_fold_and_collide() -> None:
    naming = Naming()
    assert naming.table(TableId("public", "Users")) == TableId("PUBLIC", "USERS")
    assert naming.columns(["id", "Name"]) == {"id": "ID", "Name": "NAME"}
    with pytest.raises(SchemaMismatchError) as refused:
        naming.columns(["name", "Name"])
    assert refused.value.code == "NAMES_COLLIDE"
    assert Naming(preserve=True).columns(["name", "Name"]) == {"name": "name", "Name": "Name"}


def test_nothing_escapes_from_quotes() -> None:
    assert quoted('a"b') == '"a""b"'
    assert literal("a'b\\") == "'a''b\\\\'"
    for name in ("", "a\0b", "x" * 256):
        with pytest.raises(ValueError, match="identifier"):
            quoted(name)
