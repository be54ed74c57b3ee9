"""A migrated config database, and plain SQL on it as a person would type it."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

import psycopg2.extensions

from rosetta.local.postgres import PostgresCluster

_numbers = itertools.count(1)


@dataclass
class ConfigSql:
    """SQL by hand on the config database; values are bound."""

    connection: psycopg2.extensions.connection
    url: str
    database: str

    def run(self, statement: str, *values: object) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)

    def one(self, query: str, *values: object) -> Any:
        """The first column of the first row; None when there is none."""
        row = self.row(query, *values)
        return None if row is None else row[0]

    def row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        with self.connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchone()

    def add_source(self, cluster: PostgresCluster, database: str, publication: str = "pub", **changed: Any) -> int:
        values: dict[str, object] = {
            "name": f"source-{database}",
            "pg_host": "127.0.0.1",
            "pg_port": cluster.port,
            "pg_database": database,
            "pg_username": cluster.superuser,
            "pg_password": cluster.password,
            "publication_name": publication,
            "sslmode": "disable",
            **changed,
        }
        names = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        source_id: int = self.one(f"INSERT INTO sources ({names}) VALUES ({marks}) RETURNING id", *values.values())
        return source_id

    def add_destination(self, cluster: PostgresCluster, database: str, **changed: Any) -> int:
        config = {
            "pg_host": "127.0.0.1",
            "pg_port": cluster.port,
            "pg_database": database,
            "pg_username": cluster.superuser,
            "pg_password": cluster.password,
            "sslmode": "disable",
            **changed,
        }
        destination_id: int = self.one(
            "INSERT INTO destinations (name, type, config) VALUES (%s, 'POSTGRESQL', %s) RETURNING id",
            f"destination-{next(_numbers)}",
            json.dumps(config),
        )
        return destination_id

    def add_pipeline(self, name: str, source_id: int, destination_id: int | None, status: str = "START") -> int:
        pipeline_id: int = self.one(
            "INSERT INTO pipelines (name, source_id, destination_id, status) VALUES (%s, %s, %s, %s) RETURNING id",
            name,
            source_id,
            destination_id,
            status,
        )
        return pipeline_id

    def set_status(self, pipeline_id: int, status: str) -> None:
        self.run("UPDATE pipelines SET status = %s WHERE id = %s", status, pipeline_id)

    def observed(self, pipeline_id: int) -> str | None:
        status: str | None = self.one("SELECT status FROM pipeline_metadata WHERE pipeline_id = %s", pipeline_id)
        return status
