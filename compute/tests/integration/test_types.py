"""Every type goes to a PostgreSQL target exactly: by chunk, insert, update, as an unchanged value, and as key."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from compute.core.batch import TableChanges
from compute.destinations.base import RowChunk, TableTarget, TableWrite, WriteBatch
from compute.destinations.postgres import PostgresDestination
from compute.tests.integration.type_cases import CASES, SETUP, TypeCase
from rosetta.dialects.postgres import catalog, literal, qualified
from rosetta.identifiers import TableId
from rosetta.local.postgres import PostgresCluster
from rosetta.lsn import Lsn, StreamPosition
from rosetta.postgres import PostgresEndpoint, connect
from rosetta.types import TableSchema

pytestmark = pytest.mark.integration
REPORT = Path(__file__).parents[3] / ".reports" / "types.json"
MIN_TYPES = 45


class Bench:
    """A source database, a target database, and a writer between them."""

    def __init__(self, source: PostgresEndpoint, target: PostgresEndpoint) -> None:
        self.source = connect(source, application="types source", autocommit=True)
        self.target = connect(target, application="types target", autocommit=True)
        self.writer = PostgresDestination(target, 1, 1)
        self.writer.open(1)
        self.tried: set[str] = set()
        self.exact: set[str] = set()
        self._position = 0

    def run(self, sql: str) -> None:
        with self.source.cursor() as cursor:
            cursor.execute(sql)

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
        assert self.writer.write_changes(batch).failures == {}

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


@pytest.fixture(scope="module")
def bench(cluster: PostgresCluster) -> Iterator[Bench]:
    admin = cluster.connect()
    names = ("types_source", "types_target")
    with admin.cursor() as cursor:
        for name in names:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    ends = [
        PostgresEndpoint("127.0.0.1", cluster.port, name, cluster.superuser, cluster.password, "disable")
        for name in names
    ]
    setup = cluster.connect(names[0])
    with setup.cursor() as cursor:
        cursor.execute(SETUP)
        cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
    setup.close()
    made = Bench(*ends)
    yield made
    made.close()
    with admin.cursor() as cursor:
        for name in names:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()
    if len(made.tried) < len(CASES):  # a selection was run: no figure
        return
    report = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report | {"postgres": {"exact": len(made.exact), "of": len(CASES)}}))


def fill_source(bench: Bench, case: TypeCase, number: int) -> TableSchema:
    values: list[str | None] = [*case.values]
    if not case.not_null:
        values.append(None)
    rows = ", ".join(f"({place}, {literal(value)}::{case.type})" for place, value in enumerate(values))
    bench.run(
        f"SET search_path = pg_catalog, public; CREATE TABLE public.t{number} (id integer PRIMARY KEY, v {case.type}); "
        f"INSERT INTO public.t{number} VALUES {rows}; SET search_path = pg_catalog"
    )
    return bench.schema(TableId("public", f"t{number}"))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_type_round_trips(bench: Bench, case: TypeCase) -> None:
    number = CASES.index(case)
    bench.tried.add(case.name)
    schema = fill_source(bench, case, number)
    for way in ("chunk", "insert", "update", "unchanged"):
        target = TableTarget(
            number * 10 + len(way), schema, TableId("copied", f"t{number}_{way}"), copying=way == "chunk"
        )
        bench.writer.ensure_table(target)
        send(bench, target, way)
        bench.assert_same(case, target, "id")
    if case.key:
        as_key(bench, case, number)
    bench.exact.add(case.name)


def test_enough_types_are_in_the_table() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= MIN_TYPES


def send(bench: Bench, target: TableTarget, way: str) -> None:
    source = qualified(target.source)
    if way == "chunk":
        data = bench.read(f"SELECT id, v FROM {source}")
        bench.writer.start_copy(target)
        chunk = RowChunk(target, ("id", "v"), data, data.count(b"\n"), "10:10:", None, ("1000000",))
        bench.writer.write_rows(chunk)
        bench.writer.write_rows(chunk)
        bench.writer.finish_copy(target)
        return
    meta = "SELECT {op}, {lsn}, id, 9, 1700000000000000, {mask}, NULL, id, {value} FROM " + source
    if way == "update":
        bench.write(target, bench.read(f"SELECT 'c', 1, id, 9, 0, NULL, NULL, id, {other_value(target)} FROM {source}"))
        bench.write(target, bench.read(meta.format(op="'u'", lsn=2, mask="NULL", value="v")))
        return
    bench.write(target, bench.read(meta.format(op="'c'", lsn=1, mask="NULL", value="v")))
    if way == "unchanged":
        bench.write(target, bench.read(meta.format(op="'u'", lsn=2, mask="B'01'", value="NULL")), unchanged=True)


def other_value(target: TableTarget) -> str:
    """Some value of the column, not the row's own."""
    return f"(SELECT v FROM {qualified(target.source)} ORDER BY id LIMIT 1)"


def as_key(bench: Bench, case: TypeCase, number: int) -> None:
    """The values as primary keys: inserted, half of them deleted again, the rest read once more as chunks."""
    rows = ", ".join(f"({literal(v)}::{case.type}, {place})" for place, v in enumerate(case.values))
    table = TableId("public", f"k{number}")
    bench.run(
        "SET search_path = pg_catalog, public; "
        f"CREATE TABLE {qualified(table)} (v {case.type} PRIMARY KEY, n integer); "
        f"INSERT INTO {qualified(table)} VALUES {rows} ON CONFLICT DO NOTHING; SET search_path = pg_catalog"
    )
    target = TableTarget(5000 + number, bench.schema(table), TableId("copied", table.name), copying=True)
    bench.writer.ensure_table(target)
    bench.writer.start_copy(target)
    line = "SELECT {op}, {lsn}, n, 9, 0, NULL, {old}, v, {n} FROM " + qualified(table)
    bench.write(target, bench.read(line.format(op="'c'", lsn=1, old="NULL", n="n")))
    bench.assert_same(case, target, "n")
    bench.write(
        target, bench.read(line.format(op="'d'", lsn=2, old="NULL", n="NULL") + " WHERE n % 2 = 0"), deletes=True
    )
    bench.assert_same(case, target, "n", "n % 2 = 1")
    # A chunk above the smallest key up to the greatest brings back all but, perhaps, the smallest.
    placed = f"(SELECT v, n, row_number() OVER (ORDER BY v) AS place FROM {qualified(table)}) AS placed"
    keys = bench.column(f"SELECT v::text FROM {placed} ORDER BY place")
    data = bench.read(f"SELECT v, n FROM {placed} WHERE place > 1")
    bench.writer.write_rows(RowChunk(target, ("v", "n"), data, len(keys) - 1, "10:10:", (keys[0],), (keys[-1],)))
    bench.assert_same(case, target, "n", f"n % 2 = 1 OR n <> (SELECT n FROM {placed} WHERE place = 1)")
