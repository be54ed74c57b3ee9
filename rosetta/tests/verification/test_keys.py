"""Rows are matched by their keys' exact text, whatever the key's type and the servers' orders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rosetta.dialects.postgres.checksum import ORDERED_TYPES
from rosetta.identifiers import TableId
from rosetta.local.postgres import PostgresCluster
from rosetta.verification import Bounds, DifferenceKind, Outcome, TablePair, TableReport, Target, verify_tables

from .conftest import AT_ONCE, Database, Pair

pytestmark = pytest.mark.integration

# Ranges of 7 rows, and at most 5 rows held at once.
NARROW = replace(AT_ONCE, window_rows=7, leaf_rows=5)


def kinds(report: TableReport) -> set[tuple[str, tuple[str, ...]]]:
    return {(difference.kind.value, difference.key) for difference in report.differences}


KEYS = {
    "bigint": "g - 30",
    "numeric": "(g / 4.0)::numeric(10, 2)",
    "double precision": "g / 4.0",
    "text": "'k''\\\" %s äß€😀' || g",
    "varchar(40)": "md5(g::text)",
    "char(9)": "to_hex(g * 77)",
    "uuid": "md5(g::text)::uuid",
    "date": "date '2000-01-01' + g",
    "timestamptz": "timestamptz '2026-03-29 00:00+00' + g * interval '1 hour 1 microsecond'",
    "interval": "g * interval '13 days 1 minute'",
    "bytea": "decode(md5(g::text), 'hex')",
    "inet": "inet '10.0.0.0' + g",
    "time": "time '00:00' + g * interval '1 minute'",
    "jsonb": "jsonb_build_object('k', g)",
    "int[]": "ARRAY[g, NULL]",
    "mood": "('m' || g)::mood",
    "wrapped": "g",
    '"char"': "chr(g + 32)",
    "bit(10)": "g::bit(10)",
}


def test_every_type_of_key(pair: Pair) -> None:
    labels = ", ".join(f"'m{number}'" for number in range(1, 61))
    pair.run_both(f"CREATE TYPE mood AS ENUM ({labels}); CREATE DOMAIN wrapped AS bigint")
    for type_, key in KEYS.items():
        pair.run_both(f"""CREATE TABLE "{table_name(type_)}" (k {type_} PRIMARY KEY, n int);
            INSERT INTO "{table_name(type_)}" SELECT {key}, g FROM generate_series(1, 60) g""")
    tables = [table_name(type_) for type_ in KEYS]
    assert {table.outcome for table in pair.verify(*tables, bounds=NARROW).tables} == {Outcome.EQUAL}
    for name in tables:
        pair.target.run(f'DELETE FROM "{name}" WHERE n = 17; UPDATE "{name}" SET n = -n WHERE n IN (1, 30)')
        pair.source.run(f'DELETE FROM "{name}" WHERE n = 60')
    for report in pair.verify(*tables, bounds=NARROW).tables:
        assert sorted(d.kind.value for d in report.differences) == ["CHANGED", "CHANGED", "EXTRA", "MISSING"], report
        assert all(d.columns == ("n",) for d in report.differences if d.kind is DifferenceKind.CHANGED), report


def table_name(type_: str) -> str:
    return "key " + type_.replace('"', "'")


def test_wide_composite_keys(pair: Pair) -> None:
    pair.run_both("""
        CREATE TABLE t (a int, b text, c date, d uuid, e numeric, n int, PRIMARY KEY (b, a, e, d, c));
        INSERT INTO t SELECT g % 3, 'b' || g % 5, date '2026-01-01' + g % 7, md5(g::text)::uuid, g / 8.0, g
        FROM generate_series(1, 200) g""")
    assert pair.verify_one(bounds=NARROW).outcome is Outcome.EQUAL
    pair.target.run("DELETE FROM t WHERE n = 100; UPDATE t SET e = e + 1 WHERE n = 150")
    report = pair.verify_one(bounds=NARROW)
    assert report.key_columns == ("b", "a", "e", "d", "c")
    assert sorted(d.kind.value for d in report.differences) == ["EXTRA", "MISSING", "MISSING"]
    assert {d.key[0] for d in report.differences} == {"b0"}


def test_keys_equal_by_type_but_not_as_text(pair: Pair) -> None:
    pair.run_both("CREATE TABLE t (k numeric PRIMARY KEY)")
    pair.source.run("INSERT INTO t VALUES (1.0), (2.0)")
    pair.target.run("INSERT INTO t VALUES (1.00), (2.0)")
    assert kinds(pair.verify_one()) == {("MISSING", ("1.0",)), ("EXTRA", ("1.00",))}


def test_a_key_of_another_type_in_the_target(pair: Pair) -> None:
    pair.source.run("CREATE TABLE t (k bigint PRIMARY KEY); INSERT INTO t VALUES (1), (2), (9999999999)")
    pair.target.run("CREATE TABLE t (k int PRIMARY KEY); INSERT INTO t VALUES (1), (3)")
    found = kinds(pair.verify_one(bounds=NARROW))
    assert found == {("MISSING", ("2",)), ("MISSING", ("9999999999",)), ("EXTRA", ("3",))}


WORDS = "('a'), ('A'), ('b'), ('B'), ('ä'), ('Ä'), ('z'), ('Z'), ('a b'), ('ab'), ('a-b'), ('é'), ('e'), ('É'), ('10')"


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("", ""),
        ('COLLATE "C"', ""),
        ("COLLATE german", "COLLATE german"),
        ("COLLATE german", "COLLATE numeric"),
        ("", "COLLATE ignorant"),
    ],
    ids=str,
)
def test_text_keys_whatever_the_collations(older_database: Callable[..., Database], mine: str, theirs: str) -> None:
    pair = Pair(older_database(), older_database("LOCALE_PROVIDER icu ICU_LOCALE 'sv'"))
    pair.run_both("""
        CREATE COLLATION german (provider = icu, locale = 'de');
        CREATE COLLATION numeric (provider = icu, locale = 'en-u-kn-true');
        CREATE COLLATION ignorant (provider = icu, locale = 'und-u-ks-level1', deterministic = false)""")
    pair.source.run(f"CREATE TABLE t (k text {mine} PRIMARY KEY, n int)")
    pair.target.run(f"CREATE TABLE t (k text {theirs}, n int); CREATE INDEX ON t (k)")
    pair.run_both(f"INSERT INTO t VALUES {WORDS}")
    assert pair.verify_one(bounds=NARROW).outcome is Outcome.EQUAL
    pair.target.run("""DELETE FROM t WHERE k = 'É' COLLATE "C"; UPDATE t SET n = 0 WHERE k = 'a' COLLATE "C" """)
    pair.source.run("""DELETE FROM t WHERE k = 'Z' COLLATE "C" """)
    found = kinds(pair.verify_one(bounds=NARROW))
    assert found == {("MISSING", ("É",)), ("CHANGED", ("a",)), ("EXTRA", ("Z",))}


def test_ranges_in_two_orders_still_find_everything(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were two orders ever taken for one, nothing would be overlooked and nothing equal reported."""
    labels = [f"'m{number}'" for number in range(1, 41)]
    pair.source.run(f"CREATE TYPE mood AS ENUM ({', '.join(labels)})")
    pair.target.run(f"CREATE TYPE mood AS ENUM ({', '.join(sorted(labels, key=lambda label: label[::-1]))})")
    monkeypatch.setattr("rosetta.verification.pairing.ORDERED_TYPES", ORDERED_TYPES | {"public.mood"})
    pair.run_both("""CREATE TABLE t (k mood PRIMARY KEY, n int);
        INSERT INTO t SELECT ('m' || g)::mood, g FROM generate_series(1, 39) g""")
    assert pair.verify_one(bounds=NARROW).outcome is Outcome.EQUAL
    pair.target.run(
        "DELETE FROM t WHERE n IN (1, 22, 39); UPDATE t SET n = 0 WHERE n = 33; INSERT INTO t VALUES ('m40')"
    )
    pair.source.run("DELETE FROM t WHERE n = 20")
    assert kinds(pair.verify_one(bounds=NARROW)) == {
        *(("MISSING", (key,)) for key in ("m1", "m22", "m39")),
        ("CHANGED", ("m33",)),
        *(("EXTRA", (key,)) for key in ("m20", "m40")),
    }


