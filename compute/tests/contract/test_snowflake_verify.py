"""Rows of a PostgreSQL source compared with what was loaded of them into an emulated account."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import pytest

from compute.destinations.base import RowChunk, TableTarget
from compute.destinations.snowflake.destination import SnowflakeDestination
from compute.destinations.snowflake.session import Session
from compute.tests.contract.changes import Change, batch, changes
from compute.tests.contract.snowflake_lane import SnowflakeLane
from compute.tests.support.snowflake_double import SnowflakeDouble
from rosetta.dialects.postgres.catalog import parse_tables, tables_sql
from rosetta.enums import DeleteMode
from rosetta.identifiers import TableId
from rosetta.local.postgres import PostgresCluster
from rosetta.postgres import PostgresEndpoint, connect
from rosetta.verification import Bounds, Outcome, TablePair, TableReport, Target, verify_tables

pytestmark = pytest.mark.integration
AT_ONCE = Bounds(deadline_seconds=0.0, leaf_rows=64, jobs=1, reveal_values=True)
# By column: its type, values of three rows (the first of them ordinary), and another value for the first.
KINDS = {
    "small": ("smallint", "'7'", "'-32768'", "'8'"),
    "big": ("bigint", "'1000000'", "'9223372036854775807'", "'1000001'"),
    "whole": ("numeric(5,-2)", "'1200'", "'99900'", "'1300'"),
    "exact": ("numeric(12,2)", "'1.5'", "'NaN'", "'1.51'"),
    "loose": ("numeric", "'1.50'", "'Infinity'", "'1.5'"),
    "cash": ("money", "'1,234.56'", "'-0.01'", "'1234.57'"),
    "cents": ("public.cents", "'2.50'", "'NaN'", "'2.51'"),
    "yes": ("boolean", "'t'", "'f'", "'f'"),
    "one": ("bit(1)", "B'1'", "B'0'", "B'0'"),
    "bits": ("bit(4)", "B'1010'", "B'0000'", "B'1011'"),
    "raw": ("bytea", r"'\xc3a0'", r"'\x'", r"'\xc3a1'"),
    "day": ("date", "'2024-02-29'", "'infinity'", "'2024-03-01'"),
    "clock": ("time", "'12:34:56.5'", "'24:00:00'", "'12:34:56.500001'"),
    "stamp": ("timestamp", "'2024-01-02 03:04:05.000006'", "'20000-01-01'", "'2024-01-02 03:04:05.000007'"),
    "moment": ("timestamptz", "'2024-01-02 03:04:05.5+02'", "'0044-03-15 BC'", "'2024-01-02 03:04:05.5+01'"),
    "who": ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", f"'{'0' * 32}'", f"'{'1' * 32}'"),
    "words": ("text", r"E'~p|~n \\ \' \t\n\u00e9\U0001F600'", "''", "'~n'"),
    "fixed": ("character(5)", "'ab'", "''", "'abc'"),
    "span": ("interval", "'1 mon 2 days'", "'-3 s'", "'1 mon 3 days'"),
    "wide": ("double precision", "'0.1'", "'-Infinity'", "'0.10000000000000002'"),
    "narrow": ("real", "'-1.1'", "'NaN'", "'-1.1000001'"),
    # Snowflake keeps these otherwise: only whether there is a value can be told.
    "doc": ("jsonb", """'{"b": 1.0, "a": null}'""", "'1'", "NULL"),
    "list": ("integer[]", "'{1,NULL,3}'", "'{}'", "NULL"),
}
PRESENCE = ("doc", "list")


@dataclass
class Stand:
    """A source, an account, and a writer that has loaded tables of the one into the other."""

    endpoint: PostgresEndpoint
    lane: SnowflakeLane
    writer: SnowflakeDestination

    def source(self, sql: str) -> None:
        with closing(connect(self.endpoint, application="test", autocommit=True)) as session:
            session.cursor().execute(sql)

    def target(self, sql: str) -> None:
        session = Session(self.lane.endpoint, "test")
        session.connect()
        with closing(session):
            session.run(sql, "tampering")

    def load(self, name: str, number: int) -> TableTarget:
        table = TableId("public", name)
        with closing(connect(self.endpoint, application="test", autocommit=True)) as session:
            cursor = session.cursor()
            cursor.execute(tables_sql([table]))
            (found,) = cursor.fetchall()
            schema = parse_tables(found[0])[table]
            data = io.BytesIO()
            cursor.copy_expert(f"COPY (SELECT * FROM public.{name}) TO STDOUT", data)
        of = TableTarget(number, schema, TableId("PUBLIC", name), delete_mode=DeleteMode.SOFT, copying=True)
        self.writer.ensure_table(of)
        self.writer.start_copy(of)
        rows = data.getvalue()
        self.writer.write_rows(RowChunk(of, schema.column_names, rows, rows.count(b"\n"), "9:9:"))
        self.writer.finish_copy(of)
        return replace(of, copying=False)

    def verify(self, of: TableTarget) -> TableReport:
        target = Target("account", self.lane.endpoint, (1, 1))
        report = verify_tables(self.endpoint, target, [TablePair(of.source, of.target)], AT_ONCE)
        assert report.reason is None
        return report.tables[0]


@pytest.fixture
def stand(cluster: PostgresCluster, new_database: Callable[[], str], snowflake: SnowflakeDouble) -> Iterator[Stand]:
    endpoint = PostgresEndpoint(
        "127.0.0.1", cluster.port, new_database(), cluster.superuser, cluster.password, "disable"
    )
    lane = SnowflakeLane(snowflake)
    writer = lane.writer()
    writer.open(1)
    yield Stand(endpoint, lane, writer)
    lane.close()


def test_values_of_every_type_are_compared_or_said_not_to_be(stand: Stand) -> None:
    columns = ", ".join(f"{name} {kind}" for name, (kind, *_) in KINDS.items())
    stand.source("CREATE DOMAIN public.cents AS numeric(12,2)")
    stand.source(f"CREATE TABLE public.kinds (id bigint PRIMARY KEY, {columns})")
    for number in (1, 2):
        values = ", ".join(made[number] for made in KINDS.values())
        stand.source(f"INSERT INTO public.kinds VALUES ({number}, {values})")
    stand.source("INSERT INTO public.kinds (id) VALUES (3), (4)")
    of = stand.load("kinds", 1)
    equal = stand.verify(of)
    assert (equal.outcome, equal.reason, equal.differences) == (Outcome.EQUAL, None, ())
    assert (equal.source_rows, equal.target_rows, equal.uncompared_columns) == (4, 4, PRESENCE)

    stand.source("DELETE FROM public.kinds WHERE id = 4")
    gone = [Change("d", 5, ("4", *[None] * len(KINDS)))]
    assert not stand.writer.write_changes(batch(10, (of, changes(of.schema, gone)))).refusal
    assert stand.verify(of).outcome is Outcome.EQUAL, "what was deleted softly counts no more"

    others = ", ".join(f"{name} = {other}" for name, (*_, other) in KINDS.items())
    stand.source(f"UPDATE public.kinds SET {others} WHERE id = 1; DELETE FROM public.kinds WHERE id = 3")
    stand.source("INSERT INTO public.kinds (id) VALUES (9)")
    found = stand.verify(of)
    assert [(one.kind.value, one.key) for one in found.differences] == [
        ("CHANGED", ("1",)),
        ("EXTRA", ("3",)),
        ("MISSING", ("9",)),
    ]
    assert found.differences[0].columns == tuple(KINDS)
    assert (found.differences[0].values or {})["words"] == ("~n", "~p|~n \\ ' \t\né\U0001f600")


def test_rows_are_found_among_many_by_keys_of_any_type(stand: Stand) -> None:
    stand.source(
        "CREATE TABLE public.many (code text, at timestamptz, raw bytea, day date, note text, f double precision, "
        "PRIMARY KEY (code, at, raw, day));"
        "INSERT INTO public.many SELECT 'a|' || n, '2024-01-01Z'::timestamptz + n * interval '1 s', "
        "int4send(n), '2024-01-01'::date + n, md5(n::text), (-1) ^ n * exp(n / 2.0 - 250) "
        "FROM generate_series(1, 1000) n"
    )
    of = stand.load("many", 2)
    assert stand.verify(of).outcome is Outcome.EQUAL
    stand.target("""UPDATE "PUBLIC"."MANY" SET "NOTE" = '~n' WHERE "CODE" = 'a|7'""")
    stand.target("""DELETE FROM "PUBLIC"."MANY" WHERE "CODE" = 'a|900'""")
    found = stand.verify(of)
    assert [(one.kind.value, *one.key, one.columns) for one in found.differences] == [
        ("CHANGED", "a|7", "1704067207000000", "00000007", "2024-01-08", ("note",)),
        ("MISSING", "a|900", "1704068100000000", "00000384", "2026-06-19", ()),
    ]
    assert found.rows_fetched < 400, "only the buckets that differ are read"
    stand.target('ALTER TABLE "PUBLIC"."MANY" DROP COLUMN "NOTE"')
    assert stand.verify(of).reason == "the target lacks column note"
    stand.target('DROP TABLE "PUBLIC"."MANY"')
    assert stand.verify(of).reason == "the target has no such table"
