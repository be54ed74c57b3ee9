"""A source and a target database for the type tests, and a writer between them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2

from compute.core.batch import TableChanges
from compute.destinations.base import TableTarget, TableWrite, WriteBatch
from compute.destinations.postgres import PostgresDestination
from compute.tests.integration.type_cases import SETUP, TypeCase
from rosetta.dialects.postgres import catalog, literal, qualified
from rosetta.identifiers import TableId
from rosetta.local.postgres import PostgresCluster
from rosetta.lsn import Lsn, StreamPosition
from rosetta.postgres import PostgresEndpoint, connect
from rosetta.types import TableSchema


class Bench:
    """Sessions on both databases; `write` and `read` move bytes as an engine and a copy do."""

    def __init__(self, source: PostgresEndpoint, target: PostgresEndpoint) -> None:
        self.source_endpoint = source
        self.source = connect(source, application="types source", autocommit=True)
        self.target = connect(target, application="types target", autocommit=True)
        self.writer = PostgresDestination(target, 1, 1)
        self.writer.open(1)
        self._position = 0

    def run(self, sql: str) -> None:
        with self.source.cursor() as cursor:
            cursor.execute(sql)

    def fill(self, case: TypeCase, table: TableId) -> TableSchema:
        """Makes a table of the case's values (id, v) at the source."""
        values = case.values if case.not_null else (*case.values, None)
        rows = ", ".join(f"({place}, {literal(value)}::{case.type})" for place, value in enumerate(values))
        self.run(
            f"SET search_path = pg_catalog, public; "
            f"CREATE TABLE {qualified(table)} (id integer PRIMARY KEY, v {case.type}); "
            f"INSERT INTO {qualified(table)} VALUES {rows}; SET search_path = pg_catalog"
        )
        return self.schema(table)

    def fill_keys(self, case: TypeCase, table: TableId) -> TableSchema:
        """Makes a table whose primary key are the case's values (v, n)."""
        rows = ", ".join(f"({literal(v)}::{case.type}, {place})" for place, v in enumerate(case.values))
        self.run(
            "SET search_path = pg_catalog, public; "
            f"CREATE TABLE {qualified(table)} (v {case.type} PRIMARY KEY, n integer); "
            f"INSERT INTO {qualified(table)} VALUES {rows} ON CONFLICT DO NOTHING; SET search_path = pg_catalog"
        )
        return self.schema(table)

    def schema(self, table: TableId) -> TableSchema:
        with self.source.cursor() as cursor:
            cursor.execute(catalog.tables_sql([table]))
            row = cursor.fetchone()
        assert row is not None
        return catalog.parse_tables(row[0])[table]

    def read(self, query: str) -> bytes:
        """COPY text of a query on the source."""
        buffer = io.BytesIO()
        with self.source.cursor() as cursor:
            cursor.copy_expert(f"COPY ({query}) TO STDOUT", buffer)
        return buffer.getvalue()

    def column(self, query: str) -> list[str]:
        with self.source.cursor() as cursor:
            cursor.execute(query)
            return [str(row[0]) for row in cursor.fetchall()]

    def write(self, target: TableTarget, data: bytes, *, unchanged: bool = False, deletes: bool = False) -> None:
        self._position += 1
        schema = target.schema
        changes = TableChanges(
            schema.table, schema.column_names, schema.key, data.count(b"\n"), data, True, deletes, unchanged, False
        )
        batch = WriteBatch(StreamPosition(Lsn(self._position)), (), (TableWrite(target, changes),))
        assert self.writer.write_changes(batch).refusal.tables == {}

    def assert_same(self, case: TypeCase, target: TableTarget, key: str, where: str = "true") -> None:
        """Same text on both sides; and equal by the type's own operator, where it has one."""
        source, copied = qualified(target.source), qualified(target.target)
        expected = self._rows(self.source, f"SELECT {key}::text, v::text FROM {source} WHERE {where}")
        assert self._rows(self.target, f"SELECT {key}::text, v::text FROM {copied}") == expected
        for name, text in expected if case.equality else ():
            value = "v IS NULL" if text is None else f"v = CAST({literal(text)} AS {case.type})"
            # The operators of an extension are found by the search path, which reading exactly leaves empty.
            sql = f"SELECT bool_and({value}) FROM {copied} WHERE {key}::text = {literal(name)}"
            found = self._rows(self.target, f"BEGIN; SET LOCAL search_path = pg_catalog, public; {sql}")
            self._rows(self.target, "COMMIT; SELECT 1")
            assert found == [(True,)], text

    @staticmethod
    def _rows(connection: psycopg2.extensions.connection, sql: str) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return sorted(cursor.fetchall(), key=str)

    def close(self) -> None:
        self.writer.close()
        self.source.close()
        self.target.close()


@contextmanager
def type_bench(cluster: PostgresCluster, name: str, setup_sql: str = SETUP) -> Iterator[Bench]:
    """Two databases, gone again at the end; the types are made at the source only."""
    admin = cluster.connect()
    names = (f"{name}_source", f"{name}_target")
    with admin.cursor() as cursor:
        for database in names:
            cursor.execute(f"CREATE DATABASE {database} TEMPLATE template0")
    source, target = (
        PostgresEndpoint("127.0.0.1", cluster.port, database, cluster.superuser, cluster.password, "disable")
        for database in names
    )
    setup = cluster.connect(source.database)
    with setup.cursor() as cursor:
        cursor.execute(setup_sql)
    setup.close()
    made = Bench(source, target)
    try:
        yield made
    finally:
        made.close()
        with admin.cursor() as cursor:
            for database in names:
                cursor.execute(f"DROP DATABASE {database} WITH (FORCE)")
        admin.close()
