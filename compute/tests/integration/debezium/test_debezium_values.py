"""Every type arrives as the source prints it, byte for byte as its own COPY does."""

from __future__ import annotations

import io

import pytest

from compute.core.batch import META_COLUMNS
from compute.tests.integration.debezium.conftest import Source, new_source, spec
from compute.tests.integration.debezium.host import EngineHost
from compute.tests.integration.debezium.replica import lines_of
from compute.tests.support.folders import open_to_servers
from rosetta.local.ports import free_port
from rosetta.local.postgres import PostgresCluster
from rosetta.postgres import connect

Factory = pytest.TempPathFactory
pytestmark = pytest.mark.integration

USER_TYPES = """
    CREATE SCHEMA app;
    CREATE TYPE app.mood AS ENUM ('sad', 'it''s ok', 'a,b"c');
    CREATE DOMAIN app.cents AS numeric(12,2) CHECK (VALUE >= 0);
    CREATE TYPE app.pair AS (a int, b text);
    CREATE TYPE app.span AS RANGE (subtype = float8);
    CREATE DOMAIN app.moods AS app.mood[];
"""
VALUES: dict[str, list[str]] = {
    "smallint": ["-32768", "32767"],
    "bigint": ["-9223372036854775808", "9223372036854775807"],
    "oid": ["4294967295"],
    "real": ["'NaN'", "'-Infinity'", "1.1", "3.4028235e38", "'-0'"],
    "double precision": ["'Infinity'", "0.1 + 0.2::float8", "5e-324", "1e300"],
    "numeric": ["'NaN'", "'-Infinity'", "1.500", "12345678901234567890123456789.000001", "1e-20"],
    "numeric(38,5)": ["86695.27", "'NaN'"],
    "money": ["12.34", "-1234567.89"],
    "boolean": ["true", "false"],
    "text": ["''", "E'tab\\there\\nline\\\\r back\\\\N \\r\\b\\f\\v \\u00e9 \\u20ac \U0001f600'", "'NULL'", "'\\N'"],
    "varchar(10)": ["' x '"],
    "char(8)": ["'pad'"],
    '"char"': ["'x'"],
    "name": ["'n'"],
    "bytea": ["'\\xdeadbeef00'", "''"],
    "date": ["'infinity'", "'-infinity'", "'0044-03-15 BC'", "'5874897-12-31'", "'2024-02-29'"],
    "time": ["'24:00:00'", "'12:34:56.789012'"],
    "timetz": ["'24:00:00+05:30'", "'01:02:03.4-08'"],
    "timestamp": ["'infinity'", "'294276-12-31 23:59:59.999999'", "'4713-01-01 00:00:00 BC'"],
    "timestamptz": ["'-infinity'", "'2024-07-01 12:00:00.000001+02'", "'0001-01-01 00:00:00+00 BC'"],
    "timestamp(0)": ["'2024-01-01 00:00:00.6'"],
    "interval": ["'1 year 2 mons -3 days 04:05:06.7'", "'-00:00:00.000001'", "'178000000 years'"],
    "uuid": ["gen_random_uuid()"],
    "json": ['\'{"b":1, "a" : [1,2], "a":null}\'', "'null'", "'12345678901234567890'"],
    "jsonb": ['\'{"b":1, "a" : [1,2.50]}\'', "'null'", "'\"\\\\u00e9 \\\\\\\\ \\\\t\"'"],
    "bit(1)": ["B'1'"],
    "bit(5)": ["B'10110'"],
    "bit varying": ["B'0001'", "B''"],
    "inet": ["'10.0.0.1/8'", "'::1'"],
    "cidr": ["'10.0.0.0/8'"],
    "macaddr": ["'08:00:2b:01:02:03'"],
    "macaddr8": ["'08:00:2b:01:02:03:04:05'"],
    "point": ["'(1.1,-2)'"],
    "line": ["'{1,2,3}'"],
    "lseg": ["'[(0,0),(1,1)]'"],
    "box": ["'(1,1),(0,0)'"],
    "path": ["'[(0,0),(1,1)]'", "'((0,0),(1,1))'"],
    "polygon": ["'((0,0),(1,1),(1,0))'"],
    "circle": ["'<(0,0),1.5>'"],
    "int4range": ["'[1,5)'", "'empty'"],
    "numrange": ["'(,1.50]'"],
    "tstzrange": ["'[2024-01-01 00:00+02,infinity)'"],
    "daterange": ["'[2024-01-01,)'"],
    "int8multirange": ["'{[1,3),[5,7)}'"],
    "tsvector": ["'a:1 b:2A ''c d'''"],
    "tsquery": ["'a & !b'"],
    "pg_lsn": ["'16/B374D848'"],
    "pg_snapshot": ["'10:20:10,14'"],
    "xid8": ["'18446744073709551615'"],
    "regclass": ["'pg_class'", "'public.types'"],
    "regtype": ["'app.mood'", "'int4'"],
    "int[]": ["'{1,NULL,3}'", "'{}'", "'[0:1]={1,2}'", "'{{1,2},{3,4}}'"],
    "text[]": ["ARRAY['a,b', 'c\"d', 'e\\f', 'NULL', NULL, '']"],
    "numeric[]": ["'{NaN,1.50,Infinity}'"],
    "timestamptz[]": ["'{infinity,2024-01-01 00:00+00}'"],
    "bytea[]": ["ARRAY['\\xde'::bytea, '\\x']"],
    "jsonb[]": ["ARRAY['{\"a\": 1}'::jsonb, 'null']"],
    "uuid[]": ["ARRAY[gen_random_uuid()]"],
    "interval[]": ["'{1 day,-1 mon}'"],
    "app.mood": ["'it''s ok'", "'a,b\"c'"],
    "app.mood[]": ["ARRAY['a,b\"c', NULL]::app.mood[]"],
    "app.moods": ["ARRAY['sad']::app.mood[]"],
    "app.cents": ["'1.50'"],
    "app.pair": ["ROW(1, 'a \"q\", b')", "ROW(NULL, '')"],
    "app.pair[]": ["ARRAY[ROW(1, 'x')::app.pair]"],
    "app.span": ["'[1.1,2.2)'"],
}