def test_databases_of_different_encoding(older_database: Callable[..., Database]) -> None:
    pair = Pair(older_database("ENCODING 'LATIN1' LOCALE 'C'"), older_database())
    pair.run_both("CREATE TABLE t (k text PRIMARY KEY, v text); INSERT INTO t VALUES ('é', 'ü'), ('z', 'ß')")
    assert pair.verify_one().outcome is Outcome.EQUAL
    pair.target.run("UPDATE t SET v = 'u' WHERE k = 'é'")
    assert kinds(pair.verify_one()) == {("CHANGED", ("é",))}


def test_servers_of_different_versions(
    older_database: Callable[..., Database], cluster: PostgresCluster, new_database: Callable[[], str]
) -> None:
    pair = Pair(older_database(), Database(cluster, new_database()))
    pair.run_both("""
        CREATE TYPE pair AS (a int, b text);
        CREATE TABLE t (id int PRIMARY KEY, a float8, b float4, c numeric, d interval, e jsonb, f tstzrange, g inet,
                        h text[], i bytea, j "char", k money, l timetz, m bit varying, n pair, o xid8, p tsvector,
                        q char(7), r point, s int4multirange);
        INSERT INTO t SELECT g, g * 1.1e-300, g / 3.0, g * 1e30, g * interval '1 day 1 hour', '{"b":1,"a":[1e5]}',
            tstzrange(now() - now() + timestamptz '2026-01-01', NULL), '10.0.0.1/8', ARRAY['a"b', NULL, 'NULL', ' é'],
            '\\x00', 'x', g * 1.5, '10:00+02', '101', (g, 'a,b')::pair, '5', to_tsvector('simple', 'a b'), 'x',
            point '(1.5,-0)', '{[1,3)}'
        FROM generate_series(1, 30) g""")
    assert pair.verify_one(bounds=NARROW).outcome is Outcome.EQUAL
    pair.target.run("UPDATE t SET r = point '(1.5,0)' WHERE id = 8")
    report = pair.verify_one(bounds=NARROW)
    assert [(d.key, d.columns) for d in report.differences] == [(("8",), ("r",))]


