"""A source database with an ordinary session for the test, and readers on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg2.extensions
import pytest

from compute.backfill.reader import SourceReader
from compute.backfill.scratch import Scratch
from compute.core.catalog.database import ConfigDatabase
from compute.destinations.postgres import PostgresDestination
from compute.tests.integration.backfill.copying import Copying, ShakyCopies
from compute.tests.integration.backfill.stream import MarkStream, ServedTables
from compute.tests.support.config_database import ConfigSql
from rosetta.dialects.postgres.catalog import parse_tables, tables_sql
from rosetta.identifiers import TableId
from rosetta.local.postgres import PostgresCluster
from rosetta.postgres import PostgresEndpoint, connect
from rosetta.types import TableSchema


@dataclass
class SourceDatabase:
    """A database, by a session under the exact settings (so names are spelled out)."""

    endpoint: PostgresEndpoint
    session: psycopg2.extensions.connection
    folder: Path
    readers: list[SourceReader] = field(default_factory=list)

    def run(self, *statements: str) -> None:
        with self.session.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.session.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    def one(self, query: str) -> Any:
        return self.rows(query)[0][0]

    def another(self) -> psycopg2.extensions.connection:
        return connect(self.endpoint, application="test")

    def schema(self, name: str = "t", schema: str = "public") -> TableSchema:
        table = TableId(schema, name)
        return parse_tables(self.one(tables_sql([table])))[table]

    def reader(self, inline_bytes: int = 1 << 20) -> SourceReader:
        made = SourceReader(self.endpoint, Scratch(self.folder, inline_bytes))
        self.readers.append(made)
        return made


@pytest.fixture
def source(cluster: PostgresCluster, new_database: Callable[[], str], tmp_path: Path) -> Iterator[SourceDatabase]:
    endpoint = PostgresEndpoint(
        "127.0.0.1", cluster.port, new_database(), cluster.superuser, cluster.password, "disable"
    )
    session = connect(endpoint, application="test", autocommit=True)
    made = SourceDatabase(endpoint, session, tmp_path)
    yield made
    for reader in made.readers:
        reader.close()
    session.close()


@pytest.fixture
def copying(
    cluster: PostgresCluster, source: SourceDatabase, config: ConfigSql, new_database: Callable[[], str]
) -> Iterator[Copying]:
    target = replace(source.endpoint, database=new_database())
    destination = PostgresDestination(target, 1, 1)
    destination.open(1)
    source_id = config.add_source(cluster, source.endpoint.database)
    pipeline_id = config.add_pipeline("p", source_id, config.add_destination(cluster, target.database))
    database = ConfigDatabase(config.url, application="test")
    stream = MarkStream(source.endpoint, destination)
    made = Copying(
        source, config, target, destination, ShakyCopies(database), stream, pipeline_id, ServedTables(stream)
    )
    stream.start()
    yield made
    made.stop()
    stream.stop()
    destination.close()
    database.close()
