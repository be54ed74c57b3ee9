from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from rosetta.identifiers import TableId
from rosetta.local.postgres import PostgresCluster
from rosetta.postgres import PostgresEndpoint
from rosetta.verification import Bounds, TablePair, TableReport, Target, VerificationReport, verify_tables

# Two looks, with nothing to wait for.
AT_ONCE = Bounds(deadline_seconds=0.0, jobs=1)


@dataclass
class Database:
    """A database of a cluster, and SQL run in it as a superuser."""

    cluster: PostgresCluster
    name: str

    @property
    def endpoint(self) -> PostgresEndpoint:
        return PostgresEndpoint(
            "127.0.0.1", self.cluster.port, self.name, self.cluster.superuser, self.cluster.password, "disable"
        )

    def run(self, sql: str, *parameters: object) -> None:
        with closing(self.cluster.connect(self.name)) as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)


@dataclass
class Pair:
    """A source and a target database."""

    source: Database
    target: Database

    def run_both(self, sql: str) -> None:
        self.source.run(sql)
        self.target.run(sql)

    def verify(self, *tables: str, bounds: Bounds = AT_ONCE) -> VerificationReport:
        pairs = [TablePair(TableId("public", table), TableId("public", table)) for table in tables]
        return verify_tables(self.source.endpoint, Target("target", self.target.endpoint), pairs, bounds)

    def verify_one(self, table: str = "t", bounds: Bounds = AT_ONCE) -> TableReport:
        report = self.verify(table, bounds=bounds)
        assert report.reason is None
        return report.tables[0]


_EMPTY = """
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
        LOOP EXECUTE format('DROP SCHEMA %I CASCADE', name); END LOOP;
        FOR name IN SELECT pubname FROM pg_publication LOOP EXECUTE format('DROP PUBLICATION %I', name); END LOOP;
    END $$;
    CREATE SCHEMA public;
"""


@pytest.fixture(scope="session")
def shared_pair(cluster: PostgresCluster) -> Iterator[Pair]:
    """Made once, because making and dropping databases is most of a short test's time."""
    server = Database(cluster, "postgres")
    names = ("verified_source", "verified_target")
    for name in names:
        server.run(f"CREATE DATABASE {name} TEMPLATE template0")
    yield Pair(*(Database(cluster, name) for name in names))
    for name in names:
        server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def pair(shared_pair: Pair) -> Iterator[Pair]:
    """Two empty databases."""
    yield shared_pair
    shared_pair.run_both(_EMPTY)


@pytest.fixture
def older_database(cluster_15: PostgresCluster) -> Iterator[Callable[..., Database]]:
    """Makes databases in a cluster of another version, which knows ICU; with options of CREATE DATABASE."""
    names = (f"older{number}" for number in itertools.count())
    made: list[str] = []

    def make(options: str = "") -> Database:
        name = next(names)
        Database(cluster_15, "postgres").run(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
        made.append(name)
        return Database(cluster_15, name)

    yield make
    for name in made:
        Database(cluster_15, "postgres").run(f"DROP DATABASE {name} WITH (FORCE)")