def _printed(source: Source, query: str) -> list[bytes]:
    session = connect(source.engine_source().endpoint, application="test")
    buffer = io.BytesIO()
    with session.cursor() as cursor:
        cursor.copy_expert(f"COPY ({query}) TO STDOUT", buffer)
    session.close()
    return buffer.getvalue().split(b"\n")[:-1]


def _define(source: Source) -> str:
    source.sql(USER_TYPES)
    columns = ", ".join(f"c{number} {type_}" for number, type_ in enumerate(VALUES))
    source.sql(f"CREATE TABLE types (id int PRIMARY KEY, {columns})")
    return ", ".join(f"c{number}" for number in range(len(VALUES)))


def _rows(number: int) -> str:
    """Row `number` holds every type's value of that rank, or NULL; row 0 has every value of a type that has many."""
    cells = [
        f"CAST({values[number]} AS {type_})" if number < len(values) else "NULL" for type_, values in VALUES.items()
    ]
    return ", ".join(cells)


def _streamed(stream_lines: list[bytes]) -> list[bytes]:
    return [line.split(b"\t", len(META_COLUMNS))[len(META_COLUMNS)] for line in stream_lines]


def test_every_type_is_exact(source: Source) -> None:
    names = _define(source)
    deepest = max(len(values) for values in VALUES.values())
    source.sql("ALTER DATABASE " + source.database + " SET DateStyle = 'German, DMY'")
    source.sql("ALTER DATABASE " + source.database + " SET IntervalStyle = 'iso_8601'")
    source.sql("ALTER DATABASE " + source.database + " SET extra_float_digits = -10")
    source.sql("ALTER DATABASE " + source.database + " SET bytea_output = 'escape'")
    source.sql("ALTER DATABASE " + source.database + " SET TimeZone = 'Asia/Kolkata'")
    source.sql("ALTER DATABASE " + source.database + " SET search_path = app, public")
    stream = source.stream(spec("types", "id"))
    for number in range(deepest + 1):  # the last row has only NULLs
        source.sql(f"INSERT INTO types (id, {names}) SELECT {number}, {_rows(number)}")
    batches = stream.follow(source.watermark())
    source.sql("UPDATE types SET id = id + 1000")
    batches += stream.follow(source.watermark())
    lines = [line for batch in batches for part in batch.tables for line in bytes(part.data).split(b"\n")[:-1]]
    kept = _streamed([line for line in lines if not line.startswith(b"d")])
    inserted = _printed(source, f"SELECT id - 1000, {names} FROM public.types ORDER BY id")
    updated = _printed(source, f"SELECT id, {names} FROM public.types ORDER BY id")
    assert kept == inserted + updated
    assert len(VALUES) >= 60


