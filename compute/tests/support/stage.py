"""A source, a target, a config database and the service between them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import psycopg2.extensions

from compute.tests.support.config_database import ConfigSql
from compute.tests.support.service import ComputeService
from rosetta.local.postgres import PostgresCluster


@dataclass
class Stage:
    """All ends of a pipeline; `same` compares a table's fingerprints, `differences` its rows."""

    cluster: PostgresCluster
    config: ConfigSql
    service: ComputeService
    source_database: str
    target_database: str
    _connections: dict[str, psycopg2.extensions.connection] = field(default_factory=dict)

    def source(self, statement: str) -> None:
        with self.session(self.source_database).cursor() as cursor:
            cursor.execute(statement)

    def session(self, database: str) -> psycopg2.extensions.connection:
        if database not in self._connections:
            self._connections[database] = self.cluster.connect(database)
        return self._connections[database]

    def start_pipeline(self, name: str = "p", status: str = "START", publication: str = "pub") -> int:
        """Publication for all tables, source, destination and pipeline, by plain SQL."""
        self.source(f"CREATE PUBLICATION {publication} FOR ALL TABLES WITH (publish_via_partition_root = true)")
        source_id = self.config.add_source(self.cluster, self.source_database, publication)
        destination_id = self.config.add_destination(self.cluster, self.target_database)
        return self.config.add_pipeline(name, source_id, destination_id, status)

    def same(self, table: str, target: str | None = None) -> bool:
        """Whether source and target hold the same rows, column by column, as text."""
        return self.rows(self.source_database, table) == self.rows(self.target_database, target or table)

    def differences(self, table: str) -> tuple[int, int]:
        """Rows that only the source has, and rows that only the target has, by EXCEPT ALL in one database."""
        columns = self._columns(self.source_database, table)
        with (
            self.session(self.source_database).cursor() as source,
            self.session(self.target_database).cursor() as target,
        ):
            copied = io.StringIO()
            source.copy_expert(f"COPY (SELECT {columns} FROM {table}) TO STDOUT", copied)
            copied.seek(0)
            target.execute(f"CREATE TEMP TABLE theirs AS SELECT {columns} FROM {table} LIMIT 0")
            target.copy_expert(f"COPY theirs ({columns}) FROM STDIN", copied)
            found = []
            for one, other in (("theirs", table), (table, "theirs")):
                target.execute(
                    f"SELECT count(*) FROM (SELECT {columns} FROM {one} EXCEPT ALL SELECT {columns} FROM {other}) AS d"
                )
                row = target.fetchone()
                found.append(row[0] if row else -1)
            target.execute("DROP TABLE theirs")
        return found[0], found[1]

    def rows(self, database: str, table: str) -> str:
        """A fingerprint of the table's rows as a multiset; empty while the table does not exist."""
        columns = self._columns(database, table)
        if not columns:
            return ""
        with self.session(database).cursor() as cursor:
            cursor.execute(
                f"SELECT count(*) || ':' || COALESCE(sum(hashtextextended(ROW({columns})::text, 0)::numeric), 0)"
                f" FROM {table}"
            )
            answer = cursor.fetchone()
            return str(answer[0]) if answer else ""

    def _columns(self, database: str, table: str) -> str:
        with self.session(database).cursor() as cursor:
            cursor.execute(
                "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attname) FROM pg_attribute"
                " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
                " AND attname NOT LIKE '\\_rosetta%%'",
                (table,),
            )
            row = cursor.fetchone()
            return str(row[0]) if row and row[0] else ""

    def config_database_away(self) -> AbstractContextManager[None]:
        """Nobody but the test can reach the config database inside the block."""
        return self._away(self.config.database)

    def source_away(self) -> AbstractContextManager[None]:
        """Nobody but the test can reach the source inside the block."""
        return self._away(self.source_database)

    def target_away(self) -> AbstractContextManager[None]:
        """Nobody but the test can reach the target inside the block."""
        return self._away(self.target_database)

    @contextmanager
    def _away(self, database: str) -> Iterator[None]:
        with self.session("postgres").cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND application_name LIKE 'rosetta%%'",
                (database,),
            )
            yield
            cursor.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")

    def close(self) -> None:
        self.service.close()
        for connection in self._connections.values():
            connection.close()
