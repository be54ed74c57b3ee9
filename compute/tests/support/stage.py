"""A source, a target, a config database and the service between them."""

from __future__ import annotations

from dataclasses import dataclass, field

import psycopg2.extensions

from compute.tests.support.config_database import ConfigSql
from compute.tests.support.service import ComputeService
from rosetta.local.postgres import PostgresCluster


@dataclass
class Stage:
    """All ends of a pipeline; `same` compares a table at both by EXCEPT ALL in both directions."""

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

    def difference(self, table: str) -> tuple[int, int]:
        """How many rows only the source has, and only the target."""
        ours, theirs = self.rows(self.source_database, table), self.rows(self.target_database, table)
        missing, extra = list(ours), list(theirs)
        for row in theirs:
            if row in missing:
                missing.remove(row)
        for row in ours:
            if row in extra:
                extra.remove(row)
        return len(missing), len(extra)

    def rows(self, database: str, table: str) -> str:
        """A fingerprint of the table's rows as a multiset; empty while the table does not exist."""
        with self.session(database).cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s)", (table,))
            row = cursor.fetchone()
            if row is None or row[0] is None:
                return ""
            cursor.execute(
                "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attname) FROM pg_attribute"
                " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
                " AND attname NOT LIKE '\\_rosetta%%'",
                (table,),
            )
            found = cursor.fetchone()
            columns = found[0] if found else ""
            cursor.execute(
                f"SELECT count(*) || ':' || COALESCE(sum(hashtextextended(ROW({columns})::text, 0)::numeric), 0) FROM {table}"
            )
            answer = cursor.fetchone()
            return str(answer[0]) if answer else ""

    def close(self) -> None:
        self.service.close()
        for connection in self._connections.values():
            connection.close()
