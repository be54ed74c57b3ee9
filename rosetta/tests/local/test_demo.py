"""The sample: made once, changing with every tick, bounded in size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg2
import psycopg2.extensions
import pytest

from rosetta.local.demo import SCHEMA, TABLES
from rosetta.local.demo.generator import tick
from rosetta.local.demo.progress import Arrived, look
from rosetta.local.demo.source import ensure_database, ensure_shop
from rosetta.local.postgres import PostgresCluster


@pytest.fixture
def shop(cluster: PostgresCluster, new_database: Callable[[], str]) -> Iterator[psycopg2.extensions.connection]:
    url = cluster.dsn(new_database())
    assert ensure_shop(url)
    assert not ensure_shop(url)
    with closing(psycopg2.connect(url)) as session:
        yield session


def _value(session: psycopg2.extensions.connection, query: str) -> object:
    with session, session.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
        return row[0] if row else None


def test_the_sample_has_exactly_the_tables_that_are_counted(shop: psycopg2.extensions.connection) -> None:
    names = _value(
        shop,
        "SELECT array_agg(format('%I.%I', schemaname, tablename)) FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    )
    assert isinstance(names, list)
    assert sorted(names) == sorted(TABLES)
    assert {name.partition(".")[0] for name in TABLES} == {SCHEMA}


def test_large_descriptions_are_stored_out_of_line(shop: psycopg2.extensions.connection) -> None:
    toast = "SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE oid = 'shop.products'::regclass"
    size = _value(shop, toast)
    assert isinstance(size, int)
    assert size > 1_000_000


def test_a_tick_inserts_updates_and_deletes(shop: psycopg2.extensions.connection) -> None:
    before = _value(shop, "SELECT min(id) FROM shop.orders")
    highest = _value(shop, "SELECT max(id) FROM shop.orders")
    prices = _value(shop, "SELECT sum(price) FROM shop.products")
    for number in range(1, 151):
        tick(shop, number)
    assert isinstance(before, int)
    assert isinstance(highest, int)
    assert _value(shop, "SELECT min(id) FROM shop.orders") == before + 6
    assert _value(shop, f"SELECT count(*) > 100 FROM shop.orders WHERE id > {highest}") is True
    assert _value(shop, "SELECT count(*) FROM shop.orders WHERE status = 'shipped'") != 0
    assert _value(shop, "SELECT sum(price) FROM shop.products") != prices
    assert _value(shop, "SELECT ticks FROM shop.clock") == 150


def test_what_arrived_is_counted_in_the_target(cluster: PostgresCluster, new_database: Callable[[], str]) -> None:
    url = cluster.dsn(new_database())
    assert look(url) == Arrived(0, None)
    ensure_shop(url)
    arrived = look(url)
    assert arrived is not None
    assert arrived.rows == 1000 + 200 + 2000 + 6000 + 500 + 1
    assert arrived.lag_seconds is not None
    assert 0 <= arrived.lag_seconds < 60


def test_a_target_that_is_away_is_not_an_empty_one() -> None:
    assert look("postgresql://nobody:nothing@127.0.0.1:1/nothing") is None


def test_roles_are_no_superusers_and_follow_the_password(cluster: PostgresCluster) -> None:
    ensure_database(cluster, "demo_role", "first", replication=True)
    ensure_database(cluster, "demo_role", "it's second", replication=True)
    with closing(
        psycopg2.connect(
            host="127.0.0.1", port=cluster.port, user="demo_role", dbname="demo_role", password="it's second"
        )
    ) as session:
        rights = _value(session, "SELECT array[rolsuper, rolreplication] FROM pg_roles WHERE rolname = 'demo_role'")
    assert rights == [False, True]
    with closing(cluster.connect()) as session, session.cursor() as cursor:
        cursor.execute("DROP DATABASE demo_role")
        cursor.execute("DROP ROLE demo_role")
