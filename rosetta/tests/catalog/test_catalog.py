"""`rosetta.dialects.postgres.catalog` against a real server, over every kind of table and type."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg2.extensions
import pytest

from rosetta.dialects.postgres.catalog import parse_tables, publication_tables_sql, tables_sql
from rosetta.enums import ReplicaIdentity
from rosetta.identifiers import TableId
from rosetta.local.postgres import PostgresCluster
from rosetta.postgres import PostgresEndpoint, connect
from rosetta.types import TableSchema, UserType

pytestmark = pytest.mark.integration


class Source:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self.connection = connection

    def run(self, *statements: str) -> None:
        with self.connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def parsed(self, query: str) -> dict[TableId, TableSchema]:
        with self.connection.cursor() as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
        assert row is not None
        return parse_tables(row[0])

    def published(self) -> dict[TableId, TableSchema]:
        return self.parsed(publication_tables_sql("p"))

    def table(self, name: str, schema: str = "public") -> TableSchema:
        table = TableId(schema, name)
        return self.parsed(tables_sql([table]))[table]


@pytest.fixture
def source(cluster: PostgresCluster, new_database: Callable[[], str]) -> Iterator[Source]:
    endpoint = PostgresEndpoint("127.0.0.1", cluster.port, new_database(), cluster.superuser, cluster.password)
    with closing(connect(endpoint, application="test", autocommit=True)) as connection:
        yield Source(connection)


def test_columns_and_primary_key(source: Source) -> None:
    source.run(
        "CREATE TABLE public.t (b int NOT NULL, gone int, a text, n numeric(10,2) NOT NULL, c varchar(5)[],"
        " g int GENERATED ALWAYS AS (b + 1) STORED, PRIMARY KEY (n, b) INCLUDE (a))",
        "ALTER TABLE public.t DROP COLUMN gone",
    )
    found = source.table("t")
    assert [(column.name, column.type, column.nullable) for column in found.columns] == [
        ("b", "integer", False),
        ("a", "text", True),
        ("n", "numeric(10,2)", False),
        ("c", "character varying(5)[]", True),
    ]
    assert found.key == found.primary_key == ("n", "b")
    assert found.replica_identity is ReplicaIdentity.DEFAULT
    assert not found.partitioned


def test_a_collation_by_which_different_text_is_equal_is_told(cluster_15: PostgresCluster) -> None:
    """The embedded server has no ICU, and so no such collation."""
    with closing(cluster_15.connect()) as connection:
        source = Source(connection)
        source.run(
            "BEGIN; SET LOCAL search_path = pg_catalog;"
            " CREATE COLLATION public.ignorant (provider = icu, locale = 'und-u-ks-level1', deterministic = false);"
            " CREATE TABLE public.t (k text COLLATE public.ignorant PRIMARY KEY, v text, n int)"
        )
        assert [column.nondeterministic for column in source.table("t").columns] == [True, False, False]
        source.run("ROLLBACK")


def test_odd_names_survive(source: Source) -> None:
    source.run("""CREATE SCHEMA "S'x\\ " """, """CREATE TABLE "S'x\\ "."T "" é" ("Ä'" int PRIMARY KEY)""")
    table = TableId("S'x\\ ", 'T " é')
    assert source.parsed(tables_sql([table]))[table].key == ("Ä'",)


@pytest.mark.parametrize(
    ("definition", "identity", "key"),
    [
        ("a int, b int", "DEFAULT", ()),
        ("a int, b int", "FULL", ()),
        ("a int PRIMARY KEY, b int", "NOTHING", ()),
        ("a int PRIMARY KEY, b int", "FULL", ("a",)),
        ("a int PRIMARY KEY, b int NOT NULL, CONSTRAINT u UNIQUE (b)", "USING INDEX u", ("b",)),
        ("a int PRIMARY KEY, b int NOT NULL, CONSTRAINT u UNIQUE (b, a)", "USING INDEX u", ("a",)),
        ("a int, b int NOT NULL, CONSTRAINT u UNIQUE (b)", "USING INDEX u", ("b",)),
        ("a int, b int NOT NULL, CONSTRAINT u UNIQUE (b)", "FULL", ()),
        ("a int PRIMARY KEY DEFERRABLE, b int", "DEFAULT", ()),
        ("a int PRIMARY KEY DEFERRABLE, b int", "FULL", ("a",)),
        ("b int, a int GENERATED ALWAYS AS (b * 2) STORED PRIMARY KEY", "DEFAULT", ()),
    ],
)
def test_key_follows_the_replica_identity(source: Source, definition: str, identity: str, key: tuple[str, ...]) -> None:
    source.run(f"CREATE TABLE public.t ({definition})", f"ALTER TABLE public.t REPLICA IDENTITY {identity}")
    assert source.table("t").key == key


def test_publication_selects_tables_and_columns(source: Source) -> None:
    source.run(
        "CREATE TABLE public.listed (id int PRIMARY KEY, a int, b int)",
        "CREATE TABLE public.whole (id int PRIMARY KEY, a int)",
        "CREATE TABLE public.left_out (id int PRIMARY KEY)",
        "CREATE TABLE public.keyless_list (id int PRIMARY KEY, a int)",
        "CREATE PUBLICATION p FOR TABLE public.listed (id, b), public.whole, public.keyless_list (a)",
        "CREATE PUBLICATION other FOR ALL TABLES",
    )
    found = source.published()
    assert [table.name for table in found] == ["keyless_list", "listed", "whole"]
    assert found[TableId("public", "listed")].column_names == ("id", "b")
    assert found[TableId("public", "whole")].column_names == ("id", "a")
    keyless = found[TableId("public", "keyless_list")]
    assert (keyless.column_names, keyless.key, keyless.primary_key) == (("a",), (), ())


def test_a_publication_that_does_not_exist_has_no_tables(source: Source) -> None:
    assert source.published() == {}
    assert source.parsed(tables_sql([])) == {}
    assert source.parsed(tables_sql([TableId("public", "absent")])) == {}


@pytest.mark.parametrize("via_root", [True, False])
def test_partitioned_tables(source: Source, *, via_root: bool) -> None:
    source.run(
        "CREATE TABLE public.root (id int, day date, PRIMARY KEY (day, id)) PARTITION BY RANGE (day)",
        "CREATE TABLE public.leaf PARTITION OF public.root FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
        f"CREATE PUBLICATION p FOR TABLE public.root WITH (publish_via_partition_root = {via_root})",
    )
    (only,) = source.published().values()
    assert (only.table.name, only.partitioned) == (("root", True) if via_root else ("leaf", False))
    assert only.key == ("day", "id")


def test_user_types_come_before_what_needs_them(source: Source) -> None:
    source.run(
        "CREATE SCHEMA kinds",
        "CREATE TYPE kinds.mood AS ENUM ('sad', 'it''s ok', 'happy')",
        "ALTER TYPE kinds.mood ADD VALUE 'meh' BEFORE 'happy'",
        "CREATE DOMAIN kinds.short AS varchar(5) NOT NULL CHECK (length(VALUE) > 1)",
        'CREATE TYPE kinds."Pair" AS (m kinds.mood[], "S t" kinds.short, n numeric(5,1))',
        'CREATE DOMAIN kinds.pairs AS kinds."Pair"[]',
        "CREATE TYPE kinds.span AS RANGE (subtype = numeric)",
        "CREATE TABLE public.t (id int PRIMARY KEY, p kinds.pairs, r kinds.span, mr kinds.span_multirange, i int[])",
    )
    found = source.table("t")
    assert [column.type for column in found.columns] == [
        "integer",
        "kinds.pairs",
        "kinds.span",
        "kinds.span_multirange",
        "integer[]",
    ]
    types = found.column("p").user_types
    assert [(user.name, user.kind) for user in types][-2:] == [("Pair", "composite"), ("pairs", "domain")]
    assert set(types) == {
        UserType("kinds", "mood", "enum", ("sad", "it's ok", "meh", "happy")),
        UserType(
            "kinds", "short", "domain", ("character varying(5)", "NOT NULL", "CHECK ((length((VALUE)::text) > 1))")
        ),
        UserType("kinds", "Pair", "composite", ("m kinds.mood[]", '"S t" kinds.short', "n numeric(5,1)")),
        UserType("kinds", "pairs", "domain", ('kinds."Pair"[]',)),
    }
    span = (UserType("kinds", "span", "range", ("numeric",)),)
    assert found.column("r").user_types == found.column("mr").user_types == span
    assert found.column("i").user_types == ()


def test_types_of_an_extension_are_named_by_it(source: Source) -> None:
    source.run(
        "CREATE SCHEMA ext",
        "CREATE EXTENSION citext SCHEMA ext",
        "CREATE TABLE public.t (id int PRIMARY KEY, c ext.citext[])",
    )
    column = source.table("t").column("c")
    assert column.type == "ext.citext[]"
    assert column.user_types == (UserType("ext", "citext", "extension", ("citext",)),)


def test_the_answer_may_be_text(source: Source) -> None:
    source.run("CREATE TABLE public.t (id int PRIMARY KEY)")
    query = tables_sql([TableId("public", "t")])
    with source.connection.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    assert row is not None
    assert parse_tables(json.dumps(row[0])) == parse_tables(row[0])