def test_renamed_tables_and_columns(pair: Pair) -> None:
    pair.source.run("CREATE TABLE t (id int PRIMARY KEY, a text, left_out text); INSERT INTO t VALUES (1, 'x', 'y')")
    pair.target.run('CREATE SCHEMA "Other one"; CREATE TABLE "Other one"."t ""2" ("The id" int PRIMARY KEY, a text)')
    renamed = TablePair(TableId("public", "t"), TableId("Other one", 't "2'), columns={"id": "The id", "a": "a"})

    def verify() -> TableReport:
        return verify_tables(pair.source.endpoint, Target("x", pair.target.endpoint), [renamed], AT_ONCE).tables[0]

    assert kinds(verify()) == {("MISSING", ("1",))}
    pair.target.run("""INSERT INTO "Other one"."t ""2" VALUES (1, 'x')""")
    assert verify().outcome is Outcome.EQUAL


def test_counting_stops_at_the_limit(pair: Pair) -> None:
    pair.run_both("CREATE TABLE t (id int PRIMARY KEY)")
    pair.source.run("INSERT INTO t SELECT generate_series(1, 5000)")
    bounds = Bounds(deadline_seconds=0, window_rows=1000, leaf_rows=100, max_differences=250, jobs=1)
    report = pair.verify_one(bounds=bounds)
    assert report.outcome is Outcome.DIFFERENT
    assert report.truncated
    assert 250 <= len(report.differences) <= 250 + 2 * 100
    assert report.rows_fetched <= 1000
    repair = report.repair()
    assert repair is not None
    assert repair.keys is None