def test_a_type_made_in_mid_stream_is_exact(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY)")
    stream = source.stream(spec("t", "id"))
    source.sql("INSERT INTO t VALUES (1)")
    stream.follow(source.watermark())
    source.sql("CREATE TYPE late AS ENUM ('a'); ALTER TABLE t ADD COLUMN v late; INSERT INTO t VALUES (2, 'a')")
    source.sql("ALTER TYPE late ADD VALUE 'b'")
    source.sql("INSERT INTO t VALUES (3, 'b')")
    stream.follow(source.watermark())
    assert set(stream.replica.rows.popitem()[1].values()) == {("1",), ("2", "a"), ("3", "b")}


def test_old_rows_of_deletes_are_keys_or_whole(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL DEFAULT 5, v text NOT NULL)")
    source.sql("CREATE TABLE bag (n int NOT NULL DEFAULT 5, v text); ALTER TABLE bag REPLICA IDENTITY FULL")
    stream = source.stream(spec("t", "id"), spec("bag"))
    source.sql("INSERT INTO t VALUES (1, 2, 'x'); INSERT INTO bag VALUES (1, NULL), (1, NULL), (2, 'y')")
    stream.follow(source.watermark())
    source.sql("DELETE FROM t; DELETE FROM bag WHERE ctid = '(0,1)'; UPDATE bag SET n = 3 WHERE n = 2")
    batches = stream.follow(source.watermark())
    lines = {part.table.name: lines_of(part) for batch in batches for part in batch.tables}
    assert [(line.operation, line.values) for line in lines["t"]] == [("d", ("1", None, None))]
    assert [(line.operation, line.values) for line in lines["bag"]] == [
        ("d", ("1", None)),
        ("d", ("2", "y")),
        ("c", ("3", "y")),
    ]
    assert len({line.version for line in lines["bag"]}) == 3


def test_transaction_ids_go_on_behind_the_first_four_billion(host: EngineHost, tmp_path_factory: Factory) -> None:
    folder = tmp_path_factory.mktemp("epoch")
    open_to_servers(folder)
    cluster = PostgresCluster(folder / "pg", free_port(), "cluster-password")
    cluster.initialise()
    reset = cluster.account.run([cluster.bin() / "pg_resetwal", "--epoch=7", "-D", cluster.data])
    assert reset.returncode == 0, reset.stderr
    cluster.start()
    try:
        made = new_source(cluster, "postgres", host)
        made.sql("CREATE TABLE t (id int PRIMARY KEY)")
        stream = made.stream(spec("t", "id"))
        insert = "WITH i AS (INSERT INTO t VALUES (1) RETURNING 1) SELECT pg_current_xact_id()::text FROM i"
        [(xid,)] = made.sql(insert)
        [line] = [one for batch in stream.follow(made.watermark()) for part in batch.tables for one in lines_of(part)]
        assert line.xid == int(xid) > 7 << 32
        stream.stop()
        made.connection.close()
    finally:
        cluster.stop()


def test_transaction_ids_have_64_bits_and_times_are_those_of_commit(source: Source) -> None:
    source.sql("CREATE TABLE t (id int PRIMARY KEY)")
    stream = source.stream(spec("t", "id"))
    [(xid, before)] = source.sql(
        "WITH i AS (INSERT INTO t VALUES (1) RETURNING 1) SELECT pg_current_xact_id()::text, clock_timestamp() FROM i"
    )
    batches = stream.follow(source.watermark())
    [line] = [line for batch in batches for part in batch.tables for line in lines_of(part)]
    assert line.xid == int(xid)
    assert 0 <= line.micros / 1e6 - before.timestamp() < 5
    assert any(batch.commit_time == line.micros / 1e6 for batch in batches)
