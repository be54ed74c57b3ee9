from __future__ import annotations

from collections.abc import Callable
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


@pytest.fixture
def pair(cluster: PostgresCluster, new_database: Callable[[], str]) -> Pair:
    return Pair(Database(cluster, new_database()), Database(cluster, new_database()))
